//! Reads rows of feature values from files of any format, with or without labels, one at a time.

use std::path::PathBuf;

use super::columns::{Columns, Named};
use super::error::DatasetError;
use super::read::{agree, all_parts, note_differences};
use super::skipped::{OnBadRow, Skipped};
use crate::features::FeatureId;

/// What to read.
#[derive(Clone, Debug)]
pub struct RowQuery<'a> {
    /// Files of flows, one after the other.
    pub data: &'a [PathBuf],
    /// The columns to read, in order.
    pub features: &'a [FeatureId],
    /// What to do with a row that cannot be read.
    pub on_bad_row: OnBadRow,
}

/// What is to be said of the files once they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsRead {
    /// Rows, skipped ones included.
    pub rows: u64,
    /// Rows that could not be read.
    pub skipped: Skipped,
    /// What is odd about the files.
    pub notes: Vec<String>,
}

/// Hands out the values of each row in the order of the query's features; `None` for a row that cannot be read and that
/// the query lets be skipped.
///
/// # Errors
/// At the first thing that cannot be read as asked, and what `take` returns.
pub fn for_each_row<E: From<DatasetError>>(
    query: &RowQuery<'_>,
    mut take: impl FnMut(Option<&[f64]>) -> Result<(), E>,
) -> Result<RowsRead, E> {
    let mut read = RowsRead::default();
    let mut first = None;
    let mut values = Vec::with_capacity(query.features.len());
    for part in all_parts(query.data, &mut read.notes)? {
        let mut table = part.open()?;
        let columns = Columns::find(&mut table, query.features, &Named::default())?;
        agree(&mut first, &part.path, &columns)?;
        note_differences(&mut read.notes, &part.path, &columns);
        while let Some(row) = table.step()? {
            read.rows = read.rows.saturating_add(1);
            match row.and_then(|()| columns.numbers(&table, &mut values)) {
                Ok(()) => take(Some(&values))?,
                Err(bad) => {
                    read.skipped.take(bad, query.on_bad_row)?;
                    take(None)?;
                }
            }
        }
    }
    Ok(read)
}
