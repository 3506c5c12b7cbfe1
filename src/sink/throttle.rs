//! At most one warning a minute: a full disk must not fill the log as well.

use std::time::{Duration, Instant};

/// Lets one message through in each interval and counts those in between.
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    last: Option<Instant>,
    muted: u64,
}

impl Throttle {
    /// One message in each `interval`, the first at once.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        Self { interval, last: None, muted: 0 }
    }

    /// Whether to speak now; if so, how many messages were muted since the last.
    pub fn admit(&mut self) -> Option<u64> {
        #[expect(clippy::disallowed_methods, reason = "an edge: log lines are held back by the clock of the wall")]
        self.admit_at(Instant::now())
    }

    fn admit_at(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < self.interval) {
            self.muted = self.muted.saturating_add(1);
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.muted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_once_an_interval_and_says_what_it_left_out() {
        let mut throttle = Throttle::new(Duration::from_secs(60));
        #[expect(clippy::disallowed_methods, reason = "any instant to count from")]
        let start = Instant::now();
        let said = [0, 1, 59, 60, 61, 200].map(|s| throttle.admit_at(start + Duration::from_secs(s)));
        assert_eq!(said, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
