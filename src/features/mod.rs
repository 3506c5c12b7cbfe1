//! Feature columns from flow records: one schema table, one small file a feature family.
//!
//! [`Profile`] is chosen once, at construction; [`extract`] turns a [`FlowRecord`] into a [`FeatureVector`]
//! of all numeric columns. No I/O, no allocation.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod activity;
mod bulk;
mod counts;
pub mod csv;
mod gaps;
mod identity;
pub mod json;
mod lengths;
mod number;
mod profile;
mod rates;
pub mod schema;
mod subflow;
mod window;

pub use profile::{Profile, UnknownProfile};
pub use schema::{FEATURE_COUNT, FEATURES, Feature, FeatureId, Identity};

use crate::flow::FlowRecord;

/// All numeric feature columns of one flow, in schema order.
#[derive(Clone, Debug)]
pub struct FeatureVector {
    /// One value per [`FeatureId`]; in the `cic` profile some may be NaN or infinite.
    pub values: [f64; FEATURE_COUNT],
    /// Bit *i* is set where feature *i* has no value for this flow (no backward packet, one packet ...); the
    /// value is then 0, and a text format prints the bare `0` that the reference prints.
    pub undefined: u128,
}

/// Computes every feature of a flow.
#[must_use]
pub fn extract(record: &FlowRecord, profile: Profile) -> FeatureVector {
    let mut row = FeatureVector::EMPTY;
    extract_into(&mut row, record, profile);
    row
}

/// The same into a vector that was used before: all of it is written anew.
pub fn extract_into(row: &mut FeatureVector, record: &FlowRecord, profile: Profile) {
    *row = FeatureVector::EMPTY;
    let state = &record.state;
    counts::fill(row, state, profile);
    lengths::fill(row, state);
    gaps::fill(row, state, profile);
    rates::fill(row, state, profile);
    bulk::fill(row, state, profile);
    subflow::fill(row, state, profile);
    window::fill(row, state, profile);
    activity::fill(row, state, profile);
    row.set_whole(
        schema::column::TOTAL_TCP_FLOW_TIME,
        if record.tuple.protocol == crate::packet::protocol::TCP {
            (state.connection_before + state.duration()).0
        } else {
            0
        },
    );
}

impl FeatureVector {
    /// Zeros, all defined.
    pub const EMPTY: Self = Self { values: [0.0; FEATURE_COUNT], undefined: 0 };

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

    fn set(&mut self, column: usize, value: f64) {
        if let Some(cell) = self.values.get_mut(column) {
            *cell = value;
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "columns are doubles; counts and times stay below 2^53")]
    fn set_whole(&mut self, column: usize, value: i64) {
        self.set(column, value as f64);
    }

    fn set_count(&mut self, column: usize, value: u64) {
        self.set(column, double(value));
    }

    fn leave_undefined(&mut self, column: usize) {
        self.undefined |= 1 << column;
    }
}

/// A count or sum as a column's double.
#[expect(clippy::cast_precision_loss, reason = "columns are doubles; counts and sums stay below 2^53")]
const fn double(value: u64) -> f64 {
    value as f64
}
