//! Small models of each engine as files, whose answers can be told beforehand.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flowshrike::features::FeatureId;
use flowshrike::model::{
    EngineParts, Kept, KnnParts, MapParts, Metric, Model, ModelParts, Node, NoveltyParts, Provenance, ReferenceParts,
    ScalingParts, TransformParts, TreeParts, Weighting, schema_sha256, sha256_hex,
};

/// What the models read: the maximum of each is at 10.
pub(crate) const FEATURES: [&str; 3] = ["Total Fwd Packet", "Down/Up Ratio", "SYN Flag Count"];

/// A model of these labels; coordinates are a value's tenth and whether it is beyond 10.
pub(crate) fn parts(labels: &[&str], engine: EngineParts) -> ModelParts {
    let map = MapParts {
        knots: (0..=10_u8).map(f32::from).collect(),
        levels: (0..=10_u8).map(|level| f32::from(level) / 10.0).collect(),
    };
    let ids: Vec<_> = FEATURES.iter().filter_map(|name| FeatureId::named(name)).collect();
    ModelParts {
        name: "small".to_owned(),
        version: "7".to_owned(),
        parent: None,
        profile: "cic".to_owned(),
        schema_sha256: schema_sha256(&ids),
        portable_only: true,
        features: FEATURES.map(str::to_owned).to_vec(),
        transform: TransformParts { fill: vec![0.0; 3], scaling: ScalingParts::Quantile(vec![map; 3]) },
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        alert_thresholds: vec![0.5; labels.len()],
        engine,
        novelty: NoveltyParts {
            threshold: 0.5,
            reference: Some(ReferenceParts { metric: Metric::L1, points: vec![vec![0.0; 6]] }),
        },
        evidence: None,
        spread: None,
        pipeline: None,
        provenance: Provenance {
            trained_on: "numbers made up for a test".to_owned(),
            data_sha256: sha256_hex(b""),
            rows: BTreeMap::from([("benign".to_owned(), 3)]),
            seed: 7,
            created_by: "a test".to_owned(),
            leaky: Vec::new(),
        },
        metrics: BTreeMap::new(),
    }
}

/// The tree's model with another second column, which not every flow has.
pub(crate) fn reading(column: &str) -> ModelParts {
    let mut parts = parts(&["benign", "recon"], EngineParts::Tree(tree()));
    parts.features[1] = column.to_owned();
    parts.portable_only = false;
    let ids: Vec<_> = parts.features.iter().filter_map(|name| FeatureId::named_or_identity(name)).collect();
    parts.schema_sha256 = schema_sha256(&ids);
    parts.provenance.leaky =
        ids.iter().map(|id| id.feature()).filter(|f| f.leaky.is_some()).map(|f| f.column.to_owned()).collect();
    parts
}

/// A tree: few forward packets are benign, others recon for .75 of the flows.
pub(crate) fn tree() -> TreeParts {
    let leaf = |shares: [f32; 2]| Node::Leaf(shares.to_vec());
    TreeParts { nodes: vec![Node::Split(0, 0.45, 2), leaf([1.0, 0.0]), leaf([0.25, 0.75])] }
}

/// Another: many SYNs are recon.
pub(crate) fn other_tree() -> TreeParts {
    let leaf = |shares: [f32; 2]| Node::Leaf(shares.to_vec());
    TreeParts { nodes: vec![Node::Split(4, 0.45, 2), leaf([1.0, 0.0]), leaf([0.0, 1.0])] }
}

/// Three points along the first feature that vote alike.
pub(crate) fn neighbours() -> EngineParts {
    let point = |x: f32| vec![x, 0.0, 0.0, 0.0, 0.0, 0.0];
    EngineParts::Knn(KnnParts {
        k: 3,
        metric: Metric::L1,
        weighting: Weighting::Uniform,
        kept: Kept::Centroids,
        unknown: None,
        points: vec![point(0.0), point(0.5), point(1.0)],
        point_labels: vec![0, 1, 1],
    })
}

/// The model as a file in a folder.
pub(crate) fn file(folder: &tempfile::TempDir, parts: &ModelParts) -> PathBuf {
    let model = Model::from_parts(parts).expect("valid parts");
    let path = folder.path().join(format!("{}.fsm", &model.sha256()[..12]));
    std::fs::write(&path, model.to_bytes().expect("an artifact")).expect("a file");
    path
}
