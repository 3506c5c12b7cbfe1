//! All distances, one after the other: the search for metrics that the other indexes do not know.

use super::{Nearest, Neighbour, Points};

/// Points with their labels, and nothing besides.
pub(super) struct Linear<'m> {
    points: Points<'m>,
}

impl<'m> Linear<'m> {
    /// Points, one a row.
    pub(super) const fn new(points: Points<'m>) -> Self {
        Self { points }
    }

    /// As [`Neighbours::search`](super::Neighbours::search).
    pub(super) fn search(&self, query: &[f32], k: usize, found: &mut Vec<Neighbour>) -> Option<Neighbour> {
        let Points { all, labels, benign_label, metric, .. } = self.points;
        let mut nearest = Nearest::new(k, found);
        if query.len() != all.ncols() || !query.iter().all(|x| x.is_finite()) {
            return None;
        }
        let mut benign = None::<Neighbour>;
        for (row, (point, &label)) in all.outer_iter().zip(labels).enumerate() {
            let point = Neighbour { row, label, reduced: metric.reduced(point.to_slice()?, query) };
            nearest.offer(point);
            if label == benign_label && benign.is_none_or(|best| point.key(&best).is_lt()) {
                benign = Some(point);
            }
        }
        benign
    }
}
