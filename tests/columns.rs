//! The columns of a model from outside: what may be a feature, what is said of leaky ones, selection on training rows, and that
//! an interrupted command leaves no half of a file.

#[path = "util/program.rs"]
mod program;
mod util;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use flowshrike::features::FeatureId;
use flowshrike::model::Model;
use program::{fail, flowshrike, succeed, text};
use serde_json::Value;
use util::random::Random;

/// A folder with made-up flows of three captures: benign ones in each, recon in one, exploits in another.
struct Folder(tempfile::TempDir);

/// The columns that tell the label in [`Folder::flows`]; every other feature is noise.
const TELLING: &str = "Flow Duration";
/// Tells the label in the last quarter of each capture only.
const LATE: &str = "Idle Max";
/// Always the same.
const CONSTANT: &str = "URG Flag Count";
const ROWS: usize = 200;

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.flows("flows.csv", 1);
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    /// Writes flows of every feature and identity column; `late` is what [`LATE`] holds beside the label in last quarters.
    fn flows(&self, name: &str, late: i64) {
        let identity = "Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp";
        let names: Vec<&str> = FeatureId::all().map(|id| id.feature().column).collect();
        let mut csv = format!("{identity},{},Label,Scenario\n", names.join(","));
        let mut random = Random::new(1);
        for (capture, attack) in [("quiet", 0), ("scan", 2), ("break-in", 6)] {
            for n in 0..ROWS {
                let label = if n % 4 == 3 { attack } else { 0 };
                let address = if n % 3 == 0 { "fd00::1".to_owned() } else { format!("10.0.0.{}", n % 7) };
                let port = random.between(1024, 65_535);
                write!(csv, "{address},{port},10.1.0.1,{},6,2026-01-15 09:{:02}:{:02}.5", 8000 + label, n / 60, n % 60)
                    .expect("written");
                for name in &names {
                    let value = match *name {
                        TELLING => label * 1000 + random.between(0, 500),
                        CONSTANT => 0,
                        LATE if n >= ROWS - ROWS / 4 => late * label * 1000,
                        _ => random.between(0, 500),
                    };
                    write!(csv, ",{value}").expect("written");
                }
                writeln!(csv, ",{label},{capture}").expect("written");
            }
        }
        fs::write(self.path(name), csv).expect("written");
    }

    /// Trains on flows and gives what is said on stderr.
    fn train(&self, data: &str, output: &str, more: &[&str]) -> String {
        let (data, output) = (self.path(data), self.path(output));
        let args = [&["train", "--data", &data, "--output", &output], more].concat();
        let ran = flowshrike(&args);
        assert!(ran.status.success() && ran.stdout.is_empty(), "{args:?}: {}", text(&ran.stderr));
        text(&ran.stderr)
    }

    fn model(&self, name: &str) -> Model {
        Model::from_bytes(&fs::read(self.path(name)).expect("a model")).expect("a valid model")
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).expect("a report")).expect("JSON")
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

const DEMO: &str = "tests/data/demo-cluster.pcap.gz";

#[test]
fn leaky_columns_are_refused_with_their_reason_and_the_flag() {
    let folder = Folder::new();
    let (data, output) = (folder.path("flows.csv"), folder.path("model.fsm"));
    for (asked, column, reason) in [
        ("Src IP", "Src IP", "names a host"),
        ("src_port", "Src Port", "tells when a flow was"),
        ("Dst IP", "Dst IP", "names a host"),
        ("dst_port", "Dst Port", "names the service"),
        ("Protocol", "Protocol", "names the service"),
        ("timestamp", "Timestamp", "when a capture was made"),
        ("FWD Init Win Bytes", "FWD Init Win Bytes", "network stack"),
        ("bwd_init_win_bytes", "Bwd Init Win Bytes", "network stack"),
        ("Fwd Seg Size Min", "Fwd Seg Size Min", "network stack"),
    ] {
        let features = format!("default,{asked}");
        let args = ["train", "--data", &data, "--output", &output, "--features", &features];
        let said = fail(&args);
        let whole = said.contains(&format!("`{column}`")) && said.contains(reason) && said.contains("--allow-leaky");
        assert!(whole && said.lines().count() == 1, "{said}");
        assert_eq!(flowshrike(&args).status.code(), Some(2), "it is usage");
    }
    assert_eq!(folder.files(), ["flows.csv"], "no model is left");
}

#[test]
fn unknown_columns_are_refused_with_the_nearest() {
    let folder = Folder::new();
    let (data, output) = (folder.path("flows.csv"), folder.path("model.fsm"));
    for (asked, nearest) in [("Flow Durtion", "`Flow Duration`"), ("destination port", "`Dst Port`")] {
        let said = fail(&["train", "--data", &data, "--output", &output, "--features", asked]);
        assert!(said.contains(asked) && said.contains(nearest), "{said}");
    }
}

#[test]
fn a_model_of_leaky_columns_says_so_first_everywhere() {
    let folder = Folder::new();
    let report = folder.path("report.json");
    let asked = ["--features", "default,Dst Port,FWD Init Win Bytes", "--allow-leaky", "--report", &report];
    let said = folder.train("flows.csv", "model.fsm", &asked);
    let line = "LEAKY: trained on `Dst Port`, `FWD Init Win Bytes`: a port names the service";
    assert!(said.starts_with(line), "{said}");
    assert!(said.contains("served    no profile"), "{said}");
    let json = fs::read_to_string(&report).expect("a report");
    assert!(json.starts_with(&format!("{{\n  \"leaky\": \"{line}")), "{json}");
    let model = folder.model("model.fsm");
    assert_eq!(model.parts().provenance.leaky, ["Dst Port", "FWD Init Win Bytes"]);
    assert!(!model.parts().portable_only);

    let path = folder.path("model.fsm");
    let card = succeed(&["model", "inspect", &path]);
    assert!(card.starts_with(line) && card.contains("- it reads `Dst Port`: "), "{card}");
    assert!(card.contains("no profile can be served"), "{card}");
    let card = succeed(&["model", "inspect", &path, "--format", "json"]);
    assert!(card.starts_with(&format!("{{\n  \"leaky\": \"{line}")), "{card}");

    let (data, page) = (folder.path("flows.csv"), folder.path("page.html"));
    let args = ["evaluate", "--model", &path, "--data", &data];
    let found = succeed(&[&args[..], &["--html", &page]].concat());
    assert!(found.starts_with(line) && found.contains("macro-F1"), "{found}");
    assert!(fs::read_to_string(page).expect("a page").contains("<li>LEAKY: trained on `Dst Port`"));
    let found = succeed(&[&args[..], &["--format", "json"]].concat());
    assert!(found.starts_with(&format!("{{\n  \"leaky\": \"{line}")), "{found}");
}

#[test]
fn other_models_do_not() {
    let folder = Folder::new();
    let said = folder.train("flows.csv", "model.fsm", &["--allow-leaky", "--report", &folder.path("report.json")]);
    assert!(!said.contains("LEAKY") && !said.contains("served"), "{said}");
    assert_eq!(folder.json("report.json")["leaky"], Value::Null);
    let card = succeed(&["model", "inspect", &folder.path("model.fsm")]);
    assert!(card.starts_with("model ") && card.contains("both profiles can be served"), "{card}");
    // The flag alone changes nothing.
    folder.train("flows.csv", "other.fsm", &[]);
    let [flag, none] = ["model.fsm", "other.fsm"].map(|name| folder.model(name).parts().clone());
    assert_eq!((flag.features, flag.transform, flag.engine), (none.features, none.transform, none.engine));
}

#[test]
fn a_model_of_identity_columns_judges_rows_and_is_refused_by_the_daemon() {
    let folder = Folder::new();
    let all = "Flow Duration,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp";
    folder.train("flows.csv", "model.fsm", &["--features", all, "--allow-leaky"]);
    let (path, data) = (folder.path("model.fsm"), folder.path("flows.csv"));
    assert_eq!(folder.model("model.fsm").features().len(), 7);
    let found = succeed(&["evaluate", "--model", &path, "--data", &data, "--format", "json"]);
    let found: Value = serde_json::from_str(&found).expect("JSON");
    assert!(found["flows"] == 600 && found["macro_f1"].as_f64() > Some(0.99), "{found}");
    assert_eq!(succeed(&["predict", "--model", &path, &data]).lines().count(), 601);
    // Our own JSON lines have the same columns under their keys.
    let rows = folder.path("flows.jsonl");
    succeed(&["extract", DEMO, "--format", "jsonl", "--output", &rows]);
    let verdicts = succeed(&["predict", "--model", &path, &rows]).lines().count();
    assert_eq!(verdicts, fs::read_to_string(rows).expect("flows").lines().count() + 1);

    for args in [
        &["replay", DEMO, "--model", &path][..],
        &["run", "--interface", "lo", "--model", &path],
        &["model", "verify", &path],
        &["model", "verify", &path, "--profile", "cic"],
    ] {
        let said = fail(args);
        let refused = said.lines().find(|line| line.contains("`Src IP`")).unwrap_or_default();
        assert!(refused.contains("where or when a flow was"), "{args:?}: {said}");
    }

    let broken = fs::read_to_string(&data).expect("flows").replacen("10.0.0.1,", "10.0.0,", 1);
    fs::write(folder.path("broken.csv"), broken).expect("written");
    let said = fail(&["evaluate", "--model", &path, "--data", &folder.path("broken.csv")]);
    assert!(said.contains("broken.csv: line 3, column `Src IP`: `10.0.0` is not an IP address"), "{said}");
}

#[test]
fn columns_that_profiles_compute_differently_are_served_in_their_own_profile() {
    let folder = Folder::new();
    for (profile, served) in [("standard", true), ("cic", false)] {
        for (features, more) in
            [("Flow Duration,active_mean", &[][..]), ("Flow Duration,FWD Init Win Bytes", &["--allow-leaky"])]
        {
            let asked = [&["--features", features, "--profile", profile], more].concat();
            let said = folder.train("flows.csv", "model.fsm", &asked);
            assert!(said.contains(&format!("served    `{profile}` flows only")), "{said}");
            assert!(!folder.model("model.fsm").parts().portable_only);
            let ran = flowshrike(&["replay", DEMO, "--model", &folder.path("model.fsm")]);
            assert_eq!(ran.status.success(), served, "{}", text(&ran.stderr));
            assert!(served || text(&ran.stderr).contains("computes differently"), "{}", text(&ran.stderr));
            assert_eq!(served && !more.is_empty(), text(&ran.stderr).contains("LEAKY: trained on `FWD Init Win"));
        }
    }
}

#[test]
fn sets_of_columns_can_be_asked_for() {
    let folder = Folder::new();
    for (asked, more, count) in
        [("default", &[][..], 13), ("portable", &[], 59), ("all", &[], 76), ("all", &["--allow-leaky"], 85)]
    {
        folder.train("flows.csv", "model.fsm", &[&["--features", asked], more].concat());
        assert_eq!(folder.model("model.fsm").features().len(), count, "{asked} {more:?}");
    }
}

/// The ranking of a report: column, value, kept.
fn ranking(report: &Value) -> Vec<(&str, f64, bool)> {
    let mut found = Vec::new();
    for one in report["selection"]["ranking"].as_array().expect("a ranking") {
        let column = one["column"].as_str().expect("a name");
        found.push((column, one["value"].as_f64().expect("a value"), one["kept"].as_bool().expect("kept or not")));
    }
    found
}

#[test]
fn selection_puts_what_tells_the_label_first_and_does_not_look_at_validation_rows() {
    let folder = Folder::new();
    // The same flows but for the last quarter of a column, which tells the label in the first file and nothing in the second.
    folder.flows("other.csv", 0);
    for measure in ["mutual-information", "tree-importance"] {
        let mut reports = Vec::new();
        for data in ["flows.csv", "other.csv"] {
            let report = folder.path("report.json");
            let asked = ["--features", "portable", "--select", measure, "--select-count", "3", "--report", &report];
            let said = folder.train(data, "model.fsm", &asked);
            let report = folder.json("report.json");
            let ranking = ranking(&report);
            assert_eq!((ranking.len(), ranking[0].0, ranking[0].2), (59, TELLING, true), "{ranking:?}");
            assert!(ranking[0].1 > 2.0 * ranking[1].1, "{measure}: {ranking:?}");
            assert!(ranking.is_sorted_by(|a, b| a.1 >= b.1), "{ranking:?}");
            // Kept are the first three, and the model reads them in that order.
            let kept: Vec<&str> = ranking.iter().filter(|ranked| ranked.2).map(|ranked| ranked.0).collect();
            assert_eq!(kept, ranking.iter().take(3).map(|ranked| ranked.0).collect::<Vec<_>>());
            let features: Vec<&str> =
                folder.model("model.fsm").features().iter().map(|id| id.feature().column).collect();
            assert_eq!(features, kept);
            // By chance a column that tells nothing may come third, but no nearer to the one that tells.
            let late = ranking.iter().find(|ranked| ranked.0 == LATE).expect("a candidate");
            assert!(late.1 < ranking[0].1 / 3.0, "{ranking:?}");
            assert_eq!(report["selection"]["flows"], 450);
            // The same for people.
            let first = format!("  kept {:>9.6}  {TELLING}", ranking[0].1);
            assert!(said.contains(&format!("columns   3 of 59 by {measure} on 450 training flows")), "{said}");
            assert!(said.lines().any(|line| line == first), "{said}");
            reports.push(report["selection"].clone());
        }
        assert_eq!(reports[0], reports[1], "{measure}: validation rows have no part in it");
    }
}

#[test]
fn variance_leaves_constants_out_and_a_threshold_leaves_more_out() {
    let folder = Folder::new();
    let report = folder.path("report.json");
    folder.train("flows.csv", "model.fsm", &["--features", "portable", "--select", "variance", "--report", &report]);
    let json = folder.json("report.json");
    let all = ranking(&json);
    assert_eq!(all.last(), Some(&(CONSTANT, 0.0, false)));
    assert!(all.iter().take(58).all(|ranked| ranked.2), "{all:?}");
    let least = all[9].1.to_string();
    let asked = ["--features", "portable", "--select", "variance", "--select-threshold", &least];
    folder.train("flows.csv", "model.fsm", &asked);
    assert_eq!(folder.model("model.fsm").features().len(), all.iter().filter(|ranked| ranked.1 > all[9].1).count());

    let (data, output) = (folder.path("flows.csv"), folder.path("none.fsm"));
    let args = ["train", "--data", &data, "--output", &output, "--select", "variance"];
    for (more, words) in [
        (["--select-threshold", "0.9"], "no column has a variance above 0.9"),
        (["--select-threshold", "nan"], "a number of at least 0"),
        (["--select-count", "0"], "at least one column"),
    ] {
        let said = fail(&[&args[..], &more].concat());
        assert!(said.contains(words), "{said}");
    }
    let said = fail(&["train", "--data", &data, "--output", &output, "--select-count", "3"]);
    assert!(said.contains("--select"), "{said}");
}

#[test]
fn the_same_seed_selects_the_same_to_the_byte() {
    let folder = Folder::new();
    let asked = |seed| ["--features", "all", "--select", "tree-importance", "--select-count", "5", "--seed", seed];
    let said = folder.train("flows.csv", "one.fsm", &asked("5"));
    assert_eq!(folder.train("flows.csv", "two.fsm", &asked("5")), said);
    assert_eq!(fs::read(folder.path("one.fsm")).expect("there"), fs::read(folder.path("two.fsm")).expect("there"));
    assert_ne!(folder.train("flows.csv", "three.fsm", &asked("6")), said);
}

#[test]
fn the_published_flows_have_the_columns_and_give_a_ranking() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/k8s-misuse");
    let [data, labels] = ["train.csv.gz", "train_labels.csv.gz"].map(|name| data.join(name));
    if !data.exists() || !labels.exists() {
        return util::skip::skipped(&format!("{} is not there", data.display()));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("model.fsm").to_string_lossy().into_owned();
    let [data, labels] = [data, labels].map(|path| path.to_string_lossy().into_owned());
    let args = ["train", "--data", &data, "--labels", &labels, "--output", &output];
    let more = ["--features", "default,Dst Port,Timestamp", "--allow-leaky", "--select", "mutual-information"];
    let ran = flowshrike(&[&args[..], &more].concat());
    let said = text(&ran.stderr);
    assert!(ran.status.success() && said.starts_with("LEAKY: trained on "), "{said}");
    assert!(said.contains("columns   15 of 15 by mutual-information on 5251 training flows"), "{said}");
    let (data, model) = (data.as_str(), output.as_str());
    let found = succeed(&["evaluate", "--model", model, "--data", data, "--labels", &labels]);
    assert!(found.starts_with("LEAKY"), "{found}");
}
