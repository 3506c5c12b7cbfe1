//! What the thresholds of a model mean: which count of which kind raises an incident, and under which label.

use std::sync::Arc;

use super::gauges::Reading;
use crate::model::{EvidenceKind, LabelId, Least, Model, Verdict};
use crate::packet::protocol;
use crate::taxonomy::{self, Severity, Stage};

/// The rules of one model.
#[derive(Debug)]
pub(super) struct Rules {
    /// By [`EvidenceKind::index`]; the share goes by label.
    least: [Option<Least>; EvidenceKind::ALL.len()],
    /// By [`LabelId`].
    share: Vec<Option<Least>>,
    /// By [`LabelId`]; all `None` in an older model, whose guessing has one threshold for all labels.
    guessing: Vec<Option<Least>>,
    labels: Vec<Named>,
    /// By [`EvidenceKind::index`]; where the model's own label is not used.
    kinds: [Named; EvidenceKind::ALL.len()],
    /// Of floods that are not of TCP: by UDP, and by anything else.
    floods: [Named; 2],
}

/// A label in words.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) name: Arc<str>,
    pub(super) severity: Severity,
}

/// What is raised.
pub(super) struct Raise {
    pub(super) label: Named,
    pub(super) count: f32,
    pub(super) least: f32,
}

impl Rules {
    /// Those of a model; `None` if it has no thresholds.
    pub(super) fn of(model: &Model) -> Option<Self> {
        let parts = model.evidence()?;
        let least = |kind| parts.kinds.get(&kind).copied();
        Some(Self {
            least: EvidenceKind::ALL.map(least),
            share: model.labels().iter().map(|label| parts.share.get(label).copied()).collect(),
            guessing: model.labels().iter().map(|label| parts.guessing.get(label).copied()).collect(),
            labels: model.labels().iter().map(|label| named(label)).collect(),
            kinds: EvidenceKind::ALL.map(|kind| named(label_of(kind))),
            floods: [named("dos.udp-flood"), named("dos")],
        })
    }

    /// What a count raises, if it does.
    pub(super) fn raise(&self, reading: &Reading) -> Option<Raise> {
        let kind = reading.subject.kind;
        let own = reading.label.map(|label| usize::from(label.0));
        let of_label = |by_label: &[Option<Least>]| own.and_then(|label| by_label.get(label).copied().flatten());
        let of_kind = || self.least.get(kind.index()).copied().flatten();
        let Least { least, lean, .. } = match kind {
            EvidenceKind::Share => of_label(&self.share),
            EvidenceKind::Guessing => of_label(&self.guessing).or_else(of_kind),
            _ => of_kind(),
        }?;
        let count = reading.value(lean);
        if count < least {
            return None;
        }
        let label = match kind {
            EvidenceKind::Share | EvidenceKind::Guessing => own.and_then(|label| self.labels.get(label)),
            EvidenceKind::Flood => match reading.subject.protocol {
                Some(protocol::TCP) => None,
                Some(protocol::UDP) => self.floods.first(),
                _ => self.floods.last(),
            },
            _ => None,
        };
        Some(Raise { label: label.or_else(|| self.kinds.get(kind.index()))?.clone(), count, least })
    }

    /// How grave a verdict's label is.
    pub(super) fn severity(&self, verdict: &Verdict) -> Severity {
        self.labels.get(usize::from(verdict.label.0)).map_or(Severity::Info, |label| label.severity)
    }
}

/// The labels of a model that say something about its verdicts here.
#[derive(Debug)]
pub(super) struct Meanings(Vec<Stage>);

impl Meanings {
    pub(super) fn of(labels: &[String]) -> Self {
        Self(labels.iter().map(|label| taxonomy::class(label).map_or(Stage::Exploit, |class| class.stage)).collect())
    }

    /// Whether a verdict is of an attack, whatever its share.
    pub(super) fn is_attack(&self, label: LabelId) -> bool {
        self.0.get(usize::from(label.0)).is_some_and(|stage| *stage != Stage::Benign)
    }

    /// Whether it is of guessing.
    pub(super) fn is_guess(&self, label: LabelId) -> bool {
        self.0.get(usize::from(label.0)) == Some(&Stage::BruteForce)
    }
}

/// What a kind of evidence is called, where the verdicts do not say it better.
const fn label_of(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Ports => "recon.port-scan",
        EvidenceKind::Hosts => "recon.host-sweep",
        EvidenceKind::Flood | EvidenceKind::Refusals => "dos.syn-flood",
        EvidenceKind::Calls => "dos.http-flood",
        EvidenceKind::Guessing => "brute-force",
        EvidenceKind::Share | EvidenceKind::Endpoints => "recon",
    }
}

fn named(label: &str) -> Named {
    let severity = taxonomy::class(label).map_or(Severity::Medium, |class| class.severity);
    Named { name: label.into(), severity }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_label_of_the_taxonomy() {
        for kind in EvidenceKind::ALL {
            assert!(taxonomy::class(label_of(kind)).is_some(), "{kind}");
        }
    }
}
