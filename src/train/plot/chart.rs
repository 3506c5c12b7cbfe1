//! Lines over two axes from 0 to 1 or beyond.

use super::{Anchor, Caption, Scale, Svg, series};

/// A plot of lines.
pub(in crate::train) struct Chart<'a> {
    pub(in crate::train) caption: Caption<'a>,
    pub(in crate::train) x: Axis<'a>,
    pub(in crate::train) y: Axis<'a>,
    /// Whether a thin line goes from corner to corner.
    pub(in crate::train) diagonal: bool,
    pub(in crate::train) lines: Vec<Line>,
}

/// One axis, from 0.
#[derive(Clone, Copy, Debug)]
pub(in crate::train) struct Axis<'a> {
    pub(in crate::train) name: &'a str,
    pub(in crate::train) to: f64,
}

/// One series.
#[derive(Clone, Debug)]
pub(in crate::train) struct Line {
    /// Its colour and dashes: see [`series`].
    pub(in crate::train) series: usize,
    pub(in crate::train) points: Vec<(f64, f64)>,
    /// Whether each point has a dot.
    pub(in crate::train) dots: bool,
}

impl Chart<'_> {
    pub(in crate::train) fn draw(&self) -> String {
        let mut svg = Svg::new(WIDTH, HEIGHT, self.caption);
        let x = Scale { values: (0.0, self.x.to), pixels: (LEFT, WIDTH - RIGHT) };
        let y = Scale { values: (0.0, self.y.to), pixels: (HEIGHT - BOTTOM, TOP) };
        for step in 0..=5_u8 {
            let share = f64::from(step) / 5.0;
            let (across, up) = (x.at(share * self.x.to), y.at(share * self.y.to));
            svg.line("grid", (across, TOP), (across, HEIGHT - BOTTOM));
            svg.line("grid", (LEFT, up), (WIDTH - RIGHT, up));
            svg.text("tick", (across, HEIGHT - BOTTOM + 16.0), Anchor::Middle, &format!("{:.1}", share * self.x.to));
            svg.text("tick", (LEFT - 7.0, up + 4.0), Anchor::End, &format!("{:.1}", share * self.y.to));
        }
        if self.diagonal {
            svg.line("diagonal", (x.at(0.0), y.at(0.0)), (x.at(self.x.to), y.at(self.y.to)));
        }
        svg.line("axis", (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM));
        svg.line("axis", (LEFT, TOP), (LEFT, HEIGHT - BOTTOM));
        for line in &self.lines {
            let points = thinned(line.points.iter().map(|&(a, b)| (x.at(a), y.at(b))));
            svg.polyline(&format!("line {} d{}", series(line.series), line.series % 4), &points);
            for &point in points.iter().filter(|_| line.dots) {
                svg.dot(&format!("fill {}", series(line.series)), point, 3.5);
            }
        }
        svg.text("name", ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0), Anchor::Middle, self.x.name);
        svg.upright("name", (14.0, (TOP + HEIGHT - BOTTOM) / 2.0), self.y.name);
        svg.finish()
    }
}

/// Leaves out points that nobody could see: those in the middle of a straight piece and those within half a pixel of the last one.
fn thinned(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let mut last = None;
    for point in points {
        last = Some(point);
        if let [.., before, middle] = kept[..]
            && (before.0 == middle.0 && middle.0 == point.0 || before.1 == middle.1 && middle.1 == point.1)
        {
            kept.pop();
            kept.push(point);
            continue;
        }
        if kept.last().is_none_or(|held| (held.0 - point.0).abs() + (held.1 - point.1).abs() >= 0.5) {
            kept.push(point);
        }
    }
    if let Some(last) = last.filter(|last| kept.last() != Some(last)) {
        kept.push(last);
    }
    kept
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 46.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn straight_pieces_keep_their_ends_and_the_last_point_stays() {
        let points = [(0.0, 0.0), (0.0, 5.0), (0.0, 9.0), (4.0, 9.0), (8.0, 9.0), (8.1, 9.1)];
        assert_eq!(thinned(points.into_iter()), [(0.0, 0.0), (0.0, 9.0), (8.0, 9.0), (8.1, 9.1)]);
        let many = thinned((0..100_000).map(|n| (f64::from(n) / 1000.0, f64::from(n % 2) / 100.0)));
        assert!(many.len() < 250, "{}", many.len());
        assert!(thinned(std::iter::empty()).is_empty());
    }
}
