//! A network of the test's own: namespaces joined by veth pairs, quiet but for what the test sends.
//!
//! Everything is removed on drop, a panic included; what a killed test left behind is removed by the next.
//! Used by the tests that capture live:
//! ```ignore
//! let Some(bed) = VethPair::new("counts") else { return }; // the reason has been printed
//! let capture = bed.right.enter(|| LiveCapture::open(LiveSettings::new(&bed.right.interface)));
//! bed.left.replay_file(Path::new("trace.pcap"), 50_000);
//! bed.right.command("tcpdump").args(["-i", &bed.right.interface, "-w", "out.pcap"]).spawn();
//! ```

#![allow(dead_code, unreachable_pub, reason = "a module of several test binaries, each of which uses a part of it")]
#![expect(clippy::disallowed_methods, reason = "pacing and patience are measured by the clock")]

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::skip;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Two namespaces, each with one end of a veth pair. No address is configured, so that no stack answers: what goes
/// in at one end comes out at the other and nothing else does.
pub struct VethPair {
    pub left: End,
    pub right: End,
}

/// A namespace and the interface in it that the test is about.
pub struct End {
    pub namespace: Namespace,
    pub interface: String,
}

impl VethPair {
    /// None, with the reason printed, where namespaces cannot be made. `label` shows in error messages.
    pub fn new(label: &str) -> Option<Self> {
        let left = Namespace::new(&format!("{label}-l"))?;
        let right = Namespace::new(&format!("{label}-r"))?;
        left.veth("left0", &right, "right0");
        let pair = Self {
            left: End { namespace: left, interface: "left0".to_owned() },
            right: End { namespace: right, interface: "right0".to_owned() },
        };
        for end in [&pair.left, &pair.right] {
            end.namespace.link_up(&end.interface);
        }
        Some(pair)
    }

    /// Gives both ends an IPv4 address (10.99.0.1 and 10.99.0.2) so that programs can talk over the pair.
    pub fn with_addresses(self) -> Self {
        for (end, address) in [(&self.left, LEFT_ADDRESS), (&self.right, RIGHT_ADDRESS)] {
            end.namespace.ip(&["link", "set", &end.interface, "arp", "on"]);
            end.namespace.ip(&["address", "add", &format!("{address}/24"), "dev", &end.interface]);
        }
        self
    }
}

impl End {
    /// A command that runs in this namespace.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.namespace.command(program)
    }

    /// Runs a closure on a thread of its own inside this namespace; sockets opened there stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.enter(work)
    }

    /// A sender of raw frames out of this end.
    pub fn sender(&self) -> Sender {
        self.namespace.sender(&self.interface)
    }

    /// Sends every frame of a capture file out of this end, at most `pps` a second (0: as fast as it goes).
    /// Returns the number of frames sent.
    pub fn replay_file(&self, path: &Path, pps: u32) -> u64 {
        let mut file = pcap::Capture::from_file(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut sender = self.sender();
        let began = Instant::now();
        let mut sent = 0_u64;
        while let Ok(packet) = file.next_packet() {
            if pps > 0 && sent.is_multiple_of(PACING_BATCH) {
                let due = Duration::from_secs_f64(sent as f64 / f64::from(pps));
                std::thread::sleep(due.saturating_sub(began.elapsed()));
            }
            sender.send(packet.data);
            sent += 1;
        }
        sent
    }
}

/// A network namespace of this test; deleted with all that is in it when it is dropped.
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// A new namespace with `lo` up, IPv6 off and nothing else. None, with the reason printed, where that cannot be.
    pub fn new(label: &str) -> Option<Self> {
        if let Err(reason) = possible() {
            skip::skipped(&reason);
            return None;
        }
        let name = format!("{PREFIX}{}-{}-{label}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = Command::new("ip").args(["netns", "add", &name]).output().expect("ip has just run");
        let error = String::from_utf8_lossy(&made.stderr);
        if error.contains("not permitted") || error.contains("denied") {
            skip::skipped(&format!("this root may not make network namespaces: {}", error.trim()));
            return None;
        }
        assert!(made.status.success(), "ip netns add {name}: {error}");
        let file = File::open(format!("/run/netns/{name}")).expect("it has just been made");
        let namespace = Self { name, file };
        // Without IPv6 there is no router solicitation, no duplicate address detection and no multicast report.
        for scope in ["all", "default"] {
            let knob = format!("net.ipv6.conf.{scope}.disable_ipv6=1");
            namespace.run("sysctl", &["-qw", &knob]);
        }
        namespace.ip(&["link", "set", "lo", "up"]);
        Some(namespace)
    }

    /// Its name, as `ip netns` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs inside.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::null());
        command
    }

    /// Runs a program inside to its end; fails the test if the program fails.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let output = self.command(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?} in {}: {error}", self.name);
        output
    }

    /// `ip` with these arguments, inside.
    pub fn ip(&self, arguments: &[&str]) {
        let output = Command::new("ip").args(["-n", &self.name]).args(arguments).output().expect("ip runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip -n {} {arguments:?}: {error}", self.name);
    }

    /// Runs a closure on a thread of its own inside the namespace; sockets opened there stay there.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            move_into_link_name_space(self.file.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns as root");
            work()
        };
        std::thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Makes a veth pair with one end here and the other there, both down.
    pub fn veth(&self, here: &str, other: &Self, there: &str) {
        self.ip(&["link", "add", here, "type", "veth", "peer", "name", there, "netns", &other.name]);
    }

    /// Switches an interface on, without ARP and without offloads (so that what is sent is what is captured).
    pub fn link_up(&self, interface: &str) {
        self.ip(&["link", "set", interface, "arp", "off"]);
        if let Ok(mut ethtool) = self
            .command("ethtool")
            .args(["-K", interface, "gro", "off", "gso", "off", "tso", "off", "tx", "off", "rx", "off"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
        {
            drop(ethtool.wait());
        }
        self.ip(&["link", "set", interface, "up"]);
    }

    /// A sender of raw frames out of an interface in here.
    pub fn sender(&self, interface: &str) -> Sender {
        let handle = self.enter(|| {
            let inactive = pcap::Capture::from_device(interface).expect("a name without zero bytes");
            // It sees nothing itself: a small ring and a filter that lets nothing in.
            let mut handle = inactive.snaplen(64).buffer_size(4_096).open().expect("the interface is up");
            handle.filter("less 0", true).expect("a valid filter");
            handle
        });
        Sender { handle }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&self.name);
    }
}

/// Sends raw frames.
pub struct Sender {
    handle: pcap::Capture<pcap::Active>,
}

impl Sender {
    /// Sends one frame; waits while the device's queue is full.
    pub fn send(&mut self, frame: &[u8]) {
        for _ in 0..MOST_TRIES {
            match self.handle.sendpacket(frame) {
                Ok(()) => return,
                Err(error) if error.to_string().contains("No buffer space") => std::thread::yield_now(),
                Err(error) => panic!("sending {} bytes: {error}", frame.len()),
            }
        }
        panic!("the device takes no frame");
    }
}

/// Awaits an event: asks until the answer is yes. Fails the test after half a minute, a bound that no working
/// machine meets.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether namespaces can be made here at all.
fn possible() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    Command::new("ip")
        .arg("-V")
        .output()
        .map_err(|error| format!("the program ip (iproute2) does not run: {error}"))?;
    static CLEANED: std::sync::Once = std::sync::Once::new();
    CLEANED.call_once(remove_leftovers);
    Ok(())
}

/// Namespaces of test processes that were killed.
fn remove_leftovers() {
    for entry in std::fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            delete(&name);
        }
    }
}

fn delete(name: &str) {
    drop(Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status());
}

pub const LEFT_ADDRESS: &str = "10.99.0.1";
pub const RIGHT_ADDRESS: &str = "10.99.0.2";

/// Tells our namespaces from anyone else's; the process id follows.
const PREFIX: &str = "flowshrike-test-";
static NUMBER: AtomicU32 = AtomicU32::new(0);
/// Frames between two looks at the clock.
const PACING_BATCH: u64 = 16;
const MOST_TRIES: u32 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(30);
