//! What is worth saying about a choice of interfaces: which packets it shows more than once, and which not at all.
//!
//! [`select`](super::select()) returns these; the daemon logs each one's text and counts it under its code.

use std::fmt;

use serde::{Serialize, Serializer};

use super::interfaces::{Interface, Kind};

/// Something that the choice of interfaces does to the traffic seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// `any` shows a packet on every interface that it passes.
    AnyShowsCopies,
    /// A bridge (bond, switch) and ports of it.
    MasterAndPorts {
        /// The bridge.
        master: String,
        /// Its ports among the chosen.
        ports: Vec<String>,
    },
    /// Several ports of one bridge.
    PortsOfOne {
        /// The bridge.
        master: String,
        /// Its ports among the chosen.
        ports: Vec<String>,
    },
    /// An interface and the one beneath it, or both ends of a veth pair.
    Stacked {
        /// The VLAN, the tunnel, one end.
        upper: String,
        /// What carries it.
        lower: String,
    },
    /// Several interfaces between which the host routes.
    Routed {
        /// The chosen that no other observation names.
        interfaces: Vec<String>,
    },
    /// A bridge that shows only what the host itself sends, receives or routes.
    BridgeNotPromiscuous {
        /// The bridge.
        interface: String,
    },
    /// A tunnel: pods of one node talk past it.
    BetweenNodesOnly {
        /// The tunnel.
        interface: String,
    },
    /// `auto` fell back to the host's own traffic.
    NoPodLinks {
        /// The interface of the default route.
        interface: String,
    },
    /// The interface is switched off; nothing can be captured on it yet.
    NotUp {
        /// Its name.
        interface: String,
    },
}

impl Observation {
    /// Every code, for metrics with a fixed set of labels.
    pub const CODES: [&'static str; 9] = [
        "any_shows_copies",
        "master_and_ports",
        "ports_of_one",
        "stacked",
        "routed",
        "bridge_not_promiscuous",
        "between_nodes_only",
        "no_pod_links",
        "not_up",
    ];

    /// A short name without interface names.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        let [any, master, ports, stacked, routed, bridge, nodes, links, down] = Self::CODES;
        match self {
            Self::AnyShowsCopies => any,
            Self::MasterAndPorts { .. } => master,
            Self::PortsOfOne { .. } => ports,
            Self::Stacked { .. } => stacked,
            Self::Routed { .. } => routed,
            Self::BridgeNotPromiscuous { .. } => bridge,
            Self::BetweenNodesOnly { .. } => nodes,
            Self::NoPodLinks { .. } => links,
            Self::NotUp { .. } => down,
        }
    }

    /// Whether packets may be counted more than once.
    #[must_use]
    pub const fn shows_copies(&self) -> bool {
        match self {
            Self::AnyShowsCopies
            | Self::MasterAndPorts { .. }
            | Self::PortsOfOne { .. }
            | Self::Stacked { .. }
            | Self::Routed { .. } => true,
            Self::BridgeNotPromiscuous { .. }
            | Self::BetweenNodesOnly { .. }
            | Self::NoPodLinks { .. }
            | Self::NotUp { .. } => false,
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyShowsCopies => f.write_str(
                "any shows a packet on every interface that it passes: one from pod to pod two or three times. Copies are \
                 told from packets, which costs more than to capture on one bridge or tunnel",
            ),
            Self::MasterAndPorts { master, ports } => {
                write!(
                    f,
                    "{} and {master}, which it belongs to, show the same packets: each is received on both",
                    list(ports)
                )
            }
            Self::PortsOfOne { master, ports } => write!(
                f,
                "{} are ports of {master}: a packet from one to another is received on both; {master} alone shows it once",
                list(ports)
            ),
            Self::Stacked { upper, lower } => {
                write!(f, "{upper} lies on {lower}: its packets are received on both")
            }
            Self::Routed { interfaces } => write!(
                f,
                "a packet that the host routes from one of {} to another is received on both",
                list(interfaces)
            ),
            Self::BridgeNotPromiscuous { interface } => write!(
                f,
                "{interface} is a bridge: without promiscuous mode it does not show what passes between its ports"
            ),
            Self::BetweenNodesOnly { interface } => {
                write!(f, "{interface} shows traffic between nodes only: pods of this node talk past it")
            }
            Self::NoPodLinks { interface } => {
                write!(f, "{interface} shows the host's own traffic; pods' packets only as far as they leave by it")
            }
            Self::NotUp { interface } => write!(f, "{interface} is down; nothing is captured until it is up"),
        }
    }
}

impl Serialize for Observation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("code", self.code())?;
        map.serialize_entry("text", &self.to_string())?;
        map.end()
    }
}

/// Where the chosen interfaces show a packet more than once.
pub(super) fn same_packets(chosen: &[&Interface]) -> Vec<Observation> {
    let mut found = Vec::new();
    let mut named: Vec<&str> = Vec::new();
    let is_chosen = |name: &str| chosen.iter().any(|i| i.name == name);

    let mut masters: Vec<&str> = chosen.iter().filter_map(|i| i.master.as_deref()).collect();
    masters.sort_unstable();
    masters.dedup();
    for master in masters {
        let ports: Vec<&str> =
            chosen.iter().filter(|i| i.master.as_deref() == Some(master)).map(|i| i.name.as_str()).collect();
        let owned = || ports.iter().map(|&port| port.to_owned()).collect();
        if is_chosen(master) {
            found.push(Observation::MasterAndPorts { master: master.to_owned(), ports: owned() });
            named.extend(&ports);
        } else if ports.len() > 1 {
            found.push(Observation::PortsOfOne { master: master.to_owned(), ports: owned() });
            named.extend(ports.iter().skip(1)); // the first still stands for all of them below
        }
    }
    for upper in chosen {
        let Some(lower) = upper.lower.as_deref().filter(|lower| is_chosen(lower)) else { continue };
        let seen = |o: &Observation| matches!(o, Observation::Stacked { upper: u, .. } if u == lower);
        if !found.iter().any(seen) {
            found.push(Observation::Stacked { upper: upper.name.clone(), lower: lower.to_owned() });
            named.push(&upper.name);
        }
    }
    let rest: Vec<String> = chosen
        .iter()
        .filter(|i| i.kind != Kind::Loopback && !named.contains(&i.name.as_str()))
        .map(|i| i.name.clone())
        .collect();
    if rest.len() > 1 {
        found.push(Observation::Routed { interfaces: rest });
    }
    found
}

/// Names for a sentence; a node may have hundreds of pods' links.
fn list(names: &[String]) -> String {
    let shown = names.iter().take(MOST_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

const MOST_NAMES: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::{bridge, device, lo, named, port_of, veth};

    fn on(lower: &str, interface: Interface) -> Interface {
        Interface { lower: Some(lower.to_owned()), ..interface }
    }

    #[test]
    fn copies_are_found_by_how_interfaces_hang_together() {
        for (chosen, expected) in [
            (vec![device("eth0")], vec![]),
            (vec![lo(), device("eth0")], vec![]),
            (
                vec![device("eth0"), device("eth1")],
                vec!["a packet that the host routes from one of eth0, eth1 to another is received on both"],
            ),
            (
                vec![bridge("br0"), port_of("br0", veth("a")), port_of("br0", veth("b"))],
                vec!["a, b and br0, which it belongs to, show the same packets: each is received on both"],
            ),
            (
                vec![port_of("br0", veth("a")), port_of("br0", veth("b"))],
                vec![
                    "a, b are ports of br0: a packet from one to another is received on both; br0 alone shows it once",
                ],
            ),
            (
                vec![device("eth0"), on("eth0", named("eth0.7"))],
                vec!["eth0.7 lies on eth0: its packets are received on both"],
            ),
            (vec![on("b", veth("a")), on("a", veth("b"))], vec!["a lies on b: its packets are received on both"]),
        ] {
            let facts: Vec<_> = chosen.iter().collect();
            let said: Vec<_> = same_packets(&facts).iter().map(ToString::to_string).collect();
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn a_sentence_stays_short_with_many_pods() {
        let pods: Vec<_> = (0..300).map(|n| veth(&format!("cali{n}"))).collect();
        let found = same_packets(&pods.iter().collect::<Vec<_>>());
        let [routed] = &found[..] else { panic!("one observation, not {}", found.len()) };
        assert!(routed.to_string().contains("cali4 and 295 more"), "{routed}");
        assert!(routed.shows_copies());
    }
}
