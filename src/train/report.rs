//! What a training run and an evaluation say: for machines as JSON, for people as a table.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evaluate::{Evaluation, rounded};
use super::fit::Fitted;
use super::leaks::LeakTest;
use super::maker::Maker;
use super::novelty::NoveltyReport;
use super::sampling::{ResampleKind, ResampleSpec};
use super::select::Selection;
use super::split::SplitSpec;
use super::validate::{FoldFigures, Validation};
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
    /// SHA-256 of the training rows as they were read: features, labels, captures.
    pub data_sha256: String,
    /// What it was measured on.
    pub split: SplitUsed,
    /// What was done to the points of each fit.
    pub resample: ResampleSpec,
    /// Points that the prototypes of the model stand for, by label: flows, less or more by resampling.
    pub fitted_points: BTreeMap<String, usize>,
    /// Rows that the validated siblings were fitted on: of several, the mean.
    pub training_flows: usize,
    /// Rows that were held back and are not the same as a row that their fold is fitted on, of all folds.
    pub validation_flows: usize,
    /// Rows that are, and so are not counted.
    pub repeated_flows: usize,
    /// Each fold.
    pub folds: Vec<FoldFigures>,
    /// What should be known of the split and of the fits, a sentence each.
    pub training_notes: Vec<String>,
    /// How the model decides, in a line.
    pub engine: String,
    /// Points in the model, or leaves of trees.
    pub points: usize,
    /// Columns that the model reads, in its order.
    pub features: Vec<&'static str>,
    /// Whether both profiles compute all of them alike, so that flows of either can be judged.
    pub portable_only: bool,
    /// How they were selected among the data's columns.
    pub selection: Option<Selection>,
    /// Least share of the votes for attacks that is worth an alert, by label.
    pub alert_thresholds: BTreeMap<String, f64>,
    /// Novelty threshold of the model.
    pub novelty_threshold: f64,
    /// Figures of the siblings on the validation rows, each judged by the one that has not seen it; of several, the novelty threshold is
    /// the mean of theirs.
    pub validation: Evaluation,
    /// Macro-F1 on the same rows with every training row kept in place of prototypes.
    pub all_points_macro_f1: Option<f64>,
    /// Tests for leaks.
    pub leaks: Vec<LeakTest>,
    /// Novelty of each capture's flows to a fit without that capture, by label.
    pub left_out: BTreeMap<String, LeftOut>,
    /// The same by capture, and values beyond the training range.
    pub novelty: NoveltyReport,
}

/// A split, and what it is in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitUsed {
    /// As it was asked for.
    #[serde(flatten)]
    pub spec: SplitSpec,
    /// What validates.
    pub text: String,
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
        let figures = |label: usize| {
            let of_label = fitted.left_out.iter().filter_map(|capture| capture.distances.get(label));
            let distances: Vec<f32> = of_label.flatten().copied().collect();
            let novel = distances.iter().filter(|&&distance| distance > fitted.novelty_threshold).count();
            let rate = novel as f64 / distances.len() as f64;
            (!distances.is_empty()).then_some(Self { flows: distances.len() as u64, novel: novel as u64, rate })
        };
        let all = names.iter().enumerate();
        all.filter_map(|(label, name)| Some((name.clone(), figures(label)?))).collect()
    }
}

impl Report {
    pub(super) fn new(
        maker: &Maker<'_>,
        model: &Model,
        fitted: &Fitted,
        found: Validation<'_>,
        left_out: BTreeMap<String, LeftOut>,
    ) -> Self {
        let recipe = maker.recipe;
        let asked = recipe.pipeline.points.novelty_fpr;
        let novelty = NoveltyReport::new(maker.names, fitted, asked, found.beyond);
        let sum = |of: fn(&FoldFigures) -> usize| found.folds.iter().map(of).sum::<usize>();
        let mut training_notes = found.notes;
        if recipe.pipeline.resample.kind == ResampleKind::Over && recipe.pipeline.engine.keeps_prototypes() {
            training_notes.push(
                "over-sampling repeats points, and prototypes count equal points once: it changes nothing here"
                    .to_owned(),
            );
        }
        let sampled = maker.names.iter().cloned().zip(fitted.sampled.by_label().iter().map(Vec::len));
        let thresholds = model.labels().iter().zip(&model.parts().alert_thresholds).skip(1);
        Self {
            leaky: leaky_line(&model.leaky()),
            name: model.name().to_owned(),
            version: model.version().to_owned(),
            sha256: model.sha256().to_owned(),
            trained_on: model.trained_on().to_owned(),
            data_sha256: model.parts().provenance.data_sha256.clone(),
            split: SplitUsed { spec: recipe.pipeline.split.clone(), text: recipe.pipeline.split.text() },
            resample: recipe.pipeline.resample.clone(),
            fitted_points: sampled.collect(),
            training_flows: sum(|fold| fold.training_flows) / found.folds.len().max(1),
            validation_flows: sum(|fold| fold.validation_flows),
            repeated_flows: sum(|fold| fold.repeated_flows),
            training_notes,
            engine: model.parts().engine.describe(),
            points: model.parts().engine.size(),
            features: model.features().iter().map(|id| id.feature().column).collect(),
            portable_only: model.parts().portable_only,
            selection: None,
            alert_thresholds: thresholds.map(|(label, &least)| (label.clone(), rounded(least))).collect(),
            novelty_threshold: rounded(model.novelty_threshold()),
            validation: found.pooled,
            all_points_macro_f1: found.all_points_macro_f1,
            folds: found.folds,
            leaks: Vec::new(),
            left_out,
            novelty,
        }
    }
}

/// The figures that the artifact carries, rounded to six places.
pub(super) fn metrics(
    validation: &Evaluation,
    all_points_macro_f1: Option<f64>,
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
    put("validation.all_points_macro_f1".to_owned(), all_points_macro_f1);
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
