//! Configuration: one optional YAML file, then `FLOWSHRIKE_*` variables, then flags; later ones win, key by key.
//!
//! Two steps: `written` keeps what was said and where, [`Config`] is what the program runs on. One table
//! ([`KEYS`]) names every key with its form, range, default and meaning; the reference page comes from it.

mod error;
mod keys;
mod page;
mod reader;
mod resolve;
mod sections;
mod units;
mod written;

pub use error::{ConfigError, Origin};
pub use keys::{Form, KEYS, Key};
pub use page::reference_page;
pub use sections::{
    AdminConfig, AlertConfig, AlertOutput, CaptureConfig, Config, FlowConfig, KubernetesConfig, LakeConfig, LogConfig,
    MetricsConfig, Setting,
};
pub(crate) use units::parse_duration;
pub use written::Override;
