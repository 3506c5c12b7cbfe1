//! Thresholds anew, by the held-back part of a baseline: never lower than they were, and never so high that an attack's own
//! surroundings would be silenced.

use serde::Serialize;

/// Why a threshold is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The held-back part is within the allowance under the old one.
    Enough,
    /// Raised to the least that keeps to the allowance.
    Raised,
    /// The held-back part has too few flows to say.
    TooFew,
    /// No raise that is allowed keeps to the allowance.
    OutOfReach,
}

/// The least novelty threshold, not below the old one, beyond which at most one held-back flow in a hundred lies.
pub(super) fn novelty(old: f32, mut distances: Vec<f32>) -> (f32, Why) {
    if distances.len() < LEAST_FOR_NOVELTY {
        return (old, Why::TooFew);
    }
    let allowed = distances.len() / NOVEL;
    distances.sort_unstable_by(|a, b| b.total_cmp(a));
    let needed = distances.get(allowed).copied().unwrap_or(0.0);
    if needed <= old {
        return (old, Why::Enough);
    }
    // Rounded up, so that the flow it was taken from is not beyond it.
    let needed = ((f64::from(needed) * 1e5).ceil() / 1e5) as f32;
    if needed <= old * MOST_RAISE { (needed, Why::Raised) } else { (old, Why::OutOfReach) }
}

/// One least score for all attack labels, no label's below its old one, at which at most one held-back flow in a thousand alerts;
/// `scores` are those of held-back flows that alert, each with its label's old threshold. `most` is the greatest allowed.
pub(super) fn alerts(flows: usize, scores: &[f32], most: f32) -> (Option<f32>, Why) {
    if flows < LEAST_FOR_ALERTS {
        return (None, Why::TooFew);
    }
    let allowed = flows / ALERTS;
    if scores.len() <= allowed {
        return (None, Why::Enough);
    }
    let steps = (1..STEPS).map(|step| (step as f32) / STEPS as f32);
    let least =
        steps.filter(|step| *step <= most).find(|step| scores.iter().filter(|score| *score >= step).count() <= allowed);
    match least {
        Some(step) => (Some(step), Why::Raised),
        None => (None, Why::OutOfReach),
    }
}

/// One held-back flow in this many may be novel.
const NOVEL: usize = 100;
/// One held-back flow in this many may alert.
pub(super) const ALERTS: usize = 1000;
/// With fewer flows a share of one in a hundred is less than a flow.
pub(super) const LEAST_FOR_NOVELTY: usize = NOVEL;
/// With fewer flows one alert in a thousand flows is less than an alert.
pub(super) const LEAST_FOR_ALERTS: usize = ALERTS;
/// A threshold of more than twice the old one would make every attack familiar: novelty is then what the user should see.
const MOST_RAISE: f32 = 2.0;
/// Scores are tried in hundredths.
const STEPS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn novelty_rises_to_one_flow_in_a_hundred_and_no_further_than_twice() {
        let flows = |far: usize, distance: f32| [vec![0.1; 1000 - far], vec![distance; far]].concat();
        assert_eq!(novelty(0.3, flows(10, 5.0)), (0.3, Why::Enough));
        assert_eq!(novelty(0.3, flows(11, 0.5)), (0.5, Why::Raised));
        assert_eq!(novelty(0.3, flows(11, 0.7)), (0.3, Why::OutOfReach));
        assert_eq!(novelty(0.3, vec![5.0; 99]), (0.3, Why::TooFew));
    }

    #[test]
    fn alert_thresholds_rise_only_where_that_helps_and_harms_no_attack() {
        assert_eq!(alerts(2000, &[0.6, 0.9], 0.7), (None, Why::Enough));
        assert_eq!(alerts(2000, &[0.6, 0.6, 0.9], 0.7), (Some(0.61), Why::Raised));
        assert_eq!(alerts(2000, &[0.9, 0.9, 0.9], 0.7), (None, Why::OutOfReach));
        assert_eq!(alerts(999, &[0.6], 0.7), (None, Why::TooFew));
    }
}
