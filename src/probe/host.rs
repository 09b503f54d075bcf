//! One server at one address: its reverse names, its session, its introduction, its listings.
//! Comes in: an address, and the exchange's name for the TLS handshake. Goes out: a `Host`, evidence only.
//! Decides here, on the literal address and at the moment of connecting, whether it may be contacted at all.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::Prober;
use super::dns::Lookup;
use super::dnsbl::panel::Sayings;
use super::dnsbl::watch::Stretch;
use super::quarantine::Stamped;
use super::smtp::session;
use crate::model::address::neighbourhood;
use crate::model::dns::{Addresses, Answer, Data, Pick, Question, RecordType, Records, reverse_name};
use crate::model::evidence::{Forward, Host, Introduced};
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::smtp::{Session, unescape};
use crate::model::words::{Basis, Cause, ConnectStatus, IntroducedBy};

/// How many PTR names are looked up forward.
const PTR_NAMES: usize = 10;

impl<L: Lookup> Prober<L> {
    /// Everything about a server, one connection, asked once per run.
    pub(super) async fn host(&self, address: IpAddr, exchange: Option<&Name>) -> Stamped<Host> {
        if let Err(refusal) = self.may_contact(address) {
            return Stamped::free(self.untouched(address, refusal));
        }
        let (reverse, said, conversation) =
            tokio::join!(self.reverse(address), self.said_at(address), self.conversation(address, exchange));
        let (ptr, forward) = reverse;
        let (session, introduction, ehlo, introduced) = conversation;
        let host = Host {
            address,
            special: None,
            basis: Basis::Announced,
            ptr,
            forward,
            session,
            introduction,
            ehlo,
            introduced,
            listings: said.listings,
            domains: Vec::new(),
            scanned_at: super::now_ms(),
        };
        self.with_domains(host, said.stretches).await
    }

    /// A client's introduction that somebody recorded, judged on the address it came from. No session is held.
    pub(super) async fn observed(&self, address: IpAddr, helo: &str) -> Stamped<Host> {
        let introduction = Introduction::new(&unescape(helo), IntroducedBy::Observed, self.settings.naming);
        let untouched = match self.may_contact(address) {
            Err(refusal @ (ConnectStatus::Special | ConnectStatus::Excluded)) => Some(refusal),
            // A family we cannot dial is no obstacle: nothing is dialled.
            _ => None,
        };
        if let Some(refusal) = untouched {
            let host = self.untouched(address, refusal);
            return Stamped::free(Host { basis: Basis::Observed, introduction: Some(introduction), ..host });
        }
        let (reverse, said, introduced) =
            tokio::join!(self.reverse(address), self.said_at(address), self.introduced(&introduction, address));
        let (ptr, forward) = reverse;
        let host = Host {
            address,
            special: None,
            basis: Basis::Observed,
            ptr,
            forward,
            session: Session::none(self.settings.port, ConnectStatus::NotAsked),
            introduction: Some(introduction),
            ehlo: None,
            introduced,
            listings: said.listings,
            domains: Vec::new(),
            scanned_at: super::now_ms(),
        };
        self.with_domains(host, said.stretches).await
    }

    /// The host, with what lists of domain names say of the organisations it names: that of its introduction and those of
    /// its confirmed PTR names.
    async fn with_domains(&self, host: Host, mut stretches: Vec<Stretch>) -> Stamped<Host> {
        let introduced = host.introduction.as_ref().and_then(Introduction::name);
        let names = introduced.as_ref().into_iter().chain(host.confirmed());
        let (domains, more) = self.domains(names.filter_map(|name| self.settings.naming.organisation(name))).await;
        stretches.extend(more);
        Stamped::new(Host { domains, ..host }, stretches)
    }

    /// A server that is not to be contacted, not even through a question about its address.
    pub(super) fn untouched(&self, address: IpAddr, refusal: ConnectStatus) -> Host {
        let cause = match refusal {
            ConnectStatus::Special => Cause::SpecialAddress,
            ConnectStatus::Excluded => Cause::Excluded,
            ConnectStatus::SelfFault => Cause::SelfFault,
            _ => Cause::NotAsked,
        };
        Host {
            address,
            special: self.settings.allowed.special(address),
            basis: Basis::Announced,
            ptr: Observed::NotAsked(cause),
            forward: Vec::new(),
            session: Session { cause: Some(cause), ..Session::none(self.settings.port, refusal) },
            introduction: None,
            ehlo: None,
            introduced: Introduced::not_asked(cause),
            listings: Vec::new(),
            domains: Vec::new(),
            scanned_at: super::now_ms(),
        }
    }

    /// Whether this literal address may be contacted, whatever name led to it.
    fn may_contact(&self, address: IpAddr) -> Result<(), ConnectStatus> {
        if self.settings.exclusions.covers_address(address) {
            Err(ConnectStatus::Excluded)
        } else if self.settings.allowed.special(address).is_some() {
            Err(ConnectStatus::Special)
        } else {
            Ok(())
        }
    }

    /// The PTR names and what they resolve to in the address's own family (RFC 8601 §3, `iprev`).
    async fn reverse(&self, address: IpAddr) -> (Answer<Name>, Vec<Forward>) {
        if !self.settings.wanted.ptr {
            return (Observed::NotAsked(Cause::NotAsked), Vec::new());
        }
        let ptr: Answer<Name> = self.ask(reverse_name(address)).await;
        let mut names: Vec<Name> = ptr.seen().map(|records| records.values.clone()).unwrap_or_default();
        names.truncate(PTR_NAMES);
        let forward = join_all(names.into_iter().map(|name| async {
            let addresses = match address {
                IpAddr::V4(_) => widen(self.ask(name.clone()).await, IpAddr::V4),
                IpAddr::V6(_) => widen(self.ask(name.clone()).await, IpAddr::V6),
            };
            Forward { name, addresses }
        }));
        let forward = forward.await;
        (ptr, forward)
    }

    /// The session and what DNS says of the name it showed.
    async fn conversation(
        &self,
        address: IpAddr,
        exchange: Option<&Name>,
    ) -> (Session, Option<Introduction>, Option<Introduction>, Introduced) {
        let session = self.session(address, exchange).await;
        let naming = self.settings.naming;
        let greeted = session.greeted.name.as_deref().filter(|_| !session.greeted.masked);
        let greeted = greeted.map(|name| Introduction::new(&unescape(name), IntroducedBy::Greeting, naming));
        let ehlo = session.ehlo_name.as_deref();
        let ehlo = ehlo.map(|name| match &greeted {
            // Most say the same twice.
            Some(greeted) if session.greeted.name.as_deref() == Some(name) => {
                Introduction { by: IntroducedBy::Ehlo, ..greeted.clone() }
            }
            _ => Introduction::new(&unescape(name), IntroducedBy::Ehlo, naming),
        });
        let (introduction, ehlo) = match (greeted, ehlo) {
            (Some(greeted), ehlo) => (Some(greeted), ehlo),
            (None, ehlo) => (ehlo, None),
        };
        // A server that turned us away has not introduced itself: its name is kept, but not followed.
        let welcomed = session.greeting.as_ref().is_some_and(|reply| reply.complete && reply.code / 100 == 2);
        let introduced = match &introduction {
            Some(introduction) if welcomed => self.introduced(introduction, address).await,
            _ => Introduced::not_asked(session.cause.unwrap_or(Cause::NoIntroduction)),
        };
        (session, introduction, ehlo, introduced)
    }

    async fn session(&self, address: IpAddr, exchange: Option<&Name>) -> Session {
        let settings = &self.settings;
        let unasked = match address {
            _ if !settings.wanted.smtp => Some(Cause::NotAsked),
            _ if settings.families.allow(address) => None,
            IpAddr::V4(_) => Some(Cause::NoLocalV4),
            IpAddr::V6(_) => Some(Cause::NoLocalV6),
        };
        if unasked.is_some() {
            return Session { cause: unasked, ..Session::none(settings.port, ConnectStatus::NotAsked) };
        }
        // The order is always network, provider, socket: nobody can wait for what a later waiter holds.
        let _network = self.networks.enter(neighbourhood(address)).await;
        let provider = exchange.map(|name| self.settings.naming.organisation(name).unwrap_or_else(|| name.clone()));
        let _provider = match provider {
            Some(provider) => Some(self.providers.enter(provider).await),
            None => None,
        };
        let _socket = self.sockets.acquire().await.expect("the semaphore of sockets is never closed");
        self.smtp_pace.turn().await;
        self.connections.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let endpoint = (settings.endpoint)(address, settings.port);
        session::hold(endpoint, settings.port, &settings.caller, exchange).await
    }

    /// Addresses of the introduced name, its MX records when it has none, and whether a wildcard stands behind it.
    async fn introduced(&self, introduction: &Introduction, peer: IpAddr) -> Introduced {
        let Some(name) = introduction.name() else { return Introduced::not_asked(Cause::NotAsked) };
        let addresses = self.addresses(&name).await;
        let bare = |absent: bool, empty: bool| absent || empty;
        let v4 = bare(addresses.v4.absent().is_some(), addresses.v4.seen().is_some_and(|a| a.values.is_empty()));
        let v6 = bare(addresses.v6.absent().is_some(), addresses.v6.seen().is_some_and(|a| a.values.is_empty()));
        let mx = if v4 && v6 { self.ask(name.clone()).await } else { Observed::NotAsked(Cause::NotAsked) };
        let sibling = self.sibling(&name, &addresses, peer).await;
        Introduced { addresses, mx, sibling }
    }

    /// Addresses, in the peer's family, of a name beside this one that nobody has ever written down. The label is the
    /// same for a whole run, so that all hosts of a domain cost one question. A registry's zone is not asked.
    async fn sibling(&self, name: &Name, addresses: &Addresses, peer: IpAddr) -> Answer<IpAddr> {
        let v4 = peer.to_canonical().is_ipv4();
        let found = addresses.all().any(|address| address.is_ipv4() == v4);
        let parent = name.parent().filter(|parent| found && self.settings.naming.registrable(parent).is_some());
        let Some(parent) = parent else { return Observed::NotAsked(Cause::NotAsked) };
        let text = format!("{}.{parent}", self.unheard);
        if text.len() > 253 {
            return Observed::NotAsked(Cause::NotAsked);
        }
        let sibling = Name::trusted(text);
        if v4 { widen(self.ask(sibling).await, IpAddr::V4) } else { widen(self.ask(sibling).await, IpAddr::V6) }
    }

    /// Both families of a name, side by side.
    pub(super) async fn addresses(&self, name: &Name) -> Addresses {
        let (v4, v6) = tokio::join!(self.ask(name.clone()), self.ask(name.clone()));
        Addresses { v4, v6 }
    }

    /// What the blocklists say of an address, which they are asked about once.
    async fn said_at(&self, address: IpAddr) -> Sayings {
        if !self.settings.wanted.dnsbl {
            return Sayings { listings: Vec::new(), stretches: Vec::new() };
        }
        let said = self.said_at.get(&address, self.panel.address(self.answers.lookup(), address)).await;
        Sayings::clone(&said)
    }

    /// One typed question through the memory of answers.
    pub(super) async fn ask<T: Pick>(&self, name: Name) -> Answer<T> {
        let question = Question { name, kind: T::KIND };
        self.answers.ask(&question).await.answer.typed()
    }

    /// The SOA of a name: whether a domain exists at its parent.
    pub(super) async fn start_of_authority(&self, name: Name) -> Answer<Data> {
        let question = Question { name, kind: RecordType::Soa };
        self.answers.ask(&question).await.answer.clone()
    }
}

fn widen<T: Copy>(answer: Answer<T>, wrap: fn(T) -> IpAddr) -> Answer<IpAddr> {
    match answer {
        Observed::Seen(records) => Observed::Seen(Records {
            values: records.values.iter().copied().map(wrap).collect(),
            aliases: records.aliases,
            ttl: records.ttl,
            authentic: records.authentic,
        }),
        Observed::Absent(absence) => Observed::Absent(absence),
        Observed::Failed(failure) => Observed::Failed(failure),
        Observed::NotAsked(cause) => Observed::NotAsked(cause),
    }
}
