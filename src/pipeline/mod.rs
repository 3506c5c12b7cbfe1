//! The data path with its threads: sources, shards, stages, and how they stop.
//!
//! ```text
//!                        one worker: all of this in the reading thread
//! source -> dissector -> clock -> shard: table -> stage -> reorder -> deliver
//!                        N workers: bounded channels carry batches
//! source -> dissector -> clock =batches=> N shards =released=> merge -> deliver
//! ```

mod counters;
pub mod limits;
mod merged;
mod offline;
mod reorder;
mod shard;

pub use counters::{PacketCounters, Totals};
pub use merged::Merged;
pub use offline::{Offline, OfflineError};
pub use reorder::Order;
pub use shard::Stage;
