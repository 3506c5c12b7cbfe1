//! The daemon on a real interface, in namespaces of the test's own: live equals offline, books balance, metrics tell it,
//! and it stops as it should.

#[path = "util/awkward.rs"]
mod awkward;
#[path = "util/daemon.rs"]
mod daemon;
mod util;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use daemon::{Daemon, Ended};
use serde_json::Value;
use tempfile::TempDir;
use util::capture_file::{Captured, Pcap};
use util::netns::{self, End, Namespace, VethPair};
use util::published::PUBLISHED;
use util::skip::skipped;
use util::traffic::{Link, Pace, START, Traffic};

/// Everyday calls, a database, DNS, and a quick sweep: enough for alerts, within a second.
fn traffic() -> Traffic {
    let mut t = Traffic::new(23);
    for n in 0..60u16 {
        let at = f64::from(n) * 0.01;
        let client = format!("10.244.1.{}:{}", n % 20 + 2, 40_000 + n);
        t.tcp(client.as_str(), "10.96.0.20:80").at(at).pace(Pace::NODE).request(120).response(9_000).close();
        let client = format!("10.244.2.{}:{}", n % 20 + 2, 50_000 + n);
        t.udp(client.as_str(), "10.96.0.10:53").at(at + 0.003).request(40).response(120);
    }
    t.tcp("10.244.1.9:45000", "10.96.0.30:5432").at(0.1).request(60).response(500).request(40).response(3_000);
    t.tcp("[fd00::5]:40000", "[fd00::20]:80").segment_size(1_400).at(0.1).request(120).response(4_000).close();
    t.echo("10.244.1.1", "10.244.1.5").at(0.2).times(3);
    t.sweep("10.244.1.66", "10.244.1.30").at(0.3).ports(1..=200);
    t
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

/// Flow records, without what a clock of its own decides: why a flow ended that nothing on the wire ended.
fn flows(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("a file");
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).expect("JSON");
            let reason = &mut record["end_reason"];
            if *reason == "idle_timeout" {
                *reason = "forced".into();
            }
            record.to_string()
        })
        .collect();
    lines.sort();
    lines
}

fn tcpdump_is_there() -> bool {
    let found = Command::new("tcpdump").arg("--version").output().is_ok();
    if !found {
        skipped("needs tcpdump");
    }
    found
}

fn assert_balanced(ended: &Ended, summary: &Value) {
    assert!(ended.status.success(), "{}:\n{}", ended.status, ended.log);
    assert!(ended.took < Duration::from_secs(5), "it took {:?} to stop", ended.took);
    let sum = |value: &Value| -> u64 {
        value.as_object().map_or(0, |counts| counts.values().filter_map(Value::as_u64).sum())
    };
    let (packets, flows, alerts) = (&summary["packets"], &summary["flows"], &summary["alerts"]);
    let number = |value: &Value| value.as_u64().expect("a count");
    assert_eq!(number(&packets["received"]), number(&packets["parsed"]) + sum(&packets["unparsed"]));
    assert_eq!(number(&flows["created"]), sum(&flows["ended"]) + number(&flows["active"]));
    assert_eq!(sum(&flows["ended"]), sum(&flows["classified"]) + sum(&flows["unclassified"]));
    let told = number(&alerts["emitted"]) + number(&alerts["suppressed"]) + number(&alerts["lost"]);
    assert_eq!(number(&alerts["predicted"]), told);
}

/// Daemons with one, two and three workers on one interface, and one whose readers send packets on to its workers,
/// all beside one tcpdump: the kernel stamps each packet once for all of them, so their flow records are equal, and
/// equal to those of `replay` over tcpdump's file.
#[test]
fn any_number_of_workers_sees_live_what_replay_sees_offline() {
    let Some(bed) = VethPair::new("equal") else { return };
    if !tcpdump_is_there() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let mut frames = traffic().frames(Link::Ethernet);
    frames.extend(awkward::frames(10).into_iter().map(|data| Captured::whole(START, 1, data)));
    std::fs::write(at("sent.pcap"), Pcap::default().write(&frames)).expect("a file");

    let mut tcpdump = bed.right.command("tcpdump");
    tcpdump
        .args(["-i", &bed.right.interface, "-U", "-B", "32768", "-w"])
        .arg(at("tcpdump.pcap"))
        .stderr(Stdio::piped());
    let mut tcpdump = tcpdump.spawn().expect("tcpdump runs");
    netns::until("tcpdump listens", || std::fs::metadata(at("tcpdump.pcap")).is_ok_and(|file| file.len() >= 24));
    let variants: [(&str, &[&str]); 4] = [
        ("one", &["--workers", "1"]),
        ("two", &["--workers", "2"]),
        ("three", &["--workers", "3"]),
        ("dispatched", &["--workers", "3", "--interface", "lo", "--filter", "not net 127.0.0.0/8"]),
    ];
    let mut daemons: Vec<_> = variants
        .into_iter()
        .map(|(name, arguments)| {
            let outputs = [at(&format!("{name}.jsonl")), at(&format!("{name}.json"))];
            let [flows, summary] = outputs.each_ref().map(|path| path.to_str().expect("UTF-8"));
            let arguments = [arguments, &["--flows", flows, "--summary", summary]].concat();
            (name, Daemon::start(&bed.right, &arguments))
        })
        .collect();

    let sent = bed.left.replay_file(&at("sent.pcap"), 10_000);
    for (name, daemon) in &mut daemons {
        let name = *name;
        daemon.until("every packet has come", |daemon| {
            let all = daemon.metric(&bed.right, "flowshrike_packets_received_total")
                + daemon.metric(&bed.right, "flowshrike_packets_dropped_total");
            all >= sent as f64
        });
        let up = format!("flowshrike_interface_up{{interface=\"{}\"}}", bed.right.interface);
        assert_eq!(daemon.metric(&bed.right, &up), 1.0, "{name}: counted once");
        let has_queue = daemon.metric(&bed.right, "flowshrike_queue_capacity{queue=\"packets\"}") > 0.0;
        assert_eq!(has_queue, name == "dispatched", "{name}: packets wait only where they are sent on");
    }
    // The same frames, whole, in the same format.
    let size = |name: &str| std::fs::metadata(at(name)).map_or(0, |file| file.len());
    netns::until("tcpdump has written every packet", || size("tcpdump.pcap") == size("sent.pcap"));
    Command::new("kill").args(["-INT", &tcpdump.id().to_string()]).status().expect("kill runs");
    tcpdump.wait().expect("tcpdump ends");
    let replayed = at("replayed.jsonl");
    let replay = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
        .args(["replay", "--strict", "--flows"])
        .arg(&replayed)
        .arg(at("tcpdump.pcap"))
        .output()
        .expect("the binary runs");
    assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
    let offline = flows(&replayed);
    assert!(offline.len() > 400, "{} flows", offline.len());

    for (name, daemon) in daemons {
        let ended = daemon.stop("TERM");
        let summary = json(&at(&format!("{name}.json")));
        assert_balanced(&ended, &summary);
        let count = |value: &Value| value.as_u64().expect("a count");
        let dropped = count(&summary["capture"]["dropped_kernel"]);
        assert_eq!(count(&summary["packets"]["received"]) + dropped, sent, "{name}: received + dropped = sent");
        assert_eq!(dropped, 0, "{name}: nothing is dropped at this speed");
        let live = flows(&at(&format!("{name}.jsonl")));
        let differing = live.iter().zip(&offline).find(|(live, offline)| live != offline);
        let lengths = (live.len(), offline.len());
        assert!(differing.is_none() && lengths.0 == lengths.1, "{name}: {lengths:?} flows; {differing:#?}");
    }
}

#[test]
fn alerts_metrics_and_the_model_are_told_while_it_runs() {
    let Some(bed) = VethPair::new("told") else { return };
    let folder = TempDir::new().expect("a folder");
    scan(40).write_pcap(&folder.path().join("scan.pcap"));
    let mut daemon = Daemon::start(&bed.right, &EACH);
    bed.left.replay_file(&folder.path().join("scan.pcap"), 5_000);
    daemon.until("the scan is told of", |daemon| {
        daemon.metric(&bed.right, "flowshrike_alerts_emitted_total") >= 1.0
            && daemon.metric(&bed.right, "flowshrike_flows_classified_total") >= 40.0
    });
    let right = &bed.right;
    daemon.until("the flows are counted", |daemon| {
        daemon.metric(right, "flowshrike_flows_ended_total{reason=\"end_of_flow\"}") == 40.0
    });
    assert!(daemon.metric(right, "flowshrike_detection_latency_seconds_count") >= 1.0);
    assert!(daemon.metric(right, "flowshrike_last_packet_timestamp_seconds") > 1.7e9);
    assert_eq!(daemon.metric(right, &format!("flowshrike_interface_up{{interface=\"{}\"}}", right.interface)), 1.0);
    let (status, model) = daemon.get(right, "/model");
    let model: Value = serde_json::from_str(&model).expect("JSON");
    assert_eq!((status, model["engine"].as_str(), model["profile"].is_string()), (200, Some("knn"), true));
    assert_eq!(daemon.get(right, "/healthz").0, 200);
    let ended = daemon.stop("INT");
    assert!(ended.status.success(), "{}", ended.log);
    assert!(ended.log.contains("unlike"), "it says what the model knows: {}", ended.log);
    let alerts: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(!alerts.is_empty());
    assert_eq!(alerts[0]["event_type"], "alert");
    assert_eq!(alerts[0]["in_iface"].as_str(), Some(bed.right.interface.as_str()));
    assert_eq!(alerts[0]["flowshrike"]["label"], "recon");
}

/// By the model of the published flows, which tells of each flow by itself.
const EACH: [&str; 2] = ["--model", PUBLISHED];

/// Requests of a scanner, each a flow that this model calls reconnaissance.
fn scan(requests: u16) -> Traffic {
    let mut t = Traffic::new(5);
    for n in 0..requests {
        let client = format!("10.244.1.66:{}", 40_000 + n);
        // Short, and answered with a small error page.
        t.tcp(client.as_str(), "10.244.1.30:1880")
            .at(f64::from(n) * 0.01)
            .pace(Pace::NODE)
            .request(340)
            .response(413)
            .close();
    }
    t
}

#[test]
fn a_reader_that_takes_nothing_costs_alerts_and_not_the_daemon() {
    let Some(bed) = VethPair::new("stuck") else { return };
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    scan(400).write_pcap(&at("scan.pcap"));
    std::fs::write(at("config.yaml"), "alert:\n  dedup_window: off\n").expect("a file");
    let (config, summary) = (at("config.yaml"), at("summary.json"));
    let arguments = ["--config", config.to_str().expect("UTF-8"), "--summary", summary.to_str().expect("UTF-8")];
    // Its stdout is a pipe that nobody reads; 400 alerts are several times what a pipe holds.
    let mut daemon = Daemon::start(&bed.right, &[&EACH[..], &arguments].concat());
    bed.left.replay_file(&at("scan.pcap"), 5_000);
    daemon.until("alerts are lost", |daemon| {
        daemon.metric(&bed.right, "flowshrike_alerts_lost_total{reason=\"blocked\"") >= 1.0
    });
    let ended = daemon.stop_unread("TERM");
    let summary = json(&summary);
    assert_balanced(&ended, &summary);
    let lines = ended.stdout.lines().count() as u64;
    assert_eq!(summary["alerts"]["emitted"].as_u64(), Some(lines), "what was counted as written is there");
    assert!(summary["alerts"]["lost"].as_u64() > Some(0));
}

#[test]
fn a_lost_interface_is_not_ready_until_it_is_back() {
    lost_and_back("lost", "1");
}

#[test]
fn a_lost_interface_comes_back_to_all_workers() {
    lost_and_back("lost2", "2");
}

fn lost_and_back(label: &str, workers: &str) {
    let Some(bed) = VethPair::new(label) else { return };
    let folder = TempDir::new().expect("a folder");
    let sent = folder.path().join("sent.pcap");
    let frames: Vec<_> = awkward::frames(8).into_iter().map(|data| Captured::whole(START, 1, data)).collect();
    std::fs::write(&sent, Pcap::default().write(&frames)).expect("a file");
    let mut daemon = Daemon::start(&bed.right, &["--workers", workers]);
    bed.right.namespace.ip(&["link", "del", &bed.right.interface]);
    daemon.until("it is not ready", |daemon| daemon.get(&bed.right, "/readyz").0 == 503);
    daemon.until("the loss is told", |daemon| daemon.metric(&bed.right, "flowshrike_interface_up") == 0.0);
    assert_eq!(daemon.get(&bed.right, "/healthz").0, 200, "it is well all the same");
    bed.left.namespace.veth(&bed.left.interface, &bed.right.namespace, &bed.right.interface);
    bed.left.namespace.link_up(&bed.left.interface);
    bed.right.namespace.link_up(&bed.right.interface);
    daemon.until("it is ready again", |daemon| daemon.get(&bed.right, "/readyz").0 == 200);
    daemon.until("the return is counted", |daemon| {
        daemon.metric(&bed.right, "flowshrike_interface_reopens_total") == 1.0
    });
    assert_eq!(daemon.metric(&bed.right, "flowshrike_interface_up"), 1.0);
    let packets = bed.left.replay_file(&sent, 10_000);
    daemon.until("it sees every packet again", |daemon| {
        daemon.metric(&bed.right, "flowshrike_packets_received_total") == packets as f64
    });
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
}

#[test]
fn a_quiet_interface_times_flows_out_and_stops_at_once() {
    let Some(bed) = VethPair::new("quiet") else { return };
    let folder = TempDir::new().expect("a folder");
    let mut t = Traffic::new(5);
    t.udp("10.244.2.3:50000", "10.96.0.10:53").at(0.0).request(40).response(120);
    t.write_pcap(&folder.path().join("dns.pcap"));
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, "flow:\n  idle_timeout: 1s\n").expect("a file");
    let mut daemon = Daemon::start(&bed.right, &["--config", config.to_str().expect("UTF-8")]);
    bed.left.replay_file(&folder.path().join("dns.pcap"), 0);
    // No packet comes any more: only the clock can end the flow.
    daemon.until("the flow has timed out", |daemon| {
        daemon.metric(&bed.right, "flowshrike_flows_ended_total{reason=\"idle_timeout\"}") >= 1.0
    });
    let ended = daemon.stop("TERM");
    assert!(ended.status.success() && ended.took < Duration::from_secs(5), "{:?}\n{}", ended.took, ended.log);
}

#[test]
fn a_second_signal_ends_at_once() {
    let Some(bed) = VethPair::new("twice") else { return };
    let daemon = Daemon::start(&bed.right, &[]);
    // Both signals wait while it is stopped, so they come one right after the other.
    for signal in ["STOP", "TERM", "INT"] {
        daemon.signal(signal);
    }
    let ended = daemon.stop("CONT");
    assert!(matches!(ended.status.code(), Some(130 | 143)), "{}:\n{}", ended.status, ended.log);
}

#[test]
fn copies_on_any_are_warned_of_in_log_and_metric() {
    let Some(bed) = VethPair::new("copies") else { return };
    let mut command = bed.right.command(env!("CARGO_BIN_EXE_flowshrike"));
    command.args(["run", "--interface", "any", "--listen", "127.0.0.1:0"]);
    let mut daemon = Daemon::spawn(&bed.right, command);
    daemon.until("the metric tells it", |daemon| {
        daemon.metric(&bed.right, "flowshrike_interface_duplicates_possible{interface=\"any\"}") == 1.0
    });
    let ended = daemon.stop("TERM");
    assert!(ended.status.success() && ended.log.contains("any_shows_copies"), "{}", ended.log);
}

#[test]
fn several_interfaces_are_read_and_alerts_name_theirs() {
    let Some(bed) = VethPair::new("several") else { return };
    let folder = TempDir::new().expect("a folder");
    let capture = folder.path().join("scan.pcap");
    scan(30).write_pcap(&capture);
    let (interface, right) = (&bed.right.interface, &bed.right);
    let mut command = right.command(env!("CARGO_BIN_EXE_flowshrike"));
    command.args(["run", "--interface", &format!("{interface},lo"), "--listen", "127.0.0.1:0"]).args(EACH);
    let mut daemon = Daemon::spawn(right, command);
    let sent = bed.left.replay_file(&capture, 5_000);
    let received = |daemon: &Daemon, interface: &str| {
        daemon.metric(right, &format!("flowshrike_packets_received_total{{interface=\"{interface}\"}}"))
    };
    // The requests for metrics themselves pass over loopback.
    daemon.until("both are read", |daemon| received(daemon, interface) == sent as f64 && received(daemon, "lo") > 0.0);
    daemon.until("the scan is told of", |daemon| daemon.metric(right, "flowshrike_alerts_emitted_total") >= 1.0);
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
    let alerts: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_scan = alerts.iter().filter(|alert| alert["src_ip"] == "10.244.1.66");
    assert!(of_scan.clone().count() >= 1 && of_scan.into_iter().all(|alert| alert["in_iface"] == interface.as_str()));
}

/// A pod on the node: its own end, and the link on the node, which is not up yet.
fn pod(node: &Namespace, link: &str) -> Option<End> {
    let namespace = Namespace::new(link)?;
    node.veth(link, &namespace, "eth0");
    namespace.link_up("eth0");
    Some(End { namespace, interface: "eth0".to_owned() })
}

/// The daemon with its default choice of interfaces.
fn auto(node: &End) -> Daemon {
    let mut command = node.command(env!("CARGO_BIN_EXE_flowshrike"));
    command.args(["run", "--listen", "127.0.0.1:0"]).args(EACH);
    Daemon::spawn(node, command)
}

/// Scans from a pod until the daemon has counted it, ends the daemon, and looks where it says to have seen the scan.
fn sees_the_scan_on(interface: &str, mut daemon: Daemon, node: &End, pod: &End) {
    let folder = TempDir::new().expect("a folder");
    let capture = folder.path().join("scan.pcap");
    scan(30).write_pcap(&capture);
    let received = |daemon: &Daemon| daemon.metric(node, "flowshrike_packets_received_total");
    let before = received(&daemon);
    let sent = pod.replay_file(&capture, 5_000) as f64;
    daemon.until("the scan is counted", |daemon| received(daemon) >= before + sent);
    daemon.until("the scan is told of", |daemon| daemon.metric(node, "flowshrike_alerts_emitted_total") >= 1.0);
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
    let alerts: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(!alerts.is_empty() && alerts.iter().all(|alert| alert["in_iface"] == interface), "{}", ended.stdout);
}

/// A node's first pod brings the network plugin's bridge: before it there is only the way out.
#[test]
fn auto_moves_to_the_bridge_that_the_first_pod_brings() {
    let Some(bed) = VethPair::new("first-pod") else { return };
    let node = &bed.right.namespace;
    node.ip(&["address", "add", "192.0.2.2/24", "dev", &bed.right.interface]);
    node.ip(&["route", "add", "default", "via", "192.0.2.1"]);
    let mut daemon = auto(&bed.right);
    assert!(daemon.log().contains("capturing on right0: auto"), "{}", daemon.log());
    let Some(first) = pod(node, "veth1") else { return };
    node.ip(&["link", "add", "cni0", "type", "bridge"]);
    node.ip(&["link", "set", "veth1", "master", "cni0"]);
    node.link_up("veth1");
    node.link_up("cni0");
    daemon.until("it watches the bridge", |daemon| daemon.log().contains("capturing on cni0: auto"));
    assert_eq!(daemon.get(&bed.right, "/readyz").0, 200);
    sees_the_scan_on("cni0", daemon, &bed.right, &first);
}

/// Network plugins without a bridge give each pod a link of its own.
#[test]
fn auto_reads_links_of_pods_that_come_and_gives_up_those_that_go() {
    let Some(bed) = VethPair::new("links") else { return };
    let node = &bed.right.namespace;
    let Some(first) = pod(node, "cali1") else { return };
    node.link_up("cali1");
    let mut daemon = auto(&bed.right);
    assert!(daemon.log().contains("capturing on cali1: auto"), "{}", daemon.log());
    let Some(second) = pod(node, "cali2") else { return };
    node.link_up("cali2");
    daemon.until("it reads the new link too", |daemon| daemon.log().contains("capturing on cali1, cali2: auto"));
    drop(first);
    daemon.until("it has given the old one up", |daemon| daemon.log().contains("capturing on cali2: auto"));
    assert_eq!(daemon.metric(&bed.right, "flowshrike_interface_up"), 1.0);
    assert_eq!(daemon.get(&bed.right, "/readyz").0, 200);
    let (_, health) = daemon.get(&bed.right, "/healthz");
    assert!(health.contains("capture-cali2") && !health.contains("capture-cali1"), "{health}");
    sees_the_scan_on("cali2", daemon, &bed.right, &second);
}

#[test]
fn what_cannot_run_is_refused_with_a_reason() {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
            .arg("run")
            .args(arguments)
            .output()
            .expect("the binary runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let folder = TempDir::new().expect("a folder");
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, "flow:\n  idle_timout: 1s\n").expect("a file");
    let config = config.to_str().expect("UTF-8").to_owned();
    for (arguments, code, words) in [
        (&["--interface", "no-such-device0", "--listen", "127.0.0.1:0"][..], 1, "no-such-device0"),
        (&["--config", &config], 2, "idle_timout"),
        (&["--snaplen", "none"], 2, "--snaplen"),
        (&["--model", "/nonexistent.fsm"], 1, "/nonexistent.fsm"),
    ] {
        let (got, stderr) = run(arguments);
        assert_eq!(got, Some(code), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
    }
}
