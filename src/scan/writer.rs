//! The thread that writes: judged targets in, rows out.
//! Comes in: targets as they are done. Goes out: rows, in that order or in the input's, the evidence behind them where it
//! is wanted, their tally, and every few seconds a checkpoint for the journal.
//! What it cannot write ends the run; it never drops a row.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::journal::{Counted, Journal};
use super::progress::{Counts, add};
use crate::model::assessment::Judged;
use crate::output::{self, Checkpoint, Ending, Evidences, Manifest, Sink};
use crate::probe::Work;
use crate::report::tally::Tally;

/// How long rows may gather once all are written: a thread that is woken for each of them costs more than its work.
const GATHER: Duration = Duration::from_millis(2);

/// The thread that writes and counts.
pub(super) struct Writer {
    pub(super) sink: Box<dyn Sink>,
    pub(super) evidence: Option<Evidences>,
    pub(super) counts: Arc<Counts>,
    pub(super) window: Option<Arc<Semaphore>>,
    /// Shared with who tells of it while the run goes on.
    pub(super) tally: Arc<Mutex<Tally>>,
    /// None where the output is nothing that a run could go on with.
    pub(super) journal: Option<Journal>,
    pub(super) runtime: Handle,
}

impl Writer {
    /// Writes what comes until nobody gives any more.
    pub(super) fn write(
        mut self,
        mut rows: mpsc::Receiver<(u64, Judged)>,
        in_order: bool,
    ) -> Result<Self, output::Error> {
        let mut early = BTreeMap::new();
        let mut next = 0;
        while let Some((index, judged)) = self.next(&mut rows)? {
            if !in_order {
                self.row(&judged)?;
                continue;
            }
            early.insert(index, judged);
            while let Some(judged) = early.remove(&next) {
                self.row(&judged)?;
                next += 1;
            }
        }
        // Only a run that was cut short leaves gaps. Behind them its next start would break the order: it does those again.
        if self.journal.is_none() {
            for judged in early.values() {
                self.row(judged)?;
            }
        }
        Ok(self)
    }

    /// The next target that is done; None when no more come. Checkpoints are made meanwhile, also while nothing comes.
    fn next(&mut self, rows: &mut mpsc::Receiver<(u64, Judged)>) -> Result<Option<(u64, Judged)>, output::Error> {
        loop {
            if self.journal.as_mut().map_or(Ok(false), Journal::is_due)? {
                self.checkpoint()?;
            }
            if let Ok(next) = rows.try_recv() {
                return Ok(Some(next));
            }
            thread::sleep(GATHER);
            let Some(patience) = self.journal.as_ref().map(Journal::patience) else {
                return Ok(rows.blocking_recv());
            };
            if let Ok(next) = self.runtime.block_on(async { tokio::time::timeout(patience, rows.recv()).await }) {
                return Ok(next);
            }
        }
    }

    /// Hands all to the system, and has the journal tell of it once it is durable.
    fn checkpoint(&mut self) -> Result<(), output::Error> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let (rows, evidence) = stand(&mut self.sink, &mut self.evidence)?;
        journal.save(rows, evidence, &tally(&self.tally))
    }

    /// What all starts of the run have counted, how often it was resumed, and what they have done; None without a journal.
    pub(super) fn before(&self) -> Option<(Counted, u32, Work)> {
        let journal = self.journal.as_ref()?;
        let (resumed, work) = journal.effort();
        Some((journal.counted(), resumed, work))
    }

    /// Ends the files of a complete run: the rows last, so that their name says that all is there. The journal tells of the end
    /// first, so that a run that is killed here lacks nothing but names.
    pub(super) fn complete(mut self, manifest: &Manifest) -> Result<(), output::Error> {
        if let Some(journal) = &mut self.journal {
            let (rows, evidence) = stand(&mut self.sink, &mut self.evidence)?;
            journal.seal(rows, evidence, &tally(&self.tally), manifest)?;
        }
        self.end(Ending::Complete)
    }

    /// Ends the files of a run that was cut short, as they stand: one that is resumed goes on from here.
    pub(super) fn leave(mut self) -> Result<(), output::Error> {
        self.checkpoint()?;
        self.journal.as_mut().map_or(Ok(()), Journal::saved)?;
        self.end(Ending::CutShort)
    }

    fn end(self, ending: Ending) -> Result<(), output::Error> {
        if let Some(evidence) = self.evidence {
            evidence.finish(ending)?;
        }
        self.sink.finish(ending)
    }

    fn row(&mut self, judged: &Judged) -> Result<(), output::Error> {
        if let Some(evidence) = &mut self.evidence {
            evidence.write(&judged.evidence)?;
        }
        for row in judged.rows() {
            self.sink.write(row)?;
            tally(&self.tally).add(row);
            add(&self.counts.rows, 1);
        }
        add(&self.counts.done, 1);
        if let Some(journal) = &mut self.journal {
            journal.settle(judged.evidence.target.sequence);
        }
        if let Some(window) = &self.window {
            window.add_permits(1);
        }
        Ok(())
    }
}

/// What is counted of the rows.
pub(super) fn tally(shared: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    shared.lock().expect("no holder of this lock can panic")
}

/// Where the outputs stand now.
pub(super) fn stand(
    sink: &mut Box<dyn Sink>,
    evidence: &mut Option<Evidences>,
) -> Result<(Checkpoint, Option<Checkpoint>), output::Error> {
    let evidence = evidence.as_mut().map(Evidences::checkpoint).transpose()?;
    Ok((sink.checkpoint()?, evidence))
}
