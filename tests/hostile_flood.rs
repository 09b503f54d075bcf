//! The DNS engine in a flood of forged replies that come from the right address and port, 100,000 in a second.
//! It is alone in its process: the memory that is measured is the engine's, and nothing competes with it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panic, also in its own functions"
)]

use std::collections::VecDeque;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use mxcensus::model::dns::{Data, Question, RecordType};
use mxcensus::model::name::Name;
use mxcensus::probe::dns::{Engine, Lookup as _, Settings};
use rand::Rng as _;

/// Forged replies in a second.
const RATE: f64 = 100_000.0;
/// So long an honest reply takes: the forger always comes first.
const DELAY: Duration = Duration::from_millis(10);
/// Lookups at a time.
const CROWD: usize = 40;
const FORGED: [u8; 4] = [192, 0, 2, 66];

/// A query, and where it came from.
type Query = (Vec<u8>, SocketAddr);

/// A name server, and a forger who sees its queries.
struct Server {
    address: SocketAddr,
    /// What the forger goes by: the latest queries.
    latest: Mutex<VecDeque<Query>>,
    forged: AtomicU64,
    over: AtomicBool,
}

/// The query as a reply with this address.
fn reply(query: &[u8], address: [u8; 4]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
    let mut bytes = query[..end].to_vec();
    bytes[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0xC0, 12, 0, 1, 0, 1, 0, 0, 1, 0x2C, 0, 4]);
    bytes.extend_from_slice(&address);
    bytes
}

/// The honest address is the number in front of the name: `x12345.…`.
fn honest(query: &[u8]) -> Vec<u8> {
    let label = str::from_utf8(&query[14..13 + usize::from(query[12])]).unwrap();
    let [high, low] = label.parse::<u16>().unwrap().to_be_bytes();
    reply(query, [10, 0, high, low])
}

impl Server {
    fn start() -> Arc<Self> {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        };
        udp.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let server = Arc::new(Self {
            address: udp.local_addr().unwrap(),
            latest: Mutex::default(),
            forged: AtomicU64::new(0),
            over: AtomicBool::new(false),
        });
        let (due, waiting) = mpsc::channel::<(Instant, Query)>();
        let [hears, answers, forges] = [(); 3].map(|()| (Arc::clone(&server), udp.try_clone().unwrap()));
        thread::spawn(move || hears.0.hear(&hears.1, &due));
        thread::spawn(move || {
            for (at, (query, peer)) in waiting {
                thread::sleep(at.saturating_duration_since(Instant::now()));
                drop(answers.1.send_to(&honest(&query), peer));
            }
        });
        thread::spawn(move || forges.0.forge(&forges.1));
        thread::spawn(move || {
            for stream in tcp.incoming() {
                thread::spawn(move || drop(converse(stream.unwrap())));
            }
        });
        server
    }

    fn hear(&self, udp: &UdpSocket, due: &mpsc::Sender<(Instant, Query)>) {
        let mut buffer = [0; 512];
        while !self.over.load(Relaxed) {
            let Ok((length, peer)) = udp.recv_from(&mut buffer) else { continue };
            let query = (buffer[..length].to_vec(), peer);
            due.send((Instant::now() + DELAY, query.clone())).unwrap();
            let mut latest = self.latest.lock().unwrap();
            latest.push_front(query);
            latest.truncate(CROWD);
        }
    }

    /// Sends what is nearly the reply to the latest queries, again and again.
    fn forge(&self, udp: &UdpSocket) {
        let mut random = rand::rng();
        let mut due = 0.0;
        let mut last = Instant::now();
        while !self.over.load(Relaxed) {
            thread::sleep(Duration::from_millis(1));
            // What a busy machine has kept from being sent in time is not made up for.
            due = (due + RATE * last.elapsed().as_secs_f64()).min(RATE / 100.0);
            last = Instant::now();
            let latest: Vec<Query> = self.latest.lock().unwrap().iter().cloned().collect();
            while due >= 1.0 && !latest.is_empty() {
                let (query, peer) = &latest[random.random_range(0..latest.len())];
                let mut bytes = reply(query, FORGED);
                match random.random_range(0..3) {
                    // He knows all but the case of one letter,
                    0 => bytes[12 + 8] ^= 0x20,
                    // all but one bit of the id,
                    1 => bytes[1] ^= 1,
                    // or has to guess both.
                    _ => {
                        bytes[..2].copy_from_slice(&random.random::<[u8; 2]>());
                        bytes[12..12 + 40].make_ascii_lowercase();
                    }
                }
                due -= 1.0;
                if udp.send_to(&bytes, peer).is_ok() {
                    self.forged.fetch_add(1, Relaxed);
                }
            }
        }
    }
}

fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        let reply = honest(&query);
        let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
        stream.write_all(&[length.as_slice(), &reply].concat())?;
    }
}

/// What this process holds in memory, in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Asks for the next number's address; gives how long it took.
async fn ask(engine: &Engine, number: u16) -> Duration {
    // So many letters are never all drawn in lower case.
    let text = format!("x{number:05}.in-a-flood-of-forged-replies.example");
    let question = Question { name: Name::parse(&text).unwrap(), kind: RecordType::A };
    let begun = Instant::now();
    let answer = tokio::time::timeout(Duration::from_secs(60), engine.lookup(&question)).await;
    let answer = answer.unwrap_or_else(|_| panic!("the lookup of {text} hangs"));
    let [high, low] = number.to_be_bytes();
    let expected = [Data::A([10, 0, high, low].into())];
    assert!(answer.seen().is_some_and(|records| records.values == expected), "{text}: {answer:?}");
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lookup_gets_its_honest_answer_and_memory_stays_flat() {
    const ENOUGH: u64 = 200_000;
    let server = Server::start();
    let timeout = Duration::from_secs(5);
    let settings = Settings { upstreams: vec![server.address.into()], timeout, tries: 5, ..Settings::default() };
    let engine = Arc::new(Engine::start(settings).await.unwrap());
    let next = Arc::new(AtomicU16::new(0));
    let begun = Instant::now();
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let (server, engine, next) = (Arc::clone(&server), Arc::clone(&engine), Arc::clone(&next));
            tokio::spawn(async move {
                let mut slowest = Duration::ZERO;
                // On a machine that has other things to do the flood is thinner, and lasts longer.
                while server.forged.load(Relaxed) < ENOUGH
                    && begun.elapsed() < Duration::from_secs(20)
                    && next.load(Relaxed) < u16::MAX - 100
                {
                    slowest = slowest.max(ask(&engine, next.fetch_add(1, Relaxed)).await);
                }
                slowest
            })
        })
        .collect();
    while server.forged.load(Relaxed) < ENOUGH / 4 && begun.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let early = resident();
    let mut slowest = Duration::ZERO;
    for lookups in crowd {
        slowest = slowest.max(lookups.await.unwrap());
    }
    let late = resident();
    let (stats, forged) = (engine.stats(), server.forged.load(Relaxed));
    let seen =
        format!("{forged} forged in {:?}, slowest {slowest:?}, {early} to {late} KiB, {stats:?}", begun.elapsed());
    println!("{seen}");
    assert!(forged >= ENOUGH / 2, "no flood: {seen}");
    assert!(stats.ignored + stats.wrong_case >= ENOUGH / 20, "it never reached the engine: {seen}");
    assert_eq!(stats.seen, u64::from(next.load(Relaxed)), "{seen}");
    assert!(stats.seen >= 200, "{seen}");
    // All tries and a connection, and air for a busy machine.
    assert!(slowest < Duration::from_secs(20), "{seen}");
    // Sixteen octets held of each forged reply would add up to more than that.
    assert!(late < early + 2 * 1024, "{seen}");
    server.over.store(true, Relaxed);
}
