//! What the engine has done so far, in numbers.
//! Comes in: one count per event, from any thread. Goes out: a copy of them all.
//! Counting decides nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::dns::{Answer, Data};
use crate::model::observed::{Failure, Observed};
use crate::model::words::Cause;

macro_rules! counts {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        /// Counts since the engine was started.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Stats { $($(#[$meta])* pub $name: u64),+ }

        /// The counters behind [`Stats`].
        #[derive(Debug, Default)]
        pub(super) struct Counters { $(pub(super) $name: AtomicU64),+ }

        impl Counters {
            /// The counts as they are now.
            pub(super) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed)),+ }
            }
        }
    };
}
counts! {
    /// Queries sent, over UDP and TCP, retries included.
    sent,
    /// Queries sent over TCP.
    tcp,
    /// Replies that fitted a question.
    answered,
    /// Datagrams that were not the reply to any question in flight.
    ignored,
    /// Replies that fitted but for the case of letters: a server that does not keep it, or a forger.
    wrong_case,
    /// Lookups that ended with records.
    seen,
    /// Lookups that ended with a denial.
    absent,
    /// Lookups that ended with a failure of the name servers: SERVFAIL and its kin, REFUSED, filtered.
    failed,
    /// Lookups without a usable reply in time.
    timeout,
    /// Lookups that failed on our side: resolver down, own faults.
    own_side,
}

impl Counters {
    /// Counts one event.
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// Counts how a lookup ended.
    pub(super) fn ended(&self, answer: &Answer<Data>) {
        Self::count(match answer {
            Observed::Seen(_) => &self.seen,
            Observed::Absent(_) => &self.absent,
            Observed::Failed(Failure { cause: Cause::Timeout | Cause::Truncated, .. }) => &self.timeout,
            Observed::Failed(Failure { cause: Cause::ResolverDown | Cause::SelfFault, .. }) | Observed::NotAsked(_) => {
                &self.own_side
            }
            Observed::Failed(_) => &self.failed,
        });
    }
}
