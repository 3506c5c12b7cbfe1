//! The command line: one file a subcommand. Data goes to stdout or `--output`; everything else to stderr.

mod config;
mod confine;
mod detection;
mod drift;
mod evaluate;
mod evidence;
mod extract;
mod gate;
mod identity;
mod inputs;
mod interfaces;
mod label;
mod labelled;
mod learn;
mod model;
mod model_file;
mod output;
mod predict;
mod progress;
mod replay;
mod rules_file;
mod run;
mod scrape;
mod serve;
mod signals;
mod track;
mod tracking;
mod train;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Network-flow detection for Kubernetes nodes.
#[derive(Debug, Parser)]
#[command(name = "flowshrike", version, about, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Capture and detect until stopped: the daemon
    Run(Box<run::Args>),
    /// The detection pipeline over capture files: same alerts, deterministic
    Replay(replay::Args),
    /// Flow features from capture files, to CSV or JSON lines
    Extract(extract::Args),
    /// Put labels on flows by rules: addresses, ports, protocol, time windows
    Label(label::Args),
    /// Fit a model from labelled flows, with a validation report
    Train(Box<train::Args>),
    /// Score a model on labelled flows
    Evaluate(Box<evaluate::Args>),
    /// How far flows have moved from those that a model knows as benign
    Drift(drift::Args),
    /// A verdict for each row of flow files
    Predict(predict::Args),
    /// The prediction service: verdicts over HTTP
    Serve(serve::Args),
    /// Add a cluster's own benign baseline, or analysts' verdicts, to a model
    Learn(Box<learn::Args>),
    /// Records of runs: send those that could not be sent when they were made
    Track(track::Args),
    /// A model's card, whether it is whole, and what changed between two
    Model(model::Args),
    /// Check or print the configuration
    Config(config::Args),
    /// List capture interfaces, and say which ones a choice means
    Interfaces(interfaces::InterfacesArgs),
}

/// Runs the command line of this process: 0 done, 1 failed, 2 wrong usage or configuration.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Extract(args) => extract::run(&args),
        Command::Label(args) => label::run(&args),
        Command::Train(args) => train::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Drift(args) => drift::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Learn(args) => learn::run(&args),
        Command::Track(args) => track::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Interfaces(args) => interfaces::run(&args, &mut io::stdout()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("flowshrike: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

/// What the user asked for cannot be meant: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
