//! Flows: packets of one five-tuple, kept in a bounded table and handed on when they end.
//!
//! The engine takes packets and times and returns events. It opens no socket, reads no clock, spawns nothing:
//! live capture, replay, tests and fuzzing run the same code.

mod bulk;
mod community_id;
mod key;
mod policy;
mod record;
mod state;
mod stats;

pub use bulk::BulkState;
pub use community_id::community_id;
pub use key::{Direction, FiveTuple, FlowKey};
pub use policy::{Clock, FlowPolicy, Lifecycle};
pub use record::{EndReason, FlowEvent, FlowRecord};
pub use state::{Activity, DirectionState, FirstPacket, FlagCounts, FlowState, GapStats};
pub use stats::{Moments, RunningStats};
