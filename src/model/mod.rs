//! The model: a raw flow goes in, a [`Verdict`] comes out; the transform lives here, never in the caller.
//!
//! A [`Model`] is read from an artifact and never changes; a [`Classifier`] borrows it and holds what one thread needs
//! to ask it. Nothing here reads a file or a clock.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod artifact;
mod card;
mod classifier;
mod diff;
mod digest;
mod drift;
mod engine;
mod error;
mod evidence;
mod knn;
pub mod line;
mod memo;
mod novelty;
mod older;
mod parts;
pub mod transform;

use std::sync::Arc;

pub use card::{Card, LabelCard};
pub use classifier::Classifier;
pub use diff::{Change, Diff};
pub(crate) use digest::hex;
pub use digest::sha256_hex;
pub use drift::{Bin, Drift, Moved, SpreadParts};
pub use engine::{EngineParts, Kept, KnnParts, MAX_K, MAX_TREES, MajorityParts, Node, TreeParts};
pub use error::{ArtifactError, MAX_BYTES};
pub use evidence::{EvidenceKind, EvidenceParts, Least, NEVER_ALONE, alone_text};
pub use knn::{Metric, Weighting};
pub use novelty::TELLING;
pub use parts::{
    LinearParts, MAX_POINTS, MapParts, ModelParts, NoveltyParts, Parent, Provenance, ReferenceParts, ScalingParts,
    TransformParts, schema_sha256,
};

use crate::features::{FeatureId, Profile};
use transform::Transform;

/// Position of a label in [`Model::labels`]; `0` is not special, see the label's taxonomy class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelId(pub u16);

/// What a model says of one flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The engine's class, always.
    pub label: LabelId,
    /// That class's share of the votes, 0 to 1.
    pub score: f32,
    /// All attack labels' share of the votes, those for the unknown counted, 0 to 1: what alerts go by. Attacks that are hard to tell from each
    /// other are attacks all the same, and what is far from everything known is none for being less far from one.
    pub attack: f32,
    /// Distance to the nearest benign point, in the transformed space.
    pub novelty: f32,
    /// Whether `novelty` is above the model's threshold.
    pub novel: bool,
}

/// One feature that tells the flow from the model's benign points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Telling {
    /// Which feature.
    pub feature: FeatureId,
    /// The flow's raw value.
    pub value: f64,
    /// Its share of the distance to the nearest benign point, in the transformed space: the distance along this
    /// feature's coordinates alone. All features' shares add up to the novelty or, under the Euclidean distance, their squares to its
    /// square.
    pub distance: f32,
}

/// Everything that inference needs, checked.
#[derive(Clone, Debug)]
pub struct Model {
    parts: ModelParts,
    profile: Profile,
    features: Vec<FeatureId>,
    transform: Transform,
    engine: Arc<dyn engine::Engine>,
    reference: engine::Reference,
    benign_label: LabelId,
    sha256: Arc<str>,
}

/// Why the flows of captures and interfaces cannot be judged by a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotServe {
    /// The meter of the profile cannot give what the model reads.
    #[error(
        "model `{model}` was trained on `{trained}` flows and reads `{column}`, which the `{asked}` profile computes \
         differently: use a model of portable columns, or one trained on `{asked}` flows"
    )]
    Profile {
        /// The model's name.
        model: String,
        /// The profile of its training flows.
        trained: Profile,
        /// The profile that was asked for.
        asked: Profile,
        /// The first column that differs.
        column: &'static str,
    },
    /// It reads who talked to whom, or when.
    #[error(
        "model `{model}` reads `{column}`, which says where or when a flow was, not what it did: it is an experiment for \
         `evaluate` and `predict`; train one without --allow-leaky to run"
    )]
    Identity {
        /// The model's name.
        model: String,
        /// The first such column.
        column: &'static str,
    },
}

impl Model {
    /// The default model, which is part of the program.
    ///
    /// # Errors
    /// Only in a build whose artifact is damaged or of another schema; a test reads it.
    pub fn embedded() -> Result<Self, ArtifactError> {
        Self::from_bytes(EMBEDDED)
    }

    /// Reads an artifact and checks everything in it.
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArtifactError> {
        artifact::read(bytes)
    }

    /// A model of fitted parts, checked as one that is read.
    ///
    /// # Errors
    /// Names what is wrong with the parts.
    pub fn from_parts(parts: &ModelParts) -> Result<Self, ArtifactError> {
        artifact::read(&artifact::write(parts)?)
    }

    /// The artifact: the same model always gives the same bytes.
    ///
    /// # Errors
    /// None for a model that was read or built here; the encoder's are passed on.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        artifact::write(&self.parts)
    }

    /// What the model is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Its version, as its maker counts.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.parts.version
    }

    /// SHA-256 of the whole artifact in hexadecimal: what `sha256sum` prints for the file.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// How it decides.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        self.parts.engine.name()
    }

    /// The profile of the flows that it was trained on.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// What it reads of a flow, in its order.
    #[must_use]
    pub fn features(&self) -> &[FeatureId] {
        &self.features
    }

    /// From raw values to the space of its points.
    #[must_use]
    pub const fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Its labels; a [`LabelId`] is a position here.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.parts.labels
    }

    /// A label's name; empty for a label of another model.
    #[must_use]
    pub fn label_name(&self, label: LabelId) -> &str {
        self.parts.labels.get(usize::from(label.0)).map_or("", String::as_str)
    }

    /// The label of a name.
    #[must_use]
    pub fn label_named(&self, name: &str) -> Option<LabelId> {
        (0..).map(LabelId).zip(&self.parts.labels).find(|(_, label)| *label == name).map(|(id, _)| id)
    }

    /// Whether a label means "no attack".
    #[must_use]
    pub fn is_benign(&self, label: LabelId) -> bool {
        label == self.benign_label
    }

    /// The least share of attack labels at which this label is worth an alert; above any share for a label of another model.
    #[must_use]
    pub fn threshold(&self, label: LabelId) -> f32 {
        self.parts.alert_thresholds.get(usize::from(label.0)).copied().unwrap_or(f32::INFINITY)
    }

    /// Whether a verdict predicts an attack surely enough for an alert. Novelty has no part in it.
    #[must_use]
    pub fn predicts_attack(&self, verdict: &Verdict) -> bool {
        !self.is_benign(verdict.label) && verdict.attack >= self.threshold(verdict.label)
    }

    /// Whether a verdict speaks for an attack, though a single flow of its label may never be told of: what is to be taken for benign is held
    /// against this.
    #[must_use]
    pub fn suspects_attack(&self, verdict: &Verdict) -> bool {
        !self.is_benign(verdict.label) && verdict.attack >= self.threshold(verdict.label).min(SUSPECT)
    }

    /// One line on what it was trained on.
    #[must_use]
    pub fn trained_on(&self) -> &str {
        &self.parts.provenance.trained_on
    }

    /// The distance above which a flow is novel.
    #[must_use]
    pub const fn novelty_threshold(&self) -> f32 {
        self.parts.novelty.threshold
    }

    /// What raises incidents beyond one flow; `None` in a model that judges each flow alone.
    #[must_use]
    pub const fn evidence(&self) -> Option<&EvidenceParts> {
        self.parts.evidence.as_ref()
    }

    /// The parts as the artifact holds them: provenance, metrics, knots, points.
    #[must_use]
    pub const fn parts(&self) -> &ModelParts {
        &self.parts
    }

    /// The columns that it reads and that leak, in its order: see [`Feature::leaky`](crate::features::Feature::leaky).
    #[must_use]
    pub fn leaky(&self) -> Vec<&'static str> {
        leaky(&self.features)
    }

    /// Whether flows of a profile carry what the model reads.
    ///
    /// # Errors
    /// Names the first column that says who talked to whom or when, else the first that the two profiles compute differently.
    pub fn serves(&self, asked: Profile) -> Result<(), CannotServe> {
        if let Some(id) = self.features.iter().find(|id| id.identity().is_some()) {
            return Err(CannotServe::Identity { model: self.parts.name.clone(), column: id.feature().column });
        }
        match self.features.iter().map(|id| id.feature()).find(|feature| !feature.portable) {
            Some(feature) if asked != self.profile => Err(CannotServe::Profile {
                model: self.parts.name.clone(),
                trained: self.profile,
                asked,
                column: feature.column,
            }),
            _ => Ok(()),
        }
    }

    /// What one thread needs to ask this model.
    #[must_use]
    pub fn classifier(&self) -> Classifier<'_> {
        Classifier::new(self)
    }
}

/// The columns among some features that leak.
pub(crate) fn leaky(features: &[FeatureId]) -> Vec<&'static str> {
    features.iter().map(|id| id.feature()).filter(|feature| feature.leaky.is_some()).map(|f| f.column).collect()
}

/// One line on the leaky columns of a model, for the top of every report; `None` without any.
#[must_use]
pub fn leaky_line(columns: &[&'static str]) -> Option<String> {
    let of = |column: &&'static str| FeatureId::named_or_identity(column).and_then(|id| id.feature().leaky);
    let mut reasons: Vec<&str> = columns.iter().filter_map(of).collect();
    // Ports share a reason, and so do windows.
    let mut told = std::collections::BTreeSet::new();
    reasons.retain(|reason| told.insert(*reason));
    let quoted: Vec<String> = columns.iter().map(|column| format!("`{column}`")).collect();
    (!columns.is_empty()).then(|| format!("LEAKY: trained on {}: {}", quoted.join(", "), reasons.join("; ")))
}

/// Half of the votes: from there on an attack is the likelier.
pub const SUSPECT: f32 = 0.5;
/// The artifact of the default model; `models/README.md` is its card.
const EMBEDDED: &[u8] = include_bytes!("../../models/default.fsm");

/// The model of the published flows, for tests of what is true of any: three labels, no evidence.
#[cfg(test)]
pub(crate) fn published() -> Model {
    Model::from_bytes(include_bytes!("../../models/k8s-misuse.fsm")).expect("a valid model")
}

#[cfg(test)]
mod tests {
    use super::parts::tests::{example, example_with};
    use super::*;

    #[test]
    fn a_model_of_portable_columns_serves_both_profiles() {
        let model = Model::from_parts(&example()).expect("a valid model");
        assert_eq!((model.serves(Profile::Cic), model.serves(Profile::Standard)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_model_of_other_columns_serves_only_its_own_profile() {
        let parts = example_with(|parts| {
            parts.features[1] = "Active Mean".to_owned();
            parts.portable_only = false;
        });
        let model = Model::from_parts(&parts).expect("non-portable columns are declared");
        assert_eq!(model.serves(Profile::Cic), Ok(()));
        let message = model.serves(Profile::Standard).expect_err("another profile").to_string();
        assert!(message.contains("Active Mean") && message.contains("standard"), "{message}");
    }

    #[test]
    fn a_model_of_identity_columns_serves_no_profile_and_one_of_windows_its_own() {
        let with = |column: &str| {
            let parts = example_with(|parts| {
                parts.features[1] = column.to_owned();
                parts.provenance.leaky = vec![column.to_owned()];
                parts.portable_only = false;
            });
            Model::from_parts(&parts).expect("declared")
        };
        let model = with("Dst Port");
        for profile in [Profile::Cic, Profile::Standard] {
            let message = model.serves(profile).expect_err("an identity").to_string();
            assert!(message.contains("`Dst Port`") && message.contains("evaluate"), "{message}");
        }
        assert_eq!(model.leaky(), ["Dst Port"]);
        let line = leaky_line(&model.leaky()).expect("leaky");
        assert!(line.starts_with("LEAKY: trained on `Dst Port`: a port names the service"), "{line}");
        let model = with("FWD Init Win Bytes");
        assert_eq!(model.serves(Profile::Cic), Ok(()));
        assert!(model.serves(Profile::Standard).is_err() && model.leaky() == ["FWD Init Win Bytes"]);
        assert_eq!(leaky_line(&Model::from_parts(&example()).expect("a valid model").leaky()), None);
    }

    #[test]
    fn thresholds_and_benign_labels_decide_what_predicts_an_attack() {
        let model = Model::from_parts(&example()).expect("a valid model");
        let (benign, recon) = (LabelId(0), model.label_named("recon").expect("a label"));
        let verdict = |label, attack| Verdict { label, score: 0.5, attack, novelty: 9.0, novel: true };
        assert!(!model.predicts_attack(&verdict(benign, 1.0)));
        assert!(!model.predicts_attack(&verdict(recon, 0.59)));
        assert!(model.predicts_attack(&verdict(recon, 0.6)));
        assert!(!model.predicts_attack(&verdict(LabelId(77), 1.0)));
        assert_eq!(model.label_name(LabelId(77)), "");
    }
}
