//! Evidence that waits until its blocklists have passed the next test of their health.
//! Comes in: targets as they are gathered. Goes out: the same, once it is known what of them is to be believed.
//! Bounded: when it fills, when the window of the input's order is used up, or when the run ends, a test is made at once.
//! It judges nothing, and without blocklists nothing waits here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::sync::{Notify, Semaphore};

use super::progress::{Counts, get};
use crate::probe::dns::Lookup;
use crate::probe::{Gathered, Prober};

/// A target on its way from the probes to the judge.
pub(super) struct Held {
    pub(super) index: u64,
    pub(super) gathered: Gathered,
}

/// The run is being given up: nobody takes what is held any more.
#[derive(Debug)]
pub(super) struct GivenUp;

/// What waits.
pub(super) struct Hold<L> {
    prober: Arc<Prober<L>>,
    held: Mutex<Vec<Held>>,
    room: Semaphore,
    capacity: usize,
    wake: Notify,
    closed: AtomicBool,
    /// Targets that have come in, so that it can be seen when every target that was taken up has.
    come: AtomicU64,
    counts: Arc<Counts>,
    /// How many more targets may be read before some are written, when rows keep the input's order.
    window: Option<Arc<Semaphore>>,
}

impl<L: Lookup> Hold<L> {
    /// Room for this many targets.
    pub(super) fn new(
        prober: Arc<Prober<L>>,
        capacity: usize,
        counts: Arc<Counts>,
        window: Option<Arc<Semaphore>>,
    ) -> Self {
        let capacity = capacity.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            prober,
            held: Mutex::default(),
            room: Semaphore::new(capacity),
            capacity,
            wake: Notify::new(),
            closed: AtomicBool::new(false),
            come: AtomicU64::new(0),
            counts,
            window,
        }
    }

    /// Takes a target in, waiting for room; gives it back where there is nothing to wait for.
    pub(super) async fn put(&self, held: Held) -> Result<Option<Held>, GivenUp> {
        if self.prober.settled()(&held.gathered) {
            self.come.fetch_add(1, Ordering::AcqRel);
            self.wake_if_pressing();
            return Ok(Some(held));
        }
        self.room.acquire().await.map_err(|_closed| GivenUp)?.forget();
        {
            let mut all = self.held();
            all.push(held);
            self.counts.held.store(all.len() as u64, Ordering::Relaxed);
        }
        self.come.fetch_add(1, Ordering::AcqRel);
        self.wake_if_pressing();
        Ok(None)
    }

    /// Nothing more will come: what is held is tested for now.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Tests the lists when it is time, and lets go of what is settled, until all is.
    pub(super) async fn keep(&self, ready: async_channel::Sender<Held>) {
        loop {
            for held in self.release() {
                if ready.send(held).await.is_err() {
                    self.room.close();
                    return;
                }
            }
            let closed = self.closed.load(Ordering::Acquire);
            if closed && self.held().is_empty() {
                return;
            }
            if closed || self.is_pressing() {
                self.prober.test_open().await;
                continue;
            }
            let due = self.prober.next_test();
            if due.is_some_and(|due| due <= Instant::now()) {
                self.prober.test_due().await;
                continue;
            }
            let time = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = time => {}
                () = self.wake.notified() => {}
                () = self.prober.suspicion() => {}
            }
        }
    }

    /// Takes out what is settled, in the order in which it came.
    fn release(&self) -> Vec<Held> {
        let settled = self.prober.settled();
        let mut held = self.held();
        let (ready, open): (Vec<Held>, Vec<Held>) =
            std::mem::take(&mut *held).into_iter().partition(|held| settled(&held.gathered));
        *held = open;
        self.counts.held.store(held.len() as u64, Ordering::Relaxed);
        self.room.add_permits(ready.len());
        ready
    }

    /// Whether somebody waits for what is held here: for room, or for the window.
    fn is_pressing(&self) -> bool {
        let count = usize::try_from(get(&self.counts.held)).unwrap_or(usize::MAX);
        let is_full = count >= self.capacity.div_ceil(2);
        // The reader waits for rows, the workers for the reader, and the rows are here.
        let is_stuck = || {
            let all_come = self.come.load(Ordering::Acquire) >= get(&self.counts.taken);
            all_come && self.window.as_ref().is_some_and(|window| window.available_permits() == 0)
        };
        count > 0 && (is_full || is_stuck())
    }

    fn wake_if_pressing(&self) {
        if self.is_pressing() {
            self.wake.notify_one();
        }
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().expect("no holder of this lock can panic")
    }
}
