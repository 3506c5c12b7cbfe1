//! How a live capture is to be opened ([`LiveSettings`]), and all that can go wrong with it ([`LiveError`]).

use std::fmt;
use std::time::Duration;

use super::interfaces::interfaces;

/// What to capture on one interface, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSettings {
    /// The interface's name, or `any`.
    pub interface: String,
    /// Bytes kept of each packet. 256 hold every header; lengths are read from the IP header.
    pub snaplen: u32,
    /// Size of the ring that kernel and process share. libpcap rounds it up to blocks of about 256 KiB.
    pub buffer_bytes: u32,
    /// The longest that a packet waits in an unfilled block, and that a read waits; 1 to 50 ms.
    pub block_timeout: Duration,
    /// Also take packets that are not addressed to the interface.
    pub promiscuous: bool,
    /// A BPF filter (pcap-filter syntax).
    pub filter: Option<String>,
}

impl LiveSettings {
    /// The defaults for one interface: 256 bytes a packet, 32 MiB, 50 ms, not promiscuous, no filter.
    #[must_use]
    pub fn new(interface: impl Into<String>) -> Self {
        Self {
            interface: interface.into(),
            snaplen: 256,
            // A tenth of a second at a million packets a second. The kernel fills all of it with zeros at every opening,
            // which for twice as much costs as much CPU as handling a quarter of a million packets.
            buffer_bytes: 32 << 20,
            block_timeout: MAX_BLOCK_TIMEOUT,
            promiscuous: false,
            filter: None,
        }
    }

    /// # Errors
    /// Names the setting that is out of its range.
    pub fn check(&self) -> Result<(), LiveError> {
        let bad = |what: &'static str, value: String, range: String| Err(LiveError::Setting { what, value, range });
        let timeout = self.block_timeout;
        if !(MIN_BLOCK_TIMEOUT..=MAX_BLOCK_TIMEOUT).contains(&timeout) {
            return bad("block timeout", format!("{timeout:?}"), "1 to 50 milliseconds".to_owned());
        }
        if !(MIN_SNAPLEN..=MAX_SNAPLEN).contains(&self.snaplen) {
            return bad("snaplen", self.snaplen.to_string(), format!("{MIN_SNAPLEN} to {MAX_SNAPLEN} bytes"));
        }
        if !(MIN_BUFFER..=MAX_BUFFER).contains(&self.buffer_bytes) {
            return bad("buffer", self.buffer_bytes.to_string(), format!("{MIN_BUFFER} to {MAX_BUFFER} bytes"));
        }
        Ok(())
    }

    /// The settings of each of several captures that share an interface: together they take the memory that one would.
    pub(super) fn divided(&self, members: usize) -> Self {
        let share = self.buffer_bytes / u32::try_from(members.max(1)).unwrap_or(u32::MAX);
        Self { buffer_bytes: share.max(MIN_BUFFER), ..self.clone() }
    }

    /// libpcap would not open or read: sorted by what the user can do.
    pub(super) fn failed(&self, error: &impl fmt::Display) -> LiveError {
        let interface = self.interface.clone();
        let reason = plain(error);
        if reason.contains("permission") || reason.contains("not permitted") {
            LiveError::Permission { interface, reason }
        } else if reason.contains("No such device") {
            LiveError::NoSuchInterface { interface, available: available() }
        } else if reason.contains("not up") {
            LiveError::NotUp { interface }
        } else {
            LiveError::Open { interface, reason }
        }
    }

    pub(super) fn bad_filter(&self, filter: &str, error: &impl fmt::Display) -> LiveError {
        LiveError::Filter { filter: filter.to_owned(), interface: self.interface.clone(), reason: plain(error) }
    }
}

/// Why a live capture does not open or has stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiveError {
    /// There is no such interface.
    #[error("no interface '{interface}'; there are: {available}")]
    NoSuchInterface {
        /// The name asked for.
        interface: String,
        /// Those that exist.
        available: String,
    },
    /// The interface is switched off.
    #[error("interface '{interface}' is down; bring it up with: ip link set {interface} up")]
    NotUp {
        /// Its name.
        interface: String,
    },
    /// The process may not capture.
    #[error(
        "no permission to capture on '{interface}' ({reason}): the process needs CAP_NET_RAW. Run as root, or once: \
         sudo setcap cap_net_raw+p \"$(command -v flowshrike)\"; in Kubernetes: securityContext.capabilities.add: [NET_RAW]"
    )]
    Permission {
        /// The interface's name.
        interface: String,
        /// libpcap's words.
        reason: String,
    },
    /// The filter does not compile for this interface.
    #[error("filter '{filter}' cannot be used on '{interface}': {reason}")]
    Filter {
        /// The filter's text.
        filter: String,
        /// The interface's name.
        interface: String,
        /// libpcap's words.
        reason: String,
    },
    /// A setting is out of its range.
    #[error("capture {what} {value} is out of range: {range}")]
    Setting {
        /// Which.
        what: &'static str,
        /// As given.
        value: String,
        /// What is allowed.
        range: String,
    },
    /// Anything else that libpcap says while opening.
    #[error("cannot capture on '{interface}': {reason}")]
    Open {
        /// The interface's name.
        interface: String,
        /// libpcap's words.
        reason: String,
    },
    /// The interface disappeared while it was read.
    #[error("capture on '{interface}' stopped: {reason}")]
    Lost {
        /// The interface's name.
        interface: String,
        /// libpcap's words.
        reason: String,
    },
}

impl LiveError {
    /// Waiting may help: the interface is not there, not up, or in an odd state.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoSuchInterface { .. } | Self::NotUp { .. } | Self::Open { .. } | Self::Lost { .. } => true,
            Self::Permission { .. } | Self::Filter { .. } | Self::Setting { .. } => false,
        }
    }
}

/// Names of the interfaces that exist, for a message.
fn available() -> String {
    match interfaces() {
        Ok(all) if !all.is_empty() => all.into_iter().map(|i| i.name).collect::<Vec<_>>().join(", "),
        Ok(_) => "none".to_owned(),
        Err(error) => format!("(cannot be listed: {error})"),
    }
}

/// libpcap's message without the crate's prefix, which says nothing to the user.
pub(super) fn plain(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    text.strip_prefix("libpcap error: ").unwrap_or(&text).to_owned()
}

/// Below a millisecond libpcap has no timeout.
const MIN_BLOCK_TIMEOUT: Duration = Duration::from_millis(1);
/// Above it alerts and shutdown become late.
const MAX_BLOCK_TIMEOUT: Duration = Duration::from_millis(50);
/// Fewer bytes would cut a plain TCP header over IPv4.
const MIN_SNAPLEN: u32 = 64;
/// libpcap's own largest.
const MAX_SNAPLEN: u32 = 262_144;
/// One block; libpcap rounds up.
const MIN_BUFFER: u32 = 4_096;
/// libpcap takes a signed 32-bit size.
const MAX_BUFFER: u32 = 0x7fff_f000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let good = LiveSettings::new("eth0");
        good.check().unwrap();
        let slow = LiveSettings { block_timeout: Duration::from_millis(51), ..good.clone() };
        let none = LiveSettings { block_timeout: Duration::ZERO, ..good.clone() };
        let short = LiveSettings { snaplen: 63, ..good.clone() };
        let huge = LiveSettings { buffer_bytes: u32::MAX, ..good };
        for (settings, words) in [(slow, "51ms"), (none, "block timeout 0ns"), (short, "snaplen 63"), (huge, "buffer")]
        {
            let error = settings.check().unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.may_pass());
        }
    }

    #[test]
    fn libpcap_messages_are_sorted_by_what_helps() {
        let settings = LiveSettings::new("eth9");
        let sort = |text: &str| settings.failed(&pcap::Error::PcapError(text.to_owned()));
        let denied = sort("eth9: You don't have permission to perform this capture on that device (socket: x)");
        assert!(denied.to_string().contains("setcap cap_net_raw+p"), "{denied}");
        assert!(matches!(sort("eth9: That device is not up"), LiveError::NotUp { .. }));
        let missing = sort("eth9: No such device exists (No such device exists)");
        assert!(missing.to_string().contains("there are: lo"), "{missing}");
        assert!(matches!(sort("something else"), LiveError::Open { reason, .. } if reason == "something else"));
    }
}
