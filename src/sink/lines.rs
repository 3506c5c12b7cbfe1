//! Whole lines to one file descriptor: batched, flushed, reopened after rotation, counted when lost.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::throttle::Throttle;

/// Writes batches of lines to the standard output or a file.
#[derive(Debug)]
pub struct LineSink {
    output: Output,
    batch: Vec<u8>,
    /// End of each line in `batch`.
    ends: Vec<usize>,
    /// The last write stopped within a line; the next begins by ending it.
    torn: bool,
    last_loss: Option<LossReason>,
    /// How long a reader may take nothing before lines are given up; `None` waits as long as it takes.
    patience: Option<Duration>,
    warnings: Throttle,
}

/// What became of a batch: its first `written` lines are out, the `lost` after them are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Lines written whole.
    pub written: usize,
    /// Lines not written, or not whole.
    pub lost: usize,
    /// Why, if any were lost.
    pub reason: Option<LossReason>,
}

/// Why a line was lost. The set is fixed: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossReason {
    /// The file could not be opened.
    Open,
    /// No room: disk, quota or file size.
    Full,
    /// Nobody reads any more.
    Closed,
    /// The reader took nothing for a second.
    Blocked,
    /// Any other failure.
    Io,
}

/// The sink cannot be set up at all.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The file cannot be opened for appending.
    #[error("cannot write alerts to {path}: {source}; choose another alert.output")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The standard output is not there.
    #[error("cannot write alerts to the standard output: {0}")]
    Stdout(#[source] io::Error),
}

#[derive(Debug)]
enum Output {
    /// An open descriptor without a name.
    Handle(File),
    /// A file by its name; `None` while it could not be opened.
    Path { path: PathBuf, file: Option<OpenFile> },
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    device: u64,
    inode: u64,
}

impl LineSink {
    /// The standard output, without a buffer in between.
    ///
    /// # Errors
    /// The descriptor cannot be duplicated.
    pub fn stdout() -> Result<Self, SinkError> {
        let handle = io::stdout().as_fd().try_clone_to_owned().map_err(SinkError::Stdout)?;
        Ok(Self::new(Output::Handle(File::from(handle))))
    }

    /// A file, appended to, created with mode 0640 if it is not there.
    ///
    /// # Errors
    /// The file cannot be opened now. Later failures are counted by [`LineSink::flush`] instead.
    pub fn file(path: &Path) -> Result<Self, SinkError> {
        let file = OpenFile::open(path).map_err(|source| SinkError::Open { path: path.to_owned(), source })?;
        Ok(Self::new(Output::Path { path: path.to_owned(), file: Some(file) }))
    }

    /// An open descriptor, such as a pipe.
    #[must_use]
    pub fn handle(file: File) -> Self {
        Self::new(Output::Handle(file))
    }

    fn new(output: Output) -> Self {
        let warnings = Throttle::new(WARNING_INTERVAL);
        Self { output, batch: Vec::new(), ends: Vec::new(), torn: false, last_loss: None, patience: None, warnings }
    }

    /// Gives lines up, and counts them as lost, where the reader has taken nothing for a second: a daemon must go on,
    /// and stop when it is told to. Without this the sink waits, as a filter in a pipe must.
    #[must_use]
    pub fn impatient(self) -> Self {
        Self { patience: Some(PATIENCE), ..self }
    }

    /// The sink's name as a metric label.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.output {
            Output::Handle(_) => "stdout",
            Output::Path { .. } => "file",
        }
    }

    /// Adds one line to the batch; `write` appends it, with its newline.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.batch);
        self.ends.push(self.batch.len());
    }

    /// Lines in the batch.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.ends.len()
    }

    /// Writes the batch, in one system call where the system takes it whole, and empties it.
    ///
    /// A file that was moved or removed since is opened anew first. A batch is never tried again: the caller is told.
    pub fn flush(&mut self) -> Flushed {
        if self.ends.is_empty() {
            return Flushed::default();
        }
        let (bytes, failure) = self.write();
        let written = self.ends.partition_point(|&end| end <= bytes);
        let whole = written.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        self.torn |= bytes > whole;
        let lost = self.ends.len() - written;
        self.batch.clear();
        self.ends.clear();
        self.last_loss = failure.as_ref().map(|(reason, _)| *reason);
        if let Some((reason, error)) = failure
            && let Some(muted) = self.warnings.admit()
        {
            let (sink, reason) = (self.name(), reason.name());
            tracing::warn!(sink, reason, lost, muted_warnings = muted, "alert lines lost: {error}");
        }
        Flushed { written, lost, reason: self.last_loss.filter(|_| lost > 0) }
    }

    /// Opens the file anew at the next flush, as after a signal from a log rotator; nothing for the standard output.
    pub fn reopen(&mut self) {
        if let Output::Path { file, .. } = &mut self.output {
            *file = None;
        }
    }

    /// Whether the reader of the output has gone away for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.last_loss == Some(LossReason::Closed)
    }

    /// How many bytes of the batch went out, and what stopped the rest.
    fn write(&mut self) -> (usize, Option<(LossReason, io::Error)>) {
        // Who has just taken nothing for so long is not waited for again until something went through.
        let is_blocked = self.last_loss == Some(LossReason::Blocked);
        let patience = self.patience.map(|patience| if is_blocked { Duration::ZERO } else { patience });
        let file = match &mut self.output {
            Output::Handle(file) => file,
            Output::Path { path, file } => match OpenFile::current(path, file, &mut self.torn) {
                Ok(file) => file,
                Err(error) => return (0, Some((LossReason::Open, error))),
            },
        };
        if self.torn {
            match write_all(file, b"\n", patience) {
                (_, None) => self.torn = false,
                (_, Some(error)) => return (0, Some((LossReason::of(&error), error))),
            }
        }
        let (bytes, error) = write_all(file, &self.batch, patience);
        (bytes, error.map(|error| (LossReason::of(&error), error)))
    }
}

impl LossReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Open, Self::Full, Self::Closed, Self::Blocked, Self::Io];

    /// The reason as a metric label and summary key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Full => "full",
            Self::Closed => "closed",
            Self::Blocked => "blocked",
            Self::Io => "io",
        }
    }

    fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full,
            ErrorKind::BrokenPipe => Self::Closed,
            ErrorKind::WouldBlock => Self::Blocked,
            _ => Self::Io,
        }
    }
}

impl OpenFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { file, device: metadata.dev(), inode: metadata.ino() })
    }

    /// The file behind the path now: the open one, or another if the path leads elsewhere.
    fn current<'a>(path: &Path, slot: &'a mut Option<Self>, torn: &mut bool) -> io::Result<&'a mut File> {
        let same = slot.as_ref().is_some_and(|open| {
            std::fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (open.device, open.inode))
        });
        if !same {
            let before = slot.take();
            let opened = Self::open(path)?;
            // A torn line stays behind in the file that it is in.
            *torn &= before.is_none_or(|old| (old.device, old.inode) == (opened.device, opened.inode));
            *slot = Some(opened);
        }
        slot.as_mut().map(|open| &mut open.file).ok_or_else(|| io::Error::from(ErrorKind::NotFound))
    }
}

/// Writes all of `bytes`, or as many as go before the reader has taken nothing for `patience`.
///
/// A pipe that reports room has room for [`PIPE_ROOM`] bytes; more at a time could block for ever.
fn write_all(file: &mut File, bytes: &[u8], patience: Option<Duration>) -> (usize, Option<io::Error>) {
    let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        let piece = if is_regular || patience.is_none() { rest } else { whole_lines(rest) };
        if !is_regular && patience.is_some() && !has_room(file, patience) {
            return (done, Some(io::Error::from(ErrorKind::WouldBlock)));
        }
        match file.write(piece) {
            Ok(0) => return (done, Some(io::Error::from(ErrorKind::WriteZero))),
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Somebody made the descriptor one that does not block.
            Err(error) if error.kind() == ErrorKind::WouldBlock && has_room(file, patience) => {}
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}

/// As many whole lines as a pipe with room takes at once, so that none is torn; of a longer line, what fits.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let Some(fits) = bytes.get(..PIPE_ROOM) else { return bytes };
    let end = fits.iter().rposition(|&byte| byte == b'\n').map_or(PIPE_ROOM, |newline| newline + 1);
    fits.get(..end).unwrap_or(fits)
}

/// Whether the descriptor can be written to, or has failed so that a write tells why, within `patience`.
fn has_room(file: &File, patience: Option<Duration>) -> bool {
    let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
    loop {
        match poll(&mut [PollFd::new(file, PollFlags::OUT)], timeout.as_ref()) {
            Err(Errno::INTR) => {}
            ready => return ready.is_ok_and(|ready| ready > 0),
        }
    }
}

/// Alerts name hosts and what they do: for the daemon's user and group only.
const FILE_MODE: u32 = 0o640;
/// A person who looks sees it; a log that someone pays for by volume does not grow.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// Queues before the sink are bounded: a reader that takes nothing for this long costs alerts, not the daemon.
const PATIENCE: Duration = Duration::from_secs(1);
/// PIPE_BUF on Linux.
const PIPE_ROOM: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn push(sink: &mut LineSink, lines: &[&str]) {
        for line in lines {
            sink.push(|batch| batch.extend_from_slice(format!("{line}\n").as_bytes()));
        }
    }

    const fn all(written: usize) -> Flushed {
        Flushed { written, lost: 0, reason: None }
    }

    const fn none(lost: usize, reason: LossReason) -> Flushed {
        Flushed { written: 0, lost, reason: Some(reason) }
    }

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).expect("the file is there")
    }

    #[test]
    fn lines_are_appended_and_a_rotated_file_is_opened_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, moved) = (folder.path().join("alerts"), folder.path().join("alerts.1"));
        std::fs::write(&path, "before\n").expect("a file");
        let mut sink = LineSink::file(&path).expect("writable");
        push(&mut sink, &["a", "b"]);
        assert_eq!((sink.pending(), sink.flush(), sink.flush()), (2, all(2), all(0)));
        std::fs::rename(&path, &moved).expect("a rotation");
        push(&mut sink, &["c"]);
        assert_eq!(sink.flush(), all(1));
        std::fs::remove_file(&path).expect("a removal");
        push(&mut sink, &["d"]);
        sink.reopen();
        assert_eq!(sink.flush(), all(1));
        assert_eq!((text(&moved).as_str(), text(&path).as_str()), ("before\na\nb\n", "d\n"));
        assert_eq!(std::fs::metadata(&path).expect("the file is there").mode() & 0o027, 0, "others may not read it");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_first_and_a_loss_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        let path = inner.join("alerts");
        let error = LineSink::file(&path).expect_err("no such folder").to_string();
        assert!(error.contains("inner/alerts") && error.contains("alert.output"), "{error}");
        std::fs::create_dir(&inner).expect("a folder");
        let mut sink = LineSink::file(&path).expect("writable");
        std::fs::remove_dir_all(&inner).expect("a removal");
        push(&mut sink, &["a", "b"]);
        assert_eq!(sink.flush(), none(2, LossReason::Open));
        std::fs::create_dir(&inner).expect("a folder");
        push(&mut sink, &["c"]);
        assert_eq!((sink.flush(), text(&path).as_str()), (all(1), "c\n"));
    }

    #[test]
    fn a_full_disk_is_a_loss() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            eprintln!("skipped: no /dev/full here");
            return;
        }
        let mut sink = LineSink::file(full).expect("writable");
        push(&mut sink, &["a", "b", "c"]);
        assert_eq!(sink.flush(), none(3, LossReason::Full));
        assert_eq!((sink.name(), sink.pending(), sink.is_closed()), ("file", 0, false));
    }

    #[test]
    fn a_reader_that_went_away_is_a_loss() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut sink = LineSink::handle(File::from(std::os::fd::OwnedFd::from(writer)));
        push(&mut sink, &["a"]);
        assert_eq!((sink.flush(), sink.is_closed()), (all(1), false));
        drop(reader);
        push(&mut sink, &["b"]);
        assert_eq!((sink.flush(), sink.is_closed()), (none(1, LossReason::Closed), true));
    }

    #[test]
    fn a_torn_line_is_lost_and_the_next_stands_alone() {
        for blocks in [true, false] {
            a_torn_line(blocks);
        }
    }

    fn a_torn_line(blocks: bool) {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let writer = std::os::fd::OwnedFd::from(writer);
        rustix::io::ioctl_fionbio(&writer, !blocks).expect("a pipe can be made not to block");
        let mut sink = LineSink::handle(File::from(writer)).impatient();
        // Two long lines fill the pipe within the second one; nobody reads for a second.
        let long = "x".repeat(50_000);
        push(&mut sink, &[&long, &long, "after"]);
        assert_eq!(sink.flush(), Flushed { written: 1, lost: 2, reason: Some(LossReason::Blocked) });
        let mut taken = vec![0; 60_000];
        reader.read_exact(&mut taken).expect("it is in the pipe");
        push(&mut sink, &["next"]);
        assert_eq!(sink.flush(), all(1));
        drop(sink);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).expect("text");
        let lines: Vec<_> = rest.lines().collect();
        assert_eq!((lines.len(), lines.last().copied()), (2, Some("next")));
    }
}
