//! Made-up traffic, packet by packet, with times: conversations are written down as they would be told, and the
//! packets come out in the order of their times.
//!
//! ```ignore
//! let mut t = Traffic::new(7);
//! t.tcp("10.244.1.5:40000", "10.96.0.20:80").at(1.0).request(120).response(4_000).close();
//! t.udp("10.244.1.5:50000", "10.96.0.10:53").at(0.5).request(40).response(120);
//! t.echo("10.244.1.1", "10.244.1.5").at(2.0).times(3);
//! t.write_pcap(&path);
//! ```
//! Conversations may overlap: each has a clock of its own. Same seed and same calls, same bytes.

mod datagram;
mod encapsulation;
mod packet;
mod sweep;
mod tcp;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::capture_file::{Captured, Pcap};
use super::random::Random;

pub use datagram::{Echo, Udp};
pub use encapsulation::Link;
pub use packet::{Options, Packet, Segment};
pub use sweep::Sweep;
pub use tcp::{Side, Tcp};

/// A capture in the making.
#[derive(Debug)]
pub struct Traffic {
    packets: Vec<Packet>,
    random: Random,
}

/// Gaps between the packets of a conversation, in µs from least to greatest.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two packets that one host sends back to back.
    pub same: (i64, i64),
    /// Until the other host's kernel answers.
    pub turn: (i64, i64),
    /// Until the other host's program answers.
    pub think: (i64, i64),
}

impl Pace {
    /// Two pods of one node: as fast as the kernel hands packets over.
    pub const NODE: Self = Self { same: (3, 9), turn: (6, 24), think: (40, 160) };
    /// Two nodes of one cluster.
    pub const CLUSTER: Self = Self { same: (2, 12), turn: (120, 320), think: (400, 2_500) };
    /// A host far away.
    pub const WIDE: Self = Self { same: (5, 60), turn: (18_000, 26_000), think: (22_000, 60_000) };
}

/// When captures begin: 2026-01-15 09:00:00 UTC, in µs.
pub const START: i64 = 1_768_467_600_000_000;

impl Traffic {
    /// An empty capture; `seed` decides every random gap, number and filler byte.
    pub const fn new(seed: u64) -> Self {
        Self { packets: Vec::new(), random: Random::new(seed) }
    }

    /// A TCP conversation; the handshake goes before its first data. See [`Tcp`].
    pub fn tcp(&mut self, client: impl IntoEndpoint, server: impl IntoEndpoint) -> Tcp<'_> {
        Tcp::new(self, client.endpoint(), server.endpoint())
    }

    /// A UDP exchange. See [`Udp`].
    pub fn udp(&mut self, client: impl IntoEndpoint, server: impl IntoEndpoint) -> Udp<'_> {
        Udp::new(self, client.endpoint(), server.endpoint())
    }

    /// ICMP or ICMPv6 echo, as the addresses have it. See [`Echo`].
    pub fn echo(&mut self, from: &str, to: &str) -> Echo<'_> {
        Echo::new(self, address(from), address(to))
    }

    /// A port sweep. See [`Sweep`].
    pub fn sweep(&mut self, from: &str, to: &str) -> Sweep<'_> {
        Sweep::new(self, address(from), address(to))
    }

    /// One TCP segment, for conversations that no builder tells. `at` is in seconds after [`START`].
    pub fn segment(&mut self, at: f64, segment: &Segment<'_>) -> &mut Self {
        self.push(Packet::tcp(instant(at), segment));
        self
    }

    /// Any packet: `at` in seconds after [`START`], the EtherType, and the bytes behind the link header.
    pub fn raw(&mut self, at: f64, ether_type: u16, bytes: &[u8]) -> &mut Self {
        self.push(Packet::raw(instant(at), ether_type, bytes.to_vec()));
        self
    }

    /// The packets in the order of their times; equal times keep the order of the calls.
    pub fn packets(&self) -> Vec<&Packet> {
        let mut sorted: Vec<_> = self.packets.iter().collect();
        sorted.sort_by_key(|packet| packet.time);
        sorted
    }

    /// The packets as frames of a link type. A link type without EtherTypes leaves out what is not IP.
    pub fn frames(&self, link: Link) -> Vec<Captured> {
        self.packets().into_iter().filter_map(|packet| link.frame(packet)).collect()
    }

    /// Takes out the packets before a time, in seconds after [`START`], in the order of their times. For captures too large
    /// to be held: conversations are told in the order of their beginnings, and what lies before the next one is final.
    pub fn take_before(&mut self, seconds: f64) -> Vec<Packet> {
        let end = instant(seconds);
        let (mut taken, kept): (Vec<_>, Vec<_>) = self.packets.drain(..).partition(|packet| packet.time < end);
        self.packets = kept;
        taken.sort_by_key(|packet| packet.time);
        taken
    }

    /// Writes an Ethernet capture: classic pcap, microseconds, little-endian, whole frames.
    pub fn write_pcap(&self, path: &Path) {
        let bytes = Pcap::default().write(&self.frames(Link::Ethernet));
        std::fs::write(path, bytes).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// The source of this capture's random choices.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    fn push(&mut self, packet: Packet) {
        self.packets.push(packet);
    }

    /// A gap in µs.
    fn gap(&mut self, (low, high): (i64, i64)) -> i64 {
        self.random.between(low, high)
    }
}

/// What names an address and a port: `"10.0.0.1:80"`, `"[fd00::1]:80"`, `("10.0.0.1", 80)`, a [`SocketAddr`].
pub trait IntoEndpoint {
    /// The address and port.
    fn endpoint(self) -> SocketAddr;
}

impl IntoEndpoint for &str {
    fn endpoint(self) -> SocketAddr {
        self.parse().unwrap_or_else(|_| panic!("`{self}` is no address with a port"))
    }
}

impl IntoEndpoint for (&str, u16) {
    fn endpoint(self) -> SocketAddr {
        SocketAddr::new(address(self.0), self.1)
    }
}

impl IntoEndpoint for SocketAddr {
    fn endpoint(self) -> SocketAddr {
        self
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no address"))
}

/// Seconds after [`START`] as µs since the epoch.
fn instant(seconds: f64) -> i64 {
    START + micros(seconds)
}

/// Seconds as whole µs.
#[expect(clippy::cast_possible_truncation, reason = "times of a test capture, a few hours at most")]
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6).round() as i64
}
