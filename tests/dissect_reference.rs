//! The reference's header walk where real captures seldom lead: each case is a sentence of FEATURES.md section 1.

use flowshrike::packet::{Dissector, Frame, LinkType, PacketMeta, Reading};
use flowshrike::time::Micros;

/// Protocol, ports, payload and header bytes; `None` where the frame is no packet to the reference.
type Read = Option<(u8, u16, u16, u32, u16)>;

fn read(link: LinkType, data: &[u8]) -> Read {
    let frame = Frame { time: Micros(1), data, wire_len: data.len() as u32, link };
    let packet: PacketMeta = Dissector::new(Reading::Reference).dissect(&frame).ok()?;
    Some((packet.protocol, packet.src_port, packet.dst_port, packet.payload_len, packet.header_len))
}

fn ethernet(kind: u16, behind: &[u8]) -> Vec<u8> {
    [&[2; 12][..], &kind.to_be_bytes(), behind].concat()
}

/// An IPv4 header and what follows; the total length is that of both unless another is given.
fn ipv4(protocol: u8, total: Option<u16>, behind: &[u8]) -> Vec<u8> {
    let total = total.unwrap_or(20 + behind.len() as u16).to_be_bytes();
    [&[0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], behind].concat()
}

/// A UDP header from port 1000 and its payload.
fn udp(to: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    [&[0x03, 0xe8], &to.to_be_bytes()[..], &length, &[0, 0], payload].concat()
}

/// A TCP header with a declared length and options.
fn tcp(words: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x03, 0xe8, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, words << 4, 0x10, 0x10, 0, 0, 0, 0, 0];
    header.extend_from_slice(options);
    header.extend_from_slice(payload);
    header
}

#[test]
fn each_rule_of_the_walk() {
    const UDP: Read = Some((17, 1000, 53, 6, 8));
    const OTHER: Read = Some((0, 0, 0, 0, 0));
    let plain = ipv4(17, None, &udp(53, &[7; 6]));
    let later_fragment = {
        let mut packet = plain.clone();
        packet[7] = 1;
        packet
    };
    let llc = |length: usize| {
        let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0], plain.as_slice()].concat();
        ethernet(length as u16, &snap)
    };
    let whole = 8 + plain.len();
    let quoted = [&[3, 1, 0, 0, 0, 0, 0, 0], ipv4(17, None, &udp(53, &[])).as_slice()].concat();
    let ppp = [&[0, 2, 0, 0, 0, 0, 0xff, 3, 0, 0x21], ipv4(6, None, &tcp(5, &[], &[9; 3])).as_slice()].concat();
    let ipv6 = |next: u8, behind: &[u8]| [&[0x60, 0, 0, 0, 0, 0, next, 64][..], &[0xfd; 32], behind].concat();
    let cases: Vec<(&str, Vec<u8>, Read)> = vec![
        ("plain", ethernet(0x0800, &plain), UDP),
        ("Ethernet padding is trimmed", ethernet(0x0800, &[plain.as_slice(), &[0; 12]].concat()), UDP),
        (
            "behind a VLAN tag it is not (Q11)",
            ethernet(0x8100, &[&[0, 7, 8, 0], plain.as_slice(), &[0; 12]].concat()),
            Some((17, 1000, 53, 18, 8)),
        ),
        ("two tags", ethernet(0x88a8, &[&[0, 7, 0x91, 0, 0, 8, 8, 0], plain.as_slice()].concat()), UDP),
        ("LLC/SNAP with its length loses what 14 bytes hide (Q12)", llc(whole), OTHER),
        ("with a length that counts the header it loses nothing", llc(whole + 14), UDP),
        ("total length 0 trims everything (Q10)", ethernet(0x0800, &ipv4(17, Some(0), &udp(53, &[7; 6]))), OTHER),
        ("a later fragment has no transport header", ethernet(0x0800, &later_fragment), OTHER),
        ("ICMP echo is protocol 0", ethernet(0x0800, &ipv4(1, None, &[8, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3])), OTHER),
        (
            "an ICMP error is booked as what it quotes (Q9)",
            ethernet(0x0800, &ipv4(1, None, &quoted)),
            Some((17, 1000, 53, 0, 8)),
        ),
        ("SCTP is protocol 0", ethernet(0x0800, &ipv4(132, None, &[0; 40])), OTHER),
        ("GRE is not opened", ethernet(0x0800, &ipv4(47, None, &[0; 40])), OTHER),
        ("IPv4 in IPv4 gives inner ports (Q24)", ethernet(0x0800, &ipv4(4, None, &plain)), UDP),
        ("IPv4 in IPv6 is found", ethernet(0x86dd, &ipv6(4, &plain)), UDP),
        (
            "also behind an extension header",
            ethernet(0x86dd, &ipv6(0, &[&[4, 0, 0, 0, 0, 0, 0, 0], plain.as_slice()].concat())),
            UDP,
        ),
        ("IPv6 alone is no packet", ethernet(0x86dd, &ipv6(17, &udp(53, &[7; 6]))), None),
        (
            "L2TP leads to the TCP inside",
            ethernet(0x0800, &ipv4(17, None, &udp(1701, &ppp))),
            Some((6, 1000, 80, 3, 20)),
        ),
        ("a data offset of 0 is no TCP", ethernet(0x0800, &ipv4(6, None, &tcp(0, &[], &[]))), OTHER),
        ("one that cuts the window off is unreadable", ethernet(0x0800, &ipv4(6, None, &tcp(3, &[], &[]))), None),
        (
            "options inside the header",
            ethernet(0x0800, &ipv4(6, None, &tcp(6, &[2, 4, 5, 0xb4], &[1]))),
            Some((6, 1000, 80, 1, 24)),
        ),
        (
            "options whose length byte lies behind it",
            ethernet(0x0800, &ipv4(6, None, &tcp(6, &[1, 1, 1, 2], &[]))),
            None,
        ),
        ("options that the capture cuts", ethernet(0x0800, &ipv4(6, Some(44), &tcp(6, &[], &[]))), None),
        ("a header shorter than 20 bytes", ethernet(0x0800, &[&[0x44], &plain[1..]].concat()), None),
        ("ARP is no packet (Q8)", ethernet(0x0806, &[0; 46]), None),
    ];
    for (rule, frame, expected) in cases {
        assert_eq!(read(LinkType::Ethernet, &frame), expected, "{rule}");
    }
    assert_eq!(read(LinkType::RawIp, &plain), UDP, "raw IPv4 is read at byte 0");
    assert_eq!(read(LinkType::RawIp, &ipv6(17, &udp(53, &[7; 6]))), None, "raw IPv6 is not");
    assert_eq!(read(LinkType::LinuxSll, &[&[0; 14][..], &[8, 0], &plain].concat()), None, "cooked frames are not");
}
