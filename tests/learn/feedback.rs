//! Analysts' verdicts on single flows, by number and by Community ID.

use std::fs;

use flowshrike::model::Model;
use serde_json::{Value, json};

use super::program::{fail, succeed};
use super::util::published::{PUBLISHED, published};
use super::{Folder, demo};

/// The flows of the demo capture by what the model of the published flows says, the alarms first.
fn flows(folder: &Folder) -> (Vec<Value>, Vec<Value>) {
    folder.replay(None, &[&demo()]).into_iter().partition(|flow| flow["label"] == "recon")
}

fn verdicts(folder: &Folder, lines: &[Value]) -> String {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    folder.write("verdicts.jsonl", &(lines.join("\n") + "\n"))
}

#[test]
fn verdicts_by_either_name_change_what_is_said_of_their_flows() {
    let folder = Folder::new();
    let (alarms, quiet) = flows(&folder);
    let scanned = quiet.iter().find(|flow| flow["dst_port"] == 6379).expect("a port that was swept");
    let asked = verdicts(
        &folder,
        &[
            json!({ "flow_id": alarms[3]["flow_id"], "verdict": false, "label": "recon" }),
            json!({ "community_id": alarms[70]["community_id"], "verdict": false }),
            json!({ "flow_id": scanned["flow_id"], "verdict": true, "label": "recon.port-scan" }),
            json!({ "flow_id": alarms[5]["flow_id"], "verdict": true }),
            json!({ "flow_id": 1, "verdict": true }),
            json!({ "community_id": "1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "verdict": false }),
        ],
    );
    let report = folder.path("report.json");
    let said = folder.learn("told.fsm", &["--capture", &demo(), "--feedback", &asked, "--report", &report]);
    let names = "2 verdicts speak of flows that are not there: flow_id 1, community_id 1:AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(said.contains(names), "{said}");
    assert!(said.contains("verdicts  4 learnt (benign 2, recon 2); the model now decides 4 so"), "{said}");

    let now = folder.replay(Some("told.fsm"), &[&demo()]);
    let label = |flow: &Value| {
        let same = now.iter().find(|other| other["flow_id"] == flow["flow_id"]).expect("the flow");
        same["label"].as_str().expect("a label").to_owned()
    };
    assert_eq!([&alarms[3], &alarms[70], scanned, &alarms[5]].map(label), ["benign", "benign", "recon", "recon"]);
    // Two verdicts do not make the scan benign: most of it is still told.
    let left = alarms.iter().filter(|flow| label(flow) == "recon").count();
    assert!((90..=138).contains(&left), "{left} of 140 alarms are left");
    let parent = published();
    let told = Model::from_bytes(&folder.read("told.fsm")).expect("a valid model");
    assert_eq!(told.parts().engine.size(), parent.parts().engine.size() + 4, "nothing else was absorbed");
    let report = folder.json("report.json");
    assert_eq!(report["flows"]["absorbed"], 0);
    assert_eq!(report["verdicts_not_found"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_alerts_own_line_with_a_verdict_is_a_verdict() {
    let folder = Folder::new();
    let alert: Value =
        serde_json::from_str(succeed(&["replay", "--model", PUBLISHED, &demo()]).lines().next().expect("an alert"))
            .expect("JSON");
    let mut line = alert.clone();
    line["verdict"] = false.into();
    let asked = verdicts(&folder, &[line]);
    // The flows may come from a file as well: JSON lines carry the same names.
    let flows = folder.path("flows.jsonl");
    succeed(&["replay", "--model", PUBLISHED, &demo(), "--flows", &flows, "--output", &folder.path("alerts.jsonl")]);
    folder.learn("capture.fsm", &["--capture", &demo(), "--feedback", &asked]);
    folder.learn("flows.fsm", &["--flows", &flows, "--feedback", &asked]);
    let points = |name: &str| Model::from_bytes(&folder.read(name)).expect("a model").parts().engine.clone();
    assert_eq!(points("capture.fsm"), points("flows.fsm"));
    let now = folder.replay(Some("capture.fsm"), &[&demo()]);
    let same = now.iter().find(|flow| flow["flow_id"] == alert["flow_id"]).expect("the flow");
    assert_eq!(same["label"], "benign");
}

#[test]
fn a_baseline_is_learnt_beside_verdicts_only_if_asked_for() {
    let folder = Folder::new();
    let (alarms, _) = flows(&folder);
    let asked = verdicts(&folder, &[json!({ "flow_id": alarms[0]["flow_id"], "verdict": true })]);
    let report = folder.path("report.json");
    let args = ["--capture", &demo(), "--feedback", &asked, "--with-baseline", "--report", &report];
    folder.learn("both.fsm", &args);
    let report = folder.json("report.json");
    assert!(report["flows"]["absorbed"].as_u64() > Some(200), "{report}");
    assert_eq!(report["cases"]["learnt"], json!({ "recon": 1 }));
}

#[test]
fn bad_lines_are_named_and_nothing_is_written() {
    let folder = Folder::new();
    let (alarms, quiet) = flows(&folder);
    let good = json!({ "flow_id": alarms[0]["flow_id"], "verdict": false }).to_string();
    let alarm = &alarms[0]["flow_id"];
    for (line, words) in [
        ("{\"flow_id\":1,".to_owned(), "verdicts.jsonl: line 3: not a verdict"),
        ("[1]".to_owned(), "line 3: not a verdict"),
        ("{\"flow_id\":\"x\",\"verdict\":true}".to_owned(), "line 3: not a verdict: invalid type"),
        ("{\"verdict\":true}".to_owned(), "line 3: it names no flow"),
        (json!({ "flow_id": 1 }).to_string(), "line 3: no `verdict`"),
        (json!({ "community_id": "x", "verdict": true }).to_string(), "line 3: `x` is no Community ID"),
        (
            json!({ "flow_id": 1, "verdict": true, "label": "flowers" }).to_string(),
            "line 3: the model has no label `flowers`: its labels are benign, recon, exploit",
        ),
        (json!({ "flow_id": 1, "verdict": true, "label": "benign" }).to_string(), "line 3: `benign` is no attack"),
        (json!({ "flow_id": alarm, "verdict": true }).to_string(), "line 3: line 1 says otherwise of the same flow"),
        (json!({ "flow_id": quiet[0]["flow_id"], "verdict": true }).to_string(), "line 3: the model calls flow_id"),
    ] {
        let asked = folder.write("verdicts.jsonl", &format!("{good}\n\n{line}\n"));
        let output = folder.path("none.fsm");
        let said =
            fail(&["learn", "--model", PUBLISHED, "--capture", &demo(), "--feedback", &asked, "--output", &output]);
        assert!(said.contains(words), "`{said}` does not say `{words}`");
        assert!(!fs::exists(&output).expect("a folder"), "{words}");
    }
    let nobody = folder.write("verdicts.jsonl", "{\"flow_id\":1,\"verdict\":false}\n");
    let args = [
        "learn",
        "--model",
        PUBLISHED,
        "--capture",
        &demo(),
        "--feedback",
        &nobody,
        "--output",
        &folder.path("none.fsm"),
    ];
    assert!(fail(&args).contains("nothing was learnt"));
    let empty = folder.write("verdicts.jsonl", "\n");
    let args = [
        "learn",
        "--model",
        PUBLISHED,
        "--capture",
        &demo(),
        "--feedback",
        &empty,
        "--output",
        &folder.path("none.fsm"),
    ];
    assert!(fail(&args).contains("verdicts.jsonl: no verdicts in it"));
}
