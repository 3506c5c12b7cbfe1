//! A server that is away, broken, slow or another one: no run is lost, and nothing secret is told.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::bench::{Bench, TRAIN, folders, succeeded};
use super::program::text;
use super::server::{Fault, Server};

const SECRET: &str = "hunter2-secret";

/// A port of the loopback address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// Trains towards an address; gives what was said.
fn train(bench: &Bench, address: &str, credentials: &[(&str, &str)]) -> String {
    let mut command = bench.command(&[&TRAIN[..], &["--track", address]].concat());
    command.env("MLFLOW_HTTP_REQUEST_TIMEOUT", "1").envs(credentials.iter().copied());
    let (out, said) = succeeded(&command.output().expect("the program runs"));
    assert_eq!(out, "", "data goes to stdout, and this is none");
    assert!(bench.path("model.fsm").exists(), "the model is there");
    said
}

fn warning(said: &str) -> &str {
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("warning")).collect();
    let [line] = lines.as_slice() else { panic!("one line of warning: {said}") };
    line
}

/// Every file below a folder holds no secret.
fn holds_no_secret(path: &Path) {
    for entry in fs::read_dir(path).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            holds_no_secret(&path);
        } else {
            let bytes = fs::read(&path).expect("a file");
            assert!(!String::from_utf8_lossy(&bytes).contains(SECRET), "{}", path.display());
        }
    }
}

#[test]
fn no_fault_of_a_server_loses_a_run() {
    let bench = Bench::new();
    let password = [("MLFLOW_TRACKING_USERNAME", "me"), ("MLFLOW_TRACKING_PASSWORD", SECRET)];
    let token = [("MLFLOW_TRACKING_TOKEN", SECRET)];
    let faults = [
        (Fault::Broken, "answers 500: the database is on fire", 3),
        (Fault::Denied, "answers 401: not allowed; set MLFLOW_TRACKING_USERNAME", 1),
        (Fault::Garbage, "does not answer as MLflow does: `<html> [31m a gateway</html>` is no JSON object", 1),
        (Fault::Noise, "does not answer as MLflow does", 1),
        (Fault::Cut, "", 1),
        (Fault::Empty, "does not answer as MLflow does: no `experiment.lifecycle_stage`", 1),
        (Fault::Elsewhere, "answers 307: it sends elsewhere", 1),
        (Fault::Silent, "does not answer in time", 1),
    ];
    for (at, (fault, words, asked)) in faults.into_iter().enumerate() {
        let server = Server::start(fault);
        let by_token = at % 2 == 0;
        let said = train(&bench, &server.address, if by_token { &token } else { &password });
        let line = warning(&said);
        assert!(line.contains(words) && line.contains("flowshrike track push"), "{fault:?}: {said}");
        assert!(!said.contains(SECRET), "{said}");
        let heads = server.asked();
        assert!(heads.len() >= asked && heads.len() <= 9, "{fault:?}: asked {} times", heads.len());
        let scheme = if by_token { "authorization: Bearer hunter2-secret" } else { "authorization: Basic bWU6" };
        assert!(heads.iter().all(|head| head.to_ascii_lowercase().contains(&scheme.to_ascii_lowercase())), "{heads:?}");
        assert_eq!(folders(&bench.path("flowshrike-spool")).len(), at + 1, "{fault:?}");
    }
    let said = train(&bench, &nobody(), &token);
    assert!(warning(&said).contains("cannot be reached"), "{said}");
    holds_no_secret(&bench.path("flowshrike-spool"));
    assert_eq!(folders(&bench.path("flowshrike-spool")).len(), faults.len() + 1);
}

#[test]
fn what_waits_is_sent_once_in_order_and_then_gone() {
    let bench = Bench::new();
    let away = nobody();
    for version in ["1", "2"] {
        let more = [
            "--track",
            &away,
            "--track-spool",
            "wait",
            "--model-version",
            version,
            "--register",
            "flows",
            "--alias",
            "champion",
        ];
        bench.train(&more);
    }
    bench.succeed(&[
        "evaluate",
        "--model",
        "model.fsm",
        "--data",
        "flows.csv",
        "--track",
        &away,
        "--track-spool",
        "wait",
    ]);
    let waiting = folders(&bench.path("wait"));
    assert_eq!(waiting.len(), 3);
    // Still away: nothing changes, and the command says so.
    let said = bench.fail(1, &["track", "push", "wait", "--track", &away]);
    assert!(said.contains("cannot be reached") && said.contains("3 of 3 records wait"), "{said}");
    assert_eq!(folders(&bench.path("wait")), waiting);

    let copied = std::process::Command::new("cp").args(["-r", "wait", "again"]).current_dir(bench.path("")).status();
    assert!(copied.expect("cp runs").success());
    let (out, _) = bench.succeed(&["track", "push", "wait", "--track", "runs"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].starts_with("flows 1 as run ") && lines[0].ends_with("; models:/flows/1 @champion"), "{out}");
    assert!(lines[1].starts_with("flows 2 as run ") && lines[1].ends_with("; models:/flows/2 @champion"), "{out}");
    assert!(lines[2].starts_with("evaluation of flows 2 as run "), "{out}");
    assert!(!bench.path("wait").exists(), "what has arrived is removed");

    // The same records once more are no new runs, nor new versions.
    let (out, _) = bench.succeed(&["track", "push", "again", "--track", "runs"]);
    assert_eq!(out.matches("was there already as run").count(), 3, "{out}");
    let experiments = folders(&bench.path("runs"));
    let runs: usize =
        experiments.iter().filter(|path| path.join("meta.yaml").exists()).map(|path| folders(path).len()).sum();
    assert_eq!(runs, 3);
    let versions = folders(&bench.path("runs/models/flows"));
    assert_eq!(versions.iter().filter(|path| path.to_string_lossy().contains("version-")).count(), 2, "{versions:?}");
    assert_eq!(bench.read("runs/models/flows/aliases/champion"), "2");
    let (out, said) = bench.succeed(&["track", "push", "wait", "--track", "runs"]);
    assert!(out.is_empty() && said.contains("nothing waits in wait"), "{said}");
}

#[test]
fn a_record_that_is_damaged_stays_and_the_others_go() {
    let bench = Bench::new();
    let away = nobody();
    (0..2).for_each(|_| drop(bench.train(&["--track", &away])));
    let waiting = folders(&bench.path("flowshrike-spool"));
    fs::write(waiting[0].join("record.json"), "{").expect("written");
    let output = bench.run(&["track", "push", "--track", "runs"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("record.json: not a record") && said.contains("1 of 2 records wait"), "{said}");
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert_eq!(folders(&bench.path("flowshrike-spool")), waiting[..1]);
}

#[test]
fn a_run_that_can_neither_be_sent_nor_kept_fails_and_leaves_its_model() {
    let bench = Bench::new();
    // A folder for the tracker that is a file, and none for the spool either.
    fs::write(bench.path("runs"), "a file").expect("written");
    let said = bench.fail(1, &[&TRAIN[..], &["--track", "runs", "--track-spool", "/proc/no-such-folder"]].concat());
    assert!(said.contains("the record cannot be kept"), "{said}");
    assert!(bench.path("model.fsm").exists());
}
