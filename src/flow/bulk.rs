//! Bulk transfers of one direction: four or more payload packets without a pause or an answer.
//!
//! FEATURES.md section 3.4. Both profiles keep the same state; they differ in how the averages are printed.

use crate::time::Micros;

/// Payload packets that make a run a bulk.
const BULK_PACKETS: u32 = 4;

/// The bulk state of one direction.
#[derive(Clone, Debug, Default)]
pub struct BulkState {
    /// Start of the run, 0 when there is none (the reference's own sentinel).
    start: Micros,
    /// Last payload packet of this direction, bulk or not; 0 before the first.
    last: Micros,
    run_packets: u32,
    run_bytes: u64,
    /// Bulks seen.
    pub count: u32,
    /// Packets in bulks.
    pub packets: u64,
    /// Payload bytes in bulks.
    pub bytes: u64,
    /// Time in bulks, µs.
    pub duration: Micros,
}

impl BulkState {
    /// One packet of this direction; `other_last` is the other direction's [`BulkState::last_payload`].
    pub fn observe(&mut self, time: Micros, payload: u32, other_last: Micros, gap: Micros) {
        if other_last > self.start {
            self.start = Micros::ZERO;
        }
        if payload == 0 {
            return;
        }
        let payload = u64::from(payload);
        if self.start == Micros::ZERO || time - self.last > gap {
            self.start = time;
            self.run_packets = 1;
            self.run_bytes = payload;
        } else {
            self.run_packets = self.run_packets.saturating_add(1);
            self.run_bytes = self.run_bytes.saturating_add(payload);
            if self.run_packets == BULK_PACKETS {
                self.count = self.count.saturating_add(1);
                self.packets = self.packets.saturating_add(u64::from(BULK_PACKETS));
                self.bytes = self.bytes.saturating_add(self.run_bytes);
                self.duration = self.duration + (time - self.start);
            } else if self.run_packets > BULK_PACKETS {
                self.packets = self.packets.saturating_add(1);
                self.bytes = self.bytes.saturating_add(payload);
                self.duration = self.duration + (time - self.last);
            }
        }
        self.last = time;
    }

    /// Time of this direction's last payload packet, 0 before the first.
    #[must_use]
    pub const fn last_payload(&self) -> Micros {
        self.last
    }
}
