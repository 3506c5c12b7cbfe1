//! Averages a subflow (FEATURES.md section 3.5).

use super::schema::column::*;
use super::{FeatureVector, Profile, double};
use crate::flow::FlowState;

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState, profile: Profile) {
    let (forward, backward) = (&state.forward, &state.backward);
    // The reference counts breaks, of which it finds one a packet; n breaks make n + 1 subflows (quirk Q18).
    let subflows = match profile {
        Profile::Cic => u64::from(state.subflow_breaks),
        Profile::Standard => u64::from(state.subflow_breaks) + 1,
    };
    for (column, amount) in [
        (SUBFLOW_FWD_PACKETS, forward.packets.into()),
        (SUBFLOW_FWD_BYTES, forward.bytes),
        (SUBFLOW_BWD_PACKETS, backward.packets.into()),
        (SUBFLOW_BWD_BYTES, backward.bytes),
    ] {
        let value = match profile {
            Profile::Cic => amount.checked_div(subflows).map(double),
            Profile::Standard => Some(double(amount) / double(subflows)),
        };
        match value {
            Some(value) => row.set(column, value),
            None => row.leave_undefined(column),
        }
    }
}
