//! Pipelines from outside: what a file declares is fitted, kept in the artifact and run by the daemon's pipeline, whatever the engine; what
//! cannot be meant is named with its place.

#[path = "util/program.rs"]
mod program;
mod util;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use flowshrike::model::{Kept, Metric, Model, Weighting};
use flowshrike::train::{Pipeline, default_features};
use program::{fail, flowshrike, succeed, text};
use serde_json::Value;
use util::random::Random;

/// Flows of three captures and where they stand.
struct Flows {
    folder: tempfile::TempDir,
    path: String,
}

impl Flows {
    /// Benign ones in each capture, a scan in one, an exploit in another; a few rates are infinite or not a number.
    fn new() -> Self {
        let mut random = Random::new(11);
        let columns: Vec<&str> = default_features().iter().map(|id| id.feature().column).collect();
        let mut csv = format!("{},Scenario,Label\n", columns.join(","));
        for (capture, attack) in [("quiet", 0), ("scan", 2), ("break-in", 6)] {
            for n in 0..160_u16 {
                let label = if n % 4 == 3 { attack } else { 0 };
                for column in 0..columns.len() {
                    let value = f64::from(label) * 400.0 + random.between(0, 500) as f64;
                    match (column, n % 40) {
                        (11, 5) => csv.push_str("Infinity,"),
                        (11, 6) => csv.push_str("NaN,"),
                        _ => write!(csv, "{value},").expect("text"),
                    }
                }
                writeln!(csv, "{capture},{label}").expect("text");
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("flows.csv");
        fs::write(&path, csv).expect("written");
        Self { path: path.to_string_lossy().into_owned(), folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn declare(&self, pipeline: &str) -> String {
        let path = self.file("pipeline.yaml");
        fs::write(&path, pipeline).expect("written");
        path.to_string_lossy().into_owned()
    }

    /// Trains by a pipeline and flags; the model's bytes.
    fn train(&self, pipeline: &str, more: &[&str]) -> Vec<u8> {
        let output = self.file("model.fsm").to_string_lossy().into_owned();
        let declared = self.declare(pipeline);
        let args = ["train", "--data", &self.path, "--pipeline", &declared, "--output", &output];
        succeed(&[&args[..], more].concat());
        fs::read(output).expect("a model")
    }

    fn refuse(&self, pipeline: &str, more: &[&str]) -> String {
        let declared = self.declare(pipeline);
        let args = ["train", "--data", &self.path, "--pipeline", &declared, "--output", "/nonexistent/model.fsm"];
        let output = flowshrike(&[&args[..], more].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        text(&output.stderr)
    }
}

#[test]
fn the_page_declares_the_default() {
    let page = include_str!("../docs/pipeline.md");
    let (_, rest) = page.split_once("```yaml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    assert_eq!(Pipeline::parse(example).expect("a pipeline"), Pipeline::default());
    let flows = Flows::new();
    assert!(flows.train(example, &[]) == flows.train("", &[]), "the same bytes");
}

#[test]
fn every_engine_is_fitted_by_name_and_run_by_the_daemons_pipeline() {
    let flows = Flows::new();
    for (pipeline, engine, size) in [
        ("engine: {name: knn, k: 5, metric: l2}\npoints: {benign: 20, attacks: 10}", "knn", 1..=30),
        ("engine: {name: knn, metric: cosine, weighting: uniform, kept: condensed}", "knn", 2..=479),
        ("engine: {name: knn, kept: exact}", "knn", 480..=480),
        ("engine: {name: tree, max_depth: 5}", "tree", 2..=32),
        ("engine: {name: forest, trees: 9, max_depth: 6}", "forest", 18..=576),
        ("engine: {name: majority}", "majority", 0..=0),
    ] {
        let bytes = flows.train(pipeline, &[]);
        assert!(bytes == flows.train(pipeline, &[]), "{pipeline}: the same bytes");
        let model = Model::from_bytes(&bytes).expect("a model");
        assert_eq!(model.engine(), engine);
        assert!(size.contains(&model.parts().engine.size()), "{pipeline}: {}", model.parts().engine.size());
        assert!(model.parts().pipeline.is_some(), "the artifact keeps the declaration");

        let path = flows.file("model.fsm").to_string_lossy().into_owned();
        let judged = succeed(&["evaluate", "--model", &path, "--data", &flows.path, "--format", "json"]);
        let found: Value = serde_json::from_str(&judged).expect("JSON");
        let accuracy = found["accuracy"].as_f64().expect("a figure");
        // Labels differ by size here, which a direction tells less of.
        let floor = match engine {
            "majority" => 0.5..=0.85,
            _ if pipeline.contains("cosine") => 0.7..=1.0,
            _ => 0.9..=1.0,
        };
        assert!(floor.contains(&accuracy), "{pipeline}: {accuracy}");
        if matches!(model.parts().engine.knn(), Some(knn) if knn.kept == Kept::Exact && knn.metric == Metric::L1) {
            assert_eq!(accuracy, 1.0, "each row is its own nearest point");
        }
        let summary = flows.file("summary.json").to_string_lossy().into_owned();
        succeed(&["replay", "tests/data/demo-cluster.pcap.gz", "--model", &path, "--summary", &summary]);
        let summary: Value = serde_json::from_slice(&fs::read(summary).expect("there")).expect("JSON");
        let classified = summary["flows"]["classified"].as_object().expect("labels");
        assert!(classified.values().filter_map(Value::as_u64).sum::<u64>() > 500, "{summary}");
    }
    let knn = Model::from_bytes(&flows.train("engine: {name: knn, weighting: uniform}", &[])).expect("a model");
    assert_eq!(knn.parts().engine.knn().map(|knn| knn.weighting), Some(Weighting::Uniform));
}

#[test]
fn flags_win_over_the_file_and_an_engine_keeps_the_settings_that_the_file_has_for_it() {
    let flows = Flows::new();
    let file = "view: labels\nengine: {name: forest, trees: 3}\nsplit: {kind: random, folds: 4}\n";
    let kept = Model::from_bytes(&flows.train(file, &["--engine", "forest"])).expect("a model");
    assert!(kept.parts().engine.describe().starts_with("forest of 3 trees"), "{}", kept.parts().engine.describe());
    assert_eq!(kept.labels(), ["benign", "node-red-recon", "cve-2019-20933"]);
    let other = Model::from_bytes(&flows.train(file, &["--engine", "tree", "--view", "stages", "--split", "time"]));
    let other = other.expect("a model");
    assert_eq!((other.engine(), other.labels().len()), ("tree", 3));
    assert_eq!(other.labels(), ["benign", "recon", "exploit"]);
    let pipeline = other.parts().pipeline.as_ref().expect("the declaration");
    assert_eq!((&pipeline["split"]["kind"], &pipeline["split"]["folds"]), (&"time".into(), &Value::Null));
}

#[test]
fn missing_values_and_scalings_are_those_declared() {
    let flows = Flows::new();
    let of = |pipeline: &str| Model::from_bytes(&flows.train(pipeline, &[])).expect("a model");
    let zero = of("missing: zero");
    let median = of("missing: median");
    let rate = zero.features().iter().position(|id| id.feature().column == "Flow Bytes/s").expect("a column");
    assert_eq!(zero.transform().fill()[rate], 0.0);
    assert!(median.transform().fill()[rate] > 100.0, "{:?}", median.transform().fill());
    for scaling in ["quantile", "standard", "robust", "signed-log"] {
        let model = of(&format!("scaling: {scaling}\nmissing: median\n"));
        let mut row: Vec<f64> = vec![250.0; model.features().len()];
        row[rate] = f64::NAN;
        let missing = model.classifier().classify_row(&row);
        row[rate] = model.transform().fill()[rate];
        assert_eq!(model.classifier().classify_row(&row), missing, "{scaling}: a missing value counts as its fill");
        let each = if scaling == "quantile" { 2 } else { 1 };
        assert_eq!(model.transform().dimensions(), each * model.features().len());
    }
}

#[test]
fn what_cannot_be_meant_is_wrong_usage_with_file_and_line() {
    let flows = Flows::new();
    for (pipeline, more, words) in [
        ("view: stages\nscale: robust\n", &[][..], "pipeline.yaml:2:1: "),
        ("engine: {name: svm}\n", &[], "svm"),
        ("engine: {name: knn, k: 100}\n", &[], "k: 100"),
        ("split: {kind: group}\n", &[], "--group-column"),
        ("features: {columns: [Dst Port]}\n", &[], "--allow-leaky"),
        ("view: [\n", &[], "pipeline.yaml:"),
        ("", &["--engine", "svm"], "invalid value"),
    ] {
        let said = flows.refuse(pipeline, more);
        assert!(said.contains(words), "{pipeline}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    let said = fail(&["train", "--data", &flows.path, "--pipeline", "/nonexistent.yaml", "--output", "/tmp/x.fsm"]);
    assert!(said.contains("/nonexistent.yaml"), "{said}");
}
