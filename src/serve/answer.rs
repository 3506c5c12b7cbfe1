//! What the prediction service says of one flow.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::model::{Classifier, Model};
use crate::taxonomy;

/// The verdict on one flow. `label`, `score`, `novelty` and `novel` are those of `flowshrike predict`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Prediction<'a> {
    /// The label's number: that of the Kubernetes misuse data set where every label of the model has one there, else the
    /// label's position in the model's labels.
    pub(super) prediction: u16,
    /// The label of most votes.
    pub(super) label: &'a str,
    /// That label's share of the votes, 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub(super) score: f32,
    /// Distance to the nearest benign point of the model.
    #[schema(minimum = 0)]
    pub(super) novelty: f32,
    /// Whether `novelty` is above the model's threshold.
    pub(super) novel: bool,
    /// Every label's share of the votes.
    #[schema(value_type = std::collections::BTreeMap<String, f32>)]
    pub(super) probabilities: Shares<'a>,
    /// Columns that were read though the meter that names them so counts them a little differently.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    #[schema(required = false)]
    pub(super) notes: &'a [String],
    /// The model that says so.
    #[schema(value_type = ModelTag<'_>)]
    pub(super) model: &'a RawValue,
}

/// Which model answered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelTag<'a> {
    /// The artifact's name.
    pub(super) name: &'a str,
    /// The artifact's version.
    pub(super) version: &'a str,
    /// SHA-256 of the artifact, lower-case hexadecimal.
    pub(super) sha256: &'a str,
}

/// Labels with their shares.
#[derive(Debug)]
pub(super) struct Shares<'a> {
    labels: &'a [String],
    shares: &'a [f64],
    /// The verdict's label, whose share is its score.
    first: (usize, f32),
}

/// What one thread needs to answer: a classifier, and memory that is used again for each flow.
pub(super) struct Asker {
    classifier: Classifier<'static>,
    /// The flow's values.
    pub(super) values: Vec<f64>,
    shares: Vec<f64>,
}

/// What answers have in common.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) tag: Box<RawValue>,
    /// Each label's number.
    numbers: Vec<u16>,
}

impl Asker {
    pub(super) fn new(model: &'static Model) -> Self {
        Self { classifier: model.classifier(), values: Vec::new(), shares: Vec::new() }
    }

    /// The classifier alone.
    pub(super) const fn classifier(&mut self) -> &mut Classifier<'static> {
        &mut self.classifier
    }

    /// Appends the answer on the flow whose values stand in `values`; gives its label's position and whether it is novel.
    pub(super) fn answer(&mut self, common: &Common, notes: &[String], out: &mut Vec<u8>) -> (usize, bool) {
        let model = self.classifier.model();
        let verdict = self.classifier.scores_row(&self.values, &mut self.shares);
        let label = usize::from(verdict.label.0);
        let prediction = Prediction {
            prediction: common.numbers.get(label).copied().unwrap_or(verdict.label.0),
            label: model.label_name(verdict.label),
            score: verdict.score,
            novelty: if verdict.novelty.is_finite() { verdict.novelty } else { 0.0 },
            novel: verdict.novel,
            probabilities: Shares { labels: model.labels(), shares: &self.shares, first: (label, verdict.score) },
            notes,
            model: &common.tag,
        };
        // Writing to a vector cannot fail, and no part of it is without a JSON form.
        serde_json::to_writer(out, &prediction).unwrap_or_default();
        (label, verdict.novel)
    }
}

impl Common {
    pub(super) fn of(model: &Model) -> Result<Self, serde_json::Error> {
        let tag = ModelTag { name: model.name(), version: model.version(), sha256: model.sha256() };
        let published = |label: &String| taxonomy::class(label)?.published.map(u16::from);
        let numbers: Option<Vec<u16>> = model.labels().iter().map(published).collect();
        Ok(Self {
            tag: serde_json::value::to_raw_value(&tag)?,
            numbers: numbers.unwrap_or_else(|| (0..).take(model.labels().len()).collect()),
        })
    }
}

impl Serialize for Shares<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.labels.len()))?;
        for (position, (label, share)) in self.labels.iter().zip(self.shares).enumerate() {
            let share = if position == self.first.0 { self.first.1 } else { *share as f32 };
            map.serialize_entry(label, &share)?;
        }
        map.end()
    }
}
