//! Train and evaluate from outside: the built program on small made-up flows, and on the labelled flows of `../shared`
//! where those are present.

#[path = "util/program.rs"]
mod program;
mod util;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use flowshrike::features::{FEATURE_COUNT, FeatureVector, Profile};
use flowshrike::model::Model;
use flowshrike::train::default_features;
use program::{fail, succeed};
use proptest::prelude::*;
use serde_json::Value;
use util::published::{PUBLISHED, published};

/// Made-up flows of three captures: benign ones in each, recon (2) in one, an exploit (6) in another.
struct Flows {
    data: String,
    labels: String,
}

impl Flows {
    fn new() -> Self {
        let columns: Vec<&str> = default_features().iter().map(|id| id.feature().column).collect();
        let mut flows = Self { data: format!("Flow ID,{},Label\n", columns.join(",")), labels: LABELS.to_owned() };
        let mut state = 1_u64;
        let mut noise = move |spread: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % spread
        };
        for (capture, attack) in [("quiet", None), ("scan", Some(2)), ("break-in", Some(6))] {
            for n in 0..200 {
                let label = attack.filter(|_| n % 4 == 3).unwrap_or(0);
                let mut row = format!("{capture}-{n}");
                for column in 0..columns.len() as u64 {
                    let value = match label {
                        0 => column * 10 + noise(40),
                        2 => 1000 + noise(20),
                        _ => 5000 + column + noise(200),
                    };
                    // The reference's ways to print a number.
                    let text = match noise(50) {
                        0 if label == 0 => "NaN".to_owned(),
                        1 => format!("{}.{}E3", value / 1000, format_args!("{:03}", value % 1000)),
                        _ => value.to_string(),
                    };
                    write!(row, ",{text}").expect("written");
                }
                writeln!(flows.data, "{row},{}", attack.unwrap_or(0)).expect("written");
                writeln!(flows.labels, "{capture},{},{label}", attack.unwrap_or(0)).expect("written");
            }
        }
        flows
    }
}

const LABELS: &str = "Scenario,Label,LabelFlow\n";

/// A folder with the made-up flows in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let flows = Flows::new();
        folder.write("flows.csv", &flows.data);
        folder.write("labels.csv", &flows.labels);
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.path().join(name), text).expect("written");
        self.path(name)
    }

    fn train(&self, output: &str, more: &[&str]) -> Vec<u8> {
        let (data, labels, output) = (self.path("flows.csv"), self.path("labels.csv"), self.path(output));
        let args = [&["train", "--data", &data, "--labels", &labels, "--output", &output], more].concat();
        assert_eq!(succeed(&args), "", "train prints nothing to stdout");
        fs::read(output).expect("a model")
    }
}

#[test]
fn a_trained_model_knows_its_labels_and_says_how_well() {
    let folder = Folder::new();
    let report = folder.path("report.json");
    let bytes = folder.train("model.fsm", &["--report", &report, "--name", "made-up", "--model-version", "7"]);
    let model = Model::from_bytes(&bytes).expect("a valid model");
    assert_eq!((model.name(), model.version(), model.labels().len()), ("made-up", "7", 3));
    assert!(model.trained_on().contains("600 flows of 3 captures: benign 500, recon 50, exploit 50"));

    let report: Value = serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON");
    assert_eq!(report["sha256"], model.sha256());
    assert_eq!(report["training_flows"], 450);
    assert_eq!(
        report["validation_flows"].as_u64().zip(report["repeated_flows"].as_u64()).map(|(a, b)| a + b),
        Some(150)
    );

    let (model_path, data, labels) = (folder.path("model.fsm"), folder.path("flows.csv"), folder.path("labels.csv"));
    let args = ["evaluate", "--model", &model_path, "--data", &data, "--labels", &labels];
    let found: Value = serde_json::from_str(&succeed(&[&args[..], &["--format", "json"]].concat())).expect("JSON");
    assert_eq!(found["model"]["sha256"], model.sha256());
    assert_eq!(found["flows"], 600);
    assert_eq!(found["per_class"]["recon"]["support"], 50);
    assert_eq!(found["per_class"]["exploit"]["recall"], 1.0);
    assert_eq!(found["confusion"]["benign"], serde_json::json!({ "benign": 500 }));
    assert_eq!((&found["false_positive_rate"], &found["macro_f1"]), (&Value::from(0.0), &Value::from(1.0)));
    assert_eq!(found["per_scenario"]["scan"]["benign_flows"], 150);
    assert!(found["novelty"]["rate"].is_number() && found["novelty"]["threshold"].is_number());
    assert!(found["non_finite"].as_u64() > Some(0), "the NaN cells are counted");
    let text = succeed(&args);
    assert!(text.contains("macro-F1") && text.contains(model.sha256()), "{text}");
}

#[test]
fn the_same_data_and_seed_give_the_same_bytes() {
    let folder = Folder::new();
    let first = folder.train("one.fsm", &["--seed", "5"]);
    assert_eq!(first, folder.train("two.fsm", &["--seed", "5"]));
    assert_ne!(first, folder.train("three.fsm", &["--seed", "6"]));
}

#[test]
fn no_point_of_a_model_is_a_row_of_its_data() {
    let folder = Folder::new();
    let model = Model::from_bytes(&folder.train("model.fsm", &[])).expect("a valid model");
    let mut classifier = model.classifier();
    let columns = default_features().len();
    for line in Flows::new().data.lines().skip(1) {
        let row: Vec<f64> = line.split(',').skip(1).take(columns).map(|cell| cell.parse().expect("a number")).collect();
        let verdict = classifier.classify_row(&row);
        assert!(verdict.novelty > 0.0 || verdict.label != model.label_named("benign").expect("a label"), "{line}");
    }
}

#[test]
fn each_label_can_be_told_apart() {
    let folder = Folder::new();
    let model = Model::from_bytes(&folder.train("model.fsm", &["--view", "labels"])).expect("a valid model");
    assert_eq!(model.labels(), ["benign", "node-red-recon", "cve-2019-20933"]);
}

#[test]
fn bad_input_is_named_and_leaves_an_old_model_alone() {
    let folder = Folder::new();
    let old = folder.train("model.fsm", &[]);
    let (labels, output) = (folder.path("labels.csv"), folder.path("model.fsm"));
    let flows = Flows::new().data;
    let mut lines: Vec<&str> = flows.lines().collect();
    let short = folder.write("short.csv", &(lines[..300].join("\n") + "\n"));
    lines[4] = "x,1,2";
    let cut = folder.write("cut.csv", &lines.join("\n"));
    let broken = folder.write("broken.csv", &flows.replacen(",1,", ",one,", 1));
    let strange = folder.write("strange.csv", &Flows::new().labels.replacen(",0\n", ",flowers\n", 1));
    for (data, labels, words) in [
        (short.as_str(), labels.as_str(), "600 rows of labels and the data 299 flows"),
        (&cut, &labels, "cut.csv: line 5: 3 cells"),
        (&broken, &labels, "broken.csv: line "),
        (&folder.path("flows.csv"), &strange, "`flowers`"),
        (&labels, &labels, "no column `Fwd Packet Length Std`, `Down/Up Ratio`"),
        (&folder.path("nothing.csv"), &labels, "nothing.csv: "),
    ] {
        let said = fail(&["train", "--data", data, "--labels", labels, "--output", &output]);
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    assert_eq!(fs::read(&output).expect("the old model"), old);
    let left = fs::read_dir(folder.0.path())
        .expect("a folder")
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with('.')));
    assert_eq!(left.count(), 0, "nothing half-written is left");
}

#[test]
fn evaluate_refuses_labels_and_models_that_it_cannot_know() {
    let folder = Folder::new();
    folder.train("model.fsm", &["--view", "labels"]);
    let (model, data) = (folder.path("model.fsm"), folder.path("flows.csv"));
    let labels = folder.write("other.csv", &Flows::new().labels.replacen(",6\n", ",3\n", 4));
    let args = ["evaluate", "--format", "json", "--model", &model, "--data", &data, "--labels", &labels];
    let said = fail(&args);
    assert!(said.contains("`3` (node-red-rce)"), "{said}");
    let found: Value =
        serde_json::from_str(&succeed(&[&args[..], &["--allow-unknown-labels"]].concat())).expect("JSON");
    assert_eq!(found["per_class"]["(not in the model)"]["support"], 4);

    let mut damaged = fs::read(&model).expect("a model");
    let last = damaged.len() - 10;
    damaged[last] ^= 1;
    let path = folder.path("damaged.fsm");
    fs::write(&path, damaged).expect("written");
    let said = fail(&["evaluate", "--model", &path, "--data", &data]);
    assert!(said.contains("damaged.fsm") && said.contains("SHA-256"), "{said}");
}

/// A flow's columns as both profiles give them: the reference prints `NaN` or `Infinity` where ours is undefined.
fn vectors(model: &Model, row: &[f64]) -> (FeatureVector, FeatureVector) {
    let mut cic = FeatureVector { values: [0.0; FEATURE_COUNT], undefined: 0 };
    let mut standard = cic.clone();
    for (id, &value) in model.features().iter().zip(row) {
        cic.values[id.index()] = value;
        if value.is_finite() {
            standard.values[id.index()] = value;
        } else {
            standard.undefined |= 1 << id.index();
        }
    }
    (cic, standard)
}

proptest! {
    #[test]
    fn the_default_model_says_the_same_under_both_profiles(
        row in proptest::collection::vec(
            prop_oneof![
                4 => 0.0..1e4f64, 2 => Just(0.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => any::<f64>(),
            ],
            13,
        )
    ) {
        let model = Model::embedded().expect("the default model");
        prop_assert!(model.serves(Profile::Standard).is_ok() && model.serves(Profile::Cic).is_ok());
        let mut classifier = model.classifier();
        let (cic, standard) = vectors(&model, &row);
        let verdict = classifier.classify(&standard);
        prop_assert_eq!(classifier.classify(&cic), verdict);
        prop_assert!((0.0..=1.0).contains(&verdict.score) && verdict.novelty.is_finite());
        let told: f32 = classifier.explain(&standard).iter().flatten().map(|told| told.distance).sum();
        prop_assert!(told <= verdict.novelty * 1.0001 + 1e-6);
    }
}

#[test]
fn the_card_names_the_models() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let card = fs::read_to_string(folder.join("README.md")).expect("the card");
    let model = Model::embedded().expect("the default model");
    for words in [model.sha256(), model.name(), &model.novelty_threshold().to_string()] {
        assert!(card.contains(words), "models/README.md does not say {words}");
    }
    for (name, model) in [("default.fsm", model), ("k8s-misuse.fsm", published())] {
        assert!(card.contains(model.sha256()), "models/README.md does not say {}", model.sha256());
        let size = fs::metadata(folder.join(name)).expect("a model").len();
        assert!(size < 300_000, "{name}: {size} bytes");
        assert!(model.parts().engine.size() <= 500);
    }
    let forest = fs::read(folder.join("forest.fsm")).expect("a second model");
    let forest = Model::from_bytes(&forest).expect("a valid model");
    for words in [forest.sha256(), forest.name()] {
        assert!(card.contains(words), "models/README.md does not say {words}");
    }
}

/// The labelled flows and their labels, where they are present.
fn shared() -> Option<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/k8s-misuse");
    let files = ["train.csv.gz", "train_labels.csv.gz"].map(|name| folder.join(name));
    if !files.iter().all(|path: &PathBuf| path.exists()) {
        util::skip::skipped(&format!("{} is not there", folder.display()));
        return None;
    }
    let [data, labels] = files.map(|path| path.to_string_lossy().into_owned());
    Some((data, labels))
}

#[test]
fn the_model_of_the_published_flows_is_what_its_card_says_it_was_made_of() {
    let Some((data, labels)) = shared() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("k8s-misuse.fsm").to_string_lossy().into_owned();
    let about = "Kubernetes misuse data set (Sever and Dogan 2023, doi 10.52953/FPLR8631), LabelFlow labels";
    let args = ["train", "--data", &data, "--labels", &labels, "--name", "k8s-misuse", "--about", about];
    succeed(&[&args[..], &["--output", &output]].concat());
    assert!(
        fs::read(output).expect("a model") == fs::read(PUBLISHED).expect("the model"),
        "models/k8s-misuse.fsm is not what this code trains: run the command of models/README.md and update the card"
    );
}

#[test]
fn the_model_of_the_published_flows_keeps_to_the_figures_of_its_card() {
    let Some((data, labels)) = shared() else { return };
    let found = succeed(&["evaluate", "--model", PUBLISHED, "--data", &data, "--labels", &labels, "--format", "json"]);
    let found: Value = serde_json::from_str(&found).expect("JSON");
    let number = |pointer: &str| found.pointer(pointer).and_then(Value::as_f64).expect("a number");
    assert_eq!(number("/flows"), 6994.0);
    // On its own training rows a model must do at least as well as on rows it has not seen.
    assert!(number("/macro_f1") >= 0.95, "{}", number("/macro_f1"));
    assert!(number("/per_class/recon/f1") >= 0.99);
    assert!(number("/false_positive_rate") <= 0.001);
    assert!(number("/per_class/exploit/alerted") >= 28.0);
    assert!(number("/novelty/benign_rate") <= 0.006, "{}", number("/novelty/benign_rate"));
}
