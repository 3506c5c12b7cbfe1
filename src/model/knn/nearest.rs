//! What is near, and which of two equally near points comes first: the one place that decides it for every engine.

use std::cmp::Ordering;

use super::LabelId;

/// One of the nearest points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Neighbour {
    /// Row in the matrix.
    pub(in super::super) row: usize,
    /// The label of that row.
    pub(in super::super) label: LabelId,
    /// Distance to the query as [`Metric`](super::Metric) reduces it: the square of a Euclidean one.
    pub(in super::super) reduced: f32,
}

impl Neighbour {
    /// Nearest first; of equally near ones the lower label, then the lower row.
    #[inline(always)]
    pub(super) fn key(&self, other: &Self) -> Ordering {
        self.reduced.total_cmp(&other.reduced).then(self.label.cmp(&other.label)).then(self.row.cmp(&other.row))
    }
}

/// The `k` nearest of the points offered so far, in order.
pub(super) struct Nearest<'a> {
    k: usize,
    found: &'a mut Vec<Neighbour>,
}

impl<'a> Nearest<'a> {
    /// None yet; `found` is emptied and used again.
    #[inline(always)]
    pub(super) fn new(k: usize, found: &'a mut Vec<Neighbour>) -> Self {
        found.clear();
        Self { k, found }
    }

    /// Whether there are `k`.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= self.k
    }

    /// Takes a point in if it is one of the `k` nearest. Returns the last one's reduced distance if that is new and there
    /// are `k`.
    #[inline(always)]
    pub(super) fn offer(&mut self, point: Neighbour) -> Option<f32> {
        if self.is_full() {
            let last = self.found.last()?;
            if point.key(last).is_gt() {
                return None;
            }
            self.found.pop();
        }
        let place = self.found.iter().rposition(|held| held.key(&point).is_lt()).map_or(0, |before| before + 1);
        self.found.insert(place, point);
        if self.is_full() { self.found.last().map(|last| last.reduced) } else { None }
    }
}

/// Squared Euclidean distance of two points of the same length.
#[inline(always)]
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    summed(a, b, |apart| apart * apart)
}

/// Sum of the absolute differences of two points of the same length.
#[inline(always)]
pub(super) fn absolute_distance(a: &[f32], b: &[f32]) -> f32 {
    summed(a, b, f32::abs)
}

/// A term of each difference, summed.
///
/// Eight running sums in a fixed order, so that the compiler can use vector registers and every machine gets the same
/// bits.
#[inline(always)]
fn summed(a: &[f32], b: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += term(a - b);
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += term(a - b);
    }
    sums.iter().sum()
}
