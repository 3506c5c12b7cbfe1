//! The stage by itself: flows in, incidents out.

use flowshrike::evidence::{Evidence, Exchange, Found, Report, SLOTS, Sight, Step};
use flowshrike::flow::{EndReason, FiveTuple, FlowFacts};
use flowshrike::model::{EvidenceKind, LabelId, Least, Model, Verdict};
use flowshrike::packet::{Address, protocol};
use flowshrike::time::Micros;

use super::model::{with_evidence, with_guessing};
use super::util::published::published;

const REFUSED: Exchange = Exchange {
    payload_to_server: 0,
    payload_to_client: 0,
    syn: true,
    reset: true,
    refused: false,
    acknowledged: false,
};
const CALL: Exchange = Exchange {
    payload_to_server: 200,
    payload_to_client: 900,
    syn: true,
    reset: false,
    refused: false,
    acknowledged: true,
};

/// A TCP flow of a millisecond that ends at a second.
fn flow(src: u32, dst: u32, dst_port: u16, second: f64) -> FlowFacts {
    let address = |number: u32| Address::v4(number.to_be_bytes());
    let end = Micros((second * 1e6) as i64 + 1_700_000_000_000_000);
    let tuple = FiveTuple { src: address(src), dst: address(dst), src_port: 40_000, dst_port, protocol: protocol::TCP };
    FlowFacts {
        tuple,
        start: end - Micros::from_millis(1),
        end,
        part: 0,
        end_reason: Some(EndReason::EndOfFlow),
        packets_to_server: 1,
        packets_to_client: 1,
        bytes_to_server: 60,
        bytes_to_client: 60,
        interface: 0,
    }
}

fn verdict(model: &Model, label: &str, attack: f32) -> Verdict {
    let label = model.label_named(label).expect("a label of the default model");
    Verdict { label, score: attack.max(1.0 - attack), attack, novelty: 0.1, novel: false }
}

/// Observes a flow that is no alert by itself.
fn observe(evidence: &mut Evidence, flow: &FlowFacts, exchange: Exchange, verdict: &Verdict) -> Found {
    evidence.observe(&Sight { flow, exchange, verdict, alerts: false })
}

fn scanning() -> (Model, Evidence) {
    let model = with_evidence(
        &[
            (EvidenceKind::Ports, 12.0),
            (EvidenceKind::Hosts, 12.0),
            (EvidenceKind::Flood, 200.0),
            (EvidenceKind::Refusals, 800.0),
            (EvidenceKind::Guessing, 10.0),
            (EvidenceKind::Endpoints, 24.0),
        ],
        5.0,
    );
    let evidence = Evidence::of(&model, 7).expect("thresholds");
    (model, evidence)
}

#[test]
fn a_model_without_thresholds_has_no_such_stage() {
    assert!(Evidence::of(&published(), 1).is_none());
    assert!(Evidence::of(&Model::embedded().expect("the default model"), 1).is_some(), "the default model has some");
}

#[test]
fn a_slow_scan_is_one_incident_that_grows_and_ends() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut told = Vec::new();
    let mut covered = 0;
    for n in 0..200_u16 {
        let found = observe(&mut evidence, &flow(1, 2, 1_000 + n, f64::from(n) * 2.0), REFUSED, &benign);
        covered += u64::from(found.cover.is_some());
        told.extend(found.reports.into_iter().map(|report| (n, report)));
    }
    let (steps, at): (Vec<_>, Vec<_>) = told.iter().map(|(n, report)| (report.step, *n)).unzip();
    assert_eq!(steps, [Step::Raised, Step::Grown], "raised, and told again at ten times its size: {at:?}");
    assert!((10..=15).contains(&at[0]) && u64::from(at[0]) + covered == 200, "{at:?}, {covered} covered");
    let last = evidence.finish();
    let [report] = &last[..] else { panic!("one incident: {last:?}") };
    let (incident, extent) = (&report.incident, &report.incident.extent);
    assert_eq!((report.step, &*incident.label, incident.id), (Step::Ended, "recon.port-scan", 1));
    assert_eq!((extent.flows, extent.failed, extent.peers.count()), (200, 200, 1));
    assert!((140..=260).contains(&extent.ports.count()), "{}", extent.ports.count());
    assert_eq!(extent.examples().map(|(_, port)| port).collect::<Vec<_>>(), [1_000, 1_001, 1_002, 1_003]);
    assert_eq!((evidence.subjects(), evidence.counts().open), (0, 0), "all is forgotten");
}

#[test]
fn a_sweep_a_flood_and_a_source_that_fails_everywhere_are_told_apart() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut labels = Vec::new();
    let mut take =
        |found: Found| labels.extend(found.reports.into_iter().map(|r| (r.incident.label, r.incident.subject)));
    for n in 0..20 {
        take(observe(&mut evidence, &flow(1, 100 + n, 22, f64::from(n)), REFUSED, &benign));
    }
    for n in 0..300 {
        // Each of a source of its own, as where sources are forged.
        take(observe(&mut evidence, &flow(5_000 + n, 9, 80, 40.0 + f64::from(n) * 0.01), REFUSED, &benign));
    }
    for n in 0..40 {
        let port = u16::try_from(n % 8).expect("small");
        take(observe(&mut evidence, &flow(3, 200 + n, 3_000 + port, 60.0 + f64::from(n)), REFUSED, &benign));
    }
    let told: Vec<_> = labels.iter().map(|(label, subject)| (&**label, subject.kind)).collect();
    assert_eq!(
        told,
        [
            ("recon.host-sweep", EvidenceKind::Hosts),
            ("dos.syn-flood", EvidenceKind::Flood),
            ("recon", EvidenceKind::Endpoints)
        ]
    );
    assert_eq!(labels[1].1.source, None, "a flood has no single source");
}

#[test]
fn a_service_that_refuses_its_clients_is_not_flooded_and_one_that_is_left_waiting_is() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut raised = |flow: &dyn Fn(u32) -> FlowFacts, exchange: Exchange| {
        let told = (0..600).flat_map(|n| observe(&mut evidence, &flow(n), exchange, &benign).reports);
        told.filter(|report| report.step == Step::Raised)
            .map(|report| report.incident.label.to_string())
            .collect::<Vec<_>>()
    };
    let tcp = |n: u32| flow(n % 4, 9, 80, f64::from(n) * 0.01);
    assert!(raised(&tcp, Exchange { refused: true, ..REFUSED }).is_empty(), "a client that retries a dead service");
    assert_eq!(raised(&tcp, REFUSED), ["dos.syn-flood"]);
    let by = |number: u8| {
        move |n: u32| {
            let facts = flow(n % 4, 9, 80, 20.0 + f64::from(n) * 0.01);
            let tuple = FiveTuple { protocol: number, src_port: 8, ..facts.tuple };
            FlowFacts { tuple, packets_to_client: 0, ..facts }
        }
    };
    let unanswered = Exchange { payload_to_server: 100, syn: false, reset: false, ..REFUSED };
    assert_eq!(raised(&by(protocol::UDP), unanswered), ["dos.udp-flood"]);
    assert_eq!(raised(&by(protocol::ICMP), unanswered), ["dos"]);
}

#[test]
fn echoes_without_end_are_a_flood_though_they_are_answered_and_so_are_refusals_that_no_client_asks_for() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut raised = Vec::new();
    for n in 0..900 {
        // Forged sources, each answered.
        let facts = flow(5_000 + n, 9, 0, f64::from(n) * 0.01);
        let echo = FlowFacts { tuple: FiveTuple { src_port: 8, protocol: protocol::ICMP, ..facts.tuple }, ..facts };
        let refused = flow(7, 8, 443, f64::from(n) * 0.01);
        for (flow, exchange) in
            [(echo, Exchange { syn: false, ..CALL }), (refused, Exchange { refused: true, ..REFUSED })]
        {
            let told = observe(&mut evidence, &flow, exchange, &benign).reports.into_iter();
            let first = told.filter(|report| report.step == Step::Raised);
            raised.extend(first.map(|report| (report.incident.subject.kind, report.incident.label.to_string(), n)));
        }
    }
    assert_eq!(
        raised,
        [(EvidenceKind::Flood, "dos".to_owned(), 199), (EvidenceKind::Refusals, "dos.syn-flood".to_owned(), 799)]
    );
}

#[test]
fn what_failed_is_said_to_have_failed_and_its_verdict_adds_nothing_up() {
    let (model, mut evidence) = scanning();
    let recon = model.labels().iter().find(|label| label.starts_with("recon")).expect("the default model knows it");
    let sure = verdict(&model, recon, 1.0);
    for n in 0..100 {
        let found = observe(&mut evidence, &flow(1, 2, 80, f64::from(n)), Exchange { refused: true, ..REFUSED }, &sure);
        assert!(found.failed && found.cover.is_none() && found.reports.is_empty());
    }
    assert!(!observe(&mut evidence, &flow(1, 2, 80, 200.0), CALL, &sure).failed);
}

#[test]
fn calls_without_end_are_a_flood_once_a_verdict_has_spoken_against_one() {
    let model = with_evidence(&[(EvidenceKind::Calls, 500.0)], 1e6);
    let mut evidence = Evidence::of(&model, 7).expect("thresholds");
    let attack = model.labels().iter().find(|label| *label != "benign").expect("an attack");
    let mut raised = |source: u32, share: f32| {
        let told = (0..900).flat_map(|n| {
            let verdict = verdict(&model, attack, if n == 0 { share } else { 0.0 });
            observe(&mut evidence, &flow(source, 9, 80, f64::from(n) * 0.01), CALL, &verdict).reports
        });
        told.map(|report| report.incident.label.to_string()).collect::<Vec<_>>()
    };
    assert!(raised(1, 0.0).is_empty());
    assert_eq!(raised(2, 0.1), ["dos.http-flood"]);
}

#[test]
fn guesses_are_counted_and_told_by_the_threshold_of_the_label_that_they_lead_to() {
    let model = with_guessing(&[("brute-force.ssh", 10.0), ("brute-force.http", 100.0)]);
    let mut evidence = Evidence::of(&model, 7).expect("thresholds");
    let mut raised = Vec::new();
    for (host, label, tries) in [(1, "brute-force.ssh", 30), (2, "brute-force.http", 50), (3, "benign", 200)] {
        for n in 0..tries {
            let at = f64::from(n) * 0.2;
            let found = observe(&mut evidence, &flow(host, 9, 22, at), CALL, &verdict(&model, label, 0.4));
            let of = |report: Report| (host, report.incident.label.to_string(), report.incident.subject.kind, n);
            raised.extend(found.reports.into_iter().map(of));
        }
    }
    // A threshold that is not reached raises nothing.
    assert_eq!(raised, [(1, "brute-force.ssh".to_owned(), EvidenceKind::Guessing, 9)]);
}

#[test]
fn an_older_models_guessing_has_one_threshold_for_all_labels() {
    let model = with_guessing(&[]);
    let mut parts = model.parts().clone();
    let least = Least { least: 10.0, lean: 0.0, benign: 0.0, caught: 1, hostile: 1 };
    parts.evidence.as_mut().expect("thresholds").kinds.insert(EvidenceKind::Guessing, least);
    let model = Model::from_parts(&parts).expect("valid");
    let mut evidence = Evidence::of(&model, 7).expect("thresholds");
    let mut raised = Vec::new();
    for n in 0..30 {
        let guess = verdict(&model, "brute-force.http", 0.4);
        let found = observe(&mut evidence, &flow(1, 2, 80, f64::from(n)), CALL, &guess);
        raised.extend(found.reports.into_iter().map(|report| (report.incident.label.to_string(), n)));
    }
    assert_eq!(raised, [("brute-force.http".to_owned(), 9)]);
}

#[test]
fn what_leans_to_an_attack_adds_up_where_each_flow_is_too_little() {
    let (model, mut evidence) = scanning();
    let recon = model.labels().iter().find(|label| label.starts_with("recon")).cloned();
    let recon = recon.expect("the published model knows it");
    let mut at = None;
    for n in 0..30 {
        let found = observe(&mut evidence, &flow(4, 5, 80, f64::from(n)), CALL, &verdict(&model, &recon, 0.9));
        at = at.or_else(|| found.reports.first().map(|report| (report.incident.label.to_string(), n)));
    }
    // 13 flows of 0.9 lie 0.4 above the lean each.
    assert_eq!(at, Some((recon.clone(), 12)));
    // Half of the flows being clean takes back what the others add.
    for n in 0..200 {
        let attack = if n % 2 == 0 { 0.9 } else { 0.0 };
        let found =
            observe(&mut evidence, &flow(6, 5, 80, 100.0 + f64::from(n)), CALL, &verdict(&model, &recon, attack));
        assert!(found.reports.is_empty() && found.cover.is_none());
    }
}

#[test]
fn who_checks_twenty_services_and_who_tries_one_again_and_again_raises_nothing() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.05);
    for n in 0..3_000_u32 {
        let (at, service) = (f64::from(n) * 0.2, n % 20);
        let checks = observe(&mut evidence, &flow(1, 100 + service, 8_080, at), CALL, &benign);
        let tries = observe(&mut evidence, &flow(2, 50, 5_432, at), REFUSED, &benign);
        for found in [checks, tries] {
            assert!(found.reports.is_empty() && found.cover.is_none(), "{n}: {:?}", found.reports);
        }
    }
}

#[test]
fn an_incident_hides_nothing_worse() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    for n in 0..20 {
        drop(observe(&mut evidence, &flow(1, 2, 1_000 + n, f64::from(n)), REFUSED, &benign));
    }
    let (call, probe) = (flow(1, 2, 80, 30.0), flow(1, 2, 81, 30.0));
    let exploit = model.label_named("exploit").unwrap_or(LabelId(0));
    if exploit == LabelId(0) {
        return;
    }
    let worse = Verdict { label: exploit, ..verdict(&model, "benign", 1.0) };
    let mut covers =
        |flow, exchange, verdict, alerts| evidence.observe(&Sight { flow, exchange, verdict, alerts }).cover.is_some();
    assert!(covers(&call, CALL, &benign, false), "a call to the scanned host is part of it");
    assert!(!covers(&call, CALL, &worse, true), "a graver attack is not");
    assert!(covers(&probe, REFUSED, &worse, true), "a refused contact is, whatever the model calls it");
}

#[test]
fn an_open_flow_counts_once() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut raised_at = None;
    for n in 0..16_u16 {
        let ended = FlowFacts { packets_to_client: 0, ..flow(1, 2, 1_000 + n, f64::from(n)) };
        let open = FlowFacts { end_reason: None, ..ended };
        for flow in [open, ended] {
            let found = observe(&mut evidence, &flow, REFUSED, &benign);
            if let Some(report) = found.reports.first() {
                assert_eq!(raised_at, None, "one line");
                raised_at = Some((n, flow.end_reason.is_none(), report.incident.extent.flows));
            }
        }
    }
    let (port, while_open, flows) = raised_at.expect("an incident");
    assert!(while_open, "it need not wait for the flow's end");
    assert_eq!(flows, u64::from(port) + 1);
}

#[test]
fn a_lost_line_is_told_again() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut steps = Vec::new();
    for n in 0..20_u16 {
        for report in observe(&mut evidence, &flow(1, 2, 1_000 + n, f64::from(n)), REFUSED, &benign).reports {
            if steps.is_empty() {
                evidence.lost(&report.incident.subject, report.incident.id);
            }
            steps.push((report.step, report.incident.id));
        }
    }
    assert_eq!(steps, [(Step::Raised, 1), (Step::Raised, 1)]);
    assert_eq!(evidence.counts().raised.iter().sum::<u64>(), 1);
}

#[test]
fn an_incident_ends_when_nothing_more_comes_and_a_new_one_is_another() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut told = Vec::new();
    for n in (0..20_u16).chain(400..420) {
        let found = observe(&mut evidence, &flow(1, 2, 1_000 + n, f64::from(n)), REFUSED, &benign);
        told.extend(found.reports.into_iter().map(|report| (report.step, report.incident.id)));
    }
    assert_eq!(told, [(Step::Raised, 1), (Step::Ended, 1), (Step::Raised, 2)]);
}

#[test]
fn memory_is_bounded_under_a_flood_of_sources_and_a_scanner_among_them_is_still_found() {
    let (model, mut evidence) = scanning();
    let benign = verdict(&model, "benign", 0.0);
    let mut raised = Vec::new();
    for n in 0..200_000_u32 {
        let at = f64::from(n) * 0.001;
        let forged = flow(0x0b00_0000 + n.wrapping_mul(2_654_435_761) % 0xff_ffff, 77, (n % 60_000) as u16, at);
        raised.extend(observe(&mut evidence, &forged, REFUSED, &benign).reports);
        if n % 1_000 == 0 {
            let probe = flow(1, 2, 1 + (n / 1_000) as u16, at);
            raised.extend(observe(&mut evidence, &probe, REFUSED, &benign).reports);
        }
        assert!(evidence.subjects() <= SLOTS);
    }
    assert!(evidence.counts().evicted > 0, "the flood is greater than the table");
    let scans = raised.iter().filter(|report| {
        report.incident.subject.kind == EvidenceKind::Ports && report.incident.extent.ports.count() > 5
    });
    assert!(scans.count() >= 1, "{raised:?}");
}
