//! Artifacts of format version 1: nearest neighbours of centroids in quantile space, and nothing else.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::ArtifactError;
use super::parts::field;
use super::{
    EngineParts, Kept, KnnParts, MapParts, Metric, ModelParts, NoveltyParts, Provenance, ScalingParts, TransformParts,
    Weighting,
};

/// The payload of version 1.
#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
#[serde(deny_unknown_fields)]
pub(super) struct PartsV1 {
    name: String,
    version: String,
    profile: String,
    schema_sha256: String,
    portable_only: bool,
    features: Vec<String>,
    transform: Vec<MapParts>,
    labels: Vec<String>,
    alert_thresholds: Vec<f32>,
    novelty_threshold: f32,
    k: usize,
    weighting: String,
    points: Vec<Vec<f32>>,
    point_labels: Vec<u16>,
    provenance: Provenance,
    metrics: BTreeMap<String, f64>,
}

impl PartsV1 {
    /// The same model in today's parts.
    ///
    /// # Errors
    /// For a weighting that version 1 did not have.
    pub(super) fn today(self) -> Result<ModelParts, ArtifactError> {
        if self.weighting != "distance" {
            return Err(field("weighting", format!("`{}` is not known, only `distance`", self.weighting)));
        }
        Ok(ModelParts {
            name: self.name,
            version: self.version,
            parent: None,
            profile: self.profile,
            schema_sha256: self.schema_sha256,
            portable_only: self.portable_only,
            transform: TransformParts {
                fill: vec![0.0; self.features.len()],
                scaling: ScalingParts::Quantile(self.transform),
            },
            features: self.features,
            labels: self.labels,
            alert_thresholds: self.alert_thresholds,
            engine: EngineParts::Knn(KnnParts {
                k: self.k,
                metric: Metric::L2,
                weighting: Weighting::Distance,
                kept: Kept::Centroids,
                unknown: None,
                points: self.points,
                point_labels: self.point_labels,
            }),
            novelty: NoveltyParts { threshold: self.novelty_threshold, reference: None },
            evidence: None,
            spread: None,
            pipeline: None,
            provenance: self.provenance,
            metrics: self.metrics,
        })
    }
}
