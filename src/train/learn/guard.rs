//! Which flows are hostile for certain, and which new points would silence an attack.
//!
//! A share of the vote is no certainty: with three neighbours it is nearly always 1, and a benign application that the model has
//! never seen lies nearest to an attack's points because it lies near nothing. Where an attack's own flows lie is told by the
//! distances between its points: the middle one is the label's *spread*. A label whose points stand for heaps of flows is at home
//! within twice that, its *radius*; one whose points are single flows, within the spread itself. docs/learn.md has the measurements.

use super::surface::Surface;

/// Where the attacks of a model are at home.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Each attack label's radius; 0 for benign.
    pub(super) radii: Vec<f32>,
    /// Whether a label's points stand for heaps of flows.
    heaped: Vec<bool>,
    /// The model as it was.
    surface: Surface,
}

/// A place that the model alerts on, beside an attack's point, in the direction of a new benign point.
struct Sentinel {
    place: Vec<f32>,
}

impl Guard {
    /// The guard of a model; `fallback` is the spread where no label has two points.
    pub(super) fn of(surface: &Surface, fallback: f32) -> Self {
        let gaps: Vec<Vec<f32>> = (0..surface.thresholds.len()).map(|label| gaps(surface, label as u16)).collect();
        let pooled = middle(gaps.concat()).unwrap_or(fallback);
        let of_label = |(label, own): (usize, Vec<f32>)| match own.len() {
            _ if label == usize::from(surface.benign) => 0.0,
            ..LEAST_GAPS => pooled,
            _ => middle(own).unwrap_or(pooled),
        };
        let spreads: Vec<f32> = gaps.into_iter().enumerate().map(of_label).collect();
        let is_heaped = |(label, flows): (usize, &u64)| *flows >= HEAP * surface.count(label as u16) as u64;
        let heaped: Vec<bool> = surface.flows.iter().enumerate().map(is_heaped).collect();
        let radius = |(spread, heaped): (&f32, &bool)| if *heaped { RADIUS * spread } else { *spread };
        Self { radii: spreads.iter().zip(&heaped).map(radius).collect(), heaped, surface: surface.clone() }
    }

    /// Distance to the nearest point of a label.
    pub(super) fn distance(&self, place: &[f32], label: u16) -> f32 {
        self.surface
            .of_label(label)
            .map(|(_, point)| self.surface.metric.between(point, place))
            .fold(f32::INFINITY, f32::min)
    }

    /// Whether a flow that is alerted on as this label lies where the label is at home: within its radius, and at most half
    /// as far from it as from anything benign.
    pub(super) fn is_hostile(&self, label: u16, distance: f32, benign: f32) -> bool {
        let radius = self.radii.get(usize::from(label)).copied().unwrap_or(0.0);
        distance < radius && distance * BENIGN_SIDE <= benign
    }

    /// Takes those new benign points out of a surface, from place `first` on, that would silence an attack's surroundings.
    /// Returns how many.
    pub(super) fn protect(&self, surface: &mut Surface, first: usize) -> usize {
        let mut failing: Vec<Sentinel> = self.sentinels(surface, first);
        let mut dropped = 0;
        loop {
            failing.retain(|sentinel| surface.alerts(&sentinel.place).is_none());
            let mut blamed = vec![0_usize; surface.points.len()];
            for sentinel in &failing {
                let new = surface.of_label(surface.benign).filter(|(at, _)| *at >= first);
                let nearest = new
                    .map(|(at, point)| (surface.metric.between(point, &sentinel.place), at))
                    .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                if let Some((_, at)) = nearest {
                    blamed[at] += 1;
                }
            }
            // The one that most sentinels fail by; of equals the last, which is the least needed.
            let worst = (0..blamed.len()).filter(|&at| blamed[at] > 0).max_by_key(|&at| (blamed[at], at));
            let Some(worst) = worst else { return dropped };
            surface.remove(&[worst]);
            dropped += 1;
        }
    }

    /// How many places beside attacks' points the surface no longer alerts on, of how many, and the least score on the others.
    pub(super) fn silenced(&self, surface: &Surface, first: usize) -> (usize, usize, f32) {
        let sentinels = self.sentinels(surface, first);
        let scores: Vec<Option<f32>> = sentinels.iter().map(|sentinel| surface.alerts(&sentinel.place)).collect();
        let silent = scores.iter().filter(|score| score.is_none()).count();
        (silent, sentinels.len(), scores.into_iter().flatten().fold(1.0, f32::min))
    }

    /// The most exposed flow of each attack's point for each new benign point near it: towards that point, as far off as the
    /// attack's own flows lie, but on the attack's side of the middle.
    fn sentinels(&self, surface: &Surface, first: usize) -> Vec<Sentinel> {
        let mut sentinels = Vec::new();
        for (attack, label) in self.surface.attacks() {
            let radius = self.radii.get(usize::from(label)).copied().unwrap_or(0.0);
            let heaped = self.heaped.get(usize::from(label)).copied().unwrap_or(false);
            let (exposed, own_side) = if heaped { HEAPS_EXPOSED } else { SINGLES_EXPOSED };
            for (at, point) in surface.of_label(surface.benign) {
                let distance = surface.metric.between(attack, point);
                if at < first || distance >= NEAR * radius || distance <= 0.0 {
                    continue;
                }
                let share = (exposed * radius / distance).min(own_side);
                let place: Vec<f32> = attack.iter().zip(point).map(|(a, b)| a + (b - a) * share).collect();
                if self.surface.alerts(&place).is_some() {
                    sentinels.push(Sentinel { place });
                }
            }
        }
        sentinels
    }
}

/// Each point's distance to the nearest other one of its label; equal points are one.
fn gaps(surface: &Surface, label: u16) -> Vec<f32> {
    let own: Vec<&[f32]> = surface.of_label(label).map(|(_, point)| point).collect();
    let nearest = |point: &&[f32]| {
        let others = own.iter().map(|other| surface.metric.between(other, point)).filter(|distance| *distance > 0.0);
        others.fold(f32::INFINITY, f32::min)
    };
    if label == surface.benign { Vec::new() } else { own.iter().map(nearest).filter(|d| d.is_finite()).collect() }
}

fn middle(mut values: Vec<f32>) -> Option<f32> {
    values.sort_unstable_by(f32::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Radius of a label of heaps, in spreads: 95 of 100 reconnaissance flows that a model had not seen lie within it, and few flows of
/// benign captures that it alerts on.
const RADIUS: f32 = 2.0;
/// A label of at least this many flows a point is one of heaps.
const HEAP: u64 = 3;
/// A flow is hostile only if everything benign is this many times as far as the attack.
const BENIGN_SIDE: f32 = 2.0;
/// A label with fewer distances between its points takes the spread of all labels together.
const LEAST_GAPS: usize = 8;
/// How far off an attack's point the exposed flows of a label of heaps lie at most: in radii, and as a share of the way to the benign
/// point, which beyond the middle has the better claim.
const HEAPS_EXPOSED: (f32, f32) = (0.6, 0.45);
/// The same for a label of single flows. Beyond a third of the way two benign points outvote the one of the attack anyhow.
const SINGLES_EXPOSED: (f32, f32) = (0.4, 0.33);
/// Benign points beyond this many radii take nothing from an attack's point: two of them weigh less than it does where its exposed
/// flows lie.
const NEAR: f32 = 2.0;
