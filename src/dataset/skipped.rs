//! Rows that were left out of a data set, counted by file.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::{BadRow, DatasetError};

/// What to do with a row that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRow {
    /// The first one is an error.
    #[default]
    Fail,
    /// Leave it out and count it.
    Skip,
}

/// The rows that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// How many, of all files.
    pub rows: u64,
    /// How many of each file that has any.
    pub files: BTreeMap<String, u64>,
    /// The first few.
    pub first: Vec<BadRow>,
}

impl Skipped {
    /// Counts a row, or refuses it.
    pub(super) fn take(&mut self, row: BadRow, rule: OnBadRow) -> Result<(), DatasetError> {
        if rule == OnBadRow::Fail {
            return Err(DatasetError::Row(row));
        }
        self.rows += 1;
        *self.files.entry(row.file.clone()).or_default() += 1;
        if self.first.len() < SHOWN {
            self.first.push(row);
        }
        Ok(())
    }

    /// Lines for people; empty if nothing was skipped.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (file, rows) in &self.files {
            out += &format!("skipped   {rows} rows of {file}\n");
        }
        for row in &self.first {
            out += &format!("          {row}\n");
        }
        let more = self.rows - self.first.len() as u64;
        if more > 0 {
            out += &format!("          and {more} more\n");
        }
        out
    }
}

/// Enough to see what is wrong, whatever the size of the file.
const SHOWN: usize = 10;
