//! The engine of a model, declared and fitted.

use serde::{Deserialize, Serialize};

use super::condense::condense;
use super::trees::{self, Grown, Sample};
pub use super::trees::{ForestSpec, TreeSpec};
use crate::model::{EngineParts, Kept, KnnParts, MAX_K, MAX_TREES, MajorityParts, Metric, Weighting};

/// An engine to fit, by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum EngineSpec {
    /// The nearest points vote.
    Knn(KnnSpec),
    /// One decision tree.
    Tree(TreeSpec),
    /// A random forest.
    Forest(ForestSpec),
    /// Always the most frequent label.
    Majority,
}

/// Settings of nearest neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KnnSpec {
    /// How many vote.
    pub k: usize,
    /// What near means.
    pub metric: Metric,
    /// How votes are weighed.
    pub weighting: Weighting,
    /// What is kept of the training rows.
    pub kept: Kept,
}

impl Default for EngineSpec {
    fn default() -> Self {
        Self::Knn(KnnSpec::default())
    }
}

impl Default for KnnSpec {
    fn default() -> Self {
        Self { k: NEIGHBOURS, metric: Metric::L1, weighting: Weighting::Distance, kept: Kept::Centroids }
    }
}

/// What an engine is fitted on: each label's points of the transformed space.
pub(super) struct Material<'a> {
    /// Every training row's point, by label.
    pub(super) by_label: &'a [Vec<Vec<f32>>],
    /// Prototypes of the labels.
    pub(super) prototypes: &'a [Vec<f32>],
    /// The label of each prototype.
    pub(super) prototype_labels: &'a [u16],
}

impl EngineSpec {
    /// The engine's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Knn(_) => "knn",
            Self::Tree(_) => "tree",
            Self::Forest(_) => "forest",
            Self::Majority => "majority",
        }
    }

    /// The engine of a name, with its defaults.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all =
            [Self::default(), Self::Tree(TreeSpec::default()), Self::Forest(ForestSpec::default()), Self::Majority];
        all.into_iter().find(|engine| engine.name() == name)
    }

    /// Whether its numbers can be meant.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Knn(KnnSpec { k, .. }) if !(1..=MAX_K).contains(k) => {
                Err(format!("engine: k: {k}, where 1 to {MAX_K} neighbours are possible"))
            }
            Self::Forest(ForestSpec { trees, .. }) if !(1..=MAX_TREES).contains(trees) => {
                Err(format!("engine: trees: {trees}, where 1 to {MAX_TREES} are possible"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is fitted on prototypes.
    pub(super) const fn keeps_prototypes(&self) -> bool {
        matches!(self, Self::Knn(KnnSpec { kept: Kept::Centroids, .. }))
    }

    /// What far means in the novelty of its models: its own metric, if it has one that tells.
    pub(super) const fn novelty_metric(&self) -> Metric {
        match self {
            Self::Knn(KnnSpec { metric: Metric::L2, .. }) => Metric::L2,
            _ => Metric::L1,
        }
    }

    /// Whether its own benign points are prototypes that tell novelty as well.
    pub(super) fn tells_novelty(&self) -> bool {
        matches!(self, Self::Knn(spec) if spec.metric == self.novelty_metric() && spec.kept == Kept::Centroids)
    }

    /// The same engine with every training row kept, if that is another one.
    pub(super) fn with_all_points(&self) -> Option<Self> {
        match self {
            Self::Knn(spec) if spec.kept != Kept::Exact => {
                Some(Self::Knn(KnnSpec { kept: Kept::Exact, ..spec.clone() }))
            }
            _ => None,
        }
    }

    /// Fits the engine.
    pub(super) fn fit(&self, material: &Material<'_>, seed: u64) -> EngineParts {
        match self {
            Self::Knn(spec) => EngineParts::Knn(spec.fit(material, seed)),
            Self::Tree(spec) => EngineParts::Tree(material.with_sample(|sample| trees::tree(sample, *spec).tree)),
            Self::Forest(spec) => {
                let grown = material.with_sample(|sample| trees::forest(sample, *spec, seed));
                EngineParts::Forest(grown.into_iter().map(|Grown { tree, .. }| tree).collect())
            }
            Self::Majority => {
                let counts: Vec<f32> = material.by_label.iter().map(|points| points.len() as f32).collect();
                let total: f32 = counts.iter().sum();
                EngineParts::Majority(MajorityParts {
                    shares: counts.iter().map(|count| count / total.max(1.0)).collect(),
                })
            }
        }
    }
}

impl KnnSpec {
    fn fit(&self, material: &Material<'_>, seed: u64) -> KnnParts {
        let (points, point_labels) = match self.kept {
            Kept::Centroids => (material.prototypes.to_vec(), material.prototype_labels.to_vec()),
            Kept::Exact => material
                .with_sample(|all| (all.points.iter().map(|point| on_grid(point)).collect(), all.labels.to_vec())),
            Kept::Condensed => material.with_sample(|all| {
                let kept = condense(all.points, all.labels, seed);
                (
                    kept.iter().map(|&row| on_grid(all.points[row])).collect(),
                    kept.iter().map(|&row| all.labels[row]).collect(),
                )
            }),
        };
        let Self { k, metric, weighting, kept } = *self;
        KnnParts { k: k.min(points.len()), metric, weighting, kept, unknown: None, points, point_labels }
    }
}

impl Material<'_> {
    /// All points in one list, label by label.
    fn with_sample<T>(&self, then: impl FnOnce(Sample<'_>) -> T) -> T {
        let points: Vec<&[f32]> = self.by_label.iter().flatten().map(Vec::as_slice).collect();
        let labels: Vec<u16> =
            (0..).zip(self.by_label).flat_map(|(label, points)| points.iter().map(move |_| label)).collect();
        then(Sample { points: &points, labels: &labels, count: self.by_label.len() })
    }
}

/// On the grid of an artifact's coordinates, which does not know numbers just above 0.
fn on_grid(point: &[f32]) -> Vec<f32> {
    point.iter().map(|x| (x * 1e6).round() / 1e6).collect()
}

/// Three neighbours, so that one odd point does not decide alone.
const NEIGHBOURS: usize = 3;
