//! How many flows fit: the default bound of the flow table, from the memory that this process may use.

use std::fs;
use std::path::Path;

use crate::features::Profile;
use crate::flow::FlowTable;

/// The default bound on live flows: for a daemon the lesser of a million and what 40 % of its memory holds; for the
/// `cic` profile, in which no flow ends by time, what 80 % of the memory that is free now holds.
#[must_use]
pub fn default_max_flows(profile: Profile) -> usize {
    let flow = FlowTable::bytes_per_flow() as u64;
    let fit = match profile {
        Profile::Standard => MOST.min(memory_limit() / 10 * 4 / flow),
        Profile::Cic => memory_limit().min(memory_available()) / 10 * 8 / flow,
    };
    usize::try_from(fit.max(LEAST)).unwrap_or(usize::MAX)
}

/// Bytes that this process may use: the least of its control groups' limits and the machine's memory.
fn memory_limit() -> u64 {
    let machine = meminfo("MemTotal:").unwrap_or(u64::MAX);
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = own.lines().filter_map(|line| line.strip_prefix("0::"));
    let v2 = groups.flat_map(|group| {
        let relative = group.trim_start_matches('/').to_owned();
        // A container sees its own group at the root of the mount.
        [format!("/sys/fs/cgroup/{relative}/memory.max"), "/sys/fs/cgroup/memory.max".to_owned()]
    });
    let v1 = ["/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned()];
    v2.chain(v1).filter_map(|path| number_in(Path::new(&path))).fold(machine, u64::min)
}

fn memory_available() -> u64 {
    meminfo("MemAvailable:").unwrap_or(u64::MAX)
}

fn meminfo(field: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The number in a file; a group without a limit says `max`.
fn number_in(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Half a gigabyte of flows: what a node with ordinary traffic never reaches, and a flood fills.
const MOST: u64 = 1_000_000;
/// Below this a table is no use; such a process will be stopped by its group first.
const LEAST: u64 = 1_000;
