//! A live flow as the table keeps it: its record, its closing state, its deadlines.

use super::key::FiveTuple;
use super::policy::{FlowPolicy, Lifecycle};
use super::record::{EndReason, FlowRecord};
use super::state::FlowState;
use super::tcp::{ReferenceClosing, Sequences};
use super::tombstone::Continuation;
use crate::packet::protocol;
use crate::time::Micros;

/// One live flow.
///
/// Eight cache lines, of which a packet touches five: the tuple with the closing state, two that both directions share,
/// two of its own direction. What only the end of the flow asks for stands in the last.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Slot {
    /// The timed lifecycle's closing state.
    pub(super) sequences: Sequences,
    /// The reference lifecycle's.
    pub(super) closing: ReferenceClosing,
    pub(super) is_live: bool,
    /// Whether the early verdict was asked for.
    pub(super) early_done: bool,
    /// Whether the flow still stands among those that go first when the table is full.
    pub(super) ranks_unanswered: bool,
    /// What is lent when the flow ends; its end reason means nothing before.
    pub(super) record: FlowRecord,
    /// The place half of the flow's hash.
    pub(super) hash: u32,
}

/// What a flow's deadlines demand at a given time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Nothing,
    Early(Micros),
    End(EndReason, Micros),
}

impl Slot {
    #[inline]
    pub(super) const fn new(tuple: FiveTuple, state: FlowState, hash: u32) -> Self {
        let decided = state.start;
        Self {
            sequences: Sequences::NONE,
            closing: ReferenceClosing::NONE,
            is_live: true,
            early_done: false,
            ranks_unanswered: false,
            record: FlowRecord { tuple, state, decided, end: EndReason::Forced, stored_reversed: false },
            hash,
        }
    }

    /// Whether more than an unanswered beginning was seen: for TCP both sides, else a second packet.
    pub(super) const fn is_answered(&self) -> bool {
        if self.record.tuple.protocol == protocol::TCP {
            self.sequences.is_answered()
        } else {
            self.record.state.packets() > 1
        }
    }

    /// What a flow that continues this one takes over, `parts_on` parts later.
    pub(super) fn continuation(&self, parts_on: u32) -> Continuation {
        let FlowRecord { tuple, state, .. } = &self.record;
        Continuation {
            tuple: *tuple,
            last: state.last,
            connection: state.connection_before + state.duration(),
            part: if parts_on == 0 { 0 } else { state.part.saturating_add(parts_on) },
            sequences: self.sequences,
        }
    }

    /// The next deadline: of the idle timeout as things stand, the active timeout, or the early verdict.
    pub(super) fn next_deadline(&self, policy: &FlowPolicy) -> Option<Micros> {
        let Lifecycle::Timed { idle_timeout, early_verdict } = policy.lifecycle else { return None };
        let FlowState { start, last, .. } = self.record.state;
        let end = (last + idle_timeout).min(start + policy.active_timeout);
        let early = early_verdict.filter(|_| !self.early_done).map(|after| start + after);
        Some(early.map_or(end, |early| early.min(end)))
    }

    /// What the deadlines before `clock` demand first.
    #[inline]
    pub(super) fn due(&self, policy: &FlowPolicy, clock: Micros) -> Due {
        let Lifecycle::Timed { idle_timeout, early_verdict } = policy.lifecycle else { return Due::Nothing };
        let FlowState { start, last, .. } = self.record.state;
        let idle = last + idle_timeout;
        let active = start + policy.active_timeout;
        let end = idle.min(active);
        if let Some(early) = early_verdict.filter(|_| !self.early_done).map(|after| start + after)
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

// The layout that the comments above promise.
const _: () = {
    assert!(size_of::<Slot>() == 512);
    assert!(std::mem::offset_of!(Slot, record) + std::mem::offset_of!(FlowRecord, state) == LINE);
    assert!(std::mem::offset_of!(FlowState, forward) == 2 * LINE);
    assert!(std::mem::offset_of!(FlowState, backward) == 4 * LINE);
    assert!(std::mem::offset_of!(Slot, hash) >= 7 * LINE);
};

/// Bytes of a cache line on every machine that this runs on.
const LINE: usize = 64;
