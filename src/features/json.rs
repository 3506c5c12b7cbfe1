//! One flow as a JSON object on one line: the same values as the CSV by their schema keys, and what a CSV has no column for.

use std::io::Write as _;

use super::csv::{write_address, write_flow_id};
use super::number::write_integer;
use super::schema::{FeatureId, Kind};
use super::{FeatureVector, Profile};
use crate::flow::FlowRecord;

/// Appends one flow's line; `more` may append further members, each with its comma. A value that JSON cannot hold
/// (the `cic` profile's NaN and infinities) is `null`.
pub fn write_line(
    out: &mut Vec<u8>,
    record: &FlowRecord,
    features: &FeatureVector,
    profile: Profile,
    more: impl FnOnce(&mut Vec<u8>),
) {
    let (tuple, state) = (&record.tuple, &record.state);
    // Writing to a vector cannot fail.
    write!(out, "{{\"flow_id\":{},\"flow_key\":\"", record.flow_id()).unwrap_or_default();
    write_flow_id(out, record, profile);
    out.extend_from_slice(b"\",\"src_ip\":\"");
    write_address(out, tuple.src);
    out.extend_from_slice(b"\",\"dst_ip\":\"");
    write_address(out, tuple.dst);
    out.push(b'"');
    for (key, number) in [
        ("src_port", i64::from(tuple.src_port)),
        ("dst_port", i64::from(tuple.dst_port)),
        ("protocol", i64::from(tuple.protocol)),
        ("part", i64::from(state.part)),
        ("out_of_order_packets", i64::from(state.out_of_order)),
    ] {
        write_key(out, key);
        write_integer(out, number);
    }
    write!(
        out,
        ",\"start\":\"{}\",\"end\":\"{}\",\"end_reason\":\"{}\",\"profile\":\"{profile}\"",
        state.start.civil(),
        state.last.civil(),
        record.end.name(),
    )
    .unwrap_or_default();
    for id in FeatureId::all() {
        let feature = id.feature();
        write_key(out, feature.key);
        let value = features.get(id);
        #[expect(clippy::cast_possible_truncation, reason = "integer columns hold whole numbers below 2^53")]
        match feature.kind {
            _ if features.is_undefined(id) || !value.is_finite() => out.extend_from_slice(b"null"),
            Kind::Integer => write_integer(out, value as i64),
            Kind::Double => out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes()),
        }
    }
    more(out);
    out.extend_from_slice(b"}\n");
}

fn write_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}
