//! A cluster's own flows become part of a model: condensed to a bounded number of points, guarded, recalibrated, measured.
//!
//! [`learn`] takes the first part of a [`Baseline`] for benign and judges itself by the last. Points go where the model alarms or
//! finds flows novel; what it knows already needs none. A flow that the model calls hostile for certain is refused
//! (`guard`), and a point that would silence an attack's own surroundings is not added. Analysts' verdicts on single flows
//! ([`Case`]) are learnt the same way, but unguarded: a person has looked. No files, no clock.

mod baseline;
mod child;
mod condense;
mod guard;
mod report;
mod surface;
mod thresholds;

use std::collections::BTreeMap;

pub use baseline::Baseline;
pub use report::{
    Cases, FlowCounts, Guarded, HeldBack, LearnReport, Named, PointCounts, Raised, Thresholds, text as learn_text,
};
pub use thresholds::Why;

pub(super) use self::child::next;
use self::child::{LEARNT, Lesson, child};
use self::condense::{condensed, merge};
use self::guard::Guard;
use self::report::Measured;
use self::surface::Surface;
use super::random::Random;
use crate::model::{ArtifactError, LabelId, Model, SpreadParts, Verdict};

/// How to learn.
#[derive(Clone, Debug)]
pub struct Learning {
    /// The child's name; the parent's without one.
    pub name: Option<String>,
    /// The child's version; one after the parent's without one.
    pub version: Option<String>,
    /// Seed of all that is random.
    pub seed: u64,
    /// New points at most.
    pub points: usize,
    /// The share of each capture, from 0 to below 1, that is held back to measure on.
    pub holdback: f64,
    /// Whether flows that the guard would refuse are absorbed.
    pub accept: bool,
    /// Whether flows without a verdict of an analyst are absorbed as benign.
    pub absorb: bool,
}

impl Default for Learning {
    fn default() -> Self {
        Self { name: None, version: None, seed: 1, points: POINTS, holdback: HOLDBACK, accept: false, absorb: true }
    }
}

/// An analyst's verdict on one flow of a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// The flow's row.
    pub row: usize,
    /// What it was.
    pub label: LabelId,
}

/// A flow that was not absorbed because the model calls it hostile for certain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refused {
    /// The flow's row in the baseline.
    pub row: usize,
    /// What the model says of it.
    pub verdict: Verdict,
    /// Distance to the nearest point of that label.
    pub distance: f32,
    /// How far the label's own flows lie from its points.
    pub radius: f32,
    /// Whether the flow was in the held-back part, which is never absorbed.
    pub held_back: bool,
}

/// What learning leaves.
#[derive(Clone, Debug)]
pub struct Learnt {
    /// The new version.
    pub model: Model,
    /// What was done, and what came of it.
    pub report: LearnReport,
    /// Flows that were refused, in the order of their rows.
    pub refused: Vec<Refused>,
}

/// Why a model did not learn.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// Not a model that decides by its nearest points.
    #[error(
        "the model is {engine}: only nearest neighbours by the l1 or l2 distance with distance weights can learn; train this one \
         again with the flows among its data"
    )]
    Engine {
        /// The model's engine.
        engine: String,
    },
    /// Nothing to learn from.
    #[error("no flows to learn from")]
    Empty,
    /// A baseline of other columns than the model's.
    #[error("the flows' columns are not those that the model reads")]
    Columns,
    /// The new parts are no model.
    #[error("the model that was learnt is not valid: {0}")]
    Artifact(#[from] ArtifactError),
}

/// Learns a baseline, and analysts' verdicts on some of its flows.
///
/// # Errors
/// See [`LearnError`].
pub fn learn(parent: &Model, baseline: &Baseline, cases: &[Case], how: &Learning) -> Result<Learnt, LearnError> {
    let old = Surface::of(parent)?;
    if baseline.is_empty() {
        return Err(LearnError::Empty);
    }
    if baseline.features() != parent.features() {
        return Err(LearnError::Columns);
    }
    let guard = Guard::of(&old, parent.novelty_threshold());
    let seen = Seen::all(parent, baseline, &guard);
    let of_case: BTreeMap<usize, LabelId> = cases.iter().map(|case| (case.row, case.label)).collect();
    let parts = if how.absorb { baseline.split(how.holdback) } else { baseline::Parts::default() };
    let is_refused = |row: &usize| !how.accept && seen[*row].hostile.is_some() && !of_case.contains_key(row);
    let absorbed: Vec<usize> =
        parts.first.iter().copied().filter(|row| !is_refused(row) && !of_case.contains_key(row)).collect();

    let mut pupil =
        Pupil { parent, baseline, seen: &seen, guard: &guard, how, surface: old.clone(), first: old.points.len() };
    let mut counts = PointCounts::before(&old);
    pupil.add_cases(&of_case, &mut counts);
    pupil.add_benign(&absorbed, &mut counts);
    pupil.keep_bounds(&old, &mut counts);

    counts.finish(&old, &pupil.surface);

    let mut rows: BTreeMap<u16, u64> = BTreeMap::new();
    for label in of_case.values() {
        *rows.entry(label.0).or_default() += 1;
    }
    *rows.entry(old.benign).or_default() += absorbed.len() as u64;
    let mut lesson = Lesson {
        name: how.name.as_deref(),
        version: how.version.as_deref(),
        seed: how.seed,
        source: child::source(baseline.captures()),
        rows,
        data_sha256: baseline.sha256(),
        novelty_threshold: parent.novelty_threshold(),
        spread: spread(parent, baseline, &absorbed),
        metrics: BTreeMap::new(),
    };
    // Flows that are hostile for certain are no measure of a threshold on benign ones.
    let judging: Vec<usize> = parts.held.iter().copied().filter(|row| !is_refused(row)).collect();
    let (silent, watched, most) = pupil.silenced();
    let raised = recalibrate(&child(parent, &pupil.surface, lesson.clone())?, baseline, &judging, most);
    raised.alerts.iter().for_each(|(label, raised)| pupil.surface.thresholds[usize::from(label.0)] = raised.after);
    lesson.novelty_threshold = raised.novelty.after;
    let measured = Measured::new(parent, &child(parent, &pupil.surface, lesson.clone())?, baseline, &parts);
    lesson.metrics = measured.metrics(LEARNT);
    let model = child(parent, &pupil.surface, lesson)?;

    let all = if how.absorb { 0..baseline.len() } else { 0..0 };
    let is_held = |row| parts.held.binary_search(&row).is_ok();
    let refused: Vec<Refused> =
        all.filter(is_refused).map(|row| seen[row].refused(row, &guard, is_held(row))).collect();
    let report = LearnReport {
        parent: parent.into(),
        model: (&model).into(),
        seed: how.seed,
        data_sha256: baseline.sha256(),
        flows: FlowCounts {
            all: baseline.len(),
            captures: baseline.captures().len(),
            first_part: parts.first.len(),
            held_back: parts.held.len(),
            absorbed: absorbed.len(),
            known_already: absorbed.iter().filter(|&&row| seen[row].is_known).count(),
            still_alerting: alerting(&model, baseline, &absorbed),
        },
        guard: Guarded::new(parent, &guard, &refused, how.accept, (silent, watched)),
        points: counts,
        thresholds: raised.named(parent),
        cases: decided(&model, baseline, &of_case),
        before: measured.before,
        after: measured.after,
        is_enough: measured.is_enough,
    };
    Ok(Learnt { model, report, refused })
}

/// How the flows that were learnt are spread; `None` for too few to stand for a cluster.
fn spread(model: &Model, baseline: &Baseline, rows: &[usize]) -> Option<Vec<SpreadParts>> {
    let of = |(at, fill): (usize, &f64)| {
        let value =
            |row: &usize| baseline.row(*row).get(at).copied().filter(|value| value.is_finite()).unwrap_or(*fill);
        SpreadParts::fit(rows.iter().map(value))
    };
    (rows.len() >= SPREAD).then(|| model.transform().fill().iter().enumerate().map(of).collect())
}

/// How many of these flows a model alerts on.
fn alerting(model: &Model, baseline: &Baseline, rows: &[usize]) -> usize {
    let mut classifier = model.classifier();
    rows.iter().filter(|&&row| model.predicts_attack(&classifier.classify_row(baseline.row(row)))).count()
}

/// What analysts' verdicts came to.
fn decided(model: &Model, baseline: &Baseline, cases: &BTreeMap<usize, LabelId>) -> Cases {
    let mut found = Cases::default();
    let mut classifier = model.classifier();
    for (&row, &label) in cases {
        *found.learnt.entry(model.label_name(label).to_owned()).or_default() += 1;
        let alerts = model.predicts_attack(&classifier.classify_row(baseline.row(row)));
        found.decided_so += usize::from(alerts != model.is_benign(label));
    }
    found
}

/// The thresholds that the held-back part asks for; `most` is the greatest that harms no attack.
fn recalibrate(model: &Model, baseline: &Baseline, held: &[usize], most: f32) -> Recalibrated {
    let mut classifier = model.classifier();
    let verdicts: Vec<Verdict> = held.iter().map(|&row| classifier.classify_row(baseline.row(row))).collect();
    let before = model.novelty_threshold();
    let (after, why) = thresholds::novelty(before, verdicts.iter().map(|verdict| verdict.novelty).collect());
    let novelty = Raised { before, after, why };
    let alerts = verdicts.iter().filter(|verdict| model.predicts_attack(verdict));
    let scores: Vec<f32> = alerts.map(|verdict| verdict.attack).collect();
    let (least, why) = thresholds::alerts(held.len(), &scores, most);
    let raised = |label: LabelId| {
        let before = model.threshold(label);
        (label, Raised { before, after: before.max(least.unwrap_or(0.0)), why })
    };
    let labels = (0..).map(LabelId).take(model.labels().len());
    Recalibrated { novelty, alerts: labels.filter(|label| !model.is_benign(*label)).map(raised).collect() }
}

/// Thresholds before and after.
struct Recalibrated {
    novelty: Raised,
    alerts: Vec<(LabelId, Raised)>,
}

impl Recalibrated {
    fn named(self, model: &Model) -> Thresholds {
        let named = |(label, raised)| (model.label_name(label).to_owned(), raised);
        Thresholds { novelty: self.novelty, alerts: self.alerts.into_iter().map(named).collect() }
    }
}

/// What the parent says of a flow.
#[derive(Clone, Copy, Debug)]
struct Seen {
    verdict: Verdict,
    alerts: bool,
    /// Whether the model needs no point for it: benign and not novel.
    is_known: bool,
    /// Distance to the nearest point of the label, for a flow that is hostile for certain.
    hostile: Option<f32>,
}

impl Seen {
    fn all(parent: &Model, baseline: &Baseline, guard: &Guard) -> Vec<Self> {
        let mut classifier = parent.classifier();
        let mut point = Vec::new();
        let mut seen = |row| {
            let verdict = classifier.classify_row(baseline.row(row));
            let alerts = parent.suspects_attack(&verdict);
            let distance = alerts.then(|| {
                parent.transform().apply(baseline.row(row), &mut point);
                guard.distance(&point, verdict.label.0)
            });
            let hostile = distance.filter(|distance| guard.is_hostile(verdict.label.0, *distance, verdict.novelty));
            Self { verdict, alerts, is_known: parent.is_benign(verdict.label) && !verdict.novel, hostile }
        };
        (0..baseline.len()).map(&mut seen).collect()
    }

    fn refused(&self, row: usize, guard: &Guard, held_back: bool) -> Refused {
        Refused {
            row,
            verdict: self.verdict,
            distance: self.hostile.unwrap_or_default(),
            radius: guard.radii.get(usize::from(self.verdict.label.0)).copied().unwrap_or_default(),
            held_back,
        }
    }
}

/// A model while it learns.
struct Pupil<'a> {
    parent: &'a Model,
    baseline: &'a Baseline,
    seen: &'a [Seen],
    guard: &'a Guard,
    how: &'a Learning,
    surface: Surface,
    /// Where the new points begin.
    first: usize,
}

impl Pupil<'_> {
    /// A flow's place among the points.
    fn place(&self, row: usize) -> Vec<f32> {
        let mut point = Vec::new();
        self.parent.transform().apply(self.baseline.row(row), &mut point);
        point
    }

    fn places(&self, rows: &[usize]) -> Vec<Vec<f32>> {
        rows.iter().map(|&row| self.place(row)).collect()
    }

    fn random(&self, stream: u64) -> Random {
        Random::new(self.how.seed ^ stream << 32)
    }

    /// A point of its own for each case; prototypes if there are more of a label than points are allowed.
    fn add_cases(&mut self, cases: &BTreeMap<usize, LabelId>, counts: &mut PointCounts) {
        for label in (0..self.surface.thresholds.len()).map(|label| label as u16) {
            let rows: Vec<usize> = cases.iter().filter(|(_, of)| of.0 == label).map(|(&row, _)| row).collect();
            let places = self.places(&rows);
            let views: Vec<&[f32]> = places.iter().map(Vec::as_slice).collect();
            for point in condensed(&views, self.how.points, &mut self.random(u64::from(label))) {
                self.surface.push(point, label);
                counts.of_cases += 1;
            }
        }
        // What a person has said is not taken back by the guard.
        self.first = self.surface.points.len();
    }

    /// Points for flows that the model does not know: first where it alerts, then where it finds them novel; then again where it
    /// still alerts because an attack's points outvote a new one.
    fn add_benign(&mut self, absorbed: &[usize], counts: &mut PointCounts) {
        let seen = |row: &usize| self.seen[*row];
        let alarming = thinned(absorbed.iter().copied().filter(|row| seen(row).alerts).collect());
        let strange =
            thinned(absorbed.iter().copied().filter(|row| !seen(row).alerts && !seen(row).is_known).collect());
        let mut left = self.how.points;
        // Novel flows keep a quarter, or what alarming ones do not need.
        let places = self.places(&alarming);
        let views: Vec<&[f32]> = places.iter().map(Vec::as_slice).collect();
        let added = self.add(&views, left - left / 4, ALARMING);
        left -= added;
        let places = self.places(&strange);
        let views: Vec<&[f32]> = places.iter().map(Vec::as_slice).collect();
        left -= self.add(&views, left, STRANGE);
        counts.dropped += self.protect();
        for round in 0..ROUNDS {
            let still = self.places(&self.still_alerting(&alarming));
            let views: Vec<&[f32]> = still.iter().map(Vec::as_slice).collect();
            let before = self.surface.points.len();
            let added = self.add(&views, left, AGAIN + round);
            left -= added;
            let dropped = self.protect();
            if self.surface.points.len() == before {
                break;
            }
            counts.dropped += dropped.saturating_sub(added);
        }
        counts.added = self.surface.points.len() - self.first;
    }

    fn add(&mut self, points: &[&[f32]], most: usize, stream: u64) -> usize {
        let found = condensed(points, most, &mut self.random(stream));
        let added = found.len();
        found.into_iter().for_each(|point| self.surface.push(point, self.surface.benign));
        added
    }

    fn protect(&mut self) -> usize {
        if self.how.accept { 0 } else { self.guard.protect(&mut self.surface, self.first) }
    }

    /// Merges what is more than a model may have.
    fn keep_bounds(&mut self, old: &Surface, counts: &mut PointCounts) {
        for label in (0..self.surface.thresholds.len()).map(|label| label as u16) {
            let most = MOST_POINTS.max(old.count(label));
            counts.merged += merge(&mut self.surface, label, most);
        }
    }

    fn still_alerting(&self, rows: &[usize]) -> Vec<usize> {
        let alerts = |row: &usize| self.seen[*row].alerts && self.surface.alerts(&self.place(*row)).is_some();
        rows.iter().copied().filter(alerts).collect()
    }

    /// Of the places beside attacks' points: how many are silent now, how many there are, and the least score on the others.
    fn silenced(&self) -> (usize, usize, f32) {
        self.guard.silenced(&self.surface, 0)
    }
}

/// At most [`MOST_ROWS`] of these, evenly taken.
fn thinned(rows: Vec<usize>) -> Vec<usize> {
    let step = rows.len().div_ceil(MOST_ROWS).max(1);
    rows.into_iter().step_by(step).collect()
}

/// New points by default: as many as a model of the default recipe has for its own benign flows.
pub const POINTS: usize = 256;
/// Flows, at least, by which a cluster's own spread takes the place of the parent's: a tenth of them is then a number.
const SPREAD: usize = 1_000;
/// The share of each capture that is held back by default, as `train` does.
pub const HOLDBACK: f64 = 0.25;
/// Points of one label in a learnt model, unless its parent has more: beyond, the nearest are merged. Four times the default model's benign
/// points, among which a verdict takes microseconds still.
pub const MOST_POINTS: usize = 1024;
/// Flows of a kind that points are made of: of more, as many are taken evenly, as `train` does.
const MOST_ROWS: usize = 50_000;
/// Rounds in which points are added again where attacks outvote the first.
const ROUNDS: u64 = 2;
/// Streams of random numbers, apart from those of label ids.
const ALARMING: u64 = 0x1_0000;
const STRANGE: u64 = 0x2_0000;
const AGAIN: u64 = 0x3_0000;
