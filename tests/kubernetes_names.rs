//! Names of addresses by the Kubernetes API: against a server of the test's own over real TLS, which also does what no server
//! should, and against a real API server where one is at hand.
#![cfg(feature = "kubernetes")]

#[path = "util/api_server.rs"]
mod api_server;
#[path = "util/daemon.rs"]
mod daemon;
mod util;

use std::fs;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use api_server::{ApiServer, Misstep, pod, service};
use daemon::Daemon;
use flowshrike::alert::{Directory as _, Identities, Knowledge, Owner, Workload};
use flowshrike::k8s::{Api, Credentials, Patience, Settings, Watcher};
use flowshrike::packet::Address;
use flowshrike::telemetry::Metrics;
use flowshrike::time::Micros;
use serde_json::{Value, json};
use tempfile::TempDir;
use util::capture_file::Pcap;
use util::netns::{VethPair, until};
use util::traffic::{Link, Traffic};

/// A watcher with its metrics.
struct Following {
    watcher: Watcher,
    metrics: Arc<Metrics>,
}

impl Following {
    fn of(server: &ApiServer) -> Self {
        Self::with(settings(server))
    }

    fn with(settings: Settings) -> Self {
        let metrics = Arc::new(Metrics::new().expect("names are unique"));
        let watcher = Watcher::start(settings, Arc::clone(&metrics)).expect("a thread");
        Self { watcher, metrics }
    }

    fn ask(&self, ip: &str) -> Identities {
        // Far ahead: whoever has the address now.
        self.watcher.names().identify([Some(address(ip)), None], Micros(i64::MAX / 2))
    }

    fn pod(&self, ip: &str) -> Option<String> {
        self.ask(ip).src?.pod
    }

    fn is(&self, state: Knowledge) -> bool {
        self.watcher.names().state() == state
    }

    fn metric(&self, begins: &str) -> f64 {
        let text = self.metrics.render().expect("text");
        text.lines()
            .filter(|line| line.starts_with(begins))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    fn restarts(&self, kind: &str, reason: &str) -> f64 {
        self.metric(&format!("flowshrike_kubernetes_watch_restarts_total{{kind=\"{kind}\",reason=\"{reason}\"}}"))
    }
}

fn settings(server: &ApiServer) -> Settings {
    let credentials = Credentials { token_file: server.token_file(), ca_file: server.ca_file() };
    Settings {
        api: Api::at(&server.url(), credentials).expect("an address"),
        node: Some("n1".into()),
        labels: vec!["app".into()],
        max_objects: 1_000,
        grace: Micros::from_secs(60),
        patience: Patience {
            connect: Duration::from_secs(20),
            answer: Duration::from_secs(20),
            watch: Duration::from_secs(600),
            retry_first: Duration::from_millis(10),
            retry_most: Duration::from_millis(50),
        },
    }
}

fn address(ip: &str) -> Address {
    ip.parse::<IpAddr>().expect("an address").into()
}

#[test]
fn addresses_have_names_that_follow_the_cluster() {
    let server = ApiServer::start();
    // More than a page.
    for n in 0..300 {
        server.put("pods", pod("shop", &format!("web-{n}"), "n1", &format!("10.0.{}.{}", n / 250, n % 250)));
    }
    server.put("services", service("shop", "web", "10.96.0.7"));
    let following = Following::of(&server);
    until("both are listed", || following.is(Knowledge::Fresh));
    let web = Workload {
        namespace: Some("shop".into()),
        pod: Some("web-299".into()),
        owner: Some(Owner { kind: "Deployment".into(), name: "web".into() }),
        service: Some("web".into()),
        node: Some("n1".into()),
        labels: vec![("app".into(), "web".into())],
    };
    assert_eq!(following.ask("10.0.1.49"), Identities { state: Knowledge::Fresh, src: Some(web), dest: None });
    assert_eq!(following.ask("10.96.0.7").src.and_then(|found| found.service).as_deref(), Some("web"));
    assert_eq!(following.ask("192.0.2.1").src.and_then(|found| found.node).as_deref(), Some("n1"));
    assert_eq!(following.ask("10.9.9.9").src, None);

    server.put("pods", pod("shop", "new", "n1", "10.0.2.1"));
    until("a new pod has its name", || following.pod("10.0.2.1").as_deref() == Some("new"));
    server.bookmark("pods");
    server.delete("pods", "shop", "new");
    server.put("pods", pod("other", "newer", "n1", "10.0.2.1"));
    until("the next holder has it", || following.pod("10.0.2.1").as_deref() == Some("newer"));
    let before = following.watcher.names().identify([None, Some(address("10.0.2.1"))], Micros(0));
    assert_eq!(
        before.dest.and_then(|found| found.pod).as_deref(),
        Some("new"),
        "a flow from before is the first one's"
    );
    until("it is counted", || following.metric("flowshrike_kubernetes_objects{kind=\"departed_pods\"}") == 1.0);
    assert_eq!(following.metric("flowshrike_kubernetes_objects{kind=\"pods\"}"), 301.0);

    let requests = server.requests();
    let of = |kind: &str| requests.iter().filter(|path| path.contains(kind)).map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        of("/pods?"),
        [
            "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=250",
            "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&limit=250&continue=from%3D250",
            "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&watch=true&allowWatchBookmarks=true&timeoutSeconds=600&resourceVersion=302",
        ]
    );
    assert_eq!(of("/services?").len(), 2);
    assert_eq!(following.restarts("pods", ""), 0.0);
}

/// Whatever the server does instead of a list or a watch, names are there soon after, and the reason has been counted.
#[test]
fn whatever_the_server_does_names_come_back() {
    let missteps = [
        (Misstep::Status(500), "status"),
        (Misstep::Status(429), "status"),
        (Misstep::Status(403), "denied"),
        (Misstep::Status(410), "expired"),
        (Misstep::Garbage, "garbage"),
        (Misstep::Misshapen, "garbage"),
        (Misstep::Silence, "silent"),
        (Misstep::Stall, "silent"),
        (Misstep::Tear, "disconnected"),
        (Misstep::Flood, "too_large"),
    ];
    for is_watch in [false, true] {
        for (n, (misstep, reason)) in missteps.iter().enumerate() {
            let server = ApiServer::start();
            server.put("pods", pod("shop", "old", "n1", "10.0.0.1"));
            server.misstep("pods", is_watch, misstep.clone());
            let mut settings = settings(&server);
            if *reason == "silent" {
                settings.patience.answer = Duration::from_millis(200);
                settings.patience.watch = Duration::from_secs(1);
            }
            let following = Following::with(settings);
            let what = format!("{n}: {misstep:?} in place of a {}", if is_watch { "watch" } else { "list" });
            until(&what, || server.missteps_waiting() == 0 && following.restarts("pods", reason) >= 1.0);
            server.put("pods", pod("shop", "new", "n1", "10.0.0.2"));
            until(&what, || following.pod("10.0.0.2").is_some() && following.pod("10.0.0.1").is_some());
            until(&what, || following.is(Knowledge::Fresh));
        }
    }
}

#[test]
fn an_error_in_a_watch_ends_it() {
    for (code, reason) in [(410, "expired"), (500, "status")] {
        let server = ApiServer::start();
        server.misstep("services", true, Misstep::ErrorLine(code));
        let following = Following::of(&server);
        until("the watch has ended", || following.restarts("services", reason) == 1.0);
        server.put("services", service("shop", "web", "10.96.0.7"));
        until("services are followed", || following.ask("10.96.0.7").src.is_some());
    }
}

#[test]
fn what_went_unseen_is_found_in_the_next_list() {
    let server = ApiServer::start();
    server.put("pods", pod("shop", "a", "n1", "10.0.0.1"));
    server.put("services", service("shop", "web", "10.96.0.7"));
    let following = Following::of(&server);
    until("both are listed", || following.is(Knowledge::Fresh));
    // While watches are refused, one goes and another comes to its address; then the server has forgotten.
    server.misstep("pods", true, Misstep::Status(500));
    server.cut();
    until("the watch is refused", || following.restarts("pods", "status") == 1.0);
    server.misstep("pods", true, Misstep::Status(500));
    server.delete("pods", "shop", "a");
    server.put("pods", pod("shop", "b", "n1", "10.0.0.1"));
    server.forget();
    server.cut();
    until("it has its new name", || following.pod("10.0.0.1").as_deref() == Some("b"));
    until("the old one is remembered", || {
        following.metric("flowshrike_kubernetes_objects{kind=\"departed_pods\"}") == 1.0
    });
}

#[test]
fn a_token_is_renewed_and_another_server_is_not_trusted() {
    let (server, other) = (ApiServer::start(), ApiServer::start());
    let following = Following::of(&server);
    until("both are listed", || following.is(Knowledge::Fresh));
    server.renew_token("second");
    server.put("pods", pod("shop", "a", "n1", "10.0.0.1"));
    server.cut();
    until("it is followed with the new token", || {
        following.restarts("pods", "ended") >= 1.0 && following.pod("10.0.0.1").is_some()
    });
    assert_eq!(following.restarts("pods", "denied"), 0.0);

    let mut astray = settings(&server);
    let credentials = Credentials { token_file: server.token_file(), ca_file: server.ca_file() };
    astray.api = Api::at(&other.url(), credentials).expect("an address");
    let following = Following::with(astray);
    until("it is refused", || following.restarts("pods", "disconnected") >= 2.0);
    assert!(following.is(Knowledge::None));
    assert!(other.requests().is_empty(), "the token went nowhere: {:?}", other.requests());
}

#[test]
fn no_more_is_held_than_allowed() {
    let server = ApiServer::start();
    for n in 0..40 {
        server.put("pods", pod("shop", &format!("p{n}"), "n1", &format!("10.0.0.{n}")));
    }
    let following = Following::with(Settings { max_objects: 16, ..settings(&server) });
    until("both are listed", || following.is(Knowledge::Fresh));
    assert_eq!(following.metric("flowshrike_kubernetes_objects_refused_total{kind=\"pods\"}"), 24.0);
    assert_eq!((0..40).filter(|n| following.pod(&format!("10.0.0.{n}")).is_some()).count(), 16);
}

#[test]
fn without_a_server_there_are_no_names_and_the_thread_ends_all_the_same() {
    let server = ApiServer::start();
    server.shut();
    let mut settings = settings(&server);
    let credentials = Credentials { token_file: server.folder().join("none"), ca_file: server.folder().join("none") };
    settings.api = Api::at(&server.url(), credentials).expect("an address");
    let following = Following::with(settings);
    until("it has tried", || following.restarts("services", "credentials") >= 2.0);
    assert_eq!(following.ask("10.0.0.1"), Identities::default());
}

/// The daemon itself, restricted as it is, in a network of its own: its lines name pods, and go on when the API has gone.
#[test]
fn the_daemons_lines_name_pods() {
    let Some(bed) = VethPair::new("names") else { return };
    let server = bed.right.enter(ApiServer::start);
    server.put("pods", pod("shop", "scanner", "n1", "10.244.1.66"));
    server.put("pods", pod("shop", "victim", "n1", "10.244.1.30"));
    server.put("services", service("shop", "web", "10.96.0.7"));
    let (token, ca) = (server.token_file(), server.ca_file());
    let mut command = bed.right.command(env!("CARGO_BIN_EXE_flowshrike"));
    command
        .args(["run", "--interface", &bed.right.interface, "--listen", "127.0.0.1:0"])
        .env("FLOWSHRIKE_KUBERNETES_API", server.url())
        .env("FLOWSHRIKE_KUBERNETES_TOKEN_FILE", &token)
        .env("FLOWSHRIKE_KUBERNETES_CA_FILE", &ca)
        .env("FLOWSHRIKE_KUBERNETES_LABELS", "tier");
    let mut daemon = Daemon::spawn(&bed.right, command);
    let state = |daemon: &Daemon, state: &str| {
        daemon.metric(&bed.right, &format!("flowshrike_kubernetes_state{{state=\"{state}\"}}")) == 1.0
    };
    daemon.until("it follows the API", |daemon| state(daemon, "fresh"));
    // Renewed after the daemon restricted itself.
    server.renew_token("second");
    server.cut();
    let restarted = "flowshrike_kubernetes_watch_restarts_total{kind=\"pods\",reason=\"ended\"}";
    daemon.until("it has used the new token", |daemon| {
        daemon.metric(&bed.right, restarted) >= 1.0 && state(daemon, "fresh")
    });
    server.put("pods", pod("shop", "late", "n1", "10.244.1.67"));
    daemon
        .until("a pod more", |daemon| daemon.metric(&bed.right, "flowshrike_kubernetes_objects{kind=\"pods\"}") == 3.0);

    let folder = TempDir::new().expect("a folder");
    let sweep = |name: &str, source: &str| {
        let mut traffic = Traffic::new(23);
        traffic.sweep(source, "10.244.1.30").at(0.3).ports(1..=200);
        let path = folder.path().join(name);
        fs::write(&path, Pcap::default().write(&traffic.frames(Link::Ethernet))).expect("a file");
        bed.left.replay_file(&path, 10_000);
    };
    sweep("first.pcap", "10.244.1.66");
    let raised = "flowshrike_incidents_raised_total";
    daemon.until("an incident", |daemon| daemon.metric(&bed.right, raised) >= 1.0);
    server.shut();
    daemon.until("the API is away", |daemon| state(daemon, "stale"));
    let so_far = daemon.metric(&bed.right, raised);
    sweep("second.pcap", "10.244.1.67");
    daemon.until("another incident", |daemon| daemon.metric(&bed.right, raised) > so_far);
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);

    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |source: &str| {
        let found = lines.iter().find(|line| line["src_ip"] == source && line["dest_ip"] == "10.244.1.30");
        found.unwrap_or_else(|| panic!("no line of {source}:\n{}", ended.stdout))["flowshrike"]["kubernetes"].clone()
    };
    let (first, second) = (of("10.244.1.66"), of("10.244.1.67"));
    assert_eq!(
        (&first["state"], &first["src"]["pod"], &first["dest"]["pod"]),
        (&"fresh".into(), &"scanner".into(), &"victim".into())
    );
    assert_eq!((&second["state"], &second["src"]["pod"]), (&"stale".into(), &"late".into()));
    assert_eq!(first["src"]["owner"], json!({"kind": "Deployment", "name": "web"}));
    assert_eq!(first["src"]["labels"], json!({"tier": "front"}));
}
