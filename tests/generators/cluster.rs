//! The demo's small cluster: five minutes on one node, as a capture on the pods' side of it would show them.
//!
//! Everyday traffic first (name lookups, the kubelet's probes, metric scrapes, requests between services, a database
//! session, an API watch, pings, some of it on IPv6), then a pod that was taken over looks around: a port
//! sweep, then a list of paths tried against one web application.
//! Shapes (packets in each direction, sizes, gaps) follow what such traffic looks like in clusters; no packet is
//! copied from a capture.

#[path = "cluster/dns.rs"]
mod dns;

use crate::util::capture_file::Pcap;
use crate::util::traffic::{Link, Pace, Side, Traffic};

/// The capture: classic pcap, Ethernet, whole frames.
pub(crate) fn capture() -> Vec<u8> {
    let mut t = Traffic::new(SEED);
    neighbours(&mut t);
    probes(&mut t);
    scrapes(&mut t);
    shop(&mut t);
    database(&mut t);
    api_watch(&mut t);
    pings(&mut t);
    sweep(&mut t);
    enumeration(&mut t);
    Pcap::default().write(&t.frames(Link::Ethernet))
}

/// Address resolution, which is no IP and is counted as such.
fn neighbours(t: &mut Traffic) {
    for (at, host) in [(0.2, 21_u8), (0.9, 22), (31.4, 30), (177.8, 66)] {
        let request = [
            &[0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0x42, 10, 244, 1, host, 10, 244, 1, host][..],
            &[0, 0, 0, 0, 0, 0, 10, 244, 1, 1],
        ];
        t.raw(at, 0x0806, &request.concat());
    }
}

/// The kubelet asks each pod whether it lives and is ready: one short connection each time.
fn probes(t: &mut Traffic) {
    for (pod, port, path, every, first) in [
        (DNS_POD, 8080, "/alive", 10, 3.1),
        (DNS_POD, 8181, "/ready", 10, 7.6),
        ("10.244.1.21", 8080, "/live", 10, 1.3),
        ("10.244.1.22", 8080, "/live", 10, 5.8),
        ("10.244.1.23", 8181, "/up", 10, 8.9),
        ("fd00:10:244:1::24", 8080, "/healthz", 20, 4.4),
    ] {
        let node = if pod.contains("::") { "fd00:10:244:1::1" } else { NODE };
        for round in 0..LENGTH / every {
            let at = first + f64::from(round * every) + jitter(t, 4_000);
            let host = if pod.contains("::") { format!("[{pod}]") } else { pod.to_owned() };
            let ask = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            );
            let client_port = ephemeral(t);
            t.tcp((node, client_port), (pod, port))
                .at(at)
                .opening_windows(65_280, 64_704)
                .say(Side::Client, ask.as_bytes())
                .say(Side::Server, OK_PLAIN.as_bytes())
                .close_by(Side::Server);
        }
    }
}

/// The metrics collector reads each target: a short request, a few kilobytes back.
fn scrapes(t: &mut Traffic) {
    for (target, first) in [("10.244.1.21", 11.2), ("10.244.1.22", 12.7), (DNS_POD, 14.9)] {
        for round in 0..10 {
            let at = first + f64::from(round) * 30.0 + jitter(t, 2_000);
            let ask = format!(
                "GET /metrics HTTP/1.1\r\nHost: {target}:7472\r\nUser-Agent: collector/2\r\nConnection: close\r\n\r\n"
            );
            let (head, body) = metrics_page(t);
            let client_port = ephemeral(t);
            t.tcp(("10.244.1.40", client_port), (target, 7472))
                .at(at)
                .segment_size(65_000)
                .say(Side::Client, ask.as_bytes())
                .say(Side::Server, head.as_bytes())
                .say(Side::Server, body.as_bytes())
                .close_by(Side::Server);
        }
    }
}

/// The web front looks up and calls the cart (a connection that is kept) and the catalogue (one call each).
fn shop(t: &mut Traffic) {
    for round in 0..20 {
        let at = 4.0 + f64::from(round) * 14.3 + jitter(t, 900_000);
        lookup(t, at, "10.244.1.21", "catalog.shop.svc.cluster.local", [10, 96, 20, 9]);
        let item = t.random().between(100, 999);
        let ask = format!(
            "GET /items/{item} HTTP/1.1\r\nHost: catalog.shop\r\nUser-Agent: front/3\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        let body = format!("{{\"id\":{item},\"stock\":{}}}", item % 17);
        let client_port = ephemeral(t);
        t.tcp(("10.244.1.21", client_port), "10.96.20.9:80")
            .at(at + 0.004)
            .say(Side::Client, ask.as_bytes())
            .say(Side::Server, ok_json(&body).as_bytes())
            .close_by(Side::Server);
    }
    lookup(t, 6.0, "10.244.1.21", "cart.shop.svc.cluster.local", [10, 96, 20, 8]);
    lookup(t, 9.5, "10.244.1.22", "db.shop.svc.cluster.local", [10, 96, 30, 4]);
    lookup(t, 150.2, "10.244.1.40", "collector.monitoring.svc.cluster.local", [10, 96, 40, 2]);
    let think: Vec<f64> = (0..52).map(|_| 4.0 + jitter(t, 1_500_000)).collect();
    let mut cart = t.tcp("10.244.1.21:41218", "10.96.20.8:80");
    cart.at(6.01).pace(Pace::CLUSTER);
    for (round, pause) in think.into_iter().enumerate() {
        let ask = format!("GET /carts/{} HTTP/1.1\r\nHost: cart\r\nConnection: keep-alive\r\n\r\n", 7_000 + round * 31);
        let body = format!("{{\"cart\":{},\"lines\":[{}]}}", 7_000 + round * 31, round % 5);
        cart.say(Side::Client, ask.as_bytes()).say(Side::Server, ok_json(&body).as_bytes()).wait(pause);
    }
    cart.close();
}

/// The cart's database session: a startup exchange, then small queries and answers for four minutes.
fn database(t: &mut Traffic) {
    let pauses: Vec<f64> = (0..150).map(|_| 0.9 + jitter(t, 1_100_000)).collect();
    let mut session = t.tcp("10.244.1.22:38814", "10.96.30.4:5432");
    session.at(9.52).pace(Pace::CLUSTER);
    session.say(Side::Client, b"\0\0\0\x2a\0\x03\0\0user\0cart\0database\0cart\0client\0\0");
    session.say(Side::Server, b"R\0\0\0\x08\0\0\0\0S\0\0\0\x16server_version\x0016\0Z\0\0\0\x05I");
    for (round, pause) in pauses.into_iter().enumerate() {
        session.wait(pause);
        let query = format!("Q\0\0\0\x40SELECT item, amount FROM lines WHERE cart = {}\0", 7_000 + round * 31);
        let rows: String =
            (0..=round % 6).map(|row| format!("D\0\0\0\x16\0\x02\0\0\0\x04{row:04}\0\0\0\x02{row:02}")).collect();
        session.say(Side::Client, query.as_bytes());
        session.say(Side::Server, format!("{rows}C\0\0\0\x0dSELECT {}\0Z\0\0\0\x05I", round % 6 + 1).as_bytes());
    }
    session.say(Side::Client, b"X\0\0\0\x04").close();
}

/// A watch on the API server, open long before the capture and long after it: small pushes now and then.
fn api_watch(t: &mut Traffic) {
    let pauses: Vec<f64> = (0..22).map(|_| 10.0 + jitter(t, 3_000_000)).collect();
    let mut watch = t.tcp(("10.244.1.2", 52_344), ("192.168.50.10", 6443));
    watch.at(2.5).pace(Pace::CLUSTER).midstream();
    for (round, pause) in pauses.into_iter().enumerate() {
        watch.say(Side::Server, &vec![0x17; [38, 59, 94][round % 3]]);
        if round % 3 == 0 {
            watch.say(Side::Client, &[0x17; 35]);
        }
        watch.wait(pause);
    }
}

/// The node checks that pods answer.
fn pings(t: &mut Traffic) {
    t.echo(NODE, "10.244.1.21").at(40.0).times(3);
    t.echo(NODE, "10.244.2.7").at(95.0).pace(Pace::CLUSTER).times(3);
    t.echo("fd00:10:244:1::1", "fd00:10:244:1::24").at(120.0).times(3);
}

/// The intruder tries well-known ports of two pods.
fn sweep(t: &mut Traffic) {
    let first: Vec<u16> =
        (1..=1024).step_by(9).chain([1880, 2375, 3000, 5432, 6379, 8080, 8443, 9090, 10250]).collect();
    t.sweep(INTRUDER, "10.244.1.30").at(180.0).open(&[1880]).ports(first);
    t.sweep(INTRUDER, "10.244.1.22").at(183.0).open(&[8080]).ports([22, 80, 443, 1880, 3000, 5432, 6379, 8080, 9090]);
}

/// The intruder found an application and tries a list of paths against it, a connection for each.
fn enumeration(t: &mut Traffic) {
    let mut at = 190.0;
    for attempt in 0..140 {
        let word = WORDS[attempt % WORDS.len()];
        let path = match attempt / WORDS.len() {
            0 => format!("/{word}"),
            1 => format!("/{word}/"),
            2 => format!("/api/{word}"),
            3 => format!("/{word}.json"),
            _ => format!("/admin/{word}"),
        };
        let ask = format!(
            "GET {path} HTTP/1.1\r\nHost: 10.244.1.30:1880\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 \
             (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,\
             */*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nUpgrade-Insecure-Requests: 1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        );
        let client_port = ephemeral(t);
        let quick = Pace { same: (2, 5), turn: (8, 40), think: (250, 700) };
        t.tcp((INTRUDER, client_port), ("10.244.1.30", 1880))
            .at(at)
            .pace(quick)
            .say(Side::Client, ask.as_bytes())
            .say(Side::Server, not_found(&path).as_bytes())
            .close();
        at += 0.03 + jitter(t, 60_000);
    }
}

/// Both address families are asked for, as a resolver library does; the second is not there.
fn lookup(t: &mut Traffic, at: f64, pod: &str, name: &str, found: [u8; 4]) {
    let (client_port, id) = (ephemeral(t), t.random().between(1, 65_535));
    let id = u16::try_from(id).expect("16 bits");
    let mut exchange = t.udp((pod, client_port), ("10.96.0.10", 53));
    exchange.at(at).pace(Pace { same: (20, 60), turn: (20, 60), think: (250, 700) });
    exchange.ask(&dns::query(id, name, dns::A)).answer(&dns::answer(id, name, Some(found)));
    let client_port = ephemeral(t);
    let mut exchange = t.udp((pod, client_port), ("10.96.0.10", 53));
    exchange.at(at + 0.000_03).pace(Pace { same: (20, 60), turn: (20, 60), think: (250, 700) });
    exchange.ask(&dns::query(id ^ 1, name, dns::AAAA)).answer(&dns::answer(id ^ 1, name, None));
}

fn ok_json(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 15 Jan 2026 09:00:00 GMT\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn not_found(path: &str) -> String {
    let body = format!(
        "<!DOCTYPE html>\n<html>\n<head><title>Not found</title></head>\n<body><h1>Not found</h1>\n<p>Nothing answers {path} here.</p></body>\n</html>\n"
    );
    format!(
        "HTTP/1.1 404 Not Found\r\nContent-Security-Policy: default-src 'none'\r\nX-Content-Type-Options: nosniff\r\nX-Powered-By: flows\r\n\
         Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nDate: Thu, 15 Jan 2026 09:03:10 GMT\r\n\
         Access-Control-Allow-Origin: *\r\nVary: Origin\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// A metrics page in two writes: a full buffer of the server's, then the rest.
fn metrics_page(t: &mut Traffic) -> (String, String) {
    let mut body = String::new();
    while body.len() < 7_150 {
        let bucket = body.len() / 60;
        body.push_str(&format!(
            "http_requests_total{{code=\"200\",bucket=\"{bucket}\"}} {}\n",
            t.random().between(1, 99)
        ));
    }
    let mut page = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let rest = page.split_off(4_096);
    (page, rest)
}

fn ephemeral(t: &mut Traffic) -> u16 {
    u16::try_from(t.random().between(32_768, 60_999)).expect("a port")
}

/// Up to that many µs, in seconds.
fn jitter(t: &mut Traffic, micros: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few seconds in µs")]
    let seconds = t.random().between(0, micros) as f64 / 1e6;
    seconds
}

const OK_PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Thu, 15 Jan 2026 09:00:00 GMT\r\n\
                        Content-Length: 2\r\nConnection: close\r\n\r\nOK";

const WORDS: [&str; 30] = [
    "admin", "login", "config", "settings", "flows", "nodes", "ui", "red", "icons", "auth", "token", "users", "backup",
    "debug", "status", "metrics", "health", "env", "git", "svn", "old", "test", "dev", "upload", "files", "shell",
    "cgi-bin", "console", "graphql", "swagger",
];

/// Any number: it fixes ports, gaps and sequence numbers.
const SEED: u64 = 20_260_115;
/// Seconds of everyday traffic.
const LENGTH: i32 = 300;
/// The node's address on the pod network, from which the kubelet probes.
const NODE: &str = "10.244.1.1";
/// The name server's pod; its service is 10.96.0.10.
const DNS_POD: &str = "10.244.1.2";
/// The pod that was taken over.
const INTRUDER: &str = "10.244.1.66";
