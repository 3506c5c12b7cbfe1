//! What evidence adds: recall and false alarms of the same model on the same flows, without it and with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::replay::{Capture, Captures, EvidenceError, Flow};
use crate::alert::{AlertPolicy, AlertStage, Decision, LabelRule, Limits, NovelMode};
use crate::dataset::Dataset;
use crate::evidence::{Contact, Evidence, Incident, Subject};
use crate::model::{EvidenceKind, LabelId, Model};
use crate::taxonomy;
use crate::time::Micros;
use crate::train::metrics::{Confusion, share};
use crate::train::to_model;

/// Without and with evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compared {
    /// Flows that say who and when.
    pub flows: u64,
    /// Flows that do not, which are left out here.
    pub unplaced: u64,
    /// Hours of all captures, each from its first packet to its last.
    pub hours: f64,
    /// Hostile flows.
    pub hostile: LabelCompared,
    /// Benign flows; those that are alerted are false alarms.
    pub benign: LabelCompared,
    /// Alert lines, after repetitions are held back.
    pub lines: Lines,
    /// The same an hour.
    pub lines_per_hour: Option<Lines<f64>>,
    /// Incidents by kind, and how many of them without a single hostile flow.
    pub incidents: BTreeMap<&'static str, Raised>,
    /// Hostile flows by label, as the data has it.
    pub per_label: BTreeMap<String, LabelCompared>,
    /// Both sides of each capture.
    pub per_scenario: BTreeMap<String, ScenarioCompared>,
    /// Mean F1 over the labels, benign among them, where a flow has the label that it is alerted under: by itself, or by its incident.
    pub macro_f1: MacroF1,
}

/// Flows of a label, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LabelCompared {
    /// All of them.
    pub flows: u64,
    /// Of these: alerted by themselves.
    pub without: u64,
    /// Of these: alerted by themselves or part of an incident, also one that was raised later.
    pub with: u64,
    /// The shares of both.
    pub share_without: Option<f64>,
    /// See `share_without`.
    pub share_with: Option<f64>,
}

/// Flows of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ScenarioCompared {
    /// Its hostile flows.
    pub hostile: LabelCompared,
    /// Its benign flows.
    pub benign: LabelCompared,
}

/// Mean F1 without and with evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MacroF1 {
    /// By single flows.
    pub without: Option<f64>,
    /// With incidents.
    pub with: Option<f64>,
}

/// Lines without and with evidence, and those of them that are about benign flows alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Lines<T = u64> {
    /// All lines without evidence.
    pub without: T,
    /// All with it, those on incidents among them.
    pub with: T,
    /// False ones without.
    pub false_without: T,
    /// False ones with.
    pub false_with: T,
}

/// Incidents of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Raised {
    /// All.
    pub raised: u64,
    /// Of these: no flow of theirs is hostile.
    pub wrong: u64,
}

/// Compares on flows whose columns are [`columns`](super::columns) of a model with evidence; `None` for one without.
///
/// # Errors
/// Flows that do not say who and when.
pub fn compare(model: &Model, data: &Dataset) -> Result<Option<Compared>, EvidenceError> {
    if model.evidence().is_none() {
        return Ok(None);
    }
    let captures = Captures::new(model, data, None)?;
    let mut named = Named::new(model, data);
    let mut found = Compared { unplaced: captures.unplaced, ..Compared::default() };
    for capture in &captures.captures {
        found.hours += capture.span().0 as f64 / 3.6e9;
        if let Some(run) = Run::new(model, capture) {
            run.book(data, capture, model, &mut found, &mut named);
        }
    }
    found.macro_f1 = named.macro_f1();
    let of_scenarios = found.per_scenario.values_mut().flat_map(|both| [&mut both.hostile, &mut both.benign]);
    let all = found.per_label.values_mut().chain([&mut found.hostile, &mut found.benign]).chain(of_scenarios);
    all.for_each(|label| {
        label.share_without = share(label.without, label.flows);
        label.share_with = share(label.with, label.flows);
    });
    let lines = found.lines;
    found.lines_per_hour = (found.hours > 0.0).then(|| {
        let hourly = |count: u64| count as f64 / found.hours;
        Lines {
            without: hourly(lines.without),
            with: hourly(lines.with),
            false_without: hourly(lines.false_without),
            false_with: hourly(lines.false_with),
        }
    });
    Ok(Some(found))
}

/// One capture through both.
struct Run {
    /// Flows, in their order, that an incident covered as they ended, and its number.
    covered: BTreeMap<usize, u64>,
    incidents: BTreeMap<u64, Incident>,
    lines: Lines,
    /// Incident lines by the incident's number.
    incident_lines: BTreeMap<u64, u64>,
}

impl Run {
    fn new(model: &Model, capture: &Capture<'_>) -> Option<Self> {
        let mut evidence = Evidence::of(model, SEED)?;
        let (mut plain, mut joined) = (stage(model)?, stage(model)?);
        let mut run = Self {
            covered: BTreeMap::new(),
            incidents: BTreeMap::new(),
            lines: Lines::default(),
            incident_lines: BTreeMap::new(),
        };
        for (at, flow) in capture.flows.iter().enumerate() {
            let wrong = u64::from(flow.hostile.is_none());
            if let Decision::Emit(_) = plain.ended(&flow.facts, Some(&flow.verdict)) {
                run.lines.without += 1;
                run.lines.false_without += wrong;
            }
            let found = evidence.observe(&flow.sight());
            found.reports.into_iter().for_each(|report| run.told(report.incident));
            if let Some(cover) = found.cover {
                run.covered.insert(at, cover.id);
                // No line: the incident's stands for it.
                drop(joined.covered(&flow.facts, &flow.verdict));
            } else if !found.failed
                && let Decision::Emit(_) = joined.ended(&flow.facts, Some(&flow.verdict))
            {
                run.lines.with += 1;
                run.lines.false_with += wrong;
            }
        }
        evidence.finish().into_iter().for_each(|report| run.told(report.incident));
        Some(run)
    }

    fn told(&mut self, incident: Incident) {
        *self.incident_lines.entry(incident.id).or_default() += 1;
        self.incidents.insert(incident.id, incident);
    }

    fn book(mut self, data: &Dataset, capture: &Capture<'_>, model: &Model, found: &mut Compared, named: &mut Named) {
        let is_in = |incident: &Incident, flow: &Flow| {
            let contact = flow.contact();
            let subject = incident.subject;
            Subject::of(subject.kind, &flow.facts.tuple) == subject
                && subject.covers(contact)
                && (incident.extent.first..=incident.extent.last).contains(&flow.facts.end)
        };
        for incident in self.incidents.values() {
            let is_right = capture.flows.iter().any(|flow| flow.hostile.is_some() && is_in(incident, flow));
            let lines = self.incident_lines.get(&incident.id).copied().unwrap_or(0);
            let raised = found.incidents.entry(incident.subject.kind.name()).or_default();
            raised.raised += 1;
            raised.wrong += u64::from(!is_right);
            self.lines.with += lines;
            self.lines.false_with += if is_right { 0 } else { lines };
        }
        let name_of = |label: LabelId| model.labels().get(usize::from(label.0)).map_or("", String::as_str);
        let benign = model.labels().iter().find(|label| taxonomy::is_benign(label)).map_or("", String::as_str);
        let scenario = found.per_scenario.entry(capture.name.to_owned()).or_default();
        for (at, flow) in capture.flows.iter().enumerate() {
            let without = u64::from(flow.alerts);
            let of_cover = self.covered.get(&at).and_then(|id| self.incidents.get(id));
            let incident = of_cover.or_else(|| self.incidents.values().find(|incident| is_in(incident, flow)));
            let is_alone = flow.alerts && flow.contact() != Contact::Failed;
            let with = u64::from(incident.is_some() || is_alone);
            let own = name_of(flow.verdict.label);
            let truth = data.labels().ids().get(flow.row).copied().unwrap_or(u32::MAX);
            let by_itself = |alerts: bool| if alerts { own } else { benign };
            let by_incident = incident.map_or_else(|| by_itself(is_alone), |incident| &incident.label);
            named.add(truth, by_itself(flow.alerts), by_incident);
            let (side, of_scenario) = match flow.hostile {
                Some(_) => (&mut found.hostile, &mut scenario.hostile),
                None => (&mut found.benign, &mut scenario.benign),
            };
            side.add(without, with);
            of_scenario.add(without, with);
            found.flows += 1;
            if flow.hostile.is_some() {
                found.per_label.entry(data.labels().get(flow.row).to_owned()).or_default().add(without, with);
            }
        }
        let Lines { without, with, false_without, false_with } = self.lines;
        found.lines.without += without;
        found.lines.with += with;
        found.lines.false_without += false_without;
        found.lines.false_with += false_with;
    }
}

impl LabelCompared {
    const fn add(&mut self, without: u64, with: u64) {
        self.flows += 1;
        self.without += without;
        self.with += with;
    }
}

/// True labels against those that flows are alerted under.
struct Named {
    /// By the data's label number, what a model with these labels would call it.
    truth: Vec<usize>,
    names: BTreeMap<String, usize>,
    without: Confusion,
    with: Confusion,
}

impl Named {
    fn new(model: &Model, data: &Dataset) -> Self {
        let cells = data.labels();
        // Cells that mean nothing were refused before.
        let mapped = to_model(cells, model.labels(), true).unwrap_or_default();
        let class =
            |cell: &str| taxonomy::class_of_cell(cell).map_or_else(|| cell.to_owned(), |class| class.name.to_owned());
        let mapped = mapped.into_iter().zip(cells.distinct());
        let called: Vec<String> = mapped.map(|(name, cell)| name.unwrap_or_else(|| class(cell))).collect();
        let distinct: BTreeSet<String> = called.iter().cloned().collect();
        // One more for labels that no flow here has.
        let count = distinct.len() + 1;
        let names: BTreeMap<String, usize> = distinct.into_iter().zip(0..).collect();
        let truth = called.iter().filter_map(|name| names.get(name).copied()).collect();
        Self { truth, names, without: Confusion::new(count), with: Confusion::new(count) }
    }

    fn add(&mut self, truth: u32, without: &str, with: &str) {
        let at = |label: &str| self.names.get(label).copied().unwrap_or(self.names.len());
        let Some(&truth) = self.truth.get(truth as usize) else { return };
        let (without, with) = (at(without), at(with));
        self.without.add(truth, without, 1);
        self.with.add(truth, with, 1);
    }

    /// Over the labels that the flows have: an attack that is called by a name that none of them has is a miss, not a class.
    fn macro_f1(&self) -> MacroF1 {
        let mean = |matrix: &Confusion| {
            let f1 = self.names.values().map(|class| matrix.class(*class).f1().unwrap_or(0.0));
            (!self.names.is_empty()).then(|| f1.sum::<f64>() / self.names.len() as f64)
        };
        MacroF1 { without: mean(&self.without), with: mean(&self.with) }
    }
}

/// The alert stage as the daemon has it by default.
fn stage(model: &Model) -> Option<AlertStage> {
    let rule = |(id, name): (u16, &String)| LabelRule {
        name: name.clone(),
        benign: model.is_benign(LabelId(id)),
        threshold: model.threshold(LabelId(id)),
    };
    let labels = (0..).zip(model.labels()).map(rule).collect();
    let policy = AlertPolicy::new(labels, &BTreeMap::new(), NovelMode::Count).ok()?;
    Some(AlertStage::new(policy, Limits { longest_flow: Micros::from_secs(240), ..Limits::default() }))
}

/// The comparison for people.
#[must_use]
pub fn compared_text(found: &Compared) -> String {
    let number = |share: Option<f64>| share.map_or_else(|| "-".to_owned(), |share| format!("{share:.4}"));
    let mut out = format!(
        "\nevidence beyond one flow ({} flows of {:.2} h; {} rows without addresses and times left out)\n{:26} {:>8} {:>9} {:>9}\n",
        found.flows, found.hours, found.unplaced, "alerted share of", "flows", "without", "with"
    );
    let labels = found.per_label.iter().map(|(label, figures)| (label.as_str(), figures));
    for (name, figures) in labels.chain([("all hostile", &found.hostile), ("benign: false alarms", &found.benign)]) {
        let (without, with) = (number(figures.share_without), number(figures.share_with));
        // Writing to a string cannot fail.
        writeln!(out, "{name:26} {:>8} {without:>9} {with:>9}", figures.flows).unwrap_or_default();
    }
    let MacroF1 { without, with } = found.macro_f1;
    writeln!(out, "{:26} {:>8} {:>9} {:>9}", "macro-F1 of the labels", "", number(without), number(with))
        .unwrap_or_default();
    let Lines { without, with, false_without, false_with } = found.lines;
    writeln!(
        out,
        "alert lines {without} without and {with} with; on benign flows alone {false_without} and {false_with}"
    )
    .unwrap_or_default();
    if let Some(Lines { without, with, false_without, false_with }) = found.lines_per_hour {
        writeln!(
            out,
            "an hour {without:.1} and {with:.1}; on benign flows alone {false_without:.1} and {false_with:.1}"
        )
        .unwrap_or_default();
    }
    let mut wrong: Vec<(&String, &LabelCompared)> = found
        .per_scenario
        .iter()
        .map(|(name, both)| (name, &both.benign))
        .filter(|(_, benign)| benign.with > 0)
        .collect();
    wrong.sort_by_key(|(name, benign)| (std::cmp::Reverse(benign.with), *name));
    for (name, benign) in wrong.iter().take(WORST) {
        writeln!(out, "false alarms with evidence in {name}: {} of {} benign flows", benign.with, benign.flows)
            .unwrap_or_default();
    }
    if let Some(more) = wrong.len().checked_sub(WORST).filter(|more| *more > 0) {
        writeln!(out, "and in {more} more captures").unwrap_or_default();
    }
    for kind in EvidenceKind::ALL.map(EvidenceKind::name) {
        if let Some(Raised { raised, wrong }) = found.incidents.get(kind) {
            writeln!(out, "incidents by {kind}: {raised}, of them {wrong} without a hostile flow").unwrap_or_default();
        }
    }
    out
}

/// Captures whose false alarms are told one by one; JSON has them all.
const WORST: usize = 10;
/// Counting is the same each time.
const SEED: u64 = 0x666c_6f77_7368_7269;
