//! How much each column tells of the label, by a small random forest: the mean decrease in impurity.
//!
//! The trees are only for ranking columns and are thrown away. They split binned values by integer counts, so that the same rows
//! and seed give the same figures on every machine.

use super::random::Random;

/// Mean decrease in Gini impurity (Breiman 2001; Breiman et al. 1984) of each column: over 64 trees on bootstrap samples, each of
/// which looks at the square root of the columns at a node, the decrease at the column's nodes, weighted by their share of the
/// rows. The figures add up to 1 where any column tells anything.
///
/// `columns` has each column's bin by row, `labels` each row's label, of which there are `classes`.
pub(super) fn importance(columns: &[Vec<u8>], labels: &[u16], classes: usize, seed: u64) -> Vec<f64> {
    let mut all = vec![0.0; columns.len()];
    let mut grown = 0.0;
    for turn in 0..TREES {
        let mut tree = Tree {
            columns,
            labels,
            classes,
            order: (0..columns.len()).collect(),
            random: Random::new(seed ^ FOREST ^ turn << 32),
            found: vec![0.0; columns.len()],
        };
        tree.grow();
        let sum: f64 = tree.found.iter().sum();
        if sum > 0.0 {
            all.iter_mut().zip(&tree.found).for_each(|(all, found)| *all += found / sum);
            grown += 1.0;
        }
    }
    if grown > 0.0 {
        all.iter_mut().for_each(|value| *value /= grown);
    }
    all
}

struct Tree<'a> {
    columns: &'a [Vec<u8>],
    labels: &'a [u16],
    classes: usize,
    /// The columns in an order that each node shuffles.
    order: Vec<usize>,
    random: Random,
    /// Decrease by column, in rows.
    found: Vec<f64>,
}

/// The best split of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Split {
    column: usize,
    /// The last bin on the left.
    last: usize,
    /// By how many rows' worth of impurity it does better than the node.
    decrease: f64,
}

impl Tree<'_> {
    fn grow(&mut self) {
        let count = self.labels.len();
        let draw = |random: &mut Random| ((random.unit() * count as f64) as usize).min(count.saturating_sub(1));
        let rows: Vec<usize> = (0..count).map(|_| draw(&mut self.random)).collect();
        let mut open = vec![(rows, 0)];
        while let Some((rows, depth)) = open.pop() {
            if depth == DEPTH {
                continue;
            }
            let Some(split) = self.best(&rows) else { continue };
            self.found[split.column] += split.decrease;
            let bins = &self.columns[split.column];
            let (left, right) = rows.into_iter().partition(|&row| usize::from(bins[row]) <= split.last);
            open.push((left, depth + 1));
            open.push((right, depth + 1));
        }
    }

    /// The best split among some columns; more are looked at while there is none.
    fn best(&mut self, rows: &[usize]) -> Option<Split> {
        let mut counts = vec![0_u64; self.classes];
        rows.iter().for_each(|&row| counts[usize::from(self.labels[row])] += 1);
        if counts.iter().filter(|count| **count > 0).count() < 2 {
            return None;
        }
        self.random.shuffle(&mut self.order);
        let some = (self.columns.len() as f64).sqrt().ceil() as usize;
        let mut best: Option<Split> = None;
        for (tried, &column) in self.order.iter().enumerate() {
            if tried >= some && best.is_some() {
                break;
            }
            let found = split(&self.columns[column], self.labels, rows, &counts, column);
            if found.is_some_and(|found| best.is_none_or(|best| found.decrease > best.decrease)) {
                best = found;
            }
        }
        best
    }
}

/// The best split of rows by one column. The Gini impurity of n rows is n - sum(c²) / n rows' worth.
fn split(bins: &[u8], labels: &[u16], rows: &[usize], counts: &[u64], column: usize) -> Option<Split> {
    let classes = counts.len();
    let greatest = rows.iter().map(|&row| bins[row]).max()?;
    let mut table = vec![0_u64; (usize::from(greatest) + 1) * classes];
    rows.iter().for_each(|&row| table[usize::from(bins[row]) * classes + usize::from(labels[row])] += 1);
    let worth = |counts: &[u64]| {
        let all: u64 = counts.iter().sum();
        counts.iter().map(|count| count * count).sum::<u64>() as f64 / all as f64
    };
    let whole = worth(counts);
    let (mut left, mut right) = (vec![0; classes], counts.to_vec());
    let mut best: Option<Split> = None;
    for (last, bin) in table.chunks_exact(classes).enumerate().take(usize::from(greatest)) {
        if bin.iter().all(|count| *count == 0) {
            continue;
        }
        for ((left, right), count) in left.iter_mut().zip(&mut right).zip(bin) {
            *left += count;
            *right -= count;
        }
        let decrease = worth(&left) + worth(&right) - whole;
        if decrease > best.map_or(LEAST, |best| best.decrease) {
            best = Some(Split { column, last, decrease });
        }
    }
    best
}

/// More trees no longer move the ranks of columns that differ.
const TREES: u64 = 64;
/// Levels of splits; deeper ones are of few rows.
const DEPTH: usize = 12;
/// Less is rounding.
const LEAST: f64 = 1e-9;
/// Keeps its random numbers apart from those of the fit.
const FOREST: u64 = 0x666f_7265_7374;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_the_one_that_leaves_the_least_impurity() {
        // Bins 0 0 1 1 2 2 with labels 0 0 0 1 1 1: 3 - 3 rows' worth of impurity before, by bins 0 | 1 2: 1.5.
        let bins = [0, 0, 1, 1, 2, 2];
        let found = split(&bins, &[0, 0, 0, 1, 1, 1], &[0, 1, 2, 3, 4, 5], &[3, 3], 7);
        assert_eq!(found, Some(Split { column: 7, last: 0, decrease: 2.0 + 10.0 / 4.0 - 3.0 }));
        assert_eq!(split(&[4; 6], &[0, 0, 0, 1, 1, 1], &[0, 1, 2, 3, 4, 5], &[3, 3], 0), None);
    }

    #[test]
    fn the_column_that_tells_the_label_has_nearly_all_of_the_importance() {
        let mut random = Random::new(3);
        let labels: Vec<u16> = (0..600).map(|_| (random.unit() * 3.0) as u16).collect();
        let mut noise = |spread: f64| -> Vec<u8> { (0..600).map(|_| (random.unit() * spread) as u8).collect() };
        let columns = [noise(100.0), labels.iter().map(|&label| label as u8 * 40).collect(), noise(2.0), vec![0; 600]];
        let found = importance(&columns, &labels, 3, 1);
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{found:?}");
        assert!(found[1] > 0.6 && found[0] > found[2] && found[3] == 0.0, "{found:?}");
        assert_eq!(importance(&columns, &labels, 3, 1), found);
        assert_ne!(importance(&columns, &labels, 3, 2), found);
    }

    #[test]
    fn nothing_is_important_where_there_is_nothing_to_tell() {
        assert_eq!(importance(&[vec![1, 2, 3]], &[0, 0, 0], 1, 1), [0.0]);
        assert_eq!(importance(&[Vec::new()], &[], 2, 1), [0.0]);
    }
}
