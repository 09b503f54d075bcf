//! Targets that are put aside.
//! Comes in: targets that some server's network or provider keeps waiting, and targets whose outcome may change. Goes out: the
//! same, when what stood against them is gone, or when it is time for their next pass.
//! They wait on disk, so a worker is free for the next target at once and a provider of millions of domains costs no memory.
//! Of those that wait for one thing only a few are let go at a time: most need the same turn, which only one of them gets.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::progress::{Counts, add, get};
use super::reader::Work;
use super::settled::Passed;
use super::spool::{Queue, Spool};
use super::stop::{Level, Stop};
use crate::model::clock::now_ms;
use crate::probe::dns::Lookup;
use crate::probe::{Errand, Obstacle, Prober};

/// Let go at a time, at first and at most: doubled each time that all of them went through.
const BATCH: u64 = 4;
const MOST: u64 = 1_024;

/// What a target waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum For {
    /// Something that stands against asking a server.
    Obstacle(Obstacle),
    /// Its next pass.
    Pass,
}

/// A target as it stands on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    index: u64,
    errand: Errand,
    /// Milliseconds since the run began, and since 1970, when it was put aside.
    since: u64,
    at: i64,
}

/// Those that wait for one thing.
#[derive(Debug, Default)]
struct Waiting {
    queue: Queue,
    batch: u64,
    /// Let go, and neither back nor through yet.
    out: u64,
}

/// Targets put aside, and when to look after them.
pub(super) struct Deferred<L> {
    prober: Arc<Prober<L>>,
    began: Instant,
    /// Between two passes.
    after: Duration,
    inner: Mutex<Inner>,
    wake: Notify,
    counts: Arc<Counts>,
    /// Targets that are through: no worker and no queue has them any more.
    through: AtomicU64,
    /// Some target did not get all that the run is meant to give it.
    cut_short: AtomicBool,
    /// For a later start of the run, where there can be one: which targets wait for another pass.
    passed: Option<Arc<Passed>>,
}

#[derive(Debug)]
struct Inner {
    spool: Spool,
    waiting: HashMap<For, Waiting>,
    /// When to look after what: what is found by the number of the look.
    looks: BinaryHeap<Reverse<(Instant, u64)>>,
    whose: HashMap<u64, For>,
    looked: u64,
    /// Nobody looks after it any more.
    closed: bool,
}

impl Inner {
    fn look(&mut self, at: Instant, what: For) {
        self.looked += 1;
        self.looks.push(Reverse((at, self.looked)));
        self.whose.insert(self.looked, what);
    }
}

impl<L: Lookup> Deferred<L> {
    /// Nothing is put aside; the file is made in this folder. `after` is the time between two passes.
    pub(super) fn new(
        prober: Arc<Prober<L>>,
        folder: PathBuf,
        after: Duration,
        counts: Arc<Counts>,
        passed: Option<Arc<Passed>>,
    ) -> Self {
        let inner = Inner {
            spool: Spool::new(folder),
            waiting: HashMap::new(),
            looks: BinaryHeap::new(),
            whose: HashMap::new(),
            looked: 0,
            closed: false,
        };
        Self {
            prober,
            began: Instant::now(),
            after,
            inner: Mutex::new(inner),
            wake: Notify::new(),
            counts,
            through: AtomicU64::new(0),
            cut_short: AtomicBool::new(false),
            passed,
        }
    }

    /// Puts a target aside until the obstacle is gone; gives it back where it cannot be written down, or
    /// the run is to stop.
    pub(super) fn until_gone(&self, work: Work, obstacle: Obstacle) -> Option<Work> {
        let at = self.prober.again(&obstacle).unwrap_or_else(Instant::now);
        self.put(work, For::Obstacle(obstacle), at)
    }

    /// Puts a target aside until its next pass; gives it back where it cannot be written down, or the run
    /// is to stop.
    pub(super) fn until_next_pass(&self, work: Work) -> Option<Work> {
        if let Some(passed) = &self.passed {
            passed.note(work.errand.target.sequence, work.errand.attempt);
        }
        self.put(work, For::Pass, Instant::now() + self.after)
    }

    fn put(&self, work: Work, what: For, at: Instant) -> Option<Work> {
        let record = Record { index: work.index, errand: work.errand, since: self.now(), at: now_ms() };
        let bytes = serde_json::to_vec(&record).expect("a target has texts as keys");
        let mut guard = self.inner();
        let inner = &mut *guard;
        let gauge = self.gauge(&what);
        let waiting = inner.waiting.entry(what.clone()).or_default();
        if inner.closed || inner.spool.push(&mut waiting.queue, &bytes).is_err() {
            drop(guard);
            return Some(Work { errand: record.errand, ..work });
        }
        if waiting.queue.length() == 1 && waiting.out == 0 {
            waiting.batch = BATCH;
            inner.look(at, what);
        }
        // Under the lock: whoever lets it go takes it off again.
        add(gauge, 1);
        drop(guard);
        self.back(work.from);
        self.wake.notify_one();
        None
    }

    /// A target is through: it has been passed on, or given up. `from` is what it had waited for last.
    pub(super) fn through(&self, from: Option<For>) {
        self.through.fetch_add(1, Ordering::AcqRel);
        self.back(from);
    }

    /// One of those that were let go is back or through: the last of them makes room for the next.
    fn back(&self, from: Option<For>) {
        let Some(from) = from else { return };
        let mut inner = self.inner();
        let Some(waiting) = inner.waiting.get_mut(&from) else { return };
        waiting.out -= 1;
        match (waiting.out, waiting.queue.length()) {
            (0, 0) => _ = inner.waiting.remove(&from),
            (0, _) => {
                inner.look(Instant::now(), from);
                self.wake.notify_one();
            }
            _ => {}
        }
    }

    /// Whether a target that should have another pass is given up with this start of the run: a later one takes the pass.
    pub(super) fn leaves(&self, errand: &Errand) -> bool {
        let Some(passed) = &self.passed else { return false };
        passed.note(errand.target.sequence, errand.attempt);
        self.give_up();
        true
    }

    /// A target is given up with the run.
    pub(super) fn give_up(&self) {
        self.cut_short.store(true, Ordering::Release);
    }

    /// Whether some target did not get all that the run is meant to give it.
    pub(super) fn is_cut_short(&self) -> bool {
        self.cut_short.load(Ordering::Acquire)
    }

    /// The reader has ended, or a worker is done with what it gave: maybe nothing is left.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Lets go of what may go, until the reader is at its end and nothing is left: `is_read` tells whether it is. A run that is to
    /// stop takes no further pass: what waits for one is let go as it stands, and what waits for a server is given up.
    pub(super) async fn keep(
        &self,
        back: async_channel::Sender<Work>,
        is_read: impl Fn() -> bool,
        stop: &Stop,
    ) -> io::Result<()> {
        loop {
            let is_last = stop.level() > Level::Run;
            let (ready, next) = if is_last { (self.as_they_stand()?, None) } else { self.look()? };
            if is_last && ready.is_empty() {
                return Ok(());
            }
            for work in ready {
                if back.send(work).await.is_err() {
                    return Ok(());
                }
            }
            if is_last {
                continue;
            }
            if is_read() && self.through.load(Ordering::Acquire) >= get(&self.counts.taken) {
                return Ok(());
            }
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.wake.notified() => {}
                () = stop.reached(Level::Drain) => {}
            }
        }
    }

    /// Looks after what it is time for: what may go, and when to look again.
    fn look(&self) -> io::Result<(Vec<Work>, Option<Instant>)> {
        let mut ready = Vec::new();
        let mut guard = self.inner();
        let inner = &mut *guard;
        while let Some(Reverse((at, number))) = inner.looks.peek().copied() {
            if at > Instant::now() || ready.len() as u64 >= MOST {
                return Ok((ready, Some(at)));
            }
            inner.looks.pop();
            let Some(what) = inner.whose.remove(&number) else { continue };
            match &what {
                For::Pass => self.passes(inner, &mut ready)?,
                For::Obstacle(obstacle) => match self.prober.again(obstacle) {
                    Some(later) => {
                        // Somebody had the turn.
                        if let Some(waiting) = inner.waiting.get_mut(&what) {
                            waiting.batch = BATCH;
                        }
                        inner.look(later, what);
                    }
                    None => self.release(inner, &what, &mut ready)?,
                },
            }
        }
        Ok((ready, None))
    }

    /// Lets a few go that waited for the same thing; when all are back or through it is looked after again.
    fn release(&self, inner: &mut Inner, what: &For, ready: &mut Vec<Work>) -> io::Result<()> {
        let Some(waiting) = inner.waiting.get_mut(what) else { return Ok(()) };
        while waiting.out < waiting.batch {
            let Some(bytes) = inner.spool.pop(&mut waiting.queue)? else { break };
            let record = read(&bytes)?;
            waiting.out += 1;
            less(self.gauge(what));
            ready.push(Work { index: record.index, errand: record.errand, from: Some(what.clone()) });
        }
        waiting.batch = (waiting.batch * 2).min(MOST);
        Ok(())
    }

    /// Lets go of those whose next pass is due.
    fn passes(&self, inner: &mut Inner, ready: &mut Vec<Work>) -> io::Result<()> {
        let Some(waiting) = inner.waiting.get_mut(&For::Pass) else { return Ok(()) };
        while let Some(bytes) = inner.spool.first(&waiting.queue)? {
            let record = read(&bytes)?;
            // They stand in the order in which they were put aside.
            let due = self.began + Duration::from_millis(record.since) + self.after;
            if due > Instant::now() || ready.len() as u64 >= MOST {
                inner.look(due, For::Pass);
                return Ok(());
            }
            inner.spool.pop(&mut waiting.queue)?;
            less(self.gauge(&For::Pass));
            ready.push(Work { index: record.index, errand: record.errand.again(record.at), from: None });
        }
        inner.waiting.remove(&For::Pass);
        Ok(())
    }

    /// Some of those that wait for a session that is under way, or for a pass which will not come in any start of the run: what is
    /// known of them will be in memory.
    fn as_they_stand(&self) -> io::Result<Vec<Work>> {
        let mut ready = Vec::new();
        let mut guard = self.inner();
        let inner = &mut *guard;
        if inner.waiting.values().any(|waiting| waiting.queue.length() > 0) {
            self.give_up();
        }
        let near = |(what, _): &(&For, &mut Waiting)| match what {
            For::Pass => self.passed.is_none(),
            For::Obstacle(obstacle) => matches!(obstacle, Obstacle::Session(_)),
        };
        for (what, waiting) in inner.waiting.iter_mut().filter(near) {
            while (ready.len() as u64) < MOST
                && let Some(bytes) = inner.spool.pop(&mut waiting.queue)?
            {
                let record = read(&bytes)?;
                less(self.gauge(what));
                ready.push(Work { index: record.index, errand: record.errand, from: None });
            }
        }
        inner.closed = ready.is_empty();
        Ok(ready)
    }

    fn gauge(&self, what: &For) -> &AtomicU64 {
        match what {
            For::Pass => &self.counts.later,
            For::Obstacle(_) => &self.counts.aside,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock can panic")
    }
}

fn less(gauge: &AtomicU64) {
    gauge.fetch_sub(1, Ordering::Relaxed);
}

fn read(bytes: &[u8]) -> io::Result<Record> {
    Ok(serde_json::from_slice(bytes)?)
}
