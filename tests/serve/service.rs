//! A `flowshrike serve` that a test started, and requests to it over real connections.

#![expect(clippy::disallowed_methods, reason = "patience is measured by the clock")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) struct Service {
    child: Child,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
    pub(crate) address: SocketAddr,
}

/// An answer, with the names of its head in lower case.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Service {
    /// Starts the service on a free port and waits until it says which.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flowshrike"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = Arc::new(Mutex::new(String::new()));
        let (told, hears) = std::sync::mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let reading = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for line in stderr.lines().map_while(Result::ok) {
                    if let Some(rest) = line.split("serving on http://").nth(1) {
                        told.send(rest.trim_end_matches('/').parse().expect("an address")).ok();
                    }
                    let mut log = log.lock().expect("not poisoned");
                    log.push_str(&line);
                    log.push('\n');
                }
            })
        };
        let address = hears.recv_timeout(PATIENCE);
        let mut service = Self { child, log, reading: Some(reading), address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        service.address = address.unwrap_or_else(|error| panic!("{error}: {}", service.log()));
        service
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", path, &[], body.as_ref())
    }

    /// The answer to a flow or a list of flows, which must be a success.
    pub(crate) fn predict(&self, body: &Value) -> Value {
        let answer = self.post("/predict", body.to_string());
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.head.contains("content-type: application/json"), "{answer:?}");
        answer.json()
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
        let length = body.len();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        let mut stream = self.connect();
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("sent");
        answer(stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the service listens");
        // Not a measure: a service that never answers fails the test instead of hanging it.
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// The model's card.
    pub(crate) fn model(&self) -> Value {
        self.get("/model").json()
    }

    /// The value of the series whose line begins so; 0 where there is none.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").text();
        let of = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        text.lines().find_map(of).unwrap_or(0.0)
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Waits until it has ended; gives its log too.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("a child");
        if let Some(reading) = self.reading.take() {
            reading.join().expect("the log is read");
        }
        (status, self.log())
    }

    /// Waits for something that must come.
    pub(crate) fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads an answer to the end of its connection.
pub(crate) fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer, then the end");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Kind and place of each problem of a 422.
    pub(crate) fn problems(&self) -> Vec<(String, Value)> {
        assert_eq!(self.status, 422, "{}", self.text());
        let body = self.json();
        let problems = body["detail"].as_array().unwrap_or_else(|| panic!("no list of problems: {body}"));
        let kind = |problem: &Value| {
            assert!(problem["msg"].as_str().is_some_and(|msg| !msg.is_empty()), "{problem}");
            problem["type"].as_str().expect("a kind").to_owned()
        };
        problems.iter().map(|problem| (kind(problem), problem["loc"].clone())).collect()
    }
}

/// Longer than anything that is waited for takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
