//! `flowshrike learn` from outside: benign applications that the model of the published flows alarms on, the guard, analysts' verdicts, versions,
//! live capture.

#[path = "../util/program.rs"]
mod program;
#[path = "../util/mod.rs"]
mod util;

mod applications;
mod feedback;
mod guard;
mod live;
mod published;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use program::{flowshrike, succeed, text};
use serde_json::Value;
use util::published::PUBLISHED;

/// A folder of a test's own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.path().join(name), text).expect("written");
        self.path(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).expect("JSON")
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = String::from_utf8(self.read(name)).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Learns; gives what was told on stderr.
    fn learn(&self, output: &str, more: &[&str]) -> String {
        let output = self.path(output);
        let of_published = ["--model", PUBLISHED];
        let own = if more.contains(&"--model") { &[][..] } else { &of_published };
        let args = [&["learn", "--output", &output], own, more].concat();
        let ran = flowshrike(&args);
        let said = text(&ran.stderr);
        assert!(ran.status.success() && ran.stdout.is_empty(), "{args:?}: {said}");
        said
    }

    /// Every flow of captures, with the verdict of a model.
    fn replay(&self, model: Option<&str>, captures: &[&str]) -> Vec<Value> {
        let (flows, alerts) = (self.path("replayed.jsonl"), self.path("alerts.jsonl"));
        let model = model.map_or_else(|| PUBLISHED.to_owned(), |name| self.path(name));
        let mut args = vec!["replay", "--flows", &flows, "--output", &alerts, "--model", &model];
        args.extend(captures);
        succeed(&args);
        self.lines("replayed.jsonl")
    }
}

/// Flows that a model's verdict alerts on, by the default thresholds.
fn alerting(flows: &[Value]) -> usize {
    let alerts = |flow: &&Value| flow["label"] != "benign" && flow["score"].as_f64() >= Some(0.5);
    flows.iter().filter(alerts).count()
}

/// The capture that comes with the program.
fn demo() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/demo-cluster.pcap.gz").to_string_lossy().into_owned()
}

/// Something beside the repository, where it is present.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if !path.exists() {
        util::skip::skipped(&format!("{} is not there", path.display()));
        return None;
    }
    Some(path)
}
