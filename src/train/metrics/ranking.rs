//! How well a score puts a class's flows before the others, at every threshold: ROC and precision-recall.

/// One class's flows ranked by score, against all others; flows with equal scores share one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    points: Vec<Point>,
    positives: u64,
    negatives: u64,
}

/// What a threshold lets through: flows with a score of at least `threshold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The threshold.
    pub threshold: f64,
    /// Flows of the class.
    pub true_positives: u64,
    /// Other flows.
    pub false_positives: u64,
}

impl Ranking {
    /// Ranks flows, each with whether it is of the class and its score.
    #[must_use]
    pub fn new(flows: impl IntoIterator<Item = (bool, f64)>) -> Self {
        let mut flows: Vec<(bool, f64)> = flows.into_iter().collect();
        flows.sort_by(|a, b| b.1.total_cmp(&a.1));
        let mut points: Vec<Point> = Vec::new();
        let (mut positives, mut negatives) = (0, 0);
        for (positive, score) in flows {
            positives += u64::from(positive);
            negatives += u64::from(!positive);
            let point = Point { threshold: score, true_positives: positives, false_positives: negatives };
            match points.last_mut().filter(|last| last.threshold == score) {
                Some(last) => *last = point,
                None => points.push(point),
            }
        }
        Self { points, positives, negatives }
    }

    /// One point for each distinct score, highest first; the point above all scores, where nothing passes, is not among them.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Flows of the class.
    #[must_use]
    pub const fn positives(&self) -> u64 {
        self.positives
    }

    /// Other flows.
    #[must_use]
    pub const fn negatives(&self) -> u64 {
        self.negatives
    }

    /// Area under the ROC curve by trapezoids between distinct thresholds (`roc_auc_score`): the chance that a flow of the class
    /// scores higher than another, a tie counting half. `None` without flows on both sides.
    #[must_use]
    pub fn roc_auc(&self) -> Option<f64> {
        if self.positives == 0 || self.negatives == 0 {
            return None;
        }
        let mut twice = 0_u128;
        let mut before = (0, 0);
        for point in &self.points {
            let width = u128::from(point.false_positives - before.0);
            twice += width * u128::from(point.true_positives + before.1);
            before = (point.false_positives, point.true_positives);
        }
        Some(twice as f64 / 2.0 / (self.positives as f64 * self.negatives as f64))
    }

    /// Average precision, `sum (R_n - R_(n-1)) P_n` over thresholds (`average_precision_score`): a step sum, which unlike trapezoids
    /// is not too high. `None` without flows of the class.
    #[must_use]
    pub fn average_precision(&self) -> Option<f64> {
        if self.positives == 0 {
            return None;
        }
        let mut sum = 0.0;
        let mut before = 0;
        for point in &self.points {
            let passed = point.true_positives + point.false_positives;
            let gained = (point.true_positives - before) as f64;
            sum += gained / self.positives as f64 * (point.true_positives as f64 / passed as f64);
            before = point.true_positives;
        }
        Some(sum)
    }

    /// ROC as (false-positive rate, true-positive rate) from (0, 0); empty without flows on both sides.
    #[must_use]
    pub fn roc(&self) -> Vec<(f64, f64)> {
        if self.positives == 0 || self.negatives == 0 {
            return Vec::new();
        }
        let (positives, negatives) = (self.positives as f64, self.negatives as f64);
        let rates =
            self.points.iter().map(|p| (p.false_positives as f64 / negatives, p.true_positives as f64 / positives));
        std::iter::once((0.0, 0.0)).chain(rates).collect()
    }

    /// Precision over recall as (recall, precision), by falling threshold; empty without flows of the class.
    #[must_use]
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        if self.positives == 0 {
            return Vec::new();
        }
        let positives = self.positives as f64;
        let rates = self.points.iter().map(|p| {
            let hits = p.true_positives as f64;
            (hits / positives, hits / (p.true_positives + p.false_positives) as f64)
        });
        rates.collect()
    }

    /// The greatest share of the class's flows that passes with at most this share of the others.
    #[must_use]
    pub fn recall_at(&self, false_positive_rate: f64) -> Option<f64> {
        let within = self.roc().into_iter().take_while(|point| point.0 <= false_positive_rate);
        within.last().map(|point| point.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// scikit-learn's own example: y = 0 0 1 1, scores .1 .4 .35 .8.
    #[test]
    fn the_textbook_case() {
        let ranking = Ranking::new([(false, 0.1), (false, 0.4), (true, 0.35), (true, 0.8)]);
        assert_eq!(ranking.roc_auc(), Some(0.75));
        assert_eq!(ranking.average_precision(), Some(0.5 + 0.5 * (2.0 / 3.0)));
        assert_eq!(ranking.roc(), [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]);
        assert_eq!((ranking.recall_at(0.4), ranking.recall_at(0.5)), (Some(0.5), Some(1.0)));
    }

    #[test]
    fn ties_share_a_threshold_and_one_side_alone_has_no_area() {
        let tied = Ranking::new([(true, 0.5), (false, 0.5), (true, 0.5), (false, 0.5)]);
        assert_eq!((tied.points().len(), tied.roc_auc(), tied.average_precision()), (1, Some(0.5), Some(0.5)));
        let only = Ranking::new([(true, 0.5), (true, 0.6)]);
        assert_eq!((only.roc_auc(), only.average_precision()), (None, Some(1.0)));
        let none = Ranking::new([(false, 0.5)]);
        assert_eq!((none.roc_auc(), none.average_precision()), (None, None));
        assert!(none.precision_recall().is_empty() && Ranking::new([]).roc().is_empty());
    }

    proptest! {
        /// The area is the Mann-Whitney statistic over all pairs.
        #[test]
        fn the_area_is_the_share_of_pairs_in_order(
            flows in proptest::collection::vec((any::<bool>(), 0u8..8), 2..80),
        ) {
            let flows: Vec<(bool, f64)> = flows.into_iter().map(|(truth, score)| (truth, f64::from(score) / 8.0)).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for a in flows.iter().filter(|flow| flow.0) {
                for b in flows.iter().filter(|flow| !flow.0) {
                    pairs += 1.0;
                    won += if a.1 > b.1 { 1.0 } else if a.1 == b.1 { 0.5 } else { 0.0 };
                }
            }
            match Ranking::new(flows).roc_auc() {
                Some(area) => prop_assert!((area - won / pairs).abs() < 1e-12),
                None => prop_assert_eq!(pairs, 0.0),
            }
        }
    }
}
