//! [`LiveCapture`]: one interface, or one member's share of it, read through libpcap's TPACKET_V3 ring.
//!
//! Owned by one capture thread. It opens no second interface, makes no thread and reads no clock; choosing
//! interfaces is [`select`](super::select())'s. What it is built around was measured, see docs/capture.md:
//! a libpcap read on a quiet interface does not return at its timeout, so reads never block and the
//! wait is a `poll` of its own; an interface that is deleted is an error at once, after which the capture
//! is blind until [`LiveCapture::try_reopen`] finds it again.

use std::sync::Arc;
use std::time::Duration;

use super::group::Group;
use super::handle::Handle;
use super::opener::Opener;
use super::settings::{LiveError, LiveSettings};
use super::stats::{CaptureStats, Tally};
use super::sys;
use super::{PacketSource, Progress};
use crate::packet::{Frame, LinkType};

/// A live capture on one interface.
pub struct LiveCapture {
    settings: LiveSettings,
    opener: Opener,
    /// Absent while the interface is gone.
    handle: Option<Handle>,
    /// It has been open before: opening it now is opening it again.
    lost: bool,
    tally: Tally,
    /// The last read took as much as a wake-up is worth: the next has a rest before it asks for more.
    busy: bool,
    /// Its place among several captures of the same interface.
    place: Option<Place>,
}

/// A member of a group.
struct Place {
    group: Arc<Group>,
    member: usize,
}

impl LiveCapture {
    /// Opens the interface. Takes a little more than the block timeout: the ring is emptied of what came
    /// before the filter stood, so that the counters begin at the first packet that can be delivered.
    ///
    /// # Errors
    /// Bad settings or filter, an interface that does not exist or is down, or no permission.
    pub fn open(settings: LiveSettings) -> Result<Self, LiveError> {
        Self::open_by(&Opener::default(), settings)
    }

    /// As [`LiveCapture::open`], by an opener, which also opens the interface again after it was lost.
    ///
    /// # Errors
    /// As [`LiveCapture::open`].
    pub fn open_by(opener: &Opener, settings: LiveSettings) -> Result<Self, LiveError> {
        let mut capture = Self { opener: opener.clone(), ..Self::blind(settings)? };
        let handle = capture.open_alone()?;
        capture.attach(handle);
        Ok(capture)
    }

    /// Opens the interface that many times over, so that each of several threads reads its share of the packets
    /// (PACKET_FANOUT): each packet comes to one member, and all packets between two addresses to the same one.
    /// The ring's size is divided among them. `seed` keys the hash of the addresses. One member is a plain capture.
    ///
    /// # Errors
    /// As [`LiveCapture::open`], or a kernel that does not share packets out.
    pub fn open_group(settings: LiveSettings, members: usize, seed: u64) -> Result<Vec<Self>, LiveError> {
        Self::open_group_by(&Opener::default(), settings, members, seed)
    }

    /// As [`LiveCapture::open_group`], by an opener, which also opens the interface again after it was lost.
    ///
    /// # Errors
    /// As [`LiveCapture::open_group`].
    pub fn open_group_by(
        opener: &Opener,
        settings: LiveSettings,
        members: usize,
        seed: u64,
    ) -> Result<Vec<Self>, LiveError> {
        if members <= 1 {
            return Self::open_by(opener, settings).map(|capture| vec![capture]);
        }
        settings.check()?;
        let group = Arc::new(Group::new(settings.divided(members), members, seed));
        group.open(opener)?;
        let member = |member| {
            let place = Place { group: Arc::clone(&group), member };
            let blind = Self::blind(settings.divided(members))?;
            let mut capture = Self { place: Some(place), opener: opener.clone(), ..blind };
            capture.pick_up();
            Ok(capture)
        };
        (0..members).map(member).collect()
    }

    /// A capture that begins blind, for an interface that is expected to come: `read` waits,
    /// [`LiveCapture::try_reopen`] opens.
    ///
    /// # Errors
    /// Bad settings.
    pub fn blind(settings: LiveSettings) -> Result<Self, LiveError> {
        settings.check()?;
        let (opener, tally) = (Opener::default(), Tally::default());
        Ok(Self { settings, opener, handle: None, lost: false, tally, busy: false, place: None })
    }

    /// What it was opened with.
    #[must_use]
    pub fn settings(&self) -> &LiveSettings {
        &self.settings
    }

    /// The interface is gone; no packet can come until it is opened again.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.handle.is_none()
    }

    /// How frames of this capture begin; none while blind. It may change over a re-open.
    #[must_use]
    pub fn link_type(&self) -> Option<LinkType> {
        self.handle.as_ref().map(Handle::link)
    }

    /// Tries to open a lost interface again; true when the capture sees. A blind capture does not try by itself:
    /// the owner decides how often. A group is opened by whichever member asks once all have lost it; the others
    /// see again at their next read.
    ///
    /// # Errors
    /// What will not mend by waiting: no permission, or a filter that the interface's link type cannot carry.
    pub fn try_reopen(&mut self) -> Result<bool, LiveError> {
        if self.handle.is_some() {
            return Ok(true);
        }
        let opened = match &self.place {
            Some(place) => place.group.open(&self.opener).map(|()| self.pick_up()),
            None => self.open_alone().map(|handle| self.attach(handle)),
        };
        match opened {
            Ok(()) => Ok(!self.is_blind()),
            Err(error) if error.may_pass() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The kernel's ring format: 3 for TPACKET_V3, which everything here is sized for; none while blind.
    #[must_use]
    pub fn ring_version(&self) -> Option<i32> {
        sys::ring_version(self.handle.as_ref()?.socket()).ok()
    }

    /// What was seen and lost so far: one `getsockopt` and one netlink request. To be read at least once in
    /// 2^32 packets, since libpcap counts in 32 bits. The members of a group count their own packets; what the device
    /// lost and re-opens are counted by the first alone, so that the sum over all is right.
    pub fn stats(&mut self) -> CaptureStats {
        if let Some(handle) = &mut self.handle {
            if let Ok(counts) = handle.counts() {
                self.tally.kernel(counts);
            }
            if let Some(losses) = handle.losses() {
                self.tally.interface(losses);
            }
        }
        self.tally.total()
    }

    fn open_alone(&self) -> Result<Handle, LiveError> {
        let mut opened = self.opener.open(&self.settings, 1, 0)?;
        opened.pop().ok_or_else(|| self.settings.failed(&"nothing was opened"))
    }

    /// Takes its handle of a group that has been opened.
    fn pick_up(&mut self) {
        if let Some(handle) = self.place.as_ref().and_then(|place| place.group.take(place.member)) {
            self.attach(handle);
        }
    }

    fn attach(&mut self, handle: Handle) {
        self.tally.begin(handle.before(), handle.losses().unwrap_or(0));
        self.handle = Some(handle);
        let counts_reopens = self.place.as_ref().is_none_or(|place| place.member == 0);
        if std::mem::take(&mut self.lost) && counts_reopens {
            self.tally.reopened();
        }
    }

    /// Gives the handle up, with what it could not hand over any more.
    fn lose(&mut self, reason: String) -> LiveError {
        self.stats();
        self.tally.end();
        self.handle = None;
        self.lost = true;
        if let Some(place) = &self.place {
            place.group.leave();
        }
        LiveError::Lost { interface: self.settings.interface.clone(), reason }
    }
}

impl PacketSource for LiveCapture {
    type Error = LiveError;

    /// Waits at most the block timeout for the first frame. A blind source waits it out and is idle.
    ///
    /// # Errors
    /// [`LiveError::Lost`], once, when the interface has disappeared, for another member of its group also.
    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, mut deliver: F) -> Result<Progress, LiveError> {
        let timeout = self.settings.block_timeout;
        let Some(handle) = &mut self.handle else {
            std::thread::sleep(timeout);
            self.pick_up();
            return Ok(Progress::Idle);
        };
        let mut read = handle.take(max, &mut deliver);
        if read == Ok(0) && std::mem::take(&mut self.busy) {
            // Blocks fill faster than a thread wakes: several at a time cost one wake-up.
            std::thread::sleep(rest(&self.settings));
            read = handle.take(max, &mut deliver);
        }
        if read == Ok(0) {
            read = handle.wait(timeout).and_then(|()| handle.take(max, &mut deliver));
        }
        match read {
            Ok(0) if self.place.as_ref().is_some_and(|place| place.group.is_broken()) => {
                Err(self.lose("another worker has lost it".to_owned()))
            }
            Ok(0) => Ok(Progress::Idle),
            Ok(frames) => {
                self.tally.delivered(frames);
                self.busy = frames >= BUSY;
                Ok(Progress::Delivered)
            }
            Err(reason) => Err(self.lose(reason)),
        }
    }
}

/// How long a busy capture lets its ring fill before it looks again: as long as the fastest traffic takes to fill an eighth.
fn rest(settings: &LiveSettings) -> Duration {
    Duration::from_micros(u64::from(settings.buffer_bytes / 8 / FASTEST_FILL)).min(settings.block_timeout)
}

/// Frames of a read after which more are expected soon: a part of a block of 256 KiB.
const BUSY: u64 = 128;
/// Bytes of the ring that a microsecond fills at most: over five million packets a second of 256 bytes and their headers.
const FASTEST_FILL: u32 = 2_000;
