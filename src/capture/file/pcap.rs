//! Classic pcap, as the IETF draft "PCAP Capture File Format" and libpcap's reader have it.

use super::input::Input;
use super::{LONGEST_PACKET, Stop};
use crate::packet::{Frame, LinkType};
use crate::time::Micros;

/// What the file header says of all packets.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    nanoseconds: bool,
    /// Bytes of a packet's header: 16, or 24 in the format of old patched Linux kernels.
    record: usize,
    lengths: Lengths,
    link: LinkType,
    snaplen: u32,
}

/// Byte order of the file's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// Files before version 2.4 have the two lengths the other way round, always or sometimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    WireFirst,
    LesserIsCaptured,
}

impl Order {
    /// A 16-bit number at `offset`; 0 beyond the end, which callers have excluded.
    pub(super) fn u16(self, bytes: &[u8], offset: usize) -> u16 {
        let raw = bytes.get(offset..).and_then(|tail| tail.first_chunk()).copied().unwrap_or_default();
        match self {
            Self::Big => u16::from_be_bytes(raw),
            Self::Little => u16::from_le_bytes(raw),
        }
    }

    /// A 32-bit number at `offset`; 0 beyond the end, which callers have excluded.
    pub(super) fn u32(self, bytes: &[u8], offset: usize) -> u32 {
        let raw = bytes.get(offset..).and_then(|tail| tail.first_chunk()).copied().unwrap_or_default();
        match self {
            Self::Big => u32::from_be_bytes(raw),
            Self::Little => u32::from_le_bytes(raw),
        }
    }
}

impl Pcap {
    /// Reads the file header behind its magic number.
    pub(super) fn open(magic: [u8; 4], input: &mut Input) -> Result<Self, Stop> {
        let (order, magic) = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
            (number @ (MICRO | NANO | PATCHED), _) => (Order::Big, number),
            (_, number @ (MICRO | NANO | PATCHED)) => (Order::Little, number),
            (number, _) => return Err(Stop::Damaged(format!("it begins with 0x{number:08x}"))),
        };
        let Some(header) = input.peek(FILE_HEADER)? else { return Err(Stop::Truncated("the file header")) };
        let (major, minor) = (order.u16(header, 4), order.u16(header, 6));
        let snaplen = order.u32(header, 16);
        // The upper bits say whether frames end in a checksum.
        let link = LinkType::from_number(order.u32(header, 20) & 0x03ff_ffff);
        input.consume(FILE_HEADER);
        let lengths = match (major, minor) {
            (2, ..=2) | (543, _) => Lengths::WireFirst,
            (2, 3) => Lengths::LesserIsCaptured,
            _ => Lengths::CapturedFirst,
        };
        Ok(Self {
            order,
            nanoseconds: magic == NANO,
            record: if magic == PATCHED { 24 } else { 16 },
            lengths,
            link,
            snaplen: if snaplen == 0 { LONGEST_PACKET } else { snaplen.min(LONGEST_PACKET) },
        })
    }

    /// The next packet.
    pub(super) fn next<'a>(&mut self, input: &'a mut Input) -> Result<Frame<'a>, Stop> {
        let Some(header) = input.peek(self.record)? else {
            return Err(if input.rest().is_empty() { Stop::End } else { Stop::Truncated("a packet header") });
        };
        let seconds = i64::from(self.order.u32(header, 0));
        let fraction = i64::from(self.order.u32(header, 4));
        let (first, second) = (self.order.u32(header, 8), self.order.u32(header, 12));
        let (captured, wire_len) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::WireFirst => (second, first),
            Lengths::LesserIsCaptured => (first.min(second), first.max(second)),
        };
        if captured > LONGEST_PACKET {
            return Err(Stop::Damaged(format!("a packet of {captured} bytes, above the {LONGEST_PACKET} that may be")));
        }
        // A packet longer than the file's snaplen keeps the snaplen's bytes, as libpcap has it.
        let kept = captured.min(self.snaplen) as usize;
        let whole = self.record.saturating_add(captured as usize);
        if input.peek(whole)?.is_none() {
            return Err(Stop::Truncated("a packet"));
        }
        input.consume(whole);
        let data = input.consumed(captured as usize).get(..kept).unwrap_or_default();
        let micros = if self.nanoseconds { fraction / 1_000 } else { fraction };
        Ok(Frame { time: Micros(seconds * 1_000_000 + micros), data, wire_len, link: self.link })
    }
}

const MICRO: u32 = 0xa1b2_c3d4;
const NANO: u32 = 0xa1b2_3c4d;
const PATCHED: u32 = 0xa1b2_cd34;
const FILE_HEADER: usize = 24;
