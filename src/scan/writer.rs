//! The thread that writes: judged targets in, rows out.
//! Comes in: targets as they are done. Goes out: rows, in that order or in the input's, the evidence behind them where it
//! is wanted, and their tally.
//! What it cannot write ends the run; it never drops a row.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::progress::{Counts, add};
use crate::model::assessment::Judged;
use crate::output::{self, Ending, Evidences, Sink};
use crate::report::tally::Tally;

/// How long rows may gather once all are written: a thread that is woken for each of them costs more than its work.
const GATHER: Duration = Duration::from_millis(2);

/// The thread that writes and counts.
pub(super) struct Writer {
    pub(super) sink: Box<dyn Sink>,
    pub(super) evidence: Option<Evidences>,
    pub(super) counts: Arc<Counts>,
    pub(super) window: Option<Arc<Semaphore>>,
    pub(super) tally: Tally,
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
        let mut take = move || {
            rows.try_recv().ok().or_else(|| {
                thread::sleep(GATHER);
                rows.blocking_recv()
            })
        };
        while let Some((index, judged)) = take() {
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
        // Only a run that was cut short leaves gaps.
        for judged in early.values() {
            self.row(judged)?;
        }
        Ok(self)
    }

    /// Ends the files: the rows last, so that their name says that all is there.
    pub(super) fn finish(self, ending: Ending) -> Result<Tally, output::Error> {
        if let Some(evidence) = self.evidence {
            evidence.finish(ending)?;
        }
        self.sink.finish(ending)?;
        Ok(self.tally)
    }

    fn row(&mut self, judged: &Judged) -> Result<(), output::Error> {
        if let Some(evidence) = &mut self.evidence {
            evidence.write(&judged.evidence)?;
        }
        for row in judged.rows() {
            self.sink.write(row)?;
            self.tally.add(row);
            add(&self.counts.rows, 1);
        }
        add(&self.counts.done, 1);
        if let Some(window) = &self.window {
            window.add_permits(1);
        }
        Ok(())
    }
}
