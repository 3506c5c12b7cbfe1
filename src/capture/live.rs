//! [`LiveCapture`]: one interface, read through libpcap's TPACKET_V3 ring.
//!
//! Owned by one capture thread. It opens no second interface, makes no thread and reads no clock; choosing
//! interfaces is [`select`](super::select())'s. What it is built around was measured, see docs/capture.md:
//! a libpcap read on a quiet interface does not return at its timeout, so reads never block and the
//! wait is a `poll` of its own; an interface that is deleted is an error at once, after which the capture
//! is blind until [`LiveCapture::try_reopen`] finds it again.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use pcap::{Active, Capture, Linktype};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::interfaces::{Kind, device_losses, interfaces};
use super::netlink::Routing;
use super::select::ANY;
use super::settings::{LiveError, LiveSettings, plain};
use super::stats::{CaptureStats, HandleCounts, Tally};
use super::sys;
use super::{PacketSource, Progress};
use crate::packet::{Frame, LinkType};
use crate::time::Micros;

/// A live capture on one interface.
pub struct LiveCapture {
    settings: LiveSettings,
    /// Absent while the interface is gone.
    handle: Option<Handle>,
    /// It has been open before: opening it now is opening it again.
    lost: bool,
    tally: Tally,
}

impl LiveCapture {
    /// Opens the interface. Takes a little more than the block timeout: the ring is emptied of what came
    /// before the filter stood, so that the counters begin at the first packet that can be delivered.
    ///
    /// # Errors
    /// Bad settings or filter, an interface that does not exist or is down, or no permission.
    pub fn open(settings: LiveSettings) -> Result<Self, LiveError> {
        let mut capture = Self::blind(settings)?;
        capture.attach()?;
        Ok(capture)
    }

    /// A capture that begins blind, for an interface that is expected to come: `read` waits,
    /// [`LiveCapture::try_reopen`] opens.
    ///
    /// # Errors
    /// Bad settings.
    pub fn blind(settings: LiveSettings) -> Result<Self, LiveError> {
        settings.check()?;
        Ok(Self { settings, handle: None, lost: false, tally: Tally::default() })
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
        self.handle.as_ref().map(|handle| handle.link)
    }

    /// Tries to open a lost interface again; true when the capture sees. A blind capture does not try by itself:
    /// the owner decides how often.
    ///
    /// # Errors
    /// What will not mend by waiting: no permission, or a filter that the interface's link type cannot carry.
    pub fn try_reopen(&mut self) -> Result<bool, LiveError> {
        if self.handle.is_some() {
            return Ok(true);
        }
        match self.attach() {
            Ok(()) => Ok(true),
            Err(error) if error.may_pass() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The kernel's ring format: 3 for TPACKET_V3, which everything here is sized for; none while blind.
    #[must_use]
    pub fn ring_version(&self) -> Option<i32> {
        sys::ring_version(self.handle.as_ref()?.capture.as_fd()).ok()
    }

    /// What was seen and lost so far: one `getsockopt` and one netlink request. To be read at least once in
    /// 2^32 packets, since libpcap counts in 32 bits.
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

    fn attach(&mut self) -> Result<(), LiveError> {
        let handle = Handle::open(&self.settings)?;
        self.tally.begin(handle.before, handle.losses().unwrap_or(0));
        self.handle = Some(handle);
        if std::mem::take(&mut self.lost) {
            self.tally.reopened();
        }
        Ok(())
    }

    /// Gives the handle up, with what it could not hand over any more.
    fn lose(&mut self, reason: String) -> LiveError {
        self.stats();
        self.tally.end();
        self.handle = None;
        self.lost = true;
        LiveError::Lost { interface: self.settings.interface.clone(), reason }
    }
}

impl PacketSource for LiveCapture {
    type Error = LiveError;

    /// Waits at most the block timeout for the first frame. A blind source waits it out and is idle.
    ///
    /// # Errors
    /// [`LiveError::Lost`], once, when the interface has disappeared.
    fn read<F: FnMut(Frame<'_>)>(&mut self, max: usize, mut deliver: F) -> Result<Progress, LiveError> {
        let timeout = self.settings.block_timeout;
        let Some(handle) = &mut self.handle else {
            std::thread::sleep(timeout);
            return Ok(Progress::Idle);
        };
        let read = match handle.take(max, &mut deliver) {
            Ok(0) => handle.wait(timeout).and_then(|()| handle.take(max, &mut deliver)),
            read => read,
        };
        match read {
            Ok(0) => Ok(Progress::Idle),
            Ok(frames) => {
                self.tally.delivered(frames);
                Ok(Progress::Delivered)
            }
            Err(reason) => Err(self.lose(reason)),
        }
    }
}

/// One open libpcap handle.
struct Handle {
    capture: Capture<Active>,
    link: LinkType,
    /// None for `any`.
    index: Option<u32>,
    routing: Option<Routing>,
    /// The counters before the first packet that can be delivered.
    before: HandleCounts,
    /// libpcap has refused to go on; the ring may still hold packets.
    ending: bool,
}

impl Handle {
    fn open(settings: &LiveSettings) -> Result<Self, LiveError> {
        let name = settings.interface.as_str();
        let facts = interfaces().unwrap_or_default().into_iter().find(|interface| interface.name == name);
        let mut capture = Capture::from_device(name)
            .map_err(|error| settings.failed(&error))?
            .promisc(settings.promiscuous)
            .snaplen(i32::try_from(settings.snaplen).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(settings.buffer_bytes).unwrap_or(i32::MAX))
            .timeout(i32::try_from(settings.block_timeout.as_millis()).unwrap_or(i32::MAX))
            .immediate_mode(false)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(|error| settings.failed(&error))?;
        if name == ANY {
            capture.set_datalink(SLL2).map_err(|error| settings.failed(&error))?;
        }
        let link = u32::try_from(capture.get_datalink().0).map_or(LinkType::Other(u32::MAX), LinkType::from_number);
        let index = facts.as_ref().map(|facts| facts.index);
        let loopback = facts.is_some_and(|facts| facts.kind == Kind::Loopback);
        let mut handle = Self {
            capture,
            link,
            index,
            routing: Routing::open().ok(),
            before: HandleCounts::default(),
            ending: false,
        };
        handle.set_filter(settings, loopback)?;
        Ok(handle)
    }

    /// Puts the filter in place so that every packet that the kernel counts can be delivered: first a filter
    /// that lets nothing in, then the ring is emptied, then the real one.
    fn set_filter(&mut self, settings: &LiveSettings, loopback: bool) -> Result<(), LiveError> {
        let wanted = settings.filter.as_deref().map(str::trim).filter(|text| !text.is_empty());
        if let Some(text) = wanted {
            self.capture.compile(text, true).map_err(|error| settings.bad_filter(text, &error))?;
        }
        self.capture.filter(NOTHING, true).map_err(|error| settings.failed(&error))?;
        while self.ready(settings.block_timeout + RETIREMENT_SLACK).map_err(|error| settings.failed(&error))? {
            self.take(usize::MAX, &mut |_| {}).map_err(|reason| settings.failed(&reason))?;
        }
        if loopback {
            // An older kernel counts twice; nothing else is wrong with it.
            drop(sys::ignore_outgoing(self.capture.as_fd()));
        }
        // Where the kernel will not, packets are stamped a little later, when they are copied into the ring.
        drop(sys::stamp_on_arrival(self.capture.as_fd()));
        let program = match (self.index, wanted) {
            (None, Some(wanted)) => format!("({ONCE_ON_ANY}) and ({wanted})"),
            (None, None) => ONCE_ON_ANY.to_owned(),
            (Some(_), wanted) => wanted.unwrap_or_default().to_owned(),
        };
        // Taken while nothing is let in: a packet between the filter and the counters would be delivered and not counted.
        self.before = self.counts().map_err(|error| settings.failed(&error))?;
        self.capture.filter(&program, true).map_err(|error| settings.bad_filter(&program, &error))
    }

    /// Hands over what lies in the ring, at most `max` frames; never waits.
    fn take<F: FnMut(Frame<'_>)>(&mut self, max: usize, deliver: &mut F) -> Result<u64, String> {
        let link = self.link;
        let max = max.clamp(1, MOST_FRAMES);
        let taken = self.capture.dispatch(Some(max), |packet| {
            let header = packet.header;
            let time = Micros(header.ts.tv_sec.saturating_mul(1_000_000).saturating_add(header.ts.tv_usec));
            let captured = u32::try_from(packet.data.len()).unwrap_or(u32::MAX);
            deliver(Frame { time, data: packet.data, wire_len: header.len.max(captured), link });
        });
        match taken {
            Ok(frames) => Ok(u64::try_from(frames).unwrap_or(u64::MAX)),
            Err(error) if self.ending => Err(plain(&error)),
            Err(error) => {
                // What the last block holds comes out when its time is up.
                self.ending = true;
                let waited = self.wait(BLOCK_LINGER);
                match waited.and_then(|()| self.take(max, deliver)) {
                    Ok(0) | Err(_) => Err(plain(&error)),
                    Ok(frames) => Ok(frames),
                }
            }
        }
    }

    /// Waits until the ring holds a block, or the timeout has passed, or a signal came.
    fn wait(&mut self, timeout: Duration) -> Result<(), String> {
        self.ready(timeout).map(|_| ()).map_err(|error| error.to_string())
    }

    fn ready(&mut self, timeout: Duration) -> io::Result<bool> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(timeout.subsec_nanos()) };
        match poll(&mut [PollFd::new(&self.capture, PollFlags::IN)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn counts(&mut self) -> Result<HandleCounts, pcap::Error> {
        // ps_if_dropped is left aside: libpcap fills it in promiscuous mode only.
        self.capture.stats().map(|stats| HandleCounts { received: stats.received, dropped: stats.dropped })
    }

    fn losses(&self) -> Option<u64> {
        device_losses(self.routing.as_ref()?, self.index?).ok()
    }
}

/// No packet is zero bytes long.
const NOTHING: &str = "less 0";
/// The kernel shows each packet on the loopback device twice, going out and coming in; libpcap hides the first from
/// its caller, but it has been counted and has taken room in the ring. On `lo` alone a socket option keeps it out.
/// On `any` this filter does (number 1 is the loopback device in every network namespace), and the link type is
/// SLL2 because its header holds both fields: libpcap applies a new filter to the first block itself, and would
/// find neither in an SLL header.
const ONCE_ON_ANY: &str = "not (outbound and ifindex 1)";
/// LINKTYPE_LINUX_SLL2.
const SLL2: Linktype = Linktype(276);
/// The longest block timeout and the slack after it.
const BLOCK_LINGER: Duration = Duration::from_millis(60);
/// How long after its timeout the kernel may take to hand a block over.
const RETIREMENT_SLACK: Duration = Duration::from_millis(10);
/// Frames in one libpcap call at most, far above any batch that a caller asks for.
const MOST_FRAMES: usize = 1 << 20;
