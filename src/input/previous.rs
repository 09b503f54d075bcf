//! The results of earlier runs, read for what a later run must know (`--previous`).
//! Comes in: rows this program wrote, as CSV, JSONL (each also compressed) or Parquet. Goes out: a history.
//! Which of the three it is is seen from the first bytes. A file that is not whole is refused: half a history is none.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Error;
use super::rows::Rows;
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

/// The cells of a row that a later run may want to know of.
struct Row<'a> {
    address: Option<&'a str>,
    domain: Option<&'a str>,
    /// Of names and reverse zone, that of the reverse zone last.
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
        let sha256 = file(path, &mut told)?;
        if told.connected {
            let more = told.unreachable;
            gathering.absorb(more).map_err(|TooMany| Error::TooMuchHistory {
                path: path.display().to_string().into(),
                record: 0,
                most: MOST_FACTS,
            })?;
        }
        read.push(Previous { name: path.display().to_string().into(), sha256 });
    }
    Ok((gathering.finish(), read))
}

/// Takes what the rows of a file say.
fn file(path: &Path, told: &mut Told<'_>) -> Result<Box<str>, Error> {
    let mut rows = Rows::open(path, COLUMNS)?;
    while rows.next()? {
        let [address, domain, fqdn, exists, matches, reverse, connect, basis, counted, findings, scanned_at, elapsed] =
            rows.hand().cells();
        let findings: Vec<&str> = findings.split(';').collect();
        let row = Row {
            address: bare(address),
            domain: bare(domain),
            verdicts: [fqdn, exists, matches, reverse].map(String::as_str),
            connect,
            basis,
            listed: !counted.is_empty(),
            findings: &findings,
            scanned_at: time(scanned_at).ok_or_else(|| rows.hand().damaged("it has no time"))?,
            elapsed_ms: rows.hand().parsed("elapsed_ms", elapsed)?,
        };
        note(&row, &rows, told)?;
    }
    Ok(rows.sha256(path)?.into())
}

/// A cell that is not empty, without the apostrophe that stands before what a spreadsheet would run.
fn bare(cell: &str) -> Option<&str> {
    Some(cell.strip_prefix('\'').unwrap_or(cell)).filter(|cell| !cell.is_empty())
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
fn note(row: &Row<'_>, rows: &Rows<{ COLUMNS.len() }>, told: &mut Told<'_>) -> Result<(), Error> {
    // No later than that, everything in the row had been seen.
    let at = row.scanned_at.saturating_add(i64::from(row.elapsed_ms));
    let add = |gathering: &mut Gathering, fact| {
        let added = gathering.add(fact, at);
        added.map_err(|TooMany| Error::TooMuchHistory {
            path: Arc::clone(rows.hand().name()),
            record: rows.hand().number(),
            most: MOST_FACTS,
        })
    };
    told.connected |= row.connect == ConnectStatus::Open.as_str();
    let (faulty, silent, lame) =
        (row.is_faulty() && row.listed, row.has(Code::GreetingNone), row.has(Code::PtrZoneLame));
    if let Some(address) = row.address.filter(|_| faulty || silent || lame) {
        let address: IpAddr = address.parse().map_err(|_| rows.hand().damaged("its address is none"))?;
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
        let domain = Name::stored(domain).ok_or_else(|| rows.hand().damaged("its domain is none"))?;
        add(&mut told.unreachable, Fact::AllUnreachable(&domain))?;
    }
    Ok(())
}
