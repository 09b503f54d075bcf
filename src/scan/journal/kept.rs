//! What an interrupted run has left, as its journal tells it.
//! Comes in: an output's name, and the options of now. Goes out: what stands there, or why it is not gone on with.
//! A journal is of one version, one input and one set of options; whatever differs is named.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use crate::input::Seen;
use crate::model::header::Header;
use crate::output::manifest::Manifest;
use crate::output::{self, Mark};
use crate::probe::Work;
use crate::report::tally::Tally;
use crate::scan::progress::{Counts, get};
use crate::scan::settled::{Passed, Settled};

/// What a journal begins with; what follows is of this version only.
const MAGIC: &str = concat!("mxcensus-journal ", env!("CARGO_PKG_VERSION"), "\n");
/// What the journals of all versions begin with.
const KIND: &str = "mxcensus-journal ";

/// Options that a resumed run may have otherwise: they decide how fast it goes, what it says, and whom it leaves alone from now
/// on, but not what a row tells. The output is known by its journal.
pub(in crate::scan) const MAY_DIFFER: &[&str] = &[
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

/// What an interrupted run has done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::scan) struct Kept {
    /// JSON text.
    pub(super) configuration: String,
    /// The header of the evidence, JSON text.
    pub(super) header: String,
    /// How much of each input had been read.
    pub(in crate::scan) inputs: Vec<Seen>,
    /// Milliseconds since 1970 when its first start was.
    pub(in crate::scan) started: i64,
    /// How often it was resumed.
    pub(in crate::scan) resumed: u32,
    pub(in crate::scan) rows: Mark,
    pub(in crate::scan) evidence: Option<Mark>,
    pub(in crate::scan) counts: Counted,
    pub(in crate::scan) work: Work,
    pub(in crate::scan) tally: Tally,
    pub(super) settled: Vec<u8>,
    /// Those that have had one pass, two, … and wait for another one.
    pub(super) passed: Vec<Vec<u8>>,
    /// JSON text: the manifest of a run that is complete, but for the names of its files.
    pub(super) manifest: Option<String>,
}

/// What was counted at a checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::scan) struct Counted {
    /// Targets whose rows are written.
    pub(in crate::scan) targets: u64,
    pub(in crate::scan) rows: u64,
    /// Targets whose last pass left something that one more might have shown.
    pub(in crate::scan) unsettled: u64,
}

impl Counted {
    /// These, and those of a later start.
    pub(in crate::scan) fn and(self, counts: &Counts) -> Self {
        Self {
            targets: self.targets + get(&counts.done),
            rows: self.rows + get(&counts.rows),
            unsettled: self.unsettled + get(&counts.unsettled),
        }
    }
}

/// What stands under an output's name.
#[derive(Debug)]
pub(in crate::scan) enum Before {
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
    pub(in crate::scan) fn of(output: &Path, resume: bool, configuration: &Value) -> Result<Self, Error> {
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
pub(super) fn path(output: &Path) -> PathBuf {
    output::beside(output, ".journal")
}

/// In which options two runs differ, but for these.
pub(in crate::scan) fn differences(was: &Value, is: &Value, may_differ: &[&[&str]]) -> Vec<String> {
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

    pub(super) fn write(&self, path: &Path) -> Result<(), output::Error> {
        let bytes = postcard::to_extend(self, MAGIC.as_bytes().to_vec()).expect("a vector takes all that is written");
        output::replace(path, &bytes)
    }

    /// Which targets are settled.
    pub(in crate::scan) fn settled(&self) -> Settled {
        Settled::from_octets(&self.settled).expect("it was read once when the journal was")
    }

    /// Which wait for another pass.
    pub(in crate::scan) fn passed(&self) -> Passed {
        Passed::from_octets(&self.passed).expect("they were read once when the journal was")
    }

    /// The header of the run's evidence; None where the journal's text is none.
    pub(in crate::scan) fn header(&self) -> Option<Header> {
        serde_json::from_str(&self.header).ok()
    }

    /// The manifest of a run that lacks nothing but the names of its files.
    fn manifest(&self) -> Option<Manifest> {
        self.manifest.as_deref().and_then(|text| serde_json::from_str(text).ok())
    }
}
