//! The socket options of a packet socket that no safe crate wraps. The crate's only unsafe code.
#![expect(unsafe_code, reason = "getsockopt and setsockopt have no safe wrapper for these options")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{c_int, c_void, socklen_t};

/// Keeps packets that leave the host out of this packet socket: not shown, not counted (Linux 4.20 and later).
pub(super) fn ignore_outgoing(socket: BorrowedFd<'_>) -> io::Result<()> {
    switch_on(socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING)
}

/// Has the kernel stamp packets as they arrive, once for all who look, instead of when each socket copies them. So two
/// captures on one interface agree on every time.
pub(super) fn stamp_on_arrival(socket: BorrowedFd<'_>) -> io::Result<()> {
    switch_on(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMP)
}

fn switch_on(socket: BorrowedFd<'_>, level: c_int, option: c_int) -> io::Result<()> {
    let value: c_int = 1;
    // SAFETY: the descriptor is open, as its borrow lives; the pointer and the length are those of a c_int that
    // lives to the end of the call, which only reads it.
    let done =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast::<c_void>(), INT_BYTES) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The ring's format: 1, 2 or 3 for TPACKET_V1, V2, V3.
pub(super) fn ring_version(socket: BorrowedFd<'_>) -> io::Result<i32> {
    let mut value: c_int = -1;
    let mut length = INT_BYTES;
    // SAFETY: as above; the call writes at most `length` bytes to a c_int, and the length to a socklen_t, both of
    // which live to the end of the call and are borrowed for it alone.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_VERSION,
            (&raw mut value).cast::<c_void>(),
            &raw mut length,
        )
    };
    if done == 0 { Ok(value.saturating_add(1)) } else { Err(io::Error::last_os_error()) }
}

/// From the kernel's if_packet.h; the libc crate has no name for it.
const PACKET_IGNORE_OUTGOING: c_int = 23;
/// `size_of::<c_int>()` on every Linux target.
const INT_BYTES: socklen_t = c_int::BITS / 8;
