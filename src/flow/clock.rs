//! The capture's clock: the greatest packet time so far.
//!
//! One clock serves all shards of a capture: whoever reads the packets keeps it and hands its time along with each
//! packet, so that what a timer decides does not depend on the number of shards or the size of batches.

use super::policy::FlowPolicy;
use crate::time::Micros;

/// The running maximum of packet times.
#[derive(Clone, Copy, Debug)]
pub struct PacketClock {
    now: Option<Micros>,
    can_step_back: bool,
}

/// What a packet's time does to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The clock stands at this time, for this packet.
    At(Micros),
    /// The capture's clock went back too far to be disorder: live flows can be timed no longer, and must be
    /// flushed ([`super::FlowTable::flush`]) before this packet, with which the clock starts anew.
    SteppedBack {
        /// The time before the step.
        before: Micros,
        /// The time now.
        now: Micros,
    },
}

impl PacketClock {
    /// A clock for a policy. Where no flow ends by time, a time that goes back ends none either: such a clock only
    /// ever moves on.
    #[must_use]
    pub const fn new(policy: &FlowPolicy) -> Self {
        Self { now: None, can_step_back: policy.is_timed() }
    }

    /// Takes a packet's time into account.
    pub fn observe(&mut self, time: Micros) -> Reading {
        let Some(before) = self.now else {
            self.now = Some(time);
            return Reading::At(time);
        };
        if self.can_step_back && before - time > DISORDER {
            self.now = Some(time);
            return Reading::SteppedBack { before, now: time };
        }
        let now = before.max(time);
        self.now = Some(now);
        Reading::At(now)
    }

    /// The time now, once there was a packet.
    #[must_use]
    pub const fn now(&self) -> Option<Micros> {
        self.now
    }
}

/// Packets of several interfaces and queues come milliseconds out of order, merged files seconds. More is a clock
/// that was set back; it must stay below the idle timeout.
pub(super) const DISORDER: Micros = Micros::from_secs(10);
