//! Many flows to few points, and many points to fewer.

use super::surface::Surface;
use crate::model::Metric;
use crate::train::centroids::{distinct, prototypes};
use crate::train::random::Random;

/// At most `count` points that stand for these: the points themselves where there are no more, else prototypes.
///
/// Unlike `train`, which must not keep a row of somebody's data, `learn` may keep a place that one flow of the user's own
/// cluster was at.
pub(super) fn condensed(points: &[&[f32]], count: usize, random: &mut Random) -> Vec<Vec<f32>> {
    let whole = distinct(points);
    if whole.len() <= count {
        return whole.into_iter().map(on_grid).collect();
    }
    let step = whole.len().div_ceil(MOST_ROWS);
    let some: Vec<&[f32]> = whole.into_iter().step_by(step).collect();
    prototypes(&some, count, random)
}

/// Merges the nearest two points of a label until there are no more than `most`; returns how many merges it took.
pub(super) fn merge(surface: &mut Surface, label: u16, most: usize) -> usize {
    let mut own: Vec<Vec<f32>> = surface.of_label(label).map(|(_, point)| point.to_vec()).collect();
    let merges = own.len().saturating_sub(most.max(1));
    if merges == 0 {
        return 0;
    }
    let mut nearest: Vec<(f32, usize)> = (0..own.len()).map(|at| neighbour(surface.metric, &own, at)).collect();
    for _ in 0..merges {
        let pair = (0..own.len()).min_by(|&a, &b| nearest[a].0.total_cmp(&nearest[b].0).then(a.cmp(&b)));
        let Some(one) = pair else { break };
        let other = nearest[one].1;
        let (low, high) = (one.min(other), one.max(other));
        let gone = own.remove(high);
        let middle: Vec<f32> = own[low].iter().zip(&gone).map(|(a, b)| (a + b) / 2.0).collect();
        own[low] = on_grid(&middle);
        nearest.remove(high);
        for at in 0..own.len() {
            let of = nearest[at].1;
            if at == low || of == low || of == high {
                nearest[at] = neighbour(surface.metric, &own, at);
                continue;
            }
            if of > high {
                nearest[at].1 = of - 1;
            }
            let distance = surface.metric.between(&own[at], &own[low]);
            if distance < nearest[at].0 {
                nearest[at] = (distance, low);
            }
        }
    }
    let places: Vec<usize> = surface.of_label(label).map(|(at, _)| at).collect();
    surface.remove(&places);
    own.into_iter().for_each(|point| surface.push(point, label));
    merges
}

/// The nearest other point.
fn neighbour(metric: Metric, points: &[Vec<f32>], at: usize) -> (f32, usize) {
    let others = (0..points.len())
        .filter(|&other| other != at)
        .map(|other| (metric.between(&points[other], &points[at]), other));
    others.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).unwrap_or((f32::INFINITY, at))
}

/// Rounded as an artifact's coordinates are.
pub(super) fn on_grid(point: &[f32]) -> Vec<f32> {
    point.iter().map(|x| ((f64::from(*x) * GRID).round() / GRID) as f32).collect()
}

/// As in `centroids`.
const GRID: f64 = 1e5;
/// Rows that a clustering looks at: its time stays within seconds.
const MOST_ROWS: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;

    #[test]
    fn few_flows_stay_where_they_are_and_many_become_few() {
        let rows: Vec<Vec<f32>> = (0..40_u16).map(|n| vec![f32::from(n % 20) / 20.0, 0.5]).collect();
        let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let few = condensed(&views, 20, &mut Random::new(1));
        assert_eq!(few, rows[..20].iter().map(|row| on_grid(row)).collect::<Vec<_>>());
        let fewer = condensed(&views, 5, &mut Random::new(1));
        assert_eq!(fewer.len(), 5);
        assert!(fewer.iter().all(|point| (0.0..=0.95).contains(&point[0])));
        assert_eq!(condensed(&[], 5, &mut Random::new(1)), Vec::<Vec<f32>>::new());
    }

    #[test]
    fn the_nearest_points_are_merged_first_and_other_labels_stay() {
        let model = Model::embedded().expect("the default model");
        let mut surface = Surface::of(&model).expect("nearest neighbours");
        surface.points = [0.0, 0.1, 0.5, 0.9, 0.12].iter().map(|&x| vec![x, 0.0]).collect();
        surface.labels = vec![0, 0, 0, 1, 0];
        assert_eq!(merge(&mut surface, 0, 3), 1);
        let mut benign: Vec<f32> = surface.of_label(0).map(|(_, point)| point[0]).collect();
        benign.sort_unstable_by(f32::total_cmp);
        assert_eq!(benign, [0.0, 0.11, 0.5]);
        assert_eq!(merge(&mut surface, 0, 1), 2);
        assert_eq!((surface.count(0), surface.count(1)), (1, 1));
        assert_eq!(merge(&mut surface, 0, 1), 0);
    }
}
