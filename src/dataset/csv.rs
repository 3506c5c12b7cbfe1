//! Labelled flows from CSV with CICFlowMeter column names, plain or gzip, a row at a time.
//!
//! Columns are found by name. Labels and captures may stand in a second CSV with the same row order, which then wins
//! over the columns of the first. Every error says the file, and the line and column where there is one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use csv::{Reader, ReaderBuilder, StringRecord};
use flate2::bufread::MultiGzDecoder;

use super::Dataset;
use crate::features::FeatureId;

/// What to read.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// CSV files of flows, one after the other.
    pub data: &'a [PathBuf],
    /// A CSV of labels with one row for each flow of all files of `data`, in their order.
    pub labels: Option<&'a Path>,
    /// The label column; without one, `LabelFlow` if there is one, else `Label`.
    pub label_column: Option<&'a str>,
    /// The columns to keep, in order.
    pub features: &'a [FeatureId],
}

/// What can be wrong with files of labelled flows.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file cannot be opened or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not CSV: a row of another length, text that is not UTF-8, a stream that does not unpack.
    #[error("{}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: csv::Error,
    },
    /// A row has more or fewer cells than the header.
    #[error("{}: line {line}: {found} cells, where the header has {expected}", path.display())]
    RowLength {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Cells in the row.
        found: u64,
        /// Cells in the header.
        expected: u64,
    },
    /// Feature columns are not there.
    #[error("{}: no column {}: these are needed, by CICFlowMeter's names", path.display(), columns.join(", "))]
    Missing {
        /// The file.
        path: PathBuf,
        /// The columns, quoted.
        columns: Vec<String>,
    },
    /// A column that is needed is there more than once.
    #[error("{}: column `{column}` is there {times} times: rename or remove all but one", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// How often.
        times: usize,
    },
    /// No column with labels.
    #[error("{}: no label column ({wanted}): name it with --label-column, or give labels with --labels", path.display())]
    NoLabels {
        /// The file that was searched.
        path: PathBuf,
        /// The names that were looked for.
        wanted: String,
    },
    /// A cell that is no number.
    #[error("{}: line {line}, column `{column}`: `{cell}` is not a number", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What stands there, shortened.
        cell: String,
    },
    /// An empty label.
    #[error("{}: line {line}, column `{column}`: empty label", path.display())]
    EmptyLabel {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// The column.
        column: String,
    },
    /// Flows and labels do not pair up.
    #[error("{} has {labels} rows of labels and the data {flows} flows: they are joined row by row", path.display())]
    Unpaired {
        /// The labels' file.
        path: PathBuf,
        /// Its rows.
        labels: u64,
        /// The data's rows.
        flows: u64,
    },
    /// A header and nothing below it.
    #[error("{}: no flows in it", path.display())]
    Empty {
        /// The first file.
        path: PathBuf,
    },
}

/// Reads all flows that a query asks for.
///
/// # Errors
/// At the first thing that cannot be read as asked; nothing is skipped.
pub fn read(query: &Query<'_>) -> Result<Dataset, DatasetError> {
    let mut dataset = Dataset::new(query.features.to_vec());
    let mut labels = query.labels.map(Table::open).transpose()?;
    let side = labels.as_ref().map(|table| Annotations::find(table, query.label_column)).transpose()?;
    let mut values = Vec::with_capacity(query.features.len());
    let mut flows = 0_u64;
    for path in query.data {
        let mut table = Table::open(path)?;
        let columns = table.feature_columns(query.features)?;
        let own = Annotations::find(&table, query.label_column)?;
        let side_label = side.as_ref().and_then(|side| side.label);
        if side_label.or(own.label).is_none() {
            return Err(DatasetError::NoLabels { path: path.clone(), wanted: wanted(query.label_column) });
        }
        while table.next()? {
            flows += 1;
            if let Some(labels) = &mut labels
                && !labels.next()?
            {
                let more = table.count_rest()?;
                return Err(DatasetError::Unpaired {
                    path: labels.path.clone(),
                    labels: flows - 1,
                    flows: flows + more,
                });
            }
            table.numbers(&columns, &mut values)?;
            let from_side = labels.as_ref().zip(side.as_ref());
            let label = match from_side.and_then(|(table, side)| Some((table, side.label?))) {
                Some((labels, column)) => labels.label(column)?,
                None => table.label(own.label.unwrap_or(usize::MAX))?,
            };
            let scenario = from_side
                .and_then(|(labels, side)| labels.cell(side.scenario?))
                .or_else(|| table.cell(own.scenario?))
                .unwrap_or(&table.stem);
            dataset.push(&values, label, scenario);
        }
    }
    if let Some(mut labels) = labels {
        let more = labels.count_rest()?;
        if more > 0 {
            return Err(DatasetError::Unpaired { path: labels.path, labels: flows + more, flows });
        }
    }
    match query.data.first() {
        Some(path) if dataset.is_empty() => Err(DatasetError::Empty { path: path.clone() }),
        _ => Ok(dataset),
    }
}

/// Where labels and captures stand in a file.
struct Annotations {
    label: Option<usize>,
    scenario: Option<usize>,
}

impl Annotations {
    fn find(table: &Table, asked: Option<&str>) -> Result<Self, DatasetError> {
        let label = match asked {
            Some(name) => table.column(name)?,
            None => match table.column(PREFERRED_LABEL)? {
                Some(column) => Some(column),
                None => table.column(LABEL)?,
            },
        };
        Ok(Self { label, scenario: table.column(SCENARIO)? })
    }
}

/// One CSV file: its header, and the row that stands under the reader.
struct Table {
    path: PathBuf,
    /// The file's name without folders and extensions: the capture of flows that name none.
    stem: String,
    reader: Reader<Box<dyn Read>>,
    header: Vec<String>,
    row: StringRecord,
}

impl Table {
    fn open(path: &Path) -> Result<Self, DatasetError> {
        let io = |source| DatasetError::Io { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let packed = file.fill_buf().map_err(io)?.starts_with(&GZIP);
        let stream: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
        let mut reader = ReaderBuilder::new().from_reader(stream);
        let header = reader.headers().map_err(|error| row_error(path, error))?;
        let name = |cell: &str| cell.trim_start_matches('\u{feff}').trim().to_owned();
        let header = header.iter().map(name).collect();
        let stem = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let stem = stem.split('.').next().unwrap_or_default().to_owned();
        Ok(Self { path: path.to_owned(), stem, reader, header, row: StringRecord::new() })
    }

    /// Reads the next row; `false` at the end.
    fn next(&mut self) -> Result<bool, DatasetError> {
        self.reader.read_record(&mut self.row).map_err(|error| row_error(&self.path, error))
    }

    /// Reads to the end and says how many rows there were.
    fn count_rest(&mut self) -> Result<u64, DatasetError> {
        let mut count = 0;
        while self.next()? {
            count += 1;
        }
        Ok(count)
    }

    /// Where a column stands, by name without regard to case.
    fn column(&self, name: &str) -> Result<Option<usize>, DatasetError> {
        self.single(name, |held| held.eq_ignore_ascii_case(name))
    }

    /// Where the features stand; all that are missing are named at once.
    fn feature_columns(&self, features: &[FeatureId]) -> Result<Vec<usize>, DatasetError> {
        let (mut found, mut missing) = (Vec::with_capacity(features.len()), Vec::new());
        for &feature in features {
            let column = feature.feature().column;
            match self.single(column, |held| FeatureId::named(held) == Some(feature))? {
                Some(position) => found.push(position),
                None => missing.push(format!("`{column}`")),
            }
        }
        if missing.is_empty() {
            Ok(found)
        } else {
            Err(DatasetError::Missing { path: self.path.clone(), columns: missing })
        }
    }

    fn single(&self, name: &str, is_it: impl Fn(&str) -> bool) -> Result<Option<usize>, DatasetError> {
        let mut positions = self.header.iter().enumerate().filter(|(_, held)| is_it(held)).map(|(at, _)| at);
        let first = positions.next();
        match positions.count() {
            0 => Ok(first),
            more => Err(DatasetError::Duplicate { path: self.path.clone(), column: name.to_owned(), times: more + 1 }),
        }
    }

    fn numbers(&self, columns: &[usize], values: &mut Vec<f64>) -> Result<(), DatasetError> {
        values.clear();
        for &column in columns {
            let cell = self.cell(column).unwrap_or_default();
            let value = cell.parse::<f64>().map_err(|_| DatasetError::Cell {
                path: self.path.clone(),
                line: self.line(),
                column: self.header.get(column).cloned().unwrap_or_default(),
                cell: cell.chars().take(SHOWN).collect(),
            })?;
            values.push(value);
        }
        Ok(())
    }

    fn label(&self, column: usize) -> Result<&str, DatasetError> {
        self.cell(column).filter(|label| !label.is_empty()).ok_or_else(|| DatasetError::EmptyLabel {
            path: self.path.clone(),
            line: self.line(),
            column: self.header.get(column).cloned().unwrap_or_default(),
        })
    }

    fn cell(&self, column: usize) -> Option<&str> {
        self.row.get(column).map(str::trim)
    }

    fn line(&self) -> u64 {
        self.row.position().map_or(0, csv::Position::line)
    }
}

/// The label columns that a query looks for, for people.
fn wanted(asked: Option<&str>) -> String {
    asked.map_or_else(|| format!("`{PREFERRED_LABEL}` or `{LABEL}`"), |name| format!("`{name}`"))
}

/// A reader's error with the file in front; a row of the wrong length in our own words.
fn row_error(path: &Path, error: csv::Error) -> DatasetError {
    let path = path.to_owned();
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => DatasetError::RowLength {
            path,
            line: pos.as_ref().map_or(0, csv::Position::line),
            found: *len,
            expected: *expected_len,
        },
        _ => DatasetError::Csv { path, source: error },
    }
}

/// First bytes of a gzip stream.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Labels flow by flow are better than labels by capture.
const PREFERRED_LABEL: &str = "LabelFlow";
/// The reference's own label column.
const LABEL: &str = crate::features::schema::LABEL_COLUMN;
/// The capture that a flow came from.
const SCENARIO: &str = "Scenario";
/// Characters of a bad cell that an error repeats.
const SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn features() -> Vec<FeatureId> {
        ["Flow Bytes/s", "FIN Flag Count"].into_iter().filter_map(FeatureId::named).collect()
    }

    /// Writes files into a folder of their own and reads them.
    fn read_files(data: &[&str], labels: Option<&str>, column: Option<&str>) -> Result<Dataset, DatasetError> {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let data: Vec<_> = (0..).zip(data).map(|(n, text)| write(&format!("part{n}.csv"), text)).collect();
        let labels = labels.map(|text| write("labels.csv", text));
        read(&Query { data: &data, labels: labels.as_deref(), label_column: column, features: &features() })
    }

    const HEADER: &str = "Flow ID,fin flag count,Flow Bytes/s,Label\n";

    fn message(data: &str, labels: Option<&str>, column: Option<&str>) -> String {
        read_files(&[data], labels, column).expect_err("bad input").to_string()
    }

    #[test]
    fn columns_are_found_by_name_and_numbers_are_read_as_the_reference_prints_them() {
        let text = format!("{HEADER}a,0,Infinity,0\nb,1,NaN,2\nc, 2 ,1.2E7,0\nd,3,-Infinity,2\n");
        let data = read_files(&[&text], None, None).expect("reads");
        assert_eq!(data.row(0), [f64::INFINITY, 0.0]);
        assert!(data.row(1)[0].is_nan());
        assert_eq!((data.row(2), data.row(3)), (&[1.2e7, 2.0][..], &[f64::NEG_INFINITY, 3.0][..]));
        assert_eq!(data.labels().distinct(), ["0", "2"]);
        assert_eq!(data.scenarios().distinct(), ["part0"]);
    }

    #[test]
    fn gzip_reads_like_plain_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("{HEADER}a,0,5,0\n");
        let path = folder.path().join("capture.csv.gz");
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(text.as_bytes()).expect("packs");
        let packed = packer.finish().expect("packs");
        let query = |path: &PathBuf| {
            read(&Query { data: std::slice::from_ref(path), labels: None, label_column: None, features: &features() })
        };
        std::fs::write(&path, &packed).expect("written");
        let data = query(&path).expect("reads");
        assert_eq!((data.len(), data.scenarios().get(0)), (1, "capture"));
        std::fs::write(&path, &packed[..packed.len() - 4]).expect("written");
        assert!(query(&path).is_err(), "a cut stream is an error, not a short data set");
    }

    #[test]
    fn labels_of_the_second_file_win_and_join_across_files() {
        let (one, two) = (format!("{HEADER}a,0,5,9\n"), format!("{HEADER}b,1,6,9\n"));
        let labels = "Scenario,Label,LabelFlow\nx,7,1\ny,8,2\n";
        let data = read_files(&[&one, &two], Some(labels), None).expect("reads");
        assert_eq!(data.labels().distinct(), ["1", "2"]);
        assert_eq!(data.scenarios().distinct(), ["x", "y"]);
        let data = read_files(&[&one, &two], Some(labels), Some("label")).expect("reads");
        assert_eq!(data.labels().distinct(), ["7", "8"]);
        let data = read_files(&[&one], Some("Scenario\nx\n"), None).expect("reads");
        assert_eq!((data.labels().get(0), data.scenarios().get(0)), ("9", "x"), "labels of the data still count");
    }

    #[test]
    fn files_that_do_not_pair_up_are_refused_with_both_counts() {
        let text = format!("{HEADER}a,0,5,9\nb,1,6,9\nc,1,6,9\n");
        let short = message(&text, Some("Label\n1\n"), None);
        assert!(short.contains("1 rows of labels") && short.contains("3 flows"), "{short}");
        let long = message(&text, Some("Label\n1\n1\n1\n1\n1\n"), None);
        assert!(long.contains("5 rows of labels") && long.contains("3 flows"), "{long}");
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let bad = format!("{HEADER}a,0,5,0\nb,1,oops,0\n");
        for (text, words) in [
            (bad.as_str(), "part0.csv: line 3, column `Flow Bytes/s`: `oops` is not a number"),
            (&format!("{HEADER}a,,5,0\n"), "line 2, column `fin flag count`: `` is not a number"),
            (&format!("{HEADER}a,0,5,0\nb,1\n"), "line 3: 2 cells, where the header has 4"),
            (&format!("{HEADER}a,0,5, \n"), "line 2, column `Label`: empty label"),
            ("Flow ID,Label\na,0\n", "no column `Flow Bytes/s`, `FIN Flag Count`"),
            ("FIN Flag Count,Flow Bytes/s,fin_flag_count,Label\n1,1,1,0\n", "`FIN Flag Count` is there 2 times"),
            ("FIN Flag Count,Flow Bytes/s\n1,1\n", "no label column (`LabelFlow` or `Label`)"),
            (HEADER, "no flows in it"),
            ("", "no column"),
        ] {
            let message = message(text, None, None);
            assert!(message.contains(words), "`{message}` does not say `{words}`");
        }
        assert!(message(&bad, None, Some("Class")).contains("no label column (`Class`)"));
    }

    #[test]
    fn a_duplicate_column_that_nobody_needs_is_no_error() {
        let text = "X,X,FIN Flag Count,Flow Bytes/s,Label\n1,1,1,2,0\n";
        assert_eq!(read_files(&[text], None, None).expect("reads").row(0), [2.0, 1.0]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let path = PathBuf::from("/nonexistent/flows.csv");
        let query = Query { data: std::slice::from_ref(&path), labels: None, label_column: None, features: &[] };
        assert!(read(&query).expect_err("no file").to_string().starts_with("/nonexistent/flows.csv: "));
    }
}
