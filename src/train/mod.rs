//! From labelled flows to a model: fit, validate, choose thresholds, fit again on all rows.
//!
//! [`train`] is the default recipe. What it is measured on comes later in time than what it is fitted on, capture by capture, unless the
//! recipe asks for another split; validation chooses the alert thresholds and is reported once; the model in the artifact is then fitted on
//! every row with the same recipe, so that the reported figures are those of its siblings. No files, no clock: the commands read and write.

mod assessment;
mod bins;
mod centroids;
mod columns;
mod condense;
mod engine;
mod evaluate;
pub mod evidence;
mod fit;
pub mod gate;
mod grouping;
mod importance;
mod judged;
mod labels;
mod leaks;
pub mod learn;
mod maker;
pub mod metrics;
mod novelty;
mod page;
mod parallel;
mod pipeline;
mod plot;
mod predictions;
mod progress;
mod random;
mod recipe;
mod report;
pub mod sampling;
mod scaling;
mod select;
pub mod split;
mod summary;
pub mod tracking;
mod trees;
mod validate;
mod views;

pub use assessment::{Assessment, Hourly, HoursBy, Options};
pub use columns::{ColumnsError, FeaturesSpec, default_features};
pub use engine::{EngineSpec, ForestSpec, KnnSpec, TreeSpec};
pub use evaluate::{Alerts, ClassFigures, Evaluation, Novelty, ScenarioFigures, UNKNOWN, evaluate};
pub use grouping::Unavailable;
pub use importance::{Column, Importance};
pub use judged::Judged;
pub use labels::{UnknownLabels, View, to_model};
pub use leaks::{LeakTest, text as leak_text};
pub use novelty::{Beyond, NoveltyReport, Recall, ScenarioNovelty};
pub use page::page;
pub use pipeline::{Pipeline, PipelineError, PointsSpec};
pub use predictions::predictions;
pub use progress::{Progress, Unwatched};
pub use recipe::{Recipe, TrainError};
pub use report::{LeftOut, Report, SplitUsed, text};
pub use scaling::{Missing, ScalingKind, TransformSpec};
pub use select::{Measure, Ranked, SelectError, SelectSpec, Selection};
pub use summary::summary;
pub use validate::{FoldFigures, HeldBack};
pub use views::{Figures, OneClass, Seen, Views};

use crate::dataset::Dataset;
use crate::model::Model;
use maker::Maker;
use split::{Fold, SplitSpec};

/// What a training run makes.
#[derive(Debug)]
pub struct Trained {
    /// The model, fitted on all rows.
    pub model: Model,
    /// What its siblings scored on rows that they had not seen.
    pub report: Report,
    /// By row, what the fit said that had not seen it; empty unless the recipe asks for it.
    pub held_back: HeldBack,
}

/// Trains a model on labelled flows; rows of a capture must stand in the order of time.
///
/// # Errors
/// See [`TrainError`].
pub fn train(data: &Dataset, recipe: &Recipe) -> Result<(Model, Report), TrainError> {
    train_watched(data, recipe, &Unwatched).map(|trained| (trained.model, trained.report))
}

/// The same, and tells how far it has come.
///
/// # Errors
/// See [`TrainError`].
pub fn train_watched(data: &Dataset, recipe: &Recipe, progress: &dyn Progress) -> Result<Trained, TrainError> {
    columns::check(data.features(), recipe.pipeline.features.allow_leaky)?;
    recipe.pipeline.resample.check()?;
    let grouped = labels::group(data.labels(), recipe.pipeline.view)?;
    if !grouped.names.first().is_some_and(|name| crate::taxonomy::is_benign(name)) {
        return Err(TrainError::NoBenign);
    }
    progress.begin("splitting", None);
    let split = recipe.pipeline.split.split(data, &grouped.rows, &grouped.names, recipe.seed)?;
    let data_sha256 = data.sha256();
    let maker =
        Maker { data, recipe, names: &grouped.names, labels: &grouped.rows, data_sha256: &data_sha256, progress };

    // Fit on one side of each fold, choose thresholds on the other sides, and look once.
    let mut found = validate::validate(&maker, &split)?;

    // What a column tells of a capture needs captures on both sides, which only a split by time has for sure.
    let by_time = SplitSpec::default();
    let by_time = if recipe.pipeline.split == by_time {
        None
    } else {
        Some(by_time.split(data, &grouped.rows, &grouped.names, recipe.seed)?)
    };
    progress.begin("testing for leaks", None);
    let leaks = vec![
        leaks::capture_by_one_column(
            data,
            |row| grouped.rows[row] == fit::BENIGN,
            &by_time.as_ref().unwrap_or(&split).folds,
        ),
        leaks::shuffled_labels(&validate::shuffled(&maker, &split)?),
        leaks::ceiling(data, &found.pooled),
        leaks::identical_rows(&found.folds),
    ];

    // The same recipe on every row, with the columns that were measured.
    progress.begin("fitting on all flows", None);
    let every = Fold::whole(data.len());
    let columns = match found.columns.take() {
        Some(columns) => columns,
        None => maker.choose(&every.training())?,
    };
    // Whoever holds the model against these flows reads its columns only.
    let chosen_sha256 = columns.selection.as_ref().map(|_| columns.data.sha256());
    let last = Maker { data: &columns.data, data_sha256: chosen_sha256.as_deref().unwrap_or(&data_sha256), ..maker };
    let fitted = last.fit(&every.training());
    let left_out = LeftOut::of(&grouped.names, &fitted);
    let metrics = report::metrics(&found.pooled, found.all_points_macro_f1, &left_out);
    let model = last.model(&fitted, &found.thresholds, metrics)?;
    let held_back = std::mem::take(&mut found.held_back);
    let report = Report::new(&last, &model, &fitted, found, left_out);
    Ok(Trained { model, report: Report { leaks, selection: columns.selection, ..report }, held_back })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_without_benign_flows_is_refused() {
        let mut data = Dataset::new(default_features());
        (0..40).for_each(|n| data.push(&[f64::from(n); 13], "2", "a"));
        assert!(matches!(train(&data, &Recipe::default()), Err(TrainError::NoBenign)));
        (0..8).for_each(|n| data.push(&[f64::from(n); 13], "0", "a"));
        assert!(matches!(train(&data, &Recipe::default()), Err(TrainError::TooFew { .. })));
    }

    #[test]
    fn many_rows_are_fitted_on_a_sample_and_not_held_against_each_other() {
        let mut data = Dataset::new(default_features());
        for n in 0..70_000_u32 {
            let (label, shift) = if n % 10 == 3 { ("2", 100_000.0) } else { ("0", 0.0) };
            data.push(&[f64::from(n * 7919 % 70_001) + shift; 13], label, if n < 35_000 { "a" } else { "b" });
        }
        let points = PointsSpec { benign: 8, attacks: 8, ..PointsSpec::default() };
        let pipeline = Pipeline { points, ..Pipeline::default() };
        let recipe = Recipe { pipeline, rows: 500, ..Recipe::default() };
        let (model, report) = train(&data, &recipe).expect("a model");
        assert_eq!((report.training_flows, report.validation.flows), (52_500, 17_500));
        assert_eq!((report.all_points_macro_f1, model.parts().engine.size()), (None, 16));
        assert!(report.left_out.values().all(|label| label.flows <= 500));
    }
}
