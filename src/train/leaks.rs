//! Looks for what makes figures better than they are: a column that gives the capture away, labels that a fit can guess
//! without them, scores that are too good.
//!
//! A finding is a reason to look, not a proof; each says what was measured and beyond what it counts.

use serde::Serialize;

use super::bins::Bins;
use super::evaluate::Evaluation;
use super::random::Random;
use super::split::Fold;
use super::validate::FoldFigures;
use crate::dataset::Dataset;

/// One test for a leak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeakTest {
    /// Its name: `capture_by_one_column`, `shuffled_labels`, `ceiling`, `identical_rows`.
    pub test: &'static str,
    /// What was measured; `None` where the data does not allow it.
    pub value: Option<f64>,
    /// Beyond this the test counts as failed.
    pub limit: Option<f64>,
    /// Whether it failed.
    pub leak: bool,
    /// The same in words.
    pub text: String,
}

/// The column that best tells benign flows of one capture from those of another, by itself.
///
/// The background of captures of one cluster should look alike; a column that names the capture there (a host's setting, a
/// clock, a counter) does so for attacks as well. Values fall into at most 64 bins between quantiles of the training rows;
/// each bin says the capture that it holds most of, captures counted alike; the value is the mean share of each capture's
/// validation rows that are told right.
pub(super) fn capture_by_one_column(data: &Dataset, benign: impl Fn(usize) -> bool, folds: &[Fold]) -> LeakTest {
    let (mut training, mut validation) = (Vec::new(), Vec::new());
    for fold in folds {
        training.extend(fold.training().rows().iter().copied().filter(|&row| benign(row)));
        validation.extend(fold.validation().rows().iter().copied().filter(|&row| benign(row)));
    }
    let captures = captures_with(data, &[&training, &validation]);
    let test = "capture_by_one_column";
    if captures.len() < 2 {
        let text =
            format!("fewer than two captures have {LEAST_ROWS} benign flows to fit and to measure on: not tested");
        return LeakTest { test, value: None, limit: None, leak: false, text };
    }
    let chance = 1.0 / captures.len() as f64;
    let limit = f64::midpoint(chance, 1.0);
    let told =
        (0..data.features().len()).map(|column| (told_by(data, column, &captures, &training, &validation), column));
    let (value, column) = told.max_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap_or((0.0, 0));
    let name = data.features().get(column).map_or("", |id| id.feature().column);
    let text = format!(
        "`{name}` alone tells {:.0} % of benign flows' captures (of {}; {:.0} % would be by chance)",
        value * 100.0,
        captures.len(),
        chance * 100.0
    );
    LeakTest { test, value: Some(value), limit: Some(limit), leak: value > limit, text }
}

/// Captures with enough rows in each part.
fn captures_with(data: &Dataset, parts: &[&[usize]]) -> Vec<u32> {
    let ids = data.scenarios().ids();
    let count = |part: &[usize], capture| part.iter().filter(|&&row| ids[row] == capture).count();
    let all = (0..).take(data.scenarios().distinct().len());
    all.filter(|&capture| parts.iter().all(|part| count(part, capture) >= LEAST_ROWS)).collect()
}

fn told_by(data: &Dataset, column: usize, captures: &[u32], training: &[usize], validation: &[usize]) -> f64 {
    let ids = data.scenarios().ids();
    let value = |row: usize| Some(data.row(row)[column]).filter(|x| x.is_finite()).unwrap_or(0.0);
    let place = |row: usize| captures.iter().position(|&capture| capture == ids[row]);
    let bins = Bins::of_quantiles(training.iter().map(|&row| value(row)).collect(), BINS);
    let mut sizes = vec![0.0; captures.len()];
    let mut counts = vec![vec![0.0; captures.len()]; bins.count()];
    for (row, place) in training.iter().filter_map(|&row| Some((row, place(row)?))) {
        counts[bins.of(value(row))][place] += 1.0;
        sizes[place] += 1.0;
    }
    let says = |counts: &Vec<f64>| {
        let shares = counts.iter().zip(&sizes).map(|(count, size)| count / size).enumerate();
        shares.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(place, _)| place)
    };
    let says: Vec<usize> = counts.iter().map(says).collect();
    let (mut right, mut all) = (vec![0.0; captures.len()], vec![0.0; captures.len()]);
    for (row, place) in validation.iter().filter_map(|&row| Some((row, place(row)?))) {
        all[place] += 1.0;
        right[place] += f64::from(u8::from(says[bins.of(value(row))] == place));
    }
    right.iter().zip(&all).map(|(right, all)| right / all).sum::<f64>() / captures.len() as f64
}

/// Labels in an order that means nothing.
pub(super) fn shuffled(labels: &[u16], rows: &[usize], seed: u64) -> Vec<u16> {
    let mut chosen: Vec<u16> = rows.iter().map(|&row| labels[row]).collect();
    Random::new(seed ^ SHUFFLE).shuffle(&mut chosen);
    let mut shuffled = labels.to_vec();
    rows.iter().zip(chosen).for_each(|(&row, label)| shuffled[row] = label);
    shuffled
}

/// What fits on shuffled labels score beside what the shares of labels give by chance.
///
/// A tight cluster gets one label as a whole, by luck the right one; a leak shows in every shuffle, so the one that scores least
/// above its chance counts.
pub(super) fn shuffled_labels(found: &[Evaluation]) -> LeakTest {
    let test = "shuffled_labels";
    let scores = found.iter().filter_map(|found| Some((found.macro_f1?, chance(found))));
    let Some((value, chance)) = scores.min_by(|(a, by), (b, than)| (a - by).total_cmp(&(b - than))) else {
        return LeakTest { test, value: None, limit: None, leak: false, text: "no flows to measure on".to_owned() };
    };
    let limit = chance + MARGIN;
    let text = format!("a fit on shuffled labels scores macro-F1 {value:.3}, where {chance:.3} would be chance");
    LeakTest { test, value: Some(value), limit: Some(limit), leak: value > limit, text }
}

/// Macro-F1 of saying each class as often as it was said, of whichever flows: precision is then the class's share of the
/// flows, recall its share of what was said.
fn chance(found: &Evaluation) -> f64 {
    let flows = found.flows as f64;
    let of_class = |class: &super::ClassFigures| {
        let (p, q) = (class.support as f64 / flows, class.predicted as f64 / flows);
        if p + q > 0.0 { 2.0 * p * q / (p + q) } else { 0.0 }
    };
    found.per_class.values().map(of_class).sum::<f64>() / found.per_class.len() as f64
}

/// Whether a score is better than such data gives honestly.
pub(super) fn ceiling(data: &Dataset, found: &Evaluation) -> LeakTest {
    let by_capture = labels_name_captures(data);
    let limit = if by_capture { CAPTURE_CEILING } else { CEILING };
    let value = found.macro_f1;
    let reason = if by_capture { ": the labels are one a capture, and background is in all" } else { "" };
    let text = match value {
        Some(value) => format!("macro-F1 {value:.3}, where more than {limit} would be too good{reason}"),
        None => "no flows to measure on".to_owned(),
    };
    LeakTest { test: "ceiling", value, limit: Some(limit), leak: value.is_some_and(|value| value > limit), text }
}

/// Whether each capture has one label, each another: then labels tell where a flow was seen, not what it did.
fn labels_name_captures(data: &Dataset) -> bool {
    let pairs: std::collections::BTreeSet<_> = data.labels().ids().iter().zip(data.scenarios().ids()).collect();
    let captures = data.scenarios().distinct().len();
    captures > 2 && pairs.len() == captures && data.labels().distinct().len() == captures
}

/// Rows of the validation part that are the same as a training row.
pub(super) fn identical_rows(folds: &[FoldFigures]) -> LeakTest {
    let left_out: usize = folds.iter().map(|fold| fold.repeated_flows).sum();
    let all = left_out + folds.iter().map(|fold| fold.validation_flows).sum::<usize>();
    let text = format!("{left_out} of {all} validation flows repeat a training flow: they were left out");
    let value = if all == 0 { None } else { Some(left_out as f64 / all as f64) };
    LeakTest { test: "identical_rows", value, limit: None, leak: false, text }
}

/// Lines for people: the tests that failed, which belong on top of a report, or the others.
#[must_use]
pub fn text(tests: &[LeakTest], failed: bool) -> String {
    let mark = if failed { "LEAK?     " } else { "guard     " };
    tests.iter().filter(|test| test.leak == failed).map(|test| format!("{mark}{}\n", test.text)).collect()
}

/// Rows of a capture in each part, at least, to say how well it is told.
const LEAST_ROWS: usize = 20;
/// Bins of a column.
const BINS: usize = 64;
/// The seed's stream for shuffling.
const SHUFFLE: u64 = 0x7368_7566_666c_6500;
/// Small classes move macro-F1 by about a tenth.
const MARGIN: f64 = 0.15;
/// Real flows of different classes overlap; a model that is never wrong has seen its test.
const CEILING: f64 = 0.995;
/// Honest figures on such labels were .22 to .35 on the Kubernetes misuse data set.
const CAPTURE_CEILING: f64 = 0.60;
/// Rows that are fitted with shuffled labels, of all folds together: enough to tell chance from a leak.
pub(super) const SHUFFLED_ROWS: usize = 5_000;
/// Of each of many folds at least so many.
pub(super) const LEAST_SHUFFLED_ROWS: usize = 500;
/// How often labels are shuffled.
pub(super) const SHUFFLES: u64 = 3;

#[cfg(test)]
mod tests {
    use super::super::{Pipeline, Recipe, View, default_features, train};
    use super::*;

    /// Three captures of 200 flows, benign but for one in four of the second and third, all drawn alike; `column_0` is the
    /// first column's value by capture and number.
    fn data(column_0: impl Fn(usize, usize) -> f64, label: impl Fn(usize, usize) -> &'static str) -> Dataset {
        let mut data = Dataset::new(default_features());
        let mut random = Random::new(7);
        for capture in 0..3 {
            for flow in 0..200 {
                let label = label(capture, flow);
                let base = if flow % 4 == 3 { capture as f64 * 1000.0 } else { 0.0 };
                let mut row: Vec<f64> = (0..13).map(|_| base + (random.unit() * 100.0).floor()).collect();
                row[0] = column_0(capture, flow);
                data.push(&row, label, ["a", "b", "c"][capture]);
            }
        }
        data
    }

    fn by_flow(capture: usize, flow: usize) -> &'static str {
        if capture > 0 && flow % 4 == 3 { ["0", "2", "6"][capture] } else { "0" }
    }

    fn tests_of(data: &Dataset, view: View) -> Vec<LeakTest> {
        let recipe = Recipe { pipeline: Pipeline { view, ..Pipeline::default() }, ..Recipe::default() };
        train(data, &recipe).expect("a model").1.leaks
    }

    fn test<'t>(tests: &'t [LeakTest], name: &str) -> &'t LeakTest {
        tests.iter().find(|test| test.test == name).expect("the test was run")
    }

    #[test]
    fn a_column_that_names_the_capture_is_found_and_others_are_not() {
        let clean = tests_of(&data(|_, flow| (flow * 7 % 50) as f64, by_flow), View::Stages);
        assert!(!test(&clean, "capture_by_one_column").leak, "{clean:?}");
        assert!(!test(&clean, "shuffled_labels").leak, "{clean:?}");
        assert!(text(&clean, true).lines().all(|line| line.contains("macro-F1 1.000")), "{clean:?}");
        let leaking = tests_of(&data(|capture, flow| capture as f64 * 10.0 + (flow % 3) as f64, by_flow), View::Stages);
        let found = test(&leaking, "capture_by_one_column");
        assert!(found.leak && found.text.contains("`Fwd Packet Length Std` alone tells 100 %"), "{found:?}");
        assert!(text(&leaking, true).starts_with("LEAK?     `Fwd Packet Length Std`"));
    }

    #[test]
    fn labels_that_name_the_capture_have_a_ceiling_of_their_own() {
        let by_capture = |capture: usize, _: usize| ["0", "2", "6"][capture];
        let tests =
            tests_of(&data(|capture, flow| capture as f64 * 10.0 + (flow % 3) as f64, by_capture), View::Labels);
        let ceiling = test(&tests, "ceiling");
        assert!(ceiling.leak && ceiling.limit == Some(CAPTURE_CEILING), "{ceiling:?}");
        assert_eq!(test(&tests, "capture_by_one_column").value, None, "benign flows are in one capture only");
    }

    #[test]
    fn shuffling_keeps_the_counts_and_the_other_rows() {
        let labels: Vec<u16> = (0..100).map(|row| u16::from(row % 5 == 0)).collect();
        let rows: Vec<usize> = (0..50).collect();
        let mixed = shuffled(&labels, &rows, 1);
        assert_ne!(mixed[..50], labels[..50]);
        assert_eq!(mixed[50..], labels[50..]);
        let count = |labels: &[u16]| labels.iter().filter(|label| **label == 1).count();
        assert_eq!(count(&mixed), count(&labels));
    }
}
