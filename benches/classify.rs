//! The classify path alone: the default model, and models of many points beside `linfa-nn`'s own k-d tree on the same
//! points.
//!
//! Each benchmark goes round 1,024 different rows, since one row again and again would teach caches and branch
//! predictors its way. A row changes in its last bit each round, which rounds to the same point but is not remembered.
//!
//! *Near* rows are points of the model, moved a little. *Far* rows lie anywhere in the cube. Points are either in
//! 50 *clusters* or spread *evenly*, which is the worst case: no tree and no box can exclude anything.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use divan::{AllocProfiler, Bencher, black_box};
use flowshrike::features::FeatureId;
use flowshrike::model::{
    EngineParts, Kept, KnnParts, MapParts, Metric, Model, ModelParts, NoveltyParts, Provenance, ScalingParts,
    TransformParts, Weighting, schema_sha256,
};
use linfa_nn::distance::L2Dist;
use linfa_nn::{KdTree, NearestNeighbour};
use ndarray::{Array2, ArrayView1};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// A whole verdict of the default model: 396 points, 12 features.
#[divan::bench(args = ["near", "far", "beyond"], sample_size = 1024, sample_count = 50)]
fn default_model(bencher: Bencher<'_, '_>, queries: &str) {
    let model = default();
    classify(bencher, model, default_rows(model, queries));
}

/// A verdict on the row before: the memo answers.
#[divan::bench(sample_size = 1024, sample_count = 50)]
fn default_model_repeated(bencher: Bencher<'_, '_>) {
    let model = default();
    let (mut classifier, row) = (model.classifier(), default_rows(model, "near").swap_remove(0));
    bencher.bench_local(move || classifier.classify_row(black_box(&row)));
}

/// The transform alone.
#[divan::bench(args = ["near", "far", "beyond"], sample_size = 1024, sample_count = 50)]
fn default_model_transform(bencher: Bencher<'_, '_>, queries: &str) {
    let (model, mut point) = (default(), Vec::new());
    let mut rows = default_rows(model, queries).into_iter().cycle();
    bencher.bench_local(move || rows.next().map(|row| model.transform().apply(black_box(&row), &mut point)));
}

/// A whole verdict of a large model: one search for the three nearest points and the nearest benign one.
#[divan::bench(args = CASES, sample_size = 1024, sample_count = 5)]
fn large_model(bencher: Bencher<'_, '_>, case: &Case) {
    classify(bencher, case.model(), case.rows());
}

/// What `linfa-nn` takes for the three nearest points alone.
#[divan::bench(args = CASES, sample_size = 64, sample_count = 5)]
fn linfa_nn_kd_tree(bencher: Bencher<'_, '_>, case: &Case) {
    let points = points_of(case.model());
    let matrix = Array2::from_shape_vec((points.len(), 2 * case.features), points.concat()).expect("rectangular");
    let tree = KdTree.from_batch_with_leaf_size(&matrix, 16, L2Dist).expect("a tree");
    let mut point = Vec::new();
    let point = |row: Vec<f64>| {
        case.model().transform().apply(&row, &mut point);
        point.clone()
    };
    let mut queries: Vec<Vec<f32>> = case.rows().into_iter().map(point).collect();
    queries.truncate(64);
    let mut queries = queries.iter().cycle();
    bencher.bench_local(|| queries.next().map(|query| tree.k_nearest(ArrayView1::from(query), 3)));
}

/// Building the index.
#[divan::bench(args = [CASES[0], CASES[4], CASES[8]], sample_count = 3)]
fn index(bencher: Bencher<'_, '_>, case: &Case) {
    let model = case.model();
    bencher.bench_local(|| model.classifier());
}

const CASES: [Case; 16] = {
    let mut cases = [Case { points: 1000, features: 9, clustered: true, near: true }; 16];
    let (sizes, mut at) = ([(1000, 9), (10_000, 9), (10_000, 20), (100_000, 20)], 0);
    while at < cases.len() {
        let (points, features) = sizes[at / 4];
        cases[at] = Case { points, features, clustered: at % 4 < 2, near: at % 2 == 0 };
        at += 1;
    }
    cases
};

#[derive(Clone, Copy)]
struct Case {
    points: usize,
    features: usize,
    clustered: bool,
    near: bool,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.clustered { "clustered" } else { "even" };
        let near = if self.near { "near" } else { "far" };
        write!(f, "{} x {}, {how}, {near}", self.points, self.features)
    }
}

impl Case {
    /// The model, made once.
    fn model(&self) -> &'static Model {
        static MODELS: Mutex<BTreeMap<(usize, usize, bool), &'static Model>> = Mutex::new(BTreeMap::new());
        let mut models = MODELS.lock().unwrap_or_else(PoisonError::into_inner);
        models.entry((self.points, self.features, self.clustered)).or_insert_with(|| Box::leak(Box::new(self.make())))
    }

    /// Points of two labels, clusters of one label each.
    fn make(&self) -> Model {
        let features: Vec<FeatureId> =
            FeatureId::all().filter(|id| id.feature().portable).take(self.features).collect();
        let mut random = Random(1);
        let centres: Vec<Vec<f32>> = (0..50).map(|_| (0..self.features).map(|_| random.even()).collect()).collect();
        let (mut points, mut point_labels) = (Vec::new(), Vec::new());
        for _ in 0..self.points {
            let cluster = random.below(centres.len());
            let coordinate = |centre: &f32| {
                let x = if self.clustered { (centre + 0.05 * random.normal()).clamp(0.0, 1.0) } else { random.even() };
                [(x * 1e5).round() / 1e5, 0.0]
            };
            points.push(centres[cluster].iter().flat_map(coordinate).collect());
            point_labels.push((cluster % 2) as u16);
        }
        let map = MapParts { knots: vec![0.0, 1.0], levels: vec![0.0, 1.0] };
        Model::from_parts(&ModelParts {
            name: "large".to_owned(),
            version: "1".to_owned(),
            profile: "standard".to_owned(),
            schema_sha256: schema_sha256(&features),
            portable_only: true,
            parent: None,
            transform: TransformParts {
                fill: vec![0.0; features.len()],
                scaling: ScalingParts::Quantile(vec![map; features.len()]),
            },
            features: features.iter().map(|id| id.feature().column.to_owned()).collect(),
            labels: ["benign", "recon"].map(str::to_owned).to_vec(),
            alert_thresholds: vec![0.0, 0.5],
            engine: EngineParts::Knn(KnnParts {
                k: 3,
                metric: Metric::L2,
                weighting: Weighting::Distance,
                kept: Kept::Centroids,
                unknown: None,
                points,
                point_labels,
            }),
            novelty: NoveltyParts { threshold: 0.5, reference: None },
            evidence: None,
            spread: None,
            pipeline: None,
            provenance: Provenance {
                trained_on: "made-up points".to_owned(),
                data_sha256: String::new(),
                rows: BTreeMap::new(),
                seed: 1,
                created_by: "bench".to_owned(),
                leaky: Vec::new(),
            },
            metrics: BTreeMap::new(),
        })
        .expect("a valid model")
    }

    fn rows(&self) -> Vec<Vec<f64>> {
        let (points, mut random) = (points_of(self.model()), Random(2));
        let mut row = |_| {
            let point = &points[random.below(points.len())];
            let near = |x: &f32| f64::from((x + 0.002 * random.normal()).clamp(0.0, 1.0));
            if self.near {
                point.iter().step_by(2).map(near).collect()
            } else {
                (0..self.features).map(|_| f64::from(random.even())).collect()
            }
        };
        (0..ROWS).map(&mut row).collect()
    }
}

fn points_of(model: &Model) -> &[Vec<f32>] {
    &model.parts().engine.knn().expect("nearest neighbours").points
}

fn default() -> &'static Model {
    Box::leak(Box::new(Model::embedded().expect("the default model")))
}

/// Rows of the default model: near its points, anywhere among the training values, or beyond all of them.
fn default_rows(model: &Model, queries: &str) -> Vec<Vec<f64>> {
    let (points, mut random) = (points_of(model), Random(3));
    let ScalingParts::Quantile(maps) = &model.parts().transform.scaling else { panic!("quantile maps") };
    let mut row = |_| {
        let point = &points[random.below(points.len())];
        let mut value = |(map, level): (&MapParts, &f32)| match queries {
            "near" => value_at(map, (level + 0.002 * random.normal()).clamp(0.0, 1.0)),
            "far" => value_at(map, random.even()),
            _ => 1e30 * f64::from(1.0 + random.even()),
        };
        maps.iter().zip(point.iter().step_by(2)).map(&mut value).collect()
    };
    (0..ROWS).map(&mut row).collect()
}

/// The value that a map takes to a level.
fn value_at(map: &MapParts, level: f32) -> f64 {
    let above = map.levels.partition_point(|&knot| knot <= level).clamp(1, map.levels.len().max(2) - 1);
    let at = |values: &[f32], place: usize| f64::from(values[place.min(values.len() - 1)]);
    let (low, high) = (at(&map.levels, above - 1), at(&map.levels, above));
    let share = if high > low { (f64::from(level) - low) / (high - low) } else { 0.0 };
    at(&map.knots, above - 1) + share * (at(&map.knots, above) - at(&map.knots, above - 1))
}

fn classify(bencher: Bencher<'_, '_>, model: &Model, mut rows: Vec<Vec<f64>>) {
    let mut classifier = model.classifier();
    // Far below what 32 bits tell apart, so that the points stay the same; and each row has numbers of its own.
    let after = |x: f64, steps: u64| f64::from_bits(x.to_bits() + steps);
    for (row, number) in rows.iter_mut().zip(0_u64..) {
        row[0] = after(row[0], number << 12);
    }
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % ROWS;
        let row = &mut rows[next];
        row[0] = after(row[0], 1);
        classifier.classify_row(black_box(row))
    });
    assert_eq!(classifier.repeated(), 0, "each row is new");
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn even(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.even()).sum::<f32>() - 6.0
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }
}

/// Different rows of a benchmark.
const ROWS: usize = 1024;
