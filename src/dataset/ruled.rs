//! Labels by rules while flows are read: what a rules file says of each, in place of a column of labels.
//!
//! A file's rows get their labels when all of them have been read, for windows may begin with the first packet of a capture.

use std::collections::HashMap;

use super::error::{BadRow, DatasetError};
use super::flow_identity::IdentityColumns;
use super::rules::{Candidate, Fallback, Needs, Rules, Tally};
use super::table::Opened;
use super::{Dataset, Texts};
use crate::flow::FiveTuple;
use crate::time::Micros;

/// Rules at work on the files of a query.
pub(super) struct Ruled<'q> {
    rules: &'q Rules,
    needs: Needs,
    tally: Tally,
    /// Of the rows of the file at hand.
    facts: Vec<(FiveTuple, Micros)>,
    /// Of the rows of all files before.
    labels: Texts,
    scenarios: Texts,
    /// Whether a row has a label.
    kept: Vec<bool>,
}

impl<'q> Ruled<'q> {
    pub(super) fn new(rules: &'q Rules) -> Self {
        Self {
            rules,
            needs: rules.needs(),
            tally: Tally::new(rules),
            facts: Vec::new(),
            labels: Texts::default(),
            scenarios: Texts::default(),
            kept: Vec::new(),
        }
    }

    /// Whether the flows' own labels are asked for.
    pub(super) fn keeps_labels(&self) -> bool {
        *self.rules.fallback() == Fallback::Keep
    }

    /// Whether a table has what the rules look at.
    ///
    /// # Errors
    /// The columns that it lacks.
    pub(super) fn check(&self, opened: &Opened, columns: &IdentityColumns) -> Result<(), DatasetError> {
        let missing = columns.missing(self.needs);
        if missing.is_empty() {
            return Ok(());
        }
        Err(DatasetError::NoIdentities { path: opened.path.clone(), columns: missing })
    }

    /// What the rules look at of the row under a table.
    ///
    /// # Errors
    /// A cell that they need and that cannot be read.
    pub(super) fn read(
        &self,
        opened: &Opened,
        columns: &IdentityColumns,
        first: usize,
    ) -> Result<(FiveTuple, Micros), BadRow> {
        columns.facts(opened, first, self.needs)
    }

    /// Keeps it for the end of the file.
    pub(super) fn push(&mut self, facts: (FiveTuple, Micros)) {
        self.facts.push(facts);
    }

    /// Labels the last rows of the data set, which are those of the file at hand. `has_scenarios`: they name their captures themselves.
    pub(super) fn label_file(&mut self, dataset: &Dataset, has_scenarios: bool) {
        let from = dataset.len().saturating_sub(self.facts.len());
        let captures = dataset.scenarios().ids().get(from..).unwrap_or_default();
        let mut firsts = HashMap::<u32, Micros>::new();
        for (capture, (_, start)) in captures.iter().zip(&self.facts) {
            firsts.entry(*capture).and_modify(|first| *first = (*start).min(*first)).or_insert(*start);
        }
        for ((row, capture), (tuple, start)) in (from..).zip(captures).zip(std::mem::take(&mut self.facts)) {
            let first = firsts.get(capture).copied().unwrap_or_default();
            let name = dataset.scenarios().get(row);
            let rule = self.tally.take(self.rules, &Candidate { tuple, start, first, capture: name });
            let label = self.rules.label(rule, dataset.labels().get(row).as_bytes());
            self.kept.push(label.is_some());
            self.labels.push(&String::from_utf8_lossy(label.unwrap_or_default()));
            let given = self.rules.scenario_of(rule).filter(|_| !has_scenarios);
            self.scenarios.push(given.unwrap_or(name));
        }
    }

    /// Gives the flows their labels and leaves out those without.
    pub(super) fn finish(self, dataset: &mut Dataset) {
        let flows = self.kept.len();
        let left_out = self.kept.iter().filter(|kept| !**kept).count();
        let none = self.tally.none();
        dataset.notes.push(format!(
            "labels by rules: {} of {flows} flows taken by a rule, {none} by none{}",
            flows as u64 - none,
            if left_out > 0 { format!(", of which {left_out} have no label and are left out") } else { String::new() }
        ));
        dataset.relabel(&self.labels, &self.scenarios, &self.kept);
    }
}
