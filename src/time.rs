//! Time as the whole crate counts it: whole microseconds, from packets, never from the system clock.
//!
//! [`Micros`] is a point in time (since the Unix epoch) or a span; the layers above read it from
//! packets and from the edges, which alone look at a clock.

use std::fmt;
use std::ops::{Add, Sub};

/// Microseconds: a time since 1970-01-01 00:00:00 UTC, or a span between two such times.
///
/// Arithmetic saturates: a capture file may hold any 64-bit time, and a wrapped gap would be a wrong feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

impl Micros {
    /// No time at all; also the epoch.
    pub const ZERO: Self = Self(0);

    /// The largest magnitude that a file reader hands on; sums and differences of two such times fit 64 bits.
    pub const LIMIT: Self = Self(1 << 61);

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: i64) -> Self {
        Self(milliseconds.saturating_mul(1_000))
    }

    /// The time as seconds, with a fraction.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds for people and gauges; 53 bits hold microseconds until the year 2255"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The same time, held within ±[`Micros::LIMIT`].
    #[must_use]
    pub fn clamped(self) -> Self {
        Self(self.0.clamp(-Self::LIMIT.0, Self::LIMIT.0))
    }

    /// The calendar date and time of day in UTC.
    #[must_use]
    pub fn civil(self) -> Civil {
        Civil::from_micros(self.0)
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// A UTC date and time of day, to the microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Gregorian year, astronomical numbering.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub micros: u32,
}

impl Civil {
    /// Days to civil date by Howard Hinnant's `civil_from_days`, exact over the whole range of [`Micros`].
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "each value is a remainder of the small divisor on its line"
    )]
    fn from_micros(micros: i64) -> Self {
        let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let shifted = days + 719_468; // days since 0000-03-01
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (of_year - (153 * march_month + 2) / 5 + 1) as u8,
            hour: (of_day / 3_600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
            micros: fraction as u32,
        }
    }
}

impl Civil {
    /// The time since the epoch; `None` for a date that the calendar has not, or a time of day that the clock has not.
    ///
    /// Civil date to days by Howard Hinnant's `days_from_civil`. A leap second is none of this calendar.
    #[must_use]
    pub fn to_micros(&self) -> Option<Micros> {
        let Self { year, month, day, hour, minute, second, micros } = *self;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_of_month = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        // Years beyond would leave the range of microseconds.
        if !(1..=days_of_month).contains(&day) || !(-99_999..=99_999).contains(&year) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 || micros > 999_999 {
            return None;
        }
        let shifted = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
        let march_month = i64::from(month + 9) % 12;
        let of_year = (153 * march_month + 2) / 5 + i64::from(day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        let seconds = days * 86_400 + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
        Some(Micros(seconds * 1_000_000 + i64::from(micros)))
    }

    /// What `Display` writes, for a year of four digits: without the formatter, which takes longer than the rest of a
    /// line of text.
    #[must_use]
    pub fn ascii(&self) -> Option<[u8; 31]> {
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        let mut put = |from: usize, digits: usize, mut number: u32| {
            for place in text.iter_mut().skip(from).take(digits).rev() {
                *place = place.saturating_add(u8::try_from(number % 10).unwrap_or_default());
                number /= 10;
            }
        };
        put(0, 4, u32::try_from(self.year).ok().filter(|year| *year < 10_000)?);
        for (from, number) in [(5, self.month), (8, self.day), (11, self.hour), (14, self.minute), (17, self.second)] {
            put(from, 2, number.into());
        }
        put(20, 6, self.micros);
        Some(text)
    }
}

/// `YYYY-MM-DDTHH:MM:SS.ffffff+0000`, the form of Suricata's EVE records.
impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, micros } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}+0000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_of_known_instants() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000+0000"),
            (1_700_000_000_000_001, "2023-11-14T22:13:20.000001+0000"),
            (-1, "1969-12-31T23:59:59.999999+0000"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000+0000"),
            (4_102_444_799_999_999, "2099-12-31T23:59:59.999999+0000"),
        ] {
            let civil = Micros(micros).civil();
            assert_eq!(civil.to_string(), text);
            assert_eq!(civil.to_micros(), Some(Micros(micros)));
            assert_eq!(civil.ascii().map(|ascii| ascii.to_vec()), Some(text.as_bytes().to_vec()));
        }
    }

    #[test]
    fn dates_go_to_micros_and_back_and_others_are_none() {
        for day in -40_000..60_000 {
            let time = Micros(day * 86_400_000_000 + 12_345_678_901);
            assert_eq!(time.civil().to_micros(), Some(time));
        }
        let date = Civil { year: 2023, month: 2, day: 28, hour: 23, minute: 59, second: 59, micros: 999_999 };
        assert!(date.to_micros().is_some());
        for wrong in [
            Civil { day: 29, ..date },
            Civil { day: 0, ..date },
            Civil { month: 0, ..date },
            Civil { month: 13, ..date },
            Civil { hour: 24, ..date },
            Civil { second: 60, ..date },
            Civil { year: i64::MAX, ..date },
        ] {
            assert_eq!(wrong.to_micros(), None, "{wrong:?}");
        }
    }

    #[test]
    fn arithmetic_saturates_at_the_ends() {
        assert_eq!(Micros(i64::MAX) + Micros(1), Micros(i64::MAX));
        assert_eq!(Micros(i64::MIN) - Micros(1), Micros(i64::MIN));
    }
}
