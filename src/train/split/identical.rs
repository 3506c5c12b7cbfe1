//! Which rows have the same values, as a model sees them.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

use crate::dataset::Dataset;

/// For each row the first row with the same values.
pub(in crate::train) fn first_identical(data: &Dataset) -> Vec<u32> {
    let mut values = Vec::with_capacity(data.features().len());
    let mut digests: Vec<(u128, u32)> = (0..data.len())
        .map(|row| {
            values.clear();
            values.extend(data.row(row).iter().map(|&x| same(x)));
            (digest(&values), row as u32)
        })
        .collect();
    digests.sort_unstable();
    let mut first = vec![0; digests.len()];
    for same in digests.chunk_by(|(a, _), (b, _)| a == b) {
        same.iter().for_each(|&(_, row)| first[row as usize] = same[0].1);
    }
    first
}

/// A value in a form in which values that a model cannot tell apart are equal.
pub(in crate::train) fn same(value: f64) -> u32 {
    let value = if value.is_finite() { value as f32 } else { 0.0 };
    (value + 0.0).to_bits()
}

/// What stands for a row's values: 128 bits are the same for rows that are the same and, but for a chance of less than
/// one in 10^20 in a data set of 10^9 rows, for no others. The rows themselves would be as large as the data.
fn digest(values: &[u32]) -> u128 {
    let half = |seed| u128::from(FixedState::with_seed(seed).hash_one(values));
    half(1) << 64 | half(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureId;

    #[test]
    fn zero_and_minus_zero_and_what_is_not_finite_are_the_same() {
        assert!([-0.0, f64::NAN, f64::INFINITY].iter().all(|&x| same(x) == same(0.0)));
        assert_ne!(same(1.0), same(2.0));
    }

    #[test]
    fn rows_point_to_the_first_of_their_kind() {
        let mut data = Dataset::new(FeatureId::all().take(2).collect());
        for row in [[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [0.0, 0.0], [f64::NAN, -0.0], [1.0, 2.0]] {
            data.push(&row, "0", "a");
        }
        assert_eq!(first_identical(&data), [0, 1, 0, 3, 3, 0]);
    }
}
