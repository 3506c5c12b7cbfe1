//! Runs the release binary, tcpdump as the yardstick and every peer that is installed over the same traces, each as a whole
//! process, and holds what it measures against the targets.
//!
//! Figures are CPU seconds (user + system) and peak memory as the kernel accounts them when a process ends. Runs are
//! interleaved: each round runs every contestant once, from another place in the list, and a ratio is the median of the
//! rounds' ratios, so that a slow minute of the machine slows both sides. Nothing here fails because a target is missed: this
//! program measures; the reader judges.
//!
//! Called by `make bench`, after `bench-traces` has written the traces, and at a small scale by `tests/bench_harness.rs`.

mod contestants;
mod figures;
mod interrupt;
mod live;
pub(crate) mod metrics_page;
mod offline;
mod options;
mod process;
mod report;
mod sender;

use std::process::ExitCode;

use clap::Parser as _;

pub(crate) use options::Options;
pub(crate) use report::Report;

/// The program.
pub(crate) fn main() -> ExitCode {
    let options = Options::parse();
    interrupt::watch();
    match run(&options) {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Measures everything, and writes the report as JSON into the folder.
pub(crate) fn run(options: &Options) -> anyhow::Result<Report> {
    let traces = offline::Traces::find(options)?;
    let mut rows = offline::rows(options, &traces)?;
    rows.extend(live::rows(options, &traces)?);
    let report = Report::new(options, &traces, rows);
    report.write_json(&options.folder.join("whole.json"))?;
    Ok(report)
}
