//! pcapng, as the IETF draft "PCAP Now Generic" has it: sections of either byte order, interfaces that may differ.

use super::input::Input;
use super::pcap::Order;
use super::{LONGEST_PACKET, Stop};
use crate::packet::{Frame, LinkType};
use crate::time::Micros;

/// The state of the current section.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    section: Option<Order>,
    interfaces: Vec<Interface>,
}

/// What an interface description says of its packets.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    /// Time units a second.
    units: u64,
    /// Seconds to add to every time.
    offset: i64,
}

/// A packet found in a block, by its place there.
struct Found {
    interface: Interface,
    time: Micros,
    from: usize,
    captured: u32,
    wire_len: u32,
}

impl Pcapng {
    /// The next packet; steps over every other kind of block.
    pub(super) fn next<'a>(&mut self, input: &'a mut Input) -> Result<Frame<'a>, Stop> {
        let (length, found) = loop {
            let (kind, length) = self.block_header(input)?;
            if !is_read(kind) {
                if !input.skip(length as u64)? {
                    return Err(Stop::Truncated("a block"));
                }
                continue;
            }
            let order = self.order()?;
            let Some(block) = input.peek(length)? else { return Err(Stop::Truncated("a block")) };
            let trailer = order.u32(block, length.saturating_sub(4));
            if trailer as usize != length {
                return Err(Stop::Damaged(format!("a block of {length} bytes that closes as one of {trailer}")));
            }
            let body = block.get(8..length.saturating_sub(4)).unwrap_or_default();
            let found = match kind {
                SECTION_HEADER => {
                    self.interfaces.clear();
                    None
                }
                INTERFACE => {
                    self.interfaces.push(Interface::read(order, body)?);
                    None
                }
                ENHANCED_PACKET => Some(self.enhanced(order, body)?),
                SIMPLE_PACKET => Some(self.simple(order, body)?),
                _ => Some(self.obsolete(order, body)?),
            };
            match found {
                Some(found) => break (length, found),
                None => input.consume(length),
            }
        };
        input.consume(length);
        let from = found.from.saturating_add(8);
        let block = input.consumed(length);
        let kept = found.captured.min(found.interface.snaplen) as usize;
        let data = block.get(from..from.saturating_add(kept)).unwrap_or_default();
        Ok(Frame { time: found.time, data, wire_len: found.wire_len, link: found.interface.link })
    }

    /// Type and whole length of the next block; a section header also sets the byte order.
    fn block_header(&mut self, input: &mut Input) -> Result<(u32, usize), Stop> {
        let Some(header) = input.peek(12)? else {
            return Err(if input.rest().is_empty() { Stop::End } else { Stop::Truncated("a block header") });
        };
        // The section header's type reads the same in both orders.
        if Order::Big.u32(header, 0) == SECTION_HEADER {
            self.section = Some(match Order::Big.u32(header, 8) {
                BYTE_ORDER => Order::Big,
                number if number.swap_bytes() == BYTE_ORDER => Order::Little,
                number => return Err(Stop::Damaged(format!("byte-order magic 0x{number:08x}"))),
            });
        }
        let order = self.order()?;
        let (kind, length) = (order.u32(header, 0), order.u32(header, 4));
        let least = if kind == SECTION_HEADER { 28 } else { 12 };
        if length % 4 != 0 || length < least || length > LONGEST_BLOCK {
            return Err(Stop::Damaged(format!("a block of type 0x{kind:08x} and length {length}")));
        }
        Ok((kind, length as usize))
    }

    fn order(&self) -> Result<Order, Stop> {
        self.section.ok_or_else(|| Stop::Damaged("a block before the first section header".to_owned()))
    }

    fn interface(&self, number: u32) -> Result<Interface, Stop> {
        self.interfaces
            .get(number as usize)
            .copied()
            .ok_or_else(|| Stop::Damaged(format!("a packet of interface {number}, which is not described")))
    }

    fn enhanced(&self, order: Order, body: &[u8]) -> Result<Found, Stop> {
        let interface = self.interface(order.u32(need(body, 20)?, 0))?;
        let stamp = u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8));
        Found::new(interface, interface.time(stamp), 20, order.u32(body, 12), order.u32(body, 16), body)
    }

    /// The obsolete packet block: the interface has 16 bits, the rest stands as in the enhanced one.
    fn obsolete(&self, order: Order, body: &[u8]) -> Result<Found, Stop> {
        let interface = self.interface(order.u16(need(body, 20)?, 0).into())?;
        let stamp = u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8));
        Found::new(interface, interface.time(stamp), 20, order.u32(body, 12), order.u32(body, 16), body)
    }

    /// A simple packet has no time (it reads as 0, as in libpcap) and belongs to the first interface.
    fn simple(&self, order: Order, body: &[u8]) -> Result<Found, Stop> {
        let wire_len = order.u32(need(body, 4)?, 0);
        let interface = self.interface(0)?;
        Found::new(interface, Micros::ZERO, 4, wire_len.min(interface.snaplen), wire_len, body)
    }
}

impl Interface {
    fn read(order: Order, body: &[u8]) -> Result<Self, Stop> {
        let link = LinkType::from_number(order.u16(need(body, 8)?, 0).into());
        let snaplen = order.u32(body, 4);
        let snaplen = if snaplen == 0 { LONGEST_PACKET } else { snaplen };
        let mut interface = Self { link, snaplen, units: 1_000_000, offset: 0 };
        let mut at = 8usize;
        while let Some(option) = body.get(at..).filter(|rest| rest.len() >= 4) {
            let (code, length) = (order.u16(option, 0), usize::from(order.u16(option, 2)));
            let Some(value) = option.get(4..length.saturating_add(4)) else {
                return Err(Stop::Damaged("an interface option that runs past its block".to_owned()));
            };
            match (code, value) {
                (0, _) => break,
                (TIME_RESOLUTION, &[resolution]) => interface.units = units(resolution)?,
                (TIME_OFFSET, value) if value.len() == 8 => {
                    let (high, low) = match order {
                        Order::Big => (order.u32(value, 0), order.u32(value, 4)),
                        Order::Little => (order.u32(value, 4), order.u32(value, 0)),
                    };
                    interface.offset = (u64::from(high) << 32 | u64::from(low)).cast_signed();
                }
                _ => {}
            }
            at = at.saturating_add(4).saturating_add(length.next_multiple_of(4));
        }
        Ok(interface)
    }

    /// A time stamp in whole microseconds, rounded down.
    fn time(&self, stamp: u64) -> Micros {
        let micros = u128::from(stamp) * 1_000_000 / u128::from(self.units);
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        Micros(micros.saturating_add(self.offset.saturating_mul(1_000_000))).clamped()
    }
}

impl Found {
    fn new(
        interface: Interface,
        time: Micros,
        from: usize,
        captured: u32,
        wire_len: u32,
        body: &[u8],
    ) -> Result<Self, Stop> {
        let held = body.len().saturating_sub(from);
        if captured > LONGEST_PACKET || captured as usize > held {
            return Err(Stop::Damaged(format!("a packet of {captured} bytes in a block that holds {held}")));
        }
        Ok(Self { interface, time, from, captured, wire_len })
    }
}

/// The body, if it has at least `least` bytes.
fn need(body: &[u8], least: usize) -> Result<&[u8], Stop> {
    let short = || Stop::Damaged(format!("a block with a body of {} bytes, below the {least} of its kind", body.len()));
    if body.len() < least { Err(short()) } else { Ok(body) }
}

/// Units a second of `if_tsresol`: a negative power of 10, or of 2 with the top bit set.
fn units(resolution: u8) -> Result<u64, Stop> {
    let exponent = u32::from(resolution & 0x7f);
    let units = if resolution & 0x80 == 0 { 10u64.checked_pow(exponent) } else { 1u64.checked_shl(exponent) };
    units.ok_or_else(|| Stop::Damaged(format!("a time resolution of 0x{resolution:02x}")))
}

const fn is_read(kind: u32) -> bool {
    matches!(kind, SECTION_HEADER | INTERFACE | PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
}

/// Block types.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Reads as itself in the section's own byte order.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// Options of an interface description.
const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;
/// libpcap's bound; the buffer grows to hold a whole block, so it must not be the file's to choose.
const LONGEST_BLOCK: u32 = 16 * 1024 * 1024;
