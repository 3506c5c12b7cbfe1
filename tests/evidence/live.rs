//! The daemon in a namespace of the test's own tells the incident that replay tells, and counts it.

use serde_json::Value;
use tempfile::TempDir;

use super::model::model_file;
use super::replay::{lines, scan_thresholds};
use crate::daemon::Daemon;
use crate::util::netns::VethPair;
use crate::util::traffic::Traffic;

#[test]
fn a_scan_on_an_interface_is_one_incident_with_balanced_books() {
    let Some(bed) = VethPair::new("evidence") else { return };
    let folder = TempDir::new().expect("a folder");
    let (sent, summary) = (folder.path().join("sent.pcap"), folder.path().join("summary.json"));
    let model = model_file(&folder, &scan_thresholds());
    let mut t = Traffic::new(5);
    t.sweep("10.244.1.66", "10.244.1.30").at(0.1).ports(2_000..2_100);
    t.write_pcap(&sent);
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let mut daemon =
        Daemon::start(&bed.right, &["--workers", "2", "--model", &text(&model), "--summary", &text(&summary)]);
    bed.left.replay_file(&sent, 5_000);
    daemon.until("the scan is an incident", |daemon| {
        daemon.metric(&bed.right, "flowshrike_incidents_raised_total{kind=\"ports\"}") >= 1.0
    });
    daemon.until("its flows have ended", |daemon| {
        daemon.metric(&bed.right, "flowshrike_alerts_suppressed_total{reason=\"incident\"}") >= 80.0
    });
    assert_eq!(daemon.metric(&bed.right, "flowshrike_incidents_open"), 1.0);
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
    let (incidents, _) = lines(&ended.stdout);
    let steps: Vec<_> = incidents.iter().map(|line| line["flowshrike"]["incident"]["step"].as_str()).collect();
    assert_eq!(steps, [Some("raised"), Some("ended")], "{}", ended.stdout);
    for line in &incidents {
        assert_eq!(line["in_iface"].as_str(), Some(bed.right.interface.as_str()));
    }
    assert_eq!(incidents[1]["flowshrike"]["incident"]["flows"], 100);
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).expect("a file")).expect("JSON");
    let count = |name: &str| summary["alerts"][name].as_u64().expect("a count");
    assert_eq!(count("predicted"), count("emitted") + count("suppressed") + count("lost"));
    assert_eq!(summary["incidents"]["raised"]["ports"], 1);
}
