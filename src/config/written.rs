//! The first step: what was written for each key, and where. Texts only; nothing is understood yet but names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde_saphyr::{Location, Spanned};

use super::error::{ConfigError, Origin};
use super::keys::{Form, Key, VARIABLE_PREFIX};
use crate::yaml::Node;

/// One value from the command line.
#[derive(Clone, Debug)]
pub struct Override {
    /// The path of the key.
    pub key: &'static str,
    /// The value as it was typed; a key of a list may come several times, once for each item.
    pub value: String,
    /// The flag, for messages.
    pub flag: &'static str,
}

/// What was written, by the path of its key.
#[derive(Debug, Default)]
pub(super) struct Written(BTreeMap<&'static str, Entry>);

/// One key's last word.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Map(Vec<(String, String)>),
}

impl Written {
    pub(super) fn get(&self, key: &Key) -> Option<&Entry> {
        self.0.get(key.path)
    }

    /// Adds what stands in a file.
    pub(super) fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        self.read_yaml(path, &text)
    }

    pub(super) fn read_yaml(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let at = |line, column| Origin::File { path: path.to_owned(), line, column };
        let place = |location: Location| at(location.line(), location.column());
        let misshapen =
            |location, what: &str| ConfigError::Syntax { origin: place(location), message: what.to_owned() };
        let root = Node::parse(text)
            .map_err(|error| ConfigError::Syntax { origin: at(error.line, error.column), message: error.message })?;
        for (section, body) in entries(root.value).ok_or_else(|| misshapen(root.referenced, "sections are expected"))? {
            if Key::sections().all(|known| known != section.value) {
                let nearest = Key::nearest_section(&section.value).or_else(|| Key::nearest(&section.value));
                return Err(unknown(place(section.referenced), section.value, nearest));
            }
            let where_body = body.referenced;
            let wrong = || misshapen(where_body, &format!("`{}` is a section: keys are expected in it", section.value));
            for (name, value) in entries(body.value).ok_or_else(wrong)? {
                let path = format!("{}.{}", section.value, name.value);
                let Some(key) = Key::named(&path) else {
                    let nearest = Key::nearest(&path);
                    return Err(unknown(place(name.referenced), path, nearest));
                };
                let origin = place(value.referenced);
                let wrong = |message: &str| ConfigError::Value {
                    origin: origin.clone(),
                    key: key.path,
                    message: message.to_owned(),
                };
                if let Some(value) = shaped(key.form, value.value).map_err(wrong)? {
                    self.0.insert(key.path, Entry { value, origin });
                }
            }
        }
        Ok(())
    }

    /// Adds what `FLOWSHRIKE_*` variables say; an empty one says nothing, and what Kubernetes sets is not meant.
    pub(super) fn read_variables(
        &mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), ConfigError> {
        let ours = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok().filter(|name| name.starts_with(VARIABLE_PREFIX))?, value))
        };
        let mut ours: Vec<_> = variables.into_iter().filter_map(ours).collect();
        ours.sort();
        for (name, value) in ours {
            let origin = Origin::Variable(name.clone());
            let Some(key) = Key::of_variable(&name) else {
                if RESERVED_VARIABLES.contains(&name.as_str()) || is_service_link(&name, &value) {
                    continue;
                }
                let path = name.trim_start_matches(VARIABLE_PREFIX).to_ascii_lowercase().replacen('_', ".", 1);
                let nearest = Key::nearest(&path).and_then(Key::named).map(Key::variable);
                return Err(ConfigError::UnknownKey {
                    origin: Origin::Variable("environment".into()),
                    key: name,
                    nearest,
                });
            };
            let Ok(text) = value.into_string() else {
                return Err(ConfigError::Value { origin, key: key.path, message: "the value is not UTF-8".to_owned() });
            };
            if text.trim().is_empty() {
                continue;
            }
            let items = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let value = match key.form {
                Form::List => Value::List(items().map(str::to_owned).collect()),
                Form::Fractions => {
                    let pair =
                        |item: &str| item.split_once('=').map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned()));
                    let message = "it is written as name=0.5,other=0.9".to_owned();
                    let pairs: Option<Vec<_>> = items().map(pair).collect();
                    Value::Map(pairs.ok_or_else(|| ConfigError::Value {
                        origin: origin.clone(),
                        key: key.path,
                        message,
                    })?)
                }
                _ => Value::Text(text.trim().to_owned()),
            };
            self.0.insert(key.path, Entry { value, origin });
        }
        Ok(())
    }

    /// Adds what flags say. A flag's key that is not in the table is a mistake of the program, and said as one.
    pub(super) fn read_overrides(&mut self, overrides: &[Override]) -> Result<(), ConfigError> {
        for Override { key, value, flag } in overrides {
            let origin = Origin::Flag(flag);
            let Some(key) = Key::named(key) else {
                return Err(unknown(origin, (*key).to_owned(), Key::nearest(key)));
            };
            let value = match key.form {
                Form::List => match self.0.remove(key.path) {
                    Some(Entry { value: Value::List(mut items), origin: Origin::Flag(_) }) => {
                        items.push(value.clone());
                        Value::List(items)
                    }
                    _ => Value::List(vec![value.clone()]),
                },
                Form::Fractions => {
                    let message = format!("`{value}` is not of the form name=0.5");
                    let (name, number) = value.split_once('=').ok_or_else(|| ConfigError::Value {
                        origin: origin.clone(),
                        key: key.path,
                        message,
                    })?;
                    let mut pairs = match self.0.remove(key.path) {
                        Some(Entry { value: Value::Map(pairs), .. }) => pairs,
                        _ => Vec::new(),
                    };
                    pairs.retain(|(known, _)| known != name);
                    pairs.push((name.to_owned(), number.to_owned()));
                    Value::Map(pairs)
                }
                _ => Value::Text(value.clone()),
            };
            self.0.insert(key.path, Entry { value, origin });
        }
        Ok(())
    }
}

/// The entries of a map, none for nothing, or not a map.
fn entries(node: Node) -> Option<Vec<(Spanned<String>, Spanned<Node>)>> {
    match node {
        Node::Null => Some(Vec::new()),
        Node::Map(entries) => Some(entries),
        Node::Scalar(_) | Node::List(_) => None,
    }
}

/// A node as the key's form wants it; `None` for nothing.
fn shaped(form: Form, node: Node) -> Result<Option<Value>, &'static str> {
    let text = |node: Node, or: &'static str| match node {
        Node::Scalar(text) => Ok(text),
        Node::Null | Node::List(_) | Node::Map(_) => Err(or),
    };
    Ok(Some(match (form, node) {
        (_, Node::Null) => return Ok(None),
        (Form::List, Node::List(items)) => {
            let items: Result<_, _> = items.into_iter().map(|item| text(item.value, "its items are texts")).collect();
            Value::List(items?)
        }
        (Form::List, Node::Scalar(text)) => Value::List(vec![text]),
        (Form::List, Node::Map(_)) => return Err("a list is expected"),
        (Form::Fractions, Node::Map(entries)) => {
            let pair = |(name, value): (Spanned<String>, Spanned<Node>)| {
                Ok::<_, &'static str>((name.value, text(value.value, "its values are numbers")?))
            };
            let entries: Result<_, _> = entries.into_iter().map(pair).collect();
            Value::Map(entries?)
        }
        (Form::Fractions, _) => return Err("names with numbers are expected, as `recon: 0.8`"),
        (_, node) => Value::Text(text(node, "one value is expected")?),
    }))
}

fn unknown(origin: Origin, key: String, nearest: Option<&'static str>) -> ConfigError {
    ConfigError::UnknownKey { origin, key, nearest: nearest.map(str::to_owned) }
}

/// Whether Kubernetes made this variable for a Service whose name begins with `flowshrike`.
///
/// It does so in every pod of the Service's namespace; taking these for settings would keep the daemon from starting.
fn is_service_link(name: &str, value: &OsString) -> bool {
    let rest = name.trim_start_matches(VARIABLE_PREFIX);
    let is_url = || ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.to_string_lossy().starts_with(scheme));
    let of_port = |(_, after): (&str, &str)| {
        let (port, protocol) = after.split_once('_').unwrap_or((after, ""));
        let known = ["TCP", "UDP", "SCTP"].iter().any(|p| protocol == *p || protocol.starts_with(&format!("{p}_")));
        known && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
    };
    ((rest == "PORT" || rest.ends_with("_PORT")) && is_url())
        || rest.ends_with("SERVICE_HOST")
        || rest.ends_with("SERVICE_PORT")
        || rest.contains("SERVICE_PORT_")
        || rest.split_once("PORT_").is_some_and(of_port)
}

/// Read elsewhere: the command line takes the path of the configuration file from one, and the prediction service, which an image
/// may hold beside the daemon, its address from the other.
const RESERVED_VARIABLES: &[&str] = &["FLOWSHRIKE_CONFIG", "FLOWSHRIKE_SERVE_LISTEN"];
