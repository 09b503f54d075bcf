//! From a case to a scene: the good server, and what the case changes about it.
//! Comes in: a case. Goes out: evidence such as the probes would gather there, and the policy it is judged by.
//! What one answer entails is filled in as the probes do it: a name that does not exist has no address of either
//! family, a PTR name is looked up, a name that may not be asked for is not.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::super::scene::{NAMING, NOW, Scene, ip, name, nxdomain, policy, seen};
use super::answer::{Read, alone, answer, both, is_not_asked, parsed, peers, record};
use super::file::{self, File, Server};
use super::smtp;
use crate::model::dns::{Addresses, Answer, Mx};
use crate::model::dnsbl::{DomainListing, Health, Listing};
use crate::model::evidence::{Exchange, Forward, Host, Introduced, Route, is_address_text};
use crate::model::history::Fact;
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Observed};
use crate::model::smtp::{Certificate, Session, Tls, unescape};
use crate::model::target::{Receiver, Subject};
use crate::model::words::{Basis, Cause, ConnectStatus, IntroducedBy, IntroductionClass, Profile, TlsStatus};

/// The good server, its address and its domain.
const OWN: &str = "mail.s01.lab.test";
const ADDRESS: &str = "198.51.100.1";
const DOMAIN: &str = "s01.lab.test";
/// How many PTR names are looked up.
const PTR_NAMES: usize = 10;

impl File {
    /// The scene of a case.
    pub(super) fn scene(&self) -> Read<Scene> {
        let mut scene = match &self.client {
            Some(client) => {
                let address = client.address.unwrap_or_else(|| ip(ADDRESS));
                let mut scene = Scene::observed(1, &address.to_string(), &client.helo);
                scene.evidence.target.unstable = client.unstable;
                let host = self.recorded(address, &client.helo)?;
                scene.evidence.routes = vec![direct(host)];
                scene
            }
            None => Scene::good(1),
        };
        scene.policy.profile = self.profile();
        self.earlier(&mut scene)?;
        scene.policy.receivers = self.receiver.iter().map(|receiver| Receiver::Name(name(receiver))).collect();
        scene.evidence.target.excluded = self.excluded;
        scene.evidence.capped = self.capped;
        for (list, health) in &self.health {
            let at = Self::list(list)?;
            scene.policy.health[at] = match health.split_once(' ') {
                Some(("refused", code)) => Health::Refused(code.parse().map_err(|error| format!("health: {error}"))?),
                Some(("untrustworthy", why)) => Health::Untrustworthy(why.into()),
                Some(("silent", "timeout")) => Health::Silent(Cause::Timeout),
                _ => return Err(format!("health.{list}: {health:?} is no health of a list")),
            };
        }
        if let Some(address) = self.address {
            scene.evidence.target.subject = Subject::Address(address);
            scene.evidence.mx = None;
            scene.evidence.routes = vec![direct(self.host(address, None, &self.server)?)];
        } else if self.client.is_none() {
            self.domain(&mut scene)?;
        }
        Ok(scene)
    }

    /// What earlier runs found.
    fn earlier(&self, scene: &mut Scene) -> Read<()> {
        let (own, domain) = (ip(ADDRESS), name(DOMAIN));
        let file::Previous { faulty_and_listed, silent, lame, unreachable } = &self.previous;
        let facts = [
            (Fact::FaultyAndListed(own), faulty_and_listed),
            (Fact::GreetingNone(own), silent),
            (Fact::ReverseLame(own), lame),
            (Fact::AllUnreachable(&domain), unreachable),
        ];
        let mut known = Vec::new();
        for (fact, times) in facts {
            for time in times {
                let before: SignedDuration = time.parse().map_err(|error| format!("previous: {time:?}: {error}"))?;
                known.push((fact, before.as_secs() * 1_000));
            }
        }
        scene.knows(&known);
        Ok(())
    }

    fn profile(&self) -> Profile {
        self.profile.unwrap_or(Profile::Census)
    }

    fn list(zone: &str) -> Read<usize> {
        let lists = policy().lists;
        let known = lists.iter().position(|list| list.shown.split('.').next() == Some(zone));
        known.ok_or_else(|| format!("{zone} is none of the lists"))
    }

    /// MX, exchanges, and a server at each of their addresses (RFC 5321 §5.1).
    fn domain(&self, scene: &mut Scene) -> Read<()> {
        let mx = match &self.mx {
            Some(text) => answer("mx", text, record)?,
            None => seen(vec![Mx { preference: 10, exchange: name(OWN) }]),
        };
        let implicit = Mx { preference: 0, exchange: name(DOMAIN) };
        let mut records = match &mx {
            Observed::Seen(records) if !records.values.is_empty() => records.values.clone(),
            Observed::Absent(Absence { how: Denial::Nodata, .. }) => vec![implicit],
            _ => Vec::new(),
        };
        scene.evidence.mx = Some(mx);
        records.sort();
        scene.evidence.routes.clear();
        let mut known: Vec<Name> = Vec::new();
        // Each address is asked once, whoever leads to it.
        let mut met: BTreeMap<IpAddr, Arc<Host>> = BTreeMap::new();
        for Mx { preference, exchange } in records {
            if known.contains(&exchange) {
                continue;
            }
            let others = known.iter().filter(|name| !name.is_root()).count();
            known.push(exchange.clone());
            let found = self.exchange(&exchange, others)?;
            let mut hosts = Vec::new();
            for address in found.addresses.all() {
                let first = others == 0 && hosts.is_empty();
                let server = if first { Some(&self.server) } else { self.servers.get(&address) };
                let usual = Server::default();
                let host = self.host(address, Some((&found, others == 0)), server.unwrap_or(&usual))?;
                hosts.push(Arc::clone(met.entry(address).or_insert_with(|| Arc::new(host))));
            }
            let exchange = Some(Arc::new(found));
            scene.evidence.routes.push(Route { preference: Some(preference), exchange, hosts });
        }
        Ok(())
    }

    fn exchange(&self, name: &Name, others: usize) -> Read<Exchange> {
        let first = (others == 0).then_some(&self.exchange);
        let said = self.exchanges.get(name.as_str()).or(first).cloned().unwrap_or_default();
        let not_asked = Observed::NotAsked(Cause::NotAsked);
        let usual = if name.is_root() || is_address_text(name) {
            Introduced::not_asked(Cause::NotAsked).addresses
        } else if others == 0 {
            alone(ip(ADDRESS))
        } else {
            alone(IpAddr::from([203, 0, 113, u8::try_from(19 + others).map_err(|error| error.to_string())?]))
        };
        Ok(Exchange {
            name: name.clone(),
            addresses: both("exchange", said.a.as_ref(), said.aaaa.as_ref(), usual)?,
            organisation: match &said.organisation {
                Some(text) => answer("exchange.organisation", text, |_| None)?,
                None => not_asked,
            },
            domains: Vec::new(),
        })
    }

    fn host(&self, address: IpAddr, exchange: Option<(&Exchange, bool)>, server: &Server) -> Read<Host> {
        let special = policy().allowed.special(address);
        let untouched = match server.connect {
            _ if special.is_some() => Some((ConnectStatus::Special, Cause::SpecialAddress)),
            Some(ConnectStatus::Excluded) => Some((ConnectStatus::Excluded, Cause::Excluded)),
            _ => None,
        };
        if let Some((status, cause)) = untouched {
            let session = Session { cause: Some(cause), ..Session::none(25, status) };
            let none = Observed::NotAsked(cause);
            return Ok(Host { special, ptr: none, listings: Vec::new(), ..bare(address, session, cause) });
        }
        let own = exchange.filter(|(_, first)| !first).map_or(OWN, |(exchange, _)| exchange.name.as_str());
        let mut session = smtp::session(server, own, self.profile())?;
        if let Some(status) = server.tls {
            let injected_bytes = if status == TlsStatus::Injected { 12 } else { 0 };
            session.tls = Tls { detail: Some(status.as_str().into()), injected_bytes, ..Tls::none(status) };
        }
        if let Some(failure) = server.tls_failure {
            session.tls = Tls::failed(failure, failure.as_str());
        }
        if let Some(said) = &server.certificate {
            let (certificate, server_name) = (Some(certificate(said)), Some(OWN.into()));
            session.tls = Tls {
                server_name,
                certificate: certificate.map(Box::new),
                unproven: said.unproven,
                ..Tls::none(TlsStatus::Ok)
            };
        }
        let by = |text: Option<&str>, by| text.map(|text| Introduction::new(&unescape(text), by, NAMING));
        let greeted = by(session.greeted.name.as_deref(), IntroducedBy::Greeting);
        let ehlo = by(session.ehlo_name.as_deref(), IntroducedBy::Ehlo);
        let (introduction, ehlo) = if greeted.is_some() { (greeted, ehlo) } else { (ehlo, None) };
        let welcomed = session.greeting.as_ref().is_some_and(|reply| reply.complete && reply.code / 100 == 2);
        let shared = exchange.filter(|(exchange, _)| exchange.name.as_str() == own).map(|(exchange, _)| exchange);
        let introduced = match introduction.as_ref().filter(|_| welcomed).map(Introduction::name) {
            Some(Some(name)) => {
                let usual = shared.filter(|exchange| exchange.name == name);
                Self::introduced(server, usual.map_or_else(|| alone(address), |exchange| exchange.addresses.clone()))?
            }
            Some(None) => Introduced::not_asked(Cause::NotAsked),
            None => Introduced::not_asked(session.cause.unwrap_or(Cause::NoIntroduction)),
        };
        let host = Host { introduction, ehlo, introduced, ..bare(address, session, Cause::NotAsked) };
        Self::observations(host, server, own)
    }

    /// A client that somebody has recorded.
    fn recorded(&self, address: IpAddr, helo: &str) -> Read<Host> {
        let introduction = Introduction::new(&unescape(helo), IntroducedBy::Observed, NAMING);
        let introduced = match introduction.name() {
            Some(_) => Self::introduced(&self.server, alone(address))?,
            None => Introduced::not_asked(Cause::NotAsked),
        };
        let session = Session::none(25, ConnectStatus::NotAsked);
        let host = Host {
            basis: Basis::Observed,
            introduction: Some(introduction),
            introduced,
            ..bare(address, session, Cause::NotAsked)
        };
        Self::observations(host, &self.server, OWN)
    }

    fn introduced(server: &Server, usual: Addresses) -> Read<Introduced> {
        let file::Introduced { a, aaaa, mx, sibling } = &server.name;
        let addresses = both("server.name", a.as_ref(), aaaa.as_ref(), usual)?;
        let mx = match (mx, &addresses) {
            (Some(text), _) => answer("server.name.mx", text, record)?,
            (None, Addresses { v4: Observed::Absent(v4), v6: Observed::Absent(_) }) => Observed::Absent(v4.clone()),
            (None, _) => Observed::NotAsked(Cause::NotAsked),
        };
        let sibling = match sibling {
            Some(text) => answer("server.name.sibling", text, parsed)?,
            None => Observed::NotAsked(Cause::NotAsked),
        };
        Ok(Introduced { addresses, mx, sibling })
    }

    /// Reverse names and listings.
    fn observations(mut host: Host, server: &Server, own: &str) -> Read<Host> {
        let introduced = host.introduction.as_ref().filter(|said| said.class == IntroductionClass::Fqdn);
        let introduced = introduced.and_then(Introduction::name).filter(|_| !is_not_asked(&host.introduced.addresses));
        host.ptr = match &server.ptr {
            Some(text) => answer("server.ptr", text, |text| Some(name(text)))?,
            // A good server's reverse name is the name it says.
            None => seen(vec![introduced.clone().unwrap_or_else(|| name(own))]),
        };
        for ptr in host.ptr.seen().map_or(&[][..], |records| &records.values).iter().take(PTR_NAMES) {
            let addresses = match server.forward.get(ptr.as_str()) {
                Some(text) => answer("server.forward", text, parsed)?,
                // One name has one set of addresses, whoever asks.
                None if introduced.as_ref() == Some(ptr) => peers(&host.introduced.addresses, host.address),
                None => seen(vec![host.address]),
            };
            host.forward.push(Forward { name: ptr.clone(), addresses });
        }
        for key in server.lists.keys().filter(|key| *key != "all") {
            Self::list(key)?;
        }
        let lists = policy().lists;
        for (list, at) in lists.iter().zip(0_u16..).filter(|(list, _)| !list.names) {
            let short = list.shown.split('.').next().unwrap_or_default();
            let codes = match server.lists.get(short).or_else(|| server.lists.get("all")) {
                Some(text) => answer(&format!("server.lists.{short}"), text, parsed)?,
                None => nxdomain(),
            };
            host.listings.push(listing(at, codes));
        }
        let names = lists.iter().zip(0_u16..).find(|(list, _)| list.names).map_or(0, |(_, at)| at);
        for (domain, text) in &server.domains {
            let codes = answer("server.domains", text, parsed)?;
            host.domains.push(DomainListing { name: name(domain), listing: listing(names, codes) });
        }
        Ok(host)
    }
}

fn listing(list: u16, codes: Answer<std::net::Ipv4Addr>) -> Listing {
    Listing { list, codes, reason: Observed::NotAsked(Cause::NotAsked), void: false }
}

fn direct(host: Host) -> Route {
    Route { preference: None, exchange: None, hosts: vec![Arc::new(host)] }
}

/// A host of which nothing but the session is known.
fn bare(address: IpAddr, session: Session, cause: Cause) -> Host {
    Host {
        address,
        special: None,
        basis: Basis::Announced,
        ptr: Observed::NotAsked(cause),
        forward: Vec::new(),
        session,
        introduction: None,
        ehlo: None,
        introduced: Introduced::not_asked(cause),
        listings: Vec::new(),
        domains: Vec::new(),
        earlier: Vec::new(),
        scanned_at: NOW,
    }
}

fn certificate(said: &file::Certificate) -> Certificate {
    Certificate {
        names: said.names.iter().map(|name| name.as_str().into()).collect(),
        subject: "CN=mail".into(),
        issuer: "CN=authority".into(),
        self_issued: false,
        not_before: 0,
        not_after: NOW / 1000 + said.ends,
        key: "ecdsa-256".into(),
        key_sha256: "00".into(),
        signature: "ed25519".into(),
        sha256: "00".into(),
        chain: Some(said.chain),
    }
}
