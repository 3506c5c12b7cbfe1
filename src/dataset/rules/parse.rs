//! From the text of a rules file to checked rules.

use std::str::FromStr;

use serde_saphyr::{Location, Spanned};

use super::conditions::{Conditions, Moment, port_range, protocol_number, span};
use super::{Fallback, Rule, Rules, RulesError};
use crate::dataset::timestamp::parse_rfc3339;
use crate::taxonomy;
use crate::yaml::Node;

/// Reads a whole file.
pub(super) fn rules(text: &str) -> Result<Rules, RulesError> {
    let root = Node::parse(text).map_err(|error| RulesError {
        line: error.line,
        column: error.column,
        rule: None,
        message: error.message,
    })?;
    let file = Place { rule: None };
    let [version, scenario, default, custom_labels, list] = file.fields(root, FILE_KEYS)?;
    file.version(version.as_ref())?;
    let custom_labels = match custom_labels {
        None => false,
        Some(node) => {
            let switch = file.text(&node)?;
            switch.parse().map_err(|_| file.wrong(node.referenced, "custom_labels: true or false is expected"))?
        }
    };
    let fallback = match default {
        None => Fallback::Unlabelled,
        Some(node) => match file.text(&node)? {
            "unlabelled" => Fallback::Unlabelled,
            "keep" => Fallback::Keep,
            _ => Fallback::Label(file.label(&node, custom_labels)?),
        },
    };
    let scenario = scenario.map(|node| file.name(&node)).transpose()?;
    let nodes = match list {
        None => Vec::new(),
        Some(Spanned { value: Node::List(nodes), .. }) => nodes,
        Some(node) => return Err(file.wrong(node.referenced, "rules: a list is expected")),
    };
    if let Some(node) = nodes.get(MOST_RULES) {
        return Err(file.wrong(node.referenced, &format!("more than {MOST_RULES} rules")));
    }
    let mut rules: Vec<Rule> = Vec::with_capacity(nodes.len());
    for (number, node) in (1..).zip(nodes) {
        let at = node.referenced;
        let rule = rule(number, node, custom_labels)?;
        if rules.iter().any(|other| other.name == rule.name) {
            let place = Place { rule: Some(format!("rule {number}")) };
            return Err(place.wrong(at, &format!("another rule is named `{}`", rule.name)));
        }
        rules.push(rule);
    }
    Ok(Rules { scenario, fallback, custom_labels, rules })
}

fn rule(number: usize, node: Spanned<Node>, custom_labels: bool) -> Result<Rule, RulesError> {
    let at = node.referenced;
    let mut place = Place { rule: Some(format!("rule {number}")) };
    let [name, label, scenario, capture, src, dst, any, src_port, dst_port, port, protocol, direction, from, to] =
        place.fields(node, RULE_KEYS)?;
    let name = match name {
        None => format!("rule {number}"),
        Some(node) => {
            let name = place.name(&node)?;
            place.rule = Some(format!("rule {number} (`{name}`)"));
            name
        }
    };
    let label = label.ok_or_else(|| place.wrong(at, "it has no `label`"))?;
    let window = [&from, &to].map(|node| node.as_ref().map(|node| place.moment(node)).transpose());
    let [starts, ends] = window;
    let (starts, ends) = (starts?, ends?);
    if let Some(node) = &to {
        place.window(node.referenced, starts, ends)?;
    }
    let conditions = Conditions {
        src: place.list(src.as_ref(), "src", FromStr::from_str)?,
        dst: place.list(dst.as_ref(), "dst", FromStr::from_str)?,
        any: place.list(any.as_ref(), "any", FromStr::from_str)?,
        src_port: place.list(src_port.as_ref(), "src_port", port_range)?,
        dst_port: place.list(dst_port.as_ref(), "dst_port", port_range)?,
        port: place.list(port.as_ref(), "port", port_range)?,
        protocol: place.list(protocol.as_ref(), "protocol", protocol_number)?,
        capture: place.list(capture.as_ref(), "capture", |name| Ok(name.to_owned()))?,
        forward_only: match direction {
            None => false,
            Some(node) => match place.text(&node)? {
                "either" => false,
                "forward" => true,
                other => {
                    let message = format!("direction: `{other}` is neither `either` nor `forward`");
                    return Err(place.wrong(node.referenced, &message));
                }
            },
        },
        from: starts,
        to: ends,
    };
    let scenario = scenario.map(|node| place.name(&node)).transpose()?;
    Ok(Rule { name, label: place.label(&label, custom_labels)?, scenario, conditions })
}

/// Where in the file we are, for messages.
struct Place {
    rule: Option<String>,
}

impl Place {
    fn wrong(&self, at: Location, message: &str) -> RulesError {
        let (line, column) = (at.line().max(1), at.column().max(1));
        RulesError { line, column, rule: self.rule.clone(), message: message.to_owned() }
    }

    /// The values of a map's known keys, in the order of `known`.
    fn fields<const N: usize>(
        &self,
        node: Spanned<Node>,
        known: [&str; N],
    ) -> Result<[Option<Spanned<Node>>; N], RulesError> {
        let at = node.referenced;
        let Node::Map(entries) = node.value else {
            return Err(self.wrong(at, &format!("keys are expected: {}", known.join(", "))));
        };
        let mut values = [const { None }; N];
        for (key, value) in entries {
            let slot = known.iter().zip(&mut values).find(|(name, _)| **name == key.value);
            match slot {
                None => {
                    let message = format!("unknown key `{}`: the keys are {}", key.value, known.join(", "));
                    return Err(self.wrong(key.referenced, &message));
                }
                Some((_, Some(_))) => {
                    return Err(self.wrong(key.referenced, &format!("`{}` is there twice", key.value)));
                }
                Some((_, slot)) => *slot = Some(value),
            }
        }
        Ok(values)
    }

    fn version(&self, node: Option<&Spanned<Node>>) -> Result<(), RulesError> {
        let missing = RulesError { line: 1, column: 1, rule: None, message: "`version: 1` is missing".to_owned() };
        let node = node.ok_or(missing)?;
        match self.text(node)? {
            "1" => Ok(()),
            other => Err(self.wrong(node.referenced, &format!("version `{other}`: this program reads version 1"))),
        }
    }

    /// A text that is not empty.
    fn text<'n>(&self, node: &'n Spanned<Node>) -> Result<&'n str, RulesError> {
        match &node.value {
            Node::Scalar(text) if !text.trim().is_empty() => Ok(text.trim()),
            Node::Scalar(_) | Node::Null => Err(self.wrong(node.referenced, "a value is missing")),
            Node::List(_) | Node::Map(_) => Err(self.wrong(node.referenced, "one value is expected")),
        }
    }

    /// A text for a cell or a message.
    fn name(&self, node: &Spanned<Node>) -> Result<String, RulesError> {
        let text = self.text(node)?;
        if text.len() > LONGEST_NAME || text.chars().any(char::is_control) {
            let message = format!("a name is at most {LONGEST_NAME} bytes long and on one line");
            return Err(self.wrong(node.referenced, &message));
        }
        Ok(text.to_owned())
    }

    /// A label in the taxonomy's spelling.
    fn label(&self, node: &Spanned<Node>, custom: bool) -> Result<String, RulesError> {
        let text = self.name(node)?;
        match taxonomy::class_of_cell(&text) {
            Some(class) => Ok(class.name.to_owned()),
            None if custom => Ok(text),
            None => {
                let message = format!(
                    "label `{text}` is not in the taxonomy: `flowshrike label --list-labels` shows what is;                      `custom_labels: true` allows others"
                );
                Err(self.wrong(node.referenced, &message))
            }
        }
    }

    /// One value, or a list of at least one, each read by `read`.
    fn list<T>(
        &self,
        node: Option<&Spanned<Node>>,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, RulesError> {
        let Some(node) = node else { return Ok(Vec::new()) };
        let nodes = match &node.value {
            Node::List(nodes) if nodes.is_empty() => {
                return Err(self.wrong(node.referenced, &format!("{key}: the list is empty")));
            }
            Node::List(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let item = |node: &Spanned<Node>| {
            read(self.text(node)?).map_err(|message| self.wrong(node.referenced, &format!("{key}: {message}")))
        };
        nodes.iter().map(item).collect()
    }

    fn moment(&self, node: &Spanned<Node>) -> Result<Moment, RulesError> {
        let text = self.text(node)?;
        let hint = "a time as 2026-01-15T09:00:00Z or a span since the capture's first packet as +120s (us, ms, s, m, h) is expected";
        if let Some(span) = span(text) {
            return Ok(Moment::After(span));
        }
        parse_rfc3339(text)
            .map(Moment::At)
            .map_err(|error| self.wrong(node.referenced, &format!("`{text}`: {hint}: {error}")))
    }

    /// A window holds at least one moment.
    fn window(&self, at: Location, from: Option<Moment>, to: Option<Moment>) -> Result<(), RulesError> {
        match (from, to) {
            (Some(Moment::At(from)), Some(Moment::At(to))) | (Some(Moment::After(from)), Some(Moment::After(to)))
                if from >= to =>
            {
                Err(self.wrong(at, "the window ends before it begins: `from` is in it, `to` is not"))
            }
            (Some(Moment::At(_)), Some(Moment::After(_))) | (Some(Moment::After(_)), Some(Moment::At(_))) => {
                Err(self.wrong(at, "`from` and `to` are both times, or both spans since the first packet"))
            }
            (None, Some(Moment::After(crate::time::Micros::ZERO))) => {
                Err(self.wrong(at, "nothing starts before the capture's first packet"))
            }
            _ => Ok(()),
        }
    }
}

const FILE_KEYS: [&str; 5] = ["version", "scenario", "default", "custom_labels", "rules"];
const RULE_KEYS: [&str; 14] = [
    "name",
    "label",
    "scenario",
    "capture",
    "src",
    "dst",
    "any",
    "src_port",
    "dst_port",
    "port",
    "protocol",
    "direction",
    "from",
    "to",
];
/// Every flow is held against every rule.
const MOST_RULES: usize = 1_000;
/// Names and labels become cells and metric labels.
const LONGEST_NAME: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        rules(text).expect_err("a wrong file").to_string()
    }

    #[test]
    fn a_whole_file_reads() {
        let text = "
version: 1
scenario: demo
default: benign
rules:
  - {label: 6, src: 10.0.0.0/8, dst: [10.1.0.1, 'fd00::/8'], protocol: tcp, port: [443, 8000-8080]}
  - name: the scan
    label: Recon.Port-Scan
    scenario: other
    any: 10.0.0.9
    direction: forward
    from: +10s
    to: +2m
";
        let rules = rules(text).expect("reads");
        assert_eq!((rules.scenario(), rules.fallback()), (Some("demo"), &Fallback::Label("benign".into())));
        let told: Vec<_> = rules.rules().iter().map(|rule| (rule.name(), rule.label(), rule.scenario())).collect();
        assert_eq!(told, [("rule 1", "cve-2019-20933", None), ("the scan", "recon.port-scan", Some("other"))]);
        let needs = rules.needs();
        assert!(needs.addresses && needs.ports && needs.protocol && needs.time && needs.first_packet);
    }

    #[test]
    fn errors_name_the_line_and_the_rule() {
        let rule = |body: &str| format!("version: 1\nrules:\n  - name: x\n    label: recon\n    {body}\n");
        for (text, words) in [
            (String::new(), "1:1: keys are expected"),
            ("default: benign\n".into(), "1:1: `version: 1` is missing"),
            ("version: 2\n".into(), "1:10: version `2`: this program reads version 1"),
            ("version: 1\nrule: []\n".into(), "2:1: unknown key `rule`: the keys are version,"),
            ("version: 1\nrules: {}\n".into(), "2:8: rules: a list is expected"),
            ("version: 1\ndefault: flowers\n".into(), "2:10: label `flowers` is not in the taxonomy"),
            ("version: 1\nrules:\n  - src: 10.0.0.1\n".into(), "3:5: rule 1: it has no `label`"),
            ("version: 1\nrules: [{label: unknown-novel}]\n".into(), "rule 1: label `unknown-novel` is not in"),
            (rule("source: 10.0.0.1"), "5:5: rule 1: unknown key `source`"),
            (rule("src: 10.0.0.1/8"), "5:10: rule 1 (`x`): src: `10.0.0.1/8`: the address has bits beyond"),
            (rule("src: [10.0.0.1, '']"), "5:21: rule 1 (`x`): a value is missing"),
            (rule("dst: []"), "rule 1 (`x`): dst: the list is empty"),
            (rule("any:"), "rule 1 (`x`): a value is missing"),
            (rule("port: 90-80"), "5:11: rule 1 (`x`): port: `90-80`: the range goes backwards"),
            (rule("port: 70000"), "rule 1 (`x`): port: `70000`: a port of 0 to 65535"),
            (rule("protocol: quic"), "rule 1 (`x`): protocol: `quic`: tcp, udp"),
            (rule("direction: back"), "rule 1 (`x`): direction: `back` is neither"),
            (rule("from: yesterday"), "rule 1 (`x`): `yesterday`: a time as"),
            (rule("from: 2026-01-15T09:00:00"), "it has no time zone"),
            (rule("from: +2m\n    to: +90"), "the window ends before it begins"),
            (rule("from: +2d"), "`+2d`: a time as 2026-01-15T09:00:00Z or a span"),
            (rule("from: +2m\n    to: +60s"), "6:9: rule 1 (`x`): the window ends before it begins"),
            (rule("from: +2m\n    to: +120s"), "the window ends before it begins"),
            (rule("from: +2m\n    to: 2026-01-15T09:00:00Z"), "both times, or both spans"),
            (rule("label: dos"), "label"),
            (rule("port: 1\n  - {name: x, label: dos}"), "rule 2: another rule is named `x`"),
        ] {
            let message = message(&text);
            assert!(message.contains(words), "`{message}` does not say `{words}`");
        }
    }

    #[test]
    fn labels_of_ones_own_are_allowed_where_the_file_says_so() {
        let text = "version: 1\ncustom_labels: true\ndefault: quiet\nrules: [{label: Dos}, {label: flowers}]\n";
        let rules = rules(text).expect("reads");
        assert_eq!(rules.rules().iter().map(Rule::label).collect::<Vec<_>>(), ["dos", "flowers"]);
        assert!(rules.has_custom_labels());
    }
}
