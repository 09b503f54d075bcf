//! The two implementations of `Lookup` against each other: 200,000 questions through `Engine` and through `Hickory`, over
//! zones with every odd case, served by NSD behind Unbound. `scripts/servers install` fetches these; without them it fails.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic; the switch for tests does not reach it")]

#[path = "crosscheck/bulk.rs"]
mod bulk;
#[path = "crosscheck/cases.rs"]
mod cases;
#[path = "servers/run.rs"]
mod run;
#[path = "crosscheck/servers.rs"]
mod servers;
#[path = "crosscheck/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mxcensus::model::dns::{Answer, Data, RecordType};
use mxcensus::model::observed::{Denial, Observed};
use mxcensus::probe::dns::{Engine, Hickory, Lookup as _, Settings};
use world::{Ask, Dice, Octets, World};

const QUESTIONS: usize = 200_000;
/// Sets of odd cases.
const SETS: usize = 64;
/// Questions in flight.
const IN_FLIGHT: usize = 200;
/// For a whole lookup: nothing here is slow but a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Differences of one case that are shown.
const SHOWN: usize = 3;

/// What comes of the questions of each case: seen, NXDOMAIN, NODATA, alias loop, failed. The zones are the same in every
/// run, so other numbers say that a case is no longer there, or no longer served.
const OUTCOMES: &[(&str, [usize; 5])] = &[
    ("alias across zones", [448, 448, 448, 0, 0]),
    ("alias loop", [0, 0, 0, 0, 1792]),
    ("alias to an apex", [128, 0, 320, 0, 0]),
    ("alias to data", [320, 0, 128, 0, 0]),
    ("alias to nodata", [0, 0, 896, 0, 0]),
    ("alias to nothing served", [0, 0, 0, 0, 448]),
    ("alias to nxdomain", [0, 448, 0, 0, 0]),
    ("alias to odd octets", [4160, 0, 1664, 0, 0]),
    ("apex or above", [8, 4, 41, 0, 0]),
    ("chain of 10", [0, 0, 0, 896, 0]),
    ("chain of 2", [320, 448, 128, 0, 0]),
    ("chain of 7", [320, 448, 128, 0, 0]),
    ("chain of 8", [320, 448, 128, 0, 0]),
    ("chain of 9", [0, 0, 0, 896, 0]),
    ("classless reverse", [224, 224, 1344, 0, 0]),
    ("dead server", [0, 0, 0, 0, 128]),
    ("dname", [384, 448, 960, 0, 0]),
    ("dname too long", [0, 0, 0, 0, 448]),
    ("empty non-terminal", [64, 448, 1728, 0, 0]),
    ("every type", [320, 0, 128, 0, 0]),
    ("literal asterisk", [128, 448, 1664, 0, 0]),
    ("long name", [960, 0, 384, 0, 0]),
    ("missing", [0, 26379, 0, 0, 0]),
    ("nibbles", [3600, 400, 0, 0, 0]),
    ("nibbles half-way", [0, 0, 80, 0, 0]),
    ("no name for a question", [0, 0, 0, 0, 128]),
    ("null mx", [64, 0, 384, 0, 0]),
    ("odd exchange", [256, 0, 1536, 0, 0]),
    ("odd octets", [4160, 832, 1664, 0, 0]),
    ("odd text", [448, 0, 2304, 0, 0]),
    ("orphan", [0, 0, 0, 0, 128]),
    ("other types only", [0, 0, 448, 0, 0]),
    ("over any cap", [16, 0, 40, 0, 0]),
    ("over tcp", [320, 0, 128, 0, 0]),
    ("plain", [50704, 462, 60834, 0, 0]),
    ("refused", [0, 0, 0, 0, 128]),
    ("reverse", [3600, 400, 0, 0, 0]),
    ("ttl", [256, 0, 640, 0, 0]),
    ("ttl of a chain", [512, 0, 1280, 0, 0]),
    ("underscore", [448, 0, 1344, 0, 0]),
    ("wildcard", [1088, 896, 2944, 0, 0]),
    ("wildcard alias", [960, 448, 832, 0, 896]),
    ("wildcard exchange", [64, 0, 832, 0, 0]),
    ("zone cut", [120, 84, 300, 0, 0]),
];

/// How the answers compare: the numbers belong to the zones as those above do.
const COMPARED: &[(&str, usize)] =
    &[(SAME, 187_764), (CHAIN_LOST, 10_572), (ALL_LINKS, 1_152), (SOA_LOST, 64), (NO_DETAIL, 448)];
const SAME: &str = "the same";
/// Of 384 answers through a DNAME, those of which a stalled resolver may tell two lifetimes.
const OWN_ALIASES: usize = 8;
const CHAIN_LOST: &str = "a denial behind an alias, without its chain";
const ALL_LINKS: &str = "a denial behind more links than we follow";
const SOA_LOST: &str = "the SOA of a zone whose apex is an alias's target, lost";
const NO_DETAIL: &str = "a failure without its detail";

async fn engine(upstream: SocketAddr) -> Engine {
    let settings = Settings { upstreams: vec![upstream.into()], timeout: PATIENCE, ..Settings::default() };
    Engine::start(settings).await.unwrap()
}

fn hickory(upstream: SocketAddr) -> Hickory {
    Hickory::new(&[upstream], PATIENCE).unwrap()
}

fn the_world() -> World {
    let mut world = World::default();
    for origin in ["", "odd.example", "other.example"] {
        world.zone(origin);
    }
    cases::add_cuts(&mut world);
    for set in 0..SETS {
        cases::add(&mut world, set);
    }
    bulk::add_reverse(&mut world);
    bulk::add_names(&mut world, 16_000);
    bulk::add_missing(&mut world, QUESTIONS);
    // Slow cases are spread among the quick ones.
    let mut dice = Dice::of(25);
    for at in (1..world.asks.len()).rev() {
        world.asks.swap(at, dice.below(at + 1));
    }
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_implementations_give_the_same_answers() {
    let world = the_world();
    assert_eq!(world.asks.len(), QUESTIONS);
    let (_run, upstream) = servers::start(&world);
    let (engine, hickory) = (Arc::new(engine(upstream).await), Arc::new(hickory(upstream)));
    let (asks, next) = (Arc::new(world.asks), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (engine, hickory) = (Arc::clone(&engine), Arc::clone(&hickory));
            let (asks, next) = (Arc::clone(&asks), Arc::clone(&next));
            tokio::spawn(async move {
                let mut results = Results::default();
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(ask) = asks.get(at) else { return results };
                    let began = Instant::now();
                    // Each is the first to ask about half of the questions: the second is answered from the cache.
                    let (ours, theirs) = if at % 2 == 0 {
                        let ours = engine.lookup(&ask.question).await;
                        (ours, hickory.lookup(&ask.question).await)
                    } else {
                        let theirs = hickory.lookup(&ask.question).await;
                        (engine.lookup(&ask.question).await, theirs)
                    };
                    results.add(ask, &ours, &theirs, began.elapsed());
                }
            })
        })
        .collect();
    let mut results = Results::default();
    for task in tasks {
        results.join(task.await.unwrap());
    }
    assert!(results.differences.is_empty(), "{}", results.shown());
    // Were it more than a matter of chance, one of the two would lose the time that an answer lives.
    assert!(results.own_aliases <= OWN_ALIASES, "{} aliases of one live for no time", results.own_aliases);
    assert_eq!(results.outcomes.into_iter().collect::<Vec<_>>(), OUTCOMES);
    let expected: BTreeMap<_, _> = COMPARED.iter().copied().collect();
    assert_eq!(results.compared, expected);
}

/// hickory answers these without a packet (RFC 6761, RFC 7686), so they cannot be compared. The engine asks for them as for
/// any other name.
#[tokio::test]
async fn names_that_hickory_answers_by_itself_are_asked_by_the_engine() {
    let mut world = World::default();
    world.zone("");
    world.zone("odd.example");
    let loopback = format!("1.{}ip6.arpa", "0.".repeat(31));
    let names = [
        ("localhost", RecordType::A),
        ("host.localhost", RecordType::Aaaa),
        ("host.localhost", RecordType::Mx),
        ("1.0.0.127.in-addr.arpa", RecordType::Ptr),
        ("2.0.0.127.in-addr.arpa", RecordType::Txt),
        (&loopback, RecordType::Ptr),
        ("host.invalid", RecordType::A),
        ("host.onion", RecordType::A),
    ];
    for (name, kind) in names {
        let data = match kind {
            RecordType::A => "A 192.0.2.77",
            RecordType::Aaaa => "AAAA 2001:db8::77",
            RecordType::Mx => "MX 10 mail.example.",
            RecordType::Ptr => "PTR host.example.",
            _ => "TXT \"text\"",
        };
        world.record("", &Octets::of(name), world::TTL, data);
        world.ask_for("by itself", &Octets::of(name), kind);
    }
    let (_run, upstream) = servers::start(&world);
    let (engine, hickory) = (engine(upstream).await, hickory(upstream));
    for Ask { question, .. } in &world.asks {
        let (ours, theirs) = (engine.lookup(question).await, hickory.lookup(question).await);
        assert!(ours.seen().is_some_and(|records| !records.values.is_empty()), "{question:?}: {ours:?}");
        assert_ne!(ours, theirs, "{question:?}");
    }
}

/// What came of the questions.
#[derive(Debug, Default)]
struct Results {
    outcomes: BTreeMap<&'static str, [usize; 5]>,
    compared: BTreeMap<&'static str, usize>,
    differences: BTreeMap<&'static str, Vec<String>>,
    /// Where one of the two was told that an answer through a DNAME lives for no time.
    own_aliases: usize,
}

impl Results {
    fn add(&mut self, ask: &Ask, ours: &Answer<Data>, theirs: &Answer<Data>, took: Duration) {
        let [seen, nxdomain, nodata, alias_loop, failed] = self.outcomes.entry(ask.case).or_default();
        let outcome = match ours {
            Observed::Seen(_) => seen,
            Observed::Absent(absence) => match absence.how {
                Denial::Nxdomain => nxdomain,
                Denial::Nodata => nodata,
                Denial::AliasLoop => alias_loop,
            },
            Observed::Failed(_) | Observed::NotAsked(_) => failed,
        };
        *outcome += 1;
        if let (Observed::Seen(ours), Observed::Seen(theirs)) = (ours, theirs) {
            self.own_aliases += usize::from(is_own_alias(ask, ours.ttl, theirs.ttl));
        }
        if let Some(how) = compare(ask, ours, theirs, took) {
            *self.compared.entry(how).or_default() += 1;
        } else {
            let difference = format!("{:?}\n  engine  {ours:?}\n  hickory {theirs:?}", ask.question);
            self.differences.entry(ask.case).or_default().push(difference);
        }
    }

    fn join(&mut self, other: Self) {
        self.own_aliases += other.own_aliases;
        for (case, outcomes) in other.outcomes {
            let sums = self.outcomes.entry(case).or_default();
            sums.iter_mut().zip(outcomes).for_each(|(sum, more)| *sum += more);
        }
        for (how, count) in other.compared {
            *self.compared.entry(how).or_default() += count;
        }
        for (case, differences) in other.differences {
            self.differences.entry(case).or_default().extend(differences);
        }
    }

    /// The first differences of each case.
    fn shown(&self) -> String {
        let each = self.differences.iter().map(|(case, all)| {
            let first: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
            format!("{case}: {} differ, of which\n{}", all.len(), first.join("\n"))
        });
        each.collect::<Vec<_>>().join("\n")
    }
}

/// Unbound's own alias, made of a DNAME that it remembers, lives for 0 s, and one that it was given as long as the DNAME
/// (RFC 6672 §3.1): which of the two a question meets is a matter of when it comes.
fn is_own_alias(ask: &Ask, ours: u32, theirs: u32) -> bool {
    ask.case == "dname" && ours != theirs && ours.min(theirs) == 0
}

/// Whether two answers are the same but for what hickory is known not to say; None for every other difference.
fn compare(ask: &Ask, ours: &Answer<Data>, theirs: &Answer<Data>, took: Duration) -> Option<&'static str> {
    if ours == theirs {
        return Some(SAME);
    }
    match (ours, theirs) {
        // The resolver's cache counts down between the two.
        (Observed::Seen(ours), Observed::Seen(theirs)) => {
            let close = is_own_alias(ask, ours.ttl, theirs.ttl)
                || u64::from(ours.ttl.abs_diff(theirs.ttl)) <= took.as_secs() + 1;
            let same =
                (&ours.values, &ours.aliases, ours.authentic) == (&theirs.values, &theirs.aliases, theirs.authentic);
            (close && same).then_some(SAME)
        }
        // It looks for an SOA record above the name that was asked for, and the target is elsewhere.
        (Observed::Seen(ours), Observed::Absent(theirs)) => {
            let lost = ask.question.kind == RecordType::Soa && !ours.aliases.is_empty();
            let bare = theirs.how == Denial::Nodata && theirs.zone.is_none() && theirs.aliases.is_empty();
            (lost && bare).then_some(SOA_LOST)
        }
        // It asks again for the end of the chain, and hands out what came of that.
        (Observed::Absent(ours), Observed::Absent(theirs)) => {
            let lost = !ours.aliases.is_empty() && theirs.aliases.is_empty();
            if lost && ours.how == theirs.how && ours.zone == theirs.zone {
                return Some(CHAIN_LOST);
            }
            // Its own limit is on what it asks, not on what one reply holds.
            let long = ours.how == Denial::AliasLoop && ours.aliases.len() == 8 && theirs.how != Denial::AliasLoop;
            (lost && long).then_some(ALL_LINKS)
        }
        // Of a code that is no success it keeps the code.
        (Observed::Failed(ours), Observed::Failed(theirs)) => {
            let what = if ours.detail.is_none() { SAME } else { NO_DETAIL };
            // How it went about it, only the engine says.
            (ours.cause == theirs.cause && theirs.detail.is_none()).then_some(what)
        }
        _ => None,
    }
}
