//! Threads that hold the SMTP sessions, each with a runtime of its own.
//! Comes in: a session to hold. Goes out: the session that was held.
//! A session is woken a dozen times and has little to do each time. Beside all else that a run does, on threads that take work
//! from each other, it finds its caches cold and the timers locked; on a thread of its own kind it takes a fifth less CPU.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads; without any, a session is held where it is asked for.
#[derive(Debug)]
pub(super) struct Lanes {
    all: Vec<Lane>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Lane {
    runtime: Handle,
    /// The thread ends when this is dropped, and what is on it is given up.
    _end: oneshot::Sender<()>,
}

impl Lanes {
    /// So many threads, or as many of them as the system has.
    pub(super) fn new(threads: usize) -> Self {
        Self { all: (0..threads).map_while(|_| Lane::begin()).collect(), next: AtomicUsize::new(0) }
    }

    /// What comes of a session, which is given up when this is dropped. A panic in it comes to whoever waits here. The session
    /// is made in here, so that whoever waits for thousands of them keeps no room for what is elsewhere.
    pub(super) async fn hold<S>(&self, session: impl FnOnce() -> S) -> S::Output
    where
        S: Future<Output: Send> + Send + 'static,
    {
        let turn = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(self.all.len());
        let Some(lane) = turn.and_then(|turn| self.all.get(turn)) else { return Box::pin(session()).await };
        let (task, held) = session().remote_handle();
        lane.runtime.spawn(task);
        held.await
    }
}

impl Lane {
    /// None where the system has no thread or no epoll for it.
    fn begin() -> Option<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let (end, ended) = oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        let hold = move || {
            // An error, when it comes: nobody ever sends.
            let _dropped = runtime.block_on(ended);
        };
        thread::Builder::new().name("sessions".to_owned()).spawn(hold).ok()?;
        Some(Self { runtime: handle, _end: end })
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn name() -> Option<String> {
        thread::current().name().map(str::to_owned)
    }

    #[tokio::test]
    async fn sessions_are_held_side_by_side_on_the_threads_in_turn() {
        let lanes = Lanes::new(2);
        let held = || async {
            let session = || async {
                sleep(Duration::from_millis(1)).await;
                (name(), thread::current().id())
            };
            lanes.hold(session).await
        };
        let (one, other) = tokio::join!(held(), held());
        assert_eq!((one.0.as_deref(), other.0.as_deref()), (Some("sessions"), Some("sessions")));
        assert_ne!(one.1, other.1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_threads_they_are_held_in_place_by_the_clock_there() {
        let here = thread::current().id();
        let lanes = Lanes::new(0);
        let session = || async {
            sleep(Duration::from_secs(3600)).await;
            thread::current().id()
        };
        let there = lanes.hold(session);
        assert_eq!(there.await, here);
    }

    #[tokio::test]
    async fn a_panic_comes_to_who_waits_and_the_thread_goes_on() {
        let lanes = Lanes::new(1);
        let panicked = std::panic::AssertUnwindSafe(lanes.hold(|| async { panic!("a fault of the session's") }));
        let told = panicked.catch_unwind().await.expect_err("it panics");
        assert_eq!(told.downcast_ref::<&str>(), Some(&"a fault of the session's"));
        assert_eq!(lanes.hold(|| async { 7 }).await, 7);
    }

    /// Whether its sessions are given up with whoever waits for them, and with the threads.
    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_given_up() {
        for with_threads in [false, true] {
            let lanes = Lanes::new(1);
            let alive = Arc::new(());
            let (held, begun) = (Arc::clone(&alive), Arc::new(tokio::sync::Notify::new()));
            let begin = Arc::clone(&begun);
            let session = || async move {
                begin.notify_one();
                pending::<()>().await;
                drop(held);
            };
            let mut waits = Box::pin(lanes.hold(session));
            tokio::select! {
                () = &mut waits => unreachable!("it never ends"),
                () = begun.notified() => {}
            }
            if with_threads {
                std::mem::forget(waits);
                drop(lanes);
            } else {
                drop(waits);
            }
            let given_up = async {
                while Arc::strong_count(&alive) > 1 {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            timeout(PATIENCE, given_up).await.expect("it is given up");
        }
    }
}
