//! Whether scores mean what they say: Brier score, log loss, expected calibration error.

use serde::Serialize;

/// Flows whose winning score falls into one of [`BINS`] ranges of equal width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Least score of the range; the last one includes its upper end.
    pub from: f64,
    /// Flows in it.
    pub flows: u64,
    /// Their mean score.
    pub confidence: Option<f64>,
    /// Share of them that is right.
    pub accuracy: Option<f64>,
}

/// Confidence held against accuracy, range by range.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reliability {
    /// Expected calibration error (Guo et al. 2017): mean `|accuracy - confidence|` of the ranges, weighted by flows.
    pub ece: Option<f64>,
    /// The ranges, lowest first.
    pub bins: Vec<Bin>,
}

impl Reliability {
    /// From each flow's winning score and whether it was right.
    #[must_use]
    pub fn new(flows: impl IntoIterator<Item = (f64, bool)>) -> Self {
        let mut sums = vec![(0_u64, 0.0, 0_u64); BINS];
        let mut all = 0_u64;
        for (confidence, right) in flows {
            // A score of 1 belongs to the last range.
            let at = ((confidence * BINS as f64) as usize).min(BINS - 1);
            if let Some((flows, confidences, rights)) = sums.get_mut(at) {
                *flows += 1;
                *confidences += confidence;
                *rights += u64::from(right);
                all += 1;
            }
        }
        let bins: Vec<Bin> = (0_u32..).zip(&sums).map(|(at, sum)| bin(at, *sum)).collect();
        let gaps = bins.iter().filter_map(|bin| Some(bin.flows as f64 * (bin.accuracy? - bin.confidence?).abs()));
        let ece = (all > 0).then(|| gaps.sum::<f64>() / all as f64);
        Self { ece, bins }
    }
}

/// Mean over flows of `sum_k (p_k - y_k)^2`, 0 to 2 (Brier 1950; `brier_score_loss` with `scale_by_half=False`). For two classes this is
/// twice the usual binary score `(p - y)^2`. `None` without flows.
///
/// Each flow gives its true class and every class's score.
#[must_use]
pub fn brier<'s>(flows: impl IntoIterator<Item = (usize, &'s [f64])>) -> Option<f64> {
    mean(flows.into_iter().map(|(truth, scores)| {
        let terms = scores.iter().enumerate().map(|(class, p)| (p - f64::from(class == truth)).powi(2));
        terms.sum::<f64>()
    }))
}

/// Mean over flows of `-ln p` of the true class, with p kept 2.2e-16 away from 0 and 1 (`log_loss`). `None` without flows.
#[must_use]
pub fn log_loss<'s>(flows: impl IntoIterator<Item = (usize, &'s [f64])>) -> Option<f64> {
    mean(flows.into_iter().map(|(truth, scores)| {
        let p = scores.get(truth).copied().unwrap_or(0.0);
        -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    }))
}

fn bin(at: u32, (flows, confidences, rights): (u64, f64, u64)) -> Bin {
    let mean = |sum: f64| (flows > 0).then(|| sum / flows as f64);
    Bin { from: f64::from(at) / BINS as f64, flows, confidence: mean(confidences), accuracy: mean(rights as f64) }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u64), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Ranges of a [`Reliability`], as in Guo et al.
pub const BINS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scores_of_a_hand_worked_case() {
        let flows: [(usize, &[f64]); 2] = [(0, &[0.8, 0.2, 0.0]), (2, &[0.5, 0.25, 0.25])];
        let near =
            |found: Option<f64>, by_hand: f64| assert!((found.expect("flows") - by_hand).abs() < 1e-15, "{found:?}");
        near(brier(flows), (0.04 + 0.04 + 0.25 + 0.0625 + 0.5625) / 2.0);
        near(log_loss(flows), (-(0.8_f64.ln()) - 0.25_f64.ln()) / 2.0);
        assert_eq!((brier([]), log_loss([])), (None, None));
        let never: [(usize, &[f64]); 1] = [(1, &[1.0, 0.0])];
        near(log_loss(never), -f64::EPSILON.ln());
    }

    #[test]
    fn confidence_above_accuracy_is_an_error_and_a_score_of_one_has_a_range() {
        let table = Reliability::new([(1.0, true), (1.0, false), (0.5, true), (0.5, true)]);
        assert_eq!(table.ece, Some((2.0 * 0.5 + 2.0 * 0.5) / 4.0));
        let last = table.bins[BINS - 1];
        assert_eq!((last.flows, last.confidence, last.accuracy), (2, Some(1.0), Some(0.5)));
        assert_eq!(table.bins[7], Bin { from: 7.0 / 15.0, flows: 2, confidence: Some(0.5), accuracy: Some(1.0) });
        assert_eq!(Reliability::new([]).ece, None);
    }

    proptest! {
        #[test]
        fn every_flow_has_a_range_and_the_error_is_a_share(
            flows in proptest::collection::vec((0.0..=1.0f64, any::<bool>()), 1..100),
        ) {
            let table = Reliability::new(flows.iter().copied());
            prop_assert_eq!(table.bins.iter().map(|bin| bin.flows).sum::<u64>(), flows.len() as u64);
            prop_assert!((0.0..=1.0).contains(&table.ece.expect("flows")));
        }
    }
}
