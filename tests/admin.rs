//! The admin server over real connections on the loopback address.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use flowshrike::privilege::{Confinement, Privileges, Sandbox};
use flowshrike::serve::{AdminState, Bounds, HttpServer, ModelCard, ServeError, router};
use flowshrike::telemetry::{Clock, Heartbeats, Metrics, Readiness};
use serde_json::{Value, json};

struct Daemon {
    server: HttpServer,
    state: Arc<AdminState>,
}

impl Daemon {
    fn start(bounds: Bounds) -> Self {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let state = AdminState::new(metrics, Arc::default(), Arc::default(), Clock::start());
        let state = Arc::new(state);
        let server = listen("127.0.0.1:0", bounds, &state).expect("any port");
        Self { server, state }
    }

    fn get(&self, path: &str) -> Answer {
        exchange(self.server.local_addr(), &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    }
}

fn listen(address: &str, bounds: Bounds, state: &Arc<AdminState>) -> Result<HttpServer, ServeError> {
    let address = address.parse().expect("a literal address");
    HttpServer::start("admin", address, "--admin-listen", bounds, router(Arc::clone(state)))
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer, then the end");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {request:?}: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    // Not a measure: a server that never answers fails the test instead of hanging it.
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

#[test]
fn metrics_in_the_prometheus_text_format() {
    let daemon = Daemon::start(Bounds::default());
    daemon.state.metrics.interface("eth0").received.inc_by(41);
    let answer = daemon.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    assert!(answer.body.contains("\nflowshrike_packets_received_total{interface=\"eth0\"} 41\n"));
    assert!(answer.body.contains("\nprocess_open_fds "));
}

#[test]
fn health_names_the_stages_and_fails_when_one_is_stale() {
    let daemon = Daemon::start(Bounds::default());
    let heartbeats: &Heartbeats = &daemon.state.heartbeats;
    let hour = Duration::from_secs(3_600);
    heartbeats.register("capture", hour, daemon.state.clock.millis());
    let answer = daemon.get("/healthz");
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")));
    // A stage that may never be late is late as soon as the clock has moved.
    let late = heartbeats.register("classify", Duration::ZERO, 0);
    while daemon.state.clock.millis() == 0 {
        std::thread::yield_now();
    }
    let answer = daemon.get("/healthz");
    assert_eq!(answer.status, 503);
    let body = answer.json();
    assert_eq!((&body["stages"][0]["stale"], &body["stages"][1]["name"]), (&json!(false), &json!("classify")));
    assert!(body["stages"][1]["age_ms"].as_u64() > Some(0));
    late.beat(u64::MAX);
    assert_eq!(daemon.get("/healthz").status, 200);
}

#[test]
fn readiness_says_what_is_missing() {
    let daemon = Daemon::start(Bounds::default());
    let readiness: &Readiness = &daemon.state.readiness;
    readiness.set_model_loaded(true);
    let answer = daemon.get("/readyz");
    assert_eq!((answer.status, answer.json()), (503, json!({ "ready": false, "missing": ["capture is not open"] })));
    readiness.set_capture_open(true);
    assert_eq!(daemon.get("/readyz").status, 200);
    readiness.set_capture_blind(true);
    assert_eq!(daemon.get("/readyz").json()["missing"], json!(["capture is blind"]));
}

#[test]
fn readiness_tells_what_the_threads_hold() {
    let daemon = Daemon::start(Bounds::default());
    assert!(daemon.get("/readyz").json().get("privileges").is_none(), "nothing is known yet");
    let sandbox = Sandbox { abi: 4, files: true, tcp: true, ..Sandbox::default() };
    let threads = Confinement { no_new_privs: true, sandbox, ..Confinement::default() };
    daemon.state.set_privileges(Privileges { threads, opener: None });
    let none: [&str; 0] = [];
    let capabilities =
        json!({ "effective": none, "permitted": none, "inheritable": none, "bounding": none, "ambient": none });
    let landlock = json!({ "abi": 4, "files": true, "tcp": true, "processes": false, "udp": false });
    let threads = json!({ "capabilities": capabilities, "no_new_privs": true, "landlock": landlock });
    assert_eq!(daemon.get("/readyz").json()["privileges"], json!({ "threads": threads, "opener": null }));
}

#[test]
fn the_model_by_its_fixed_keys() {
    let daemon = Daemon::start(Bounds::default());
    assert_eq!(daemon.get("/model").status, 503);
    daemon.state.set_model(ModelCard {
        name: "k8s".into(),
        version: "3".into(),
        sha256: "ab".into(),
        engine: "knn".into(),
        profile: "cic".into(),
        features: vec!["Flow Duration".into(), "Total Fwd Packet".into()],
        labels: vec!["benign".into(), "recon".into()],
        trained_on: None,
    });
    let answer = daemon.get("/model");
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"));
    let expected = json!({
        "name": "k8s", "version": "3", "sha256": "ab", "engine": "knn", "profile": "cic",
        "features": ["Flow Duration", "Total Fwd Packet"], "labels": ["benign", "recon"],
    });
    assert_eq!(answer.json(), expected);
}

#[test]
fn other_paths_methods_and_nonsense_get_sane_answers() {
    let daemon = Daemon::start(Bounds::default());
    let address = daemon.server.local_addr();
    assert_eq!(daemon.get("/").status, 200);
    assert_eq!(daemon.get("/metrics/").status, 404);
    assert_eq!(daemon.get("/../etc/passwd").status, 404);
    let head = exchange(address, "HEAD /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let post = exchange(address, "POST /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(post.status, 405);
    assert!(post.head.contains("allow: get"), "{}", post.head);
    assert_eq!(exchange(address, "nonsense\r\n\r\n").status, 400);
    // No end of the head within the bound; not a byte more, lest the unread rest resets the connection.
    let long = format!("{:x<16384}", "GET / HTTP/1.1\r\nhost: x\r\nlong: ");
    assert_eq!(exchange(address, &long).status, 431);
}

#[test]
fn slow_clients_lose_their_places() {
    let daemon = Daemon::start(Bounds {
        connections: 2,
        request_timeout: Duration::from_millis(200),
        lifetime: Duration::from_secs(3_600),
        ..Bounds::default()
    });
    let address = daemon.server.local_addr();
    let mut slow: Vec<_> = (0..2).map(|_| connect(address)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HT").expect("sent");
    }
    // Both places are taken; the answer comes when the server has thrown the slow ones out.
    assert_eq!(daemon.get("/").status, 200);
    for mut stream in slow {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn a_connection_does_not_last_for_ever() {
    let lifetime = Duration::from_millis(100);
    let daemon = Daemon::start(Bounds { lifetime, request_timeout: Duration::from_secs(3_600), ..Bounds::default() });
    let mut stream = connect(daemon.server.local_addr());
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the server ends the connection");
    assert!(text.starts_with("HTTP/1.1 503") && text.ends_with("}\n"), "{text}");
}

#[test]
fn stopping_closes_kept_connections_and_the_port() {
    let daemon = Daemon::start(Bounds::default());
    let address = daemon.server.local_addr();
    let mut reader = BufReader::new(connect(address));
    reader.get_mut().write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").expect("sent");
    let mut line = String::new();
    reader.read_line(&mut line).expect("an answer");
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable\r\n");
    daemon.server.stop();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("the rest, then the end");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn an_address_in_use_is_named_with_the_flag() {
    let daemon = Daemon::start(Bounds::default());
    let address = daemon.server.local_addr().to_string();
    let error = listen(&address, Bounds::default(), &daemon.state).expect_err("taken").to_string();
    assert!(error.contains(&address) && error.contains("in use") && error.contains("--admin-listen"), "{error}");
    let error = listen("192.0.2.1:0", Bounds::default(), &daemon.state).expect_err("not ours").to_string();
    assert!(error.contains("192.0.2.1") && error.contains("--admin-listen"), "{error}");
}
