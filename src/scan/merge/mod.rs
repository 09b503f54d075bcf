//! Outputs of several runs made one (`merge`): of shards, or of runs over different lists.
//! Comes in: files of rows of one form, and their manifests. Goes out: one file of that form, its manifest, and an `Outcome`.
//! All rows are read once, counted and checked before the first is copied: whatever is refused leaves nothing behind. They are
//! copied as they stand, lines as lines and row groups of Parquet as row groups, so no row changes on its way.
//! Memory holds a row, or a batch of Parquet, and never a file.

mod error;
mod kin;
mod repeats;
mod told;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use self::error::Error;
use self::kin::Kin;
use self::repeats::Repeats;
use super::Error as Fault;
use super::journal::Before;
use crate::input::results::{Form, Results};
use crate::model::words::Severity;
use crate::output::columns::SCHEMA_VERSION;
use crate::output::manifest::Manifest;
use crate::output::{self, Format, Lines, Lock};
use crate::report::tally::Tally;

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Job {
    /// The outputs to join, in their order.
    pub parts: Vec<PathBuf>,
    /// Where the rows go; None is standard output.
    pub output: Option<PathBuf>,
    /// Join what there is, though shares are missing or were cut short.
    pub partial: bool,
    /// Errors only.
    pub quiet: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// No share is missing, and none was cut short, as far as that is known.
    pub complete: bool,
}

/// A part, with what is known of it.
#[derive(Debug, Clone, Default)]
struct Part {
    path: PathBuf,
    manifest: Option<Manifest>,
    sha256: String,
    rows: u64,
}

/// Joins parts.
pub fn run(job: &Job) -> Result<Outcome, Fault> {
    let file = job.output.as_deref().filter(|path| !output::is_direct(path));
    let _lock = file.map(Lock::take).transpose().map_err(Fault::Open)?.flatten();
    // An interrupted scan of that name would lose what it has.
    file.map(|path| Before::of(path, false, &Value::Null)).transpose()?;
    let (mut parts, form) = opened(&job.parts)?;
    // That the output can be made is known before all is read.
    output::format_of(job.output.as_deref(), Some(format(form))).map_err(Fault::Open)?;
    let kin = kin::of(&parts)?;
    let incomplete = incomplete(&kin);
    if let Some(what) = incomplete.clone().filter(|_| !job.partial) {
        return Err(Error::Incomplete { what }.into());
    }
    let scratch = file.and_then(Path::parent).filter(|folder| folder.is_dir()).map(Path::to_owned);
    let mut repeats = Repeats::new(scratch.unwrap_or_else(std::env::temp_dir));
    let (tally, repeated) = (count(&mut parts, &mut repeats)?, counted(repeats)?);
    if repeated > 0 && kin.shares && kin.unknown.is_empty() {
        return Err(Error::Overlap(repeated).into());
    }
    copy(&parts, form, job.output.as_deref())?;
    if let Some(path) = file {
        rejects(&parts, kin.shares, path)?;
        told::manifest(&parts, &kin, &tally, repeated, path).write(path)?;
    }
    if !job.quiet {
        told::tell(&parts, &kin, incomplete.as_deref(), &tally, repeated);
    }
    Ok(Outcome { complete: incomplete.is_none() })
}

/// The parts and their form: one for all, and the same columns.
fn opened(paths: &[PathBuf]) -> Result<(Vec<Part>, Form), Fault> {
    let mut seen = BTreeSet::new();
    let mut parts = Vec::with_capacity(paths.len());
    let mut like: Option<(&PathBuf, Form, Vec<String>)> = None;
    for path in paths {
        if path.as_os_str() == "-" || path.exists() && !path.is_file() {
            return Err(Error::NoFile(path.clone()).into());
        }
        let results = Results::open(path)?;
        if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return Err(Error::SameFile(path.clone()).into());
        }
        let (form, columns) = (results.form(), results.columns().to_vec());
        if let Some((one, other_form, others)) = &mut like {
            if form != *other_form {
                let (form, other_form) = (*other_form, form);
                return Err(Error::Form { one: one.clone(), form, other: path.clone(), other_form }.into());
            }
            // A JSONL file without a row shows no columns.
            if others.is_empty() {
                *others = columns;
            } else if let Some(difference) = difference(others, &columns).filter(|_| !columns.is_empty()) {
                return Err(Error::Columns { one: one.clone(), other: path.clone(), difference }.into());
            }
        } else {
            like = Some((path, form, columns));
        }
        let manifest = Manifest::read(&named(path));
        parts.push(Part { path: path.clone(), manifest, ..Part::default() });
    }
    let (_, form, _) = like.expect("the command line asks for a part");
    Ok((parts, form))
}

/// The name that a part has, or would have had if its run had not been cut short.
pub(super) fn named(path: &Path) -> PathBuf {
    let name = path.to_string_lossy();
    name.strip_suffix(".part").map_or_else(|| path.to_owned(), PathBuf::from)
}

/// The first difference of two files' columns.
fn difference(one: &[String], other: &[String]) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at))?;
    let name = |columns: &[String]| columns.get(at).map_or_else(|| "missing".to_owned(), |name| format!("{name:?}"));
    Some(format!("column {} is {} in the one and {} in the other", at + 1, name(one), name(other)))
}

/// What is known to be missing.
fn incomplete(kin: &Kin) -> Option<String> {
    let missing = match kin.missing.as_slice() {
        [] => None,
        [one] => Some(format!("share {one} is missing")),
        many => Some(format!("shares {} are missing", many.join(", "))),
    };
    let cut = kin.unfinished.iter().map(|path| format!("the run of {} was cut short", path.display()));
    let all: Vec<String> = missing.into_iter().chain(cut).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Reads all rows: counts them, and checks that each part is what its manifest tells of.
fn count(parts: &mut [Part], repeats: &mut Repeats) -> Result<Tally, Fault> {
    let mut tally = Tally::default();
    let (mut version, mut targets) = (None, 0);
    let several = parts.len() > 1;
    for (number, part) in (0..).zip(parts) {
        let mut results = Results::open(&part.path)?;
        let before = targets;
        while let Some(mut row) = results.next_row()? {
            let found = row.schema_version;
            let wanted = *version.get_or_insert(found);
            let schema = |wanted| Error::Schema { path: part.path.clone(), row: results.rows(), found, wanted };
            if found > u64::from(SCHEMA_VERSION) {
                return Err(schema(format!("this program knows up to {SCHEMA_VERSION}")).into());
            }
            if found != wanted {
                return Err(schema(format!("the rows before are of {wanted}")).into());
            }
            row.gist.target += before;
            targets = row.gist.target;
            // What weighs how much a row does not tell, and nothing of this is told.
            let findings = row.findings.iter().map(|code| (*code, Severity::Info));
            tally.count(&row.gist, row.causes.iter().copied(), findings);
            if several {
                repeats.add(row.key, number).map_err(|source| system("keep the keys of rows", source))?;
            }
        }
        part.rows = results.rows();
        part.sha256 = results.sha256(&part.path)?;
        let told = part.manifest.as_ref().and_then(|manifest| manifest.counts.get("rows"));
        if let Some(&told) = told.filter(|told| **told != part.rows) {
            return Err(Error::Rows { path: part.path.clone(), found: part.rows, told }.into());
        }
    }
    Ok(tally)
}

fn counted(repeats: Repeats) -> Result<u64, Fault> {
    repeats.count().map_err(|source| system("read back the keys of rows", source))
}

const fn system(what: &'static str, source: std::io::Error) -> Fault {
    Fault::System { what, source }
}

const fn format(form: Form) -> Format {
    match form {
        Form::Csv => Format::Csv,
        Form::Jsonl => Format::Jsonl,
        Form::Parquet => Format::Parquet,
    }
}

/// Writes the rows of all parts behind each other.
fn copy(parts: &[Part], form: Form, output: Option<&Path>) -> Result<(), Fault> {
    if form == Form::Parquet {
        let paths: Vec<PathBuf> = parts.iter().map(|part| part.path.clone()).collect();
        return Ok(output::join(&paths, output)?);
    }
    let mut lines = Lines::create(output, Some(format(form))).map_err(Fault::Open)?;
    for (at, part) in parts.iter().enumerate() {
        let mut results = Results::open(&part.path)?;
        if at == 0 && form == Form::Csv {
            lines.write(results.line())?;
        }
        while results.next_line()? {
            lines.write(results.line())?;
        }
        if results.rows() != part.rows {
            // Somebody writes to it.
            return Err(Error::Rows { path: part.path.clone(), found: results.rows(), told: part.rows }.into());
        }
    }
    Ok(lines.finish()?)
}

/// Puts the parts' rejects beside the output. Every share has read the whole list, so those of one are those of all.
fn rejects(parts: &[Part], shares: bool, output: &Path) -> Result<(), Fault> {
    let beside = |path: &Path| output::beside(path, ".rejects.csv");
    let paths = parts.iter().map(|part| beside(&named(&part.path))).filter(|path| path.is_file());
    let mut lines: Option<Lines> = None;
    for path in paths.take(if shares { 1 } else { usize::MAX }) {
        let failed = |source| system("read the rejects of a part", source);
        for (at, line) in BufReader::new(File::open(&path).map_err(failed)?).split(b'\n').enumerate() {
            let line = line.map_err(failed)?;
            let is_first = lines.is_none();
            let lines = match &mut lines {
                Some(lines) => lines,
                none => none.insert(Lines::create(Some(&beside(output)), Some(Format::Csv))?),
            };
            // The header of the first is that of all.
            if at > 0 || is_first {
                lines.write(&line)?;
            }
        }
    }
    match lines {
        Some(lines) => Ok(lines.finish()?),
        None => Ok(output::remove(&beside(output))?),
    }
}
