//! One fit: a transform, prototypes for each label, and a novelty threshold, from chosen rows.

use super::centroids::{distinct, prototypes, squared};
use super::random::Random;
use crate::dataset::Dataset;
use crate::model::transform::{QuantileMap, Scaling, Transform};

/// Sizes and rules of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// Rows of each label that a fit looks at, at most; of more, as many are taken evenly.
    pub rows: usize,
    /// Quantiles of each feature.
    pub knots: usize,
    /// Prototypes of benign flows.
    pub benign: usize,
    /// Prototypes of all attack labels together; a label with few distinct rows gets one for each.
    pub attacks: usize,
    /// The share of benign flows of an unseen capture that may be novel.
    pub novelty_tail: f64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            rows: FIT_ROWS,
            knots: crate::model::transform::DEFAULT_KNOTS,
            benign: BENIGN_PROTOTYPES,
            attacks: ATTACK_PROTOTYPES,
            novelty_tail: NOVELTY_TAIL,
        }
    }
}

/// What a fit finds.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) transform: Transform,
    pub(super) points: Vec<Vec<f32>>,
    pub(super) point_labels: Vec<u16>,
    pub(super) novelty_threshold: f32,
    /// By label: distances of its flows to the benign prototypes of all other captures.
    pub(super) left_out: Vec<Vec<f32>>,
}

/// The rows of a fit: a data set with each row's label (0 is benign) and the rows that count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a Dataset,
    pub(super) labels: &'a [u16],
    pub(super) chosen: &'a [usize],
}

impl<'a> Rows<'a> {
    /// Row numbers of one label.
    fn of(&self, label: u16) -> impl Iterator<Item = usize> + use<'a> {
        let labels = self.labels;
        self.chosen.iter().copied().filter(move |&row| labels[row] == label)
    }

    /// The quantile maps of the chosen rows.
    fn transform(&self, knots: usize) -> Transform {
        let width = self.data.features().len();
        let column = |at: usize| self.chosen.iter().map(move |&row| self.data.row(row)[at]);
        let maps = (0..width).map(|at| QuantileMap::fit(column(at), knots)).collect();
        Transform::new(Scaling::Quantile(maps), vec![0.0; width])
    }
}

/// Fits everything on the chosen rows.
pub(super) fn fit(rows: &Rows<'_>, labels: usize, sizes: &Sizes, seed: u64) -> Fitted {
    let chosen = sampled(rows, labels, sizes.rows);
    let rows = &Rows { chosen: &chosen, ..*rows };
    let transform = rows.transform(sizes.knots);
    let by_label: Vec<Vec<Vec<f32>>> =
        (0..labels).map(|label| points(&transform, rows.data, rows.of(label as u16))).collect();
    let counts: Vec<usize> = by_label.iter().map(|points| distinct(&views(points)).len()).collect();
    let budgets = budgets(&counts, sizes);
    let mut fitted = Fitted {
        transform,
        points: Vec::new(),
        point_labels: Vec::new(),
        novelty_threshold: 0.0,
        left_out: vec![Vec::new(); labels],
    };
    for (label, (points, &budget)) in by_label.iter().zip(&budgets).enumerate() {
        // A stream of its own for each label: one label's rows do not move another's prototypes.
        let mut random = Random::new(seed ^ (label as u64) << 32);
        let found = prototypes(&views(points), budget, &mut random);
        fitted.point_labels.extend(std::iter::repeat_n(label as u16, found.len()));
        fitted.points.extend(found);
    }
    leave_captures_out(rows, sizes, seed, &mut fitted);
    fitted
}

/// The chosen rows in their order, thinned out evenly to at most `most` of each label.
pub(super) fn sampled(rows: &Rows<'_>, labels: usize, most: usize) -> Vec<usize> {
    let mut counts = vec![0_usize; labels];
    for &row in rows.chosen {
        counts[usize::from(rows.labels[row])] += 1;
    }
    let mut seen = vec![0_usize; labels];
    let keep = |row: &usize| {
        let label = usize::from(rows.labels[*row]);
        let (at, count) = (seen[label], counts[label]);
        seen[label] += 1;
        // The row with which the sample's share of the label reaches the next whole number.
        count <= most || (at + 1) * most / count > at * most / count
    };
    rows.chosen.iter().copied().filter(keep).collect()
}

/// Distances of each capture's flows to the benign prototypes of the others, and the threshold from its benign ones.
///
/// Transform and prototypes are fitted without the capture, so that the distances are those of a place that the model
/// has not seen; the model itself then knows every capture's background, which makes its own rate lower.
fn leave_captures_out(rows: &Rows<'_>, sizes: &Sizes, seed: u64, fitted: &mut Fitted) {
    for (at, (inside, outside)) in captures(rows).into_iter().enumerate() {
        let others = Rows { chosen: &outside, ..*rows };
        let transform = others.transform(sizes.knots);
        let benign = points(&transform, rows.data, others.of(BENIGN));
        let mut random = Random::new(seed ^ CAPTURES ^ (at as u64) << 32);
        let known = prototypes(&views(&benign), sizes.benign, &mut random);
        if known.is_empty() {
            continue;
        }
        for (&row, point) in inside.iter().zip(points(&transform, rows.data, inside.iter().copied())) {
            let nearest = known.iter().map(|known| squared(known, &point)).fold(f32::INFINITY, f32::min);
            fitted.left_out[usize::from(rows.labels[row])].push(nearest.sqrt());
        }
    }
    let mut benign = fitted.left_out.first().cloned().unwrap_or_default();
    fitted.novelty_threshold = quantile(&mut benign, 1.0 - sizes.novelty_tail);
}

/// Rows inside and outside of each capture. A single capture is cut into blocks of time, which then stand for captures.
fn captures(rows: &Rows<'_>) -> Vec<(Vec<usize>, Vec<usize>)> {
    let groups = rows.data.scenarios().ids();
    let mut present: Vec<u32> = rows.of(BENIGN).map(|row| groups[row]).collect();
    present.sort_unstable();
    present.dedup();
    let mut all: Vec<u32> = rows.chosen.iter().map(|&row| groups[row]).collect();
    let of_group: Vec<u32> = if present.len() > 1 {
        all.clone()
    } else {
        (0..all.len()).map(|at| (at * BLOCKS / all.len()) as u32).collect()
    };
    all.clone_from(&of_group);
    all.sort_unstable();
    all.dedup();
    let part = |group: u32, inside: bool| {
        let rows = rows.chosen.iter().zip(&of_group).filter(|(_, of)| (**of == group) == inside);
        rows.map(|(&row, _)| row).collect()
    };
    all.into_iter().map(|group| (part(group, true), part(group, false))).collect()
}

/// Prototypes of each label: what `sizes` says for benign, and a fair share of the rest for each attack, where what a
/// small label leaves goes to the greater ones.
fn budgets(distinct: &[usize], sizes: &Sizes) -> Vec<usize> {
    let mut budgets = vec![sizes.benign; distinct.len()];
    let mut attacks: Vec<usize> = (1..distinct.len()).collect();
    attacks.sort_by_key(|&label| distinct[label]);
    let mut left = sizes.attacks;
    for (done, &label) in attacks.iter().enumerate() {
        budgets[label] = distinct[label].min(left / (attacks.len() - done));
        left -= budgets[label];
    }
    budgets
}

/// Coordinates of rows.
pub(super) fn points(transform: &Transform, data: &Dataset, rows: impl Iterator<Item = usize>) -> Vec<Vec<f32>> {
    let point = |row| {
        let mut point = Vec::with_capacity(transform.dimensions());
        transform.apply(data.row(row), &mut point);
        point
    };
    rows.map(point).collect()
}

pub(super) fn views(points: &[Vec<f32>]) -> Vec<&[f32]> {
    points.iter().map(Vec::as_slice).collect()
}

/// The value below which a share of the values lies, linear between two of them; 0 without values.
pub(super) fn quantile(values: &mut [f32], share: f64) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    low + (high - low) * place.fract() as f32
}

/// The label id of benign flows in every fit.
pub(super) const BENIGN: u16 = 0;
/// Novelty needs about this many benign points; more lost nothing and gained nothing.
const BENIGN_PROTOTYPES: usize = 256;
/// In the middle of the 110 to 160 that lose nothing against all rows.
const ATTACK_PROTOTYPES: usize = 140;
/// One flow in a hundred of an unseen capture's background.
const NOVELTY_TAIL: f64 = 0.01;
/// Blocks of a data set that is one capture.
const BLOCKS: usize = 5;
/// Quantiles, prototypes and novelty no longer move with more rows, and the fit's time and memory stay bounded.
const FIT_ROWS: usize = 50_000;
/// Keeps the random numbers of the left-out fits apart from those of the model's.
const CAPTURES: u64 = 0xca97_0000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_labels_keep_all_their_rows_and_great_ones_share_the_rest() {
        let sizes = Sizes { benign: 256, attacks: 140, ..Sizes::default() };
        assert_eq!(budgets(&[4000, 1590, 30], &sizes), [256, 110, 30]);
        assert_eq!(budgets(&[4000, 1590, 2, 6, 900], &sizes), [256, 66, 2, 6, 66]);
        assert_eq!(budgets(&[10], &sizes), [256]);
    }

    #[test]
    fn quantiles_are_linear_between_values() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        let of = |values: &mut [f32], share| quantile(values, share);
        assert_eq!([of(&mut values, 0.0), of(&mut values, 0.5), of(&mut values, 1.0)], [1.0, 2.5, 4.0]);
        assert_eq!(of(&mut [], 0.5), 0.0);
    }

    #[test]
    fn a_label_of_many_rows_is_thinned_out_evenly_and_others_are_left_whole() {
        let data = Dataset::new(Vec::new());
        let labels: Vec<u16> = (0..1000).map(|row| u16::from(row % 10 == 3)).collect();
        let chosen: Vec<_> = (0..1000).collect();
        let rows = Rows { data: &data, labels: &labels, chosen: &chosen };
        assert_eq!(sampled(&rows, 2, 900), chosen);
        let some = sampled(&rows, 2, 100);
        assert_eq!(some.iter().filter(|&&row| labels[row] == 1).count(), 100, "not more than asked: all");
        let benign: Vec<_> = some.iter().filter(|&&row| labels[row] == 0).collect();
        assert_eq!(benign.len(), 100);
        assert!(some.is_sorted() && benign.windows(2).all(|two| (9..=11).contains(&(two[1] - two[0]))), "{benign:?}");
    }

    #[test]
    fn a_single_capture_is_cut_into_blocks() {
        let mut data = Dataset::new(Vec::new());
        (0..10).for_each(|_| data.push(&[], "0", "only"));
        let chosen: Vec<_> = (0..10).collect();
        let rows = Rows { data: &data, labels: &[0; 10], chosen: &chosen };
        let parts = captures(&rows);
        assert_eq!(parts.len(), BLOCKS);
        assert!(parts.iter().all(|(inside, outside)| inside.len() == 2 && outside.len() == 8));
    }
}
