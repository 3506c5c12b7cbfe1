//! Figures from truth, predictions and scores: pure functions, with scikit-learn's definitions and `zero_division=0`.
//!
//! `views` calls them on a model's verdicts; `make sklearn` holds them against `sklearn.metrics` on random cases. Classes are
//! positions `0..n`; nothing here knows a label's name, a model or a file. A figure without flows behind it is `None`.

mod calibration;
mod confusion;
mod information;
mod interval;
mod ranking;

pub use calibration::{BINS, Bin, Reliability, brier, log_loss};
pub use confusion::{Averages, Class, Confusion};
pub use information::mutual_information;
pub use interval::{Bootstrap, DRAWS, Interval, wilson};
pub use ranking::{Point, Ranking};

/// `part / whole`; `None` without a whole.
pub(in crate::train) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
