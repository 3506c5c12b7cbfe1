//! What a live capture has seen and lost: 64-bit counts that only grow, over any number of re-opens.
//!
//! libpcap counts in 32 bits and starts again with each handle; [`Tally`] adds the differences up.
//! [`LiveCapture`](super::LiveCapture) owns one; the daemon reads [`CaptureStats`] about once a second.

use serde::Serialize;

/// Counts since the capture was first opened, in packets. They never go back.
///
/// When nothing waits in the ring, `received = delivered + dropped_kernel` holds exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CaptureStats {
    /// Packets that passed the filter in the kernel, dropped ones included (libpcap's `ps_recv`).
    pub received: u64,
    /// Packets handed to the caller of `read`.
    pub delivered: u64,
    /// Packets lost because the ring was full, or left in the ring of an interface that disappeared.
    pub dropped_kernel: u64,
    /// Packets that the device lost before the kernel saw them (`rx_missed_errors` and
    /// `rx_fifo_errors`), whoever they were for.
    pub dropped_interface: u64,
    /// Times that a lost interface was opened again.
    pub reopens: u64,
}

impl CaptureStats {
    /// Packets that lie in the ring, not yet delivered.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.received.saturating_sub(self.delivered).saturating_sub(self.dropped_kernel)
    }
}

/// The 32-bit counts of one libpcap handle at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HandleCounts {
    pub(super) received: u32,
    pub(super) dropped: u32,
}

/// Adds the counts of successive handles up.
#[derive(Debug, Default)]
pub(super) struct Tally {
    total: CaptureStats,
    kernel: HandleCounts,
    interface: u64,
}

impl Tally {
    /// Begins a handle, whose counters stand at these values before its first packet.
    pub(super) fn begin(&mut self, kernel: HandleCounts, interface: u64) {
        self.kernel = kernel;
        self.interface = interface;
    }

    /// Takes the handle's counters as they stand now. To be called at least once in 2^32 packets.
    pub(super) fn kernel(&mut self, now: HandleCounts) {
        self.total.received += u64::from(now.received.wrapping_sub(self.kernel.received));
        self.total.dropped_kernel += u64::from(now.dropped.wrapping_sub(self.kernel.dropped));
        self.kernel = now;
    }

    /// Takes the device's counter as it stands now; one that went back (driver reset) starts again from there.
    pub(super) fn interface(&mut self, now: u64) {
        self.total.dropped_interface += now.saturating_sub(self.interface);
        self.interface = now;
    }

    /// Packets were handed to the caller.
    pub(super) fn delivered(&mut self, packets: u64) {
        self.total.delivered += packets;
    }

    /// Ends a handle for good: what it still held is lost.
    pub(super) fn end(&mut self) {
        self.total.dropped_kernel += self.total.waiting();
    }

    /// A lost interface was opened again.
    pub(super) fn reopened(&mut self) {
        self.total.reopens += 1;
    }

    pub(super) fn total(&self) -> CaptureStats {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(received: u32, dropped: u32) -> HandleCounts {
        HandleCounts { received, dropped }
    }

    #[test]
    fn counts_go_on_past_32_bits() {
        let mut tally = Tally::default();
        tally.begin(counts(0, 0), 0);
        let mut now = 0_u32;
        for _ in 0..5 {
            now = now.wrapping_add(u32::MAX / 2);
            tally.kernel(counts(now, now));
        }
        let expected = 5 * u64::from(u32::MAX / 2);
        assert!(expected > u64::from(u32::MAX));
        assert_eq!((tally.total().received, tally.total().dropped_kernel), (expected, expected));
    }

    #[test]
    fn a_new_handle_continues_and_what_the_old_one_held_is_dropped() {
        let mut tally = Tally::default();
        tally.begin(counts(7, 0), 100); // seven packets before the capture began
        tally.kernel(counts(17, 2));
        tally.interface(103);
        tally.delivered(5);
        assert_eq!(tally.total().waiting(), 3);
        tally.end();
        tally.begin(counts(0, 0), 5);
        tally.reopened();
        tally.kernel(counts(4, 0));
        tally.interface(5);
        tally.delivered(4);
        let expected = CaptureStats { received: 14, delivered: 9, dropped_kernel: 5, dropped_interface: 3, reopens: 1 };
        assert_eq!(tally.total(), expected);
        assert_eq!(expected.waiting(), 0);
    }
}
