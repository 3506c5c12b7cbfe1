//! From raw feature values to the space in which a model decides.
//!
//! By quantiles, a feature gives two coordinates: where its value stands among the training values (0 to 1, linear between
//! knots), and 1 if it lies beyond the greatest of them. The flag keeps what a bounded quantile loses: that a value was
//! never seen. By a linear map it gives one. A value that is not finite, or undefined for the flow, counts as its feature's fill, 0 unless
//! the fit says otherwise, which is what both profiles then agree on.

mod linear;
mod quantile;

pub(super) use linear::FARTHEST;
pub use linear::{Linear, LinearMap};
pub(super) use quantile::rounded;
pub use quantile::{COORDINATES, DEFAULT_KNOTS, MAX_KNOTS, MapError, QuantileMap};

/// The maps of a model's features, in its feature order.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// What stands for a missing value, one a feature.
    fill: Vec<f64>,
    scaling: Scaling,
}

/// One kind of map for all features.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// Quantile and beyond-maximum flag.
    Quantile(Vec<QuantileMap>),
    /// A linear map.
    Linear(Linear, Vec<LinearMap>),
}

impl Transform {
    /// A transform of one map and one fill a feature.
    #[must_use]
    pub const fn new(scaling: Scaling, fill: Vec<f64>) -> Self {
        Self { fill, scaling }
    }

    /// The maps, in feature order.
    #[must_use]
    pub const fn scaling(&self) -> &Scaling {
        &self.scaling
    }

    /// What stands for a missing value of each feature.
    #[must_use]
    pub fn fill(&self) -> &[f64] {
        &self.fill
    }

    /// How many coordinates each feature has.
    #[must_use]
    pub const fn coordinates(&self) -> usize {
        match self.scaling {
            Scaling::Quantile(_) => COORDINATES,
            Scaling::Linear(..) => 1,
        }
    }

    /// How many coordinates a point has.
    #[must_use]
    pub const fn dimensions(&self) -> usize {
        self.coordinates().saturating_mul(self.fill.len())
    }

    /// Least and greatest coordinate that it can give.
    #[must_use]
    pub(super) const fn range(&self) -> (f32, f32) {
        match self.scaling {
            Scaling::Quantile(_) => (0.0, 1.0),
            Scaling::Linear(..) => (-FARTHEST, FARTHEST),
        }
    }

    /// Writes the coordinates of a row of raw values (in feature order) and says how many values were not finite.
    /// Missing values at the end of a short row count as not finite.
    pub fn apply(&self, row: &[f64], point: &mut Vec<f32>) -> u32 {
        point.clear();
        let mut replaced = 0;
        let mut values = (0..).zip(&self.fill).map(|(position, fill)| {
            let value = row.get::<usize>(position).copied().filter(|value| value.is_finite());
            replaced += u32::from(value.is_none());
            value.unwrap_or(*fill)
        });
        match &self.scaling {
            Scaling::Quantile(maps) => {
                for (map, value) in maps.iter().zip(&mut values) {
                    point.extend(map.coordinates(value));
                }
            }
            Scaling::Linear(kind, maps) => {
                point.extend(maps.iter().zip(&mut values).map(|(map, value)| map.coordinate(*kind, value)));
            }
        }
        replaced
    }
}

/// The median of a feature's finite training values; 0 without any.
#[must_use]
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().filter(|x| x.is_finite()).collect();
    values.sort_unstable_by(f64::total_cmp);
    linear::quantile(&values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_finite_and_missing_values_count_as_zero() {
        let map = QuantileMap::fit((0..10).map(f64::from), 500);
        let transform = Transform::new(Scaling::Quantile(vec![map.clone(), map.clone(), map]), vec![0.0; 3]);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        assert_eq!(transform.apply(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY], &mut a), 3);
        assert_eq!(transform.apply(&[0.0, 0.0], &mut b), 1);
        assert_eq!(a, b);
        assert_eq!(a.len(), transform.dimensions());
    }

    #[test]
    fn a_missing_value_counts_as_its_fill() {
        let maps = vec![LinearMap { centre: 1.0, scale: 2.0 }; 2];
        let transform = Transform::new(Scaling::Linear(Linear::Standard, maps), vec![0.0, 5.0]);
        let mut point = Vec::new();
        assert_eq!(transform.apply(&[f64::NAN, f64::INFINITY], &mut point), 2);
        assert_eq!((point, transform.dimensions()), (vec![-0.5, 2.0], 2));
        assert_eq!(median([3.0, f64::NAN, 1.0, 2.0, f64::INFINITY]), 2.0);
    }
}
