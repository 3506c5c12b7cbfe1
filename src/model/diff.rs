//! What changed between two models, by the parts of their artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::Model;

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
        diff.value("k", a.k, b.k);
        diff.value("profile", &a.profile, &b.profile);
        diff.value("portable columns only", a.portable_only, b.portable_only);
        diff.value("trained on", &a.provenance.trained_on, &b.provenance.trained_on);
        diff.value("training rows SHA-256", &a.provenance.data_sha256, &b.provenance.data_sha256);
        diff.value("seed", a.provenance.seed, b.provenance.seed);
        diff.value("created by", &a.provenance.created_by, &b.provenance.created_by);
        let leaky = |parts: &super::ModelParts| match parts.provenance.leaky.as_slice() {
            [] => "none".to_owned(),
            some => some.join(", "),
        };
        diff.value("leaky columns", leaky(a), leaky(b));
        diff.map("training flows of", &a.provenance.rows, &b.provenance.rows);
        let places = |features: &[String]| (1..).zip(features).map(|(at, name)| (name.clone(), at)).collect();
        let (places_before, places_after): (BTreeMap<_, u32>, BTreeMap<_, u32>) =
            (places(&a.features), places(&b.features));
        diff.map("place of feature", &places_before, &places_after);
        let maps = |model: &Model| -> BTreeMap<String, String> {
            let parts = model.parts();
            let told = |map: &super::MapParts| {
                let ends = map.knots.first().zip(map.knots.last());
                let (least, greatest) = ends.map_or((0.0, 0.0), |(a, b)| (*a, *b));
                let bytes = map.knots.iter().chain(&map.levels).flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
                let hash = super::sha256_hex(&bytes);
                format!("{least} to {greatest}, {} knots ({})", map.knots.len(), hash.get(..8).unwrap_or_default())
            };
            parts.features.iter().cloned().zip(parts.transform.iter().map(told)).collect()
        };
        diff.map("transform of", &maps(before), &maps(after));
        diff.map("points of", &points(before), &points(after));
        let thresholds = |model: &Model| -> BTreeMap<String, f32> {
            model.labels().iter().cloned().zip(model.parts().alert_thresholds.iter().copied()).collect()
        };
        diff.map("alert threshold of", &thresholds(before), &thresholds(after));
        diff.value("novelty threshold", a.novelty_threshold, b.novelty_threshold);
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

/// Of each label, how many points there are and a fingerprint of where they stand.
fn points(model: &Model) -> BTreeMap<String, String> {
    let parts = model.parts();
    let of_label = |label: u16| {
        let own = parts.points.iter().zip(&parts.point_labels).filter(|(_, of)| **of == label);
        let own: Vec<_> = own.map(|(point, _)| point).collect();
        let bytes: Vec<_> = own.iter().flat_map(|point| point.iter()).flat_map(|x| x.to_le_bytes()).collect();
        format!("{} ({})", own.len(), super::sha256_hex(&bytes).get(..8).unwrap_or_default())
    };
    (0..).zip(&parts.labels).map(|(label, name)| (name.clone(), of_label(label))).collect()
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
