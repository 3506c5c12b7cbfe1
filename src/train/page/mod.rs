//! An [`Assessment`] as one HTML page: tables and plots, light and dark, no script and nothing from a network.
//!
//! Every name comes from a file and is escaped. The same figures give the same bytes.

mod html;
mod view;

use html::{figure, table};

use super::assessment::Assessment;
use super::grouping::Truth;
use super::judged::Judged;
use super::plot::{Bar, Caption, Histogram, Panel, STYLE, bars, escape};
use super::report::{number, percent};
use super::summary::{interval, percent_with_interval, with_interval};
use super::views::Seen;
use crate::dataset::Texts;
use crate::model::{Model, leaky_line};
use crate::taxonomy::is_benign;

/// The page. `labels` is the model's label of each distinct cell of `cells`.
#[must_use]
pub fn page(model: &Model, found: &Assessment, judged: &Judged, labels: &[Option<String>], cells: &Texts) -> String {
    let name = format!("{} {}", model.name(), model.version());
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{0}: evaluation</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{0} on {1} labelled flows</h1>\n\
         <p class=\"soft\">SHA-256 {2}. Trained on: {3}</p>\n<p class=\"soft\">Rows scored here: SHA-256 {4}.</p>\n",
        escape(&name),
        found.figures.flows,
        escape(model.sha256()),
        escape(model.trained_on()),
        escape(&found.data_sha256),
    );
    let leaky = leaky_line(&model.leaky());
    out += &warnings(&leaky.iter().chain(&found.warnings).collect::<Vec<_>>());
    out += "<nav aria-label=\"Sections\"><a href=\"#binary\">Binary</a><a href=\"#stages\">Stages</a><a href=\"#labels\">Labels</a>\
            <a href=\"#scenarios\">Scenarios</a>";
    out += if found.importance.is_some() { "<a href=\"#importance\">Importance</a>" } else { "" };
    out += "<a href=\"#novelty\">Novelty</a></nav>\n";
    out += &first_figures(found);
    for (id, seen) in found.views.named() {
        let title = match id {
            "binary" => "Attack or benign",
            "stages" => "By stage",
            _ => "By label",
        };
        out += &format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n");
        out += &match seen {
            Seen::Figures { figures, .. } => view::view(id, figures),
            Seen::Not { why, .. } => format!("<p>Not available: {}.</p>\n", escape(&why.reason)),
        };
        out += "</section>\n";
    }
    out += &scenarios(found);
    out += &importance(found);
    out += &novelty(found, judged, Truth { cells, labels });
    out + "</main>\n</body>\n</html>\n"
}

fn warnings(warnings: &[&String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let items: String = warnings.iter().map(|warning| format!("<li>{}</li>\n", escape(warning))).collect();
    format!("<div class=\"warnings\" role=\"note\">\n<strong>Before the figures</strong>\n<ul>\n{items}</ul>\n</div>\n")
}

fn first_figures(found: &Assessment) -> String {
    let (figures, own) = (&found.figures, &found.own);
    let alerts = &figures.alerts;
    let caught = own_share(alerts.attacks_alerted, alerts.attack_flows);
    let hourly = &found.alerts_per_hour;
    let an_hour = hourly.false_alerts.map_or_else(
        || format!("not known: {}", escape(hourly.reason.as_deref().unwrap_or("give --hours"))),
        |rate| {
            let by = hourly.captures.map_or_else(String::new, |n| format!(" of {n} captures, by the flows' times"));
            format!("{rate:.3}, over {:.3} h{by}, before repetitions are held back", hourly.hours.unwrap_or_default())
        },
    );
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let rows = vec![
        row("Macro-F1, by the model's labels", with_interval(figures.macro_f1, own.macro_f1_interval)),
        row("Accuracy", with_interval(figures.accuracy, own.accuracy_interval)),
        row("Attack flows above the alert threshold", caught),
        row(
            "Benign flows above the alert threshold",
            percent_with_interval(alerts.false_alert_rate, alerts.false_alert_rate_interval)
                + &format!(", {} of {}", alerts.false_alerts, figures.benign_flows),
        ),
        row("False alerts an hour of capture", an_hour),
        row("Benign flows called an attack, whatever the score", percent(figures.false_positive_rate)),
        row("Values that were not finite and read as 0", figures.non_finite.to_string()),
    ];
    "<h3>In short</h3>\n".to_owned()
        + &table(&["Figure", "Value (95 % interval)"], &rows)
        + "<p class=\"soft\">Intervals take flows for independent, which flows of one attack are not: the truth is wider. \
           Shares get Wilson intervals, F1 a bootstrap stratified by true class.</p>\n"
}

fn own_share(part: u64, whole: u64) -> String {
    let (share, around) = (super::metrics::share(part, whole), super::metrics::wilson(part, whole));
    format!("{}, {part} of {whole}", percent_with_interval(share, around))
}

fn scenarios(found: &Assessment) -> String {
    let rows: Vec<Vec<String>> = found
        .figures
        .per_scenario
        .iter()
        .map(|(name, scenario)| {
            vec![
                if name.is_empty() { "(none named)".to_owned() } else { name.clone() },
                scenario.flows.to_string(),
                scenario.attack_flows.to_string(),
                scenario.attacks_alerted.to_string(),
                number(scenario.detection_rate),
                interval(scenario.detection_rate_interval),
                scenario.attacks_novel.to_string(),
                scenario.benign_novel.to_string(),
                scenario.false_alerts.to_string(),
            ]
        })
        .collect();
    let head = [
        "Scenario",
        "Flows",
        "Attacks",
        "Alerted",
        "Detection",
        "95 % interval",
        "Attacks novel",
        "Benign novel",
        "False alerts",
    ];
    format!(
        "<section aria-labelledby=\"scenarios\">\n<h2 id=\"scenarios\">Detection by scenario</h2>\n{}</section>\n",
        table(&head, &rows)
    )
}

fn importance(found: &Assessment) -> String {
    let Some(importance) = &found.importance else { return String::new() };
    let bar = |column: &super::importance::Column| Bar {
        name: column.column.to_owned(),
        series: 0,
        value: Some(column.drop),
        around: Some((column.least, column.most)),
    };
    let all: Vec<Bar> = importance.columns.iter().map(bar).collect();
    let ends = importance.columns.iter().flat_map(|column| [column.least, column.most]);
    let (from, to) = ends.fold((0.0_f64, 0.01_f64), |(from, to), value| (from.min(value), to.max(value)));
    let caption = Caption {
        id: "p-importance",
        title: "Permutation importance",
        description: "One bar a column: how far macro-F1 falls when the column is shuffled, with the least and the greatest fall.",
    };
    let rows: Vec<Vec<String>> = importance
        .columns
        .iter()
        .map(|column| vec![column.column.to_owned(), signed(column.drop), signed(column.least), signed(column.most)])
        .collect();
    format!(
        "<section aria-labelledby=\"importance\">\n<h2 id=\"importance\">What the model reads</h2>\n\
         <p>How far macro-F1 falls from {} when one column is shuffled among {} of the flows: the mean of {} shuffles (seed {}), \
         with the least and the greatest. Of two columns that say the same, neither looks important.</p>\n{}</section>\n",
        number(Some(importance.macro_f1)),
        importance.flows,
        importance.shuffles,
        found.seed,
        figure(
            &bars(caption, &all, from, to, "fall of macro-F1"),
            "",
            &table(&["Column", "Mean", "Least", "Most"], &rows)
        ),
    )
}

fn novelty(found: &Assessment, judged: &Judged, truth: Truth<'_>) -> String {
    let threshold = found.figures.novelty.threshold;
    let mut all: Vec<f64> = judged.verdicts().iter().map(|verdict| f64::from(verdict.novelty)).collect();
    all.sort_by(f64::total_cmp);
    let high = all.get(all.len().saturating_sub(1) * 995 / 1000).copied().unwrap_or(0.0);
    let to = high.max(threshold * 1.5).max(1e-6);
    let of = |attack: bool| {
        let rows = judged.verdicts().iter().enumerate();
        let rows = rows.filter(|(row, _)| truth.of(*row).is_some_and(is_benign) != attack);
        rows.map(|(_, verdict)| f64::from(verdict.novelty)).collect::<Vec<f64>>()
    };
    let panels: Vec<(&str, usize, Vec<f64>)> = vec![("benign flows", 0, of(false)), ("attack flows", 1, of(true))];
    let rows: Vec<Vec<String>> = panels.iter().map(|(name, _, values)| distances(name, values, threshold)).collect();
    let histogram = Histogram {
        caption: Caption {
            id: "p-novelty",
            title: "Novelty of benign and attack flows",
            description: "Two histograms of the distance to the nearest benign point, with the threshold as a line.",
        },
        axis: "distance to the nearest benign point",
        to,
        threshold,
        panels: panels
            .into_iter()
            .map(|(name, series, values)| Panel {
                name: name.to_owned(),
                series,
                flows: Histogram::count(values.into_iter(), to),
            })
            .collect(),
    };
    let head = ["Flows", "Count", "Median", "99 %", "Greatest", "Novel", "Share novel"];
    format!(
        "<section aria-labelledby=\"novelty\">\n<h2 id=\"novelty\">Novelty</h2>\n\
         <p>Flows by their distance to the nearest benign point, on a logarithmic scale; the last bar holds all that is farther. Beyond \
         {threshold} a flow is novel, whatever its label.</p>\n{}</section>\n",
        figure(&histogram.draw(), "", &table(&head, &rows)),
    )
}

fn distances(name: &str, values: &[f64], threshold: f64) -> Vec<String> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| number(sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied());
    let novel = sorted.iter().filter(|&&value| value > threshold).count() as u64;
    let whole = sorted.len() as u64;
    let share = percent(super::metrics::share(novel, whole));
    vec![name.to_owned(), whole.to_string(), at(50), at(99), at(100), novel.to_string(), share]
}

fn signed(value: f64) -> String {
    format!("{value:.4}")
}
