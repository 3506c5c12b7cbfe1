//! A real Prometheus scrapes the running daemon, and promtool is content with what it gets.

#[path = "util/daemon.rs"]
mod daemon;
mod util;

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use daemon::Daemon;
use serde_json::Value;
use tempfile::TempDir;
use util::netns::VethPair;
use util::skip::skipped;
use util::traffic::Traffic;

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn prometheus_scrapes_the_daemon() {
    if Command::new("prometheus").arg("--version").output().is_err() {
        return skipped("needs prometheus (Debian's package)");
    }
    let Some(bed) = VethPair::new("prom") else { return };
    let folder = TempDir::new().expect("a folder");
    let capture = folder.path().join("calls.pcap");
    let mut t = Traffic::new(7);
    for n in 0..20u16 {
        let client = format!("10.244.1.9:{}", 40_000 + n);
        t.tcp(client.as_str(), "10.96.0.20:80").at(f64::from(n) * 0.01).request(120).response(900).close();
    }
    t.write_pcap(&capture);
    let mut daemon = Daemon::start(&bed.right, &[]);
    let sent = bed.left.replay_file(&capture, 5_000);

    let config = folder.path().join("prometheus.yml");
    let target = daemon.admin;
    std::fs::write(
        &config,
        format!("global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: flowshrike, static_configs: [{{targets: ['{target}']}}]}}]\n"),
    )
    .expect("a file");
    // The namespace is the test's own, so the usual port is free.
    let mut prometheus = bed.right.command("prometheus");
    prometheus
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg("--web.listen-address=127.0.0.1:9090")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _prometheus = Running(prometheus.spawn().expect("prometheus runs"));

    let ask = |query: &str| -> Option<f64> {
        let url = format!("http://127.0.0.1:9090/api/v1/query?query={query}");
        let output = bed.right.command("curl").args(["-sS", "--max-time", "5", &url]).output().ok()?;
        let answer: Value = serde_json::from_slice(&output.stdout).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    daemon.until("prometheus has scraped every packet", |_| {
        ask("sum(flowshrike_packets_received_total)") == Some(sent as f64)
    });
    assert_eq!(ask("up"), Some(1.0));
    daemon.until("prometheus has seen the flows end", |_| {
        ask("flowshrike_flows_ended_total{reason=\"end_of_flow\"}") == Some(20.0)
            || ask("sum(flowshrike_flows_ended_total)") == Some(20.0)
    });
    assert_eq!(ask("count(flowshrike_build_info)"), Some(1.0));

    let (status, body) = daemon.get(&bed.right, "/metrics");
    assert_eq!(status, 200);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool comes with prometheus");
    promtool.stdin.take().expect("a pipe").write_all(body.as_bytes()).expect("promtool reads");
    let verdict = promtool.wait_with_output().expect("promtool ends");
    let words = String::from_utf8_lossy(&verdict.stderr).into_owned() + &String::from_utf8_lossy(&verdict.stdout);
    assert!(verdict.status.success() && words.is_empty(), "promtool: {words}\n{body}");
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
}
