//! Why a record does not arrive, or a model cannot be had.

use std::io;
use std::path::{Path, PathBuf};

/// Each is one line, and none holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// No address of a tracker.
    #[error("{0}")]
    Target(String),
    /// No name of a registered model.
    #[error("{0}")]
    Reference(String),
    /// Nobody there, or the connection broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It takes too long.
    #[error("does not answer in time ({0}); MLFLOW_HTTP_REQUEST_TIMEOUT sets the seconds")]
    TimedOut(String),
    /// It says no.
    #[error("answers {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// MLflow's name of the error, if it gave one.
        code: String,
        /// In words.
        message: String,
    },
    /// What it says is not MLflow's.
    #[error("does not answer as MLflow does: {0}")]
    Answer(String),
    /// Files are kept where only its clients can put them.
    #[error(
        "keeps files at {0} and does not pass them on: start it with --serve-artifacts and a destination of its own"
    )]
    Artifacts(String),
    /// No such registered model, alias or version.
    #[error("no registered model `{0}`")]
    NoModel(String),
    /// A file or a folder.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A kept record that is none.
    #[error("{}: not a record: {why}", path.display())]
    Record {
        /// Where.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// No room for another record.
    #[error("{}: {count} records wait here, and no more are kept: `flowshrike track push` sends them", path.display())]
    Full {
        /// The spool.
        path: PathBuf,
        /// Records in it.
        count: usize,
    },
}

impl TrackError {
    /// Of a file.
    pub(super) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// Whether the server's word for it is this.
    pub(super) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// Whether asking again may help: it is away or busy. A request that timed out has had its time.
    pub(super) const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => matches!(status, 429 | 500 | 502..=504),
            _ => false,
        }
    }
}
