//! How sure a figure is: 95 % intervals. They take flows for independent; flows of one attack are not, so the truth is wider.

use serde::Serialize;

use super::Confusion;
use crate::train::random::Random;

/// From the lower to the upper end of a 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Percentile intervals (Efron 1979) of what has no closed form: F1 of each class and macro-F1.
///
/// Each draw takes as many flows of each true class as there are, with replacement: the draw is stratified, so a rare class
/// keeps its support.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    /// F1 of each class; a class that a draw lacks has 0 in it, one that the data lacks has `None`.
    pub f1: Vec<Option<Interval>>,
    /// Macro-F1.
    pub macro_f1: Option<Interval>,
}

/// Wilson's score interval (Wilson 1927) of `part` in `whole`; `None` without a whole.
#[must_use]
pub fn wilson(part: u64, whole: u64) -> Option<Interval> {
    if whole == 0 {
        return None;
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    // Exact at the ends, where rounding would leave a trace.
    let low = if part == 0 { 0.0 } else { (centre - half).clamp(0.0, 1.0) };
    let high = if part >= whole { 1.0 } else { (centre + half).clamp(0.0, 1.0) };
    Some(Interval { low, high })
}

impl Bootstrap {
    /// Draws [`DRAWS`] times.
    #[must_use]
    pub fn new(matrix: &Confusion, seed: u64) -> Self {
        let classes = matrix.classes();
        let mut random = Random::new(seed);
        let mut f1 = vec![Vec::with_capacity(DRAWS); classes];
        let mut macro_f1 = Vec::with_capacity(DRAWS);
        for _ in 0..DRAWS {
            let draw = resample(matrix, &mut random);
            for (class, values) in f1.iter_mut().enumerate() {
                values.push(draw.class(class).f1().unwrap_or(0.0));
            }
            macro_f1.extend(draw.macro_average().map(|average| average.f1));
        }
        let occurs = |class: usize| matrix.class(class).occurs();
        let f1 = f1.into_iter().enumerate().map(|(class, values)| percentiles(values).filter(|_| occurs(class)));
        Self { f1: f1.collect(), macro_f1: percentiles(macro_f1) }
    }
}

/// As many flows of each true class, drawn from its row.
fn resample(matrix: &Confusion, random: &mut Random) -> Confusion {
    let mut draw = Confusion::new(matrix.classes());
    for truth in 0..matrix.classes() {
        let row = matrix.row(truth);
        let flows: u64 = row.iter().sum();
        if let Some(only) = row.iter().position(|&cell| cell == flows) {
            draw.add(truth, only, flows);
            continue;
        }
        for _ in 0..flows {
            let mut at = (random.unit() * flows as f64) as u64;
            let cell = row.iter().position(|&cell| {
                let here = at < cell;
                at = at.saturating_sub(cell);
                here
            });
            draw.add(truth, cell.unwrap_or(0), 1);
        }
    }
    draw
}

/// The 2.5th and the 97.5th percentile, linear between neighbours.
fn percentiles(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)? as f64;
    let at = |quantile: f64| {
        let place = quantile * last;
        let below = *values.get(place.floor() as usize)?;
        let above = *values.get(place.ceil() as usize)?;
        Some(below + (above - below) * place.fract())
    };
    Some(Interval { low: at(0.025)?, high: at(0.975)? })
}

/// Draws of a [`Bootstrap`]: the ends then move by about a tenth of the interval from seed to seed.
pub const DRAWS: usize = 1000;
/// The normal distribution's 97.5th percentile.
const Z: f64 = 1.959_963_984_540_054;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Newcombe 1998, table I: the score method for 81 of 263 and 0 of 20.
    #[test]
    fn wilson_gives_published_intervals() {
        let round = |interval: Interval| [interval.low, interval.high].map(|x| (x * 1e4).round() / 1e4);
        assert_eq!(wilson(81, 263).map(round), Some([0.2553, 0.3662]));
        assert_eq!(wilson(0, 20).map(round), Some([0.0, 0.1611]));
        assert_eq!((wilson(0, 0), wilson(20, 20).map(|interval| interval.high)), (None, Some(1.0)));
    }

    #[test]
    fn a_bootstrap_holds_the_figure_repeats_by_seed_and_knows_certainty() {
        let mut matrix = Confusion::new(3);
        for (truth, predicted, flows) in [(0, 0, 90), (0, 1, 10), (1, 1, 20), (1, 0, 5)] {
            matrix.add(truth, predicted, flows);
        }
        let drawn = Bootstrap::new(&matrix, 1);
        for class in 0..2 {
            let (interval, f1) = (drawn.f1[class].expect("flows"), matrix.class(class).f1().expect("flows"));
            assert!(interval.low < f1 && f1 < interval.high, "{interval:?} {f1}");
        }
        assert_eq!(drawn.f1[2], None);
        assert_eq!(drawn, Bootstrap::new(&matrix, 1));
        assert_ne!(drawn, Bootstrap::new(&matrix, 2));
        let mut perfect = Confusion::new(1);
        perfect.add(0, 0, 3);
        assert_eq!(Bootstrap::new(&perfect, 1).macro_f1, Some(Interval { low: 1.0, high: 1.0 }));
    }

    proptest! {
        #[test]
        fn a_wilson_interval_holds_its_share(whole in 1u64..100_000, part in 0.0..=1.0f64) {
            let part = (part * whole as f64) as u64;
            let interval = wilson(part, whole).expect("a whole");
            let share = part as f64 / whole as f64;
            prop_assert!(0.0 <= interval.low && interval.low <= share && share <= interval.high && interval.high <= 1.0);
        }
    }
}
