//! Least privilege, seen from inside and from outside: what a restricted thread tries is refused by the kernel, and the daemon
//! does all of its work with what it keeps.

#[path = "util/awkward.rs"]
mod awkward;
#[path = "util/daemon.rs"]
mod daemon;
mod util;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use daemon::Daemon;
use flowshrike::capture::{LiveCapture, LiveError, LiveSettings, Opener};
use flowshrike::privilege::{self, Access};
use rustix::process::{Pid, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;
use util::capture_file::{Captured, Pcap};
use util::netns::{End, VethPair};
use util::skip::skipped;
use util::traffic::{START, Traffic};

/// In a child process, where this variable names a folder, `inside` restricts itself and tries what it must not do.
const INSIDE: &str = "FLOWSHRIKE_TEST_INSIDE";

#[test]
fn a_restricted_process_is_refused_what_it_does_not_need() {
    let folder = TempDir::new().expect("a folder");
    for name in ["logs", "elsewhere", "reports"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    for file in ["logs/alerts.jsonl", "elsewhere/secret", "reports/summary.json"] {
        fs::write(folder.path().join(file), "one line\n").expect("a file");
    }
    let [listener, api] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "inside", "--nocapture", "--test-threads=1"])
        .env(INSIDE, folder.path())
        .env("FLOWSHRIKE_TEST_PORT", listener.local_addr().expect("bound").port().to_string())
        .env("FLOWSHRIKE_TEST_API_PORT", api.local_addr().expect("bound").port().to_string())
        .output()
        .expect("this program runs again");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let found: BTreeMap<&str, &str> =
        said.lines().filter_map(|line| line.strip_prefix("tried ")?.split_once(": ")).collect();
    if found.get("landlock").is_none_or(|abi| abi.parse::<i32>().is_ok_and(|abi| abi < 6)) {
        return skipped(&format!("needs Landlock 6 (Linux 6.12); here: {:?}", found.get("landlock")));
    }
    let (granted, refused): (Vec<_>, Vec<_>) = TRIED.iter().partition(|(_, allowed)| *allowed);
    for (what, _) in granted {
        assert_eq!(found.get(what), Some(&"done"), "{what}: {found:#?}");
    }
    for (what, _) in refused {
        let outcome = found.get(what).copied().unwrap_or("not tried");
        assert!(outcome.starts_with("refused"), "{what}: {outcome}\n{found:#?}");
    }
    assert_eq!(fs::read(folder.path().join("logs/alerts.jsonl")).expect("there"), b"one line\none more\n");
    assert_eq!(fs::read(folder.path().join("reports/summary.json")).expect("there"), b"replaced");
}

/// What is tried inside, and whether it may be done.
const TRIED: [(&str, bool); 18] = [
    ("append to a log", true),
    ("make a log anew", true),
    ("put a report in its place", true),
    ("read its own numbers", true),
    ("open a capture by the opener", true),
    ("connect to a port that is named", true),
    ("read a log", false),
    ("cut a log", false),
    ("remove a log", false),
    ("read another file", false),
    ("make a file elsewhere", false),
    ("list the root folder", false),
    ("run a program", false),
    ("connect", false),
    ("listen", false),
    ("signal another process", false),
    ("open a capture", false),
    ("open another file as the opener", false),
];

/// Not a test by itself: the process that [`a_restricted_process_is_refused_what_it_does_not_need`] starts.
#[test]
fn inside() {
    let Some(folder) = std::env::var_os(INSIDE) else { return };
    let at = |name: &str| Path::new(&folder).join(name);
    let port = |name: &str| std::env::var(name).expect("set").parse::<u16>().expect("a number");
    let (port, api_port) = (port("FLOWSHRIKE_TEST_PORT"), port("FLOWSHRIKE_TEST_API_PORT"));
    let mut access = Access::default();
    access.append_file(&at("logs/alerts.jsonl"));
    access.replace_file(&at("reports/summary.json"));
    access.connect.push(api_port);
    let secret = at("elsewhere/secret");
    privilege::raise_net_raw().expect("raised where permitted");
    privilege::give_up().expect("given up");
    let (opener, refused) = Opener::in_own_thread({
        let secret = secret.clone();
        move || {
            privilege::confine(&Access::default(), true).expect("confined");
            File::open(secret)
        }
    })
    .expect("a thread");
    let confinement = privilege::confine(&access, false).expect("confined");
    println!("tried landlock: {}", confinement.sandbox.abi);
    tell("open another file as the opener", refused.map(drop));
    // Like the daemon's threads, this one is started by the one that is restricted.
    thread::scope(|scope| {
        scope.spawn(|| {
            let append = |path: &Path| OpenOptions::new().append(true).create(true).open(path);
            tell("append to a log", append(&at("logs/alerts.jsonl")).and_then(|mut log| log.write_all(b"one more\n")));
            tell("make a log anew", append(&at("logs/alerts.2.jsonl")).map(drop));
            let replace = || {
                File::create(at("reports/.summary.json"))?.write_all(b"replaced")?;
                fs::rename(at("reports/.summary.json"), at("reports/summary.json"))
            };
            tell("put a report in its place", replace());
            tell("read its own numbers", fs::read_to_string("/proc/self/stat").map(drop));
            let of_interface = |opener: &Opener| match LiveCapture::open_group_by(opener, LiveSettings::new("lo"), 1, 0)
            {
                Err(LiveError::Permission { reason, .. }) => {
                    Err(io::Error::new(io::ErrorKind::PermissionDenied, reason))
                }
                other => other.map(drop).map_err(io::Error::other),
            };
            if rustix::process::geteuid().is_root() {
                tell("open a capture by the opener", of_interface(&opener));
            } else {
                println!("tried open a capture by the opener: done");
            }
            tell("read a log", fs::read(at("logs/alerts.jsonl")).map(drop));
            tell("cut a log", OpenOptions::new().write(true).truncate(true).open(at("logs/alerts.jsonl")).map(drop));
            tell("remove a log", fs::remove_file(at("logs/alerts.jsonl")));
            tell("read another file", fs::read(&secret).map(drop));
            tell("make a file elsewhere", File::create(at("elsewhere/new")).map(drop));
            tell("list the root folder", fs::read_dir("/").map(drop));
            tell("run a program", Command::new("/bin/true").stdin(Stdio::null()).status().map(drop));
            tell("connect", TcpStream::connect(("127.0.0.1", port)).map(drop));
            tell("connect to a port that is named", TcpStream::connect(("127.0.0.1", api_port)).map(drop));
            tell("listen", TcpListener::bind("127.0.0.1:0").map(drop));
            let parent = rustix::process::getppid().unwrap_or(Pid::INIT);
            tell("signal another process", test_kill_process(parent).map_err(io::Error::from));
            tell("open a capture", of_interface(&Opener::default()));
        });
    });
}

fn tell(what: &str, outcome: io::Result<()>) {
    match outcome {
        Ok(()) => println!("tried {what}: done"),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => println!("tried {what}: refused, {error}"),
        Err(error) => println!("tried {what}: failed, {error}"),
    }
}

/// The capabilities of each thread of a process that are effective, by the thread's name, and whether it may get new ones.
fn threads(pid: u32) -> Vec<(String, u64, bool)> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let of_task = |task: io::Result<fs::DirEntry>| {
        let status = fs::read_to_string(task.ok()?.path().join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let held =
            u64::from_str_radix(field("CapEff:")?, 16).ok()? | u64::from_str_radix(field("CapPrm:")?, 16).ok()?;
        Some((field("Name:")?.to_owned(), held, field("NoNewPrivs:")? == "1"))
    };
    tasks.filter_map(of_task).collect()
}

const NET_RAW: u64 = 1 << 13;

fn assert_only_the_opener_may_capture(daemon: &Daemon) {
    let threads = threads(daemon.pid());
    assert!(threads.len() >= 5, "{threads:?}");
    for (name, held, no_new_privs) in &threads {
        assert_eq!(*held, if name == "capture-opener" { NET_RAW } else { 0 }, "{threads:x?}");
        assert!(no_new_privs, "{threads:x?}");
    }
    assert_eq!(threads.iter().filter(|(name, ..)| name == "capture-opener").count(), 1, "{threads:?}");
}

fn ready(daemon: &Daemon, end: &End) -> Value {
    let (status, body) = daemon.get(end, "/readyz");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).expect("JSON")
}

fn frames(bed: &VethPair, folder: &Path) -> u64 {
    let sent = folder.join("sent.pcap");
    let frames: Vec<_> = awkward::frames(4).into_iter().map(|data| Captured::whole(START, 1, data)).collect();
    fs::write(&sent, Pcap::default().write(&frames)).expect("a file");
    bed.left.replay_file(&sent, 10_000)
}

#[test]
fn the_daemon_tells_what_it_holds_and_holds_nothing_after_an_interface_came_back() {
    let Some(bed) = VethPair::new("rights") else { return };
    let folder = TempDir::new().expect("a folder");
    // Names of services are looked up again when the filter is compiled for the interface that came back.
    let filter = if Path::new("/etc/services").exists() { "not tcp port imaps" } else { "not tcp port 993" };
    let mut daemon = Daemon::start(&bed.right, &["--workers", "2", "--filter", filter]);
    assert_only_the_opener_may_capture(&daemon);
    let privileges = &ready(&daemon, &bed.right)["privileges"];
    let effective = |of: &str| privileges[of]["capabilities"]["effective"].clone();
    assert_eq!(
        (effective("threads"), effective("opener")),
        (Value::from(Vec::<Value>::new()), vec!["cap_net_raw"].into())
    );
    assert_eq!(privileges["threads"]["no_new_privs"], true);
    for (series, value) in [
        ("flowshrike_capabilities{set=\"effective\",threads=\"others\"}", 0.0),
        ("flowshrike_capabilities{set=\"permitted\",threads=\"others\"}", 0.0),
        ("flowshrike_capabilities{set=\"effective\",threads=\"opener\"}", 1.0),
        ("flowshrike_sandbox{part=\"no_new_privs\"}", 1.0),
    ] {
        assert_eq!(daemon.metric(&bed.right, series), value, "{series}");
    }
    let files = daemon.metric(&bed.right, "flowshrike_sandbox{part=\"files\"}");
    assert_eq!(privileges["threads"]["landlock"]["files"], files == 1.0);
    assert!(daemon.metric(&bed.right, "process_open_fds") > 0.0, "it may read its own numbers");

    bed.right.namespace.ip(&["link", "del", &bed.right.interface]);
    daemon.until("it is not ready", |daemon| daemon.get(&bed.right, "/readyz").0 == 503);
    bed.left.namespace.veth(&bed.left.interface, &bed.right.namespace, &bed.right.interface);
    bed.left.namespace.link_up(&bed.left.interface);
    bed.right.namespace.link_up(&bed.right.interface);
    daemon.until("it is ready again", |daemon| daemon.get(&bed.right, "/readyz").0 == 200);
    let sent = frames(&bed, folder.path());
    daemon.until("it sees every packet", |daemon| {
        daemon.metric(&bed.right, "flowshrike_packets_received_total") == sent as f64
    });
    assert_only_the_opener_may_capture(&daemon);
    let ended = daemon.stop("TERM");
    assert!(ended.status.success() && !ended.log.contains("WARN  "), "{}", ended.log);
}

/// A flow that ends at once.
fn flow(folder: &Path, port: u16) -> std::path::PathBuf {
    let path = folder.join(format!("{port}.pcap"));
    let mut t = Traffic::new(7);
    t.tcp(format!("10.244.1.5:{port}").as_str(), "10.96.0.20:80").at(0.0).request(120).response(900).close();
    t.write_pcap(&path);
    path
}

#[test]
fn files_are_rotated_and_written_at_the_end_from_inside() {
    let Some(bed) = VethPair::new("rotate") else { return };
    let folder = TempDir::new().expect("a folder");
    for name in ["logs", "reports"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    let at = |name: &str| folder.path().join(name);
    let (log, summary) = (at("logs/flows.jsonl"), at("reports/summary.json"));
    let paths = [&log, &summary].map(|path| path.to_str().expect("UTF-8").to_owned());
    let arguments = ["--flows", &paths[0], "--summary", &paths[1], "--output", "/dev/null"];
    let mut daemon = Daemon::start(&bed.right, &arguments);
    let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
    bed.left.replay_file(&flow(folder.path(), 40_001), 10_000);
    daemon.until("the first flow is logged", |_| lines(&log) == 1);
    fs::rename(&log, at("logs/flows.1.jsonl")).expect("a rotation");
    daemon.signal("HUP");
    bed.left.replay_file(&flow(folder.path(), 40_002), 10_000);
    daemon.until("the second flow is logged anew", |_| lines(&log) == 1);
    let ended = daemon.stop("TERM");
    assert!(ended.status.success() && !ended.log.contains("lost:"), "{}", ended.log);
    assert_eq!(lines(&at("logs/flows.1.jsonl")), 1);
    let summary: Value = serde_json::from_slice(&fs::read(&summary).expect("written")).expect("JSON");
    assert_eq!(summary["flows"]["created"], 2);
}

#[test]
fn the_sandbox_can_be_required_and_switched_off() {
    let Some(bed) = VethPair::new("modes") else { return };
    let with = |mode: &str| {
        let mut command = bed.right.command(env!("CARGO_BIN_EXE_flowshrike"));
        command.args(["run", "--interface", &bed.right.interface, "--listen", "127.0.0.1:0"]);
        command.env("FLOWSHRIKE_PRIVILEGE_SANDBOX", mode);
        command
    };
    let daemon = Daemon::spawn(&bed.right, with("off"));
    assert!(ready(&daemon, &bed.right)["privileges"]["opener"].is_null());
    assert!(threads(daemon.pid()).iter().all(|(_, held, _)| held & NET_RAW != 0));
    daemon.stop("TERM");
    let daemon = Daemon::spawn(&bed.right, with("auto"));
    let restricts_tcp = daemon.metric(&bed.right, "flowshrike_sandbox{part=\"tcp\"}") == 1.0;
    daemon.stop("TERM");
    if restricts_tcp {
        let daemon = Daemon::spawn(&bed.right, with("require"));
        assert_only_the_opener_may_capture(&daemon);
        daemon.stop("TERM");
    } else {
        let output = with("require").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("privilege.sandbox"), "{said}");
    }
}

/// As in a container: no user's rights, and of the capabilities only the one for capturing to be had, if the file says so.
#[test]
fn a_file_with_the_capability_permitted_is_enough_for_a_plain_user() {
    let Some(bed) = VethPair::new("plain") else { return };
    let folder = TempDir::new().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let program = folder.path().join("flowshrike");
    fs::copy(env!("CARGO_BIN_EXE_flowshrike"), &program).expect("copied");
    let as_plain_user = || {
        let mut command = bed.right.command("setpriv");
        command.args([
            "--reuid",
            "65532",
            "--regid",
            "65532",
            "--clear-groups",
            "--inh-caps=-all",
            "--ambient-caps=-all",
        ]);
        command.args(["--bounding-set=-all,+net_raw", "--no-new-privs"]).arg(&program);
        command.args(["run", "--interface", &bed.right.interface, "--listen", "127.0.0.1:0"]);
        command
    };
    let refused = as_plain_user().output().expect("ip runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    if said.contains("setpriv") {
        return skipped("needs setpriv");
    }
    assert!(!refused.status.success() && said.contains("setcap cap_net_raw+p"), "{said}");
    let given = Command::new("setcap").arg("cap_net_raw+p").arg(&program).output();
    if !given.is_ok_and(|given| given.status.success()) {
        return skipped("needs setcap, and a file system that keeps capabilities");
    }
    let mut daemon = Daemon::spawn(&bed.right, as_plain_user());
    assert_only_the_opener_may_capture(&daemon);
    let sent = frames(&bed, folder.path());
    daemon.until("it sees every packet", |daemon| {
        daemon.metric(&bed.right, "flowshrike_packets_received_total") == sent as f64
    });
    assert!(daemon.metric(&bed.right, "process_open_fds") > 0.0, "it may read its own numbers");
    let ended = daemon.stop("TERM");
    assert!(ended.status.success(), "{}", ended.log);
}
