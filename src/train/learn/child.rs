//! The new version: the parent's parts with what was learnt, and the parent's name in it.
//!
//! With [`surface`](super::surface) the only place that knows how an artifact is made.

use std::collections::BTreeMap;

use super::surface::Surface;
use crate::model::{ArtifactError, EngineParts, Model, Parent, SpreadParts};

/// What a model learnt, for its provenance.
#[derive(Clone, Debug)]
pub(super) struct Lesson<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) seed: u64,
    /// Where the flows came from: see [`source`].
    pub(super) source: String,
    /// Flows that were learnt, by label.
    pub(super) rows: BTreeMap<u16, u64>,
    pub(super) data_sha256: String,
    pub(super) novelty_threshold: f32,
    /// How the benign flows that were learnt are spread, where there are enough of them: they are the cluster's own.
    pub(super) spread: Option<Vec<SpreadParts>>,
    pub(super) metrics: BTreeMap<String, f64>,
}

/// The parent with other points, thresholds and provenance.
pub(super) fn child(parent: &Model, surface: &Surface, lesson: Lesson<'_>) -> Result<Model, ArtifactError> {
    let mut parts = parent.parts().clone();
    let learnt: u64 = lesson.rows.values().sum();
    for (label, rows) in &lesson.rows {
        if let Some(name) = parts.labels.get(usize::from(*label)) {
            *parts.provenance.rows.entry(name.clone()).or_default() += rows;
        }
    }
    let told = format!("{learnt} flows of {} learnt on {}", lesson.source, parent.trained_on());
    parts.parent = Some(Parent {
        name: parent.name().to_owned(),
        version: parent.version().to_owned(),
        sha256: parent.sha256().to_owned(),
    });
    parts.name = lesson.name.unwrap_or_else(|| parent.name()).to_owned();
    parts.version = lesson.version.map_or_else(|| next_version(parent.version()), str::to_owned);
    if let EngineParts::Knn(knn) = &mut parts.engine {
        knn.points.clone_from(&surface.points);
        knn.point_labels.clone_from(&surface.labels);
    }
    parts.alert_thresholds.clone_from(&surface.thresholds);
    parts.novelty.threshold = lesson.novelty_threshold;
    parts.spread = lesson.spread.or(parts.spread);
    parts.provenance.trained_on = cut(&told, LINE);
    parts.provenance.data_sha256 = lesson.data_sha256;
    parts.provenance.seed = lesson.seed;
    parts.provenance.created_by = concat!("flowshrike ", env!("CARGO_PKG_VERSION")).to_owned();
    parts.metrics = inherited(&parts.metrics).chain(lesson.metrics).collect();
    Model::from_parts(&parts)
}

/// Captures in a few words.
pub(super) fn source(captures: &[String]) -> String {
    let first = captures.first().map_or("no capture", String::as_str);
    match captures.len().saturating_sub(1) {
        0 => cut(first, WORDS),
        more => format!("{} and {more} more", cut(first, WORDS)),
    }
}

/// At most so many bytes of a text, and none that an artifact's texts may not hold.
fn cut(text: &str, most: usize) -> String {
    let mut out = String::new();
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if out.len() + letter.len_utf8() > most {
            break;
        }
        out.push(letter);
    }
    out
}

/// The parent's figures under names that say whose they are: they were not measured on this model.
fn inherited(metrics: &BTreeMap<String, f64>) -> impl Iterator<Item = (String, f64)> + '_ {
    let own = metrics.iter().filter(|(name, _)| !name.starts_with(LEARNT));
    own.map(|(name, value)| (if name.starts_with(PARENT) { name.clone() } else { format!("{PARENT}{name}") }, *value))
}

/// `1` becomes `1+learn.1`, and that `1+learn.2`; other build metadata stays in front.
fn next_version(version: &str) -> String {
    next(version, "learn")
}

/// The same by another word.
pub(in crate::train) fn next(version: &str, word: &str) -> String {
    if let Some((before, number)) = version.rsplit_once(&format!("{word}."))
        && before.ends_with(['+', '.'])
        && let Ok(number) = number.parse::<u32>()
        && let Some(next) = number.checked_add(1)
    {
        return format!("{before}{word}.{next}");
    }
    format!("{version}{}{word}.1", if version.contains('+') { '.' } else { '+' })
}

/// Bytes of a capture's name in the line of provenance.
const WORDS: usize = 60;
/// Bytes of that line: what an artifact's texts may have.
const LINE: usize = 256;
/// Figures of the held-back part.
pub(super) const LEARNT: &str = "learn.";
/// Figures that an ancestor was measured by.
const PARENT: &str = "parent.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_what_was_learnt() {
        for (version, next) in [
            ("1", "1+learn.1"),
            ("1+learn.1", "1+learn.2"),
            ("1+learn.9", "1+learn.10"),
            ("2.0+site", "2.0+site.learn.1"),
            ("2.0+site.learn.4", "2.0+site.learn.5"),
            ("unlearn.3", "unlearn.3+learn.1"),
            ("1+learn.x", "1+learn.x.learn.1"),
        ] {
            assert_eq!(next_version(version), next);
        }
    }
}
