//! Against the captures and the labelled flows beside the repository, where they are present.

use std::fs;

use super::program::succeed;
use super::util::capture_file::{Captured, Pcap};
use super::util::published::PUBLISHED;
use super::{Folder, alerting, shared};

/// The rows of one label of the published data, as a CSV of its own.
fn rows_of(folder: &Folder, label: &str) -> Option<String> {
    let data = shared("data/k8s-misuse")?;
    let (flows, labels) = (unpacked(&data.join("train.csv.gz")), unpacked(&data.join("train_labels.csv.gz")));
    let column = labels.lines().next()?.split(',').position(|name| name == "LabelFlow").expect("a column");
    let mut lines = vec![flows.lines().next().expect("a header")];
    let of_label = |line: &str| line.split(',').nth(column) == Some(label);
    lines.extend(flows.lines().skip(1).zip(labels.lines().skip(1)).filter(|(_, l)| of_label(l)).map(|(f, _)| f));
    Some(folder.write("published.csv", &(lines.join("\n") + "\n")))
}

/// How many rows a model calls reconnaissance with a score that alerts.
fn recon(flows: &str, model: Option<&str>) -> Vec<bool> {
    let args = ["predict", flows, "--model", model.unwrap_or(PUBLISHED)];
    let is_told = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        cells[0] == "recon" && cells[1].parse::<f32>().expect("a score") >= 0.5
    };
    succeed(&args).lines().skip(1).map(is_told).collect()
}

/// Cuts a capture in two at the middle of its time.
fn halves(folder: &Folder, name: &str) -> Option<[String; 2]> {
    let path = shared("captures")?.join(name);
    let mut file = pcap::Capture::from_file(&path).expect("a capture");
    let mut frames = Vec::new();
    while let Ok(packet) = file.next_packet() {
        let time = packet.header.ts.tv_sec * 1_000_000 + packet.header.ts.tv_usec;
        frames.push(Captured::whole(time, 1, packet.data.to_vec()));
    }
    let (begins, ends) = (frames.first()?.nanos, frames.last()?.nanos);
    let (frames, second): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.nanos < begins.midpoint(ends));
    Some([("first.pcap", frames), ("second.pcap", second)].map(|(name, frames)| {
        fs::write(folder.path(name), Pcap::default().write(&frames)).expect("written");
        folder.path(name)
    }))
}

#[test]
fn half_of_a_real_capture_silences_the_other_and_no_published_reconnaissance_is_lost() {
    let folder = Folder::new();
    let Some(published) = rows_of(&folder, "2") else { return };
    let before = recon(&published, None);
    assert!(before.iter().filter(|told| **told).count() > 1_580);
    let mut alarms = 0;
    for name in CAPTURES {
        let Some([first, second]) = halves(&folder, name) else { return };
        alarms += alerting(&folder.replay(None, &[&first, &second]));
        let said = folder.learn("model.fsm", &["--capture", &first]);
        let after = folder.replay(Some("model.fsm"), &[&second]);
        assert_eq!(alerting(&after) * 1_000 / after.len().max(1), 0, "{name}: {} flows\n{said}", after.len());
        let now = recon(&published, Some(&folder.path("model.fsm")));
        let lost = before.iter().zip(&now).filter(|(was, is)| **was && !**is).count();
        assert_eq!(lost, 0, "{name}: published reconnaissance was lost\n{said}");
    }
    assert!(alarms > 150, "{alarms} alarms in all: these captures prove nothing");
}

#[test]
fn published_attacks_are_not_absorbed() {
    let folder = Folder::new();
    let Some(published) = rows_of(&folder, "2") else { return };
    let before = recon(&published, None);
    let report = folder.path("report.json");
    folder.learn("model.fsm", &["--flows", &published, "--holdback", "0", "--report", &report]);
    let report = folder.json("report.json");
    assert!(report["flows"]["absorbed"].as_u64() <= Some(2), "{}", report["flows"]);
    assert!(report["guard"]["refused"]["recon"].as_u64() > Some(1_580), "{}", report["guard"]);
    let now = recon(&published, Some(&folder.path("model.fsm")));
    let lost = before.iter().zip(&now).filter(|(was, is)| **was && !**is).count();
    assert!(lost <= 2, "{lost} lost");
}

#[test]
fn a_service_that_training_never_saw_is_learnt_from_one_half_of_its_flows() {
    let folder = Folder::new();
    let (Some(data), Some(published)) = (shared("data/k8s-misuse"), rows_of(&folder, "2")) else { return };
    let (flows, labels) = (unpacked(&data.join("train.csv.gz")), unpacked(&data.join("train_labels.csv.gz")));
    // OVN's database, a third of all flows.
    let is_left_out = |labels: &str| labels.ends_with(",0,6642");
    let pairs: Vec<(&str, &str)> = flows.lines().skip(1).zip(labels.lines().skip(1)).collect();
    let (mut service, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(_, labels)| is_left_out(labels));
    service.sort_by_key(|(flow, _)| flow.split(',').nth(6));
    let file = |name: &str, text: &str, rows: &[&str]| {
        folder.write(name, &format!("{}\n{}\n", text.lines().next().expect("a header"), rows.join("\n")))
    };
    let (known, known_labels): (Vec<&str>, Vec<&str>) = rest.into_iter().unzip();
    let (known, known_labels) = (file("known.csv", &flows, &known), file("labels.csv", &labels, &known_labels));
    let (first, second) = service.split_at(service.len() / 2);
    let [first, second] = [("first.csv", first), ("second.csv", second)]
        .map(|(name, part)| file(name, &flows, &part.iter().map(|(flow, _)| *flow).collect::<Vec<_>>()));
    let parent = folder.path("parent.fsm");
    succeed(&["train", "--data", &known, "--labels", &known_labels, "--output", &parent]);

    let alerts = |model: &str| {
        let verdicts = succeed(&["predict", "--model", model, &second]);
        verdicts.lines().skip(1).filter(|line| !line.starts_with("benign")).count()
    };
    let (before, flows) = (alerts(&parent), service.len() - service.len() / 2);
    assert!(before * 2 > flows, "{before} of {flows} alert before");
    let said = folder.learn("child.fsm", &["--model", &parent, "--flows", &first]);
    let after = alerts(&folder.path("child.fsm"));
    assert!(after * 1_000 <= flows, "{after} of {flows} alert still\n{said}");
    let (was, is) = (recon(&published, Some(&parent)), recon(&published, Some(&folder.path("child.fsm"))));
    assert_eq!(was.iter().zip(&is).filter(|(was, is)| **was && !**is).count(), 0, "reconnaissance was lost\n{said}");
}

fn unpacked(path: &std::path::Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(path).expect("a file");
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).expect("text");
    text
}

/// Benign captures that the default model alarms on, in both of whose halves the same applications speak.
const CAPTURES: [&str; 5] = [
    "039_tls2.pcap",
    "052_ldap-max-recursion.pcap",
    "071_methods.pcap",
    "081_smb2-09-trunc-file-logging__input.pcap",
    "112_nest_log_sink.pcap",
];
