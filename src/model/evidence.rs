//! What a model says of evidence beyond one flow: which kinds of it raise an incident, and from which count on.
//!
//! The numbers are learnt on labelled flows and stand in the artifact; [`evidence`](crate::evidence) counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::ArtifactError;
use super::parts::field;
use crate::taxonomy;

/// A kind of evidence. The set is fixed: it is a metric label and a key of artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// Distinct ports of one host at which one source failed, in the long window.
    Ports,
    /// Distinct hosts at one port of which one source failed, in the long window.
    Hosts,
    /// Contacts of all sources with one port of one host that failed and were not refused, and echo requests, in the short window.
    Flood,
    /// Refused contacts of one source with one service, in the short window.
    Refusals,
    /// Short exchanges of one source with one service whose verdicts are of guessing, in the middle window.
    Guessing,
    /// Short TCP exchanges of one source with one service that some verdict spoke against, in the short window.
    Calls,
    /// What the verdicts on one source's flows to one service lean to attacks, in the long window, by label.
    Share,
    /// Distinct ports of any host at which one source failed, in the long window.
    Endpoints,
}

/// The evidence part of an artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceParts {
    /// The windows that the counts were taken in, in seconds; a program that counts in others refuses them.
    pub short_window: u32,
    /// See `short_window`.
    pub middle_window: u32,
    /// See `short_window`.
    pub long_window: u32,
    /// From which count on a kind raises an incident; a kind that is not here raises none. Not the share, which goes by label, and
    /// guessing only where `guessing` says nothing, as in older artifacts.
    pub kinds: BTreeMap<EvidenceKind, Least>,
    /// From which count on guessing raises an incident, by the label that its verdicts lead to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guessing: BTreeMap<String, Least>,
    /// From which sum on the share raises an incident, by its label.
    pub share: BTreeMap<String, Least>,
    /// One line on the flows that this was learnt on.
    pub learned_on: String,
}

/// A threshold, and what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Least {
    /// The least count that raises an incident.
    pub least: f32,
    /// Of the share: what a flow's attack share is reduced by before it is added up, 0 to 1.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lean: f32,
    /// The greatest count of a benign subject.
    pub benign: f32,
    /// Hostile sources that reach the threshold, each in each capture that it is in.
    pub caught: u32,
    /// Hostile sources that the kind counts something of.
    pub hostile: u32,
}

impl EvidenceKind {
    /// Every kind, the more special before the more general, in the order of [`EvidenceKind::index`].
    pub const ALL: [Self; 8] = [
        Self::Ports,
        Self::Hosts,
        Self::Flood,
        Self::Refusals,
        Self::Guessing,
        Self::Calls,
        Self::Share,
        Self::Endpoints,
    ];

    /// The kind as a metric label and key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ports => "ports",
            Self::Hosts => "hosts",
            Self::Flood => "flood",
            Self::Refusals => "refusals",
            Self::Guessing => "guessing",
            Self::Calls => "calls",
            Self::Share => "share",
            Self::Endpoints => "endpoints",
        }
    }

    /// Position in [`EvidenceKind::ALL`], for counters in an array.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Least {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, lean, benign, caught, hostile } = self;
        if *lean > 0.0 {
            write!(f, "above {lean} a flow, ")?;
        }
        write!(f, "from {least}; benign up to {benign}, {caught} of {hostile} hostile sources reach it")
    }
}

/// The alert threshold of a label whose flows are never told one by one, however sure the verdict: no share reaches it.
pub const NEVER_ALONE: f32 = 2.0;

/// An alert threshold for people.
#[must_use]
pub fn alone_text(least: f32) -> String {
    if least > 1.0 { "never".to_owned() } else { least.to_string() }
}

impl EvidenceParts {
    /// The short window, in seconds: what a flood is told by.
    pub const SHORT_WINDOW: u32 = 10;
    /// The middle window, in seconds: tools that guess try ten times a minute and more; what is slower adds up as a share.
    pub const MIDDLE_WINDOW: u32 = 60;
    /// The long window, in seconds: a scan of one port every 15 s, as slow as common tools go unasked, shows 20 in it.
    pub const LONG_WINDOW: u32 = 300;

    /// All windows.
    pub const WINDOWS: [u32; 3] = [Self::SHORT_WINDOW, Self::MIDDLE_WINDOW, Self::LONG_WINDOW];

    /// Each threshold with its name for people, in order.
    pub fn told(&self) -> impl Iterator<Item = (String, &Least)> + '_ {
        let kinds = self.kinds.iter().map(|(kind, least)| (kind.to_string(), least));
        let by_label = [("guessing", &self.guessing), ("share", &self.share)];
        let by_label = by_label
            .into_iter()
            .flat_map(|(kind, labels)| labels.iter().map(move |(label, least)| (format!("{kind} of {label}"), least)));
        kinds.chain(by_label)
    }

    /// Refuses what the counting cannot go by.
    pub(super) fn check(&self, labels: &[String]) -> Result<(), ArtifactError> {
        let bad = |problem: String| Err(field("evidence", problem));
        let (held, own) = ([self.short_window, self.middle_window, self.long_window], Self::WINDOWS);
        if held != own {
            return bad(format!("counted in windows of {held:?} s, this program counts in {own:?} s: learn it anew"));
        }
        if self.told().any(|(_, least)| !(0.0..=1.0).contains(&least.lean)) {
            return bad("a lean outside 0..=1".to_owned());
        }
        if self.kinds.contains_key(&EvidenceKind::Share) {
            return bad("the share goes by label".to_owned());
        }
        let mut by_label = self.share.keys().chain(self.guessing.keys());
        if let Some(label) = by_label.find(|label| !labels.contains(label) || taxonomy::is_benign(label)) {
            return bad(format!("`{label}` is no attack's label of the model"));
        }
        let is_count = |x: f32| x.is_finite() && x >= 0.0;
        if let Some((name, _)) =
            self.told().find(|(_, least)| !(is_count(least.least) && least.least >= 1.0 && is_count(least.benign)))
        {
            return bad(format!("{name}: a threshold below 1, or no number"));
        }
        if self.learned_on.is_empty()
            || self.learned_on.len() > MAX_LINE
            || self.learned_on.chars().any(char::is_control)
        {
            return bad(format!("learned_on needs 1 to {MAX_LINE} bytes without control characters"));
        }
        Ok(())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(lean: &f32) -> bool {
    lean.to_bits() == 0
}

/// Longest line about the flows.
const MAX_LINE: usize = 256;
