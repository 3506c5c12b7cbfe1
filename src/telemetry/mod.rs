//! What the daemon says of itself: metrics, logs, heartbeats and readiness. No thread of its own.

mod heartbeat;
pub mod logging;
mod metrics;
mod registrar;
mod service;

pub use heartbeat::{Clock, Heartbeat, Heartbeats, Readiness, StageAge};
pub use logging::{LogFormat, LogLevel};
pub use metrics::{AlertMetrics, InterfaceMetrics, KubernetesMetrics, Metrics, QueueMetrics};
pub use registrar::{Definition, Kind};
pub use service::{RouteMetrics, ServiceMetrics};
