//! The import direction: a file of `src` imports only from its own layer and from the layers above it.
//!
//! Reads every path that starts with `crate::` (grouped imports too), and `flowshrike::` in the binary, and holds
//! each against the table of ARCHITECTURE.md. Test modules are read like the rest: what a test needs from below
//! belongs in `tests/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, top first, in the order of `src/lib.rs`. Modules of one row do not import each other unless
/// [`WITHIN_A_ROW`] says so.
const LAYERS: &[&[&str]] = &[
    &["time", "units", "yaml"],
    &["packet"],
    &["flow"],
    &["features"],
    &["taxonomy"],
    &["model"],
    &["evidence"],
    &["alert"],
    &["dataset"],
    &["train"],
    &["capture", "sink", "k8s", "telemetry", "serve", "track", "privilege", "config"],
    &["pipeline"],
    &["cli"],
    &["main"],
];

/// Arrows between neighbours of one row, from the importing module, each with its reason. A cycle among them fails.
const WITHIN_A_ROW: &[(&str, &str, &str)] = &[
    ("telemetry", "sink", "metrics count by the reasons for which a sink loses lines"),
    ("serve", "telemetry", "the admin server answers /metrics and /healthz from the registry and the heartbeats"),
    ("config", "telemetry", "the log's level and format are configured"),
    ("config", "privilege", "how much is given up is configured"),
    ("serve", "privilege", "/readyz tells what was given up"),
    ("k8s", "telemetry", "watches and objects are counted in the registry"),
    ("telemetry", "privilege", "metrics tell what was given up"),
];

/// Core layers import nothing that does I/O: these paths of the standard library may not appear in them.
const CORE: &[&str] =
    &["time", "units", "yaml", "packet", "flow", "features", "taxonomy", "model", "evidence", "alert"];
const NOT_IN_CORE: &[&str] =
    &["std::fs", "std::thread", "std::process", "std::env", "std::time::Instant", "std::time::SystemTime"];

/// One import: which module, from which file and line, names which other module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: String,
    to: String,
    place: String,
}

#[test]
fn imports_point_upwards() {
    let arrows = arrows_of_the_crate();
    assert!(
        arrows.iter().any(|arrow| (arrow.from.as_str(), arrow.to.as_str()) == ("flow", "packet")),
        "nothing was read"
    );
    let forbidden = violations(&arrows);
    assert!(forbidden.is_empty(), "imports against the layers:\n{}", forbidden.join("\n"));
}

#[test]
fn modules_import_each_other_in_no_cycle() {
    let cycle = cycle(&arrows_of_the_crate());
    assert!(cycle.is_none(), "modules import each other in a circle: {}", cycle.unwrap_or_default().join(" -> "));
}

#[test]
fn the_core_does_no_input_or_output() {
    let mut found = Vec::new();
    for (module, path, text) in sources() {
        if CORE.contains(&module.as_str()) {
            for (number, line) in code_lines(&text) {
                for name in NOT_IN_CORE.iter().filter(|name| line.contains(**name)) {
                    found.push(format!("{}:{number}: {name} in {module}", path.display()));
                }
            }
        }
    }
    assert!(found.is_empty(), "the core reads no clock, opens no file and spawns nothing:\n{}", found.join("\n"));
}

#[test]
fn a_forbidden_arrow_is_found() {
    let text =
        "use crate::time::Micros;\nuse crate::{flow::{FlowKey, FlowRecord}, pipeline};\n// use crate::cli::Args;\n";
    let arrows = arrows("packet", "packet/mod.rs", text);
    assert_eq!(arrows.iter().map(|arrow| arrow.to.as_str()).collect::<Vec<_>>(), ["flow", "pipeline", "time"]);
    assert_eq!(
        violations(&arrows),
        [
            "packet/mod.rs:2: packet imports flow, which is below it",
            "packet/mod.rs:2: packet imports pipeline, which is below it",
        ]
    );
    let inline = self::arrows("model", "model/mod.rs", "    fn f(x: crate::alert::Alert) {}\n");
    assert_eq!(violations(&inline), ["model/mod.rs:1: model imports alert, which is below it"]);
    let across = self::arrows("capture", "capture/live.rs", "use crate::serve::Server;\n");
    assert_eq!(violations(&across), ["capture/live.rs:1: capture imports serve, its neighbour"]);
    let unknown = self::arrows("oddments", "oddments.rs", "use crate::time::Micros;\n");
    assert_eq!(
        violations(&unknown),
        ["oddments.rs:1: module oddments stands in no layer: give it one in tests/layers.rs"]
    );
    let split = self::arrows("time", "time.rs", "use crate::{\n    packet::Frame,\n    flow,\n};\n");
    assert_eq!(
        split.iter().map(|arrow| (arrow.to.as_str(), arrow.place.as_str())).collect::<Vec<_>>(),
        [("flow", "time.rs:1"), ("packet", "time.rs:1"),]
    );
}

#[test]
fn a_cycle_is_found() {
    let arrow = |from: &str, to: &str| Arrow { from: from.into(), to: to.into(), place: String::new() };
    assert_eq!(cycle(&[arrow("a", "b"), arrow("b", "c")]), None);
    let found = cycle(&[arrow("a", "b"), arrow("b", "c"), arrow("c", "b")]).expect("b and c import each other");
    assert_eq!(found, ["b", "c", "b"]);
}

/// What is wrong with each arrow, in the order of the arrows.
fn violations(arrows: &[Arrow]) -> Vec<String> {
    let row = |module: &str| LAYERS.iter().position(|row| row.contains(&module));
    let judge = |Arrow { from, to, place }: &Arrow| match (row(from), row(to)) {
        (None, _) => Some(format!("{place}: module {from} stands in no layer: give it one in tests/layers.rs")),
        (_, None) => Some(format!("{place}: module {to} stands in no layer: give it one in tests/layers.rs")),
        (Some(own), Some(other)) if own < other => Some(format!("{place}: {from} imports {to}, which is below it")),
        (Some(own), Some(other)) if own == other && !is_allowed(from, to) => {
            Some(format!("{place}: {from} imports {to}, its neighbour"))
        }
        _ => None,
    };
    arrows.iter().filter_map(judge).collect()
}

fn is_allowed(from: &str, to: &str) -> bool {
    WITHIN_A_ROW.iter().any(|(importing, imported, _)| (*importing, *imported) == (from, to))
}

/// A circle of modules, if there is one, with its first module again at the end.
fn cycle(arrows: &[Arrow]) -> Option<Vec<String>> {
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for arrow in arrows {
        graph.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let mut done = BTreeSet::new();
    graph.keys().find_map(|start| visit(start, &graph, &mut Vec::new(), &mut done))
}

fn visit<'a>(
    module: &'a str,
    graph: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(start) = path.iter().position(|step| *step == module) {
        return Some(path[start..].iter().chain([&module]).map(|step| (*step).to_owned()).collect());
    }
    if done.contains(module) {
        return None;
    }
    path.push(module);
    let found = graph.get(module).into_iter().flatten().find_map(|next| visit(next, graph, path, done));
    path.pop();
    done.insert(module);
    found
}

fn arrows_of_the_crate() -> Vec<Arrow> {
    sources().into_iter().flat_map(|(module, path, text)| arrows(&module, &path.display().to_string(), &text)).collect()
}

/// The arrows of one file to other modules.
fn arrows(from: &str, place: &str, text: &str) -> Vec<Arrow> {
    let lines: Vec<_> = code_lines(text).collect();
    let mut found = BTreeSet::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        for root in ["crate::", "flowshrike::"] {
            for (start, _) in line.match_indices(root) {
                let before = line[..start].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                // A grouped import may go on over several lines.
                let mut rest = line[start + root.len()..].to_owned();
                if rest.starts_with('{') {
                    lines[index + 1..].iter().for_each(|(_, line)| rest.push_str(line));
                }
                for to in heads(&rest) {
                    if to != from && to.starts_with(char::is_lowercase) {
                        found.insert(Arrow { from: from.to_owned(), to, place: format!("{place}:{number}") });
                    }
                }
            }
        }
    }
    found.into_iter().collect()
}

/// The first name of a path, or of each path of a group `{a::b, c::{d, e}, f}`.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut item, mut names) = (0, String::new(), Vec::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(&std::mem::take(&mut item))),
            c => item.push(c),
        }
    }
    names.push(name(&item));
    names.retain(|name| !name.is_empty());
    names
}

/// Lines with their numbers, without comments and documentation.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

/// Every source file: its module below the crate's root, its path, its text. The root itself only lists modules.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let below = path.strip_prefix(&root).expect("a file of src");
        let module = below.iter().next().expect("a name").to_string_lossy().trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&path).expect("a source file is readable text");
        (module != "lib").then(|| (module, Path::new("src").join(below), text))
    };
    files.into_iter().filter_map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
