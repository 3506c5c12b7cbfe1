//! The record of a training run.

use std::collections::BTreeMap;

use super::plots::{self, Plot};
use super::{Metrics, Occasion, RunFile, TrackedRun, flatten, model_files, model_tags};
use crate::model::Model;
use crate::train::{Recipe, Report};

impl TrackedRun {
    /// Of what `train` made: `artifact` is the model's file, `report` what `--report` writes.
    #[must_use]
    pub fn of_training(
        occasion: &Occasion,
        recipe: &Recipe,
        model: &Model,
        found: &Report,
        artifact: &[u8],
        report: Vec<u8>,
    ) -> Self {
        let data_sha256 = &model.parts().provenance.data_sha256;
        let mut tags = model_tags(model, data_sha256, recipe.seed);
        tags.insert("mlflow.note.content".to_owned(), note(found));
        let mut files = vec![RunFile { path: "report.json".to_owned(), bytes: report }];
        files.extend(plots::of(&found.validation).into_iter().chain(plots::folds(found)).map(Plot::file));
        files.extend(model_files(model, artifact));
        let named = format!("{} {}", model.name(), model.version());
        Self::new(occasion, named, params(recipe, model), metrics(model, found, artifact.len()), tags, files)
    }
}

fn params(recipe: &Recipe, model: &Model) -> BTreeMap<String, String> {
    let mut params = BTreeMap::new();
    // The pipeline holds no value that JSON cannot; without one there would be nothing to tell of it.
    flatten("", &serde_json::to_value(&recipe.pipeline).unwrap_or_default(), &mut params);
    let mut put = |key: &str, value: String| params.insert(key.to_owned(), value);
    put("model.name", model.name().to_owned());
    put("model.version", model.version().to_owned());
    put("seed", recipe.seed.to_string());
    put("profile", recipe.profile.to_string());
    let columns: Vec<&str> = model.features().iter().map(|id| id.feature().column).collect();
    put("features", columns.join(","));
    params
}

fn metrics(model: &Model, found: &Report, bytes: usize) -> Vec<super::Metric> {
    let mut metrics = Metrics::default();
    for (key, &value) in &model.parts().metrics {
        metrics.put(key, Some(value));
    }
    metrics.put("validation.attacks_alerted", Some(found.validation.alerts.attacks_alerted as f64));
    metrics.put("validation.attack_flows", Some(found.validation.alerts.attack_flows as f64));
    metrics.put("validation.false_alert_rate", found.validation.alerts.false_alert_rate);
    metrics.put("novelty_threshold", Some(found.novelty_threshold));
    metrics.put("points", Some(found.points as f64));
    metrics.put("model_bytes", Some(bytes as f64));
    for (step, fold) in (1..).zip(&found.folds) {
        let mut put = |key: &str, value: Option<f64>| metrics.put_at(&format!("fold.{key}"), value, step);
        put("accuracy", fold.accuracy);
        put("macro_f1", fold.macro_f1);
        put("false_positive_rate", fold.false_positive_rate);
        put("novelty_rate_benign", fold.novelty.benign_rate);
        put("novelty_rate_attack", fold.novelty.attack_rate);
        put("training_flows", Some(fold.training_flows as f64));
        put("validation_flows", Some(fold.validation_flows as f64));
    }
    metrics.0
}

/// What a reader must know before the figures, as the tracker's description of the run.
fn note(found: &Report) -> String {
    let leaky = found.leaky.iter().map(String::as_str);
    let lines = leaky.chain([found.trained_on.as_str(), found.split.text.as_str()]);
    lines.chain(found.training_notes.iter().map(String::as_str)).collect::<Vec<_>>().join("\n\n")
}
