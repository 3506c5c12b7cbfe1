//! One fit: a transform, prototypes for each label, and a novelty threshold, from chosen rows.

use super::centroids::{distinct, prototypes};
use super::engine::Material;
use super::evaluate::digits;
use super::parallel::in_parallel;
use super::pipeline::{Pipeline, PointsSpec};
use super::random::Random;
use super::sampling::{SampledPoints, TrainingPoints, resample};
use super::scaling::TransformSpec;
use super::split::TrainingRows;
use crate::dataset::Dataset;
use crate::model::transform::Transform;
use crate::model::{EngineParts, Metric, SpreadParts};

/// What a fit finds.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) transform: Transform,
    pub(super) engine: EngineParts,
    pub(super) novelty_threshold: f32,
    /// How each column's benign values are spread.
    pub(super) spread: Vec<SpreadParts>,
    /// The points that the engine was fitted on.
    pub(super) sampled: SampledPoints,
    /// Benign prototypes for novelty, where the engine has none, or such that stand for resampled flows: how strange a flow is must not
    /// hang on that.
    pub(super) novelty_points: Option<Vec<Vec<f32>>>,
    /// Each capture, as a fit without it sees it.
    pub(super) left_out: Vec<LeftOutCapture>,
}

/// A capture's distances to the benign prototypes of all others.
#[derive(Clone, Debug)]
pub(super) struct LeftOutCapture {
    /// Its name; blocks of time have one, too.
    pub(super) name: String,
    /// Whether it is a block of time.
    pub(super) is_block: bool,
    /// By label, the distances of its flows.
    pub(super) distances: Vec<Vec<f32>>,
}

/// The rows of a fit: a data set with each row's label (0 is benign) and the rows that count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a Dataset,
    pub(super) labels: &'a [u16],
    pub(super) chosen: &'a TrainingRows<'a>,
}

impl<'a> Rows<'a> {
    /// Row numbers of one label.
    fn of(&self, label: u16) -> impl Iterator<Item = usize> + use<'a> {
        let labels = self.labels;
        self.chosen.rows().iter().copied().filter(move |&row| labels[row] == label)
    }

    /// The maps of the chosen rows.
    fn transform(&self, spec: TransformSpec) -> Transform {
        let column = |at: usize| self.chosen.rows().iter().map(move |&row| self.data.row(row)[at]);
        spec.fit(self.data.features().len(), column)
    }

    /// How the benign ones of them are spread, missing values as the transform fills them.
    fn spread(&self, transform: &Transform) -> Vec<SpreadParts> {
        let value = |at: usize, fill: f64| {
            move |row: usize| Some(self.data.row(row)[at]).filter(|value| value.is_finite()).unwrap_or(fill)
        };
        transform
            .fill()
            .iter()
            .enumerate()
            .map(|(at, fill)| SpreadParts::fit(self.of(BENIGN).map(value(at, *fill))))
            .collect()
    }
}

/// Fits everything on the chosen rows: `labels` of them, at most `most` rows of each.
pub(super) fn fit(rows: &Rows<'_>, labels: usize, pipeline: &Pipeline, most: usize, seed: u64) -> Fitted {
    let chosen = thinned(rows, labels, most);
    let rows = &Rows { chosen: &chosen, ..*rows };
    let transform = rows.transform(pipeline.transform());
    let points = TrainingPoints::new(rows.chosen, &transform, rows.data, rows.labels, labels);
    let known = points.by_label().first().cloned().unwrap_or_default();
    let sampled = resample(points, &pipeline.resample, seed);
    let by_label = sampled.by_label();
    let (prototypes_of_all, labels_of_all) = all_prototypes(by_label, pipeline, seed);
    let mut engine = pipeline
        .engine
        .fit(&Material { by_label, prototypes: &prototypes_of_all, prototype_labels: &labels_of_all }, seed);
    let is_engines = pipeline.engine.tells_novelty() && by_label.first() == Some(&known);
    let novelty_points =
        (!is_engines).then(|| prototypes(&views(&known), pipeline.points.benign, &mut Random::new(seed)));
    let left_out = leave_captures_out(rows, labels, pipeline, seed);
    let benign = left_out.iter().filter_map(|capture| capture.distances.first()).flatten();
    let novelty_threshold = quantile(&mut benign.copied().collect::<Vec<_>>(), 1.0 - pipeline.points.novelty_fpr);
    // Directions have no far and near, and a threshold of 0 tells nothing of distances.
    if let EngineParts::Knn(knn) = &mut engine
        && knn.metric != Metric::Cosine
        && novelty_threshold > 0.0
    {
        knn.unknown = Some(digits(&(novelty_threshold * UNKNOWN))).filter(|distance| *distance > 0.0);
    }
    let spread = rows.spread(&transform);
    Fitted { transform, engine, novelty_threshold, spread, sampled, novelty_points, left_out }
}

impl Fitted {
    /// Whether it knows benign points, without which every flow would be novel.
    pub(super) fn knows_benign(&self) -> bool {
        let own = || self.engine.size_of(BENIGN) > 0;
        self.novelty_points.as_ref().map_or_else(own, |points| !points.is_empty())
    }
}

/// Prototypes of every label, and the label of each; none for an engine that keeps none.
fn all_prototypes(by_label: &[Vec<Vec<f32>>], pipeline: &Pipeline, seed: u64) -> (Vec<Vec<f32>>, Vec<u16>) {
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    if !pipeline.engine.keeps_prototypes() {
        return (points, labels);
    }
    let counts: Vec<usize> = by_label.iter().map(|points| distinct(&views(points)).len()).collect();
    for (label, (rows, budget)) in by_label.iter().zip(budgets(&counts, &pipeline.points)).enumerate() {
        // A stream of its own for each label: one label's rows do not move another's prototypes.
        let mut random = Random::new(seed ^ (label as u64) << 32);
        let found = prototypes(&views(rows), budget, &mut random);
        labels.extend(std::iter::repeat_n(label as u16, found.len()));
        points.extend(found);
    }
    (points, labels)
}

/// The chosen rows in their order, thinned out evenly to at most `most` of each label.
pub(super) fn thinned(rows: &Rows<'_>, labels: usize, most: usize) -> TrainingRows<'static> {
    let mut counts = vec![0_usize; labels];
    for &row in rows.chosen.rows() {
        counts[usize::from(rows.labels[row])] += 1;
    }
    let mut seen = vec![0_usize; labels];
    rows.chosen.filter(|row| {
        let label = usize::from(rows.labels[row]);
        let (at, count) = (seen[label], counts[label]);
        seen[label] += 1;
        // The row with which the sample's share of the label reaches the next whole number.
        count <= most || (at + 1) * most / count > at * most / count
    })
}

/// Distances of each capture's flows to the benign prototypes of the others; the threshold comes from the benign ones.
///
/// Transform and prototypes are fitted without the capture, so that the distances are those of a place that the model
/// has not seen; the model itself then knows every capture's background, which makes its own rate lower.
fn leave_captures_out(rows: &Rows<'_>, labels: usize, pipeline: &Pipeline, seed: u64) -> Vec<LeftOutCapture> {
    let metric = pipeline.engine.novelty_metric();
    let captures = captures(rows);
    let without = |at: usize| {
        let Capture { name, is_block, inside, outside } = captures.get(at)?;
        let others = Rows { chosen: outside, ..*rows };
        let transform = others.transform(pipeline.transform());
        let benign = points(&transform, rows.data, others.of(BENIGN));
        let mut random = Random::new(seed ^ CAPTURES ^ (at as u64) << 32);
        let known = prototypes(&views(&benign), pipeline.points.benign, &mut random);
        if known.is_empty() {
            return None;
        }
        let mut distances = vec![Vec::new(); labels];
        for (&row, point) in inside.rows().iter().zip(points(&transform, rows.data, inside.rows().iter().copied())) {
            let nearest = known.iter().map(|known| metric.between(known, &point)).fold(f32::INFINITY, f32::min);
            distances[usize::from(rows.labels[row])].push(nearest);
        }
        Some(LeftOutCapture { name: name.clone(), is_block: *is_block, distances })
    };
    in_parallel(captures.len(), without).into_iter().flatten().collect()
}

/// A capture's rows and all others.
struct Capture {
    name: String,
    is_block: bool,
    inside: TrainingRows<'static>,
    outside: TrainingRows<'static>,
}

/// The captures of the chosen rows. A single capture is cut into blocks of time, which then stand for captures; of very many, several are left
/// out together.
fn captures(rows: &Rows<'_>) -> Vec<Capture> {
    let groups = rows.data.scenarios().ids();
    let mut present: Vec<u32> = rows.of(BENIGN).map(|row| groups[row]).collect();
    present.sort_unstable();
    present.dedup();
    let mut all: Vec<u32> = rows.chosen.rows().iter().map(|&row| groups[row]).collect();
    let named = present.len() > 1;
    let mut distinct = all.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let dealt = named && distinct.len() > PARTS;
    let of_group: Vec<u32> = if dealt {
        // Captures of one kind often stand side by side, and go to different parts.
        let part = |group: &u32| distinct.binary_search(group).map_or(0, |at| (at % PARTS) as u32);
        all.iter().map(part).collect()
    } else if named {
        all.clone()
    } else {
        (0..all.len()).map(|at| (at * BLOCKS / all.len()) as u32).collect()
    };
    all.clone_from(&of_group);
    all.sort_unstable();
    all.dedup();
    let part = |group: u32, inside: bool| {
        let mut of_group = of_group.iter();
        rows.chosen.filter(|_| of_group.next().is_some_and(|of| (*of == group) == inside))
    };
    let name = |group: u32| match rows.data.scenarios().distinct().get(group as usize) {
        _ if dealt => format!("part {} of {PARTS} of {} captures", group + 1, distinct.len()),
        Some(name) if named => name.clone(),
        _ => format!("block {} of {BLOCKS}", group + 1),
    };
    let capture =
        |group| Capture { name: name(group), is_block: !named, inside: part(group, true), outside: part(group, false) };
    all.into_iter().map(capture).collect()
}

/// Prototypes of each label: what is asked for benign, and a fair share of the rest for each attack, where what a
/// small label leaves goes to the greater ones.
fn budgets(distinct: &[usize], sizes: &PointsSpec) -> Vec<usize> {
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
/// Where the unknown votes, in novelty thresholds. From 1.5 to 3 nothing changes: of a fit on the first half of each published capture, 10 of 11
/// exploit flows of the second half alert and 1 benign flow, and none of the bundled demo's applications, which no data had.
const UNKNOWN: f32 = 2.5;
/// Blocks of a data set that is one capture.
const BLOCKS: usize = 5;
/// More captures than this are left out in so many parts: a fit without each of hundreds would take hours and tell no more.
const PARTS: usize = 16;
/// Keeps the random numbers of the left-out fits apart from those of the model's.
const CAPTURES: u64 = 0xca97_0000;

#[cfg(test)]
mod tests {
    use super::super::split::Fold;
    use super::*;

    #[test]
    fn small_labels_keep_all_their_rows_and_great_ones_share_the_rest() {
        let sizes = PointsSpec { benign: 256, attacks: 140, ..PointsSpec::default() };
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
        let whole = Fold::whole(1000);
        let rows = Rows { data: &data, labels: &labels, chosen: &whole.training() };
        assert_eq!(thinned(&rows, 2, 900).rows(), whole.training().rows());
        let some = thinned(&rows, 2, 100);
        let some = some.rows();
        assert_eq!(some.iter().filter(|&&row| labels[row] == 1).count(), 100, "not more than asked: all");
        let benign: Vec<_> = some.iter().filter(|&&row| labels[row] == 0).collect();
        assert_eq!(benign.len(), 100);
        assert!(some.is_sorted() && benign.windows(2).all(|two| (9..=11).contains(&(two[1] - two[0]))), "{benign:?}");
    }

    #[test]
    fn a_single_capture_is_cut_into_blocks() {
        let mut data = Dataset::new(Vec::new());
        (0..10).for_each(|_| data.push(&[], "0", "only"));
        let whole = Fold::whole(10);
        let rows = Rows { data: &data, labels: &[0; 10], chosen: &whole.training() };
        let parts = captures(&rows);
        assert_eq!(parts.len(), BLOCKS);
        assert!(parts.iter().all(|part| part.inside.rows().len() == 2 && part.outside.rows().len() == 8));
        assert_eq!(parts[4].name, "block 5 of 5");
    }
}
