//! The table and its JSON twin.

use std::fmt;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::figures::{Figures, Spread};
use super::offline::Traces;
use super::options::Options;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: String,
    rounds: u32,
    live_rounds: u32,
    output: &'static str,
    traces: Vec<TraceLine>,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct TraceLine {
    name: &'static str,
    path: String,
    packets: u64,
    flows: u64,
}

/// One contestant at one piece of work.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    /// Stable, for programs.
    pub(crate) id: String,
    /// For people.
    pub(crate) work: String,
    pub(super) packets: u64,
    /// None where it could not be measured; `note` says why.
    pub(super) figures: Option<Figures>,
    pub(super) over_tcpdump: Option<f64>,
    pub(super) note: Option<String>,
    pub(crate) targets: Vec<Target>,
}

/// What a row is meant to reach.
#[derive(Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(super) limit: f64,
    /// Whether the limit is one from below.
    pub(super) at_least: bool,
    pub(super) measured: Option<f64>,
    pub(crate) met: Option<bool>,
}

impl Row {
    pub(super) fn absent(id: &str, work: &str, reason: &str) -> Self {
        Self {
            id: id.to_owned(),
            work: work.to_owned(),
            packets: 0,
            figures: None,
            over_tcpdump: None,
            note: Some(reason.to_owned()),
            targets: Vec::new(),
        }
    }
}

impl Target {
    pub(super) fn at_most(limit: f64, what: &'static str, measured: Option<f64>) -> Self {
        Self { what, limit, at_least: false, measured, met: measured.map(|value| value <= limit) }
    }

    pub(super) fn at_least(limit: f64, what: &'static str, measured: Option<f64>) -> Self {
        Self { what, limit, at_least: true, measured, met: measured.map(|value| value >= limit) }
    }
}

impl Report {
    pub(super) fn new(options: &Options, traces: &Traces, rows: Vec<Row>) -> Self {
        let line = |trace: &super::offline::Trace| TraceLine {
            name: trace.name,
            path: trace.path.display().to_string(),
            packets: trace.packets,
            flows: trace.flows,
        };
        Self {
            machine: machine(),
            rounds: options.rounds,
            live_rounds: options.live_rounds,
            output: if options.to_file { "a file" } else { "/dev/null" },
            traces: traces.all().map(line).collect(),
            rows,
        }
    }

    pub(super) fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.machine)?;
        for trace in &self.traces {
            writeln!(f, "{}: {} packets, {} flows ({})", trace.name, trace.packets, trace.flows, trace.path)?;
        }
        writeln!(
            f,
            "medians of {} rounds, {} live; CPU is user + system; rows go to {}; ratios are the median of the rounds' ratios\n",
            self.rounds, self.live_rounds, self.output
        )?;
        let mut lines = vec![HEAD.map(str::to_owned)];
        self.rows.iter().for_each(|row| row.lines(&mut lines));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        for line in &lines {
            let mut text = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Words to the left, numbers to the right.
                let cell =
                    if NUMBERS.contains(&column) { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
                text.push_str(&cell);
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

impl Row {
    fn lines(&self, lines: &mut Vec<[String; COLUMNS]>) {
        let mut line = [const { String::new() }; COLUMNS];
        line[0].clone_from(&self.work);
        if let Some(figures) = &self.figures {
            line[1] = spread(figures.cpu_seconds);
            line[2] = format!("{:.0}", figures.ns_per_packet);
            line[3] = self.over_tcpdump.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
            line[4] = format!("{:.1}", figures.peak_mib);
        }
        let mut targets = self.targets.iter().map(Target::cells);
        if let Some(cells) = targets.next() {
            line[5..].clone_from_slice(&cells);
        }
        lines.push(line);
        for cells in targets {
            let mut line = [const { String::new() }; COLUMNS];
            line[5..].clone_from_slice(&cells);
            lines.push(line);
        }
        if let Some(note) = &self.note {
            let mut line = [const { String::new() }; COLUMNS];
            line[0] = format!("  ({note})");
            lines.push(line);
        }
    }
}

impl Target {
    fn cells(&self) -> [String; 3] {
        let than = if self.at_least { ">=" } else { "<=" };
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "not known",
        };
        let measured = self.measured.map_or_else(|| "-".to_owned(), number);
        [format!("{than} {} {}", number(self.limit), self.what), measured, met.to_owned()]
    }
}

fn spread(spread: Spread) -> String {
    format!("{:.2} ({:.2} to {:.2})", spread.median, spread.least, spread.greatest)
}

fn number(value: f64) -> String {
    if value == value.round() || value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

fn machine() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores, {}, Linux {}", model.map_or("an unnamed CPU", |(_, name)| name), kernel.trim())
}

const COLUMNS: usize = 8;
const HEAD: [&str; COLUMNS] =
    ["work", "CPU s (range)", "ns/packet", "x tcpdump", "peak MiB", "target", "measured", "met"];
const NUMBERS: [usize; 5] = [1, 2, 3, 4, 6];
