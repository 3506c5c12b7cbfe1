//! The timed lifecycle of flows: FEATURES.md section 6. Closing packets are checked by sequence number; timers,
//! tombstones and a bound on live flows.

use super::key::FiveTuple;
use super::record::{EndReason, FlowEvent};
use super::table::{ANSWERED, FlowTable, Opening, Sighting, UNANSWERED};
use super::tcp::{Effect, Sequences};
use super::tombstone::Kind;
use crate::packet::{TcpFlags, protocol};
use crate::time::Micros;

impl FlowTable {
    /// A packet of the live flow in slot `id`.
    #[inline]
    pub(super) fn timed_packet(&mut self, id: u32, sighting: &Sighting, out: &mut impl FnMut(FlowEvent<'_>)) {
        let Sighting { packet, clock, .. } = sighting;
        if !self.settle(id, *clock, out) {
            return self.timed_new(sighting, out);
        }
        let Some(slot) = self.slots.get_mut(id) else { return };
        let direction = self.policy.direction(packet, &slot.record.tuple);
        let effect = match packet.protocol {
            protocol::TCP => slot.sequences.observe(packet, direction),
            _ => Effect::Open,
        };
        if effect == Effect::Begins {
            self.end(id, EndReason::EndOfFlow, *clock, out);
            return self.timed_new(sighting, out);
        }
        slot.record.state.update(packet, direction, &self.policy);
        if effect == Effect::Closes {
            self.close(id, sighting, out);
        } else if slot.ranks_unanswered && slot.is_answered() {
            slot.ranks_unanswered = false;
            self.ranks.remove(id);
            self.ranks.push_back(ANSWERED, id);
        }
    }

    /// A packet of no live flow.
    pub(super) fn timed_new(&mut self, sighting: &Sighting, out: &mut impl FnMut(FlowEvent<'_>)) {
        let Sighting { packet, clock, hash } = sighting;
        let sent = FiveTuple::of(packet);
        let opens = packet.flags.has(TcpFlags::SYN) && !packet.flags.has(TcpFlags::ACK);
        let mut continues = None;
        if let Some(number) = self.tombstones.find(&sent, hash.place()) {
            match self.tombstones.kind(number, *clock) {
                Some(Kind::Closed) if !opens => {
                    self.counters.late_packets = self.counters.late_packets.saturating_add(1);
                    return;
                }
                Some(Kind::Dormant(continuation)) if !opens => continues = Some(continuation),
                _ => {}
            }
            self.tombstones.remove(number, hash.place());
        }
        let tuple = match &continues {
            Some(continuation) => continuation.tuple,
            // The answer was seen first: its receiver asked.
            None if packet.flags.has(TcpFlags::SYN) && packet.flags.has(TcpFlags::ACK) => sent.reversed(),
            None => sent,
        };
        let over_quota = self.active() >= self.max_flows / 10 * 8
            && self.quota.estimate(tuple.src) as usize >= (self.max_flows / 10).max(1);
        if self.active() >= self.max_flows && !over_quota {
            self.evict(*clock, out);
        }
        let sequences = continues.as_ref().map_or(Sequences::NONE, |continuation| continuation.sequences);
        let Some(id) = self.open(Opening { tuple, stored_reversed: false, sequences, continues }, sighting) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(id) else { return };
        let effect = match packet.protocol {
            protocol::TCP => slot.sequences.observe(packet, slot.record.state.first.direction),
            _ => Effect::Open,
        };
        if over_quota {
            self.end(id, EndReason::LackOfResources, *clock, out);
        } else if effect == Effect::Closes {
            self.close(id, sighting, out);
        }
    }

    /// Ends a flow by its closing packet.
    fn close(&mut self, id: u32, sighting: &Sighting, out: &mut impl FnMut(FlowEvent<'_>)) {
        self.end(id, EndReason::EndOfFlow, sighting.clock, out);
        self.tombstones.bury(FiveTuple::of(&sighting.packet), sighting.hash.place(), Kind::Closed, sighting.clock);
    }

    /// Ends a flow by one of its deadlines; where it may go on, what a continuation needs is kept.
    #[cold]
    pub(super) fn expire(&mut self, id: u32, reason: EndReason, deadline: Micros, out: &mut impl FnMut(FlowEvent<'_>)) {
        let Some(slot) = self.slots.get(id) else { return };
        let tuple = slot.record.tuple;
        let is_cut = reason == EndReason::ActiveTimeout;
        let goes_on = is_cut || (tuple.protocol == protocol::TCP && slot.is_answered());
        let continuation = goes_on.then(|| (slot.continuation(u32::from(is_cut)), slot.hash));
        self.end(id, reason, deadline, out);
        if let Some((continuation, hash)) = continuation {
            self.tombstones.bury(tuple, hash, Kind::Dormant(continuation), deadline);
        }
    }

    /// Ends the least valuable flow: the oldest that was never answered, else the oldest of the others that has been
    /// quiet for a while, else the oldest.
    fn evict(&mut self, clock: Micros, out: &mut impl FnMut(FlowEvent<'_>)) {
        if let Some(id) = self.ranks.front(UNANSWERED) {
            return self.end(id, EndReason::LackOfResources, clock, out);
        }
        for _ in 0..SECOND_CHANCES {
            let Some(id) = self.ranks.front(ANSWERED) else { return };
            if self.slots.get(id).is_some_and(|slot| clock - slot.record.state.last > QUIET) {
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

/// How many busy flows an eviction looks at before it takes the next one anyway.
const SECOND_CHANCES: usize = 8;
/// A flow without a packet for this long is evicted before busier ones.
const QUIET: Micros = Micros::from_secs(1);
