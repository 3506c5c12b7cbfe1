//! Documents that people read: what they link to is there, and every target of the Makefile that they name exists.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn relative_links_lead_somewhere() {
    let mut dead = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page is readable");
        for target in links(&text).filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap_or_default();
            if !page.parent().expect("a page has a folder").join(file).exists() {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "links to nothing:\n{}", dead.join("\n"));
}

#[test]
fn make_has_every_target_that_a_page_names() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the Makefile is readable");
    let mut unknown = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page is readable");
        // In a code line or between back-quotes: prose may say what it wants to make.
        let commands = text.split(['`', '\n']).filter_map(|piece| piece.trim().strip_prefix("make "));
        for target in commands.filter_map(|rest| rest.split_whitespace().next()) {
            let target = target.trim_end_matches([',', '.', ';']);
            if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
                unknown.push(format!("{}: make {target}", page.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "no such target:\n{}", unknown.join("\n"));
}

#[test]
fn a_dead_link_is_found() {
    let found: Vec<_> = links("see [a](docs/a.md#x), [b](https://example.org) and `[not](a link)`").collect();
    assert_eq!(found, ["docs/a.md#x", "https://example.org"]);
}

/// Link targets outside of code spans.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split('`').step_by(2);
    prose.flat_map(|piece| piece.split("](").skip(1).filter_map(|rest| rest.split(')').next()))
}

fn pages() -> Vec<PathBuf> {
    let in_folder = |folder: PathBuf| {
        let entries = fs::read_dir(folder).expect("the folder is readable");
        entries.map(|entry| entry.expect("the folder is readable").path()).collect::<Vec<_>>()
    };
    let mut pages: Vec<_> = in_folder(root()).into_iter().chain(in_folder(root().join("docs"))).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    assert!(pages.iter().any(|page| page.ends_with("README.md")), "no pages found");
    pages
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}
