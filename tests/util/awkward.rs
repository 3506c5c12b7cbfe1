//! Frames that are easily parted from their flows where packets are shared out among workers: fragments (their later
//! ones have no ports), ICMP messages, VLAN tags on some packets of a flow, 802.2 framing, IPv6 extension headers.

#![allow(dead_code, unreachable_pub, reason = "a module of several test binaries, each of which uses a part of it")]

use std::net::{IpAddr, SocketAddr};

use super::util::traffic::{Link, Pace, Packet, Traffic};

/// Frames of that many pairs of hosts for each IP version, in order, both directions.
pub fn frames(pairs: u8) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for pair in 0..pairs {
        for hosts in [
            (format!("10.244.{pair}.1"), format!("10.96.7.{}", pair.wrapping_mul(37))),
            (format!("fd00::{pair:x}:1"), format!("fd00:7::{:x}", u16::from(pair) * 37)),
        ] {
            of_pair(pair, &hosts.0, &hosts.1, &mut frames);
        }
    }
    frames
}

fn of_pair(pair: u8, client: &str, server: &str, frames: &mut Vec<Vec<u8>>) {
    let (client_ip, server_ip): (IpAddr, IpAddr) = (client.parse().unwrap(), server.parse().unwrap());
    let at = |port: u16| (SocketAddr::new(client_ip, 40_000 + port), SocketAddr::new(server_ip, 53));
    let mut t = Traffic::new(pair.into());
    t.tcp((client, 45_000), (server, 80)).segment_size(1_200).pace(Pace::NODE).request(120).response(2_000).close();
    t.echo(client, server).at(0.1).times(2);
    let mut packets: Vec<Packet> = t.packets().into_iter().cloned().collect();
    let (from, to) = at(1);
    // One flow of which some packets come whole and some in pieces, in both directions.
    for (number, (from, to)) in [(from, to), (to, from), (from, to), (to, from)].into_iter().enumerate() {
        let whole = Packet::udp(0, from, to, &vec![b'a' + number as u8; 40 + number]);
        let long = Packet::udp(0, from, to, &vec![b'k' + number as u8; 1_000 + number]);
        packets.extend(in_pieces(&long, 0x0700 + number as u16));
        packets.push(unreachable(&whole));
        packets.push(whole);
    }
    for (number, packet) in packets.iter().enumerate() {
        // The tag differs from packet to packet: it is no part of a flow.
        let tag = number as u16 % 4;
        let link = match number % 4 {
            0 => Link::Ethernet,
            1 => Link::Vlan(tag),
            2 => Link::QinQ(tag, tag + 1),
            _ => {
                frames.extend(Link::Ethernet.frame(packet).map(|frame| with_snap(&frame.data)));
                continue;
            }
        };
        frames.extend(link.frame(packet).map(|frame| frame.data));
    }
}

/// The datagram in three fragments.
fn in_pieces(packet: &Packet, id: u16) -> Vec<Packet> {
    let v4 = packet.ether_type == 0x0800;
    let (header, payload) = packet.bytes.split_at(if v4 { 20 } else { 40 });
    let count = payload.len().div_ceil(PIECE);
    let piece = |(number, piece): (usize, &[u8])| {
        let (units, more) = ((number * PIECE / 8) as u16, number + 1 < count);
        let mut bytes = header.to_vec();
        if v4 {
            bytes[2..4].copy_from_slice(&(20 + piece.len() as u16).to_be_bytes());
            bytes[4..6].copy_from_slice(&id.to_be_bytes());
            bytes[6..8].copy_from_slice(&(units | u16::from(more) << 13).to_be_bytes());
        } else {
            bytes[4..6].copy_from_slice(&(8 + piece.len() as u16).to_be_bytes());
            let next = std::mem::replace(&mut bytes[6], 44);
            bytes.extend([next, 0]);
            bytes.extend((units << 3 | u16::from(more)).to_be_bytes());
            bytes.extend(u32::from(id).to_be_bytes());
        }
        bytes.extend_from_slice(piece);
        Packet { bytes, ..packet.clone() }
    };
    payload.chunks(PIECE).enumerate().map(piece).collect()
}

/// "Port unreachable", as the receiver of this packet answers it.
fn unreachable(packet: &Packet) -> Packet {
    let v4 = packet.ether_type == 0x0800;
    let (header, length, (src, dst), message) = if v4 { (20, 4, (12, 16), [3, 3]) } else { (40, 16, (8, 24), [1, 4]) };
    let mut bytes = packet.bytes[..header].to_vec();
    bytes[src..src + length].copy_from_slice(&packet.bytes[dst..dst + length]);
    bytes[dst..dst + length].copy_from_slice(&packet.bytes[src..src + length]);
    let quoted = &packet.bytes[..(header + 16).min(packet.bytes.len())];
    let payload = 8 + quoted.len() as u16;
    if v4 {
        bytes[2..4].copy_from_slice(&(20 + payload).to_be_bytes());
        bytes[9] = 1;
    } else {
        bytes[4..6].copy_from_slice(&payload.to_be_bytes());
        bytes[6] = 58;
    }
    bytes.extend(message);
    bytes.extend([0; 6]);
    bytes.extend_from_slice(quoted);
    Packet { bytes, ..packet.clone() }
}

/// The frame as IEEE 802.2 carries it: a length, LLC and SNAP, and then the EtherType.
fn with_snap(frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame[..12].to_vec();
    let length = frame.len() - 14 + 8;
    if length > 1_500 {
        return frame.to_vec();
    }
    bytes.extend((length as u16).to_be_bytes());
    bytes.extend([0xaa, 0xaa, 0x03, 0, 0, 0]);
    bytes.extend_from_slice(&frame[12..]);
    bytes
}

/// Bytes of a fragment, a multiple of eight.
const PIECE: usize = 400;
