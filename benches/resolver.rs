//! What a DNS lookup costs: the engine and hickory against a responder on loopback that answers at once.

use std::hint::black_box;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mxcensus::model::dns::{Question, RecordType};
use mxcensus::model::name::Name;
use mxcensus::probe::dns::{Engine, Hickory, Lookup, Settings};

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
            // Behind the header, the name and its root label, type and class.
            let name = buffer.iter().skip(12).take_while(|byte| **byte != 0).count();
            let mut reply: Vec<u8> = buffer.iter().take(length.min(12 + name + 5)).copied().collect();
            reply.splice(2..12, [0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0]);
            for preference in [10, 20] {
                reply.extend([0xC0, 12, 0, 15, 0, 1, 0, 0, 1, 44, 0, 7, 0, preference, 2, b'm', b'x', 0xC0, 12]);
            }
            if socket.send_to(&reply, peer).is_err() {
                return;
            }
        }
    });
    address
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

criterion_group!(benches, lookups);
criterion_main!(benches);
