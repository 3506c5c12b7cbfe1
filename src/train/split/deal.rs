//! Divides things of different sizes among parts, each part getting its share of every stratum.

/// Something that stays whole: all rows with the same values, or of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is, to the caller.
    pub(super) id: u32,
    /// How many rows it has.
    pub(super) rows: usize,
    /// The stratum that it counts for.
    pub(super) stratum: u16,
}

/// For each item the part that it goes to, dealt in the given order: always to the part that is then least full for its share of the
/// stratum, and of those to the one with the fewest rows for its share of all.
///
/// No part is left without an item of a stratum that has one for each.
pub(super) fn deal(items: &[Item], shares: &[f64], strata: usize) -> Vec<u32> {
    let mut filled = vec![vec![0_usize; shares.len()]; strata];
    let mut all = vec![0_usize; shares.len()];
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        let filled = &mut filled[usize::from(item.stratum)];
        let full = |part: &usize| {
            let (of_stratum, of_all) = (filled[*part] + item.rows, all[*part] + item.rows);
            (of_stratum as f64 / shares[*part], of_all as f64 / shares[*part])
        };
        let by = |a: &usize, b: &usize| {
            let ((a, a_all), (b, b_all)) = (full(a), full(b));
            a.total_cmp(&b).then(a_all.total_cmp(&b_all))
        };
        let part = (0..shares.len()).min_by(by).unwrap_or(0);
        filled[part] += item.rows;
        all[part] += item.rows;
        parts.push(part as u32);
    }
    fill_empty(items, shares.len(), strata, &mut parts);
    parts
}

/// Gives each empty part of a stratum the item that came last to the part with the most of them.
fn fill_empty(items: &[Item], shares: usize, strata: usize, parts: &mut [u32]) {
    let mut counts = vec![vec![0_usize; shares]; strata];
    for (item, &part) in items.iter().zip(&*parts) {
        counts[usize::from(item.stratum)][part as usize] += 1;
    }
    for (stratum, counts) in counts.iter_mut().enumerate() {
        while let Some(empty) = counts.iter().position(|&count| count == 0) {
            let most = (0..shares).max_by_key(|&part| counts[part]).unwrap_or(0);
            let taken = |at: &usize| usize::from(items[*at].stratum) == stratum && parts[*at] as usize == most;
            let Some(last) = (0..items.len()).rev().find(taken).filter(|_| counts[most] > 1) else { break };
            parts[last] = empty as u32;
            counts[most] -= 1;
            counts[empty] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(sizes: &[usize]) -> Vec<Item> {
        (0..).zip(sizes).map(|(id, &rows)| Item { id, rows, stratum: 0 }).collect()
    }

    #[test]
    fn parts_get_their_shares() {
        let parts = deal(&items(&[1; 100]), &[0.25, 0.75], 1);
        assert_eq!(parts.iter().filter(|part| **part == 0).count(), 25);
        let parts = deal(&items(&[1; 10]), &[1.0 / 3.0; 3], 1);
        let count = |of| parts.iter().filter(|part| **part == of).count();
        assert_eq!([count(0), count(1), count(2)], [4, 3, 3]);
    }

    #[test]
    fn remainders_of_strata_do_not_all_fall_to_the_first_part() {
        let items: Vec<Item> = (0..5).map(|id| Item { id, rows: 1, stratum: id as u16 }).collect();
        assert_eq!(deal(&items, &[0.2; 5], 5), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn no_part_is_empty_while_there_is_an_item_for_each() {
        assert_eq!(deal(&items(&[50, 50]), &[0.25, 0.75], 1), [1, 0]);
        assert_eq!(deal(&items(&[90, 5, 5]), &[1.0 / 3.0; 3], 1), [0, 1, 2]);
        assert_eq!(deal(&items(&[7]), &[0.25, 0.75], 1), [1], "one thing cannot be on both sides");
        assert_eq!(deal(&[], &[0.5, 0.5], 1), Vec::<u32>::new());
    }
}
