//! Finds things out: MX data, addresses, reverse names, sessions, listings.
//! Comes in: a target. Goes out: its evidence, whatever happened.
//! Each exchange and address is asked once per pass, and each question as long as its answer is remembered, however many
//! targets lead to it.
//! Judges nothing, and writes nothing but packets.

pub mod budget;
mod call;
pub mod dns;
pub mod dnsbl;
mod domain;
mod egress;
mod errand;
mod host;
mod lanes;
mod manners;
pub mod memo;
mod outcomes;
mod quarantine;
mod sessions;
mod shelf;
mod size;
pub mod smtp;
pub mod source;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use self::budget::Pace;
use self::call::Sockets;
use self::dns::{Cache, Lookup};
use self::dnsbl::catalogue::Terms;
use self::dnsbl::ledger::Ledger;
use self::dnsbl::panel::{Panel, Sayings};
use self::egress::Egress;
use self::errand::left_alone;
pub use self::errand::{Again, Errand};
use self::lanes::Lanes;
use self::manners::Manners;
pub use self::manners::Obstacle;
use self::memo::Memo;
use self::outcomes::Calls;
pub use self::outcomes::{ANSWERS, Outcomes};
pub use self::quarantine::Gathered;
use self::quarantine::{Stamped, Way};
use self::sessions::Sessions;
use self::shelf::Shelf;
use crate::model::address::Allowed;
use crate::model::clock::now_ms;
use crate::model::dns::{Answer, Mx, Question, RecordType};
use crate::model::dnsbl::List;
use crate::model::evidence::{Evidence, Exchange, Host};
use crate::model::exclusion::Exclusions;
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::target::{Subject, Target};
use crate::model::words::{Cause, ConnectStatus};

/// Which evidence to gather (`--probes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// MX data and the exchanges' addresses.
    pub mx: bool,
    /// Reverse names and their confirmation.
    pub ptr: bool,
    /// The SMTP session.
    pub smtp: bool,
    /// The blocklists.
    pub dnsbl: bool,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self { mx: true, ptr: true, smtp: true, dnsbl: true };
}

/// Which address families are dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Families {
    /// IPv4.
    pub v4: bool,
    /// IPv6.
    pub v6: bool,
}

impl Families {
    const fn allow(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        }
    }
}

/// Where to connect for an address and port: the address itself, but for a lab.
pub type Endpoint = Arc<dyn Fn(IpAddr, u16) -> SocketAddr + Send + Sync>;

/// What the prober may do, and how fast.
pub struct Settings {
    /// Which evidence.
    pub wanted: Wanted,
    /// Which address families.
    pub families: Families,
    /// In which of them this machine has a route to the public Internet.
    pub routed: Families,
    /// Special-purpose networks that count as public.
    pub allowed: Allowed,
    /// Who is never contacted.
    pub exclusions: Arc<Exclusions>,
    /// This run's idea of names.
    pub naming: Naming,
    /// How SMTP sessions are held.
    pub caller: Arc<smtp::session::Caller>,
    /// Threads that hold them; with 0 they are held among all other work.
    pub lanes: usize,
    /// The SMTP port.
    pub port: u16,
    /// The connector's mapping.
    pub endpoint: Endpoint,
    /// The blocklists, in the order of the evidence.
    pub lists: Arc<[List]>,
    /// What each of them is asked under; the usual terms where nothing is said.
    pub terms: Vec<Terms>,
    /// Their budgets of the day; None where nobody else's servers are asked.
    pub ledger: Option<Ledger>,
    /// New connections per second in all; 0 is unlimited.
    pub smtp_rate: f64,
    /// SMTP sockets at a time.
    pub sockets: usize,
    /// Later passes over what was put off.
    pub again: Again,
    /// New connections per second per IPv4 /24 or IPv6 /48; 0 is unlimited.
    pub per_network: f64,
    /// New connections per second per registrable domain of the exchange; 0 is unlimited.
    pub per_provider: f64,
    /// Questions per second per list, where the list itself allows no less; 0 is unlimited.
    pub dnsbl_rate: f64,
    /// Bytes for all memories together.
    pub memory: u64,
    /// Where servers' evidence goes that has no place in memory.
    pub scratch: PathBuf,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("wanted", &self.wanted).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Gathers evidence, each thing once.
pub struct Prober<L> {
    settings: Settings,
    panel: Panel,
    answers: Cache<L>,
    /// What the lists said of addresses and of domains.
    said_at: Memo<IpAddr, Sayings>,
    said_of: Memo<Name, Sayings>,
    exchanges: Memo<Name, Stamped<Exchange>>,
    hosts: Memo<IpAddr, Stamped<Host>>,
    shelf: Arc<Shelf>,
    sessions: Sessions,
    manners: Arc<Manners>,
    egress: Egress,
    sockets: Sockets,
    lanes: Lanes,
    smtp_pace: Pace,
    /// A label that no zone holds, the same for the whole run.
    unheard: String,
    connections: AtomicU64,
    calls: Calls,
    exclusions: AtomicU64,
    begun: Instant,
}

impl<L> fmt::Debug for Prober<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What a prober has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// DNS questions that were met, and how many of them went to a resolver.
    pub questions: (u64, u64),
    /// Exchanges met, and resolved.
    pub exchanges: (u64, u64),
    /// Servers met, and asked.
    pub hosts: (u64, u64),
    /// SMTP connections attempted.
    pub connections: u64,
    /// How those that are over ended, and what resolvers answered.
    pub outcomes: Outcomes,
    /// Times that the exclusions kept us from a server that a target led to.
    pub exclusions: u64,
    /// Servers whose evidence had to leave memory and could not be kept on disk.
    pub lost: u64,
    /// The time it has taken.
    pub took: Duration,
}

impl Work {
    /// This, and what another prober has done.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        const fn both(one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
            (one.0 + other.0, one.1 + other.1)
        }
        Self {
            questions: both(self.questions, other.questions),
            exchanges: both(self.exchanges, other.exchanges),
            hosts: both(self.hosts, other.hosts),
            connections: self.connections + other.connections,
            outcomes: self.outcomes.and(other.outcomes),
            exclusions: self.exclusions + other.exclusions,
            lost: self.lost + other.lost,
            took: self.took.saturating_add(other.took),
        }
    }
}

impl<L: Lookup> Prober<L> {
    /// A prober with empty memories.
    pub fn new(lookup: L, mut settings: Settings) -> Self {
        let panel = Panel::new(&settings.lists, &settings.terms, settings.dnsbl_rate, settings.ledger.take());
        let memory = settings.memory;
        let failures = if settings.again.times > 0 { settings.again.after } else { Duration::MAX };
        let shelf = Arc::new(Shelf::new(settings.scratch.clone()));
        Self {
            panel,
            // A census meets most names once and most servers often: the servers' evidence is what must stay.
            answers: Cache::new(lookup, memory / 4, failures),
            said_at: Memo::new(memory / 16, 1_000),
            said_of: Memo::new(memory / 16, 400),
            exchanges: Memo::new(memory / 8, 500),
            hosts: Memo::with_keeper(memory / 2, 2_000, {
                let shelf = Arc::clone(&shelf);
                move |address, host| shelf.put(*address, host)
            }),
            shelf,
            sessions: Sessions::default(),
            manners: Arc::new(Manners::new(settings.per_network, settings.per_provider, left_alone(settings.again))),
            egress: Egress::default(),
            sockets: Sockets::new(settings.sockets),
            lanes: Lanes::new(settings.lanes),
            smtp_pace: Pace::per_second(settings.smtp_rate),
            unheard: format!("mxcensus-{:016x}", rand::random::<u64>()),
            connections: AtomicU64::new(0),
            calls: Calls::default(),
            exclusions: AtomicU64::new(0),
            begun: Instant::now(),
            settings,
        }
    }

    /// What has been done so far.
    pub fn work(&self) -> Work {
        Work {
            questions: self.questions(),
            exchanges: self.exchanges.counts(),
            hosts: self.hosts.counts(),
            connections: self.connections.load(Ordering::Relaxed),
            outcomes: Outcomes {
                connections: self.calls.connections.all(),
                sessions: self.calls.sessions.all(),
                answers: self.answers.outcomes(),
            },
            exclusions: self.exclusions.load(Ordering::Relaxed),
            lost: self.shelf.lost(),
            took: self.begun.elapsed(),
        }
    }

    /// Questions met and sent, those to blocklists included: each of them is one that was met.
    fn questions(&self) -> (u64, u64) {
        let (met, asked) = self.answers.counts();
        let lists = self.panel.questions();
        (met + lists, asked + lists)
    }

    /// Everything that can be found out about a target: what goes wrong is part of the evidence. An error is no failure: some
    /// server cannot be asked yet, and the target is to come again; what was found out by then is remembered.
    pub async fn gather(&self, errand: &Errand) -> Result<Gathered, Obstacle> {
        let scanned_at = now_ms();
        let started = Instant::now();
        let target = &errand.target;
        let (mx, ways, capped) = match &target.subject {
            _ if target.excluded => self.leave_alone(&target.subject),
            Subject::Domain(domain) => self.domain(domain, errand).await?,
            Subject::Address(address) => (None, vec![direct(self.server(*address, None, errand).await?)], false),
            Subject::Observed { address, helo } => {
                (None, vec![direct(Arc::new(Box::pin(self.observed(*address, helo)).await))], false)
            }
        };
        let elapsed_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        let (target, attempts) = (target.clone(), errand.attempt);
        let evidence = Evidence { target, mx, routes: Vec::new(), capped, scanned_at, elapsed_ms, attempts };
        Ok(Gathered::new(evidence, ways))
    }

    /// When an obstacle is to be looked at again; None when it is no longer there.
    pub fn again(&self, obstacle: &Obstacle) -> Option<Instant> {
        match obstacle {
            Obstacle::Session(address) => self.sessions.has(*address).then(|| Instant::now() + manners::AGAIN),
            Obstacle::Network(_) | Obstacle::Provider(_) => self.manners.again(obstacle),
        }
    }

    /// How long a group that has turned us away is left alone.
    fn left_alone(&self) -> Duration {
        left_alone(self.settings.again)
    }

    /// That no connection gets out of this machine, said once.
    pub fn blocked(&self) -> Option<String> {
        self.egress.complaint(self.settings.port)
    }

    /// Whether no resolver answers any more.
    pub fn is_cut_off(&self) -> bool {
        self.answers.lookup().is_cut_off()
    }

    /// Asks for what every resolver has, so that one that is back is known to be.
    pub async fn ask_the_root(&self) {
        let _any = self.answers.lookup().lookup(&Question { name: Name::root(), kind: RecordType::Soa }).await;
    }

    /// That this machine has had too few sockets so far.
    pub fn shortage(&self) -> Option<String> {
        self.sockets.complaint()
    }

    /// What there is to say of a target whose probing broke down in us.
    pub fn broken(&self, target: Target) -> Gathered {
        let (mx, ways) = match &target.subject {
            Subject::Domain(_) => (Some(Observed::failed(Cause::SelfFault)), Vec::new()),
            Subject::Address(address) | Subject::Observed { address, .. } => {
                (None, vec![direct(Arc::new(Stamped::free(self.untouched(*address, ConnectStatus::SelfFault))))])
            }
        };
        let (scanned_at, routes) = (now_ms(), Vec::new());
        let evidence = Evidence { target, mx, routes, capped: false, scanned_at, elapsed_ms: 0, attempts: 1 };
        Gathered::new(evidence, ways)
    }

    fn leave_alone(&self, subject: &Subject) -> (Option<Answer<Mx>>, Vec<Way>, bool) {
        match subject {
            Subject::Domain(_) => (Some(Observed::NotAsked(Cause::Excluded)), Vec::new(), false),
            Subject::Address(address) | Subject::Observed { address, .. } => {
                let host = Stamped::free(self.untouched(*address, ConnectStatus::Excluded));
                (None, vec![direct(Arc::new(host))], false)
            }
        }
    }
}

fn direct(host: Arc<Stamped<Host>>) -> Way {
    Way { preference: None, exchange: None, hosts: vec![host] }
}

#[cfg(test)]
mod tests;
