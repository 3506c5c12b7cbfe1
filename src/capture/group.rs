//! A fanout group: several handles on one interface, each of which gets its share of the packets, by flow.
//!
//! All handles are opened together, before any of them lets a packet in, and are given up together: were one missing,
//! the kernel would share its packets out among the others, and flows would change their places. So a member that has
//! lost its handle waits until all have, and then one of them opens the group anew for all.
//! Members are [`LiveCapture`](super::LiveCapture)s, each in a thread of its own.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::fanout;
use super::handle::{Handle, RETIREMENT_SLACK};
use super::opener::Opener;
use super::settings::{LiveError, LiveSettings};
use super::sys;

/// What the members of one group share.
pub(super) struct Group {
    settings: LiveSettings,
    members: usize,
    seed: u64,
    /// A member has lost its handle: the others are to give theirs up once they are empty.
    broken: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Members that hold a handle.
    holding: usize,
    /// Handles that are open and wait for their members.
    waiting: Vec<Option<Handle>>,
}

impl Group {
    /// A group that is not open yet. Each member's ring is as large as `settings` say.
    pub(super) fn new(settings: LiveSettings, members: usize, seed: u64) -> Self {
        Self { settings, members, seed, broken: AtomicBool::new(false), state: Mutex::default() }
    }

    /// This member's handle, if the group is open and it has not taken it yet.
    pub(super) fn take(&self, member: usize) -> Option<Handle> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = state.waiting.get_mut(member).and_then(Option::take);
        state.holding += usize::from(handle.is_some());
        handle
    }

    /// Opens the group, unless a member still holds a handle or is about to take one.
    pub(super) fn open(&self, opener: &Opener) -> Result<(), LiveError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.holding == 0 && state.waiting.iter().all(Option::is_none) {
            state.waiting = opener.open(&self.settings, self.members, self.seed)?.into_iter().map(Some).collect();
            self.broken.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A member has lost its handle or given it up.
    pub(super) fn leave(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.holding = state.holding.saturating_sub(1);
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Whether a member has lost its handle since the group was opened.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}

/// Handles that share one interface's packets out among them.
pub(super) fn open_joined(settings: &LiveSettings, members: usize, seed: u64) -> Result<Vec<Handle>, LiveError> {
    let mut handles: Vec<Handle> = Vec::with_capacity(members);
    let mut group = None;
    for member in 0..members {
        let handle = Handle::open(settings)?;
        // The device counts for all: the first handle asks it.
        let handle = if member == 0 { handle } else { handle.without_losses() };
        group = Some(join(&handle, group, seed).map_err(|error| refused(settings, members, &error))?);
        handles.push(handle);
    }
    let mut wait = settings.block_timeout + RETIREMENT_SLACK;
    for handle in &mut handles {
        handle.empty(settings, wait)?;
        // The others' blocks have had the same time to come out.
        wait = Duration::ZERO;
    }
    // In the order of joining: what the kernel keeps over an interface that goes down and up.
    handles.iter_mut().try_for_each(|handle| handle.begin(settings))?;
    Ok(handles)
}

/// Makes a group of this handle, or joins it to the one with that number.
fn join(handle: &Handle, group: Option<u16>, seed: u64) -> io::Result<u16> {
    let number = sys::join_fanout(handle.socket(), group, handle.is_loopback())?;
    if group.is_none() {
        sys::set_fanout_program(handle.socket(), &fanout::by_addresses(seed))?;
    }
    Ok(number)
}

fn refused(settings: &LiveSettings, members: usize, error: &io::Error) -> LiveError {
    let reason = format!("the kernel does not share its packets out among {members} workers ({error}); use one worker");
    LiveError::Open { interface: settings.interface.clone(), reason }
}
