//! What a label means: its stage, title, severity and ATT&CK technique, in one checked table.
//!
//! Models carry label names, alerts print titles and techniques, `train` and `evaluate` map a data set's labels to a
//! model's: all of them read [`CLASSES`]. It decides nothing about a flow.

use std::fmt;

/// One label and what is known about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// The name in a model's labels and in metrics: lower case, hyphens.
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

/// Stages by which `train` groups labels unless it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// No attack.
    Benign,
    /// Looking around: scans and probes.
    Recon,
    /// Using a weakness, and what follows from it.
    Exploit,
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

/// An ATT&CK technique (Enterprise matrix) under one of its tactics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Technique {
    /// Technique or sub-technique, such as `T1595` or `T1595.002`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The tactic, such as `TA0043`.
    pub tactic_id: &'static str,
    /// The tactic's name.
    pub tactic: &'static str,
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
    /// The name, which is also the class of the whole stage.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Recon => "recon",
            Self::Exploit => "exploit",
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

/// Scans from outside the target, whatever their tool.
const ACTIVE_SCANNING: Technique =
    Technique { id: "T1595", name: "Active Scanning", tactic_id: "TA0043", tactic: "Reconnaissance" };
const VULNERABILITY_SCANNING: Technique =
    Technique { id: "T1595.002", name: "Vulnerability Scanning", tactic_id: "TA0043", tactic: "Reconnaissance" };
const SERVICE_DISCOVERY: Technique =
    Technique { id: "T1046", name: "Network Service Discovery", tactic_id: "TA0007", tactic: "Discovery" };
const PUBLIC_FACING: Technique =
    Technique { id: "T1190", name: "Exploit Public-Facing Application", tactic_id: "TA0001", tactic: "Initial Access" };
const INTERPRETER: Technique =
    Technique { id: "T1059", name: "Command and Scripting Interpreter", tactic_id: "TA0002", tactic: "Execution" };
const ESCAPE: Technique =
    Technique { id: "T1611", name: "Escape to Host", tactic_id: "TA0004", tactic: "Privilege Escalation" };

/// A row of the table for a whole stage.
const fn stage(stage: Stage, title: &'static str, severity: Severity, technique: Option<Technique>) -> Class {
    Class { name: stage.name(), published: None, stage, title, severity, technique }
}

/// A row of the table for one published label.
const fn published(
    number: u8,
    name: &'static str,
    stage: Stage,
    title: &'static str,
    severity: Severity,
    technique: Technique,
) -> Class {
    Class { name, published: Some(number), stage, title, severity, technique: Some(technique) }
}

/// Every class: the stages, the twelve labels of the Kubernetes misuse data set (0 is the benign stage itself), and
/// the decision `unknown-novel`.
#[rustfmt::skip]
pub const CLASSES: [Class; 15] = [
    Class { published: Some(0), ..stage(Stage::Benign, "Benign", Severity::Info, None) },
    stage(Stage::Recon, "Reconnaissance", Severity::Medium, Some(ACTIVE_SCANNING)),
    stage(Stage::Exploit, "Exploitation of a service", Severity::High, Some(PUBLIC_FACING)),
    published(1, "cve-2020-13379", Stage::Exploit, "CVE-2020-13379 Grafana server-side request forgery", Severity::High, PUBLIC_FACING),
    published(2, "node-red-recon", Stage::Recon, "Node-RED Reconnaissance", Severity::Medium, SERVICE_DISCOVERY),
    published(3, "node-red-rce", Stage::Exploit, "Node-RED RCE", Severity::Critical, INTERPRETER),
    published(4, "node-red-container-escape", Stage::Exploit, "Node-RED Container Escape", Severity::Critical, ESCAPE),
    published(5, "cve-2021-43798", Stage::Exploit, "CVE-2021-43798 Grafana path traversal", Severity::High, PUBLIC_FACING),
    published(6, "cve-2019-20933", Stage::Exploit, "CVE-2019-20933 InfluxDB authentication bypass", Severity::High, PUBLIC_FACING),
    published(7, "cve-2021-30465", Stage::Exploit, "CVE-2021-30465 runc mount race to the host", Severity::Critical, ESCAPE),
    published(8, "cve-2021-25741", Stage::Exploit, "CVE-2021-25741 kubelet subpath exchange to the host", Severity::Critical, ESCAPE),
    published(9, "cve-2022-23648", Stage::Exploit, "CVE-2022-23648 containerd volume read of the host", Severity::Critical, ESCAPE),
    published(10, "cve-2019-5736", Stage::Exploit, "CVE-2019-5736 runc binary overwrite", Severity::Critical, ESCAPE),
    published(11, "dsb-nuclei-scan", Stage::Recon, "DSB Nuclei Scan", Severity::Medium, VULNERABILITY_SCANNING),
    stage(Stage::Novel, "Flow unlike the benign baseline", Severity::Info, None),
];

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
        for class in &CLASSES {
            assert!(class.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            assert!(self::class(class.stage.name()).is_some(), "the stage of {} has a class", class.name);
        }
    }

    #[test]
    fn techniques_stand_under_a_tactic_that_attack_gives_them() {
        // Enterprise ATT&CK: technique, its name, the tactics it is listed under.
        let valid: [(&str, &str, &[&str]); 6] = [
            ("T1595", "Active Scanning", &["TA0043"]),
            ("T1595.002", "Vulnerability Scanning", &["TA0043"]),
            ("T1046", "Network Service Discovery", &["TA0007"]),
            ("T1190", "Exploit Public-Facing Application", &["TA0001"]),
            ("T1059", "Command and Scripting Interpreter", &["TA0002"]),
            ("T1611", "Escape to Host", &["TA0004"]),
        ];
        let tactics = [
            ("TA0001", "Initial Access"),
            ("TA0002", "Execution"),
            ("TA0004", "Privilege Escalation"),
            ("TA0007", "Discovery"),
            ("TA0043", "Reconnaissance"),
        ];
        for class in &CLASSES {
            let Some(technique) = class.technique else {
                assert!(matches!(class.stage, Stage::Benign | Stage::Novel), "{} has no technique", class.name);
                continue;
            };
            assert!(tactics.contains(&(technique.tactic_id, technique.tactic)), "{technique:?}");
            let known = valid.iter().find(|(id, _, _)| *id == technique.id).expect("a known technique");
            assert_eq!(known.1, technique.name);
            assert!(known.2.contains(&technique.tactic_id), "{technique:?}");
        }
    }

    #[test]
    fn label_cells_are_found_by_number_name_and_title() {
        for cell in ["6", " 6 ", "cve-2019-20933", "CVE-2019-20933", "CVE-2019-20933 influxdb authentication bypass"] {
            assert_eq!(class_of_cell(cell).map(|class| class.name), Some("cve-2019-20933"), "{cell}");
        }
        assert_eq!(class_of_cell("0"), class("benign"));
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
