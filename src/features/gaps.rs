//! Inter-arrival times, of the flow and of each direction (FEATURES.md section 3.3).

use super::schema::column::*;
use super::{FeatureVector, Profile};
use crate::flow::{DirectionState, FlowState, GapStats, Moments};

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState, profile: Profile) {
    let of_flow = [FLOW_IAT_MEAN, FLOW_IAT_STD, FLOW_IAT_MAX, FLOW_IAT_MIN];
    match moments(state.packets(), state.duration().0, &state.gaps) {
        Some(gaps) => set(row, of_flow, &gaps),
        // Quirk Q19: the reference prints NaN for one packet.
        None if profile == Profile::Cic => of_flow.into_iter().for_each(|column| row.set(column, f64::NAN)),
        None => of_flow.into_iter().for_each(|column| row.leave_undefined(column)),
    }
    direction(row, &state.forward, FWD_IAT_TOTAL);
    direction(row, &state.backward, BWD_IAT_TOTAL);
}

/// Total, Mean, Std, Max and Min of one direction, which stand in this order in the schema.
fn direction(row: &mut FeatureVector, side: &DirectionState, total: usize) {
    let columns = [total + 1, total + 2, total + 3, total + 4];
    let sum = (side.last - side.first).0;
    match moments(side.packets.into(), sum, &side.gaps) {
        Some(gaps) => {
            row.set_whole(total, sum);
            set(row, columns, &gaps);
        }
        None => {
            row.leave_undefined(total);
            columns.into_iter().for_each(|column| row.leave_undefined(column));
        }
    }
}

/// The moments of the gaps between `packets` packets, which add up to `sum`; `None` below two packets.
fn moments(packets: u64, sum: i64, gaps: &GapStats) -> Option<Moments> {
    #[expect(clippy::cast_precision_loss, reason = "columns are doubles")]
    let (min, max) = (gaps.min as f64, gaps.max as f64);
    Moments::new(packets.saturating_sub(1), sum.into(), gaps.squares(), min, max)
}

fn set(row: &mut FeatureVector, columns: [usize; 4], gaps: &Moments) {
    columns
        .into_iter()
        .zip([gaps.mean, gaps.std, gaps.max, gaps.min])
        .for_each(|(column, value)| row.set(column, value));
}
