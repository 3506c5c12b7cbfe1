//! Link types: how the first bytes of a frame are to be read, and where the network header starts.

/// Link-layer header types that this crate reads, by their LINKTYPE_ values (tcpdump.org registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// BSD loopback: four bytes of address family in the capturing host's order.
    Null,
    /// Ethernet, with VLAN and QinQ tags or 802.2 LLC/SNAP.
    Ethernet,
    /// No link header: the first nibble tells IPv4 from IPv6.
    RawIp,
    /// OpenBSD loopback: address family in network order.
    Loop,
    /// Linux cooked capture, version 1.
    LinuxSll,
    /// Linux cooked capture, version 2.
    LinuxSll2,
    /// Anything else: frames of it are counted, not read.
    Other(u32),
}

impl LinkType {
    /// From the number in a capture file's header or from libpcap (`DLT_RAW` is 12 or 14 there, 101 in files).
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::RawIp,
            108 => Self::Loop,
            113 => Self::LinuxSll,
            276 => Self::LinuxSll2,
            other => Self::Other(other),
        }
    }
}
