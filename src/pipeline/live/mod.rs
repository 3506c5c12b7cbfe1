//! The daemon's threads: readers, flow workers, one judge; how they are joined, and how they stop.
//!
//! ```text
//! one interface:      readers, each with flows of its own ==events==> judge -> alerts
//! several, N workers: readers ==packets==> flow workers ==events==> judge -> alerts
//! ```
//! On one interface there are as many readers as workers, between which the kernel shares the packets out by flow; on
//! several, or where they come and go, each has one.
//! Both queues are bounded. A full packet queue makes the reader wait, and the kernel counts what its ring then
//! drops; a full event queue drops the newest events, whose flows count as unclassified. Stopping goes the way of
//! the packets: readers drain their rings and end, workers flush their flows and end, the judge tells the rest.

mod events;
mod judge;
mod lake;
mod reader;
mod readers;
mod sight;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::bounded;

use self::judge::Judging;
use self::reader::{Feed, Wire};
pub use self::readers::Lookout;
use self::readers::Readers;
use self::worker::{Dispatch, FlowWorker};
use super::alerting::{Alerting, IncidentCounts};
use super::counters::{Totals, Verdicts};
use super::interface_names::InterfaceNames;
use crate::alert::{AlertCounts, AlertPolicy};
use crate::capture::{LiveCapture, LiveError};
use crate::features::Profile;
use crate::flow::FlowPolicy;
use crate::model::Model;
use crate::packet::{Fingerprints, Tunnels};
use crate::sink::{LakeSink, LineSink};
use crate::telemetry::{Clock, Heartbeats, Metrics, Readiness};
use crate::time::Micros;

/// Everything that a live run is made of.
pub struct Live<'m> {
    /// What is captured.
    pub interfaces: Vec<LiveInterface>,
    /// The rules of flows.
    pub policy: FlowPolicy,
    /// The features' reading.
    pub profile: Profile,
    /// Bound on live flows over all workers.
    pub max_flows: usize,
    /// Flow workers, at least 1. On a single interface each has a capture of its own.
    pub workers: usize,
    /// Tunnels that are looked into.
    pub tunnels: Tunnels,
    /// Whether a packet may be captured at several places, and is to count once.
    pub deduplicate: bool,
    /// Keys the tables' hash; random, so that nobody outside can choose colliding flows.
    pub seed: u64,
    /// Gives the verdicts.
    pub model: &'m Model,
    /// Which verdicts are told.
    pub alert_policy: AlertPolicy,
    /// Tells them.
    pub alerting: Alerting,
    /// Where every ended flow is logged, if anywhere.
    pub flow_log: Option<LineSink>,
    /// Where every judged flow is kept, if anywhere.
    pub lake: Option<LakeSink>,
    /// What the admin server shows.
    pub telemetry: Telemetry,
    /// Looks which interfaces should be read later on; none where what is captured stays what it is.
    pub lookout: Option<Box<dyn Lookout>>,
    /// Set when the run is to end.
    pub stop: Stop,
}

/// One interface that is captured on.
pub struct LiveInterface {
    /// Its capture; or the members of its group, as many as there are workers, where it is the only interface.
    pub captures: Vec<LiveCapture>,
    /// The interface's own name.
    pub name: String,
    /// The configured name or pattern: the label of its metrics.
    pub spec: String,
    /// Whether packets on it may be seen elsewhere too.
    pub shows_copies: bool,
}

/// The shared parts of the admin server.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// Signs of life.
    pub heartbeats: Arc<Heartbeats>,
    /// Whether the daemon does its work.
    pub readiness: Arc<Readiness>,
    /// The clock that stages beat by.
    pub clock: Clock,
}

/// A request to end, passed to every thread.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    stop: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
}

/// What a live run has counted.
#[derive(Clone, Debug)]
pub struct LiveEnd {
    /// Packets and flows.
    pub totals: Totals,
    /// Verdicts.
    pub verdicts: Verdicts,
    /// Alerts.
    pub alerts: AlertCounts,
    /// Incidents, where flows are looked at together.
    pub incidents: Option<IncidentCounts>,
    /// What ended the run before it was asked to, if anything did.
    pub failure: Option<LiveError>,
}

impl Stop {
    /// Asks every thread to end.
    pub fn request(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks for files to be opened anew, after they were moved.
    pub fn request_reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
    }

    /// Whether that was asked for since the last call.
    fn take_reopen(&self) -> bool {
        self.reopen.swap(false, Ordering::Relaxed)
    }
}

impl Live<'_> {
    /// Runs until the stop is requested, or capture fails for good.
    #[must_use]
    pub fn run(self) -> LiveEnd {
        let Self { interfaces, policy, max_flows, workers, deduplicate, seed, telemetry, stop, lookout, .. } = &self;
        let names = InterfaceNames::default();
        let (events_in, events) = events::queue(EVENT_BATCHES);
        let workers = (*workers).max(1);
        let fused = lookout.is_none() && matches!(&interfaces[..], [only] if only.captures.len() == workers);
        let share = max_flows.div_ceil(workers);
        let flow_workers: Vec<FlowWorker> = (0..workers as u64)
            .map(|n| FlowWorker::new(policy, share, seed.wrapping_add(n), events_in.clone(), telemetry))
            .map(|worker| if *deduplicate { worker.without_copies() } else { worker })
            .collect();
        drop(events_in);
        let fingerprints = deduplicate.then(|| Fingerprints::new(*seed));
        let (profile, tunnels, seed) = (self.profile, self.tunnels, *seed);
        let (telemetry, stop) = (telemetry.clone(), stop.clone());
        let Self { interfaces, model, alert_policy, alerting, flow_log, lake, lookout, .. } = self;

        thread::scope(|scope| {
            let wire = Wire { profile, tunnels, fingerprints };
            let mut readers = Readers::new(scope, wire, names.clone(), model.labels().len(), &telemetry, &stop);
            let mut working = Vec::new();
            let judging = |names| {
                let stop = stop.clone();
                Judging::new(model, profile, alert_policy, alerting, flow_log, lake, names, &telemetry, stop)
            };
            let heartbeat = telemetry.heartbeat("judge");
            let judge;
            if fused {
                let mut feeds = flow_workers.into_iter().map(|worker| Feed::Own(Box::new(worker)));
                for interface in interfaces {
                    readers.begin(interface, || feeds.next());
                }
                let judging = judging(names);
                judge = scope.spawn(move || judging.run(&events, &heartbeat));
            } else {
                let (senders, receivers): (Vec<_>, Vec<_>) =
                    flow_workers.iter().map(|_| bounded(PACKET_BATCHES)).unzip();
                for (n, (worker, packets)) in flow_workers.into_iter().zip(receivers).enumerate() {
                    let heartbeat = telemetry.heartbeat(&format!("flows-{n}"));
                    let (clock, queue) = (telemetry.clock, telemetry.metrics.queue("packets"));
                    working.push(scope.spawn(move || worker.work_off(&packets, &heartbeat, clock, &queue)));
                }
                let judging = judging(names);
                judge = scope.spawn(move || judging.run(&events, &heartbeat));
                let feed = || Some(Feed::Workers(Dispatch::new(senders.clone(), seed)));
                for interface in interfaces {
                    readers.begin(interface, feed);
                }
                if let Some(mut lookout) = lookout {
                    readers.follow(&mut *lookout, feed);
                }
            }

            let (totals, unjudged, failure) = readers.finish();
            let mut end =
                LiveEnd { totals, verdicts: unjudged, alerts: AlertCounts::default(), incidents: None, failure };
            for worker in working {
                match worker.join() {
                    Ok((totals, unjudged)) => {
                        end.totals.add(&totals);
                        end.verdicts.add(&unjudged);
                    }
                    Err(_) => tracing::error!("a flow worker's thread panicked"),
                }
            }
            match judge.join() {
                Ok((verdicts, alerts, incidents)) => {
                    end.verdicts.add(&verdicts);
                    (end.alerts, end.incidents) = (alerts, incidents);
                }
                Err(_) => tracing::error!("the judge's thread panicked"),
            }
            end
        })
    }
}

impl Telemetry {
    fn heartbeat(&self, name: &str) -> crate::telemetry::Heartbeat {
        self.heartbeats.register(name, STALE_AFTER, self.clock.millis())
    }
}

/// Now, by the system's clock, on which the kernel also stamps packets.
#[expect(clippy::disallowed_methods, reason = "an edge: time on a quiet interface, and the latency of alerts")]
fn wall_clock() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// How long a thread waits for work before it gives a sign of life.
const WAIT: Duration = Duration::from_millis(100);
/// A stage that has not beaten for this long is stuck: a hundred times its longest wait.
const STALE_AFTER: Duration = Duration::from_secs(10);
/// On a quiet interface time runs this far behind the system's clock, so that packets which still lie in the
/// kernel's ring (at most 50 ms) are not overtaken.
const QUIET_LAG: Micros = Micros::from_secs(1);
/// Event batches that may wait for the judge: about 8 MiB.
const EVENT_BATCHES: usize = 64;
/// Packet batches that may wait for a worker: about 5 MiB.
const PACKET_BATCHES: usize = 64;
