//! Verdicts on single flows and on lists of them.

use std::path::Path;

use flowshrike::model::EngineParts;
use serde_json::{Map, Value, json};

use super::models::{self, FEATURES};
use super::program::succeed;
use super::service::Service;

/// A service of a small model.
pub(crate) fn serve(labels: &[&str], engine: EngineParts) -> (tempfile::TempDir, Service) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = models::file(&folder, &models::parts(labels, engine));
    let service = Service::start(&["--model", &path.to_string_lossy()]);
    (folder, service)
}

pub(crate) fn serve_tree() -> (tempfile::TempDir, Service) {
    serve(&["benign", "recon"], EngineParts::Tree(models::tree()))
}

#[test]
fn a_flow_by_names_and_as_a_list_get_the_same_answer() {
    let (_folder, service) = serve_tree();
    let card = service.model();
    let expected = json!({
        "prediction": 1, "label": "recon", "score": 0.75, "novelty": 0.9, "novel": true,
        "probabilities": {"benign": 0.25, "recon": 0.75},
        "model": {"name": "small", "version": "7", "sha256": card["sha256"]},
    });
    let named = json!({"Down/Up Ratio": 4, "Total Fwd Packet": 5.0, "SYN Flag Count": 0});
    // 32-bit numbers are written with their own digits.
    let close = |mut answer: Value| {
        let novelty = answer["novelty"].as_f64().expect("a number");
        assert!((novelty - 0.9).abs() < 1e-6, "{answer}");
        answer["novelty"] = json!(0.9);
        answer
    };
    assert_eq!(close(service.predict(&named)), expected);
    assert_eq!(close(service.predict(&json!({"features": [5, 4, 0]}))), expected);
    let slash = service.post("/predict/", json!({"features": [5, 4, 0]}).to_string());
    assert_eq!((slash.status, close(slash.json())), (200, expected));
    let benign = service.predict(&json!({"features": [0, 0, 0]}));
    assert_eq!(
        (&benign["prediction"], &benign["label"], &benign["novel"]),
        (&json!(0), &json!("benign"), &json!(false))
    );
    assert_eq!(service.metric("flowshrike_predictions_total{label=\"recon\"}"), 3.0);
    assert_eq!(service.metric("flowshrike_predictions_total{label=\"benign\"}"), 1.0);
    assert_eq!(service.metric("flowshrike_predictions_novel_total"), 3.0);
    assert_eq!(service.metric("flowshrike_http_requests_total{route=\"/predict\",status=\"200\"}"), 4.0);
}

#[test]
fn every_engine_tells_its_shares() {
    let forest = EngineParts::Forest(vec![models::tree(), models::other_tree()]);
    let majority = EngineParts::Majority(flowshrike::model::MajorityParts { shares: vec![0.875, 0.125] });
    let third = 1.0 / 3.0;
    for (engine, benign) in
        [(EngineParts::Tree(models::tree()), 0.25), (forest, 0.625), (models::neighbours(), third), (majority, 0.875)]
    {
        let name = engine.name();
        let (_folder, service) = serve(&["benign", "recon"], engine);
        let answer = service.predict(&json!({"features": [6, 0, 0]}));
        let share = |label: &str| answer["probabilities"][label].as_f64().expect("a share");
        assert!(
            (share("benign") - benign).abs() < 1e-6 && (share("benign") + share("recon") - 1.0).abs() < 1e-6,
            "{name}: {answer}"
        );
        assert_eq!(answer["score"], answer["probabilities"][answer["label"].as_str().expect("a label")], "{name}");
        assert_eq!(service.model()["engine"], name);
    }
}

#[test]
fn a_published_label_has_its_published_number() {
    let leaf = vec![flowshrike::model::Node::Leaf(vec![0.0, 1.0])];
    let engine = EngineParts::Tree(flowshrike::model::TreeParts { nodes: leaf });
    let (_folder, service) = serve(&["benign", "cve-2019-20933"], engine.clone());
    assert_eq!(service.predict(&json!({"features": [0, 0, 0]}))["prediction"], 6);
    let (_folder, service) = serve(&["benign", "no published label"], engine);
    assert_eq!(service.predict(&json!({"features": [0, 0, 0]}))["prediction"], 1);
}

#[test]
fn columns_go_by_every_known_name() {
    let (_folder, service) = serve_tree();
    let told = |names: [&str; 3]| service.predict(&json!({names[0]: 5, names[1]: 4, names[2]: 0}));
    let expected = told(FEATURES);
    for names in [
        ["total_fwd_packet", "down_up_ratio", "syn_flag_count"],
        [" TOTAL FWD PACKET ", "Down/Up Ratio", "Syn Flag Count"],
    ] {
        assert_eq!(told(names), expected, "{names:?}");
    }
    // The original meter rounds the ratio down, which is said.
    let older = told(["Tot Fwd Pkts", "Down/Up Ratio", "SYN Flag Cnt"]);
    assert_eq!(older["label"], expected["label"]);
    assert!(older["notes"][0].as_str().is_some_and(|note| note.contains("Down/Up Ratio")), "{older}");
    assert_eq!(expected["notes"], Value::Null);
    // What stands beside features in a whole row of a meter is ignored.
    let whole = json!({
        "Flow ID": "a-b", "Src IP": "10.0.0.1", "Timestamp": "now", "Flow Duration": "?", "Label": [],
        FEATURES[0]: 5, FEATURES[1]: 4, FEATURES[2]: 0,
    });
    assert_eq!(service.predict(&whole), expected);
    // The Python meter's flag counts are something else.
    let python = json!({"tot_fwd_pkts": 5, "down_up_ratio": 4, "syn_flag_cnt": 0});
    let refused = service.post("/predict", python.to_string());
    assert_eq!(refused.problems(), [("value_error".to_owned(), json!(["body", "syn_flag_cnt"]))]);
}

#[test]
fn a_list_of_flows_is_answered_in_order() {
    let (_folder, service) = serve_tree();
    let flows: Vec<_> = (0..100)
        .map(|number| match number % 3 {
            0 => json!({"features": [number % 11, 1, 2]}),
            1 => json!({FEATURES[0]: number % 11, FEATURES[1]: 1, FEATURES[2]: 2}),
            _ => json!({FEATURES[0]: number % 11, FEATURES[1]: null, FEATURES[2]: 2}),
        })
        .collect();
    let answers = service.predict(&Value::Array(flows.clone()));
    let answers = answers.as_array().expect("a list");
    assert_eq!(answers.len(), flows.len());
    for (flow, answer) in flows.iter().zip(answers) {
        assert_eq!(service.predict(flow), *answer, "{flow}");
    }
    assert_eq!(service.predict(&json!([])), json!([]));
}

#[test]
fn rows_get_the_verdicts_of_predict() {
    let service = Service::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (csv, lines) = (path("flows.csv"), path("flows.jsonl"));
    succeed(&["extract", "tests/data/demo-cluster.pcap.gz", "--output", &csv]);
    succeed(&["extract", "tests/data/demo-cluster.pcap.gz", "--format", "jsonl", "--output", &lines]);
    let told = succeed(&["predict", "--format", "jsonl", &csv]);
    // The service gets the whole line of the export, with what it has no use for, and nulls.
    let text = std::fs::read_to_string(Path::new(&lines)).expect("lines");
    let flows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<Map<String, Value>> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(flows.len() == told.len() && flows.len() > 100);
    let mut labels = std::collections::BTreeSet::new();
    for (flows, told) in flows.chunks(100).zip(told.chunks(100)) {
        let answers = service.predict(&Value::Array(flows.to_vec()));
        for (answer, told) in answers.as_array().expect("a list").iter().zip(told) {
            for key in ["label", "novel"] {
                assert_eq!(answer[key], told[key], "{answer}");
            }
            for key in ["score", "novelty"] {
                let of = |value: &Value| value.as_f64().expect("a number");
                assert!((of(&answer[key]) - of(&told[key])).abs() < 1e-6, "{answer} {told:?}");
            }
            labels.insert(answer["label"].to_string());
        }
    }
    assert!(labels.len() > 1, "verdicts of one kind prove little");
}
