//! The lake from outside: every judged flow is in a whole file of its hour, once, or is counted as lost, whatever happens to the daemon or the disk.

#[path = "util/daemon.rs"]
mod daemon;
#[path = "util/program.rs"]
mod program;
mod util;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use daemon::Daemon;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use program::{succeed, text};
use serde_json::Value;
use tempfile::TempDir;
use util::netns::{VethPair, until};
use util::traffic::{Pace, Traffic};

/// Calls of clients, all of them over when they have been sent.
fn calls(first: u16, count: u16) -> Traffic {
    let mut t = Traffic::new(u64::from(first) + 1);
    for n in first..first + count {
        let client = format!("10.244.1.{}:{}", n % 200 + 2, 30_000 + n);
        t.tcp(client.as_str(), "10.96.0.20:80")
            .at(f64::from(n - first) * 0.001)
            .pace(Pace::NODE)
            .request(120)
            .response(900)
            .close();
    }
    t
}

struct Bed {
    bed: VethPair,
    folder: TempDir,
}

impl Bed {
    fn new(label: &str) -> Option<Self> {
        Some(Self { bed: VethPair::new(label)?, folder: TempDir::new().expect("a folder") })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, lake: &Path, roll: &str, more: &[&str]) -> Daemon {
        let config = self.path("config.yaml");
        let lake = lake.display();
        fs::write(&config, format!("lake: {{path: {lake}, name: n1, roll_interval: {roll}}}\n")).expect("a file");
        let config = config.to_string_lossy().into_owned();
        Daemon::start(&self.bed.right, &[&["--config", &config], more].concat())
    }

    fn send(&self, traffic: &Traffic) {
        let path = self.path("sent.pcap");
        traffic.write_pcap(&path);
        self.bed.left.replay_file(&path, 20_000);
    }

    fn metric(&self, daemon: &Daemon, name: &str) -> f64 {
        daemon.metric(&self.bed.right, name)
    }
}

/// All files of a lake, hidden ones apart.
fn files(lake: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut found = Vec::new();
    for date in fs::read_dir(lake).into_iter().flatten().flatten() {
        for hour in fs::read_dir(date.path()).into_iter().flatten().flatten() {
            found.extend(fs::read_dir(hour.path()).expect("a partition").flatten().map(|entry| entry.path()));
        }
    }
    found.sort();
    found.into_iter().partition(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
}

fn rows(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("a whole Parquet file");
    reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect()
}

/// A column of a row, as text; numbers as they print.
fn cell(row: &Row, column: &str) -> String {
    let (_, field) = row.get_column_iter().find(|(name, _)| *name == column).expect("a column");
    match field {
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What tells a flow from all others here.
fn key(row: &Row) -> (String, String) {
    (cell(row, "Src IP"), cell(row, "Src Port"))
}

#[test]
fn every_judged_flow_is_in_a_file_of_its_hour_with_its_features_and_verdict() {
    let Some(bed) = Bed::new("lake") else { return };
    let (lake, log, summary) = (bed.path("lake"), bed.path("flows.jsonl"), bed.path("summary.json"));
    let more = ["--flows", &log.to_string_lossy(), "--summary", &summary.to_string_lossy()].map(str::to_owned);
    let daemon = bed.start(&lake, "1h", &more.each_ref().map(String::as_str));
    bed.send(&calls(0, 900));
    until("all flows have ended", || bed.metric(&daemon, "flowshrike_flows_ended_total") >= 900.0);
    assert_eq!(bed.metric(&daemon, "flowshrike_lake_flows_written_total"), 0.0, "a file is not whole before its time");
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
    let (whole, unfinished) = files(&lake);
    assert!(unfinished.is_empty() && !whole.is_empty(), "{whole:?} {unfinished:?}");
    let summary: Value = serde_json::from_slice(&fs::read(&summary).expect("a summary")).expect("JSON");
    assert_eq!(summary["lake"]["files"].as_u64(), Some(whole.len() as u64), "{summary}");

    let mut logged = BTreeMap::new();
    for line in fs::read_to_string(&log).expect("a log").lines() {
        let flow: Value = serde_json::from_str(line).expect("JSON");
        let key = (flow["src_ip"].as_str().expect("an address").to_owned(), flow["src_port"].to_string());
        logged.insert(key, flow);
    }
    assert_eq!(summary["lake"]["written"].as_u64(), Some(logged.len() as u64));
    for path in &whole {
        let partition = path.parent().expect("a partition").strip_prefix(&lake).expect("it is in the lake").to_owned();
        assert!(path.file_name().expect("a name").to_string_lossy().starts_with("n1-"), "{path:?}");
        for row in rows(path) {
            let flow = logged.remove(&key(&row)).expect("each flow is there once");
            for (column, name) in
                [("predicted", "label"), ("end_reason", "end_reason"), ("community_id", "community_id")]
            {
                assert_eq!(cell(&row, column), flow[name].as_str().expect("text"), "{column}");
            }
            for (column, name) in [("score", "score"), ("novelty", "novelty"), ("Flow Duration", "flow_duration")] {
                let (there, here) = (cell(&row, column).parse::<f64>(), flow[name].as_f64().expect("a number"));
                assert!((there.expect("a number") - here).abs() <= here.abs() * 1e-5, "{column}: {flow}");
            }
            // `2026-01-15 09:00:22.5 +00:00`, as the reader prints a time.
            let end = cell(&row, "end");
            let of = format!("date={}/hour={}", &end[..10], &end[11..13]);
            assert_eq!(partition, PathBuf::from(of), "{end}");
        }
    }
    assert!(logged.is_empty(), "{} flows are in no file", logged.len());
    // The files are flows as any other: by the same model they get the same verdicts.
    let predicted = succeed(&["predict", &whole[0].to_string_lossy()]);
    for (line, row) in predicted.lines().skip(1).zip(rows(&whole[0])) {
        assert_eq!(line.split(',').next(), Some(cell(&row, "predicted").as_str()));
    }
}

#[test]
fn a_crash_loses_the_open_file_at_most_and_leaves_no_half_one() {
    let Some(bed) = Bed::new("crash") else { return };
    let lake = bed.path("lake");
    let mut daemon = bed.start(&lake, "3s", &[]);
    bed.send(&calls(0, 300));
    daemon.until("a file is whole", |daemon| bed.metric(daemon, "flowshrike_lake_flows_written_total") == 300.0);
    bed.send(&calls(400, 300));
    daemon.until("another one is begun", |_| !files(&lake).1.is_empty());
    daemon.signal("KILL");
    drop(daemon);
    let (whole, left) = files(&lake);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(whole.iter().map(|path| rows(path).len()).sum::<usize>() >= 300);
    // The next one clears it away, says so, and goes on beside the whole ones.
    let daemon = bed.start(&lake, "1h", &[]);
    assert!(daemon.log().contains("files that were not finished"), "{}", daemon.log());
    assert!(files(&lake).1.is_empty());
    bed.send(&calls(800, 100));
    until("its flows have ended", || bed.metric(&daemon, "flowshrike_flows_ended_total") >= 100.0);
    assert!(daemon.stop("TERM").status.success());
    let (all, _) = files(&lake);
    assert_eq!(all.len(), whole.len() + 1);
    let mut keys: Vec<_> = all.iter().flat_map(|path| rows(path)).map(|row| key(&row)).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert!(keys.len() == count && count >= 400, "{count} rows, {} of them different", keys.len());
}

#[test]
fn a_full_disk_costs_flows_of_the_lake_and_nothing_else() {
    let Some(bed) = Bed::new("full") else { return };
    let (lake, summary) = (bed.path("disk"), bed.path("summary.json"));
    fs::create_dir(&lake).expect("a folder");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&lake).output();
    if !mounted.as_ref().is_ok_and(|output| output.status.success()) {
        util::skip::skipped(&format!("needs a small disk: {mounted:?}"));
        return;
    }
    let _unmount = Unmount(&lake);
    let more = ["--summary", &summary.to_string_lossy()].map(str::to_owned);
    let mut daemon = bed.start(&lake, "1s", &more.each_ref().map(String::as_str));
    bed.send(&calls(0, 3_000));
    daemon.until("flows are lost", |daemon| {
        bed.metric(daemon, "flowshrike_lake_flows_lost_total{reason=\"io\"}") >= 1.0
            && bed.metric(daemon, "flowshrike_flows_ended_total") >= 3_000.0
    });
    let ended = daemon.stop("TERM");
    assert!(ended.status.success() && ended.log.contains("flows are lost to the lake"), "{}", ended.log);
    let summary: Value = serde_json::from_slice(&fs::read(&summary).expect("a summary")).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a count");
    let (written, lost) = (number(&summary["lake"]["written"]), number(&summary["lake"]["lost"]["io"]));
    let classified: u64 = summary["flows"]["classified"].as_object().expect("labels").values().map(number).sum();
    assert_eq!(written + lost, classified, "{summary}");
    assert_eq!(files(&lake).0.iter().map(|path| rows(path).len() as u64).sum::<u64>(), written);
}

/// Gives the small disk back, also where the test fails.
struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

#[test]
fn what_is_no_folder_is_refused_before_anything_is_captured() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    for (path, words) in [
        (file.to_string_lossy().into_owned(), "it must be a folder that this user can write in"),
        ("s3://bucket/lake".to_owned(), "is no folder of this machine"),
    ] {
        let config = folder.path().join("config.yaml");
        fs::write(&config, format!("lake: {{path: '{path}'}}\n")).expect("a file");
        let output = Command::new(env!("CARGO_BIN_EXE_flowshrike")).args(["run", "--config"]).arg(&config).output();
        let output = output.expect("the program runs");
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{said}");
    }
}
