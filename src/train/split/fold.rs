//! A fold: rows to fit on, rows to measure on, and a type for each, so that neither can be taken for the other.

use std::borrow::Cow;

/// One fit's rows and the rows that it is measured on; only a split makes one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    name: Option<String>,
    training: Vec<usize>,
    validation: Vec<usize>,
    left_out: Vec<usize>,
}

/// Rows that a fit may see; only [`Fold::training`] gives them, and a part of them is such rows again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingRows<'a>(Cow<'a, [usize]>);

/// Rows that a fit must not see. There is no way from here to [`TrainingRows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidationRows<'a>(&'a [usize]);

impl Fold {
    /// All rows to fit on, none to measure on: what the last fit of a run sees.
    pub(in crate::train) fn whole(rows: usize) -> Self {
        Self { training: (0..rows).collect(), ..Self::default() }
    }

    /// What is held back, if there are several folds: the capture's name, or `2 of 5`.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The rows to fit on, in their order.
    #[must_use]
    pub fn training(&self) -> TrainingRows<'_> {
        TrainingRows(Cow::Borrowed(&self.training))
    }

    /// The rows to measure on, in their order.
    #[must_use]
    pub fn validation(&self) -> ValidationRows<'_> {
        ValidationRows(&self.validation)
    }

    /// Rows that were to be measured on, but have the same values as a row to fit on: they are on neither side.
    #[must_use]
    pub fn left_out(&self) -> &[usize] {
        &self.left_out
    }
}

impl TrainingRows<'_> {
    /// Row numbers, rising.
    #[must_use]
    pub fn rows(&self) -> &[usize] {
        &self.0
    }

    /// Those of the rows that `keep` says yes to, asked in their order.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(usize) -> bool) -> TrainingRows<'static> {
        TrainingRows(Cow::Owned(self.0.iter().copied().filter(|&row| keep(row)).collect()))
    }
}

impl<'a> ValidationRows<'a> {
    /// Row numbers, rising.
    #[must_use]
    pub const fn rows(self) -> &'a [usize] {
        self.0
    }
}

/// The folds of a division: `of` has for each row the fold that holds it back, `titles` a name for each fold, and `identical` for each row
/// the first row with the same values.
pub(super) fn folds(of: &[u32], titles: &[Option<String>], identical: &[u32]) -> Vec<Fold> {
    let fold = |(fold, title): (u32, &Option<String>)| {
        let mut found = Fold { name: title.clone(), ..Fold::default() };
        let mut seen = vec![false; identical.len()];
        let rows = || of.iter().zip(identical).enumerate();
        for (row, (_, &first)) in rows().filter(|(_, (of, _))| **of != fold) {
            found.training.push(row);
            seen[first as usize] = true;
        }
        for (row, (_, &first)) in rows().filter(|(_, (of, _))| **of == fold) {
            let side = if seen[first as usize] { &mut found.left_out } else { &mut found.validation };
            side.push(row);
        }
        found
    };
    (0..).zip(titles).map(fold).collect()
}
