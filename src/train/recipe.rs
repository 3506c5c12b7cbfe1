//! What a training run is asked for, and why there may be no model.

use super::columns::ColumnsError;
use super::labels::UnknownLabels;
use super::pipeline::Pipeline;
use super::sampling::ResampleError;
use super::select::SelectError;
use super::split::SplitError;
use crate::features::Profile;
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
    /// Whether [`Trained::held_back`](super::Trained::held_back) is wanted.
    pub keeps_verdicts: bool,
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
            keeps_verdicts: false,
        }
    }
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A column that may not be a feature.
    #[error(transparent)]
    Columns(#[from] ColumnsError),
    /// No columns can be selected.
    #[error(transparent)]
    Select(#[from] SelectError),
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

/// Quantiles, prototypes and novelty no longer move with more rows, and the fit's time and memory stay bounded.
const FIT_ROWS: usize = 50_000;
/// Fewer distinct benign flows make neither quantiles nor a novelty threshold.
pub(super) const LEAST_BENIGN: usize = 10;
