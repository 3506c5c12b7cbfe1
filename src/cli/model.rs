//! `flowshrike model`: what is in a model file, whether it is whole, and what changed between two.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Serialize;

use super::gate::{Gate, GateArgs};
use super::tracking::RegistryArgs;
use super::{evidence, model_file};
use crate::features::Profile;
use crate::model::{Card, Diff, Model};

/// Options of `model`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print a model's card: what it was trained on, what it tells apart, its figures and blind spots
    Inspect {
        /// The model: a file, or a registry's name for one [default: the one in the program]
        model: Option<PathBuf>,
        #[command(flatten)]
        registry: RegistryArgs,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Check that models are whole and can be run; all are checked, and one that is not fails the command
    Verify {
        /// The models
        #[arg(required = true)]
        models: Vec<PathBuf>,
        /// SHA-256 that the file must have; for one model
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        /// Profile of the flows that they must be able to judge
        #[arg(long, value_name = "PROFILE", default_value_t = Profile::Standard)]
        profile: Profile,
        #[command(flatten)]
        gate: GateArgs,
    },
    /// Learn what raises incidents beyond one flow (scans, sweeps, floods, guessing), on labelled flows with addresses and times
    Evidence(evidence::Args),
    /// Print what changed from one model to another
    Diff {
        /// The model before
        before: PathBuf,
        /// The model after
        after: PathBuf,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// How cards and differences are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// Prints a card, a check or a difference to stdout.
///
/// # Errors
/// What is wrong with a model.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.action {
        Action::Inspect { model, registry, format } => {
            let model = model_file::find(model.as_deref(), registry.uri())?;
            print(&Card::of(&model), *format)
        }
        Action::Verify { models, sha256, profile, gate } => verify(models, sha256.as_deref(), *profile, gate),
        Action::Evidence(args) => evidence::run(args),
        Action::Diff { before, after, format } => {
            print(&Diff::between(&model_file::read(before)?, &model_file::read(after)?), *format)
        }
    }
}

fn print<T: Serialize + ToString>(what: &T, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        Format::Text => out.write_all(what.to_string().as_bytes())?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, what)?;
            writeln!(out)?;
        }
    }
    Ok(out.flush()?)
}

fn verify(models: &[PathBuf], sha256: Option<&str>, profile: Profile, gate: &GateArgs) -> anyhow::Result<()> {
    if sha256.is_some() && models.len() > 1 {
        return Err(super::Usage("--sha256 is the sum of one file: name one model".to_owned()).into());
    }
    let gate = gate.read()?;
    let mut failed = 0_usize;
    for path in models {
        match verify_one(path, sha256, profile, &gate) {
            Ok(model) => {
                let line = format!(
                    "{}: whole; {} {}, SHA-256 {}",
                    path.display(),
                    model.name(),
                    model.version(),
                    model.sha256()
                );
                writeln!(std::io::stdout(), "{line}; judges {profile} flows")?;
            }
            Err(error) => {
                failed = failed.saturating_add(1);
                eprintln!("flowshrike: {error:#}");
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} models cannot be used", models.len());
    }
    Ok(())
}

fn verify_one(path: &Path, sha256: Option<&str>, profile: Profile, gate: &Gate) -> anyhow::Result<Model> {
    let model = model_file::read(path)?;
    if let Some(expected) = sha256
        && !model.sha256().eq_ignore_ascii_case(expected.trim())
    {
        bail!("{}: its SHA-256 is {}, not {expected}", path.display(), model.sha256());
    }
    model.serves(profile).with_context(|| path.display().to_string())?;
    gate.hold("validation.", &model.parts().metrics).with_context(|| path.display().to_string())?;
    Ok(model)
}
