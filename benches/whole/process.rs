//! One child process from start to end, and what it used.
//!
//! The kernel tells a child's CPU time and peak memory to whoever waits for it by wait4, which no safe crate wraps; `time` of the
//! shell rounds to hundredths of a second. The kernel counts into a child's peak what the parent had at the fork, so the runner
//! keeps itself small.
#![expect(unsafe_code, reason = "wait4 is the only way to a single child's usage")]
#![expect(clippy::disallowed_methods, reason = "processes are measured and waited for by the clock")]

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::interrupt;

/// What a process used, from its start to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// User and system time, s.
    pub(super) cpu: f64,
    /// Elapsed time, s.
    pub(super) wall: f64,
    /// Peak resident memory, MiB.
    pub(super) peak_mib: f64,
    /// How it ended.
    pub(super) status: ExitStatus,
}

/// A process that runs; killed if it is dropped.
pub(super) struct Running {
    child: Child,
    started: Instant,
    usage: Option<Usage>,
}

/// Runs a command to its end.
pub(super) fn run(command: &mut Command) -> anyhow::Result<Usage> {
    interrupt::check()?;
    let mut running = Running::start(command)?;
    loop {
        if let Some(usage) = running.ended_within(Duration::from_secs(3_600))? {
            return Ok(usage);
        }
    }
}

impl Running {
    /// Starts a command, with nothing on its standard input.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        let started = Instant::now();
        Ok(Self { child: command.stdin(Stdio::null()).spawn()?, started, usage: None })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The standard output, if the command was given a pipe for it.
    pub(super) const fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    pub(super) fn signal(&self, signal: Signal) {
        if self.usage.is_none() {
            // It has not been waited for, so that the number is still its own; to one that has ended it does nothing.
            kill_process(Pid::from_child(&self.child), signal).unwrap_or_default();
        }
    }

    /// Waits for the end: `None` if it does not come in this time.
    pub(super) fn ended_within(&mut self, patience: Duration) -> anyhow::Result<Option<Usage>> {
        let began = Instant::now();
        // Short at first, for short processes; a poll costs next to nothing beside what is measured.
        let mut pause = Duration::from_micros(200);
        while self.usage.is_none() {
            interrupt::check()?;
            if !self.poll()? {
                if began.elapsed() > patience {
                    return Ok(None);
                }
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(2));
            }
        }
        Ok(self.usage)
    }

    /// Whether it has ended.
    fn poll(&mut self) -> io::Result<bool> {
        let pid = libc::pid_t::try_from(self.child.id()).map_err(io::Error::other)?;
        let mut status = 0;
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the process is a child of ours that has not been waited for (`usage` is unset, and `Child::wait` is never
        // called); both pointers are of the types that the call writes and live to its end.
        let waited = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
        if waited == 0 {
            return Ok(false);
        }
        if waited < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(false) } else { Err(error) };
        }
        // SAFETY: the call succeeded and has filled it; besides, all zeros is a valid value of this struct of integers.
        let usage = unsafe { usage.assume_init() };
        self.usage = Some(Usage {
            cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            wall: self.started.elapsed().as_secs_f64(),
            peak_mib: usage.ru_maxrss as f64 / 1024.0,
            status: ExitStatus::from_raw(status),
        });
        Ok(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        while self.usage.is_none() && self.poll().is_ok() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}
