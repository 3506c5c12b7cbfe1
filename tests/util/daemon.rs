//! A `flowshrike run` that a test started: its log, its admin server, its end.

#![allow(dead_code, unreachable_pub, reason = "each test crate uses its own part of this module")]
#![expect(clippy::disallowed_methods, reason = "patience is measured by the clock")]

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::util::netns::End;

pub struct Daemon {
    child: Child,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
    pub admin: SocketAddr,
}

/// How a daemon ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub log: String,
    pub took: Duration,
}

impl Daemon {
    /// Starts `flowshrike run` in the namespace of this end, on its interface, and waits until it is ready.
    pub fn start(end: &End, arguments: &[&str]) -> Self {
        let mut command = end.command(env!("CARGO_BIN_EXE_flowshrike"));
        command.args(["run", "--interface", &end.interface, "--listen", "127.0.0.1:0"]).args(arguments);
        Self::spawn(end, command)
    }

    pub fn spawn(end: &End, mut command: Command) -> Self {
        let mut child = command
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let reading = {
            let log = Arc::clone(&log);
            thread::spawn(move || {
                for line in stderr.lines().map_while(Result::ok) {
                    let mut log = log.lock().expect("not poisoned");
                    log.push_str(&line);
                    log.push('\n');
                }
            })
        };
        let mut daemon = Self { child, log, reading: Some(reading), admin: SocketAddr::from(([127, 0, 0, 1], 0)) };
        daemon.until("it says where its metrics are", |daemon| {
            let log = daemon.log();
            let address = log.split("metrics on http://").nth(1).and_then(|rest| rest.split('/').next());
            address.and_then(|address| address.parse().ok()).map(|address| daemon.admin = address).is_some()
        });
        daemon.until("it is ready", |daemon| daemon.get(end, "/readyz").0 == 200);
        daemon
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    /// Status and body of a request to its admin server.
    pub fn get(&self, end: &End, path: &str) -> (u16, String) {
        let admin = self.admin;
        end.enter(move || {
            let mut stream = TcpStream::connect(admin).expect("the admin server listens");
            let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("a request");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            (status, body.to_owned())
        })
    }

    /// The sum of a metric's series whose line begins so; 0 where there is none.
    pub fn metric(&self, end: &End, begins: &str) -> f64 {
        let (_, body) = self.get(end, "/metrics");
        body.lines()
            .filter(|line| line.starts_with(begins) && !line.starts_with('#'))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Waits for an event that must come; fails with the log if it does not, or if the daemon ends.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "ended ({ended:?}) before {what}:\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self, signal: &str) -> Ended {
        let began = Instant::now();
        self.signal(signal);
        self.wait(began)
    }

    /// As [`Daemon::stop`], but nobody reads its stdout before it has ended.
    pub fn stop_unread(mut self, signal: &str) -> Ended {
        let began = Instant::now();
        self.signal(signal);
        self.child.wait().expect("a child");
        let took = began.elapsed();
        Ended { took, ..self.wait(began) }
    }

    /// Waits until it has ended.
    pub fn wait(&mut self, began: Instant) -> Ended {
        let mut stdout = String::new();
        self.child.stdout.take().expect("a pipe").read_to_string(&mut stdout).expect("UTF-8");
        let status = self.child.wait().expect("a child");
        let took = began.elapsed();
        if let Some(reading) = self.reading.take() {
            reading.join().expect("the log is read");
        }
        Ended { status, stdout, log: self.log(), took }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Longer than anything that is waited for takes, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
