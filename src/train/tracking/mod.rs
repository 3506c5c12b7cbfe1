//! What a run leaves for an experiment tracker: parameters, metrics, tags and files, by the rules of MLflow's names and sizes.
//!
//! [`TrackedRun::of_training`] and [`TrackedRun::of_evaluation`] make one of what a command found. Nothing here reads a clock, a file or a
//! network: `track` sends records, writes them to folders and keeps those that cannot be sent.

mod evaluation;
mod plots;
mod training;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::{Model, sha256_hex};

pub use evaluation::evaluation_metrics;

/// One run, without the bytes of its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Names this run among all: 32 hexadecimal digits. A tracker that has it is not given it again.
    pub id: String,
    /// The experiment that the run is part of.
    pub experiment: String,
    /// What the run is called.
    pub name: String,
    /// When it began, in milliseconds since 1970.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
    /// How it was asked for.
    pub params: BTreeMap<String, String>,
    /// What it found.
    pub metrics: Vec<Metric>,
    /// What else is known of it.
    pub tags: BTreeMap<String, String>,
    /// Paths of its files.
    pub files: Vec<String>,
    /// Where its model is entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<Registration>,
}

/// One value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name.
    pub key: String,
    /// Finite.
    pub value: f64,
    /// The fold, from 1; 0 for a figure of the whole run.
    pub step: u32,
}

/// A model's entry in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The registered model that gets a new version.
    pub model: String,
    /// What the new version is then called.
    pub aliases: Vec<String>,
}

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFile {
    /// Relative, with `/` between.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// A run as it is sent or kept.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedRun {
    /// All but the files.
    pub record: Record,
    /// As many as the record names, in its order.
    pub files: Vec<RunFile>,
}

/// What only the command knows of its run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Occasion {
    /// The command, such as `train`.
    pub command: &'static str,
    /// The experiment.
    pub experiment: String,
    /// What the run is to be called, if that was said.
    pub name: Option<String>,
    /// Milliseconds since 1970.
    pub started: i64,
    /// Milliseconds since 1970.
    pub ended: i64,
    /// Sets two runs of the same content apart.
    pub nonce: String,
    /// The commit of the repository that the command ran in, and whether its files differ from it.
    pub commit: Option<(String, bool)>,
    /// Where the model is entered.
    pub registration: Option<Registration>,
}

impl TrackedRun {
    /// Puts a record together; names are made fit, values that are too long are cut.
    fn new(
        occasion: &Occasion,
        named: String,
        params: BTreeMap<String, String>,
        metrics: Vec<Metric>,
        tags: BTreeMap<String, String>,
        files: Vec<RunFile>,
    ) -> Self {
        let id =
            sha256_hex(format!("{}\n{}\n{}\n{named}", occasion.nonce, occasion.started, occasion.command).as_bytes());
        let id: String = id.chars().take(ID_DIGITS).collect();
        let mut tags = tags;
        let mut tag = |key: &str, value: &str| tags.insert(key.to_owned(), value.to_owned());
        tag("flowshrike.record", &id);
        tag("flowshrike.command", occasion.command);
        tag("flowshrike.version", env!("CARGO_PKG_VERSION"));
        tag("mlflow.source.name", &format!("flowshrike {}", occasion.command));
        tag("mlflow.source.type", "LOCAL");
        if let Some((commit, changed)) = &occasion.commit {
            tag("mlflow.source.git.commit", commit);
            tag("flowshrike.git.changed", if *changed { "true" } else { "false" });
        }
        let name = occasion.name.clone().unwrap_or(named);
        tag("mlflow.runName", &name);
        let record = Record {
            id,
            experiment: occasion.experiment.clone(),
            name,
            started: occasion.started,
            ended: occasion.ended,
            params: params.into_iter().map(|(key, value)| (fit_key(&key), cut(&value, PARAM_CHARACTERS))).collect(),
            metrics: fit_metrics(metrics),
            tags: tags.into_iter().map(|(key, value)| (fit_key(&key), cut(&value, TAG_CHARACTERS))).collect(),
            files: files.iter().map(|file| file.path.clone()).collect(),
            registration: occasion.registration.clone(),
        };
        Self { record, files }
    }
}

/// Collects metrics; what is not known or not finite is left out.
#[derive(Debug, Default)]
struct Metrics(Vec<Metric>);

impl Metrics {
    fn put(&mut self, key: &str, value: Option<f64>) {
        self.put_at(key, value, 0);
    }

    fn put_at(&mut self, key: &str, value: Option<f64>, step: u32) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.0.push(Metric { key: key.to_owned(), value, step });
        }
    }
}

/// The files of a model: the artifact, and what tells a tracker what it is.
fn model_files(model: &Model, artifact: &[u8]) -> [RunFile; 2] {
    let about = format!(
        "artifact_path: model\nflavors:\n  flowshrike:\n    data: {MODEL_NAME}\n    sha256: {}\n    flowshrike_version: {}\n",
        model.sha256(),
        env!("CARGO_PKG_VERSION")
    );
    [
        RunFile { path: format!("{MODEL_FOLDER}/{MODEL_NAME}"), bytes: artifact.to_vec() },
        RunFile { path: format!("{MODEL_FOLDER}/MLmodel"), bytes: about.into_bytes() },
    ]
}

/// Tags of a run that has to do with a model.
fn model_tags(model: &Model, data_sha256: &str, seed: u64) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("flowshrike.data_sha256".to_owned(), data_sha256.to_owned()),
        ("flowshrike.model_sha256".to_owned(), model.sha256().to_owned()),
        ("flowshrike.seed".to_owned(), seed.to_string()),
    ])
}

/// A value as parameters: objects by their keys with dots between, lists with commas.
fn flatten(prefix: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") }, value, out);
            }
        }
        Value::Array(items) => {
            out.insert(prefix.to_owned(), items.iter().map(text).collect::<Vec<_>>().join(","));
        }
        other => {
            out.insert(prefix.to_owned(), text(other));
        }
    }
}

/// Of two values of a metric that have the same name once it is fit, the first is kept.
fn fit_metrics(metrics: Vec<Metric>) -> Vec<Metric> {
    let mut seen = std::collections::BTreeSet::new();
    let fit = metrics.into_iter().map(|metric| Metric { key: fit_key(&metric.key), ..metric });
    fit.filter(|metric| seen.insert((metric.key.clone(), metric.step))).collect()
}

/// A name that every version of MLflow takes, in a database and as the name of a file.
fn fit_key(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    let fit: String = key.chars().map(|c| if plain(c) { c } else { '_' }).take(KEY_CHARACTERS).collect();
    if fit.is_empty() || fit.starts_with('.') { format!("_{}", fit.trim_start_matches('.')) } else { fit }
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Where a run keeps its model.
pub const MODEL_FOLDER: &str = "model";
/// What its file is called there.
pub const MODEL_NAME: &str = "model.fsm";
/// As long as MLflow's own names of runs.
const ID_DIGITS: usize = 32;
/// MLflow's limit on the names of parameters, metrics and tags.
const KEY_CHARACTERS: usize = 250;
/// MLflow's limit on a parameter's value.
const PARAM_CHARACTERS: usize = 6_000;
/// MLflow's limit on a tag's value is 8,000 in its databases, and 5,000 in those of before.
const TAG_CHARACTERS: usize = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_keep_the_trackers_rules() {
        for (key, fit) in [
            ("validation.f1.recon.port-scan", "validation.f1.recon.port-scan"),
            ("f1.<script>/../x:é", "f1._script__.._x__"),
            ("..", "_"),
            ("", "_"),
            ("./a", "__a"),
        ] {
            assert_eq!(fit_key(key), fit, "{key}");
        }
        assert_eq!(fit_key(&"k".repeat(400)).len(), KEY_CHARACTERS);
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }

    #[test]
    fn nested_values_become_flat_parameters() {
        let value = serde_json::json!({"a": {"b": 1, "c": null, "d": ["x", 2]}, "e": "f", "g": {"h": true}});
        let mut out = BTreeMap::new();
        flatten("", &value, &mut out);
        let expected = [("a.b", "1"), ("a.d", "x,2"), ("e", "f"), ("g.h", "true")];
        assert_eq!(out, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }

    #[test]
    fn what_is_not_finite_is_left_out_and_what_collides_stands_once() {
        let mut metrics = Metrics::default();
        metrics.put("a/b", Some(1.0));
        metrics.put("a:b", Some(2.0));
        metrics.put_at("a_b", Some(3.0), 1);
        metrics.put("n", Some(f64::NAN));
        metrics.put("none", None);
        let metric = |step, value| Metric { key: "a_b".to_owned(), value, step };
        assert_eq!(fit_metrics(metrics.0), [metric(0, 1.0), metric(1, 3.0)]);
    }

    #[test]
    fn the_same_run_at_another_time_is_another_record() {
        let run = |nonce: &str| {
            let occasion = Occasion { command: "train", nonce: nonce.to_owned(), ..Occasion::default() };
            TrackedRun::new(&occasion, "m 1".to_owned(), BTreeMap::new(), Vec::new(), BTreeMap::new(), Vec::new())
        };
        assert_eq!(run("1"), run("1"));
        assert_ne!(run("1").record.id, run("2").record.id);
        assert_eq!((run("1").record.id.len(), run("1").record.tags["mlflow.runName"].as_str()), (ID_DIGITS, "m 1"));
    }
}
