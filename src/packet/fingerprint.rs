//! What a packet is recognised by where it passes a second place: the bytes that bridges and routers leave as they are.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::fast::FixedState;

use super::bytes::{array, be16, byte};
use super::standard::{Network, network};
use super::{Frame, LinkType, protocol};

/// Fingerprints packets by a keyed hash: who does not know the key cannot make two packets look like one.
#[derive(Clone, Debug)]
pub struct Fingerprints {
    hasher: FixedState,
}

impl Fingerprints {
    /// By this key, which all readers of a run share.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { hasher: FixedState::with_seed(seed) }
    }

    /// The fingerprint of a frame's IP packet, the same on every interface; `None` for what is not read.
    ///
    /// It covers addresses, protocol, lengths, identification and fragment, and the first 32 bytes behind the IP header but for
    /// the checksum of TCP and UDP, which is not there yet where hardware is to fill it in. It leaves out the link header with its tags, what
    /// each router changes (hops, traffic class, header checksum), and the rest of the payload, of which interfaces may capture more or less.
    #[must_use]
    pub fn of(&self, frame: &Frame<'_>) -> Option<u64> {
        let (is_ipv6, ip) = ip(frame)?;
        let mut state = self.hasher.build_hasher();
        let (protocol, behind) = if is_ipv6 {
            let header: &[u8; 40] = ip.first_chunk()?;
            // Payload length and next header, then both addresses.
            state.write_u16(be16(header, 4)?);
            state.write(header.get(8..)?);
            (byte(header, 6)?, ip.get(40..)?)
        } else {
            let length = usize::from(byte(ip, 0)? & 0x0f) * 4;
            let header = ip.get(..length.max(20))?;
            // Total length, identification and fragment; then both addresses and options.
            state.write(header.get(2..8)?);
            state.write(header.get(12..)?);
            (byte(header, 9)?, ip.get(length.max(20)..)?)
        };
        state.write_u8(protocol);
        let behind = behind.get(..TRANSPORT).unwrap_or(behind);
        let checksum = match protocol {
            protocol::TCP => 16,
            protocol::UDP => 6,
            _ => behind.len(),
        };
        let before = behind.get(..checksum).unwrap_or(behind);
        state.write(before);
        state.write(behind.get(checksum.saturating_add(2)..).unwrap_or_default());
        // 0 stands for none.
        Some(state.finish() | 1)
    }
}

/// Which interface saw a frame that was captured on all of them: its index, as the kernel says in the frame's own header; 0 elsewhere.
#[must_use]
pub fn device(frame: &Frame<'_>) -> u32 {
    match frame.link {
        LinkType::LinuxSll2 => array(frame.data, 4).map_or(0, u32::from_be_bytes),
        _ => 0,
    }
}

/// The IP packet of a frame, and whether it is of version 6.
fn ip<'a>(frame: &Frame<'a>) -> Option<(bool, &'a [u8])> {
    let (mut kind, mut offset) = network(frame).ok()?;
    for _ in 0..=TAGS {
        kind = match kind {
            Network::Ipv4 => return Some((false, frame.data.get(offset..)?)),
            Network::Ipv6 => return Some((true, frame.data.get(offset..)?)),
            Network::Tagged(VLAN | PROVIDER | DOUBLE) => {
                let inner = be16(frame.data, offset.saturating_add(2))?;
                offset = offset.saturating_add(4);
                match inner {
                    IPV4 => Network::Ipv4,
                    IPV6 => Network::Ipv6,
                    other => Network::Tagged(other),
                }
            }
            Network::Tagged(_) => return None,
        };
    }
    None
}

/// Bytes behind the IP header: a TCP header with timestamps, or a UDP header and what a question begins with. Whatever the link header takes of
/// the least snaplen, as many are captured everywhere.
const TRANSPORT: usize = 32;
/// VLAN tags, at most, as the fanout program reads them.
const TAGS: usize = 3;
/// EtherTypes.
const VLAN: u16 = 0x8100;
const PROVIDER: u16 = 0x88a8;
const DOUBLE: u16 = 0x9100;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Micros;

    /// A UDP datagram of four bytes over IPv4, and where its IP header begins.
    fn datagram() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 32, 0x12, 0x34, 0x40, 0, 64, 17, 0xaa, 0xbb, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0x9c, 0x40, 0, 53, 0, 12, 0xcc, 0xdd, 1, 2, 3, 4]);
        packet
    }

    fn frame(link: LinkType, header: &[u8], packet: &[u8]) -> Vec<u8> {
        assert!(link != LinkType::Other(0));
        [header, packet].concat()
    }

    fn told(link: LinkType, header: &[u8], packet: &[u8]) -> Option<u64> {
        let data = frame(link, header, packet);
        let wire_len = u32::try_from(data.len()).expect("short");
        Fingerprints::new(7).of(&Frame { time: Micros::ZERO, data: &data, wire_len, link })
    }

    const ETHERNET: [u8; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0];

    #[test]
    fn what_a_packet_passes_leaves_its_fingerprint() {
        let own = told(LinkType::Ethernet, &ETHERNET, &datagram());
        assert!(own.is_some());
        let tagged = [&ETHERNET[..12], &[0x81, 0, 0, 5, 8, 0]].concat();
        let twice = [&ETHERNET[..12], &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat();
        let mut cooked = [0_u8; 20];
        cooked[0] = 8;
        cooked[7] = 3;
        for (what, link, header) in [
            ("another bridge", LinkType::Ethernet, [&[9; 12], &ETHERNET[12..]].concat()),
            ("a tag", LinkType::Ethernet, tagged),
            ("two tags", LinkType::Ethernet, twice),
            ("no link header", LinkType::RawIp, vec![]),
            ("all interfaces", LinkType::LinuxSll2, cooked.to_vec()),
        ] {
            assert_eq!(told(link, &header, &datagram()), own, "{what}");
        }
        // Hops, traffic class, and both checksums.
        for at in [1, 8, 10, 11, 26, 27] {
            let mut routed = datagram();
            routed[at] ^= 0x55;
            assert_eq!(told(LinkType::Ethernet, &ETHERNET, &routed), own, "byte {at}");
        }
        for at in [3, 4, 7, 9, 15, 19, 20, 23, 25, 28, 31] {
            let mut other = datagram();
            other[at] ^= 0x55;
            assert_ne!(told(LinkType::Ethernet, &ETHERNET, &other), own, "byte {at}");
        }
    }

    #[test]
    fn what_is_not_ip_or_is_cut_has_none() {
        assert_eq!(told(LinkType::Ethernet, &[&ETHERNET[..12], &[8, 6]].concat(), &datagram()), None);
        assert_eq!(told(LinkType::Ethernet, &[&ETHERNET[..12], &[0x88, 0xe5]].concat(), &datagram()), None);
        for length in 0..20 {
            assert_eq!(told(LinkType::Ethernet, &ETHERNET, &datagram()[..length]), None, "{length} bytes");
        }
        let tags: Vec<u8> = ETHERNET[..12].iter().copied().chain([0x81, 0, 0, 1].repeat(4)).chain([8, 0]).collect();
        assert_eq!(told(LinkType::Ethernet, &tags, &datagram()), None);
    }

    #[test]
    fn a_frame_of_all_interfaces_says_which_one_saw_it() {
        let mut data = [0_u8; 20];
        data[4..8].copy_from_slice(&[0, 0, 1, 2]);
        let frame = |link| Frame { time: Micros::ZERO, data: &data, wire_len: 20, link };
        assert_eq!([LinkType::LinuxSll2, LinkType::Ethernet].map(|link| device(&frame(link))), [258, 0]);
    }
}
