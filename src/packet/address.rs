//! One address type for both IP versions, 17 bytes of meaning in a form that hashes and compares fast.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address.
///
/// An IPv4 address is kept in the IPv4-mapped range; a mapped address seen in an IPv6 header is
/// therefore the same value as the IPv4 address that it stands for, as it is to the hosts.
///
/// Two words, high first, order as the 128-bit number does, and need no more than eight bytes' alignment: a flow's
/// tuple fits 40 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    high: u64,
    low: u64,
}

impl Address {
    /// From the four bytes of an IPv4 header.
    #[must_use]
    pub const fn v4(octets: [u8; 4]) -> Self {
        Self { high: 0, low: 0xffff_0000_0000 | u32::from_be_bytes(octets) as u64 }
    }

    /// From the sixteen bytes of an IPv6 header.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half of 128 bits fits 64")]
    pub const fn v6(octets: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(octets);
        Self { high: (bits >> 64) as u64, low: (bits & u64::MAX as u128) as u64 }
    }

    /// The address as 128 bits, IPv4 mapped.
    #[must_use]
    pub const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// Whether this is an IPv4 address.
    #[must_use]
    pub const fn is_v4(self) -> bool {
        self.high == 0 && self.low >> 32 == 0xffff
    }

    /// The standard library's form, IPv4 unmapped.
    #[must_use]
    pub fn to_ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self.bits()).to_canonical()
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

impl From<Ipv4Addr> for Address {
    fn from(ip: Ipv4Addr) -> Self {
        Self::v4(ip.octets())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_ip().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_print_as_people_write_them() {
        assert_eq!(Address::v4([10, 244, 0, 7]).to_string(), "10.244.0.7");
        let v6: IpAddr = "2001:db8::1".parse().expect("a literal address");
        assert_eq!(Address::from(v6).to_string(), "2001:db8::1");
        assert!(Address::v4([0, 0, 0, 0]).is_v4() && !Address::from(v6).is_v4());
    }
}
