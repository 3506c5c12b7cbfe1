//! Which rows a fit sees and which it is measured on.
//!
//! Rows of one capture follow each other in time, and flows a second apart are alike: so the last quarter of each
//! capture is the validation part, and a flow there that is the same as a training flow is left out of it.

use std::collections::HashSet;
use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;

/// Row numbers of the two parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) training: Vec<usize>,
    pub(super) validation: Vec<usize>,
    /// How many rows of the last quarters are left out because a training row is the same.
    pub(super) left_out: usize,
}

/// Splits rows by time inside each group; rows of a group must stand in the order of time.
///
/// `groups` has each row's group; `same` gives a row's values in a form in which equal rows are equal.
pub(super) fn by_time(groups: &[u32], same: impl Fn(usize) -> Vec<u32>) -> Split {
    let count = groups.iter().max().map_or(0, |last| *last as usize + 1);
    let mut rows = vec![Vec::new(); count];
    for (row, &group) in groups.iter().enumerate() {
        rows[group as usize].push(row);
    }
    let mut split = Split::default();
    let mut later = Vec::new();
    for rows in &rows {
        let (before, after) = rows.split_at(rows.len() - rows.len() / QUARTER);
        split.training.extend_from_slice(before);
        later.extend_from_slice(after);
    }
    let seen: HashSet<u128> = split.training.iter().map(|&row| digest(&same(row))).collect();
    split.validation = later.iter().copied().filter(|&row| !seen.contains(&digest(&same(row)))).collect();
    split.left_out = later.len() - split.validation.len();
    split.training.sort_unstable();
    split.validation.sort_unstable();
    split
}

impl Split {
    /// Leaves out the validation rows that are the same as a training row by other values than those of the split: where columns
    /// are left out, rows that differed may be the same.
    pub(super) fn leave_out_repeats(&mut self, same: impl Fn(usize) -> Vec<u32>) {
        let seen: HashSet<u128> = self.training.iter().map(|&row| digest(&same(row))).collect();
        let before = self.validation.len();
        self.validation.retain(|&row| !seen.contains(&digest(&same(row))));
        self.left_out += before - self.validation.len();
    }
}

/// What stands for a row's values: 128 bits are the same for rows that are the same and, but for a chance of less than
/// one in 10^20 in a data set of 10^9 rows, for no others. The rows themselves would be as large as the data.
fn digest(values: &[u32]) -> u128 {
    let half = |seed| u128::from(FixedState::with_seed(seed).hash_one(values));
    half(1) << 64 | half(2)
}

/// One row in four is for validation.
const QUARTER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_last_quarter_of_each_group_is_for_validation() {
        let groups = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2];
        let split = by_time(&groups, |row| vec![row as u32]);
        assert_eq!(split.validation, [3, 10, 11]);
        assert_eq!(split.training, [0, 1, 2, 4, 5, 6, 7, 8, 9, 12]);
    }

    #[test]
    fn rows_that_repeat_by_fewer_columns_are_left_out_too() {
        let mut split = by_time(&[0; 8], |row| vec![row as u32]);
        assert_eq!((split.validation.clone(), split.left_out), (vec![6, 7], 0));
        split.leave_out_repeats(|row| vec![row as u32 / 7]);
        assert_eq!((split.validation, split.left_out, split.training.len()), (vec![7], 1, 6));
    }

    proptest! {
        #[test]
        fn no_row_is_on_both_sides_by_number_or_by_value(rows in proptest::collection::vec((0u32..4, 0u32..30), 0..100)) {
            let groups: Vec<_> = rows.iter().map(|row| row.0).collect();
            let split = by_time(&groups, |row| vec![rows[row].1]);
            prop_assert_eq!(split.training.len() + split.validation.len() + split.left_out, rows.len());
            for &row in &split.validation {
                prop_assert!(!split.training.iter().any(|&other| other == row || rows[other].1 == rows[row].1));
                prop_assert!(!split.training.iter().any(|&other| other > row && groups[other] == groups[row]));
            }
        }
    }
}
