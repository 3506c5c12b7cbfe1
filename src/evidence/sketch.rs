//! How many different things were seen, in a few hundred bytes: of a sliding window, and of all time.

use std::sync::LazyLock;

use super::window::{Tick, is_within};

/// Distinct things of a sliding window: linear counting whose cells hold when they were last hit, so that one sketch answers for any window.
///
/// With n things in the window the standard error is below 6 % up to n = 256 and below 12 % up to 1,024; beyond [`Recent::MOST`] it
/// tells that. Few things are never told as many: what is told is above the truth by the error alone.
///
/// Whoever asks again within a tick is told from what was counted then: a scanner is asked about with each of its flows. Cells get memory of their own
/// once more than a few are hit: of a flood's forged sources, each hits one.
#[derive(Clone, Debug)]
pub struct Recent {
    cells: Cells,
    /// Of the window that was asked about last; no tick is 0.
    now: Tick,
    window: u32,
    /// Cells hit within it.
    hit: u32,
}

/// When each cell was last hit; 0 for never.
#[derive(Clone, Debug)]
enum Cells {
    /// Those that were, by their numbers.
    Few { numbers: [u8; FEW], stamps: [Tick; FEW], used: usize },
    /// All.
    All(Box<[Tick; CELLS]>),
}

impl Recent {
    /// The greatest number it can tell: all cells hit.
    pub const MOST: f32 = 1_420.0;

    /// Nothing seen.
    #[must_use]
    pub const fn new() -> Self {
        let cells = Cells::Few { numbers: [0; FEW], stamps: [0; FEW], used: 0 };
        Self { cells, now: 0, window: 1, hit: 0 }
    }

    /// A thing, by its hash, was seen at a tick.
    pub fn see(&mut self, hash: u64, at: u32) {
        let [cell, ..] = mixed(hash).to_le_bytes();
        let Self { cells, now, window, hit } = self;
        let Some(held) = cells.stamp(cell) else { return };
        // A flow that comes late does not take back what came after it; a clock that was set back does.
        let stamp = if is_within(*held, at, LATE) { at.max(*held) } else { at };
        let [was, is] = [*held, stamp].map(|stamp| u32::from(is_within(stamp, *now, *window)));
        *hit = hit.wrapping_add(is).wrapping_sub(was);
        *held = stamp;
    }

    /// How many things were seen in so many ticks up to now, to the nearest whole.
    #[must_use]
    pub fn count(&mut self, now: u32, window: u32) -> f32 {
        if (self.now, self.window) != (now, window) {
            // Sums that may wrap, of at most 256 ones, are taken several cells at once.
            let hits = self.cells.stamps().iter().map(|&held| u32::from(is_within(held, now, window)));
            (self.now, self.window, self.hit) = (now, window, hits.fold(0, u32::wrapping_add));
        }
        TOLD.get(self.hit as usize).copied().unwrap_or(Self::MOST)
    }
}

impl Cells {
    /// The stamp of a cell.
    fn stamp(&mut self, cell: u8) -> Option<&mut Tick> {
        if let Self::Few { numbers, stamps, used } = self {
            let place = numbers.iter().take(*used).position(|number| *number == cell).unwrap_or(*used);
            if let Some(number) = numbers.get_mut(place) {
                *number = cell;
                *used = place.saturating_add(1).max(*used);
            } else {
                let mut all = Box::new([0; CELLS]);
                for (number, stamp) in numbers.iter().zip(stamps) {
                    *all.get_mut(usize::from(*number))? = *stamp;
                }
                *self = Self::All(all);
            }
        }
        match self {
            Self::Few { numbers, stamps, .. } => stamps.get_mut(numbers.iter().position(|number| *number == cell)?),
            Self::All(all) => all.get_mut(usize::from(cell)),
        }
    }

    fn stamps(&self) -> &[Tick] {
        match self {
            Self::Few { stamps, .. } => stamps,
            Self::All(all) => all.as_slice(),
        }
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self::new()
    }
}

/// Distinct things of all time: HyperLogLog (Flajolet and others, 2007) of 128 registers. The standard error is 9 %, for any number.
#[derive(Clone, Debug)]
pub struct Distinct {
    registers: [u8; REGISTERS],
}

impl Distinct {
    /// Nothing seen.
    #[must_use]
    pub const fn new() -> Self {
        Self { registers: [0; REGISTERS] }
    }

    /// A thing, by its hash, was seen.
    pub fn see(&mut self, hash: u64) {
        let hash = mixed(hash);
        let register = usize::try_from(hash % REGISTERS as u64).unwrap_or_default();
        let rest = hash / REGISTERS as u64;
        // The bits above the register's choice begin with seven zeros that are no part of them.
        let rank =
            u8::try_from(rest.leading_zeros().saturating_sub(REGISTER_BITS).saturating_add(1)).unwrap_or(u8::MAX);
        if let Some(held) = self.registers.get_mut(register) {
            *held = rank.max(*held);
        }
    }

    /// How many things were seen, to the nearest whole.
    #[must_use]
    pub fn count(&self) -> u64 {
        let m = REGISTERS as f64;
        let sum: f64 = self.registers.iter().map(|rank| 0.5_f64.powi(i32::from(*rank))).sum();
        let raw = ALPHA * m * m / sum;
        let empty = self.registers.iter().filter(|rank| **rank == 0).count();
        let told = if raw <= 2.5 * m && empty > 0 { f64::from(linear(empty, REGISTERS)) } else { raw };
        whole(told)
    }
}

impl Default for Distinct {
    fn default() -> Self {
        Self::new()
    }
}

/// The hash with every bit depending on all of them (the finalizer of MurmurHash3): ports come in rows, whose fast hashes stand in rows too,
/// and cells that fill more evenly than by chance would tell of more things than there are.
pub(super) const fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// Linear counting (Whang and others, 1990): what number of things leaves so many of the cells empty.
#[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
fn linear(empty: usize, cells: usize) -> f32 {
    let cells = cells as f32;
    cells * (cells / (empty as f32).max(1.0)).ln()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, and the cast saturates")]
fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// What so many cells hit tell: a logarithm for each flow of a scan would cost more than all else that is counted of it.
static TOLD: LazyLock<[f32; CELLS + 1]> =
    LazyLock::new(|| std::array::from_fn(|hit| linear(CELLS.saturating_sub(hit), CELLS).min(Recent::MOST).round()));

/// Cells of a kilobyte; enough for any threshold that is worth having. A byte of a hash chooses one.
const CELLS: usize = 256;
/// Cells that are remembered by number: fewer than any threshold that is worth having.
const FEW: usize = 8;
/// What is at most so many ticks older than what came before it came late.
const LATE: u32 = 600;
/// Registers of a byte.
const REGISTERS: usize = 128;
/// Bits of a hash that choose among them.
const REGISTER_BITS: u32 = 7;
/// The constant of HyperLogLog for so many registers.
const ALPHA: f64 = 0.7213 / (1.0 + 1.079 / 128.0);

#[cfg(test)]
mod tests {
    use super::*;
    use foldhash::fast::FixedState;
    use proptest::prelude::*;
    use std::hash::BuildHasher as _;

    /// Six standard errors: what one run in hundreds of millions exceeds.
    const SIGMAS: f64 = 6.0;

    proptest! {
        #[test]
        fn a_window_counts_its_own_within_the_stated_error(seed: u64, inside in 0u32..=1_024, outside in 0u32..500, again in 1u32..4) {
            let hasher = FixedState::with_seed(seed);
            let mut recent = Recent::new();
            for n in 0..outside {
                recent.see(hasher.hash_one(("old", n)), 200_000 + n % 100);
            }
            for n in (0..again).flat_map(|_| 0..inside) {
                recent.see(hasher.hash_one(n), 200_500 + n % 200);
            }
            let told = f64::from(recent.count(200_700, 300));
            let error = if inside <= 256 { 0.06 } else { 0.12 };
            let most = SIGMAS * error * f64::from(inside) + 1.0;
            prop_assert!((told - f64::from(inside)).abs() <= most, "{told} of {inside}");
            prop_assert_eq!(recent.count(202_000, 300), 0.0);
        }

        /// However few or many were seen, whenever, and whenever somebody asked: the count is that of plain cells.
        #[test]
        fn what_is_told_is_what_the_cells_say(
            steps in proptest::collection::vec((0u64..24, 0u32..900, 0u32..4, any::<bool>()), 1..120),
        ) {
            let (mut recent, mut plain) = (Recent::new(), [0_u32; CELLS]);
            for (thing, at, window, asks) in steps {
                let (at, window) = (200_000 + at, [1, 10, 60, 300][window as usize]);
                recent.see(thing, at);
                let held = &mut plain[usize::from(mixed(thing).to_le_bytes()[0])];
                *held = if held.abs_diff(at) < LATE { at.max(*held) } else { at };
                if asks {
                    let empty = plain.iter().filter(|held| held.abs_diff(at) >= window).count();
                    prop_assert_eq!(recent.count(at, window), linear(empty, CELLS).min(Recent::MOST).round());
                }
            }
        }

        #[test]
        fn all_time_is_counted_within_the_stated_error(seed: u64, things in 0u32..50_000) {
            let hasher = FixedState::with_seed(seed);
            let mut distinct = Distinct::new();
            (0..things).for_each(|n| distinct.see(hasher.hash_one(n)));
            let before = distinct.count();
            (0..things).for_each(|n| distinct.see(hasher.hash_one(n)));
            prop_assert_eq!(distinct.count(), before, "what was seen before adds nothing");
            let error = (before as f64 - f64::from(things)).abs();
            prop_assert!(error <= SIGMAS * 0.092 * f64::from(things) + 1.0, "{before} of {things}");
        }
    }

    #[test]
    fn one_window_slides_and_a_short_one_ends_sooner() {
        let mut recent = Recent::new();
        let hasher = FixedState::with_seed(1);
        (0..20_u32).for_each(|n| recent.see(hasher.hash_one(n), 200_000 + n));
        let told = [(200_019, 300), (200_019, 10), (200_309, 300), (200_400, 300)]
            .map(|(now, window)| recent.count(now, window));
        assert!((18.0..=22.0).contains(&told[0]) && (9.0..=11.0).contains(&told[1]), "{told:?}");
        assert!((8.0..=11.0).contains(&told[2]) && told[3] == 0.0, "{told:?}");
    }

    #[test]
    fn a_full_sketch_says_its_greatest_number() {
        let mut recent = Recent::new();
        (0..10_000_u64).for_each(|thing| recent.see(thing, 200_000));
        assert!(recent.count(200_000, 10) >= Recent::MOST - 1.0);
    }
}
