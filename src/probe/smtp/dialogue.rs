//! Bytes in, replies out: one command and one reply at a time.
//! Comes in: a stream and deadlines. Goes out: each reply, and how its reading ended.
//! Every wait has an absolute end: of its step, and of the session; a server that drips cannot push it back.
//! A session asks for six replies at most, inside TLS and outside, so their caps keep it below 128 KiB.
//! What a server sends unasked is dropped and told, never taken for an answer.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::Instant;

use super::alarm::Alarm;
use super::reply::{Incoming, Progress};
use crate::model::smtp::Reply;

/// A reply is 100 to 400 octets; what is longer takes more reads.
const BUFFER: usize = 1024;
/// A server that drips sends more pieces than a teaser and its greeting.
const DRIPS: u32 = 3;
/// So long after its first octet a reply must have come at an octet a second: whoever is slower than that is a tarpit, and
/// is left though there may be patience left.
const DRIP_TIME: Duration = Duration::from_secs(60);
/// Octets that are dropped before a command; a server that talks on and on is not heard to its end.
const UNASKED: usize = 64 * 1024;

/// How the reading of a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With its last line.
    Complete,
    /// Beyond the caps.
    TooLong,
    /// The server closed.
    Closed,
    /// The connection was reset.
    Reset,
    /// The step's time is over.
    Late,
    /// The session's time is over.
    SessionOver,
    /// Time is over, and all the while the server sent less than an octet a second.
    Tarpit,
}

/// A conversation over one stream.
#[derive(Debug)]
pub(super) struct Dialogue<S> {
    stream: S,
    alarm: Alarm,
    /// The octets that came with a reply and behind it.
    behind: usize,
    /// When the session ends, whatever happens.
    over: Instant,
    /// A reset is told once, and then looks like a close.
    reset: bool,
    /// Set once something came between a complete reply and the next command.
    pub(super) desynchronised: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dialogue<S> {
    pub(super) fn new(stream: S, over: Instant, alarm: Alarm) -> Self {
        Self { stream, alarm, behind: 0, over, reset: false, desynchronised: false }
    }

    /// When the session ends.
    pub(super) const fn over(&self) -> Instant {
        self.over
    }

    /// Sends a command and reads its reply. What came unasked before is dropped.
    pub(super) async fn ask(&mut self, command: &[u8], limit: Duration) -> (Reply, End) {
        self.drop_unasked().await;
        let asked = Instant::now();
        let deadline = (asked + limit).min(self.over);
        // A failed write is no answer: the reply to read may be the server's last word, or the end of the stream.
        let written = async {
            match self.stream.write_all(command).await {
                // Only TLS holds anything back; where it fails the read says so.
                Ok(()) => _ = self.stream.flush().await,
                // The system tells a reset once, to whoever asks first.
                Err(error) => self.reset |= error.kind() == ErrorKind::ConnectionReset,
            }
        };
        if self.alarm.before(deadline, written).await.is_none() {
            let end = if deadline == self.over { End::SessionOver } else { End::Late };
            return (Incoming::default().cut_off(ms(asked.elapsed())), end);
        }
        self.read(asked, deadline).await
    }

    /// Reads a reply that nobody asked for: the greeting.
    pub(super) async fn listen(&mut self, limit: Duration) -> (Reply, End) {
        let asked = Instant::now();
        self.read(asked, (asked + limit).min(self.over)).await
    }

    /// The stream below, for another protocol to go on with.
    pub(super) const fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream below, to look at.
    pub(super) const fn beneath(&self) -> &S {
        &self.stream
    }

    /// Says goodbye on a transport that has a word for it, as TLS has `close_notify`; the FIN comes with the drop.
    pub(super) async fn close(&mut self, limit: Duration) {
        // A peer that is gone already cannot be told; nothing hangs on it.
        let _told = self.alarm.before(Instant::now() + limit, self.stream.shutdown()).await;
    }

    async fn read(&mut self, asked: Instant, deadline: Instant) -> (Reply, End) {
        let mut incoming = Incoming::default();
        let mut pieces = 0_u32;
        let mut first = None;
        loop {
            let piece = receive(&mut self.stream, &mut incoming, asked);
            let end = match self.alarm.before(deadline, piece).await {
                Some(Ok(Piece { length: 0, .. })) if self.reset => End::Reset,
                Some(Ok(Piece { length: 0, .. })) => End::Closed,
                Some(Ok(Piece { length, used, progress })) => {
                    self.behind = length - used;
                    match progress {
                        Progress::Done => return (incoming.complete(ms(asked.elapsed())), End::Complete),
                        Progress::TooLong => End::TooLong,
                        Progress::More => {
                            pieces += 1;
                            let since = first.get_or_insert_with(Instant::now).elapsed();
                            if since < DRIP_TIME || pieces < DRIPS || !is_slow(incoming.bytes(), since) {
                                continue;
                            }
                            End::Tarpit
                        }
                    }
                }
                // TLS without `close_notify` is a close as well.
                Some(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => End::Closed,
                Some(Err(_)) => End::Reset,
                None => self.overdue(&incoming, pieces, asked, deadline),
            };
            return (incoming.cut_off(ms(asked.elapsed())), end);
        }
    }

    fn overdue(&self, incoming: &Incoming, pieces: u32, asked: Instant, deadline: Instant) -> End {
        if is_slow(incoming.bytes(), asked.elapsed()) && pieces >= DRIPS {
            End::Tarpit
        } else if deadline == self.over {
            End::SessionOver
        } else {
            End::Late
        }
    }

    /// Looks, without waiting, whether the server has spoken out of turn, and drops it.
    async fn drop_unasked(&mut self) {
        self.desynchronised |= self.drop_arrived().await > 0;
    }

    /// Drops what was received and not taken, and what has arrived meanwhile; says how many octets that were.
    pub(super) async fn drop_arrived(&mut self) -> usize {
        let received = std::mem::take(&mut self.behind);
        let (stream, reset) = (&mut self.stream, &mut self.reset);
        let arrived = poll_fn(|context| {
            let mut unasked = 0;
            while unasked < UNASKED {
                let mut buffer = [MaybeUninit::uninit(); BUFFER];
                let mut buffer = ReadBuf::uninit(&mut buffer);
                // The end of the stream comes again with the next read.
                let read = Pin::new(&mut *stream).poll_read(context, &mut buffer);
                *reset |= matches!(&read, Poll::Ready(Err(error)) if error.kind() != ErrorKind::UnexpectedEof);
                if buffer.filled().is_empty() {
                    break;
                }
                unasked += buffer.filled().len();
            }
            Poll::Ready(unasked)
        })
        .await;
        received + arrived
    }
}

/// What one read brought.
struct Piece {
    /// Octets; none at the end of the stream.
    length: usize,
    /// How many of them the reply took, and what they did to it.
    used: usize,
    progress: Progress,
}

/// Reads once, and gives a reply what belongs to it. The octets stand on the stack while they are looked at: thousands of sessions
/// wait, and none of them needs a buffer for that.
async fn receive<S: AsyncRead + Unpin>(
    stream: &mut S,
    incoming: &mut Incoming,
    asked: Instant,
) -> std::io::Result<Piece> {
    poll_fn(|context| {
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        let length = buffer.filled().len();
        let (used, progress) = incoming.take(buffer.filled(), ms(asked.elapsed()));
        Poll::Ready(Ok(Piece { length, used, progress }))
    })
    .await
}

/// Below an octet a second.
fn is_slow(octets: usize, time: Duration) -> bool {
    u64::try_from(octets).unwrap_or(u64::MAX) < time.as_secs()
}

/// Whole milliseconds, as far as they fit.
pub(super) fn ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::task::Context;

    use super::*;

    /// A stream whose reset the write meets before the read does.
    #[derive(Debug)]
    struct Reset {
        met: bool,
    }

    impl AsyncRead for Reset {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            if self.met { Poll::Ready(Ok(())) } else { Poll::Pending }
        }
    }

    impl AsyncWrite for Reset {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
            self.met = true;
            Poll::Ready(Err(ErrorKind::ConnectionReset.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reset_that_a_command_runs_into_is_no_close() {
        let second = Duration::from_secs(1);
        let over = Instant::now() + second;
        let mut dialogue = Dialogue::new(Reset { met: false }, over, Alarm::new(over));
        assert_eq!(dialogue.ask(b"EHLO probe.ietf.org\r\n", second).await.1, End::Reset);
    }
}
