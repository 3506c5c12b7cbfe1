//! What is remembered of flows that have left the table: enough to recognise what comes late, and what goes on.
//!
//! A closed connection's tombstone counts late packets and keeps them from opening phantom flows. A dormant one
//! (cut by the active timeout, or a TCP connection gone quiet) hands direction, connection time and sequence
//! state to the flow that continues it (FEATURES.md section 6, Q1 and Q2).

use std::collections::VecDeque;

use super::index::Index;
use super::key::FiveTuple;
use super::tcp::Sequences;
use crate::time::Micros;

/// Tombstones by flow, each until its time.
#[derive(Debug)]
pub(super) struct Tombstones {
    /// From a flow's hash to [`Row::tag`]ged numbers of graves.
    index: Index,
    closed: Row<()>,
    dormant: Row<Continuation>,
    capacity: usize,
}

/// What a tombstone says.
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

/// Graves of one kind, oldest first: lifetimes are equal, so the oldest ends first.
#[derive(Debug)]
struct Row<T> {
    graves: VecDeque<Grave<T>>,
    /// The number of the oldest.
    first: u32,
    tag: u32,
}

#[derive(Debug)]
struct Grave<T> {
    /// Until when it holds, inclusive.
    until: Micros,
    /// The flow, either way round.
    tuple: FiveTuple,
    hash: u32,
    /// Still in the index: not removed, nor replaced by a later one.
    holds: bool,
    content: T,
}

impl Tombstones {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            index: Index::new(),
            closed: Row { graves: VecDeque::new(), first: 0, tag: CLOSED },
            dormant: Row { graves: VecDeque::new(), first: 0, tag: DORMANT },
            capacity: capacity.min(NUMBERS as usize / 2),
        }
    }

    /// What stands where a search for this hash begins; read so that it is near when the search comes.
    pub(super) fn touch(&self, hash: u32) -> u64 {
        self.index.touch(hash)
    }

    /// The number of a flow's tombstone.
    pub(super) fn find(&self, tuple: &FiveTuple, hash: u32) -> Option<u32> {
        let is_it = |number| {
            let buried = self.closed.get(number).map(|grave| &grave.tuple);
            buried.or_else(|| self.dormant.get(number).map(|grave| &grave.tuple)).is_some_and(|t| t.is_same_flow(tuple))
        };
        self.index.find(hash, is_it)
    }

    /// What a tombstone says, if it still holds at `clock`.
    pub(super) fn kind(&self, number: u32, clock: Micros) -> Option<Kind> {
        if let Some(grave) = self.closed.get(number) {
            return (clock <= grave.until).then_some(Kind::Closed);
        }
        self.dormant.get(number).filter(|grave| clock <= grave.until).map(|grave| Kind::Dormant(grave.content))
    }

    /// Removes the tombstone of a number.
    pub(super) fn remove(&mut self, number: u32, hash: u32) {
        self.index.remove(hash, number);
        self.closed.clear_one(number);
        self.dormant.clear_one(number);
    }

    /// Remembers a flow that ended at `clock`, of which there is no tombstone: one that there was before is removed when
    /// the flow begins. Drops what has run out, and the oldest when full.
    pub(super) fn bury(&mut self, tuple: FiveTuple, hash: u32, kind: Kind, clock: Micros) {
        let number = match kind {
            Kind::Closed => self.closed.push(tuple, hash, clock + CLOSED_LINGER, ()),
            Kind::Dormant(continuation) => self.dormant.push(tuple, hash, clock + DORMANT_LINGER, continuation),
        };
        self.index.insert(hash, number);
        let Self { index, closed, dormant, capacity } = self;
        while dormant.pop_before(clock, index) || closed.pop_before(clock, index) {}
        while closed.graves.len().saturating_add(dormant.graves.len()) > *capacity {
            if !dormant.pop_before(Micros(i64::MAX), index) && !closed.pop_before(Micros(i64::MAX), index) {
                break;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.capacity);
    }
}

impl<T> Row<T> {
    /// The grave of a number, if the number is of this row.
    fn get(&self, number: u32) -> Option<&Grave<T>> {
        self.graves.get(self.place(number)?)
    }

    /// Marks the grave of a number, if it is of this row, as one that holds no longer.
    fn clear_one(&mut self, number: u32) {
        if let Some(grave) = self.place(number).and_then(|place| self.graves.get_mut(place)) {
            grave.holds = false;
        }
    }

    /// Adds a grave; gives its number.
    fn push(&mut self, tuple: FiveTuple, hash: u32, until: Micros, content: T) -> u32 {
        let place = u32::try_from(self.graves.len()).unwrap_or(u32::MAX);
        self.graves.push_back(Grave { until, tuple, hash, holds: true, content });
        self.number(place)
    }

    /// Drops the oldest grave if its time is before `clock`; whether there was one.
    fn pop_before(&mut self, clock: Micros, index: &mut Index) -> bool {
        let Some(grave) = self.graves.pop_front_if(|grave| grave.until < clock) else { return false };
        if grave.holds {
            index.remove(grave.hash, self.number(0));
        }
        self.first = self.first.wrapping_add(1) % NUMBERS;
        true
    }

    fn number(&self, place: u32) -> u32 {
        (self.first.wrapping_add(place) % NUMBERS) << 1 | self.tag
    }

    fn place(&self, number: u32) -> Option<usize> {
        let place = (number >> 1).wrapping_add(NUMBERS).wrapping_sub(self.first) % NUMBERS;
        (number & 1 == self.tag).then_some(place as usize)
    }
}

/// The kinds' marks in a number's lowest bit.
const CLOSED: u32 = 0;
const DORMANT: u32 = 1;
/// Numbers of a row before they begin anew: with the mark they stay below `u32::MAX`, which the index does not hold.
const NUMBERS: u32 = 1 << 30;

/// Retransmissions of the last segments come within a second or two; a five-tuple is rarely used again sooner
/// without a SYN. A longer linger would hide a connection that outlives a forged reset.
const CLOSED_LINGER: Micros = Micros::from_secs(2);
/// Keeps a quiet connection's direction for five minutes; TCP keep-alives of two hours are not worth the memory.
const DORMANT_LINGER: Micros = Micros::from_secs(300);
