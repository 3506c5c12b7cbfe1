//! Small plots as inline SVG, for the page of `evaluate` and as files of their own: no script, no font, no network; colours come from the
//! page's style sheet.
//!
//! Every plot has a title and a description for those who do not see it. Shapes carry classes (`s0` to `s5`, `grid`, `axis`), never a
//! colour, so that one page serves light and dark. Same figures, same bytes.

mod bars;
mod chart;
mod heat;
mod histogram;

pub(super) use bars::{Bar, bars};
pub(super) use chart::{Axis, Chart, Line};
pub(super) use heat::heat;
pub(super) use histogram::{Histogram, Panel};

/// What a plot is called; `id` is unique on the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caption<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) description: &'a str,
}

/// An SVG under construction, in pixels from the upper left.
pub(super) struct Svg {
    out: String,
}

/// Where a text stands to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// From values to pixels, linearly; what lies outside is drawn at the edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) values: (f64, f64),
    pub(super) pixels: (f64, f64),
}

impl Svg {
    pub(super) fn new(width: f64, height: f64, caption: Caption<'_>) -> Self {
        let Caption { id, title, description } = caption;
        let (title, description) = (escape(title), escape(description));
        let out = format!(
            "<svg width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>\n"
        );
        Self { out }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.out += &format!("<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n");
    }

    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.out += &format!("<polyline class=\"{class}\" points=\"{}\"/>\n", points.join(" "));
    }

    pub(super) fn dot(&mut self, class: &str, at: (f64, f64), radius: f64) {
        self.out += &format!("<circle class=\"{class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"/>\n", at.0, at.1);
    }

    /// A filled rectangle; `opacity` from 0 to 1.
    pub(super) fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), opacity: f64) {
        let ((x, y), (width, height)) = (corner, size);
        self.out += &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill-opacity=\"{opacity:.3}\"/>\n"
        );
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.out += &format!(
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text>\n",
            at.0, at.1
        );
    }

    /// A text from bottom to top.
    pub(super) fn upright(&mut self, class: &str, at: (f64, f64), text: &str) {
        let (x, y) = at;
        let text = escape(text);
        self.out += &format!(
            "<text class=\"{class}\" transform=\"translate({x:.1} {y:.1}) rotate(-90)\" text-anchor=\"middle\">{text}</text>\n"
        );
    }

    pub(super) fn finish(self) -> String {
        self.out + "</svg>\n"
    }
}

impl Scale {
    pub(super) fn at(&self, value: f64) -> f64 {
        let ((from, to), (start, end)) = (self.values, self.pixels);
        let share = if to > from { ((value - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
        start + (end - start) * share
    }
}

/// The class of the n-th series: six colours, then again.
pub(super) fn series(n: usize) -> String {
    format!("s{}", n % 6)
}

/// A plot as a file of its own, with the page's colours.
pub(super) fn alone(svg: &str) -> String {
    let named = svg.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1);
    let ground = "<rect width=\"100%\" height=\"100%\" fill=\"var(--page)\"/>\n";
    // Behind the title, which stands first for those who do not see the plot.
    named.replacen("</desc>\n", &format!("</desc>\n<style>\n{STYLE}</style>\n{ground}"), 1)
}

/// Text that is safe between tags and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            // What XML may not hold at all.
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// At most this many characters, with an ellipsis where some are left out.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Colours and lines of the plots, and of the page around them.
pub(super) const STYLE: &str = include_str!("../page/style.css");

#[cfg(test)]
mod tests {
    use super::*;

    const CAPTION: Caption<'_> = Caption { id: "p", title: "a <b>", description: "x & y" };

    #[test]
    fn text_cannot_leave_its_place() {
        let mut svg = Svg::new(10.0, 10.0, CAPTION);
        svg.text("tick", (1.0, 2.0), Anchor::End, "</svg><script>\"'\u{1}");
        let out = svg.finish();
        assert!(out.contains("<title id=\"p-t\">a &lt;b&gt;</title><desc id=\"p-d\">x &amp; y</desc>"), "{out}");
        assert!(out.contains("&lt;/svg&gt;&lt;script&gt;&quot;&#39; </text>") && !out.contains("<script"), "{out}");
    }

    #[test]
    fn values_become_pixels_and_stay_inside() {
        let scale = Scale { values: (0.0, 2.0), pixels: (100.0, 0.0) };
        assert_eq!([-1.0, 0.0, 0.5, 2.0, 9.0].map(|x| scale.at(x)), [100.0, 100.0, 75.0, 0.0, 0.0]);
        assert_eq!(Scale { values: (1.0, 1.0), pixels: (5.0, 9.0) }.at(3.0), 5.0);
        assert_eq!((shortened("abcdef", 4), shortened("abcd", 4)), ("abc…".to_owned(), "abcd".to_owned()));
    }
}
