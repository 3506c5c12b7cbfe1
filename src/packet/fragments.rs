//! Later fragments carry no ports: they get those of their datagram's first fragment (quirk Q14, standard reading).
//!
//! A bounded ring of recent first fragments, searched newest first. A later fragment that comes before its first
//! one, or whose first one was never seen, stays without ports: fragment bytes are never read as ports.

use super::{Address, PacketMeta};
use crate::time::Micros;

/// How a packet belongs to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Not fragmented.
    Whole,
    /// The first fragment: it has the transport header.
    First { id: u32 },
    /// Another fragment.
    Later { id: u32 },
}

impl Fragment {
    pub(super) const fn of(offset: u16, more: bool, id: u32) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First { id },
            _ => Self::Later { id },
        }
    }
}

/// Recent first fragments.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    ring: Vec<FirstFragment>,
    oldest: usize,
}

#[derive(Clone, Copy, Debug)]
struct FirstFragment {
    src: Address,
    dst: Address,
    id: u32,
    protocol: u8,
    src_port: u16,
    dst_port: u16,
    time: Micros,
}

impl Fragments {
    /// Remembers a first fragment, and gives a later one its datagram's ports.
    #[inline(always)]
    pub(super) fn resolve(&mut self, packet: &mut PacketMeta, fragment: Fragment) {
        // Nearly all packets are whole, and pay for no call.
        if fragment != Fragment::Whole {
            self.resolve_part(packet, fragment);
        }
    }

    fn resolve_part(&mut self, packet: &mut PacketMeta, fragment: Fragment) {
        match fragment {
            Fragment::Whole => {}
            Fragment::First { id } => self.remember(FirstFragment {
                src: packet.src,
                dst: packet.dst,
                id,
                protocol: packet.protocol,
                src_port: packet.src_port,
                dst_port: packet.dst_port,
                time: packet.time,
            }),
            Fragment::Later { id } => {
                let is_its_first = |first: &&FirstFragment| {
                    first.id == id
                        && first.src == packet.src
                        && first.dst == packet.dst
                        && first.protocol == packet.protocol
                        && packet.time - first.time <= LIFETIME
                };
                let (newer, older) = self.ring.split_at(self.oldest.min(self.ring.len()));
                let mut newest_first = newer.iter().rev().chain(older.iter().rev());
                if let Some(first) = newest_first.find(is_its_first) {
                    packet.src_port = first.src_port;
                    packet.dst_port = first.dst_port;
                }
            }
        }
    }

    fn remember(&mut self, first: FirstFragment) {
        if self.ring.len() < CAPACITY {
            self.ring.push(first);
        } else {
            if let Some(slot) = self.ring.get_mut(self.oldest) {
                *slot = first;
            }
            self.oldest = (self.oldest + 1) % CAPACITY;
        }
    }
}

/// Datagrams in flight at once. A search that fails reads the whole ring, so a flood of stray fragments costs
/// this many comparisons a packet; more would cost more, fewer would lose interleaved datagrams.
const CAPACITY: usize = 64;
/// A receiver keeps an incomplete datagram for at most 60 s (RFC 8200 section 4.5).
const LIFETIME: Micros = Micros::from_secs(60);
