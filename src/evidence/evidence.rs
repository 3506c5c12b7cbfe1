//! The stage: flows in, incidents out, and which flows an incident stands for.
//!
//! A flow that an open incident covers is counted there and nowhere else: what is explained is no evidence for anything further. It
//! is not covered if it is worth an alert by itself, by a graver label than the incident's: an incident hides nothing worse.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::contact::{Contact, Sight};
use super::deadlines::Deadlines;
use super::gauges::{Gauges, Look};
use super::incident::{Open, Report, Step};
use super::rules::Rules;
use super::subject::{self, Subject};
use crate::flow::FlowKey;
use crate::model::{EvidenceKind, EvidenceParts, Model};
use crate::time::Micros;

/// Raises incidents.
#[derive(Debug)]
pub struct Evidence {
    gauges: Gauges,
    rules: Rules,
    /// When open incidents end.
    deadlines: Deadlines,
    /// Open flows that have been counted: their ends are not.
    early: HashSet<(FlowKey, Micros, u32), FixedState>,
    ids: u64,
    counts: EvidenceCounts,
}

/// What the stage has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceCounts {
    /// Incidents raised, by [`EvidenceKind::index`].
    pub raised: [u64; EvidenceKind::ALL.len()],
    /// Incidents that are open.
    pub open: u64,
    /// Incidents that were not raised because too many were open.
    pub overflow: u64,
    /// Subjects that were forgotten for others while their windows were open.
    pub evicted: u64,
    /// Open flows that were not looked at because too many had been.
    pub early_overflow: u64,
}

/// What becomes of a flow.
#[derive(Debug, Default)]
#[must_use = "reports are lines that are due"]
pub struct Found {
    /// The incident that it is part of, if it is.
    pub cover: Option<Cover>,
    /// Whether it failed: such a flow is told as part of an incident or not at all.
    pub failed: bool,
    /// Lines that are due, in order.
    pub reports: Vec<Report>,
}

/// The incident that covers a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// By which kind of evidence.
    pub kind: EvidenceKind,
    /// Its number.
    pub id: u64,
}

impl Evidence {
    /// The stage of a model; `None` if the model judges each flow alone. The seed keys all hashes.
    #[must_use]
    pub fn of(model: &Model, seed: u64) -> Option<Self> {
        Some(Self {
            rules: Rules::of(model)?,
            gauges: Gauges::new(model.labels(), seed),
            deadlines: Deadlines::default(),
            early: HashSet::with_hasher(FixedState::with_seed(seed)),
            ids: 0,
            counts: EvidenceCounts::default(),
        })
    }

    /// Takes a flow: at its end, and before if it is open for long. In the order of ends, or nearly.
    pub fn observe(&mut self, sight: &Sight<'_>) -> Found {
        let mut found = Found::default();
        let mut look = self.gauges.look(sight);
        found.failed = look.contact == Contact::Failed;
        self.end_due(sight.flow.end, &mut found.reports);
        let counts = self.is_to_count(sight, &look);
        if let Some(subject) = self.covering(sight, look.contact) {
            found.cover = self.join(subject, sight, &mut look, counts, &mut found.reports);
        } else if counts {
            found.cover = self.count(sight, &mut look, &mut found.reports);
        }
        found
    }

    /// The line on an incident's beginning was lost: the next flow of it brings another one.
    pub fn lost(&mut self, subject: &Subject, id: u64) {
        let open = self.gauges.place(subject).and_then(|slot| slot.state.open.as_mut());
        if let Some(open) = open.filter(|open| open.id == id) {
            open.told = None;
        }
    }

    /// The capture is over: last lines of what is open, and all is forgotten but the counts.
    pub fn finish(&mut self) -> Vec<Report> {
        let mut reports: Vec<Report> = self
            .gauges
            .table
            .iter_mut()
            .filter_map(|(subject, slot)| last_line(slot.state.open.take()?, subject, &slot.state.extent))
            .collect();
        reports.sort_by_key(|report| report.incident.id);
        self.gauges.clear();
        self.deadlines.clear();
        self.early.clear();
        reports
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> EvidenceCounts {
        EvidenceCounts { open: self.deadlines.len() as u64, evicted: self.gauges.evicted(), ..self.counts }
    }

    /// Subjects that are remembered now.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.gauges.subjects()
    }

    /// Whether a flow is evidence now. An open one is if it is some already, and its end is then no further one.
    fn is_to_count(&mut self, sight: &Sight<'_>, look: &Look) -> bool {
        let flow = sight.flow;
        let identity = (flow.key(), flow.start, flow.part);
        if flow.end_reason.is_some() {
            return self.early.is_empty() || !self.early.remove(&identity);
        }
        if look.contact != Contact::Failed && !sight.alerts || self.early.contains(&identity) {
            return false;
        }
        if self.early.len() >= MAX_EARLY {
            // Ends that were lost must not fill it for good.
            self.early.retain(|(_, start, _)| (flow.end - *start).0.unsigned_abs() <= LONGEST_FLOW.0.unsigned_abs());
        }
        let fits = self.early.len() < MAX_EARLY;
        if fits {
            self.early.insert(identity);
        } else {
            self.counts.early_overflow = self.counts.early_overflow.saturating_add(1);
        }
        fits
    }

    /// The open incident that covers a flow, the gravest of several.
    fn covering(&mut self, sight: &Sight<'_>, contact: Contact) -> Option<Subject> {
        if self.deadlines.len() == 0 {
            return None;
        }
        let mut best = None;
        for kind in EvidenceKind::ALL.into_iter().filter(|kind| self.deadlines.has(*kind)) {
            let subject = Subject::of(kind, &sight.flow.tuple);
            if subject.covers(contact)
                && let Some(open) = self.gauges.place(&subject).and_then(|slot| slot.state.open.as_ref())
                && best.is_none_or(|(severity, _)| open.severity > severity)
            {
                best = Some((open.severity, subject));
            }
        }
        let (severity, subject) = best?;
        // A contact that failed is what it looks like, whatever label the model had for it.
        let is_worse = sight.alerts && contact != Contact::Failed && self.rules.severity(sight.verdict) > severity;
        (!is_worse).then_some(subject)
    }

    /// Adds a flow to the incident that covers it.
    fn join(
        &mut self,
        subject: Subject,
        sight: &Sight<'_>,
        look: &mut Look,
        counts: bool,
        reports: &mut Vec<Report>,
    ) -> Option<Cover> {
        let is_counted = counts && subject::counts(subject.kind, &sight.flow.tuple, look);
        let slot =
            if is_counted { self.gauges.count(subject.kind, sight, look)?.1 } else { self.gauges.place(&subject)? };
        let super::gauges::State { extent, open, .. } = &mut slot.state;
        let open = open.as_mut()?;
        if !is_counted {
            extent.last = extent.last.max(sight.flow.end);
            extent.flows = extent.flows.saturating_add(u64::from(counts));
        }
        if let Some(step) = open.due(extent) {
            reports.push(open.report(step, subject, extent));
        }
        Some(Cover { kind: subject.kind, id: open.id })
    }

    /// Counts a flow that nothing explains, by every kind until one raises an incident.
    fn count(&mut self, sight: &Sight<'_>, look: &mut Look, reports: &mut Vec<Report>) -> Option<Cover> {
        for kind in EvidenceKind::ALL {
            let Some((reading, slot)) = self.gauges.count(kind, sight, look) else { continue };
            let Some(raise) = self.rules.raise(&reading) else { continue };
            if self.deadlines.len() >= MAX_OPEN {
                self.counts.overflow = self.counts.overflow.saturating_add(1);
                continue;
            }
            self.ids = self.ids.saturating_add(1);
            let deadline = sight.flow.end + QUIET;
            let mut open = Open {
                id: self.ids,
                label: raise.label.name,
                severity: raise.label.severity,
                raised: sight.flow.end,
                count: raise.count,
                least: raise.least,
                deadline,
                told: None,
            };
            reports.push(open.report(Step::Raised, reading.subject, &slot.state.extent));
            let cover = Cover { kind, id: open.id };
            slot.state.open = Some(open);
            slot.pinned = true;
            self.deadlines.insert(deadline, reading.subject);
            if let Some(raised) = self.counts.raised.get_mut(kind.index()) {
                *raised = raised.saturating_add(1);
            }
            return Some(cover);
        }
        None
    }

    /// Ends the incidents that nothing was added to for long.
    fn end_due(&mut self, now: Micros, reports: &mut Vec<Report>) {
        while let Some((deadline, subject)) = self.deadlines.pop_before(now) {
            let Some(slot) = self.gauges.place(&subject) else { continue };
            let extent = &slot.state.extent;
            let Some(open) = slot.state.open.as_mut().filter(|open| open.deadline == deadline) else { continue };
            let later = extent.last + QUIET;
            if later >= now && later > deadline {
                open.deadline = later;
                self.deadlines.insert(later, subject);
                continue;
            }
            slot.pinned = false;
            if let Some(open) = slot.state.open.take() {
                reports.extend(last_line(open, subject, &slot.state.extent));
            }
        }
    }
}

/// The line on an incident that is over, if it has grown since its last one.
fn last_line(mut open: Open, subject: Subject, extent: &super::incident::Extent) -> Option<Report> {
    let has_grown = open.told.is_none_or(|told| extent.flows > told);
    has_grown.then(|| open.report(Step::Ended, subject, extent))
}

/// An incident is over after so long without a flow of it: the long window, after which its counts begin anew too.
const QUIET: Micros = Micros::from_secs(EvidenceParts::LONG_WINDOW as i64);
/// Open incidents at once. Beyond, flows are told one by one, as without evidence.
const MAX_OPEN: usize = 1024;
/// Open flows remembered at once: about 6 MB at worst.
const MAX_EARLY: usize = 65_536;
/// Twice the default active timeout, as in the alert stage.
const LONGEST_FLOW: Micros = Micros::from_secs(240);
