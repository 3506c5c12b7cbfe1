//! What near means, and how much the near ones count.

use serde::{Deserialize, Serialize};

use super::nearest::{absolute_distance, squared_distance};

/// A distance between points of the transformed space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Euclidean.
    #[default]
    L2,
    /// Sum of the absolute differences.
    L1,
    /// 1 less the cosine of the angle; a point without length is at 1 from every other one.
    Cosine,
}

/// How much a neighbour's vote weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weighting {
    /// 1 / distance; neighbours at distance 0 outvote all others.
    #[default]
    Distance,
    /// All alike.
    Uniform,
}

impl Metric {
    /// What orders points as the distance does and costs less: its square for L2, twice the distance for points of length 1
    /// under the cosine, else the distance itself.
    #[inline(always)]
    pub(in super::super) fn reduced(self, a: &[f32], b: &[f32]) -> f32 {
        match self {
            Self::L2 | Self::Cosine => squared_distance(a, b),
            Self::L1 => absolute_distance(a, b),
        }
    }

    /// The distance of a reduced one.
    #[inline(always)]
    pub(in super::super) fn distance(self, reduced: f32) -> f32 {
        match self {
            Self::L2 => reduced.sqrt(),
            Self::L1 => reduced,
            // |a - b|² = 2 - 2 cos of two points of length 1.
            Self::Cosine => reduced / 2.0,
        }
    }

    /// The distance of two points of the same length.
    #[must_use]
    pub fn between(self, a: &[f32], b: &[f32]) -> f32 {
        match self {
            Self::L2 | Self::L1 => self.distance(self.reduced(a, b)),
            Self::Cosine => {
                let (mut from, mut to) = (Vec::new(), Vec::new());
                write_direction(a, false, &mut from);
                write_direction(b, true, &mut to);
                self.distance(self.reduced(&from, &to))
            }
        }
    }

    /// The name that artifacts and recipes use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::L1 => "l1",
            Self::Cosine => "cosine",
        }
    }
}

impl Weighting {
    /// The name that artifacts and recipes use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Distance => "distance",
            Self::Uniform => "uniform",
        }
    }
}

/// Writes a point's direction: the point at length 1, and two more coordinates that keep points without a length at distance 1
/// from every point and from every query, each other included.
pub(in super::super) fn write_direction(point: &[f32], is_query: bool, direction: &mut Vec<f32>) {
    let squares: f64 = point.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    direction.clear();
    if squares > 0.0 {
        let scale = squares.sqrt().recip();
        #[expect(clippy::cast_possible_truncation, reason = "rounding a number of at most 1")]
        direction.extend(point.iter().map(|&x| (f64::from(x) * scale) as f32));
        direction.extend([0.0, 0.0]);
    } else {
        direction.extend_from_slice(point);
        direction.extend(if is_query { [0.0, 1.0] } else { [1.0, 0.0] });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn points_without_length_are_at_distance_1() {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for (point, query) in [([0.0, 0.0], [0.0, 0.0]), ([0.0, 0.0], [3.0, 4.0]), ([3.0, 4.0], [0.0, 0.0])] {
            write_direction(&point, false, &mut a);
            write_direction(&query, true, &mut b);
            assert_eq!(Metric::Cosine.distance(Metric::Cosine.reduced(&a, &b)), 1.0);
        }
    }

    proptest! {
        #[test]
        fn distances_are_those_of_their_definitions(
            pairs in proptest::collection::vec((-10.0..10.0f32, -10.0..10.0f32), 1..40),
        ) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let pairs: Vec<(f64, f64)> = pairs.iter().map(|&(a, b)| (a.into(), b.into())).collect();
            let sum = |term: fn((f64, f64)) -> f64| pairs.iter().copied().map(term).sum::<f64>();
            let of = |metric: Metric, a: &[f32], b: &[f32]| f64::from(metric.distance(metric.reduced(a, b)));
            let l1 = sum(|(a, b)| (a - b).abs());
            let l2 = sum(|(a, b)| (a - b) * (a - b)).sqrt();
            prop_assert!((of(Metric::L1, &a, &b) - l1).abs() < 1e-4 * (1.0 + l1));
            prop_assert!((of(Metric::L2, &a, &b) - l2).abs() < 1e-4 * (1.0 + l2));
            let lengths = (sum(|(a, _)| a * a) * sum(|(_, b)| b * b)).sqrt();
            prop_assume!(lengths > 1e-3);
            let (mut at, mut from) = (Vec::new(), Vec::new());
            write_direction(&a, false, &mut at);
            write_direction(&b, true, &mut from);
            prop_assert!((of(Metric::Cosine, &at, &from) - (1.0 - sum(|(a, b)| a * b) / lengths)).abs() < 1e-5);
        }
    }
}
