//! Checked big-endian reads: every one may fail, none can panic.

/// The byte at `offset`.
pub(super) fn byte(data: &[u8], offset: usize) -> Option<u8> {
    data.get(offset).copied()
}

/// The big-endian 16 bits at `offset`.
pub(super) fn be16(data: &[u8], offset: usize) -> Option<u16> {
    array(data, offset).map(u16::from_be_bytes)
}

/// The big-endian 32 bits at `offset`.
pub(super) fn be32(data: &[u8], offset: usize) -> Option<u32> {
    array(data, offset).map(u32::from_be_bytes)
}

/// The `N` bytes at `offset`.
pub(super) fn array<const N: usize>(data: &[u8], offset: usize) -> Option<[u8; N]> {
    data.get(offset..)?.first_chunk().copied()
}
