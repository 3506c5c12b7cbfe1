//! What holds for every kind of split, and what each kind is for.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::features::FeatureId;

/// A flow: capture, value, label, group.
type Row = (usize, u8, u16, usize);

fn dataset(rows: &[Row]) -> (Dataset, Vec<u16>) {
    let mut data = Dataset::new(FeatureId::all().take(1).collect());
    for (capture, value, label, group) in rows {
        data.push(&[f64::from(*value)], &label.to_string(), &format!("capture {capture}"));
        data.put_in_group(&format!("group {group}"));
    }
    (data, rows.iter().map(|row| row.2).collect())
}

fn names() -> Vec<String> {
    ["benign", "recon", "exploit"].map(str::to_owned).to_vec()
}

fn spec(kind: SplitKind, folds: Option<usize>) -> SplitSpec {
    let group_column = (kind == SplitKind::Group).then(|| "Group".to_owned());
    SplitSpec { kind, folds, holdout: None, group_column }
}

/// Every kind, as one part held back and as folds.
fn specs() -> Vec<SplitSpec> {
    use SplitKind::{Group, Random, Scenario, Stratified, Time};
    let mut specs = vec![spec(Scenario, None)];
    for kind in [Time, Random, Stratified, Group] {
        specs.extend([None, Some(2), Some(5)].map(|folds| spec(kind, folds)));
        specs.push(SplitSpec { holdout: Some(0.4), ..spec(kind, None) });
    }
    specs
}

fn split(spec: &SplitSpec, rows: &[Row], seed: u64) -> Result<Split, SplitError> {
    let (data, labels) = dataset(rows);
    spec.split(&data, &labels, &names(), seed)
}

fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::vec((0usize..4, 0u8..40, 0u16..3, 0usize..6), 0..120)
}

proptest! {
    #[test]
    fn no_row_is_on_both_sides_by_number_or_by_value_and_all_are_accounted_for(rows in any_rows(), seed: u64) {
        for spec in specs() {
            let Ok(found) = split(&spec, &rows, seed) else { continue };
            let mut held_back = BTreeSet::new();
            for fold in &found.folds {
                let (training, validation) = (fold.training(), fold.validation());
                let mut all = [training.rows(), validation.rows(), fold.left_out()].concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..rows.len()).collect::<Vec<_>>(), "{:?}", &spec);
                let values: BTreeSet<u8> = training.rows().iter().map(|&row| rows[row].1).collect();
                prop_assert!(validation.rows().iter().all(|&row| !values.contains(&rows[row].1)), "{:?}", &spec);
                prop_assert!(fold.left_out().iter().all(|&row| values.contains(&rows[row].1)), "{:?}", &spec);
                for row in validation.rows().iter().chain(fold.left_out()) {
                    prop_assert!(held_back.insert(*row), "{:?} holds row {row} back twice", &spec);
                }
            }
            let in_turn = spec.folds.is_some() || spec.kind == SplitKind::Scenario;
            prop_assert!(!in_turn || held_back.len() == rows.len(), "{:?} forgets a row", &spec);
            prop_assert_eq!(&found, &split(&spec, &rows, seed).expect("as before"), "the same seed");
        }
    }

    #[test]
    fn identical_rows_go_together_where_lots_are_drawn(rows in any_rows(), seed: u64) {
        for spec in specs().into_iter().filter(|spec| matches!(spec.kind, SplitKind::Random | SplitKind::Stratified)) {
            let Ok(found) = split(&spec, &rows, seed) else { continue };
            prop_assert!(found.folds.iter().all(|fold| fold.left_out().is_empty()), "{:?}", &spec);
        }
    }

    #[test]
    fn a_stratified_split_keeps_each_labels_share(counts in proptest::collection::vec(0usize..80, 3), seed: u64) {
        let labels = (0..).zip(&counts).flat_map(|(label, &count)| std::iter::repeat_n(label, count));
        let rows: Vec<Row> = (0..).zip(labels).map(|(at, label)| (0, at, label, 0)).collect();
        for (spec, share) in
            [(spec(SplitKind::Stratified, None), 0.25), (spec(SplitKind::Stratified, Some(4)), 0.25)]
        {
            let Ok(found) = split(&spec, &rows, seed) else { continue };
            for fold in &found.folds {
                for (label, &count) in (0..).zip(&counts) {
                    let held = fold.validation().rows().iter().filter(|&&row| rows[row].2 == label).count();
                    let wanted = count as f64 * share;
                    prop_assert!((held as f64 - wanted).abs() < 1.0 || count < 2 || (count < 4 && held == 1), "{held} of {count}");
                }
                let all = fold.validation().rows().len() as f64;
                prop_assert!(
                    spec.folds.is_none() || (all - rows.len() as f64 * share).abs() < 1.0,
                    "remainders even out: {} of {}", all, rows.len()
                );
            }
        }
    }

    #[test]
    fn a_group_is_never_divided(rows in any_rows(), seed: u64) {
        for spec in specs().into_iter().filter(|spec| spec.kind == SplitKind::Group) {
            let Ok(found) = split(&spec, &rows, seed) else { continue };
            for fold in &found.folds {
                let trained: BTreeSet<usize> = fold.training().rows().iter().map(|&row| rows[row].3).collect();
                let held = fold.validation().rows().iter().chain(fold.left_out());
                prop_assert!(held.into_iter().all(|&row| !trained.contains(&rows[row].3)), "{:?}", &spec);
                prop_assert!(!trained.is_empty() && trained.len() < 6);
            }
        }
    }

    #[test]
    fn what_is_held_back_by_time_comes_last_or_is_one_block(rows in any_rows()) {
        let found = split(&spec(SplitKind::Time, None), &rows, 1).expect("a split by time needs nothing");
        let fold = &found.folds[0];
        for &row in fold.validation().rows() {
            prop_assert!(!fold.training().rows().iter().any(|&other| other > row && rows[other].0 == rows[row].0));
        }
        for fold in &split(&spec(SplitKind::Time, Some(3)), &rows, 1).expect("the same").folds {
            let mut held: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            let mut order: Vec<usize> = fold.validation().rows().iter().chain(fold.left_out()).copied().collect();
            order.sort_unstable();
            order.iter().for_each(|&row| held.entry(rows[row].0).or_default().push(row));
            for (capture, held) in held {
                let (first, last) = (held[0], held[held.len() - 1]);
                let between = (first..=last).filter(|&row| rows[row].0 == capture).count();
                prop_assert_eq!(between, held.len(), "nothing of the capture lies between");
            }
        }
    }
}

#[test]
fn the_last_quarter_of_each_capture_is_held_back() {
    let captures = [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2];
    let rows: Vec<Row> = captures.into_iter().zip(0..).map(|(capture, value)| (capture, value, 0, 0)).collect();
    let found = split(&spec(SplitKind::Time, None), &rows, 1).expect("a split");
    assert_eq!(found.folds[0].validation().rows(), [3, 10, 11]);
    assert_eq!(found.folds[0].training().rows(), [0, 1, 2, 4, 5, 6, 7, 8, 9, 12]);
    assert_eq!(found.notes, ["`capture 2` has fewer than 4 flows, too few to divide by time: not in every fold"]);
}

#[test]
fn each_capture_is_held_back_once_and_gives_its_fold_a_name() {
    let rows: Vec<Row> = (0..9).map(|at| (at / 3, at as u8, 0, 0)).collect();
    let found = split(&spec(SplitKind::Scenario, None), &rows, 1).expect("a split");
    let folds: Vec<_> = found.folds.iter().map(|fold| (fold.name(), fold.validation().rows())).collect();
    assert_eq!(
        folds,
        [(Some("capture 0"), &[0, 1, 2][..]), (Some("capture 1"), &[3, 4, 5]), (Some("capture 2"), &[6, 7, 8])]
    );
}

#[test]
fn another_seed_draws_other_rows_and_time_draws_none() {
    let rows: Vec<Row> = (0..100).map(|at| (0, at, 0, usize::from(at) % 20)).collect();
    for kind in [SplitKind::Random, SplitKind::Stratified, SplitKind::Group] {
        let of = |seed| split(&spec(kind, None), &rows, seed).expect("a split");
        assert_ne!(of(1), of(2), "{kind:?}");
    }
    let of = |seed| split(&spec(SplitKind::Time, None), &rows, seed).expect("a split");
    assert_eq!(of(1), of(2));
}

#[test]
fn what_is_too_small_is_said() {
    let rows: Vec<Row> = (0..20).map(|at| (0, at, u16::from(at >= 18) * 2, usize::from(at) % 3)).collect();
    let message = |spec: &SplitSpec, rows: &[Row]| split(spec, rows, 1).expect_err("too few").to_string();
    assert_eq!(
        message(&spec(SplitKind::Scenario, None), &rows),
        "a scenario split into 2 parts needs as many captures, and there are 1"
    );
    assert_eq!(
        message(&spec(SplitKind::Group, Some(5)), &rows),
        "a group split into 5 parts needs as many groups, and there are 3"
    );
    let same: Vec<Row> = rows.iter().map(|row| (row.0, 7, row.2, row.3)).collect();
    assert!(message(&spec(SplitKind::Random, None), &same).contains("distinct flows, and there are 1"));
    let found = split(&spec(SplitKind::Stratified, Some(5)), &rows, 1).expect("a split");
    assert_eq!(
        found.notes,
        [
            "`recon` has 0 distinct flows, fewer than the 5 parts of the split: not in every part",
            "`exploit` has 2 distinct flows, fewer than the 5 parts of the split: not in every part",
        ]
    );
    let mut without = Dataset::new(Vec::new());
    without.push(&[], "0", "a");
    assert_eq!(spec(SplitKind::Group, None).split(&without, &[0], &names(), 1), Err(SplitError::NoGroups));
}
