//! The body of `POST /predict` to rows of values in the model's order, or to what is wrong with it.
//!
//! A body is one flow or a list of flows; a flow is an object, of values by column name or of `features`, the values as a
//! list. Values stay the text that was sent until they are read as numbers, so that a problem can show them.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::problem::{Loc, MOST_PROBLEMS, Problem};
use crate::dataset::{FieldNames, with_quoted_constants};

/// A body that is JSON.
#[derive(Debug)]
pub(super) enum Asked<'a> {
    /// One flow.
    One(&'a str),
    /// Several.
    Many(Vec<&'a RawValue>),
}

/// Reads flows; its lists are used again for each.
#[derive(Debug)]
pub(super) struct RowReader<'n> {
    names: &'n FieldNames,
    /// What is wrong, over all flows that were read.
    pub(super) problems: Vec<Problem>,
    /// What the sender should know of the last flow's values.
    pub(super) notes: Vec<String>,
}

/// The body as text; constants of Python that are no JSON become strings, so that they are told as values that are not
/// finite and not as a mistake of syntax.
pub(super) fn text_of(body: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|error| invalid_json(error.valid_up_to(), "not UTF-8 text"))?
        .trim_start_matches('\u{feff}');
    if text.trim_ascii().is_empty() {
        return Err(Problem::new("missing", vec!["body".into()], "Field required", "null"));
    }
    Ok(with_quoted_constants(text))
}

impl<'a> Asked<'a> {
    /// Whether the body is a flow or a list.
    pub(super) fn of(text: &'a str) -> Result<Self, Problem> {
        match text.trim_ascii_start().as_bytes().first() {
            Some(b'{') => Ok(Self::One(text)),
            Some(b'[') => serde_json::from_str(text).map(Self::Many).map_err(|error| syntax(text, &error)),
            _ => match serde_json::from_str::<&RawValue>(text) {
                Ok(value) => Err(no_object(vec!["body".into()], value.get())),
                Err(error) => Err(syntax(text, &error)),
            },
        }
    }
}

impl<'n> RowReader<'n> {
    pub(super) const fn new(names: &'n FieldNames) -> Self {
        Self { names, problems: Vec::new(), notes: Vec::new() }
    }

    /// Whether it is of no use to look for more problems.
    pub(super) const fn has_enough(&self) -> bool {
        self.problems.len() >= MOST_PROBLEMS
    }

    /// Reads a flow into `values`; `at` is its position in a list of flows. `false` with something more among the problems.
    pub(super) fn read(&mut self, text: &str, at: Option<usize>, values: &mut Vec<f64>) -> bool {
        let before = self.problems.len();
        self.notes.clear();
        let place = || std::iter::once("body".into()).chain(at.map(Loc::from));
        let mut reader = serde_json::Deserializer::from_str(text);
        match reader.deserialize_map(Members).and_then(|members| reader.end().map(|()| members)) {
            Ok(members) => match members.as_slice() {
                [only] if only.name == LIST => self.read_list(only.value.get(), &place, values),
                _ => self.read_members(&members, text, &place, values),
            },
            Err(_) if !text.trim_ascii_start().starts_with('{') => {
                self.problems.push(no_object(place().collect(), text))
            }
            Err(error) => self.problems.push(syntax(text, &error)),
        }
        self.problems.len() == before
    }

    /// Values by the names of columns.
    fn read_members<I: Iterator<Item = Loc>>(
        &mut self,
        members: &[Member<'_>],
        text: &str,
        place: &impl Fn() -> I,
        values: &mut Vec<f64>,
    ) {
        let names = self.names;
        let found: Vec<_> = members.iter().map(|member| names.find(&member.name)).collect();
        let naming = FieldNames::naming(found.iter().flatten().copied());
        values.clear();
        values.resize(names.features().len(), f64::NAN);
        let mut seen = 0_u128;
        for (Member { name, value }, found) in members.iter().zip(found) {
            if self.has_enough() {
                return;
            }
            let at = || place().chain([Loc::Name(name.to_string())]).collect();
            let Some(found) = found else {
                self.problems.push(Problem::new("extra_forbidden", at(), NO_COLUMN, value.get()));
                continue;
            };
            let Some(place) = found.place(naming) else { continue };
            let column = || names.features().get(place).map_or("", |id| id.feature().column);
            let before = seen;
            seen |= 1 << place;
            if seen == before {
                let msg = format!("`{}` is there twice, under whichever names", column());
                self.problems.push(Problem::new("value_error", at(), msg, value.get()));
                continue;
            }
            match names.meaning(place, naming) {
                Err(why) => {
                    let msg = format!("`{}` is not `{}`: {why}", name.trim(), column());
                    self.problems.push(Problem::new("value_error", at(), msg, value.get()));
                    continue;
                }
                Ok(Some(how)) => self.notes.push(format!("`{}` is the original CICFlowMeter's: {how}", column())),
                Ok(None) => {}
            }
            match number(value.get()) {
                Ok(number) => {
                    if let Some(held) = values.get_mut(place) {
                        *held = number;
                    }
                }
                // What a meter's export has where a flow has no such value.
                Err(_) if value.get() == "null" => {}
                Err((kind, msg)) => self.problems.push(Problem::new(kind, at(), msg, value.get())),
            }
        }
        for (position, feature) in names.features().iter().enumerate() {
            if seen >> position & 1 == 0 {
                let at = place().chain([feature.feature().column.into()]).collect();
                self.problems.push(Problem::new("missing", at, "Field required", text.trim_ascii()));
            }
        }
    }

    /// Values in the model's order.
    fn read_list<I: Iterator<Item = Loc>>(&mut self, list: &str, place: &impl Fn() -> I, values: &mut Vec<f64>) {
        let at = || place().chain([LIST.into()]);
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(list) else {
            self.problems.push(Problem::new("list_type", at().collect(), "Input should be a valid list", list));
            return;
        };
        let (wanted, found) = (self.names.features().len(), items.len());
        if found != wanted {
            let (kind, bound) = if found < wanted { ("too_short", "least") } else { ("too_long", "most") };
            let msg = format!("List should have at {bound} {wanted} items after validation, not {found}");
            self.problems.push(Problem::new(kind, at().collect(), msg, list));
            return;
        }
        values.clear();
        for (position, item) in items.iter().enumerate() {
            match number(item.get()) {
                Ok(number) => values.push(number),
                Err((kind, msg)) => {
                    self.problems.push(Problem::new(kind, at().chain([position.into()]).collect(), msg, item.get()));
                }
            }
        }
    }
}

/// A JSON value as a finite number.
fn number(value: &str) -> Result<f64, (&'static str, &'static str)> {
    match value.as_bytes().first() {
        Some(b'0'..=b'9' | b'-') => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(NOT_FINITE),
        },
        _ if NON_FINITE.contains(&value) => Err(NOT_FINITE),
        _ => Err(NO_NUMBER),
    }
}

fn no_object(loc: Vec<Loc>, value: &str) -> Problem {
    Problem::new(
        "model_attributes_type",
        loc,
        "Input should be an object of values by column name, or of `features`",
        value,
    )
}

/// What is no JSON, with the place of the mistake as the last step.
fn syntax(text: &str, error: &serde_json::Error) -> Problem {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let before: usize = lines.map(|line| line.chars().count()).sum();
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    invalid_json(before + error.column().saturating_sub(1), what)
}

fn invalid_json(at: usize, what: &str) -> Problem {
    Problem::new("json_invalid", vec!["body".into(), at.into()], format!("JSON decode error: {what}"), "{}")
}

/// An object's member.
struct Member<'a> {
    name: Cow<'a, str>,
    value: &'a RawValue,
}

/// Takes an object apart.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(USUAL);
        while let Some(Name(name)) = map.next_key()? {
            members.push(Member { name, value: map.next_value()? });
        }
        Ok(members)
    }
}

/// A member's name, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The member that holds values in the model's order.
const LIST: &str = "features";
/// Members of an ordinary object.
const USUAL: usize = 16;
const NO_COLUMN: &str = "no column of a flow has this name";
const NO_NUMBER: (&str, &str) = ("float_type", "Input should be a valid number");
const NOT_FINITE: (&str, &str) = ("finite_number", "Input should be a finite number");
/// Python's constants, as [`text_of`] leaves them.
const NON_FINITE: [&str; 3] = ["\"NaN\"", "\"Infinity\"", "\"-Infinity\""];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::FeatureId;
    use proptest::prelude::*;

    fn names() -> FieldNames {
        let features = ["Total Fwd Packet", "Down/Up Ratio"];
        FieldNames::new(&features.into_iter().filter_map(FeatureId::named).collect::<Vec<_>>())
    }

    /// All flows of a body, or what is wrong with it.
    fn read(names: &FieldNames, body: &[u8]) -> Result<Vec<Vec<f64>>, Vec<Problem>> {
        let text = text_of(body).map_err(|problem| vec![problem])?;
        let mut rows = RowReader::new(names);
        let mut flows = Vec::new();
        let mut values = Vec::new();
        let mut one = |flow: &str, at| {
            if rows.read(flow, at, &mut values) {
                flows.push(values.clone());
            }
        };
        match Asked::of(&text).map_err(|problem| vec![problem])? {
            Asked::One(flow) => one(flow, None),
            Asked::Many(many) => (0..).zip(many).for_each(|(at, flow)| one(flow.get(), Some(at))),
        }
        if rows.problems.is_empty() { Ok(flows) } else { Err(rows.problems) }
    }

    fn token() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("{".to_owned()),
            Just("}".to_owned()),
            Just("[".to_owned()),
            Just("]".to_owned()),
            Just(",".to_owned()),
            Just(":".to_owned()),
            Just("NaN".to_owned()),
            Just("null".to_owned()),
            Just("\"features\"".to_owned()),
            Just("\"Total Fwd Packet\"".to_owned()),
            Just("\"tot_fwd_pkts\"".to_owned()),
            Just("\"down_up_ratio\"".to_owned()),
            Just("\"\\u0041\\\"\"".to_owned()),
            any::<f64>().prop_map(|number| number.to_string()),
            ".{0,3}",
        ]
    }

    proptest! {
        #[test]
        fn no_body_panics_and_none_gives_a_row_of_another_length(tokens in proptest::collection::vec(token(), 0..24)) {
            let names = names();
            match read(&names, tokens.concat().as_bytes()) {
                Ok(flows) => prop_assert!(flows.iter().all(|flow| flow.len() == 2)),
                Err(problems) => prop_assert!(!problems.is_empty() && serde_json::to_string(&problems).is_ok()),
            }
        }

        #[test]
        fn bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            read(&names(), &bytes).ok();
        }

        #[test]
        fn numbers_come_through_whole(flows in proptest::collection::vec([-1e300..1e300_f64, -1.0..1.0_f64], 1..5), named: bool) {
            let flow = |[packets, ratio]: &[f64; 2]| match named {
                true => format!("{{\"Down/Up Ratio\": {ratio:?}, \"TOTAL fwd packet\" : {packets:?}}}"),
                false => format!("{{\"features\": [{packets:?}, {ratio:?}]}}"),
            };
            let bodies: Vec<_> = flows.iter().map(flow).collect();
            let read = read(&names(), format!("[{}]", bodies.join(" ,")).as_bytes());
            prop_assert_eq!(read.ok(), Some(flows.iter().map(|flow| flow.to_vec()).collect()));
        }
    }
}
