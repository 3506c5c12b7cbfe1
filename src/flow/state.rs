//! What a flow remembers: counters and integer sums that one packet updates in constant time.
//!
//! Sums and sums of squares are exact integers, so means and deviations (see
//! [`super::stats`]) do not depend on the order in which parts are added. Everything that
//! the columns of FEATURES.md need is kept here; which reading is printed is for `features`.

use super::bulk::{BulkRun, BulkTotals};
use super::key::Direction;
use super::policy::FlowPolicy;
use super::stats::{RunningStats, halves, wide};
use crate::packet::{PacketMeta, TcpFlags};
use crate::time::Micros;

/// The state of one live flow, updated by [`FlowState::update`].
///
/// Fields stand in the order of use, so that a packet touches the two cache lines that both directions share, its own
/// direction's two, and nothing of what only the end of the flow asks for. [`super::FlowTable`] places this struct so;
/// the sizes below are checked where it does.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct FlowState {
    /// Time of the last packet: in arrival order, or the greatest, as the policy has it.
    pub last: Micros,
    /// Time of the first packet.
    pub start: Micros,
    /// Gaps between consecutive packets of either direction, µs.
    pub gaps: GapStats,
    /// When the open active period began.
    pub active_since: Micros,
    /// The open runs of payload packets.
    forward_run: BulkRun,
    backward_run: BulkRun,
    /// Packets with each TCP flag, both directions.
    pub flags: FlagCounts,
    /// Gaps that began a new subflow (FEATURES.md section 3.5).
    pub subflow_breaks: u32,
    /// Packets from the initiator.
    pub forward: DirectionState,
    /// Time from the first packet of the first flow of this connection to this flow's first packet, µs. It stands here
    /// because the two directions need a gap of eight bytes between them to begin on cache lines of their own.
    pub connection_before: Micros,
    /// Packets from the responder.
    pub backward: DirectionState,
    /// What many flows end without, so that a million live flows do not carry room for it: closed active periods, and
    /// bulks, of both directions.
    activity: Option<Box<Activity>>,
    bulks: Option<Box<[BulkTotals; 2]>>,
    /// The first packet of the flow.
    pub first: FirstPacket,
    /// Packets that came with an earlier time than one before them.
    pub out_of_order: u32,
    /// Which part of a long flow this is: 0, then 1 more after each cut by the active timeout.
    pub part: u32,
}

/// What one direction of a flow has sent.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub struct DirectionState {
    /// L4 payload bytes.
    pub bytes: u64,
    /// Sum of squared payload lengths.
    pub bytes_squared: u64,
    /// L4 header bytes.
    pub header_bytes: u64,
    /// Bytes of whole frames on the wire.
    pub wire_bytes: u64,
    /// Packets. An active timeout of two minutes holds fewer than 2³² of them at any line rate.
    pub packets: u32,
    /// Packets with payload.
    pub data_packets: u32,
    /// Least payload length.
    pub length_min: u32,
    /// Greatest payload length.
    pub length_max: u32,
    /// Packets with PSH.
    pub psh: u32,
    /// Packets with URG.
    pub urg: u32,
    /// Packets with RST.
    pub rst: u32,
    /// Raw TCP window of the last packet.
    pub last_window: u16,
    /// Least L4 header length.
    pub header_min: u16,
    /// Time of the last packet of this direction (see [`FlowState::last`]).
    pub last: Micros,
    /// Gaps between consecutive packets of this direction, µs; their sum is `last − first`.
    pub gaps: GapStats,
    /// Time of the first packet of this direction.
    pub first: Micros,
    /// Raw TCP window of the first packet.
    pub first_window: u16,
    /// TCP flags of the first packet.
    pub first_flags: TcpFlags,
}

/// Extremes and squares of gaps; their sum is the difference of the two end times.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct GapStats {
    /// Sum of squares in 128 bits, low half first: a 128-bit field would ask for 16 bytes' alignment.
    squares: [u64; 2],
    /// Least gap, µs; [`i64::MAX`] before the first.
    pub min: i64,
    /// Greatest gap, µs; [`i64::MIN`] before the first.
    pub max: i64,
}

/// Packets with each TCP flag that is only ever reported for both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlagCounts {
    /// Packets with FIN.
    pub fin: u32,
    /// Packets with SYN.
    pub syn: u32,
    /// Packets with ACK.
    pub ack: u32,
    /// Packets with CWR.
    pub cwr: u32,
    /// Packets with ECE.
    pub ece: u32,
}

/// The facts of a flow's first packet that a profile may leave out of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstPacket {
    /// Its direction: backward only in a continuation.
    pub direction: Direction,
    /// Its TCP flags.
    pub flags: TcpFlags,
    /// Whether it carried payload.
    pub has_payload: bool,
    /// The interface that saw it.
    pub interface: u16,
}

/// Closed active periods and the idle gaps between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Activity {
    /// Closed active periods, µs.
    pub active: RunningStats,
    /// Idle gaps, µs.
    pub idle: RunningStats,
}

impl FlowState {
    /// A flow that begins with this packet.
    #[must_use]
    #[inline]
    pub fn new(packet: &PacketMeta, direction: Direction, policy: &FlowPolicy) -> Self {
        let mut state = Self {
            last: packet.time,
            start: packet.time,
            gaps: GapStats::default(),
            active_since: packet.time,
            forward_run: BulkRun::default(),
            backward_run: BulkRun::default(),
            flags: FlagCounts::default(),
            subflow_breaks: u32::from(policy.breaks_subflow(packet.time, packet.time)),
            forward: DirectionState::default(),
            connection_before: Micros::ZERO,
            backward: DirectionState::default(),
            activity: None,
            bulks: None,
            first: FirstPacket {
                direction,
                flags: packet.flags,
                has_payload: packet.payload_len > 0,
                interface: packet.interface,
            },
            out_of_order: 0,
            part: 0,
        };
        state.count(packet, packet.time, direction, policy);
        state
    }

    /// Adds one later packet. Constant time; a flow's first idle gap or bulk allocates once.
    pub fn update(&mut self, packet: &PacketMeta, direction: Direction, policy: &FlowPolicy) {
        let time = if packet.time < self.last {
            self.out_of_order = self.out_of_order.saturating_add(1);
            policy.time_of_late_packet(packet.time, self.last)
        } else {
            packet.time
        };
        let gap = time - self.last;
        if gap > policy.activity_timeout {
            self.close_active_period(time, gap);
        }
        if policy.breaks_subflow(time, self.last) {
            self.subflow_breaks = self.subflow_breaks.saturating_add(1);
        }
        self.gaps.add(gap);
        self.last = time;
        self.count(packet, time, direction, policy);
    }

    /// Closed active periods and idle gaps (FEATURES.md section 3.6).
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.activity.as_deref().copied().unwrap_or_default()
    }

    /// One direction's bulks (FEATURES.md section 3.4).
    #[must_use]
    pub fn bulks(&self, direction: Direction) -> BulkTotals {
        self.bulks.as_deref().and_then(|bulks| bulks.get(direction as usize)).copied().unwrap_or_default()
    }

    /// Gives back what was allocated, once the flow has ended.
    pub(super) fn give_back(&mut self) {
        self.activity = None;
        self.bulks = None;
    }

    /// Packets of both directions.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.forward.packets as u64 + self.backward.packets as u64
    }

    /// Last packet − first packet, µs; negative only where the policy keeps a clock that went back.
    #[must_use]
    pub fn duration(&self) -> Micros {
        self.last - self.start
    }

    fn count(&mut self, packet: &PacketMeta, time: Micros, direction: Direction, policy: &FlowPolicy) {
        let (own, run, other_run) = match direction {
            Direction::Forward => (&mut self.forward, &mut self.forward_run, &self.backward_run),
            Direction::Backward => (&mut self.backward, &mut self.backward_run, &self.forward_run),
        };
        let grown = run.observe(time, packet.payload_len, other_run.last_payload(), policy.bulk_gap);
        own.add(packet, time);
        self.flags.add(packet.flags);
        if let Some(grown) = grown {
            let bulks = self.bulks.get_or_insert_default();
            if let Some(bulks) = bulks.get_mut(direction as usize) {
                bulks.add(&grown);
            }
        }
    }

    #[cold]
    fn close_active_period(&mut self, time: Micros, gap: Micros) {
        let active = self.last - self.active_since;
        let activity = self.activity.get_or_insert_default();
        if active > Micros::ZERO {
            activity.active.add(active.0.unsigned_abs());
        }
        activity.idle.add(gap.0.unsigned_abs());
        self.active_since = time;
    }
}

impl DirectionState {
    fn add(&mut self, packet: &PacketMeta, time: Micros) {
        let length = packet.payload_len;
        if self.packets == 0 {
            self.first = time;
            self.length_min = length;
            self.first_window = packet.window;
            self.first_flags = packet.flags;
            self.header_min = packet.header_len;
        } else {
            self.gaps.add(time - self.last);
            self.length_min = self.length_min.min(length);
            self.header_min = self.header_min.min(packet.header_len);
        }
        self.last = time;
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64::from(length));
        // 2^32 packets of 64 KiB fit; a 120 s flow cannot hold more.
        self.bytes_squared = self.bytes_squared.saturating_add(u64::from(length).saturating_mul(u64::from(length)));
        self.length_max = self.length_max.max(length);
        self.header_bytes = self.header_bytes.saturating_add(u64::from(packet.header_len));
        self.wire_bytes = self.wire_bytes.saturating_add(u64::from(packet.wire_len));
        self.data_packets = self.data_packets.saturating_add(u32::from(length > 0));
        self.psh = self.psh.saturating_add(u32::from(packet.flags.has(TcpFlags::PSH)));
        self.urg = self.urg.saturating_add(u32::from(packet.flags.has(TcpFlags::URG)));
        self.rst = self.rst.saturating_add(u32::from(packet.flags.has(TcpFlags::RST)));
        self.last_window = packet.window;
    }
}

impl GapStats {
    fn add(&mut self, gap: Micros) {
        let magnitude = u128::from(gap.0.unsigned_abs());
        // A gap has at most 63 bits, so the square fits; the sum of absurd gaps stays at the greatest number.
        let sum = self.squares().saturating_add(magnitude.wrapping_mul(magnitude));
        self.squares = halves(sum);
        self.min = self.min.min(gap.0);
        self.max = self.max.max(gap.0);
    }

    /// Sum of squares, µs².
    #[must_use]
    pub fn squares(&self) -> u128 {
        wide(self.squares)
    }
}

impl Default for GapStats {
    fn default() -> Self {
        Self { squares: [0; 2], min: i64::MAX, max: i64::MIN }
    }
}

impl FlagCounts {
    fn add(&mut self, flags: TcpFlags) {
        self.fin = self.fin.saturating_add(u32::from(flags.has(TcpFlags::FIN)));
        self.syn = self.syn.saturating_add(u32::from(flags.has(TcpFlags::SYN)));
        self.ack = self.ack.saturating_add(u32::from(flags.has(TcpFlags::ACK)));
        self.cwr = self.cwr.saturating_add(u32::from(flags.has(TcpFlags::CWR)));
        self.ece = self.ece.saturating_add(u32::from(flags.has(TcpFlags::ECE)));
    }
}
