//! The `flowshrike` binary; see the library's `cli` module.

fn main() -> std::process::ExitCode {
    flowshrike::cli::main()
}
