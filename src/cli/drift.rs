//! `flowshrike drift`: how far flows have moved from those that a model knows as benign.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::labelled::BadRowArg;
use super::model_file;
use super::tracking::RegistryArgs;
use crate::dataset::{self, RowQuery, Skipped};
use crate::model::{Bin, Drift, Model, Moved};

/// Options of `drift`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model whose flows they are held against: a file, or a registry's name for one [default: the one in the program]
    #[arg(long, value_name = "MODEL")]
    model: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Flows with the columns that the model reads: CSV, JSON lines or Parquet; text may be packed with gzip or zip. Labels are not
    /// read
    #[arg(required = true, value_name = "FILE")]
    data: Vec<PathBuf>,
    /// What to do with a row that cannot be read
    #[arg(long, value_enum, default_value_t = BadRowArg::Fail, value_name = "RULE")]
    on_bad_row: BadRowArg,
    /// Fail (exit code 1) if some feature has moved further than this: 0.25 is a common bound
    #[arg(long, value_name = "INDEX", value_parser = index)]
    limit: Option<f64>,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How drift is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table, the feature that has moved furthest first
    Text,
    /// One JSON object
    Json,
}

/// The JSON that `--format json` prints.
#[derive(Serialize)]
struct Found<'a> {
    model: Named<'a>,
    flows: u64,
    /// Whether they are enough to tell; `--limit` fails only then.
    is_enough: bool,
    limit: Option<f64>,
    skipped_rows: &'a Skipped,
    /// Furthest first.
    features: Vec<FeatureDrift>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    version: &'a str,
    sha256: &'a str,
}

/// One feature's drift.
#[derive(Serialize)]
struct FeatureDrift {
    feature: &'static str,
    /// The population stability index.
    index: f64,
    bins: Vec<Bin>,
}

/// Counts flows by the model's bins, and prints how far each feature has moved.
///
/// # Errors
/// What is wrong with the model or the files, that the model has no bins, or that a feature has moved further than the limit.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let model = model_file::find(args.model.as_deref(), args.registry.uri())?;
    let mut drift = Drift::of(&model).ok_or_else(|| {
        let of = format!("model {} {}", model.name(), model.version());
        anyhow::anyhow!("{of} does not say how its flows were spread (it is of before that): train it again, or let it `learn` this cluster")
    })?;
    let query = RowQuery { data: &args.data, features: model.features(), on_bad_row: args.on_bad_row.into() };
    let read = dataset::for_each_row(&query, |row| -> anyhow::Result<()> {
        row.into_iter().for_each(|row| drift.observe_row(row));
        Ok(())
    })?;
    read.notes.iter().for_each(|note| eprintln!("note      {note}"));
    eprint!("{}", read.skipped.text());
    let found = Found::of(&model, &drift, args.limit, &read.skipped);
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &found)?;
            writeln!(out)?;
        }
        Format::Text => found.print(&mut out)?,
    }
    out.flush()?;
    found.judge()
}

impl<'a> Found<'a> {
    fn of(model: &'a Model, drift: &Drift, limit: Option<f64>, skipped_rows: &'a Skipped) -> Self {
        let named = Named { name: model.name(), version: model.version(), sha256: model.sha256() };
        let mut features: Vec<FeatureDrift> = drift.features().iter().map(FeatureDrift::of).collect();
        features.sort_by(|a, b| b.index.total_cmp(&a.index));
        let (flows, is_enough) = (drift.flows(), drift.is_enough());
        Self { model: named, flows, is_enough, limit, skipped_rows, features }
    }

    /// The table for people.
    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Self { model: Named { name, version, sha256 }, flows, .. } = self;
        writeln!(out, "model {name} {version}, SHA-256 {sha256}; {flows} flows\n")?;
        writeln!(out, "{:<28} {:>8}  most of it", "feature", "index")?;
        for FeatureDrift { feature, index, bins } in &self.features {
            let apart = |bin: &Bin| (bin.flows - bin.known).abs();
            let most = bins.iter().enumerate().max_by(|(_, a), (_, b)| apart(a).total_cmp(&apart(b)));
            let most = most.filter(|(_, bin)| apart(bin) > 0.0).map_or_else(String::new, |(at, bin)| {
                let above = at.checked_sub(1).and_then(|before| bins.get(before)?.up_to);
                let range = match (above, bin.up_to) {
                    (Some(above), Some(up_to)) => format!("above {above} up to {up_to}"),
                    (None, Some(up_to)) => format!("up to {up_to}"),
                    (Some(above), None) => format!("above {above}, never seen"),
                    (None, None) => "anywhere".to_owned(),
                };
                format!("{range}: {:.1} % of flows, {:.1} % of the model's", bin.flows * 100.0, bin.known * 100.0)
            });
            writeln!(out, "{feature:<28} {index:>8.4}  {most}")?;
        }
        if !self.is_enough {
            writeln!(
                out,
                "\nso few flows tell little: of a thousand an index is about a hundredth, whatever has moved"
            )?;
        }
        Ok(())
    }

    /// Whether all have stayed within the limit.
    fn judge(&self) -> anyhow::Result<()> {
        let Some(limit) = self.limit else { return Ok(()) };
        if !self.is_enough {
            anyhow::bail!("{} flows are too few to hold against a limit: a thousand are needed", self.flows);
        }
        let moved: Vec<String> = (self.features.iter().filter(|feature| feature.index > limit))
            .map(|FeatureDrift { feature, index, .. }| format!("{feature} {index:.3}"))
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        anyhow::bail!(
            "{} of {} features have moved further than {limit}: {}",
            moved.len(),
            self.features.len(),
            moved.join(", ")
        )
    }
}

impl FeatureDrift {
    fn of(moved: &Moved) -> Self {
        Self { feature: moved.feature.feature().column, index: moved.index(), bins: moved.bins().collect() }
    }
}

/// An index of 0 or more.
fn index(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(index) if index >= 0.0 && index.is_finite() => Ok(index),
        _ => Err("a number of 0 or more is needed".to_owned()),
    }
}
