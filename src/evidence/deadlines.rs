//! When open incidents are over, and of which kinds there are any: a flow is not looked for among those of other kinds.

use std::collections::BTreeSet;

use super::subject::Subject;
use crate::model::EvidenceKind;
use crate::time::Micros;

/// The ends of open incidents, the next one first.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    queue: BTreeSet<(Micros, Subject)>,
    /// How many of the queue, by [`EvidenceKind::index`].
    of_kind: [usize; EvidenceKind::ALL.len()],
}

impl Deadlines {
    /// An incident ends then, unless it goes on.
    pub(super) fn insert(&mut self, deadline: Micros, subject: Subject) {
        if self.queue.insert((deadline, subject)) {
            self.count(subject.kind, |held| held.saturating_add(1));
        }
    }

    /// The next one whose time has come.
    pub(super) fn pop_before(&mut self, now: Micros) -> Option<(Micros, Subject)> {
        self.queue.first().filter(|(deadline, _)| *deadline < now)?;
        let (deadline, subject) = self.queue.pop_first()?;
        self.count(subject.kind, |held| held.saturating_sub(1));
        Some((deadline, subject))
    }

    /// Whether there are any of a kind.
    pub(super) fn has(&self, kind: EvidenceKind) -> bool {
        self.of_kind.get(kind.index()).is_some_and(|held| *held > 0)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn count(&mut self, kind: EvidenceKind, change: impl FnOnce(usize) -> usize) {
        if let Some(held) = self.of_kind.get_mut(kind.index()) {
            *held = change(*held);
        }
    }
}
