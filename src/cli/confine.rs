//! What `run` gives up before it starts its threads, and what it keeps: the files that the configuration names.

use std::io;
use std::path::Path;

use anyhow::Context as _;
use rustix::fs::{Access as Wanted, AtFlags, CWD, accessat};

use super::identity::Identity;
use super::run::Args;
use super::scrape::renewed;
use crate::capture::Opener;
use crate::config::{AlertOutput, Config};
use crate::privilege::{self, Access, Confinement, Mode, PrivilegeError, Privileges};

/// Gives up what is not needed any more, for this thread and all that it starts, and tells how they stand. To be called after
/// what needs the starter's rights, before any thread is there. Captures are opened by the opener from then on.
pub(super) fn confine(config: &Config, args: &Args, identity: &Identity) -> anyhow::Result<(Opener, Privileges)> {
    if config.sandbox == Mode::Off {
        return Ok((Opener::default(), Privileges { threads: as_it_is()?, opener: None }));
    }
    // Short of what is required the daemon ends; else it goes on with what could be done.
    let settle = |done: Result<Confinement, PrivilegeError>| match done {
        Err(error) if config.sandbox == Mode::Require => Err(anyhow::Error::from(error).context(REQUIRED)),
        Err(error) => {
            tracing::warn!("not everything was given up: {error}");
            as_it_is()
        }
        Ok(confinement) => Ok(confinement),
    };
    let (own, captures) = (own_access(config, args, identity), opener_access(config));
    settle(privilege::give_up())?;
    let (opener, confined) = Opener::in_own_thread(move || privilege::confine(&captures, true))
        .context("the thread that opens captures does not start")?;
    let threads = settle(privilege::confine(&own, false))?;
    let opens = settle(confined)?;
    let missing = threads.missing();
    if !missing.is_empty() {
        anyhow::ensure!(config.sandbox != Mode::Require, "{REQUIRED}: {}", missing.join("; "));
        tracing::warn!("not everything was given up: {}", missing.join("; "));
    }
    tracing::info!("rights from here on: {threads}; of the thread that opens captures: {opens}");
    warn_of_unwritable(&own);
    Ok((opener, Privileges { threads, opener: Some(opens) }))
}

fn as_it_is() -> anyhow::Result<Confinement> {
    Confinement::of_this_thread().context("the kernel does not tell the capabilities")
}

/// As root without its powers, a file in somebody else's folder can be written on, but not made anew.
fn warn_of_unwritable(access: &Access) {
    for folder in access.written_folders().filter(|folder| is_unwritable(folder)) {
        tracing::warn!(
            "no file can be made in {}: after a rotation lines would be lost. Give it to the user that the daemon runs as, or \
             set privilege.sandbox to off",
            folder.display()
        );
    }
}

/// What all threads but the opener need: the files that they write, those that may be read again, and the Kubernetes API.
fn own_access(config: &Config, args: &Args, identity: &Identity) -> Access {
    let mut access = Access::default();
    for path in [&args.config, &config.model].into_iter().flatten() {
        access.read_file(path);
    }
    renewed(&config.metrics, &mut access);
    if let AlertOutput::File(path) = &config.alert.output {
        access.append_file(path);
    }
    if let Some(path) = &args.flows {
        access.append_file(path);
    }
    if let Some(lake) = &config.lake {
        access.keep_folder(&lake.path);
    }
    if let Some(path) = &args.summary {
        access.replace_file(path);
    }
    identity.reach(&mut access);
    access
}

/// What libpcap needs to open a capture: what the kernel says of a device, and names in a filter.
fn opener_access(config: &Config) -> Access {
    let mut access = Access { read: DEVICE_FACTS.iter().map(Into::into).collect(), ..Access::default() };
    if config.capture.filter.is_some() {
        access.look_up_names();
    }
    access
}

fn is_unwritable(folder: &Path) -> bool {
    accessat(CWD, folder, Wanted::WRITE_OK | Wanted::EXEC_OK, AtFlags::EACCESS)
        .is_err_and(|error| io::Error::from(error).kind() == io::ErrorKind::PermissionDenied)
}

/// What the message of a refused start begins with.
const REQUIRED: &str = "privilege.sandbox is `require`";
/// libpcap asks here whether a device is a port of a switch.
const DEVICE_FACTS: [&str; 2] = ["/sys/class/net", "/sys/devices"];
