//! A table of named columns that is read row by row, whatever its format: what [`read`](super::read()) works on.
//!
//! A reader holds one row, or one batch of rows, at a time.

use std::borrow::Cow;
use std::path::PathBuf;

use super::error::{BadRow, DatasetError, Place};

/// One format's reader.
pub(super) trait Table {
    /// The names of the columns as the file has them, without surrounding blanks.
    fn columns(&self) -> &[String];

    /// Which columns [`Table::cell`] will give, in order; to be said once, before the first row.
    fn choose(&mut self, columns: &[usize]) -> Result<(), Trouble>;

    /// Goes to the next row.
    fn step(&mut self) -> Result<Step, Trouble>;

    /// Where the row stands.
    fn place(&self) -> Place;

    /// A chosen column's cell in this row.
    fn cell(&self, chosen: usize) -> Cell<'_>;
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A row.
    Row,
    /// A row that cannot be read; the next one may be.
    Bad {
        /// The column, if it is one cell.
        column: Option<String>,
        /// What is wrong.
        problem: String,
    },
    /// There are no more rows.
    End,
}

/// What ends a file's reading.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The stream cannot be read on.
    Io(std::io::Error),
    /// Something else, in words.
    Other(String),
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// One cell as its format gives it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// Text, which may be a number's.
    Text(&'a str),
    /// Bytes that are no text.
    Bytes(&'a [u8]),
    /// A number.
    Number(f64),
    /// A value that is known to be none: what an export puts for NaN and infinities that its format cannot hold.
    Null,
}

/// An open table and the names that errors give it.
pub(super) struct Opened {
    /// The file; a member of an archive stands below the archive.
    pub(super) path: PathBuf,
    /// The file's name without folders and extensions: the capture of flows that name none.
    pub(super) stem: String,
    pub(super) table: Box<dyn Table>,
}

impl Opened {
    /// Goes to the next row: `None` at the end, an inner error for a row that cannot be read.
    pub(super) fn step(&mut self) -> Result<Option<Result<(), BadRow>>, DatasetError> {
        match self.table.step() {
            Ok(Step::Row) => Ok(Some(Ok(()))),
            Ok(Step::Bad { column, problem }) => Ok(Some(Err(self.bad(column, problem)))),
            Ok(Step::End) => Ok(None),
            Err(trouble) => Err(self.trouble(trouble)),
        }
    }

    pub(super) fn choose(&mut self, columns: &[usize]) -> Result<(), DatasetError> {
        self.table.choose(columns).map_err(|trouble| self.trouble(trouble))
    }

    /// A chosen cell as a number; `column` is its name.
    pub(super) fn number(&self, chosen: usize, column: usize) -> Result<f64, BadRow> {
        match self.table.cell(chosen) {
            Cell::Number(value) => Ok(value),
            Cell::Null => Ok(f64::NAN),
            Cell::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| self.bad_cell(column, format!("`{}` is not a number", shortened(text.trim())))),
            Cell::Bytes(_) => Err(self.bad_cell(column, NOT_TEXT.to_owned())),
        }
    }

    /// A chosen cell as text without surrounding blanks; empty where there is nothing.
    pub(super) fn text(&self, chosen: usize, column: usize) -> Result<Cow<'_, str>, BadRow> {
        match self.table.cell(chosen) {
            Cell::Text(text) => Ok(Cow::Borrowed(text.trim())),
            Cell::Number(value) => Ok(Cow::Owned(value.to_string())),
            Cell::Null => Ok(Cow::Borrowed("")),
            Cell::Bytes(_) => Err(self.bad_cell(column, NOT_TEXT.to_owned())),
        }
    }

    pub(super) fn bad_cell(&self, column: usize, problem: String) -> BadRow {
        self.bad(self.table.columns().get(column).cloned(), problem)
    }

    fn bad(&self, column: Option<String>, problem: String) -> BadRow {
        BadRow { file: self.path.display().to_string(), place: self.table.place(), column, problem }
    }

    fn trouble(&self, trouble: Trouble) -> DatasetError {
        trouble.at(self.path.clone(), Some(self.table.place()))
    }
}

impl Trouble {
    /// With the file, and the place for what is not the stream's fault.
    pub(super) fn at(self, path: PathBuf, place: Option<Place>) -> DatasetError {
        match (self, place) {
            (Self::Io(source), _) => DatasetError::Io { path, source },
            (Self::Other(problem), None) => DatasetError::File { path, problem },
            (Self::Other(problem), Some(place)) => DatasetError::File { path, problem: format!("{place}: {problem}") },
        }
    }
}

/// At most 40 characters of a cell.
pub(super) fn shortened(cell: &str) -> String {
    cell.chars().take(40).collect()
}

const NOT_TEXT: &str = "not UTF-8 text";
/// Bytes of text in one row at most: an open quotation mark does not take the rest of a file into memory.
pub(super) const ROW_BYTES: u64 = 1 << 20;
