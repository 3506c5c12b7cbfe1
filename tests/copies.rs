//! Double observation from outside: what two pods say to each other counts once, at whatever places of the node it is captured.

#[path = "util/daemon.rs"]
mod daemon;
mod util;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::Duration;

use daemon::{Daemon, Ended};
use serde_json::Value;
use tempfile::TempDir;
use util::netns::{End, Namespace};

/// A node with a bridge, and two pods at it.
struct Node {
    node: End,
    one: Namespace,
    two: Namespace,
}

impl Node {
    fn new() -> Option<Self> {
        let namespace = Namespace::new("node")?;
        let (one, two) = (Namespace::new("one")?, Namespace::new("two")?);
        namespace.ip(&["link", "add", "cni0", "type", "bridge"]);
        for (link, pod, address) in [("veth1", &one, "10.244.1.11/24"), ("veth2", &two, "10.244.1.12/24")] {
            namespace.veth(link, pod, "eth0");
            namespace.ip(&["link", "set", link, "master", "cni0", "up"]);
            pod.ip(&["addr", "add", address, "dev", "eth0"]);
            pod.ip(&["link", "set", "eth0", "up"]);
        }
        namespace.ip(&["link", "set", "cni0", "up"]);
        // With an address of its own, as a node's bridge has: its ARP is no concern of the filter.
        namespace.ip(&["addr", "add", "10.244.1.1/24", "dev", "cni0"]);
        Some(Self { node: End { namespace, interface: "cni0".to_owned() }, one, two })
    }

    fn daemon(&self, folder: &Path, interfaces: &str, more: &[&str]) -> Daemon {
        let mut command = self.node.command(env!("CARGO_BIN_EXE_flowshrike"));
        command.args(["run", "--interface", interfaces, "--listen", "127.0.0.1:0", "--filter", "port 9999"]);
        command.args(["--flows", &path(folder, "flows.jsonl"), "--summary", &path(folder, "summary.json")]).args(more);
        Daemon::spawn(&self.node, command)
    }

    /// Sends equal datagrams, which the kernel gives the same identification; then different ones; then a stream.
    fn talk(&self) {
        let (one, two) = (&self.one, &self.two);
        let receiver = two.enter(|| UdpSocket::bind("10.244.1.12:9999").expect("an address"));
        receiver.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut buffer = [0; 2_048];
        one.enter(|| {
            for port in [4001, 4002] {
                let sender = UdpSocket::bind(("10.244.1.11", port)).expect("an address");
                for n in 0..DATAGRAMS {
                    let said =
                        if port == 4001 { b"the same again and again".to_vec() } else { n.to_be_bytes().repeat(20) };
                    sender.send_to(&said, "10.244.1.12:9999").expect("a datagram");
                    // Taken at once: the kernel keeps only so many.
                    assert_eq!(receiver.recv(&mut buffer).expect("it comes"), said.len());
                }
            }
        });
        let listener = two.enter(|| TcpListener::bind("10.244.1.12:9999").expect("an address"));
        let taken = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut said = Vec::new();
            stream.read_to_end(&mut said).expect("a stream");
            said.len()
        });
        one.enter(|| {
            let mut stream = TcpStream::connect("10.244.1.12:9999").expect("a connection");
            stream.write_all(&vec![7; STREAM]).expect("a stream");
        });
        assert_eq!(taken.join().expect("it ends"), STREAM);
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

/// What the daemon counted of all that was said: the summary, and each flow by its client's port.
fn counted(folder: &Path, ended: &Ended) -> (Value, Vec<Value>) {
    assert!(ended.status.success(), "{}", ended.log);
    let summary = std::fs::read(folder.join("summary.json")).expect("a summary");
    let flows = std::fs::read_to_string(folder.join("flows.jsonl")).expect("flows");
    let flows: Vec<Value> = flows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    (serde_json::from_slice(&summary).expect("JSON"), flows)
}

#[test]
fn what_pods_say_counts_once_wherever_it_is_captured() {
    let Some(node) = Node::new() else { return };
    for (interfaces, more, places) in [
        ("cni0", &["--promiscuous"][..], 1),
        ("veth1,veth2", &[], 2),
        ("veth1,veth2", &["--workers", "2"], 2),
        ("any", &[], 2),
        ("any", &["--workers", "2"], 2),
        // Each on its own and on `any`, where the bridge shows them too once it is promiscuous.
        ("veth1,veth2,cni0,any", &["--promiscuous"], 6),
        ("veth1,cni0,any", &["--promiscuous", "--workers", "2"], 5),
    ] {
        let what = format!("{interfaces} {more:?}");
        let folder = TempDir::new().expect("a folder");
        let mut daemon = node.daemon(folder.path(), interfaces, more);
        node.talk();
        let metric = |daemon: &Daemon, name: &str| daemon.metric(&node.node, name);
        // All that comes at the last place has come: as much as at the first.
        let expected = |daemon: &Daemon| {
            let received = metric(daemon, "flowshrike_packets_received_total");
            let copies = metric(daemon, "flowshrike_packets_copies_total");
            received > 0.0 && received == f64::from(places) * (received - copies)
        };
        daemon.until(&format!("copies are told on {what}"), |daemon| expected(daemon));
        assert_eq!(metric(&daemon, "flowshrike_packets_copies_forgotten_total"), 0.0);
        let ended = daemon.stop("TERM");
        let (summary, flows) = counted(folder.path(), &ended);
        let number = |value: &Value| value.as_u64().expect("a count");
        let (received, copies) = (number(&summary["packets"]["received"]), number(&summary["packets"]["copies"]));
        assert_eq!(received, places as u64 * (received - copies), "{what}: {summary}");
        assert_eq!(flows.len(), 3, "{what}: {flows:#?}");
        let mut packets = 0;
        for flow in &flows {
            let forward = number(&flow["total_fwd_packet"]);
            packets += forward + number(&flow["total_bwd_packets"]);
            match flow["src_port"].as_u64() {
                Some(4001 | 4002) => assert_eq!(forward, u64::from(DATAGRAMS), "{what}: {flow}"),
                _ => assert_eq!(flow["total_length_of_fwd_packet"].as_f64(), Some(STREAM as f64), "{what}: {flow}"),
            }
        }
        assert_eq!(packets, received - copies, "{what}: each packet is in a flow");
    }
}

#[test]
fn copies_count_where_they_are_asked_for() {
    let Some(node) = Node::new() else { return };
    let folder = TempDir::new().expect("a folder");
    let config = folder.path().join("config.yaml");
    std::fs::write(&config, "capture: {deduplicate: false}\n").expect("a file");
    let mut daemon = node.daemon(folder.path(), "veth1,veth2", &["--config", &config.to_string_lossy()]);
    node.talk();
    daemon.until("both links have shown the datagrams", |daemon| {
        daemon.metric(&node.node, "flowshrike_packets_received_total") >= f64::from(4 * DATAGRAMS)
    });
    let ended = daemon.stop("TERM");
    let (summary, flows) = counted(folder.path(), &ended);
    assert_eq!(summary["packets"]["copies"], 0);
    let same = flows.iter().find(|flow| flow["src_port"] == 4001).expect("the datagrams");
    assert_eq!(same["total_fwd_packet"].as_u64(), Some(u64::from(2 * DATAGRAMS)), "{same}");
}

/// Datagrams of each kind.
const DATAGRAMS: u16 = 200;
/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes of the stream.
const STREAM: usize = 300_000;
