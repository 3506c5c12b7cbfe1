//! All distances, one after the other: the search for metrics that the indexes do not know.

use ndarray::Array2;

use super::{LabelId, Metric, Nearest, Neighbour};

/// Points with their labels, and nothing besides.
pub(in super::super) struct Linear<'m> {
    points: &'m Array2<f32>,
    labels: &'m [LabelId],
    metric: Metric,
}

impl<'m> Linear<'m> {
    /// Points of this metric, one a row.
    pub(in super::super) const fn new(points: &'m Array2<f32>, labels: &'m [LabelId], metric: Metric) -> Self {
        Self { points, labels, metric }
    }

    /// Writes the `k` nearest points, in the order of [`Neighbour::key`]; none for a query of the wrong length or with a
    /// coordinate that is not finite.
    pub(in super::super) fn search(&self, query: &[f32], k: usize, found: &mut Vec<Neighbour>) {
        let mut nearest = Nearest::new(k, found);
        if query.len() != self.points.ncols() || !query.iter().all(|x| x.is_finite()) {
            return;
        }
        for (row, (point, &label)) in self.points.outer_iter().zip(self.labels).enumerate() {
            let Some(point) = point.to_slice() else { return };
            nearest.offer(Neighbour { row, label, reduced: self.metric.reduced(point, query) });
        }
    }
}
