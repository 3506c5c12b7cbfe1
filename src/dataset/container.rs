//! From a path to its tables: what a file is, by its first bytes, and what lies in it.
//!
//! A path is one table, or a zip archive of several; text may be packed with gzip. Nothing goes by a file's name but which
//! members of an archive are tables.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, ErrorKind, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Crc;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

use super::csv::Csv;
use super::error::DatasetError;
use super::json_lines::JsonLines;
use super::parquet::Parquet;
use super::table::{Opened, Table, Trouble};

/// A table that can be opened.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// The file; a member of an archive stands below the archive.
    pub(super) path: PathBuf,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File,
    Member { archive: PathBuf, start: u64, packed: u64, unpacked: u64, crc: u32, method: CompressionMethod },
}

/// A table that stands in no file: the body of a request.
pub enum Upload {
    /// A file's bytes, of any format.
    Whole(Bytes),
    /// Text that is unpacked as it is read.
    Stream(Box<dyn BufRead + Send>),
}

impl Upload {
    /// Opens the table and reads the names of its columns; `name` is what errors call it.
    ///
    /// # Errors
    /// If it cannot be read or names none.
    pub(super) fn open(self, name: &str) -> Result<Opened, DatasetError> {
        let table = match self {
            Self::Whole(bytes) if bytes.starts_with(PARQUET) => {
                let length = bytes.len() as u64;
                Parquet::open(bytes, length).map(|table| Box::new(table) as Box<dyn Table>)
            }
            Self::Whole(bytes) => text(Box::new(Cursor::new(bytes))),
            Self::Stream(stream) => text(stream),
        };
        let path = PathBuf::from(name);
        let table = table.map_err(|trouble| trouble.at(path.clone(), None))?;
        Ok(Opened { path, stem: name.to_owned(), table })
    }
}

/// The tables of a path in order, and the members of an archive that are none.
///
/// # Errors
/// If the file cannot be read, or is an archive that is damaged, locked or without a table.
pub(super) fn parts(path: &Path) -> Result<(Vec<Part>, Vec<PathBuf>), DatasetError> {
    let io = |source| DatasetError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    // A pipe is read once: it is text, or it is refused.
    let is_file = file.metadata().map_err(io)?.is_file();
    let start = if is_file { start_of(&mut file).map_err(io)? } else { Vec::new() };
    if !ZIP.iter().any(|magic| start.starts_with(magic)) {
        return Ok((vec![Part { path: path.to_owned(), place: Place::File }], Vec::new()));
    }
    file.rewind().map_err(io)?;
    let problem = |problem| DatasetError::File { path: path.to_owned(), problem };
    let mut archive =
        ZipArchive::new(BufReader::new(file)).map_err(|error| problem(format!("not a whole zip archive: {error}")))?;
    let (mut parts, mut others) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(|error| problem(format!("member {}: {error}", index + 1)))?;
        if !member.is_file() {
            continue;
        }
        let name = member.name().map_err(|error| problem(format!("member {}: {error}", index + 1)))?.into_owned();
        let below = path.join(name.trim_start_matches('/'));
        if !is_table(&name) {
            others.push(below);
            continue;
        }
        let method = member.compression();
        if member.encrypted() || !matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(problem(format!(
                "`{name}` is encrypted, or packed by other means than deflate: unpack it first"
            )));
        }
        let place = Place::Member {
            archive: path.to_owned(),
            start: member.data_start().ok_or_else(|| problem(format!("`{name}` has no place in it")))?,
            packed: member.compressed_size(),
            unpacked: member.size(),
            crc: member.crc32(),
            method,
        };
        parts.push(Part { path: below, place });
    }
    if parts.is_empty() {
        return Err(problem(format!("no table in the archive: members that end in {} are", TABLES.join(", "))));
    }
    parts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((parts, others))
}

impl Part {
    /// Opens the table and reads the names of its columns.
    ///
    /// # Errors
    /// If it cannot be read or names none.
    pub(super) fn open(&self) -> Result<Opened, DatasetError> {
        let table = self.table().map_err(|trouble| trouble.at(self.path.clone(), None))?;
        let stem = self.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let stem = stem.split('.').next().unwrap_or_default().to_owned();
        Ok(Opened { path: self.path.clone(), stem, table })
    }

    fn table(&self) -> Result<Box<dyn Table>, Trouble> {
        match &self.place {
            Place::File => {
                let mut file = File::open(&self.path)?;
                if file.metadata()?.is_file() {
                    let start = start_of(&mut file)?;
                    file.rewind()?;
                    if start.starts_with(PARQUET) {
                        let length = file.metadata()?.len();
                        return Ok(Box::new(Parquet::open(file, length)?));
                    }
                }
                text(Box::new(BufReader::new(file)))
            }
            Place::Member { archive, start, packed, unpacked, crc, method } => {
                let mut file = File::open(archive)?;
                file.seek(SeekFrom::Start(*start))?;
                let packed = BufReader::new(file.take(*packed));
                let stream: Box<dyn Read> = match *method {
                    CompressionMethod::Deflated => Box::new(DeflateDecoder::new(packed)),
                    _ => Box::new(packed),
                };
                text(Box::new(BufReader::new(Checked { stream, crc: Crc::new(), left: *unpacked, expected: *crc })))
            }
        }
    }
}

/// The table of a text stream.
fn text(mut stream: Box<dyn BufRead>) -> Result<Box<dyn Table>, Trouble> {
    let mut start = start_of(&mut stream)?;
    let mut stream: Box<dyn BufRead> = Box::new(Cursor::new(start.clone()).chain(stream));
    if start.starts_with(GZIP) {
        stream = Box::new(BufReader::new(MultiGzDecoder::new(stream)));
        start = start_of(&mut stream)?;
        stream = Box::new(Cursor::new(start.clone()).chain(stream));
    }
    if start.starts_with(PARQUET) || start.starts_with(GZIP) || ZIP.iter().any(|magic| start.starts_with(magic)) {
        return Err(Trouble::Other(
            "Parquet and archives are read from a file of their own: unpack it first".to_owned(),
        ));
    }
    let text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&start);
    if text.trim_ascii_start().starts_with(b"{") {
        return Ok(Box::new(JsonLines::open(stream)?));
    }
    Ok(Box::new(Csv::open(stream)?))
}

/// The first bytes of a stream, fewer where it has fewer.
fn start_of(stream: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(START);
    stream.take(START as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// Whether a member of an archive is a table, by its name; what the systems that pack archives leave in them is none.
fn is_table(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let file = name.rsplit('/').next().unwrap_or_default();
    !file.starts_with('.')
        && !name.starts_with("__macosx/")
        && TABLES
            .iter()
            .any(|end| file.ends_with(end) || file.strip_suffix(".gz").is_some_and(|file| file.ends_with(end)))
}

/// An archive's member: an error if it is not as long, or not the same, as the archive says.
struct Checked {
    stream: Box<dyn Read>,
    crc: Crc,
    left: u64,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        let damaged = || std::io::Error::new(ErrorKind::InvalidData, "damaged: the archive's check sum is another");
        self.left = self.left.checked_sub(read as u64).ok_or_else(damaged)?;
        if read == 0 && !buffer.is_empty() && (self.left > 0 || self.crc.sum() != self.expected) {
            return Err(damaged());
        }
        Ok(read)
    }
}

/// First bytes of a gzip stream.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// First bytes of a zip archive, and of one that is empty.
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
/// First bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";
/// Bytes that tell one format from another: a byte order mark and some blanks may come first.
const START: usize = 64;
/// Ends of the names of tables in an archive, which may be packed by gzip in it. Parquet needs a file of its own.
const TABLES: [&str; 4] = [".csv", ".jsonl", ".ndjson", ".json"];
