//! The traces of the benchmarks, from a seed: `mixed` for everyday work, the others for one limit each.
//!
//! Called by the `bench-traces` program and by the tests. Every trace is told as conversations, streams to its output
//! packet by packet, and has the same bytes for the same seed and scale on every machine.

mod draw;
mod mixed;
mod uniform;
mod writer;

use std::io::{self, Write};

use writer::Writer;

/// What a trace is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ten minutes of a busy node: see [`mixed`].
    Mixed,
    /// Frames of 60 bytes, flows of ten packets, 100,000 live at once and visited at random: every packet misses the
    /// caches.
    Small,
    /// A SYN flood: flows of one packet whose feature vectors are all the same.
    Flood,
    /// Flows that are all live at the end: what one costs in memory.
    Live,
}

/// What has been written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Frames.
    pub(crate) packets: u64,
    /// Bytes of all frames, without the file's headers.
    pub(crate) bytes: u64,
    /// Conversations.
    pub(crate) flows: u64,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 4] = [Self::Mixed, Self::Small, Self::Flood, Self::Live];

    /// Its name, and the stem of its file's.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Small => "small",
            Self::Flood => "flood",
            Self::Live => "live",
        }
    }

    /// Writes the trace. `scale` multiplies the number of conversations; at 1 there are about 3 million packets in
    /// `mixed`, 4 in `small`, 1 in `flood`, 3 in `live`. The span of time stays the same in `mixed`, so that timeouts occur
    /// in a small one too.
    pub(crate) fn write(self, seed: u64, scale: f64, output: impl Write) -> io::Result<Totals> {
        let writer = Writer::new(output)?;
        match self {
            Self::Mixed => mixed::write(seed, scale, writer),
            Self::Small => uniform::small(seed, scale, writer),
            Self::Flood => uniform::flood(seed, scale, writer),
            Self::Live => uniform::live(seed, scale, writer),
        }
    }
}

/// A number of conversations at a scale: at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a few millions at most")]
fn scaled(count: i64, scale: f64) -> i64 {
    ((count as f64 * scale).round() as i64).max(1)
}

/// µs as seconds.
#[expect(clippy::cast_precision_loss, reason = "a few hours in µs")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
