//! Captures: the flows of `extract`, each with its label and scenario.

use std::collections::HashMap;
use std::io::Write;

use anyhow::{Context as _, bail};

use super::labelling::Labelling;
use super::{Format, is_file, stem};
use crate::capture::{CaptureFile, PacketSource as _, Progress};
use crate::cli::Usage;
use crate::cli::inputs::{Inputs, Plan, Ran, Taker, names};
use crate::cli::output;
use crate::dataset::rules::{Candidate, Rules};
use crate::features::{self, Profile, csv, json};
use crate::flow::{FiveTuple, FlowRecord, community_id};
use crate::pipeline::{Order, Stage};
use crate::sink::{Detail, FlowValues, ParquetFlows};
use crate::time::Micros;

/// A capture, before it is run.
pub(super) struct Known {
    /// Its scenario, unless the rules name one.
    name: String,
    /// Its first packet, if the rules ask for it.
    first: Micros,
}

/// Every capture by what the run will call it. A file that cannot be read is left to the run, which says so.
pub(super) fn known(inputs: &Inputs, rules: &Rules) -> anyhow::Result<HashMap<String, Known>> {
    let mut known = HashMap::new();
    for paths in inputs.captures() {
        let mut first = None;
        if rules.needs().first_packet {
            for path in paths {
                if !is_file(path) {
                    bail!(Usage(format!(
                        "{}: windows as spans since the first packet need a file that can be read twice",
                        path.display()
                    )));
                }
                let time = CaptureFile::open(path).ok().and_then(first_packet);
                first = first.into_iter().chain(time).min();
            }
        }
        let name = paths.iter().map(|path| stem(path)).collect::<Vec<_>>().join("+");
        known.insert(names(paths), Known { name, first: first.unwrap_or_default() });
    }
    Ok(known)
}

fn first_packet(mut file: CaptureFile) -> Option<Micros> {
    let mut first = None;
    while first.is_none() {
        match file.read(1, |frame| first = Some(frame.time)) {
            Ok(Progress::Delivered | Progress::Idle) => {}
            Ok(Progress::End) | Err(_) => break,
        }
    }
    first
}

/// Runs the captures and writes their flows.
pub(super) fn run(
    plan: &Plan<'_>,
    profile: Profile,
    (format, detail): (Format, Detail),
    known: HashMap<String, Known>,
    labelling: &mut Labelling<'_>,
    output: output::Table,
) -> anyhow::Result<Ran<Rows>> {
    let out = match format {
        Format::Csv => {
            let mut buffer = Vec::with_capacity(2 * FLUSH_AT);
            csv::write_header(&mut buffer);
            buffer.pop();
            buffer.extend_from_slice(b",Scenario\n");
            Out::Lines { output, buffer }
        }
        Format::Jsonl => Out::Lines { output, buffer: Vec::with_capacity(2 * FLUSH_AT) },
        Format::Parquet => Out::Parquet(ParquetFlows::new(output, true, detail)?),
    };
    let current = Known { name: String::new(), first: Micros::ZERO };
    let mut writer = Writer { labelling, known, current, format, out };
    let ran = plan.run(|| Rows { profile, format }, &mut writer);
    writer.out.write()?;
    let ran = ran?;
    writer.out.finish()?;
    Ok(ran)
}

/// A flow on its way: what rules look at, and its row up to the label.
pub(super) struct Flow {
    tuple: FiveTuple,
    start: Micros,
    row: Row,
}

enum Row {
    Text(Vec<u8>),
    Values(Box<FlowValues>),
}

/// Makes rows of flows as they end.
#[derive(Debug)]
pub(super) struct Rows {
    profile: Profile,
    format: Format,
}

impl Stage for Rows {
    type Item = Flow;

    fn ended(&mut self, record: &FlowRecord) -> Option<Flow> {
        let features = features::extract(record, self.profile);
        let row = match self.format {
            Format::Csv => {
                let mut row = Vec::with_capacity(ROW);
                csv::write_unlabelled(&mut row, record, &features, self.profile);
                Row::Text(row)
            }
            Format::Jsonl => {
                let mut row = Vec::with_capacity(ROW);
                json::write_line(&mut row, record, &features, self.profile, |row| {
                    // Writing to a vector cannot fail.
                    write!(row, ",\"community_id\":\"{}\"", community_id(&record.tuple)).unwrap_or_default();
                });
                // The label's members go before the closing brace and the line's end.
                row.truncate(row.len().saturating_sub(2));
                Row::Text(row)
            }
            Format::Parquet => Row::Values(Box::new(FlowValues::new(record, features, self.profile))),
        };
        Some(Flow { tuple: record.tuple, start: record.state.start, row })
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Flow> {
        None
    }
}

/// Labels flows in their order.
struct Writer<'w, 'r> {
    labelling: &'w mut Labelling<'r>,
    known: HashMap<String, Known>,
    /// The capture that runs.
    current: Known,
    format: Format,
    out: Out,
}

/// Where they go.
enum Out {
    /// Gathered into larger writes.
    Lines {
        output: output::Table,
        buffer: Vec<u8>,
    },
    Parquet(ParquetFlows<output::Table>),
}

impl Out {
    /// Writes what was gathered.
    fn write(&mut self) -> anyhow::Result<()> {
        if let Self::Lines { output, buffer } = self {
            output.write_all(buffer).and_then(|()| output.flush()).context("cannot write the flows")?;
            buffer.clear();
        }
        Ok(())
    }

    /// There are no more.
    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Lines { output, .. } => output.finish(),
            Self::Parquet(flows) => flows.finish()?.finish(),
        }
    }
}

impl Taker<Flow> for Writer<'_, '_> {
    fn capture_begin(&mut self, name: &str) {
        if let Some(known) = self.known.remove(name) {
            self.current = known;
        }
    }

    fn take(&mut self, _: &Order, flow: Flow) -> anyhow::Result<Option<Flow>> {
        let Known { name, first } = &self.current;
        let candidate = Candidate { tuple: flow.tuple, start: flow.start, first: *first, capture: name };
        let Some(given) = self.labelling.give(&candidate, b"") else { return Ok(None) };
        let scenario = given.scenario.unwrap_or(name);
        match (flow.row, &mut self.out) {
            (Row::Text(row), Out::Lines { output, buffer }) => {
                buffer.extend_from_slice(&row);
                if self.format == Format::Jsonl {
                    buffer.extend_from_slice(b",\"label\":");
                    serde_json::to_writer(&mut *buffer, &String::from_utf8_lossy(given.label))?;
                    buffer.extend_from_slice(b",\"scenario\":");
                    serde_json::to_writer(&mut *buffer, scenario)?;
                    buffer.extend_from_slice(b"}\n");
                } else {
                    write_cell(buffer, given.label);
                    buffer.push(b',');
                    write_cell(buffer, scenario.as_bytes());
                    buffer.push(b'\n');
                }
                if buffer.len() >= FLUSH_AT {
                    output.write_all(buffer).context("cannot write the flows")?;
                    buffer.clear();
                }
            }
            (Row::Values(values), Out::Parquet(flows)) => {
                flows.push(*values, &String::from_utf8_lossy(given.label), scenario)?;
            }
            // Rows are made in the format that is written.
            (Row::Text(_), Out::Parquet(_)) | (Row::Values(_), Out::Lines { .. }) => {}
        }
        Ok(None)
    }

    fn capture_end(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// One CSV cell, quoted where it must be.
fn write_cell(out: &mut Vec<u8>, cell: &[u8]) {
    if !cell.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        return out.extend_from_slice(cell);
    }
    out.push(b'"');
    for &byte in cell {
        out.extend(std::iter::repeat_n(byte, if byte == b'"' { 2 } else { 1 }));
    }
    out.push(b'"');
}

/// Rows gathered before a write.
const FLUSH_AT: usize = 256 * 1024;
/// An ordinary row is shorter.
const ROW: usize = 768;
