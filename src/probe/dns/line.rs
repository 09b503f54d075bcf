//! One connected UDP socket towards an upstream, and who waits for replies on it.
//! Comes in: queries to send, and datagrams. Goes out: each reply to the ticket whose question it repeats.
//! Whatever fits no question in flight is counted and dropped: only id, port, name, type, class and the case of every
//! letter together make a reply (RFC 5452 §9). What a reply says is not looked at here.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::stats::Counters;
use super::wire::{self, Fit, Manner};

/// Room for a burst of replies; the kernel may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Datagrams taken in one go before other tasks get their turn.
const BURST: usize = 256;
/// Draws of an id before the table counts as full.
const DRAWS: usize = 64;

/// What may happen to a waiting question.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A reply, from this upstream.
    Reply(Vec<u8>, usize),
    /// This upstream's port is closed, says ICMP.
    Unreachable(usize),
}

/// One question in flight: what it looks like, and where its replies go.
#[derive(Debug)]
pub(super) struct Ticket {
    /// The question section, letter for letter.
    pub(super) question: Box<[u8]>,
    /// Whether a reply came that fitted but for the case of letters.
    pub(super) wrong_case: AtomicBool,
    arrivals: Mutex<Vec<Arrival>>,
    waiter: AtomicWaker,
}

impl Ticket {
    /// A ticket for this question section.
    pub(super) fn new(question: Box<[u8]>) -> Arc<Self> {
        Arc::new(Self {
            question,
            wrong_case: AtomicBool::new(false),
            arrivals: Mutex::new(Vec::new()),
            waiter: AtomicWaker::new(),
        })
    }

    /// The next thing that happens. One task may wait at a time.
    pub(super) async fn arrival(&self) -> Arrival {
        std::future::poll_fn(|context| {
            self.waiter.register(context.waker());
            self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).pop().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn deliver(&self, arrival: Arrival) {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
        self.waiter.wake();
    }
}

/// A place in a line's table; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    line: Arc<Line>,
    ticket: Arc<Ticket>,
    id: u16,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.line.table();
        // After a reply the id may already be another's.
        if table.get(&self.id).is_some_and(|slot| Arc::ptr_eq(&slot.ticket, &self.ticket)) {
            table.remove(&self.id);
        }
        if table.is_empty() && self.line.retired.load(Relaxed) {
            self.line.wake.notify_one();
        }
    }
}

#[derive(Debug)]
struct Slot {
    ticket: Arc<Ticket>,
    /// Told that the port is closed: once is enough.
    told: bool,
}

/// One socket towards one upstream.
#[derive(Debug)]
pub(super) struct Line {
    socket: UdpSocket,
    upstream: usize,
    counters: Arc<Counters>,
    table: Mutex<HashMap<u16, Slot>>,
    asked: AtomicU64,
    lifetime: Lifetime,
    opened: Instant,
    retired: AtomicBool,
    wake: Notify,
}

/// How long a socket is used: a port that stays is a port that can be guessed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    /// Queries.
    pub(super) queries: u64,
    /// Time.
    pub(super) time: Duration,
}

impl Line {
    /// Opens a socket on a random port and starts its receiving task, which ends once the line is retired and drained.
    pub(super) fn open(
        address: SocketAddr,
        upstream: usize,
        lifetime: Lifetime,
        counters: &Arc<Counters>,
    ) -> io::Result<Arc<Self>> {
        let (domain, any) = match address {
            SocketAddr::V4(_) => (Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            SocketAddr::V6(_) => (Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        // A smaller buffer is no fault: the cap on queries in flight keeps it from overflowing in most cases.
        drop(socket.set_recv_buffer_size(RECEIVE_BUFFER));
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(any, 0).into())?;
        socket.connect(&address.into())?;
        let line = Arc::new(Self {
            socket: UdpSocket::from_std(socket.into())?,
            upstream,
            counters: Arc::clone(counters),
            table: Mutex::default(),
            asked: AtomicU64::new(0),
            lifetime,
            opened: Instant::now(),
            retired: AtomicBool::new(false),
            wake: Notify::new(),
        });
        tokio::spawn(Arc::clone(&line).receive());
        Ok(line)
    }

    /// Whether the socket has served its time.
    pub(super) fn is_worn(&self) -> bool {
        self.asked.load(Relaxed) >= self.lifetime.queries || self.opened.elapsed() >= self.lifetime.time
    }

    /// Takes no new questions; the socket is closed once the last ticket is served or dropped.
    pub(super) fn retire(&self) {
        self.retired.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Sends the question of a place. The place has to be kept as long as a reply is of use.
    pub(super) async fn ask(&self, place: &Place, manner: Manner) -> io::Result<()> {
        let ticket = &place.ticket;
        let mut packet = Vec::with_capacity(ticket.question.len() + 24);
        wire::query(&mut packet, place.id, &ticket.question, manner);
        self.asked.fetch_add(1, Relaxed);
        Counters::count(&self.counters.sent);
        // The first error may be an old reply's ICMP message: it says nothing about this packet.
        match self.send(&packet).await {
            Err(error) if is_refusal(&error) => {
                self.unreachable();
                self.send(&packet).await
            }
            other => other,
        }
    }

    async fn send(&self, packet: &[u8]) -> io::Result<()> {
        match self.socket.try_send(packet) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.send(packet).await.map(drop),
            other => other.map(drop),
        }
    }

    /// Takes a place for a question under a new id; None when the socket is retired or its ids are used up.
    pub(super) fn place(self: &Arc<Self>, ticket: &Arc<Ticket>) -> Option<Place> {
        let mut table = self.table();
        if self.retired.load(Relaxed) {
            return None;
        }
        let id = (0..DRAWS).map(|_| rand::random()).find(|id| !table.contains_key(id))?;
        table.insert(id, Slot { ticket: Arc::clone(ticket), told: false });
        Some(Place { line: Arc::clone(self), ticket: Arc::clone(ticket), id })
    }

    /// Whether nobody waits here.
    pub(super) fn is_idle(&self) -> bool {
        self.table().is_empty()
    }

    fn table(&self) -> MutexGuard<'_, HashMap<u16, Slot>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes datagrams as long as anybody may wait for one.
    async fn receive(self: Arc<Self>) {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        while !(self.retired.load(Relaxed) && self.is_idle()) {
            tokio::select! {
                // An ICMP message alone does not make a socket readable, and reading would not show it.
                ready = self.socket.ready(Interest::READABLE | Interest::ERROR) => match ready {
                    Ok(ready) if ready.is_error() => self.pending_error(),
                    Ok(_) => {}
                    Err(_) => return,
                },
                () = self.wake.notified() => continue,
            }
            for turn in 1..=BURST {
                match self.socket.try_recv(&mut buffer) {
                    Ok(length) => self.datagram(buffer.get(..length).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if is_refusal(&error) => self.unreachable(),
                    // Reading an error clears it; a pause keeps one that stays from spinning.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        break;
                    }
                }
                if turn == BURST {
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Takes the error that waits on the socket; none left clears the readiness.
    fn pending_error(&self) {
        let taken = self.socket.try_io(Interest::ERROR, || match self.socket.take_error()? {
            Some(error) => Ok(error),
            None => Err(io::ErrorKind::WouldBlock.into()),
        });
        if taken.is_ok_and(|error| is_refusal(&error)) {
            self.unreachable();
        }
    }

    /// Gives a datagram to the ticket it belongs to.
    fn datagram(&self, bytes: &[u8]) {
        let mut table = self.table();
        let waiting = wire::id(bytes).and_then(|id| Some((id, table.get(&id)?)));
        let (id, fit) = match waiting {
            None => (0, Fit::Other),
            Some((id, slot)) => (id, wire::fit(bytes, &slot.ticket.question)),
        };
        match (fit, table.get(&id)) {
            (Fit::Exact, _) => {
                let slot = table.remove(&id);
                drop(table);
                Counters::count(&self.counters.answered);
                if let Some(slot) = slot {
                    slot.ticket.deliver(Arrival::Reply(bytes.to_vec(), self.upstream));
                }
            }
            (Fit::CaseOnly, Some(slot)) => {
                slot.ticket.wrong_case.store(true, Relaxed);
                Counters::count(&self.counters.wrong_case);
            }
            _ => Counters::count(&self.counters.ignored),
        }
    }

    /// Tells everybody who waits that nobody listens there. ICMP does not say whose packet it was.
    fn unreachable(&self) {
        for slot in self.table().values_mut().filter(|slot| !slot.told) {
            slot.told = true;
            slot.ticket.deliver(Arrival::Unreachable(self.upstream));
        }
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}
