//! The slots of a table: numbered, used again, in chunks that never move.

use super::slot::Slot;

/// All slots, live and free.
#[derive(Debug, Default)]
pub(super) struct Slab {
    /// Chunks of [`CHUNK`] slots: growing by one copies nothing, where a vector would stop the capture to copy
    /// half a gigabyte of a million flows.
    chunks: Vec<Vec<Slot>>,
    free: Vec<u32>,
    live: usize,
}

impl Slab {
    /// Live slots.
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    /// A slot by its number, live or not.
    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<&Slot> {
        self.chunks.get(id as usize / CHUNK)?.get(id as usize % CHUNK)
    }

    /// A slot by its number, live or not.
    #[inline]
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Slot> {
        self.chunks.get_mut(id as usize / CHUNK)?.get_mut(id as usize % CHUNK)
    }

    /// Takes a live flow in; gives its number.
    #[inline]
    pub(super) fn insert(&mut self, slot: Slot) -> Option<u32> {
        self.live = self.live.saturating_add(1);
        if let Some(id) = self.free.pop() {
            *self.get_mut(id)? = slot;
            return Some(id);
        }
        if self.chunks.last().is_none_or(|last| last.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = self.chunks.len().saturating_sub(1).saturating_mul(CHUNK);
        let last = self.chunks.last_mut()?;
        last.push(slot);
        u32::try_from(before.saturating_add(last.len()).saturating_sub(1)).ok()
    }

    /// Makes a number free whose flow is live no longer.
    pub(super) fn release(&mut self, id: u32) {
        self.live = self.live.saturating_sub(1);
        self.free.push(id);
    }

    /// Numbers of all live slots.
    pub(super) fn live_ids(&self) -> impl Iterator<Item = u32> {
        (0..).zip(self.chunks.iter().flatten()).filter(|(_, slot)| slot.is_live).map(|(id, _)| id)
    }
}

/// Half a mebibyte: small against a million flows, and a small table takes no more than it needs.
const CHUNK: usize = 1024;
