//! `flowshrike evaluate`: a model's figures on labelled flows.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;

use super::labelled::Labelled;
use crate::dataset::Skipped;
use crate::model::MAX_BYTES;
use crate::model::Model;
use crate::train::{self, Evaluation};

/// Options of `evaluate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model to score [default: the one in the program]
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    flows: Labelled,
    /// Score flows with labels that the model has never seen as misses instead of refusing them
    #[arg(long)]
    allow_unknown_labels: bool,
    /// How to print the figures
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
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
    model: Named<'a>,
    #[serde(flatten)]
    figures: &'a Evaluation,
    skipped_rows: &'a Skipped,
    notes: &'a [String],
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
    let model = match &args.model {
        Some(path) => read_model(path)?,
        None => Model::embedded().context("the model in the program")?,
    };
    let data = args.flows.read(model.features())?;
    let names = train::to_model(data.labels(), model.labels(), args.allow_unknown_labels)?;
    let truth = |row: usize| names.get(*data.labels().ids().get(row)? as usize)?.as_deref();
    let figures = train::evaluate(&model, &data, 0..data.len(), truth);
    let named = Named { name: model.name(), version: model.version(), sha256: model.sha256() };
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(
                &mut out,
                &Scored { model: named, figures: &figures, skipped_rows: data.skipped(), notes: data.notes() },
            )?;
            writeln!(out)?;
        }
        Format::Text => {
            writeln!(out, "model {} {}, SHA-256 {}\n", named.name, named.version, named.sha256)?;
            write!(out, "{}", train::text(&figures))?;
        }
    }
    Ok(out.flush()?)
}

/// Reads and checks a model file.
///
/// # Errors
/// Names the file and what is wrong with it.
pub(super) fn read_model(path: &Path) -> anyhow::Result<Model> {
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    if bytes.is_empty() {
        bail!("{}: an empty file is no model", path.display());
    }
    Model::from_bytes(&bytes).with_context(|| path.display().to_string())
}
