//! Community ID v1: the hash by which other tools (Suricata, Zeek, Wireshark) name the same conversation.
//!
//! `1:` and the base64 of SHA-1 over seed, the lesser address, the greater one, protocol, a zero byte and, where the
//! protocol has them, both ports. Called when a flow is reported, never for each packet.

use sha1::{Digest, Sha1};

use super::key::FiveTuple;
use crate::packet::{Address, icmp, protocol};

/// The Community ID v1 of a flow, seed 0.
///
/// Both directions give the same text, but for ICMP messages that nothing answers: these are flows of one direction.
/// ICMP types and codes are expected as ports, as [`icmp::icmp_ports`] maps them, so the tuple must be the
/// initiator's: the canonical tuple of a one-way message may have its type and code the wrong way round.
#[must_use]
pub fn community_id(tuple: &FiveTuple) -> String {
    let swapped = !is_one_way(tuple) && (tuple.src, tuple.src_port) > (tuple.dst, tuple.dst_port);
    let FiveTuple { src, dst, src_port, dst_port, protocol } = if swapped { tuple.reversed() } else { *tuple };
    let mut hash = Sha1::new_with_prefix(SEED.to_be_bytes());
    let short = src.is_v4() && dst.is_v4();
    for address in [src, dst] {
        hash_address(&mut hash, address, short);
    }
    hash.update([protocol, 0]);
    if has_ports(protocol) {
        hash.update(src_port.to_be_bytes());
        hash.update(dst_port.to_be_bytes());
    }
    let mut text = String::with_capacity(30);
    text.push_str("1:");
    push_base64(&mut text, &hash.finalize());
    text
}

fn hash_address(hash: &mut Sha1, address: Address, short: bool) {
    let bits = address.bits().to_be_bytes();
    let bytes = if short { bits.last_chunk::<4>().map_or(&bits[..], |last| &last[..]) } else { &bits[..] };
    hash.update(bytes);
}

const fn is_one_way(tuple: &FiveTuple) -> bool {
    let v6 = match tuple.protocol {
        protocol::ICMP => false,
        protocol::ICMPV6 => true,
        _ => return false,
    };
    // A type fits a byte; a greater "port" is none.
    tuple.src_port > 255 || icmp::counterpart(v6, tuple.src_port.to_be_bytes()[1]).is_none()
}

const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, protocol::ICMP | protocol::TCP | protocol::UDP | protocol::ICMPV6 | protocol::SCTP)
}

/// Appends standard base64 with padding.
fn push_base64(text: &mut String, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let at = |i: usize| u32::from(group.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            text.push(if place > group.len() { '=' } else { base64_digit(bits >> shift & 63) });
        }
    }
}

fn base64_digit(six_bits: u32) -> char {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    usize::try_from(six_bits).ok().and_then(|i| digits.get(i)).map_or('=', |&digit| char::from(digit))
}

/// The specification's default; a site that uses another would have to set it in all its tools.
const SEED: u16 = 0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::icmp::icmp_ports;
    use std::net::IpAddr;

    /// (protocol, source, destination, source port or ICMP type, destination port or ICMP code, expected), as the
    /// reference implementation (PyPI `communityid` 1.5) computes them.
    #[rustfmt::skip]
    const PUBLISHED: &[(u8, &str, &str, u16, u16, &str)] = &[
        (6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (6, "66.35.250.204", "128.232.110.120", 80, 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        (6, "10.0.0.1", "10.0.0.1", 5000, 80, "1:LD76GfTIBU2lu/ZefEgEGuuBPew="),
        (6, "10.0.0.1", "10.0.0.1", 80, 5000, "1:LD76GfTIBU2lu/ZefEgEGuuBPew="),
        (17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (17, "8.8.8.8", "192.168.1.52", 53, 54585, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (132, "192.168.170.8", "192.168.170.56", 7, 80, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
        (132, "192.168.170.56", "192.168.170.8", 80, 7, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
        (6, "2001:db8::1", "2001:db8::2", 1234, 443, "1:2h29Psz1danTKrAdwKC8Zw31l2Y="),
        (6, "2001:db8::2", "2001:db8::1", 443, 1234, "1:2h29Psz1danTKrAdwKC8Zw31l2Y="),
        (17, "fe80::1", "ff02::fb", 5353, 5353, "1:vmVnlzQ4g6ZsPY2VX/lJfRJMmHo="),
        (1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, "192.168.0.89", "192.168.0.1", 0, 0, "1:Xd3I0IiB3MnC0cDe3fbqH8+dDGI="),
        (1, "192.168.0.89", "192.168.0.1", 10, 0, "1:ZCE6FYKtYq6/Z5/7VYclhgEesAg="),
        (1, "192.168.0.89", "192.168.0.1", 9, 0, "1:0hTYL8ekh0YMbFphUlZIMctBe1g="),
        (1, "192.168.0.89", "192.168.0.1", 13, 0, "1:oeo0XqAz7cn/+sOcFFOn55Omz0U="),
        (1, "192.168.0.89", "192.168.0.1", 14, 0, "1:uiloJmzo9VB4N869eqNADHXuQJM="),
        (1, "192.168.0.89", "192.168.0.1", 15, 0, "1:fOg3Bo3uOxI7xD431D+RTtZCCjw="),
        (1, "192.168.0.89", "192.168.0.1", 16, 0, "1:6ZCKi6lsG2Rw85OQJ+W89GVQOrE="),
        (1, "192.168.0.89", "192.168.0.1", 17, 0, "1:l6FQTO9IDRsq7cW/KitEu2ab7NM="),
        (1, "192.168.0.89", "192.168.0.1", 18, 0, "1:6dTj0ptxvEN9+cuc4SfVqQjtlW8="),
        (1, "192.168.0.1", "192.168.0.89", 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        (1, "192.168.0.89", "192.168.0.1", 3, 3, "1:dPRpNwuTNOTQEtM23HPAdlCnrwc="),
        (1, "192.168.0.1", "192.168.0.89", 3, 3, "1:ZouhgnVac3AK62b9tKlLG4N+dVQ="),
        (1, "192.168.0.89", "192.168.0.1", 3, 1, "1:LXCfhMUFbYXe+CEMrQuZCbiLY3o="),
        (1, "192.168.0.1", "192.168.0.89", 3, 1, "1:o3zT92uTgnRWv/YrDVeXcWumpC4="),
        (1, "192.168.0.89", "192.168.0.1", 11, 0, "1:WWhK5yv9t1/eWrodrgw+6KseRoA="),
        (1, "192.168.0.1", "192.168.0.89", 11, 0, "1:5ppgsucJbrpJCp1T8kvBKS94Ib0="),
        (1, "192.168.0.89", "192.168.0.1", 5, 1, "1:bgekcoPzxdl++b8eoKZ3uwfuh38="),
        (1, "192.168.0.1", "192.168.0.89", 5, 1, "1:b/GnhS7RR4tztXPq4ZM15xiXi+k="),
        (1, "192.168.0.89", "192.168.0.1", 12, 0, "1:km/5gph/tV0v92ErQwydpnEIM+Y="),
        (1, "192.168.0.1", "192.168.0.89", 12, 0, "1:lA8Nb2djJ8cEYCW698FnHWQtjtg="),
        (1, "192.168.0.89", "192.168.0.1", 4, 0, "1:oL9nApfBrwW9SvDj1B51dsHnnhw="),
        (1, "192.168.0.1", "192.168.0.89", 4, 0, "1:zaKvA0iCJAT6mRprt0EV1aqww0Y="),
        (1, "192.168.0.89", "192.168.0.1", 40, 7, "1:74CqXjv37sdM2MMH0VEH7xpJ67s="),
        (1, "192.168.0.1", "192.168.0.89", 40, 7, "1:/O7giIpZV/UcXBHGqqLygg2i7RQ="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 128, 0, "1:QrVnZEjGihSsEkRF1XxqheQ1Za8="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 129, 0, "1:0v7671U6aMFvKQtpE4ZMYXnSVjQ="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 130, 0, "1:AqqGbwQfzV0erxPUVV+XZ02Zm5M="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 131, 0, "1:EWeX0N02fv6kiZ4mtVIrNsLkom4="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 133, 0, "1:MxMeSyWe6OTpBt36dIzrtH7OcS8="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 134, 0, "1:QpYRAQH404PdAphcvVTflGzHNos="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 135, 0, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 136, 0, "1:zavyT/cezQr1fmImYCwYnMXbgck="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 139, 0, "1:5M4clpPt0fX67/4bIqQT4gA26Dw="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 140, 0, "1:cOJwEcSbkW1UEpyFTXIP4GMDabo="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 144, 0, "1:m49RyQ8yIT9LBEoGoI5SnZktCdQ="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 145, 0, "1:XQq303/ZTbnZhBfoQdmuW8MWAfU="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 136, 0, "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 1, 4, "1:JFKLai0Yy5jldt/ku5XTzXROz0Q="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 1, 4, "1:7fO1NoMmOlnn29+Lz7gg3xJHO+k="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 2, 0, "1:PWuP7KbeJtskIEV6s6B0CBVg+GI="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 2, 0, "1:tbFa1a13RsQm9o9RwPvDEt+E7eU="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 3, 0, "1:eVTYsbhjYrpjym6zCITAinpoG/A="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 3, 0, "1:eYO29brCA91UfWDhyz7QSQ/Zh9U="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 137, 0, "1:KAwF9EkljGcWl9SKSjiiJXYlGE4="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 137, 0, "1:uu9wmFCkltmZ83FNrS8Nl6c7s4M="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 143, 0, "1:u29u/40f5pp+Flrmr8QOASz7JG4="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 143, 0, "1:3lpcbu++UqtSKTWbO6IgERqMX/Q="),
        (58, "fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 146, 0, "1:zF3q9k3Oja5BY3WbvxMJIfjIuTs="),
        (58, "fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 146, 0, "1:q9ol/tdmeuVFbSi0ZJNXuZarW1M="),
        (47, "10.1.1.1", "10.1.1.2", 0, 0, "1:6bVMFPWneS3bg49/6T1HieDmRMQ="),
        (47, "10.1.1.2", "10.1.1.1", 0, 0, "1:6bVMFPWneS3bg49/6T1HieDmRMQ="),
        (2, "10.1.24.4", "224.0.0.22", 0, 0, "1:7+Lr4fSUZvroAQovTexAYA+T3TM="),
        (50, "2001:db8::9", "2001:db8::8", 0, 0, "1:3tND51nkY91JJnPsxRTyipOzhlA="),
        (103, "10.0.0.9", "10.0.0.3", 0, 0, "1:vfJltaNTrm6bIsI/PzvleoNatQ4="),
    ];

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().expect("a literal address"))
    }

    fn tuple(protocol: u8, src: &str, dst: &str, a: u16, b: u16) -> FiveTuple {
        let (src_port, dst_port) = if protocol == protocol::ICMP || protocol == protocol::ICMPV6 {
            let byte = |v: u16| u8::try_from(v).expect("an ICMP type or code");
            let (kind, other, _) = icmp_ports(protocol == protocol::ICMPV6, byte(a), byte(b));
            (kind, other)
        } else {
            (a, b)
        };
        FiveTuple { src: address(src), dst: address(dst), src_port, dst_port, protocol }
    }

    #[test]
    fn equals_the_reference_implementation() {
        for &(protocol, src, dst, a, b, expected) in PUBLISHED {
            assert_eq!(community_id(&tuple(protocol, src, dst, a, b)), expected, "{protocol} {src} {dst} {a} {b}");
        }
    }

    #[test]
    fn both_directions_agree_where_there_are_two() {
        let two_way = PUBLISHED.iter().map(|&(p, src, dst, a, b, id)| (tuple(p, src, dst, a, b), id));
        for (there, expected) in two_way.filter(|(there, _)| !is_one_way(there)) {
            assert_eq!(community_id(&there.reversed()), expected, "{there:?}");
        }
    }

    #[test]
    fn base64_pads_as_the_standard_says() {
        for (bytes, expected) in
            [(&b""[..], ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"\xff\xef", "/+8=")]
        {
            let mut text = String::new();
            push_base64(&mut text, bytes);
            assert_eq!(text, expected);
        }
    }
}
