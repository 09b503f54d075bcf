//! A loopback world to scan: DNS and mail servers with every fault there is a rule for, and the truth about each.
//! Comes in: a seed, and how many domains and servers. Goes out: a resolver's address, a mapping of addresses to loopback
//! endpoints, targets, and what a scan of them must find.
//! The world is computed, not stored: a million domains cost what ten cost. It needs no privilege and leaves loopback never.

mod chance;
mod counts;
mod dns;
pub mod farm;
mod listen;
mod map;
mod place;
mod scenarios;
mod smtp;
mod speech;
mod tls;
mod truth;
mod wire;
mod world;
mod zone;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use tokio::task::AbortHandle;

pub use counts::Counts;
pub use map::Map;
pub use truth::Truth;

use crate::model::dnsbl::{self, CodeRule, ListClass, Quorum};
use crate::model::name::Name;
use crate::model::words::Profile;
use counts::Counter;
use dns::{Resolver, Responder};
use listen::Silent;
use place::Site;
use scenarios::List;
use smtp::Servers;
use tls::Certificates;
use world::World;
use zone::Zones;

/// How late a server greets that the faults have made slow.
pub const SLOW_GREETING: Duration = smtp::SLOW;

/// What world to make.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What everything that looks like chance follows from.
    pub seed: u64,
    /// Targets in all; the scenarios come first, the bulk world fills up.
    pub domains: u64,
    /// Servers behind the bulk world's domains; at most one per domain, and 131,071.
    pub servers: u32,
    /// Which addresses DNS shows.
    pub numbering: Numbering,
    /// What goes wrong beyond the scenarios.
    pub faults: Faults,
    /// Whether questions and connections are counted.
    pub counting: bool,
    /// Whether the scenarios are part of it that make a scanner wait until its deadlines.
    pub slow: bool,
    /// When the blocklist bl2 comes to answer alike for every name; None for never.
    pub turn: Option<Turn>,
}

/// How a blocklist comes to answer for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// After so many questions to it.
    pub after: u64,
    /// With this address.
    pub code: [u8; 4],
}

impl Settings {
    /// A world of so many targets, with a fifth as many servers.
    pub fn new(seed: u64, domains: u64) -> Self {
        let servers = u32::try_from((domains / 5).clamp(1, 100_000)).unwrap_or(1);
        Self {
            seed,
            domains,
            servers,
            numbering: Numbering::Reserved,
            faults: Faults::default(),
            counting: false,
            slow: false,
            turn: None,
        }
    }
}

impl Default for Settings {
    /// A thousand targets.
    fn default() -> Self {
        Self::new(1, 1_000)
    }
}

/// Which addresses the world's DNS shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// Those set aside for documentation and benchmarks; a connector of ours maps them to loopback.
    Reserved,
    /// The loopback addresses themselves, for tools that know no mapping. Leaves out what needs one: servers over IPv6 and
    /// servers that refuse or ignore connections.
    Loopback,
}

/// Shares, from 0 to 1, of what goes wrong; which ones follows from the seed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Faults {
    /// Questions answered SERVFAIL, always the same ones.
    pub servfail: f64,
    /// DNS packets over UDP that are lost, each on its own.
    pub lost: f64,
    /// Servers that greet only after [`SLOW_GREETING`].
    pub slow: f64,
    /// Servers that reset connections, half of them at once and half after a command.
    pub reset: f64,
}

/// Why a lab cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A socket.
    #[error("cannot listen for {what} at {address}")]
    Listen {
        /// Whose socket it is.
        what: &'static str,
        /// The address.
        address: IpAddr,
        /// Why.
        source: io::Error,
    },
    /// A certificate cannot be made.
    #[error("cannot make the lab's certificates")]
    Certificate(#[from] rcgen::Error),
    /// A certificate cannot be used.
    #[error("cannot use the lab's certificates")]
    Tls(#[from] rustls::Error),
}

/// A running world; it stops when it is dropped.
#[derive(Debug)]
pub struct Lab {
    world: World,
    map: Arc<Map>,
    resolver: Resolver,
    counter: Arc<Counter>,
    authority: CertificateDer<'static>,
    servers: Vec<AbortHandle>,
    without_ipv6: bool,
    /// Held, never used: sockets that must stay as they are.
    _closed: socket2::Socket,
    _silent: Option<Silent>,
}

impl Lab {
    /// Starts the servers on the runtime this is called from, and the resolver on a thread of its own.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let failed = |what| move |source| Error::Listen { what, address: Ipv4Addr::UNSPECIFIED.into(), source };
        let six_available = listen::six().is_ok();
        let world = World::new(&settings, six_available);
        let certificates = Certificates::make()?;
        let counter = Arc::new(Counter::new(settings.counting));

        let wildcard = listen::wildcard().map_err(failed("mail servers"))?;
        let port = wildcard.local_addr().map_err(failed("mail servers"))?.port();
        let (closed_socket, closed) = listen::closed().map_err(failed("nobody"))?;
        let silent = world.silent().map(Silent::start).transpose().map_err(failed("the silent server"))?;
        let mut listeners = vec![(wildcard, None)];
        let mut six = Vec::new();
        for number in world.sixes() {
            let listener = listen::six().map_err(failed("a mail server over IPv6"))?;
            six.push((number, listener.local_addr().map_err(failed("a mail server over IPv6"))?));
            listeners.push((listener, Some(Site::Six(number))));
        }

        let zones = Zones::new(world, certificates.expired_key);
        let responder = Responder::new(zones, &settings, Arc::clone(&counter));
        let resolver = Resolver::start(responder).await?;
        let shared = Arc::new(Servers {
            world,
            faults: settings.faults,
            counter: Arc::clone(&counter),
            good: certificates.good,
            expired: certificates.expired,
            deferred: AtomicU64::new(0),
        });
        let servers = listeners
            .into_iter()
            .map(|(listener, site)| tokio::spawn(smtp::serve(listener, site, Arc::clone(&shared))).abort_handle())
            .collect();
        let endpoint = silent.as_ref().map(|silent| silent.endpoint);
        Ok(Self {
            world,
            map: Arc::new(Map { world, port, closed, silent: endpoint, six }),
            resolver,
            counter,
            authority: certificates.authority,
            servers,
            without_ipv6: !six_available,
            _closed: closed_socket,
            _silent: silent,
        })
    }

    /// Where the resolver answers, over UDP and TCP.
    pub const fn resolver(&self) -> SocketAddr {
        self.resolver.address()
    }

    /// The port at which the servers are dialled.
    pub fn port(&self) -> u16 {
        self.map.port
    }

    /// The loopback endpoint of a server at an address of the world; see [`Map::endpoint`].
    pub fn endpoint(&self, address: IpAddr, port: u16) -> SocketAddr {
        self.map.endpoint(address, port)
    }

    /// The mapping, to be kept by a connector.
    pub fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map)
    }

    /// True when the loopback device has no IPv6: the scenarios that need it are left out.
    pub const fn without_ipv6(&self) -> bool {
        self.without_ipv6
    }

    /// The blocklists of the world, and the evidence rule 5 needs.
    pub fn lists(&self) -> (Vec<dnsbl::List>, Quorum) {
        let lists = List::ALL.into_iter().map(|list| {
            let (class, weight) = match list {
                List::Bl1 => (ListClass::SpamSource, 1.0),
                List::Bl2 | List::Bl3 => (ListClass::SpamSource, 0.5),
                List::Pbl => (ListClass::Policy, 0.0),
                List::Wl => (ListClass::Allow, 0.0),
            };
            let zone = format!("{}.lab.test", list.label());
            let code = Ipv4Addr::from(list.code());
            dnsbl::List {
                shown: Arc::from(zone.as_str()),
                lookup: Some(Arc::from(format!("https://{zone}/lookup"))),
                zone: Name::trusted(zone),
                codes: vec![CodeRule { from: code, to: code, class, weight }],
                ipv4: true,
                ipv6: true,
                names: false,
                bits: false,
                core: list == List::Bl1,
                rate: None,
            }
        });
        (lists.collect(), Quorum { weight: 1.5, core: true })
    }

    /// The receiver that has recorded the introductions among the targets.
    pub fn receiver(&self) -> Name {
        Name::trusted(place::RECEIVER.to_owned())
    }

    /// The special-purpose networks that a scan must treat as public.
    pub fn networks(&self) -> Vec<IpNet> {
        let six = (self.world.numbering() == Numbering::Reserved).then_some("2001:db8:25::/48");
        let four = place::NETWORKS.iter().map(|(reserved, loopback)| match self.world.numbering() {
            Numbering::Reserved => *reserved,
            Numbering::Loopback => *loopback,
        });
        four.chain(six).map(|network| network.parse().expect("the table holds networks")).collect()
    }

    /// The authority that has signed the good certificates.
    pub fn roots(&self) -> Vec<CertificateDer<'static>> {
        vec![self.authority.clone()]
    }

    /// The targets in their order: a domain each, or `ip,helo` for a recorded introduction. Computed on the way.
    pub fn targets(&self) -> impl Iterator<Item = String> + Send + use<> {
        let world = self.world;
        world.aims().map(move |aim| truth::target(&world, aim))
    }

    /// What a scan of the targets in the census profile must find, target by target. Computed on the way.
    pub fn truth(&self) -> impl Iterator<Item = Truth> + Send + use<> {
        self.truth_under(Profile::Census)
    }

    /// What a scan of the targets in another profile must find.
    pub fn truth_under(&self, profile: Profile) -> impl Iterator<Item = Truth> + Send + use<> {
        let world = self.world;
        world.aims().flat_map(move |aim| truth::truths(&world, aim, profile))
    }

    /// What has been asked for so far; all zero unless the settings said to count.
    pub fn counts(&self) -> Counts {
        self.counter.counts()
    }

    /// The scenarios that a single scan of an unchanging world cannot show, each with what it would need.
    pub fn not_plain() -> impl Iterator<Item = (String, &'static str)> {
        scenarios::NOT_PLAIN.iter().map(|(number, why)| (format!("S{number:02}"), *why))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.servers.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests;
