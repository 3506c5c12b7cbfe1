//! One packet behind its link header, built by etherparse.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    IpHeaders, IpNumber, Ipv4Extensions, Ipv4Header, Ipv6Extensions, Ipv6FlowLabel, Ipv6Header, PacketBuilder,
    PacketBuilderStep, TcpHeader, TcpOptionElement,
};

/// One packet and when it was seen.
#[derive(Clone, Debug)]
pub struct Packet {
    /// µs since the epoch.
    pub time: i64,
    /// What `bytes` are.
    pub ether_type: u16,
    /// Everything behind the link header.
    pub bytes: Vec<u8>,
}

/// One TCP segment in words.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Sender.
    pub from: SocketAddr,
    /// Receiver.
    pub to: SocketAddr,
    /// Flag letters as tcpdump and scapy have them: any of `FSRPAUEC`.
    pub flags: &'a str,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Raw window.
    pub window: u16,
    /// Header options.
    pub options: Options,
    /// Data.
    pub data: &'a [u8],
}

/// The TCP options that a segment carries, which decide the header's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Options {
    /// None: 20 bytes of header.
    None,
    /// Maximum segment size alone, as scanners send it: 24 bytes.
    SegmentSize,
    /// What a Linux kernel puts in a SYN: 40 bytes. The number is the timestamp.
    Opening(u32),
    /// What a Linux kernel puts in every other segment: 32 bytes. The number is the timestamp.
    Timestamp(u32),
}

impl Packet {
    /// Bytes of a protocol that is named by its EtherType.
    pub const fn raw(time: i64, ether_type: u16, bytes: Vec<u8>) -> Self {
        Self { time, ether_type, bytes }
    }

    /// A TCP segment.
    pub fn tcp(time: i64, segment: &Segment<'_>) -> Self {
        let mut header = TcpHeader::new(segment.from.port(), segment.to.port(), segment.seq, segment.window);
        header.acknowledgment_number = segment.ack;
        for letter in segment.flags.chars() {
            match letter {
                'F' => header.fin = true,
                'S' => header.syn = true,
                'R' => header.rst = true,
                'P' => header.psh = true,
                'A' => header.ack = true,
                'U' => header.urg = true,
                'E' => header.ece = true,
                'C' => header.cwr = true,
                other => panic!("no TCP flag has the letter `{other}`"),
            }
        }
        let options = segment.options.elements();
        header.set_options(&options).expect("at most 40 bytes of options");
        let step = ip(segment.from.ip(), segment.to.ip(), IpNumber::TCP).tcp_header(header);
        Self::built(time, segment.from.ip(), step.size(segment.data.len()), |buffer| {
            step.write_to_slice(buffer, segment.data).map_err(|error| error.to_string())
        })
    }

    /// A UDP datagram.
    pub fn udp(time: i64, from: SocketAddr, to: SocketAddr, data: &[u8]) -> Self {
        let step = ip(from.ip(), to.ip(), IpNumber::UDP).udp(from.port(), to.port());
        Self::built(time, from.ip(), step.size(data.len()), |buffer| {
            step.write_to_slice(buffer, data).map_err(|error| error.to_string())
        })
    }

    /// An echo request or reply, ICMP or ICMPv6 as the addresses have it.
    pub fn echo(time: i64, from: IpAddr, to: IpAddr, reply: bool, (id, seq): (u16, u16), data: &[u8]) -> Self {
        if from.is_ipv4() {
            let ip = ip(from, to, IpNumber::ICMP);
            let step = if reply { ip.icmpv4_echo_reply(id, seq) } else { ip.icmpv4_echo_request(id, seq) };
            Self::built(time, from, step.size(data.len()), |buffer| {
                step.write_to_slice(buffer, data).map_err(|error| error.to_string())
            })
        } else {
            let ip = ip(from, to, IpNumber::IPV6_ICMP);
            let step = if reply { ip.icmpv6_echo_reply(id, seq) } else { ip.icmpv6_echo_request(id, seq) };
            Self::built(time, from, step.size(data.len()), |buffer| {
                step.write_to_slice(buffer, data).map_err(|error| error.to_string())
            })
        }
    }

    fn built(time: i64, from: IpAddr, size: usize, write: impl FnOnce(&mut [u8]) -> Result<usize, String>) -> Self {
        let mut bytes = vec![0; size];
        let written = write(&mut bytes).unwrap_or_else(|error| panic!("cannot build the packet: {error}"));
        bytes.truncate(written);
        Self { time, ether_type: if from.is_ipv4() { IPV4 } else { IPV6 }, bytes }
    }
}

impl Options {
    fn elements(self) -> Vec<TcpOptionElement> {
        use TcpOptionElement::{MaximumSegmentSize, Noop, SelectiveAcknowledgementPermitted, Timestamp, WindowScale};
        match self {
            Self::None => vec![],
            Self::SegmentSize => vec![MaximumSegmentSize(1_460)],
            Self::Opening(now) => vec![
                MaximumSegmentSize(1_460),
                SelectiveAcknowledgementPermitted,
                Timestamp(now, 0),
                Noop,
                WindowScale(7),
            ],
            Self::Timestamp(now) => vec![Noop, Noop, Timestamp(now, now.wrapping_sub(1))],
        }
    }
}

fn ip(from: IpAddr, to: IpAddr, protocol: IpNumber) -> PacketBuilderStep<IpHeaders> {
    let headers = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let header = Ipv4Header::new(0, TIME_TO_LIVE, protocol, from.octets(), to.octets())
                .expect("the length is set when the packet is built");
            IpHeaders::Ipv4(header, Ipv4Extensions::default())
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let header = Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: 0,
                next_header: protocol,
                hop_limit: TIME_TO_LIVE,
                source: from.octets(),
                destination: to.octets(),
            };
            IpHeaders::Ipv6(header, Ipv6Extensions::default())
        }
        _ => panic!("{from} and {to} are of different IP versions"),
    };
    PacketBuilder::ip(headers)
}

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// A Linux host's default, unrouted.
const TIME_TO_LIVE: u8 = 64;
