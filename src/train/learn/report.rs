//! What learning did, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::Refused;
use super::baseline::{Baseline, Parts};
use super::guard::Guard;
use super::surface::Surface;
use super::thresholds::{ALERTS, LEAST_FOR_ALERTS, LEAST_FOR_NOVELTY, Why};
use crate::model::{LabelId, Model};

/// Everything that is told of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LearnReport {
    /// The version that learnt.
    pub parent: Named,
    /// The version that came of it.
    pub model: Named,
    /// Seed of all that is random.
    pub seed: u64,
    /// SHA-256 of the flows as they were read.
    pub data_sha256: String,
    /// Where the flows went.
    pub flows: FlowCounts,
    /// What was refused.
    pub guard: Guarded,
    /// What became of the points.
    pub points: PointCounts,
    /// Before and after, and why.
    pub thresholds: Thresholds,
    /// Analysts' verdicts.
    pub cases: Cases,
    /// The parent on the held-back part.
    pub before: HeldBack,
    /// The new version on the same flows.
    pub after: HeldBack,
    /// Whether the held-back part has flows enough to tell one alert in a thousand.
    pub is_enough: bool,
}

/// Which model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its artifact.
    pub sha256: String,
}

impl From<&Model> for Named {
    fn from(model: &Model) -> Self {
        Self { name: model.name().to_owned(), version: model.version().to_owned(), sha256: model.sha256().to_owned() }
    }
}

/// Flows of the baseline by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FlowCounts {
    /// Flows in all.
    pub all: usize,
    /// Captures that they came from.
    pub captures: usize,
    /// Flows of the first parts, which may be absorbed.
    pub first_part: usize,
    /// Flows of the last parts, which are held back.
    pub held_back: usize,
    /// Flows that were taken for benign.
    pub absorbed: usize,
    /// Of these: the parent called them benign and not novel, so that they needed no point.
    pub known_already: usize,
    /// Of these: the new version alerts on them still, since points there would have silenced attacks.
    pub still_alerting: usize,
}

/// What the guard did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guarded {
    /// Each attack label's radius.
    pub radius: BTreeMap<String, f32>,
    /// Flows that were refused, by label: of the first parts.
    pub refused: BTreeMap<String, usize>,
    /// Flows of the held-back parts that would have been.
    pub refused_held_back: usize,
    /// Whether the user accepted such flows.
    pub accepted: bool,
    /// Places beside attacks' points at which the new version does not alert any more.
    pub silenced: usize,
    /// Such places in all.
    pub watched: usize,
}

impl Guarded {
    pub(super) fn new(
        model: &Model,
        guard: &Guard,
        refused: &[Refused],
        accepted: bool,
        (silenced, watched): (usize, usize),
    ) -> Self {
        let radii = (0..).map(LabelId).zip(&guard.radii).filter(|(label, _)| !model.is_benign(*label));
        let mut counts = BTreeMap::new();
        for flow in refused.iter().filter(|flow| !flow.held_back) {
            *counts.entry(model.label_name(flow.verdict.label).to_owned()).or_default() += 1;
        }
        Self {
            radius: radii.map(|(label, radius)| (model.label_name(label).to_owned(), *radius)).collect(),
            refused: counts,
            refused_held_back: refused.iter().filter(|flow| flow.held_back).count(),
            accepted,
            silenced,
            watched,
        }
    }
}

/// Points before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PointCounts {
    /// Benign points of the parent.
    pub benign_before: usize,
    /// Benign points of the new version.
    pub benign_after: usize,
    /// Attacks' points of the parent.
    pub attacks_before: usize,
    /// Attacks' points of the new version.
    pub attacks_after: usize,
    /// Benign points that the baseline gave.
    pub added: usize,
    /// Points that were not added because they would have silenced an attack's surroundings.
    pub dropped: usize,
    /// Points that analysts' verdicts gave.
    pub of_cases: usize,
    /// Pairs of points that were merged to keep to the bound.
    pub merged: usize,
    /// The bound on the points of one label.
    pub most: usize,
}

impl PointCounts {
    pub(super) fn before(surface: &Surface) -> Self {
        let benign = surface.count(surface.benign);
        Self { benign_before: benign, attacks_before: surface.points.len() - benign, ..Self::default() }
    }

    pub(super) fn finish(&mut self, old: &Surface, surface: &Surface) {
        self.benign_after = surface.count(surface.benign);
        self.attacks_after = surface.points.len() - self.benign_after;
        self.most = super::MOST_POINTS.max(old.count(old.benign));
    }
}

/// All thresholds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// Of novelty.
    pub novelty: Raised,
    /// Of alerts, by label.
    pub alerts: BTreeMap<String, Raised>,
}

/// One threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Raised {
    /// The parent's.
    pub before: f32,
    /// The new version's.
    pub after: f32,
    /// Why.
    pub why: Why,
}

/// Analysts' verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cases {
    /// Flows by the label that they were learnt as.
    pub learnt: BTreeMap<String, usize>,
    /// Of these: the new version decides as the analyst did.
    pub decided_so: usize,
}

/// A model on the held-back part.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeldBack {
    /// Flows.
    pub flows: usize,
    /// Hours that they span, capture by capture; none where flows have no times.
    pub hours: Option<f64>,
    /// Flows that predict an attack, above its threshold.
    pub alerts: usize,
    /// The same by label.
    pub by_label: BTreeMap<String, usize>,
    /// Alerts an hour, before repetitions are held back.
    pub alerts_per_hour: Option<f64>,
    /// Alerts in a thousand flows.
    pub alerts_per_thousand: Option<f64>,
    /// Novel flows.
    pub novel: usize,
    /// Their share of all.
    pub novel_share: Option<f64>,
}

/// Both models on the held-back part.
pub(super) struct Measured {
    pub(super) before: HeldBack,
    pub(super) after: HeldBack,
    pub(super) is_enough: bool,
}

impl Measured {
    pub(super) fn new(parent: &Model, model: &Model, baseline: &Baseline, parts: &Parts) -> Self {
        Self {
            before: HeldBack::of(parent, baseline, &parts.held),
            after: HeldBack::of(model, baseline, &parts.held),
            is_enough: parts.held.len() >= LEAST_FOR_ALERTS,
        }
    }

    /// Figures for the artifact, under a prefix.
    pub(super) fn metrics(&self, prefix: &str) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        for (when, held) in [("before", &self.before), ("after", &self.after)] {
            for (name, count) in [("flows", held.flows), ("alerts", held.alerts), ("novel", held.novel)] {
                metrics.insert(format!("{prefix}held_back.{when}.{name}"), count as f64);
            }
        }
        metrics
    }
}

impl HeldBack {
    fn of(model: &Model, baseline: &Baseline, rows: &[usize]) -> Self {
        let mut classifier = model.classifier();
        let mut found =
            Self { flows: rows.len(), hours: baseline.hours(rows).filter(|hours| *hours > 0.0), ..Self::default() };
        for &row in rows {
            let verdict = classifier.classify_row(baseline.row(row));
            found.novel += usize::from(verdict.novel);
            if model.predicts_attack(&verdict) {
                found.alerts += 1;
                *found.by_label.entry(model.label_name(verdict.label).to_owned()).or_default() += 1;
            }
        }
        let share = |count: usize, of: f64| rounded(count as f64 / of);
        found.alerts_per_hour = found.hours.map(|hours| share(found.alerts, hours));
        if !rows.is_empty() {
            found.alerts_per_thousand = Some(share(found.alerts * 1000, rows.len() as f64));
            found.novel_share = Some(share(found.novel, rows.len() as f64));
        }
        found.hours = found.hours.map(rounded);
        found
    }
}

/// The report for people.
#[must_use]
pub fn text(report: &LearnReport) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    write_all(&mut out, report).unwrap_or_default();
    out
}

fn write_all(out: &mut String, report: &LearnReport) -> std::fmt::Result {
    let LearnReport { parent, model, flows, guard, points, thresholds, cases, before, after, .. } = report;
    let short = |sha256: &str| sha256.get(..12).unwrap_or_default().to_owned();
    writeln!(out, "model     {} {} ({})", model.name, model.version, short(&model.sha256))?;
    writeln!(out, "parent    {} {} ({})", parent.name, parent.version, short(&parent.sha256))?;
    writeln!(
        out,
        "flows     {} of {} captures: {} absorbed as benign ({} of them known already), {} refused, {} held back ({} like those refused)",
        flows.all,
        flows.captures,
        flows.absorbed,
        flows.known_already,
        guard.refused.values().sum::<usize>(),
        flows.held_back,
        guard.refused_held_back,
    )?;
    writeln!(
        out,
        "points    benign {} -> {}, attacks {} -> {}: {} added, {} not added for attacks' sake, {} of verdicts, {} merged \
         (at most {} a label)",
        points.benign_before,
        points.benign_after,
        points.attacks_before,
        points.attacks_after,
        points.added,
        points.dropped,
        points.of_cases,
        points.merged,
        points.most,
    )?;
    writeln!(out, "novelty   {}", raised(&thresholds.novelty, LEAST_FOR_NOVELTY))?;
    for (label, threshold) in &thresholds.alerts {
        writeln!(out, "alerts    {label} {}", raised(threshold, LEAST_FOR_ALERTS))?;
    }
    if guard.silenced > 0 {
        writeln!(
            out,
            "warning   at {} of {} places beside attacks' points this model does not alert any more",
            guard.silenced, guard.watched
        )?;
    }
    if flows.still_alerting > 0 {
        writeln!(
            out,
            "note      {} absorbed flows alert still: points there would have silenced attacks",
            flows.still_alerting
        )?;
    }
    if !cases.learnt.is_empty() {
        let all: usize = cases.learnt.values().sum();
        let each: Vec<String> = cases.learnt.iter().map(|(label, count)| format!("{label} {count}")).collect();
        writeln!(out, "verdicts  {all} learnt ({}); the model now decides {} so", each.join(", "), cases.decided_so)?;
    }
    if flows.held_back > 0 {
        writeln!(out, "\nheld back          flows     hours    alerts  alerts/h  per 1,000     novel")?;
        for (when, held) in [("before", before), ("after", after)] {
            let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
            writeln!(
                out,
                "{when:12} {:>11} {:>9} {:>9} {:>9} {:>10} {:>8.2}%",
                held.flows,
                held.hours.map_or_else(|| "-".to_owned(), |hours| format!("{hours:.3}")),
                held.alerts,
                number(held.alerts_per_hour),
                number(held.alerts_per_thousand),
                held.novel_share.unwrap_or_default() * 100.0,
            )?;
        }
        if after.hours.is_some_and(|hours| hours < 1.0) {
            writeln!(out, "note      the flows held back span less than an hour: alerts an hour are scaled up")?;
        }
        if !report.is_enough {
            writeln!(
                out,
                "note      {} flows held back are too few to tell one alert in {ALERTS}: {LEAST_FOR_ALERTS} are needed",
                flows.held_back
            )?;
        }
    }
    Ok(())
}

fn raised(Raised { before, after, why }: &Raised, least: usize) -> String {
    let why = match why {
        Why::Enough => "kept: the held-back part is within the allowance".to_owned(),
        Why::Raised => "raised by the held-back part".to_owned(),
        Why::TooFew => format!("kept: fewer than {least} flows held back to judge by"),
        Why::OutOfReach => "kept: the allowance would take a threshold that harms detection".to_owned(),
    };
    if before == after { format!("from {before} up, {why}") } else { format!("from {before} to {after}, {why}") }
}

/// Six places: enough for people, and the same on every machine.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}
