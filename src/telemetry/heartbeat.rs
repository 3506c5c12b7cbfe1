//! Signs of life: each stage beats, the admin server reads how long ago; and whether the daemon may be relied on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The stages that beat, and when each last did.
#[derive(Debug, Default)]
pub struct Heartbeats {
    stages: Mutex<Vec<Stage>>,
}

/// One stage's own handle.
#[derive(Clone, Debug)]
pub struct Heartbeat(Arc<AtomicU64>);

/// How long ago a stage gave a sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageAge {
    /// The stage.
    pub name: String,
    /// Milliseconds since its last beat.
    pub age: u64,
    /// Whether that is too long.
    pub stale: bool,
}

#[derive(Debug)]
struct Stage {
    name: String,
    last: Arc<AtomicU64>,
    stale_after: u64,
}

impl Heartbeats {
    /// Adds a stage that counts as alive at `now` and as stuck once it has not beaten for longer than `stale_after`.
    ///
    /// A stage beats at least every time that it waits, so `stale_after` must be longer than its longest wait.
    pub fn register(&self, name: impl Into<String>, stale_after: Duration, now: u64) -> Heartbeat {
        let last = Arc::new(AtomicU64::new(now));
        let stale_after = u64::try_from(stale_after.as_millis()).unwrap_or(u64::MAX);
        let stage = Stage { name: name.into(), last: Arc::clone(&last), stale_after };
        self.stages.lock().unwrap_or_else(PoisonError::into_inner).push(stage);
        Heartbeat(last)
    }

    /// Takes a stage out that has ended as it should: nobody waits for its next sign of life.
    pub fn forget(&self, heartbeat: &Heartbeat) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        stages.retain(|stage| !Arc::ptr_eq(&stage.last, &heartbeat.0));
    }

    /// Every stage's age at `now` (milliseconds of [`Clock`]), in the order of registration.
    #[must_use]
    pub fn ages(&self, now: u64) -> Vec<StageAge> {
        let stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let age_of = |stage: &Stage| {
            let age = now.saturating_sub(stage.last.load(Ordering::Relaxed));
            StageAge { name: stage.name.clone(), age, stale: age > stage.stale_after }
        };
        stages.iter().map(age_of).collect()
    }
}

impl Heartbeat {
    /// Gives a sign of life; `now` is in milliseconds of [`Clock`].
    pub fn beat(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }
}

/// A monotonic clock of the edges, in milliseconds since it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that begins now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "an edge: stages beat by the clock, flows do not")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn millis(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whether the daemon does its work now; set by the stages that know.
#[derive(Debug, Default)]
pub struct Readiness {
    capture_open: AtomicBool,
    capture_blind: AtomicBool,
    model_loaded: AtomicBool,
}

impl Readiness {
    /// Whether at least one interface is being read.
    pub fn set_capture_open(&self, open: bool) {
        self.capture_open.store(open, Ordering::Relaxed);
    }

    /// Whether what is read tells nothing, as when the kernel drops nearly all.
    pub fn set_capture_blind(&self, blind: bool) {
        self.capture_blind.store(blind, Ordering::Relaxed);
    }

    /// Whether flows can be classified.
    pub fn set_model_loaded(&self, loaded: bool) {
        self.model_loaded.store(loaded, Ordering::Relaxed);
    }

    /// What is missing; nothing means ready.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let checks = [
            (!self.capture_open.load(Ordering::Relaxed), "capture is not open"),
            (self.capture_blind.load(Ordering::Relaxed), "capture is blind"),
            (!self.model_loaded.load(Ordering::Relaxed), "no model is loaded"),
        ];
        checks.into_iter().filter_map(|(missing, text)| missing.then_some(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_is_forgotten_is_missed_by_nobody() {
        let heartbeats = Heartbeats::default();
        let [ended, other] = ["ended", "other"].map(|name| heartbeats.register(name, Duration::from_secs(1), 0));
        heartbeats.forget(&ended);
        other.beat(5_000);
        let left = StageAge { name: "other".to_owned(), age: 0, stale: false };
        assert_eq!(heartbeats.ages(5_000), [left]);
    }

    #[test]
    fn a_stage_is_stale_only_after_its_own_time() {
        let beats = Heartbeats::default();
        let capture = beats.register("capture", Duration::from_secs(1), 100);
        let _classify = beats.register("classify", Duration::from_secs(10), 100);
        let ages = |now| beats.ages(now).into_iter().map(|stage| (stage.age, stage.stale)).collect::<Vec<_>>();
        assert_eq!(ages(1_100), [(1_000, false), (1_000, false)]);
        assert_eq!(ages(1_101), [(1_001, true), (1_001, false)]);
        capture.beat(1_101);
        assert_eq!(ages(1_050), [(0, false), (950, false)], "a beat after the reading is no age");
    }

    #[test]
    fn readiness_names_what_is_missing() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing(), ["capture is not open", "no model is loaded"]);
        readiness.set_capture_open(true);
        readiness.set_model_loaded(true);
        assert!(readiness.missing().is_empty());
        readiness.set_capture_blind(true);
        assert_eq!(readiness.missing(), ["capture is blind"]);
    }
}
