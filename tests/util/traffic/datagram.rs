//! Exchanges without connections: UDP and echo.

use std::net::{IpAddr, SocketAddr};

use super::packet::Packet;
use super::{Pace, Traffic, instant, micros};

/// A UDP exchange that is being written down.
#[derive(Debug)]
pub struct Udp<'t> {
    traffic: &'t mut Traffic,
    clock: i64,
    pace: Pace,
    client: SocketAddr,
    server: SocketAddr,
}

impl<'t> Udp<'t> {
    pub(super) fn new(traffic: &'t mut Traffic, client: SocketAddr, server: SocketAddr) -> Self {
        Self { traffic, clock: instant(0.0), pace: Pace::NODE, client, server }
    }

    /// Moves this exchange's clock to a time, in seconds after the capture's start.
    pub fn at(&mut self, seconds: f64) -> &mut Self {
        self.clock = instant(seconds);
        self
    }

    /// Lets time pass, in seconds.
    pub fn wait(&mut self, seconds: f64) -> &mut Self {
        self.clock += micros(seconds);
        self
    }

    /// How fast both sides are.
    pub const fn pace(&mut self, pace: Pace) -> &mut Self {
        self.pace = pace;
        self
    }

    /// One datagram of that many bytes from the client.
    pub fn request(&mut self, bytes: usize) -> &mut Self {
        self.ask(&vec![b'q'; bytes])
    }

    /// One datagram of that many bytes from the server, after it has thought.
    pub fn response(&mut self, bytes: usize) -> &mut Self {
        self.answer(&vec![b'r'; bytes])
    }

    /// One datagram from the client.
    pub fn ask(&mut self, data: &[u8]) -> &mut Self {
        self.traffic.push(Packet::udp(self.clock, self.client, self.server, data));
        self.clock += self.traffic.gap(self.pace.same);
        self
    }

    /// One datagram from the server, after it has thought.
    pub fn answer(&mut self, data: &[u8]) -> &mut Self {
        self.clock += self.traffic.gap(self.pace.think);
        self.traffic.push(Packet::udp(self.clock, self.server, self.client, data));
        self.clock += self.traffic.gap(self.pace.same);
        self
    }
}

/// Pings that are being written down.
#[derive(Debug)]
pub struct Echo<'t> {
    traffic: &'t mut Traffic,
    clock: i64,
    pace: Pace,
    from: IpAddr,
    to: IpAddr,
    answered: bool,
}

impl<'t> Echo<'t> {
    pub(super) fn new(traffic: &'t mut Traffic, from: IpAddr, to: IpAddr) -> Self {
        Self { traffic, clock: instant(0.0), pace: Pace::NODE, from, to, answered: true }
    }

    /// When the first request leaves, in seconds after the capture's start.
    pub fn at(&mut self, seconds: f64) -> &mut Self {
        self.clock = instant(seconds);
        self
    }

    /// How fast both sides are.
    pub const fn pace(&mut self, pace: Pace) -> &mut Self {
        self.pace = pace;
        self
    }

    /// Nobody answers.
    pub const fn unanswered(&mut self) -> &mut Self {
        self.answered = false;
        self
    }

    /// Sends that many requests, one a second, 56 bytes of data each.
    pub fn times(&mut self, count: u16) -> &mut Self {
        let id = u16::try_from(self.traffic.random().next() >> 48).expect("16 bits");
        for seq in 1..=count {
            let sent = self.clock;
            self.traffic.push(Packet::echo(sent, self.from, self.to, false, (id, seq), &[0x55; 56]));
            if self.answered {
                let back = sent + self.traffic.gap(self.pace.turn);
                self.traffic.push(Packet::echo(back, self.to, self.from, true, (id, seq), &[0x55; 56]));
            }
            self.clock = sent + micros(1.0);
        }
        self
    }
}
