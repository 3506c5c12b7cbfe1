//! The flow log: every ended flow as one JSON line, with its features, its Community ID and the verdict.

use std::io::Write as _;

use crate::features::{FeatureVector, Profile, json};
use crate::flow::{FlowRecord, community_id};
use crate::model::{Model, Verdict};

/// Appends one flow's line.
pub(super) fn write_line(
    out: &mut Vec<u8>,
    record: &FlowRecord,
    features: &FeatureVector,
    profile: Profile,
    model: &Model,
    verdict: &Verdict,
) {
    json::write_line(out, record, features, profile, |out| {
        let Verdict { label, score, novelty, novel, .. } = verdict;
        let community_id = community_id(&record.tuple);
        let label = model.label_name(*label);
        // Writing to a vector cannot fail; labels are names of the taxonomy or of a checked artifact.
        write!(out, ",\"community_id\":\"{community_id}\",\"label\":").unwrap_or_default();
        serde_json::to_writer(&mut *out, label).unwrap_or_default();
        for (key, number) in [("score", *score), ("novelty", *novelty)] {
            write!(out, ",\"{key}\":{}", if number.is_finite() { number } else { 0.0 }).unwrap_or_default();
        }
        write!(out, ",\"novel\":{novel}").unwrap_or_default();
    });
}
