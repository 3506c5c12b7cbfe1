//! Bulk averages of each direction (FEATURES.md section 3.4).

use super::schema::column::*;
use super::{FeatureVector, Profile, double};
use crate::flow::{BulkTotals, Direction, FlowState};

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState, profile: Profile) {
    direction(row, &state.bulks(Direction::Forward), FWD_BYTES_PER_BULK_AVG, profile);
    direction(row, &state.bulks(Direction::Backward), BWD_BYTES_PER_BULK_AVG, profile);
}

/// Bytes and packets a bulk and bytes a second in bulks, which stand in this order in the schema. The reference cuts
/// all three to integers (quirk Q18).
fn direction(row: &mut FeatureVector, bulk: &BulkTotals, first: usize, profile: Profile) {
    let whole = |value: f64| if profile == Profile::Cic { value.trunc() } else { value };
    if bulk.count > 0 {
        row.set(first, whole(double(bulk.bytes) / f64::from(bulk.count)));
        row.set(first + 1, whole(double(bulk.packets) / f64::from(bulk.count)));
    } else {
        row.leave_undefined(first);
        row.leave_undefined(first + 1);
    }
    let seconds = bulk.duration.as_secs_f64();
    if seconds == 0.0 {
        row.leave_undefined(first + 2);
    } else {
        row.set(first + 2, whole(double(bulk.bytes) / seconds));
    }
}
