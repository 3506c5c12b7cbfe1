//! Three ways to group the same verdicts: attack or not, stages, labels as they stand.

use std::collections::BTreeMap;

use serde::Serialize;

use super::evaluate::UNKNOWN;
use crate::dataset::Texts;
use crate::taxonomy::{self, Stage};

/// Where a model's labels and a data set's cells stand among a view's classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grouping {
    /// The classes; one of benign flows comes first.
    pub(super) names: Vec<String>,
    /// The class of each label of the model.
    pub(super) of_label: Vec<usize>,
    /// The class of each distinct label cell.
    pub(super) of_cell: Vec<usize>,
}

/// Why the same run has no such view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unavailable {
    /// One sentence.
    pub reason: String,
}

/// What the data says: its label cells, and the model's label for each distinct one (see [`to_model`](super::to_model)).
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth<'a> {
    pub(super) cells: &'a Texts,
    pub(super) labels: &'a [Option<String>],
}

impl Truth<'_> {
    /// The model's label of a row; `None` for a label that it does not have.
    pub(super) fn of(&self, row: usize) -> Option<&str> {
        self.labels.get(*self.cells.ids().get(row)? as usize)?.as_deref()
    }
}

impl Grouping {
    /// Benign and attack; a label that the model does not have is an attack.
    pub(super) fn binary(labels: &[String], truth: Truth<'_>) -> Self {
        let attack = |name: &str| usize::from(!taxonomy::is_benign(name));
        Self {
            names: vec![Stage::Benign.name().to_owned(), ATTACK.to_owned()],
            of_label: labels.iter().map(|label| attack(label)).collect(),
            of_cell: truth.labels.iter().map(|label| label.as_deref().map_or(1, attack)).collect(),
        }
    }

    /// The taxonomy's stages.
    pub(super) fn stages(labels: &[String], truth: Truth<'_>) -> Result<Self, Unavailable> {
        let stage = |name: &str| taxonomy::class(name).map(|class| class.stage.name());
        let mut of_label = Vec::new();
        for label in labels {
            let reason = || format!("the model's label `{label}` is of no stage that the taxonomy knows");
            of_label.push(stage(label).ok_or_else(|| Unavailable { reason: reason() })?);
        }
        let of_cell = truth.cells.distinct().iter().zip(truth.labels).map(|(cell, label)| {
            let own = taxonomy::class_of_cell(cell).map(|class| class.stage.name());
            own.or_else(|| stage(label.as_deref()?)).unwrap_or(UNKNOWN)
        });
        let of_cell: Vec<&str> = of_cell.collect();
        let order = [Stage::Benign, Stage::Recon, Stage::Exploit, Stage::Novel].map(Stage::name);
        let occurs = |name: &&str| of_label.contains(name) || of_cell.contains(name);
        let names: Vec<&str> = order.into_iter().chain([UNKNOWN]).filter(occurs).collect();
        let place = |name: &&str| names.iter().position(|held| held == name).unwrap_or(names.len());
        Ok(Self {
            of_label: of_label.iter().map(place).collect(),
            of_cell: of_cell.iter().map(place).collect(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        })
    }

    /// The model's own labels, whatever they are.
    pub(super) fn own(labels: &[String], truth: Truth<'_>) -> Self {
        let mut names = labels.to_vec();
        if truth.labels.contains(&None) {
            names.push(UNKNOWN.to_owned());
        }
        let place = |label: &Option<String>| {
            let label = label.as_deref().unwrap_or(UNKNOWN);
            names.iter().position(|name| name == label).unwrap_or(names.len())
        };
        Self { of_label: (0..labels.len()).collect(), of_cell: truth.labels.iter().map(place).collect(), names }
    }

    /// Each label of the data by itself, which only a model can be held to that tells them apart.
    pub(super) fn labels(labels: &[String], truth: Truth<'_>) -> Result<Self, Unavailable> {
        let coarser = truth.cells.distinct().iter().zip(truth.labels).filter_map(|(cell, label)| {
            let class = taxonomy::class_of_cell(cell)?;
            let label = label.as_deref()?;
            (class.name != label && !label.eq_ignore_ascii_case(cell)).then_some((label, class.name))
        });
        let mut stand_for: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        coarser.for_each(|(label, name)| stand_for.entry(label).or_default().push(name));
        if stand_for.is_empty() {
            return Ok(Self::own(labels, truth));
        }
        let coarser: Vec<String> =
            stand_for.iter().map(|(label, names)| format!("`{label}` stands for {}", names.join(", "))).collect();
        Err(Unavailable { reason: format!("the model's labels are coarser than the data's: {}", coarser.join("; ")) })
    }
}

/// The class of everything that is not benign.
pub(super) const ATTACK: &str = "attack";

#[cfg(test)]
mod tests {
    use super::super::to_model;
    use super::*;
    use crate::dataset::Dataset;

    /// Groupings of cells under a model's labels.
    fn all(
        labels: &[&str],
        cells: &[&str],
    ) -> (Grouping, Result<Grouping, Unavailable>, Result<Grouping, Unavailable>) {
        let mut data = Dataset::new(Vec::new());
        cells.iter().for_each(|cell| data.push(&[], cell, ""));
        let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let mapped = to_model(data.labels(), &labels, true).expect("allowed");
        let truth = Truth { cells: data.labels(), labels: &mapped };
        (Grouping::binary(&labels, truth), Grouping::stages(&labels, truth), Grouping::labels(&labels, truth))
    }

    #[test]
    fn a_model_of_stages_has_no_view_by_label() {
        let (binary, stages, labels) = all(&["benign", "recon", "exploit"], &["0", "2", "6"]);
        assert_eq!((binary.of_label, binary.of_cell), (vec![0, 1, 1], vec![0, 1, 1]));
        assert_eq!(stages.expect("stages").of_cell, [0, 1, 2]);
        let reason = labels.expect_err("coarser").reason;
        assert!(reason.contains("`exploit` stands for cve-2019-20933; `recon` stands for node-red-recon"), "{reason}");
        assert!(all(&["benign", "recon"], &["benign", "Recon"]).2.is_ok(), "the data itself speaks of stages");
    }

    #[test]
    fn a_model_of_labels_has_all_views_and_unknown_cells_have_a_class() {
        let model = ["benign", "node-red-recon", "cve-2019-20933"];
        let (binary, stages, labels) = all(&model, &["0", "6", "3", "flowers"]);
        assert_eq!(binary.of_cell, [0, 1, 1, 1]);
        let stages = stages.expect("stages");
        assert_eq!(stages.names, ["benign", "recon", "exploit", UNKNOWN]);
        assert_eq!((stages.of_label, stages.of_cell), (vec![0, 1, 2], vec![0, 2, 2, 3]));
        let labels = labels.expect("labels");
        assert_eq!((labels.names.len(), labels.of_cell), (4, vec![0, 2, 3, 3]));
    }

    #[test]
    fn a_label_of_no_stage_rules_out_the_view_by_stage() {
        let reason = all(&["benign", "custom"], &["0", "custom"]).1.expect_err("no stage").reason;
        assert!(reason.contains("`custom`"), "{reason}");
    }
}
