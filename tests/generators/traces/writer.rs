//! A capture on its way to a file: classic pcap, Ethernet, microseconds, whole frames.

use std::io::{self, Write};

use super::Totals;
use crate::util::capture_file::Pcap;
use crate::util::traffic::{Link, Packet};

/// Writes packets in the order given.
pub(super) struct Writer<W> {
    output: W,
    totals: Totals,
}

impl<W: Write> Writer<W> {
    /// Writes the file's header.
    pub(super) fn new(mut output: W) -> io::Result<Self> {
        output.write_all(&Pcap::default().write(&[]))?;
        Ok(Self { output, totals: Totals::default() })
    }

    /// Writes one packet.
    pub(super) fn packet(&mut self, packet: &Packet) -> io::Result<()> {
        let Some(frame) = Link::Ethernet.frame(packet) else { return Ok(()) };
        let mut header = [0; 16];
        let micros = frame.nanos / 1_000;
        let fields = [micros / 1_000_000, micros % 1_000_000, frame.data.len() as u64, u64::from(frame.wire_len)];
        for (place, field) in header.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&u32::try_from(field).expect("a time before 2106, a frame").to_le_bytes());
        }
        self.output.write_all(&header)?;
        self.output.write_all(&frame.data)?;
        self.totals.packets += 1;
        self.totals.bytes += frame.data.len() as u64;
        Ok(())
    }

    /// Writes what is left in buffers; `flows` is how many conversations were told.
    pub(super) fn finish(mut self, flows: u64) -> io::Result<Totals> {
        self.output.flush()?;
        Ok(Totals { flows, ..self.totals })
    }
}
