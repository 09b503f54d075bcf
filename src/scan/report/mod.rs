//! What runs came to, told to people and programs (`report`).
//! Comes in: files of rows of any form, and the manifests beside them. Goes out: a survey, as text, page, JSON or tables.
//! One thread reads a piece of a file after another, all processors count them, and the counts are joined in the order of the pieces,
//! so that they do not depend on who was faster. Memory holds a few pieces and the counts.

mod files;
mod runs;
mod tables;

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::Value;

use self::runs::Known;
use super::Error as Fault;
use super::journal::Before;
use super::progress::{one_line, say_plainly};
use crate::input::sightings::{Piece, Pieces};
use crate::judge::table::{self, RULES};
use crate::model::finding::Code;
use crate::model::words::{Basis, Severity};
use crate::output::columns::SCHEMA_VERSION;
use crate::output::{self, Lock, is_dangerous};
use crate::report::census::{Census, Settings};
use crate::report::sum::Frame;
use crate::report::survey::{About, Survey};
use crate::report::{page, text};

/// Bytes of lines in a piece.
const PIECE: usize = 4 << 20;
/// Pieces for each processor that are counted at a time.
const EACH: usize = 2;

/// How a survey is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a terminal.
    Text,
    /// For a browser.
    Html,
    /// All of it, for programs.
    Json,
    /// Its tables, a figure a record.
    Csv,
}

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Job {
    /// Files of rows, or folders of them.
    pub results: Vec<PathBuf>,
    /// Where the report goes; None is standard output.
    pub output: Option<PathBuf>,
    /// How it is told.
    pub format: Format,
    /// Its heading.
    pub title: Option<String>,
    /// Rows that are shown as such.
    pub worst: usize,
    /// Colours in text.
    pub colour: bool,
    /// Errors only.
    pub quiet: bool,
}

/// Why there is no report.
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
    /// The same file twice.
    #[error("{} is given twice: its rows would count twice", .0.display())]
    SameFile(PathBuf),
    /// A folder that cannot be read.
    #[error("cannot read the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder without anything in it.
    #[error("the folder {} has no file of rows: none ends in .csv, .jsonl (each also .gz, .zst) or .parquet", .0.display())]
    NoFile(PathBuf),
}

/// Reports.
pub fn run(job: &Job) -> Result<(), Fault> {
    let file = job.output.as_deref().filter(|path| !output::is_direct(path));
    let _lock = file.map(Lock::take).transpose().map_err(Fault::Open)?.flatten();
    // An interrupted scan of that name would lose what it has.
    file.map(|path| Before::of(path, false, &Value::Null)).transpose()?;
    file.map(room).transpose().map_err(Fault::Open)?;
    let survey = survey(job)?;
    let bytes = match job.format {
        Format::Text => text::text(&survey, job.colour).into_bytes(),
        Format::Html => page::html(&survey).into_bytes(),
        Format::Json => json(&survey).into_bytes(),
        Format::Csv => tables::csv(&survey),
    };
    output::replace_or_print(job.output.as_deref(), &bytes)?;
    if let Some(path) = job.output.as_deref().filter(|_| !job.quiet) {
        let (rows, files) = (survey.totals.rows, survey.runs.len());
        let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
        let notes = if survey.notes.is_empty() { "" } else { ", with notes that should be read first" };
        say_plainly(&one_line(&format!("{rows} rows of {files} told in {}{notes}", path.display())));
    }
    Ok(())
}

/// That there is room for a file of this name: better said before all rows are read than after.
fn room(path: &Path) -> Result<(), output::Error> {
    let path = path.to_owned();
    match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        Some(directory) => Err(output::Error::NoDirectory { directory: directory.to_owned(), path }),
        None if path.is_dir() => Err(output::Error::IsDirectory { path }),
        None => Ok(()),
    }
}

/// The survey of all files.
fn survey(job: &Job) -> Result<Survey, Fault> {
    let files = files::of(&job.results)?;
    let settings = Settings { worst: job.worst, severity };
    let mut all = Census::new(settings, 0);
    let mut known = Known::default();
    for (number, path) in files.iter().enumerate() {
        let mut pieces = Pieces::open(path)?;
        let census = count(&mut pieces, path, settings, number)?;
        known.add(path, pieces.form(), pieces.rows(), census.scanned().cloned());
        all.join(census);
    }
    let rules = RULES.iter().map(|about| About {
        rule: about.rule,
        id: about.id,
        asks: about.asks,
        pass: about.pass,
        fail: about.fail,
        unknown: about.unknown,
        na: about.na,
    });
    let mut survey = all.survey(Frame {
        made_by: concat!("mxcensus ", env!("CARGO_PKG_VERSION")).to_owned(),
        title: job.title.clone().unwrap_or_else(|| title(&files)),
        runs: known.runs,
        notes: known.notes,
        rules: rules.collect(),
        explain,
        health: known.health,
    });
    harmless(&mut survey);
    Ok(survey)
}

/// Counts the rows of a file: while some are counted, the counts of those before are joined, and the next are read.
fn count(pieces: &mut Pieces, path: &Path, settings: Settings, number: usize) -> Result<Census, Fault> {
    let most = rayon::current_num_threads() * EACH;
    let mut all = Census::new(settings, number);
    let (mut batch, mut counted): (_, Vec<Result<Census, Fault>>) = (next(pieces, most)?, Vec::new());
    while !batch.is_empty() || !counted.is_empty() {
        let count = |piece| count_piece(piece, path, settings, number);
        let (ahead, now) = rayon::join(
            || {
                // What is wrong with earlier rows is told before what is wrong with later ones.
                counted.into_iter().try_for_each(|census| census.map(|census| all.join(census)))?;
                next(pieces, most)
            },
            || batch.into_par_iter().map(count).collect(),
        );
        (batch, counted) = (ahead?, now);
    }
    Ok(all)
}

/// The next pieces.
fn next(pieces: &mut Pieces, most: usize) -> Result<Vec<Piece>, Fault> {
    let mut batch = Vec::with_capacity(most);
    while batch.len() < most {
        let Some(piece) = pieces.next_piece(PIECE)? else { break };
        batch.push(piece);
    }
    Ok(batch)
}

fn count_piece(mut piece: Piece, path: &Path, settings: Settings, number: usize) -> Result<Census, Fault> {
    let mut census = Census::new(settings, number);
    let mut row = piece.row();
    while let Some((found, sighting)) = piece.next_sighting()? {
        row += 1;
        if found > u64::from(SCHEMA_VERSION) {
            return Err(Error::Schema { path: path.to_owned(), row, found }.into());
        }
        census.add(row, &sighting);
    }
    Ok(census)
}

/// What a finding usually weighs.
fn severity(code: Code, basis: Basis) -> Severity {
    table::entry(code).form(0).severity(basis)
}

fn explain(code: Code) -> [&'static str; 3] {
    let entry = table::entry(code);
    [entry.condition, entry.why, entry.remedy]
}

fn title(files: &[PathBuf]) -> String {
    match files {
        [one] if one.as_os_str() != "-" => format!("Mail servers: {}", one.display()),
        [_] => "Mail servers".to_owned(),
        _ => format!("Mail servers: {} files", files.len()),
    }
}

/// Escapes what could steer a terminal in all texts that came from files, as CSV does: of a CSV file that is done already.
fn harmless(survey: &mut Survey) {
    let mut texts: Vec<&mut String> = vec![&mut survey.title];
    texts.extend(&mut survey.notes);
    for run in &mut survey.runs {
        texts.push(&mut run.name);
        if let Some(told) = &mut run.manifest {
            texts.extend([&mut told.version, &mut told.start]);
            texts.extend(told.end.iter_mut().chain(&mut told.shard));
            texts.extend(
                told.inputs.iter_mut().flat_map(|input| [Some(&mut input.name), input.sha256.as_mut()]).flatten(),
            );
            texts
                .extend(told.tables.iter_mut().flat_map(|table| [&mut table.name, &mut table.date, &mut table.digest]));
        }
    }
    texts.extend(survey.software.entries.iter_mut().filter_map(|software| software.name.as_mut()));
    texts.extend(survey.providers.entries.iter_mut().map(|provider| &mut provider.domain));
    texts.extend(survey.tls.version.iter_mut().map(|version| &mut version.word));
    for list in &mut survey.blocklists.lists.entries {
        texts.push(&mut list.list);
        texts.extend(list.health.iter_mut().filter_map(|health| health.off.as_mut()));
    }
    for row in &mut survey.worst.rows {
        let own = [&mut row.target, &mut row.exchange, &mut row.address, &mut row.ptr, &mut row.introduction];
        texts.extend(own.into_iter().chain([&mut row.greeting]).chain(&mut row.blocklists));
    }
    for text in texts {
        if text.contains(is_dangerous) {
            *text = output::csv::cell(text, output::csv::Formulas::Raw).into_owned();
        }
    }
}

/// The survey as it is, for programs.
fn json(survey: &Survey) -> String {
    let mut text = serde_json::to_string_pretty(survey).expect("a survey's keys are texts and its numbers finite");
    text.push('\n');
    // JSON lets pass what could steer a terminal; all of it lies in the basic plane, and inside of texts.
    let is_safe = |symbol: char| symbol == '\n' || !is_dangerous(symbol);
    if text.chars().all(is_safe) {
        return text;
    }
    let escaped = |symbol: char| {
        if is_safe(symbol) { symbol.to_string() } else { format!("\\u{:04x}", u32::from(symbol)) }
    };
    text.chars().map(escaped).collect()
}
