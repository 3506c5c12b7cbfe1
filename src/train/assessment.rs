//! All that `evaluate` says of a model on labelled flows: the figures of [`Evaluation`], three views, alerts an hour, and warnings first.

use serde::Serialize;

use super::evaluate::{Evaluation, UNKNOWN, tally};
use super::grouping::{Grouping, Truth};
use super::importance::Importance;
use super::judged::Judged;
use super::views::{Figures, Views};
use crate::dataset::{CaptureSpan, Dataset};
use crate::model::Model;
use crate::time::Micros;

/// What to assess beyond the figures that every run has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Seed of the bootstrap and of the shuffles.
    pub seed: u64,
    /// Hours of capture behind the flows, if the user knows; else they are told by the flows' own times, where those were read.
    pub hours: Option<f64>,
    /// Whether to shuffle columns: it asks the model 60 times a flow.
    pub importance: bool,
}

/// A model held against labelled flows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Figures here that should not be trusted, one sentence each.
    pub warnings: Vec<String>,
    /// SHA-256 of the rows that were scored, as they were read: features, labels, captures.
    pub data_sha256: String,
    /// The figures by the model's own labels.
    #[serde(flatten)]
    pub figures: Evaluation,
    /// The alerts in time.
    pub alerts_per_hour: Hourly,
    /// Seed of all that is random in the figures.
    pub seed: u64,
    /// The same verdicts seen three ways.
    pub views: Views,
    /// What the model reads, if it was asked for.
    pub importance: Option<Importance>,
    /// The model's own labels as a view: for the report.
    #[serde(skip)]
    pub own: Figures,
}

/// Alerts in an hour of capture, before repetitions are held back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hourly {
    /// Hours of capture.
    pub hours: Option<f64>,
    /// How they are known.
    pub hours_by: Option<HoursBy>,
    /// Captures whose times they are.
    pub captures: Option<usize>,
    /// Benign flows that raise an alert.
    pub false_alerts: Option<f64>,
    /// All flows that raise an alert.
    pub alerts: Option<f64>,
    /// Why there are no rates.
    pub reason: Option<String>,
}

/// How hours of capture are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoursBy {
    /// The user gave them.
    User,
    /// From the first packet of each capture to its last, by the flows' own times.
    Timestamps,
}

impl Assessment {
    /// Holds a judged data set against its labels. `labels` is the model's label of each distinct cell, by
    /// [`to_model`](super::to_model).
    #[must_use]
    pub fn new(model: &Model, data: &Dataset, judged: &Judged, labels: &[Option<String>], options: &Options) -> Self {
        let truth = Truth { cells: data.labels(), labels };
        let verdicts = judged.verdicts().iter().copied().enumerate();
        let mut figures = tally(model, data, verdicts, |row| truth.of(row));
        figures.non_finite = judged.non_finite();
        let own = Grouping::own(model.labels(), truth);
        let importance = options.importance.then(|| {
            let class = |&cell: &u32| own.of_cell.get(cell as usize).copied().unwrap_or(own.names.len());
            let classes: Vec<usize> = data.labels().ids().iter().map(class).collect();
            Importance::new(model, data, &classes, options.seed)
        });
        let own = Figures::new(&own, truth, judged, options.seed);
        let data_sha256 = data.sha256();
        Self {
            warnings: warnings(model, &data_sha256, &figures, &own),
            data_sha256,
            alerts_per_hour: Hourly::new(&figures, options.hours, data.span()),
            seed: options.seed,
            views: Views::new(model.labels(), truth, judged, options.seed),
            importance,
            own,
            figures,
        }
    }
}

impl Hourly {
    fn new(figures: &Evaluation, given: Option<f64>, span: Option<CaptureSpan>) -> Self {
        let alerts = &figures.alerts;
        let measured = match (given, span) {
            (Some(_), _) => Err(String::new()),
            (None, None) => Err(NO_TIMES.to_owned()),
            (None, Some(CaptureSpan { untimed: 1.., .. })) if span.is_some_and(|span| span.captures == 0) => {
                Err(NO_TIMES.to_owned())
            }
            (None, Some(CaptureSpan { untimed: untimed @ 1.., .. })) => Err(format!(
                "{untimed} flows have no time that can be read (column `Timestamp`): give the hours of capture with --hours"
            )),
            (None, Some(span)) if span.time <= Micros::ZERO => {
                Err("all flows have the same time: give the hours of capture with --hours".to_owned())
            }
            (None, Some(span)) => Ok(span),
        };
        let hours = given.or_else(|| measured.as_ref().ok().map(|span| span.time.as_secs_f64() / 3600.0));
        Self {
            hours,
            hours_by: hours.map(|_| if given.is_some() { HoursBy::User } else { HoursBy::Timestamps }),
            captures: measured.as_ref().ok().map(|span| span.captures),
            false_alerts: hours.map(|hours| alerts.false_alerts as f64 / hours),
            alerts: hours.map(|hours| (alerts.false_alerts + alerts.attacks_alerted) as f64 / hours),
            reason: measured.err().filter(|_| hours.is_none()),
        }
    }
}

/// What a reader must know before the first figure.
fn warnings(model: &Model, data_sha256: &str, figures: &Evaluation, own: &Figures) -> Vec<String> {
    let mut found = Vec::new();
    let provenance = &model.parts().provenance;
    if data_sha256 == provenance.data_sha256 {
        found.push("these are the flows that the model was fitted on: every figure here is too good".to_owned());
    }
    if figures.benign_flows == 0 {
        found.push("no benign flows: false positives are not measured".to_owned());
    }
    if figures.alerts.attack_flows == 0 {
        found.push("no attack flows: detection is not measured".to_owned());
    }
    for (name, class) in &own.per_class {
        if (1..FEW).contains(&class.support) {
            found.push(format!("{name}: only {} flows, so its figures say little", class.support));
        } else if class.support == 0 && class.predicted > 0 {
            found.push(format!("{name}: not in the data, and predicted {} times", class.predicted));
        }
    }
    if figures.flows > 0 && own.accuracy == Some(1.0) {
        let what = "every flow is right: look for training flows among these, or for a column that tells the label";
        found.push(what.to_owned());
    } else {
        let perfect = |class: &&String| own.per_class.get(*class).is_some_and(|class| class.f1 == Some(1.0));
        let perfect: Vec<&str> = own.classes.iter().filter(perfect).map(String::as_str).collect();
        if !perfect.is_empty() {
            found.push(format!("F1 of exactly 1 for {}: rarely true outside of the training data", perfect.join(", ")));
        }
    }
    if let Some(class) = own.per_class.get(UNKNOWN) {
        found.push(format!("{} flows have labels that the model does not have, and count as misses", class.support));
    }
    found
}

/// Fewer flows than this carry no figure: with 9, even 9 of 9 right leaves a recall of 0.70 possible.
const FEW: u64 = 10;
/// No column of times, or none that can be read.
const NO_TIMES: &str =
    "no flow has a time that can be read (column `Timestamp`): give the hours of capture with --hours";
