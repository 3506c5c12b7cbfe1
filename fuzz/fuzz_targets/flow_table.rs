//! A stream of packets, times, pauses and flushes into the flow table, in both lifecycles, with its laws asserted after every step:
//! nothing is lost and nothing counted twice, bounds and timeouts hold, and two shards tell the same story as one.

#![no_main]

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use flowshrike::flow::{
    ClockReading, EndReason, FiveTuple, FlowEvent, FlowKey, FlowPolicy, FlowRecord, FlowTable, Lifecycle, PacketClock,
};
use flowshrike::packet::{Address, PacketMeta, TcpFlags, protocol};
use flowshrike::time::Micros;
use libfuzzer_sys::fuzz_target;

/// One run: a lifecycle, a bound, and what happens.
#[derive(Arbitrary, Debug)]
struct Story {
    reference: bool,
    bound: Bound,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    One,
    Ten,
    Ample,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Packet(Shape),
    /// The worker lets time pass without a packet.
    Pause(Leap),
    Flush,
}

/// A packet of few hosts, few ports and small sequence numbers, so that flows meet and connections close.
#[derive(Arbitrary, Debug)]
struct Shape {
    source: u8,
    destination: u8,
    ports: u8,
    kind: Kind,
    flags: u8,
    seq: u8,
    ack: u8,
    payload: u8,
    leap: Leap,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Tcp,
    Udp,
    Icmp,
    Other(u8),
}

/// Time since the packet before: around every constant of the table, back and forth.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Leap {
    None,
    Micros(u16),
    Millis(u16),
    TwoSeconds,
    TenSeconds,
    Minute,
    TwoMinutes,
    Hour,
    Age,
    BackMillis(u16),
    BackSeconds(u8),
    BackAge,
}

/// What came out of a table.
#[derive(Default, PartialEq, Eq, Debug)]
struct Ledger {
    packets: u64,
    ended: [u64; EndReason::ALL.len()],
    /// Every event in words, and how often: unlike their order, these may not depend on sharding.
    events: BTreeMap<Told, u64>,
    early: u64,
}

type Told = (bool, FiveTuple, Micros, Micros, u32, [u64; 4], EndReason, Micros);

struct Run {
    policy: FlowPolicy,
    bound: usize,
    table: FlowTable,
    ledger: Ledger,
    fed: u64,
}

fuzz_target!(|story: Story| {
    let policy = if story.reference { FlowPolicy::reference() } else { FlowPolicy::standard() };
    let bound = match story.bound {
        Bound::One => 1,
        Bound::Ten => 10,
        Bound::Ample => 100_000,
    };
    let new = |seed| Run::new(policy.clone(), bound, seed);
    let (mut whole, mut shards) = (new(1), [new(2), new(3)]);
    let (mut time, mut clock) = (Micros::from_secs(1_700_000_000), PacketClock::new(&policy));
    for step in &story.steps {
        match step {
            Step::Packet(shape) => {
                time = shape.leap.from(time);
                let packet = shape.packet(time);
                let now = match clock.observe(time) {
                    ClockReading::At(now) => now,
                    ClockReading::SteppedBack { before, now } => {
                        if policy.is_timed() {
                            whole.flush(before);
                            shards.iter_mut().for_each(|shard| shard.flush(before));
                        }
                        now
                    }
                };
                whole.packet(&packet, now);
                shards[usize::from(shard_of(&packet))].packet(&packet, now);
            }
            // Only one of the runs pauses: what a pause decides, the next packet would have decided alike.
            Step::Pause(leap) => {
                if let Some(now) = clock.now() {
                    time = now.max(leap.from(now));
                    if let ClockReading::At(now) = clock.observe(time) {
                        shards[0].advance(now);
                    }
                }
            }
            Step::Flush => {
                let now = clock.now().unwrap_or(time);
                whole.flush(now);
                shards.iter_mut().for_each(|shard| shard.flush(now));
            }
        }
    }
    let end = clock.now().unwrap_or(time);
    whole.flush(end);
    assert_eq!(
        whole.ledger.packets + whole.table.counters().late_packets,
        whole.fed,
        "each packet is in one flow or late"
    );
    for shard in &mut shards {
        shard.flush(end);
    }
    if story.bound == Bound::Ample {
        let [mut all, other] = shards.map(|shard| shard.ledger);
        all.add(other);
        assert_eq!(whole.ledger, all, "two shards tell another story than one");
    }
});

impl Run {
    fn new(policy: FlowPolicy, bound: usize, seed: u64) -> Self {
        let table = FlowTable::new(policy.clone(), bound, seed);
        Self { policy, bound, table, ledger: Ledger::default(), fed: 0 }
    }

    fn packet(&mut self, packet: &PacketMeta, now: Micros) {
        let Self { policy, table, ledger, .. } = self;
        let mut asked = 0;
        let booked = table.packet(packet, now, &mut |event| {
            asked += 1;
            ledger.take(event, policy);
        });
        match booked {
            Ok(()) => self.fed += 1,
            Err(full) => {
                assert!(!self.policy.is_timed() && asked == 0, "only the reference lifecycle stops, and at once");
                assert_eq!((full.max_flows, self.table.active()), (self.bound, self.bound));
            }
        }
        self.check();
    }

    fn advance(&mut self, now: Micros) {
        let Self { policy, table, ledger, .. } = self;
        table.advance(now, &mut |event| ledger.take(event, policy));
        self.check();
    }

    fn flush(&mut self, now: Micros) {
        self.advance(now);
        let Self { policy, table, ledger, .. } = self;
        table.flush(EndReason::Forced, now, &mut |event| ledger.take(event, policy));
        assert_eq!(self.table.active(), 0, "a flush leaves no flow");
        self.check();
    }

    /// The laws that hold after every call.
    fn check(&self) {
        let counters = self.table.counters();
        let ended: u64 = counters.ended.iter().sum();
        assert_eq!(counters.created, ended + self.table.active() as u64, "created = ended + active");
        assert_eq!((counters.ended, counters.early), (self.ledger.ended, self.ledger.early), "counters are the events");
        assert!(self.table.active() <= self.bound, "the bound holds");
    }
}

impl Ledger {
    fn take(&mut self, event: FlowEvent<'_>, policy: &FlowPolicy) {
        let (is_end, record) = match event {
            FlowEvent::Ended(record) => (true, record),
            FlowEvent::Early(record) => (false, record),
        };
        if is_end {
            self.ended[record.end.index()] += 1;
            self.packets += record.state.packets();
        } else {
            self.early += 1;
        }
        check(record, policy);
        let state = &record.state;
        let sums =
            [state.forward.packets.into(), state.backward.packets.into(), state.forward.bytes, state.backward.bytes];
        let told = (is_end, record.tuple, state.start, state.last, state.part, sums, record.end, record.decided);
        *self.events.entry(told).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.early += other.early;
        self.ended.iter_mut().zip(other.ended).for_each(|(own, other)| *own += other);
        for (told, times) in other.events {
            *self.events.entry(told).or_default() += times;
        }
    }
}

/// The laws of one record.
fn check(record: &FlowRecord, policy: &FlowPolicy) {
    let state = &record.state;
    assert!(state.packets() > 0, "a flow has a packet");
    assert_eq!(record.key(), FlowKey::from(record.stored_as()), "both orientations are of one key");
    for side in [&state.forward, &state.backward] {
        assert!(side.length_min <= side.length_max);
        assert!(side.bytes >= u64::from(side.packets) * u64::from(side.length_min));
        assert!(side.bytes <= u64::from(side.packets) * u64::from(side.length_max));
        assert!(side.data_packets <= side.packets);
    }
    let Lifecycle::Timed { idle_timeout, .. } = policy.lifecycle else { return };
    assert!(state.duration() >= Micros::ZERO, "time does not go back inside a flow");
    assert!(state.duration() <= policy.active_timeout, "the active timeout cuts");
    assert!(state.packets() == 1 || Micros(state.gaps.max) <= idle_timeout, "the idle timeout cuts");
    assert!(record.decided >= state.last, "nothing is decided before the flow's last packet");
}

impl Shape {
    fn packet(&self, time: Micros) -> PacketMeta {
        let host = |number: u8| Address::v4([10, 0, 0, number % 24]);
        let (protocol, is_tcp) = match self.kind {
            Kind::Tcp => (protocol::TCP, true),
            Kind::Udp => (protocol::UDP, false),
            Kind::Icmp => (protocol::ICMP, false),
            Kind::Other(number) => (number, number == protocol::TCP),
        };
        let only_tcp = |value: u8| if is_tcp { u32::from(value) } else { 0 };
        PacketMeta {
            src: host(self.source),
            dst: host(self.destination),
            time,
            src_port: u16::from(self.ports & 7),
            dst_port: u16::from(self.ports >> 4 & 7),
            payload_len: u32::from(self.payload),
            wire_len: u32::from(self.payload) + 54,
            seq: only_tcp(self.seq),
            ack: only_tcp(self.ack),
            window: 0,
            header_len: 20,
            interface: 0,
            protocol,
            flags: if is_tcp { TcpFlags(self.flags) } else { TcpFlags::default() },
        }
    }
}

impl Leap {
    fn from(self, time: Micros) -> Micros {
        let after = match self {
            Self::None => Micros::ZERO,
            Self::Micros(micros) => Micros(micros.into()),
            Self::Millis(millis) => Micros::from_millis(millis.into()),
            Self::TwoSeconds => Micros::from_secs(2),
            Self::TenSeconds => Micros::from_secs(10),
            Self::Minute => Micros::from_secs(60),
            Self::TwoMinutes => Micros::from_secs(120),
            Self::Hour => Micros::from_secs(3_600),
            Self::Age => Micros::LIMIT,
            Self::BackMillis(millis) => Micros::from_millis(-i64::from(millis)),
            Self::BackSeconds(seconds) => Micros::from_secs(-i64::from(seconds)),
            Self::BackAge => Micros(-Micros::LIMIT.0),
        };
        (time + after).clamped()
    }
}

/// Any choice that both directions share will do.
fn shard_of(packet: &PacketMeta) -> bool {
    let key = FlowKey::of(packet);
    let tuple = key.canonical();
    (tuple.src.bits() ^ tuple.dst.bits()) & 1 == 1
}
