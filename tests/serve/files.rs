//! Files of flows and captures in requests.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::models;
use super::predict::serve_tree;
use super::program::{flowshrike, succeed, text};
use super::service::Service;

const CAPTURE: &str = "tests/data/demo-cluster.pcap.gz";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("packed")
}

#[test]
fn a_file_of_any_format_gets_the_rows_of_predict() {
    let service = Service::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["csv", "jsonl", "parquet"] {
        let path = folder.path().join(format).to_string_lossy().into_owned();
        succeed(&["extract", CAPTURE, "--format", format, "--output", &path]);
        let bytes = fs::read(&path).expect("flows");
        let csv = succeed(&["predict", &path]);
        assert!(csv.lines().count() > 100);
        let answer = service.post("/predict/flows", &bytes);
        assert_eq!((answer.status, answer.text()), (200, csv.clone()), "{format}");
        assert!(answer.head.contains("content-type: text/csv"));
        let lines = succeed(&["predict", "--format", "jsonl", &path]);
        let answer = service.post("/predict/flows/?format=jsonl", &bytes);
        assert_eq!((answer.status, answer.text()), (200, lines.clone()), "{format}");
        let accepted = service.send("POST", "/predict/flows", &["accept: application/x-ndjson"], &bytes);
        assert_eq!(accepted.text(), lines);
        if format != "parquet" {
            assert_eq!(service.post("/predict/flows", gzip(&bytes)).text(), csv);
        }
    }
    let counted: f64 = service.model()["labels"]
        .as_array()
        .expect("labels")
        .iter()
        .fold(0.0, |sum, label| sum + service.metric(&format!("flowshrike_predictions_total{{label={label}}}")));
    let rows = succeed(&["extract", CAPTURE]).lines().count() - 1;
    assert_eq!(counted, (rows * 11) as f64, "each row of each request once");
    assert_eq!(service.metric("flowshrike_uploads_active"), 0.0);
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let (_folder, service) = serve_tree();
    let head = "Total Fwd Packet,Down/Up Ratio,SYN Flag Count\n";
    let file = format!("{head}5,4,0\n5,x,0\n");
    let answer = service.post("/predict/flows", &file);
    assert_eq!(answer.problems(), [("value_error".to_owned(), json!(["body", "line", 3, "Down/Up Ratio"]))]);
    let skipped = service.post("/predict/flows?on_bad_row=skip", &file);
    assert_eq!(
        skipped.text().lines().skip(1).map(|line| line.split(',').next()).collect::<Vec<_>>(),
        [Some("recon"), Some("")]
    );
    let missing = service.post("/predict/flows", "Down/Up Ratio\n1\n");
    let at = |name: &str| ("missing".to_owned(), json!(["body", name]));
    assert_eq!(missing.problems(), [at("Total Fwd Packet"), at("SYN Flag Count")]);
    // The original meter rounds the ratio down, which is said.
    let older = service.post("/predict/flows", "Tot Fwd Pkts,Down/Up Ratio,SYN Flag Cnt\n5,4,0\n");
    assert!(older.status == 200 && older.head.contains("flowshrike-warning: body: `down/up ratio`"), "{}", older.head);
    assert!(!skipped.head.contains("flowshrike-warning"));
    for (query, key) in [("format=xml", "format"), ("on_bad_row=", "on_bad_row"), ("x=1&format", "format")] {
        let answer = service.post(&format!("/predict/flows?{query}"), &file);
        assert_eq!(answer.problems(), [("enum".to_owned(), json!(["query", key]))]);
    }
    for bytes in [
        &b""[..],
        b"PAR1",
        b"PAR1xxxxxxxxPAR1",
        b"PK\x03\x04....",
        b"\x1f\x8bnot gzip",
        b"\xff\xfe\x00",
        &gzip(&gzip(file.as_bytes())),
    ] {
        let answer = service.post("/predict/flows", bytes);
        assert_eq!(answer.status, 422, "{bytes:?}: {}", answer.text());
        assert!(!answer.problems().is_empty());
    }
    assert!(!service.log().contains("panicked"), "{}", service.log());
}

#[test]
fn a_capture_gets_the_lines_of_replay() {
    let service = Service::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("flows.jsonl").to_string_lossy().into_owned();
    assert!(flowshrike(&["replay", CAPTURE, "--flows", &log]).status.success());
    let expected = fs::read_to_string(&log).expect("a log");
    let packed = fs::read(CAPTURE).expect("a capture");
    let answer = service.post("/predict/capture", &packed);
    assert_eq!((answer.status, answer.text()), (200, expected.clone()));
    assert!(answer.head.contains("content-type: application/x-ndjson") && !answer.head.contains("flowshrike-warning"));
    // Each flow's verdict is that of its row, by whichever way it is asked.
    let flow: Value = serde_json::from_str(expected.lines().last().expect("a flow")).expect("JSON");
    let told = service.predict(&flow);
    assert_eq!((&told["label"], &told["novel"]), (&flow["label"], &flow["novel"]));

    let mut unpacked = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(&packed[..]), &mut unpacked).expect("unpacked");
    assert_eq!(service.post("/predict/capture/", &unpacked).text(), expected);
    // A capture that was stopped hard is used up to its end, which is told.
    let cut = &unpacked[..unpacked.len() / 2];
    let path = folder.path().join("cut.pcap").to_string_lossy().into_owned();
    fs::write(&path, cut).expect("written");
    let replay = flowshrike(&["replay", &path, "--flows", &log]);
    assert!(replay.status.success() && text(&replay.stderr).contains("ends early"));
    let answer = service.post("/predict/capture", cut);
    assert_eq!((answer.status, answer.text()), (200, fs::read_to_string(&log).expect("a log")));
    assert!(answer.head.contains("flowshrike-warning: body ends early"), "{}", answer.head);
}

#[test]
fn a_model_that_captures_cannot_serve_answers_rows_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = models::file(&folder, &models::reading("Active Mean"));
    let service = Service::start(&["--model", &path.to_string_lossy()]);
    let refused = service.post("/predict/capture", fs::read(CAPTURE).expect("a capture"));
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("Active Mean")));
    assert_eq!(service.predict(&json!({"features": [5, 0, 0]}))["label"], "recon");
    let csv = "Total Fwd Packet,Active Mean,SYN Flag Count\n5,1,0\n";
    assert!(service.post("/predict/flows", csv).text().ends_with("\nrecon,0.75,0.6,true\n"));
}

#[test]
fn what_is_no_capture_is_refused() {
    let service = Service::start(&[]);
    for bytes in [&b""[..], b"x", b"nonsense that is long enough", b"\x1f\x8b", b"\x0a\x0d\x0d\x0a"] {
        let answer = service.post("/predict/capture", bytes);
        assert!(answer.status == 422 || answer.head.contains("flowshrike-warning"), "{bytes:?}: {answer:?}");
    }
    assert!(!service.log().contains("panicked"));
}

#[test]
fn a_file_that_is_too_large_is_refused_packed_or_not() {
    let service = Service::start(&["--max-upload", "1"]);
    let large = vec![b'x'; 3 << 20];
    for path in ["/predict", "/predict/flows", "/predict/capture"] {
        let answer = service.post(path, &large);
        assert_eq!(answer.status, 413, "{path}: {answer:?}");
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.contains("1048576")));
        // Without a length beforehand.
        let mut stream = service.connect();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        for chunk in large.chunks(1 << 16) {
            write!(stream, "{:x}\r\n", chunk.len()).and_then(|()| stream.write_all(chunk)).expect("sent");
            stream.write_all(b"\r\n").expect("sent");
        }
        stream.write_all(b"0\r\n\r\n").expect("sent");
        assert_eq!(super::service::answer(stream).status, 413, "{path}");
    }
    // What would exhaust a reader: a few kilobytes that unpack to more than 32 times what may be sent.
    let columns = service.model()["features"].as_array().expect("names").len();
    let names: Vec<_> = service.model()["features"]
        .as_array()
        .expect("names")
        .iter()
        .map(|name| name.as_str().expect("text").to_owned())
        .collect();
    let row = vec!["0"; columns].join(",") + "\n";
    let rows = (40 << 20) / row.len();
    let bomb = gzip(format!("{}\n{}", names.join(","), row.repeat(rows)).as_bytes());
    assert!(bomb.len() < 1 << 20);
    let answer = service.post("/predict/flows", &bomb);
    assert_eq!(answer.status, 413, "{answer:?}");
    let mut capture = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        capture.extend_from_slice(&word.to_le_bytes());
    }
    let mut packet = Vec::new();
    for word in [0_u32, 0, 60_000, 60_000] {
        packet.extend_from_slice(&word.to_le_bytes());
    }
    packet.resize(packet.len() + 60_000, 0);
    (0..700).for_each(|_| capture.extend_from_slice(&packet));
    let answer = service.post("/predict/capture", gzip(&capture));
    assert_eq!(answer.status, 413, "{answer:?}");
    let flow = json!({"features": vec![0; columns]});
    let answer = service.post("/predict", Value::Array(vec![flow.clone(); 1_001]).to_string());
    assert_eq!(answer.problems(), [("too_long".to_owned(), json!(["body"]))]);
    assert_eq!(service.post("/predict", Value::Array(vec![flow; 1_000]).to_string()).status, 200);
}
