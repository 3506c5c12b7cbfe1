//! An incident: many flows told as one thing, with its extent.

use std::sync::Arc;

use super::sketch::Distinct;
use super::subject::Subject;
use crate::flow::FlowFacts;
use crate::model::EvidenceKind;
use crate::packet::Address;
use crate::time::Micros;

/// How far evidence reaches: from the first flow of its subject on, those before the incident among them.
#[derive(Clone, Debug)]
pub struct Extent {
    /// First packet of the first flow.
    pub first: Micros,
    /// Last packet of the last flow.
    pub last: Micros,
    /// Flows.
    pub flows: u64,
    /// Of these, such that failed.
    pub failed: u64,
    /// Who is at the other end: hosts, or of a flood its sources.
    pub peers: Distinct,
    /// Ports of them.
    pub ports: Distinct,
    /// The interface that saw the first flow.
    pub interface: u16,
    /// Some of them, the first.
    examples: [Option<(Address, u16)>; EXAMPLES],
}

/// What an incident is, as it is told.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Its number, from 1 on, since the program began.
    pub id: u64,
    /// What it is called.
    pub label: Arc<str>,
    /// Whom it is about, and by which kind of evidence.
    pub subject: Subject,
    /// When it was raised.
    pub raised: Micros,
    /// What was counted when it was raised.
    pub count: f32,
    /// From which count on it is raised.
    pub least: f32,
    /// How far it reaches.
    pub extent: Extent,
}

/// Why a line on an incident is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is new, or its first line was lost.
    Raised,
    /// It has grown tenfold since its last line.
    Grown,
    /// It is over, and has grown since its last line.
    Ended,
}

/// One line on an incident.
#[derive(Clone, Debug)]
pub struct Report {
    /// Why now.
    pub step: Step,
    /// The incident as it stands.
    pub incident: Incident,
}

/// An incident that goes on, beside the counts of its subject.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) label: Arc<str>,
    /// Position of the label among those that rules know.
    pub(super) severity: crate::taxonomy::Severity,
    pub(super) raised: Micros,
    pub(super) count: f32,
    pub(super) least: f32,
    /// When it ends unless more comes, as the queue of deadlines has it.
    pub(super) deadline: Micros,
    /// Flows at the last line; `None` while there is none, or if the first was lost.
    pub(super) told: Option<u64>,
}

impl Open {
    /// A line on it, after which so much is told.
    pub(super) fn report(&mut self, step: Step, subject: Subject, extent: &Extent) -> Report {
        self.told = Some(extent.flows);
        let Self { id, raised, count, least, .. } = *self;
        let incident =
            Incident { id, label: Arc::clone(&self.label), subject, raised, count, least, extent: extent.clone() };
        Report { step, incident }
    }

    /// What is due once a flow was added.
    pub(super) fn due(&self, extent: &Extent) -> Option<Step> {
        match self.told {
            None => Some(Step::Raised),
            Some(told) => (extent.flows >= told.saturating_mul(GROWTH)).then_some(Step::Grown),
        }
    }
}

impl Extent {
    /// Of nothing yet.
    pub(super) const fn new() -> Self {
        Self {
            first: Micros(i64::MAX),
            last: Micros(i64::MIN),
            flows: 0,
            failed: 0,
            peers: Distinct::new(),
            ports: Distinct::new(),
            interface: 0,
            examples: [None; EXAMPLES],
        }
    }

    /// Adds a flow; the hashes are of what stands at the other end.
    pub(super) fn add(&mut self, kind: EvidenceKind, flow: &FlowFacts, failed: bool, peer: u64, port: u64) {
        if self.flows == 0 {
            self.interface = flow.interface;
        }
        self.first = self.first.min(flow.start);
        self.last = self.last.max(flow.end);
        self.flows = self.flows.saturating_add(1);
        self.failed = self.failed.saturating_add(u64::from(failed));
        self.peers.see(peer);
        self.ports.see(port);
        let example = match kind {
            EvidenceKind::Flood => (flow.tuple.src, flow.tuple.src_port),
            _ => (flow.tuple.dst, flow.tuple.dst_port),
        };
        let free = self.examples.iter_mut().find(|held| held.is_none_or(|held| held == example));
        if let Some(free) = free {
            *free = Some(example);
        }
    }

    /// The first few ends of it that differ: where it went, or of a flood where it came from.
    pub fn examples(&self) -> impl Iterator<Item = (Address, u16)> + '_ {
        self.examples.iter().copied().flatten()
    }
}

/// Examples told with an incident.
pub const EXAMPLES: usize = 4;
/// A further line is due when an incident is so many times as great as at its last one.
const GROWTH: u64 = 10;
