//! What is held of the cluster: pods, services and nodes by address, and how things stand with each watch. No lock and no clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::names::Kind;
use crate::alert::{Knowledge, Owner, Workload};
use crate::packet::Address;
use crate::time::Micros;

#[derive(Debug, Default)]
pub(super) struct Store {
    /// By their UIDs: a name may come back while the pod before it is still remembered.
    pub(super) pods: HashMap<Arc<str>, HeldPod>,
    /// Whose address it is and was, the latest last.
    pub(super) holders: HashMap<Address, Vec<Arc<str>>>,
    /// Nodes by address, and how many pods say so.
    pub(super) nodes: HashMap<Address, (Arc<str>, usize)>,
    /// Pods that have gone, the first first.
    pub(super) departed: VecDeque<(Micros, Arc<str>)>,
    /// By namespace and name.
    pub(super) services: BTreeMap<(String, String), HeldService>,
    pub(super) service_addresses: HashMap<Address, (String, String)>,
    pub(super) contacts: [Contact; 2],
}

#[derive(Debug)]
pub(super) struct HeldPod {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) owner: Option<Owner>,
    pub(super) node: Option<Arc<str>>,
    pub(super) labels: BTreeMap<String, String>,
    /// Its own; none if it shares the node's.
    pub(super) addresses: Vec<Address>,
    pub(super) node_addresses: Vec<Address>,
    pub(super) left: Option<Micros>,
    /// The list that it was last seen in.
    pub(super) list: u64,
}

#[derive(Debug)]
pub(super) struct HeldService {
    pub(super) addresses: Vec<Address>,
    pub(super) selector: BTreeMap<String, String>,
    pub(super) list: u64,
}

/// How things stand with one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contact {
    pub(super) listed: bool,
    /// Since when there is no watch; none while there is one.
    pub(super) lost: Option<Micros>,
    pub(super) list: u64,
}

impl Store {
    pub(super) fn state(&self, now: Micros) -> Knowledge {
        if self.contacts.iter().any(|contact| !contact.listed) {
            return Knowledge::None;
        }
        let lost = self.contacts.iter().filter_map(|contact| contact.lost).min();
        match lost.map_or(Micros::ZERO, |lost| now - lost) {
            away if away > FORGOTTEN => Knowledge::None,
            away if away > MISSED => Knowledge::Stale,
            _ => Knowledge::Fresh,
        }
    }

    pub(super) fn workload(&self, address: Address, began: Micros, shown: &[String]) -> Option<Workload> {
        if let Some((node, _)) = self.nodes.get(&address) {
            // Pods on the host's network share this address: which of them it was, nothing tells.
            return Some(Workload { node: Some(node.to_string()), ..Workload::default() });
        }
        if let Some(pod) = self.holder(address, began) {
            let label = |key: &String| Some((key.clone(), pod.labels.get(key)?.clone()));
            return Some(Workload {
                namespace: Some(pod.namespace.clone()),
                pod: Some(pod.name.clone()),
                owner: pod.owner.clone(),
                service: self.selecting(pod).map(str::to_owned),
                node: pod.node.as_deref().map(str::to_owned),
                labels: shown.iter().filter_map(label).collect(),
            });
        }
        let (namespace, name) = self.service_addresses.get(&address)?;
        Some(Workload { namespace: Some(namespace.clone()), service: Some(name.clone()), ..Workload::default() })
    }

    /// The pod that had an address when a flow began: the first that left after that, else the one that is there, else the last.
    fn holder(&self, address: Address, began: Micros) -> Option<&HeldPod> {
        let holders = || self.holders.get(&address).into_iter().flatten().filter_map(|uid| self.pods.get(uid));
        let gone_since = holders().filter(|pod| pod.left.is_some_and(|left| left >= began)).min_by_key(|pod| pod.left);
        gone_since
            .or_else(|| holders().rfind(|pod| pod.left.is_none()))
            .or_else(|| holders().max_by_key(|pod| pod.left))
    }

    /// The first service by name that selects a pod.
    fn selecting(&self, pod: &HeldPod) -> Option<&str> {
        let selects = |service: &HeldService| {
            let matches = |(key, value): (&String, &String)| pod.labels.get(key) == Some(value);
            !service.selector.is_empty() && service.selector.iter().all(matches)
        };
        self.services
            .range((pod.namespace.clone(), String::new())..)
            .take_while(|((namespace, _), _)| *namespace == pod.namespace)
            .find(|(_, service)| selects(service))
            .map(|((_, name), _)| name.as_str())
    }

    /// Whether one more object may be held; pods that have gone make room, the first first.
    pub(super) fn has_room(&mut self, most: usize) -> bool {
        while self.pods.len() + self.services.len() >= most {
            if self.departed.is_empty() {
                return false;
            }
            self.forget_oldest();
        }
        true
    }

    pub(super) fn contact(&mut self, kind: Kind) -> &mut Contact {
        let [pods, services] = &mut self.contacts;
        match kind {
            Kind::Pods => pods,
            Kind::Services => services,
        }
    }

    /// A node's name, shared among its pods where its address is known already.
    pub(super) fn node(&self, name: &str, addresses: &[Address]) -> Arc<str> {
        let known = addresses.iter().filter_map(|address| self.nodes.get(address)).find(|(known, _)| **known == *name);
        known.map_or_else(|| name.into(), |(known, _)| Arc::clone(known))
    }

    pub(super) fn put(&mut self, uid: Arc<str>, pod: HeldPod) {
        self.drop_pod(&uid);
        for address in &pod.addresses {
            self.holders.entry(*address).or_default().push(Arc::clone(&uid));
        }
        if let Some(node) = &pod.node {
            for address in &pod.node_addresses {
                let (named, pods) = self.nodes.entry(*address).or_insert_with(|| (Arc::clone(node), 0));
                (*named, *pods) = (Arc::clone(node), pods.saturating_add(1));
            }
        }
        self.pods.insert(uid, pod);
    }

    pub(super) fn seen(&mut self, uid: &str) {
        let list = self.contact(Kind::Pods).list;
        if let Some(pod) = self.pods.get_mut(uid) {
            pod.list = list;
        }
    }

    pub(super) fn leave(&mut self, uid: &str, now: Micros) {
        let Some((uid, pod)) = self.pods.get_key_value(uid) else { return };
        let uid = Arc::clone(uid);
        if pod.addresses.is_empty() {
            self.drop_pod(&uid);
        } else if pod.left.is_none() {
            if let Some(pod) = self.pods.get_mut(&uid) {
                pod.left = Some(now);
            }
            self.departed.push_back((now, uid));
        }
    }

    pub(super) fn forget_oldest(&mut self) {
        if let Some((_, uid)) = self.departed.pop_front() {
            self.drop_pod(&uid);
        }
    }

    fn drop_pod(&mut self, uid: &str) {
        let Some(pod) = self.pods.remove(uid) else { return };
        for address in &pod.addresses {
            if let Some(holders) = self.holders.get_mut(address) {
                holders.retain(|holder| **holder != *uid);
                if holders.is_empty() {
                    self.holders.remove(address);
                }
            }
        }
        for address in pod.node_addresses.iter().filter(|_| pod.node.is_some()) {
            if let Some((_, pods)) = self.nodes.get_mut(address) {
                *pods = pods.saturating_sub(1);
                if *pods == 0 {
                    self.nodes.remove(address);
                }
            }
        }
        if pod.left.is_some() {
            self.departed.retain(|(_, departed)| **departed != *uid);
        }
    }

    pub(super) fn drop_service(&mut self, key: &(String, String)) {
        let Some(service) = self.services.remove(key) else { return };
        for address in service.addresses {
            // Another one may have the address by now.
            if self.service_addresses.get(&address) == Some(key) {
                self.service_addresses.remove(&address);
            }
        }
    }
}

/// A watch ends every few minutes and is begun anew at once; what is missed meanwhile comes then.
const MISSED: Micros = Micros::from_secs(10);
/// After an hour without the API, addresses will have changed hands.
const FORGOTTEN: Micros = Micros::from_secs(3_600);
