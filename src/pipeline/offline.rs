//! One capture from its first packet to its last flow, with any number of workers and the same result.

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::counters::Totals;
use super::reorder::{Mark, Order, Reorder};
use super::shard::{Shard, Stage};
use crate::capture::{PacketSource, Progress};
use crate::features::Profile;
use crate::flow::{ClockReading, FlowHasher, FlowPolicy, PacketClock, Sighting, TableFull};
use crate::packet::{Dissector, Tunnels};
use crate::time::Micros;

/// How captures are run.
#[derive(Clone, Debug)]
pub struct Offline {
    /// The reading of packets.
    pub profile: Profile,
    /// The rules of flows; the profile's, with the user's timeouts.
    pub policy: FlowPolicy,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// Bound on live flows over all workers.
    pub max_flows: usize,
    /// Packets read at a time.
    pub batch: usize,
    /// Tunnels that are looked into; none, in the reference's reading.
    pub tunnels: Tunnels,
}

/// Why a capture was not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError<E> {
    /// The source failed; everything before was handled and the flows were flushed.
    #[error(transparent)]
    Source(E),
    /// The table is full in a profile that lets no flow end.
    #[error(transparent)]
    TableFull(#[from] TableFull),
    /// A worker thread died.
    #[error("a flow worker stopped unexpectedly")]
    Worker,
}

impl Offline {
    /// Runs one capture: `stages` are one for each worker, `deliver` takes the results in order and may give back one whose
    /// memory its stage can use again.
    ///
    /// Returns the counts, and what stopped the capture before its end, if anything did.
    pub fn run<P, S>(
        &self,
        source: P,
        stages: &mut Vec<S>,
        deliver: impl FnMut(Order, S::Item) -> Option<S::Item>,
    ) -> (Totals, Result<(), OfflineError<P::Error>>)
    where
        P: PacketSource + Send,
        P::Error: Send,
        S: Stage,
    {
        let share = self.max_flows.div_ceil(stages.len().max(1));
        let shards: Vec<Shard<S>> =
            stages.drain(..).map(|stage| Shard::new(self.policy.clone(), share, HASH_SEED, stage)).collect();
        let (mut totals, shards, outcome) = match <[Shard<S>; 1]>::try_from(shards) {
            Ok([shard]) => self.alone(source, shard, deliver),
            Err(shards) => self.sharded(source, shards, deliver),
        };
        totals.files = 1;
        for shard in shards {
            let (counters, active) = shard.counters();
            totals.add_table(counters, active);
            stages.push(shard.into_stage());
        }
        (totals, outcome)
    }

    /// Everything in this thread.
    fn alone<P, S>(
        &self,
        source: P,
        mut shard: Shard<S>,
        mut deliver: impl FnMut(Order, S::Item) -> Option<S::Item>,
    ) -> Ran<S, P::Error>
    where
        P: PacketSource,
        S: Stage,
    {
        let mut reader = Reader::new(self, source);
        let outcome = reader.run(&mut |step| {
            match step {
                Step::Packets(sightings) => shard.packets(sightings)?,
                Step::Flush(clock) => shard.flush_and_release(clock, &mut deliver),
                Step::BatchEnd(_) => {
                    let mark = shard.mark();
                    shard.release(mark, &mut deliver);
                }
            }
            Ok(())
        });
        (reader.totals, vec![shard], outcome)
    }

    /// One thread reads, one a shard keeps flows, this one merges.
    fn sharded<P, S>(
        &self,
        source: P,
        shards: Vec<Shard<S>>,
        mut deliver: impl FnMut(Order, S::Item) -> Option<S::Item>,
    ) -> Ran<S, P::Error>
    where
        P: PacketSource + Send,
        P::Error: Send,
        S: Stage,
    {
        thread::scope(|scope| {
            let (released, results) = bounded::<Released<S::Item>>(QUEUE);
            let (delivered, used) = bounded::<Vec<S::Item>>(QUEUE.saturating_mul(shards.len()));
            // Emptied batches go back to the reader: fresh ones would be cold memory each time.
            let (emptied, empties) = bounded::<Vec<Sighting>>(QUEUE.saturating_mul(shards.len()));
            let (senders, workers): (Vec<_>, Vec<_>) = shards
                .into_iter()
                .enumerate()
                .map(|(number, shard)| {
                    let (sender, work) = bounded::<Work>(QUEUE);
                    let ways = Ways { work, released: released.clone(), emptied: emptied.clone(), used: used.clone() };
                    (sender, scope.spawn(move || work_off(number, shard, &ways)))
                })
                .unzip();
            drop((released, emptied, used));
            let reader = scope.spawn(move || {
                let mut reader = Reader::new(self, source);
                let mut dispatch = Dispatch::new(senders, empties, self.batch);
                let outcome = reader.run(&mut |step| dispatch.take(&step));
                (reader.totals, outcome)
            });
            let mut marks = vec![Mark::START; workers.len()];
            let mut merge = Reorder::new();
            for Released { shard, mark, items } in results {
                for (order, item) in items {
                    merge.push(order, item);
                }
                if let Some(known) = marks.get_mut(shard) {
                    *known = mark;
                }
                let safe = marks.iter().min().copied().unwrap_or(Mark::START);
                let mut back = Vec::new();
                merge.release(safe, |order, item| back.extend(deliver(order, item)));
                if !back.is_empty() {
                    // Where no shard needs them, they are freed.
                    drop(delivered.try_send(back));
                }
            }
            merge.release(Mark::END, |order, item| drop(deliver(order, item)));
            let mut outcome = Ok(());
            let mut kept = Vec::with_capacity(workers.len());
            for worker in workers {
                match worker.join() {
                    Ok((shard, result)) => {
                        kept.push(shard);
                        if let Err(full) = result {
                            outcome = Err(OfflineError::TableFull(full));
                        }
                    }
                    Err(_) => outcome = Err(OfflineError::Worker),
                }
            }
            match reader.join() {
                // The reader stops because a worker did: the worker knows why.
                Ok((totals, read)) => (totals, kept, outcome.and(read)),
                Err(_) => (Totals::default(), kept, Err(OfflineError::Worker)),
            }
        })
    }
}

/// What a run leaves: its counts, its shards, and what stopped it.
type Ran<S, E> = (Totals, Vec<Shard<S>>, Result<(), OfflineError<E>>);

/// Reads frames, dissects them and keeps the clock.
struct Reader<P> {
    source: P,
    dissector: Dissector,
    clock: PacketClock,
    hasher: FlowHasher,
    batch: usize,
    /// Packets that were read and not yet handed on.
    gathered: Vec<Sighting>,
    totals: Totals,
}

/// What the reader hands on, in order.
enum Step<'a> {
    Packets(&'a [Sighting]),
    /// The clock went back, or the capture ended: live flows end at this time.
    Flush(Micros),
    /// A batch was read; the clock stands here.
    BatchEnd(Option<Micros>),
}

impl<P: PacketSource> Reader<P> {
    fn new(run: &Offline, source: P) -> Self {
        Self {
            source,
            dissector: Dissector::new(run.profile.reading()).through(run.tunnels),
            clock: PacketClock::new(&run.policy),
            hasher: FlowHasher::with_seed(HASH_SEED),
            batch: run.batch.max(1),
            gathered: Vec::with_capacity(GATHERED),
            totals: Totals::default(),
        }
    }

    fn run(
        &mut self,
        take: &mut impl FnMut(Step<'_>) -> Result<(), OfflineError<P::Error>>,
    ) -> Result<(), OfflineError<P::Error>> {
        let outcome = loop {
            let Self { source, dissector, clock, hasher, gathered, totals, .. } = self;
            let mut refused = Ok(());
            let progress = source.read(self.batch, |frame| {
                if refused.is_err() {
                    return;
                }
                let packets = &mut totals.packets;
                packets.received = packets.received.saturating_add(1);
                packets.bytes = packets.bytes.saturating_add(frame.wire_len.into());
                match dissector.dissect(&frame) {
                    Err(reason) => packets.count_unparsed(reason),
                    Ok(packet) => {
                        packets.parsed = packets.parsed.saturating_add(1);
                        let now = match clock.observe(packet.time) {
                            ClockReading::At(now) => now,
                            ClockReading::SteppedBack { before, now } => {
                                totals.clock_steps = totals.clock_steps.saturating_add(1);
                                refused = take(Step::Packets(gathered)).and_then(|()| take(Step::Flush(before)));
                                gathered.clear();
                                now
                            }
                        };
                        gathered.push(Sighting { packet, clock: now, hash: hasher.of(&packet) });
                        if gathered.len() >= GATHERED && refused.is_ok() {
                            refused = take(Step::Packets(gathered));
                            gathered.clear();
                        }
                    }
                }
            });
            refused?;
            take(Step::Packets(gathered))?;
            gathered.clear();
            match progress {
                Ok(Progress::Delivered | Progress::Idle) => take(Step::BatchEnd(clock.now()))?,
                Ok(Progress::End) => break Ok(()),
                Err(error) => break Err(OfflineError::Source(error)),
            }
        };
        self.totals.packets.decapsulated = self.dissector.decapsulated();
        take(Step::Flush(self.clock.now().unwrap_or_default()))?;
        outcome
    }
}

/// What a shard's thread is told.
enum Work {
    Packets(Vec<Sighting>),
    Advance(Micros),
    Flush(Micros),
}

/// What a shard's thread hands to the merge.
struct Released<T> {
    shard: usize,
    mark: Mark,
    items: Vec<(Order, T)>,
}

/// Gathers packets into a batch a shard.
struct Dispatch {
    senders: Vec<Sender<Work>>,
    /// Batches to use again.
    empties: Receiver<Vec<Sighting>>,
    batches: Vec<Vec<Sighting>>,
    size: usize,
    /// Batches that the reader has read.
    reads: u32,
}

impl Dispatch {
    fn new(senders: Vec<Sender<Work>>, empties: Receiver<Vec<Sighting>>, size: usize) -> Self {
        let batches = senders.iter().map(|_| Vec::with_capacity(size)).collect();
        Self { senders, empties, batches, size, reads: 0 }
    }

    fn take<E>(&mut self, step: &Step<'_>) -> Result<(), OfflineError<E>> {
        match *step {
            Step::Packets(sightings) => {
                for sighting in sightings {
                    let shard = sighting.hash.shard(self.senders.len());
                    let Some(batch) = self.batches.get_mut(shard) else { continue };
                    batch.push(*sighting);
                    if batch.len() >= self.size {
                        self.send(shard)?;
                    }
                }
                Ok(())
            }
            Step::Flush(clock) => self.broadcast(|| Work::Flush(clock)),
            Step::BatchEnd(Some(clock)) => {
                self.reads = self.reads.wrapping_add(1);
                if self.reads.is_multiple_of(READS) { self.broadcast(|| Work::Advance(clock)) } else { Ok(()) }
            }
            Step::BatchEnd(None) => Ok(()),
        }
    }

    fn broadcast<E>(&mut self, work: impl Fn() -> Work) -> Result<(), OfflineError<E>> {
        for shard in 0..self.senders.len() {
            self.send(shard)?;
        }
        for sender in &self.senders {
            sender.send(work()).map_err(|_| OfflineError::Worker)?;
        }
        Ok(())
    }

    fn send<E>(&mut self, shard: usize) -> Result<(), OfflineError<E>> {
        let (Some(batch), Some(sender)) = (self.batches.get_mut(shard), self.senders.get(shard)) else { return Ok(()) };
        if batch.is_empty() {
            return Ok(());
        }
        let empty = self.empties.try_recv().unwrap_or_else(|_| Vec::with_capacity(self.size));
        let full = std::mem::replace(batch, empty);
        sender.send(Work::Packets(full)).map_err(|_| OfflineError::Worker)
    }
}

/// The ways to a shard's thread and from it.
struct Ways<T> {
    work: Receiver<Work>,
    released: Sender<Released<T>>,
    emptied: Sender<Vec<Sighting>>,
    /// Results that were delivered, of any shard.
    used: Receiver<Vec<T>>,
}

fn work_off<S: Stage>(number: usize, mut shard: Shard<S>, ways: &Ways<S::Item>) -> (Shard<S>, Result<(), TableFull>) {
    for work in &ways.work {
        let mark = match work {
            Work::Packets(mut packets) => {
                if let Err(full) = shard.packets(&packets) {
                    return (shard, Err(full));
                }
                packets.clear();
                // Where enough lie ready, or the reader has ended, this one is not needed.
                drop(ways.emptied.try_send(packets));
                continue;
            }
            Work::Advance(clock) => {
                shard.advance(clock);
                shard.mark()
            }
            Work::Flush(clock) => {
                shard.flush(clock);
                shard.mark()
            }
        };
        ways.used.try_iter().take(1).flatten().for_each(|item| shard.recycle(item));
        let items = shard.take_results();
        // The merge outlives every shard; if it is gone, so is the run.
        if ways.released.send(Released { shard: number, mark, items }).is_err() {
            break;
        }
    }
    (shard, Ok(()))
}

/// Files are read with a fixed hash seed: the same bytes give the same bytes. An attacker who writes a capture
/// file can slow its reading, not a daemon.
const HASH_SEED: u64 = 0x666c_6f77_7368_7269;
/// Packets handed on at a time: enough for the table's rounds, little enough to stay in the L1 cache.
const GATHERED: usize = 64;
/// After how many reads every shard is told the time and answers with its results: full batches go out by themselves,
/// and each message wakes a thread.
const READS: u32 = 8;
/// Batches that may wait before each worker, and results before the merge. Where threads are more than cores, one that
/// gets its turn works for some milliseconds: that long the others must find work, and room for theirs. (8 cost a tenth of the
/// speed of two workers, 128 gain nothing more.)
const QUEUE: usize = 32;
