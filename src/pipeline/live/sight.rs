//! Which captures are open: whether the daemon sees what it was asked to see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::telemetry::Readiness;

/// What every reader sees, for readiness. It changes as interfaces come and go, and is not asked by the packet path.
#[derive(Debug)]
pub(super) struct Sight {
    /// By the reader's number.
    eyes: Mutex<BTreeMap<usize, Eye>>,
    readiness: Arc<Readiness>,
}

#[derive(Debug)]
struct Eye {
    open: bool,
    /// Asked for by its own name, not found by a pattern: its loss alone is blindness.
    named: bool,
}

impl Sight {
    pub(super) fn new(readiness: &Arc<Readiness>) -> Self {
        Self { eyes: Mutex::default(), readiness: Arc::clone(readiness) }
    }

    /// A reader begins, with its capture open or not.
    pub(super) fn add(&self, reader: usize, open: bool, named: bool) {
        self.change(|eyes| {
            eyes.insert(reader, Eye { open, named });
        });
    }

    /// A reader's capture was lost, is open again, or is read no more.
    pub(super) fn set(&self, reader: usize, open: bool) {
        self.change(|eyes| {
            if let Some(eye) = eyes.get_mut(&reader) {
                eye.open = open;
            }
        });
    }

    /// What a reader saw is wanted no more.
    pub(super) fn remove(&self, reader: usize) {
        self.change(|eyes| {
            eyes.remove(&reader);
        });
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<usize, Eye>)) {
        let mut eyes = self.eyes.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut eyes);
        let any_open = eyes.values().any(|eye| eye.open);
        let named_lost = eyes.values().any(|eye| eye.named && !eye.open);
        // Under the lock, so that the last change is what is told last.
        self.readiness.set_capture_open(any_open);
        self.readiness.set_capture_blind(named_lost || !any_open);
    }
}
