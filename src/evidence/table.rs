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
    sets: Vec<Set<S>>,
    /// Subjects that gave way to others within their window.
    pub(super) evicted: u64,
}

/// Where some subjects can stand. What is looked for in vain, or found, touches one line of memory and the place itself.
#[derive(Debug)]
struct Set<S> {
    /// Of each place, the half of its subject's hash that did not choose the set.
    tags: [u32; WAYS],
    slots: Vec<Slot<S>>,
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
        Self { sets: std::iter::repeat_with(Set::new).take(SETS).collect(), evicted: 0 }
    }

    /// The place of a subject, if it has one.
    pub(super) fn get_mut(&mut self, hash: u64, subject: &Subject) -> Option<&mut Slot<S>> {
        let (set, tag) = split(hash);
        let Set { tags, slots } = self.sets.get_mut(set)?;
        let at = position(tags, slots, tag, subject)?;
        slots.get_mut(at)
    }

    /// The place of a subject that is seen now, with a state of its own; one that was silent for a long window begins anew.
    pub(super) fn entry(
        &mut self,
        hash: u64,
        subject: Subject,
        now: Tick,
        make: impl FnOnce() -> S,
    ) -> Option<&mut Slot<S>> {
        let (set, tag) = split(hash);
        let Set { tags, slots } = self.sets.get_mut(set)?;
        let new = |state| Slot { subject, seen: now, weight: 0, pinned: false, state };
        let at = match position(tags, slots, tag, &subject) {
            Some(at) => {
                let slot = slots.get_mut(at)?;
                if !slot.pinned && is_stale(slot.seen, now) {
                    *slot = new(make());
                }
                at
            }
            None if slots.len() < WAYS => {
                slots.push(new(make()));
                slots.len().saturating_sub(1)
            }
            None => {
                let value = |slot: &Slot<S>| (slot.pinned, !is_stale(slot.seen, now), slot.weight, slot.seen);
                let (at, least) = slots.iter_mut().enumerate().min_by_key(|(_, slot)| value(slot))?;
                self.evicted = self.evicted.saturating_add(u64::from(!is_stale(least.seen, now)));
                *least = new(make());
                at
            }
        };
        *tags.get_mut(at)? = tag;
        let slot = slots.get_mut(at)?;
        slot.seen = if is_stale(slot.seen, now) { now } else { slot.seen.max(now) };
        slot.weight = slot.weight.saturating_add(1);
        Some(slot)
    }

    /// Every place with its subject, in no order that means something.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Subject, &mut Slot<S>)> {
        self.sets.iter_mut().flat_map(|set| &mut set.slots).map(|slot| (slot.subject, slot))
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.sets.iter_mut().for_each(|set| *set = Set::new());
    }

    /// Subjects that have a place.
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(|set| set.slots.len()).sum()
    }
}

impl<S> Set<S> {
    const fn new() -> Self {
        Self { tags: [0; WAYS], slots: Vec::new() }
    }
}

/// Where among a set's places a subject stands.
fn position<S>(tags: &[u32; WAYS], slots: &[Slot<S>], tag: u32, subject: &Subject) -> Option<usize> {
    let mut held = tags.iter().zip(slots);
    held.position(|(held, slot)| *held == tag && slot.subject == *subject)
}

/// The set of a hash, and its tag.
#[expect(clippy::cast_possible_truncation, reason = "each part has its half of the hash")]
const fn split(hash: u64) -> (usize, u32) {
    let hash = mixed(hash);
    ((hash % SETS as u64) as usize, (hash >> 32) as u32)
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
