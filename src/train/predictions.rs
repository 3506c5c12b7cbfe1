//! Each flow's labels and scores as CSV: what any other program needs to work out the figures again.

use super::evaluate::UNKNOWN;
use super::grouping::Truth;
use super::judged::Judged;
use crate::dataset::Dataset;
use crate::model::Model;

/// One line a flow, in the data's order: scenario, label cell, true and predicted label of the model, whether it raises an alert, novelty,
/// and `score:LABEL` for each label. Numbers are printed so that reading them gives the same bits.
#[must_use]
pub fn predictions(model: &Model, data: &Dataset, judged: &Judged, labels: &[Option<String>]) -> Vec<u8> {
    let truth = Truth { cells: data.labels(), labels };
    let mut out = "scenario,cell,truth,predicted,alert,novelty".to_owned();
    for label in model.labels() {
        out.push(',');
        out += &quoted(&format!("score:{label}"));
    }
    out.push('\n');
    for (row, (verdict, shares)) in judged.verdicts().iter().zip(judged.shares()).enumerate() {
        let texts = [
            data.scenarios().get(row),
            data.labels().get(row),
            truth.of(row).unwrap_or(UNKNOWN),
            model.label_name(verdict.label),
        ];
        out += &texts.map(quoted).join(",");
        out += &format!(",{},{}", u8::from(model.predicts_attack(verdict)), verdict.novelty);
        shares.iter().for_each(|share| out += &format!(",{share}"));
        out.push('\n');
    }
    out.into_bytes()
}

/// A cell, in quotes where it needs them (RFC 4180).
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_with_commas_and_quotes_stay_one_cell() {
        assert_eq!(["a b", "a,b", "say \"x\""].map(quoted), ["a b", "\"a,b\"", "\"say \"\"x\"\"\""]);
    }
}
