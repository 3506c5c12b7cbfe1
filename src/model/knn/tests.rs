//! The engines against brute force, and against each other.

use ndarray::Array2;
use proptest::prelude::*;
use pulp::Arch;

use super::scan::Scan;
use super::*;

/// A matrix of points with their labels; label 0 is benign.
struct Data {
    all: Array2<f32>,
    benign: Array2<f32>,
    labels: Vec<LabelId>,
}

impl Data {
    fn new(rows: &[Vec<f32>], labels: &[u16]) -> Self {
        let columns = rows[0].len();
        let labels: Vec<_> = labels.iter().take(rows.len()).copied().map(LabelId).collect();
        let matrix =
            |rows: Vec<f32>| Array2::from_shape_vec((rows.len() / columns, columns), rows).expect("rectangular");
        let benign = rows.iter().zip(&labels).filter(|(_, label)| label.0 == 0).flat_map(|(row, _)| row.clone());
        Self { all: matrix(rows.concat()), benign: matrix(benign.collect()), labels }
    }

    fn points(&self) -> Points<'_> {
        self.points_by(Metric::L2)
    }

    fn points_by(&self, metric: Metric) -> Points<'_> {
        Points { all: &self.all, labels: &self.labels, benign: &self.benign, benign_label: LabelId(0), metric }
    }

    fn brute_force(&self, query: &[f32], k: usize) -> Answer {
        self.brute_force_by(Metric::L2, query, k)
    }

    fn brute_force_by(&self, metric: Metric, query: &[f32], k: usize) -> Answer {
        let neighbour = |(row, point): (usize, ndarray::ArrayView1<'_, f32>)| Neighbour {
            row,
            label: self.labels[row],
            reduced: metric.reduced(point.as_slice().expect("contiguous"), query),
        };
        let mut all: Vec<_> = self.all.rows().into_iter().enumerate().map(neighbour).collect();
        all.sort_by(|a, b| {
            a.reduced.partial_cmp(&b.reduced).expect("finite").then(a.label.cmp(&b.label)).then(a.row.cmp(&b.row))
        });
        let benign = all.iter().find(|neighbour| neighbour.label.0 == 0).copied();
        all.truncate(k);
        (all, benign)
    }
}

/// The nearest points and the nearest benign one.
type Answer = (Vec<Neighbour>, Option<Neighbour>);

/// Every set of vector instructions that this machine has.
fn instructions() -> Vec<Arch> {
    let mut all = vec![Arch::Scalar, Arch::new()];
    #[cfg(target_arch = "x86_64")]
    all.extend(pulp::x86::V3::try_new().map(Arch::V3));
    all
}

/// The answers of all engines, by name.
fn answers(data: &Data, query: &[f32], k: usize) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    let mut found = Vec::new();
    for instructions in instructions() {
        let mut scan = Scan::new(data.points().all, &data.labels, LabelId(0)).expect("columns");
        scan.use_instructions(instructions);
        let benign = scan.search(query, k, usize::MAX, &mut found).expect("no budget");
        answers.push((format!("scan, {instructions:?}"), (found.clone(), benign)));
        let mut dense = Dense::new(data.points()).expect("columns");
        dense.use_instructions(instructions);
        let benign = dense.search(query, k, &mut found);
        answers.push((format!("dense, {instructions:?}"), (found.clone(), benign)));
    }
    let benign = Tree::new(data.points()).expect("columns").search(query, k, &mut found);
    answers.push(("tree".to_owned(), (found.clone(), benign)));
    let benign = Neighbours::new(data.points()).expect("columns").search(query, k, &mut found);
    answers.push(("both".to_owned(), (found, benign)));
    answers
}

/// The answers by the sum of absolute differences.
fn absolute_answers(data: &Data, query: &[f32], k: usize) -> Vec<(String, Answer)> {
    let mut answers = Vec::new();
    let mut found = Vec::new();
    for instructions in instructions() {
        let mut dense = Dense::new(data.points_by(Metric::L1)).expect("columns");
        dense.use_instructions(instructions);
        let benign = dense.search(query, k, &mut found);
        answers.push((format!("dense, L1, {instructions:?}"), (found.clone(), benign)));
    }
    let benign = Linear::new(data.points_by(Metric::L1)).search(query, k, &mut found);
    answers.push(("linear".to_owned(), (found.clone(), benign)));
    let benign = Neighbours::new(data.points_by(Metric::L1)).expect("columns").search(query, k, &mut found);
    answers.push(("either, L1".to_owned(), (found, benign)));
    answers
}

/// How a column of points looks: a coarse grid makes duplicates and equal distances common, and a flag is mostly 0.
#[derive(Clone, Debug)]
enum Column {
    Grid,
    Smooth,
    Narrow,
    Flag,
    Constant(f32),
}

impl Column {
    /// A coordinate for a number from 0 to 1.
    fn coordinate(&self, x: f32) -> f32 {
        match self {
            Self::Grid => (x * 3.0).round() / 3.0,
            Self::Smooth => x,
            Self::Narrow => 0.5 + x / 1000.0,
            Self::Flag => f32::from(x > 0.9),
            Self::Constant(x) => *x,
        }
    }
}

fn column() -> impl Strategy<Value = Column> {
    prop_oneof![
        3 => Just(Column::Grid),
        3 => Just(Column::Smooth),
        1 => Just(Column::Narrow),
        1 => Just(Column::Flag),
        2 => prop_oneof![Just(0.0), 0.0..1.0f32].prop_map(Column::Constant),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn all_engines_find_what_brute_force_finds(
        columns in proptest::collection::vec(column(), 1..30),
        rows in proptest::collection::vec(proptest::collection::vec(0.0..1.0f32, 30), 1..300),
        copies in proptest::collection::vec(any::<proptest::sample::Index>(), 0..30),
        // Inside the box of the points, on its edges, and far outside.
        queries in proptest::collection::vec(proptest::collection::vec(
            prop_oneof![4 => 0.0..1.0f32, 1 => Just(0.0), 1 => Just(1.0), 1 => -50.0..50.0f32], 30), 1..4),
        labels in proptest::collection::vec(0u16..4, 330),
        no_benign in proptest::bool::weighted(0.1),
        k in prop_oneof![1usize..8, Just(64), Just(500)],
    ) {
        let row = |row: &Vec<f32>| columns.iter().zip(row).map(|(column, &x)| column.coordinate(x)).collect::<Vec<_>>();
        let mut rows: Vec<Vec<f32>> = rows.iter().map(row).collect();
        rows.extend(copies.iter().map(|copy| copy.get(&rows).clone()).collect::<Vec<_>>());
        let labels: Vec<u16> = labels.iter().map(|label| (*label).max(u16::from(no_benign))).collect();
        let data = Data::new(&rows, &labels);
        let near = rows.iter().take(2).map(|row| row.iter().map(|x| x + 1e-4).collect());
        let queries = queries.iter().map(|query| query[..columns.len()].to_vec());
        for query in queries.chain(near).chain(rows.iter().take(2).cloned()) {
            let expected = data.brute_force(&query, k);
            for (engine, answer) in answers(&data, &query, k) {
                prop_assert_eq!(&answer, &expected, "{}", engine);
            }
            let expected = data.brute_force_by(Metric::L1, &query, k);
            for (engine, answer) in absolute_answers(&data, &query, k) {
                prop_assert_eq!(&answer, &expected, "{}", engine);
            }
        }
    }
}

/// Numbers from 0 to 1 that are the same each time.
fn random() -> impl FnMut() -> f32 {
    let mut state = 1_u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from((state >> 48) as u16) / 65_536.0
    }
}

#[test]
fn many_blocks_and_groups_of_blocks_hide_nothing() {
    let mut random = random();
    let centres: Vec<Vec<f32>> = (0..20).map(|_| (0..6).map(|_| random()).collect()).collect();
    let rows: Vec<Vec<f32>> =
        (0..9000).map(|row| centres[row % 20].iter().map(|x| x + random() / 20.0).collect()).collect();
    let labels: Vec<u16> = (0..9000).map(|row| row % 20 / 5).collect();
    let data = Data::new(&rows, &labels);
    for near in rows.iter().step_by(180) {
        let far: Vec<f32> = (0..6).map(|_| random()).collect();
        let near = near.iter().map(|x| x + random() / 500.0).collect();
        for query in [far, near] {
            let expected = data.brute_force(&query, 5);
            for (engine, answer) in answers(&data, &query, 5) {
                assert_eq!(answer, expected, "{engine}");
            }
        }
    }
}

#[test]
fn crowded_points_of_few_columns_go_to_the_tree_and_others_do_not() {
    let mut random = random();
    let crowded: Vec<Vec<f32>> = (0..30_000).map(|row| vec![if row == 0 { 1.0 } else { random() / 100.0 }]).collect();
    let of_many_columns: Vec<Vec<f32>> = crowded.iter().map(|row| row.repeat(5)).collect();
    let spread: Vec<Vec<f32>> = (0..30_000).map(|_| vec![random(), random(), random()]).collect();
    let labels = [0, 1].repeat(15_000);
    for (rows, is_crowded) in [(crowded, true), (of_many_columns, false), (spread, false)] {
        let data = Data::new(&rows, &labels);
        let mut neighbours = Neighbours::new(data.points()).expect("columns");
        assert_eq!(matches!(&neighbours.large, Large::Euclidean { tree: Some(_), .. }), is_crowded);
        let mut found = Vec::new();
        for query in rows.iter().step_by(3001) {
            let benign = neighbours.search(query, 5, &mut found);
            assert_eq!((found.clone(), benign), data.brute_force(query, 5));
        }
    }
}

#[test]
fn many_identical_rows_neither_crash_nor_hide_the_others() {
    let mut rows = vec![vec![0.5_f32; 4]; 20_000];
    rows.push(vec![0.25; 4]);
    let data = Data::new(&rows, &vec![0; 20_001]);
    for (engine, (found, benign)) in answers(&data, &[0.25; 4], 3) {
        assert_eq!(found.iter().map(|n| n.row).collect::<Vec<_>>(), [20_000, 0, 1], "{engine}");
        assert_eq!(benign.map(|n| n.row), Some(20_000), "{engine}");
    }
}

#[test]
fn a_query_that_cannot_be_searched_has_no_neighbours() {
    let data = Data::new(&[vec![0.0, 1.0], vec![1.0, 1.0]], &[0, 1]);
    for query in [&[0.0_f32][..], &[f32::NAN, 0.0], &[f32::INFINITY, 0.0]] {
        for (engine, answer) in answers(&data, query, 1).into_iter().chain(absolute_answers(&data, query, 1)) {
            assert_eq!(answer, (vec![], None), "{engine}");
        }
    }
    let (none, labels) = (Array2::zeros((1, 0)), [LabelId(0)]);
    let points = Points { all: &none, labels: &labels, benign: &none, benign_label: LabelId(0), metric: Metric::L2 };
    assert_eq!(Neighbours::new(points).err(), Some(NoIndex::NoCoordinates));
    assert_eq!(Neighbours::new(Points { all: &data.all, ..points }).err(), Some(NoIndex::Rows));
}
