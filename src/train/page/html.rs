//! The few pieces of HTML that the page is made of.

use crate::train::plot::{escape, series};

/// A table whose first column names the rows. Every cell is escaped.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = head.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
    let mut out = format!("<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n");
    for row in rows {
        out += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            out += &if at == 0 { format!("<th scope=\"row\">{cell}</th>") } else { format!("<td>{cell}</td>") };
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table></div>\n"
}

/// A plot beside its table; `key` names its series.
pub(super) fn figure(svg: &str, key: &str, table: &str) -> String {
    format!("<figure class=\"pair\">\n<div>\n{key}{svg}</div>\n{table}</figure>\n")
}

/// A plot above its table, for a table that is wide.
pub(super) fn stacked(svg: &str, key: &str, table: &str) -> String {
    format!("<figure class=\"stack\">\n<div>\n{key}{svg}</div>\n{table}</figure>\n")
}

/// What the series of a plot are called; `lines` as in a chart, else bars.
pub(super) fn key<'n>(names: impl IntoIterator<Item = (usize, &'n str)>, lines: bool) -> String {
    let items = names.into_iter().map(|(at, name)| {
        let (class, name) = (series(at), escape(name));
        let mark = if lines {
            format!("<line class=\"line {class} d{}\" x1=\"0\" y1=\"5\" x2=\"30\" y2=\"5\"/>", at % 4)
        } else {
            format!("<rect class=\"fill {class}\" width=\"30\" height=\"10\"/>")
        };
        format!("<li><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\">{mark}</svg>{name}</li>\n")
    });
    format!("<ul class=\"key\">\n{}</ul>\n", items.collect::<String>())
}
