//! One view of an evaluation: every figure of one grouping, and the curves behind them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::grouping::{Grouping, Truth, Unavailable};
use super::judged::Judged;
use super::metrics::{Averages, Bootstrap, Confusion, DRAWS, Interval, Ranking, Reliability, brier, log_loss, wilson};

/// The same verdicts seen three ways.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Views {
    /// Benign or attack.
    pub binary: Seen,
    /// By the taxonomy's stages.
    pub stages: Seen,
    /// By the data's labels as they stand.
    pub labels: Seen,
}

/// A view, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Seen {
    /// Its figures.
    Figures {
        /// Always true.
        available: bool,
        /// The figures.
        #[serde(flatten)]
        figures: Box<Figures>,
    },
    /// The model's labels do not allow it.
    Not {
        /// Always false.
        available: bool,
        /// Why.
        #[serde(flatten)]
        why: Unavailable,
    },
}

/// Figures of one view. Averages are over the classes that occur in truth or prediction, undefined terms counting 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// The classes, in the order of the confusion matrix.
    pub classes: Vec<String>,
    /// Flows by true class (rows) and predicted class (columns).
    pub confusion: Vec<Vec<u64>>,
    /// Share of flows with the right class.
    pub accuracy: Option<f64>,
    /// Its Wilson interval.
    pub accuracy_interval: Option<Interval>,
    /// Mean recall of the classes that occur.
    pub balanced_accuracy: Option<f64>,
    /// Plain means.
    pub macro_average: Option<Averages>,
    /// Bootstrap interval of macro-F1.
    pub macro_f1_interval: Option<Interval>,
    /// Means weighted by support.
    pub weighted_average: Option<Averages>,
    /// Mean of the classes' areas under ROC, of those that have one.
    pub macro_roc_auc: Option<f64>,
    /// Mean of the classes' average precisions, of those that have one.
    pub macro_average_precision: Option<f64>,
    /// Brier score, 0 to 2: squared errors of all classes' scores, added up.
    pub brier: Option<f64>,
    /// Mean of `-ln` of the true class's score.
    pub log_loss: Option<f64>,
    /// Expected calibration error of the winning score.
    pub calibration: Reliability,
    /// Each class by name.
    pub per_class: BTreeMap<String, OneClass>,
    /// Draws behind the bootstrap intervals.
    pub bootstrap_draws: usize,
    /// Each class's ranking, in the order of `classes`: for plots.
    #[serde(skip)]
    pub rankings: Vec<Ranking>,
}

/// One class against all others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OneClass {
    /// Of the flows predicted as the class, the share that is of it.
    pub precision: Option<f64>,
    /// Wilson interval.
    pub precision_interval: Option<Interval>,
    /// Of the class's flows, the share predicted as it.
    pub recall: Option<f64>,
    /// Wilson interval.
    pub recall_interval: Option<Interval>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Bootstrap interval.
    pub f1_interval: Option<Interval>,
    /// Flows of the class.
    pub support: u64,
    /// Flows predicted as the class.
    pub predicted: u64,
    /// Area under ROC of the class's score.
    pub roc_auc: Option<f64>,
    /// Average precision of the class's score.
    pub average_precision: Option<f64>,
}

impl Views {
    pub(super) fn new(labels: &[String], truth: Truth<'_>, judged: &Judged, seed: u64) -> Self {
        let figures = |grouping: Grouping| Figures::new(&grouping, truth, judged, seed);
        Self {
            binary: Seen::from(Ok(figures(Grouping::binary(labels, truth)))),
            stages: Seen::from(Grouping::stages(labels, truth).map(figures)),
            labels: Seen::from(Grouping::labels(labels, truth).map(figures)),
        }
    }

    /// The three with their names.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, &Seen); 3] {
        [("binary", &self.binary), ("stages", &self.stages), ("labels", &self.labels)]
    }
}

impl From<Result<Figures, Unavailable>> for Seen {
    fn from(result: Result<Figures, Unavailable>) -> Self {
        match result {
            Ok(figures) => Self::Figures { available: true, figures: Box::new(figures) },
            Err(why) => Self::Not { available: false, why },
        }
    }
}

impl Figures {
    pub(super) fn new(grouping: &Grouping, truth: Truth<'_>, judged: &Judged, seed: u64) -> Self {
        let width = grouping.names.len();
        let class_of = |places: &[usize], at: usize| places.get(at).copied().unwrap_or(width);
        let rows = truth.cells.ids().iter().zip(judged.verdicts()).zip(judged.shares());
        let mut flows = Vec::with_capacity(judged.verdicts().len());
        let mut scores = vec![0.0; judged.verdicts().len() * width];
        for (((cell, verdict), shares), scores) in rows.zip(scores.chunks_exact_mut(width.max(1))) {
            for (class, share) in grouping.of_label.iter().zip(shares) {
                if let Some(score) = scores.get_mut(*class) {
                    *score += share;
                }
            }
            let has = class_of(&grouping.of_cell, *cell as usize);
            flows.push((has, class_of(&grouping.of_label, usize::from(verdict.label.0))));
        }
        Self::of_scores(&grouping.names, &flows, &scores, seed)
    }

    /// The figures of flows, each with its true and its predicted class, and one score for each class of each flow, flow after flow.
    #[must_use]
    pub fn of_scores(names: &[String], flows: &[(usize, usize)], scores: &[f64], seed: u64) -> Self {
        let width = names.len();
        let mut matrix = Confusion::new(width);
        flows.iter().for_each(|&(truth, predicted)| matrix.add(truth, predicted, 1));
        let drawn = Bootstrap::new(&matrix, seed);
        let scored = || flows.iter().zip(scores.chunks_exact(width.max(1)));
        let score = |scores: &[f64], class: usize| scores.get(class).copied().unwrap_or(0.0);
        let ranking = |class| Ranking::new(scored().map(|(flow, scores)| (flow.0 == class, score(scores, class))));
        let rankings: Vec<Ranking> = (0..width).map(ranking).collect();
        let with_truth = || scored().map(|(flow, scores)| (flow.0, scores));
        let per_class = names.iter().zip(&rankings).enumerate().map(|(class, (name, ranking))| {
            let f1_interval = drawn.f1.get(class).copied().flatten();
            (name.clone(), OneClass::new(&matrix, class, f1_interval, ranking))
        });
        Self {
            classes: names.to_vec(),
            confusion: (0..width).map(|class| matrix.row(class).to_vec()).collect(),
            accuracy: matrix.accuracy(),
            accuracy_interval: wilson(matrix.right(), matrix.flows()),
            balanced_accuracy: matrix.balanced_accuracy(),
            macro_average: matrix.macro_average(),
            macro_f1_interval: drawn.macro_f1,
            weighted_average: matrix.weighted_average(),
            macro_roc_auc: mean(rankings.iter().filter_map(Ranking::roc_auc)),
            macro_average_precision: mean(rankings.iter().filter_map(Ranking::average_precision)),
            brier: brier(with_truth()),
            log_loss: log_loss(with_truth()),
            calibration: Reliability::new(scored().map(|(flow, scores)| (score(scores, flow.1), flow.0 == flow.1))),
            per_class: per_class.collect(),
            bootstrap_draws: DRAWS,
            rankings,
        }
    }
}

impl OneClass {
    fn new(matrix: &Confusion, class: usize, f1_interval: Option<Interval>, ranking: &Ranking) -> Self {
        let counts = matrix.class(class);
        Self {
            precision: counts.precision(),
            precision_interval: wilson(counts.hits, counts.predicted),
            recall: counts.recall(),
            recall_interval: wilson(counts.hits, counts.support),
            f1: counts.f1(),
            f1_interval,
            support: counts.support,
            predicted: counts.predicted,
            roc_auc: ranking.roc_auc(),
            average_precision: ranking.average_precision(),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values: Vec<f64> = values.collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
