//! `label` from outside: rules on the bundled capture and on flow CSVs, what is told of them, and a model trained of the result.

#[path = "util/program.rs"]
mod program;
mod util;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use flowshrike::taxonomy;
use program::{flowshrike, succeed};
use serde_json::Value;
use util::capture_file::gzip;

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/demo-cluster.pcap.gz");

/// Rules for the bundled capture: the intruder's requests, its sweep, and everything else.
const DEMO_RULES: &str = "
version: 1
default: benign
rules:
  - {name: requests, label: recon.web, any: 10.244.1.66, port: 1880}
  - {name: sweep, label: recon.port-scan, src: 10.244.1.66/32, protocol: tcp}
";

/// A folder of inputs and outputs.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    /// Labels inputs by rules: standard output, the report, and what stderr says.
    fn label(&self, rules: &str, args: &[&str]) -> (String, Value, String) {
        let (rules, report) = (self.write("rules.yaml", rules), self.path("report.json"));
        let output = flowshrike(&[&["label", "--rules", &rules, "--report", &report], args].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {said}");
        let report = serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON");
        (String::from_utf8(output.stdout).expect("text"), report, said)
    }

    /// What a run says that must fail with this exit code.
    fn refused(&self, rules: &str, args: &[&str], code: i32) -> String {
        let rules = self.write("rules.yaml", rules);
        let output = flowshrike(&[&["label", "--rules", &rules], args].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }
}

#[test]
fn a_labelled_capture_is_the_extracted_one_with_labels() {
    let folder = Folder::new();
    let (labelled, report, said) = folder.label(DEMO_RULES, &[DEMO]);
    let extracted = succeed(&["extract", DEMO]);
    assert_eq!(labelled.lines().count(), extracted.lines().count());
    for (number, (labelled, extracted)) in labelled.lines().zip(extracted.lines()).enumerate() {
        if number == 0 {
            assert_eq!(labelled, format!("{extracted},Scenario"));
            continue;
        }
        let fields: Vec<&str> = extracted.split(',').collect();
        let (src, dst) = (fields[1], fields[3]);
        let intruder = src == "10.244.1.66" || dst == "10.244.1.66";
        let label = match intruder && fields[5] == "6" {
            true if fields[2] == "1880" || fields[4] == "1880" => "recon.web",
            true => "recon.port-scan",
            false => "benign",
        };
        let row = extracted.strip_suffix("NeedManualLabel").expect("an unlabelled row");
        assert_eq!(labelled, format!("{row}{label},demo-cluster"));
    }
    assert_eq!((&report["flows"], &report["dropped"]), (&543.into(), &0.into()));
    assert_eq!(report["labels"], serde_json::json!({ "benign": 271, "recon.port-scan": 130, "recon.web": 142 }));
    assert_eq!(report["unmatched"], serde_json::json!({ "flows": 271, "default": "benign" }));
    assert_eq!(
        report["rules"][1],
        serde_json::json!({ "rule": "sweep", "label": "recon.port-scan", "took": 130, "matched": 272 })
    );
    // Each request matches the sweep's rule too: said, with examples.
    assert_eq!((&report["conflicts"]["flows"], &report["conflicts"]["pairs"][0]["flows"]), (&142.into(), &142.into()));
    assert!(said.contains("conflict: 142 flows match `requests`, which comes first, and `sweep`"), "{said}");
    assert!(said.contains("    demo-cluster: 10.244.1.66:"), "{said}");

    // The same for any number of workers, and from the extracted CSV, packed or not.
    assert!(folder.label(DEMO_RULES, &["--workers", "3", DEMO]).0 == labelled);
    for (name, bytes) in
        [("demo-cluster.csv", extracted.clone().into_bytes()), ("demo-cluster.x", gzip(extracted.as_bytes()))]
    {
        let path = folder.write(name, bytes);
        let (again, same, _) = folder.label(DEMO_RULES, &[&path]);
        assert!(again == labelled && same == report, "{name}");
    }
}

#[test]
fn windows_count_a_flow_by_its_start_and_include_their_own() {
    let folder = Folder::new();
    let rules = |from: &str, to: &str| {
        format!("version: 1\ndefault: benign\nrules: [{{label: dos, from: '{from}', to: '{to}'}}]\n")
    };
    let starts: Vec<String> = succeed(&["extract", DEMO])
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(6).expect("a time").to_owned())
        .collect();
    let csv = folder.write("demo.csv", succeed(&["extract", DEMO]));
    let median = {
        let mut sorted = starts.clone();
        sorted.sort();
        sorted[sorted.len() / 2].clone()
    };
    let instant = format!("{}Z", median.replace(' ', "T"));
    let (before, after) = ("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
    let expected = |holds: &dyn Fn(&String) -> bool| starts.iter().filter(|start| holds(start)).count() as u64;
    for input in [DEMO, csv.as_str()] {
        let took = |from: &str, to: &str| folder.label(&rules(from, to), &[input]).1["rules"][0]["took"].clone();
        assert_eq!(took(&instant, after), expected(&|start| *start >= median));
        assert_eq!(took(before, &instant), expected(&|start| *start < median));
        // The capture's first packet is of 09:00:00 and some; the flow of the first packet starts with it.
        let first = starts.iter().min().expect("flows").clone();
        let second = "2026-01-15 09:02:".to_owned();
        assert!(first.starts_with("2026-01-15 09:00:0"), "{first}");
        let minutes = took("+0s", "+2m").as_u64().expect("a count");
        assert!(minutes >= expected(&|start| *start < second) && minutes < 543, "{minutes}");
        assert_eq!(took("+0", "+1h"), 543);
        assert_eq!(took("+1h", "+2h"), 0);
    }
}

/// A flow CSV with the columns that rules look at, and one of its own.
const FLOWS: &str = "\
\u{feff}Note,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp
\"a, \"\"b\"\"\",10.0.0.1,40000,10.0.0.2,22,6,2026-01-15 09:00:00
 1.2E7 ,10.0.0.2,22,10.0.0.1,40001,6,2026-01-15 09:00:10.5
,fd00::1,0,fd00::2,0,58,2026-01-15 09:00:20
x,10.0.0.9,8,10.0.0.1,0,1,2026-01-15 09:00:30
";

fn flow_rules(rules: &str) -> String {
    format!("version: 1\nrules:\n{rules}")
}

/// Labels of the last column but one, in order.
fn labels(csv: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.records().map(|row| row.expect("a row").iter().rev().nth(1).expect("a label").to_owned()).collect()
}

#[test]
fn cells_stay_as_they_are_and_label_and_scenario_are_added() {
    let folder = Folder::new();
    let path = folder.write("some.flows.csv", FLOWS);
    let rules = flow_rules(
        "  - {label: Brute-Force.SSH, dst: 10.0.0.2, dst_port: 22, direction: forward, scenario: 'first, half'}
  - {label: brute-force.ssh, dst: 10.0.0.2, dst_port: 22}
  - {label: benign, any: 'fd00::/8'}
",
    );
    let (csv, report, said) = folder.label(&rules, &[&path]);
    let expected = "\
Note,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Label,Scenario
\"a, \"\"b\"\"\",10.0.0.1,40000,10.0.0.2,22,6,2026-01-15 09:00:00,brute-force.ssh,\"first, half\"
 1.2E7 ,10.0.0.2,22,10.0.0.1,40001,6,2026-01-15 09:00:10.5,brute-force.ssh,some
,fd00::1,0,fd00::2,0,58,2026-01-15 09:00:20,benign,some
x,10.0.0.9,8,10.0.0.1,0,1,2026-01-15 09:00:30,NeedManualLabel,some
";
    assert_eq!(csv, expected);
    assert_eq!(report["unmatched"]["flows"], 1);
    assert_eq!(report["conflicts"]["flows"], 0, "the same label twice is no conflict");
    assert!(said.contains("1 flows have no label (NeedManualLabel)"), "{said}");
    let (csv, report, _) = folder.label(&rules, &["--drop-unlabelled", &path]);
    assert_eq!((labels(&csv).len(), &report["dropped"]), (3, &1.into()));
}

#[test]
fn the_label_column_that_train_reads_is_the_one_that_is_filled() {
    let folder = Folder::new();
    let csv = "Scenario,label,Dst Port,Protocol\na,6,53,17\nb,2,443,6\n";
    let rules =
        |default: &str| format!("version: 1\ndefault: {default}\nscenario: z\nrules: [{{label: 0, port: 53}}]\n");
    let (dst, port) = (
        csv.replace("Dst Port", "Src Port,Dst Port").replace(",53,", ",1,53,").replace(",443,", ",1,443,"),
        "Src Port",
    );
    let path = folder.write("flows.csv", &dst);
    let (out, report, said) = folder.label(&rules("keep"), &[&path]);
    assert_eq!(out, format!("Scenario,label,{port},Dst Port,Protocol\na,benign,1,53,17\nb,2,1,443,6\n"));
    assert_eq!(report["labels"], serde_json::json!({ "2": 1, "benign": 1 }));
    assert!(said.contains("a column `Scenario` of their own"), "{said}");
    let (out, ..) = folder.label(&rules("dos"), &[&path]);
    assert!(out.ends_with("b,dos,1,443,6\n"), "{out}");
    let path = folder.write(
        "flow-labels.csv",
        dst.replace("Protocol", "Protocol,LabelFlow").replace(",17", ",17,9").replace(",6\n", ",6,9\n"),
    );
    let (out, ..) = folder.label(&rules("keep"), &[&path]);
    assert!(out.contains("\na,6,1,53,17,benign\nb,2,1,443,6,9\n"), "{out}");
}

#[test]
fn a_rule_that_took_nothing_is_named_with_the_reason() {
    let folder = Folder::new();
    let path = folder.write("flows.csv", FLOWS);
    let rules = flow_rules(
        "  - {name: all, label: benign}
  - {name: hidden, label: dos, protocol: [icmp, icmpv6]}
  - {name: nowhere, label: dos, any: 192.0.2.0/24}
  - {name: type 8 is no port, label: dos, port: 8}
",
    );
    let (_, report, said) = folder.label(&rules, &[&path]);
    for words in [
        "warning: `hidden` took no flow: earlier rules took the 2 that match it",
        "warning: `nowhere` took no flow: none matches it",
        "warning: `type 8 is no port` took no flow: none matches it",
    ] {
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(3));
}

#[test]
fn lines_of_json_carry_label_and_scenario() {
    let folder = Folder::new();
    let rules = DEMO_RULES
        .replace("default:", "scenario: 'a \"b\"'\ncustom_labels: true\ndefault:")
        .replace("recon.web", "my own");
    let (lines, _, said) = folder.label(&rules, &["--format", "jsonl", DEMO]);
    let mut counts = BTreeMap::new();
    for line in lines.lines() {
        let flow: Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(flow["scenario"], "a \"b\"");
        assert!(flow["community_id"].is_string() && flow["end_reason"].is_string());
        *counts.entry(flow["label"].as_str().expect("a label").to_owned()).or_insert(0) += 1;
    }
    assert_eq!(
        counts,
        [("benign", 271), ("my own", 142), ("recon.port-scan", 130)].map(|(l, n)| (l.to_owned(), n)).into()
    );
    assert!(said.contains("not in the taxonomy, which `train` asks for: `my own`"), "{said}");
}

#[test]
fn what_label_writes_train_reads() {
    let folder = Folder::new();
    let (output, model) = (folder.path("labelled.csv"), folder.path("model.fsm"));
    let rules = folder.write("rules.yaml", DEMO_RULES);
    assert_eq!(succeed(&["label", "--rules", &rules, "--output", &output, DEMO]), "");
    succeed(&["train", "--data", &output, "--view", "labels", "--output", &model]);
    let bytes = fs::read(&model).expect("a model");
    let model = flowshrike::model::Model::from_bytes(&bytes).expect("a valid model");
    assert_eq!(model.labels(), ["benign", "recon.port-scan", "recon.web"]);
    assert!(model.trained_on().contains("543 flows of 1 captures"), "{}", model.trained_on());
    let path = folder.path("model.fsm");
    let scored = succeed(&["evaluate", "--model", &path, "--data", &output, "--format", "json"]);
    let scored: Value = serde_json::from_str(&scored).expect("JSON");
    assert_eq!(scored["per_scenario"]["demo-cluster"]["flows"], 543);
    assert!(scored["per_class"]["recon.web"]["recall"].as_f64() > Some(0.9), "{scored}");
}

#[test]
fn rules_label_flows_as_train_reads_them() {
    let folder = Folder::new();
    let rules = folder.write("rules.yaml", DEMO_RULES);
    // The file's name is the capture's, as it was labelled.
    let plain = folder.path("demo-cluster.csv");
    succeed(&["extract", "--output", &plain, DEMO]);
    let (labelled, model) = (folder.path("labelled.csv"), |name: &str| folder.path(name));
    succeed(&["label", "--rules", &rules, "--output", &labelled, DEMO]);
    let train = |flows: &str, more: &[&str], to: &str| {
        let args = ["train", "--data", flows, "--view", "labels", "--output", &model(to)];
        let output = flowshrike(&[&args, more].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        (fs::read(model(to)).expect("a model"), said)
    };
    let (expected, _) = train(&labelled, &[], "labelled.fsm");
    let (ruled, said) = train(&plain, &["--rules", &rules], "ruled.fsm");
    assert!(ruled == expected, "the models differ");
    assert!(said.contains("272 of 543 flows taken by a rule, 271 by none"), "{said}");
    // The flows' own labels have no part in it; as JSON lines, Parquet and with windows from the first packet it is the same.
    let lines = folder.path("demo-cluster.jsonl");
    succeed(&["extract", "--format", "jsonl", "--output", &lines, DEMO]);
    let parquet = folder.path("demo-cluster.parquet");
    succeed(&["extract", "--format", "parquet", "--output", &parquet, DEMO]);
    let windows =
        folder.write("windows.yaml", DEMO_RULES.replace("protocol: tcp}", "protocol: tcp, from: +1ms, to: +1h}"));
    for (flows, rules) in [(&lines, &rules), (&parquet, &rules), (&labelled, &rules), (&plain, &windows)] {
        assert!(train(flows, &["--rules", rules], "again.fsm").0 == expected, "{flows} {rules}");
    }
    // Without a label a flow is left out; evaluate reads the same way.
    let some = folder.write("some.yaml", DEMO_RULES.replace("default: benign\n", ""));
    let flows = ["evaluate", "--model", &model("ruled.fsm"), "--data", &plain, "--format", "json"];
    let output = flowshrike(&[&flows[..], &["--rules", &some]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("271 have no label and are left out"), "{said}");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&found["flows"], &found["benign_flows"]), (&272.into(), &0.into()), "{found}");
    // The hours of capture are those of the flows' own times, all flows' that were read.
    let csv = fs::read_to_string(&plain).expect("text");
    let times = csv.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let start = flowshrike::dataset::timestamp::parse_column(cells[6]).expect("a time").0;
        (start, start + cells[7].parse::<i64>().expect("a duration"))
    });
    let (first, last) = times.fold((i64::MAX, 0), |(first, last), (start, end)| (first.min(start), last.max(end)));
    let hourly = &found["alerts_per_hour"];
    let expected = (last - first) as f64 / 3.6e9;
    assert!((hourly["hours"].as_f64().expect("hours") - expected).abs() < 1e-9 && expected > 0.05, "{hourly}");
    assert_eq!((&hourly["hours_by"], &hourly["captures"]), (&"timestamps".into(), &1.into()));
    let text = succeed(&["evaluate", "--model", &model("ruled.fsm"), "--data", &plain, "--rules", &rules]);
    assert!(text.contains("h of 1 captures, by the flows' times,"), "{text}");
    let given = [
        "evaluate",
        "--model",
        &model("ruled.fsm"),
        "--data",
        &plain,
        "--rules",
        &rules,
        "--hours",
        "2",
        "--format",
        "json",
    ];
    let given: Value = serde_json::from_str(&succeed(&given)).expect("JSON");
    assert_eq!(
        (&given["alerts_per_hour"]["hours_by"], &given["alerts_per_hour"]["hours"]),
        (&"user".into(), &2.0.into())
    );
    // Mistakes name their place.
    let refused = |args: &[&str]| {
        let output = flowshrike(&[&["train", "--output", &model("no.fsm"), "--data"], args].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = refused(&[&plain, "--rules", &rules, "--labels", &labelled]);
    assert!(code == Some(2) && said.contains("--labels"), "{said}");
    let damaged = folder.write("damaged.csv", csv.replacen("10.244.1.66", "10.244.1.six", 2));
    let (code, said) = refused(&[&damaged, "--rules", &rules]);
    assert!(code == Some(1) && said.contains("damaged.csv: line ") && said.contains("column `Src IP`"), "{said}");
    let bare = folder.write("bare.csv", csv.replacen("Dst Port", "Elsewhere", 1));
    let (code, said) = refused(&[&bare, "--rules", &rules]);
    assert!(code == Some(1) && said.contains("bare.csv: no column `Dst Port`"), "{said}");
    let nobody = folder.write("nobody.yaml", "version: 1\nrules:\n  - {label: recon, src: 192.0.2.1}\n");
    let (code, said) = refused(&[&plain, "--rules", &nobody]);
    assert!(code == Some(1) && said.contains("the rules give no flow a label"), "{said}");
    let (code, said) = refused(&[&plain, "--rules", &folder.write("wrong.yaml", "version: 1\nrules: 7\n")]);
    assert!(code == Some(2) && said.contains("wrong.yaml:2"), "{said}");
    assert!(!fs::exists(model("no.fsm")).expect("a folder"));
}

#[test]
fn parquet_makes_the_same_model_as_csv() {
    let folder = Folder::new();
    let rules = folder.write("rules.yaml", DEMO_RULES);
    let models = ["csv", "parquet"].map(|format| {
        let (flows, model) = (folder.path(&format!("flows.{format}")), folder.path(&format!("{format}.fsm")));
        assert_eq!(succeed(&["label", "--rules", &rules, "--format", format, "--output", &flows, DEMO]), "");
        succeed(&["train", "--data", &flows, "--view", "labels", "--output", &model]);
        fs::read(model).expect("a model")
    });
    assert!(models[0] == models[1], "the models differ");
    let verdicts = ["flows.csv", "flows.parquet"]
        .map(|flows| succeed(&["predict", "--model", &folder.path("csv.fsm"), &folder.path(flows)]));
    assert_eq!(verdicts[0], verdicts[1]);
    // More flows than a group of rows holds, in the order of the CSV.
    let many: Vec<&str> = [DEMO; 31].into();
    let (flows, model) = (folder.path("many.parquet"), folder.path("csv.fsm"));
    succeed(&[&["extract", "--format", "parquet", "--output", &flows], &many[..]].concat());
    let expected = succeed(&["predict", "--model", &model, "--format", "csv", &folder.path("flows.csv")]);
    let rows = expected.lines().count() - 1;
    let all = succeed(&["predict", "--model", &model, "--format", "csv", &flows]);
    assert_eq!(all.lines().count(), 31 * rows + 1);
    assert!(all.lines().skip(1).zip(expected.lines().skip(1).cycle()).all(|(one, other)| one == other));
}

#[test]
fn a_compact_file_makes_nearly_the_same_model_and_has_what_evidence_needs() {
    let folder = Folder::new();
    let rules = folder.write("rules.yaml", DEMO_RULES);
    let (full, compact) = (folder.path("full.parquet"), folder.path("compact.parquet"));
    let label = ["label", "--rules", &rules, "--format", "parquet"];
    succeed(&[&label[..], &["--output", &full, DEMO]].concat());
    succeed(&[&label[..], &["--compact", "--output", &compact, DEMO]].concat());
    let size = |path: &str| fs::metadata(path).expect("a file").len();
    assert!(size(&compact) * 10 < size(&full) * 8, "{} of {} bytes", size(&compact), size(&full));
    let model = folder.path("full.fsm");
    succeed(&["train", "--data", &full, "--view", "labels", "--output", &model]);
    let labels = [&full, &compact].map(|flows| {
        let verdicts = succeed(&["predict", "--model", &model, flows]);
        verdicts.lines().map(|line| line.split(',').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    });
    assert!(labels[0].len() > 100 && labels[0] == labels[1], "five digits change no label here");
    let told = flowshrike(&["model", "evidence", &model, "--data", &compact, "--output", &folder.path("told.fsm")]);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("evidence  ") && !told.contains("rows are left out"), "{told}");
    assert!(folder.refused(DEMO_RULES, &["--compact", DEMO], 2).contains("--compact is for --format parquet"));
}

#[test]
fn parquet_is_no_stream() {
    let folder = Folder::new();
    for args in [&["--format", "parquet", DEMO][..], &["--format", "parquet", "--output", "-", DEMO]] {
        assert!(folder.refused(DEMO_RULES, args, 2).contains("name a file with --output"));
        let said = flowshrike(&[&["extract"], args].concat());
        assert_eq!((said.status.code(), said.stdout.len()), (Some(2), 0));
    }
    // What cannot be read is a failure, and the file is whole all the same: other captures of the run are in it.
    let path = folder.path("flows.parquet");
    let text = folder.write("no.pcap", "not a capture");
    assert_eq!(flowshrike(&["extract", "--format", "parquet", "--output", &path, &text]).status.code(), Some(1));
    let bytes = fs::read(&path).expect("a file");
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    assert_eq!(fs::read_dir(folder.0.path()).expect("a folder").count(), 3, "nothing half-written is left");
}

#[test]
fn wrong_rules_and_wrong_flows_are_named_with_their_place() {
    let folder = Folder::new();
    let flows = folder.write("flows.csv", FLOWS);
    let good = flow_rules("  - {label: dos, any: 10.0.0.1, port: 22, from: +1s}\n");
    for (rules, words) in [
        ("version: 1\nrulez: []\n", "rules.yaml:2:1: unknown key `rulez`"),
        ("version: 1\nrules: [{label: dos, src: 10.0.0.300}]\n", "rules.yaml:2:27: rule 1: src: `10.0.0.300`"),
        ("version: [\n", "rules.yaml:"),
        ("version: 1\nversion: 1\n", "rules.yaml:2:"),
    ] {
        let said = folder.refused(rules, &[&flows], 2);
        assert!(said.contains(words) && said.lines().count() == 1, "`{said}` does not say `{words}`");
    }
    let broken = |name: &str, from: &str, to: &str| folder.write(name, FLOWS.replace(from, to));
    for (path, words) in [
        (
            broken("address.csv", "fd00::1", "fd00:::1"),
            "address.csv: line 4, column `Src IP`: `fd00:::1`: an IP address",
        ),
        (broken("port.csv", "40001", "99999"), "port.csv: line 3, column `Dst Port`: `99999`: a port of 0 to 65535"),
        (broken("time.csv", "2026-01-15 09:00:30", "15/01/2026 09:00:30 AM"), "time.csv: line 5, column `Timestamp`"),
        (broken("column.csv", "Dst Port", "Port"), "column.csv: no column `Dst Port`: the rules ask for"),
        (broken("twice.csv", "Note", "Protocol"), "twice.csv: column `Protocol` is there 2 times"),
        (broken("short.csv", ",fd00::1,0,", "fd00::1,0,"), "short.csv: line 4: 6 cells, where the header has 7"),
        (folder.path("nothing.csv"), "nothing.csv"),
    ] {
        let said = folder.refused(&good, &[&path], 1);
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    let junk = folder.write("junk.bin", [0_u8, 1, 2, 3, 4, 5, 6, 7]);
    assert!(folder.refused(&good, &[&junk], 1).contains("junk.bin is not a capture file"));
    let other = folder.write("other.csv", "A,Src IP\n");
    for (args, code, words) in [
        (vec![DEMO, flows.as_str()], 2, "captures and flow CSVs have different columns"),
        (vec![&flows, "--merge"], 2, "--merge is for captures"),
        (vec![&flows, "--format", "jsonl"], 2, "--format jsonl is for captures"),
        (vec![&flows, "--output", &flows], 2, "it would be overwritten"),
        (vec![&flows, "--output", &folder.path("rules.yaml")], 2, "rules.yaml is given twice"),
        (vec![&flows, "--output", &folder.path("new"), "--report", &folder.path("new")], 2, "new is given twice"),
        (vec!["-"], 2, "need a file that can be read twice"),
        (vec![&flows, &other], 1, "other.csv: no column"),
    ] {
        let said = folder.refused(&good, &args, code);
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    let said = folder.refused("version: 1\ndefault: keep\n", &[DEMO], 2);
    assert!(said.contains("`default: keep` has no meaning for captures"), "{said}");
    let said = folder.refused("version: 1\n", &[&flows, &other], 1);
    assert!(said.contains("different headers"), "{said}");
}

#[test]
fn the_labels_are_listed() {
    let listed = succeed(&["label", "--list-labels"]);
    for class in taxonomy::CLASSES.iter().filter(|class| class.stage != taxonomy::Stage::Novel) {
        assert!(listed.lines().any(|line| line.starts_with(&format!("{} ", class.name))), "{}", class.name);
    }
    assert!(flowshrike(&["label", DEMO]).status.code() == Some(2), "rules are needed for flows");
}

/// The published data set's labels by flow are, as far as ports and addresses go, rules over labels by capture.
#[test]
fn rules_make_labels_by_flow_of_the_published_labels_by_capture() {
    let folder = Folder::new();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/k8s-misuse");
    let unpack = |name: &str| {
        let mut text = String::new();
        let file = fs::File::open(shared.join(name)).ok()?;
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("text");
        Some(text)
    };
    let Some((data, truth)) = unpack("train.csv.gz").zip(unpack("train_labels.csv.gz")) else {
        return util::skip::skipped(&format!("{} is not there", shared.display()));
    };
    // Scenario and label by capture beside each flow; labels by flow stay outside.
    let truth: Vec<Vec<&str>> = truth.lines().map(|line| line.split(',').collect()).collect();
    let joined: Vec<String> = data.lines().zip(&truth).map(|(flow, labels)| format!("{flow},{}", labels[0])).collect();
    let path = folder.write("flows.csv", joined.join("\n") + "\n");
    // Everything that the attacked pod has part in keeps its capture's label; the cluster's own services do not.
    let captures: BTreeMap<&str, &str> = truth.iter().skip(1).map(|labels| (labels[0], labels[1])).collect();
    let pod = captures
        .iter()
        .map(|(capture, label)| format!("  - {{label: {label}, capture: {capture}, any: 10.16.0.45}}\n"));
    let rules = pod.collect::<String>()
        + "  - {label: benign, port: [53, 123, 5353, 6443, 6642, 7472, 8080, 8181]}\n  - {label: benign, protocol: 0}\n";
    let (labelled, report, _) = folder.label(&format!("version: 1\ndefault: keep\nrules:\n{rules}"), &[&path]);
    let mut reader = csv::Reader::from_reader(labelled.as_bytes());
    let column = reader.headers().expect("a header").iter().position(|name| name == "Label").expect("a label column");
    let mut differing = BTreeMap::new();
    for (row, truth) in reader.records().zip(truth.iter().skip(1)) {
        let row = row.expect("a row");
        if taxonomy::class_of_cell(&row[column]) != taxonomy::class_of_cell(truth[2]) {
            *differing.entry((truth[3], truth[2])).or_insert(0) += 1;
        }
    }
    // What is left are eight flows to 443, which the labels by flow excuse by what the benign capture holds.
    assert_eq!(differing, [(("443", "0"), 8)].into());
    let count = |label: &str| report["labels"][label].as_u64();
    // 5,371 of the labels by flow are benign.
    assert_eq!(count("benign").zip(count("0")).map(|(given, kept)| given + kept), Some(5371 - 8));
    assert_eq!((count("2"), count("node-red-container-escape")), (Some(1593), Some(9)));
    assert_eq!(report["flows"], 6994);
}
