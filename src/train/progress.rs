//! How long work tells how far it has come, without knowing who listens.

/// Told of a training run's or an evaluation's work as it goes.
pub trait Progress {
    /// A piece of work begins, of so many steps if that is known; the piece before is done.
    fn begin(&self, work: &str, steps: Option<u64>);

    /// So many steps of the piece are done.
    fn step(&self, steps: u64);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn begin(&self, _: &str, _: Option<u64>) {}

    fn step(&self, _: u64) {}
}
