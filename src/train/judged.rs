//! A model's judgement of every flow of a data set: verdict and each label's share of the vote, asked once and kept for all views.

use super::progress::{Progress, Unwatched};
use crate::dataset::Dataset;
use crate::model::{Model, Verdict};

/// Verdicts and shares by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    verdicts: Vec<Verdict>,
    shares: Vec<f64>,
    labels: usize,
    non_finite: u64,
}

impl Judged {
    /// Asks the model about every flow; the data's columns are the model's.
    #[must_use]
    pub fn new(model: &Model, data: &Dataset) -> Self {
        Self::watched(model, data, &Unwatched)
    }

    /// The same, and tells how far it has come.
    #[must_use]
    pub fn watched(model: &Model, data: &Dataset, progress: &dyn Progress) -> Self {
        progress.begin("judging", Some(data.len() as u64));
        let mut classifier = model.classifier();
        let labels = model.labels().len();
        let mut shares = Vec::with_capacity(data.len() * labels);
        let mut of_row = Vec::with_capacity(labels);
        let mut verdicts = Vec::with_capacity(data.len());
        for row in 0..data.len() {
            verdicts.push(classifier.scores_row(data.row(row), &mut of_row));
            shares.extend_from_slice(&of_row);
            progress.step(1);
        }
        Self { verdicts, shares, labels, non_finite: classifier.non_finite() }
    }

    /// The verdicts by row.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Each row's shares of the vote, in the order of the model's labels.
    pub fn shares(&self) -> impl Iterator<Item = &[f64]> {
        self.shares.chunks_exact(self.labels.max(1))
    }

    /// Values that were not finite and counted as 0.
    #[must_use]
    pub const fn non_finite(&self) -> u64 {
        self.non_finite
    }
}
