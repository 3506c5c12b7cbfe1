//! Bytes of a capture file through one buffer: whole records in place, gzip unpacked on the way.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::Stop;

/// A buffered reader that hands out contiguous bytes.
pub(super) struct Input {
    reader: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes consumed before `start`.
    offset: u64,
}

impl Input {
    /// Opens a path, or standard input for `-`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let raw: Box<dyn Read + Send> = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            let file = File::open(path)?;
            if file.metadata()?.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            Box::new(file)
        };
        Self::of(raw)
    }

    /// Reads a stream; unpacks gzip by its first two bytes.
    pub(super) fn of(raw: Box<dyn Read + Send>) -> io::Result<Self> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut counted = Counted { inner: raw, taken: Arc::clone(&taken) };
        let mut first = [0; 2];
        let mut have = 0;
        while let Some(rest) = first.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match counted.read(rest) {
                Ok(0) => break,
                Ok(n) => have = have.saturating_add(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let first = first.get(..have).unwrap_or_default().to_vec();
        let is_gzip = first == GZIP;
        let whole = io::Cursor::new(first).chain(counted);
        let reader: Box<dyn Read + Send> = if is_gzip {
            Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(BUFFER, whole)))
        } else {
            Box::new(whole)
        };
        Ok(Self { reader, taken, buffer: vec![0; BUFFER], start: 0, end: 0, offset: 0 })
    }

    /// The next `length` bytes, not consumed; `None` when the file ends before.
    pub(super) fn peek(&mut self, length: usize) -> Result<Option<&[u8]>, Stop> {
        if self.end.saturating_sub(self.start) < length && !self.fill(length)? {
            return Ok(None);
        }
        Ok(self.buffer.get(self.start..self.start.saturating_add(length)))
    }

    /// What is left in the buffer.
    pub(super) fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Steps over bytes that were peeked.
    pub(super) fn consume(&mut self, length: usize) {
        let length = length.min(self.end.saturating_sub(self.start));
        self.start = self.start.saturating_add(length);
        self.offset = self.offset.saturating_add(length as u64);
    }

    /// Steps over bytes that may lie beyond the buffer; `false` when the file ends before.
    pub(super) fn skip(&mut self, mut length: u64) -> Result<bool, Stop> {
        loop {
            let here = length.min(self.end.saturating_sub(self.start) as u64);
            self.consume(usize::try_from(here).unwrap_or(usize::MAX));
            length = length.saturating_sub(here);
            if length == 0 {
                return Ok(true);
            }
            if !self.fill(1)? {
                return Ok(false);
            }
        }
    }

    /// The last `length` bytes that were consumed, which must still be in the buffer.
    pub(super) fn consumed(&self, length: usize) -> &[u8] {
        self.buffer.get(self.start.saturating_sub(length)..self.start).unwrap_or_default()
    }

    /// Offset in the (unpacked) file of the next byte.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn bytes_taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Makes `length` bytes available; `false` when the file ends before.
    fn fill(&mut self, length: usize) -> Result<bool, Stop> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        while self.end < length {
            let Some(free) = self.buffer.get_mut(self.end..) else { return Ok(false) };
            match self.reader.read(free) {
                Ok(0) => return Ok(false),
                Ok(n) => self.end = self.end.saturating_add(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Read(error)),
            }
        }
        Ok(true)
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("offset", &self.offset).finish_non_exhaustive()
    }
}

/// Counts the bytes that a reader gave.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.taken.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Larger than the longest ordinary packet, small enough for the L2 cache.
const BUFFER: usize = 256 * 1024;
/// The first bytes of a gzip member (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
