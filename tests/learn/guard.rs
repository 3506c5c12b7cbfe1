//! What the model calls hostile for certain is not absorbed unless the user says so.

use serde_json::Value;

use super::{Folder, demo};

fn recon(flows: &[Value]) -> usize {
    flows.iter().filter(|flow| flow["label"] == "recon").count()
}

#[test]
fn an_attack_in_the_baseline_is_refused_listed_and_absorbed_only_if_accepted() {
    let folder = Folder::new();
    let (review, report) = (folder.path("review.jsonl"), folder.path("report.json"));
    let args = ["--capture", &demo(), "--holdback", "0", "--report", &report, "--review", &review];
    let said = folder.learn("guarded.fsm", &args);
    assert!(said.contains("refused   140 flows") && said.contains("and 130 more: all are in"), "{said}");
    assert!(said.contains("10.244.1.66 port ") && said.contains("to 10.244.1.30 port 1880, recon score"), "{said}");
    let lines = folder.lines("review.jsonl");
    assert_eq!(lines.len(), 140);
    let whole = folder.replay(None, &[&demo()]);
    for line in &lines {
        let flow = whole.iter().find(|flow| flow["flow_id"] == line["flow_id"]).expect("a flow of the capture");
        for key in ["community_id", "src_ip", "src_port", "dst_ip", "dst_port", "protocol", "label"] {
            assert_eq!(flow[key], line[key], "{key}");
        }
        for key in ["score", "novelty"] {
            assert_eq!(flow[key].as_f64(), line[key].as_f64(), "{key}");
        }
        assert!(line["distance"].as_f64() < line["radius"].as_f64());
    }
    assert_eq!(folder.json("report.json")["guard"]["refused"], serde_json::json!({ "recon": 140 }));
    assert_eq!(recon(&folder.replay(Some("guarded.fsm"), &[&demo()])), 140, "the model still knows the attack");

    let said = folder.learn("accepted.fsm", &[&args[..], &["--accept"]].concat());
    assert!(!said.contains("refused   "), "{said}");
    assert!(said.contains("warning   at ") && said.contains("this model does not alert any more"), "{said}");
    assert!(folder.lines("review.jsonl").is_empty());
    let report = folder.json("report.json");
    assert_eq!((&report["guard"]["accepted"], &report["flows"]["absorbed"]), (&true.into(), &543.into()));
    let left = recon(&folder.replay(Some("accepted.fsm"), &[&demo()]));
    assert!(left <= 7, "{left} of 140 accepted flows alert still");
}

#[test]
fn points_of_benign_flows_do_not_silence_an_attack_beside_them() {
    let folder = Folder::new();
    // Requests like the scan's own, a little larger: near its points, but mostly outside of its radius.
    let capture = folder.path("near.pcap");
    let mut t = super::util::traffic::Traffic::new(9);
    for n in 0..400_u16 {
        let client = format!("10.244.3.{}:{}", n % 40 + 2, 33_000 + n);
        let (ask, answer) = (t.random().between(100, 400), t.random().between(300, 3_000));
        let size = |bytes: i64| usize::try_from(bytes).expect("a size");
        t.tcp(client.as_str(), "10.244.1.30:9000").at(f64::from(n)).request(size(ask)).response(size(answer)).close();
    }
    t.write_pcap(capture.as_ref());
    let report = folder.path("report.json");
    folder.learn("near.fsm", &["--capture", &capture, "--report", &report]);
    let report = folder.json("report.json");
    assert!(report["guard"]["refused"]["recon"].as_u64() > Some(10), "{report}");
    assert!(report["points"]["dropped"].as_u64() > Some(0), "{report}");
    assert_eq!(report["guard"]["silenced"], 0);
    assert_eq!(recon(&folder.replay(Some("near.fsm"), &[&demo()])), 140);
}
