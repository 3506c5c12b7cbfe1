//! Thresholds of evidence: above what benign sources reach, and never below a floor.
//!
//! The rule: a threshold is twice the greatest count of a benign subject, of counts in time scaled to a whole window where a
//! capture is shorter, and at least the kind's floor. A kind that benign subjects fill its sketch by half with is left out. Of a label's
//! share lean and threshold are weighed together: what they catch against the benign subjects that they would raise on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::peaks::{LEANS, Peak, peaks};
use super::replay::{Captures, EvidenceError};
use crate::dataset::Dataset;
use crate::evidence::{Contact, Recent};
use crate::model::{
    ArtifactError, EvidenceKind, EvidenceParts, LabelId, Least, Model, NEVER_ALONE, Parent, alone_text,
};
use crate::packet::Address;
use crate::taxonomy::{self, Stage};
use crate::train::HeldBack;

/// What was learnt of evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvidenceLearnt {
    /// The part of the artifact.
    pub parts: EvidenceParts,
    /// Captures that were replayed.
    pub captures: usize,
    /// Flows in them.
    pub flows: u64,
    /// Rows that do not say who and when, or that no fold held back.
    pub unplaced: u64,
    /// Each threshold.
    pub kinds: Vec<KindReport>,
    /// Hostile sources of all captures, each counted in each capture that it is in.
    pub hostile_sources: usize,
    /// Of these: caught by some kind.
    pub caught_sources: usize,
    /// By label, from which attack share on a single flow is worth an alert.
    pub alone: BTreeMap<String, f32>,
}

/// One threshold and what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindReport {
    /// The kind, and of the share the label.
    pub name: String,
    /// The threshold; none where benign sources do as much as the kind can count.
    pub learnt: KindLearnt,
    /// Captures with a hostile subject that reaches it.
    pub caught_in: Vec<String>,
}

/// What became of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KindLearnt {
    /// The threshold, its ground and its catch.
    pub least: Option<Least>,
    /// The capture of the benign subject that came furthest.
    pub benign_in: Option<String>,
}

/// Learns thresholds for a model's verdicts on flows whose columns are [`columns`](super::columns) of it. On the flows that the model was
/// fitted on its own verdicts are too good: `held_back` has those of fits that had not seen a flow's capture.
///
/// # Errors
/// Flows that do not say who and when, or are all of one side.
pub fn learn(
    model: &Model,
    data: &Dataset,
    held_back: Option<&HeldBack>,
    about: &str,
) -> Result<EvidenceLearnt, EvidenceError> {
    let captures = Captures::new(model, data, held_back)?;
    let flows = || captures.captures.iter().flat_map(|capture| &capture.flows);
    for (is_hostile, name) in [(true, "hostile"), (false, "benign")] {
        if !flows().any(|flow| flow.hostile.is_some() == is_hostile) {
            return Err(EvidenceError::OneSided(name));
        }
    }
    let peaks = peaks(model, &captures);
    let mut lesson = Lesson { captures: &captures, peaks: &peaks, caught: BTreeSet::new() };
    let mut reports = Vec::new();
    let mut kinds = BTreeMap::new();
    let goes_by_label = |kind: &EvidenceKind| matches!(kind, EvidenceKind::Share | EvidenceKind::Guessing);
    for kind in EvidenceKind::ALL.into_iter().filter(|kind| !goes_by_label(kind)) {
        let (least, benign_in) = lesson.least(kind, None);
        let report = lesson.report(kind.name().to_owned(), kind, None, least, benign_in);
        kinds.extend(report.learnt.least.map(|least| (kind, least)));
        reports.push(report);
    }
    let labels = || (0..).map(LabelId).zip(model.labels()).filter(|(label, _)| !model.is_benign(*label));
    let guess = |name: &str| taxonomy::class(name).is_some_and(|class| class.stage == Stage::BruteForce);
    let mut guessing = BTreeMap::new();
    for (label, name) in labels().filter(|(_, name)| guess(name)) {
        let kind = EvidenceKind::Guessing;
        let (least, benign_in) = lesson.least(kind, Some(label));
        let report = lesson.report(format!("{kind} of {name}"), kind, Some(label), least, benign_in);
        guessing.extend(report.learnt.least.map(|least| (name.clone(), least)));
        reports.push(report);
    }
    let mut share = BTreeMap::new();
    for (label, name) in labels() {
        let (least, benign_in) = lesson.share(label);
        let report = lesson.report(format!("share of {name}"), EvidenceKind::Share, Some(label), least, benign_in);
        share.extend(report.learnt.least.map(|least| (name.clone(), least)));
        reports.push(report);
    }
    let hostile: BTreeSet<(usize, Address)> = (0..)
        .zip(&captures.captures)
        .flat_map(|(at, capture)| capture.flows.iter().map(move |flow| (at, flow)))
        .filter(|(_, flow)| flow.hostile.is_some())
        .map(|(at, flow)| (at, flow.facts.tuple.src))
        .collect();
    let flows = flows().count() as u64;
    let told = format!("{flows} flows of {} captures{about}", captures.captures.len());
    let learned_on = told.chars().filter(|letter| !letter.is_control()).take(200).collect();
    let [short_window, middle_window, long_window] = EvidenceParts::WINDOWS;
    Ok(EvidenceLearnt {
        parts: EvidenceParts { short_window, middle_window, long_window, kinds, guessing, share, learned_on },
        captures: captures.captures.len(),
        flows,
        unplaced: captures.unplaced,
        kinds: reports,
        hostile_sources: hostile.len(),
        caught_sources: lesson.caught.intersection(&hostile).count(),
        alone: alone(model, &captures),
    })
}

/// By label, the least attack share from which a single flow is worth an alert: what it was, or above what all but a few benign flows have. A
/// contact that failed never is, so that it has no say.
fn alone(model: &Model, captures: &Captures<'_>) -> BTreeMap<String, f32> {
    let flows = || captures.captures.iter().flat_map(|capture| &capture.flows);
    let benign = flows().filter(|flow| flow.hostile.is_none()).count();
    let allowed = benign / ALONE_FALSE;
    let least = |label: LabelId| {
        let had = model.threshold(label);
        let of_label = flows()
            .filter(|flow| flow.hostile.is_none() && flow.verdict.label == label && flow.contact() != Contact::Failed);
        let mut shares: Vec<f32> = of_label.map(|flow| flow.verdict.attack).collect();
        shares.sort_unstable_by(|a, b| b.total_cmp(a));
        // The first share that may not alert; the threshold lies a hundredth above it.
        let least = shares.get(allowed).map_or(had, |share| had.max(((share + 0.01) * 100.0).ceil() / 100.0));
        if least > 1.0 { NEVER_ALONE } else { least }
    };
    let attacks = (0..).map(LabelId).zip(model.labels()).filter(|(label, _)| !model.is_benign(*label));
    attacks.map(|(label, name)| (name.clone(), least(label))).collect()
}

/// The same model with thresholds of evidence; as a version of its own where it is to name its parent.
///
/// # Errors
/// None for thresholds that were learnt for it.
pub fn child(
    model: &Model,
    learnt: &EvidenceLearnt,
    parent: Option<(Option<&str>, Option<&str>)>,
) -> Result<Model, ArtifactError> {
    let mut parts = model.parts().clone();
    parts.evidence = Some(learnt.parts.clone());
    let alone = |(own, label): (&mut f32, &String)| learnt.alone.get(label).into_iter().for_each(|least| *own = *least);
    parts.alert_thresholds.iter_mut().zip(&parts.labels).for_each(alone);
    if let Some((name, version)) = parent {
        parts.parent = Some(Parent {
            name: model.name().to_owned(),
            version: model.version().to_owned(),
            sha256: model.sha256().to_owned(),
        });
        parts.name = name.unwrap_or_else(|| model.name()).to_owned();
        let next = || crate::train::learn::next(model.version(), "evidence");
        parts.version = version.map_or_else(next, str::to_owned);
    }
    Model::from_parts(&parts)
}

struct Lesson<'a> {
    captures: &'a Captures<'a>,
    peaks: &'a [Peak],
    /// Hostile sources, by capture, that some kind has caught.
    caught: BTreeSet<(usize, Address)>,
}

impl<'a> Lesson<'a> {
    /// What becomes of a threshold on these flows.
    fn report(
        &mut self,
        name: String,
        kind: EvidenceKind,
        label: Option<LabelId>,
        least: Option<Least>,
        benign_in: Option<String>,
    ) -> KindReport {
        let from = least.map_or(f32::INFINITY, |least| least.least);
        let is_lean = |lean: &f32| least.is_some_and(|least| least.lean.to_bits() == lean.to_bits());
        let lean = LEANS.iter().position(is_lean).unwrap_or(0);
        let reach = self.of(kind, label, lean).filter(|(peak, value)| peak.is_hostile && *value >= from);
        let reach: Vec<&Peak> = reach.map(|(peak, _)| peak).collect();
        let caught_in: BTreeSet<&str> = reach.iter().map(|peak| self.name(peak.capture)).collect();
        let caught_in = caught_in.into_iter().map(str::to_owned).collect();
        let sources = reach.into_iter().flat_map(|peak| peak.sources.iter().map(|source| (peak.capture, *source)));
        self.caught.extend(sources.collect::<Vec<_>>());
        KindReport { name, learnt: KindLearnt { least, benign_in }, caught_in }
    }

    /// The threshold of a kind, for guessing of a label of it, and where the benign subject is that came furthest.
    fn least(&self, kind: EvidenceKind, label: Option<LabelId>) -> (Option<Least>, Option<String>) {
        let furthest = self.furthest(kind, label);
        let greatest = furthest.as_ref().map_or(0.0, |(value, _)| *value);
        let benign_in = furthest.map(|(_, name)| name);
        let is_distinct = matches!(kind, EvidenceKind::Ports | EvidenceKind::Hosts | EvidenceKind::Endpoints);
        if is_distinct && greatest * MARGIN > Recent::MOST / 2.0 {
            return (None, benign_in);
        }
        let least = (greatest * MARGIN).max(floor(kind)).ceil();
        let sources = |from: f32| self.sources(kind, label, 0, from);
        let (caught, hostile) = (sources(least), sources(0.0));
        (Some(Least { least, lean: 0.0, benign: greatest.ceil(), caught, hostile }), benign_in)
    }

    /// Lean and threshold of a label's share, and where the benign subject is that came furthest.
    fn share(&self, label: LabelId) -> (Option<Least>, Option<String>) {
        let (kind, digits) = (EvidenceKind::Share, |value: f32| (value * 10.0).ceil() / 10.0);
        let benign_subjects = self.peaks.iter().filter(|peak| peak.kind == kind && !peak.is_hostile).count().max(1);
        let hostile = self.sources(kind, Some(label), 0, f32::NEG_INFINITY);
        let mut best: Option<(f64, Least)> = None;
        for (at, lean) in LEANS.into_iter().enumerate() {
            let benign = self.of(kind, Some(label), at).filter(|(peak, _)| !peak.is_hostile).map(|(_, value)| value);
            let mut benign: Vec<f32> = benign.filter(|value| *value > 0.0).collect();
            benign.sort_unstable_by(|a, b| b.total_cmp(a));
            // Above all benign subjects, or above all but the foremost.
            for given_up in 0..=benign.len().min(MOST_GIVEN_UP) {
                let rest = benign.get(given_up).copied().unwrap_or(0.0);
                let least = digits((rest * MARGIN).max(floor(kind)));
                let caught = self.sources(kind, Some(label), at, least);
                let wrong = benign.iter().filter(|value| **value >= least).count() as f64 / benign_subjects as f64;
                let gain = f64::from(caught) / f64::from(hostile.max(1)) - FALSE_WEIGHT * wrong;
                if best.is_none_or(|(most, _)| gain > most) {
                    let greatest = benign.first().copied().unwrap_or(0.0);
                    best = Some((gain, Least { least, lean, benign: digits(greatest), caught, hostile }));
                }
            }
        }
        let benign_in = self.furthest(kind, Some(label)).map(|(_, name)| name);
        (best.map(|(_, least)| least), benign_in)
    }

    /// The benign subject that came furthest, by the first lean, and its capture.
    fn furthest(&self, kind: EvidenceKind, label: Option<LabelId>) -> Option<(f32, String)> {
        let benign = self.of(kind, label, 0).filter(|(peak, value)| !peak.is_hostile && *value > 0.0);
        let (peak, value) = benign.max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        Some((value, self.name(peak.capture).to_owned()))
    }

    /// Hostile sources that some subject of comes to so much; below 0, to anything.
    fn sources(&self, kind: EvidenceKind, label: Option<LabelId>, lean: usize, from: f32) -> u32 {
        let reach = self.of(kind, label, lean).filter(|(_, value)| from < 0.0 || *value > 0.0 && *value >= from);
        let of = |peak: &'a Peak| peak.sources.iter().map(move |source| (peak.capture, *source));
        let sources: BTreeSet<(usize, Address)> = reach.flat_map(|(peak, _)| of(peak)).collect();
        u32::try_from(sources.len()).unwrap_or(u32::MAX)
    }

    /// The subjects of a kind with their greatest values.
    fn of(
        &self,
        kind: EvidenceKind,
        label: Option<LabelId>,
        lean: usize,
    ) -> impl Iterator<Item = (&'a Peak, f32)> + use<'a> {
        let of_kind = self.peaks.iter().filter(move |peak| peak.kind == kind);
        of_kind.filter_map(move |peak| Some((peak, *peak.values.get(&label)?.get(lean)?)))
    }

    fn name(&self, capture: usize) -> &'a str {
        self.captures.captures.get(capture).map_or("", |capture| capture.name)
    }
}

/// The report for people.
#[must_use]
pub fn learnt_text(learnt: &EvidenceLearnt) -> String {
    let EvidenceLearnt { captures, flows, unplaced, kinds, hostile_sources, caught_sources, alone, .. } = learnt;
    let mut out = format!(
        "evidence  {flows} flows of {captures} captures; {caught_sources} of {hostile_sources} hostile sources caught\n"
    );
    // Writing to a string cannot fail.
    if *unplaced > 0 {
        writeln!(
            out,
            "note      {unplaced} rows are left out: they do not say who and when, or no fold held them back"
        )
        .unwrap_or_default();
    }
    let heads = ["kind", "threshold", "lean", "benign", "caught", "hostile"];
    let [kind, threshold, lean, benign, caught, hostile] = heads;
    writeln!(out, "{kind:24} {threshold:>9} {lean:>5} {benign:>9} {caught:>7} {hostile:>8}  caught in")
        .unwrap_or_default();
    for KindReport { name, learnt: KindLearnt { least, benign_in }, caught_in } in kinds {
        match least {
            Some(Least { least, lean, benign, caught, hostile }) => {
                let caught_in = caught_in.join(", ");
                writeln!(out, "{name:24} {least:>9} {lean:>5} {benign:>9} {caught:>7} {hostile:>8}  {caught_in}")
            }
            None => writeln!(
                out,
                "{name:24} {:>9} too much is benign, as in {}",
                "off",
                benign_in.as_deref().unwrap_or_default()
            ),
        }
        .unwrap_or_default();
    }
    let told: Vec<String> = alone.iter().map(|(label, least)| format!("{label} {}", alone_text(*least))).collect();
    writeln!(out, "alone     a single flow is worth an alert from a share of: {}", told.join(", ")).unwrap_or_default();
    out
}

/// The least that a kind may raise from, whatever benign sources did: a few refused ports, hosts or guesses are everyday, and so are
/// a hundred calls a second of a gateway that keeps no connection, or a client without a pause that tries a dead service some twenty times a second.
const fn floor(kind: EvidenceKind) -> f32 {
    match kind {
        EvidenceKind::Ports | EvidenceKind::Hosts => 12.0,
        EvidenceKind::Endpoints => 24.0,
        EvidenceKind::Flood => 200.0,
        EvidenceKind::Refusals => 300.0,
        EvidenceKind::Calls => 1000.0,
        EvidenceKind::Guessing => 10.0,
        EvidenceKind::Share => 2.0,
    }
}

/// One false alert on a single flow in this many benign ones is allowed for each label; what is less sure than that has to add up.
const ALONE_FALSE: usize = 50_000;
/// What a benign subject that is raised on weighs, as a share of all benign subjects, against a hostile source of a label that is missed, as a
/// share of them all: one in a thousand wrong is as bad as one in four missed.
const FALSE_WEIGHT: f64 = 250.0;
/// Benign subjects of a label that a threshold may be set below, at most.
const MOST_GIVEN_UP: usize = 16;
/// A threshold lies so many times above the benign maximum: the flows that it was learnt on are a small part of what is benign.
const MARGIN: f32 = 2.0;
