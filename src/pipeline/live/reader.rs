//! A reader: one interface's packets, its loss counters, and what happens when it disappears.

use std::sync::Arc;

use super::sight::Sight;
use super::worker::{Dispatch, FlowWorker, PUBLISH_MILLIS};
use super::{LiveInterface, Stop, Telemetry};
use crate::capture::{CaptureStats, LiveCapture, LiveError, PacketSource, Progress};
use crate::features::Profile;
use crate::packet::{Dissector, Frame, PacketMeta, Unparsed};
use crate::pipeline::counters::{PacketCounters, Totals, Verdicts};
use crate::telemetry::{Heartbeat, InterfaceMetrics};
use crate::time::Micros;

/// Reads one interface until it is told to stop.
pub(super) struct Reader {
    capture: LiveCapture,
    number: u16,
    dissector: Dissector,
    counters: PacketCounters,
    last_packet: Option<Micros>,
    sight: Arc<Sight>,
    telemetry: Telemetry,
    metrics: InterfaceMetrics,
    heartbeat: Heartbeat,
    published: (PacketCounters, CaptureStats),
    stop: Stop,
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
}

impl Reader {
    pub(super) fn new(
        interface: LiveInterface,
        number: u16,
        profile: Profile,
        sight: Arc<Sight>,
        telemetry: Telemetry,
        stop: Stop,
    ) -> Self {
        let LiveInterface { capture, spec, shows_copies } = interface;
        let metrics = telemetry.metrics.interface(&spec);
        metrics.duplicates_possible.set(i64::from(shows_copies));
        metrics.up.add(i64::from(!capture.is_blind()));
        let heartbeat = telemetry.heartbeat(&format!("capture-{}", capture.settings().interface));
        Self {
            capture,
            number,
            dissector: Dissector::new(profile.reading()),
            counters: PacketCounters::default(),
            last_packet: None,
            sight,
            telemetry,
            metrics,
            heartbeat,
            published: (PacketCounters::default(), CaptureStats::default()),
            stop,
        }
    }

    pub(super) fn run(mut self, mut feed: Feed) -> Read {
        let mut failure = None;
        let (mut published, mut reopened) = (0, 0);
        while failure.is_none() && !self.stop.is_requested() {
            failure = self.read(&mut feed).err();
            let now = self.telemetry.clock.millis();
            self.heartbeat.beat(now);
            if self.capture.is_blind() && now.saturating_sub(reopened) >= REOPEN_MILLIS {
                reopened = now;
                failure = failure.or_else(|| self.reopen().err());
            }
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
        self.sight.close(self.number);
        let (mut totals, unjudged) = feed.finish();
        let stats = self.publish();
        totals.packets = self.counters;
        totals.dropped_kernel = stats.dropped_kernel;
        totals.dropped_interface = stats.dropped_interface;
        Read { totals, unjudged, failure }
    }

    /// Takes what there is, waiting at most the block timeout. A lost interface is no failure: it may come back.
    fn read(&mut self, feed: &mut Feed) -> Result<Progress, LiveError> {
        let Self { capture, number, dissector, counters, last_packet, .. } = self;
        let progress = capture.read(PACKETS, |frame| {
            if let Some(packet) = count(counters, dissector, &frame, *number) {
                *last_packet = Some(packet.time);
                feed.packet(&packet);
            }
        });
        match progress {
            Ok(Progress::Idle) => feed.quiet(),
            Ok(_) => feed.hand_on(),
            Err(LiveError::Lost { interface, reason }) => {
                tracing::warn!(interface, reason, "the interface has gone; it is opened again when it comes back");
                self.metrics.up.dec();
                self.sight.set(self.number, false);
                feed.hand_on();
                return Ok(Progress::Idle);
            }
            Err(error) => return Err(error),
        }
        progress
    }

    fn reopen(&mut self) -> Result<(), LiveError> {
        if self.capture.try_reopen()? {
            tracing::info!(interface = self.capture.settings().interface, "the interface is back");
            self.metrics.up.inc();
            self.sight.set(self.number, true);
        }
        Ok(())
    }

    /// Takes what lies in the ring: the packets of the time before the stop. Traffic that goes on ends it too.
    fn drain(&mut self, feed: &mut Feed) {
        let end = self.telemetry.clock.millis().saturating_add(DRAIN_MILLIS);
        while self.telemetry.clock.millis() < end {
            match self.read(feed) {
                Ok(Progress::Delivered) => {}
                _ => break,
            }
        }
    }

    fn publish(&mut self) -> CaptureStats {
        let (stats, counters) = (self.capture.stats(), self.counters);
        let (before, stats_before) = std::mem::replace(&mut self.published, (counters, stats));
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
        if let Some(time) = self.last_packet {
            metrics.set_last_packet(time);
        }
        stats
    }
}

impl Feed {
    fn packet(&mut self, packet: &PacketMeta) {
        match self {
            Self::Own(worker) => worker.packet(packet),
            Self::Workers(dispatch) => dispatch.packet(packet),
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

/// Counts a frame, and makes a packet of it if it is one.
fn count(
    counters: &mut PacketCounters,
    dissector: &mut Dissector,
    frame: &Frame<'_>,
    number: u16,
) -> Option<PacketMeta> {
    counters.received = counters.received.saturating_add(1);
    counters.bytes = counters.bytes.saturating_add(frame.wire_len.into());
    match dissector.dissect(frame) {
        Ok(packet) => {
            counters.parsed = counters.parsed.saturating_add(1);
            Some(PacketMeta { interface: number, ..packet })
        }
        Err(reason) => {
            counters.count_unparsed(reason);
            None
        }
    }
}

/// Packets taken at a time: about a ring block.
const PACKETS: usize = 1024;
/// How often a lost interface is looked for.
const REOPEN_MILLIS: u64 = 1_000;
/// How long the ring is drained at the end; the whole shutdown has five seconds.
const DRAIN_MILLIS: u64 = 1_000;
