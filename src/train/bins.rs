//! A column's values in bins between its quantiles.

/// Edges between bins, rising.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bins {
    edges: Vec<f64>,
}

impl Bins {
    /// Bins whose edges are quantiles of finite values: about as many values in each of `count`. A value that stands on an edge
    /// has a bin of its own, for counters and flags have few values, of which one may fill several quantiles.
    pub(super) fn of_quantiles(mut values: Vec<f64>, count: usize) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let mut edges: Vec<f64> = (1..count).filter_map(|at| values.get(at * values.len() / count)).copied().collect();
        edges.dedup();
        Self { edges }
    }

    /// How many bins there are, empty ones included.
    pub(super) fn count(&self) -> usize {
        2 * self.edges.len() + 1
    }

    /// The bin of a value, from 0.
    pub(super) fn of(&self, value: f64) -> usize {
        self.edges.partition_point(|&edge| edge < value) + self.edges.partition_point(|&edge| edge <= value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_quantiles_and_have_bins_of_their_own() {
        let bins = Bins::of_quantiles((0..8).map(f64::from).collect(), 4);
        assert_eq!(bins.count(), 7);
        let of: Vec<usize> = (0..8).map(|x| bins.of(f64::from(x))).collect();
        assert_eq!(of, [0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!((bins.of(-9.0), bins.of(99.0), bins.of(2.5)), (0, 6, 2));
    }

    #[test]
    fn one_value_and_no_value_make_few_bins() {
        let bins = Bins::of_quantiles(vec![0.0; 50], 4);
        assert_eq!((bins.count(), bins.of(-1.0), bins.of(0.0), bins.of(1.0)), (3, 0, 1, 2));
        assert_eq!(Bins::of_quantiles(Vec::new(), 4).count(), 1);
    }
}
