//! Times as texts: the `Timestamp` column of flow CSVs, and RFC 3339.

use crate::time::{Civil, Micros};

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// A time without a zone where one is needed.
    #[error("it has no time zone: end it with `Z` for UTC, or with an offset such as `+03:00`")]
    NoZone,
    /// `dd/MM/yyyy hh:mm:ss AM`, which older meters print in the local time of their host.
    #[error(
        "this is the form of older CICFlowMeter versions, which print the local time of their host: rewrite the column \
         as `YYYY-MM-DD HH:MM:SS` in UTC"
    )]
    LocalTime,
    /// Nothing that looks like a time.
    #[error("a time is expected, as `2026-01-15 09:00:00.000461`")]
    Malformed,
}

/// Reads a cell of the `Timestamp` column: `YYYY-MM-DD HH:MM:SS[.fraction]`.
///
/// The column has no time zone. The CICFlowMeter version that made the Kubernetes data set, and this program, print UTC, and
/// UTC is what is read; a zone at the end, which other tools write, is heeded.
///
/// # Errors
/// A text of another form; the local times of older versions are told apart.
pub fn parse_column(text: &str) -> Result<Micros, TimestampError> {
    parse(text).map(|(time, _)| time).ok_or_else(|| {
        if text.bytes().filter(|&byte| byte == b'/').count() == 2 {
            TimestampError::LocalTime
        } else {
            TimestampError::Malformed
        }
    })
}

/// Reads a time with its zone, RFC 3339.
///
/// # Errors
/// A text of another form, or one without a zone.
pub fn parse_rfc3339(text: &str) -> Result<Micros, TimestampError> {
    match parse(text) {
        Some((time, true)) => Ok(time),
        Some((_, false)) => Err(TimestampError::NoZone),
        None => Err(TimestampError::Malformed),
    }
}

/// The time, and whether the text names a zone. Digits beyond microseconds are cut.
fn parse(text: &str) -> Option<(Micros, bool)> {
    let (date, rest) = text.split_at_checked(10)?;
    let of_day = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = of_day.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let (micros, zone) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    let small = |number: u32| u8::try_from(number).ok();
    let civil = Civil {
        year: year.into(),
        month: small(month)?,
        day: small(day)?,
        hour: small(hour)?,
        minute: small(minute)?,
        second: small(second)?,
        micros,
    };
    let local = civil.to_micros()?;
    let east = match zone {
        "" => return Some((local, false)),
        "Z" | "z" => Micros::ZERO,
        zone => offset(zone)?,
    };
    Some((local - east, true))
}

/// Three numbers of these widths.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u32; 3]> {
    let mut parts = text.split(separator);
    let mut found = [0; 3];
    for (slot, width) in found.iter_mut().zip(widths) {
        *slot = parts.next().filter(|part| part.len() == width).and_then(digits)?;
    }
    parts.next().is_none().then_some(found)
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Microseconds, and what follows the digits.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (fraction, rest) = text.split_at_checked(end)?;
    let six: String = fraction.chars().chain("00000".chars()).take(6).collect();
    (!fraction.is_empty()).then(|| Some((digits(&six)?, rest)))?
}

/// `+HH:MM`, or `+HHMM` as alerts and our JSON lines have it, as a span to the east.
fn offset(text: &str) -> Option<Micros> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1, rest),
        None => (-1, text.strip_prefix('-')?),
    };
    let parts = rest.split_once(':').or_else(|| rest.split_at_checked(2));
    let (hours, minutes) = parts.filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then(|| Micros::from_secs(sign * i64::from(hours * 3_600 + minutes * 60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_768_467_600_000_000;

    #[test]
    fn the_columns_forms_are_read_as_utc() {
        for (text, micros) in [
            ("2026-01-15 09:00:00", START),
            ("2026-01-15 09:00:00.120", START + 120_000),
            ("2026-01-15 09:00:00.000461", START + 461),
            ("2026-01-15T09:00:00.000461999Z", START + 461),
            ("2026-01-15 12:00:00+03:00", START),
            ("2026-01-15T09:00:00.000461+0000", START + 461),
        ] {
            assert_eq!(parse_column(text), Ok(Micros(micros)), "{text}");
        }
    }

    #[test]
    fn times_of_rules_need_a_zone() {
        assert_eq!(parse_rfc3339("2026-01-15T09:00:00Z"), Ok(Micros(START)));
        assert_eq!(parse_rfc3339("2026-01-15T07:30:00.5-01:30"), Ok(Micros(START + 500_000)));
        assert_eq!(parse_rfc3339("2026-01-15T09:00:00"), Err(TimestampError::NoZone));
    }

    #[test]
    fn other_texts_are_refused_and_local_times_told_apart() {
        assert_eq!(parse_column("19/03/2023 02:12:11 PM"), Err(TimestampError::LocalTime));
        for text in [
            "",
            "2026-01-15",
            "2026-02-30 00:00:00",
            "2026-01-15 9:00:00",
            "2026-01-15 09:00:00.",
            "2026-01-15 09:00:00+3",
            "2026-01-15 09:00:00+030",
            "2026-01-15 09:00:00+03:0",
            "2026-01-15 09:00:00 UTC",
            "2026-01-15_09:00:00",
            "+026-01-15 09:00:00",
            "2026-01-1\u{e9}09:00:00",
            "1768467600",
        ] {
            assert_eq!(parse_column(text), Err(TimestampError::Malformed), "{text}");
        }
    }
}
