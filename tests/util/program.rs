//! The built program, run as a user would. Not a part of `util`, which examples use too: only tests know the program's path.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses its own part of this module")]

use std::process::{Command, Output};

/// Runs a command.
pub fn flowshrike(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flowshrike")).args(args).output().expect("the program runs")
}

/// Runs a command that must succeed and gives its standard output.
pub fn succeed(args: &[&str]) -> String {
    let output = flowshrike(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    text(&output.stdout)
}

/// Runs a command that must fail, print nothing to stdout and not panic, and gives what it says.
pub fn fail(args: &[&str]) -> String {
    let output = flowshrike(args);
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{args:?} succeeded");
    assert!(output.stdout.is_empty() && !said.contains("panicked"), "{said}");
    said
}

/// What was printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}
