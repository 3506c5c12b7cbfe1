//! The data path with its threads: sources, shards, stages, and how they stop.
//!
//! ```text
//!                        one worker: all of this in the reading thread
//! source -> dissector -> clock -> shard: table -> stage -> reorder -> deliver
//!                        N workers: bounded channels carry batches
//! source -> dissector -> clock =batches=> N shards =released=> merge -> deliver
//! ```

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod alerting;
mod by_end;
mod counters;
mod detect;
mod flow_lines;
mod flow_log;
mod interface_names;
pub mod limits;
mod live;
mod merged;
mod offline;
mod reorder;
mod shard;
mod summary;

pub use alerting::{Alerting, IncidentCounts, Outcome, Taken, Told, identity_of, policy_of};
pub use by_end::ByEnd;
pub use counters::{PacketCounters, Totals, Unclassified, Verdicts};
pub use detect::{Detector, Judge, Judged, Passed};
pub use flow_lines::{FlowLines, FlowLinesError, flow_lines};
pub use live::{Live, LiveEnd, LiveInterface, Lookout, Stop, Telemetry};
pub use merged::Merged;
pub use offline::{Offline, OfflineError};
pub use reorder::Order;
pub use shard::Stage;
pub use summary::{Imbalance, Summary};
