//! Records that have not arrived yet: a folder each, `record.json` and the files beside it.
//!
//! A run is kept before it is sent and removed when it has arrived, so that neither a server that is away nor the end of this process
//! loses it. Whoever sends a record holds a lock on it, which ends with the process.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::TrackError;
use super::folder::write;
use crate::train::tracking::{Record, RunFile, TrackedRun};

/// A folder of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    path: PathBuf,
}

/// A record in a spool, locked.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    /// The lock lasts as long as this.
    _lock: File,
}

impl Spool {
    /// A folder that may not be there yet.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The records in it, oldest first; none if it is not there.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn records(&self) -> Result<Vec<PathBuf>, TrackError> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(TrackError::file(&self.path))?,
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(TrackError::file(&self.path))?.path();
            if path.join(RECORD).is_file() {
                records.push(path);
            }
        }
        // Names begin with the time.
        records.sort_unstable();
        Ok(records)
    }

    /// Whether there is room for another record: known before a run that may take hours.
    ///
    /// # Errors
    /// If there is none.
    pub fn check(&self) -> Result<(), TrackError> {
        let count = self.records()?.len();
        if count < MOST_RECORDS { Ok(()) } else { Err(TrackError::Full { path: self.path.clone(), count }) }
    }

    /// Keeps a run; it is there whole or not at all.
    ///
    /// # Errors
    /// If there is no room, or it cannot be written.
    pub fn keep(&self, run: &TrackedRun) -> Result<Kept, TrackError> {
        self.check()?;
        let path = self.path.join(format!("{:015}-{}", run.record.started, run.record.id));
        let beside = self.path.join(format!(".{}.{}", run.record.id, std::process::id()));
        let record = serde_json::to_vec_pretty(&run.record)
            .map_err(|error| TrackError::Record { path: path.clone(), why: error.to_string() })?;
        let written = run
            .files
            .iter()
            .try_for_each(|file| write(&beside.join(FILES).join(&file.path), &file.bytes))
            .and_then(|()| write(&beside.join(RECORD), &record))
            .and_then(|()| Kept::lock(&beside))
            .and_then(|lock| fs::rename(&beside, &path).map_err(TrackError::file(&path)).map(|()| lock));
        match written {
            Ok(Some(lock)) => Ok(Kept { path, _lock: lock }),
            // Nobody else knows of it yet.
            Ok(None) => Err(TrackError::Record { path, why: "locked".to_owned() }),
            Err(error) => {
                drop(fs::remove_dir_all(&beside));
                Err(error)
            }
        }
    }

    /// Takes a record to send it; none if another process does, or has done so.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn take(&self, path: &Path) -> Result<Option<Kept>, TrackError> {
        match Kept::lock(path) {
            Ok(Some(lock)) if path.join(RECORD).is_file() => Ok(Some(Kept { path: path.to_owned(), _lock: lock })),
            Ok(_) => Ok(None),
            Err(TrackError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Goes away if nothing is in it.
    pub fn tidy(&self) {
        // It is not empty, or not there.
        drop(fs::remove_dir(&self.path));
    }
}

impl Kept {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it back.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn read(&self) -> Result<TrackedRun, TrackError> {
        let path = self.path.join(RECORD);
        let damaged = |why: String| TrackError::Record { path: path.clone(), why };
        let record: Record = serde_json::from_slice(&bytes(&path)?).map_err(|error| damaged(error.to_string()))?;
        if !record.id.chars().all(|c| c.is_ascii_hexdigit()) || record.id.is_empty() {
            return Err(damaged("its id is none".to_owned()));
        }
        let keys =
            record.params.keys().chain(record.tags.keys()).chain(record.metrics.iter().map(|metric| &metric.key));
        if let Some(path) = keys.chain(&record.files).find(|path| !is_below(path)) {
            return Err(damaged(format!("`{path}` leads elsewhere")));
        }
        let read = |path: &String| Ok(RunFile { path: path.clone(), bytes: bytes(&self.path.join(FILES).join(path))? });
        let files = record.files.iter().map(read).collect::<Result<_, TrackError>>()?;
        Ok(TrackedRun { record, files })
    }

    /// It has arrived.
    ///
    /// # Errors
    /// If it cannot be removed; sent again it would not be made twice.
    pub fn remove(self) -> Result<(), TrackError> {
        // Without this file it is no record any more, should the rest fail.
        let record = self.path.join(RECORD);
        fs::remove_file(&record).map_err(TrackError::file(&record))?;
        fs::remove_dir_all(&self.path).map_err(TrackError::file(&self.path))
    }

    fn lock(path: &Path) -> Result<Option<File>, TrackError> {
        let folder = File::open(path).map_err(TrackError::file(path))?;
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(folder)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(TrackError::file(path)(error.into())),
        }
    }
}

fn is_below(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

fn bytes(path: &Path) -> Result<Vec<u8>, TrackError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(TrackError::file(path))?;
    file.take(LARGEST).read_to_end(&mut bytes).map_err(TrackError::file(path))?;
    Ok(bytes)
}

/// Records in a spool: a nightly training of years. More would fill a disk that nobody looks at.
pub const MOST_RECORDS: usize = 1_000;
const RECORD: &str = "record.json";
const FILES: &str = "files";
/// No file of a run is larger: a model has at most a quarter of it.
const LARGEST: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn run(id: &str, started: i64) -> TrackedRun {
        let file = RunFile { path: "plots/a.svg".to_owned(), bytes: b"<svg/>".to_vec() };
        let record = Record {
            id: id.to_owned(),
            experiment: "e".to_owned(),
            name: "n".to_owned(),
            started,
            ended: started + 1,
            params: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            metrics: Vec::new(),
            tags: BTreeMap::new(),
            files: vec![file.path.clone()],
            registration: None,
        };
        TrackedRun { record, files: vec![file] }
    }

    #[test]
    fn a_record_is_read_back_in_order_and_is_gone_when_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::new(folder.path().join("spool"));
        assert!(spool.records().expect("none").is_empty());
        drop(spool.keep(&run("bb", 2)).expect("kept"));
        let kept = spool.keep(&run("aa", 10)).expect("kept");
        let names: Vec<_> = spool.records().expect("two");
        assert!(names[0].ends_with("000000000000002-bb") && names[1].ends_with("000000000000010-aa"), "{names:?}");
        // Locked, then not.
        assert!(spool.take(&names[1]).expect("there").is_none());
        drop(kept);
        let kept = spool.take(&names[1]).expect("there").expect("free");
        assert_eq!(kept.read().expect("whole"), run("aa", 10));
        kept.remove().expect("removed");
        assert!(spool.take(&names[1]).expect("no error").is_none());
        assert_eq!(spool.records().expect("one").len(), 1);
        assert_eq!(fs::read_dir(spool.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_record_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::new(folder.path().to_owned());
        for (at, path) in ["../../etc/passwd", "/etc/passwd", "a/../../b", ""].into_iter().enumerate() {
            let kept = spool.keep(&run(&format!("{at:x}"), 1)).expect("kept");
            let record = kept.path().join(RECORD);
            let text = fs::read_to_string(&record).expect("text").replace("plots/a.svg", path);
            fs::write(&record, text).expect("written");
            assert!(matches!(kept.read(), Err(TrackError::Record { .. })), "{path}");
        }
    }

    #[test]
    fn a_full_spool_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = Spool::new(folder.path().to_owned());
        for at in 0..MOST_RECORDS {
            write(&folder.path().join(at.to_string()).join(RECORD), b"{}").expect("written");
        }
        assert!(matches!(spool.keep(&run("aa", 1)), Err(TrackError::Full { count: MOST_RECORDS, .. })));
        fs::remove_dir_all(folder.path().join("7")).expect("removed");
        assert!(spool.keep(&run("aa", 1)).is_ok());
    }
}
