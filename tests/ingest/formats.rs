//! The same made-up flows in every format.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowshrike::features::FeatureId;
use flowshrike::train::default_features;
use parquet::basic::Compression as Codec;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Made-up flows as text cells: the default features, then the label; benign and reconnaissance.
pub(crate) fn rows() -> Vec<Vec<String>> {
    let mut state = 7_u64;
    let mut noise = move |spread: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % spread
    };
    let mut row = |n: u64| {
        let label = if n % 5 == 4 { 2 } else { 0 };
        let mut cells: Vec<String> = (0..default_features().len() as u64)
            .map(|column| match (noise(40), label) {
                (0, 0) => "NaN".to_owned(),
                (1, 0) => format!("{}.{:03}E3", noise(9), noise(1000)),
                (_, 0) => format!("{}.{:02}", column * 10 + noise(40), noise(100)),
                _ => (1000 + noise(30)).to_string(),
            })
            .collect();
        cells.push(label.to_string());
        cells
    };
    (0..240).map(&mut row).collect()
}

pub(crate) fn header() -> Vec<&'static str> {
    default_features().iter().map(|id| id.feature().column).chain(["Label"]).collect()
}

pub(crate) fn csv(header: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let mut text = header.join(",") + "\n";
    for row in rows {
        writeln!(text, "{}", row.join(",")).expect("written");
    }
    text.into_bytes()
}

/// As `extract --format jsonl` writes: schema keys, `null` for what is no number.
pub(crate) fn json_lines(rows: &[Vec<String>]) -> Vec<u8> {
    let mut text = String::new();
    for row in rows {
        let features = default_features();
        let mut members: Vec<String> = features.iter().zip(row).map(|(id, cell)| member(*id, cell)).collect();
        members.push(format!("\"label\":{}", row[features.len()]));
        writeln!(text, "{{\"flow_key\":\"x\",{}}}", members.join(",")).expect("written");
    }
    text.into_bytes()
}

fn member(id: FeatureId, cell: &str) -> String {
    let value = if cell == "NaN" { "null" } else { cell };
    format!("\"{}\":{value}", id.feature().key)
}

pub(crate) fn parquet(path: &PathBuf, header: &[&str], rows: &[Vec<String>], codec: Codec) {
    let (label, features) = header.split_last().expect("columns");
    // Columns that nobody asks for stand between, in an order of their own.
    let fields: String = features.iter().rev().map(|name| format!("optional double {};", safe(name))).collect();
    let schema = format!("message flows {{ required binary who (UTF8); {fields} required binary {label} (UTF8); }}");
    // The schema language has no names with blanks: they are put in afterwards.
    let schema = Arc::new(parse_message_type(&schema).expect("a schema"));
    let named = renamed(&schema, features);
    let properties = WriterProperties::builder().set_compression(codec).set_max_row_group_row_count(Some(100)).build();
    let mut writer =
        SerializedFileWriter::new(File::create(path).expect("made"), named, Arc::new(properties)).expect("a writer");
    for part in rows.chunks(100) {
        let mut group = writer.next_row_group().expect("a group");
        let mut at = 0;
        while let Some(mut column) = group.next_column().expect("a column") {
            let width = features.len();
            if at == 0 || at == width + 1 {
                let text = |row: &Vec<String>| ByteArray::from(row[width].as_str());
                let values: Vec<ByteArray> = part.iter().map(text).collect();
                column.typed::<ByteArrayType>().write_batch(&values, None, None).expect("written");
            } else {
                let cells = part.iter().map(|row| row[width - at].as_str());
                let levels: Vec<i16> = cells.clone().map(|cell| i16::from(cell != "NaN")).collect();
                let values: Vec<f64> =
                    cells.filter(|cell| *cell != "NaN").map(|cell| cell.parse().expect("a number")).collect();
                column.typed::<DoubleType>().write_batch(&values, Some(&levels), None).expect("written");
            }
            column.close().expect("closed");
            at += 1;
        }
        group.close().expect("closed");
    }
    writer.close().expect("closed");
}

fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn renamed(schema: &parquet::schema::types::Type, features: &[&str]) -> Arc<parquet::schema::types::Type> {
    use parquet::basic::{Repetition, Type as Physical};
    use parquet::schema::types::Type;
    let fields = schema.get_fields().iter().map(|field| {
        let name = features.iter().find(|name| safe(name) == field.name());
        name.map_or_else(
            || Arc::clone(field),
            |name| {
                let field = Type::primitive_type_builder(name, Physical::DOUBLE).with_repetition(Repetition::OPTIONAL);
                Arc::new(field.build().expect("a field"))
            },
        )
    });
    Arc::new(Type::group_type_builder("flows").with_fields(fields.collect()).build().expect("a schema"))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).expect("packs");
    packer.finish().expect("packs")
}

pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        writer.start_file(*name, SimpleFileOptions::default()).expect("a member");
        writer.write_all(bytes).expect("packs");
    }
    writer.finish().expect("packs").into_inner()
}
