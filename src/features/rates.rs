//! Bytes and packets per second of the flow's duration.

use super::schema::column::*;
use super::{FeatureVector, Profile, double};
use crate::flow::FlowState;

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState, profile: Profile) {
    let seconds = state.duration().as_secs_f64();
    let bytes = double(state.forward.bytes.saturating_add(state.backward.bytes));
    for (column, amount) in [(FLOW_BYTES_PER_SECOND, bytes), (FLOW_PACKETS_PER_SECOND, double(state.packets()))] {
        // Quirk Q19: the reference divides by a zero duration, so ∞, or NaN for 0 / 0.
        if seconds != 0.0 || profile == Profile::Cic {
            row.set(column, amount / seconds);
        } else {
            row.leave_undefined(column);
        }
    }
    if seconds > 0.0 {
        row.set(FWD_PACKETS_PER_SECOND, f64::from(state.forward.packets) / seconds);
        row.set(BWD_PACKETS_PER_SECOND, f64::from(state.backward.packets) / seconds);
    }
}
