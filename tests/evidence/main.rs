//! Evidence beyond one flow: what raises an incident and what does not, what memory it takes, how thresholds are learnt, and what
//! replay and the daemon make of it.

#[path = "../util/daemon.rs"]
mod daemon;
#[path = "../util/mod.rs"]
mod util;

mod learning;
mod live;
mod model;
mod replay;
mod stage;
