//! One server at one address: its reverse names, its session, its introduction, its listings.
//! Comes in: an address, and the exchange's name for the TLS handshake. Goes out: a `Host`, evidence only.
//! Decides here, on the literal address and at the moment of connecting, whether it may be contacted at all.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::call::Pass;
use super::dns::Lookup;
use super::dnsbl::panel::Sayings;
use super::dnsbl::watch::Stretch;
use super::manners::Obstacle;
use super::quarantine::Stamped;
use super::shelf::Taken;
use super::smtp;
use super::{Errand, Prober};
use crate::model::clock::now_ms;
use crate::model::dns::{Addresses, Answer, Data, Pick, Question, RecordType, Records, reverse_name};
use crate::model::evidence::{Earlier, Forward, Host, Introduced};
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::smtp::{Session, unescape};
use crate::model::words::{Basis, Cause, ConnectStatus, IntroducedBy};

/// How many PTR names are looked up forward.
const PTR_NAMES: usize = 10;
/// How long a worker waits for another's session with the server that it needs too. For longer the target is put aside.
const COURTESY: Duration = Duration::from_millis(50);

impl<L: Lookup> Prober<L> {
    /// A server's evidence: from memory, from the shelf, or from the server itself, which is asked once in a pass.
    pub(super) async fn server(
        &self,
        address: IpAddr,
        exchange: Option<&Name>,
        errand: &Errand,
    ) -> Result<Arc<Stamped<Host>>, Obstacle> {
        if let Err(refusal) = self.may_contact(address) {
            if refusal == ConnectStatus::Excluded {
                self.exclusions.fetch_add(1, Ordering::Relaxed);
            }
            return Ok(Arc::new(Stamped::free(self.untouched(address, refusal))));
        }
        loop {
            if let Some(known) = self.hosts.known(&address)
                && !self.is_due(&known, errand)
            {
                return Ok(known);
            }
            let theirs = match self.sessions.begin(address) {
                Ok(_mine) => return self.ask_server(address, exchange, errand).await,
                Err(theirs) => theirs,
            };
            if timeout(COURTESY, theirs.over()).await.is_err() {
                return Err(Obstacle::Session(address));
            }
        }
    }

    /// Whether a server that was asked before has to be asked again for this errand.
    fn is_due(&self, known: &Stamped<Host>, errand: &Errand) -> bool {
        let host = &known.what;
        if host.session.was_put_off() {
            // It was nobody's time then; it may be ours now.
            let rested = Duration::from_millis(now_ms().abs_diff(known.asked_at)) >= self.left_alone();
            return match host.session.cause {
                Some(Cause::PortBlocked) => !self.egress.is_blocked(host.address),
                _ => rested || errand.outlasts(known.asked_at, true),
            };
        }
        errand.outlasts(known.asked_at, host.may_change())
            && host.earlier.len() < usize::from(self.settings.again.times)
    }

    /// Asks a server, with nobody else doing so.
    async fn ask_server(
        &self,
        address: IpAddr,
        exchange: Option<&Name>,
        errand: &Errand,
    ) -> Result<Arc<Stamped<Host>>, Obstacle> {
        let before = match self.hosts.known(&address) {
            Some(known) => Some(known),
            None => match self.shelf.take(address) {
                Taken::Never => None,
                Taken::Kept(host) => Some(Arc::new(*host)),
                Taken::Lost => return Ok(Arc::new(Stamped::free(self.untouched(address, ConnectStatus::SelfFault)))),
            },
        };
        let before = match before {
            Some(known) if !self.is_due(&known, errand) => {
                self.hosts.put(address, Arc::clone(&known));
                return Ok(known);
            }
            before => before,
        };
        let had = before.as_ref().map(|before| &*before.what).filter(|host| !host.session.may_change());
        let pass = match had {
            Some(host) => Pass::Had(host),
            None => self.pass(address, exchange).await?,
        };
        let host = Arc::new(Box::pin(self.host(address, exchange, pass, before.as_deref())).await);
        self.hosts.put(address, Arc::clone(&host));
        Ok(host)
    }

    /// Everything about a server, over one connection.
    async fn host(
        &self,
        address: IpAddr,
        exchange: Option<&Name>,
        pass: Pass<'_>,
        before: Option<&Stamped<Host>>,
    ) -> Stamped<Host> {
        // Of a session that was held before, the time is kept with it.
        let (scanned_at, earlier) = match (&pass, before) {
            (Pass::Had(had), _) => (had.scanned_at, had.earlier.clone()),
            (_, before) => (now_ms(), before.map(|before| with_earlier(&before.what)).unwrap_or_default()),
        };
        // The first two are on the heap, and mostly over long before the last: what they took is free again by then.
        let (reverse, said, conversation) = tokio::join!(
            Box::pin(self.reverse(address)),
            Box::pin(self.said_at(address)),
            self.conversation(address, exchange, pass)
        );
        let (ptr, forward) = reverse;
        let (session, introduction, ehlo, introduced) = conversation;
        let host = Host {
            address,
            special: None,
            basis: Basis::Announced,
            ptr,
            forward,
            session: *session,
            introduction,
            ehlo,
            introduced,
            listings: said.listings,
            domains: Vec::new(),
            earlier,
            scanned_at,
        };
        Box::pin(self.with_domains(host, said.stretches)).await
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
            earlier: Vec::new(),
            scanned_at: now_ms(),
        };
        Box::pin(self.with_domains(host, said.stretches)).await
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
            earlier: Vec::new(),
            scanned_at: now_ms(),
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
        pass: Pass<'_>,
    ) -> (Box<Session>, Option<Introduction>, Option<Introduction>, Introduced) {
        let session = match pass {
            Pass::Stay(status, cause) => {
                Box::new(Session { cause: Some(cause), ..Session::none(self.settings.port, status) })
            }
            // On the heap, and so is what follows: thousands wait here, and need no room for what comes later.
            Pass::Go { leave, socket, _try } => Box::pin(self.session(address, exchange, leave, socket)).await,
            Pass::Had(host) => Box::new(host.session.clone()),
        };
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
            Some(introduction) if welcomed => Box::pin(self.introduced(introduction, address)).await,
            _ => Introduced::not_asked(session.cause.unwrap_or(Cause::NoIntroduction)),
        };
        (session, introduction, ehlo, introduced)
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
        if said.may_change() {
            self.said_at.forget(&address);
        }
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

/// The sessions before the next one: those before the last, and the last, unless that was none.
fn with_earlier(host: &Host) -> Vec<Earlier> {
    let session = &host.session;
    let last = [&session.helo, &session.ehlo, &session.greeting].into_iter().flatten().next();
    let last = Earlier {
        scanned_at: host.scanned_at,
        connect: session.connect,
        status: session.status,
        cause: session.cause,
        reply: last.filter(|reply| !reply.raw.is_empty()).map(|reply| smtp::first_line(reply).into()),
    };
    let held = (!session.was_put_off()).then_some(last);
    host.earlier.iter().cloned().chain(held).collect()
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
