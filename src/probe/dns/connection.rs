//! One connection of DNS over a byte stream (RFC 7766 §6.2.1.1), and who waits for replies on it.
//! Comes in: framed queries from many tasks. Goes out: each reply to the question with its id, in whatever order they come.
//! Everything held here is bounded: the questions in flight, the queue of those not yet written, and a reply by its
//! length prefix. Who asks again elsewhere after a failure is decided in `stream`.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep};

use super::wire::{self, Fit, Manner};

/// Questions in flight on one connection. Servers answer them side by side, but stop reading when they have too many.
pub(super) const IN_FLIGHT: usize = 32;
/// Without questions for so long, it is closed (RFC 7766 §6.2.3): the server's places are few.
const IDLE: Duration = Duration::from_secs(10);

/// A question that will have no reply on this connection.
#[derive(Debug)]
pub(super) struct Lost {
    /// Why.
    pub(super) error: io::Error,
    /// Whether another connection may do better: there was one, and it broke.
    pub(super) again: bool,
}

impl Lost {
    fn copy(&self) -> Self {
        let error = match self.error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.error.kind(), self.error.to_string()),
        };
        Self { error, again: self.again }
    }
}

/// A reply, or none.
pub(super) type Outcome = Result<Vec<u8>, Lost>;

/// One connection: who waits on it, and what is still to be written. The stream itself is its task's.
#[derive(Debug)]
pub(super) struct Connection {
    table: Mutex<Table>,
    /// There is something to write.
    queued: Notify,
    /// It may be time to end.
    stir: Notify,
}

#[derive(Debug)]
struct Table {
    slots: HashMap<u16, Slot>,
    /// Slots with somebody who waits.
    live: usize,
    /// Queries not yet written.
    queue: VecDeque<(u16, Vec<u8>)>,
    stage: Stage,
    /// The number of the next question.
    next: u64,
    answered: u64,
    /// When a reply to a question came last.
    heard: Instant,
    /// Since when nobody waits, if nobody does.
    idle: Instant,
}

#[derive(Debug)]
struct Slot {
    /// Tells this question from a later one with the same id.
    number: u64,
    /// None when nobody waits any more. The id stays taken: the reply may still come, and must not meet another question.
    waiter: Option<oneshot::Sender<Outcome>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Takes questions.
    Open,
    /// Takes none, and ends with the last reply.
    Retired,
    /// Has ended.
    Over,
}

/// A question's place on a connection.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) id: u16,
    number: u64,
    pub(super) reply: oneshot::Receiver<Outcome>,
}

impl Table {
    fn has_room(&self) -> bool {
        // The queue is looked at too: its writer may be stuck while replies to what was never sent free slots.
        self.stage == Stage::Open && self.live < IN_FLIGHT && self.queue.len() < IN_FLIGHT
    }

    fn left(&mut self) {
        self.live -= 1;
        if self.live == 0 {
            self.idle = Instant::now();
        }
    }
}

impl Connection {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let table = Table {
            slots: HashMap::new(),
            live: 0,
            queue: VecDeque::new(),
            stage: Stage::Open,
            next: 0,
            answered: 0,
            heard: now,
            idle: now,
        };
        Self { table: Mutex::new(table), queued: Notify::new(), stir: Notify::new() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait here; None when no more may.
    pub(super) fn load(&self) -> Option<usize> {
        let table = self.table();
        table.has_room().then_some(table.live)
    }

    /// Replies so far, and questions still without one.
    pub(super) fn tally(&self) -> (u64, usize) {
        let table = self.table();
        (table.answered, table.live)
    }

    /// Who waits, and the ids kept for replies that nobody waits for.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, usize) {
        let table = self.table();
        (table.live, table.slots.len() - table.live)
    }

    /// Puts a question in the queue; None when there is no room.
    pub(super) fn enter(&self, question: &[u8], manner: Manner) -> Option<Place> {
        let mut table = self.table();
        if !table.has_room() {
            return None;
        }
        let id = loop {
            // At most twice IN_FLIGHT ids of 65,536 are taken.
            let id = rand::random();
            if !table.slots.contains_key(&id) {
                break id;
            }
        };
        let (waiter, reply) = oneshot::channel();
        let number = table.next;
        table.next += 1;
        table.live += 1;
        table.slots.insert(id, Slot { number, waiter: Some(waiter) });
        table.queue.push_back((id, frame(id, question, manner)));
        drop(table);
        self.queued.notify_one();
        Some(Place { id, number, reply })
    }

    /// Nobody waits at this place any more.
    pub(super) fn leave(&self, place: &Place) {
        let mut guard = self.table();
        let table = &mut *guard;
        let Some(slot) = table.slots.get_mut(&place.id).filter(|slot| slot.number == place.number) else { return };
        if slot.waiter.take().is_none() {
            return;
        }
        if let Some(at) = table.queue.iter().position(|(id, _)| *id == place.id) {
            table.queue.remove(at);
            table.slots.remove(&place.id);
        }
        table.left();
        // So many questions without a reply: better start afresh.
        if table.slots.len() - table.live >= IN_FLIGHT && table.stage == Stage::Open {
            table.stage = Stage::Retired;
        }
        drop(guard);
        self.stir.notify_one();
    }

    /// A question waited in vain. If nothing at all was heard for so long, the connection hangs: it is given up, so that it
    /// does not hold up the others, who may ask elsewhere. Where replies still come, it is the question that is slow.
    pub(super) fn waited(&self, silence: Duration) {
        if self.table().heard.elapsed() >= silence {
            let error = io::Error::new(io::ErrorKind::TimedOut, "the resolver's connection hangs");
            self.end(&Lost { error, again: true });
        }
    }

    /// Takes no more questions.
    fn retire(&self) {
        let mut table = self.table();
        if table.stage == Stage::Open {
            table.stage = Stage::Retired;
        }
    }

    /// Ends it: everybody who waits is told, and its task closes the stream.
    pub(super) fn end(&self, lost: &Lost) {
        let mut table = self.table();
        table.stage = Stage::Over;
        table.live = 0;
        table.queue.clear();
        let slots = std::mem::take(&mut table.slots);
        drop(table);
        for waiter in slots.into_values().filter_map(|slot| slot.waiter) {
            // An error says that it is not waited for.
            drop(waiter.send(Err(lost.copy())));
        }
        self.stir.notify_one();
    }

    /// Waits until there is no more use for the connection.
    pub(super) async fn useless(&self) {
        loop {
            let look_again = {
                let mut table = self.table();
                let idle = if table.live == 0 { table.idle.elapsed() } else { Duration::ZERO };
                let done = table.live == 0 && (table.stage == Stage::Retired || idle >= IDLE);
                if done || table.stage == Stage::Over {
                    table.stage = Stage::Over;
                    return;
                }
                IDLE.saturating_sub(idle)
            };
            tokio::select! {
                () = sleep(look_again) => {}
                () = self.stir.notified() => {}
            }
        }
    }

    /// Moves bytes both ways until the stream breaks; `second` is called at the second reply.
    pub(super) async fn serve(&self, stream: impl AsyncRead + AsyncWrite, second: impl Fn()) -> io::Error {
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            error = self.read(reader, second) => error,
            never = self.write(writer) => match never {},
        }
    }

    async fn read(&self, mut reader: impl AsyncRead + Unpin, second: impl Fn()) -> io::Error {
        loop {
            match read_frame(&mut reader).await {
                Ok(reply) => {
                    if self.deliver(reply) == Some(2) {
                        second();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return io::Error::new(error.kind(), "the resolver closed the connection");
                }
                Err(error) => return error,
            }
        }
    }

    /// Gives a reply to who waits for it, and says the how manieth it is. A reply to nobody is dropped.
    fn deliver(&self, reply: Vec<u8>) -> Option<u64> {
        let id = wire::id(&reply)?;
        let mut table = self.table();
        let slot = table.slots.remove(&id)?;
        let now = Instant::now();
        table.heard = now;
        table.answered += 1;
        let answered = table.answered;
        if let Some(waiter) = slot.waiter {
            table.left();
            drop(table);
            // An error says that it is not waited for.
            drop(waiter.send(Ok(reply)));
        }
        self.stir.notify_one();
        Some(answered)
    }

    /// Writes what is queued, all at once. What cannot be written says less than what may still be read, so the reader
    /// alone finds out how the connection ended.
    async fn write(&self, mut writer: impl AsyncWrite + Unpin) -> Infallible {
        loop {
            let frames: Vec<u8> = self.table().queue.drain(..).flat_map(|(_, frame)| frame).collect();
            if frames.is_empty() {
                self.queued.notified().await;
                continue;
            }
            let written = async {
                writer.write_all(&frames).await?;
                writer.flush().await
            };
            if written.await.is_err() {
                self.retire();
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A query behind its length (RFC 1035 §4.2.2).
pub(super) fn frame(id: u16, question: &[u8], manner: Manner) -> Vec<u8> {
    let mut packet = Vec::with_capacity(question.len() + 24);
    wire::query(&mut packet, id, question, manner);
    let length = u16::try_from(packet.len()).expect("a question section is a name of at most 255 octets and 4 more");
    [length.to_be_bytes().as_slice(), &packet].concat()
}

/// A message without its length, which keeps it below 64 KiB.
pub(super) async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(reader.read_u16().await?)];
    reader.read_exact(&mut message).await?;
    Ok(message)
}

/// The reply, if it is one to this question. Letters may come back in another case: a forger would have to sit inside the
/// connection.
pub(super) fn fitting(reply: Vec<u8>, question: &[u8]) -> io::Result<Vec<u8>> {
    if wire::fit(&reply, question) == Fit::Other {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the reply is to another question"));
    }
    Ok(reply)
}
