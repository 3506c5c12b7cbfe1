//! What a model is made of, and the rules that its parts keep.
//!
//! [`artifact`](super::artifact) reads and writes the parts as JSON and `train` fits them; [`assemble`] turns them into a [`Model`] once every rule
//! that the rest of [`super`] relies on holds. A broken rule is named.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::digest::sha256_hex;
use super::drift::{self, SpreadParts};
use super::engine::{EngineParts, Frame, Reference};
use super::error::ArtifactError;
use super::evidence::{EvidenceParts, NEVER_ALONE};
use super::knn::Metric;
use super::transform::{Linear, LinearMap, QuantileMap, Scaling, Transform};
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
    /// The model that it was made from, if it learnt on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Profile of its training rows: `cic` or `standard`.
    pub profile: String,
    /// [`schema_sha256`] of its features when it was made.
    pub schema_sha256: String,
    /// Whether it reads only columns that both profiles compute alike.
    pub portable_only: bool,
    /// Column names, in the model's order.
    pub features: Vec<String>,
    /// From raw values to coordinates.
    pub transform: TransformParts,
    /// Label names; `benign` is one of them.
    pub labels: Vec<String>,
    /// The least share of the votes for attacks that is worth an alert, one a label.
    pub alert_thresholds: Vec<f32>,
    /// How it decides.
    pub engine: EngineParts,
    /// How it tells what is novel.
    pub novelty: NoveltyParts,
    /// What raises incidents beyond one flow. Left out where nothing was learnt of that, as in artifacts of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceParts>,
    /// How each feature was spread over the benign flows that it knows: what drift is told by. Left out in artifacts of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Vec<SpreadParts>>,
    /// The declaration that it was fitted by, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<serde_json::Value>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Figures from its validation, by name; each figure's flow counts stand beside it.
    pub metrics: BTreeMap<String, f64>,
}

/// A model that another one was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its artifact.
    pub sha256: String,
}

/// The transform: one fill and one map a feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformParts {
    /// What stands for a value that is missing or not finite.
    pub fill: Vec<f64>,
    /// The maps.
    pub scaling: ScalingParts,
}

/// One kind of map for all features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScalingParts {
    /// Quantile and beyond-maximum flag.
    Quantile(Vec<MapParts>),
    /// Mean and standard deviation.
    Standard(Vec<LinearParts>),
    /// Median and interquartile range.
    Robust(Vec<LinearParts>),
    /// Mean and standard deviation of the signed logarithm.
    SignedLog(Vec<LinearParts>),
}

/// One feature's linear map: `(x - centre) / scale`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearParts {
    /// What maps to 0.
    pub centre: f64,
    /// What a step of 1 is.
    pub scale: f64,
}

/// How novelty is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoveltyParts {
    /// The distance to the nearest benign point above which a flow is novel.
    pub threshold: f32,
    /// The benign points; none where the engine's own serve, by its metric: those of nearest neighbours by another than the cosine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceParts>,
}

/// Benign points that stand apart from the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceParts {
    /// What far means; not the cosine.
    pub metric: Metric,
    /// Coordinates of the points in the transformed space.
    pub points: Vec<Vec<f32>>,
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
    let transform = parts.transform.checked(&parts.features)?;
    let benign_label = checked_labels(&parts)?;
    if let Some(evidence) = &parts.evidence {
        evidence.check(&parts.labels)?;
    }
    if let Some(spreads) = &parts.spread {
        drift::check(spreads, parts.features.len())?;
    }
    let frame = Frame {
        dimensions: transform.dimensions(),
        range: transform.range(),
        labels: parts.labels.len(),
        benign: benign_label,
    };
    let engine = parts.engine.build(frame)?;
    let (apart, own) = match &parts.novelty.reference {
        Some(ReferenceParts { metric: Metric::Cosine, .. }) => {
            return Err(field("novelty.reference", "a direction is not enough to tell what is far: l1 or l2"));
        }
        Some(ReferenceParts { metric, points }) => {
            (Some((checked_points("novelty.reference", points, frame)?, *metric)), None)
        }
        None => (None, engine.benign_points()),
    };
    let is_engines = own.is_some();
    let points = apart.or(own).ok_or_else(|| {
        field("novelty.reference", "none, and the engine has no benign points that novelty can be told by")
    })?;
    let reference = Reference::new(points, benign_label, is_engines);
    if reference.len() == 0 {
        return Err(field("points", "no benign point, so that every flow would be infinitely novel"));
    }
    Ok(Model { parts, profile, features, transform, engine: Arc::from(engine), reference, benign_label, sha256 })
}

/// Names that reach metrics and logs are short and printable.
fn check_texts(parts: &ModelParts) -> Result<(), ArtifactError> {
    let texts = [("name", &parts.name), ("version", &parts.version), ("created_by", &parts.provenance.created_by)];
    let parent = parts
        .parent
        .iter()
        .flat_map(|parent| [("parent", &parent.name), ("parent", &parent.version), ("parent", &parent.sha256)]);
    for (name, text) in texts.into_iter().chain(parent).chain(parts.labels.iter().map(|label| ("labels", label))) {
        if text.is_empty() || text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            return Err(field(name, format!("needs 1 to {MAX_TEXT} bytes without control characters")));
        }
    }
    let trained_on = &parts.provenance.trained_on;
    if trained_on.is_empty() || trained_on.len() > MAX_LINE || trained_on.chars().any(char::is_control) {
        return Err(field("trained_on", format!("needs 1 to {MAX_LINE} bytes without control characters")));
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

impl TransformParts {
    /// The parts of a fitted transform.
    #[must_use]
    pub fn of(transform: &Transform) -> Self {
        let linear = |maps: &[LinearMap]| {
            maps.iter().map(|map| LinearParts { centre: map.centre, scale: map.scale }).collect::<Vec<_>>()
        };
        let scaling = match transform.scaling() {
            Scaling::Quantile(maps) => ScalingParts::Quantile(
                maps.iter()
                    .map(|map| MapParts { knots: map.knots().to_vec(), levels: map.levels().to_vec() })
                    .collect(),
            ),
            Scaling::Linear(Linear::Standard, maps) => ScalingParts::Standard(linear(maps)),
            Scaling::Linear(Linear::Robust, maps) => ScalingParts::Robust(linear(maps)),
            Scaling::Linear(Linear::SignedLog, maps) => ScalingParts::SignedLog(linear(maps)),
        };
        Self { fill: transform.fill().to_vec(), scaling }
    }

    fn checked(&self, features: &[String]) -> Result<Transform, ArtifactError> {
        let count = |maps: usize| {
            let problem = || field("transform", format!("{maps} maps for {} features", features.len()));
            if maps == features.len() { Ok(()) } else { Err(problem()) }
        };
        let linear = |kind, maps: &[LinearParts]| {
            count(maps.len())?;
            let is_map = |map: &LinearParts| map.centre.is_finite() && map.scale.is_finite() && map.scale > 0.0;
            if !maps.iter().all(is_map) {
                return Err(field("transform", "a centre that is not finite, or a scale that is not above 0"));
            }
            let map = |map: &LinearParts| LinearMap { centre: map.centre, scale: map.scale };
            Ok(Scaling::Linear(kind, maps.iter().map(map).collect()))
        };
        let scaling = match &self.scaling {
            ScalingParts::Quantile(maps) => {
                count(maps.len())?;
                let map = |(map, name): (&MapParts, &String)| {
                    QuantileMap::new(map.knots.clone(), map.levels.clone())
                        .map_err(|error| ArtifactError::Map { feature: name.clone(), error })
                };
                Scaling::Quantile(maps.iter().zip(features).map(map).collect::<Result<_, _>>()?)
            }
            ScalingParts::Standard(maps) => linear(Linear::Standard, maps)?,
            ScalingParts::Robust(maps) => linear(Linear::Robust, maps)?,
            ScalingParts::SignedLog(maps) => linear(Linear::SignedLog, maps)?,
        };
        if self.fill.len() != features.len() || !self.fill.iter().all(|fill| fill.is_finite()) {
            return Err(field("transform.fill", "not a finite number for each feature"));
        }
        Ok(Transform::new(scaling, self.fill.clone()))
    }
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
    let never = |threshold: f32| parts.evidence.is_some() && threshold.to_bits() == NEVER_ALONE.to_bits();
    if !parts.alert_thresholds.iter().all(|&threshold| (0.0..=1.0).contains(&threshold) || never(threshold)) {
        return Err(field("alert_thresholds", "a threshold outside 0..=1"));
    }
    if !(parts.novelty.threshold.is_finite() && parts.novelty.threshold >= 0.0) {
        return Err(field("novelty.threshold", "not a distance"));
    }
    let benign = (0..).map(LabelId).zip(labels).find(|(_, label)| taxonomy::is_benign(label));
    benign.map(|(id, _)| id).ok_or_else(|| field("labels", "no `benign` among them"))
}

/// Points of the transformed space, one a row of the matrix.
pub(super) fn checked_points(
    name: &'static str,
    points: &[Vec<f32>],
    frame: Frame,
) -> Result<Array2<f32>, ArtifactError> {
    let Frame { dimensions, range: (least, greatest), .. } = frame;
    let count = points.len();
    if count > MAX_POINTS {
        return Err(field(name, format!("{count}, at most {MAX_POINTS}")));
    }
    let possible = |x: &f32| *x == 0.0 || (x.abs() >= LEAST_COORDINATE && (least..=greatest).contains(x));
    let mut flat = Vec::with_capacity(count.saturating_mul(dimensions));
    for (row, point) in points.iter().enumerate() {
        if point.len() != dimensions {
            return Err(field(name, format!("point {row} has {} coordinates, not {dimensions}", point.len())));
        }
        if !point.iter().all(possible) {
            let problem = format!("point {row} has a coordinate outside {least}..={greatest} or too small");
            return Err(field(name, problem));
        }
        flat.extend_from_slice(point);
    }
    Array2::from_shape_vec((count, dimensions), flat).map_err(|error| field(name, error))
}

/// A fingerprint of what the features mean, in order: columns, units and kinds of the schema.
#[must_use]
pub fn schema_sha256(features: &[FeatureId]) -> String {
    let line = |Feature { column, key, unit, kind, portable, .. }: &Feature| {
        format!("{column}\t{key}\t{unit:?}\t{kind:?}\t{portable}\n")
    };
    sha256_hex(features.iter().map(|id| line(id.feature())).collect::<String>().as_bytes())
}

pub(super) fn field(field: &'static str, problem: impl ToString) -> ArtifactError {
    ArtifactError::Field { field, problem: problem.to_string() }
}

/// Greatest number of points; a query among more is not quick.
pub const MAX_POINTS: usize = 1_000_000;
/// Labels become metric labels, which must be few.
const MAX_LABELS: usize = 256;
const _: () = assert!(taxonomy::CLASSES.len() <= MAX_LABELS, "a model can hold every label of the taxonomy");
/// Longest name.
const MAX_TEXT: usize = 256;
/// Longest line about the data: it names every label with its flows.
const MAX_LINE: usize = 4096;
/// Least coordinate above 0, below what a fit rounds to. It bounds the depth of the k-d tree, which recurses: halving a
/// box reaches this in 24 steps a dimension, where 32-bit numbers without a bound would allow 150.
const LEAST_COORDINATE: f32 = 1e-7;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{EvidenceKind, Kept, KnnParts, Least, Weighting};

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
            parent: None,
            transform: TransformParts {
                fill: vec![0.0; 2],
                scaling: ScalingParts::Quantile(vec![map(1.0), map(10.0)]),
            },
            labels: ["benign", "recon"].map(str::to_owned).to_vec(),
            alert_thresholds: vec![0.0, 0.6],
            engine: EngineParts::Knn(KnnParts {
                k: 3,
                metric: Metric::L2,
                weighting: Weighting::Distance,
                kept: Kept::Centroids,
                unknown: None,
                points: vec![
                    vec![0.0, 0.0, 0.0, 0.0],
                    vec![0.1, 0.0, 0.1, 0.0],
                    vec![0.0, 0.0, 0.1, 0.0],
                    vec![0.9, 0.0, 1.0, 0.0],
                    vec![1.0, 0.0, 0.9, 0.0],
                    vec![1.0, 0.0, 1.0, 0.0],
                ],
                point_labels: vec![0, 0, 0, 1, 1, 1],
            }),
            novelty: NoveltyParts { threshold: 0.25, reference: None },
            evidence: None,
            spread: None,
            pipeline: None,
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

    /// The nearest-neighbour parts of an example.
    pub(in super::super) fn knn(parts: &mut ModelParts) -> &mut KnnParts {
        match &mut parts.engine {
            EngineParts::Knn(knn) => knn,
            _ => panic!("the example is of that engine"),
        }
    }

    /// The quantile maps of an example.
    pub(in super::super) fn maps(parts: &mut ModelParts) -> &mut Vec<MapParts> {
        match &mut parts.transform.scaling {
            ScalingParts::Quantile(maps) => maps,
            _ => panic!("the example has quantile maps"),
        }
    }

    /// The thresholds of evidence of an example, which has them from then on.
    pub(in super::super) fn evidence(parts: &mut ModelParts) -> &mut EvidenceParts {
        let least = Least { least: 12.0, lean: 0.0, benign: 2.0, caught: 3, hostile: 4 };
        let [short_window, middle_window, long_window] = EvidenceParts::WINDOWS;
        parts.evidence.get_or_insert_with(|| EvidenceParts {
            short_window,
            middle_window,
            long_window,
            kinds: BTreeMap::from([(EvidenceKind::Ports, least)]),
            guessing: BTreeMap::new(),
            share: BTreeMap::from([("recon".to_owned(), Least { least: 4.5, lean: 0.5, ..least })]),
            learned_on: "an example".to_owned(),
        })
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
        let cases: [(&str, Change); 47] = [
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
            ("1 maps for 2 features", |p| maps(p).truncate(1)),
            ("transform of `FIN Flag Count`", |p| maps(p)[0].knots[3] = 0.0),
            ("transform of `Flow Bytes/s`", |p| maps(p)[1].levels[3] = 0.9),
            ("`benign`", |p| p.labels[0] = "quiet".to_owned()),
            ("`recon` twice", |p| p.labels = vec!["benign".into(), "recon".into(), "recon".into()]),
            ("`labels`", |p| p.labels[1] = "two\nlines".to_owned()),
            ("`labels`", |p| p.labels = (0..300).map(|x| x.to_string()).collect()),
            ("`alert_thresholds`: 1 for 2", |p| p.alert_thresholds.truncate(1)),
            ("`alert_thresholds`", |p| p.alert_thresholds[1] = 1.5),
            ("`alert_thresholds`", |p| p.alert_thresholds[1] = NEVER_ALONE),
            ("`novelty.threshold`", |p| p.novelty.threshold = -1.0),
            ("`unknown`", |p| knn(p).unknown = Some(0.0)),
            ("`k`: 0", |p| knn(p).k = 0),
            ("`k`: 7", |p| knn(p).k = 7),
            ("`transform.fill`", |p| p.transform.fill.truncate(1)),
            ("`novelty.reference`: none", |p| knn(p).metric = Metric::Cosine),
            ("`novelty.reference`: point 0 has 1", |p| {
                p.novelty.reference = Some(ReferenceParts { metric: Metric::L1, points: vec![vec![0.0]] });
            }),
            ("l1 or l2", |p| p.novelty.reference = Some(ReferenceParts { metric: Metric::Cosine, points: vec![] })),
            ("no benign point", |p| p.novelty.reference = Some(ReferenceParts { metric: Metric::L2, points: vec![] })),
            ("`parent`", |p| p.parent = Some(Parent { name: String::new(), version: "1".into(), sha256: "0".into() })),
            ("`point_labels`: 5 for 6", |p| knn(p).point_labels.truncate(5)),
            ("2 is no label", |p| knn(p).point_labels[0] = 2),
            ("point 1 has 3 coordinates", |p| knn(p).points[1].truncate(3)),
            ("point 2 has a coordinate outside", |p| knn(p).points[2][0] = 1.01),
            ("point 2 has a coordinate outside", |p| knn(p).points[2][0] = 1e-12),
            ("no benign point", |p| knn(p).point_labels = vec![1; 6]),
            ("`name`", |p| p.name = String::new()),
            ("`version`", |p| p.version = "x".repeat(1000)),
            ("`evidence`: counted in windows", |p| evidence(p).long_window = 600),
            ("`evidence`: a lean", |p| evidence(p).share.values_mut().for_each(|least| least.lean = 1.5)),
            ("`evidence`: the share goes by label", |p| {
                let least = evidence(p).kinds[&EvidenceKind::Ports];
                evidence(p).kinds.insert(EvidenceKind::Share, least);
            }),
            ("`evidence`: `benign` is no attack", |p| {
                let least = evidence(p).kinds[&EvidenceKind::Ports];
                evidence(p).share.insert("benign".to_owned(), least);
            }),
            ("`evidence`: `dos` is no attack", |p| {
                let least = evidence(p).kinds[&EvidenceKind::Ports];
                evidence(p).share.insert("dos".to_owned(), least);
            }),
            ("`evidence`: ports: a threshold below 1", |p| {
                evidence(p).kinds.values_mut().for_each(|least| least.least = 0.0);
            }),
            ("`evidence`: learned_on", |p| evidence(p).learned_on.clear()),
            ("`spread`: 1 for 2 features", |p| p.spread = Some(vec![SpreadParts::fit([])])),
            ("`spread`: needs 1 to 10 finite bounds", |p| {
                p.spread = Some(vec![SpreadParts { bounds: vec![1.0, 1.0], shares: vec![0.0; 3] }; 2]);
            }),
            ("`spread`: needs a share", |p| {
                p.spread = Some(vec![SpreadParts { bounds: vec![1.0], shares: vec![1.0] }; 2]);
            }),
        ];
        for (words, change) in cases {
            let message = Model::from_parts(&example_with(change)).expect_err(words).to_string();
            assert!(message.contains(words), "`{message}` does not say `{words}`");
        }
    }
}
