//! Distributions of sizes and gaps in whole numbers: the same on every machine, which `ln` and `exp` are not.

use crate::util::random::Random;

/// About log-normal: half of the draws lie below `median`, and two thirds within a factor of 2^(.58 `octaves`) of it.
pub(super) fn around(random: &mut Random, median: i64, octaves: i64) -> i64 {
    // The sum of four even draws is near enough to a normal one: standard deviation .58, limits -2 and 2.
    let sum: i64 = (0..4).map(|_| random.between(-UNIT / 2, UNIT / 2)).sum();
    let exponent = sum * octaves;
    // 2^x between powers of two by its chord, which is at most 9 % high.
    let value = median * (UNIT + exponent.rem_euclid(UNIT)) / UNIT;
    match exponent.div_euclid(UNIT) {
        up @ 0.. => value << up,
        down => value >> -down,
    }
}

/// Heavy-tailed: each doubling of `least` is passed in `numerator` of 100 cases (50 is a Pareto tail of exponent 1).
pub(super) fn tail(random: &mut Random, least: i64, greatest: i64, numerator: i64) -> i64 {
    let mut size = least;
    while size < greatest && random.chance(numerator, 100) {
        size *= 2;
    }
    random.between(size, 2 * size).min(greatest)
}

/// One of `0..count`, the first ones much oftener: a few services get most of the calls.
pub(super) fn skewed(random: &mut Random, count: i64) -> i64 {
    (0..3).map(|_| random.between(0, count - 1)).min().unwrap_or(0)
}

/// One in fixed point.
const UNIT: i64 = 1 << 16;
