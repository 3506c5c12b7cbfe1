//! When a TCP flow is over: by the reference's flags, or by sequence numbers.

use super::key::Direction;
use crate::packet::{PacketMeta, TcpFlags};

/// The reference's closing state (FEATURES.md section 2.4, DATASET reading). The first packet of a flow is not shown to
/// it. A set of bits, since it has to fit one byte.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReferenceClosing(u8);

impl ReferenceClosing {
    /// Nothing closed yet.
    pub(super) const NONE: Self = Self(0);

    const FORWARD_FIN: u8 = 1;
    const BACKWARD_FIN: u8 = 2;
    /// A FIN of each side was seen, and another FIN after the first.
    const BOTH: u8 = 4;
    /// The next SYN replaces the flow.
    const READY: u8 = 8;

    /// Whether the next SYN replaces the flow.
    pub(super) const fn is_ready(self) -> bool {
        self.has(Self::READY)
    }

    pub(super) const fn observe(&mut self, flags: TcpFlags, direction: Direction) {
        if flags.has(TcpFlags::FIN) {
            let is_first = self.0 & (Self::FORWARD_FIN | Self::BACKWARD_FIN) == 0;
            self.0 |= match direction {
                Direction::Forward => Self::FORWARD_FIN,
                Direction::Backward => Self::BACKWARD_FIN,
            };
            if !is_first && self.has(Self::FORWARD_FIN | Self::BACKWARD_FIN) {
                self.0 |= Self::BOTH;
            }
        } else if flags.has(TcpFlags::RST) || (flags.has(TcpFlags::ACK) && self.has(Self::BOTH)) {
            self.0 |= Self::READY;
        }
    }

    const fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// The sequence space of both sides of a connection, as far as it was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sequences {
    forward: Side,
    backward: Side,
    seen: Seen,
}

/// The numbers that one side has sent; what they mean something for is in [`Seen`].
#[derive(Clone, Copy, Debug)]
struct Side {
    /// The next sequence number, once the side spoke.
    next: u32,
    /// The sequence number behind the FIN, once it has finished.
    fin_end: u32,
}

/// What was seen of both sides: one byte, since the whole has to fit what the tuple leaves of a cache line.
#[derive(Clone, Copy, Debug)]
struct Seen(u8);

impl Seen {
    const SPOKE: u8 = 1;
    const FINISHED: u8 = 2;
    const FIN_ACKNOWLEDGED: u8 = 4;
    /// How far the backward side's bits stand above the forward side's.
    const BACKWARD: u32 = 3;

    const fn has(self, side: Direction, what: u8) -> bool {
        self.0 >> Self::shift(side) & what != 0
    }

    const fn set(&mut self, side: Direction, what: u8) {
        self.0 |= what << Self::shift(side);
    }

    const fn shift(side: Direction) -> u32 {
        match side {
            Direction::Forward => 0,
            Direction::Backward => Self::BACKWARD,
        }
    }
}

/// What a packet does to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The connection goes on.
    Open,
    /// This packet closes it: the second FIN's ACK, or a reset within the window.
    Closes,
    /// This packet begins another connection on the same five-tuple.
    Begins,
}

impl Sequences {
    /// Nothing seen yet.
    pub(super) const NONE: Self =
        Self { forward: Side { next: 0, fin_end: 0 }, backward: Side { next: 0, fin_end: 0 }, seen: Seen(0) };

    /// Looks at one packet. [`Effect::Begins`] leaves the state as it is, for the old flow's record.
    pub(super) fn observe(&mut self, packet: &PacketMeta, direction: Direction) -> Effect {
        let Self { forward, backward, seen } = self;
        let (own, other, other_side) = match direction {
            Direction::Forward => (forward, backward, Direction::Backward),
            Direction::Backward => (backward, forward, Direction::Forward),
        };
        let flags = packet.flags;
        let spoke = seen.has(direction, Seen::SPOKE);
        let in_window = !spoke || distance(packet.seq, own.next) <= PLAUSIBLE;
        if flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK) && !in_window && seen.has(other_side, Seen::SPOKE) {
            return Effect::Begins;
        }
        if flags.has(TcpFlags::RST) {
            return if in_window { Effect::Closes } else { Effect::Open };
        }
        if in_window {
            let controls = u32::from(flags.has(TcpFlags::SYN)).wrapping_add(u32::from(flags.has(TcpFlags::FIN)));
            let end = packet.seq.wrapping_add(packet.payload_len).wrapping_add(controls);
            if !spoke || is_at_or_after(end, own.next) {
                own.next = end;
                seen.set(direction, Seen::SPOKE);
            }
            if flags.has(TcpFlags::FIN) {
                own.fin_end = end;
                seen.set(direction, Seen::FINISHED);
            }
        }
        if flags.has(TcpFlags::ACK) && seen.has(other_side, Seen::FINISHED) && is_at_or_after(packet.ack, other.fin_end)
        {
            seen.set(other_side, Seen::FIN_ACKNOWLEDGED);
        }
        let is_closed = seen.has(direction, Seen::FIN_ACKNOWLEDGED) && seen.has(other_side, Seen::FIN_ACKNOWLEDGED);
        if is_closed { Effect::Closes } else { Effect::Open }
    }

    /// Whether both sides have spoken.
    pub(super) const fn is_answered(&self) -> bool {
        self.seen.has(Direction::Forward, Seen::SPOKE) && self.seen.has(Direction::Backward, Seen::SPOKE)
    }
}

/// How far two sequence numbers lie apart, either way round the circle.
fn distance(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b).min(b.wrapping_sub(a))
}

/// Serial-number order (RFC 1982).
fn is_at_or_after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) < 1 << 31
}

/// A reset, FIN or segment this near the expected sequence number belongs to the connection. Twice the window that
/// RFC 7323 hosts usually open would be safe from packets that the capture lost; a blind reset hits one time in 512.
const PLAUSIBLE: u32 = 1 << 22;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Address;
    use crate::time::Micros;

    fn packet(flags: u8, seq: u32, ack: u32, payload_len: u32) -> PacketMeta {
        PacketMeta {
            src: Address::v4([10, 0, 0, 1]),
            dst: Address::v4([10, 0, 0, 2]),
            time: Micros::ZERO,
            src_port: 1,
            dst_port: 2,
            payload_len,
            wire_len: 60,
            seq,
            ack,
            window: 0,
            header_len: 20,
            interface: 0,
            protocol: 6,
            flags: TcpFlags(flags),
        }
    }

    #[test]
    fn the_second_fins_ack_closes_and_nothing_before_it() {
        use Direction::{Backward, Forward};
        let mut connection = Sequences::NONE;
        for (direction, sent, effect) in [
            (Forward, packet(0x02, u32::MAX - 1, 0, 0), Effect::Open),
            (Backward, packet(0x12, 500, u32::MAX, 0), Effect::Open),
            (Forward, packet(0x18, u32::MAX, 501, 10), Effect::Open),
            (Forward, packet(0x11, 9, 501, 0), Effect::Open),
            (Backward, packet(0x10, 501, 9, 0), Effect::Open), // acknowledges the data, not yet the FIN
            (Backward, packet(0x11, 501, 10, 0), Effect::Open),
            (Forward, packet(0x10, 10, 502, 0), Effect::Closes),
        ] {
            assert_eq!(connection.observe(&sent, direction), effect, "{sent:?}");
        }
    }

    #[test]
    fn a_reset_closes_only_inside_the_window() {
        let mut connection = Sequences::NONE;
        connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward);
        assert_eq!(connection.observe(&packet(0x04, 1 << 30, 0, 0), Direction::Forward), Effect::Open);
        assert_eq!(connection.observe(&packet(0x04, 1001, 0, 0), Direction::Forward), Effect::Closes);
        // The refusal of a SYN comes from a side that has sent nothing yet.
        assert_eq!(connection.observe(&packet(0x14, 0, 1001, 0), Direction::Backward), Effect::Closes);
    }

    #[test]
    fn a_far_syn_begins_another_connection_only_after_an_answer() {
        let mut connection = Sequences::NONE;
        connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward);
        assert_eq!(connection.observe(&packet(0x02, 1 << 30, 0, 0), Direction::Forward), Effect::Open);
        let mut connection = Sequences::NONE;
        connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward);
        connection.observe(&packet(0x12, 1, 1001, 0), Direction::Backward);
        assert_eq!(connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward), Effect::Open);
        assert_eq!(connection.observe(&packet(0x02, 1 << 30, 0, 0), Direction::Forward), Effect::Begins);
    }
}
