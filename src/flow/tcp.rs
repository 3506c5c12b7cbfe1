//! When a TCP flow is over: by the reference's flags, or by sequence numbers.

use super::key::Direction;
use crate::packet::{PacketMeta, TcpFlags};

/// The reference's closing state (FEATURES.md section 2.4, DATASET reading). The first packet of a flow is not shown to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReferenceClosing {
    fins: FinState,
    forward_fin: bool,
    backward_fin: bool,
    ready: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FinState {
    #[default]
    None,
    One,
    Both,
}

impl ReferenceClosing {
    /// Whether the next SYN replaces the flow.
    pub(super) const fn is_ready(&self) -> bool {
        self.ready
    }

    pub(super) fn observe(&mut self, flags: TcpFlags, direction: Direction) {
        if flags.has(TcpFlags::FIN) {
            match direction {
                Direction::Forward => self.forward_fin = true,
                Direction::Backward => self.backward_fin = true,
            }
            self.fins = match self.fins {
                FinState::None => FinState::One,
                FinState::One if self.forward_fin && self.backward_fin => FinState::Both,
                unchanged => unchanged,
            };
        } else if flags.has(TcpFlags::RST) || (flags.has(TcpFlags::ACK) && self.fins == FinState::Both) {
            self.ready = true;
        }
    }
}

/// The sequence space of both sides of a connection, as far as it was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequences {
    forward: Side,
    backward: Side,
}

/// What one side has sent.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// The next sequence number, once a packet was seen.
    next: Option<u32>,
    /// The sequence number behind the FIN.
    fin_end: Option<u32>,
    fin_acknowledged: bool,
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
    /// Looks at one packet. [`Effect::Begins`] leaves the state as it is, for the old flow's record.
    pub(super) fn observe(&mut self, packet: &PacketMeta, direction: Direction) -> Effect {
        let (own, other) = match direction {
            Direction::Forward => (&mut self.forward, &mut self.backward),
            Direction::Backward => (&mut self.backward, &mut self.forward),
        };
        let flags = packet.flags;
        let in_window = own.next.is_none_or(|next| distance(packet.seq, next) <= PLAUSIBLE);
        if flags.has(TcpFlags::SYN) && !flags.has(TcpFlags::ACK) && !in_window && other.next.is_some() {
            return Effect::Begins;
        }
        if flags.has(TcpFlags::RST) {
            return if in_window { Effect::Closes } else { Effect::Open };
        }
        if in_window {
            let controls = u32::from(flags.has(TcpFlags::SYN)).wrapping_add(u32::from(flags.has(TcpFlags::FIN)));
            let end = packet.seq.wrapping_add(packet.payload_len).wrapping_add(controls);
            if own.next.is_none_or(|next| is_at_or_after(end, next)) {
                own.next = Some(end);
            }
            if flags.has(TcpFlags::FIN) {
                own.fin_end = Some(end);
            }
        }
        if flags.has(TcpFlags::ACK) && other.fin_end.is_some_and(|end| is_at_or_after(packet.ack, end)) {
            other.fin_acknowledged = true;
        }
        if own.fin_acknowledged && other.fin_acknowledged { Effect::Closes } else { Effect::Open }
    }

    /// Whether both sides have spoken.
    pub(super) const fn is_answered(&self) -> bool {
        self.forward.next.is_some() && self.backward.next.is_some()
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
        let mut connection = Sequences::default();
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
        let mut connection = Sequences::default();
        connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward);
        assert_eq!(connection.observe(&packet(0x04, 1 << 30, 0, 0), Direction::Forward), Effect::Open);
        assert_eq!(connection.observe(&packet(0x04, 1001, 0, 0), Direction::Forward), Effect::Closes);
        // The refusal of a SYN comes from a side that has sent nothing yet.
        assert_eq!(connection.observe(&packet(0x14, 0, 1001, 0), Direction::Backward), Effect::Closes);
    }

    #[test]
    fn a_far_syn_begins_another_connection_only_after_an_answer() {
        let mut connection = Sequences::default();
        connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward);
        assert_eq!(connection.observe(&packet(0x02, 1 << 30, 0, 0), Direction::Forward), Effect::Open);
        let mut connection = Sequences::default();
        connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward);
        connection.observe(&packet(0x12, 1, 1001, 0), Direction::Backward);
        assert_eq!(connection.observe(&packet(0x02, 1000, 0, 0), Direction::Forward), Effect::Open);
        assert_eq!(connection.observe(&packet(0x02, 1 << 30, 0, 0), Direction::Forward), Effect::Begins);
    }
}
