//! The quantile map of one feature: where a value stands among the training values, and whether it lies beyond them.

/// One feature's map: knots (values, strictly rising) and levels (0 to 1, not falling), as many of each.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantileMap {
    knots: Vec<f32>,
    levels: Vec<f32>,
}

/// Why knots and levels are no map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// Nothing to map with.
    #[error("no knots")]
    Empty,
    /// More knots than [`MAX_KNOTS`].
    #[error("more than {MAX_KNOTS} knots")]
    TooMany,
    /// As many levels as knots are needed.
    #[error("as many levels as knots are needed")]
    Lengths,
    /// Knots must be finite and rise strictly.
    #[error("knots must be finite and rise strictly")]
    Knots,
    /// Levels must be in 0..=1 and not fall.
    #[error("levels must be in 0..=1 and not fall")]
    Levels,
}

impl QuantileMap {
    /// A map from knots and levels.
    ///
    /// # Errors
    /// Says which rule they break.
    pub fn new(knots: Vec<f32>, levels: Vec<f32>) -> Result<Self, MapError> {
        if knots.is_empty() {
            return Err(MapError::Empty);
        }
        if knots.len() > MAX_KNOTS {
            return Err(MapError::TooMany);
        }
        if knots.len() != levels.len() {
            return Err(MapError::Lengths);
        }
        let rising = knots.iter().zip(knots.iter().skip(1)).all(|(a, b)| a < b);
        if !rising || !knots.iter().all(|knot| knot.is_finite()) {
            return Err(MapError::Knots);
        }
        let not_falling = levels.iter().zip(levels.iter().skip(1)).all(|(a, b)| a <= b);
        if !not_falling || !levels.iter().all(|level| (0.0..=1.0).contains(level)) {
            return Err(MapError::Levels);
        }
        Ok(Self { knots, levels })
    }

    /// The map of a feature's training values: at most `count` evenly spaced quantiles, equal ones joined.
    ///
    /// A value that fills several quantiles stands at their mean, the least at 0 and the greatest at 1, so that a value
    /// that most flows share is far from every other one. Values are rounded to 32 bits before, as queries are.
    /// Without a value the map is that of a single 0.
    #[must_use]
    pub fn fit(values: impl IntoIterator<Item = f64>, count: usize) -> Self {
        let mut values: Vec<f32> = values.into_iter().map(|v| rounded(if v.is_finite() { v } else { 0.0 })).collect();
        if values.is_empty() {
            values.push(0.0);
        }
        values.sort_unstable_by(f32::total_cmp);
        let last = values.len() - 1;
        let steps = count.clamp(2, MAX_KNOTS) - 1;
        let (mut knots, mut levels) = (Vec::<f32>::new(), Vec::<f32>::new());
        let (mut sum, mut equal) = (0.0_f64, 0_u32);
        for step in 0..=steps {
            // Nearest rank: a knot is a value that occurs, so that values shared by many flows stay exact.
            let Some(&knot) = values.get((step * last + steps / 2) / steps) else { continue };
            let level = ratio(step, steps);
            if knots.last() == Some(&knot) {
                sum += level;
                equal += 1;
            } else {
                (sum, equal) = (level, 1);
                knots.push(knot);
                levels.push(0.0);
            }
            if let Some(mean) = levels.last_mut() {
                *mean = rounded(sum / f64::from(equal));
            }
        }
        if let Some(first) = levels.first_mut() {
            *first = 0.0;
        }
        if let (Some(greatest), true) = (levels.last_mut(), knots.len() > 1) {
            *greatest = 1.0;
        }
        Self { knots, levels }
    }

    /// The values at which the map bends.
    #[must_use]
    pub fn knots(&self) -> &[f32] {
        &self.knots
    }

    /// The map's value at each knot.
    #[must_use]
    pub fn levels(&self) -> &[f32] {
        &self.levels
    }

    /// Level of a finite value, and whether it is beyond the greatest knot.
    pub(super) fn coordinates(&self, value: f64) -> [f32; COORDINATES] {
        let value = rounded(value);
        let above = self.knots.partition_point(|&knot| knot <= value);
        let at = |position: usize| Some((*self.knots.get(position)?, *self.levels.get(position)?));
        let Some((low, low_level)) = above.checked_sub(1).and_then(at) else {
            return [self.levels.first().copied().unwrap_or(0.0), 0.0];
        };
        let Some((high, high_level)) = at(above) else {
            return [low_level, if value > low { 1.0 } else { 0.0 }];
        };
        // In doubles: the difference of two huge 32-bit knots may not fit 32 bits.
        let share = (f64::from(value) - f64::from(low)) / (f64::from(high) - f64::from(low));
        let level = f64::from(low_level) + share * (f64::from(high_level) - f64::from(low_level));
        [rounded(level).clamp(low_level, high_level), 0.0]
    }
}

/// The nearest 32-bit number; beyond its range, the greatest of that sign.
#[expect(clippy::cast_possible_truncation, reason = "rounding to 32 bits is the purpose; the range is clamped first")]
pub(in crate::model) const fn rounded(value: f64) -> f32 {
    value.clamp(f32::MIN as f64, f32::MAX as f64) as f32
}

/// `part / whole` of two small counts.
#[expect(clippy::cast_precision_loss, reason = "counts of at most MAX_KNOTS")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Coordinates of one feature: quantile and beyond-maximum flag.
pub const COORDINATES: usize = 2;

/// Quantiles of the default recipe: 500 lost nothing against all values in the measurements behind it; ten times as
/// many would only make the artifact larger.
pub const DEFAULT_KNOTS: usize = 500;

/// Bound on one feature's knots in an artifact.
pub const MAX_KNOTS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level(map: &QuantileMap, value: f64) -> [f32; 2] {
        map.coordinates(value)
    }

    #[test]
    fn a_shared_value_stands_alone_and_the_ends_are_0_and_1() {
        // Eighty zeros and twenty distinct values.
        let values = (0..80).map(|_| 0.0).chain((1..=20).map(f64::from));
        let map = QuantileMap::fit(values, 500);
        assert_eq!(level(&map, 0.0), [0.0, 0.0]);
        assert_eq!(level(&map, -5.0), [0.0, 0.0]);
        assert_eq!(level(&map, 20.0), [1.0, 0.0]);
        assert_eq!(level(&map, 20.5), [1.0, 1.0]);
        assert!(level(&map, 1.0)[0] > 0.7, "{:?}", level(&map, 1.0));
    }

    #[test]
    fn a_constant_feature_maps_to_0_and_flags_what_is_greater() {
        let map = QuantileMap::fit([3.0, 3.0, 3.0], 500);
        assert_eq!((level(&map, 2.0), level(&map, 3.0), level(&map, 4.0)), ([0.0, 0.0], [0.0, 0.0], [0.0, 1.0]));
        assert_eq!(QuantileMap::fit([], 500), QuantileMap::fit([0.0], 500));
    }

    #[test]
    fn what_is_no_map_is_refused_by_name() {
        for (knots, levels, error) in [
            (vec![], vec![], MapError::Empty),
            (vec![0.0; MAX_KNOTS + 1], vec![0.0; MAX_KNOTS + 1], MapError::TooMany),
            (vec![0.0, 1.0], vec![0.0], MapError::Lengths),
            (vec![1.0, 1.0], vec![0.0, 1.0], MapError::Knots),
            (vec![0.0, f32::INFINITY], vec![0.0, 1.0], MapError::Knots),
            (vec![f32::NAN], vec![0.0], MapError::Knots),
            (vec![0.0, 1.0], vec![1.0, 0.0], MapError::Levels),
            (vec![0.0, 1.0], vec![0.0, 1.5], MapError::Levels),
            (vec![0.0], vec![f32::NAN], MapError::Levels),
        ] {
            assert_eq!(QuantileMap::new(knots, levels), Err(error));
        }
    }

    proptest! {
        #[test]
        fn a_greater_value_never_stands_lower(
            values in proptest::collection::vec(prop_oneof![-1e3..1e3f64, any::<f64>(), Just(0.0)], 0..200),
            mut queries in proptest::collection::vec(prop_oneof![-2e3..2e3f64, any::<f64>()], 1..50),
            count in 0usize..600,
        ) {
            let map = QuantileMap::fit(values.iter().copied(), count);
            prop_assert!(QuantileMap::new(map.knots.clone(), map.levels.clone()).is_ok());
            queries.retain(|query| query.is_finite());
            queries.sort_unstable_by(f64::total_cmp);
            let points: Vec<_> = queries.iter().map(|&query| level(&map, query)).collect();
            for pair in points.windows(2) {
                prop_assert!(pair[0] <= pair[1], "{pair:?}");
            }
            for [quantile, flag] in points {
                prop_assert!((0.0..=1.0).contains(&quantile) && (flag == 0.0 || flag == 1.0));
            }
            let finite = values.iter().copied().filter(|value| value.is_finite());
            for value in finite {
                prop_assert_eq!(level(&map, value)[1], 0.0, "a training value is never beyond the maximum");
            }
        }
    }
}
