//! Live capture against a real kernel, in network namespaces of the tests' own (root only; skipped elsewhere).

#[path = "util/awkward.rs"]
mod awkward;
mod util;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowshrike::capture::{
    CaptureStats, Kind, LiveCapture, LiveError, LiveSettings, PacketSource, Progress, interfaces, select,
};
use flowshrike::flow::FlowKey;
use flowshrike::packet::{Dissector, LinkType, Reading};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use util::netns::{End, Namespace, RIGHT_ADDRESS, VethPair, until};

#[test]
fn every_packet_sent_is_received_and_delivered_or_dropped() {
    let Some(bed) = VethPair::new("counts") else { return };
    let mut capture = open(&bed.right, |_| {});
    let mut sender = bed.left.sender();
    for number in 0..5_000 {
        sender.send(&udp_frame(number, 100));
    }
    let seen = drain(&mut capture, 5_000);
    let stats = capture.stats();
    assert_eq!(stats.received, 5_000);
    assert_eq!(stats.delivered + stats.dropped_kernel, 5_000);
    assert_eq!(seen.len() as u64, stats.delivered);
    assert_eq!(stats.dropped_kernel, 0, "64 MiB hold them all");
    let numbers: Vec<u32> = seen.iter().map(|frame| frame.number).collect();
    assert_eq!(numbers, (0..5_000).collect::<Vec<_>>(), "in order, each once");
    assert!(seen.iter().all(|frame| frame.link == LinkType::Ethernet));
    assert!(seen.windows(2).all(|pair| pair[0].time <= pair[1].time));
}

#[test]
fn a_small_ring_drops_under_a_burst_and_the_count_says_so() {
    let Some(bed) = VethPair::new("burst") else { return };
    let mut capture = open(&bed.right, |settings| settings.buffer_bytes = 4_096);
    let mut sender = bed.left.sender();
    for number in 0..20_000 {
        sender.send(&udp_frame(number, 200));
    }
    let seen = drain(&mut capture, 20_000);
    let stats = capture.stats();
    assert_eq!(stats.received, 20_000);
    assert!(stats.dropped_kernel > 0, "{stats:?}");
    assert_eq!(stats.delivered, seen.len() as u64);
    assert_eq!(stats.delivered + stats.dropped_kernel, 20_000);
}

#[test]
fn a_quiet_interface_is_idle_and_not_silent() {
    let Some(bed) = VethPair::new("quiet") else { return };
    let mut capture = open(&bed.right, |_| {});
    for _ in 0..30 {
        assert_eq!(capture.read(64, |_| panic!("nobody sends")).unwrap(), Progress::Idle);
    }
    bed.left.sender().send(&udp_frame(1, 10));
    assert_eq!(drain(&mut capture, 1).len(), 1);
    assert_eq!(capture.ring_version(), Some(3), "TPACKET_V3");
}

#[test]
fn no_read_hands_over_more_than_it_was_asked_for() {
    let Some(bed) = VethPair::new("batch") else { return };
    let mut capture = open(&bed.right, |_| {});
    let mut sender = bed.left.sender();
    for number in 0..100 {
        sender.send(&udp_frame(number, 10));
    }
    let mut numbers = Vec::new();
    until("100 frames", || {
        let mut batch = 0;
        capture
            .read(7, |frame| {
                batch += 1;
                numbers.push(number_of(frame.data))
            })
            .unwrap();
        assert!(batch <= 7);
        numbers.len() == 100
    });
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

/// What the members of a group have been shown.
struct Shared {
    /// Every frame of every member.
    frames: Vec<Vec<u8>>,
    /// The members that saw each flow.
    members: BTreeMap<String, BTreeSet<usize>>,
    received: u64,
    dropped: u64,
}

impl Shared {
    /// Reads until that many frames have been delivered or dropped over all members, and nothing more comes.
    fn read(group: &mut [LiveCapture], total: u64) -> Self {
        let mut shared = Self { frames: Vec::new(), members: BTreeMap::new(), received: 0, dropped: 0 };
        let mut dissectors: Vec<_> = group.iter().map(|_| Dissector::new(Reading::Standard)).collect();
        until("all packets are in", || {
            let mut idle = true;
            let mut seen = CaptureStats::default();
            for (member, (capture, dissector)) in group.iter_mut().zip(&mut dissectors).enumerate() {
                let progress = capture.read(256, |frame| {
                    shared.frames.push(frame.data.to_vec());
                    if let Ok(packet) = dissector.dissect(&frame) {
                        let flow = format!("{:?}", FlowKey::of(&packet));
                        shared.members.entry(flow).or_default().insert(member);
                    }
                });
                idle &= progress.unwrap() == Progress::Idle;
                let stats = capture.stats();
                seen.delivered += stats.delivered;
                seen.received += stats.received;
                seen.dropped_kernel += stats.dropped_kernel;
            }
            (shared.received, shared.dropped) = (seen.received, seen.dropped_kernel);
            idle && seen.delivered + seen.dropped_kernel >= total
        });
        shared
    }

    /// How many flows each member saw; fails where more than one member saw a flow.
    fn flows_of_members(&self) -> BTreeMap<usize, usize> {
        let mut flows = BTreeMap::new();
        for (flow, members) in &self.members {
            assert_eq!(members.len(), 1, "{flow} was seen by members {members:?}");
            for member in members {
                *flows.entry(*member).or_insert(0) += 1;
            }
        }
        flows
    }
}

fn open_group(end: &End, interface: &str, members: usize) -> Vec<LiveCapture> {
    let settings = LiveSettings { snaplen: 2_048, ..LiveSettings::new(interface) };
    end.enter(|| LiveCapture::open_group(settings, members, 0x0123_4567_89ab_cdef)).unwrap()
}

/// Sends each frame out of one end or the other, so that the two directions of a conversation go opposite ways.
fn converse(bed: &VethPair, frames: &[Vec<u8>]) {
    let (mut left, mut right) = (bed.left.sender(), bed.right.sender());
    for frame in frames {
        let sender = if frame[..6] < frame[6..12] { &mut left } else { &mut right };
        sender.send(frame);
    }
}

#[test]
fn a_group_is_shown_each_frame_once_and_each_flow_at_one_member() {
    let Some(bed) = VethPair::new("group") else { return };
    let mut group = open_group(&bed.right, "right0", 3);
    let mut sent = awkward::frames(12);
    converse(&bed, &sent);
    let mut shared = Shared::read(&mut group, sent.len() as u64);
    assert_eq!((shared.received, shared.dropped), (sent.len() as u64, 0));
    let flows = shared.flows_of_members();
    // Of each pair: TCP, UDP, echo, port unreachable from either side; over IPv4 the last two are one flow, since type
    // and code are both 3.
    assert_eq!(flows.values().sum::<usize>(), 12 * (5 + 4), "{flows:?}");
    assert_eq!(flows.len(), 3, "every member has work: {flows:?}");
    sent.sort();
    shared.frames.sort();
    assert!(shared.frames == sent, "each frame once, unchanged");
}

#[test]
fn a_flow_stays_at_its_member_over_an_interface_that_goes_down_and_up() {
    let Some(bed) = VethPair::new("groupdown") else { return };
    let mut group = open_group(&bed.right, "right0", 3);
    let sent = awkward::frames(8);
    converse(&bed, &sent);
    let before = Shared::read(&mut group, sent.len() as u64);
    bed.right.namespace.ip(&["link", "set", "right0", "down"]);
    for capture in &mut group {
        assert_eq!(capture.read(64, |_| {}).unwrap(), Progress::Idle);
    }
    bed.right.namespace.ip(&["link", "set", "right0", "up"]);
    until("the link has carrier again", || {
        bed.left.enter(interfaces).unwrap().iter().any(|interface| interface.name == "left0" && interface.running)
    });
    converse(&bed, &sent);
    let after = Shared::read(&mut group, 2 * sent.len() as u64);
    assert_eq!(after.members, before.members);
}

#[test]
fn a_group_whose_interface_was_deleted_is_opened_again_as_one() {
    let Some(bed) = VethPair::new("groupdel") else { return };
    let mut group = open_group(&bed.right, "right0", 2);
    let sent = awkward::frames(8);
    converse(&bed, &sent);
    Shared::read(&mut group, sent.len() as u64);
    bed.right.namespace.ip(&["link", "delete", "right0"]);
    until("the first member has lost it", || group[0].read(64, |_| {}).is_err());
    bed.left.namespace.veth("left0", &bed.right.namespace, "right0");
    bed.left.namespace.link_up("left0");
    bed.right.namespace.link_up("right0");
    assert!(!bed.right.enter(|| group[0].try_reopen()).unwrap(), "the second member still has the old one");
    until("the second member has lost it", || group[1].read(64, |_| {}).is_err());
    until("it is open again", || bed.right.enter(|| group[1].try_reopen()).unwrap());
    converse(&bed, &sent);
    // The first member takes up its part by reading.
    let shared = Shared::read(&mut group, 2 * sent.len() as u64);
    assert_eq!((shared.received, shared.dropped), (2 * sent.len() as u64, 0));
    assert_eq!(shared.flows_of_members().len(), 2);
    assert_eq!(group.iter_mut().map(|capture| capture.stats().reopens).sum::<u64>(), 1);
}

#[test]
fn a_group_on_loopback_or_any_shows_and_counts_each_packet_once() {
    let Some(bed) = VethPair::new("grouplo") else { return };
    for interface in ["lo", "any"] {
        let mut group = open_group(&bed.right, interface, 2);
        send_udp(&bed.right.namespace, "127.0.0.1", 500);
        let shared = Shared::read(&mut group, 500);
        assert_eq!((shared.received, shared.frames.len()), (500, 500), "{interface}");
        shared.flows_of_members();
    }
}

#[test]
fn an_interface_that_goes_down_and_up_goes_on() {
    let Some(bed) = VethPair::new("updown") else { return };
    let mut capture = open(&bed.right, |_| {});
    bed.left.sender().send(&udp_frame(1, 10));
    drain(&mut capture, 1);
    bed.right.namespace.ip(&["link", "set", "right0", "down"]);
    for _ in 0..5 {
        assert_eq!(capture.read(64, |_| {}).unwrap(), Progress::Idle);
    }
    bed.right.namespace.ip(&["link", "set", "right0", "up"]);
    let mut sender = bed.left.sender();
    let mut number = 2;
    let mut seen = Vec::new();
    until("a frame after the link came back", || {
        sender.send(&udp_frame(number, 10));
        number += 1;
        capture.read(64, |frame| seen.push(number_of(frame.data))).unwrap();
        !seen.is_empty()
    });
    assert!(!capture.is_blind());
    assert_eq!(capture.stats().reopens, 0);
}

#[test]
fn a_deleted_interface_is_reported_and_found_again() {
    let Some(bed) = VethPair::new("deleted") else { return };
    let mut capture = open(&bed.right, |_| {});
    bed.left.sender().send(&udp_frame(1, 10));
    drain(&mut capture, 1);

    bed.right.namespace.ip(&["link", "delete", "right0"]);
    let mut reads = 0;
    let error = loop {
        reads += 1;
        match capture.read(64, |_| panic!("nobody sends")) {
            Ok(_) => assert!(reads < 5, "not at once"),
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, LiveError::Lost { interface, .. } if interface == "right0"), "{error}");
    eprintln!("after {reads} reads: {error}");
    assert!(capture.is_blind());
    assert_eq!(capture.read(64, |_| {}).unwrap(), Progress::Idle, "blind, and waiting");
    assert!(!bed.right.enter(|| capture.try_reopen()).unwrap(), "still gone");

    bed.left.namespace.veth("left0", &bed.right.namespace, "right0");
    assert!(!bed.right.enter(|| capture.try_reopen()).unwrap(), "there, but down");
    for end in [&bed.left, &bed.right] {
        end.namespace.link_up(&end.interface);
    }
    until("the capture sees again", || bed.right.enter(|| capture.try_reopen()).unwrap());
    assert!(!capture.is_blind());
    bed.left.sender().send(&udp_frame(2, 10));
    assert_eq!(drain(&mut capture, 2)[0].number, 2);
    let expected = CaptureStats { received: 2, delivered: 2, reopens: 1, ..CaptureStats::default() };
    assert_eq!(capture.stats(), expected, "counters go on");
}

#[test]
fn an_interface_replaced_under_its_name_between_two_reads_is_noticed() {
    let Some(bed) = VethPair::new("replaced") else { return };
    let mut capture = open(&bed.right, |_| {});
    bed.right.namespace.ip(&["link", "delete", "right0"]);
    bed.left.namespace.veth("left0", &bed.right.namespace, "right0");
    for end in [&bed.left, &bed.right] {
        end.namespace.link_up(&end.interface);
    }
    let mut reads = 0;
    until("the loss is reported", || {
        reads += 1;
        capture.read(64, |_| {}).is_err()
    });
    eprintln!("noticed after {reads} reads");
    assert!(bed.right.enter(|| capture.try_reopen()).unwrap());
    bed.left.sender().send(&udp_frame(3, 10));
    assert_eq!(drain(&mut capture, 1)[0].number, 3);
}

#[test]
fn packets_left_in_the_ring_of_a_deleted_interface_are_counted() {
    let Some(bed) = VethPair::new("leftover") else { return };
    let mut capture = open(&bed.right, |_| {});
    let mut sender = bed.left.sender();
    for number in 0..20_000 {
        sender.send(&udp_frame(number, 200));
    }
    drop(sender);
    bed.right.namespace.ip(&["link", "delete", "right0"]);
    let mut seen = 0;
    while capture.read(64, |_| seen += 1).is_ok() {}
    let stats = capture.stats();
    assert_eq!(stats.received, 20_000);
    assert_eq!(stats.delivered, seen);
    assert_eq!(stats.delivered + stats.dropped_kernel, 20_000);
}

#[test]
fn a_filter_chooses_in_the_kernel() {
    let Some(bed) = VethPair::new("filter") else { return };
    let mut capture = open(&bed.right, |settings| settings.filter = Some("udp dst port 7002".to_owned()));
    let mut sender = bed.left.sender();
    for number in 0..3_000 {
        sender.send(&udp_frame(number % 3, 10));
    }
    let seen = drain(&mut capture, 1_000);
    assert!(seen.iter().all(|frame| frame.number == 2));
    let stats = capture.stats();
    assert_eq!((stats.received, stats.delivered, stats.dropped_kernel), (1_000, 1_000, 0));
}

#[test]
fn counts_balance_from_the_first_packet_of_a_busy_interface() {
    let Some(bed) = VethPair::new("busy") else { return };
    let filters = [None, Some("udp dst port 7002".to_owned())];
    for filter in filters {
        let (stop, sent) = (AtomicBool::new(false), AtomicBool::new(false));
        let mut capture = std::thread::scope(|scope| {
            let traffic = scope.spawn(|| {
                let mut sender = bed.left.sender();
                while !stop.load(Ordering::Relaxed) {
                    (1..=2).for_each(|number| sender.send(&udp_frame(number, 10)));
                    sent.store(true, Ordering::Relaxed);
                }
            });
            until("traffic flows", || sent.load(Ordering::Relaxed));
            let mut capture = open(&bed.right, |settings| settings.filter = filter.clone());
            until("some of it is captured", || {
                capture.read(256, |_| {}).unwrap();
                capture.stats().delivered > 1_000
            });
            stop.store(true, Ordering::Relaxed);
            traffic.join().unwrap();
            capture
        });
        while capture.read(256, |_| {}).unwrap() != Progress::Idle {}
        let stats = capture.stats();
        assert_eq!(stats.received, stats.delivered + stats.dropped_kernel, "{filter:?}: {stats:?}");
    }
}

#[test]
fn counts_of_a_group_balance_from_the_first_packet_of_a_busy_interface() {
    let Some(bed) = VethPair::new("busygroup") else { return };
    let frames = awkward::frames(6);
    let (stop, sent) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut group = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let mut sender = bed.left.sender();
            while !stop.load(Ordering::Relaxed) {
                frames.iter().for_each(|frame| sender.send(frame));
                sent.store(true, Ordering::Relaxed);
            }
        });
        until("traffic flows", || sent.load(Ordering::Relaxed));
        let mut group = open_group(&bed.right, "right0", 3);
        until("every member captures some of it", || {
            group.iter_mut().all(|capture| {
                capture.read(256, |_| {}).unwrap();
                capture.stats().delivered > 100
            })
        });
        stop.store(true, Ordering::Relaxed);
        traffic.join().unwrap();
        group
    });
    for capture in &mut group {
        while capture.read(256, |_| {}).unwrap() != Progress::Idle {}
        let stats = capture.stats();
        assert_eq!(stats.received, stats.delivered + stats.dropped_kernel, "{stats:?}");
    }
}

#[test]
fn a_bad_filter_is_named() {
    let Some(bed) = VethPair::new("badfilter") else { return };
    let settings = LiveSettings { filter: Some("port and and".to_owned()), ..LiveSettings::new("right0") };
    let error = bed.right.enter(|| LiveCapture::open(settings)).err().unwrap();
    assert!(matches!(error, LiveError::Filter { .. }));
    assert!(error.to_string().contains("'port and and'"), "{error}");
    eprintln!("{error}");
}

#[test]
fn a_missing_interface_is_told_with_those_that_exist() {
    let Some(bed) = VethPair::new("missing") else { return };
    let error = bed.right.enter(|| LiveCapture::open(LiveSettings::new("eth9"))).err().unwrap();
    assert_eq!(error.to_string(), "no interface 'eth9'; there are: lo, right0");
    bed.right.namespace.ip(&["link", "set", "right0", "down"]);
    let error = bed.right.enter(|| LiveCapture::open(LiveSettings::new("right0"))).err().unwrap();
    assert!(matches!(error, LiveError::NotUp { .. }), "{error}");
}

#[test]
fn the_snaplen_cuts_the_bytes_and_leaves_the_length() {
    let Some(bed) = VethPair::new("snaplen") else { return };
    let mut capture = open(&bed.right, |settings| settings.snaplen = 64);
    bed.left.sender().send(&udp_frame(1, 1_000));
    let mut lengths = Vec::new();
    until("the frame", || {
        capture.read(64, |frame| lengths.push((frame.data.len(), frame.wire_len))).unwrap();
        !lengths.is_empty()
    });
    assert_eq!(lengths, [(64, 1_042)]);
}

#[test]
fn loopback_shows_and_counts_each_packet_once() {
    let Some(namespace) = Namespace::new("lo") else { return };
    for interface in ["lo", "any"] {
        let mut capture = namespace.enter(|| LiveCapture::open(LiveSettings::new(interface))).unwrap();
        send_udp(&namespace, "127.0.0.1", 500);
        let seen = drain(&mut capture, 500);
        let stats = capture.stats();
        assert_eq!((seen.len(), stats.received, stats.delivered), (500, 500, 500), "{interface}: {stats:?}");
    }
}

#[test]
fn an_interface_that_goes_down_and_is_then_deleted_is_reported() {
    let Some(bed) = VethPair::new("downdel") else { return };
    let mut capture = open(&bed.right, |_| {});
    bed.right.namespace.ip(&["link", "set", "right0", "down"]);
    for _ in 0..3 {
        assert_eq!(capture.read(64, |_| {}).unwrap(), Progress::Idle);
    }
    bed.right.namespace.ip(&["link", "delete", "right0"]);
    until("the loss is reported", || capture.read(64, |_| {}).is_err());
    assert!(capture.is_blind());
}

#[test]
fn a_capture_may_begin_before_its_interface_is_there() {
    let Some(namespace) = Namespace::new("early") else { return };
    let mut capture = LiveCapture::blind(LiveSettings::new("br7")).unwrap();
    assert_eq!(capture.read(64, |_| {}).unwrap(), Progress::Idle);
    assert!(!namespace.enter(|| capture.try_reopen()).unwrap());
    namespace.ip(&["link", "add", "br7", "type", "bridge"]);
    namespace.link_up("br7");
    assert!(namespace.enter(|| capture.try_reopen()).unwrap());
    assert_eq!(capture.link_type(), Some(LinkType::Ethernet));
    assert_eq!(capture.stats().reopens, 0, "it was never lost");
}

#[test]
fn a_quiet_capture_stops_when_told() {
    let Some(bed) = VethPair::new("stop") else { return };
    let mut capture = open(&bed.right, |_| {});
    let stop = AtomicBool::new(false);
    let idle = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                capture.read(64, |_| {}).unwrap();
                idle.store(true, Ordering::Relaxed);
            }
        });
        until("a read has returned", || idle.load(Ordering::Relaxed));
        stop.store(true, Ordering::Relaxed);
        until("the reader ends", || reader.is_finished());
    });
}

#[test]
fn a_raw_ip_link_is_told_as_such() {
    let Some(namespace) = Namespace::new("raw") else { return };
    namespace.ip(&["tuntap", "add", "dev", "tun7", "mode", "tun"]);
    namespace.ip(&["link", "set", "tun7", "up"]);
    let capture = namespace.enter(|| LiveCapture::open(LiveSettings::new("tun7"))).unwrap();
    assert_eq!(capture.link_type(), Some(LinkType::RawIp));
    let all = namespace.enter(interfaces).unwrap();
    let tun = all.iter().find(|interface| interface.name == "tun7").unwrap();
    assert_eq!((tun.link_type(), tun.state()), (LinkType::RawIp, "no-carrier"));
}

#[test]
fn a_capture_needs_cap_net_raw_and_nothing_else() {
    let Some(bed) = VethPair::new("caps") else { return };
    let open_with = |capabilities: CapabilitySet| {
        bed.right.enter(|| {
            let sets = CapabilitySets {
                effective: capabilities,
                permitted: capabilities,
                inheritable: CapabilitySet::empty(),
            };
            set_capabilities(None, sets).unwrap(); // of this thread alone
            let settings = LiveSettings { promiscuous: true, ..LiveSettings::new("right0") };
            LiveCapture::open_group(settings.clone(), 2, 1)?;
            LiveCapture::open(settings).map(|mut capture| capture.stats())
        })
    };
    let error = open_with(CapabilitySet::empty()).unwrap_err();
    assert!(matches!(error, LiveError::Permission { .. }), "{error}");
    assert!(error.to_string().contains("CAP_NET_RAW") && error.to_string().contains("setcap"), "{error}");
    open_with(CapabilitySet::NET_RAW).unwrap();
}

#[test]
fn a_replayed_file_arrives_frame_by_frame() {
    let Some(bed) = VethPair::new("replay") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.pcap");
    let trace = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap();
    let mut file = trace.savefile(&path).unwrap();
    for number in 0..300 {
        let frame = udp_frame(number, 60);
        let length = u32::try_from(frame.len()).unwrap();
        let header = pcap::PacketHeader { ts: libc_time(number), caplen: length, len: length };
        file.write(&pcap::Packet { header: &header, data: &frame });
    }
    drop(file);
    let mut capture = open(&bed.right, |_| {});
    assert_eq!(bed.left.replay_file(&path, 3_000), 300);
    assert_eq!(drain(&mut capture, 300).iter().map(|frame| frame.number).sum::<u32>(), 299 * 300 / 2);
}

#[test]
fn a_conversation_between_the_ends_is_seen_in_both_directions() {
    let Some(bed) = VethPair::new("tcp").map(VethPair::with_addresses) else { return };
    let mut capture = open(&bed.right, |settings| settings.filter = Some("tcp".to_owned()));
    let listener = bed.right.enter(|| TcpListener::bind((RIGHT_ADDRESS, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = String::new();
            stream.read_to_string(&mut question).unwrap();
            stream.write_all(question.to_uppercase().as_bytes()).unwrap();
        });
        let mut stream = bed.left.enter(|| TcpStream::connect(address)).unwrap();
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HELLO");
        server.join().unwrap();
    });
    let mut sources = Vec::new();
    while capture.read(64, |frame| sources.push(frame.data[26..30].to_vec())).unwrap() != Progress::Idle {}
    let from = |address: [u8; 4]| sources.iter().filter(|source| **source == address).count();
    assert!(from([10, 99, 0, 1]) >= 4, "SYN, ACK, data, FIN");
    assert!(from([10, 99, 0, 2]) >= 3, "SYN ACK, data, FIN");
    assert_eq!(from([10, 99, 0, 1]) + from([10, 99, 0, 2]), sources.len());
}

/// A node with two pods on a bridge, as a network plugin of that kind makes it. Filters on UDP: pods also ask by ARP.
#[test]
fn where_a_packet_from_pod_to_pod_is_seen() {
    let Some(node) = Node::new("cni0") else { return };
    const SENT: u64 = 200;
    let mut captures: Vec<_> = [("a-port", false), ("b-port", false), ("any", false), ("cni0", false)]
        .into_iter()
        .map(|(name, promiscuous)| node.open(name, promiscuous))
        .collect();
    node.exchange(SENT);
    let seen: Vec<u64> = captures.iter_mut().map(settled).collect();
    assert_eq!(seen, [SENT, SENT, 2 * SENT, 0], "each port, any, the bridge without promiscuous mode");
    drop(captures);

    let mut captures: Vec<_> =
        [("cni0", true), ("any", false)].into_iter().map(|(name, promiscuous)| node.open(name, promiscuous)).collect();
    node.exchange(SENT);
    let seen: Vec<u64> = captures.iter_mut().map(settled).collect();
    assert_eq!(seen, [SENT, 3 * SENT], "the bridge in promiscuous mode, and any beside it");
}

#[test]
fn auto_sees_each_packet_of_the_pods_once() {
    for (bridge, words) in [("cni0", "network plugin's bridge"), ("br-1234", "bridge with the most containers")] {
        let Some(node) = Node::new(bridge) else { return };
        let all = node.host.enter(interfaces).unwrap();
        let selection = select(&["auto"], &[], &all).unwrap();
        assert!(selection.reason.contains(words), "{}", selection.reason);
        assert_eq!(selection.warnings, []);
        let [chosen] = &selection.interfaces[..] else { panic!("{selection:?}") };
        assert_eq!(chosen.name, bridge);
        let mut capture = node.open(&chosen.name, chosen.promiscuous);
        node.exchange(100);
        assert_eq!(settled(&mut capture), 100);
    }
}

#[test]
fn the_facts_of_a_node_are_read() {
    let Some(node) = Node::new("cni0") else { return };
    node.host.ip(&["route", "add", "default", "via", "10.99.0.1", "metric", "70"]);
    let all = node.host.enter(interfaces).unwrap();
    let find = |name: &str| all.iter().find(|interface| interface.name == name).unwrap();
    let (bridge, port) = (find("cni0"), find("a-port"));
    assert_eq!((&bridge.kind, bridge.state(), bridge.default_route), (&Kind::Bridge, "up", Some(70)));
    assert_eq!(bridge.addresses, ["10.99.0.254/24"]);
    assert_eq!((&port.kind, port.master.as_deref(), port.peer_elsewhere), (&Kind::Veth, Some("cni0"), true));
    assert_eq!(port.lower, None, "the peer's number belongs to the pod's namespace");
}

/// A host namespace with a bridge, and two pods linked to it.
struct Node {
    host: Namespace,
    pods: [Namespace; 2],
}

impl Node {
    fn new(bridge: &str) -> Option<Self> {
        let node = Self { host: Namespace::new("node")?, pods: [Namespace::new("a")?, Namespace::new("b")?] };
        node.host.ip(&["link", "add", bridge, "type", "bridge"]);
        node.host.ip(&["address", "add", "10.99.0.254/24", "dev", bridge]);
        for (pod, (port, address)) in node.pods.iter().zip([("a-port", "10.99.0.1/24"), ("b-port", "10.99.0.2/24")]) {
            node.host.veth(port, pod, "eth0");
            node.host.ip(&["link", "set", port, "master", bridge]);
            pod.link_up("eth0");
            pod.ip(&["link", "set", "eth0", "arp", "on"]);
            pod.ip(&["address", "add", address, "dev", "eth0"]);
            node.host.link_up(port);
        }
        node.host.link_up(bridge);
        node.host.ip(&["link", "set", bridge, "arp", "on"]);
        let all = || node.host.enter(interfaces).unwrap();
        until("the bridge has carrier", || all().iter().any(|i| i.name == bridge && i.running));
        // The first packet asks for the other's hardware address, which the bridge then knows too.
        let receiver = node.pods[1].enter(|| UdpSocket::bind((RIGHT_ADDRESS, 0))).unwrap();
        let sender = node.pods[0].enter(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
        receiver.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        until("the pods reach each other", || {
            sender.send_to(b"?", receiver.local_addr().unwrap()).unwrap();
            receiver.recv(&mut [0]).is_ok()
        });
        Some(node)
    }

    fn open(&self, interface: &str, promiscuous: bool) -> LiveCapture {
        let filter = Some("udp and dst host 10.99.0.2".to_owned());
        let settings = LiveSettings { promiscuous, filter, ..LiveSettings::new(interface) };
        self.host.enter(|| LiveCapture::open(settings)).unwrap()
    }

    /// Sends so many datagrams from one pod to the other and awaits them there.
    fn exchange(&self, count: u64) {
        let receiver = self.pods[1].enter(|| UdpSocket::bind((RIGHT_ADDRESS, 0))).unwrap();
        let to = receiver.local_addr().unwrap();
        let sender = self.pods[0].enter(|| UdpSocket::bind("0.0.0.0:0")).unwrap();
        let mut buffer = [0; 8];
        for number in 0..count {
            sender.send_to(&number.to_be_bytes(), to).unwrap();
            receiver.recv(&mut buffer).unwrap();
        }
    }
}

/// Reads all that has come; the number of packets, which the kernel must have counted too.
fn settled(capture: &mut LiveCapture) -> u64 {
    let mut seen = 0;
    while capture.read(256, |_| seen += 1).unwrap() != Progress::Idle {}
    let stats = capture.stats();
    assert_eq!((stats.received, stats.delivered, stats.dropped_kernel), (seen, seen, 0));
    seen
}

fn libc_time(microseconds: u32) -> libc::timeval {
    libc::timeval { tv_sec: 0, tv_usec: microseconds.into() }
}

fn open(end: &End, change: impl FnOnce(&mut LiveSettings)) -> LiveCapture {
    let mut settings = LiveSettings::new(&end.interface);
    settings.block_timeout = Duration::from_millis(20);
    change(&mut settings);
    end.enter(|| LiveCapture::open(settings)).unwrap()
}

struct Seen {
    number: u32,
    time: flowshrike::time::Micros,
    link: LinkType,
}

/// Reads until that many packets since the opening have been delivered or dropped, and nothing more comes.
fn drain(capture: &mut LiveCapture, total: u64) -> Vec<Seen> {
    let mut seen = Vec::new();
    until("all packets are in", || {
        let progress = capture
            .read(256, |frame| seen.push(Seen { number: number_of(frame.data), time: frame.time, link: frame.link }))
            .unwrap();
        let stats = capture.stats();
        progress == Progress::Idle && stats.waiting() == 0 && stats.delivered + stats.dropped_kernel >= total
    });
    seen
}

fn send_udp(namespace: &Namespace, to: &str, count: u32) {
    namespace.enter(|| {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        // A receiver, so that no "port unreachable" comes back.
        let receiver = UdpSocket::bind((to, 0)).unwrap();
        for number in 0..count {
            socket.send_to(&number.to_be_bytes(), receiver.local_addr().unwrap()).unwrap();
        }
    });
}

/// An Ethernet frame with IPv4 and UDP to port 7000 + the number (at most 999), the number leading the payload.
fn udp_frame(number: u32, payload: u16) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend([0x45, 0]);
    frame.extend((28 + payload).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10, 99, 0, 1, 10, 99, 0, 2]);
    frame.extend(7_100_u16.to_be_bytes());
    frame.extend((7_000 + u16::try_from(number % 1_000).unwrap()).to_be_bytes());
    frame.extend((8 + payload).to_be_bytes());
    frame.extend([0, 0]);
    let mut body = vec![0; usize::from(payload)];
    body[..4].copy_from_slice(&number.to_be_bytes());
    frame.extend(body);
    frame
}

/// The number that [`udp_frame`] put into the payload.
fn number_of(frame: &[u8]) -> u32 {
    frame.get(42..46).map_or(u32::MAX, |bytes| u32::from_be_bytes(bytes.try_into().unwrap()))
}
