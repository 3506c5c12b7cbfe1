//! Labelled flows: rows of feature values, each with its label and the capture that it came from.
//!
//! [`read`](read()) takes them from CSV, JSON lines and Parquet, packed or not, by the column names of every CICFlowMeter;
//! `train` and `evaluate` use them. Readers hold a row or a batch at a time, and only the columns that are asked for are
//! kept, so that memory is 8 bytes a value and 8 a row. [`rules`] say which label a flow gets.

mod aliases;
mod columns;
mod container;
mod csv;
mod error;
mod fields;
mod flow_identity;
mod identity;
mod json_lines;
mod parquet;
mod read;
mod rows;
mod ruled;
pub mod rules;
mod skipped;
mod table;
pub mod timestamp;

pub use container::Upload;
pub use error::{BadRow, DatasetError, Place};
pub use fields::{FieldName, FieldNames, Naming};
pub use flow_identity::FlowIdentity;
pub use json_lines::with_quoted_constants;
pub use read::{Query, read, read_watched};
pub use rows::{FlowRow, RowQuery, RowsRead, for_each_flow, for_each_row, for_each_row_in};
pub use skipped::{OnBadRow, Skipped};

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::features::FeatureId;
use crate::model::hex;
use crate::time::Micros;

/// Labelled flows in the order in which they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    features: Vec<FeatureId>,
    values: Vec<f64>,
    labels: Texts,
    scenarios: Texts,
    groups: Option<Texts>,
    identities: Vec<FlowIdentity>,
    span: Option<CaptureSpan>,
    skipped: Skipped,
    notes: Vec<String>,
}

/// The time that captures cover, by the times of their flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureSpan {
    /// From the first packet to the last, summed over captures.
    pub time: Micros,
    /// How many captures.
    pub captures: usize,
    /// Flows whose time cannot be read.
    pub untimed: u64,
}

/// One text a row, each distinct one kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    distinct: Vec<String>,
    rows: Vec<u32>,
    /// Positions in `distinct`: a column may have as many texts as rows.
    positions: HashMap<String, u32>,
}

impl Dataset {
    /// No rows yet, of these features in this order.
    #[must_use]
    pub fn new(features: Vec<FeatureId>) -> Self {
        Self {
            features,
            values: Vec::new(),
            labels: Texts::default(),
            scenarios: Texts::default(),
            groups: None,
            identities: Vec::new(),
            span: None,
            skipped: Skipped::default(),
            notes: Vec::new(),
        }
    }

    /// Adds a flow; a row of another length than the features is cut or filled with NaN.
    pub fn push(&mut self, values: &[f64], label: &str, scenario: &str) {
        let missing = std::iter::repeat(&f64::NAN);
        self.values.extend(values.iter().chain(missing).take(self.features.len()));
        self.labels.push(label);
        self.scenarios.push(scenario);
    }

    /// Says which group the flow belongs to that was added last; all flows are put in groups, or none.
    pub fn put_in_group(&mut self, group: &str) {
        self.groups.get_or_insert_default().push(group);
    }

    /// The columns, in order.
    #[must_use]
    pub fn features(&self) -> &[FeatureId] {
        &self.features
    }

    /// How many flows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One flow's values in the order of [`Dataset::features`]; empty past the end.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.features.len();
        let start = row.saturating_mul(width);
        self.values.get(start..start.saturating_add(width)).unwrap_or(&[])
    }

    /// The same flows with some of the columns, in another order; `columns` are positions in [`Dataset::features`], and one
    /// beyond them is left out.
    #[must_use]
    pub fn with_columns(&self, columns: &[usize]) -> Self {
        let mut values = Vec::with_capacity(self.len().saturating_mul(columns.len()));
        for row in 0..self.len() {
            let row = self.row(row);
            values.extend(columns.iter().filter_map(|&column| row.get(column)));
        }
        Self {
            features: columns.iter().filter_map(|&column| self.features.get(column).copied()).collect(),
            values,
            labels: self.labels.clone(),
            scenarios: self.scenarios.clone(),
            groups: self.groups.clone(),
            identities: self.identities.clone(),
            span: self.span,
            skipped: self.skipped.clone(),
            notes: self.notes.clone(),
        }
    }

    /// The label cells.
    #[must_use]
    pub const fn labels(&self) -> &Texts {
        &self.labels
    }

    /// The captures that the flows came from.
    #[must_use]
    pub const fn scenarios(&self) -> &Texts {
        &self.scenarios
    }

    /// The cells of the column that was asked for as [`Query::group_column`]; `None` if none was.
    #[must_use]
    pub const fn groups(&self) -> Option<&Texts> {
        self.groups.as_ref()
    }

    /// Which flow a row is, if [`Query::identities`] were asked for.
    #[must_use]
    pub fn identity(&self, row: usize) -> Option<&FlowIdentity> {
        self.identities.get(row)
    }

    /// The time that the captures cover, if [`Query::span`] was asked for.
    #[must_use]
    pub const fn span(&self) -> Option<CaptureSpan> {
        self.span
    }

    /// Rows that could not be read and were left out.
    #[must_use]
    pub const fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// What whoever uses the flows should know of their files, a line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Gives rows other labels and captures, and leaves out those that are not kept.
    fn relabel(&mut self, labels: &Texts, scenarios: &Texts, kept: &[bool]) {
        let is_kept = |row: usize| kept.get(row).copied().unwrap_or(true);
        let width = self.features.len();
        let mut to = 0;
        for row in (0..self.len()).filter(|row| is_kept(*row)) {
            let from = row.saturating_mul(width);
            if to != from {
                self.values.copy_within(from..from.saturating_add(width), to);
            }
            to = to.saturating_add(width);
        }
        self.values.truncate(to);
        let mut rows = 0..;
        self.identities.retain(|_| rows.next().is_none_or(is_kept));
        self.groups = self.groups.take().map(|groups| groups.filtered(is_kept));
        self.scenarios = scenarios.filtered(is_kept);
        self.labels = labels.filtered(is_kept);
    }

    /// SHA-256 in hexadecimal of the rows as they were read: feature names, values, labels, captures. The same flows
    /// have the same sum, packed or not.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for feature in &self.features {
            hash.update(feature.feature().column.as_bytes());
            hash.update(b"\0");
        }
        for row in 0..self.len() {
            for value in self.row(row) {
                // Every NaN reads alike.
                let value = if value.is_nan() { f64::NAN } else { *value };
                hash.update(value.to_bits().to_le_bytes());
            }
            for text in [self.labels.get(row), self.scenarios.get(row)] {
                hash.update(text.as_bytes());
                hash.update(b"\0");
            }
        }
        hex(&hash.finalize())
    }
}

impl Texts {
    /// The text of a row; empty past the end.
    #[must_use]
    pub fn get(&self, row: usize) -> &str {
        self.rows.get(row).and_then(|&id| self.distinct.get(id as usize)).map_or("", String::as_str)
    }

    /// Each distinct text, in the order of first appearance.
    #[must_use]
    pub fn distinct(&self) -> &[String] {
        &self.distinct
    }

    /// Each row's position in [`Texts::distinct`].
    #[must_use]
    pub fn ids(&self) -> &[u32] {
        &self.rows
    }

    /// The texts of some rows, by their positions.
    fn filtered(&self, is_kept: impl Fn(usize) -> bool) -> Self {
        let mut kept = Self::default();
        (0..self.rows.len()).filter(|row| is_kept(*row)).for_each(|row| kept.push(self.get(row)));
        kept
    }

    fn push(&mut self, text: &str) {
        // The last row's text is the likeliest: flows come capture by capture.
        let last = self.rows.last().filter(|&&id| self.distinct.get(id as usize).is_some_and(|held| held == text));
        let known = last.copied().or_else(|| self.positions.get(text).copied());
        let id = known.unwrap_or_else(|| {
            let id = u32::try_from(self.distinct.len()).unwrap_or(u32::MAX);
            self.distinct.push(text.to_owned());
            self.positions.insert(text.to_owned(), id);
            id
        });
        self.rows.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(rows: &[([f64; 2], &str, &str)]) -> Dataset {
        let mut dataset = Dataset::new(FeatureId::all().take(2).collect());
        rows.iter().for_each(|(values, label, scenario)| dataset.push(values, label, scenario));
        dataset
    }

    #[test]
    fn rows_keep_their_values_labels_and_captures() {
        let data = dataset(&[([1.0, 2.0], "0", "a"), ([3.0, 4.0], "2", "b"), ([5.0, 6.0], "0", "b")]);
        assert_eq!((data.len(), data.row(1), data.row(3)), (3, &[3.0, 4.0][..], &[][..]));
        assert_eq!((data.labels().get(2), data.scenarios().get(2), data.labels().get(9)), ("0", "b", ""));
        assert_eq!((data.labels().distinct(), data.labels().ids()), (&["0".into(), "2".into()][..], &[0, 1, 0][..]));
    }

    #[test]
    fn columns_are_taken_in_the_order_asked_for() {
        let data = dataset(&[([1.0, 2.0], "0", "a"), ([3.0, 4.0], "2", "b")]);
        let turned = data.with_columns(&[1, 0, 7]);
        assert_eq!((turned.row(0), turned.row(1)), (&[2.0, 1.0][..], &[4.0, 3.0][..]));
        assert_eq!(turned.features(), [data.features()[1], data.features()[0]]);
        let one = data.with_columns(&[1]);
        assert_eq!((one.row(1), one.labels(), one.scenarios().get(1)), (&[4.0][..], data.labels(), "b"));
    }

    #[test]
    fn the_sum_depends_on_values_labels_and_captures() {
        let sum = |value, label, scenario| dataset(&[([value, 0.0], label, scenario)]).sha256();
        let base = sum(1.0, "0", "a");
        assert_eq!(base, sum(1.0, "0", "a"));
        for other in [sum(2.0, "0", "a"), sum(1.0, "1", "a"), sum(1.0, "0", "b"), sum(1.0, "0a", "")] {
            assert_ne!(base, other);
        }
        assert_eq!(sum(f64::NAN, "0", "a"), sum(-f64::NAN, "0", "a"));
    }
}
