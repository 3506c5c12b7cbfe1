//! JSON lines: an object a line; the members of the first one are the columns.
//!
//! A value stays the text that the line has, so that a number is read as it would be from CSV. `NaN` and `Infinity`, which
//! are no JSON but which Python writes, are understood.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, Read as _};

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::Place;
use super::table::{Cell, ROW_BYTES, Step, Table, Trouble, shortened};

/// A stream of JSON lines under a reader.
pub(super) struct JsonLines {
    stream: Box<dyn BufRead>,
    columns: Vec<String>,
    /// Position among the cells of each member that is asked for, by name.
    wanted: HashMap<String, usize>,
    /// Those members' values in this row.
    cells: Vec<Value>,
    /// Position among the cells of each chosen column: one column may be asked for twice.
    order: Vec<usize>,
    text: String,
    line: u64,
    /// Whether the line in `text` has not been given as a row yet: the first, which was read for its names.
    fresh: bool,
}

/// One member's value, in memory that the next row uses again.
#[derive(Clone, Debug, Default)]
struct Value {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Missing,
    Null,
    Text,
}

impl JsonLines {
    pub(super) fn open(stream: Box<dyn BufRead>) -> Result<Self, Trouble> {
        let mut lines = Self {
            stream,
            columns: Vec::new(),
            wanted: HashMap::new(),
            cells: Vec::new(),
            order: Vec::new(),
            text: String::new(),
            line: 0,
            fresh: true,
        };
        if lines.read_line()? == Line::NotText {
            return Err(Trouble::Other(format!("line {}: not UTF-8 text", lines.line)));
        }
        let mut names = Vec::new();
        let read =
            serde_json::Deserializer::from_str(&with_quoted_constants(&lines.text)).deserialize_map(Names(&mut names));
        read.map_err(|error| {
            Trouble::Other(format!("line {}: {}: it names the columns", lines.line, problem(&error)))
        })?;
        lines.columns = names;
        Ok(lines)
    }

    /// Reads the next line that is not blank.
    fn read_line(&mut self) -> Result<Line, Trouble> {
        let mut bytes = std::mem::take(&mut self.text).into_bytes();
        loop {
            bytes.clear();
            self.line += 1;
            (&mut self.stream).take(ROW_BYTES).read_until(b'\n', &mut bytes)?;
            if bytes.len() as u64 >= ROW_BYTES {
                return Err(Trouble::Other(format!("a line of more than {} KiB", ROW_BYTES >> 10)));
            }
            if bytes.is_empty() {
                return Ok(Line::End);
            }
            if !bytes.trim_ascii().is_empty() {
                break;
            }
        }
        let start = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        bytes.drain(..start);
        match String::from_utf8(bytes) {
            Ok(text) => {
                self.text = text;
                Ok(Line::Text)
            }
            Err(_) => Ok(Line::NotText),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Text,
    NotText,
    End,
}

impl Table for JsonLines {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn choose(&mut self, columns: &[usize]) -> Result<(), Trouble> {
        for name in columns.iter().filter_map(|&column| self.columns.get(column)) {
            let next = self.wanted.len();
            self.order.push(*self.wanted.entry(name.clone()).or_insert(next));
        }
        self.cells = vec![Value::default(); self.wanted.len()];
        Ok(())
    }

    fn step(&mut self) -> Result<Step, Trouble> {
        let line = if std::mem::take(&mut self.fresh) { Line::Text } else { self.read_line()? };
        let bad = |column, problem| Ok(Step::Bad { column, problem });
        match line {
            Line::End => return Ok(Step::End),
            Line::NotText => return bad(None, "not UTF-8 text".to_owned()),
            Line::Text => {}
        }
        for cell in &mut self.cells {
            cell.kind = Kind::Missing;
        }
        let mut twice = None;
        let members = Members { wanted: &self.wanted, cells: &mut self.cells, twice: &mut twice };
        let read = with_quoted_constants(&self.text);
        let mut reader = serde_json::Deserializer::from_str(&read);
        let read = reader.deserialize_map(members).and_then(|()| reader.end());
        if let Err(error) = read {
            return bad(None, problem(&error));
        }
        if let Some(name) = twice {
            return bad(Some(name), "there twice".to_owned());
        }
        let missing =
            self.wanted.iter().filter(|(_, at)| self.cells.get(**at).is_none_or(|cell| cell.kind == Kind::Missing));
        // The map has no order: the first by name is the one to tell.
        match missing.map(|(name, _)| name).min() {
            Some(name) => bad(Some(name.clone()), "not in this object".to_owned()),
            None => Ok(Step::Row),
        }
    }

    fn place(&self) -> Place {
        Place::Line(self.line)
    }

    fn cell(&self, chosen: usize) -> Cell<'_> {
        match self.order.get(chosen).and_then(|&at| self.cells.get(at)) {
            Some(Value { kind: Kind::Text, text }) => Cell::Text(text),
            _ => Cell::Null,
        }
    }
}

/// Takes the names of an object's members.
struct Names<'a>(&'a mut Vec<String>);

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, _)) = map.next_entry::<String, IgnoredAny>()? {
            self.0.push(name.trim().to_owned());
        }
        Ok(())
    }
}

/// Takes the values of the members that are asked for.
struct Members<'a> {
    wanted: &'a HashMap<String, usize>,
    cells: &'a mut [Value],
    twice: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let wanted = self.wanted.get(name.trim()).and_then(|&at| self.cells.get_mut(at));
            let Some(cell) = wanted else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if cell.kind != Kind::Missing {
                *self.twice = Some(name.into_owned());
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let raw = map.next_value::<&RawValue>()?.get();
            cell.text.clear();
            cell.kind = Kind::Text;
            match raw.as_bytes().first() {
                Some(b'"') => cell.text.push_str(&serde_json::from_str::<Cow<'_, str>>(raw).unwrap_or_default()),
                _ if raw == "null" => cell.kind = Kind::Null,
                _ => cell.text.push_str(raw),
            }
        }
        Ok(())
    }
}

/// A line with each bare `NaN`, `Infinity` and `-Infinity` as a string.
#[must_use]
pub fn with_quoted_constants(line: &str) -> Cow<'_, str> {
    if !CONSTANTS.iter().any(|name| line.contains(name)) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len() + 16);
    let (mut rest, mut inside) = (line, false);
    while let Some(next) = rest.chars().next() {
        let constant = CONSTANTS.iter().find(|name| !inside && rest.starts_with(**name));
        let taken = match (constant, next) {
            (Some(name), _) => {
                out.push('"');
                out.push_str(name);
                out.push('"');
                rest = rest.get(name.len()..).unwrap_or_default();
                continue;
            }
            // An escaped character, which may be a quotation mark.
            (None, '\\') if inside => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            (None, _) => next.len_utf8(),
        };
        inside ^= next == '"';
        let (head, tail) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        out.push_str(head);
        rest = tail;
    }
    Cow::Owned(out)
}

/// A parser's error without its own line number, which is always 1.
fn problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("not a JSON object of one line: {} at character {}", shortened_words(what), error.column())
}

fn shortened_words(text: &str) -> String {
    if text.len() > 80 { shortened(text) } else { text.to_owned() }
}

const EXPECTED: &str = "an object";
/// The longest first: the last is a part of it.
const CONSTANTS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_quoted_outside_of_strings_only() {
        for (line, quoted) in [
            (r#"{"a":NaN,"b":-Infinity,"c":Infinity}"#, r#"{"a":"NaN","b":"-Infinity","c":"Infinity"}"#),
            (r#"{"NaN":"say \"NaN\"","b":1}"#, r#"{"NaN":"say \"NaN\"","b":1}"#),
            (r#"{"a\\":NaN}"#, r#"{"a\\":"NaN"}"#),
            ("é\\", "é\\"),
        ] {
            assert_eq!(with_quoted_constants(line), quoted);
        }
    }
}
