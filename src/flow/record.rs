//! A finished flow, or the part of one that a verdict is asked for.

use super::key::{FiveTuple, FlowKey};
use super::state::FlowState;
use crate::time::Micros;

/// One flow as it leaves the table: oriented tuple, state, and why it left.
///
/// A live flow is kept in the same form, so that one that ends is lent, not copied.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct FlowRecord {
    /// Initiator to responder.
    pub tuple: FiveTuple,
    /// Counters and sums at the moment of the record.
    pub state: FlowState,
    /// When this was decided, on the capture's clock: a timer's deadline, or the packet that ended the flow.
    pub decided: Micros,
    /// Why the flow ended; [`EndReason::Forced`] in an early record.
    pub end: EndReason,
    /// Whether the table first stored this key the other way round: see [`FlowRecord::stored_as`].
    pub stored_reversed: bool,
}

impl FlowRecord {
    /// Whether this record is one part of a flow that the active timeout cuts.
    #[must_use]
    pub fn is_part(&self) -> bool {
        self.state.part > 0 || self.end == EndReason::ActiveTimeout
    }

    /// The tuple under which the table first stored this key; the reference prints its Flow ID from it (quirk Q6).
    #[must_use]
    pub const fn stored_as(&self) -> FiveTuple {
        if self.stored_reversed { self.tuple.reversed() } else { self.tuple }
    }

    /// The canonical key.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        FlowKey::from(self.tuple)
    }

    /// What is told of this flow once it has ended.
    #[must_use]
    pub fn facts(&self) -> FlowFacts {
        FlowFacts { end_reason: Some(self.end), ..self.facts_while_open() }
    }

    /// What is told of this flow while it is open: there is no end reason yet.
    #[must_use]
    pub const fn facts_while_open(&self) -> FlowFacts {
        let (forward, backward) = (&self.state.forward, &self.state.backward);
        FlowFacts {
            tuple: self.tuple,
            start: self.state.start,
            end: self.state.last,
            part: self.state.part,
            end_reason: None,
            packets_to_server: forward.packets as u64,
            packets_to_client: backward.packets as u64,
            bytes_to_server: forward.wire_bytes,
            bytes_to_client: backward.wire_bytes,
            interface: self.state.first.interface,
        }
    }

    /// See [`FlowFacts::flow_id`].
    #[must_use]
    pub fn flow_id(&self) -> u64 {
        self.facts_while_open().flow_id()
    }
}

/// The few facts of a flow that an alert tells: a sixth of a record's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowFacts {
    /// Initiator to responder.
    pub tuple: FiveTuple,
    /// Time of the first packet.
    pub start: Micros,
    /// Time of the last packet so far.
    pub end: Micros,
    /// Which part of a long flow this is, from 0.
    pub part: u32,
    /// Why the flow ended; `None` while it is open.
    pub end_reason: Option<EndReason>,
    /// Packets from the initiator.
    pub packets_to_server: u64,
    /// Packets from the responder.
    pub packets_to_client: u64,
    /// Bytes on the wire from the initiator.
    pub bytes_to_server: u64,
    /// Bytes on the wire from the responder.
    pub bytes_to_client: u64,
    /// The interface that saw the first packet.
    pub interface: u16,
}

impl FlowFacts {
    /// The canonical key.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        FlowKey::from(self.tuple)
    }

    /// A number for this flow in logs: FNV-1a over the canonical tuple, start time and part, cut to
    /// 53 bits so that JSON readers keep it whole. The same flow has the same number in every run.
    #[must_use]
    pub fn flow_id(&self) -> u64 {
        let key = self.key();
        let tuple = key.canonical();
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        let mut eat = |bytes: &[u8]| {
            for &byte in bytes {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        eat(&tuple.src.bits().to_be_bytes());
        eat(&tuple.dst.bits().to_be_bytes());
        eat(&tuple.src_port.to_be_bytes());
        eat(&tuple.dst_port.to_be_bytes());
        eat(&[tuple.protocol]);
        eat(&self.start.0.to_be_bytes());
        eat(&self.part.to_be_bytes());
        (hash ^ hash >> 53) & ((1 << 53) - 1)
    }
}

/// What the table lends to whoever listens, while it stands in the table still.
#[derive(Clone, Copy, Debug)]
pub enum FlowEvent<'a> {
    /// A flow, or a part of one, is over.
    Ended(&'a FlowRecord),
    /// A flow is still open after the policy's early-verdict time; its end will follow.
    Early(&'a FlowRecord),
}

/// Why a flow ended: the values of IPFIX information element 136 (flowEndReason, RFC 5102).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReason {
    /// No packet for the idle timeout.
    IdleTimeout,
    /// Cut after the active timeout; the flow may go on in another part.
    ActiveTimeout,
    /// A closing packet, or a new connection on the same five-tuple.
    EndOfFlow,
    /// The capture ended, or its clock went back.
    Forced,
    /// Evicted from a full table.
    LackOfResources,
}

impl EndReason {
    /// Every reason, in the order of [`EndReason::index`].
    pub const ALL: [Self; 5] =
        [Self::IdleTimeout, Self::ActiveTimeout, Self::EndOfFlow, Self::Forced, Self::LackOfResources];

    /// The reason as a metric label and summary key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IdleTimeout => "idle_timeout",
            Self::ActiveTimeout => "active_timeout",
            Self::EndOfFlow => "end_of_flow",
            Self::Forced => "forced",
            Self::LackOfResources => "lack_of_resources",
        }
    }

    /// The number in IPFIX information element 136.
    #[must_use]
    pub const fn ipfix(self) -> u8 {
        self as u8 + 1
    }

    /// Position in [`EndReason::ALL`], for counters in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
