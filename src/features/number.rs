//! Numbers as the reference prints them: Java's `Double.toString` (FEATURES.md section 5.1), shortest digits.

/// Appends an integer in decimal.
pub(super) fn write_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
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
    if value.fract() == 0.0 && WHOLE.contains(&value.abs()) {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 10^7")]
        write_integer(out, value as i64);
        return out.extend_from_slice(b".0");
    }
    let mut buffer = ryu::Buffer::new();
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

/// Whole magnitudes that are printed as an integer with `.0` behind it; 0 is not among them, for the sake of −0.
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

    proptest! {
        #[test]
        fn every_finite_double_reads_back_the_same(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(text(value).parse::<f64>().ok(), Some(value));
        }
    }
}
