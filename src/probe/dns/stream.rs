//! DNS over byte streams towards one upstream (RFC 7766): many questions share a few connections.
//! Comes in: a question section and a patience. Goes out: the reply that repeats it, or what the system said.
//! Nothing is opened before the first question, and all ends with `Streams`. How a stream is opened is a `Dial`'s
//! business: TCP here, TLS in `secure`.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{Connection, IN_FLIGHT, Lost, Outcome, Place, fitting, frame, read_frame};
use super::wire::{self, Manner};

/// Shared connections at a time: Unbound takes ten in all unless told otherwise.
const CONNECTIONS: usize = 4;
/// Connections for a single question at a time, besides the shared ones.
const APART: usize = 4;
/// Questions on every connection before another one is opened.
const SPREAD: usize = 8;
/// Patience with a connection that does not come about, whoever waits for it.
const CONNECT: Duration = Duration::from_secs(10);
/// So many connections in a row that closed after one reply, with questions in flight, and the server is known to take one
/// question per connection.
const SINGLES: usize = 2;
/// Of so many questions to such a server, one goes over a shared connection, to see whether it still is so.
const PROBE: usize = 64;

/// How a byte stream towards an upstream is opened.
pub(super) trait Dial: Send + Sync + 'static {
    /// The stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens one, ready for the first query.
    fn dial(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// Plain TCP.
#[derive(Debug)]
pub(super) struct Tcp(pub(super) SocketAddr);

impl Dial for Tcp {
    type Stream = TcpStream;

    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.0).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// The connections towards one upstream.
#[derive(Debug)]
pub(super) struct Streams<D: Dial = Tcp> {
    dial: Arc<D>,
    pool: Arc<Pool>,
    /// For questions in flight on shared connections.
    turns: Semaphore,
    /// For connections with one question.
    apart: Semaphore,
    asked: AtomicUsize,
}

/// The shared connections.
#[derive(Debug, Default)]
struct Pool {
    connections: Mutex<Vec<Arc<Connection>>>,
    /// There may be room again.
    freed: Notify,
    /// Connections in a row that closed after one reply.
    singles: AtomicUsize,
}

impl Pool {
    fn connections(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    /// Towards this address, over TCP.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self::over(Tcp(address))
    }
}

impl<D: Dial> Streams<D> {
    /// Over what `dial` opens.
    pub(super) fn over(dial: D) -> Self {
        Self {
            dial: Arc::new(dial),
            pool: Arc::default(),
            turns: Semaphore::new(CONNECTIONS * IN_FLIGHT),
            apart: Semaphore::new(APART),
            asked: AtomicUsize::new(0),
        }
    }

    /// Asks, and waits this long for connection and reply together; the wait for a turn is not charged to it. A question
    /// whose connection breaks is asked once more, on a connection of its own.
    pub(super) async fn ask(&self, question: &[u8], manner: Manner, patience: Duration) -> io::Result<Vec<u8>> {
        let turn = self.asked.fetch_add(1, Relaxed);
        let single = self.pool.singles.load(Relaxed) >= SINGLES && !turn.is_multiple_of(PROBE);
        let (first, deadline, _turn) = if single {
            let permit = self.apart.acquire().await.expect("never closed");
            let deadline = Instant::now() + patience;
            (timeout_at(deadline, self.alone(question, manner)).await?, deadline, permit)
        } else {
            let permit = self.turns.acquire().await.expect("never closed");
            let seat = self.seat(question, manner).await;
            let deadline = Instant::now() + patience;
            (seat.reply(deadline, patience).await, deadline, permit)
        };
        let outcome = match first {
            Err(lost) if lost.again => {
                let once_more = async {
                    let _apart = if single { None } else { Some(self.apart.acquire().await.expect("never closed")) };
                    self.alone(question, manner).await
                };
                timeout_at(deadline, once_more).await?
            }
            other => other,
        };
        fitting(outcome.map_err(|lost| lost.error)?, question)
    }

    /// One question on a connection of its own.
    async fn alone(&self, question: &[u8], manner: Manner) -> Outcome {
        let mut stream = self.dial.dial().await.map_err(|error| Lost { error, again: false })?;
        let id = rand::random();
        let exchange = async {
            stream.write_all(&frame(id, question, manner)).await?;
            stream.flush().await?;
            loop {
                let reply = read_frame(&mut stream).await?;
                if wire::id(&reply) == Some(id) {
                    return Ok(reply);
                }
            }
        };
        exchange.await.map_err(|error| Lost { error, again: true })
    }

    /// Waits for a seat on a shared connection.
    async fn seat(&self, question: &[u8], manner: Manner) -> Seat {
        loop {
            if let Some(seat) = self.take(question, manner) {
                return seat;
            }
            self.pool.freed.notified().await;
        }
    }

    /// A seat where the fewest wait, or on a new connection when many wait everywhere.
    fn take(&self, question: &[u8], manner: Manner) -> Option<Seat> {
        let mut connections = self.pool.connections();
        let roomy = connections.iter().filter_map(|connection| Some((connection.load()?, connection)));
        let connection = match roomy.min_by_key(|(load, _)| *load) {
            Some((load, connection)) if load < SPREAD || connections.len() >= CONNECTIONS => Arc::clone(connection),
            _ if connections.len() < CONNECTIONS => {
                let fresh = Arc::new(Connection::new());
                connections.push(Arc::clone(&fresh));
                tokio::spawn(run(Arc::clone(&self.dial), Arc::clone(&fresh), Arc::clone(&self.pool)));
                fresh
            }
            _ => return None,
        };
        // None when it ended just now; its end frees a place.
        let place = connection.enter(question, manner)?;
        Some(Seat { pool: Arc::clone(&self.pool), connection, place })
    }
}

impl<D: Dial> Drop for Streams<D> {
    fn drop(&mut self) {
        for connection in self.pool.connections().iter() {
            connection.end(&Lost { error: io::ErrorKind::ConnectionAborted.into(), again: false });
        }
    }
}

/// A question's place on a shared connection; given back when dropped.
#[derive(Debug)]
struct Seat {
    pool: Arc<Pool>,
    connection: Arc<Connection>,
    place: Place,
}

impl Seat {
    async fn reply(mut self, deadline: Instant, patience: Duration) -> Outcome {
        match timeout_at(deadline, &mut self.place.reply).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Lost { error: io::ErrorKind::ConnectionAborted.into(), again: true }),
            Err(elapsed) => {
                self.connection.leave(&self.place);
                self.connection.waited(patience / 2);
                Err(Lost { error: elapsed.into(), again: false })
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connection.leave(&self.place);
        self.pool.freed.notify_one();
    }
}

/// A shared connection's task.
async fn run<D: Dial>(dial: Arc<D>, connection: Arc<Connection>, pool: Arc<Pool>) {
    let _ended = Ended { connection: &connection, pool: &pool };
    tokio::select! {
        lost = serve(&*dial, &connection, &pool) => connection.end(&lost),
        () = connection.useless() => {}
    }
}

async fn serve<D: Dial>(dial: &D, connection: &Connection, pool: &Pool) -> Lost {
    let stream = match timeout(CONNECT, dial.dial()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Lost { error, again: false },
        Err(elapsed) => return Lost { error: elapsed.into(), again: false },
    };
    let error = connection.serve(stream, || pool.singles.store(0, Relaxed)).await;
    if let (1, 1..) = connection.tally() {
        pool.singles.fetch_add(1, Relaxed);
    }
    Lost { error, again: true }
}

/// Takes a connection out of the pool, however its task ends.
struct Ended<'a> {
    connection: &'a Arc<Connection>,
    pool: &'a Pool,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.connection.end(&Lost { error: io::ErrorKind::ConnectionAborted.into(), again: true });
        self.pool.connections().retain(|other| !Arc::ptr_eq(other, self.connection));
        self.pool.freed.notify_waiters();
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::time::sleep;

    use super::super::script::{Asked, name};
    use super::super::wire::Case;
    use super::*;
    use crate::model::dns::{Question, RecordType};
    use crate::model::name::Name;

    const MANNER: Manner = Manner { edns: true, checking_disabled: false };
    const PATIENCE: Duration = Duration::from_secs(4);

    fn question(text: &str) -> Box<[u8]> {
        let question = Question { name: Name::trusted(text.into()), kind: RecordType::A };
        wire::question(&question, Case::Mixed).unwrap()
    }

    /// Opens pipes, and gives their far ends to the test. With the clock paused, all is in order and takes no time.
    struct Pipe {
        far: mpsc::UnboundedSender<DuplexStream>,
        buffer: usize,
    }

    impl Dial for Pipe {
        type Stream = DuplexStream;

        async fn dial(&self) -> io::Result<DuplexStream> {
            let (near, far) = duplex(self.buffer);
            self.far.send(far).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(near)
        }
    }

    fn pipes(buffer: usize) -> (Arc<Streams<Pipe>>, mpsc::UnboundedReceiver<DuplexStream>) {
        let (far, streams) = mpsc::unbounded_channel();
        (Arc::new(Streams::over(Pipe { far, buffer })), streams)
    }

    /// A pipe's far end behind each of which this server sits; counts them.
    fn serve<S, F>(buffer: usize, server: S) -> (Arc<Streams<Pipe>>, Arc<AtomicUsize>)
    where
        S: Fn(usize, DuplexStream) -> F + Send + 'static,
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let (streams, mut far) = pipes(buffer);
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        tokio::spawn(async move {
            while let Some(stream) = far.recv().await {
                tokio::spawn(server(count.fetch_add(1, Relaxed), stream));
            }
        });
        (streams, opened)
    }

    async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
        Some(Asked { bytes: read_frame(stream).await.ok()?, tcp: true })
    }

    async fn say(stream: &mut (impl AsyncWrite + Unpin), reply: &[u8]) -> Option<()> {
        let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length, reply].concat()).await.ok()
    }

    /// The reply that names what it replies to.
    fn echo(asked: &Asked) -> Vec<u8> {
        asked.reply(0).own(12, &name(&asked.name())).0
    }

    /// Answers everything.
    async fn honest(mut stream: DuplexStream) -> Option<()> {
        loop {
            let asked = hear(&mut stream).await?;
            say(&mut stream, &echo(&asked)).await?;
        }
    }

    async fn ask<D: Dial>(streams: &Streams<D>, text: &str) -> io::Result<()> {
        let reply = streams.ask(&question(text), MANNER, PATIENCE).await?;
        assert!(reply.ends_with(&name(text)), "the reply to another question");
        Ok(())
    }

    fn crowd<D: Dial>(streams: &Arc<Streams<D>>, count: usize) -> Vec<tokio::task::JoinHandle<io::Result<()>>> {
        let one = |number| {
            let streams = Arc::clone(streams);
            tokio::spawn(async move { ask(&streams, &format!("host{number}.example")).await })
        };
        (0..count).map(one).collect()
    }

    #[tokio::test]
    async fn two_hundred_questions_share_four_connections_and_replies_come_in_any_order() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let streams = Arc::new(Streams::new(listener.local_addr().unwrap()));
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Relaxed);
                tokio::spawn(async move {
                    while let Some(first) = hear(&mut stream).await {
                        let mut held = vec![first];
                        while let Ok(Some(asked)) = timeout(Duration::from_millis(20), hear(&mut stream)).await {
                            held.push(asked);
                        }
                        for asked in held.iter().rev() {
                            let mut reply = echo(asked);
                            // Case does not matter in here.
                            reply[13..17].make_ascii_uppercase();
                            say(&mut stream, &reply).await.unwrap();
                        }
                    }
                });
            }
        });
        for asked in crowd(&streams, 200) {
            asked.await.unwrap().unwrap();
        }
        assert_eq!(opened.load(Relaxed), CONNECTIONS);
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_for_a_turn_is_not_charged_to_the_patience() {
        let (streams, opened) = serve(1 << 16, |_, stream| async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let (late, mut due) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                while let Some((asked, at)) = due.recv().await {
                    tokio::time::sleep_until(at).await;
                    say(&mut writer, &echo(&asked)).await?;
                }
                Some(())
            });
            loop {
                late.send((hear(&mut reader).await?, Instant::now() + PATIENCE * 3 / 4)).ok()?;
            }
        });
        let started = Instant::now();
        for asked in crowd(&streams, 3 * CONNECTIONS * IN_FLIGHT) {
            asked.await.unwrap().unwrap();
        }
        assert_eq!(started.elapsed().as_secs(), 9, "three rounds, one after the other");
        assert_eq!(opened.load(Relaxed), CONNECTIONS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_one_question_per_connection_answers_all() {
        let (streams, opened) = serve(1 << 16, |_, mut stream| async move {
            let asked = hear(&mut stream).await?;
            say(&mut stream, &echo(&asked)).await
        });
        for _ in 0..2 {
            for asked in crowd(&streams, 150) {
                asked.await.unwrap().unwrap();
            }
        }
        assert!((300..320).contains(&opened.load(Relaxed)), "after a few it is known: {opened:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_comes_to_answer_several_is_asked_several_again() {
        let grown = Arc::new(AtomicBool::new(false));
        let (streams, opened) = serve(1 << 16, {
            let grown = Arc::clone(&grown);
            move |_, mut stream| {
                let grown = Arc::clone(&grown);
                async move {
                    if grown.load(Relaxed) {
                        return honest(stream).await;
                    }
                    let asked = hear(&mut stream).await?;
                    say(&mut stream, &echo(&asked)).await
                }
            }
        });
        for asked in crowd(&streams, 100) {
            asked.await.unwrap().unwrap();
        }
        assert!(streams.pool.singles.load(Relaxed) >= SINGLES);
        grown.store(true, Relaxed);
        for _ in 0..3 * PROBE {
            ask(&streams, "again.example").await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(streams.pool.singles.load(Relaxed), 0);
        let before = opened.load(Relaxed);
        ask(&streams, "again.example").await.unwrap();
        assert_eq!(opened.load(Relaxed), before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_whose_connection_breaks_is_asked_once_more_and_not_thrice() {
        // As a server does that closes an idle connection just when it is asked.
        let (streams, opened) = serve(1 << 16, |number, mut stream| async move {
            if number > 0 {
                return honest(stream).await;
            }
            hear(&mut stream).await.map(drop)
        });
        ask(&streams, "host.example").await.unwrap();
        assert_eq!(opened.load(Relaxed), 2);

        let (streams, opened) = serve(1 << 16, |_, mut stream| async move { hear(&mut stream).await.map(drop) });
        let error = ask(&streams, "host.example").await.unwrap_err();
        assert_eq!((error.kind(), opened.load(Relaxed)), (io::ErrorKind::UnexpectedEof, 2));
    }

    #[tokio::test]
    async fn nobody_listening_is_said_at_once() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = ask(&Streams::new(closed), "host.example").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_hangs_costs_one_patience_and_holds_nobody_up() {
        let (streams, opened) = serve(1 << 16, |number, mut stream| async move {
            if number > 0 {
                return honest(stream).await;
            }
            // A reply that never ends.
            stream.write_all(&[0xFF, 0xFF]).await.ok()?;
            loop {
                stream.write_all(&[0]).await.ok()?;
                sleep(Duration::from_millis(50)).await;
            }
        });
        let started = Instant::now();
        let mut first = crowd(&streams, 1);
        sleep(PATIENCE * 3 / 4).await;
        let second = crowd(&streams, 1).remove(0);
        let error = first.remove(0).await.unwrap().unwrap_err();
        assert_eq!((error.kind(), started.elapsed().as_secs()), (io::ErrorKind::TimedOut, PATIENCE.as_secs()));
        second.await.unwrap().unwrap();
        assert_eq!(started.elapsed().as_secs(), PATIENCE.as_secs(), "it was asked anew when the other gave up");
        ask(&streams, "host.example").await.unwrap();
        assert_eq!(opened.load(Relaxed), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_question_does_not_cost_the_others_their_connection() {
        let (streams, opened) = serve(1 << 16, |_, mut stream| async move {
            let mut slow: Vec<Asked> = Vec::new();
            loop {
                let asked = hear(&mut stream).await?;
                match asked.name().as_str() {
                    "slow.example" => slow.push(asked),
                    // What comes too late finds nobody.
                    "late.example" => {
                        for asked in slow.drain(..) {
                            say(&mut stream, &echo(&asked)).await?;
                        }
                        say(&mut stream, &echo(&asked)).await?;
                    }
                    _ => say(&mut stream, &echo(&asked)).await?,
                }
            }
        });
        let mut slow = Box::pin(ask(&streams, "slow.example"));
        let others = async {
            loop {
                ask(&streams, "host.example").await.unwrap();
                sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            outcome = &mut slow => assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut),
            () = others => unreachable!(),
        }
        let connection = Arc::clone(&streams.pool.connections()[0]);
        assert_eq!(connection.held(), (0, 1), "its id stays taken");
        ask(&streams, "late.example").await.unwrap();
        assert_eq!((connection.held(), opened.load(Relaxed)), ((0, 0), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_reply_is_dropped_and_a_reply_to_another_question_fails_only_its_own() {
        let (streams, opened) = serve(1 << 16, |_, mut stream| async move {
            loop {
                let asked = hear(&mut stream).await?;
                let mut wrong_id = echo(&asked);
                wrong_id[0] ^= 0x55;
                say(&mut stream, &wrong_id).await?;
                say(&mut stream, &[]).await?;
                say(&mut stream, &asked.bytes[..1]).await?;
                let mut reply = echo(&asked);
                if asked.name() == "garbage.example" {
                    reply[14] ^= 1;
                }
                say(&mut stream, &reply).await?;
                say(&mut stream, &reply).await?;
            }
        });
        ask(&streams, "host.example").await.unwrap();
        let error = ask(&streams, "garbage.example").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        ask(&streams, "host.example").await.unwrap();
        assert_eq!(opened.load(Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_ends_when_idle_and_with_its_owner() {
        let (streams, mut far) = pipes(1 << 16);
        let asking = crowd(&streams, 1).remove(0);
        let mut stream = far.recv().await.unwrap();
        let asked = hear(&mut stream).await.unwrap();
        say(&mut stream, &echo(&asked)).await.unwrap();
        asking.await.unwrap().unwrap();
        let started = Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "closed");
        assert!((9..=20).contains(&started.elapsed().as_secs()));

        let asking = crowd(&streams, 1).remove(0);
        let mut stream = far.recv().await.unwrap();
        let asked = hear(&mut stream).await.unwrap();
        say(&mut stream, &echo(&asked)).await.unwrap();
        asking.await.unwrap().unwrap();
        drop(streams);
        let started = Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "closed");
        assert!(started.elapsed().as_secs() < 1);
    }

    #[tokio::test(start_paused = true)]
    async fn questions_nobody_waits_for_leave_nothing_behind() {
        // Takes nothing: the first query gets stuck in the pipe.
        let (streams, mut far) = pipes(16);
        let asking = crowd(&streams, 2 * CONNECTIONS * IN_FLIGHT);
        let stuck: Vec<_> = [far.recv().await, far.recv().await, far.recv().await, far.recv().await].into();
        sleep(Duration::from_millis(100)).await;
        for asking in asking {
            asking.abort();
        }
        sleep(Duration::from_millis(100)).await;
        assert_eq!(streams.turns.available_permits(), CONNECTIONS * IN_FLIGHT);
        let connections = streams.pool.connections().clone();
        // Whatever was not yet being written is gone.
        assert!(connections.iter().all(|connection| connection.held().0 == 0));
        assert!(connections.iter().all(|connection| connection.load().is_some_and(|waiting| waiting == 0)));
        drop(stuck);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(streams.pool.connections().len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_reads_nothing_costs_each_its_patience() {
        let (streams, opened) = serve(16, |_, stream| async move {
            sleep(Duration::from_secs(3600)).await;
            drop(stream);
            None
        });
        for asked in crowd(&streams, 2 * CONNECTIONS * IN_FLIGHT) {
            assert_eq!(asked.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert!(opened.load(Relaxed) >= CONNECTIONS);
        assert_eq!(streams.turns.available_permits(), CONNECTIONS * IN_FLIGHT);
    }
}
