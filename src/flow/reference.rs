//! The reference lifecycle of flows: FEATURES.md section 2.4, DATASET reading. Nothing ends by time.

use super::key::FiveTuple;
use super::record::{EndReason, FlowEvent};
use super::table::{FlowTable, Opening, Sighting, TableFull};
use super::tcp::Sequences;
use crate::packet::{TcpFlags, protocol};

impl FlowTable {
    /// A packet of the live flow in slot `id`.
    pub(super) fn reference_packet(&mut self, id: u32, sighting: &Sighting, out: &mut impl FnMut(FlowEvent<'_>)) {
        let packet = &sighting.packet;
        let active_timeout = self.policy.active_timeout;
        let Some(slot) = self.slots.get_mut(id) else { return };
        let is_syn = packet.flags.has(TcpFlags::SYN);
        let reopened = slot.closing.is_ready() && is_syn;
        let expired = packet.time - slot.record.state.start > active_timeout;
        if !reopened && !expired {
            let direction = self.policy.direction(packet, &slot.record.tuple);
            slot.closing.observe(packet.flags, direction);
            slot.record.state.update(packet, direction, &self.policy);
            return;
        }
        let fresh = (reopened && !packet.flags.has(TcpFlags::ACK)) || packet.protocol != protocol::TCP;
        let reason = if reopened { EndReason::EndOfFlow } else { EndReason::ActiveTimeout };
        // Only TCP has a connection time (section 2.6), and only a continuation inherits it.
        let continues = (!fresh).then(|| slot.continuation(u32::from(!reopened)));
        let tuple = if fresh { FiveTuple::of(packet) } else { slot.record.tuple };
        let stored_reversed = tuple != slot.record.stored_as();
        self.end(id, reason, sighting.clock, out);
        self.open(Opening { tuple, stored_reversed, sequences: Sequences::NONE, continues }, sighting);
    }

    /// A packet of no live flow.
    pub(super) fn reference_new(&mut self, sighting: &Sighting) -> Result<(), TableFull> {
        if self.active() >= self.max_flows {
            return Err(TableFull { max_flows: self.max_flows });
        }
        let tuple = FiveTuple::of(&sighting.packet);
        self.open(Opening { tuple, stored_reversed: false, sequences: Sequences::NONE, continues: None }, sighting);
        Ok(())
    }
}
