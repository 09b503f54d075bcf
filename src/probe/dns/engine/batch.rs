//! Many datagrams in one system call, on a connected UDP socket.
//! Comes in: packets to send, or room for datagrams. Goes out: how many were taken, or the datagrams.
//! All unsafe code of the program is in this file: the library offers `sendmmsg`, `recvmmsg` and `SO_MEMINFO` no other way.
//! Where the system has no such calls, or does not allow them, one datagram a call does the same.
//!
//! Why it is sound: a header array and its parts live on the stack of the one function that fills them and makes the
//! call; they point into slices that are borrowed for that call (shared for sending, where the kernel only reads, mutable
//! and disjoint for receiving); the count given is the number of headers filled, and lengths are the slices' own. The
//! kernel keeps no pointer after the call (socket(7), sendmmsg(2), recvmmsg(2)).
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "the header tells why it is needed and why it is sound"))]

use std::io;
use std::ops::Range;

use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Datagrams of one call.
pub(super) const BATCH: usize = 64;
/// Octets taken of one datagram: over three times what we say we take.
const LARGEST: usize = 4096;
/// The TC bit, in the third octet of a message.
const TRUNCATED: u8 = 0x02;

/// How datagrams are moved, decided once at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// `sendmmsg` and `recvmmsg`.
    Batched,
    /// A call for each.
    Plain,
}

impl Means {
    /// What this system offers: both calls are tried with no datagram at all.
    pub(super) fn offered(socket: &UdpSocket) -> Self {
        if system::is_offered(socket) { Self::Batched } else { Self::Plain }
    }
}

/// Packets one behind the other.
#[derive(Debug, Default)]
pub(super) struct Packets {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Packets {
    /// Adds the packet that `write` appends.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.octets);
        self.ends.push(self.octets.len());
    }

    pub(super) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.ends.clear();
    }

    /// One packet; empty behind the last.
    pub(super) fn get(&self, at: usize) -> &[u8] {
        let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(at).copied().unwrap_or(begin);
        self.octets.get(begin..end).unwrap_or_default()
    }

    /// Sends packets from this one on, as many as go at once; gives how many went. An error is about the first of them.
    pub(super) fn send(&self, socket: &UdpSocket, from: usize, means: Means) -> io::Result<usize> {
        match means {
            Means::Plain => socket.try_send(self.get(from)).map(|_| 1),
            Means::Batched => {
                let packets = (from..self.len()).take(BATCH).map(|at| self.get(at));
                socket.try_io(Interest::WRITABLE, || system::send(socket, packets))
            }
        }
    }
}

/// Room for received datagrams.
#[derive(Debug)]
pub(super) struct Inbox {
    octets: Box<[u8]>,
    lengths: Vec<usize>,
}

impl Inbox {
    /// Room for a batch.
    pub(super) fn new() -> Self {
        Self { octets: vec![0; BATCH * LARGEST].into_boxed_slice(), lengths: Vec::with_capacity(BATCH) }
    }

    /// Takes what is there, at most a batch; gives how many datagrams that were.
    pub(super) fn receive(&mut self, socket: &UdpSocket, means: Means) -> io::Result<usize> {
        let Self { octets, lengths } = self;
        lengths.clear();
        let taken = socket.try_io(Interest::READABLE, || {
            match means {
                Means::Batched => system::receive(socket, octets, lengths)?,
                Means::Plain => receive_plainly(socket, octets, lengths)?,
            }
            // Fewer than there was room for: nothing is left, and the system need not be asked to know it.
            if lengths.len() < BATCH { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match taken {
            Err(error) if lengths.is_empty() => Err(error),
            _ => Ok(lengths.len()),
        }
    }

    /// The datagrams of the last call.
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.lengths
            .iter()
            .zip(self.octets.chunks(LARGEST))
            .map(|(length, octets)| octets.get(..*length).unwrap_or(octets))
    }
}

fn receive_plainly(socket: &UdpSocket, octets: &mut [u8], lengths: &mut Vec<usize>) -> io::Result<()> {
    let socket = socket2::SockRef::from(socket);
    for chunk in octets.chunks_exact_mut(LARGEST) {
        match io::Read::read(&mut &*socket, chunk) {
            Ok(length) => {
                // The plain call does not say that it has cut something.
                if length == LARGEST {
                    mark_cut(chunk);
                }
                lengths.push(length);
            }
            Err(error) if lengths.is_empty() => return Err(error),
            Err(_) => break,
        }
    }
    Ok(())
}

/// A datagram larger than its room is marked as cut, so that it is asked for by TCP.
fn mark_cut(datagram: &mut [u8]) {
    if let Some(flags) = datagram.get_mut(2) {
        *flags |= TRUNCATED;
    }
}

/// Datagrams for this socket that found its buffer full, since it was opened; None where the system does not tell.
pub(super) fn overflowed(socket: &UdpSocket) -> Option<u32> {
    system::overflowed(socket)
}

/// Where a datagram's room is among all octets.
const fn room(at: usize) -> Range<usize> {
    at * LARGEST..(at + 1) * LARGEST
}

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::AsRawFd as _;
    use std::{io, mem, ptr};

    use tokio::net::UdpSocket;

    use super::{BATCH, LARGEST, mark_cut, room};

    /// Where `SO_MEMINFO` tells of datagrams dropped (`SK_MEMINFO_DROPS` in `linux/sock_diag.h`).
    const DROPS: usize = 8;

    /// Flags, as the C library declares them: musl's have no sign.
    #[cfg(target_env = "musl")]
    const NO_WAIT: libc::c_uint = libc::MSG_DONTWAIT.cast_unsigned();
    #[cfg(not(target_env = "musl"))]
    const NO_WAIT: libc::c_int = libc::MSG_DONTWAIT;

    const EMPTY_PART: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

    fn empty_header() -> libc::mmsghdr {
        // SAFETY: a C struct of integers and pointers, for which all zeroes is a value: no address, no parts, no ancillary data.
        unsafe { mem::zeroed() }
    }

    pub(super) fn is_offered(socket: &UdpSocket) -> bool {
        let fd = socket.as_raw_fd();
        // SAFETY: with a count of zero no header is looked at.
        unsafe {
            libc::sendmmsg(fd, ptr::null_mut(), 0, NO_WAIT) == 0
                && libc::recvmmsg(fd, ptr::null_mut(), 0, NO_WAIT, ptr::null_mut()) == 0
        }
    }

    pub(super) fn send<'a>(socket: &UdpSocket, packets: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        let mut parts = [EMPTY_PART; BATCH];
        let mut headers = [empty_header(); BATCH];
        let mut count = 0;
        for ((packet, part), header) in packets.zip(&mut parts).zip(&mut headers) {
            *part = libc::iovec { iov_base: packet.as_ptr().cast_mut().cast(), iov_len: packet.len() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        // SAFETY: see the head of the file; the first `count` headers are filled.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, NO_WAIT) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    pub(super) fn receive(socket: &UdpSocket, octets: &mut [u8], lengths: &mut Vec<usize>) -> io::Result<()> {
        let mut parts = [EMPTY_PART; BATCH];
        let mut headers = [empty_header(); BATCH];
        let mut count = 0;
        for ((chunk, part), header) in octets.chunks_exact_mut(LARGEST).zip(&mut parts).zip(&mut headers) {
            *part = libc::iovec { iov_base: chunk.as_mut_ptr().cast(), iov_len: chunk.len() };
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        let fd = socket.as_raw_fd();
        // SAFETY: see the head of the file; the first `count` headers are filled, and no timeout is given.
        let received = unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), count, NO_WAIT, ptr::null_mut()) };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (at, header) in headers.iter().take(received).enumerate() {
            let length = usize::try_from(header.msg_len).unwrap_or(LARGEST).min(LARGEST);
            if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
                mark_cut(octets.get_mut(room(at)).unwrap_or_default());
            }
            lengths.push(length);
        }
        Ok(())
    }

    pub(super) fn overflowed(socket: &UdpSocket) -> Option<u32> {
        let mut told = [0_u32; 16];
        let mut length = libc::socklen_t::try_from(size_of_val(&told)).ok()?;
        // SAFETY: the kernel writes at most `length` octets, which is the size of the array, and says how many in `length`.
        let state = unsafe {
            let (level, option) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
            libc::getsockopt(socket.as_raw_fd(), level, option, told.as_mut_ptr().cast(), &raw mut length)
        };
        let is_told = state == 0 && usize::try_from(length).is_ok_and(|length| length > DROPS * size_of::<u32>());
        if is_told { told.get(DROPS).copied() } else { None }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;

    use tokio::net::UdpSocket;

    pub(super) fn is_offered(_: &UdpSocket) -> bool {
        false
    }

    pub(super) fn send<'a>(_: &UdpSocket, _: impl Iterator<Item = &'a [u8]>) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn receive(_: &UdpSocket, _: &mut [u8], _: &mut Vec<usize>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn overflowed(_: &UdpSocket) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (UdpSocket, UdpSocket) {
        let one = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        one.connect(other.local_addr().unwrap()).await.unwrap();
        other.connect(one.local_addr().unwrap()).await.unwrap();
        (one, other)
    }

    /// Through a pair of sockets and back, by either means.
    async fn carried(means: Means, packets: &Packets) -> Vec<Vec<u8>> {
        let (here, there) = pair().await;
        let mut from = 0;
        let (mut inbox, mut got) = (Inbox::new(), Vec::new());
        while got.len() < packets.len() {
            if from < packets.len() {
                here.writable().await.unwrap();
                from += packets.send(&here, from, means).unwrap();
            }
            there.readable().await.unwrap();
            if inbox.receive(&there, means).is_ok() {
                got.extend(inbox.datagrams().map(<[u8]>::to_vec));
            }
        }
        assert_eq!(from, packets.len());
        got
    }

    #[tokio::test]
    async fn packets_arrive_whole_and_in_order_by_either_means() {
        let mut packets = Packets::default();
        for number in 0..150_u8 {
            packets.push(|octets| octets.extend(std::iter::repeat_n(number, usize::from(number) + 1)));
        }
        let (here, _) = pair().await;
        assert!(cfg!(not(target_os = "linux")) || Means::offered(&here) == Means::Batched);
        for means in [Means::Plain, Means::offered(&here)] {
            let got = carried(means, &packets).await;
            for (number, packet) in got.iter().enumerate() {
                assert_eq!(packet, packets.get(number), "{means:?}");
            }
        }
        assert!(packets.get(150).is_empty());
    }

    #[tokio::test]
    async fn a_datagram_without_room_is_marked_as_cut() {
        let (here, there) = pair().await;
        here.send(&[0; LARGEST + 1]).await.unwrap();
        here.send(&[]).await.unwrap();
        let mut inbox = Inbox::new();
        there.readable().await.unwrap();
        assert_eq!(inbox.receive(&there, Means::offered(&there)).unwrap(), 2);
        let got: Vec<_> = inbox.datagrams().collect();
        assert_eq!((got[0].len(), got[0][2], got[1].len()), (LARGEST, TRUNCATED, 0));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_full_buffer_is_counted() {
        let (here, there) = pair().await;
        assert_eq!(overflowed(&there), Some(0));
        socket2::SockRef::from(&there).set_recv_buffer_size(4096).unwrap();
        for _ in 0..200 {
            here.send(&[0; 1000]).await.unwrap();
        }
        assert!(overflowed(&there).unwrap() > 0);
    }
}
