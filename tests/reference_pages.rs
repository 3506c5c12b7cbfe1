//! The generated pages under docs/ say what the program does.
//!
//! `UPDATE_DOCS=1 cargo test --test reference_pages` writes them anew.

use std::path::Path;

#[test]
fn the_configuration_page_is_current() {
    current("configuration.md", &flowshrike::config::reference_page());
}

#[test]
fn the_metrics_page_is_current() {
    let metrics = flowshrike::telemetry::Metrics::new().expect("metrics");
    let model = flowshrike::model::Model::embedded().expect("the default model");
    let service =
        flowshrike::telemetry::ServiceMetrics::new(&flowshrike::pipeline::identity_of(&model)).expect("metrics");
    current("metrics.md", &(metrics.reference_page() + &service.reference_section()));
}

#[test]
fn the_taxonomy_page_is_current() {
    current("taxonomy.md", &flowshrike::taxonomy::reference_page());
}

fn current(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("docs/ can be made");
        std::fs::write(&path, generated).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "docs/{name} is stale: UPDATE_DOCS=1 cargo test --test reference_pages");
}
