//! The confusion matrix and what follows from it alone.

use serde::Serialize;

use super::share;

/// Flows by true class (rows) and predicted class (columns).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    cells: Vec<u64>,
}

/// One class of a [`Confusion`] against all others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Class {
    /// Flows of the class that were predicted as it.
    pub hits: u64,
    /// Flows of the class.
    pub support: u64,
    /// Flows that were predicted as the class.
    pub predicted: u64,
}

/// Means over the classes that occur in truth or prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Averages {
    /// Precision; 0 for a class that was never predicted.
    pub precision: f64,
    /// Recall; 0 for a class that does not occur.
    pub recall: f64,
    /// F1.
    pub f1: f64,
}

impl Confusion {
    /// An empty matrix of `classes * classes` cells.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { classes, cells: vec![0; classes * classes] }
    }

    /// Counts flows of a true class that were predicted as another or the same; a class that is not there counts nowhere.
    pub fn add(&mut self, truth: usize, predicted: usize, flows: u64) {
        if truth < self.classes
            && predicted < self.classes
            && let Some(cell) = self.cells.get_mut(truth * self.classes + predicted)
        {
            *cell += flows;
        }
    }

    /// How many classes there are.
    #[must_use]
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The predictions of one true class; empty for a class that is not there.
    #[must_use]
    pub fn row(&self, truth: usize) -> &[u64] {
        let start = truth.saturating_mul(self.classes);
        self.cells.get(start..start.saturating_add(self.classes)).unwrap_or(&[])
    }

    /// All flows.
    #[must_use]
    pub fn flows(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// Flows on the diagonal.
    #[must_use]
    pub fn right(&self) -> u64 {
        (0..self.classes).filter_map(|class| self.row(class).get(class)).sum()
    }

    /// The counts of one class.
    #[must_use]
    pub fn class(&self, class: usize) -> Class {
        let column = (0..self.classes).filter_map(|truth| self.row(truth).get(class));
        Class {
            hits: self.row(class).get(class).copied().unwrap_or(0),
            support: self.row(class).iter().sum(),
            predicted: column.sum(),
        }
    }

    /// Share of flows that were predicted right.
    #[must_use]
    pub fn accuracy(&self) -> Option<f64> {
        share(self.right(), self.flows())
    }

    /// Mean recall of the classes that occur.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let recalls: Vec<f64> = self.all().filter_map(|class| class.recall()).collect();
        (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64)
    }

    /// Plain means over the classes.
    #[must_use]
    pub fn macro_average(&self) -> Option<Averages> {
        self.average(|_| 1.0)
    }

    /// Means weighted by support.
    #[must_use]
    pub fn weighted_average(&self) -> Option<Averages> {
        self.average(|class| class.support as f64)
    }

    fn average(&self, weight: impl Fn(&Class) -> f64) -> Option<Averages> {
        let mut total = 0.0;
        let mut sums = Averages::default();
        for class in self.all().filter(Class::occurs) {
            let weight = weight(&class);
            total += weight;
            sums.precision += weight * class.precision().unwrap_or(0.0);
            sums.recall += weight * class.recall().unwrap_or(0.0);
            sums.f1 += weight * class.f1().unwrap_or(0.0);
        }
        (total > 0.0).then(|| Averages {
            precision: sums.precision / total,
            recall: sums.recall / total,
            f1: sums.f1 / total,
        })
    }

    fn all(&self) -> impl Iterator<Item = Class> {
        (0..self.classes).map(|class| self.class(class))
    }
}

impl Class {
    /// Whether the class is there in truth or prediction.
    #[must_use]
    pub const fn occurs(&self) -> bool {
        self.support + self.predicted > 0
    }

    /// Of the flows predicted as the class, the share that is of it.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        share(self.hits, self.predicted)
    }

    /// Of the class's flows, the share predicted as it.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        share(self.hits, self.support)
    }

    /// The harmonic mean of the two, `2 hits / (predicted + support)`.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        share(2 * self.hits, self.predicted + self.support)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(rows: &[&[u64]]) -> Confusion {
        let mut matrix = Confusion::new(rows.len());
        for (truth, row) in rows.iter().enumerate() {
            row.iter().enumerate().for_each(|(predicted, &flows)| matrix.add(truth, predicted, flows));
        }
        matrix
    }

    /// By hand: class 0 has 3 of 4 right and one more predicted; class 1 has 1 of 2; class 2 never occurs and is predicted once.
    #[test]
    fn figures_of_a_small_matrix_are_those_worked_out_by_hand() {
        let matrix = of(&[&[3, 0, 1], &[1, 1, 0], &[0, 0, 0]]);
        assert_eq!((matrix.flows(), matrix.accuracy()), (6, Some(4.0 / 6.0)));
        assert_eq!(matrix.balanced_accuracy(), Some((0.75 + 0.5) / 2.0));
        let classes = [0, 1, 2].map(|class| matrix.class(class));
        assert_eq!(classes.map(|class| class.precision()), [Some(0.75), Some(1.0), Some(0.0)]);
        assert_eq!(classes.map(|class| class.recall()), [Some(0.75), Some(0.5), None]);
        assert_eq!(classes.map(|class| class.f1()), [Some(0.75), Some(2.0 / 3.0), Some(0.0)]);
        let average = matrix.macro_average().expect("classes");
        assert_eq!((average.recall, average.f1), (1.25 / 3.0, (0.75 + 2.0 / 3.0) / 3.0));
        let weighted = matrix.weighted_average().expect("classes");
        assert_eq!(weighted.recall, (4.0 * 0.75 + 2.0 * 0.5) / 6.0);
    }

    #[test]
    fn nothing_gives_no_figures() {
        for matrix in [Confusion::new(0), Confusion::new(3)] {
            assert_eq!((matrix.accuracy(), matrix.balanced_accuracy()), (None, None));
            assert_eq!((matrix.macro_average(), matrix.class(7)), (None, Class::default()));
        }
    }

    proptest! {
        #[test]
        fn sums_agree(pairs in proptest::collection::vec((0usize..5, 0usize..5), 1..200)) {
            let mut matrix = Confusion::new(5);
            pairs.iter().for_each(|&(truth, predicted)| matrix.add(truth, predicted, 1));
            let classes: Vec<Class> = matrix.all().collect();
            let flows = pairs.len() as u64;
            prop_assert_eq!(matrix.flows(), flows);
            prop_assert_eq!(classes.iter().map(|class| class.support).sum::<u64>(), flows);
            prop_assert_eq!(classes.iter().map(|class| class.predicted).sum::<u64>(), flows);
            prop_assert_eq!(classes.iter().map(|class| class.hits).sum::<u64>(), matrix.right());
            // Recall weighted by support is accuracy.
            let recall = matrix.weighted_average().expect("flows").recall;
            prop_assert!((recall - matrix.accuracy().expect("flows")).abs() < 1e-12);
        }
    }
}
