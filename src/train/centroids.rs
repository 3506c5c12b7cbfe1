//! Prototypes: a few points that stand for many rows, by k-means in the transformed space.
//!
//! A prototype is always the mean of at least two distinct rows, so that a model holds no row of its data: where a
//! cluster has one distinct row, it is drawn towards the row nearest to it.

use std::collections::BTreeSet;

use super::random::Random;

/// At most `count` prototypes of rows of equal length with coordinates from 0 to 1.
///
/// Rows count once however often they occur, so that rare behaviour keeps a prototype of its own. Without two distinct rows
/// there are none. The same rows, count and random numbers give the same prototypes.
pub(super) fn prototypes(rows: &[&[f32]], count: usize, random: &mut Random) -> Vec<Vec<f32>> {
    let whole = distinct(rows);
    if whole.len() < 2 || count == 0 {
        return Vec::new();
    }
    // A coordinate that never varies (most flags) adds nothing to a distance and half of the work.
    let varies: Vec<usize> =
        (0..whole[0].len()).filter(|&at| whole.iter().any(|row| row[at] != whole[0][at])).collect();
    let narrow: Vec<Vec<f32>> = whole.iter().map(|row| varies.iter().map(|&at| row[at]).collect()).collect();
    let distinct: Vec<&[f32]> = narrow.iter().map(Vec::as_slice).collect();
    let mut best: Option<(f64, Vec<usize>)> = None;
    // With a prototype a row there is nothing to choose.
    let starts = if count < distinct.len() { STARTS } else { 1 };
    for _ in 0..starts {
        let centres = spread(&distinct, count, random);
        let (spread, home) = settle(&distinct, centres);
        if best.as_ref().is_none_or(|(least, _)| spread < *least) {
            best = Some((spread, home));
        }
    }
    let home = best.map(|(_, home)| home).unwrap_or_default();
    let means: BTreeSet<Vec<i64>> = clusters(&home)
        .into_iter()
        .map(|members| match members[..] {
            [only] => blend(&whole, only),
            _ => mean(&whole, &members),
        })
        .map(|mean| mean.into_iter().map(|x| (x * GRID).round() as i64).collect())
        .collect();
    means.into_iter().map(|mean| mean.into_iter().map(|x| (x as f64 / GRID) as f32).collect()).collect()
}

/// The distinct rows, in the order of first appearance.
pub(super) fn distinct<'a>(rows: &[&'a [f32]]) -> Vec<&'a [f32]> {
    let mut seen = BTreeSet::new();
    rows.iter().copied().filter(|row| seen.insert(row.iter().map(|x| x.to_bits()).collect::<Vec<_>>())).collect()
}

/// Squared Euclidean distance.
pub(super) fn squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Starting points by k-means++: each next one with a chance that grows with its squared distance to those before.
fn spread(rows: &[&[f32]], count: usize, random: &mut Random) -> Vec<Vec<f32>> {
    let first = ((random.unit() * rows.len() as f64) as usize).min(rows.len() - 1);
    let mut centres = vec![rows[first].to_vec()];
    let mut nearest: Vec<f32> = rows.iter().map(|row| squared(row, rows[first])).collect();
    while centres.len() < count.min(rows.len()) {
        let total: f64 = nearest.iter().copied().map(f64::from).sum();
        let mut left = random.unit() * total;
        // Rounding may leave a little at the end: then it is the last row that is not a centre yet.
        let mut chosen = nearest.iter().rposition(|&d| d > 0.0).unwrap_or(0);
        for (row, &distance) in nearest.iter().enumerate() {
            left -= f64::from(distance);
            if left < 0.0 {
                chosen = row;
                break;
            }
        }
        centres.push(rows[chosen].to_vec());
        for (held, row) in nearest.iter_mut().zip(rows) {
            *held = held.min(squared(row, rows[chosen]));
        }
    }
    centres
}

/// Lloyd's iterations: the sum of squared distances at the end, and each row's cluster.
fn settle(rows: &[&[f32]], mut centres: Vec<Vec<f32>>) -> (f64, Vec<usize>) {
    let mut home = vec![0; rows.len()];
    let mut total = f64::INFINITY;
    for _ in 0..ITERATIONS {
        let mut sum = 0.0;
        for (home, row) in home.iter_mut().zip(rows) {
            let distance;
            (*home, distance) = nearest(row, &centres, *home);
            sum += f64::from(distance);
        }
        for (centre, members) in centres.iter_mut().zip(members(&home, rows.len())) {
            // A centre that has lost all its rows stays, and is dropped in the end if none come back.
            if !members.is_empty() {
                *centre = mean(rows, &members).into_iter().map(|x| x as f32).collect();
            }
        }
        let settled = sum >= total * SETTLED;
        total = sum;
        if settled {
            break;
        }
    }
    (total, home)
}

/// The nearest centre and its squared distance. The search starts at the centre that was nearest before, and leaves
/// another one as soon as a part of its distance is more.
fn nearest(row: &[f32], centres: &[Vec<f32>], before: usize) -> (usize, f32) {
    let mut best = centres.get(before).map_or((0, f32::INFINITY), |centre| (before, squared(row, centre)));
    for (at, centre) in centres.iter().enumerate() {
        let mut distance = 0.0;
        for (row, centre) in row.chunks(PART).zip(centre.chunks(PART)) {
            distance += squared(row, centre);
            if distance >= best.1 {
                break;
            }
        }
        if distance < best.1 {
            best = (at, distance);
        }
    }
    best
}

/// The rows of each cluster, by cluster number.
fn members(home: &[usize], clusters: usize) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); clusters];
    for (row, &cluster) in home.iter().enumerate() {
        members[cluster].push(row);
    }
    members
}

/// The clusters that have rows.
fn clusters(home: &[usize]) -> Vec<Vec<usize>> {
    members(home, home.len()).into_iter().filter(|members| !members.is_empty()).collect()
}

fn mean(rows: &[&[f32]], members: &[usize]) -> Vec<f64> {
    let mut sum = vec![0.0_f64; rows.first().map_or(0, |row| row.len())];
    for &member in members {
        for (sum, &x) in sum.iter_mut().zip(rows[member]) {
            *sum += f64::from(x);
        }
    }
    sum.iter().map(|sum| sum / members.len() as f64).collect()
}

/// A row drawn towards the other row nearest to it.
fn blend(rows: &[&[f32]], only: usize) -> Vec<f64> {
    let mut other = (only, f32::INFINITY);
    for (at, row) in rows.iter().enumerate().filter(|(at, _)| *at != only) {
        let distance = squared(row, rows[only]);
        if distance < other.1 {
            other = (at, distance);
        }
    }
    let weigh = |(&own, &other): (&f32, &f32)| f64::from(own) * (1.0 - DRAWN) + f64::from(other) * DRAWN;
    rows[only].iter().zip(rows[other.0]).map(weigh).collect()
}

/// Coordinates between two looks at whether a centre can still be the nearest.
const PART: usize = 4;
/// How far a lone row is drawn towards its neighbour.
const DRAWN: f64 = 0.25;
/// Starts of which the tightest is kept: one start alone made validation figures depend on the seed.
const STARTS: usize = 3;
/// Lloyd's iterations at most; the sum has long stopped falling by then.
const ITERATIONS: usize = 40;
/// An iteration that improves the sum by less than one part in 200 is the last.
const SETTLED: f64 = 0.995;
/// Coordinates are rounded to this many parts: shorter artifacts, and neighbours that do not hang on the last bit.
const GRID: f64 = 1e5;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[Vec<f32>], count: usize, seed: u64) -> Vec<Vec<f32>> {
        let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();
        prototypes(&rows, count, &mut Random::new(seed))
    }

    #[test]
    fn separate_heaps_get_a_prototype_each() {
        let heap = |at: f32| (0..50_u8).map(move |n| vec![at + f32::from(n) / 5000.0, at]);
        let rows: Vec<_> = heap(0.1).chain(heap(0.5)).chain(heap(0.9)).collect();
        let mut found: Vec<_> = of(&rows, 3, 1).into_iter().map(|p| (p[1] * 10.0).round() as u32).collect();
        found.sort_unstable();
        assert_eq!(found, [1, 5, 9]);
    }

    #[test]
    fn a_lone_row_is_not_stored() {
        let rows = vec![vec![0.0, 0.0], vec![0.4, 0.0], vec![1.0, 1.0]];
        for seed in 0..20 {
            for prototype in of(&rows, 3, seed) {
                assert!(!rows.contains(&prototype), "{prototype:?} is a row");
            }
        }
        assert_eq!(of(&rows[..1], 3, 0), Vec::<Vec<f32>>::new());
        assert_eq!(of(&[rows[0].clone(), rows[0].clone()], 3, 0), Vec::<Vec<f32>>::new());
    }

    proptest! {
        #[test]
        fn prototypes_stay_among_their_rows_and_repeat_with_the_seed(
            rows in proptest::collection::vec(proptest::collection::vec(0.0..=1.0f32, 3), 0..60),
            count in 0usize..20,
            seed: u64,
        ) {
            let found = of(&rows, count, seed);
            prop_assert_eq!(&found, &of(&rows, count, seed));
            prop_assert!(found.len() <= count);
            for prototype in &found {
                for (at, x) in prototype.iter().enumerate() {
                    let column = || rows.iter().map(|row| row[at]);
                    let (least, greatest) = (column().fold(1.0, f32::min), column().fold(0.0, f32::max));
                    prop_assert!((least - 1e-5..=greatest + 1e-5).contains(x));
                }
            }
        }
    }
}
