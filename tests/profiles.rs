//! A model of portable columns says the same of the same packets, whichever profile measured them.

mod util;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use flowshrike::capture::CaptureFile;
use flowshrike::features::Profile;
use flowshrike::flow::{FiveTuple, FlowRecord};
use flowshrike::model::{Model, Verdict};
use flowshrike::packet::Tunnels;
use flowshrike::pipeline::{Detector, Offline, Stage};
use flowshrike::time::Micros;
use util::skip::skipped;

/// What must be the same for two flows to be one: who, when, and which packets.
type Same = (FiveTuple, Micros, Micros, [u64; 4]);

struct Judge<'m> {
    detector: Detector<'m>,
}

impl Stage for Judge<'_> {
    type Item = (Same, Verdict);

    fn ended(&mut self, record: &FlowRecord) -> Option<Self::Item> {
        let verdict = self.detector.ended(record);
        let state = &record.state;
        let sums =
            [state.forward.packets.into(), state.backward.packets.into(), state.forward.bytes, state.backward.bytes];
        // A clock that goes back is read differently on purpose (quirk Q22).
        (state.out_of_order == 0).then_some(((record.tuple, state.start, state.last, sums), verdict))
    }

    fn early(&mut self, _: &FlowRecord) -> Option<Self::Item> {
        None
    }
}

fn verdicts(model: &Model, profile: Profile, capture: &Path) -> HashMap<Same, Verdict> {
    let offline = Offline {
        profile,
        policy: profile.flow_policy(),
        workers: 1,
        max_flows: 1_000_000,
        batch: 1024,
        tunnels: Tunnels::default(),
    };
    let mut stages = vec![Judge { detector: Detector::new(model, profile) }];
    let mut found = HashMap::new();
    let file = CaptureFile::open(capture).expect("a capture");
    let (_, outcome) = offline.run(file, &mut stages, |_, (same, verdict)| {
        found.insert(same, verdict);
        None
    });
    outcome.expect("a whole capture");
    found
}

#[test]
fn both_profiles_get_the_same_verdict_on_the_same_packets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let real = root.join("../shared/captures");
    if !real.is_dir() {
        skipped("the real captures are not there; the project's own are used");
    }
    let model = Model::embedded().expect("the default model");
    let captures: Vec<PathBuf> = [root.join("tests/golden"), real]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten())
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng"))
        .collect();
    let mut compared = 0;
    for capture in captures {
        let standard = verdicts(&model, Profile::Standard, &capture);
        for (same, cic) in verdicts(&model, Profile::Cic, &capture) {
            if let Some(standard) = standard.get(&same) {
                assert_eq!(*standard, cic, "{} {same:?}", capture.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "only {compared} flows could be compared");
}
