//! How many live flows each source address holds, roughly: a count-min sketch of fixed size.
//!
//! Estimates are never too low; with 4,096 cells a row they are too high by a few flows in a thousand
//! (Cormode and Muthukrishnan, "An improved data stream summary", 2005). A flood from one source is told apart
//! without a map that the flood itself would fill.

use std::hash::BuildHasher;

use crate::packet::Address;
use foldhash::fast::FixedState;

/// Live flows by source address.
#[derive(Debug)]
pub(super) struct SourceQuota {
    hash: FixedState,
    rows: [Vec<u32>; 2],
}

impl SourceQuota {
    pub(super) fn new(seed: u64) -> Self {
        Self { hash: FixedState::with_seed(seed), rows: [vec![0; CELLS], vec![0; CELLS]] }
    }

    /// A flow of this source came to live.
    pub(super) fn add(&mut self, source: Address) {
        self.each(source, |count| *count = count.saturating_add(1));
    }

    /// A flow of this source ended.
    pub(super) fn remove(&mut self, source: Address) {
        self.each(source, |count| *count = count.saturating_sub(1));
    }

    /// No flow lives any more.
    pub(super) fn clear(&mut self) {
        self.rows.iter_mut().for_each(|row| row.fill(0));
    }

    /// At least as many flows as the source holds.
    pub(super) fn estimate(&self, source: Address) -> u32 {
        let cells = self.cells(source);
        self.rows.iter().zip(cells).filter_map(|(row, cell)| row.get(cell)).min().copied().unwrap_or(0)
    }

    fn each(&mut self, source: Address, change: impl Fn(&mut u32)) {
        let cells = self.cells(source);
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            if let Some(count) = row.get_mut(cell) {
                change(count);
            }
        }
    }

    fn cells(&self, source: Address) -> [usize; 2] {
        let hash = self.hash.hash_one(source);
        let cell = |bits: u64| usize::try_from(bits % CELLS as u64).unwrap_or_default();
        [cell(hash), cell(hash >> 32)]
    }
}

/// Cells a row: 32 KiB for both rows.
const CELLS: usize = 4096;
