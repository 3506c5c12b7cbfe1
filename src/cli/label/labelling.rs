//! Rules at work: each flow's label, and what has been given so far.

use std::collections::BTreeMap;

use crate::dataset::rules::{Candidate, Rules, Tally};
use crate::features::schema::NO_LABEL;

/// Gives labels and counts them.
pub(super) struct Labelling<'r> {
    pub(super) rules: &'r Rules,
    pub(super) tally: Tally,
    /// Flows written, by label.
    pub(super) labels: BTreeMap<String, u64>,
    /// Flows left out because they had no label.
    pub(super) dropped: u64,
    drop_unlabelled: bool,
    /// Whether the input's own scenarios hide those of the rules.
    pub(super) scenarios_ignored: bool,
}

/// What a flow is given.
pub(super) struct Given<'g> {
    pub(super) label: &'g [u8],
    /// `None`: the capture's own name.
    pub(super) scenario: Option<&'g str>,
}

impl<'r> Labelling<'r> {
    pub(super) fn new(rules: &'r Rules, drop_unlabelled: bool) -> Self {
        let tally = Tally::new(rules);
        Self { rules, tally, labels: BTreeMap::new(), dropped: 0, drop_unlabelled, scenarios_ignored: false }
    }

    /// A flow's label and scenario; `own` is the label that it came with. `None`: the flow is left out.
    pub(super) fn give<'g>(&mut self, candidate: &Candidate<'_>, own: &'g [u8]) -> Option<Given<'g>>
    where
        'r: 'g,
    {
        let rules = self.rules;
        let rule = self.tally.take(rules, candidate);
        let label = rules.label(rule, own).unwrap_or(NO_LABEL.as_bytes());
        if self.drop_unlabelled && label == NO_LABEL.as_bytes() {
            self.dropped += 1;
            return None;
        }
        let name = String::from_utf8_lossy(label);
        match self.labels.get_mut(name.as_ref()) {
            Some(count) => *count += 1,
            None => drop(self.labels.insert(name.into_owned(), 1)),
        }
        Some(Given { label, scenario: rules.scenario_of(rule) })
    }
}
