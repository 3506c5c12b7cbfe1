//! What a flow remembers: counters and integer sums that one packet updates in constant time.
//!
//! Sums and sums of squares are exact integers, so means and deviations (see
//! [`super::stats`]) do not depend on the order in which parts are added. Everything that
//! the columns of FEATURES.md need is kept here; which reading is printed is for `features`.

use super::bulk::BulkState;
use super::key::Direction;
use super::policy::FlowPolicy;
use super::stats::RunningStats;
use crate::packet::{PacketMeta, TcpFlags};
use crate::time::Micros;

/// The state of one live flow, updated by [`FlowState::update`].
#[derive(Clone, Debug)]
pub struct FlowState {
    /// Time of the first packet.
    pub start: Micros,
    /// Time of the last packet: in arrival order, or the greatest, as the policy has it.
    pub last: Micros,
    /// Packets from the initiator.
    pub forward: DirectionState,
    /// Packets from the responder.
    pub backward: DirectionState,
    /// Gaps between consecutive packets of either direction, µs.
    pub gaps: GapStats,
    /// Packets with each TCP flag, both directions.
    pub flags: FlagCounts,
    /// Gaps that began a new subflow (FEATURES.md section 3.5).
    pub subflow_breaks: u32,
    /// Packets that came with an earlier time than one before them.
    pub out_of_order: u32,
    /// The first packet of the flow.
    pub first: FirstPacket,
    /// Active periods and idle gaps (FEATURES.md section 3.6).
    pub activity: Activity,
    /// Time from the first packet of the first flow of this connection to this flow's first packet, µs.
    pub connection_before: Micros,
    /// Which part of a long flow this is: 0, then 1 more after each cut by the active timeout.
    pub part: u32,
}

/// What one direction of a flow has sent.
#[derive(Clone, Debug, Default)]
pub struct DirectionState {
    /// Packets.
    pub packets: u64,
    /// L4 payload bytes.
    pub bytes: u64,
    /// Sum of squared payload lengths.
    pub bytes_squared: u64,
    /// Least payload length.
    pub length_min: u32,
    /// Greatest payload length.
    pub length_max: u32,
    /// L4 header bytes.
    pub header_bytes: u64,
    /// Bytes of whole frames on the wire.
    pub wire_bytes: u64,
    /// Time of the first packet of this direction.
    pub first: Micros,
    /// Time of the last packet of this direction (see [`FlowState::last`]).
    pub last: Micros,
    /// Gaps between consecutive packets of this direction, µs; their sum is `last − first`.
    pub gaps: GapStats,
    /// Packets with PSH.
    pub psh: u32,
    /// Packets with URG.
    pub urg: u32,
    /// Packets with RST.
    pub rst: u32,
    /// Packets with payload.
    pub data_packets: u32,
    /// Raw TCP window of the first packet.
    pub first_window: u16,
    /// Raw TCP window of the last packet.
    pub last_window: u16,
    /// Least L4 header length.
    pub header_min: u16,
    /// TCP flags of the first packet.
    pub first_flags: TcpFlags,
    /// Bulk transfers (FEATURES.md section 3.4).
    pub bulk: BulkState,
}

/// Extremes and squares of gaps; their sum is the difference of the two end times.
#[derive(Clone, Debug)]
pub struct GapStats {
    /// Sum of squares, µs².
    pub squares: u128,
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

/// Active periods and the idle gaps between them.
#[derive(Clone, Debug)]
pub struct Activity {
    /// When the open active period began.
    pub active_since: Micros,
    /// Closed active periods, µs.
    pub active: RunningStats,
    /// Idle gaps, µs.
    pub idle: RunningStats,
}

impl FlowState {
    /// A flow that begins with this packet.
    #[must_use]
    pub fn new(packet: &PacketMeta, direction: Direction, policy: &FlowPolicy) -> Self {
        let mut state = Self {
            start: packet.time,
            last: packet.time,
            forward: DirectionState::default(),
            backward: DirectionState::default(),
            gaps: GapStats::default(),
            flags: FlagCounts::default(),
            subflow_breaks: u32::from(policy.breaks_subflow(packet.time, packet.time)),
            out_of_order: 0,
            first: FirstPacket {
                direction,
                flags: packet.flags,
                has_payload: packet.payload_len > 0,
                interface: packet.interface,
            },
            activity: Activity {
                active_since: packet.time,
                active: RunningStats::default(),
                idle: RunningStats::default(),
            },
            connection_before: Micros::ZERO,
            part: 0,
        };
        state.count(packet, packet.time, direction, policy);
        state
    }

    /// Adds one later packet. Constant time, no allocation.
    pub fn update(&mut self, packet: &PacketMeta, direction: Direction, policy: &FlowPolicy) {
        let time = if packet.time < self.last {
            self.out_of_order = self.out_of_order.saturating_add(1);
            policy.time_of_late_packet(packet.time, self.last)
        } else {
            packet.time
        };
        let gap = time - self.last;
        self.activity.observe(time, self.last, gap, policy);
        if policy.breaks_subflow(time, self.last) {
            self.subflow_breaks = self.subflow_breaks.saturating_add(1);
        }
        self.gaps.add(gap);
        self.last = time;
        self.count(packet, time, direction, policy);
    }

    /// One direction's side of the state.
    #[must_use]
    pub const fn direction(&self, direction: Direction) -> &DirectionState {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Backward => &self.backward,
        }
    }

    /// Packets of both directions.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.forward.packets.saturating_add(self.backward.packets)
    }

    /// Last packet − first packet, µs; negative only where the policy keeps a clock that went back.
    #[must_use]
    pub fn duration(&self) -> Micros {
        self.last - self.start
    }

    fn count(&mut self, packet: &PacketMeta, time: Micros, direction: Direction, policy: &FlowPolicy) {
        let (own, other) = match direction {
            Direction::Forward => (&mut self.forward, &self.backward),
            Direction::Backward => (&mut self.backward, &self.forward),
        };
        own.bulk.observe(time, packet.payload_len, other.bulk.last_payload(), policy.bulk_gap);
        own.add(packet, time);
        self.flags.add(packet.flags);
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
        self.squares = self.squares.saturating_add(magnitude.saturating_mul(magnitude));
        self.min = self.min.min(gap.0);
        self.max = self.max.max(gap.0);
    }
}

impl Default for GapStats {
    fn default() -> Self {
        Self { squares: 0, min: i64::MAX, max: i64::MIN }
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

impl Activity {
    fn observe(&mut self, time: Micros, last: Micros, gap: Micros, policy: &FlowPolicy) {
        if gap > policy.activity_timeout {
            let active = last - self.active_since;
            if active > Micros::ZERO {
                self.active.add(active.0.unsigned_abs());
            }
            self.idle.add(gap.0.unsigned_abs());
            self.active_since = time;
        }
    }
}
