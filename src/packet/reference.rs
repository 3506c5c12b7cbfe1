//! The reference meter's header walk, DATASET reading (FEATURES.md section 1), phantom packets left out (quirk Q8).
//!
//! It always starts as Ethernet, whatever the link type; lengths are captured bytes; each kind of header is
//! taken at its first occurrence, so that tunnels and quoted headers give outer addresses with inner ports.
//! Offsets past the end are ordinary here: the walk just stops.

use super::bytes::{array, be16, be32, byte};
use super::{Address, Frame, LinkType, PacketMeta, TcpFlags, Unparsed, protocol};

/// Reads one frame as the reference does.
pub(super) fn read(frame: &Frame<'_>) -> Result<PacketMeta, Unparsed> {
    let end = frame.data.len().min(usize::try_from(frame.wire_len).unwrap_or(usize::MAX));
    let Some(data) = frame.data.get(..end) else { return Err(Unparsed::LinkHeader) };
    match Walk::over(data, Header::Ethernet).packet(frame) {
        // Raw IP is readable only by the reference's second try, as an IPv4 header at byte 0. On other link types,
        // and on what is not IPv4, that try makes phantom packets.
        Err(_) if frame.link == LinkType::RawIp && byte(data, 0).is_some_and(|first| first >> 4 == 4) => {
            Walk::over(data, Header::Ipv4 { behind_ethernet: false }).packet(frame)
        }
        outcome => outcome,
    }
}

/// The header that the walk stands before.
#[derive(Clone, Copy)]
enum Header {
    Ethernet,
    Vlan,
    Llc,
    Snap,
    Ipv4 { behind_ethernet: bool },
    Ipv6,
    Icmp,
    Tcp,
    Udp,
    Sctp,
    L2tp,
    Ppp,
}

/// What was found: the first header of each kind.
struct Walk<'a> {
    data: &'a [u8],
    /// Bytes that the walk may still see; trimmed by LLC lengths and IP total lengths.
    end: usize,
    seen_network: bool,
    /// Offset of the first IPv4 header.
    ipv4: Option<usize>,
    tcp: Option<Transport>,
    udp: Option<Transport>,
}

/// A transport header: where it starts, how long it is, and the payload behind it when it was met.
#[derive(Clone, Copy)]
struct Transport {
    offset: usize,
    header: usize,
    payload: usize,
}

impl<'a> Walk<'a> {
    fn over(data: &'a [u8], first: Header) -> Self {
        let mut walk = Self { data, end: data.len(), seen_network: false, ipv4: None, tcp: None, udp: None };
        let mut at = Some((first, 0));
        // Each step moves forward by at least one byte, so the walk ends.
        while let Some((header, offset)) = at {
            at = walk.step(header, offset);
        }
        walk
    }

    fn step(&mut self, header: Header, offset: usize) -> Option<(Header, usize)> {
        match header {
            Header::Ethernet => self.ethernet(offset),
            Header::Vlan => self.vlan(offset),
            Header::Llc => self.llc(offset),
            Header::Snap => self.snap(offset),
            Header::Ipv4 { behind_ethernet } => self.ipv4(offset, behind_ethernet),
            Header::Ipv6 => self.ipv6(offset),
            Header::Icmp => self.icmp(offset),
            Header::Tcp => self.tcp(offset),
            Header::Udp => self.udp(offset),
            // 12 bytes and nothing of interest behind them; the DATASET reading gives SCTP no ports and no bytes.
            Header::Sctp => None,
            Header::L2tp => self.l2tp(offset),
            Header::Ppp => self.ppp(offset),
        }
    }

    fn left(&self, offset: usize) -> usize {
        self.end.saturating_sub(offset)
    }

    fn ethernet(&mut self, offset: usize) -> Option<(Header, usize)> {
        let kind = be16(self.data, offset + 12)?;
        let next = offset + ETHERNET;
        if kind < FIRST_ETHERTYPE {
            // The length does not count the header, but the reference cuts the frame at it all the same (Q12).
            self.end = self.end.min(usize::from(kind));
            return Some((Header::Llc, next));
        }
        by_ethertype(kind, true).map(|header| (header, next))
    }

    fn vlan(&self, offset: usize) -> Option<(Header, usize)> {
        if self.left(offset) < VLAN {
            return None;
        }
        let kind = be16(self.data, offset + 2)?;
        let header = if kind < FIRST_ETHERTYPE { Some(Header::Llc) } else { by_ethertype(kind, false) };
        header.map(|header| (header, offset + VLAN))
    }

    fn llc(&self, offset: usize) -> Option<(Header, usize)> {
        if self.left(offset) < 3 {
            return None;
        }
        let control = byte(self.data, offset + 2)?;
        let length = if control & 1 == 1 { 3 } else { 4 };
        (byte(self.data, offset)? == DSAP_SNAP).then_some((Header::Snap, offset + length))
    }

    fn snap(&self, offset: usize) -> Option<(Header, usize)> {
        if self.left(offset) < SNAP || array::<3>(self.data, offset)? != [0; 3] {
            return None;
        }
        by_ethertype(be16(self.data, offset + 3)?, false).map(|header| (header, offset + SNAP))
    }

    fn ipv4(&mut self, offset: usize, behind_ethernet: bool) -> Option<(Header, usize)> {
        if self.left(offset) < IPV4 {
            return None;
        }
        let length = usize::from(byte(self.data, offset)? & 0x0f) * 4;
        if length == 0 {
            return None;
        }
        self.ipv4.get_or_insert(offset);
        self.seen_network = true;
        let total = usize::from(be16(self.data, offset + 2)?);
        if behind_ethernet && total <= self.end {
            self.end = self.end.min(offset + total);
        }
        if be16(self.data, offset + 6)? & FRAGMENT_OFFSET != 0 {
            return None;
        }
        let header = by_protocol(byte(self.data, offset + 9)?)?;
        Some((header, offset + length))
    }

    fn ipv6(&mut self, offset: usize) -> Option<(Header, usize)> {
        if self.left(offset) < IPV6 {
            return None;
        }
        self.seen_network = true;
        let mut next = byte(self.data, offset + 6)?;
        let mut at = offset + IPV6;
        while matches!(next, 0 | 43 | 44 | 50 | 51 | 60 | 135) {
            if self.left(at) < 2 {
                return None;
            }
            let length = usize::from(byte(self.data, at + 1)?) * 8 + 8;
            if self.left(at) < length {
                return None;
            }
            next = byte(self.data, at)?;
            at += length;
        }
        // L2TP directly over IP is known behind IPv4 only.
        by_protocol(next).filter(|_| next != protocol::L2TP).map(|header| (header, at))
    }

    /// Destination unreachable and parameter problem quote the header that they are about (Q9).
    fn icmp(&self, offset: usize) -> Option<(Header, usize)> {
        if self.left(offset) < 4 {
            return None;
        }
        let quotes = matches!(byte(self.data, offset)?, 3 | 12);
        quotes.then_some((Header::Ipv4 { behind_ethernet: false }, offset + ICMP))
    }

    fn tcp(&mut self, offset: usize) -> Option<(Header, usize)> {
        let left = self.left(offset);
        if left < TCP {
            return None;
        }
        let header = (usize::from(byte(self.data, offset + 12)? >> 4) * 4).min(left);
        if header > 0 {
            self.tcp.get_or_insert(Transport { offset, header, payload: left - header });
        }
        None
    }

    fn udp(&mut self, offset: usize) -> Option<(Header, usize)> {
        let left = self.left(offset);
        if left < UDP {
            return None;
        }
        self.udp.get_or_insert(Transport { offset, header: UDP, payload: left - UDP });
        let is_l2tp = be16(self.data, offset)? == L2TP_PORT || be16(self.data, offset + 2)? == L2TP_PORT;
        is_l2tp.then_some((Header::L2tp, offset + UDP))
    }

    fn l2tp(&self, offset: usize) -> Option<(Header, usize)> {
        if self.left(offset) < 2 {
            return None;
        }
        let flags = byte(self.data, offset)?;
        let with = |bit: u8, bytes: usize| if flags & bit == 0 { 0 } else { bytes };
        let length = 6 + with(0x40, 2) + with(0x08, 4) + with(0x02, 4);
        (flags & 0x80 == 0).then_some((Header::Ppp, offset + length))
    }

    fn ppp(&self, offset: usize) -> Option<(Header, usize)> {
        if self.left(offset) < PPP {
            return None;
        }
        match be16(self.data, offset + 2)? {
            0x0021 => Some((Header::Ipv4 { behind_ethernet: false }, offset + PPP)),
            0x0057 => Some((Header::Ipv6, offset + PPP)),
            _ => None,
        }
    }

    /// Section 1.2: TCP, else UDP, else protocol 0 without ports; or unreadable.
    fn packet(&self, frame: &Frame<'_>) -> Result<PacketMeta, Unparsed> {
        let Some(ip) = self.ipv4 else {
            let reason = match (self.seen_network, self.data.len() < ETHERNET) {
                (_, true) => Unparsed::LinkHeader,
                _ => Unparsed::NotIp,
            };
            return Err(reason);
        };
        let addresses = ipv4_addresses(self.data, ip).ok_or(Unparsed::IpHeader)?;
        let mut packet = PacketMeta {
            src: addresses.0,
            dst: addresses.1,
            time: frame.time,
            src_port: 0,
            dst_port: 0,
            payload_len: 0,
            wire_len: frame.wire_len,
            seq: 0,
            ack: 0,
            window: 0,
            header_len: 0,
            interface: 0,
            protocol: 0,
            flags: TcpFlags::default(),
        };
        if let Some(tcp) = self.tcp {
            self.fill_tcp(&mut packet, tcp).ok_or(Unparsed::TransportHeader)?;
        } else if let Some(udp) = self.udp {
            packet.protocol = protocol::UDP;
            self.fill_ports(&mut packet, udp).ok_or(Unparsed::TransportHeader)?;
        }
        Ok(packet)
    }

    fn fill_ports(&self, packet: &mut PacketMeta, transport: Transport) -> Option<()> {
        packet.src_port = be16(self.data, transport.offset)?;
        packet.dst_port = be16(self.data, transport.offset + 2)?;
        packet.header_len = u16::try_from(transport.header).ok()?;
        packet.payload_len = u32::try_from(transport.payload).ok()?;
        Some(())
    }

    fn fill_tcp(&self, packet: &mut PacketMeta, tcp: Transport) -> Option<()> {
        let header = self.data.get(tcp.offset..tcp.offset + tcp.header)?;
        let declared = usize::from(byte(header, 12)? >> 4) * 4;
        // The window is the last field that the reference reads; a header cut before it throws.
        packet.window = be16(header, 14)?;
        tcp_options_readable(header, declared).then_some(())?;
        packet.protocol = protocol::TCP;
        packet.flags = TcpFlags(byte(header, 13)?);
        packet.seq = be32(header, 4)?;
        packet.ack = be32(header, 8)?;
        self.fill_ports(packet, tcp)
    }
}

/// Addresses of the IPv4 header at `offset`; `None` where the reference finds the header unreadable.
fn ipv4_addresses(data: &[u8], offset: usize) -> Option<(Address, Address)> {
    let length = usize::from(byte(data, offset)? & 0x0f) * 4;
    let header = data.get(offset..offset + length).filter(|_| length >= IPV4)?;
    ipv4_options_readable(header).then_some(())?;
    Some((Address::v4(array(header, 12)?), Address::v4(array(header, 16)?)))
}

/// The reference's walk over IPv4 options: it skips one byte more than each option's length, stops at a kind
/// that it does not know, and throws only where a length byte would lie behind the header.
fn ipv4_options_readable(header: &[u8]) -> bool {
    let mut at = IPV4;
    while let Some(kind) = byte(header, at) {
        match kind & 0x1f {
            0 => return true,
            1 => at += 1,
            2 | 3 | 4 | 7 | 8 | 9 => match byte(header, at + 1) {
                Some(length) => at += usize::from(length) + 1,
                None => return false,
            },
            _ => return true,
        }
    }
    true
}

/// The reference's walk over TCP options up to the declared header length, of which `header` holds what was captured.
fn tcp_options_readable(header: &[u8], declared: usize) -> bool {
    let mut at = TCP;
    while at < declared {
        match byte(header, at) {
            None => return false,
            Some(0) => return true,
            Some(1) => at += 1,
            Some(_) => match byte(header, at + 1) {
                None => return false,
                // A length of 0 would loop; the reference stops there.
                Some(0) => return true,
                Some(length) => at += usize::from(length),
            },
        }
    }
    true
}

fn by_ethertype(kind: u16, behind_ethernet: bool) -> Option<Header> {
    match kind {
        0x0800 => Some(Header::Ipv4 { behind_ethernet }),
        0x8100 | 0x88a8 | 0x9100 => Some(Header::Vlan),
        0x86dd => Some(Header::Ipv6),
        _ => None,
    }
}

fn by_protocol(number: u8) -> Option<Header> {
    match number {
        protocol::ICMP => Some(Header::Icmp),
        protocol::IPV4 => Some(Header::Ipv4 { behind_ethernet: false }),
        protocol::TCP => Some(Header::Tcp),
        protocol::UDP => Some(Header::Udp),
        protocol::L2TP => Some(Header::L2tp),
        protocol::SCTP => Some(Header::Sctp),
        _ => None,
    }
}

/// Header lengths in bytes.
const ETHERNET: usize = 14;
const VLAN: usize = 4;
const SNAP: usize = 5;
const IPV4: usize = 20;
const IPV6: usize = 40;
const ICMP: usize = 8;
const TCP: usize = 20;
const UDP: usize = 8;
const PPP: usize = 4;

/// Lesser values of the Ethernet type field are 802.3 lengths.
const FIRST_ETHERTYPE: u16 = 0x0600;
/// The 802.2 service access point that announces SNAP.
const DSAP_SNAP: u8 = 0xaa;
/// The fragment offset bits of an IPv4 header's sixth and seventh bytes.
const FRAGMENT_OFFSET: u16 = 0x1fff;
/// UDP port of L2TP.
const L2TP_PORT: u16 = 1701;
