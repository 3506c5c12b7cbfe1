//! What a model would find in a place that it does not know: each capture's flows held against a fit without that capture.
//!
//! Recall means little without the false positives that it costs, so each figure stands beside the share of benign flows that are novel at
//! the same threshold.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evaluate::rounded;
use super::fit::{BENIGN, Fitted};
use super::metrics::share;
use super::split::Fold;
use crate::dataset::Dataset;

/// Novelty of flows of captures that a fit has not seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NoveltyReport {
    /// The distance beyond which a flow is novel, before it is rounded for the artifact.
    pub threshold: f64,
    /// The share of benign flows that the threshold was set to.
    pub false_positive_rate_asked: f64,
    /// The share of benign flows of all captures beyond it.
    pub false_positive_rate: Option<f64>,
    /// What was left out in turn: `capture`, or `block` of time where fewer than two captures have benign flows.
    pub left_out: &'static str,
    /// Benign flows in all.
    pub benign_flows: u64,
    /// Those beyond the threshold.
    pub benign_novel: u64,
    /// By attack label, over all captures.
    pub per_label: BTreeMap<String, Recall>,
    /// By the capture that was left out.
    pub per_scenario: BTreeMap<String, ScenarioNovelty>,
    /// By column, validation flows with a value beyond the greatest of their fold's training flows.
    pub beyond_training: BTreeMap<String, Beyond>,
}

/// How many flows are novel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Recall {
    /// Flows in all.
    pub flows: u64,
    /// Flows beyond the threshold.
    pub novel: u64,
    /// The two as a share.
    pub recall: Option<f64>,
}

/// One capture that was left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ScenarioNovelty {
    /// Its benign flows.
    pub benign_flows: u64,
    /// Those beyond the threshold.
    pub benign_novel: u64,
    /// The two as a share.
    pub false_positive_rate: Option<f64>,
    /// Its attack labels.
    pub per_label: BTreeMap<String, Recall>,
}

/// Flows with a value beyond the training range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Beyond {
    /// Flows in all.
    pub flows: u64,
    /// Benign flows among them.
    pub benign_flows: u64,
}

impl NoveltyReport {
    /// The figures of a fit's left-out captures.
    pub(super) fn new(
        names: &[String],
        fitted: &Fitted,
        asked: f64,
        beyond_training: BTreeMap<String, Beyond>,
    ) -> Self {
        let mut found = Self {
            threshold: rounded(fitted.novelty_threshold),
            false_positive_rate_asked: asked,
            left_out: if fitted.left_out.iter().all(|capture| capture.is_block) { "block" } else { "capture" },
            beyond_training,
            ..Self::default()
        };
        for capture in &fitted.left_out {
            let scenario = found.per_scenario.entry(capture.name.clone()).or_default();
            for (label, (name, distances)) in names.iter().zip(&capture.distances).enumerate() {
                let novel = distances.iter().filter(|&&distance| distance > fitted.novelty_threshold).count() as u64;
                let flows = distances.len() as u64;
                if label == usize::from(BENIGN) {
                    found.benign_flows += flows;
                    found.benign_novel += novel;
                    scenario.benign_flows += flows;
                    scenario.benign_novel += novel;
                } else if flows > 0 {
                    scenario.per_label.entry(name.clone()).or_default().add(flows, novel);
                    found.per_label.entry(name.clone()).or_default().add(flows, novel);
                }
            }
            scenario.false_positive_rate = share(scenario.benign_novel, scenario.benign_flows);
        }
        found.false_positive_rate = share(found.benign_novel, found.benign_flows);
        found
    }

    /// Lines for people: all captures in one, a table by capture, and the columns beyond their training range in `flows` measured ones.
    #[must_use]
    pub fn text(&self, flows: u64) -> String {
        let recall = |(label, found): (&String, &Recall)| {
            format!("{label} {} of {} ({} %)", found.novel, found.flows, percent(found.recall))
        };
        let labels: Vec<String> = self.per_label.iter().map(recall).collect();
        let labels = if labels.is_empty() { "no attack flows".to_owned() } else { labels.join(", ") };
        let unit = if self.left_out == "block" { "block of time" } else { "capture" };
        let mut out = format!(
            "each {unit} left out in turn, novel beyond {:.5}\nleft out: {labels} novel at a false-positive rate of {} % of {} benign flows (asked for {} %)\n\n",
            self.threshold,
            percent(self.false_positive_rate),
            self.benign_flows,
            percent(Some(self.false_positive_rate_asked)),
        );
        let width = self.per_scenario.keys().map(|name| name.chars().count()).max().unwrap_or(0).max("left out".len());
        let labels = self.per_label.keys().map(String::len).max().unwrap_or(0).max("benign".len());
        out += &format!("{:width$}  {:labels$}  {:>8}  {:>8}  {:>8}\n", "left out", "label", "flows", "novel", "share");
        for (name, scenario) in &self.per_scenario {
            let benign = Recall {
                flows: scenario.benign_flows,
                novel: scenario.benign_novel,
                recall: scenario.false_positive_rate,
            };
            let benign = (scenario.benign_flows > 0).then_some(("benign", benign));
            let attacks = scenario.per_label.iter().map(|(label, found)| (label.as_str(), *found));
            for (label, found) in benign.into_iter().chain(attacks) {
                let share = percent(found.recall) + " %";
                out += &format!("{name:width$}  {label:labels$}  {:>8}  {:>8}  {share:>8}\n", found.flows, found.novel);
            }
        }
        let beyond = self.beyond_training.iter().filter(|(_, beyond)| beyond.flows > 0);
        let beyond: Vec<String> = beyond
            .map(|(column, beyond)| format!("`{column}` {} ({} benign)", beyond.flows, beyond.benign_flows))
            .collect();
        let beyond = if beyond.is_empty() { "none in any column".to_owned() } else { beyond.join(", ") };
        out + &format!("\nbeyond the greatest training value, of {flows} validation flows: {beyond}\n")
    }
}

impl Recall {
    fn add(&mut self, flows: u64, novel: u64) {
        self.flows += flows;
        self.novel += novel;
        self.recall = share(self.novel, self.flows);
    }
}

/// By column, how many validation flows lie beyond the greatest value of the flows that their fold is fitted on, compared as a model
/// compares them.
pub(super) fn beyond_training<'a>(
    data: &Dataset,
    labels: &[u16],
    folds: impl Iterator<Item = &'a Fold>,
) -> BTreeMap<String, Beyond> {
    let mut found = vec![Beyond::default(); data.features().len()];
    let values = |row: usize| data.row(row).iter().map(|&x| if x.is_finite() { x as f32 } else { 0.0 });
    for fold in folds {
        let mut greatest = vec![f32::NEG_INFINITY; found.len()];
        for &row in fold.training().rows() {
            greatest.iter_mut().zip(values(row)).for_each(|(held, value)| *held = held.max(value));
        }
        for &row in fold.validation().rows() {
            let benign = u64::from(labels[row] == BENIGN);
            for ((beyond, value), greatest) in found.iter_mut().zip(values(row)).zip(&greatest) {
                if value > *greatest {
                    beyond.flows += 1;
                    beyond.benign_flows += benign;
                }
            }
        }
    }
    data.features().iter().map(|id| id.feature().column.to_owned()).zip(found).collect()
}

/// A share of 1 in percent, with two digits behind the point where they say something.
fn percent(value: Option<f64>) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |value| {
            let text = format!("{:.2}", value * 100.0);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_short() {
        assert_eq!([1.0, 0.9333, 0.0, 0.005, 0.1].map(|x| percent(Some(x))), ["100", "93.33", "0", "0.5", "10"]);
    }
}
