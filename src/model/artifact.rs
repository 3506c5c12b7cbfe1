//! The model file: two lines of text, a header with a checksum and a payload, both JSON. No code, no time of day.
//!
//! ```text
//! {"format":"flowshrike-model","format_version":2,"payload_sha256":"…","payload_bytes":123}
//! {"name":"…","version":"…",…}
//! ```
//! Reading trusts nothing: header, length and checksum are checked here, then `parts` checks what the payload says. The
//! same parts always give the same bytes. Bytes come from the caller; nothing here opens a file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Model;
use super::digest::sha256_hex;
use super::error::{ArtifactError, FORMAT_VERSION, MAX_BYTES};
use super::older::PartsV1;
use super::parts::{ModelParts, assemble};

/// First line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    format_version: u32,
    payload_sha256: String,
    payload_bytes: u64,
}

/// The two lines of a model.
pub(super) fn write(parts: &ModelParts) -> Result<Vec<u8>, ArtifactError> {
    let payload = serde_json::to_vec(parts)?;
    let header = Header {
        format: FORMAT.to_owned(),
        format_version: FORMAT_VERSION,
        payload_sha256: sha256_hex(&payload),
        payload_bytes: payload.len() as u64,
    };
    let mut bytes = serde_json::to_vec(&header)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&payload);
    bytes.push(b'\n');
    Ok(bytes)
}

/// Checks the two lines, then all that they say.
pub(super) fn read(bytes: &[u8]) -> Result<Model, ArtifactError> {
    if bytes.len() > MAX_BYTES {
        return Err(ArtifactError::TooLarge(bytes.len()));
    }
    let (version, payload) = checked_payload(bytes)?;
    let parts = match version {
        1 => serde_json::from_slice::<PartsV1>(payload)?.today()?,
        _ => serde_json::from_slice::<ModelParts>(payload)?,
    };
    assemble(parts, Arc::from(sha256_hex(bytes)))
}

/// The format's version and the payload line, once header, length and checksum agree.
fn checked_payload(bytes: &[u8]) -> Result<(u32, &[u8]), ArtifactError> {
    let first_line = bytes.iter().take(MAX_HEADER).position(|&byte| byte == b'\n');
    let (line, rest) = first_line
        .and_then(|end| bytes.split_at_checked(end))
        .ok_or(ArtifactError::NotAModel("its first line is not a header"))?;
    // The version is looked for first and alone: a newer header may have fields that this program does not know.
    let any: serde_json::Value =
        serde_json::from_slice(line).map_err(|_| ArtifactError::NotAModel("its first line is not JSON"))?;
    if any.get("format").and_then(|format| format.as_str()) != Some(FORMAT) {
        return Err(ArtifactError::NotAModel("its first line does not say so"));
    }
    let version = any.get("format_version").and_then(serde_json::Value::as_u64).and_then(|v| u32::try_from(v).ok());
    let version = version.ok_or(ArtifactError::NotAModel("its header has no format version"))?;
    match version {
        0 => return Err(ArtifactError::NoSuchVersion(0)),
        1..=FORMAT_VERSION => {}
        found => return Err(ArtifactError::Newer { found }),
    }
    let header: Header = serde_json::from_slice(line).map_err(|_| ArtifactError::NotAModel("its header is damaged"))?;
    if serde_json::to_vec(&header)? != line {
        return Err(ArtifactError::NotAModel("its header is damaged"));
    }
    let [b'\n', payload @ .., b'\n'] = rest else {
        return Err(ArtifactError::Length { expected: header.payload_bytes, found: rest.len() as u64 });
    };
    if payload.len() as u64 != header.payload_bytes {
        return Err(ArtifactError::Length { expected: header.payload_bytes, found: payload.len() as u64 });
    }
    let found = sha256_hex(payload);
    if found != header.payload_sha256 {
        return Err(ArtifactError::Checksum { expected: header.payload_sha256, found });
    }
    Ok((version, payload))
}

/// What the header calls the format.
const FORMAT: &str = "flowshrike-model";
/// A header has about 150 bytes; whoever reads another file as a model hears so without a search for a line end.
const MAX_HEADER: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Profile;
    use crate::model::parts::tests::{evidence, example, example_with, knn, maps};

    /// The artifact with a header that is right for a changed payload or version.
    fn with_header(version: u32, payload: &[u8]) -> Vec<u8> {
        let header = format!(
            r#"{{"format":"flowshrike-model","format_version":{version},"payload_sha256":"{}","payload_bytes":{}}}"#,
            sha256_hex(payload),
            payload.len()
        );
        [header.as_bytes(), b"\n", payload, b"\n"].concat()
    }

    #[test]
    fn a_model_survives_the_round_trip_byte_for_byte() {
        let bytes = write(&example()).expect("encodes");
        let model = read(&bytes).expect("a valid model");
        assert_eq!(model.to_bytes().expect("encodes"), bytes);
        assert_eq!(model.parts(), &example());
        assert_eq!(model.sha256(), sha256_hex(&bytes));
        assert_eq!((model.name(), model.engine(), model.profile()), ("example", "knn", Profile::Cic));
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 2);
    }

    #[test]
    fn thresholds_of_evidence_are_kept_and_a_model_without_them_reads_and_writes_as_before() {
        let with = write(&example_with(|parts| evidence(parts).long_window = 300)).expect("encodes");
        let model = read(&with).expect("a valid model");
        assert_eq!(model.to_bytes().expect("encodes"), with);
        let kinds = &model.evidence().expect("thresholds").kinds;
        assert_eq!(kinds[&crate::model::EvidenceKind::Ports].least, 12.0);
        let text = String::from_utf8(with).expect("text");
        assert!(text.contains(r#""evidence":{"short_window":10,"#), "{text}");
        let without = write(&example()).expect("encodes");
        assert!(read(&without).expect("a valid model").evidence().is_none());
        assert!(!String::from_utf8(without).expect("text").contains("evidence"));
        let other = text.lines().nth(1).expect("a payload").replace(r#""ports":"#, r#""pports":"#);
        let error = read(&with_header(2, other.as_bytes())).expect_err("an unknown kind").to_string();
        assert!(error.contains("pports"), "{error}");
    }

    #[test]
    fn the_embedded_model_is_valid() {
        let model = Model::embedded().expect("the embedded model");
        assert_eq!(model.sha256(), sha256_hex(super::super::EMBEDDED));
        assert_eq!(model.to_bytes().expect("encodes"), super::super::EMBEDDED);
        assert!(model.serves(Profile::Standard).is_ok());
    }

    #[test]
    fn every_changed_byte_and_every_truncation_is_refused() {
        let bytes = write(&example()).expect("encodes");
        for at in 0..bytes.len() {
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                assert!(read(&damaged).is_err(), "byte {at} ^ {change:#x}");
            }
            assert!(read(&bytes[..at]).is_err(), "cut to {at} bytes");
        }
        assert!(read(&[&bytes[..], b"\n"].concat()).is_err());
        assert!(read(&[&bytes[..], b"x"].concat()).is_err());
    }

    #[test]
    fn another_version_or_file_is_refused_in_clear_words() {
        let payload = serde_json::to_vec(&example()).expect("encodes");
        assert!(read(&with_header(2, &payload)).is_ok());
        let newer = read(&with_header(3, &payload)).expect_err("newer").to_string();
        assert!(newer.contains("version 3 is newer") && newer.contains("update flowshrike"), "{newer}");
        assert!(matches!(read(&with_header(0, &payload)), Err(ArtifactError::NoSuchVersion(0))));
        for other in [&b""[..], b"\n\n", b"{}\n{}\n", b"PK\x03\x04", b"null\n", &[b'x'; 10_000]] {
            assert!(matches!(read(other), Err(ArtifactError::NotAModel(_))));
        }
        assert!(matches!(read(&with_header(2, b"{}")), Err(ArtifactError::Payload(_))));
        let extra = [&payload[..payload.len() - 1], br#","more":1}"#].concat();
        assert!(matches!(read(&with_header(2, &extra)), Err(ArtifactError::Payload(_))));
    }

    #[test]
    fn numbers_that_json_cannot_hold_are_refused() {
        let change: [fn(&mut ModelParts); 4] = [
            |p| knn(p).points[0][0] = f32::NAN,
            |p| p.novelty.threshold = f32::INFINITY,
            |p| maps(p)[0].knots[0] = f32::NEG_INFINITY,
            |p| {
                p.metrics.insert("x".to_owned(), f64::NAN);
            },
        ];
        for change in change {
            assert!(Model::from_parts(&example_with(change)).is_err());
        }
        let payload = String::from_utf8(serde_json::to_vec(&example()).expect("encodes")).expect("text");
        let huge = payload.replace("\"threshold\":0.25", "\"threshold\":1e300");
        assert_ne!(huge, payload);
        assert!(read(&with_header(2, huge.as_bytes())).is_err());
    }
}
