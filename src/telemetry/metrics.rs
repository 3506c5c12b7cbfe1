//! Every metric of the program, as typed handles on one registry of its own.
//!
//! Handles are shared and cheap to clone, but each update is an atomic operation on a shared line: workers add what
//! they counted once a batch, never once a packet. Label values come from fixed enums, the configuration or the
//! model, never from traffic.

use std::fmt::Write;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, TextEncoder};

use super::registrar::{Definition, Registrar};
use crate::alert::{Knowledge, ModelIdentity, SuppressReason};
use crate::evidence::EvidenceCounts;
use crate::features::FeatureId;
use crate::flow::EndReason;
use crate::model::EvidenceKind;
use crate::packet::{Tunnel, Unparsed};
use crate::privilege::{Confinement, Privileges};
use crate::sink::{LakeLoss, LossReason};
use crate::taxonomy::Severity;
use crate::time::Micros;

/// The metrics, and the registry that renders them.
#[derive(Debug)]
pub struct Metrics {
    registrar: Registrar,
    model_info: IntGaugeVec,
    capabilities: IntGaugeVec,
    sandbox: IntGaugeVec,
    packets_received: IntCounterVec,
    packets_dropped: IntCounterVec,
    packets_unparsed: IntCounterVec,
    packets_decapsulated: IntCounterVec,
    lake_lost: IntCounterVec,
    last_packet: GaugeVec,
    interface_up: IntGaugeVec,
    interface_reopens: IntCounterVec,
    duplicates_possible: IntGaugeVec,
    flows_ended: IntCounterVec,
    flows_classified: IntCounterVec,
    flows_unclassified: IntCounterVec,
    alerts_emitted: IntCounterVec,
    alerts_early: IntCounterVec,
    alerts_suppressed: IntCounterVec,
    alerts_lost: IntCounterVec,
    alerts_early_lost: IntCounterVec,
    incidents_raised: IntCounterVec,
    incidents_lost: IntCounterVec,
    queue_depth: IntGaugeVec,
    queue_capacity: IntGaugeVec,
    queue_dropped: IntCounterVec,
    feature_drift: GaugeVec,
    kubernetes_state: IntGaugeVec,
    kubernetes_objects: IntGaugeVec,
    kubernetes_refused: IntCounterVec,
    kubernetes_restarts: IntCounterVec,
    kubernetes_synced: GaugeVec,
    /// Bytes on the wire of the packets received.
    pub bytes_received: IntCounter,
    /// Flows in whole files of the lake.
    pub lake_written: IntCounter,
    /// Such files.
    pub lake_files: IntCounter,
    /// Copies of packets.
    pub packets_copies: IntCounter,
    /// Packets that gave way to others before copies of them had come.
    pub packets_forgotten: IntCounter,
    /// Packets of flows that had closed already.
    pub packets_late: IntCounter,
    /// Flows in the tables now.
    pub flows_active: IntGauge,
    /// Flows begun; each part of one that the active timeout cuts counts.
    pub flows_created: IntCounter,
    /// Verdicts asked for on flows that were still open.
    pub flows_early: IntCounter,
    /// Ended flows that are no attack and unlike anything benign.
    pub flows_novel: IntCounter,
    /// Feature values that were not finite and became 0.
    pub features_nonfinite: IntCounter,
    /// Ended flows that policy calls attacks.
    pub alerts_predicted: IntCounter,
    /// Alerts that passed without a dedup window because the table was full.
    pub alerts_dedup_overflow: IntCounter,
    /// Lines on incidents after their first.
    pub incident_updates: IntCounter,
    /// Incidents that go on.
    pub incidents_open: IntGauge,
    evidence_evicted: IntCounter,
    evidence_overflow: IntCounter,
    /// Time to classify one flow, seconds.
    pub classify_duration: Histogram,
    /// Time from a flow's last packet to its alert's line, seconds.
    pub detection_latency: Histogram,
    /// Distance of classified flows to the nearest benign point.
    pub novelty_distance: Histogram,
}

/// What one interface's reader updates.
#[derive(Clone, Debug)]
pub struct InterfaceMetrics {
    /// Packets received.
    pub received: IntCounter,
    /// Packets that the kernel dropped because the ring was full.
    pub dropped_kernel: IntCounter,
    /// Packets that the interface or its driver dropped.
    pub dropped_interface: IntCounter,
    /// 1 while the interface is being read.
    pub up: IntGauge,
    /// Times that it was opened again after it had gone.
    pub reopens: IntCounter,
    /// 1 if each packet may be seen more than once.
    pub duplicates_possible: IntGauge,
    last_packet: Gauge,
}

/// What is counted for the alerts of one label.
#[derive(Clone, Debug)]
pub struct AlertMetrics {
    /// Alerts written on ended flows.
    pub emitted: IntCounter,
    /// Alerts written on open flows.
    pub early: IntCounter,
}

/// What is counted of one kind of objects that the Kubernetes API is asked for.
#[derive(Clone, Debug)]
pub struct KubernetesMetrics {
    /// Objects that were not taken in: there are too many, or they are too large.
    pub refused: IntCounter,
    restarts: IntCounterVec,
    kind: &'static str,
    synced: Gauge,
}

/// What one queue's owner updates.
#[derive(Clone, Debug)]
pub struct QueueMetrics {
    /// Items waiting.
    pub depth: IntGauge,
    /// Items that fit.
    pub capacity: IntGauge,
    /// Items turned away because it was full.
    pub dropped: IntCounter,
}

impl Metrics {
    /// All metrics at zero, those of fixed label values present from the start.
    ///
    /// # Errors
    /// A name twice, or one that the format does not allow: a mistake in this file, found by its tests.
    #[rustfmt::skip]
    pub fn new() -> Result<Self, prometheus::Error> {
        let mut r = Registrar::default();
        let build_info = r.gauges("build_info", &["version"], "Constant 1; the labels name the running build.")?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let metrics = Self {
            model_info: r.gauges("model_info", &["name", "version", "sha256"], "Constant 1; the labels name the loaded model.")?,
            capabilities: r.gauges("capabilities", &["threads", "set"], "Capabilities held, by the kernel's sets: of the thread that opens captures (`opener`), and of all `others`.")?,
            sandbox: r.gauges("sandbox", &["part"], "1 if in force for all threads but the one that opens captures: `no_new_privs`, and what Landlock keeps them from: other `files` and programs, `tcp`, other `processes`, `udp`.")?,
            packets_received: r.counters("packets_received_total", &["interface"], "Packets received, by configured interface name or pattern.")?,
            packets_dropped: r.counters("packets_dropped_total", &["interface", "reason"], "Packets dropped before they were read: `kernel` because the capture ring was full, `interface` by the device or its driver.")?,
            packets_unparsed: r.counters("packets_unparsed_total", &["reason"], "Packets received that could not be read as IP packets.")?,
            packets_decapsulated: r.counters("packets_decapsulated_total", &["tunnel"], "Packets found inside those of a tunnel, in whose place they count; one inside of two counts for both.")?,
            packets_copies: r.counter("packets_copies_total", "Packets that were captured at a second place: the same one as on another interface. They are counted as received there, and in no flow.")?,
            packets_forgotten: r.counter("packets_copies_forgotten_total", "Packets forgotten for others while copies of them could still come; such a copy counts as a packet.")?,
            packets_late: r.counter("packets_late_total", "Packets of flows that had closed already; they open no flow.")?,
            bytes_received: r.counter("bytes_received_total", "Bytes on the wire of the packets received.")?,
            last_packet: r.real_gauges("last_packet_timestamp_seconds", &["interface"], "Capture time of the last packet, Unix time.")?,
            interface_up: r.gauges("interface_up", &["interface"], "Whether the interface is being read: 1 or 0.")?,
            interface_reopens: r.counters("interface_reopens_total", &["interface"], "Times that an interface was opened again after it had gone.")?,
            duplicates_possible: r.gauges("interface_duplicates_possible", &["interface"], "1 if a packet may be captured more than once there, as on `any`, where it passes several devices. With `capture.deduplicate` it is one packet all the same.")?,
            flows_active: r.gauge("flows_active", "Flows in the tables.")?,
            flows_created: r.counter("flows_created_total", "Flows begun; each part of a flow that the active timeout cuts counts.")?,
            flows_ended: r.counters("flows_ended_total", &["reason"], "Flows ended, by the reasons of IPFIX information element 136.")?,
            flows_early: r.counter("flows_early_total", "Verdicts on flows that were still open after the early-verdict time.")?,
            flows_classified: r.counters("flows_classified_total", &["label"], "Ended flows that got a verdict, by its label.")?,
            flows_unclassified: r.counters("flows_unclassified_total", &["reason"], "Ended flows that got no verdict.")?,
            flows_novel: r.counter("flows_novel_total", "Ended flows that are no attack by policy and unlike the model's benign traffic.")?,
            features_nonfinite: r.counter("features_nonfinite_total", "Feature values that were not finite and became 0 before classification.")?,
            classify_duration: r.histogram("classify_duration_seconds", CLASSIFY_BOUNDS, "Time to classify one flow.")?,
            novelty_distance: r.histogram("novelty_distance", NOVELTY_BOUNDS, "Distance of classified flows to the model's nearest benign point, in its transformed space.")?,
            feature_drift: r.real_gauges("feature_drift", &["feature"], "How far a feature of recent flows has moved from those that the model knows as benign: the population stability index, above 0.25 for moved. Absent below 1,000 flows, and with a model that does not say how its flows were spread.")?,
            alerts_predicted: r.counter("alerts_predicted_total", "Ended flows that policy calls attacks; equals emitted + suppressed + lost.")?,
            alerts_emitted: r.counters("alerts_emitted_total", &["label", "severity"], "Alerts written on ended flows.")?,
            alerts_early: r.counters("alerts_early_total", &["label", "severity"], "Alerts written on flows that were still open.")?,
            alerts_suppressed: r.counters("alerts_suppressed_total", &["reason"], "Ended flows called attacks that got no line of their own: `dedup`, `early` or `incident` says which line stands for them.")?,
            alerts_lost: r.counters("alerts_lost_total", &["sink", "reason"], "Alerts on ended flows that could not be written.")?,
            alerts_early_lost: r.counters("alerts_early_lost_total", &["sink", "reason"], "Alerts on open flows that could not be written; their flows' ends are judged anew.")?,
            alerts_dedup_overflow: r.counter("alerts_dedup_overflow_total", "Alerts written without a dedup window because the table of windows was full.")?,
            incidents_raised: r.counters("incidents_raised_total", &["kind"], "Incidents raised, by the kind of evidence; each stands for many flows.")?,
            incident_updates: r.counter("incident_updates_total", "Lines on incidents after their first: grown tenfold, or over.")?,
            incidents_lost: r.counters("incident_lines_lost_total", &["sink", "reason"], "Lines on incidents that could not be written; a first one is written anew.")?,
            incidents_open: r.gauge("incidents_open", "Incidents that go on.")?,
            evidence_evicted: r.counter("evidence_evicted_total", "Sources, pairs and services forgotten for others within their window because the table of evidence was full.")?,
            evidence_overflow: r.counter("evidence_overflow_total", "Incidents that were not raised, and open flows not looked at, because too many were open.")?,
            detection_latency: r.histogram("detection_latency_seconds", LATENCY_BOUNDS, "Time from a flow's last packet to its alert's line; a timeout's wait is part of it.")?,
            lake_written: r.counter("lake_flows_written_total", "Flows in files of the lake that are whole and on the disk.")?,
            lake_files: r.counter("lake_files_total", "Files of the lake that are whole.")?,
            lake_lost: r.counters("lake_flows_lost_total", &["reason"], "Judged flows that are not in the lake: `queue_full` because its writer was behind, `io` because they could not be written.")?,
            kubernetes_state: r.gauges("kubernetes_state", &["state"], "1 for what names in alerts are worth: `fresh`, `stale` (the API is away), `none`; no series where names are off.")?,
            kubernetes_objects: r.gauges("kubernetes_objects", &["kind"], "Objects of the Kubernetes API that are held; `departed_pods` are kept for flows that end late.")?,
            kubernetes_refused: r.counters("kubernetes_objects_refused_total", &["kind"], "Objects not taken in: `kubernetes.max_objects` are held, or one is too large.")?,
            kubernetes_restarts: r.counters("kubernetes_watch_restarts_total", &["kind", "reason"], "Lists and watches that ended and were begun anew; `ended` is the usual end of a watch after some minutes.")?,
            kubernetes_synced: r.real_gauges("kubernetes_last_sync_timestamp_seconds", &["kind"], "When what is held was last known to be what the cluster has, Unix time.")?,
            queue_depth: r.gauges("queue_depth", &["queue"], "Items waiting in a queue.")?,
            queue_capacity: r.gauges("queue_capacity", &["queue"], "Items that fit in a queue.")?,
            queue_dropped: r.counters("queue_dropped_total", &["queue"], "Items turned away because a queue was full.")?,
            registrar: r,
        };
        metrics.registrar.registry.register(Box::new(ProcessCollector::for_self()))?;
        Unparsed::ALL.iter().for_each(|&reason| drop(metrics.unparsed(reason)));
        Tunnel::ALL.iter().for_each(|&tunnel| drop(metrics.decapsulated(tunnel)));
        EndReason::ALL.iter().for_each(|&reason| drop(metrics.ended(reason)));
        SuppressReason::ALL.iter().for_each(|&reason| drop(metrics.suppressed(reason)));
        Ok(metrics)
    }

    /// Has every series whose labels are fixed stand at 0 from the start, so that a rate can be told from its first count;
    /// `sink` is where alerts go.
    pub fn begin(&self, sink: &'static str) {
        Unparsed::ALL.into_iter().for_each(|reason| drop(self.unparsed(reason)));
        Tunnel::ALL.into_iter().for_each(|tunnel| drop(self.decapsulated(tunnel)));
        EndReason::ALL.into_iter().for_each(|reason| drop(self.ended(reason)));
        SuppressReason::ALL.into_iter().for_each(|reason| drop(self.suppressed(reason)));
        for reason in LossReason::ALL {
            drop(self.lost(sink, reason));
            drop(self.early_lost(sink, reason));
            drop(self.incidents_lost(sink, reason));
        }
        EvidenceKind::ALL.into_iter().for_each(|kind| drop(self.incidents_raised(kind)));
    }

    /// The handles of one interface, by its configured name or pattern.
    #[must_use]
    pub fn interface(&self, name: &str) -> InterfaceMetrics {
        InterfaceMetrics {
            received: self.packets_received.with_label_values(&[name]),
            dropped_kernel: self.packets_dropped.with_label_values(&[name, "kernel"]),
            dropped_interface: self.packets_dropped.with_label_values(&[name, "interface"]),
            up: self.interface_up.with_label_values(&[name]),
            reopens: self.interface_reopens.with_label_values(&[name]),
            duplicates_possible: self.duplicates_possible.with_label_values(&[name]),
            last_packet: self.last_packet.with_label_values(&[name]),
        }
    }

    /// Ended flows that got a label of the model; ask once for each, when a model is loaded.
    #[must_use]
    pub fn classified(&self, label: &str) -> IntCounter {
        self.flows_classified.with_label_values(&[label])
    }

    /// The alerts of one label; ask once for each label that may raise one.
    #[must_use]
    pub fn alerts(&self, label: &str, severity: Severity) -> AlertMetrics {
        let values = [label, severity.name()];
        AlertMetrics {
            emitted: self.alerts_emitted.with_label_values(&values),
            early: self.alerts_early.with_label_values(&values),
        }
    }

    /// The handles of one queue.
    #[must_use]
    pub fn queue(&self, name: &'static str) -> QueueMetrics {
        QueueMetrics {
            depth: self.queue_depth.with_label_values(&[name]),
            capacity: self.queue_capacity.with_label_values(&[name]),
            dropped: self.queue_dropped.with_label_values(&[name]),
        }
    }

    /// The handles of one kind of objects of the Kubernetes API; `reasons` get their series at 0.
    #[must_use]
    pub fn kubernetes(&self, kind: &'static str, reasons: &[&'static str]) -> KubernetesMetrics {
        reasons.iter().for_each(|reason| drop(self.kubernetes_restarts.with_label_values(&[kind, reason])));
        KubernetesMetrics {
            refused: self.kubernetes_refused.with_label_values(&[kind]),
            restarts: self.kubernetes_restarts.clone(),
            kind,
            synced: self.kubernetes_synced.with_label_values(&[kind]),
        }
    }

    /// Tells what names are worth.
    pub fn set_kubernetes_state(&self, state: Knowledge) {
        for one in Knowledge::ALL {
            self.kubernetes_state.with_label_values(&[one.name()]).set((one == state).into());
        }
    }

    /// Tells how many objects of each kind are held.
    pub fn set_kubernetes_objects(&self, held: [(&'static str, usize); 3]) {
        for (kind, objects) in held {
            self.kubernetes_objects.with_label_values(&[kind]).set(i64::try_from(objects).unwrap_or(i64::MAX));
        }
    }

    /// Packets that could not be read, for a reason.
    #[must_use]
    pub fn unparsed(&self, reason: Unparsed) -> IntCounter {
        self.packets_unparsed.with_label_values(&[reason.name()])
    }

    /// Flows ended for a reason.
    #[must_use]
    pub fn ended(&self, reason: EndReason) -> IntCounter {
        self.flows_ended.with_label_values(&[reason.name()])
    }

    /// Flows that got no verdict; `reason` is a name that the program holds, never text from outside.
    #[must_use]
    pub fn unclassified(&self, reason: &'static str) -> IntCounter {
        self.flows_unclassified.with_label_values(&[reason])
    }

    /// Flows that are not in the lake, for a reason.
    #[must_use]
    pub fn lake_lost(&self, reason: LakeLoss) -> IntCounter {
        self.lake_lost.with_label_values(&[reason.name()])
    }

    /// Packets found inside those of a tunnel.
    #[must_use]
    pub fn decapsulated(&self, tunnel: Tunnel) -> IntCounter {
        self.packets_decapsulated.with_label_values(&[tunnel.name()])
    }

    /// Predicted attacks held back for a reason.
    #[must_use]
    pub fn suppressed(&self, reason: SuppressReason) -> IntCounter {
        self.alerts_suppressed.with_label_values(&[reason.name()])
    }

    /// Alerts on ended flows that a sink could not write.
    #[must_use]
    pub fn lost(&self, sink: &'static str, reason: LossReason) -> IntCounter {
        self.alerts_lost.with_label_values(&[sink, reason.name()])
    }

    /// Alerts on open flows that a sink could not write.
    #[must_use]
    pub fn early_lost(&self, sink: &'static str, reason: LossReason) -> IntCounter {
        self.alerts_early_lost.with_label_values(&[sink, reason.name()])
    }

    /// Incidents raised by a kind of evidence.
    #[must_use]
    pub fn incidents_raised(&self, kind: EvidenceKind) -> IntCounter {
        self.incidents_raised.with_label_values(&[kind.name()])
    }

    /// Lines on incidents that a sink could not write.
    #[must_use]
    pub fn incidents_lost(&self, sink: &'static str, reason: LossReason) -> IntCounter {
        self.incidents_lost.with_label_values(&[sink, reason.name()])
    }

    /// Brings what is shared up to date with what the stage of evidence counts.
    pub fn publish_incidents(&self, now: &EvidenceCounts, before: &EvidenceCounts) {
        for kind in EvidenceKind::ALL {
            let count = |counts: &EvidenceCounts| counts.raised.get(kind.index()).copied().unwrap_or(0);
            if count(now) > count(before) {
                self.incidents_raised(kind).inc_by(count(now) - count(before));
            }
        }
        self.incidents_open.set(i64::try_from(now.open).unwrap_or(i64::MAX));
        self.evidence_evicted.inc_by(now.evicted - before.evicted);
        let overflow = |counts: &EvidenceCounts| counts.overflow + counts.early_overflow;
        self.evidence_overflow.inc_by(overflow(now) - overflow(before));
    }

    /// Names the model that is running, in place of the one before.
    pub fn set_model(&self, model: &ModelIdentity) {
        self.model_info.reset();
        self.model_info.with_label_values(&[&model.name, &model.version, &model.sha256]).set(1);
    }

    /// Tells what the threads hold and are kept from.
    pub fn set_privileges(&self, privileges: &Privileges) {
        let of = [("others", Some(&privileges.threads)), ("opener", privileges.opener.as_ref())];
        for (threads, confinement) in of.into_iter().filter_map(|(threads, of)| Some((threads, of?))) {
            for (set, held) in confinement.capabilities.by_name() {
                self.capabilities.with_label_values(&[threads, set]).set(held.len().into());
            }
        }
        let Confinement { no_new_privs, sandbox, .. } = &privileges.threads;
        for (part, on) in [("no_new_privs", *no_new_privs)].into_iter().chain(sandbox.by_name()) {
            self.sandbox.with_label_values(&[part]).set(on.into());
        }
    }

    /// Publishes how far a feature has moved.
    pub fn set_drift(&self, feature: FeatureId, drift: f64) {
        self.feature_drift.with_label_values(&[feature.feature().key]).set(drift);
    }

    /// All metrics in the Prometheus text format.
    ///
    /// # Errors
    /// A metric that the format cannot express.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registrar.registry.gather())
    }

    /// Every metric of this program, in the order of the data path.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.registrar.definitions
    }

    /// The reference page of the metrics, Markdown.
    #[must_use]
    pub fn reference_page(&self) -> String {
        let mut page = String::from(PAGE_HEAD);
        for definition in self.definitions() {
            // Writing to a `String` cannot fail.
            writeln!(page, "{definition}").ok();
        }
        page
    }
}

impl InterfaceMetrics {
    /// Notes the capture time of the last packet of a batch.
    pub fn set_last_packet(&self, time: Micros) {
        self.last_packet.set(time.as_secs_f64());
    }
}

impl KubernetesMetrics {
    /// A list or a watch ended, for a reason that the program has a name for.
    pub fn restarted(&self, reason: &'static str) {
        self.restarts.with_label_values(&[self.kind, reason]).inc();
    }

    /// What is held is what the cluster has at this time.
    pub fn synced(&self, now: Micros) {
        self.synced.set(now.as_secs_f64());
    }
}

/// From a microsecond (a small index in cache) to a tenth of a second (something is wrong).
const CLASSIFY_BOUNDS: &[f64] = &[1e-6, 2.5e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 1e-1];
/// From a closing packet's few milliseconds to beyond the idle and active timeouts (60 s and 120 s by default).
const LATENCY_BOUNDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];
/// Transformed features lie between 0 and 1: distances of known traffic are far below 1.
const NOVELTY_BOUNDS: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0];

const PAGE_HEAD: &str = "\
# Metrics

<!-- Generated from the registry (src/telemetry/metrics.rs): UPDATE_DOCS=1 cargo test --test reference_pages -->

The admin server answers them at `/metrics` in the Prometheus text format, and so does `metrics.listen`, for scrapers alone. No label holds an address, a port or a
pod's name. Besides these there are the process metrics that every Prometheus client has (`process_cpu_seconds_total`,
`process_resident_memory_bytes`, `process_open_fds` ...).

These balance: received = parsed + unparsed packets, `flows_created_total` = ended + `flows_active`, ended = classified
+ unclassified flows, `alerts_predicted_total` = emitted + suppressed + lost. Workers publish what they counted once a
batch, so a scrape in the middle of a batch may be off by one batch.

| Name | Kind | Labels | Meaning |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    /// Every metric with a value.
    fn filled() -> Metrics {
        let metrics = Metrics::new().expect("names are unique and allowed");
        let interface = metrics.interface("eth.*");
        interface.received.inc_by(7);
        interface.set_last_packet(Micros(1_500_000));
        metrics.alerts("recon", Severity::Medium).emitted.inc();
        metrics.classified("benign").inc();
        metrics.queue("records").depth.set(3);
        metrics.unparsed(Unparsed::NotIp).inc_by(2);
        metrics.unclassified("no_model").inc();
        metrics.lake_lost(LakeLoss::Io).inc();
        metrics.lost("stdout", LossReason::Closed).inc();
        metrics.early_lost("stdout", LossReason::Closed).inc();
        metrics.incidents_lost("stdout", LossReason::Io).inc();
        metrics.incidents_raised(EvidenceKind::Ports).inc();
        metrics.set_privileges(&Privileges::default());
        metrics.set_kubernetes_state(Knowledge::Fresh);
        metrics.set_kubernetes_objects([("pods", 1), ("departed_pods", 0), ("services", 2)]);
        metrics.kubernetes("pods", &["ended"]).synced(Micros::from_secs(1));
        metrics.set_drift(FeatureId::new(0).expect("a feature"), 0.25);
        for name in ["old", "new"] {
            metrics.set_model(&ModelIdentity { name: name.into(), version: "1".into(), sha256: "ab".into() });
        }
        metrics.classify_duration.observe(3e-6);
        metrics
    }

    #[test]
    fn values_come_out_under_their_names() {
        let text = filled().render().expect("text");
        for line in [
            "flowshrike_packets_received_total{interface=\"eth.*\"} 7",
            "flowshrike_packets_unparsed_total{reason=\"not_ip\"} 2",
            "flowshrike_packets_unparsed_total{reason=\"ip_header\"} 0",
            "flowshrike_last_packet_timestamp_seconds{interface=\"eth.*\"} 1.5",
            "flowshrike_alerts_emitted_total{label=\"recon\",severity=\"medium\"} 1",
            "flowshrike_model_info{name=\"new\",sha256=\"ab\",version=\"1\"} 1",
            "flowshrike_capabilities{set=\"effective\",threads=\"others\"} 0",
            "flowshrike_sandbox{part=\"files\"} 0",
            "flowshrike_feature_drift{feature=\"flow_duration\"} 0.25",
            "flowshrike_classify_duration_seconds_bucket{le=\"0.000005\"} 1",
            concat!("flowshrike_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
        assert!(!text.contains("\"old\"") && text.contains("process_open_fds"));
    }

    #[test]
    fn drift_is_absent_until_it_is_measured() {
        let metrics = Metrics::new().expect("names are unique and allowed");
        assert!(!metrics.render().expect("text").contains("feature_drift"));
    }

    #[test]
    fn the_page_and_the_registry_name_the_same_metrics() {
        let metrics = filled();
        let families = metrics.registrar.registry.gather();
        let mut gathered: Vec<_> = families
            .iter()
            .map(prometheus::proto::MetricFamily::name)
            .filter(|name| name.starts_with("flowshrike_"))
            .collect();
        let mut defined: Vec<_> = metrics.definitions().iter().map(|d| d.name.as_str()).collect();
        gathered.sort_unstable();
        defined.sort_unstable();
        assert_eq!(gathered, defined);
    }

    #[test]
    fn promtool_is_content() {
        let check = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut promtool) = check else {
            eprintln!("skipped: no promtool here");
            return;
        };
        let text = filled().render().expect("text");
        let mut stdin = promtool.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).expect("promtool reads all");
        drop(stdin);
        let output = promtool.wait_with_output().expect("promtool ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    }
}
