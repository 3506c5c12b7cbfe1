//! The nearest points of a query, and their vote.
//!
//! `linfa-nn`'s k-d tree finds the points; this file decides the order of equals, which the tree leaves open, and weighs
//! the votes. The tree borrows the points and panics on a coordinate that is not finite: points come from a checked
//! artifact, queries from the transform, and both hold only numbers from 0 to 1.

use linfa_nn::distance::Distance;
use linfa_nn::{KdTree, NearestNeighbour, NearestNeighbourIndex};
use ndarray::{Array2, ArrayView, ArrayView1, Dimension};

use super::LabelId;

/// An index over a matrix of points, one a row.
pub(super) struct Neighbours<'m> {
    points: &'m Array2<f32>,
    index: Box<dyn NearestNeighbourIndex<f32> + Send + Sync + 'm>,
}

/// One of the nearest points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neighbour {
    /// Row in the matrix.
    pub(super) row: usize,
    /// The label given for that row.
    pub(super) label: LabelId,
    /// Squared Euclidean distance to the query.
    pub(super) squared: f32,
}

/// The points cannot be searched: a matrix without columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("points without coordinates")]
pub(super) struct NoCoordinates;

impl<'m> Neighbours<'m> {
    /// Builds the index.
    ///
    /// # Errors
    /// When the points have no coordinates.
    pub(super) fn new(points: &'m Array2<f32>) -> Result<Self, NoCoordinates> {
        let index = KdTree.from_batch_with_leaf_size(points, LEAF, Euclidean).map_err(|_| NoCoordinates)?;
        Ok(Self { points, index })
    }

    /// The `k` nearest points, nearest first; of equally near ones the lower label, then the lower row.
    /// Fewer if there are fewer; none for a query of the wrong length or with a coordinate that is not finite.
    pub(super) fn nearest(&self, query: &[f32], k: usize, label: impl Fn(usize) -> LabelId, out: &mut Vec<Neighbour>) {
        out.clear();
        if query.len() != self.points.ncols() || !query.iter().all(|x| x.is_finite()) {
            return;
        }
        let view = ArrayView1::from(query);
        // One more than asked for: if it is as far as the last one, the tree has chosen between equals by chance.
        let Ok(found) = self.index.k_nearest(view, k.saturating_add(1)) else { return };
        let neighbour = |(point, row): (ArrayView1<'_, f32>, usize)| Neighbour {
            row,
            label: label(row),
            squared: Euclidean.rdistance(view, point),
        };
        out.extend(found.into_iter().map(neighbour));
        let last = k.checked_sub(1).and_then(|last| out.get(last)).map(|last| last.squared);
        if let (Some(last), Some(next)) = (last, out.get(k))
            && last == next.squared
        {
            // A little wider than the distance, which a square root may have rounded down; the sort cuts it again.
            let Ok(found) = self.index.within_range(view, last.sqrt() * 1.000_01 + f32::MIN_POSITIVE) else { return };
            out.clear();
            out.extend(found.into_iter().map(neighbour));
        }
        out.sort_unstable_by(|a, b| {
            a.squared.total_cmp(&b.squared).then(a.label.cmp(&b.label)).then(a.row.cmp(&b.row))
        });
        out.truncate(k);
    }
}

/// The winning label and its share of the weight, 0 to 1; `None` without neighbours.
///
/// A neighbour weighs 1 / distance. Neighbours at distance 0 outvote all others, one vote each. Of labels with equal weight
/// the lowest wins. `votes` is scratch, one place a label.
pub(super) fn vote(neighbours: &[Neighbour], votes: &mut [f32]) -> Option<(LabelId, f32)> {
    votes.fill(0.0);
    let exact = neighbours.first()?.squared == 0.0;
    let mut total = 0.0;
    for neighbour in neighbours {
        let weight = match (exact, neighbour.squared == 0.0) {
            (true, true) => 1.0,
            (true, false) => 0.0,
            (false, _) => 1.0 / neighbour.squared.sqrt().max(f32::MIN_POSITIVE),
        };
        if let Some(votes) = votes.get_mut(usize::from(neighbour.label.0)) {
            *votes += weight;
            total += weight;
        }
    }
    let mut best: Option<(LabelId, f32)> = None;
    for (label, &weight) in (0..).map(LabelId).zip(votes.iter()) {
        if weight > 0.0 && best.is_none_or(|(_, most)| weight > most) {
            best = Some((label, weight));
        }
    }
    best.map(|(label, weight)| (label, (weight / total).clamp(0.0, 1.0)))
}

/// Squared Euclidean distance of two points of the same length.
///
/// Eight running sums, so that the compiler can use vector registers; the tree's bounds stay safe because the same sums
/// in the same order are taken for its boxes.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += (a - b) * (a - b);
    }
    sums.iter().sum()
}

/// Euclidean distance for `linfa-nn`, on contiguous rows.
#[derive(Clone, Debug)]
struct Euclidean;

impl Distance<f32> for Euclidean {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, f32, D>, b: ArrayView<'_, f32, D>) -> f32 {
        self.rdistance(a, b).sqrt()
    }

    fn rdistance<D: Dimension>(&self, a: ArrayView<'_, f32, D>, b: ArrayView<'_, f32, D>) -> f32 {
        match (a.as_slice(), b.as_slice()) {
            (Some(a), Some(b)) => squared_distance(a, b),
            _ => a.iter().zip(b.iter()).map(|(a, b)| (a - b) * (a - b)).sum(),
        }
    }

    fn rdist_to_dist(&self, squared: f32) -> f32 {
        squared.sqrt()
    }

    fn dist_to_rdist(&self, distance: f32) -> f32 {
        distance * distance
    }
}

/// Points in a leaf: small leaves cost heap entries, large ones distances; see `benches/classify.rs`.
const LEAF: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn brute_force(points: &Array2<f32>, labels: &[LabelId], query: &[f32], k: usize) -> Vec<Neighbour> {
        let mut all: Vec<_> = points
            .rows()
            .into_iter()
            .enumerate()
            .map(|(row, point)| Neighbour {
                row,
                label: labels[row],
                squared: squared_distance(point.as_slice().expect("contiguous"), query),
            })
            .collect();
        all.sort_by(|a, b| {
            a.squared.partial_cmp(&b.squared).expect("finite").then(a.label.cmp(&b.label)).then(a.row.cmp(&b.row))
        });
        all.truncate(k);
        all
    }

    fn matrix(rows: &[Vec<f32>], columns: usize) -> Array2<f32> {
        Array2::from_shape_vec((rows.len(), columns), rows.concat()).expect("rectangular")
    }

    proptest! {
        /// A coarse grid of values makes duplicates and equal distances common.
        #[test]
        fn the_tree_finds_what_brute_force_finds(
            (rows, queries, columns) in (1usize..12).prop_flat_map(|columns| {
                let coordinate = prop_oneof![3 => (0u8..4).prop_map(|x| f32::from(x) / 3.0), 1 => 0.0..1.0f32];
                let row = proptest::collection::vec(coordinate, columns);
                (proptest::collection::vec(row.clone(), 1..120), proptest::collection::vec(row, 1..8), Just(columns))
            }),
            labels in proptest::collection::vec(0u16..4, 120),
            k in 1usize..8,
        ) {
            let points = matrix(&rows, columns);
            let labels: Vec<_> = labels.into_iter().map(LabelId).collect();
            let neighbours = Neighbours::new(&points).expect("columns");
            let mut out = Vec::new();
            for query in queries.iter().chain(rows.iter().take(4)) {
                neighbours.nearest(query, k, |row| labels[row], &mut out);
                prop_assert_eq!(&out, &brute_force(&points, &labels, query, k));
            }
        }
    }

    #[test]
    fn many_identical_rows_neither_crash_nor_hide_the_others() {
        let mut rows = vec![vec![0.5_f32; 4]; 20_000];
        rows.push(vec![0.25; 4]);
        let points = matrix(&rows, 4);
        let neighbours = Neighbours::new(&points).expect("columns");
        let mut out = Vec::new();
        neighbours.nearest(&[0.25; 4], 3, |_| LabelId(0), &mut out);
        assert_eq!(out.iter().map(|n| n.row).collect::<Vec<_>>(), [20_000, 0, 1]);
    }

    #[test]
    fn a_query_that_cannot_be_searched_has_no_neighbours() {
        let points = matrix(&[vec![0.0, 1.0]], 2);
        let neighbours = Neighbours::new(&points).expect("columns");
        let mut out = Vec::new();
        for query in [&[0.0_f32][..], &[f32::NAN, 0.0], &[f32::INFINITY, 0.0]] {
            neighbours.nearest(query, 1, |_| LabelId(0), &mut out);
            assert_eq!(out, []);
        }
        assert!(Neighbours::new(&Array2::zeros((1, 0))).is_err());
    }

    #[test]
    fn votes_weigh_by_distance_and_an_exact_match_decides() {
        let at = |label: u16, distance: f32| Neighbour { row: 0, label: LabelId(label), squared: distance * distance };
        let mut votes = [0.0; 3];
        let mut vote = |neighbours: &[Neighbour]| vote(neighbours, &mut votes);
        assert_eq!(vote(&[]), None);
        assert_eq!(vote(&[at(2, 1.0), at(1, 4.0), at(1, 4.0)]), Some((LabelId(2), 1.0 / 1.5)));
        assert_eq!(vote(&[at(2, 2.0), at(1, 4.0), at(1, 4.0)]), Some((LabelId(1), 0.5)), "equal weight: lower label");
        assert_eq!(vote(&[at(2, 0.0), at(1, 0.1), at(1, 0.1)]), Some((LabelId(2), 1.0)));
        assert_eq!(vote(&[at(1, 0.0), at(1, 0.0), at(2, 0.0)]), Some((LabelId(1), 2.0 / 3.0)));
    }
}
