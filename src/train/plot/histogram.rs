//! Histograms over one axis, one above the other, with a line at a threshold.

use super::{Anchor, Caption, Scale, Svg, series};

/// Flows by value, on a logarithmic scale so that one flow beside thousands can be seen.
pub(in crate::train) struct Histogram<'a> {
    pub(in crate::train) caption: Caption<'a>,
    /// What the axis measures.
    pub(in crate::train) axis: &'a str,
    /// The end of the axis; values beyond stand in the last bar.
    pub(in crate::train) to: f64,
    pub(in crate::train) threshold: f64,
    pub(in crate::train) panels: Vec<Panel>,
}

/// One histogram: its name, its series and the flows of each of [`Histogram::BINS`] ranges.
pub(in crate::train) struct Panel {
    pub(in crate::train) name: String,
    pub(in crate::train) series: usize,
    pub(in crate::train) flows: Vec<u64>,
}

impl Histogram<'_> {
    /// Ranges of equal width.
    pub(in crate::train) const BINS: usize = 40;

    /// Counts values.
    pub(in crate::train) fn count(values: impl Iterator<Item = f64>, to: f64) -> Vec<u64> {
        let mut flows = vec![0; Self::BINS];
        for value in values {
            let at = (value / to * Self::BINS as f64) as usize;
            if let Some(count) = flows.get_mut(at.min(Self::BINS - 1)) {
                *count += 1;
            }
        }
        flows
    }

    pub(in crate::train) fn draw(&self) -> String {
        let height = TOP + PANEL * self.panels.len() as f64 + BOTTOM;
        let mut svg = Svg::new(WIDTH, height, self.caption);
        let x = Scale { values: (0.0, self.to), pixels: (LEFT, WIDTH - RIGHT) };
        for step in 0..=5_u8 {
            let value = self.to * f64::from(step) / 5.0;
            svg.line("grid", (x.at(value), TOP), (x.at(value), height - BOTTOM));
            svg.text("tick", (x.at(value), height - BOTTOM + 16.0), Anchor::Middle, &format!("{value:.2}"));
        }
        // The panels' names stand on the other side of the threshold than its own.
        let mark = x.at(self.threshold);
        let (mark_at, mark_anchor, name_at, name_anchor) = if mark < WIDTH / 2.0 {
            (mark + 4.0, Anchor::Start, WIDTH - RIGHT - 4.0, Anchor::End)
        } else {
            (mark - 4.0, Anchor::End, LEFT + 4.0, Anchor::Start)
        };
        let most = self.panels.iter().flat_map(|panel| &panel.flows).max().map_or(1, |&most| most.max(1));
        for (at, panel) in self.panels.iter().enumerate() {
            let base = TOP + PANEL * (at + 1) as f64;
            let y = Scale { values: (0.0, (most as f64 + 1.0).log10()), pixels: (base, base - PANEL + 24.0) };
            for power in 0..=most.ilog10() {
                let up = y.at((10_f64.powi(power as i32) + 1.0).log10());
                svg.line("grid", (LEFT, up), (WIDTH - RIGHT, up));
                svg.text("tick", (LEFT - 7.0, up + 4.0), Anchor::End, &10_u64.pow(power).to_string());
            }
            for (bin, &flows) in panel.flows.iter().enumerate().filter(|(_, flows)| **flows > 0) {
                let width = (WIDTH - RIGHT - LEFT) / Self::BINS as f64;
                let top = y.at((flows as f64 + 1.0).log10());
                let corner = (LEFT + width * bin as f64 + 0.5, top);
                svg.rect(&format!("fill {}", series(panel.series)), corner, (width - 1.0, base - top), 0.85);
            }
            svg.line("axis", (LEFT, base), (WIDTH - RIGHT, base));
            svg.text("name", (name_at, base - PANEL + 16.0), name_anchor, &panel.name);
        }
        svg.line("mark", (mark, TOP), (mark, height - BOTTOM));
        svg.text("tick", (mark_at, TOP + 8.0), mark_anchor, "threshold");
        svg.text("name", ((LEFT + WIDTH - RIGHT) / 2.0, height - 6.0), Anchor::Middle, self.axis);
        svg.finish()
    }
}

const WIDTH: f64 = 460.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 44.0;
/// Height of one histogram.
const PANEL: f64 = 130.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_and_those_beyond_stand_last() {
        let flows = Histogram::count([0.0, 0.1, 1.0, 77.0, f64::NAN].into_iter(), 1.0);
        assert_eq!((flows[0], flows[4], flows[Histogram::BINS - 1]), (2, 1, 2));
    }
}
