//! What a model is made of, and the rules that its parts keep.
//!
//! [`artifact`](super::artifact) reads and writes the parts as JSON and `train` fits them; [`assemble`] turns them into a [`Model`] once every rule
//! that the rest of [`super`] relies on holds. A broken rule is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::digest::sha256_hex;
use super::error::ArtifactError;
use super::transform::{QuantileMap, Transform};
use super::{LabelId, Model};
use crate::features::{Feature, FeatureId, Profile};
use crate::taxonomy;

/// What the payload line holds; field names are those of the JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelParts {
    /// What the model is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Profile of its training rows: `cic` or `standard`.
    pub profile: String,
    /// [`schema_sha256`] of its features when it was made.
    pub schema_sha256: String,
    /// Whether it reads only columns that both profiles compute alike.
    pub portable_only: bool,
    /// Column names, in the model's order.
    pub features: Vec<String>,
    /// One quantile map a feature.
    pub transform: Vec<MapParts>,
    /// Label names; `benign` is one of them.
    pub labels: Vec<String>,
    /// The least score worth an alert, one a label.
    pub alert_thresholds: Vec<f32>,
    /// The distance to the nearest benign point above which a flow is novel.
    pub novelty_threshold: f32,
    /// How many neighbours vote.
    pub k: usize,
    /// How they are weighed; `distance` is the only way.
    pub weighting: String,
    /// Coordinates of the points in the transformed space.
    pub points: Vec<Vec<f32>>,
    /// Each point's label: a position in `labels`.
    pub point_labels: Vec<u16>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Figures from its validation, by name; each figure's flow counts stand beside it.
    pub metrics: BTreeMap<String, f64>,
}

/// One feature's quantile map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapParts {
    /// Values, strictly rising.
    pub knots: Vec<f32>,
    /// The map's value at each, 0 to 1.
    pub levels: Vec<f32>,
}

/// Where a model comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// One line.
    pub trained_on: String,
    /// SHA-256 of the training rows as they were read: features, labels, captures.
    pub data_sha256: String,
    /// Training rows of each label.
    pub rows: BTreeMap<String, u64>,
    /// Seed of the fit.
    pub seed: u64,
    /// The program that made it.
    pub created_by: String,
    /// The features that leak, which its maker allowed. Left out where there are none, as in artifacts of before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaky: Vec<String>,
}

/// A model of parts that keep every rule.
pub(super) fn assemble(parts: ModelParts, sha256: Arc<str>) -> Result<Model, ArtifactError> {
    check_texts(&parts)?;
    let profile: Profile = parts.profile.parse().map_err(|error| field("profile", error))?;
    let features = checked_features(&parts)?;
    let transform = checked_transform(&parts, &features)?;
    let benign_label = checked_labels(&parts)?;
    let dimensions = transform.dimensions();
    let (points, point_labels) = checked_points(&parts, dimensions)?;
    let benign_rows: Vec<usize> =
        (0..).zip(&point_labels).filter(|(_, label)| **label == benign_label).map(|(row, _)| row).collect();
    if benign_rows.is_empty() {
        return Err(field("points", "no benign point, so that every flow would be infinitely novel"));
    }
    let benign = points.select(Axis(0), &benign_rows);
    Ok(Model { parts, profile, features, transform, points, point_labels, benign, benign_label, sha256 })
}

/// Names that reach metrics and logs are short and printable.
fn check_texts(parts: &ModelParts) -> Result<(), ArtifactError> {
    let texts = [
        ("name", &parts.name),
        ("version", &parts.version),
        ("trained_on", &parts.provenance.trained_on),
        ("created_by", &parts.provenance.created_by),
    ];
    for (name, text) in texts.into_iter().chain(parts.labels.iter().map(|label| ("labels", label))) {
        if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            return Err(field(name, format!("needs 1 to {MAX_TEXT} bytes without control characters")));
        }
    }
    if parts.weighting != WEIGHTING {
        return Err(field("weighting", format!("`{}` is not known, only `{WEIGHTING}`", parts.weighting)));
    }
    if parts.metrics.values().any(|value| !value.is_finite()) {
        return Err(field("metrics", "a figure that is not finite"));
    }
    Ok(())
}

fn checked_features(parts: &ModelParts) -> Result<Vec<FeatureId>, ArtifactError> {
    let mut features = Vec::with_capacity(parts.features.len());
    for name in &parts.features {
        let id = FeatureId::named_or_identity(name).filter(|id| id.feature().column == name);
        let id = id.ok_or_else(|| ArtifactError::UnknownFeature(name.clone()))?;
        if parts.portable_only && !id.feature().portable {
            return Err(ArtifactError::NotPortable(id.feature().column));
        }
        if features.contains(&id) {
            return Err(field("features", format!("`{name}` twice")));
        }
        features.push(id);
    }
    if features.is_empty() {
        return Err(field("features", "none"));
    }
    if super::leaky(&features) != parts.provenance.leaky {
        return Err(field("leaky", "does not name the leaky features, and only those"));
    }
    let expected = schema_sha256(&features);
    if expected != parts.schema_sha256 {
        return Err(ArtifactError::Schema { expected, found: parts.schema_sha256.clone() });
    }
    Ok(features)
}

fn checked_transform(parts: &ModelParts, features: &[FeatureId]) -> Result<Transform, ArtifactError> {
    if parts.transform.len() != features.len() {
        return Err(field("transform", format!("{} maps for {} features", parts.transform.len(), features.len())));
    }
    let map = |(map, name): (&MapParts, &String)| {
        QuantileMap::new(map.knots.clone(), map.levels.clone())
            .map_err(|error| ArtifactError::Map { feature: name.clone(), error })
    };
    Ok(Transform::new(parts.transform.iter().zip(&parts.features).map(map).collect::<Result<_, _>>()?))
}

/// The benign label, once labels and their thresholds are in order.
fn checked_labels(parts: &ModelParts) -> Result<LabelId, ArtifactError> {
    let labels = &parts.labels;
    if labels.len() > MAX_LABELS {
        return Err(field("labels", format!("{}, at most {MAX_LABELS}", labels.len())));
    }
    if let Some(twice) = labels.iter().enumerate().find(|(at, label)| labels.iter().take(*at).any(|l| l == *label)) {
        return Err(field("labels", format!("`{}` twice", twice.1)));
    }
    if parts.alert_thresholds.len() != labels.len() {
        return Err(field("alert_thresholds", format!("{} for {} labels", parts.alert_thresholds.len(), labels.len())));
    }
    if !parts.alert_thresholds.iter().all(|threshold| (0.0..=1.0).contains(threshold)) {
        return Err(field("alert_thresholds", "a threshold outside 0..=1"));
    }
    if !(parts.novelty_threshold.is_finite() && parts.novelty_threshold >= 0.0) {
        return Err(field("novelty_threshold", "not a distance"));
    }
    let benign = (0..).map(LabelId).zip(labels).find(|(_, label)| taxonomy::is_benign(label));
    benign.map(|(id, _)| id).ok_or_else(|| field("labels", "no `benign` among them"))
}

fn checked_points(parts: &ModelParts, dimensions: usize) -> Result<(Array2<f32>, Vec<LabelId>), ArtifactError> {
    let count = parts.points.len();
    if count > MAX_POINTS {
        return Err(field("points", format!("{count}, at most {MAX_POINTS}")));
    }
    if parts.k == 0 || parts.k > MAX_K || parts.k > count {
        return Err(field("k", format!("{} neighbours of {count} points, at most {MAX_K}", parts.k)));
    }
    if parts.point_labels.len() != count {
        return Err(field("point_labels", format!("{} for {count} points", parts.point_labels.len())));
    }
    if let Some(label) = parts.point_labels.iter().find(|label| usize::from(**label) >= parts.labels.len()) {
        return Err(field("point_labels", format!("{label} is no label")));
    }
    let mut flat = Vec::with_capacity(count.saturating_mul(dimensions));
    for (row, point) in parts.points.iter().enumerate() {
        if point.len() != dimensions {
            return Err(field("points", format!("point {row} has {} coordinates, not {dimensions}", point.len())));
        }
        if !point.iter().all(|x| *x == 0.0 || (LEAST_COORDINATE..=1.0).contains(x)) {
            return Err(field("points", format!("point {row} has a coordinate outside 0..=1 or too small")));
        }
        flat.extend_from_slice(point);
    }
    let points = Array2::from_shape_vec((count, dimensions), flat).map_err(|error| field("points", error))?;
    Ok((points, parts.point_labels.iter().copied().map(LabelId).collect()))
}

/// A fingerprint of what the features mean, in order: columns, units and kinds of the schema.
#[must_use]
pub fn schema_sha256(features: &[FeatureId]) -> String {
    let line = |Feature { column, key, unit, kind, portable, .. }: &Feature| {
        format!("{column}\t{key}\t{unit:?}\t{kind:?}\t{portable}\n")
    };
    sha256_hex(features.iter().map(|id| line(id.feature())).collect::<String>().as_bytes())
}

fn field(field: &'static str, problem: impl ToString) -> ArtifactError {
    ArtifactError::Field { field, problem: problem.to_string() }
}

/// The weighting of votes.
pub(crate) const WEIGHTING: &str = "distance";
/// Greatest number of points; a query among more is not quick.
pub const MAX_POINTS: usize = 1_000_000;
/// Labels become metric labels, which must be few.
const MAX_LABELS: usize = 256;
const _: () = assert!(taxonomy::CLASSES.len() <= MAX_LABELS, "a model can hold every label of the taxonomy");
/// Greatest number of voting neighbours.
const MAX_K: usize = 64;
/// Longest name or line.
const MAX_TEXT: usize = 256;
/// Least coordinate above 0, below what a fit rounds to. It bounds the depth of the k-d tree, which recurses: halving a
/// box reaches this in 24 steps a dimension, where 32-bit numbers without a bound would allow 150.
const LEAST_COORDINATE: f32 = 1e-7;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two features (FIN Flag Count 0 to 10, Flow Bytes/s 0 to 100), benign around 0 and recon around the maximum.
    pub(in super::super) fn example() -> ModelParts {
        let map = |scale: f32| MapParts {
            knots: (0..=10_u8).map(|x| f32::from(x) * scale).collect(),
            levels: (0..=10_u8).map(|x| f32::from(x) / 10.0).collect(),
        };
        let features = ["FIN Flag Count", "Flow Bytes/s"];
        let ids: Vec<_> = features.iter().filter_map(|name| FeatureId::named(name)).collect();
        ModelParts {
            name: "example".to_owned(),
            version: "1".to_owned(),
            profile: "cic".to_owned(),
            schema_sha256: schema_sha256(&ids),
            portable_only: true,
            features: features.map(str::to_owned).to_vec(),
            transform: vec![map(1.0), map(10.0)],
            labels: ["benign", "recon"].map(str::to_owned).to_vec(),
            alert_thresholds: vec![0.0, 0.6],
            novelty_threshold: 0.25,
            k: 3,
            weighting: WEIGHTING.to_owned(),
            points: vec![
                vec![0.0, 0.0, 0.0, 0.0],
                vec![0.1, 0.0, 0.1, 0.0],
                vec![0.0, 0.0, 0.1, 0.0],
                vec![0.9, 0.0, 1.0, 0.0],
                vec![1.0, 0.0, 0.9, 0.0],
                vec![1.0, 0.0, 1.0, 0.0],
            ],
            point_labels: vec![0, 0, 0, 1, 1, 1],
            provenance: Provenance {
                trained_on: "numbers made up for a test".to_owned(),
                data_sha256: sha256_hex(b""),
                rows: BTreeMap::from([("benign".to_owned(), 3), ("recon".to_owned(), 3)]),
                seed: 7,
                created_by: "flowshrike test".to_owned(),
                leaky: Vec::new(),
            },
            metrics: BTreeMap::from([("validation.macro_f1".to_owned(), 0.5)]),
        }
    }

    /// The example with a change, its schema hash made right again.
    pub(in super::super) fn example_with(change: impl FnOnce(&mut ModelParts)) -> ModelParts {
        let mut parts = example();
        change(&mut parts);
        let ids: Vec<_> = parts.features.iter().filter_map(|name| FeatureId::named_or_identity(name)).collect();
        parts.schema_sha256 = schema_sha256(&ids);
        parts
    }

    #[test]
    fn another_schema_is_refused_in_clear_words() {
        let mut parts = example();
        parts.schema_sha256 = sha256_hex(b"another");
        let message = Model::from_parts(&parts).expect_err("another schema").to_string();
        assert!(message.contains("another feature schema") && message.contains("train it again"), "{message}");
    }

    #[test]
    fn a_broken_rule_is_named() {
        type Change = fn(&mut ModelParts);
        let cases: [(&str, Change); 30] = [
            ("profile", |p| p.profile = "other".to_owned()),
            ("unknown feature `Flow ID`", |p| p.features[0] = "Flow ID".to_owned()),
            ("unknown feature `dst_port`", |p| p.features[0] = "dst_port".to_owned()),
            ("portable_only", |p| p.features[0] = "Src Port".to_owned()),
            ("`leaky`", |p| {
                p.features[0] = "Src Port".to_owned();
                p.portable_only = false;
            }),
            ("unknown feature `fin_flag_count`", |p| p.features[0] = "fin_flag_count".to_owned()),
            ("portable_only", |p| p.features[0] = "Active Mean".to_owned()),
            ("twice", |p| p.features[0] = p.features[1].clone()),
            ("`features`: none", |p| p.features.clear()),
            ("1 maps for 2 features", |p| p.transform.truncate(1)),
            ("transform of `FIN Flag Count`", |p| p.transform[0].knots[3] = 0.0),
            ("transform of `Flow Bytes/s`", |p| p.transform[1].levels[3] = 0.9),
            ("`benign`", |p| p.labels[0] = "quiet".to_owned()),
            ("`recon` twice", |p| p.labels = vec!["benign".into(), "recon".into(), "recon".into()]),
            ("`labels`", |p| p.labels[1] = "two\nlines".to_owned()),
            ("`labels`", |p| p.labels = (0..300).map(|x| x.to_string()).collect()),
            ("`alert_thresholds`: 1 for 2", |p| p.alert_thresholds.truncate(1)),
            ("`alert_thresholds`", |p| p.alert_thresholds[1] = 1.5),
            ("`novelty_threshold`", |p| p.novelty_threshold = -1.0),
            ("`k`: 0", |p| p.k = 0),
            ("`k`: 7", |p| p.k = 7),
            ("`weighting`", |p| p.weighting = "uniform".to_owned()),
            ("`point_labels`: 5 for 6", |p| p.point_labels.truncate(5)),
            ("2 is no label", |p| p.point_labels[0] = 2),
            ("point 1 has 3 coordinates", |p| p.points[1].truncate(3)),
            ("point 2 has a coordinate outside", |p| p.points[2][0] = 1.01),
            ("point 2 has a coordinate outside", |p| p.points[2][0] = 1e-12),
            ("no benign point", |p| p.point_labels = vec![1; 6]),
            ("`name`", |p| p.name = String::new()),
            ("`version`", |p| p.version = "x".repeat(1000)),
        ];
        for (words, change) in cases {
            let message = Model::from_parts(&example_with(change)).expect_err(words).to_string();
            assert!(message.contains(words), "`{message}` does not say `{words}`");
        }
    }
}
