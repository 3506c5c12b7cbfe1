//! One order of flows whatever the number of shards: by when each flow's end was decided.
//!
//! A timer is noticed a little after its deadline, and shards run apart; so results wait here until nothing that
//! belongs before them can come any more.

use crate::flow::FiveTuple;
use crate::time::Micros;

/// Where a result stands among all results of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// How often the capture's clock had been set back.
    pub epoch: u32,
    /// When the flow's end was decided, on the capture's clock.
    pub decided: Micros,
    /// The flow's first packet.
    pub start: Micros,
    /// The flow's five-tuple.
    pub tuple: FiveTuple,
    /// The flow's part.
    pub part: u32,
    /// The shard's own count; flows that agree in all of the above share a shard.
    pub sequence: u64,
}

/// A point in time before which nothing will come any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mark {
    pub(super) epoch: u32,
    pub(super) time: Micros,
}

impl Mark {
    /// Everything has come.
    pub(super) const END: Self = Self { epoch: u32::MAX, time: Micros(i64::MAX) };
    /// Nothing is known yet.
    pub(super) const START: Self = Self { epoch: 0, time: Micros(i64::MIN) };

    /// What a shard whose clock stands at `clock` can promise.
    pub(super) fn behind(epoch: u32, clock: Micros) -> Self {
        Self { epoch, time: clock - TIMER_LAG }
    }
}

/// Results that wait for their turn.
///
/// They come nearly in order, so they are gathered and sorted a few thousand at a time, which costs less than a heap.
#[derive(Debug)]
pub(super) struct Reorder<T> {
    waiting: Vec<(Order, T)>,
    /// Fewer than this many are not worth a look.
    look_at: usize,
    /// Memory of a sort.
    places: Vec<usize>,
}

impl<T> Reorder<T> {
    pub(super) const fn new() -> Self {
        Self { waiting: Vec::new(), look_at: GATHERED, places: Vec::new() }
    }

    pub(super) fn push(&mut self, order: Order, item: T) {
        self.waiting.push((order, item));
    }

    /// Gives everything away, in no order: for another that merges several.
    pub(super) fn take_all(&mut self) -> Vec<(Order, T)> {
        std::mem::take(&mut self.waiting)
    }

    /// Hands out, in order, what stands before `mark`; while few results wait, perhaps only at a later call.
    pub(super) fn release(&mut self, mark: Mark, mut deliver: impl FnMut(Order, T)) {
        if self.waiting.len() < self.look_at && mark != Mark::END {
            return;
        }
        self.hand_out(|order| Mark { epoch: order.epoch, time: order.decided } < mark, &mut deliver);
    }

    /// Hands out, in order, what stands before a result behind which all others will stand; while few results wait,
    /// perhaps only at a later call.
    pub(super) fn release_before(&mut self, bound: &Order, mut deliver: impl FnMut(Order, T)) {
        if self.waiting.len() >= self.look_at {
            self.hand_out(|order| order < bound, &mut deliver);
        }
    }

    fn hand_out(&mut self, is_ready: impl Fn(&Order) -> bool, deliver: &mut impl FnMut(Order, T)) {
        sort(&mut self.waiting, &mut self.places);
        let ready = self.waiting.partition_point(|(order, _)| is_ready(order));
        for (order, item) in self.waiting.drain(..ready) {
            deliver(order, item);
        }
        let kept = self.waiting.len();
        self.look_at = kept.saturating_add((kept / 4).max(GATHERED));
    }
}

/// Puts results in order, of which no two are equal. Where they stand otherwise, their places are sorted, and then each result moves
/// once: a result is some 300 bytes, which a sort would copy a dozen times.
pub(super) fn sort<T>(results: &mut [(Order, T)], places: &mut Vec<usize>) {
    if results.is_sorted_by(|(a, _), (b, _)| a < b) {
        return;
    }
    places.clear();
    places.extend(0..results.len());
    places.sort_by(|a, b| results.get(*a).map(|(order, _)| order).cmp(&results.get(*b).map(|(order, _)| order)));
    for first in 0..places.len() {
        // A cycle of results, each of which goes where the one before it stood.
        let mut at = first;
        while let Some(place) = places.get_mut(at) {
            let from = std::mem::replace(place, at);
            if from == first {
                break;
            }
            results.swap(at, from);
            at = from;
        }
    }
}

/// Results gathered before a look, at least: about a megabyte of rows.
pub(super) const GATHERED: usize = 1024;
/// A timer is noticed within two ticks of the wheel (0.26 s); three leave room, and more would keep more rows waiting.
const TIMER_LAG: Micros = Micros::from_millis(400);
