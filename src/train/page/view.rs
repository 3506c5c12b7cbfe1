//! One view's part of the page: confusion, classes, ROC, precision-recall, calibration.

use super::html::{figure, key, stacked, table};
use crate::train::metrics::Ranking;
use crate::train::plot::{Axis, Bar, Caption, Chart, Line, bars, heat};
use crate::train::report::number;
use crate::train::summary::with_interval;
use crate::train::views::{Figures, OneClass};

/// The figures of one view; `id` keeps the plots' names apart.
pub(super) fn view(id: &str, figures: &Figures) -> String {
    [
        overall(figures),
        confusion(id, figures),
        classes(id, figures),
        roc(id, figures),
        recall(id, figures),
        calibration(id, figures),
    ]
    .concat()
}

fn overall(figures: &Figures) -> String {
    let (plain, weighted) = (figures.macro_average, figures.weighted_average);
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let averages = |average: Option<crate::train::metrics::Averages>| {
        let (precision, recall, f1) = (average.map(|a| a.precision), average.map(|a| a.recall), average.map(|a| a.f1));
        [precision, recall, f1].map(number).join(" / ")
    };
    let rows = [
        row("Accuracy", with_interval(figures.accuracy, figures.accuracy_interval)),
        row("Balanced accuracy", number(figures.balanced_accuracy)),
        row("Macro-F1", with_interval(plain.map(|average| average.f1), figures.macro_f1_interval)),
        row("Macro precision / recall / F1", averages(plain)),
        row("Weighted precision / recall / F1", averages(weighted)),
        row("Macro ROC-AUC", number(figures.macro_roc_auc)),
        row("Macro average precision", number(figures.macro_average_precision)),
        row("Brier score (0 to 2)", number(figures.brier)),
        row("Log loss", number(figures.log_loss)),
        row("Expected calibration error", number(figures.calibration.ece)),
    ];
    table(&["Figure", "Value (95 % interval)"], &rows)
}

fn confusion(id: &str, figures: &Figures) -> String {
    let caption = Caption {
        id: &format!("p-{id}-confusion"),
        title: "Confusion matrix",
        description: "Flows by true class, in rows, and predicted class, in columns. Darker is a greater share of the row.",
    };
    let head: Vec<&str> =
        std::iter::once("True, then predicted").chain(figures.classes.iter().map(String::as_str)).collect();
    let rows = figures.classes.iter().zip(&figures.confusion).map(|(name, row)| {
        std::iter::once(name.clone()).chain(row.iter().map(u64::to_string)).collect::<Vec<String>>()
    });
    let table = table(&head, &rows.collect::<Vec<_>>());
    let place = if figures.classes.len() > BESIDE { stacked } else { figure };
    "<h3>Confusion</h3>\n".to_owned() + &place(&heat(caption, &figures.classes, &figures.confusion), "", &table)
}

fn classes(id: &str, figures: &Figures) -> String {
    let caption = Caption {
        id: &format!("p-{id}-classes"),
        title: "Precision, recall and F1 of each class",
        description: "Three bars a class with 95 % intervals as whiskers.",
    };
    let all = ordered(figures).flat_map(|(name, class)| {
        let bar = |name: &str, series, value, around: Option<crate::train::metrics::Interval>| Bar {
            name: name.to_owned(),
            series,
            value,
            around: around.map(|ends| (ends.low, ends.high)),
        };
        [
            bar(name, 0, class.precision, class.precision_interval),
            bar("", 1, class.recall, class.recall_interval),
            bar("", 2, class.f1, class.f1_interval),
        ]
    });
    let rows = ordered(figures).map(|(name, class)| {
        vec![
            name.to_owned(),
            class.support.to_string(),
            class.predicted.to_string(),
            with_interval(class.precision, class.precision_interval),
            with_interval(class.recall, class.recall_interval),
            with_interval(class.f1, class.f1_interval),
        ]
    });
    let head = ["Class", "Flows", "Predicted", "Precision", "Recall", "F1"];
    let names = key([(0, "precision"), (1, "recall"), (2, "F1")], false);
    let plot = bars(caption, &all.collect::<Vec<_>>(), 0.0, 1.0, "share");
    "<h3>Classes</h3>\n".to_owned() + &stacked(&plot, &names, &table(&head, &rows.collect::<Vec<_>>()))
}

fn roc(id: &str, figures: &Figures) -> String {
    let caption = Caption {
        id: &format!("p-{id}-roc"),
        title: "ROC curves",
        description: "True-positive rate over false-positive rate, each class against all others.",
    };
    let rows = curves(figures, Ranking::roc).into_iter().map(|(_, name, ranking, _)| {
        let at = |rate| number(ranking.recall_at(rate));
        vec![name.to_owned(), number(ranking.roc_auc()), at(0.001), at(0.01), at(0.05), at(0.1)]
    });
    let table =
        table(&["Class", "AUC", "Recall at 0.1 % FPR", "at 1 %", "at 5 %", "at 10 %"], &rows.collect::<Vec<_>>());
    chart("ROC", caption, ("false-positive rate", "true-positive rate"), true, curves(figures, Ranking::roc), &table)
}

fn recall(id: &str, figures: &Figures) -> String {
    let caption = Caption {
        id: &format!("p-{id}-pr"),
        title: "Precision-recall curves",
        description: "Precision over recall, each class against all others.",
    };
    // A step curve: precision of a threshold holds from the recall of the one before.
    let steps = |ranking: &Ranking| {
        let mut before = 0.0;
        let steps = ranking.precision_recall().into_iter().flat_map(|(recall, precision)| {
            let from = std::mem::replace(&mut before, recall);
            [(from, precision), (recall, precision)]
        });
        steps.collect::<Vec<_>>()
    };
    let rows = curves(figures, steps).into_iter().map(|(_, name, ranking, _)| {
        let chance = crate::train::metrics::share(ranking.positives(), ranking.positives() + ranking.negatives());
        vec![name.to_owned(), number(ranking.average_precision()), number(chance)]
    });
    let table = table(&["Class", "Average precision", "By chance"], &rows.collect::<Vec<_>>());
    chart("Precision and recall", caption, ("recall", "precision"), false, curves(figures, steps), &table)
}

/// Series number, name, ranking and points of the classes that have a curve.
type Curves<'f> = Vec<(usize, &'f str, &'f Ranking, Vec<(f64, f64)>)>;

fn curves(figures: &Figures, points: impl Fn(&Ranking) -> Vec<(f64, f64)>) -> Curves<'_> {
    let all = figures.classes.iter().zip(&figures.rankings).enumerate();
    all.map(|(at, (name, ranking))| (at, name.as_str(), ranking, points(ranking)))
        .filter(|(.., points)| !points.is_empty())
        .collect()
}

fn chart(
    title: &str,
    caption: Caption<'_>,
    (x, y): (&str, &str),
    diagonal: bool,
    curves: Curves<'_>,
    table: &str,
) -> String {
    if curves.is_empty() {
        return format!("<h3>{title}</h3>\n<p>No class has flows on both sides.</p>\n");
    }
    let names = key(curves.iter().map(|(at, name, ..)| (*at, *name)), true);
    let lines = curves.into_iter().map(|(series, _, _, points)| Line { series, points, dots: false });
    let (x, y) = (Axis { name: x, to: 1.0 }, Axis { name: y, to: 1.0 });
    let plot = Chart { caption, x, y, diagonal, lines: lines.collect() };
    format!("<h3>{title}</h3>\n{}", figure(&plot.draw(), &names, table))
}

fn calibration(id: &str, figures: &Figures) -> String {
    let caption = Caption {
        id: &format!("p-{id}-calibration"),
        title: "Calibration",
        description: "Share of flows that are right over the mean score of their range; the dotted line is perfect calibration.",
    };
    let used = || figures.calibration.bins.iter().filter(|bin| bin.flows > 0);
    let points: Vec<(f64, f64)> = used().filter_map(|bin| Some((bin.confidence?, bin.accuracy?))).collect();
    let (x, y) = (Axis { name: "mean winning score", to: 1.0 }, Axis { name: "share right", to: 1.0 });
    let plot = Chart { caption, x, y, diagonal: true, lines: vec![Line { series: 0, points, dots: true }] };
    let rows: Vec<Vec<String>> = used()
        .map(|bin| {
            vec![format!("{:.3}", bin.from), bin.flows.to_string(), number(bin.confidence), number(bin.accuracy)]
        })
        .collect();
    let table = table(&["Scores from", "Flows", "Mean score", "Share right"], &rows);
    "<h3>Calibration</h3>\n".to_owned() + &figure(&plot.draw(), "", &table)
}

/// The classes in the order of the matrix.
fn ordered(figures: &Figures) -> impl Iterator<Item = (&str, &OneClass)> {
    figures.classes.iter().filter_map(|name| Some((name.as_str(), figures.per_class.get(name)?)))
}

/// A matrix of more classes is too wide to stand beside its plot.
const BESIDE: usize = 4;
