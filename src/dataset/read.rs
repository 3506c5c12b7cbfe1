//! Reads labelled flows from files of any format into a [`Dataset`], a row at a time.
//!
//! Labels and captures may stand in a second file with the same row order, which then wins over the columns of the
//! first. A row that cannot be read in either is left out of both.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::columns::{Columns, Named, wanted};
use super::container::{Part, parts};
use super::error::{BadRow, DatasetError};
use super::flow_identity::IdentityColumns;
use super::ruled::Ruled;
use super::rules::Rules;
use super::skipped::OnBadRow;
use super::table::Opened;
use super::{CaptureSpan, Dataset, aliases};
use crate::features::FeatureId;
use crate::time::Micros;

/// What to read.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Files of flows, one after the other.
    pub data: &'a [PathBuf],
    /// A file of labels with one row for each flow of all files of `data`, in their order; or of the first ones, if those that follow have labels
    /// of their own.
    pub labels: Option<&'a Path>,
    /// The label column; without one, `LabelFlow` if there is one, else `Label`.
    pub label_column: Option<&'a str>,
    /// A column of texts to read besides, of `labels` if it is there, else of `data`: flows with the same text belong together.
    pub group_column: Option<&'a str>,
    /// The columns to keep, in order.
    pub features: &'a [FeatureId],
    /// Rules that label the flows, in place of a column; `labels` and `label_column` then have no part in it. Flows that have no label
    /// in the end are left out, and a note says how many.
    pub rules: Option<&'a Rules>,
    /// Whether to keep who talked to whom and when, where files say so.
    pub identities: bool,
    /// Whether to measure the time that the captures cover.
    pub span: bool,
    /// What to do with a row that cannot be read.
    pub on_bad_row: OnBadRow,
}

/// Reads all flows that a query asks for.
///
/// # Errors
/// At the first thing that cannot be read as asked, but for rows that the query lets be skipped.
pub fn read(query: &Query<'_>) -> Result<Dataset, DatasetError> {
    read_watched(query, || {})
}

/// The same; `on_row` is called after each row, skipped ones included.
///
/// # Errors
/// See [`read`].
pub fn read_watched(query: &Query<'_>, on_row: impl Fn()) -> Result<Dataset, DatasetError> {
    let mut dataset = Dataset::new(query.features.to_vec());
    let named = Named { label: query.label_column.map(str::to_owned), group: query.group_column.map(str::to_owned) };
    let mut labels = query.labels.map(|path| Side::open(path, &named)).transpose()?;
    let mut first: Option<(PathBuf, Vec<FeatureId>)> = None;
    let mut values = Vec::with_capacity(query.features.len());
    let mut ruled = query.rules.map(Ruled::new);
    let reads_labels = ruled.as_ref().is_none_or(Ruled::keeps_labels);
    let mut spans = Spans::default();
    let mut flows = 0_u64;
    for part in all_parts(query.data, &mut dataset.notes)? {
        let mut flow_table = part.open()?;
        let ids = (query.identities || query.span || ruled.is_some()).then(|| IdentityColumns::find(&flow_table));
        if let (Some(ruled), Some(ids)) = (&ruled, &ids) {
            ruled.check(&flow_table, ids)?;
        }
        let more = ids.iter().flat_map(IdentityColumns::positions);
        let columns = Columns::find_beside(&mut flow_table, query.features, &named, more)?;
        if flows > 0
            && columns.label.is_some()
            && let Some(side) = &mut labels
            && side.is_over()?
        {
            dataset.notes.push(format!(
                "{}: labels of its own, {} ends before it",
                part.path.display(),
                side.path.display()
            ));
            labels = None;
        }
        if reads_labels && columns.label.is_none() && labels.as_ref().is_none_or(|side| side.columns.label.is_none()) {
            return Err(DatasetError::NoLabels { path: part.path, wanted: wanted(query.label_column) });
        }
        if let Some(wanted) = query.group_column
            && columns.group.is_none()
            && labels.as_ref().is_none_or(|side| side.columns.group.is_none())
        {
            return Err(no_groups(part.path, wanted, &flow_table, labels.as_ref()));
        }
        if labels.as_ref().is_none_or(|side| side.columns.label.is_none()) && is_flow_log(&flow_table) {
            dataset.notes.push(format!("{}: a flow log, whose labels are a model's verdicts", part.path.display()));
        }
        agree(&mut first, &part.path, &columns)?;
        note_differences(&mut dataset.notes, &part.path, &columns);
        while let Some(flow) = flow_table.step()? {
            flows += 1;
            let side = match &mut labels {
                Some(side) => match side.step()? {
                    Some(row) => Some(row),
                    None => return Err(unpaired(side, flows - 1, flows + count_rest(&mut flow_table)?)),
                },
                None => None,
            };
            let read = flow.and_then(|()| side.unwrap_or(Ok(()))).and_then(|()| {
                columns.numbers(&flow_table, &mut values)?;
                let first = columns.chosen();
                let facts = match (&ruled, &ids) {
                    (Some(ruled), Some(ids)) => Some(ruled.read(&flow_table, ids, first)?),
                    _ => None,
                };
                match &ruled {
                    // An empty cell is a flow without a label, which a rule may give it.
                    Some(_) => {
                        let own = if reads_labels { columns.label(&flow_table).unwrap_or_default() } else { None };
                        push(&mut dataset, &values, own, (&flow_table, &columns), None)?;
                    }
                    None => {
                        let label = label(&flow_table, &columns, labels.as_ref())?;
                        push(&mut dataset, &values, label, (&flow_table, &columns), labels.as_ref())?;
                    }
                }
                if let (Some(ruled), Some(facts)) = (&mut ruled, facts) {
                    ruled.push(facts);
                }
                if let (true, Some(ids)) = (query.span, &ids) {
                    spans.push(dataset.scenarios().ids().last().copied(), ids.times(&flow_table, first));
                }
                if let Some(ids) = ids.as_ref().filter(|_| query.identities) {
                    dataset.identities.push(ids.read(&flow_table, first));
                }
                Ok(())
            });
            if let Err(bad) = read {
                dataset.skipped.take(bad, query.on_bad_row)?;
            }
            on_row();
        }
        if let Some(ruled) = &mut ruled {
            ruled.label_file(&dataset, columns.scenario.is_some());
        }
    }
    dataset.span = query.span.then(|| spans.total());
    if let Some(ruled) = ruled {
        ruled.finish(&mut dataset);
    }
    if let Some(mut side) = labels {
        let more = side.count_rest()?;
        if more > 0 {
            return Err(unpaired(&side, flows + more, flows));
        }
    }
    match query.data.first() {
        Some(path) if dataset.is_empty() && flows > dataset.skipped.rows && query.rules.is_some() => {
            let problem = "the rules give no flow a label, and say no default".to_owned();
            Err(DatasetError::File { path: path.clone(), problem })
        }
        Some(path) if dataset.is_empty() => {
            Err(DatasetError::Empty { path: path.clone(), skipped: dataset.skipped.rows })
        }
        _ => Ok(dataset),
    }
}

/// First and last packet of each capture.
#[derive(Default)]
struct Spans {
    by_capture: HashMap<u32, (Micros, Micros)>,
    untimed: u64,
}

impl Spans {
    fn push(&mut self, capture: Option<u32>, times: Option<(Micros, Micros)>) {
        let Some((capture, (start, end))) = capture.zip(times) else {
            self.untimed += 1;
            return;
        };
        let widened = |(first, last): &mut (Micros, Micros)| (*first, *last) = ((*first).min(start), (*last).max(end));
        self.by_capture.entry(capture).and_modify(widened).or_insert((start, end));
    }

    fn total(&self) -> CaptureSpan {
        let time = self.by_capture.values().fold(Micros::ZERO, |sum, (first, last)| sum + (*last - *first));
        CaptureSpan { time, captures: self.by_capture.len(), untimed: self.untimed }
    }
}

/// The label of the row under the tables: the side's, if it has labels.
fn label<'t>(flow: &'t Opened, columns: &Columns, side: Option<&'t Side>) -> Result<Option<Cow<'t, str>>, BadRow> {
    match side.filter(|side| side.columns.label.is_some()) {
        Some(side) => side.columns.label(&side.table),
        None => columns.label(flow),
    }
}

/// Adds the row under the tables to the data set.
fn push(
    dataset: &mut Dataset,
    values: &[f64],
    label: Option<Cow<'_, str>>,
    (flow, columns): (&Opened, &Columns),
    side: Option<&Side>,
) -> Result<(), BadRow> {
    let from_side = |found: &dyn Fn(&Side) -> bool| side.filter(|side| found(side));
    let scenario = match from_side(&|side| side.columns.scenario.is_some()) {
        Some(side) => side.columns.scenario(&side.table)?,
        None => columns.scenario(flow)?,
    };
    let group = match from_side(&|side| side.columns.group.is_some()) {
        Some(side) => side.columns.group(&side.table)?,
        None => columns.group(flow)?,
    };
    dataset.push(values, &label.unwrap_or_default(), scenario.as_deref().unwrap_or(&flow.stem));
    if let Some(group) = group {
        dataset.put_in_group(&group);
    }
    Ok(())
}

/// The file of labels: its tables one after the other.
struct Side {
    path: PathBuf,
    named: Named,
    rest: std::vec::IntoIter<Part>,
    table: Opened,
    columns: Columns,
    /// A row that was stepped to, but not asked for yet.
    ahead: Option<Result<(), BadRow>>,
}

impl Side {
    fn open(path: &Path, named: &Named) -> Result<Self, DatasetError> {
        let (parts, _) = parts(path)?;
        let mut rest = parts.into_iter();
        let none = || DatasetError::File { path: path.to_owned(), problem: "no table in it".to_owned() };
        let mut table = rest.next().ok_or_else(none)?.open()?;
        let columns = Columns::find(&mut table, &[], named)?;
        Ok(Self { path: path.to_owned(), named: named.clone(), rest, table, columns, ahead: None })
    }

    /// Whether no row follows.
    fn is_over(&mut self) -> Result<bool, DatasetError> {
        self.ahead = self.step()?;
        Ok(self.ahead.is_none())
    }

    fn step(&mut self) -> Result<Option<Result<(), BadRow>>, DatasetError> {
        if let Some(row) = self.ahead.take() {
            return Ok(Some(row));
        }
        loop {
            if let Some(row) = self.table.step()? {
                return Ok(Some(row));
            }
            let Some(next) = self.rest.next() else { return Ok(None) };
            self.table = next.open()?;
            let columns = Columns::find(&mut self.table, &[], &self.named)?;
            if columns.label.is_some() != self.columns.label.is_some() {
                return Err(DatasetError::NoLabels { path: next.path, wanted: wanted(self.named.label.as_deref()) });
            }
            if columns.group.is_some() != self.columns.group.is_some() {
                let wanted = self.named.group.as_deref().unwrap_or_default();
                return Err(no_groups(next.path, wanted, &self.table, None));
            }
            self.columns = columns;
        }
    }

    fn count_rest(&mut self) -> Result<u64, DatasetError> {
        let mut count = 0;
        while self.step()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}

pub(super) fn all_parts(data: &[PathBuf], notes: &mut Vec<String>) -> Result<Vec<Part>, DatasetError> {
    let mut all = Vec::new();
    for path in data {
        let (tables, others) = parts(path)?;
        all.extend(tables);
        notes.extend(others.iter().map(|path| format!("{}: not a table, not read", path.display())));
    }
    Ok(all)
}

/// Refuses files whose meters count a needed column in different ways.
pub(super) fn agree(
    first: &mut Option<(PathBuf, Vec<FeatureId>)>,
    path: &Path,
    columns: &Columns,
) -> Result<(), DatasetError> {
    let differences: Vec<FeatureId> = columns.differences.iter().map(|(feature, _)| *feature).collect();
    match first {
        Some((other, held)) if *held != differences => {
            Err(DatasetError::Mixed { path: path.to_owned(), first: other.clone() })
        }
        Some(_) => Ok(()),
        None => {
            *first = Some((path.to_owned(), differences));
            Ok(())
        }
    }
}

pub(super) fn note_differences(notes: &mut Vec<String>, path: &Path, columns: &Columns) {
    for (feature, how) in &columns.differences {
        notes.push(format!("{}: `{feature}` is {}'s: {how}", path.display(), aliases::OLDER));
    }
}

/// Whether the rows are those of `--flows`: their label is what a model said.
fn is_flow_log(opened: &Opened) -> bool {
    ["score", "novelty", "novel"].iter().all(|name| opened.table.columns().iter().any(|held| held == name))
}

fn count_rest(table: &mut Opened) -> Result<u64, DatasetError> {
    let mut count = 0;
    while table.step()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn no_groups(path: PathBuf, wanted: &str, flows: &Opened, side: Option<&Side>) -> DatasetError {
    let tables = [Some(flows), side.map(|side| &side.table)].into_iter().flatten();
    let columns = tables.flat_map(|opened| opened.table.columns()).map(|name| format!("`{name}`")).collect();
    DatasetError::NoGroups { path, wanted: wanted.to_owned(), columns }
}

fn unpaired(side: &Side, labels: u64, flows: u64) -> DatasetError {
    DatasetError::Unpaired { path: side.path.clone(), labels, flows }
}

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
        read(&Query {
            data: &data,
            labels: labels.as_deref(),
            label_column: column,
            group_column: None,
            rules: None,
            identities: false,
            span: false,
            features: &features(),
            on_bad_row: OnBadRow::Fail,
        })
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
            read(&Query {
                data: std::slice::from_ref(path),
                labels: None,
                label_column: None,
                group_column: None,
                rules: None,
                identities: false,
                span: false,
                features: &features(),
                on_bad_row: OnBadRow::Fail,
            })
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
        let query = Query {
            data: std::slice::from_ref(&path),
            labels: None,
            label_column: None,
            group_column: None,
            rules: None,
            identities: false,
            span: false,
            features: &[],
            on_bad_row: OnBadRow::Fail,
        };
        assert!(read(&query).expect_err("no file").to_string().starts_with("/nonexistent/flows.csv: "));
    }
}
