//! Live: the daemon at one end of a veth pair, a source at full speed or half of it at the other.
//!
//! Needs root; the namespaces are the runner's own and are removed with it. A receiver's copy by the kernel is billed to the sender
//! on a veth (it delivers in the sender's softirq), for us as for tcpdump.
#![expect(clippy::disallowed_methods, reason = "patience is measured by the clock")]

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use super::contestants::is_installed;
use super::figures::{Runs, Spread};
use super::metrics_page;
use super::offline::Traces;
use super::options::Options;
use super::process::{Running, Usage};
use super::report::{Row, Target};
use super::sender::{self, Sent};
use crate::util::netns::VethPair;

/// The live rows; without figures, and with the reason, where they cannot be measured.
pub(super) fn rows(options: &Options, traces: &Traces) -> anyhow::Result<Vec<Row>> {
    let absent = |reason: &str| Ok(ROWS.iter().map(|(id, work)| Row::absent(id, work, reason)).collect());
    if options.no_live {
        return absent("left out");
    }
    if !rustix::process::geteuid().is_root() {
        return absent("skipped: network namespaces need root");
    }
    if let Some(missing) = ["ip", "ethtool", "sysctl", "tcpdump"].into_iter().find(|name| !is_installed(name)) {
        return absent(&format!("skipped: {missing} is not installed"));
    }
    let Some(veth) = VethPair::new("bench") else {
        return absent("skipped: network namespaces cannot be made here");
    };
    let bed = Bed { veth, options, trace: &traces.mixed.path, count: options.live_packets.min(traces.mixed.packets) };
    let mut series = [const { Vec::new() }; ROWS.len()];
    for round in 0..options.live_rounds {
        eprintln!("live round {} of {}", round + 1, options.live_rounds);
        let [tcpdump, one, two, half] = &mut series;
        tcpdump.push(bed.tcpdump()?);
        let full = bed.daemon(1, 0.0)?;
        let rate = full.sent.packets as f64 / full.sent.seconds;
        one.push(full);
        two.push(bed.daemon(2, 0.0)?);
        half.push(bed.daemon(1, rate / 2.0)?);
    }
    Ok(ROWS.iter().zip(&series).map(|((id, work), trials)| row(id, work, trials, &series)).collect())
}

const ROWS: [(&str, &str); 4] = [
    ("tcpdump/veth", "live: tcpdump -B 65536 -w /dev/null"),
    ("run/veth", "live: run, source at full speed"),
    ("run-2/veth", "live: run, two workers, full speed"),
    ("run-half/veth", "live: run, source at half speed"),
];

/// One run.
struct Trial {
    sent: Sent,
    usage: Usage,
    dropped: u64,
    verdicts: Option<Verdicts>,
}

/// What the daemon's books and metrics say of one run.
struct Verdicts {
    flows: u64,
    unclassified: u64,
    /// 99 of 100 alerts were written within so many seconds of their flow's last packet.
    latency: Option<f64>,
    /// 99 of 100 verdicts took at most so many seconds.
    classify: Option<f64>,
}

fn row(id: &str, work: &str, trials: &[Trial], all: &[Vec<Trial>; ROWS.len()]) -> Row {
    let runs = |trials: &[Trial]| Runs(trials.iter().map(|trial| trial.usage).collect());
    let [tcpdump, one, ..] = all;
    let own = runs(trials);
    // The same number is sent in every run; what is dropped is in the targets.
    let packets = trials.first().map_or(0, |trial| trial.sent.packets);
    let figures = own.figures(packets);
    let median = |of: fn(&Trial) -> Option<f64>| Spread::of(trials.iter().filter_map(of)).map(|spread| spread.median);
    let verdicts = |of: fn(&Verdicts) -> Option<f64>| {
        Spread::of(trials.iter().filter_map(|trial| of(trial.verdicts.as_ref()?))).map(|spread| spread.median)
    };
    let dropped = trials.iter().map(|trial| trial.dropped).sum::<u64>() as f64;
    let unclassified =
        trials.iter().filter_map(|trial| Some(trial.verdicts.as_ref()?.unclassified)).sum::<u64>() as f64;
    let nothing_lost = || {
        [
            Target::at_most(0.0, "dropped in all runs", Some(dropped)),
            Target::at_most(0.0, "flows without verdict in all runs", Some(unclassified)),
        ]
    };
    let mut targets = Vec::new();
    match id {
        "run/veth" => {
            targets.extend(nothing_lost());
            targets.push(Target::at_most(250.0, "ns/packet", figures.map(|figures| figures.ns_per_packet)));
        }
        "run-2/veth" => {
            targets.extend(nothing_lost());
            targets.push(Target::at_most(1.25, "x one worker's CPU", own.over(&runs(one), |run| run.cpu)));
        }
        "run-half/veth" => targets.extend([
            Target::at_most(250.0, "ms detection latency, p99", verdicts(|v| v.latency).map(|s| s * 1e3)),
            Target::at_most(20.0, "us a verdict, p99", verdicts(|v| v.classify).map(|s| s * 1e6)),
        ]),
        _ => {}
    }
    let rate = median(|trial| Some(trial.sent.packets as f64 / trial.sent.seconds)).unwrap_or_default();
    let source = median(|trial| Some(trial.sent.cpu * 1e9 / trial.sent.packets as f64)).unwrap_or_default();
    let mut note = format!("source at {:.2} M packets/s, {source:.0} ns of CPU each; {dropped} dropped", rate / 1e6);
    if let Some(flows) = Spread::of(trials.iter().filter_map(|trial| Some(trial.verdicts.as_ref()?.flows as f64))) {
        note.push_str(&format!(", {} to {} flows", flows.least, flows.greatest));
    }
    Row {
        id: id.to_owned(),
        work: work.to_owned(),
        packets,
        figures,
        over_tcpdump: if id.starts_with("tcpdump") { None } else { own.over(&runs(tcpdump), |run| run.cpu) },
        note: Some(note),
        targets,
    }
}

struct Bed<'a> {
    veth: VethPair,
    options: &'a Options,
    trace: &'a Path,
    count: u64,
}

impl Bed<'_> {
    fn send(&self, rate: f64) -> anyhow::Result<Sent> {
        let left = &self.veth.left;
        left.enter(|| sender::send(&left.interface, self.trace, self.count, rate))
    }

    /// Starts a program at the other end, with its words in a file.
    fn receiver(&self, command: &mut Command, log: &Path) -> anyhow::Result<Running> {
        command.stdout(Stdio::null()).stderr(File::create(log)?);
        self.veth.right.enter(|| Running::start(command)).with_context(|| format!("cannot start {command:?}"))
    }

    fn tcpdump(&self) -> anyhow::Result<Trial> {
        let log = self.options.folder.join("live-tcpdump.log");
        let mut command = Command::new("tcpdump");
        // It ends by itself when it has seen them all.
        command.args(["-i", &self.veth.right.interface, "-B", "65536", "-w", "/dev/null", "-c"]);
        command.arg(self.count.to_string());
        let mut receiver = self.receiver(&mut command, &log)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        await_event("tcpdump listens", &mut receiver, &said, || Ok(said().contains("listening on").then_some(())))?;
        let sent = self.send(0.0)?;
        let usage = match receiver.ended_within(Duration::from_secs(5))? {
            Some(usage) => usage,
            None => {
                receiver.signal(Signal::INT);
                receiver.ended_within(PATIENCE)?.context("tcpdump does not end")?
            }
        };
        let said = said();
        let dropped = said.lines().find_map(|line| line.strip_suffix(" packets dropped by kernel")?.parse().ok());
        Ok(Trial { sent, usage, dropped: dropped.context("tcpdump does not say what it dropped")?, verdicts: None })
    }

    /// The daemon with everything on: verdicts, alerts to a file, metrics.
    fn daemon(&self, workers: u32, rate: f64) -> anyhow::Result<Trial> {
        let folder = &self.options.folder;
        let file = |name: &str| folder.join(name);
        let (log, summary, alerts) = (file("live-run.log"), file("live-summary.json"), file("live-alerts.jsonl"));
        File::create(&alerts)?;
        let mut command = Command::new(&self.options.binary);
        command.args(["run", "--interface", &self.veth.right.interface, "--listen", "127.0.0.1:0"]);
        command.args(["--workers", &workers.to_string()]).arg("--output").arg(&alerts).arg("--summary").arg(&summary);
        command.env("NO_COLOR", "1");
        let mut receiver = self.receiver(&mut command, &log)?;
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let admin = await_event("it says where its metrics are", &mut receiver, &said, || {
            let said = said();
            let address = said.split("metrics on http://").nth(1).and_then(|rest| rest.split('/').next());
            Ok(address.and_then(|address| address.parse::<SocketAddr>().ok()))
        })?;
        await_event("it is ready", &mut receiver, &said, || {
            Ok(self.get(admin, "/readyz")?.starts_with("HTTP/1.1 200").then_some(()))
        })?;
        let sent = self.send(rate)?;
        // The counters are brought up to date four times a second.
        let page = await_event("every packet has come", &mut receiver, &said, || {
            let page = self.get(admin, "/metrics")?;
            let come = metrics_page::sum(&page, "flowshrike_packets_received_total")
                + metrics_page::sum(&page, "flowshrike_packets_dropped_total");
            Ok((come >= sent.packets as f64).then_some(page))
        })?;
        let peak_mib = peak_of(receiver.id())?;
        receiver.signal(Signal::TERM);
        let usage = receiver.ended_within(PATIENCE)?.context("the daemon does not end")?;
        ensure!(usage.status.success(), "the daemon ended with {}: {}", usage.status, said());
        let summary: Value = serde_json::from_slice(&std::fs::read(&summary)?)?;
        let sum = |value: &Value| -> u64 {
            value.as_object().map_or(0, |counts| counts.values().filter_map(Value::as_u64).sum())
        };
        let (flows, capture) = (&summary["flows"], &summary["capture"]);
        Ok(Trial {
            sent,
            // A process that is started from a large one inherits its peak: the daemon's own is asked for while it lives.
            usage: Usage { peak_mib, ..usage },
            dropped: capture["dropped_kernel"].as_u64().unwrap_or(0)
                + capture["dropped_interface"].as_u64().unwrap_or(0),
            verdicts: Some(Verdicts {
                flows: flows["created"].as_u64().context("the summary lacks a counter")?,
                unclassified: sum(&flows["unclassified"]),
                latency: metrics_page::quantile(&page, "flowshrike_detection_latency_seconds", 0.99),
                classify: metrics_page::quantile(&page, "flowshrike_classify_duration_seconds", 0.99),
            }),
        })
    }

    /// The admin server's answer, head and body.
    fn get(&self, admin: SocketAddr, path: &str) -> anyhow::Result<String> {
        self.veth.right.enter(|| {
            let mut stream = TcpStream::connect(admin)?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        })
    }
}

/// Asks until there is an answer; fails if the process ends before, or if it takes too long.
fn await_event<T>(
    what: &str,
    process: &mut Running,
    said: &impl Fn() -> String,
    mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if process.ended_within(Duration::from_millis(20))?.is_some() {
            bail!("it ended before {what}: {}", said());
        }
        ensure!(began.elapsed() < PATIENCE, "waited in vain: {what}: {}", said());
    }
}

/// Peak resident memory of a process that lives, MiB.
fn peak_of(id: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(60);
