//! What is remembered of flows that have left the table: enough to recognise what comes late, and what goes on.
//!
//! A closed connection's tombstone counts late packets and keeps them from opening phantom flows. A dormant one
//! (cut by the active timeout, or a TCP connection gone quiet) hands direction, connection time and sequence
//! state to the flow that continues it (FEATURES.md section 6, Q1 and Q2).

use std::collections::{HashMap, VecDeque};

use super::key::{FiveTuple, FlowKey};
use super::tcp::Sequences;
use crate::time::Micros;
use foldhash::fast::FixedState;

/// Tombstones by key, each until its time.
#[derive(Debug)]
pub(super) struct Tombstones {
    by_key: HashMap<FlowKey, Tombstone, FixedState>,
    /// One queue a kind: within it lifetimes are equal, so the oldest ends first.
    closed: VecDeque<(Micros, FlowKey)>,
    dormant: VecDeque<(Micros, FlowKey)>,
    capacity: usize,
}

/// One flow that is gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tombstone {
    /// Until when it holds, inclusive.
    until: Micros,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The connection closed: only a SYN opens another.
    Closed,
    /// The flow may go on.
    Dormant(Continuation),
}

/// What a continuing flow takes over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Continuation {
    /// Initiator to responder, as before.
    pub(super) tuple: FiveTuple,
    /// Time of the last packet before.
    pub(super) last: Micros,
    /// Connection time at that packet.
    pub(super) connection: Micros,
    /// The next part's number.
    pub(super) part: u32,
    pub(super) sequences: Sequences,
}

impl Tombstones {
    pub(super) fn new(seed: u64, capacity: usize) -> Self {
        Self {
            by_key: HashMap::with_hasher(FixedState::with_seed(seed)),
            closed: VecDeque::new(),
            dormant: VecDeque::new(),
            capacity,
        }
    }

    /// The tombstone that holds for a key at `clock`.
    pub(super) fn find(&self, key: &FlowKey, clock: Micros) -> Option<&Tombstone> {
        self.by_key.get(key).filter(|tombstone| clock <= tombstone.until)
    }

    pub(super) fn remove(&mut self, key: &FlowKey) {
        self.by_key.remove(key);
    }

    /// Remembers a flow that ended at `clock`; drops what has run out, and the oldest when full.
    pub(super) fn bury(&mut self, key: FlowKey, kind: Kind, clock: Micros) {
        let (queue, lifetime) = match kind {
            Kind::Closed => (&mut self.closed, CLOSED_LINGER),
            Kind::Dormant(_) => (&mut self.dormant, DORMANT_LINGER),
        };
        let until = clock + lifetime;
        queue.push_back((until, key));
        self.by_key.insert(key, Tombstone { until, kind });
        self.expire(clock);
        while self.closed.len().saturating_add(self.dormant.len()) > self.capacity {
            let Some((until, key)) = self.dormant.pop_front().or_else(|| self.closed.pop_front()) else { break };
            self.forget(until, &key);
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.closed.clear();
        self.dormant.clear();
    }

    fn expire(&mut self, clock: Micros) {
        for dormant in [false, true] {
            loop {
                let queue = if dormant { &mut self.dormant } else { &mut self.closed };
                let Some((until, key)) = queue.pop_front_if(|(until, _)| *until < clock) else { break };
                self.forget(until, &key);
            }
        }
    }

    /// Removes the tombstone that this queue entry stands for, unless a later one took its place.
    fn forget(&mut self, until: Micros, key: &FlowKey) {
        if self.by_key.get(key).is_some_and(|tombstone| tombstone.until == until) {
            self.by_key.remove(key);
        }
    }
}

/// Retransmissions of the last segments come within a second or two; a five-tuple is rarely used again sooner
/// without a SYN. A longer linger would hide a connection that outlives a forged reset.
const CLOSED_LINGER: Micros = Micros::from_secs(2);
/// Keeps a quiet connection's direction for five minutes; TCP keep-alives of two hours are not worth the memory.
const DORMANT_LINGER: Micros = Micros::from_secs(300);
