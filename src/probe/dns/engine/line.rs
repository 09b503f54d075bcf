//! One connected UDP socket towards an upstream: it sends what is asked and hands replies to those who wait for them.
//! Comes in: tickets to ask for. Goes out: their replies, or that they are overdue, unsent or met a closed port.
//! Packets of one moment leave in one system call, and replies are taken the same way. Which of them are believed is
//! `flight`'s business.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, sleep};

use super::super::wire::{self, Manner};
use super::batch::{BATCH, Inbox, Means, Packets, overflowed};
use super::flight::{Arrival, Flights, Match, TICK, Ticket};
use super::stats::Counters;
use super::upstream::Common;
use crate::model::smtp::escape;

/// Room for a burst of replies; the kernel may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Packets that are not kept waiting for more.
pub(super) const FULL: usize = 64;

thread_local! {
    /// Room for a batch of replies, for as long as they are looked at.
    static INBOX: RefCell<Inbox> = RefCell::new(Inbox::new());
}

/// A place among the questions in flight; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    line: Arc<Line>,
    ticket: Arc<Ticket>,
    id: u16,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.line.state();
        // After a reply the id may already be another's.
        state.flights.remove(self.id, &self.ticket);
        if state.flights.is_empty() && self.line.retired.load(Relaxed) {
            self.line.wake.notify_one();
        }
    }
}

/// One socket towards one upstream.
#[derive(Debug)]
pub(super) struct Line {
    socket: UdpSocket,
    means: Means,
    common: Arc<Common>,
    state: Mutex<State>,
    asked: AtomicU64,
    lifetime: Lifetime,
    opened: Instant,
    retired: AtomicBool,
    /// Rung when there is something to send or to end.
    wake: Notify,
}

#[derive(Debug)]
struct State {
    flights: Flights,
    /// Packets that wait to be sent.
    outbox: Packets,
    /// A second one, which is being sent meanwhile.
    spare: Packets,
}

/// How long a socket is used: a port that stays is a port that can be guessed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    /// Queries.
    pub(super) queries: u64,
    /// Time.
    pub(super) time: Duration,
}

/// Why a question was not taken up.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Busy {
    /// The socket takes no new questions.
    Retired,
    /// Too few ids are free.
    Full,
}

impl Line {
    /// Opens a socket on a random port and starts its task, which ends once the line is retired and drained.
    pub(super) fn open(address: SocketAddr, lifetime: Lifetime, common: &Arc<Common>) -> io::Result<Arc<Self>> {
        let (domain, any) = match address {
            SocketAddr::V4(_) => (Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            SocketAddr::V6(_) => (Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        // A smaller buffer is no fault: one that overflows lowers the cap on questions in flight.
        drop(socket.set_recv_buffer_size(RECEIVE_BUFFER));
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(any, 0).into())?;
        socket.connect(&address.into())?;
        let (socket, opened) = (UdpSocket::from_std(socket.into())?, Instant::now());
        let line = Arc::new(Self {
            means: Means::offered(&socket),
            socket,
            common: Arc::clone(common),
            state: Mutex::new(State {
                flights: Flights::new(opened),
                outbox: Packets::default(),
                spare: Packets::default(),
            }),
            asked: AtomicU64::new(0),
            lifetime,
            opened,
            retired: AtomicBool::new(false),
            wake: Notify::new(),
        });
        tokio::spawn(Arc::clone(&line).serve());
        Ok(line)
    }

    /// Whether the socket has served its time.
    pub(super) fn is_worn(&self, now: Instant) -> bool {
        self.asked.load(Relaxed) >= self.lifetime.queries
            || now.saturating_duration_since(self.opened) >= self.lifetime.time
    }

    /// Takes no new questions; the socket is closed once the last ticket is served or dropped.
    pub(super) fn retire(&self) {
        self.retired.store(true, Relaxed);
        self.wake.notify_one();
    }

    /// Asks a ticket's question under a new id. The place has to be kept as long as a reply is of use; when the patience is
    /// over, the ticket is told so. The packet leaves with others of the same moment.
    pub(super) fn ask(
        self: &Arc<Self>,
        ticket: &Arc<Ticket>,
        manner: Manner,
        attempt: u32,
        now: Instant,
        patience: Duration,
    ) -> Result<Place, Busy> {
        let (id, waiting) = {
            let mut state = self.state();
            if self.retired.load(Relaxed) {
                return Err(Busy::Retired);
            }
            let id = state.flights.add(ticket, attempt, now, patience).ok_or(Busy::Full)?;
            state.outbox.push(|packet| wire::query(packet, id, &ticket.question, manner));
            (id, state.outbox.len())
        };
        self.asked.fetch_add(1, Relaxed);
        Counters::count(&self.common.counters.sent);
        match waiting {
            1 => self.wake.notify_one(),
            FULL => self.flush_some(),
            _ => {}
        }
        Ok(Place { line: Arc::clone(self), ticket: Arc::clone(ticket), id })
    }

    /// Whether nobody waits here.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.state().flights.is_empty()
    }

    /// Datagrams that found the socket's buffer full.
    fn overflowed(&self) -> u32 {
        overflowed(&self.socket).unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends and receives as long as anybody may wait.
    async fn serve(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut overflowed = 0;
        while !(self.retired.load(Relaxed) && self.state().flights.is_empty()) {
            let is_waited_for = !self.state().flights.is_empty();
            let mut is_tick = false;
            tokio::select! {
                biased;
                // An ICMP message alone does not make a socket readable, and reading would not show it.
                ready = self.socket.ready(Interest::READABLE | Interest::ERROR) => match ready {
                    Ok(ready) if ready.is_error() => self.pending_error(),
                    Ok(_) => {}
                    Err(_) => return,
                },
                () = self.wake.notified() => {}
                _ = ticks.tick(), if is_waited_for => is_tick = true,
            }
            while self.receive().await {
                // Those who got a reply go on first: what they ask next leaves together.
                yield_now().await;
                self.flush().await;
            }
            yield_now().await;
            self.flush().await;
            if is_tick {
                // Only after all that has arrived was read: a reply that waited for us is not late.
                let now = Instant::now();
                let lost = self.state().flights.tell_overdue(now);
                let full = self.overflowed();
                self.common.look(now, lost, full.wrapping_sub(overflowed));
                overflowed = full;
            }
        }
    }

    /// Takes a batch of datagrams; says whether there may be more.
    async fn receive(&self) -> bool {
        let taken = INBOX.with_borrow_mut(|inbox| match inbox.receive(&self.socket, self.means) {
            Ok(count) => {
                self.distribute(inbox);
                Ok(count == BATCH)
            }
            Err(error) => Err(error),
        });
        match taken {
            Ok(is_full) => is_full,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(error) if is_refusal(&error) => {
                self.closed();
                true
            }
            // Reading an error clears it; a pause keeps one that stays from spinning.
            Err(_) => {
                sleep(Duration::from_millis(10)).await;
                false
            }
        }
    }

    /// Gives each datagram to the ticket it belongs to.
    fn distribute(&self, inbox: &Inbox) {
        let now = Instant::now();
        let (mut replies, mut times) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        let (mut stray, mut wrong_case) = (0, 0);
        {
            let mut state = self.state();
            for datagram in inbox.datagrams() {
                match state.flights.take(datagram, now) {
                    Match::Reply(ticket, took) => {
                        replies.push((ticket, datagram));
                        times.push(took);
                    }
                    Match::WrongCase => wrong_case += 1,
                    Match::Stray => stray += 1,
                }
            }
        }
        self.common.replied(&times, stray, wrong_case);
        for (ticket, datagram) in replies {
            ticket.deliver(Arrival::Reply(datagram.to_vec(), self.common.number));
        }
    }

    /// Sends all that waits.
    async fn flush(&self) {
        loop {
            let mut packets = self.take_outbox();
            if packets.is_empty() {
                return;
            }
            let mut sent = 0;
            while sent < packets.len() {
                match self.send(&packets, sent) {
                    Some(more) => sent += more,
                    // An error here shows up again when sending.
                    None => drop(self.socket.writable().await),
                }
            }
            packets.clear();
            self.state().spare = packets;
        }
    }

    /// Sends what waits now, and leaves to the line's own task what the system does not take at once.
    fn flush_some(&self) {
        let packets = self.take_outbox();
        let mut sent = 0;
        while sent < packets.len() {
            match self.send(&packets, sent) {
                Some(more) => sent += more,
                None => break,
            }
        }
        let mut state = self.state();
        for at in sent..packets.len() {
            state.outbox.push(|packet| packet.extend_from_slice(packets.get(at)));
        }
        let mut packets = packets;
        let unsent = packets.len() - sent;
        packets.clear();
        state.spare = packets;
        drop(state);
        if unsent > 0 {
            self.wake.notify_one();
        }
    }

    fn take_outbox(&self) -> Packets {
        let mut state = self.state();
        let spare = std::mem::take(&mut state.spare);
        std::mem::replace(&mut state.outbox, spare)
    }

    /// Sends some packets from this one on; None when the system takes no more now.
    fn send(&self, packets: &Packets, from: usize) -> Option<usize> {
        match packets.send(&self.socket, from, self.means) {
            Ok(sent) => Some(sent),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // It may be about an old packet and says nothing about this one, which is sent again: the error is cleared.
            Err(error) if is_refusal(&error) => {
                self.closed();
                Some(0)
            }
            Err(error) => {
                let words = escape(error.to_string().as_bytes());
                if let Some(ticket) = wire::id(packets.get(from)).and_then(|id| self.state().flights.ticket(id)) {
                    ticket.deliver(Arrival::Unsent(words));
                }
                Some(1)
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
            self.closed();
        }
    }

    fn closed(&self) {
        self.state().flights.tell_closed(self.common.number);
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionRefused
}
