//! From judged flows to lines that left the process: the alert stage, the words, the sink, and their books.

use std::sync::Arc;

use crate::alert::{
    Alert, AlertCounts, AlertPolicy, AlertStage, Decision, Emission, Grounds, LabelRule, Limits, ModelIdentity,
    NovelMode, PolicyError, Signature, SuppressReason, Ticket, eve,
};
use crate::flow::FlowFacts;
use crate::model::{LabelId, Model, Telling, Verdict};
use crate::sink::{Flushed, LineSink, LossReason};
use crate::time::Micros;

/// Tells of attacks, one line each.
#[derive(Debug)]
pub struct Alerting {
    stage: AlertStage,
    sink: LineSink,
    signatures: Vec<Arc<Signature>>,
    unknown_novel: Arc<Signature>,
    model: Arc<ModelIdentity>,
    /// Lines in the sink's batch, in its order.
    pending: Vec<Line>,
}

/// A line in the sink's batch.
#[derive(Debug)]
struct Line {
    ticket: Ticket,
    told: Told,
}

/// A line that was written, or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The label, or `None` for `unknown-novel`.
    pub label: Option<LabelId>,
    /// Whether the flow was still open.
    pub early: bool,
    /// The flow's last packet.
    pub last: Micros,
}

/// What became of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was written.
    Written(Told),
    /// No sink took it.
    Lost(Told, LossReason),
}

/// What the stage made of a flow, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing to tell.
    Quiet,
    /// Novel, and only counted.
    Novel,
    /// An attack that gets no line.
    Suppressed(SuppressReason),
    /// A line waits for the next flush.
    Waiting {
        /// Whether the flow is still open.
        early: bool,
    },
}

/// The policy of a model's labels, with a site's own thresholds.
///
/// # Errors
/// A threshold for a label that the model has not, or that is benign.
pub fn policy_of(
    model: &Model,
    thresholds: &std::collections::BTreeMap<String, f32>,
    novel: NovelMode,
) -> Result<AlertPolicy, PolicyError> {
    let rule = |(id, name): (u16, &String)| LabelRule {
        name: name.clone(),
        benign: model.is_benign(LabelId(id)),
        threshold: model.threshold(LabelId(id)),
    };
    AlertPolicy::new((0..).zip(model.labels()).map(rule).collect(), thresholds, novel)
}

impl Alerting {
    /// Alerts on this model's verdicts, into this sink.
    #[must_use]
    pub fn new(model: &Model, policy: AlertPolicy, limits: Limits, sink: LineSink) -> Self {
        Self {
            stage: AlertStage::new(policy, limits),
            sink,
            signatures: model.labels().iter().map(|label| Arc::new(Signature::of_label(label))).collect(),
            unknown_novel: Arc::new(Signature::unknown_novel()),
            model: Arc::new(identity_of(model)),
            pending: Vec::new(),
        }
    }

    /// Takes a flow and its verdict, in the order in which lines should appear; without an end reason the flow is still
    /// open. `telling` finds the features that tell it most, and is asked where a line is written.
    pub fn take(
        &mut self,
        flow: &FlowFacts,
        verdict: &Verdict,
        in_iface: &Arc<str>,
        telling: impl FnOnce() -> Vec<Telling>,
    ) -> Taken {
        let early = flow.end_reason.is_none();
        let decision = if early { self.stage.early(flow, verdict) } else { self.stage.ended(flow, Some(verdict)) };
        match decision {
            Decision::Quiet | Decision::Postponed => Taken::Quiet,
            Decision::Novel => Taken::Novel,
            Decision::Suppressed(reason) => Taken::Suppressed(reason),
            Decision::Emit(emission) => {
                self.write(flow, verdict, emission, telling(), in_iface);
                Taken::Waiting { early }
            }
        }
    }

    /// Counts novel flows that policy only counts and that did not come through [`Alerting::take`].
    pub const fn count_novel(&mut self, flows: u64) {
        self.stage.count_novel(flows);
    }

    /// Writes the waiting lines, and says what became of each.
    pub fn flush(&mut self, mut told: impl FnMut(Outcome)) -> Flushed {
        let flushed = self.sink.flush();
        for (position, Line { ticket, told: line }) in self.pending.drain(..).enumerate() {
            if position < flushed.written {
                told(Outcome::Written(line));
            } else {
                self.stage.lost(ticket);
                told(Outcome::Lost(line, flushed.reason.unwrap_or(LossReason::Io)));
            }
        }
        flushed
    }

    /// Lines that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// The books so far.
    #[must_use]
    pub const fn counts(&self) -> AlertCounts {
        self.stage.counts()
    }

    /// The sink's name as a metric label.
    #[must_use]
    pub const fn sink_name(&self) -> &'static str {
        self.sink.name()
    }

    /// Where lines go.
    pub const fn sink(&mut self) -> &mut LineSink {
        &mut self.sink
    }

    fn write(
        &mut self,
        flow: &FlowFacts,
        verdict: &Verdict,
        emission: Emission,
        telling: Vec<Telling>,
        in_iface: &Arc<str>,
    ) {
        let Emission { label, suppressed, ticket } = emission;
        let of_label = label.and_then(|label| self.signatures.get(usize::from(label.0)));
        let grounds = Grounds {
            signature: Arc::clone(of_label.unwrap_or(&self.unknown_novel)),
            model: Arc::clone(&self.model),
            telling,
            in_iface: Arc::clone(in_iface),
            suppressed,
        };
        let alert = Alert::new(*flow, verdict, grounds);
        self.sink.push(|line| eve::write_line(&alert, line));
        let told = Told { label, early: alert.is_early(), last: flow.end };
        self.pending.push(Line { ticket, told });
    }
}

/// A model's name, version and hash.
#[must_use]
pub fn identity_of(model: &Model) -> ModelIdentity {
    ModelIdentity {
        name: model.name().to_owned(),
        version: model.version().to_owned(),
        sha256: model.sha256().to_owned(),
    }
}
