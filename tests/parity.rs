//! `extract --profile cic` equals the reference meter on every column of every flow.

mod util;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use util::flow_csv::{FlowCsv, differences};
use util::skip::skipped;

const ORACLE: &str = ".oracle-ds.csv.gz";

#[test]
fn rule_scenarios_and_random_streams_equal_the_reference() {
    assert!(check_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")) >= 47);
}

#[test]
fn real_captures_equal_the_reference() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures");
    if !folder.is_dir() {
        return skipped(&format!("needs the real captures in {}", folder.display()));
    }
    assert!(check_folder(&folder) >= 78);
}

#[test]
fn a_changed_cell_is_found() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let capture = golden.join("s01_normal_close.pcap");
    let (ours, reference) = (extract(&capture), FlowCsv::read(&oracle_of(&capture)));
    assert_eq!(differences(&FlowCsv::parse(&ours), &reference), Vec::<String>::new());
    let text = String::from_utf8(ours).expect("UTF-8");
    let changed = text.replacen(",90000,6,4,", ",90001,6,4,", 1);
    assert_ne!(changed, text);
    assert_eq!(differences(&FlowCsv::parse(changed.as_bytes()), &reference).len(), 1);
}

/// Compares every capture of a folder that has an oracle beside it; how many there were.
fn check_folder(folder: &Path) -> usize {
    let mut captures: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a readable folder")
        .filter_map(|entry| entry.expect("a folder entry").path().to_str()?.strip_suffix(ORACLE).map(PathBuf::from))
        .collect();
    captures.sort();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let failures: Vec<String> = thread::scope(|scope| {
        let share = captures.len().div_ceil(workers).max(1);
        let checks: Vec<_> = captures
            .chunks(share)
            .map(|captures| {
                scope.spawn(move || captures.iter().filter_map(|capture| check(capture)).collect::<Vec<_>>())
            })
            .collect();
        checks.into_iter().flat_map(|check| check.join().expect("a check that ends")).collect()
    });
    assert!(failures.is_empty(), "{} captures differ:\n{}", failures.len(), failures.join("\n"));
    captures.len()
}

/// What differs, if anything does.
fn check(capture: &Path) -> Option<String> {
    let phantoms = PathBuf::from(format!("{}.phantom-dataset.txt", capture.display()));
    let phantoms: HashSet<String> = std::fs::read_to_string(phantoms)
        .map(|text| text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
        .unwrap_or_default();
    let reference = FlowCsv::read(&oracle_of(capture)).without(&phantoms);
    let ours = FlowCsv::parse(&extract(capture)).without(&phantoms);
    let found = differences(&ours, &reference);
    let first: Vec<&str> = found.iter().take(5).map(String::as_str).collect();
    let counts = (ours.len(), reference.len());
    (!found.is_empty()).then(|| {
        format!("{}: {} differences, flows {counts:?}:\n  {}", capture.display(), found.len(), first.join("\n  "))
    })
}

fn oracle_of(capture: &Path) -> PathBuf {
    PathBuf::from(format!("{}{ORACLE}", capture.display()))
}

fn extract(capture: &Path) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
        .args(["extract", "--profile", "cic", "--format", "csv"])
        .arg(capture)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}: {}", capture.display(), String::from_utf8_lossy(&output.stderr));
    output.stdout
}
