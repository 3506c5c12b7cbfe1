//! Flows in: from capture files, an interface for a while, or flow files, each with what names it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::stem;
use crate::capture::{LiveCapture, LiveError, LiveSettings, PacketSource, Progress};
use crate::cli::inputs::{Defaults, Inputs, Taker, names};
use crate::cli::signals;
use crate::dataset::{self, DatasetError, FlowIdentity, OnBadRow, RowQuery, Skipped};
use crate::features::{self, FeatureId, Profile};
use crate::flow::{FiveTuple, FlowFacts, FlowRecord, community_id};
use crate::model::Model;
use crate::packet::Frame;
use crate::pipeline::{Order, Stage, Stop};
use crate::privilege::raise_net_raw;
use crate::time::Micros;
use crate::train::learn::Baseline;

/// The flows that were brought in.
pub(super) struct Gathered {
    pub(super) baseline: Baseline,
    pub(super) flows: Vec<Flow>,
    pub(super) skipped: Skipped,
    pub(super) notes: Vec<String>,
}

/// What names a flow, beside its row in the baseline.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) flow_id: Option<u64>,
    pub(super) tuple: Option<FiveTuple>,
    pub(super) start: Option<Micros>,
    /// Position of its capture's name in the baseline.
    pub(super) capture: u32,
    /// Kept where it cannot be made from the tuple.
    own_community_id: Option<Box<str>>,
}

impl Flow {
    /// The Community ID, if it is known.
    pub(super) fn community_id(&self) -> Option<String> {
        self.own_community_id.as_deref().map(str::to_owned).or_else(|| self.tuple.as_ref().map(community_id))
    }
}

impl Gathered {
    fn new(model: &Model) -> Self {
        Self {
            baseline: Baseline::new(model.features().to_vec()),
            flows: Vec::new(),
            skipped: Skipped::default(),
            notes: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.flows.len() >= MOST_FLOWS
    }

    fn push(&mut self, values: &[f64], capture: &str, times: Option<(Micros, Micros)>, flow: Flow) {
        self.baseline.push(values, capture, times);
        let capture = self.baseline.captures().iter().position(|name| name == capture).unwrap_or_default();
        self.flows.push(Flow { capture: u32::try_from(capture).unwrap_or(u32::MAX), ..flow });
    }

    fn push_metered(&mut self, Metered { values, facts }: &Metered, capture: &str) {
        let flow = Flow {
            flow_id: Some(facts.flow_id()),
            tuple: Some(facts.tuple),
            start: Some(facts.start),
            capture: 0,
            own_community_id: None,
        };
        self.push(values, capture, Some((facts.start, facts.end)), flow);
    }
}

/// The flows of capture files, metered as `replay` meters them.
pub(super) fn captures(inputs: &Inputs, model: &Model) -> anyhow::Result<Gathered> {
    let plan = inputs.plan(Profile::Standard, Defaults::of(Profile::Standard))?;
    let mut short: Vec<(String, String)> = Vec::new();
    for paths in inputs.captures() {
        let mut name = paths.iter().map(|path| stem(path)).collect::<Vec<_>>().join("+");
        // Captures of one name in different folders are captures of their own.
        while short.iter().any(|(_, held)| *held == name) {
            name.push('\'');
        }
        short.push((names(paths), name));
    }
    let mut taking = Taking { gathered: Gathered::new(model), short, capture: String::new() };
    let ran = plan.run(|| Meter::new(model), &mut taking)?;
    ran.report()?;
    Ok(taking.gathered)
}

/// The flows of an interface, for a while.
pub(super) fn interface(name: &str, span: Micros, inputs: &Inputs, model: &Model) -> anyhow::Result<Gathered> {
    let plan = inputs.plan(Profile::Standard, Defaults::of(Profile::Standard))?;
    let stop = Stop::default();
    raise_net_raw().context("the right to capture cannot be made effective")?;
    let capture = LiveCapture::open(LiveSettings::new(name))?;
    let limit = Duration::from_micros(u64::try_from(span.0).unwrap_or_default());
    signals::listen(stop.clone(), Some(limit))?;
    eprintln!(
        "flowshrike: capturing on {name} for {} s; Ctrl-C ends early and goes on with what was seen",
        span.as_secs_f64()
    );
    let mut source = Until { capture, stop: stop.clone(), drained: 0, idle: 0 };
    let mut gathered = Gathered::new(model);
    let mut over = 0_u64;
    let take = |_, metered: Metered| {
        if gathered.is_full() {
            over += 1;
            stop.request();
        } else {
            gathered.push_metered(&metered, name);
        }
        None
    };
    let (_, outcome) = plan.offline().run(&mut source, &mut vec![Meter::new(model)], take);
    match outcome {
        Ok(()) => {}
        Err(error) if gathered.flows.is_empty() => return Err(error).context("nothing was captured"),
        Err(error) => gathered.notes.push(format!("{error}; what was captured before is used")),
    }
    let stats = source.capture.stats();
    let lost = stats.dropped_kernel.saturating_add(stats.dropped_interface);
    if lost > 0 {
        gathered.notes.push(format!("{lost} packets were lost while capturing: flows may be incomplete"));
    }
    if over > 0 {
        gathered.notes.push(format!("capturing ended at {MOST_FLOWS} flows; {over} more are not used"));
    }
    Ok(gathered)
}

/// The flows of flow files, in their order.
pub(super) fn flow_files(paths: &[PathBuf], on_bad_row: OnBadRow, model: &Model) -> anyhow::Result<Gathered> {
    let mut gathered = Gathered::new(model);
    let query = RowQuery { data: paths, features: model.features(), on_bad_row };
    let read = dataset::for_each_flow(&query, |row| -> anyhow::Result<()> {
        let Some(row) = row else { return Ok(()) };
        if gathered.is_full() {
            bail!(full());
        }
        let FlowIdentity { flow_id, community_id, tuple, times } = row.identity.clone();
        let flow = Flow {
            flow_id,
            tuple,
            start: times.map(|(start, _)| start),
            capture: 0,
            own_community_id: community_id.filter(|_| tuple.is_none()).map(String::into_boxed_str),
        };
        gathered.push(row.values, row.capture, times, flow);
        Ok(())
    })?;
    if gathered.flows.is_empty()
        && let Some(path) = paths.first()
    {
        bail!(DatasetError::Empty { path: path.clone(), skipped: read.skipped.rows });
    }
    Ok(Gathered { skipped: read.skipped, notes: read.notes, ..gathered })
}

fn full() -> String {
    format!("more than {MOST_FLOWS} flows: learn from fewer captures at a time")
}

/// Takes flows as they end.
struct Taking {
    gathered: Gathered,
    /// What the run calls a capture, and its short name.
    short: Vec<(String, String)>,
    capture: String,
}

impl Taker<Metered> for Taking {
    fn capture_begin(&mut self, name: &str) {
        let short = self.short.iter().find(|(long, _)| long == name);
        self.capture = short.map_or_else(|| name.to_owned(), |(_, short)| short.clone());
    }

    fn take(&mut self, _: &Order, metered: Metered) -> anyhow::Result<Option<Metered>> {
        if self.gathered.is_full() {
            bail!(full());
        }
        self.gathered.push_metered(&metered, &self.capture);
        Ok(None)
    }

    fn capture_end(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Keeps of each ended flow what the model reads.
struct Meter {
    features: Vec<FeatureId>,
}

/// A flow on its way.
struct Metered {
    values: Vec<f64>,
    facts: FlowFacts,
}

impl Meter {
    fn new(model: &Model) -> Self {
        Self { features: model.features().to_vec() }
    }
}

impl Stage for Meter {
    type Item = Metered;

    fn ended(&mut self, record: &FlowRecord) -> Option<Metered> {
        let vector = features::extract(record, Profile::Standard);
        // For an undefined value the model has its own to put there.
        let value = |&id: &FeatureId| if vector.is_undefined(id) { f64::NAN } else { vector.get(id) };
        Some(Metered { values: self.features.iter().map(value).collect(), facts: record.facts() })
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Metered> {
        None
    }
}

/// A live capture that ends when it is told to, with what the kernel still holds.
struct Until {
    capture: LiveCapture,
    stop: Stop,
    /// Reads since the stop, and how many of them brought nothing.
    drained: u32,
    idle: u32,
}

impl PacketSource for &mut Until {
    type Error = LiveError;

    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, deliver: F) -> Result<Progress, LiveError> {
        // A read that the signal itself cut short says nothing: only reads that begin after it count.
        let is_stopping = self.stop.is_requested();
        if is_stopping {
            self.drained += 1;
            if self.drained > MOST_DRAINED {
                return Ok(Progress::End);
            }
        }
        let progress = self.capture.read(max, deliver);
        if is_stopping && matches!(progress, Ok(Progress::Idle)) {
            self.idle += 1;
            if self.idle >= IDLE_READS {
                return Ok(Progress::End);
            }
        }
        progress
    }
}

/// Flows that are kept at once: about 500 MB with all that is made of them.
const MOST_FLOWS: usize = 2_000_000;
/// Reads without a packet after which the ring is empty: the kernel may hand a block over a little after one read's wait.
const IDLE_READS: u32 = 2;
/// Reads after the end: on a busy interface there is always one packet more.
const MOST_DRAINED: u32 = 256;
