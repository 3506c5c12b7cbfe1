//! Figures of a model on labelled flows: accuracy, macro-F1, each class, false positives, novelty.
//!
//! A share without flows behind it is `null`, never 0 or 1, and every share stands beside its count.

use std::collections::BTreeMap;

use serde::Serialize;

use super::metrics::{Interval, share, wilson};
use crate::dataset::Dataset;
use crate::model::{Model, Verdict};

/// What a model does on labelled flows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// Flows that were scored.
    pub flows: u64,
    /// Share of flows with the right label.
    pub accuracy: Option<f64>,
    /// Mean F1 of the classes that occur in the data or in the verdicts.
    pub macro_f1: Option<f64>,
    /// Share of benign flows that got an attack's label, whatever its score.
    pub false_positive_rate: Option<f64>,
    /// Benign flows in the data.
    pub benign_flows: u64,
    /// What alert thresholds make of it.
    pub alerts: Alerts,
    /// What the novelty threshold makes of it.
    pub novelty: Novelty,
    /// Each class by its label.
    pub per_class: BTreeMap<String, ClassFigures>,
    /// Flows by true label, then by the model's.
    pub confusion: BTreeMap<String, BTreeMap<String, u64>>,
    /// Each capture by its name.
    pub per_scenario: BTreeMap<String, ScenarioFigures>,
    /// Values that were not finite and counted as 0.
    pub non_finite: u64,
}

/// One class of an [`Evaluation`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Of the flows that got this label, the share that has it.
    pub precision: Option<f64>,
    /// Of the flows that have this label, the share that got it.
    pub recall: Option<f64>,
    /// Harmonic mean of the two; 0 where no flow is right.
    pub f1: Option<f64>,
    /// Flows that have this label.
    pub support: u64,
    /// Flows that got this label.
    pub predicted: u64,
    /// Flows that have this label and raise an alert, of whichever attack.
    pub alerted: u64,
    /// Flows that have this label and are novel.
    pub novel: u64,
}

/// Alerts of an [`Evaluation`]: an attack's label with a score of at least that label's threshold.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Alerts {
    /// Attack flows in the data.
    pub attack_flows: u64,
    /// Attack flows that raise an alert.
    pub attacks_alerted: u64,
    /// Benign flows that raise an alert.
    pub false_alerts: u64,
    /// Share of benign flows that raise an alert.
    pub false_alert_rate: Option<f64>,
    /// Wilson's 95 % interval of that share.
    pub false_alert_rate_interval: Option<Interval>,
}

/// Novelty in an [`Evaluation`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Novelty {
    /// Share of all flows that are novel.
    pub rate: Option<f64>,
    /// Share of benign flows that are novel.
    pub benign_rate: Option<f64>,
    /// Share of attack flows that are novel.
    pub attack_rate: Option<f64>,
    /// The model's threshold.
    pub threshold: f64,
}

/// One capture of an [`Evaluation`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ScenarioFigures {
    /// Flows of the capture.
    pub flows: u64,
    /// Benign flows among them.
    pub benign_flows: u64,
    /// Benign flows with an attack's label.
    pub false_positives: u64,
    /// Benign flows that are novel.
    pub benign_novel: u64,
    /// Benign flows that raise an alert.
    pub false_alerts: u64,
    /// Attack flows of the capture.
    pub attack_flows: u64,
    /// Attack flows that raise an alert, of whichever attack.
    pub attacks_alerted: u64,
    /// Attack flows that are novel.
    pub attacks_novel: u64,
    /// Share of the attack flows that raise an alert.
    pub detection_rate: Option<f64>,
    /// Wilson's 95 % interval of that share.
    pub detection_rate_interval: Option<Interval>,
}

/// Scores the chosen rows of a data set, whose columns are the model's.
///
/// `truth` gives a row's label in the model; `None` is a label that the model does not have and counts as a miss.
pub fn evaluate<'t>(
    model: &Model,
    data: &Dataset,
    rows: impl IntoIterator<Item = usize>,
    truth: impl Fn(usize) -> Option<&'t str>,
) -> Evaluation {
    let mut classifier = model.classifier();
    let verdicts = rows.into_iter().map(|row| (row, classifier.classify_row(data.row(row))));
    let mut found = tally(model, data, verdicts, truth);
    found.non_finite = classifier.non_finite();
    found
}

/// The figures of verdicts that were already given, each with its row; values that were not finite are the caller's to fill in.
pub(super) fn tally<'t>(
    model: &Model,
    data: &Dataset,
    verdicts: impl IntoIterator<Item = (usize, Verdict)>,
    truth: impl Fn(usize) -> Option<&'t str>,
) -> Evaluation {
    let mut found = Evaluation::default();
    let mut right = 0;
    let mut novel = 0;
    for label in model.labels() {
        found.per_class.entry(label.clone()).or_default();
    }
    for (row, verdict) in verdicts {
        let got = model.label_name(verdict.label);
        let held = truth(row);
        let has = held.unwrap_or(UNKNOWN);
        let benign = held.is_some_and(crate::taxonomy::is_benign);
        let alerted = u64::from(model.predicts_attack(&verdict));
        let is_novel = u64::from(verdict.novel);
        let scenario = found.per_scenario.entry(data.scenarios().get(row).to_owned()).or_default();
        scenario.flows += 1;
        found.flows += 1;
        novel += is_novel;
        right += u64::from(got == has);
        if benign {
            found.benign_flows += 1;
            found.alerts.false_alerts += alerted;
            scenario.benign_flows += 1;
            scenario.false_positives += u64::from(got != has);
            scenario.false_alerts += alerted;
            scenario.benign_novel += is_novel;
        } else {
            found.alerts.attack_flows += 1;
            found.alerts.attacks_alerted += alerted;
            scenario.attack_flows += 1;
            scenario.attacks_alerted += alerted;
            scenario.attacks_novel += is_novel;
        }
        let class = found.per_class.entry(has.to_owned()).or_default();
        class.support += 1;
        class.alerted += alerted;
        class.novel += is_novel;
        found.per_class.entry(got.to_owned()).or_default().predicted += 1;
        *found.confusion.entry(has.to_owned()).or_default().entry(got.to_owned()).or_default() += 1;
    }
    finish(&mut found, right, novel, model.novelty_threshold());
    found
}

/// Shares from counts.
fn finish(found: &mut Evaluation, right: u64, novel: u64, threshold: f32) {
    let Evaluation { per_class, confusion, .. } = found;
    for (name, class) in &mut *per_class {
        let hit = confusion.get(name).and_then(|row| row.get(name)).copied().unwrap_or(0);
        class.precision = share(hit, class.predicted);
        class.recall = share(hit, class.support);
        class.f1 = share(2 * hit, class.predicted + class.support);
    }
    let f1: Vec<f64> = per_class.values().filter_map(|class| class.f1).collect();
    found.macro_f1 = (!f1.is_empty()).then(|| f1.iter().sum::<f64>() / f1.len() as f64);
    found.accuracy = share(right, found.flows);
    let benign = per_class.iter().find(|(name, _)| crate::taxonomy::is_benign(name)).map(|(_, class)| class);
    let (quiet, benign_novel) = benign.map_or((0, 0), |class| (class.support, class.novel));
    let called = found.per_scenario.values().map(|scenario| scenario.false_positives).sum();
    found.false_positive_rate = share(called, quiet);
    found.alerts.false_alert_rate = share(found.alerts.false_alerts, quiet);
    found.alerts.false_alert_rate_interval = wilson(found.alerts.false_alerts, quiet);
    for scenario in found.per_scenario.values_mut() {
        scenario.detection_rate = share(scenario.attacks_alerted, scenario.attack_flows);
        scenario.detection_rate_interval = wilson(scenario.attacks_alerted, scenario.attack_flows);
    }
    found.novelty = Novelty {
        rate: share(novel, found.flows),
        benign_rate: share(benign_novel, quiet),
        attack_rate: share(novel - benign_novel, found.flows - quiet),
        threshold: rounded(threshold),
    };
}

/// A 32-bit number as a double with the same few decimal digits.
pub(super) fn rounded(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

/// Rounded to five places: what an artifact keeps.
pub(super) fn digits(value: &f32) -> f32 {
    (rounded(*value) * 1e5).round() as f32 / 1e5
}

/// What stands for labels that the model does not have.
pub const UNKNOWN: &str = "(not in the model)";
