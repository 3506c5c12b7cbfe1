//! Rules that label flows: who spoke to whom, on which ports, when; the first rule that matches gives the label.
//!
//! [`Rules::parse`] reads the YAML text of a rules file, [`Rules::matching`] says which rules a flow matches, and [`Tally`]
//! counts what each took. Nothing here reads a file; `flowshrike label` does.

mod conditions;
mod parse;
mod tally;

pub(in crate::dataset) use conditions::protocol_number;
pub use conditions::{Needs, Network};
pub use tally::{Counts, Pair, Tally};

use conditions::Conditions;

use crate::flow::FiveTuple;
use crate::time::Micros;

/// A rules file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    scenario: Option<String>,
    fallback: Fallback,
    custom_labels: bool,
    rules: Vec<Rule>,
}

/// What a flow becomes that no rule takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// This label.
    Label(String),
    /// No label: the reference's `NeedManualLabel`.
    Unlabelled,
    /// The label that it came with.
    Keep,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    name: String,
    label: String,
    scenario: Option<String>,
    conditions: Conditions,
}

/// A flow, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Initiator to responder.
    pub tuple: FiveTuple,
    /// Time of its first packet: a flow counts by its start, however long it lasts.
    pub start: Micros,
    /// Time of its capture's first packet.
    pub first: Micros,
    /// Name of its capture.
    pub capture: &'a str,
}

/// What is wrong with a rules file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {}{message}", rule.as_ref().map(|rule| format!("{rule}: ")).unwrap_or_default())]
pub struct RulesError {
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// The rule, for people.
    pub rule: Option<String>,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Rules {
    /// Reads a rules file.
    ///
    /// # Errors
    /// The first thing that is wrong: no YAML, an unknown key, a value that cannot be meant.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        parse::rules(text)
    }

    /// Positions of the rules that a flow matches, first to last. The first one takes it.
    pub fn matching(&self, candidate: &Candidate<'_>) -> impl Iterator<Item = usize> {
        self.rules.iter().enumerate().filter(|(_, rule)| rule.conditions.hold(candidate)).map(|(at, _)| at)
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What a flow becomes that no rule takes.
    #[must_use]
    pub const fn fallback(&self) -> &Fallback {
        &self.fallback
    }

    /// The scenario of flows whose rule names none; without one, their file's name.
    #[must_use]
    pub fn scenario(&self) -> Option<&str> {
        self.scenario.as_deref()
    }

    /// Whether labels need not be in the taxonomy.
    #[must_use]
    pub const fn has_custom_labels(&self) -> bool {
        self.custom_labels
    }

    /// Whether the file or a rule names a scenario.
    #[must_use]
    pub fn names_scenarios(&self) -> bool {
        self.scenario.is_some() || self.rules.iter().any(|rule| rule.scenario.is_some())
    }

    /// The label of a flow that `rule` took, or none did; `own` is the label that it came with. `None`: it has none in the end.
    #[must_use]
    pub fn label<'a>(&'a self, rule: Option<&'a Rule>, own: &'a [u8]) -> Option<&'a [u8]> {
        match (rule, &self.fallback) {
            (Some(rule), _) => Some(rule.label().as_bytes()),
            (None, Fallback::Label(label)) => Some(label.as_bytes()),
            (None, Fallback::Keep) => Some(own).filter(|own| !own.is_empty()),
            (None, Fallback::Unlabelled) => None,
        }
    }

    /// The scenario of such a flow, unless its file names one; `None`: its file's name.
    #[must_use]
    pub fn scenario_of<'a>(&'a self, rule: Option<&'a Rule>) -> Option<&'a str> {
        rule.and_then(Rule::scenario).or(self.scenario.as_deref())
    }

    /// Which facts of a flow the rules look at.
    #[must_use]
    pub fn needs(&self) -> Needs {
        self.rules.iter().fold(Needs::default(), |needs, rule| needs.and(rule.conditions.needs()))
    }
}

impl Rule {
    /// Its name, or `rule 3`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The label that it gives: the taxonomy's own spelling, if it is there.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The scenario that it gives, if not its file's.
    #[must_use]
    pub fn scenario(&self) -> Option<&str> {
        self.scenario.as_deref()
    }
}
