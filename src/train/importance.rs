//! Permutation importance (Breiman 2001): how much macro-F1 falls when one column is shuffled among the flows.
//!
//! It says what this model reads on these flows, not what causes an attack; of two columns that say the same, neither looks important.

use serde::Serialize;

use super::metrics::Confusion;
use super::random::Random;
use crate::dataset::Dataset;
use crate::model::Model;

/// Importance of every column of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// Flows that were shuffled: all, or 2,000 of a class, evenly spaced.
    pub flows: usize,
    /// Shuffles of each column.
    pub shuffles: usize,
    /// Macro-F1 of those flows as they are.
    pub macro_f1: f64,
    /// The columns, most important first.
    pub columns: Vec<Column>,
}

/// One column of an [`Importance`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// CICFlowMeter's name.
    pub column: &'static str,
    /// Mean fall of macro-F1; below 0 where shuffling happened to help.
    pub drop: f64,
    /// Least fall of a shuffle.
    pub least: f64,
    /// Greatest fall of a shuffle.
    pub most: f64,
}

impl Importance {
    /// Shuffles each column a few times. `truth` has each row's class, a position in the model's labels or one beyond for a
    /// label that it does not have.
    #[must_use]
    pub(super) fn new(model: &Model, data: &Dataset, truth: &[usize], seed: u64) -> Self {
        let rows = sample(truth);
        let mut asked = Asked { model, data, truth, rows: &rows };
        let whole = asked.macro_f1(None);
        let mut random = Random::new(seed);
        let mut columns: Vec<Column> = Vec::new();
        for (at, feature) in model.features().iter().enumerate() {
            let drops: Vec<f64> =
                (0..SHUFFLES).map(|_| whole - asked.macro_f1(Some((at, &shuffled(&rows, &mut random))))).collect();
            columns.push(Column {
                column: feature.feature().column,
                drop: drops.iter().sum::<f64>() / SHUFFLES as f64,
                least: drops.iter().copied().fold(f64::INFINITY, f64::min),
                most: drops.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            });
        }
        columns.sort_by(|a, b| b.drop.total_cmp(&a.drop));
        Self { flows: rows.len(), shuffles: SHUFFLES, macro_f1: whole, columns }
    }
}

/// What is asked again for every shuffle.
struct Asked<'a> {
    model: &'a Model,
    data: &'a Dataset,
    truth: &'a [usize],
    rows: &'a [usize],
}

impl Asked<'_> {
    /// Macro-F1 with one column's values taken from other rows.
    fn macro_f1(&mut self, column: Option<(usize, &[usize])>) -> f64 {
        let mut classifier = self.model.classifier();
        let mut matrix = Confusion::new(self.model.labels().len() + 1);
        let mut values = Vec::new();
        for (at, &row) in self.rows.iter().enumerate() {
            values.clear();
            values.extend_from_slice(self.data.row(row));
            if let Some((column, from)) = column
                && let Some(value) = values.get_mut(column)
                && let Some(other) = from.get(at).and_then(|&from| self.data.row(from).get(column))
            {
                *value = *other;
            }
            let got = usize::from(classifier.classify_row(&values).label.0);
            matrix.add(self.truth.get(row).copied().unwrap_or(usize::MAX), got, 1);
        }
        matrix.macro_average().map_or(0.0, |average| average.f1)
    }
}

/// At most [`MOST_FLOWS`] rows of each class, evenly spaced over the class.
fn sample(truth: &[usize]) -> Vec<usize> {
    let classes = truth.iter().max().map_or(0, |&last| last + 1);
    let mut by_class = vec![Vec::new(); classes];
    for (row, &class) in truth.iter().enumerate() {
        if let Some(rows) = by_class.get_mut(class) {
            rows.push(row);
        }
    }
    let mut rows: Vec<usize> =
        by_class.iter().flat_map(|rows| rows.iter().step_by(rows.len().div_ceil(MOST_FLOWS).max(1)).copied()).collect();
    rows.sort_unstable();
    rows
}

/// The rows in another order.
fn shuffled(rows: &[usize], random: &mut Random) -> Vec<usize> {
    let mut order = rows.to_vec();
    random.shuffle(&mut order);
    order
}

/// Shuffles of a column: enough to see whether its fall is noise.
const SHUFFLES: usize = 5;
/// Flows of a class: a bound on the time, a minute or so at worst.
const MOST_FLOWS: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_keeps_rare_classes_whole_and_bounds_the_common_ones() {
        let truth: Vec<usize> = (0..10_000).map(|row| usize::from(row % 1000 == 7)).collect();
        let rows = sample(&truth);
        assert_eq!(rows.iter().filter(|&&row| truth[row] == 1).count(), 10);
        assert!(rows.len() <= MOST_FLOWS + 10 && rows.len() > MOST_FLOWS / 2 && rows.is_sorted());
        assert!(sample(&[]).is_empty());
    }

    #[test]
    fn a_shuffle_keeps_every_row() {
        let rows: Vec<usize> = (0..50).collect();
        let mut order = shuffled(&rows, &mut Random::new(1));
        assert_ne!(order, rows);
        order.sort_unstable();
        assert_eq!(order, rows);
    }
}
