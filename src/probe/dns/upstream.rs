//! One recursive resolver and the sockets towards it.
//! Comes in: tickets to send. Goes out: a place each, on a socket that is still fresh.
//! Worn sockets are replaced and drained here. Who waits how long is not known here.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::engine::Settings;
use super::line::{Lifetime, Line, Place, Ticket};
use super::stats::Counters;
use super::wire::Manner;

/// A socket's life: long enough that opening it costs nothing, short enough that its port is not worth guessing.
const LIFETIME: Lifetime = Lifetime { queries: 100_000, time: Duration::from_secs(60) };
/// Connections to one upstream at a time: Unbound takes ten in all unless told otherwise.
const TCP_AT_ONCE: usize = 8;
/// One recursive resolver and the sockets towards it.
#[derive(Debug)]
pub(super) struct Upstream {
    /// Where it is.
    pub(super) address: SocketAddr,
    /// Its place in the list.
    pub(super) number: usize,
    lines: RwLock<Vec<Arc<Line>>>,
    turn: AtomicUsize,
    /// For questions in flight.
    pub(super) permits: Semaphore,
    /// For TCP connections.
    pub(super) connections: Semaphore,
    counters: Arc<Counters>,
}

impl Upstream {
    /// Opens the sockets.
    pub(super) fn open(
        address: SocketAddr,
        number: usize,
        settings: &Settings,
        counters: &Arc<Counters>,
    ) -> io::Result<Self> {
        let lines = (0..settings.sockets.max(1)).map(|_| Line::open(address, number, LIFETIME, counters));
        Ok(Self {
            address,
            number,
            lines: RwLock::new(lines.collect::<io::Result<_>>()?),
            turn: AtomicUsize::new(0),
            permits: Semaphore::new(settings.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            connections: Semaphore::new(TCP_AT_ONCE),
            counters: Arc::clone(counters),
        })
    }

    /// Sends a question over the socket whose turn it is; the reply comes to its ticket while the place is kept.
    pub(super) async fn send(&self, ticket: &Arc<Ticket>, manner: Manner) -> io::Result<Place> {
        // A line may be retired between finding it and taking a place on it; its successor is found at the next look.
        for _ in 0..4 {
            let line = self.line();
            if let Some(place) = line.place(ticket) {
                line.ask(&place, manner).await?;
                return Ok(place);
            }
        }
        Err(io::Error::other("no free query id"))
    }

    /// The line whose turn it is; a worn one is replaced first.
    fn line(&self) -> Arc<Line> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let line = {
            let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lines.get(turn % lines.len()).expect("a remainder is below the divisor"))
        };
        if line.is_worn() { self.renew(line) } else { line }
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
            && let Ok(fresh) = Line::open(self.address, self.number, LIFETIME, &self.counters)
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

    use super::super::line::Arrival;
    use super::super::script::{Asked, Server};
    use super::super::wire::{self, Case};
    use super::*;
    use crate::model::dns::{Question, RecordType};
    use crate::model::name::Name;

    #[tokio::test]
    async fn a_worn_socket_is_replaced_and_closed() {
        let server = Server::start(|asked: &Asked| vec![asked.reply(0).own(1, &[192, 0, 2, 1])]).await;
        let counters = Arc::new(Counters::default());
        let settings = Settings { sockets: 1, ..Settings::default() };
        let short = Lifetime { queries: 1, time: Duration::from_secs(60) };
        let upstream = Upstream::open(server.address, 0, &settings, &counters).unwrap();
        let worn = Line::open(server.address, 0, short, &counters).unwrap();
        upstream.lines.write().unwrap()[0] = Arc::clone(&worn);
        let manner = Manner { edns: true, checking_disabled: false };
        let question = Question { name: Name::trusted("host.example".into()), kind: RecordType::A };
        let section = wire::question(&question, Case::Mixed).unwrap();
        let tickets = [Ticket::new(section.clone()), Ticket::new(section)];
        let mut places = Vec::new();
        for ticket in &tickets {
            places.push(upstream.send(ticket, manner).await.unwrap());
        }
        assert!(!Arc::ptr_eq(&upstream.line(), &worn));
        for ticket in &tickets {
            assert!(matches!(ticket.arrival().await, Arrival::Reply(..)), "the old socket still takes its replies");
        }
        assert!(worn.place(&tickets[0]).is_none());
        drop(places);
        // Its task ends and lets go of it.
        while Arc::strong_count(&worn) > 1 {
            tokio::task::yield_now().await;
        }
        let ports: HashSet<_> = server.asked().into_iter().map(|(bytes, _)| bytes[..2].to_vec()).collect();
        assert_eq!(ports.len(), 2);
    }
}
