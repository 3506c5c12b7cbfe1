//! [`Opener`]: where captures are opened: in the thread that asks, or in one thread that kept the right to while all
//! others gave it up.
//!
//! That thread waits for requests, opens what they name, and does nothing else: it reads no packet. It ends with the
//! last opener that leads to it.

use std::io;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::group::open_joined;
use super::handle::{Handle, RETIREMENT_SLACK};
use super::settings::{LiveError, LiveSettings};

/// Opens captures. The default does so in the thread that asks.
#[derive(Clone, Debug, Default)]
pub struct Opener(Option<Sender<Request>>);

/// Handles that are to be opened, and who waits for them.
#[derive(Debug)]
struct Request {
    settings: LiveSettings,
    members: usize,
    seed: u64,
    reply: Sender<Result<Vec<Handle>, LiveError>>,
}

impl Opener {
    /// An opener with a thread of its own, which has the rights that the calling thread has now. It runs `confine`
    /// first; this call returns when that is done, with what it gave.
    ///
    /// # Errors
    /// No thread is to be had, or it ended in `confine`.
    pub fn in_own_thread<T: Send + 'static>(confine: impl FnOnce() -> T + Send + 'static) -> io::Result<(Self, T)> {
        let (requests, waiting) = bounded::<Request>(REQUESTS);
        let (confined, is_confined) = bounded(1);
        let work = move || {
            // Nobody can have hung up yet: the caller waits.
            confined.send(confine()).ok();
            serve(&waiting);
        };
        thread::Builder::new().name(THREAD.to_owned()).spawn(work)?;
        let confined = is_confined.recv().map_err(io::Error::other)?;
        Ok((Self(Some(requests)), confined))
    }

    /// One handle; or several that share the interface's packets out among them.
    pub(super) fn open(&self, settings: &LiveSettings, members: usize, seed: u64) -> Result<Vec<Handle>, LiveError> {
        let Some(requests) = &self.0 else { return open(settings, members, seed) };
        let (reply, opened) = bounded(1);
        let gone = || LiveError::Open {
            interface: settings.interface.clone(),
            reason: "the thread that opens captures has ended".to_owned(),
        };
        let request = Request { settings: settings.clone(), members, seed, reply };
        requests.send(request).map_err(|_| gone())?;
        opened.recv().map_err(|_| gone())?
    }
}

fn serve(requests: &Receiver<Request>) {
    for Request { settings, members, seed, reply } in requests {
        // Who has gone away meanwhile needs no handle.
        reply.send(open(&settings, members, seed)).ok();
    }
}

fn open(settings: &LiveSettings, members: usize, seed: u64) -> Result<Vec<Handle>, LiveError> {
    if members > 1 {
        return open_joined(settings, members, seed);
    }
    let mut handle = Handle::open(settings)?;
    handle.empty(settings, settings.block_timeout + RETIREMENT_SLACK)?;
    handle.begin(settings)?;
    Ok(vec![handle])
}

/// The thread's name; the kernel keeps 15 bytes of it.
const THREAD: &str = "capture-opener";
/// Requests that may wait: each reader has at most one.
const REQUESTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_thread_is_confined_first_and_answers_each_request() {
        let (opener, name) =
            Opener::in_own_thread(|| thread::current().name().map(str::to_owned)).expect("a thread is to be had");
        assert_eq!(name.as_deref(), Some(THREAD));
        for _ in 0..2 {
            let error = opener.clone().open(&LiveSettings::new("no-such-device0"), 1, 0).err();
            assert!(
                matches!(error, Some(LiveError::NoSuchInterface { .. } | LiveError::Permission { .. })),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_thread_that_has_ended_is_an_error() {
        let (requests, waiting) = bounded(1);
        drop(waiting);
        let error = Opener(Some(requests)).open(&LiveSettings::new("lo"), 1, 0).err().expect("nobody opens");
        assert!(error.to_string().contains("has ended"), "{error}");
    }
}
