//! The nearest points vote.

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::super::LabelId;
use super::super::error::ArtifactError;
use super::super::knn::{Metric, Neighbour, Neighbours, Points, Weighting, vote, write_direction};
use super::super::parts::{checked_points, field};
use super::reference::Search;
use super::{Ask, Benign, Engine, Frame, Opinion, Reference};

/// What an artifact holds of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnnParts {
    /// How many neighbours vote.
    pub k: usize,
    /// What near means.
    pub metric: Metric,
    /// How votes are weighed.
    pub weighting: Weighting,
    /// What the points are.
    pub kept: Kept,
    /// The distance at which the unknown votes against an alert, where votes are weighed by distance: far from everything known, a
    /// little less far from an attack is no reason to alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<f32>,
    /// Coordinates of the points in the transformed space.
    pub points: Vec<Vec<f32>>,
    /// Each point's label: a position in the model's labels.
    pub point_labels: Vec<u16>,
}

/// What of the training rows is kept as points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Centroids of each label: no row is kept.
    #[default]
    Centroids,
    /// The rows that the others need to get their own label (Hart 1968).
    Condensed,
    /// All.
    Exact,
}

impl Kept {
    /// The name that artifacts and recipes use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Centroids => "centroids",
            Self::Condensed => "condensed",
            Self::Exact => "exact",
        }
    }

    /// What whoever is given the model should know of its points.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Centroids => "centroids, no row of the training flows",
            Self::Condensed => "rows of the training flows, those at the borders of labels",
            Self::Exact => "every row of the training flows",
        }
    }
}

/// Points that vote.
#[derive(Debug)]
pub(super) struct Knn {
    k: usize,
    metric: Metric,
    weighting: Weighting,
    /// What the unknown weighs.
    unknown: f32,
    /// What is searched: the points, or their directions where the metric is the cosine.
    points: Array2<f32>,
    labels: Vec<LabelId>,
    benign_label: LabelId,
    benign: Array2<f32>,
    /// Which of the benign points a point is.
    benign_rows: Vec<u32>,
}

impl KnnParts {
    /// Checks the points and lays them out.
    ///
    /// # Errors
    /// Names the rule that they break.
    pub(super) fn build(&self, frame: Frame) -> Result<Knn, ArtifactError> {
        let count = self.points.len();
        if self.k == 0 || self.k > MAX_K || self.k > count {
            return Err(field("k", format!("{} neighbours of {count} points, at most {MAX_K}", self.k)));
        }
        if self.unknown.is_some_and(|distance| !(distance.is_finite() && distance > 0.0)) {
            return Err(field("unknown", "not a distance above 0"));
        }
        if self.point_labels.len() != count {
            return Err(field("point_labels", format!("{} for {count} points", self.point_labels.len())));
        }
        if let Some(label) = self.point_labels.iter().find(|label| usize::from(**label) >= frame.labels) {
            return Err(field("point_labels", format!("{label} is no label")));
        }
        let points = checked_points("points", &self.points, frame)?;
        let labels: Vec<_> = self.point_labels.iter().copied().map(LabelId).collect();
        let mut benign = Vec::new();
        let mut benign_rows = Vec::new();
        for (row, label) in labels.iter().enumerate() {
            benign_rows.push(u32::try_from(benign.len()).unwrap_or(u32::MAX));
            if *label == frame.benign {
                benign.push(row);
            }
        }
        let points = if self.metric == Metric::Cosine { directions(&points) } else { points };
        Ok(Knn {
            k: self.k,
            metric: self.metric,
            weighting: self.weighting,
            unknown: match self.weighting {
                Weighting::Distance => self.unknown.map_or(0.0, f32::recip),
                Weighting::Uniform => 0.0,
            },
            benign: points.select(Axis(0), &benign),
            points,
            labels,
            benign_label: frame.benign,
            benign_rows,
        })
    }
}

/// The directions of points, one a row.
fn directions(points: &Array2<f32>) -> Array2<f32> {
    let mut flat = Vec::new();
    let mut direction = Vec::new();
    for point in points.outer_iter() {
        write_direction(&point.to_vec(), false, &mut direction);
        flat.extend_from_slice(&direction);
    }
    Array2::from_shape_vec((points.nrows(), direction.len()), flat).unwrap_or_default()
}

impl Engine for Knn {
    fn asker<'m>(&'m self, reference: &'m Reference) -> Box<dyn Ask + 'm> {
        let Self { points: all, labels, benign, benign_label, metric, .. } = self;
        let points = Points { all, labels, benign, benign_label: *benign_label, metric: *metric };
        let (neighbours, found) = (Neighbours::new(points).ok(), Vec::new());
        if reference.is_engines {
            return Box::new(Both { engine: self, neighbours, found });
        }
        Box::new(Apart { engine: self, neighbours, benign: reference.search(), direction: Vec::new(), found })
    }

    fn benign_points(&self) -> Option<(Array2<f32>, Metric)> {
        // A direction is not enough to tell what is far.
        (self.metric != Metric::Cosine).then(|| (self.benign.clone(), self.metric))
    }
}

impl Knn {
    /// What the unknown weighs beside these neighbours: an exact match decides alone.
    fn unknown(&self, found: &[Neighbour]) -> f32 {
        if found.first().is_some_and(|nearest| nearest.reduced > 0.0) { self.unknown } else { 0.0 }
    }
}

/// Neighbours and novelty by the same points: one search answers both.
struct Both<'m> {
    engine: &'m Knn,
    /// `None` only for points without coordinates, which no artifact has.
    neighbours: Option<Neighbours<'m>>,
    found: Vec<Neighbour>,
}

impl Ask for Both<'_> {
    fn ask(&mut self, point: &[f32], votes: &mut [f32]) -> Opinion {
        let Self { engine, neighbours, found } = self;
        let nearest = neighbours.as_mut().and_then(|n| n.search(point, engine.k, found));
        let label = vote(found, (engine.metric, engine.weighting), votes);
        let benign = nearest.and_then(|nearest| {
            let distance = engine.metric.distance(nearest.reduced);
            Some(Benign { row: *engine.benign_rows.get(nearest.row)?, distance })
        });
        Opinion { label, unknown: engine.unknown(found), benign }
    }
}

/// Neighbours beside a novelty by other points.
struct Apart<'m> {
    engine: &'m Knn,
    neighbours: Option<Neighbours<'m>>,
    benign: Search<'m>,
    direction: Vec<f32>,
    found: Vec<Neighbour>,
}

impl Ask for Apart<'_> {
    fn ask(&mut self, point: &[f32], votes: &mut [f32]) -> Opinion {
        let Self { engine, neighbours, benign, direction, found } = self;
        let query = match engine.metric {
            Metric::Cosine => {
                write_direction(point, true, direction);
                direction
            }
            Metric::L1 | Metric::L2 => point,
        };
        found.clear();
        if let Some(neighbours) = neighbours {
            neighbours.search(query, engine.k, found);
        }
        let label = vote(found, (engine.metric, engine.weighting), votes);
        Opinion { label, unknown: engine.unknown(found), benign: benign.nearest(point) }
    }
}

/// Greatest number of voting neighbours.
pub const MAX_K: usize = 64;
