//! `flowshrike extract`: flow features from capture files.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;

use super::inputs::{Defaults, Inputs, Plan, Taker};
use super::{output, signals};
use crate::features::schema::NO_LABEL;
use crate::features::{self, Profile, csv, json};
use crate::flow::{FlowRecord, community_id};
use crate::pipeline::{Order, Stage};
use crate::sink::{Detail, FlowValues, ParquetFlows};

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
    /// A Parquet file with the columns of CSV (to --output only)
    Parquet,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    args.inputs.spare(args.output.as_deref())?;
    let plan = args.inputs.plan(args.profile, Defaults::of(args.profile))?;
    if args.format == Format::Parquet {
        return parquet(&plan, args);
    }
    let mut rows = Writer { output: output::open(args.output.as_deref())?, buffer: Vec::with_capacity(2 * FLUSH_AT) };
    if args.format == Format::Csv {
        csv::write_header(&mut rows.buffer);
    }
    let ran = plan.run(|| Rows { profile: args.profile, format: args.format, spare: Vec::new() }, &mut rows);
    rows.write()?;
    rows.output.flush().context("cannot write the flows")?;
    ran?.report()
}

/// Writes a Parquet file, which is there once it is whole.
fn parquet(plan: &Plan<'_>, args: &Args) -> anyhow::Result<()> {
    signals::end_whole()?;
    let file = output::Table::file(args.output.as_deref(), "Parquet")?;
    let mut flows = Parquet(ParquetFlows::new(file, false, Detail::Full)?);
    let ran = plan.run(|| Values { profile: args.profile }, &mut flows)?;
    flows.0.finish()?.finish()?;
    ran.report()
}

/// Takes flows into a Parquet file.
struct Parquet(ParquetFlows<output::Table>);

impl Taker<Box<FlowValues>> for Parquet {
    fn capture_begin(&mut self, _: &str) {}

    fn take(&mut self, _: &Order, flow: Box<FlowValues>) -> anyhow::Result<Option<Box<FlowValues>>> {
        self.0.push(*flow, NO_LABEL, "")?;
        Ok(None)
    }

    fn capture_end(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Makes values of each ended flow.
struct Values {
    profile: Profile,
}

impl Stage for Values {
    type Item = Box<FlowValues>;

    fn ended(&mut self, record: &FlowRecord) -> Option<Box<FlowValues>> {
        let features = features::extract(record, self.profile);
        Some(Box::new(FlowValues::new(record, features, self.profile)))
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Box<FlowValues>> {
        None
    }
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
            Format::Csv | Format::Parquet => csv::write_row(&mut row, record, &features, self.profile),
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
