//! How a split is asked for: on the command line, or in a file.

use serde::{Deserialize, Serialize};

/// Which rows are held back to measure on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SplitSpec {
    /// The kind.
    pub kind: SplitKind,
    /// How many folds, each held back in turn; without it one part is held back. In [`SplitKind::Scenario`] each capture is a fold without
    /// it, and whole captures are dealt to so many with it.
    pub folds: Option<usize>,
    /// Share of the rows in the one part, between 0 and 1; [`HOLDOUT`] if neither this nor `folds` is given.
    pub holdout: Option<f64>,
    /// The column whose equal cells keep rows together, in [`SplitKind::Group`].
    pub group_column: Option<String>,
}

/// Kinds of split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitKind {
    /// The last part of each capture, or blocks of each capture's time in turn.
    #[default]
    Time,
    /// Rows by lot.
    Random,
    /// Rows by lot, each label by itself.
    Stratified,
    /// Whole captures: each in turn, or dealt to folds.
    Scenario,
    /// All rows of some groups.
    Group,
}

/// Why there is no split.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// Options that do not go together.
    #[error("{0}")]
    Options(&'static str),
    /// Fewer than two folds, or more than anyone means.
    #[error("{0} folds: from 2 to {MOST_FOLDS} are possible")]
    Folds(usize),
    /// A share that leaves one side empty.
    #[error("{0} of the flows held back: a share between 0 and 1 leaves some for each side")]
    Holdout(f64),
    /// Less than one for each part.
    #[error("a {kind} split into {wanted} parts needs as many {what}, and there are {there}")]
    TooFew {
        /// The kind of split.
        kind: &'static str,
        /// Of what.
        what: &'static str,
        /// How many there are.
        there: usize,
        /// How many are needed.
        wanted: usize,
    },
    /// A split by group of rows that were read without groups.
    #[error("the flows were read without a group column: name one to split by")]
    NoGroups,
}

impl SplitKind {
    /// Its name, as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Random => "random",
            Self::Stratified => "stratified",
            Self::Scenario => "scenario",
            Self::Group => "group",
        }
    }
}

impl SplitSpec {
    /// Whether the options go together, as far as can be told without data.
    ///
    /// # Errors
    /// Says which do not.
    pub fn check(&self) -> Result<(), SplitError> {
        if self.kind == SplitKind::Scenario && self.holdout.is_some() {
            return Err(SplitError::Options("a scenario split holds back every capture in turn: it takes no holdout"));
        }
        if self.folds.is_some() && self.holdout.is_some() {
            return Err(SplitError::Options("folds hold back every flow in turn: give either folds or a holdout"));
        }
        match (self.kind, &self.group_column) {
            (SplitKind::Group, None) => {
                return Err(SplitError::Options(
                    "a group split needs a group column: --group-column, or group_column in a pipeline",
                ));
            }
            (SplitKind::Group, Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(SplitError::Options("a group column is for a group split only")),
        }
        match self.folds {
            Some(folds) if !(2..=MOST_FOLDS).contains(&folds) => return Err(SplitError::Folds(folds)),
            _ => {}
        }
        let share = self.held_back();
        if share > 0.0 && share < 1.0 { Ok(()) } else { Err(SplitError::Holdout(share)) }
    }

    /// The share of the one part that is held back.
    #[must_use]
    pub fn held_back(&self) -> f64 {
        self.holdout.unwrap_or(HOLDOUT)
    }

    /// The split in words, as a sentence's beginning: what validates.
    #[must_use]
    pub fn text(&self) -> String {
        let some = match self.held_back() {
            HOLDOUT => "a quarter".to_owned(),
            share => format!("{} %", (share * 1e4).round() / 1e2),
        };
        let last = match self.held_back() {
            HOLDOUT => "quarter".to_owned(),
            share => format!("{} %", (share * 1e4).round() / 1e2),
        };
        let column = self.group_column.as_deref().unwrap_or_default();
        match (self.kind, self.folds) {
            (SplitKind::Time, None) => format!("the last {last} of each capture validates"),
            (SplitKind::Time, Some(folds)) => {
                format!("each of {folds} blocks of every capture's time validates in turn")
            }
            (SplitKind::Random, None) => format!("{some} of the flows, drawn by lot, validates"),
            (SplitKind::Random, Some(folds)) => {
                format!("each of {folds} parts of the flows, drawn by lot, validates in turn")
            }
            (SplitKind::Stratified, None) => format!("{some} of each label's flows, drawn by lot, validates"),
            (SplitKind::Stratified, Some(folds)) => {
                format!("each of {folds} parts of every label's flows, drawn by lot, validates in turn")
            }
            (SplitKind::Scenario, None) => "each capture validates in turn".to_owned(),
            (SplitKind::Scenario, Some(folds)) => format!("each of {folds} parts validates in turn, by whole captures"),
            (SplitKind::Group, None) => {
                format!("about {some} of the flows validates, by whole groups of `{column}`")
            }
            (SplitKind::Group, Some(folds)) => {
                format!("each of {folds} parts validates in turn, by whole groups of `{column}`")
            }
        }
    }
}

/// One row in four is held back.
pub const HOLDOUT: f64 = 0.25;
/// A fit a fold: more is a typing mistake.
pub const MOST_FOLDS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        let spec = |kind, folds, holdout, column: Option<&str>| SplitSpec {
            kind,
            folds,
            holdout,
            group_column: column.map(str::to_owned),
        };
        for good in [
            SplitSpec::default(),
            spec(SplitKind::Random, Some(5), None, None),
            spec(SplitKind::Stratified, None, Some(0.1), None),
            spec(SplitKind::Scenario, None, None, None),
            spec(SplitKind::Scenario, Some(5), None, None),
            spec(SplitKind::Group, Some(3), None, Some("ServicePort")),
        ] {
            assert_eq!(good.check(), Ok(()));
        }
        for bad in [
            spec(SplitKind::Scenario, None, Some(0.2), None),
            spec(SplitKind::Random, Some(5), Some(0.2), None),
            spec(SplitKind::Group, None, None, None),
            spec(SplitKind::Time, None, None, Some("ServicePort")),
            spec(SplitKind::Time, Some(1), None, None),
            spec(SplitKind::Time, Some(MOST_FOLDS + 1), None, None),
            spec(SplitKind::Time, None, Some(0.0), None),
            spec(SplitKind::Time, None, Some(1.0), None),
            spec(SplitKind::Time, None, Some(f64::NAN), None),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_spec_is_read_from_a_file_and_unknown_keys_are_errors() {
        let spec: SplitSpec = serde_json::from_str(r#"{ "kind": "stratified", "folds": 5 }"#).expect("a spec");
        assert_eq!(spec, SplitSpec { kind: SplitKind::Stratified, folds: Some(5), ..SplitSpec::default() });
        assert!(serde_json::from_str::<SplitSpec>(r#"{ "kind": "time", "fold": 5 }"#).is_err());
        assert!(serde_json::from_str::<SplitSpec>(r#"{ "kind": "by hand" }"#).is_err());
    }
}
