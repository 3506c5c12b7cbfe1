//! How raw values become coordinates, declared and fitted.

use serde::{Deserialize, Serialize};

use crate::model::transform::{DEFAULT_KNOTS, Linear, LinearMap, QuantileMap, Scaling, Transform, median};

/// A transform to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransformSpec {
    /// The kind of map.
    pub scaling: ScalingKind,
    /// What stands for values that are missing or not finite.
    pub missing: Missing,
    /// Quantiles of each feature.
    pub knots: usize,
}

/// The kind of map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScalingKind {
    /// Quantile and beyond-maximum flag.
    #[default]
    Quantile,
    /// Mean and standard deviation.
    Standard,
    /// Median and interquartile range.
    Robust,
    /// Mean and standard deviation of the signed logarithm.
    SignedLog,
}

/// What stands for a value that is missing or not finite. There is one answer for both: where the `cic` profile has an infinite rate, the
/// `standard` one has none, and a model must see the same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// 0.
    #[default]
    Zero,
    /// The median of the feature's training values.
    Median,
}

impl Default for TransformSpec {
    fn default() -> Self {
        Self { scaling: ScalingKind::default(), missing: Missing::default(), knots: DEFAULT_KNOTS }
    }
}

impl TransformSpec {
    /// Fits the maps of `width` features; `column` gives a feature's training values.
    pub(super) fn fit<C: Iterator<Item = f64>>(&self, width: usize, column: impl Fn(usize) -> C) -> Transform {
        let fill: Vec<f64> = match self.missing {
            Missing::Zero => vec![0.0; width],
            Missing::Median => (0..width).map(|at| median(column(at))).collect(),
        };
        let filled = |at: usize| column(at).map(move |x| if x.is_finite() { x } else { f64::NAN });
        let values = |at: usize| {
            let fill = fill.get(at).copied().unwrap_or(0.0);
            filled(at).map(move |x| if x.is_nan() { fill } else { x })
        };
        let linear = |kind| Scaling::Linear(kind, (0..width).map(|at| LinearMap::fit(kind, values(at))).collect());
        let scaling = match self.scaling {
            ScalingKind::Quantile => {
                Scaling::Quantile((0..width).map(|at| QuantileMap::fit(values(at), self.knots)).collect())
            }
            ScalingKind::Standard => linear(Linear::Standard),
            ScalingKind::Robust => linear(Linear::Robust),
            ScalingKind::SignedLog => linear(Linear::SignedLog),
        };
        Transform::new(scaling, fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_filled_before_the_map_is_fitted() {
        let values = [1.0, f64::INFINITY, 3.0, f64::NAN, 5.0];
        for (missing, fill, mean) in [(Missing::Zero, 0.0, 1.8), (Missing::Median, 3.0, 3.0)] {
            let spec = TransformSpec { scaling: ScalingKind::Standard, missing, ..TransformSpec::default() };
            let transform = spec.fit(1, |_| values.into_iter());
            assert_eq!(transform.fill(), [fill]);
            let mut point = Vec::new();
            transform.apply(&[mean], &mut point);
            assert!(point[0].abs() < 1e-6, "{missing:?}");
        }
    }
}
