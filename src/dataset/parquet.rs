//! Parquet: rows by the footer's columns, a batch at a time, and only of the columns that are asked for.

use std::cell::Cell as Shared;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once};

use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::Type;

use super::error::Place;
use super::table::{Cell, Step, Table, Trouble};
use crate::time::{Civil, Micros};

/// A Parquet file under a reader.
pub(super) struct Parquet {
    columns: Vec<String>,
    /// The fields of the file's schema, one for each column.
    fields: Vec<Arc<Type>>,
    name: String,
    reader: Option<Box<dyn FileReader>>,
    rows: Option<RowIter<'static>>,
    expected: u64,
    /// Where a chosen column stands in a row: rows have the file's order.
    order: Vec<usize>,
    row: Vec<Value>,
    number: u64,
}

/// One cell, owned.
#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Number(f64),
    Null,
}

impl Parquet {
    /// Opens a file of so many bytes, or what holds one.
    pub(super) fn open(file: impl ChunkReader + 'static, length: u64) -> Result<Self, Trouble> {
        let reader = guarded(|| SerializedFileReader::new(file))?;
        check_places(reader.metadata().row_groups(), length)?;
        let metadata = reader.metadata().file_metadata();
        let schema = metadata.schema();
        let fields = schema.get_fields().to_vec();
        Ok(Self {
            columns: fields.iter().map(|field| field.name().trim().to_owned()).collect(),
            fields,
            name: schema.name().to_owned(),
            expected: u64::try_from(metadata.num_rows()).unwrap_or(0),
            reader: Some(Box::new(reader)),
            rows: None,
            order: Vec::new(),
            row: Vec::new(),
            number: 0,
        })
    }
}

/// Refuses columns that a damaged footer puts outside of the file: the reader would panic.
fn check_places(groups: &[RowGroupMetaData], length: u64) -> Result<(), Trouble> {
    let inside = |column: &ColumnChunkMetaData| {
        let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
        let (start, size) = (u64::try_from(start).ok()?, u64::try_from(column.compressed_size()).ok()?);
        start.checked_add(size).filter(|end| *end <= length)
    };
    match groups.iter().flat_map(RowGroupMetaData::columns).find(|column| inside(column).is_none()) {
        Some(column) => Err(Trouble::Other(format!(
            "not a whole Parquet file: column `{}` is not inside of it",
            column.column_path()
        ))),
        None => Ok(()),
    }
}

impl Table for Parquet {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn choose(&mut self, columns: &[usize]) -> Result<(), Trouble> {
        let mut sorted = columns.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let fields: Vec<_> = sorted.iter().filter_map(|&column| self.fields.get(column)).cloned().collect();
        if let Some(nested) = fields.iter().find(|field| !field.is_primitive()) {
            return Err(Trouble::Other(format!("column `{}` is nested: a number or a text is needed", nested.name())));
        }
        self.order =
            columns.iter().map(|column| sorted.iter().position(|held| held == column).unwrap_or(usize::MAX)).collect();
        let schema = Type::group_type_builder(&self.name).with_fields(fields).build().map_err(trouble)?;
        if let Some(reader) = self.reader.take() {
            self.rows = Some(guarded(|| RowIter::from_file_into(reader).project(Some(schema)))?);
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Step, Trouble> {
        let next = guarded(|| self.rows.as_mut().and_then(Iterator::next).transpose())?;
        match next {
            Some(row) => {
                self.number += 1;
                self.row.clear();
                self.row.extend(values(row));
                Ok(Step::Row)
            }
            None if self.number < self.expected => {
                Err(Trouble::Other(format!("the file ends here, where its footer says {} rows", self.expected)))
            }
            None => Ok(Step::End),
        }
    }

    fn place(&self) -> Place {
        Place::Row(self.number)
    }

    fn cell(&self, chosen: usize) -> Cell<'_> {
        match self.order.get(chosen).and_then(|&at| self.row.get(at)) {
            Some(Value::Text(text)) => Cell::Text(text),
            Some(Value::Bytes(bytes)) => Cell::Bytes(bytes),
            Some(Value::Number(number)) => Cell::Number(*number),
            Some(Value::Null) | None => Cell::Null,
        }
    }
}

fn values(row: Row) -> impl Iterator<Item = Value> {
    row.into_columns().into_iter().map(|(_, field)| match field {
        Field::Null => Value::Null,
        Field::Byte(n) => Value::Number(n.into()),
        Field::Short(n) => Value::Number(n.into()),
        Field::Int(n) => Value::Number(n.into()),
        Field::Long(n) => Value::Number(n as f64),
        Field::UByte(n) => Value::Number(n.into()),
        Field::UShort(n) => Value::Number(n.into()),
        Field::UInt(n) => Value::Number(n.into()),
        Field::ULong(n) => Value::Number(n as f64),
        Field::Float16(n) => Value::Number(n.into()),
        Field::Float(n) => Value::Number(n.into()),
        Field::Double(n) => Value::Number(n),
        Field::Str(text) => Value::Text(text),
        Field::Bytes(bytes) => match String::from_utf8(bytes.data().to_vec()) {
            Ok(text) => Value::Text(text),
            Err(error) => Value::Bytes(error.into_bytes()),
        },
        Field::TimestampMillis(n) => Value::Text(utc(Micros(n.saturating_mul(1_000)))),
        Field::TimestampMicros(n) => Value::Text(utc(Micros(n))),
        other => Value::Text(other.to_string()),
    })
}

/// A time as texts of other formats have it. The reader's own text may lack the fraction.
fn utc(time: Micros) -> String {
    let Civil { year, month, day, hour, minute, second, micros } = time.civil();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}")
}

/// Runs a part of the reader, whose decoders panic on some damaged pages: that is an error of the file like any other, and nothing is
/// used again afterwards.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Trouble> {
    static HOOK: Once = Once::new();
    // What is caught here is told as an error of the file; other panics are told as before.
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                before(info);
            }
        }));
    });
    IS_GUARDED.set(true);
    let read = panic::catch_unwind(AssertUnwindSafe(read));
    IS_GUARDED.set(false);
    read.map_err(|_| Trouble::Other("not a whole Parquet file: a page is damaged".to_owned()))?.map_err(trouble)
}

thread_local! {
    /// Whether a panic of this thread is one of the reader's.
    static IS_GUARDED: Shared<bool> = const { Shared::new(false) };
}

fn trouble(error: ParquetError) -> Trouble {
    Trouble::Other(format!("not a whole Parquet file: {error}"))
}
