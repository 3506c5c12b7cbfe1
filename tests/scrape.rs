//! The metrics listener: a real Prometheus by TLS with a token, renewed files, and what others get.

#[path = "util/daemon.rs"]
mod daemon;
mod util;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use daemon::Daemon;
use serde_json::Value;
use tempfile::TempDir;
use util::netns::{End, VethPair};
use util::skip::skipped;

/// A certificate authority, and a folder for what it signs.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Self { folder };
        authority.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test -keyout ca.key -out ca.crt");
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(self.folder.path()).output();
        let output = output.expect("openssl runs");
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Signs a certificate of this serial number for 127.0.0.1, and puts it and its key in place as a renewal does: each whole.
    fn issue(&self, serial: u32) {
        fs::write(self.path("ext"), "subjectAltName=IP:127.0.0.1,DNS:flowshrike").expect("a file");
        self.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=flowshrike -keyout new.key -out new.csr",
        );
        let ca = "-CA ca.crt -CAkey ca.key -days 1 -extfile ext";
        self.openssl(&format!("x509 -req -in new.csr {ca} -set_serial {serial} -out new.crt"));
        for name in ["crt", "key"] {
            fs::rename(self.path(&format!("new.{name}")), self.path(&format!("tls.{name}"))).expect("in place");
        }
    }
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn curl(end: &End, arguments: &[&str]) -> Output {
    end.command("curl").args(["-sS", "--max-time", "20"]).args(arguments).output().expect("curl runs")
}

/// The status that curl gets, 0 for none.
fn status(end: &End, arguments: &[&str]) -> u16 {
    let output = curl(end, &[&["-o", "/dev/null", "-w", "%{http_code}"], arguments].concat());
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

fn missing(programs: &[&str]) -> Option<String> {
    let is_missing = |program: &&&str| {
        Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
    };
    programs.iter().find(is_missing).map(|program| format!("needs {program}"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

/// Where the daemon says that scrapers are answered.
fn scraped_at(daemon: &Daemon) -> String {
    let log = daemon.log();
    let url = log.split("metrics for scrapers on ").nth(1).and_then(|rest| rest.split([',', '\n', ' ']).next());
    url.unwrap_or_else(|| panic!("no such address in the log:\n{log}")).to_owned()
}

#[test]
fn a_prometheus_scrapes_by_tls_and_shows_a_token_and_both_are_renewed() {
    if let Some(reason) = missing(&["prometheus", "curl", "openssl"]) {
        return skipped(&reason);
    }
    let Some(bed) = VethPair::new("scrape") else { return };
    let authority = Authority::new();
    authority.issue(1_001);
    let token_file = authority.path("token");
    fs::write(&token_file, "first-token-0123456789\n").expect("a file");
    let (certificate, key) = (authority.path("tls.crt"), authority.path("tls.key"));
    let mut command = bed.right.command(env!("CARGO_BIN_EXE_flowshrike"));
    command
        .args([
            "run",
            "--interface",
            &bed.right.interface,
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
        ])
        .env("FLOWSHRIKE_METRICS_TLS_CERTIFICATE", &certificate)
        .env("FLOWSHRIKE_METRICS_TLS_KEY", &key)
        .env("FLOWSHRIKE_METRICS_TOKEN_FILE", &token_file);
    let mut daemon = Daemon::spawn(&bed.right, command);
    let url = scraped_at(&daemon);
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let (ca, bearer) = (authority.path("ca.crt"), "Authorization: Bearer first-token-0123456789");
    let asked = |headers: &[&str], url: &str| {
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["-H", header]).collect();
        status(&bed.right, &[&["--cacert", text(&ca)], &headers[..], &[url]].concat())
    };

    assert_eq!(asked(&[bearer], &url), 200);
    for headers in
        [&[][..], &["Authorization: Bearer wrong-token-0123456789"], &["Authorization: Basic first-token-0123456789"]]
    {
        assert_eq!(asked(headers, &url), 401, "{headers:?}");
    }
    // Health, readiness and the model stay with the admin server.
    for path in ["/", "/healthz", "/readyz", "/model"] {
        assert_eq!(asked(&[bearer], &url.replace("/metrics", path)), 404, "{path}");
    }
    let plain = url.replace("https://", "http://");
    assert!(!curl(&bed.right, &[&plain]).status.success(), "plain HTTP is not answered");
    assert!(
        !curl(&bed.right, &["-H", bearer, &url]).status.success(),
        "a client that does not know the authority refuses"
    );
    for version in ["1.0", "1.1"] {
        let old = ["--cacert", text(&ca), "--tlsv1", "--tls-max", version, "-H", bearer, &url];
        assert!(!curl(&bed.right, &old).status.success(), "TLS {version} is too old");
    }

    let config = authority.path("prometheus.yml");
    let target = url.trim_start_matches("https://").trim_end_matches("/metrics");
    let scrape = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: flowshrike\n  scheme: https\n  tls_config: {{ca_file: {}}}\n  \
         authorization: {{credentials_file: {}}}\n  static_configs: [{{targets: ['{target}']}}]\n",
        ca.display(),
        token_file.display()
    );
    fs::write(&config, scrape).expect("a file");
    let mut prometheus = bed.right.command("prometheus");
    prometheus
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", authority.path("data").display()))
        .arg("--web.listen-address=127.0.0.1:9090")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _prometheus = Running(prometheus.spawn().expect("prometheus runs"));
    let ask = |query: &str| -> Option<f64> {
        let url = format!("http://127.0.0.1:9090/api/v1/query?query={query}");
        let answer: Value = serde_json::from_slice(&curl(&bed.right, &[&url]).stdout).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    daemon.until("prometheus scrapes", |_| ask("up") == Some(1.0));
    assert_eq!(ask("count(flowshrike_build_info)"), Some(1.0));

    // Both are renewed while it runs.
    authority.issue(1_002);
    fs::write(&token_file, "second-token-0123456789\n").expect("a file");
    let renewed = "Authorization: Bearer second-token-0123456789";
    assert_eq!((asked(&[bearer], &url), asked(&[renewed], &url)), (401, 200));
    let served = bed
        .right
        .command("sh")
        .arg("-c")
        .arg(format!("openssl s_client -connect {target} </dev/null | openssl x509 -noout -serial"))
        .output();
    let served = String::from_utf8_lossy(&served.expect("openssl runs").stdout).into_owned();
    assert!(served.contains("serial=03EA"), "the renewed certificate has number 1002: {served}");
    daemon.until("prometheus scrapes with the new token", |_| ask("up") == Some(1.0));

    // What is wrong stays out of use, and is told once.
    fs::write(&key, "no key").expect("a file");
    fs::write(&token_file, "short").expect("a file");
    assert_eq!((asked(&[renewed], &url), asked(&[renewed], &url)), (200, 200));
    let log = daemon.log();
    for part in ["tls.key: no private key in PEM", "token: no token: one line of at least 16 printable characters"] {
        assert_eq!(log.matches(part).count(), 1, "{part} in\n{log}");
    }
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    if let Some(reason) = missing(&["openssl"]) {
        return skipped(&reason);
    }
    let authority = Authority::new();
    authority.issue(1);
    fs::write(authority.path("spaces"), "a token of several words").expect("a file");
    fs::write(authority.path("empty"), "").expect("a file");
    let refused = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowshrike"));
        command.args([
            "run",
            "--interface",
            "lo",
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "127.0.0.1:0",
            "--duration",
            "1",
        ]);
        for (name, file) in variables {
            command.env(format!("FLOWSHRIKE_METRICS_{name}"), authority.path(file));
        }
        let output = command.env("NO_COLOR", "1").output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        said.lines().find(|line| line.starts_with("flowshrike: ")).unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    let pair = |certificate, key| [("TLS_CERTIFICATE", certificate), ("TLS_KEY", key)];
    for (variables, says) in [
        (&pair("tls.crt", "ca.key")[..], "ca.key: not usable with"),
        (&pair("tls.key", "tls.key"), "tls.key: no certificate in it"),
        (&pair("tls.crt", "tls.crt"), "tls.crt: no private key in PEM"),
        (&pair("gone.crt", "tls.key"), "gone.crt: No such file"),
        (&pair("empty", "tls.key"), "empty: no certificate in it"),
        (&[("TLS_KEY", "tls.key")], "it needs metrics.tls_certificate beside it"),
        (&[("TOKEN_FILE", "spaces")], "spaces: no token"),
        (&[("TOKEN_FILE", "empty")], "empty: no token"),
    ] {
        let said = refused(variables);
        assert!(said.contains(says), "{variables:?}: {said}");
    }
}
