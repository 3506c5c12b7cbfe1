//! `evaluate` from outside: views, intervals, warnings, the page and the predictions, on small made-up flows.
//!
//! Whether the figures are right is shown by unit tests and by `make sklearn`; here, that the command tells them.

#[path = "util/program.rs"]
mod program;
mod util;

use std::fs;

use flowshrike::train::default_features;
use program::{flowshrike, succeed};
use serde_json::{Value, json};
use util::random::Random;

/// Flows whose classes overlap, so that no figure is perfect: (label cell, capture, flows).
fn flows(seed: u64, parts: &[(u8, &str, usize)]) -> String {
    let columns: Vec<&str> = default_features().iter().map(|id| id.feature().column).collect();
    let mut random = Random::new(seed);
    let mut text = format!("{},Label,Scenario\n", columns.join(","));
    for &(cell, capture, count) in parts {
        for _ in 0..count {
            let cells = columns.iter().map(|_| {
                let shift = if random.chance(1, 2) { i64::from(cell) } else { 0 };
                (random.between(0, 5) + shift).to_string()
            });
            let cells: Vec<String> = cells.collect();
            text += &format!("{},{cell},\"{}\"\n", cells.join(","), capture.replace('"', "\"\""));
        }
    }
    text
}

struct Folder(tempfile::TempDir);

impl Folder {
    /// With a model of each view, trained on other flows than those of `test.csv`.
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let train = [(0, "quiet", 150), (0, "scan", 60), (2, "scan", 60), (0, "break-in", 60), (6, "break-in", 50)];
        folder.write("train.csv", &flows(1, &train));
        let test = [(0, "quiet", 120), (2, "scan", 40), (0, HOSTILE, 30), (6, HOSTILE, 7)];
        folder.write("test.csv", &flows(2, &test));
        let train = folder.path("train.csv");
        for view in ["stages", "labels"] {
            let model = folder.path(&format!("{view}.fsm"));
            succeed(&["train", "--data", &train, "--view", view, "--output", &model]);
        }
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    /// What `evaluate` prints of the model of a view and a file of flows.
    fn evaluate(&self, view: &str, data: &str, more: &[&str]) -> String {
        let (model, data) = (self.path(&format!("{view}.fsm")), self.path(data));
        succeed(&[&["evaluate", "--model", &model, "--data", &data], more].concat())
    }

    fn json(&self, view: &str, data: &str, more: &[&str]) -> Value {
        let args = [&["--format", "json"], more].concat();
        serde_json::from_str(&self.evaluate(view, data, &args)).expect("JSON")
    }
}

/// A capture's name that would be code in a page and two cells in a CSV.
const HOSTILE: &str = "<script>\"a\",'b'&</script>";

fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer}"))
}

#[test]
fn one_run_gives_three_views_that_agree_with_each_other() {
    let folder = Folder::new();
    let found = folder.json("labels", "test.csv", &[]);
    let classes = |view: &str| found["views"][view]["classes"].clone();
    assert_eq!(classes("binary"), json!(["benign", "attack"]));
    assert_eq!(classes("stages"), json!(["benign", "recon", "exploit"]));
    assert_eq!(classes("labels"), json!(["benign", "node-red-recon", "cve-2019-20933"]));
    for view in ["binary", "stages", "labels"] {
        let view = &found["views"][view];
        assert_eq!(view["available"], true);
        let rows = view["confusion"].as_array().expect("rows");
        let cells = rows.iter().flat_map(|row| row.as_array().expect("cells")).filter_map(Value::as_u64);
        assert_eq!(cells.sum::<u64>(), 197);
        assert_eq!(view["per_class"]["benign"]["support"], 150);
        let accuracy = number(view, "/accuracy");
        let (low, high) = (number(view, "/accuracy_interval/low"), number(view, "/accuracy_interval/high"));
        assert!(accuracy < 1.0 && low < accuracy && accuracy < high && low > accuracy - 0.1, "{low} {accuracy} {high}");
        let f1 = number(view, "/macro_average/f1");
        assert!(number(view, "/macro_f1_interval/low") < f1 && f1 < number(view, "/macro_f1_interval/high"));
        for figure in ["/macro_roc_auc", "/macro_average_precision", "/calibration/ece", "/weighted_average/recall"] {
            assert!((0.0..1.0).contains(&number(view, figure)), "{figure}");
        }
        assert!(number(view, "/brier") > 0.0 && number(view, "/log_loss") > 0.0);
    }
    // Confusing two attacks is a fault by label and none by attack or benign.
    assert!(number(&found, "/views/binary/accuracy") >= number(&found, "/views/labels/accuracy"));
    // The keys from before the views are those of the model's own labels.
    assert_eq!(found["accuracy"], found["views"]["labels"]["accuracy"]);
    assert_eq!(found["macro_f1"], found["views"]["labels"]["macro_average"]["f1"]);
    assert_eq!(found["confusion"]["benign"]["benign"], found["views"]["labels"]["confusion"][0][0]);
}

#[test]
fn a_view_finer_than_the_model_says_why_it_is_not_there() {
    let folder = Folder::new();
    let found = folder.json("stages", "test.csv", &[]);
    assert_eq!(found["views"]["labels"]["available"], false);
    let reason = found["views"]["labels"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("`exploit` stands for cve-2019-20933; `recon` stands for node-red-recon"), "{reason}");
    assert!(folder.evaluate("stages", "test.csv", &[]).contains("view labels: not available: the model's labels"));
}

#[test]
fn detection_is_told_by_scenario_and_alerts_by_the_hour() {
    let folder = Folder::new();
    let found = folder.json("stages", "test.csv", &["--hours", "0.5"]);
    let scenarios = found["per_scenario"].as_object().expect("scenarios");
    assert_eq!(scenarios.keys().collect::<Vec<_>>(), [HOSTILE, "quiet", "scan"]);
    let sum = |key: &str| scenarios.values().filter_map(|scenario| scenario[key].as_u64()).sum::<u64>();
    assert_eq!((sum("flows"), sum("attack_flows"), sum("benign_flows")), (197, 47, 150));
    assert_eq!(Some(sum("attacks_alerted")), found["alerts"]["attacks_alerted"].as_u64());
    assert_eq!(Some(sum("false_alerts")), found["alerts"]["false_alerts"].as_u64());
    assert_eq!((&found["per_scenario"]["quiet"]["detection_rate"], sum("attacks_alerted") > 0), (&Value::Null, true));
    let scan = &found["per_scenario"]["scan"];
    assert_eq!(number(scan, "/detection_rate"), number(scan, "/attacks_alerted") / 40.0);
    assert_eq!(number(&found, "/alerts_per_hour/false_alerts"), number(&found, "/alerts/false_alerts") * 2.0);
    let found = folder.json("stages", "test.csv", &[]);
    assert_eq!(found["alerts_per_hour"]["false_alerts"], Value::Null);
    assert!(found["alerts_per_hour"]["reason"].as_str().is_some_and(|reason| reason.contains("--hours")));
    let data = folder.path("test.csv");
    for hours in ["0", "-1", "inf", "soon"] {
        let output = flowshrike(&["evaluate", "--data", &data, &format!("--hours={hours}")]);
        assert_eq!(output.status.code(), Some(2), "{hours}");
    }
}

#[test]
fn what_cannot_be_trusted_is_said_first() {
    let folder = Folder::new();
    let text = folder.evaluate("stages", "test.csv", &[]);
    let first = text.lines().nth(2).expect("a third line");
    assert_eq!(first, "warning: exploit: only 7 flows, so its figures say little");
    let own = folder.json("stages", "train.csv", &[]);
    let said = own["warnings"][0].as_str().expect("a warning");
    assert!(said.contains("the flows that the model was fitted on"), "{said}");
    let other = folder.json("stages", "test.csv", &[]);
    assert!(!other["warnings"].to_string().contains("fitted on"), "{}", other["warnings"]);
    folder.write("quiet.csv", &flows(2, &[(0, "quiet", 5)]));
    let warnings = folder.json("stages", "quiet.csv", &[])["warnings"].to_string();
    assert!(warnings.contains("no attack flows") && warnings.contains("benign: only 5 flows"), "{warnings}");
}

#[test]
fn same_input_same_bytes_unless_time_is_asked_for() {
    let folder = Folder::new();
    let run = |name: &str| {
        let (page, rows) = (folder.path(&format!("{name}.html")), folder.path(&format!("{name}.csv")));
        let more = ["--format", "json", "--html", &page, "--predictions", &rows];
        (folder.evaluate("labels", "test.csv", &more), fs::read(page).expect("a page"), fs::read(rows).expect("rows"))
    };
    assert_eq!(run("one"), run("two"));
    let plain = folder.json("labels", "test.csv", &[]);
    assert_eq!(plain.get("latency"), None);
    let seeded = folder.json("labels", "test.csv", &["--seed", "9"]);
    assert_ne!(plain["views"]["labels"]["macro_f1_interval"], seeded["views"]["labels"]["macro_f1_interval"]);
    let mut timed = folder.json("labels", "test.csv", &["--latency"]);
    let latency = timed.as_object_mut().and_then(|object| object.remove("latency")).expect("asked for");
    assert!(latency["median_ns"].as_u64() <= latency["p99_ns"].as_u64() && latency["verdicts"] == 197);
    assert_eq!(timed, plain, "nothing else depends on time");
}

#[test]
fn importance_is_told_when_it_is_asked_for() {
    let folder = Folder::new();
    assert_eq!(folder.json("stages", "test.csv", &[])["importance"], Value::Null);
    let found = folder.json("stages", "test.csv", &["--importance"]);
    let columns = found["importance"]["columns"].as_array().expect("columns");
    assert_eq!((columns.len(), &found["importance"]["flows"]), (13, &json!(197)));
    let drops: Vec<f64> = columns.iter().map(|column| number(column, "/drop")).collect();
    assert!(drops.is_sorted_by(|a, b| a >= b) && drops[0] > 0.0, "{drops:?}");
    assert_eq!(found["importance"]["macro_f1"], found["macro_f1"]);
}

#[test]
fn predictions_hold_all_that_the_figures_need() {
    let folder = Folder::new();
    let rows = folder.path("rows.csv");
    let found = folder.json("stages", "test.csv", &["--predictions", &rows]);
    let mut reader = csv::Reader::from_path(&rows).expect("a CSV");
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let columns =
        ["scenario", "cell", "truth", "predicted", "alert", "novelty", "score:benign", "score:recon", "score:exploit"];
    assert_eq!(header, columns);
    let (mut flows, mut right, mut hostile) = (0.0, 0.0, 0);
    for row in reader.records() {
        let row = row.expect("a row");
        let scores: Vec<f64> = row.iter().skip(6).map(|cell| cell.parse().expect("a number")).collect();
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        let predicted = header.iter().position(|name| *name == format!("score:{}", &row[3])).expect("a score") - 6;
        assert!(scores.iter().all(|&score| score <= scores[predicted] + 1e-6));
        flows += 1.0;
        right += f64::from(u8::from(row[2] == row[3]));
        hostile += usize::from(&row[0] == HOSTILE);
    }
    assert_eq!((right / flows, hostile), (number(&found, "/accuracy"), 37));
}

#[test]
fn the_page_needs_nothing_and_runs_nothing() {
    let folder = Folder::new();
    let page = folder.path("page.html");
    folder.evaluate("labels", "test.csv", &["--html", &page]);
    let text = folder.text("page.html");
    for forbidden in ["<script", "http:", "https:", "src=", "@import", "url(", "<link", "onload"] {
        assert!(!text.contains(forbidden), "the page has {forbidden}");
    }
    assert!(text.contains("&lt;script&gt;&quot;a&quot;,&#39;b&#39;&amp;&lt;/script&gt;"), "names are escaped");
    assert!(text.contains("prefers-color-scheme: dark"));
    // Five plots a view, importance, novelty; each is named and described, and has a table.
    let plots = text.matches("role=\"img\"").count();
    assert_eq!(plots, 3 * 5 + 2);
    assert_eq!((text.matches("<title id=").count(), text.matches("<desc id=").count()), (plots, plots));
    for figure in text.split("<figure").skip(1) {
        let figure = figure.split("</figure>").next().expect("an end");
        assert!(figure.contains("<svg") && figure.contains("<table"), "{figure}");
    }
    let ids: Vec<&str> = text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "ids are unique");
    for tag in ["svg", "table", "figure", "section", "tr", "ul", "div"] {
        let opened = text.matches(&format!("<{tag}>")).count() + text.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    assert!(!text.contains("NaN") && !text.contains("inf\""), "a coordinate is not a number");
}

#[test]
fn a_page_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    let (model, data) = (folder.path("stages.fsm"), folder.path("test.csv"));
    let page = folder.path("no/such/page.html");
    let output = flowshrike(&["evaluate", "--model", &model, "--data", &data, "--html", &page]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("page.html: cannot be written"), "{said}");
}

#[test]
fn a_model_with_evidence_is_scored_on_flows_that_do_not_say_who_and_when() {
    let folder = Folder::new();
    let scored = flowshrike(&["evaluate", "--data", &folder.path("test.csv"), "--format", "json"]);
    let said = String::from_utf8_lossy(&scored.stderr).into_owned();
    assert!(scored.status.success() && said.contains("nothing on evidence beyond one flow"), "{said}");
    let found: Value = serde_json::from_slice(&scored.stdout).expect("JSON");
    assert!(found["flows"] == 197 && found["evidence"].is_null(), "{found}");
    folder.write("wrong.csv", "Label\n0\n");
    let wrong = flowshrike(&["evaluate", "--data", &folder.path("wrong.csv")]);
    assert!(wrong.status.code() == Some(1) && String::from_utf8_lossy(&wrong.stderr).contains("no column"));
}
