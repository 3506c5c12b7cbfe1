//! A bounded table of subjects, as a processor's cache is built: a subject has one set where it can stand, and a full set gives up
//! its least.
//!
//! Nothing is moved when it fills, a flow costs one set, and sources that show up once push out each other before one that goes on.

use super::sketch::mixed;
use super::subject::Subject;
use super::window::{Tick, is_within};
use crate::model::EvidenceParts;

/// The states of subjects, at most [`SLOTS`].
#[derive(Debug)]
pub(super) struct Table<S> {
    sets: Vec<Vec<Slot<S>>>,
    /// Subjects that gave way to others within their window.
    pub(super) evicted: u64,
}

/// A subject's place.
#[derive(Debug)]
pub(super) struct Slot<S> {
    subject: Subject,
    seen: Tick,
    /// What it has seen: the more, the longer it stays.
    weight: u32,
    /// Stays whatever comes, unless all of its set do.
    pub(super) pinned: bool,
    pub(super) state: S,
}

impl<S> Table<S> {
    pub(super) fn new() -> Self {
        Self { sets: std::iter::repeat_with(Vec::new).take(SETS).collect(), evicted: 0 }
    }

    /// The place of a subject, if it has one.
    pub(super) fn get_mut(&mut self, hash: u64, subject: &Subject) -> Option<&mut Slot<S>> {
        self.sets.get_mut(set_of(hash))?.iter_mut().find(|slot| slot.subject == *subject)
    }

    /// The place of a subject that is seen now, with a state of its own; one that was silent for a long window begins anew.
    pub(super) fn entry(
        &mut self,
        hash: u64,
        subject: Subject,
        now: Tick,
        make: impl FnOnce() -> S,
    ) -> Option<&mut Slot<S>> {
        let set = self.sets.get_mut(set_of(hash))?;
        let found = set.iter().position(|slot| slot.subject == subject);
        let at = match found {
            Some(at) => {
                let slot = set.get_mut(at)?;
                if !slot.pinned && is_stale(slot.seen, now) {
                    *slot = Slot { subject, seen: now, weight: 0, pinned: false, state: make() };
                }
                at
            }
            None if set.len() < WAYS => {
                set.push(Slot { subject, seen: now, weight: 0, pinned: false, state: make() });
                set.len().saturating_sub(1)
            }
            None => {
                let value = |slot: &Slot<S>| (slot.pinned, !is_stale(slot.seen, now), slot.weight, slot.seen);
                let (at, least) = set.iter_mut().enumerate().min_by_key(|(_, slot)| value(slot))?;
                self.evicted = self.evicted.saturating_add(u64::from(!is_stale(least.seen, now)));
                *least = Slot { subject, seen: now, weight: 0, pinned: false, state: make() };
                at
            }
        };
        let slot = set.get_mut(at)?;
        slot.seen = if is_stale(slot.seen, now) { now } else { slot.seen.max(now) };
        slot.weight = slot.weight.saturating_add(1);
        Some(slot)
    }

    /// Every place with its subject, in no order that means something.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Subject, &mut Slot<S>)> {
        self.sets.iter_mut().flatten().map(|slot| (slot.subject, slot))
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.sets.iter_mut().for_each(|set| *set = Vec::new());
    }

    /// Subjects that have a place.
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }
}

fn set_of(hash: u64) -> usize {
    usize::try_from(mixed(hash) % SETS as u64).unwrap_or_default()
}

const fn is_stale(seen: Tick, now: Tick) -> bool {
    !is_within(seen, now, EvidenceParts::LONG_WINDOW)
}

/// Places in all: some 25 MB when all are taken.
pub const SLOTS: usize = SETS * WAYS;
/// Sets: a power of two.
const SETS: usize = 2048;
/// Places of a set.
const WAYS: usize = 8;
