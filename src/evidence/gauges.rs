//! The counting: for each flow, what its source, pair and service have come to in their windows.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use super::contact::{Contact, Sight, is_echo};
use super::incident::{Extent, Open};
use super::rules::Meanings;
use super::sketch::Recent;
use super::subject::{Subject, counts};
use super::table::{Slot, Table};
use super::window::{Ring, Tick, tick};
use crate::flow::FiveTuple;
use crate::model::{EvidenceKind, EvidenceParts, LabelId};
use crate::packet::Address;

/// What all flows so far have come to.
#[derive(Debug)]
pub struct Gauges {
    pub(super) table: Table<State>,
    pub(super) hasher: FixedState,
    meanings: Meanings,
}

/// What one subject has come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Whom it is about.
    pub subject: Subject,
    /// The count of its kind; of the share, the sum of attack shares.
    pub count: f32,
    /// Flows in the same window; of the share only.
    pub flows: f32,
    /// The attack that the subject's verdicts are of most; of the share and of guessing only.
    pub label: Option<LabelId>,
}

/// What is remembered of one subject.
#[derive(Debug)]
pub(super) struct State {
    meter: Meter,
    pub(super) extent: Extent,
    pub(super) open: Option<Open>,
}

/// What is counted. Boxed where it is large and rare.
#[derive(Debug)]
enum Meter {
    Distinct(Recent),
    Rate(Ring),
    Guesses(Box<Service>),
    Share(Box<Service>),
}

/// Of one source's flows to one service.
#[derive(Debug)]
struct Service {
    flows: Ring,
    /// Thousandths of attack shares: whole numbers, so that no order of additions shows.
    share: Ring,
    labels: [(LabelId, u32); LABELS],
}

/// What a flow is, looked at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) contact: Contact,
    pub(super) tick: Tick,
    pub(super) is_refused: bool,
    pub(super) is_echo: bool,
    pub(super) is_guess: bool,
    /// The verdict's label if it is an attack's.
    attack: Option<LabelId>,
    thousandths: u32,
    /// Once some kind counts the flow.
    ends: Option<Ends>,
}

/// What stands at a flow's ends, by hashes: things to be told apart in sketches.
#[derive(Clone, Copy, Debug)]
struct Ends {
    source: u64,
    host: u64,
    port: u64,
    endpoint: u64,
}

impl Reading {
    /// What is held against the threshold: the count; of the share, what it is above the lean.
    #[must_use]
    pub fn value(&self, lean: f32) -> f32 {
        match self.subject.kind {
            EvidenceKind::Share => self.count - lean * self.flows,
            _ => self.count,
        }
    }
}

impl Gauges {
    /// Nothing counted yet, for verdicts of a model with these labels. The seed keys all hashes: who does not know it cannot
    /// aim at one place.
    #[must_use]
    pub fn new(labels: &[String], seed: u64) -> Self {
        Self { table: Table::new(), hasher: FixedState::with_seed(seed), meanings: Meanings::of(labels) }
    }

    /// Counts an ended flow, and hands out what each subject of it has come to.
    pub fn note(&mut self, sight: &Sight<'_>, mut take: impl FnMut(Reading)) {
        let mut look = self.look(sight);
        for kind in EvidenceKind::ALL {
            if let Some((reading, _)) = self.count(kind, sight, &mut look) {
                take(reading);
            }
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.table.clear();
    }

    /// Subjects that are remembered now; never more than [`SLOTS`](super::SLOTS).
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.table.len()
    }

    /// Subjects that were forgotten for others while their windows were open.
    #[must_use]
    pub const fn evicted(&self) -> u64 {
        self.table.evicted
    }

    pub(super) fn look(&self, sight: &Sight<'_>) -> Look {
        let label = sight.verdict.label;
        Look {
            contact: Contact::of(sight.flow, &sight.exchange),
            tick: tick(sight.flow.end),
            is_refused: sight.exchange.refused,
            is_echo: is_echo(&sight.flow.tuple),
            is_guess: self.meanings.is_guess(label),
            attack: self.meanings.is_attack(label).then_some(label),
            thousandths: thousandths(sight.verdict.attack),
            ends: None,
        }
    }

    /// The place of a flow's subject, if it has one.
    pub(super) fn place(&mut self, subject: &Subject) -> Option<&mut Slot<State>> {
        self.table.get_mut(self.hasher.hash_one(subject), subject)
    }

    /// Counts a flow by one kind; what it comes to, if it is of that kind.
    pub(super) fn count(
        &mut self,
        kind: EvidenceKind,
        sight: &Sight<'_>,
        look: &mut Look,
    ) -> Option<(Reading, &mut Slot<State>)> {
        let tuple = &sight.flow.tuple;
        if !counts(kind, tuple, look) {
            return None;
        }
        let subject = Subject::of(kind, tuple);
        let hash = self.hasher.hash_one(subject);
        // Services that nothing was ever said against take no place.
        let is_by_verdict = matches!(kind, EvidenceKind::Calls | EvidenceKind::Share);
        if is_by_verdict && look.thousandths == 0 && self.table.get_mut(hash, &subject).is_none() {
            return None;
        }
        let Ends { source, host, port, endpoint } = *look.ends.get_or_insert_with(|| Ends::of(tuple, &self.hasher));
        let peer = if kind == EvidenceKind::Flood { source } else { host };
        let slot = self.table.entry(hash, subject, look.tick, || State::new(kind))?;
        let State { meter, extent, open } = &mut slot.state;
        // What was long before an incident is no part of it.
        if open.is_none() && (sight.flow.end - extent.first).0.unsigned_abs() > LONG_MICROS {
            *extent = Extent::new();
        }
        extent.add(kind, sight.flow, look.contact == Contact::Failed, peer, port);
        let thing = match kind {
            EvidenceKind::Ports => port,
            EvidenceKind::Hosts => host,
            _ => endpoint,
        };
        let (count, flows, label) = meter.add(thing, look);
        Some((Reading { subject, count, flows, label }, slot))
    }
}

impl Ends {
    fn of(tuple: &FiveTuple, hasher: &FixedState) -> Self {
        let of = |thing: (Option<Address>, Option<(u16, u8)>)| hasher.hash_one(thing);
        let port = Some((tuple.dst_port, tuple.protocol));
        Self {
            source: of((Some(tuple.src), None)),
            host: of((Some(tuple.dst), None)),
            port: of((None, port)),
            endpoint: of((Some(tuple.dst), port)),
        }
    }
}

impl State {
    fn new(kind: EvidenceKind) -> Self {
        let meter = match kind {
            EvidenceKind::Ports | EvidenceKind::Hosts | EvidenceKind::Endpoints => Meter::Distinct(Recent::new()),
            EvidenceKind::Flood | EvidenceKind::Refusals | EvidenceKind::Calls => {
                Meter::Rate(Ring::new(EvidenceParts::SHORT_WINDOW))
            }
            EvidenceKind::Guessing => Meter::Guesses(Box::new(Service::new(EvidenceParts::MIDDLE_WINDOW))),
            EvidenceKind::Share => Meter::Share(Box::new(Service::new(EvidenceParts::LONG_WINDOW))),
        };
        Self { meter, extent: Extent::new(), open: None }
    }
}

impl Meter {
    /// Adds a flow; count, flows and label of the window.
    fn add(&mut self, thing: u64, look: &Look) -> (f32, f32, Option<LabelId>) {
        let now = look.tick;
        match self {
            Self::Distinct(recent) => {
                recent.see(thing, now);
                (recent.count(now, EvidenceParts::LONG_WINDOW), 0.0, None)
            }
            Self::Rate(ring) => {
                ring.add(now, 1);
                (number(ring.sum(now)), 0.0, None)
            }
            // Flows of that place are guesses, all of them.
            Self::Guesses(service) => {
                service.add(look);
                (number(service.flows.sum(now)), 0.0, service.leading())
            }
            Self::Share(service) => {
                service.add(look);
                let share = number(service.share.sum(now)) / THOUSAND;
                (share, number(service.flows.sum(now)), service.leading())
            }
        }
    }
}

impl Service {
    const fn new(window: u32) -> Self {
        let (flows, share) = (Ring::new(window), Ring::new(window));
        Self { flows, share, labels: [(LabelId(0), 0); LABELS] }
    }

    fn add(&mut self, look: &Look) {
        self.flows.add(look.tick, 1);
        self.share.add(look.tick, look.thousandths);
        let Some(label) = look.attack else { return };
        // The least of the few gives way to a new one, which takes over its sum: no label that leads is missed (space saving,
        // Metwally and others, 2005).
        let at = self.labels.iter().position(|(held, sum)| *held == label && *sum > 0);
        let at = at.or_else(|| self.labels.iter().enumerate().min_by_key(|(_, (_, sum))| *sum).map(|(at, _)| at));
        if let Some((held, sum)) = at.and_then(|at| self.labels.get_mut(at)) {
            *held = label;
            *sum = sum.saturating_add(look.thousandths.max(1));
        }
    }

    fn leading(&self) -> Option<LabelId> {
        let some = self.labels.iter().filter(|(_, sum)| *sum > 0);
        some.max_by_key(|(label, sum)| (*sum, std::cmp::Reverse(label.0))).map(|(label, _)| *label)
    }
}

fn thousandths(share: f32) -> u32 {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let whole = (share * THOUSAND).round() as u32;
    whole
}

#[expect(clippy::cast_precision_loss, reason = "counts of a window; above 16 million one more makes no difference")]
fn number(count: u32) -> f32 {
    count as f32
}

/// The long window in microseconds.
const LONG_MICROS: u64 = EvidenceParts::LONG_WINDOW as u64 * 1_000_000;
/// Parts that shares are added up in.
const THOUSAND: f32 = 1000.0;
/// Labels remembered of one service.
const LABELS: usize = 4;
