//! Bulk transfers of one direction: four or more payload packets without a pause or an answer.
//!
//! FEATURES.md section 3.4. Both profiles keep the same state; they differ in how the averages are printed. The open
//! run is asked by every packet, the totals grow only inside a bulk: they are two types, so that a flow can keep them apart.

use crate::time::Micros;

/// Payload packets that make a run a bulk.
const BULK_PACKETS: u8 = 4;

/// The open run of payload packets of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct BulkRun {
    /// Start of the run, 0 when there is none (the reference's own sentinel).
    start: Micros,
    /// Last payload packet of this direction, bulk or not; 0 before the first.
    last: Micros,
    /// Payload bytes of the run, up to the packet that makes it a bulk.
    bytes: u32,
    /// Packets of the run, counted to one beyond [`BULK_PACKETS`].
    packets: u8,
}

/// All bulks of one direction; also what one packet adds to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BulkTotals {
    /// Bulks seen.
    pub count: u32,
    /// Packets in bulks.
    pub packets: u64,
    /// Payload bytes in bulks.
    pub bytes: u64,
    /// Time in bulks, µs.
    pub duration: Micros,
}

impl BulkRun {
    /// One packet of this direction; `other_last` is the other direction's [`BulkRun::last_payload`]. Gives what the
    /// packet adds to the bulks, if it stands in one.
    pub(super) fn observe(
        &mut self,
        time: Micros,
        payload: u32,
        other_last: Micros,
        gap: Micros,
    ) -> Option<BulkTotals> {
        if other_last > self.start {
            self.start = Micros::ZERO;
        }
        if payload == 0 {
            return None;
        }
        let before = std::mem::replace(&mut self.last, time);
        if self.start == Micros::ZERO || time - before > gap {
            *self = Self { start: time, last: time, bytes: payload, packets: 1 };
            return None;
        }
        self.packets = self.packets.saturating_add(1).min(BULK_PACKETS + 1);
        if self.packets > BULK_PACKETS {
            return Some(BulkTotals { count: 0, packets: 1, bytes: payload.into(), duration: time - before });
        }
        self.bytes = self.bytes.saturating_add(payload);
        (self.packets == BULK_PACKETS).then(|| BulkTotals {
            count: 1,
            packets: BULK_PACKETS.into(),
            bytes: self.bytes.into(),
            duration: time - self.start,
        })
    }

    /// Time of this direction's last payload packet, 0 before the first.
    pub(super) const fn last_payload(&self) -> Micros {
        self.last
    }
}

impl BulkTotals {
    pub(super) fn add(&mut self, more: &Self) {
        self.count = self.count.saturating_add(more.count);
        self.packets = self.packets.saturating_add(more.packets);
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.duration = self.duration + more.duration;
    }
}
