//! Duration, packet counts, flags, header lengths.

use super::schema::column::*;
use super::{FeatureVector, Profile};
use crate::flow::{Direction, FlowState};
use crate::packet::TcpFlags;

pub(super) fn fill(row: &mut FeatureVector, state: &FlowState, profile: Profile) {
    let (forward, backward) = (&state.forward, &state.backward);
    row.set_whole(FLOW_DURATION, state.duration().0);
    row.set_count(TOTAL_FWD_PACKET, forward.packets.into());
    row.set_count(TOTAL_BWD_PACKETS, backward.packets.into());
    row.set_count(FWD_PSH_FLAGS, forward.psh.into());
    row.set_count(BWD_PSH_FLAGS, backward.psh.into());
    row.set_count(FWD_URG_FLAGS, forward.urg.into());
    row.set_count(BWD_URG_FLAGS, backward.urg.into());
    row.set_count(FWD_HEADER_LENGTH, forward.header_bytes);
    row.set_count(BWD_HEADER_LENGTH, backward.header_bytes);
    row.set_count(FIN_FLAG_COUNT, state.flags.fin.into());
    row.set_count(SYN_FLAG_COUNT, state.flags.syn.into());
    row.set_count(RST_FLAG_COUNT, u64::from(forward.rst) + u64::from(backward.rst));
    row.set_count(PSH_FLAG_COUNT, u64::from(forward.psh) + u64::from(backward.psh));
    row.set_count(ACK_FLAG_COUNT, state.flags.ack.into());
    row.set_count(URG_FLAG_COUNT, u64::from(forward.urg) + u64::from(backward.urg));
    row.set_count(CWR_FLAG_COUNT, state.flags.cwr.into());
    row.set_count(ECE_FLAG_COUNT, state.flags.ece.into());

    // The reference leaves the first packet of the flow out of three counts (quirk Q20).
    let first = &state.first;
    let left_out = |direction: Direction, counted: bool| {
        u64::from(profile == Profile::Cic && first.direction == direction && counted)
    };
    let reset = first.flags.has(TcpFlags::RST);
    row.set_count(FWD_RST_FLAGS, u64::from(forward.rst) - left_out(Direction::Forward, reset));
    row.set_count(BWD_RST_FLAGS, u64::from(backward.rst) - left_out(Direction::Backward, reset));
    let data = u64::from(forward.data_packets) - left_out(Direction::Forward, first.has_payload);
    row.set_count(FWD_ACT_DATA_PKTS, data);

    // It also finds no least header where the first packet came from the other side (quirk Q4).
    let hidden = profile == Profile::Cic && first.direction == Direction::Backward;
    row.set_count(FWD_SEG_SIZE_MIN, if hidden { 0 } else { forward.header_min.into() });
}
