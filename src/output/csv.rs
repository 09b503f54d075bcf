//! Rows as CSV (RFC 4180, lines end in LF), safe to print and safe to open in a spreadsheet.
//! Comes in: rows. Goes out: a header and one record a row.
//!
//! How a cell is spelled, in this order:
//! 1. Null is the empty cell. Words, numbers and times stand as they are.
//! 2. Control and bidirectional characters become `\xHH`, one for each of their UTF-8 bytes; always.
//! 3. The items of a list are joined by `;`; inside an item, `\` is written `\\` and `;` is written `\;`.
//! 4. A text or list that begins with `=`, `+`, `-`, `@` or `'` gets one `'` in front. Taking one leading `'` away always
//!    restores it. `--csv-raw` turns this step off. (Tab and CR, which spreadsheets run too, are gone after step 2.)

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use super::columns::{COLUMNS, Cell};
use super::file::TextFile;
use super::spelling::{is_dangerous, is_plain, push_number, push_time};
use super::{Checkpoint, Ending, Error, Sink};
use crate::model::assessment::Row;

/// Whether cells that a spreadsheet would run are made harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formulas {
    /// Yes, by a leading `'`.
    Neutralised,
    /// No (`--csv-raw`).
    Raw,
}

impl From<bool> for Formulas {
    /// From `--csv-raw`.
    fn from(raw: bool) -> Self {
        if raw { Self::Raw } else { Self::Neutralised }
    }
}

/// The sink for CSV.
pub(super) struct Csv {
    /// None while, and after, it could not be taken apart.
    writer: Option<::csv::Writer<TextFile>>,
    place: PathBuf,
    formulas: Formulas,
    /// The cell at work, kept for its allocation.
    cell: Vec<u8>,
}

impl Csv {
    /// Records into this file.
    pub(super) fn new(file: TextFile, formulas: Formulas) -> Self {
        let place = file.place().to_owned();
        Self { writer: Some(writer(file)), place, formulas, cell: Vec::with_capacity(1_024) }
    }

    /// Writes the header.
    pub(super) fn header(&mut self) -> Result<(), Error> {
        let header = self.writer().write_record(COLUMNS.iter().map(|column| column.name));
        header.map_err(|error| self.error(error))
    }

    fn writer(&mut self) -> &mut ::csv::Writer<TextFile> {
        self.writer.as_mut().expect("nobody writes on after a failed checkpoint")
    }

    /// What is written, without the writer's own buffer.
    fn take_file(&mut self) -> Result<TextFile, Error> {
        let writer = self.writer.take().expect("nobody writes on after a failed checkpoint");
        writer.into_inner().map_err(|error| Error::io("write", &self.place, error.into_error()))
    }

    fn error(&self, error: ::csv::Error) -> Error {
        let source = match error.into_kind() {
            ::csv::ErrorKind::Io(source) => source,
            other => std::io::Error::other(format!("{other:?}")),
        };
        Error::io("write", &self.place, source)
    }

    fn record(&mut self, row: Row<'_>) -> Result<(), ::csv::Error> {
        let writer = self.writer.as_mut().expect("nobody writes on after a failed checkpoint");
        for column in COLUMNS {
            self.cell.clear();
            match (column.cell)(row) {
                Cell::Null => {}
                Cell::Word(word) => {
                    writer.write_field(word)?;
                    continue;
                }
                // Nearly every text stands as it is, and need not be copied.
                Cell::Text(text) if is_plain(&text) && !is_formula(text.as_bytes()) => {
                    writer.write_field(text.as_bytes())?;
                    continue;
                }
                Cell::Number(number) => push_number(&mut self.cell, number),
                Cell::Time(ms) => {
                    push_time(&mut self.cell, ms);
                }
                Cell::Text(text) => {
                    push_escaped(&mut self.cell, &text);
                    neutralise(&mut self.cell, self.formulas);
                }
                Cell::List(items) => {
                    push_list(&mut self.cell, &items);
                    neutralise(&mut self.cell, self.formulas);
                }
            }
            writer.write_field(&self.cell)?;
        }
        writer.write_record(None::<&[u8]>)
    }
}

fn writer(file: TextFile) -> ::csv::Writer<TextFile> {
    ::csv::WriterBuilder::new().buffer_capacity(64 * 1024).from_writer(file)
}

impl Sink for Csv {
    fn write(&mut self, row: Row<'_>) -> Result<(), Error> {
        self.record(row).map_err(|error| self.error(error))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, Error> {
        let mut file = self.take_file()?;
        let checkpoint = file.checkpoint();
        self.writer = Some(writer(file));
        checkpoint
    }

    fn finish(mut self: Box<Self>, ending: Ending) -> Result<(), Error> {
        self.take_file()?.commit(ending)
    }
}

impl fmt::Debug for Csv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Csv").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A text as it stands in a cell of any CSV this program writes (steps 2 and 4 of the module's rule).
pub fn cell(text: &str, formulas: Formulas) -> Cow<'_, str> {
    let mut cell = Vec::with_capacity(text.len() + 1);
    push_escaped(&mut cell, text);
    neutralise(&mut cell, formulas);
    if cell == text.as_bytes() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(String::from_utf8(cell).expect("escapes are ASCII and the rest was text"))
}

/// Takes step 4 back: what a neutralised cell held before.
pub fn restore(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// Takes step 3 back: the items of a list cell, after `restore`.
pub fn items(cell: &str) -> Vec<String> {
    if cell.is_empty() {
        return Vec::new();
    }
    let mut items = vec![String::new()];
    let mut symbols = cell.chars();
    while let Some(symbol) = symbols.next() {
        let plain = match symbol {
            ';' => {
                items.push(String::new());
                continue;
            }
            '\\' => symbols.next().unwrap_or('\\'),
            plain => plain,
        };
        if let Some(last) = items.last_mut() {
            last.push(plain);
        }
    }
    items
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut utf8 = [0; 4];
    for symbol in text.chars() {
        let bytes = symbol.encode_utf8(&mut utf8).as_bytes();
        if is_dangerous(symbol) {
            for byte in bytes {
                out.extend_from_slice(b"\\x");
                out.extend([byte >> 4, byte & 15].map(hex));
            }
        } else {
            out.extend_from_slice(bytes);
        }
    }
}

/// A number below 16 as an upper-case digit.
const fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

fn push_list(out: &mut Vec<u8>, items: &[Cow<'_, str>]) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b';');
        }
        let start = out.len();
        push_escaped(out, item);
        if out.get(start..).is_some_and(|pushed| pushed.iter().any(|byte| matches!(byte, b'\\' | b';'))) {
            let pushed = out.split_off(start);
            for byte in pushed {
                if matches!(byte, b'\\' | b';') {
                    out.push(b'\\');
                }
                out.push(byte);
            }
        }
    }
}

fn neutralise(cell: &mut Vec<u8>, formulas: Formulas) {
    if formulas == Formulas::Neutralised && is_formula(cell) {
        cell.insert(0, b'\'');
    }
}

/// Whether a spreadsheet would run a cell, or the reverse of the rule would harm it.
fn is_formula(cell: &[u8]) -> bool {
    matches!(cell.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\''))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_made_harmless() {
        for (text, safe) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("'quoted", "''quoted"),
            ("\t=1", "\\x09=1"),
            ("\r=1", "\\x0D=1"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(cell(text, Formulas::Neutralised), safe, "{text:?}");
        }
        assert_eq!(cell("=1", Formulas::Raw), "=1");
        assert_eq!(cell("'=1", Formulas::Raw), "'=1");
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_left_even_in_raw_cells() {
        let text = "a\u{1b}[2J\0\u{202e}\u{9b}\u{7f}\nmünchen";
        assert_eq!(cell(text, Formulas::Raw), r"a\x1B[2J\x00\xE2\x80\xAE\xC2\x9B\x7F\x0Amünchen");
    }

    #[test]
    fn an_item_with_a_semicolon_stays_one_item() {
        let mut out = Vec::new();
        push_list(&mut out, &["a;b".into(), r"c\".into(), "d\n".into()]);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, r"a\;b;c\\;d\\x0A");
        assert_eq!(items(&text), ["a;b", r"c\", r"d\x0A"]);
    }

    proptest! {
        #[test]
        fn taking_one_apostrophe_away_restores_every_cell(text in "\\PC*|[=+@'\\-][=+@'\\-]*.*|.*") {
            let raw = cell(&text, Formulas::Raw);
            let safe = cell(&text, Formulas::Neutralised);
            prop_assert_eq!(restore(&safe), &*raw);
            prop_assert!(!safe.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert!(!safe.chars().any(is_dangerous));
        }

        #[test]
        fn lists_survive_the_round_trip(list in prop::collection::vec("[a-z;\\\\=' ]{1,8}", 0..6)) {
            let mut out = Vec::new();
            push_list(&mut out, &list.iter().map(|item| Cow::Borrowed(item.as_str())).collect::<Vec<_>>());
            prop_assert_eq!(items(std::str::from_utf8(&out).unwrap()), list);
        }
    }
}
