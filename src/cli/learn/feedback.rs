//! Analysts' verdicts: JSON lines that name a flow by `flow_id` or `community_id` and say whether it was an attack.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::gather::Gathered;
use crate::model::{LabelId, Model};
use crate::taxonomy;
use crate::train::learn::Case;

/// All verdicts of a file.
pub(super) struct Verdicts {
    path: PathBuf,
    verdicts: Vec<Verdict>,
}

/// One line.
struct Verdict {
    line: u64,
    name: FlowName,
    is_attack: bool,
    label: Option<String>,
}

/// How a line names its flow, or its flows: several connections may share a Community ID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum FlowName {
    Id(u64),
    Community(String),
}

/// The flows that the verdicts speak of.
#[derive(Default)]
pub(super) struct Found {
    pub(super) cases: Vec<Case>,
    /// Names of flows that are not there.
    pub(super) missing: Vec<String>,
}

/// What a line may hold. Other members are left alone, so that an alert's line with a verdict in it will do.
#[derive(Deserialize)]
struct Line {
    flow_id: Option<u64>,
    community_id: Option<String>,
    verdict: Option<bool>,
    label: Option<String>,
}

/// Reads a file of verdicts.
///
/// # Errors
/// Names file and line.
pub(super) fn read(path: &Path) -> anyhow::Result<Verdicts> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut verdicts = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let at = || format!("{}: line {number}", path.display());
        let line = line.with_context(at)?;
        if line.trim().is_empty() {
            continue;
        }
        verdicts.push(verdict(&line, number).map_err(|problem| anyhow::anyhow!("{}: {problem}", at()))?);
    }
    if verdicts.is_empty() {
        bail!("{}: no verdicts in it", path.display());
    }
    Ok(Verdicts { path: path.to_owned(), verdicts })
}

fn verdict(text: &str, line: u64) -> Result<Verdict, String> {
    // The position that the reader tells is one within this line.
    let read: Line = serde_json::from_str(text).map_err(|error| {
        let told = error.to_string();
        format!("not a verdict: {}", told.split(" at line ").next().unwrap_or(&told))
    })?;
    let name = match (read.flow_id, read.community_id) {
        (Some(id), _) => FlowName::Id(id),
        (None, Some(id)) if id.starts_with("1:") => FlowName::Community(id),
        (None, Some(id)) => return Err(format!("`{id}` is no Community ID: it begins with `1:`")),
        (None, None) => return Err("it names no flow: `flow_id` or `community_id` is needed".to_owned()),
    };
    let is_attack = read.verdict.ok_or("no `verdict`: true for an attack, false for a false alarm")?;
    Ok(Verdict { line, name, is_attack, label: read.label })
}

impl Verdicts {
    /// Finds the flows and what they are to be learnt as.
    ///
    /// # Errors
    /// Names the line of a label that the model does not have, and lines that contradict each other.
    pub(super) fn find(&self, gathered: &Gathered, model: &Model) -> anyhow::Result<Found> {
        let rows = self.rows(gathered);
        let mut classifier = model.classifier();
        let mut cases: BTreeMap<usize, (LabelId, u64)> = BTreeMap::new();
        let mut missing = Vec::new();
        for verdict in &self.verdicts {
            let at = |problem: String| anyhow::anyhow!("{}: line {}: {problem}", self.path.display(), verdict.line);
            let given = verdict.given(model).map_err(at)?;
            let Some(rows) = rows.get(&verdict.name) else {
                missing.push(verdict.name.to_string());
                continue;
            };
            let mut found = 0;
            for &row in rows {
                let said = classifier.classify_row(gathered.baseline.row(row)).label;
                let label = match given {
                    Some(label) => label,
                    None if !model.is_benign(said) => said,
                    None => continue,
                };
                found += 1;
                let held = cases.entry(row).or_insert((label, verdict.line));
                if held.0 != label {
                    return Err(at(format!("line {} says otherwise of the same flow", held.1)));
                }
            }
            if found == 0 {
                let problem = format!("the model calls {} benign: say what it was by `label`", verdict.name);
                return Err(at(problem));
            }
        }
        let cases = cases.into_iter().map(|(row, (label, _))| Case { row, label }).collect();
        Ok(Found { cases, missing })
    }

    /// The rows of each name that is asked for.
    fn rows(&self, gathered: &Gathered) -> HashMap<FlowName, Vec<usize>> {
        let wanted: HashSet<&FlowName> = self.verdicts.iter().map(|verdict| &verdict.name).collect();
        let by_community = wanted.iter().any(|name| matches!(name, FlowName::Community(_)));
        let mut rows: HashMap<FlowName, Vec<usize>> = HashMap::new();
        for (row, flow) in gathered.flows.iter().enumerate() {
            let community = if by_community { flow.community_id().map(FlowName::Community) } else { None };
            for name in flow.flow_id.map(FlowName::Id).into_iter().chain(community) {
                if wanted.contains(&name) {
                    rows.entry(name).or_default().push(row);
                }
            }
        }
        rows
    }
}

impl Verdict {
    /// The label that the line itself gives.
    fn given(&self, model: &Model) -> Result<Option<LabelId>, String> {
        let benign = || (0..).map(LabelId).zip(model.labels()).find(|(id, _)| model.is_benign(*id)).map(|(id, _)| id);
        if !self.is_attack {
            return Ok(benign());
        }
        let Some(text) = &self.label else { return Ok(None) };
        let class = taxonomy::class_of_cell(text);
        let names = [class.map(|class| class.name), class.map(|class| class.stage.name()), Some(text.as_str())];
        let label = names.into_iter().flatten().find_map(|name| model.label_named(name));
        let shown: String = text.chars().take(SHOWN).collect();
        match label {
            Some(label) if model.is_benign(label) => {
                Err(format!("`{shown}` is no attack: `verdict` false says that a flow was benign"))
            }
            Some(label) => Ok(Some(label)),
            None => Err(format!("the model has no label `{shown}`: its labels are {}", model.labels().join(", "))),
        }
    }
}

impl std::fmt::Display for FlowName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "flow_id {id}"),
            Self::Community(id) => write!(f, "community_id {id}"),
        }
    }
}

/// What is said of verdicts without a flow; empty if each has one.
pub(super) fn not_found(missing: &[String]) -> String {
    let mut out = String::new();
    if missing.is_empty() {
        return out;
    }
    let named: Vec<&str> = missing.iter().take(NAMED).map(String::as_str).collect();
    let more = missing.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    // Writing to a text cannot fail.
    writeln!(out, "not found {} verdicts speak of flows that are not there: {}{more}", missing.len(), named.join(", "))
        .unwrap_or_default();
    out
}

/// Characters of a label that an error repeats.
const SHOWN: usize = 40;
/// Flows that are named where some were not found.
const NAMED: usize = 10;
