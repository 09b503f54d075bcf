//! Those who judge what was gathered, behind the hold.
//! Comes in: targets, from the workers and from the hold. Goes out: the same, judged, for the writer.
//! A judge neither asks nor writes; what the writer cannot take holds it.

use std::num::NonZero;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::hold::{GivenUp, Held, Hold};
use super::progress::{Failures, failed_connection};
use crate::judge;
use crate::judge::policy::Policy;
use crate::model::assessment::Judged;
use crate::model::words::Cause;
use crate::probe::dns::Lookup;
use crate::probe::{Gathered, Prober};

/// The keeper of the hold, and those who judge what it lets go: that comes in bursts, so there are enough of them to use the
/// machine, and no more.
pub(super) fn judges<L: Lookup>(judge: &Judge<L>, hold: Arc<Hold<L>>, workers: usize) -> JoinSet<()> {
    let mut behind = JoinSet::new();
    let (ready, released) = async_channel::bounded::<Held>(256);
    for _ in 0..thread::available_parallelism().map_or(2, NonZero::get).min(workers) {
        let (released, judge) = (released.clone(), judge.clone());
        behind.spawn(async move {
            while let Ok(held) = released.recv().await {
                if judge.judge(held).await.is_err() {
                    return;
                }
            }
        });
    }
    behind.spawn(async move { hold.keep(ready).await });
    behind
}

/// What turns gathered targets into rows for the writer.
pub(super) struct Judge<L> {
    pub(super) prober: Arc<Prober<L>>,
    pub(super) policy: Arc<Policy>,
    pub(super) failures: Arc<Failures>,
    pub(super) rows: mpsc::Sender<(u64, Judged)>,
}

impl<L> Clone for Judge<L> {
    fn clone(&self) -> Self {
        Self {
            prober: Arc::clone(&self.prober),
            policy: Arc::clone(&self.policy),
            failures: Arc::clone(&self.failures),
            rows: self.rows.clone(),
        }
    }
}

impl<L: Lookup> Judge<L> {
    /// Judges a target and gives it to the writer, which has gone only when the run is being given up.
    pub(super) async fn judge(&self, held: Held) -> Result<(), GivenUp> {
        let Held { index, gathered } = held;
        let judged = assess(&self.prober, &self.policy, gathered);
        note_failures(&self.failures, &judged);
        self.rows.send((index, judged)).await.map_err(|_gone| GivenUp)
    }
}

/// Judges what is settled. A panic costs this one target's rows, as a fault of ours.
pub(super) fn assess<L: Lookup>(prober: &Prober<L>, policy: &Policy, gathered: Gathered) -> Judged {
    let target = gathered.target.clone();
    let assessed = std::panic::catch_unwind(AssertUnwindSafe(|| judge::assess(prober.settle(gathered), policy)));
    assessed.unwrap_or_else(|_panic| judge::assess(prober.settle(prober.broken(target)), policy))
}

fn note_failures(failures: &Failures, judged: &Judged) {
    let mut causes: Vec<_> = judged
        .rows()
        .flat_map(|row| {
            let connection = row.host().and_then(|host| failed_connection(host.session.connect));
            connection.into_iter().chain(row.assessment.unknown_why.iter().map(|(_, cause)| *cause))
        })
        .collect();
    // That a server without an introduction has no name to judge is no failure of its own.
    causes.retain(|cause| *cause != Cause::NoIntroduction);
    causes.sort_unstable();
    causes.dedup();
    for cause in causes {
        failures.count(cause);
    }
}
