//! The detection stage: each ended flow gets its features and a verdict, and what alerts may need goes on.

use std::collections::HashSet;

use foldhash::fast::FixedState;

use super::counters::Verdicts;
use super::flow_log;
use super::shard::Stage;
use crate::alert::{AlertPolicy, Judgement};
use crate::evidence::Exchange;
use crate::features::{self, FeatureVector, Profile};
use crate::flow::{FlowFacts, FlowKey, FlowRecord};
use crate::model::{Classifier, Model, Telling, Verdict};
use crate::time::Micros;

/// Gives verdicts; each thread has its own.
pub struct Detector<'m> {
    classifier: Classifier<'m>,
    profile: Profile,
    /// Of the flow that was asked about last: written in place, for a vector is ten cache lines to hand around.
    features: FeatureVector,
    verdicts: Verdicts,
}

/// A flow with what the model says of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The flow; without an end reason it is still open.
    pub flow: FlowFacts,
    /// More of it, for evidence.
    pub exchange: Exchange,
    /// What the model says.
    pub verdict: Verdict,
    /// The features that tell it most from benign flows, for an alert.
    pub telling: Vec<Telling>,
}

impl<'m> Detector<'m> {
    /// A detector that asks this model about flows of this profile.
    #[must_use]
    pub fn new(model: &'m Model, profile: Profile) -> Self {
        let verdicts = Verdicts::new(model.labels().len());
        Self { classifier: model.classifier(), profile, features: FeatureVector::EMPTY, verdicts }
    }

    /// The verdict on a flow that has ended, which is counted.
    pub fn ended(&mut self, record: &FlowRecord) -> Verdict {
        let verdict = self.open(record);
        self.verdicts.count(&verdict);
        verdict
    }

    /// The verdict on a flow that is still open.
    pub fn open(&mut self, record: &FlowRecord) -> Verdict {
        features::extract_into(&mut self.features, record, self.profile);
        self.classifier.classify(&self.features)
    }

    /// The features that the last verdict rests on.
    #[must_use]
    pub const fn features(&self) -> &FeatureVector {
        &self.features
    }

    /// Which of those tell the flow most from benign ones, greatest first.
    pub fn telling(&mut self) -> Vec<Telling> {
        self.classifier.explain(&self.features).into_iter().flatten().collect()
    }

    /// The model that is asked.
    #[must_use]
    pub const fn model(&self) -> &'m Model {
        self.classifier.model()
    }

    /// What was counted so far.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        Verdicts { non_finite: self.classifier.non_finite(), ..self.verdicts.clone() }
    }
}

/// A shard's stage in `replay`: judges flows and passes on those that policy may tell of, and lines of the flow log.
pub struct Judge<'m> {
    detector: Detector<'m>,
    policy: AlertPolicy,
    logs_flows: bool,
    /// Whether all flows are looked at together, so that each is passed on.
    passes_all: bool,
    /// Open flows that were passed on: their ends must follow, whatever they turn out to be.
    told_early: HashSet<(FlowKey, Micros, u32), FixedState>,
    novel: u64,
}

/// What a flow leaves behind.
#[derive(Clone, Debug)]
pub struct Passed {
    /// For alerts.
    pub judged: Option<Judged>,
    /// For the flow log.
    pub line: Option<Vec<u8>>,
}

impl<'m> Judge<'m> {
    /// A stage of its own for each shard.
    #[must_use]
    pub fn new(detector: Detector<'m>, policy: AlertPolicy, logs_flows: bool) -> Self {
        Self { detector, policy, logs_flows, passes_all: false, told_early: HashSet::default(), novel: 0 }
    }

    /// Passes every flow on, whatever its verdict: where flows are looked at together.
    #[must_use]
    pub const fn passing_all(mut self, all: bool) -> Self {
        self.passes_all = all;
        self
    }

    /// Ended flows that are novel, that policy only counts, and that were not passed on.
    #[must_use]
    pub const fn novel(&self) -> u64 {
        self.novel
    }

    /// What was counted so far.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        self.detector.verdicts()
    }

    /// What alerts need of a flow; only one that is told by itself needs what tells it.
    fn pass_on(&mut self, flow: FlowFacts, record: &FlowRecord, verdict: Verdict, is_told: bool) -> Judged {
        let telling = if is_told { self.detector.telling() } else { Vec::new() };
        Judged { flow, exchange: Exchange::of(record), verdict, telling }
    }
}

impl Stage for Judge<'_> {
    type Item = Passed;

    fn ended(&mut self, record: &FlowRecord) -> Option<Passed> {
        let flow = record.facts();
        let verdict = self.detector.ended(record);
        let was_told = self.told_early.remove(&(flow.key(), flow.start, flow.part));
        let judgement = self.policy.judge(&verdict);
        let is_told = was_told || matches!(judgement, Judgement::Predicted(_));
        let passes = is_told || self.passes_all;
        self.novel += u64::from(!passes && judgement == Judgement::Novel);
        let judged = passes.then(|| self.pass_on(flow, record, verdict, is_told));
        let line = self.logs_flows.then(|| {
            let mut line = Vec::new();
            let Detector { classifier, profile, features, .. } = &self.detector;
            flow_log::write_line(&mut line, record, features, *profile, classifier.model(), &verdict);
            line
        });
        (judged.is_some() || line.is_some()).then_some(Passed { judged, line })
    }

    fn early(&mut self, record: &FlowRecord) -> Option<Passed> {
        let flow = record.facts_while_open();
        let verdict = self.detector.open(record);
        let is_told = matches!(self.policy.judge(&verdict), Judgement::Predicted(_));
        if is_told {
            self.told_early.insert((flow.key(), flow.start, flow.part));
        } else if !self.passes_all {
            return None;
        }
        Some(Passed { judged: Some(self.pass_on(flow, record, verdict, is_told)), line: None })
    }
}
