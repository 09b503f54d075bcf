//! How far the run is, on stderr only.
//! Comes in: counts from the reader, the workers and the writer. Goes out: a bar, or a line every ten seconds, or nothing.
//! The counts are also the reconciliation at the end, so they are kept whether or not anybody looks.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::words::{Cause, ConnectStatus};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// A bar.
    Bar,
    /// A line every ten seconds.
    Plain,
    /// Nothing.
    None,
}

/// The counts of a run.
#[derive(Debug, Default)]
pub struct Counts {
    /// Records read.
    pub records: AtomicU64,
    /// Records that could not be used.
    pub rejected: AtomicU64,
    /// Records on the exclusion list.
    pub excluded: AtomicU64,
    /// Records that belong to other shards.
    pub elsewhere: AtomicU64,
    /// Targets handed to the workers.
    pub taken: AtomicU64,
    /// Targets read again that an interrupted run of the same output had settled.
    pub skipped: AtomicU64,
    /// Targets gathered that wait for a test of their blocklists, now.
    pub held: AtomicU64,
    /// Targets put aside until a server's network or provider may be contacted, now.
    pub aside: AtomicU64,
    /// Targets put aside for their next pass, now.
    pub later: AtomicU64,
    /// Targets whose last pass left something that one more might have shown.
    pub unsettled: AtomicU64,
    /// Targets whose rows are written.
    pub done: AtomicU64,
    /// Rows written.
    pub rows: AtomicU64,
    /// Whether the input is at its end.
    pub read_all: AtomicBool,
}

/// Adds to a counter that only grows.
pub(super) fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// Reads a counter.
pub(super) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// What went wrong so far, by kind.
#[derive(Debug)]
pub struct Failures {
    counts: Vec<AtomicU64>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { counts: Cause::ALL.iter().map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Failures {
    /// One more target that ended with this cause somewhere.
    pub fn count(&self, cause: Cause) {
        if let Some(count) = Cause::ALL.iter().position(|known| *known == cause).and_then(|at| self.counts.get(at)) {
            add(count, 1);
        }
    }

    /// The most frequent kinds as text.
    fn most(&self, how_many: usize) -> String {
        let mut seen: Vec<(u64, Cause)> =
            self.counts.iter().map(get).zip(Cause::ALL.iter().copied()).filter(|(count, _)| *count > 0).collect();
        seen.sort_by(|a, b| b.cmp(a));
        let words = seen.iter().take(how_many).map(|(count, cause)| format!("{cause} {}", HumanCount(*count)));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// When a target was begun, and which.
type Begun = (Instant, Arc<str>);

/// What each worker is at, so that a run that hangs can say on what.
#[derive(Debug)]
pub struct InFlight {
    slots: Vec<Mutex<Option<Begun>>>,
}

impl InFlight {
    /// One slot per worker.
    pub fn new(workers: usize) -> Self {
        Self { slots: (0..workers).map(|_| Mutex::new(None)).collect() }
    }

    /// The worker begins with a target, or has none.
    pub fn set(&self, worker: usize, target: Option<Arc<str>>) {
        if let Some(slot) = self.slots.get(worker) {
            *slot.lock().expect("no holder of this lock can panic") = target.map(|text| (Instant::now(), text));
        }
    }

    /// How many are in flight, and the oldest.
    fn oldest(&self) -> (usize, Option<Begun>) {
        let busy: Vec<_> = self
            .slots
            .iter()
            .filter_map(|slot| slot.lock().expect("no holder of this lock can panic").clone())
            .collect();
        (busy.len(), busy.into_iter().min_by_key(|(since, _)| *since))
    }
}

/// Everything progress is told from.
#[derive(Debug)]
pub struct Watched {
    /// The counts.
    pub counts: Arc<Counts>,
    /// The failures by kind.
    pub failures: Arc<Failures>,
    /// The workers.
    pub in_flight: Arc<InFlight>,
    /// How many targets there will be, as far as that can be told now.
    pub total: Arc<Total>,
}

/// What is known of the number of targets.
#[derive(Debug, Default)]
pub struct Total {
    /// Bytes of all inputs whose length is known; 0 when one of them is not.
    pub bytes: AtomicU64,
    /// Bytes read of them.
    pub read: AtomicU64,
    /// Targets of networks that were begun and are not yet handed out.
    pub pending: AtomicU64,
    /// The number of targets, where it is known beforehand; 0 when it is not.
    pub known: AtomicU64,
}

impl Watched {
    /// Targets that are behind the run, those that were settled before it included.
    fn done(&self) -> u64 {
        get(&self.counts.done) + get(&self.counts.skipped)
    }

    /// The number of targets: exact once all is read, an estimate by bytes before, unknown for a pipe.
    fn total(&self) -> Option<u64> {
        let known = get(&self.counts.taken) + get(&self.counts.skipped) + get(&self.total.pending);
        if self.counts.read_all.load(Ordering::Relaxed) {
            return Some(known);
        }
        if get(&self.total.known) > 0 {
            return Some(get(&self.total.known).max(known));
        }
        let (bytes, read) = (get(&self.total.bytes), get(&self.total.read));
        if bytes == 0 || read == 0 {
            return None;
        }
        let whole = u128::from(known) * u128::from(bytes.max(read)) / u128::from(read);
        Some(u64::try_from(whole).unwrap_or(u64::MAX).max(known))
    }
}

/// The bar on the terminal, if there is one: lines can come from anywhere in the process.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn bar() -> MutexGuard<'static, Option<ProgressBar>> {
    BAR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A line on stderr, above the bar where one is shown.
pub fn say_above(line: &str) {
    let shown = bar().clone();
    match shown {
        Some(bar) => bar.suspend(|| say_plainly(line)),
        None => say_plainly(line),
    }
}

/// Shows progress until it is dropped.
#[derive(Debug)]
pub struct Progress {
    watched: Watched,
    bar: Option<ProgressBar>,
    plain: bool,
    recent: Mutex<VecDeque<(Instant, u64)>>,
}

/// How long the rate looks back.
const WINDOW: Duration = Duration::from_secs(10);

impl Progress {
    /// Begins to show.
    pub fn new(show: Show, watched: Watched) -> Self {
        let bar = (show == Show::Bar).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed"));
            bar
        });
        self::bar().clone_from(&bar);
        Self { watched, bar, plain: show == Show::Plain, recent: Mutex::new(VecDeque::from([(Instant::now(), 0)])) }
    }

    /// How often `tick` wants to be called.
    pub const fn interval(&self) -> Duration {
        if self.bar.is_some() { Duration::from_millis(200) } else { WINDOW }
    }

    /// Shows the state of now.
    pub fn tick(&self) {
        if self.bar.is_none() && !self.plain {
            return;
        }
        let line = self.line();
        if let Some(bar) = &self.bar {
            if let Some(total) = self.watched.total() {
                if bar.length().is_none() {
                    let style = ProgressStyle::with_template("[{bar:24}] {msg}").expect("the template is well-formed");
                    bar.set_style(style.progress_chars("=> "));
                }
                bar.set_length(total.max(1));
            }
            bar.tick();
            bar.set_position(self.watched.done());
            bar.set_message(line);
        } else {
            say_plainly(&line);
        }
    }

    /// Prints a line for the user without tearing the bar.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say_plainly(line)),
            None => say_plainly(line),
        }
    }

    /// Takes the bar away, for what is printed at the end.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            self::bar().take();
            bar.finish_and_clear();
        }
    }

    fn line(&self) -> String {
        let watched = &self.watched;
        let done = watched.done();
        let total = watched.total();
        let rate = self.rate(done);
        let done_of = match total {
            Some(total) => format!("{}/{} targets", HumanCount(done), HumanCount(total)),
            None => format!("{} targets", HumanCount(done)),
        };
        let mut parts = vec![format!("{done_of}, {rate:.0}/s")];
        let left = total.map_or(0, |total| total.saturating_sub(done));
        if left > 0 && rate > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "an estimate for a person")]
            let eta = Duration::try_from_secs_f64(left as f64 / rate).unwrap_or(Duration::MAX);
            parts.push(format!("about {} left", HumanDuration(eta)));
        }
        let held = get(&watched.counts.held);
        if held > 0 {
            parts.push(format!("{} wait for a test of the blocklists", HumanCount(held)));
        }
        let aside = [
            (&watched.counts.aside, "wait for a server's network or provider"),
            (&watched.counts.later, "wait for another pass"),
        ];
        for (count, what) in aside.map(|(count, what)| (get(count), what)).into_iter().filter(|(count, _)| *count > 0) {
            parts.push(format!("{} {what}", HumanCount(count)));
        }
        let failures = watched.failures.most(3);
        if !failures.is_empty() {
            parts.push(format!("unknown: {failures}"));
        }
        let taken = get(&watched.counts.taken);
        if watched.counts.read_all.load(Ordering::Relaxed) && taken > get(&watched.counts.done) {
            let (busy, oldest) = watched.in_flight.oldest();
            if let Some((since, target)) = oldest {
                let age = since.elapsed().as_secs();
                parts.push(format!("draining {busy}, oldest {age} s: {}", target.escape_debug()));
            }
        }
        parts.join("; ")
    }

    /// Targets a second over the last ten seconds.
    fn rate(&self, done: u64) -> f64 {
        let now = Instant::now();
        let mut recent = self.recent.lock().expect("no holder of this lock can panic");
        recent.push_back((now, done));
        while recent.len() > 2 && recent.front().is_some_and(|(then, _)| now - *then > WINDOW) {
            recent.pop_front();
        }
        let Some((then, before)) = recent.front() else { return 0.0 };
        let seconds = (now - *then).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for a person")]
        let more = (done - before) as f64;
        if seconds > 0.0 { more / seconds } else { 0.0 }
    }
}

/// A message as one line: a path, or what a decoder quotes, may hold anything, also the end of a line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.into() }).collect()
}

/// A line on stderr. That stderr is gone is no reason to stop a run.
pub fn say_plainly(line: &str) {
    let _gone = writeln!(std::io::stderr().lock(), "{line}");
}

/// The cause that a connection's outcome counts as in the display.
pub(super) const fn failed_connection(status: ConnectStatus) -> Option<Cause> {
    match status {
        ConnectStatus::Refused => Some(Cause::ConnectRefused),
        ConnectStatus::Timeout => Some(Cause::ConnectTimeout),
        ConnectStatus::Unreachable => Some(Cause::ConnectUnreachable),
        ConnectStatus::Reset => Some(Cause::ConnectReset),
        ConnectStatus::SelfFault => Some(Cause::SelfFault),
        ConnectStatus::Open | ConnectStatus::Excluded | ConnectStatus::Special | ConnectStatus::NotAsked => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched() -> Watched {
        Watched {
            counts: Arc::default(),
            failures: Arc::default(),
            in_flight: Arc::new(InFlight::new(2)),
            total: Arc::default(),
        }
    }

    #[test]
    fn the_total_is_unknown_for_a_pipe_and_estimated_for_a_file() {
        let watched = watched();
        add(&watched.counts.taken, 10);
        assert_eq!(watched.total(), None);
        add(&watched.total.bytes, 1_000);
        add(&watched.total.read, 100);
        assert_eq!(watched.total(), Some(100));
        watched.counts.read_all.store(true, Ordering::Relaxed);
        assert_eq!(watched.total(), Some(10));
    }

    #[test]
    fn what_drains_says_how_old_it_is_and_on_what() {
        let watched = watched();
        add(&watched.counts.taken, 1);
        watched.counts.read_all.store(true, Ordering::Relaxed);
        watched.in_flight.set(1, Some(Arc::from("slow.example\u{1b}")));
        watched.failures.count(Cause::Timeout);
        let progress = Progress::new(Show::None, watched);
        let line = progress.line();
        assert_eq!(line, "0/1 targets, 0/s; unknown: timeout 1; draining 1, oldest 0 s: slow.example\\u{1b}");
    }
}
