//! How a test says that it cannot run here.

#![allow(unreachable_pub, dead_code, reason = "a module of several test binaries")]

use std::io::Write as _;

/// Says that the running test is skipped, and why. `make test` collects the reasons and lists them at its end, since
/// test runners hide what a passing test prints.
///
/// ```ignore
/// if !tool.exists() {
///     return skipped("tcpdump is not installed");
/// }
/// ```
pub fn skipped(reason: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {reason}\n", thread.name().unwrap_or("a test"));
    eprint!("skipped: {line}");
    if let Some(path) = std::env::var_os("SKIPPED_TESTS") {
        // One write call, so that lines of parallel tests do not mix.
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("the reason could not be noted: {error}");
        }
    }
}
