//! How resampling is asked for: on the command line, or in a file.

use serde::{Deserialize, Serialize};

/// What is done to the points of a fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResampleSpec {
    /// The kind.
    pub kind: ResampleKind,
    /// What a small label comes to as a share of a great one, above 0 and at most 1; 1 without it. Under-sampling cuts every label to
    /// the smallest attack label's points divided by it; the others raise every label to the greatest label's points times it.
    pub ratio: Option<f64>,
    /// Neighbours of which SMOTE draws one; [`NEIGHBOURS`] without it.
    pub neighbours: Option<usize>,
}

/// Kinds of resampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResampleKind {
    /// All points, each as often as it occurs.
    #[default]
    None,
    /// Points of great labels left out by lot.
    Under,
    /// Points of small labels repeated by lot.
    Over,
    /// New points between neighbours of small labels.
    Smote,
}

/// Options that mean nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ResampleError {
    /// Not a share.
    #[error("a resampling ratio of {0}: it is a small label's share of a great one, above 0 and at most 1")]
    Ratio(f64),
    /// No neighbours, or more than anyone means.
    #[error("{0} neighbours: from 1 to {MOST_NEIGHBOURS} are possible")]
    Neighbours(usize),
    /// Options of another kind.
    #[error("{0}")]
    Options(&'static str),
}

impl ResampleKind {
    /// Its name, as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Under => "under",
            Self::Over => "over",
            Self::Smote => "smote",
        }
    }
}

impl ResampleSpec {
    /// Whether the options mean something.
    ///
    /// # Errors
    /// Says which do not.
    pub fn check(&self) -> Result<(), ResampleError> {
        if self.kind == ResampleKind::None && self.ratio.is_some() {
            return Err(ResampleError::Options("a resampling ratio is for under, over and smote"));
        }
        if self.kind != ResampleKind::Smote && self.neighbours.is_some() {
            return Err(ResampleError::Options("resampling draws neighbours in smote only"));
        }
        match (self.ratio, self.neighbours) {
            (Some(ratio), _) if !(ratio > 0.0 && ratio <= 1.0) => Err(ResampleError::Ratio(ratio)),
            (_, Some(count)) if !(1..=MOST_NEIGHBOURS).contains(&count) => Err(ResampleError::Neighbours(count)),
            _ => Ok(()),
        }
    }

    /// Neighbours of which SMOTE draws one.
    #[must_use]
    pub fn neighbours(&self) -> usize {
        self.neighbours.unwrap_or(NEIGHBOURS)
    }

    /// What it does, in words; `None` if it does nothing.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let ratio = self.ratio.unwrap_or(1.0);
        match self.kind {
            ResampleKind::None => None,
            ResampleKind::Under => Some(format!("labels cut by lot until the smallest attack is {ratio} of each")),
            ResampleKind::Over => Some(format!("points repeated by lot until each label is {ratio} of the greatest")),
            ResampleKind::Smote => Some(format!(
                "points put between {} neighbours until each label is {ratio} of the greatest (SMOTE)",
                self.neighbours()
            )),
        }
    }

    /// The count that labels of these counts are cut or raised to.
    pub(super) fn target(&self, counts: &[usize], benign: usize) -> usize {
        let ratio = self.ratio.unwrap_or(1.0);
        if self.kind == ResampleKind::Under {
            let attacks = counts.iter().enumerate().filter(|(label, count)| *label != benign && **count > 0);
            let least = attacks.map(|(_, &count)| count).min();
            least.map_or(usize::MAX, |least| (least as f64 / ratio).round() as usize)
        } else {
            let greatest = counts.iter().copied().max().unwrap_or(0);
            (greatest as f64 * ratio).round() as usize
        }
    }
}

/// As in the publication.
pub const NEIGHBOURS: usize = 5;
/// More are no neighbours.
pub const MOST_NEIGHBOURS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_mean_nothing_are_refused() {
        let spec = |kind, ratio, neighbours| ResampleSpec { kind, ratio, neighbours };
        for good in [
            ResampleSpec::default(),
            spec(ResampleKind::Under, Some(0.1), None),
            spec(ResampleKind::Smote, Some(1.0), Some(3)),
        ] {
            assert_eq!(good.check(), Ok(()));
        }
        for bad in [
            spec(ResampleKind::None, Some(0.5), None),
            spec(ResampleKind::Over, None, Some(5)),
            spec(ResampleKind::Over, Some(0.0), None),
            spec(ResampleKind::Over, Some(1.5), None),
            spec(ResampleKind::Under, Some(f64::NAN), None),
            spec(ResampleKind::Smote, None, Some(0)),
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_spec_is_read_from_a_file() {
        let spec: ResampleSpec = serde_json::from_str(r#"{ "kind": "smote", "ratio": 0.5 }"#).expect("a spec");
        assert_eq!(spec, ResampleSpec { kind: ResampleKind::Smote, ratio: Some(0.5), neighbours: None });
        assert!(serde_json::from_str::<ResampleSpec>(r#"{ "kind": "up" }"#).is_err());
    }
}
