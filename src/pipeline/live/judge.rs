//! The judge: verdicts on flows as they end, alerts, the flow log, and what is measured of all that.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::RecvTimeoutError;
use prometheus::local::LocalHistogram;

use super::events::{EventsOut, Told};
use super::lake::ToLake;
use super::worker::PUBLISH_MILLIS;
use super::{Stop, Telemetry, WAIT, wall_clock};
use crate::alert::SuppressReason;
use crate::alert::{AlertCounts, AlertPolicy, Judgement};
use crate::evidence::{Exchange, Step};
use crate::features::Profile;
use crate::flow::FlowRecord;
use crate::model::{Drift, LabelId, Model, Verdict};
use crate::pipeline::alerting::{Alerting, IncidentCounts, Outcome, Taken};
use crate::pipeline::counters::{Unclassified, Verdicts};
use crate::pipeline::detect::Detector;
use crate::pipeline::flow_log;
use crate::pipeline::interface_names::InterfaceNames;
use crate::sink::{LakeSink, LineSink};
use crate::taxonomy::{self, Severity};
use crate::telemetry::{AlertMetrics, Clock, Heartbeat, Metrics, QueueMetrics};

/// The last stage of a live run.
pub(super) struct Judging<'m> {
    detector: Detector<'m>,
    model: &'m Model,
    profile: Profile,
    /// What recent flows come to, where the model has something to hold them against.
    drift: Option<Drift>,
    policy: AlertPolicy,
    alerting: Alerting,
    flow_log: Option<LineSink>,
    lake: Option<ToLake>,
    log_lines_lost: u64,
    interfaces: InterfaceNames,
    nowhere: Arc<str>,
    metrics: Arc<Metrics>,
    /// By the label's position; benign ones raise no alert.
    by_label: Vec<Option<AlertMetrics>>,
    novel_alerts: AlertMetrics,
    /// Gathered here: what is shared takes an atomic operation for each value.
    durations: LocalHistogram,
    distances: LocalHistogram,
    queue: QueueMetrics,
    clock: Clock,
    stop: Stop,
    published: (Verdicts, AlertCounts, IncidentCounts),
}

impl<'m> Judging<'m> {
    #[expect(clippy::too_many_arguments, reason = "called once, by the drawing of the threads")]
    pub(super) fn new(
        model: &'m Model,
        profile: Profile,
        policy: AlertPolicy,
        alerting: Alerting,
        flow_log: Option<LineSink>,
        lake: Option<LakeSink>,
        interfaces: InterfaceNames,
        telemetry: &Telemetry,
        stop: Stop,
    ) -> Self {
        let metrics = Arc::clone(&telemetry.metrics);
        let severity = |label: &String| taxonomy::class(label).map_or(Severity::Medium, |class| class.severity);
        let tells = |label: &String| !taxonomy::is_benign(label);
        let alerts_of = |label: &String| tells(label).then(|| metrics.alerts(label, severity(label)));
        let by_label = model.labels().iter().map(alerts_of).collect();
        metrics.begin(alerting.sink_name());
        model.labels().iter().for_each(|label| drop(metrics.classified(label)));
        Unclassified::ALL.into_iter().for_each(|reason| drop(metrics.unclassified(reason.name())));
        Self {
            detector: Detector::new(model, profile),
            model,
            profile,
            drift: Drift::of(model),
            policy,
            alerting: alerting.on_interfaces(interfaces.clone()),
            flow_log,
            lake: lake.map(|sink| ToLake::new(sink, model, &metrics)),
            log_lines_lost: 0,
            interfaces,
            nowhere: "".into(),
            by_label,
            novel_alerts: metrics.alerts(taxonomy::Stage::Novel.name(), Severity::Info),
            durations: metrics.classify_duration.local(),
            distances: metrics.novelty_distance.local(),
            queue: metrics.queue("events"),
            metrics,
            clock: telemetry.clock,
            stop,
            published: (Verdicts::new(model.labels().len()), AlertCounts::default(), IncidentCounts::default()),
        }
    }

    /// Works off events until their senders are gone.
    pub(super) fn run(
        mut self,
        events: &EventsOut,
        heartbeat: &Heartbeat,
    ) -> (Verdicts, AlertCounts, Option<IncidentCounts>) {
        self.queue.capacity.set(i64::try_from(events.capacity()).unwrap_or(i64::MAX));
        let mut published = 0;
        loop {
            let received = events.receive(WAIT);
            let is_over = matches!(received, Err(RecvTimeoutError::Disconnected));
            if let Ok(batch) = received {
                self.judge_all(&batch);
                events.give_back(batch);
            }
            self.flush();
            let now = self.clock.millis();
            heartbeat.beat(now);
            // With nothing to do, the wait has been as long.
            if is_over || events.waiting() == 0 || now.saturating_sub(published) >= PUBLISH_MILLIS {
                published = now;
                self.publish();
                self.queue.depth.set(i64::try_from(events.waiting()).unwrap_or(i64::MAX));
            }
            if is_over {
                break;
            }
        }
        // Last lines of what is open; the counts that are shared have been brought up to date but for these.
        self.alerting.end_capture(&self.nowhere);
        self.flush();
        self.publish();
        if self.log_lines_lost > 0 {
            tracing::warn!(lines = self.log_lines_lost, "lines of the flow log were lost");
        }
        (self.detector.verdicts(), self.alerting.counts(), self.alerting.incidents())
    }

    /// Verdicts follow each other without a gap, so that the end of one is the beginning of the next, and one look at the
    /// clock times both; after an alert or a line of the log the clock is looked at anew.
    fn judge_all(&mut self, batch: &[Told]) {
        let mut began = instant();
        for Told { record, is_end } in batch {
            let is_end = *is_end;
            let verdict = if is_end { self.detector.ended(record) } else { self.detector.open(record) };
            let ended = instant();
            self.durations.observe((ended - began).as_secs_f64());
            began = ended;
            if self.tell(record, is_end, verdict) {
                began = instant();
            }
        }
    }

    /// Books a verdict and tells of it where that is due; whether that took long.
    fn tell(&mut self, record: &FlowRecord, is_end: bool, verdict: Verdict) -> bool {
        if is_end {
            self.distances.observe(verdict.novelty.into());
            self.log(record, &verdict);
            if let Some(lake) = &mut self.lake {
                lake.push(record, self.detector.features(), self.profile, verdict);
            }
            if let Some(drift) = &mut self.drift {
                drift.observe(self.detector.features());
            }
        }
        let is_attack = matches!(self.policy.judge(&verdict), Judgement::Predicted(_));
        let flow = if is_end { record.facts() } else { record.facts_while_open() };
        let interface = self.interfaces.get(flow.interface).unwrap_or_else(|| Arc::clone(&self.nowhere));
        // What tells an attack is looked for only where a line is written.
        let Self { alerting, detector, .. } = self;
        let taken = alerting.take(&flow, || Exchange::of(record), &verdict, &interface, || detector.telling());
        if taken == (Taken::Waiting { early: true }) || self.alerting.waiting() >= LINES {
            self.flush();
        }
        is_attack || self.flow_log.is_some()
    }

    fn log(&mut self, record: &FlowRecord, verdict: &Verdict) {
        if let Some(log) = &mut self.flow_log {
            let features = self.detector.features();
            log.push(|line| flow_log::write_line(line, record, features, self.profile, self.model, verdict));
            if log.pending() >= LINES {
                self.log_lines_lost = self.log_lines_lost.saturating_add(log.flush().lost as u64);
            }
        }
    }

    /// Writes waiting lines, and measures how long after its flow's last packet each came.
    fn flush(&mut self) {
        if self.stop.take_reopen() {
            self.alerting.sink().reopen();
            if let Some(log) = &mut self.flow_log {
                log.reopen();
            }
        }
        if let Some(log) = &mut self.flow_log {
            self.log_lines_lost = self.log_lines_lost.saturating_add(log.flush().lost as u64);
        }
        if self.alerting.waiting() == 0 {
            return;
        }
        let sink = self.alerting.sink_name();
        let Self { alerting, metrics, by_label, novel_alerts, .. } = self;
        alerting.flush(|outcome| match outcome {
            Outcome::Written(told) => {
                let of_label = |label: LabelId| by_label.get(usize::from(label.0)).and_then(Option::as_ref);
                let alerts = told.label.map_or(Some(&*novel_alerts), of_label);
                if let Some(alerts) = alerts {
                    if told.early { alerts.early.inc() } else { alerts.emitted.inc() }
                }
                metrics.detection_latency.observe((wall_clock() - told.last).as_secs_f64().max(0.0));
            }
            Outcome::Lost(told, reason) if told.early => metrics.early_lost(sink, reason).inc(),
            Outcome::Lost(_, reason) => metrics.lost(sink, reason).inc(),
            Outcome::Incident(_, Step::Raised, None) => {}
            Outcome::Incident(_, _, None) => metrics.incident_updates.inc(),
            Outcome::Incident(_, _, Some(reason)) => metrics.incidents_lost(sink, reason).inc(),
        });
    }

    /// Brings the shared metrics up to date with the books.
    fn publish(&mut self) {
        self.durations.flush();
        self.distances.flush();
        let (verdicts, alerts) = (self.detector.verdicts(), self.alerting.counts());
        let incidents = self.alerting.incidents().unwrap_or_default();
        let before = std::mem::replace(&mut self.published, (verdicts.clone(), alerts, incidents));
        let (verdicts_before, alerts_before, incidents_before) = before;
        let metrics = &self.metrics;
        let labels = self.model.labels().iter();
        for ((label, now), before) in labels.zip(&verdicts.classified).zip(&verdicts_before.classified) {
            if now > before {
                metrics.classified(label).inc_by(now - before);
            }
        }
        metrics.features_nonfinite.inc_by(verdicts.non_finite - verdicts_before.non_finite);
        metrics.flows_novel.inc_by(alerts.novel - alerts_before.novel);
        metrics.alerts_predicted.inc_by(alerts.predicted - alerts_before.predicted);
        metrics.alerts_dedup_overflow.inc_by(alerts.dedup_overflow - alerts_before.dedup_overflow);
        if let Some(drift) = self.drift.as_mut().filter(|drift| drift.is_enough()) {
            drift.features().iter().for_each(|moved| metrics.set_drift(moved.feature, moved.index()));
            drift.fade();
        }
        if let Some(lake) = &mut self.lake {
            lake.publish(metrics);
        }
        metrics.publish_incidents(&incidents.evidence, &incidents_before.evidence);
        for reason in SuppressReason::ALL {
            let count = |counts: &AlertCounts| counts.suppressed.get(reason.index()).copied().unwrap_or(0);
            let more = count(&alerts) - count(&alerts_before);
            if more > 0 {
                metrics.suppressed(reason).inc_by(more);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an edge: how long a verdict takes")]
fn instant() -> Instant {
    Instant::now()
}

/// Lines gathered before a write.
const LINES: usize = 256;
