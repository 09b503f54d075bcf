//! What has changed between two runs (`diff`).
//! Comes in: two files of rows of any form, and the manifests beside them. Goes out: the changes, for people or for programs, and
//! an `Outcome`.
//! Both are sorted by place and read side by side, so that memory is bounded however long they are, changes come in an order of
//! their own, and of two rows of one place none is lost: they are paired in their order.

pub mod change;
mod page;
mod pairs;
pub mod records;
mod runs;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::change::compare;
use self::page::Page;
use self::pairs::{Pairs, key, place};
use self::records::Records;
use super::Error as Fault;
use super::journal::Before;
use super::progress::{one_line, say_plainly};
use super::sorted::{Sorted, Sorter};
use crate::input::results::{Compared, Form, Results};
use crate::model::standing::Standing;
use crate::model::words::Severity;
use crate::output::columns::SCHEMA_VERSION;
use crate::output::{self, Format, Lines, Lock};

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Job {
    /// The rows before.
    pub old: PathBuf,
    /// The rows now.
    pub new: PathBuf,
    /// Where changes go; None is standard output.
    pub output: Option<PathBuf>,
    /// How they are told; None is as text.
    pub format: Option<Format>,
    /// Changes of each kind that text tells.
    pub limit: usize,
    /// The severity that makes the run end with exit code 1.
    pub fail_on: Option<Severity>,
    /// Colours in text.
    pub colour: bool,
    /// Errors only, and no text where nothing has changed.
    pub quiet: bool,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Something got worse, by at least the severity of `--fail-on`.
    pub reached_fail_on: bool,
}

/// Why two runs are not compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Rows of a column table that is too new.
    #[error("row {row} of {path} is of version {found} of the column table, and this program reads up to {SCHEMA_VERSION}: use a newer one", path = path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
        /// Its version.
        found: u64,
    },
}

/// Compares two outputs.
pub fn run(job: &Job) -> Result<Outcome, Fault> {
    let file = job.output.as_deref().filter(|path| !output::is_direct(path));
    let _lock = file.map(Lock::take).transpose().map_err(Fault::Open)?.flatten();
    // An interrupted scan of that name would lose what it has.
    file.map(|path| Before::of(path, false, &Value::Null)).transpose()?;
    let runs = runs::of(&job.old, &job.new);
    if let Some(warning) = runs.warning.filter(|_| !job.quiet) {
        say_plainly(&one_line(&format!("warning: {warning}")));
    }
    let scratch = std::env::temp_dir();
    let sort = |path: &Path| sorted(path, Sorter::new(scratch.clone()));
    let ((old, old_rows), (new, new_rows)) = (sort(&job.old)?, sort(&job.new)?);
    let rows = [old_rows, new_rows];

    let mut page = Page::new(job.limit, job.colour);
    let begin = |format| {
        Records::begin(Lines::create(job.output.as_deref(), Some(format)).map_err(Fault::Open)?, format)
            .map_err(Fault::from)
    };
    let mut records = job.format.map(begin).transpose()?;
    let mut reached_fail_on = false;
    let mut pairs = Pairs::new(old, new);
    while let Some((key, was, is)) = pairs.next().map_err(unsorted)? {
        if was == is {
            continue;
        }
        let place = place(&key);
        let (was, is) = (was.as_deref().map(standing), is.as_deref().map(standing));
        for change in compare(was.as_ref(), is.as_ref(), &runs.lists) {
            // The graver severities come first.
            reached_fail_on |= change.alarm().is_some_and(|found| job.fail_on.is_some_and(|least| found <= least));
            page.add(&place, &change);
            if let Some(records) = &mut records {
                records.write(&place, &change)?;
            }
        }
    }
    let is_text = records.is_none();
    if let Some(records) = records {
        records.finish()?;
    } else if file.is_some() || !(job.quiet && page.is_empty()) {
        output::replace_or_print(job.output.as_deref(), page.text(rows).as_bytes())?;
    }
    if !job.quiet && (!is_text || file.is_some()) {
        say_plainly(&page.summary(rows));
    }
    Ok(Outcome { reached_fail_on })
}

/// The rows of a file by their places, and how many they are.
fn sorted(path: &Path, mut sorter: Sorter) -> Result<(Sorted, u64), Fault> {
    let mut results = Results::open(path)?;
    let is_csv = results.form() == Form::Csv;
    while let Some(Compared { schema_version, place, standing }) = results.next_compared()? {
        if schema_version > u64::from(SCHEMA_VERSION) {
            let (path, row) = (path.to_owned(), results.rows());
            return Err(Error::Schema { path, row, found: schema_version }.into());
        }
        let rest = postcard::to_extend(&standing, Vec::new()).expect("a vector takes all that is written");
        sorter.add(key(&place, is_csv).as_bytes(), &rest).map_err(unsorted)?;
    }
    Ok((sorter.finish().map_err(unsorted)?, results.rows()))
}

const fn unsorted(source: std::io::Error) -> Fault {
    Fault::System { what: "sort rows in a temporary file", source }
}

fn standing(bytes: &[u8]) -> Standing {
    postcard::from_bytes(bytes).expect("it was written by this process")
}
