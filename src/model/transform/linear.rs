//! The linear map of one feature: centred and divided, as it is or as its signed logarithm.

use super::quantile::rounded;

/// `(x - centre) / scale`, of a value or of its signed logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearMap {
    /// What maps to 0.
    pub centre: f64,
    /// What a step of 1 is; finite and above 0.
    pub scale: f64,
}

/// Which linear map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linear {
    /// Mean and standard deviation (of the population, as scikit-learn's `StandardScaler`).
    Standard,
    /// Median and interquartile range (as scikit-learn's `RobustScaler`).
    Robust,
    /// Mean and standard deviation of sign(x) ln(1 + |x|).
    SignedLog,
}

impl LinearMap {
    /// The map of a feature's training values; values that do not vary are divided by 1. Without a value the map is that of a
    /// single 0.
    #[must_use]
    pub fn fit(kind: Linear, values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().map(|x| kind.of(if x.is_finite() { x } else { 0.0 })).collect();
        if values.is_empty() {
            values.push(0.0);
        }
        let (centre, scale) = match kind {
            Linear::Standard | Linear::SignedLog => mean_and_deviation(&values),
            Linear::Robust => {
                values.sort_unstable_by(f64::total_cmp);
                (quantile(&values, 0.5), quantile(&values, 0.75) - quantile(&values, 0.25))
            }
        };
        // Rounding leaves a trace of deviation in values that do not vary.
        let varies = scale.is_finite() && scale > centre.abs() * 1e-12 && scale > f64::MIN_POSITIVE;
        Self { centre, scale: if varies { scale } else { 1.0 } }
    }

    /// The coordinate of a finite value, at most [`FARTHEST`] from 0.
    pub(super) fn coordinate(&self, kind: Linear, value: f64) -> f32 {
        rounded(((kind.of(value) - self.centre) / self.scale).clamp(-f64::from(FARTHEST), f64::from(FARTHEST)))
    }
}

impl Linear {
    fn of(self, value: f64) -> f64 {
        match self {
            Self::Standard | Self::Robust => value,
            Self::SignedLog => value.abs().ln_1p().copysign(value),
        }
    }
}

/// Mean and population standard deviation, in two passes.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

/// The value below which a share of sorted values lies, linear between two of them; 0 without values.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place between 0 and the last one")]
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share * last as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * place.fract()
}

/// Values farther out than a million deviations are all alike; squares of such distances still fit 32-bit numbers.
pub(in super::super) const FARTHEST: f32 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    fn coordinates(kind: Linear, training: &[f64], values: &[f64]) -> Vec<f32> {
        let map = LinearMap::fit(kind, training.iter().copied());
        values.iter().map(|&x| map.coordinate(kind, x)).collect()
    }

    #[test]
    fn maps_are_those_of_their_definitions() {
        let training = [1.0, 2.0, 3.0, 4.0, 10.0];
        // Mean 4, deviation sqrt(10); median 3, quartiles 2 and 4.
        let root = 10.0_f32.sqrt();
        assert_eq!(coordinates(Linear::Standard, &training, &[4.0, 14.0]), [0.0, 10.0 / root]);
        assert_eq!(coordinates(Linear::Robust, &training, &[3.0, 4.0, 10.0]), [0.0, 0.5, 3.5]);
        let log = coordinates(Linear::SignedLog, &[-1.0, 1.0], &[-1.0, 0.0, 1.0]);
        assert_eq!(log, [-1.0, 0.0, 1.0]);
    }

    #[test]
    fn what_does_not_vary_is_not_divided_by_nothing() {
        for kind in [Linear::Standard, Linear::Robust, Linear::SignedLog] {
            assert!(coordinates(kind, &[0.1; 7], &[0.1])[0].abs() < 1e-9);
            assert!(coordinates(kind, &[], &[f64::MAX, f64::MIN]).iter().all(|x| x.abs() <= FARTHEST));
        }
    }
}
