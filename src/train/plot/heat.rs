//! A confusion matrix as a heat map: each row shaded by its shares, each cell with its count.

use super::{Anchor, Caption, Svg, shortened};

/// Draws rows of counts; `names` stand at the rows (truth) and the columns (prediction).
pub(in crate::train) fn heat(caption: Caption<'_>, names: &[String], rows: &[Vec<u64>]) -> String {
    let count = names.len().max(1) as f64;
    let longest = names.iter().map(|name| shortened(name, LONGEST).chars().count()).max().unwrap_or(0) as f64;
    let label = longest * CHARACTER;
    let left = label + 34.0;
    let digits = rows.iter().flatten().max().map_or(1, |most| most.to_string().len()) as f64;
    // Wide enough for the greatest count, also where that makes the whole wider.
    let size = ((WIDTH - left - 8.0) / count).min(84.0).max(digits.mul_add(CHARACTER, 10.0));
    let tall = size.min(46.0);
    // Many columns are named from bottom to top, few beside each other.
    let upright = names.iter().any(|name| shortened(name, LONGEST).chars().count() as f64 * CHARACTER > size - 6.0);
    let top = 30.0 + if upright { label } else { 16.0 };
    let mut svg = Svg::new(left + size * count + 8.0, top + tall * count + 8.0, caption);
    svg.text("name", (left + size * count / 2.0, 13.0), Anchor::Middle, "predicted");
    svg.upright("name", (12.0, top + tall * count / 2.0), "true");
    for (at, (name, row)) in names.iter().zip(rows).enumerate() {
        let (y, across) = (top + tall * at as f64, left + size * (at as f64 + 0.5));
        let name = shortened(name, LONGEST);
        svg.text("tick", (left - 8.0, y + tall / 2.0 + 4.0), Anchor::End, &name);
        if upright {
            svg.upright("tick", (across + 4.0, 22.0 + label / 2.0), &name);
        } else {
            svg.text("tick", (across, top - 8.0), Anchor::Middle, &name);
        }
        let whole = row.iter().sum::<u64>().max(1) as f64;
        for (column, &flows) in row.iter().enumerate() {
            let share = flows as f64 / whole;
            let x = left + size * column as f64;
            // A single flow among thousands still has a shade.
            let opacity = if flows > 0 { 0.08 + 0.92 * share } else { 0.0 };
            let class = if column == at { "fill s0" } else { "fill s1" };
            svg.rect(class, (x + 1.0, y + 1.0), (size - 2.0, tall - 2.0), opacity);
            svg.rect("cell", (x + 1.0, y + 1.0), (size - 2.0, tall - 2.0), 0.0);
            let class = if opacity > 0.55 { "count on" } else { "count" };
            svg.text(class, (x + size / 2.0, y + tall / 2.0 + 4.0), Anchor::Middle, &flows.to_string());
        }
    }
    svg.finish()
}

const WIDTH: f64 = 460.0;
/// Width of a character of a tick's text.
const CHARACTER: f64 = 6.6;
/// Characters of a name beside a matrix; the table has all of it.
const LONGEST: usize = 18;
