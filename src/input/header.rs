//! Finds out how an input is laid out: its encoding, its delimiter, its header, its columns.
//! Comes in: the first bytes and the first record. Goes out: a layout, or a usage error that names the columns there are.
//! A first record is a header when one of its cells is a known name, or one that the user named; else it is data.
//! Content is no concern here: whether a target is a good one, `cell` says.

use std::sync::Arc;

use super::record::{Kind, MAX_RECORD, Records, Syntax, cells};
use super::{Error, Options, excerpt};

/// Header names of a target column, in the order in which they are looked for.
const TARGETS: [&str; 6] = ["target", "domain", "host", "ip", "address", "saddr"];
/// Header names of a column of introductions.
const HELOS: [&str; 2] = ["helo", "ehlo"];
/// What is told apart from text, so that a wrong file is not answered with a million rejects.
const FOREIGN: [(&[u8], &str); 6] = [
    (&[0xFF, 0xFE], "UTF-16 text (save it as UTF-8)"),
    (&[0xFE, 0xFF], "UTF-16 text (save it as UTF-8)"),
    (b"BZh", "compressed with bzip2 (only gzip and zstd are read)"),
    (&[0xFD, b'7', b'z', b'X', b'Z'], "compressed with xz (only gzip and zstd are read)"),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet (save it as CSV)"),
    (b"PAR1", "Parquet (save it as CSV)"),
];

/// One column of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// From 0.
    pub(super) at: usize,
    /// Its header name, or else its number from 1.
    pub(super) label: Box<str>,
}

/// Which columns matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) target: Column,
    pub(super) helo: Option<Column>,
}

/// Looks at the beginning of an input, sets its syntax, and passes its header over.
pub(super) fn layout(records: &mut Records, options: &Options) -> Result<Layout, Error> {
    skip_mark(records)?;
    records.syntax.terminator = terminator(records)?;
    // A `#` at the beginning of a line cannot begin a target; where the targets stand further on, it can begin a record.
    records.syntax.comments = options.column.as_deref().and_then(number).is_none_or(|column| column <= 1);
    // Framing drops blank lines and comments, whatever the delimiter; the second time the record is cut by the right one.
    if let Some(first) = records.frame()? {
        records.syntax.delimiter = delimiter(records.content(&first), records.syntax, options);
    }
    let first = records.frame()?;
    let names: Vec<String> = match &first {
        Some(framed) if framed.kind == Kind::Whole => {
            cells(records.content(framed), records.syntax).map(|cell| name(&cell)).collect()
        }
        _ => Vec::new(),
    };
    let header = is_header(&names, options);
    let missing = |column: &str| Error::MissingColumn {
        path: Arc::clone(records.stream.name()),
        column: column.into(),
        columns: list(&names),
    };
    let find = |wanted: &str| match (number(wanted), position(&names, wanted)) {
        (Some(number), _) if number > 0 && (!header || number <= names.len()) => Ok(number - 1),
        (None, Some(at)) => Ok(at),
        _ => Err(missing(wanted)),
    };
    let known = |known: &[&str]| header.then(|| known.iter().find_map(|name| position(&names, name))).flatten();
    let helo = match &options.helo_column {
        // Nothing to look for in an empty input.
        Some(_) if first.is_none() => None,
        Some(wanted) => Some(find(wanted)?),
        None => known(&HELOS),
    };
    let target = match &options.column {
        Some(_) if first.is_none() => 0,
        Some(wanted) => find(wanted)?,
        None => known(&TARGETS).unwrap_or(0),
    };
    if helo == Some(target) {
        return Err(missing(options.column.as_deref().unwrap_or("target")));
    }
    let column = |at: usize| Column {
        at,
        label: match names.get(at) {
            Some(name) if header => excerpt(name.as_bytes()),
            _ => (at + 1).to_string().into(),
        },
    };
    let layout = Layout { target: column(target), helo: helo.map(column) };
    if let (true, Some(framed)) = (header, &first) {
        records.consume(framed);
        records.number = 0;
    }
    records.syntax.comments = target == 0;
    Ok(layout)
}

/// Passes a UTF-8 byte order mark over and refuses what is no text at all.
fn skip_mark(records: &mut Records) -> Result<(), Error> {
    while records.pending().len() < 5 && !records.pending().contains(&b'\n') && records.fill()? {}
    if let Some((_, what)) = FOREIGN.iter().find(|(magic, _)| records.pending().starts_with(magic)) {
        return Err(Error::Foreign { path: Arc::clone(records.stream.name()), what });
    }
    if records.pending().starts_with(b"\xEF\xBB\xBF") {
        records.advance(3);
    }
    Ok(())
}

/// LF, unless the first line ends in a CR and there is no LF as far as a record can reach.
fn terminator(records: &mut Records) -> Result<u8, Error> {
    while !records.pending().contains(&b'\n') && records.pending().len() <= MAX_RECORD {
        if !records.fill()? {
            break;
        }
    }
    let pending = records.pending();
    let pending = pending.get(..=MAX_RECORD).unwrap_or(pending);
    Ok(if pending.contains(&b'\r') && !pending.contains(&b'\n') { b'\r' } else { b'\n' })
}

/// The delimiter under which the first record is a header, else the most frequent one outside quotes, else the comma.
fn delimiter(record: &[u8], syntax: Syntax, options: &Options) -> u8 {
    let line = record.split(|byte| *byte == syntax.terminator).next().unwrap_or_default();
    let count = |delimiter: u8| {
        let mut quoted = false;
        line.iter()
            .filter(|byte| {
                quoted ^= **byte == b'"';
                !quoted && **byte == delimiter
            })
            .count()
    };
    let header = |delimiter: u8| {
        let names: Vec<String> = cells(line, Syntax { delimiter, ..syntax }).map(|cell| name(&cell)).collect();
        is_header(&names, options)
    };
    // Of equals the last is taken.
    b";\t,"
        .iter()
        .copied()
        .max_by_key(|delimiter| (count(*delimiter) > 0 && header(*delimiter), count(*delimiter)))
        .unwrap_or(b',')
}

fn is_header(names: &[String], options: &Options) -> bool {
    let named = [&options.column, &options.helo_column].into_iter().flatten().filter(|name| number(name).is_none());
    TARGETS.iter().chain(&HELOS).copied().chain(named.map(String::as_str)).any(|name| position(names, name).is_some())
}

/// A header cell as it is compared and shown.
fn name(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell).trim().to_owned()
}

fn position(names: &[String], wanted: &str) -> Option<usize> {
    names.iter().position(|name| name.eq_ignore_ascii_case(wanted.trim()))
}

/// A column given by its number, from 1.
fn number(wanted: &str) -> Option<usize> {
    wanted.trim().parse().ok()
}

fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(20).map(|name| excerpt(name.as_bytes())).collect();
    let more = if names.len() > shown.len() { ", ..." } else { "" };
    if shown.is_empty() { "none".to_owned() } else { format!("{}{more}", shown.join(", ")) }
}
