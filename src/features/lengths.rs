//! Payload lengths: sums, extremes, moments, of each direction and of both (FEATURES.md section 3.2).

use super::schema::column::*;
use super::{FeatureVector, double};
use crate::flow::{DirectionState, FlowState, Moments};

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState) {
    let (forward, backward) = (&state.forward, &state.backward);
    row.set_count(TOTAL_LENGTH_OF_FWD_PACKET, forward.bytes);
    row.set_count(TOTAL_LENGTH_OF_BWD_PACKET, backward.bytes);
    direction(row, forward, FWD_PACKET_LENGTH_MAX);
    direction(row, backward, BWD_PACKET_LENGTH_MAX);

    let (packets, bytes) = (state.packets(), forward.bytes.saturating_add(backward.bytes));
    let squares = u128::from(forward.bytes_squared) + u128::from(backward.bytes_squared);
    let least = match (forward.packets, backward.packets) {
        (_, 0) => forward.length_min,
        (0, _) => backward.length_min,
        _ => forward.length_min.min(backward.length_min),
    };
    let greatest = forward.length_max.max(backward.length_max);
    if let Some(all) = Moments::new(packets, bytes.into(), squares, least.into(), greatest.into()) {
        row.set(PACKET_LENGTH_MIN, all.min);
        row.set(PACKET_LENGTH_MAX, all.max);
        row.set(PACKET_LENGTH_MEAN, all.mean);
        row.set(PACKET_LENGTH_STD, all.std);
        row.set(PACKET_LENGTH_VARIANCE, all.variance);
        row.set(AVERAGE_PACKET_SIZE, all.mean);
    }
    row.set(FWD_SEGMENT_SIZE_AVG, mean(forward));
    row.set(BWD_SEGMENT_SIZE_AVG, mean(backward));
    if forward.packets > 0 {
        row.set(DOWN_UP_RATIO, f64::from(backward.packets) / f64::from(forward.packets));
    }
}

/// Max, Min, Mean and Std of one direction, which stand in this order in the schema.
fn direction(row: &mut FeatureVector, side: &DirectionState, max: usize) {
    let columns = [max, max + 1, max + 2, max + 3];
    let moments = Moments::new(
        side.packets.into(),
        side.bytes.into(),
        side.bytes_squared.into(),
        side.length_min.into(),
        side.length_max.into(),
    );
    match moments {
        Some(Moments { mean, std, min, max, .. }) => {
            columns.into_iter().zip([max, min, mean, std]).for_each(|(column, value)| row.set(column, value));
        }
        None => columns.into_iter().for_each(|column| row.leave_undefined(column)),
    }
}

fn mean(side: &DirectionState) -> f64 {
    if side.packets == 0 { 0.0 } else { double(side.bytes) / f64::from(side.packets) }
}
