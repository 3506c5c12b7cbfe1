//! What the program runs on, section by section.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::error::Origin;
use crate::alert::NovelMode;
use crate::packet::Tunnels;
use crate::privilege::Mode;
use crate::telemetry::{LogFormat, LogLevel};
use crate::time::Micros;

/// All that the daemon can be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where packets come from.
    pub capture: CaptureConfig,
    /// How flows are kept.
    pub flow: FlowConfig,
    /// The model's file; `None` for the one inside the program.
    pub model: Option<PathBuf>,
    /// What is told, and where.
    pub alert: AlertConfig,
    /// Names of addresses.
    pub kubernetes: KubernetesConfig,
    /// Where flows are kept, if anywhere.
    pub lake: Option<LakeConfig>,
    /// The admin server.
    pub admin: AdminConfig,
    /// The metrics listener.
    pub metrics: MetricsConfig,
    /// What the daemon gives up.
    pub sandbox: Mode,
    /// Logs.
    pub log: LogConfig,
    /// Every key's value as text and where it was written, in the order of [`KEYS`](super::KEYS).
    pub settings: Vec<Setting>,
}

/// The `capture` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureConfig {
    /// Names or expressions of interfaces; may be empty.
    pub interfaces: Vec<String>,
    /// Names or expressions of interfaces left out.
    pub exclude: Vec<String>,
    /// A pcap filter.
    pub filter: Option<String>,
    /// Bytes of kernel memory for each ring.
    pub buffer: u64,
    /// Bytes kept of each packet.
    pub snaplen: u32,
    /// Whether to receive frames for others.
    pub promiscuous: bool,
    /// Longest time that the kernel gathers packets.
    pub block_timeout: Micros,
    /// Tunnels that are looked into.
    pub tunnels: Tunnels,
    /// Whether copies of a packet are told from it.
    pub deduplicate: bool,
}

/// The `lake` section of a daemon that keeps flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeConfig {
    /// The folder.
    pub path: PathBuf,
    /// What the files are called; `None` for the host's name.
    pub name: Option<String>,
    /// A file's greatest age.
    pub roll_interval: Micros,
    /// A file's greatest size, in bytes.
    pub roll_size: u64,
}

/// The `flow` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowConfig {
    /// Flows kept at once over all workers; `None` to choose by memory.
    pub max_flows: Option<usize>,
    /// Silence that ends a flow.
    pub idle_timeout: Micros,
    /// Length at which a flow is cut.
    pub active_timeout: Micros,
    /// Age at which an open flow is judged; below `active_timeout`.
    pub early_verdict: Option<Micros>,
    /// Threads that keep flows.
    pub workers: usize,
}

/// The `alert` section.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertConfig {
    /// Where alerts go.
    pub output: AlertOutput,
    /// How long an alert holds others of its kind back; 0 for not at all.
    pub dedup_window: Micros,
    /// The site's thresholds by label, each 0 to 1.
    pub thresholds: BTreeMap<String, f32>,
    /// What becomes of novel flows.
    pub novel: NovelMode,
    /// Whether flows are looked at together where the model can.
    pub incidents: bool,
}

/// Where alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertOutput {
    /// The standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// The `kubernetes` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// Whether addresses get names; `None` where that depends on what is there.
    pub enabled: Option<bool>,
    /// The API server's URL.
    pub api: Option<String>,
    /// The service account's token.
    pub token_file: PathBuf,
    /// Certificates of the API server's authority.
    pub ca_file: PathBuf,
    /// The node whose pods are watched; all without one.
    pub node: Option<String>,
    /// Keys of labels that are told.
    pub labels: Vec<String>,
    /// Bound on pods and services.
    pub max_objects: usize,
}

/// The `admin` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// The address that the server listens on.
    pub listen: SocketAddr,
    /// Whether there is one.
    pub enabled: bool,
}

/// The `metrics` section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsConfig {
    /// The address for scrapers; `None` for no such listener.
    pub listen: Option<SocketAddr>,
    /// Certificate and key; `None` for plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// The token that scrapers must show.
    pub token_file: Option<PathBuf>,
}

/// The `log` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The least urgent messages shown.
    pub level: LogLevel,
    /// How they are written.
    pub format: LogFormat,
}

/// One key as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key's path.
    pub key: &'static str,
    /// Its value, as it may be written in a variable.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}
