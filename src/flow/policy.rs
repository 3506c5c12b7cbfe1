//! What a profile decides about flow boundaries and clocks: values chosen once, at construction.

use super::clock::DISORDER;
use super::key::{Direction, FiveTuple};
use crate::packet::PacketMeta;
use crate::time::Micros;

/// The rules of one profile for the flow table and the per-flow state.
#[derive(Clone, Debug)]
pub struct FlowPolicy {
    /// Who ends a flow, and when.
    pub lifecycle: Lifecycle,
    /// A flow longer than this (from its first packet, strictly) is cut.
    pub active_timeout: Micros,
    /// A gap longer than this (strictly) closes an active period.
    pub activity_timeout: Micros,
    /// A gap longer than this (strictly) breaks a bulk run or a subflow.
    pub bulk_gap: Micros,
    /// How times that go back, and subflows, are read.
    pub clock: Clock,
}

/// Who ends a flow.
#[derive(Clone, Debug)]
pub enum Lifecycle {
    /// As the reference meter does (FEATURES.md section 2): only a later packet of the same key, or the end of
    /// the file; nothing expires by time, and the number of flows is bounded by a clear stop alone.
    Reference,
    /// As a daemon must (FEATURES.md section 6): closing packets checked by sequence number, timers, tombstones.
    Timed {
        /// A flow without a packet for longer than this (strictly) ends.
        idle_timeout: Micros,
        /// A flow still open this long after its first packet gets an early verdict; `None` for never.
        early_verdict: Option<Micros>,
    },
}

/// How a clock that goes back, and the subflow gap, are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Arrival order, negative gaps and the misplaced parenthesis included (quirks Q18, Q22).
    Reference,
    /// An earlier time counts as the flow's last one; gaps are never negative.
    Monotonic,
}

impl FlowPolicy {
    /// The `cic` profile's rules: constants of FEATURES.md section 0.
    #[must_use]
    pub const fn reference() -> Self {
        Self {
            lifecycle: Lifecycle::Reference,
            active_timeout: ACTIVE_TIMEOUT,
            activity_timeout: ACTIVITY_TIMEOUT,
            bulk_gap: BULK_GAP,
            clock: Clock::Reference,
        }
    }

    /// The `standard` profile's rules, with the daemon's default timeouts.
    #[must_use]
    pub const fn standard() -> Self {
        Self {
            lifecycle: Lifecycle::Timed { idle_timeout: IDLE_TIMEOUT, early_verdict: Some(EARLY_VERDICT) },
            active_timeout: ACTIVE_TIMEOUT,
            activity_timeout: ACTIVITY_TIMEOUT,
            bulk_gap: BULK_GAP,
            clock: Clock::Monotonic,
        }
    }

    /// Whether flows end by time; where they do not, nor does a clock that went back end them.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Timed { .. })
    }

    /// How far a flow's last packet may lie, on the capture's clock, before the time at which its end or its early verdict
    /// is decided; `None` where nothing bounds it.
    #[must_use]
    pub fn longest_silence(&self) -> Option<Micros> {
        match self.lifecycle {
            Lifecycle::Reference => None,
            // A packet that comes late may open a flow of its own.
            Lifecycle::Timed { idle_timeout, .. } => Some(idle_timeout + DISORDER),
        }
    }

    /// Which way a packet travels in the flow that `tuple` began: the reference compares addresses alone (quirk Q5).
    pub(super) fn direction(&self, packet: &PacketMeta, tuple: &FiveTuple) -> Direction {
        let same_port = match self.lifecycle {
            Lifecycle::Reference => true,
            Lifecycle::Timed { .. } => packet.src_port == tuple.src_port,
        };
        if packet.src == tuple.src && same_port { Direction::Forward } else { Direction::Backward }
    }

    /// The time that a packet counts with when it is earlier than `last`.
    pub(super) const fn time_of_late_packet(&self, time: Micros, last: Micros) -> Micros {
        match self.clock {
            Clock::Reference => time,
            Clock::Monotonic => last,
        }
    }

    /// Whether the step from `last` to `time` begins a new subflow.
    #[expect(clippy::cast_precision_loss, reason = "the reference computes this in doubles")]
    pub(super) fn breaks_subflow(&self, time: Micros, last: Micros) -> bool {
        match self.clock {
            // The reference divides only the earlier time by 10⁶ (FEATURES.md section 3.5).
            Clock::Reference => time.0 as f64 - last.0 as f64 / 1e6 > 1.0,
            Clock::Monotonic => time - last > self.bulk_gap,
        }
    }
}

/// The reference's flow timeout. Both profiles cut at it, so that a model's training rows and the daemon's flows span alike.
const ACTIVE_TIMEOUT: Micros = Micros::from_secs(120);
/// The reference's activity timeout.
const ACTIVITY_TIMEOUT: Micros = Micros::from_secs(5);
/// The reference's gap for bulks and subflows.
const BULK_GAP: Micros = Micros::from_secs(1);
/// Half the active timeout, so that a silent flow is judged within a minute; a shorter one would cut keep-alive
/// dialogues (30 s is common) into pieces that no training row looks like.
const IDLE_TIMEOUT: Micros = Micros::from_secs(60);
/// Long enough for nearly every request and answer to have ended by itself, short enough to act on an open shell.
const EARLY_VERDICT: Micros = Micros::from_secs(10);
