//! The standard reading of frames: every link type, both IP versions, snaplens, fragments, and what is no packet.

mod util;

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6RawExtHeader};
use flowshrike::packet::{Dissector, Frame, LinkType, PacketMeta, Reading, Unparsed, protocol};
use flowshrike::time::Micros;
use proptest::prelude::*;
use util::capture_file::Captured;
use util::traffic::{Link, Traffic};

fn read(link: LinkType, data: &[u8]) -> Result<PacketMeta, Unparsed> {
    let wire_len = u32::try_from(data.len()).expect("a frame");
    Dissector::new(Reading::Standard).dissect(&Frame { time: Micros(7), data, wire_len, link })
}

fn packets(frames: &[Captured]) -> Vec<PacketMeta> {
    let mut dissector = Dissector::new(Reading::Standard);
    frames.iter().map(|frame| dissector.dissect(&frame.frame()).expect("a packet")).collect()
}

fn some_traffic() -> Traffic {
    let mut t = Traffic::new(3);
    t.tcp("10.244.1.5:40000", "10.96.0.20:80").at(1.0).request(120).response(4_000).close();
    t.tcp("[fd00::5]:40000", "[fd00::20]:80").at(1.0).request(120).response(4_000).close();
    t.udp("10.244.1.5:50000", "10.96.0.10:53").at(0.5).request(40).response(120);
    t.echo("10.244.1.1", "10.244.1.5").at(2.0).times(2);
    t.echo("fd00::1", "fd00::5").at(2.0).times(2);
    t
}

#[test]
fn every_link_type_carries_the_same_packets() {
    let traffic = some_traffic();
    let plain = packets(&traffic.frames(Link::RawIp));
    let tcp_payload: u32 = plain.iter().filter(|p| p.protocol == protocol::TCP).map(|p| p.payload_len).sum();
    assert_eq!(tcp_payload, 2 * (120 + 4_000));
    assert_eq!(plain.iter().filter(|p| p.protocol == protocol::ICMPV6).count(), 4);
    for link in [Link::Ethernet, Link::Vlan(7), Link::QinQ(7, 8), Link::Null, Link::LinuxSll, Link::LinuxSll2] {
        let theirs = packets(&traffic.frames(link));
        assert_eq!(theirs.len(), plain.len());
        for (theirs, plain) in theirs.iter().zip(&plain) {
            assert_eq!(PacketMeta { wire_len: plain.wire_len, ..*theirs }, *plain, "{link:?}");
        }
    }
}

#[test]
fn a_short_snaplen_loses_nothing() {
    for link in [Link::Ethernet, Link::QinQ(1, 2), Link::LinuxSll2] {
        let frames = some_traffic().frames(link);
        let cut: Vec<Captured> = frames.iter().map(|frame| frame.clone().cut(96)).collect();
        assert!(cut.iter().zip(&frames).any(|(cut, whole)| cut.data.len() < whole.data.len()));
        assert_eq!(packets(&cut), packets(&frames), "{link:?}");
    }
}

#[test]
fn later_fragments_take_their_datagrams_ports_and_are_never_read_as_ports() {
    let fragment = |id: u16, offset: u16, more: bool, payload: &[u8]| {
        let mut header =
            Ipv4Header::new(payload.len() as u16, 64, IpNumber::UDP, [10, 0, 0, 1], [10, 0, 0, 2]).expect("a header");
        header.identification = id;
        header.fragment_offset = IpFragOffset::try_new(offset).expect("an offset");
        header.more_fragments = more;
        header.dont_fragment = false;
        [header.to_bytes().as_slice(), payload].concat()
    };
    let mut first = vec![0x03, 0xe8, 0x00, 0x35, 0x05, 0xd8, 0, 0];
    first.extend([1; 1472]);
    let frames = [
        fragment(9, 185, false, &[2; 24]), // comes before its first fragment: no ports, whatever its bytes look like
        fragment(9, 0, true, &first),
        fragment(9, 185, false, &[2; 24]),
        fragment(8, 185, false, &[2; 24]), // of another datagram
    ];
    let mut dissector = Dissector::new(Reading::Standard);
    let read: Vec<_> = frames
        .iter()
        .map(|data| {
            let frame = Frame { time: Micros(7), data, wire_len: data.len() as u32, link: LinkType::RawIp };
            let p = dissector.dissect(&frame).expect("a packet");
            (p.protocol, p.src_port, p.dst_port, p.header_len, p.payload_len)
        })
        .collect();
    assert_eq!(read, [(17, 0, 0, 0, 24), (17, 1000, 53, 8, 1472), (17, 1000, 53, 0, 24), (17, 0, 0, 0, 24)]);
}

#[test]
fn extension_headers_are_walked_and_not_counted_as_payload() {
    let udp = [0x03, 0xe8, 0x00, 0x35, 0, 12, 0, 0, 1, 2, 3, 4];
    let hop = Ipv6RawExtHeader::new_raw(IpNumber::IPV6_DESTINATION_OPTIONS, &[0; 14]).expect("options").to_bytes();
    let destination = Ipv6RawExtHeader::new_raw(IpNumber::UDP, &[0; 6]).expect("options").to_bytes();
    let packet = ipv6(0, &[hop.as_slice(), destination.as_slice(), &udp].concat());
    let read_whole = read(LinkType::RawIp, &packet).expect("a packet");
    assert_eq!(
        (read_whole.protocol, read_whole.src_port, read_whole.dst_port, read_whole.payload_len),
        (17, 1000, 53, 4)
    );
    let fragment = Ipv6FragmentHeader::new(IpNumber::UDP, IpFragOffset::try_new(3).expect("an offset"), false, 5);
    let later = ipv6(44, &[fragment.to_bytes().as_slice(), &udp].concat());
    let later = read(LinkType::RawIp, &later).expect("a packet");
    assert_eq!((later.protocol, later.src_port, later.payload_len), (17, 0, 12));
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend([0xfd; 16]);
    packet.extend([0xfe; 16]);
    packet.extend(payload);
    packet
}

/// 20 bytes of UDP payload from port 1000 to 53.
fn ipv4_udp() -> Vec<u8> {
    let header = Ipv4Header::new(28, 64, IpNumber::UDP, [10, 0, 0, 1], [10, 0, 0, 2]).expect("a header");
    [header.to_bytes().as_slice(), &[0x03, 0xe8, 0x00, 0x35, 0, 28, 0, 0], &[0; 20]].concat()
}

#[test]
fn lengths_come_from_the_headers_that_state_them() {
    let packet = ipv4_udp();
    let payload = |packet: &[u8]| read(LinkType::RawIp, packet).map(|p| p.payload_len);
    assert_eq!(payload(&packet), Ok(20));
    // Padding behind the IP packet is not payload.
    assert_eq!(payload(&[packet.as_slice(), &[0; 10]].concat()), Ok(20));
    // UDP's length trims inside IP; nonsense there leaves the IP length (quirk Q11).
    for (udp_length, expected) in [(18u16, 10), (0, 20), (7, 20), (9_000, 20)] {
        let mut changed = packet.clone();
        changed[24..26].copy_from_slice(&udp_length.to_be_bytes());
        assert_eq!(payload(&changed), Ok(expected), "UDP length {udp_length}");
    }
    // Total length 0 is segmentation offload: the frame counts (quirk Q10).
    let mut offloaded = packet.clone();
    offloaded[2..4].copy_from_slice(&[0, 0]);
    assert_eq!(payload(&offloaded), Ok(20));
    // A length beyond the frame cannot have been on the wire.
    let mut lying = packet;
    lying[2..4].copy_from_slice(&9_000u16.to_be_bytes());
    assert_eq!(payload(&lying), Ok(20));
}

#[test]
fn llc_snap_is_read_normally() {
    let ip = ipv4_udp();
    let mut frame = vec![2; 12];
    frame.extend((8 + ip.len() as u16).to_be_bytes());
    frame.extend([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    frame.extend(&ip);
    assert_eq!(read(LinkType::Ethernet, &frame).map(|p| (p.src_port, p.payload_len)), Ok((1000, 20)));
}

#[test]
fn what_is_no_packet_is_counted_by_reason() {
    let arp = [&[0xff; 6][..], &[2; 6], &[8, 6], &[0; 28]].concat();
    let cut_ip = [&[2; 12][..], &[8, 0], &[0x45, 0, 0, 40]].concat();
    let cut_tcp = [&[2; 12][..], &[8, 0], &[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0], &[10; 8], &[0; 12]].concat();
    let cut_vlan = [&[2; 12][..], &[0x81, 0, 0]].concat();
    let vlan_arp = [&[2; 12][..], &[0x81, 0, 0, 7, 8, 6], &[0; 28]].concat();
    let stp = [&[2; 12][..], &[0, 38], &[0x42, 0x42, 3], &[0; 35]].concat();
    for (link, data, reason) in [
        (LinkType::Ethernet, arp.as_slice(), Unparsed::NotIp),
        (LinkType::Ethernet, &[1, 2, 3], Unparsed::LinkHeader),
        (LinkType::Ethernet, &cut_ip, Unparsed::IpHeader),
        (LinkType::Ethernet, &cut_tcp, Unparsed::TransportHeader),
        (LinkType::Ethernet, &cut_vlan, Unparsed::LinkHeader),
        (LinkType::Ethernet, &vlan_arp, Unparsed::NotIp),
        (LinkType::Ethernet, &stp, Unparsed::NotIp),
        (LinkType::Other(147), &cut_ip, Unparsed::LinkType),
        (LinkType::RawIp, &[], Unparsed::LinkHeader),
        (LinkType::RawIp, &[0x10], Unparsed::NotIp),
        (LinkType::Null, &[9, 9, 9, 9, 0x45], Unparsed::NotIp),
    ] {
        assert_eq!(read(link, data), Err(reason), "{link:?} {data:02x?}");
    }
}

proptest! {
    /// Whatever the bytes, both readings answer, and alike when asked again.
    #[test]
    fn any_bytes_are_read_or_counted(
        data in proptest::collection::vec(any::<u8>(), 0..120),
        link in prop::sample::select(vec![0u32, 1, 101, 108, 113, 276]),
        head in prop::sample::select(vec![vec![], vec![8u8, 0, 0x45], vec![0x86, 0xdd, 0x60], vec![0x81, 0, 0, 1, 8, 0, 0x46]]),
    ) {
        let mut data = data;
        for (byte, value) in data.iter_mut().skip(12).zip(head) {
            *byte = value;
        }
        let link = LinkType::from_number(link);
        for reading in [Reading::Standard, Reading::Reference] {
            let frame = Frame { time: Micros(1), data: &data, wire_len: 200, link };
            let first = Dissector::new(reading).dissect(&frame);
            prop_assert_eq!(first, Dissector::new(reading).dissect(&frame));
            if let Ok(packet) = first {
                prop_assert!(packet.payload_len <= 200);
            }
        }
    }
}
