//! The report of a training run for people.

use crate::train::{self, FoldFigures, Report};

/// Leaks first, then how the model was made, its figures, and what guards them.
pub(super) fn summary(report: &Report, bytes: usize) -> String {
    let thresholds: Vec<String> =
        report.alert_thresholds.iter().map(|(label, least)| format!("{label} {least}")).collect();
    let all_points = report.all_points_macro_f1.map_or_else(|| "-".to_owned(), |f1| format!("{f1:.4}"));
    let siblings = if report.folds.len() > 1 {
        "fits without the flows that they judge"
    } else {
        "fit without the flows held back"
    };
    format!(
        "{}model     {} {}, {}, {bytes} bytes, SHA-256 {}\n\
         data      {}\n\
         {}{}{}\n{}{}\n\
         all points kept: macro-F1 {all_points} on the same flows\n\
         alert thresholds, chosen on the validation flows: {}\n\
         The figures are those of the {siblings}; the model is fitted on all flows by the same recipe.\n\n\
         {}\n{}",
        train::leak_text(&report.leaks, true),
        report.name,
        report.version,
        report.engine,
        report.sha256,
        report.trained_on,
        split(report),
        resampled(report),
        notes(report),
        train::text(&report.validation),
        folds(&report.folds),
        thresholds.join(", "),
        report.novelty.text(report.validation.flows),
        train::leak_text(&report.leaks, false),
    )
}

/// What is held back, with counts.
fn split(report: &Report) -> String {
    let fitted = match &report.folds[..] {
        [_] => format!("fitted on {} flows", report.training_flows),
        folds => format!("{} fits on {} flows in the mean", folds.len(), report.training_flows),
    };
    format!(
        "split     {}: {fitted}, measured on {}; {} more repeat a training flow and are not counted\n",
        report.split.text, report.validation_flows, report.repeated_flows,
    )
}

fn resampled(report: &Report) -> String {
    let Some(text) = report.resample.text() else { return String::new() };
    let points: Vec<String> = report.fitted_points.iter().map(|(label, count)| format!("{label} {count}")).collect();
    format!("resampled {text}: points {}\n", points.join(", "))
}

fn notes(report: &Report) -> String {
    report.training_notes.iter().map(|note| format!("note      {note}\n")).collect()
}

/// A table of folds, if there are several.
fn folds(folds: &[FoldFigures]) -> String {
    if folds.len() < 2 {
        return String::new();
    }
    let name = |fold: &FoldFigures| fold.name.clone().unwrap_or_default();
    let width = folds.iter().map(|fold| name(fold).chars().count()).max().unwrap_or(0).max("held back".len());
    let mut out = format!(
        "\n{:width$}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>9}  {:>12}  {:>13}\n",
        "held back",
        "fitted",
        "measured",
        "repeated",
        "macro-F1",
        "accuracy",
        "false pos.",
        "benign novel",
        "attacks novel"
    );
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let percent = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{:.3} %", value * 100.0));
    for fold in folds {
        let unseen = if fold.unseen_labels.is_empty() {
            String::new()
        } else {
            format!("  never fitted: {}", fold.unseen_labels.join(", "))
        };
        out += &format!(
            "{:width$}  {:>8}  {:>8}  {:>8}  {:>8}  {:>8}  {:>10}  {:>12}  {:>13}{unseen}\n",
            name(fold),
            fold.training_flows,
            fold.validation_flows,
            fold.repeated_flows,
            number(fold.macro_f1),
            number(fold.accuracy),
            percent(fold.false_positive_rate),
            percent(fold.novelty.benign_rate),
            percent(fold.novelty.attack_rate),
        );
    }
    out
}
