//! What a run of `label` did: for people on stderr, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::labelling::Labelling;
use crate::dataset::rules::{Fallback, Rule};
use crate::features::schema::NO_LABEL;
use crate::taxonomy;

/// Everything that is told.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Flows read.
    flows: u64,
    /// Flows written, by label.
    labels: BTreeMap<String, u64>,
    /// Flows left out.
    dropped: u64,
    /// Flows that no rule took, and what they became.
    unmatched: Unmatched,
    rules: Vec<RuleCounts>,
    conflicts: Conflicts,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Unmatched {
    flows: u64,
    default: String,
}

#[derive(Debug, Serialize)]
struct RuleCounts {
    rule: String,
    label: String,
    /// Flows that it took.
    took: u64,
    /// Flows that it would have taken as the first rule.
    matched: u64,
}

#[derive(Debug, Serialize)]
struct Conflicts {
    /// Flows that two rules with different labels match.
    flows: u64,
    pairs: Vec<Pair>,
}

#[derive(Debug, Serialize)]
struct Pair {
    /// The rule that comes first.
    first: String,
    second: String,
    flows: u64,
    examples: Vec<String>,
}

impl Report {
    pub(super) fn new(labelling: &Labelling<'_>) -> Self {
        let Labelling { rules, tally, labels, dropped, scenarios_ignored, .. } = labelling;
        let name = |at: usize| rules.rules().get(at).map_or("", Rule::name).to_owned();
        let default = match rules.fallback() {
            Fallback::Label(label) => label,
            Fallback::Unlabelled => "unlabelled",
            Fallback::Keep => "keep",
        };
        let counts = rules.rules().iter().zip(tally.counts());
        let mut report = Self {
            flows: tally.flows(),
            labels: labels.clone(),
            dropped: *dropped,
            unmatched: Unmatched { flows: tally.none(), default: default.to_owned() },
            rules: counts
                .map(|(rule, counts)| RuleCounts {
                    rule: rule.name().to_owned(),
                    label: rule.label().to_owned(),
                    took: counts.took,
                    matched: counts.matched,
                })
                .collect(),
            conflicts: Conflicts {
                flows: tally.conflicting(),
                pairs: tally
                    .pairs()
                    .iter()
                    .map(|(&(first, second), pair)| Pair {
                        first: name(first),
                        second: name(second),
                        flows: pair.flows,
                        examples: pair.examples.clone(),
                    })
                    .collect(),
            },
            warnings: Vec::new(),
        };
        report.warnings = report.find_warnings(*scenarios_ignored);
        report
    }

    fn find_warnings(&self, scenarios_ignored: bool) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .rules
            .iter()
            .filter(|rule| rule.took == 0)
            .map(|RuleCounts { rule, matched, .. }| match matched {
                0 => format!("`{rule}` took no flow: none matches it"),
                _ => format!("`{rule}` took no flow: earlier rules took the {matched} that match it"),
            })
            .collect();
        if let Some(flows) = self.labels.get(NO_LABEL) {
            warnings.push(format!(
                "{flows} flows have no label ({NO_LABEL}), which `train` refuses: give the rules a `default`, or leave such flows \
                 out with --drop-unlabelled"
            ));
        }
        let strange = |label: &&String| *label != NO_LABEL && taxonomy::class_of_cell(label).is_none();
        let strange: Vec<_> = self.labels.keys().filter(strange).map(|label| format!("`{label}`")).collect();
        if !strange.is_empty() {
            warnings.push(format!("not in the taxonomy, which `train` asks for: {}", strange.join(", ")));
        }
        if scenarios_ignored {
            warnings.push(
                "the flows have a column `Scenario` of their own, which stays: scenarios of the rules are not used"
                    .into(),
            );
        }
        warnings
    }

    /// The report for people.
    pub(super) fn text(&self) -> String {
        let wide = |width: usize, text: &str| width.max(text.chars().count());
        let name = self.rules.iter().fold("(no rule)".len(), |width, rule| wide(width, &rule.rule));
        let label = self
            .rules
            .iter()
            .fold(wide("label".len(), &self.unmatched.default), |width, rule| wide(width, &rule.label));
        let mut text = format!("{:name$}  {:label$}  {:>9}  {:>9}\n", "rule", "label", "took", "matched");
        // Writing to a `String` cannot fail.
        for RuleCounts { rule, label: given, took, matched } in &self.rules {
            writeln!(text, "{rule:name$}  {given:label$}  {took:>9}  {matched:>9}").ok();
        }
        writeln!(text, "{:name$}  {:label$}  {:>9}", "(no rule)", self.unmatched.default, self.unmatched.flows).ok();
        let labels: Vec<_> = self.labels.iter().map(|(label, flows)| format!("{label} {flows}")).collect();
        writeln!(text, "\n{} flows, {} left out; written: {}", self.flows, self.dropped, labels.join(", ")).ok();
        for Pair { first, second, flows, examples } in &self.conflicts.pairs {
            writeln!(
                text,
                "conflict: {flows} flows match `{first}`, which comes first, and `{second}`, which says another label"
            )
            .ok();
            for example in examples {
                writeln!(text, "    {example}").ok();
            }
        }
        for warning in &self.warnings {
            writeln!(text, "flowshrike: warning: {warning}").ok();
        }
        text
    }
}
