//! Active periods and idle gaps (FEATURES.md section 3.6).

use super::schema::column::*;
use super::{FeatureVector, Profile};
use crate::flow::{Activity, FlowState, RunningStats};
use crate::time::Micros;

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState, profile: Profile) {
    let Activity { mut active, idle } = state.activity();
    // The reference never closes the last active period (quirk Q17). No packet ends the trailing idle time, so neither
    // profile counts that.
    let open = state.last - state.active_since;
    if profile == Profile::Standard && open > Micros::ZERO {
        active.add(open.0.unsigned_abs());
    }
    series(row, &active, ACTIVE_MEAN);
    series(row, &idle, IDLE_MEAN);
}

/// Mean, Std, Max and Min of one series, which stand in this order in the schema.
fn series(row: &mut FeatureVector, stats: &RunningStats, mean: usize) {
    let columns = [mean, mean + 1, mean + 2, mean + 3];
    match stats.moments() {
        Some(m) => {
            columns.into_iter().zip([m.mean, m.std, m.max, m.min]).for_each(|(column, value)| row.set(column, value))
        }
        None => columns.into_iter().for_each(|column| row.leave_undefined(column)),
    }
}
