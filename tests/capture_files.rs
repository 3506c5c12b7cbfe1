//! Capture files of every kind through the binary: the same flows from each, and clear words for what is damaged.

mod util;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use util::capture_file::{Captured, Interface, Pcap, PcapNg, Resolution, gzip};
use util::traffic::{Link, Traffic};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

fn flowshrike(args: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowshrike")).args(args).args(files).output().expect("the binary runs")
}

/// The flows of files that must be read without a word.
fn extract(args: &[&str], files: &[&Path]) -> String {
    let output = flowshrike(&[&["extract"], args].concat(), files);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Exit code, stdout and stderr of an extract that has something to say.
fn extract_saying(args: &[&str], files: &[&Path]) -> (Option<i32>, String, String) {
    let output = flowshrike(&[&["extract"], args].concat(), files);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn traffic() -> Traffic {
    let mut t = Traffic::new(11);
    for n in 0..20 {
        let at = f64::from(n) * 7.0;
        t.tcp(format!("10.244.1.{n}:40000").as_str(), "10.96.0.20:80").at(at).request(120).response(9_000).close();
        t.udp(format!("10.244.2.{n}:50000").as_str(), "10.96.0.10:53").at(at + 0.5).request(40).response(120);
    }
    t.tcp("[fd00::5]:40000", "[fd00::20]:80").at(1.0).request(120).response(4_000).close();
    t
}

fn ethernet() -> Vec<Captured> {
    traffic().frames(Link::Ethernet)
}

fn rows(csv: &str) -> usize {
    csv.lines().count().saturating_sub(1)
}

#[test]
fn every_encoding_gives_the_same_flows() {
    let (folder, frames) = (Folder::new(), ethernet());
    let plain = Pcap::default().write(&frames);
    let expected = extract(&[], &[&folder.file("plain.pcap", &plain)]);
    assert_eq!(rows(&expected), 41);
    let mut encodings: Vec<(String, Vec<u8>)> = vec![("gzip".into(), gzip(&plain))];
    let (front, back) = plain.split_at(plain.len() / 2);
    encodings.push(("gzip in two members".into(), [gzip(front), gzip(back)].concat()));
    for (nanoseconds, big_endian) in [(true, false), (false, true), (true, true)] {
        let pcap = Pcap { nanoseconds, big_endian, ..Pcap::default() };
        encodings.push((format!("{pcap:?}"), pcap.write(&frames)));
    }
    for big_endian in [false, true] {
        for resolution in [Resolution::Unstated, Resolution::Decimal(9), Resolution::Decimal(6), Resolution::Binary(30)]
        {
            let mut file = PcapNg::new(big_endian);
            file.interface(Interface { resolution, offset: 1_000, ..Interface::of(1) });
            file.block(0x0bad, &[1, 2, 3, 4]); // a block that nobody knows
            for (number, frame) in frames.iter().enumerate() {
                if number % 2 == 0 {
                    file.packet(0, frame)
                } else {
                    file.obsolete_packet(0, frame)
                };
            }
            encodings.push((format!("pcapng {big_endian} {resolution:?}"), file.bytes()));
        }
    }
    for (name, bytes) in encodings {
        assert_eq!(extract(&[], &[&folder.file("encoded", &bytes)]), expected, "{name}");
    }
}

#[test]
fn interfaces_of_unlike_link_types_are_read_each_by_its_own() {
    let (folder, traffic) = (Folder::new(), traffic());
    let links =
        [(1, Link::Ethernet), (101, Link::RawIp), (113, Link::LinuxSll), (276, Link::LinuxSll2), (0, Link::Null)];
    let frames: Vec<_> = links.iter().map(|(_, link)| traffic.frames(*link)).collect();
    let mut file = PcapNg::new(false);
    links.iter().for_each(|(number, _)| {
        file.interface(Interface::of(*number));
    });
    for packet in 0..frames[0].len() {
        file.packet(packet % links.len(), &frames[packet % links.len()][packet]);
    }
    let plain = folder.file("plain.pcap", &Pcap::default().write(&frames[0]));
    assert_eq!(extract(&[], &[&folder.file("mixed.pcapng", &file.bytes())]), extract(&[], &[&plain]));
}

#[test]
fn workers_and_batches_change_nothing() {
    let (folder, frames) = (Folder::new(), ethernet());
    let file = folder.file("plain.pcap", &Pcap::default().write(&frames));
    for profile in ["standard", "cic"] {
        let expected = extract(&["--profile", profile], &[&file]);
        for (workers, batch) in [("1", "1"), ("1", "1000000"), ("2", "3"), ("5", "64")] {
            let args = ["--profile", profile, "--workers", workers, "--batch", batch];
            assert_eq!(extract(&args, &[&file]), expected, "{args:?}");
        }
    }
}

#[test]
fn standard_input_and_several_files_are_read_in_turn_or_merged() {
    let (folder, frames) = (Folder::new(), ethernet());
    let (even, odd): (Vec<_>, Vec<_>) = frames.iter().cloned().enumerate().partition(|(number, _)| number % 2 == 0);
    let part =
        |frames: Vec<(usize, Captured)>| -> Vec<Captured> { frames.into_iter().map(|(_, frame)| frame).collect() };
    let whole = folder.file("whole.pcap", &Pcap::default().write(&frames));
    let even = folder.file("even.pcap", &Pcap::default().write(&part(even)));
    let odd = folder.file("odd.pcap.gz", &gzip(&Pcap::default().write(&part(odd))));
    assert_eq!(extract(&["--merge"], &[&even, &odd]), extract(&[], &[&whole]));
    // Each file is a capture of its own: the halves share no flow.
    let apart = extract(&[], &[&even, &odd]);
    assert_eq!(rows(&apart), rows(&extract(&[], &[&even])) + rows(&extract(&[], &[&odd])));

    let mut child = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
        .args(["extract", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let bytes = std::fs::read(&odd).expect("the file");
    child.stdin.take().expect("a pipe").write_all(&bytes).expect("the binary reads");
    let output = child.wait_with_output().expect("the binary ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), extract(&[], &[&odd]));
}

#[test]
fn a_file_that_ends_early_gives_what_it_has_and_a_warning() {
    let (folder, frames) = (Folder::new(), ethernet());
    let whole = Pcap::default().write(&frames);
    let kept = Pcap::default().write(&frames[..frames.len() - 1]);
    let expected = extract(&[], &[&folder.file("kept.pcap", &kept)]);
    let mut ng = PcapNg::new(false);
    ng.interface(Interface::of(1));
    frames.iter().for_each(|frame| {
        ng.packet(0, frame);
    });
    let ng = ng.bytes();
    let packets = frames.len() - 1;
    for (name, cut) in
        [("packet", &whole[..whole.len() - 1]), ("header", &whole[..kept.len() + 7]), ("block", &ng[..ng.len() - 5])]
    {
        let file = folder.file(name, cut);
        let (code, stdout, stderr) = extract_saying(&[], &[&file]);
        assert_eq!((code, stdout.as_str()), (Some(0), expected.as_str()), "{name}");
        assert!(stderr.contains("ends early") && stderr.contains(&format!("after packet {packets}")), "{stderr}");
        let (code, stdout, stderr) = extract_saying(&["--strict"], &[&file]);
        assert_eq!((code, stdout.as_str()), (Some(1), expected.as_str()), "{name} --strict");
        assert!(stderr.contains(name), "the file is named: {stderr}");
    }
    let zipped = gzip(&whole);
    let (code, stdout, stderr) = extract_saying(&[], &[&folder.file("cut.gz", &zipped[..zipped.len() / 2])]);
    assert_eq!(code, Some(0));
    assert!(rows(&stdout) > 5 && stderr.contains("gzip"), "{stderr}");
}

#[test]
fn a_damaged_length_is_named_by_place_and_costs_only_what_follows() {
    let (folder, frames) = (Folder::new(), ethernet());
    let mut bytes = Pcap::default().write(&frames);
    let place = Pcap::default().write(&frames[..100]).len();
    bytes[place + 8..place + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let expected = extract(&[], &[&folder.file("kept.pcap", &Pcap::default().write(&frames[..100]))]);
    let (code, stdout, stderr) = extract_saying(&[], &[&folder.file("damaged.pcap", &bytes)]);
    assert_eq!((code, stdout), (Some(0), expected));
    assert!(stderr.contains("after packet 100") && stderr.contains(&format!("at byte {place}")), "{stderr}");
}

#[test]
fn what_is_no_capture_is_refused_and_the_other_files_are_read() {
    let (folder, frames) = (Folder::new(), ethernet());
    let good = folder.file("good.pcap", &Pcap::default().write(&frames));
    let expected = extract(&[], &[&good]);
    for (name, bytes, words) in [
        ("empty.pcap", &b""[..], "it is empty"),
        ("tiny.pcap", b"ab", "2 bytes"),
        ("text.pcap", b"no capture at all", "not a capture file"),
        ("cut.pcap", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0], "ends early"),
    ] {
        let (code, stdout, stderr) = extract_saying(&[], &[&folder.file(name, bytes), &good]);
        assert_eq!((code, stdout.as_str()), (Some(1), expected.as_str()), "{name}");
        assert!(stderr.contains(name) && stderr.contains(words), "{stderr}");
    }
    let (code, _, stderr) = extract_saying(&[], &[Path::new("/nonexistent/x.pcap")]);
    assert!(code == Some(1) && stderr.contains("cannot open /nonexistent/x.pcap"), "{stderr}");
    let (code, _, stderr) = extract_saying(&[], &[folder.0.path()]);
    assert!(code == Some(1) && stderr.contains("directory"), "{stderr}");
}

#[test]
fn any_single_changed_byte_of_a_file_is_survived() {
    let folder = Folder::new();
    let mut t = Traffic::new(5);
    t.udp("10.0.0.1:1", "10.0.0.2:53").at(0.0).request(4).response(4);
    let frames = t.frames(Link::Ethernet);
    let mut ng = PcapNg::new(true);
    ng.interface(Interface { resolution: Resolution::Decimal(9), offset: 5, ..Interface::of(1) });
    frames.iter().for_each(|frame| {
        ng.packet(0, frame);
    });
    for bytes in [Pcap::default().write(&frames), ng.bytes()] {
        let files: Vec<PathBuf> = (0..bytes.len())
            .flat_map(|at| [0x00, 0xff, 0x80].map(|value| (at, value)))
            .map(|(at, value)| {
                let mut changed = bytes.clone();
                changed[at] = value;
                folder.file(&format!("{at}-{value}"), &changed)
            })
            .collect();
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let (code, _, stderr) = extract_saying(&[], &files);
        assert!(matches!(code, Some(0 | 1)) && !stderr.contains("panicked"), "{code:?} {stderr}");
    }
}

#[test]
fn the_cic_profile_stops_clearly_when_its_table_is_full() {
    let (folder, frames) = (Folder::new(), ethernet());
    let file = folder.file("plain.pcap", &Pcap::default().write(&frames));
    let (code, _, stderr) = extract_saying(&["--profile", "cic", "--max-flows", "10"], &[&file]);
    assert!(code == Some(1) && stderr.contains("--max-flows") && stderr.contains("plain.pcap"), "{stderr}");
    // The standard profile evicts instead.
    assert!(rows(&extract(&["--max-flows", "10"], &[&file])) >= 41);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let file = Path::new("x.pcap");
    for args in [
        &["--profile", "other"][..],
        &["--workers", "0"],
        &["--profile", "cic", "--idle-timeout", "5"],
        &["--profile", "cic", "--active-timeout", "5"],
        &["-", "-"],
        &["--nonsense"],
    ] {
        let (code, stdout, stderr) = extract_saying(args, &[file]);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
    }
}

#[test]
fn a_capture_is_never_overwritten() {
    let (folder, frames) = (Folder::new(), ethernet());
    let bytes = Pcap::default().write(&frames);
    let file = folder.file("plain.pcap", &bytes);
    let path = file.to_str().expect("UTF-8");
    let (code, _, stderr) = extract_saying(&["--output", path], &[&file]);
    assert!(code == Some(2) && stderr.contains("overwritten"), "{stderr}");
    let replay = flowshrike(&["replay", "--summary", path], &[&file]);
    assert_eq!(replay.status.code(), Some(2));
    assert_eq!(std::fs::read(&file).expect("the file"), bytes);
}

#[test]
fn json_lines_hold_the_same_values() {
    let (folder, frames) = (Folder::new(), ethernet());
    let file = folder.file("plain.pcap", &Pcap::default().write(&frames));
    let csv = extract(&[], &[&file]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let duration = header.iter().position(|name| name == "Flow Duration").expect("a column");
    let mean = header.iter().position(|name| name == "Fwd Packet Length Mean").expect("a column");
    let jsonl = extract(&["--format", "jsonl"], &[&file]);
    for (row, line) in reader.records().zip(jsonl.lines()) {
        let (row, object) = (row.expect("a row"), serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        assert_eq!(row[duration].parse::<i64>().ok(), object["flow_duration"].as_i64());
        assert_eq!(row[mean].parse::<f64>().ok(), object["fwd_packet_length_mean"].as_f64());
        assert_eq!(Some(&row[1]), object["src_ip"].as_str());
        assert!(object["end_reason"].is_string());
    }
    assert_eq!(jsonl.lines().count(), 41);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (folder, frames) = (Folder::new(), ethernet());
    let file = folder.file("plain.pcap", &Pcap::default().write(&frames));
    let mut child = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
        .arg("extract")
        .args(std::iter::repeat_n(&file, 50))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
