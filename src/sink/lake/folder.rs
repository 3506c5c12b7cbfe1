//! The lake's folder: `date=2026-01-15/hour=09/NAME-START-NUMBER.parquet`, as Hive, Spark, DuckDB and pyarrow know it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::Micros;

/// The folder of one writer.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// What its files' names begin with: no two runs have the same.
    prefix: String,
    number: u64,
    /// Files that were removed when it was opened.
    pub(super) removed: u64,
}

/// A file that is being written, by its hidden name.
#[derive(Debug)]
pub(super) struct Unfinished {
    hidden: PathBuf,
    path: PathBuf,
}

/// A date and an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Partition {
    hours: i64,
}

impl Folder {
    /// Makes the folder, and removes unfinished files of that name.
    pub(super) fn open(root: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        let root = fs::canonicalize(root)?;
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
        let removed = remove_unfinished(&root, &format!(".{name}-"))?;
        // A folder that nothing can be made in is told now, and not when the first file is due.
        let probe = root.join(format!(".{name}-probe{UNFINISHED}"));
        File::create(&probe)?;
        fs::remove_file(&probe)?;
        #[expect(clippy::disallowed_methods, reason = "an edge: a name that no earlier run had")]
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Ok(Self { root, prefix: format!("{name}-{start:x}"), number: 0, removed })
    }

    /// A new file in a partition.
    pub(super) fn create(&mut self, partition: Partition) -> io::Result<(File, Unfinished)> {
        let folder = self.root.join(partition.path());
        fs::create_dir_all(&folder)?;
        self.number = self.number.saturating_add(1);
        let name = format!("{}-{}.parquet", self.prefix, self.number);
        let hidden = folder.join(format!(".{name}{UNFINISHED}"));
        let file = File::options().write(true).create_new(true).open(&hidden)?;
        Ok((file, Unfinished { hidden, path: folder.join(name) }))
    }
}

impl Unfinished {
    /// Gives a file its name, once all of it is on the disk.
    pub(super) fn finish(self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        fs::rename(&self.hidden, &self.path)?;
        // The name, too.
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }

    /// Removes a file that cannot be finished.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.hidden) {
            tracing::debug!(file = %self.hidden.display(), %error, "an unfinished file stays until the next start");
        }
    }
}

impl Partition {
    pub(super) const fn of(time: Micros) -> Self {
        Self { hours: time.0.div_euclid(HOUR) }
    }

    fn path(self) -> PathBuf {
        let civil = Micros(self.hours.saturating_mul(HOUR)).civil();
        let date = format!("date={:04}-{:02}-{:02}", civil.year, civil.month, civil.day);
        PathBuf::from(date).join(format!("hour={:02}", civil.hour))
    }
}

/// Removes this writer's unfinished files from all partitions.
fn remove_unfinished(root: &Path, prefix: &str) -> io::Result<u64> {
    let mut removed = 0;
    let of_partitions = |folder: &Path, key: &str| -> io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)?.flatten();
        let is_one = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(key);
        Ok(entries.filter(|entry| is_one(&entry.file_name())).map(|entry| entry.path()).collect())
    };
    for date in of_partitions(root, "date=")? {
        for hour in of_partitions(&date, "hour=")? {
            for file in of_partitions(&hour, prefix)? {
                if file.to_string_lossy().ends_with(UNFINISHED) {
                    fs::remove_file(&file)?;
                    removed += 1;
                }
            }
        }
    }
    Ok(removed)
}

/// What a hidden name ends with.
const UNFINISHED: &str = ".unfinished";
/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_date_and_hour() {
        for (micros, expected) in [
            (0, "date=1970-01-01/hour=00"),
            (1_768_467_600_000_000, "date=2026-01-15/hour=09"),
            (-1, "date=1969-12-31/hour=23"),
        ] {
            assert_eq!(Partition::of(Micros(micros)).path(), PathBuf::from(expected));
        }
    }

    #[test]
    fn only_this_writers_unfinished_files_are_removed() {
        let root = tempfile::tempdir().expect("a folder");
        let mut first = Folder::open(root.path(), "node 1").expect("a folder");
        let partition = Partition::of(Micros::ZERO);
        let (file, whole) = first.create(partition).expect("a file");
        whole.finish(&file).expect("it is finished");
        drop(first.create(partition).expect("a file"));
        let mut other = Folder::open(root.path(), "node 12").expect("a folder");
        drop(other.create(partition).expect("a file"));
        assert_eq!(Folder::open(root.path(), "node 1").expect("a folder").removed, 1);
        let left = fs::read_dir(root.path().join("date=1970-01-01/hour=00")).expect("a partition");
        let mut left: Vec<_> =
            left.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
        left.sort_unstable();
        assert!(left.len() == 2 && left[0].starts_with(".node_12-") && left[1].starts_with("node_1-"), "{left:?}");
    }
}
