//! An incident as one line of Suricata EVE JSON: an alert without a flow of its own, whose extent stands under `flowshrike`.

use std::sync::Arc;

use serde::Serialize;

use super::alert::{ModelIdentity, Signature};
use super::eve::{self, AlertPart, ModelPart, Protocol, Text, Timestamp};
use super::identity::Identities;
use crate::evidence::{Incident, Report, Step};
use crate::packet::Address;

/// One line on an incident.
#[derive(Clone, Debug)]
pub struct IncidentAlert {
    /// What is due.
    pub report: Report,
    /// The words of its label.
    pub signature: Arc<Signature>,
    /// Whose thresholds raised it.
    pub model: Arc<ModelIdentity>,
    /// Where its first flow was seen: an interface, or the name of a capture file.
    pub in_iface: Arc<str>,
    /// Who is behind the addresses, where that is asked.
    pub identities: Option<Identities>,
}

/// Appends one incident as one line, newline included.
pub fn write_incident(alert: &IncidentAlert, line: &mut Vec<u8>) {
    eve::write_record(&Record::of(alert), line);
}

#[derive(Serialize)]
struct Record<'a> {
    timestamp: Timestamp,
    in_iface: &'a str,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<Text<Address>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<Text<Address>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<Protocol>,
    alert: AlertPart<'a>,
    flowshrike: OwnPart<'a>,
}

#[derive(Serialize)]
struct OwnPart<'a> {
    label: &'a str,
    model: ModelPart<'a>,
    incident: IncidentPart,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<&'a Identities>,
}

#[derive(Serialize)]
struct IncidentPart {
    id: u64,
    step: &'static str,
    evidence: &'static str,
    count: f32,
    threshold: f32,
    first: Timestamp,
    last: Timestamp,
    flows: u64,
    failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destinations: Option<u64>,
    ports: u64,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    ip: Text<Address>,
    port: u16,
}

impl<'a> Record<'a> {
    fn of(alert: &'a IncidentAlert) -> Self {
        let IncidentAlert { report: Report { step, incident }, signature, model, in_iface, identities } = alert;
        let Incident { id, subject, raised, count, least, extent, .. } = incident;
        let has_source = subject.source.is_some();
        let peers = extent.peers.count();
        let (src_ip, dest_ip) = (subject.source.map(Text), subject.destination.map(Text));
        Self {
            timestamp: Timestamp(if *step == Step::Raised { *raised } else { extent.last }),
            in_iface,
            event_type: "alert",
            src_ip,
            dest_ip,
            dest_port: subject.port,
            proto: subject.protocol.map(Protocol),
            alert: AlertPart::of(signature),
            flowshrike: OwnPart {
                label: &signature.label,
                model: ModelPart::of(model),
                incident: IncidentPart {
                    id: *id,
                    step: step_name(*step),
                    evidence: subject.kind.name(),
                    count: *count,
                    threshold: *least,
                    first: Timestamp(extent.first),
                    last: Timestamp(extent.last),
                    flows: extent.flows,
                    failed: extent.failed,
                    sources: (!has_source).then_some(peers),
                    destinations: has_source.then_some(peers),
                    ports: extent.ports.count(),
                    examples: extent.examples().map(|(ip, port)| Example { ip: Text(ip), port }).collect(),
                },
                kubernetes: identities.as_ref(),
            },
        }
    }
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Raised => "raised",
        Step::Grown => "grown",
        Step::Ended => "ended",
    }
}
