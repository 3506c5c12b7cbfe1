//! Models with thresholds of evidence: the default one with those that a test chooses.

use std::collections::BTreeMap;

use super::util::published::published;
use flowshrike::model::{EvidenceKind, EvidenceParts, Least, Model};

/// The default model with these thresholds; the share of each of its attack labels raises from `share` on.
pub(crate) fn with_evidence(kinds: &[(EvidenceKind, f32)], share: f32) -> Model {
    thresholds(&published(), kinds, share, &[])
}

/// A model whose attacks are two kinds of guessing (`brute-force.http`, `brute-force.ssh`), with thresholds for them.
pub(crate) fn with_guessing(by_label: &[(&str, f32)]) -> Model {
    let mut parts = published().parts().clone();
    let names = ["benign", "brute-force.http", "brute-force.ssh"];
    parts.labels = names.map(str::to_owned).to_vec();
    thresholds(&Model::from_parts(&parts).expect("valid parts"), &[], 5.0, by_label)
}

fn thresholds(model: &Model, kinds: &[(EvidenceKind, f32)], share: f32, guessing: &[(&str, f32)]) -> Model {
    let least = |least| Least { least, lean: 0.5, benign: 0.0, caught: 1, hostile: 1 };
    let mut parts = model.parts().clone();
    parts.evidence = Some(EvidenceParts {
        short_window: EvidenceParts::SHORT_WINDOW,
        middle_window: EvidenceParts::MIDDLE_WINDOW,
        long_window: EvidenceParts::LONG_WINDOW,
        kinds: kinds.iter().map(|(kind, count)| (*kind, least(*count))).collect(),
        guessing: guessing.iter().map(|(label, count)| ((*label).to_owned(), least(*count))).collect(),
        share: attacks(model).into_iter().map(|label| (label, least(share))).collect::<BTreeMap<_, _>>(),
        learned_on: "a test".to_owned(),
    });
    Model::from_parts(&parts).expect("valid parts")
}

fn attacks(model: &Model) -> Vec<String> {
    model.labels().iter().filter(|label| *label != "benign").cloned().collect()
}

/// A model as a file in a folder.
pub(crate) fn model_file(folder: &tempfile::TempDir, model: &Model) -> std::path::PathBuf {
    let path = folder.path().join(format!("{}.fsm", &model.sha256()[..12]));
    std::fs::write(&path, model.to_bytes().expect("an artifact")).expect("a file");
    path
}
