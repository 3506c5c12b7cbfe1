//! What a training run and an evaluation say: for machines as JSON, for people as a table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evaluate::{Evaluation, rounded};
use super::fit::Fitted;
use super::leaks::LeakTest;
use super::select::Selection;
use super::split::Split;
use crate::model::{Model, leaky_line};

/// What a training run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The leaky columns that the model reads, and why they leak, in one line.
    pub leaky: Option<String>,
    /// Name of the model.
    pub name: String,
    /// Version of the model.
    pub version: String,
    /// SHA-256 of the artifact.
    pub sha256: String,
    /// What it was trained on.
    pub trained_on: String,
    /// Rows that the validated sibling was fitted on: the first three quarters of each capture.
    pub training_flows: usize,
    /// Rows of the last quarters that are not the same as a training row.
    pub validation_flows: usize,
    /// Rows of the last quarters that are, and so are not counted.
    pub repeated_flows: usize,
    /// Points in the model.
    pub points: usize,
    /// Columns that the model reads, in its order.
    pub features: Vec<&'static str>,
    /// Whether both profiles compute all of them alike, so that flows of either can be judged.
    pub portable_only: bool,
    /// How they were selected among the data's columns.
    pub selection: Option<Selection>,
    /// Least score worth an alert, by label.
    pub alert_thresholds: BTreeMap<String, f64>,
    /// Novelty threshold of the model.
    pub novelty_threshold: f64,
    /// Figures of the sibling on the validation rows.
    pub validation: Evaluation,
    /// Macro-F1 on the same rows with every training row kept in place of prototypes.
    pub all_points_macro_f1: Option<f64>,
    /// Tests for leaks.
    pub leaks: Vec<LeakTest>,
    /// Novelty of each capture's flows to a fit without that capture, by label.
    pub left_out: BTreeMap<String, LeftOut>,
}

/// Novelty of a label's flows, each capture left out in turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// Flows of this label.
    pub flows: u64,
    /// Flows beyond the threshold.
    pub novel: u64,
    /// The two as a share; for benign flows it is what the threshold was set to.
    pub rate: f64,
}

impl LeftOut {
    /// For each label with flows.
    pub(super) fn of(names: &[String], fitted: &Fitted) -> BTreeMap<String, Self> {
        let figures = |distances: &Vec<f32>| {
            let novel = distances.iter().filter(|&&distance| distance > fitted.novelty_threshold).count();
            let rate = novel as f64 / distances.len() as f64;
            Self { flows: distances.len() as u64, novel: novel as u64, rate }
        };
        let some = names.iter().zip(&fitted.left_out).filter(|(_, distances)| !distances.is_empty());
        some.map(|(name, distances)| (name.clone(), figures(distances))).collect()
    }
}

impl Report {
    pub(super) fn new(
        model: &Model,
        split: &Split,
        validation: Evaluation,
        all_points: &Evaluation,
        left_out: BTreeMap<String, LeftOut>,
    ) -> Self {
        let thresholds = model.labels().iter().zip(&model.parts().alert_thresholds).skip(1);
        Self {
            leaky: leaky_line(&model.leaky()),
            name: model.name().to_owned(),
            version: model.version().to_owned(),
            sha256: model.sha256().to_owned(),
            trained_on: model.trained_on().to_owned(),
            training_flows: split.training.len(),
            validation_flows: split.validation.len(),
            repeated_flows: split.left_out,
            points: model.parts().engine.size(),
            features: model.features().iter().map(|id| id.feature().column).collect(),
            portable_only: model.parts().portable_only,
            selection: None,
            alert_thresholds: thresholds.map(|(label, &least)| (label.clone(), rounded(least))).collect(),
            novelty_threshold: rounded(model.novelty_threshold()),
            validation,
            all_points_macro_f1: all_points.macro_f1,
            leaks: Vec::new(),
            left_out,
        }
    }
}

/// The figures that the artifact carries, rounded to six places.
pub(super) fn metrics(
    validation: &Evaluation,
    all_points: &Evaluation,
    left_out: &BTreeMap<String, LeftOut>,
) -> BTreeMap<String, f64> {
    let mut metrics = BTreeMap::new();
    let mut put = |name: String, value: Option<f64>| {
        if let Some(value) = value {
            metrics.insert(name, (value * 1e6).round() / 1e6);
        }
    };
    put("validation.flows".to_owned(), Some(validation.flows as f64));
    put("validation.benign_flows".to_owned(), Some(validation.benign_flows as f64));
    put("validation.accuracy".to_owned(), validation.accuracy);
    put("validation.macro_f1".to_owned(), validation.macro_f1);
    put("validation.false_positive_rate".to_owned(), validation.false_positive_rate);
    put("validation.novelty_rate_benign".to_owned(), validation.novelty.benign_rate);
    put("validation.all_points_macro_f1".to_owned(), all_points.macro_f1);
    for (label, class) in &validation.per_class {
        put(format!("validation.f1.{label}"), class.f1);
        put(format!("validation.support.{label}"), Some(class.support as f64));
    }
    for (label, figures) in left_out {
        put(format!("left_out.flows.{label}"), Some(figures.flows as f64));
        put(format!("left_out.novel.{label}"), Some(figures.rate));
    }
    metrics
}

/// A table for people.
#[must_use]
pub fn text(found: &Evaluation) -> String {
    let mut out = String::new();
    let width = found.per_class.keys().map(String::len).max().unwrap_or(0).max("label".len());
    let mut line = |text: String| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(format!(
        "{:width$}  {:>9}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}",
        "label", "precision", "recall", "F1", "flows", "alerted", "novel"
    ));
    for (label, class) in &found.per_class {
        line(format!(
            "{label:width$}  {:>9}  {:>9}  {:>9}  {:>8}  {:>8}  {:>8}",
            number(class.precision),
            number(class.recall),
            number(class.f1),
            class.support,
            class.alerted,
            class.novel
        ));
    }
    line(String::new());
    line(format!("macro-F1             {}   accuracy {}", number(found.macro_f1), number(found.accuracy)));
    line(format!(
        "false positives      {} of {} benign flows by label, {} above the alert thresholds",
        percent(found.false_positive_rate),
        found.benign_flows,
        percent(found.alerts.false_alert_rate)
    ));
    line(format!(
        "alerts               {} of {} attack flows",
        found.alerts.attacks_alerted, found.alerts.attack_flows
    ));
    line(format!(
        "novelty              {} of benign and {} of attack flows beyond {}",
        percent(found.novelty.benign_rate),
        percent(found.novelty.attack_rate),
        found.novelty.threshold
    ));
    line(format!("flows                {}; {} values not finite, read as 0", found.flows, found.non_finite));
    line(String::new());
    line("true label, and what the model says".to_owned());
    for (label, row) in &found.confusion {
        let cells: Vec<String> = row.iter().map(|(got, flows)| format!("{got} {flows}")).collect();
        line(format!("{label:width$}  {}", cells.join(", ")));
    }
    out
}

pub(super) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.3} %", value * 100.0))
}
