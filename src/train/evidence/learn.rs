//! Thresholds of evidence: above what benign sources reach, and never below a floor.
//!
//! The rule: a threshold is twice the greatest count of a benign subject, of counts in time scaled to a whole window where a
//! capture is shorter, and at least the kind's floor. A kind that benign subjects fill its sketch by half with is left out. Of the
//! leans of the share the one is taken by which most hostile sources are caught.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::peaks::{LEANS, Peak, peaks};
use super::replay::{Captures, EvidenceError};
use crate::dataset::Dataset;
use crate::evidence::Recent;
use crate::model::{ArtifactError, EvidenceKind, EvidenceParts, LabelId, Least, Model, Parent};
use crate::packet::Address;

/// What was learnt of evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvidenceLearnt {
    /// The part of the artifact.
    pub parts: EvidenceParts,
    /// Captures that were replayed.
    pub captures: usize,
    /// Flows in them.
    pub flows: u64,
    /// Rows that do not say who and when.
    pub unplaced: u64,
    /// Each threshold.
    pub kinds: Vec<KindReport>,
    /// Hostile sources of all captures, each counted in each capture that it is in.
    pub hostile_sources: usize,
    /// Of these: caught by some kind.
    pub caught_sources: usize,
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

/// Learns thresholds for a model's verdicts on flows whose columns are [`columns`](super::columns) of it.
///
/// # Errors
/// Flows that do not say who and when, or are all of one side.
pub fn learn(model: &Model, data: &Dataset, about: &str) -> Result<EvidenceLearnt, EvidenceError> {
    let captures = Captures::new(model, data)?;
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
    for kind in EvidenceKind::ALL.into_iter().filter(|kind| *kind != EvidenceKind::Share) {
        let report = lesson.report(kind.name().to_owned(), kind, None, 0);
        kinds.extend(report.learnt.least.map(|least| (kind, least)));
        reports.push(report);
    }
    let labels = || (0..).map(LabelId).zip(model.labels()).filter(|(label, _)| !model.is_benign(*label));
    let caught_by = |lean: usize| -> u64 {
        let least = |(label, _)| lesson.least(EvidenceKind::Share, Some(label), lean).0;
        labels().map(least).map(|least| least.map_or(0, |least| u64::from(least.caught))).sum()
    };
    // Of equals the first, so that the last of the greatest in reverse.
    let lean = (0..LEANS.len()).rev().max_by_key(|lean| caught_by(*lean)).unwrap_or(0);
    let mut share = BTreeMap::new();
    for (label, name) in labels() {
        let report = lesson.report(format!("share of {name}"), EvidenceKind::Share, Some(label), lean);
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
    let lean = LEANS.get(lean).copied().unwrap_or(0.5);
    let [short_window, middle_window, long_window] = EvidenceParts::WINDOWS;
    Ok(EvidenceLearnt {
        parts: EvidenceParts { short_window, middle_window, long_window, kinds, lean, share, learned_on },
        captures: captures.captures.len(),
        flows,
        unplaced: captures.unplaced,
        kinds: reports,
        hostile_sources: hostile.len(),
        caught_sources: lesson.caught.intersection(&hostile).count(),
    })
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
    fn report(&mut self, name: String, kind: EvidenceKind, label: Option<LabelId>, lean: usize) -> KindReport {
        let (least, benign_in) = self.least(kind, label, lean);
        let from = least.map_or(f32::INFINITY, |least| least.least);
        let reach = self.of(kind, label, lean).filter(|(peak, value)| peak.is_hostile && *value >= from);
        let reach: Vec<&Peak> = reach.map(|(peak, _)| peak).collect();
        let caught_in: BTreeSet<&str> = reach.iter().map(|peak| self.name(peak.capture)).collect();
        let caught_in = caught_in.into_iter().map(str::to_owned).collect();
        let sources = reach.into_iter().flat_map(|peak| peak.sources.iter().map(|source| (peak.capture, *source)));
        self.caught.extend(sources.collect::<Vec<_>>());
        KindReport { name, learnt: KindLearnt { least, benign_in }, caught_in }
    }

    /// The threshold of a kind, and where the benign subject is that came furthest.
    fn least(&self, kind: EvidenceKind, label: Option<LabelId>, lean: usize) -> (Option<Least>, Option<String>) {
        let benign = self.of(kind, label, lean).filter(|(peak, value)| !peak.is_hostile && *value > 0.0);
        let furthest = benign.max_by(|(_, a), (_, b)| a.total_cmp(b));
        let greatest = furthest.map_or(0.0, |(_, value)| value);
        let benign_in = furthest.map(|(peak, _)| self.name(peak.capture).to_owned());
        let is_distinct = matches!(kind, EvidenceKind::Ports | EvidenceKind::Hosts | EvidenceKind::Endpoints);
        if is_distinct && greatest * MARGIN > Recent::MOST / 2.0 {
            return (None, benign_in);
        }
        let digits = |value: f32| if kind == EvidenceKind::Share { (value * 10.0).ceil() / 10.0 } else { value.ceil() };
        let threshold = digits((greatest * MARGIN).max(floor(kind)));
        let sources = |from: f32| {
            let reach = self.of(kind, label, lean).filter(|(_, value)| *value > 0.0 && *value >= from);
            let of = |peak: &'a Peak| peak.sources.iter().map(move |source| (peak.capture, *source));
            let sources: BTreeSet<(usize, Address)> = reach.flat_map(|(peak, _)| of(peak)).collect();
            u32::try_from(sources.len()).unwrap_or(u32::MAX)
        };
        let least =
            Least { least: threshold, benign: digits(greatest), caught: sources(threshold), hostile: sources(0.0) };
        (Some(least), benign_in)
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
    let EvidenceLearnt { parts, captures, flows, unplaced, kinds, hostile_sources, caught_sources } = learnt;
    let mut out = format!(
        "evidence  {flows} flows of {captures} captures; lean of shares {}; {caught_sources} of {hostile_sources} hostile sources caught\n",
        parts.lean
    );
    // Writing to a string cannot fail.
    if *unplaced > 0 {
        writeln!(out, "note      {unplaced} rows do not say who and when, and are left out").unwrap_or_default();
    }
    writeln!(out, "{:24} {:>9} {:>9} {:>7} {:>8}  caught in", "kind", "threshold", "benign", "caught", "hostile")
        .unwrap_or_default();
    for KindReport { name, learnt: KindLearnt { least, benign_in }, caught_in } in kinds {
        match least {
            Some(Least { least, benign, caught, hostile }) => {
                writeln!(out, "{name:24} {least:>9} {benign:>9} {caught:>7} {hostile:>8}  {}", caught_in.join(", "))
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
    out
}

/// The least that a kind may raise from, whatever benign sources did: a few refused ports, hosts or guesses are everyday.
const fn floor(kind: EvidenceKind) -> f32 {
    match kind {
        EvidenceKind::Ports | EvidenceKind::Hosts => 12.0,
        EvidenceKind::Endpoints => 24.0,
        EvidenceKind::Flood => 200.0,
        EvidenceKind::Guessing => 10.0,
        EvidenceKind::Share => 4.0,
    }
}

/// A threshold lies so many times above the benign maximum: the flows that it was learnt on are a small part of what is benign.
const MARGIN: f32 = 2.0;
