//! One question to its first reply: its tries, one after the other, at one upstream or another.
//! Comes in: a ticket, and where its lookup stands. Goes out: the reply as it came, or why there is none.
//! What a reply means is not known here.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Engine;
use super::course::Course;
use super::flight::{Arrival, Ticket};
use super::stats::Counters;
use super::trouble::{fruitless, is_own};
use super::upstream::{Entered, Upstream};
use crate::model::observed::Failure;
use crate::model::smtp::escape;
use crate::probe::dns::Lookup as _;
use crate::probe::dns::wire::Manner;

/// How often a lookup that has sent its last try looks whether anybody is there.
const LOOK: Duration = Duration::from_secs(1);

impl Engine {
    /// Sends the question, at another upstream and under a new id each time, until a reply comes; one to an earlier try
    /// counts as well. Gives the reply; the upstream it came from is then the course's last.
    pub(super) async fn exchange(
        &self,
        ticket: &Arc<Ticket>,
        manner: Manner,
        course: &mut Course,
    ) -> Result<Vec<u8>, Failure> {
        // The places of the tries so far: none on the heap as long as the first is enough.
        let (mut first, mut more) = (None, Vec::new());
        let (mut silent, mut closed, mut unsent) = (false, None, None);
        let mut troubled = 0;
        loop {
            let upstream = self.choose(course);
            let entered = tokio::select! {
                biased;
                (bytes, from) = reply(ticket), if first.is_some() => {
                    course.last = from;
                    return Ok(bytes);
                }
                entered = self.admit(upstream) => entered,
            };
            let now = Instant::now();
            let wait = if self.is_cut_off() {
                course.wait_for_recovery()
            } else {
                course.next_wait(if upstream.is_secure() { None } else { Some(upstream.common.patience()) })
            };
            let attempt = course.attempts;
            let arrival = if upstream.is_secure() {
                tokio::select! {
                    biased;
                    (bytes, from) = reply(ticket), if first.is_some() => Arrival::Reply(bytes, from),
                    arrival = self.over_secure(upstream, ticket, manner, attempt, wait) => arrival,
                }
            } else if let Some(place) = upstream.ask(ticket, manner, attempt, now, wait) {
                if first.is_none() {
                    first = Some(place);
                } else {
                    more.push(place);
                }
                tokio::select! {
                    arrival = answer(ticket, upstream.common.number, attempt) => arrival,
                    // What was sent before the upstreams fell silent may be lost with them.
                    () = self.fallen_silent(), if course.is_at_its_end() => Arrival::Overdue(attempt),
                }
            } else {
                Arrival::Unsent("no free query id".into())
            };
            // What the system did not send says nothing of the upstream.
            if let Arrival::Overdue(_) | Arrival::Closed(..) = arrival {
                upstream.common.health().silent(now);
            }
            match arrival {
                Arrival::Reply(bytes, from) => {
                    course.last = from;
                    course.give_back(wait.saturating_sub(now.elapsed()));
                    return Ok(bytes);
                }
                Arrival::Overdue(_) => silent = true,
                Arrival::Closed(_, words) => closed = Some(words),
                Arrival::Unsent(words) => unsent = Some(words),
            }
            drop(entered);
            let is_overdue = now.elapsed() >= wait;
            troubled += usize::from(!is_overdue);
            // With nobody else to turn to, haste would only burn the tries while a resolver restarts.
            let wait = if is_overdue { wait } else { course.spread(wait, now.elapsed()) };
            if !is_overdue && troubled >= self.upstreams.len() {
                tokio::select! {
                    (bytes, from) = reply(ticket) => {
                        course.last = from;
                        return Ok(bytes);
                    }
                    () = tokio::time::sleep_until(now + wait) => {}
                }
            }
            if course.is_over() || ticket.wrong_case.load(Relaxed) {
                return Err(fruitless(silent, closed, unsent));
            }
        }
    }

    /// Waits until no upstream gives a reply to anybody.
    async fn fallen_silent(&self) {
        loop {
            sleep(LOOK).await;
            if self.is_cut_off() {
                return;
            }
        }
    }

    /// One try over something encrypted. A refused certificate or a closed port is a resolver that is down.
    async fn over_secure(
        &self,
        upstream: &Upstream,
        ticket: &Ticket,
        manner: Manner,
        attempt: u32,
        patience: Duration,
    ) -> Arrival {
        Counters::count(&self.counters.sent);
        Counters::count(&self.counters.tcp);
        let words = |error: &io::Error| escape(error.to_string().as_bytes());
        let began = Instant::now();
        match upstream.ask_by_stream(&ticket.question, manner, patience).await {
            Ok(bytes) => {
                upstream.common.replied(&[began.elapsed()], 0, 0);
                Arrival::Reply(bytes, upstream.common.number)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Arrival::Overdue(attempt),
            Err(error) if is_own(&error) => Arrival::Unsent(words(&error)),
            Err(error) => Arrival::Closed(upstream.common.number, words(&error)),
        }
    }

    pub(super) async fn by_tcp(&self, ticket: &Ticket, manner: Manner, course: &mut Course) -> io::Result<Vec<u8>> {
        let upstream = self.upstream(course.last);
        self.pace(upstream).await;
        course.attempts += 1;
        Counters::count(&self.counters.sent);
        Counters::count(&self.counters.tcp);
        let reply = upstream.ask_by_stream(&ticket.question, manner, self.settings.timeout).await?;
        Counters::count(&self.counters.answered);
        Ok(reply)
    }

    /// Waits for a place in flight and then for the pace: in this order a stall is not followed by a burst.
    async fn admit<'a>(&self, upstream: &'a Upstream) -> Entered<'a> {
        let entered = upstream.common.enter().await;
        self.pace(upstream).await;
        entered
    }

    async fn pace(&self, upstream: &Upstream) {
        self.settings.pace.turn().await;
        upstream.pace.turn().await;
    }
}

/// Waits for a reply to any of a ticket's tries, and says from which upstream.
async fn reply(ticket: &Ticket) -> (Vec<u8>, usize) {
    loop {
        if let Arrival::Reply(bytes, from) = ticket.arrival().await {
            return (bytes, from);
        }
    }
}

/// Waits for a reply to any of a ticket's tries, or for the end of this one.
async fn answer(ticket: &Ticket, upstream: usize, attempt: u32) -> Arrival {
    loop {
        match ticket.arrival().await {
            // Of an earlier try.
            Arrival::Overdue(of) if of != attempt => {}
            Arrival::Closed(from, _) if from != upstream => {}
            arrival => return arrival,
        }
    }
}
