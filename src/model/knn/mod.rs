//! The nearest points of a query, exactly, and their vote.
//!
//! [`Neighbours`] is asked by the classifier once a flow and answers both questions of a verdict: the nearest points of
//! all, and the nearest benign one. What is near is decided by one function, [`squared_distance`], and equals by one
//! order, [`Neighbour::key`]; the engines only find the points that are worth asking about, so the answer depends neither
//! on the engine nor on the vector instructions of the machine.
//!
//! - [`Dense`] takes the distance of all points, without a branch: fastest for a few hundred.
//! - [`Scan`] compares the query with blocks of points in whole numbers of 7 bits. It serves small and large models:
//!   from 396 to a million points it took less time than the tree, near the points and far from them, and about a
//!   hundredth in the worst case, points spread evenly over 20 dimensions (docs/performance.md).
//! - [`Tree`] is `linfa-nn`'s k-d tree. It takes over where points of few columns ([`TREE_COLUMNS`]) stand closer together
//!   than the scan's numbers can tell, so that the scan would have to look at too many of them ([`CROWDED`]).
//!
//! Scan and tree know the Euclidean distance, and so the cosine of points of length 1. [`Dense`] knows the sum of absolute
//! differences too, and [`Linear`] searches by it where there are more points.

mod blocks;
mod codes;
mod dense;
mod kernel;
mod linear;
mod metric;
mod nearest;
mod scan;
#[cfg(test)]
mod tests;
mod tree;
mod vote;

use ndarray::Array2;

use super::LabelId;
use dense::Dense;
use linear::Linear;
pub(super) use metric::write_direction;
pub use metric::{Metric, Weighting};
pub(super) use nearest::Neighbour;
use nearest::{Nearest, squared_distance};
use scan::Scan;
use tree::Tree;
pub(super) use vote::{greatest, vote};

/// An index over a matrix of points, one a row, for one thread.
pub(super) struct Neighbours<'m> {
    dense: Option<Dense<'m>>,
    large: Large<'m>,
}

/// What serves where the dense pass does not.
enum Large<'m> {
    Euclidean { scan: Box<Scan<'m>>, tree: Option<Tree<'m>> },
    Any(Linear<'m>),
}

/// What is searched: points, the label of each, the benign ones among them again, in the same order, and what near means.
/// Under the cosine all points are of length 1.
#[derive(Clone, Copy)]
pub(super) struct Points<'m> {
    pub(super) all: &'m Array2<f32>,
    pub(super) labels: &'m [LabelId],
    pub(super) benign: &'m Array2<f32>,
    pub(super) benign_label: LabelId,
    pub(super) metric: Metric,
}

/// The points cannot be searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoIndex {
    /// A matrix without columns.
    #[error("points without coordinates")]
    NoCoordinates,
    /// More rows than are counted in 32 bits, or not as many labels as rows.
    #[error("too many points, or not a label for each")]
    Rows,
}

impl<'m> Neighbours<'m> {
    /// Builds the index: 1 to 3 µs a point; beside the points 1 byte for each column that varies and 6 bytes a point.
    ///
    /// # Errors
    /// When the points have no coordinates or the labels do not fit them.
    pub(super) fn new(points: Points<'m>) -> Result<Self, NoIndex> {
        let dense = Some(Dense::new(points)?).filter(Dense::suits_points);
        let large = match points.metric {
            Metric::L1 => Large::Any(Linear::new(points)),
            Metric::L2 | Metric::Cosine => {
                let mut scan = Box::new(Scan::new(points.all, points.labels, points.benign_label)?);
                let tree = if is_crowded(&mut scan, points.all) { Some(Tree::new(points)?) } else { None };
                Large::Euclidean { scan, tree }
            }
        };
        Ok(Self { dense, large })
    }

    /// Writes the `k` nearest points, nearest first, equals by [`Neighbour::key`], and returns the nearest benign one.
    /// Fewer if there are fewer; none for a query of the wrong length or with a coordinate that is not finite.
    pub(super) fn search(&mut self, query: &[f32], k: usize, found: &mut Vec<Neighbour>) -> Option<Neighbour> {
        if let Some(dense) = self.dense.as_mut().filter(|_| k <= MOST_NEIGHBOURS) {
            return dense.search(query, k, found);
        }
        let (scan, tree) = match &mut self.large {
            Large::Any(linear) => return linear.search(query, k, found),
            Large::Euclidean { scan, tree } => (scan, tree),
        };
        let budget = if tree.is_some() { CROWDED } else { usize::MAX };
        match (scan.search(query, k, budget, found), tree) {
            (Ok(benign), _) => benign,
            (Err(_), Some(tree)) => tree.search(query, k, found),
            // Nobody looks at more points than there are.
            (Err(_), None) => None,
        }
    }
}

/// Whether points of few columns, asked about themselves, make the scan look at more than [`CROWDED`] of them.
fn is_crowded(scan: &mut Scan<'_>, points: &Array2<f32>) -> bool {
    if scan.columns() > TREE_COLUMNS {
        return false;
    }
    let mut found = Vec::new();
    let step = (points.nrows() / SAMPLE).max(1);
    let sample = points.outer_iter().step_by(step).take(SAMPLE);
    let crowded =
        sample.filter_map(|point| point.to_slice().map(|point| scan.search(point, 1, CROWDED, &mut found).is_err()));
    crowded.filter(|&over| over).count() > SAMPLE / 2
}

/// Exact distances that the scan may take for a query before the tree takes over, where there is a tree. Where codes
/// tell points apart, a query takes 10 to 200, and about 400 among a million points.
const CROWDED: usize = 1024;

/// Columns that vary, at most, for the tree. Among 300,000 points in 50 tight clusters it took 31 to 68 µs for 1 to 4
/// columns and the scan 280 to 380; among 100,000 of 20 columns the tree took 915 and the scan 266.
const TREE_COLUMNS: usize = 4;

/// Neighbours, at most, for the dense pass: it goes once over its lanes for each.
const MOST_NEIGHBOURS: usize = 16;

/// The row of a place of a block or group without a point: no matrix has it.
const NOBODY: u32 = u32::MAX;

/// Points that are asked when an index is built: a few are enough to tell a crowded model.
const SAMPLE: usize = 16;
