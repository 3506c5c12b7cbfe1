//! A folder with labelled flows, and commands in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flowshrike::train::default_features;

use super::program::text;
use super::util::random::Random;

pub(super) struct Bench(tempfile::TempDir);

impl Bench {
    pub(super) fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a folder"));
        fs::write(bench.path("flows.csv"), flows()).expect("written");
        bench
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A command in the folder, with an environment that holds nothing of a tracker or a proxy.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowshrike"));
        command.args(args).current_dir(self.0.path());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("MLFLOW_") || name.to_ascii_lowercase().ends_with("_proxy") {
                command.env_remove(&name);
            }
        }
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program runs")
    }

    /// Runs a command that must succeed and gives what it printed, then what it said.
    pub(super) fn succeed(&self, args: &[&str]) -> (String, String) {
        succeeded(&self.run(args))
    }

    /// Runs a command that must fail by this code, and gives what it says.
    pub(super) fn fail(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// Trains `model.fsm`, with more options.
    pub(super) fn train(&self, more: &[&str]) -> (String, String) {
        self.succeed(&[&TRAIN[..], more].concat())
    }

    pub(super) fn read(&self, path: impl AsRef<Path>) -> String {
        fs::read_to_string(self.0.path().join(&path))
            .unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
    }
}

/// A training run of some milliseconds.
pub(super) const TRAIN: [&str; 7] = ["train", "--data", "flows.csv", "--seed", "7", "--output", "model.fsm"];

pub(super) fn succeeded(output: &Output) -> (String, String) {
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    (text(&output.stdout), said)
}

/// The folders in a folder, in order.
pub(super) fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(path)
        .map(|entries| entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect())
        .unwrap_or_default();
    found.sort();
    found
}

/// Flows whose classes overlap.
fn flows() -> String {
    let columns: Vec<&str> = default_features().iter().map(|id| id.feature().column).collect();
    let mut random = Random::new(3);
    let mut text = format!("{},Label,Scenario\n", columns.join(","));
    for (cell, capture, count) in [(0, "quiet", 80), (0, "scan", 40), (2, "scan", 40)] {
        for _ in 0..count {
            let cells = columns.iter().map(|_| {
                let shift = if random.chance(1, 2) { cell } else { 0 };
                (random.between(0, 5) + shift).to_string()
            });
            text += &format!("{},{cell},{capture}\n", cells.collect::<Vec<_>>().join(","));
        }
    }
    text
}
