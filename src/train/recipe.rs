//! What a training run is asked for, and why there may be no model.

use super::labels::UnknownLabels;
use super::pipeline::Pipeline;
use super::sampling::ResampleError;
use super::split::SplitError;
use crate::features::{FeatureId, Profile};
use crate::model::ArtifactError;

/// How to train.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What the model is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What is fitted, and what it is measured on.
    pub pipeline: Pipeline,
    /// The seed of all that is random.
    pub seed: u64,
    /// The profile that the training flows were metered with.
    pub profile: Profile,
    /// One line about the data, put before its counts.
    pub about: Option<String>,
    /// Rows of each label that a fit looks at, at most; of more, as many are taken evenly.
    pub rows: usize,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            name: "flows".to_owned(),
            version: "1".to_owned(),
            pipeline: Pipeline::default(),
            seed: 1,
            profile: Profile::Cic,
            about: None,
            rows: FIT_ROWS,
        }
    }
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A feature that tells the host or the capture, or that meters disagree on.
    #[error("`{column}` may not be a feature: {reason}")]
    Refused {
        /// The column.
        column: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Labels that mean nothing.
    #[error(transparent)]
    Labels(#[from] UnknownLabels),
    /// No benign flows.
    #[error("no benign flows in the data (label 0 or `benign`): without them every flow would be novel")]
    NoBenign,
    /// Too little to fit and to validate.
    #[error("{distinct} distinct benign flows: at least {LEAST_BENIGN} are needed to fit and to validate")]
    TooFew {
        /// The most that any fold has to fit on.
        distinct: usize,
    },
    /// No split of these rows.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// No such resampling.
    #[error(transparent)]
    Resample(#[from] ResampleError),
    /// The fitted parts are no model; a fault of this program.
    #[error("the fitted model is not valid: {0}")]
    Artifact(#[from] ArtifactError),
}

/// The default features, ranked on training rows: the columns that [`train`](super::train()) reads a data set for.
#[must_use]
pub fn default_features() -> Vec<FeatureId> {
    DEFAULT_FEATURES.iter().filter_map(|name| FeatureId::named(name)).collect()
}

/// Refuses what gives the capture away.
pub(super) fn check_features(features: &[FeatureId]) -> Result<(), TrainError> {
    for feature in features.iter().map(|id| id.feature()) {
        if HOST_FEATURES.contains(&feature.column) {
            let reason = "it is set by the host's network stack and so names the host, not the attack";
            return Err(TrainError::Refused { column: feature.column, reason });
        }
        if !feature.portable {
            let reason = "the two profiles compute it differently";
            return Err(TrainError::Refused { column: feature.column, reason });
        }
    }
    Ok(())
}

/// Ranked on training rows only; twelve kept nearly all of what more columns gave, and the last came first of 33 additions on the first half of
/// each capture (models/README.md). Addresses, ports, times, initial
/// windows and columns that differ between meters are not among them.
const DEFAULT_FEATURES: [&str; 13] = [
    "Fwd Packet Length Std",
    "Down/Up Ratio",
    "Fwd Packet Length Mean",
    "Total Length of Fwd Packet",
    "Bwd Packet Length Max",
    "Fwd Packets/s",
    "FIN Flag Count",
    "Total Bwd packets",
    "Fwd PSH Flags",
    "SYN Flag Count",
    "Flow IAT Min",
    "Flow Bytes/s",
    "Fwd Packet Length Max",
];
/// Columns whose value is the host's: its initial windows and its TCP options.
const HOST_FEATURES: [&str; 3] = ["FWD Init Win Bytes", "Bwd Init Win Bytes", "Fwd Seg Size Min"];
/// Quantiles, prototypes and novelty no longer move with more rows, and the fit's time and memory stay bounded.
const FIT_ROWS: usize = 50_000;
/// Fewer distinct benign flows make neither quantiles nor a novelty threshold.
pub(super) const LEAST_BENIGN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_features_are_portable_columns() {
        let features = default_features();
        assert_eq!(features.len(), DEFAULT_FEATURES.len());
        assert!(check_features(&features).is_ok());
    }

    #[test]
    fn columns_that_name_the_host_are_refused() {
        for (name, words) in [
            ("FWD Init Win Bytes", "names the host"),
            ("Bwd Init Win Bytes", "names the host"),
            ("Fwd Seg Size Min", "names the host"),
            ("Active Mean", "differently"),
        ] {
            let error = check_features(&[FeatureId::named(name).expect("a column")]).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains(words), "{error}");
        }
        for name in crate::features::schema::IDENTITY_COLUMNS {
            assert_eq!(FeatureId::named(name), None, "{name} is no feature");
        }
    }
}
