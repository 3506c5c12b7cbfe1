//! `flowshrike learn`: a cluster's own benign baseline, or analysts' verdicts on alerts, become part of a model.
//!
//! `gather` brings the flows in, from captures, an interface or flow files; `feedback` finds those that verdicts speak of; `review`
//! lists what the guard refused. What is done with them is [`train::learn`](crate::train::learn)'s.

mod feedback;
mod gather;
mod review;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::feedback::Found;
use self::gather::Gathered;
use super::inputs::Inputs;
use super::labelled::BadRowArg;
use super::output::{spare, write_whole};
use super::{Usage, model_file};
use crate::config::parse_duration;
use crate::features::Profile;
use crate::model::{Model, sha256_hex};
use crate::time::Micros;
use crate::train::learn::{HOLDBACK, LearnReport, Learning, MOST_POINTS, POINTS, learn, learn_text};

/// Options of `learn`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("files", |arg| arg
    .long("capture").short('c').required(false).num_args(1..).help(CAPTURES)))]
#[command(group(clap::ArgGroup::new("source").args(["files", "interface", "flows"]).required(true)))]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,

    /// Capture on this interface for `--duration`; Ctrl-C ends early and goes on with what was seen
    #[arg(long, short, value_name = "NAME", conflicts_with_all = ["feedback", "merge", "strict", "workers"])]
    interface: Option<String>,

    /// How long to capture
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = duration, conflicts_with_all = ["files", "flows"])]
    duration: Micros,

    /// Flows with the columns that the model reads: CSV, JSON lines or Parquet; text may be packed with gzip or zip
    #[arg(long, num_args = 1.., value_name = "FILE")]
    flows: Vec<PathBuf>,

    /// What to do with a row of flow files that cannot be read
    #[arg(long, value_enum, default_value_t = BadRowArg::Fail, value_name = "RULE")]
    on_bad_row: BadRowArg,

    /// The model that learns; it stays as it is [default: the one in the program]
    #[arg(long, short, value_name = "MODEL")]
    model: Option<PathBuf>,

    /// Analysts' verdicts, JSON lines: `flow_id` or `community_id`, `verdict` (true: it was an attack), perhaps `label`.
    /// The other flows are then only searched, not learnt
    #[arg(long, value_name = "FILE")]
    feedback: Option<PathBuf>,

    /// With --feedback: learn the other flows as a benign baseline too
    #[arg(long, requires = "feedback")]
    with_baseline: bool,

    /// Absorb flows that the model calls hostile for certain, too
    #[arg(long)]
    accept: bool,

    /// New points at most
    #[arg(long, value_name = "N", default_value_t = POINTS as u32,
          value_parser = clap::value_parser!(u32).range(1..=MOST_POINTS as i64))]
    points: u32,

    /// The last part of each capture, by time, that is held back to measure on: from 0 to 0.9
    #[arg(long, value_name = "SHARE", default_value_t = HOLDBACK, value_parser = holdback)]
    holdback: f64,

    /// Name of the new model [default: the old one's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Version of the new model [default: the old one's with `+learn.1`, then `+learn.2`]
    #[arg(long, value_name = "VERSION")]
    model_version: Option<String>,

    /// Seed of all that is random; the same flows and seed give the same bytes
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Also write the report as JSON
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,

    /// Write flows that were refused as JSON lines
    #[arg(long, value_name = "PATH")]
    review: Option<PathBuf>,

    /// Where the new model goes
    #[arg(long, short, value_name = "MODEL")]
    output: PathBuf,
}

/// The JSON of `--report`.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    report: &'a LearnReport,
    captures: &'a [String],
    verdicts_not_found: &'a [String],
    skipped_rows: u64,
    notes: &'a [String],
}

/// Learns and writes a new version; the report goes to stderr.
///
/// # Errors
/// What is wrong with the model, the flows or the verdicts.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    args.spare()?;
    let parent = model_file::open(args.model.as_deref())?;
    spare_parent(&args.output, &parent)?;
    let asked = args.feedback.as_deref().map(feedback::read).transpose()?;
    if args.flows.is_empty() {
        parent.serves(Profile::Standard)?;
    }
    let gathered = args.gather(&parent)?;
    let Found { cases, missing } = match &asked {
        Some(verdicts) => verdicts.find(&gathered, &parent)?,
        None => Found::default(),
    };
    if asked.is_some() && !args.with_baseline && cases.is_empty() {
        bail!("none of the flows that the verdicts speak of is in these flows: nothing was learnt");
    }
    let how = Learning {
        name: args.name.clone(),
        version: args.model_version.clone(),
        seed: args.seed,
        points: args.points as usize,
        holdback: args.holdback,
        accept: args.accept,
        absorb: args.feedback.is_none() || args.with_baseline,
    };
    let learnt = learn(&parent, &gathered.baseline, &cases, &how)?;
    if let Some(path) = &args.review {
        write_whole(path, &review::lines(&gathered, &parent, &learnt.refused)?)?;
    }
    if let Some(path) = &args.report {
        let written = Written {
            report: &learnt.report,
            captures: gathered.baseline.captures(),
            verdicts_not_found: &missing,
            skipped_rows: gathered.skipped.rows,
            notes: &gathered.notes,
        };
        let mut json = serde_json::to_vec_pretty(&written).context("the report")?;
        json.push(b'\n');
        write_whole(path, &json)?;
    }
    write_whole(&args.output, &learnt.model.to_bytes()?)?;
    for note in &gathered.notes {
        eprintln!("note      {note}");
    }
    eprint!("{}", gathered.skipped.text());
    eprint!("{}", review::table(&gathered, &parent, &learnt.refused, args.review.as_deref()));
    eprint!("{}", feedback::not_found(&missing));
    eprint!("{}", learn_text(&learnt.report));
    Ok(())
}

impl Args {
    fn gather(&self, parent: &Model) -> anyhow::Result<Gathered> {
        match &self.interface {
            Some(interface) => gather::interface(interface, self.duration, &self.inputs, parent),
            None if self.flows.is_empty() => gather::captures(&self.inputs, parent),
            None => gather::flow_files(&self.flows, self.on_bad_row.into(), parent),
        }
    }

    /// Refuses to write over what is read, or twice to one place.
    fn spare(&self) -> Result<(), Usage> {
        let outputs = [Some(&self.output), self.report.as_ref(), self.review.as_ref()];
        let read = [self.model.as_ref(), self.feedback.as_ref()];
        let inputs = read.into_iter().flatten().chain(&self.inputs.files).chain(&self.flows);
        spare(outputs.into_iter().flatten().map(PathBuf::as_path), inputs.map(PathBuf::as_path))
    }
}

/// A copy of the model that learns is not written over either, the program's own among them.
fn spare_parent(output: &Path, parent: &Model) -> Result<(), Usage> {
    match std::fs::read(output) {
        Ok(bytes) if sha256_hex(&bytes) == parent.sha256() => Err(Usage(format!(
            "{} is the model that learns: give the new version a place of its own",
            output.display()
        ))),
        _ => Ok(()),
    }
}

/// The last part of a path up to the first dot: what a capture is called.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    match name.split('.').next() {
        Some("-") => "stdin".to_owned(),
        Some("") | None => name.into_owned(),
        Some(stem) => stem.to_owned(),
    }
}

fn duration(text: &str) -> Result<Micros, String> {
    match parse_duration(text)? {
        span if span < Micros::from_secs(1) => Err("at least 1s is needed".to_owned()),
        span if span > LONGEST => Err("at most 168h: a week of a cluster is in it".to_owned()),
        span => Ok(span),
    }
}

fn holdback(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|share| (0.0..=0.9).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share from 0 to 0.9"))
}

const CAPTURES: &str = "Captures of benign traffic: pcap or pcapng, plain or gzip; `-` reads standard input";
/// The longest live capture.
const LONGEST: Micros = Micros::from_secs(7 * 86_400);
