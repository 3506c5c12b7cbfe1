//! The program. Temporary: dispatch is another piece's.

use clap::Parser;
use flowshrike::cli::{evaluate, train};

#[derive(clap::Parser)]
enum Cli {
    Train(train::Args),
    Evaluate(evaluate::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse() {
        Cli::Train(args) => train::run(&args),
        Cli::Evaluate(args) => evaluate::run(&args),
    }
}
