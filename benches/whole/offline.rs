//! Whole files: the traces, the rounds, and the rows that come of them.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::contestants::{CIC, Contestant, EXTRACT, EXTRACT_2, REPLAY, REPLAY_2, Work, peers};
use super::options::Options;
use super::process::{Running, Usage};
use super::report::{Row, Target};
use super::{interrupt, process};

/// A capture file and what is in it, by our own count.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
    pub(super) packets: u64,
    pub(super) flows: u64,
}

/// The captures that everything runs over.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    pub(super) mixed: Trace,
    small: Trace,
    flood: Trace,
    live: Trace,
    /// Next to nothing: what the program takes by itself.
    tiny: Trace,
}

impl Traces {
    /// Finds the traces, and counts what is in them by a replay, which also brings them into memory.
    pub(super) fn find(options: &Options) -> anyhow::Result<Self> {
        let generated = |name: &str| options.folder.join("traces").join(name).with_extension("pcap");
        let given = |path: &Option<PathBuf>, name: &str| path.clone().unwrap_or_else(|| generated(name));
        let count = |name, path| Trace::count(name, path, options);
        Ok(Self {
            mixed: count("mixed", given(&options.trace, "mixed"))?,
            small: count("small", given(&options.small, "small"))?,
            flood: count("flood", generated("flood"))?,
            live: count("live", generated("live"))?,
            tiny: count("demo", Path::new(env!("CARGO_MANIFEST_DIR")).join(DEMO))?,
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Trace> {
        [&self.mixed, &self.small, &self.flood, &self.live].into_iter()
    }
}

impl Trace {
    fn count(name: &'static str, path: PathBuf, options: &Options) -> anyhow::Result<Self> {
        ensure!(path.is_file(), "{} is not there: `make bench` has it written first", path.display());
        eprintln!("looking at {}", path.display());
        let summary = options.folder.join("summary.json");
        let mut command = Command::new(&options.binary);
        command.args(["replay", "--summary"]).arg(&summary).arg(&path).stdout(Stdio::null()).stderr(Stdio::null());
        let usage = process::run(&mut command).with_context(|| format!("cannot run {}", options.binary.display()))?;
        ensure!(usage.status.success(), "{} replay {}: {}", options.binary.display(), path.display(), usage.status);
        let summary: Value = serde_json::from_slice(&std::fs::read(summary)?)?;
        let number = |value: &Value| value.as_u64().context("the summary lacks a counter");
        Ok(Self {
            packets: number(&summary["packets"]["received"])?,
            flows: number(&summary["flows"]["created"])?,
            name,
            path,
        })
    }
}

/// Runs every contestant round by round, and makes the rows.
pub(super) fn rows(options: &Options, traces: &Traces) -> anyhow::Result<Vec<Row>> {
    let Traces { mixed, small, flood, live, tiny } = traces;
    let own = |work: &Work, trace: &Trace| Contestant::own(work, trace, options);
    let mut all = vec![
        Contestant::tcpdump(mixed),
        own(&EXTRACT, mixed),
        own(&CIC, mixed),
        own(&REPLAY, mixed),
        own(&EXTRACT_2, mixed),
        own(&REPLAY_2, mixed),
    ];
    all.extend(peers(mixed, options)?);
    all.extend([Contestant::tcpdump(small), own(&EXTRACT, small)]);
    all.extend(peers(small, options)?);
    all.extend([Contestant::tcpdump(flood), own(&REPLAY, flood), own(&EXTRACT, live), own(&EXTRACT, tiny)]);
    run_rounds(&mut all, options)?;

    let identical = [
        ("extract-2/mixed", same_output(&EXTRACT, &EXTRACT_2, mixed, options)?),
        ("replay-2/mixed", same_output(&REPLAY, &REPLAY_2, mixed, options)?),
    ];
    let measured = Measured { all: &all, traces, identical };
    Ok(all.iter().map(|contestant| measured.row(contestant)).collect())
}

fn run_rounds(all: &mut [Contestant], options: &Options) -> anyhow::Result<()> {
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        // Another one first each time, so that none always follows the same neighbour's mess in the caches.
        let first = round as usize * all.len() / options.rounds as usize;
        for step in 0..all.len() {
            interrupt::check()?;
            let next = (first + step) % all.len();
            if let Some(contestant) = all.get_mut(next) {
                contestant.run(&options.folder)?;
            }
        }
    }
    Ok(())
}

struct Measured<'a> {
    all: &'a [Contestant],
    traces: &'a Traces,
    identical: [(&'static str, bool); 2],
}

impl Measured<'_> {
    fn row(&self, contestant: &Contestant) -> Row {
        let id = contestant.id.as_str();
        let trace = id.rsplit('/').next().unwrap_or_default();
        let over_tcpdump = if id.starts_with("tcpdump") { None } else { self.cpu(id, &format!("tcpdump/{trace}")) };
        Row {
            id: id.to_owned(),
            work: contestant.work.clone(),
            packets: contestant.packets,
            figures: contestant.runs.figures(contestant.packets),
            over_tcpdump,
            note: contestant.note.clone(),
            targets: self.targets(id, over_tcpdump),
        }
    }

    /// What the throughput work is held against, by row.
    fn targets(&self, id: &str, over_tcpdump: Option<f64>) -> Vec<Target> {
        match id {
            "extract/mixed" => vec![
                Target::at_most(2.2, "x tcpdump's CPU", over_tcpdump),
                Target::at_most(1.0 / 3.5, "x RustiFlow's CPU", self.cpu(id, "rustiflow/mixed")),
                Target::at_most(96.0, "MiB", self.peak(id)),
            ],
            "extract-cic/mixed" => vec![Target::at_most(1.3, "x standard's CPU", self.cpu(id, "extract/mixed"))],
            "replay/mixed" => {
                vec![Target::at_most(1.8, "x tcpdump's CPU", over_tcpdump), Target::at_most(96.0, "MiB", self.peak(id))]
            }
            "extract-2/mixed" => self.two_workers(id, "extract/mixed"),
            "replay-2/mixed" => self.two_workers(id, "replay/mixed"),
            "extract/small" => vec![
                Target::at_most(5.5, "x tcpdump's CPU", over_tcpdump),
                Target::at_most(0.2, "x RustiFlow's CPU", self.cpu(id, "rustiflow/small")),
            ],
            "replay/flood" => {
                let per_packet = self.traces.mixed.packets as f64 / self.traces.flood.packets.max(1) as f64;
                let ratio = self.cpu(id, "replay/mixed").map(|ratio| ratio * per_packet);
                vec![Target::at_most(3.0, "x mixed's CPU a packet", ratio)]
            }
            "extract/live" => {
                let bytes = |(own, base): (f64, f64)| (own - base) * 1024.0 * 1024.0 / self.traces.live.flows as f64;
                let measured = self.peak(id).zip(self.peak("extract/demo")).map(bytes);
                vec![Target::at_most(640.0, "bytes a live flow", measured)]
            }
            _ => Vec::new(),
        }
    }

    fn two_workers(&self, id: &str, one: &str) -> Vec<Target> {
        let ratio = |own: &str, other: &str, figure: fn(&Usage) -> f64| {
            self.find(own)?.runs.over(&self.find(other)?.runs, figure)
        };
        let is_same = self.identical.iter().find(|(of, _)| *of == id).map(|(_, same)| f64::from(u8::from(*same)));
        vec![
            Target::at_least(1.7, "x one worker's speed", ratio(one, id, |run| run.wall)),
            Target::at_most(1.25, "x one worker's CPU", ratio(id, one, |run| run.cpu)),
            Target::at_least(1.0, "same output (1: to the byte)", is_same),
        ]
    }

    fn find(&self, id: &str) -> Option<&Contestant> {
        self.all.iter().find(|contestant| contestant.id == id)
    }

    /// CPU time over that of another.
    fn cpu(&self, id: &str, other: &str) -> Option<f64> {
        self.find(id)?.runs.over(&self.find(other)?.runs, |run| run.cpu)
    }

    fn peak(&self, id: &str) -> Option<f64> {
        self.find(id)?.runs.peak_mib()
    }
}

/// Whether two ways to do a piece of work write the same bytes.
fn same_output(one: &Work, other: &Work, trace: &Trace, options: &Options) -> anyhow::Result<bool> {
    eprintln!("comparing what {} and {} write", one.title, other.title);
    let digest = |work: &Work| -> anyhow::Result<_> {
        let mut command = Command::new(&options.binary);
        command.args(work.arguments);
        if work.arguments.first() == Some(&"replay") {
            // Every alert, so that there is more to compare.
            command.args(["--dedup-window", "0"]);
        }
        command.arg(&trace.path).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running::start(&mut command)?;
        let mut output = running.stdout().context("a pipe")?;
        let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        loop {
            match output.read(&mut buffer)? {
                0 => break,
                length => digest.update(buffer.get(..length).unwrap_or_default()),
            }
        }
        let usage = running.ended_within(Duration::from_secs(60))?.context("it closed its output and did not end")?;
        ensure!(usage.status.success(), "{} over {}: {}", work.title, trace.path.display(), usage.status);
        Ok(digest.finalize())
    };
    Ok(digest(one)? == digest(other)?)
}

/// A few thousand packets.
const DEMO: &str = "tests/data/demo-cluster.pcap.gz";
