//! From judged flows to rows of the lake.

use std::sync::Arc;

use crate::features::{FeatureVector, Profile};
use crate::flow::{EndReason, FlowRecord, community_id};
use crate::model::{Model, Verdict};
use crate::sink::{FlowValues, LakeCounts, LakeLoss, LakeRow, LakeSink, VerdictValues};
use crate::telemetry::{Metrics, QueueMetrics};

/// Hands ended flows to the lake, and tells the metrics how that goes.
pub(super) struct ToLake {
    sink: LakeSink,
    /// By the label's position.
    labels: Vec<Arc<str>>,
    /// Name and version, and SHA-256.
    model: [Arc<str>; 2],
    counts: Arc<LakeCounts>,
    queue: QueueMetrics,
    published: Published,
}

/// What the metrics have been told.
#[derive(Clone, Copy, Default)]
struct Published {
    written: u64,
    files: u64,
    lost: [u64; LakeLoss::ALL.len()],
}

impl ToLake {
    pub(super) fn new(sink: LakeSink, model: &Model, metrics: &Metrics) -> Self {
        LakeLoss::ALL.into_iter().for_each(|reason| drop(metrics.lake_lost(reason)));
        let queue = metrics.queue("lake");
        queue.capacity.set(i64::try_from(sink.waiting().1).unwrap_or(i64::MAX));
        Self {
            labels: model.labels().iter().map(|label| label.as_str().into()).collect(),
            model: [format!("{} {}", model.name(), model.version()).into(), model.sha256().into()],
            counts: sink.counts(),
            queue,
            published: Published::default(),
            sink,
        }
    }

    /// Takes an ended flow.
    pub(super) fn push(&mut self, record: &FlowRecord, features: &FeatureVector, profile: Profile, verdict: Verdict) {
        let flow = record.facts();
        let label = self.labels.get(usize::from(verdict.label.0)).cloned().unwrap_or_else(|| "".into());
        let verdict = VerdictValues {
            end: flow.end,
            end_reason: flow.end_reason.map_or("", EndReason::name),
            part: flow.part,
            community_id: community_id(&record.tuple).to_string(),
            label,
            verdict,
            model: self.model.clone(),
        };
        self.sink.push(LakeRow { flow: FlowValues::new(record, features.clone(), profile), verdict });
    }

    /// Hands on what has been gathered, and brings the metrics up to date.
    pub(super) fn publish(&mut self, metrics: &Metrics) {
        self.sink.hand_on();
        let counts = &self.counts;
        let now = Published {
            written: counts.written(),
            files: counts.files(),
            lost: LakeLoss::ALL.map(|reason| counts.lost(reason)),
        };
        let before = std::mem::replace(&mut self.published, now);
        metrics.lake_written.inc_by(now.written.saturating_sub(before.written));
        metrics.lake_files.inc_by(now.files.saturating_sub(before.files));
        for ((reason, now), before) in LakeLoss::ALL.into_iter().zip(now.lost).zip(before.lost) {
            if now > before {
                metrics.lake_lost(reason).inc_by(now - before);
            }
        }
        self.queue.depth.set(i64::try_from(self.sink.waiting().0).unwrap_or(i64::MAX));
    }
}
