//! The traffic lab (tests/lab): its smoke with the daemon looking on, and that nothing is left of a run that is cut short.

mod util;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use util::skip::skipped;

/// Real servers, a scan and guessed passwords: every flow has a label, every run flows of its label, and the daemon looks on with
/// the second model. Both hostile runs are alerted; the default model does not find the guessing. There are some 900 benign flows, one alert on which is more
/// than 1 in 1,000: `make lab-smoke` is held against that, here more than a few are a failure.
#[test]
fn the_smoke_labels_every_flow_and_a_daemon_with_the_forest_alerts_both_attacks() {
    let Some(()) = can_run(&["--smoke"]) else { return };
    let out = tempfile::tempdir().expect("a folder");
    let output =
        lab(&["smoke", "--gate", "5", "--model", concat!(env!("CARGO_MANIFEST_DIR"), "/models/forest.fsm"), "--out"])
            .arg(out.path())
            .output()
            .expect("the lab runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("alerts per 1,000 benign flows"), "{said}");

    let flows = fs::read_to_string(out.path().join("smoke.csv")).expect("labelled flows");
    assert!(!flows.contains("NeedManualLabel"), "flows without a label");
    for label in ["benign", "recon.port-scan", "brute-force.ssh"] {
        assert!(flows.contains(&format!(",{label},")), "no flow is {label}");
    }
    let left: Vec<_> =
        fs::read_dir(out.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".work")), "{left:?}");
}

#[test]
fn an_interrupted_run_leaves_no_process_namespace_or_file() {
    cut_short("INT");
    cut_short("TERM");
}

/// A killed lab cannot tidy up: the kernel ends its processes and namespaces, and `clean` removes the unfinished files.
#[test]
fn a_killed_run_leaves_no_process_or_namespace_and_clean_removes_its_files() {
    cut_short("KILL");
}

fn cut_short(signal: &str) {
    let Some(()) = can_run(&["nginx-browse"]) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = lab(&["run", "nginx-browse", "--half", "train", "--out"])
        .arg(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the lab runs");
    wait_for_captures(&mut child, folder.path(), 2);
    let namespaces = namespaces_of_runs(folder.path());
    assert!(namespaces.len() > 10, "two nodes with their pods have more namespaces than {namespaces:?}");
    assert!(!processes_in(&namespaces).is_empty());

    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().expect("piped")).lines() {
        said += &line.expect("text");
    }
    assert!(!child.wait().expect("it ends").success(), "{said}");
    // The kernel has been told to end them; a killed process is there until it has run once more.
    while !processes_in(&namespaces).is_empty() {
        std::thread::yield_now();
    }
    // A run that went on to its own end would have left one.
    assert_eq!(files_of_runs(folder.path(), "json"), 0, "a run outlived the lab that SIG{signal} ended");
    if signal == "KILL" {
        assert!(lab(&["clean", "--out"]).arg(folder.path()).status().expect("the lab runs").success());
    }
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    assert!(left.is_empty(), "SIG{signal} left {left:?}");
}

/// Until so many runs capture, which is after they made everything else.
fn wait_for_captures(child: &mut Child, out: &Path, count: usize) {
    while files_of_runs(out, "pcap") < count {
        assert!(child.try_wait().expect("its state").is_none(), "the lab ended before it captured");
        std::thread::yield_now();
    }
}

/// Unfinished files of a lab's runs, in the folders that it works in.
fn files_of_runs(out: &Path, extension: &str) -> usize {
    let works = fs::read_dir(out).into_iter().flatten().flatten();
    let runs = works.flat_map(|work| fs::read_dir(work.path()).into_iter().flatten().flatten());
    let files = runs.flat_map(|run| fs::read_dir(run.path()).into_iter().flatten().flatten());
    files.filter(|file| file.path().extension().is_some_and(|found| found == extension)).count()
}

/// The namespaces of a lab's runs: every process below the runs' first ones has one of their pid namespaces.
fn namespaces_of_runs(out: &Path) -> BTreeSet<u64> {
    let out = out.to_string_lossy().into_owned();
    let own = namespace(Path::new("/proc/self"), "pid");
    let first = |process: &PathBuf| {
        let command = fs::read(process.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        command.contains("lab.py node") && command.contains(&out)
    };
    let all = processes();
    let mut found: BTreeSet<u64> =
        all.iter().filter(|process| first(process)).filter_map(|process| namespace(process, "pid")).collect();
    found.retain(|pid| Some(*pid) != own);
    let members = all.iter().filter(|process| namespace(process, "pid").is_some_and(|pid| found.contains(&pid)));
    let nets: Vec<u64> =
        members.flat_map(|process| [namespace(process, "net"), namespace(process, "mnt")]).flatten().collect();
    found.extend(nets);
    for kind in ["net", "mnt", "pid"] {
        assert!(
            namespace(Path::new("/proc/self"), kind).is_none_or(|own| !found.contains(&own)),
            "a run stands in our own {kind} namespace"
        );
    }
    found
}

fn processes_in(namespaces: &BTreeSet<u64>) -> Vec<PathBuf> {
    let within = |process: &PathBuf| {
        ["net", "mnt", "pid"].iter().any(|kind| namespace(process, kind).is_some_and(|one| namespaces.contains(&one)))
    };
    processes().into_iter().filter(within).collect()
}

fn processes() -> Vec<PathBuf> {
    let entries = fs::read_dir("/proc").expect("a /proc").flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit())).collect()
}

fn namespace(process: &Path, kind: &str) -> Option<u64> {
    fs::metadata(process.join("ns").join(kind)).ok().map(|file| file.ino())
}

/// None, with the reason, where the lab cannot run: without root, or without the packages of these scenarios.
fn can_run(scenarios: &[&str]) -> Option<()> {
    if fs::metadata("/proc/self").map(|own| own.uid()).ok() != Some(0) {
        skipped("the traffic lab makes network namespaces, which needs root");
        return None;
    }
    let Ok(wanted) = lab(&["packages"]).args(scenarios).output() else {
        skipped("the traffic lab needs /usr/bin/python3");
        return None;
    };
    if !wanted.status.success() {
        skipped("the traffic lab needs python3-yaml: .ci/setup.sh lab installs it");
        return None;
    }
    let wanted = String::from_utf8_lossy(&wanted.stdout).into_owned();
    let installed = |package: &&str| {
        let state = Command::new("dpkg-query").args(["-W", "-f", "${Status}", package]).output();
        state.is_ok_and(|state| state.stdout == b"install ok installed")
    };
    let missing: Vec<_> = wanted.lines().filter(|package| !installed(package)).collect();
    if !missing.is_empty() {
        skipped(&format!("packages of the traffic lab are not installed (.ci/setup.sh lab): {}", missing.join(", ")));
        return None;
    }
    Some(())
}

fn lab(args: &[&str]) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab.py")).args(args);
    command.env("FLOWSHRIKE", env!("CARGO_BIN_EXE_flowshrike")).stdin(Stdio::null());
    command
}
