//! What reading a record and writing a row cost. The evidence is a scan of the lab's.
//! Whole scans are measured by `scripts/bench scan`: here the few servers that answer late would be all there is to see.

mod lab;

use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use mxcensus::input::{Options, Source};
use mxcensus::judge;
use mxcensus::model::assessment::Judged;
use mxcensus::output::{self, Ending, Format};

/// Targets whose rows are written.
const TARGETS: u64 = 1_000;

fn stages(criterion: &mut Criterion) {
    let (evidence, policy) = lab::evidence(TARGETS);
    let judged: Vec<Judged> = evidence.into_iter().map(|one| judge::assess(one, &policy)).collect();

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
