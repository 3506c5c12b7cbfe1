//! The blocked scan: a search that reads the points in order, in whole numbers, and looks closely only at those that
//! may be near.
//!
//! Three steps, each with a bound that errs on the safe side: boxes exclude whole blocks, distances in codes exclude
//! points of the others, and what is left is asked by [`squared_distance`]. Near a cluster the boxes exclude nearly all;
//! in the worst case, points spread evenly over many dimensions, they exclude nothing and the codes do the work. A
//! search allocates nothing once its memory has grown.

use ndarray::Array2;
use pulp::{Arch, NullaryFnOnce};

use super::blocks::Blocks;
use super::codes::{Codes, Encoded};
use super::kernel::{BLOCK, Kernel, Lanes, Plain, bounds, least};
use super::{LabelId, Nearest, Neighbour, NoIndex, squared_distance};

/// An index over a matrix of points, and the memory of one search.
pub(super) struct Scan<'m> {
    points: &'m [f32],
    labels: &'m [LabelId],
    codes: Codes,
    blocks: Blocks,
    instructions: Arch,
    query: Encoded,
    bounds: Vec<Lanes<u16>>,
}

/// The search would have looked at more points than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverBudget;

impl<'m> Scan<'m> {
    /// Builds the index.
    ///
    /// # Errors
    /// When the points have no coordinates or the labels do not fit them.
    pub(super) fn new(points: &'m Array2<f32>, labels: &'m [LabelId], benign: LabelId) -> Result<Self, NoIndex> {
        let flat = points.as_slice().filter(|_| points.ncols() > 0).ok_or(NoIndex::NoCoordinates)?;
        if points.nrows() != labels.len() {
            return Err(NoIndex::Rows);
        }
        let codes = Codes::new(points);
        let blocks = Blocks::new(&codes, flat, labels, benign)?;
        let bounds = vec![[0; BLOCK]; blocks.counts().0.div_ceil(BLOCK)];
        Ok(Self { points: flat, labels, codes, blocks, instructions: Arch::new(), query: Encoded::default(), bounds })
    }

    /// How many columns of the points vary.
    pub(super) fn columns(&self) -> usize {
        self.codes.columns()
    }

    /// Searches by these instructions from now on, which must be the machine's.
    #[cfg(test)]
    pub(super) const fn use_instructions(&mut self, instructions: Arch) {
        self.instructions = instructions;
    }

    /// As [`Neighbours::search`](super::Neighbours::search), unless it takes the exact distance of more than `budget`
    /// points.
    pub(super) fn search(
        &mut self,
        query: &[f32],
        k: usize,
        budget: usize,
        found: &mut Vec<Neighbour>,
    ) -> Result<Option<Neighbour>, OverBudget> {
        if query.len() != self.codes.dimensions() || !query.iter().all(|x| x.is_finite()) {
            found.clear();
            return Ok(None);
        }
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            Arch::V4(kernel) => kernel.vectorize(Search { scan: self, query, k, budget, found, kernel }),
            #[cfg(target_arch = "x86_64")]
            Arch::V3(kernel) => kernel.vectorize(Search { scan: self, query, k, budget, found, kernel }),
            _ => Search { scan: self, query, k, budget, found, kernel: Plain }.call(),
        }
    }
}

/// One search by one instruction set. What it calls is inlined, so that all of it is compiled for those instructions.
struct Search<'a, 'm, K> {
    scan: &'a mut Scan<'m>,
    query: &'a [f32],
    k: usize,
    budget: usize,
    found: &'a mut Vec<Neighbour>,
    kernel: K,
}

impl<K: Kernel> NullaryFnOnce for Search<'_, '_, K> {
    type Output = Result<Option<Neighbour>, OverBudget>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Scan { points, labels, codes, blocks, query: encoded, bounds: nearest_of_box, .. } = self.scan;
        let kernel = self.kernel;
        codes.encode(self.query, encoded);
        for (bound, boxes) in nearest_of_box.iter_mut().zip(blocks.groups()) {
            *bound = bounds(boxes, &encoded.pairs);
        }
        let (count, benign) = blocks.counts();
        let mut best = Best {
            nearest: Nearest::new(self.k, self.found),
            benign: None,
            limits: [u16::MAX; 2],
            budget: self.budget,
            query: self.query,
            points,
            labels,
        };
        // The likeliest block of each kind comes first: what is found there excludes most others.
        let (of_benign, others) =
            nearest_of_box.as_flattened().get(..count).unwrap_or_default().split_at_checked(benign).unwrap_or_default();
        let first = [place_of_least(of_benign), place_of_least(others).map(|place| place + benign)];
        let mut firsts = first.into_iter().flatten();
        let mut groups = (0..).step_by(BLOCK).zip(&*nearest_of_box);
        let (mut open, mut start, mut bound) = (0_u64, 0, &[0; BLOCK]);
        loop {
            let block = if let Some(block) = firsts.next() {
                block
            } else if open == 0 {
                let Some(group) = groups.next() else { break };
                (start, bound) = group;
                open = kernel.within(bound, best.limit(true).max(best.limit(false)));
                continue;
            } else {
                let lane = next(&mut open);
                let block = start + lane;
                let limit = best.limit(block < benign);
                if bound.get(lane).is_none_or(|bound| *bound > limit) || first.contains(&Some(block)) {
                    continue;
                }
                block
            };
            let Some((block, pairs)) = blocks.get(block).map(|(of, pairs)| ((block < benign, of), pairs)) else {
                continue;
            };
            let (is_benign, block) = block;
            let mut sums = kernel.distances(&block.norms, pairs, encoded.norm, &encoded.pairs);
            let mut hits = kernel.within(&sums, best.limit(is_benign));
            // As long as nothing limits the search, nearest first: those then exclude most others of the block.
            while best.is_open(is_benign) && hits != 0 {
                let mut nearest = kernel.within(&sums, least(&sums)) & hits;
                if nearest == 0 {
                    break;
                }
                let lane = next(&mut nearest);
                hits &= !(1 << lane);
                let (Some(sum), Some(&row)) = (sums.get_mut(lane), block.rows.get(lane)) else { break };
                *sum = u16::MAX;
                best.look_at(row, is_benign, codes, encoded)?;
            }
            hits &= kernel.within(&sums, best.limit(is_benign));
            while hits != 0 {
                let lane = next(&mut hits);
                let (Some(&sum), Some(&row)) = (sums.get(lane), block.rows.get(lane)) else { break };
                if sum <= best.limit(is_benign) {
                    best.look_at(row, is_benign, codes, encoded)?;
                }
            }
        }
        Ok(best.benign)
    }
}

/// What a search has found so far, and what that excludes.
struct Best<'a> {
    nearest: Nearest<'a>,
    benign: Option<Neighbour>,
    /// In codes: how far away a point may be to be among the nearest, and a benign one to be the nearest of those.
    limits: [u16; 2],
    /// How many points may still be looked at.
    budget: usize,
    query: &'a [f32],
    points: &'a [f32],
    labels: &'a [LabelId],
}

impl Best<'_> {
    /// How far away, in codes, a point can be and still matter.
    #[inline(always)]
    fn limit(&self, is_benign: bool) -> u16 {
        let [of_all, of_benign] = self.limits;
        if is_benign { of_all.max(of_benign) } else { of_all }
    }

    /// Whether every point still matters.
    #[inline(always)]
    fn is_open(&self, is_benign: bool) -> bool {
        !self.nearest.is_full() || (is_benign && self.benign.is_none())
    }

    /// Takes the exact distance of a point.
    #[inline(always)]
    fn look_at(&mut self, row: u32, is_benign: bool, codes: &Codes, query: &Encoded) -> Result<(), OverBudget> {
        let row = row as usize;
        let length = self.query.len();
        let start = row.saturating_mul(length);
        // A place without a point has no label.
        let (Some(&label), Some(point)) =
            (self.labels.get(row), self.points.get(start..).and_then(|p| p.get(..length)))
        else {
            return Ok(());
        };
        self.budget = self.budget.checked_sub(1).ok_or(OverBudget)?;
        let point = Neighbour { row, label, reduced: squared_distance(point, self.query) };
        let [of_all, of_benign] = &mut self.limits;
        if let Some(last) = self.nearest.offer(point) {
            *of_all = codes.limit(last, query);
        }
        if is_benign && self.benign.is_none_or(|best| point.key(&best).is_lt()) {
            self.benign = Some(point);
            *of_benign = codes.limit(point.reduced, query);
        }
        Ok(())
    }
}

/// Takes the lowest bit out of a mask that has one.
#[inline(always)]
const fn next(mask: &mut u64) -> usize {
    let lane = mask.trailing_zeros() as usize;
    *mask &= mask.wrapping_sub(1);
    lane
}

/// Where the least of some numbers stands.
#[inline(always)]
fn place_of_least(numbers: &[u16]) -> Option<usize> {
    let mut best: Option<(u16, usize, &[u16])> = None;
    for (start, chunk) in (0..).step_by(BLOCK).zip(numbers.chunks(BLOCK)) {
        let own = least(chunk);
        if best.is_none_or(|(least, ..)| own < least) {
            best = Some((own, start, chunk));
        }
    }
    let (least, start, chunk) = best?;
    Some(start + chunk.iter().position(|&number| number == least)?)
}
