//! Drift and gates from outside: what has moved is told and fails a limit, and figures beyond their bounds keep a gate shut.

#[path = "util/daemon.rs"]
mod daemon;
#[path = "util/program.rs"]
mod program;
mod util;

use std::fs;
use std::path::Path;
use std::process::Command;

use daemon::Daemon;
use program::{fail, flowshrike, succeed, text};
use serde_json::Value;
use tempfile::TempDir;
use util::netns::VethPair;
use util::traffic::{Pace, Traffic};

/// Models of the bundled capture, and the benign flows that they know.
struct Demo {
    folder: TempDir,
}

impl Demo {
    fn new() -> Self {
        let demo = Self { folder: TempDir::new().expect("a folder") };
        for half in ["train", "test"] {
            let rules = format!("models/demo/{half}.rules.yaml");
            let output = demo.path(&format!("{half}.csv"));
            let capture = "tests/data/demo-cluster.pcap.gz";
            succeed(&["label", "--rules", &rules, "--drop-unlabelled", capture, "--output", &output]);
        }
        let (data, model) = (demo.path("train.csv"), demo.path("model.fsm"));
        succeed(&[
            "train",
            "--data",
            &data,
            "--profile",
            "standard",
            "--pipeline",
            "models/params.yaml",
            "--output",
            &model,
        ]);
        demo
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// Ten times the rows of the training flows that a word is, or is not, in.
    fn ten_times(&self, name: &str, word: &str, with: bool) -> String {
        let text = fs::read_to_string(self.path("train.csv")).expect("flows");
        let (header, rows) = text.split_once('\n').expect("a header");
        let rows: Vec<_> = rows.lines().filter(|row| row.contains(word) == with).collect();
        let path = self.path(name);
        fs::write(&path, format!("{header}\n{}\n", vec![rows.join("\n"); 10].join("\n"))).expect("a file");
        path
    }
}

#[test]
fn flows_that_the_model_knows_have_not_moved_and_others_fail_the_limit_by_name() {
    let demo = Demo::new();
    let model = demo.path("model.fsm");
    let known = demo.ten_times("benign.csv", ",benign", true);
    let found: Value =
        serde_json::from_str(&succeed(&["drift", "--model", &model, "--limit", "0.25", "--format", "json", &known]))
            .expect("JSON");
    assert_eq!((found["flows"].as_u64(), found["is_enough"].as_bool()), (Some(1_840), Some(true)));
    for feature in found["features"].as_array().expect("features") {
        assert!(feature["index"].as_f64().expect("a number") < 0.01, "{feature}");
        for side in ["known", "flows"] {
            let bins = feature["bins"].as_array().expect("bins").iter();
            let sum: f64 = bins.map(|bin| bin[side].as_f64().expect("a share")).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{side}: {feature}");
        }
    }
    let scans = demo.ten_times("scans.csv", ",benign", false);
    let output = flowshrike(&["drift", "--model", &model, "--limit", "0.25", &scans]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("have moved further than 0.25: Fwd Packets/s"), "{said}");
    let table = text(&output.stdout);
    let first = table.lines().find(|line| line.starts_with("Fwd Packets/s")).expect("the furthest");
    assert!(first.contains("never seen") && first.contains("% of flows"), "{first}");
    // Without a limit it only tells.
    assert_eq!(succeed(&["drift", "--model", &model, &scans]), table);
}

/// What a command says that has told its figures and fails by them.
fn refused(args: &[&str]) -> String {
    let output = flowshrike(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(!output.stdout.is_empty(), "the figures are told all the same");
    text(&output.stderr)
}

#[test]
fn what_cannot_be_told_is_refused_with_a_reason() {
    let demo = Demo::new();
    let (model, few) = (demo.path("model.fsm"), demo.path("train.csv"));
    let said = refused(&["drift", "--model", &model, "--limit", "0.25", &few]);
    assert!(said.contains("369 flows are too few"), "{said}");
    let said = fail(&["drift", "--model", "models/default.fsm", &few]);
    assert!(said.contains("lab 1") && said.contains("train it again"), "{said}");
}

#[test]
fn a_gate_is_open_for_the_models_that_are_shipped_and_shut_beyond_a_bound() {
    for name in ["default", "forest"] {
        let (gate, model) = (format!("models/gates/{name}.txt"), format!("models/{name}.fsm"));
        succeed(&["model", "verify", "--gate", &gate, &model]);
    }
    let said = fail(&["model", "verify", "--require", "validation.macro_f1 >= 0.99", "models/default.fsm"]);
    assert!(said.contains("validation.macro_f1 is 0.4680, and not at least 0.99"), "{said}");
    let said = fail(&["model", "verify", "--require", "validation.f1s >= 0", "models/default.fsm"]);
    assert!(said.contains("no figure `validation.f1s`; there are validation."), "{said}");
    let demo = Demo::new();
    let (model, data, gate) = (demo.path("model.fsm"), demo.path("test.csv"), demo.path("gate.txt"));
    let evaluate = ["evaluate", "--model", &model, "--data", &data, "--gate", &gate];
    fs::write(&gate, "validation.x >= 1 # not of this command\nevaluation.macro_f1 >= 0.95\n").expect("a file");
    let output = flowshrike(&evaluate);
    assert!(output.status.success() && text(&output.stderr).contains("1 of 1 bounds kept"), "{}", text(&output.stderr));
    fs::write(&gate, "evaluation.false_positive_rate <= -1\n").expect("a file");
    let said = refused(&evaluate);
    assert!(said.contains("evaluation.false_positive_rate is 0.0000, and not at most -1"), "{said}");
    fs::write(&gate, "evaluation.macro_f1 is high\n").expect("a file");
    let said = fail(&evaluate);
    assert!(said.contains("gate.txt") && said.contains("`evaluation.macro_f1 is high` is no requirement"), "{said}");
    fs::write(&gate, "validation.macro_f1 >= 0\n").expect("a file");
    assert!(refused(&evaluate).contains("nothing is required of a figure that begins with `evaluation.`"));
}

/// The scripts of the two workflows, by the program that is tested.
fn script(name: &str, folder: &Path, settings: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new("bash");
    command.arg(format!(".ci/{name}.sh")).env("FLOWSHRIKE", env!("CARGO_BIN_EXE_flowshrike"));
    command.env("CARGO_TARGET_DIR", folder).env("GITHUB_OUTPUT", folder.join("output"));
    let output = command.envs(settings.iter().copied()).output().expect("a shell runs");
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn the_jobs_train_behind_a_gate_and_say_what_has_moved() {
    let demo = Demo::new();
    let folder = demo.folder.path();
    let (status, said) = script("gate", folder, &[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("may be shipped"), "{said}");
    let model = folder.join("gate/model.fsm").to_string_lossy().into_owned();
    let told = |data: &str| {
        let (status, said) = script("drift", folder, &[("DATA", data), ("MODEL", &model)]);
        let output = fs::read_to_string(folder.join("output")).unwrap_or_default();
        (status, output.lines().last().map(str::to_owned), said)
    };
    let (status, moved, said) = told(&demo.ten_times("scans.csv", ",benign", false));
    assert_eq!((status, moved.as_deref()), (Some(0), Some("moved=true")), "{said}");
    let (status, moved, said) = told(&demo.ten_times("benign.csv", ",benign", true));
    assert_eq!((status, moved.as_deref()), (Some(0), Some("moved=false")), "{said}");
    // A failure is no drift.
    let (status, _, said) = told("no-such-file.csv");
    assert_eq!(status, Some(1), "{said}");
    // A gate that stays shut leaves nothing to ship.
    let shut = demo.path("shut.txt");
    fs::write(&shut, "validation.macro_f1 >= 1.5\n").expect("a file");
    let (status, said) = script(
        "gate",
        folder,
        &[("DATA", &demo.path("train.csv")), ("GATE", &shut), ("PIPELINE", "models/params.yaml")],
    );
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("the gate stays shut") && !folder.join("gate/model.fsm").exists(), "{said}");
}

#[test]
fn the_daemon_tells_how_far_its_flows_have_moved_once_they_are_enough() {
    let Some(bed) = VethPair::new("drift") else { return };
    let demo = Demo::new();
    let mut t = Traffic::new(3);
    for n in 0..1_100_u16 {
        let client = format!("10.244.1.{}:{}", n % 200 + 2, 40_000 + n);
        t.tcp(client.as_str(), "10.244.1.30:1880")
            .at(f64::from(n) * 0.001)
            .pace(Pace::NODE)
            .request(340)
            .response(413)
            .close();
    }
    t.write_pcap(&demo.folder.path().join("sent.pcap"));
    let mut daemon = Daemon::start(&bed.right, &["--model", &demo.path("model.fsm")]);
    assert_eq!(daemon.metric(&bed.right, "flowshrike_feature_drift"), 0.0);
    bed.left.replay_file(&demo.folder.path().join("sent.pcap"), 10_000);
    daemon.until("drift is told", |daemon| daemon.metric(&bed.right, "flowshrike_feature_drift{") > 0.0);
    let of = |feature: &str| daemon.metric(&bed.right, &format!("flowshrike_feature_drift{{feature=\"{feature}\"}}"));
    // All requests are of one size, which the capture's were not.
    assert!(of("fwd_packet_length_max") > 0.25, "{}", of("fwd_packet_length_max"));
    assert!(daemon.stop("INT").status.success());
}
