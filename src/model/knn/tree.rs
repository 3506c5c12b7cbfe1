//! `linfa-nn`'s k-d tree: the engine for crowded points, where distances in whole numbers tell too little.
//!
//! The tree leaves the order of equals open; [`Nearest`] decides it here too. It borrows the points and panics on a
//! coordinate that is not finite: points come from a checked artifact, queries from the transform, and both hold only
//! numbers from 0 to 1. It allocates for each search.

use linfa_nn::distance::Distance;
use linfa_nn::{KdTree, NearestNeighbour, NearestNeighbourIndex};
use ndarray::{Array2, ArrayView, ArrayView1, Dimension};

use super::{LabelId, Nearest, Neighbour, NoIndex, Points, squared_distance};

type Index<'m> = Box<dyn NearestNeighbourIndex<f32> + Send + Sync + 'm>;

/// Two trees: over all points, and over the benign ones.
pub(super) struct Tree<'m> {
    points: Points<'m>,
    all: Index<'m>,
    benign: Index<'m>,
    /// Row among all points of each benign one.
    benign_rows: Vec<usize>,
}

impl<'m> Tree<'m> {
    /// Builds both trees: about 1 µs a point.
    ///
    /// # Errors
    /// When the points have no coordinates.
    pub(super) fn new(points: Points<'m>) -> Result<Self, NoIndex> {
        let index = |points: &'m Array2<f32>| {
            KdTree.from_batch_with_leaf_size(points, LEAF, Euclidean).map_err(|_| NoIndex::NoCoordinates)
        };
        let benign = (0..).zip(points.labels).filter(|(_, label)| **label == points.benign_label);
        let benign_rows = benign.map(|(row, _)| row).collect();
        Ok(Self { points, all: index(points.all)?, benign: index(points.benign)?, benign_rows })
    }

    /// As [`Neighbours::search`](super::Neighbours::search).
    pub(super) fn search(&self, query: &[f32], k: usize, found: &mut Vec<Neighbour>) -> Option<Neighbour> {
        let Points { labels, benign_label, .. } = self.points;
        let benign_row = |row| self.benign_rows.get(row).copied();
        let mut nearest = Vec::with_capacity(1);
        self.nearest(&self.benign, query, 1, |row| Some((benign_row(row)?, benign_label)), &mut nearest);
        self.nearest(&self.all, query, k, |row| Some((row, *labels.get(row)?)), found);
        nearest.first().copied()
    }

    /// The `k` nearest points of an index, whose rows `point` knows.
    fn nearest(
        &self,
        index: &Index<'_>,
        query: &[f32],
        k: usize,
        point: impl Fn(usize) -> Option<(usize, LabelId)>,
        found: &mut Vec<Neighbour>,
    ) {
        let mut nearest = Nearest::new(k, found);
        if query.len() != self.points.all.ncols() || !query.iter().all(|x| x.is_finite()) {
            return;
        }
        let view = ArrayView1::from(query);
        let distance = |point| Euclidean.rdistance(view, point);
        // One more than asked for: if it is as far as the last one, the tree has chosen between equals by chance.
        let Ok(mut candidates) = index.k_nearest(view, k.saturating_add(1)) else { return };
        let last = k.checked_sub(1).and_then(|last| candidates.get(last)).map(|(point, _)| distance(*point));
        let next = candidates.get(k).map(|(point, _)| distance(*point));
        if let (Some(last), Some(next)) = (last, next)
            && last == next
        {
            // A little wider than the distance, which a square root may have rounded down; the order cuts it again.
            match index.within_range(view, last.sqrt() * 1.000_01 + f32::MIN_POSITIVE) {
                Ok(all) => candidates = all,
                Err(_) => return,
            }
        }
        for (candidate, row) in candidates {
            if let Some((row, label)) = point(row) {
                nearest.offer(Neighbour { row, label, reduced: distance(candidate) });
            }
        }
    }
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

/// Points in a leaf: small leaves cost heap entries, large ones distances.
const LEAF: usize = 16;
