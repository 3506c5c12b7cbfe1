//! How a model decides: engines behind one trait, chosen by name.
//!
//! An engine is read from its part of an artifact, never changes, and opens an [`Ask`] for each thread, which holds the
//! indexes and the scratch memory. All see the same thing, a point of the transformed space, and give every label's votes;
//! what is novel is decided beside them, by the [`Reference`]. A further engine is a file here and a variant of
//! [`EngineParts`].

mod knn;
mod majority;
mod reference;
mod trees;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::LabelId;
use super::error::ArtifactError;
use super::knn::Metric;
use super::parts::field;
pub use knn::{Kept, KnnParts, MAX_K};
pub use majority::MajorityParts;
pub(super) use reference::{Benign, Reference};
pub use trees::{MAX_TREES, Node, TreeParts};

/// What an artifact holds of an engine; the names are those of the JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineParts {
    /// The nearest points vote.
    Knn(KnnParts),
    /// One decision tree.
    Tree(TreeParts),
    /// The mean of several.
    Forest(Vec<TreeParts>),
    /// Always the most frequent label: the floor that others are held against.
    Majority(MajorityParts),
}

/// A way to decide.
pub(super) trait Engine: fmt::Debug + Send + Sync {
    /// What one thread needs to ask.
    fn asker<'m>(&'m self, reference: &'m Reference) -> Box<dyn Ask + 'm>;

    /// Its own benign points with their metric, if the novelty of a flow can be told by them.
    fn benign_points(&self) -> Option<(ndarray::Array2<f32>, Metric)> {
        None
    }
}

/// One thread's way to ask an engine.
pub(super) trait Ask: Send {
    /// Says what a point is. `votes` has one place a label; each label's part of the votes stands there afterwards, none
    /// negative.
    fn ask(&mut self, point: &[f32], votes: &mut [f32]) -> Opinion;
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Opinion {
    /// The label of most votes and its share of them, 0 to 1; `None` where nothing votes.
    pub(super) label: Option<(LabelId, f32)>,
    /// Votes for nothing that is known; they count where an alert is decided.
    pub(super) unknown: f32,
    /// The nearest benign point of the reference; `None` for a point of the wrong length.
    pub(super) benign: Option<Benign>,
}

/// What an engine's parts are checked against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Coordinates of a point.
    pub(super) dimensions: usize,
    /// Least and greatest coordinate that the transform gives.
    pub(super) range: (f32, f32),
    /// How many labels there are.
    pub(super) labels: usize,
    /// Which one is benign.
    pub(super) benign: LabelId,
}

impl EngineParts {
    /// The engine's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Knn(_) => "knn",
            Self::Tree(_) => "tree",
            Self::Forest(_) => "forest",
            Self::Majority(_) => "majority",
        }
    }

    /// The engine, once its parts keep every rule.
    ///
    /// # Errors
    /// Names the broken rule.
    pub(super) fn build(&self, frame: Frame) -> Result<Box<dyn Engine>, ArtifactError> {
        Ok(match self {
            Self::Knn(parts) => Box::new(parts.build(frame)?),
            Self::Tree(tree) => Box::new(trees::Trees::build(std::slice::from_ref(tree), frame)?),
            Self::Forest(forest) => Box::new(trees::Trees::build(forest, frame)?),
            Self::Majority(parts) => Box::new(trees::Trees::build(&[parts.as_tree()], frame)?),
        })
    }

    /// Points that stand for a label, or leaves that it wins; how the engine's size is told for each label.
    #[must_use]
    pub fn size_of(&self, label: u16) -> usize {
        match self {
            Self::Knn(parts) => parts.point_labels.iter().filter(|of| **of == label).count(),
            Self::Tree(tree) => tree.leaves_of(label),
            Self::Forest(forest) => forest.iter().map(|tree| tree.leaves_of(label)).sum(),
            Self::Majority(_) => 0,
        }
    }

    /// The same over all labels.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Knn(parts) => parts.points.len(),
            Self::Tree(tree) => tree.leaves(),
            Self::Forest(forest) => forest.iter().map(TreeParts::leaves).sum(),
            Self::Majority(_) => 0,
        }
    }

    /// One line for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Knn(KnnParts { k, metric, weighting, kept, points, .. }) => {
                let (metric, weighting, count) = (metric.name(), weighting.name(), points.len());
                format!("knn, k = {k}, {metric} distance, {weighting} weights, {count} points ({})", kept.meaning())
            }
            Self::Tree(tree) => format!("tree of {} leaves", tree.leaves()),
            Self::Forest(forest) => format!("forest of {} trees, {} leaves", forest.len(), self.size()),
            Self::Majority(_) => "majority: the most frequent label, whatever the flow".to_owned(),
        }
    }

    /// The nearest-neighbour parts, if it is that engine.
    #[must_use]
    pub const fn knn(&self) -> Option<&KnnParts> {
        match self {
            Self::Knn(parts) => Some(parts),
            _ => None,
        }
    }
}

/// Votes as an opinion of an engine that has shares only, beside the novelty of the point.
fn opinion(votes: &[f32], benign: Option<Benign>) -> Opinion {
    let total: f32 = votes.iter().sum();
    let label = super::knn::greatest(votes).map(|(label, most)| (label, (most / total).clamp(0.0, 1.0)));
    Opinion { label, unknown: 0.0, benign }
}

/// Shares of labels that add up to 1.
fn checked_shares(shares: &[f32], frame: Frame, name: &'static str) -> Result<(), ArtifactError> {
    if shares.len() != frame.labels {
        return Err(field(name, format!("{} shares for {} labels", shares.len(), frame.labels)));
    }
    let sum: f32 = shares.iter().sum();
    if !shares.iter().all(|share| (0.0..=1.0).contains(share)) || (sum - 1.0).abs() > 1e-3 {
        return Err(field(name, "shares that do not add up to 1"));
    }
    Ok(())
}
