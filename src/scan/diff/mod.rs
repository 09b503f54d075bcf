//! What has changed between two runs (`diff`).
//! Comes in: two files of rows of any form, and the manifests beside them. Goes out: the changes, for people or for programs, and
//! an `Outcome`.
//! Both are sorted by place and read side by side, so that memory is bounded however long they are, changes come in an order of
//! their own, and of two rows of one place none is lost: they are paired in their order.

pub mod change;
mod page;
pub mod records;
mod runs;
mod sorted;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::change::compare;
use self::page::Page;
use self::records::Records;
use self::sorted::{Record, Sorted, Sorter};
use super::Error as Fault;
use super::journal::Before;
use super::progress::{one_line, say_plainly};
use crate::input::results::{Compared, Form, Results};
use crate::model::standing::{Place, Standing};
use crate::model::words::Severity;
use crate::output::columns::SCHEMA_VERSION;
use crate::output::csv::{Formulas, cell, restore};
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
    let ((mut old, old_rows), (mut new, new_rows)) = (sort(&job.old)?, sort(&job.new)?);
    let rows = [old_rows, new_rows];

    let mut page = Page::new(job.limit, job.colour);
    let begin = |format| {
        Records::begin(Lines::create(job.output.as_deref(), Some(format)).map_err(Fault::Open)?, format)
            .map_err(Fault::from)
    };
    let mut records = job.format.map(begin).transpose()?;
    let mut reached_fail_on = false;
    while let Some((key, was, is)) = pair(&mut old, &mut new).map_err(unsorted)? {
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

/// A place as a text of its own: the same for one place in every form of file, and nothing in it steers a terminal.
fn key(place: &Place, is_csv: bool) -> String {
    let texts = [&place.target, &place.exchange, &place.address, &place.introduction];
    let texts = texts.map(|text| cell(if is_csv { restore(text) } else { text }, Formulas::Raw));
    texts.join("\0")
}

fn place(key: &[u8]) -> Place {
    let text = String::from_utf8_lossy(key);
    let mut texts = text.split('\0').map(str::to_owned);
    let mut next = || texts.next().unwrap_or_default();
    Place { target: next(), exchange: next(), address: next(), introduction: next() }
}

fn standing(bytes: &[u8]) -> Standing {
    postcard::from_bytes(bytes).expect("it was written by this process")
}

/// A key, and what each side has of it.
type Pair = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

/// The next place, and what stands there on each side.
fn pair(old: &mut Sorted, new: &mut Sorted) -> std::io::Result<Option<Pair>> {
    let order = match (old.key(), new.key()) {
        (None, None) => return Ok(None),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (Some(one), Some(other)) => one.cmp(other),
    };
    let was = if order.is_le() { old.next()? } else { None };
    let is = if order.is_ge() { new.next()? } else { None };
    let rest = |record: Option<Record>| record.map(|record| (record.key, record.rest)).unzip();
    let ((one, was), (other, is)) = (rest(was), rest(is));
    Ok(one.or(other).map(|key| (key, was, is)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorted in so little memory, each record with its key's number.
    fn side(keys: &[u32], most: usize) -> Sorted {
        let mut sorter = Sorter::with(most, std::env::temp_dir());
        for (at, key) in (0_u32..).zip(keys) {
            sorter.add(&key.to_be_bytes(), &at.to_be_bytes()).unwrap();
        }
        sorter.finish().unwrap()
    }

    fn pairs(old: &[u32], new: &[u32], most: usize) -> Vec<(u32, Option<u32>, Option<u32>)> {
        let number = |bytes: Vec<u8>| u32::from_be_bytes(bytes.try_into().unwrap());
        let (mut old, mut new) = (side(old, most), side(new, most));
        let mut all = Vec::new();
        while let Some((key, was, is)) = pair(&mut old, &mut new).unwrap() {
            all.push((number(key), was.map(number), is.map(number)));
        }
        all
    }

    #[test]
    fn rows_of_one_place_are_paired_in_their_order_and_none_is_lost() {
        assert_eq!(
            pairs(&[7, 5, 7, 7], &[7, 9, 7], 10_000),
            [(5, Some(1), None), (7, Some(0), Some(0)), (7, Some(2), Some(2)), (7, Some(3), None), (9, None, Some(1))]
        );
        assert_eq!(pairs(&[], &[], 10), []);
    }

    #[test]
    fn what_memory_does_not_hold_is_paired_as_if_it_did() {
        let some = |step: u32| (0..3_000_u32).map(|n| n.wrapping_mul(step) % 997).collect::<Vec<_>>();
        let (old, new) = (some(2_654_435_761), some(40_503));
        let paired = pairs(&old, &new, 1 << 20);
        assert_eq!(pairs(&old, &new, 1_000), paired);
        assert_eq!(paired.iter().filter(|(_, was, _)| was.is_some()).count(), 3_000);
        assert_eq!(paired.iter().filter(|(_, _, is)| is.is_some()).count(), 3_000);
    }

    #[test]
    fn a_place_has_one_key_in_every_form_of_file() {
        let there = Place {
            target: "=1+1".to_owned(),
            exchange: "mx.example".to_owned(),
            address: "192.0.2.1".to_owned(),
            introduction: "a\u{1b}[2J\u{202e}".to_owned(),
        };
        let in_csv =
            Place { target: "'=1+1".to_owned(), introduction: r"a\x1B[2J\xE2\x80\xAE".to_owned(), ..there.clone() };
        let key = key(&there, false);
        assert_eq!(key, super::key(&in_csv, true));
        assert_eq!(place(key.as_bytes()), Place { target: there.target, ..in_csv });
    }
}
