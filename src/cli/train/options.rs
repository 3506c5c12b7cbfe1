//! Flags of `train` that say what is held back and how a fit's points are drawn.

use crate::train::sampling::{ResampleKind, ResampleSpec};
use crate::train::split::{SplitKind, SplitSpec};
use crate::train::{Measure, Pipeline, SelectSpec};

/// Which columns the model reads.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Columns")]
pub(super) struct ColumnArgs {
    /// Columns that may be features, with commas between: names, keys, or the sets `default`, `portable` and `all`
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    features: Option<Vec<String>>,
    /// Allow columns as features that tell where or when a flow was seen, such as addresses, ports, times and initial
    /// windows; the report then says so first
    #[arg(long)]
    allow_leaky: bool,
    /// Rank the columns on training flows, and read only the best
    #[arg(long, value_enum, value_name = "MEASURE")]
    select: Option<MeasureArg>,
    /// How many columns are kept [default: all above the threshold]
    #[arg(long, value_name = "N")]
    select_count: Option<usize>,
    /// Only columns whose measure is above this are kept [default: 0]
    #[arg(long, value_name = "X")]
    select_threshold: Option<f64>,
}

/// What columns are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum MeasureArg {
    /// Variance of the column's quantile
    Variance,
    /// Mutual information with the label, in nats
    MutualInformation,
    /// Mean decrease in impurity of a small random forest
    TreeImportance,
}

impl ColumnArgs {
    /// Puts what is said above what a pipeline has.
    ///
    /// # Errors
    /// If options of a selection are given, and no selection.
    pub(super) fn apply(&self, pipeline: &mut Pipeline) -> Result<(), &'static str> {
        if let Some(columns) = &self.features {
            pipeline.features.columns.clone_from(columns);
        }
        pipeline.features.allow_leaky |= self.allow_leaky;
        let by = self.select.map(|by| match by {
            MeasureArg::Variance => Measure::Variance,
            MeasureArg::MutualInformation => Measure::MutualInformation,
            MeasureArg::TreeImportance => Measure::TreeImportance,
        });
        // Another measure has other figures, so that a file's threshold means nothing to it.
        if let Some(by) = by.filter(|by| pipeline.select.is_none_or(|select| select.by != *by)) {
            let count = pipeline.select.and_then(|select| select.count);
            pipeline.select = Some(SelectSpec { by, count, threshold: 0.0 });
        }
        match &mut pipeline.select {
            Some(select) => {
                select.count = self.select_count.or(select.count);
                select.threshold = self.select_threshold.unwrap_or(select.threshold);
                Ok(())
            }
            None if self.select_count.is_some() || self.select_threshold.is_some() => {
                Err("--select-count and --select-threshold need --select: what columns are ranked by")
            }
            None => Ok(()),
        }
    }
}

/// What the model's figures are measured on.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What it is measured on")]
pub(super) struct SplitArgs {
    /// How flows are held back to measure on; identical flows never stand on both sides [default: time]
    #[arg(long, value_enum, value_name = "KIND")]
    split: Option<SplitArg>,
    /// Hold back each of N parts in turn, instead of one
    #[arg(long, value_name = "N", conflicts_with = "holdout")]
    folds: Option<usize>,
    /// Share of the flows in the one part that is held back [default: 0.25]
    #[arg(long, value_name = "SHARE")]
    holdout: Option<f64>,
    /// For `--split group`: flows with the same cell in this column, of the labels or the data, stay together
    #[arg(long, value_name = "NAME")]
    group_column: Option<String>,
    /// Share of benign flows of an unseen capture that may be novel: the novelty threshold is set to it [default: 0.005]
    #[arg(long, value_name = "RATE", value_parser = rate)]
    novelty_fpr: Option<f64>,
}

/// Kinds of split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SplitArg {
    /// The last quarter of each capture; with --folds, blocks of each capture's time
    Time,
    /// Flows by lot
    Random,
    /// Flows by lot, each label by itself
    Stratified,
    /// Whole captures: each in turn, or dealt to --folds
    Scenario,
    /// All flows of some groups
    Group,
}

/// How the points of a fit are drawn.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Resampling, of training flows only")]
pub(super) struct ResampleArgs {
    /// Draw fewer points of great labels or more of small ones, after the split [default: none]
    #[arg(long, value_enum, value_name = "KIND")]
    resample: Option<ResampleArg>,
    /// What a small label comes to as a share of a great one [default: 1]
    #[arg(long, value_name = "RATIO")]
    resample_ratio: Option<f64>,
    /// Neighbours of which SMOTE draws one [default: 5]
    #[arg(long, value_name = "K")]
    smote_neighbours: Option<usize>,
}

/// Kinds of resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ResampleArg {
    /// Every flow's point, as often as it occurs
    None,
    /// Leave out points of great labels
    Under,
    /// Repeat points of small labels
    Over,
    /// Put new points between neighbours of small labels
    Smote,
}

impl SplitArgs {
    /// Puts what is said above what a pipeline has.
    pub(super) fn apply(&self, pipeline: &mut Pipeline) {
        let split = &mut pipeline.split;
        let kind = self.split.map(|kind| match kind {
            SplitArg::Time => SplitKind::Time,
            SplitArg::Random => SplitKind::Random,
            SplitArg::Stratified => SplitKind::Stratified,
            SplitArg::Scenario => SplitKind::Scenario,
            SplitArg::Group => SplitKind::Group,
        });
        // Another kind has other options.
        if let Some(kind) = kind.filter(|kind| *kind != split.kind) {
            *split = SplitSpec { kind, ..SplitSpec::default() };
        }
        // One of the two is asked for, so the other one that a file may have is not.
        if self.folds.is_some() || self.holdout.is_some() {
            (split.folds, split.holdout) = (self.folds, self.holdout);
        }
        if self.group_column.is_some() {
            split.group_column.clone_from(&self.group_column);
        }
        pipeline.points.novelty_fpr = self.novelty_fpr.unwrap_or(pipeline.points.novelty_fpr);
    }
}

impl ResampleArgs {
    /// Puts what is said above what a pipeline has.
    pub(super) fn apply(&self, resample: &mut ResampleSpec) {
        if let Some(kind) = self.resample {
            resample.kind = match kind {
                ResampleArg::None => ResampleKind::None,
                ResampleArg::Under => ResampleKind::Under,
                ResampleArg::Over => ResampleKind::Over,
                ResampleArg::Smote => ResampleKind::Smote,
            };
        }
        resample.ratio = self.resample_ratio.or(resample.ratio);
        resample.neighbours = self.smote_neighbours.or(resample.neighbours);
    }
}

/// A share that leaves some flows on each side of a threshold.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if rate > 0.0 && rate < 1.0 { Ok(rate) } else { Err("a share of flows between 0 and 1, such as 0.01".to_owned()) }
}
