//! How much may be asked, of whom, and when.
//! Comes in: rates and slots. Goes out: a turn, as soon as it is due.
//! Waiting for a turn is never charged to a deadline: callers start their clocks afterwards.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;

/// The slowest rate, one turn in four months: clocks cannot count to turns that are much further apart.
const SLOWEST: f64 = 1e-7;

/// Parts of a turn that governor counts. In whole turns it would know no tolerance below one, and at a low rate every wait that
/// ends a little late would be lost for good: 4% at 200 a second.
const CELLS: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// The time between two turns at a rate above zero.
pub(super) fn interval(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate.max(SLOWEST))
}

/// A pace that a crowd of waiters shares, first come, first served.
///
/// Only the waiter at the head of the queue watches the limiter; the others sleep until it is their turn. A crowd that
/// polls the limiter itself costs over a millisecond of CPU a permit.
#[derive(Debug)]
pub struct Pace {
    rate: f64,
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
        Self { rate, limiter, turn: Mutex::new(()) }
    }

    /// The turns of a second; 0 is unlimited.
    pub const fn rate(&self) -> f64 {
        self.rate
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

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
        pace.turn().await;
    }

    #[tokio::test]
    async fn the_smallest_rate_is_still_a_rate() {
        for rate in [f64::MIN_POSITIVE, 1e-20, 1e-9] {
            let pace = Pace::per_second(rate);
            pace.turn().await;
            let second = tokio::time::timeout(Duration::from_millis(5), pace.turn());
            assert!(second.await.is_err(), "{rate} is not unlimited");
        }
    }
}
