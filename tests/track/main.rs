//! Records of runs: a folder in MLflow's layout, a registry's models, servers that fail, records that wait. A real MLflow server is
//! asked by `make track-test`.

#[path = "../util/program.rs"]
mod program;
#[path = "../util/mod.rs"]
mod util;

mod bench;
mod faults;
mod folder;
mod server;
