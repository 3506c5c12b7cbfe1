//! Benign applications that no model has seen: alarms go, attacks stay.

use super::program::succeed;
use super::util::traffic::{Pace, Side, Traffic};
use super::{Folder, alerting, demo};

/// Half an hour of a shop: pages in several requests over a connection, uploads, mail, a gateway with slow answers. The default
/// model calls most of it attacks.
fn shop(seed: u64, calls: u16) -> Traffic {
    let mut t = Traffic::new(seed);
    for n in 0..calls {
        let at = f64::from(n) * 0.9;
        let client = format!("10.244.3.{}:{}", n % 40 + 2, 33_000 + n % 20_000);
        let mut draw = |low, high| usize::try_from(t.random().between(low, high)).expect("a size");
        let (ask, answer, little, pause) = (draw(100, 400), draw(300, 3_000), draw(20, 90), draw(1, 1_000));
        let (turns, large) = (draw(3, 9), draw(9_000, 60_000));
        let pause = f64::from(u32::try_from(pause).expect("small")) / 1_000.0;
        let pace = if n % 2 == 0 { Pace::NODE } else { Pace::CLUSTER };
        match n % 4 {
            0 => {
                let mut page = t.tcp(client.as_str(), "10.244.1.30:3000");
                page.at(at).pace(pace);
                for turn in 0..turns {
                    page.request(ask + turn * 7).response(answer + turn * 113).wait(pause / 4.0);
                }
                page.close_by(Side::Server);
            }
            1 => t.tcp(client.as_str(), "10.244.1.31:9000").at(at).pace(pace).request(large).response(little).close(),
            2 => {
                let mut mail = t.tcp(client.as_str(), "10.244.1.32:25");
                mail.at(at).pace(pace).say(Side::Server, b"220 mail here\r\n").request(20).response(little);
                mail.request(30).response(8).request(answer).response(30).request(6).response(20).close();
            }
            _ => {
                let mut gateway = t.tcp(client.as_str(), "10.244.1.33:8443");
                gateway.at(at).pace(pace);
                for _ in 0..3 {
                    gateway.request(ask).response(answer).wait(pause * 3.0);
                }
                gateway.close_by(Side::Server);
            }
        }
    }
    t
}

#[test]
fn learning_one_half_silences_the_other_and_keeps_the_attacks() {
    let folder = Folder::new();
    // Two halves of one day: other draws of the same applications.
    let (first, second) = (folder.path("morning.pcap"), folder.path("evening.pcap"));
    shop(1, 4_000).write_pcap(first.as_ref());
    shop(2, 4_000).write_pcap(second.as_ref());
    let before = folder.replay(None, &[&second]);
    assert!(alerting(&before) > 1_000, "the default model alarms on {} of {}", alerting(&before), before.len());

    let report = folder.path("report.json");
    let said = folder.learn("shop.fsm", &["--capture", &first, "--report", &report]);
    let after = folder.replay(Some("shop.fsm"), &[&second]);
    assert_eq!(after.len(), before.len());
    assert!(
        alerting(&after) * 1_000 <= after.len(),
        "{} of {} flows alert still\n{said}",
        alerting(&after),
        after.len()
    );
    let novel = after.iter().filter(|flow| flow["novel"] == true).count();
    assert!(novel * 50 <= after.len(), "{novel} of {} flows are novel still", after.len());

    // The reconnaissance in the demo capture: all of it is still told.
    let recon = |flows: &[serde_json::Value]| flows.iter().filter(|flow| flow["label"] == "recon").count();
    let attack = recon(&folder.replay(None, &[&demo()]));
    assert_eq!((attack, recon(&folder.replay(Some("shop.fsm"), &[&demo()]))), (140, 140));

    let report = folder.json("report.json");
    assert_eq!(report["flows"]["all"], 4_000);
    assert_eq!(report["flows"]["held_back"], 1_000);
    assert_eq!(report["is_enough"], true);
    let (was, is) = (&report["before"], &report["after"]);
    assert!(was["alerts"].as_u64() > Some(250) && is["alerts"].as_u64() <= Some(1), "{report}");
    assert_eq!(was["flows"], 1_000);
    // A quarter of an hour: 1,000 calls 0.9 s apart.
    let hours = was["hours"].as_f64().expect("times are known");
    assert!((0.25..0.252).contains(&hours), "{hours}");
    let hourly = was["alerts"].as_f64().expect("a count") / hours;
    assert!((was["alerts_per_hour"].as_f64().expect("a rate") - hourly).abs() < 0.1);
    assert_eq!(was["alerts_per_thousand"].as_f64(), was["alerts"].as_f64());
    assert!(is["novel_share"].as_f64() < Some(0.02) && was["novel_share"].as_f64() > Some(0.5), "{report}");
    assert!(said.contains("1 alert") || said.contains("held back          flows"), "{said}");
}

#[test]
fn flow_files_teach_what_their_capture_does() {
    let folder = Folder::new();
    let capture = folder.path("shop.pcap");
    shop(3, 600).write_pcap(capture.as_ref());
    let (csv, jsonl) = (folder.path("shop.csv"), folder.path("shop.jsonl"));
    succeed(&["extract", &capture, "--output", &csv]);
    succeed(&["extract", &capture, "--format", "jsonl", "--output", &jsonl]);
    folder.learn("capture.fsm", &["--capture", &capture]);
    folder.learn("csv.fsm", &["--flows", &csv]);
    folder.learn("jsonl.fsm", &["--flows", &jsonl]);
    let model = folder.read("capture.fsm");
    assert!(model == folder.read("csv.fsm") && model == folder.read("jsonl.fsm"), "the same flows, the same model");
}

#[test]
fn a_small_baseline_says_that_it_cannot_tell() {
    let folder = Folder::new();
    let capture = folder.path("shop.pcap");
    shop(4, 80).write_pcap(capture.as_ref());
    let said = folder.learn("shop.fsm", &["--capture", &capture, "--holdback", "0.5", "--points", "10"]);
    assert!(said.contains("40 flows held back are too few to tell one alert in 1000"), "{said}");
    assert!(said.contains("10 added"), "{said}");
}
