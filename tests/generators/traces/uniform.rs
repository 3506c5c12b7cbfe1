//! Traces of one kind of flow each, for the limits: cache misses, a flood, memory.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::writer::Writer;
use super::{Totals, scaled};
use crate::util::random::Random;
use crate::util::traffic::{Options, Packet, START, Segment, Side};

/// Short conversations of ten packets; the next packet belongs to any of those that are open.
pub(super) fn small<W: Write>(seed: u64, scale: f64, mut writer: Writer<W>) -> io::Result<Totals> {
    let (flows, at_once) = (scaled(400_000, scale), scaled(100_000, scale));
    let mut random = Random::new(seed);
    let mut open: Vec<Exchange> = (0..at_once).map(|n| Exchange::new(n, &mut random)).collect();
    let (mut told, mut time) = (at_once, START);
    while !open.is_empty() {
        let last = i64::try_from(open.len()).expect("a count") - 1;
        let chosen = usize::try_from(random.between(0, last)).expect("an index");
        writer.packet(&open[chosen].next(time))?;
        time += random.between(1, 2);
        if open[chosen].is_over() {
            if told < flows {
                open[chosen] = Exchange::new(told, &mut random);
                told += 1;
            } else {
                open.swap_remove(chosen);
            }
        }
    }
    writer.finish(told.unsigned_abs())
}

/// One SYN from each of many made-up sources to one service, a hundred thousand a second.
pub(super) fn flood<W: Write>(seed: u64, scale: f64, mut writer: Writer<W>) -> io::Result<Totals> {
    let flows = scaled(1_000_000, scale);
    let mut random = Random::new(seed);
    let to = address(SERVICES, 7, 80);
    for n in 0..flows {
        let from = address(OUTSIDE, random.between(0, 1 << 24), port(random.between(1_024, 65_535)));
        let syn = Segment { seq: number(&mut random), options: Options::SegmentSize, ..bare(from, to, "S", 1_024) };
        writer.packet(&Packet::tcp(START + 10 * n, &syn))?;
    }
    writer.finish(flows.unsigned_abs())
}

/// Connections that are opened one after another and then say a word each, in the same order. None pauses for longer than
/// the activity timeout of 5 s: what an idle gap takes is not of every flow.
pub(super) fn live<W: Write>(seed: u64, scale: f64, mut writer: Writer<W>) -> io::Result<Totals> {
    let flows = scaled(1_000_000, scale);
    let gap = 4_500_000 / flows;
    let mut random = Random::new(seed);
    let first = number(&mut random);
    for n in 0..flows {
        let mut exchange = Exchange::with(n, first, first);
        writer.packet(&exchange.next(START + gap * n))?;
        writer.packet(&exchange.next(START + gap * n + gap / 2))?;
    }
    let opened = first.wrapping_add(1);
    for n in 0..flows {
        let mut exchange = Exchange { step: 3, ..Exchange::with(n, opened, opened) };
        writer.packet(&exchange.next(START + gap * (flows + n)))?;
    }
    writer.finish(flows.unsigned_abs())
}

/// A connection of ten packets, each of at most 46 bytes behind the link header: handshake, two short questions with
/// answers, teardown.
#[derive(Clone, Copy)]
struct Exchange {
    ends: [SocketAddr; 2],
    seqs: [u32; 2],
    word: usize,
    step: u8,
}

impl Exchange {
    fn new(n: i64, random: &mut Random) -> Self {
        let (ours, theirs) = (number(random), number(random));
        let word = usize::try_from(random.between(1, 6)).expect("a length");
        Self { word, ..Self::with(n, ours, theirs) }
    }

    /// The `n`th connection: no two of a trace have the same five-tuple.
    fn with(n: i64, ours: u32, theirs: u32) -> Self {
        let client = address(PODS, n % 60_000, port(1_024 + n / 60_000 * 977 + n % 977));
        let server = address(SERVICES, (n * 7_919) % 4_000, 80);
        Self { ends: [client, server], seqs: [ours, theirs], word: 6, step: 0 }
    }

    fn next(&mut self, time: i64) -> Packet {
        let (side, flags, speaks) = STEPS[usize::from(self.step)];
        self.step += 1;
        let (own, peer) = if side == Side::Client { (0, 1) } else { (1, 0) };
        let data = &b"answer"[..if speaks { self.word } else { 0 }];
        let segment = Segment {
            seq: self.seqs[own],
            ack: if flags == "S" { 0 } else { self.seqs[peer] },
            data,
            ..bare(self.ends[own], self.ends[peer], flags, 502)
        };
        let counted = u32::from(flags.contains(['S', 'F'])) + u32::try_from(data.len()).expect("a word");
        self.seqs[own] = self.seqs[own].wrapping_add(counted);
        Packet::tcp(time, &segment)
    }

    fn is_over(&self) -> bool {
        usize::from(self.step) == STEPS.len()
    }
}

/// Who sends, with which flags, and whether a word goes with it.
const STEPS: [(Side, &str, bool); 10] = [
    (Side::Client, "S", false),
    (Side::Server, "SA", false),
    (Side::Client, "A", false),
    (Side::Client, "PA", true),
    (Side::Server, "PA", true),
    (Side::Client, "PA", true),
    (Side::Server, "PA", true),
    (Side::Client, "FA", false),
    (Side::Server, "FA", false),
    (Side::Client, "A", false),
];

fn bare<'a>(from: SocketAddr, to: SocketAddr, flags: &'a str, window: u16) -> Segment<'a> {
    Segment { from, to, flags, seq: 0, ack: 0, window, options: Options::None, data: &[] }
}

fn number(random: &mut Random) -> u32 {
    u32::try_from(random.next() >> 32).expect("32 bits")
}

fn port(number: i64) -> u16 {
    u16::try_from(number).expect("a port")
}

/// The `n`th address from a first one.
fn address(first: u32, n: i64, port: u16) -> SocketAddr {
    let number = first.wrapping_add(u32::try_from(n).expect("at most 2^24 hosts"));
    SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(number)), port)
}

/// 10.128.0.0
const PODS: u32 = 0x0a80_0000;
/// 10.96.0.1
const SERVICES: u32 = 0x0a60_0001;
/// 45.0.0.0: anyone
const OUTSIDE: u32 = 0x2d00_0000;
