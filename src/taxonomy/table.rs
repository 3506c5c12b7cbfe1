//! The table of classes: one row a label.

use super::attack::*;
use super::{Class, Severity, Stage, Technique};

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

/// A row of the table for one behaviour, named `stage.behaviour`.
const fn behaviour(
    name: &'static str,
    stage: Stage,
    title: &'static str,
    severity: Severity,
    technique: Technique,
) -> Class {
    Class { name, published: None, stage, title, severity, technique: Some(technique) }
}

/// Every class: the stages, the twelve labels of the Kubernetes misuse data set (0 is the benign stage itself),
/// behaviours that are common to many tools, and the decision `unknown-novel`.
#[rustfmt::skip]
pub const CLASSES: [Class; 47] = [
    Class { published: Some(0), ..stage(Stage::Benign, "Benign", Severity::Info, None) },
    stage(Stage::Recon, "Reconnaissance", Severity::Medium, Some(ACTIVE_SCANNING)),
    stage(Stage::BruteForce, "Guessing of credentials", Severity::Medium, Some(BRUTE_FORCE)),
    stage(Stage::Exploit, "Exploitation of a service", Severity::High, Some(PUBLIC_FACING)),
    stage(Stage::Lateral, "Lateral movement", Severity::High, Some(REMOTE_SERVICES)),
    stage(Stage::CommandAndControl, "Command and control", Severity::High, Some(APPLICATION_PROTOCOL)),
    stage(Stage::Tunnel, "Tunnel through another protocol", Severity::High, Some(PROTOCOL_TUNNELING)),
    stage(Stage::Exfiltration, "Exfiltration of data", Severity::High, Some(ALTERNATIVE_PROTOCOL)),
    stage(Stage::DenialOfService, "Denial of service", Severity::High, Some(NETWORK_DOS)),
    stage(Stage::Mining, "Mining of crypto-currency", Severity::High, Some(RESOURCE_HIJACKING)),

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

    behaviour("recon.port-scan", Stage::Recon, "Port scan of one host", Severity::Medium, SERVICE_DISCOVERY),
    behaviour("recon.host-sweep", Stage::Recon, "Sweep for hosts that answer", Severity::Medium, REMOTE_SYSTEM_DISCOVERY),
    behaviour("recon.web", Stage::Recon, "Probing of a web application's paths", Severity::Medium, WORDLIST_SCANNING),
    behaviour("recon.dns", Stage::Recon, "Enumeration of names by DNS", Severity::Low, VICTIM_DNS),
    behaviour("brute-force.ssh", Stage::BruteForce, "Password guessing over SSH", Severity::Medium, PASSWORD_GUESSING),
    behaviour("brute-force.http", Stage::BruteForce, "Password guessing over HTTP", Severity::Medium, PASSWORD_GUESSING),
    behaviour("brute-force.database", Stage::BruteForce, "Password guessing against a database", Severity::High, PASSWORD_GUESSING),
    behaviour("lateral.kube-api", Stage::Lateral, "Kubernetes API used from a workload", Severity::High, CONTAINER_DISCOVERY),
    behaviour("lateral.kubelet", Stage::Lateral, "Kubelet used from a workload", Severity::Critical, CONTAINER_ADMINISTRATION),
    behaviour("lateral.cloud-metadata", Stage::Lateral, "Cloud metadata service used from a workload", Severity::High, CLOUD_METADATA),
    behaviour("lateral.ssh", Stage::Lateral, "SSH from a workload to another host", Severity::High, REMOTE_SSH),
    behaviour("c2.beacon", Stage::CommandAndControl, "Beacon to a command server", Severity::High, WEB_PROTOCOLS),
    behaviour("c2.dns", Stage::CommandAndControl, "Command channel over DNS", Severity::High, DNS_PROTOCOL),
    behaviour("c2.shell", Stage::CommandAndControl, "Interactive shell to the outside", Severity::Critical, UNIX_SHELL),
    behaviour("tunnel.dns", Stage::Tunnel, "Tunnel through DNS", Severity::High, PROTOCOL_TUNNELING),
    behaviour("tunnel.icmp", Stage::Tunnel, "Tunnel through ICMP", Severity::High, NON_APPLICATION_PROTOCOL),
    behaviour("tunnel.ssh", Stage::Tunnel, "Tunnel through SSH", Severity::High, PROTOCOL_TUNNELING),
    behaviour("exfil.bulk", Stage::Exfiltration, "Large upload to the outside", Severity::High, ALTERNATIVE_PROTOCOL),
    behaviour("exfil.dns", Stage::Exfiltration, "Data carried out in DNS queries", Severity::High, UNENCRYPTED_PROTOCOL),
    behaviour("exfil.slow", Stage::Exfiltration, "Data carried out in small portions", Severity::High, SIZE_LIMITS),
    behaviour("dos.syn-flood", Stage::DenialOfService, "TCP SYN flood", Severity::High, OS_EXHAUSTION),
    behaviour("dos.udp-flood", Stage::DenialOfService, "UDP flood", Severity::High, DIRECT_FLOOD),
    behaviour("dos.amplification", Stage::DenialOfService, "Amplification by reflected answers", Severity::High, AMPLIFICATION),
    behaviour("dos.http-flood", Stage::DenialOfService, "HTTP flood", Severity::High, SERVICE_EXHAUSTION),
    behaviour("dos.slow-http", Stage::DenialOfService, "Slow HTTP requests that hold connections", Severity::High, SERVICE_EXHAUSTION),

    stage(Stage::Novel, "Flow unlike the benign baseline", Severity::Info, None),
];
