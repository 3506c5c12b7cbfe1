//! The made-up traffic itself: other tests stand on it, so its packets must be what their builders say.

mod util;

use std::process::{Command, Stdio};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use util::capture_file::{Captured, Interface, Pcap, PcapNg, Resolution, gzip};
use util::skip::skipped;
use util::traffic::{Link, Pace, Packet, Side, Traffic};

/// Flags, sequence number, acknowledgement, data length, header length of every TCP packet.
fn tcp(packets: &[&Packet]) -> Vec<(String, u32, u32, usize, usize)> {
    packets
        .iter()
        .map(|packet| {
            let sliced = SlicedPacket::from_ip(&packet.bytes).expect("a whole packet");
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("not TCP") };
            let letters = [(tcp.syn(), 'S'), (tcp.fin(), 'F'), (tcp.rst(), 'R'), (tcp.psh(), 'P'), (tcp.ack(), 'A')];
            let flags = letters.into_iter().filter(|(set, _)| *set).map(|(_, letter)| letter).collect();
            let header = usize::from(tcp.data_offset()) * 4;
            (flags, tcp.sequence_number(), tcp.acknowledgment_number(), tcp.payload().len(), header)
        })
        .collect()
}

#[test]
fn a_conversation_has_handshake_data_acknowledgements_and_teardown() {
    let mut t = Traffic::new(1);
    t.tcp("10.0.0.1:40000", "10.0.0.2:80").at(1.0).request(100).response(3_000).close();
    let packets = tcp(&t.packets());
    let shapes: Vec<_> = packets.iter().map(|(flags, _, _, data, header)| (flags.as_str(), *data, *header)).collect();
    assert_eq!(
        shapes,
        [
            ("S", 0, 40),
            ("SA", 0, 40),
            ("A", 0, 32),
            ("PA", 100, 32),
            ("A", 0, 32),
            ("A", 1_448, 32),
            ("A", 1_448, 32),
            ("PA", 104, 32),
            ("A", 0, 32),
            ("FA", 0, 32),
            ("FA", 0, 32),
            ("A", 0, 32),
        ]
    );
    let (client, server) = (packets[0].1, packets[1].1);
    let last = packets.last().expect("the last ACK");
    assert_eq!(
        (last.1.wrapping_sub(client), last.2.wrapping_sub(server)),
        (102, 3_002),
        "SYN, data and FIN are counted"
    );
}

#[test]
fn refusals_resets_and_sweeps_look_like_a_kernels() {
    let mut t = Traffic::new(2);
    t.tcp("10.0.0.1:40000", "10.0.0.2:81").refused();
    t.tcp("10.0.0.1:40001", "10.0.0.2:80").at(1.0).open().reset_by(Side::Client);
    t.sweep("10.0.0.1", "10.0.0.2").at(2.0).open(&[80]).ports([79, 80]);
    t.sweep("10.0.0.1", "10.0.0.3").at(3.0).silent().ports([79]);
    let flags: Vec<_> = tcp(&t.packets()).into_iter().map(|(flags, ..)| flags).collect();
    assert_eq!(flags, ["S", "RA", "S", "SA", "A", "RA", "S", "RA", "S", "SA", "R", "S"]);
}

#[test]
fn same_seed_same_packets_and_times_never_go_back() {
    let talk = |seed| {
        let mut t = Traffic::new(seed);
        t.tcp("[fd00::1]:40000", "[fd00::2]:80").pace(Pace::WIDE).request(10).response(10).close();
        t.udp(("10.0.0.1", 5_000), ("10.0.0.2", 53)).at(0.05).request(30).response(90);
        t.echo("fd00::1", "fd00::2").times(2);
        t.frames(Link::Ethernet)
    };
    assert_eq!(talk(3), talk(3));
    assert_ne!(talk(3), talk(4));
    assert!(talk(3).is_sorted_by_key(|frame| frame.nanos));
}

#[test]
fn every_link_type_leads_to_the_same_packet() {
    let mut t = Traffic::new(5);
    t.udp("10.0.0.1:5000", "10.0.0.2:53").request(300);
    t.raw(1.0, 0x0806, &[0; 28]);
    for link in
        [Link::Ethernet, Link::Vlan(7), Link::QinQ(3, 7), Link::RawIp, Link::Null, Link::LinuxSll, Link::LinuxSll2]
    {
        let frames = t.frames(link);
        let carries_arp = !matches!(link, Link::RawIp | Link::Null);
        assert_eq!(frames.len(), 1 + usize::from(carries_arp), "{link:?}");
        let whole = &frames[0].data;
        assert!(whole.ends_with(&t.packets()[0].bytes), "{link:?}");
        if let Link::Ethernet | Link::Vlan(_) | Link::QinQ(..) = link {
            let sliced = SlicedPacket::from_ethernet(whole).expect("a whole frame");
            assert!(matches!(sliced.net, Some(NetSlice::Ipv4(_))) && sliced.transport.is_some(), "{link:?}");
        }
    }
}

/// tcpdump is another reader of both formats: what it finds in each variant must be the same.
#[test]
fn tcpdump_reads_every_kind_of_file_alike() {
    if Command::new("tcpdump").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return skipped("tcpdump is not installed");
    }
    let mut t = Traffic::new(6);
    t.tcp("10.0.0.1:40000", "10.0.0.2:80").at(0.25).request(100).response(200).close();
    let frames = t.frames(Link::Ethernet);
    let expected = listing(&Pcap::default().write(&frames));
    assert_eq!(expected.lines().count(), frames.len());
    for (nanoseconds, big_endian) in [(true, false), (false, true), (true, true)] {
        let file = Pcap { nanoseconds, big_endian, ..Pcap::default() }.write(&frames);
        assert_eq!(listing(&file), expected, "nanoseconds {nanoseconds}, big-endian {big_endian}");
    }
    for resolution in [Resolution::Unstated, Resolution::Decimal(9), Resolution::Decimal(6)] {
        for (big_endian, offset) in [(false, 0), (true, 0), (false, 3_600)] {
            let file = pcapng(&frames, big_endian, Interface { resolution, offset, ..Interface::of(1) });
            assert_eq!(listing(&file), expected, "{resolution:?}, big-endian {big_endian}, offset {offset}");
        }
    }
    assert_eq!(gzip(&[1, 2, 3])[..4], [0x1f, 0x8b, 8, 0]);
}

fn pcapng(frames: &[Captured], big_endian: bool, interface: Interface) -> Vec<u8> {
    let mut file = PcapNg::new(big_endian);
    file.interface(interface);
    for (number, frame) in frames.iter().enumerate() {
        if number % 2 == 0 {
            file.packet(0, frame)
        } else {
            file.obsolete_packet(0, frame)
        };
    }
    file.bytes()
}

fn listing(file: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("capture");
    std::fs::write(&path, file).expect("the capture can be written");
    let output = Command::new("tcpdump").args(["-n", "-tt", "-e", "-r"]).arg(&path).output().expect("tcpdump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("tcpdump prints text")
}
