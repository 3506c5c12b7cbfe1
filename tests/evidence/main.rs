//! Evidence beyond one flow: what raises an incident and what does not, what memory it takes, and what replay and the daemon
//! make of it.

#[path = "../util/mod.rs"]
mod util;

mod model;
mod stage;
