//! Flows: packets of one five-tuple, kept in a bounded table and handed on when they end.
//!
//! The engine takes packets and times and returns events. It opens no socket, reads no clock, spawns nothing:
//! live capture, replay, tests and fuzzing run the same code.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

mod bulk;
mod clock;
mod community_id;
mod index;
mod key;
mod lists;
mod policy;
mod quota;
mod record;
mod reference;
mod slab;
mod slot;
mod state;
mod stats;
mod table;
mod tcp;
mod timed;
mod tombstone;
mod wheel;

pub use bulk::BulkTotals;
pub use clock::{PacketClock, Reading as ClockReading};
pub use community_id::community_id;
pub use key::{Direction, FiveTuple, FlowHash, FlowHasher, FlowKey};
pub use policy::{Clock, FlowPolicy, Lifecycle};
pub use record::{EndReason, FlowEvent, FlowFacts, FlowRecord};
pub use state::{Activity, DirectionState, FirstPacket, FlagCounts, FlowState, GapStats};
pub use stats::{Moments, RunningStats};
pub use table::{FlowTable, Sighting, TableCounters, TableFull};
