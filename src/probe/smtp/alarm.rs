//! One timer for all the deadlines of a session.
//! Comes in: a future and its deadline. Goes out: what the future gives, or that it is too late.
//! To set a timer and to take it back costs more than most steps of a session, and nearly none ever goes off: this one is
//! moved only to a deadline before the one that it stands at, and looks further when it goes off too early.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is used again and again.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// A timer that goes off at the first deadline.
    pub(super) fn new(first: Instant) -> Self {
        Self(Box::pin(sleep_until(first)))
    }

    /// What the future gives until the deadline; None when that is over.
    pub(super) async fn before<T>(&mut self, deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(given) = future.as_mut().poll(context) {
                return Poll::Ready(Some(given));
            }
            if self.0.deadline() > deadline {
                self.0.as_mut().reset(deadline);
            }
            while self.0.as_mut().poll(context).is_ready() {
                if self.0.deadline() >= deadline {
                    return Poll::Ready(None);
                }
                self.0.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn every_deadline_is_kept_whatever_was_set_before_it() {
        let start = Instant::now();
        let seconds = Duration::from_secs;
        let mut alarm = Alarm::new(start + seconds(10));
        assert_eq!(alarm.before(start + seconds(10), async { 7 }).await, Some(7));
        // The timer stands at 10 s and goes off while this is waited for.
        let late = async {
            sleep(seconds(20)).await;
            8
        };
        assert_eq!(alarm.before(start + seconds(30), late).await, Some(8));
        assert_eq!(alarm.before(start + seconds(25), pending::<u8>()).await, None);
        assert_eq!(start.elapsed(), seconds(25));
        // Over before it has begun.
        assert_eq!(alarm.before(start + seconds(20), pending::<u8>()).await, None);
        assert_eq!(alarm.before(start + seconds(20), async { 9 }).await, Some(9));
        assert_eq!(alarm.before(start + seconds(90), pending::<u8>()).await, None);
        assert_eq!(start.elapsed(), seconds(90));
    }
}
