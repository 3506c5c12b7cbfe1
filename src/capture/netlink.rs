//! Asks the kernel for its links, addresses and routes (rtnetlink dumps), read-only, for [`super::interfaces`].
//!
//! Netlink rather than /sys: it tells a link's kind and peer, and it answers for the network namespace of
//! the calling thread, whatever is mounted. Needs no privilege. Replies are parsed with checked reads only.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// A routing socket: stays in the network namespace in which it was opened.
#[derive(Debug)]
pub(super) struct Routing(OwnedFd);

impl Routing {
    /// # Errors
    /// Where the process may not open netlink sockets (a seccomp profile, `RestrictAddressFamilies=`).
    pub(super) fn open() -> io::Result<Self> {
        // NETLINK_ROUTE is protocol 0, the default.
        Ok(Self(rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?))
    }

    /// Every link, each message's body after its header.
    pub(super) fn links(&self, each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut body = [0_u8; LINK_HEADER + 8].to_vec();
        // No statistics in the dump: they are most of its bytes.
        put(&mut body, LINK_HEADER, &8_u16.to_ne_bytes());
        put(&mut body, LINK_HEADER + 2, &IFLA_EXT_MASK.to_ne_bytes());
        put(&mut body, LINK_HEADER + 4, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        self.ask(RTM_GETLINK, DUMP, &body, each)
    }

    /// Every address.
    pub(super) fn addresses(&self, each: impl FnMut(&[u8])) -> io::Result<()> {
        self.ask(RTM_GETADDR, DUMP, &[0; ADDRESS_HEADER], each)
    }

    /// Every route of both families.
    pub(super) fn routes(&self, each: impl FnMut(&[u8])) -> io::Result<()> {
        self.ask(RTM_GETROUTE, DUMP, &[0; ROUTE_HEADER], each)
    }

    /// One link with its statistics.
    pub(super) fn link(&self, index: u32, each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut body = [0_u8; LINK_HEADER];
        put(&mut body, 4, &index.to_ne_bytes());
        self.ask(RTM_GETLINK, 0, &body, each)
    }

    /// Sends one request and hands over the body of each message of the reply.
    fn ask(&self, kind: u16, flags: u16, body: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
        let mut request = vec![0_u8; MESSAGE_HEADER];
        request.extend_from_slice(body);
        let length = u32::try_from(request.len()).map_err(io::Error::other)?;
        put(&mut request, 0, &length.to_ne_bytes());
        put(&mut request, 4, &kind.to_ne_bytes());
        put(&mut request, 6, &(NLM_F_REQUEST | flags).to_ne_bytes());
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.0, &request, SendFlags::empty(), &kernel)?;
        let mut buffer = vec![0_u8; REPLY_BYTES];
        loop {
            let (_, length) = rustix::net::recv(&self.0, buffer.as_mut_slice(), RecvFlags::TRUNC)?;
            let reply = buffer.get(..length).ok_or_else(|| io::Error::other("a netlink reply is too long"))?;
            if read_reply(reply, flags & DUMP != 0, &mut each)? {
                return Ok(());
            }
        }
    }
}

/// Walks the messages of one datagram; true when the reply is complete.
fn read_reply(mut rest: &[u8], dump: bool, each: &mut impl FnMut(&[u8])) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(rest, 0), u16_at(rest, 4)) {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let Some(body) = rest.get(MESSAGE_HEADER..length) else {
            return Err(io::Error::other("a netlink reply is cut short"));
        };
        match kind {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let code = u32_at(body, 0).map_or(0, u32::cast_signed);
                return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) };
            }
            _ => each(body),
        }
        if !dump {
            return Ok(true);
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    Ok(false)
}

/// The attributes that follow a message's fixed header: (type, value).
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & ATTRIBUTE_TYPE;
        let value = rest.get(4..length)?;
        rest = rest.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The native-endian 16-bit number at an offset.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// The native-endian 32-bit number at an offset.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// The native-endian 64-bit number at an offset.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// A text attribute, without its closing zero.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned()
}

fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value) {
        *to = *from;
    }
}

/// `struct ifinfomsg`.
pub(super) const LINK_HEADER: usize = 16;
/// `struct ifaddrmsg`.
pub(super) const ADDRESS_HEADER: usize = 8;
/// `struct rtmsg`.
pub(super) const ROUTE_HEADER: usize = 12;
/// `struct nlmsghdr`.
const MESSAGE_HEADER: usize = 16;
/// The kernel fills at most 32 KiB per datagram of a dump; a single link with many virtual functions can be longer.
const REPLY_BYTES: usize = 128 * 1024;

const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
/// `NLM_F_ROOT | NLM_F_MATCH`.
const DUMP: u16 = 0x300;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
/// The upper two bits of an attribute's type are flags.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_thread_may_ask_and_loopback_is_among_the_links() {
        let routing = Routing::open().expect("netlink needs no privilege");
        let mut names = Vec::new();
        routing
            .links(|body| {
                let attributes = attributes(body.get(LINK_HEADER..).unwrap_or_default());
                names.extend(attributes.filter(|(kind, _)| *kind == 3).map(|(_, value)| text(value)));
            })
            .unwrap();
        assert!(names.iter().any(|name| name == "lo"), "{names:?}");
    }

    #[test]
    fn a_link_that_is_not_there_is_an_error() {
        let routing = Routing::open().unwrap();
        assert!(routing.link(0x7fff_fff0, |_| {}).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..200), dump: bool) {
            let mut seen = 0;
            drop(read_reply(&bytes, dump, &mut |body| seen += attributes(body).map(|(_, value)| value.len()).sum::<usize>()));
            prop_assert!(seen <= bytes.len());
        }
    }
}
