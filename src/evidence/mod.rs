//! Evidence beyond one flow: what many flows of a source or a pair say together, where each looks like any failed connection.
//!
//! [`Evidence`] takes flows with their verdicts, in the order of their ends, and raises incidents; [`Gauges`] is the counting alone,
//! which training asks for. Windows go by packet time. Memory is bounded, and so is the work for a flow. Addresses are state here and
//! never features of a model.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::cast_possible_truncation)]
#![deny(clippy::cast_sign_loss, clippy::panic)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod contact;
mod deadlines;
#[expect(clippy::module_inception, reason = "the type that the layer is named after")]
mod evidence;
mod gauges;
mod incident;
mod rules;
mod sketch;
mod subject;
mod table;
mod window;

pub use contact::{Contact, Exchange, Sight};
pub use evidence::{Cover, Evidence, EvidenceCounts, Found};
pub use gauges::{Gauges, Reading};
pub use incident::{EXAMPLES, Extent, Incident, Report, Step};
pub use sketch::{Distinct, Recent};
pub use subject::Subject;
pub use table::SLOTS;
