//! What one flow is to evidence: a contact that failed, a short exchange, or something else.

use std::net::IpAddr;

use crate::flow::{FiveTuple, FlowFacts, FlowRecord};
use crate::model::Verdict;
use crate::packet::protocol;

/// The facts of a flow that evidence needs besides those that an alert tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Payload bytes from the initiator.
    pub payload_to_server: u64,
    /// Payload bytes from the responder.
    pub payload_to_client: u64,
    /// Whether it has a SYN.
    pub syn: bool,
    /// Whether either side reset it.
    pub reset: bool,
    /// Whether the responder did.
    pub refused: bool,
    /// Whether the initiator acknowledged anything: without that no handshake is complete.
    pub acknowledged: bool,
}

/// One flow with its verdict.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The flow; without an end reason it is still open.
    pub flow: &'a FlowFacts,
    /// More of it.
    pub exchange: Exchange,
    /// What the model says.
    pub verdict: &'a Verdict,
    /// Whether that is worth an alert by itself.
    pub alerts: bool,
}

/// How a flow went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// It asked and got nothing: unanswered, refused, reset before a byte was sent, or left half open.
    Failed,
    /// A short exchange: a question and an answer, and little more.
    Short,
    /// Anything else.
    Other,
}

impl Exchange {
    /// Of a flow as it leaves the table.
    #[must_use]
    pub const fn of(record: &FlowRecord) -> Self {
        let (forward, backward, flags) = (&record.state.forward, &record.state.backward, &record.state.flags);
        Self {
            payload_to_server: forward.bytes,
            payload_to_client: backward.bytes,
            syn: flags.syn > 0,
            reset: forward.rst > 0 || backward.rst > 0,
            refused: backward.rst > 0,
            // All that a responder sends acknowledges, but for some resets.
            acknowledged: flags.ack > backward.packets,
        }
    }
}

impl Contact {
    /// How a flow went.
    #[must_use]
    pub fn of(flow: &FlowFacts, exchange: &Exchange) -> Self {
        let Exchange { payload_to_server, payload_to_client, syn, reset, acknowledged, .. } = *exchange;
        let unanswered = flow.packets_to_client == 0;
        if flow.part > 0 {
            return Self::Other;
        }
        if unanswered && !asks_a_host(&flow.tuple) {
            return Self::Other;
        }
        if flow.tuple.protocol == protocol::TCP {
            let empty = payload_to_server == 0 && payload_to_client == 0;
            // Without a SYN it may be the rest of a connection that was seen before; such a rest goes to a client's port.
            let asks = syn || flow.tuple.dst_port < EPHEMERAL;
            let is_half_open = syn && !acknowledged;
            if empty && asks && (unanswered || reset || is_half_open) && flow.packets_to_server <= TRIES {
                return Self::Failed;
            }
        } else if unanswered && flow.packets_to_server <= TRIES {
            return Self::Failed;
        }
        let (answered, short) = (payload_to_server > 0 && payload_to_client > 0, flow.end - flow.start);
        let is_short = short.0 <= SHORT_MICROS && payload_to_server.saturating_add(payload_to_client) <= SHORT_BYTES;
        if answered && is_short { Self::Short } else { Self::Other }
    }
}

/// Whether an answer can be waited for: what goes to a group, or tells a neighbour something, gets none and did not fail.
fn asks_a_host(tuple: &FiveTuple) -> bool {
    let is_group = match tuple.dst.to_ip() {
        IpAddr::V4(to) => to.is_multicast() || to.is_broadcast(),
        IpAddr::V6(to) => to.is_multicast(),
    };
    let asks = match tuple.protocol {
        protocol::TCP | protocol::UDP | protocol::SCTP => true,
        protocol::ICMP => tuple.src_port == ECHO,
        protocol::ICMPV6 => tuple.src_port == ECHO_V6,
        _ => false,
    };
    asks && !is_group && !tuple.src.to_ip().is_unspecified()
}

/// The ICMP types of an echo request.
const ECHO: u16 = 8;
const ECHO_V6: u16 = 128;
/// The least port that Linux gives to clients by itself (`net.ipv4.ip_local_port_range`).
const EPHEMERAL: u16 = 32_768;
/// Packets of one failed contact: a SYN is repeated six times (`net.ipv4.tcp_syn_retries`), and a refusal is answered at most once. Who sends
/// more into the void is up to something else.
const TRIES: u64 = 8;
/// A guess is over soon; SSH servers let a client wait some seconds after each.
const SHORT_MICROS: i64 = 30_000_000;
/// A guess over SSH takes up to 5 kB, a page with a form some more.
const SHORT_BYTES: u64 = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{EndReason, FiveTuple};
    use crate::packet::Address;
    use crate::time::Micros;

    fn flow(protocol: u8, dst_port: u16, packets: (u64, u64), seconds: i64) -> FlowFacts {
        let (src, dst) = (Address::v4([10, 0, 0, 1]), Address::v4([10, 0, 0, 2]));
        FlowFacts {
            tuple: FiveTuple { src, dst, src_port: 40_000, dst_port, protocol },
            start: Micros::ZERO,
            end: Micros::from_secs(seconds),
            part: 0,
            end_reason: Some(EndReason::EndOfFlow),
            packets_to_server: packets.0,
            packets_to_client: packets.1,
            bytes_to_server: 60,
            bytes_to_client: 60,
            interface: 0,
        }
    }

    #[test]
    fn a_flow_is_told_by_what_came_of_it() {
        let with = |payload: (u64, u64), syn, reset| Exchange {
            payload_to_server: payload.0,
            payload_to_client: payload.1,
            syn,
            reset,
            refused: false,
            acknowledged: true,
        };
        let half_open = Exchange { acknowledged: false, ..with((0, 0), true, false) };
        let (tcp, udp, icmp, icmp_v6) = (protocol::TCP, protocol::UDP, protocol::ICMP, protocol::ICMPV6);
        let from = |src_port, flow: FlowFacts| FlowFacts { tuple: FiveTuple { src_port, ..flow.tuple }, ..flow };
        let to_all = |flow: FlowFacts| FlowFacts {
            tuple: FiveTuple { dst: Address::v4([224, 0, 0, 251]), ..flow.tuple },
            ..flow
        };
        for (flow, exchange, contact, what) in [
            (flow(tcp, 22, (1, 1), 0), with((0, 0), true, true), Contact::Failed, "refused"),
            (flow(tcp, 22, (3, 0), 7), with((0, 0), true, false), Contact::Failed, "dropped by a firewall"),
            (flow(tcp, 22, (2, 1), 0), with((0, 0), true, true), Contact::Failed, "a half-open scan of an open port"),
            (flow(tcp, 80, (1, 5), 31), half_open, Contact::Failed, "a forged source, which answers no SYN-ACK"),
            (flow(tcp, 22, (4, 3), 0), with((0, 0), true, false), Contact::Other, "a check that closes in order"),
            (flow(tcp, 22, (1, 1), 0), with((0, 0), false, true), Contact::Failed, "an ACK to a service"),
            (flow(tcp, 40_001, (1, 1), 0), with((0, 0), false, true), Contact::Other, "the rest of a connection"),
            (flow(tcp, 80, (5, 4), 0), with((100, 900), true, false), Contact::Short, "a call"),
            (flow(tcp, 80, (5, 4), 0), with((100, 900), true, true), Contact::Short, "a call that ends by a reset"),
            (flow(tcp, 80, (5, 4), 40), with((100, 900), true, false), Contact::Other, "a long one"),
            (flow(tcp, 80, (50, 40), 1), with((100, 90_000), true, false), Contact::Other, "a great one"),
            (flow(udp, 53, (1, 0), 0), with((30, 0), false, false), Contact::Failed, "no answer"),
            (flow(udp, 53, (9, 0), 9), with((270, 0), false, false), Contact::Other, "a stream that nobody answers"),
            (flow(udp, 53, (1, 1), 0), with((30, 90), false, false), Contact::Short, "a lookup"),
            (from(8, flow(icmp, 0, (1, 0), 0)), with((56, 0), false, false), Contact::Failed, "no echo"),
            (from(3, flow(icmp, 1, (1, 0), 0)), with((56, 0), false, false), Contact::Other, "an error that is told"),
            (
                from(135, flow(icmp_v6, 136, (1, 0), 0)),
                with((24, 0), false, false),
                Contact::Other,
                "a neighbour is looked for",
            ),
            (
                to_all(flow(udp, 5_353, (1, 0), 0)),
                with((80, 0), false, false),
                Contact::Other,
                "a group is told something",
            ),
            (
                FlowFacts { part: 1, ..flow(tcp, 22, (1, 0), 0) },
                with((0, 0), true, true),
                Contact::Other,
                "a later part",
            ),
        ] {
            assert_eq!(Contact::of(&flow, &exchange), contact, "{what}");
        }
    }
}
