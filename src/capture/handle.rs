//! [`Handle`]: one open libpcap handle, from the closed door at its opening to the last packet in its ring.
//!
//! A handle opens with a filter that lets nothing in, so that a fanout group can be joined in between and that every
//! packet which the kernel counts can be delivered: [`Handle::open`], [`Handle::empty`], [`Handle::begin`]. Owned by
//! [`LiveCapture`](super::LiveCapture); what a lost one means is decided there.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use pcap::{Active, Capture, Linktype};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::interfaces::{Kind, device_losses, interfaces};
use super::netlink::Routing;
use super::select::ANY;
use super::settings::{LiveError, LiveSettings, plain};
use super::stats::HandleCounts;
use super::sys;
use crate::packet::{Frame, LinkType};
use crate::time::Micros;

/// One open libpcap handle.
pub(super) struct Handle {
    capture: Capture<Active>,
    link: LinkType,
    /// None for `any`.
    index: Option<u32>,
    loopback: bool,
    /// None where another handle counts the device's losses.
    routing: Option<Routing>,
    /// The counters before the first packet that can be delivered.
    before: HandleCounts,
    /// libpcap has refused to go on; the ring may still hold packets.
    ending: bool,
}

impl Handle {
    /// A handle that lets nothing in yet; what came before that lies in its ring.
    pub(super) fn open(settings: &LiveSettings) -> Result<Self, LiveError> {
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
        if let Some(text) = wanted(settings) {
            capture.compile(text, true).map_err(|error| settings.bad_filter(text, &error))?;
        }
        capture.filter(NOTHING, true).map_err(|error| settings.failed(&error))?;
        let link = u32::try_from(capture.get_datalink().0).map_or(LinkType::Other(u32::MAX), LinkType::from_number);
        Ok(Self {
            capture,
            link,
            index: facts.as_ref().map(|facts| facts.index),
            loopback: facts.is_some_and(|facts| facts.kind == Kind::Loopback),
            routing: Routing::open().ok(),
            before: HandleCounts::default(),
            ending: false,
        })
    }

    /// Throws away what lies in the ring; ends once nothing more has come for as long as `wait`.
    pub(super) fn empty(&mut self, settings: &LiveSettings, wait: Duration) -> Result<(), LiveError> {
        while self.ready(wait).map_err(|error| settings.failed(&error))? {
            self.take(usize::MAX, &mut |_| {}).map_err(|reason| settings.failed(&reason))?;
        }
        Ok(())
    }

    /// Lets packets in.
    pub(super) fn begin(&mut self, settings: &LiveSettings) -> Result<(), LiveError> {
        if self.loopback {
            // An older kernel counts twice; nothing else is wrong with it.
            drop(sys::ignore_outgoing(self.capture.as_fd()));
        }
        // Where the kernel will not, packets are stamped a little later, when they are copied into the ring.
        drop(sys::stamp_on_arrival(self.capture.as_fd()));
        let program = match (self.index, wanted(settings)) {
            (None, Some(wanted)) => format!("({ONCE_ON_ANY}) and ({wanted})"),
            (None, None) => ONCE_ON_ANY.to_owned(),
            (Some(_), wanted) => wanted.unwrap_or_default().to_owned(),
        };
        // Taken while nothing is let in: a packet between the filter and the counters would be delivered and not counted.
        self.before = self.counts().map_err(|error| settings.failed(&error))?;
        self.capture.filter(&program, true).map_err(|error| settings.bad_filter(&program, &error))
    }

    /// Leaves the device's losses to another handle on the same interface.
    pub(super) fn without_losses(mut self) -> Self {
        self.routing = None;
        self
    }

    /// How its frames begin.
    pub(super) const fn link(&self) -> LinkType {
        self.link
    }

    /// Whether it captures on the host's own loopback device.
    pub(super) const fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// The counters at [`Handle::begin`].
    pub(super) const fn before(&self) -> HandleCounts {
        self.before
    }

    /// The packet socket.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.capture.as_fd()
    }

    /// Hands over what lies in the ring, at most `max` frames; never waits.
    pub(super) fn take<F: FnMut(Frame<'_>)>(&mut self, max: usize, deliver: &mut F) -> Result<u64, String> {
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
    pub(super) fn wait(&mut self, timeout: Duration) -> Result<(), String> {
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

    /// The kernel's counters as they stand.
    pub(super) fn counts(&mut self) -> Result<HandleCounts, pcap::Error> {
        // ps_if_dropped is left aside: libpcap fills it in promiscuous mode only.
        self.capture.stats().map(|stats| HandleCounts { received: stats.received, dropped: stats.dropped })
    }

    /// Packets that the device has lost; none where it cannot be told or is told elsewhere.
    pub(super) fn losses(&self) -> Option<u64> {
        device_losses(self.routing.as_ref()?, self.index?).ok()
    }
}

/// The filter that was asked for, if one was.
fn wanted(settings: &LiveSettings) -> Option<&str> {
    settings.filter.as_deref().map(str::trim).filter(|text| !text.is_empty())
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
pub(super) const RETIREMENT_SLACK: Duration = Duration::from_millis(10);
/// Frames in one libpcap call at most, far above any batch that a caller asks for.
const MOST_FRAMES: usize = 1 << 20;
