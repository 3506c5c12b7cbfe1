//! How much one grouping says of another.

use std::collections::BTreeMap;

/// Mutual information of two groupings of the same things, in nats (Cover and Thomas, equation 2.28): the sum over pairs of groups of
/// p(a, b) ln(p(a, b) / (p(a) p(b))). 0 where neither says anything of the other; things beyond the shorter list are left out.
#[must_use]
pub fn mutual_information(first: &[usize], second: &[usize]) -> f64 {
    let (mut of_first, mut of_second) = (BTreeMap::<usize, u64>::new(), BTreeMap::<usize, u64>::new());
    let mut together = BTreeMap::<(usize, usize), u64>::new();
    let mut all = 0_u64;
    for (&a, &b) in first.iter().zip(second) {
        *of_first.entry(a).or_default() += 1;
        *of_second.entry(b).or_default() += 1;
        *together.entry((a, b)).or_default() += 1;
        all += 1;
    }
    let all = all as f64;
    let share = |((a, b), &count): (&(usize, usize), &u64)| {
        let independent = of_first[a] as f64 * of_second[b] as f64;
        count as f64 / all * (count as f64 * all / independent).ln()
    };
    // Never below 0 but by rounding.
    together.iter().map(share).sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_entropy_of_what_is_told_whole_and_0_of_what_is_not_told() {
        let label = [0, 0, 1, 1];
        assert!((mutual_information(&[7, 7, 9, 9], &label) - 2.0_f64.ln()).abs() < 1e-15);
        assert_eq!(mutual_information(&[0, 1, 0, 1], &label), 0.0);
        assert_eq!(mutual_information(&[5, 5, 5, 5], &label), 0.0);
        assert_eq!(mutual_information(&[], &label), 0.0);
        // By hand: 3/4 ln(4/3 * 3/4 / (3/4)) ... of the table 2, 1 / 0, 1.
        let expected = 0.5 * (4.0_f64 / 3.0).ln() + 0.25 * (2.0_f64 / 3.0).ln() + 0.25 * 2.0_f64.ln();
        assert!((mutual_information(&[0, 0, 0, 1], &label) - expected).abs() < 1e-15);
    }
}
