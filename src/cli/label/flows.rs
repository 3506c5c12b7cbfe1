//! Flow CSVs with CICFlowMeter's identity columns: every cell stays as it is but the label's.

use std::collections::HashMap;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, bail};
use csv::{ByteRecord, Reader, ReaderBuilder};

use super::labelling::Labelling;
use super::{open, stem};
use crate::cli::output;
use crate::dataset::rules::{Candidate, Needs};
use crate::dataset::timestamp;
use crate::features::schema::LABEL_COLUMN;
use crate::flow::FiveTuple;
use crate::packet::Address;
use crate::time::Micros;

/// Labels the flows of all files, one after the other, and gives the output back.
pub(super) fn run(
    files: &[PathBuf],
    labelling: &mut Labelling<'_>,
    output: impl FnOnce() -> anyhow::Result<output::Table>,
) -> anyhow::Result<output::Table> {
    let needs = labelling.rules.needs();
    // Every header is looked at before anything is written.
    let mut tables = files.iter().map(|path| Table::open(path, needs)).collect::<anyhow::Result<Vec<_>>>()?;
    for table in &tables {
        if let Some(first) = tables.first()
            && table.header != first.header
        {
            bail!("{} and {} have different headers: label them one after the other", first.name(), table.name());
        }
        labelling.scenarios_ignored |= table.columns.scenario.is_some() && labelling.rules.names_scenarios();
    }
    let mut writer = csv::Writer::from_writer(output()?);
    if let Some(table) = tables.first() {
        let mut header = table.header.clone();
        if table.columns.label.is_none() {
            header.push_field(LABEL_COLUMN.as_bytes());
        }
        if table.columns.scenario.is_none() {
            header.push_field(SCENARIO.as_bytes());
        }
        writer.write_byte_record(&header).context("cannot write the flows")?;
    }
    for table in &mut tables {
        let firsts =
            if needs.first_packet { Table::open(&table.path, needs)?.first_packets()? } else { HashMap::new() };
        while table.next()? {
            let capture = table.capture();
            let candidate = Candidate {
                tuple: table.tuple()?,
                start: table.start()?,
                first: firsts.get(capture.as_ref()).copied().unwrap_or_default(),
                capture: &capture,
            };
            let own = table.columns.label.map(|column| table.cell(column)).unwrap_or_default();
            let Some(given) = labelling.give(&candidate, own) else { continue };
            let label = table.columns.label;
            let cells = table.row.iter().enumerate();
            let cells = cells.map(|(at, cell)| if Some(at) == label { given.label } else { cell });
            let scenario = given.scenario.unwrap_or(&table.stem).as_bytes();
            let added = [label.is_none().then_some(given.label), table.columns.scenario.is_none().then_some(scenario)];
            writer.write_record(cells.chain(added.into_iter().flatten())).context("cannot write the flows")?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error()).context("cannot write the flows")
}

/// One file, and the row that stands under the reader.
struct Table {
    path: PathBuf,
    stem: String,
    reader: Reader<Box<dyn Read>>,
    header: ByteRecord,
    columns: Columns,
    row: ByteRecord,
}

/// Where the columns stand that rules look at. Others are read as far as they can be, for the examples of the report.
struct Columns {
    src: Column,
    dst: Column,
    src_port: Column,
    dst_port: Column,
    protocol: Column,
    timestamp: Column,
    /// The column that `train` would read.
    label: Option<usize>,
    scenario: Option<usize>,
}

/// One column of an identity.
#[derive(Clone, Copy)]
struct Column {
    at: Option<usize>,
    is_needed: bool,
}

impl Table {
    fn open(path: &Path, needs: Needs) -> anyhow::Result<Self> {
        let stream = open(path).with_context(|| path.display().to_string())?;
        let mut reader = ReaderBuilder::new().from_reader(stream);
        let header = reader.byte_headers().map_err(|error| row_error(path, error))?.clone();
        let columns =
            Columns::find(&header, needs).map_err(|message| anyhow::anyhow!("{}: {message}", path.display()))?;
        Ok(Self { path: path.to_owned(), stem: stem(path), reader, header, columns, row: ByteRecord::new() })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn next(&mut self) -> anyhow::Result<bool> {
        self.reader.read_byte_record(&mut self.row).map_err(|error| row_error(&self.path, error))
    }

    /// The earliest start of each capture.
    fn first_packets(mut self) -> anyhow::Result<HashMap<String, Micros>> {
        let mut firsts = HashMap::new();
        while self.next()? {
            let start = self.start()?;
            let capture = self.capture();
            match firsts.get_mut(capture.as_ref()) {
                Some(first) => *first = start.min(*first),
                None => drop(firsts.insert(capture.into_owned(), start)),
            }
        }
        Ok(firsts)
    }

    /// The row's own scenario, or the file's name.
    fn capture(&self) -> std::borrow::Cow<'_, str> {
        match self.columns.scenario.map(|column| self.cell(column).trim_ascii()) {
            Some(cell) if !cell.is_empty() => String::from_utf8_lossy(cell),
            _ => self.stem.as_str().into(),
        }
    }

    fn tuple(&self) -> anyhow::Result<FiveTuple> {
        let Columns { src, dst, src_port, dst_port, protocol, .. } = self.columns;
        Ok(FiveTuple {
            src: self.address(src)?,
            dst: self.address(dst)?,
            src_port: self.number(src_port, "a port of 0 to 65535")?,
            dst_port: self.number(dst_port, "a port of 0 to 65535")?,
            protocol: self.number(protocol, "a protocol number of 0 to 255")?,
        })
    }

    fn start(&self) -> anyhow::Result<Micros> {
        self.parsed(self.columns.timestamp, |text| timestamp::parse_column(text).map_err(|error| error.to_string()))
    }

    fn address(&self, column: Column) -> anyhow::Result<Address> {
        let read = |text: &str| text.parse::<IpAddr>().map(Address::from);
        self.parsed(column, |text| read(text).map_err(|_| "an IP address is expected".to_owned()))
    }

    fn number<T: FromStr + Default>(&self, column: Column, expected: &str) -> anyhow::Result<T> {
        self.parsed(column, |text| text.parse().map_err(|_| format!("{expected} is expected")))
    }

    /// A cell's value; the default where there is none and no rule asks for it.
    fn parsed<T: Default>(&self, column: Column, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<T> {
        let Column { at: Some(at), is_needed } = column else { return Ok(T::default()) };
        let cell = String::from_utf8_lossy(self.cell(at));
        read(cell.trim()).or_else(|message| {
            if !is_needed {
                return Ok(T::default());
            }
            let line = self.row.position().map_or(0, csv::Position::line);
            let name = String::from_utf8_lossy(self.header.get(at).unwrap_or_default()).trim().to_owned();
            let shown: String = cell.chars().take(SHOWN).collect();
            bail!("{}: line {line}, column `{name}`: `{shown}`: {message}", self.name())
        })
    }

    fn cell(&self, column: usize) -> &[u8] {
        self.row.get(column).unwrap_or_default()
    }
}

impl Columns {
    /// Finds columns by name without regard to case.
    fn find(header: &ByteRecord, needs: Needs) -> Result<Self, String> {
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_lowercase())
            .collect();
        let find = |name: &str| {
            let mut found = names.iter().enumerate().filter(|(_, held)| **held == name.to_lowercase());
            let first = found.next().map(|(at, _)| at);
            match found.count() {
                0 => Ok(first),
                more => Err(format!("column `{name}` is there {} times: rename or remove all but one", more + 1)),
            }
        };
        let mut missing = Vec::new();
        let mut need = |name: &str, is_needed: bool| {
            let at = match find(name) {
                Err(twice) if is_needed => return Err(twice),
                found => found.unwrap_or_default(),
            };
            if is_needed && at.is_none() {
                missing.push(format!("`{name}`"));
            }
            Ok(Column { at, is_needed })
        };
        let columns = Self {
            src: need("Src IP", needs.addresses)?,
            dst: need("Dst IP", needs.addresses)?,
            src_port: need("Src Port", needs.ports)?,
            dst_port: need("Dst Port", needs.ports)?,
            protocol: need("Protocol", needs.protocol)?,
            timestamp: need("Timestamp", needs.time)?,
            label: match find(PREFERRED_LABEL)? {
                Some(column) => Some(column),
                None => find(LABEL_COLUMN)?,
            },
            scenario: find(SCENARIO)?,
        };
        if missing.is_empty() {
            Ok(columns)
        } else {
            Err(format!("no column {}: the rules ask for these, by CICFlowMeter's names", missing.join(", ")))
        }
    }
}

/// A reader's error with the file in front.
fn row_error(path: &Path, error: csv::Error) -> anyhow::Error {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            anyhow::anyhow!("{}: line {line}: {len} cells, where the header has {expected_len}", path.display())
        }
        _ => anyhow::Error::new(error).context(path.display().to_string()),
    }
}

/// `train` reads this column before `Label`, so it is the one to fill where it is there.
const PREFERRED_LABEL: &str = "LabelFlow";
/// The capture that a flow came from.
const SCENARIO: &str = "Scenario";
/// Characters of a bad cell that an error repeats.
const SHOWN: usize = 40;
