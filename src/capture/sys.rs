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

/// Joins a packet socket that is bound to the fanout group with this number, or to a new group. Gives the number.
pub(super) fn join_fanout(socket: BorrowedFd<'_>, group: Option<u16>, ignore_outgoing: bool) -> io::Result<u16> {
    let mut kind = libc::PACKET_FANOUT_CBPF;
    if ignore_outgoing {
        // In a group the sockets' own PACKET_IGNORE_OUTGOING has no effect (Linux 5.17 and later; earlier ones ignore it).
        kind |= libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING;
    }
    if group.is_none() {
        // The kernel chooses a number that no other process has.
        kind |= libc::PACKET_FANOUT_FLAG_UNIQUEID;
    }
    let request = kind << 16 | u32::from(group.unwrap_or_default());
    set(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &request)?;
    let number = get(socket, libc::PACKET_FANOUT)? & c_int::from(u16::MAX);
    u16::try_from(number).map_err(io::Error::other)
}

/// Gives the socket's fanout group the program that chooses a packet's member.
pub(super) fn set_fanout_program(socket: BorrowedFd<'_>, program: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    // The kernel copies the instructions and writes none.
    let program = libc::sock_fprog { len, filter: program.as_ptr().cast_mut() };
    set(socket, libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, &program)
}

fn switch_on(socket: BorrowedFd<'_>, level: c_int, option: c_int) -> io::Result<()> {
    let on: c_int = 1;
    set(socket, level, option, &on)
}

/// Sets an option whose value is a C integer or structure.
fn set<T>(socket: BorrowedFd<'_>, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let length = socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, as its borrow lives; the pointer and the length are those of a value that is
    // borrowed to the end of the call, which only reads it. A pointer in it is followed by the kernel, which checks it.
    let done = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The ring's format: 1, 2 or 3 for TPACKET_V1, V2, V3.
pub(super) fn ring_version(socket: BorrowedFd<'_>) -> io::Result<i32> {
    get(socket, libc::PACKET_VERSION).map(|version| version.saturating_add(1))
}

fn get(socket: BorrowedFd<'_>, option: c_int) -> io::Result<c_int> {
    let mut value: c_int = -1;
    let mut length = INT_BYTES;
    // SAFETY: as above; the call writes at most `length` bytes to a c_int, and the length to a socklen_t, both of
    // which live to the end of the call and are borrowed for it alone.
    let done = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            option,
            (&raw mut value).cast::<c_void>(),
            &raw mut length,
        )
    };
    if done == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// From the kernel's if_packet.h; the libc crate has no name for it.
const PACKET_IGNORE_OUTGOING: c_int = 23;
/// `size_of::<c_int>()` on every Linux target.
const INT_BYTES: socklen_t = c_int::BITS / 8;
