//! The facts about the host's network interfaces: what `flowshrike interfaces` prints and [`select`](super::select())
//! chooses from. Reads the kernel's tables; opens no capture and needs no privilege.

use std::fmt;
use std::io;
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::netlink::{ADDRESS_HEADER, LINK_HEADER, ROUTE_HEADER, Routing, attributes, text, u16_at, u32_at, u64_at};
use crate::packet::LinkType;

/// One network interface, as far as capturing on it is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number in this network namespace.
    pub index: u32,
    /// What makes it.
    pub kind: Kind,
    /// Switched on (`ip link set up`); a capture opens only on such a one.
    pub up: bool,
    /// Up and with carrier: packets can come.
    pub running: bool,
    /// The ARPHRD_ number of its link layer.
    pub hardware: u16,
    /// Bridge, bond or switch that it is a port of.
    pub master: Option<String>,
    /// The interface beneath (a VLAN's, a tunnel's), or the other end of a veth pair that lies in the same namespace.
    pub lower: Option<String>,
    /// Its other end lies in another network namespace: the host's end of a pod's link.
    pub peer_elsewhere: bool,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
    /// Metric of the default route that leaves here; lower wins.
    pub default_route: Option<u32>,
}

impl Interface {
    /// The link type that a capture on it has.
    #[must_use]
    pub fn link_type(&self) -> LinkType {
        match self.hardware {
            1 | 772 => LinkType::Ethernet,               // ARPHRD_ETHER, ARPHRD_LOOPBACK
            519 | 768 | 769 | 0xfffe => LinkType::RawIp, // ARPHRD_RAWIP, _TUNNEL, _TUNNEL6, _NONE
            _ => LinkType::LinuxSll,                     // libpcap falls back to cooked mode
        }
    }

    /// `up`, `no-carrier` or `down`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (self.up, self.running) {
            (true, true) => "up",
            (true, false) => "no-carrier",
            (false, _) => "down",
        }
    }
}

/// What makes an interface, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A network card, or a virtual machine's.
    #[default]
    Device,
    /// The host's own loopback.
    Loopback,
    /// A Linux bridge.
    Bridge,
    /// One end of a veth pair.
    Veth,
    /// A tunnel between nodes: the kernel's name for it (vxlan, geneve, ipip, wireguard ...).
    Tunnel(String),
    /// Any other kernel link kind by its name (bond, vlan, macvlan, openvswitch, tun, dummy ...).
    Other(String),
}

impl Kind {
    fn from_kernel(kind: &str) -> Self {
        match kind {
            "" => Self::Device,
            "bridge" => Self::Bridge,
            "veth" => Self::Veth,
            "vxlan" | "geneve" | "ipip" | "ip6tnl" | "sit" | "gre" | "gretap" | "ip6gre" | "ip6gretap" | "vti"
            | "vti6" | "wireguard" => Self::Tunnel(kind.to_owned()),
            other => Self::Other(other.to_owned()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Loopback => "loopback",
            Self::Bridge => "bridge",
            Self::Veth => "veth",
            Self::Tunnel(kind) | Self::Other(kind) => kind,
        })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Every interface of the calling thread's network namespace, by index.
///
/// # Errors
/// Where the kernel's tables cannot be read.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let routing = Routing::open()?;
    let mut links = Vec::new();
    routing.links(|body| links.extend(Link::read(body)))?;
    routing.addresses(|body| {
        if let Some((index, address)) = read_address(body)
            && let Some(link) = links.iter_mut().find(|link| link.facts.index == index)
        {
            link.facts.addresses.push(address);
        }
    })?;
    routing.routes(|body| {
        if let Some((index, metric)) = read_default_route(body)
            && let Some(link) = links.iter_mut().find(|link| link.facts.index == index)
        {
            let best = link.facts.default_route.map_or(metric, |known| known.min(metric));
            link.facts.default_route = Some(best);
        }
    })?;
    let name_of = |index: u32| links.iter().find(|l| l.facts.index == index).map(|l| l.facts.name.clone());
    let relations: Vec<_> = links.iter().map(|l| (l.master.and_then(name_of), l.lower.and_then(name_of))).collect();
    let mut all: Vec<Interface> = links
        .into_iter()
        .zip(relations)
        .map(|(link, (master, lower))| Interface { master, lower, ..link.facts })
        .collect();
    all.sort_by_key(|interface| interface.index);
    Ok(all)
}

/// Packets that the device with this index lost before the kernel saw them; 0 where it has no such count.
pub(super) fn device_losses(routing: &Routing, index: u32) -> io::Result<u64> {
    let mut losses = 0;
    routing.link(index, |body| {
        for (kind, value) in attributes(body.get(LINK_HEADER..).unwrap_or_default()) {
            if kind == IFLA_STATS64 {
                let count = |field: usize| u64_at(value, field.saturating_mul(8)).unwrap_or(0);
                losses = count(RX_FIFO_ERRORS).saturating_add(count(RX_MISSED_ERRORS));
            }
        }
    })?;
    Ok(losses)
}

/// A link as netlink tells it: relations are still numbers.
struct Link {
    facts: Interface,
    master: Option<u32>,
    lower: Option<u32>,
}

impl Link {
    fn read(body: &[u8]) -> Option<Self> {
        let (hardware, index, flags) = (u16_at(body, 2)?, u32_at(body, 4)?, u32_at(body, 8)?);
        let up = flags & IFF_UP != 0;
        let mut facts =
            Interface { index, hardware, up, running: up && flags & IFF_RUNNING != 0, ..Interface::default() };
        let (mut master, mut lower) = (None, None);
        for (kind, value) in attributes(body.get(LINK_HEADER..)?) {
            match kind {
                IFLA_IFNAME => facts.name = text(value),
                IFLA_MASTER => master = u32_at(value, 0),
                IFLA_LINK => lower = u32_at(value, 0).filter(|lower| *lower != 0),
                IFLA_LINK_NETNSID => facts.peer_elsewhere = true,
                IFLA_LINKINFO => {
                    let name = attributes(value).find(|(kind, _)| *kind == IFLA_INFO_KIND);
                    facts.kind = Kind::from_kernel(&name.map_or_else(String::new, |(_, name)| text(name)));
                }
                _ => {}
            }
        }
        if flags & IFF_LOOPBACK != 0 {
            facts.kind = Kind::Loopback;
        }
        if facts.peer_elsewhere {
            lower = None; // a number of the other namespace
        }
        lower = lower.filter(|lower| *lower != index);
        Some(Self { facts, master, lower })
    }
}

fn read_address(body: &[u8]) -> Option<(u32, String)> {
    let (prefix, index) = (*body.get(1)?, u32_at(body, 4)?);
    let (mut address, mut local) = (None, None);
    for (kind, value) in attributes(body.get(ADDRESS_HEADER..)?) {
        match kind {
            IFA_ADDRESS => address = ip(value),
            IFA_LOCAL => local = ip(value),
            _ => {}
        }
    }
    // On a point-to-point link IFA_ADDRESS is the far end.
    Some((index, format!("{}/{prefix}", local.or(address)?)))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

/// The interface and metric of a default route in the main table.
fn read_default_route(body: &[u8]) -> Option<(u32, u32)> {
    let [_family, prefix, _source, _tos, table, _protocol, _scope, kind, ..] = *body else { return None };
    if (prefix, table, kind) != (0, RT_TABLE_MAIN, RTN_UNICAST) {
        return None;
    }
    let (mut index, mut metric) = (None, 0);
    for (kind, value) in attributes(body.get(ROUTE_HEADER..)?) {
        match kind {
            RTA_OIF => index = u32_at(value, 0),
            RTA_PRIORITY => metric = u32_at(value, 0)?,
            RTA_MULTIPATH => index = u32_at(value, 4), // the first next hop's
            _ => {}
        }
    }
    Some((index?, metric))
}

const IFF_UP: u32 = 0x1;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_RUNNING: u32 = 0x40;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_STATS64: u16 = 23;
const IFLA_LINK_NETNSID: u16 = 37;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_PRIORITY: u16 = 6;
const RTA_MULTIPATH: u16 = 9;
const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;
/// Position in `struct rtnl_link_stats64`, in 64-bit fields.
const RX_FIFO_ERRORS: usize = 14;
/// Position in `struct rtnl_link_stats64`, in 64-bit fields.
const RX_MISSED_ERRORS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_listed_as_it_is() {
        let all = interfaces().unwrap();
        let lo = all.iter().find(|interface| interface.name == "lo").expect("every namespace has one");
        assert_eq!((&lo.kind, lo.link_type(), &lo.master), (&Kind::Loopback, LinkType::Ethernet, &None));
        if lo.up {
            assert!(lo.addresses.iter().any(|address| address == "127.0.0.1/8"), "{lo:?}");
        }
    }

    #[test]
    fn a_default_route_is_told_from_other_routes() {
        let route = |prefix: u8, table: u8, kind: u8| {
            let mut body = vec![2, prefix, 0, 0, table, 3, 0, kind, 0, 0, 0, 0];
            for (attribute, value) in [(RTA_OIF, 7_u32), (RTA_PRIORITY, 100)] {
                body.extend(8_u16.to_ne_bytes());
                body.extend(attribute.to_ne_bytes());
                body.extend(value.to_ne_bytes());
            }
            body
        };
        assert_eq!(read_default_route(&route(0, RT_TABLE_MAIN, RTN_UNICAST)), Some((7, 100)));
        assert_eq!(read_default_route(&route(24, RT_TABLE_MAIN, RTN_UNICAST)), None);
        assert_eq!(read_default_route(&route(0, 255, RTN_UNICAST)), None);
        assert_eq!(read_default_route(&route(0, RT_TABLE_MAIN, 7)), None, "an unreachable route");
    }
}
