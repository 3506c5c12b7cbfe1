//! Holds a flow CSV of ours against the reference's: same flows, same values in every column.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

/// The columns that name a flow; several flows may share them.
const KEY: [&str; 6] = ["Src IP", "Src Port", "Dst IP", "Dst Port", "Protocol", "Timestamp"];
/// Written by the reference's users, not by the reference.
const IGNORED: &str = "Label";
/// Relative and absolute tolerance of doubles: the reference sums in doubles, we in integers.
const TOLERANCE: (f64, f64) = (1e-6, 1e-9);

/// A CSV file in memory.
#[derive(Debug)]
pub struct FlowCsv {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl FlowCsv {
    pub fn parse(bytes: &[u8]) -> Self {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        let mut rows =
            reader.records().map(|row| row.expect("a CSV row").iter().map(str::to_owned).collect::<Vec<_>>());
        let header: Vec<String> = rows.next().unwrap_or_default();
        let rows: Vec<Vec<String>> = rows.collect();
        for row in &rows {
            assert_eq!(row.len(), header.len(), "a row of another length than the header");
        }
        Self { header, rows }
    }

    pub fn read(path: &Path) -> Self {
        let mut bytes = Vec::new();
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if path.extension().is_some_and(|extension| extension == "gz") {
            GzDecoder::new(file).read_to_end(&mut bytes).expect("a gzip file");
        } else {
            let mut file = file;
            file.read_to_end(&mut bytes).expect("a readable file");
        }
        Self::parse(&bytes)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Leaves out the flows whose Flow ID is in the set.
    pub fn without(mut self, ids: &HashSet<String>) -> Self {
        let column = self.header.iter().position(|name| name == "Flow ID").expect("a Flow ID column");
        self.rows.retain(|row| !ids.contains(&row[column]));
        self
    }

    fn by_key(&self) -> HashMap<Vec<String>, Vec<&Vec<String>>> {
        let columns: Vec<usize> =
            KEY.iter().map(|key| self.header.iter().position(|name| name == key).expect("a key column")).collect();
        let mut flows: HashMap<_, Vec<_>> = HashMap::new();
        for row in &self.rows {
            let key = columns.iter().map(|&column| timestamp_or_text(&row[column])).collect();
            flows.entry(key).or_default().push(row);
        }
        flows
    }
}

/// Every difference between ours and the reference's, as text; empty when they agree.
pub fn differences(ours: &FlowCsv, reference: &FlowCsv) -> Vec<String> {
    let mut found = Vec::new();
    if ours.header != reference.header {
        found.push(format!("headers differ: {:?} and {:?}", ours.header, reference.header));
        return found;
    }
    let columns: Vec<usize> = (0..ours.header.len()).filter(|&column| ours.header[column] != IGNORED).collect();
    let (mut ours_by_key, reference_by_key) = (ours.by_key(), reference.by_key());
    for (key, theirs) in &reference_by_key {
        let mut candidates = ours_by_key.remove(key).unwrap_or_default();
        for row in theirs {
            // Flows that share a key are paired so that they differ least.
            let differing = |ours: &Vec<String>| -> Vec<usize> {
                columns.iter().copied().filter(|&column| !agree(&ours[column], &row[column])).collect()
            };
            let best = (0..candidates.len()).min_by_key(|&candidate| differing(candidates[candidate]).len());
            let Some(best) = best else {
                found.push(format!("only the reference has {}", key.join(" ")));
                continue;
            };
            let ours_row = candidates.swap_remove(best);
            for column in differing(ours_row) {
                let name = &ours.header[column];
                found.push(format!("{}: {name}: ours {}, reference {}", key.join(" "), ours_row[column], row[column]));
            }
        }
        found.extend(candidates.iter().map(|_| format!("only ours has another {}", key.join(" "))));
    }
    found.extend(ours_by_key.keys().map(|key| format!("only ours has {}", key.join(" "))));
    found
}

fn agree(a: &str, b: &str) -> bool {
    if a == b || timestamp_or_text(a) == timestamp_or_text(b) {
        return true;
    }
    let is_integer = |text: &str| text.parse::<i64>().is_ok();
    if is_integer(a) && is_integer(b) {
        return false;
    }
    match (number(a), number(b)) {
        (Some(x), Some(y)) if x.is_nan() || y.is_nan() => x.is_nan() && y.is_nan(),
        (Some(x), Some(y)) if x.is_infinite() || y.is_infinite() => x == y,
        (Some(x), Some(y)) => {
            let difference = (x - y).abs();
            difference <= TOLERANCE.1 || difference <= TOLERANCE.0 * x.abs().max(y.abs())
        }
        _ => false,
    }
}

fn number(text: &str) -> Option<f64> {
    match text {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        text => text.parse().ok(),
    }
}

/// A time stamp with six digits of fraction; any other text as it is.
fn timestamp_or_text(text: &str) -> String {
    let is_timestamp = text.len() >= 19 && text.as_bytes()[4] == b'-' && text.as_bytes()[13] == b':';
    if !is_timestamp {
        return text.to_owned();
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{seconds}.{fraction:0<6}")
}
