//! Running statistics from exact integer sums: mean, sample deviation, extremes.
//!
//! The reference meter keeps Welford's streaming moments in doubles; sums of integers give the same
//! values without a division a packet, and merge exactly. FEATURES.md section 3.1.

/// Count, sum, sum of squares and extremes of a series of non-negative integers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, packed(4))]
pub struct RunningStats {
    sum: u64,
    /// Sum of squares in 128 bits, low half first: with the packing, two of these fit 88 bytes.
    squares: [u64; 2],
    min: u64,
    max: u64,
    count: u32,
}

impl RunningStats {
    /// Adds one value.
    pub fn add(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(value);
        let square = u128::from(value).wrapping_mul(u128::from(value));
        self.squares = halves(wide(self.squares).saturating_add(square));
    }

    /// How many values were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.into()
    }

    /// The values' moments; `None` before the first value.
    #[must_use]
    pub fn moments(&self) -> Option<Moments> {
        let sum = i128::from(self.sum);
        #[expect(clippy::cast_precision_loss, reason = "columns are doubles")]
        Moments::new(self.count(), sum, wide(self.squares), self.min as f64, self.max as f64)
    }
}

/// Mean, sample standard deviation and extremes of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Σx / n.
    pub mean: f64,
    /// Sample variance, divisor n − 1; 0 for one value.
    pub variance: f64,
    /// Square root of the variance.
    pub std: f64,
    /// Least value.
    pub min: f64,
    /// Greatest value.
    pub max: f64,
}

impl Moments {
    /// From a series' count, sum and sum of squares; `None` when it is empty.
    ///
    /// The variance is (n·Σx² − (Σx)²) / (n·(n − 1)): both terms are exact in 128 bits unless times
    /// are absurd, where doubles take over.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "columns are doubles")]
    pub fn new(count: u64, sum: i128, squares: u128, min: f64, max: f64) -> Option<Self> {
        if count == 0 {
            return None;
        }
        let n = count as f64;
        if count == 1 {
            return Some(Self { mean: signed(sum), variance: 0.0, std: 0.0, min, max });
        }
        let absolute = sum.unsigned_abs();
        let exact = match (u64::try_from(squares), u64::try_from(absolute)) {
            // As nearly always: two multiplications, which cannot overflow.
            (Ok(squares), Ok(sum)) => {
                let scaled = u128::from(count).wrapping_mul(squares.into());
                Some(scaled.saturating_sub(u128::from(sum).wrapping_mul(sum.into())))
            }
            _ => u128::from(count)
                .checked_mul(squares)
                .zip(absolute.checked_mul(absolute))
                .map(|(scaled, square)| scaled.saturating_sub(square)),
        };
        let scatter = exact.map_or_else(|| (n * squares as f64 - sum as f64 * sum as f64).max(0.0), double);
        let variance = scatter / (n * (n - 1.0));
        Some(Self { mean: signed(sum) / n, variance, std: variance.sqrt(), min, max })
    }
}

/// Two halves of 128 bits, low half first. A field of 128 bits would ask for 16 bytes' alignment.
pub(super) const fn wide([low, high]: [u64; 2]) -> u128 {
    (high as u128) << 64 | low as u128
}

/// The halves of a number, low half first.
#[expect(clippy::cast_possible_truncation, reason = "each half fits")]
pub(super) const fn halves(wide: u128) -> [u64; 2] {
    [wide as u64, (wide >> 64) as u64]
}

/// `value as f64`, without the library call that 128 bits need where 64 do.
#[expect(clippy::cast_precision_loss, reason = "columns are doubles")]
fn double(value: u128) -> f64 {
    u64::try_from(value).map_or_else(|_| value as f64, |short| short as f64)
}

/// The same with a sign.
#[expect(clippy::cast_precision_loss, reason = "columns are doubles")]
fn signed(value: i128) -> f64 {
    i64::try_from(value).map_or_else(|_| value as f64, |short| short as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn statistics_equal_a_two_pass_computation(values in proptest::collection::vec(0u64..2_000_000_000, 1..200)) {
            let mut stats = RunningStats::default();
            values.iter().for_each(|&value| stats.add(value));
            let n = values.len() as f64;
            let mean = values.iter().map(|&v| v as f64).sum::<f64>() / n;
            let variance = if values.len() == 1 { 0.0 } else {
                values.iter().map(|&v| (v as f64 - mean).powi(2)).sum::<f64>() / (n - 1.0)
            };
            let ours = stats.moments().expect("at least one value");
            prop_assert!((ours.mean - mean).abs() <= 1e-9 * mean.max(1.0));
            prop_assert!((ours.variance - variance).abs() <= 1e-9 * variance.max(1.0));
            prop_assert_eq!(ours.min, *values.iter().min().expect("not empty") as f64);
            prop_assert_eq!(ours.max, *values.iter().max().expect("not empty") as f64);
        }

        #[test]
        fn equal_values_have_no_deviation(value in 0u64..1 << 50, count in 1usize..50) {
            let mut stats = RunningStats::default();
            (0..count).for_each(|_| stats.add(value));
            prop_assert_eq!(stats.moments().expect("at least one value").variance, 0.0);
        }
    }

    #[test]
    fn an_empty_series_has_no_moments() {
        assert_eq!(RunningStats::default().moments(), None);
    }
}
