//! Drift: how far flows have moved from those that a model knows as benign, feature by feature.
//!
//! A model keeps how each of its features was spread over its benign training flows, or over the baseline that it learnt on a cluster. What
//! is held against that are a node's own flows, nearly all of which are benign too. The measure is the population stability index (Siddiqi,
//! Credit Risk Scorecards, 2006, chapter 10): over bins, the sum of (p - q) ln(p / q), where q is the model's share of a bin and p that of
//! the flows. Below 0.1 is commonly called stable, above 0.25 moved.

use serde::{Deserialize, Serialize};

use super::parts::field;
use super::transform::rounded;
use super::{ArtifactError, Model};
use crate::features::{FeatureId, FeatureVector};

/// How the values of one feature are spread: over as many bins as there are bounds, and one more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpreadParts {
    /// The greatest value of each bin but the last, strictly rising: deciles and the maximum, equal ones joined. What is beyond the last was
    /// never seen. Of 32 bits, as values are rounded before they are compared: a last digit that was read otherwise moves nothing.
    pub bounds: Vec<f32>,
    /// Each bin's share, 0 to 1.
    pub shares: Vec<f64>,
}

impl SpreadParts {
    /// The spread of some values; those that are not finite are left out. Without any, all is in the first bin.
    #[must_use]
    pub fn fit(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f32> = values.into_iter().filter(|value| value.is_finite()).map(rounded).collect();
        if values.is_empty() {
            values.push(0.0);
        }
        values.sort_unstable_by(f32::total_cmp);
        let last = values.len().saturating_sub(1);
        let mut bounds: Vec<f32> =
            (1..BINS).filter_map(|tenth| values.get(last * tenth / (BINS - 1)).copied()).collect();
        // Zero has two signs, and is one value.
        bounds.iter_mut().filter(|bound| **bound == 0.0).for_each(|bound| *bound = 0.0);
        bounds.dedup();
        let mut spread = Self { shares: vec![0.0; bounds.len().saturating_add(1)], bounds };
        for value in &values {
            let bin = spread.bin((*value).into());
            if let Some(share) = spread.shares.get_mut(bin) {
                *share += 1.0;
            }
        }
        let all: f64 = spread.shares.iter().sum();
        // Digits beyond these say nothing of a million flows.
        spread.shares.iter_mut().for_each(|share| *share = (*share / all * 1e6).round() / 1e6);
        spread
    }

    /// The bin of a value.
    fn bin(&self, value: f64) -> usize {
        let value = rounded(value);
        self.bounds.partition_point(|bound| *bound < value)
    }

    fn check(&self) -> Result<(), ArtifactError> {
        let rising = self.bounds.is_sorted_by(|a, b| a < b) && self.bounds.iter().all(|bound| bound.is_finite());
        if !rising || self.bounds.is_empty() || self.bounds.len() >= BINS {
            return Err(field("spread", format!("needs 1 to {} finite bounds that rise", BINS - 1)));
        }
        let shares = self.shares.len() == self.bounds.len().saturating_add(1)
            && self.shares.iter().all(|share| (0.0..=1.0).contains(share));
        if shares { Ok(()) } else { Err(field("spread", "needs a share of 0 to 1 for each bound, and one more")) }
    }
}

/// Checks the spreads of a model with so many features.
pub(super) fn check(spreads: &[SpreadParts], features: usize) -> Result<(), ArtifactError> {
    if spreads.len() != features {
        return Err(field("spread", format!("{} for {features} features", spreads.len())));
    }
    spreads.iter().try_for_each(SpreadParts::check)
}

/// Counts flows by a model's bins.
#[derive(Clone, Debug)]
pub struct Drift {
    features: Vec<Moved>,
    flows: u64,
}

/// One feature's flows beside the model's.
#[derive(Clone, Debug)]
pub struct Moved {
    /// Which feature.
    pub feature: FeatureId,
    /// What stands for a value that is missing.
    fill: f64,
    spread: SpreadParts,
    counts: [u64; BINS],
}

/// One bin of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Its greatest value; none for what is beyond all that the model was fitted on.
    pub up_to: Option<f32>,
    /// The model's share.
    pub known: f64,
    /// The flows' share.
    pub flows: f64,
}

impl Drift {
    /// Nothing counted yet; `None` for a model that does not say how its flows were spread.
    #[must_use]
    pub fn of(model: &Model) -> Option<Self> {
        let spreads = model.parts().spread.as_ref()?;
        let features = model.features().iter().zip(model.transform().fill()).zip(spreads);
        let moved = |((&feature, &fill), spread): ((&FeatureId, &f64), &SpreadParts)| Moved {
            feature,
            fill,
            spread: spread.clone(),
            counts: [0; BINS],
        };
        Some(Self { features: features.map(moved).collect(), flows: 0 })
    }

    /// Counts a flow.
    pub fn observe(&mut self, flow: &FeatureVector) {
        self.flows = self.flows.saturating_add(1);
        for moved in &mut self.features {
            let value = if flow.is_undefined(moved.feature) { moved.fill } else { flow.get(moved.feature) };
            moved.count(value);
        }
    }

    /// The same for a row of values in the model's feature order.
    pub fn observe_row(&mut self, row: &[f64]) {
        self.flows = self.flows.saturating_add(1);
        self.features.iter_mut().zip(row).for_each(|(moved, value)| moved.count(*value));
    }

    /// Flows that count.
    #[must_use]
    pub const fn flows(&self) -> u64 {
        self.flows
    }

    /// Whether that many flows tell something: of fewer, an index says how few they are. Of n flows that have not moved it comes to about the number of
    /// bins divided by n.
    #[must_use]
    pub const fn is_enough(&self) -> bool {
        self.flows >= ENOUGH
    }

    /// Lets what was counted count half from here on, once it is many flows: what is told is then of recent ones.
    pub fn fade(&mut self) {
        if self.flows >= RECENT {
            self.flows = self.flows.div_ceil(2);
            self.features.iter_mut().flat_map(|moved| &mut moved.counts).for_each(|count| *count /= 2);
        }
    }

    /// Each feature, in the model's order.
    #[must_use]
    pub fn features(&self) -> &[Moved] {
        &self.features
    }
}

impl Moved {
    fn count(&mut self, value: f64) {
        let bin = self.spread.bin(if value.is_finite() { value } else { self.fill });
        if let Some(count) = self.counts.get_mut(bin) {
            *count = count.saturating_add(1);
        }
    }

    /// The population stability index; 0 for flows that are spread as the model's.
    #[must_use]
    pub fn index(&self) -> f64 {
        let term = |bin: Bin| {
            let [p, q] = [bin.flows, bin.known].map(|share| share.max(LEAST_SHARE));
            (p - q) * (p / q).ln()
        };
        self.bins().map(term).sum()
    }

    /// Its bins, from the least values to what was never seen.
    #[expect(clippy::cast_precision_loss, reason = "counts of flows")]
    pub fn bins(&self) -> impl Iterator<Item = Bin> + '_ {
        let SpreadParts { bounds, shares } = &self.spread;
        let all = (self.counts.iter().sum::<u64>() as f64).max(1.0);
        let up_to = bounds.iter().copied().map(Some).chain([None]);
        let own = shares.iter().zip(self.counts);
        up_to.zip(own).map(move |(up_to, (&known, count))| Bin { up_to, known, flows: count as f64 / all })
    }
}

/// Bins, at most: ten that hold a tenth each, and one for what was never seen.
const BINS: usize = 11;
/// What an empty bin counts as: the index would be without bound.
const LEAST_SHARE: f64 = 1e-4;
/// Flows from which an index is told: of those that have not moved it is then about a hundredth.
const ENOUGH: u64 = 1_000;
/// Flows that are remembered at most: the last one or two times half of that.
const RECENT: u64 = 20_000;

#[cfg(test)]
mod tests {
    use super::super::parts::tests::example_with;
    use super::*;
    use proptest::prelude::*;

    fn model(values: &[f64]) -> Model {
        let spread = SpreadParts::fit(values.iter().copied());
        Model::from_parts(&example_with(|parts| parts.spread = Some(vec![spread.clone(), spread]))).expect("a model")
    }

    #[test]
    fn what_has_not_moved_is_still_and_what_was_never_seen_is_far() {
        let values: Vec<f64> = (0..1_000).map(f64::from).collect();
        let mut drift = Drift::of(&model(&values)).expect("a spread");
        assert!(!drift.is_enough());
        values.iter().for_each(|value| drift.observe_row(&[*value, *value + 2_000.0]));
        let [still, far] = [0, 1].map(|at| drift.features()[at].index());
        assert!(drift.is_enough() && still < 1e-6 && far > 8.0, "{still} {far}");
        let beyond = drift.features()[1].bins().last().expect("a bin");
        assert_eq!(beyond, Bin { up_to: None, known: 0.0, flows: 1.0 });
    }

    #[test]
    fn the_index_is_the_textbooks() {
        // Half of the values in the lower of two bins; then a fifth.
        let spread = SpreadParts { bounds: vec![1.0, 2.0], shares: vec![0.5, 0.5, 0.0] };
        let parts = example_with(|parts| parts.spread = Some(vec![spread.clone(), spread]));
        let mut drift = Drift::of(&Model::from_parts(&parts).expect("a model")).expect("a spread");
        (0..1_000).for_each(|n| drift.observe_row(&[if n % 5 == 0 { 1.0 } else { 2.0 }, f64::NAN]));
        let expected = (0.2 - 0.5) * (0.2_f64 / 0.5).ln() + (0.8 - 0.5) * (0.8_f64 / 0.5).ln();
        assert!((drift.features()[0].index() - expected).abs() < 1e-12);
        // A missing value counts as the fill, 0 here.
        assert_eq!(drift.features()[1].bins().map(|bin| bin.flows).collect::<Vec<_>>(), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_value_that_most_flows_share_has_a_bin_of_its_own() {
        let spread = SpreadParts::fit((0..100).map(|n| if n < 70 { 0.0 } else { f64::from(n) }));
        assert_eq!((spread.bounds[0], spread.shares[0]), (0.0, 0.7));
        assert_eq!(SpreadParts::fit([f64::NAN]), SpreadParts { bounds: vec![0.0], shares: vec![1.0, 0.0] });
    }

    #[test]
    fn what_was_long_ago_fades() {
        let values: Vec<f64> = (0..1_000).map(f64::from).collect();
        let mut drift = Drift::of(&model(&values)).expect("a spread");
        let mut moved = |offset: f64, rounds: u32| {
            for _ in 0..rounds {
                values.iter().for_each(|value| drift.observe_row(&[*value + offset, 0.0]));
                drift.fade();
            }
            drift.features()[0].index()
        };
        assert!(moved(1_000.0, 40) > 8.0);
        assert!(moved(0.0, 200) < 0.01);
    }

    proptest! {
        #[test]
        fn every_value_has_a_bin_and_shares_are_whole(values in proptest::collection::vec(any::<f64>(), 0..300), asked: f64) {
            let spread = SpreadParts::fit(values.iter().copied());
            spread.check().expect("what was fitted is valid");
            prop_assert!((spread.shares.iter().sum::<f64>() - 1.0).abs() < 1e-4);
            prop_assert!(!asked.is_finite() || spread.bin(asked) < spread.shares.len());
        }
    }
}
