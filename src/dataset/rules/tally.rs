//! What each rule took, and which rules contradict each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Candidate, Rule, Rules};

/// Counts of a run over flows.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    flows: u64,
    none: u64,
    conflicting: u64,
    counts: Vec<Counts>,
    pairs: BTreeMap<(usize, usize), Pair>,
    /// Rules that the flow at hand matches.
    matched: Vec<usize>,
}

/// One rule's flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Flows that it took.
    pub took: u64,
    /// Flows that it would have taken as the first rule.
    pub matched: u64,
}

/// Flows that two rules with different labels match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// How many.
    pub flows: u64,
    /// The first few.
    pub examples: Vec<String>,
}

impl Tally {
    /// Nothing yet, for these rules.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self { counts: vec![Counts::default(); rules.rules().len()], ..Self::default() }
    }

    /// Counts a flow and says which rule takes it.
    pub fn take<'r>(&mut self, rules: &'r Rules, candidate: &Candidate<'_>) -> Option<&'r Rule> {
        self.flows += 1;
        self.matched.clear();
        self.matched.extend(rules.matching(candidate));
        for &at in &self.matched {
            if let Some(counts) = self.counts.get_mut(at) {
                counts.matched += 1;
            }
        }
        let Some(&taker) = self.matched.first() else {
            self.none += 1;
            return None;
        };
        if let Some(counts) = self.counts.get_mut(taker) {
            counts.took += 1;
        }
        let label = |at: usize| rules.rules().get(at).map(Rule::label);
        let mut conflicts = false;
        for (position, &first) in self.matched.iter().enumerate() {
            for &second in self.matched.iter().skip(position + 1).filter(|&&second| label(second) != label(first)) {
                conflicts = true;
                let pair = self.pairs.entry((first, second)).or_default();
                pair.flows += 1;
                if pair.examples.len() < EXAMPLES {
                    pair.examples.push(named(candidate));
                }
            }
        }
        self.conflicting += u64::from(conflicts);
        rules.rules().get(taker)
    }

    /// Flows so far.
    #[must_use]
    pub const fn flows(&self) -> u64 {
        self.flows
    }

    /// Flows that no rule took.
    #[must_use]
    pub const fn none(&self) -> u64 {
        self.none
    }

    /// Flows that two rules with different labels match.
    #[must_use]
    pub const fn conflicting(&self) -> u64 {
        self.conflicting
    }

    /// Each rule's counts, in order.
    #[must_use]
    pub fn counts(&self) -> &[Counts] {
        &self.counts
    }

    /// Contradicting rules by their positions, the earlier first.
    #[must_use]
    pub const fn pairs(&self) -> &BTreeMap<(usize, usize), Pair> {
        &self.pairs
    }
}

/// A flow for people.
fn named(candidate: &Candidate<'_>) -> String {
    let Candidate { tuple, start, capture, .. } = candidate;
    let (src, dst) =
        (SocketAddr::new(tuple.src.to_ip(), tuple.src_port), SocketAddr::new(tuple.dst.to_ip(), tuple.dst_port));
    format!("{capture}: {src} to {dst}, protocol {}, {}", tuple.protocol, start.civil())
}

/// Flows that are named for each pair of rules.
const EXAMPLES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FiveTuple;
    use crate::packet::Address;
    use crate::time::Micros;

    #[test]
    fn shadowed_rules_and_contradictions_are_counted() {
        let text = "{version: 1, rules: [{label: recon, dst_port: 22}, {label: recon, dst_port: 1-100}, \
                    {label: dos, protocol: tcp}, {label: dos, dst_port: 22, direction: forward}]}";
        let rules = Rules::parse(text).expect("rules");
        let mut tally = Tally::new(&rules);
        let mut take = |dst_port, protocol| {
            let end = Address::v4([10, 0, 0, 1]);
            let tuple = FiveTuple { src: end, dst: end, src_port: 40_000, dst_port, protocol };
            let candidate = Candidate { tuple, start: Micros(0), first: Micros(0), capture: "c" };
            tally.take(&rules, &candidate).map(|rule| rule.name().to_owned())
        };
        let taken = [take(22, 6), take(80, 6), take(443, 17), take(443, 6), take(22, 6)];
        assert_eq!(taken.map(|name| name.unwrap_or_default()), ["rule 1", "rule 2", "", "rule 3", "rule 1"]);
        let counts: Vec<_> = tally.counts().iter().map(|counts| (counts.took, counts.matched)).collect();
        assert_eq!(counts, [(2, 2), (1, 3), (1, 4), (0, 2)]);
        assert_eq!((tally.flows(), tally.none(), tally.conflicting()), (5, 1, 3));
        let pairs: Vec<_> = tally.pairs().iter().map(|(pair, told)| (*pair, told.flows)).collect();
        assert_eq!(pairs, [((0, 2), 2), ((0, 3), 2), ((1, 2), 3), ((1, 3), 2)]);
        assert_eq!(
            tally.pairs()[&(0, 2)].examples[0],
            "c: 10.0.0.1:40000 to 10.0.0.1:22, protocol 6, 1970-01-01T00:00:00.000000+0000"
        );
    }
}
