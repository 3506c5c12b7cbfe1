//! Who runs what: ourselves, the yardstick, and the flow tools that may be installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::figures::Runs;
use super::offline::Trace;
use super::options::Options;
use super::process;

/// One program with its arguments over one trace.
pub(super) struct Contestant {
    /// `what/trace`.
    pub(super) id: String,
    pub(super) work: String,
    pub(super) packets: u64,
    program: OsString,
    arguments: Vec<OsString>,
    /// Emptied before each run.
    scratch: Option<PathBuf>,
    /// Whether a failure is only told: another's program is not ours to mend.
    is_peer: bool,
    pub(super) runs: Runs,
    /// Why it has no figures, or fewer than there were rounds.
    pub(super) note: Option<String>,
}

/// A piece of our own work: name in ids, what it says in the table, the command's arguments.
pub(super) struct Work {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) arguments: &'static [&'static str],
}

pub(super) const EXTRACT: Work =
    Work { name: "extract", title: "extract --profile standard", arguments: &["extract", "--profile", "standard"] };
pub(super) const CIC: Work =
    Work { name: "extract-cic", title: "extract --profile cic", arguments: &["extract", "--profile", "cic"] };
pub(super) const REPLAY: Work = Work { name: "replay", title: "replay", arguments: &["replay"] };
pub(super) const EXTRACT_2: Work = Work {
    name: "extract-2",
    title: "extract, two workers",
    arguments: &["extract", "--profile", "standard", "--workers", "2"],
};
pub(super) const REPLAY_2: Work =
    Work { name: "replay-2", title: "replay, two workers", arguments: &["replay", "--workers", "2"] };

impl Contestant {
    fn new(what: &str, title: &str, trace: &Trace, program: impl Into<OsString>) -> Self {
        Self {
            id: format!("{what}/{}", trace.name),
            work: format!("{title}, {}", trace.name),
            packets: trace.packets,
            program: program.into(),
            arguments: Vec::new(),
            scratch: None,
            is_peer: false,
            runs: Runs::default(),
            note: None,
        }
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    fn path(mut self, path: &Path) -> Self {
        self.arguments.push(path.into());
        self
    }

    /// Ourselves. Rows go to /dev/null or a file; alerts go where the runner sends standard output, to /dev/null.
    pub(super) fn own(work: &Work, trace: &Trace, options: &Options) -> Self {
        let own = Self::new(work.name, work.title, trace, &options.binary).with(work.arguments);
        let own = match work.arguments.first() {
            Some(&"extract") if options.to_file => own.with(&["--output"]).path(&options.folder.join("rows.csv")),
            Some(&"extract") => own.with(&["--output", "/dev/null"]),
            _ => own,
        };
        own.path(&trace.path)
    }

    /// The yardstick: reads the same file and does nothing with it.
    pub(super) fn tcpdump(trace: &Trace) -> Self {
        Self::new("tcpdump", "tcpdump -w /dev/null", trace, "tcpdump")
            .with(&["-r"])
            .path(&trace.path)
            .with(&["-w", "/dev/null"])
    }

    /// Runs it once more, and keeps what it used.
    pub(super) fn run(&mut self, folder: &Path) -> anyhow::Result<()> {
        if self.note.is_some() {
            return Ok(());
        }
        if let Some(scratch) = &self.scratch {
            // It may not be there yet.
            drop(std::fs::remove_dir_all(scratch));
            std::fs::create_dir_all(scratch)?;
        }
        let log = folder.join("last-run.log");
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdout(Stdio::null()).stderr(std::fs::File::create(&log)?);
        let failure = match process::run(&mut command) {
            Ok(usage) if usage.status.success() => {
                self.runs.0.push(usage);
                if self.is_peer && usage.cpu > LONG {
                    self.note = Some("run once, since it takes long".to_owned());
                }
                return Ok(());
            }
            Ok(usage) => {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                format!("{}: {}", usage.status, said.lines().next_back().unwrap_or_default())
            }
            Err(error) => format!("{error:#}"),
        };
        super::interrupt::check()?;
        anyhow::ensure!(self.is_peer, "{} {:?}: {failure}", self.program.display(), self.arguments);
        self.runs.0.clear();
        self.note = Some(format!("it failed: {failure}"));
        Ok(())
    }
}

/// The flow tools that other people use, each with flow output only. Those that are not installed come with that as
/// their note, so that the table says so.
pub(super) fn peers(trace: &Trace, options: &Options) -> anyhow::Result<Vec<Contestant>> {
    let folder = &options.folder;
    let config = folder.join("suricata.yaml");
    std::fs::write(&config, SURICATA).with_context(|| format!("cannot write {}", config.display()))?;
    let new = |name: &str, title: &str| {
        let mut peer = Contestant::new(name, title, trace, name);
        peer.is_peer = true;
        if options.no_peers {
            peer.note = Some("left out".to_owned());
        } else if !is_installed(name) {
            peer.note = Some("not installed".to_owned());
        }
        peer
    };
    let scratch = |name: &str, peer: Contestant| Contestant { scratch: Some(folder.join(name)), ..peer };
    Ok(vec![
        new("rustiflow", "RustiFlow cic")
            .with(&["-f", "cic", "--idle-timeout", "60", "--active-timeout", "120", "--output", "csv"])
            .with(&["--export-path", "/dev/null", "pcap"])
            .path(&trace.path),
        // Without the system's configuration, which may send it to the background.
        new("argus", "argus").with(&["-X", "-r"]).path(&trace.path).with(&["-w", "/dev/null"]),
        scratch("nfpcapd", new("nfpcapd", "nfpcapd").with(&["-r"]).path(&trace.path))
            .with(&["-w"])
            .path(&folder.join("nfpcapd")),
        scratch(
            "suricata",
            new("suricata", "Suricata, flow log only").with(&["--runmode", "single", "-k", "none", "-c"]),
        )
        .path(&config)
        .with(&["-r"])
        .path(&trace.path)
        .with(&["-l"])
        .path(&folder.join("suricata")),
        new("tshark", "tshark conversations")
            .with(&["-q", "-n", "-z", "conv,tcp", "-z", "conv,udp", "-r"])
            .path(&trace.path),
    ])
}

/// Whether a program is on the path.
pub(super) fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// CPU seconds. What takes longer is so far from us that one run tells it.
const LONG: f64 = 20.0;

/// Flow records and nothing else: no rules, no protocol parsers.
const SURICATA: &str = "%YAML 1.1
---
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve.json
      types: [flow]
stats:
  enabled: no
rule-files: []
app-layer:
  protocols:
    tls: {enabled: no}
    http: {enabled: no}
    http2: {enabled: no}
    ftp: {enabled: no}
    ssh: {enabled: no}
    smtp: {enabled: no}
    dns: {tcp: {enabled: no}, udp: {enabled: no}}
    smb: {enabled: no}
    dcerpc: {enabled: no}
";
