//! What a rule asks of a flow. A condition that is not written holds for every flow.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Candidate;
use crate::flow::FiveTuple;
use crate::packet::{Address, protocol};
use crate::time::Micros;

/// All conditions of one rule; an empty list is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    pub(super) src: Vec<Network>,
    pub(super) dst: Vec<Network>,
    pub(super) any: Vec<Network>,
    pub(super) src_port: Vec<RangeInclusive<u16>>,
    pub(super) dst_port: Vec<RangeInclusive<u16>>,
    pub(super) port: Vec<RangeInclusive<u16>>,
    pub(super) protocol: Vec<u8>,
    pub(super) capture: Vec<String>,
    /// Whether the flow's initiator must be the rule's source.
    pub(super) forward_only: bool,
    pub(super) from: Option<Moment>,
    pub(super) to: Option<Moment>,
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// On the calendar.
    At(Micros),
    /// Since the capture's first packet.
    After(Micros),
}

/// The facts that rules look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Addresses.
    pub addresses: bool,
    /// Ports.
    pub ports: bool,
    /// The protocol; with ports always.
    pub protocol: bool,
    /// The start.
    pub time: bool,
    /// The capture's first packet.
    pub first_packet: bool,
}

impl Conditions {
    pub(super) fn hold(&self, candidate: &Candidate<'_>) -> bool {
        let tuple = &candidate.tuple;
        let either_end = |holds: &dyn Fn(&FiveTuple) -> bool| holds(tuple) || holds(&tuple.reversed());
        (self.protocol.is_empty() || self.protocol.contains(&tuple.protocol))
            && (!self.has_ports() || PROTOCOLS_WITH_PORTS.contains(&tuple.protocol))
            && (self.capture.is_empty() || self.capture.iter().any(|name| name == candidate.capture))
            && self.from.is_none_or(|from| from.is_reached(candidate))
            && self.to.is_none_or(|to| !to.is_reached(candidate))
            && either_end(&|tuple| within(&self.any, tuple.src))
            && either_end(&|tuple| among(&self.port, tuple.src_port))
            && (self.ends_hold(tuple) || (!self.forward_only && self.ends_hold(&tuple.reversed())))
    }

    fn ends_hold(&self, tuple: &FiveTuple) -> bool {
        within(&self.src, tuple.src)
            && within(&self.dst, tuple.dst)
            && among(&self.src_port, tuple.src_port)
            && among(&self.dst_port, tuple.dst_port)
    }

    const fn has_ports(&self) -> bool {
        !(self.src_port.is_empty() && self.dst_port.is_empty() && self.port.is_empty())
    }

    pub(super) fn needs(&self) -> Needs {
        let moments = [self.from, self.to];
        Needs {
            addresses: !(self.src.is_empty() && self.dst.is_empty() && self.any.is_empty()),
            ports: self.has_ports(),
            protocol: self.has_ports() || !self.protocol.is_empty(),
            time: moments.iter().any(Option::is_some),
            first_packet: moments.iter().any(|moment| matches!(moment, Some(Moment::After(_)))),
        }
    }
}

impl Needs {
    /// What either needs.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            addresses: self.addresses || other.addresses,
            ports: self.ports || other.ports,
            protocol: self.protocol || other.protocol,
            time: self.time || other.time,
            first_packet: self.first_packet || other.first_packet,
        }
    }
}

impl Moment {
    /// Whether the flow starts at this moment or later.
    fn is_reached(self, candidate: &Candidate<'_>) -> bool {
        match self {
            Self::At(time) => candidate.start >= time,
            Self::After(span) => candidate.start - candidate.first >= span,
        }
    }
}

fn within(networks: &[Network], address: Address) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.contains(address))
}

fn among(ranges: &[RangeInclusive<u16>], port: u16) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| range.contains(&port))
}

/// An address or a CIDR block, of one IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: Address,
    mask: u128,
}

impl Network {
    /// Whether an address is in it. No IPv4 address is in an IPv6 block, `::/0` included.
    #[must_use]
    pub const fn contains(&self, address: Address) -> bool {
        address.is_v4() == self.base.is_v4() && address.bits() & self.mask == self.base.bits()
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let hint = "an address or a block is expected, as 10.244.1.7, 10.244.0.0/16 or fd00::/8";
        let ip: IpAddr = address.parse().map_err(|_| format!("`{text}`: {hint}"))?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse::<u32>()
                .ok()
                .filter(|prefix| *prefix <= width)
                .ok_or_else(|| format!("`{text}`: a prefix of 0 to {width} is expected"))?,
            Some(_) => return Err(format!("`{text}`: {hint}")),
        };
        let base = Address::from(ip);
        if ip.is_ipv6() && base.is_v4() {
            return Err(format!("`{text}`: write an IPv4 address or block as one"));
        }
        let mask = u128::MAX.checked_shl(width - prefix).unwrap_or(0);
        if base.bits() & !mask != 0 {
            return Err(format!("`{text}`: the address has bits beyond the prefix of {prefix}"));
        }
        Ok(Self { base, mask })
    }
}

/// A port, or `first-last`.
pub(super) fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |digits: &str| {
        let digits = digits.trim();
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        number.ok_or_else(|| format!("`{text}`: a port of 0 to 65535 or a range is expected, as 443 or 8000-8080"))
    };
    match text.split_once('-') {
        None => port(text).map(|port| port..=port),
        Some((first, last)) => match (port(first)?, port(last)?) {
            (first, last) if first <= last => Ok(first..=last),
            (first, last) => Err(format!("`{text}`: the range goes backwards: {last}-{first}?")),
        },
    }
}

/// A protocol's name or number.
pub(in crate::dataset) fn protocol_number(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok(protocol::TCP),
        "udp" => Ok(protocol::UDP),
        "icmp" => Ok(protocol::ICMP),
        "icmpv6" => Ok(protocol::ICMPV6),
        "sctp" => Ok(protocol::SCTP),
        digits => digits.parse().map_err(|_| {
            format!("`{text}`: tcp, udp, icmp, icmpv6, sctp or a protocol number of 0 to 255 is expected")
        }),
    }
}

/// A span since the capture's first packet: `+90s`, `+1.5s`, `+250ms`, `+2m`, `+1h`; seconds without a unit, and without the
/// sign, which YAML takes from a number.
pub(super) fn span(text: &str) -> Option<Micros> {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (number, unit) = rest.split_at_checked(end)?;
    let unit: i64 = match unit {
        "" | "s" => 1_000_000,
        "us" => 1,
        "ms" => 1_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let is_digits = |text: &str| !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !fraction.is_none_or(is_digits) {
        return None;
    }
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    let part = match fraction {
        Some(digits) => {
            let scale = 10_i128.pow(u32::try_from(digits.len()).ok()?);
            i64::try_from(digits.parse::<i128>().ok()? * i128::from(unit) / scale).ok()?
        }
        None => 0,
    };
    Some(Micros(whole.checked_add(part)?)).filter(|span| *span <= Micros::LIMIT)
}

/// TCP, UDP, DCCP, SCTP, UDP-Lite. What flow records of other protocols hold in place of ports is no port.
const PROTOCOLS_WITH_PORTS: [u8; 5] = [protocol::TCP, protocol::UDP, 33, protocol::SCTP, 136];

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn blocks_hold_the_addresses_of_their_own_version() {
        for (block, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "10.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("10.0.0.254/31", "10.0.0.255", "10.0.1.0"),
        ] {
            let network: Network = block.parse().expect("a block");
            assert!(network.contains(address(inside)), "{inside} in {block}");
            assert!(!network.contains(address(outside)), "{outside} in {block}");
        }
        for wrong in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "", "10.0.0.0/", "10.0.0.0/+8", "::ffff:1.2.3.4", "a"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_protocols_and_spans_as_they_are_written() {
        assert_eq!((port_range("443"), port_range("1 - 65535")), (Ok(443..=443), Ok(1..=65535)));
        for wrong in ["", "-", "80-", "65536", "90-80", "1-2-3", "+80", "http"] {
            assert!(port_range(wrong).is_err(), "{wrong}");
        }
        assert_eq!((protocol_number("TCP"), protocol_number("47"), protocol_number("icmpv6")), (Ok(6), Ok(47), Ok(58)));
        assert!(protocol_number("256").is_err() && protocol_number("ip").is_err());
        for (text, micros) in
            [("+120s", 120_000_000), ("+1.5", 1_500_000), ("2m", 120_000_000), ("90", 90_000_000), ("+0.25ms", 250)]
        {
            assert_eq!(span(text), Some(Micros(micros)), "{text}");
        }
        for wrong in ["", "+", "++1s", "+s", "+1.s", "+1d", "+-1s", "+999999999999h", "+1e3"] {
            assert_eq!(span(wrong), None, "{wrong}");
        }
    }
}
