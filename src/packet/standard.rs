//! The standard reading: every link type of [`LinkType`], IPv4 and IPv6 with extension headers, lengths from IP headers.
//!
//! etherparse's lax slices walk VLAN tags, IP headers and extension headers. Two cases make up nearly all traffic
//! and are read by plain offsets first: untagged IPv4 without options and IPv6 without extension headers. A test
//! holds the two ways against each other.

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, LenSource};

use super::bytes::{array, be16, be32, byte};
use super::fragments::Fragment;
use super::{Address, Frame, LinkType, PacketMeta, TcpFlags, Unparsed, icmp, protocol};

/// One packet, and how it belongs to a fragmented datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub packet: PacketMeta,
    pub fragment: Fragment,
}

/// What lies behind a packet's IP header: as captured, and how much on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Behind<'a> {
    pub captured: &'a [u8],
    pub on_wire: u32,
}

/// Reads one frame: link layer, then IP. Inlined, as is all that nearly every packet needs: as calls they cost a twentieth of `extract`.
#[inline(always)]
pub(super) fn read(frame: &Frame<'_>) -> Result<Read, Unparsed> {
    let (network, offset) = network(frame)?;
    let data = frame.data.get(offset..).unwrap_or_default();
    let on_wire = on_wire(frame, offset);
    let ip = match network {
        Network::Ipv4 => plain_ipv4(data, on_wire),
        Network::Ipv6 => plain_ipv6(data, on_wire),
        Network::Tagged(_) => None,
    };
    let ip = match ip {
        Some(ip) => ip,
        None => any_ip(network, data, on_wire)?,
    };
    transport(frame, &ip)
}

/// What lies behind the IP header of a frame that was read: asked for packets of tunnels alone, and the long way, so that all others cost nothing
/// more.
pub(super) fn behind<'a>(frame: &Frame<'a>) -> Option<Behind<'a>> {
    let (network, offset) = network(frame).ok()?;
    let Ip { payload, payload_len, .. } = any_ip(network, frame.data.get(offset..)?, on_wire(frame, offset)).ok()?;
    Some(Behind { captured: payload, on_wire: payload_len })
}

/// Bytes on the wire from an offset on. A file may claim fewer than it holds.
#[inline(always)]
fn on_wire(frame: &Frame<'_>, offset: usize) -> u32 {
    let whole = frame.wire_len.max(u32::try_from(frame.data.len()).unwrap_or(u32::MAX));
    whole.saturating_sub(u32::try_from(offset).unwrap_or(u32::MAX))
}

/// What the link layer announces behind it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Network {
    Ipv4,
    Ipv6,
    /// VLAN or other link extensions, by EtherType: for etherparse to walk.
    Tagged(u16),
}

/// An IP header's facts, whichever way it was read.
#[derive(Clone, Copy, Debug)]
struct Ip<'a> {
    src: Address,
    dst: Address,
    protocol: u8,
    /// Captured bytes behind the IP header and its extensions, trimmed to the IP length.
    payload: &'a [u8],
    /// Length of the same on the wire, by the IP header.
    payload_len: u32,
    fragment: Fragment,
}

/// Finds the network header: what it is and where it starts.
#[inline(always)]
pub(super) fn network(frame: &Frame<'_>) -> Result<(Network, usize), Unparsed> {
    let data = frame.data;
    match frame.link {
        LinkType::Ethernet => {
            let kind = be16(data, 12).ok_or(Unparsed::LinkHeader)?;
            if kind < FIRST_ETHERTYPE { snap(data, 14) } else { by_ethertype(kind, 14) }
        }
        LinkType::RawIp => by_version(data, 0),
        LinkType::Null | LinkType::Loop => by_version_after_family(data),
        LinkType::LinuxSll => by_ethertype(be16(data, 14).ok_or(Unparsed::LinkHeader)?, 16),
        LinkType::LinuxSll2 => {
            let kind = be16(data, 0).ok_or(Unparsed::LinkHeader)?;
            if data.len() < 20 { Err(Unparsed::LinkHeader) } else { by_ethertype(kind, 20) }
        }
        LinkType::Other(_) => Err(Unparsed::LinkType),
    }
}

/// 802.2 LLC with a SNAP header of organisation 0, as the bridged networks of IEEE 802 carry IP (RFC 1042).
fn snap(data: &[u8], offset: usize) -> Result<(Network, usize), Unparsed> {
    let header: [u8; 6] = array(data, offset).ok_or(Unparsed::LinkHeader)?;
    if header != [0xaa, 0xaa, 0x03, 0, 0, 0] {
        return Err(Unparsed::NotIp);
    }
    by_ethertype(be16(data, offset + 6).ok_or(Unparsed::LinkHeader)?, offset + 8)
}

#[inline(always)]
fn by_ethertype(kind: u16, offset: usize) -> Result<(Network, usize), Unparsed> {
    match EtherType(kind) {
        EtherType::IPV4 => Ok((Network::Ipv4, offset)),
        EtherType::IPV6 => Ok((Network::Ipv6, offset)),
        EtherType::VLAN_TAGGED_FRAME
        | EtherType::PROVIDER_BRIDGING
        | EtherType::VLAN_DOUBLE_TAGGED_FRAME
        | EtherType::MACSEC => Ok((Network::Tagged(kind), offset)),
        _ => Err(Unparsed::NotIp),
    }
}

fn by_version(data: &[u8], offset: usize) -> Result<(Network, usize), Unparsed> {
    match byte(data, offset).ok_or(Unparsed::LinkHeader)? >> 4 {
        4 => Ok((Network::Ipv4, offset)),
        6 => Ok((Network::Ipv6, offset)),
        _ => Err(Unparsed::NotIp),
    }
}

/// The address family's number and byte order are the capturing host's; 2 is IPv4 everywhere, IPv6 is 10, 24, 28
/// or 30. The IP version tells them apart once the family is known to be one of these.
fn by_version_after_family(data: &[u8]) -> Result<(Network, usize), Unparsed> {
    let family: [u8; 4] = array(data, 0).ok_or(Unparsed::LinkHeader)?;
    let number = u32::from_be_bytes(family).min(u32::from_le_bytes(family));
    if matches!(number, 2 | 10 | 24 | 28 | 30) { by_version(data, 4) } else { Err(Unparsed::NotIp) }
}

/// IPv4 without options, not a fragment, its length as announced. `None` sends the packet the long way.
#[inline(always)]
fn plain_ipv4(data: &[u8], on_wire: u32) -> Option<Ip<'_>> {
    let header: &[u8; IPV4] = data.first_chunk()?;
    let total = u32::from(be16(header, 2)?);
    let fragment_bits = be16(header, 6)? & !DONT_FRAGMENT;
    if byte(header, 0)? != 0x45 || fragment_bits != 0 || total < 20 || total > on_wire {
        return None;
    }
    let payload_len = total - 20;
    let captured = data.get(IPV4..)?;
    let payload = captured.get(..usize::try_from(payload_len).ok()?).unwrap_or(captured);
    Some(Ip {
        src: Address::v4(array(header, 12)?),
        dst: Address::v4(array(header, 16)?),
        protocol: byte(header, 9)?,
        payload,
        payload_len,
        fragment: Fragment::Whole,
    })
}

/// IPv6 whose next header is already a transport one. `None` sends the packet the long way.
#[inline(always)]
fn plain_ipv6(data: &[u8], on_wire: u32) -> Option<Ip<'_>> {
    let header: &[u8; IPV6] = data.first_chunk()?;
    let payload_len = u32::from(be16(header, 4)?);
    let next = byte(header, 6)?;
    let is_plain = matches!(next, protocol::TCP | protocol::UDP | protocol::ICMPV6);
    if byte(header, 0)? >> 4 != 6 || !is_plain || payload_len == 0 || payload_len > on_wire.saturating_sub(40) {
        return None;
    }
    let captured = data.get(IPV6..)?;
    let payload = captured.get(..usize::try_from(payload_len).ok()?).unwrap_or(captured);
    Some(Ip {
        src: Address::v6(array(header, 8)?),
        dst: Address::v6(array(header, 24)?),
        protocol: next,
        payload,
        payload_len,
        fragment: Fragment::Whole,
    })
}

/// Any IP packet, behind VLAN tags or not, by etherparse.
fn any_ip(network: Network, data: &[u8], on_wire: u32) -> Result<Ip<'_>, Unparsed> {
    let kind = match network {
        Network::Ipv4 => EtherType::IPV4,
        Network::Ipv6 => EtherType::IPV6,
        Network::Tagged(kind) => EtherType(kind),
    };
    let sliced = LaxSlicedPacket::from_ether_type(kind, data);
    let Some(net) = sliced.net else {
        // A tag chain that ends in something else is not IP; a chain or header that is cut short is malformed.
        return Err(match (network, sliced.stop_err) {
            (Network::Tagged(_), None) => Unparsed::NotIp,
            (Network::Tagged(_), Some((_, layer))) if !is_ip(layer) => Unparsed::LinkHeader,
            _ => Unparsed::IpHeader,
        });
    };
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            let offset = offset_in(data, header.slice());
            let available = on_wire.saturating_sub(offset);
            // Total length 0 is left to the network card by segmentation offload: the rest of the frame counts (Q10).
            let total = match u32::from(header.total_len()) {
                0 => available,
                announced => announced.min(available),
            };
            let payload = ip.payload();
            let headers = offset_in(data, payload.payload).saturating_sub(offset);
            let fragment = Fragment::of(
                header.fragments_offset().value(),
                header.more_fragments(),
                u32::from(header.identification()),
            );
            Ok(Ip {
                src: Address::v4(header.source()),
                dst: Address::v4(header.destination()),
                protocol: payload.ip_number.0,
                payload: payload.payload,
                payload_len: total.saturating_sub(headers),
                fragment,
            })
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let offset = offset_in(data, header.slice());
            let available = on_wire.saturating_sub(offset).saturating_sub(40);
            // Payload length 0: a jumbogram or segmentation offload.
            let announced = match u32::from(header.payload_length()) {
                0 => available,
                announced => announced.min(available),
            };
            let payload = ip.payload();
            let extensions = offset_in(data, payload.payload).saturating_sub(offset).saturating_sub(40);
            let extensions_seen = ip.extensions();
            let fragment =
                ipv6_fragment(extensions_seen.first_header().map(|number| number.0), extensions_seen.slice());
            // A chain that stops inside an extension header leaves no transport protocol to name.
            if is_cut(&sliced.stop_err) && payload.len_source == LenSource::Slice && payload.payload.is_empty() {
                return Err(Unparsed::IpHeader);
            }
            Ok(Ip {
                src: Address::v6(header.source()),
                dst: Address::v6(header.destination()),
                protocol: payload.ip_number.0,
                payload: payload.payload,
                payload_len: announced.saturating_sub(extensions),
                fragment,
            })
        }
        LaxNetSlice::Arp(_) => Err(Unparsed::NotIp),
    }
}

/// What the fragment header of an extension chain says, if there is one.
///
/// Walked here and not by etherparse's iterator: on a chain that the lax reading found cut short, that one goes on
/// unchecked beyond the end of the slice (etherparse 0.21.0; fuzzing found it).
fn ipv6_fragment(first: Option<u8>, chain: &[u8]) -> Fragment {
    let (mut next, mut at) = (first, 0_usize);
    // Each header is at least 8 bytes long, so the walk ends.
    while let (Some(number), Some(rest)) = (next, chain.get(at..)) {
        let units = byte(rest, 1).map(usize::from);
        let length = match number {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => units.map(|units| (units + 1) * 8),
            AUTHENTICATION => units.map(|units| (units + 2) * 4),
            FRAGMENT => {
                let (Some(offset), Some(id)) = (be16(rest, 2), be32(rest, 4)) else { break };
                return Fragment::of(offset >> 3, offset & 1 == 1, id);
            }
            _ => break,
        };
        let Some(length) = length else { break };
        next = byte(rest, 0);
        at = at.saturating_add(length);
    }
    Fragment::Whole
}

fn is_ip(layer: etherparse::err::Layer) -> bool {
    use etherparse::err::Layer;
    !matches!(layer, Layer::VlanHeader | Layer::Ethernet2Header | Layer::MacsecHeader | Layer::MacsecPacket)
}

fn is_cut(stop: &Option<(etherparse::err::packet::SliceError, etherparse::err::Layer)>) -> bool {
    use etherparse::err::Layer;
    stop.as_ref().is_some_and(|(_, layer)| {
        matches!(
            layer,
            Layer::Ipv6ExtHeader
                | Layer::Ipv6HopByHopHeader
                | Layer::Ipv6DestOptionsHeader
                | Layer::Ipv6RouteHeader
                | Layer::Ipv6FragHeader
                | Layer::IpAuthHeader
        )
    })
}

/// How far `inner`, a slice of `outer`, starts behind it.
fn offset_in(outer: &[u8], inner: &[u8]) -> u32 {
    u32::try_from(inner.as_ptr().addr().saturating_sub(outer.as_ptr().addr())).unwrap_or(u32::MAX)
}

/// Reads the transport header; a later fragment has none of its own.
#[inline(always)]
fn transport(frame: &Frame<'_>, ip: &Ip<'_>) -> Result<Read, Unparsed> {
    let mut packet = PacketMeta {
        src: ip.src,
        dst: ip.dst,
        time: frame.time,
        src_port: 0,
        dst_port: 0,
        payload_len: ip.payload_len,
        wire_len: frame.wire_len,
        seq: 0,
        ack: 0,
        window: 0,
        header_len: 0,
        interface: 0,
        protocol: ip.protocol,
        flags: TcpFlags::default(),
    };
    let is_later_fragment = matches!(ip.fragment, Fragment::Later { .. });
    if !is_later_fragment {
        let read = match ip.protocol {
            protocol::TCP => tcp(&mut packet, ip),
            protocol::UDP => udp(&mut packet, ip),
            protocol::SCTP => sctp(&mut packet, ip),
            protocol::ICMP => icmp_message(&mut packet, ip, false),
            protocol::ICMPV6 => icmp_message(&mut packet, ip, true),
            _ => Some(()),
        };
        read.ok_or(Unparsed::TransportHeader)?;
    }
    Ok(Read { packet, fragment: ip.fragment })
}

#[inline(always)]
fn tcp(packet: &mut PacketMeta, ip: &Ip<'_>) -> Option<()> {
    let header: &[u8; 20] = ip.payload.first_chunk()?;
    let length = u16::from(byte(header, 12)? >> 4) * 4;
    if length < 20 || u32::from(length) > ip.payload_len {
        return None;
    }
    packet.src_port = be16(header, 0)?;
    packet.dst_port = be16(header, 2)?;
    packet.seq = be32(header, 4)?;
    packet.ack = be32(header, 8)?;
    packet.flags = TcpFlags(byte(header, 13)?);
    packet.window = be16(header, 14)?;
    packet.header_len = length;
    packet.payload_len = ip.payload_len - u32::from(length);
    Some(())
}

#[inline(always)]
fn udp(packet: &mut PacketMeta, ip: &Ip<'_>) -> Option<()> {
    let header: &[u8; 8] = ip.payload.first_chunk()?;
    packet.src_port = be16(header, 0)?;
    packet.dst_port = be16(header, 2)?;
    packet.header_len = 8;
    let behind = ip.payload_len.checked_sub(8)?;
    // UDP's own length trims padding inside IP (Q11); 0 and nonsense leave the IP length. A first
    // fragment announces the whole datagram, of which it carries what IP says.
    packet.payload_len = match u32::from(be16(header, 4)?) {
        announced @ 8.. => behind.min(announced - 8),
        _ => behind,
    };
    Some(())
}

fn sctp(packet: &mut PacketMeta, ip: &Ip<'_>) -> Option<()> {
    packet.src_port = be16(ip.payload, 0)?;
    packet.dst_port = be16(ip.payload, 2)?;
    packet.header_len = 12;
    packet.payload_len = ip.payload_len.checked_sub(12)?;
    Some(())
}

/// ICMP by its own header, payload counted (Q9): 8 bytes of header, shorter messages have only what they have.
fn icmp_message(packet: &mut PacketMeta, ip: &Ip<'_>, v6: bool) -> Option<()> {
    let (kind, code) = (byte(ip.payload, 0)?, byte(ip.payload, 1)?);
    (packet.src_port, packet.dst_port, _) = icmp::icmp_ports(v6, kind, code);
    let header = ip.payload_len.min(8);
    packet.header_len = u16::try_from(header).ok()?;
    packet.payload_len = ip.payload_len - header;
    Some(())
}

const IPV4: usize = 20;
const IPV6: usize = 40;
/// Lesser values of the Ethernet type field are 802.3 lengths.
const FIRST_ETHERTYPE: u16 = 0x0600;
/// The IPv4 flag that says nothing about fragments that exist.
const DONT_FRAGMENT: u16 = 0x4000;
/// IPv6 extension headers by their protocol numbers (RFC 8200, RFC 4302).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The short way reads a packet only as the long way would.
        #[test]
        fn plain_offsets_equal_etherparse(
            mut data in proptest::collection::vec(any::<u8>(), 20..100),
            v6 in any::<bool>(),
            length in 0u16..120,
            next in prop::sample::select(vec![6u8, 17, 58, 1, 132, 0]),
            beyond in 0u32..40,
        ) {
            let on_wire = u32::try_from(data.len()).unwrap() + beyond;
            let network = if v6 { Network::Ipv6 } else { Network::Ipv4 };
            if v6 {
                data.resize(data.len().max(40), 0);
                data[0] = 0x60;
                data[4..6].copy_from_slice(&length.to_be_bytes());
                data[6] = next;
            } else {
                data[0] = 0x45;
                data[2..4].copy_from_slice(&length.to_be_bytes());
                data[6] &= 0x40;
                data[7] = 0;
                data[9] = next;
            }
            let plain = if v6 { plain_ipv6(&data, on_wire) } else { plain_ipv4(&data, on_wire) };
            if let Some(plain) = plain {
                let long = any_ip(network, &data, on_wire).expect("what is read by offsets is an IP packet");
                prop_assert_eq!(format!("{:?}", plain), format!("{:?}", long));
            }
        }
    }
}
