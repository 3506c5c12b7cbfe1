//! What stands in files that are replaced while the program runs, as certificates and tokens are.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A value that files hold. It is read anew when they change; what then cannot be read leaves it as it was.
#[derive(Debug)]
pub(super) struct Reread<T> {
    files: Vec<PathBuf>,
    read: fn(&[PathBuf]) -> Result<T, RereadError>,
    held: Mutex<Held<T>>,
}

/// A file that does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum RereadError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{}: {problem}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what it should hold.
        problem: String,
    },
}

#[derive(Debug)]
struct Held<T> {
    value: T,
    stamp: Vec<Option<Stamp>>,
}

/// By what a file is told from the one before it: a secret of Kubernetes is a link that is turned to another file.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl<T: Clone> Reread<T> {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// They cannot be read, or hold something else.
    pub(super) fn new(
        files: Vec<PathBuf>,
        read: fn(&[PathBuf]) -> Result<T, RereadError>,
    ) -> Result<Self, RereadError> {
        // Before they are read: what is written in between is then read once more.
        let stamp = stamp_of(&files);
        let held = Held { value: read(&files)?, stamp };
        Ok(Self { files, read, held: Mutex::new(held) })
    }

    /// The value as the files have it now, or as they had it when it was last right.
    pub(super) fn get(&self) -> T {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp_of(&self.files);
        if stamp != held.stamp {
            held.stamp = stamp;
            match (self.read)(&self.files) {
                Ok(value) => {
                    held.value = value;
                    tracing::info!("read anew: {}", names(&self.files));
                }
                Err(error) => tracing::warn!("what was read before stays in use: {error}"),
            }
        }
        held.value.clone()
    }
}

/// The text of a small file.
pub(super) fn read_small(path: &Path) -> Result<Vec<u8>, RereadError> {
    let unreadable = |source| RereadError::Unreadable { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > MOST_BYTES {
        return Err(wrong(path, format!("{length} bytes are too many for a certificate, a key or a token")));
    }
    fs::read(path).map_err(unreadable)
}

pub(super) fn wrong(path: &Path, problem: impl Into<String>) -> RereadError {
    RereadError::Wrong { path: path.to_owned(), problem: problem.into() }
}

fn stamp_of(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let there = fs::metadata(path).ok()?;
        Some(Stamp {
            device: there.dev(),
            inode: there.ino(),
            length: there.len(),
            modified: (there.mtime(), there.mtime_nsec()),
        })
    };
    files.iter().map(stamp).collect()
}

fn names(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// A chain of certificates has a few kilobytes.
const MOST_BYTES: u64 = 1 << 20;
