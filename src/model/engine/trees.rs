//! Decision trees and their mean (Breiman, Friedman, Olshen and Stone 1984; Breiman 2001).
//!
//! A tree stands in an artifact as a list of nodes in pre-order: the branch for smaller values follows its split, the other
//! one is named by position and always comes later, so that every walk ends.

use serde::{Deserialize, Serialize};

use super::super::LabelId;
use super::super::error::ArtifactError;
use super::super::knn::greatest;
use super::super::parts::field;
use super::reference::Search;
use super::{Ask, Engine, Frame, Opinion, Reference, checked_shares, opinion};

/// One tree's nodes, in pre-order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeParts {
    /// The nodes; the first is the root.
    pub nodes: Vec<Node>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// Coordinate, threshold, and the position of the node for greater values; the next node is for the others.
    Split(u16, f32, u32),
    /// Each label's share of the training rows that ended here.
    Leaf(Vec<f32>),
}

impl TreeParts {
    /// How many leaves there are.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.nodes.iter().filter(|node| matches!(node, Node::Leaf(_))).count()
    }

    /// How many leaves a label wins.
    #[must_use]
    pub fn leaves_of(&self, label: u16) -> usize {
        let wins = |node: &&Node| match node {
            Node::Leaf(shares) => greatest(shares).is_some_and(|(most, _)| most == LabelId(label)),
            Node::Split(..) => false,
        };
        self.nodes.iter().filter(wins).count()
    }
}

/// Trees as they are walked.
#[derive(Debug)]
pub(super) struct Trees {
    nodes: Vec<Step>,
    /// Where each tree begins.
    roots: Vec<u32>,
    /// Shares of the leaves, `labels` numbers each.
    shares: Vec<f32>,
    labels: usize,
}

/// A node: where its coordinate is at most `threshold` the next one follows, else the one at `other`. A leaf has no
/// coordinate, and its shares begin at `other`.
#[derive(Clone, Copy, Debug)]
struct Step {
    coordinate: u16,
    threshold: f32,
    other: u32,
}

impl Trees {
    /// Checks and lays out the trees.
    ///
    /// # Errors
    /// Names the node that breaks a rule.
    pub(super) fn build(trees: &[TreeParts], frame: Frame) -> Result<Self, ArtifactError> {
        if trees.is_empty() || trees.len() > MAX_TREES {
            return Err(field("engine.forest", format!("{} trees: 1 to {MAX_TREES} are possible", trees.len())));
        }
        let mut built = Self { nodes: Vec::new(), roots: Vec::new(), shares: Vec::new(), labels: frame.labels };
        for (number, tree) in trees.iter().enumerate() {
            let wrong =
                |node: usize, problem: &str| field("engine.forest", format!("tree {number}, node {node}: {problem}"));
            let count = tree.nodes.len();
            if count == 0 || built.nodes.len() + count > MAX_NODES {
                return Err(wrong(count, &format!("no node, or more than {MAX_NODES} in all")));
            }
            let first = position(built.nodes.len());
            built.roots.push(first);
            for (at, node) in tree.nodes.iter().enumerate() {
                let step = match node {
                    Node::Split(coordinate, threshold, other) => {
                        if usize::from(*coordinate) >= frame.dimensions || !threshold.is_finite() {
                            return Err(wrong(at, "a coordinate or threshold that no point has"));
                        }
                        if (*other as usize) <= at + 1 || (*other as usize) >= count {
                            return Err(wrong(at, "its other branch is no later node"));
                        }
                        Step { coordinate: *coordinate, threshold: *threshold, other: first + other }
                    }
                    Node::Leaf(shares) => {
                        checked_shares(shares, frame, "engine.forest")?;
                        let other = position(built.shares.len());
                        built.shares.extend_from_slice(shares);
                        Step { coordinate: LEAF, threshold: 0.0, other }
                    }
                };
                built.nodes.push(step);
            }
            if !matches!(tree.nodes.last(), Some(Node::Leaf(_))) {
                return Err(wrong(count - 1, "the last node is no leaf"));
            }
        }
        Ok(built)
    }

    /// The shares of the leaf where a point ends.
    fn leaf(&self, root: u32, point: &[f32]) -> &[f32] {
        let mut at = root as usize;
        while let Some(&Step { coordinate, threshold, other }) = self.nodes.get(at) {
            if coordinate == LEAF {
                return self.shares.get(other as usize..).and_then(|from| from.get(..self.labels)).unwrap_or_default();
            }
            let below = point.get(usize::from(coordinate)).is_none_or(|x| *x <= threshold);
            at = if below { at + 1 } else { other as usize };
        }
        &[]
    }
}

impl Engine for Trees {
    fn asker<'m>(&'m self, reference: &'m Reference) -> Box<dyn Ask + 'm> {
        Box::new(Asker { trees: self, benign: reference.search() })
    }
}

struct Asker<'m> {
    trees: &'m Trees,
    benign: Search<'m>,
}

impl Ask for Asker<'_> {
    fn ask(&mut self, point: &[f32], votes: &mut [f32]) -> Opinion {
        votes.fill(0.0);
        for &root in &self.trees.roots {
            let shares = self.trees.leaf(root, point);
            votes.iter_mut().zip(shares).for_each(|(vote, share)| *vote += share);
        }
        opinion(votes, self.benign.nearest(point))
    }
}

fn position(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The coordinate of a leaf.
const LEAF: u16 = u16::MAX;
/// Bound on a forest.
pub const MAX_TREES: usize = 1000;
/// Bound on its nodes.
const MAX_NODES: usize = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame { dimensions: 2, range: (0.0, 1.0), labels: 2, benign: LabelId(0) }
    }

    fn tree() -> TreeParts {
        TreeParts {
            nodes: vec![
                Node::Split(1, 0.5, 4),
                Node::Split(0, 0.25, 3),
                Node::Leaf(vec![1.0, 0.0]),
                Node::Leaf(vec![0.5, 0.5]),
                Node::Leaf(vec![0.0, 1.0]),
            ],
        }
    }

    #[test]
    fn a_point_walks_to_its_leaf_and_a_threshold_belongs_to_the_smaller_side() {
        let trees = Trees::build(&[tree()], frame()).expect("a tree");
        for (point, shares) in
            [([0.25, 0.5], [1.0, 0.0]), ([0.26, 0.5], [0.5, 0.5]), ([0.0, 0.51], [0.0, 1.0]), ([0.0, 0.0], [1.0, 0.0])]
        {
            assert_eq!(trees.leaf(0, &point), shares, "{point:?}");
        }
        assert_eq!((tree().leaves(), tree().leaves_of(0), tree().leaves_of(1)), (3, 2, 1));
    }

    #[test]
    fn a_tree_that_could_be_walked_in_a_circle_or_off_its_end_is_refused() {
        type Change = fn(&mut Vec<Node>);
        let changes: [(&str, Change); 8] = [
            ("node 0: its other branch", |nodes| nodes[0] = Node::Split(1, 0.5, 0)),
            ("node 0: its other branch", |nodes| nodes[0] = Node::Split(1, 0.5, 1)),
            ("node 0: its other branch", |nodes| nodes[0] = Node::Split(1, 0.5, 5)),
            ("node 1: a coordinate", |nodes| nodes[1] = Node::Split(2, 0.5, 3)),
            ("node 1: a coordinate", |nodes| nodes[1] = Node::Split(0, f32::NAN, 3)),
            ("do not add up", |nodes| nodes[2] = Node::Leaf(vec![0.5, 0.0])),
            ("3 shares for 2", |nodes| nodes[2] = Node::Leaf(vec![0.5, 0.5, 0.0])),
            ("node 0: no node", Vec::clear),
        ];
        for (words, change) in changes {
            let mut parts = tree();
            change(&mut parts.nodes);
            let error = Trees::build(&[parts], frame()).expect_err(words).to_string();
            assert!(error.contains(words), "{error} does not say {words}");
        }
        let open =
            TreeParts { nodes: vec![Node::Split(0, 0.5, 2), Node::Leaf(vec![1.0, 0.0]), Node::Split(0, 0.5, 2)] };
        assert!(Trees::build(&[open], frame()).is_err());
        assert!(Trees::build(&[], frame()).is_err());
    }
}
