//! What changed between two models, by the parts of their artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::{
    EngineParts, EvidenceParts, KnnParts, Least, LinearParts, MapParts, Model, ModelParts, ScalingParts, SpreadParts,
    TransformParts,
};

/// All that differs, in the order of an artifact's parts; empty for the same artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The changes.
    pub changes: Vec<Change>,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What: a part, or one entry of it.
    pub what: String,
    /// In the first model; `None` if it has none.
    pub before: Option<String>,
    /// In the second model.
    pub after: Option<String>,
}

impl Diff {
    /// From one model to another.
    #[must_use]
    pub fn between(before: &Model, after: &Model) -> Self {
        let mut diff = Self::default();
        let (a, b) = (before.parts(), after.parts());
        diff.value("SHA-256", before.sha256(), after.sha256());
        diff.value("name", &a.name, &b.name);
        diff.value("version", &a.version, &b.version);
        diff.value("engine", before.engine(), after.engine());
        diff.value("engine's settings", settings(&a.engine), settings(&b.engine));
        diff.value("made from", parent(a), parent(b));
        diff.value("profile", &a.profile, &b.profile);
        diff.value("portable columns only", a.portable_only, b.portable_only);
        diff.value("trained on", &a.provenance.trained_on, &b.provenance.trained_on);
        diff.value("training rows SHA-256", &a.provenance.data_sha256, &b.provenance.data_sha256);
        diff.value("seed", a.provenance.seed, b.provenance.seed);
        diff.value("created by", &a.provenance.created_by, &b.provenance.created_by);
        let leaky = |parts: &ModelParts| match parts.provenance.leaky.as_slice() {
            [] => "none".to_owned(),
            some => some.join(", "),
        };
        diff.value("leaky columns", leaky(a), leaky(b));
        diff.map("training flows of", &a.provenance.rows, &b.provenance.rows);
        let places = |features: &[String]| (1..).zip(features).map(|(at, name)| (name.clone(), at)).collect();
        let (places_before, places_after): (BTreeMap<_, u32>, BTreeMap<_, u32>) =
            (places(&a.features), places(&b.features));
        diff.map("place of feature", &places_before, &places_after);
        diff.value("scaling", a.transform.scaling.name(), b.transform.scaling.name());
        let maps = |parts: &ModelParts| parts.features.iter().cloned().zip(parts.transform.told()).collect();
        diff.map("transform of", &maps(a), &maps(b));
        diff.map("points of", &points(before), &points(after));
        let thresholds = |model: &Model| -> BTreeMap<String, f32> {
            model.labels().iter().cloned().zip(model.parts().alert_thresholds.iter().copied()).collect()
        };
        diff.map("alert threshold of", &thresholds(before), &thresholds(after));
        diff.value("novelty threshold", a.novelty.threshold, b.novelty.threshold);
        let incidents = |parts: &ModelParts, of: fn(&Least) -> f32| -> BTreeMap<String, f32> {
            let told = parts.evidence.iter().flat_map(EvidenceParts::told);
            told.map(|(name, least)| (name, of(least))).collect()
        };
        diff.map("incident from", &incidents(a, |least| least.least), &incidents(b, |least| least.least));
        diff.map("lean of", &incidents(a, |least| least.lean), &incidents(b, |least| least.lean));
        let spreads = |parts: &ModelParts| -> BTreeMap<String, String> {
            let told = |spread: &SpreadParts| format!("{:?} of {:?}", spread.shares, spread.bounds);
            parts.features.iter().cloned().zip(parts.spread.iter().flatten().map(told)).collect()
        };
        diff.map("spread of", &spreads(a), &spreads(b));
        let pipeline = |parts: &ModelParts| parts.pipeline.as_ref().map_or_else(String::new, ToString::to_string);
        diff.value("pipeline", pipeline(a), pipeline(b));
        diff.map("figure", &a.metrics, &b.metrics);
        diff
    }

    fn value<T: PartialEq + fmt::Display>(&mut self, what: &str, before: T, after: T) {
        if before != after {
            let (before, after) = (Some(before.to_string()), Some(after.to_string()));
            self.changes.push(Change { what: what.to_owned(), before, after });
        }
    }

    fn map<T: PartialEq + fmt::Display>(
        &mut self,
        what: &str,
        before: &BTreeMap<String, T>,
        after: &BTreeMap<String, T>,
    ) {
        let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (before, after) = (before.get(name), after.get(name));
            if before != after {
                let text = |value: Option<&T>| value.map(ToString::to_string);
                self.changes.push(Change { what: format!("{what} {name}"), before: text(before), after: text(after) });
            }
        }
    }
}

/// The engine's settings without what it was fitted to.
fn settings(engine: &EngineParts) -> String {
    match engine {
        EngineParts::Knn(KnnParts { k, metric, weighting, kept, .. }) => {
            format!("k = {k}, {} distance, {} weights, {}", metric.name(), weighting.name(), kept.name())
        }
        EngineParts::Forest(trees) => format!("{} trees", trees.len()),
        EngineParts::Tree(_) | EngineParts::Majority(_) => String::new(),
    }
}

fn parent(parts: &ModelParts) -> String {
    parts.parent.as_ref().map_or_else(String::new, |parent| format!("{} {}", parent.name, parent.version))
}

/// Of each label, how many points or leaves there are and a fingerprint of what the engine holds for it; of the novelty
/// reference, if it stands apart, the same.
fn points(model: &Model) -> BTreeMap<String, String> {
    let parts = model.parts();
    let of_label = |label: u16| match &parts.engine {
        EngineParts::Knn(knn) => {
            let own = knn.points.iter().zip(&knn.point_labels).filter(|(_, of)| **of == label);
            told(own.map(|(point, _)| point))
        }
        EngineParts::Tree(_) | EngineParts::Forest(_) | EngineParts::Majority(_) => {
            // Trees are not divided by label: a change anywhere shows in every label's fingerprint.
            let bytes = serde_json::to_vec(&parts.engine).unwrap_or_default();
            format!("{} ({})", parts.engine.size_of(label), fingerprint(&bytes))
        }
    };
    let labels = (0..).zip(&parts.labels).map(|(label, name)| (name.clone(), of_label(label)));
    let apart = parts.novelty.reference.iter();
    let apart = apart.map(|reference| ("the novelty reference".to_owned(), told(&reference.points)));
    labels.chain(apart).collect()
}

fn told<'p>(points: impl IntoIterator<Item = &'p Vec<f32>>) -> String {
    let points: Vec<_> = points.into_iter().collect();
    let bytes: Vec<_> = points.iter().flat_map(|point| point.iter()).flat_map(|x| x.to_le_bytes()).collect();
    format!("{} ({})", points.len(), fingerprint(&bytes))
}

fn fingerprint(bytes: &[u8]) -> String {
    super::sha256_hex(bytes).chars().take(8).collect()
}

impl ScalingParts {
    const fn name(&self) -> &'static str {
        match self {
            Self::Quantile(_) => "quantile",
            Self::Standard(_) => "standard",
            Self::Robust(_) => "robust",
            Self::SignedLog(_) => "signed-log",
        }
    }
}

impl TransformParts {
    /// Each feature's map in a few words.
    fn told(&self) -> Vec<String> {
        let quantile = |map: &MapParts| {
            let ends = map.knots.first().zip(map.knots.last());
            let (least, greatest) = ends.map_or((0.0, 0.0), |(a, b)| (*a, *b));
            let bytes = map.knots.iter().chain(&map.levels).flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
            format!("{least} to {greatest}, {} knots ({})", map.knots.len(), fingerprint(&bytes))
        };
        let linear = |maps: &[LinearParts]| -> Vec<String> {
            maps.iter().map(|LinearParts { centre, scale }| format!("(x - {centre}) / {scale}")).collect()
        };
        let maps = match &self.scaling {
            ScalingParts::Quantile(maps) => maps.iter().map(quantile).collect(),
            ScalingParts::Standard(maps) | ScalingParts::Robust(maps) | ScalingParts::SignedLog(maps) => linear(maps),
        };
        let with_fill =
            |(map, fill): (String, &f64)| if *fill == 0.0 { map } else { format!("{map}, missing as {fill}") };
        maps.into_iter().zip(&self.fill).map(with_fill).collect()
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return writeln!(f, "the same model");
        }
        for Change { what, before, after } in &self.changes {
            let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
            writeln!(f, "{what}: {} -> {}", side(before), side(after))?;
        }
        Ok(())
    }
}
