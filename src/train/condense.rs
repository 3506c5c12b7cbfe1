//! Condensed nearest neighbours (Hart 1968): the rows that the others need to get their own label.

use super::centroids::squared;
use super::random::Random;

/// Positions of the rows that are kept, in order: by the nearest of them every distinct row gets its own label, but for rows that
/// stand at the same place with different labels.
pub(super) fn condense(points: &[&[f32]], labels: &[u16], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    Random::new(seed ^ CONDENSE).shuffle(&mut order);
    let mut kept: Vec<usize> = Vec::new();
    let mut is_kept = vec![false; points.len()];
    for _ in 0..PASSES {
        let before = kept.len();
        for &row in &order {
            if !is_kept[row] && nearest(points, &kept, points[row]).is_none_or(|near| labels[near] != labels[row]) {
                is_kept[row] = true;
                kept.push(row);
            }
        }
        if kept.len() == before {
            break;
        }
    }
    kept.sort_unstable();
    kept
}

/// The kept row nearest to a point, of equally near ones the first that was kept.
fn nearest(points: &[&[f32]], kept: &[usize], point: &[f32]) -> Option<usize> {
    let mut best = None::<(usize, f32)>;
    for &row in kept {
        let distance = squared(points[row], point);
        if best.is_none_or(|(_, least)| distance < least) {
            best = Some((row, distance));
        }
    }
    best.map(|(row, _)| row)
}

/// Passes at most; the second or third adds the last row.
const PASSES: usize = 20;
/// The seed's stream for the order of rows.
const CONDENSE: u64 = 0x636f_6e64_656e_7365;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_row_gets_its_own_label_by_the_rows_that_are_kept(
            rows in proptest::collection::btree_map(proptest::collection::vec(0..10_u8, 2), 0..3_u16, 1..50),
            seed: u64,
        ) {
            let points: Vec<Vec<f32>> = rows.keys().map(|row| row.iter().map(|x| f32::from(*x)).collect()).collect();
            let views: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
            let labels: Vec<u16> = rows.values().copied().collect();
            let kept = condense(&views, &labels, seed);
            prop_assert_eq!(&kept, &condense(&views, &labels, seed));
            for (row, point) in views.iter().enumerate() {
                let distance = |kept: &usize| squared(views[*kept], point);
                let least = kept.iter().map(distance).fold(f32::INFINITY, f32::min);
                let mut near = kept.iter().filter(|kept| distance(kept) == least);
                prop_assert!(near.any(|kept| labels[*kept] == labels[row]));
            }
        }
    }

    #[test]
    fn two_heaps_far_apart_need_a_row_each() {
        let points: Vec<Vec<f32>> = (0..100_u8).map(|n| vec![f32::from(n % 2), f32::from(n) / 1000.0]).collect();
        let views: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let labels: Vec<u16> = (0..100).map(|n| n % 2).collect();
        assert_eq!(condense(&views, &labels, 1).len(), 2);
    }
}
