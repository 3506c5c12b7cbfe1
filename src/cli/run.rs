//! `flowshrike run`: the daemon. Captures, keeps flows, gives verdicts, tells alerts, until it is stopped.

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Usage;
use super::confine::confine;
use super::detection::{alert_limits, evidence, flow_policy, introduce, load_model, max_flows};
use super::identity::Identity;
use super::interfaces::AUTO_RULE;
use super::output::write_whole;
use super::scrape::Scrape;
use super::signals;
use crate::capture::{
    ANY, Chosen, Interface, LiveCapture, LiveError, LiveSettings, Opener, SelectError, Selection, interfaces, select,
};
use crate::config::{AlertOutput, Config, LakeConfig, Override};
use crate::features::Profile;
use crate::model::Model;
use crate::packet::least_snaplen;
use crate::pipeline::{
    Alerting, Live, LiveEnd, LiveInterface, Lookout, Stop, Summary, Telemetry, identity_of, policy_of,
};
use crate::privilege::{Privileges, raise_net_raw};
use crate::serve::{AdminState, Bound, Bounds, HttpServer, ModelCard, router};
use crate::sink::{Lake, LakeCounts, LakeSettings, LineSink, RunningLake};
use crate::telemetry::{Clock, Heartbeats, Metrics, Readiness, logging};

/// Flags of `flowshrike run`. Each key of the configuration can also stand in the file or in a FLOWSHRIKE_* variable.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AUTO_RULE)]
pub(super) struct Args {
    /// Interface to capture on: a name, several with commas, /regex/, any or auto; may be given several times
    /// [default: auto]
    #[arg(long, short, value_name = "NAME")]
    interface: Vec<String>,

    /// Leave these interfaces out: a name or /regex/; may be given several times
    #[arg(long, value_name = "NAME")]
    exclude: Vec<String>,

    /// Configuration file (YAML); see docs/configuration.md
    #[arg(long, value_name = "FILE", env = "FLOWSHRIKE_CONFIG")]
    pub(super) config: Option<PathBuf>,

    /// A capture filter (pcap-filter syntax)
    #[arg(long, value_name = "FILTER")]
    filter: Option<String>,

    /// The model to ask [default: the one that is part of the program]
    #[arg(long, short, value_name = "MODEL")]
    model: Option<PathBuf>,

    /// Append alerts to this file instead of stdout
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Append every ended flow to this file, one JSON line each, with features and verdict
    #[arg(long, value_name = "PATH")]
    pub(super) flows: Option<PathBuf>,

    /// Write the counters of the run to this file at the end, as one JSON object
    #[arg(long, value_name = "PATH")]
    pub(super) summary: Option<PathBuf>,

    /// Where the admin server listens (/metrics, /healthz, /readyz, /model) [default: 127.0.0.1:9469]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,

    /// Where scrapers get /metrics and nothing else, also from other machines [default: nowhere]
    #[arg(long, value_name = "HOST:PORT")]
    metrics_listen: Option<String>,

    /// Threads that keep flows; on a single interface each also reads its own share of the packets [default: 1]
    #[arg(long, value_name = "N")]
    workers: Option<String>,

    /// Most flows kept at a time over all workers [default: 1,000,000 or what 40 % of the memory holds]
    #[arg(long, value_name = "N")]
    max_flows: Option<String>,

    /// Bytes kept of each packet [default: 256]
    #[arg(long, value_name = "BYTES")]
    snaplen: Option<String>,

    /// Kernel memory for the packets of each interface, over all workers [default: 32MiB]
    #[arg(long, value_name = "SIZE")]
    buffer: Option<String>,

    /// Read what tunnels carry in place of their own packets: vxlan, geneve, ipip, gre; several with commas [default: none]
    #[arg(long, value_name = "TUNNEL")]
    decapsulate: Vec<String>,

    /// Also take packets that are not addressed to the interface
    #[arg(long)]
    promiscuous: bool,

    /// The least urgent messages logged: error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// How logs are written on stderr: text, json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,

    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS")]
    duration: Option<u32>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let config = args.load()?;
    logging::init(config.log.level, config.log.format).context("logs cannot be set up")?;
    raise_net_raw().context("the right to capture cannot be made effective")?;
    let profile = Profile::Standard;
    let model = load_model(config.model.as_deref(), profile)?;
    tracing::info!("{}", introduce(&model));
    let policy =
        policy_of(&model, &config.alert.thresholds, config.alert.novel).map_err(|error| Usage(error.to_string()))?;
    let sink = match &config.alert.output {
        AlertOutput::Stdout => LineSink::stdout()?.impatient(),
        AlertOutput::File(path) => LineSink::file(path)?.impatient(),
    };
    let flow_log = args.flows.as_deref().map(LineSink::file).transpose()?.map(LineSink::impatient);

    let lake = lake(&config)?;

    let telemetry = Telemetry {
        metrics: Arc::new(Metrics::new().context("metrics cannot be set up")?),
        heartbeats: Arc::new(Heartbeats::default()),
        readiness: Arc::new(Readiness::default()),
        clock: Clock::start(),
    };
    telemetry.metrics.set_model(&identity_of(&model));
    telemetry.readiness.set_model_loaded(true);
    let max_flows = max_flows(&config, profile);
    let bound = config.admin.enabled.then(|| Bound::to(config.admin.listen, "--listen")).transpose()?;
    let scrape = Scrape::bind(&config)?;
    let identity = Identity::of(&config)?;
    // Files are open and addresses are bound; no other thread is there yet.
    let (opener, privileges) = confine(&config, args, &identity)?;
    telemetry.metrics.set_privileges(&privileges);
    let stop = Stop::default();
    signals::listen(stop.clone(), args.duration.map(|seconds| Duration::from_secs(seconds.into())))?;
    // The server answers before capture begins: a probe must tell "not ready" from "not there".
    let server = bound.map(|bound| serve(bound, &telemetry, &model, privileges)).transpose()?;
    let scraped = scrape.map(|scrape| scrape.serve(Arc::clone(&telemetry.metrics))).transpose()?;
    let seed = RandomState::new().hash_one(());
    let (interfaces, lookout) = open(&config, seed, opener)?;
    let naming = identity.start(&telemetry.metrics)?;
    let (lake, kept) = lake.map(Lake::start).transpose().context("the lake's thread does not start")?.unzip();

    let deduplicate = config.capture.deduplicate && sees_copies(&interfaces, lookout.is_some());
    let live = Live {
        interfaces,
        policy: flow_policy(&config),
        profile,
        max_flows,
        workers: config.flow.workers,
        tunnels: config.capture.tunnels,
        deduplicate,
        seed,
        alerting: Alerting::new(&model, policy.clone(), alert_limits(&config), sink)
            .with_evidence(evidence(&config, &model, seed))
            .with_directory(naming.directory()),
        model: &model,
        alert_policy: policy,
        flow_log,
        lake,
        telemetry,
        lookout,
        stop,
    };
    #[expect(clippy::disallowed_methods, reason = "an edge: the rate that people are told")]
    let began = Instant::now();
    let end = live.run();
    naming.end();
    let kept = kept.map(RunningLake::end);
    for server in [server, scraped].into_iter().flatten() {
        server.stop();
    }
    finish(&end, kept.as_deref(), &model, args.summary.as_deref(), began.elapsed())
}

impl Args {
    fn load(&self) -> Result<Config, Usage> {
        let mut overrides = Vec::new();
        let mut set = |key, flag, value: Option<String>| {
            overrides.extend(value.map(|value| Override { key, value, flag }));
        };
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        for name in self.interface.iter().flat_map(|names| names_in(names)) {
            set("capture.interfaces", "--interface", Some(name.to_owned()));
        }
        for name in &self.exclude {
            set("capture.exclude", "--exclude", Some(name.clone()));
        }
        for tunnel in self.decapsulate.iter().flat_map(|tunnels| tunnels.split(',')) {
            set("capture.decapsulate", "--decapsulate", Some(tunnel.trim().to_owned()));
        }
        set("capture.filter", "--filter", self.filter.clone());
        set("capture.snaplen", "--snaplen", self.snaplen.clone());
        set("capture.buffer", "--buffer", self.buffer.clone());
        set("capture.promiscuous", "--promiscuous", self.promiscuous.then(|| "true".to_owned()));
        set("model.path", "--model", text(&self.model));
        set("alert.output", "--output", text(&self.output));
        set("admin.listen", "--listen", self.listen.clone());
        set("metrics.listen", "--metrics-listen", self.metrics_listen.clone());
        set("flow.workers", "--workers", self.workers.clone());
        set("flow.max_flows", "--max-flows", self.max_flows.clone());
        set("log.level", "--log-level", self.log_level.clone());
        set("log.format", "--log-format", self.log_format.clone());
        Config::load(self.config.as_deref(), std::env::vars_os(), &overrides).map_err(|error| Usage(error.to_string()))
    }
}

fn serve(bound: Bound, telemetry: &Telemetry, model: &Model, privileges: Privileges) -> anyhow::Result<HttpServer> {
    let Telemetry { metrics, heartbeats, readiness, clock } = telemetry.clone();
    let state = AdminState::new(metrics, heartbeats, readiness, clock);
    state.set_model(ModelCard::of(model));
    state.set_privileges(privileges);
    let server = HttpServer::serve("admin", bound, Bounds::default(), None, router(Arc::new(state)))?;
    tracing::info!("metrics on http://{}/metrics", server.local_addr());
    Ok(server)
}

/// The lake that is configured, if one is: its folder is made, and what a crash left there is removed.
fn lake(config: &Config) -> anyhow::Result<Option<Lake>> {
    let Some(LakeConfig { path, name, roll_interval, roll_size }) = config.lake.clone() else { return Ok(None) };
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
    let name = name.unwrap_or_else(host);
    let roll_interval = Duration::from_micros(u64::try_from(roll_interval.0).unwrap_or_default());
    Ok(Some(Lake::open(LakeSettings { path, name, roll_interval, roll_size })?))
}

/// Open interfaces, and where the choice of them may change, who makes it again.
type Opened = (Vec<LiveInterface>, Option<Box<dyn Lookout>>);

/// Chooses and opens the interfaces. A single one that stays is opened once for each worker; else each has one reader.
fn open(config: &Config, seed: u64, opener: Opener) -> anyhow::Result<Opened> {
    let choice = Choice { config: config.clone(), opener, seed };
    let available = interfaces().context("the kernel's list of interfaces cannot be read")?;
    let Selection { interfaces: chosen, reason, warnings, settled } = choice.select(&available)?;
    tracing::info!("capturing on {}: {reason}", names(chosen.iter().map(|chosen| chosen.name.as_str())));
    for warning in &warnings {
        tracing::warn!(code = warning.code(), "{warning}");
    }
    // The kernel shares packets out by the outer addresses, and flows are those of the inner ones.
    let by_kernel = settled && chosen.len() == 1 && config.capture.tunnels.depth() == 0;
    let members = if by_kernel { config.flow.workers } else { 1 };
    let shows_copies = warnings.iter().any(|warning| warning.shows_copies());
    let opened = chosen
        .into_iter()
        .map(|chosen| {
            let captures = choice.open_for(&chosen, members)?;
            Ok(LiveInterface { captures, name: chosen.name, spec: chosen.spec, shows_copies })
        })
        .collect::<Result<_, LiveError>>()?;
    Ok((opened, (!settled).then(|| Box::new(choice) as Box<dyn Lookout>)))
}

/// Whether one packet may be captured at several places, now or when others have come.
fn sees_copies(interfaces: &[LiveInterface], others_may_come: bool) -> bool {
    others_may_come || !matches!(interfaces, [only] if only.name != ANY)
}

/// The choice of interfaces, as the configuration has it.
struct Choice {
    config: Config,
    opener: Opener,
    seed: u64,
}

impl Choice {
    fn select(&self, available: &[Interface]) -> Result<Selection, SelectError> {
        let auto = ["auto".to_owned()];
        let wanted = &self.config.capture.interfaces;
        let specs = if wanted.is_empty() { &auto[..] } else { wanted };
        select(specs, &self.config.capture.exclude, available)
    }

    fn open_for(&self, chosen: &Chosen, members: usize) -> Result<Vec<LiveCapture>, LiveError> {
        let settings = settings(&self.config, chosen.name.clone(), chosen.promiscuous);
        LiveCapture::open_group_by(&self.opener, settings, members, self.seed)
    }
}

impl Lookout for Choice {
    fn look(&mut self) -> Option<Selection> {
        self.select(&interfaces().ok()?).ok()
    }

    fn open(&mut self, chosen: &Chosen) -> Result<LiveCapture, LiveError> {
        let settings = settings(&self.config, chosen.name.clone(), chosen.promiscuous);
        LiveCapture::open_by(&self.opener, settings)
    }
}

fn settings(config: &Config, name: String, promiscuous: bool) -> LiveSettings {
    let capture = &config.capture;
    let timeout = u64::try_from(capture.block_timeout.0).unwrap_or_default();
    LiveSettings {
        snaplen: capture.snaplen.max(least_snaplen(capture.tunnels.depth())),
        buffer_bytes: u32::try_from(capture.buffer).unwrap_or(u32::MAX),
        block_timeout: Duration::from_micros(timeout),
        promiscuous: promiscuous || capture.promiscuous,
        filter: capture.filter.clone(),
        ..LiveSettings::new(name)
    }
}

/// Says what was counted, and that it balances.
fn finish(
    end: &LiveEnd,
    lake: Option<&LakeCounts>,
    model: &Model,
    path: Option<&Path>,
    ran: Duration,
) -> anyhow::Result<()> {
    let LiveEnd { totals, verdicts, alerts, incidents, failure } = end;
    let summary = Summary::new(totals, verdicts, model.labels(), alerts).with_incidents(*incidents).with_lake(lake);
    eprint!("{}", summary.table(ran.as_secs_f64()));
    if let Some(path) = path {
        write_whole(path, &summary.to_json()?)?;
    }
    summary.check()?;
    match failure {
        Some(failure) => Err(failure.clone().into()),
        None => Ok(()),
    }
}

/// Names with commas between them; a /regular expression/ may hold commas of its own.
fn names_in(text: &str) -> Vec<&str> {
    if text.starts_with('/') { vec![text] } else { text.split(',').map(str::trim).collect() }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
