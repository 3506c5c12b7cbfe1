//! Alerts as Suricata EVE JSON: one line each, so that what reads Suricata reads this.
//!
//! Everything that EVE has no place for stands under `flowshrike`; the rest of a record is valid under
//! Suricata's own schema.

use std::fmt;

use serde::{Serialize, Serializer};

use super::alert::{Alert, ModelIdentity, Signature};
use super::identity::Identities;
use crate::flow::EndReason;
use crate::model::Telling;
use crate::packet::{Address, icmp, protocol};
use crate::time::Micros;

/// Appends one alert as one line, newline included. The buffer is the caller's, to be used again.
///
/// Numbers that are not finite are written as `null`; times outside of the years 0 to 9999 as the nearest inside.
pub fn write_line(alert: &Alert, line: &mut Vec<u8>) {
    write_record(&Record::of(alert), line);
}

/// Appends one record and a newline, or nothing.
pub(super) fn write_record<T: Serialize>(record: &T, line: &mut Vec<u8>) {
    let before = line.len();
    match serde_json::to_writer(&mut *line, record) {
        Ok(()) => line.push(b'\n'),
        // A `Vec` takes every byte and a `Record` has string keys only, so there is no error to report; should a later
        // field bring one, a torn record must not reach the sink.
        Err(_) => line.truncate(before),
    }
}

#[derive(Serialize)]
struct Record<'a> {
    timestamp: Timestamp,
    flow_id: u64,
    in_iface: &'a str,
    event_type: &'static str,
    src_ip: Text<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    dest_ip: Text<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: Protocol,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u16>,
    ip_v: u8,
    community_id: &'a str,
    alert: AlertPart<'a>,
    flow: FlowPart,
    flowshrike: OwnPart<'a>,
}

/// Suricata's `alert` object.
#[derive(Serialize)]
pub(super) struct AlertPart<'a> {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: &'a str,
    category: &'a str,
    severity: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata>,
}

/// What Suricata's rules say of ATT&CK: lists, of one entry here.
#[derive(Serialize)]
struct Metadata {
    mitre_tactic_id: [&'static str; 1],
    mitre_tactic_name: [&'static str; 1],
    mitre_technique_id: [&'static str; 1],
    mitre_technique_name: [&'static str; 1],
}

/// Suricata's `flow` object.
#[derive(Serialize)]
struct FlowPart {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: Timestamp,
    end: Timestamp,
    age: i64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    alerted: bool,
    src_ip: Text<Address>,
    dest_ip: Text<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
}

/// What only Flowshrike says.
#[derive(Serialize)]
struct OwnPart<'a> {
    label: &'a str,
    score: f32,
    novelty: f32,
    novel: bool,
    early: bool,
    part: u32,
    suppressed: u64,
    model: ModelPart<'a>,
    top_features: Features<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<&'a Identities>,
}

#[derive(Serialize)]
pub(super) struct ModelPart<'a> {
    name: &'a str,
    version: &'a str,
    sha256: &'a str,
}

#[derive(Serialize)]
struct FeaturePart {
    feature: &'static str,
    value: f64,
    distance: f32,
}

impl<'a> Record<'a> {
    fn of(alert: &'a Alert) -> Self {
        let tuple = &alert.flow.tuple;
        let has_ports = matches!(tuple.protocol, protocol::TCP | protocol::UDP | protocol::SCTP);
        let port = |port| has_ports.then_some(port);
        let (src_ip, dest_ip) = (Text(tuple.src), Text(tuple.dst));
        let (src_port, dest_port) = (port(tuple.src_port), port(tuple.dst_port));
        let icmp = match tuple.protocol {
            protocol::ICMP => Some(icmp_type_and_code(false, tuple.src_port, tuple.dst_port)),
            protocol::ICMPV6 => Some(icmp_type_and_code(true, tuple.src_port, tuple.dst_port)),
            _ => None,
        };
        Self {
            timestamp: Timestamp(alert.flow.end),
            flow_id: alert.flow.flow_id(),
            in_iface: &alert.in_iface,
            event_type: "alert",
            src_ip,
            src_port,
            dest_ip,
            dest_port,
            proto: Protocol(tuple.protocol),
            icmp_type: icmp.map(|(kind, _)| kind),
            icmp_code: icmp.map(|(_, code)| code),
            ip_v: if tuple.src.is_v4() && tuple.dst.is_v4() { 4 } else { 6 },
            community_id: &alert.community_id,
            alert: AlertPart::of(&alert.signature),
            flow: FlowPart {
                pkts_toserver: alert.flow.packets_to_server,
                pkts_toclient: alert.flow.packets_to_client,
                bytes_toserver: alert.flow.bytes_to_server,
                bytes_toclient: alert.flow.bytes_to_client,
                start: Timestamp(alert.flow.start),
                end: Timestamp(alert.flow.end),
                age: ((alert.flow.end - alert.flow.start).0 / 1_000_000).max(0),
                state: flow_state(alert),
                reason: alert.flow.end_reason.map(EndReason::name),
                alerted: true,
                src_ip,
                dest_ip,
                src_port,
                dest_port,
            },
            flowshrike: OwnPart {
                label: &alert.signature.label,
                score: alert.score,
                novelty: alert.novelty,
                novel: alert.novel,
                early: alert.is_early(),
                part: alert.flow.part,
                suppressed: alert.suppressed,
                model: ModelPart::of(&alert.model),
                top_features: Features(&alert.telling),
                kubernetes: alert.identities.as_ref(),
            },
        }
    }
}

impl<'a> ModelPart<'a> {
    pub(super) fn of(model: &'a ModelIdentity) -> Self {
        let ModelIdentity { name, version, sha256 } = model;
        Self { name, version, sha256 }
    }
}

impl<'a> AlertPart<'a> {
    pub(super) fn of(signature: &'a Signature) -> Self {
        let metadata = signature.technique.map(|technique| Metadata {
            mitre_tactic_id: [technique.tactic_id],
            mitre_tactic_name: [technique.tactic],
            mitre_technique_id: [technique.id],
            mitre_technique_name: [technique.name],
        });
        Self {
            action: "allowed",
            gid: GENERATOR,
            signature_id: signature.id,
            rev: 1,
            signature: &signature.text,
            category: signature.category,
            severity: signature.severity.suricata(),
            metadata,
        }
    }
}

/// The initiator's ICMP type and code. Where an answered message's code gave way to its counterpart's type it is 0,
/// the one code that the RFCs define for these types (but for ICMPv6 node information).
const fn icmp_type_and_code(v6: bool, src_port: u16, dst_port: u16) -> (u16, u16) {
    let [high, kind] = src_port.to_be_bytes();
    let answered = high == 0 && icmp::counterpart(v6, kind).is_some();
    (src_port, if answered { 0 } else { dst_port })
}

/// Suricata's three words for how far a flow has come.
fn flow_state(alert: &Alert) -> &'static str {
    if alert.flow.end_reason == Some(EndReason::EndOfFlow) {
        "closed"
    } else if alert.flow.packets_to_server > 0 && alert.flow.packets_to_client > 0 {
        "established"
    } else {
        "new"
    }
}

/// Our own generator number: Suricata's rules are generator 1, so filters on them never meet our signatures.
const GENERATOR: u32 = 9469;

/// A value written as its `Display` text.
#[derive(Clone, Copy)]
pub(super) struct Text<T>(pub(super) T);

impl<T: fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A time as Suricata writes it, with a four-digit year.
pub(super) struct Timestamp(pub(super) Micros);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let civil = self.0.clamp(YEAR_0, YEAR_9999).civil();
        match civil.ascii().as_ref().map(|text| std::str::from_utf8(text)) {
            Some(Ok(text)) => serializer.serialize_str(text),
            _ => serializer.collect_str(&civil),
        }
    }
}

/// 0000-01-01T00:00:00.000000.
const YEAR_0: Micros = Micros(-62_167_219_200_000_000);
/// 9999-12-31T23:59:59.999999.
const YEAR_9999: Micros = Micros(253_402_300_799_999_999);

/// An IP protocol by the name that Suricata gives it, or its number.
pub(super) struct Protocol(pub(super) u8);

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.0 {
            protocol::TCP => "TCP",
            protocol::UDP => "UDP",
            protocol::ICMP => "ICMP",
            protocol::ICMPV6 => "IPv6-ICMP",
            protocol::SCTP => "SCTP",
            2 => "IGMP",
            47 => "GRE",
            50 => "ESP",
            51 => "AH",
            other => return serializer.collect_str(&other),
        };
        serializer.serialize_str(name)
    }
}

/// Telling features, written without a copy.
struct Features<'a>(&'a [Telling]);

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|&Telling { feature, value, distance }| FeaturePart {
            feature: feature.feature().column,
            value,
            distance,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::alert::tests::{flow, grounds, packet, verdict};
    use super::*;
    use crate::flow::{FiveTuple, FlowFacts};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn alert(protocol: u8, src_port: u16, dst_port: u16) -> Alert {
        let first = packet(Micros(1_700_000_000_000_001), protocol, src_port, dst_port);
        Alert::new(flow(first), &verdict(1, 0.75, true), grounds())
    }

    fn parsed(alert: &Alert) -> Value {
        let mut line = Vec::new();
        write_line(alert, &mut line);
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
        assert_eq!(line.last(), Some(&b'\n'));
        serde_json::from_slice(&line).expect("one JSON value a line")
    }

    #[test]
    fn a_whole_record() {
        let mut line = b"before\n".to_vec();
        let alert = alert(protocol::TCP, 40_000, 443);
        write_line(&alert, &mut line);
        let text = String::from_utf8(line).expect("JSON is UTF-8");
        let expected = format!(
            r#"before
{{"timestamp":"2023-11-14T22:13:20.000001+0000","flow_id":{flow_id},"in_iface":"eth0","event_type":"alert","src_ip":"10.244.0.7","src_port":40000,"dest_ip":"10.96.0.1","dest_port":443,"proto":"TCP","ip_v":4,"community_id":"{community_id}","alert":{{"action":"allowed","gid":9469,"signature_id":{id},"rev":1,"signature":"Reconnaissance","category":"Attempted Information Leak","severity":2,"metadata":{{"mitre_tactic_id":["TA0043"],"mitre_tactic_name":["Reconnaissance"],"mitre_technique_id":["T1595"],"mitre_technique_name":["Active Scanning"]}}}},"flow":{{"pkts_toserver":1,"pkts_toclient":0,"bytes_toserver":64,"bytes_toclient":0,"start":"2023-11-14T22:13:20.000001+0000","end":"2023-11-14T22:13:20.000001+0000","age":0,"state":"closed","reason":"end_of_flow","alerted":true,"src_ip":"10.244.0.7","dest_ip":"10.96.0.1","src_port":40000,"dest_port":443}},"flowshrike":{{"label":"recon","score":0.75,"novelty":0.5,"novel":true,"early":false,"part":0,"suppressed":3,"model":{{"name":"m","version":"1","sha256":"00"}},"top_features":[{{"feature":"Flow Duration","value":1.5,"distance":0.25}}]}}}}
"#,
            flow_id = alert.flow.flow_id(),
            community_id = alert.community_id,
            id = alert.signature.id,
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn icmp_has_type_and_code_and_others_have_no_ports() {
        for (protocol, a, b, proto, kind_and_code) in [
            (protocol::ICMP, 8, 0, "ICMP", Some((8, 0))),
            (protocol::ICMP, 0, 8, "ICMP", Some((0, 0))),
            (protocol::ICMP, 3, 13, "ICMP", Some((3, 13))),
            (protocol::ICMPV6, 135, 136, "IPv6-ICMP", Some((135, 0))),
            (protocol::ICMPV6, 1, 4, "IPv6-ICMP", Some((1, 4))),
            (47, 0, 0, "GRE", None),
            (253, 0, 0, "253", None),
        ] {
            let record = parsed(&alert(protocol, a, b));
            assert_eq!(record["proto"], proto);
            let found = record.get("icmp_type").zip(record.get("icmp_code"));
            assert_eq!(found, kind_and_code.map(|(k, c)| (json!(k), json!(c))).as_ref().map(|(k, c)| (k, c)));
            assert!(record.get("src_port").is_none() && record["flow"].get("dest_port").is_none());
        }
    }

    #[test]
    fn an_early_alert_has_no_reason_and_says_so() {
        let first = packet(Micros(0), protocol::UDP, 1, 2);
        let record =
            parsed(&Alert::new(FlowFacts { end_reason: None, ..flow(first) }, &verdict(1, 0.75, false), grounds()));
        assert_eq!(record["flowshrike"]["early"], true);
        assert_eq!((record["flow"].get("reason"), &record["flow"]["state"]), (None, &json!("new")));
    }

    proptest! {
        #[test]
        fn any_alert_is_one_line_of_json(
            (src, dst) in (any::<[u8; 16]>(), any::<[u8; 16]>()),
            (src_port, dst_port, protocol, part) in any::<(u16, u16, u8, u32)>(),
            (start, end) in any::<(i64, i64)>(),
            (score, novelty, distance, value) in any::<(f32, f32, f32, f64)>(),
            texts in proptest::array::uniform6(any::<String>()),
        ) {
            let [in_iface, label, text, name, version, sha256] = texts;
            let mut alert = alert(protocol, src_port, dst_port);
            alert.flow.tuple = FiveTuple {
                src: Address::v6(src), dst: Address::v6(dst), src_port, dst_port, protocol,
            };
            (alert.flow.start, alert.flow.end, alert.flow.part) = (Micros(start), Micros(end), part);
            (alert.score, alert.novelty) = (score, novelty);
            alert.telling.iter_mut().for_each(|t| (t.value, t.distance) = (value, distance));
            alert.in_iface = in_iface.as_str().into();
            let mut signature = (*alert.signature).clone();
            (signature.label, signature.text) = (label, text);
            alert.signature = signature.into();
            alert.model = ModelIdentity { name, version, sha256 }.into();
            let record = parsed(&alert);
            prop_assert_eq!(record["in_iface"].as_str(), Some(in_iface.as_str()));
            let age = record["flow"]["age"].as_i64().expect("whole seconds");
            prop_assert!(age >= 0);
            prop_assert_eq!(record["timestamp"].as_str().map(str::len), Some(31));
            prop_assert_eq!(record["flowshrike"]["score"].is_number(), score.is_finite());
            if let Some(written) = record["flowshrike"]["top_features"][0]["value"].as_f64() {
                prop_assert!((written - value).abs() <= value.abs() * 1e-12);
            } else {
                prop_assert!(!value.is_finite());
            }
        }
    }
}
