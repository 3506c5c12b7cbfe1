//! The two readings behind one call.

use super::fragments::{Fragment, Fragments};
use super::{Frame, PacketMeta, Tunnel, Tunnels, Unparsed, reference, standard};

/// Which reading of the wire a [`Dissector`] follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The reference meter's header walk (FEATURES.md section 1).
    Reference,
    /// Every link type, both IP versions, lengths from IP headers.
    Standard,
}

/// Reads frames into packets, one after another.
#[derive(Debug)]
pub struct Dissector {
    reading: Reading,
    fragments: Fragments,
    tunnels: Tunnels,
    /// Packets found inside a tunnel's, by [`Tunnel::index`].
    decapsulated: [u64; Tunnel::ALL.len()],
}

impl Dissector {
    /// A dissector that follows one reading.
    #[must_use]
    pub fn new(reading: Reading) -> Self {
        Self { reading, fragments: Fragments::default(), tunnels: Tunnels::default(), decapsulated: [0; _] }
    }

    /// The same, which reads what these tunnels carry in place of their own packets. The reference meter knows no tunnels.
    #[must_use]
    pub fn through(self, tunnels: Tunnels) -> Self {
        Self { tunnels, ..self }
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// The reason why the frame is no packet; the caller counts it.
    pub fn dissect(&mut self, frame: &Frame<'_>) -> Result<PacketMeta, Unparsed> {
        self.dissect_innermost(frame).map(|(packet, _)| packet)
    }

    /// The same with the frame that the packet was read from: another one where a tunnel carried it.
    ///
    /// # Errors
    /// As [`Dissector::dissect`].
    pub fn dissect_innermost<'a>(&mut self, frame: &Frame<'a>) -> Result<(PacketMeta, Frame<'a>), Unparsed> {
        match self.reading {
            Reading::Reference => reference::read(frame).map(|packet| (packet, *frame)),
            Reading::Standard => {
                let (mut read, mut innermost) = (standard::read(frame)?, *frame);
                for _ in 0..self.tunnels.depth() {
                    let Some((tunnel, inner, carried)) = self.carried(&read) else { break };
                    (read, innermost) = (carried, inner);
                    if let Some(count) = self.decapsulated.get_mut(tunnel.index()) {
                        *count = count.saturating_add(1);
                    }
                }
                let standard::Read { mut packet, fragment, .. } = read;
                self.fragments.resolve(&mut packet, fragment);
                Ok((packet, innermost))
            }
        }
    }

    /// Packets that were found inside a tunnel's, by [`Tunnel::index`]; one inside of two counts for both.
    #[must_use]
    pub const fn decapsulated(&self) -> [u64; Tunnel::ALL.len()] {
        self.decapsulated
    }

    /// What a packet carries, if that can be read.
    fn carried<'a>(&self, read: &standard::Read<'a>) -> Option<(Tunnel, Frame<'a>, standard::Read<'a>)> {
        if read.fragment != Fragment::Whole {
            return None;
        }
        let (tunnel, inner) = self.tunnels.inside(&read.packet, read.behind, read.on_wire)?;
        Some((tunnel, inner, standard::read(&inner).ok()?))
    }
}
