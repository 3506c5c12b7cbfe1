//! Evidence beyond one flow, on labelled flows: [`learn`](learn()) sets its thresholds, [`compare`](compare()) shows what it adds.
//!
//! Both need to know who talked to whom and when, which files say and no model reads. Each capture is replayed by itself, its
//! flows in the order of their ends, as the daemon sees them.

mod compare;
mod learn;
mod peaks;
mod replay;

pub use compare::{Compared, LabelCompared, Lines, MacroF1, Raised, ScenarioCompared, compare, compared_text};
pub use learn::{EvidenceLearnt, KindLearnt, KindReport, child, learn, learnt_text};
pub use replay::{EvidenceError, columns};
