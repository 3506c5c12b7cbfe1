//! How far each subject of labelled captures came at its most, by kind, and by lean where shares are added up.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::replay::{Capture, Captures};
use crate::evidence::{Gauges, Reading, Subject};
use crate::model::{EvidenceKind, EvidenceParts, LabelId, Model};
use crate::packet::Address;

/// The leans that are tried, the likeliest first: of equally good ones the first is taken.
pub(super) const LEANS: [f32; 9] = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9];

/// One subject of one capture.
#[derive(Clone, Debug)]
pub(super) struct Peak {
    /// Position of the capture.
    pub(super) capture: usize,
    pub(super) kind: EvidenceKind,
    /// Whether a hostile flow was counted in it.
    pub(super) is_hostile: bool,
    /// Its hostile sources.
    pub(super) sources: BTreeSet<Address>,
    /// The greatest value, by the label that the subject's verdicts led to at that time, if the kind goes by one; for the share
    /// one for each of [`LEANS`], else the first alone.
    pub(super) values: BTreeMap<Option<LabelId>, [f32; LEANS.len()]>,
}

/// Every subject's peak.
pub(super) fn peaks(model: &Model, captures: &Captures<'_>) -> Vec<Peak> {
    let of = |(at, capture): (usize, &Capture<'_>)| of_capture(model, at, capture);
    captures.captures.iter().enumerate().flat_map(of).collect()
}

fn of_capture(model: &Model, at: usize, capture: &Capture<'_>) -> Vec<Peak> {
    let mut gauges = Gauges::new(model.labels(), SEED);
    let mut found: HashMap<Subject, Peak> = HashMap::new();
    for flow in &capture.flows {
        gauges.note(&flow.sight(), |reading| {
            let kind = reading.subject.kind;
            let peak = found.entry(reading.subject).or_insert_with(|| Peak {
                capture: at,
                kind,
                is_hostile: false,
                sources: BTreeSet::new(),
                values: BTreeMap::new(),
            });
            if flow.hostile.is_some() {
                peak.is_hostile = true;
                peak.sources.insert(flow.facts.tuple.src);
            }
            peak.add(&reading);
        });
    }
    let mut peaks: Vec<(Subject, Peak)> = found.into_iter().collect();
    peaks.sort_by_key(|(subject, _)| *subject);
    let scale = |kind| scale_of(kind, capture);
    peaks
        .into_iter()
        .map(|(_, mut peak)| {
            // What a hostile source did it did; what a benign one does it may go on with.
            if !peak.is_hostile {
                peak.values.values_mut().flatten().for_each(|value| *value *= scale(peak.kind));
            }
            peak
        })
        .collect()
}

/// What the count of a shorter capture comes to in a whole window, if it goes on so. Distinct things do not grow so: who checks
/// twenty services checks the same twenty.
fn scale_of(kind: EvidenceKind, capture: &Capture<'_>) -> f32 {
    let window = match kind {
        EvidenceKind::Ports | EvidenceKind::Hosts | EvidenceKind::Endpoints => return 1.0,
        EvidenceKind::Flood | EvidenceKind::Refusals | EvidenceKind::Calls => EvidenceParts::SHORT_WINDOW,
        EvidenceKind::Guessing => EvidenceParts::MIDDLE_WINDOW,
        EvidenceKind::Share => EvidenceParts::LONG_WINDOW,
    };
    let span = (capture.span().0 as f32 / 1e6).max(1.0);
    (window as f32 / span).max(1.0)
}

impl Peak {
    fn add(&mut self, reading: &Reading) {
        let goes_by_label = matches!(reading.subject.kind, EvidenceKind::Share | EvidenceKind::Guessing);
        // Without an attack's label the share raises nothing, whatever it is.
        if goes_by_label && reading.label.is_none() {
            return;
        }
        let label = reading.label.filter(|_| goes_by_label);
        let held = self.values.entry(label).or_insert([0.0; LEANS.len()]);
        for (held, lean) in held.iter_mut().zip(LEANS) {
            *held = held.max(reading.value(lean));
        }
    }
}

/// Counting for thresholds is the same each time.
const SEED: u64 = 0x666c_6f77_7368_7269;
