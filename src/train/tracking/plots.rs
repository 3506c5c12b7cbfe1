//! Plots that stand alone as SVG files, for trackers that show pictures.

use super::RunFile;
use crate::train::evaluate::Evaluation;
use crate::train::plot::{Bar, Caption, alone, bars, heat};
use crate::train::report::Report;

/// A plot under its name.
pub(super) struct Plot {
    name: &'static str,
    svg: String,
}

impl Plot {
    /// As a file of a run.
    pub(super) fn file(self) -> RunFile {
        RunFile { path: format!("plots/{}.svg", self.name), bytes: alone(&self.svg).into_bytes() }
    }
}

/// Confusion, and precision, recall and F1 of each class.
pub(super) fn of(found: &Evaluation) -> [Plot; 2] {
    let names: Vec<String> = found.per_class.keys().cloned().collect();
    let cell = |truth: &String, said: &String| found.confusion.get(truth).and_then(|row| row.get(said)).copied();
    let row = |truth: &String| names.iter().map(|said| cell(truth, said).unwrap_or(0)).collect::<Vec<u64>>();
    let rows: Vec<Vec<u64>> = names.iter().map(row).collect();
    let confusion = Caption {
        id: "confusion",
        title: "Confusion matrix",
        description: "Flows by true class, in rows, and predicted class, in columns. Darker is a greater share of the row.",
    };
    let classes = Caption {
        id: "classes",
        title: "Precision, recall and F1 of each class",
        description: "Three bars a class: precision, recall, F1.",
    };
    let three = found.per_class.iter().flat_map(|(name, class)| {
        let bar = |name: &str, series, value| Bar { name: name.to_owned(), series, value, around: None };
        [bar(name, 0, class.precision), bar("", 1, class.recall), bar("", 2, class.f1)]
    });
    let three: Vec<Bar> = three.collect();
    let axis = "from above: precision, recall, F1";
    [
        Plot { name: "confusion", svg: heat(confusion, &names, &rows) },
        Plot { name: "classes", svg: bars(classes, &three, 0.0, 1.0, axis) },
    ]
}

/// Macro-F1 and accuracy by fold, if there are several.
pub(super) fn folds(found: &Report) -> Option<Plot> {
    if found.folds.len() < 2 {
        return None;
    }
    let caption = Caption {
        id: "folds",
        title: "Macro-F1 and accuracy of each fold",
        description: "Two bars a fold: macro-F1, accuracy.",
    };
    let both = found.folds.iter().enumerate().flat_map(|(at, fold)| {
        let name = fold.name.clone().unwrap_or_else(|| (at + 1).to_string());
        let bar = |name, series, value| Bar { name, series, value, around: None };
        [bar(name, 0, fold.macro_f1), bar(String::new(), 1, fold.accuracy)]
    });
    let svg = bars(caption, &both.collect::<Vec<_>>(), 0.0, 1.0, "from above: macro-F1, accuracy");
    Some(Plot { name: "folds", svg })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::train::evaluate::ClassFigures;

    #[test]
    fn a_plot_is_a_whole_picture_and_no_name_leaves_its_place() {
        let hostile = "<script>\"&".to_owned();
        let class =
            ClassFigures { precision: Some(0.5), recall: None, f1: Some(0.25), support: 4, ..ClassFigures::default() };
        let found = Evaluation {
            per_class: BTreeMap::from([("benign".to_owned(), class.clone()), (hostile.clone(), class)]),
            confusion: BTreeMap::from([(hostile, BTreeMap::from([("benign".to_owned(), 4)]))]),
            ..Evaluation::default()
        };
        let files = of(&found).map(Plot::file);
        assert_eq!(files.each_ref().map(|file| file.path.as_str()), ["plots/confusion.svg", "plots/classes.svg"]);
        for file in files {
            let text = String::from_utf8(file.bytes).expect("text");
            assert!(
                text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" ") && text.ends_with("</svg>\n"),
                "{text}"
            );
            assert!(text.contains("--s0: #0b66b2") && !text.contains("<script"), "{text}");
        }
    }
}
