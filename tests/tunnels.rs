//! Decapsulation from outside: what a tunnel carries is read as if it had come without one, as deep as is asked for, and what cannot be read inside
//! stays with the packet around it.

#[path = "util/daemon.rs"]
mod daemon;
#[path = "util/program.rs"]
mod program;
mod util;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use daemon::Daemon;
use flowshrike::packet::{Dissector, Frame, LinkType, PacketMeta, Reading, Tunnel, Tunnels};
use flowshrike::time::Micros;
use program::{fail, flowshrike, succeed, text};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;
use util::capture_file::{Captured, Pcap};
use util::netns::{End, Namespace};
use util::traffic::{Link, Pace, Traffic};

/// What is put around a frame or a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Around {
    Vxlan {
        port: u16,
    },
    /// Geneve with so many words of options, around Ethernet or around IP.
    Geneve {
        words: u8,
        ethernet: bool,
    },
    Ipip,
    /// GRE with these flags, around Ethernet or around IP.
    Gre {
        flags: u16,
        ethernet: bool,
    },
}

const ALL: [Around; 10] = [
    Around::Vxlan { port: 4789 },
    Around::Vxlan { port: 8472 },
    Around::Geneve { words: 0, ethernet: true },
    Around::Geneve { words: 5, ethernet: true },
    Around::Geneve { words: 1, ethernet: false },
    Around::Ipip,
    Around::Gre { flags: 0, ethernet: false },
    Around::Gre { flags: 0xb000, ethernet: false },
    Around::Gre { flags: 0x2000, ethernet: true },
    Around::Gre { flags: 0, ethernet: true },
];

impl Around {
    const fn tunnel(self) -> Tunnel {
        match self {
            Self::Vxlan { .. } => Tunnel::Vxlan,
            Self::Geneve { .. } => Tunnel::Geneve,
            Self::Ipip => Tunnel::Ipip,
            Self::Gre { .. } => Tunnel::Gre,
        }
    }

    /// An Ethernet frame in it, from one node to another, over IPv4 or IPv6.
    fn frame(self, inner: &[u8], v6: bool) -> Vec<u8> {
        let kind = u16::from_be_bytes([inner[12], inner[13]]);
        let (packet, is_v6) = (&inner[14..], kind == 0x86dd);
        let ethertype = |ethernet| if ethernet { 0x6558_u16 } else { kind }.to_be_bytes();
        let carried = |ethernet| if ethernet { inner } else { packet };
        let udp = |port: u16, header: &[u8], data: &[u8]| {
            let length = u16::try_from(8 + header.len() + data.len()).expect("a datagram");
            [&[0xc0, 0, port.to_be_bytes()[0], port.to_be_bytes()[1]], &length.to_be_bytes()[..], &[0, 0], header, data]
                .concat()
        };
        let (protocol, behind) = match self {
            Self::Vxlan { port } => (17, udp(port, &[0x08, 0, 0, 0, 0, 0, 7, 0], inner)),
            Self::Geneve { words, ethernet } => {
                let kind = ethertype(ethernet);
                let header =
                    [&[words, 0, kind[0], kind[1], 0, 0, 7, 0], &vec![0xee; usize::from(words) * 4][..]].concat();
                (17, udp(6081, &header, carried(ethernet)))
            }
            Self::Ipip => (if is_v6 { 41 } else { 4 }, packet.to_vec()),
            Self::Gre { flags, ethernet } => {
                let words = [0x8000, 0x2000, 0x1000].iter().filter(|bit| flags & **bit != 0).count();
                let header = [&flags.to_be_bytes()[..], &ethertype(ethernet), &vec![0x11; words * 4]].concat();
                (47, [&header, carried(ethernet)].concat())
            }
        };
        ip_frame(protocol, &behind, v6)
    }
}

/// An Ethernet frame of an IP packet between two nodes.
fn ip_frame(protocol: u8, behind: &[u8], v6: bool) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if v6 {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend(u16::try_from(behind.len()).expect("a packet").to_be_bytes());
        frame.extend([protocol, 64]);
        for last in [1, 2] {
            frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
    } else {
        frame.extend([8, 0, 0x45, 0]);
        frame.extend(u16::try_from(20 + behind.len()).expect("a packet").to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 168, 0, 1, 192, 168, 0, 2]);
    }
    frame.extend(behind);
    frame
}

fn dissect(data: &[u8], tunnels: Tunnels) -> Option<PacketMeta> {
    let wire_len = u32::try_from(data.len()).expect("a frame");
    let frame = Frame { time: Micros(7), data, wire_len, link: LinkType::Ethernet };
    Dissector::new(Reading::Standard).through(tunnels).dissect(&frame).ok()
}

/// But for the length of the frame, which a tunnel without Ethernet does not carry.
fn same(packet: Option<PacketMeta>) -> Option<PacketMeta> {
    packet.map(|packet| PacketMeta { wire_len: 0, ..packet })
}

fn every(depth: u8) -> Tunnels {
    Tunnels::new(&Tunnel::ALL, depth)
}

fn pods() -> Traffic {
    let mut t = Traffic::new(17);
    for n in 0..12_u16 {
        let at = f64::from(n) * 0.02;
        let client = format!("10.244.1.{}:{}", n + 2, 40_000 + n);
        t.tcp(client.as_str(), "10.244.2.20:80").at(at).pace(Pace::NODE).request(120).response(9_000).close();
        t.udp(format!("10.244.1.{}:{}", n + 2, 50_000 + n).as_str(), "10.244.2.10:53").at(at).request(40).response(120);
    }
    t.tcp("[fd00::5]:40000", "[fd00::20]:80").segment_size(1_400).at(0.1).request(120).response(4_000).close();
    t.echo("10.244.1.1", "10.244.2.5").at(0.2).times(3);
    t
}

fn write(path: &Path, frames: &[Captured]) {
    fs::write(path, Pcap::default().write(frames)).expect("a file");
}

#[test]
fn flows_inside_of_a_tunnel_have_the_features_that_they_have_outside() {
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let bare = pods().frames(Link::Ethernet);
    write(path("bare.pcap").as_ref(), &bare);
    let expected = succeed(&["extract", &path("bare.pcap")]);
    assert!(expected.lines().count() > 20);
    for around in ALL {
        for v6 in [false, true] {
            let put = |frame: &Captured| {
                let data = around.frame(&frame.data, v6);
                Captured { wire_len: u32::try_from(data.len()).expect("a frame"), data, ..frame.clone() }
            };
            let frames: Vec<_> = bare.iter().map(put).collect();
            write(path("tunnel.pcap").as_ref(), &frames);
            let (file, name) = (path("tunnel.pcap"), around.tunnel().name());
            let got = succeed(&["extract", "--decapsulate", name, &file]);
            assert_eq!(got.lines().count(), expected.lines().count(), "{around:?}");
            assert!(got == expected, "{around:?}, over IPv6: {v6}");
            // Not asked for, or for another tunnel: the flows of the nodes.
            for more in [&[][..], &["--decapsulate", if name == "gre" { "vxlan" } else { "gre" }]] {
                let outer = succeed(&[&["extract"], more, &[&file]].concat());
                assert!(outer.lines().skip(1).all(|row| row.contains(if v6 { "fd00::1" } else { "192.168.0.1" })));
            }
            let summary = path("summary.json");
            succeed(&[
                "replay",
                "--workers",
                "2",
                "--decapsulate",
                "vxlan,geneve,ipip,gre",
                "--summary",
                &summary,
                &file,
            ]);
            let summary: Value = serde_json::from_slice(&fs::read(&summary).expect("a summary")).expect("JSON");
            assert_eq!(summary["packets"]["decapsulated"][name].as_u64(), Some(bare.len() as u64), "{summary}");
        }
    }
}

#[test]
fn tunnels_within_tunnels_are_looked_into_as_deep_as_is_asked_for() {
    let inner = &pods().frames(Link::Ethernet)[0].data;
    let one = Around::Vxlan { port: 4789 }.frame(inner, false);
    let two = Around::Geneve { words: 2, ethernet: true }.frame(&one, true);
    let three = Around::Gre { flags: 0, ethernet: false }.frame(&two, false);
    let innermost = dissect(inner, Tunnels::default());
    for (depth, expected) in [(0, &three), (1, &two), (2, &one), (3, inner), (4, inner)] {
        assert_eq!(same(dissect(&three, every(depth))), same(dissect(expected, Tunnels::default())), "depth {depth}");
    }
    assert_eq!(same(dissect(&three, every(3))), same(innermost));
    // The one in the middle is not wanted: what is in it stays there.
    let some = Tunnels::new(&[Tunnel::Gre, Tunnel::Vxlan], 4);
    assert_eq!(same(dissect(&three, some)), same(dissect(&two, Tunnels::default())));
}

#[test]
fn what_cannot_be_read_inside_stays_with_the_packet_around_it() {
    let inner = &pods().frames(Link::Ethernet)[0].data;
    let arp = [&inner[..12], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &[0; 20][..]].concat();
    let vxlan = Around::Vxlan { port: 4789 };
    let with = |frame: Vec<u8>, at: usize, byte: u8| {
        let mut frame = frame;
        frame[at] = byte;
        frame
    };
    let geneve = Around::Geneve { words: 0, ethernet: true }.frame(inner, false);
    let gre = Around::Gre { flags: 0, ethernet: false }.frame(inner, false);
    for (what, frame) in [
        ("no IP", vxlan.frame(&arp, false)),
        ("no network number", with(vxlan.frame(inner, false), 42, 0)),
        ("a fragment of the outer packet", with(vxlan.frame(inner, false), 20, 0x20)),
        ("options beyond the end", with(geneve.clone(), 42, 0x3f)),
        ("another version of Geneve", with(geneve.clone(), 42, 0x40)),
        ("something else in Geneve", with(geneve, 44, 0x11)),
        ("source routes", with(gre.clone(), 34, 0x40)),
        ("another version of GRE", with(gre, 35, 0x01)),
        ("a broken header inside", with(Around::Ipip.frame(inner, false), 34, 0x41)),
    ] {
        let outer = dissect(&frame, Tunnels::default());
        assert!(outer.is_some() && dissect(&frame, every(4)) == outer, "{what}");
    }
}

proptest! {
    /// However a tunnel's packet is cut or broken, it is read as something: as what is inside, or as what is around it.
    #[test]
    fn nothing_that_lies_in_a_tunnel_is_lost(
        which in 0usize..ALL.len(),
        v6: bool,
        length in 0usize..400,
        at in 0usize..200,
        byte: u8,
    ) {
        let inner = &pods().frames(Link::Ethernet)[2].data;
        let mut frame = ALL[which].frame(inner, v6);
        let last = frame.len() - 1;
        frame[at.min(last)] = byte;
        let cut = &frame[..length.min(frame.len())];
        prop_assert_eq!(dissect(cut, every(4)).is_some(), dissect(cut, Tunnels::default()).is_some());
    }
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let capture = "tests/data/demo-cluster.pcap.gz";
    assert!(
        fail(&["extract", "--decapsulate", "vlan", capture])
            .contains("`vlan` is no tunnel: there are vxlan, geneve, ipip, gre")
    );
    assert!(fail(&["extract", "--profile", "cic", "--decapsulate", "gre", capture]).contains("knows no tunnels"));
    assert!(fail(&["extract", "--decapsulate", "gre", "--decapsulate-depth", "9", capture]).contains("1..=4"));
    let output = flowshrike(&["run", "--decapsulate", "vxlan,mpls"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`mpls` is no tunnel"), "{}", text(&output.stderr));
}

/// Two nodes with a link between them; what is sent over it can be captured on the first.
struct Nodes {
    one: End,
    two: Namespace,
}

impl Nodes {
    fn new() -> Option<Self> {
        let (one, two) = (Namespace::new("one")?, Namespace::new("two")?);
        one.veth("uplink", &two, "uplink");
        for (node, address) in [(&one, "192.168.7.1/24"), (&two, "192.168.7.2/24")] {
            node.ip(&["addr", "add", address, "dev", "uplink"]);
            node.ip(&["link", "set", "uplink", "up"]);
        }
        Some(Self { one: End { namespace: one, interface: "uplink".to_owned() }, two })
    }

    /// Makes a tunnel's devices on both nodes; says why where the kernel has none of the kind.
    fn tunnel(&self, kind: &[&str]) -> Result<(), String> {
        for (node, own, other, inside) in [
            (&self.one.namespace, "192.168.7.1", "192.168.7.2", "10.244.7.1/24"),
            (&self.two, "192.168.7.2", "192.168.7.1", "10.244.7.2/24"),
        ] {
            let ends: &[&str] = match kind[0] {
                "geneve" => &["remote", other],
                _ => &["local", own, "remote", other],
            };
            let made = [&["-n", node.name(), "link", "add", "overlay", "type"], kind, ends].concat();
            let output = std::process::Command::new("ip").args(&made).output().expect("ip runs");
            if !output.status.success() {
                return Err(text(&output.stderr).trim().to_owned());
            }
            node.ip(&["addr", "add", inside, "dev", "overlay"]);
            node.ip(&["link", "set", "overlay", "up"]);
        }
        Ok(())
    }
}

#[test]
fn the_kernels_own_tunnels_are_looked_into_and_count_once_beside_their_devices() {
    let mut looked_into = 0;
    for (name, kind) in [
        ("vxlan", &["vxlan", "id", "7", "dstport", "8472"][..]),
        ("geneve", &["geneve", "id", "7"]),
        ("gre", &["gre", "key", "7"]),
        ("ipip", &["ipip"]),
    ] {
        let Some(nodes) = Nodes::new() else { return };
        if let Err(reason) = nodes.tunnel(kind) {
            util::skip::skipped(&format!("this kernel has no {name}: {reason}"));
            continue;
        }
        looked_into += 1;
        for (interfaces, workers, places) in [("uplink", "2", 1), ("uplink,overlay", "1", 2)] {
            let folder = TempDir::new().expect("a folder");
            let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
            let mut command = nodes.one.command(env!("CARGO_BIN_EXE_flowshrike"));
            command.args(["run", "--interface", interfaces, "--listen", "127.0.0.1:0", "--decapsulate", name]);
            command.args(["--workers", workers, "--flows", &path("flows.jsonl")]);
            let mut daemon = Daemon::spawn(&nodes.one, command);
            let receiver = nodes.two.enter(|| UdpSocket::bind("10.244.7.2:9999").expect("an address"));
            receiver.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
            let mut buffer = [0; 100];
            nodes.one.enter(|| {
                let sender = UdpSocket::bind("10.244.7.1:4000").expect("an address");
                for _ in 0..200 {
                    sender.send_to(b"the same again", "10.244.7.2:9999").expect("a datagram");
                    receiver.recv(&mut buffer).expect("it comes");
                }
            });
            daemon.until("all have been seen", |daemon| {
                let metric = |name: &str| daemon.metric(&nodes.one, name);
                metric(&format!("flowshrike_packets_decapsulated_total{{tunnel=\"{name}\"}}")) >= 200.0
                    && metric("flowshrike_packets_copies_total") >= f64::from((places - 1) * 200)
            });
            assert!(daemon.stop("TERM").status.success());
            let flows = fs::read_to_string(path("flows.jsonl")).expect("flows");
            let flows = flows.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            let of_pods: Vec<_> = flows.filter(|flow| flow["dst_port"] == 9999).collect();
            assert_eq!(of_pods.len(), 1, "{name} on {interfaces}: {of_pods:?}");
            assert_eq!(of_pods[0]["total_fwd_packet"].as_u64(), Some(200), "{name} on {interfaces}");
        }
    }
    if looked_into == 0 {
        util::skip::skipped("this kernel has none of the tunnels");
    }
}
