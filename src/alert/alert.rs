//! The neutral alert: everything that any format writes, in the field's own units.

use std::sync::Arc;

use super::identity::Identities;
use crate::flow::{FlowFacts, community_id};
use crate::model::{Telling, Verdict};
use crate::taxonomy::{self, Severity, Stage, Technique};

/// One thing to tell about one flow.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The flow; without an end reason this is an early alert.
    pub flow: FlowFacts,
    /// The flow's Community ID v1.
    pub community_id: String,
    /// What is said of the flow.
    pub signature: Arc<Signature>,
    /// Weight of the label among the neighbours, 0 to 1.
    pub score: f32,
    /// Distance to the nearest benign point of the model.
    pub novelty: f32,
    /// Whether that distance is above the model's threshold.
    pub novel: bool,
    /// Who says so.
    pub model: Arc<ModelIdentity>,
    /// The features that tell this flow from benign ones, most telling first.
    pub telling: Vec<Telling>,
    /// Where the flow was seen: an interface, or the name of a capture file.
    pub in_iface: Arc<str>,
    /// Flows like this one that were held back since the last alert of their kind.
    pub suppressed: u64,
    /// Who is behind the addresses, where that is asked.
    pub identities: Option<Identities>,
}

impl Alert {
    /// The alert on a flow.
    #[must_use]
    pub fn new(flow: FlowFacts, verdict: &Verdict, grounds: Grounds) -> Self {
        let Grounds { signature, model, telling, in_iface, suppressed, identities } = grounds;
        Self {
            flow,
            community_id: community_id(&flow.tuple),
            signature,
            score: verdict.score,
            novelty: verdict.novelty,
            novel: verdict.novel,
            model,
            telling,
            in_iface,
            suppressed,
            identities,
        }
    }

    /// Whether the flow was still open when this was said.
    #[must_use]
    pub const fn is_early(&self) -> bool {
        self.flow.end_reason.is_none()
    }
}

/// What an alert says besides the flow and its verdict.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// The label's texts and numbers.
    pub signature: Arc<Signature>,
    /// The model that gave the verdict.
    pub model: Arc<ModelIdentity>,
    /// The most telling features, greatest distance first.
    pub telling: Vec<Telling>,
    /// Where the flow was seen.
    pub in_iface: Arc<str>,
    /// What [`super::Emission::suppressed`] says.
    pub suppressed: u64,
    /// What a directory says of the addresses, if there is one.
    pub identities: Option<Identities>,
}

/// How one label is put into words; built once for each label of a model from the taxonomy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The model's label.
    pub label: String,
    /// A number that this label keeps for ever.
    pub id: u32,
    /// One sentence for a person.
    pub text: String,
    /// The kind of event.
    pub category: &'static str,
    /// How urgent it is.
    pub severity: Severity,
    /// ATT&CK technique and tactic.
    pub technique: Option<Technique>,
}

impl Signature {
    /// A number for a label: a hash of its name in 1,000,000 to 1,999,999 (the range that Suricata leaves to local
    /// rules), so it does not depend on a model's order of labels.
    #[must_use]
    pub fn id_of(label: &str) -> u32 {
        let hash = label.bytes().fold(0x811c_9dc5_u32, |h, byte| (h ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        1_000_000 + hash % 1_000_000
    }

    /// The words of the taxonomy for a model's label; a label that it does not hold speaks for itself.
    #[must_use]
    pub fn of_label(label: &str) -> Self {
        let class = taxonomy::class(label);
        Self {
            label: label.to_owned(),
            id: Self::id_of(label),
            text: class.map_or_else(|| format!("Flow classified as {label}"), |class| class.title.to_owned()),
            category: class.map_or("Misc Attack", |class| category(class.stage)),
            severity: class.map_or(Severity::Medium, |class| class.severity),
            technique: class.and_then(|class| class.technique),
        }
    }

    /// The signature of a flow that no label explains and that is unlike the model's benign traffic.
    #[must_use]
    pub fn unknown_novel() -> Self {
        Self::of_label(Stage::Novel.name())
    }
}

/// The stage in the words of Suricata's classification list.
const fn category(stage: Stage) -> &'static str {
    match stage {
        Stage::Benign => "Not Suspicious Traffic",
        Stage::Recon => "Attempted Information Leak",
        Stage::BruteForce => "Attempted User Privilege Gain",
        Stage::Exploit => "Web Application Attack",
        Stage::Lateral => "Targeted Malicious Activity was Detected",
        Stage::CommandAndControl => "Malware Command and Control Activity Detected",
        Stage::Tunnel => "Detection of a Non-Standard Protocol or Event",
        Stage::Exfiltration => "Large Scale Information Leak",
        Stage::DenialOfService => "Attempted Denial of Service",
        Stage::Mining => "Crypto Currency Mining Activity Detected",
        Stage::Novel => "Unknown Traffic",
    }
}

/// Which model gave a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelIdentity {
    /// The artifact's name.
    pub name: String,
    /// The artifact's version.
    pub version: String,
    /// SHA-256 of the artifact, lower-case hexadecimal.
    pub sha256: String,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::features::FeatureId;
    use crate::flow::{Direction, EndReason, FiveTuple, FlowPolicy, FlowRecord, FlowState};
    use crate::model::LabelId;
    use crate::packet::{Address, PacketMeta, TcpFlags, protocol};
    use crate::time::Micros;

    /// A packet of a flow between two hosts.
    pub(in crate::alert) fn packet(time: Micros, protocol: u8, src_port: u16, dst_port: u16) -> PacketMeta {
        PacketMeta {
            src: Address::v4([10, 244, 0, 7]),
            dst: Address::v4([10, 96, 0, 1]),
            time,
            src_port,
            dst_port,
            payload_len: 10,
            wire_len: 64,
            seq: 0,
            ack: 0,
            window: 0,
            header_len: 20,
            interface: 0,
            protocol,
            flags: TcpFlags::SYN,
        }
    }

    /// A flow of that one packet, ended.
    pub(in crate::alert) fn flow(first: PacketMeta) -> FlowFacts {
        let tuple = FiveTuple::of(&first);
        let state = FlowState::new(&first, Direction::Forward, &FlowPolicy::standard());
        FlowRecord { tuple, stored_reversed: false, state, end: EndReason::EndOfFlow, decided: first.time }.facts()
    }

    pub(in crate::alert) fn verdict(label: u16, score: f32, novel: bool) -> Verdict {
        Verdict { label: LabelId(label), score, attack: score, novelty: 0.5, novel }
    }

    pub(in crate::alert) fn grounds() -> Grounds {
        Grounds {
            signature: Arc::new(Signature::of_label("recon")),
            model: Arc::new(ModelIdentity { name: "m".into(), version: "1".into(), sha256: "00".into() }),
            telling: vec![Telling { feature: FeatureId::new(0).expect("a feature"), value: 1.5, distance: 0.25 }],
            in_iface: "eth0".into(),
            suppressed: 3,
            identities: None,
        }
    }

    #[test]
    fn an_alert_counts_bytes_of_the_wire_and_names_the_flow_as_others_do() {
        let flow = flow(packet(Micros(5), protocol::TCP, 40_000, 443));
        let alert = Alert::new(flow, &verdict(1, 0.75, true), grounds());
        let told = &alert.flow;
        assert_eq!((told.packets_to_server, told.bytes_to_server, told.bytes_to_client), (1, 64, 0));
        assert_eq!(alert.community_id, community_id(&flow.tuple));
        let open = FlowFacts { end_reason: None, ..flow };
        assert!(!alert.is_early() && Alert::new(open, &verdict(1, 0.75, true), grounds()).is_early());
    }

    #[test]
    fn a_label_keeps_its_number() {
        // Changing these breaks other people's filters.
        for (label, id) in [("recon", 1_960_180), ("exploit", 1_145_388), ("", 1_136_261)] {
            assert_eq!(Signature::id_of(label), id);
        }
    }
}
