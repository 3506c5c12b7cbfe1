//! What can be wrong with a model file: each kind in one line that names the place.

use super::transform::MapError;

/// Why bytes are not a model that this program can run.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Larger than [`MAX_BYTES`].
    #[error("model of {0} bytes: at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// The first line is not our header.
    #[error("not a flowshrike model: {0}")]
    NotAModel(&'static str),
    /// Made by a newer program.
    #[error(
        "model format version {found} is newer than this program, which reads versions up to {FORMAT_VERSION}: update flowshrike"
    )]
    Newer {
        /// The version that the header names.
        found: u32,
    },
    /// Version 0, which never was.
    #[error("model format version {0} does not exist")]
    NoSuchVersion(u32),
    /// Cut off or extended.
    #[error("model is damaged: the payload has {found} bytes and the header says {expected}")]
    Length {
        /// What the header says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// Changed after it was made.
    #[error("model is damaged: the payload's SHA-256 is {found} and the header says {expected}")]
    Checksum {
        /// What the header says.
        expected: String,
        /// What the payload has.
        found: String,
    },
    /// The payload is not the JSON that it should be.
    #[error("model payload: {0}")]
    Payload(#[from] serde_json::Error),
    /// The feature schema has changed since.
    #[error(
        "model was made for another feature schema ({found}, ours is {expected}): train it again with this program"
    )]
    Schema {
        /// Hash for these features in this program.
        expected: String,
        /// Hash in the model.
        found: String,
    },
    /// A column that the schema does not have.
    #[error("model reads the unknown feature `{0}`")]
    UnknownFeature(String),
    /// A column that differs between profiles, in a model that says it has none.
    #[error("model reads `{0}`, which differs between profiles, but is marked `portable_only`")]
    NotPortable(&'static str),
    /// A feature's quantile map breaks a rule.
    #[error("model transform of `{feature}`: {error}")]
    Map {
        /// The column.
        feature: String,
        /// The rule.
        error: MapError,
    },
    /// Any other rule of the format.
    #[error("model field `{field}`: {problem}")]
    Field {
        /// The JSON field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// The version of the format that this program writes. It reads every earlier one.
pub(super) const FORMAT_VERSION: u32 = 2;
/// Greatest file: a million points of a dozen features have about 200 MB.
pub const MAX_BYTES: usize = 256 << 20;
