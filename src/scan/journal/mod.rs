//! The journal of a run: what another start needs to go on where this one was interrupted.
//! Comes in: what is settled, and how far the outputs have got. Goes out: `OUT.journal`, replaced as a whole every few seconds, and
//! only once all that it tells of is durable.
//! The writer hands its files to the system and goes on; another thread waits for the disk and then replaces the journal.

mod error;
mod kept;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::debug;

pub use self::error::Error;
use self::kept::path;
pub(super) use self::kept::{Before, Counted, Kept, MAY_DIFFER, differences};
use super::Error as Fault;
use super::progress::Counts;
use super::settled::{Passed, Settled};
use crate::input::{Progress, Seen};
use crate::model::header::Header;
use crate::output::manifest::Manifest;
use crate::output::{self, Checkpoint};
use crate::probe::Work;
use crate::report::tally::Tally;

/// What a journal is begun with.
pub(super) struct Beginning<'a> {
    pub(super) output: &'a Path,
    pub(super) configuration: &'a Value,
    pub(super) header: &'a Header,
    pub(super) started: i64,
    /// Between two checkpoints.
    pub(super) interval: Duration,
    pub(super) inputs: Vec<Progress>,
    pub(super) counts: Arc<Counts>,
    pub(super) passed: Arc<Passed>,
    /// What the prober has done since this start.
    pub(super) work: Box<dyn Fn() -> Work + Send>,
    /// What the interrupted run has done.
    pub(super) before: Option<Kept>,
}

/// Keeps the journal of a run.
pub(super) struct Journal {
    path: PathBuf,
    kept: Kept,
    settled: Settled,
    before: (Counted, Work),
    /// How much of each input the interrupted run had read.
    seen: Vec<Seen>,
    inputs: Vec<Progress>,
    counts: Arc<Counts>,
    passed: Arc<Passed>,
    work: Box<dyn Fn() -> Work + Send>,
    interval: Duration,
    /// When the last checkpoint was, or was not needed.
    last: Instant,
    /// What came since then: a target is settled, and how often one was put off to another pass before.
    is_behind: bool,
    noted: u64,
    saving: Option<JoinHandle<Result<(), output::Error>>>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("path", &self.path).field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Journal {
    /// The journal of a run that begins, or goes on, now. The outputs stand at these checkpoints.
    pub(super) fn begin(
        beginning: Beginning<'_>,
        rows: Checkpoint,
        evidence: Option<Checkpoint>,
    ) -> Result<Self, output::Error> {
        let Beginning { output, configuration, header, started, interval, inputs, counts, passed, work, before } =
            beginning;
        let kept = match before {
            Some(kept) => Kept { resumed: kept.resumed + 1, ..kept },
            None => Kept {
                configuration: configuration.to_string(),
                header: serde_json::to_string(header).expect("a header has texts as keys"),
                inputs: Vec::new(),
                started,
                resumed: 0,
                rows: rows.mark().clone(),
                evidence: None,
                counts: Counted::default(),
                work: Work::default(),
                tally: Tally::default(),
                settled: Settled::default().into_octets(),
                passed: Vec::new(),
                manifest: None,
            },
        };
        let settled = kept.settled();
        let kept = Kept { settled: Vec::new(), ..kept };
        let mut journal = Self {
            path: path(output),
            settled,
            before: (kept.counts, kept.work),
            seen: kept.inputs.clone(),
            kept,
            inputs,
            counts,
            passed,
            work,
            interval,
            last: Instant::now(),
            is_behind: false,
            noted: 0,
            saving: None,
        };
        let tally = journal.kept.tally.clone();
        journal.save(rows, evidence, &tally)?;
        journal.saved()?;
        Ok(journal)
    }

    /// A target's rows are written.
    pub(super) fn settle(&mut self, sequence: u64) {
        self.settled.insert(sequence);
        self.is_behind = true;
    }

    /// How long the writer may wait for more rows before it asks whether a checkpoint is due.
    pub(super) fn patience(&self) -> Duration {
        self.interval.saturating_sub(self.last.elapsed())
    }

    /// Whether it is time for a checkpoint: there is something to keep, and the disk is done with the one before.
    pub(super) fn is_due(&mut self) -> Result<bool, output::Error> {
        if self.last.elapsed() < self.interval {
            return Ok(false);
        }
        if !self.is_behind && self.noted == self.passed.noted() {
            self.last = Instant::now();
            return Ok(false);
        }
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            // Asked again when there are more rows, and soon even where there are none.
            self.last += self.interval / 10;
            return Ok(false);
        }
        self.saved()?;
        Ok(true)
    }

    /// Begins to make a checkpoint durable, and then the journal that tells of it.
    pub(super) fn save(
        &mut self,
        rows: Checkpoint,
        evidence: Option<Checkpoint>,
        tally: &Tally,
    ) -> Result<(), output::Error> {
        self.saved()?;
        // What is noted from here on is for the next one, whether this one has it or not.
        self.noted = self.passed.noted();
        self.mark(&rows, evidence.as_ref(), tally);
        (self.last, self.is_behind) = (Instant::now(), false);
        let (kept, settled, path) = (self.kept.clone(), self.settled.clone(), self.path.clone());
        let saving = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            let kept = Kept { settled: settled.into_octets(), ..kept };
            durable(&kept, &path, rows, evidence)
        });
        self.saving = Some(saving.map_err(|source| output::Error::system("start a thread for", &self.path, source))?);
        Ok(())
    }

    /// Waits until the last checkpoint is durable.
    pub(super) fn saved(&mut self) -> Result<(), output::Error> {
        self.saving.take().map_or(Ok(()), |saving| saving.join().expect("nothing in a checkpoint panics"))
    }

    /// What all starts of the run have counted.
    pub(super) fn counted(&self) -> Counted {
        self.before.0.and(&self.counts)
    }

    /// How often the run was resumed, and what all its starts have done.
    pub(super) fn effort(&self) -> (u32, Work) {
        (self.kept.resumed, self.before.1.and((self.work)()))
    }

    /// Keeps that the run is complete, so that only the names of its files may be missing from now on.
    pub(super) fn seal(
        &mut self,
        rows: Checkpoint,
        evidence: Option<Checkpoint>,
        tally: &Tally,
        manifest: &Manifest,
    ) -> Result<(), output::Error> {
        self.saved()?;
        self.mark(&rows, evidence.as_ref(), tally);
        self.kept.manifest =
            Some(serde_json::to_string(manifest).expect("a manifest's keys are texts and its numbers finite"));
        let kept = Kept { settled: self.settled.clone().into_octets(), ..self.kept.clone() };
        durable(&kept, &self.path, rows, evidence)
    }

    /// Removes the journal of a run whose files have their names.
    pub(super) fn remove(output: &Path) -> Result<(), output::Error> {
        output::remove(&path(output))
    }

    fn mark(&mut self, rows: &Checkpoint, evidence: Option<&Checkpoint>, tally: &Tally) {
        self.kept.rows = rows.mark().clone();
        self.kept.evidence = evidence.map(|evidence| evidence.mark().clone());
        self.kept.counts = self.counted();
        self.kept.work = self.before.1.and((self.work)());
        self.kept.tally = tally.clone();
        self.kept.passed = self.passed.to_octets();
        let read = self.inputs.iter().map(Progress::seen).enumerate();
        // What the interrupted run had read is settled further than this one may have read yet.
        let furthest = read.map(|(at, seen)| match self.seen.get(at) {
            Some(before) if before.bytes > seen.bytes => before.clone(),
            _ => seen,
        });
        self.kept.inputs = furthest.collect();
    }
}

/// Makes outputs durable, and only then replaces the journal.
fn durable(kept: &Kept, path: &Path, rows: Checkpoint, evidence: Option<Checkpoint>) -> Result<(), output::Error> {
    rows.sync()?;
    evidence.as_ref().map_or(Ok(()), Checkpoint::sync)?;
    kept.write(path)?;
    debug!(journal = %path.display(), "checkpoint written");
    rows.tidy()?;
    evidence.map_or(Ok(()), Checkpoint::tidy)
}

/// Gives the files of a complete run their names: what its last start had left to do.
pub(super) fn complete(
    output: &Path,
    evidence: Option<&Path>,
    format: output::Options,
    kept: &Kept,
    manifest: &Manifest,
) -> Result<(), Fault> {
    if let (Some(path), Some(mark), Some(header)) = (evidence, &kept.evidence, kept.header())
        && !output::is_in_place(path, mark)?
    {
        output::Evidences::resume(path, &header, mark)?.finish(output::Ending::Complete)?;
    }
    if !output::is_in_place(output, &kept.rows)? {
        output::resume(output, &format, &kept.rows)?.finish(output::Ending::Complete)?;
    }
    manifest.write(output)?;
    Ok(Journal::remove(output)?)
}
