//! The 87-column CSV of FEATURES.md section 5, one row a flow, into a reused buffer.

use std::io::Write as _;
use std::net::IpAddr;

use super::number::{write_double, write_integer};
use super::schema::{FEATURES, FeatureId, IDENTITY_COLUMNS, Kind, LABEL_COLUMN, NO_LABEL};
use super::{FeatureVector, Profile};
use crate::flow::{FiveTuple, FlowRecord};
use crate::packet::Address;
use crate::time::Micros;

/// Appends the header line.
pub fn write_header(out: &mut Vec<u8>) {
    let features = FEATURES.iter().map(|feature| feature.column);
    let columns = IDENTITY_COLUMNS.into_iter().chain(features).chain([LABEL_COLUMN]);
    for (position, column) in columns.enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(column.as_bytes());
    }
    out.push(b'\n');
}

/// Appends one flow's row.
pub fn write_row(out: &mut Vec<u8>, record: &FlowRecord, features: &FeatureVector, profile: Profile) {
    write_flow_id(out, record, profile);
    out.push(b',');
    write_endpoints(out, &record.tuple);
    out.push(b',');
    write_timestamp(out, record.state.start);
    for id in FeatureId::all() {
        out.push(b',');
        write_value(out, features, id);
    }
    out.push(b',');
    out.extend_from_slice(NO_LABEL.as_bytes());
    out.push(b'\n');
}

/// `src-dst-sport-dport-protocol`: of the tuple that the reference's table stored (quirk Q6), or of the flow itself.
pub(super) fn write_flow_id(out: &mut Vec<u8>, record: &FlowRecord, profile: Profile) {
    let tuple = match profile {
        Profile::Cic => &record.stored_as,
        Profile::Standard => &record.tuple,
    };
    write_address(out, tuple.src);
    out.push(b'-');
    write_address(out, tuple.dst);
    for number in [tuple.src_port, tuple.dst_port, tuple.protocol.into()] {
        out.push(b'-');
        write_integer(out, number.into());
    }
}

fn write_endpoints(out: &mut Vec<u8>, tuple: &FiveTuple) {
    write_address(out, tuple.src);
    out.push(b',');
    write_integer(out, tuple.src_port.into());
    out.push(b',');
    write_address(out, tuple.dst);
    out.push(b',');
    write_integer(out, tuple.dst_port.into());
    out.push(b',');
    write_integer(out, tuple.protocol.into());
}

/// Appends one feature's value as its column prints it.
pub(super) fn write_value(out: &mut Vec<u8>, features: &FeatureVector, id: FeatureId) {
    let value = features.get(id);
    #[expect(clippy::cast_possible_truncation, reason = "integer columns hold whole numbers below 2^53")]
    match id.feature().kind {
        _ if features.is_undefined(id) => out.push(b'0'),
        Kind::Integer => write_integer(out, value as i64),
        Kind::Double => write_double(out, value),
    }
}

pub(super) fn write_address(out: &mut Vec<u8>, address: Address) {
    match address.to_ip() {
        IpAddr::V4(v4) => {
            for (position, octet) in v4.octets().into_iter().enumerate() {
                if position > 0 {
                    out.push(b'.');
                }
                write_integer(out, octet.into());
            }
        }
        // Writing to a vector cannot fail.
        IpAddr::V6(v6) => write!(out, "{v6}").unwrap_or_default(),
    }
}

/// `YYYY-MM-DD HH:MM:SS`, then no fraction, milliseconds, or microseconds, as the time needs (FEATURES.md section 5.2).
pub(super) fn write_timestamp(out: &mut Vec<u8>, time: Micros) {
    let civil = time.civil();
    write!(out, "{:04}", civil.year).unwrap_or_default();
    for (separator, number) in
        [(b'-', civil.month), (b'-', civil.day), (b' ', civil.hour), (b':', civil.minute), (b':', civil.second)]
    {
        out.push(separator);
        write_padded(out, number.into(), 2);
    }
    match civil.micros {
        0 => {}
        micros if micros % 1_000 == 0 => {
            out.push(b'.');
            write_padded(out, micros / 1_000, 3);
        }
        micros => {
            out.push(b'.');
            write_padded(out, micros, 6);
        }
    }
}

fn write_padded(out: &mut Vec<u8>, number: u32, width: usize) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number);
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(digits.len())));
    out.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_references() {
        let mut header = Vec::new();
        write_header(&mut header);
        let header = String::from_utf8(header).unwrap_or_default();
        assert_eq!(header.trim_end().split(',').count(), 87);
        assert!(header.starts_with("Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Flow Duration,"));
        assert!(header.ends_with(",Idle Min,Total TCP Flow Time,Label\n"));
    }

    #[test]
    fn timestamps_print_the_fraction_that_they_have() {
        for (micros, expected) in [
            (1_700_000_000_000_000, "2023-11-14 22:13:20"),
            (1_700_000_000_120_000, "2023-11-14 22:13:20.120"),
            (1_700_000_000_000_007, "2023-11-14 22:13:20.000007"),
        ] {
            let mut out = Vec::new();
            write_timestamp(&mut out, Micros(micros));
            assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
        }
    }
}
