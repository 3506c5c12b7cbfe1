//! The command line of the runner.

use std::path::PathBuf;

/// Measure the whole program beside tcpdump and its peers
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "whole")]
pub(crate) struct Options {
    /// Where the traces are (FOLDER/traces), and where figures and scratch files go
    #[arg(long, default_value = "target/bench")]
    pub(crate) folder: PathBuf,

    /// How often each contestant runs
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Another capture in place of the generated `mixed`
    #[arg(long, value_name = "PATH")]
    pub(crate) trace: Option<PathBuf>,

    /// Another capture in place of the generated `small`
    #[arg(long, value_name = "PATH")]
    pub(crate) small: Option<PathBuf>,

    /// Write rows to a file in the folder instead of /dev/null: what the disk takes is then part of the figures
    #[arg(long)]
    pub(crate) to_file: bool,

    /// Leave out other flow tools
    #[arg(long)]
    pub(crate) no_peers: bool,

    /// Leave out what needs network namespaces
    #[arg(long)]
    pub(crate) no_live: bool,

    /// How often each live contestant runs
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) live_rounds: u32,

    /// Packets sent in each live run, from the beginning of the mixed trace
    #[arg(long, default_value_t = 2_000_000)]
    pub(crate) live_packets: u64,

    /// The binary to measure
    #[arg(long, default_value = env!("CARGO_BIN_EXE_flowshrike"))]
    pub(crate) binary: PathBuf,

    /// What `cargo bench` passes to every benchmark
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}
