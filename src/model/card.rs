//! A model's card: what a person should know before trusting it, from the artifact alone.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{LabelId, Model, leaky_line};
use crate::features::FeatureId;
use crate::taxonomy::{self, Stage};

/// What an artifact says of itself, and what follows from that.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Card<'m> {
    /// The leaky columns that it reads, and why they leak, in one line.
    pub leaky: Option<String>,
    /// What the model is called.
    pub name: &'m str,
    /// Its version.
    pub version: &'m str,
    /// SHA-256 of the artifact.
    pub sha256: &'m str,
    /// How it decides.
    pub engine: &'static str,
    /// The same in a line.
    pub decides: String,
    /// The model that it was made from, if it learnt on.
    pub parent: Option<&'m super::Parent>,
    /// Profile of its training flows.
    pub profile: &'m str,
    /// Whether it reads only columns that both profiles compute alike, so that the daemon can run it.
    pub portable_only: bool,
    /// Column names, in the model's order.
    pub features: &'m [String],
    /// What it tells apart.
    pub labels: Vec<LabelCard<'m>>,
    /// Points in all, or leaves of trees.
    pub points: usize,
    /// Distance to the nearest benign point above which a flow is novel.
    pub novelty_threshold: f32,
    /// What raises incidents beyond one flow, if something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<&'m super::EvidenceParts>,
    /// What it was trained on.
    pub provenance: &'m super::Provenance,
    /// Figures from its validation, by name.
    pub metrics: &'m BTreeMap<String, f64>,
    /// What it cannot be trusted with, as far as the artifact tells.
    pub blind_spots: Vec<String>,
}

/// One label of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelCard<'m> {
    /// The label.
    pub name: &'m str,
    /// What it means.
    pub title: Option<&'static str>,
    /// Flows of this label that it was trained on.
    pub training_flows: u64,
    /// Points that stand for them, or leaves that they win.
    pub points: usize,
    /// The least share of the votes for attacks that is worth an alert; none for benign flows.
    pub alert_threshold: Option<f32>,
}

impl<'m> Card<'m> {
    /// The card of a model.
    #[must_use]
    pub fn of(model: &'m Model) -> Self {
        let parts = model.parts();
        let labels: Vec<_> = (0..).map(LabelId).zip(model.labels()).map(|(id, name)| label(model, id, name)).collect();
        Self {
            leaky: leaky_line(&model.leaky()),
            name: model.name(),
            version: model.version(),
            sha256: model.sha256(),
            engine: model.engine(),
            decides: parts.engine.describe(),
            parent: parts.parent.as_ref(),
            profile: &parts.profile,
            portable_only: parts.portable_only,
            features: &parts.features,
            points: parts.engine.size(),
            novelty_threshold: model.novelty_threshold(),
            evidence: parts.evidence.as_ref(),
            provenance: &parts.provenance,
            metrics: &parts.metrics,
            blind_spots: blind_spots(model, &labels),
            labels,
        }
    }
}

fn label<'m>(model: &'m Model, id: LabelId, name: &'m str) -> LabelCard<'m> {
    LabelCard {
        name,
        title: taxonomy::class(name).map(|class| class.title),
        training_flows: model.parts().provenance.rows.get(name).copied().unwrap_or(0),
        points: model.parts().engine.size_of(id.0),
        alert_threshold: (!model.is_benign(id)).then(|| model.threshold(id)),
    }
}

/// What follows from counts and figures; a card that a person wrote may know more.
fn blind_spots(model: &Model, labels: &[LabelCard<'_>]) -> Vec<String> {
    let mut found = Vec::new();
    for column in model.leaky() {
        found.push(format!("it reads `{column}`: its figures say little about other hosts, services and days"));
    }
    for LabelCard { name, training_flows, .. } in labels {
        if *training_flows < FEW_TRAINING {
            found.push(format!("`{name}` was learnt from {training_flows} flows"));
        }
    }
    let metrics = &model.parts().metrics;
    for (name, flows) in metrics {
        if let Some(label) = name.strip_prefix("validation.support.")
            && *flows < FEW_VALIDATION
        {
            found.push(format!("the figures of `{label}` stand on {flows} flows"));
        }
    }
    if !metrics.keys().any(|name| name.starts_with("validation.")) {
        found.push("nothing in it was measured on flows that it had not seen".to_owned());
    }
    let knows = |stage: Stage| {
        let of_stage = |name: &str| taxonomy::class(name).is_some_and(|class| class.stage == stage);
        labels.iter().any(|label| of_stage(label.name))
    };
    let mut unknown: Vec<_> = taxonomy::CLASSES.iter().map(|class| class.stage).collect();
    unknown.sort_unstable();
    unknown.dedup();
    unknown.retain(|stage| !matches!(stage, Stage::Benign | Stage::Novel) && !knows(*stage));
    if !unknown.is_empty() {
        let names: Vec<_> = unknown.iter().map(ToString::to_string).collect();
        found.push(format!("it has no label for {}: such flows can only be found novel", names.join(", ")));
    }
    let captures = model.trained_on();
    found.push(format!("benign traffic unlike that of its training data looks strange to it ({captures})"));
    found
}

impl fmt::Display for Card<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let super::Provenance { trained_on, data_sha256, seed, created_by, .. } = self.provenance;
        if let Some(leaky) = &self.leaky {
            writeln!(f, "{leaky}")?;
        }
        writeln!(f, "model       {} {}", self.name, self.version)?;
        writeln!(f, "SHA-256     {}", self.sha256)?;
        if let Some(super::Parent { name, version, sha256 }) = self.parent {
            writeln!(f, "made from   {name} {version}, SHA-256 {sha256}")?;
        }
        writeln!(f, "engine      {}", self.decides)?;
        let identity = |name: &String| FeatureId::named_or_identity(name).is_some_and(|id| id.identity().is_some());
        let portable = match self.portable_only {
            true => "both profiles can be served",
            false if self.features.iter().any(identity) => "no profile can be served",
            false => "only this profile can be served",
        };
        writeln!(f, "profile     {}; {portable}", self.profile)?;
        writeln!(f, "trained on  {trained_on}")?;
        writeln!(f, "            rows SHA-256 {data_sha256}, seed {seed}, by {created_by}")?;
        writeln!(f, "novelty     beyond {} from the nearest benign point", self.novelty_threshold)?;
        if let Some(evidence) = self.evidence {
            let super::EvidenceParts { short_window, middle_window, long_window, learned_on, .. } = evidence;
            writeln!(f, "\nincidents   in windows of {short_window}, {middle_window} and {long_window} s")?;
            writeln!(f, "            learnt on {learned_on}")?;
            for (name, least) in evidence.told() {
                writeln!(f, "  {name:24} {least}")?;
            }
        }
        writeln!(f, "\nlabel                     flows    points  alert from")?;
        for LabelCard { name, title, training_flows, points, alert_threshold } in &self.labels {
            let from = alert_threshold.map_or_else(|| "-".to_owned(), super::alone_text);
            writeln!(f, "{name:20} {training_flows:>10} {points:>9}  {from:10}  {}", title.unwrap_or_default())?;
        }
        writeln!(f, "\nfeatures, in order")?;
        for feature in self.features {
            writeln!(f, "  {feature}")?;
        }
        writeln!(f, "\nfigures, from flows that the fit had not seen unless the name says otherwise")?;
        for (name, value) in self.metrics {
            writeln!(f, "  {name:40} {value}")?;
        }
        writeln!(f, "\nblind spots")?;
        for spot in &self.blind_spots {
            writeln!(f, "  - {spot}")?;
        }
        Ok(())
    }
}

/// Fewer training flows are hardly a class.
const FEW_TRAINING: u64 = 50;
/// Fewer validation flows: one more or less moves a figure by a tenth.
const FEW_VALIDATION: f64 = 10.0;
