//! One thread's way to ask a model: the engine with its indexes, and scratch memory that is used again for each flow.

use super::engine::Ask;
use super::memo::{Known, Memo};
use super::novelty::{TELLING, telling};
use super::{LabelId, Model, Telling, Verdict};
use crate::features::FeatureVector;

/// Classifies flows by one model. Each thread has its own.
pub struct Classifier<'m> {
    model: &'m Model,
    engine: Box<dyn Ask + 'm>,
    memo: Memo,
    scratch: Scratch,
    non_finite: u64,
}

/// Memory that would otherwise be allocated for each flow.
#[derive(Default)]
struct Scratch {
    row: Vec<f64>,
    point: Vec<f32>,
    votes: Vec<f32>,
}

impl<'m> Classifier<'m> {
    /// Opens the model's engine.
    pub(super) fn new(model: &'m Model) -> Self {
        Self {
            model,
            engine: model.engine.asker(&model.reference),
            memo: Memo::new(model.features().len()),
            scratch: Scratch { votes: vec![0.0; model.labels().len()], ..Scratch::default() },
            non_finite: 0,
        }
    }

    /// The model that is asked.
    #[must_use]
    pub const fn model(&self) -> &'m Model {
        self.model
    }

    /// What the model says of a flow. Undefined values count as the transform's fill, in whichever profile.
    pub fn classify(&mut self, flow: &FeatureVector) -> Verdict {
        let mut row = std::mem::take(&mut self.scratch.row);
        self.select(flow, &mut row);
        let verdict = self.classify_row(&row);
        self.scratch.row = row;
        verdict
    }

    /// What the model says of a row of values in its own feature order. A row of a moment ago is not searched for again.
    pub fn classify_row(&mut self, row: &[f64]) -> Verdict {
        let known = self.memo.get(row).unwrap_or_else(|place| {
            let known = self.judge(row);
            if let Some(place) = place {
                self.memo.put(place, row, known);
            }
            known
        });
        self.non_finite += u64::from(known.non_finite);
        known.verdict
    }

    /// The verdict on a row and, in the order of [`Model::labels`], every label's share of the vote; the verdict's score is the
    /// greatest of them. All are 0 where nothing votes. What a share is depends on the engine: the nearest points' weights (those of
    /// the unknown left out), a leaf's training rows, the mean of such leaves, or the training rows' own shares. Searches anew each
    /// time: evaluation and the prediction service ask, the packet path does not.
    pub fn scores_row(&mut self, row: &[f64], shares: &mut Vec<f64>) -> Verdict {
        let known = self.judge(row);
        self.non_finite += u64::from(known.non_finite);
        let votes = &self.scratch.votes;
        let total: f64 = votes.iter().copied().map(f64::from).sum();
        shares.clear();
        shares.extend(votes.iter().map(|&vote| if total > 0.0 { f64::from(vote) / total } else { 0.0 }));
        known.verdict
    }

    /// The verdict on a row that is not known.
    fn judge(&mut self, row: &[f64]) -> Known {
        let Self { model, engine, scratch, .. } = self;
        let non_finite = model.transform.apply(row, &mut scratch.point);
        let opinion = engine.ask(&scratch.point, &mut scratch.votes);
        let (label, score) = opinion.label.unwrap_or((model.benign_label, 0.0));
        let novelty = opinion.benign.map_or(0.0, |benign| benign.distance);
        let attack = attack_share(&scratch.votes, model.benign_label, opinion.unknown);
        let verdict = Verdict { label, score, attack, novelty, novel: novelty > model.novelty_threshold() };
        Known { verdict, non_finite, benign: opinion.benign.map(|benign| benign.row) }
    }

    /// The features that tell a flow most from the nearest benign point, greatest first.
    pub fn explain(&mut self, flow: &FeatureVector) -> [Option<Telling>; TELLING] {
        let mut row = std::mem::take(&mut self.scratch.row);
        self.select(flow, &mut row);
        let told = self.explain_row(&row);
        self.scratch.row = row;
        told
    }

    /// The same for a row of values in the model's feature order.
    pub fn explain_row(&mut self, row: &[f64]) -> [Option<Telling>; TELLING] {
        // Nearly always the flow's verdict was given a moment ago.
        let Known { benign, .. } = self.memo.find(row).unwrap_or_else(|_| self.judge(row));
        let Self { model, scratch, .. } = self;
        model.transform.apply(row, &mut scratch.point);
        let point = benign.and_then(|row| model.reference.point(row));
        match point.as_ref().and_then(|point| point.as_slice()) {
            Some(benign) => {
                let space = (&model.transform, model.reference.metric());
                telling(space, model.features(), row, &scratch.point, benign)
            }
            None => [None; TELLING],
        }
    }

    /// How many values were not finite, and so counted as the transform's fill, since this classifier was made. A `cic` vector has such values
    /// where a `standard` one has undefined 0s.
    #[must_use]
    pub const fn non_finite(&self) -> u64 {
        self.non_finite
    }

    /// How many flows had the features of a flow of a moment ago, and so its verdict without a search.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.memo.repeated()
    }

    /// The model's columns of a flow.
    fn select(&self, flow: &FeatureVector, row: &mut Vec<f64>) {
        row.clear();
        let value = |(&id, &fill)| if flow.is_undefined(id) { fill } else { flow.get(id) };
        row.extend(self.model.features().iter().zip(self.model.transform.fill()).map(value));
    }
}

/// The share of votes that are for attacks, those for the unknown counted; 0 without votes.
fn attack_share(votes: &[f32], benign: LabelId, unknown: f32) -> f32 {
    let known: f32 = votes.iter().sum();
    let quiet = votes.get(usize::from(benign.0)).copied().unwrap_or(0.0);
    if known > 0.0 { ((known - quiet) / (known + unknown)).clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{FEATURE_COUNT, FeatureId};
    use crate::model::parts::tests::example;
    use proptest::prelude::*;

    fn vector(values: &[(&str, f64)]) -> FeatureVector {
        let mut vector = FeatureVector { values: [0.0; FEATURE_COUNT], undefined: 0 };
        for (name, value) in values {
            vector.values[FeatureId::named(name).expect("a column").index()] = *value;
        }
        vector
    }

    #[test]
    fn a_flow_takes_the_label_of_the_points_around_it() {
        let model = Model::from_parts(&example()).expect("a valid model");
        let mut classifier = model.classifier();
        let near_benign = classifier.classify_row(&[0.0, 0.0]);
        assert_eq!(model.label_name(near_benign.label), "benign");
        assert!(!near_benign.novel);
        let near_recon = classifier.classify_row(&[10.0, 100.0]);
        assert_eq!((model.label_name(near_recon.label), near_recon.score), ("recon", 1.0));
        assert!(near_recon.novel && near_recon.novelty > 1.0);
        let beyond = classifier.classify_row(&[11.0, 100.0]);
        assert!(beyond.novelty > near_recon.novelty, "a value beyond the maximum is farther");
    }

    #[test]
    fn a_vector_and_its_row_get_the_same_verdict_and_undefined_is_zero() {
        let model = Model::from_parts(&example()).expect("a valid model");
        let mut classifier = model.classifier();
        let standard = FeatureVector {
            undefined: 1 << FeatureId::named("Flow Bytes/s").expect("a column").index(),
            ..vector(&[("FIN Flag Count", 4.0), ("Flow Bytes/s", 7.0)])
        };
        let verdict = classifier.classify(&standard);
        assert_eq!((verdict, classifier.non_finite()), (classifier.classify_row(&[4.0, 0.0]), 0));
        for text in [f64::INFINITY, f64::NAN] {
            let cic = vector(&[("FIN Flag Count", 4.0), ("Flow Bytes/s", text)]);
            assert_eq!(classifier.classify(&cic), verdict);
        }
        assert_eq!(classifier.non_finite(), 2);
    }

    proptest! {
        #[test]
        fn shares_add_up_to_one_and_the_greatest_is_the_verdicts(
            row in proptest::collection::vec(prop_oneof![4 => 0.0..2000.0f64, 2 => Just(0.0), 1 => any::<f64>()], 13),
        ) {
            let model = Model::embedded().expect("the default model");
            let mut shares = vec![9.0];
            let verdict = model.classifier().scores_row(&row, &mut shares);
            prop_assert_eq!(verdict, model.classifier().classify_row(&row));
            prop_assert_eq!(shares.len(), model.labels().len());
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            prop_assert!((shares[usize::from(verdict.label.0)] - f64::from(verdict.score)).abs() < 1e-6);
            let benign = model.label_named("benign").expect("a label");
            prop_assert!(f64::from(verdict.attack) <= 1.0 - shares[usize::from(benign.0)] + 1e-6, "the unknown votes for no attack");
            prop_assert!(shares.iter().all(|&share| share <= f64::from(verdict.score) + 1e-6));
        }

        /// Rows that repeat, among them such that are not finite, beyond every maximum and training values.
        #[test]
        fn a_repeated_row_gets_the_verdict_of_a_new_one(
            rows in proptest::collection::vec(proptest::collection::vec(
                prop_oneof![4 => 0.0..2000.0f64, 3 => Just(0.0), 1 => Just(-0.0), 1 => Just(f64::NAN), 1 => any::<f64>()], 13), 1..40),
            order in proptest::collection::vec(any::<proptest::sample::Index>(), 60),
        ) {
            let model = Model::embedded().expect("the default model");
            let mut classifier = model.classifier();
            let mut anew = model.classifier();
            let mut non_finite = 0;
            for row in order.iter().map(|index| index.get(&rows)) {
                let known = anew.judge(row);
                prop_assert_eq!(classifier.classify_row(row), known.verdict);
                non_finite += u64::from(known.non_finite);
            }
            prop_assert_eq!(classifier.non_finite(), non_finite, "repeated flows count too");
            prop_assert!(classifier.repeated() + 40 >= 60 && anew.repeated() == 0);
        }
    }

    #[test]
    fn the_shares_of_an_explanation_add_up_to_the_novelty() {
        let model = Model::from_parts(&example()).expect("a valid model");
        let mut classifier = model.classifier();
        let flow = vector(&[("FIN Flag Count", 12.0), ("Flow Bytes/s", 70.0)]);
        let novelty = classifier.classify(&flow).novelty;
        let told: Vec<_> = classifier.explain(&flow).into_iter().flatten().collect();
        assert_eq!(told.first().map(|t| (t.feature.to_string(), t.value)), Some(("FIN Flag Count".to_owned(), 12.0)));
        let squares: f32 = told.iter().map(|t| t.distance * t.distance).sum();
        assert!((squares.sqrt() - novelty).abs() < 1e-6, "{squares} {novelty}");
    }
}
