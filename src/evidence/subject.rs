//! Whom a count is about: a source, a pair, a service, and which flows are of it.

use super::contact::Contact;
use crate::flow::FiveTuple;
use crate::model::EvidenceKind;
use crate::packet::{Address, protocol};

/// Whom evidence of a kind is about; what the kind does not tell apart is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
            EvidenceKind::Guessing | EvidenceKind::Calls | EvidenceKind::Share => {
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
            | EvidenceKind::Guessing
            | EvidenceKind::Calls
            | EvidenceKind::Share => true,
            EvidenceKind::Flood | EvidenceKind::Endpoints => contact == Contact::Failed,
        }
    }

    /// Whether a flow of it that went so counts. What failed is told by how often and where it failed, and not by its verdict: nothing was said
    /// that one could go by.
    pub(super) fn counts(&self, contact: Contact, is_refused: bool, is_guess: bool) -> bool {
        match self.kind {
            EvidenceKind::Ports | EvidenceKind::Hosts | EvidenceKind::Endpoints => contact == Contact::Failed,
            // A service that is down refuses all its clients; a flood keeps a service waiting.
            EvidenceKind::Flood => contact == Contact::Failed && !is_refused,
            EvidenceKind::Guessing => contact == Contact::Short && is_guess,
            EvidenceKind::Calls => contact == Contact::Short && self.protocol == Some(protocol::TCP),
            EvidenceKind::Share => contact != Contact::Failed,
        }
    }
}
