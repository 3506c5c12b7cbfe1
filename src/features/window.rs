//! Initial TCP windows (quirk Q7). They name hosts rather than behaviour: never a feature of a default model.

use super::schema::column::*;
use super::{FeatureVector, Profile};
use crate::flow::{Direction, DirectionState, FlowState};
use crate::packet::TcpFlags;

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState, profile: Profile) {
    let (forward, backward) = match profile {
        Profile::Cic => {
            let begins = state.first.direction == Direction::Forward;
            (if begins { state.forward.first_window.into() } else { 0 }, state.backward.last_window.into())
        }
        Profile::Standard => (initial(&state.forward), initial(&state.backward)),
    };
    row.set_whole(FWD_INIT_WIN_BYTES, forward);
    row.set_whole(BWD_INIT_WIN_BYTES, backward);
}

/// The window of a direction's first packet if that is a SYN, else −1.
fn initial(side: &DirectionState) -> i64 {
    if side.first_flags.has(TcpFlags::SYN) { side.first_window.into() } else { -1 }
}
