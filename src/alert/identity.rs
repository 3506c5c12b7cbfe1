//! Who is behind an address: what an alert says of the two ends of a flow beyond their numbers.
//!
//! The core asks a [`Directory`] and writes what it says; who fills that, and from where, is none of its business.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::packet::Address;
use crate::time::Micros;

/// Knows names of addresses.
pub trait Directory: fmt::Debug + Send + Sync {
    /// Who was at these addresses, source and destination, when a flow began.
    ///
    /// It is asked for each line that is written, and answers from memory.
    fn identify(&self, ends: [Option<Address>; 2], began: Micros) -> Identities;
}

/// The names of a flow's ends, and how far to trust them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Identities {
    /// What the directory's knowledge is worth.
    pub state: Knowledge,
    /// Who began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Option<Workload>,
    /// Who was spoken to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dest: Option<Workload>,
}

/// What a directory's knowledge is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Knowledge {
    /// It follows the cluster.
    Fresh,
    /// It has lost touch: names are those of before.
    Stale,
    /// It knows nothing, or what it knew is too old.
    #[default]
    None,
}

/// Who is behind an address: a pod, a service, or a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Workload {
    /// Of the pod or the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// What made the pod and would make it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The service whose address this is, or the first by name that selects the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where the pod runs, or the node whose address this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The pod's labels that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub labels: Vec<(String, String)>,
}

/// What made a pod: a Deployment, StatefulSet, DaemonSet, Job, CronJob, or another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// `Deployment`.
    pub kind: String,
    /// Its name, in the pod's namespace.
    pub name: String,
}

impl Knowledge {
    /// All, for series of a metric.
    pub const ALL: [Self; 3] = [Self::Fresh, Self::Stale, Self::None];

    /// As it stands in an alert.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::None => "none",
        }
    }
}

fn as_map<S: Serializer>(labels: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(labels.iter().map(|(key, value)| (key, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let written = |identities: &Identities| serde_json::to_string(identities).expect("texts");
        assert_eq!(written(&Identities::default()), r#"{"state":"none"}"#);
        let pod = Workload {
            namespace: Some("shop".into()),
            pod: Some("web-1".into()),
            owner: Some(Owner { kind: "StatefulSet".into(), name: "web".into() }),
            labels: vec![("app".into(), "web".into())],
            ..Workload::default()
        };
        let node = Workload { node: Some("n1".into()), ..Workload::default() };
        let both = Identities { state: Knowledge::Stale, src: Some(pod), dest: Some(node) };
        let expected = r#"{"state":"stale","src":{"namespace":"shop","pod":"web-1","owner":{"kind":"StatefulSet","name":"web"},"labels":{"app":"web"}},"dest":{"node":"n1"}}"#;
        assert_eq!(written(&both), expected);
        for state in Knowledge::ALL {
            assert_eq!(serde_json::to_value(state).expect("a word"), state.name());
        }
    }
}
