//! `flowshrike predict`: a verdict for each row of flow files, in their order.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::labelled::BadRowArg;
use super::tracking::RegistryArgs;
use super::{model_file, output};
use crate::dataset::{self, RowQuery};
use crate::model::line;

/// Options of `predict`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model to ask: a file, or a registry's name for one [default: the one in the program]
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Flows with the columns that the model reads: CSV, JSON lines or Parquet; text may be packed with gzip or zip
    #[arg(required = true, value_name = "FILE")]
    data: Vec<PathBuf>,
    /// How to write verdicts
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// What to do with a row that cannot be read; a row that is skipped is written without a verdict, so that rows
    /// out stay beside rows in
    #[arg(long, value_enum, default_value_t = BadRowArg::Fail, value_name = "RULE")]
    on_bad_row: BadRowArg,
    /// Where verdicts go [default: stdout]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

/// How verdicts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// `label,score,novelty,novel`
    Csv,
    /// One JSON object a row, `null` for a row without a verdict
    Jsonl,
}

/// Classifies rows; what was skipped and what is odd about the files goes to stderr.
///
/// # Errors
/// What is wrong with the model or the files.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let model = model_file::find(args.model.as_deref(), args.registry.uri())?;
    let mut classifier = model.classifier();
    let mut out = BufWriter::new(output::open(args.output.as_deref())?);
    if args.format == Format::Csv {
        writeln!(out, "{}", line::CSV_HEADER)?;
    }
    let mut text = Vec::new();
    let query = RowQuery { data: &args.data, features: model.features(), on_bad_row: args.on_bad_row.into() };
    let read = dataset::for_each_row(&query, |row| -> anyhow::Result<()> {
        let verdict = row.map(|row| classifier.classify_row(row));
        let verdict = verdict.as_ref().map(|verdict| (model.label_name(verdict.label), verdict));
        text.clear();
        match args.format {
            Format::Csv => line::write_csv(&mut text, verdict),
            Format::Jsonl => line::write_json(&mut text, verdict),
        }
        Ok(out.write_all(&text)?)
    })?;
    out.flush()?;
    for note in &read.notes {
        eprintln!("note      {note}");
    }
    eprint!("{}", read.skipped.text());
    if classifier.non_finite() > 0 {
        eprintln!("note      {} values were not finite and counted as 0", classifier.non_finite());
    }
    Ok(())
}
