//! Double observation: a packet that is captured at several places is one packet.
//!
//! Equal packets are common: a datagram that is sent again has the same bytes, and a retransmission may. So what has been seen a moment ago is
//! not dropped for that. What is counted is how often each place has seen the same bytes: the n-th time at one place is the n-th packet,
//! wherever else it was seen before. A place that sees only a part, or loses some, changes nothing.

use super::PacketMeta;
use crate::time::Micros;

/// A packet as one point shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The packet.
    pub packet: PacketMeta,
    /// What it is recognised by; 0 where nobody asks, or nothing tells.
    pub fingerprint: u64,
    /// Where it was captured.
    pub point: ObservationPoint,
}

/// Where a packet was captured: an interface of a host, however it came to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObservationPoint(u64);

impl ObservationPoint {
    /// The point of a capture, and of a device where the capture is of all of them.
    #[must_use]
    pub const fn new(capture: u16, device: u32) -> Self {
        Self((capture as u64) << 32 | device as u64)
    }
}

/// Tells packets from copies of them.
#[derive(Debug)]
pub struct Copies {
    sets: Vec<[Entry; WAYS]>,
    forgotten: u64,
}

/// The same bytes, as they were seen at some points.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    fingerprint: u64,
    points: [Seen; POINTS],
}

/// How often one point saw them, and when it last did, in milliseconds that wrap.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    point: ObservationPoint,
    count: u32,
    last: u32,
}

impl Copies {
    /// Nothing seen. It takes 7 MB, whatever comes.
    #[must_use]
    pub fn new() -> Self {
        Self { sets: vec![[Entry::default(); WAYS]; SETS], forgotten: 0 }
    }

    /// Whether a packet is a copy of one that another point has shown. What has no fingerprint never is.
    pub fn is_copy(&mut self, observed: &Observed) -> bool {
        self.has_seen(observed.fingerprint, observed.point, observed.packet.time)
    }

    fn has_seen(&mut self, fingerprint: u64, point: ObservationPoint, time: Micros) -> bool {
        let now = millis(time);
        let Some(set) = self.sets.get_mut(usize::try_from((fingerprint >> 1) % SETS as u64).unwrap_or_default()) else {
            return false;
        };
        if fingerprint == 0 {
            return false;
        }
        let place = match set.iter().position(|entry| entry.fingerprint == fingerprint) {
            Some(place) => place,
            None => {
                let oldest = set.iter().enumerate().max_by_key(|(_, entry)| entry.age(now));
                let Some((place, age)) = oldest.map(|(place, entry)| (place, entry.age(now))) else { return false };
                self.forgotten = self.forgotten.saturating_add(u64::from(age <= WINDOW));
                if let Some(entry) = set.get_mut(place) {
                    *entry = Entry { fingerprint, ..Entry::default() };
                }
                place
            }
        };
        set.get_mut(place).is_some_and(|entry| entry.see(point, now))
    }

    /// Packets that gave way to others while copies of them could still come: such a copy counts as a packet.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl Default for Copies {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    /// Counts; whether another point has seen as many.
    fn see(&mut self, point: ObservationPoint, now: u32) -> bool {
        let own = self.points.iter().position(|seen| seen.count > 0 && seen.point == point);
        let free = || self.points.iter().position(|seen| !seen.is_live(now));
        // Where so many points have seen it, it is none that only this one sees.
        let Some(at) = own.or_else(free) else { return true };
        let most = self.points.iter().enumerate().filter(|(other, seen)| *other != at && seen.is_live(now));
        let most = most.map(|(_, seen)| seen.count).max().unwrap_or_default();
        let Some(seen) = self.points.get_mut(at) else { return true };
        let before = if own.is_some() && seen.is_live(now) { seen.count } else { 0 };
        *seen = Seen { point, count: before.saturating_add(1), last: now };
        seen.count <= most
    }

    /// How long nobody has seen it.
    fn age(&self, now: u32) -> u32 {
        self.points.iter().map(|seen| seen.age(now)).min().unwrap_or(u32::MAX)
    }
}

impl Seen {
    fn is_live(self, now: u32) -> bool {
        self.age(now) <= WINDOW
    }

    /// On either side: points are read one after the other.
    fn age(self, now: u32) -> u32 {
        if self.count == 0 { u32::MAX } else { now.wrapping_sub(self.last).min(self.last.wrapping_sub(now)) }
    }
}

/// A time in milliseconds that wrap after seven weeks.
fn millis(time: Micros) -> u32 {
    u32::try_from(time.0.div_euclid(1_000).rem_euclid(1 << 32)).unwrap_or_default()
}

/// How far apart in packet time two points may see one packet: a queue before an uplink holds it for tens of milliseconds, and clocks are the
/// same. What is sent again later than that stands for itself.
const WINDOW: u32 = 1_000;
/// Points that see the same bytes at once: a pod's link, a bridge and an uplink, each by itself and on `any`.
const POINTS: usize = 6;
/// Packets that are remembered: a quarter of a second at 250,000 a second, five times as long as the kernel keeps what a reader has not been
/// shown.
const SETS: usize = 16_384;
const WAYS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: ObservationPoint = ObservationPoint::new(0, 0);
    const THERE: ObservationPoint = ObservationPoint::new(1, 0);

    #[test]
    fn equal_packets_are_as_many_as_one_point_sees() {
        let mut copies = Copies::new();
        let mut told = |point, times: i64, at: i64| {
            let mut is_new = |n| !copies.has_seen(9, point, Micros::from_millis(at + n));
            (0..times).filter(|n| is_new(*n)).count()
        };
        // Three of the same here; two of them, and then all, there.
        assert_eq!([told(HERE, 3, 0), told(THERE, 2, 0), told(THERE, 1, 3)], [3, 0, 0]);
        // There sees a fourth first.
        assert_eq!([told(THERE, 1, 5), told(HERE, 1, 5)], [1, 0]);
        // Much later all begins anew.
        assert_eq!([told(HERE, 1, 10_000), told(THERE, 1, 10_000)], [1, 0]);
        assert_eq!(told(THERE, 1, 20_000), 1, "a point that sees it alone");
    }

    #[test]
    fn a_point_that_has_gone_holds_nothing_back() {
        let mut copies = Copies::new();
        (0..10).for_each(|n| assert!(!copies.has_seen(9, HERE, Micros::from_millis(n * 900))));
        assert!(copies.has_seen(9, THERE, Micros::from_millis(8_101)));
        // Nothing more comes from here.
        assert!(!copies.has_seen(9, THERE, Micros::from_millis(9_102)));
    }

    #[test]
    fn what_has_no_fingerprint_is_never_a_copy_and_many_points_are_no_packets() {
        let mut copies = Copies::new();
        assert!((0..3).all(|n| !copies.has_seen(0, ObservationPoint::new(n, 0), Micros::ZERO)));
        let new = (0..20).filter(|n| !copies.has_seen(5, ObservationPoint::new(0, *n), Micros::ZERO)).count();
        assert_eq!(new, 1);
    }

    #[test]
    fn what_is_forgotten_too_soon_is_counted() {
        let mut copies = Copies::new();
        let same_set = |n: u64| (n * SETS as u64) << 1 | 1;
        (1..=6).for_each(|n| assert!(!copies.has_seen(same_set(n), HERE, Micros::from_millis(n.cast_signed()))));
        assert_eq!(copies.forgotten(), 2);
        assert!(!copies.has_seen(same_set(1), THERE, Micros::from_millis(7)), "it was forgotten");
        assert!(copies.has_seen(same_set(6), THERE, Micros::from_millis(7)));
    }

    proptest! {
        /// Whatever the packets, whichever of them each point sees, and however the points' packets come together: each is counted as often
        /// as the point that saw it most.
        #[test]
        fn any_interleaving_counts_each_packet_once(
            packets in proptest::collection::vec(1u64..6, 1..60),
            points in 1u32..5,
            lost in proptest::collection::vec(any::<u8>(), 0..240),
            turns in proptest::collection::vec(any::<proptest::sample::Index>(), 240),
        ) {
            let sees = |point: u32, n: usize| lost.get(n * 4 + point as usize).is_none_or(|lost| lost % 4 != 0);
            let mut waiting: Vec<Vec<usize>> =
                (0..points).map(|point| (0..packets.len()).rev().filter(|n| sees(point, *n)).collect()).collect();
            let (mut copies, mut counted) = (Copies::new(), [0_u32; 6]);
            for turn in turns {
                let open: Vec<usize> = (0..waiting.len()).filter(|at| !waiting[*at].is_empty()).collect();
                if open.is_empty() {
                    break;
                }
                let at = open[turn.index(open.len())];
                let n = waiting[at].pop().expect("it is open");
                let time = Micros::from_millis(n as i64);
                let point = ObservationPoint::new(0, u32::try_from(at).expect("few"));
                counted[usize::from(packets[n].to_le_bytes()[0])] += u32::from(!copies.has_seen(packets[n] << 1 | 1, point, time));
            }
            prop_assert!(waiting.iter().all(Vec::is_empty));
            for (kind, counted) in (0..).zip(counted) {
                let seen = |point| (0..packets.len()).filter(|n| packets[*n] == kind && sees(point, *n)).count();
                let most = (0..points).map(seen).max().unwrap_or_default();
                prop_assert_eq!(counted as usize, most, "of {}", kind);
            }
        }
    }
}
