//! The queue of flow events between the workers and the judge: batches in a bounded channel, and the emptied ones on
//! their way back, so that no batch has to be allocated anew.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendError, Sender, TrySendError, bounded};

use crate::flow::{FlowEvent, FlowRecord};

/// An event of the table, on its way to the judge.
pub(super) struct Told {
    pub(super) record: FlowRecord,
    /// The flow has ended; else it is open, and its end will follow.
    pub(super) is_end: bool,
}

/// A worker's end.
#[derive(Clone)]
pub(super) struct EventsIn {
    full: Sender<Vec<Told>>,
    empty: Receiver<Vec<Told>>,
}

/// The judge's end.
pub(super) struct EventsOut {
    full: Receiver<Vec<Told>>,
    empty: Sender<Vec<Told>>,
}

/// A queue of so many batches.
pub(super) fn queue(batches: usize) -> (EventsIn, EventsOut) {
    let ((full_in, full_out), (empty_in, empty_out)) = (bounded(batches), bounded(batches));
    (EventsIn { full: full_in, empty: empty_out }, EventsOut { full: full_out, empty: empty_in })
}

impl From<FlowEvent<'_>> for Told {
    fn from(event: FlowEvent<'_>) -> Self {
        match event {
            FlowEvent::Ended(record) => Self { record: record.clone(), is_end: true },
            FlowEvent::Early(record) => Self { record: record.clone(), is_end: false },
        }
    }
}

impl EventsIn {
    /// An empty batch, used before if there is one.
    pub(super) fn batch(&self) -> Vec<Told> {
        self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(CAPACITY))
    }

    /// Sends a batch if there is room.
    pub(super) fn try_send(&self, batch: Vec<Told>) -> Result<(), TrySendError<Vec<Told>>> {
        self.full.try_send(batch)
    }

    /// Sends a batch, and waits for room.
    pub(super) fn send(&self, batch: Vec<Told>) -> Result<(), SendError<Vec<Told>>> {
        self.full.send(batch)
    }
}

impl EventsOut {
    /// The next batch; waits for it.
    pub(super) fn receive(&self, wait: Duration) -> Result<Vec<Told>, RecvTimeoutError> {
        self.full.recv_timeout(wait)
    }

    /// Gives a batch that has been worked off back to whichever worker asks next. A large one is freed instead.
    pub(super) fn give_back(&self, mut batch: Vec<Told>) {
        batch.clear();
        if batch.capacity() <= CAPACITY {
            // Where enough are on their way back already, this one is freed too.
            drop(self.empty.try_send(batch));
        }
    }

    /// Batches that wait.
    pub(super) fn waiting(&self) -> usize {
        self.full.len()
    }

    /// Batches that fit.
    pub(super) fn capacity(&self) -> usize {
        self.full.capacity().unwrap_or_default()
    }
}

/// Events in a batch: what the judge works off in a millisecond or two.
pub(super) const EVENTS: usize = 256;
/// Room in a batch: one that is nearly full still takes the events of a round of packets. Memory is touched as it fills.
const CAPACITY: usize = 2 * EVENTS;
