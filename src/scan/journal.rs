//! The journal of a run: what another start needs to go on where this one was interrupted.
//! Comes in: what is settled, and how far the outputs have got. Goes out: `OUT.journal`, replaced as a whole every few seconds, and
//! only once all that it tells of is durable.
//! The writer hands its files to the system and goes on; another thread waits for the disk and then replaces the journal.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error as Fault;
use super::progress::{Counts, get};
use super::settled::{Passed, Settled};
use crate::input::{Progress, Seen};
use crate::model::header::Header;
use crate::output::manifest::Manifest;
use crate::output::{self, Checkpoint, Mark};
use crate::probe::Work;
use crate::report::tally::Tally;

/// What a journal begins with; what follows is of this version only.
const MAGIC: &str = concat!("mxcensus-journal ", env!("CARGO_PKG_VERSION"), "\n");
/// What the journals of all versions begin with.
const KIND: &str = "mxcensus-journal ";

/// Options that a resumed run may have otherwise: they decide how fast it goes, what it says, and whom it leaves alone from now
/// on, but not what a row tells. The output is known by its journal.
pub(super) const MAY_DIFFER: &[&str] = &[
    "output",
    "exclude",
    "concurrency",
    "dns-rate",
    "per-resolver",
    "smtp-rate",
    "dnsbl-rate",
    "per-network",
    "per-provider",
    "memory",
    "fail-on",
    "state",
    "metrics",
    "checkpoint",
];

/// Why a run cannot be resumed, or not be begun.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is work that would be lost.
    #[error(
        "{} was interrupted with {settled} targets done: go on with --resume, or remove {} to begin anew",
        output.display(), journal.display()
    )]
    Unfinished {
        /// The output.
        output: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// Targets whose rows are written.
        settled: u64,
    },
    /// Other options.
    #[error(
        "cannot resume {}: it was begun with other options: {differences}; give the same ones, or begin anew without --resume{}",
        output.display(), if *finished { "" } else { " and its journal" }
    )]
    Options {
        /// The output.
        output: PathBuf,
        /// Which, and what they were and are.
        differences: String,
        /// The earlier run came to its end.
        finished: bool,
    },
    /// Written by another version.
    #[error(
        "cannot resume {}: it was begun by another version of this program ({found}); go on with that one, or remove {} to begin anew",
        output.display(), journal.display()
    )]
    Version {
        /// The output.
        output: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// The version.
        found: String,
    },
    /// No journal at all.
    #[error("cannot resume {}: {} is damaged ({reason}); remove it to begin anew", output.display(), journal.display())]
    Damaged {
        /// The output.
        output: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// What an interrupted run has done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    /// JSON text.
    configuration: String,
    /// The header of the evidence, JSON text.
    header: String,
    /// How much of each input had been read.
    pub(super) inputs: Vec<Seen>,
    /// Milliseconds since 1970 when its first start was.
    pub(super) started: i64,
    /// How often it was resumed.
    pub(super) resumed: u32,
    pub(super) rows: Mark,
    pub(super) evidence: Option<Mark>,
    pub(super) counts: Counted,
    pub(super) work: Work,
    pub(super) tally: Tally,
    settled: Vec<u8>,
    /// Those that have had one pass, two, … and wait for another one.
    passed: Vec<Vec<u8>>,
    /// JSON text: the manifest of a run that is complete, but for the names of its files.
    manifest: Option<String>,
}

/// What was counted at a checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// Targets whose rows are written.
    pub(super) targets: u64,
    pub(super) rows: u64,
    /// Targets whose last pass left something that one more might have shown.
    pub(super) unsettled: u64,
}

impl Counted {
    /// These, and those of a later start.
    pub(super) fn and(self, counts: &Counts) -> Self {
        Self {
            targets: self.targets + get(&counts.done),
            rows: self.rows + get(&counts.rows),
            unsettled: self.unsettled + get(&counts.unsettled),
        }
    }
}

/// What stands under an output's name.
#[derive(Debug)]
pub(super) enum Before {
    /// Nothing that would be lost.
    Nothing,
    /// An interrupted run.
    Interrupted(Box<Kept>),
    /// One that lacks nothing but the names of its files, which its manifest is of.
    Sealed(Box<Kept>, Box<Manifest>),
    /// A complete one, by its manifest.
    Complete(Box<Manifest>),
}

impl Before {
    /// What stands under this output's name, for a run of this configuration that is to be resumed, or begun anew.
    pub(super) fn of(output: &Path, resume: bool, configuration: &Value) -> Result<Self, Error> {
        let journal = path(output);
        let read = match std::fs::read(&journal) {
            Ok(bytes) => Some(Kept::read(&bytes, output)),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(Error::Read { path: journal, source }),
        };
        if !resume {
            // Only a journal that tells of work keeps anybody from beginning anew.
            return match read {
                Some(Ok(kept)) if kept.counts.targets > 0 => {
                    Err(Error::Unfinished { output: output.to_owned(), journal, settled: kept.counts.targets })
                }
                _ => Ok(Self::Nothing),
            };
        }
        if let Some(kept) = read.transpose()? {
            let begun = serde_json::from_str(&kept.configuration).unwrap_or_default();
            same_options(output, &begun, configuration, false)?;
            return Ok(match kept.manifest() {
                Some(manifest) => Self::Sealed(Box::new(kept), Box::new(manifest)),
                None => Self::Interrupted(Box::new(kept)),
            });
        }
        let Some(manifest) = Manifest::read(output).filter(|manifest| manifest.complete && output.is_file()) else {
            return Ok(Self::Nothing);
        };
        same_options(output, &manifest.configuration, configuration, true)?;
        Ok(Self::Complete(Box::new(manifest)))
    }
}

/// Where the journal of an output stands.
fn path(output: &Path) -> PathBuf {
    output::beside(output, ".journal")
}

/// In which options two runs differ, but for these.
pub(super) fn differences(was: &Value, is: &Value, may_differ: &[&[&str]]) -> Vec<String> {
    let (Value::Object(was), Value::Object(is)) = (was, is) else { return Vec::new() };
    let names = is.keys().chain(was.keys().filter(|name| !is.contains_key(*name)));
    names
        .filter(|name| !may_differ.iter().any(|names| names.contains(&name.as_str())))
        .filter_map(|name| {
            let (was, is) = (was.get(name).unwrap_or(&Value::Null), is.get(name).unwrap_or(&Value::Null));
            let option = if name == "targets" { "TARGET".to_owned() } else { format!("--{name}") };
            (was != is).then(|| format!("{option} was {was} and is {is}"))
        })
        .collect()
}

/// That a run was begun with these options, but for those that may differ.
fn same_options(output: &Path, begun: &Value, now: &Value, finished: bool) -> Result<(), Error> {
    let differences = differences(begun, now, &[MAY_DIFFER]);
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::Options { output: output.to_owned(), differences: differences.join(", "), finished })
}

impl Kept {
    fn read(bytes: &[u8], output: &Path) -> Result<Self, Error> {
        let damaged = |reason: &str| Error::Damaged {
            output: output.to_owned(),
            journal: path(output),
            reason: reason.to_owned(),
        };
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it has no first line"))?;
        let (first, rest) = bytes.split_at(end + 1);
        if first != MAGIC.as_bytes() {
            let first = String::from_utf8_lossy(first);
            let version = first.strip_prefix(KIND).ok_or_else(|| damaged("it is another file"))?.trim();
            let found = version.escape_debug().to_string();
            return Err(Error::Version { output: output.to_owned(), journal: path(output), found });
        }
        let kept: Self = postcard::from_bytes(rest).map_err(|error| damaged(&error.to_string()))?;
        if !kept.tally.is_whole() {
            return Err(damaged("its counts are of another form"));
        }
        Settled::from_octets(&kept.settled).map_err(|error| damaged(&error.to_string()))?;
        Passed::from_octets(&kept.passed).map_err(|error| damaged(&error.to_string()))?;
        Ok(kept)
    }

    fn write(&self, path: &Path) -> Result<(), output::Error> {
        let bytes = postcard::to_extend(self, MAGIC.as_bytes().to_vec()).expect("a vector takes all that is written");
        output::replace(path, &bytes)
    }

    /// Which targets are settled.
    pub(super) fn settled(&self) -> Settled {
        Settled::from_octets(&self.settled).expect("it was read once when the journal was")
    }

    /// Which wait for another pass.
    pub(super) fn passed(&self) -> Passed {
        Passed::from_octets(&self.passed).expect("they were read once when the journal was")
    }

    /// The header of the run's evidence; None where the journal's text is none.
    pub(super) fn header(&self) -> Option<Header> {
        serde_json::from_str(&self.header).ok()
    }

    /// The manifest of a run that lacks nothing but the names of its files.
    fn manifest(&self) -> Option<Manifest> {
        self.manifest.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }
}

/// What a journal is begun with.
pub(super) struct Beginning<'a> {
    pub(super) output: &'a Path,
    pub(super) configuration: &'a Value,
    pub(super) header: &'a Header,
    pub(super) started: i64,
    /// Between two checkpoints.
    pub(super) interval: Duration,
    pub(super) inputs: Vec<Progress>,
    pub(super) counts: std::sync::Arc<Counts>,
    pub(super) passed: std::sync::Arc<Passed>,
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
    counts: std::sync::Arc<Counts>,
    passed: std::sync::Arc<Passed>,
    work: Box<dyn Fn() -> Work + Send>,
    interval: Duration,
    /// When the last checkpoint was, and whether something is settled since then.
    last: Instant,
    is_behind: bool,
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

    /// How long the writer may wait for more rows before the next checkpoint; None while there is nothing to keep.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.is_behind.then(|| self.interval.saturating_sub(self.last.elapsed()))
    }

    /// Whether it is time for a checkpoint: there is something to keep, and the disk is done with the one before.
    pub(super) fn is_due(&mut self) -> Result<bool, output::Error> {
        if !self.is_behind || self.last.elapsed() < self.interval {
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
