//! From labelled flows to a model: fit, validate, choose thresholds, fit again on all rows.
//!
//! [`train`] is the default recipe. What it is measured on comes later in time than what it is fitted on, capture by capture;
//! validation chooses the alert thresholds and is reported once; the model in the artifact is then fitted on every row with the same
//! recipe, so that the reported figures are those of its sibling. No files, no clock: the commands read and write.

mod assessment;
mod bins;
mod centroids;
mod columns;
mod evaluate;
mod fit;
mod forest;
mod grouping;
mod importance;
mod judged;
mod labels;
mod leaks;
pub mod metrics;
mod page;
mod plot;
mod predictions;
mod progress;
mod random;
mod report;
mod select;
mod split;
mod summary;
mod views;

use std::collections::{BTreeMap, HashSet};

pub use assessment::{Assessment, Hourly, Options};
pub use columns::{ColumnsError, FeaturesSpec, default_features};
pub use evaluate::{Alerts, ClassFigures, Evaluation, Novelty, ScenarioFigures, UNKNOWN, evaluate};
pub use fit::Sizes;
pub use grouping::Unavailable;
pub use importance::{Column, Importance};
pub use judged::Judged;
pub use labels::{UnknownLabels, View, to_model};
pub use leaks::{LeakTest, text as leak_text};
pub use page::page;
pub use predictions::predictions;
pub use progress::{Progress, Unwatched};
pub use report::{LeftOut, Report, text};
pub use select::{Measure, Ranked, SelectError, SelectSpec, Selection};
pub use summary::summary;
pub use views::{Figures, OneClass, Seen, Views};

use crate::dataset::Dataset;
use crate::features::Profile;
use crate::model::{
    ArtifactError, EngineParts, Kept, KnnParts, Metric, Model, ModelParts, NoveltyParts, Provenance, ScalingParts,
    TransformParts, Weighting, leaky, schema_sha256,
};
use evaluate::rounded;
use fit::{Fitted, Rows, fit, views};

/// How to train.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What the model is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How labels are grouped.
    pub view: View,
    /// The seed of all that is random.
    pub seed: u64,
    /// The profile that the training flows were metered with.
    pub profile: Profile,
    /// One line about the data, put before its counts.
    pub about: Option<String>,
    /// Whether columns may be features that tell where or when a flow was seen.
    pub allow_leaky: bool,
    /// Which of the data's columns the model reads; all of them without it.
    pub select: Option<SelectSpec>,
    /// How many neighbours vote.
    pub k: usize,
    /// Sizes of the fit.
    pub sizes: Sizes,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            name: "flows".to_owned(),
            version: "1".to_owned(),
            view: View::default(),
            seed: 1,
            profile: Profile::Cic,
            about: None,
            allow_leaky: false,
            select: None,
            k: NEIGHBOURS,
            sizes: Sizes::default(),
        }
    }
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A column that may not be a feature.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    /// No columns can be selected.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// Labels that mean nothing.
    #[error(transparent)]
    Labels(#[from] UnknownLabels),
    /// No benign flows.
    #[error("no benign flows in the data (label 0 or `benign`): without them every flow would be novel")]
    NoBenign,
    /// Too little to fit and to validate.
    #[error("{distinct} distinct benign flows: at least {LEAST_BENIGN} are needed to fit and to validate")]
    TooFew {
        /// What there is.
        distinct: usize,
    },
    /// The fitted parts are no model; a fault of this program.
    #[error("the fitted model is not valid: {0}")]
    Artifact(#[from] ArtifactError),
}

/// Trains a model on labelled flows; rows of a capture must stand in the order of time.
///
/// # Errors
/// See [`TrainError`].
pub fn train(data: &Dataset, recipe: &Recipe) -> Result<(Model, Report), TrainError> {
    train_watched(data, recipe, &Unwatched)
}

/// The same, and tells how far it has come.
///
/// # Errors
/// See [`TrainError`].
pub fn train_watched(data: &Dataset, recipe: &Recipe, progress: &dyn Progress) -> Result<(Model, Report), TrainError> {
    columns::check(data.features(), recipe.allow_leaky)?;
    let grouped = labels::group(data.labels(), recipe.view)?;
    if !grouped.names.first().is_some_and(|name| crate::taxonomy::is_benign(name)) {
        return Err(TrainError::NoBenign);
    }
    progress.begin("splitting", None);
    let mut split = split::by_time(data.scenarios().ids(), |row| data.row(row).iter().map(|&x| same(x)).collect());
    let selected;
    let (data, selection) = match &recipe.select {
        None => (data, None),
        Some(spec) => {
            progress.begin("ranking columns", None);
            let rows = Rows { data, labels: &grouped.rows, chosen: &split.training };
            let (selection, kept) = select::select(&rows, grouped.names.len(), spec, recipe.sizes.rows, recipe.seed)?;
            selected = data.with_columns(&kept);
            split.leave_out_repeats(|row| selected.row(row).iter().map(|&x| same(x)).collect());
            (&selected, Some(selection))
        }
    };
    let benign = split.training.iter().filter(|&&row| grouped.rows[row] == fit::BENIGN);
    let mut distinct: HashSet<Vec<u32>> = HashSet::new();
    for &row in benign {
        // Enough is enough: a set of all would be as large as the data.
        if distinct.len() == LEAST_BENIGN {
            break;
        }
        distinct.insert(data.row(row).iter().map(|&x| same(x)).collect());
    }
    if distinct.len() < LEAST_BENIGN {
        return Err(TrainError::TooFew { distinct: distinct.len() });
    }

    let maker = Maker { data, recipe, names: &grouped.names, labels: &grouped.rows };
    let name_of = |row: usize| grouped.names.get(usize::from(grouped.rows[row])).map(String::as_str);
    let validate = |model: &Model, work: &str| {
        progress.begin(work, Some(split.validation.len() as u64));
        evaluate(model, data, split.validation.iter().copied().inspect(|_| progress.step(1)), name_of)
    };

    // Fit on the first part of each capture, choose thresholds on the last, and look once.
    progress.begin("fitting", None);
    let fitted = maker.fit(&split.training);
    progress.begin("choosing thresholds", None);
    let open = maker.model(&fitted, &vec![0.0; grouped.names.len()], BTreeMap::new())?;
    let thresholds = alert_thresholds(&open, data, &split.validation, &grouped.rows);
    let sibling = maker.model(&fitted, &thresholds, BTreeMap::new())?;
    let validation = validate(&sibling, "validating");
    let all_points = if split.training.len() <= ALL_POINTS_ROWS {
        let all = maker.model(&maker.all_points(&fitted, &split.training), &thresholds, BTreeMap::new())?;
        validate(&all, "validating with all points")
    } else {
        Evaluation::default()
    };

    progress.begin("testing for leaks", Some(leaks::SHUFFLES + 1));
    let by_one_column = leaks::capture_by_one_column(data, |row| grouped.rows[row] == fit::BENIGN, &split);
    progress.step(1);
    let leaks = vec![
        by_one_column,
        leaks::shuffled_labels(&shuffled(&maker, &split, progress)?),
        leaks::ceiling(data, &validation),
        leaks::identical_rows(&split),
    ];

    // The same recipe on every row.
    progress.begin("fitting on all flows", None);
    let every: Vec<usize> = (0..data.len()).collect();
    let fitted = maker.fit(&every);
    let left_out = LeftOut::of(&grouped.names, &fitted);
    let metrics = report::metrics(&validation, &all_points, &left_out);
    let model = maker.model(&fitted, &thresholds, metrics)?;
    let report = Report { leaks, selection, ..Report::new(&model, &split, validation, &all_points, left_out) };
    Ok((model, report))
}

/// The figures of fits on shuffled labels: what a fit can score without knowing anything.
fn shuffled(maker: &Maker<'_>, split: &split::Split, progress: &dyn Progress) -> Result<Vec<Evaluation>, TrainError> {
    let some = |rows: &[usize]| -> Vec<usize> {
        rows.iter().copied().step_by(rows.len().div_ceil(leaks::SHUFFLED_ROWS).max(1)).collect()
    };
    let (training, validation) = (some(&split.training), some(&split.validation));
    let name_of = |row: usize| maker.names.get(usize::from(maker.labels[row])).map(String::as_str);
    let once = |turn| {
        let labels = leaks::shuffled(maker.labels, &training, maker.recipe.seed.wrapping_add(turn));
        let blind = Maker { labels: &labels, ..*maker };
        let model = blind.model(&blind.fit(&training), &vec![0.0; maker.names.len()], BTreeMap::new())?;
        let found = evaluate(&model, maker.data, validation.iter().copied(), name_of);
        progress.step(1);
        Ok(found)
    };
    (0..leaks::SHUFFLES).map(once).collect()
}

/// What every fit of one training run shares.
#[derive(Clone, Copy)]
struct Maker<'a> {
    data: &'a Dataset,
    recipe: &'a Recipe,
    names: &'a [String],
    labels: &'a [u16],
}

impl Maker<'_> {
    fn fit(&self, chosen: &[usize]) -> Fitted {
        let rows = Rows { data: self.data, labels: self.labels, chosen };
        fit(&rows, self.names.len(), &self.recipe.sizes, self.recipe.seed)
    }

    /// The same fit with every distinct training row in place of prototypes: what the prototypes are held against.
    fn all_points(&self, fitted: &Fitted, chosen: &[usize]) -> Fitted {
        let mut all = Fitted { points: Vec::new(), point_labels: Vec::new(), ..fitted.clone() };
        for label in 0..self.names.len() {
            let rows = chosen.iter().copied().filter(|&row| usize::from(self.labels[row]) == label);
            let points = fit::points(&fitted.transform, self.data, rows);
            for point in centroids::distinct(&views(&points)) {
                // On the grid of an artifact's coordinates, which does not know numbers just above 0.
                all.points.push(point.iter().map(|x| (x * 1e6).round() / 1e6).collect());
                all.point_labels.push(label as u16);
            }
        }
        all
    }

    fn model(
        &self,
        fitted: &Fitted,
        thresholds: &[f32],
        metrics: BTreeMap<String, f64>,
    ) -> Result<Model, ArtifactError> {
        let Self { data, recipe, names, labels } = self;
        let count = |label: usize| labels.iter().filter(|&&l| usize::from(l) == label).count() as u64;
        let rows: BTreeMap<String, u64> = names.iter().cloned().enumerate().map(|(at, n)| (n, count(at))).collect();
        let counts: Vec<String> = names.iter().map(|name| format!("{name} {}", rows[name])).collect();
        let captures = data.scenarios().distinct().len();
        let counts = format!("{} flows of {captures} captures: {}", data.len(), counts.join(", "));
        let mut transform = TransformParts::of(&fitted.transform);
        if let ScalingParts::Quantile(maps) = &mut transform.scaling {
            maps.iter_mut().flat_map(|map| &mut map.levels).for_each(|level| *level = digits(level));
        }
        Model::from_parts(&ModelParts {
            name: recipe.name.clone(),
            version: recipe.version.clone(),
            profile: recipe.profile.name().to_owned(),
            schema_sha256: schema_sha256(data.features()),
            portable_only: data.features().iter().all(|id| id.feature().portable),
            features: data.features().iter().map(|id| id.feature().column.to_owned()).collect(),
            parent: None,
            transform,
            labels: names.to_vec(),
            alert_thresholds: thresholds.to_vec(),
            engine: EngineParts::Knn(KnnParts {
                k: recipe.k.min(fitted.points.len()),
                metric: Metric::L2,
                weighting: Weighting::Distance,
                kept: Kept::Centroids,
                points: fitted.points.clone(),
                point_labels: fitted.point_labels.clone(),
            }),
            novelty: NoveltyParts { threshold: digits(&fitted.novelty_threshold), points: None },
            pipeline: None,
            provenance: Provenance {
                trained_on: recipe.about.as_ref().map_or_else(|| counts.clone(), |about| format!("{about}; {counts}")),
                data_sha256: data.sha256(),
                rows,
                seed: recipe.seed,
                created_by: concat!("flowshrike ", env!("CARGO_PKG_VERSION")).to_owned(),
                leaky: leaky(data.features()).into_iter().map(str::to_owned).collect(),
            },
            metrics,
        })
    }
}

/// For each attack label the least score that keeps its false alerts on validation rows within the allowance.
fn alert_thresholds(model: &Model, data: &Dataset, validation: &[usize], labels: &[u16]) -> Vec<f32> {
    let mut classifier = model.classifier();
    let mut scores = vec![Vec::new(); model.labels().len()];
    let benign = validation.iter().copied().filter(|&row| labels[row] == fit::BENIGN);
    let mut quiet = 0;
    for row in benign {
        let verdict = classifier.classify_row(data.row(row));
        scores[usize::from(verdict.label.0)].push(verdict.score);
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

/// A value in a form in which values that the model cannot tell apart are equal.
fn same(value: f64) -> u32 {
    let value = if value.is_finite() { value as f32 } else { 0.0 };
    (value + 0.0).to_bits()
}

/// Rounded to five places: what an artifact keeps.
fn digits(value: &f32) -> f32 {
    (rounded(*value) * 1e5).round() as f32 / 1e5
}

/// Three neighbours, so that one odd point does not decide alone.
const NEIGHBOURS: usize = 3;
/// Fewer distinct benign flows make neither quantiles nor a novelty threshold.
const LEAST_BENIGN: usize = 10;
/// Every training row against every validation row grows with the square: above this many the comparison is left out.
const ALL_POINTS_ROWS: usize = 50_000;
/// An alert needs at least half of the weight.
const LEAST_SCORE: f32 = 0.5;
/// One false alert in this many benign validation flows is allowed for each label.
const FALSE_ALERTS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_without_benign_flows_is_refused() {
        let mut data = Dataset::new(default_features());
        (0..40).for_each(|n| data.push(&[f64::from(n); 12], "2", "a"));
        assert!(matches!(train(&data, &Recipe::default()), Err(TrainError::NoBenign)));
        (0..8).for_each(|n| data.push(&[f64::from(n); 12], "0", "a"));
        assert!(matches!(train(&data, &Recipe::default()), Err(TrainError::TooFew { .. })));
    }

    #[test]
    fn many_rows_are_fitted_on_a_sample_and_not_held_against_each_other() {
        let mut data = Dataset::new(default_features());
        for n in 0..70_000_u32 {
            let (label, shift) = if n % 10 == 3 { ("2", 100_000.0) } else { ("0", 0.0) };
            data.push(&[f64::from(n * 7919 % 70_001) + shift; 12], label, if n < 35_000 { "a" } else { "b" });
        }
        let sizes = Sizes { rows: 500, benign: 8, attacks: 8, ..Sizes::default() };
        let (model, report) = train(&data, &Recipe { sizes, ..Recipe::default() }).expect("a model");
        assert_eq!((report.training_flows, report.validation.flows), (52_500, 17_500));
        assert_eq!((report.all_points_macro_f1, model.parts().engine.size()), (None, 16));
        assert!(report.left_out.values().all(|label| label.flows <= 500));
    }

    #[test]
    fn zero_and_minus_zero_and_what_is_not_finite_are_the_same() {
        assert!([-0.0, f64::NAN, f64::INFINITY].iter().all(|&x| same(x) == same(0.0)));
        assert_ne!(same(1.0), same(2.0));
    }
}
