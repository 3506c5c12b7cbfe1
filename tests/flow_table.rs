//! The flow table in the standard lifecycle: what ends a flow, what continues one, and what a full table does.

mod util;

use std::net::Ipv4Addr;

use flowshrike::flow::{
    ClockReading, EndReason, FlowEvent, FlowHasher, FlowPolicy, FlowRecord, FlowTable, Lifecycle, PacketClock, Sighting,
};
use flowshrike::packet::{Address, PacketMeta, TcpFlags, protocol};
use flowshrike::time::Micros;
use proptest::prelude::*;

const FIN: u8 = 0x11;
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const T0: i64 = 1_700_000_000;

/// A table with a clock, and what came out of it.
struct Bench {
    policy: FlowPolicy,
    table: FlowTable,
    clock: PacketClock,
    ended: Vec<FlowRecord>,
    early: Vec<FlowRecord>,
}

impl Bench {
    fn new(max_flows: usize) -> Self {
        let policy = FlowPolicy::standard();
        Self {
            table: FlowTable::new(policy.clone(), max_flows, 1),
            clock: PacketClock::new(&policy),
            policy,
            ended: vec![],
            early: vec![],
        }
    }

    fn packet(&mut self, packet: &PacketMeta) -> &mut Self {
        let Self { table, clock, ended, early, .. } = self;
        let mut take = |event: FlowEvent<'_>| match event {
            FlowEvent::Ended(record) => ended.push(record.clone()),
            FlowEvent::Early(record) => early.push(record.clone()),
        };
        let now = match clock.observe(packet.time) {
            ClockReading::At(now) => now,
            ClockReading::SteppedBack { before, now } => {
                table.flush(EndReason::Forced, before, &mut take);
                now
            }
        };
        table.packet(packet, now, &mut take).expect("a timed table is never full");
        self
    }

    fn flush(&mut self) -> &mut Self {
        let now = self.clock.now().unwrap_or_default();
        let Self { table, ended, early, .. } = self;
        table.flush(EndReason::Forced, now, &mut |event| match event {
            FlowEvent::Ended(record) => ended.push(record.clone()),
            FlowEvent::Early(record) => early.push(record.clone()),
        });
        self
    }

    /// (end reason, forward packets, backward packets) of each ended flow, in order.
    fn told(&self) -> Vec<(EndReason, u32, u32)> {
        self.ended.iter().map(|r| (r.end, r.state.forward.packets, r.state.backward.packets)).collect()
    }
}

/// A packet between host 1 (port 1000) and host 2 (port 80), `at` seconds after the start.
fn tcp(at: f64, forward: bool, flags: u8, seq: u32, ack: u32) -> PacketMeta {
    packet(at, if forward { (1, 1000, 2, 80) } else { (2, 80, 1, 1000) }, protocol::TCP, flags, (seq, ack))
}

fn udp(at: f64, forward: bool) -> PacketMeta {
    packet(at, if forward { (1, 1000, 2, 53) } else { (2, 53, 1, 1000) }, protocol::UDP, 0, (0, 0))
}

fn packet(
    at: f64,
    (src, src_port, dst, dst_port): (u32, u16, u32, u16),
    protocol: u8,
    flags: u8,
    (seq, ack): (u32, u32),
) -> PacketMeta {
    let host = |number: u32| Address::from(Ipv4Addr::from_bits(0x0a00_0000 + number));
    PacketMeta {
        src: host(src),
        dst: host(dst),
        time: Micros::from_secs(T0) + Micros((at * 1e6) as i64),
        src_port,
        dst_port,
        payload_len: 0,
        wire_len: 60,
        seq,
        ack,
        window: 100,
        header_len: 20,
        interface: 0,
        protocol,
        flags: TcpFlags(flags),
    }
}

/// Handshake, FIN both ways, last ACK: six packets within half a second from `at`.
fn connection(bench: &mut Bench, at: f64, seq: u32) {
    bench
        .packet(&tcp(at, true, SYN, seq, 0))
        .packet(&tcp(at + 0.1, false, SYN_ACK, 9000, seq + 1))
        .packet(&tcp(at + 0.2, true, ACK, seq + 1, 9001))
        .packet(&tcp(at + 0.3, true, FIN, seq + 1, 9001))
        .packet(&tcp(at + 0.4, false, FIN, 9001, seq + 2))
        .packet(&tcp(at + 0.5, true, ACK, seq + 2, 9002));
}

#[test]
fn a_closed_connection_ends_at_once_and_late_packets_open_nothing() {
    let mut bench = Bench::new(100);
    connection(&mut bench, 0.0, 100);
    assert_eq!(bench.told(), [(EndReason::EndOfFlow, 4, 2)]);
    bench.packet(&tcp(1.0, false, FIN, 9001, 102)).packet(&tcp(2.4, true, ACK, 102, 9002));
    assert_eq!((bench.table.active(), bench.table.counters().late_packets), (0, 2));
    // A SYN opens a connection at once; without one, a flow begins again only when the tombstone has gone.
    connection(&mut bench, 2.5, 70_000_000);
    bench.packet(&tcp(5.5, true, ACK, 102, 9002)).flush();
    assert_eq!(bench.told(), [(EndReason::EndOfFlow, 4, 2), (EndReason::EndOfFlow, 4, 2), (EndReason::Forced, 1, 0)]);
}

#[test]
fn a_reset_ends_a_flow_unless_its_number_is_a_guess() {
    let mut bench = Bench::new(100);
    bench.packet(&tcp(0.0, true, SYN, 100, 0)).packet(&tcp(0.1, false, SYN_ACK, 9000, 101));
    bench.packet(&tcp(0.2, true, RST, 3_000_000_000, 0));
    assert_eq!((bench.ended.len(), bench.table.active()), (0, 1));
    bench.packet(&tcp(0.3, true, RST, 101, 0));
    assert_eq!(bench.told(), [(EndReason::EndOfFlow, 3, 1)]);
}

#[test]
fn a_refused_connection_is_one_flow_of_two_packets() {
    let mut bench = Bench::new(100);
    bench.packet(&tcp(0.0, true, SYN, 100, 0)).packet(&tcp(0.1, false, RST | ACK, 0, 101));
    assert_eq!(bench.told(), [(EndReason::EndOfFlow, 1, 1)]);
}

#[test]
fn an_answer_seen_first_leaves_the_initiator_to_its_receiver() {
    let mut bench = Bench::new(100);
    bench.packet(&tcp(0.0, false, SYN_ACK, 9000, 101)).packet(&tcp(0.1, true, ACK, 101, 9001)).flush();
    assert_eq!(bench.told(), [(EndReason::Forced, 1, 1)]);
    assert_eq!(bench.ended[0].tuple.src_port, 1000);
}

#[test]
fn silence_ends_a_flow_by_its_own_time_whoever_notices() {
    for other_traffic in [false, true] {
        let mut bench = Bench::new(100);
        bench.packet(&udp(0.0, true)).packet(&udp(1.0, false));
        if other_traffic {
            for second in 2..62 {
                bench.packet(&tcp(f64::from(second), true, ACK, 1, 1));
            }
        }
        bench.packet(&udp(61.000_001, true));
        let record = bench.ended.iter().find(|r| r.tuple.protocol == protocol::UDP).expect("the idle flow");
        assert_eq!((record.end, record.state.packets()), (EndReason::IdleTimeout, 2));
        assert_eq!(record.decided, Micros::from_secs(T0 + 61));
    }
    // Exactly at the timeout the flow goes on.
    let mut bench = Bench::new(100);
    bench.packet(&udp(0.0, true)).packet(&udp(60.0, true)).flush();
    assert_eq!(bench.told(), [(EndReason::Forced, 2, 0)]);
}

#[test]
fn a_long_flow_is_cut_into_parts_that_keep_direction_and_connection_time() {
    let mut bench = Bench::new(100);
    bench.packet(&tcp(0.0, true, SYN, 100, 0)).packet(&tcp(0.5, false, SYN_ACK, 9000, 101));
    for second in (30..=300).step_by(30) {
        // Every part after the first begins with a packet of the responder.
        bench.packet(&tcp(f64::from(second), second % 60 == 0, ACK, 101, 9001));
    }
    bench.flush();
    let parts: Vec<_> = bench.ended.iter().map(|r| (r.end, r.state.part, r.state.packets(), r.is_part())).collect();
    assert_eq!(
        parts,
        [
            (EndReason::ActiveTimeout, 0, 6, true),
            (EndReason::ActiveTimeout, 1, 5, true),
            (EndReason::Forced, 2, 1, true)
        ]
    );
    assert!(bench.ended.iter().all(|r| r.tuple.src_port == 1000));
    let connection: Vec<_> =
        bench.ended.iter().map(|r| (r.state.connection_before + r.state.duration()).as_secs_f64()).collect();
    assert_eq!(connection, [120.0, 270.0, 300.0]);
    let counters = bench.table.counters();
    assert_eq!((counters.created, counters.ended.iter().sum()), (3, 3));
}

#[test]
fn a_connection_that_was_quiet_keeps_its_direction() {
    let mut bench = Bench::new(100);
    bench.packet(&tcp(0.0, true, SYN, 100, 0)).packet(&tcp(0.1, false, SYN_ACK, 9000, 101));
    bench.packet(&tcp(200.0, false, ACK, 9001, 101)).flush();
    assert_eq!(bench.told(), [(EndReason::IdleTimeout, 1, 1), (EndReason::Forced, 0, 1)]);
    assert!(!bench.ended[1].is_part());
}

#[test]
fn a_new_connection_on_the_same_ports_ends_the_old_flow() {
    let mut bench = Bench::new(100);
    bench.packet(&tcp(0.0, true, SYN, 100, 0)).packet(&tcp(0.1, false, SYN_ACK, 9000, 101));
    connection(&mut bench, 5.0, 2_000_000_000);
    assert_eq!(bench.told(), [(EndReason::EndOfFlow, 1, 1), (EndReason::EndOfFlow, 4, 2)]);
}

#[test]
fn an_open_flow_is_told_of_early_once() {
    let mut bench = Bench::new(100);
    for second in 0..30 {
        bench.packet(&udp(f64::from(second), true));
    }
    bench.flush();
    assert_eq!(bench.early.len(), 1);
    assert_eq!((bench.early[0].state.packets(), bench.ended[0].state.packets()), (11, 30));
    assert_eq!(bench.table.counters().early, 1);
}

#[test]
fn disorder_is_clamped_and_counted_and_a_clock_set_back_flushes() {
    let mut bench = Bench::new(100);
    bench.packet(&udp(5.0, true)).packet(&udp(4.0, true)).packet(&udp(6.0, false));
    bench.packet(&udp(-20.0, true)).flush();
    assert_eq!(bench.told(), [(EndReason::Forced, 2, 1), (EndReason::Forced, 1, 0)]);
    let state = &bench.ended[0].state;
    assert_eq!((state.out_of_order, state.gaps.min, state.duration()), (1, 0, Micros::from_secs(1)));
}

#[test]
fn a_full_table_evicts_the_unanswered_before_the_answered() {
    let mut bench = Bench::new(10);
    let open = |host: u32| (100 + host, 1000, 2, 80);
    // Nine answered flows, one half-open one.
    for host in 0..10 {
        let (src, src_port, dst, dst_port) = open(host);
        bench.packet(&packet(f64::from(host), open(host), protocol::TCP, SYN, (1, 0)));
        if host != 4 {
            let back = (dst, dst_port, src, src_port);
            bench.packet(&packet(f64::from(host) + 0.1, back, protocol::TCP, SYN_ACK, (5, 2)));
        }
    }
    bench.packet(&packet(10.0, open(10), protocol::TCP, SYN, (1, 0)));
    assert_eq!(bench.told(), [(EndReason::LackOfResources, 1, 0)]);
    assert_eq!(bench.ended[0].tuple.src, Address::from(Ipv4Addr::new(10, 0, 0, 104)));
    // The newcomer is the only unanswered flow now, and goes first.
    bench.packet(&packet(11.0, open(11), protocol::TCP, SYN, (1, 0)));
    assert_eq!(bench.ended[1].tuple.src, Address::from(Ipv4Addr::new(10, 0, 0, 110)));
    assert_eq!(bench.table.active(), 10);
}

#[test]
fn one_source_cannot_fill_the_table() {
    let mut bench = Bench::new(1_000);
    for source in 0..700 {
        bench.packet(&packet(0.0, (10_000 + source, 1000, 2, 80), protocol::TCP, SYN, (1, 0)));
    }
    for port in 0..5_000 {
        bench.packet(&packet(0.001, (1, 1024 + port, 2, 80), protocol::TCP, SYN, (1, 0)));
    }
    let flooder = Address::from(Ipv4Addr::new(10, 0, 0, 1));
    assert!(bench.ended.iter().all(|r| r.tuple.src == flooder && r.end == EndReason::LackOfResources));
    assert!(bench.table.active() <= 810, "{} flows are live", bench.table.active());
    bench.flush();
    let counters = bench.table.counters();
    assert_eq!(counters.created, 5_700);
    assert_eq!(counters.ended.iter().sum::<u64>(), 5_700, "every packet of the flood is in a flow that was told of");
}

/// Packets of few hosts, so that flows meet, close and are cut.
fn stream() -> impl Strategy<Value = Vec<PacketMeta>> {
    let one = (0u32..6, 0u32..6, 0u16..3, prop::sample::select(vec![6u8, 17]), any::<u8>(), 0u32..50, 0.0f64..4.0);
    proptest::collection::vec(one, 1..300).prop_map(|steps| {
        let mut at = 0.0;
        let step = |(src, dst, port, protocol, flags, seq, gap): (u32, u32, u16, u8, u8, u32, f64)| {
            at += gap * gap * gap;
            let flags = if protocol == 6 { flags & 0x1f } else { 0 };
            packet(at, (src, 1000 + port, dst + 3, 80), protocol, flags, (seq, seq))
        };
        steps.into_iter().map(step).collect()
    })
}

/// One flow in words that can be compared.
type Told = (Micros, Micros, Address, u16, Address, u16, EndReason, u32, u32, u32);

fn told(records: &[FlowRecord]) -> Vec<Told> {
    let mut told: Vec<Told> = records
        .iter()
        .map(|r| {
            let (t, s) = (&r.tuple, &r.state);
            (
                s.start,
                s.last,
                t.src,
                t.src_port,
                t.dst,
                t.dst_port,
                r.end,
                s.forward.packets,
                s.backward.packets,
                s.part,
            )
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_live_flow_takes_at_most_640_bytes() {
    assert!(FlowTable::bytes_per_flow() <= 640, "{}", FlowTable::bytes_per_flow());
}

proptest! {
    /// Rounds overlap waits for memory and change nothing else: packets of a round may begin a flow, end it and begin it
    /// again. Nor does it matter how many packets are handed over at a time.
    #[test]
    fn packets_booked_in_rounds_are_booked_one_after_the_other(
        packets in stream(), sizes in proptest::collection::vec(1usize..80, 1..8), max_flows in 1usize..12,
    ) {
        let mut single = Bench::new(max_flows);
        packets.iter().for_each(|packet| { single.packet(packet); });
        let (mut table, hasher) = (FlowTable::new(single.policy.clone(), max_flows, 1), FlowHasher::with_seed(1));
        let mut clock = PacketClock::new(&single.policy);
        let sighting = |packet: &PacketMeta| {
            let ClockReading::At(clock) = clock.observe(packet.time) else { panic!("the stream's clock goes on") };
            Sighting { packet: *packet, clock, hash: hasher.of(packet) }
        };
        let sightings: Vec<Sighting> = packets.iter().map(sighting).collect();
        let (mut ended, mut early) = (vec![], vec![]);
        let mut take = |event: FlowEvent<'_>| match event {
            FlowEvent::Ended(record) => ended.push(record.clone()),
            FlowEvent::Early(record) => early.push(record.clone()),
        };
        let mut rest = &sightings[..];
        for size in sizes.iter().cycle() {
            let (some, others) = rest.split_at((*size).min(rest.len()));
            table.packets(some, &mut take).expect("a timed table is never full");
            rest = others;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(table.counters(), single.table.counters());
        let now = clock.now().expect("a packet");
        table.flush(EndReason::Forced, now, &mut take);
        single.flush();
        prop_assert_eq!(format!("{:?}", ended), format!("{:?}", single.ended));
        prop_assert_eq!(format!("{:?}", early), format!("{:?}", single.early));
    }

    /// Sharding by key changes nothing, because every decision hangs on the capture's clock.
    #[test]
    fn worker_count_changes_nothing(packets in stream()) {
        let mut whole = Bench::new(100_000);
        let mut shards = [Bench::new(100_000), Bench::new(100_000)];
        let mut clock = PacketClock::new(&whole.policy);
        for packet in &packets {
            whole.packet(packet);
            let _ = clock.observe(packet.time);
            let shard = &mut shards[usize::from((packet.src.bits() ^ packet.dst.bits()) & 1 == 1)];
            shard.clock = clock;
            shard.packet(packet);
        }
        whole.flush();
        for shard in &mut shards {
            let Bench { table, ended, early, .. } = shard;
            table.advance(clock.now().expect("a packet"), &mut |event| match event {
                FlowEvent::Ended(record) => ended.push(record.clone()),
                FlowEvent::Early(record) => early.push(record.clone()),
            });
            shard.clock = clock;
            shard.flush();
        }
        let all: Vec<FlowRecord> = shards.iter().flat_map(|shard| shard.ended.clone()).collect();
        prop_assert_eq!(told(&whole.ended), told(&all));
        let early: Vec<FlowRecord> = shards.iter().flat_map(|shard| shard.early.clone()).collect();
        prop_assert_eq!(told(&whole.early), told(&early));
    }

    /// `created = ended + active`, and each packet is in one flow or late, whatever the bound.
    #[test]
    fn nothing_is_lost_whatever_the_bound(packets in stream(), max_flows in 1usize..20) {
        let mut bench = Bench::new(max_flows);
        for packet in &packets {
            bench.packet(packet);
            let counters = bench.table.counters();
            prop_assert_eq!(counters.created, counters.ended.iter().sum::<u64>() + bench.table.active() as u64);
            prop_assert!(bench.table.active() <= max_flows);
        }
        bench.flush();
        let booked: u64 = bench.ended.iter().map(|record| record.state.packets()).sum();
        prop_assert_eq!(booked + bench.table.counters().late_packets, packets.len() as u64);
    }

    /// A flow is never longer than the timeouts allow.
    #[test]
    fn timeouts_bound_every_flow(packets in stream()) {
        let mut bench = Bench::new(100_000);
        packets.iter().for_each(|packet| { bench.packet(packet); });
        bench.flush();
        let Lifecycle::Timed { idle_timeout, .. } = bench.policy.lifecycle else { unreachable!("standard is timed") };
        for record in &bench.ended {
            prop_assert!(record.state.duration() <= bench.policy.active_timeout);
            prop_assert!(record.state.packets() == 1 || Micros(record.state.gaps.max) <= idle_timeout);
        }
    }
}
