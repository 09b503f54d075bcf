//! A resolver that goes away in the middle of a run.
//! Comes in: workers that want to begin with a target. Goes out: the same, once somebody answers; or the end of the run, where
//! nobody does for long.
//! Without a resolver every target would be unknown by a fault of ours, and a list of millions is used up within hours.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::stop::{Level, Stop};
use crate::probe::Prober;
use crate::probe::dns::Lookup;

/// How long a run waits for its resolver: longer than it takes to restart a machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// Between two questions whether somebody is there; one that is lost takes longer by itself.
const PAUSE: Duration = Duration::from_secs(1);

/// Where workers wait.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// Whoever holds it asks whether somebody answers again; the others wait behind it.
    asking: tokio::sync::Mutex<()>,
    news: Mutex<Vec<String>>,
}

impl Outage {
    /// Waits until a resolver answers, which it mostly does; false where the run is to stop instead.
    pub(super) async fn is_over<L: Lookup>(&self, prober: &Prober<L>, stop: &Stop) -> bool {
        // On the heap: ten thousand workers come by here, and need no room for what hardly ever happens.
        !prober.is_cut_off() || Box::pin(self.wait(prober, stop)).await
    }

    async fn wait<L: Lookup>(&self, prober: &Prober<L>, stop: &Stop) -> bool {
        let _turn = self.asking.lock().await;
        let (began, mut told) = (Instant::now(), false);
        while prober.is_cut_off() && stop.level() == Level::Run {
            if began.elapsed() >= PATIENCE {
                self.tell(format!("no resolver has answered for {} min: the run ends here", PATIENCE.as_secs() / 60));
                stop.at_least(Level::Drain);
                break;
            }
            tokio::select! {
                () = async { prober.ask_the_root().await; if prober.is_cut_off() { sleep(PAUSE).await } } => {}
                () = stop.reached(Level::Drain) => {}
            }
            if prober.is_cut_off() && !std::mem::replace(&mut told, true) {
                self.tell("no resolver answers any more: no target is begun until one does".to_owned());
            }
        }
        let is_over = !prober.is_cut_off();
        if is_over && told {
            self.tell(format!("a resolver answers again after {} s: the run goes on", began.elapsed().as_secs()));
        }
        is_over
    }

    fn tell(&self, news: String) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push(news);
    }

    /// What has happened since this was asked last.
    pub(super) fn news(&self) -> Vec<String> {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
