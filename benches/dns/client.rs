//! Many lookups by a fixed number of tasks, as a scan makes them.
//! Comes in: a resolver, how many lookups, how many at a time, and which implementation. Goes out: what they came to, how
//! fast, and at what cost to this process.
//! The names are generated: no time goes into reading them.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use mxcensus::model::dns::{Question, RecordType};
use mxcensus::model::name::Name;
use mxcensus::model::observed::Observed;
use mxcensus::probe::budget::Pace;
use mxcensus::probe::dns::{Engine, Hickory, Lookup, Settings};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

/// What to ask, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The resolver to ask
    #[arg(long)]
    resolver: SocketAddr,
    /// How many names there are: h0000000.zone.test and on; after the last comes the first again
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    names: u64,
    /// Lookups in all
    #[arg(long, default_value_t = 600_000)]
    lookups: u64,
    /// Of which so many are in flight at a time
    #[arg(long, default_value_t = 1000)]
    in_flight: usize,
    /// Which implementation makes them
    #[arg(long, value_enum, default_value_t = With::Engine)]
    with: With,
    /// Threads of the runtime
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Queries a second at most, engine alone; 0 is unlimited
    #[arg(long, default_value_t = 0.0)]
    rate: f64,
    /// Patience for one lookup, in seconds; hickory has it for one packet
    #[arg(long, default_value_t = 5.0)]
    timeout: f64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum With {
    /// The resolver of the hot path
    Engine,
    /// The second implementation
    Hickory,
}

/// What lookups came to.
#[derive(Debug, Default)]
struct Tally {
    seen: u64,
    absent: u64,
    failed: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.seen += other.seen;
        self.absent += other.absent;
        for (cause, count) in other.failed {
            *self.failed.entry(cause).or_default() += count;
        }
    }
}

/// Makes the lookups; the line says what came of it.
pub(crate) fn run(options: &Options) -> String {
    // hickory opens a socket for every query.
    rlimit::increase_nofile_limit(u64::MAX).expect("the soft limit may be raised to the hard one");
    let runtime = match options.threads {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        threads => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    };
    let runtime = runtime.expect("the system can start threads and an epoll");
    let timeout = Duration::from_secs_f64(options.timeout);
    match options.with {
        With::Engine => {
            let settings = Settings {
                upstreams: vec![options.resolver.into()],
                timeout,
                in_flight: options.in_flight,
                pace: Arc::new(Pace::per_second(options.rate)),
                ..Settings::default()
            };
            let engine = Arc::new(runtime.block_on(Engine::start(settings)).expect("the resolver can be reached"));
            let asked = Arc::clone(&engine);
            measure(&runtime, &asked, options, || Some(engine.stats().sent))
        }
        With::Hickory => {
            let hickory = runtime.block_on(async { Hickory::new(&[options.resolver], timeout) });
            measure(&runtime, &Arc::new(hickory.expect("it is well set")), options, || None)
        }
    }
}

fn measure<L: Lookup>(
    runtime: &Runtime,
    resolver: &Arc<L>,
    options: &Options,
    sent: impl Fn() -> Option<u64>,
) -> String {
    let (began, before) = (Instant::now(), Cpu::now());
    let tally = runtime.block_on(crowd(resolver, options));
    let (took, after) = (began.elapsed().as_secs_f64(), Cpu::now());
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
    let each = |amount: u64| round(amount as f64 / options.lookups as f64);
    let (user, system) = (after.user - before.user, after.system - before.system);
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are far below 2^52")]
    let per_second = round(options.lookups as f64 / took);
    json!({
        "with": format!("{:?}", options.with).to_lowercase(),
        "lookups": options.lookups,
        "in_flight": options.in_flight,
        "threads": options.threads,
        "seconds": round(took),
        "per_second": per_second,
        "cpu_us": each(after.all - before.all),
        "user_us": each(user),
        "system_us": each(system),
        "answered": each(tally.seen),
        "seen": tally.seen,
        "absent": tally.absent,
        "failed": tally.failed.values().sum::<u64>(),
        "causes": tally.failed,
        "sent": sent(),
        "sent_per_lookup": sent().map(each),
        "peak_rss_mb": peak_memory(),
    })
    .to_string()
}

/// As many tasks as lookups may be in flight, each taking the next number.
async fn crowd<L: Lookup>(resolver: &Arc<L>, options: &Options) -> Tally {
    let next = Arc::new(AtomicU64::new(0));
    let (lookups, names) = (options.lookups, options.names);
    let tasks: Vec<_> = (0..options.in_flight.max(1))
        .map(|_| {
            let (resolver, next) = (Arc::clone(resolver), Arc::clone(&next));
            tokio::spawn(async move {
                let mut tally = Tally::default();
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= lookups {
                        return tally;
                    }
                    let name = Name::trusted(format!("h{:07}.zone.test", number % names));
                    match resolver.lookup(&Question { name, kind: RecordType::A }).await {
                        Observed::Seen(_) => tally.seen += 1,
                        Observed::Absent(_) => tally.absent += 1,
                        Observed::Failed(failure) => *tally.failed.entry(failure.cause.as_str()).or_default() += 1,
                        Observed::NotAsked(cause) => *tally.failed.entry(cause.as_str()).or_default() += 1,
                    }
                }
            })
        })
        .collect();
    let mut all = Tally::default();
    for task in tasks {
        all.add(task.await.expect("a task ends without a panic"));
    }
    all
}

/// CPU time of this process in microseconds: exactly in all, and its two parts as coarsely as the kernel tells them.
#[derive(Debug, Clone, Copy)]
struct Cpu {
    all: u64,
    user: u64,
    system: u64,
}

impl Cpu {
    fn now() -> Self {
        /// Linux counts in hundredths of a second wherever it matters.
        const TICK: u64 = 10_000;
        let stat = fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
        // The name of the program may hold spaces; behind its parenthesis utime and stime are the 12th and 13th field.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut times = fields.split_whitespace().skip(11).map(|field| field.parse::<u64>().unwrap_or_default() * TICK);
        let (user, system) = (times.next().unwrap_or_default(), times.next().unwrap_or_default());
        // Threads that have ended are missing; the runtime's all live.
        let threads = fs::read_dir("/proc/self/task").expect("/proc is mounted");
        let nanoseconds = threads.filter_map(|thread| {
            let running = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            running.split_whitespace().next()?.parse::<u64>().ok()
        });
        let all = nanoseconds.sum::<u64>() / 1000;
        Self { all: if all > 0 { all } else { user + system }, user, system }
    }
}

/// The most memory this process ever held, in MiB.
fn peak_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default();
    round(kib / 1024.0)
}

/// To thousandths: what is printed, is read.
fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
