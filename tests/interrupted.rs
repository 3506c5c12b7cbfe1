//! Ctrl-C amid long work: the command ends with the code of a killed one, and no half of a file is left. Progress is shown on a
//! terminal and nowhere else.

#[path = "util/program.rs"]
mod program;
mod util;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use flowshrike::train::default_features;
use program::{flowshrike, text};
use util::random::Random;

/// A folder with flows enough for a command to be busy with them.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(rows: usize) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let columns: Vec<&str> = default_features().iter().map(|id| id.feature().column).collect();
        let mut csv = format!("{},Label,Scenario\n", columns.join(","));
        let mut random = Random::new(3);
        for row in 0..rows {
            let label = if row % 20 == 7 { 2 } else { 0 };
            for _ in &columns {
                write!(csv, "{},", random.between(0, 100_000) + label * 70_000).expect("written");
            }
            writeln!(csv, "{label},{}", ["a", "b"][row * 2 / rows]).expect("written");
        }
        fs::write(folder.path("flows.csv"), csv).expect("written");
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A command whose standard error is read.
fn begin(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowshrike"));
    command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program runs")
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// Waits for a line, which a command says when its long work begins, and interrupts it.
fn interrupt_after(words: &str, args: &[&str]) {
    let mut child = begin(args);
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains(words) {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("text") > 0, "{args:?} ended without `{words}`");
    }
    signal(&child, "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{args:?}");
}

#[test]
fn an_interrupted_training_run_leaves_the_old_model_and_nothing_else() {
    let folder = Folder::new(60_000);
    let (data, model, report) = (folder.path("flows.csv"), folder.path("model.fsm"), folder.path("report.json"));
    fs::copy("models/default.fsm", &model).expect("copied");
    let args = ["train", "--data", &data, "--output", &model, "--report", &report];
    interrupt_after("a label with more than 50000 flows", &args);
    assert_eq!(folder.files(), ["flows.csv", "model.fsm"]);
    assert!(fs::read(&model).expect("there") == fs::read("models/default.fsm").expect("there"));
}

#[test]
fn an_interrupted_evaluation_leaves_no_report() {
    let folder = Folder::new(60_000);
    let (data, page, rows) = (folder.path("flows.csv"), folder.path("page.html"), folder.path("rows.csv"));
    let mut flows = File::options().append(true).open(&data).expect("there");
    flows.write_all(b"not a flow\n").expect("written");
    let args = ["evaluate", "--data", &data, "--on-bad-row", "skip", "--html", &page, "--predictions", &rows];
    interrupt_after("skipped", &args);
    assert_eq!(folder.files(), ["flows.csv"]);
}

#[test]
fn interrupted_labelling_leaves_no_flows() {
    let folder = Folder::new(0);
    let (rules, output) = (folder.path("rules.yaml"), folder.path("labelled.csv"));
    fs::write(&rules, "version: 1\ndefault: 0\nrules:\n  - {label: 2, port: 80}\n").expect("written");
    fs::write(&output, "of before").expect("written");
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let pipe = folder.path("pipe.pcap");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        let mut child = begin(&["label", "--rules", &rules, &pipe, "--output", &output]);
        // A capture that goes on: its header and no more. For reading too, so that nobody waits for whoever does not come.
        let mut capture = File::options().read(true).write(true).open(&pipe).expect("opened");
        let header: Vec<u8> =
            [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, 1].iter().flat_map(|n| n.to_be_bytes()).collect();
        let header = [&header[..4], &[0, 2, 0, 4], &header[8..]].concat();
        capture.write_all(&header).expect("written");
        let is_begun = || folder.files().iter().any(|name| name.starts_with(".labelled.csv."));
        while !is_begun() {
            assert!(child.try_wait().expect("asked").is_none(), "it ended before it wrote anything");
            std::thread::yield_now();
        }
        signal(&child, name);
        assert_eq!(child.wait().expect("it ends").code(), Some(code));
        fs::remove_file(pipe).expect("removed");
        assert_eq!(folder.files(), ["flows.csv", "labelled.csv", "rules.yaml"]);
        assert_eq!(fs::read_to_string(&output).expect("there"), "of before");
    }
}

#[test]
fn labelled_flows_can_go_to_what_is_no_file() {
    let folder = Folder::new(0);
    let rules = folder.path("rules.yaml");
    fs::write(&rules, "version: 1\ndefault: 0\nrules:\n  - {label: 2, port: 80}\n").expect("written");
    let capture = "tests/data/demo-cluster.pcap.gz";
    let to = |output: &str| {
        let ran = flowshrike(&["label", "--rules", &rules, capture, "--output", output]);
        assert!(ran.status.success(), "{}", text(&ran.stderr));
        text(&ran.stdout)
    };
    let printed = to("-");
    assert!(printed.lines().count() > 10 && to("/dev/stdout") == printed);
    // A link stays one, and leads to the flows.
    fs::write(folder.path("target.csv"), "").expect("written");
    std::os::unix::fs::symlink(folder.path("target.csv"), folder.path("link.csv")).expect("linked");
    to(&folder.path("link.csv"));
    assert!(fs::symlink_metadata(folder.path("link.csv")).expect("there").is_symlink());
    assert_eq!(fs::read_to_string(folder.path("target.csv")).expect("there"), printed);
}

#[test]
fn progress_is_shown_on_a_terminal_and_nowhere_else() {
    let folder = Folder::new(20_000);
    let (data, model) = (folder.path("flows.csv"), folder.path("model.fsm"));
    let train = ["train", "--data", &data, "--output", &model];
    let piped = flowshrike(&train);
    let said = text(&piped.stderr);
    assert!(piped.status.success() && !said.contains(['\r', '\u{1b}']) && !said.contains("fitting "), "{said:?}");
    let line = format!("{} {}", env!("CARGO_BIN_EXE_flowshrike"), train.join(" "));
    let Ok(shown) = Command::new("script").args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").output() else {
        return util::skip::skipped("there is no `script` to give the program a terminal");
    };
    let shown = text(&shown.stdout);
    assert!(shown.contains("fitting") && shown.contains("validating") && shown.contains("macro-F1"), "{shown:?}");
}
