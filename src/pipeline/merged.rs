//! Several sources as one, by packet time.

use crate::capture::{PacketSource, Progress};
use crate::packet::{Frame, LinkType};
use crate::time::Micros;

/// Merges sources that are each in order; packets of equal time come in the order of the sources.
#[derive(Debug)]
pub struct Merged<P> {
    sources: Vec<Pending<P>>,
}

/// A source and its next packet.
#[derive(Debug)]
struct Pending<P> {
    source: P,
    next: Option<Held>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Held {
    time: Micros,
    data: Vec<u8>,
    wire_len: u32,
    link: Option<LinkType>,
}

impl<P: PacketSource> Merged<P> {
    /// Merges these sources.
    pub fn new(sources: impl IntoIterator<Item = P>) -> Self {
        let pending = |source| Pending { source, next: None, ended: false };
        Self { sources: sources.into_iter().map(pending).collect() }
    }
}

impl<P: PacketSource> PacketSource for Merged<P> {
    type Error = P::Error;

    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, mut deliver: F) -> Result<Progress, P::Error> {
        let mut spare = Held::default();
        for _ in 0..max {
            for pending in &mut self.sources {
                pending.hold(&mut spare)?;
            }
            let waiting = self.sources.iter_mut().filter(|pending| pending.next.is_some());
            let first = waiting.min_by_key(|pending| pending.next.as_ref().map(|held| held.time));
            let Some(held) = first.and_then(|pending| pending.next.take()) else { return Ok(Progress::End) };
            if let Held { time, ref data, wire_len, link: Some(link) } = held {
                deliver(Frame { time, data, wire_len, link });
            }
            spare = held;
        }
        Ok(Progress::Delivered)
    }
}

impl<P: PacketSource> Pending<P> {
    /// Makes sure that the next packet is held, in the spare buffer if that is free.
    fn hold(&mut self, spare: &mut Held) -> Result<(), P::Error> {
        while self.next.is_none() && !self.ended {
            let mut held = None;
            let progress = self.source.read(1, |frame| {
                let mut buffer = std::mem::take(spare);
                buffer.data.clear();
                buffer.data.extend_from_slice(frame.data);
                held = Some(Held {
                    time: frame.time,
                    data: buffer.data,
                    wire_len: frame.wire_len,
                    link: Some(frame.link),
                });
            });
            self.next = held;
            match progress {
                Ok(progress) => self.ended = progress == Progress::End,
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
