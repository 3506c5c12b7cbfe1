//! Doubly linked lists over slot numbers: constant-time push, removal and pop, no allocation but growth.
//!
//! The timer wheel keeps one list a tick, the eviction order one list a rank. Each slot is in at most one
//! list of a set.

/// A set of lists that share one array of links.
#[derive(Debug)]
pub(super) struct Lists {
    ends: Vec<Ends>,
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    head: u32,
    tail: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
    list: u32,
}

impl Lists {
    /// Memory that a slot takes in a set.
    pub(super) const BYTES_PER_SLOT: usize = size_of::<Link>();

    /// `count` empty lists.
    pub(super) fn new(count: usize) -> Self {
        Self { ends: vec![Ends { head: NONE, tail: NONE }; count], links: Vec::new() }
    }

    /// Appends a slot, which must be in no list of this set.
    pub(super) fn push_back(&mut self, list: u32, slot: u32) {
        let needed = (slot as usize).saturating_add(1);
        if self.links.len() < needed {
            self.links.resize(needed, Link { previous: NONE, next: NONE, list: NONE });
        }
        let Some(ends) = self.ends.get_mut(list as usize) else { return };
        let tail = std::mem::replace(&mut ends.tail, slot);
        if tail == NONE {
            ends.head = slot;
        } else if let Some(link) = self.links.get_mut(tail as usize) {
            link.next = slot;
        }
        if let Some(link) = self.links.get_mut(slot as usize) {
            *link = Link { previous: tail, next: NONE, list };
        }
    }

    /// Takes a slot out of the list that it is in, if any.
    pub(super) fn remove(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize) else { return };
        let Link { previous, next, list } = *link;
        link.list = NONE;
        let Some(ends) = self.ends.get_mut(list as usize) else { return };
        if previous == NONE {
            ends.head = next;
        }
        if next == NONE {
            ends.tail = previous;
        }
        if let Some(link) = self.links.get_mut(previous as usize) {
            link.next = next;
        }
        if let Some(link) = self.links.get_mut(next as usize) {
            link.previous = previous;
        }
    }

    /// The first slot of a list.
    pub(super) fn front(&self, list: u32) -> Option<u32> {
        self.ends.get(list as usize).map(|ends| ends.head).filter(|&head| head != NONE)
    }

    /// Takes the first slot out of a list.
    pub(super) fn pop_front(&mut self, list: u32) -> Option<u32> {
        let slot = self.front(list)?;
        self.remove(slot);
        Some(slot)
    }
}

/// No slot, no list.
const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        #[test]
        fn behaves_like_a_set_of_queues(steps in proptest::collection::vec((0u8..4, 0u32..3, 0u32..12), 0..200)) {
            let mut lists = Lists::new(3);
            let mut model = vec![VecDeque::new(); 3];
            for (action, list, slot) in steps {
                match action {
                    0 | 1 => {
                        if !model.iter().any(|queue| queue.contains(&slot)) {
                            lists.push_back(list, slot);
                            model[list as usize].push_back(slot);
                        }
                    }
                    2 => {
                        lists.remove(slot);
                        model.iter_mut().for_each(|queue| queue.retain(|&s| s != slot));
                    }
                    _ => prop_assert_eq!(lists.pop_front(list), model[list as usize].pop_front()),
                }
                for (list, queue) in (0u32..).zip(&model) {
                    prop_assert_eq!(lists.front(list), queue.front().copied());
                }
            }
        }
    }
}
