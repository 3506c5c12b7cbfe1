//! A flow worker: its table and clock, and events in batches for the judge.

use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};

use super::events::{EVENTS, EventsIn, Told};
use super::{QUIET_LAG, Telemetry, WAIT, wall_clock};
use crate::flow::{ClockReading, EndReason, FlowHasher, FlowPolicy, FlowTable, PacketClock, Sighting, TableCounters};
use crate::packet::{Copies, Observed};
use crate::pipeline::counters::{Totals, Unclassified, Verdicts};
use crate::telemetry::{Clock, Heartbeat, Metrics, QueueMetrics};
use crate::time::Micros;

/// One worker's flows.
pub(super) struct FlowWorker {
    table: FlowTable,
    hasher: FlowHasher,
    clock: PacketClock,
    clock_steps: u64,
    /// Where a packet may be captured at several places.
    copies: Option<Copies>,
    /// Packets that were copies of others.
    copied: u64,
    /// Packets that are not booked yet.
    sightings: Vec<Sighting>,
    batch: Vec<Told>,
    events: EventsIn,
    /// Since when a small batch has waited for the judge, in milliseconds of the stages' clock.
    waiting_since: Option<u64>,
    stages: Clock,
    unjudged: Verdicts,
    metrics: Arc<Metrics>,
    events_dropped: QueueMetrics,
    published: Published,
}

/// What the shared metrics have been told.
#[derive(Clone, Copy, Default)]
struct Published {
    table: TableCounters,
    active: i64,
    dropped: u64,
    copied: u64,
    forgotten: u64,
}

impl FlowWorker {
    pub(super) fn new(
        policy: &FlowPolicy,
        max_flows: usize,
        seed: u64,
        events: EventsIn,
        telemetry: &Telemetry,
    ) -> Self {
        let metrics = &telemetry.metrics;
        Self {
            table: FlowTable::new(policy.clone(), max_flows, seed),
            hasher: FlowHasher::with_seed(seed),
            sightings: Vec::with_capacity(PACKETS),
            clock: PacketClock::new(policy),
            clock_steps: 0,
            copies: None,
            copied: 0,
            batch: events.batch(),
            events,
            waiting_since: None,
            stages: telemetry.clock,
            unjudged: Verdicts::default(),
            metrics: Arc::clone(metrics),
            events_dropped: metrics.queue("events"),
            published: Published::default(),
        }
    }

    /// Counts a packet once that is captured at several places.
    pub(super) fn without_copies(self) -> Self {
        Self { copies: Some(Copies::new()), ..self }
    }

    /// Takes one packet. It is booked together with others, at the latest by [`FlowWorker::hand_on`].
    pub(super) fn packet(&mut self, observed: &Observed) {
        if self.copies.as_mut().is_some_and(|copies| copies.is_copy(observed)) {
            self.copied = self.copied.saturating_add(1);
            return;
        }
        let packet = &observed.packet;
        let clock = match self.clock.observe(packet.time) {
            ClockReading::At(now) => now,
            ClockReading::SteppedBack { before, now } => {
                self.step_back(before, now);
                now
            }
        };
        self.sightings.push(Sighting { packet: *packet, clock, hash: self.hasher.of(packet) });
        if self.sightings.len() >= PACKETS {
            self.book();
            if self.batch.len() >= EVENTS {
                self.send();
            }
        }
    }

    fn book(&mut self) {
        let Self { table, sightings, batch, .. } = self;
        if let Err(full) = table.packets(sightings, &mut |event| batch.push(event.into())) {
            tracing::error!("{full}");
        }
        sightings.clear();
    }

    /// The clock of the capture has gone back too far: times can be compared no longer.
    fn step_back(&mut self, before: Micros, now: Micros) {
        self.book();
        self.clock_steps = self.clock_steps.saturating_add(1);
        let seconds = (before - now).as_secs_f64();
        tracing::warn!(seconds, "the capture's clock went back: flows are flushed");
        let Self { table, batch, .. } = self;
        table.flush(EndReason::Forced, before, &mut |event| batch.push(event.into()));
    }

    /// Lets time pass on a quiet interface.
    pub(super) fn quiet(&mut self) {
        self.book();
        let Self { table, clock, batch, .. } = self;
        // Before the first packet there is nothing to time.
        if let Some(seen) = clock.now() {
            let now = seen.max(wall_clock() - QUIET_LAG);
            if let ClockReading::At(now) = clock.observe(now) {
                table.advance(now, &mut |event| batch.push(event.into()));
            }
        }
        if !self.batch.is_empty() {
            self.send();
        }
    }

    /// Books what has come and gives the judge what has ended. A small batch waits a little for more, so that the judge
    /// is not woken for each and the queue's places hold full ones.
    pub(super) fn hand_on(&mut self) {
        self.book();
        if !self.batch.is_empty() && (self.batch.len() >= EVENTS || !self.may_wait()) {
            self.send();
        }
    }

    /// Where the queue is full, events wait here, and beyond a bound they go without a verdict.
    fn send(&mut self) {
        self.waiting_since = None;
        match self.events.try_send(std::mem::take(&mut self.batch)) {
            Ok(()) => self.batch = self.events.batch(),
            Err(TrySendError::Full(events)) if events.len() < MOST_WAITING => self.batch = events,
            Err(TrySendError::Full(events) | TrySendError::Disconnected(events)) => self.leave_unjudged(&events),
        }
    }

    /// Whether a small batch may wait still.
    fn may_wait(&mut self) -> bool {
        let now = self.stages.millis();
        now.saturating_sub(*self.waiting_since.get_or_insert(now)) < SMALL_WAIT_MILLIS
    }

    /// Brings the shared metrics up to date.
    pub(super) fn publish(&mut self) {
        let now = Published {
            table: *self.table.counters(),
            active: i64::try_from(self.table.active()).unwrap_or(i64::MAX),
            dropped: self.unjudged.unclassified.iter().sum(),
            copied: self.copied,
            forgotten: self.copies.as_ref().map_or(0, Copies::forgotten),
        };
        let before = std::mem::replace(&mut self.published, now);
        let metrics = &self.metrics;
        metrics.packets_copies.inc_by(now.copied - before.copied);
        metrics.packets_forgotten.inc_by(now.forgotten - before.forgotten);
        metrics.flows_created.inc_by(now.table.created - before.table.created);
        metrics.flows_early.inc_by(now.table.early - before.table.early);
        metrics.packets_late.inc_by(now.table.late_packets - before.table.late_packets);
        metrics.flows_active.add(now.active - before.active);
        for ((reason, ended), ended_before) in EndReason::ALL.into_iter().zip(now.table.ended).zip(before.table.ended) {
            if ended > ended_before {
                metrics.ended(reason).inc_by(ended - ended_before);
            }
        }
        if now.dropped > before.dropped {
            metrics.unclassified(Unclassified::QueueFull.name()).inc_by(now.dropped - before.dropped);
        }
    }

    /// Works off a queue of packets until its senders are gone.
    pub(super) fn work_off(
        mut self,
        packets: &Receiver<Vec<Observed>>,
        heartbeat: &Heartbeat,
        clock: Clock,
        queue: &QueueMetrics,
    ) -> (Totals, Verdicts) {
        queue.capacity.set(i64::try_from(packets.capacity().unwrap_or_default()).unwrap_or(i64::MAX));
        let mut published = 0;
        loop {
            match packets.recv_timeout(WAIT) {
                Ok(batch) => {
                    batch.iter().for_each(|observed| self.packet(observed));
                    self.hand_on();
                }
                Err(RecvTimeoutError::Timeout) => self.quiet(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = clock.millis();
            heartbeat.beat(now);
            if now.saturating_sub(published) >= PUBLISH_MILLIS {
                published = now;
                queue.depth.set(i64::try_from(packets.len()).unwrap_or(i64::MAX));
                self.publish();
            }
        }
        self.finish()
    }

    /// Ends every flow, waits until the judge has taken the events, and gives the books.
    pub(super) fn finish(mut self) -> (Totals, Verdicts) {
        self.book();
        let Self { table, clock, batch, events, .. } = &mut self;
        let now = clock.now().unwrap_or(Micros::ZERO);
        table.flush(EndReason::Forced, now, &mut |event| {
            batch.push(event.into());
            // A table of a million flows must not become one batch.
            if batch.len() >= EVENTS && events.send(std::mem::replace(batch, events.batch())).is_err() {
                tracing::error!("the judge has gone before the flows");
            }
        });
        if let Err(lost) = events.send(std::mem::take(batch)) {
            self.leave_unjudged(&lost.into_inner());
        }
        self.publish();
        let mut totals = Totals { clock_steps: self.clock_steps, copies: self.copied, ..Totals::default() };
        totals.add_table(self.table.counters(), self.table.active() as u64);
        (totals, self.unjudged)
    }

    fn leave_unjudged(&mut self, events: &[Told]) {
        let ended = events.iter().filter(|event| event.is_end).count() as u64;
        if let Some(count) = self.unjudged.unclassified.get_mut(Unclassified::QueueFull.index()) {
            *count = count.saturating_add(ended);
        }
        self.events_dropped.dropped.inc_by(events.len() as u64);
    }
}

/// Sends packets to the workers that keep their flows.
pub(super) struct Dispatch {
    workers: Vec<Sender<Vec<Observed>>>,
    batches: Vec<Vec<Observed>>,
    hasher: FlowHasher,
}

impl Dispatch {
    pub(super) fn new(workers: Vec<Sender<Vec<Observed>>>, seed: u64) -> Self {
        let batches = workers.iter().map(|_| Vec::new()).collect();
        Self { workers, batches, hasher: FlowHasher::with_seed(seed) }
    }

    pub(super) fn packet(&mut self, observed: &Observed) {
        let worker = self.hasher.of(&observed.packet).shard(self.workers.len());
        if let Some(batch) = self.batches.get_mut(worker) {
            batch.push(*observed);
        }
    }

    /// Sends what was gathered; waits where a worker's queue is full, so that the kernel's ring takes the load.
    pub(super) fn hand_on(&mut self) {
        for (batch, worker) in self.batches.iter_mut().zip(&self.workers) {
            if !batch.is_empty() && worker.send(std::mem::take(batch)).is_err() {
                tracing::error!("a flow worker has gone");
            }
        }
    }
}

/// Packets booked together: enough to look ahead, few enough for the first-level cache.
const PACKETS: usize = 128;
/// Events that wait with the worker while the judge's queue is full: about 4 MiB more.
const MOST_WAITING: usize = 8_192;
/// How long a small batch waits: a few per cent of the time in which an alert should be out, and at most a hundred wake-ups
/// of the judge a second.
const SMALL_WAIT_MILLIS: u64 = 10;
/// How often the shared metrics are brought up to date.
pub(super) const PUBLISH_MILLIS: u64 = 250;
