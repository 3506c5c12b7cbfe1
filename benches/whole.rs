//! The whole program beside its peers: `make bench`. See `whole/mod.rs`.

#[path = "../tests/util"]
#[allow(dead_code, unreachable_pub, reason = "shared with tests, which use other parts")]
mod util {
    pub mod netns;
    pub mod skip;
}
#[path = "whole/mod.rs"]
mod whole;

fn main() -> std::process::ExitCode {
    whole::main()
}
