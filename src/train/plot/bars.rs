//! Horizontal bars with intervals.

use super::{Anchor, Caption, Scale, Svg, series, shortened};

/// One bar; bars of one group stand together under one name.
#[derive(Clone, Debug, Default)]
pub(in crate::train) struct Bar {
    /// Written beside the bar; empty where it belongs to the group above.
    pub(in crate::train) name: String,
    pub(in crate::train) series: usize,
    /// `None` leaves the place empty.
    pub(in crate::train) value: Option<f64>,
    /// The whisker.
    pub(in crate::train) around: Option<(f64, f64)>,
}

/// Draws bars from the top over an axis of values; `to` is at least the greatest of them.
pub(in crate::train) fn bars(caption: Caption<'_>, bars: &[Bar], from: f64, to: f64, axis: &str) -> String {
    let longest = bars.iter().map(|bar| shortened(&bar.name, LONGEST).chars().count()).max().unwrap_or(0);
    let left = (longest as f64).mul_add(CHARACTER, 18.0);
    let groups = bars.iter().filter(|bar| !bar.name.is_empty()).count();
    let height = bars.len() as f64 * PITCH + groups as f64 * GAP;
    let mut svg = Svg::new(WIDTH, TOP + height + BOTTOM, caption);
    let x = Scale { values: (from, to), pixels: (left, WIDTH - RIGHT) };
    for step in 0..=5_u8 {
        let value = (to - from).mul_add(f64::from(step) / 5.0, from);
        svg.line("grid", (x.at(value), TOP), (x.at(value), TOP + height));
        let digits = if to - from > 0.5 { 1 } else { 3 };
        svg.text("tick", (x.at(value), TOP + height + 16.0), Anchor::Middle, &format!("{value:.digits$}"));
    }
    let mut y = TOP;
    for bar in bars {
        if !bar.name.is_empty() {
            y += GAP;
            svg.text("tick", (left - 8.0, y + PITCH / 2.0 + 3.0), Anchor::End, &shortened(&bar.name, LONGEST));
        }
        if let Some(value) = bar.value {
            let (start, end) = (x.at(value.min(0.0)), x.at(value.max(0.0)));
            svg.rect(
                &format!("fill {}", series(bar.series)),
                (start, y + 1.5),
                ((end - start).max(0.5), PITCH - 3.0),
                0.8,
            );
        }
        if let Some((low, high)) = bar.around {
            let (low, high, middle) = (x.at(low), x.at(high), y + PITCH / 2.0);
            svg.line("whisker", (low, middle), (high, middle));
            svg.line("whisker", (low, middle - 3.0), (low, middle + 3.0));
            svg.line("whisker", (high, middle - 3.0), (high, middle + 3.0));
        }
        y += PITCH;
    }
    svg.line("axis", (x.at(0.0), TOP), (x.at(0.0), TOP + height));
    svg.text("name", ((left + WIDTH - RIGHT) / 2.0, TOP + height + 34.0), Anchor::Middle, axis);
    svg.finish()
}

const WIDTH: f64 = 460.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 40.0;
/// Height of a bar with its distance to the next.
const PITCH: f64 = 13.0;
/// Distance between groups.
const GAP: f64 = 7.0;
/// Width of a character of a tick's text.
const CHARACTER: f64 = 6.6;
/// Characters of a name; the table has all of it.
const LONGEST: usize = 26;
