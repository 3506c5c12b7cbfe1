//! The flow log: every ended flow as one JSON line, with its features, its Community ID and the verdict.

use std::io::Write as _;

use crate::features::{FeatureVector, Profile, json};
use crate::flow::{FlowRecord, community_id};
use crate::model::{Model, Verdict, line};

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
        // Writing to a vector cannot fail.
        write!(out, ",\"community_id\":\"{}\",", community_id(&record.tuple)).unwrap_or_default();
        line::write_members(out, model.label_name(verdict.label), verdict);
    });
}
