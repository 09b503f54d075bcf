//! One recursive resolver: the sockets towards it, its health, and how many questions it carries at a time.
//! Comes in: tickets to send. Goes out: a place each, on a socket that is still fresh.
//! Worn sockets are replaced and drained here. Who waits how long is not known here.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Settings;
use super::flight::Ticket;
use super::health::Health;
use super::line::{Busy, FULL, Lifetime, Line, Place};
use super::stats::Counters;
use crate::probe::budget::Pace;
use crate::probe::dns::secure::Secure;
use crate::probe::dns::stream::Streams;
use crate::probe::dns::wire::Manner;

/// A socket's life: long enough that opening it costs nothing, short enough that its port is not worth guessing.
const LIFETIME: Lifetime = Lifetime { queries: 100_000, time: Duration::from_secs(60) };
/// Questions that may be in flight before the first reply; each reply makes room for one more, up to the cap, so that no
/// queue on the way is met by a burst.
const FIRST_FLIGHT: usize = 128;

thread_local! {
    /// Questions asked by this thread; threads begin apart, and so seldom meet at one line.
    static TURN: Cell<usize> = Cell::new(rand::random::<u32>() as usize);
}

/// What the sockets towards one upstream share.
#[derive(Debug)]
pub(super) struct Common {
    /// The upstream's place in the list.
    pub(super) number: usize,
    pub(super) counters: Arc<Counters>,
    health: Mutex<Health>,
    /// Free places in flight.
    places: Semaphore,
    /// Places that there are, free or taken, and how many there should be.
    there: AtomicUsize,
    wanted: AtomicUsize,
    /// How long to wait for a reply to a first try, in microseconds.
    patience: AtomicU64,
}

impl Common {
    pub(super) fn new(number: usize, in_flight: usize, counters: &Arc<Counters>) -> Arc<Self> {
        let wanted = in_flight.clamp(1, Semaphore::MAX_PERMITS);
        let there = wanted.min(FIRST_FLIGHT);
        let health = Health::new(wanted, Instant::now());
        Arc::new(Self {
            number,
            counters: Arc::clone(counters),
            patience: AtomicU64::new(micros(health.patience())),
            health: Mutex::new(health),
            places: Semaphore::new(there),
            there: AtomicUsize::new(there),
            wanted: AtomicUsize::new(wanted),
        })
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes replies by the time they took, and datagrams that were none.
    pub(super) fn replied(&self, times: &[Duration], stray: u64, wrong_case: u64) {
        self.counters.answered.fetch_add(times.len() as u64, Relaxed);
        self.counters.ignored.fetch_add(stray, Relaxed);
        self.counters.wrong_case.fetch_add(wrong_case, Relaxed);
        if times.is_empty() {
            return;
        }
        {
            let mut health = self.health();
            for took in times {
                health.replied(*took);
            }
            self.patience.store(micros(health.patience()), Relaxed);
        }
        let missing = self.wanted.load(Relaxed).saturating_sub(self.there.load(Relaxed));
        let more = missing.min(times.len());
        if more > 0 {
            self.there.fetch_add(more, Relaxed);
            self.places.add_permits(more);
        }
    }

    /// Notes first tries without a reply in time and datagrams that found a buffer full, and sets the cap when it is time.
    pub(super) fn look(&self, now: Instant, overdue: u64, overflowed: u32) {
        let mut health = self.health();
        health.overdue(overdue);
        health.overflowed(overflowed);
        if health.is_due(now) {
            health.end_window(now);
            self.wanted.store(health.cap(), Relaxed);
        }
    }

    /// Waits for a place in flight.
    pub(super) async fn enter(&self) -> Entered<'_> {
        let permit = if let Ok(permit) = self.places.try_acquire() {
            permit
        } else {
            self.health().pressed();
            self.places.acquire().await.expect("the semaphore is never closed")
        };
        permit.forget();
        Entered { common: self }
    }

    /// How long to wait for a reply to a first try.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_micros(self.patience.load(Relaxed))
    }

    /// Questions in flight.
    pub(super) fn in_flight(&self) -> usize {
        self.there.load(Relaxed).saturating_sub(self.places.available_permits())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// A place in flight, free again when dropped.
#[derive(Debug)]
pub(super) struct Entered<'a> {
    common: &'a Common,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let Common { there, wanted, places, .. } = self.common;
        let wanted = wanted.load(Relaxed);
        // One too many goes; somebody always stays.
        let gone = there.fetch_update(Relaxed, Relaxed, |there| (there > wanted.max(1)).then(|| there - 1));
        if gone.is_err() {
            places.add_permits(1);
        }
    }
}

/// One recursive resolver.
#[derive(Debug)]
pub(super) struct Upstream {
    /// Where it is.
    pub(super) address: SocketAddr,
    pub(super) common: Arc<Common>,
    lines: RwLock<Vec<Arc<Line>>>,
    /// For what does not fit a datagram.
    streams: Streams,
    /// In the place of sockets and streams, where the upstream is asked over something encrypted.
    secure: Option<Secure>,
    /// The rate of queries to this upstream.
    pub(super) pace: Pace,
}

impl Upstream {
    /// Opens the sockets.
    pub(super) fn open(
        address: SocketAddr,
        secure: Option<Secure>,
        number: usize,
        settings: &Settings,
        counters: &Arc<Counters>,
    ) -> io::Result<Self> {
        let common = Common::new(number, settings.in_flight, counters);
        let sockets = if secure.is_some() { 0 } else { settings.sockets.max(1) };
        let lines = (0..sockets).map(|_| Line::open(address, LIFETIME, &common));
        Ok(Self {
            address,
            lines: RwLock::new(lines.collect::<io::Result<_>>()?),
            common,
            streams: Streams::new(address),
            secure,
            pace: Pace::per_second(settings.per_upstream),
        })
    }

    /// Asks over a stream. Boxed, since few lookups come here and a handshake is large.
    pub(super) async fn ask_by_stream(
        &self,
        question: &[u8],
        manner: Manner,
        patience: Duration,
    ) -> io::Result<Vec<u8>> {
        match &self.secure {
            Some(secure) => Box::pin(secure.ask(question, manner, patience)).await,
            None => Box::pin(self.streams.ask(question, manner, patience)).await,
        }
    }

    /// Whether it is asked over something encrypted.
    pub(super) const fn is_secure(&self) -> bool {
        self.secure.is_some()
    }

    /// Sends a question over the socket whose turn it is; the reply comes to its ticket while the place is kept. None when no
    /// socket has an id left that is hard to guess.
    pub(super) fn ask(
        &self,
        ticket: &Arc<Ticket>,
        manner: Manner,
        attempt: u32,
        now: Instant,
        patience: Duration,
    ) -> Option<Place> {
        // A line may be retired between finding it and taking a place on it; its successor is found at the next look.
        for _ in 0..4 {
            let line = self.line(now);
            match line.ask(ticket, manner, attempt, now, patience) {
                Ok(place) => return Some(place),
                Err(Busy::Retired | Busy::Full) => {}
            }
        }
        None
    }

    /// The line whose turn it is; a worn one is replaced first. A thread stays with a line for a batch, so that what it asks
    /// in one go leaves in one go.
    fn line(&self, now: Instant) -> Arc<Line> {
        let turn = TURN.with(|turn| turn.replace(turn.get().wrapping_add(1))) / FULL;
        let line = {
            let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lines.get(turn % lines.len()).expect("a remainder is below the divisor"))
        };
        if line.is_worn(now) { self.renew(line) } else { line }
    }

    /// Whether nobody waits for a reply.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).iter().all(|line| line.is_idle())
    }

    fn renew(&self, worn: Arc<Line>) -> Arc<Line> {
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        // Not there: another task was faster.
        if let Some(place) = lines.iter_mut().find(|line| Arc::ptr_eq(line, &worn))
            // No descriptor left: the old socket still serves.
            && let Ok(fresh) = Line::open(self.address, LIFETIME, &self.common)
        {
            *place = Arc::clone(&fresh);
            worn.retire();
            return fresh;
        }
        worn
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        for line in self.lines.get_mut().unwrap_or_else(PoisonError::into_inner) {
            line.retire();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::flight::Arrival;
    use super::*;
    use crate::model::dns::{Question, RecordType};
    use crate::model::name::Name;
    use crate::probe::dns::script::{Asked, Server};
    use crate::probe::dns::wire::{self, Case};

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn a_worn_socket_is_replaced_and_closed() {
        let server = Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &[192, 0, 2, 1])]).await;
        let counters = Arc::new(Counters::default());
        let settings = Settings { sockets: 1, ..Settings::default() };
        let short = Lifetime { queries: 1, time: Duration::from_secs(60) };
        let upstream = Upstream::open(server.address, None, 0, &settings, &counters).unwrap();
        let worn = Line::open(server.address, short, &upstream.common).unwrap();
        upstream.lines.write().unwrap()[0] = Arc::clone(&worn);
        let manner = Manner { edns: true, checking_disabled: false };
        let question = Question { name: Name::trusted("host.example".into()), kind: RecordType::A };
        let section = wire::question(&question, Case::Mixed).unwrap();
        let tickets = [Ticket::new(section.clone()), Ticket::new(section)];
        let now = Instant::now();
        let ask = |ticket| upstream.ask(ticket, manner, 0, now, PATIENCE).unwrap();
        let places: Vec<_> = tickets.iter().map(ask).collect();
        assert!(!Arc::ptr_eq(&upstream.line(now), &worn));
        for ticket in &tickets {
            assert!(matches!(ticket.arrival().await, Arrival::Reply(..)), "the old socket still takes its replies");
        }
        assert_eq!(worn.ask(&tickets[0], manner, 0, now, PATIENCE).unwrap_err(), Busy::Retired);
        drop(places);
        // Its task ends and lets go of it.
        while Arc::strong_count(&worn) > 1 {
            tokio::task::yield_now().await;
        }
        let ports: HashSet<_> = server.asked().into_iter().map(|(bytes, _)| bytes[..2].to_vec()).collect();
        assert_eq!(ports.len(), 2);
    }

    #[tokio::test]
    async fn places_follow_the_cap_and_replies_make_room() {
        let common = Common::new(0, 300, &Arc::new(Counters::default()));
        let mut held = Vec::new();
        for _ in 0..FIRST_FLIGHT {
            held.push(common.enter().await);
        }
        assert_eq!((common.in_flight(), common.places.available_permits()), (FIRST_FLIGHT, 0));
        common.replied(&[Duration::from_millis(1); 300], 0, 0);
        assert_eq!(common.places.available_permits(), 300 - FIRST_FLIGHT);
        common.wanted.store(10, Relaxed);
        drop(held);
        assert_eq!(common.there.load(Relaxed), 300 - FIRST_FLIGHT, "taken places go first");
        for _ in 0..300 {
            drop(common.enter().await);
        }
        assert_eq!((common.there.load(Relaxed), common.in_flight()), (10, 0));
        common.wanted.store(0, Relaxed);
        for _ in 0..300 {
            drop(common.enter().await);
        }
        assert_eq!(common.there.load(Relaxed), 1);
    }
}
