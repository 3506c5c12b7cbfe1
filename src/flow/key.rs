//! Five-tuples: the canonical key that both directions of a flow share, and its two orientations.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::packet::{Address, PacketMeta};

/// Which way a packet travels in its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the initiator.
    Forward,
    /// From the responder.
    Backward,
}

/// A five-tuple as one packet carries it: who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FiveTuple {
    /// Sender's address.
    pub src: Address,
    /// Receiver's address.
    pub dst: Address,
    /// Sender's port (ICMP: see [`PacketMeta::src_port`]).
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// IP protocol number.
    pub protocol: u8,
}

impl FiveTuple {
    /// The tuple of a packet.
    #[must_use]
    pub const fn of(packet: &PacketMeta) -> Self {
        Self {
            src: packet.src,
            dst: packet.dst,
            src_port: packet.src_port,
            dst_port: packet.dst_port,
            protocol: packet.protocol,
        }
    }

    /// The same conversation seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { src: self.dst, dst: self.src, src_port: self.dst_port, dst_port: self.src_port, protocol: self.protocol }
    }

    /// Whether both are of one conversation: equal, or each the other's reverse.
    #[must_use]
    #[inline]
    pub fn is_same_flow(&self, other: &Self) -> bool {
        self == other || *self == other.reversed()
    }

    /// Whether the source endpoint is the greater one, so that the canonical key holds this tuple reversed.
    #[must_use]
    fn is_swapped(&self) -> bool {
        (self.src, self.src_port) > (self.dst, self.dst_port)
    }
}

/// The canonical five-tuple: the lesser endpoint first, so both directions give the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey(FiveTuple);

impl FlowKey {
    /// The key of a packet's flow.
    #[must_use]
    pub fn of(packet: &PacketMeta) -> Self {
        Self::from(FiveTuple::of(packet))
    }

    /// The tuple with the lesser endpoint as source.
    #[must_use]
    pub const fn canonical(&self) -> &FiveTuple {
        &self.0
    }
}

/// The keyed hash of flows: equal for both directions. Whoever does not know the key cannot aim at one place.
#[derive(Clone, Debug)]
pub struct FlowHasher(FixedState);

/// A flow's hash. The low half chooses the place in a table, the high half the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowHash(u64);

impl FlowHasher {
    /// A hash under this key.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    /// The hash of a packet's flow.
    #[must_use]
    #[inline]
    pub fn of(&self, packet: &PacketMeta) -> FlowHash {
        self.of_key(&FlowKey::of(packet))
    }

    /// The hash of a flow's key.
    #[must_use]
    #[inline]
    pub fn of_key(&self, FlowKey(tuple): &FlowKey) -> FlowHash {
        let ports = u64::from(tuple.src_port) << 32 | u64::from(tuple.dst_port) << 16 | u64::from(tuple.protocol);
        FlowHash(self.0.hash_one((tuple.src.bits(), tuple.dst.bits(), ports)))
    }
}

impl FlowHash {
    /// Which of `shards` keeps the flow.
    #[must_use]
    #[inline]
    pub fn shard(self, shards: usize) -> usize {
        usize::try_from((self.0 >> 32) % shards.max(1) as u64).unwrap_or_default()
    }

    /// The half that places a flow in a table.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
    pub(super) const fn place(self) -> u32 {
        self.0 as u32
    }
}

impl From<FiveTuple> for FlowKey {
    fn from(tuple: FiveTuple) -> Self {
        Self(if tuple.is_swapped() { tuple.reversed() } else { tuple })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tuple() -> impl Strategy<Value = FiveTuple> {
        (any::<[u8; 4]>(), any::<[u8; 4]>(), any::<u16>(), any::<u16>(), any::<u8>()).prop_map(
            |(src, dst, src_port, dst_port, protocol)| FiveTuple {
                src: Address::v4(src),
                dst: Address::v4(dst),
                src_port,
                dst_port,
                protocol,
            },
        )
    }

    proptest! {
        #[test]
        fn swapping_direction_leaves_key_and_hash(tuple in tuple()) {
            let (there, back) = (FlowKey::from(tuple), FlowKey::from(tuple.reversed()));
            prop_assert_eq!(there, back);
            let hasher = FlowHasher::with_seed(7);
            prop_assert_eq!(hasher.of_key(&there), hasher.of_key(&back));
        }
    }
}
