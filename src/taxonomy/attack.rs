//! ATT&CK techniques that labels stand for, each under the one tactic that fits the label.
//!
//! The tests hold them against an extract of the Enterprise matrix: ids, names, and the tactics that each is listed under.

/// The version of Enterprise ATT&CK that ids, names and tactics were checked against.
pub const ATTACK_VERSION: &str = "17.0";

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

impl Technique {
    const fn new(id: &'static str, name: &'static str, (tactic_id, tactic): (&'static str, &'static str)) -> Self {
        Self { id, name, tactic_id, tactic }
    }
}

const INITIAL_ACCESS: (&str, &str) = ("TA0001", "Initial Access");
const EXECUTION: (&str, &str) = ("TA0002", "Execution");
const PRIVILEGE_ESCALATION: (&str, &str) = ("TA0004", "Privilege Escalation");
const CREDENTIAL_ACCESS: (&str, &str) = ("TA0006", "Credential Access");
const DISCOVERY: (&str, &str) = ("TA0007", "Discovery");
const LATERAL_MOVEMENT: (&str, &str) = ("TA0008", "Lateral Movement");
const EXFILTRATION: (&str, &str) = ("TA0010", "Exfiltration");
const COMMAND_AND_CONTROL: (&str, &str) = ("TA0011", "Command and Control");
const IMPACT: (&str, &str) = ("TA0040", "Impact");
const RECONNAISSANCE: (&str, &str) = ("TA0043", "Reconnaissance");

/// Each technique under its name in the table.
macro_rules! techniques {
    ($($constant:ident = $id:literal $name:literal $tactic:ident;)*) => {
        $(pub(super) const $constant: Technique = Technique::new($id, $name, $tactic);)*
    };
}

// Scans from outside the target are Reconnaissance; what looks around from inside a cluster is Discovery.
techniques! {
    ACTIVE_SCANNING = "T1595" "Active Scanning" RECONNAISSANCE;
    VULNERABILITY_SCANNING = "T1595.002" "Vulnerability Scanning" RECONNAISSANCE;
    WORDLIST_SCANNING = "T1595.003" "Wordlist Scanning" RECONNAISSANCE;
    VICTIM_DNS = "T1590.002" "DNS" RECONNAISSANCE;
    SERVICE_DISCOVERY = "T1046" "Network Service Discovery" DISCOVERY;
    REMOTE_SYSTEM_DISCOVERY = "T1018" "Remote System Discovery" DISCOVERY;
    CONTAINER_DISCOVERY = "T1613" "Container and Resource Discovery" DISCOVERY;
    BRUTE_FORCE = "T1110" "Brute Force" CREDENTIAL_ACCESS;
    PASSWORD_GUESSING = "T1110.001" "Password Guessing" CREDENTIAL_ACCESS;
    CLOUD_METADATA = "T1552.005" "Cloud Instance Metadata API" CREDENTIAL_ACCESS;
    PUBLIC_FACING = "T1190" "Exploit Public-Facing Application" INITIAL_ACCESS;
    INTERPRETER = "T1059" "Command and Scripting Interpreter" EXECUTION;
    UNIX_SHELL = "T1059.004" "Unix Shell" EXECUTION;
    CONTAINER_ADMINISTRATION = "T1609" "Container Administration Command" EXECUTION;
    ESCAPE = "T1611" "Escape to Host" PRIVILEGE_ESCALATION;
    REMOTE_SERVICES = "T1021" "Remote Services" LATERAL_MOVEMENT;
    REMOTE_SSH = "T1021.004" "SSH" LATERAL_MOVEMENT;
    APPLICATION_PROTOCOL = "T1071" "Application Layer Protocol" COMMAND_AND_CONTROL;
    WEB_PROTOCOLS = "T1071.001" "Web Protocols" COMMAND_AND_CONTROL;
    DNS_PROTOCOL = "T1071.004" "DNS" COMMAND_AND_CONTROL;
    NON_APPLICATION_PROTOCOL = "T1095" "Non-Application Layer Protocol" COMMAND_AND_CONTROL;
    PROTOCOL_TUNNELING = "T1572" "Protocol Tunneling" COMMAND_AND_CONTROL;
    ALTERNATIVE_PROTOCOL = "T1048" "Exfiltration Over Alternative Protocol" EXFILTRATION;
    UNENCRYPTED_PROTOCOL = "T1048.003" "Exfiltration Over Unencrypted Non-C2 Protocol" EXFILTRATION;
    SIZE_LIMITS = "T1030" "Data Transfer Size Limits" EXFILTRATION;
    NETWORK_DOS = "T1498" "Network Denial of Service" IMPACT;
    DIRECT_FLOOD = "T1498.001" "Direct Network Flood" IMPACT;
    AMPLIFICATION = "T1498.002" "Reflection Amplification" IMPACT;
    OS_EXHAUSTION = "T1499.001" "OS Exhaustion Flood" IMPACT;
    SERVICE_EXHAUSTION = "T1499.002" "Service Exhaustion Flood" IMPACT;
    RESOURCE_HIJACKING = "T1496" "Resource Hijacking" IMPACT;
}

#[cfg(test)]
mod tests {
    use super::super::CLASSES;

    /// Technique, its name, the tactics that it is listed under: an extract of Enterprise ATT&CK, [`super::ATTACK_VERSION`].
    /// It holds techniques with several tactics and near misses too, so that a wrong tactic is found.
    const EXTRACT: &[(&str, &str, &[&str])] = &[
        ("T1018", "Remote System Discovery", &["TA0007"]),
        ("T1021", "Remote Services", &["TA0008"]),
        ("T1021.004", "SSH", &["TA0008"]),
        ("T1030", "Data Transfer Size Limits", &["TA0010"]),
        ("T1041", "Exfiltration Over C2 Channel", &["TA0010"]),
        ("T1046", "Network Service Discovery", &["TA0007"]),
        ("T1048", "Exfiltration Over Alternative Protocol", &["TA0010"]),
        ("T1048.003", "Exfiltration Over Unencrypted Non-C2 Protocol", &["TA0010"]),
        ("T1059", "Command and Scripting Interpreter", &["TA0002"]),
        ("T1059.004", "Unix Shell", &["TA0002"]),
        ("T1071", "Application Layer Protocol", &["TA0011"]),
        ("T1071.001", "Web Protocols", &["TA0011"]),
        ("T1071.004", "DNS", &["TA0011"]),
        ("T1078", "Valid Accounts", &["TA0001", "TA0003", "TA0004", "TA0005"]),
        ("T1095", "Non-Application Layer Protocol", &["TA0011"]),
        ("T1110", "Brute Force", &["TA0006"]),
        ("T1110.001", "Password Guessing", &["TA0006"]),
        ("T1190", "Exploit Public-Facing Application", &["TA0001"]),
        ("T1210", "Exploitation of Remote Services", &["TA0008"]),
        ("T1496", "Resource Hijacking", &["TA0040"]),
        ("T1498", "Network Denial of Service", &["TA0040"]),
        ("T1498.001", "Direct Network Flood", &["TA0040"]),
        ("T1498.002", "Reflection Amplification", &["TA0040"]),
        ("T1499", "Endpoint Denial of Service", &["TA0040"]),
        ("T1499.001", "OS Exhaustion Flood", &["TA0040"]),
        ("T1499.002", "Service Exhaustion Flood", &["TA0040"]),
        ("T1552.005", "Cloud Instance Metadata API", &["TA0006"]),
        ("T1552.007", "Container API", &["TA0006"]),
        ("T1572", "Protocol Tunneling", &["TA0011"]),
        ("T1590.002", "DNS", &["TA0043"]),
        ("T1595", "Active Scanning", &["TA0043"]),
        ("T1595.002", "Vulnerability Scanning", &["TA0043"]),
        ("T1595.003", "Wordlist Scanning", &["TA0043"]),
        ("T1609", "Container Administration Command", &["TA0002"]),
        ("T1610", "Deploy Container", &["TA0002", "TA0005"]),
        ("T1611", "Escape to Host", &["TA0004"]),
        ("T1613", "Container and Resource Discovery", &["TA0007"]),
    ];

    const TACTICS: &[(&str, &str)] = &[
        ("TA0001", "Initial Access"),
        ("TA0002", "Execution"),
        ("TA0003", "Persistence"),
        ("TA0004", "Privilege Escalation"),
        ("TA0005", "Defense Evasion"),
        ("TA0006", "Credential Access"),
        ("TA0007", "Discovery"),
        ("TA0008", "Lateral Movement"),
        ("TA0009", "Collection"),
        ("TA0010", "Exfiltration"),
        ("TA0011", "Command and Control"),
        ("TA0040", "Impact"),
        ("TA0042", "Resource Development"),
        ("TA0043", "Reconnaissance"),
    ];

    #[test]
    fn techniques_stand_under_a_tactic_that_attack_gives_them() {
        for class in &CLASSES {
            let Some(technique) = class.technique else { continue };
            assert!(TACTICS.contains(&(technique.tactic_id, technique.tactic)), "{technique:?}");
            let known = EXTRACT.iter().find(|(id, _, _)| *id == technique.id).expect("a technique of the extract");
            assert_eq!(known.1, technique.name, "{technique:?}");
            assert!(known.2.contains(&technique.tactic_id), "{}: {technique:?}", class.name);
        }
    }

    #[test]
    fn the_extract_is_well_formed_and_names_no_technique_twice() {
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        for (id, _, tactics) in EXTRACT {
            let number = id.strip_prefix('T').expect("a T");
            let (technique, sub) = number.split_once('.').map_or((number, None), |(t, s)| (t, Some(s)));
            assert!(digits(technique, 4) && sub.is_none_or(|sub| digits(sub, 3)), "{id}");
            assert!(!tactics.is_empty() && tactics.iter().all(|t| TACTICS.iter().any(|(id, _)| id == t)), "{id}");
        }
        assert!(EXTRACT.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, each once");
        assert!(TACTICS.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, each once");
        assert!(TACTICS.iter().all(|(id, _)| id.strip_prefix("TA").is_some_and(|number| digits(number, 4))));
    }
}
