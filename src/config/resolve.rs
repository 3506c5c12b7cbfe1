//! The second step: typed values within their ranges, on which the program runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Origin};
use super::keys::{KEYS, Key};
use super::reader::Reader;
use super::sections::{
    AdminConfig, AlertConfig, AlertOutput, CaptureConfig, Config, FlowConfig, KubernetesConfig, LakeConfig, LogConfig,
    MetricsConfig, Setting,
};
use super::units;
use super::written::{Override, Value, Written};
use crate::alert::NovelMode;
use crate::packet::{Tunnel, Tunnels, UnknownTunnel};
use crate::privilege::Mode;
use crate::time::Micros;

impl Config {
    /// Reads the file, if there is one, then the variables, then the flags.
    ///
    /// `variables` is the whole environment (`std::env::vars_os()`); those of other programs are passed over.
    ///
    /// # Errors
    /// The first thing wrong, with its place.
    pub fn load(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[Override],
    ) -> Result<Self, ConfigError> {
        let mut written = Written::default();
        if let Some(path) = path {
            written.read_file(path)?;
        }
        written.read_variables(variables)?;
        written.read_overrides(overrides)?;
        Self::resolve(&written)
    }

    pub(super) fn resolve(written: &Written) -> Result<Self, ConfigError> {
        let of = |path| Reader::new(written, path);
        Ok(Self {
            capture: CaptureConfig {
                interfaces: of("capture.interfaces")?.list()?,
                exclude: of("capture.exclude")?.list()?,
                filter: of("capture.filter")?.text()?,
                buffer: of("capture.buffer")?.bytes()?,
                snaplen: of("capture.snaplen")?.number()?,
                promiscuous: of("capture.promiscuous")?.switch()?,
                block_timeout: of("capture.block_timeout")?.duration()?,
                tunnels: tunnels(written)?,
                deduplicate: of("capture.deduplicate")?.switch()?,
            },
            flow: flow(written)?,
            model: of("model.path")?.text()?.map(PathBuf::from),
            alert: AlertConfig {
                output: match of("alert.output")?.text()?.as_deref() {
                    None | Some("stdout" | "-") => AlertOutput::Stdout,
                    Some(path) => AlertOutput::File(PathBuf::from(path)),
                },
                dedup_window: of("alert.dedup_window")?.optional_duration()?.unwrap_or(Micros::ZERO),
                thresholds: of("alert.thresholds")?.fractions()?,
                novel: match of("alert.novel")?.choice::<String>()?.as_str() {
                    "alert" => NovelMode::Alert,
                    _ => NovelMode::Count,
                },
                incidents: of("alert.incidents")?.switch()?,
            },
            kubernetes: kubernetes(written)?,
            lake: lake(written)?,
            admin: AdminConfig { listen: of("admin.listen")?.address()?, enabled: of("admin.enabled")?.switch()? },
            metrics: metrics(written)?,
            sandbox: match of("privilege.sandbox")?.choice::<String>()?.as_str() {
                "off" => Mode::Off,
                "require" => Mode::Require,
                _ => Mode::Auto,
            },
            log: LogConfig { level: of("log.level")?.choice()?, format: of("log.format")?.choice()? },
            settings: KEYS.iter().map(|key| Setting::of(key, written)).collect(),
        })
    }
}

/// The `lake` section; `None` without a folder.
fn lake(written: &Written) -> Result<Option<LakeConfig>, ConfigError> {
    let of = |path| Reader::new(written, path);
    let path = of("lake.path")?;
    let Some(folder) = path.text()? else { return Ok(None) };
    if folder.contains("://") {
        return Err(path.wrong(format!("`{folder}` is no folder of this machine: object stores cannot be written to")));
    }
    Ok(Some(LakeConfig {
        path: folder.into(),
        name: of("lake.name")?.text()?,
        roll_interval: of("lake.roll_interval")?.duration()?,
        roll_size: of("lake.roll_size")?.bytes()?,
    }))
}

/// The tunnels of the `capture` section, by their names.
fn tunnels(written: &Written) -> Result<Tunnels, ConfigError> {
    let wanted = Reader::new(written, "capture.decapsulate")?;
    let named = |word: &String| word.parse().map_err(|error: UnknownTunnel| wanted.wrong(error.to_string()));
    let named: Vec<Tunnel> = wanted.list()?.iter().map(named).collect::<Result<_, _>>()?;
    Ok(Tunnels::new(&named, Reader::new(written, "capture.decapsulate_depth")?.number()?))
}

/// The `flow` section, whose early verdict must come before the cut.
fn flow(written: &Written) -> Result<FlowConfig, ConfigError> {
    let of = |path| Reader::new(written, path);
    let early = of("flow.early_verdict")?;
    let active_timeout = of("flow.active_timeout")?.duration()?;
    let mut early_verdict = early.optional_duration()?;
    if early_verdict.is_some_and(|early| early >= active_timeout) {
        if early.origin != Origin::Default {
            let active = units::format_duration(active_timeout);
            return Err(
                early.wrong(format!("it must be shorter than flow.active_timeout, which is {active}, or `off`"))
            );
        }
        early_verdict = None;
    }
    Ok(FlowConfig {
        max_flows: of("flow.max_flows")?.optional_number()?,
        idle_timeout: of("flow.idle_timeout")?.duration()?,
        active_timeout,
        early_verdict,
        workers: of("flow.workers")?.number()?,
    })
}

/// The `metrics` section, whose certificate and key need each other, and an address to be of use.
fn metrics(written: &Written) -> Result<MetricsConfig, ConfigError> {
    let of = |path| Reader::new(written, path);
    let listen = of("metrics.listen")?.optional_address()?;
    let [certificate, key, token] = ["metrics.tls_certificate", "metrics.tls_key", "metrics.token_file"];
    for path in [certificate, key, token] {
        let reader = of(path)?;
        if listen.is_none() && reader.text()?.is_some() {
            return Err(reader.wrong("it needs metrics.listen, which it is for".to_owned()));
        }
    }
    for (path, other) in [(certificate, key), (key, certificate)] {
        let reader = of(path)?;
        if reader.text()?.is_some() && of(other)?.text()?.is_none() {
            return Err(reader.wrong(format!("it needs {other} beside it")));
        }
    }
    let file = |path| Ok(of(path)?.text()?.map(PathBuf::from));
    Ok(MetricsConfig { listen, tls: file(certificate)?.zip(file(key)?), token_file: file(token)? })
}

/// The `kubernetes` section; a scope of the cluster is one without a node.
fn kubernetes(written: &Written) -> Result<KubernetesConfig, ConfigError> {
    let of = |path| Reader::new(written, path);
    let whole_cluster = of("kubernetes.scope")?.choice::<String>()? == "cluster";
    Ok(KubernetesConfig {
        enabled: match of("kubernetes.enabled")?.choice::<String>()?.as_str() {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        api: of("kubernetes.api")?.text()?,
        token_file: of("kubernetes.token_file")?.text()?.unwrap_or_default().into(),
        ca_file: of("kubernetes.ca_file")?.text()?.unwrap_or_default().into(),
        node: of("kubernetes.node")?.text()?.filter(|_| !whole_cluster),
        labels: of("kubernetes.labels")?.list()?,
        max_objects: of("kubernetes.max_objects")?.number()?,
    })
}

impl Setting {
    fn of(key: &'static Key, written: &Written) -> Self {
        let (value, origin) = written.get(key).map_or_else(
            || (key.default.to_owned(), Origin::Default),
            |entry| {
                let value = match &entry.value {
                    Value::Text(text) => text.clone(),
                    Value::List(items) => items.join(","),
                    Value::Map(pairs) => pairs.iter().map(|(a, b)| format!("{a}={b}")).collect::<Vec<_>>().join(","),
                };
                (value, entry.origin.clone())
            },
        );
        Self { key: key.path, value, origin }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    use super::*;
    use crate::packet::TUNNEL_DEPTH;
    use crate::telemetry::{LogFormat, LogLevel};

    fn load(yaml: &str, variables: &[(&str, &str)], overrides: &[Override]) -> Result<Config, String> {
        let mut written = Written::default();
        let variables = variables.iter().map(|&(name, value)| (name.into(), value.into()));
        written
            .read_yaml(Path::new("f.yaml"), yaml)
            .and_then(|()| written.read_variables(variables))
            .and_then(|()| written.read_overrides(overrides))
            .and_then(|()| Config::resolve(&written))
            .map_err(|error| error.to_string())
    }

    const fn flag(key: &'static str, flag: &'static str, value: String) -> Override {
        Override { key, value, flag }
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let config = load("", &[], &[]).expect("defaults are valid");
        let expected = CaptureConfig {
            interfaces: vec![],
            exclude: vec![],
            filter: None,
            buffer: 32 << 20,
            snaplen: 256,
            promiscuous: false,
            block_timeout: Micros::from_millis(50),
            tunnels: Tunnels::new(&[], TUNNEL_DEPTH),
            deduplicate: true,
        };
        assert_eq!(config.capture, expected);
        let expected = FlowConfig {
            max_flows: None,
            idle_timeout: Micros::from_secs(60),
            active_timeout: Micros::from_secs(120),
            early_verdict: Some(Micros::from_secs(10)),
            workers: 1,
        };
        assert_eq!(config.flow, expected);
        let expected = AlertConfig {
            output: AlertOutput::Stdout,
            dedup_window: Micros::from_secs(60),
            thresholds: BTreeMap::new(),
            novel: NovelMode::Count,
            incidents: true,
        };
        assert_eq!((config.alert, config.model), (expected, None));
        let account = Path::new("/var/run/secrets/kubernetes.io/serviceaccount");
        let expected = KubernetesConfig {
            enabled: None,
            api: None,
            token_file: account.join("token"),
            ca_file: account.join("ca.crt"),
            node: None,
            labels: vec![],
            max_objects: 20_000,
        };
        assert_eq!(config.kubernetes, expected);
        let listen: SocketAddr = "127.0.0.1:9469".parse().expect("a literal address");
        assert_eq!((config.admin, config.sandbox), (AdminConfig { listen, enabled: true }, Mode::Auto));
        assert_eq!(config.metrics, MetricsConfig::default());
        assert_eq!(config.log, LogConfig { level: LogLevel::Info, format: LogFormat::Text });
    }

    #[test]
    fn a_whole_file() {
        let yaml = "
capture:
  interfaces: [eth0, 'cali.*']
  exclude: docker0
  filter: not port 22
  buffer: 64MiB
  snaplen: 1_500
  promiscuous: true
  block_timeout: 20ms
  decapsulate: [vxlan, gre]
  decapsulate_depth: 3
  deduplicate: false
flow:
  max_flows: 1000
  idle_timeout: 1m
  active_timeout: 2m
  early_verdict: off
  workers: 4
model: {path: /var/lib/m.json}
alert:
  output: /var/log/alerts.json
  dedup_window: off
  thresholds:
    recon: 0.75
    exploit: 1
  novel: alert
  incidents: false
lake:
  path: /var/lib/flowshrike/lake
  name: n1
  roll_interval: 1m
  roll_size: 8MiB
kubernetes:
  enabled: on
  api: https://192.0.2.1:6443
  token_file: /t/token
  ca_file: /t/ca.crt
  node: n1
  scope: node
  labels: [app, tier]
  max_objects: 500
admin: {listen: '[::1]:0', enabled: false}
metrics: {listen: '10.0.0.9:9470', tls_certificate: /tls/tls.crt, tls_key: /tls/tls.key, token_file: /token/token}
privilege: {sandbox: require}
log:
  level: debug
  format: json
";
        let config = load(yaml, &[], &[]).expect("all keys are known");
        assert_eq!(config.capture.interfaces, ["eth0", "cali.*"]);
        assert_eq!(
            (config.capture.exclude, config.capture.filter),
            (vec!["docker0".into()], Some("not port 22".into()))
        );
        assert_eq!(
            (config.capture.buffer, config.capture.snaplen, config.capture.promiscuous),
            (64 << 20, 1_500, true)
        );
        assert_eq!((config.flow.max_flows, config.flow.early_verdict, config.flow.workers), (Some(1_000), None, 4));
        assert_eq!(config.alert.output, AlertOutput::File("/var/log/alerts.json".into()));
        assert_eq!(config.alert.thresholds, BTreeMap::from([("exploit".into(), 1.0), ("recon".into(), 0.75)]));
        assert_eq!((config.alert.dedup_window, config.alert.novel), (Micros::ZERO, NovelMode::Alert));
        assert!(!config.alert.incidents);
        assert_eq!((config.model, config.admin.enabled), (Some("/var/lib/m.json".into()), false));
        let expected = KubernetesConfig {
            enabled: Some(true),
            api: Some("https://192.0.2.1:6443".into()),
            token_file: "/t/token".into(),
            ca_file: "/t/ca.crt".into(),
            node: Some("n1".into()),
            labels: vec!["app".into(), "tier".into()],
            max_objects: 500,
        };
        assert_eq!(config.kubernetes, expected);
        let expected = LakeConfig {
            path: "/var/lib/flowshrike/lake".into(),
            name: Some("n1".to_owned()),
            roll_interval: Micros::from_secs(60),
            roll_size: 8 << 20,
        };
        assert_eq!(config.lake, Some(expected));
        let of_all = load("kubernetes: {node: n1, scope: cluster, enabled: off}", &[], &[]).expect("valid").kubernetes;
        assert_eq!((of_all.node, of_all.enabled), (None, Some(false)));
        assert_eq!(config.sandbox, Mode::Require);
        let tls = Some(("/tls/tls.crt".into(), "/tls/tls.key".into()));
        let listen = Some("10.0.0.9:9470".parse().expect("a literal address"));
        assert_eq!(config.metrics, MetricsConfig { listen, tls, token_file: Some("/token/token".into()) });
        assert_eq!(config.log, LogConfig { level: LogLevel::Debug, format: LogFormat::Json });
        assert_eq!(config.settings.len(), KEYS.len());
        assert!(config.settings.iter().all(|setting| setting.origin != Origin::Default));
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let yaml = "capture: {interfaces: [a, b], snaplen: 300}\nflow: {workers: 2}\nalert: {thresholds: {recon: 0.5}}";
        let variables = [
            ("FLOWSHRIKE_CAPTURE_INTERFACES", "c, d"),
            ("FLOWSHRIKE_FLOW_WORKERS", "3"),
            ("FLOWSHRIKE_LOG_LEVEL", ""),
            ("FLOWSHRIKE_ALERT_THRESHOLDS", "recon=0.6,dos=0.7"),
            ("PATH", "/bin"),
        ];
        let config = load(yaml, &variables, &[]).expect("valid");
        assert_eq!(
            (config.capture.interfaces, config.capture.snaplen, config.flow.workers),
            (vec!["c".into(), "d".into()], 300, 3)
        );
        let overrides = [
            flag("capture.interfaces", "--interface", "e,f".into()),
            flag("capture.interfaces", "--interface", "g".into()),
            flag("alert.thresholds", "--threshold", "dos=0.9".into()),
        ];
        let config = load(yaml, &variables, &overrides).expect("valid");
        assert_eq!(config.capture.interfaces, ["e,f", "g"]);
        assert_eq!(config.alert.thresholds, BTreeMap::from([("dos".into(), 0.9), ("recon".into(), 0.6)]));
        let origin = |key| config.settings.iter().find(|s| s.key == key).map(|s| s.origin.to_string());
        assert_eq!(origin("capture.interfaces").as_deref(), Some("--interface"));
        assert_eq!(origin("flow.workers").as_deref(), Some("FLOWSHRIKE_FLOW_WORKERS"));
        assert_eq!(origin("capture.snaplen").as_deref(), Some("f.yaml:1:40"));
    }

    #[test]
    fn an_error_names_the_place_the_key_and_what_is_allowed() {
        for (yaml, expected) in [
            ("capture:\n  snaplem: 9", "f.yaml:2:3: unknown key `capture.snaplem`; did you mean `capture.snaplen`?"),
            ("captures: {}", "f.yaml:1:1: unknown key `captures`; did you mean `capture`?"),
            ("snaplen: 9", "f.yaml:1:1: unknown key `snaplen`; did you mean `capture.snaplen`?"),
            ("log: {}\nweather: {}", "f.yaml:2:1: unknown key `weather`; docs/configuration.md lists the known keys"),
            ("capture:\n  snaplen: 10", "f.yaml:2:12: capture.snaplen: `10` is out of range: 128 to 262144"),
            ("capture:\n  snaplen: -1", "f.yaml:2:12: capture.snaplen: `-1` is no whole number"),
            ("capture: {buffer: 1B}", "f.yaml:1:19: capture.buffer: `1B` is out of range: 1MiB to 4GiB"),
            (
                "capture: {block_timeout: 51ms}",
                "f.yaml:1:26: capture.block_timeout: `51ms` is out of range: 1ms to 50ms",
            ),
            ("capture: {filter: [a]}", "f.yaml:1:19: capture.filter: one value is expected"),
            ("capture: {interfaces: ['']}", "f.yaml:1:23: capture.interfaces: an item is empty"),
            ("capture: 7", "f.yaml:1:10: `capture` is a section: keys are expected in it"),
            ("- a", "f.yaml:1:1: sections are expected"),
            ("alert: {thresholds: {recon: 2}}", "f.yaml:1:21: alert.thresholds: recon: `2` is no number from 0 to 1"),
            ("alert: {novel: tell}", "f.yaml:1:16: alert.novel: `tell` is none of `count`, `alert`"),
            (
                "log: {level: loud}",
                "f.yaml:1:14: log.level: `loud` is none of `error`, `warn`, `info`, `debug`, `trace`",
            ),
            ("admin: {enabled: yes}", "f.yaml:1:18: admin.enabled: `yes` is neither true nor false"),
            (
                "admin: {listen: localhost}",
                "f.yaml:1:17: admin.listen: `localhost` is no address: it is an IP address and a port, as 127.0.0.1:9469 or [::1]:9469",
            ),
            (
                "flow: {early_verdict: 2m}",
                "f.yaml:1:23: flow.early_verdict: it must be shorter than flow.active_timeout, which is 2m, or `off`",
            ),
            (
                "metrics: {token_file: /token}",
                "f.yaml:1:23: metrics.token_file: it needs metrics.listen, which it is for",
            ),
            (
                "metrics: {listen: '[::]:1', tls_key: /key}",
                "f.yaml:1:38: metrics.tls_key: it needs metrics.tls_certificate beside it",
            ),
            (
                "flow: {idle_timeout: off}",
                "f.yaml:1:22: flow.idle_timeout: `off` is no span of time; write it with a unit, as 50ms, 120s, 2m or 1h",
            ),
        ] {
            assert_eq!(load(yaml, &[], &[]).map(|_| ()), Err(expected.to_owned()), "{yaml}");
        }
        for syntax in ["a: [", "flow: {workers: 1, workers: 2}", "a: b: c", "a: 1\n---\nb: 2", "\t- x", "a: *b"] {
            let error = load(syntax, &[], &[]).expect_err(syntax);
            assert!(error.starts_with("f.yaml:") && error.lines().count() == 1, "{syntax:?}: {error}");
        }
    }

    #[test]
    fn variables_and_flags_are_named_too() {
        let of_variable = |name, value| load("", &[(name, value)], &[]).map(|_| ());
        let wrong = "FLOWSHRIKE_FLOW_WORKERS: flow.workers: `0` is out of range: 1 to 64";
        assert_eq!(of_variable("FLOWSHRIKE_FLOW_WORKERS", "0"), Err(wrong.into()));
        let unknown = "environment: unknown key `FLOWSHRIKE_FLOW_WORKER`; did you mean `FLOWSHRIKE_FLOW_WORKERS`?";
        assert_eq!(of_variable("FLOWSHRIKE_FLOW_WORKER", "1"), Err(unknown.into()));
        assert!(of_variable("FLOWSHRIKE_ALERT_THRESHOLDS", "recon").is_err());
        let wrong = load("", &[], &[flag("capture.buffer", "--buffer", "much".into())]).map(|_| ());
        let expected = "--buffer: capture.buffer: `much` is no amount of bytes; write it as 64MiB, 64MB or 65536";
        assert_eq!(wrong, Err(expected.into()));
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_is_no_setting() {
        for (name, value) in [
            ("FLOWSHRIKE_SERVICE_HOST", "10.96.0.9"),
            ("FLOWSHRIKE_SERVICE_PORT", "9469"),
            ("FLOWSHRIKE_SERVICE_PORT_METRICS", "9469"),
            ("FLOWSHRIKE_PORT", "tcp://10.96.0.9:9469"),
            ("FLOWSHRIKE_PORT_9469_TCP", "tcp://10.96.0.9:9469"),
            ("FLOWSHRIKE_PORT_9469_TCP_ADDR", "10.96.0.9"),
            ("FLOWSHRIKE_METRICS_SERVICE_HOST", "10.96.0.9"),
            ("FLOWSHRIKE_METRICS_PORT_9469_TCP_PROTO", "tcp"),
            ("FLOWSHRIKE_CONFIG", "/etc/flowshrike.yaml"),
            ("FLOWSHRIKE_SERVE_LISTEN", "0.0.0.0:8000"),
        ] {
            assert!(load("", &[(name, value)], &[]).is_ok(), "{name}");
        }
        for name in ["FLOWSHRIKE_SUPPORT_1_TCPX", "FLOWSHRIKE_ADMIN_PORT"] {
            assert!(load("", &[(name, "9469")], &[]).is_err(), "{name}");
        }
    }

    #[test]
    fn an_early_verdict_that_nobody_asked_for_gives_way() {
        let config = load("flow: {active_timeout: 5s}", &[], &[]).expect("valid");
        assert_eq!(config.flow.early_verdict, None);
    }

    #[test]
    fn sections_and_keys_without_a_value_say_nothing() {
        let config = load("capture:\nlog:\n  level:\n", &[], &[]).expect("valid");
        assert_eq!(config.log.level, LogLevel::Info);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(yaml in "[a-z:{}\\[\\]\\-?*&!|>'\"#%@,. \n\t0-9~<=]{0,60}", text in ".{0,40}") {
            load(&yaml, &[], &[]).ok();
            load(&format!("capture:\n  {yaml}"), &[], &[]).ok();
            for key in KEYS {
                load("", &[(&key.variable(), &text)], &[]).ok();
            }
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::load(Some(Path::new("/nowhere/f.yaml")), [], &[]).expect_err("no such file").to_string();
        assert!(error.starts_with("cannot read the configuration /nowhere/f.yaml: "), "{error}");
    }
}
