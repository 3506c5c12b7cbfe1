//! Capture files as bytes: classic pcap and pcapng in both byte orders and several time resolutions, and gzip.
//!
//! Written by hand from the formats' descriptions, so that the reader under test is held against something that
//! shares no code with it.

use std::io::Write as _;

/// One captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// ns since the epoch.
    pub nanos: u64,
    /// Link type number.
    pub link: u32,
    /// Bytes on the wire.
    pub wire_len: u32,
    /// Bytes captured.
    pub data: Vec<u8>,
}

impl Captured {
    /// A frame that was captured whole, at a time in µs since the epoch.
    pub fn whole(micros: i64, link: u32, data: Vec<u8>) -> Self {
        let nanos = u64::try_from(micros).expect("a time after 1970") * 1_000;
        Self { nanos, link, wire_len: u32::try_from(data.len()).expect("a frame"), data }
    }

    /// The frame as a capture with this snaplen holds it.
    pub fn cut(mut self, snaplen: usize) -> Self {
        self.data.truncate(snaplen);
        self
    }
}

/// How a classic pcap file is written. All frames go under the first frame's link type.
#[derive(Clone, Copy, Debug)]
pub struct Pcap {
    /// Nanosecond times instead of microseconds.
    pub nanoseconds: bool,
    /// Big-endian numbers.
    pub big_endian: bool,
    /// The snaplen that the header states; frames are cut to it.
    pub snaplen: u32,
}

impl Default for Pcap {
    fn default() -> Self {
        Self { nanoseconds: false, big_endian: false, snaplen: 262_144 }
    }
}

impl Pcap {
    /// The file's bytes.
    pub fn write(self, frames: &[Captured]) -> Vec<u8> {
        let link = frames.first().map_or(1, |frame| frame.link);
        let order = Order { big_endian: self.big_endian };
        let mut file = Vec::new();
        order.u32(&mut file, if self.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 });
        order.u16(&mut file, 2);
        order.u16(&mut file, 4);
        order.u32(&mut file, 0); // time zone: always UTC
        order.u32(&mut file, 0); // accuracy: never used
        order.u32(&mut file, self.snaplen);
        order.u32(&mut file, link);
        for frame in frames {
            let data = frame.data.get(..self.snaplen as usize).unwrap_or(&frame.data);
            let fraction = frame.nanos % 1_000_000_000;
            order.u32(&mut file, u32::try_from(frame.nanos / 1_000_000_000).expect("a time before 2106"));
            let fraction = if self.nanoseconds { fraction } else { fraction / 1_000 };
            order.u32(&mut file, u32::try_from(fraction).expect("below one second"));
            order.u32(&mut file, u32::try_from(data.len()).expect("a frame"));
            order.u32(&mut file, frame.wire_len);
            file.extend_from_slice(data);
        }
        file
    }
}

/// A pcapng file in the making: sections, interfaces, packets, in any order that the format allows.
#[derive(Clone, Debug)]
pub struct PcapNg {
    file: Vec<u8>,
    order: Order,
    interfaces: Vec<Interface>,
}

/// One interface of a pcapng section.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// Link type number.
    pub link: u16,
    /// Snaplen; 0 for none.
    pub snaplen: u32,
    /// Time resolution.
    pub resolution: Resolution,
    /// Seconds to add to every time of this interface.
    pub offset: i64,
}

/// Time units of a pcapng interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The format's default, without an option: microseconds.
    Unstated,
    /// Units of 10⁻ⁿ s.
    Decimal(u8),
    /// Units of 2⁻ⁿ s.
    Binary(u8),
}

impl Interface {
    /// Microseconds, no snaplen, no offset.
    pub const fn of(link: u16) -> Self {
        Self { link, snaplen: 0, resolution: Resolution::Unstated, offset: 0 }
    }

    fn ticks(&self, nanos: u64) -> u64 {
        let second = 1_000_000_000_u128;
        let nanos = u128::try_from(i128::from(nanos) - i128::from(self.offset) * 1_000_000_000).expect("after 1970");
        let units = match self.resolution {
            Resolution::Unstated => 1_000_000,
            Resolution::Decimal(exponent) => 10_u128.pow(u32::from(exponent)),
            Resolution::Binary(exponent) => 1 << exponent,
        };
        // Rounded up where units are coarse binary ones, so that a reader that rounds down finds the same µs.
        u64::try_from((nanos * units).div_ceil(second)).expect("64 bits of time")
    }
}

impl PcapNg {
    /// A file whose first section has this byte order.
    pub fn new(big_endian: bool) -> Self {
        let mut file = Self { file: Vec::new(), order: Order { big_endian }, interfaces: Vec::new() };
        file.section(big_endian);
        file
    }

    /// Begins a section; interfaces are numbered anew in it.
    pub fn section(&mut self, big_endian: bool) -> &mut Self {
        self.order = Order { big_endian };
        self.interfaces.clear();
        let mut body = Vec::new();
        self.order.u32(&mut body, 0x1a2b_3c4d);
        self.order.u16(&mut body, 1);
        self.order.u16(&mut body, 0);
        self.order.u64(&mut body, u64::MAX); // length not stated
        self.block(0x0a0d_0d0a, &body)
    }

    /// Adds an interface to the section.
    pub fn interface(&mut self, interface: Interface) -> &mut Self {
        let mut body = Vec::new();
        self.order.u16(&mut body, interface.link);
        self.order.u16(&mut body, 0);
        self.order.u32(&mut body, interface.snaplen);
        match interface.resolution {
            Resolution::Unstated => {}
            Resolution::Decimal(exponent) => self.order.option(&mut body, 9, &[exponent]),
            Resolution::Binary(exponent) => self.order.option(&mut body, 9, &[exponent | 0x80]),
        }
        if interface.offset != 0 {
            let mut seconds = Vec::new();
            self.order.u64(&mut seconds, interface.offset.cast_unsigned());
            self.order.option(&mut body, 14, &seconds);
        }
        self.order.option(&mut body, 0, &[]);
        self.interfaces.push(interface);
        self.block(1, &body)
    }

    /// An enhanced packet block on the interface of that number.
    pub fn packet(&mut self, interface: usize, frame: &Captured) -> &mut Self {
        let ticks = self.interfaces[interface].ticks(frame.nanos);
        let mut body = Vec::new();
        self.order.u32(&mut body, u32::try_from(interface).expect("few interfaces"));
        self.packet_body(&mut body, ticks, frame);
        self.block(6, &body)
    }

    /// The obsolete packet block, which some tools still write.
    pub fn obsolete_packet(&mut self, interface: usize, frame: &Captured) -> &mut Self {
        let ticks = self.interfaces[interface].ticks(frame.nanos);
        let mut body = Vec::new();
        self.order.u16(&mut body, u16::try_from(interface).expect("few interfaces"));
        self.order.u16(&mut body, 0xffff); // drops: not known
        self.packet_body(&mut body, ticks, frame);
        self.block(2, &body)
    }

    /// A simple packet block: interface 0, no time at all.
    pub fn simple_packet(&mut self, frame: &Captured) -> &mut Self {
        let mut body = Vec::new();
        self.order.u32(&mut body, frame.wire_len);
        body.extend_from_slice(&frame.data);
        self.block(3, &body)
    }

    /// Any block; the body is padded to a multiple of four bytes.
    pub fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).expect("a block");
        self.order.u32(&mut self.file, kind);
        self.order.u32(&mut self.file, length);
        self.file.extend_from_slice(body);
        self.file.resize(self.file.len() + padded - body.len(), 0);
        self.order.u32(&mut self.file, length);
        self
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.file.clone()
    }

    fn packet_body(&self, body: &mut Vec<u8>, ticks: u64, frame: &Captured) {
        self.order.u32(body, u32::try_from(ticks >> 32).expect("the high half"));
        self.order.u32(body, u32::try_from(ticks & 0xffff_ffff).expect("the low half"));
        self.order.u32(body, u32::try_from(frame.data.len()).expect("a frame"));
        self.order.u32(body, frame.wire_len);
        body.extend_from_slice(&frame.data);
    }
}

/// The bytes, gzipped; no time and no name in the header, so equal input gives equal output.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory takes every write");
    encoder.finish().expect("memory takes every write")
}

#[derive(Clone, Copy, Debug)]
struct Order {
    big_endian: bool,
}

impl Order {
    fn u16(self, to: &mut Vec<u8>, value: u16) {
        to.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(self, to: &mut Vec<u8>, value: u32) {
        to.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u64(self, to: &mut Vec<u8>, value: u64) {
        to.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn option(self, to: &mut Vec<u8>, code: u16, value: &[u8]) {
        self.u16(to, code);
        self.u16(to, u16::try_from(value.len()).expect("a short option"));
        to.extend_from_slice(value);
        to.resize(to.len().next_multiple_of(4), 0);
    }
}
