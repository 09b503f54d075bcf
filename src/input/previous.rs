//! The results of earlier runs, read for what a later run must know (`--previous`).
//! Comes in: rows this program wrote, as CSV, JSONL (each also compressed) or Parquet. Goes out: a history.
//! Which of the three it is is seen from the first bytes. A file that is not whole is refused: half a history is none.

use std::borrow::Cow;
use std::io::BufRead as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::columnar::{self, Columnar};
use super::lines::{self, Line, Plain};
use super::{Error, hex};
use crate::model::finding::Code;
use crate::model::header::Previous;
use crate::model::history::{Fact, Gathering, History, MOST_FACTS, TooMany};
use crate::model::name::Name;
use crate::model::words::{Basis, ConnectStatus};

/// The columns that are looked at.
const COLUMNS: [&str; 12] = [
    "address",
    "domain",
    "fqdn",
    "exists",
    "matches",
    "reverse",
    "connect_status",
    "basis",
    "dnsbl_counted",
    "findings",
    "scanned_at",
    "elapsed_ms",
];
/// The verdicts among them: names and reverse zone.
const NAMES: [&str; 4] = ["fqdn", "exists", "matches", "reverse"];
/// Rows of a Parquet file read at a time.
const BATCH: usize = 4_096;

/// The cells of a row that a later run may want to know of.
struct Row<'a> {
    address: Option<&'a str>,
    domain: Option<&'a str>,
    /// Of names and reverse zone, in the order of `NAMES`.
    verdicts: [&'a str; 4],
    connect: &'a str,
    basis: &'a str,
    /// On a blocklist that counts.
    listed: bool,
    findings: &'a [&'a str],
    scanned_at: i64,
    elapsed_ms: u32,
}

/// What one file has told.
struct Told<'a> {
    facts: &'a mut Gathering,
    /// Domains of which no exchange could be reached: that says nothing while no connection of the run succeeded, for
    /// then the scanner's own way out was closed.
    unreachable: Gathering,
    connected: bool,
}

/// Reads files of rows into one history.
pub fn read(paths: &[PathBuf]) -> Result<(History, Vec<Previous>), Error> {
    let mut gathering = Gathering::default();
    let mut read = Vec::with_capacity(paths.len());
    for path in paths {
        let mut told = Told { facts: &mut gathering, unreachable: Gathering::default(), connected: false };
        let digest = if columnar::is_parquet(path) { columns(path, &mut told)? } else { text(path, &mut told)? };
        if told.connected {
            let more = told.unreachable;
            gathering.absorb(more).map_err(|TooMany| Error::TooMuchHistory {
                path: path.display().to_string().into(),
                record: 0,
                most: MOST_FACTS,
            })?;
        }
        read.push(Previous { name: path.display().to_string().into(), sha256: hex(&digest).into() });
    }
    Ok((gathering.finish(), read))
}

fn columns(path: &Path, told: &mut Told<'_>) -> Result<[u8; 32], Error> {
    let mut file = Columnar::open(path, &COLUMNS, BATCH)?;
    let mut record = 0;
    while let Some(batch) = file.next()? {
        for row in 0..batch.rows() {
            record += 1;
            let damaged = |reason: &str| damaged(file.name(), record, reason);
            let findings = batch.texts("findings", row);
            let findings: Vec<&str> = findings.iter().map(String::as_str).collect();
            let verdicts = NAMES.map(|name| batch.text(name, row).unwrap_or_default());
            let scanned_at = batch.time("scanned_at", row).ok_or_else(|| damaged("it has no time"))?;
            let elapsed = batch.number("elapsed_ms", row).unwrap_or(0);
            let listed = !batch.texts("dnsbl_counted", row).is_empty();
            let row = Row {
                address: batch.text("address", row),
                domain: batch.text("domain", row),
                verdicts,
                connect: batch.text("connect_status", row).unwrap_or_default(),
                basis: batch.text("basis", row).unwrap_or_default(),
                listed,
                findings: &findings,
                scanned_at,
                elapsed_ms: elapsed,
            };
            note(&row, file.name(), record, told)?;
        }
    }
    columnar::digest(path)
}

fn text(path: &Path, told: &mut Told<'_>) -> Result<[u8; 32], Error> {
    let mut reader = Plain::open(path)?;
    let first = reader.fill_buf().map(|bytes| bytes.first().copied());
    let first = first.map_err(|told| reader.get_mut().error(told))?;
    if first == Some(b'{') { jsonl(reader, told) } else { csv(reader, told) }
}

/// A row as JSON has it.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    address: Option<Cow<'a, str>>,
    #[serde(borrow)]
    domain: Option<Cow<'a, str>>,
    #[serde(borrow)]
    fqdn: Cow<'a, str>,
    #[serde(borrow)]
    exists: Cow<'a, str>,
    #[serde(borrow)]
    matches: Cow<'a, str>,
    #[serde(borrow)]
    reverse: Cow<'a, str>,
    #[serde(borrow)]
    connect_status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    basis: Option<Cow<'a, str>>,
    dnsbl_counted: Option<Vec<String>>,
    findings: Vec<String>,
    #[serde(borrow)]
    scanned_at: Cow<'a, str>,
    elapsed_ms: u32,
}

fn jsonl(mut reader: std::io::BufReader<Plain>, told: &mut Told<'_>) -> Result<[u8; 32], Error> {
    let mut line = Vec::new();
    loop {
        let read = lines::next(&mut reader, &mut line)?;
        let (name, record) = (Arc::clone(reader.get_ref().stream.name()), reader.get_ref().record);
        let damaged = |reason: &str| damaged(&name, record, reason);
        match read {
            Line::Whole => {}
            Line::TooLong => return Err(damaged("it is no row")),
            Line::End => return Ok(reader.get_ref().stream.digest()),
        }
        let row: Object<'_> = serde_json::from_slice(&line).map_err(|error| match record {
            1 => damaged("it is no row of a scan's results; of stored evidence, `mxcensus judge` makes rows"),
            _ => damaged(&error.to_string()),
        })?;
        let verdicts = [&*row.fqdn, &*row.exists, &*row.matches, &*row.reverse];
        let listed = row.dnsbl_counted.is_some_and(|zones| !zones.is_empty());
        let findings: Vec<&str> = row.findings.iter().map(String::as_str).collect();
        let scanned_at = time(&row.scanned_at).ok_or_else(|| damaged("it has no time"))?;
        let row = Row {
            address: row.address.as_deref(),
            domain: row.domain.as_deref(),
            verdicts,
            connect: row.connect_status.as_deref().unwrap_or_default(),
            basis: row.basis.as_deref().unwrap_or_default(),
            listed,
            findings: &findings,
            scanned_at,
            elapsed_ms: row.elapsed_ms,
        };
        note(&row, &name, record, told)?;
    }
}

fn csv(reader: std::io::BufReader<Plain>, told: &mut Told<'_>) -> Result<[u8; 32], Error> {
    // The reader behind has a buffer of its own already.
    let mut records = ::csv::ReaderBuilder::new().buffer_capacity(64 * 1024).from_reader(reader);
    let name = Arc::clone(records.get_ref().get_ref().stream.name());
    let mut at = [0; COLUMNS.len()];
    let mut record = ::csv::StringRecord::new();
    let header = records.headers().cloned();
    let header = header.map_err(|error| csv_error(error, &name, 0, records.get_mut().get_mut()))?;
    for (at, column) in at.iter_mut().zip(COLUMNS) {
        let place = header.iter().position(|name| name == column);
        *at = place.ok_or_else(|| Error::MissingColumn {
            path: Arc::clone(&name),
            column: column.into(),
            columns: header.iter().collect::<Vec<_>>().join(" "),
        })?;
    }
    let mut number = 0;
    loop {
        number += 1;
        let read = records.read_record(&mut record);
        let read = read.map_err(|error| csv_error(error, &name, number, records.get_mut().get_mut()))?;
        if !read {
            return Ok(records.get_ref().get_ref().stream.digest());
        }
        let damaged = |reason: &str| damaged(&name, number, reason);
        let cells = at.map(|at| record.get(at).unwrap_or_default());
        let [address, domain, fqdn, exists, matches, reverse, connect, basis, counted, findings, scanned_at, elapsed] =
            cells;
        let findings: Vec<&str> = findings.split(';').collect();
        let scanned_at = time(scanned_at).ok_or_else(|| damaged("it has no time"))?;
        let elapsed_ms = elapsed.parse().map_err(|_| damaged("it has no elapsed_ms"))?;
        // An apostrophe stands before what a spreadsheet would run.
        let bare = |cell| Some(str::strip_prefix(cell, '\'').unwrap_or(cell)).filter(|cell| !cell.is_empty());
        let row = Row {
            address: bare(address),
            domain: bare(domain),
            verdicts: [fqdn, exists, matches, reverse],
            connect,
            basis,
            listed: !counted.is_empty(),
            findings: &findings,
            scanned_at,
            elapsed_ms,
        };
        note(&row, &name, number, told)?;
    }
}

fn csv_error(error: ::csv::Error, name: &Arc<str>, record: u64, plain: &mut Plain) -> Error {
    match error.into_kind() {
        ::csv::ErrorKind::Io(told) => plain.error(told),
        ::csv::ErrorKind::Utf8 { .. } => damaged(name, record, "it is not UTF-8"),
        ::csv::ErrorKind::UnequalLengths { .. } => damaged(name, record, "it is no row: it has other columns"),
        other => damaged(name, record, &format!("{other:?}")),
    }
}

fn damaged(name: &Arc<str>, record: u64, reason: &str) -> Error {
    Error::Damaged { path: Arc::clone(name), record, reason: reason.into() }
}

fn time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

impl Row<'_> {
    fn has(&self, code: Code) -> bool {
        self.findings.contains(&code.as_str())
    }

    /// Something that belongs to the address is at fault. A client's name is its own affair: behind the same address
    /// another one may say another.
    fn is_faulty(&self) -> bool {
        let [.., reverse] = self.verdicts;
        if self.basis == Basis::Observed.as_str() { reverse == "fail" } else { self.verdicts.contains(&"fail") }
    }
}

/// Takes what a row says.
fn note(row: &Row<'_>, name: &Arc<str>, record: u64, told: &mut Told<'_>) -> Result<(), Error> {
    // No later than that, everything in the row had been seen.
    let at = row.scanned_at.saturating_add(i64::from(row.elapsed_ms));
    let add = |gathering: &mut Gathering, fact| {
        let added = gathering.add(fact, at);
        added.map_err(|TooMany| Error::TooMuchHistory { path: Arc::clone(name), record, most: MOST_FACTS })
    };
    told.connected |= row.connect == ConnectStatus::Open.as_str();
    let (faulty, silent, lame) =
        (row.is_faulty() && row.listed, row.has(Code::GreetingNone), row.has(Code::PtrZoneLame));
    if let Some(address) = row.address.filter(|_| faulty || silent || lame) {
        let address: IpAddr = address.parse().map_err(|_| damaged(name, record, "its address is none"))?;
        for (holds, fact) in [
            (faulty, Fact::FaultyAndListed(address)),
            (silent, Fact::GreetingNone(address)),
            (lame, Fact::ReverseLame(address)),
        ] {
            if holds {
                add(told.facts, fact)?;
            }
        }
    }
    if let Some(domain) = row.domain.filter(|_| row.has(Code::MxAllUnreachable)) {
        let domain = Name::stored(domain).ok_or_else(|| damaged(name, record, "its domain is none"))?;
        add(&mut told.unreachable, Fact::AllUnreachable(&domain))?;
    }
    Ok(())
}
