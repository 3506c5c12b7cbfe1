//! The flow table: one worker's live flows, bounded, timed by packets.
//!
//! A worker feeds it packets with the capture's clock and takes [`FlowEvent`]s; no lock, no system clock, no
//! allocation a packet. Every deadline is checked exactly when the flow's next packet comes, and by the timer wheel
//! in between, so the events do not depend on how packets were batched or sharded. How a flow begins and ends is told
//! by the two lifecycles, `timed` and `reference`.

use std::hint::black_box;

use super::index::Index;
use super::key::{FiveTuple, FlowHash, FlowHasher};
use super::lists::Lists;
use super::policy::{FlowPolicy, Lifecycle};
use super::quota::SourceQuota;
use super::record::{EndReason, FlowEvent};
use super::slab::Slab;
use super::slot::{Due, Slot};
use super::state::FlowState;
use super::tcp::Sequences;
use super::tombstone::{Continuation, Tombstones};
use super::wheel::Wheel;
use crate::packet::PacketMeta;
use crate::time::Micros;

/// The live flows of one worker.
#[derive(Debug)]
pub struct FlowTable {
    pub(super) policy: FlowPolicy,
    pub(super) max_flows: usize,
    hasher: FlowHasher,
    index: Index,
    pub(super) slots: Slab,
    wheel: Wheel,
    /// Who goes first when the table is full: unanswered flows, then the others, each oldest first.
    pub(super) ranks: Lists,
    pub(super) quota: SourceQuota,
    pub(super) tombstones: Tombstones,
    pub(super) counters: TableCounters,
}

/// A packet as the table takes it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// The packet.
    pub packet: PacketMeta,
    /// The capture's clock at this packet ([`super::PacketClock`]).
    pub clock: Micros,
    /// The hash of the packet's flow, by a hasher with the table's seed.
    pub hash: FlowHash,
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

impl TableCounters {
    fn count_end(&mut self, reason: EndReason) {
        if let Some(count) = self.ended.get_mut(reason.index()) {
            *count = count.saturating_add(1);
        }
    }
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

impl FlowTable {
    /// An empty table that holds at most `max_flows` flows; `seed` keys its hash.
    #[must_use]
    pub fn new(policy: FlowPolicy, max_flows: usize, seed: u64) -> Self {
        let max_flows = max_flows.clamp(1, MOST_FLOWS);
        Self {
            policy,
            max_flows,
            hasher: FlowHasher::with_seed(seed),
            index: Index::new(),
            slots: Slab::default(),
            wheel: Wheel::new(),
            ranks: Lists::new(RANKS),
            quota: SourceQuota::new(seed.rotate_left(32)),
            tombstones: Tombstones::new(max_flows),
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
        out: &mut impl FnMut(FlowEvent<'_>),
    ) -> Result<(), TableFull> {
        let sighting = Sighting { packet: *packet, clock, hash: self.hasher.of(packet) };
        self.book(&sighting, self.candidate(&sighting), out)
    }

    /// Books packets in their order, with the same result as one after the other.
    ///
    /// Where flows no longer fit the processor's caches, each packet waits for memory several times. So a few packets
    /// are taken together: the first pass touches their places in the index, the second asks it, two more touch the slots
    /// found (which of a slot's lines a packet needs depends on its first), a last one books. The waits of a pass overlap,
    /// as long as it has no branch whose direction hangs on what is waited for.
    ///
    /// # Errors
    /// [`TableFull`] in the reference lifecycle, at the first packet that was not booked.
    pub fn packets(&mut self, sightings: &[Sighting], out: &mut impl FnMut(FlowEvent<'_>)) -> Result<(), TableFull> {
        for some in sightings.chunks(TOGETHER) {
            let mut read = some.iter().fold(0, |read, sighting| read ^ self.index.touch(sighting.hash.place()));
            let mut candidates = [None; TOGETHER];
            for (candidate, sighting) in candidates.iter_mut().zip(some) {
                *candidate = self.candidate(sighting);
            }
            for slot in candidates.iter().filter_map(|id| self.slots.get((*id)?)) {
                let FlowState { last, flags, .. } = &slot.record.state;
                read ^= u64::from(slot.record.tuple.protocol) ^ last.0.cast_unsigned() ^ u64::from(flags.ack);
            }
            for (id, sighting) in candidates.iter().zip(some) {
                if let Some(slot) = id.and_then(|id| self.slots.get(id)) {
                    let FlowState { forward, backward, .. } = &slot.record.state;
                    let direction = self.policy.direction(&sighting.packet, &slot.record.tuple);
                    if let Some(own) = [forward, backward].get(direction as usize) {
                        read ^= own.bytes ^ own.last.0.cast_unsigned();
                    }
                } else {
                    // A flow that is new here may have had a part before.
                    read ^= self.tombstones.touch(sighting.hash.place());
                }
            }
            black_box(read);
            for (candidate, sighting) in candidates.iter().zip(some) {
                self.book(sighting, *candidate, out)?;
            }
        }
        Ok(())
    }

    /// Lets time pass without a packet: ends and early verdicts that are due before `clock`.
    pub fn advance(&mut self, clock: Micros, out: &mut impl FnMut(FlowEvent<'_>)) {
        if !self.policy.is_timed() {
            return;
        }
        loop {
            let mut due = [0; TOGETHER];
            let count = self.wheel.pop_due(clock, &mut due);
            let due = due.get(..count).unwrap_or_default();
            if due.is_empty() {
                return;
            }
            self.touch_whole(due.iter().copied());
            for &id in due {
                if self.settle(id, clock, out) {
                    self.schedule(id, clock);
                }
            }
        }
    }

    /// Ends every live flow with `reason` and forgets all tombstones. Flows that were due before `clock` come first, by
    /// their own deadlines; then all others, in the order of (start time, five-tuple, part).
    pub fn flush(&mut self, reason: EndReason, clock: Micros, out: &mut impl FnMut(FlowEvent<'_>)) {
        let start = |id| self.slots.get(id).map_or(Micros::ZERO, |slot| slot.record.state.start);
        let mut live: Vec<_> = self.slots.live_ids().map(|id| (start(id), id)).collect();
        // Few flows begin in the same microsecond: only those are asked for more.
        let identity = |id| self.slots.get(id).map(|slot| (slot.record.tuple, slot.record.state.part));
        live.sort_unstable_by(|(a_start, a), (b_start, b)| {
            a_start.cmp(b_start).then_with(|| identity(*a).cmp(&identity(*b)))
        });
        if self.policy.is_timed() {
            // The wheel looks a tick late; what was due before the flush must not depend on that.
            live.retain(|(_, id)| self.settle(*id, clock, out));
        }
        for some in live.chunks(TOGETHER) {
            self.touch_whole(some.iter().map(|(_, id)| *id));
            for (_, id) in some {
                let Some(slot) = self.slots.get_mut(*id) else { continue };
                slot.record.end = reason;
                slot.record.decided = clock;
                out(FlowEvent::Ended(&slot.record));
                slot.record.state.give_back();
                self.counters.count_end(reason);
            }
        }
        // To empty the whole table costs less than to take each flow out of index, wheel and ranks.
        self.slots = Slab::default();
        self.index = Index::new();
        self.wheel = Wheel::new();
        self.ranks = Lists::new(RANKS);
        self.quota.clear();
        self.tombstones.clear();
    }

    /// Memory that one live flow takes: slot, links of timer and rank, and its share of an index that is half full. A flow
    /// that has had an idle gap takes about 100 bytes more, and one that has had a bulk 80.
    #[must_use]
    pub const fn bytes_per_flow() -> usize {
        size_of::<Slot>() + 2 * Lists::BYTES_PER_SLOT + 2 * Index::BYTES_PER_ENTRY + size_of::<u32>()
    }

    /// Live flows.
    #[must_use]
    pub const fn active(&self) -> usize {
        self.slots.live()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &TableCounters {
        &self.counters
    }

    /// A slot whose hash is that of the packet's flow: nearly always the flow's own.
    #[inline]
    fn candidate(&self, sighting: &Sighting) -> Option<u32> {
        self.index.find(sighting.hash.place(), |_| true)
    }

    /// Reads something of every line of some slots, which are far away if no packet has come for a while: the waits
    /// overlap.
    fn touch_whole(&self, ids: impl Iterator<Item = u32>) {
        let mut read = 0_u64;
        for slot in ids.filter_map(|id| self.slots.get(id)) {
            let FlowState { last, flags, forward, backward, out_of_order, .. } = &slot.record.state;
            read ^= u64::from(slot.hash) ^ last.0.cast_unsigned() ^ u64::from(flags.ack ^ out_of_order);
            read ^= forward.bytes ^ forward.last.0.cast_unsigned() ^ backward.bytes ^ backward.last.0.cast_unsigned();
        }
        black_box(read);
    }

    /// Books a packet whose flow may be in the slot `candidate`.
    #[inline]
    fn book(
        &mut self,
        sighting: &Sighting,
        candidate: Option<u32>,
        out: &mut impl FnMut(FlowEvent<'_>),
    ) -> Result<(), TableFull> {
        if self.wheel.is_due(sighting.clock) {
            self.advance(sighting.clock, out);
        }
        let tuple = FiveTuple::of(&sighting.packet);
        let is_it = |id| {
            let slot: Option<&Slot> = self.slots.get(id);
            slot.is_some_and(|slot| slot.is_live && slot.record.tuple.is_same_flow(&tuple))
        };
        // An earlier packet of the same batch may have ended the candidate, or begun the flow.
        let found = candidate.filter(|&id| is_it(id)).or_else(|| self.index.find(sighting.hash.place(), is_it));
        match (found, &self.policy.lifecycle) {
            (Some(id), Lifecycle::Timed { .. }) => self.timed_packet(id, sighting, out),
            (None, Lifecycle::Timed { .. }) => self.timed_new(sighting, out),
            (Some(id), Lifecycle::Reference) => self.reference_packet(id, sighting, out),
            (None, Lifecycle::Reference) => self.reference_new(sighting)?,
        }
        Ok(())
    }
}

/// What a new flow is made from, beside its first packet.
pub(super) struct Opening {
    pub(super) tuple: FiveTuple,
    pub(super) stored_reversed: bool,
    pub(super) sequences: Sequences,
    pub(super) continues: Option<Continuation>,
}

/// What both lifecycles do.
impl FlowTable {
    /// Begins a flow with this packet.
    pub(super) fn open(&mut self, opening: Opening, sighting: &Sighting) -> Option<u32> {
        let Opening { tuple, stored_reversed, sequences, continues } = opening;
        let packet = &sighting.packet;
        let mut state = FlowState::new(packet, self.policy.direction(packet, &tuple), &self.policy);
        if let Some(continuation) = continues {
            state.connection_before = continuation.connection + (state.start - continuation.last);
            state.part = continuation.part;
        }
        let hash = sighting.hash.place();
        let mut slot = Slot::new(tuple, state, hash);
        slot.record.stored_reversed = stored_reversed;
        slot.sequences = sequences;
        slot.ranks_unanswered = !slot.is_answered();
        let rank = if slot.ranks_unanswered { UNANSWERED } else { ANSWERED };
        let id = self.slots.insert(slot)?;
        self.index.insert(hash, id);
        if self.policy.is_timed() {
            self.quota.add(tuple.src);
            self.ranks.push_back(rank, id);
            self.schedule(id, sighting.clock);
        }
        self.counters.created = self.counters.created.saturating_add(1);
        Some(id)
    }

    /// Ends a flow and lends its record.
    pub(super) fn end(&mut self, id: u32, reason: EndReason, decided: Micros, out: &mut impl FnMut(FlowEvent<'_>)) {
        let Some(slot) = self.slots.get_mut(id).filter(|slot| slot.is_live) else { return };
        slot.is_live = false;
        slot.record.end = reason;
        slot.record.decided = decided;
        out(FlowEvent::Ended(&slot.record));
        slot.record.state.give_back();
        let (hash, source) = (slot.hash, slot.record.tuple.src);
        self.slots.release(id);
        self.index.remove(hash, id);
        if self.policy.is_timed() {
            self.wheel.cancel(id);
            self.ranks.remove(id);
            self.quota.remove(source);
        }
        self.counters.count_end(reason);
    }

    fn schedule(&mut self, id: u32, clock: Micros) {
        if let Some(deadline) = self.slots.get(id).and_then(|slot| slot.next_deadline(&self.policy)) {
            self.wheel.schedule(id, deadline, clock);
        }
    }

    /// Does what the flow's deadlines before `clock` demand; whether the flow is still live.
    #[inline]
    pub(super) fn settle(&mut self, id: u32, clock: Micros, out: &mut impl FnMut(FlowEvent<'_>)) -> bool {
        loop {
            let Some(slot) = self.slots.get(id) else { return false };
            match slot.due(&self.policy, clock) {
                Due::Nothing => return true,
                Due::Early(deadline) => self.ask_early(id, deadline, out),
                Due::End(reason, deadline) => {
                    self.expire(id, reason, deadline, out);
                    return false;
                }
            }
        }
    }

    #[cold]
    fn ask_early(&mut self, id: u32, deadline: Micros, out: &mut impl FnMut(FlowEvent<'_>)) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        slot.early_done = true;
        slot.record.end = EndReason::Forced;
        slot.record.decided = deadline;
        self.counters.early = self.counters.early.saturating_add(1);
        out(FlowEvent::Early(&slot.record));
    }
}

/// Slot numbers are 32 bits, and `u32::MAX` stands for none.
const MOST_FLOWS: usize = u32::MAX as usize - 1;
/// Eviction ranks, least valuable first.
pub(super) const UNANSWERED: u32 = 0;
pub(super) const ANSWERED: u32 = 1;
const RANKS: usize = 2;
/// Packets of one round of [`FlowTable::packets`]: their slots' lines (five each) fill a third of a 32 KiB L1 cache,
/// and a core has no more than about a dozen loads in flight anyway.
const TOGETHER: usize = 32;
