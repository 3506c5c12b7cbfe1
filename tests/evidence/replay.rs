//! `replay` with a model that has thresholds: one incident for a scan, the same bytes for any number of workers, books that balance.

use std::path::Path;
use std::process::Command;

use flowshrike::model::{EvidenceKind, Model};
use serde_json::Value;
use tempfile::TempDir;

use super::model::{model_file, with_evidence};
use super::util::published::published;
use crate::util::traffic::{Pace, Traffic};

/// Everyday calls, a checker of 20 services, and a scan of one port every two seconds.
pub(crate) fn traffic(scanned: u16) -> Traffic {
    let mut t = Traffic::new(11);
    for n in 0..600_u16 {
        let at = f64::from(n) * 0.4;
        let client = format!("10.244.1.{}:{}", n % 20 + 2, 40_000 + n);
        t.tcp(client.as_str(), "10.96.0.20:80").at(at).pace(Pace::NODE).request(120).response(2_000).close();
        let (client, service) = (format!("10.244.9.1:{}", 30_000 + n), format!("10.244.3.{}:8080", n % 20 + 2));
        t.tcp(client.as_str(), service.as_str()).at(at + 0.1).pace(Pace::NODE).request(90).response(150).close();
    }
    t.sweep("10.244.1.66", "10.244.1.30")
        .at(1.0)
        .every(1_950_000, 2_050_000)
        .open(&[1_005])
        .ports(1_000..1_000 + scanned);
    t
}

/// What replay prints, and its summary.
pub(crate) fn replay(model: &Path, capture: &Path, arguments: &[&str]) -> (String, Value) {
    let folder = TempDir::new().expect("a folder");
    let summary = folder.path().join("summary.json");
    let output = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
        .args(["replay", "--model"])
        .arg(model)
        .arg("--summary")
        .arg(&summary)
        .args(arguments)
        .arg(capture)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let summary = serde_json::from_slice(&std::fs::read(summary).expect("a file")).expect("JSON");
    (String::from_utf8(output.stdout).expect("UTF-8"), summary)
}

/// Lines on incidents, and those on single flows.
pub(crate) fn lines(told: &str) -> (Vec<Value>, Vec<Value>) {
    let all = told.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    all.partition(|line| line["flowshrike"].get("incident").is_some())
}

pub(crate) fn scan_thresholds() -> Model {
    with_evidence(&[(EvidenceKind::Ports, 12.0), (EvidenceKind::Endpoints, 30.0)], 1_000.0)
}

#[test]
fn a_slow_scan_is_told_once_whatever_the_number_of_workers() {
    let folder = TempDir::new().expect("a folder");
    let (capture, model) = (folder.path().join("scan.pcap"), model_file(&folder, &scan_thresholds()));
    traffic(110).write_pcap(&capture);
    let (told, summary) = replay(&model, &capture, &[]);
    let (incidents, flows) = lines(&told);
    let steps: Vec<_> = incidents.iter().map(|line| line["flowshrike"]["incident"]["step"].as_str()).collect();
    assert_eq!(steps, [Some("raised"), Some("ended")], "{incidents:#?}");
    let [raised, ended] = &incidents[..] else { panic!("two lines") };
    for line in [raised, ended] {
        assert_eq!((&line["event_type"], &line["flowshrike"]["label"]), (&"alert".into(), &"recon.port-scan".into()));
        assert_eq!((&line["src_ip"], &line["dest_ip"]), (&"10.244.1.66".into(), &"10.244.1.30".into()));
        assert_eq!(line["flowshrike"]["incident"]["id"], 1);
    }
    let extent = &ended["flowshrike"]["incident"];
    assert_eq!((&extent["flows"], &extent["failed"], &extent["destinations"]), (&110.into(), &110.into(), &1.into()));
    assert!((80..=140).contains(&extent["ports"].as_u64().expect("a count")), "{extent}");
    // No port of the scan has a line of its own once it is an incident.
    let since = &raised["timestamp"].as_str().expect("a time");
    let of_scan = flows.iter().filter(|line| line["src_ip"] == "10.244.1.66");
    let later = of_scan.filter(|line| line["timestamp"].as_str() > Some(since));
    assert_eq!(later.count(), 0);
    assert!(flows.iter().all(|line| line["src_ip"] != "10.244.9.1"), "a checker is no attacker");

    assert_eq!(summary["incidents"]["raised"]["ports"], 1);
    assert_eq!(summary["incidents"]["lines"], 2);
    let count = |name: &str| summary["alerts"][name].as_u64().expect("a count");
    assert_eq!(count("predicted"), count("emitted") + count("suppressed") + count("lost"));
    assert!(count("suppressed") >= 98, "the flows of the incident: {summary}");
    for arguments in [&["--workers", "2"][..], &["--workers", "3", "--batch", "7"]] {
        let (other, counts) = replay(&model, &capture, arguments);
        assert!(other == told && counts == summary, "{arguments:?}");
    }
}

#[test]
fn a_switch_and_a_model_without_thresholds_leave_everything_as_it_was() {
    let folder = TempDir::new().expect("a folder");
    let capture = folder.path().join("scan.pcap");
    traffic(40).write_pcap(&capture);
    let plain = published();
    let mut parts = plain.parts().clone();
    parts.evidence = None;
    let plain = model_file(&folder, &Model::from_parts(&parts).expect("valid"));
    let (told, summary) = replay(&plain, &capture, &[]);
    assert!(lines(&told).0.is_empty() && summary.get("incidents").is_none());

    let model = model_file(&folder, &scan_thresholds());
    let config = folder.path().join("off.yaml");
    std::fs::write(&config, "alert: {incidents: false}\n").expect("a file");
    let (off, counts) = replay(&model, &capture, &["--config", config.to_str().expect("UTF-8")]);
    assert!(counts.get("incidents").is_none() && counts["alerts"] == summary["alerts"]);
    assert_eq!(off.lines().count(), told.lines().count());
}
