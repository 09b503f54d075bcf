//! Finds out what the checks are made from: the only place of this room that asks anybody.
//! Comes in: the job. Goes out: what was read of the machine, and what resolvers, blocklists and the one named server said.
//! Which address the system would send from is told by a socket that sends nothing.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::identity::{Helo, Identity, Lists, Own, Peered};
use super::machine::Machine;
use super::resolver::{Asked, Burst, More};
use super::{Error, Job, Peer};
use crate::model::address::Allowed;
use crate::model::clock::now_ms;
use crate::model::dns::{Addresses, Answer, Data, Pick, Question, RecordType, reverse_name};
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Observed};
use crate::model::words::Cause;
use crate::probe::dns::{self, Engine, Lookup, Server};
use crate::probe::dnsbl::ledger::Ledger;
use crate::probe::dnsbl::panel::Panel;
use crate::probe::smtp::session;
use crate::probe::{Families, source};

/// Reverse names that are looked up: nobody needs more.
const NAMES: usize = 5;

/// All that was found out.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) identity: Identity,
    pub(super) resolvers: Vec<Asked>,
    pub(super) machine: Machine,
    /// What could not be written down of the budgets.
    pub(super) complaint: Option<String>,
}

pub(super) async fn all(job: &Job) -> Result<Seen, Error> {
    let (mut resolvers, mut first, mut complaint) = (Vec::new(), None, None);
    for server in &job.resolvers {
        let engine = match engine(job, server).await {
            Ok(engine) => engine,
            // No socket towards it, such as without a route of its family: a fact about this one alone.
            Err(dns::Error::Socket { .. }) => {
                resolvers.push(asked(server, Observed::failed(Cause::NoRoute), None));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let root = engine.lookup(&root()).await;
        if root.seen().is_none() {
            resolvers.push(asked(server, root, None));
            continue;
        }
        let panel = panel(job);
        let health = panel.first_test(&engine).await;
        let more = more(job, &engine, job.lists.iter().cloned().zip(health.iter().cloned()).collect()).await;
        resolvers.push(asked(server, root, Some(more)));
        if first.is_none() {
            first = Some((engine, panel, health));
        } else {
            panel.close().await;
            complaint = complaint.or_else(|| panel.complaint());
        }
    }
    // Who answers first answers for us.
    let identity = match first {
        Some((engine, panel, health)) => {
            let mut identity = identity(job, &engine).await;
            if !job.lists.is_empty() {
                let public = identity.owns.iter().filter_map(Own::public);
                let (panel, engine) = (&panel, &engine);
                let said =
                    public.map(|address| async move { (address, panel.address(engine, address).await.listings) });
                let said = join_all(said.collect::<Vec<_>>()).await;
                identity.lists = Some(Lists { served: panel.lists(), health, said });
            }
            panel.close().await;
            complaint = complaint.or_else(|| panel.complaint());
            identity
        }
        None => identity(job, &Nobody).await,
    };
    Ok(Seen { identity, resolvers, machine: machine(job.naming), complaint })
}

fn asked(server: &Server, root: Answer<Data>, more: Option<More>) -> Asked {
    Asked { resolver: server.to_string(), address: server.address().ip(), root, more }
}

async fn engine(job: &Job, server: &Server) -> Result<Engine, dns::Error> {
    let settings = dns::Settings {
        upstreams: vec![server.clone()],
        timeout: job.timeout,
        in_flight: job.in_flight,
        ..dns::Settings::default()
    };
    Engine::start(settings).await
}

fn panel(job: &Job) -> Panel {
    let ledger = job.state.as_deref().map(|folder| Ledger::new(folder, &job.lists, &job.terms));
    Panel::new(&job.lists, &job.terms, job.dnsbl_rate, ledger)
}

fn root() -> Question {
    Question { name: Name::root(), kind: RecordType::Soa }
}

/// What one resolver that answers says besides.
async fn more(
    job: &Job,
    engine: &Engine,
    lists: Vec<(crate::model::dnsbl::List, crate::model::dnsbl::Health)>,
) -> More {
    // Too long and too random to be registered.
    let made_up = format!("mxcensus-{:016x}{:016x}.com", rand::random::<u64>(), rand::random::<u64>());
    let nobody = Question { name: Name::trusted(made_up), kind: RecordType::A };
    let root = root();
    let (denied, signed, bogus, tcp) = tokio::join!(
        engine.lookup(&nobody),
        engine.lookup(&job.signed),
        engine.lookup(&job.bogus),
        engine.over_tcp(&root)
    );
    let begun = Instant::now();
    let _again = engine.lookup(&root).await;
    let latency = begun.elapsed();
    let burst = if job.burst == 0 { None } else { Some(burst(engine, job.burst).await) };
    More {
        nobody: (nobody, denied),
        signed: (job.signed.clone(), signed),
        bogus: (job.bogus.clone(), bogus),
        tcp,
        latency,
        burst,
        lists,
    }
}

/// All for what the resolver has in its memory, so that nobody behind it is asked. The engine sends no more at once than a scan
/// would; a question that takes a second try was lost.
async fn burst(engine: &Engine, count: u32) -> Burst {
    let root = root();
    let begun = Instant::now();
    let told = join_all((0..count).map(|_| engine.tell(&root))).await;
    let took = begun.elapsed();
    let answered = told.iter().filter(|told| told.answer.unknown().is_none() && told.how.attempts == 1).count();
    Burst { asked: count, answered: u32::try_from(answered).unwrap_or(count), took }
}

async fn identity(job: &Job, lookup: &impl Lookup) -> Identity {
    let owns = if job.addresses.is_empty() {
        owns(lookup, job.families, &job.allowed).await
    } else {
        join_all(job.addresses.iter().map(|address| own(lookup, *address, &job.allowed))).await
    };
    let (class, _) = job.naming.classify(job.helo.as_bytes());
    let name = Name::parse(&job.helo).ok().filter(|_| class.may_be_asked());
    let (addresses, text) = match name {
        Some(name) => {
            let text = ask(lookup, name.clone());
            let (addresses, text) = tokio::join!(addresses(lookup, &name), text);
            (Some(addresses), text)
        }
        None => (None, Observed::NotAsked(Cause::NotAName)),
    };
    let helo = Helo { name: job.helo.clone(), class, addresses, text };
    Identity { owns, helo, lists: None, peer: peer(job, lookup).await, naming: job.naming }
}

/// The address that the system would use in each family, with its names.
pub(super) async fn owns(lookup: &impl Lookup, families: Families, allowed: &Allowed) -> Vec<Own> {
    let four = families.v4.then(|| ("IPv4", source::v4()));
    let six = families.v6.then(|| ("IPv6", source::v6()));
    let found = four.into_iter().chain(six).map(|(family, source)| async move {
        match source {
            Some(address) => own(lookup, address, allowed).await,
            None => unrouted(family),
        }
    });
    join_all(found).await
}

fn unrouted(family: &'static str) -> Own {
    Own { family, address: None, special: None, ptr: Observed::NotAsked(Cause::NoAddress), forward: Vec::new() }
}

async fn own(lookup: &impl Lookup, address: IpAddr, allowed: &Allowed) -> Own {
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    let own = Own { address: Some(address), special: allowed.special(address), ..unrouted(family) };
    if own.special.is_some() {
        return own;
    }
    let ptr: Answer<Name> = ask(lookup, reverse_name(address)).await;
    let names: Vec<Name> = ptr.seen().map_or_else(Vec::new, |found| found.values.clone());
    let forward = names.into_iter().take(NAMES).map(|name| async move {
        let addresses = of_family(lookup, &name, address.is_ipv4()).await;
        (name, addresses)
    });
    let forward = join_all(forward).await;
    Own { ptr, forward, ..own }
}

/// One family is enough to be confirmed in it.
async fn of_family(lookup: &impl Lookup, name: &Name, four: bool) -> Addresses {
    let absence = Absence { how: Denial::Nodata, zone: None, aliases: Vec::new() };
    if four {
        Addresses { v4: ask(lookup, name.clone()).await, v6: Observed::Absent(absence) }
    } else {
        Addresses { v4: Observed::Absent(absence), v6: ask(lookup, name.clone()).await }
    }
}

async fn addresses(lookup: &impl Lookup, name: &Name) -> Addresses {
    let (v4, v6) = tokio::join!(ask(lookup, name.clone()), ask(lookup, name.clone()));
    Addresses { v4, v6 }
}

async fn ask<T: Pick>(lookup: &impl Lookup, name: Name) -> Answer<T> {
    lookup.lookup(&Question { name, kind: T::KIND }).await.typed()
}

/// Where no resolver answers, nothing is asked.
struct Nobody;

impl Lookup for Nobody {
    async fn lookup(&self, _question: &Question) -> Answer<Data> {
        Observed::NotAsked(Cause::ResolverDown)
    }
}

/// A session with the server that the user has named, and with no other.
async fn peer(job: &Job, lookup: &impl Lookup) -> Peered {
    let Some(peer) = &job.peer else { return Peered::NotAsked };
    let Some(caller) = &job.caller else {
        return Peered::Unmade(Cause::NotAName, "nobody was dialled: there is no name to greet with".to_owned());
    };
    let (address, port, shown, name) = match peer {
        Peer::Address(at) => (at.ip(), at.port(), at.to_string(), None),
        Peer::Name(name, port) => {
            let found = addresses(lookup, name).await;
            let four = found.all().find(|address| address.is_ipv4() && job.families.v4);
            let any = four.or_else(|| found.all().find(|address| address.is_ipv6() && job.families.v6));
            let Some(address) = any else {
                let cause = found.v4.unknown().or_else(|| found.v6.unknown()).unwrap_or(Cause::NoAddress);
                return Peered::Unmade(cause, format!("{name} has no address to dial"));
            };
            (address, *port, format!("{name} ({})", SocketAddr::new(address, *port)), Some(name))
        }
    };
    if let Some(special) = job.allowed.special(address) {
        let why = format!("{shown} is not dialled: {special}, and not allowed with --allow-special");
        return Peered::Unmade(Cause::SpecialAddress, why);
    }
    let endpoint = (job.endpoint)(address, port);
    Peered::Called(shown, session::hold(endpoint, port, caller, name).await)
}

fn machine(naming: Naming) -> Machine {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse().ok();
    let ports = || {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        let mut numbers = text.split_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    let dates = naming.tables().sources().iter().map(|source| source.date.clone());
    Machine {
        descriptors: rlimit::Resource::NOFILE.get().ok(),
        ports: ports(),
        receive: number("/proc/sys/net/core/rmem_max"),
        today: Timestamp::from_millisecond(now_ms()).map_or_else(|_| String::new(), day),
        tables: dates.max().unwrap_or_default(),
        // The service says it by the file's presence (systemd-timesyncd.service(8)).
        synchronised: Path::new("/run/systemd/timesync")
            .is_dir()
            .then(|| Path::new("/run/systemd/timesync/synchronized").exists()),
    }
}

/// The day (UTC), as `YYYY-MM-DD`.
fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_of_this_test_can_be_read() {
        let machine = machine(Naming::built_in());
        assert!(machine.descriptors.is_some_and(|(soft, hard)| soft > 0 && soft <= hard), "{machine:?}");
        assert!(
            machine.today.len() == 10 && machine.tables.len() == 10 && machine.today > machine.tables,
            "{machine:?}"
        );
    }
}
