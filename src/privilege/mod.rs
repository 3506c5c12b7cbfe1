//! Least privilege: what the daemon gives up once it has started, and what it is kept from.
//!
//! Capabilities and Landlock belong to a thread and are inherited by those that it starts. So everything happens in the first thread, in
//! this order: [`raise_net_raw`], open and bind what needs the starter's rights, [`give_up`], start the one thread that keeps
//! the right to open captures ([`confine`] in it), [`confine`] in the first one, start all others.
//! This is a second line: threads share their memory, and whoever can write it can use what any of them may.

mod access;
mod capabilities;
mod sandbox;

use std::fmt;
use std::io;

use rustix::thread::{no_new_privs, set_no_new_privs};

pub use access::Access;
pub use capabilities::{Capabilities, Set, raise_net_raw};
pub use sandbox::Sandbox;

/// How much is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As much as the kernel can.
    #[default]
    Auto,
    /// All capabilities given up, files and TCP restricted; else the daemon does not start.
    Require,
    /// Nothing is given up.
    Off,
}

/// How a thread stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// No program that it starts can get more rights than it has.
    pub no_new_privs: bool,
    /// What Landlock keeps it from.
    pub sandbox: Sandbox,
}

/// How the threads of the daemon stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// All but the one that opens captures.
    pub threads: Confinement,
    /// The one that opens captures, if there is one.
    pub opener: Option<Confinement>,
}

/// What could not be done.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// Capabilities.
    #[error("capabilities cannot be given up: {0}")]
    Capabilities(#[source] io::Error),
    /// Landlock.
    #[error("the kernel's Landlock refuses: {0}")]
    Sandbox(#[from] landlock::RulesetError),
}

/// Gives up all capabilities but the right to capture, and every way to new ones.
///
/// # Errors
/// The kernel refuses.
pub fn give_up() -> Result<Confinement, PrivilegeError> {
    let done = || {
        set_no_new_privs(true)?;
        capabilities::keep_net_raw()?;
        Confinement::of_this_thread()
    };
    done().map_err(PrivilegeError::Capabilities)
}

/// Restricts the calling thread to `access`; unless it is the one that opens captures, it also gives up the right to.
///
/// # Errors
/// The kernel refuses. What was done until then stays.
pub fn confine(access: &Access, opens_captures: bool) -> Result<Confinement, PrivilegeError> {
    if !opens_captures {
        capabilities::keep_none().map_err(PrivilegeError::Capabilities)?;
    }
    let sandbox = sandbox::restrict(access)?;
    Ok(Confinement { sandbox, ..Confinement::of_this_thread().map_err(PrivilegeError::Capabilities)? })
}

impl Confinement {
    /// How the calling thread stands; what Landlock keeps it from cannot be asked and is not told.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn of_this_thread() -> io::Result<Self> {
        Ok(Self {
            capabilities: Capabilities::of_this_thread()?,
            no_new_privs: no_new_privs()?,
            sandbox: Sandbox::default(),
        })
    }

    /// What [`Mode::Require`] misses, in words; none if nothing.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let sets = &self.capabilities;
        let checks = [
            (!(sets.effective.is_empty() && sets.permitted.is_empty()), "capabilities are still held"),
            (!self.no_new_privs, "programs could gain rights (no_new_privs is not set)"),
            (!self.sandbox.files, "files are not restricted (Landlock, Linux 5.13)"),
            (!self.sandbox.tcp, "TCP is not restricted (Landlock ABI 4, Linux 6.7)"),
        ];
        checks.into_iter().filter_map(|(missing, text)| missing.then_some(text)).collect()
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.capabilities.effective.names();
        write!(f, "capabilities: {}; ", if held.is_empty() { "none".to_owned() } else { held.join(", ") })?;
        if self.sandbox.abi == 0 {
            return write!(f, "no Landlock");
        }
        let parts: Vec<_> = self.sandbox.by_name().into_iter().filter(|(_, on)| *on).map(|(part, _)| part).collect();
        write!(f, "Landlock {} restricts {}", self.sandbox.abi, parts.join(", "))
    }
}
