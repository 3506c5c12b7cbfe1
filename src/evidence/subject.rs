//! Whom a count is about: a source, a pair, a service, and which flows are of it.

use std::hash::{Hash, Hasher};

use super::contact::Contact;
use super::gauges::Look;
use crate::flow::FiveTuple;
use crate::model::EvidenceKind;
use crate::packet::{Address, protocol};

/// Whom evidence of a kind is about; what the kind does not tell apart is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The kind of evidence.
    pub kind: EvidenceKind,
    /// Who does it.
    pub source: Option<Address>,
    /// To whom.
    pub destination: Option<Address>,
    /// On which port.
    pub port: Option<u16>,
    /// By which protocol.
    pub protocol: Option<u8>,
}

/// Five words in all, since each flow asks for a handful of subjects. What a subject leaves out follows from its kind, so that nothing else can stand
/// for it.
impl Hash for Subject {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { kind, source, destination, port, protocol } = *self;
        state.write_u128(source.map_or(0, Address::bits));
        state.write_u128(destination.map_or(0, Address::bits));
        let [low, high] = port.unwrap_or_default().to_le_bytes();
        state.write_u32(u32::from_le_bytes([low, high, protocol.unwrap_or_default(), kind as u8]));
    }
}

impl Subject {
    /// Whom a flow tells something about, by a kind.
    #[must_use]
    pub const fn of(kind: EvidenceKind, flow: &FiveTuple) -> Self {
        let FiveTuple { src, dst, dst_port, protocol, .. } = *flow;
        let (source, destination, port, protocol) = (Some(src), Some(dst), Some(dst_port), Some(protocol));
        let none = Self { kind, source: None, destination: None, port: None, protocol: None };
        match kind {
            EvidenceKind::Ports => Self { source, destination, ..none },
            EvidenceKind::Hosts => Self { source, port, protocol, ..none },
            EvidenceKind::Flood => Self { destination, port, protocol, ..none },
            EvidenceKind::Refusals | EvidenceKind::Guessing | EvidenceKind::Calls | EvidenceKind::Share => {
                Self { kind, source, destination, port, protocol }
            }
            EvidenceKind::Endpoints => Self { source, ..none },
        }
    }

    /// Whether an incident about this covers a flow of it that went so: all that a scanner does with its target, but of what
    /// a source does elsewhere only what fails.
    #[must_use]
    pub fn covers(&self, contact: Contact) -> bool {
        match self.kind {
            EvidenceKind::Ports
            | EvidenceKind::Hosts
            | EvidenceKind::Refusals
            | EvidenceKind::Guessing
            | EvidenceKind::Calls
            | EvidenceKind::Share => true,
            EvidenceKind::Flood => contact == Contact::Failed || self.is_icmp(),
            EvidenceKind::Endpoints => contact == Contact::Failed,
        }
    }

    const fn is_icmp(&self) -> bool {
        matches!(self.protocol, Some(protocol::ICMP | protocol::ICMPV6))
    }
}

/// Whether a flow that went so counts by a kind. What failed is told by how often and where it failed, and not by its verdict: nothing was said
/// that one could go by.
pub(super) fn counts(kind: EvidenceKind, tuple: &FiveTuple, look: &Look) -> bool {
    let Look { contact, is_refused, is_echo, is_guess, .. } = *look;
    match kind {
        EvidenceKind::Ports | EvidenceKind::Hosts | EvidenceKind::Endpoints => contact == Contact::Failed,
        // A service that is down refuses all its clients; a flood keeps a service waiting.
        // An echo costs its host the same whether it is answered or not.
        EvidenceKind::Flood => contact == Contact::Failed && !is_refused || is_echo,
        // But no client of it tries so often.
        EvidenceKind::Refusals => contact == Contact::Failed && is_refused,
        EvidenceKind::Guessing => contact == Contact::Short && is_guess,
        EvidenceKind::Calls => contact == Contact::Short && tuple.protocol == protocol::TCP,
        EvidenceKind::Share => contact != Contact::Failed,
    }
}
