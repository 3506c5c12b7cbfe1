//! `flowshrike train`: a model from labelled flows, with a validation report.

mod options;
mod summary;

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use self::options::{ColumnArgs, ResampleArgs, SplitArgs};
use super::labelled::Labelled;
use super::output::write_whole;
use super::progress::Bars;
use super::tracking::{RegisterArgs, TrackArgs};
use super::{Usage, evidence, signals};
use crate::dataset::Skipped;
use crate::features::Profile;
use crate::train::evidence::EvidenceLearnt;
use crate::train::split::SplitKind;
use crate::train::tracking::TrackedRun;
use crate::train::{self, EngineSpec, ForestSpec, KnnSpec, Pipeline, Recipe, Report, Trained, TreeSpec, View};

/// Options of `train`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flows: Labelled,
    /// The model's pipeline: columns, scaling, split, resampling, engine (YAML, docs/pipeline.md); flags win over it
    #[arg(long, value_name = "FILE")]
    pipeline: Option<PathBuf>,
    /// What the model tells apart [default: stages]
    #[arg(long, value_enum)]
    view: Option<ViewArg>,
    /// How the model decides, with the engine's default settings [default: knn]
    #[arg(long, value_enum, value_name = "NAME")]
    engine: Option<EngineArg>,
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
    /// Also learn thresholds for incidents beyond one flow, from labelled flows with addresses and times as `flowshrike label`
    /// writes them. Without files it is learnt on the data itself, by the verdicts of the folds of `--split scenario`, none of
    /// which has seen the capture that it judges
    #[arg(long, num_args = 0.., value_name = "FILE")]
    evidence: Option<Vec<PathBuf>>,
    /// Also write the report as JSON
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Where the model goes
    #[arg(long, short, value_name = "MODEL")]
    output: PathBuf,
    // Last: a heading of the help stays until the next one.
    #[command(flatten)]
    columns: ColumnArgs,
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    resample: ResampleArgs,
    #[command(flatten)]
    track: TrackArgs,
    #[command(flatten)]
    register: RegisterArgs,
}

/// The JSON of `--report`.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a Report,
    skipped_rows: &'a Skipped,
    notes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a EvidenceLearnt>,
}

/// How labels are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ViewArg {
    /// Stages of an attack: benign, recon, exploit and so on
    Stages,
    /// Each label by itself
    Labels,
}

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum EngineArg {
    /// The nearest points vote: prototypes of each label
    Knn,
    /// One decision tree
    Tree,
    /// A random forest
    Forest,
    /// Always the most frequent label: the floor
    Majority,
}

impl Args {
    /// The pipeline of the file, with the flags above it.
    fn pipeline(&self) -> anyhow::Result<Pipeline> {
        let mut pipeline = match &self.pipeline {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
                Pipeline::parse(&text).map_err(|error| Usage(format!("{}:{error}", path.display())))?
            }
            None => Pipeline::default(),
        };
        if let Some(view) = self.view {
            pipeline.view = match view {
                ViewArg::Stages => View::Stages,
                ViewArg::Labels => View::Labels,
            };
        }
        let engine = self.engine.map(|engine| match engine {
            EngineArg::Knn => EngineSpec::Knn(KnnSpec::default()),
            EngineArg::Tree => EngineSpec::Tree(TreeSpec::default()),
            EngineArg::Forest => EngineSpec::Forest(ForestSpec::default()),
            EngineArg::Majority => EngineSpec::Majority,
        });
        // An engine that the file has settings for keeps them.
        if let Some(engine) = engine.filter(|engine| engine.name() != pipeline.engine.name()) {
            pipeline.engine = engine;
        }
        self.columns.apply(&mut pipeline).map_err(|problem| Usage(problem.to_owned()))?;
        self.split.apply(&mut pipeline);
        self.resample.apply(&mut pipeline.resample);
        // Before files are read, which may take long.
        pipeline.split.check().map_err(|error| Usage(error.to_string()))?;
        pipeline.resample.check().map_err(|error| Usage(error.to_string()))?;
        if let Some(select) = &pipeline.select {
            select.check().map_err(|error| Usage(error.to_string()))?;
        }
        Ok(pipeline)
    }
}

/// Trains and writes a model; the report goes to stderr.
///
/// # Errors
/// What is wrong with the files, or why there is no model of them.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let pipeline = args.pipeline()?;
    let of_folds = args.evidence.as_ref().is_some_and(Vec::is_empty);
    if of_folds && pipeline.split.kind != SplitKind::Scenario {
        let what = "--evidence without files needs --split scenario: each capture has to be judged by a fit that has not seen it";
        return Err(Usage(what.to_owned()).into());
    }
    let features = pipeline.features.resolve().map_err(|error| Usage(error.to_string()))?;
    let plan = args.track.plan("train", args.register.registration()?, args.output.parent())?;
    signals::end_whole()?;
    let bars = Bars::new();
    let data = args.flows.read_grouped(&features, pipeline.split.group_column.as_deref(), &bars)?;
    let recipe = Recipe {
        name: args.name.clone(),
        version: args.model_version.clone(),
        pipeline,
        seed: args.seed,
        profile: args.profile,
        about: args.about.clone(),
        keeps_verdicts: of_folds,
        ..Recipe::default()
    };
    if data.len() > recipe.rows {
        bars.say(&format!(
            "note      a label with more than {0} flows is fitted on {0} of them, evenly taken\n",
            recipe.rows
        ));
    }
    let Trained { mut model, report, held_back } = train::train_watched(&data, &recipe, &bars)?;
    let about = args.about.as_deref();
    let learnt = match &args.evidence {
        None => None,
        Some(files) if files.is_empty() => {
            Some(evidence::learn_on(&model, &args.flows, Some((&data, &held_back)), about, &bars)?)
        }
        Some(files) => Some(evidence::learn_on(&model, &args.flows.of(files), None, about, &bars)?),
    };
    if let Some(learnt) = &learnt {
        model = train::evidence::child(&model, learnt, None)?;
    }
    drop(bars);
    let bytes = model.to_bytes()?;
    write_whole(&args.output, &bytes)?;
    let (skipped_rows, notes, evidence) = (data.skipped(), data.notes(), learnt.as_ref());
    let written = Written { report: &report, skipped_rows, notes, evidence };
    let mut json = serde_json::to_vec_pretty(&written).context("the report")?;
    json.push(b'\n');
    if let Some(path) = &args.report {
        write_whole(path, &json)?;
    }
    eprint!("{}", summary::summary(&report, args.profile, bytes.len()));
    if let Some(learnt) = &learnt {
        eprint!("{}", train::evidence::learnt_text(learnt));
    }
    if let Some(plan) = plan {
        plan.send(&TrackedRun::of_training(&plan.occasion(), &recipe, &model, &report, &bytes, json))?;
    }
    Ok(())
}
