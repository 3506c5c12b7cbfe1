//! The dedup window: one alert of a kind, then silence for a while, with a count of what was held back.
//!
//! Time is packet time. The table is bounded; when it is full of open windows an alert passes without one, and
//! that is counted: too many lines, never a missing one.

use std::collections::BTreeMap;

use crate::flow::FiveTuple;
use crate::model::LabelId;
use crate::packet::Address;
use crate::time::Micros;

/// Which alerts are the same to a reader: who, to whom, which service, what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DedupKey {
    src: Address,
    dst: Address,
    dst_port: u16,
    label: Option<LabelId>,
}

impl DedupKey {
    pub(super) const fn new(tuple: &FiveTuple, label: Option<LabelId>) -> Self {
        Self { src: tuple.src, dst: tuple.dst, dst_port: tuple.dst_port, label }
    }
}

/// The windows of all kinds of alerts.
#[derive(Debug)]
pub(super) struct Dedup {
    windows: BTreeMap<DedupKey, Window>,
    length: Micros,
    capacity: usize,
    swept: Option<Micros>,
    /// Alerts that passed without a window because the table was full.
    pub(super) overflow: u64,
    /// Held flows whose count no later line will carry.
    pub(super) unreported: u64,
}

#[derive(Debug)]
struct Window {
    opened: Micros,
    /// Whether the line that opened it was written; a lost line holds nothing back.
    open: bool,
    held: u64,
}

/// What becomes of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It goes out and carries the count of what was held since the last one.
    Pass { held: u64 },
    /// It is held back.
    Hold,
}

impl Dedup {
    /// Windows of this length, at most `capacity` of them; a length of 0 holds nothing back.
    pub(super) const fn new(length: Micros, capacity: usize) -> Self {
        Self { windows: BTreeMap::new(), length, capacity, swept: None, overflow: 0, unreported: 0 }
    }

    /// Asks whether an alert at this time may go out; `count` says whether a held one counts as held.
    pub(super) fn admit(&mut self, key: DedupKey, at: Micros, count: bool) -> Admission {
        if self.length <= Micros::ZERO {
            return Admission::Pass { held: 0 };
        }
        if let Some(window) = self.windows.get_mut(&key) {
            if window.covers(at, self.length) {
                window.held = window.held.saturating_add(u64::from(count));
                return Admission::Hold;
            }
            let held = std::mem::take(&mut window.held);
            (window.opened, window.open) = (at, true);
            return Admission::Pass { held };
        }
        if self.windows.len() >= self.capacity {
            self.sweep(at);
        }
        if self.windows.len() < self.capacity {
            self.windows.insert(key, Window { opened: at, open: true, held: 0 });
        } else {
            self.overflow = self.overflow.saturating_add(1);
        }
        Admission::Pass { held: 0 }
    }

    /// The line that opened a window was never written: the next alert of its kind goes out and carries the count on.
    pub(super) fn take_back(&mut self, key: &DedupKey, opened: Micros, held: u64) {
        match self.windows.get_mut(key) {
            Some(window) if window.open && window.opened == opened => {
                window.open = false;
                window.held = window.held.saturating_add(held);
            }
            Some(window) => window.held = window.held.saturating_add(held),
            None => self.unreported = self.unreported.saturating_add(held),
        }
    }

    /// Held flows that a later line may still carry.
    pub(super) fn waiting(&self) -> u64 {
        self.windows.values().map(|window| window.held).fold(0, u64::saturating_add)
    }

    /// Forgets windows that are over. Not at every call: a table full of open ones would be walked for each alert.
    fn sweep(&mut self, at: Micros) {
        let due = self.swept.is_none_or(|swept| distance(swept, at) >= self.length.0.unsigned_abs().div_ceil(8));
        if due {
            self.swept = Some(at);
            let (length, unreported) = (self.length, &mut self.unreported);
            self.windows.retain(|_, window| {
                let keep = window.covers(at, length);
                if !keep {
                    *unreported = unreported.saturating_add(window.held);
                }
                keep
            });
        }
    }
}

impl Window {
    /// A clock that went far back (another capture) opens a new window, as one that went far on does.
    const fn covers(&self, at: Micros, length: Micros) -> bool {
        self.open && distance(self.opened, at) < length.0.unsigned_abs()
    }
}

const fn distance(a: Micros, b: Micros) -> u64 {
    a.0.abs_diff(b.0)
}

/// A minute of silence is short enough to see that an attack goes on, and long enough that a sweep
/// of one host does not fill a screen.
pub const DEDUP_WINDOW: Micros = Micros::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> DedupKey {
        DedupKey { src: Address::v4([1, 1, 1, 1]), dst: Address::v4([2, 2, 2, 2]), dst_port: port, label: None }
    }

    const fn pass(held: u64) -> Admission {
        Admission::Pass { held }
    }

    #[test]
    fn one_alert_a_window_and_the_next_carries_the_count() {
        let mut dedup = Dedup::new(Micros(60), 8);
        for (at, expected) in [
            (1_000, pass(0)),
            (1_059, Admission::Hold),
            (990, Admission::Hold), // late, but within the window's length
            (1_060, pass(2)),
            (1_061, Admission::Hold),
            (5, pass(1)), // another capture, years before
        ] {
            assert_eq!(dedup.admit(key(1), Micros(at), true), expected, "at {at}");
        }
        assert_eq!(dedup.admit(key(2), Micros(1_061), true), pass(0));
    }

    #[test]
    fn a_full_table_lets_alerts_pass_and_says_so() {
        let mut dedup = Dedup::new(Micros(60), 2);
        assert_eq!([1, 2, 3, 3].map(|port| dedup.admit(key(port), Micros(0), true)), [pass(0); 4]);
        assert_eq!(dedup.overflow, 2);
        assert_eq!(dedup.admit(key(1), Micros(10), true), Admission::Hold);
        // The first two windows are over: there is room again, and the held flow's count has nowhere to go.
        assert_eq!(dedup.admit(key(3), Micros(60), true), pass(0));
        assert_eq!(dedup.admit(key(3), Micros(61), true), Admission::Hold);
        assert_eq!((dedup.overflow, dedup.unreported, dedup.windows.len()), (2, 1, 1));
    }

    #[test]
    fn a_lost_line_holds_nothing_back() {
        let mut dedup = Dedup::new(Micros(60), 2);
        assert_eq!(dedup.admit(key(1), Micros(0), true), pass(0));
        assert_eq!(dedup.admit(key(1), Micros(1), true), Admission::Hold);
        dedup.take_back(&key(1), Micros(0), 4);
        assert_eq!(dedup.waiting(), 5);
        assert_eq!(dedup.admit(key(1), Micros(2), true), pass(5));
    }

    #[test]
    fn no_window_no_silence() {
        let mut dedup = Dedup::new(Micros::ZERO, 2);
        assert_eq!([0, 0, 0].map(|at| dedup.admit(key(1), Micros(at), true)), [pass(0); 3]);
    }
}
