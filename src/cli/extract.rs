//! `flowshrike extract`: flow features from capture files.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::inputs::Inputs;
use super::output;
use crate::features::{self, Profile, csv, json};
use crate::flow::FlowRecord;
use crate::pipeline::Stage;

/// Flags of `flowshrike extract`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,

    /// Which reading of the features: `standard`, or `cic` for the CICFlowMeter version that made the Kubernetes data set
    #[arg(long, default_value = "standard", value_name = "PROFILE")]
    profile: Profile,

    /// Output format
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,

    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The 87 columns of CICFlowMeter, with a header
    Csv,
    /// One JSON object a line, with end reason and part
    Jsonl,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let plan = args.inputs.plan(args.profile)?;
    let mut output = output::open(args.output.as_deref())?;
    let mut buffer = Vec::with_capacity(2 * FLUSH_AT);
    if args.format == Format::Csv {
        csv::write_header(&mut buffer);
    }
    let stage = || Rows { profile: args.profile, format: args.format };
    let mut write = |buffer: &mut Vec<u8>| -> anyhow::Result<()> {
        output.write_all(buffer).context("cannot write the flows")?;
        buffer.clear();
        Ok(())
    };
    let outcome = plan.run(
        stage,
        &mut |_, row: Vec<u8>| {
            buffer.extend_from_slice(&row);
            if buffer.len() >= FLUSH_AT { write(&mut buffer) } else { Ok(()) }
        },
        &mut || Ok(()),
    );
    write(&mut buffer)?;
    output.flush().context("cannot write the flows")?;
    outcome.map(|_| ())
}

/// Makes a row of each ended flow.
struct Rows {
    profile: Profile,
    format: Format,
}

impl Stage for Rows {
    type Item = Vec<u8>;

    fn ended(&mut self, record: &FlowRecord) -> Option<Vec<u8>> {
        let features = features::extract(record, self.profile);
        let mut row = Vec::with_capacity(ROW);
        match self.format {
            Format::Csv => csv::write_row(&mut row, record, &features, self.profile),
            Format::Jsonl => json::write_line(&mut row, record, &features, self.profile),
        }
        Some(row)
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Vec<u8>> {
        None
    }
}

/// Rows gathered before a write.
const FLUSH_AT: usize = 256 * 1024;
/// An ordinary row is shorter.
const ROW: usize = 1024;
