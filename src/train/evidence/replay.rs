//! Labelled flows as evidence sees them: by capture, in the order of their ends, with verdicts.

use std::collections::BTreeMap;

use crate::dataset::Dataset;
use crate::evidence::{Contact, Exchange, Sight};
use crate::features::FeatureId;
use crate::flow::{EndReason, FlowFacts};
use crate::model::{Model, Verdict};
use crate::taxonomy;
use crate::time::Micros;
use crate::train::HeldBack;

/// Why flows say nothing about evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// No row tells addresses, ports, protocol and time.
    #[error(
        "no row says who talked to whom and when: evidence needs `Src IP`, `Src Port`, `Dst IP`, `Dst Port`, `Protocol` and \
         `Timestamp`, as `flowshrike label` writes them"
    )]
    NoIdentities,
    /// All rows are of one side.
    #[error("no {0} flow among them: a threshold lies between what benign and what hostile sources do")]
    OneSided(&'static str),
    /// A label cell that means nothing.
    #[error("`{0}` is no label of the taxonomy (docs/taxonomy.md lists them)")]
    UnknownLabel(String),
}

/// One capture.
#[derive(Clone, Debug)]
pub(super) struct Capture<'d> {
    pub(super) name: &'d str,
    /// In the order of their ends.
    pub(super) flows: Vec<Flow>,
}

/// One flow with what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    pub(super) row: usize,
    pub(super) facts: FlowFacts,
    pub(super) exchange: Exchange,
    pub(super) verdict: Verdict,
    pub(super) alerts: bool,
    /// The label's position among the data's; `None` for a benign flow.
    pub(super) hostile: Option<u32>,
}

/// All captures, and the rows that do not say where they belong.
#[derive(Clone, Debug)]
pub(super) struct Captures<'d> {
    pub(super) captures: Vec<Capture<'d>>,
    pub(super) unplaced: u64,
}

/// The columns that evidence of a model needs: the model's own first, in its order.
#[must_use]
pub fn columns(model: &Model) -> Vec<FeatureId> {
    let mut columns = model.features().to_vec();
    for id in NEEDED.iter().filter_map(|name| FeatureId::named(name)) {
        if !columns.contains(&id) {
            columns.push(id);
        }
    }
    columns
}

impl Flow {
    pub(super) fn contact(&self) -> Contact {
        Contact::of(&self.facts, &self.exchange)
    }

    pub(super) const fn sight(&self) -> Sight<'_> {
        Sight { flow: &self.facts, exchange: self.exchange, verdict: &self.verdict, alerts: self.alerts }
    }
}

impl Capture<'_> {
    /// From the first packet to the last.
    pub(super) fn span(&self) -> Micros {
        let first = self.flows.iter().map(|flow| flow.facts.start).min();
        let last = self.flows.iter().map(|flow| flow.facts.end).max();
        first.zip(last).map_or(Micros::ZERO, |(first, last)| last - first)
    }
}

impl<'d> Captures<'d> {
    /// Of data whose columns are [`columns`] of the model, with the model's verdicts, or those of fits that had not seen the rows' captures:
    /// a row without one is left out.
    pub(super) fn new(model: &Model, data: &'d Dataset, held_back: Option<&HeldBack>) -> Result<Self, EvidenceError> {
        let own = model.features().len();
        let places = NEEDED.map(|name| {
            let id = FeatureId::named(name);
            data.features().iter().position(|held| Some(*held) == id)
        });
        let hostile: Vec<Option<u32>> = (0..)
            .zip(data.labels().distinct())
            .map(|(at, cell)| {
                let class = taxonomy::class_of_cell(cell).ok_or_else(|| EvidenceError::UnknownLabel(cell.clone()))?;
                Ok((!taxonomy::is_benign(class.name)).then_some(at))
            })
            .collect::<Result<_, EvidenceError>>()?;
        let mut classifier = model.classifier();
        let (mut by_name, mut unplaced) = (BTreeMap::<&str, Vec<Flow>>::new(), 0);
        for row in 0..data.len() {
            let identity = data.identity(row);
            let Some((tuple, (start, end))) = identity.and_then(|identity| identity.tuple.zip(identity.times)) else {
                unplaced += 1;
                continue;
            };
            let values = data.row(row);
            let of = |place: Option<usize>| place.and_then(|place| values.get(place)).copied().unwrap_or(0.0);
            let [duration, forward, backward, sent, received, syn, rst, refusals, ack] = places.map(of);
            let end = if end > start { end } else { start + Micros(duration.max(0.0) as i64) };
            let facts = FlowFacts {
                tuple,
                start,
                end,
                part: 0,
                end_reason: Some(EndReason::EndOfFlow),
                packets_to_server: forward as u64,
                packets_to_client: backward as u64,
                bytes_to_server: sent as u64,
                bytes_to_client: received as u64,
                interface: 0,
            };
            let exchange = Exchange {
                payload_to_server: sent as u64,
                payload_to_client: received as u64,
                syn: syn > 0.0,
                reset: rst > 0.0,
                refused: refusals > 0.0,
                acknowledged: ack > backward,
            };
            let verdict = match held_back {
                Some(held_back) => held_back.get(row).copied(),
                None => Some(classifier.classify_row(values.get(..own).unwrap_or(values))),
            };
            let Some(verdict) = verdict else {
                unplaced += 1;
                continue;
            };
            let label = data.labels().ids().get(row).and_then(|id| hostile.get(*id as usize)).copied().flatten();
            let alerts = model.predicts_attack(&verdict);
            let flow = Flow { row, facts, exchange, verdict, alerts, hostile: label };
            by_name.entry(data.scenarios().get(row)).or_default().push(flow);
        }
        if by_name.is_empty() {
            return Err(EvidenceError::NoIdentities);
        }
        let order = |flow: &Flow| (flow.facts.end, flow.facts.start, flow.facts.tuple, flow.row);
        let captures = by_name.into_iter().map(|(name, mut flows)| {
            flows.sort_by_key(order);
            Capture { name, flows }
        });
        Ok(Self { captures: captures.collect(), unplaced })
    }
}

/// What is asked of a flow besides the model's columns.
const NEEDED: [&str; 9] = [
    "Flow Duration",
    "Total Fwd Packet",
    "Total Bwd packets",
    "Total Length of Fwd Packet",
    "Total Length of Bwd Packet",
    "SYN Flag Count",
    "RST Flag Count",
    "Bwd RST Flags",
    "ACK Flag Count",
];
