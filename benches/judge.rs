//! What judging costs: the class of a name, the score of a reverse name, a greeting, a row of verdicts.
//! The evidence is a scan of the lab's, so every way to be misconfigured is in it.

mod lab;

use std::hint::black_box;
use std::net::IpAddr;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mxcensus::judge::{self, Policy, generic};
use mxcensus::model::assessment::Judged;
use mxcensus::model::evidence::Evidence;
use mxcensus::model::introduction::Naming;
use mxcensus::model::name::Name;
use mxcensus::model::words::Overall;
use mxcensus::probe::smtp::{greeting, reply};
use rayon::ThreadPoolBuilder;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// Targets whose evidence is judged.
const TARGETS: u64 = 1_000;

fn names(criterion: &mut Criterion) {
    let naming = Naming::built_in();
    let mut group = criterion.benchmark_group("names");
    for text in ["mail-out2.dept.example-isp.co.uk", "MX.ietf.org", "EXCH01.corp.local", "WIN-7Q2KD8FA1", "mx.xn--p1ai"]
    {
        group.bench_function(format!("class of {text}"), |bench| {
            bench.iter(|| naming.classify(black_box(text.as_bytes())));
        });
    }
    let name = |text: &str| Name::parse(text).expect("a name");
    let (one, other) = (name("mail-out2.dept.example-isp.co.uk"), name("mx.example-isp.co.uk"));
    group.bench_function("same organisation", |bench| {
        bench.iter(|| naming.same_organisation(black_box(&one), black_box(&other)));
    });
    for (text, address) in [
        ("203-0-113-45.dyn.example-isp.co.uk", "203.0.113.45"),
        ("lns-vlq-11-203-0-113-45.adsl.isp.net", "203.0.113.45"),
        ("mail-out2.dept.example-isp.co.uk", "203.0.113.45"),
        ("2001-db8-1-2-3-4-5-6.dyn.isp.net", "2001:db8:1:2:3:4:5:6"),
    ] {
        let (name, address): (Name, IpAddr) = (name(text), address.parse().expect("an address"));
        group.bench_function(format!("score of {text}"), |bench| {
            bench.iter(|| generic::classify(black_box(&name), black_box(address), naming));
        });
    }
    group.finish();
}

fn greetings(criterion: &mut Criterion) {
    let naming = Naming::built_in();
    let own: Option<IpAddr> = Some([203, 0, 113, 9].into());
    let mut group = criterion.benchmark_group("greetings");
    for (what, bytes) in [
        ("one line", b"220 mail-out2.dept.example-isp.co.uk ESMTP Postfix (Debian/GNU)\r\n".as_slice()),
        (
            "three lines",
            b"220-host7.ietf.org ESMTP Exim 4.98 #2 Mon, 01 Jul 2024 10:00:00 +0000\r\n\
              220-We do not authorize the use of this system to transport unsolicited,\r\n220 and/or bulk e-mail.\r\n",
        ),
        ("a refusal", b"554-mx.ietf.org ESMTP not accepting messages\r\n554 [203.0.113.9] is on a block list\r\n"),
    ] {
        group.bench_function(format!("bytes of {what}"), |bench| bench.iter(|| reply::read(black_box(bytes))));
        let read = reply::read(bytes);
        group.bench_function(format!("greeting of {what}"), |bench| {
            bench.iter(|| greeting::read(black_box(&read), own, naming));
        });
    }
    group.finish();
}

/// Hands the result back: what it costs to forget it is not the judge's.
fn judged(evidence: Vec<Evidence>, policy: &Policy) -> Vec<Judged> {
    evidence.into_iter().map(|one| judge::assess(one, policy)).collect()
}

fn rows(criterion: &mut Criterion) {
    let (evidence, policy) = lab::evidence(TARGETS);
    let all = judged(evidence.clone(), &policy);
    let good =
        |judged: &&Judged| judged.rows.len() == 1 && judged.rows.iter().all(|row| row.overall == Overall::Conformant);
    let good = all.iter().find(good).expect("the lab has a good server").evidence.clone();
    let count: usize = all.iter().map(|judged| judged.rows.len()).sum();

    let mut group = criterion.benchmark_group("judge");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a row of a good server", |bench| {
        bench.iter_batched(|| vec![good.clone()], |one| judged(one, &policy), BatchSize::SmallInput);
    });
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("rows of the lab", |bench| {
        bench.iter_batched(|| evidence.clone(), |evidence| judged(evidence, &policy), BatchSize::LargeInput);
    });
    for threads in [1, 2] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("the system can start threads");
        group.bench_function(format!("rows of the lab, rayon on {threads}"), |bench| {
            let rows = |evidence: Vec<Evidence>| {
                let judged = evidence.into_par_iter().map(|one| judge::assess(one, &policy));
                pool.install(|| judged.collect::<Vec<_>>())
            };
            bench.iter_batched(|| evidence.clone(), rows, BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, names, greetings, rows);
criterion_main!(benches);
