//! The flow table: one worker's live flows, bounded, timed by packets.
//!
//! A worker feeds it packets and the capture's clock and takes [`FlowEvent`]s; no lock, no system clock, no
//! allocation a packet. Every deadline is checked exactly when the flow's next packet comes, and by the timer wheel
//! in between, so the events do not depend on how packets were batched or sharded.

use foldhash::fast::FixedState;

use super::index::Index;
use super::key::{FiveTuple, FlowKey};
use super::lists::Lists;
use super::policy::{FlowPolicy, Lifecycle};
use super::quota::SourceQuota;
use super::record::{EndReason, FlowEvent, FlowRecord};
use super::state::FlowState;
use super::tcp::{Effect, ReferenceClosing, Sequences};
use super::tombstone::{Continuation, Kind, Tombstones};
use super::wheel::Wheel;
use crate::packet::{PacketMeta, TcpFlags, protocol};
use crate::time::Micros;

/// The live flows of one worker.
#[derive(Debug)]
pub struct FlowTable {
    policy: FlowPolicy,
    max_flows: usize,
    hash: FixedState,
    index: Index,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    wheel: Wheel,
    /// Who goes first when the table is full: unanswered flows, then the others, each oldest first.
    ranks: Lists,
    quota: SourceQuota,
    tombstones: Tombstones,
    counters: TableCounters,
}

/// What the table has counted since it was made. `created = ended + active` holds after every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    /// Flows begun, each part of a cut flow anew.
    pub created: u64,
    /// Flows ended, by [`EndReason::index`].
    pub ended: [u64; EndReason::ALL.len()],
    /// Early verdicts asked for.
    pub early: u64,
    /// Packets that came after their connection had closed; they belong to no flow.
    pub late_packets: u64,
}

/// The table holds as many flows as it may, and the profile lets none end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {max_flows} flows are live, and in the `cic` profile none ends by time: \
     split the capture, raise --max-flows, or use the `standard` profile"
)]
pub struct TableFull {
    /// The bound that was reached.
    pub max_flows: usize,
}

#[derive(Clone, Debug)]
struct Slot {
    tuple: FiveTuple,
    stored_as: FiveTuple,
    key: FlowKey,
    hash: u32,
    early_done: bool,
    tcp: Tcp,
    state: FlowState,
}

#[derive(Clone, Copy, Debug)]
enum Tcp {
    Reference(ReferenceClosing),
    Sequenced(Sequences),
}

/// What a flow's deadlines demand at a given time.
#[derive(Clone, Copy, Debug)]
enum Due {
    Nothing,
    Early(Micros),
    End(EndReason, Micros),
}

impl FlowTable {
    /// An empty table that holds at most `max_flows` flows; `seed` keys its hash.
    #[must_use]
    pub fn new(policy: FlowPolicy, max_flows: usize, seed: u64) -> Self {
        let max_flows = max_flows.clamp(1, MOST_FLOWS);
        Self {
            policy,
            max_flows,
            hash: FixedState::with_seed(seed),
            index: Index::new(),
            slots: Vec::new(),
            free: Vec::new(),
            wheel: Wheel::new(),
            ranks: Lists::new(RANKS),
            quota: SourceQuota::new(seed.rotate_left(32)),
            tombstones: Tombstones::new(seed, max_flows),
            counters: TableCounters::default(),
        }
    }

    /// Books one packet. `clock` is the capture's clock at this packet ([`super::PacketClock`]).
    ///
    /// # Errors
    /// [`TableFull`] in the reference lifecycle; the packet was not booked.
    pub fn packet(
        &mut self,
        packet: &PacketMeta,
        clock: Micros,
        out: &mut impl FnMut(FlowEvent),
    ) -> Result<(), TableFull> {
        self.advance(clock, out);
        let key = FlowKey::of(packet);
        let hash = low_half(key.hash_with(&self.hash));
        let found = self.index.find(hash, |slot| self.slot(slot).is_some_and(|slot| slot.key == key));
        match (found, &self.policy.lifecycle) {
            (Some(slot), Lifecycle::Reference) => {
                self.reference_packet(slot, packet, clock, out);
                Ok(())
            }
            (None, Lifecycle::Reference) if self.active() >= self.max_flows => {
                Err(TableFull { max_flows: self.max_flows })
            }
            (None, Lifecycle::Reference) => {
                let tuple = FiveTuple::of(packet);
                let tcp = Tcp::Reference(ReferenceClosing::default());
                self.open(Opening { tuple, stored_as: tuple, key, hash, tcp, continues: None }, packet, clock);
                Ok(())
            }
            (Some(slot), Lifecycle::Timed { .. }) => {
                self.timed_packet(slot, packet, clock, out);
                Ok(())
            }
            (None, Lifecycle::Timed { .. }) => {
                self.timed_new(key, hash, packet, clock, out);
                Ok(())
            }
        }
    }

    /// Lets time pass without a packet: ends and early verdicts that are due before `clock`.
    pub fn advance(&mut self, clock: Micros, out: &mut impl FnMut(FlowEvent)) {
        if matches!(self.policy.lifecycle, Lifecycle::Reference) {
            return;
        }
        while let Some(slot) = self.wheel.pop_due(clock) {
            if self.settle(slot, clock, out) {
                self.schedule(slot, clock);
            }
        }
    }

    /// Ends every live flow with `reason`, in the order of (start time, five-tuple), and forgets all tombstones.
    pub fn flush(&mut self, reason: EndReason, clock: Micros, out: &mut impl FnMut(FlowEvent)) {
        let mut live: Vec<u32> = (0..).zip(&self.slots).filter(|(_, s)| s.is_some()).map(|(id, _)| id).collect();
        let order = |id: &u32| self.slot(*id).map(|slot| (slot.state.start, slot.tuple, slot.state.part));
        live.sort_by_cached_key(order);
        for slot in live {
            // The wheel looks a tick late; what was due before the flush must not depend on that.
            let is_live = !self.policy.is_timed() || self.settle(slot, clock, out);
            if is_live {
                self.end(slot, reason, clock, out);
            }
        }
        self.tombstones.clear();
        self.wheel.reset();
    }

    /// Memory that one live flow takes: slot, links of timer and rank, and its share of an index that is half full.
    #[must_use]
    pub const fn bytes_per_flow() -> usize {
        size_of::<Option<Slot>>() + 2 * 12 + 2 * 8 + 4
    }

    /// Live flows.
    #[must_use]
    pub fn active(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &TableCounters {
        &self.counters
    }

    fn slot(&self, id: u32) -> Option<&Slot> {
        self.slots.get(id as usize)?.as_ref()
    }

    fn slot_mut(&mut self, id: u32) -> Option<&mut Slot> {
        self.slots.get_mut(id as usize)?.as_mut()
    }
}

/// The reference lifecycle: FEATURES.md section 2.4, DATASET reading.
impl FlowTable {
    fn reference_packet(&mut self, id: u32, packet: &PacketMeta, clock: Micros, out: &mut impl FnMut(FlowEvent)) {
        let active_timeout = self.policy.active_timeout;
        let Some(slot) = self.slots.get_mut(id as usize).and_then(Option::as_mut) else { return };
        let Tcp::Reference(closing) = &mut slot.tcp else { return };
        let is_syn = packet.flags.has(TcpFlags::SYN);
        let reopened = closing.is_ready() && is_syn;
        let expired = packet.time - slot.state.start > active_timeout;
        if !reopened && !expired {
            let direction = self.policy.direction(packet, &slot.tuple);
            closing.observe(packet.flags, direction);
            slot.state.update(packet, direction, &self.policy);
            return;
        }
        let fresh = (reopened && !packet.flags.has(TcpFlags::ACK)) || packet.protocol != protocol::TCP;
        let reason = if reopened { EndReason::EndOfFlow } else { EndReason::ActiveTimeout };
        // Only TCP has a connection time (section 2.6), and only a continuation inherits it.
        let continues = (!fresh).then(|| slot.continuation(u32::from(!reopened)));
        let tuple = if fresh { FiveTuple::of(packet) } else { slot.tuple };
        let (key, hash, stored_as) = (slot.key, slot.hash, slot.stored_as);
        self.end(id, reason, clock, out);
        let tcp = Tcp::Reference(ReferenceClosing::default());
        self.open(Opening { tuple, stored_as, key, hash, tcp, continues }, packet, clock);
    }
}

/// The timed lifecycle: FEATURES.md section 6.
impl FlowTable {
    fn timed_packet(&mut self, id: u32, packet: &PacketMeta, clock: Micros, out: &mut impl FnMut(FlowEvent)) {
        if !self.settle(id, clock, out) {
            let key = FlowKey::of(packet);
            return self.timed_new(key, low_half(key.hash_with(&self.hash)), packet, clock, out);
        }
        let Some(slot) = self.slots.get_mut(id as usize).and_then(Option::as_mut) else { return };
        let direction = self.policy.direction(packet, &slot.tuple);
        let effect = match &mut slot.tcp {
            Tcp::Sequenced(sequences) if packet.protocol == protocol::TCP => sequences.observe(packet, direction),
            _ => Effect::Open,
        };
        if effect == Effect::Begins {
            let (key, hash) = (slot.key, slot.hash);
            self.end(id, EndReason::EndOfFlow, clock, out);
            return self.timed_new(key, hash, packet, clock, out);
        }
        slot.state.update(packet, direction, &self.policy);
        let answered = slot.is_answered();
        if effect == Effect::Closes {
            let key = slot.key;
            self.end(id, EndReason::EndOfFlow, clock, out);
            self.tombstones.bury(key, Kind::Closed, clock);
        } else if answered && self.ranks.list_of(id) == Some(UNANSWERED) {
            self.ranks.remove(id);
            self.ranks.push_back(ANSWERED, id);
        }
    }

    fn timed_new(
        &mut self,
        key: FlowKey,
        hash: u32,
        packet: &PacketMeta,
        clock: Micros,
        out: &mut impl FnMut(FlowEvent),
    ) {
        let opens = packet.flags.has(TcpFlags::SYN) && !packet.flags.has(TcpFlags::ACK);
        let continues = match self.tombstones.find(&key, clock).map(|tombstone| tombstone.kind) {
            Some(Kind::Closed) if !opens => {
                self.counters.late_packets = self.counters.late_packets.saturating_add(1);
                return;
            }
            Some(Kind::Dormant(continuation)) if !opens => Some(continuation),
            _ => None,
        };
        if continues.is_some() || opens {
            self.tombstones.remove(&key);
        }
        let tuple = match &continues {
            Some(continuation) => continuation.tuple,
            // The answer was seen first: its receiver asked.
            None if packet.flags.has(TcpFlags::SYN) && packet.flags.has(TcpFlags::ACK) => {
                FiveTuple::of(packet).reversed()
            }
            None => FiveTuple::of(packet),
        };
        let over_quota = self.active() >= self.max_flows / 10 * 8
            && self.quota.estimate(tuple.src) as usize >= (self.max_flows / 10).max(1);
        if self.active() >= self.max_flows && !over_quota {
            self.evict(clock, out);
        }
        let sequences = continues.as_ref().map_or_else(Sequences::default, |c| c.sequences);
        let opening = Opening { tuple, stored_as: tuple, key, hash, tcp: Tcp::Sequenced(sequences), continues };
        let Some(id) = self.open(opening, packet, clock) else { return };
        let effect = self.slots.get_mut(id as usize).and_then(Option::as_mut).map(|slot| {
            let direction = slot.state.first.direction;
            match &mut slot.tcp {
                Tcp::Sequenced(sequences) if packet.protocol == protocol::TCP => sequences.observe(packet, direction),
                _ => Effect::Open,
            }
        });
        if over_quota {
            self.end(id, EndReason::LackOfResources, clock, out);
        } else if effect == Some(Effect::Closes) {
            self.end(id, EndReason::EndOfFlow, clock, out);
            self.tombstones.bury(key, Kind::Closed, clock);
        }
    }

    /// Does what the flow's deadlines before `clock` demand; whether the flow is still live.
    fn settle(&mut self, id: u32, clock: Micros, out: &mut impl FnMut(FlowEvent)) -> bool {
        loop {
            let Some(slot) = self.slot(id) else { return false };
            match slot.due(&self.policy, clock) {
                Due::Nothing => return true,
                Due::Early(deadline) => {
                    let record = slot.record(EndReason::Forced, deadline);
                    if let Some(slot) = self.slot_mut(id) {
                        slot.early_done = true;
                    }
                    self.counters.early = self.counters.early.saturating_add(1);
                    out(FlowEvent::Early(record));
                }
                Due::End(reason, deadline) => {
                    let key = slot.key;
                    let is_cut = reason == EndReason::ActiveTimeout;
                    let goes_on = is_cut || (slot.tuple.protocol == protocol::TCP && slot.is_answered());
                    let continuation = slot.continuation(u32::from(is_cut));
                    self.end(id, reason, deadline, out);
                    if goes_on {
                        self.tombstones.bury(key, Kind::Dormant(continuation), deadline);
                    }
                    return false;
                }
            }
        }
    }

    fn schedule(&mut self, id: u32, clock: Micros) {
        if let Some(deadline) = self.slot(id).and_then(|slot| slot.next_deadline(&self.policy)) {
            self.wheel.schedule(id, deadline, clock);
        }
    }

    /// Ends the least valuable flow: the oldest that was never answered, else the oldest of the others that has been
    /// quiet for a while, else the oldest.
    fn evict(&mut self, clock: Micros, out: &mut impl FnMut(FlowEvent)) {
        if let Some(id) = self.ranks.front(UNANSWERED) {
            return self.end(id, EndReason::LackOfResources, clock, out);
        }
        for _ in 0..SECOND_CHANCES {
            let Some(id) = self.ranks.front(ANSWERED) else { return };
            if self.slot(id).is_some_and(|slot| clock - slot.state.last > QUIET) {
                break;
            }
            self.ranks.remove(id);
            self.ranks.push_back(ANSWERED, id);
        }
        if let Some(id) = self.ranks.front(ANSWERED) {
            self.end(id, EndReason::LackOfResources, clock, out);
        }
    }
}

/// What a new flow is made from, beside its first packet.
struct Opening {
    tuple: FiveTuple,
    stored_as: FiveTuple,
    key: FlowKey,
    hash: u32,
    tcp: Tcp,
    continues: Option<Continuation>,
}

impl FlowTable {
    fn open(&mut self, opening: Opening, packet: &PacketMeta, clock: Micros) -> Option<u32> {
        let Opening { tuple, stored_as, key, hash, tcp, continues } = opening;
        let mut state = FlowState::new(packet, self.policy.direction(packet, &tuple), &self.policy);
        if let Some(continuation) = continues {
            state.connection_before = continuation.connection + (state.start - continuation.last);
            state.part = continuation.part;
        }
        let slot = Slot { tuple, stored_as, key, hash, early_done: false, tcp, state };
        let rank = if slot.is_answered() { ANSWERED } else { UNANSWERED };
        let id = match self.free.pop() {
            Some(id) => {
                *self.slots.get_mut(id as usize)? = Some(slot);
                id
            }
            None => {
                self.slots.push(Some(slot));
                u32::try_from(self.slots.len().saturating_sub(1)).ok()?
            }
        };
        self.index.insert(hash, id);
        if matches!(self.policy.lifecycle, Lifecycle::Timed { .. }) {
            self.quota.add(tuple.src);
            self.ranks.push_back(rank, id);
            self.schedule(id, clock);
        }
        self.counters.created = self.counters.created.saturating_add(1);
        Some(id)
    }

    fn end(&mut self, id: u32, reason: EndReason, decided: Micros, out: &mut impl FnMut(FlowEvent)) {
        let Some(slot) = self.slots.get_mut(id as usize).and_then(Option::take) else { return };
        self.free.push(id);
        self.index.remove(slot.hash, id);
        if matches!(self.policy.lifecycle, Lifecycle::Timed { .. }) {
            self.wheel.cancel(id);
            self.ranks.remove(id);
            self.quota.remove(slot.tuple.src);
        }
        if let Some(count) = self.counters.ended.get_mut(reason.index()) {
            *count = count.saturating_add(1);
        }
        out(FlowEvent::Ended(FlowRecord {
            tuple: slot.tuple,
            stored_as: slot.stored_as,
            state: slot.state,
            end: reason,
            decided,
        }));
    }
}

impl Slot {
    fn record(&self, end: EndReason, decided: Micros) -> FlowRecord {
        FlowRecord { tuple: self.tuple, stored_as: self.stored_as, state: self.state.clone(), end, decided }
    }

    /// Whether more than an unanswered beginning was seen: for TCP both sides, else a second packet.
    fn is_answered(&self) -> bool {
        match &self.tcp {
            Tcp::Sequenced(sequences) if self.tuple.protocol == protocol::TCP => sequences.is_answered(),
            _ => self.state.packets() > 1,
        }
    }

    fn continuation(&self, parts_on: u32) -> Continuation {
        let sequences = match &self.tcp {
            Tcp::Sequenced(sequences) => *sequences,
            Tcp::Reference(_) => Sequences::default(),
        };
        Continuation {
            tuple: self.tuple,
            last: self.state.last,
            connection: self.state.connection_before + self.state.duration(),
            part: if parts_on == 0 { 0 } else { self.state.part.saturating_add(parts_on) },
            sequences,
        }
    }

    /// The next deadline: of the idle timeout as things stand, the active timeout, or the early verdict.
    fn next_deadline(&self, policy: &FlowPolicy) -> Option<Micros> {
        let Lifecycle::Timed { idle_timeout, early_verdict } = policy.lifecycle else { return None };
        let end = (self.state.last + idle_timeout).min(self.state.start + policy.active_timeout);
        let early = early_verdict.filter(|_| !self.early_done).map(|after| self.state.start + after);
        Some(early.map_or(end, |early| early.min(end)))
    }

    fn due(&self, policy: &FlowPolicy, clock: Micros) -> Due {
        let Lifecycle::Timed { idle_timeout, early_verdict } = policy.lifecycle else { return Due::Nothing };
        let idle = self.state.last + idle_timeout;
        let active = self.state.start + policy.active_timeout;
        let end = idle.min(active);
        if let Some(early) = early_verdict.filter(|_| !self.early_done).map(|after| self.state.start + after)
            && early < end
            && early < clock
        {
            return Due::Early(early);
        }
        match clock > end {
            false => Due::Nothing,
            true if idle <= active => Due::End(EndReason::IdleTimeout, idle),
            true => Due::End(EndReason::ActiveTimeout, active),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half places a flow in a table, the high half in a shard")]
const fn low_half(hash: u64) -> u32 {
    hash as u32
}

/// Slot numbers are 32 bits, and `u32::MAX` stands for none.
const MOST_FLOWS: usize = u32::MAX as usize - 1;
/// Eviction ranks, least valuable first.
const UNANSWERED: u32 = 0;
const ANSWERED: u32 = 1;
const RANKS: usize = 2;
/// How many busy flows an eviction looks at before it takes the next one anyway.
const SECOND_CHANCES: usize = 8;
/// A flow without a packet for this long is evicted before busier ones.
const QUIET: Micros = Micros::from_secs(1);
