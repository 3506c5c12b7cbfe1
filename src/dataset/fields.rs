//! The names of one flow's values, for rows that bring their names along, as the prediction service gets them.
//!
//! A name means what it means as a column of a file, by the same table; what a table finds once is looked up for each row
//! here, without an allocation.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::aliases::{Family, Mark, Meaning, all_names};
use crate::features::FeatureId;

/// Every known name, with the place of its value in a row.
#[derive(Debug)]
pub struct FieldNames {
    features: Vec<FeatureId>,
    names: HashMap<Box<[u8]>, FieldName, FixedState>,
}

/// A known name.
#[derive(Clone, Copy, Debug)]
pub struct FieldName {
    mark: Mark,
    /// In the order of [`FAMILIES`]; `None` for a column that is not among the features.
    places: [Option<u16>; FAMILIES.len()],
}

/// Whose names a row's are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Naming(Family);

impl FieldNames {
    /// The names of these features, and of everything else that a meter writes of a flow.
    #[must_use]
    pub fn new(features: &[FeatureId]) -> Self {
        let place = |family: Family, name: &str| {
            let id = family.column(name)?;
            features.iter().position(|held| *held == id).and_then(|place| u16::try_from(place).ok())
        };
        let name = |name: &str| {
            let places = FAMILIES.map(|family| place(family, name));
            (name.to_ascii_lowercase().into_bytes().into_boxed_slice(), FieldName { mark: Mark::of(name), places })
        };
        Self { features: features.to_vec(), names: all_names().chain(BESIDE).map(name).collect() }
    }

    /// The features, in the order of their places.
    #[must_use]
    pub fn features(&self) -> &[FeatureId] {
        &self.features
    }

    /// A known name, without regard to case and surrounding blanks; also of a column that is not asked for.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<FieldName> {
        let name = name.trim().as_bytes();
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.names.get(&*lower).copied()
    }

    /// Whose names a row's are, by all of them.
    #[must_use]
    pub fn naming(names: impl Iterator<Item = FieldName>) -> Naming {
        Naming(Family::of_marks(names.map(|name| name.mark)))
    }

    /// What a row of these names means by the feature at a place: nothing to say, a difference to be told, or an error, why it
    /// is another number.
    ///
    /// # Errors
    /// The reason.
    pub fn meaning(&self, place: usize, naming: Naming) -> Result<Option<&'static str>, &'static str> {
        match self.features.get(place).map(|feature| naming.0.meaning(*feature)) {
            Some(Meaning::Other(why)) => Err(why),
            Some(Meaning::Differs(how)) => Ok(Some(how)),
            Some(Meaning::Same) | None => Ok(None),
        }
    }
}

impl FieldName {
    /// Where its value stands in a row; `None` for a column that is not asked for.
    #[must_use]
    pub fn place(self, naming: Naming) -> Option<usize> {
        let family = FAMILIES.iter().position(|family| *family == naming.0)?;
        self.places.get(family).copied().flatten().map(usize::from)
    }
}

const FAMILIES: [Family; 3] = [Family::Reference, Family::Older, Family::Python];
/// No known name is longer.
const LONGEST: usize = 64;
/// What stands beside features in our files and in published ones.
const BESIDE: [&str; 18] = [
    "Flow ID",
    "Label",
    "LabelFlow",
    "Scenario",
    "Fwd Header Length.1",
    "Fwd Header Len.1",
    "flow_id",
    "flow_key",
    "part",
    "out_of_order_packets",
    "end",
    "end_reason",
    "profile",
    "community_id",
    "score",
    "novelty",
    "novel",
    "label_source",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn places(features: &[&str], names: &[&str]) -> Vec<Option<Option<usize>>> {
        let features: Vec<_> = features.iter().filter_map(|name| FeatureId::named(name)).collect();
        let fields = FieldNames::new(&features);
        let found: Vec<_> = names.iter().map(|name| fields.find(name)).collect();
        let naming = FieldNames::naming(found.iter().flatten().copied());
        found.into_iter().map(|found| found.map(|found| found.place(naming))).collect()
    }

    #[test]
    fn a_name_leads_to_its_place_under_every_alias() {
        let features = ["Total Fwd Packet", "Down/Up Ratio"];
        for name in ["Total Fwd Packet", " total_fwd_packet", "TOTAL FWD PACKETS", "Tot Fwd Pkts", "tot_fwd_pkts"] {
            assert_eq!(places(&features, &[name, "down_up_ratio"]), [Some(Some(0)), Some(Some(1))], "{name}");
        }
        let others = ["Flow ID", "Src IP", "label", "Flow Duration", "no such column", &"x".repeat(LONGEST + 1)];
        assert_eq!(places(&features, &others), [Some(None), Some(None), Some(None), Some(None), None, None]);
    }

    #[test]
    fn meanings_go_by_all_names_of_the_row() {
        let ratio = FeatureId::named("Down/Up Ratio").expect("a column");
        let length = FeatureId::named("Fwd Packet Length Max").expect("a column");
        let fields = FieldNames::new(&[ratio, length]);
        let meaning = |names: &[&str], place| {
            let found = names.iter().filter_map(|name| fields.find(name));
            fields.meaning(place, FieldNames::naming(found))
        };
        assert_eq!(meaning(&["Down/Up Ratio"], 0), Ok(None));
        assert!(meaning(&["Down/Up Ratio", "Tot Fwd Pkts"], 0).is_ok_and(|told| told.is_some()));
        assert!(meaning(&["fwd_pkt_len_max", "down_up_ratio"], 1).is_err());
        assert_eq!(meaning(&["fwd_pkt_len_max", "down_up_ratio"], 0), Ok(None));
    }

    #[test]
    fn every_known_name_fits() {
        assert!(all_names().chain(BESIDE).all(|name| name.len() <= LONGEST));
    }
}
