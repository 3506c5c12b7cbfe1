//! A TCP conversation told step by step: handshake, data in segments, acknowledgements, teardown or reset.

use std::net::SocketAddr;

use super::packet::{Options, Packet, Segment};
use super::{Pace, Traffic, instant, micros};

/// One side of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who opened it.
    Client,
    /// Who answered.
    Server,
}

/// A conversation that is being written down. Dropped without `close` or `reset`, it stays open.
#[derive(Debug)]
pub struct Tcp<'t> {
    traffic: &'t mut Traffic,
    clock: i64,
    pace: Pace,
    segment_size: usize,
    quick_acks: bool,
    is_open: bool,
    client: Host,
    server: Host,
}

#[derive(Debug)]
struct Host {
    address: SocketAddr,
    next_seq: u32,
    opening_window: u16,
    window: u16,
    owes_ack: bool,
}

impl<'t> Tcp<'t> {
    pub(super) fn new(traffic: &'t mut Traffic, client: SocketAddr, server: SocketAddr) -> Self {
        let mut host = |address, opening_window, window| {
            let next_seq = u32::try_from(traffic.random().next() >> 32).expect("32 bits");
            Host { address, next_seq, opening_window, window, owes_ack: false }
        };
        let (client, server) = (host(client, 64_240, 502), host(server, 65_160, 509));
        Self {
            traffic,
            clock: instant(0.0),
            pace: Pace::NODE,
            segment_size: 1_448,
            quick_acks: true,
            is_open: false,
            client,
            server,
        }
    }

    /// Moves this conversation's clock to a time, in seconds after the capture's start.
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

    /// Most data bytes in one segment: 1,448 on a wire, up to 64 KiB where the kernel hands over unsplit segments.
    pub const fn segment_size(&mut self, bytes: usize) -> &mut Self {
        self.segment_size = bytes;
        self
    }

    /// Windows of the SYN and the SYN-ACK.
    pub const fn opening_windows(&mut self, client: u16, server: u16) -> &mut Self {
        self.client.opening_window = client;
        self.server.opening_window = server;
        self
    }

    /// Whether data is acknowledged at once (the default) or by what the receiver sends next.
    pub const fn quick_acks(&mut self, at_once: bool) -> &mut Self {
        self.quick_acks = at_once;
        self
    }

    /// The capture began in the middle: no handshake is seen.
    pub const fn midstream(&mut self) -> &mut Self {
        self.is_open = true;
        self
    }

    /// SYN, SYN-ACK, ACK; done before the first data if it was not asked for.
    pub fn open(&mut self) -> &mut Self {
        if !self.is_open {
            self.is_open = true;
            self.send(Side::Client, "S", &[]);
            self.pass(self.pace.turn);
            self.send(Side::Server, "SA", &[]);
            self.pass(self.pace.turn);
            self.send(Side::Client, "A", &[]);
            self.pass(self.pace.same);
        }
        self
    }

    /// That many bytes from the client.
    pub fn request(&mut self, bytes: usize) -> &mut Self {
        self.say(Side::Client, &vec![b'q'; bytes])
    }

    /// That many bytes from the server, after it has thought.
    pub fn response(&mut self, bytes: usize) -> &mut Self {
        self.say(Side::Server, &vec![b'r'; bytes])
    }

    /// Data from one side, cut into segments, with PSH on the last; a server thinks first.
    pub fn say(&mut self, side: Side, data: &[u8]) -> &mut Self {
        self.open();
        if side == Side::Server {
            self.pass(self.pace.think);
        }
        let mut pieces = data.chunks(self.segment_size).peekable();
        while let Some(piece) = pieces.next() {
            self.send(side, if pieces.peek().is_some() { "A" } else { "PA" }, piece);
            self.pass(self.pace.same);
        }
        self.host(side.other()).owes_ack = true;
        if self.quick_acks {
            self.acknowledge(side.other());
        }
        self
    }

    /// A keep-alive probe and its answer.
    pub fn keep_alive(&mut self, side: Side) -> &mut Self {
        self.host(side).next_seq = self.host(side).next_seq.wrapping_sub(1);
        self.send(side, "A", &[]);
        self.host(side).next_seq = self.host(side).next_seq.wrapping_add(1);
        self.pass(self.pace.turn);
        self.send(side.other(), "A", &[]);
        self
    }

    /// The client closes: FIN, FIN, ACK.
    pub fn close(&mut self) {
        self.close_by(Side::Client);
    }

    /// One side closes first: its FIN, the other's FIN with the acknowledgement, the last ACK.
    pub fn close_by(&mut self, side: Side) {
        self.open();
        self.pass(self.pace.turn);
        self.send(side, "FA", &[]);
        self.pass(self.pace.turn);
        self.send(side.other(), "FA", &[]);
        self.pass(self.pace.same);
        self.send(side, "A", &[]);
    }

    /// One side resets an open conversation.
    pub fn reset_by(&mut self, side: Side) {
        self.open();
        self.pass(self.pace.turn);
        self.send(side, "RA", &[]);
    }

    /// The client's SYN meets a closed port: RST.
    pub fn refused(&mut self) {
        self.send(Side::Client, "S", &[]);
        self.pass(self.pace.turn);
        self.server.window = 0;
        self.send(Side::Server, "RA", &[]);
    }

    /// Seconds after the capture's start that this conversation has come to.
    #[expect(clippy::cast_precision_loss, reason = "a few hours in µs")]
    pub fn now(&self) -> f64 {
        (self.clock - instant(0.0)) as f64 / 1e6
    }

    fn acknowledge(&mut self, side: Side) {
        if self.host(side).owes_ack {
            self.pass(self.pace.turn);
            self.send(side, "A", &[]);
        }
    }

    fn send(&mut self, side: Side, flags: &str, data: &[u8]) {
        let is_opening = flags.contains('S');
        let stamp = u32::try_from((self.clock / 1_000) & 0xffff_ffff).expect("masked to 32 bits");
        let (own, peer) = match side {
            Side::Client => (&mut self.client, &self.server),
            Side::Server => (&mut self.server, &self.client),
        };
        let segment = Segment {
            from: own.address,
            to: peer.address,
            flags,
            seq: own.next_seq,
            ack: if flags.contains('A') { peer.next_seq } else { 0 },
            window: if is_opening { own.opening_window } else { own.window },
            options: if flags.contains('R') {
                Options::None
            } else if is_opening {
                Options::Opening(stamp)
            } else {
                Options::Timestamp(stamp)
            },
            data,
        };
        let packet = Packet::tcp(self.clock, &segment);
        let counted = u32::from(is_opening) + u32::from(flags.contains('F'));
        let length = u32::try_from(data.len()).expect("a segment is at most 64 KiB");
        own.next_seq = own.next_seq.wrapping_add(length).wrapping_add(counted);
        own.owes_ack = false;
        self.traffic.push(packet);
    }

    const fn host(&mut self, side: Side) -> &mut Host {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn pass(&mut self, range: (i64, i64)) {
        self.clock += self.traffic.gap(range);
    }
}

impl Side {
    /// The opposite side.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
