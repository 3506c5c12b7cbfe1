//! The queue of flow events between the workers and the judge: batches in a bounded channel, and the emptied ones on
//! their way back, so that no batch has to be allocated anew.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, SendError, Sender, TrySendError, bounded};

use crate::flow::FlowEvent;

/// A worker's end.
#[derive(Clone)]
pub(super) struct EventsIn {
    full: Sender<Vec<FlowEvent>>,
    empty: Receiver<Vec<FlowEvent>>,
}

/// The judge's end.
pub(super) struct EventsOut {
    full: Receiver<Vec<FlowEvent>>,
    empty: Sender<Vec<FlowEvent>>,
}

/// A queue of so many batches.
pub(super) fn queue(batches: usize) -> (EventsIn, EventsOut) {
    let ((full_in, full_out), (empty_in, empty_out)) = (bounded(batches), bounded(batches));
    (EventsIn { full: full_in, empty: empty_out }, EventsOut { full: full_out, empty: empty_in })
}

impl EventsIn {
    /// An empty batch, used before if there is one.
    pub(super) fn batch(&self) -> Vec<FlowEvent> {
        self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(EVENTS))
    }

    /// Whether the judge has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.full.is_empty()
    }

    /// Sends a batch if there is room.
    pub(super) fn try_send(&self, batch: Vec<FlowEvent>) -> Result<(), TrySendError<Vec<FlowEvent>>> {
        self.full.try_send(batch)
    }

    /// Sends a batch, and waits for room.
    pub(super) fn send(&self, batch: Vec<FlowEvent>) -> Result<(), SendError<Vec<FlowEvent>>> {
        self.full.send(batch)
    }
}

impl EventsOut {
    /// The next batch; waits for it.
    pub(super) fn receive(&self, wait: Duration) -> Result<Vec<FlowEvent>, RecvTimeoutError> {
        self.full.recv_timeout(wait)
    }

    /// Gives a batch that has been worked off back to whichever worker asks next. A large one is freed instead.
    pub(super) fn give_back(&self, mut batch: Vec<FlowEvent>) {
        batch.clear();
        if batch.capacity() <= 2 * EVENTS {
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
