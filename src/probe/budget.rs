//! How much may be asked, of whom, and when.
//! Comes in: rates and slots. Goes out: a turn, as soon as it is due.
//! Waiting for a turn is never charged to a deadline: callers start their clocks afterwards.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

/// The slowest rate, one turn in four months: clocks cannot count to turns that are much further apart.
const SLOWEST: f64 = 1e-7;

/// Parts of a turn that governor counts. In whole turns it would know no tolerance below one, and at a low rate every wait that
/// ends a little late would be lost for good: 4% at 200 a second.
const CELLS: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// The time between two turns at a rate above zero.
fn interval(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate.max(SLOWEST))
}

/// A pace that a crowd of waiters shares, first come, first served.
///
/// Only the waiter at the head of the queue watches the limiter; the others sleep until it is their turn. A crowd that
/// polls the limiter itself costs over a millisecond of CPU a permit.
#[derive(Debug)]
pub struct Pace {
    limiter: Option<DefaultDirectRateLimiter>,
    turn: Mutex<()>,
}

impl Pace {
    /// This many turns a second, evenly spaced but for a burst of 10 ms worth. Zero is unlimited.
    pub fn per_second(rate: f64) -> Self {
        let limiter = (rate > 0.0).then(|| {
            // 10 ms worth.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to u32 before")]
            let spare = (rate / 100.0 * f64::from(CELLS.get())).min(f64::from(u32::MAX / 2)) as u32;
            let quota = Quota::with_period(interval(rate) / CELLS.get())
                .unwrap_or(Quota::per_second(NonZeroU32::MAX))
                .allow_burst(CELLS.saturating_add(spare));
            RateLimiter::direct(quota)
        });
        Self { limiter, turn: Mutex::new(()) }
    }

    /// Waits for the next turn.
    pub async fn turn(&self) {
        let Some(limiter) = &self.limiter else { return };
        let _head = self.turn.lock().await;
        // The runtime's own timer: governor's has a thread of its own, which costs ten times as much. It is a millisecond late
        // at most, and what was due meanwhile goes without a wait.
        while let Err(early) = limiter.check_n(CELLS).expect("the bucket holds a turn") {
            tokio::time::sleep(early.wait_time_from(limiter.clock().now())).await;
        }
    }
}

/// A pace and a number of slots for each group of servers: a network, a provider. Groups are made when first met.
///
/// A group that is at rest and past its interval is forgotten, so a census of the whole Internet keeps only the live ones.
#[derive(Debug)]
pub struct Groups<K> {
    rate: f64,
    slots: usize,
    known: std::sync::Mutex<Known<K>>,
}

#[derive(Debug)]
struct Known<K> {
    by_key: HashMap<K, Arc<Group>>,
    /// How many groups may be known before the ones at rest are forgotten; doubles when too few were.
    prune_at: usize,
}

#[derive(Debug)]
struct Group {
    pace: Pace,
    slots: Arc<Semaphore>,
    last: std::sync::Mutex<Instant>,
}

/// A slot in a group; the group's next waiter gets it when this is dropped.
#[derive(Debug)]
pub struct Slot {
    _held: Option<(OwnedSemaphorePermit, Arc<Group>)>,
}

impl<K: Eq + Hash> Groups<K> {
    /// New connections per second and connections at a time in each group. A rate of zero lifts both limits.
    pub fn new(rate: f64, slots: usize) -> Self {
        let known = std::sync::Mutex::new(Known { by_key: HashMap::new(), prune_at: 4096 });
        Self { rate, slots, known }
    }

    /// Waits for a slot and then for the group's turn.
    pub async fn enter(&self, key: K) -> Slot {
        if self.rate <= 0.0 {
            return Slot { _held: None };
        }
        let group = self.group(key);
        let slots = Arc::clone(&group.slots);
        let permit = slots.acquire_owned().await.expect("the semaphore of a group is never closed");
        group.pace.turn().await;
        *group.last.lock().expect("no holder of this lock can panic") = Instant::now();
        Slot { _held: Some((permit, group)) }
    }

    fn group(&self, key: K) -> Arc<Group> {
        let mut known = self.known.lock().expect("no holder of this lock can panic");
        if known.by_key.len() >= known.prune_at {
            let interval = interval(self.rate);
            known.by_key.retain(|_, group| {
                let last = *group.last.lock().expect("no holder of this lock can panic");
                Arc::strong_count(group) > 1 || last.elapsed() < interval
            });
            known.prune_at = (known.by_key.len() * 2).max(4096);
        }
        let group = known.by_key.entry(key).or_insert_with(|| {
            let slots = Arc::new(Semaphore::new(self.slots));
            Arc::new(Group { pace: Pace::per_second(self.rate), slots, last: std::sync::Mutex::new(Instant::now()) })
        });
        Arc::clone(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pace_is_never_faster_than_its_rate() {
        let pace = Pace::per_second(2_000.0);
        let start = Instant::now();
        for _ in 0..1_000 {
            pace.turn().await;
        }
        // 1,000 turns less the burst of 20 at 2,000 a second.
        assert!(start.elapsed() >= Duration::from_millis(480), "{:?}", start.elapsed());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_crowd_never_gets_more_than_ten_milliseconds_worth_at_once() {
        // 2,000 a second: a burst of 20, then one each half millisecond.
        let pace = Arc::new(Pace::per_second(2_000.0));
        let asked = (0..600).map(|_| {
            let pace = Arc::clone(&pace);
            tokio::spawn(async move {
                pace.turn().await;
                Instant::now()
            })
        });
        let mut turns = Vec::new();
        for turn in asked.collect::<Vec<_>>() {
            turns.push(turn.await.unwrap());
        }
        turns.sort();
        for (first, later) in turns.iter().zip(turns.iter().skip(200)) {
            // 200 turns further: less the burst, and what a busy machine shifts between a turn and our look at the clock.
            assert!(later.duration_since(*first) >= Duration::from_millis(90 - 30));
        }
    }

    #[tokio::test]
    async fn a_zero_rate_never_waits() {
        let pace = Pace::per_second(0.0);
        let groups = Groups::new(0.0, 1);
        let first = groups.enter(1).await;
        let second = groups.enter(1).await;
        pace.turn().await;
        drop((first, second));
    }

    #[tokio::test]
    async fn the_smallest_rate_is_still_a_rate() {
        for rate in [f64::MIN_POSITIVE, 1e-20, 1e-9] {
            let pace = Pace::per_second(rate);
            pace.turn().await;
            let second = tokio::time::timeout(Duration::from_millis(5), pace.turn());
            assert!(second.await.is_err(), "{rate} is not unlimited");
            let groups = Groups::new(rate, 1);
            for key in 0..5_000 {
                drop(groups.enter(key).await);
            }
        }
    }

    #[tokio::test]
    async fn a_group_never_has_more_than_its_slots() {
        let groups = Groups::new(1_000_000.0, 2);
        let held = (groups.enter("a").await, groups.enter("a").await);
        assert!(tokio::time::timeout(Duration::from_millis(20), groups.enter("a")).await.is_err());
        drop(groups.enter("b").await);
        drop(held);
        drop(groups.enter("a").await);
    }

    #[tokio::test]
    async fn groups_at_rest_are_forgotten() {
        let groups = Groups::new(1_000_000.0, 1);
        for key in 0..20_000 {
            drop(groups.enter(key).await);
        }
        assert!(groups.known.lock().unwrap().by_key.len() <= 8192);
    }
}
