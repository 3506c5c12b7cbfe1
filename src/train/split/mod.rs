//! Which rows a fit sees and which it is measured on: five kinds of split, each as one part held back or as several in turn.
//!
//! A kind only says which rows are held back together ([`SplitSpec::split`]); `fold` makes the two sides of each [`Fold`] of that, and
//! takes care that no row stands on both, neither by number nor by value. Nothing else makes a fold.

mod deal;
mod fold;
mod identical;
mod spec;

pub use fold::{Fold, TrainingRows, ValidationRows};
pub(super) use identical::{first_identical, same};
pub use spec::{HOLDOUT, MOST_FOLDS, SplitError, SplitKind, SplitSpec};

use crate::dataset::{Dataset, Texts};
use deal::{Item, deal};

use super::random::Random;

/// Folds of a data set, with what should be known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// At least one; together they hold back each row at most once.
    pub folds: Vec<Fold>,
    /// What is odd about them, a sentence each: labels or captures that are too small.
    pub notes: Vec<String>,
}

impl SplitSpec {
    /// Splits a data set. `labels` has each row's label, a position in `names`; rows of a capture must stand in the order of time.
    ///
    /// # Errors
    /// If the options do not go together, or there is too little of what they divide.
    pub fn split(&self, data: &Dataset, labels: &[u16], names: &[String], seed: u64) -> Result<Split, SplitError> {
        self.check()?;
        let identical = first_identical(data);
        let mut random = Random::new(seed ^ STREAM);
        let mut notes = Vec::new();
        let of = match self.kind {
            SplitKind::Time => {
                notes.extend(self.short_captures(data.scenarios()));
                self.by_time(data.scenarios())
            }
            SplitKind::Random => {
                let mut clusters = clusters(&identical, &vec![0; identical.len()]);
                self.enough(clusters.len(), self.parts(), "distinct flows")?;
                random.shuffle(&mut clusters);
                of_clusters(&identical, &clusters, &deal(&clusters, &self.shares(), 1))
            }
            SplitKind::Stratified => {
                let mut clusters = clusters(&identical, labels);
                self.enough(clusters.len(), self.parts(), "distinct flows")?;
                notes.extend(self.small_labels(&clusters, names));
                random.shuffle(&mut clusters);
                // One label after the other: what is left over of each then goes where the ones before left least.
                clusters.sort_by_key(|item| item.stratum);
                of_clusters(&identical, &clusters, &deal(&clusters, &self.shares(), names.len()))
            }
            SplitKind::Scenario => {
                self.enough(data.scenarios().distinct().len(), self.parts(), "captures")?;
                match self.folds {
                    Some(_) => by_group(data.scenarios(), &self.shares(), &mut random),
                    None => data.scenarios().ids().to_vec(),
                }
            }
            SplitKind::Group => {
                let groups = data.groups().ok_or(SplitError::NoGroups)?;
                self.enough(groups.distinct().len(), self.parts(), "groups")?;
                by_group(groups, &self.shares(), &mut random)
            }
        };
        Ok(Split { folds: fold::folds(&of, &self.titles(data), &identical), notes })
    }

    fn enough(&self, there: usize, wanted: usize, what: &'static str) -> Result<(), SplitError> {
        if there >= wanted { Ok(()) } else { Err(SplitError::TooFew { kind: self.kind.name(), what, there, wanted }) }
    }

    /// How many parts the rows are divided into.
    fn parts(&self) -> usize {
        self.folds.unwrap_or(2)
    }

    /// What each part should hold of the rows: each fold alike, or what is held back and the rest, which is no fold.
    fn shares(&self) -> Vec<f64> {
        match self.folds {
            Some(folds) => vec![1.0 / folds as f64; folds],
            None => vec![self.held_back(), 1.0 - self.held_back()],
        }
    }

    /// What each fold is called, if there are several.
    fn titles(&self, data: &Dataset) -> Vec<Option<String>> {
        match (self.kind, self.folds) {
            (SplitKind::Scenario, None) => data.scenarios().distinct().iter().cloned().map(Some).collect(),
            (_, Some(folds)) => (1..=folds).map(|fold| Some(format!("{fold} of {folds}"))).collect(),
            (_, None) => vec![None],
        }
    }

    /// Blocks of time inside each capture, or its last part.
    fn by_time(&self, captures: &Texts) -> Vec<u32> {
        let sizes = sizes(captures);
        let mut seen = vec![0_usize; sizes.len()];
        let place = |&capture: &u32| {
            let (at, size) = (seen[capture as usize], sizes[capture as usize]);
            seen[capture as usize] += 1;
            match self.folds {
                Some(folds) => (at * folds / size) as u32,
                None => u32::from(at < size - (size as f64 * self.held_back()) as usize),
            }
        };
        captures.ids().iter().map(place).collect()
    }

    /// Captures that cannot give each part of a split by time a flow.
    fn short_captures(&self, captures: &Texts) -> Option<String> {
        let least = self.folds.unwrap_or_else(|| (1.0 / self.held_back()).ceil() as usize);
        let sizes = sizes(captures);
        let short: Vec<&str> = captures
            .distinct()
            .iter()
            .zip(sizes)
            .filter(|(_, size)| *size < least)
            .map(|(name, _)| name.as_str())
            .collect();
        let (first, count) = (short.first()?, short.len());
        let others = if count > 1 { format!(" and {} more captures have", count - 1) } else { " has".to_owned() };
        Some(format!("`{first}`{others} fewer than {least} flows, too few to divide by time: not in every fold"))
    }

    /// Labels that cannot give each part of a stratified split a flow.
    fn small_labels(&self, clusters: &[Item], names: &[String]) -> Vec<String> {
        let mut counts = vec![0_usize; names.len()];
        clusters.iter().for_each(|item| counts[usize::from(item.stratum)] += 1);
        let parts = self.parts();
        let small = names.iter().zip(counts).filter(|(_, count)| *count < parts);
        let note = |(name, count)| {
            format!("`{name}` has {count} distinct flows, fewer than the {parts} parts of the split: not in every part")
        };
        small.map(note).collect()
    }
}

/// Rows by capture.
fn sizes(captures: &Texts) -> Vec<usize> {
    let mut sizes = vec![0; captures.distinct().len()];
    captures.ids().iter().for_each(|&capture| sizes[capture as usize] += 1);
    sizes
}

/// The sets of identical rows, by their first rows; each counts for the label that most of its rows have.
fn clusters(identical: &[u32], labels: &[u16]) -> Vec<Item> {
    let mut rows: Vec<(u32, u16)> = identical.iter().copied().zip(labels.iter().copied()).collect();
    rows.sort_unstable();
    let item = |rows: &[(u32, u16)]| {
        let of_label = rows.chunk_by(|a, b| a == b);
        // Of several the least label: the last of the greatest is what `max_by_key` gives.
        let most = of_label.rev().max_by_key(|rows| rows.len()).map_or(0, |rows| rows[0].1);
        Item { id: rows[0].0, rows: rows.len(), stratum: most }
    };
    rows.chunk_by(|(a, _), (b, _)| a == b).map(item).collect()
}

/// Each row's part from that of its cluster.
fn of_clusters(identical: &[u32], clusters: &[Item], parts: &[u32]) -> Vec<u32> {
    let mut of_first = vec![0; identical.len()];
    clusters.iter().zip(parts).for_each(|(item, &part)| of_first[item.id as usize] = part);
    identical.iter().map(|&first| of_first[first as usize]).collect()
}

/// Each row's part from that of its group. The greatest groups are dealt first, so that the small ones can even out what those leave.
fn by_group(groups: &Texts, shares: &[f64], random: &mut Random) -> Vec<u32> {
    let mut items: Vec<Item> = (0..).zip(sizes(groups)).map(|(id, rows)| Item { id, rows, stratum: 0 }).collect();
    random.shuffle(&mut items);
    items.sort_by_key(|item| std::cmp::Reverse(item.rows));
    let mut of_group = vec![0; items.len()];
    items.iter().zip(deal(&items, shares, 1)).for_each(|(item, part)| of_group[item.id as usize] = part);
    groups.ids().iter().map(|&group| of_group[group as usize]).collect()
}

/// Keeps the random numbers of a split apart from those of the fits.
const STREAM: u64 = 0x7370_6c69_7400_0000;

#[cfg(test)]
mod tests;
