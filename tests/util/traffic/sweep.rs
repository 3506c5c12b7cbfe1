//! A half-open port sweep: one SYN a port; a closed port answers RST, an open one SYN-ACK, which the scanner resets.

use std::net::{IpAddr, SocketAddr};

use super::packet::{Options, Packet, Segment};
use super::{Pace, Traffic, instant};

/// A sweep that is being written down.
#[derive(Debug)]
pub struct Sweep<'t> {
    traffic: &'t mut Traffic,
    clock: i64,
    pace: Pace,
    every: (i64, i64),
    from: SocketAddr,
    to: IpAddr,
    open: Vec<u16>,
    silent: bool,
}

impl<'t> Sweep<'t> {
    pub(super) fn new(traffic: &'t mut Traffic, from: IpAddr, to: IpAddr) -> Self {
        let port = u16::try_from(traffic.random().between(33_000, 60_000)).expect("a port");
        Self {
            traffic,
            clock: instant(0.0),
            pace: Pace::NODE,
            every: (400, 1_600),
            from: SocketAddr::new(from, port),
            to,
            open: Vec::new(),
            silent: false,
        }
    }

    /// When the first probe leaves, in seconds after the capture's start.
    pub fn at(&mut self, seconds: f64) -> &mut Self {
        self.clock = instant(seconds);
        self
    }

    /// How fast the target answers.
    pub const fn pace(&mut self, pace: Pace) -> &mut Self {
        self.pace = pace;
        self
    }

    /// Gap between probes, µs from least to greatest.
    pub const fn every(&mut self, least: i64, greatest: i64) -> &mut Self {
        self.every = (least, greatest);
        self
    }

    /// Ports that are open.
    pub fn open(&mut self, ports: &[u16]) -> &mut Self {
        self.open = ports.to_vec();
        self
    }

    /// A firewall drops probes of closed ports instead of answering them.
    pub const fn silent(&mut self) -> &mut Self {
        self.silent = true;
        self
    }

    /// Probes the ports in the order given.
    pub fn ports(&mut self, ports: impl IntoIterator<Item = u16>) -> &mut Self {
        for port in ports {
            self.probe(port);
            self.clock += self.traffic.gap(self.every);
        }
        self
    }

    fn probe(&mut self, port: u16) {
        let to = SocketAddr::new(self.to, port);
        let number = |traffic: &mut Traffic| u32::try_from(traffic.random().next() >> 32).expect("32 bits");
        let (ours, theirs) = (number(self.traffic), number(self.traffic));
        let syn = Segment {
            from: self.from,
            to,
            flags: "S",
            seq: ours,
            ack: 0,
            window: 1_024,
            options: Options::SegmentSize,
            data: &[],
        };
        let acked = ours.wrapping_add(1);
        let answer = Segment { from: to, to: self.from, ack: acked, ..syn };
        self.traffic.push(Packet::tcp(self.clock, &syn));
        let answered = self.clock + self.traffic.gap(self.pace.turn);
        if self.open.contains(&port) {
            let syn_ack = Segment { flags: "SA", seq: theirs, window: 64_240, ..answer };
            self.traffic.push(Packet::tcp(answered, &syn_ack));
            let rst = Segment { flags: "R", seq: acked, window: 0, options: Options::None, ..syn };
            let last = answered + self.traffic.gap(self.pace.turn);
            self.traffic.push(Packet::tcp(last, &rst));
        } else if !self.silent {
            let rst = Segment { flags: "RA", seq: 0, window: 0, options: Options::None, ..answer };
            self.traffic.push(Packet::tcp(answered, &rst));
        }
    }
}
