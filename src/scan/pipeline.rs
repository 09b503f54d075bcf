//! Reader, crew, writer, and the bounded channels between them.
//! Comes in: opened sources, a prober, a policy, a sink. Goes out: written rows and their tally.
//! Long-lived workers pull targets; there is no task per target. What was gathered is held until its blocklists have
//! passed a test, and then judged. What the writer cannot take holds the judges, then the workers, then the reader.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::Error;
use super::deferred::Deferred;
use super::fitness::Fit;
use super::hold::Hold;
use super::journal::Journal;
use super::judges::{Judge, judges};
use super::metrics::Metrics;
use super::outage::Outage;
use super::progress::{Counts, InFlight, Progress, Show, Total, Watched};
use super::reader::{Inputs, Reader, TOLD, Work};
use super::settled::{Passed, Settled};
use super::stop::{Level, Stop};
use super::worker::{self, Worker};
use super::writer::Writer;
use crate::input::{self, Source};
use crate::judge::policy::Policy;
use crate::model::assessment::Judged;
use crate::output::{self, Evidences, Sink, manifest};
use crate::plan::{self, Planner};
use crate::probe::dns::Lookup;
use crate::probe::{Again, Prober};
use crate::report::tally::Tally;

/// What the pipeline is made of.
pub(super) struct Parts<L> {
    pub(super) targets: Vec<String>,
    pub(super) sources: Vec<Source>,
    /// The number of targets, where it is known beforehand.
    pub(super) known: Option<u64>,
    /// How many there may be.
    pub(super) fit: Fit,
    pub(super) plan: plan::Settings,
    pub(super) prober: Arc<Prober<L>>,
    pub(super) policy: Arc<Policy>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) evidence: Option<Evidences>,
    pub(super) rejects: Option<PathBuf>,
    /// What an interrupted run of the same output has settled, and counted.
    pub(super) settled: Settled,
    pub(super) passed: Arc<Passed>,
    pub(super) tally: Arc<Mutex<Tally>>,
    pub(super) journal: Option<Journal>,
    pub(super) concurrency: usize,
    /// How many gathered targets may wait for a test of their blocklists.
    pub(super) hold: usize,
    /// Later passes, and where targets wait that are put aside.
    pub(super) again: Again,
    pub(super) scratch: PathBuf,
    pub(super) in_order: bool,
    pub(super) metrics: Metrics,
    pub(super) show: Show,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    pub(super) counts: Arc<Counts>,
    pub(super) stop: Stop,
}

/// What came of it.
pub(super) struct Done {
    /// Every record has its rows or its reject.
    pub(super) complete: bool,
    /// What is written and counted, and lacks its end.
    pub(super) written: Writer,
    /// The inputs that were read to their end, in their order.
    pub(super) inputs: Vec<manifest::Source>,
}

/// The least that may wait behind a straggler in input order: fewer would have the blocklists tested at every turn.
const WINDOW: usize = 2_048;
/// Judged targets on their way to the writer: more than come while it lets them gather.
const ROWS: usize = 1_024;
/// How long a run that was stopped waits for its reader.
const PARTING: Duration = Duration::from_secs(1);

pub(super) async fn run<L: Lookup>(parts: Parts<L>) -> Result<Done, Error> {
    let Parts { prober, policy, stop, counts, concurrency, .. } = parts;
    let workers = concurrency.max(1);
    let watched = Watched {
        counts: Arc::clone(&counts),
        failures: Arc::default(),
        in_flight: Arc::new(InFlight::new(workers)),
        total: Arc::new(total(&parts.sources, parts.known)),
    };
    let (failures, in_flight) = (Arc::clone(&watched.failures), Arc::clone(&watched.in_flight));
    let total = Arc::clone(&watched.total);
    let progress = Arc::new(Progress::new(if parts.quiet { Show::None } else { parts.show }, watched));
    let (give, take) = async_channel::bounded::<Work>(workers);
    let (rows_in, rows_out) = mpsc::channel::<(u64, Judged)>(ROWS);
    // In input order, a straggler holds back all that come after it: this is how many may wait behind it.
    let window = parts.in_order.then(|| Arc::new(Semaphore::new((workers * 4).max(WINDOW))));
    // Less than the window, so that a hold that fills is noticed before the window is used up.
    let room = if parts.in_order { parts.hold.min((workers * 2).max(WINDOW / 2)) } else { parts.hold };
    let hold = Arc::new(Hold::new(Arc::clone(&prober), room, Arc::clone(&counts), window.clone()));
    let judge = Judge { prober: Arc::clone(&prober), policy, failures, rows: rows_in };
    let after = parts.again.after;
    let passed = parts.journal.is_some().then(|| Arc::clone(&parts.passed));
    let deferred = Arc::new(Deferred::new(Arc::clone(&prober), parts.scratch, after, Arc::clone(&counts), passed));

    let reader = {
        let reader = Reader {
            planner: Planner::new(parts.plan),
            fit: parts.fit,
            settled: parts.settled,
            passed: parts.passed,
            aside: aside(Arc::clone(&deferred)),
            tell: told(parts.quiet, parts.verbose, parts.rejects.is_none()),
            rejects: parts.rejects.map(input::Rejects::new),
            counts: Arc::clone(&counts),
            total,
            give,
            window: window.clone(),
            runtime: tokio::runtime::Handle::current(),
            stop: stop.clone(),
            progress: Arc::clone(&progress),
            next: 0,
        };
        let inputs = (parts.targets, parts.sources);
        read(reader, inputs, stop.clone(), Arc::clone(&deferred))?
    };
    let writer = {
        let window = window.clone();
        let (sink, evidence) = (parts.sink, parts.evidence);
        write(
            Writer {
                sink,
                evidence,
                counts: Arc::clone(&counts),
                window,
                tally: parts.tally,
                journal: parts.journal,
                runtime: tokio::runtime::Handle::current(),
            },
            rows_out,
            parts.in_order,
            stop.clone(),
        )?
    };

    let behind = judges(&judge, Arc::clone(&hold), workers);
    let (back, returned) = async_channel::bounded::<Work>(workers);
    let keeper = keeper(Arc::clone(&deferred), back, take.clone(), stop.clone());
    let outage = Arc::new(Outage::default());
    let worker = Worker {
        slot: 0,
        take: take.clone(),
        returned,
        in_flight,
        hold: Arc::clone(&hold),
        deferred: Arc::clone(&deferred),
        passes: parts.again.times.saturating_add(1),
        counts,
        outage: Arc::clone(&outage),
        stop: stop.clone(),
    };
    let crew = worker::crew(&worker, &judge, workers);
    drop(worker);
    let prober = Arc::clone(&judge.prober);
    drop(judge);

    let mut tasks = Tasks { keeper, crew, behind };
    let warn = || {
        let complaints = [prober.blocked(), parts.metrics.complaint()].into_iter().flatten();
        for warning in complaints.chain(outage.news()).filter(|_| !parts.quiet) {
            progress.say(&format!("warning: {warning}"));
        }
    };
    let (halted, kept) = tasks.over(&hold, &take, &progress, &warn, &stop).await;
    // Also of what has ended the run.
    warn();
    progress.finish();

    // Both threads end by themselves once nobody takes from the one or gives to the other.
    drop(take);
    if let Some(window) = window {
        window.close();
    }
    let cut_short = halted || deferred.is_cut_short();
    let done = end(reader, writer, cut_short, &stop).await?;
    kept.map_err(|source| Error::System { what: "read back the targets that were put aside", source })?;
    Ok(done)
}

/// Everything that runs beside the threads.
struct Tasks {
    keeper: JoinSet<std::io::Result<()>>,
    crew: JoinSet<()>,
    behind: JoinSet<()>,
}

impl Tasks {
    /// Waits until all are done, or the run is to be given up: whether it was, and what came of the keeper. `warn` is called at each
    /// tick.
    async fn over<L: Lookup>(
        &mut self,
        hold: &Hold<L>,
        take: &async_channel::Receiver<Work>,
        progress: &Progress,
        warn: impl Fn(),
        stop: &Stop,
    ) -> (bool, std::io::Result<()>) {
        let mut ticks = tokio::time::interval(progress.interval());
        ticks.tick().await;
        let mut draining = false;
        let mut kept = Ok(());
        let halted = loop {
            tokio::select! {
                Some(ended) = self.keeper.join_next() => kept = ended.expect("the keeper does not panic"),
                () = stop.reached(Level::Drain), if !draining => {
                    draining = true;
                    // What is queued is still done. The reader may wait for input that never comes: nobody waits for it.
                    take.close();
                }
                Some(worker) = self.crew.join_next() => {
                    worker.expect("a worker catches the panics of its probes and of the judge");
                    if self.crew.is_empty() {
                        hold.close();
                    }
                }
                ended = self.behind.join_next() => match ended {
                    Some(ended) => ended.expect("neither the hold nor a judge panics"),
                    None => break false,
                },
                _ = ticks.tick() => {
                    progress.tick();
                    warn();
                }
                () = stop.reached(Level::Halt) => break true,
            }
        };
        self.keeper.shutdown().await;
        self.crew.shutdown().await;
        self.behind.shutdown().await;
        (halted, kept)
    }
}

/// The thread that reads. What it cannot read ends the run, once all that it gave is through.
fn read<L: Lookup>(
    reader: Reader,
    (targets, sources): (Vec<String>, Vec<Source>),
    stop: Stop,
    deferred: Arc<Deferred<L>>,
) -> Result<oneshot::Receiver<Result<Inputs, Error>>, Error> {
    spawn("reader", move || {
        let read = reader.read(&targets, sources);
        if read.is_err() {
            stop.at_least(Level::Drain);
        }
        // It gives no more: maybe nothing is left.
        deferred.wake();
        read
    })
}

/// How the reader puts aside a target that an interrupted run has left to another pass.
fn aside<L: Lookup>(deferred: Arc<Deferred<L>>) -> Box<dyn Fn(Work) -> Option<Work> + Send> {
    Box::new(move |work| deferred.until_next_pass(work))
}

/// How many rejects are told on stderr; `nowhere_else`: no file takes them.
const fn told(quiet: bool, verbose: bool, nowhere_else: bool) -> u64 {
    match (quiet, verbose || nowhere_else) {
        (true, _) if nowhere_else => TOLD,
        (true, _) => 0,
        (false, true) => u64::MAX,
        (false, false) => TOLD,
    }
}

/// The thread that writes. A disk that takes no more ends the run at once.
fn write(
    writer: Writer,
    rows: mpsc::Receiver<(u64, Judged)>,
    in_order: bool,
    stop: Stop,
) -> Result<oneshot::Receiver<Result<Writer, output::Error>>, Error> {
    spawn("writer", move || {
        let written = writer.write(rows, in_order);
        if written.is_err() {
            stop.at_least(Level::Halt);
        }
        written
    })
}

/// Takes what the threads have to give, and ends the output.
async fn end(
    reader: oneshot::Receiver<Result<Inputs, Error>>,
    writer: oneshot::Receiver<Result<Writer, output::Error>>,
    cut_short: bool,
    stop: &Stop,
) -> Result<Done, Error> {
    let written = writer.await.expect("the writer does not panic")?;
    let read = tokio::select! {
        biased;
        read = reader => read.expect("the reader does not panic"),
        // Stopped, and still inside a read that may never return: it ends with the process.
        () = async { stop.reached(Level::Drain).await; tokio::time::sleep(PARTING).await } => Ok((Vec::new(), false)),
    };
    let complete = !cut_short && matches!(read, Ok((_, true)));
    let (inputs, _) = match read {
        Ok(read) => read,
        Err(error) => {
            // What was written is whole, and a run of a better input may go on from it.
            written.leave()?;
            return Err(error);
        }
    };
    Ok(Done { complete, written, inputs })
}

/// The size of what is to be done, as far as it is known beforehand.
fn total(sources: &[Source], known: Option<u64>) -> Total {
    let total = Total::default();
    let sizes: Option<u64> = sources.iter().map(|source| source.progress().bytes().1).sum();
    total.bytes.store(sizes.unwrap_or(0), Ordering::Relaxed);
    total.known.store(known.unwrap_or(0), Ordering::Relaxed);
    total
}

/// The keeper of what is put aside. What it cannot read back ends the run.
fn keeper<L: Lookup>(
    deferred: Arc<Deferred<L>>,
    back: async_channel::Sender<Work>,
    take: async_channel::Receiver<Work>,
    stop: Stop,
) -> JoinSet<std::io::Result<()>> {
    let mut keeper = JoinSet::new();
    keeper.spawn(async move {
        let kept = deferred.keep(back, || take.is_closed() && take.is_empty(), &stop).await;
        if kept.is_err() {
            stop.at_least(Level::Drain);
        }
        kept
    });
    keeper
}

/// A thread, and where its result comes out; nothing does when it panics.
pub(super) fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, Error> {
    let (give, take) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        // A run that was stopped may not wait for it any more.
        let _unwanted = give.send(work());
    });
    thread.map_err(|source| Error::System { what: "start a thread", source })?;
    Ok(take)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::progress::get;
    use super::*;
    use crate::model::address::Allowed;
    use crate::model::dns::{Answer, Data, Question};
    use crate::model::dnsbl::Quorum;
    use crate::model::introduction::Naming;
    use crate::model::name::Name;
    use crate::model::observed::Observed;
    use crate::model::words::{Cause, Profile};
    use crate::output::{Ending, Error as Failure};
    use crate::probe::dns::Zone;
    use crate::probe::{Families, Settings, Wanted, smtp};

    /// Fails with its first row, once so many targets are on their way.
    #[derive(Debug)]
    struct Full {
        counts: Arc<Counts>,
        after: u64,
    }

    impl Sink for Full {
        fn write(&mut self, _row: crate::model::assessment::Row<'_>) -> Result<(), Failure> {
            while get(&self.counts.taken) < self.after {
                thread::yield_now();
            }
            let source = std::io::Error::from_raw_os_error(28);
            Err(Failure::Io { operation: "write", path: PathBuf::from("out.csv"), source })
        }

        fn checkpoint(&mut self) -> Result<output::Checkpoint, Failure> {
            unreachable!("there is no journal")
        }

        fn finish(self: Box<Self>, _ending: Ending) -> Result<(), Failure> {
            Ok(())
        }
    }

    fn prober<L: Lookup>(lookup: L) -> Prober<L> {
        let naming = Naming::default();
        let limits = smtp::session::Limits::of(Profile::Census);
        let settings = Settings {
            wanted: Wanted { mx: true, ptr: false, smtp: false, dnsbl: false },
            families: Families { v4: true, v6: true },
            routed: Families { v4: true, v6: true },
            allowed: Allowed::new(Vec::new()),
            exclusions: Arc::default(),
            naming,
            caller: Arc::new(smtp::Caller { helo: Name::parse("a.example.org").unwrap(), tls: None, limits, naming }),
            lanes: 0,
            port: 25,
            endpoint: Arc::new(SocketAddr::new),
            lists: Vec::new().into(),
            terms: Vec::new(),
            ledger: None,
            smtp_rate: 0.0,
            sockets: 1,
            again: Again { times: 0, after: Duration::from_secs(1) },
            per_network: 0.0,
            per_provider: 0.0,
            dnsbl_rate: 0.0,
            memory: 1 << 20,
            scratch: std::env::temp_dir(),
        };
        Prober::new(lookup, settings)
    }

    fn parts<L: Lookup>(lookup: L, targets: usize, sink: Box<dyn Sink>, counts: &Arc<Counts>) -> Parts<L> {
        Parts {
            targets: (0..targets).map(|number| format!("host{number}.example.org")).collect(),
            sources: Vec::new(),
            known: None,
            fit: Fit::default(),
            plan: plan::Settings::default(),
            prober: Arc::new(prober(lookup)),
            policy: Arc::new(Policy {
                profile: Profile::Census,
                naming: Naming::default(),
                allowed: Allowed::new(Vec::new()),
                lists: Vec::new().into(),
                health: Vec::new(),
                quorum: Quorum { weight: 0.0, core: false },
                receivers: Vec::new(),
                history: Arc::default(),
            }),
            sink,
            evidence: None,
            rejects: None,
            settled: Settled::default(),
            passed: Arc::default(),
            tally: Arc::default(),
            journal: None,
            concurrency: 1,
            hold: 16,
            again: Again { times: 0, after: Duration::from_secs(1) },
            scratch: std::env::temp_dir(),
            in_order: true,
            metrics: Metrics::default(),
            show: Show::None,
            quiet: true,
            verbose: false,
            counts: Arc::clone(counts),
            stop: Stop::default(),
        }
    }

    /// Breaks down at one question, once.
    struct Breaks {
        zone: Zone,
        at: &'static str,
        broken: std::sync::atomic::AtomicBool,
    }

    impl Lookup for Breaks {
        async fn lookup(&self, question: &Question) -> Answer<Data> {
            let broken = question.name.as_str() == self.at && self.broken.swap(true, Ordering::Relaxed);
            assert!(broken || question.name.as_str() != self.at, "a fault of the probe's");
            self.zone.lookup(question).await
        }
    }

    /// Answers nothing until it was asked so often for the root.
    struct Away {
        zone: Zone,
        asks: std::sync::atomic::AtomicU32,
    }

    impl Lookup for Away {
        async fn lookup(&self, question: &Question) -> Answer<Data> {
            if question.name == Name::root() {
                self.asks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |asks| asks.checked_sub(1)).ok();
            }
            if self.is_cut_off() { Observed::failed(Cause::ResolverDown) } else { self.zone.lookup(question).await }
        }

        fn is_cut_off(&self) -> bool {
            self.asks.load(Ordering::Relaxed) > 0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_target_is_begun_while_no_resolver_answers_and_the_run_ends_where_none_does_for_long() {
        for (asks, rows) in [(60, 60), (100_000, 0)] {
            let counts = Arc::new(Counts::default());
            let zone = (0..60).map(|n| format!("host{n}.example.org A 192.0.2.1\n")).collect::<Vec<_>>().concat();
            let lookup = Away { zone: Zone::parse(&zone).unwrap(), asks: asks.into() };
            let kept = Kept::default();
            let parts = Parts { concurrency: 20, ..parts(lookup, 60, Box::new(kept.clone()), &counts) };
            let done = run(parts).await.unwrap();
            assert_eq!(done.complete, rows > 0);
            let kept = kept.0.lock().unwrap().clone();
            assert!(kept.len() == rows && kept.iter().all(|(_, is_ours)| !is_ours), "{asks}: {kept:?}");
        }
    }

    /// Keeps of each row the target, and whether something is unknown by a fault of ours.
    #[derive(Clone, Default, Debug)]
    struct Kept(Arc<Mutex<Vec<(String, bool)>>>);

    impl Sink for Kept {
        fn write(&mut self, row: crate::model::assessment::Row<'_>) -> Result<(), Failure> {
            let is_ours = row.assessment.unknown_why.iter().any(|(_, cause)| cause.is_ours());
            self.0.lock().unwrap().push((row.evidence.target.text.to_string(), is_ours));
            Ok(())
        }

        fn checkpoint(&mut self) -> Result<output::Checkpoint, Failure> {
            unreachable!("there is no journal")
        }

        fn finish(self: Box<Self>, _ending: Ending) -> Result<(), Failure> {
            Ok(())
        }
    }

    /// Also where others wait for what the broken one was to find out for all of them.
    #[tokio::test]
    async fn a_panic_in_one_probe_costs_its_row_and_no_other() {
        let domains = (0..60).map(|n| format!("host{n}.example.org MX 10 mx{}.example.org", n % 3));
        let servers = (0..3).map(|n| format!("mx{n}.example.org A 192.0.2.{n}"));
        let zone: Vec<String> = domains.chain(servers).chain(["example.org SOA ns.example.org".to_owned()]).collect();
        let zone = zone.join("\n");
        for at in ["host7.example.org", "mx1.example.org"] {
            let counts = Arc::new(Counts::default());
            let lookup = Breaks { zone: Zone::parse(&zone).unwrap(), at, broken: false.into() };
            let kept = Kept::default();
            let parts = Parts { concurrency: 20, ..parts(lookup, 60, Box::new(kept.clone()), &counts) };
            let done = tokio::time::timeout(Duration::from_secs(20), run(parts)).await.expect("the run ends").unwrap();
            assert!(done.complete);
            let rows = kept.0.lock().unwrap().clone();
            let targets: std::collections::BTreeSet<&String> = rows.iter().map(|(target, _)| target).collect();
            assert_eq!((rows.len(), targets.len()), (60, 60), "{at}");
            let ours: Vec<_> = rows.iter().filter(|(_, is_ours)| *is_ours).collect();
            assert_eq!(ours.len(), 1, "{at}: {ours:?}");
        }
    }

    #[tokio::test]
    async fn a_reader_that_waits_for_its_window_is_freed_when_the_writer_fails() {
        let counts = Arc::new(Counts::default());
        let sink = Full { counts: Arc::clone(&counts), after: 4 };
        let zone = Zone::parse("example.org A 192.0.2.1").unwrap();
        let run = run(parts(zone, 100, Box::new(sink), &counts));
        let ended = tokio::time::timeout(Duration::from_secs(20), run).await.expect("the run ends");
        assert!(matches!(ended, Err(Error::Output(Failure::Io { .. }))));
    }
}
