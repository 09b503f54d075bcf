//! A domain's way to its servers: MX records, exchanges, addresses.
//! Comes in: a domain and its errand. Goes out: one way for each exchange, in the order of preference, with its servers.
//! How far one domain may lead us is bounded here.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::dns::Lookup;
use super::dnsbl::watch::Stretch;
use super::quarantine::{Stamped, Way};
use super::{Errand, Obstacle, Prober};
use crate::model::dns::{Answer, Mx};
use crate::model::dnsbl::{DomainListing, Listing};
use crate::model::evidence::{Exchange, Host, Introduced, is_address_text};
use crate::model::name::Name;
use crate::model::observed::{Denial, Observed};
use crate::model::words::{Cause, ConnectStatus};

/// Exchanges of one domain that are followed; more is `mx-too-many`.
const EXCHANGES: usize = 20;
/// Addresses of one domain that are dialled.
pub(super) const ADDRESSES: usize = 40;
/// Organisational domains of one server that lists of domain names are asked about: of its introduction and its PTR names.
const DOMAINS: usize = 4;

impl<L: Lookup> Prober<L> {
    /// MX, exchanges, addresses (RFC 5321 §5.1).
    pub(super) async fn domain(
        &self,
        domain: &Name,
        errand: &Errand,
    ) -> Result<(Option<Answer<Mx>>, Vec<Way>, bool), Obstacle> {
        if !self.settings.wanted.mx {
            return Ok((Some(Observed::NotAsked(Cause::NotAsked)), Vec::new(), false));
        }
        let mx: Answer<Mx> = self.ask(domain.clone()).await;
        let mut wanted: Vec<Mx> = match &mx {
            Observed::Seen(records) if !records.values.is_empty() => records.values.clone(),
            // Only an empty answer leads to the implicit MX, never a failure.
            Observed::Seen(_) => vec![Mx { preference: 0, exchange: domain.clone() }],
            Observed::Absent(absence) if absence.how == Denial::Nodata => {
                vec![Mx { preference: 0, exchange: domain.clone() }]
            }
            Observed::Absent(_) | Observed::Failed(_) | Observed::NotAsked(_) => Vec::new(),
        };
        wanted.sort();
        let mut known: Vec<&Name> = Vec::with_capacity(wanted.len());
        let wanted: Vec<&Mx> = wanted
            .iter()
            .filter(|mx| {
                let fresh = !known.contains(&&mx.exchange);
                known.push(&mx.exchange);
                fresh
            })
            .collect();
        let mut capped = wanted.len() > EXCHANGES;
        let exchanges = join_all(wanted.iter().take(EXCHANGES).map(|mx| async move {
            let is_fresh = |known: &Stamped<Exchange>| !errand.outlasts(known.asked_at, known.what.may_change());
            let exchange = self.exchanges.get_fresh(&mx.exchange, is_fresh, || self.exchange(&mx.exchange)).await;
            (mx.preference, exchange)
        }));
        // The room is shared out before anybody is dialled: one domain must not lead us to hundreds of servers.
        let mut room = ADDRESSES;
        let mut routes = Vec::with_capacity(wanted.len().min(EXCHANGES));
        for (preference, exchange) in exchanges.await {
            let mut addresses: Vec<IpAddr> = exchange.what.addresses.all().collect();
            capped |= addresses.len() > room;
            addresses.truncate(room);
            room -= addresses.len();
            routes.push(async move {
                let hosts = self.servers(&exchange.what.name, &addresses, errand).await?;
                Ok(Way { preference: Some(preference), exchange: Some(exchange), hosts })
            });
        }
        let ways = join_all(routes).await.into_iter().collect::<Result<_, Obstacle>>()?;
        Ok((Some(mx), ways, capped))
    }

    /// The servers of an exchange at these addresses.
    async fn servers(
        &self,
        exchange: &Name,
        addresses: &[IpAddr],
        errand: &Errand,
    ) -> Result<Vec<Arc<Stamped<Host>>>, Obstacle> {
        if self.settings.exclusions.covers_name(exchange) {
            // Excluded by name: another exchange may still lead to the same address, so this is not remembered.
            let untouched = |address| Arc::new(Stamped::free(self.untouched(address, ConnectStatus::Excluded)));
            self.exclusions.fetch_add(addresses.len() as u64, Ordering::Relaxed);
            return Ok(addresses.iter().copied().map(untouched).collect());
        }
        // All of them, even where one cannot be asked yet: those that can be are asked now.
        let servers = join_all(addresses.iter().map(|address| self.server(*address, Some(exchange), errand))).await;
        servers.into_iter().collect()
    }

    /// One exchange: its addresses, and whether its domain exists at all.
    async fn exchange(&self, name: &Name) -> Stamped<Exchange> {
        // The root has no address to ask for, and the text of an address would ask the root for a number.
        if name.is_root() || is_address_text(name) {
            let addresses = Introduced::not_asked(Cause::NotAsked).addresses;
            return Stamped::free(Exchange {
                name: name.clone(),
                addresses,
                organisation: Observed::NotAsked(Cause::NotAsked),
                domains: Vec::new(),
            });
        }
        let (addresses, (domains, stretches)) =
            tokio::join!(self.addresses(name), self.domains(self.settings.naming.organisation(name).into_iter()));
        let gone = [addresses.v4.absent(), addresses.v6.absent()];
        let gone = gone.into_iter().flatten().any(|absence| absence.how == Denial::Nxdomain);
        let organisation = match self.settings.naming.organisation(name) {
            Some(organisation) if gone => self.start_of_authority(organisation).await,
            _ => Observed::NotAsked(Cause::NotAsked),
        };
        Stamped::new(Exchange { name: name.clone(), addresses, organisation, domains }, stretches)
    }

    /// What the lists of domain names say of organisational domains, each asked about once per run (RFC 5782 §3).
    pub(super) async fn domains(&self, domains: impl Iterator<Item = Name>) -> (Vec<DomainListing>, Vec<Stretch>) {
        if !self.settings.wanted.dnsbl || !self.panel.has_names() {
            return (Vec::new(), Vec::new());
        }
        let mut each: Vec<Name> = Vec::new();
        for domain in domains {
            if !is_address_text(&domain) && !each.contains(&domain) && each.len() < DOMAINS {
                each.push(domain);
            }
        }
        let said = join_all(each.into_iter().map(|domain| async move {
            let said = self.said_of.get(&domain, self.panel.domain(self.answers.lookup(), &domain)).await;
            if said.may_change() {
                self.said_of.forget(&domain);
            }
            (domain, said)
        }));
        let (mut listings, mut stretches) = (Vec::new(), Vec::new());
        for (name, said) in said.await {
            let about = |listing: &Listing| DomainListing { name: name.clone(), listing: listing.clone() };
            listings.extend(said.listings.iter().map(about));
            stretches.extend(&said.stretches);
        }
        (listings, stretches)
    }
}
