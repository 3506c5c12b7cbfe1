//! Feature columns from flow records: one schema table, one small file a feature family.
//!
//! [`Profile`] is chosen once, at construction; [`extract`] turns a [`FlowRecord`] into a [`FeatureVector`]
//! of all numeric columns. No I/O, no allocation.

mod profile;
pub mod schema;

pub use profile::{Profile, UnknownProfile};
pub use schema::{FEATURE_COUNT, FEATURES, Feature, FeatureId};

/// All numeric feature columns of one flow, in schema order.
#[derive(Clone, Debug)]
pub struct FeatureVector {
    /// One value per [`FeatureId`]; in the `cic` profile some may be NaN or infinite.
    pub values: [f64; FEATURE_COUNT],
    /// Bit *i* is set where feature *i* has no value for this flow (no backward packet, one packet ...); the
    /// value is then 0, and a text format prints the bare `0` that the reference prints.
    pub undefined: u128,
}

impl FeatureVector {
    /// The value of one feature.
    #[must_use]
    pub fn get(&self, id: FeatureId) -> f64 {
        self.values.get(id.index()).copied().unwrap_or(f64::NAN)
    }

    /// Whether the feature has no value for this flow.
    #[must_use]
    pub const fn is_undefined(&self, id: FeatureId) -> bool {
        self.undefined >> id.index() & 1 == 1
    }
}
