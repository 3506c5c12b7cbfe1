//! The node's binary stays lean: the default build has a ceiling on crates.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_default_build_has_at_most_250_crates() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("cargo tree prints text");
    let crates: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    println!("{} crates", crates.len());
    assert!(crates.contains(&("flowshrike", concat!("v", env!("CARGO_PKG_VERSION")))), "not our tree:\n{tree}");
    assert!(crates.len() <= CEILING, "{} crates; the default build may have {CEILING}", crates.len());
}

/// DESIGN: the default build is capture, detection, training and evaluation. Each crate more is code that runs
/// with the right to capture on a node.
const CEILING: usize = 250;
