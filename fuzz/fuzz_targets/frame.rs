//! Frame bytes of any link type into the dissector, in both readings: whatever comes from the wire, it answers
//! without a panic, and what it calls a packet keeps its promises.

#![no_main]

use flowshrike::packet::{
    Dissector, Fingerprints, Frame, LinkType, MAX_TUNNEL_DEPTH, PacketMeta, Reading, TcpFlags, Tunnel, Tunnels,
    protocol,
};
use flowshrike::time::Micros;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // One byte chooses the link type, one how much longer the frame was on the wire than what was captured.
    let [link, beyond, data @ ..] = input else { return };
    let link = LINKS[usize::from(*link) % LINKS.len()];
    let captured = u32::try_from(data.len()).expect("libFuzzer's inputs are short");
    let frame = Frame { time: Micros(1), data, wire_len: captured + u32::from(*beyond) * 8, link };
    for reading in [Reading::Standard, Reading::Reference] {
        let mut dissector = Dissector::new(reading);
        let first = dissector.dissect(&frame);
        if let Ok(packet) = first {
            check(&packet, &frame, reading);
        }
        // The same frame once more: nothing that a first fragment left behind may break on a repetition.
        if let Ok(packet) = dissector.dissect(&frame) {
            check(&packet, &frame, reading);
        }
        assert_eq!(first, Dissector::new(reading).dissect(&frame), "a fresh dissector reads the same frame alike");
        // Whatever a tunnel seems to carry: a packet inside, or the one around it, but never nothing where there was something.
        let every = Tunnels::new(&Tunnel::ALL, MAX_TUNNEL_DEPTH);
        let through = Dissector::new(reading).through(every).dissect_innermost(&frame);
        assert_eq!(through.is_ok(), first.is_ok());
        if let Ok((packet, innermost)) = through {
            check(&packet, &innermost, reading);
            assert!(innermost.data.len() <= frame.data.len() && innermost.wire_len <= frame.wire_len.max(captured));
            let _ = Fingerprints::new(1).of(&innermost);
        }
    }
});

fn check(packet: &PacketMeta, frame: &Frame<'_>, reading: Reading) {
    assert_eq!(packet.time, frame.time);
    assert_eq!(packet.wire_len, frame.wire_len);
    let is_tcp = packet.protocol == protocol::TCP;
    if !is_tcp {
        assert_eq!((packet.flags, packet.seq, packet.ack, packet.window), (TcpFlags::default(), 0, 0, 0));
    }
    match (packet.protocol, packet.header_len) {
        (protocol::UDP, length) => assert!(length == 8 || length == 0, "{length} bytes of UDP header"),
        (_, length) => assert!(length <= 60, "{length} bytes of transport header"),
    }
    // A length from an IP header is at most 64 KiB (no jumbograms), one from the capture at most the capture.
    let most = match reading {
        Reading::Standard => 65_535,
        Reading::Reference => frame.wire_len,
    };
    assert!(packet.payload_len <= most, "{} bytes of payload in a frame of {}", packet.payload_len, frame.wire_len);
}

const LINKS: [LinkType; 7] = [
    LinkType::Ethernet,
    LinkType::RawIp,
    LinkType::LinuxSll,
    LinkType::LinuxSll2,
    LinkType::Null,
    LinkType::Loop,
    LinkType::Other(147),
];
