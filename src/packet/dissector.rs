//! The two readings behind one call.

use super::fragments::Fragments;
use super::{Frame, PacketMeta, Unparsed, reference, standard};

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
}

impl Dissector {
    /// A dissector that follows one reading.
    #[must_use]
    pub fn new(reading: Reading) -> Self {
        Self { reading, fragments: Fragments::default() }
    }

    /// Reads one frame.
    ///
    /// # Errors
    /// The reason why the frame is no packet; the caller counts it.
    pub fn dissect(&mut self, frame: &Frame<'_>) -> Result<PacketMeta, Unparsed> {
        match self.reading {
            Reading::Reference => reference::read(frame),
            Reading::Standard => {
                let standard::Read { mut packet, fragment } = standard::read(frame)?;
                self.fragments.resolve(&mut packet, fragment);
                Ok(packet)
            }
        }
    }
}
