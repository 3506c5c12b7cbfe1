//! A model's pipeline, declared in one YAML file: which columns, how they are scaled, how rows are split and resampled,
//! which engine. What is not said keeps its default; what is said wrongly is named with its place.

use serde::{Deserialize, Serialize};

use super::columns::FeaturesSpec;
use super::engine::EngineSpec;
use super::labels::View;
use super::sampling::ResampleSpec;
use super::scaling::{Missing, ScalingKind, TransformSpec};
use super::select::SelectSpec;
use super::split::SplitSpec;
use crate::model::transform::{DEFAULT_KNOTS, MAX_KNOTS};

/// The declaration; the artifact keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pipeline {
    /// How labels are grouped.
    pub view: View,
    /// Candidate columns.
    #[serde(skip_serializing_if = "FeaturesSpec::is_default")]
    pub features: FeaturesSpec,
    /// Which of them are read; all without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<SelectSpec>,
    /// What stands for values that are missing or not finite.
    pub missing: Missing,
    /// How values become coordinates.
    pub scaling: ScalingKind,
    /// Quantiles of each feature, where scaling is by quantiles.
    pub knots: usize,
    /// What the model is measured on.
    pub split: SplitSpec,
    /// What is done to the points of a fit.
    pub resample: ResampleSpec,
    /// How it decides.
    pub engine: EngineSpec,
    /// How much stands for the training flows, and what is novel.
    pub points: PointsSpec,
}

/// Sizes of what a model keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PointsSpec {
    /// Prototypes of benign flows: the reference of novelty, and the benign points of an engine of centroids.
    pub benign: usize,
    /// Prototypes of all attack labels together, in an engine of centroids.
    pub attacks: usize,
    /// The share of an unseen capture's benign flows that may be novel.
    pub novelty_fpr: f64,
}

/// What is wrong with a pipeline file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct PipelineError {
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

impl Pipeline {
    /// Reads the text of a pipeline file.
    ///
    /// # Errors
    /// The first thing that is wrong: no YAML, an unknown key, a value that cannot be meant.
    pub fn parse(text: &str) -> Result<Self, PipelineError> {
        // Without snippets an error is one line.
        let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
        let read = serde_saphyr::from_str_with_options::<Option<Self>>(text, options).map_err(|error| {
            let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
            PipelineError { line, column, message: error.without_snippet().to_string() }
        });
        let pipeline = read?.unwrap_or_default();
        pipeline.check().map_err(|message| PipelineError { line: 1, column: 1, message })?;
        Ok(pipeline)
    }

    /// Whether its numbers can be meant.
    fn check(&self) -> Result<(), String> {
        let Self { knots, points, engine, .. } = self;
        if !(2..=MAX_KNOTS).contains(knots) {
            return Err(format!("knots: {knots}, where 2 to {MAX_KNOTS} are possible"));
        }
        if points.benign < 2 || points.benign + points.attacks > crate::model::MAX_POINTS {
            return Err(format!(
                "points: at least 2 benign and at most {} in all are possible",
                crate::model::MAX_POINTS
            ));
        }
        if !(points.novelty_fpr > 0.0 && points.novelty_fpr < 1.0) {
            return Err(format!(
                "points.novelty_fpr: {}, where a share between 0 and 1 is possible",
                points.novelty_fpr
            ));
        }
        engine.check()
    }

    /// The transform to fit.
    #[must_use]
    pub const fn transform(&self) -> TransformSpec {
        TransformSpec { scaling: self.scaling, missing: self.missing, knots: self.knots }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            view: View::default(),
            features: FeaturesSpec::default(),
            select: None,
            missing: Missing::default(),
            scaling: ScalingKind::default(),
            knots: DEFAULT_KNOTS,
            split: SplitSpec::default(),
            resample: ResampleSpec::default(),
            engine: EngineSpec::default(),
            points: PointsSpec::default(),
        }
    }
}

impl Default for PointsSpec {
    fn default() -> Self {
        Self { benign: BENIGN_PROTOTYPES, attacks: ATTACK_PROTOTYPES, novelty_fpr: NOVELTY_FPR }
    }
}

/// Novelty needs about this many benign points; more lost nothing and gained nothing.
const BENIGN_PROTOTYPES: usize = 256;
/// In the middle of the 110 to 160 that lose nothing against all rows.
const ATTACK_PROTOTYPES: usize = 140;
/// Half a flow in a hundred of an unseen capture's background.
const NOVELTY_FPR: f64 = 0.005;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kept, Metric, Weighting};
    use crate::train::engine::{ForestSpec, KnnSpec};

    #[test]
    fn an_empty_file_is_the_default_and_every_key_can_be_said() {
        assert_eq!(Pipeline::parse("").expect("empty"), Pipeline::default());
        assert_eq!(Pipeline::parse("# nothing\n").expect("a comment"), Pipeline::default());
        let text = "view: labels\nmissing: median\nscaling: signed-log\nengine: {name: knn, k: 5, metric: cosine, \
                    weighting: uniform, kept: condensed}\npoints: {benign: 64}\n";
        let pipeline = Pipeline::parse(text).expect("a pipeline");
        assert_eq!((pipeline.view, pipeline.scaling), (View::Labels, ScalingKind::SignedLog));
        assert_eq!((pipeline.points.benign, pipeline.points.attacks), (64, ATTACK_PROTOTYPES));
        let knn = KnnSpec { k: 5, metric: Metric::Cosine, weighting: Weighting::Uniform, kept: Kept::Condensed };
        assert_eq!(pipeline.engine, EngineSpec::Knn(knn));
        let forest = Pipeline::parse("engine: {name: forest, trees: 7}").expect("a forest").engine;
        assert_eq!(forest, EngineSpec::Forest(ForestSpec { trees: 7, ..ForestSpec::default() }));
        assert_eq!(Pipeline::parse("engine: {name: majority}").expect("the floor").engine, EngineSpec::Majority);
    }

    #[test]
    fn what_cannot_be_meant_is_named_with_its_place() {
        for (text, line, words) in [
            ("view: stages\nscale: robust\n", 2, "scale"),
            ("scaling: minmax\n", 1, "minmax"),
            ("engine: {name: svm}\n", 1, "svm"),
            ("view: stages\nengine: {name: knn, neighbours: 3}\n", 2, "neighbours"),
            ("engine: {name: knn, k: 0}\n", 1, "k: 0"),
            ("engine: {name: knn, metric: l3}\n", 1, "l3"),
            ("engine: {name: forest, trees: 0}\n", 1, "trees: 0"),
            ("knots: 1\n", 1, "knots: 1"),
            ("points: {novelty_fpr: 1.5}\n", 1, "novelty_fpr"),
            ("points: {benign: 1}\n", 1, "at least 2"),
            ("view: [\n", 1, ""),
        ] {
            let error = Pipeline::parse(text).expect_err(text);
            assert!(error.to_string().contains(words), "{text}: {error}");
            assert!(error.line >= line || words.is_empty(), "{text}: {error}");
        }
    }

    #[test]
    fn the_declaration_survives_the_artifact() {
        let pipeline =
            Pipeline::parse("engine: {name: tree, max_depth: 4}\nsplit: {kind: random, folds: 3}\n").expect("one");
        let value = serde_json::to_value(&pipeline).expect("encodes");
        assert_eq!(serde_json::from_value::<Pipeline>(value).expect("decodes"), pipeline);
    }
}
