//! `flowshrike predict` from outside: one row out for each row in, with the verdicts that a flow gets elsewhere.

#[path = "util/program.rs"]
mod program;

use std::fs;

use flowshrike::model::Model;
use program::{flowshrike, text};
use serde_json::Value;

/// A folder with the flows of the bundled capture as CSV, and their path.
fn flows() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flows.csv").to_string_lossy().into_owned();
    let output = flowshrike(&["extract", "tests/data/demo-cluster.pcap.gz", "--output", &path]);
    assert!(output.status.success());
    (folder, path)
}

#[test]
fn each_row_gets_the_verdict_that_the_flow_gets_in_replay() {
    let (folder, path) = flows();
    let log = folder.path().join("flows.jsonl").to_string_lossy().into_owned();
    assert!(flowshrike(&["replay", "tests/data/demo-cluster.pcap.gz", "--flows", &log]).status.success());
    let of_csv = flowshrike(&["predict", "--model", "models/default.fsm", "--format", "csv", &path]);
    assert!(of_csv.status.success(), "{}", text(&of_csv.stderr));
    let of_csv = text(&of_csv.stdout);
    let mut lines = of_csv.lines();
    assert_eq!(lines.next(), Some("label,score,novelty,novel"));
    let rows_in = fs::read_to_string(&path).expect("flows").lines().count() - 1;
    assert_eq!(lines.clone().count(), rows_in);
    // The flow log stands in the order of extract's rows, and holds both the features and the verdict.
    let mut labels = std::collections::BTreeSet::new();
    for (line, logged) in lines.zip(fs::read_to_string(&log).expect("a log").lines()) {
        let logged: Value = serde_json::from_str(logged).expect("JSON");
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells[0], logged["label"].as_str().expect("a label"));
        for (cell, key) in cells[1..3].iter().zip(["score", "novelty"]) {
            let difference = cell.parse::<f64>().expect("a number") - logged[key].as_f64().expect("a number");
            assert!(difference.abs() < 1e-6, "{key}: {line} {logged}");
        }
        assert_eq!(cells[3], logged["novel"].to_string());
        labels.insert(cells[0].to_owned());
    }
    assert!(labels.len() > 1, "verdicts of one kind prove little");
    // The same flows as JSON lines, by the model in the program.
    let of_json = flowshrike(&["predict", &log, "--format", "jsonl"]);
    assert!(of_json.status.success(), "{}", text(&of_json.stderr));
    for (line, json) in of_csv.lines().skip(1).zip(text(&of_json.stdout).lines()) {
        let json: Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(line.split(',').next(), json["label"].as_str());
    }
}

#[test]
fn a_bad_row_stops_or_keeps_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = Model::embedded().expect("the default model");
    let header: Vec<_> = model.features().iter().map(|id| id.feature().column).collect();
    let row = |cell: &str| vec![cell; header.len()].join(",");
    let path = folder.path().join("rows.csv").to_string_lossy().into_owned();
    fs::write(&path, format!("{}\n{}\n{}\n{}\n", header.join(","), row("1"), row("x"), row("NaN"))).expect("written");
    let stopped = flowshrike(&["predict", &path]);
    assert_eq!(stopped.status.code(), Some(1));
    assert!(text(&stopped.stderr).contains("rows.csv") && text(&stopped.stderr).contains("line 3"));
    let skipped = flowshrike(&["predict", &path, "--on-bad-row", "skip"]);
    let out = text(&skipped.stdout);
    assert!(skipped.status.success());
    assert_eq!(out.lines().collect::<Vec<_>>()[2], ",,,");
    assert_eq!(out.lines().count(), 4);
    assert!(text(&skipped.stderr).contains("13 values were not finite"), "{}", text(&skipped.stderr));

    fs::write(&path, "FIN Flag Count\n1\n").expect("written");
    let missing = flowshrike(&["predict", &path]);
    assert!(missing.status.code() == Some(1) && text(&missing.stderr).contains("`Flow Bytes/s`"));
    assert_eq!(flowshrike(&["predict"]).status.code(), Some(2));
}
