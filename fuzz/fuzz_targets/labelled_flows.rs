//! Files of labelled flows, of any format, into the reader: it answers without a panic, and under `skip` what it gives are whole
//! rows of finite memory.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use flowshrike::dataset::rules::Rules;
use flowshrike::dataset::{OnBadRow, Query, read};
use flowshrike::features::FeatureId;
use libfuzzer_sys::fuzz_target;

/// The reader takes paths, since archives and Parquet are read from their ends.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("flowshrike-fuzz-{}", std::process::id())));

/// Labels by addresses, ports and windows, for flows of whichever label.
static RULES: LazyLock<Rules> = LazyLock::new(|| {
    let text = "version: 1\ndefault: benign\nrules:\n  - {label: recon, src: 10.0.0.0/8, port: [22, 80], from: +1ms, to: +1h}\n";
    Rules::parse(text).expect("valid rules")
});

fuzz_target!(|input: &[u8]| {
    std::fs::write(&*FILE, input).expect("the folder of temporary files is writable");
    let features: Vec<FeatureId> =
        ["Flow Duration", "SYN Flag Count"].into_iter().filter_map(FeatureId::named).collect();
    for on_bad_row in [OnBadRow::Fail, OnBadRow::Skip] {
        let query = Query {
            data: std::slice::from_ref(&*FILE),
            labels: None,
            label_column: None,
            group_column: None,
            features: &features,
            rules: None,
            identities: true,
            span: true,
            on_bad_row,
        };
        if let Ok(data) = read(&Query { rules: Some(&RULES), ..query.clone() }) {
            assert!((0..data.len()).all(|row| ["recon", "benign"].contains(&data.labels().get(row))));
            assert!((0..data.len()).all(|row| data.row(row).len() == 2 && data.identity(row).is_some()));
        }
        if let Ok(data) = read(&query) {
            assert!(!data.is_empty() && (on_bad_row == OnBadRow::Skip || data.skipped().rows == 0));
            assert!((0..data.len()).all(|row| data.row(row).len() == 2 && !data.labels().get(row).is_empty()));
        }
    }
});
