//! The readers of a run: one a capture, each in a thread. Where the choice of interfaces may change, it is made again and
//! again: what has come is read too, what has gone or is chosen no more is given up. Flows stay with their workers.

use std::sync::Arc;
use std::thread::{self, Scope, ScopedJoinHandle};

use super::reader::{Feed, Place, Read, Reader, Retired, Wire};
use super::sight::Sight;
use super::{LiveInterface, Stop, Telemetry, WAIT};
use crate::capture::{Chosen, LiveCapture, LiveError, Selection};
use crate::pipeline::counters::{Totals, Verdicts};
use crate::pipeline::interface_names::InterfaceNames;

/// Looks which interfaces should be read, while others are.
pub trait Lookout: Send {
    /// What should be read now; none where that cannot be told, or nothing is there: then what is read stays.
    fn look(&mut self) -> Option<Selection>;

    /// Opens one of what it chose.
    ///
    /// # Errors
    /// As [`LiveCapture::open`].
    fn open(&mut self, chosen: &Chosen) -> Result<LiveCapture, LiveError>;
}

/// All readers, and the books of those that have ended.
pub(super) struct Readers<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    wire: Wire,
    names: InterfaceNames,
    sight: Arc<Sight>,
    telemetry: Telemetry,
    stop: Stop,
    running: Vec<Running<'scope>>,
    begun: usize,
    totals: Totals,
    unjudged: Verdicts,
}

/// One reader's thread.
struct Running<'scope> {
    interface: String,
    retired: Retired,
    thread: ScopedJoinHandle<'scope, Read>,
}

impl<'scope, 'env> Readers<'scope, 'env> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        wire: Wire,
        names: InterfaceNames,
        labels: usize,
        telemetry: &Telemetry,
        stop: &Stop,
    ) -> Self {
        Self {
            scope,
            wire,
            names,
            sight: Arc::new(Sight::new(&telemetry.readiness)),
            telemetry: telemetry.clone(),
            stop: stop.clone(),
            running: Vec::new(),
            begun: 0,
            totals: Totals::default(),
            unjudged: Verdicts::new(labels),
        }
    }

    /// Reads an interface from now on; each of its captures is given a feed. False if no number is left for it.
    pub(super) fn begin(&mut self, interface: LiveInterface, mut feed: impl FnMut() -> Option<Feed>) -> bool {
        let LiveInterface { captures, name, spec, shows_copies } = interface;
        let Some(number) = self.names.add(&name) else { return false };
        self.telemetry.metrics.interface(&spec).duplicates_possible.set(i64::from(shows_copies));
        for (member, (capture, feed)) in captures.into_iter().zip(std::iter::from_fn(&mut feed)).enumerate() {
            let place = Place { reader: self.begun, interface: number, spec: spec.clone(), member };
            self.begun += 1;
            let retired = Retired::default();
            let reader = Reader::new(
                capture,
                place,
                self.wire.clone(),
                Arc::clone(&self.sight),
                self.telemetry.clone(),
                self.stop.clone(),
                retired.clone(),
            );
            let thread = self.scope.spawn(move || reader.run(feed));
            self.running.push(Running { interface: name.clone(), retired, thread });
        }
        true
    }

    /// Keeps to the lookout's choice until the run ends, or nothing can change that choice any more.
    pub(super) fn follow(&mut self, lookout: &mut dyn Lookout, mut feed: impl FnMut() -> Option<Feed>) {
        let clock = self.telemetry.clock;
        let mut looked = clock.millis();
        let mut unread = Vec::new();
        while !self.stop.is_requested() {
            thread::sleep(WAIT);
            if clock.millis().saturating_sub(looked) < LOOK_MILLIS {
                continue;
            }
            looked = clock.millis();
            let Some(selection) = lookout.look() else { continue };
            let is_whole = self.change(&selection, lookout, &mut unread, &mut feed);
            if selection.settled && is_whole {
                return;
            }
        }
    }

    /// Makes what is read what was chosen; false while some of that cannot be opened.
    fn change(
        &mut self,
        selection: &Selection,
        lookout: &mut dyn Lookout,
        unread: &mut Vec<String>,
        feed: &mut impl FnMut() -> Option<Feed>,
    ) -> bool {
        let is_chosen = |name: &str| selection.interfaces.iter().any(|chosen| chosen.name == name);
        let new: Vec<_> = selection.interfaces.iter().filter(|chosen| !self.reads(&chosen.name)).collect();
        if new.is_empty() && self.running.iter().all(|running| is_chosen(&running.interface)) {
            return true;
        }
        unread.retain(|name| is_chosen(name));
        let shows_copies = selection.warnings.iter().any(|warning| warning.shows_copies());
        let mut missed = 0;
        for chosen in &new {
            let begun = lookout.open(chosen).map(|capture| {
                let (name, spec) = (chosen.name.clone(), chosen.spec.clone());
                self.begin(LiveInterface { captures: vec![capture], name, spec, shows_copies }, &mut *feed)
            });
            if matches!(begun, Ok(true)) {
                continue;
            }
            missed += 1;
            // Tried again at each look, and said once.
            if !unread.contains(&chosen.name) {
                let reason = begun.err().map_or_else(|| TOO_MANY.to_owned(), |error| error.to_string());
                tracing::warn!(interface = chosen.name, reason, "an interface that has come is not read");
                unread.push(chosen.name.clone());
            }
        }
        // Only once something else is read: a choice that cannot be opened is worse than an old one.
        if missed < new.len() || new.is_empty() {
            self.give_up(|name| !is_chosen(name));
            let names: Vec<_> = selection.interfaces.iter().map(|chosen| chosen.name.as_str()).collect();
            tracing::info!("capturing on {}: {}", names.join(", "), selection.reason);
            if !new.is_empty() {
                for warning in &selection.warnings {
                    tracing::warn!(code = warning.code(), "{warning}");
                }
            }
        }
        missed == 0
    }

    fn reads(&self, name: &str) -> bool {
        self.running.iter().any(|running| running.interface == name)
    }

    /// Ends readers, and closes what they read from.
    fn give_up(&mut self, mut unwanted: impl FnMut(&str) -> bool) {
        let (ending, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.running).into_iter().partition(|running| unwanted(&running.interface));
        self.running = kept;
        ending.iter().for_each(|running| running.retired.tell());
        for running in ending {
            if let Some(read) = self.join(running) {
                drop(read);
            }
        }
    }

    fn join(&mut self, running: Running<'scope>) -> Option<Read> {
        let Ok(read) = running.thread.join() else {
            tracing::error!("a reading thread panicked");
            return None;
        };
        self.totals.add(&read.totals);
        self.unjudged.add(&read.unjudged);
        Some(read)
    }

    /// Waits until all have ended. Captures stay open until then.
    pub(super) fn finish(mut self) -> (Totals, Verdicts, Option<LiveError>) {
        let running = std::mem::take(&mut self.running);
        let ended: Vec<_> = running.into_iter().filter_map(|running| self.join(running)).collect();
        let failure = ended.iter().find_map(|read| read.failure.clone());
        (self.totals, self.unjudged, failure)
    }
}

/// How often the choice is made again: what a pod says before it is noticed is not seen.
const LOOK_MILLIS: u64 = 1_000;
const TOO_MANY: &str = "65,536 interfaces have been read since the start; start the daemon anew";
