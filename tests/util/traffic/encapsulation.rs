//! Link headers: how one and the same packet looks on Ethernet, cooked, raw and loopback captures.

use super::packet::{IPV4, IPV6, Packet};
use crate::util::capture_file::Captured;

/// A link type, with what its header needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Ethernet II, padded to 60 bytes as a network card does.
    Ethernet,
    /// Ethernet with one VLAN tag.
    Vlan(u16),
    /// Ethernet with an outer 802.1ad and an inner 802.1Q tag.
    QinQ(u16, u16),
    /// No link header.
    RawIp,
    /// BSD loopback in little-endian order, Linux address families.
    Null,
    /// Linux cooked capture, version 1.
    LinuxSll,
    /// Linux cooked capture, version 2.
    LinuxSll2,
}

impl Link {
    /// The number in a capture file's header.
    pub const fn number(self) -> u32 {
        match self {
            Self::Ethernet | Self::Vlan(_) | Self::QinQ(..) => 1,
            Self::RawIp => 101,
            Self::Null => 0,
            Self::LinuxSll => 113,
            Self::LinuxSll2 => 276,
        }
    }

    /// The packet with its link header; `None` where the link type cannot carry it.
    pub fn frame(self, packet: &Packet) -> Option<Captured> {
        let kind = packet.ether_type.to_be_bytes();
        let is_ip = [IPV4, IPV6].contains(&packet.ether_type);
        let (from, to) = hardware_addresses(packet);
        let mut data = Vec::with_capacity(packet.bytes.len() + 24);
        match self {
            Self::Ethernet | Self::Vlan(_) | Self::QinQ(..) => {
                data.extend(to);
                data.extend(from);
                if let Self::QinQ(outer, _) = self {
                    data.extend([0x88, 0xa8]);
                    data.extend(outer.to_be_bytes());
                }
                if let Self::Vlan(tag) | Self::QinQ(_, tag) = self {
                    data.extend([0x81, 0x00]);
                    data.extend(tag.to_be_bytes());
                }
                data.extend(kind);
            }
            Self::RawIp if is_ip => {}
            Self::Null if is_ip => {
                data.extend(if packet.ether_type == IPV4 { 2_u32 } else { 10 }.to_le_bytes());
            }
            Self::RawIp | Self::Null => return None,
            Self::LinuxSll => {
                data.extend([0, 0, 0, 1, 0, 6]); // to us, Ethernet, six address bytes
                data.extend(from);
                data.extend([0, 0]);
                data.extend(kind);
            }
            Self::LinuxSll2 => {
                data.extend(kind);
                data.extend([0, 0, 0, 0, 0, 2, 0, 1, 0, 6]); // reserved, interface 2, Ethernet, to us, six bytes
                data.extend(from);
                data.extend([0, 0]);
            }
        }
        data.extend_from_slice(&packet.bytes);
        if self.number() == 1 && data.len() < LEAST_ETHERNET {
            data.resize(LEAST_ETHERNET, 0);
        }
        Some(Captured::whole(packet.time, self.number(), data))
    }
}

/// Addresses that follow from the IP addresses, so that a host has the same one in every packet.
fn hardware_addresses(packet: &Packet) -> ([u8; 6], [u8; 6]) {
    let at = |offset: usize| {
        let mut mac = [0x02, 0x42, 0, 0, 0, 0];
        if let Some(tail) = packet.bytes.get(offset..offset + 4) {
            mac[2..].copy_from_slice(tail);
        }
        mac
    };
    match packet.ether_type {
        IPV4 => (at(12), at(16)),
        IPV6 => (at(20), at(36)),
        _ => (at(14), [0xff; 6]), // ARP: the sender's protocol address; to all
    }
}

/// Least frame on the wire, without its check sequence.
const LEAST_ETHERNET: usize = 60;
