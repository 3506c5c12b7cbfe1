//! One order of flows whatever the number of shards: by when each flow's end was decided.
//!
//! A timer is noticed a little after its deadline, and shards run apart; so results wait here until nothing that
//! belongs before them can come any more.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
#[derive(Debug)]
pub(super) struct Reorder<T> {
    waiting: BinaryHeap<Reverse<Waiting<T>>>,
}

#[derive(Debug)]
struct Waiting<T> {
    order: Order,
    item: T,
}

impl<T> Reorder<T> {
    pub(super) const fn new() -> Self {
        Self { waiting: BinaryHeap::new() }
    }

    pub(super) fn push(&mut self, order: Order, item: T) {
        self.waiting.push(Reverse(Waiting { order, item }));
    }

    /// Hands out, in order, what stands before `mark`.
    pub(super) fn release(&mut self, mark: Mark, mut deliver: impl FnMut(Order, T)) {
        while let Some(Reverse(first)) = self.waiting.peek() {
            if (Mark { epoch: first.order.epoch, time: first.order.decided }) >= mark {
                break;
            }
            if let Some(Reverse(Waiting { order, item })) = self.waiting.pop() {
                deliver(order, item);
            }
        }
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<T> Eq for Waiting<T> {}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

/// A timer is noticed within two ticks of the wheel (0.26 s); one second leaves room.
const TIMER_LAG: Micros = Micros::from_secs(1);
