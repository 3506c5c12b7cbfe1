//! `flowshrike label`: rules turn captures or flow CSVs into labelled flows.
//!
//! `captures` runs packets through the pipeline, `flows` reads rows of a CSV; both ask [`Labelling`] for each flow's label.
//! `report` tells what each rule took.

mod captures;
mod flows;
mod labelling;
mod report;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use flate2::bufread::MultiGzDecoder;

use self::labelling::Labelling;
use self::report::Report;
use super::inputs::{Defaults, Inputs, Ran};
use super::{Usage, output, rules_file, signals};
use crate::capture::{CaptureFile, FileError};
use crate::dataset::rules::Fallback;
use crate::features::Profile;
use crate::sink::Detail;
use crate::taxonomy;

/// Options of `label`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("files", |arg| arg.help(FILES)))]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,

    /// The rules: YAML, see docs/label.md
    #[arg(long, required = true, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Which reading of the features a capture's flows get, `standard` or `cic` [default: standard]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<Profile>,

    /// Output format; flow CSVs stay CSV
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,

    /// Parquet for a data set that is kept: without `Flow ID` and the columns that no model of the daemon reads, numbers to
    /// five digits
    #[arg(long)]
    compact: bool,

    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Also write the report as JSON
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,

    /// Leave out flows that have no label in the end
    #[arg(long)]
    drop_unlabelled: bool,

    /// Print the labels of the taxonomy and exit
    #[arg(long, exclusive = true)]
    list_labels: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The columns of `extract`, or the input's own, and `Scenario`
    Csv,
    /// One JSON object a line (captures only)
    Jsonl,
    /// A Parquet file with the columns of CSV (captures only; to --output only)
    Parquet,
}

impl Format {
    const fn flag(self) -> Option<&'static str> {
        match self {
            Self::Csv => None,
            Self::Jsonl => Some("--format jsonl"),
            Self::Parquet => Some("--format parquet"),
        }
    }
}

/// Labels flows; the report goes to stderr.
///
/// # Errors
/// What is wrong with the rules or the files.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    if args.list_labels {
        return write_labels();
    }
    let path = args.rules.as_deref().context("--rules is missing")?;
    let rules = rules_file::open(path)?;
    args.inputs.spare(args.output.as_deref())?;
    args.inputs.spare(args.report.as_deref())?;
    for (one, other) in [(&args.output, &args.rules), (&args.report, &args.rules), (&args.report, &args.output)] {
        if let (Some(one), Some(other)) = (one, other)
            && (one == other || one.canonicalize().ok().is_some_and(|path| other.canonicalize().ok() == Some(path)))
        {
            bail!(Usage(format!("{} is given twice: it would be overwritten", one.display())));
        }
    }
    if args.compact && args.format != Format::Parquet {
        bail!(Usage("--compact is for --format parquet".to_owned()));
    }
    let detail = if args.compact { Detail::Compact } else { Detail::Full };
    signals::end_whole()?;
    let mut labelling = Labelling::new(&rules, args.drop_unlabelled);
    let mut ran = None;
    match kind(&args.inputs.files)? {
        Kind::Captures => {
            if *rules.fallback() == Fallback::Keep {
                bail!(Usage(format!(
                    "{}: `default: keep` has no meaning for captures: their flows have no label",
                    path.display()
                )));
            }
            let profile = args.profile.unwrap_or_default();
            let plan = args.inputs.plan(profile, Defaults::of(profile))?;
            let known = captures::known(&args.inputs, &rules)?;
            let output = match args.format {
                Format::Csv | Format::Jsonl => output::Table::open(args.output.as_deref())?,
                Format::Parquet => output::Table::file(args.output.as_deref(), "Parquet")?,
            };
            ran = Some(captures::run(&plan, profile, (args.format, detail), known, &mut labelling, output)?);
        }
        Kind::Flows => {
            let profile = args.profile.map(|_| "--profile");
            if let Some(flag) = args.inputs.packet_flag().or(profile).or_else(|| args.format.flag()) {
                bail!(Usage(format!("{flag} is for captures: flow CSVs keep the flows and columns that they have")));
            }
            flows::run(&args.inputs.files, &mut labelling, || output::Table::open(args.output.as_deref()))?.finish()?;
        }
    }
    let report = Report::new(&labelling);
    eprint!("{}", report.text());
    if let Some(path) = &args.report {
        let mut json = serde_json::to_vec_pretty(&report).context("the report")?;
        json.push(b'\n');
        output::write_whole(path, &json)?;
    }
    ran.map_or(Ok(()), Ran::report)
}

fn write_labels() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(taxonomy::text().as_bytes())?;
    Ok(out.flush()?)
}

/// What the inputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Captures,
    Flows,
}

/// Looks at the first bytes of every file: all are of one kind.
fn kind(files: &[PathBuf]) -> anyhow::Result<Kind> {
    let Some((first, others)) = files.split_first() else { bail!(Usage("no input".to_owned())) };
    let kind = kind_of(first)?;
    for path in others {
        if kind_of(path)? != kind {
            let (first, path) = (first.display(), path.display());
            bail!(Usage(format!(
                "{first} and {path}: captures and flow CSVs have different columns; label them one after the other"
            )));
        }
    }
    Ok(kind)
}

/// A file that is no capture but begins with text is taken for a CSV. What can be read only once is taken for a capture.
fn kind_of(path: &Path) -> anyhow::Result<Kind> {
    if path.as_os_str() != "-" {
        std::fs::metadata(path).with_context(|| path.display().to_string())?;
    }
    if !is_file(path) {
        return Ok(Kind::Captures);
    }
    match CaptureFile::open(path) {
        Err(error @ FileError::NotACapture { .. }) => {
            let mut start = Vec::new();
            let read = open(path).and_then(|stream| stream.take(64).read_to_end(&mut start));
            let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace() || !byte.is_ascii();
            match read {
                Ok(1..) if start.iter().all(is_text) => Ok(Kind::Flows),
                _ => Err(error.into()),
            }
        }
        // What else is wrong with it is said when it is read.
        _ => Ok(Kind::Captures),
    }
}

/// Whether a path can be read several times.
fn is_file(path: &Path) -> bool {
    path.as_os_str() != "-" && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// A file's bytes, unpacked if it is gzip.
fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut file = BufReader::new(File::open(path)?);
    let packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// A file's name without folders and extensions, as `train` names captures.
fn stem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    match name.split('.').next() {
        Some("-") => "stdin".to_owned(),
        Some("") | None => name.into_owned(),
        Some(stem) => stem.to_owned(),
    }
}

const FILES: &str = "Captures (pcap or pcapng; `-` reads one from standard input) or flow CSVs with CICFlowMeter columns, plain \
                     or gzip";
