//! The figures of a recipe: each flow that is held back is judged by a fit that has not seen it, and all verdicts count together.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::evaluate::{Evaluation, Novelty, digits, tally};
use super::fit::{BENIGN, Fitted};
use super::leaks;
use super::maker::{Chosen, Maker};
use super::novelty::{self, Beyond};
use super::recipe::{LEAST_BENIGN, TrainError};
use super::split::{Fold, Split, TrainingRows, first_identical, same};
use crate::model::{Model, Verdict};

/// What the folds of a split show.
pub(super) struct Validation<'a> {
    /// Figures over the verdicts of all folds.
    pub(super) pooled: Evaluation,
    /// Macro-F1 of the same with every point kept in place of prototypes, unless there are too many.
    pub(super) all_points_macro_f1: Option<f64>,
    /// Least score worth an alert by label, chosen on those verdicts.
    pub(super) thresholds: Vec<f32>,
    /// Each fold by itself.
    pub(super) folds: Vec<FoldFigures>,
    /// By column, validation flows beyond what their fold's fit has seen.
    pub(super) beyond: BTreeMap<String, Beyond>,
    /// The columns that were selected, if one fold did so.
    pub(super) columns: Option<Chosen<'a>>,
    /// What is odd, a sentence each.
    pub(super) notes: Vec<String>,
    /// By row, what its fold's fit says.
    pub(super) held_back: HeldBack,
}

/// Verdicts by fits that had not seen the row, nor anything else of what was held back with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldBack(Vec<Option<Verdict>>);

impl HeldBack {
    /// A row's verdict; none for a row that was never held back.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&Verdict> {
        self.0.get(row)?.as_ref()
    }
}

/// One fold: how many flows, and the figures on them alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FoldFigures {
    /// What was held back, if there are several folds: a capture, or `2 of 5`.
    pub name: Option<String>,
    /// Flows that its model was fitted on.
    pub training_flows: usize,
    /// Flows that it was measured on.
    pub validation_flows: usize,
    /// Flows that were held back, but repeat a training flow and are not counted.
    pub repeated_flows: usize,
    /// Share of the measured flows with the right label.
    pub accuracy: Option<f64>,
    /// Mean F1 of the classes in this fold.
    pub macro_f1: Option<f64>,
    /// Share of its benign flows that got an attack's label.
    pub false_positive_rate: Option<f64>,
    /// Benign flows among the measured ones.
    pub benign_flows: u64,
    /// What its model's novelty threshold makes of them.
    pub novelty: Novelty,
    /// Labels of measured flows that none of its training flows has: its model cannot say them.
    pub unseen_labels: Vec<String>,
}

/// A fold's verdicts on its validation rows.
struct Judged<'a> {
    fold: &'a Fold,
    chosen: Chosen<'a>,
    /// Rows that are left out because they repeat a training row.
    repeated: usize,
    fitted: Fitted,
    verdicts: Vec<(usize, Verdict)>,
    /// Of rows that repeat a training row: no figures are made of them.
    of_repeats: Vec<(usize, Verdict)>,
    all_points: Option<Vec<(usize, Verdict)>>,
    non_finite: u64,
}

/// Fits and judges fold by fold.
///
/// # Errors
/// If no fold has enough benign flows to fit on.
pub(super) fn validate<'a>(maker: &Maker<'a>, split: &'a Split) -> Result<Validation<'a>, TrainError> {
    let mut notes = split.notes.clone();
    let mut judged = Vec::new();
    let mut most = 0;
    for fold in &split.folds {
        let distinct = distinct_benign(maker, &fold.training());
        most = most.max(distinct);
        if distinct == LEAST_BENIGN {
            judged.push(judge(maker, fold)?);
        } else {
            let name = fold.name().unwrap_or_default();
            notes.push(format!(
                "fold `{name}` is left out: without it {distinct} distinct benign flows remain to fit on"
            ));
        }
    }
    let Some(first) = judged.first() else { return Err(TrainError::TooFew { distinct: most }) };

    let pool = || judged.iter().flat_map(|judged| judged.verdicts.iter().copied());
    let thresholds = alert_thresholds(pool(), maker.labels, maker.names.len());
    let model = maker.with(&first.chosen).model(&first.fitted, &thresholds, BTreeMap::new())?;
    let mut pooled = figures(maker, &model, pool());
    pooled.non_finite = judged.iter().map(|judged| judged.non_finite).sum();
    let all_points: Option<Vec<_>> = judged.iter().map(|judged| judged.all_points.as_deref()).collect();
    let all_points = all_points.and_then(|all| figures(maker, &model, all.into_iter().flatten().copied()).macro_f1);
    let folds: Vec<_> =
        judged.iter().map(|judged| of_fold(maker, judged, &thresholds)).collect::<Result<_, TrainError>>()?;
    if folds.len() > 1 {
        let sum: f64 = folds.iter().map(|fold| fold.novelty.threshold).sum();
        pooled.novelty.threshold = (sum / folds.len() as f64 * 1e5).round() / 1e5;
    }
    notes.extend(unmeasured(maker, &pooled));
    let beyond = novelty::beyond_training(maker.data, maker.labels, judged.iter().map(|judged| judged.fold));
    if maker.recipe.pipeline.select.is_some() && folds.len() > 1 {
        notes.push(
            "each fold selects columns by its own training flows; those of the model are selected by all flows"
                .to_owned(),
        );
    }
    let mut held_back = HeldBack::default();
    if maker.recipe.keeps_verdicts {
        held_back.0.resize(maker.data.len(), None);
        let all = judged.iter().flat_map(|judged| judged.verdicts.iter().chain(&judged.of_repeats));
        all.for_each(|(row, verdict)| held_back.0[*row] = Some(*verdict));
    }
    let columns = if split.folds.len() == 1 { judged.pop().map(|judged| judged.chosen) } else { None };
    Ok(Validation { pooled, all_points_macro_f1: all_points, thresholds, folds, beyond, columns, notes, held_back })
}

/// The figures of fits on shuffled labels: what a fit can score without knowing anything.
pub(super) fn shuffled(maker: &Maker<'_>, split: &Split) -> Result<Vec<Evaluation>, TrainError> {
    let most = (leaks::SHUFFLED_ROWS / split.folds.len().max(1)).max(leaks::LEAST_SHUFFLED_ROWS);
    let every = |rows: usize| rows.div_ceil(most).max(1);
    let once = |turn: u64| -> Result<Option<Evaluation>, TrainError> {
        let mut verdicts = Vec::new();
        let mut last = None;
        for fold in &split.folds {
            let (mut at, step) = (0..usize::MAX, every(fold.training().rows().len()));
            let training = fold.training().filter(|_| at.next().is_some_and(|at| at % step == 0));
            let labels = leaks::shuffled(maker.labels, training.rows(), maker.recipe.seed.wrapping_add(turn));
            let blind = Maker { labels: &labels, ..*maker };
            // Of shuffled labels no column may say enough.
            let Ok(chosen) = blind.choose(&training) else { continue };
            let blind = blind.with(&chosen);
            let fitted = blind.fit(&training);
            if !fitted.knows_benign() {
                continue;
            }
            let model = blind.open_model(&fitted)?;
            let validation = fold.validation().rows();
            let rows = validation.iter().copied().step_by(every(validation.len()));
            let mut classifier = model.classifier();
            verdicts.extend(rows.map(|row| (row, classifier.classify_row(chosen.data.row(row)))));
            drop(classifier);
            last = Some(model);
        }
        Ok(last.map(|model| figures(maker, &model, verdicts)))
    };
    (0..leaks::SHUFFLES).filter_map(|turn| once(turn).transpose()).collect()
}

fn judge<'a>(maker: &Maker<'a>, fold: &'a Fold) -> Result<Judged<'a>, TrainError> {
    maker.progress.begin("fitting", None);
    let chosen = maker.choose(&fold.training())?;
    let own = maker.with(&chosen);
    let mut fitted = own.fit(&fold.training());
    let rows = unrepeated(&chosen, fold);
    let (verdicts, non_finite) = verdicts(&own, &own.open_model(&fitted)?, &rows);
    // Every point against every validation row grows with the square.
    let few = fold.training().rows().len().max(fitted.sampled.count()) <= ALL_POINTS_ROWS;
    let all_points = if few { verdicts_of_all_points(&own, &fitted, &rows)? } else { None };
    fitted.sampled = super::sampling::SampledPoints::default();
    let repeats = repeats(fold, &rows);
    let repeated = repeats.len();
    let of_repeats = if maker.recipe.keeps_verdicts {
        self::verdicts(&own, &own.open_model(&fitted)?, &repeats).0
    } else {
        Vec::new()
    };
    Ok(Judged { fold, chosen, repeated, fitted, verdicts, of_repeats, all_points, non_finite })
}

/// The validation rows; where columns were selected, without those that repeat a training row by the columns that are left.
fn unrepeated(chosen: &Chosen<'_>, fold: &Fold) -> Vec<usize> {
    let rows = fold.validation().rows().to_vec();
    if chosen.selection.is_none() {
        return rows;
    }
    let identical = first_identical(&chosen.data);
    let fitted_on: HashSet<u32> = fold.training().rows().iter().map(|&row| identical[row]).collect();
    rows.into_iter().filter(|&row| !fitted_on.contains(&identical[row])).collect()
}

/// What was held back but is not measured.
fn repeats(fold: &Fold, measured: &[usize]) -> Vec<usize> {
    let held_back = fold.left_out().iter().chain(fold.validation().rows());
    held_back.copied().filter(|row| measured.binary_search(row).is_err()).collect()
}

fn verdicts_of_all_points(
    maker: &Maker<'_>,
    fitted: &Fitted,
    rows: &[usize],
) -> Result<Option<Vec<(usize, Verdict)>>, TrainError> {
    let Some(whole) = maker.all_points(fitted) else { return Ok(None) };
    Ok(Some(verdicts(maker, &maker.open_model(&whole)?, rows).0))
}

/// What a model says of rows that it was not fitted on, and how many values were not finite.
fn verdicts(maker: &Maker<'_>, model: &Model, rows: &[usize]) -> (Vec<(usize, Verdict)>, u64) {
    maker.progress.begin("validating", Some(rows.len() as u64));
    let mut classifier = model.classifier();
    let mut judge = |&row: &usize| {
        maker.progress.step(1);
        (row, classifier.classify_row(maker.data.row(row)))
    };
    let verdicts = rows.iter().map(&mut judge).collect();
    (verdicts, classifier.non_finite())
}

fn figures(maker: &Maker<'_>, model: &Model, verdicts: impl IntoIterator<Item = (usize, Verdict)>) -> Evaluation {
    tally(model, maker.data, verdicts, |row| maker.name_of(row))
}

fn of_fold(maker: &Maker<'_>, judged: &Judged<'_>, thresholds: &[f32]) -> Result<FoldFigures, TrainError> {
    let Judged { fold, chosen, repeated, fitted, verdicts, .. } = judged;
    let model = maker.with(chosen).model(fitted, thresholds, BTreeMap::new())?;
    let found = figures(maker, &model, verdicts.iter().copied());
    let fitted_on: HashSet<u16> = fold.training().rows().iter().map(|&row| maker.labels[row]).collect();
    let measured: HashSet<u16> = verdicts.iter().map(|&(row, _)| maker.labels[row]).collect();
    let unseen = (0..).zip(maker.names).filter(|(label, _)| measured.contains(label) && !fitted_on.contains(label));
    Ok(FoldFigures {
        name: fold.name().map(str::to_owned),
        training_flows: fold.training().rows().len(),
        validation_flows: verdicts.len(),
        repeated_flows: *repeated,
        accuracy: found.accuracy,
        macro_f1: found.macro_f1,
        false_positive_rate: found.false_positive_rate,
        benign_flows: found.benign_flows,
        novelty: found.novelty,
        unseen_labels: unseen.map(|(_, name)| name.clone()).collect(),
    })
}

/// Labels that no fold has measured.
fn unmeasured(maker: &Maker<'_>, pooled: &Evaluation) -> Option<String> {
    let without = |name: &&String| pooled.per_class.get(*name).is_none_or(|class| class.support == 0);
    let names: Vec<String> = maker.names.iter().filter(without).map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("no validation flows of {}: not measured", names.join(", ")))
}

/// For each attack label the least share of attack labels that keeps its false alerts on benign rows within the allowance.
fn alert_thresholds(verdicts: impl Iterator<Item = (usize, Verdict)>, labels: &[u16], count: usize) -> Vec<f32> {
    let mut scores = vec![Vec::new(); count];
    let mut quiet = 0;
    for (_, verdict) in verdicts.filter(|&(row, _)| labels[row] == BENIGN) {
        scores[usize::from(verdict.label.0)].push(verdict.attack);
        quiet += 1;
    }
    let allowed = quiet / FALSE_ALERTS;
    let steps = (0..=10_u8).map(|step| digits(&(LEAST_SCORE + f32::from(step) * 0.05)));
    let least = |scores: &Vec<f32>| {
        let within = |threshold: &f32| scores.iter().filter(|score| *score >= threshold).count() <= allowed;
        steps.clone().find(within).unwrap_or(1.0)
    };
    let mut thresholds: Vec<f32> = scores.iter().map(least).collect();
    if let Some(benign) = thresholds.first_mut() {
        *benign = 0.0;
    }
    thresholds
}

/// How many distinct benign rows there are, counted as far as enough: a set of all would be as large as the data.
fn distinct_benign(maker: &Maker<'_>, rows: &TrainingRows<'_>) -> usize {
    let mut distinct: HashSet<Vec<u32>> = HashSet::new();
    for &row in rows.rows().iter().filter(|&&row| maker.labels[row] == BENIGN) {
        if distinct.len() == LEAST_BENIGN {
            break;
        }
        distinct.insert(maker.data.row(row).iter().map(|&x| same(x)).collect());
    }
    distinct.len()
}

/// Above this many training rows or points of a fit the comparison with all of them kept is left out.
const ALL_POINTS_ROWS: usize = 50_000;
/// An alert needs at least half of the votes.
const LEAST_SCORE: f32 = 0.5;
/// One false alert in this many benign validation flows is allowed for each label.
const FALSE_ALERTS: usize = 1000;
