//! The rules engine against a naive one that shares no code with it.

use std::net::{IpAddr, SocketAddr};

use flowshrike::dataset::rules::{Candidate, Rules, Tally};
use flowshrike::flow::FiveTuple;
use flowshrike::time::Micros;
use proptest::prelude::*;

/// A rule as a person would write it.
#[derive(Clone, Debug, Default)]
struct Written {
    src: Vec<(IpAddr, u8)>,
    dst: Vec<(IpAddr, u8)>,
    any: Vec<(IpAddr, u8)>,
    src_port: Vec<(u16, u16)>,
    dst_port: Vec<(u16, u16)>,
    port: Vec<(u16, u16)>,
    protocol: Vec<u8>,
    forward: bool,
    /// Seconds since the first packet, or since the epoch.
    window: Option<(bool, u32, u32)>,
    capture: Option<&'static str>,
    label: &'static str,
}

#[derive(Clone, Debug)]
struct Flow {
    src: SocketAddr,
    dst: SocketAddr,
    protocol: u8,
    start: i64,
    first: i64,
    capture: &'static str,
}

/// Address bits as text: prefixes are compared letter by letter.
fn bits(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => format!("4{:032b}", v4.to_bits()),
        IpAddr::V6(v6) => format!("6{:0128b}", v6.to_bits()),
    }
}

fn in_blocks(blocks: &[(IpAddr, u8)], ip: IpAddr) -> bool {
    let inside = |(base, prefix): &(IpAddr, u8)| bits(ip).starts_with(&bits(*base)[..=usize::from(*prefix)]);
    blocks.is_empty() || blocks.iter().any(inside)
}

fn in_ranges(ranges: &[(u16, u16)], port: u16) -> bool {
    ranges.is_empty() || ranges.iter().any(|&(first, last)| first <= port && port <= last)
}

/// The reference.
fn holds(rule: &Written, flow: &Flow) -> bool {
    let asks_ports = !rule.src_port.is_empty() || !rule.dst_port.is_empty() || !rule.port.is_empty();
    if asks_ports && ![6, 17, 33, 132, 136].contains(&flow.protocol) {
        return false;
    }
    if !rule.protocol.is_empty() && !rule.protocol.contains(&flow.protocol) {
        return false;
    }
    if rule.capture.is_some_and(|capture| capture != flow.capture) {
        return false;
    }
    if let Some((since_first, from, to)) = rule.window {
        let time = if since_first { flow.start - flow.first } else { flow.start };
        if time < i64::from(from) * 1_000_000 || time >= i64::from(to) * 1_000_000 {
            return false;
        }
    }
    if !in_blocks(&rule.any, flow.src.ip()) && !in_blocks(&rule.any, flow.dst.ip()) {
        return false;
    }
    if !in_ranges(&rule.port, flow.src.port()) && !in_ranges(&rule.port, flow.dst.port()) {
        return false;
    }
    let orientations =
        if rule.forward { vec![(flow.src, flow.dst)] } else { vec![(flow.src, flow.dst), (flow.dst, flow.src)] };
    orientations.into_iter().any(|(src, dst)| {
        in_blocks(&rule.src, src.ip())
            && in_blocks(&rule.dst, dst.ip())
            && in_ranges(&rule.src_port, src.port())
            && in_ranges(&rule.dst_port, dst.port())
    })
}

impl Written {
    fn yaml(&self) -> String {
        let list = |key: &str, items: Vec<String>| match items.as_slice() {
            [] => String::new(),
            [one] => format!("    {key}: '{one}'\n"),
            _ => format!("    {key}: ['{}']\n", items.join("', '")),
        };
        let blocks = |blocks: &[(IpAddr, u8)]| blocks.iter().map(|(base, prefix)| format!("{base}/{prefix}")).collect();
        let ranges = |ranges: &[(u16, u16)]| {
            ranges.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") }).collect()
        };
        let mut text = format!("  - label: {}\n", self.label);
        text += &list("src", blocks(&self.src));
        text += &list("dst", blocks(&self.dst));
        text += &list("any", blocks(&self.any));
        text += &list("src_port", ranges(&self.src_port));
        text += &list("dst_port", ranges(&self.dst_port));
        text += &list("port", ranges(&self.port));
        text += &list("protocol", self.protocol.iter().map(u8::to_string).collect());
        text += &list("capture", self.capture.into_iter().map(str::to_owned).collect());
        if self.forward {
            text += "    direction: forward\n";
        }
        match self.window {
            Some((true, from, to)) => text += &format!("    from: +{from}s\n    to: +{to}s\n"),
            Some((false, from, to)) => {
                let time = |second: u32| format!("1970-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
                text += &format!("    from: {}\n    to: {}\n", time(from), time(to));
            }
            None => {}
        }
        text
    }
}

/// Few addresses and ports, so that rules and flows meet.
fn ip() -> impl Strategy<Value = IpAddr> {
    let v4 = (0_u8..4, 0_u8..4).prop_map(|(a, b)| IpAddr::from([10, 0, a, b]));
    let v6 = (0_u16..3, 0_u16..3).prop_map(|(a, b)| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, a, b]));
    prop_oneof![3 => v4, 1 => v6]
}

fn block() -> impl Strategy<Value = (IpAddr, u8)> {
    (ip(), 0_u8..=12).prop_map(|(ip, host_bits)| match ip {
        IpAddr::V4(_) if host_bits == 12 => (IpAddr::from([0, 0, 0, 0]), 0),
        IpAddr::V4(v4) => (IpAddr::V4((v4.to_bits() >> host_bits << host_bits).into()), 32 - host_bits),
        IpAddr::V6(v6) => (IpAddr::V6((v6.to_bits() >> host_bits << host_bits).into()), 128 - host_bits),
    })
}

fn blocks() -> impl Strategy<Value = Vec<(IpAddr, u8)>> {
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(block(), 1..3)]
}

fn ranges() -> impl Strategy<Value = Vec<(u16, u16)>> {
    let range = (0_u16..6, 0_u16..3).prop_map(|(first, more)| (first, first + more));
    prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(range, 1..3)]
}

const PROTOCOLS: [u8; 5] = [6, 17, 1, 58, 132];

fn written() -> impl Strategy<Value = Written> {
    let window = prop_oneof![
        2 => Just(None),
        1 => (any::<bool>(), 0_u32..100, 1_u32..100).prop_map(|(since, from, more)| Some((since, from, from + more))),
    ];
    let protocol =
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(prop::sample::select(PROTOCOLS.to_vec()), 1..3)];
    let capture = prop_oneof![4 => Just(None), 1 => prop::sample::select(vec![Some("a"), Some("b")])];
    let label = prop::sample::select(vec!["benign", "recon", "dos.syn-flood"]);
    let ends = (blocks(), blocks(), blocks(), ranges(), ranges(), ranges());
    (ends, protocol, any::<bool>(), window, capture, label).prop_map(
        |(ends, protocol, forward, window, capture, label)| {
            let (src, dst, any, src_port, dst_port, port) = ends;
            Written { src, dst, any, src_port, dst_port, port, protocol, forward, window, capture, label }
        },
    )
}

fn flow() -> impl Strategy<Value = Flow> {
    let end = || (ip(), 0_u16..8).prop_map(SocketAddr::from);
    let capture = prop::sample::select(vec!["a", "b"]);
    (end(), end(), prop::sample::select(PROTOCOLS.to_vec()), 0_i64..200_000_000, 0_i64..50_000_000, capture).prop_map(
        |(src, dst, protocol, start, first, capture)| Flow {
            src,
            dst,
            protocol,
            start: first + start / 2,
            first,
            capture,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_engine_matches_as_the_naive_one_does(
        written in prop::collection::vec(written(), 1..6),
        flows in prop::collection::vec(flow(), 1..24),
    ) {
        let text = format!("version: 1\nrules:\n{}", written.iter().map(Written::yaml).collect::<String>());
        let rules = Rules::parse(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let mut tally = Tally::new(&rules);
        let (mut took, mut matched, mut conflicting) = (vec![0; written.len()], vec![0; written.len()], 0);
        for flow in &flows {
            let Flow { src, dst, protocol, start, first, capture } = flow;
            let tuple = FiveTuple {
                src: src.ip().into(),
                dst: dst.ip().into(),
                src_port: src.port(),
                dst_port: dst.port(),
                protocol: *protocol,
            };
            let candidate = Candidate { tuple, start: Micros(*start), first: Micros(*first), capture };
            let expected: Vec<usize> = (0..written.len()).filter(|&at| holds(&written[at], flow)).collect();
            prop_assert_eq!(rules.matching(&candidate).collect::<Vec<_>>(), expected.clone(), "{:?}\n{}", flow, text);
            let taker = tally.take(&rules, &candidate);
            prop_assert_eq!(taker.map(|rule| rule.label()), expected.first().map(|&at| written[at].label));
            if let Some(&first) = expected.first() {
                took[first] += 1;
            }
            expected.iter().for_each(|&at| matched[at] += 1);
            conflicting += u64::from(expected.iter().any(|&at| written[at].label != written[expected[0]].label));
        }
        prop_assert_eq!(tally.counts().iter().map(|counts| counts.took).collect::<Vec<_>>(), took);
        prop_assert_eq!(tally.counts().iter().map(|counts| counts.matched).collect::<Vec<_>>(), matched);
        prop_assert_eq!(tally.conflicting(), conflicting);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\n]{0,200}", rule in "(label|src|port|from|to|any|protocol): [-+0-9a-z:/.\\[\\], ]{0,30}") {
        drop(Rules::parse(&text));
        drop(Rules::parse(&format!("version: 1\nrules:\n  - label: dos\n    {rule}\n")));
    }
}
