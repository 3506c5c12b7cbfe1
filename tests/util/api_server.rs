//! A Kubernetes API server that a test plays: two kinds over real TLS, with pages, watches and bookmarks, and faults on request.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses its own part of this module")]

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The server, with the files by which a client knows it and is known.
pub struct ApiServer {
    pub port: u16,
    folder: TempDir,
    shared: Arc<Shared>,
}

/// What the server does in place of an answer, once.
#[derive(Clone, Debug)]
pub enum Misstep {
    /// This status.
    Status(u16),
    /// Something that is no JSON.
    Garbage,
    /// JSON of another shape.
    Misshapen,
    /// No answer at all.
    Silence,
    /// The beginning of an answer, then nothing.
    Stall,
    /// The beginning of an answer, then the end of the connection.
    Tear,
    /// More than anybody can want.
    Flood,
    /// A line that tells of an error with this code.
    ErrorLine(u16),
}

struct Shared {
    world: Mutex<World>,
    changed: Condvar,
    open: AtomicBool,
}

#[derive(Default)]
struct World {
    token: String,
    version: u64,
    /// By kind, namespace and name.
    objects: BTreeMap<(String, String, String), Value>,
    /// What happened: version, kind, line.
    log: Vec<(u64, String, String)>,
    /// Watches from before this version are refused.
    forgotten: u64,
    /// Watches end when this grows.
    cut: u64,
    missteps: VecDeque<(&'static str, bool, Misstep)>,
    requests: Vec<String>,
}

impl ApiServer {
    /// A server on a port of 127.0.0.1 in the calling thread's network.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .expect("a certificate");
        fs::write(folder.path().join("ca.crt"), certificate.pem()).expect("a file");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
            )
            .expect("a configuration");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let world = World { version: 1, ..World::default() };
        let shared =
            Arc::new(Shared { world: Mutex::new(world), changed: Condvar::new(), open: AtomicBool::new(true) });
        let server = Self { port, folder, shared: Arc::clone(&shared) };
        server.renew_token("first");
        let config = Arc::new(config);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if !shared.open.load(Ordering::Relaxed) {
                    break;
                }
                let (shared, config) = (Arc::clone(&shared), Arc::clone(&config));
                thread::spawn(move || {
                    let tls = ServerConnection::new(config).expect("a configuration that holds");
                    // Clients go away as they please.
                    drop(shared.serve(StreamOwned::new(tls, stream)));
                });
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    pub fn token_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Another token, put in place as a kubelet does: a link to a link to a folder is turned.
    pub fn renew_token(&self, token: &str) {
        let at = |name: &str| self.folder.path().join(name);
        let own = format!("..{token}");
        fs::create_dir_all(at(&own)).expect("a folder");
        fs::write(at(&own).join("token"), format!("{token}\n")).expect("a file");
        drop(fs::remove_file(at("..turning")));
        std::os::unix::fs::symlink(&own, at("..turning")).expect("a link");
        fs::rename(at("..turning"), at("..data")).expect("turned");
        if !self.token_file().exists() {
            std::os::unix::fs::symlink("..data/token", self.token_file()).expect("a link");
        }
        self.world().token = token.to_owned();
    }

    /// Makes an object, or changes it.
    pub fn put(&self, kind: &str, mut object: Value) {
        let mut world = self.world();
        world.version += 1;
        object["metadata"]["resourceVersion"] = world.version.to_string().into();
        let key = key(kind, &object);
        let what = if world.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" };
        world.note(kind, what, &object);
        world.objects.insert(key, object);
        self.shared.changed.notify_all();
    }

    pub fn delete(&self, kind: &str, namespace: &str, name: &str) {
        let mut world = self.world();
        world.version += 1;
        let mut object =
            world.objects.remove(&(kind.to_owned(), namespace.to_owned(), name.to_owned())).expect("it is there");
        object["metadata"]["resourceVersion"] = world.version.to_string().into();
        world.note(kind, "DELETED", &object);
        self.shared.changed.notify_all();
    }

    /// Tells the watches of a kind how far they are.
    pub fn bookmark(&self, kind: &str) {
        let mut world = self.world();
        world.version += 1;
        let object =
            json!({"kind": "x", "metadata": {"resourceVersion": world.version.to_string(), "creationTimestamp": null}});
        world.note(kind, "BOOKMARK", &object);
        self.shared.changed.notify_all();
    }

    /// Ends all watches.
    pub fn cut(&self) {
        self.world().cut += 1;
        self.shared.changed.notify_all();
    }

    /// No watch may begin before this moment.
    pub fn forget(&self) {
        let mut world = self.world();
        world.forgotten = world.version;
    }

    /// The next list, or watch, of a kind gets this.
    pub fn misstep(&self, kind: &'static str, watch: bool, misstep: Misstep) {
        self.world().missteps.push_back((kind, watch, misstep));
    }

    pub fn missteps_waiting(&self) -> usize {
        self.world().missteps.len()
    }

    /// The requests so far, paths with queries.
    pub fn requests(&self) -> Vec<String> {
        self.world().requests.clone()
    }

    /// No connection is taken any more, and those that are there end.
    pub fn shut(&self) {
        self.shared.open.store(false, Ordering::Relaxed);
        self.cut();
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

impl World {
    fn note(&mut self, kind: &str, what: &str, object: &Value) {
        self.log.push((self.version, kind.to_owned(), format!("{}\n", json!({"type": what, "object": object}))));
    }
}

type Stream = StreamOwned<ServerConnection, TcpStream>;

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("not poisoned")
    }

    fn serve(&self, stream: Stream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while self.open.load(Ordering::Relaxed) {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line == "\r\n" {
                    break;
                }
                head.push(line.trim_end().to_owned());
            }
            self.answer(stream.get_mut(), &head)?;
        }
        Ok(())
    }

    fn answer(&self, stream: &mut Stream, head: &[String]) -> io::Result<()> {
        let path = head[0].split(' ').nth(1).expect("a path").to_owned();
        assert!(head[0].starts_with("GET "), "only GET: {head:?}");
        let (kind, query) =
            path.strip_prefix("/api/v1/").and_then(|rest| rest.split_once('?')).expect("a kind and a query");
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let is_watch = query.get("watch") == Some(&"true");
        // What is due and which cut was the last are looked at together: a watch that begins after a cut must not stand as if before it.
        let (misstep, cut) = {
            let mut world = self.world();
            world.requests.push(path.clone());
            let bearer = format!("authorization: bearer {}", world.token);
            if !head.iter().any(|line| line.eq_ignore_ascii_case(&bearer)) {
                drop(world);
                return whole(stream, 401, b"{}");
            }
            let due = world.missteps.iter().position(|(of, watch, _)| *of == kind && *watch == is_watch);
            (due.and_then(|due| world.missteps.remove(due)), world.cut)
        };
        match misstep {
            Some((_, _, misstep)) => self.err(stream, &misstep, is_watch),
            None if is_watch => self.watch(stream, kind, &query, cut),
            None => self.list(stream, kind, &query),
        }
    }

    fn list(&self, stream: &mut Stream, kind: &str, query: &BTreeMap<&str, &str>) -> io::Result<()> {
        let world = self.world();
        let of_kind: Vec<&Value> =
            world.objects.iter().filter(|((of, _, _), _)| of == kind).map(|(_, one)| one).collect();
        let limit: usize = query["limit"].parse().expect("a number");
        let from: usize =
            query.get("continue").map_or(0, |next| next.trim_start_matches("from%3D").parse().expect("ours"));
        let items: Vec<_> = of_kind.iter().skip(from).take(limit).collect();
        let next =
            if from + items.len() < of_kind.len() { format!("from={}", from + items.len()) } else { String::new() };
        let items = if items.is_empty() { Value::Null } else { json!(items) };
        let page = json!({"kind": "List", "metadata": {"resourceVersion": world.version.to_string(), "continue": next}, "items": items});
        drop(world);
        whole(stream, 200, page.to_string().as_bytes())
    }

    /// Changes from a version on, until the next cut after the one given.
    fn watch(&self, stream: &mut Stream, kind: &str, query: &BTreeMap<&str, &str>, cut: u64) -> io::Result<()> {
        let mut version: u64 = query["resourceVersion"].parse().expect("a version");
        let mut world = self.world();
        if version < world.forgotten {
            drop(world);
            return whole(stream, 410, b"{}");
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        stream.flush()?;
        loop {
            let news: Vec<_> = world.log.iter().filter(|(at, of, _)| *at > version && of == kind).cloned().collect();
            if !news.is_empty() {
                drop(world);
                for (at, _, line) in news {
                    version = at;
                    // Torn where it hurts: a line in two chunks.
                    let (a, b) = line.split_at(line.len() / 2);
                    chunk(stream, a.as_bytes())?;
                    chunk(stream, b.as_bytes())?;
                }
                world = self.world();
            } else if world.cut != cut {
                drop(world);
                return chunk(stream, b"");
            } else {
                world = self.changed.wait_timeout(world, Duration::from_secs(60)).expect("not poisoned").0;
            }
        }
    }

    fn err(&self, stream: &mut Stream, misstep: &Misstep, is_watch: bool) -> io::Result<()> {
        let gone = || Err(io::Error::from(io::ErrorKind::ConnectionAborted));
        match misstep {
            Misstep::Status(code) => return whole(stream, *code, b"{\"kind\":\"Status\"}"),
            Misstep::Garbage => return whole(stream, 200, b"<html>not found</html>\n"),
            Misstep::Misshapen => {
                return whole(stream, 200, b"{\"type\":\"ADDED\",\"object\":{\"metadata\":[]},\"items\":7}\n");
            }
            Misstep::Silence => drop(stream.read(&mut [0; 1])),
            Misstep::Stall => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{{\"metadata\":")?;
                stream.flush()?;
                // The client has to end it.
                drop(stream.read(&mut [0; 1]));
            }
            Misstep::Tear => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{{\"metadata\":")?;
                stream.flush()?;
            }
            Misstep::Flood => {
                write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
                let megabyte = vec![b' '; 1 << 20];
                // Without an end but the client's.
                for _ in 0..if is_watch { 64 } else { 256 } {
                    chunk(stream, &megabyte)?;
                }
            }
            Misstep::ErrorLine(code) => {
                let line = json!({"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "x"}});
                return whole(stream, 200, format!("{line}\n").as_bytes());
            }
        }
        gone()
    }
}

fn key(kind: &str, object: &Value) -> (String, String, String) {
    let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    (kind.to_owned(), text("namespace"), text("name"))
}

fn whole(stream: &mut Stream, status: u16, body: &[u8]) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    stream.flush()
}

fn chunk(stream: &mut Stream, piece: &[u8]) -> io::Result<()> {
    write!(stream, "{:x}\r\n", piece.len())?;
    stream.write_all(piece)?;
    stream.write_all(b"\r\n")?;
    stream.flush()
}

/// A pod as an API server writes it, with much that nobody here needs.
pub fn pod(namespace: &str, name: &str, node: &str, ip: &str) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": name, "namespace": namespace, "uid": format!("{namespace}/{name}/{ip}"), "creationTimestamp": "2026-01-31T12:00:05Z",
            "labels": {"app": "web", "tier": "front", "pod-template-hash": "6b9f"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6b9f", "uid": "u", "controller": true}],
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"k:{\"type\":\"Ready\"}": {".": {}}}}}],
        },
        "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i", "env": [{"name": "SECRET", "value": "s"}]}]},
        "status": {"phase": "Running", "hostIP": "192.0.2.1", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [{"type": "Ready"}]},
    })
}

pub fn service(namespace: &str, name: &str, ip: &str) -> Value {
    json!({
        "kind": "Service", "metadata": {"name": name, "namespace": namespace, "uid": name},
        "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": 80}], "selector": {"app": "web"}},
        "status": {"loadBalancer": {}},
    })
}
