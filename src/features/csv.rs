//! The 87-column CSV of FEATURES.md section 5, one row a flow, into a reused buffer.

use std::io::Write as _;
use std::net::IpAddr;

use super::number::{write_digits, write_double, write_integer};
use super::schema::{FEATURES, IDENTITY_COLUMNS, Kind, LABEL_COLUMN, NO_LABEL};
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

/// Appends one flow's row, which nobody has labelled.
pub fn write_row(out: &mut Vec<u8>, record: &FlowRecord, features: &FeatureVector, profile: Profile) {
    write_unlabelled(out, record, features, profile);
    out.extend_from_slice(NO_LABEL.as_bytes());
    out.push(b'\n');
}

/// Appends one flow's row up to the comma before its label.
pub fn write_unlabelled(out: &mut Vec<u8>, record: &FlowRecord, features: &FeatureVector, profile: Profile) {
    write_flow_id(out, record, profile);
    out.push(b',');
    write_endpoints(out, &record.tuple);
    out.push(b',');
    write_timestamp(out, record.state.start);
    write_values(out, features);
    out.push(b',');
}

/// Appends every feature's value as its column prints it, each behind a comma.
fn write_values(out: &mut Vec<u8>, features: &FeatureVector) {
    let mut undefined = features.undefined;
    for (feature, &value) in FEATURES.iter().zip(&features.values) {
        let has_value = undefined & 1 == 0;
        undefined >>= 1;
        #[expect(clippy::cast_possible_truncation, reason = "integer columns hold whole numbers below 2^53")]
        match feature.kind {
            Kind::Double if has_value && value.to_bits() == 0 => out.extend_from_slice(b",0.0"),
            Kind::Double if has_value => {
                out.push(b',');
                write_double(out, value);
            }
            Kind::Integer if has_value => {
                out.push(b',');
                write_integer(out, value as i64);
            }
            _ => out.extend_from_slice(b",0"),
        }
    }
}

/// `src-dst-sport-dport-protocol`: of the tuple that the reference's table stored (quirk Q6), or of the flow itself.
pub fn write_flow_id(out: &mut Vec<u8>, record: &FlowRecord, profile: Profile) {
    let tuple = match profile {
        Profile::Cic => record.stored_as(),
        Profile::Standard => record.tuple,
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
    match u32::try_from(civil.year) {
        Ok(year @ 0..10_000) => write_digits::<4>(out, year),
        // Writing to a vector cannot fail.
        _ => write!(out, "{:04}", civil.year).unwrap_or_default(),
    }
    for (separator, number) in
        [(b'-', civil.month), (b'-', civil.day), (b' ', civil.hour), (b':', civil.minute), (b':', civil.second)]
    {
        out.push(separator);
        write_digits::<2>(out, number.into());
    }
    match civil.micros {
        0 => {}
        micros if micros % 1_000 == 0 => {
            out.push(b'.');
            write_digits::<3>(out, micros / 1_000);
        }
        micros => {
            out.push(b'.');
            write_digits::<6>(out, micros);
        }
    }
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
