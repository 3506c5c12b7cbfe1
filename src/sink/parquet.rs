//! Flows as Parquet: the columns of the CSV with their types, a group of rows at a time.
//!
//! `extract` and `label` write such files, and `train` reads them without options. Values are those that the CSV prints, so that both
//! files of a capture make the same model. Only one group of rows is held, whatever the number of flows.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::features::schema::{FEATURES, Feature, IDENTITY_COLUMNS, Kind, LABEL_COLUMN, NO_LABEL};
use crate::features::{FeatureVector, Profile, csv};
use crate::flow::{FiveTuple, FlowRecord};
use crate::model::Verdict;
use crate::time::Micros;

/// A Parquet file that grows by flows.
pub struct ParquetFlows<W: Write + Send> {
    file: SerializedFileWriter<W>,
    rows: Vec<Row>,
    has_scenario: bool,
    detail: Detail,
}

/// How much of a flow a file has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// The CSV's columns.
    #[default]
    Full,
    /// For a data set that is kept: without `Flow ID` and columns that no model of the daemon reads, and doubles to five digits.
    Compact,
    /// The CSV's columns, and what a model said of each flow: [`VerdictValues`].
    Judged,
}

/// What the lake says of a flow beside its row.
#[derive(Clone, Debug)]
pub struct VerdictValues {
    /// Time of the last packet.
    pub end: Micros,
    /// Why it ended (IPFIX IE 136).
    pub end_reason: &'static str,
    /// Which part of a long flow it is.
    pub part: u32,
    /// Community ID v1.
    pub community_id: String,
    /// The model's label.
    pub label: Arc<str>,
    /// What was said of it.
    pub verdict: Verdict,
    /// The model's name and version, and its SHA-256.
    pub model: [Arc<str>; 2],
}

/// What a row says of a flow beside its label.
#[derive(Clone, Debug)]
pub struct FlowValues {
    /// `src-dst-sport-dport-protocol`, as the CSV has it.
    pub id: String,
    /// Who spoke to whom.
    pub tuple: FiveTuple,
    /// Time of the first packet.
    pub start: Micros,
    /// The feature columns.
    pub features: FeatureVector,
}

struct Row {
    flow: FlowValues,
    label: String,
    scenario: String,
    verdict: Option<VerdictValues>,
}

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("Parquet: {0}")]
pub struct ParquetFlowsError(#[from] ParquetError);

impl FlowValues {
    /// An ended flow's row.
    #[must_use]
    pub fn new(record: &FlowRecord, features: FeatureVector, profile: Profile) -> Self {
        let mut id = Vec::new();
        csv::write_flow_id(&mut id, record, profile);
        let id = String::from_utf8(id).unwrap_or_default();
        Self { id, tuple: record.tuple, start: record.state.start, features }
    }
}

impl<W: Write + Send> ParquetFlows<W> {
    /// Begins a file; `has_scenario` adds the column `Scenario`.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn new(out: W, has_scenario: bool, detail: Detail) -> Result<Self, ParquetFlowsError> {
        let level = ZstdLevel::try_new(detail.level())?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("flowshrike ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(out, schema(has_scenario, detail)?, Arc::new(properties))?;
        Ok(Self { file, rows: Vec::new(), has_scenario, detail })
    }

    /// Adds a flow. The scenario is dropped where the file has no such column.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn push(&mut self, flow: FlowValues, label: &str, scenario: &str) -> Result<(), ParquetFlowsError> {
        self.add(Row { flow, label: label.to_owned(), scenario: scenario.to_owned(), verdict: None })
    }

    /// Adds a flow with what was said of it, to a file of [`Detail::Judged`].
    ///
    /// # Errors
    /// What cannot be written.
    pub fn push_judged(&mut self, flow: FlowValues, verdict: VerdictValues) -> Result<(), ParquetFlowsError> {
        self.add(Row { flow, label: NO_LABEL.to_owned(), scenario: String::new(), verdict: Some(verdict) })
    }

    /// Bytes of the groups that are written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    fn add(&mut self, row: Row) -> Result<(), ParquetFlowsError> {
        self.rows.push(row);
        if self.rows.len() >= self.detail.group() { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left and the footer, without which there is no file.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn finish(mut self) -> Result<W, ParquetFlowsError> {
        self.write_group()?;
        Ok(self.file.into_inner()?)
    }

    fn write_group(&mut self) -> Result<(), ParquetFlowsError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = &self.rows;
        let mut group = self.file.next_row_group()?;
        let text = |text: &str| ByteArray::from(text.as_bytes().to_vec());
        if self.detail != Detail::Compact {
            write::<ByteArrayType, W>(&mut group, rows.iter().map(|row| text(&row.flow.id)))?;
        }
        write::<ByteArrayType, W>(&mut group, rows.iter().map(|row| text(&row.flow.tuple.src.to_ip().to_string())))?;
        write::<Int32Type, W>(&mut group, rows.iter().map(|row| row.flow.tuple.src_port.into()))?;
        write::<ByteArrayType, W>(&mut group, rows.iter().map(|row| text(&row.flow.tuple.dst.to_ip().to_string())))?;
        write::<Int32Type, W>(&mut group, rows.iter().map(|row| row.flow.tuple.dst_port.into()))?;
        write::<Int32Type, W>(&mut group, rows.iter().map(|row| row.flow.tuple.protocol.into()))?;
        write::<Int64Type, W>(&mut group, rows.iter().map(|row| row.flow.start.0))?;
        for (position, feature) in FEATURES.iter().enumerate().filter(|(_, feature)| self.detail.has(feature)) {
            let values = rows.iter().map(|row| {
                let features = &row.flow.features;
                let is_undefined = features.undefined >> position & 1 == 1;
                features.values.get(position).copied().filter(|_| !is_undefined).unwrap_or(0.0)
            });
            match feature.kind {
                Kind::Double => write::<DoubleType, W>(&mut group, values.map(|value| self.detail.rounded(value)))?,
                #[expect(clippy::cast_possible_truncation, reason = "integer columns hold whole numbers below 2^53")]
                Kind::Integer => write::<Int64Type, W>(&mut group, values.map(|value| value as i64))?,
            }
        }
        write::<ByteArrayType, W>(&mut group, rows.iter().map(|row| text(&row.label)))?;
        if self.has_scenario {
            write::<ByteArrayType, W>(&mut group, rows.iter().map(|row| text(&row.scenario)))?;
        }
        if self.detail == Detail::Judged {
            let verdicts: Vec<_> = rows.iter().filter_map(|row| row.verdict.as_ref()).collect();
            let of = || verdicts.iter();
            write::<Int64Type, W>(&mut group, of().map(|of| of.end.0))?;
            write::<ByteArrayType, W>(&mut group, of().map(|of| text(of.end_reason)))?;
            write::<Int64Type, W>(&mut group, of().map(|of| of.part.into()))?;
            write::<ByteArrayType, W>(&mut group, of().map(|of| text(&of.community_id)))?;
            write::<ByteArrayType, W>(&mut group, of().map(|of| text(&of.label)))?;
            write::<DoubleType, W>(&mut group, of().map(|of| of.verdict.score.into()))?;
            write::<DoubleType, W>(&mut group, of().map(|of| of.verdict.attack.into()))?;
            write::<DoubleType, W>(&mut group, of().map(|of| of.verdict.novelty.into()))?;
            write::<BoolType, W>(&mut group, of().map(|of| of.verdict.novel))?;
            for at in 0..2 {
                write::<ByteArrayType, W>(&mut group, of().filter_map(|of| of.model.get(at)).map(|model| text(model)))?;
            }
        }
        group.close()?;
        self.rows.clear();
        Ok(())
    }
}

impl Detail {
    fn has(self, feature: &Feature) -> bool {
        self != Self::Compact || feature.is_kept()
    }

    /// To 17 of a double's 53 binary digits, which is five decimal ones: the others are noise of a clock, and do not compress.
    fn rounded(self, value: f64) -> f64 {
        const DROPPED: u32 = 53 - 17;
        match self {
            Self::Full | Self::Judged => value,
            Self::Compact => {
                let up = value.to_bits().saturating_add(1 << (DROPPED - 1));
                let rounded = f64::from_bits(up >> DROPPED << DROPPED);
                if rounded.is_finite() { rounded } else { value }
            }
        }
    }

    const fn level(self) -> i32 {
        match self {
            Self::Full => ZSTD_LEVEL,
            Self::Compact => ZSTD_GREATEST,
            Self::Judged => ZSTD_QUICK,
        }
    }

    /// Rows of a group.
    const fn group(self) -> usize {
        match self {
            Self::Full | Self::Compact => GROUP,
            Self::Judged => JUDGED_GROUP,
        }
    }
}

/// Writes the group's next column.
fn write<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("more columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(&values.collect::<Vec<_>>(), None, None)?;
    column.close()
}

/// The CSV's columns, none of which is ever null.
fn schema(has_scenario: bool, detail: Detail) -> Result<TypePtr, ParquetError> {
    let kept = |column: &&str| detail != Detail::Compact || *column != FLOW_ID;
    let identities = IDENTITY_COLUMNS.into_iter().filter(kept).map(|column| match column {
        FLOW_ID | "Src IP" | "Dst IP" => text(column),
        "Timestamp" => time(column),
        _ => number(column, Physical::INT32),
    });
    let features = FEATURES.iter().filter(|feature| detail.has(feature));
    let features = features.map(|Feature { column, kind, .. }| match kind {
        Kind::Double => number(column, Physical::DOUBLE),
        Kind::Integer => number(column, Physical::INT64),
    });
    let last = [LABEL_COLUMN].into_iter().chain(has_scenario.then_some("Scenario")).map(text);
    let judged = (detail == Detail::Judged).then(judged_columns).into_iter().flatten();
    let fields = identities.chain(features).chain(last).chain(judged).map(|field| field.map(Arc::new));
    let fields: Result<Vec<_>, _> = fields.collect();
    Type::group_type_builder("flows").with_fields(fields?).build().map(Arc::new)
}

/// The columns of [`VerdictValues`], in their order.
fn judged_columns() -> [Result<Type, ParquetError>; 11] {
    [
        time("end"),
        text("end_reason"),
        number("part", Physical::INT64),
        text("community_id"),
        text("predicted"),
        number("score", Physical::DOUBLE),
        number("attack", Physical::DOUBLE),
        number("novelty", Physical::DOUBLE),
        number("novel", Physical::BOOLEAN),
        text("model"),
        text("model_sha256"),
    ]
}

fn number(column: &str, physical: Physical) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(column, physical).with_repetition(Repetition::REQUIRED).build()
}

fn text(column: &str) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(column, Physical::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::String))
        .with_converted_type(ConvertedType::UTF8)
        .build()
}

fn time(column: &str) -> Result<Type, ParquetError> {
    Type::primitive_type_builder(column, Physical::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
        .with_converted_type(ConvertedType::TIMESTAMP_MICROS)
        .build()
}

/// Rows held at a time: about 15 MiB, and groups large enough that dictionaries pay.
const GROUP: usize = 16_384;
/// The same of a file that grows beside live capture, of which a few are open.
const JUDGED_GROUP: usize = 4_096;
/// And which must not take much time.
const ZSTD_QUICK: i32 = 3;
/// Flows repeat themselves: more than the usual 3 takes a fifth off a file that is written once and read often.
const ZSTD_LEVEL: i32 = 9;
/// What is kept for good may take its time.
const ZSTD_GREATEST: i32 = 19;
/// The identity column that the others say again.
const FLOW_ID: &str = "Flow ID";
