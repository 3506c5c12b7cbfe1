//! `flowshrike replay`: the daemon's pipeline over capture files, with the same alerts each time.

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;

use super::Usage;
use super::detection::{alert_limits, evidence, find_model, flow_policy, introduce, max_flows, threshold};
use super::inputs::{Defaults, Inputs, Taker};
use super::output::{self, write_whole};
use super::tracking::RegistryArgs;
use crate::alert::NovelMode;
use crate::config::Config;
use crate::features::Profile;
use crate::pipeline::{Alerting, ByEnd, Detector, Judge, Judged, Order, Passed, Summary, Verdicts, policy_of};
use crate::sink::LineSink;
use crate::time::Micros;

/// Flags of `flowshrike replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    inputs: Inputs,

    /// Configuration file of the daemon (YAML): its `flow`, `model` and `alert` sections count here too, and which tunnels are looked into, but not
    /// where alerts go
    #[arg(long, value_name = "FILE", env = "FLOWSHRIKE_CONFIG")]
    config: Option<PathBuf>,

    /// The model to ask: a file, or a registry's name for one [default: the one that is part of the program]
    #[arg(long, short, value_name = "MODEL")]
    model: Option<PathBuf>,

    #[command(flatten)]
    registry: RegistryArgs,

    /// Append alerts to this file instead of stdout
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Write the counters of the run to this file, as one JSON object
    #[arg(long, value_name = "PATH")]
    summary: Option<PathBuf>,

    /// Write every ended flow to this file, one JSON line each, with features and verdict
    #[arg(long, value_name = "PATH")]
    flows: Option<PathBuf>,

    /// The least share of the votes for attacks at which a label raises an alert, in place of the model's; may be given several times
    #[arg(long, value_name = "LABEL=SCORE", value_parser = threshold)]
    threshold: Vec<(String, f32)>,

    /// Alert on flows that are no attack and unlike anything benign (`unknown-novel`) instead of counting them
    #[arg(long)]
    alert_novel: bool,

    /// Hold back alerts like one before (same source, destination, port and label) for this many seconds; 0 for never
    /// [default: 60]
    #[arg(long, value_name = "SECONDS")]
    dedup_window: Option<u32>,
}

impl Args {
    /// The configuration as the daemon would read it, with this command's flags above it.
    fn load(&self) -> Result<Config, Usage> {
        let mut config =
            Config::load(self.config.as_deref(), std::env::vars_os(), &[]).map_err(|error| Usage(error.to_string()))?;
        config.model = self.model.clone().or(config.model);
        config.alert.thresholds.extend(self.threshold.iter().cloned());
        if self.alert_novel {
            config.alert.novel = NovelMode::Alert;
        }
        if let Some(seconds) = self.dedup_window {
            config.alert.dedup_window = Micros::from_secs(seconds.into());
        }
        Ok(config)
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let profile = Profile::Standard;
    let config = args.load()?;
    let defaults = Defaults {
        policy: flow_policy(&config),
        max_flows: max_flows(&config, profile),
        workers: config.flow.workers,
        tunnels: config.capture.tunnels,
    };
    for output in [&args.output, &args.summary, &args.flows] {
        args.inputs.spare(output.as_deref())?;
    }
    let plan = args.inputs.plan(profile, defaults)?;
    let model = find_model(config.model.as_deref(), args.registry.uri(), profile)?;
    let policy =
        policy_of(&model, &config.alert.thresholds, config.alert.novel).map_err(|error| Usage(error.to_string()))?;
    let sink = match &args.output {
        Some(path) => LineSink::file(path)?,
        None => LineSink::stdout()?,
    };
    let alerting = Alerting::new(&model, policy.clone(), alert_limits(&config), sink)
        .with_evidence(evidence(&config, &model, HASH_SEED));
    eprintln!("flowshrike: {}", introduce(&model));

    #[expect(clippy::disallowed_methods, reason = "an edge: the rate that people are told")]
    let began = Instant::now();
    let log = args.flows.as_deref().map(|path| output::open(Some(path)).map(BufWriter::new)).transpose()?;
    let flows = ByEnd::new(plan.longest_silence());
    let passes_all = alerting.has_evidence();
    let judge =
        || Judge::new(Detector::new(&model, profile), policy.clone(), args.flows.is_some()).passing_all(passes_all);
    let mut teller = Teller { alerting, flows, capture: "".into(), log };
    let ran = plan.run(judge, &mut teller)?;
    if let Some(log) = &mut teller.log {
        log.flush().context("cannot write the flows")?;
    }
    let mut verdicts = Verdicts::new(model.labels().len());
    for stage in &ran.stages {
        verdicts.add(&stage.verdicts());
        teller.alerting.count_novel(stage.novel());
    }
    let summary = Summary::new(&ran.totals, &verdicts, model.labels(), &teller.alerting.counts())
        .with_incidents(teller.alerting.incidents());
    eprint!("{}", summary.table(began.elapsed().as_secs_f64()));
    if let Some(path) = &args.summary {
        write_whole(path, &summary.to_json()?)?;
    }
    summary.check()?;
    ran.report()
}

/// Tells of a capture's judged flows in the order of their ends.
struct Teller {
    alerting: Alerting,
    flows: ByEnd,
    capture: Arc<str>,
    log: Option<BufWriter<Box<dyn Write + Send>>>,
}

impl Taker<Passed> for Teller {
    fn capture_begin(&mut self, name: &str) {
        self.capture = name.into();
    }

    fn take(&mut self, order: &Order, passed: Passed) -> anyhow::Result<Option<Passed>> {
        let Passed { judged, line } = passed;
        let Self { alerting, flows, capture, log } = self;
        if let Some(judged) = judged {
            flows.push(order, judged, |judged| tell(alerting, capture, judged));
        }
        if let (Some(log), Some(line)) = (log, line) {
            log.write_all(&line).context("cannot write the flows")?;
        }
        Ok(None)
    }

    fn capture_end(&mut self) -> anyhow::Result<()> {
        let Self { alerting, flows, capture, .. } = self;
        flows.end(|judged| tell(alerting, capture, judged));
        alerting.end_capture(capture);
        alerting.flush(|_| ());
        Ok(())
    }
}

fn tell(alerting: &mut Alerting, capture: &Arc<str>, judged: Judged) {
    let Judged { flow, exchange, verdict, telling } = judged;
    alerting.take(&flow, || exchange, &verdict, capture, || telling);
    if alerting.waiting() >= BATCH {
        alerting.flush(|_| ());
    }
}

/// Evidence counts by a fixed hash, as the flow table does: the same bytes give the same bytes.
const HASH_SEED: u64 = 0x666c_6f77_7368_7269;
/// Lines written at a time.
const BATCH: usize = 256;
