//! The crew: what becomes of a target between the reader and the judge.
//! Comes in: targets, new ones and those that were put aside. Goes out: what was gathered, to the hold or the judge.
//! A worker never waits for a server's turn: the target is put aside, and the next one taken.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tracing::debug;

use super::deferred::{Deferred, For};
use super::hold::{GivenUp, Held, Hold};
use super::judges::Judge;
use super::outage::Outage;
use super::progress::{Counts, InFlight, add};
use super::reader::Work;
use super::stop::{Level, Stop};
use crate::probe::dns::Lookup;
use crate::probe::{Errand, Gathered, Obstacle, Prober};

/// Probes one target. A panic costs this one row, as a fault of ours.
pub(super) async fn gather<L: Lookup>(prober: &Prober<L>, errand: &Errand) -> Result<Gathered, Obstacle> {
    let gathered = AssertUnwindSafe(prober.gather(errand)).catch_unwind().await;
    gathered.unwrap_or_else(|_panic| Ok(prober.broken(errand.target.clone())))
}

/// How long a target that could not be put aside waits with its worker.
const IN_HAND: Duration = Duration::from_millis(100);

/// What events about targets are found under.
const TARGETS: &str = "mxcensus::scan";

/// One of the crew.
pub(super) struct Worker<L> {
    pub(super) slot: usize,
    pub(super) take: async_channel::Receiver<Work>,
    /// What had been put aside.
    pub(super) returned: async_channel::Receiver<Work>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) hold: Arc<Hold<L>>,
    pub(super) deferred: Arc<Deferred<L>>,
    /// Passes over a target at most.
    pub(super) passes: u8,
    pub(super) counts: Arc<Counts>,
    pub(super) outage: Arc<Outage>,
    pub(super) stop: Stop,
}

impl<L> Clone for Worker<L> {
    fn clone(&self) -> Self {
        Self {
            slot: self.slot,
            take: self.take.clone(),
            returned: self.returned.clone(),
            in_flight: Arc::clone(&self.in_flight),
            hold: Arc::clone(&self.hold),
            deferred: Arc::clone(&self.deferred),
            passes: self.passes,
            counts: Arc::clone(&self.counts),
            outage: Arc::clone(&self.outage),
            stop: self.stop.clone(),
        }
    }
}

impl<L: Lookup> Worker<L> {
    /// What to do next: what comes back before what is new. None when nothing of either comes any more.
    async fn next(&self) -> Option<Work> {
        if let Ok(work) = self.returned.try_recv().or_else(|_| self.take.try_recv()) {
            return Some(work);
        }
        if self.take.is_closed() {
            self.deferred.wake();
        }
        tokio::select! {
            work = self.returned.recv() => work.ok().or_else(|| self.take.try_recv().ok()),
            Ok(work) = self.take.recv() => Some(work),
        }
    }

    /// Gathers a target. None when it was put aside, or given up with the run.
    async fn gather(&self, prober: &Prober<L>, mut work: Work) -> Option<(Held, Option<For>)> {
        loop {
            let gathered = gather(prober, &work.errand).await;
            let stopping = self.stop.level() > Level::Run;
            match gathered {
                // It is under way, and will be over.
                Err(Obstacle::Session(_)) if stopping => {}
                Err(_) if stopping => {
                    self.deferred.give_up();
                    return None;
                }
                // Where nothing can be written its worker waits for it.
                Err(obstacle) => {
                    debug!(target: TARGETS, target = %work.errand.target.text, ?obstacle, "put aside");
                    work = self.deferred.until_gone(work, obstacle)?;
                }
                Ok(gathered) => {
                    let may_have_another = work.errand.attempt < self.passes;
                    if gathered.may_change() && !stopping {
                        if may_have_another {
                            debug!(target: TARGETS, target = %work.errand.target.text, "waits for its next pass");
                            work = self.deferred.until_next_pass(work)?;
                        }
                        add(&self.counts.unsettled, 1);
                    } else if gathered.may_change() && may_have_another && self.deferred.leaves(&work.errand) {
                        return None;
                    }
                    return Some((Held { index: work.index, gathered }, work.from));
                }
            }
            tokio::time::sleep(IN_HAND).await;
        }
    }

    /// Gathers targets until there are no more, or the run is being given up.
    async fn work(self, judge: Judge<L>) {
        while let Some(work) = self.next().await {
            if !self.outage.is_over(&judge.prober, &self.stop).await {
                self.deferred.give_up();
                continue;
            }
            let pass = work.errand.attempt;
            if pass > 1 {
                debug!(target: TARGETS, target = %work.errand.target.text, pass, "next pass begun");
            }
            self.in_flight.set(self.slot, Some(Arc::clone(&work.errand.target.text)));
            let Some((held, from)) = self.gather(&judge.prober, work).await else {
                self.in_flight.set(self.slot, None);
                continue;
            };
            // On the heap, as is the judging: a worker that waits for a session needs no room for what comes later.
            let passed = Box::pin(self.hold.put(held)).await;
            self.deferred.through(from);
            if self.take.is_closed() {
                self.deferred.wake();
            }
            self.in_flight.set(self.slot, None);
            let given_up = match passed {
                Ok(Some(held)) => Box::pin(judge.judge(held)).await.is_err(),
                Ok(None) => false,
                Err(GivenUp) => true,
            };
            if given_up {
                return;
            }
        }
    }
}

/// All workers, each like this one.
pub(super) fn crew<L: Lookup>(worker: &Worker<L>, judge: &Judge<L>, workers: usize) -> JoinSet<()> {
    let mut crew = JoinSet::new();
    for slot in 0..workers {
        crew.spawn(Worker { slot, ..worker.clone() }.work(judge.clone()));
    }
    crew
}
