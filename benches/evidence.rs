//! The stage that looks at flows together, a flow at a time: what an everyday call costs, a failed contact of a source that is known, and one of
//! a source that was never seen, as in a flood of forged sources.

use std::collections::BTreeMap;

use divan::{AllocProfiler, Bencher, black_box};
use flowshrike::evidence::{Evidence, Exchange, Sight};
use flowshrike::flow::{EndReason, FiveTuple, FlowFacts};
use flowshrike::model::{EvidenceKind, EvidenceParts, LabelId, Least, Model, Verdict};
use flowshrike::packet::{Address, protocol};
use flowshrike::time::Micros;

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// One flow; `forged` has another source each time.
#[divan::bench(args = ["call", "refused", "forged"], sample_size = 1024, sample_count = 50)]
fn observe(bencher: Bencher<'_, '_>, what: &str) {
    let mut evidence = Evidence::of(&model(), 1).expect("thresholds");
    let (failed, forged) = (what != "call", what == "forged");
    let payload = if failed { 0 } else { 500 };
    let exchange = Exchange {
        payload_to_server: payload,
        payload_to_client: payload,
        syn: true,
        reset: failed,
        refused: failed,
        acknowledged: !failed,
    };
    let verdict = Verdict { label: LabelId(0), score: 1.0, attack: 0.0, novelty: 0.1, novel: false };
    let mut n = 0_u32;
    bencher.bench_local(move || {
        n = n.wrapping_add(1);
        let source = if forged { n.wrapping_mul(2_654_435_761) } else { 0x0af4_0000 + n % 200 };
        let flow = flow(source, n);
        evidence.observe(black_box(&Sight { flow: &flow, exchange, verdict: &verdict, alerts: false }))
    });
}

fn flow(source: u32, n: u32) -> FlowFacts {
    let tuple = FiveTuple {
        src: Address::v4(source.to_be_bytes()),
        dst: Address::v4((0x0a60_0000 + n % 50).to_be_bytes()),
        src_port: 40_000,
        dst_port: 443,
        protocol: protocol::TCP,
    };
    // A thousand flows a second.
    let end = Micros(1_700_000_000_000_000 + i64::from(n) * 1_000);
    FlowFacts {
        tuple,
        start: end - Micros(500),
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

/// Thresholds that nothing here reaches: what is timed is the counting.
fn model() -> Model {
    let mut parts = Model::embedded().expect("the default model").parts().clone();
    let [short_window, middle_window, long_window] = EvidenceParts::WINDOWS;
    let least = Least { least: 1e9, lean: 0.0, benign: 0.0, caught: 0, hostile: 0 };
    let kinds = EvidenceKind::ALL.into_iter().filter(|kind| *kind != EvidenceKind::Share);
    parts.evidence = Some(EvidenceParts {
        short_window,
        middle_window,
        long_window,
        kinds: kinds.map(|kind| (kind, least)).collect(),
        guessing: BTreeMap::new(),
        share: BTreeMap::new(),
        learned_on: "nothing".to_owned(),
    });
    Model::from_parts(&parts).expect("valid parts")
}
