//! `flowshrike train`: a model from labelled flows, with a validation report.

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use super::labelled::Labelled;
use super::output::write_whole;
use super::progress::Bars;
use super::{Usage, signals};
use crate::dataset::Skipped;
use crate::features::{FeatureId, Profile};
use crate::train::{self, FeaturesSpec, Measure, Ranked, Recipe, Report, SelectSpec, Selection, View};

/// Options of `train`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flows: Labelled,
    /// What the model tells apart
    #[arg(long, value_enum, default_value_t = ViewArg::Stages)]
    view: ViewArg,
    /// Columns that may be features, with commas between: names, keys, or the sets `default`, `portable` and `all`
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "default")]
    features: Vec<String>,
    /// Allow columns as features that tell where or when a flow was seen, such as addresses, ports, times and initial
    /// windows; the report then says so first
    #[arg(long)]
    allow_leaky: bool,
    /// Rank the columns on training flows, and read only the best
    #[arg(long, value_enum, value_name = "MEASURE")]
    select: Option<MeasureArg>,
    /// How many columns are kept [default: all above the threshold]
    #[arg(long, value_name = "N", requires = "select")]
    select_count: Option<usize>,
    /// Only columns whose measure is above this are kept
    #[arg(long, value_name = "X", requires = "select", default_value_t = 0.0)]
    select_threshold: f64,
    /// Seed of all that is random; the same data and seed give the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Name of the model
    #[arg(long, value_name = "NAME", default_value = "flows")]
    name: String,
    /// Version of the model
    #[arg(long, value_name = "VERSION", default_value = "1")]
    model_version: String,
    /// Profile that the flows were metered with: `cic` or `standard`
    #[arg(long, value_name = "PROFILE", default_value_t = Profile::Cic)]
    profile: Profile,
    /// One line about the data, for the model's provenance
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    /// Also write the report as JSON
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Where the model goes
    #[arg(long, short, value_name = "MODEL")]
    output: PathBuf,
}

/// The JSON of `--report`.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a Report,
    skipped_rows: &'a Skipped,
    notes: &'a [String],
}

/// How labels are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ViewArg {
    /// Stages of an attack: benign, recon, exploit and so on
    Stages,
    /// Each label by itself
    Labels,
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

impl From<MeasureArg> for Measure {
    fn from(asked: MeasureArg) -> Self {
        match asked {
            MeasureArg::Variance => Self::Variance,
            MeasureArg::MutualInformation => Self::MutualInformation,
            MeasureArg::TreeImportance => Self::TreeImportance,
        }
    }
}

/// Trains and writes a model; the report goes to stderr.
///
/// # Errors
/// What is wrong with the files, or why there is no model of them.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let features = FeaturesSpec { columns: args.features.clone(), allow_leaky: args.allow_leaky };
    let features = features.resolve().map_err(|error| Usage(error.to_string()))?;
    let select =
        args.select.map(|by| SelectSpec { by: by.into(), count: args.select_count, threshold: args.select_threshold });
    if let Some(select) = &select {
        select.check().map_err(|error| Usage(error.to_string()))?;
    }
    signals::end_whole()?;
    let bars = Bars::new();
    let data = args.flows.read(&features, &bars)?;
    let recipe = Recipe {
        name: args.name.clone(),
        version: args.model_version.clone(),
        view: match args.view {
            ViewArg::Stages => View::Stages,
            ViewArg::Labels => View::Labels,
        },
        seed: args.seed,
        profile: args.profile,
        about: args.about.clone(),
        allow_leaky: args.allow_leaky,
        select,
        ..Recipe::default()
    };
    if data.len() > recipe.sizes.rows {
        bars.say(&format!(
            "note      a label with more than {0} flows is fitted on {0} of them, evenly taken\n",
            recipe.sizes.rows
        ));
    }
    let (model, report) = train::train_watched(&data, &recipe, &bars)?;
    drop(bars);
    let bytes = model.to_bytes()?;
    write_whole(&args.output, &bytes)?;
    if let Some(path) = &args.report {
        let mut json =
            serde_json::to_vec_pretty(&Written { report: &report, skipped_rows: data.skipped(), notes: data.notes() })
                .context("the report")?;
        json.push(b'\n');
        write_whole(path, &json)?;
    }
    eprint!("{}", summary(&report, args.profile, bytes.len()));
    Ok(())
}

/// The report for people.
fn summary(report: &Report, profile: Profile, bytes: usize) -> String {
    let thresholds: Vec<String> =
        report.alert_thresholds.iter().map(|(label, least)| format!("{label} {least}")).collect();
    let left_out: Vec<String> = report
        .left_out
        .iter()
        .map(|(label, found)| format!("{label} {} of {} ({:.2} %)", found.novel, found.flows, found.rate * 100.0))
        .collect();
    let all_points = report.all_points_macro_f1.map_or_else(|| "-".to_owned(), |f1| format!("{f1:.4}"));
    format!(
        "{}{}model     {} {}, {} points, {bytes} bytes, SHA-256 {}\n\
         data      {}\n\
         {}{}\
         split     the last quarter of each capture validates: fitted on {} flows, measured on {}; {} more repeat a \
         training flow and are not counted\n\
         \n{}\n\
         all points kept: macro-F1 {all_points} on the same flows\n\
         each capture left out in turn, novel beyond {}: {}\n\
         alert thresholds, chosen on the validation flows: {}\n\
         The figures are those of the fit on the first three quarters; the model is fitted on all flows by the same recipe.\n{}",
        report.leaky.as_ref().map(|line| format!("{line}\n")).unwrap_or_default(),
        train::leak_text(&report.leaks, true),
        report.name,
        report.version,
        report.points,
        report.sha256,
        report.trained_on,
        served(report, profile),
        report.selection.as_ref().map(selected).unwrap_or_default(),
        report.training_flows,
        report.validation_flows,
        report.repeated_flows,
        train::text(&report.validation),
        report.novelty_threshold,
        left_out.join(", "),
        thresholds.join(", "),
        train::leak_text(&report.leaks, false),
    )
}

/// A line on who can run a model that reads columns which the profiles compute differently, if it reads any.
fn served(report: &Report, profile: Profile) -> String {
    if report.portable_only {
        return String::new();
    }
    let columns = || report.features.iter().filter_map(|name| FeatureId::named_or_identity(name));
    if columns().any(|id| id.identity().is_some()) {
        return "served    no profile: `run` and `replay` refuse a model that reads where or when a flow was\n"
            .to_owned();
    }
    let differ = columns().map(|id| id.feature()).filter(|feature| !feature.portable);
    let differ: Vec<String> = differ.map(|feature| format!("`{}`", feature.column)).collect();
    let refused =
        if profile == Profile::Standard { "" } else { "; `run` and `replay`, whose flows are `standard`, refuse it" };
    format!("served    `{profile}` flows only, as the profiles compute {} differently{refused}\n", differ.join(", "))
}

/// Every candidate column with its measure.
fn selected(found: &Selection) -> String {
    let kept = found.ranking.iter().filter(|ranked| ranked.kept).count();
    let line = |ranked: &Ranked| {
        format!("  {} {:>9.6}  {}\n", if ranked.kept { "kept" } else { "    " }, ranked.value, ranked.column)
    };
    format!(
        "columns   {kept} of {} by {} on {} training flows\n{}",
        found.ranking.len(),
        found.by,
        found.flows,
        found.ranking.iter().map(line).collect::<String>()
    )
}
