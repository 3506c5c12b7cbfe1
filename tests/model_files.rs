//! `flowshrike model` from outside: cards, checks and differences of model files, good ones and others.

#[path = "util/program.rs"]
mod program;
mod util;

use std::fs;
use std::path::Path;

use flowshrike::model::{EngineParts, Model, ModelParts};
use program::{flowshrike, text};
use serde_json::Value;
use util::published::{PUBLISHED, published};

/// The model of the published flows with a change, in a file.
fn changed(folder: &Path, name: &str, change: impl FnOnce(&mut ModelParts)) -> String {
    let mut parts = published().parts().clone();
    change(&mut parts);
    let bytes = Model::from_parts(&parts).expect("a valid model").to_bytes().expect("encodes");
    let path = folder.join(name);
    fs::write(&path, bytes).expect("written");
    path.to_string_lossy().into_owned()
}

#[test]
fn a_card_says_what_the_artifact_holds_and_what_that_is_not_enough_for() {
    let output = flowshrike(&["model", "inspect", PUBLISHED, "--format", "json"]);
    assert!(output.status.success());
    let card: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let model = published();
    assert_eq!(card["sha256"], model.sha256());
    assert_eq!(card["features"].as_array().map(Vec::len), Some(model.features().len()));
    let points: u64 = card["labels"].as_array().expect("labels").iter().filter_map(|l| l["points"].as_u64()).sum();
    assert_eq!(Some(points), card["points"].as_u64());
    assert_eq!(card["labels"][0]["alert_threshold"], Value::Null, "benign flows raise no alert");
    for (label, flows) in &model.parts().provenance.rows {
        let held = card["labels"].as_array().expect("labels").iter().find(|l| l["name"] == label.as_str());
        assert_eq!(held.map(|l| &l["training_flows"]), Some(&Value::from(*flows)), "{label}");
    }
    let spots = card["blind_spots"].to_string();
    assert!(spots.contains("`exploit` was learnt from 30 flows"), "{spots}");
    assert!(spots.contains("the figures of `exploit` stand on 4 flows"), "{spots}");

    let [named, without_name] =
        [&["models/default.fsm"][..], &[]].map(|file| flowshrike(&[&["model", "inspect"], file].concat()));
    assert_eq!(text(&named.stdout), text(&without_name.stdout), "the file is the one in the program");
    let named = flowshrike(&["model", "inspect", PUBLISHED]);
    for word in [model.sha256(), "blind spots", "Fwd Packet Length Std", "validation.macro_f1"] {
        assert!(text(&named.stdout).contains(word), "{word}");
    }
}

#[test]
fn whole_models_verify_and_each_other_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = changed(folder.path(), "good.fsm", |parts| parts.version = "9".to_owned());
    let sum = Model::from_bytes(&fs::read(&good).expect("there")).expect("valid").sha256().to_owned();
    let output = flowshrike(&["model", "verify", &good, "--sha256", &sum]);
    assert!(output.status.success() && text(&output.stdout).contains(&format!("k8s-misuse 9, SHA-256 {sum}")));

    let mut bytes = fs::read(&good).expect("there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let bad = folder.path().join("bad.fsm").to_string_lossy().into_owned();
    fs::write(&bad, bytes).expect("written");
    let cic_only = changed(folder.path(), "cic.fsm", |parts| {
        parts.features[0] = "Active Mean".to_owned();
        parts.portable_only = false;
        let features: Vec<_> =
            parts.features.iter().map(|name| flowshrike::features::FeatureId::named(name).expect("a column")).collect();
        parts.schema_sha256 = flowshrike::model::schema_sha256(&features);
    });
    let missing = folder.path().join("missing.fsm").to_string_lossy().into_owned();
    let output = flowshrike(&["model", "verify", &bad, &good, &cic_only, &missing]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("good.fsm: whole"), "the others are checked all the same");
    for words in ["bad.fsm: model is damaged", "cic.fsm: model `k8s-misuse`", "missing.fsm", "3 of 4 models"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(flowshrike(&["model", "verify", "--profile", "cic", &cic_only]).status.success());

    let other = flowshrike(&["model", "verify", &good, "--sha256", "00"]);
    assert!(other.status.code() == Some(1) && text(&other.stderr).contains("not 00"));
    assert_eq!(flowshrike(&["model", "verify", &good, &good, "--sha256", &sum]).status.code(), Some(2));
}

#[test]
fn a_difference_names_what_changed_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = changed(folder.path(), "before.fsm", |_| ());
    let same = flowshrike(&["model", "diff", &before, PUBLISHED]);
    assert_eq!((text(&same.stdout).as_str(), same.status.success()), ("the same model\n", true));

    let after = changed(folder.path(), "after.fsm", |parts| {
        parts.version = "2".to_owned();
        parts.novelty.threshold = 0.5;
        parts.alert_thresholds[1] = 0.75;
        if let EngineParts::Knn(knn) = &mut parts.engine {
            knn.points[0][0] = 0.125;
        }
        parts.metrics.remove("validation.macro_f1");
    });
    let output = flowshrike(&["model", "diff", &before, &after, "--format", "json"]);
    let diff: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let changes: Vec<_> = diff["changes"].as_array().expect("changes").iter().collect();
    let what: Vec<_> = changes.iter().filter_map(|change| change["what"].as_str()).collect();
    assert_eq!(
        what,
        [
            "SHA-256",
            "version",
            "points of benign",
            "alert threshold of recon",
            "novelty threshold",
            "figure validation.macro_f1"
        ]
    );
    assert_eq!((&changes[1]["before"], &changes[1]["after"]), (&Value::from("1"), &Value::from("2")));
    assert_eq!(changes[5]["after"], Value::Null);
    assert!(text(&flowshrike(&["model", "diff", &before, &after]).stdout).contains("version: 1 -> 2\n"));
}

/// Artifacts of past formats stay here for ever: each is read, or refused with the way out named.
#[test]
fn a_model_of_format_1_is_read() {
    let output = flowshrike(&["model", "inspect", "tests/data/model-format-1.fsm", "--format", "json"]);
    let card: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&card["name"], &card["points"]), (&Value::from("made-up"), &Value::from(4)));
    let model = Model::from_bytes(&fs::read("tests/data/model-format-1.fsm").expect("there")).expect("a valid model");
    let verdict = model.classifier().classify_row(&[2.0, 90.0]);
    assert_eq!((model.label_name(verdict.label), verdict.novel), ("recon", true));
    // At (1, .9): recon points at .1 and .15, the nearest benign one at (.5, .25).
    let (near, far) = (1.0 / 0.1 + 1.0 / 0.15, 1.0 / 0.5_f32.hypot(0.65));
    assert!((verdict.score - near / (near + far)).abs() < 1e-5, "{}", verdict.score);
}

/// Format 2 brought engines, transforms with fills, a reference of novelty that stands apart, and parents.
#[test]
fn a_model_of_format_2_is_read_and_written_alike() {
    let bytes = fs::read("tests/data/model-format-2.fsm").expect("there");
    let model = Model::from_bytes(&bytes).expect("a valid model");
    assert_eq!(model.to_bytes().expect("encodes"), bytes);
    let card = text(&flowshrike(&["model", "inspect", "tests/data/model-format-2.fsm"]).stdout);
    for words in ["forest of 2 trees, 3 leaves", "made from   made-up 0, SHA-256 00"] {
        assert!(card.contains(words), "{words}: {card}");
    }
    // The first tree splits the second feature's quantile at .5; the other one is undecided.
    let mut classifier = model.classifier();
    for (row, label, score) in [([2.0, 10.0], "benign", 0.625), ([2.0, 90.0], "recon", 0.75)] {
        let verdict = classifier.classify_row(&row);
        assert_eq!((model.label_name(verdict.label), verdict.score), (label, score), "{row:?}");
    }
    // A value that is missing counts as the fill, 50.
    assert_eq!(classifier.classify_row(&[2.0, f64::NAN]), classifier.classify_row(&[2.0, 50.0]));

    let diff =
        text(&flowshrike(&["model", "diff", "tests/data/model-format-1.fsm", "tests/data/model-format-2.fsm"]).stdout);
    for words in ["engine: knn -> forest", "made from:  -> made-up 0", "points of the novelty reference: (none) -> 2"] {
        assert!(diff.contains(words), "{words}: {diff}");
    }
}
