//! Where packets come from: capture files and live interfaces, behind one trait.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod auto;
mod fanout;
mod file;
mod group;
mod handle;
mod interfaces;
mod live;
mod netlink;
mod observation;
mod opener;
mod select;
mod settings;
mod stats;
mod sys;
#[cfg(test)]
mod testing;

pub use file::{CaptureFile, FileError, FileName};
pub use interfaces::{Interface, Kind, interfaces};
pub use live::LiveCapture;
pub use observation::Observation;
pub use opener::Opener;
pub use select::{ANY, Chosen, SelectError, Selection, select};
pub use settings::{LiveError, LiveSettings};
pub use stats::CaptureStats;

use crate::packet::Frame;

/// Gives frames in the order in which they were captured.
pub trait PacketSource {
    /// What can go wrong while reading.
    type Error;

    /// Hands up to `max` frames to `deliver`, then says how things stand.
    ///
    /// A live source waits at most its block timeout for the first frame; a file never waits.
    ///
    /// # Errors
    /// What stopped the source; the frames before it have been delivered.
    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, deliver: F) -> Result<Progress, Self::Error>;
}

/// How a source stands after a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Frames were delivered; there may be more at once.
    Delivered,
    /// Nothing came within the block timeout (live sources only).
    Idle,
    /// The source has ended (files only).
    End,
}
