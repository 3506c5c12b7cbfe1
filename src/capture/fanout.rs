//! Which member of a fanout group a packet goes to: a classic BPF program, run by the kernel on each packet.
//!
//! It hashes the two IP addresses, in either order, and nothing else: whatever else of a packet it looked at, a later
//! fragment (no ports) or the other direction would go elsewhere than its flow. The kernel's own hash does not give
//! that: it takes ports where there are any, and looks into tunnels. [`Group`](super::group) installs the program.
//!
//! The kernel hands it a packet that came in at its network header, and one that goes out at its link header. Both
//! are read by offsets from there and not from `SKF_NET_OFF`, which before Linux 6.16 fails where the network card
//! has left the headers outside of the packet's first piece. A load that fails ends the program with 0.

use libc::sock_filter;

/// The program. `seed` makes the choice unpredictable: nobody outside can choose addresses that meet at one member.
pub(super) fn by_addresses(seed: u64) -> Vec<sock_filter> {
    let (low, high) = (seed & u64::from(u32::MAX), seed >> 32);
    let narrow = |half: u64| u32::try_from(half).unwrap_or_default();
    let hash = Hash { mask: narrow(low), factor: narrow(high) | 1 };
    let steps = [link(), snap(), tag(), tag(), tag(), network(hash)];
    steps.concat()
}

/// Leaves the EtherType in A and the offset of what follows it in X.
fn link() -> Vec<sock_filter> {
    let incoming = vec![op(LDX_IMM, 0), op(LD_WORD, PROTOCOL)];
    let headless = [vec![op(LDX_IMM, NETWORK_HEADER), op(LD_WORD, PROTOCOL)], over(&incoming)].concat();
    let behind = [&headless[..], &incoming].concat();
    let ethernet = [vec![op(LD_HALF, 12), op(LDX_IMM, 14)], over(&behind)].concat();
    let hardware = [jump(JEQ, ARPHRD_LOOPBACK, 1, 0), jump(JEQ, ARPHRD_ETHER, 0, length(&ethernet))];
    let outgoing = [&[op(LD_WORD, HARDWARE)], &hardware[..], &ethernet, &headless].concat();
    [vec![op(LD_WORD, PACKET_TYPE), jump(JEQ, PACKET_OUTGOING, 0, length(&outgoing))], outgoing, incoming].concat()
}

/// Steps over an 802.2 SNAP header, in which the EtherType field is a length.
fn snap() -> Vec<sock_filter> {
    let step = step_over(6, 8);
    let organisation = [vec![op(LD_HALF_X, 4), jump(JEQ, 0, 0, length(&step))], step].concat();
    let header = [vec![op(LD_WORD_X, 0), jump(JEQ, SNAP, 0, length(&organisation))], organisation].concat();
    [vec![jump(JGE, FIRST_ETHERTYPE, length(&header), 0)], header].concat()
}

/// Steps over one VLAN tag. The kernel takes off the outermost of a packet that comes in, and of two kinds only.
fn tag() -> Vec<sock_filter> {
    let step = step_over(2, 4);
    let kinds = [jump(JEQ, 0x8100, 2, 0), jump(JEQ, 0x88a8, 1, 0), jump(JEQ, 0x9100, 0, length(&step))];
    [&kinds[..], &step].concat()
}

/// Loads the EtherType at X + `kind` and moves X on.
fn step_over(kind: u32, by: u32) -> Vec<sock_filter> {
    vec![op(LD_HALF_X, kind), op(ST, KIND), op(TXA, 0), op(ADD, by), op(TAX, 0), op(LD_MEM, KIND)]
}

/// Reads the IP version at X, and ends with the hash of the addresses. Everything else goes to the first member.
fn network(hash: Hash) -> Vec<sock_filter> {
    let v4 = hash.both(&[12], &[16]);
    let v6 = hash.both(&[8, 12, 16, 20], &[24, 28, 32, 36]);
    let version = [
        vec![op(STX, BASE), op(LD_BYTE_X, 0), op(RSH, 4), jump(JEQ, 4, 0, length(&v4))],
        v4,
        vec![jump(JEQ, 6, 0, length(&v6))],
        v6,
    ]
    .concat();
    // A MACsec header may begin as an IP header does, with a number that differs from packet to packet at an address.
    [vec![jump(JEQ, MACSEC, length(&version), 0)], version, vec![op(RET, 0)]].concat()
}

/// A keyed hash of two addresses that does not depend on their order: the sum of each one's own, which is not linear,
/// so that no difference between addresses keeps the sum as it is for every key.
#[derive(Clone, Copy)]
struct Hash {
    mask: u32,
    factor: u32,
}

impl Hash {
    fn both(self, src: &[u32], dst: &[u32]) -> Vec<sock_filter> {
        [
            self.one(src),
            vec![op(ST, FIRST)],
            self.one(dst),
            // The kernel takes the remainder by the number of members: the low bits must be the good ones.
            vec![op(LDX_MEM, FIRST), op(ADD_X, 0), op(MUL, SPREAD), op(RSH, 16), op(RET_A, 0)],
        ]
        .concat()
    }

    /// The hash of an address whose words lie at these offsets from X.
    fn one(self, words: &[u32]) -> Vec<sock_filter> {
        let mut code = vec![op(LD_IMM, self.mask)];
        for &word in words {
            let add = [op(ST, SUM), op(LD_WORD_X, word), op(LDX_MEM, SUM), op(XOR_X, 0), op(MUL, self.factor)];
            code.extend(add);
            // Brings the high bits down, which a product leaves alone.
            code.extend([op(ST, SUM), op(RSH, 15), op(LDX_MEM, SUM), op(XOR_X, 0), op(LDX_MEM, BASE)]);
        }
        code
    }
}

const fn op(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Goes over `jt` instructions if A compares so with `k`, else over `jf`.
const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Goes over these instructions.
fn over(code: &[sock_filter]) -> Vec<sock_filter> {
    vec![op(JA, length(code).into())]
}

/// The length of a block, which is far below what a jump reaches.
fn length(code: &[sock_filter]) -> u8 {
    u8::try_from(code.len()).unwrap_or(u8::MAX)
}

/// Instructions of classic BPF (linux/bpf_common.h), by what they do to A, X and the scratch memory.
const LD_WORD: u16 = 0x20;
const LD_HALF: u16 = 0x28;
const LD_WORD_X: u16 = 0x40;
const LD_HALF_X: u16 = 0x48;
const LD_BYTE_X: u16 = 0x50;
const LD_IMM: u16 = 0x00;
const LD_MEM: u16 = 0x60;
const LDX_IMM: u16 = 0x01;
const LDX_MEM: u16 = 0x61;
const ST: u16 = 0x02;
const STX: u16 = 0x03;
const ADD: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const MUL: u16 = 0x24;
const RSH: u16 = 0x74;
const XOR_X: u16 = 0xac;
const JA: u16 = 0x05;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const RET: u16 = 0x06;
const RET_A: u16 = 0x16;
const TAX: u16 = 0x07;
const TXA: u16 = 0x87;

/// Places in the scratch memory.
const KIND: u32 = 0;
const BASE: u32 = 1;
const SUM: u32 = 2;
const FIRST: u32 = 3;

/// What the kernel knows of a packet (`SKF_AD_OFF` + field, linux/filter.h).
const PROTOCOL: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = 0xffff_f004;
const HARDWARE: u32 = 0xffff_f01c;
/// `SKF_NET_OFF`: offsets from here count from the network header.
const NETWORK_HEADER: u32 = 0xfff0_0000;
const PACKET_OUTGOING: u32 = 4;
const ARPHRD_ETHER: u32 = 1;
const ARPHRD_LOOPBACK: u32 = 772;
/// The EtherType of MACsec.
const MACSEC: u32 = 0x88e5;
/// LLC for SNAP, unnumbered, and the first byte of the organisation.
const SNAP: u32 = 0xaaaa_0300;
/// Lesser values of the Ethernet type field are 802.3 lengths; the kernel's own numbers for such frames are lesser too.
const FIRST_ETHERTYPE: u32 = 0x0600;
/// 2^32 over the golden ratio, odd: carries every bit of a sum into the high half of the product.
const SPREAD: u32 = 0x9e37_79b1;
