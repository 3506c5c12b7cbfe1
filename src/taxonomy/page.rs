//! The table as people read it: the reference page, and plain text for a terminal.

use std::fmt::Write as _;

use super::{ATTACK_VERSION, CLASSES, Class, Stage};

/// The reference page, Markdown.
#[must_use]
pub fn reference_page() -> String {
    let mut page = HEAD.replace("ATTACK_VERSION", ATTACK_VERSION);
    for class in listed() {
        let [name, number, severity, technique, tactic] = cells(class);
        // Writing to a `String` cannot fail.
        writeln!(
            page,
            "| `{name}` | {number} | {} | {} | {severity} | {technique} | {tactic} |",
            class.stage, class.title
        )
        .ok();
    }
    page
}

/// One line a label, in columns.
#[must_use]
pub fn text() -> String {
    let mut text = format!("{:26} {:6} {:8} {:10} {:6}  TITLE\n", "LABEL", "NUMBER", "SEVERITY", "TECHNIQUE", "TACTIC");
    for class in listed() {
        let [name, number, severity, ..] = cells(class);
        let (technique, tactic) = class.technique.map_or(("", ""), |technique| (technique.id, technique.tactic_id));
        // Writing to a `String` cannot fail.
        writeln!(text, "{name:26} {number:6} {severity:8} {technique:10} {tactic:6}  {}", class.title).ok();
    }
    text
}

/// Every class that a flow can be labelled with, stage by stage: the stage itself, published labels, behaviours.
fn listed() -> Vec<&'static Class> {
    let mut classes: Vec<_> = CLASSES.iter().filter(|class| class.stage != Stage::Novel).collect();
    classes.sort_by_key(|class| {
        (class.stage, class.name != class.stage.name(), class.published.is_none(), class.published, class.name)
    });
    classes
}

/// Name, published number, severity, technique and tactic.
fn cells(class: &Class) -> [String; 5] {
    let [technique, tactic] = class.technique.map_or_else(Default::default, |technique| {
        [format!("{} {}", technique.id, technique.name), format!("{} {}", technique.tactic_id, technique.tactic)]
    });
    let number = class.published.map(|number| number.to_string()).unwrap_or_default();
    [class.name.to_owned(), number, class.severity.to_string(), technique, tactic]
}

const HEAD: &str = "\
# The taxonomy of labels

<!-- Generated from the table of classes (src/taxonomy/table.rs): UPDATE_DOCS=1 cargo test --test reference_pages -->

What a label means: its stage, what an alert says of it, how severe it is, and the ATT&CK technique under one of its tactics.
`flowshrike label --list-labels` prints the same table.

- `train` groups labels by stage unless `--view labels` asks for each. A stage is also a label by itself, for flows of which no
  more is known.
- A behaviour is named `stage.behaviour`. The twelve labels of the Kubernetes misuse data set (Sever and Dogan, 2023) have names
  of their own, and may be given by number, name or title; the data set's 0 is `benign`. All names are read without regard to case.
- The label's name decides an alert's `signature_id`, so names do not change.
- `unknown-novel` is no label of a flow: alert policy says it of flows that are unlike anything known.
- Techniques, their names and tactics are those of Enterprise ATT&CK ATTACK_VERSION. A scan from outside is Reconnaissance, looking around
  from inside a cluster is Discovery. ATT&CK has no tactic for a stage `tunnel` or `mining`: they stand under Command and Control,
  and Impact.
- That a label is here does not mean that the default model knows it: `models/README.md` says what it knows, and how well.

| Label | Number | Stage | Title | Severity | Technique | Tactic |
|---|---|---|---|---|---|---|
";
