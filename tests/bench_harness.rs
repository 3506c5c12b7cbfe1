//! The benchmarks' own tools: traces come from a seed and are what they claim to be, the runner measures every row, and the
//! comparison of instruction counts can fail.

#[path = "generators/cluster/dns.rs"]
mod dns;
#[path = "generators/traces/mod.rs"]
mod traces;
mod util;
#[path = "../benches/whole/mod.rs"]
#[allow(dead_code, reason = "the program's entry is not used")]
mod whole;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

use clap::Parser as _;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use traces::{Kind, Totals};
use util::traffic::Traffic;

/// A trace in memory.
fn trace(kind: Kind, seed: u64, scale: f64) -> (Vec<u8>, Totals) {
    let mut bytes = Vec::new();
    let totals = kind.write(seed, scale, &mut bytes).expect("a vector takes everything");
    (bytes, totals)
}

/// Times in µs and frames of a classic pcap.
fn frames(file: &[u8]) -> Vec<(u64, &[u8])> {
    let mut rest = &file[24..];
    let mut frames = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(16) {
        let number = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let (frame, after) = after.split_at(number(8) as usize);
        frames.push((u64::from(number(0)) * 1_000_000 + u64::from(number(4)), frame));
        rest = after;
    }
    assert!(rest.is_empty(), "a whole file");
    frames
}

/// Both ends and the protocol, the same for both directions.
fn tuple(frame: &[u8]) -> (Vec<Vec<u8>>, u8) {
    let packet = SlicedPacket::from_ethernet(frame).expect("a whole packet");
    let (from, to) = match packet.net.expect("an IP packet") {
        NetSlice::Ipv4(ip) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
        NetSlice::Ipv6(ip) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
        other => panic!("{other:?}"),
    };
    let (ports, protocol) = match packet.transport.expect("a transport") {
        TransportSlice::Tcp(tcp) => ([tcp.source_port(), tcp.destination_port()], 6),
        TransportSlice::Udp(udp) => ([udp.source_port(), udp.destination_port()], 17),
        _ => ([0, 0], 1),
    };
    let end = |address: Vec<u8>, port: u16| [address, port.to_be_bytes().to_vec()].concat();
    let mut ends = vec![end(from, ports[0]), end(to, ports[1])];
    ends.sort();
    (ends, protocol)
}

#[test]
fn a_trace_has_the_same_bytes_on_every_machine() {
    // Figures of different releases compare only while these hold. A change here is a change of what is measured: say so.
    let digests = Kind::ALL.map(|kind| {
        let digest = Sha256::digest(trace(kind, 1, 0.001).0);
        (kind.name(), digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    let expected = [
        ("mixed", "f4977de1e3b9d4e4"),
        ("small", "11d2ec8d32be74e6"),
        ("flood", "61004b2a480ef833"),
        ("live", "601f353373a1540c"),
    ];
    assert_eq!(digests, expected.map(|(kind, digest)| (kind, digest.to_owned())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_trace_depends_on_its_seed_and_scale_alone(
        kind in prop::sample::select(&Kind::ALL[..]), seed in any::<u64>(), thousandths in 1_u32..4,
    ) {
        let scale = f64::from(thousandths) / 1_000.0;
        let (bytes, totals) = trace(kind, seed, scale);
        let (again, totals_again) = trace(kind, seed, scale);
        prop_assert!(bytes == again && totals == totals_again);
        prop_assert!(bytes != trace(kind, seed.wrapping_add(1), scale).0, "another seed, other traffic");
        let frames = frames(&bytes);
        prop_assert_eq!(frames.len() as u64, totals.packets);
        prop_assert_eq!(frames.iter().map(|(_, frame)| frame.len() as u64).sum::<u64>(), totals.bytes);
        prop_assert!(frames.is_sorted_by_key(|(time, _)| *time));
        let flows: BTreeSet<_> = frames.iter().map(|(_, frame)| tuple(frame)).collect();
        // In `mixed` two conversations may meet on one tuple, and one that begins at the end may not be seen.
        let close = if kind == Kind::Mixed { totals.flows - totals.flows / 20..=totals.flows } else { totals.flows..=totals.flows };
        prop_assert!(close.contains(&(flows.len() as u64)), "{} tuples of {totals:?}", flows.len());
        prop_assert!(frames.iter().all(|(_, frame)| (60..=1_514).contains(&frame.len())), "as a network card sends them");
    }
}

#[test]
fn packets_taken_in_pieces_are_the_packets_in_order() {
    let tell = || {
        let mut t = Traffic::new(9);
        for n in 0..40_u16 {
            t.tcp(("10.0.0.1", 1_000 + n), "10.0.0.2:80")
                .at(f64::from(n) * 0.001)
                .request(3_000)
                .response(9_000)
                .close();
        }
        t
    };
    let whole: Vec<_> = tell().packets().into_iter().map(|packet| (packet.time, packet.bytes.clone())).collect();
    let mut t = tell();
    // Unevenly, and to beyond the end.
    let pieces = [0.0, 0.0005, 0.003, 0.003, 0.02, 60.0].into_iter().flat_map(|end| t.take_before(end));
    assert!(pieces.map(|packet| (packet.time, packet.bytes)).eq(whole));
    assert!(t.packets().is_empty());
}

#[test]
fn every_checksum_is_right() {
    let (bytes, _) = trace(Kind::Mixed, 3, 0.001);
    for (_, frame) in frames(&bytes) {
        let packet = SlicedPacket::from_ethernet(frame).expect("a whole packet");
        let (Some(NetSlice::Ipv4(ip)), Some(transport)) = (packet.net, packet.transport) else { continue };
        assert_eq!(ip.header().header_checksum(), ip.header().to_header().calc_header_checksum());
        let (own, right) = match transport {
            TransportSlice::Tcp(tcp) => (
                tcp.checksum(),
                tcp.calc_checksum_ipv4(ip.header().source(), ip.header().destination()).expect("a short packet"),
            ),
            TransportSlice::Udp(udp) => {
                let payload = udp.payload();
                let header = udp.to_header();
                (udp.checksum(), header.calc_checksum_ipv4(&ip.header().to_header(), payload).expect("a short packet"))
            }
            _ => continue,
        };
        assert_eq!(own, right);
    }
}

#[test]
fn the_mixed_trace_has_the_shape_of_a_busy_node() {
    let (bytes, totals) = trace(Kind::Mixed, 1, 0.02);
    let frames = frames(&bytes);
    let span = frames.last().expect("packets").0 - frames.first().expect("packets").0;
    assert!((580_000_000..=600_000_000).contains(&span), "{span} µs");
    // Wide, since few conversations of a heavy tail are drawn at this scale.
    assert!((220..480).contains(&(totals.bytes / totals.packets)), "{totals:?}");
    assert!((6..20).contains(&(totals.packets / totals.flows)), "{totals:?}");
    let mut kinds = BTreeMap::new();
    for (_, frame) in &frames {
        let packet = SlicedPacket::from_ethernet(frame).expect("a whole packet");
        let version = if matches!(packet.net, Some(NetSlice::Ipv6(_))) { 6 } else { 4 };
        *kinds.entry((version, tuple(frame).1)).or_insert(0) += 1;
    }
    assert!(
        kinds.len() == 6 && kinds.values().all(|&packets| packets > 2),
        "both versions, three protocols: {kinds:?}"
    );
}

#[test]
fn small_flows_have_ten_packets_and_live_beside_many_others() {
    let (bytes, totals) = trace(Kind::Small, 1, 0.002);
    assert_eq!(totals, Totals { packets: 8_000, bytes: 8_000 * 60, flows: 800 });
    let mut seen: HashMap<_, u32> = HashMap::new();
    let mut most = 0;
    let mut ended = 0;
    for (_, frame) in frames(&bytes) {
        let packets = seen.entry(tuple(frame)).or_default();
        *packets += 1;
        ended += usize::from(*packets == 10);
        most = most.max(seen.len() - ended);
    }
    assert!(seen.values().all(|&packets| packets == 10));
    assert!(most > 190, "{most} of 200 live at once");
}

/// Runs a command of the binary over a trace; its standard output.
fn flowshrike(arguments: &[&str], path: &Path) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_flowshrike")).args(arguments).arg(path).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The feature columns of every flow: all behind the five-tuple and the time.
fn vectors(kind: Kind, scale: f64) -> Vec<String> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("trace.pcap");
    std::fs::write(&path, trace(kind, 1, scale).0).expect("a file");
    let rows = flowshrike(&["extract"], &path);
    rows.lines().skip(1).map(|row| row.splitn(8, ',').last().expect("columns").to_owned()).collect()
}

#[test]
fn the_flood_repeats_one_feature_vector_and_everyday_traffic_hardly_any() {
    let flood = vectors(Kind::Flood, 0.001);
    assert_eq!(flood.len(), 1_000);
    assert_eq!(flood.iter().collect::<BTreeSet<_>>().len(), 1);
    let mixed = vectors(Kind::Mixed, 0.005);
    let mut counts = HashMap::new();
    mixed.iter().for_each(|vector| *counts.entry(vector).or_insert(0_usize) += 1);
    // Flood and sweeps are 42 % of all flows; beside them nearly every vector stands once.
    let repeated: usize = counts.values().filter(|&&count| count > 1).sum();
    assert!(repeated * 2 < mixed.len(), "{repeated} of {} flows share their vector with another", mixed.len());
}

#[test]
fn all_flows_of_the_live_trace_are_live_at_its_end() {
    let folder = TempDir::new().expect("a folder");
    let (path, summary) = (folder.path().join("live.pcap"), folder.path().join("summary.json"));
    std::fs::write(&path, trace(Kind::Live, 1, 0.002).0).expect("a file");
    flowshrike(&["replay", "--summary", summary.to_str().expect("UTF-8")], &path);
    let summary: Value = serde_json::from_slice(&std::fs::read(summary).expect("a file")).expect("JSON");
    assert_eq!(summary["flows"]["created"], 2_000);
    assert_eq!(summary["flows"]["ended"]["forced"], 2_000);
}

#[test]
fn the_runner_measures_every_row_and_writes_them_as_json() {
    if Command::new("tcpdump").arg("--version").output().is_err() {
        return util::skip::skipped("needs tcpdump, the yardstick");
    }
    let folder = TempDir::new().expect("a folder");
    std::fs::create_dir(folder.path().join("traces")).expect("a folder");
    for kind in Kind::ALL {
        let path = folder.path().join("traces").join(kind.name()).with_extension("pcap");
        std::fs::write(path, trace(kind, 1, 0.001).0).expect("a file");
    }
    let path = folder.path().to_str().expect("UTF-8");
    let options = ["whole", "--folder", path, "--rounds", "1", "--live-rounds", "1", "--live-packets", "2000"];
    let report = whole::run(&whole::Options::parse_from(options)).expect("every run succeeds");

    let table = report.to_string();
    let text = std::fs::read(folder.path().join("whole.json")).expect("a file");
    let json: Value = serde_json::from_slice(&text).expect("JSON");
    let ids: Vec<&str> =
        json["rows"].as_array().expect("rows").iter().map(|row| row["id"].as_str().expect("a name")).collect();
    assert_eq!(ids, ROWS);
    for row in json["rows"].as_array().expect("rows") {
        let (id, work) = (row["id"].as_str().expect("a name"), row["work"].as_str().expect("words"));
        assert!(table.contains(work), "{id} is not in the table:\n{table}");
        let is_measured = row["figures"].is_object();
        assert!(is_measured || row["note"].is_string(), "{id}: neither figures nor a reason: {row}");
        let is_own = ["extract", "replay", "tcpdump/m", "tcpdump/s", "tcpdump/f"].iter().any(|own| id.starts_with(own));
        assert!(is_measured || !is_own, "{id}: {row}");
        if is_measured {
            assert!(row["figures"]["peak_mib"].as_f64() > Some(0.0), "{id}: {row}");
        }
    }
    let same = |id: &str| {
        let row = report.rows.iter().find(|row| row.id == id).expect("a row");
        row.targets.iter().find(|target| target.what.starts_with("same output")).and_then(|target| target.met)
    };
    assert_eq!((same("extract-2/mixed"), same("replay-2/mixed")), (Some(true), Some(true)));
}

const ROWS: [&str; 26] = [
    "tcpdump/mixed",
    "extract/mixed",
    "extract-cic/mixed",
    "replay/mixed",
    "extract-2/mixed",
    "replay-2/mixed",
    "rustiflow/mixed",
    "argus/mixed",
    "nfpcapd/mixed",
    "suricata/mixed",
    "tshark/mixed",
    "tcpdump/small",
    "extract/small",
    "rustiflow/small",
    "argus/small",
    "nfpcapd/small",
    "suricata/small",
    "tshark/small",
    "tcpdump/flood",
    "replay/flood",
    "extract/live",
    "extract/demo",
    "tcpdump/veth",
    "run/veth",
    "run-2/veth",
    "run-half/veth",
];

#[test]
fn quantiles_and_sums_are_read_from_a_page_of_metrics() {
    use whole::metrics_page::{quantile, sum};
    const PAGE: &str = "# HELP t_seconds x\nt_seconds_bucket{le=\"0.1\"} 50\nt_seconds_bucket{le=\"0.2\"} 100\n\
                        t_seconds_bucket{le=\"+Inf\"} 100\nc_total{a=\"1\"} 2\nc_total{a=\"2\"} 3\n";
    let close = |page: &str, of: f64, wanted: f64| {
        let got = quantile(page, "t_seconds", of);
        assert!(got.is_some_and(|got| (got - wanted).abs() < 1e-9), "{got:?}");
    };
    close(PAGE, 0.5, 0.1);
    close(PAGE, 0.25, 0.05);
    close(PAGE, 0.99, 0.198);
    close("t_seconds_bucket{le=\"1\"} 0\nt_seconds_bucket{le=\"+Inf\"} 4\n", 0.99, 1.0);
    assert_eq!(quantile("t_seconds_bucket{le=\"+Inf\"} 0\n", "t_seconds", 0.99), None);
    assert_eq!(sum(PAGE, "c_total"), 5.0);
}

const COUNTS: &str = "tolerance 3\nother-rustc-tolerance 10\nrustc 1.0.0\nhost here\nvalgrind 3\n\
                      start 5000.0 1\nextract 1000.0 50\nreplay 2000.0 50\n";

/// Compares counts with a baseline: whether they pass, and what is said.
fn compare(baseline: &str, measured: &str) -> (bool, String) {
    let folder = TempDir::new().expect("a folder");
    let file = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("a file");
        folder.path().join(name)
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/counts.sh");
    let mut command = Command::new(script);
    command.arg("compare").arg(file("baseline.txt", baseline)).arg(file("measured.txt", measured));
    let output = command.output().expect("bash runs");
    (output.status.success(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn more_instructions_than_the_baseline_allows_fail() {
    let with = |from: &str, to: &str| compare(COUNTS, &COUNTS.replace(from, to));
    assert!(compare(COUNTS, COUNTS).0);
    assert!(with("replay 2000.0", "replay 2059.0").0, "within the tolerance");
    let (passed, said) = with("replay 2000.0", "replay 2061.0");
    assert!(!passed && said.contains("+3.05%  MORE than 3 % allow"), "{said}");
    let (passed, said) = with("start 5000.0", "start 5500.0");
    assert!(!passed && said.contains("MORE"), "the start counts too: {said}");
    let (passed, said) = with("extract 1000.0", "extract 960.0");
    assert!(passed && said.contains("make counts UPDATE=1"), "a gain asks to be kept: {said}");
}

#[test]
fn counts_that_cannot_be_compared_say_so() {
    let with = |changes: &[(&str, &str)]| {
        compare(COUNTS, &changes.iter().fold(COUNTS.to_owned(), |text, (from, to)| text.replace(from, to)))
    };
    let other = ("rustc 1.0.0", "rustc 1.1.0");
    let (passed, said) = with(&[other, ("replay 2000.0", "replay 2190.0")]);
    assert!(passed && said.contains("note: the baseline is of rustc 1.0.0, this is 1.1.0"), "{said}");
    assert!(!with(&[other, ("replay 2000.0", "replay 2210.0")]).0, "no compiler makes that much of a difference");
    let (passed, said) = with(&[("host here", "host there"), ("replay 2000.0", "replay 9000.0")]);
    assert!(passed && said.contains("not compared"), "{said}");
    let (passed, said) = with(&[("replay 2000.0 50", "replay 2000.0 51")]);
    assert!(!passed && said.contains("this trace has 51"), "another trace: {said}");
    let (passed, said) = with(&[("replay 2000.0 50\n", "")]);
    assert!(!passed && said.contains("not measured"), "{said}");
    let (passed, said) = with(&[("replay 2000.0 50", "replay 2000.0 50\nmore 1.0 50")]);
    assert!(!passed && said.contains("more: not in the baseline"), "{said}");
    assert!(!compare("rustc 1.0.0\nhost here\n", COUNTS).0, "no tolerance");
}

#[test]
fn the_committed_baseline_is_whole() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instruction-counts.txt");
    let text = std::fs::read_to_string(path).expect("a file");
    let (passed, said) = compare(&text, &text);
    assert!(passed, "{said}");
    for work in ["start", "extract-standard", "extract-cic", "replay", "extract-small", "replay-flood"] {
        assert!(said.lines().any(|line| line.starts_with(work)), "{work} is not in the baseline");
    }
    let doctored: Vec<String> = text
        .lines()
        .map(|line| match *line.split_whitespace().collect::<Vec<_>>() {
            ["replay", count, packets] => {
                let count: f64 = count.parse().expect("a number");
                format!("replay {} {packets}", count * 0.96)
            }
            _ => line.to_owned(),
        })
        .collect();
    let (passed, said) = compare(&doctored.join("\n"), &text);
    assert!(!passed && said.lines().any(|line| line.starts_with("replay ") && line.contains("MORE")), "{said}");
}
