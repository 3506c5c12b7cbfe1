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
    format: Format,
    known: HashMap<String, Known>,
    labelling: &mut Labelling<'_>,
    output: &mut output::Table,
) -> anyhow::Result<Ran<Rows>> {
    let current = Known { name: String::new(), first: Micros::ZERO };
    let mut writer = Writer { labelling, known, current, format, output, buffer: Vec::with_capacity(2 * FLUSH_AT) };
    if format == Format::Csv {
        csv::write_header(&mut writer.buffer);
        writer.buffer.pop();
        writer.buffer.extend_from_slice(b",Scenario\n");
    }
    let ran = plan.run(|| Rows { profile, format }, &mut writer);
    writer.write()?;
    writer.output.flush().context("cannot write the flows")?;
    ran
}

/// A flow on its way: what rules look at, and its row up to the label.
pub(super) struct Flow {
    tuple: FiveTuple,
    start: Micros,
    row: Vec<u8>,
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
        let mut row = Vec::with_capacity(ROW);
        match self.format {
            Format::Csv => csv::write_unlabelled(&mut row, record, &features, self.profile),
            Format::Jsonl => {
                json::write_line(&mut row, record, &features, self.profile, |row| {
                    // Writing to a vector cannot fail.
                    write!(row, ",\"community_id\":\"{}\"", community_id(&record.tuple)).unwrap_or_default();
                });
                // The label's members go before the closing brace and the line's end.
                row.truncate(row.len().saturating_sub(2));
            }
        }
        Some(Flow { tuple: record.tuple, start: record.state.start, row })
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Flow> {
        None
    }
}

/// Labels flows in their order, and gathers rows into larger writes.
struct Writer<'w, 'r> {
    labelling: &'w mut Labelling<'r>,
    known: HashMap<String, Known>,
    /// The capture that runs.
    current: Known,
    format: Format,
    output: &'w mut output::Table,
    buffer: Vec<u8>,
}

impl Writer<'_, '_> {
    fn write(&mut self) -> anyhow::Result<()> {
        self.output.write_all(&self.buffer).context("cannot write the flows")?;
        self.buffer.clear();
        Ok(())
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
        self.buffer.extend_from_slice(&flow.row);
        match self.format {
            Format::Csv => {
                write_cell(&mut self.buffer, given.label);
                self.buffer.push(b',');
                write_cell(&mut self.buffer, scenario.as_bytes());
                self.buffer.push(b'\n');
            }
            Format::Jsonl => {
                self.buffer.extend_from_slice(b",\"label\":");
                serde_json::to_writer(&mut self.buffer, &String::from_utf8_lossy(given.label))?;
                self.buffer.extend_from_slice(b",\"scenario\":");
                serde_json::to_writer(&mut self.buffer, scenario)?;
                self.buffer.extend_from_slice(b"}\n");
            }
        }
        if self.buffer.len() >= FLUSH_AT {
            self.write()?;
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
