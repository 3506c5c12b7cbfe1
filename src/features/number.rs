//! Numbers as the reference prints them: Java's `Double.toString` (FEATURES.md section 5.1), shortest digits.

/// Appends an integer in decimal.
#[inline]
pub(super) fn write_integer(out: &mut Vec<u8>, value: i64) {
    match u32::try_from(value) {
        Ok(digit @ 0..10) => write_digits::<1>(out, digit),
        Ok(number @ 10..EIGHT_DIGITS) => write_short(out, number, b""),
        _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// Appends a number of one to eight digits and what follows it.
///
/// Rows are full of them. Eight bytes are made at once in a register, without a loop or a look-up, and appended in a
/// move of fixed length, which costs a third of `itoa` and a copy of unknown length.
#[inline]
fn write_short<const N: usize>(out: &mut Vec<u8>, number: u32, suffix: &[u8; N]) {
    let digits = eight_digits(number);
    let zeros = (digits.trailing_zeros() / 8).min(7);
    let kept = 8_usize.saturating_sub(zeros as usize);
    let end = out.len().saturating_add(kept);
    out.extend_from_slice(&((digits | ASCII_ZEROS) >> (8 * zeros)).to_le_bytes());
    out.truncate(end);
    out.extend_from_slice(suffix);
}

/// Appends the last `N` of a number's eight digits.
#[inline]
pub(super) fn write_digits<const N: usize>(out: &mut Vec<u8>, number: u32) {
    let ascii = (eight_digits(number) | ASCII_ZEROS).to_le_bytes();
    out.extend_from_slice(ascii.last_chunk::<N>().unwrap_or(&[b'0'; N]));
}

/// The eight decimal digits of a number below 10⁸, a byte each, the first in the lowest.
///
/// Divides two halves of a register at once, by multiplications whose errors are below one for numbers this small
/// (Paul Khuong, "How to print integers really fast", 2017).
const fn eight_digits(number: u32) -> u64 {
    let (high, low) = ((number / 10_000) as u64, (number % 10_000) as u64);
    let fours = high | low << 32;
    let hundreds = (fours * 10_486) >> 20 & 0x0000_007f_0000_007f;
    let twos = hundreds + ((fours - 100 * hundreds) << 16);
    let tens = (twos * 103) >> 10 & 0x000f_000f_000f_000f;
    tens + ((twos - 10 * tens) << 8)
}

/// Appends a double as Java does: at least one decimal; `1.0E7` style from 10⁷ up and below 10⁻³.
pub(super) fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.to_bits() == 0 {
        return out.extend_from_slice(b"0.0");
    }
    if value.is_nan() {
        return out.extend_from_slice(b"NaN");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
    // Most cells are whole: counts, lengths, gaps of a single packet.
    if WHOLE.contains(&value) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 10^7")]
        let whole = value as u32;
        if f64::from(whole) == value {
            return write_short(out, whole, b".0");
        }
    }
    let mut buffer = zmij::Buffer::new();
    let shortest = buffer.format_finite(value);
    if value == 0.0 || PLAIN.contains(&value.abs()) {
        return out.extend_from_slice(shortest.as_bytes());
    }
    write_scientific(out, shortest);
}

/// Rewrites a decimal such as `12345678.9`, `0.00012` or `1.5e20` as `1.23456789E7`, `1.2E-4`, `1.5E20`.
fn write_scientific(out: &mut Vec<u8>, shortest: &str) {
    let (sign, rest) = shortest.strip_prefix('-').map_or(("", shortest), |rest| ("-", rest));
    let (decimal, exponent) = rest.split_once('e').unwrap_or((rest, "0"));
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    let leading_zeros = digits().take_while(|&digit| digit == b'0').count();
    let significant = || digits().skip(leading_zeros);
    let trailing_zeros = digits().rev().take_while(|&digit| digit == b'0').count();
    let kept = digits().count().saturating_sub(leading_zeros).saturating_sub(trailing_zeros);
    let places = |n: usize| i64::try_from(n).unwrap_or_default();
    let exponent = exponent.parse::<i64>().unwrap_or_default() + places(whole.len()) - places(leading_zeros) - 1;

    out.extend_from_slice(sign.as_bytes());
    out.extend(significant().take(1));
    out.push(b'.');
    if kept > 1 {
        out.extend(significant().take(kept).skip(1));
    } else {
        out.push(b'0');
    }
    out.push(b'E');
    write_integer(out, exponent);
}

/// One more than the greatest number of eight digits.
const EIGHT_DIGITS: u32 = 100_000_000;
/// The digit 0 in each byte.
const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;
/// Numbers that are printed as an integer with `.0` behind it where they are whole; 0 is not among them, for the sake of −0.
const WHOLE: std::ops::Range<f64> = 1.0..1e7;
/// Magnitudes that are printed without an exponent.
const PLAIN: std::ops::Range<f64> = 1e-3..1e7;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_double(&mut out, value);
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn doubles_read_as_java_prints_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (17.833_333_333_333_332, "17.833333333333332"),
            (-60.0, "-60.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (-1.991_895_113_230_036e7, "-1.991895113230036E7"),
            (0.001, "0.001"),
            (0.000_12, "1.2E-4"),
            (1.5e300, "1.5E300"),
            (5e-324, "5.0E-324"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    #[test]
    fn integers_of_every_length() {
        let powers = (0..19).map(|n| 10_i64.pow(n));
        for value in powers.flat_map(|power| [power - 1, power, power + 1, -power]).chain([i64::MIN, i64::MAX]) {
            let mut out = b"x".to_vec();
            write_integer(&mut out, value);
            assert_eq!(String::from_utf8(out), Ok(format!("x{value}")));
        }
    }

    proptest! {
        #[test]
        fn eight_digits_are_the_numbers(number in 0u32..100_000_000, few in 0u32..10_000) {
            for number in [number, few] {
                let mut out = Vec::new();
                write_digits::<8>(&mut out, number);
                prop_assert_eq!(String::from_utf8(out), Ok(format!("{number:08}")));
                let mut out = Vec::new();
                write_integer(&mut out, number.into());
                prop_assert_eq!(String::from_utf8(out), Ok(number.to_string()));
            }
        }

        #[test]
        fn every_finite_double_reads_back_the_same(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(text(value).parse::<f64>().ok(), Some(value));
        }
    }
}
