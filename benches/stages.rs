//! What each stage costs: reading a record, judging a target, writing a row. The evidence is a scan of the lab's.
//! Whole scans are measured by `scripts/bench scan`: here the few servers that answer late would be all there is to see.

use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use clap::Parser as _;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mxcensus::cli::{Cli, Command};
use mxcensus::config::{self, Meant};
use mxcensus::input::{Options, Source};
use mxcensus::judge::{self, Policy};
use mxcensus::lab::{Lab, Settings};
use mxcensus::model::assessment::Judged;
use mxcensus::model::dnsbl::Health;
use mxcensus::model::name::Name;
use mxcensus::model::target::{Subject, Target};
use mxcensus::output::{self, Ending, Format};
use mxcensus::probe::{Prober, dns};
use tokio::runtime::Runtime;

/// Targets whose evidence is judged and written.
const TARGETS: u64 = 1_000;

async fn meant() -> Meant {
    let words = ["mxcensus", "scan", "--lab"];
    let Command::Scan(args) = Cli::try_parse_from(words).expect("the words are options of scan").command else {
        unreachable!("the command is scan")
    };
    let lab = Lab::start(Settings::new(1, TARGETS)).await.expect("the lab starts on loopback");
    config::scan_in(*args, Some(lab)).expect("the options can be meant")
}

/// The lab's domains, judged, and what they were judged by.
async fn judged() -> (Vec<Judged>, Policy) {
    let Meant { job, lab, .. } = meant().await;
    let lab = lab.expect("the lab was given");
    let policy = Policy {
        profile: job.profile,
        naming: job.probe.naming,
        allowed: job.probe.allowed.clone(),
        lists: Arc::clone(&job.probe.lists),
        health: vec![Health::Healthy; job.probe.lists.len()],
        quorum: job.quorum,
    };
    let engine = dns::Engine::start(job.dns).await.expect("loopback has free ports");
    let prober = Prober::new(engine, job.probe);
    let mut judged = Vec::new();
    for (text, sequence) in lab.targets().zip(0..) {
        let Ok(name) = Name::parse(&text) else { continue };
        let subject = Subject::Domain(name);
        let target = Target {
            sequence,
            line: None,
            text: text.into(),
            subject,
            from_network: false,
            excluded: false,
            unstable: false,
        };
        judged.push(judge::assess(prober.settle(prober.gather(target).await), &policy));
    }
    (judged, policy)
}

fn stages(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the system can start threads");
    let (judged, policy) = runtime.block_on(judged());

    let mut group = criterion.benchmark_group("stages");
    let list: Vec<String> =
        (0..100_000).map(|number| format!("{number},\"domain-{number}.example.org\",more")).collect();
    let list = list.join("\n");
    group.throughput(Throughput::Elements(100_000));
    group.bench_function("input, records of CSV", |bench| {
        let options = Options { column: Some("2".to_owned()), helo_column: None };
        bench.iter_batched(
            || Cursor::new(list.clone()),
            |bytes| Source::reader("list", bytes, &options).expect("the column is there").map(black_box).count(),
            BatchSize::LargeInput,
        );
    });

    group.throughput(Throughput::Elements(judged.len() as u64));
    group.bench_function("judge, targets", |bench| {
        bench.iter_batched(
            || judged.iter().map(|judged| judged.evidence.clone()).collect::<Vec<_>>(),
            |evidence| evidence.into_iter().map(|one| judge::assess(one, &policy).rows.len()).sum::<usize>(),
            BatchSize::LargeInput,
        );
    });

    let rows = judged.iter().map(|judged| judged.rows.len() as u64).sum();
    group.throughput(Throughput::Elements(rows));
    for format in Format::ALL {
        group.bench_function(format!("output, rows of {format}"), |bench| {
            bench.iter(|| {
                let options = output::Options { format: Some(*format), csv_raw: false };
                let mut sink = output::open(Some(Path::new("/dev/null")), &options).expect("/dev/null takes all");
                for row in judged.iter().flat_map(Judged::rows) {
                    sink.write(row).expect("/dev/null takes all");
                }
                sink.finish(Ending::Complete).expect("/dev/null takes all");
            });
        });
    }

    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
