//! The identity columns as numbers: who talked to whom, and when. They have ids of their own after those of the features,
//! so that an experiment can train on them; a feature vector and a CSV's features do not hold them.

use super::schema::{Feature, Kind, Unit};

/// What an identity column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// An IP address.
    Address,
    /// A port, or what ICMP has in its place.
    Port,
    /// An IP protocol number.
    Protocol,
    /// A time.
    Time,
}

impl Identity {
    /// Of the column at a position of [`IDENTITIES`].
    pub(super) fn at(position: usize) -> Option<Self> {
        KINDS.get(position).copied()
    }
}

/// The identity columns that are numbers or can be read as such, in the reference's order.
#[rustfmt::skip]
pub const IDENTITIES: [Feature; 6] = [
    who("Src IP", "src_ip", Unit::Ratio, "initiator's address", ADDRESS),
    who("Src Port", "src_port", Unit::Ratio, "initiator's port; for ICMP the message type", SOURCE_PORT),
    who("Dst IP", "dst_ip", Unit::Ratio, "responder's address", ADDRESS),
    who("Dst Port", "dst_port", Unit::Ratio, "responder's port; for ICMP the answer's type, or the code of a message without an answer", PORT),
    who("Protocol", "protocol", Unit::Ratio, "IP protocol number", PROTOCOL),
    who("Timestamp", "timestamp", Unit::Seconds, "first packet's time, UTC", TIME),
];

/// What each of [`IDENTITIES`] holds.
const KINDS: [Identity; IDENTITIES.len()] =
    [Identity::Address, Identity::Port, Identity::Address, Identity::Port, Identity::Protocol, Identity::Time];

/// No profile serves it, so that it is not portable.
const fn who(
    column: &'static str,
    key: &'static str,
    unit: Unit,
    definition: &'static str,
    reason: &'static str,
) -> Feature {
    let difference = None;
    Feature { column, key, unit, kind: Kind::Double, definition, difference, portable: false, leaky: Some(reason) }
}

const ADDRESS: &str = "an address names a host of one cluster, not what the flow did";
const SOURCE_PORT: &str =
    "the initiator's system picks it, often counting up, so that it tells when a flow was, not what it did";
const PORT: &str = "a port names the service that was attacked in the training data, not the attack";
const PROTOCOL: &str = "a protocol number names the service that was attacked in the training data, not the attack";
const TIME: &str = "a time says when a capture was made, not what the flow did";
