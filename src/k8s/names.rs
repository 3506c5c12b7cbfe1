//! [`Names`]: which pod, service or node is behind an address, bounded and shared by the threads that watch and the one that tells.
//!
//! Writers hold the lock for one object at a time, the judge for a lookup where a line is written; the packet path never comes here.
//! A pod that has gone keeps its names for a while, since its flows end late, and its address may be another's by then:
//! of several holders the one is told that was there when the flow began.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::object::{Ip, Pod, Service};
use super::owner::owner_of;
use super::store::{Contact, HeldPod, HeldService, Store};
use super::wall_clock;
use crate::alert::{Directory, Identities, Knowledge};
use crate::packet::Address;
use crate::time::Micros;

/// Names of addresses, as far as the cluster has told.
#[derive(Debug)]
pub struct Names {
    store: RwLock<Store>,
    /// Labels of pods that are told.
    labels: Vec<String>,
    /// How long a pod's names outlive it.
    grace: Micros,
    max_objects: usize,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pods,
    Services,
}

/// Whether an object was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Held,
    /// There are too many, or it is too large.
    Refused,
}

/// How many objects are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) pods: usize,
    /// Of these pods, those that have gone.
    pub(super) departed: usize,
    pub(super) services: usize,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Pods, Self::Services];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Services => "services",
        }
    }
}

impl Names {
    pub(super) fn new(labels: Vec<String>, grace: Micros, max_objects: usize) -> Self {
        Self { store: RwLock::default(), labels, grace, max_objects }
    }

    /// What the knowledge is worth now.
    #[must_use]
    pub fn state(&self) -> Knowledge {
        self.read().state(wall_clock())
    }

    /// A list begins: what is not put until its end has gone.
    pub(super) fn begin_list(&self, kind: Kind) {
        let mut store = self.write();
        let contact = store.contact(kind);
        contact.list = contact.list.wrapping_add(1);
    }

    /// A list is whole.
    pub(super) fn end_list(&self, kind: Kind, now: Micros) {
        let mut store = self.write();
        let list = store.contact(kind).list;
        match kind {
            Kind::Pods => {
                let gone = |(uid, pod): (&Arc<str>, &HeldPod)| {
                    (pod.list != list && pod.left.is_none()).then(|| Arc::clone(uid))
                };
                let gone: Vec<_> = store.pods.iter().filter_map(gone).collect();
                gone.iter().for_each(|uid| store.leave(uid, now));
            }
            Kind::Services => {
                let gone = store.services.iter().filter(|(_, service)| service.list != list);
                let gone: Vec<_> = gone.map(|(key, _)| key.clone()).collect();
                gone.iter().for_each(|key| store.drop_service(key));
            }
        }
        *store.contact(kind) = Contact { listed: true, lost: None, list };
    }

    /// A watch stands, or has gone.
    pub(super) fn watching(&self, kind: Kind, stands: bool, now: Micros) {
        let mut store = self.write();
        let contact = store.contact(kind);
        contact.lost = if stands { None } else { contact.lost.or(Some(now)) };
    }

    /// Whether a kind is followed at this moment.
    pub(super) fn follows(&self, kind: Kind) -> bool {
        let contact = self.read().contacts[kind as usize];
        contact.listed && contact.lost.is_none()
    }

    pub(super) fn held(&self) -> Held {
        let store = self.read();
        Held { pods: store.pods.len(), departed: store.departed.len(), services: store.services.len() }
    }

    /// Takes in a pod that is there, new or changed.
    pub(super) fn put_pod(&self, pod: Pod, now: Micros) -> Taken {
        let Pod { metadata, spec, status } = pod;
        let labels_size: usize = metadata.labels.iter().flatten().map(|(key, value)| key.len() + value.len()).sum();
        let names_size = metadata.name.len() + metadata.namespace.len() + metadata.uid.len();
        if metadata.uid.is_empty() || labels_size > MOST_LABELS || names_size > MOST_NAMES {
            return Taken::Refused;
        }
        let over = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
        let on_host = spec.host_network == Some(true);
        let own = ips(status.pod_ip.as_ref(), status.pod_ips.as_deref());
        let mut node_addresses = ips(status.host_ip.as_ref(), status.host_ips.as_deref());
        let addresses = if on_host {
            // It may have addresses of the node that are not told as such.
            node_addresses.extend(own.iter().filter(|ip| !node_addresses.contains(ip)).copied().collect::<Vec<_>>());
            Vec::new()
        } else {
            own
        };
        let mut store = self.write();
        let uid: Arc<str> = metadata.uid.as_str().into();
        let known = store.pods.contains_key(&uid);
        // A pod that is over has no address any more; one that was never held need not be.
        if over && !known {
            return Taken::Held;
        }
        if !known && !store.has_room(self.max_objects) {
            return Taken::Refused;
        }
        if over {
            store.seen(&uid);
            store.leave(&uid, now);
            return Taken::Held;
        }
        let owner = owner_of(&metadata);
        let node = spec
            .node_name
            .filter(|node| !node.is_empty() && node.len() <= MOST_NAMES)
            .map(|node| store.node(&node, &node_addresses));
        let list = store.contact(Kind::Pods).list;
        let held = HeldPod {
            namespace: metadata.namespace,
            name: metadata.name,
            owner,
            node,
            labels: metadata.labels.unwrap_or_default(),
            addresses,
            node_addresses,
            left: None,
            list,
        };
        store.put(uid, held);
        Taken::Held
    }

    /// A pod has gone.
    pub(super) fn remove_pod(&self, uid: &str, now: Micros) {
        self.write().leave(uid, now);
    }

    /// Takes in a service that is there, new or changed.
    pub(super) fn put_service(&self, service: Service) -> Taken {
        let Service { metadata, spec, status } = service;
        let selector = spec.selector.unwrap_or_default();
        let selector_size: usize = selector.iter().map(|(key, value)| key.len() + value.len()).sum();
        if metadata.name.is_empty()
            || metadata.name.len() + metadata.namespace.len() > MOST_NAMES
            || selector_size > MOST_LABELS
        {
            return Taken::Refused;
        }
        let balancers = status.load_balancer.ingress.iter().flatten().filter_map(|ingress| ingress.ip.as_ref());
        let texts =
            spec.cluster_ip.iter().chain(spec.cluster_ips.iter().flatten()).chain(spec.external_ips.iter().flatten());
        let addresses = addresses(texts.chain(balancers));
        let key = (metadata.namespace, metadata.name);
        let mut store = self.write();
        if !store.services.contains_key(&key) && !store.has_room(self.max_objects) {
            return Taken::Refused;
        }
        store.drop_service(&key);
        for address in &addresses {
            store.service_addresses.insert(*address, key.clone());
        }
        let list = store.contact(Kind::Services).list;
        store.services.insert(key, HeldService { addresses, selector, list });
        Taken::Held
    }

    /// A service has gone.
    pub(super) fn remove_service(&self, namespace: &str, name: &str) {
        self.write().drop_service(&(namespace.to_owned(), name.to_owned()));
    }

    /// Forgets pods that have been gone for long enough.
    pub(super) fn forget(&self, now: Micros) {
        // Most of the time there is nothing to do, and the judge need not wait for it.
        let is_due = |store: &Store| store.departed.front().is_some_and(|(left, _)| now - *left > self.grace);
        if is_due(&self.read()) {
            let mut store = self.write();
            while is_due(&store) {
                store.forget_oldest();
            }
        }
    }

    // A writer that panicked left each map whole, if not all in step: names may be missing, nothing worse.
    fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Store> {
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for Names {
    fn identify(&self, ends: [Option<Address>; 2], began: Micros) -> Identities {
        let store = self.read();
        let state = store.state(wall_clock());
        if state == Knowledge::None {
            return Identities::default();
        }
        let [src, dest] = ends.map(|end| store.workload(end?, began, &self.labels));
        Identities { state, src, dest }
    }
}

fn ips(one: Option<&String>, all: Option<&[Ip]>) -> Vec<Address> {
    addresses(one.into_iter().chain(all.unwrap_or_default().iter().filter_map(|ip| ip.ip.as_ref())))
}

/// Texts that are addresses, each once; `None` stands for the address of a service that has none.
fn addresses<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<Address> {
    let mut seen = HashSet::new();
    let parsed = texts.filter_map(|text| text.parse::<std::net::IpAddr>().ok()).map(Address::from);
    parsed.filter(|address| seen.insert(*address)).take(MOST_ADDRESSES).collect()
}

/// Bytes of an object's labels: a label has at most 380, and few pods more than twenty.
const MOST_LABELS: usize = 16 << 10;
/// Bytes of an object's names: each has at most 253.
const MOST_NAMES: usize = 1_024;
/// Addresses of one object: a pod has two, a service with a list of external ones some more.
const MOST_ADDRESSES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Workload;
    use serde_json::json;

    const NOW: Micros = Micros::from_secs(1_000);

    fn names(max_objects: usize) -> Names {
        Names::new(vec!["app".into()], Micros::from_secs(60), max_objects)
    }

    fn pod(uid: &str, ip: &str) -> Pod {
        let value = json!({
            "metadata": {"name": uid, "namespace": "shop", "uid": uid, "labels": {"app": "web", "x": "y"}},
            "spec": {"nodeName": "n1"},
            "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "hostIP": "192.0.2.1"},
        });
        serde_json::from_value(value).expect("a pod")
    }

    fn service(name: &str, ip: &str) -> Service {
        let value = json!({
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"clusterIP": ip, "clusterIPs": [ip], "selector": {"app": "web"}},
        });
        serde_json::from_value(value).expect("a service")
    }

    fn told(names: &Names, ip: &str, began: Micros) -> Option<String> {
        let workload = names.read().workload(address(ip), began, &names.labels)?;
        workload.pod.or(workload.service).or(workload.node)
    }

    fn address(ip: &str) -> Address {
        ip.parse::<std::net::IpAddr>().expect("an address").into()
    }

    #[test]
    fn an_address_has_a_pod_with_its_node_service_and_chosen_labels() {
        let names = names(10);
        names.put_pod(pod("web-1", "10.0.0.1"), NOW);
        names.put_service(service("web", "10.96.0.1"));
        let expected = Workload {
            namespace: Some("shop".into()),
            pod: Some("web-1".into()),
            owner: None,
            service: Some("web".into()),
            node: Some("n1".into()),
            labels: vec![("app".into(), "web".into())],
        };
        assert_eq!(names.read().workload(address("10.0.0.1"), NOW, &names.labels), Some(expected));
        assert_eq!(told(&names, "10.96.0.1", NOW).as_deref(), Some("web"));
        assert_eq!(told(&names, "192.0.2.1", NOW).as_deref(), Some("n1"));
        assert_eq!(told(&names, "10.0.0.2", NOW), None);
    }

    #[test]
    fn an_address_that_changed_hands_is_whose_it_was_when_the_flow_began() {
        let names = names(10);
        names.put_pod(pod("old", "10.0.0.1"), NOW);
        names.remove_pod("old", NOW);
        assert_eq!(told(&names, "10.0.0.1", NOW + Micros::from_secs(5)).as_deref(), Some("old"), "a late packet");
        names.put_pod(pod("new", "10.0.0.1"), NOW);
        let at = |seconds: i64| told(&names, "10.0.0.1", NOW + Micros::from_secs(seconds));
        assert_eq!((at(-1).as_deref(), at(0).as_deref(), at(1).as_deref()), (Some("old"), Some("old"), Some("new")));
        names.forget(NOW + Micros::from_secs(60));
        assert_eq!(at(-1).as_deref(), Some("old"));
        names.forget(NOW + Micros::from_secs(61));
        assert_eq!(at(-1).as_deref(), Some("new"));
        assert_eq!(names.held(), Held { pods: 1, departed: 0, services: 0 });
    }

    #[test]
    fn a_pod_that_is_over_gives_its_address_away() {
        let names = names(10);
        names.put_pod(pod("job", "10.0.0.1"), NOW);
        let mut over = pod("job", "10.0.0.1");
        over.status.phase = Some("Succeeded".into());
        names.put_pod(over, NOW);
        names.put_pod(pod("next", "10.0.0.1"), NOW);
        assert_eq!(told(&names, "10.0.0.1", NOW + Micros(1)).as_deref(), Some("next"));
        assert_eq!(names.held().departed, 1);
    }

    #[test]
    fn pods_on_the_hosts_network_are_the_node() {
        let names = names(10);
        let mut proxy = pod("proxy", "192.0.2.1");
        proxy.spec.host_network = Some(true);
        names.put_pod(proxy, NOW);
        assert_eq!(told(&names, "192.0.2.1", NOW).as_deref(), Some("n1"));
        names.remove_pod("proxy", NOW);
        assert_eq!(names.held(), Held::default());
        assert_eq!(told(&names, "192.0.2.1", NOW), None);
    }

    #[test]
    fn what_a_new_list_does_not_hold_has_gone() {
        let names = names(10);
        for kind in Kind::ALL {
            names.begin_list(kind);
        }
        names.put_pod(pod("a", "10.0.0.1"), NOW);
        names.put_service(service("s", "10.96.0.1"));
        for kind in Kind::ALL {
            names.end_list(kind, NOW);
            names.begin_list(kind);
        }
        names.put_pod(pod("b", "10.0.0.1"), NOW);
        for kind in Kind::ALL {
            names.end_list(kind, NOW);
        }
        assert_eq!(told(&names, "10.0.0.1", NOW + Micros(1)).as_deref(), Some("b"));
        assert_eq!((told(&names, "10.96.0.1", NOW), names.held()), (None, Held { pods: 2, departed: 1, services: 0 }));
    }

    #[test]
    fn no_more_is_held_than_allowed_and_what_is_gone_makes_room() {
        let names = names(2);
        assert_eq!(names.put_pod(pod("a", "10.0.0.1"), NOW), Taken::Held);
        assert_eq!(names.put_service(service("s", "10.96.0.1")), Taken::Held);
        assert_eq!(names.put_pod(pod("b", "10.0.0.2"), NOW), Taken::Refused);
        assert_eq!(names.put_service(service("t", "10.96.0.2")), Taken::Refused);
        assert_eq!(names.put_pod(pod("a", "10.0.0.3"), NOW), Taken::Held);
        assert_eq!((told(&names, "10.0.0.1", NOW), told(&names, "10.0.0.3", NOW).as_deref()), (None, Some("a")));
        names.remove_pod("a", NOW);
        assert_eq!(names.put_pod(pod("b", "10.0.0.2"), NOW), Taken::Held);
        let mut large = pod("b", "10.0.0.2");
        large.metadata.labels.as_mut().expect("labels").insert("l".into(), "v".repeat(MOST_LABELS));
        assert_eq!(names.put_pod(large, NOW), Taken::Refused);
    }

    #[test]
    fn knowledge_ages() {
        let names = names(10);
        let state = |seconds: i64| names.read().state(NOW + Micros::from_secs(seconds));
        names.end_list(Kind::Pods, NOW);
        assert_eq!(state(0), Knowledge::None);
        names.end_list(Kind::Services, NOW);
        assert_eq!(state(100_000), Knowledge::Fresh);
        names.watching(Kind::Services, false, NOW);
        names.watching(Kind::Services, false, NOW + Micros::from_secs(3_000));
        assert_eq!(
            [10, 11, 3_600, 3_601].map(state),
            [Knowledge::Fresh, Knowledge::Stale, Knowledge::Stale, Knowledge::None]
        );
        names.watching(Kind::Services, true, NOW);
        assert_eq!(state(4_000), Knowledge::Fresh);
    }

    proptest::proptest! {
        /// Whatever comes in whatever order, the maps stay in step.
        #[test]
        fn nothing_is_left_behind(steps in proptest::collection::vec((0u8..7, 0u8..4, 0u8..3), 1..80)) {
            let names = names(4);
            for (n, (what, who, ip)) in (0i64..).zip(steps) {
                let (now, uid, ip) = (NOW + Micros::from_secs(n * 7), format!("u{who}"), format!("10.0.0.{ip}"));
                match what {
                    0 | 1 => drop(names.put_pod(pod(&uid, &ip), now)),
                    2 => names.remove_pod(&uid, now),
                    3 => drop(names.put_service(service(&uid, &ip))),
                    4 => names.remove_service("shop", &uid),
                    5 => names.begin_list(Kind::Pods),
                    _ => names.end_list(Kind::Pods, now),
                }
                names.forget(now);
                let held = names.held();
                proptest::prop_assert!(held.pods + held.services <= 4);
                let store = names.read();
                let of_pods: usize = store.holders.values().map(Vec::len).sum();
                proptest::prop_assert_eq!(of_pods, store.pods.values().map(|pod| pod.addresses.len()).sum::<usize>());
                proptest::prop_assert_eq!(held.departed, store.pods.values().filter(|pod| pod.left.is_some()).count());
                let on_nodes: usize = store.nodes.values().map(|(_, pods)| pods).sum();
                proptest::prop_assert_eq!(on_nodes, held.pods);
            }
            let left: Vec<_> = names.read().pods.keys().cloned().collect();
            left.iter().for_each(|uid| names.remove_pod(uid, NOW));
            names.forget(Micros(i64::MAX / 2));
            proptest::prop_assert!(names.read().pods.is_empty() && names.read().holders.is_empty() && names.read().nodes.is_empty());
        }
    }
}
