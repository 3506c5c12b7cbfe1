//! Capture files as a command's input: which, how they are run, what is said of damaged ones.

use std::io::IsTerminal as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::capture::{CaptureFile, FileError, PacketSource, Progress};
use crate::features::Profile;
use crate::flow::{FlowPolicy, Lifecycle};
use crate::packet::{Frame, MAX_TUNNEL_DEPTH, TUNNEL_DEPTH, Tunnel, Tunnels};
use crate::pipeline::{Merged, Offline, OfflineError, Order, Stage, Totals, limits};
use crate::time::Micros;

use super::Usage;

/// Flags of every command that reads capture files.
#[derive(Debug, clap::Args)]
pub(super) struct Inputs {
    /// Capture files: pcap or pcapng, plain or gzip; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// Merge the files by packet time into one capture, instead of taking each as a capture of its own
    #[arg(long)]
    merge: bool,

    /// Fail (exit code 1) when a capture file ends early or is damaged; without this, what can be read is used and
    /// a warning names the place
    #[arg(long)]
    strict: bool,

    /// Worker threads; the output is the same for any number [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Option<u16>,

    /// Most flows kept at a time over all workers [default: 1,000,000 or what 40 % of the memory holds, whichever
    /// is less; with `--profile cic`, what 80 % of the free memory holds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_flows: Option<u32>,

    /// End a flow that has had no packet for this many seconds (standard profile) [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    idle_timeout: Option<u32>,

    /// Cut a flow this many seconds after its first packet [default: 120]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    active_timeout: Option<u32>,

    /// Read what tunnels carry in place of their own packets (standard profile): vxlan, geneve, ipip, gre; several with commas
    #[arg(long, value_name = "TUNNEL", value_delimiter = ',')]
    decapsulate: Vec<Tunnel>,

    /// How many tunnels within each other are taken off at most
    /// [default: 2]
    #[arg(long, value_name = "N", requires = "decapsulate",
          value_parser = clap::value_parser!(u8).range(1..=i64::from(MAX_TUNNEL_DEPTH)))]
    decapsulate_depth: Option<u8>,

    /// Packets read at a time; the output is the same for any number
    #[arg(long, default_value_t = 1024, value_name = "N", hide = true,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch: u32,
}

/// Checked flags: what will run, before anything is written.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    inputs: &'a Inputs,
    offline: Offline,
}

/// Takes a run's results in order.
pub(super) trait Taker<T> {
    /// A capture begins; `name` is its file's, or its files'.
    fn capture_begin(&mut self, name: &str);

    /// One result; gives it back if its memory can be used again.
    fn take(&mut self, order: &Order, item: T) -> anyhow::Result<Option<T>>;

    /// A capture has ended.
    fn capture_end(&mut self) -> anyhow::Result<()>;
}

/// A run that came to its end.
#[derive(Debug)]
pub(super) struct Ran<S> {
    pub(super) totals: Totals,
    pub(super) stages: Vec<S>,
    failures: Vec<FileError>,
}

impl Plan<'_> {
    /// How far a flow's last packet may lie before the decision that ends it, if anything bounds that.
    pub(super) fn longest_silence(&self) -> Option<Micros> {
        self.offline.policy.longest_silence()
    }

    /// How captures are run.
    pub(super) const fn offline(&self) -> &Offline {
        &self.offline
    }

    /// Runs every capture through the pipeline, one after another. A file that cannot be read fails the command
    /// after all others have been run: see [`Ran::report`].
    pub(super) fn run<S: Stage>(
        &self,
        mut make_stage: impl FnMut() -> S,
        taker: &mut impl Taker<S::Item>,
    ) -> anyhow::Result<Ran<S>> {
        let Self { inputs, offline } = self;
        let bar = progress_bar(inputs.total_bytes());
        let stages = (0..offline.workers).map(|_| make_stage()).collect();
        let mut ran = Ran { totals: Totals::default(), stages, failures: Vec::new() };
        for paths in inputs.captures() {
            let mut sources = Vec::new();
            for path in paths {
                match CaptureFile::open(path) {
                    Ok(file) => sources.push(Watched { file, bar: bar.clone(), seen: 0 }),
                    // A file cut inside its header holds no packet that could be used.
                    Err(error) => ran.failures.push(error),
                }
            }
            if !sources.is_empty() {
                self.run_capture(paths, sources, &mut ran, taker, &bar)?;
            }
        }
        bar.finish_and_clear();
        Ok(ran)
    }

    fn run_capture<S: Stage>(
        &self,
        paths: &[PathBuf],
        sources: Vec<Watched>,
        ran: &mut Ran<S>,
        taker: &mut impl Taker<S::Item>,
        bar: &ProgressBar,
    ) -> anyhow::Result<()> {
        let files = sources.len() as u64;
        let mut refused = Ok(());
        taker.capture_begin(&names(paths));
        let take = |order, item| {
            if refused.is_err() {
                return None;
            }
            taker.take(&order, item).unwrap_or_else(|error| {
                refused = Err(error);
                None
            })
        };
        let (counts, outcome) = match <[Watched; 1]>::try_from(sources) {
            Ok([source]) => self.offline.run(source, &mut ran.stages, take),
            Err(sources) => self.offline.run(Merged::new(sources), &mut ran.stages, take),
        };
        refused?;
        ran.totals.add(&Totals { files, ..counts });
        match outcome {
            Ok(()) => {}
            Err(OfflineError::Source(error)) => {
                ran.totals.incomplete_files = ran.totals.incomplete_files.saturating_add(1);
                if error.is_incomplete_capture() && !self.inputs.strict {
                    bar.suspend(|| eprintln!("flowshrike: warning: {error}; what was read up to there is used"));
                } else {
                    ran.failures.push(error);
                }
            }
            Err(other) => return Err(other).context(names(paths)),
        }
        taker.capture_end()
    }
}

impl<S> Ran<S> {
    /// Says which files could not be read; the last of them is the command's error.
    pub(super) fn report(mut self) -> anyhow::Result<()> {
        let Some(last) = self.failures.pop() else { return Ok(()) };
        for failure in self.failures {
            eprintln!("flowshrike: {failure}");
        }
        Err(last.into())
    }
}

/// What runs where no flag says otherwise.
#[derive(Debug)]
pub(super) struct Defaults {
    pub(super) policy: FlowPolicy,
    pub(super) max_flows: usize,
    pub(super) workers: usize,
    pub(super) tunnels: Tunnels,
}

impl Defaults {
    /// The profile's own rules for whoever wants only flows that have ended: none is looked at while it is open.
    pub(super) fn of(profile: Profile) -> Self {
        let mut policy = profile.flow_policy();
        if let Lifecycle::Timed { early_verdict, .. } = &mut policy.lifecycle {
            *early_verdict = None;
        }
        Self { policy, max_flows: limits::default_max_flows(profile), workers: 1, tunnels: Tunnels::default() }
    }
}

impl Inputs {
    /// The files of each capture.
    pub(super) fn captures(&self) -> Vec<&[PathBuf]> {
        if self.merge { vec![&self.files] } else { self.files.iter().map(std::slice::from_ref).collect() }
    }

    /// A flag that only packets give a meaning to, if one is set.
    pub(super) const fn packet_flag(&self) -> Option<&'static str> {
        match self {
            Self { merge: true, .. } => Some("--merge"),
            Self { strict: true, .. } => Some("--strict"),
            Self { workers: Some(_), .. } => Some("--workers"),
            Self { max_flows: Some(_), .. } => Some("--max-flows"),
            Self { idle_timeout: Some(_), .. } => Some("--idle-timeout"),
            Self { active_timeout: Some(_), .. } => Some("--active-timeout"),
            Self { decapsulate, .. } if !decapsulate.is_empty() => Some("--decapsulate"),
            _ => None,
        }
    }

    /// Checks the flags against each other.
    pub(super) fn plan(&self, profile: Profile, defaults: Defaults) -> anyhow::Result<Plan<'_>> {
        if self.files.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            bail!(Usage("standard input (`-`) can be read only once".to_owned()));
        }
        let Defaults { mut policy, max_flows, workers, tunnels } = defaults;
        match (&mut policy.lifecycle, self.idle_timeout) {
            (Lifecycle::Timed { idle_timeout, .. }, Some(seconds)) => *idle_timeout = Micros::from_secs(seconds.into()),
            (Lifecycle::Reference, Some(_)) => {
                bail!(Usage(
                    "--idle-timeout has no meaning with `--profile cic`: no flow ends by time there".to_owned()
                ))
            }
            (_, None) => {}
        }
        match self.active_timeout {
            Some(_) if profile == Profile::Cic => {
                bail!(Usage(
                    "--active-timeout cannot be set with `--profile cic`: it is the reference's 120 s".to_owned()
                ))
            }
            Some(seconds) => policy.active_timeout = Micros::from_secs(seconds.into()),
            None => {}
        }
        if profile == Profile::Cic && !self.decapsulate.is_empty() {
            bail!(Usage("--decapsulate has no meaning with `--profile cic`: the reference knows no tunnels".to_owned()))
        }
        let offline = Offline {
            profile,
            policy,
            workers: self.workers.map_or(workers, usize::from),
            max_flows: self.max_flows.map_or(max_flows, |n| n as usize),
            batch: self.batch as usize,
            tunnels: if self.decapsulate.is_empty() {
                tunnels
            } else {
                Tunnels::new(&self.decapsulate, self.decapsulate_depth.unwrap_or(TUNNEL_DEPTH))
            },
        };
        Ok(Plan { inputs: self, offline })
    }

    /// Refuses an output that would overwrite one of the files.
    pub(super) fn spare(&self, output: Option<&Path>) -> Result<(), Usage> {
        let identity = |path: &Path| std::fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| (m.dev(), m.ino()));
        let Some((path, written)) = output.and_then(|path| Some((path, identity(path)?))) else { return Ok(()) };
        if self.files.iter().any(|file| identity(file) == Some(written)) {
            return Err(Usage(format!("{} is an input: it would be overwritten", path.display())));
        }
        Ok(())
    }

    /// Bytes of all files, unless one has no size.
    fn total_bytes(&self) -> Option<u64> {
        self.files.iter().map(|path| std::fs::metadata(path).ok().filter(|m| m.is_file()).map(|m| m.len())).sum()
    }
}

/// A capture file that moves the progress bar.
#[derive(Debug)]
struct Watched {
    file: CaptureFile,
    bar: ProgressBar,
    seen: u64,
}

impl PacketSource for Watched {
    type Error = FileError;

    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, deliver: F) -> Result<Progress, FileError> {
        let progress = self.file.read(max, deliver);
        let taken = self.file.bytes_taken();
        if taken != self.seen {
            self.bar.inc(taken.saturating_sub(self.seen));
            self.seen = taken;
        }
        progress
    }
}

/// A bar on stderr if that is a terminal, else nothing.
fn progress_bar(total: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(bytes) => (ProgressBar::new(bytes), "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What a capture of these files is called in messages and to a [`Taker`].
pub(super) fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
