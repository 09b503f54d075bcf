//! What a target led to, and how far the blocklists' part of it is to be believed.
//! Comes in: servers and exchanges with the stretches of their lists' answers. Goes out: evidence, once that is known.
//! An answer of a list that failed its next test stays as it came and is marked void; nothing is taken out.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::dnsbl::panel::belief;
use super::dnsbl::watch::{Account, Belief, Standing, Stretch};
use super::{Lookup, Prober};
use crate::model::clock::now_ms;
use crate::model::dnsbl::{Health, List, Listing};
use crate::model::evidence::{Evidence, Exchange, Host, Route};
use crate::model::words::{Cause, ConnectStatus};

impl<L: Lookup> Prober<L> {
    /// Tests every blocklist before anything else is asked of it (RFC 5782 §5): the health of each, in their order.
    pub async fn first_test(&self) -> Vec<Health> {
        self.panel.first_test(self.answers.lookup()).await
    }

    /// The blocklists as they serve in this run, once they have been tested: some turn out to know no IPv6.
    pub fn lists(&self) -> Arc<[List]> {
        self.panel.lists()
    }

    /// When the next test is due; None while no answer is open.
    pub fn next_test(&self) -> Option<Instant> {
        self.panel.next_due()
    }

    /// Waits until an answer makes a test due before its time, or silence so far is known for what it is.
    pub async fn suspicion(&self) {
        tokio::select! {
            () = self.panel.attention() => {}
            () = self.egress.decided() => {}
        }
    }

    /// Tests the blocklists whose test is due.
    pub async fn test_due(&self) {
        self.panel.test_due(self.answers.lookup()).await;
    }

    /// Tests all blocklists with open answers, and takes silence so far for the servers' own: afterwards nothing that was
    /// gathered so far is open.
    pub async fn test_open(&self) {
        self.egress.close();
        self.panel.test_open(self.answers.lookup()).await;
    }

    /// Tells, as things stand now, whether it is known of every answer and every silence in some evidence what it is worth.
    pub fn settled(&self) -> impl Fn(&Gathered) -> bool + use<'_, L> {
        let standings = self.panel.standings();
        move |gathered| {
            gathered.is_settled(&standings) && !gathered.silent().any(|host| self.egress.is_open(host.address))
        }
    }

    /// The evidence; answers of lists that failed the next test of their health are marked void, and where no connection got
    /// out of here, no server is called silent.
    pub fn settle(&self, gathered: Gathered) -> Evidence {
        let mut evidence = gathered.settle(&self.panel.standings());
        for host in evidence.routes.iter_mut().flat_map(|route| &mut route.hosts) {
            if is_silent(host) && self.egress.is_blocked(host.address) {
                let host = Arc::make_mut(host);
                host.session.connect = ConnectStatus::SelfFault;
                host.session.cause = Some(Cause::PortBlocked);
            }
        }
        evidence
    }

    /// What was counted of each blocklist.
    pub fn accounts(&self) -> Vec<Account> {
        self.panel.accounts()
    }

    /// Why the budgets of the day are not kept on disk, said once.
    pub fn complaint(&self) -> Option<String> {
        self.panel.complaint()
    }

    /// Writes down what was asked of the budgets of the day.
    pub async fn close(&self) {
        self.panel.close().await;
    }
}

/// Nothing came back from where it is.
fn is_silent(host: &Host) -> bool {
    matches!(host.session.connect, ConnectStatus::Timeout | ConnectStatus::Unreachable)
}

/// Something that lists were asked about, with the stretch of each of their answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamped<T> {
    pub(super) what: Arc<T>,
    /// In the order of the answers: those about the address, then those about domains.
    pub(super) stretches: Arc<[Stretch]>,
    /// Milliseconds since 1970 when it was found out.
    pub(super) asked_at: i64,
}

impl<T> Stamped<T> {
    pub(super) fn new(what: T, stretches: impl Into<Arc<[Stretch]>>) -> Self {
        Self { what: Arc::new(what), stretches: stretches.into(), asked_at: now_ms() }
    }

    /// Something no list was asked about.
    pub(super) fn free(what: T) -> Self {
        Self::new(what, [])
    }
}

/// What can be marked void.
trait Judged: Clone {
    fn listings(&self) -> impl Iterator<Item = &Listing>;
    fn listings_mut(&mut self) -> impl Iterator<Item = &mut Listing>;
}

impl Judged for Host {
    fn listings(&self) -> impl Iterator<Item = &Listing> {
        self.listings.iter().chain(self.domains.iter().map(|domain| &domain.listing))
    }
    fn listings_mut(&mut self) -> impl Iterator<Item = &mut Listing> {
        self.listings.iter_mut().chain(self.domains.iter_mut().map(|domain| &mut domain.listing))
    }
}

impl Judged for Exchange {
    fn listings(&self) -> impl Iterator<Item = &Listing> {
        self.domains.iter().map(|domain| &domain.listing)
    }
    fn listings_mut(&mut self) -> impl Iterator<Item = &mut Listing> {
        self.domains.iter_mut().map(|domain| &mut domain.listing)
    }
}

/// One way to a target's servers, before it is a route of the evidence.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) preference: Option<u16>,
    pub(super) exchange: Option<Arc<Stamped<Exchange>>>,
    pub(super) hosts: Vec<Arc<Stamped<Host>>>,
}

/// A target's evidence, and the stretches of the answers in it. It reads as the evidence.
#[derive(Debug)]
pub struct Gathered {
    evidence: Evidence,
    /// Of each route its exchange's, if it has one, then its hosts'.
    stretches: Vec<Arc<[Stretch]>>,
}

impl Deref for Gathered {
    type Target = Evidence;

    fn deref(&self) -> &Evidence {
        &self.evidence
    }
}

impl Gathered {
    /// The evidence with these ways in it.
    pub(super) fn new(evidence: Evidence, ways: Vec<Way>) -> Self {
        let mut stretches = Vec::with_capacity(ways.iter().map(|way| way.hosts.len() + 1).sum());
        let routes = ways.into_iter().map(|way| {
            stretches.extend(way.exchange.iter().map(|exchange| Arc::clone(&exchange.stretches)));
            stretches.extend(way.hosts.iter().map(|host| Arc::clone(&host.stretches)));
            Route {
                preference: way.preference,
                exchange: way.exchange.map(|exchange| Arc::clone(&exchange.what)),
                hosts: way.hosts.iter().map(|host| Arc::clone(&host.what)).collect(),
            }
        });
        let routes = routes.collect();
        Self { evidence: Evidence { routes, ..evidence }, stretches }
    }

    /// The servers in it that did not answer.
    fn silent(&self) -> impl Iterator<Item = &Host> {
        let hosts = self.evidence.routes.iter().flat_map(|route| &route.hosts);
        hosts.map(Arc::as_ref).filter(|host| is_silent(host))
    }

    /// Whether it is known of every answer in it whether it is to be believed.
    fn is_settled(&self, standings: &[Standing]) -> bool {
        let mut stretches = self.stretches.iter();
        let mut open = false;
        for route in &self.evidence.routes {
            if let Some(exchange) = &route.exchange
                && let Some(of) = stretches.next()
            {
                open |= any(&**exchange, of, standings, Belief::Open);
            }
            for host in &route.hosts {
                open |= stretches.next().is_some_and(|of| any(&**host, of, standings, Belief::Open));
            }
        }
        !open
    }

    /// The evidence, with the answers marked that are not to be believed.
    fn settle(mut self, standings: &[Standing]) -> Evidence {
        if standings.iter().all(|standing| !standing.is_off()) {
            return self.evidence;
        }
        let mut stretches = self.stretches.iter();
        for route in &mut self.evidence.routes {
            if let Some(exchange) = &mut route.exchange
                && let Some(of) = stretches.next()
            {
                mark(exchange, of, standings);
            }
            for host in &mut route.hosts {
                let Some(of) = stretches.next() else { break };
                mark(host, of, standings);
            }
        }
        self.evidence
    }
}

fn any(what: &impl Judged, stretches: &[Stretch], standings: &[Standing], wanted: Belief) -> bool {
    what.listings().zip(stretches).any(|(listing, stretch)| belief(standings, listing, *stretch) == wanted)
}

/// Marks what is void, in a copy: others share the original.
fn mark<T: Judged>(what: &mut Arc<T>, stretches: &[Stretch], standings: &[Standing]) {
    if any(&**what, stretches, standings, Belief::Void) {
        for (listing, stretch) in Arc::make_mut(what).listings_mut().zip(stretches) {
            listing.void = belief(standings, listing, *stretch) == Belief::Void;
        }
    }
}
