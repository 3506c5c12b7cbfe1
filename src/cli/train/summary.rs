//! The report of a training run for people.

use crate::features::{FeatureId, Profile};
use crate::train::{self, FoldFigures, Ranked, Report, Selection};

/// Leaks first, then how the model was made, its figures, and what guards them.
pub(super) fn summary(report: &Report, profile: Profile, bytes: usize) -> String {
    let thresholds: Vec<String> =
        report.alert_thresholds.iter().map(|(label, least)| format!("{label} {least}")).collect();
    let all_points = report.all_points_macro_f1.map_or_else(|| "-".to_owned(), |f1| format!("{f1:.4}"));
    let siblings = if report.folds.len() > 1 {
        "fits without the flows that they judge"
    } else {
        "fit without the flows held back"
    };
    format!(
        "{}{}model     {} {}, {}, {bytes} bytes, SHA-256 {}\n\
         data      {}\n\
         {}{}{}{}{}\n{}{}\n\
         all points kept: macro-F1 {all_points} on the same flows\n\
         alert thresholds, chosen on the validation flows: {}\n\
         The figures are those of the {siblings}; the model is fitted on all flows by the same recipe.\n\n\
         {}\n{}",
        report.leaky.as_ref().map(|line| format!("{line}\n")).unwrap_or_default(),
        train::leak_text(&report.leaks, true),
        report.name,
        report.version,
        report.engine,
        report.sha256,
        report.trained_on,
        served(report, profile),
        report.selection.as_ref().map(selected).unwrap_or_default(),
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

/// A line on who can run a model that reads columns which the profiles compute differently, if it reads any.
fn served(report: &Report, profile: Profile) -> String {
    if report.portable_only {
        return String::new();
    }
    let columns = || report.features.iter().filter_map(|name| FeatureId::named_or_identity(name));
    if columns().any(|id| id.identity().is_some()) {
        return "served    no profile: `run` and `replay` refuse a model that reads where or when a flow was\n"
            .to_owned();
    }
    let differ = columns().map(|id| id.feature()).filter(|feature| !feature.portable);
    let differ: Vec<String> = differ.map(|feature| format!("`{}`", feature.column)).collect();
    let refused =
        if profile == Profile::Standard { "" } else { "; `run` and `replay`, whose flows are `standard`, refuse it" };
    format!("served    `{profile}` flows only, as the profiles compute {} differently{refused}\n", differ.join(", "))
}

/// Every candidate column with its measure.
fn selected(found: &Selection) -> String {
    let kept = found.ranking.iter().filter(|ranked| ranked.kept).count();
    let line = |ranked: &Ranked| {
        format!("  {} {:>9.6}  {}\n", if ranked.kept { "kept" } else { "    " }, ranked.value, ranked.column)
    };
    format!(
        "columns   {kept} of {} by {} on {} training flows\n{}",
        found.ranking.len(),
        found.by,
        found.flows,
        found.ranking.iter().map(line).collect::<String>()
    )
}
