//! One worker's share of the flows: its table, what is made of each ended flow, and the order of results.

use super::reorder::{Mark, Order, Reorder};
use crate::flow::{EndReason, FlowEvent, FlowPolicy, FlowRecord, FlowTable, Sighting, TableCounters, TableFull};
use crate::time::Micros;

/// What is made of flows as they end: rows, verdicts.
pub trait Stage: Send {
    /// What goes on to the merge; `None` keeps a flow from it.
    type Item: Send;

    /// A flow, or a part of one, has ended.
    fn ended(&mut self, record: &FlowRecord) -> Option<Self::Item>;

    /// A flow is still open after the early-verdict time.
    fn early(&mut self, record: &FlowRecord) -> Option<Self::Item>;

    /// An item that has been delivered, so that its memory can be used again.
    fn recycle(&mut self, item: Self::Item) {
        drop(item);
    }
}

/// A table, its stage, and results in order.
pub(super) struct Shard<S: Stage> {
    table: FlowTable,
    outlet: Outlet<S>,
}

/// Behind the table, so that both can be borrowed at once.
struct Outlet<S: Stage> {
    stage: S,
    epoch: u32,
    sequence: u64,
    clock: Micros,
    results: Reorder<S::Item>,
}

impl<S: Stage> Shard<S> {
    pub(super) fn new(policy: FlowPolicy, max_flows: usize, seed: u64, stage: S) -> Self {
        Self {
            table: FlowTable::new(policy, max_flows, seed),
            outlet: Outlet { stage, epoch: 0, sequence: 0, clock: Micros(i64::MIN), results: Reorder::new() },
        }
    }

    pub(super) fn packets(&mut self, sightings: &[Sighting]) -> Result<(), TableFull> {
        let Self { table, outlet } = self;
        let Some(last) = sightings.last() else { return Ok(()) };
        outlet.clock = last.clock;
        table.packets(sightings, &mut |event| {
            outlet.take(event);
        })
    }

    pub(super) fn advance(&mut self, clock: Micros) {
        let Self { table, outlet } = self;
        outlet.clock = clock;
        table.advance(clock, &mut |event| {
            outlet.take(event);
        });
    }

    /// Ends every flow; what follows belongs to another epoch.
    pub(super) fn flush(&mut self, clock: Micros) {
        self.flush_through(clock, |_, _| ());
    }

    /// The same, and hands out all results: as they come, so that those of a large table do not wait together.
    pub(super) fn flush_and_release(
        &mut self,
        clock: Micros,
        deliver: &mut impl FnMut(Order, S::Item) -> Option<S::Item>,
    ) {
        self.flush_through(clock, |outlet, told| {
            // Flows that were due earlier come first; the others in order.
            if told.decided == clock {
                let Outlet { stage, results, .. } = outlet;
                results.release_before(told, |order, item| {
                    deliver(order, item).into_iter().for_each(|used| stage.recycle(used));
                });
            }
        });
        self.release(Mark::END, deliver);
    }

    fn flush_through(&mut self, clock: Micros, mut then: impl FnMut(&mut Outlet<S>, &Order)) {
        let Self { table, outlet } = self;
        table.advance(clock, &mut |event| {
            outlet.take(event);
        });
        table.flush(EndReason::Forced, clock, &mut |event| {
            if let Some(order) = outlet.take(event) {
                then(outlet, &order);
            }
        });
        outlet.epoch = outlet.epoch.saturating_add(1);
        outlet.clock = Micros(i64::MIN);
    }

    /// What this shard can promise not to go behind any more.
    pub(super) fn mark(&self) -> Mark {
        Mark::behind(self.outlet.epoch, self.outlet.clock)
    }

    /// Hands out, in order, the results before `mark`, and takes back what `deliver` returns.
    pub(super) fn release(&mut self, mark: Mark, mut deliver: impl FnMut(Order, S::Item) -> Option<S::Item>) {
        let Outlet { stage, results, .. } = &mut self.outlet;
        results.release(mark, |order, item| {
            deliver(order, item).into_iter().for_each(|used| stage.recycle(used));
        });
    }

    /// Gives away all results so far; those before the mark are complete.
    pub(super) fn take_results(&mut self) -> Vec<(Order, S::Item)> {
        self.outlet.results.take_all()
    }

    /// Takes back a result that was delivered.
    pub(super) fn recycle(&mut self, item: S::Item) {
        self.outlet.stage.recycle(item);
    }

    pub(super) fn counters(&self) -> (&TableCounters, u64) {
        (self.table.counters(), self.table.active() as u64)
    }

    pub(super) fn into_stage(self) -> S {
        self.outlet.stage
    }
}

impl<S: Stage> Outlet<S> {
    /// What the stage makes of an event waits for its turn; gives its place in the order, if there is something.
    fn take(&mut self, event: FlowEvent<'_>) -> Option<Order> {
        let (record, item) = match event {
            FlowEvent::Ended(record) => (record, self.stage.ended(record)),
            FlowEvent::Early(record) => (record, self.stage.early(record)),
        };
        let item = item?;
        let order = Order {
            epoch: self.epoch,
            decided: record.decided,
            start: record.state.start,
            tuple: record.tuple,
            part: record.state.part,
            sequence: self.sequence,
        };
        self.sequence = self.sequence.saturating_add(1);
        self.results.push(order, item);
        Some(order)
    }
}
