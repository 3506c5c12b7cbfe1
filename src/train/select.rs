//! Which of the candidate columns a model reads: a rank by one measure, taken on training rows only.

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::fit::{Rows, thinned};
use super::metrics::mutual_information;
use super::trees::{self, ForestSpec, Sample};
use crate::model::transform::{DEFAULT_KNOTS, QuantileMap, Scaling, Transform};

/// How to select columns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelectSpec {
    /// What they are ranked by.
    pub by: Measure,
    /// How many are kept at most; all that pass the threshold if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// Only columns above it are kept, so that at 0 those that say nothing are left out.
    #[serde(default)]
    pub threshold: f64,
}

/// What columns are ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Variance (divisor n) of the column's quantile, 0 to 1: raw variances are in the squares of different units.
    Variance,
    /// Mutual information with the label in nats, of values binned between 20 quantiles.
    MutualInformation,
    /// Mean decrease in impurity of a small random forest; all columns' figures add up to 1.
    TreeImportance,
}

/// What a selection found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Selection {
    /// What columns were ranked by.
    pub by: Measure,
    /// How many could be kept.
    pub count: Option<usize>,
    /// Above what.
    pub threshold: f64,
    /// Training rows that were looked at: all, or an even sample of labels with many.
    pub flows: usize,
    /// Every candidate, best first; equal ones in the order in which they were named.
    pub ranking: Vec<Ranked>,
}

/// One candidate column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// CICFlowMeter's name.
    pub column: &'static str,
    /// The measure.
    pub value: f64,
    /// Whether the model reads it.
    pub kept: bool,
}

/// Why nothing can be selected.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SelectError {
    /// A count of no columns.
    #[error("--select-count 0: a model reads at least one column")]
    NoCount,
    /// A threshold that nothing can be held against.
    #[error("--select-threshold {0}: a number of at least 0 is needed")]
    Threshold(f64),
    /// No column passes.
    #[error("no column has a {by} above {threshold} on the training flows; the greatest is {greatest:.6}")]
    NothingLeft {
        /// The measure.
        by: Measure,
        /// The threshold.
        threshold: f64,
        /// The best column's value.
        greatest: f64,
    },
}

impl SelectSpec {
    /// Whether it can be followed, whatever the data.
    ///
    /// # Errors
    /// Says what is wrong with a number in it.
    pub fn check(&self) -> Result<(), SelectError> {
        match self {
            Self { count: Some(0), .. } => Err(SelectError::NoCount),
            Self { threshold, .. } if !(threshold.is_finite() && *threshold >= 0.0) => {
                Err(SelectError::Threshold(*threshold))
            }
            _ => Ok(()),
        }
    }
}

impl Measure {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Variance => "variance",
            Self::MutualInformation => "mutual-information",
            Self::TreeImportance => "tree-importance",
        }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Ranks the columns of the chosen rows, which must be training rows, and says which are kept: positions in the data's features,
/// best first. `classes` is the number of labels; of each, `most` rows are looked at.
pub(super) fn select(
    rows: &Rows<'_>,
    classes: usize,
    spec: &SelectSpec,
    most: usize,
    seed: u64,
) -> Result<(Selection, Vec<usize>), SelectError> {
    spec.check()?;
    let chosen = thinned(rows, classes, most);
    let rows = Rows { chosen: &chosen, ..*rows };
    let features = rows.data.features();
    let values = measure(&rows, classes, spec.by, seed);
    let mut order: Vec<usize> = (0..features.len()).collect();
    // The sort is stable: equal ones stay in their order.
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let passes = |column: &&usize| values[**column] > spec.threshold;
    let kept: Vec<usize> = order.iter().filter(passes).take(spec.count.unwrap_or(usize::MAX)).copied().collect();
    if kept.is_empty() {
        let greatest = order.first().map_or(0.0, |&best| values[best]);
        return Err(SelectError::NothingLeft { by: spec.by, threshold: spec.threshold, greatest });
    }
    let ranked = |(place, column): (usize, &usize)| Ranked {
        column: features[*column].feature().column,
        value: values[*column],
        kept: place < kept.len(),
    };
    let ranking = order.iter().enumerate().map(ranked).collect();
    let (by, count, threshold) = (spec.by, spec.count, spec.threshold);
    Ok((Selection { by, count, threshold, flows: chosen.rows().len(), ranking }, kept))
}

/// The measure of each column.
fn measure(rows: &Rows<'_>, classes: usize, by: Measure, seed: u64) -> Vec<f64> {
    let columns = 0..rows.data.features().len();
    let labels = || rows.chosen.rows().iter().map(|&row| rows.labels[row]);
    match by {
        Measure::Variance => columns.map(|column| variance(&values(rows, column))).collect(),
        Measure::MutualInformation => {
            let labels: Vec<usize> = labels().map(usize::from).collect();
            let of = |column| mutual_information(&binned(&values(rows, column), INFORMATION_BINS), &labels);
            columns.map(of).collect()
        }
        Measure::TreeImportance => {
            let step = rows.chosen.rows().len().div_ceil(TREE_ROWS).max(1);
            let few = |column| values(rows, column).into_iter().step_by(step).map(|x| x as f32).collect();
            let table: Vec<Vec<f32>> = columns.map(few).collect();
            let labels: Vec<u16> = labels().step_by(step).collect();
            importance(&table, &labels, classes, seed)
        }
    }
}

/// Mean decrease in Gini impurity (Breiman 2001; Breiman et al. 1984) of each column over a forest, each tree's decreases as shares of their
/// sum. They add up to 1 where any column tells anything. `table` has each column's values.
fn importance(table: &[Vec<f32>], labels: &[u16], classes: usize, seed: u64) -> Vec<f64> {
    let points: Vec<Vec<f32>> = (0..labels.len()).map(|row| table.iter().map(|column| column[row]).collect()).collect();
    let points: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
    let spec = ForestSpec { trees: TREES, max_depth: TREE_DEPTH, ..ForestSpec::default() };
    let mut all = vec![0.0; table.len()];
    for grown in trees::forest(Sample { points: &points, labels, count: classes }, spec, seed) {
        let sum: f64 = grown.importance.iter().sum();
        all.iter_mut().zip(grown.importance).for_each(|(all, own)| *all += if sum > 0.0 { own / sum } else { 0.0 });
    }
    let sum: f64 = all.iter().sum();
    all.iter().map(|value| if sum > 0.0 { value / sum } else { 0.0 }).collect()
}

/// A column of the chosen rows; what is not finite counts as 0, as in the transform.
fn values(rows: &Rows<'_>, column: usize) -> Vec<f64> {
    let value = |&row: &usize| rows.data.row(row).get(column).copied().filter(|x| x.is_finite()).unwrap_or(0.0);
    rows.chosen.rows().iter().map(value).collect()
}

fn binned(values: &[f64], count: usize) -> Vec<usize> {
    let bins = Bins::of_quantiles(values.to_vec(), count);
    values.iter().map(|&value| bins.of(value)).collect()
}

/// Variance of the values' quantiles; 0 without values.
fn variance(values: &[f64]) -> f64 {
    let transform =
        Transform::new(Scaling::Quantile(vec![QuantileMap::fit(values.iter().copied(), DEFAULT_KNOTS)]), vec![0.0]);
    let mut point = Vec::new();
    let levels = values.iter().map(|&value| {
        transform.apply(&[value], &mut point);
        point.first().copied().map_or(0.0, f64::from)
    });
    let levels: Vec<f64> = levels.collect();
    let count = levels.len().max(1) as f64;
    let mean = levels.iter().sum::<f64>() / count;
    levels.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / count
}

/// Bins for mutual information: more would find chance in small classes.
const INFORMATION_BINS: usize = 20;
/// Rows that the ranking trees see at most, evenly taken.
const TREE_ROWS: usize = 10_000;
/// More trees no longer move the ranks of columns that differ.
const TREES: usize = 100;
/// Levels of splits; deeper ones are of few rows.
const TREE_DEPTH: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;
    use crate::features::FeatureId;
    use crate::train::random::Random;
    use crate::train::split::Fold;

    /// Noise, the label itself, a constant, a flag that is rarely set, and the label again in other numbers.
    fn data() -> (Dataset, Vec<u16>) {
        let mut data = Dataset::new(FeatureId::all().take(5).collect());
        let mut random = Random::new(9);
        let labels: Vec<u16> = (0..400).map(|row| row % 4 / 2).collect();
        for (row, &label) in labels.iter().enumerate() {
            let noise = (random.unit() * 1e6).floor();
            let flag = if row % 50 == 7 { f64::NAN } else { 1.0 };
            let label = f64::from(label);
            data.push(&[noise, label * 9.0, 5.0, flag, 1.0 - label], "0", "a");
        }
        (data, labels)
    }

    fn of(by: Measure, count: Option<usize>, threshold: f64) -> Result<(Selection, Vec<usize>), SelectError> {
        let (data, labels) = data();
        let fold = Fold::whole(400);
        let chosen = fold.training().filter(|row| row < 300);
        let rows = Rows { data: &data, labels: &labels, chosen: &chosen };
        select(&rows, 2, &SelectSpec { by, count, threshold }, 50_000, 1)
    }

    #[test]
    fn informative_columns_come_first_and_equal_ones_in_their_order() {
        let (found, kept) = of(Measure::MutualInformation, Some(2), 0.0).expect("some are left");
        assert_eq!((kept, found.flows), (vec![1, 4], 300));
        let best = &found.ranking[0];
        assert!((best.value - 2.0_f64.ln()).abs() < 1e-12 && best.kept && best.column == "Total Fwd Packet");
        assert!(!found.ranking[2].kept && found.ranking[4].value == 0.0, "{:?}", found.ranking);
        let (_, kept) = of(Measure::TreeImportance, Some(2), 0.0).expect("some are left");
        assert!(kept.contains(&1) && kept.contains(&4), "{kept:?}");
    }

    #[test]
    fn variance_is_that_of_quantiles_and_leaves_constants_out() {
        let (found, kept) = of(Measure::Variance, None, 0.0).expect("some are left");
        // Of two values as often: a quarter. Evenly spread noise: a twelfth. Then the flag; the constant is left out.
        assert_eq!(kept, [1, 4, 0, 3]);
        let values: Vec<f64> = found.ranking.iter().map(|ranked| ranked.value).collect();
        assert!((values[0] - 0.25).abs() < 1e-12 && (values[2] - 1.0 / 12.0).abs() < 1e-2, "{values:?}");
        assert!((values[3] - 0.02 * 0.98).abs() < 1e-12 && values[4] == 0.0, "{values:?}");
        assert_eq!(of(Measure::Variance, None, 0.2).expect("two are left").1, [1, 4]);
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        assert_eq!(of(Measure::Variance, Some(0), 0.0), Err(SelectError::NoCount));
        assert_eq!(of(Measure::Variance, None, -1.0), Err(SelectError::Threshold(-1.0)));
        assert!(matches!(of(Measure::Variance, None, f64::NAN), Err(SelectError::Threshold(_))));
        let error = of(Measure::Variance, None, 0.3).expect_err("nothing is left").to_string();
        assert!(error.contains("variance above 0.3") && error.contains("0.25"), "{error}");
    }

    #[test]
    fn a_specification_reads_as_a_file_would_have_it() {
        let read = |text: &str| serde_json::from_str::<SelectSpec>(text);
        let spec = read(r#"{"by": "mutual-information", "count": 8}"#).expect("a specification");
        assert_eq!(spec, SelectSpec { by: Measure::MutualInformation, count: Some(8), threshold: 0.0 });
        assert_eq!(
            serde_json::to_string(&spec).expect("text"),
            r#"{"by":"mutual-information","count":8,"threshold":0.0}"#
        );
        assert!(read(r#"{"by": "variance", "cuont": 8}"#).is_err());
    }
}
