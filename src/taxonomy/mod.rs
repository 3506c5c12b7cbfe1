//! What a label means: its stage, title, severity and ATT&CK technique, in one checked table.
//!
//! Models carry label names, alerts print titles and techniques, `label` checks the labels of rules, `train` and
//! `evaluate` map a data set's labels to a model's: all of them read [`CLASSES`]. It decides nothing about a flow.

mod attack;
mod page;
mod table;

pub use attack::{ATTACK_VERSION, Technique};
pub use page::{reference_page, text};
pub use table::CLASSES;

use std::fmt;

/// One label and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The name in a model's labels and in metrics: lower case, digits, hyphens. A behaviour is `stage.behaviour`, a
    /// label of the published data set has a name of its own, a whole stage its stage's.
    pub name: &'static str,
    /// The number in the Kubernetes misuse data set, for the labels it publishes.
    pub published: Option<u8>,
    /// The stage of an attack that it belongs to.
    pub stage: Stage,
    /// One line for people: an alert's signature text.
    pub title: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The ATT&CK technique, where one fits.
    pub technique: Option<Technique>,
}

/// Stages by which `train` groups labels unless it is told otherwise, in the order in which an intruder comes to them.
///
/// A stage is what whoever reads an alert acts on, and no finer than a flow's features can tell: tunnels stand apart from
/// other command channels because they look unlike them, whatever they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// No attack.
    Benign,
    /// Looking around: scans and probes.
    Recon,
    /// Guessing credentials.
    BruteForce,
    /// Using a weakness, and what follows from it.
    Exploit,
    /// From one workload to others: their services, the control plane.
    Lateral,
    /// Orders from outside, and answers.
    CommandAndControl,
    /// A protocol inside another, whatever it carries.
    Tunnel,
    /// Taking data out.
    Exfiltration,
    /// Making a service unusable.
    DenialOfService,
    /// Using the cluster's machines for somebody else's gain.
    Mining,
    /// Unlike anything known; a decision of alert policy, never a model's label.
    Novel,
}

/// How much an alert matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For the record.
    Info,
    /// Worth a look some day.
    Low,
    /// Worth a look today.
    Medium,
    /// Worth a look now.
    High,
    /// Worth waking someone.
    Critical,
}

/// The class of a label name; `None` for a label that the table does not hold.
#[must_use]
pub fn class(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|class| class.name == name)
}

/// The class that a data set's label cell means: a published number, a name, or the published title, without regard to case.
#[must_use]
pub fn class_of_cell(cell: &str) -> Option<&'static Class> {
    let cell = cell.trim();
    let number = cell.parse::<u8>().ok();
    CLASSES.iter().find(|class| {
        class.stage != Stage::Novel
            && (number.is_some() && class.published == number
                || class.name.eq_ignore_ascii_case(cell)
                || class.title.eq_ignore_ascii_case(cell))
    })
}

/// Whether a label name means "no attack".
#[must_use]
pub fn is_benign(name: &str) -> bool {
    name == Stage::Benign.name()
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 11] = [
        Self::Benign,
        Self::Recon,
        Self::BruteForce,
        Self::Exploit,
        Self::Lateral,
        Self::CommandAndControl,
        Self::Tunnel,
        Self::Exfiltration,
        Self::DenialOfService,
        Self::Mining,
        Self::Novel,
    ];

    /// The name, which is also the class of the whole stage.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Recon => "recon",
            Self::BruteForce => "brute-force",
            Self::Exploit => "exploit",
            Self::Lateral => "lateral",
            Self::CommandAndControl => "c2",
            Self::Tunnel => "tunnel",
            Self::Exfiltration => "exfil",
            Self::DenialOfService => "dos",
            Self::Mining => "mining",
            Self::Novel => "unknown-novel",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Severity {
    /// Every severity, least first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The name as a metric label and in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Suricata's number: 1 is the highest. It knows four levels in practice, so critical and high share the first.
    #[must_use]
    pub const fn suricata(self) -> u8 {
        match self {
            Self::Critical | Self::High => 1,
            Self::Medium => 2,
            Self::Low => 3,
            Self::Info => 4,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_titles_and_numbers_are_unique() {
        let names: HashSet<_> = CLASSES.iter().map(|class| class.name).collect();
        let titles: HashSet<_> = CLASSES.iter().map(|class| class.title.to_lowercase()).collect();
        assert_eq!((names.len(), titles.len()), (CLASSES.len(), CLASSES.len()));
        let mut numbers: Vec<_> = CLASSES.iter().filter_map(|class| class.published).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn a_name_is_a_stages_or_a_behaviour_of_its_stage_or_a_published_one() {
        let word = |word: &str| {
            let inner = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            !word.is_empty() && inner && !word.starts_with('-') && !word.ends_with('-')
        };
        for Class { name, stage, published, .. } in CLASSES {
            let known = match name.split_once('.') {
                Some((before, behaviour)) => before == stage.name() && word(behaviour) && published.is_none(),
                None => word(name) && (name == stage.name() || published.is_some()),
            };
            assert!(known, "{name} of {stage}");
        }
    }

    #[test]
    fn every_stage_has_a_class_and_stands_in_order() {
        assert!(Stage::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        for stage in Stage::ALL {
            assert_eq!(class(stage.name()).map(|class| class.stage), Some(stage));
        }
        assert!(CLASSES.iter().all(|class| Stage::ALL.contains(&class.stage)));
    }

    #[test]
    fn names_are_few_and_short_enough_for_metric_labels() {
        assert!(CLASSES.len() <= 64, "{} label values in each metric by label", CLASSES.len());
        assert!(CLASSES.iter().all(|class| class.name.len() <= 32));
    }

    #[test]
    fn every_attack_has_a_technique_and_nothing_else_has_one() {
        for class in &CLASSES {
            let told = !matches!(class.stage, Stage::Benign | Stage::Novel);
            assert_eq!(class.technique.is_some(), told, "{}", class.name);
        }
    }

    #[test]
    fn what_the_default_model_tells_is_as_it_was() {
        // Other people's filters and the committed alerts depend on these.
        let told = |name: &str| class(name).map(|c| (c.title, c.severity.name(), c.technique.map(|t| t.id)));
        assert_eq!(told("benign"), Some(("Benign", "info", None)));
        assert_eq!(told("recon"), Some(("Reconnaissance", "medium", Some("T1595"))));
        assert_eq!(told("exploit"), Some(("Exploitation of a service", "high", Some("T1190"))));
        assert_eq!(told("unknown-novel"), Some(("Flow unlike the benign baseline", "info", None)));
    }

    #[test]
    fn label_cells_are_found_by_number_name_and_title() {
        for cell in ["6", " 6 ", "cve-2019-20933", "CVE-2019-20933", "CVE-2019-20933 influxdb authentication bypass"] {
            assert_eq!(class_of_cell(cell).map(|class| class.name), Some("cve-2019-20933"), "{cell}");
        }
        assert_eq!(class_of_cell("0"), class("benign"));
        assert_eq!(class_of_cell("Brute-Force.SSH"), class("brute-force.ssh"));
        assert_eq!(class_of_cell("benign"), class("benign"));
        for cell in ["12", "-1", "", "NeedManualLabel", "unknown-novel"] {
            assert_eq!(class_of_cell(cell), None, "{cell}");
        }
    }

    #[test]
    fn a_higher_severity_never_has_a_greater_suricata_number() {
        assert!(Severity::ALL.windows(2).all(|pair| pair[0] < pair[1] && pair[0].suricata() >= pair[1].suricata()));
        assert_eq!(Severity::Critical.suricata(), 1);
    }

    #[test]
    fn only_the_benign_class_is_benign() {
        for class in &CLASSES {
            assert_eq!(is_benign(class.name), class.stage == Stage::Benign);
        }
    }
}
