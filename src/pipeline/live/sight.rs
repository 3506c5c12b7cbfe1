//! Which captures are open: whether the daemon sees what it was asked to see.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::LiveInterface;
use crate::telemetry::Readiness;

/// What every reader sees, for readiness.
#[derive(Debug)]
pub(super) struct Sight {
    eyes: Vec<Eye>,
    readiness: Arc<Readiness>,
}

#[derive(Debug)]
struct Eye {
    open: AtomicBool,
    /// Asked for by its own name, not found by a pattern: its loss alone is blindness.
    named: bool,
}

impl Sight {
    pub(super) fn new(interfaces: &[LiveInterface], readiness: &Arc<Readiness>) -> Self {
        let eyes = interfaces.iter().flat_map(|interface| {
            interface.captures.iter().map(|capture| Eye {
                open: AtomicBool::new(!capture.is_blind()),
                named: interface.spec == capture.settings().interface,
            })
        });
        let sight = Self { eyes: eyes.collect(), readiness: Arc::clone(readiness) };
        sight.tell();
        sight
    }

    /// A reader's capture was lost, is open again, or is read no more.
    pub(super) fn set(&self, reader: usize, open: bool) {
        if let Some(eye) = self.eyes.get(reader) {
            eye.open.store(open, Ordering::Relaxed);
        }
        self.tell();
    }

    fn tell(&self) {
        let is_open = |eye: &Eye| eye.open.load(Ordering::Relaxed);
        let any_open = self.eyes.iter().any(is_open);
        let named_lost = self.eyes.iter().any(|eye| eye.named && !is_open(eye));
        self.readiness.set_capture_open(any_open);
        self.readiness.set_capture_blind(named_lost || !any_open);
    }
}
