//! Registers metrics and keeps the list from which the reference page is made, so that the two cannot differ.

use std::fmt;

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// One metric as the reference page names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The whole name, prefix included.
    pub name: String,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: Vec<&'static str>,
    /// What it counts or measures.
    pub help: &'static str,
}

/// The kinds of metrics in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts of values up to each bound.
    Histogram,
}

impl fmt::Display for Definition {
    /// A row of the reference page's table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, labels, help } = self;
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        write!(f, "| `{name}` | {} | {labels} | {help} |", kind.name())
    }
}

impl Kind {
    /// The kind's name in the exposition format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Makes metrics, registers and notes them.
#[derive(Debug, Default)]
pub(super) struct Registrar {
    pub(super) registry: Registry,
    pub(super) definitions: Vec<Definition>,
}

type Made<T> = Result<T, prometheus::Error>;

impl Registrar {
    pub(super) fn counter(&mut self, name: &str, help: &'static str) -> Made<IntCounter> {
        let made = IntCounter::with_opts(self.note(name, Kind::Counter, &[], help))?;
        self.register(made)
    }

    pub(super) fn counters(&mut self, name: &str, labels: &[&'static str], help: &'static str) -> Made<IntCounterVec> {
        let made = IntCounterVec::new(self.note(name, Kind::Counter, labels, help), labels)?;
        self.register(made)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &'static str) -> Made<IntGauge> {
        let made = IntGauge::with_opts(self.note(name, Kind::Gauge, &[], help))?;
        self.register(made)
    }

    pub(super) fn gauges(&mut self, name: &str, labels: &[&'static str], help: &'static str) -> Made<IntGaugeVec> {
        let made = IntGaugeVec::new(self.note(name, Kind::Gauge, labels, help), labels)?;
        self.register(made)
    }

    pub(super) fn real_gauges(&mut self, name: &str, labels: &[&'static str], help: &'static str) -> Made<GaugeVec> {
        let made = GaugeVec::new(self.note(name, Kind::Gauge, labels, help), labels)?;
        self.register(made)
    }

    pub(super) fn histogram(&mut self, name: &str, bounds: &[f64], help: &'static str) -> Made<Histogram> {
        let opts = HistogramOpts::from(self.note(name, Kind::Histogram, &[], help)).buckets(bounds.to_vec());
        self.register(Histogram::with_opts(opts)?)
    }

    pub(super) fn histograms(
        &mut self,
        name: &str,
        labels: &[&'static str],
        bounds: &[f64],
        help: &'static str,
    ) -> Made<HistogramVec> {
        let opts = HistogramOpts::from(self.note(name, Kind::Histogram, labels, help)).buckets(bounds.to_vec());
        self.register(HistogramVec::new(opts, labels)?)
    }

    fn note(&mut self, name: &str, kind: Kind, labels: &[&'static str], help: &'static str) -> Opts {
        let name = format!("{PREFIX}{name}");
        self.definitions.push(Definition { name: name.clone(), kind, labels: labels.to_vec(), help });
        Opts::new(name, help)
    }

    fn register<T: Collector + Clone + 'static>(&self, metric: T) -> Made<T> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }
}

/// The prefix of every metric of this program.
const PREFIX: &str = "flowshrike_";
