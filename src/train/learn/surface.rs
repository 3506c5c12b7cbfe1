//! The points that a model votes with, as `learn` changes them, and what a vote over them says of any place.
//!
//! All that `learn` must know of how a model keeps its points stands here and in [`child`](super::child). The vote is the
//! classifier's own rule on points instead of rows; a test holds the two against each other.

use super::LearnError;
use crate::model::{EngineParts, Metric, Model, SUSPECT, Weighting};

/// Labelled points and how many of them vote.
#[derive(Clone, Debug)]
pub(super) struct Surface {
    pub(super) points: Vec<Vec<f32>>,
    pub(super) labels: Vec<u16>,
    pub(super) benign: u16,
    /// The least share of the votes for attacks that is worth an alert, one a label.
    pub(super) thresholds: Vec<f32>,
    /// Flows that each label was learnt from.
    pub(super) flows: Vec<u64>,
    /// What far means.
    pub(super) metric: Metric,
    /// What the unknown weighs.
    unknown: f32,
    k: usize,
}

impl Surface {
    /// The points of a model.
    ///
    /// # Errors
    /// If the model does not decide by its nearest points.
    pub(super) fn of(model: &Model) -> Result<Self, LearnError> {
        let parts = model.parts();
        let (EngineParts::Knn(knn), None) = (&parts.engine, &parts.novelty.reference) else {
            return Err(LearnError::Engine { engine: parts.engine.describe() });
        };
        if knn.metric == Metric::Cosine || knn.weighting != Weighting::Distance {
            return Err(LearnError::Engine { engine: parts.engine.describe() });
        }
        let benign = (0..).zip(&parts.labels).find(|(_, label)| crate::taxonomy::is_benign(label));
        Ok(Self {
            points: knn.points.clone(),
            labels: knn.point_labels.clone(),
            benign: benign.map_or(0, |(id, _)| id),
            thresholds: parts.alert_thresholds.iter().map(|least| least.min(SUSPECT)).collect(),
            flows: parts.labels.iter().map(|label| parts.provenance.rows.get(label).copied().unwrap_or(0)).collect(),
            metric: knn.metric,
            unknown: knn.unknown.map_or(0.0, f32::recip),
            k: knn.k,
        })
    }

    /// Points of one label, with their places in the list.
    pub(super) fn of_label(&self, label: u16) -> impl Iterator<Item = (usize, &[f32])> {
        let all = self.points.iter().zip(&self.labels).enumerate();
        all.filter(move |(_, (_, of))| **of == label).map(|(at, (point, _))| (at, point.as_slice()))
    }

    /// Points of attacks, with their labels.
    pub(super) fn attacks(&self) -> impl Iterator<Item = (&[f32], u16)> {
        let all = self.points.iter().zip(&self.labels);
        all.filter(|(_, of)| **of != self.benign).map(|(point, of)| (point.as_slice(), *of))
    }

    /// How many points a label has.
    pub(super) fn count(&self, label: u16) -> usize {
        self.labels.iter().filter(|of| **of == label).count()
    }

    pub(super) fn push(&mut self, point: Vec<f32>, label: u16) {
        self.points.push(point);
        self.labels.push(label);
    }

    /// Takes the points at these places out.
    pub(super) fn remove(&mut self, places: &[usize]) {
        let mut at = 0;
        let mut keep = |_: &Vec<f32>| {
            at += 1;
            !places.contains(&(at - 1))
        };
        self.points.retain(&mut keep);
        let mut at = 0;
        self.labels.retain(|_| {
            at += 1;
            !places.contains(&(at - 1))
        });
    }

    /// The label that the points around a place vote for, its share of the weight, and that of all attack labels.
    pub(super) fn vote(&self, place: &[f32]) -> (u16, f32, f32) {
        let mut near: Vec<(f32, u16)> = Vec::with_capacity(self.k + 1);
        for (point, &label) in self.points.iter().zip(&self.labels) {
            let distance = self.metric.between(point, place);
            if near.len() == self.k && near.last().is_some_and(|(most, _)| distance >= *most) {
                continue;
            }
            let at = near.partition_point(|(held, _)| *held <= distance);
            near.insert(at, (distance, label));
            near.truncate(self.k);
        }
        let exact = near.first().is_some_and(|(distance, _)| *distance == 0.0);
        let mut votes = vec![0.0_f32; self.thresholds.len()];
        for &(distance, label) in &near {
            let weight = match (exact, distance == 0.0) {
                (true, true) => 1.0,
                (true, false) => 0.0,
                (false, _) => 1.0 / distance.max(f32::MIN_POSITIVE),
            };
            if let Some(votes) = votes.get_mut(usize::from(label)) {
                *votes += weight;
            }
        }
        let mut best = (self.benign, 0.0);
        for (label, &weight) in (0..).zip(&votes) {
            if weight > best.1 {
                best = (label, weight);
            }
        }
        let total = votes.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let quiet = votes.get(usize::from(self.benign)).copied().unwrap_or(0.0);
        (best.0, best.1 / total, (total - quiet) / (total + if exact { 0.0 } else { self.unknown }))
    }

    /// The attack labels' share of the votes, if a flow at this place is suspected, whether or not it would be told of by itself.
    pub(super) fn alerts(&self, place: &[f32]) -> Option<f32> {
        let (label, _, attack) = self.vote(place);
        let threshold = self.thresholds.get(usize::from(label)).copied().unwrap_or(f32::INFINITY);
        (label != self.benign && attack >= threshold).then_some(attack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::published;

    #[test]
    fn a_vote_over_points_is_the_classifiers() {
        let model = published();
        let surface = Surface::of(&model).expect("nearest neighbours");
        let mut classifier = model.classifier();
        let mut point = Vec::new();
        let mut random = crate::train::random::Random::new(3);
        let mut attacks = 0;
        for _ in 0..500 {
            let row: Vec<f64> = model.features().iter().map(|_| (random.unit() * 12.0).exp2() - 1.0).collect();
            model.transform().apply(&row, &mut point);
            let verdict = classifier.classify_row(&row);
            let (label, score, attack) = surface.vote(&point);
            assert_eq!(label, verdict.label.0);
            assert!((score - verdict.score).abs() < 1e-5, "{score} and {}", verdict.score);
            assert!((attack - verdict.attack).abs() < 1e-5, "{attack} and {}", verdict.attack);
            assert_eq!(surface.alerts(&point).is_some(), model.predicts_attack(&verdict));
            attacks += usize::from(surface.alerts(&point).is_some());
        }
        assert!((20..480).contains(&attacks), "{attacks} alerts compare nothing");
    }

    #[test]
    fn points_are_taken_out_by_place() {
        let model = published();
        let mut surface = Surface::of(&model).expect("nearest neighbours");
        let (before, second) = (surface.points.len(), surface.points[1].clone());
        surface.remove(&[0, 2]);
        assert_eq!((surface.points.len(), surface.labels.len()), (before - 2, before - 2));
        assert_eq!(surface.points[0], second);
    }
}
