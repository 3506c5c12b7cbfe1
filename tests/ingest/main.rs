//! Labelled flows from outside: the built program on the same rows in every format, on damaged files, and on rows that
//! cannot be read.

#[path = "../util/program.rs"]
mod program;

mod formats;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Output;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowshrike::dataset::{self, Dataset, DatasetError, OnBadRow, Query};
use flowshrike::model::Model;
use flowshrike::train::default_features;
use formats::{csv, gzip, header, json_lines, parquet, rows, zip};
use parquet::basic::Compression as Codec;
use parquet::basic::ZstdLevel;
use program::flowshrike;
use serde_json::{Value, json};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.0.path().join(name), bytes).expect("written");
        self.path(name)
    }

    /// Trains on files and gives what the program did.
    fn train(&self, data: &[&str], more: &[&str]) -> Output {
        let output = self.path("model.fsm");
        flowshrike(&[&["train", "--output", &output, "--data"], data, more].concat())
    }

    fn model(&self, data: &[&str], more: &[&str]) -> Vec<u8> {
        let output = self.train(data, more);
        assert!(output.status.success(), "{data:?}: {}", String::from_utf8_lossy(&output.stderr));
        let path = self.path("model.fsm");
        let bytes = fs::read(&path).expect("a model");
        fs::remove_file(path).expect("removed");
        bytes
    }

    /// Trains on files that must be refused, and gives what is said.
    fn refusal(&self, data: &[&str], more: &[&str]) -> String {
        let output = self.train(data, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{data:?}: {said}");
        assert!(output.stdout.is_empty() && !said.contains("panicked"), "{said}");
        assert!(!fs::exists(self.path("model.fsm")).expect("the folder"), "no model");
        said
    }
}

#[test]
fn the_same_rows_give_the_same_model_from_every_format() {
    let (folder, rows) = (Folder::new(), rows());
    let plain = csv(&header(), &rows);
    let lines = json_lines(&rows);
    // A name without an extension, or with a wrong one: what a file is, its first bytes say.
    let model = folder.model(&[&folder.write("flows.csv", &plain)], &[]);
    let mut marked = "\u{feff}".as_bytes().to_vec();
    marked.extend_from_slice(&plain);
    for (name, bytes) in
        [("flows", gzip(&plain)), ("flows.txt", marked), ("flows.jsonl", lines.clone()), ("flows.csv", gzip(&lines))]
    {
        assert!(folder.model(&[&folder.write(name, &bytes)], &[]) == model, "{name}");
    }
    for (member, bytes) in [("flows.csv", &plain), ("data/flows.jsonl", &lines), ("flows.csv.gz", &gzip(&plain))] {
        let path = folder.write("set.zip", &zip(&[("readme.txt", b"hello, you"), (member, bytes)]));
        assert!(folder.model(&[&path], &[]) == model, "{member} in an archive");
    }
    for codec in
        [Codec::UNCOMPRESSED, Codec::SNAPPY, Codec::ZSTD(ZstdLevel::default()), Codec::GZIP(Default::default())]
    {
        let path = folder.path("flows.parquet");
        parquet(&PathBuf::from(&path), &header(), &rows, codec);
        assert!(folder.model(&[&path], &[]) == model, "{codec:?}");
    }
}

#[test]
fn the_members_of_an_archive_are_read_in_the_order_of_their_names_and_others_are_told() {
    let (folder, rows) = (Folder::new(), rows());
    let (first, second) = rows.split_at(100);
    let (first, second) = (csv(&header(), first), csv(&header(), second));
    let apart = [folder.write("a.csv", &first), folder.write("b.csv", &second)];
    let model = folder.model(&[&apart[0], &apart[1]], &[]);
    let path = folder
        .write("set.zip", &zip(&[("b.csv", &second), ("notes.md", b"x"), ("__MACOSX/a.csv", b"x"), ("a.csv", &first)]));
    let output = folder.train(&[&path], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("set.zip/notes.md: not a table, not read"), "{said}");
    assert!(fs::read(folder.path("model.fsm")).expect("a model") == model);
}

#[test]
fn other_names_of_the_columns_give_the_same_points() {
    let (folder, rows) = (Folder::new(), rows());
    let points = |bytes: &[u8]| {
        Model::from_bytes(bytes).expect("a model").parts().engine.knn().expect("nearest neighbours").points.clone()
    };
    let model = folder.model(&[&folder.write("flows.csv", &csv(&header(), &rows))], &[]);
    let names = |names: &[(&str, &'static str)]| -> Vec<&'static str> {
        let of =
            |column: &'static str| names.iter().find(|(own, _)| *own == column).map_or(column, |(_, other)| *other);
        header().into_iter().map(of).collect()
    };
    let long = names(&[
        ("Total Length of Fwd Packet", " Total Length of Fwd Packets"),
        ("Total Bwd packets", " TOTAL BACKWARD PACKETS"),
    ]);
    let short = names(&[
        ("Fwd Packet Length Std", "Fwd Pkt Len Std"),
        ("Fwd Packet Length Mean", "Fwd Pkt Len Mean"),
        ("Total Length of Fwd Packet", "TotLen Fwd Pkts"),
        ("Bwd Packet Length Max", "Bwd Pkt Len Max"),
        ("Fwd Packets/s", "Fwd Pkts/s"),
        ("FIN Flag Count", "FIN Flag Cnt"),
        ("Total Bwd packets", "Tot Bwd Pkts"),
        ("SYN Flag Count", "SYN Flag Cnt"),
        ("Flow Bytes/s", "Flow Byts/s"),
        ("Fwd Packet Length Max", "Fwd Pkt Len Max"),
    ]);
    for header in [long, short] {
        let path = folder.write("other.csv", &csv(&header, &rows));
        let output = folder.train(&[&path], &["--report", &folder.path("report.json")]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains("`Down/Up Ratio` is the original CICFlowMeter's: a whole number"), "{said}");
        assert!(points(&fs::read(folder.path("model.fsm")).expect("a model")) == points(&model));
        let report: Value =
            serde_json::from_slice(&fs::read(folder.path("report.json")).expect("a report")).expect("JSON");
        assert_eq!(report["notes"].as_array().map(Vec::len), Some(2));
        fs::remove_file(folder.path("model.fsm")).expect("removed");
        let said = folder.refusal(&[&path, &folder.path("flows.csv")], &[]);
        assert!(said.contains("flows.csv is by another version of CICFlowMeter than"), "{said}");
    }
}

#[test]
fn columns_of_the_python_meter_that_mean_something_else_are_refused_with_the_reason() {
    let folder = Folder::new();
    let names = "fwd_pkt_len_std,down_up_ratio,fwd_pkt_len_mean,totlen_fwd_pkts,bwd_pkt_len_max,fwd_pkts_s,fin_flag_cnt,tot_bwd_pkts,\
                 fwd_psh_flags,syn_flag_cnt,flow_iat_min,flow_byts_s,fwd_pkt_len_max,label";
    let said =
        folder.refusal(&[&folder.write("python.csv", &csv(&names.split(',').collect::<Vec<_>>(), &rows()))], &[]);
    assert!(
        said.contains("`fwd_pkt_len_std` is not `Fwd Packet Length Std`: the Python meter counts whole frames"),
        "{said}"
    );
    assert!(said.contains("`flow_iat_min` is not `Flow IAT Min`: seconds in some versions"), "{said}");
    assert!(!said.contains("tot_bwd_pkts"), "{said}");
}

#[test]
fn a_bad_row_names_file_line_and_column_or_is_counted() {
    let folder = Folder::new();
    let text = String::from_utf8(csv(&header(), &rows())).expect("text");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[3] = "1,2,3".to_owned();
    let mut cells: Vec<&str> = lines[5].split(',').collect();
    cells[1] = "one";
    lines[5] = cells.join(",");
    let cut = lines[7].rfind(',').expect("cells");
    lines[7].replace_range(cut.., ",");
    let bad = folder.write("bad.csv", (lines.join("\n") + "\n").as_bytes());
    let said = folder.refusal(&[&bad], &[]);
    assert!(
        said.contains("bad.csv: line 4: 3 cells, where the header has 14") && said.contains("--on-bad-row skip"),
        "{said}"
    );

    let report = folder.path("report.json");
    let skipped = folder.model(&[&bad], &["--on-bad-row", "skip", "--report", &report]);
    let report: Value = serde_json::from_slice(&fs::read(report).expect("a report")).expect("JSON");
    assert_eq!(
        report["skipped_rows"],
        json!({ "rows": 3, "files": { (bad.clone()): 3 }, "first": [
            { "file": bad, "line": 4, "column": null, "problem": "3 cells, where the header has 14" },
            { "file": bad, "line": 6, "column": "Down/Up Ratio", "problem": "`one` is not a number" },
            { "file": bad, "line": 8, "column": "Label", "problem": "empty label" },
        ]})
    );
    for line in [7, 5, 3] {
        lines.remove(line);
    }
    let clean = folder.write("bad.csv", (lines.join("\n") + "\n").as_bytes());
    assert!(folder.model(&[&clean], &[]) == skipped, "as if the rows had never been there");
}

#[test]
fn each_format_tells_where_a_row_is_bad() {
    let folder = Folder::new();
    let text = String::from_utf8(json_lines(&rows())).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let with = |line: usize, text: &str| {
        let mut lines = lines.clone();
        lines[line] = text;
        lines.join("\n")
    };
    let cut = &lines[4][..40];
    let word = lines[4].replacen("\"down_up_ratio\":", "\"down_up_ratio\":\"fast\",\"x\":", 1);
    let missing = lines[4].replacen("down_up_ratio", "x", 1);
    let twice = lines[4].replacen('{', "{\"label\":0,", 1);
    for (text, words) in [
        (with(4, cut), "flows.jsonl: line 5: not a JSON object of one line: EOF"),
        (with(4, "[1]"), "flows.jsonl: line 5: not a JSON object of one line: invalid type: sequence"),
        (with(4, &word), "flows.jsonl: line 5, column `down_up_ratio`: `fast` is not a number"),
        (with(4, &missing), "flows.jsonl: line 5, column `down_up_ratio`: not in this object"),
        (with(4, &twice), "flows.jsonl: line 5, column `label`: there twice"),
        (with(0, "{oops}"), "flows.jsonl: line 1: not a JSON object"),
    ] {
        let path = folder.write("flows.jsonl", text.as_bytes());
        let said = folder.refusal(&[&path], &[]);
        assert!(said.contains(words), "`{said}` does not say `{words}`");
        let packed = folder.write("set.zip", &zip(&[("flows.jsonl", text.as_bytes())]));
        let said = folder.refusal(&[&packed], &[]);
        assert!(said.contains(&format!("set.zip/{words}")), "`{said}` does not say `{words}`");
    }
    // Python's own spelling of what JSON cannot hold.
    let python = lines[4].replacen("\"down_up_ratio\":", "\"down_up_ratio\":NaN,\"x\":", 1);
    folder.model(&[&folder.write("flows.jsonl", with(4, &python).as_bytes())], &[]);

    let mut rows = rows();
    rows[150][13] = String::new();
    let path = folder.path("flows.parquet");
    parquet(&PathBuf::from(&path), &header(), &rows, Codec::SNAPPY);
    let said = folder.refusal(&[&path], &[]);
    assert!(said.contains("flows.parquet: row 151, column `Label`: empty label"), "{said}");
    folder.model(&[&path], &["--on-bad-row", "skip"]);
}

#[test]
fn a_skipped_row_skips_its_label_and_a_bad_label_its_row() {
    let folder = Folder::new();
    let rows = rows();
    let labels: Vec<Vec<String>> = rows.iter().map(|row| vec![row[13].clone()]).collect();
    let flows: Vec<Vec<String>> = rows.iter().map(|row| row[..13].to_vec()).collect();
    let features = &header()[..13];
    let with = |flows: &[Vec<String>], labels: &[Vec<String>], more: &[&str]| {
        let data = folder.write("flows.csv", &csv(features, flows));
        let labels = folder.write("labels.csv", &csv(&["LabelFlow"], labels));
        folder.model(&[&data], &[&["--labels", &labels], more].concat())
    };
    let mut bad_flows = flows.clone();
    bad_flows[9][3] = "?".to_owned();
    bad_flows[30].truncate(5);
    let mut bad_labels = labels.clone();
    bad_labels[20] = vec!["\" \"".to_owned()];
    let skipped = with(&bad_flows, &bad_labels, &["--on-bad-row", "skip"]);
    let but = |rows: &[Vec<String>]| -> Vec<Vec<String>> {
        (0..).zip(rows).filter(|(at, _)| ![9, 20, 30].contains(at)).map(|(_, row)| row.clone()).collect()
    };
    assert!(with(&but(&flows), &but(&labels), &[]) == skipped);

    // Rows still pair up by number, skipped or not.
    let labels = folder.write("labels.csv", &csv(&["LabelFlow"], &labels[..200]));
    let data = folder.write("flows.csv", &csv(features, &bad_flows));
    fs::remove_file(folder.path("model.fsm")).unwrap_or_default();
    let said = folder.refusal(&[&data], &["--labels", &labels, "--on-bad-row", "skip"]);
    assert!(said.contains("200 rows of labels and the data 240 flows"), "{said}");
}

#[test]
fn labels_may_end_with_a_file_if_those_that_follow_have_their_own() {
    let folder = Folder::new();
    let rows = rows();
    let labels: Vec<Vec<String>> = rows.iter().map(|row| vec![row[13].clone()]).collect();
    let flows: Vec<Vec<String>> = rows.iter().map(|row| row[..13].to_vec()).collect();
    let first = folder.write("first.csv", &csv(&header()[..13], &flows[..100]));
    let second = folder.write("second.csv", &csv(&header(), &rows[100..]));
    let bare = folder.write("bare.csv", &csv(&header()[..13], &flows[100..]));
    let side = folder.write("labels.csv", &csv(&["Label"], &labels[..100]));
    let whole = folder.write("whole.csv", &csv(&header(), &rows));
    let output = folder.train(&[&first, &second], &["--labels", &side]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("240 flows") && said.contains("labels of its own"), "{said}");
    fs::remove_file(folder.path("model.fsm")).expect("a model");
    let said = folder.refusal(&[&first, &bare], &["--labels", &side]);
    assert!(said.contains("100 rows of labels and the data 240 flows"), "{said}");
    // In the middle of a file they may not end, whatever columns it has.
    let said = folder.refusal(&[&whole], &["--labels", &side]);
    assert!(said.contains("100 rows of labels and the data 240 flows"), "{said}");
}

#[test]
fn a_file_that_is_cut_is_an_error_and_not_a_short_data_set() {
    let (folder, rows) = (Folder::new(), rows());
    let plain = csv(&header(), &rows);
    let path = folder.path("whole.parquet");
    parquet(&PathBuf::from(&path), &header(), &rows, Codec::SNAPPY);
    let columns = fs::read(&path).expect("a file");
    for (name, whole) in
        [("flows.csv.gz", gzip(&plain)), ("flows.zip", zip(&[("flows.csv", &plain)])), ("flows.parquet", columns)]
    {
        for keep in [whole.len() - 4, whole.len() / 2, 40] {
            let path = folder.write(name, &whole[..keep]);
            let said = folder.refusal(&[&path], &["--on-bad-row", "skip"]);
            assert!(said.contains(name), "{said}");
        }
    }
    // Damage inside that unpacks well: the archive's check sum tells.
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    writer.start_file("flows.csv", stored).expect("a member");
    writer.write_all(&plain).expect("packs");
    let mut damaged = writer.finish().expect("packs").into_inner();
    let digit = damaged.iter().rposition(|byte| *byte == b'2').expect("a label");
    assert!(folder.train(&[&folder.write("flows.zip", &damaged)], &[]).status.success());
    fs::remove_file(folder.path("model.fsm")).expect("removed");
    damaged[digit] = b'0';
    let said = folder.refusal(&[&folder.write("flows.zip", &damaged)], &["--on-bad-row", "skip"]);
    assert!(said.contains("flows.zip/flows.csv: cannot be read: damaged"), "{said}");
}

#[test]
fn an_open_quotation_mark_does_not_take_the_rest_of_the_file_into_memory() {
    let folder = Folder::new();
    let mut text = csv(&header(), &rows());
    text.extend_from_slice(b"\"");
    text.resize(3 << 20, b'x');
    let said = folder.refusal(&[&folder.write("flows.csv", &text)], &["--on-bad-row", "skip"]);
    assert!(
        said.contains("flows.csv: line 242: a row of more than 1024 KiB: is a quotation mark left open?"),
        "{said}"
    );
}

#[test]
fn the_label_may_be_the_capture() {
    let folder = Folder::new();
    let name = |cell: &String| if cell == "2" { "recon" } else { "benign" }.to_owned();
    let rows: Vec<Vec<String>> = rows().into_iter().map(|row| [&row[..13], &[name(&row[13])]].concat()).collect();
    let columns = [&header()[..13], &["Scenario"]].concat();
    let model = folder.model(&[&folder.write("a.csv", &csv(&columns, &rows))], &["--label-column", "scenario"]);
    let lines: String = (String::from_utf8(csv(&columns, &rows)).expect("text").lines().skip(1))
        .map(|line| {
            let cells = line.split(',').zip(&columns);
            let members: Vec<String> = cells.map(|(cell, name)| format!("\"{name}\":\"{cell}\"")).collect();
            format!("{{{}}}\n", members.join(","))
        })
        .collect();
    assert!(folder.model(&[&folder.write("a.jsonl", lines.as_bytes())], &["--label-column", "scenario"]) == model);
}

#[test]
fn evaluate_counts_skipped_rows_too() {
    let folder = Folder::new();
    let data = folder.write("flows.csv", &csv(&header(), &rows()));
    folder.train(&[&data], &[]);
    let mut bad = rows();
    bad[5][0] = "?".to_owned();
    let (model, data) = (folder.path("model.fsm"), folder.write("flows.csv", &csv(&header(), &bad)));
    let args = ["evaluate", "--model", &model, "--data", &data, "--format", "json", "--on-bad-row", "skip"];
    let output = flowshrike(&args);
    assert!(output.status.success());
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&found["flows"], &found["skipped_rows"]["rows"]), (&json!(239), &json!(1)));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("skipped   1 rows of") && said.contains("flows.csv: line 7, column `Fwd Packet Length Std`"),
        "{said}"
    );
    assert_eq!(flowshrike(&args[..7]).status.code(), Some(1), "without leave it fails");
}

/// Reads files through the library: quicker than a run of the program, where only the reading matters.
fn read(path: &str) -> Result<Dataset, DatasetError> {
    let data = [PathBuf::from(path)];
    let features = default_features();
    dataset::read(&Query {
        data: &data,
        labels: None,
        label_column: None,
        group_column: None,
        features: &features,
        rules: None,
        identities: false,
        span: false,
        on_bad_row: OnBadRow::Skip,
    })
}

#[test]
fn damaged_files_of_every_format_are_errors_or_skipped_rows_and_never_panics() {
    let (folder, rows) = (Folder::new(), rows());
    let plain = csv(&header(), &rows);
    let path = folder.path("flows.parquet");
    parquet(&PathBuf::from(&path), &header(), &rows, Codec::SNAPPY);
    let columns = fs::read(&path).expect("a file");
    let mut state = 11_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("64 bits") % below
    };
    for (name, whole) in [
        ("flows.csv", plain.clone()),
        ("flows.csv.gz", gzip(&plain)),
        ("flows.jsonl", json_lines(&rows)),
        ("flows.zip", zip(&[("flows.csv", &plain)])),
        ("flows.parquet", columns),
    ] {
        for _ in 0..400 {
            let mut damaged = whole.clone();
            for _ in 0..=random(3) {
                // As many in the last part, where archives and Parquet have their tables of contents.
                let at = if random(2) == 0 {
                    random(damaged.len())
                } else {
                    damaged.len() - 1 - random(damaged.len().min(2000))
                };
                damaged[at] ^= 1 << random(8);
            }
            if random(4) == 0 {
                damaged.truncate(random(damaged.len()));
            }
            let path = folder.write(name, &damaged);
            match read(&path) {
                Ok(data) => assert!(data.len() as u64 + data.skipped().rows <= 2 * 240, "{name}"),
                Err(error) => assert!(error.to_string().contains(name), "{error}"),
            }
        }
    }
}

#[test]
fn many_rows_are_read_in_the_memory_that_they_need() {
    let folder = Folder::new();
    // A long cell that nobody asks for: the text is five times what is kept of it.
    let line = format!("{},{},0\n", "x".repeat(500), ["1.25"; 13].join(","));
    let path = folder.path("flows.csv.gz");
    let mut packer = GzEncoder::new(File::create(&path).expect("made"), Compression::fast());
    packer.write_all(&csv(&[&["Flow ID"], &header()[..]].concat(), &[])).expect("packs");
    for _ in 0..200 {
        packer.write_all(line.repeat(1000).as_bytes()).expect("packs");
    }
    packer.finish().expect("packs");
    let before = peak_kib();
    let data = read(&path).expect("reads");
    assert_eq!((data.len(), data.row(199_999)[11], data.labels().distinct().len()), (200_000, 1.25, 1));
    // 8 bytes a value and 8 a row, at most twice while a vector grows; the text would be 110 MB.
    let needed = 200_000 * (13 * 8 + 8) / 1024;
    let grown = peak_kib().saturating_sub(before);
    assert!(grown < 2 * needed + 8 * 1024, "{grown} KiB more, where the rows need {needed}");
}

/// The most memory that this process has had.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
