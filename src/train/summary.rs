//! An [`Assessment`] as a table for people: warnings first.

use super::assessment::Assessment;
use super::metrics::Interval;
use super::report::{number, percent, text};
use super::views::{Figures, Seen};

/// The text of `evaluate`, without the line on the model.
#[must_use]
pub fn summary(found: &Assessment) -> String {
    let mut out = String::new();
    for warning in &found.warnings {
        out += &format!("warning: {warning}\n");
    }
    if !found.warnings.is_empty() {
        out.push('\n');
    }
    out += &text(&found.figures);
    out += &hourly(found);
    out += &scenarios(found);
    for (name, seen) in found.views.named() {
        out += &match seen {
            Seen::Figures { figures, .. } => view(name, figures),
            Seen::Not { why, .. } => format!("\nview {name}: not available: {}\n", why.reason),
        };
    }
    if let Some(importance) = &found.importance {
        out += &format!(
            "\nfall of macro-F1 when a column is shuffled ({} flows, mean of {} shuffles, least to most)\n",
            importance.flows, importance.shuffles
        );
        for column in &importance.columns {
            let (least, most) = (column.least, column.most);
            out += &format!("{:28}  {:>8.4}  {least:>8.4} to {most:.4}\n", column.column, column.drop);
        }
    }
    out
}

fn hourly(found: &Assessment) -> String {
    let hourly = &found.alerts_per_hour;
    match (hourly.false_alerts, hourly.alerts, hourly.hours) {
        (Some(wrong), Some(all), Some(hours)) => {
            let by = match hourly.captures {
                Some(captures) => format!("{hours:.3} h of {captures} captures, by the flows' times,"),
                None => format!("{hours} h"),
            };
            format!("alerts an hour       {all:.3}, of them {wrong:.3} false, over {by} and before suppression\n")
        }
        _ => hourly
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!("alerts an hour       not known: {reason}\n")),
    }
}

fn scenarios(found: &Assessment) -> String {
    let scenarios = &found.figures.per_scenario;
    let width = scenarios.keys().map(|name| name.chars().count()).max().unwrap_or(0).max("scenario".len());
    let mut out = format!(
        "\n{:width$}  {:>8}  {:>8}  {:>8}  {:>9}  {:>17}  {:>8}  {:>12}\n",
        "scenario", "flows", "attacks", "alerted", "detection", "95 % interval", "novel", "false alerts"
    );
    for (name, scenario) in scenarios {
        out += &format!(
            "{name:width$}  {:>8}  {:>8}  {:>8}  {:>9}  {:>17}  {:>8}  {:>12}\n",
            scenario.flows,
            scenario.attack_flows,
            scenario.attacks_alerted,
            number(scenario.detection_rate),
            interval(scenario.detection_rate_interval),
            scenario.attacks_novel + scenario.benign_novel,
            scenario.false_alerts,
        );
    }
    out
}

fn view(name: &str, figures: &Figures) -> String {
    let width = figures.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("class".len());
    let averages = |average: Option<super::metrics::Averages>| {
        [average.map(|a| a.precision), average.map(|a| a.recall), average.map(|a| a.f1)].map(number).join(" ")
    };
    let mut out = format!(
        "\nview {name}: accuracy {} ({}), balanced {}, macro-F1 {} ({})\n\
         precision, recall, F1: macro {}, weighted {}\n\
         macro ROC-AUC {}, macro average precision {}, Brier {} (0 to 2), log loss {}, calibration error {}\n\
         {:width$}  {:>7}  {:>17}  {:>7}  {:>17}  {:>7}  {:>17}  {:>8}  {:>7}  {:>7}\n",
        number(figures.accuracy),
        interval(figures.accuracy_interval),
        number(figures.balanced_accuracy),
        number(figures.macro_average.map(|average| average.f1)),
        interval(figures.macro_f1_interval),
        averages(figures.macro_average),
        averages(figures.weighted_average),
        number(figures.macro_roc_auc),
        number(figures.macro_average_precision),
        number(figures.brier),
        number(figures.log_loss),
        number(figures.calibration.ece),
        "class",
        "prec.",
        "95 % interval",
        "recall",
        "95 % interval",
        "F1",
        "95 % interval",
        "flows",
        "ROC-AUC",
        "AP",
    );
    for name in &figures.classes {
        let Some(class) = figures.per_class.get(name) else { continue };
        out += &format!(
            "{name:width$}  {:>7}  {:>17}  {:>7}  {:>17}  {:>7}  {:>17}  {:>8}  {:>7}  {:>7}\n",
            number(class.precision),
            interval(class.precision_interval),
            number(class.recall),
            interval(class.recall_interval),
            number(class.f1),
            interval(class.f1_interval),
            class.support,
            number(class.roc_auc),
            number(class.average_precision),
        );
    }
    out
}

/// `low to high`, or a dash.
pub(super) fn interval(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "-".to_owned(), |interval| format!("{:.4} to {:.4}", interval.low, interval.high))
}

/// Both, for the page.
pub(super) fn with_interval(value: Option<f64>, around: Option<Interval>) -> String {
    match (value, around) {
        (Some(_), Some(_)) => format!("{} ({})", number(value), interval(around)),
        _ => number(value),
    }
}

/// A share of 1 in percent with its interval.
pub(super) fn percent_with_interval(value: Option<f64>, around: Option<Interval>) -> String {
    let ends = around.map(|ends| format!(" ({:.3} to {:.3} %)", ends.low * 100.0, ends.high * 100.0));
    percent(value) + &ends.unwrap_or_default()
}
