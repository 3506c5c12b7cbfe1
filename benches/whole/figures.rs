//! What several runs of one contestant come to.

use serde::Serialize;

use super::process::Usage;

/// The runs of one contestant, in the order of the rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs(pub(super) Vec<Usage>);

/// A median with its range.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

/// The figures of one row.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Figures {
    pub(super) cpu_seconds: Spread,
    pub(super) wall_seconds: Spread,
    pub(super) peak_mib: f64,
    pub(super) ns_per_packet: f64,
}

impl Runs {
    pub(super) fn figures(&self, packets: u64) -> Option<Figures> {
        let cpu_seconds = Spread::of(self.0.iter().map(|run| run.cpu))?;
        Some(Figures {
            cpu_seconds,
            wall_seconds: Spread::of(self.0.iter().map(|run| run.wall))?,
            peak_mib: self.peak_mib()?,
            ns_per_packet: cpu_seconds.median * 1e9 / packets.max(1) as f64,
        })
    }

    /// The median of the runs' peaks.
    pub(super) fn peak_mib(&self) -> Option<f64> {
        Spread::of(self.0.iter().map(|run| run.peak_mib)).map(|spread| spread.median)
    }

    /// The median over the rounds of one figure beside the same figure of another contestant.
    pub(super) fn over(&self, other: &Self, figure: impl Fn(&Usage) -> f64) -> Option<f64> {
        Spread::of(self.0.iter().zip(&other.0).map(|(own, other)| figure(own) / figure(other)))
            .map(|spread| spread.median)
    }
}

impl Spread {
    /// None of nothing.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = |at: usize| values.get(at).copied();
        let (upper, lower) = (middle(values.len() / 2)?, middle(values.len().saturating_sub(1) / 2)?);
        Some(Self { median: f64::midpoint(upper, lower), least: *values.first()?, greatest: *values.last()? })
    }
}
