//! From judged flows to lines that left the process: the alert stage, the words, the sink, and their books.

use std::sync::Arc;

use super::interface_names::InterfaceNames;
use crate::alert::{
    Alert, AlertCounts, AlertPolicy, AlertStage, Decision, Directory, Emission, Grounds, Identities, IncidentAlert,
    LabelRule, Limits, ModelIdentity, NovelMode, PolicyError, Signature, SuppressReason, Ticket, eve, write_incident,
};
use crate::evidence::{Evidence, EvidenceCounts, Exchange, Report, Sight, Step, Subject};
use crate::flow::FlowFacts;
use crate::model::{EvidenceKind, LabelId, Model, Telling, Verdict};
use crate::packet::Address;
use crate::sink::{Flushed, LineSink, LossReason};
use crate::time::Micros;

/// Tells of attacks, one line each.
#[derive(Debug)]
pub struct Alerting {
    stage: AlertStage,
    /// What many flows say together, where the model has thresholds for it.
    evidence: Option<Evidence>,
    incident_lines: u64,
    incident_lines_lost: u64,
    /// By their numbers; none where all flows are of one capture.
    interfaces: InterfaceNames,
    /// Knows who is behind addresses, where somebody does.
    directory: Option<Arc<dyn Directory>>,
    sink: LineSink,
    signatures: Vec<Arc<Signature>>,
    unknown_novel: Arc<Signature>,
    model: Arc<ModelIdentity>,
    /// Lines in the sink's batch, in its order.
    pending: Vec<Line>,
}

/// A line in the sink's batch.
#[derive(Debug)]
enum Line {
    Flow { ticket: Ticket, told: Told },
    Incident { subject: Subject, id: u64, step: Step },
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
    /// A line on an incident was written, or lost.
    Incident(EvidenceKind, Step, Option<LossReason>),
}

/// What was counted of incidents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncidentCounts {
    /// By the stage that raises them.
    pub evidence: EvidenceCounts,
    /// Lines on incidents that were written.
    pub lines: u64,
    /// Such lines that no sink took.
    pub lost: u64,
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

/// What a flow is beside others.
enum Together {
    /// Part of an incident.
    Covered,
    /// A contact that failed, of no incident: many of them say something, one does not.
    Failed,
    /// To be judged by itself.
    Alone,
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
            evidence: None,
            incident_lines: 0,
            incident_lines_lost: 0,
            interfaces: InterfaceNames::default(),
            directory: None,
            sink,
            signatures: model.labels().iter().map(|label| Arc::new(Signature::of_label(label))).collect(),
            unknown_novel: Arc::new(Signature::unknown_novel()),
            model: Arc::new(identity_of(model)),
            pending: Vec::new(),
        }
    }

    /// Looks at flows together, too.
    #[must_use]
    pub fn with_evidence(self, evidence: Option<Evidence>) -> Self {
        Self { evidence, ..self }
    }

    /// Names interfaces: a line on an incident may be due when a flow of another interface comes.
    #[must_use]
    pub(super) fn on_interfaces(self, interfaces: InterfaceNames) -> Self {
        Self { interfaces, ..self }
    }

    /// Says in each line who is behind its addresses.
    #[must_use]
    pub fn with_directory(self, directory: Option<Arc<dyn Directory>>) -> Self {
        Self { directory, ..self }
    }

    /// Whether flows are looked at together, so that all of them must come through [`Alerting::take`].
    #[must_use]
    pub const fn has_evidence(&self) -> bool {
        self.evidence.is_some()
    }

    /// Takes a flow and its verdict, in the order in which lines should appear; without an end reason the flow is still
    /// open. `exchange` tells more of the flow, and is asked where flows are looked at together; `telling` finds the features
    /// that tell it most, and is asked where a line is written.
    pub fn take(
        &mut self,
        flow: &FlowFacts,
        exchange: impl FnOnce() -> Exchange,
        verdict: &Verdict,
        in_iface: &Arc<str>,
        telling: impl FnOnce() -> Vec<Telling>,
    ) -> Taken {
        let early = flow.end_reason.is_none();
        let decision = match self.together(flow, exchange, verdict, in_iface) {
            Together::Covered => self.stage.covered(flow, verdict),
            Together::Failed => self.stage.failed(flow, verdict),
            Together::Alone if early => self.stage.early(flow, verdict),
            Together::Alone => self.stage.ended(flow, Some(verdict)),
        };
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
        for (position, line) in self.pending.drain(..).enumerate() {
            let lost = (position >= flushed.written).then(|| flushed.reason.unwrap_or(LossReason::Io));
            match (line, lost) {
                (Line::Flow { told: line, .. }, None) => told(Outcome::Written(line)),
                (Line::Flow { ticket, told: line }, Some(reason)) => {
                    self.stage.lost(ticket);
                    told(Outcome::Lost(line, reason));
                }
                (Line::Incident { subject, id, step }, lost) => {
                    if lost.is_none() {
                        self.incident_lines = self.incident_lines.saturating_add(1);
                    } else {
                        self.incident_lines_lost = self.incident_lines_lost.saturating_add(1);
                        // The later lines say no more than the last one will; the first one says that there is something.
                        if let Some(evidence) = self.evidence.as_mut().filter(|_| step == Step::Raised) {
                            evidence.lost(&subject, id);
                        }
                    }
                    told(Outcome::Incident(subject.kind, step, lost));
                }
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

    /// What was counted of incidents; `None` where flows are not looked at together.
    #[must_use]
    pub fn incidents(&self) -> Option<IncidentCounts> {
        let (lines, lost) = (self.incident_lines, self.incident_lines_lost);
        self.evidence.as_ref().map(|evidence| IncidentCounts { evidence: evidence.counts(), lines, lost })
    }

    /// A capture is over: open incidents get their last lines, and nothing of its flows counts any more.
    pub fn end_capture(&mut self, in_iface: &Arc<str>) {
        let reports = self.evidence.as_mut().map(Evidence::finish).unwrap_or_default();
        reports.into_iter().for_each(|report| self.tell(report, in_iface));
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
            identities: self.identities([Some(flow.tuple.src), Some(flow.tuple.dst)], flow.start),
        };
        let alert = Alert::new(*flow, verdict, grounds);
        self.sink.push(|line| eve::write_line(&alert, line));
        let told = Told { label, early: alert.is_early(), last: flow.end };
        self.pending.push(Line::Flow { ticket, told });
    }

    /// What a flow is beside others; the lines on incidents that are due go to the sink.
    fn together(
        &mut self,
        flow: &FlowFacts,
        exchange: impl FnOnce() -> Exchange,
        verdict: &Verdict,
        in_iface: &Arc<str>,
    ) -> Together {
        let Some(evidence) = &mut self.evidence else { return Together::Alone };
        let alerts = self.stage.predicts(verdict);
        let found = evidence.observe(&Sight { flow, exchange: exchange(), verdict, alerts });
        found.reports.into_iter().for_each(|report| self.tell(report, in_iface));
        match found.cover {
            Some(_) => Together::Covered,
            None if found.failed => Together::Failed,
            None => Together::Alone,
        }
    }

    fn identities(&self, ends: [Option<Address>; 2], began: Micros) -> Option<Identities> {
        self.directory.as_ref().map(|directory| directory.identify(ends, began))
    }

    fn tell(&mut self, report: Report, in_iface: &Arc<str>) {
        let (subject, id, step) = (report.incident.subject, report.incident.id, report.step);
        let signature = Arc::new(Signature::of_label(&report.incident.label));
        let in_iface = self.interfaces.get(report.incident.extent.interface).unwrap_or_else(|| Arc::clone(in_iface));
        // Its latest flow tells best who has an address now: the first may be long ago.
        let identities = self.identities([subject.source, subject.destination], report.incident.extent.last);
        let alert = IncidentAlert { report, signature, model: Arc::clone(&self.model), in_iface, identities };
        self.sink.push(|line| write_incident(&alert, line));
        self.pending.push(Line::Incident { subject, id, step });
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
