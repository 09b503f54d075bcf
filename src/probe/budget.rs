//! How much may be asked, of whom, and when.
//! Comes in: rates and slots. Goes out: a turn, as soon as it is due.
//! Waiting for a turn is never charged to a deadline: callers start their clocks afterwards.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::Mutex;

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
            // 10 ms worth, at least the one that a bucket must hold.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to u32 before")]
            let burst = (rate / 100.0).clamp(1.0, f64::from(u32::MAX)) as u32;
            let quota = Quota::with_period(Duration::from_secs_f64(1.0 / rate))
                .unwrap_or(Quota::per_second(NonZeroU32::MAX))
                .allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
            RateLimiter::direct(quota)
        });
        Self { limiter, turn: Mutex::new(()) }
    }

    /// Waits for the next turn.
    pub async fn turn(&self) {
        let Some(limiter) = &self.limiter else { return };
        let _head = self.turn.lock().await;
        limiter.until_ready().await;
    }
}
