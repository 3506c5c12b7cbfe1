//! `flowshrike track`: records of runs that could not be sent when they were made.

use std::path::PathBuf;

use clap::Subcommand;

use super::{signals, tracking};
use crate::track::Spool;

/// Options of `track`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Send records that wait; a run that has arrived is not made twice, and its record is removed
    Push {
        /// Where they wait
        #[arg(value_name = "DIR", default_value = tracking::SPOOL)]
        spool: PathBuf,
        /// An MLflow server, as http://HOST:PORT, or a folder [default: what MLFLOW_TRACKING_URI says]
        #[arg(long, value_name = "URI")]
        track: Option<String>,
    },
}

/// Sends records; each that arrives is a line on stdout.
///
/// # Errors
/// If one did not.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.action {
        Action::Push { spool, track } => {
            signals::end_whole()?;
            tracking::push(&Spool::new(spool.clone()), track.as_deref())
        }
    }
}
