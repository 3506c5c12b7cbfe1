//! `flowshrike train`: a model from labelled flows, with a validation report.

mod options;
mod summary;

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use self::options::{ResampleArgs, SplitArgs};
use super::Usage;
use super::labelled::Labelled;
use super::output::write_whole;
use crate::dataset::Skipped;
use crate::features::Profile;
use crate::train::{self, Recipe, Report, Sizes, View};

/// Options of `train`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flows: Labelled,
    /// What the model tells apart
    #[arg(long, value_enum, default_value_t = ViewArg::Stages)]
    view: ViewArg,
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
    // Last: a heading of the help stays until the next one.
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    resample: ResampleArgs,
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

/// Trains and writes a model; the report goes to stderr.
///
/// # Errors
/// What is wrong with the files, or why there is no model of them.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (split, resample) = (args.split.spec(), args.resample.spec());
    // Before files are read, which may take long.
    split.check().map_err(|error| Usage(error.to_string()))?;
    resample.check().map_err(|error| Usage(error.to_string()))?;
    let features = train::default_features();
    let data = args.flows.read_grouped(&features, split.group_column.as_deref())?;
    let recipe = Recipe {
        name: args.name.clone(),
        version: args.model_version.clone(),
        view: match args.view {
            ViewArg::Stages => View::Stages,
            ViewArg::Labels => View::Labels,
        },
        split,
        resample,
        seed: args.seed,
        profile: args.profile,
        about: args.about.clone(),
        sizes: Sizes { novelty_tail: args.split.novelty_fpr, ..Sizes::default() },
        ..Recipe::default()
    };
    if data.len() > recipe.sizes.rows {
        eprintln!(
            "note      a label with more than {0} flows is fitted on {0} of them, evenly taken",
            recipe.sizes.rows
        );
    }
    let (model, report) = train::train(&data, &recipe)?;
    let bytes = model.to_bytes()?;
    write_whole(&args.output, &bytes)?;
    if let Some(path) = &args.report {
        let mut json =
            serde_json::to_vec_pretty(&Written { report: &report, skipped_rows: data.skipped(), notes: data.notes() })
                .context("the report")?;
        json.push(b'\n');
        write_whole(path, &json)?;
    }
    eprint!("{}", summary::summary(&report, bytes.len()));
    Ok(())
}
