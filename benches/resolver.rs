//! What a DNS lookup costs, whole and in its parts, each beside hickory: writing a query, knowing the reply, reading it, finding
//! an answer in memory, and lookups against a responder on loopback that answers at once.

use std::hint::black_box;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ProtocolConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr;
use mxcensus::model::dns::{Question, RecordType};
use mxcensus::model::name::Name;
use mxcensus::probe::dns::{Cache, Engine, Hickory, Lookup, Settings, Zone, hooks};

/// Lookups of one measurement.
const LOOKUPS: usize = 2000;
/// Of which this many are in flight at a time.
const IN_FLIGHT: usize = 200;

/// Answers every question with two MX records.
fn responder() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    // The usual buffer holds less than a burst of so many queries, and a lost one costs a second and a half.
    let wide = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    wide.expect("a buffer may be asked for");
    let address = socket.local_addr().expect("the socket is bound");
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 1500];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            let reply = reply_to(buffer.get(..length).unwrap_or_default());
            if socket.send_to(&reply, peer).is_err() {
                return;
            }
        }
    });
    address
}

fn question() -> Question {
    Question { name: Name::trusted("mail-out.dept.example.org".into()), kind: RecordType::Mx }
}

/// A reply of two MX records to a query, as the responder gives it.
fn reply_to(query: &[u8]) -> Vec<u8> {
    // Behind the header, the name and its root label, type and class.
    let name = query.iter().skip(12).take_while(|byte| **byte != 0).count();
    let mut reply: Vec<u8> = query.iter().take(12 + name + 5).copied().collect();
    reply.splice(2..12, [0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0]);
    for preference in [10, 20] {
        reply.extend([0xC0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 7, 0, preference, 2, b'm', b'x', 0xC0, 12]);
    }
    reply
}

fn parts(criterion: &mut Criterion) {
    let question = question();
    let mut query = Vec::new();
    assert!(hooks::write_query(&mut query, 7, &question));
    let reply = reply_to(&query);
    assert!(hooks::is_reply(&reply, &query) && hooks::decode(&reply, &question).is_some());

    let mut group = criterion.benchmark_group("encode");
    group.bench_function("engine", |bencher| {
        let mut packet = Vec::with_capacity(512);
        bencher.iter(|| {
            packet.clear();
            hooks::write_query(black_box(&mut packet), 7, black_box(&question))
        });
    });
    group.bench_function("hickory", |bencher| {
        let name = rr::Name::from_ascii("mail-out.dept.example.org.").expect("it is a name");
        bencher.iter(|| {
            let mut message = Message::query();
            message.add_query(Query::query(black_box(&name).clone(), rr::RecordType::MX));
            message.to_vec().expect("a query can be written")
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("match");
    group.bench_function("engine", |bencher| bencher.iter(|| hooks::is_reply(black_box(&reply), black_box(&query))));
    group.bench_function("hickory", |bencher| {
        // It compares what it has decoded.
        let asked = Message::from_vec(&query).expect("our query can be read");
        bencher.iter(|| {
            let reply = Message::from_vec(black_box(&reply)).expect("the reply can be read");
            reply.metadata.id == asked.metadata.id && reply.queries == asked.queries
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("decode");
    group.bench_function("engine", |bencher| bencher.iter(|| hooks::decode(black_box(&reply), black_box(&question))));
    group.bench_function("hickory", |bencher| bencher.iter(|| Message::from_vec(black_box(&reply))));
    group.finish();
}

/// A resolver with a memory, all of hickory's.
fn remembering(address: SocketAddr) -> TokioResolver {
    let mut connection = ConnectionConfig::new(ProtocolConfig::Udp);
    connection.port = address.port();
    let server = NameServerConfig::new(address.ip(), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.build().expect("it is well set")
}

/// Entries of a memory that is weighed.
const ENTRIES: u32 = 100_000;

#[expect(clippy::print_stdout, reason = "criterion has no figure for bytes")]
fn cache(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let question = question();
    let cache = Cache::new(
        Zone::parse("mail-out.dept.example.org MX 10 mx.example.org").expect("a zone"),
        1 << 20,
        Duration::MAX,
    );
    let hickory = runtime.block_on(async { remembering(responder()) });
    let mut group = criterion.benchmark_group("cache hit");
    group.bench_function("ours", |bencher| bencher.iter(|| runtime.block_on(cache.ask(black_box(&question)))));
    group.bench_function("hickory", |bencher| {
        let name = rr::Name::from_ascii("mail-out.dept.example.org.").expect("it is a name");
        bencher.iter(|| {
            let found = runtime.block_on(hickory.lookup(black_box(&name).clone(), rr::RecordType::MX));
            found.expect("the responder has answered")
        });
    });
    group.finish();

    let zone = (0..ENTRIES).map(|number| format!("host-{number:06}.example.org MX 10 mx-{number:06}.example.org\n"));
    let cache = Cache::new(Zone::parse(&zone.collect::<String>()).expect("a zone"), 1 << 30, Duration::MAX);
    let before = resident();
    runtime.block_on(async {
        for number in 0..ENTRIES {
            let name = Name::trusted(format!("host-{number:06}.example.org"));
            cache.ask(&Question { name, kind: RecordType::Mx }).await;
        }
    });
    println!(
        "cache: {} bytes an entry, of a name of 23 characters and one MX record",
        (resident() - before) / u64::from(ENTRIES)
    );
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells it");
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kib * 1024
}

async fn crowd<L: Lookup>(resolver: Arc<L>) {
    let workers: Vec<_> = (0..IN_FLIGHT)
        .map(|worker| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move {
                for number in 0..LOOKUPS / IN_FLIGHT {
                    let name = Name::trusted(format!("host-{worker}-{number}.example.org"));
                    let answer = resolver.lookup(&Question { name, kind: RecordType::Mx }).await;
                    assert!(answer.seen().is_some(), "{answer:?}");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker ends without a panic");
    }
}

fn lookups(criterion: &mut Criterion) {
    let address = responder();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let settings = Settings { upstreams: vec![address.into()], ..Settings::default() };
    let engine = Arc::new(runtime.block_on(Engine::start(settings)).expect("loopback can be reached"));
    let hickory =
        runtime.block_on(async { Arc::new(Hickory::new(&[address], Duration::from_secs(5)).expect("it is well set")) });
    let mut group = criterion.benchmark_group("lookup");
    group.sample_size(20).throughput(Throughput::Elements(LOOKUPS as u64));
    group.bench_function("engine", |bencher| bencher.iter(|| runtime.block_on(crowd(Arc::clone(&engine)))));
    group.bench_function("hickory", |bencher| bencher.iter(|| runtime.block_on(crowd(Arc::clone(&hickory)))));
    group.throughput(Throughput::Elements(1));
    group.bench_function("engine, one at a time", |bencher| {
        let question = Question { name: Name::trusted("host.example.org".into()), kind: RecordType::Mx };
        bencher.iter(|| black_box(runtime.block_on(engine.lookup(&question))));
    });
    group.finish();
    let stats = engine.stats();
    assert_eq!(stats.sent, stats.answered, "the figures hold no waiting for lost packets");
}

criterion_group!(benches, parts, cache, lookups);
criterion_main!(benches);
