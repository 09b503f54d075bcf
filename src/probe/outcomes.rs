//! How connections, sessions and questions ended, counted.
//! Comes in: one outcome at a time, from many tasks. Goes out: counts by word.
//! Connections and sessions are counted as they are over, so while a run goes on there are fewer than were begun.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::model::observed::Observed;
use crate::model::smtp::Session;
use crate::model::words::{ConnectStatus, SmtpStatus};

/// What resolvers answered, in the order of [`Outcomes::answers`]. Questions to blocklists are counted with their list.
pub const ANSWERS: [&str; 3] = ["seen", "absent", "failed"];

/// Counts by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Connections, in the order of `ConnectStatus::ALL`.
    pub connections: [u64; ConnectStatus::ALL.len()],
    /// Sessions over an open connection, in the order of `SmtpStatus::ALL`.
    pub sessions: [u64; SmtpStatus::ALL.len()],
    /// Answers, in the order of [`ANSWERS`].
    pub answers: [u64; ANSWERS.len()],
}

impl Outcomes {
    /// These, and others.
    pub(super) fn and(self, other: Self) -> Self {
        fn sum<const N: usize>(mut one: [u64; N], other: [u64; N]) -> [u64; N] {
            one.iter_mut().zip(other).for_each(|(count, more)| *count += more);
            one
        }
        Self {
            connections: sum(self.connections, other.connections),
            sessions: sum(self.sessions, other.sessions),
            answers: sum(self.answers, other.answers),
        }
    }
}

/// Counters that only grow.
#[derive(Debug)]
pub(super) struct Counters<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Counters<N> {
    fn one_more(&self, at: usize) {
        self.0.get(at).expect("one counter per word").fetch_add(1, Ordering::Relaxed);
    }

    /// All of them now.
    pub(super) fn all(&self) -> [u64; N] {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

impl Counters<{ ANSWERS.len() }> {
    /// One more answer.
    pub(super) fn answered<T>(&self, answer: &Observed<T>) {
        match answer {
            Observed::Seen(_) => self.one_more(0),
            Observed::Absent(_) => self.one_more(1),
            Observed::Failed(_) => self.one_more(2),
            Observed::NotAsked(_) => {}
        }
    }
}

/// What is counted of connections and of the sessions over them.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) connections: Counters<{ ConnectStatus::ALL.len() }>,
    pub(super) sessions: Counters<{ SmtpStatus::ALL.len() }>,
}

impl Calls {
    /// One more connection is over.
    pub(super) fn ended(&self, session: &Session) {
        self.connections.one_more(session.connect as usize);
        if session.connect == ConnectStatus::Open {
            self.sessions.one_more(session.status as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_counts_once_and_only_an_open_one_is_a_session() {
        let calls = Calls::default();
        for status in [ConnectStatus::Open, ConnectStatus::Refused, ConnectStatus::Refused] {
            calls.ended(&Session { status: SmtpStatus::Deferred, ..Session::none(25, status) });
        }
        let [connections, sessions] = [calls.connections.all().to_vec(), calls.sessions.all().to_vec()];
        assert_eq!(connections.get(ConnectStatus::Refused as usize), Some(&2));
        assert_eq!((connections.iter().sum::<u64>(), sessions.iter().sum::<u64>()), (3, 1));
        assert_eq!(sessions.get(SmtpStatus::Deferred as usize), Some(&1));
    }
}
