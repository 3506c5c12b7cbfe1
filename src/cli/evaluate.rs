//! `flowshrike evaluate`: a model's figures on labelled flows.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::gate::GateArgs;
use super::labelled::Labelled;
use super::output::write_whole;
use super::progress::Bars;
use super::tracking::TrackArgs;
use super::{model_file, signals};
use crate::dataset::{Dataset, DatasetError, Skipped};
use crate::model::{Model, leaky_line};
use crate::train::evidence::{Compared, columns, compare, compared_text};
use crate::train::tracking::{TrackedRun, evaluation_metrics};
use crate::train::{self, Assessment, Judged, Options, Progress as _};

/// Options of `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model to score: a file, or a registry's name for one, looked up where --track or MLFLOW_TRACKING_URI says [default:
    /// the one in the program]
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    flows: Labelled,
    /// Score flows with labels that the model has never seen as misses instead of refusing them
    #[arg(long)]
    allow_unknown_labels: bool,
    /// Hours of capture behind the flows, for alerts an hour [default: from the first packet of each capture to its last, by the
    /// flows' own times]
    #[arg(long, value_name = "H", value_parser = hours)]
    hours: Option<f64>,
    /// Seed of bootstrap intervals and of shuffled columns
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Shuffle each column in turn and tell how far macro-F1 falls; --html does so too
    #[arg(long)]
    importance: bool,
    /// Also measure how long a verdict takes; this alone is not the same from run to run
    #[arg(long)]
    latency: bool,
    /// Also write each flow's labels and scores as CSV
    #[arg(long, value_name = "PATH")]
    predictions: Option<PathBuf>,
    /// Also write the figures that --track records as one flat JSON object, for tools such as DVC
    #[arg(long, value_name = "PATH")]
    metrics: Option<PathBuf>,
    /// Also write one HTML page with tables and plots, which needs no network
    #[arg(long, value_name = "PATH")]
    html: Option<PathBuf>,
    /// How to print the figures
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    gate: GateArgs,
    // Last: a heading of the help stays until the next one.
    #[command(flatten)]
    track: TrackArgs,
}

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table
    Text,
    /// One JSON object
    Json,
}

/// The JSON that `--format json` prints.
#[derive(Serialize)]
struct Scored<'a> {
    /// The leaky columns that the model reads, in one line.
    leaky: Option<String>,
    model: Named<'a>,
    #[serde(flatten)]
    found: &'a Assessment,
    skipped_rows: &'a Skipped,
    notes: &'a [String],
    /// Only where it was asked for: every other key is the same from run to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<Latency>,
    /// Only of a model with thresholds for it, and flows that say who and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Compared>,
}

/// Nanoseconds that a verdict took in this process, rows in their order and after one round to warm up; a row of a moment ago is known.
#[derive(Serialize)]
struct Latency {
    median_ns: u64,
    p99_ns: u64,
    verdicts: usize,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    version: &'a str,
    sha256: &'a str,
}

/// Scores a model and prints the figures to stdout.
///
/// # Errors
/// What is wrong with the model or the files, or which labels the model cannot know.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let gate = args.gate.read()?;
    let plan = args.track.plan("evaluate", None, None)?;
    let model = model_file::find(args.model.as_deref(), args.track.uri())?;
    signals::end_whole()?;
    let bars = Bars::new();
    let (data, compared) = read(args, &model, &bars)?;
    let names = train::to_model(data.labels(), model.labels(), args.allow_unknown_labels)?;
    let judged = Judged::watched(&model, &data, &bars);
    let options = Options { seed: args.seed, hours: args.hours, importance: args.importance || args.html.is_some() };
    bars.begin(if options.importance { "figures and importance" } else { "figures" }, None);
    let found = Assessment::new(&model, &data, &judged, &names, &options);
    let latency = if args.latency { measure(&model, &data) } else { None };
    drop(bars);
    let leaky = leaky_line(&model.leaky());
    if let Some(path) = &args.predictions {
        write_whole(path, &train::predictions(&model, &data, &judged, &names))?;
    }
    if let Some(path) = &args.metrics {
        let mut json = serde_json::to_vec_pretty(&evaluation_metrics(&found))?;
        json.push(b'\n');
        write_whole(path, &json)?;
    }
    let page = || train::page(&model, &found, &judged, &names, data.labels()).into_bytes();
    if let Some(path) = &args.html {
        write_whole(path, &page())?;
    }
    let named = Named { name: model.name(), version: model.version(), sha256: model.sha256() };
    let (skipped_rows, notes) = (data.skipped(), data.notes());
    let scored = Scored { leaky, model: named, found: &found, skipped_rows, notes, latency, evidence: compared };
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &scored)?;
            writeln!(out)?;
        }
        Format::Text => scored.print(&mut out)?,
    }
    out.flush()?;
    if let Some(plan) = plan {
        let mut figures = serde_json::to_vec_pretty(&scored)?;
        figures.push(b'\n');
        plan.send(&TrackedRun::of_evaluation(&plan.occasion(), &model, &found, figures, page()))?;
    }
    gate.hold("evaluation.", &evaluation_metrics(&found))
}

impl Scored<'_> {
    /// The figures for people.
    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { leaky, model, found, latency, evidence, .. } = self;
        if let Some(leaky) = leaky {
            writeln!(out, "{leaky}\n")?;
        }
        let Named { name, version, sha256 } = model;
        writeln!(out, "model {name} {version}, SHA-256 {sha256}; rows SHA-256 {}\n", found.data_sha256)?;
        write!(out, "{}", train::summary(found))?;
        if let Some(compared) = evidence {
            write!(out, "{}", compared_text(compared))?;
        }
        if let Some(Latency { median_ns, p99_ns, verdicts }) = latency {
            writeln!(out, "\nlatency of a verdict: median {median_ns} ns, 99th percentile {p99_ns} ns, of {verdicts}")?;
        }
        Ok(())
    }
}

/// The flows, and what evidence adds on them if the model has thresholds for it and they say who and when.
fn read(args: &Args, model: &Model, bars: &Bars) -> anyhow::Result<(Dataset, Option<Compared>)> {
    let alone = || Ok((args.flows.read_timed(model.features(), bars)?, None));
    if model.evidence().is_none() {
        return alone();
    }
    let data = match args.flows.read_identified(&columns(model), bars) {
        Ok(data) => data,
        Err(error) if matches!(error.downcast_ref(), Some(DatasetError::Missing { .. })) => {
            bars.say(&format!("note      nothing on evidence beyond one flow: {error}\n"));
            return alone();
        }
        Err(error) => return Err(error),
    };
    let compared = match compare(model, &data) {
        Ok(compared) => compared,
        Err(error) => {
            bars.say(&format!("note      nothing on evidence beyond one flow: {error}\n"));
            None
        }
    };
    let own: Vec<usize> = (0..model.features().len()).collect();
    Ok((data.with_columns(&own), compared))
}

/// Times every verdict once; `None` without flows.
fn measure(model: &Model, data: &Dataset) -> Option<Latency> {
    let mut classifier = model.classifier();
    for row in 0..data.len().min(WARM_UP) {
        std::hint::black_box(classifier.classify_row(data.row(row)));
    }
    let mut times: Vec<u64> = Vec::with_capacity(data.len());
    for row in 0..data.len() {
        #[expect(clippy::disallowed_methods, reason = "what is measured is this process, at the user's wish")]
        let start = std::time::Instant::now();
        std::hint::black_box(classifier.classify_row(std::hint::black_box(data.row(row))));
        times.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len().saturating_sub(1) * percent / 100).copied();
    Some(Latency { median_ns: at(50)?, p99_ns: at(99)?, verdicts: times.len() })
}

/// A number of hours above 0.
fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours.is_finite() => Ok(hours),
        _ => Err("a number of hours above 0 is needed".to_owned()),
    }
}

/// Verdicts before the first one that is timed.
const WARM_UP: usize = 1000;
