//! `flowshrike config`: check a configuration, or print what is in force and where each value comes from.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;

use super::Usage;
use crate::config::Config;

/// What to do with the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say whether the file and the FLOWSHRIKE_* variables can be used (exit code 2 if not)
    Check(Source),
    /// Print every key's value and where it was set
    Print(Source),
}

/// Where the configuration is read from.
#[derive(Debug, clap::Args)]
struct Source {
    /// Configuration file (YAML); see docs/configuration.md
    #[arg(long, value_name = "FILE", env = "FLOWSHRIKE_CONFIG")]
    config: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let (Action::Check(source) | Action::Print(source)) = &args.action;
    let config =
        Config::load(source.config.as_deref(), std::env::vars_os(), &[]).map_err(|error| Usage(error.to_string()))?;
    let mut out = io::stdout().lock();
    if let Action::Print(_) = args.action {
        for setting in &config.settings {
            writeln!(out, "{}: {}  # {}", setting.key, setting.value, setting.origin)
                .context("cannot write the configuration")?;
        }
    }
    Ok(())
}
