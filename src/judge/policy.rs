//! What a run judges by.
//! Comes in: the configuration and the health of the blocklists. Goes out: one policy, the same for every target.
//! With it and the evidence a verdict is settled: nothing else is consulted.

use std::sync::Arc;

use crate::model::address::Allowed;
use crate::model::dnsbl::{Health, List, Quorum};
use crate::model::history::History;
use crate::model::introduction::Naming;
use crate::model::target::Receiver;
use crate::model::words::Profile;

/// What a run judges by.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Which set of effects.
    pub profile: Profile,
    /// This run's idea of names.
    pub naming: Naming,
    /// The special-purpose networks that count as public.
    pub allowed: Allowed,
    /// The run's blocklists; `Listing::list` points into them.
    pub lists: Arc<[List]>,
    /// The health of each list, in the same order; a list without an entry counts as not asked.
    pub health: Vec<Health>,
    /// How much blocklist evidence rule 5 needs to pass.
    pub quorum: Quorum,
    /// Who recorded the introductions of clients: no client is one of these.
    pub receivers: Vec<Receiver>,
    /// What earlier runs found; empty without `--previous`.
    pub history: Arc<History>,
}
