//! Amounts as people write them: bytes, spans of time, whole numbers, fractions; and back for messages.

use crate::time::Micros;

/// Bytes: a bare number, or one with B, kB, MB, GB (powers of 1,000) or KiB, MiB, GiB (powers of 1,024).
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let scale = BYTE_UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)).map(|&(_, scale)| scale);
    let (Ok(number), Some(scale)) = (number.parse::<f64>(), scale.or_else(|| unit.is_empty().then_some(1))) else {
        return Err(format!("`{text}` is no amount of bytes; write it as 64MiB, 64MB or 65536"));
    };
    #[expect(clippy::cast_precision_loss, reason = "a unit is a power that a double holds")]
    whole(number * scale as f64).ok_or_else(|| format!("`{text}` is not a whole number of bytes"))
}

/// A span of time: numbers with us, ms, s, m or h, one after another (`1m30s`); a bare 0 is a span too.
pub(crate) fn parse_duration(text: &str) -> Result<Micros, String> {
    let wrong = || format!("`{text}` is no span of time; write it with a unit, as 50ms, 120s, 2m or 1h");
    if text == "0" {
        return Ok(Micros::ZERO);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(letters);
        let scale = TIME_UNITS.iter().find(|(name, _)| *name == unit).map(|&(_, scale)| scale).ok_or_else(wrong)?;
        let number: f64 = number.parse().map_err(|_| wrong())?;
        #[expect(clippy::cast_precision_loss, reason = "a unit is a number that a double holds")]
        let part = whole(number * scale as f64).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = next;
    }
    if text.is_empty() {
        return Err(wrong());
    }
    i64::try_from(total).map(Micros).map_err(|_| wrong())
}

/// A whole number; groups may be set apart by `_` or `,`.
pub(super) fn parse_integer(text: &str) -> Result<u64, String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    digits.parse().map_err(|_| format!("`{text}` is no whole number"))
}

/// A number from 0 to 1.
pub(super) fn parse_fraction(text: &str) -> Result<f32, String> {
    let number = text.parse::<f32>().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| format!("`{text}` is no number from 0 to 1"))
}

/// The shortest way to write an amount of bytes exactly.
pub(super) fn format_bytes(bytes: u64) -> String {
    let binary = BYTE_UNITS.iter().rev().filter(|(name, _)| name.contains('i'));
    let unit = binary.into_iter().find(|&&(_, scale)| bytes >= scale && bytes.is_multiple_of(scale));
    unit.map_or_else(|| format!("{bytes}B"), |&(name, scale)| format!("{}{name}", bytes / scale))
}

/// The shortest way to write a span of time exactly.
pub(super) fn format_duration(span: Micros) -> String {
    let micros = span.0.unsigned_abs();
    let unit = TIME_UNITS.iter().rev().find(|&&(_, scale)| micros >= scale && micros.is_multiple_of(scale));
    unit.map_or_else(|| "0s".to_owned(), |&(name, scale)| format!("{}{name}", micros / scale))
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    (number, unit.trim())
}

/// A non-negative double as a whole number, if it is one.
fn whole(value: f64) -> Option<u64> {
    // The nearest whole number, for 1.1s is not exact in binary; beyond 2^53 doubles skip whole numbers.
    let rounded = value.round();
    let near = (value - rounded).abs() <= 1e-6 && (0.0..=EXACT).contains(&rounded);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 2^53")]
    near.then_some(rounded as u64)
}

const BYTE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

const TIME_UNITS: [(&str, u64); 5] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];

/// 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_as_people_write_them() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("65536", Some(65_536)),
            ("64MiB", Some(64 << 20)),
            ("64 mib", Some(64 << 20)),
            ("1.5GB", Some(1_500_000_000)),
            ("64M", None),
            ("MiB", None),
            ("-1", None),
            ("0.3B", None),
            ("1e9", None),
            ("99999999999GiB", None),
            ("", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, span) in [
            ("0", Some(0)),
            ("50ms", Some(50_000)),
            ("120s", Some(120_000_000)),
            ("1.1s", Some(1_100_000)),
            ("1m30s", Some(90_000_000)),
            ("1h", Some(3_600_000_000)),
            ("7us", Some(7)),
            ("50", None),
            ("s", None),
            ("5 s", None),
            ("-5s", None),
            ("1d", None),
            ("1s2", None),
            ("0.1us", None),
            ("", None),
        ] {
            assert_eq!(parse_duration(text).ok(), span.map(Micros), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number in 0u64..1 << 52) {
            prop_assert_eq!(parse_bytes(&format_bytes(number)), Ok(number));
            let span = Micros(i64::try_from(number).expect("52 bits"));
            prop_assert_eq!(parse_duration(&format_duration(span)), Ok(span));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            parse_bytes(&text).ok();
            parse_duration(&text).ok();
            parse_integer(&text).ok();
            parse_fraction(&text).ok();
        }
    }
}
