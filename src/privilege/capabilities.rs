//! The capabilities of the calling thread: raising the one that capturing needs, and giving the others up for good.
//!
//! Capabilities belong to a thread and are inherited by the threads that it starts, so all this is done before there
//! are others.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_ambient_set, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

/// The five sets of a thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What the kernel asks for.
    pub effective: Set,
    /// What may be made effective.
    pub permitted: Set,
    /// What a program that is started may inherit, if its file says so.
    pub inheritable: Set,
    /// What any program that is started could ever get.
    pub bounding: Set,
    /// What every program that is started inherits.
    pub ambient: Set,
}

/// Some of the kernel's capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set(u64);

impl Capabilities {
    /// Those of the calling thread.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn of_this_thread() -> io::Result<Self> {
        let CapabilitySets { effective, permitted, inheritable } = capabilities(None)?;
        let set = |is_in: fn(CapabilitySet) -> Result<bool, Errno>| {
            Set(known(is_in).filter(|(_, held)| *held).fold(0, |set, (flag, _)| set | flag.bits()))
        };
        Ok(Self {
            effective: Set(effective.bits()),
            permitted: Set(permitted.bits()),
            inheritable: Set(inheritable.bits()),
            bounding: set(capability_is_in_bounding_set),
            ambient: set(capability_is_in_ambient_set),
        })
    }

    /// The sets by the names of the kernel's documentation.
    #[must_use]
    pub const fn by_name(&self) -> [(&'static str, Set); 5] {
        [
            ("effective", self.effective),
            ("permitted", self.permitted),
            ("inheritable", self.inheritable),
            ("bounding", self.bounding),
            ("ambient", self.ambient),
        ]
    }
}

impl Set {
    /// How many.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the right to capture is among them.
    #[must_use]
    pub const fn has_net_raw(self) -> bool {
        self.0 & CapabilitySet::NET_RAW.bits() != 0
    }

    /// Their names, as `cap_net_raw`; one that is younger than this program by its number.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        let name = |number: u32| {
            let known = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
            known.map_or_else(|| format!("cap_{number}"), |name| format!("cap_{name}"))
        };
        (0..u64::BITS).filter(|number| self.0 >> number & 1 == 1).map(name).collect()
    }
}

/// Makes the right to capture effective where the thread is permitted it: a file with `cap_net_raw+p` gives no more.
/// A file with `+ep` would do without, but cannot be started at all where the capability may not be had.
///
/// # Errors
/// The kernel refuses.
pub fn raise_net_raw() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    if sets.permitted.contains(CapabilitySet::NET_RAW) && !sets.effective.contains(CapabilitySet::NET_RAW) {
        sets.effective |= CapabilitySet::NET_RAW;
        set_capabilities(None, sets)?;
    }
    Ok(())
}

/// Gives up all capabilities but the right to capture, where that is held, and every way to get one back: the bounding
/// set is emptied where the thread may do that (as root).
///
/// # Errors
/// The kernel refuses.
pub(super) fn keep_net_raw() -> io::Result<()> {
    keep(CapabilitySet::NET_RAW)
}

/// Gives up all capabilities.
///
/// # Errors
/// The kernel refuses.
pub(super) fn keep_none() -> io::Result<()> {
    keep(CapabilitySet::empty())
}

fn keep(kept: CapabilitySet) -> io::Result<()> {
    let sets = capabilities(None)?;
    if sets.effective.contains(CapabilitySet::SETPCAP) {
        for (flag, held) in known(capability_is_in_bounding_set) {
            if held {
                remove_capability_from_bounding_set(flag)?;
            }
        }
    }
    clear_ambient_capability_set()?;
    let kept = kept & sets.permitted;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() })?;
    Ok(())
}

/// Every capability that this kernel has, and whether it is in a set.
fn known(is_in: fn(CapabilitySet) -> Result<bool, Errno>) -> impl Iterator<Item = (CapabilitySet, bool)> {
    let flags = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
    // The first that is refused comes after the last one.
    flags.map_while(move |flag| Some((flag, is_in(flag).ok()?)))
}

/// By number, from the kernel's capability.h.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_kernels_numbers() {
        assert_eq!(Set(CapabilitySet::NET_RAW.bits()).names(), ["cap_net_raw"]);
        assert_eq!(Set(CapabilitySet::CHECKPOINT_RESTORE.bits() | 1).names(), ["cap_chown", "cap_checkpoint_restore"]);
        assert_eq!(Set(1 << 63).names(), ["cap_63"]);
    }

    /// On a thread of its own, which is all that loses anything.
    #[test]
    fn what_is_given_up_is_gone() {
        let read = || Capabilities::of_this_thread().expect("a thread may ask for its own");
        let before = read();
        let (kept, none) = std::thread::spawn(move || {
            raise_net_raw().expect("raised where permitted");
            keep_net_raw().expect("given up");
            let kept = read();
            keep_none().expect("given up");
            (kept, read())
        })
        .join()
        .expect("no panic");
        assert_eq!(kept.effective.has_net_raw(), before.permitted.has_net_raw());
        assert!(kept.effective.len() <= 1 && kept.effective == kept.permitted, "{kept:?}");
        let rest = Capabilities { bounding: Set::default(), ..none };
        assert_eq!(rest, Capabilities::default());
        let may_bound = before.effective.names().contains(&"cap_setpcap".to_owned());
        assert_eq!(none.bounding, if may_bound { Set::default() } else { before.bounding });
        assert_eq!(read(), before, "other threads keep theirs");
    }
}
