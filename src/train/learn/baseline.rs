//! The flows that a model learns from, capture by capture in the order of time, and which of them are held back.

use crate::dataset::Dataset;
use crate::features::FeatureId;
use crate::time::Micros;

/// A cluster's own flows.
#[derive(Clone, Debug)]
pub struct Baseline {
    data: Dataset,
    times: Vec<Option<(Micros, Micros)>>,
}

/// Row numbers of the two parts of a baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// To be absorbed, in the order of the rows.
    pub(super) first: Vec<usize>,
    /// Held back, in the order of the rows.
    pub(super) held: Vec<usize>,
}

impl Baseline {
    /// No flows yet, of these features in this order: those of the model that will learn.
    #[must_use]
    pub fn new(features: Vec<FeatureId>) -> Self {
        Self { data: Dataset::new(features), times: Vec::new() }
    }

    /// Adds a flow of a capture, with the times of its first and last packets if they are known.
    pub fn push(&mut self, values: &[f64], capture: &str, times: Option<(Micros, Micros)>) {
        self.data.push(values, "", capture);
        self.times.push(times);
    }

    /// How many flows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// One flow's values; empty past the end.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        self.data.row(row)
    }

    /// The columns, in order.
    #[must_use]
    pub fn features(&self) -> &[FeatureId] {
        self.data.features()
    }

    /// The captures that the flows came from, by name.
    #[must_use]
    pub fn captures(&self) -> &[String] {
        self.data.scenarios().distinct()
    }

    /// SHA-256 of the flows as they were read: features, values, captures.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.data.sha256()
    }

    /// Holds the last part of each capture back. Flows are ordered by their first packets; those of a capture in which one has no
    /// time keep the order in which they came.
    pub(super) fn split(&self, holdback: f64) -> Parts {
        let mut parts = Parts::default();
        for mut rows in self.by_capture() {
            if rows.iter().all(|&row| self.times[row].is_some()) {
                rows.sort_by_key(|&row| self.times[row].map(|(start, _)| start));
            }
            let held = (rows.len() as f64 * holdback).round() as usize;
            let (first, last) = rows.split_at(rows.len() - held.min(rows.len()));
            parts.first.extend_from_slice(first);
            parts.held.extend_from_slice(last);
        }
        parts.first.sort_unstable();
        parts.held.sort_unstable();
        parts
    }

    /// Hours that these flows span, capture by capture; `None` if a flow has no time.
    pub(super) fn hours(&self, rows: &[usize]) -> Option<f64> {
        let groups = self.data.scenarios().ids();
        let mut spans: Vec<Option<(Micros, Micros)>> = vec![None; self.captures().len()];
        for &row in rows {
            let (start, end) = self.times[row]?;
            let span = spans.get_mut(groups[row] as usize)?;
            *span = Some(span.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
        }
        Some(spans.into_iter().flatten().map(|(first, last)| (last - first).as_secs_f64() / 3600.0).sum())
    }

    fn by_capture(&self) -> Vec<Vec<usize>> {
        let mut captures = vec![Vec::new(); self.captures().len()];
        for (row, &capture) in self.data.scenarios().ids().iter().enumerate() {
            captures[capture as usize].push(row);
        }
        captures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Option<(Micros, Micros)> {
        Some((Micros::from_secs(second), Micros::from_secs(second + 10)))
    }

    #[test]
    fn the_last_part_of_each_capture_is_held_back_by_time() {
        let mut baseline = Baseline::new(Vec::new());
        for (capture, second) in
            [("a", 30), ("b", 900), ("a", 10), ("a", 40), ("a", 20), ("b", 800), ("b", 700), ("b", 950)]
        {
            baseline.push(&[], capture, at(second));
        }
        let parts = baseline.split(0.25);
        assert_eq!(parts.held, [3, 7]);
        assert_eq!(parts.first, [0, 1, 2, 4, 5, 6]);
        assert_eq!(baseline.split(0.0).held, [0; 0]);
        let hours = baseline.hours(&[0, 2, 5, 7]).expect("every flow has a time");
        assert!((hours - (30.0 + 160.0) / 3600.0).abs() < 1e-9, "{hours}");
    }

    #[test]
    fn flows_without_times_keep_their_order() {
        let mut baseline = Baseline::new(Vec::new());
        for second in [3, 2, 1] {
            baseline.push(&[], "a", at(second));
        }
        baseline.push(&[], "a", None);
        assert_eq!(baseline.split(0.25).held, [3]);
        assert_eq!(baseline.hours(&[0, 3]), None);
    }
}
