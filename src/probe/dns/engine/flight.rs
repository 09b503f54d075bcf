//! The questions in flight on one socket, found by their id, and when each is overdue.
//! Comes in: tickets of lookups, datagrams, the time. Goes out: the ticket that a datagram belongs to, and those overdue.
//! Only id, name, type, class and the case of every letter together make a reply (RFC 5452 §9); the port is the socket's.
//! What a reply says is not looked at here, and nothing is sent.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::super::wire::{self, Fit};

/// Draws of an id before the table counts as full.
const DRAWS: usize = 64;
/// How finely overdue questions are looked for.
pub(super) const TICK: Duration = Duration::from_millis(TICK_MS);
const TICK_MS: u64 = 16;
/// Ticks that the wheel holds; what is due later goes round again.
const TICKS: usize = 512;

/// What may happen to a question that waits.
#[derive(Debug)]
pub(super) enum Arrival {
    /// A reply, from the upstream of this number.
    Reply(Vec<u8>, usize),
    /// The try of this number has waited long enough.
    Overdue(u32),
    /// The upstream of this number takes no questions: its port is closed, or what else these words say.
    Closed(usize, Box<str>),
    /// The system did not send it, in its words.
    Unsent(Box<str>),
}

/// One lookup's question: what it looks like, and where its replies go.
#[derive(Debug)]
pub(super) struct Ticket {
    /// The question section, letter for letter.
    pub(super) question: Box<[u8]>,
    /// Whether a reply came that fitted but for the case of letters.
    pub(super) wrong_case: AtomicBool,
    arrivals: Mutex<Arrivals>,
    waiter: AtomicWaker,
}

/// What has happened and was not heard yet; of each kind the last, so that nothing piles up.
#[derive(Debug, Default)]
struct Arrivals {
    reply: Option<(Vec<u8>, usize)>,
    unsent: Option<Box<str>>,
    closed: Option<(usize, Box<str>)>,
    overdue: Option<u32>,
}

impl Ticket {
    /// A ticket for this question section.
    pub(super) fn new(question: Box<[u8]>) -> Arc<Self> {
        let (arrivals, waiter) = (Mutex::default(), AtomicWaker::new());
        Arc::new(Self { question, wrong_case: AtomicBool::new(false), arrivals, waiter })
    }

    /// The next thing that happens; a reply before all else. One task may wait at a time.
    pub(super) async fn arrival(&self) -> Arrival {
        std::future::poll_fn(|context| {
            self.waiter.register(context.waker());
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            let reply = arrivals.reply.take().map(|(bytes, from)| Arrival::Reply(bytes, from));
            let next = reply
                .or_else(|| arrivals.unsent.take().map(Arrival::Unsent))
                .or_else(|| arrivals.closed.take().map(|(upstream, words)| Arrival::Closed(upstream, words)))
                .or_else(|| arrivals.overdue.take().map(Arrival::Overdue));
            next.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    pub(super) fn deliver(&self, arrival: Arrival) {
        {
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            match arrival {
                Arrival::Reply(bytes, from) => arrivals.reply = Some((bytes, from)),
                Arrival::Unsent(words) => arrivals.unsent = Some(words),
                Arrival::Closed(upstream, words) => arrivals.closed = Some((upstream, words)),
                Arrival::Overdue(attempt) => arrivals.overdue = Some(attempt),
            }
        }
        self.waiter.wake();
    }
}

/// One try of a question.
#[derive(Debug)]
struct Flight {
    ticket: Arc<Ticket>,
    /// Which try of its lookup it is.
    attempt: u32,
    /// Which flight of this socket it is: ids are used again.
    serial: u32,
    sent: Instant,
    due: Instant,
    /// Told that the port is closed: once is enough.
    told: bool,
}

/// Ids are random already: spreading them over the word is all the table wants.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u16(u16::from(*octet));
        }
    }

    fn write_u16(&mut self, id: u16) {
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// What a datagram turned out to be.
#[derive(Debug)]
pub(super) enum Match {
    /// The reply to this ticket's question, and how long it took.
    Reply(Arc<Ticket>, Duration),
    /// That reply but for the case of letters.
    WrongCase,
    /// Nothing that anybody waits for.
    Stray,
}

/// The questions in flight on a socket.
#[derive(Debug)]
pub(super) struct Flights {
    by_id: HashMap<u16, Flight, BuildHasherDefault<Spread>>,
    /// Ids and serials by the tick after they are due; they stay behind when the question is answered.
    wheel: Vec<Vec<(u16, u32)>>,
    began: Instant,
    /// The first tick that was not looked at yet.
    tick: usize,
    serial: u32,
}

impl Flights {
    pub(super) fn new(began: Instant) -> Self {
        Self { by_id: HashMap::default(), wheel: vec![Vec::new(); TICKS], began, tick: 0, serial: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Takes a question up under a new id; None when too few ids are free to be hard to guess.
    pub(super) fn add(&mut self, ticket: &Arc<Ticket>, attempt: u32, sent: Instant, patience: Duration) -> Option<u16> {
        let id = (0..DRAWS).map(|_| rand::random()).find(|id| !self.by_id.contains_key(id))?;
        self.serial = self.serial.wrapping_add(1);
        let (serial, due) = (self.serial, sent + patience);
        self.by_id.insert(id, Flight { ticket: Arc::clone(ticket), attempt, serial, sent, due, told: false });
        self.schedule(id, serial, due);
        Some(id)
    }

    /// Forgets a question, unless the id is another's by now.
    pub(super) fn remove(&mut self, id: u16, ticket: &Arc<Ticket>) {
        if self.by_id.get(&id).is_some_and(|flight| Arc::ptr_eq(&flight.ticket, ticket)) {
            self.by_id.remove(&id);
        }
    }

    /// Whose reply a datagram is; that question is then no longer in flight.
    pub(super) fn take(&mut self, datagram: &[u8], now: Instant) -> Match {
        let Some(id) = wire::id(datagram) else { return Match::Stray };
        let Some(flight) = self.by_id.get(&id) else { return Match::Stray };
        match wire::fit(datagram, &flight.ticket.question) {
            Fit::Exact => match self.by_id.remove(&id) {
                Some(Flight { ticket, sent, .. }) => Match::Reply(ticket, now.saturating_duration_since(sent)),
                None => Match::Stray,
            },
            Fit::CaseOnly => {
                flight.ticket.wrong_case.store(true, Relaxed);
                Match::WrongCase
            }
            Fit::Other => Match::Stray,
        }
    }

    /// The ticket of a question that is still in flight.
    pub(super) fn ticket(&self, id: u16) -> Option<Arc<Ticket>> {
        self.by_id.get(&id).map(|flight| Arc::clone(&flight.ticket))
    }

    /// Tells those whose time is over. They stay: a reply is welcome until the lookup gives up. Gives how many were told,
    /// first tries alone: those say something about the upstream.
    pub(super) fn tell_overdue(&mut self, now: Instant) -> u64 {
        let last = self.tick_of(now);
        let mut lost = 0;
        // After a long sleep each place of the wheel is looked at once.
        self.tick = self.tick.max((last + 1).saturating_sub(TICKS));
        while self.tick <= last {
            let entries = self.place(self.tick).map(std::mem::take).unwrap_or_default();
            self.tick += 1;
            for (id, serial) in entries {
                let Some(flight) = self.by_id.get(&id).filter(|flight| flight.serial == serial) else { continue };
                if flight.due <= now {
                    flight.ticket.deliver(Arrival::Overdue(flight.attempt));
                    lost += u64::from(flight.attempt == 0);
                } else {
                    let due = flight.due;
                    self.schedule(id, serial, due);
                }
            }
        }
        lost
    }

    /// Tells everybody who waits that nobody listens there. ICMP does not say whose packet it was.
    pub(super) fn tell_closed(&mut self, upstream: usize) {
        for flight in self.by_id.values_mut().filter(|flight| !flight.told) {
            flight.told = true;
            flight.ticket.deliver(Arrival::Closed(upstream, "port closed".into()));
        }
    }

    /// Notes when a question is to be looked at: in the tick after it is due, or as late as the wheel goes.
    fn schedule(&mut self, id: u16, serial: u32, due: Instant) {
        let tick = (self.tick_of(due) + 1).clamp(self.tick, self.tick + TICKS - 1);
        if let Some(place) = self.place(tick) {
            place.push((id, serial));
        }
    }

    fn place(&mut self, tick: usize) -> Option<&mut Vec<(u16, u32)>> {
        self.wheel.get_mut(tick % TICKS)
    }

    fn tick_of(&self, time: Instant) -> usize {
        let since = time.saturating_duration_since(self.began);
        let ms = since.as_secs() * 1000 + u64::from(since.subsec_millis());
        usize::try_from(ms / TICK_MS).unwrap_or(usize::MAX / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::{Question, RecordType};
    use crate::model::name::Name;
    use crate::probe::dns::wire::{Case, Manner};

    fn ticket() -> Arc<Ticket> {
        let question = Question { name: Name::trusted("host.example".into()), kind: RecordType::A };
        Ticket::new(wire::question(&question, Case::Mixed).unwrap())
    }

    fn reply(ticket: &Ticket, id: u16) -> Vec<u8> {
        let mut packet = Vec::new();
        wire::query(&mut packet, id, &ticket.question, Manner { edns: false, checking_disabled: false });
        packet[2] |= 0x80;
        packet
    }

    async fn next(ticket: &Ticket) -> Option<Arrival> {
        tokio::time::timeout(Duration::ZERO, ticket.arrival()).await.ok()
    }

    #[tokio::test]
    async fn a_reply_is_taken_once_and_says_how_long_it_took() {
        let began = Instant::now();
        let mut flights = Flights::new(began);
        let ticket = ticket();
        let id = flights.add(&ticket, 0, began, Duration::from_secs(1)).unwrap();
        let reply = reply(&ticket, id);
        assert!(matches!(flights.take(&reply[..5], began), Match::Stray));
        let Match::Reply(whose, took) = flights.take(&reply, began + Duration::from_millis(7)) else { panic!() };
        assert!(Arc::ptr_eq(&whose, &ticket));
        assert_eq!(took, Duration::from_millis(7));
        assert!(matches!(flights.take(&reply, began), Match::Stray));
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn what_is_overdue_is_told_once_and_still_welcome() {
        let began = Instant::now();
        let mut flights = Flights::new(began);
        let (short, long) = (ticket(), ticket());
        let id = flights.add(&short, 0, began, Duration::from_millis(40)).unwrap();
        flights.add(&long, 2, began, Duration::from_secs(20)).unwrap();
        assert_eq!(flights.tell_overdue(began + Duration::from_millis(39)), 0);
        assert_eq!(flights.tell_overdue(began + Duration::from_millis(40 + 2 * TICK_MS)), 1);
        assert!(matches!(next(&short).await, Some(Arrival::Overdue(0))));
        assert!(next(&long).await.is_none());
        assert!(matches!(flights.take(&reply(&short, id), began), Match::Reply(..)));
        // Beyond the wheel's rim, and after a sleep of several rounds.
        assert_eq!(flights.tell_overdue(began + Duration::from_secs(19)), 0);
        assert!(next(&long).await.is_none());
        assert_eq!(
            flights.tell_overdue(began + Duration::from_secs(90)),
            0,
            "a second try says nothing of the upstream"
        );
        assert!(matches!(next(&long).await, Some(Arrival::Overdue(2))));
        flights.tell_overdue(began + Duration::from_secs(99));
        assert!(next(&long).await.is_none());
    }

    #[tokio::test]
    async fn an_id_used_again_is_not_overdue_by_its_former_question() {
        let began = Instant::now();
        let mut flights = Flights::new(began);
        let (former, later) = (ticket(), ticket());
        let id = flights.add(&former, 0, began, Duration::from_millis(20)).unwrap();
        flights.remove(id, &later);
        assert!(!flights.is_empty(), "it is not theirs");
        flights.remove(id, &former);
        let flight = Flight {
            ticket: Arc::clone(&later),
            attempt: 0,
            serial: 77,
            sent: began,
            due: began + Duration::from_secs(1),
            told: false,
        };
        flights.by_id.insert(id, flight);
        assert_eq!(flights.tell_overdue(began + Duration::from_millis(100)), 0);
        assert!(next(&later).await.is_none());
    }

    #[tokio::test]
    async fn a_closed_port_is_told_to_all_and_once() {
        let began = Instant::now();
        let mut flights = Flights::new(began);
        let tickets = [ticket(), ticket()];
        for ticket in &tickets {
            flights.add(ticket, 0, began, Duration::from_secs(1)).unwrap();
        }
        flights.tell_closed(3);
        flights.tell_closed(3);
        for ticket in &tickets {
            assert!(matches!(next(ticket).await, Some(Arrival::Closed(3, _))));
            assert!(next(ticket).await.is_none());
        }
    }
}
