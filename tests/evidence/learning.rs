//! Thresholds from labelled flows: above what benign sources do, in one command, and what `evaluate` says of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flowshrike::model::{EvidenceKind, Model};
use serde_json::Value;
use tempfile::TempDir;

use super::replay::{lines, replay};
use crate::util::traffic::{Pace, Traffic};

fn flowshrike(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowshrike")).args(arguments).output().expect("the binary runs")
}

fn succeed(arguments: &[&str]) -> Output {
    let output = flowshrike(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Everyday calls, and a checker that opens a connection to each of 20 services and resets it.
fn everyday(seed: u64) -> Traffic {
    let mut t = Traffic::new(seed);
    for n in 0..120_u16 {
        let client = format!("10.244.1.{}:{}", n % 20 + 2, 40_000 + n);
        t.tcp(client.as_str(), "10.96.0.20:80")
            .at(f64::from(n) * 0.3)
            .pace(Pace::NODE)
            .request(120)
            .response(900)
            .close();
    }
    for service in 2..22 {
        t.sweep("10.244.9.1", &format!("10.244.3.{service}")).at(f64::from(service)).open(&[8_080]).ports([8_080]);
    }
    t
}

/// Labelled flows of two captures: an ordinary one, and one with a scan of so many ports.
fn labelled(folder: &TempDir, ports: u16) -> PathBuf {
    let at = |name: &str| folder.path().join(name);
    everyday(3).write_pcap(&at("ordinary.pcap"));
    let mut scan = everyday(4);
    scan.sweep("10.244.1.66", "10.244.1.30").at(1.0).every(300_000, 500_000).ports(1_000..1_000 + ports);
    scan.write_pcap(&at("scanned.pcap"));
    let rules = "version: 1\ndefault: benign\nrules:\n  - {name: scan, label: recon.port-scan, src: 10.244.1.66}\n";
    std::fs::write(at("rules.yaml"), rules).expect("a file");
    let (rules, flows) = (at("rules.yaml"), at("flows.csv"));
    let output = succeed(&["label", "--rules", text(&rules), text(&at("ordinary.pcap")), text(&at("scanned.pcap"))]);
    std::fs::write(&flows, output.stdout).expect("a file");
    flows
}

fn default_model(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("before.fsm");
    let mut parts = Model::embedded().expect("the default model").parts().clone();
    parts.evidence = None;
    let model = Model::from_parts(&parts).expect("valid parts");
    std::fs::write(&path, model.to_bytes().expect("an artifact")).expect("a file");
    path
}

fn read(path: &Path) -> Model {
    Model::from_bytes(&std::fs::read(path).expect("a file")).expect("a model")
}

#[test]
fn thresholds_lie_above_what_benign_sources_do_and_a_scan_is_caught() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (flows, before, after) = (labelled(&folder, 90), default_model(&folder), at("after.fsm"));
    let (report, again) = (at("report.json"), at("again.fsm"));
    let learn = |to: &Path| {
        let to = ["--output", text(to), "--report", text(&report)];
        succeed(&[&["model", "evidence", text(&before), "--data", text(&flows)][..], &to].concat())
    };
    let said = learn(&after);
    learn(&again);
    assert!(std::fs::read(&after).expect("a file") == std::fs::read(&again).expect("a file"), "the same each time");
    assert!(String::from_utf8_lossy(&said.stderr).contains("ports"), "the report goes to stderr");

    let (old, new) = (read(&before), read(&after));
    let parts = new.evidence().expect("thresholds");
    let hosts = parts.kinds[&EvidenceKind::Hosts];
    assert!((19.0..=22.0).contains(&hosts.benign) && hosts.least >= 2.0 * hosts.benign - 2.0, "{hosts:?}");
    let ports = parts.kinds[&EvidenceKind::Ports];
    assert_eq!(
        (ports.least, ports.caught),
        (12.0, 1),
        "the floor, for benign sources fail at one port each: {ports:?}"
    );
    assert_eq!(new.version(), format!("{}+evidence.1", old.version()));
    assert_eq!(new.parts().parent.as_ref().map(|parent| parent.sha256.as_str()), Some(old.sha256()));
    assert_eq!(new.parts().engine, old.parts().engine, "verdicts are as they were");
    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect("a file")).expect("JSON");
    assert_eq!((&report["hostile_sources"], &report["caught_sources"]), (&1.into(), &1.into()));

    // The card and the difference say so.
    let card = String::from_utf8(succeed(&["model", "inspect", text(&after)]).stdout).expect("UTF-8");
    assert!(card.contains("incidents   in windows of 10, 60 and 300 s") && card.contains("ports"), "{card}");
    let diff = String::from_utf8(succeed(&["model", "diff", text(&before), text(&after)]).stdout).expect("UTF-8");
    assert!(diff.contains("incident from ports: (none) -> 12"), "{diff}");

    // Another day with the same checker raises nothing; at the floor it would have.
    let day = at("day.pcap");
    everyday(9).write_pcap(&day);
    let (told, summary) = replay(&after, &day, &[]);
    assert!(lines(&told).0.is_empty() && summary["incidents"]["lines"] == 0, "{told}");
    let floor = super::model::model_file(&folder, &super::model::with_evidence(&[(EvidenceKind::Hosts, 12.0)], 1e6));
    assert_eq!(replay(&floor, &day, &[]).1["incidents"]["raised"]["hosts"], 1);
}

#[test]
fn parquet_teaches_the_same_as_csv() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (flows, before) = (labelled(&folder, 40), default_model(&folder));
    let (rules, table) = (at("rules.yaml"), at("flows.parquet"));
    let (first, second) = (at("ordinary.pcap"), at("scanned.pcap"));
    let to = ["--format", "parquet", "--output", text(&table)];
    succeed(&[&["label", "--rules", text(&rules), text(&first), text(&second)][..], &to].concat());
    let learnt = |flows: &Path, name: &str| {
        succeed(&["model", "evidence", text(&before), "--data", text(flows), "--output", text(&at(name))]);
        std::fs::read(at(name)).expect("a model")
    };
    assert!(learnt(&flows, "csv.fsm") == learnt(&table, "parquet.fsm"));
}

#[test]
fn evaluate_says_what_evidence_adds() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (flows, before, after) = (labelled(&folder, 90), default_model(&folder), at("after.fsm"));
    succeed(&["model", "evidence", text(&before), "--data", text(&flows), "--output", text(&after)]);
    let evaluate = |model: &Path, more: &[&str]| {
        let all = [&["evaluate", "--model", text(model), "--data", text(&flows)][..], more].concat();
        String::from_utf8(succeed(&all).stdout).expect("UTF-8")
    };
    let found: Value = serde_json::from_str(&evaluate(&after, &["--format", "json"])).expect("JSON");
    let told = &found["evidence"];
    let scan = &told["per_label"]["recon.port-scan"];
    assert_eq!((&scan["flows"], &scan["share_with"]), (&90.into(), &1.0.into()), "{told:#}");
    assert!(scan["without"].as_u64() <= scan["with"].as_u64());
    assert_eq!(told["benign"]["with"], told["benign"]["without"], "no benign flow is part of an incident");
    assert_eq!(told["incidents"]["ports"]["raised"], 1);
    assert_eq!(told["incidents"]["ports"]["wrong"], 0);
    assert!(evaluate(&after, &[]).contains("evidence beyond one flow"));
    // A model without thresholds says nothing of it, and the other figures are the same.
    let plain: Value = serde_json::from_str(&evaluate(&before, &["--format", "json"])).expect("JSON");
    assert!(plain.get("evidence").is_none());
    assert_eq!((&plain["confusion"], &plain["views"]), (&found["confusion"], &found["views"]));
}

#[test]
fn a_training_run_learns_thresholds_in_one_go() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (flows, model, report) = (labelled(&folder, 200), at("new.fsm"), at("report.json"));
    succeed(&[
        "train",
        "--data",
        text(&flows),
        "--evidence",
        text(&flows),
        "--profile",
        "standard",
        "--output",
        text(&model),
        "--report",
        text(&report),
    ]);
    let new = read(&model);
    assert!(new.parts().parent.is_none());
    assert_eq!(new.evidence().expect("thresholds").kinds[&EvidenceKind::Ports].least, 12.0);
    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect("a file")).expect("JSON");
    assert_eq!(report["evidence"]["caught_sources"], 1);
}

#[test]
fn folds_teach_thresholds_by_verdicts_that_have_not_seen_the_capture() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (flows, model) = (labelled(&folder, 200), at("new.fsm"));
    let train = |more: &[&str]| {
        let all = ["train", "--data", text(&flows), "--profile", "standard", "--output", text(&model), "--evidence"];
        flowshrike(&[&all[..], more].concat())
    };
    let refused = train(&[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && said.contains("--split scenario") && !model.exists(), "{said}");
    for split in [&["--split", "scenario"][..], &["--split", "scenario", "--folds", "2"]] {
        let output = train(split);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.contains("2 captures; 1 of 1 hostile sources caught"), "{said}");
        assert_eq!(read(&model).evidence().expect("thresholds").kinds[&EvidenceKind::Ports].least, 12.0);
        std::fs::remove_file(&model).expect("it is there");
    }
}

#[test]
fn flows_that_say_too_little_are_refused_in_clear_words() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (flows, before) = (labelled(&folder, 30), default_model(&folder));
    let refused = |flows: &Path, words: &str| {
        let output =
            flowshrike(&["model", "evidence", text(&before), "--data", text(flows), "--output", text(&at("no.fsm"))]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(words), "{said}");
        assert!(!at("no.fsm").exists());
    };
    let table = std::fs::read_to_string(&flows).expect("a file");
    std::fs::write(at("nameless.csv"), table.replacen("Src IP", "Somebody", 1)).expect("a file");
    refused(&at("nameless.csv"), "who talked to whom");
    std::fs::write(at("benign.csv"), table.replace("recon.port-scan", "benign")).expect("a file");
    refused(&at("benign.csv"), "no hostile flow");
}
