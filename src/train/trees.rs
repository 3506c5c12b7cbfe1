//! Decision trees and random forests (Breiman, Friedman, Olshen and Stone 1984; Breiman 2001), grown on points of the
//! transformed space.
//!
//! Splits are exact: every place between two values of a coordinate is tried, and the one with the least Gini impurity is
//! taken, of equal ones the first. Grown here and not by `linfa-trees`, which sums in the order of a hash map and so gives
//! other trees in each run.

use serde::{Deserialize, Serialize};

use super::parallel::in_parallel;
use super::random::Random;
use crate::model::{Node, TreeParts};

/// How a tree is grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TreeSpec {
    /// Splits between the root and a leaf, at most.
    pub max_depth: usize,
    /// Rows in a leaf, at least.
    pub min_leaf: usize,
}

impl Default for TreeSpec {
    fn default() -> Self {
        Self { max_depth: DEEPEST, min_leaf: 1 }
    }
}

/// How a forest is grown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ForestSpec {
    /// How many trees.
    pub trees: usize,
    /// Splits between a root and a leaf, at most.
    pub max_depth: usize,
    /// Rows in a leaf, at least.
    pub min_leaf: usize,
    /// Coordinates that are tried at each split; the whole square root of all if it is not said.
    pub coordinates: Option<usize>,
}

impl Default for ForestSpec {
    fn default() -> Self {
        Self { trees: 100, max_depth: DEEPEST, min_leaf: 1, coordinates: None }
    }
}

/// Points with their labels, as trees see them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    pub(super) points: &'a [&'a [f32]],
    pub(super) labels: &'a [u16],
    /// How many labels there are.
    pub(super) count: usize,
}

/// A grown tree.
pub(super) struct Grown {
    pub(super) tree: TreeParts,
    /// By coordinate, how much impurity its splits took away, weighed by rows.
    pub(super) importance: Vec<f64>,
}

/// Grows one tree on all points.
pub(super) fn tree(sample: Sample<'_>, spec: TreeSpec) -> Grown {
    let weights = vec![1.0; sample.points.len()];
    grow(sample, spec, weights, None)
}

/// Grows a forest: each tree on as many rows as there are, drawn with repetition, and with some coordinates at each split.
pub(super) fn forest(sample: Sample<'_>, spec: ForestSpec, seed: u64) -> Vec<Grown> {
    let rows = sample.points.len();
    let dimensions = sample.points.first().map_or(0, |point| point.len());
    let tried = spec.coordinates.unwrap_or_else(|| (dimensions as f64).sqrt() as usize).clamp(1, dimensions.max(1));
    let of = TreeSpec { max_depth: spec.max_depth, min_leaf: spec.min_leaf };
    let one = |number: usize| {
        // A stream of its own for each tree: more trees leave the first ones as they are.
        let mut random = Random::new(seed ^ FOREST ^ (number as u64) << 32);
        let mut weights = vec![0.0; rows];
        for _ in 0..rows {
            weights[random.below(rows)] += 1.0;
        }
        grow(sample, of, weights, Some((tried, random)))
    };
    in_parallel(spec.trees, one)
}

fn grow(sample: Sample<'_>, spec: TreeSpec, weights: Vec<f64>, some: Option<(usize, Random)>) -> Grown {
    let dimensions = sample.points.first().map_or(0, |point| point.len());
    let rows: Vec<usize> = (0..sample.points.len()).filter(|&row| weights[row] > 0.0).collect();
    let mut grower = Grower {
        sample,
        spec: TreeSpec { max_depth: spec.max_depth.min(DEEPEST), min_leaf: spec.min_leaf.max(1) },
        weights,
        some,
        nodes: Vec::new(),
        importance: vec![0.0; dimensions],
    };
    grower.node(rows, 0);
    Grown { tree: TreeParts { nodes: grower.nodes }, importance: grower.importance }
}

struct Grower<'a> {
    sample: Sample<'a>,
    spec: TreeSpec,
    /// How often each row counts.
    weights: Vec<f64>,
    /// How many coordinates are tried at a split, and by what they are drawn; all if it is not said.
    some: Option<(usize, Random)>,
    nodes: Vec<Node>,
    importance: Vec<f64>,
}

/// The best split of some rows.
struct Split {
    coordinate: usize,
    threshold: f32,
    /// Rows times impurity on both sides.
    impurity: f64,
}

impl Grower<'_> {
    /// Adds the node of some rows and all below it.
    fn node(&mut self, rows: Vec<usize>, depth: usize) {
        let counts = self.counts(&rows);
        let total: f64 = counts.iter().sum();
        let impurity = impurity(squares(&counts), total);
        let divides = depth < self.spec.max_depth && impurity > 0.0;
        let split = if divides { self.best_split(&rows, &counts, total) } else { None };
        // A split that gains nothing by itself counts too: labels that lie crosswise part only at the second.
        let Some(Split { coordinate, threshold, impurity: left_over }) = split else {
            let share = |count: &f64| if total > 0.0 { (count / total * 1e5).round() as f32 / 1e5 } else { 0.0 };
            self.nodes.push(Node::Leaf(counts.iter().map(share).collect()));
            return;
        };
        self.importance[coordinate] += (impurity - left_over).max(0.0);
        let (below, above): (Vec<usize>, Vec<usize>) =
            rows.into_iter().partition(|&row| self.sample.points[row][coordinate] <= threshold);
        let own = self.nodes.len();
        self.nodes.push(Node::Leaf(Vec::new()));
        self.node(below, depth + 1);
        self.nodes[own] = Node::Split(coordinate as u16, threshold, self.nodes.len() as u32);
        self.node(above, depth + 1);
    }

    fn best_split(&mut self, rows: &[usize], counts: &[f64], total: f64) -> Option<Split> {
        let dimensions = self.importance.len();
        let mut order: Vec<usize> = (0..dimensions).collect();
        let tried = match &mut self.some {
            Some((tried, random)) => {
                random.shuffle(&mut order);
                *tried
            }
            None => dimensions,
        };
        let mut best: Option<Split> = None;
        let mut column: Vec<(f32, usize)> = Vec::with_capacity(rows.len());
        let mut looked_at = 0;
        for coordinate in order {
            column.clear();
            column.extend(rows.iter().map(|&row| (self.sample.points[row][coordinate], row)));
            let first = column.first().map_or(0.0, |(x, _)| *x);
            // A coordinate on which all agree is no choice, and another one is drawn for it.
            if column.iter().all(|(x, _)| *x == first) {
                continue;
            }
            column.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            self.try_coordinate(coordinate, &column, counts, total, &mut best);
            looked_at += 1;
            if looked_at == tried {
                break;
            }
        }
        best
    }

    /// Tries every place between two values of a sorted column.
    fn try_coordinate(
        &self,
        coordinate: usize,
        column: &[(f32, usize)],
        counts: &[f64],
        total: f64,
        best: &mut Option<Split>,
    ) {
        let (mut below, mut above) = (vec![0.0; counts.len()], counts.to_vec());
        // Squares are carried along: whole numbers, so exact, and no sum over all labels at each place.
        let (mut weight_below, mut squares_below, mut squares_above) = (0.0, 0.0, squares(counts));
        for (place, &(value, row)) in column.iter().enumerate() {
            let Some(&(next, _)) = column.get(place + 1) else { break };
            let label = usize::from(self.sample.labels[row]);
            let weight = self.weights[row];
            squares_below += weight * (2.0 * below[label] + weight);
            squares_above -= weight * (2.0 * above[label] - weight);
            below[label] += weight;
            above[label] -= weight;
            weight_below += weight;
            let (rows_below, rows_above) = (place + 1, column.len() - place - 1);
            if value == next || rows_below < self.spec.min_leaf || rows_above < self.spec.min_leaf {
                continue;
            }
            let left_over = impurity(squares_below, weight_below) + impurity(squares_above, total - weight_below);
            if best.as_ref().is_none_or(|best| left_over < best.impurity - LEAST_GAIN) {
                let middle = f32::midpoint(value, next);
                // Rounding may have reached the next value, which belongs to the other side.
                let threshold = if middle < next { middle } else { value };
                *best = Some(Split { coordinate, threshold, impurity: left_over });
            }
        }
    }

    /// Weight of each label.
    fn counts(&self, rows: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.sample.count];
        for &row in rows {
            counts[usize::from(self.sample.labels[row])] += self.weights[row];
        }
        counts
    }
}

/// Gini impurity times rows, of a total and the squares of what each label has of it: `n (1 - Σ p²)`.
fn impurity(squares: f64, total: f64) -> f64 {
    if total > 0.0 { total - squares / total } else { 0.0 }
}

fn squares(counts: &[f64]) -> f64 {
    counts.iter().map(|count| count * count).sum()
}

/// Deeper trees only learn single rows by heart, and growing goes one call deeper a level.
const DEEPEST: usize = 48;
/// Differences of rounding decide nothing.
const LEAST_GAIN: f64 = 1e-9;
/// The seed's stream for forests.
const FOREST: u64 = 0x666f_7265_7374_0000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walk(tree: &TreeParts, point: &[f32]) -> Vec<f32> {
        let mut at = 0;
        loop {
            match &tree.nodes[at] {
                Node::Leaf(shares) => return shares.clone(),
                Node::Split(coordinate, threshold, other) => {
                    at = if point[usize::from(*coordinate)] <= *threshold { at + 1 } else { *other as usize };
                }
            }
        }
    }

    #[test]
    fn a_tree_finds_the_split_that_tells_and_its_importance() {
        // The second coordinate tells, the first is noise.
        let points: Vec<Vec<f32>> = (0..40_u8).map(|n| vec![f32::from(n % 7), f32::from(n)]).collect();
        let labels: Vec<u16> = (0..40).map(|n| u16::from(n >= 15)).collect();
        let views: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let Grown { tree, importance } =
            tree(Sample { points: &views, labels: &labels, count: 2 }, TreeSpec::default());
        assert_eq!(tree.nodes, [Node::Split(1, 14.5, 2), Node::Leaf(vec![1.0, 0.0]), Node::Leaf(vec![0.0, 1.0])]);
        // 40 rows with shares .375 and .625: n (1 - Σ p²) is 18.75, and nothing is left over.
        assert_eq!(importance, [0.0, 18.75]);
    }

    #[test]
    fn labels_that_lie_crosswise_are_told_apart() {
        let points = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
        let views: Vec<&[f32]> = points.iter().map(<[f32; 2]>::as_slice).collect();
        let sample = Sample { points: &views, labels: &[0, 0, 1, 1], count: 2 };
        let whole = tree(sample, TreeSpec::default()).tree;
        assert_eq!(whole.leaves(), 4);
        assert_eq!(points.map(|point| walk(&whole, &point)[1]), [0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn depth_and_leaves_are_bounded() {
        let points: Vec<Vec<f32>> = (0..64_u8).map(|n| vec![f32::from(n)]).collect();
        let labels: Vec<u16> = (0..64).map(|n| n % 2).collect();
        let views: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let sample = Sample { points: &views, labels: &labels, count: 2 };
        assert!(tree(sample, TreeSpec { max_depth: 3, min_leaf: 1 }).tree.leaves() <= 8);
        assert!(tree(sample, TreeSpec { max_depth: 40, min_leaf: 16 }).tree.leaves() <= 4);
        assert_eq!(tree(sample, TreeSpec { max_depth: 0, min_leaf: 1 }).tree.nodes, [Node::Leaf(vec![0.5, 0.5])]);
    }

    proptest! {
        #[test]
        fn a_full_tree_knows_its_rows_and_a_forest_repeats_with_its_seed(
            rows in proptest::collection::vec((proptest::collection::vec(0..20_u8, 3), 0..3_u16), 1..60),
            seed: u64,
        ) {
            let points: Vec<Vec<f32>> = rows.iter().map(|(row, _)| row.iter().map(|x| f32::from(*x)).collect()).collect();
            let views: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
            let labels: Vec<u16> = rows.iter().map(|(_, label)| *label).collect();
            let sample = Sample { points: &views, labels: &labels, count: 3 };
            let whole = tree(sample, TreeSpec::default()).tree;
            for (point, _) in points.iter().zip(&labels) {
                // Its leaf says how often each label stands at this very point.
                let same = || points.iter().zip(&labels).filter(|(other, _)| *other == point);
                let shares = walk(&whole, point);
                for (label, share) in (0..).zip(&shares) {
                    let expected = same().filter(|(_, of)| **of == label).count() as f32 / same().count() as f32;
                    prop_assert!((share - expected).abs() < 1e-4, "{shares:?} {expected}");
                }
            }
            let spec = ForestSpec { trees: 4, ..ForestSpec::default() };
            let nodes = |seed| forest(sample, spec, seed).into_iter().map(|grown| grown.tree).collect::<Vec<_>>();
            prop_assert_eq!(nodes(seed), nodes(seed));
            let shares: Vec<f32> = walk(&nodes(seed)[0], &points[0]);
            prop_assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        }
    }
}
