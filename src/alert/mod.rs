//! Alerts: from a verdict on a flow to one line that a person can act on.
//!
//! [`AlertStage`] decides (policy, then suppression) and counts; [`Alert`] is what is told, in no format;
//! [`eve`] writes it as Suricata EVE JSON. Nothing here does I/O or reads a clock: time is packet time, and what a
//! sink could not write comes back through [`AlertStage::lost`].

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

#[expect(clippy::module_inception, reason = "the type that the layer is named after")]
mod alert;
pub mod eve;
mod identity;
mod incident;
mod policy;
mod stage;
mod suppression;

pub use alert::{Alert, Grounds, ModelIdentity, Signature};
pub use identity::{Directory, Identities, Knowledge, Owner, Workload};
pub use incident::{IncidentAlert, write_incident};
pub use policy::{AlertPolicy, Judgement, LabelRule, NovelMode, PolicyError};
pub use stage::{AlertCounts, AlertStage, Decision, Emission, Limits, SuppressReason, Ticket};
pub use suppression::DEDUP_WINDOW;
