//! `flowshrike extract`: flow features from capture files.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;

use super::inputs::{Defaults, Inputs, Taker};
use super::output;
use crate::features::{self, Profile, csv, json};
use crate::flow::{FlowRecord, community_id};
use crate::pipeline::{Order, Stage};

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
    args.inputs.spare(args.output.as_deref())?;
    let plan = args.inputs.plan(args.profile, Defaults::of(args.profile))?;
    let mut rows = Writer { output: output::open(args.output.as_deref())?, buffer: Vec::with_capacity(2 * FLUSH_AT) };
    if args.format == Format::Csv {
        csv::write_header(&mut rows.buffer);
    }
    let ran = plan.run(|| Rows { profile: args.profile, format: args.format, spare: Vec::new() }, &mut rows);
    rows.write()?;
    rows.output.flush().context("cannot write the flows")?;
    ran?.report()
}

/// Gathers rows into larger writes.
struct Writer {
    output: Box<dyn Write + Send>,
    buffer: Vec<u8>,
}

impl Writer {
    fn write(&mut self) -> anyhow::Result<()> {
        self.output.write_all(&self.buffer).context("cannot write the flows")?;
        self.buffer.clear();
        Ok(())
    }
}

impl Taker<Vec<u8>> for Writer {
    fn capture_begin(&mut self, _: &str) {}

    fn take(&mut self, _: &Order, row: Vec<u8>) -> anyhow::Result<Option<Vec<u8>>> {
        self.buffer.extend_from_slice(&row);
        if self.buffer.len() >= FLUSH_AT {
            self.write()?;
        }
        Ok(Some(row))
    }

    fn capture_end(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Makes a row of each ended flow.
struct Rows {
    profile: Profile,
    format: Format,
    /// Rows that were written.
    spare: Vec<Vec<u8>>,
}

impl Stage for Rows {
    type Item = Vec<u8>;

    fn ended(&mut self, record: &FlowRecord) -> Option<Vec<u8>> {
        let features = features::extract(record, self.profile);
        let mut row = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(ROW));
        match self.format {
            Format::Csv => csv::write_row(&mut row, record, &features, self.profile),
            Format::Jsonl => json::write_line(&mut row, record, &features, self.profile, |row| {
                // Writing to a vector cannot fail.
                write!(row, ",\"community_id\":\"{}\"", community_id(&record.tuple)).unwrap_or_default();
            }),
        }
        Some(row)
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Vec<u8>> {
        None
    }

    fn recycle(&mut self, mut row: Vec<u8>) {
        // At the end of a capture a whole table's rows may wait: few will be needed again.
        if self.spare.len() < MOST_SPARE {
            row.clear();
            self.spare.push(row);
        }
    }
}

/// Rows gathered before a write.
const FLUSH_AT: usize = 256 * 1024;
/// An ordinary row is shorter.
const ROW: usize = 768;
/// Written rows that are kept to be used again: as many as wait at a time in most captures.
const MOST_SPARE: usize = 8192;
