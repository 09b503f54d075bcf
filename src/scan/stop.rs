//! When to stop.
//! Comes in: signals, and faults that end a run. Goes out: drain (finish what is in flight) or halt (drop it).
//! The first signal is polite, the second is obeyed at once.

use tokio::sync::watch;

/// The signal of `RLIMIT_FSIZE`; the same number on all Linux machines but MIPS.
const SIGXFSZ: i32 = 25;

/// How much to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    Run,
    /// Take no new target, finish those in flight.
    Drain,
    /// Drop everything.
    Halt,
}

/// A stop that all parts of a run share.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<Level>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(Level::Run))
    }
}

impl Stop {
    /// How much to stop now.
    pub fn level(&self) -> Level {
        *self.0.borrow()
    }

    /// Stops at least this much; a stop is never taken back.
    pub fn at_least(&self, level: Level) {
        self.0.send_if_modified(|current| {
            let more = level > *current;
            *current = level.max(*current);
            more
        });
    }

    /// Waits until it is at least this much.
    pub async fn reached(&self, level: Level) {
        let mut receiver = self.0.subscribe();
        receiver.wait_for(|current| *current >= level).await.expect("we hold a sender ourselves");
    }

    /// Listens for SIGINT and SIGTERM until the runtime ends: one drains, the second halts.
    pub fn listen(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // A file size limit shall be an error of the write that hits it, not the end of the process.
        let file_size = signal(SignalKind::from_raw(SIGXFSZ))?;
        let stop = self.clone();
        tokio::spawn(async move {
            let _handled = file_size;
            loop {
                tokio::select! {
                    Some(()) = interrupt.recv() => {}
                    Some(()) = terminate.recv() => {}
                    else => return,
                }
                stop.at_least(if stop.level() == Level::Run { Level::Drain } else { Level::Halt });
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_is_never_taken_back() {
        let stop = Stop::default();
        stop.at_least(Level::Halt);
        stop.at_least(Level::Drain);
        assert_eq!(stop.level(), Level::Halt);
        stop.reached(Level::Drain).await;
    }
}
