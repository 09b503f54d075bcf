//! A stream that remembers how what it received began.
//! Comes in: a stream. Goes out: the same octets, and a copy of the first of them.
//! rustls tells why it gave up, and not what it had before it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Octets remembered: a record's header, the `ServerHello`'s with its version, and some of what is no TLS at all.
const HEAD: usize = 32;

/// The first octets that were received; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Head(Arc<Mutex<Vec<u8>>>);

impl Head {
    /// What there is of them so far.
    pub(super) fn octets(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds to them, and says whether they are complete.
    fn add(&self, received: &[u8]) -> bool {
        let mut head = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = HEAD.saturating_sub(head.len());
        head.extend_from_slice(received.get(..wanted).unwrap_or(received));
        head.len() >= HEAD
    }
}

/// A stream whose first octets are remembered.
#[derive(Debug)]
pub(super) struct Remembering<S> {
    stream: S,
    head: Head,
    complete: bool,
}

impl<S> Remembering<S> {
    pub(super) const fn new(stream: S, head: Head) -> Self {
        Self { stream, head, complete: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Remembering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if !self.complete {
            self.complete = self.head.add(buffer.filled().get(before..).unwrap_or_default());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Remembering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, octets)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn the_first_octets_are_remembered_across_reads_and_no_more() {
        let (ours, mut theirs) = duplex(256);
        let head = Head::default();
        let mut stream = Remembering::new(ours, head.clone());
        assert_eq!(head.octets(), b"");
        for (sent, known) in [(20, 20), (1, 21), (100, 32), (5, 32)] {
            theirs.write_all(&vec![b'x'; sent]).await.unwrap();
            stream.read_exact(&mut vec![0; sent]).await.unwrap();
            assert_eq!(head.octets().len(), known);
        }
        stream.write_all(b"pass").await.unwrap();
        let mut passed = [0; 4];
        theirs.read_exact(&mut passed).await.unwrap();
        assert_eq!(&passed, b"pass");
    }
}
