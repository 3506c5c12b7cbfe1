//! Landlock: what the kernel keeps a thread, and all threads that it starts later, from.
//!
//! Nothing is run, no TCP port is bound, none is connected to but those in [`Access`], no signal goes to another process, and of the files only those in it are
//! reached. What this kernel cannot restrict is left out; [`Sandbox`] says what is in force.

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope,
};

use super::access::Access;

/// What Landlock keeps a thread from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sandbox {
    /// The version of the kernel's interface in use; 0 if it has none.
    pub abi: i32,
    /// Reaching other files, and running programs (Linux 5.13).
    pub files: bool,
    /// Binding and connecting TCP sockets (Linux 6.7).
    pub tcp: bool,
    /// Signals to other processes, and abstract UNIX sockets of others (Linux 6.12).
    pub processes: bool,
    /// Binding UDP sockets and sending from them.
    pub udp: bool,
}

impl Sandbox {
    /// The parts by name.
    #[must_use]
    pub const fn by_name(&self) -> [(&'static str, bool); 4] {
        [("files", self.files), ("tcp", self.tcp), ("processes", self.processes), ("udp", self.udp)]
    }
}

/// Restricts the calling thread, as far as this kernel can.
///
/// # Errors
/// The kernel has Landlock and refuses.
pub(super) fn restrict(access: &Access) -> Result<Sandbox, RulesetError> {
    let mut network = AccessNet::from_all(NEWEST);
    if access.names {
        network &= AccessNet::from_all(ABI::V4);
    }
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(network)?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let append = AccessFs::WriteFile | AccessFs::MakeReg;
    let replace = append | AccessFs::Truncate | AccessFs::RemoveFile;
    let keep = replace | AccessFs::MakeDir | AccessFs::ReadFile | AccessFs::ReadDir;
    for (paths, allowed) in [
        (&access.read, AccessFs::ReadFile | AccessFs::ReadDir),
        (&access.append, append),
        (&access.replace, replace),
        (&access.kept, keep),
    ] {
        for path in paths {
            rules = allow(rules, path, allowed)?;
        }
    }
    for &port in &access.connect {
        rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
    }
    if let Some(own) = own_processes_folder() {
        rules = rules.add_rule(PathBeneath::new(own, AccessFs::ReadFile | AccessFs::ReadDir))?;
    }
    let status = rules.restrict_self()?;
    let abi = match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => ABI::Unsupported,
        (_, LandlockStatus::Available { effective_abi, .. }) => effective_abi,
        (_, _) => ABI::Unsupported,
    };
    Ok(Sandbox {
        abi: abi as i32,
        files: abi >= ABI::V1,
        tcp: abi >= ABI::V4,
        processes: abi >= ABI::V6,
        udp: abi >= ABI::V10 && !access.names,
    })
}

/// Adds a rule; none for what is not there. A pipe needs none.
fn allow(rules: RulesetCreated, path: &Path, allowed: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let (Ok(place), Ok(metadata)) = (PathFd::new(path), path.metadata()) else { return Ok(rules) };
    let kind = metadata.file_type();
    if kind.is_dir() {
        rules.add_rule(PathBeneath::new(place, allowed))
    } else if std::fs::canonicalize(path).is_err() {
        // A pipe without a name, behind /dev/stdout or /proc/self/fd.
        Ok(rules)
    } else {
        rules.add_rule(PathBeneath::new(place, allowed & AccessFs::from_file(NEWEST)))
    }
}

/// This process's own folder in /proc, from which its metrics come. It is held open: the kernel may make another inode of a
/// folder there that nobody holds, and a rule is about an inode.
fn own_processes_folder() -> Option<&'static File> {
    static OWN: OnceLock<Option<File>> = OnceLock::new();
    OWN.get_or_init(|| File::open("/proc/self").ok()).as_ref()
}

/// Everything that the crate can restrict; what the kernel does not know is left out.
const NEWEST: ABI = ABI::V10;
