//! Sends the packets of a capture file out of an interface, as fast as the kernel takes them or at a rate.
//!
//! A packet socket with sendmmsg, 64 frames a call: what one core can do without a ring. The file is read piece by piece, so that
//! the runner stays small beside what it measures.
#![expect(unsafe_code, reason = "sendmmsg, bind to a link address and PACKET_QDISC_BYPASS have no safe wrapper")]
#![expect(clippy::disallowed_methods, reason = "the rate is kept by the clock")]

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};
use rustix::time::{ClockId, clock_gettime};

use super::interrupt;

/// What was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) packets: u64,
    pub(super) seconds: f64,
    /// CPU time of the sending thread, s; the receiver's copy by the kernel is part of it.
    pub(super) cpu: f64,
}

/// Sends the first `count` frames of a file (fewer if it has fewer), `rate` a second at most (0: as fast as it goes). To be
/// called inside the interface's namespace.
pub(super) fn send(interface: &str, path: &Path, count: u64, rate: f64) -> anyhow::Result<Sent> {
    let mut link = Link::open(interface).with_context(|| format!("cannot send out of {interface}"))?;
    let mut file = Frames::open(path)?;
    let (began, used) = (Instant::now(), thread_cpu());
    let mut sent = 0;
    while sent < count {
        interrupt::check()?;
        let room = usize::try_from(count - sent).unwrap_or(usize::MAX);
        let Some(Piece { bytes, frames }) = file.next(room)? else { break };
        for batch in frames.chunks(BATCH) {
            if rate > 0.0 {
                wait_until(began, sent as f64 / rate);
            }
            link.send(bytes, batch)?;
            sent += batch.len() as u64;
        }
    }
    Ok(Sent { packets: sent, seconds: began.elapsed().as_secs_f64(), cpu: thread_cpu() - used })
}

fn thread_cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn wait_until(began: Instant, due: f64) {
    loop {
        let early = due - began.elapsed().as_secs_f64();
        if early <= 0.0 {
            return;
        }
        // Sleeps end late by about 60 µs.
        if early > 0.0005 { std::thread::sleep(Duration::from_micros(200)) } else { std::hint::spin_loop() }
    }
}

/// The frames of a classic little-endian capture, a piece of the file at a time.
struct Frames {
    file: File,
    buffer: Vec<u8>,
    /// Where the bytes that have been read and not handed out begin and end.
    held: Range<usize>,
    frames: Vec<Range<usize>>,
}

/// Frames as places in a buffer.
struct Piece<'a> {
    bytes: &'a [u8],
    frames: &'a [Range<usize>],
}

impl Frames {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut header = [0; 24];
        file.read_exact(&mut header)?;
        let [a, b, c, d, ..] = header;
        if ![0xa1b2_c3d4, 0xa1b2_3c4d].contains(&u32::from_le_bytes([a, b, c, d])) {
            bail!("{} is no little-endian classic pcap, which the sender reads", path.display());
        }
        Ok(Self { file, buffer: vec![0; PIECE], held: 0..0, frames: Vec::new() })
    }

    /// The next frames, at most so many; none at the end of the file. Frames that no veth takes are
    /// left out.
    fn next(&mut self, most: usize) -> io::Result<Option<Piece<'_>>> {
        self.frames.clear();
        while self.frames.is_empty() {
            self.buffer.copy_within(self.held.clone(), 0);
            self.held = 0..self.held.len();
            let Some(room) = self.buffer.get_mut(self.held.end..) else { break };
            let read = self.file.read(room)?;
            self.held.end += read;
            while self.frames.len() < most {
                let Some(record) = self.buffer.get(self.held.clone()) else { break };
                let Some((&[.., a, b, c, d, _, _, _, _], rest)) = record.split_first_chunk::<16>() else { break };
                let length = u32::from_le_bytes([a, b, c, d]) as usize;
                if rest.len() < length {
                    break;
                }
                let start = self.held.start + 16;
                if length <= MOST_FRAME {
                    self.frames.push(start..start + length);
                }
                self.held.start = start + length;
            }
            if read == 0 && self.frames.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(Piece { bytes: &self.buffer, frames: &self.frames }))
    }
}

struct Link {
    socket: OwnedFd,
}

impl Link {
    fn open(interface: &str) -> anyhow::Result<Self> {
        // Protocol 0: it receives nothing.
        let socket = socket(AddressFamily::PACKET, SocketType::RAW, None)?;
        let index = netdevice::name_to_index(&socket, interface)?;
        // SAFETY: all zeros is a valid value of this struct of integers.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET)?;
        address.sll_ifindex = i32::try_from(index)?;
        let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>())?;
        // SAFETY: the descriptor is open; pointer and length are those of a sockaddr_ll that the call only reads.
        let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        ensure!(bound == 0, io::Error::last_os_error());
        let on: libc::c_int = 1;
        let length = libc::socklen_t::try_from(size_of::<libc::c_int>())?;
        // SAFETY: as above, with a c_int.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_QDISC_BYPASS,
                (&raw const on).cast(),
                length,
            )
        };
        ensure!(set == 0, io::Error::last_os_error());
        Ok(Self { socket })
    }

    /// Sends frames that lie in a buffer; waits while the device's queue is full.
    fn send(&mut self, bytes: &[u8], frames: &[Range<usize>]) -> anyhow::Result<()> {
        let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
        let mut count = 0;
        for (vector, frame) in vectors.iter_mut().zip(frames) {
            let frame = bytes.get(frame.clone()).context("a frame lies in its buffer")?;
            *vector = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
            count += 1;
        }
        // SAFETY: all zeros is a valid value of this struct of integers and pointers: a message of nothing.
        let mut messages: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
        for (message, vector) in messages.iter_mut().zip(&mut vectors) {
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        let mut sent = 0;
        let mut tries = 0;
        while sent < count {
            let Some(rest) = messages.get_mut(sent..count) else { break };
            let length = u32::try_from(rest.len())?;
            // SAFETY: the descriptor is open; `rest` is so many messages, each of one vector of `vectors`, each of which is a
            // slice of `bytes`; all outlive the call, which reads the data and writes only the messages' lengths.
            let done = unsafe { libc::sendmmsg(self.socket.as_raw_fd(), rest.as_mut_ptr(), length, 0) };
            if let Ok(done) = usize::try_from(done) {
                sent += done;
                continue;
            }
            let error = io::Error::last_os_error();
            let may_pass = [Some(libc::ENOBUFS), Some(libc::EAGAIN), Some(libc::EINTR)].contains(&error.raw_os_error());
            tries += 1;
            ensure!(may_pass && tries < MOST_TRIES, error);
            std::thread::yield_now();
        }
        Ok(())
    }
}

/// Frames a system call.
const BATCH: usize = 64;
/// Bytes read at a time: thousands of frames.
const PIECE: usize = 1 << 20;
/// An Ethernet frame with 1,500 bytes behind its header.
const MOST_FRAME: usize = 1_514;
const MOST_TRIES: u32 = 10_000_000;
