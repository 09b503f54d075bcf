//! A policy as evidence keeps it, and as a judge takes it up again.
//! Comes in: a scan's policy, or a stored header and what the user wants otherwise. Goes out: the one from the other.
//! What is not said otherwise is judged as the scan judged it.

use std::sync::Arc;

use ipnet::IpNet;

use crate::judge::policy::Policy;
use crate::model::dnsbl::Quorum;
use crate::model::header::{Dated, EVIDENCE_VERSION, Header, Kind, Previous};
use crate::model::history::History;
use crate::model::introduction::Naming;
use crate::model::tables::Tables;
use crate::model::target::Receiver;
use crate::model::words::Profile;
use crate::output::rfc3339;

/// What is to be judged otherwise than the scan did.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Another profile.
    pub profile: Option<Profile>,
    /// Another weight of the lists that must have answered; a core list is not demanded then.
    pub quorum: Option<f32>,
    /// Other tables of names than those inside the program.
    pub tables: Option<&'static Tables>,
    /// Others who recorded the introductions than those the scan was told of.
    pub receivers: Vec<Receiver>,
    /// More special-purpose networks that count as public.
    pub allowed: Vec<IpNet>,
}

/// What whoever judges this scan's evidence again has to know beside it.
pub(super) fn of(policy: &Policy, previous: Vec<Previous>, started_ms: i64, seed: u64) -> Header {
    Header {
        kind: Kind::Evidence,
        version: EVIDENCE_VERSION,
        program: env!("CARGO_PKG_VERSION").into(),
        started: rfc3339(started_ms).unwrap_or_default().into(),
        seed,
        profile: policy.profile,
        lab: policy.naming.is_lab(),
        tables: dated(policy.naming),
        receivers: policy.receivers.clone(),
        allowed: policy.allowed.clone(),
        quorum: policy.quorum,
        lists: policy.lists.to_vec(),
        health: policy.health.clone(),
        previous,
    }
}

/// The policy of a stored header, with changes.
pub(super) fn policy(header: &Header, changes: &Changes, history: Arc<History>) -> Policy {
    let mut allowed = header.allowed.clone();
    allowed.extend(changes.allowed.iter().copied());
    Policy {
        profile: changes.profile.unwrap_or(header.profile),
        naming: naming(header, changes),
        allowed,
        lists: header.lists.as_slice().into(),
        health: header.health.clone(),
        quorum: changes.quorum.map_or(header.quorum, |weight| Quorum { weight, core: false }),
        receivers: if changes.receivers.is_empty() { header.receivers.clone() } else { changes.receivers.clone() },
        history,
    }
}

fn naming(header: &Header, changes: &Changes) -> Naming {
    let naming = if header.lab { Naming::in_lab() } else { Naming::built_in() };
    changes.tables.map_or(naming, |tables| naming.by(tables))
}

fn dated(naming: Naming) -> Vec<Dated> {
    let sources = naming.tables().sources().iter();
    sources
        .map(|source| Dated {
            name: source.table.as_str().into(),
            date: source.date.as_str().into(),
            digest: source.digest.as_str().into(),
        })
        .collect()
}

/// The tables of names that are of another date than those the scan went by.
pub(super) fn other_tables(header: &Header, changes: &Changes) -> Vec<Dated> {
    let own = dated(naming(header, changes));
    header.tables.iter().filter(|table| !own.contains(table)).cloned().collect()
}

/// Whether a pass of rule 5 stands on less than the scan asked for.
pub(super) fn is_weaker(header: &Header, changes: &Changes) -> bool {
    changes.quorum.is_some_and(|weight| weight < header.quorum.weight || header.quorum.core)
}
