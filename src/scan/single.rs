//! One target at a time, for whoever asks when it suits them.
//! Comes in: entries of one target each. Goes out: the target, judged.
//! The same prober, the same judge and the same manners as a run's; there is no queue, no file and no later pass.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::sleep_until;

use super::judges::assess;
use super::{Error, Job, resolver, worker};
use crate::judge::policy::Policy;
use crate::model::assessment::Judged;
use crate::model::dnsbl::Health;
use crate::model::target::Entry;
use crate::plan::Planner;
use crate::probe::dns::Engine;
use crate::probe::{Errand, Prober};

/// A prober and a judge that are ready.
#[derive(Debug)]
pub struct Single {
    planner: Mutex<Planner>,
    prober: Prober<Engine>,
    policy: Policy,
}

impl Single {
    /// Tests the resolver and the blocklists. Of the job counts what says how to ask and how to judge.
    pub async fn start(job: Job) -> Result<Self, Error> {
        let engine = Engine::start(job.dns.clone()).await?;
        resolver::answering(&engine, &job.dns).await?;
        let (naming, allowed, lists) = (job.probe.naming, job.probe.allowed.clone(), job.probe.lists.len());
        let asks_lists = job.probe.wanted.dnsbl;
        let prober = Prober::new(engine, job.probe);
        let health = if asks_lists { prober.first_test().await } else { vec![Health::Healthy; lists] };
        let policy = Policy {
            profile: job.profile,
            naming,
            allowed,
            lists: prober.lists(),
            health,
            quorum: job.quorum,
            receivers: job.receivers,
            history: Arc::default(),
        };
        Ok(Self { planner: Mutex::new(Planner::new(job.plan)), prober, policy })
    }

    /// Asks and judges the one target of an entry, whichever shard it is of; waits for its servers' turn.
    pub async fn examine(&self, entry: Entry) -> Judged {
        let target = self.planner.lock().unwrap_or_else(PoisonError::into_inner).targets(entry).next();
        let errand = Errand::first(target.expect("an entry that is no network is a target"));
        let gathered = loop {
            match worker::gather(&self.prober, &errand).await {
                Ok(gathered) => break gathered,
                Err(obstacle) => {
                    if let Some(due) = self.prober.again(&obstacle) {
                        sleep_until(due.into()).await;
                    }
                }
            }
        };
        if !self.prober.settled()(&gathered) {
            self.prober.test_open().await;
        }
        assess(&self.prober, &self.policy, gathered)
    }

    /// Writes down what was asked of the budgets of the day.
    pub async fn close(&self) {
        self.prober.close().await;
    }
}
