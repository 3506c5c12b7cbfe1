//! Writes the bundled demo capture: `cargo run --example demo-capture -- tests/data/demo-cluster.pcap.gz`.
//!
//! The bytes depend on nothing but this code: a test generates them again and holds them against the file.

#[path = "cluster.rs"]
mod cluster;
#[path = "../util/mod.rs"]
mod util;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: demo-capture OUTPUT.pcap.gz");
        return ExitCode::from(2);
    };
    let file = util::capture_file::gzip(&cluster::capture());
    match std::fs::write(&path, &file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
