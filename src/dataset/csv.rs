//! CSV: a header line, then a row a line; cells may be quoted.

use std::cell::Cell as Shared;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::error::Place;
use super::table::{Cell, ROW_BYTES, Step, Table, Trouble};

/// A CSV stream under a reader.
pub(super) struct Csv {
    reader: Reader<Metered>,
    /// Bytes that the row being read may still take.
    left: Rc<Shared<u64>>,
    columns: Vec<String>,
    chosen: Vec<usize>,
    row: ByteRecord,
    line: u64,
}

impl Csv {
    pub(super) fn open(stream: Box<dyn Read>) -> Result<Self, Trouble> {
        let left = Rc::new(Shared::new(ROW_BYTES));
        let metered = Metered { stream, left: Rc::clone(&left) };
        // A row of another length is ours to judge: the reader would stop at it.
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(metered);
        let header = reader.byte_headers().map_err(trouble)?;
        let name = |cell: &[u8]| String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').trim().to_owned();
        let columns = header.iter().map(name).collect();
        Ok(Self { reader, left, columns, chosen: Vec::new(), row: ByteRecord::new(), line: 1 })
    }
}

impl Table for Csv {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn choose(&mut self, columns: &[usize]) -> Result<(), Trouble> {
        columns.clone_into(&mut self.chosen);
        Ok(())
    }

    fn step(&mut self) -> Result<Step, Trouble> {
        self.left.set(ROW_BYTES);
        self.line = self.reader.position().line();
        if !self.reader.read_byte_record(&mut self.row).map_err(trouble)? {
            return Ok(Step::End);
        }
        self.line = self.row.position().map_or(self.line, csv::Position::line);
        let (found, expected) = (self.row.len(), self.columns.len());
        if found == expected {
            return Ok(Step::Row);
        }
        Ok(Step::Bad { column: None, problem: format!("{found} cells, where the header has {expected}") })
    }

    fn place(&self) -> Place {
        Place::Line(self.line)
    }

    fn cell(&self, chosen: usize) -> Cell<'_> {
        let cell = self.chosen.get(chosen).and_then(|&column| self.row.get(column)).unwrap_or_default();
        std::str::from_utf8(cell).map_or(Cell::Bytes(cell), Cell::Text)
    }
}

/// A stream that ends with an error where one row takes too much of it.
struct Metered {
    stream: Box<dyn Read>,
    left: Rc<Shared<u64>>,
}

impl Read for Metered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        let left = self.left.get().checked_sub(read as u64);
        self.left.set(left.ok_or_else(|| io::Error::other(TooLong))?);
        Ok(read)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a row of more than {} KiB: is a quotation mark left open?", ROW_BYTES >> 10)]
struct TooLong;

fn trouble(error: csv::Error) -> Trouble {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<TooLong>()) => {
            Trouble::Other(error.to_string())
        }
        csv::ErrorKind::Io(error) => Trouble::Io(error),
        other => Trouble::Other(format!("{other:?}")),
    }
}
