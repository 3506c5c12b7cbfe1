//! Alert lines against Suricata's own schema of its records, where that is at hand.

mod util;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use flowshrike::alert::{
    Alert, AlertPolicy, AlertStage, Decision, Grounds, IncidentAlert, LabelRule, Limits, ModelIdentity, NovelMode,
    Signature, eve, write_incident,
};
use flowshrike::evidence::{Evidence, Exchange, Sight};
use flowshrike::features::FeatureId;
use flowshrike::flow::{Direction, EndReason, FiveTuple, FlowPolicy, FlowRecord, FlowState};
use flowshrike::model::{EvidenceKind, EvidenceParts, LabelId, Least, Model, Telling, Verdict};
use flowshrike::packet::{Address, PacketMeta, TcpFlags};
use flowshrike::sink::LineSink;
use flowshrike::time::Micros;
use serde_json::{Map, Value};
use util::published::published;

#[test]
fn records_are_valid_under_suricatas_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/schemas/suricata-eve.schema.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        util::skip::skipped("no Suricata schema at ../shared/schemas");
        return;
    };
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    let flows = alerts().into_iter().map(|(name, alert)| (name, parsed(&alert)));
    for (name, mut record) in flows.chain(incidents()) {
        let own = record.remove("flowshrike").expect("our own part");
        assert!(own["model"]["sha256"].is_string());
        let record = Value::Object(record);
        if let Err(complaint) = check(&schema, &schema, &record, "$") {
            panic!("{name}: {complaint}\n{record}");
        }
        // The check can fail: a key that Suricata does not know, and a wrong type.
        for (key, value) in [("flowshrike", own), ("src_ip", Value::from(7))] {
            let mut broken = record.clone();
            broken[key] = value;
            assert!(check(&schema, &schema, &broken, "$").is_err(), "{key} is not checked");
        }
    }
}

#[test]
fn a_stage_and_the_writer_tell_one_line_of_a_sweep_and_count_the_rest() {
    let labels = vec![
        LabelRule { name: "benign".into(), benign: true, threshold: 0.5 },
        LabelRule { name: "recon".into(), benign: false, threshold: 0.5 },
    ];
    let policy = AlertPolicy::new(labels, &BTreeMap::new(), NovelMode::Count).expect("no thresholds of its own");
    let mut stage = AlertStage::new(policy, Limits::default());
    let mut lines = Vec::new();
    for second in 0..90 {
        let record = record(packet(6, "10.0.0.1", "10.0.0.2", 40_000 + second, 22, i64::from(second)));
        if let Decision::Emit(emission) = stage.ended(&record.facts(), Some(&VERDICT)) {
            let grounds = Grounds { suppressed: emission.suppressed, ..grounds() };
            eve::write_line(&Alert::new(record.facts(), &VERDICT, grounds), &mut lines);
        }
    }
    let told: Vec<Value> = lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    let held: Vec<_> = told.iter().map(|record| record["flowshrike"]["suppressed"].as_u64()).collect();
    assert_eq!(held, [Some(0), Some(59)]);
    let counts = stage.counts();
    assert_eq!((counts.predicted, counts.emitted, counts.suppressed_total()), (90, 2, 88));
}

#[test]
fn what_a_sink_could_not_write_is_lost_and_told_again() {
    let labels = vec![LabelRule { name: "recon".into(), benign: false, threshold: 0.5 }];
    let policy = AlertPolicy::new(labels, &BTreeMap::new(), NovelMode::Count).expect("no thresholds of its own");
    let mut stage = AlertStage::new(policy, Limits::default());
    let verdict = Verdict { label: LabelId(0), ..VERDICT };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut sink = LineSink::handle(File::from(OwnedFd::from(writer)));
    let mut reader = Some(reader);
    for batch in 0..4 {
        let mut tickets = Vec::new();
        for port in 0..10 {
            // Ports 0 to 4 come twice in a batch: one of each pair is held back.
            let record = record(packet(6, "10.0.0.1", "10.0.0.2", 40_000 + port, port % 5, batch * 100));
            if let Decision::Emit(emission) = stage.ended(&record.facts(), Some(&verdict)) {
                let grounds = Grounds { suppressed: emission.suppressed, ..grounds() };
                sink.push(|line| eve::write_line(&Alert::new(record.facts(), &verdict, grounds), line));
                tickets.push(emission.ticket);
            }
        }
        let flushed = sink.flush();
        tickets.drain(flushed.written..).for_each(|ticket| stage.lost(ticket));
        assert!(stage.counts().balance());
        // The reader leaves after the second batch.
        if batch == 1 {
            reader.take();
        }
    }
    let counts = stage.counts();
    assert_eq!((counts.predicted, counts.emitted, counts.suppressed_total(), counts.lost), (40, 10, 20, 10));
    assert!(sink.is_closed());
}

const VERDICT: Verdict = Verdict { label: LabelId(1), score: 0.9, attack: 0.9, novelty: 1.25, novel: true };

/// One alert of every shape.
fn alerts() -> Vec<(&'static str, Alert)> {
    let ended = |end| move |packet| Alert::new(FlowRecord { end, ..record(packet) }.facts(), &VERDICT, grounds());
    let closed = ended(EndReason::EndOfFlow);
    let mut all = vec![
        ("tcp", closed(packet(6, "10.0.0.1", "10.0.0.2", 40_000, 443, 0))),
        ("udp over v6", ended(EndReason::IdleTimeout)(packet(17, "2001:db8::1", "2001:db8::2", 53, 53, 1))),
        ("echo", closed(packet(1, "10.0.0.1", "10.0.0.2", 8, 0, 0))),
        ("neighbour solicitation", closed(packet(58, "fe80::1", "ff02::1", 135, 136, 0))),
        ("sctp", closed(packet(132, "10.0.0.1", "10.0.0.2", 1, 2, 0))),
        ("unnamed protocol", closed(packet(200, "10.0.0.1", "10.0.0.2", 0, 0, 0))),
        ("time before 1970", closed(packet(6, "10.0.0.1", "10.0.0.2", 1, 2, -100_000_000_000))),
        (
            "early",
            Alert::new(record(packet(6, "10.0.0.1", "10.0.0.2", 1, 2, 0)).facts_while_open(), &VERDICT, grounds()),
        ),
    ];
    let novel = Grounds { signature: Arc::new(Signature::unknown_novel()), ..grounds() };
    all.push(("novel", Alert::new(record(packet(6, "10.0.0.1", "10.0.0.2", 1, 2, 0)).facts(), &VERDICT, novel)));
    all
}

/// Lines on incidents: a scan of one source, and a flood, which has none.
fn incidents() -> Vec<(&'static str, Map<String, Value>)> {
    let least = |least| Least { least, lean: 0.0, benign: 0.0, caught: 1, hostile: 1 };
    let [short_window, middle_window, long_window] = EvidenceParts::WINDOWS;
    let mut parts = published().parts().clone();
    parts.evidence = Some(EvidenceParts {
        short_window,
        middle_window,
        long_window,
        kinds: [(EvidenceKind::Ports, least(10.0)), (EvidenceKind::Flood, least(20.0))].into(),
        guessing: BTreeMap::new(),
        share: BTreeMap::new(),
        learned_on: "a test".to_owned(),
    });
    let mut evidence = Evidence::of(&Model::from_parts(&parts).expect("valid"), 1).expect("thresholds");
    let scan = (0..30).map(|n| packet(6, "2001:db8::1", "2001:db8::2", 40_000, 1_000 + n, n.into()));
    let flood = (0..30).map(|n| packet(6, &format!("10.1.0.{n}"), "10.0.0.2", 40_000 + n, 80, 100));
    let mut found = Vec::new();
    for (name, first) in scan.map(|first| ("a scan", first)).chain(flood.map(|first| ("a flood", first))) {
        let flow = FlowRecord { end: EndReason::IdleTimeout, ..record(PacketMeta { flags: TcpFlags::SYN, ..first }) };
        let (facts, exchange) = (flow.facts(), Exchange::of(&flow));
        let verdict = Verdict { label: LabelId(0), ..VERDICT };
        let sight = Sight { flow: &facts, exchange, verdict: &verdict, alerts: false };
        found.extend(evidence.observe(&sight).reports.into_iter().map(|report| (name, report)));
    }
    found.extend(evidence.finish().into_iter().map(|report| ("an end", report)));
    assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["a scan", "a flood", "an end", "an end"]);
    let line = |report| {
        let Grounds { signature, model, in_iface, .. } = grounds();
        let mut line = Vec::new();
        write_incident(&IncidentAlert { report, signature, model, in_iface, identities: None }, &mut line);
        serde_json::from_slice(&line).expect("one JSON object")
    };
    found.into_iter().map(|(name, report)| (name, line(report))).collect()
}

fn grounds() -> Grounds {
    Grounds {
        signature: Arc::new(Signature::of_label("recon")),
        model: Arc::new(ModelIdentity { name: "k8s".into(), version: "1".into(), sha256: "ab".into() }),
        telling: FeatureId::all().take(3).map(|feature| Telling { feature, value: 1e300, distance: 0.5 }).collect(),
        in_iface: "cni0".into(),
        suppressed: 0,
        identities: None,
    }
}

fn packet(protocol: u8, src: &str, dst: &str, src_port: u16, dst_port: u16, second: i64) -> PacketMeta {
    let address = |text: &str| Address::from(text.parse::<IpAddr>().expect("a literal address"));
    PacketMeta {
        src: address(src),
        dst: address(dst),
        time: Micros::from_secs(second),
        src_port,
        dst_port,
        payload_len: 0,
        wire_len: 60,
        seq: 0,
        ack: 0,
        window: 0,
        header_len: 20,
        interface: 0,
        protocol,
        flags: TcpFlags::default(),
    }
}

fn record(first: PacketMeta) -> FlowRecord {
    let tuple = FiveTuple::of(&first);
    let state = FlowState::new(&first, Direction::Forward, &FlowPolicy::standard());
    FlowRecord { tuple, stored_reversed: false, state, end: EndReason::EndOfFlow, decided: first.time }
}

fn parsed(alert: &Alert) -> Map<String, Value> {
    let mut line = Vec::new();
    eve::write_line(alert, &mut line);
    serde_json::from_slice(&line).expect("one JSON object")
}

/// The part of JSON Schema that the schema uses where our records lead; any other keyword is an error, not a pass.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (keyword, rule) in schema.as_object().ok_or("a schema is an object")? {
        match keyword.as_str() {
            "type" => {
                let fits = match rule.as_str().ok_or("one type")? {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "boolean" => value.is_boolean(),
                    other => return Err(format!("{at}: unread type {other}")),
                };
                if !fits {
                    return Err(format!("{at}: not of type {rule}: {value}"));
                }
            }
            "properties" => {
                for (key, child) in value.as_object().into_iter().flatten() {
                    if let Some(rule) = properties.and_then(|all| all.get(key)) {
                        check(root, rule, child, &format!("{at}.{key}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let known = |key: &String| properties.is_some_and(|all| all.contains_key(key));
                if let Some(extra) = value.as_object().into_iter().flatten().map(|(key, _)| key).find(|key| !known(key))
                    && rule != &Value::Bool(true)
                {
                    return Err(format!("{at}: unknown key {extra}"));
                }
            }
            "required" => {
                for key in rule.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    value.get(key).ok_or_else(|| format!("{at}: no {key}"))?;
                }
            }
            "items" => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{i}]"))?;
                }
            }
            "minItems" => {
                if value.as_array().is_some_and(|items| (items.len() as u64) < rule.as_u64().unwrap_or(u64::MAX)) {
                    return Err(format!("{at}: too few items"));
                }
            }
            "pattern" => {
                let pattern =
                    regex::Regex::new(rule.as_str().ok_or("a pattern is text")?).map_err(|e| e.to_string())?;
                if value.as_str().is_some_and(|text| !pattern.is_match(text)) {
                    return Err(format!("{at}: {value} does not match {rule}"));
                }
            }
            "enum" => {
                if !rule.as_array().is_some_and(|all| all.contains(value)) {
                    return Err(format!("{at}: {value} is none of {rule}"));
                }
            }
            "$ref" => {
                let path = rule.as_str().and_then(|text| text.strip_prefix('#')).ok_or("a local reference")?;
                check(root, root.pointer(path).ok_or("a reference leads somewhere")?, value, at)?;
            }
            "$defs" | "description" | "suricata" => {}
            other => return Err(format!("{at}: unread keyword {other}")),
        }
    }
    Ok(())
}
