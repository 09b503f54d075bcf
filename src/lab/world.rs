//! Which servers and domains a world has, and what each of them is.
//! Comes in: the settings. Goes out: the scenario of a server, the MX data of a domain, the addresses shown.
//! A world is a handful of numbers: a million domains take no more room than one.
//! What DNS and SMTP make of it is `zone`'s and `smtp`'s.

use std::net::{IpAddr, Ipv4Addr};

use super::chance::draw;
use super::place::{self, Domain, Place, Site};
use super::scenarios::{self, RECORDED, Recorded, Role, SCENARIOS, Server, Shape, Speech, To};
use super::{Numbering, Settings};

/// What a draw is for: draws for different purposes are independent.
const SERVER: u64 = 1;
const SHAPE: u64 = 2;
const POPULAR: u64 = 3;
const SECOND: u64 = 4;

/// A world, whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct World {
    seed: u64,
    /// Domains of the bulk world.
    bulk: u64,
    /// Servers of the bulk world; 0 only when it has no domain.
    servers: u32,
    /// Targets in all.
    targets: u64,
    numbering: Numbering,
    slow: bool,
    six: bool,
}

/// A target.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim {
    /// A domain.
    Domain(Domain),
    /// A recorded introduction.
    Recorded(&'static Recorded),
}

impl World {
    /// The world of these settings; `six` tells whether the loopback device has IPv6.
    pub(super) fn new(settings: &Settings, six: bool) -> Self {
        let mut world = Self {
            seed: settings.seed,
            bulk: 0,
            servers: 0,
            targets: settings.domains,
            numbering: settings.numbering,
            slow: settings.slow,
            six: six && settings.numbering == Numbering::Reserved,
        };
        world.bulk = settings.domains.saturating_sub(world.scenario_aims().count() as u64);
        let most = u32::try_from(world.bulk).unwrap_or(u32::MAX).min(place::ROOM);
        world.servers = settings.servers.max(1).min(most);
        world
    }

    /// Whether a scenario is part of this world.
    pub(super) fn has(&self, number: u8) -> bool {
        (1..=SCENARIOS).contains(&number)
            && scenarios::not_plain(number).is_none()
            && (self.slow || !scenarios::SLOW.contains(&number))
            && (self.six || !scenarios::SIX.contains(&number))
            && (self.numbering == Numbering::Reserved || !scenarios::MAPPED.contains(&number))
    }

    /// The targets, in their order: scenarios, recorded introductions, the bulk world.
    pub(super) fn aims(self) -> impl Iterator<Item = Aim> + Send {
        let bulk = (0..self.bulk).map(|index| Aim::Domain(Domain::Bulk(index)));
        let all = self.scenario_aims().chain(bulk);
        all.take(usize::try_from(self.targets).unwrap_or(usize::MAX))
    }

    fn scenario_aims(self) -> impl Iterator<Item = Aim> + Send {
        let domains = (1..=SCENARIOS).filter(move |&number| self.has(number));
        let recorded = RECORDED.iter().filter(move |recorded| self.has(recorded.number));
        domains.map(|number| Aim::Domain(Domain::Scenario(number))).chain(recorded.map(Aim::Recorded))
    }

    /// What a server is; None where none is.
    pub(super) fn server(&self, site: Site) -> Option<&'static Server> {
        match site {
            Site::Main(number) => self.has(number).then(|| scenarios::server(number, false)),
            Site::Second(number) => {
                (self.has(number) && scenarios::has_second(number)).then(|| scenarios::server(number, true))
            }
            Site::Six(number) => {
                let server = scenarios::server(number, false);
                (self.has(number) && server.six.is_some()).then_some(server)
            }
            Site::Bulk(index) => (index < self.servers).then(|| {
                let server = scenarios::bulk_server(of_1000(draw(self.seed, SERVER, u64::from(index))));
                // Something always answers at the shared port of loopback.
                let refuses = server.speech.is_dead() && self.numbering == Numbering::Loopback;
                if refuses { scenarios::good_server() } else { server }
            }),
        }
    }

    /// What the MX data of a domain is; None where there is no such domain.
    pub(super) fn shape(&self, domain: Domain) -> Option<&'static Shape> {
        match domain {
            Domain::Scenario(number) => self.has(number).then(|| scenarios::shape(number)),
            Domain::Around(server) => (server < self.servers).then(scenarios::one_shape),
            Domain::Bulk(index) => (index < self.bulk).then(|| {
                let shape = scenarios::bulk_shape(of_1000(draw(self.seed, SHAPE, index)));
                // Two exchanges need two servers.
                if self.site(domain, To::Second).is_none() && shape.needs_second() {
                    scenarios::one_shape()
                } else {
                    shape
                }
            }),
        }
    }

    /// The server behind an exchange of a domain; None where the exchange leads to none.
    pub(super) fn site(&self, domain: Domain, to: To) -> Option<Site> {
        match (domain, to) {
            (Domain::Scenario(number), To::Server | To::Alias) => Some(Site::Main(number)),
            (Domain::Scenario(number), To::Second) => Some(Site::Second(number)),
            (Domain::Around(server), To::Server | To::Alias) => Some(Site::Bulk(server)),
            (Domain::Bulk(index), To::Server | To::Alias) => Some(Site::Bulk(self.first_server(index))),
            (Domain::Bulk(index), To::Second) => {
                let second = pick(draw(self.seed, SECOND, index), self.servers);
                (second != self.first_server(index)).then_some(Site::Bulk(second))
            }
            _ => None,
        }
    }

    /// Each server has a domain of its own; the others crowd behind the first servers (the density falls with the
    /// two-thirds power of the rank, about as among real exchanges).
    fn first_server(&self, index: u64) -> u32 {
        let share =
            |index: u64| u64::try_from(u128::from(index) * u128::from(self.servers) / u128::from(self.bulk.max(1)));
        let (own, next) = (share(index).unwrap_or(0), share(index + 1).unwrap_or(0));
        if own != next {
            return u32::try_from(own).unwrap_or(0);
        }
        let place = super::chance::fraction(draw(self.seed, POPULAR, index));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a u32 fits a u32")]
        let server = (f64::from(self.servers) * place * place * place) as u32;
        server
    }

    /// An address as this world shows it.
    pub(super) fn shown(&self, address: Ipv4Addr) -> Ipv4Addr {
        match self.numbering {
            Numbering::Reserved => address,
            Numbering::Loopback => place::to_loopback(address).unwrap_or(address),
        }
    }

    /// The address of a server as this world shows it.
    pub(super) fn address(&self, site: Site) -> IpAddr {
        match (place::v4(site), site) {
            (Some(v4), _) => IpAddr::V4(self.shown(v4)),
            (None, Site::Six(number) | Site::Main(number) | Site::Second(number)) => IpAddr::V6(place::v6(number)),
            (None, Site::Bulk(_)) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }

    /// The server at an address as this world shows it, and what it is.
    pub(super) fn at(&self, address: IpAddr) -> Option<(Site, &'static Server)> {
        let site = match (address, self.numbering) {
            (IpAddr::V4(v4), Numbering::Reserved) => place::site(v4)?,
            (IpAddr::V4(v4), Numbering::Loopback) => place::site(place::from_loopback(v4)?)?,
            (IpAddr::V6(v6), _) => place::site_v6(v6)?,
        };
        Some((site, self.server(site)?))
    }

    /// What stands at a forward name.
    pub(super) fn find(&self, name: &str) -> Option<Place> {
        if let Some((address, role)) = place::templated(name) {
            return self.at(IpAddr::V4(address)).map(|(site, _)| Place::Server(site, role));
        }
        place::find(name)
    }

    /// The name of a server in a role.
    pub(super) fn name(&self, site: Site, role: Role) -> String {
        place::server_name(site, role, self.address(site))
    }

    /// The name of an exchange as the MX record has it; empty for the root.
    pub(super) fn exchange(&self, domain: Domain, to: To) -> String {
        match to {
            To::Root => String::new(),
            To::Literal => match domain {
                Domain::Scenario(number) => self.address(Site::Main(number)).to_string(),
                Domain::Bulk(index) => self.address(Site::Bulk(self.first_server(index))).to_string(),
                Domain::Around(server) => self.address(Site::Bulk(server)).to_string(),
            },
            To::Server | To::Second => {
                let site = self.site(domain, to);
                let named = site.and_then(|site| Some(self.name(site, self.server(site)?.exchange)));
                named.unwrap_or_else(|| place::exchange_name(domain, To::Absent))
            }
            To::Alias | To::Absent | To::Private | To::Loopback | To::Dangling => place::exchange_name(domain, to),
        }
    }

    pub(super) fn numbering(&self) -> Numbering {
        self.numbering
    }

    /// The loopback address of the server that never answers, where the world has one.
    pub(super) fn silent(&self) -> Option<Ipv4Addr> {
        let sites = scenarios::SLOW.iter().map(|&number| Site::Main(number));
        let mut silent = sites.filter(|&site| self.server(site).is_some_and(|server| server.speech == Speech::Silent));
        place::to_loopback(place::v4(silent.next()?)?)
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// The scenarios of this world that have an IPv6 server.
    pub(super) fn sixes(self) -> impl Iterator<Item = u8> {
        (1..=SCENARIOS).filter(move |&number| self.server(Site::Six(number)).is_some())
    }
}

impl Shape {
    fn needs_second(&self) -> bool {
        matches!(self.mail, scenarios::Mail::Records(records) if records.iter().any(|(_, to)| *to == To::Second))
    }
}

/// A draw as a number below 1,000.
fn of_1000(draw: u64) -> u32 {
    pick(draw, 1000)
}

/// A draw as a number below `count`.
fn pick(draw: u64, count: u32) -> u32 {
    u32::try_from((u128::from(draw) * u128::from(count)) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn world(seed: u64, domains: u64, servers: u32) -> World {
        World::new(&Settings { seed, domains, servers, ..Settings::default() }, true)
    }

    #[test]
    fn every_server_has_a_domain_and_few_have_many() {
        let world = world(1, 10_000, 1_000);
        let mut domains: HashMap<u32, u32> = HashMap::new();
        for index in 0..world.bulk {
            *domains.entry(world.first_server(index)).or_default() += 1;
        }
        assert_eq!(domains.len(), 1_000);
        let busiest = domains.values().max().copied().unwrap();
        assert!((500..2_000).contains(&busiest), "{busiest}");
    }

    #[test]
    fn the_same_seed_is_the_same_world_and_another_is_another() {
        let kinds = |seed| {
            let world = world(seed, 2_000, 500);
            (0..500).map(|index| world.server(Site::Bulk(index)).unwrap().number).collect::<Vec<_>>()
        };
        assert_eq!(kinds(5), kinds(5));
        assert_ne!(kinds(5), kinds(6));
    }

    #[test]
    fn a_small_world_is_the_beginning_of_the_scenarios() {
        assert_eq!(world(1, 5, 100).aims().count(), 5);
        assert_eq!(world(1, 0, 100).aims().count(), 0);
        assert_eq!(world(1, 300, 0).aims().count(), 300);
    }
}
