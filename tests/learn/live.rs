//! Learning from an interface, in a namespace of the test's own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};

use super::Folder;
use super::util::netns::{VethPair, until};
use super::util::published::PUBLISHED;
use super::util::traffic::Traffic;

/// Starts `learn` on the right end and waits until it captures.
fn start(bed: &VethPair, folder: &Folder, span: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = bed.right.command(env!("CARGO_BIN_EXE_flowshrike"));
    command.args([
        "learn",
        "--model",
        PUBLISHED,
        "--interface",
        &bed.right.interface,
        "--duration",
        span,
        "--holdback",
        "0",
    ]);
    command.args(["--output", &folder.path("live.fsm"), "--report", &folder.path("report.json")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert!(line.contains("capturing on right0"), "{line}");
    (child, said)
}

fn calls(n: u16) -> Traffic {
    let mut t = Traffic::new(31);
    for n in 0..n {
        let client = format!("10.244.3.{}:{}", n % 40 + 2, 33_000 + n);
        t.tcp(client.as_str(), "10.244.1.30:3000")
            .at(f64::from(n) / 100.0)
            .request(200)
            .response(6_000)
            .request(90)
            .response(900)
            .close();
    }
    t
}

/// Packets that an interface has received, as the kernel counts them.
fn received(bed: &VethPair) -> u64 {
    let path = format!("/sys/class/net/{}/statistics/rx_packets", bed.right.interface);
    let output = bed.right.namespace.run("cat", &[&path]);
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

fn finish(mut child: Child, mut said: BufReader<std::process::ChildStderr>) -> String {
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    let status = child.wait().expect("a child");
    assert!(status.success(), "{rest}");
    rest
}

#[test]
fn an_interface_is_learnt_from_until_the_time_is_over_or_somebody_ends_it() {
    let Some(bed) = VethPair::new("learn") else { return };
    let folder = Folder::new();
    calls(120).write_pcap(folder.path("sent.pcap").as_ref());
    for (span, ends_early) in [("3s", false), ("10m", true)] {
        let (child, said) = start(&bed, &folder, span);
        let before = received(&bed);
        let sent = bed.left.replay_file(folder.path("sent.pcap").as_ref(), 20_000);
        until("all packets have come", || received(&bed) >= before + sent);
        if ends_early {
            let pid = child.id().to_string();
            assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
        }
        let told = finish(child, said);
        assert!(told.contains("model     k8s-misuse 1+learn.1"), "{told}");
        let report = folder.json("report.json");
        assert_eq!(report["flows"]["all"], 120, "{span}: {report}");
        assert_eq!(report["captures"], serde_json::json!(["right0"]));
        assert!(report["points"]["added"].as_u64() > Some(0), "{report}");
    }
}

#[test]
fn an_interface_that_is_not_there_or_silent_leaves_no_model() {
    let Some(bed) = VethPair::new("silent") else { return };
    let folder = Folder::new();
    let output = folder.path("live.fsm");
    for (name, words) in [("nosuch0", "nosuch0"), ("right0", "no flows to learn from")] {
        let mut command = bed.right.command(env!("CARGO_BIN_EXE_flowshrike"));
        command.args(["learn", "--interface", name, "--duration", "1s", "--output", &output]);
        let ran = command.output().expect("the binary runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(1) && said.contains(words), "{said}");
        assert!(!std::fs::exists(&output).expect("a folder"));
    }
}
