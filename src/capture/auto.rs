//! What `auto` chooses: the place where a node's pod traffic is seen, and seen once if there is one.
//!
//! The rule, first that holds; only interfaces that are up and have carrier count (docs/capture.md, `--help`):
//! 1. the network plugin's bridge: every packet of the node's pods, once (in promiscuous mode);
//! 2. the network plugin's tunnel: what pods exchange with other nodes, once, without the outer header;
//! 3. the network plugin's pod links: every packet of the node's pods, twice where both ends are on the node;
//! 4. another bridge that has pods' links as ports (containers without Kubernetes), the one with the most;
//! 5. other links into another namespace;
//! 6. the interface of the default route.

use super::interfaces::{Interface, Kind};
use super::observation::Observation;

/// What the rule found. Never empty.
pub(super) struct Found<'a> {
    pub(super) interfaces: Vec<&'a Interface>,
    pub(super) reason: String,
    pub(super) warning: Option<Observation>,
    /// No interface that may come later would change it.
    pub(super) settled: bool,
}

/// Applies the rule; none where no interface fits.
pub(super) fn choose<'a>(available: &[&'a Interface]) -> Option<Found<'a>> {
    let live: Vec<&Interface> = available.iter().copied().filter(|i| i.running && i.kind != Kind::Loopback).collect();
    let by_name = |names: &[&str]| names.iter().find_map(|name| live.iter().copied().find(|i| i.name == *name));

    if let Some(bridge) = by_name(PLUGIN_BRIDGES) {
        let reason = format!("auto: {} is the network plugin's bridge and shows each pod's packets once", bridge.name);
        return Some(Found { interfaces: vec![bridge], reason, warning: None, settled: true });
    }
    if let Some(tunnel) = by_name(PLUGIN_TUNNELS) {
        let reason = format!("auto: {} carries the pods' traffic between nodes", tunnel.name);
        let warning = Some(Observation::BetweenNodesOnly { interface: tunnel.name.clone() });
        let settled = !BEFORE_A_BRIDGE.contains(&tunnel.name.as_str());
        return Some(Found { interfaces: vec![tunnel], reason, warning, settled });
    }
    if let Some(found) = links(&live, "pods' links by name", |i| is_plugin_link(&i.name)) {
        return Some(found);
    }
    let ports = |bridge: &Interface| {
        available.iter().filter(|i| i.kind == Kind::Veth && i.master.as_deref() == Some(&bridge.name)).count()
    };
    let bridges = live.iter().copied().filter(|i| i.kind == Kind::Bridge && ports(i) > 0);
    if let Some(bridge) = bridges.max_by_key(|bridge| (ports(bridge), std::cmp::Reverse(bridge.index))) {
        let reason = format!("auto: {} is the bridge with the most containers", bridge.name);
        return Some(Found { interfaces: vec![bridge], reason, warning: None, settled: false });
    }
    // A pod's own eth0 is such a link too, but there it is the way out and stands under the next rule.
    let elsewhere = |i: &Interface| i.kind == Kind::Veth && i.peer_elsewhere && i.default_route.is_none();
    if let Some(found) = links(&live, "links into other namespaces", elsewhere) {
        return Some(found);
    }
    let routed = live.iter().copied().filter_map(|i| Some((i.default_route?, i.index, i)));
    let (_, _, device) = routed.min_by_key(|(metric, index, _)| (*metric, *index))?;
    let reason = format!("auto: {} has the default route, and no pod's link or bridge is up", device.name);
    let warning = Some(Observation::NoPodLinks { interface: device.name.clone() });
    Some(Found { interfaces: vec![device], reason, warning, settled: false })
}

fn links<'a>(live: &[&'a Interface], what: &str, fits: impl Fn(&Interface) -> bool) -> Option<Found<'a>> {
    let interfaces: Vec<_> = live.iter().copied().filter(|i| fits(i)).collect();
    let reason = format!("auto: {} {what}", interfaces.len());
    (!interfaces.is_empty()).then_some(Found { interfaces, reason, warning: None, settled: false })
}

/// Whether a network plugin gives a pod's link on the host such a name.
fn is_plugin_link(name: &str) -> bool {
    PLUGIN_LINKS.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
        && !NOT_PODS.contains(&name)
}

/// Bridges of network plugins: bridge and flannel and k3s, kubenet, kube-router, Weave Net.
const PLUGIN_BRIDGES: &[&str] = &["cni0", "cbr0", "kube-bridge", "weave"];
/// Tunnels of network plugins that have no bridge: Cilium, Calico (VXLAN, IP in IP, WireGuard), Antrea, OVN-Kubernetes
/// and Kube-OVN (Geneve), flannel before the node's first pod; last Kube-OVN's own leg, which shows what pods
/// exchange with the node.
const PLUGIN_TUNNELS: &[&str] = &[
    "cilium_vxlan",
    "cilium_geneve",
    "vxlan.calico",
    "tunl0",
    "wireguard.cali",
    "genev_sys_6081",
    "flannel.1",
    "flannel-wg",
    "ovn0",
];
/// Tunnels of flannel, beside which the bridge comes with the node's first pod.
const BEFORE_A_BRIDGE: &[&str] = &["flannel.1", "flannel-wg"];
/// Pods' links of Calico and Canal, Cilium, AWS VPC, GKE, Azure, in this order of prefixes.
const PLUGIN_LINKS: &[&str] = &["cali", "lxc", "eni", "gke", "azv"];
/// Cilium's health endpoint is no pod; lxcbr0 is the bridge of the container manager LXC.
const NOT_PODS: &[&str] = &["lxc_health", "lxcbr0"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::{bridge, device, lo, port_of, tunnel, veth};

    fn down(interface: Interface) -> Interface {
        Interface { running: false, ..interface }
    }

    fn route(metric: u32, interface: Interface) -> Interface {
        Interface { default_route: Some(metric), ..interface }
    }

    #[test]
    fn each_kind_of_node_has_its_place() {
        let uplink = || route(100, device("eth0"));
        for (node, host, expected) in [
            (
                "flannel",
                vec![lo(), uplink(), tunnel("flannel.1"), bridge("cni0"), port_of("cni0", veth("veth1"))],
                vec!["cni0"],
            ),
            ("flannel, no pod yet", vec![lo(), uplink(), tunnel("flannel.1"), down(bridge("cni0"))], vec!["flannel.1"]),
            ("docker beside it, empty", vec![lo(), uplink(), down(bridge("docker0")), bridge("cni0")], vec!["cni0"]),
            ("calico, vxlan", vec![lo(), uplink(), tunnel("vxlan.calico"), veth("cali1")], vec!["vxlan.calico"]),
            ("calico, routed", vec![lo(), uplink(), veth("cali1"), veth("cali2")], vec!["cali1", "cali2"]),
            (
                "calico, routed, docker",
                vec![lo(), uplink(), bridge("docker0"), port_of("docker0", veth("veth1")), veth("cali1")],
                vec!["cali1"],
            ),
            (
                "cilium, routed",
                vec![lo(), uplink(), veth("cilium_host"), veth("lxc_health"), veth("lxc0a"), veth("lxc0b")],
                vec!["lxc0a", "lxc0b"],
            ),
            ("cilium, vxlan", vec![lo(), uplink(), tunnel("cilium_vxlan"), veth("lxc0a")], vec!["cilium_vxlan"]),
            ("kube-ovn", vec![lo(), uplink(), tunnel("genev_sys_6081"), device("ovn0")], vec!["genev_sys_6081"]),
            ("kube-ovn, one node", vec![lo(), uplink(), device("ovn0")], vec!["ovn0"]),
            (
                "docker alone",
                vec![
                    lo(),
                    uplink(),
                    bridge("docker0"),
                    bridge("br-1"),
                    port_of("br-1", veth("veth1")),
                    port_of("br-1", veth("veth2")),
                    port_of("docker0", veth("veth3")),
                ],
                vec!["br-1"],
            ),
            ("point to point plugin", vec![lo(), uplink(), veth("veth1"), veth("veth2")], vec!["veth1", "veth2"]),
            ("a pod", vec![lo(), route(0, veth("eth0"))], vec!["eth0"]),
            ("a host", vec![lo(), route(200, device("wlan0")), uplink()], vec!["eth0"]),
            ("a host, cable out", vec![lo(), route(200, device("wlan0")), down(uplink())], vec!["wlan0"]),
            ("nothing", vec![lo(), device("eth0")], vec![]),
        ] {
            // Numbers as the kernel gives them: in order.
            let host: Vec<_> = (1..).zip(host).map(|(index, i)| Interface { index, ..i }).collect();
            let all: Vec<_> = host.iter().collect();
            let found = choose(&all).map_or_else(Vec::new, |found| found.interfaces);
            let names: Vec<_> = found.iter().map(|i| i.name.as_str()).collect();
            assert_eq!(names, expected, "{node}");
        }
    }

    #[test]
    fn only_what_no_later_interface_can_change_is_settled() {
        let settled = |i: Interface| choose(&[&i]).unwrap().settled;
        assert!(settled(bridge("cni0")) && settled(tunnel("cilium_vxlan")));
        // A node's first pod brings the bridge, each pod its link.
        assert!(!settled(tunnel("flannel.1")) && !settled(veth("cali1")) && !settled(route(0, device("eth0"))));
    }

    #[test]
    fn what_auto_cannot_show_is_said() {
        let pods = tunnel("vxlan.calico");
        let host = route(0, device("eth0"));
        let warning = |i: &Interface| choose(&[i]).unwrap().warning.unwrap();
        assert_eq!(warning(&pods), Observation::BetweenNodesOnly { interface: "vxlan.calico".to_owned() });
        assert_eq!(warning(&host), Observation::NoPodLinks { interface: "eth0".to_owned() });
    }
}
