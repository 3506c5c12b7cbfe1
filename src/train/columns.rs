//! Which columns may be features: names and sets as a user gives them, and what is refused.
//!
//! A leaky column (the schema says which, and why) tells where or when a flow was seen; a model that reads it scores well on the
//! captures that it was trained on and on nothing else. Such columns need [`FeaturesSpec::allow_leaky`].

use serde::{Deserialize, Serialize};

use crate::features::FeatureId;

/// The candidate columns of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeaturesSpec {
    /// Column names, keys, and the sets `default`, `portable` and `all`; what is named twice counts once.
    pub columns: Vec<String>,
    /// Whether leaky columns may be among them.
    pub allow_leaky: bool,
}

impl Default for FeaturesSpec {
    fn default() -> Self {
        Self { columns: vec![DEFAULT.to_owned()], allow_leaky: false }
    }
}

/// Why columns cannot be features.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// No such column, and no such set.
    #[error("`{name}` is no column that a model can read: did you mean {}? docs/features.md lists them", nearest.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The columns with the most similar names, quoted.
        nearest: Vec<String>,
    },
    /// A leaky column that was not allowed.
    #[error(
        "`{column}` may not be a feature: {reason}; --allow-leaky allows it, and the report then says so on its first line"
    )]
    Leaky {
        /// The column.
        column: &'static str,
        /// Why it leaks.
        reason: &'static str,
    },
    /// Nothing to read.
    #[error("no column is left to be a feature")]
    None,
}

impl FeaturesSpec {
    /// The columns in the order in which they are named; a set's in the schema's, the default ones by their rank.
    ///
    /// The set `all` leaves leaky columns out unless they are allowed; then it holds the identity columns too.
    ///
    /// # Errors
    /// Names the first column that is not known or not allowed.
    pub fn resolve(&self) -> Result<Vec<FeatureId>, ColumnsError> {
        let mut found = Vec::new();
        for name in self.columns.iter().map(|name| name.trim()) {
            match self.set(name) {
                Some(set) => found.extend(set),
                None => found.push(FeatureId::named_or_identity(name).ok_or_else(|| unknown(name))?),
            }
        }
        let mut named = std::collections::BTreeSet::new();
        found.retain(|id| named.insert(*id));
        check(&found, self.allow_leaky)?;
        Ok(found)
    }

    /// Whether it is what nobody asked to be otherwise.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn set(&self, name: &str) -> Option<Vec<FeatureId>> {
        let all = || FeatureId::all().chain(FeatureId::identities());
        match name.to_ascii_lowercase().as_str() {
            DEFAULT => Some(default_features()),
            PORTABLE => Some(FeatureId::all().filter(|id| id.feature().portable).collect()),
            ALL => Some(all().filter(|id| self.allow_leaky || id.feature().leaky.is_none()).collect()),
            _ => None,
        }
    }
}

/// The default features, ranked on training rows: the columns that [`train`](super::train()) is given where nobody asks for others.
#[must_use]
pub fn default_features() -> Vec<FeatureId> {
    DEFAULT_FEATURES.iter().filter_map(|name| FeatureId::named(name)).collect()
}

/// Refuses what gives the capture away.
pub(super) fn check(features: &[FeatureId], allow_leaky: bool) -> Result<(), ColumnsError> {
    let leaky = features.iter().find_map(|id| Some((id.feature().column, id.feature().leaky?)));
    match leaky {
        Some((column, reason)) if !allow_leaky => Err(ColumnsError::Leaky { column, reason }),
        _ if features.is_empty() => Err(ColumnsError::None),
        _ => Ok(()),
    }
}

/// The nearest names by edits; of a column's name and key, the one that is nearer.
fn unknown(name: &str) -> ColumnsError {
    let wanted = name.to_ascii_lowercase();
    let far = |other: &str| edits(&wanted, &other.to_ascii_lowercase());
    let columns = FeatureId::all().chain(FeatureId::identities()).map(|id| id.feature());
    let columns = columns.map(|feature| (far(feature.column).min(far(feature.key)), feature.column));
    let sets = [DEFAULT, PORTABLE, ALL].into_iter().map(|set| (far(set), set));
    let mut names: Vec<(usize, &str)> = columns.chain(sets).collect();
    names.sort_by_key(|(edits, _)| *edits);
    let nearest = names.iter().take(NEAREST).map(|(_, name)| format!("`{name}`")).collect();
    ColumnsError::Unknown { name: name.chars().take(LONGEST).collect(), nearest }
}

/// Insertions, deletions and replacements from one text to another (Levenshtein 1966).
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(LONGEST).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, c) in from.chars().take(LONGEST).enumerate() {
        let mut diagonal = at;
        row[0] = at + 1;
        for (place, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *other);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[to.len()]
}

const DEFAULT: &str = "default";
const PORTABLE: &str = "portable";
const ALL: &str = "all";
/// Names that an error offers.
const NEAREST: usize = 3;
/// Characters of a name that are looked at; no column's is longer.
const LONGEST: usize = 60;

/// Ranked on training rows only; twelve kept nearly all of what more columns gave, and the last came first of 33 additions on the first half of
/// each capture (models/README.md). Leaky columns and columns that differ between meters are not among them.
const DEFAULT_FEATURES: [&str; 13] = [
    "Fwd Packet Length Std",
    "Down/Up Ratio",
    "Fwd Packet Length Mean",
    "Total Length of Fwd Packet",
    "Bwd Packet Length Max",
    "Fwd Packets/s",
    "FIN Flag Count",
    "Total Bwd packets",
    "Fwd PSH Flags",
    "SYN Flag Count",
    "Flow IAT Min",
    "Flow Bytes/s",
    "Fwd Packet Length Max",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FEATURE_COUNT;
    use crate::features::schema::IDENTITIES;

    fn spec(columns: &[&str], allow_leaky: bool) -> FeaturesSpec {
        FeaturesSpec { columns: columns.iter().map(|&name| name.to_owned()).collect(), allow_leaky }
    }

    fn columns(names: &[&str]) -> Result<Vec<&'static str>, ColumnsError> {
        Ok(spec(names, false).resolve()?.into_iter().map(|id| id.feature().column).collect())
    }

    #[test]
    fn the_default_features_are_portable_columns() {
        let features = FeaturesSpec::default().resolve().expect("allowed");
        assert_eq!(features, default_features());
        assert_eq!(features.len(), DEFAULT_FEATURES.len());
        assert!(features.iter().all(|id| id.feature().portable));
    }

    #[test]
    fn names_keys_and_sets_are_taken_in_their_order_and_once() {
        assert_eq!(
            columns(&["flow_duration", " Active Mean ", "FLOW DURATION"]),
            Ok(vec!["Flow Duration", "Active Mean"])
        );
        let some = columns(&["SYN Flag Count", "default"]).expect("allowed");
        assert_eq!((some.len(), some[0], some[1]), (13, "SYN Flag Count", DEFAULT_FEATURES[0]));
        let count = |name, leaky| spec(&[name], leaky).resolve().expect("allowed").len();
        assert_eq!((count("all", false), count("all", true)), (FEATURE_COUNT - 3, FEATURE_COUNT + IDENTITIES.len()));
        assert!(count("portable", false) < count("all", false));
    }

    #[test]
    fn columns_that_name_the_host_or_the_capture_are_refused_unless_they_are_allowed() {
        for (name, words) in [
            ("FWD Init Win Bytes", "names the host"),
            ("Bwd Init Win Bytes", "names the host"),
            ("fwd_seg_size_min", "names the host"),
            ("Src IP", "an address"),
            ("dst_ip", "an address"),
            ("Src Port", "the initiator's system"),
            ("Dst Port", "a port"),
            ("Protocol", "a protocol"),
            ("Timestamp", "a time"),
        ] {
            let error = spec(&["default", name], false).resolve().expect_err(name).to_string();
            let column = FeatureId::named_or_identity(name).expect("a column").feature().column;
            assert!(error.contains(column) && error.contains(words) && error.contains("--allow-leaky"), "{error}");
            assert_eq!(spec(&[name], true).resolve().map(|ids| ids[0].feature().column), Ok(column));
        }
        assert_eq!(columns(&[]), Err(ColumnsError::None));
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_ones() {
        for (name, nearest) in [
            ("Flow Durtion", "`Flow Duration`"),
            ("syn_flags_count", "`SYN Flag Count`"),
            ("Destination Port", "`Dst Port`"),
            ("defalt", "`default`"),
        ] {
            let error = columns(&[name]).expect_err(name).to_string();
            assert!(error.contains(name) && error.contains(nearest), "{error}");
        }
    }
}
