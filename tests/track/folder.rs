//! Runs and models in a folder.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use flowshrike::model::Model;
use serde_json::Value;

use super::bench::{Bench, folders, succeeded};

/// The runs of the experiment, oldest name first.
fn runs(bench: &Bench, root: &str, experiment: &str) -> Vec<PathBuf> {
    let named = format!("name: {}", Value::from(experiment));
    let is = |path: &PathBuf| {
        fs::read_to_string(path.join("meta.yaml")).is_ok_and(|text| text.lines().any(|line| line == named))
    };
    let experiment = folders(&bench.path(root)).into_iter().find(is).expect("the experiment");
    folders(&experiment)
}

/// The value in a line of a metric: time, value, step.
fn value(line: &str) -> f64 {
    line.split(' ').nth(1).and_then(|value| value.parse().ok()).expect("a value")
}

#[test]
fn a_training_run_is_a_folder_in_the_layout_of_mlflows_file_store() {
    let bench = Bench::new();
    let (_, said) = bench.train(&[
        "--report",
        "report.json",
        "--folds",
        "3",
        "--track",
        "runs",
        "--track-experiment",
        "lab \"x\": y",
    ]);
    assert!(said.contains("tracked   flows 1 as run "), "{said}");
    let runs = runs(&bench, "runs", "lab \"x\": y");
    let [run] = runs.as_slice() else { panic!("one run: {runs:?}") };
    let read = |path: &str| bench.read(run.join(path));

    let report: Value = serde_json::from_str(&bench.read("report.json")).expect("JSON");
    let model = Model::from_bytes(&fs::read(bench.path("model.fsm")).expect("a model")).expect("a model");
    // Parameters, as they were asked for.
    for (key, value) in
        [("engine.name", "knn"), ("split.kind", "time"), ("split.folds", "3"), ("seed", "7"), ("model.name", "flows")]
    {
        assert_eq!(read(&format!("params/{key}")), value, "{key}");
    }
    // Figures: those of the report, of the whole and of each fold.
    let whole = read("metrics/validation.macro_f1");
    assert!((value(&whole) - report["validation"]["macro_f1"].as_f64().expect("a figure")).abs() < 1e-5, "{whole}");
    let folds: Vec<f64> = read("metrics/fold.macro_f1").lines().map(value).collect();
    let told: Vec<f64> =
        report["folds"].as_array().expect("folds").iter().map(|fold| fold["macro_f1"].as_f64().expect("one")).collect();
    assert_eq!((folds.len(), &folds), (3, &told));
    assert!(read("metrics/fold.macro_f1").lines().nth(2).expect("a third").ends_with(" 3"));
    // Tags.
    assert_eq!(read("tags/flowshrike.data_sha256"), model.parts().provenance.data_sha256);
    assert_eq!(report["data_sha256"].as_str(), Some(model.parts().provenance.data_sha256.as_str()));
    assert_eq!(
        (read("tags/flowshrike.model_sha256").as_str(), read("tags/flowshrike.seed").as_str()),
        (model.sha256(), "7")
    );
    assert_eq!(read("tags/mlflow.runName"), "flows 1");
    assert!(!run.join("tags/mlflow.source.git.commit").exists(), "the folder is no repository");
    // Files, byte for byte.
    assert_eq!(
        fs::read(run.join("artifacts/model/model.fsm")).expect("a file"),
        fs::read(bench.path("model.fsm")).expect("a file")
    );
    assert_eq!(read("artifacts/report.json"), bench.read("report.json"));
    for plot in ["confusion", "classes", "folds"] {
        assert!(read(&format!("artifacts/plots/{plot}.svg")).starts_with("<svg xmlns="), "{plot}");
    }
    assert!(read("meta.yaml").contains("status: 3\n"), "it has ended");
    assert!(!bench.path("flowshrike-spool").exists(), "nothing waits");
}

#[test]
fn the_commit_is_a_tag_where_there_is_one() {
    let bench = Bench::new();
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        let output = std::process::Command::new("git").args(identity).args(args).current_dir(bench.path("")).output();
        output
            .ok()
            .filter(|output| output.status.success())
            .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    if git(&["init", "-q"]).is_none() {
        return super::util::skip::skipped("git is not here");
    }
    git(&["add", "flows.csv"]).expect("added");
    git(&["commit", "-q", "-m", "flows"]).expect("committed");
    let commit = git(&["rev-parse", "HEAD"]).expect("a commit");
    for (change, changed) in [("", "false"), ("\n", "true")] {
        let flows = bench.read("flows.csv") + change;
        fs::write(bench.path("flows.csv"), flows).expect("written");
        let root = format!("runs-{changed}");
        bench.train(&["--track", &root]);
        let run = runs(&bench, &root, "flowshrike").remove(0);
        assert_eq!(bench.read(run.join("tags/mlflow.source.git.commit")), commit);
        assert_eq!(bench.read(run.join("tags/flowshrike.git.changed")), changed);
    }
}

#[test]
fn registered_models_are_found_by_alias_and_by_version() {
    let bench = Bench::new();
    let register = ["--track", "my runs", "--register", "flows", "--alias", "champion"];
    let (_, said) = bench.train(&register);
    assert!(said.contains("; models:/flows/1 @champion\n"), "{said}");
    let first = fs::read(bench.path("model.fsm")).expect("a model");
    let (_, said) = bench.train(&[&register[..], &["--alias", "fresh", "--model-version", "2"]].concat());
    assert!(said.contains("; models:/flows/2 @champion @fresh\n"), "{said}");
    let second = fs::read(bench.path("model.fsm")).expect("a model");
    assert_ne!(first, second);

    let sha256 = |name: &str| {
        let (out, _) = bench.succeed(&["model", "inspect", name, "--track", "my runs", "--format", "json"]);
        serde_json::from_str::<Value>(&out).expect("JSON")["sha256"].as_str().expect("a sum").to_owned()
    };
    let of = |bytes: &[u8]| Model::from_bytes(bytes).expect("a model").sha256().to_owned();
    assert_eq!(sha256("models:/flows/1"), of(&first));
    assert_eq!([sha256("models:/flows@champion"), sha256("models:/flows@fresh")], [of(&second), of(&second)]);

    // Each command takes them, also by the variable.
    let (by_file, _) = bench.succeed(&["predict", "--model", "model.fsm", "flows.csv"]);
    let (by_name, _) =
        bench.succeed(&["predict", "--model", "models:/flows@champion", "--track", "my runs", "flows.csv"]);
    assert_eq!(by_file, by_name);
    let mut command = bench.command(&["predict", "--model", "models:/flows/2", "flows.csv"]);
    assert_eq!(
        succeeded(&command.env("MLFLOW_TRACKING_URI", bench.path("my runs")).output().expect("it runs")).0,
        by_file
    );
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/demo-cluster.pcap.gz");
    let (by_file, _) = bench.succeed(&["replay", "--model", "model.fsm", capture]);
    let (by_name, said) = bench.succeed(&["replay", "--model", "models:/flows/2", "--track", "my runs", capture]);
    assert_eq!(by_file, by_name);
    assert!(said.contains("model flows 2"), "{said}");
    bench.succeed(&[
        "evaluate",
        "--model",
        "models:/flows@fresh",
        "--data",
        "flows.csv",
        "--track",
        "my runs",
        "--track-name",
        "held",
        "--metrics",
        "m.json",
    ]);
    let evaluation = runs(&bench, "my runs", "flowshrike")
        .into_iter()
        .find(|run| bench.read(run.join("tags/mlflow.runName")) == "held");
    let run = evaluation.expect("the evaluation is a run");
    let figures: Value = serde_json::from_str(&bench.read(run.join("artifacts/evaluation.json"))).expect("JSON");
    assert_eq!(bench.read(run.join("tags/flowshrike.data_sha256")), figures["data_sha256"].as_str().expect("a sum"));
    assert!(
        bench.read(run.join("artifacts/evaluation.html")).contains(figures["data_sha256"].as_str().expect("a sum"))
    );
    assert_eq!(Some(value(&bench.read(run.join("metrics/evaluation.macro_f1")))), figures["macro_f1"].as_f64());

    let introduced =
        serve(&bench, &["serve", "--listen", "127.0.0.1:0", "--model", "models:/flows@fresh", "--track", "my runs"]);
    assert!(introduced.contains(&format!("model flows 2 ({})", &of(&second)[..12])), "{introduced}");

    let flat: Value = serde_json::from_str(&bench.read("m.json")).expect("JSON");
    assert_eq!(flat["evaluation.macro_f1"], figures["macro_f1"]);
    assert_eq!(
        flat.as_object().expect("an object").len(),
        fs::read_dir(run.join("metrics")).expect("a folder").count()
    );

    for (name, words) in [
        ("models:/flows/3", "no registered model `models:/flows/3`"),
        ("models:/flows@nobody", "no registered model"),
        ("models:/others@champion", "no registered model"),
    ] {
        let said = bench.fail(1, &["predict", "--model", name, "--track", "my runs", "flows.csv"]);
        assert!(said.contains(words), "{said}");
    }
    // A file that is damaged is not used.
    let damaged = runs(&bench, "my runs", "flowshrike").into_iter().map(|run| run.join("artifacts/model/model.fsm"));
    for path in damaged.filter(|path| path.exists()) {
        let mut bytes = fs::read(&path).expect("a file");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&path, bytes).expect("written");
    }
    assert!(
        bench
            .fail(1, &["predict", "--model", "models:/flows/1", "--track", "my runs", "flows.csv"])
            .contains("models:/flows/1")
    );
}

/// What the service says until it serves; then it ends.
fn serve(bench: &Bench, args: &[&str]) -> String {
    let mut service = bench.command(args).stderr(Stdio::piped()).spawn().expect("the program runs");
    let mut said = String::new();
    for line in BufReader::new(service.stderr.take().expect("piped")).lines() {
        said += &(line.expect("text") + "\n");
        if said.contains("serving on http://") {
            break;
        }
    }
    service.kill().expect("ended");
    service.wait().expect("ended");
    said
}

#[test]
fn what_cannot_be_meant_is_said_before_the_work() {
    let bench = Bench::new();
    for (more, words) in [
        (&["--track"][..], "MLFLOW_TRACKING_URI"),
        (&["--track", "sqlite:///mlflow.db"], "mlflow server"),
        (&["--track", "http://me:secret@127.0.0.1:1"], "MLFLOW_TRACKING_PASSWORD"),
        (&["--track", "runs", "--register", "a/b"], "no name of a registered model"),
        (&["--track", "runs", "--register", "a", "--alias", "latest"], "no alias"),
        (&["--register", "a"], "--track"),
        (&["--track", "runs", "--alias", "a"], "--register"),
        (&["--track-name", "a"], "--track"),
        (&["--track", "runs", "--track-experiment", " "], "--track-experiment"),
    ] {
        let said = bench.fail(2, &[&super::bench::TRAIN[..], more].concat());
        assert!(said.contains(words) && !said.contains("secret"), "{more:?}: {said}");
    }
    for args in [
        &["model", "diff", "models:/a/1", "models:/a/2"][..],
        &["learn", "--flows", "flows.csv", "--model", "models:/a/1", "--output", "b.fsm"],
        &["predict", "--model", "models:/a", "--track", "runs", "flows.csv"],
        &["predict", "--model", "models:/a/1", "flows.csv"],
    ] {
        bench.fail(2, args);
    }
    fs::write(bench.path("spool"), "no folder").expect("written");
    let said = bench.fail(1, &[&super::bench::TRAIN[..], &["--track", "runs", "--track-spool", "spool"]].concat());
    assert!(said.contains("spool"), "{said}");
    assert!(!bench.path("model.fsm").exists() && !bench.path("runs").exists(), "nothing was begun");
}
