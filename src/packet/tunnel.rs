//! Decapsulation: what a tunnel's packet carries, for captures that show the outer packets of a node's overlay.
//!
//! VXLAN (RFC 7348), Geneve (RFC 8926), IP in IP (RFC 2003, 4213, 2473) and GRE (RFC 2784, 2890), as deep as is asked for. What cannot be read inside, a fragment of an
//! outer packet, and what lies deeper stays with the packet around it: nothing is lost by looking.

use std::fmt;
use std::str::FromStr;

use super::bytes::{be16, byte};
use super::standard::Behind;
use super::{Frame, LinkType, PacketMeta, protocol};

/// A way to carry packets in packets. The set is fixed: it is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tunnel {
    /// Ethernet in UDP, to port 4789, or 8472 as Flannel and Linux by itself have it.
    Vxlan,
    /// Ethernet or IP in UDP, to port 6081.
    Geneve,
    /// IP in IP, of either version.
    Ipip,
    /// Ethernet or IP in generic routing encapsulation.
    Gre,
}

/// Which tunnels are looked into, and how deep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tunnels {
    wanted: [bool; Tunnel::ALL.len()],
    depth: u8,
}

/// A word that names no tunnel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no tunnel: there are vxlan, geneve, ipip, gre")]
pub struct UnknownTunnel(pub String);

impl Tunnel {
    /// All, in the order of [`Tunnel::index`].
    pub const ALL: [Self; 4] = [Self::Vxlan, Self::Geneve, Self::Ipip, Self::Gre];

    /// The tunnel as a metric label and a word of the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Ipip => "ipip",
            Self::Gre => "gre",
        }
    }

    /// Position in [`Tunnel::ALL`], for counters in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Which tunnel a packet is of, by its protocol and destination port.
    const fn of(packet: &PacketMeta) -> Option<Self> {
        match (packet.protocol, packet.dst_port) {
            (protocol::UDP, VXLAN_PORT | VXLAN_LINUX_PORT) => Some(Self::Vxlan),
            (protocol::UDP, GENEVE_PORT) => Some(Self::Geneve),
            (protocol::IPV4 | protocol::IPV6, _) => Some(Self::Ipip),
            (protocol::GRE, _) => Some(Self::Gre),
            _ => None,
        }
    }

    /// What a packet of it carries, if its header can be read.
    pub(super) fn inside<'a>(self, packet: &PacketMeta, behind: Behind<'a>) -> Option<Frame<'a>> {
        let Behind { captured, on_wire } = behind;
        let (link, offset) = self.payload(captured)?;
        let data = captured.get(offset..).filter(|data| !data.is_empty())?;
        let wire_len = on_wire.checked_sub(u32::try_from(offset).ok()?)?;
        Some(Frame { time: packet.time, data, wire_len, link })
    }

    /// How the packet inside begins, and where, behind the outer IP header.
    fn payload(self, behind: &[u8]) -> Option<(LinkType, usize)> {
        match self {
            Self::Ipip => Some((LinkType::RawIp, 0)),
            // The flag says that there is a network number, without which the header is of something else.
            Self::Vxlan => (byte(behind, UDP)? & VXLAN_FLAG != 0).then_some((LinkType::Ethernet, UDP + 8)),
            Self::Geneve => {
                let first = byte(behind, UDP)?;
                let options = usize::from(first & 0x3f) * 4;
                let link = by_ethertype(be16(behind, UDP + 2)?).filter(|_| first >> 6 == 0)?;
                Some((link, UDP + 8 + options))
            }
            Self::Gre => {
                let flags = be16(behind, 0)?;
                // Source routes were given up by RFC 2784; version 1 is that of PPTP.
                if flags & (GRE_ROUTING | GRE_VERSION) != 0 {
                    return None;
                }
                let optional = [GRE_CHECKSUM, GRE_KEY, GRE_SEQUENCE].map(|flag| usize::from(flags & flag != 0) * 4);
                Some((by_ethertype(be16(behind, 2)?)?, 4 + optional.iter().sum::<usize>()))
            }
        }
    }
}

impl Tunnels {
    /// These, as deep as `depth` of them.
    #[must_use]
    pub fn new(wanted: &[Tunnel], depth: u8) -> Self {
        let depth = if wanted.is_empty() { 0 } else { depth };
        Self { wanted: Tunnel::ALL.map(|tunnel| wanted.contains(&tunnel)), depth }
    }

    /// How many are looked through at most: none where none is wanted.
    #[must_use]
    pub const fn depth(self) -> u8 {
        self.depth
    }

    /// Which of these a packet is of, if it is of one.
    pub(super) fn of(self, packet: &PacketMeta) -> Option<Tunnel> {
        Tunnel::of(packet).filter(|tunnel| self.wanted.get(tunnel.index()) == Some(&true))
    }
}

/// Bytes that must be captured for the headers inside so many tunnels: of each an outer Ethernet, IPv6 and UDP header with eight bytes of its own and some options,
/// and of what is inside Ethernet with two tags, IPv6 and TCP with all options.
#[must_use]
pub fn least_snaplen(depth: u8) -> u32 {
    if depth == 0 { 0 } else { 122 + 86 * u32::from(depth) }
}

impl FromStr for Tunnel {
    type Err = UnknownTunnel;

    fn from_str(word: &str) -> Result<Self, UnknownTunnel> {
        Self::ALL.into_iter().find(|tunnel| tunnel.name() == word).ok_or_else(|| UnknownTunnel(word.to_owned()))
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const fn by_ethertype(kind: u16) -> Option<LinkType> {
    match kind {
        TRANSPARENT_ETHERNET => Some(LinkType::Ethernet),
        IPV4 | IPV6 => Some(LinkType::RawIp),
        _ => None,
    }
}

/// As deep as tunnels are looked into by default: an overlay, and one more in it.
pub const TUNNEL_DEPTH: u8 = 2;
/// And at most.
pub const MAX_TUNNEL_DEPTH: u8 = 4;
/// Bytes of a UDP header.
const UDP: usize = 8;
const VXLAN_PORT: u16 = 4789;
const VXLAN_LINUX_PORT: u16 = 8472;
const GENEVE_PORT: u16 = 6081;
const VXLAN_FLAG: u8 = 0x08;
const GRE_CHECKSUM: u16 = 0x8000;
const GRE_ROUTING: u16 = 0x4000;
const GRE_KEY: u16 = 0x2000;
const GRE_SEQUENCE: u16 = 0x1000;
const GRE_VERSION: u16 = 0x0007;
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
