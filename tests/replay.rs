//! `replay`: the same alerts for any number of workers, in order, and books that balance, whatever the table's bound.

mod util;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use util::published::PUBLISHED;
use util::traffic::{Pace, Traffic};

fn replay(arguments: &[&str], files: &[&Path]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
        .arg("replay")
        .args(arguments)
        .args(files)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// By the model of the published flows, which tells of each flow by itself.
const EACH: [&str; 2] = ["--model", PUBLISHED];

/// The summary of a replay, whose identities have been checked.
fn balanced(arguments: &[&str], files: &[&Path]) -> Value {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("summary.json");
    replay(&[&["--summary", path.to_str().expect("UTF-8")], arguments].concat(), files);
    let summary: Value = serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a count");
    let sum = |value: &Value| -> u64 { value.as_object().expect("counts").values().map(number).sum() };
    let (packets, flows, alerts) = (&summary["packets"], &summary["flows"], &summary["alerts"]);
    assert_eq!(number(&packets["received"]), number(&packets["parsed"]) + sum(&packets["unparsed"]));
    assert_eq!(number(&flows["created"]), sum(&flows["ended"]) + number(&flows["active"]));
    assert_eq!(sum(&flows["ended"]), sum(&flows["classified"]) + sum(&flows["unclassified"]));
    let told = number(&alerts["emitted"]) + number(&alerts["suppressed"]) + number(&alerts["lost"]);
    assert_eq!(number(&alerts["predicted"]), told);
    summary
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/demo-cluster.pcap.gz")
}

/// Where the real captures are, if they are there.
const REAL: &str = "../shared/captures";

fn has_real_captures() -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(REAL).is_dir()
}

/// Every capture that is there: the golden ones, the demo, and the real ones.
fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real = root.join(REAL);
    if !has_real_captures() {
        util::skip::skipped("the real captures are not there; the project's own are used");
    }
    let mut found = vec![demo()];
    for folder in [root.join("tests/golden"), real] {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        found.extend(
            entries
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng")),
        );
    }
    found.sort();
    found
}

#[test]
fn the_books_balance_over_every_capture_and_with_a_small_table() {
    let captures = captures();
    let files: Vec<&Path> = captures.iter().map(PathBuf::as_path).collect();
    let whole = balanced(&[], &files);
    assert_eq!(whole["capture"]["files"].as_u64(), Some(files.len() as u64));
    // The project's own captures never have a thousand flows live at once.
    let bounds: &[&str] = if has_real_captures() { &["1000", "10", "1"] } else { &["10", "1"] };
    for bound in bounds {
        let small = balanced(&["--max-flows", bound], &files);
        for counts in ["received", "parsed", "unparsed"] {
            assert_eq!(small["packets"][counts], whole["packets"][counts], "the bound is none on packets");
        }
        assert!(small["flows"]["ended"]["lack_of_resources"].as_u64() > Some(0), "{bound}");
    }
    let small = balanced(&["--max-flows", "1000", "--workers", "3"], &files);
    assert_eq!(small["packets"]["received"], whole["packets"]["received"]);
}

#[test]
fn workers_and_batches_change_neither_alerts_nor_flows() {
    let captures = captures();
    let files: Vec<&Path> = captures.iter().map(PathBuf::as_path).collect();
    let folder = TempDir::new().expect("a folder");
    let run = |name: &str, arguments: &[&str]| {
        let flows = folder.path().join(name);
        let output = replay(&[&["--flows", flows.to_str().expect("UTF-8")], arguments].concat(), &files);
        (output.stdout, std::fs::read(flows).expect("a file"))
    };
    let (alerts, flows) = run("one", &[]);
    assert!(!alerts.is_empty() && !flows.is_empty());
    for (name, arguments) in
        [("two", &["--workers", "2"][..]), ("five", &["--workers", "5", "--batch", "7"]), ("tiny", &["--batch", "1"])]
    {
        let (other_alerts, other_flows) = run(name, arguments);
        assert!(other_alerts == alerts, "{name}: other alerts");
        assert!(other_flows == flows, "{name}: other flows");
    }
}

#[test]
fn alerts_stand_in_the_order_of_end_start_and_tuple() {
    for capture in captures() {
        let output = replay(&[&EACH[..], &["--dedup-window", "0"]].concat(), &[&capture]);
        let alerts: Vec<Value> = output
            .stdout
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("one JSON object a line, and nothing else"))
            .collect();
        let order = |alert: &Value| {
            let text = |value: &Value| value.as_str().expect("a time").to_owned();
            (text(&alert["flow"]["end"]), text(&alert["flow"]["start"]))
        };
        assert!(alerts.is_sorted_by_key(order), "{}", capture.display());
    }
}

#[test]
fn the_demo_is_told_of_and_its_everyday_traffic_is_not() {
    let output = replay(&[], &[&demo()]);
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(!lines.is_empty());
    // 10.244.1.66 is the pod that looks around: one incident, told as it begins, as it has grown, and when it is over.
    let told = |alert: &Value| {
        let incident = &alert["flowshrike"]["incident"];
        (alert["src_ip"] == "10.244.1.66" && alert["flowshrike"]["label"] == "recon.port-scan")
            .then(|| incident["step"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(lines.iter().filter_map(told).collect::<Vec<_>>(), ["raised", "grown", "ended"]);
    assert_eq!(lines.len(), 3, "and nothing else");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("unlike") && stderr.contains("alerts"), "{stderr}");
}

#[test]
fn a_flow_that_stays_open_is_told_of_early_and_its_end_is_suppressed() {
    let folder = TempDir::new().expect("a folder");
    let capture = folder.path().join("slow.pcap");
    let mut t = Traffic::new(3);
    // A scanner's request on a connection that then stays open.
    t.tcp("10.244.1.66:40000", "10.244.1.30:1880").at(0.0).pace(Pace::NODE).request(340).response(413);
    t.udp("10.244.2.3:50000", "10.96.0.10:53").at(30.0).request(40).response(120);
    t.write_pcap(&capture);
    // Any score will do: this is about the books.
    let thresholds = ["--threshold", "recon=0", "--threshold", "exploit=0"];
    let summary = balanced(&[&EACH[..], &thresholds].concat(), &[&capture]);
    let early = summary["flows"]["early_verdicts"].as_u64();
    assert!(early >= Some(1), "{summary}");
    let (told, suppressed) = (summary["alerts"]["early"].as_u64(), summary["alerts"]["suppressed"].as_u64());
    assert!(told <= early && suppressed >= told, "{summary}");
}

#[test]
fn the_daemons_configuration_counts_and_flags_stand_above_it() {
    let folder = TempDir::new().expect("a folder");
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, "flow:\n  max_flows: 16\nalert:\n  dedup_window: off\n").expect("a file");
    let config = config.to_str().expect("UTF-8");
    let summary = balanced(&[&EACH[..], &["--config", config]].concat(), &[&demo()]);
    assert!(summary["flows"]["ended"]["lack_of_resources"].as_u64() > Some(0));
    assert_eq!(summary["alerts"]["suppressed"].as_u64(), Some(0));
    let summary = balanced(
        &[&EACH[..], &["--config", config, "--max-flows", "1000", "--dedup-window", "60"]].concat(),
        &[&demo()],
    );
    assert_eq!(summary["flows"]["ended"]["lack_of_resources"].as_u64(), Some(0));
    assert!(summary["alerts"]["suppressed"].as_u64() > Some(0));
}

#[test]
fn a_model_that_cannot_be_used_is_refused_before_anything_is_read() {
    let folder = TempDir::new().expect("a folder");
    let bad = folder.path().join("bad.fsm");
    std::fs::write(&bad, b"no model").expect("a file");
    for (arguments, code, words) in [
        (vec!["--model", bad.to_str().expect("UTF-8")], 1, "bad.fsm"),
        (vec!["--model", "/nonexistent.fsm"], 1, "/nonexistent.fsm"),
        (vec!["--threshold", "nonsense=0.5"], 2, "nonsense"),
        (vec!["--threshold", "recon=7"], 2, "between 0 and 1"),
        (vec!["--config", "/nonexistent.yaml"], 2, "/nonexistent.yaml"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
            .arg("replay")
            .args(&arguments)
            .arg(demo())
            .output()
            .expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}
