//! The timer wheel: which slots may have a deadline behind the clock.
//!
//! A slot is entered once, at its next deadline, and looked at when that tick has passed; a deadline that moved
//! on in between (every packet moves the idle timeout) is entered again then. So a packet costs the wheel nothing.

use super::lists::Lists;
use crate::time::Micros;

/// Timers of slots, on packet time.
#[derive(Debug)]
pub(super) struct Wheel {
    lists: Lists,
    /// Every tick up to and including this one has been collected.
    collected: Option<i64>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { lists: Lists::new(TICKS as usize), collected: None }
    }

    /// Enters a slot so that it is looked at soon after `deadline`, or earlier if that is beyond the wheel's horizon.
    pub(super) fn schedule(&mut self, slot: u32, deadline: Micros, clock: Micros) {
        let next = self.collected.get_or_insert_with(|| tick(clock)).saturating_add(1);
        let last = next.saturating_add(i64::from(TICKS) - 2);
        self.lists.push_back(list(tick(deadline).clamp(next, last)), slot);
    }

    /// Forgets a slot.
    pub(super) fn cancel(&mut self, slot: u32) {
        self.lists.remove(slot);
    }

    /// Whether a tick has passed since the last look: if not, nothing is due.
    #[inline]
    pub(super) fn is_due(&self, clock: Micros) -> bool {
        self.collected.is_none_or(|collected| collected < tick(clock).saturating_sub(1))
    }

    /// Takes out slots of ticks that lie wholly before `clock`, as many as `due` holds; none is left where there are fewer.
    ///
    /// The caller ends each slot's flow or schedules the slot again.
    pub(super) fn pop_due(&mut self, clock: Micros, due: &mut [u32]) -> usize {
        let last = tick(clock).saturating_sub(1);
        // After a long silence one round visits every list.
        let mut at = self.collected.unwrap_or(last).max(last.saturating_sub(i64::from(TICKS)));
        let mut places = due.iter_mut();
        let mut taken = 0_usize;
        while at < last {
            let next = at.saturating_add(1);
            while self.lists.front(list(next)).is_some() {
                let Some(place) = places.next() else {
                    self.collected = Some(at);
                    return taken;
                };
                if let Some(slot) = self.lists.pop_front(list(next)) {
                    *place = slot;
                    taken = taken.saturating_add(1);
                }
            }
            at = next;
        }
        self.collected = Some(at.max(self.collected.unwrap_or(at)));
        taken
    }
}

fn tick(time: Micros) -> i64 {
    time.0 >> TICK_BITS
}

fn list(tick: i64) -> u32 {
    u32::try_from(tick.rem_euclid(i64::from(TICKS))).unwrap_or_default()
}

/// One tick is 2^17 µs, about an eighth of a second: how late a timer may be noticed on a busy interface.
const TICK_BITS: u32 = 17;
/// 134 s of horizon: the default active timeout fits; longer deadlines are looked at once a round.
const TICKS: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(wheel: &mut Wheel, clock: Micros) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut some = [0; 3];
        loop {
            let count = wheel.pop_due(clock, &mut some);
            slots.extend_from_slice(&some[..count]);
            if count < some.len() {
                slots.sort_unstable();
                return slots;
            }
        }
    }

    proptest! {
        /// No slot is missed once its deadline lies more than a tick back; none is handed out before its deadline
        /// but those beyond the horizon.
        #[test]
        fn every_slot_comes_up_after_its_deadline(
            start in -1i64 << 40..1 << 50,
            deadlines in proptest::collection::vec(0i64..200_000_000, 1..50),
            mut steps in proptest::collection::vec(0i64..50_000_000, 1..40),
        ) {
            let mut wheel = Wheel::new();
            let mut clock = Micros(start);
            let _ = wheel.pop_due(clock, &mut []);
            for (slot, &deadline) in (0..).zip(&deadlines) {
                wheel.schedule(slot, Micros(start + deadline), clock);
            }
            let mut left: Vec<u32> = (0..).take(deadlines.len()).collect();
            steps.push(400_000_000);
            for step in steps {
                clock = clock + Micros(step);
                for slot in due(&mut wheel, clock) {
                    let deadline = Micros(start + deadlines[slot as usize]);
                    if deadline < clock {
                        left.retain(|&s| s != slot);
                    } else {
                        wheel.schedule(slot, deadline, clock);
                    }
                }
                for &slot in &left {
                    prop_assert!(start + deadlines[slot as usize] + (2 << TICK_BITS) >= clock.0, "slot {} missed", slot);
                }
            }
            prop_assert!(left.is_empty());
        }
    }
}
