//! When a server may be contacted, out of regard for its network and its provider.
//! Comes in: an address's network and its exchange's provider. Goes out: leave to connect now, or what stands against it.
//! Nobody waits in here: who gets no leave is told when to ask again. A group that has turned us away is left alone for a
//! while, and then tried with one connection at a time until it takes us again.
//! Groups at rest are forgotten, so a census of the whole Internet keeps only the live ones.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tracing::info;

use super::budget::interval;
use crate::model::name::Name;

/// Connections at a time into one network, and to one provider (as the large receivers tolerate them).
const NETWORK_SLOTS: usize = 2;
const PROVIDER_SLOTS: usize = 4;
/// Added to each interval, as its hundredth part: a connection that left a little late does not put eleven into the time of
/// ten.
const GUARD: u32 = 100;
/// Groups known before those at rest are forgotten for the first time.
const PRUNE: usize = 4096;
/// How soon to ask again about something whose end nobody can foretell.
pub(super) const AGAIN: Duration = Duration::from_millis(100);

/// What stands between a target and one of its servers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Obstacle {
    /// Another target's session with the same server.
    Session(IpAddr),
    /// The spacing of the server's network.
    Network(IpNet),
    /// The spacing of the exchange's provider.
    Provider(Name),
}

/// What a session was, as far as its groups are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// It took us.
    Welcome,
    /// It does not want us now: 421, a limit, or a refusal that speaks of us.
    TurnedAway,
    /// Nothing that speaks of us.
    None,
}

/// No leave to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not now; None: nobody can tell when.
    Wait(Obstacle, Option<Instant>),
    /// A group has turned us away a short while ago.
    TurnedAway,
}

/// Spacing, slots and breakers of all groups.
#[derive(Debug)]
pub(super) struct Manners {
    networks: Mutex<Groups<IpNet>>,
    providers: Mutex<Groups<Name>>,
    minds_networks: bool,
    minds_providers: bool,
}

/// Leave to connect once; the slots are free again when this is dropped.
#[derive(Debug)]
pub(super) struct Leave {
    manners: Arc<Manners>,
    network: IpNet,
    provider: Option<Name>,
}

impl Manners {
    /// New connections per second for each network and for each provider; zero lifts all regard for the kind. A group that
    /// has turned us away is left alone for `pause`.
    pub(super) fn new(per_network: f64, per_provider: f64, pause: Duration) -> Self {
        Self {
            networks: Mutex::new(Groups::new(per_network, NETWORK_SLOTS, pause)),
            providers: Mutex::new(Groups::new(per_provider, PROVIDER_SLOTS, pause)),
            minds_networks: per_network > 0.0,
            minds_providers: per_provider > 0.0,
        }
    }

    /// Whether it matters whose an exchange is.
    pub(super) const fn minds_providers(&self) -> bool {
        self.minds_providers
    }

    /// Leave for one connection. Until it departs no other gets leave for these groups.
    pub(super) fn ask(self: &Arc<Self>, network: IpNet, provider: Option<Name>) -> Result<Leave, Refusal> {
        let leave = |provider| Leave { manners: Arc::clone(self), network, provider };
        if !self.minds_networks && !self.minds_providers {
            return Ok(leave(None));
        }
        let now = Instant::now();
        // The order is always networks, providers.
        let (mut networks, mut providers) = (self.networks(), self.providers());
        let mut refused = networks.refuses(&network, now).map(|why| why.refusal(|| Obstacle::Network(network)));
        if let Some(provider) = &provider {
            let why = providers.refuses(provider, now);
            let other = why.map(|why| why.refusal(|| Obstacle::Provider(provider.clone())));
            refused = if other == Some(Refusal::TurnedAway) { other } else { refused.or(other) };
        }
        if let Some(refusal) = refused {
            return Err(refusal);
        }
        networks.take(network, now);
        if let Some(provider) = &provider {
            providers.take(provider.clone(), now);
        }
        drop((networks, providers));
        Ok(leave(provider))
    }

    /// When to ask again about a group; None when it is now.
    pub(super) fn again(&self, obstacle: &Obstacle) -> Option<Instant> {
        let now = Instant::now();
        let why = match obstacle {
            Obstacle::Network(network) => self.networks().refuses(network, now),
            Obstacle::Provider(provider) => self.providers().refuses(provider, now),
            Obstacle::Session(_) => None,
        };
        match why? {
            // There is no waiting for that: whoever asks is told so.
            Why::TurnedAway => None,
            Why::Early(due) => Some(due),
            Why::Busy => Some(now + AGAIN),
        }
    }

    fn networks(&self) -> MutexGuard<'_, Groups<IpNet>> {
        self.networks.lock().expect("no holder of this lock can panic")
    }

    fn providers(&self) -> MutexGuard<'_, Groups<Name>> {
        self.providers.lock().expect("no holder of this lock can panic")
    }
}

impl Leave {
    /// The connection is made now: the groups' next interval begins.
    pub(super) fn depart(&self) {
        let now = Instant::now();
        if self.manners.minds_networks {
            self.manners.networks().depart(&self.network, now);
        }
        if let Some(provider) = &self.provider {
            self.manners.providers().depart(provider, now);
        }
    }

    /// The session is over, and this is what it was.
    pub(super) fn end(self, sign: Sign) {
        let now = Instant::now();
        if self.manners.minds_networks {
            self.manners.networks().hear(&self.network, sign, now);
        }
        if let Some(provider) = &self.provider {
            self.manners.providers().hear(provider, sign, now);
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.manners.minds_networks {
            self.manners.networks().give_back(&self.network);
        }
        if let Some(provider) = &self.provider {
            self.manners.providers().give_back(provider);
        }
    }
}

/// Groups of one kind.
#[derive(Debug)]
struct Groups<K> {
    /// None: no regard.
    interval: Option<Duration>,
    slots: usize,
    pause: Duration,
    by_key: HashMap<K, Group>,
    prune_at: usize,
}

#[derive(Debug)]
struct Group {
    /// Not before.
    next: Instant,
    /// Sessions under way.
    held: usize,
    /// One of them has leave and has not connected yet.
    departing: bool,
    /// It turned us away, and has not taken us since: left alone until then.
    closed: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    TurnedAway,
    Early(Instant),
    Busy,
}

impl Why {
    fn refusal(self, obstacle: impl FnOnce() -> Obstacle) -> Refusal {
        match self {
            Self::TurnedAway => Refusal::TurnedAway,
            Self::Early(due) => Refusal::Wait(obstacle(), Some(due)),
            Self::Busy => Refusal::Wait(obstacle(), None),
        }
    }
}

impl<K: Eq + Hash + Display> Groups<K> {
    fn new(rate: f64, slots: usize, pause: Duration) -> Self {
        let interval = (rate > 0.0).then(|| {
            let interval = interval(rate);
            interval + interval / GUARD
        });
        Self { interval, slots, pause, by_key: HashMap::new(), prune_at: PRUNE }
    }

    fn refuses(&self, key: &K, now: Instant) -> Option<Why> {
        self.interval?;
        let group = self.by_key.get(key)?;
        let slots = match group.closed {
            Some(until) if until > now => return Some(Why::TurnedAway),
            // Not yet known to take us again.
            Some(_) => 1,
            None => self.slots,
        };
        if group.departing || group.held >= slots {
            Some(Why::Busy)
        } else {
            (group.next > now).then_some(Why::Early(group.next))
        }
    }

    fn take(&mut self, key: K, now: Instant) {
        if self.interval.is_none() {
            return;
        }
        if self.by_key.len() >= self.prune_at {
            self.by_key.retain(|_, group| group.held > 0 || group.next > now || group.closed.is_some());
            self.prune_at = (self.by_key.len() * 2).max(PRUNE);
        }
        let group = self.by_key.entry(key).or_insert(Group { next: now, held: 0, departing: false, closed: None });
        group.held += 1;
        group.departing = true;
    }

    fn depart(&mut self, key: &K, now: Instant) {
        if let (Some(interval), Some(group)) = (self.interval, self.by_key.get_mut(key)) {
            group.next = now + interval;
            group.departing = false;
        }
    }

    fn hear(&mut self, key: &K, sign: Sign, now: Instant) {
        let Some(group) = self.by_key.get_mut(key) else { return };
        match sign {
            Sign::Welcome => group.closed = None,
            // Those that were under way when it closed tell nothing new.
            Sign::TurnedAway if group.closed.is_some_and(|until| until > now) => {}
            Sign::TurnedAway => {
                group.closed = Some(now + self.pause);
                info!(group = %key, seconds = self.pause.as_secs(), "turned away: left alone");
            }
            Sign::None => {}
        }
    }

    fn give_back(&mut self, key: &K) {
        if let Some(group) = self.by_key.get_mut(key) {
            group.held -= 1;
            // Where it never departed, another may.
            group.departing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    const PAUSE: Duration = Duration::from_millis(40);

    fn manners(per_network: f64, per_provider: f64) -> Arc<Manners> {
        Arc::new(Manners::new(per_network, per_provider, PAUSE))
    }

    #[test]
    fn no_two_connections_of_a_group_leave_within_an_interval() {
        let manners = manners(100.0, 0.0);
        let here = network("192.0.2.0/24");
        let first = manners.ask(here, None).unwrap();
        let asked = manners.ask(here, None).unwrap_err();
        assert_eq!(asked, Refusal::Wait(Obstacle::Network(here), None), "nobody before the first has left");
        first.depart();
        let left = Instant::now();
        let Refusal::Wait(_, Some(due)) = manners.ask(here, None).unwrap_err() else { panic!("it has its time") };
        assert!(due <= left + Duration::from_micros(10_100) && due > left + Duration::from_millis(9));
        assert!(manners.ask(network("192.0.3.0/24"), None).is_ok(), "another network is nobody's business");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        assert!(manners.ask(here, None).is_ok());
    }

    #[test]
    fn both_groups_must_agree_and_none_is_taken_otherwise() {
        let manners = manners(1e6, 1e6);
        let (here, there) = (network("192.0.2.0/24"), network("192.0.3.0/24"));
        let held = manners.ask(here, Some(name("example.org"))).unwrap();
        assert!(manners.ask(there, Some(name("example.org"))).is_err(), "the provider's connection has not left");
        drop(manners.ask(there, Some(name("example.net"))).unwrap());
        held.depart();
        std::thread::sleep(Duration::from_millis(1));
        assert!(
            manners.ask(there, Some(name("example.org"))).is_ok(),
            "neither the failed attempt nor the dropped one counts"
        );
    }

    #[test]
    fn a_group_never_has_more_than_its_slots() {
        let manners = manners(1e6, 0.0);
        let here = network("2001:db8::/48");
        let hold = || {
            let leave = manners.ask(here, None).unwrap();
            leave.depart();
            std::thread::sleep(Duration::from_millis(1));
            leave
        };
        let held = (hold(), hold());
        assert_eq!(manners.ask(here, None).unwrap_err(), Refusal::Wait(Obstacle::Network(here), None));
        drop(held);
        drop(hold());
    }

    #[test]
    fn a_group_that_turned_us_away_is_left_alone_and_then_tried_by_one() {
        let manners = manners(1e6, 1e6);
        let (here, there) = (network("192.0.2.0/24"), network("192.0.3.0/24"));
        let away = manners.ask(here, Some(name("example.org"))).unwrap();
        away.depart();
        away.end(Sign::TurnedAway);
        for (network, provider) in [(here, name("example.net")), (there, name("example.org"))] {
            assert_eq!(manners.ask(network, Some(provider)).unwrap_err(), Refusal::TurnedAway);
        }
        assert!(manners.ask(there, Some(name("example.net"))).is_ok());
        std::thread::sleep(PAUSE);
        let probe = manners.ask(here, None).unwrap();
        probe.depart();
        std::thread::sleep(Duration::from_millis(1));
        assert!(manners.ask(here, None).is_err(), "one at a time until it takes us");
        probe.end(Sign::Welcome);
        let one = manners.ask(here, None).unwrap();
        one.depart();
        std::thread::sleep(Duration::from_millis(1));
        assert!(manners.ask(here, None).is_ok());
    }

    #[test]
    fn without_a_rate_there_is_no_regard() {
        let manners = manners(0.0, 0.0);
        let here = network("192.0.2.0/24");
        let leaves: Vec<_> = (0..10).map(|_| manners.ask(here, Some(name("example.org"))).unwrap()).collect();
        for leave in leaves {
            leave.end(Sign::TurnedAway);
        }
        assert!(manners.ask(here, Some(name("example.org"))).is_ok());
        assert!(manners.networks().by_key.is_empty());
    }

    #[test]
    fn groups_at_rest_are_forgotten_and_the_smallest_rate_is_one() {
        let manners = manners(0.0, 1_000_000.0);
        for number in 0..20_000 {
            let leave = manners.ask(network("192.0.2.0/24"), Some(name(&format!("n{number}.example")))).unwrap();
            leave.depart();
            drop(leave);
        }
        assert!(manners.providers().by_key.len() <= 2 * PRUNE);
        for rate in [f64::MIN_POSITIVE, 1e-20, 1e-9] {
            let slow = Arc::new(Manners::new(rate, 0.0, PAUSE));
            slow.ask(network("192.0.2.0/24"), None).unwrap().depart();
            assert!(slow.ask(network("192.0.2.0/24"), None).is_err(), "{rate} is not unlimited");
        }
    }
}
