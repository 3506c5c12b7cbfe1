//! From the label cells of a data set to a model's labels, by the taxonomy.

use serde::{Deserialize, Serialize};

use crate::dataset::Texts;
use crate::taxonomy::{self, Class};

/// How `train` groups labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// By the taxonomy's stages: benign, recon, exploit and so on.
    #[default]
    Stages,
    /// Each label by itself.
    Labels,
}

/// Cells that mean nothing that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {}", cells.join(", "))]
pub struct UnknownLabels {
    message: &'static str,
    cells: Vec<String>,
}

/// Each row's label under a view, and the labels: benign first, then by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grouped {
    pub(super) names: Vec<String>,
    pub(super) rows: Vec<u16>,
}

/// Groups the cells of a data set.
///
/// # Errors
/// Names every cell that the taxonomy does not know.
pub(super) fn group(cells: &Texts, view: View) -> Result<Grouped, UnknownLabels> {
    let mut unknown = Vec::new();
    let mut names = Vec::new();
    for cell in cells.distinct() {
        match taxonomy::class_of_cell(cell) {
            Some(class) => names.push(name(class, view).to_owned()),
            None => unknown.push(quoted(cell)),
        }
    }
    if !unknown.is_empty() {
        let message = "these labels are not in the taxonomy (docs/taxonomy.md lists it)";
        return Err(UnknownLabels { message, cells: unknown });
    }
    let mut sorted = names.clone();
    // The name too: behaviours of a stage have no number, and equal names must stand side by side.
    let key = |name: &String| {
        let class = taxonomy::class(name);
        (!taxonomy::is_benign(name), class.map(|class| (class.stage, class.published, class.name)))
    };
    sorted.sort_by_key(key);
    sorted.dedup();
    let ids: Vec<u16> = names.iter().map(|name| position(&sorted, name)).collect();
    let rows = cells.ids().iter().map(|&id| ids[id as usize]).collect();
    Ok(Grouped { names: sorted, rows })
}

/// Each distinct cell's label in a model: its own name if the model has it, else its stage.
///
/// # Errors
/// Names every cell that the model has no label for, unless `allow` is set: those become `None`.
pub fn to_model(cells: &Texts, model: &[String], allow: bool) -> Result<Vec<Option<String>>, UnknownLabels> {
    let mut unknown = Vec::new();
    let mut mapped = Vec::new();
    for cell in cells.distinct() {
        let class = taxonomy::class_of_cell(cell);
        let names = [class.map(|class| class.name), class.map(|class| class.stage.name()), Some(cell.as_str())];
        let name = names.into_iter().flatten().find(|name| model.iter().any(|label| label == name));
        if name.is_none() {
            let meaning = class.map(|class| format!(" ({})", class.name)).unwrap_or_default();
            unknown.push(quoted(cell) + &meaning);
        }
        mapped.push(name.map(str::to_owned));
    }
    if unknown.is_empty() || allow {
        Ok(mapped)
    } else {
        Err(UnknownLabels {
            message: "the model has never seen these labels (--allow-unknown-labels scores the flows as misses)",
            cells: unknown,
        })
    }
}

fn name(class: &Class, view: View) -> &'static str {
    match view {
        View::Stages => class.stage.name(),
        View::Labels => class.name,
    }
}

fn position(names: &[String], name: &str) -> u16 {
    names.iter().position(|held| held == name).and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX)
}

/// At most 40 characters of a cell, quoted.
fn quoted(cell: &str) -> String {
    format!("`{}`", cell.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;

    fn cells(cells: &[&str]) -> Texts {
        let mut data = Dataset::new(Vec::new());
        cells.iter().for_each(|cell| data.push(&[], cell, ""));
        data.labels().clone()
    }

    #[test]
    fn stages_and_labels_put_benign_first() {
        let texts = cells(&["6", "2", "0", "1", "6"]);
        let stages = group(&texts, View::Stages).expect("known");
        assert_eq!(
            (stages.names, stages.rows),
            (["benign", "recon", "exploit"].map(str::to_owned).to_vec(), vec![2, 1, 0, 2, 2])
        );
        let labels = group(&texts, View::Labels).expect("known");
        assert_eq!(labels.names, ["benign", "node-red-recon", "cve-2020-13379", "cve-2019-20933"]);
        assert_eq!(labels.rows, [3, 1, 0, 2, 3]);
    }

    #[test]
    fn behaviours_that_are_written_in_two_ways_are_one_label() {
        let texts = cells(&["recon.web", "benign", "RECON.DNS", "Recon.Web", "dos.syn-flood"]);
        let labels = group(&texts, View::Labels).expect("known");
        assert_eq!(labels.names, ["benign", "recon.dns", "recon.web", "dos.syn-flood"]);
        assert_eq!(labels.rows, [2, 0, 1, 2, 3]);
        assert_eq!(group(&texts, View::Stages).expect("known").names, ["benign", "recon", "dos"]);
    }

    #[test]
    fn cells_without_a_class_are_named() {
        let message = group(&cells(&["0", "NeedManualLabel", "77"]), View::Stages).expect_err("unknown").to_string();
        assert!(message.contains("`NeedManualLabel`, `77`"), "{message}");
    }

    #[test]
    fn cells_become_the_label_that_the_model_has() {
        let texts = cells(&["0", "6", "2", "recon", "custom"]);
        let model = ["benign", "exploit", "node-red-recon", "recon", "custom"].map(str::to_owned);
        let mapped = to_model(&texts, &model, false).expect("all known");
        let mapped: Vec<_> = mapped.iter().map(Option::as_deref).collect();
        assert_eq!(mapped, ["benign", "exploit", "node-red-recon", "recon", "custom"].map(Some));
        let error = to_model(&texts, &model[..2], false).expect_err("unknown").to_string();
        assert!(error.contains("`2` (node-red-recon), `recon` (recon), `custom`"), "{error}");
        assert_eq!(to_model(&texts, &model[..2], true).expect("allowed")[2], None);
    }
}
