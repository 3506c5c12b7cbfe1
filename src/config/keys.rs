//! The table of keys: the one place that knows their names, forms, ranges, defaults and meanings.

use crate::packet::MAX_TUNNEL_DEPTH;
use crate::time::Micros;

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// `section.name`.
    pub path: &'static str,
    /// How its value is written, and within which range.
    pub form: Form,
    /// The value where none is written, in the same form; empty for none.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// How a value is written.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Any text.
    Text,
    /// A list of texts; in a variable separated by commas.
    List,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Integer {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
        /// A word that stands for no number.
        or: Option<&'static str>,
    },
    /// An amount of bytes: `64MiB`.
    Bytes {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// A span of time: `50ms`.
    Duration {
        /// Least value.
        min: Micros,
        /// Greatest value.
        max: Micros,
        /// A word that stands for no time.
        or: Option<&'static str>,
    },
    /// A host's IP address and a port.
    Address,
    /// Names with numbers from 0 to 1; in a variable `name=0.5,other=0.9`.
    Fractions,
}

impl Key {
    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.path.to_ascii_uppercase().replace('.', "_"))
    }

    /// The section and the name in it.
    #[must_use]
    pub fn section_and_name(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or(("", self.path))
    }

    /// The key of a path.
    #[must_use]
    pub fn named(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// The key that a variable sets.
    pub(super) fn of_variable(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.variable() == name)
    }

    /// The sections, in order; each as often as it has keys.
    pub(super) fn sections() -> impl Iterator<Item = &'static str> {
        KEYS.iter().map(|key| key.section_and_name().0)
    }

    /// The known path that is most like a wrong one, if any is.
    pub(super) fn nearest(wrong: &str) -> Option<&'static str> {
        let name_of = |path: &'static str| path.split_once('.').map_or(path, |(_, name)| name);
        let (_, wrong_name) = wrong.split_once('.').unwrap_or(("", wrong));
        let by_distance = |key: &&Self| {
            // A right name in a wrong section is the likelier slip.
            let whole = edit_distance(wrong, key.path);
            let moved = edit_distance(wrong_name, name_of(key.path)) + 1;
            whole.min(moved)
        };
        let best = KEYS.iter().min_by_key(by_distance)?;
        (by_distance(&best) <= MAX_SLIPS).then_some(best.path)
    }

    /// The known section that is most like a wrong one, if any is.
    pub(super) fn nearest_section(wrong: &str) -> Option<&'static str> {
        let best = Self::sections().min_by_key(|section| edit_distance(wrong, section))?;
        (edit_distance(wrong, best) <= MAX_SLIPS).then_some(best)
    }
}

/// Every key, by section in the order of the data path.
pub static KEYS: &[Key] = &[
    Key {
        path: "capture.interfaces",
        form: Form::List,
        default: "",
        about: "Interfaces to read: names, or regular expressions that match whole names. `run` needs at least one.",
    },
    Key {
        path: "capture.exclude",
        form: Form::List,
        default: "",
        about: "Names or expressions of interfaces that are left out although they match.",
    },
    Key {
        path: "capture.filter",
        form: Form::Text,
        default: "",
        about: "A capture filter in pcap-filter syntax; packets that it rejects are never seen. None by default.",
    },
    Key {
        path: "capture.buffer",
        form: Form::Bytes { min: 1 << 20, max: 4 << 30 },
        default: "32MiB",
        about: "Kernel memory for packets that wait, for each interface, divided among its workers. More rides out longer bursts.",
    },
    Key {
        path: "capture.snaplen",
        form: Form::Integer { min: 128, max: 262_144, or: None },
        default: "256",
        about: "Bytes kept of each packet. Only headers are read; 128 holds VLAN, IPv6 and TCP with all options.",
    },
    Key {
        path: "capture.promiscuous",
        form: Form::Switch,
        default: "false",
        about: "Whether to receive frames addressed to other machines.",
    },
    Key {
        path: "capture.block_timeout",
        form: Form::Duration { min: Micros::from_millis(1), max: Micros::from_millis(50), or: None },
        default: "50ms",
        about: "How long the kernel may gather packets before it hands them on. Shorter is sooner and costs wake-ups.",
    },
    Key {
        path: "capture.decapsulate",
        form: Form::List,
        default: "",
        about: "Tunnels whose packets are read for what they carry: `vxlan`, `geneve`, `ipip`, `gre`. None by default: where the overlay's own device is \
                read, there is nothing to take off.",
    },
    Key {
        path: "capture.decapsulate_depth",
        form: Form::Integer { min: 1, max: MAX_TUNNEL_DEPTH as u64, or: None },
        default: "2",
        about: "How many tunnels within each other are taken off at most.",
    },
    Key {
        path: "capture.deduplicate",
        form: Form::Switch,
        default: "true",
        about: "Whether a packet that is captured at several places (a pod's link, the bridge, an uplink, each of them on `any`) counts once. Where \
                one interface is read that stays, there is nothing to tell apart.",
    },
    Key {
        path: "flow.max_flows",
        form: Form::Integer { min: 16, max: 100_000_000, or: Some("auto") },
        default: "auto",
        about: "Flows kept at once, over all workers; when full, the least valuable is evicted and counted. `auto`: \
                1,000,000, or fewer if 40 % of the memory limit holds fewer.",
    },
    Key {
        path: "flow.idle_timeout",
        form: Form::Duration { min: Micros::from_secs(1), max: Micros::from_secs(3_600), or: None },
        default: "60s",
        about: "A flow without a packet for longer than this ends.",
    },
    Key {
        path: "flow.active_timeout",
        form: Form::Duration { min: Micros::from_secs(1), max: Micros::from_secs(86_400), or: None },
        default: "120s",
        about: "A flow longer than this is cut and classified in parts. Models are trained on flows cut at 120s.",
    },
    Key {
        path: "flow.early_verdict",
        form: Form::Duration { min: Micros::from_secs(1), max: Micros::from_secs(86_400), or: Some("off") },
        default: "10s",
        about: "A flow still open after this long is judged once before its end. It must be shorter than \
                `flow.active_timeout`; unless written, it is off where that is not so.",
    },
    Key {
        path: "flow.workers",
        form: Form::Integer { min: 1, max: 64, or: None },
        default: "1",
        about: "Threads that keep flows, each with tables of its own. On a single interface each also reads its share of the packets.",
    },
    Key {
        path: "model.path",
        form: Form::Text,
        default: "",
        about: "The model's file. By default the one inside the program.",
    },
    Key {
        path: "alert.output",
        form: Form::Text,
        default: "stdout",
        about: "Where alerts go: `stdout`, or a file that is appended to and opened anew after rotation.",
    },
    Key {
        path: "alert.dedup_window",
        form: Form::Duration { min: Micros(1), max: Micros::from_secs(86_400), or: Some("off") },
        default: "60s",
        about: "After an alert, others with the same source, destination, port and label are held back this long \
                (by packet time) and counted.",
    },
    Key {
        path: "alert.thresholds",
        form: Form::Fractions,
        default: "",
        about: "The least share of the votes for attacks, of whichever label, that is an alert, for each label, in place of the model's own.",
    },
    Key {
        path: "alert.novel",
        form: Form::Choice(&["count", "alert"]),
        default: "count",
        about: "What becomes of flows that are no attack by their label and unlike anything benign: counted only, \
                or told as `unknown-novel`.",
    },
    Key {
        path: "alert.incidents",
        form: Form::Switch,
        default: "true",
        about: "Whether flows are also looked at together, and scans and guessing told as one incident each. It needs a model \
                with thresholds for it (`flowshrike model evidence`); without them nothing changes.",
    },
    Key {
        path: "kubernetes.enabled",
        form: Form::Choice(&["auto", "on", "off"]),
        default: "auto",
        about: "Whether alerts name the pods, services and nodes behind addresses, asked of the Kubernetes API: `auto` where `kubernetes.api` \
                is set, or in a pod with a service account's token; `on` ends where there is neither.",
    },
    Key {
        path: "kubernetes.api",
        form: Form::Text,
        default: "",
        about: "The API server, as `https://10.96.0.1:443`. By default the one that Kubernetes tells every pod of.",
    },
    Key {
        path: "kubernetes.token_file",
        form: Form::Text,
        default: "/var/run/secrets/kubernetes.io/serviceaccount/token",
        about: "The service account's token; it is read anew for each request.",
    },
    Key {
        path: "kubernetes.ca_file",
        form: Form::Text,
        default: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        about: "Certificates (PEM) of the authority that the API server's must come from; no other is trusted.",
    },
    Key {
        path: "kubernetes.node",
        form: Form::Text,
        default: "",
        about: "The name of this node; the chart sets it. Without it pods of all nodes are watched.",
    },
    Key {
        path: "kubernetes.scope",
        form: Form::Choice(&["node", "cluster"]),
        default: "node",
        about: "Whose pods are watched: this node's, which costs the API server least, or all, so that both ends of a flow between nodes \
                have names. Services are watched in the whole cluster.",
    },
    Key {
        path: "kubernetes.labels",
        form: Form::List,
        default: "",
        about: "Keys of pods' labels that alerts show, such as `app.kubernetes.io/version`.",
    },
    Key {
        path: "kubernetes.max_objects",
        form: Form::Integer { min: 16, max: 1_000_000, or: None },
        default: "20000",
        about: "Pods and services held at once, about 2 KiB each; more are counted and have no names.",
    },
    Key {
        path: "lake.path",
        form: Form::Text,
        default: "",
        about: "A folder where every judged flow is kept with its features and verdict, as Parquet files by date and hour (docs/lake.md). None by \
                default.",
    },
    Key {
        path: "lake.name",
        form: Form::Text,
        default: "",
        about: "What this daemon's files are called there; the host's name by default. Daemons that share a folder need different ones.",
    },
    Key {
        path: "lake.roll_interval",
        form: Form::Duration { min: Micros::from_secs(1), max: Micros::from_secs(86_400), or: None },
        default: "5m",
        about: "A file is done when it is so old: what a crash loses at most.",
    },
    Key {
        path: "lake.roll_size",
        form: Form::Bytes { min: 1 << 20, max: 4 << 30 },
        default: "64MiB",
        about: "A file is done when it is so large.",
    },
    Key {
        path: "admin.listen",
        form: Form::Address,
        default: "127.0.0.1:9469",
        about: "Where the admin server answers; port 0 takes any. It has no password: leave it on the loopback \
                address or where only trusted clients reach it.",
    },
    Key { path: "admin.enabled", form: Form::Switch, default: "true", about: "Whether there is an admin server." },
    Key {
        path: "metrics.listen",
        form: Form::Address,
        default: "",
        about: "A second address for scrapers, which other machines may reach: it answers `/metrics` and nothing else. None by default.",
    },
    Key {
        path: "metrics.tls_certificate",
        form: Form::Text,
        default: "",
        about: "A PEM file with the certificates of `metrics.listen`, its own first: scrapers then speak HTTPS. A renewed file is read \
                anew with the next connection.",
    },
    Key {
        path: "metrics.tls_key",
        form: Form::Text,
        default: "",
        about: "A PEM file with the private key of `metrics.tls_certificate`.",
    },
    Key {
        path: "metrics.token_file",
        form: Form::Text,
        default: "",
        about: "A file with the bearer token that scrapers of `metrics.listen` must show. A renewed file is read anew.",
    },
    Key {
        path: "privilege.sandbox",
        form: Form::Choice(&["auto", "require", "off"]),
        default: "auto",
        about: "What `run` gives up once it has started: `auto` all capabilities, and with Landlock as much of files, programs \
                and sockets as the kernel can keep it from; `require` ends where that is not all, or less than files and TCP; `off` nothing.",
    },
    Key {
        path: "log.level",
        form: Form::Choice(&["error", "warn", "info", "debug", "trace"]),
        default: "info",
        about: "The least urgent messages shown on the standard error.",
    },
    Key {
        path: "log.format",
        form: Form::Choice(&["text", "json"]),
        default: "text",
        about: "How messages are written.",
    },
];

/// Edits (insert, delete, replace) between two short texts.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(b.chars()) {
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// More edits than this make another word, not a slip.
const MAX_SLIPS: usize = 3;

/// Every variable of the program begins so.
pub(super) const VARIABLE_PREFIX: &str = "FLOWSHRIKE_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (a, b, edits) in [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)] {
            assert_eq!(edit_distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn slips_find_their_key_and_other_words_none() {
        for (wrong, nearest) in [
            ("capture.snaplem", Some("capture.snaplen")),
            ("flow.snaplen", Some("capture.snaplen")),
            ("captur.filter", Some("capture.filter")),
            ("snaplen", Some("capture.snaplen")),
            ("flow.maxflows", Some("flow.max_flows")),
            ("weather.forecast", None),
        ] {
            assert_eq!(Key::nearest(wrong), nearest, "{wrong}");
        }
        assert_eq!((Key::nearest_section("alerts"), Key::nearest_section("weather")), (Some("alert"), None));
    }

    #[test]
    fn every_key_has_its_own_path_and_variable() {
        for key in KEYS {
            assert!(std::ptr::eq(Key::named(key.path).expect("it is in the table"), key), "{} stands twice", key.path);
            assert_eq!(key.path.split('.').count(), 2);
        }
        assert_eq!(KEYS[0].variable(), "FLOWSHRIKE_CAPTURE_INTERFACES");
    }
}
