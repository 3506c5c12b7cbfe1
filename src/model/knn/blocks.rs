//! The points as the scan reads them: in blocks of points that are close together, a column at a time.
//!
//! A block holds either benign points or others. Around each block there is a box (the least and the greatest code of
//! each column), from which the scan knows how near its points can be at best.

use super::codes::{Codes, Encoded, Pair};
use super::kernel::{BLOCK, Columns, Lanes};
use super::{LabelId, NOBODY, NoIndex};

/// Blocks of points, the benign ones first.
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// Pairs of columns of all blocks, block by block.
    pairs: Vec<Columns>,
    /// Boxes of all blocks, 64 blocks a group: least and greatest codes, column by column.
    boxes: Vec<[Lanes<u8>; 2]>,
    width: usize,
    benign: usize,
}

/// What is known of each point of a block beside its codes.
pub(super) struct Block {
    /// Row in the matrix; [`NOBODY`] where the last block of its kind has no point.
    pub(super) rows: Lanes<u32>,
    /// Sum of the squared codes.
    pub(super) norms: Lanes<u16>,
}

impl Blocks {
    /// Blocks of all points of a matrix, given row by row.
    ///
    /// # Errors
    /// When there are more rows than are counted in 32 bits.
    pub(super) fn new(
        codes: &Codes,
        points: &[f32],
        labels: &[LabelId],
        benign_label: LabelId,
    ) -> Result<Self, NoIndex> {
        let width = codes.pairs();
        let mut coded = Coded { pairs: Vec::with_capacity(labels.len().saturating_mul(width)), width };
        let (mut norms, mut encoded) = (Vec::with_capacity(labels.len()), Encoded::default());
        for point in points.chunks_exact(codes.dimensions()) {
            codes.encode(point, &mut encoded);
            coded.pairs.extend_from_slice(&encoded.pairs);
            norms.push(encoded.norm);
        }
        let rows = u32::try_from(labels.len()).ok().filter(|rows| *rows < NOBODY).ok_or(NoIndex::Rows)?;
        let is_benign = |row: &u32| labels.get(*row as usize) == Some(&benign_label);
        let (mut benign, mut others): (Vec<u32>, Vec<u32>) = (0..rows).partition(is_benign);
        let mut blocks = Self { blocks: Vec::new(), pairs: Vec::new(), boxes: Vec::new(), width, benign: 0 };
        for kind in [&mut benign, &mut others] {
            group(kind, &coded);
            for rows in kind.chunks(BLOCK) {
                blocks.push(rows, &coded, &norms);
            }
        }
        blocks.benign = benign.len().div_ceil(BLOCK);
        Ok(blocks)
    }

    /// How many blocks there are, and how many of them are benign.
    #[inline(always)]
    pub(super) const fn counts(&self) -> (usize, usize) {
        (self.blocks.len(), self.benign)
    }

    /// A block, and its columns in pairs.
    #[inline(always)]
    pub(super) fn get(&self, block: usize) -> Option<(&Block, &[Columns])> {
        let start = block.checked_mul(self.width)?;
        Some((self.blocks.get(block)?, self.pairs.get(start..)?.get(..self.width)?))
    }

    /// The boxes of each group of 64 blocks.
    #[inline(always)]
    pub(super) fn groups(&self) -> impl Iterator<Item = &[[Lanes<u8>; 2]]> {
        (0..self.blocks.len().div_ceil(BLOCK)).map_while(|group| {
            let columns = self.width.checked_mul(2)?;
            self.boxes.get(group.checked_mul(columns)?..)?.get(..columns)
        })
    }

    fn push(&mut self, rows: &[u32], coded: &Coded, norms: &[u16]) {
        let place = self.blocks.len() % BLOCK;
        if place == 0 {
            // An empty box is as far away as can be.
            self.boxes.resize(self.boxes.len() + 2 * self.width, [[u8::MAX; BLOCK], [0; BLOCK]]);
        }
        let first = self.boxes.len() - 2 * self.width;
        let mut block = Block { rows: [NOBODY; BLOCK], norms: [0; BLOCK] };
        for ((own, norm), &row) in block.rows.iter_mut().zip(&mut block.norms).zip(rows) {
            (*own, *norm) = (row, norms.get(row as usize).copied().unwrap_or(0));
        }
        self.blocks.push(block);
        let boxes = self.boxes.get_mut(first..).unwrap_or_default();
        for (pair, boxes) in (0..self.width).zip(boxes.as_chunks_mut::<2>().0) {
            let mut lanes = [0; BLOCK];
            for (lane, &row) in lanes.iter_mut().zip(rows) {
                *lane = coded.pair(row, pair);
                for ([low, high], code) in boxes.iter_mut().zip(lane.to_le_bytes()) {
                    if let (Some(low), Some(high)) = (low.get_mut(place), high.get_mut(place)) {
                        (*low, *high) = (code.min(*low), code.max(*high));
                    }
                }
            }
            self.pairs.push(Columns(lanes));
        }
    }
}

/// All points in codes, row by row.
struct Coded {
    pairs: Vec<Pair>,
    width: usize,
}

impl Coded {
    fn pair(&self, row: u32, pair: usize) -> Pair {
        self.pairs.get(row as usize * self.width + pair).copied().unwrap_or(0)
    }

    fn code(&self, row: u32, column: usize) -> u8 {
        let [even, odd] = self.pair(row, column / 2).to_le_bytes();
        if column.is_multiple_of(2) { even } else { odd }
    }

    /// The column in which some points differ most, and by how much.
    fn widest(&self, rows: &[u32]) -> Option<(u8, usize)> {
        let spread = |column| {
            let codes = rows.iter().map(|&row| self.code(row, column));
            let (low, high) = codes.fold((u8::MAX, 0), |(low, high), code| (code.min(low), code.max(high)));
            high.saturating_sub(low)
        };
        (0..2 * self.width).map(|column| (spread(column), column)).max()
    }
}

/// Orders rows so that those of a block are close together: halves them along the widest column, as a k-d tree does,
/// until a part is a block. All blocks but the last are full.
fn group(rows: &mut [u32], coded: &Coded) {
    let middle = (rows.len().div_ceil(BLOCK) / 2).saturating_mul(BLOCK);
    if middle == 0 || middle >= rows.len() {
        return;
    }
    if let Some((1.., column)) = coded.widest(rows) {
        rows.select_nth_unstable_by_key(middle, |&row| coded.code(row, column));
        let (left, right) = rows.split_at_mut(middle);
        group(left, coded);
        group(right, coded);
    }
}
