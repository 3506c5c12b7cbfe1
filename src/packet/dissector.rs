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
        match self.reading {
            Reading::Reference => reference::read(frame),
            Reading::Standard if self.tunnels.depth() > 0 => self.look_into(frame).map(|(packet, _)| packet),
            Reading::Standard => {
                let standard::Read { mut packet, fragment } = standard::read(frame)?;
                self.fragments.resolve(&mut packet, fragment);
                Ok(packet)
            }
        }
    }

    /// The same with the frame that the packet was read from: another one where a tunnel carried it.
    ///
    /// # Errors
    /// As [`Dissector::dissect`].
    pub fn dissect_innermost<'a>(&mut self, frame: &Frame<'a>) -> Result<(PacketMeta, Frame<'a>), Unparsed> {
        if self.reading == Reading::Standard && self.tunnels.depth() > 0 {
            return self.look_into(frame);
        }
        self.dissect(frame).map(|packet| (packet, *frame))
    }

    /// Goes on with what a packet carries, until it carries nothing that is wanted and can be read.
    #[inline(never)]
    fn look_into<'a>(&mut self, frame: &Frame<'a>) -> Result<(PacketMeta, Frame<'a>), Unparsed> {
        let (mut read, mut innermost) = (standard::read(frame)?, *frame);
        for _ in 0..self.tunnels.depth() {
            if read.fragment != Fragment::Whole {
                break;
            }
            let Some(tunnel) = self.tunnels.of(&read.packet) else { break };
            let behind = standard::behind(&innermost);
            let Some(inner) = behind.and_then(|behind| tunnel.inside(&read.packet, behind)) else { break };
            let Ok(carried) = standard::read(&inner) else { break };
            (read, innermost) = (carried, inner);
            if let Some(count) = self.decapsulated.get_mut(tunnel.index()) {
                *count = count.saturating_add(1);
            }
        }
        let standard::Read { mut packet, fragment } = read;
        self.fragments.resolve(&mut packet, fragment);
        Ok((packet, innermost))
    }

    /// Packets that were found inside a tunnel's, by [`Tunnel::index`]; one inside of two counts for both.
    #[must_use]
    pub const fn decapsulated(&self) -> [u64; Tunnel::ALL.len()] {
        self.decapsulated
    }
}
