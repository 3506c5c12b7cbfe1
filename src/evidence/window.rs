//! Sliding windows over packet time: sums in a ring of buckets.

use crate::time::Micros;

/// A second of packet time, as a stamp; 0 is never one.
pub(super) type Tick = u32;

/// The tick of a time; times before 1970 are as good as its first second.
pub(super) fn tick(time: Micros) -> Tick {
    let seconds = time.0.div_euclid(1_000_000).clamp(0, i64::from(u32::MAX - 2 * FIRST));
    u32::try_from(seconds).unwrap_or_default().saturating_add(FIRST)
}

/// Whether a stamp lies within so many ticks of now, one at least, on either side: flows come a little late, and captures' clocks go back.
pub(super) const fn is_within(stamp: Tick, now: Tick, window: u32) -> bool {
    // |stamp - now| < window, as one comparison of a number that wraps: many stamps are compared at once.
    stamp.wrapping_sub(now).wrapping_add(window.wrapping_sub(1)) < window.wrapping_mul(2).wrapping_sub(1)
}

/// A sum over the last `BUCKETS` buckets of `width` ticks each, the one that is filling among them: the window is up to one
/// bucket shorter than it is called, never longer.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    buckets: [(Tick, u32); BUCKETS as usize],
    width: u32,
}

impl Ring {
    /// Nothing yet, in a window of so many ticks.
    pub(super) const fn new(window: u32) -> Self {
        let width = window / BUCKETS;
        Self { buckets: [(0, 0); BUCKETS as usize], width: if width == 0 { 1 } else { width } }
    }

    /// Adds to the bucket of a time; what comes later than the whole ring is left out.
    pub(super) fn add(&mut self, at: Tick, amount: u32) {
        let number = at / self.width;
        let Some((held, sum)) = self.buckets.get_mut((number % BUCKETS) as usize) else { return };
        if *held == number {
            *sum = sum.saturating_add(amount);
        } else if number > *held || held.abs_diff(number) > FAR {
            (*held, *sum) = (number, amount);
        }
    }

    /// The sum of the window that ends now.
    pub(super) fn sum(&self, now: Tick) -> u32 {
        let number = now / self.width;
        let in_window = |held: &Tick| is_within(*held, number, BUCKETS);
        self.buckets.iter().filter(|(held, _)| in_window(held)).fold(0, |all, (_, sum)| all.saturating_add(*sum))
    }
}

/// Buckets of a window: a tenth of it is how exactly it slides.
const BUCKETS: u32 = 10;
/// Stamps begin here, further from 0 than any window is long.
const FIRST: u32 = 100_000;
/// A bucket so many buckets ahead belongs to a clock that was set back.
const FAR: u32 = 2 * BUCKETS;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The ring holds all of the last nine tenths of its window, and nothing of before the window.
        #[test]
        fn a_sum_is_that_of_the_window(times in proptest::collection::vec(0u32..2_000, 1..200)) {
            let mut times = times;
            times.sort_unstable();
            let mut ring = Ring::new(300);
            for (at, time) in times.iter().enumerate() {
                let now = FIRST + time;
                ring.add(now, 1);
                let since = |window: u32| times[..=at].iter().filter(|then| time - **then < window).map(|_| 1).sum::<u32>();
                let sum = ring.sum(now);
                prop_assert!((since(270)..=since(300)).contains(&sum), "{sum} of {} to {}", since(270), since(300));
            }
        }
    }

    #[test]
    fn what_comes_late_is_put_where_it_belongs_and_a_clock_set_back_begins_anew() {
        let mut ring = Ring::new(10);
        ring.add(FIRST + 20, 1);
        ring.add(FIRST + 15, 1);
        ring.add(FIRST + 5, 1);
        assert_eq!((ring.sum(FIRST + 20), ring.sum(FIRST + 26)), (2, 1));
        ring.add(FIRST + 10_000, 5);
        ring.add(FIRST, 7);
        assert_eq!(ring.sum(FIRST), 7);
    }

    #[test]
    fn no_time_is_the_stamp_of_nothing() {
        for time in [i64::MIN, -1, 0, 1_700_000_000_000_000, i64::MAX] {
            assert!(tick(Micros(time)) >= FIRST && !is_within(0, tick(Micros(time)), 300));
        }
    }
}
