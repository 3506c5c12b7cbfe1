//! Where a command's data goes: stdout or a file as it comes, or a file that is written whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;

use super::Usage;

/// Opens an output that is written as data comes: a file if a path is given, else stdout; `-` is stdout too.
pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Box<dyn Write + Send>> {
    match path {
        Some(path) if path.as_os_str() != "-" => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(Box::new(file))
        }
        _ => Ok(Box::new(io::stdout())),
    }
}

/// A table whose rows take long to come: a file that is there when all have come, or stdout.
#[derive(Debug)]
pub(super) enum Table {
    File(BufWriter<Whole>),
    Stdout(io::Stdout),
}

impl Table {
    /// A file if a path is given, else stdout; `-` is stdout too.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        match path {
            Some(path) if path.as_os_str() != "-" => Ok(Self::File(BufWriter::new(Whole::create(path)?))),
            _ => Ok(Self::Stdout(io::stdout())),
        }
    }

    /// A file of a format that is no stream: its footer says where its parts are, and it is worth nothing before.
    pub(super) fn file(path: Option<&Path>, format: &str) -> anyhow::Result<Self> {
        match path {
            Some(path) if path.as_os_str() != "-" => Ok(Self::File(BufWriter::new(Whole::create(path)?))),
            _ => Err(Usage(format!("{format} is no stream: name a file with --output")).into()),
        }
    }

    /// There are no more.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::File(file) => file.into_inner().map_err(IntoInnerError::into_error)?.finish(),
            Self::Stdout(mut stdout) => Ok(stdout.flush()?),
        }
    }
}

impl Write for Table {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

/// Writes a file beside its place and moves it there, so that neither an error nor Ctrl-C leaves half a file under the name.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = Whole::create(path)?;
    file.write_all(bytes).with_context(|| format!("{}: cannot be written", path.display()))?;
    file.finish()
}

/// A file that is written beside its place and moved there when it is whole; one that is not finished goes away. What is there
/// and no file (a pipe, a device) is written as data comes.
#[derive(Debug)]
pub(super) struct Whole {
    file: File,
    place: Option<Place>,
}

/// Where a file is while it is written, and where it belongs.
#[derive(Debug)]
struct Place {
    beside: PathBuf,
    path: PathBuf,
}

impl Whole {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let refused = || format!("{}: cannot be written", path.display());
        if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            return Ok(Self { file: File::options().write(true).open(path).with_context(refused)?, place: None });
        }
        // A link stays one.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = path.file_name().with_context(|| format!("{}: not the name of a file", path.display()))?;
        let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), process::id()));
        let mut unfinished = unfinished();
        let file = File::create(&beside).with_context(refused)?;
        unfinished.insert(beside.clone());
        Ok(Self { file, place: Some(Place { beside, path }) })
    }

    /// Puts the file in its place.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Some(Place { beside, path }) = &self.place else { return Ok(()) };
        let mut unfinished = unfinished();
        let moved = self.file.sync_all().and_then(|()| fs::rename(beside, path));
        if moved.is_ok() {
            unfinished.remove(beside);
        }
        drop(unfinished);
        moved.with_context(|| format!("{}: cannot be written", path.display()))
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if let Some(Place { beside, .. }) = &self.place
            && unfinished().remove(beside)
        {
            // The error to report is the one that kept it from being finished.
            drop(fs::remove_file(beside));
        }
    }
}

/// Removes every file that is not finished and ends the process; no other begins or is put in its place meanwhile.
pub(super) fn abandon(end: impl FnOnce()) {
    let unfinished = unfinished();
    unfinished.iter().for_each(|path| drop(fs::remove_file(path)));
    end();
    drop(unfinished);
}

/// The files beside their places; whoever holds the guard is alone in adding, moving and removing them.
fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses outputs that would overwrite one of the inputs, or each other.
pub(super) fn spare<'a>(
    outputs: impl IntoIterator<Item = &'a Path>,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Usage> {
    let identity = |path: &Path| fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| (m.dev(), m.ino()));
    let inputs: Vec<_> = inputs.into_iter().filter_map(identity).collect();
    let mut seen: Vec<(&Path, Option<(u64, u64)>)> = Vec::new();
    for output in outputs {
        let own = identity(output);
        if own.is_some_and(|own| inputs.contains(&own)) {
            return Err(Usage(format!("{} is an input: it would be overwritten", output.display())));
        }
        if seen.iter().any(|(path, held)| *path == output || (own.is_some() && *held == own)) {
            return Err(Usage(format!("{} is given for two outputs", output.display())));
        }
        seen.push((output, own));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.fsm");
        write_whole(&path, b"one").expect("written");
        write_whole(&path, b"two").expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let mut half = Whole::create(&path).expect("created");
        half.write_all(b"thr").expect("written");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
        drop(half);
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let error = write_whole(&folder.path().join("no/such/file"), b"x").expect_err("no folder");
        assert!(format!("{error:#}").contains("no/such/file: cannot be written"));
    }
}
