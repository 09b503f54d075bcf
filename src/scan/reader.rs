//! The thread that reads: records in, targets out.
//! Comes in: command-line targets and opened sources. Goes out: work for the crew, rejects, and the digests of what was read.
//! It waits wherever the crew or the window makes it wait, and ends when nobody takes its work any more.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::deferred::For;
use super::fitness::Fit;
use super::progress::{Counts, Progress, Total, add, get};
use super::settled::{Passed, Settled};
use super::stop::{Level, Stop};
use super::{Error, Feed};
use crate::input::{self, Item, Seen, Source};
use crate::model::target::{Entry, Reject};
use crate::output::manifest;
use crate::plan::{self, Planner};
use crate::probe::Errand;

/// A target on its way.
#[derive(Debug)]
pub(super) struct Work {
    /// Its place in this run's own order.
    pub(super) index: u64,
    pub(super) errand: Errand,
    /// What it was put aside for before.
    pub(super) from: Option<For>,
}

/// How many rejects are told on stderr when nothing else is wanted.
pub(super) const TOLD: u64 = 10;

/// How long the crew may take work before more is added, and what a queue must hold for that: a thread that is woken for each
/// target costs more than its work.
const REST: Duration = Duration::from_millis(1);
const ENOUGH: usize = 64;

/// The thread that reads and plans.
pub(super) struct Reader {
    pub(super) planner: Planner,
    /// How many targets may be scanned.
    pub(super) fit: Fit,
    /// What an interrupted run of the same output has settled.
    pub(super) settled: Settled,
    /// What it has left to another pass, and how that is put aside.
    pub(super) passed: Arc<Passed>,
    pub(super) aside: Box<dyn Fn(Work) -> Option<Work> + Send>,
    pub(super) rejects: Option<input::Rejects>,
    /// How many rejects are still told on stderr; where no file takes them, all.
    pub(super) tell: u64,
    pub(super) counts: Arc<Counts>,
    pub(super) total: Arc<Total>,
    pub(super) give: async_channel::Sender<Work>,
    pub(super) window: Option<Arc<Semaphore>>,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) stop: Stop,
    pub(super) progress: Arc<Progress>,
    pub(super) next: u64,
}

/// The inputs that were read to their end, and whether all of them were.
pub(super) type Inputs = (Vec<manifest::Source>, bool);

impl Reader {
    /// Reads to the end, or until the run is stopped.
    pub(super) fn read(mut self, targets: &[String], sources: Vec<Source>) -> Result<Inputs, Error> {
        let mut inputs = Vec::with_capacity(sources.len());
        for target in targets {
            if !self.item(input::argument(target))? {
                return Ok((inputs, false));
            }
        }
        let mut before = 0;
        for mut source in sources {
            let (bytes, records) = (source.progress(), get(&self.counts.records));
            for item in source.by_ref() {
                if !self.item(item?)? {
                    return Ok((inputs, false));
                }
                self.total.read.store(before + bytes.bytes().0, Ordering::Relaxed);
            }
            before += bytes.bytes().0;
            let records = get(&self.counts.records) - records;
            if records == 0 && self.tell > 0 {
                self.progress.say(&format!("warning: {} holds no records", source.name()));
            }
            inputs.push(manifest::Source {
                name: source.name().to_string(),
                sha256: source.digest().map(|digest| input::hex(&digest)),
                records,
            });
        }
        if let Some(rejects) = self.rejects.take() {
            rejects.finish()?;
        }
        self.counts.read_all.store(true, Ordering::Relaxed);
        Ok((inputs, true))
    }

    /// Handles one record; false when the run is to stop.
    fn item(&mut self, item: Item) -> Result<bool, Error> {
        if self.stop.level() > Level::Run {
            return Ok(false);
        }
        add(&self.counts.records, 1);
        match item {
            Item::Entry(entry) => self.entry(entry),
            Item::Reject(reject) => {
                self.reject(&reject)?;
                Ok(true)
            }
        }
    }

    /// A target is on its way, and so many of its entry are still to come.
    fn taken(&mut self, pending: u64) {
        self.next += 1;
        add(&self.counts.taken, 1);
        self.total.pending.store(pending, Ordering::Relaxed);
    }

    fn entry(&mut self, entry: Entry) -> Result<bool, Error> {
        let size = u64::try_from(plan::size(&entry)).unwrap_or(u64::MAX);
        self.total.pending.store(size, Ordering::Relaxed);
        let (mut seen, mut excluded) = (0_u64, 0_u64);
        for target in self.planner.targets(entry) {
            seen += 1;
            excluded += u64::from(target.excluded);
            if self.settled.contains(target.sequence) {
                add(&self.counts.skipped, 1);
                continue;
            }
            self.fit.for_targets(get(&self.counts.skipped) + self.next + 1)?;
            if let Some(window) = &self.window {
                // Closed means that the run is over.
                let Ok(permit) = self.runtime.block_on(window.acquire()) else { return Ok(false) };
                permit.forget();
            }
            let earlier = self.passed.of(target.sequence);
            let mut work = Work { index: self.next, errand: Errand::first(target), from: None };
            if earlier > 0 {
                work.errand.attempt = earlier;
                let Some(back) = (self.aside)(work) else {
                    self.taken(size.saturating_sub(seen));
                    continue;
                };
                work = back;
            }
            if self.give.is_full() && self.give.len() >= ENOUGH {
                thread::sleep(REST);
            }
            // Closed means that nothing more is taken: the run is to stop.
            if self.stop.level() > Level::Run || self.give.send_blocking(work).is_err() {
                return Ok(false);
            }
            self.taken(size.saturating_sub(seen));
        }
        self.total.pending.store(0, Ordering::Relaxed);
        if seen == 0 {
            add(&self.counts.elsewhere, 1);
        } else if seen == excluded {
            add(&self.counts.excluded, 1);
        }
        Ok(true)
    }

    fn reject(&mut self, reject: &Reject) -> Result<(), Error> {
        add(&self.counts.rejected, 1);
        if self.tell > 0 {
            self.tell -= 1;
            let record = reject.record.map(|record| format!("record {record}"));
            let column = (!reject.column.is_empty()).then(|| format!("column {}", reject.column));
            let place: Vec<String> = record.into_iter().chain(column).collect();
            let place = if place.is_empty() { String::new() } else { format!(" {}:", place.join(", ")) };
            let text = if reject.text.is_empty() { String::new() } else { format!(" ({})", reject.text) };
            self.progress.say(&format!("{}:{place} {}{text}", reject.file, reject.reason));
            if self.tell == 0 && self.rejects.is_some() {
                self.progress.say("further rejects are in the rejects file only");
            }
        }
        if let Some(rejects) = &mut self.rejects {
            rejects.write(reject)?;
        }
        Ok(())
    }
}

/// Lines made by the program, read like a file.
pub(super) struct Lines {
    rest: Box<dyn Iterator<Item = String> + Send>,
    line: Vec<u8>,
    at: usize,
}

impl Lines {
    pub(super) fn new(lines: Box<dyn Iterator<Item = String> + Send>) -> Self {
        Self { rest: lines, line: Vec::new(), at: 0 }
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            let rest = self.line.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                let Some(line) = self.rest.next() else { break };
                self.line = line.into_bytes();
                self.line.push(b'\n');
                self.at = 0;
                continue;
            }
            let room = buffer.get_mut(filled..).unwrap_or_default();
            let count = rest.len().min(room.len());
            for (to, from) in room.iter_mut().zip(rest) {
                *to = *from;
            }
            filled += count;
            self.at += count;
        }
        Ok(filled)
    }
}

/// The number of targets where no file has to be read to know it.
pub(super) fn known_targets(feeds: &[Feed]) -> Option<u64> {
    let counts = feeds.iter().map(|feed| match feed {
        Feed::File(_) => None,
        Feed::Lines { count, .. } => Some(*count),
    });
    counts.sum()
}

/// Opens what targets come from; `seen` is what an interrupted run has read of each of them, and must be found again.
/// `scratch` is a folder for what a pipe gives anew.
pub(super) fn open(
    feeds: Vec<Feed>,
    options: &input::Options,
    seen: &[Seen],
    scratch: &Path,
) -> Result<Vec<Source>, Error> {
    let opened = feeds.into_iter().enumerate().map(|(at, feed)| match (feed, seen.get(at)) {
        (Feed::File(path), None) => Source::open(&path, options),
        (Feed::File(path), Some(seen)) => Source::again(&path, options, seen, scratch),
        // They are made from the configuration, which is the same.
        (Feed::Lines { name, lines, .. }, _) => Source::reader(&name, Lines::new(lines), options),
    });
    Ok(opened.collect::<Result<_, _>>()?)
}
