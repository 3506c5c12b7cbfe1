//! Which interfaces are open: whether the daemon sees what it was asked to see.

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
        let eye = |interface: &LiveInterface| Eye {
            open: AtomicBool::new(!interface.capture.is_blind()),
            named: interface.spec == interface.capture.settings().interface,
        };
        let sight = Self { eyes: interfaces.iter().map(eye).collect(), readiness: Arc::clone(readiness) };
        sight.tell();
        sight
    }

    /// An interface was lost or is open again.
    pub(super) fn set(&self, number: u16, open: bool) {
        if let Some(eye) = self.eyes.get(usize::from(number)) {
            eye.open.store(open, Ordering::Relaxed);
        }
        self.tell();
    }

    /// No reader runs any more.
    pub(super) fn close(&self, number: u16) {
        self.set(number, false);
    }

    fn tell(&self) {
        let is_open = |eye: &Eye| eye.open.load(Ordering::Relaxed);
        let any_open = self.eyes.iter().any(is_open);
        let named_lost = self.eyes.iter().any(|eye| eye.named && !is_open(eye));
        self.readiness.set_capture_open(any_open);
        self.readiness.set_capture_blind(named_lost || !any_open);
    }
}
