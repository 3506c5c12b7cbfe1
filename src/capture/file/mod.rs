//! Capture files: pcap and pcapng, either byte order, micro- and nanosecond, plain or gzip, from a path or stdin.
//!
//! A reader of our own over one 256 KiB buffer: libpcap reads no gzip, refuses files whose interfaces differ, and takes
//! twice the time. A file that ends early or is damaged gives all packets up to that place, then an error that names it.

mod input;
mod pcap;
mod pcapng;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{PacketSource, Progress};
use crate::packet::Frame;
use input::Input;

/// One capture file, read from front to back.
#[derive(Debug)]
pub struct CaptureFile {
    name: FileName,
    input: Input,
    format: Format,
    packets: u64,
    ended: bool,
}

/// Which file: a path, or standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(PathBuf);

/// Why a capture file could not be opened, or not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be opened.
    #[error("cannot open {file}: {source}")]
    Open {
        /// Which file.
        file: FileName,
        /// The system's reason.
        source: io::Error,
    },
    /// The file's first bytes are those of no capture format.
    #[error("{file} is not a capture file: {found}; pcap, pcapng and either of them in gzip can be read")]
    NotACapture {
        /// Which file.
        file: FileName,
        /// What its first bytes are.
        found: String,
    },
    /// The system failed to give more bytes.
    #[error("cannot read {file} beyond byte {offset}, after packet {packets}: {source}")]
    Read {
        /// Which file.
        file: FileName,
        /// Bytes read of the (unpacked) file.
        offset: u64,
        /// Packets read before it.
        packets: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// The file ends inside a packet or block, as a capture does that was stopped hard.
    #[error("{file} ends early: after packet {packets}, at byte {offset}, the rest of {part} is missing")]
    Truncated {
        /// Which file.
        file: FileName,
        /// Where the cut part begins in the (unpacked) file.
        offset: u64,
        /// Packets read before it.
        packets: u64,
        /// What is cut.
        part: &'static str,
    },
    /// A length or number in the file contradicts the format; what follows cannot be found.
    #[error("{file} is damaged after packet {packets}, at byte {offset}: {problem}")]
    Damaged {
        /// Which file.
        file: FileName,
        /// Where the damaged part begins in the (unpacked) file.
        offset: u64,
        /// Packets read before it.
        packets: u64,
        /// What contradicts the format.
        problem: String,
    },
}

impl FileError {
    /// Whether the file was a capture of which everything up to this place has been delivered.
    #[must_use]
    pub const fn is_incomplete_capture(&self) -> bool {
        matches!(self, Self::Read { .. } | Self::Truncated { .. } | Self::Damaged { .. })
    }
}

/// What stopped a format's reader; [`CaptureFile`] adds the place.
#[derive(Debug)]
enum Stop {
    /// The end, where a packet or block may end.
    End,
    Read(io::Error),
    Truncated(&'static str),
    Damaged(String),
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

impl CaptureFile {
    /// Opens a capture file, or standard input for `-`, and reads its header.
    ///
    /// # Errors
    /// [`FileError::Open`], [`FileError::NotACapture`] or, for a header cut short, [`FileError::Truncated`].
    pub fn open(path: &Path) -> Result<Self, FileError> {
        Self::new(path, Input::open(path))
    }

    /// The same for a stream, such as a request's body; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`CaptureFile::open`].
    pub fn from_stream(name: &str, stream: Box<dyn io::Read + Send>) -> Result<Self, FileError> {
        Self::new(Path::new(name), Input::of(stream))
    }

    fn new(path: &Path, input: io::Result<Input>) -> Result<Self, FileError> {
        let name = FileName(path.to_owned());
        let mut input = input.map_err(|source| FileError::Open { file: name.clone(), source })?;
        let format = Self::sniff(&mut input).map_err(|stop| match stop {
            Stop::Damaged(found) => FileError::NotACapture { file: name.clone(), found },
            Stop::End => FileError::NotACapture { file: name.clone(), found: "it is empty".to_owned() },
            stop => name.error(stop, 0, 0),
        })?;
        Ok(Self { name, input, format, packets: 0, ended: false })
    }

    /// Packets read so far.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Bytes taken from the file itself so far (packed, if it is gzip), for a progress bar.
    #[must_use]
    pub fn bytes_taken(&self) -> u64 {
        self.input.bytes_taken()
    }

    fn sniff(input: &mut Input) -> Result<Format, Stop> {
        let magic: [u8; 4] = match input.peek(4)? {
            Some(bytes) => bytes.first_chunk().copied().unwrap_or_default(),
            None => {
                let rest = input.rest().len();
                return Err(if rest == 0 { Stop::End } else { Stop::Damaged(format!("it is {rest} bytes long")) });
            }
        };
        if magic == pcapng::SECTION_HEADER.to_be_bytes() {
            return Ok(Format::Pcapng(pcapng::Pcapng::default()));
        }
        pcap::Pcap::open(magic, input).map(Format::Pcap)
    }
}

impl PacketSource for CaptureFile {
    type Error = FileError;

    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, mut deliver: F) -> Result<Progress, FileError> {
        if self.ended {
            return Ok(Progress::End);
        }
        for _ in 0..max {
            let outcome = match &mut self.format {
                Format::Pcap(pcap) => pcap.next(&mut self.input),
                Format::Pcapng(pcapng) => pcapng.next(&mut self.input),
            };
            match outcome {
                Ok(frame) => {
                    self.packets = self.packets.saturating_add(1);
                    deliver(frame);
                }
                Err(Stop::End) => {
                    self.ended = true;
                    return Ok(Progress::End);
                }
                Err(stop) => {
                    self.ended = true;
                    return Err(self.name.error(stop, self.input.offset(), self.packets));
                }
            }
        }
        Ok(Progress::Delivered)
    }
}

impl FileName {
    /// Whether this is standard input.
    #[must_use]
    pub fn is_stdin(&self) -> bool {
        self.0.as_os_str() == "-"
    }

    fn error(&self, stop: Stop, offset: u64, packets: u64) -> FileError {
        let file = self.clone();
        match stop {
            Stop::End => FileError::Truncated { file, offset, packets, part: "the file" },
            // A gzip stream that is cut says so in this way.
            Stop::Read(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                FileError::Truncated { file, offset, packets, part: "the gzip stream" }
            }
            Stop::Read(source) => FileError::Read { file, offset, packets, source },
            Stop::Truncated(part) => FileError::Truncated { file, offset, packets, part },
            Stop::Damaged(problem) => FileError::Damaged { file, offset, packets, problem },
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_stdin() { f.write_str("standard input") } else { self.0.display().fmt(f) }
    }
}

/// The longest packet that a capture file may hold: libpcap's MAXIMUM_SNAPLEN. Beyond it a length is damage.
const LONGEST_PACKET: u32 = 262_144;
