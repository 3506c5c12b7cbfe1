//! The benign points that tell how novel a flow is, whatever the engine.

use ndarray::{Array2, ArrayView1};

use super::super::LabelId;
use super::super::knn::{Metric, Neighbour, Neighbours, Points};

/// Benign points of the transformed space, at least one.
#[derive(Clone, Debug)]
pub(in super::super) struct Reference {
    points: Array2<f32>,
    /// One a point, all benign.
    labels: Vec<LabelId>,
    benign: LabelId,
    metric: Metric,
    /// Whether they are the engine's own.
    pub(super) is_engines: bool,
}

/// The nearest of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Benign {
    /// Its row in the reference.
    pub(in super::super) row: u32,
    /// Distance to it, by the reference's metric.
    pub(in super::super) distance: f32,
}

/// One thread's search for it.
pub(super) struct Search<'m> {
    /// `None` only for points without coordinates, which no artifact has.
    neighbours: Option<Neighbours<'m>>,
    metric: Metric,
    found: Vec<Neighbour>,
}

impl Reference {
    /// Of these points, which are the engine's own or not.
    pub(in super::super) fn new((points, metric): (Array2<f32>, Metric), benign: LabelId, is_engines: bool) -> Self {
        Self { labels: vec![benign; points.nrows()], points, benign, metric, is_engines }
    }

    /// What far means.
    pub(in super::super) const fn metric(&self) -> Metric {
        self.metric
    }

    /// A point by its row.
    pub(in super::super) fn point(&self, row: u32) -> Option<ArrayView1<'_, f32>> {
        self.points.outer_iter().nth(row as usize)
    }

    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.points.nrows()
    }

    pub(super) fn search(&self) -> Search<'_> {
        let Self { points, labels, benign, metric, .. } = self;
        let points = Points { all: points, labels, benign: points, benign_label: *benign, metric: *metric };
        Search { neighbours: Neighbours::new(points).ok(), metric: *metric, found: Vec::new() }
    }
}

impl Search<'_> {
    pub(super) fn nearest(&mut self, point: &[f32]) -> Option<Benign> {
        let nearest = self.neighbours.as_mut()?.search(point, 1, &mut self.found)?;
        Some(Benign { row: u32::try_from(nearest.row).ok()?, distance: self.metric.distance(nearest.reduced) })
    }
}
