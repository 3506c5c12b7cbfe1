//! A reader: one capture's packets, its loss counters, and what happens when its interface disappears.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::sight::Sight;
use super::worker::{Dispatch, FlowWorker, PUBLISH_MILLIS};
use super::{Stop, Telemetry};
use crate::capture::{CaptureStats, LiveCapture, LiveError, PacketSource, Progress};
use crate::features::Profile;
use crate::packet::{
    Dissector, Fingerprints, Frame, ObservationPoint, Observed, PacketMeta, Tunnel, Tunnels, Unparsed, device,
};
use crate::pipeline::counters::{PacketCounters, Totals, Verdicts};
use crate::telemetry::{Heartbeat, InterfaceMetrics};
use crate::time::Micros;

/// Reads one capture until it is told to stop.
pub(super) struct Reader {
    capture: LiveCapture,
    place: Place,
    /// Whether the interface was open when that was last told.
    sees: bool,
    sifter: Sifter,
    last_packet: Option<Micros>,
    sight: Arc<Sight>,
    telemetry: Telemetry,
    metrics: InterfaceMetrics,
    heartbeat: Heartbeat,
    published: (PacketCounters, CaptureStats, Option<Micros>),
    stop: Stop,
    retired: Retired,
}

/// How frames are read.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) profile: Profile,
    pub(super) tunnels: Tunnels,
    /// By which packets are recognised, where one may be captured at several places.
    pub(super) fingerprints: Option<Fingerprints>,
}

/// Makes packets of frames, and counts both.
struct Sifter {
    dissector: Dissector,
    fingerprints: Option<Fingerprints>,
    /// The number of the interface.
    interface: u16,
    counters: PacketCounters,
}

/// Says to one reader that its interface is wanted no more.
#[derive(Clone, Debug, Default)]
pub(super) struct Retired(Arc<AtomicBool>);

/// Which of all readers this is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its number among all readers.
    pub(super) reader: usize,
    /// Its interface's number, which its packets carry.
    pub(super) interface: u16,
    /// The configured name or pattern of the interface: the label of its metrics.
    pub(super) spec: String,
    /// Its number among the readers of that interface. The first tells what is true of the interface as a whole.
    pub(super) member: usize,
}

/// Where a reader's packets go.
pub(super) enum Feed {
    /// A worker in the same thread.
    Own(Box<FlowWorker>),
    /// Workers of their own.
    Workers(Dispatch),
}

/// What a reader has counted; with a worker of its own, that one's books too.
pub(super) struct Read {
    pub(super) totals: Totals,
    pub(super) unjudged: Verdicts,
    pub(super) failure: Option<LiveError>,
    /// Still open: a member that left its group would leave its flows to the others, which may not have ended yet.
    #[expect(dead_code, reason = "held until every reader has ended")]
    capture: LiveCapture,
}

impl Reader {
    pub(super) fn new(
        capture: LiveCapture,
        place: Place,
        wire: Wire,
        sight: Arc<Sight>,
        telemetry: Telemetry,
        stop: Stop,
        retired: Retired,
    ) -> Self {
        let metrics = telemetry.metrics.interface(&place.spec);
        let name = capture.settings().interface.as_str();
        let stage = match place.member {
            0 => format!("capture-{name}"),
            member => format!("capture-{name}-{}", member + 1),
        };
        let heartbeat = telemetry.heartbeat(&stage);
        let sees = !capture.is_blind();
        sight.add(place.reader, sees, place.spec == capture.settings().interface);
        if place.member == 0 {
            metrics.up.add(i64::from(sees));
        }
        let sifter = Sifter {
            dissector: Dissector::new(wire.profile.reading()).through(wire.tunnels),
            fingerprints: wire.fingerprints,
            interface: place.interface,
            counters: PacketCounters::default(),
        };
        Self {
            capture,
            place,
            sees,
            sifter,
            last_packet: None,
            sight,
            telemetry,
            metrics,
            heartbeat,
            published: (PacketCounters::default(), CaptureStats::default(), None),
            stop,
            retired,
        }
    }

    pub(super) fn run(mut self, mut feed: Feed) -> Read {
        let mut failure = None;
        let (mut published, mut reopened) = (0, 0);
        while failure.is_none() && !self.stop.is_requested() && !self.retired.is_told() {
            failure = self.read(&mut feed).err();
            let now = self.telemetry.clock.millis();
            self.heartbeat.beat(now);
            if self.capture.is_blind() && now.saturating_sub(reopened) >= REOPEN_MILLIS {
                reopened = now;
                failure = failure.or_else(|| self.capture.try_reopen().err());
            }
            self.tell_sight();
            if now.saturating_sub(published) >= PUBLISH_MILLIS {
                published = now;
                self.publish();
                feed.publish();
            }
        }
        if let Some(failure) = &failure {
            tracing::error!("{failure}");
            self.stop.request();
        }
        self.drain(&mut feed);
        self.leave();
        let (mut totals, unjudged) = feed.finish();
        let stats = self.publish();
        totals.packets = self.sifter.counters();
        totals.dropped_kernel = stats.dropped_kernel;
        totals.dropped_interface = stats.dropped_interface;
        Read { totals, unjudged, failure, capture: self.capture }
    }

    /// Takes what there is, waiting at most the block timeout. A lost interface is no failure: it may come back.
    fn read(&mut self, feed: &mut Feed) -> Result<Progress, LiveError> {
        let Self { capture, sifter, last_packet, .. } = self;
        let progress = capture.read(PACKETS, |frame| {
            if let Some(observed) = sifter.packet(&frame) {
                *last_packet = Some(observed.packet.time);
                feed.packet(&observed);
            }
        });
        match progress {
            Ok(Progress::Idle) => feed.quiet(),
            Ok(_) => feed.hand_on(),
            Err(LiveError::Lost { interface, reason }) => {
                if self.place.member == 0 {
                    tracing::warn!(interface, reason, "the interface has gone; it is opened again when it comes back");
                }
                self.tell_sight();
                feed.hand_on();
                return Ok(Progress::Idle);
            }
            Err(error) => return Err(error),
        }
        progress
    }

    /// Tells where the interface has been lost or is open again.
    fn tell_sight(&mut self) {
        let sees = !self.capture.is_blind();
        if sees == self.sees {
            return;
        }
        self.sees = sees;
        self.sight.set(self.place.reader, sees);
        if self.place.member == 0 {
            self.metrics.up.add(if sees { 1 } else { -1 });
            if sees {
                tracing::info!(interface = self.capture.settings().interface, "the interface is back");
            }
        }
    }

    /// At the end of the run nothing is seen any more; one of several that is given up takes nothing from the others' sight.
    fn leave(&self) {
        if !self.retired.is_told() {
            self.sight.set(self.place.reader, false);
            return;
        }
        self.sight.remove(self.place.reader);
        if self.sees && self.place.member == 0 {
            self.metrics.up.add(-1);
        }
        self.telemetry.heartbeats.forget(&self.heartbeat);
    }

    /// Takes what lies in the ring: the packets of the time before the stop. Traffic that goes on ends it too.
    fn drain(&mut self, feed: &mut Feed) {
        let end = self.telemetry.clock.millis().saturating_add(DRAIN_MILLIS);
        let mut idle = 0;
        while self.telemetry.clock.millis() < end && idle < IDLE_READS {
            match self.read(feed) {
                Ok(Progress::Delivered) => {}
                Ok(_) => idle += 1,
                Err(_) => break,
            }
        }
    }

    fn publish(&mut self) -> CaptureStats {
        let (stats, counters) = (self.capture.stats(), self.sifter.counters());
        let (before, stats_before, last_before) =
            std::mem::replace(&mut self.published, (counters, stats, self.last_packet));
        let metrics = &self.metrics;
        metrics.received.inc_by(counters.received - before.received);
        metrics.dropped_kernel.inc_by(stats.dropped_kernel.saturating_sub(stats_before.dropped_kernel));
        metrics.dropped_interface.inc_by(stats.dropped_interface.saturating_sub(stats_before.dropped_interface));
        metrics.reopens.inc_by(stats.reopens.saturating_sub(stats_before.reopens));
        self.telemetry.metrics.bytes_received.inc_by(counters.bytes - before.bytes);
        for ((reason, now), before) in Unparsed::ALL.into_iter().zip(counters.unparsed).zip(before.unparsed) {
            if now > before {
                self.telemetry.metrics.unparsed(reason).inc_by(now - before);
            }
        }
        for ((tunnel, now), before) in Tunnel::ALL.into_iter().zip(counters.decapsulated).zip(before.decapsulated) {
            if now > before {
                self.telemetry.metrics.decapsulated(tunnel).inc_by(now - before);
            }
        }
        // Readers of one interface share this: one that sees nothing must not overwrite what another saw.
        if let Some(time) = self.last_packet.filter(|_| self.last_packet != last_before) {
            metrics.set_last_packet(time);
        }
        stats
    }
}

impl Sifter {
    fn counters(&self) -> PacketCounters {
        PacketCounters { decapsulated: self.dissector.decapsulated(), ..self.counters }
    }

    /// Counts a frame, and makes a packet of it if it is one.
    fn packet(&mut self, frame: &Frame<'_>) -> Option<Observed> {
        let Self { dissector, fingerprints, interface, counters } = self;
        counters.received = counters.received.saturating_add(1);
        counters.bytes = counters.bytes.saturating_add(frame.wire_len.into());
        let read = match fingerprints {
            None => dissector.dissect(frame).map(|packet| (packet, 0)),
            // By what it is, whether a tunnel carries it here or not.
            Some(fingerprints) => dissector
                .dissect_innermost(frame)
                .map(|(packet, innermost)| (packet, fingerprints.of(&innermost).unwrap_or_default())),
        };
        match read {
            Ok((packet, fingerprint)) => {
                counters.parsed = counters.parsed.saturating_add(1);
                let packet = PacketMeta { interface: *interface, ..packet };
                Some(Observed { packet, fingerprint, point: ObservationPoint::new(*interface, device(frame)) })
            }
            Err(reason) => {
                counters.count_unparsed(reason);
                None
            }
        }
    }
}

impl Retired {
    pub(super) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Feed {
    fn packet(&mut self, observed: &Observed) {
        match self {
            Self::Own(worker) => worker.packet(observed),
            Self::Workers(dispatch) => dispatch.packet(observed),
        }
    }

    fn hand_on(&mut self) {
        match self {
            Self::Own(worker) => worker.hand_on(),
            Self::Workers(dispatch) => dispatch.hand_on(),
        }
    }

    fn quiet(&mut self) {
        match self {
            Self::Own(worker) => worker.quiet(),
            // Workers of their own notice by themselves that nothing comes.
            Self::Workers(dispatch) => dispatch.hand_on(),
        }
    }

    fn publish(&mut self) {
        if let Self::Own(worker) = self {
            worker.publish();
        }
    }

    fn finish(self) -> (Totals, Verdicts) {
        match self {
            Self::Own(worker) => worker.finish(),
            Self::Workers(mut dispatch) => {
                dispatch.hand_on();
                (Totals::default(), Verdicts::default())
            }
        }
    }
}

/// Packets taken at a time: about a ring block.
const PACKETS: usize = 1024;
/// How often a lost interface is looked for.
const REOPEN_MILLIS: u64 = 1_000;
/// Reads without a packet after which the ring is empty: the kernel may hand a block over a little after one read's wait.
const IDLE_READS: u32 = 2;
/// How long the ring is drained at the end; the whole shutdown has five seconds.
const DRAIN_MILLIS: u64 = 1_000;
