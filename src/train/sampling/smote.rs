//! Synthetic minority over-sampling (Chawla, Bowyer, Hall and Kegelmeyer, "SMOTE", JAIR 16, 2002).

use super::super::centroids::{distinct, squared};
use super::super::random::Random;

/// Adds points of a label until there are as many as asked: each on the segment between one of its points and one of that point's nearest,
/// at a place drawn evenly.
///
/// Points take turns in an order drawn by lot, so that all are used alike. Neighbours are sought among the distinct points: a point's own
/// copy would be its nearest neighbour and nothing new would lie between them. With one distinct point there is nothing between, and it
/// stays as it is.
pub(super) fn grow(points: &mut Vec<Vec<f32>>, target: usize, neighbours: usize, random: &mut Random) {
    let there: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
    let known = distinct(&there);
    if known.len() < 2 || there.len() >= target {
        return;
    }
    let mut turns: Vec<usize> = (0..there.len()).collect();
    random.shuffle(&mut turns);
    let mut near: Vec<Option<Vec<usize>>> = vec![None; there.len()];
    let mut added = Vec::with_capacity(target - there.len());
    for &turn in turns.iter().cycle().take(target - there.len()) {
        let base = there[turn];
        let near = near[turn].get_or_insert_with(|| nearest(base, &known, neighbours));
        let other = known[near[random.below(near.len())]];
        let share = random.unit() as f32;
        added.push(base.iter().zip(other).map(|(&a, &b)| a + (b - a) * share).collect());
    }
    points.append(&mut added);
}

/// The nearest of the other points, by position; of equally near ones the first.
fn nearest(point: &[f32], known: &[&[f32]], count: usize) -> Vec<usize> {
    let mut by_distance: Vec<(f32, usize)> = known
        .iter()
        .enumerate()
        .filter(|(_, other)| **other != point)
        .map(|(at, other)| (squared(point, other), at))
        .collect();
    let by = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    let count = count.min(by_distance.len());
    if count < by_distance.len() {
        by_distance.select_nth_unstable_by(count, by);
        by_distance.truncate(count);
    }
    by_distance.sort_unstable_by(by);
    by_distance.into_iter().map(|(_, at)| at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_are_the_nearest_others() {
        let points: Vec<Vec<f32>> = [0.0, 0.1, 0.9, 0.15, 0.5].iter().map(|&x| vec![x]).collect();
        let known: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        assert_eq!(nearest(&[0.1], &known, 2), [3, 0]);
        assert_eq!(nearest(&[0.1], &known, 9), [3, 0, 4, 2]);
    }

    #[test]
    fn all_points_take_turns() {
        let mut points: Vec<Vec<f32>> = (0..10_u8).map(|x| vec![f32::from(x), 0.0]).collect();
        grow(&mut points, 20, 1, &mut Random::new(1));
        // With one neighbour each new point lies within one step of its base.
        for base in 0..10_u8 {
            let near = |point: &Vec<f32>| (point[0] - f32::from(base)).abs() <= 1.0;
            assert!(points[10..].iter().any(near), "{base} was left out: {:?}", &points[10..]);
        }
    }

    #[test]
    fn one_distinct_point_has_nothing_beside_it() {
        let mut points = vec![vec![0.5, 0.5]; 3];
        grow(&mut points, 10, 5, &mut Random::new(1));
        assert_eq!(points.len(), 3);
    }

    proptest! {
        #[test]
        fn new_points_lie_between_two_of_the_label(
            before in proptest::collection::vec(proptest::collection::vec(0.0..=1.0f32, 3), 2..20),
            more in 0usize..40,
            neighbours in 1usize..8,
            seed: u64,
        ) {
            let mut points = before.clone();
            grow(&mut points, before.len() + more, neighbours, &mut Random::new(seed));
            prop_assert_eq!(&points[..before.len()], &before[..]);
            // On the segment: the ways to both ends add up to the way between them.
            let between = |p: &Vec<f32>, a: &Vec<f32>, b: &Vec<f32>| {
                squared(p, a).sqrt() + squared(p, b).sqrt() <= squared(a, b).sqrt() + 1e-4
            };
            for point in &points[before.len()..] {
                let pairs = before.iter().flat_map(|a| before.iter().map(move |b| (a, b)));
                prop_assert!(pairs.into_iter().any(|(a, b)| a != b && between(point, a, b)), "{point:?}");
            }
        }
    }
}
