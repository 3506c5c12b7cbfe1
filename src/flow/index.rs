//! The table's index: from a key's hash to the slot that holds the flow.
//!
//! Open addressing with linear probing over (hash, slot) pairs of eight bytes; removal shifts the run back, so
//! there are no markers to clean. The keys stay in the slots: the caller compares them.

/// A growing map from 32-bit hashes to slot numbers; equal hashes are kept side by side.
#[derive(Debug)]
pub(super) struct Index {
    /// Hash in the high half, slot in the low half; [`EMPTY`] where there is none. A power of two long.
    entries: Vec<u64>,
    len: usize,
}

impl Index {
    /// Memory of one entry.
    pub(super) const BYTES_PER_ENTRY: usize = size_of::<u64>();

    pub(super) fn new() -> Self {
        Self { entries: vec![EMPTY; SMALLEST], len: 0 }
    }

    /// What stands where a search for this hash begins; read so that it is near when the search comes.
    #[inline]
    pub(super) fn touch(&self, hash: u32) -> u64 {
        self.entry(self.home(hash))
    }

    /// The slot with this hash that `is_it` accepts.
    #[inline]
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let entry = self.entry(at);
            if entry == EMPTY {
                return None;
            }
            if hash_of(entry) == hash && is_it(slot_of(entry)) {
                return Some(slot_of(entry));
            }
            at = self.after(at);
        }
    }

    /// Adds a slot, which must not be there.
    pub(super) fn insert(&mut self, hash: u32, slot: u32) {
        if self.len >= self.entries.len() / 8 * 5 {
            self.grow();
        }
        self.place(u64::from(hash) << 32 | u64::from(slot));
        self.len = self.len.saturating_add(1);
    }

    /// Removes a slot, if it is there.
    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        let wanted = u64::from(hash) << 32 | u64::from(slot);
        let mut hole = self.home(hash);
        loop {
            match self.entry(hole) {
                EMPTY => return,
                entry if entry == wanted => break,
                _ => hole = self.after(hole),
            }
        }
        self.len = self.len.saturating_sub(1);
        // Move back every entry of the run that the hole would hide.
        let mut at = self.after(hole);
        loop {
            let entry = self.entry(at);
            if entry == EMPTY {
                break;
            }
            let (home, mask) = (self.home(hash_of(entry)), self.mask());
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.set(hole, entry);
                hole = at;
            }
            at = self.after(at);
        }
        self.set(hole, EMPTY);
    }

    fn grow(&mut self) {
        let doubled = vec![EMPTY; self.entries.len().saturating_mul(2)];
        for entry in std::mem::replace(&mut self.entries, doubled) {
            if entry != EMPTY {
                self.place(entry);
            }
        }
    }

    fn place(&mut self, entry: u64) {
        let mut at = self.home(hash_of(entry));
        while self.entry(at) != EMPTY {
            at = self.after(at);
        }
        self.set(at, entry);
    }

    fn mask(&self) -> usize {
        self.entries.len().wrapping_sub(1)
    }

    fn home(&self, hash: u32) -> usize {
        hash as usize & self.mask()
    }

    fn after(&self, at: usize) -> usize {
        at.wrapping_add(1) & self.mask()
    }

    fn entry(&self, at: usize) -> u64 {
        self.entries.get(at).copied().unwrap_or(EMPTY)
    }

    fn set(&mut self, at: usize, entry: u64) {
        if let Some(place) = self.entries.get_mut(at) {
            *place = entry;
        }
    }
}

const fn hash_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "the low half")]
const fn slot_of(entry: u64) -> u32 {
    entry as u32
}

/// No entry: slot numbers stay below `u32::MAX`.
const EMPTY: u64 = u64::MAX;
/// Entries of an empty index: 8 KiB.
const SMALLEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        /// Few distinct hashes, so that runs collide and wrap around.
        #[test]
        fn behaves_like_a_map(steps in proptest::collection::vec((any::<bool>(), 0u32..3000), 0..4000)) {
            let mut index = Index::new();
            let mut model = HashMap::new();
            let hash = |slot: u32| slot % 37 * 0x0101_0101;
            for (add, slot) in steps {
                match (add, model.contains_key(&slot)) {
                    (true, false) => {
                        index.insert(hash(slot), slot);
                        model.insert(slot, ());
                    }
                    (false, true) => {
                        index.remove(hash(slot), slot);
                        model.remove(&slot);
                    }
                    _ => {}
                }
            }
            for slot in 0..3000 {
                prop_assert_eq!(index.find(hash(slot), |s| s == slot).is_some(), model.contains_key(&slot));
            }
        }
    }
}
