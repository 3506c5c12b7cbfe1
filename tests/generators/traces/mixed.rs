//! Ten minutes of a busy node. Everyday traffic of a cluster, whose sizes, gaps and counts are drawn for each
//! conversation, so that few feature vectors are the same; beside it floods and sweeps of small packets.
//!
//! Conversations are told in the order of their beginnings. What lies before the next beginning is final and is written at
//! once, so that only the rest of the open conversations is held.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::draw::{around, skewed, tail};
use super::writer::Writer;
use super::{Totals, scaled, seconds};
use crate::dns;
use crate::util::random::Random;
use crate::util::traffic::{Options, Pace, Segment, Side, Tcp, Traffic};

/// Writes the trace.
pub(super) fn write<W: Write>(seed: u64, scale: f64, mut writer: Writer<W>) -> io::Result<Totals> {
    let mut node = Node { traffic: Traffic::new(seed), random: Random::new(!seed), flows: 0, scale };
    let mut written = 0;
    for (start, tell) in node.plan() {
        if start >= written + WINDOW {
            written = start;
            write_before(&mut node.traffic, start, &mut writer)?;
        }
        tell(&mut node, start);
    }
    // A capture ends when it ends: what would come later is not in it.
    write_before(&mut node.traffic, LENGTH, &mut writer)?;
    writer.finish(node.flows)
}

fn write_before<W: Write>(traffic: &mut Traffic, end: i64, writer: &mut Writer<W>) -> io::Result<()> {
    traffic.take_before(seconds(end)).iter().try_for_each(|packet| writer.packet(packet))
}

/// Tells a conversation that begins so many µs after the capture.
type Tell = fn(&mut Node, i64);

/// How many conversations of each kind there are at scale 1.
const EVERYDAY: [(i64, Tell); 13] = [
    (33_000, Node::lookup),
    (26_000, Node::request),
    (5_500, Node::kept_connection),
    (15_000, Node::encrypted),
    (900, Node::database),
    (5_000, Node::cache),
    (24_000, Node::probe),
    (160, Node::transfer),
    (8_000, Node::datagrams),
    (1_500, Node::ping),
    (2_500, Node::refused),
    (2_000, Node::unanswered),
    (300, Node::watch),
];

/// Bursts of small packets: how many bursts, where the first begins and how far apart they are (s), how many
/// conversations there are in each at scale 1, and the time between these (µs).
const BURSTS: [(i64, i64, i64, i64, i64, Tell); 3] = [
    (8, 40, 70, 8_000, 250, Node::flood_syn),
    (4, 20, 140, 12, 500_000, Node::sweep),
    (4, 100, 110, 100, 30_000, Node::flood_udp),
];

struct Node {
    traffic: Traffic,
    /// Apart from the traffic's own numbers, which decide gaps and sequence numbers.
    random: Random,
    flows: u64,
    scale: f64,
}

impl Node {
    /// All conversations in the order of their beginnings.
    fn plan(&mut self) -> Vec<(i64, Tell)> {
        let mut plan: Vec<(i64, Tell)> = Vec::new();
        for (count, tell) in EVERYDAY {
            let count = scaled(count, self.scale);
            plan.extend((0..count).map(|_| (self.random.between(0, LENGTH - 1), tell)));
        }
        for (bursts, first, apart, count, gap, tell) in BURSTS {
            for burst in 0..bursts {
                let begin = (first + burst * apart) * SECOND;
                plan.extend((0..scaled(count, self.scale)).map(|n| (begin + n * gap, tell)));
            }
        }
        // Stable, so that equal times keep their order.
        plan.sort_by_key(|(start, _)| *start);
        plan
    }

    /// Both address families are asked for, each from a port of its own.
    fn lookup(&mut self, start: i64) {
        let depth = self.random.between(1, 4);
        let labels: Vec<String> = (0..depth).map(|_| self.word()).collect();
        let name = format!("{}.svc.cluster.local", labels.join("."));
        let (client, server) = (self.pod(false), SocketAddr::from(([10, 96, 0, 10], 53)));
        let pace = self.pace(400);
        let found = [10, 96, 3, u8::try_from(self.random.between(1, 254)).expect("8 bits")];
        for (kind, address) in [(dns::A, Some(found)), (dns::AAAA, None)] {
            let id = u16::try_from(self.random.between(0, 65_535)).expect("16 bits");
            let client = SocketAddr::new(client.ip(), self.port());
            self.flows += 1;
            let mut exchange = self.traffic.udp(client, server);
            exchange.at(seconds(start)).pace(pace);
            exchange.ask(&dns::query(id, &name, kind)).answer(&dns::answer(id, &name, address));
        }
    }

    /// One call on a connection of its own.
    fn request(&mut self, start: i64) {
        let (ask, answer) = (self.size(340, 1), self.answer());
        let mut call = self.call(start, 80, 1_500);
        call.request(ask).response(answer);
        if answer.is_multiple_of(3) { call.close() } else { call.close_by(Side::Server) }
    }

    /// A connection that is kept for many calls.
    fn kept_connection(&mut self, start: i64) {
        let calls = tail(&mut self.random, 2, 100, 66);
        let think = around(&mut self.random, 700_000, 3);
        let plan: Vec<_> =
            (0..calls).map(|_| (around(&mut self.random, think, 1), self.size(420, 1), self.answer())).collect();
        let mut call = self.call(start, 8_080, 2_500);
        for (pause, ask, answer) in plan {
            call.request(ask).response(answer).wait(seconds(pause));
        }
        call.close();
    }

    /// A TLS connection: hellos, certificates, then records.
    fn encrypted(&mut self, start: i64) {
        let (hello, certificates) = (self.size(517, 1), self.size(3_400, 1));
        let records = tail(&mut self.random, 1, 40, 55);
        let plan: Vec<_> =
            (0..records).map(|_| (around(&mut self.random, 90_000, 3), self.size(260, 2), self.answer())).collect();
        let mut call = self.call(start, 443, 3_000);
        call.request(hello).response(certificates).request(80).response(51);
        for (pause, ask, answer) in plan {
            call.wait(seconds(pause)).request(ask).response(answer);
        }
        call.request(24).close();
    }

    /// A database session: queries and rows, with pauses, for seconds to minutes.
    fn database(&mut self, start: i64) {
        let queries = tail(&mut self.random, 40, 600, 55);
        let pause = around(&mut self.random, 180_000, 3);
        let plan: Vec<_> =
            (0..queries).map(|_| (around(&mut self.random, pause, 2), self.size(96, 1), self.size(220, 2))).collect();
        let mut session = self.call(start, 5_432, 900);
        session.quick_acks(false).request(42).response(330);
        for (pause, query, rows) in plan {
            session.wait(seconds(pause)).request(query).response(rows);
        }
        session.request(5).close();
    }

    /// A cache is asked a few times in a row.
    fn cache(&mut self, start: i64) {
        let commands = tail(&mut self.random, 3, 120, 60);
        let plan: Vec<_> =
            (0..commands).map(|_| (around(&mut self.random, 4_000, 3), self.size(44, 1), self.size(70, 2))).collect();
        let mut session = self.call(start, 6_379, 160);
        session.quick_acks(false);
        for (pause, command, value) in plan {
            session.request(command).response(value).wait(seconds(pause));
        }
        session.close();
    }

    /// The kubelet asks a pod whether it lives.
    fn probe(&mut self, start: i64) {
        let path = self.size(24, 1).min(90);
        let body = self.size(20, 1);
        let mut call = self.call(start, 8_181, 700);
        call.opening_windows(65_280, 64_704).request(94 + path).response(117 + body).close_by(Side::Server);
    }

    /// A large answer: an image, a backup, a list of everything. Acknowledged every second segment.
    fn transfer(&mut self, start: i64) {
        let mut left = tail(&mut self.random, 64 << 10, 4 << 20, 56);
        let ask = self.size(300, 1);
        let gap = around(&mut self.random, 40, 2);
        let mut call = self.call(start, 443, 5_000);
        call.request(ask).response(320);
        call.pace(Pace { same: (1, gap + 2), turn: (gap, 3 * gap + 10), think: (1, gap + 2) });
        while left > 0 {
            call.response(usize::try_from(left.min(2 * 1_428)).expect("two segments"));
            left -= 2 * 1_428;
        }
        call.close();
    }

    /// Counters that are sent and forgotten, or a gossip that is answered.
    fn datagrams(&mut self, start: i64) {
        let count = tail(&mut self.random, 1, 40, 55);
        let answered = self.random.chance(1, 3);
        let plan: Vec<_> =
            (0..count).map(|_| (around(&mut self.random, 800_000, 3), self.size(110, 2).min(1_400))).collect();
        let (client, server) = self.ends(if answered { 7_946 } else { 8_125 });
        let pace = self.pace(300);
        self.flows += 1;
        let mut exchange = self.traffic.udp(client, server);
        exchange.at(seconds(start)).pace(pace);
        for (pause, bytes) in plan {
            exchange.request(bytes);
            if answered {
                exchange.response(bytes / 2 + 8);
            }
            exchange.wait(seconds(pause));
        }
    }

    fn ping(&mut self, start: i64) {
        let (client, server) = self.ends(0);
        let count = u16::try_from(self.random.between(1, 5)).expect("a few");
        let pace = self.pace(300);
        self.flows += 1;
        let (from, to) = (client.ip().to_string(), server.ip().to_string());
        self.traffic.echo(&from, &to).at(seconds(start)).pace(pace).times(count);
    }

    /// Nothing listens there.
    fn refused(&mut self, start: i64) {
        self.call(start, 9_999, 300).refused();
    }

    /// A SYN that is sent again and again, with the kernel's doubling pauses.
    fn unanswered(&mut self, start: i64) {
        let (from, to) = self.ends(8_443);
        let tries = self.random.between(1, 5);
        let seq = self.number();
        self.flows += 1;
        for n in 0..tries {
            let stamp = u32::try_from(start / 1_000).expect("ten minutes in ms");
            let syn = Segment {
                from,
                to,
                flags: "S",
                seq,
                ack: 0,
                window: 64_240,
                options: Options::Opening(stamp),
                data: &[],
            };
            self.traffic.segment(seconds(start + ((1 << n) - 1) * SECOND), &syn);
        }
    }

    /// A watch that was open before the capture began: small pushes now and then.
    fn watch(&mut self, start: i64) {
        let pushes = self.random.between(5, 60);
        let plan: Vec<_> = (0..pushes).map(|_| (around(&mut self.random, 6 * SECOND, 2), self.size(160, 2))).collect();
        let mut watch = self.call(start, 6_443, 400);
        watch.midstream();
        for (pause, bytes) in plan {
            watch.response(bytes).wait(seconds(pause));
        }
    }

    /// One SYN of a flood from made-up sources.
    fn flood_syn(&mut self, start: i64) {
        let from = u32::try_from(self.random.between(0x2d00_0000, 0x2dff_ffff)).expect("an address");
        let from = SocketAddr::new(Ipv4Addr::from_bits(from).into(), self.port());
        let to = SocketAddr::from(([10, 96, 0, 8], 80));
        let seq = self.number();
        self.flows += 1;
        let syn = Segment { from, to, flags: "S", seq, ack: 0, window: 1_024, options: Options::None, data: &[] };
        self.traffic.segment(seconds(start + self.random.between(0, 200)), &syn);
    }

    /// A pod tries the first thousand ports of another.
    fn sweep(&mut self, start: i64) {
        let (from, to) = (Ipv4Addr::from_bits(0x0af4_ff42).to_string(), self.pod(false).ip().to_string());
        // A thousand; where a small scale leaves one target only, its share of the probes.
        let ports = scaled(12_000, self.scale) / scaled(12, self.scale);
        self.flows += ports.unsigned_abs();
        let last = u16::try_from(ports).expect("a port");
        self.traffic.sweep(&from, &to).at(seconds(start)).every(300, 700).ports(1..=last);
    }

    /// One source of a flood of small datagrams.
    fn flood_udp(&mut self, start: i64) {
        let (from, to) = (self.pod(false), SocketAddr::from(([10, 96, 0, 12], 9_999)));
        self.flows += 1;
        let mut flood = self.traffic.udp(from, to);
        flood.at(seconds(start)).pace(Pace { same: (2_000, 2_900), ..Pace::NODE });
        for _ in 0..750 {
            flood.request(18);
        }
    }

    /// A connection between two hosts of the cluster, at the pace of a program that takes about so many µs to answer.
    fn call(&mut self, start: i64, port: u16, think: i64) -> Tcp<'_> {
        let (client, server) = self.ends(port);
        let pace = self.pace(think);
        // Two thirds cross an overlay network, whose headers take their part.
        let segment = if self.random.chance(2, 3) { 1_398 } else { 1_428 };
        self.flows += 1;
        let mut call = self.traffic.tcp(client, server);
        call.at(seconds(start)).pace(pace).segment_size(segment);
        call
    }

    /// A client and a service; one in eight over IPv6.
    fn ends(&mut self, port: u16) -> (SocketAddr, SocketAddr) {
        let v6 = self.random.chance(1, 8);
        let number = u16::try_from(skewed(&mut self.random, 400)).expect("few services");
        let server = if v6 {
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, number + 20))
        } else {
            let [high, low] = (number + 20).to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(10, 96, high, low))
        };
        (self.pod(v6), SocketAddr::new(server, port))
    }

    /// A pod and a port of its own.
    fn pod(&mut self, v6: bool) -> SocketAddr {
        let number = u16::try_from(self.random.between(1, 6_000)).expect("few pods");
        let [high, low] = number.to_be_bytes();
        let host = if v6 {
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x244, 0, 0, 0, 0, number))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 244, high, low))
        };
        SocketAddr::new(host, self.port())
    }

    /// Gaps of one conversation: how far apart the hosts are, and about how long the program takes.
    fn pace(&mut self, think: i64) -> Pace {
        let (turn, think) = (around(&mut self.random, 150, 3), around(&mut self.random, think, 2));
        let same = self.random.between(1, 9);
        Pace { same: (same, 3 * same), turn: (turn, turn + turn / 2 + 1), think: (think, 2 * think + 1) }
    }

    /// An answer's length: mostly a page, seldom a lot.
    fn answer(&mut self) -> usize {
        if self.random.chance(1, 22) {
            usize::try_from(tail(&mut self.random, 4_000, 300_000, 50)).expect("a length")
        } else {
            self.size(700, 2)
        }
    }

    /// A length about this one, at least one byte.
    fn size(&mut self, median: i64, octaves: i64) -> usize {
        usize::try_from(around(&mut self.random, median, octaves)).expect("a length").max(1)
    }

    fn word(&mut self) -> String {
        let letters = self.random.between(2, 14);
        let letter = |_| char::from(b'a' + u8::try_from(self.random.between(0, 25)).expect("a letter"));
        (0..letters).map(letter).collect()
    }

    fn port(&mut self) -> u16 {
        u16::try_from(self.random.between(32_768, 60_999)).expect("a port")
    }

    fn number(&mut self) -> u32 {
        u32::try_from(self.random.next() >> 32).expect("32 bits")
    }
}

/// µs.
const SECOND: i64 = 1_000_000;
/// The capture's length.
const LENGTH: i64 = 600 * SECOND;
/// How much is told before what is final is written: longer holds more, shorter sorts more often.
const WINDOW: i64 = SECOND;
