//! What a verdict means: benign, an attack, or something never seen. Thresholds come from the model or the site.

use std::collections::BTreeMap;

use crate::model::{LabelId, Verdict};

/// Judges verdicts of one model.
#[derive(Clone, Debug)]
pub struct AlertPolicy {
    labels: Vec<LabelRule>,
    novel: NovelMode,
}

/// How one label of the model is treated; position is its [`LabelId`].
#[derive(Clone, Debug, PartialEq)]
pub struct LabelRule {
    /// The label.
    pub name: String,
    /// Whether it means nothing is wrong.
    pub benign: bool,
    /// The least share of attack labels that counts, 0 to 1.
    pub threshold: f32,
}

/// What becomes of a flow that is no attack by its label and unlike anything benign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NovelMode {
    /// It is counted. A model that does not know this cluster finds most of it novel.
    #[default]
    Count,
    /// It is an alert, `unknown-novel`, informational.
    Alert,
}

/// What the policy makes of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing to say.
    Benign,
    /// Novel, and only counted.
    Novel,
    /// To be told: an attack of this label, or `None` for `unknown-novel`.
    Predicted(Option<LabelId>),
}

/// A threshold that can never apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The model has no such label.
    #[error("alert.thresholds: the model has no label `{label}`; it has: {known}")]
    UnknownLabel {
        /// What was written.
        label: String,
        /// The labels that there are.
        known: String,
    },
    /// The label raises no alert, so its threshold would do nothing.
    #[error("alert.thresholds: `{label}` is benign and raises no alert; remove its threshold")]
    BenignLabel {
        /// What was written.
        label: String,
    },
}

impl AlertPolicy {
    /// The rules of a model's labels, in the model's order, with a site's own thresholds in place of the model's.
    ///
    /// # Errors
    /// A threshold for a label that the model has not, or that is benign.
    pub fn new(
        mut labels: Vec<LabelRule>,
        thresholds: &BTreeMap<String, f32>,
        novel: NovelMode,
    ) -> Result<Self, PolicyError> {
        for (label, &threshold) in thresholds {
            let known = || labels.iter().filter(|r| !r.benign).map(|r| r.name.as_str()).collect::<Vec<_>>().join(", ");
            if !labels.iter().any(|rule| rule.name == *label) {
                return Err(PolicyError::UnknownLabel { label: label.clone(), known: known() });
            }
            for rule in labels.iter_mut().filter(|rule| rule.name == *label) {
                if rule.benign {
                    return Err(PolicyError::BenignLabel { label: label.clone() });
                }
                rule.threshold = threshold;
            }
        }
        Ok(Self { labels, novel })
    }

    /// Judges one verdict. A flow whose attack label stays below its threshold is treated as its novelty says.
    #[must_use]
    pub fn judge(&self, verdict: &Verdict) -> Judgement {
        // A label beyond the list cannot come from the model that the list was made from.
        let rule = self.labels.get(usize::from(verdict.label.0));
        if rule.is_some_and(|rule| !rule.benign && verdict.attack >= rule.threshold) {
            return Judgement::Predicted(Some(verdict.label));
        }
        match (verdict.novel, self.novel) {
            (false, _) => Judgement::Benign,
            (true, NovelMode::Count) => Judgement::Novel,
            (true, NovelMode::Alert) => Judgement::Predicted(None),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::alert::tests::verdict;
    use super::*;

    pub(in crate::alert) fn rules() -> Vec<LabelRule> {
        ["benign", "recon", "exploit"]
            .into_iter()
            .map(|name| LabelRule { name: name.to_owned(), benign: name == "benign", threshold: 0.5 })
            .collect()
    }

    #[test]
    fn label_threshold_and_novelty_decide() {
        let thresholds = BTreeMap::from([("exploit".to_owned(), 0.9)]);
        let policy = |novel| AlertPolicy::new(rules(), &thresholds, novel).expect("known labels");
        let attack = |label| Judgement::Predicted(Some(LabelId(label)));
        let (counts, alerts) = (policy(NovelMode::Count), policy(NovelMode::Alert));
        for (verdict, counted, alerted) in [
            (verdict(0, 1.0, false), Judgement::Benign, Judgement::Benign),
            (verdict(0, 1.0, true), Judgement::Novel, Judgement::Predicted(None)),
            (verdict(1, 0.5, false), attack(1), attack(1)),
            (verdict(1, 0.5, true), attack(1), attack(1)),
            (verdict(1, 0.49, false), Judgement::Benign, Judgement::Benign),
            (verdict(2, 0.89, true), Judgement::Novel, Judgement::Predicted(None)),
            (verdict(2, 0.9, false), attack(2), attack(2)),
            (verdict(1, f32::NAN, false), Judgement::Benign, Judgement::Benign),
            (verdict(9, 1.0, false), Judgement::Benign, Judgement::Benign),
        ] {
            assert_eq!((counts.judge(&verdict), alerts.judge(&verdict)), (counted, alerted), "{verdict:?}");
        }
    }

    #[test]
    fn a_threshold_that_cannot_apply_is_an_error() {
        let with = |label: &str| {
            AlertPolicy::new(rules(), &BTreeMap::from([(label.to_owned(), 0.5)]), NovelMode::Count).map(|_| ())
        };
        let unknown = with("recom").expect_err("not a label").to_string();
        assert_eq!(unknown, "alert.thresholds: the model has no label `recom`; it has: recon, exploit");
        assert_eq!(with("benign"), Err(PolicyError::BenignLabel { label: "benign".into() }));
    }
}
