//! A small seeded generator (SplitMix64): the same numbers on every machine and in every release, which no
//! random-number crate promises, and the committed demo capture needs.

/// Numbers from a seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator that gives the same numbers for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any 64-bit number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.abs_diff(low).saturating_add(1);
        low + i64::try_from(self.next() % span).unwrap_or(0)
    }

    /// One element of a list that is not empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let last = i64::try_from(from.len()).expect("a list of a sane length") - 1;
        &from[usize::try_from(self.between(0, last)).expect("at least 0")]
    }

    /// True in `numerator` of `denominator` cases.
    pub fn chance(&mut self, numerator: i64, denominator: i64) -> bool {
        self.between(1, denominator) <= numerator
    }
}
