//! Frame bytes become one small `Copy` value, [`PacketMeta`]; nothing behind this line sees wire bytes.
//!
//! Two readings exist, chosen once with the profile ([`Dissector::new`]): the standard one
//! (`standard`: link layers, IPv4 and IPv6 with extension headers, lengths from IP headers) and
//! the one that repeats the reference meter's header walk (`reference`) for data sets and proofs.
//! What cannot be read is an [`Unparsed`] reason, which the caller counts; it is never an error.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod address;
mod bytes;
mod copies;
mod dissector;
mod fingerprint;
mod fragments;
pub mod icmp;
mod link;
mod reference;
mod standard;
mod tunnel;

pub use address::Address;
pub use copies::{Copies, ObservationPoint, Observed};
pub use dissector::{Dissector, Reading};
pub use fingerprint::{Fingerprints, device};
pub use link::LinkType;
pub use tunnel::{MAX_TUNNEL_DEPTH, TUNNEL_DEPTH, Tunnel, Tunnels, UnknownTunnel, least_snaplen};

use crate::time::Micros;

/// One captured frame, borrowed from the capture's buffer.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When the frame was captured.
    pub time: Micros,
    /// The captured bytes, cut at the snaplen.
    pub data: &'a [u8],
    /// Bytes the frame had on the wire, as the capture says.
    pub wire_len: u32,
    /// How the first bytes are to be read.
    pub link: LinkType,
}

/// All that the flow table needs to know of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketMeta {
    /// Source address.
    pub src: Address,
    /// Destination address.
    pub dst: Address,
    /// Capture time.
    pub time: Micros,
    /// Source port; for ICMP the type (as Community ID maps it); 0 where there is none.
    pub src_port: u16,
    /// Destination port; for ICMP the counterpart type or the code; 0 where there is none.
    pub dst_port: u16,
    /// L4 payload bytes: what the length columns measure.
    pub payload_len: u32,
    /// Bytes of the whole frame on the wire.
    pub wire_len: u32,
    /// TCP sequence number, else 0.
    pub seq: u32,
    /// TCP acknowledgement number, else 0.
    pub ack: u32,
    /// Raw TCP window, else 0.
    pub window: u16,
    /// L4 header bytes (TCP 20 to 60, UDP 8, SCTP 12, ICMP 8; 0 elsewhere).
    pub header_len: u16,
    /// Number of the capture's interface that saw it: the reader's own count, 0 where there is one.
    pub interface: u16,
    /// IP protocol number.
    pub protocol: u8,
    /// TCP flags, else none.
    pub flags: TcpFlags,
}

/// The eight flag bits of a TCP header (byte 13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement field is significant.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(0x20);
    /// ECN echo.
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced.
    pub const CWR: Self = Self(0x80);

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// IP protocol numbers that this crate treats by name.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP.
    pub const IPV4: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// IPv6 in IP.
    pub const IPV6: u8 = 41;
    /// Generic routing encapsulation.
    pub const GRE: u8 = 47;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// L2TP version 3 over IP.
    pub const L2TP: u8 = 115;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// Why a frame became no packet. The set is fixed: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unparsed {
    /// The capture's link type is none that this crate reads.
    LinkType,
    /// The link layer's own header is cut short or malformed.
    LinkHeader,
    /// A frame of another network protocol: ARP, STP, LLDP, MPLS ...
    NotIp,
    /// The IP header is cut short or contradicts itself.
    IpHeader,
    /// The transport header is cut short or contradicts itself.
    TransportHeader,
}

impl Unparsed {
    /// Every reason, in the order of [`Unparsed::index`].
    pub const ALL: [Self; 5] = [Self::LinkType, Self::LinkHeader, Self::NotIp, Self::IpHeader, Self::TransportHeader];

    /// The reason as a metric label and summary key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LinkType => "link_type",
            Self::LinkHeader => "link_header",
            Self::NotIp => "not_ip",
            Self::IpHeader => "ip_header",
            Self::TransportHeader => "transport_header",
        }
    }

    /// Position in [`Unparsed::ALL`], for counters in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}
