//! Reads rows of feature values from files of any format, with or without labels, one at a time.

use std::path::PathBuf;

use super::columns::{Columns, Named};
use super::container::Upload;
use super::error::DatasetError;
use super::flow_identity::{FlowIdentity, IdentityColumns};
use super::read::{agree, all_parts, note_differences};
use super::skipped::{OnBadRow, Skipped};
use super::table::Opened;
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

/// One row with what its file says of the flow.
#[derive(Clone, Copy, Debug)]
pub struct FlowRow<'a> {
    /// Values in the order of the query's features.
    pub values: &'a [f64],
    /// The capture: the row's own, else the file's name.
    pub capture: &'a str,
    /// Which flow it is.
    pub identity: &'a FlowIdentity,
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
    rows(query, false, |row| take(row.map(|row| row.values)))
}

/// The same for a table that stands in no file, such as a request's body; `name` is what errors call it, and the query's files
/// have no part in it.
///
/// # Errors
/// As [`for_each_row`].
pub fn for_each_row_in<E: From<DatasetError>>(
    (name, upload): (&str, Upload),
    query: &RowQuery<'_>,
    mut take: impl FnMut(Option<&[f64]>) -> Result<(), E>,
) -> Result<RowsRead, E> {
    let mut reading = Reading { query, with_identity: false, first: None, read: RowsRead::default() };
    reading.table(upload.open(name)?, &mut |row: Option<FlowRow<'_>>| take(row.map(|row| row.values)))?;
    Ok(reading.read)
}

/// The same for flows that must be told apart: with each row's identity and capture.
///
/// # Errors
/// As [`for_each_row`].
pub fn for_each_flow<E: From<DatasetError>>(
    query: &RowQuery<'_>,
    take: impl FnMut(Option<FlowRow<'_>>) -> Result<(), E>,
) -> Result<RowsRead, E> {
    rows(query, true, take)
}

fn rows<E: From<DatasetError>>(
    query: &RowQuery<'_>,
    with_identity: bool,
    mut take: impl FnMut(Option<FlowRow<'_>>) -> Result<(), E>,
) -> Result<RowsRead, E> {
    let mut reading = Reading { query, with_identity, first: None, read: RowsRead::default() };
    for part in all_parts(query.data, &mut reading.read.notes)? {
        reading.table(part.open()?, &mut take)?;
    }
    Ok(reading.read)
}

/// Tables one after the other.
struct Reading<'q> {
    query: &'q RowQuery<'q>,
    with_identity: bool,
    /// The first table and what its meter counts in another way.
    first: Option<(PathBuf, Vec<FeatureId>)>,
    read: RowsRead,
}

impl Reading<'_> {
    fn table<E: From<DatasetError>>(
        &mut self,
        mut table: Opened,
        take: &mut impl FnMut(Option<FlowRow<'_>>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { query, with_identity, first, read } = self;
        let mut values = Vec::with_capacity(query.features.len());
        let ids = with_identity.then(|| IdentityColumns::find(&table));
        let more = ids.iter().flat_map(IdentityColumns::positions);
        let columns = Columns::find_beside(&mut table, query.features, &Named::default(), more)?;
        agree(first, &table.path, &columns)?;
        note_differences(&mut read.notes, &table.path, &columns);
        while let Some(row) = table.step()? {
            read.rows = read.rows.saturating_add(1);
            match row.and_then(|()| columns.numbers(&table, &mut values)) {
                Ok(()) => {
                    let identity = ids.as_ref().map(|ids| ids.read(&table, columns.chosen())).unwrap_or_default();
                    let own = if *with_identity { columns.scenario(&table).ok().flatten() } else { None };
                    let capture = own.as_deref().filter(|own| !own.is_empty()).unwrap_or(&table.stem);
                    take(Some(FlowRow { values: &values, capture, identity: &identity }))?;
                }
                Err(bad) => {
                    read.skipped.take(bad, query.on_bad_row)?;
                    take(None)?;
                }
            }
        }
        Ok(())
    }
}
