//! A verdict as text: the row or the line that `predict` prints, the flow log ends with, and the prediction service answers.

use std::io::Write as _;

use super::Verdict;

/// The header of [`write_csv`].
pub const CSV_HEADER: &str = "label,score,novelty,novel";

/// Appends a verdict's CSV row; a row without a verdict keeps its place, with empty cells.
pub fn write_csv(out: &mut Vec<u8>, verdict: Option<(&str, &Verdict)>) {
    let Some((label, Verdict { score, novelty, novel, .. })) = verdict else {
        out.extend_from_slice(b",,,\n");
        return;
    };
    // A label of the taxonomy or of a checked artifact may still hold a comma.
    if label.contains([',', '"']) {
        write!(out, "\"{}\"", label.replace('"', "\"\"")).unwrap_or_default();
    } else {
        out.extend_from_slice(label.as_bytes());
    }
    // Writing to a vector cannot fail.
    writeln!(out, ",{score},{novelty},{novel}").unwrap_or_default();
}

/// Appends a verdict as one JSON object on one line; `null` for a row without one.
pub fn write_json(out: &mut Vec<u8>, verdict: Option<(&str, &Verdict)>) {
    match verdict {
        Some((label, verdict)) => {
            out.push(b'{');
            write_members(out, label, verdict);
            out.extend_from_slice(b"}\n");
        }
        None => out.extend_from_slice(b"null\n"),
    }
}

/// Appends the members `label`, `score`, `novelty` and `novel` of an object, with commas between them.
pub fn write_members(out: &mut Vec<u8>, label: &str, verdict: &Verdict) {
    out.extend_from_slice(b"\"label\":");
    serde_json::to_writer(&mut *out, label).unwrap_or_default();
    for (key, number) in [("score", verdict.score), ("novelty", verdict.novelty)] {
        write!(out, ",\"{key}\":{}", if number.is_finite() { number } else { 0.0 }).unwrap_or_default();
    }
    write!(out, ",\"novel\":{}", verdict.novel).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::LabelId;

    #[test]
    fn a_verdict_is_one_row_or_one_line() {
        let verdict = Verdict { label: LabelId(1), score: 0.75, attack: 1.0, novelty: 2.0, novel: true };
        let (mut csv, mut json) = (Vec::new(), Vec::new());
        for verdict in [Some(("a \"b\", c", &verdict)), Some(("recon", &verdict)), None] {
            write_csv(&mut csv, verdict);
            write_json(&mut json, verdict);
        }
        assert_eq!(String::from_utf8_lossy(&csv), "\"a \"\"b\"\", c\",0.75,2,true\nrecon,0.75,2,true\n,,,\n");
        let lines = [
            r#"{"label":"a \"b\", c","score":0.75,"novelty":2,"novel":true}"#,
            r#"{"label":"recon","score":0.75,"novelty":2,"novel":true}"#,
            "null",
        ];
        assert_eq!(String::from_utf8_lossy(&json).lines().collect::<Vec<_>>(), lines);
    }
}
