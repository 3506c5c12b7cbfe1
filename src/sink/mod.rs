//! Where lines go, the standard output or a file, and flows, a lake. What could not be written is said, by reason, never hidden.
//!
//! The pipeline's sink thread owns a [`LineSink`], pushes the lines of a batch and flushes once; the alert stage
//! hears of the lines that were lost. Formats are not known here.

mod lake;
mod lines;
mod parquet;
mod throttle;

pub use lake::{Lake, LakeCounts, LakeError, LakeLoss, LakeRow, LakeSettings, LakeSink, RunningLake};
pub use lines::{Flushed, LineSink, LossReason, SinkError};
pub use parquet::{Detail, FlowValues, ParquetFlows, ParquetFlowsError, VerdictValues};
pub use throttle::Throttle;
