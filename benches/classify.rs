//! The classify path alone: the default model near and far from its points, and a large model.

use std::collections::BTreeMap;

use divan::{Bencher, black_box};
use flowshrike::features::FeatureId;
use flowshrike::model::artifact::{MapParts, schema_sha256};
use flowshrike::model::{Model, ModelParts, Provenance};

fn main() {
    divan::main();
}

/// A flow at the median of every feature: neighbours are close, and the search is short.
#[divan::bench]
fn default_model_near(bencher: Bencher<'_, '_>) {
    let model = Model::embedded().expect("the default model");
    let middle = |map: &MapParts| map.knots.get(map.knots.len() / 2).copied().map_or(0.0, f64::from);
    classify(bencher, &model, &model.parts().transform.iter().map(middle).collect::<Vec<_>>());
}

/// A flow beyond every maximum: no neighbour is close, and the search visits nearly all.
#[divan::bench]
fn default_model_far(bencher: Bencher<'_, '_>) {
    let model = Model::embedded().expect("the default model");
    classify(bencher, &model, &vec![1e30; model.features().len()]);
}

#[divan::bench]
fn points_10000_features_20_near(bencher: Bencher<'_, '_>) {
    classify(bencher, &large(), &[500.0; 20]);
}

#[divan::bench]
fn points_10000_features_20_far(bencher: Bencher<'_, '_>) {
    classify(bencher, &large(), &[1e30; 20]);
}

fn classify(bencher: Bencher<'_, '_>, model: &Model, row: &[f64]) {
    let mut classifier = model.classifier();
    bencher.bench_local(move || classifier.classify_row(black_box(row)));
}

/// Ten thousand points evenly spread over twenty features, half of them benign.
fn large() -> Model {
    let features: Vec<FeatureId> = FeatureId::all().filter(|id| id.feature().portable).take(20).collect();
    let mut state = 1_u64;
    let mut coordinate = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from((state >> 48) as u16) / 65_536.0
    };
    let mut points: Vec<Vec<f32>> = Vec::new();
    for _ in 0..10_000 {
        points.push(features.iter().flat_map(|_| [(coordinate() * 1e5).round() / 1e5, 0.0]).collect());
    }
    let map = MapParts { knots: vec![0.0, 1000.0], levels: vec![0.0, 1.0] };
    Model::from_parts(&ModelParts {
        name: "large".to_owned(),
        version: "1".to_owned(),
        profile: "standard".to_owned(),
        schema_sha256: schema_sha256(&features),
        portable_only: true,
        transform: vec![map; features.len()],
        features: features.iter().map(|id| id.feature().column.to_owned()).collect(),
        labels: ["benign", "recon"].map(str::to_owned).to_vec(),
        alert_thresholds: vec![0.0, 0.5],
        novelty_threshold: 0.5,
        k: 3,
        weighting: "distance".to_owned(),
        point_labels: (0..10_000).map(|n| n % 2).collect(),
        points,
        provenance: Provenance {
            trained_on: "evenly spread points".to_owned(),
            data_sha256: String::new(),
            rows: BTreeMap::new(),
            seed: 1,
            created_by: "bench".to_owned(),
        },
        metrics: BTreeMap::new(),
    })
    .expect("a valid model")
}
