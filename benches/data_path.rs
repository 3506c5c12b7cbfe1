//! The data path stage by stage, over named inputs: a figure is one pass over all packets of the input.
//!
//! Inputs: `demo` is the bundled capture of a small cluster (4,876 packets, 543 flows); `random` is a golden stream of
//! adversarial packets (2,500 of few hosts, 2,304 flows). Allocations are counted beside times: none may be made a packet.

use std::path::Path;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use flowshrike::capture::{CaptureFile, PacketSource, Progress};
use flowshrike::features::{self, Profile, csv};
use flowshrike::flow::{ClockReading, EndReason, FlowEvent, FlowRecord, FlowTable, PacketClock};
use flowshrike::model::Model;
use flowshrike::packet::{Dissector, Frame, LinkType, PacketMeta, Tunnels};
use flowshrike::pipeline::{Detector, Offline};
use flowshrike::time::Micros;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const INPUTS: [&str; 2] = ["demo", "random"];

fn main() {
    divan::main();
}

/// File bytes to frames: the reader alone.
#[divan::bench(args = INPUTS)]
fn read_file(bencher: Bencher<'_, '_>, input: &str) {
    let packets = frames(input).len();
    bencher.counter(ItemsCount::new(packets)).bench_local(|| {
        let mut bytes = 0;
        each_frame(input, |frame| bytes += frame.data.len());
        bytes
    });
}

/// Frames to packets, the standard reading.
#[divan::bench(args = INPUTS)]
fn parse_standard(bencher: Bencher<'_, '_>, input: &str) {
    parse(bencher, input, Profile::Standard);
}

/// Frames to packets, the reference's reading.
#[divan::bench(args = INPUTS)]
fn parse_cic(bencher: Bencher<'_, '_>, input: &str) {
    parse(bencher, input, Profile::Cic);
}

/// Packets into the flow table, with timers and ended flows handed out.
#[divan::bench(args = INPUTS)]
fn table_update(bencher: Bencher<'_, '_>, input: &str) {
    let packets = packets(input);
    bencher.counter(ItemsCount::new(packets.len())).bench_local(|| {
        let mut ended = 0_u64;
        book(&packets, |_| ended += 1);
        ended
    });
}

/// Ended flows to feature vectors to CSV rows. The items are flows.
#[divan::bench(args = INPUTS)]
fn extract_rows(bencher: Bencher<'_, '_>, input: &str) {
    let flows = flows(input);
    let mut row = Vec::with_capacity(4096);
    bencher.counter(ItemsCount::new(flows.len())).bench_local(|| {
        for flow in &flows {
            row.clear();
            csv::write_row(&mut row, flow, &features::extract(flow, Profile::Standard), Profile::Standard);
            black_box(&row);
        }
    });
}

/// Ended flows to verdicts of the default model. The items are flows.
#[divan::bench(args = INPUTS)]
fn classify_flows(bencher: Bencher<'_, '_>, input: &str) {
    let flows = flows(input);
    let model = Model::embedded().expect("the default model");
    let mut detector = Detector::new(&model, Profile::Standard);
    bencher
        .counter(ItemsCount::new(flows.len()))
        .bench_local(|| flows.iter().filter(|flow| detector.ended(flow).novel).count());
}

/// The whole of `replay` but its alerts: file, packets, table, features, verdicts.
#[divan::bench(args = INPUTS)]
fn replay_whole(bencher: Bencher<'_, '_>, input: &str) {
    let model = Model::embedded().expect("the default model");
    let offline = Offline {
        profile: Profile::Standard,
        policy: Profile::Standard.flow_policy(),
        workers: 1,
        max_flows: 1_000_000,
        batch: 1024,
        tunnels: Tunnels::default(),
    };
    bencher.counter(ItemsCount::new(frames(input).len())).bench_local(|| {
        let mut stages = vec![Verdicts(Detector::new(&model, Profile::Standard))];
        offline.run(open(input), &mut stages, |_, ()| None).0.packets.received
    });
}

struct Verdicts<'m>(Detector<'m>);

impl flowshrike::pipeline::Stage for Verdicts<'_> {
    type Item = ();

    fn ended(&mut self, record: &FlowRecord) -> Option<()> {
        black_box(self.0.ended(record));
        None
    }

    fn early(&mut self, record: &FlowRecord) -> Option<()> {
        black_box(self.0.open(record));
        None
    }
}

fn parse(bencher: Bencher<'_, '_>, input: &str, profile: Profile) {
    let frames = frames(input);
    let mut dissector = Dissector::new(profile.reading());
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        let read = |frame: &Held| dissector.dissect(black_box(&frame.frame())).is_ok();
        frames.iter().map(read).filter(|is_packet| *is_packet).count()
    });
}

/// A frame that owns its bytes.
struct Held {
    time: Micros,
    data: Vec<u8>,
    wire_len: u32,
    link: LinkType,
}

impl Held {
    fn frame(&self) -> Frame<'_> {
        Frame { time: self.time, data: &self.data, wire_len: self.wire_len, link: self.link }
    }
}

fn open(input: &str) -> CaptureFile {
    let path = match input {
        "demo" => "tests/data/demo-cluster.pcap.gz",
        _ => "tests/golden/f00_random.pcap",
    };
    CaptureFile::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a capture of the project's own")
}

fn each_frame(input: &str, mut take: impl FnMut(Frame<'_>)) {
    let mut file = open(input);
    while file.read(1024, &mut take).expect("a whole capture") != Progress::End {}
}

fn frames(input: &str) -> Vec<Held> {
    let mut frames = Vec::new();
    each_frame(input, |Frame { time, data, wire_len, link }| {
        frames.push(Held { time, data: data.to_vec(), wire_len, link });
    });
    frames
}

fn packets(input: &str) -> Vec<PacketMeta> {
    let mut dissector = Dissector::new(Profile::Standard.reading());
    frames(input).iter().filter_map(|frame| dissector.dissect(&frame.frame()).ok()).collect()
}

fn book(packets: &[PacketMeta], mut take: impl FnMut(FlowEvent<'_>)) {
    let policy = Profile::Standard.flow_policy();
    let mut clock = PacketClock::new(&policy);
    let mut table = FlowTable::new(policy, 1_000_000, 7);
    for packet in packets {
        let now = match clock.observe(packet.time) {
            ClockReading::At(now) => now,
            ClockReading::SteppedBack { before, now } => {
                table.flush(EndReason::Forced, before, &mut take);
                now
            }
        };
        table.packet(packet, now, &mut take).expect("a timed table is never full");
    }
    table.flush(EndReason::Forced, clock.now().unwrap_or_default(), &mut take);
}

fn flows(input: &str) -> Vec<FlowRecord> {
    let mut flows = Vec::new();
    book(&packets(input), |event| {
        if let FlowEvent::Ended(record) = event {
            flows.push(record.clone());
        }
    });
    flows
}
