//! Versions, parents, sameness, bounds, and what is never overwritten.

use flowshrike::model::Model;
use serde_json::json;

use super::program::{fail, flowshrike, succeed};
use super::util::published::published;
use super::util::random::Random;
use super::{Folder, demo};

#[test]
fn each_version_names_the_one_before_and_says_what_it_learnt() {
    let folder = Folder::new();
    let parent = published();
    folder.learn("one.fsm", &["--capture", &demo()]);
    let one = Model::from_bytes(&folder.read("one.fsm")).expect("a valid model");
    assert_eq!((one.name(), one.version()), (parent.name(), "1+learn.1"));
    let named = one.parts().parent.clone().expect("a parent");
    assert_eq!(
        (named.name.as_str(), named.version.as_str(), named.sha256.as_str()),
        ("k8s-misuse", "1", parent.sha256())
    );
    let path = folder.path("one.fsm");
    let said = folder.learn("two.fsm", &["--model", &path, "--capture", &demo(), "--seed", "7"]);
    let two = Model::from_bytes(&folder.read("two.fsm")).expect("a valid model");
    assert_eq!((two.version(), two.parts().provenance.seed), ("1+learn.2", 7));
    assert!(said.contains(&format!("parent    k8s-misuse 1+learn.1 ({})", &one.sha256()[..12])), "{said}");
    assert!(two.trained_on().contains("flows of demo-cluster"), "{}", two.trained_on());
    assert_eq!(two.parts().provenance.data_sha256, one.parts().provenance.data_sha256, "the same flows");

    let card = succeed(&["model", "inspect", &folder.path("two.fsm")]);
    assert!(card.contains(&one.sha256()[..12]) && card.contains("1+learn.2"), "{card}");
    let changes = succeed(&["model", "diff", &path, &folder.path("two.fsm")]);
    assert!(changes.contains("version: 1+learn.1 -> 1+learn.2"), "{changes}");

    folder.learn("named.fsm", &["--capture", &demo(), "--name", "staging", "--model-version", "2026-03"]);
    let named = Model::from_bytes(&folder.read("named.fsm")).expect("a valid model");
    assert_eq!((named.name(), named.version()), ("staging", "2026-03"));
}

#[test]
fn the_same_flows_and_seed_give_the_same_bytes_for_any_number_of_workers() {
    let folder = Folder::new();
    folder.learn("one.fsm", &["--capture", &demo(), "--points", "20", "--seed", "3"]);
    folder.learn("two.fsm", &["--capture", &demo(), "--points", "20", "--seed", "3", "--workers", "3"]);
    folder.learn("other.fsm", &["--capture", &demo(), "--points", "20", "--seed", "4"]);
    assert!(folder.read("one.fsm") == folder.read("two.fsm"));
    assert!(folder.read("one.fsm") != folder.read("other.fsm"));
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let folder = Folder::new();
    folder.learn("one.fsm", &["--capture", &demo()]);
    let one = folder.path("one.fsm");
    std::fs::copy(demo(), folder.path("demo.pcap.gz")).expect("copied");
    let capture = folder.path("demo.pcap.gz");
    let before = folder.read("demo.pcap.gz");
    let verdicts = folder.write("verdicts.jsonl", "{\"flow_id\":1,\"verdict\":false}\n");
    let copy = folder.path("copy-of-the-default.fsm");
    std::fs::write(&copy, Model::embedded().and_then(|model| model.to_bytes()).expect("the default model"))
        .expect("written");
    std::os::unix::fs::symlink(&one, folder.path("link.fsm")).expect("linked");
    for (args, words) in [
        (vec!["--model", &one, "--output", &one], "one.fsm is an input"),
        (vec!["--model", &one, "--output", &folder.path("link.fsm")], "link.fsm is an input"),
        (vec!["--output", &capture], "demo.pcap.gz is an input"),
        (vec!["--output", &copy], "is the model that learns"),
        (vec!["--feedback", &verdicts, "--output", &verdicts], "verdicts.jsonl is an input"),
        (vec!["--output", &folder.path("x.fsm"), "--report", &capture], "demo.pcap.gz is an input"),
        (vec!["--output", &folder.path("x.fsm"), "--review", &folder.path("x.fsm")], "given for two outputs"),
    ] {
        let args = [vec!["learn", "--capture", capture.as_str()], args].concat();
        let ran = flowshrike(&args);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(words), "`{said}` does not say `{words}`");
    }
    assert!(folder.read("demo.pcap.gz") == before);
}

#[test]
fn a_model_does_not_grow_beyond_its_bound_however_often_it_learns() {
    let folder = Folder::new();
    let parent = published();
    let mut model: Option<String> = None;
    let mut merged = 0;
    let mut benign = 0;
    for round in 0..3_u16 {
        // Flows of every shape, other ones each time.
        let mut random = Random::new(u64::from(round) + 50);
        let columns: Vec<&str> = parent.features().iter().map(|id| id.feature().column).collect();
        let mut rows = columns.join(",") + "\n";
        for _ in 0..700 {
            let row: Vec<String> = columns
                .iter()
                .map(|_| (1_i64 << random.between(0, 16)).saturating_add(random.between(0, 99)).to_string())
                .collect();
            rows += &(row.join(",") + "\n");
        }
        let flows = folder.write("round.csv", &rows);
        let output = format!("round-{round}.fsm");
        let report = folder.path("report.json");
        let mut args = vec!["--flows", &flows, "--accept", "--points", "500", "--report", &report];
        if let Some(model) = &model {
            args.extend(["--model", model]);
        }
        folder.learn(&output, &args);
        let report = folder.json("report.json");
        merged += report["points"]["merged"].as_u64().expect("a count");
        benign = report["points"]["benign_after"].as_u64().expect("a count");
        assert!(benign <= 1_024 && report["points"]["added"].as_u64() <= Some(500), "{}", report["points"]);
        assert_eq!(report["points"]["attacks_after"], json!(140));
        assert_eq!(report["points"]["most"], 1_024);
        model = Some(folder.path(&output));
    }
    assert!(merged > 0 && benign == 1_024, "the bound was never reached: {benign} benign points, {merged} merged");
    let last = Model::from_bytes(&std::fs::read(model.expect("a model")).expect("a file")).expect("a valid model");
    assert_eq!(last.version(), "1+learn.3");
    assert_eq!(last.labels(), parent.labels());
}

#[test]
fn wrong_usage_is_refused_in_clear_words() {
    let folder = Folder::new();
    let output = folder.path("x.fsm");
    for args in [
        vec!["learn", "--output", &output],
        vec!["learn", "--capture", "a.pcap", "--flows", "b.csv", "--output", &output],
        vec!["learn", "--capture", "a.pcap", "--duration", "10s", "--output", &output],
        vec!["learn", "--interface", "lo", "--feedback", "x", "--output", &output],
        vec!["learn", "--flows", "a.csv", "--with-baseline", "--output", &output],
        vec!["learn", "--flows", "a.csv", "--holdback", "1", "--output", &output],
        vec!["learn", "--flows", "a.csv", "--points", "0", "--output", &output],
        vec!["learn", "--flows", "a.csv"],
    ] {
        assert_eq!(flowshrike(&args).status.code(), Some(2), "{args:?}");
    }
    let empty = folder.write("empty.csv", &std::fs::read_to_string(header(&folder)).expect("a header"));
    assert!(fail(&["learn", "--flows", &empty, "--output", &output]).contains("empty.csv: no flows in it"));
    assert!(fail(&["learn", "--flows", &folder.path("none.csv"), "--output", &output]).contains("none.csv"));
    assert!(fail(&["learn", "--capture", &folder.path("none.pcap"), "--output", &output]).contains("none.pcap"));
    assert!(!std::fs::exists(&output).expect("a folder"));
}

/// A flow CSV without flows.
fn header(folder: &Folder) -> String {
    let path = folder.path("all.csv");
    succeed(&["extract", &demo(), "--output", &path]);
    let text = std::fs::read_to_string(&path).expect("flows");
    folder.write("header.csv", &format!("{}\n", text.lines().next().expect("a header")))
}
