//! Rows as JSON objects, one a line, keys in the order of the table (RFC 8259).
//! Comes in: rows. Goes out: every column in every object; null where nothing is known, lists as arrays, times as RFC 3339.
//! Text is kept whole: what could steer a terminal is written as a `\u` escape, which a JSON reader turns back.

use std::io::Write as _;

use super::columns::{COLUMNS, Cell};
use super::file::TextFile;
use super::spelling::{is_dangerous, is_plain, push_number, push_time};
use super::{Checkpoint, Ending, Error, Sink};
use crate::model::assessment::Row;

/// The sink for JSONL.
#[derive(Debug)]
pub(super) struct Jsonl {
    file: TextFile,
    /// The line at work, kept for its allocation.
    line: Vec<u8>,
}

impl Jsonl {
    /// Rows into this file.
    pub(super) fn new(file: TextFile) -> Self {
        Self { file, line: Vec::with_capacity(4_096) }
    }
}

impl Sink for Jsonl {
    fn write(&mut self, row: Row<'_>) -> Result<(), Error> {
        self.line.clear();
        push_row(&mut self.line, row);
        self.file.write_all(&self.line).map_err(|source| Error::io("write", self.file.place(), source))
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, Error> {
        self.file.checkpoint()
    }

    fn finish(self: Box<Self>, ending: Ending) -> Result<(), Error> {
        self.file.commit(ending)
    }
}

/// A row as an object, without the end of its line.
pub fn json(row: Row<'_>) -> String {
    let mut line = Vec::new();
    push_row(&mut line, row);
    line.pop();
    String::from_utf8(line).expect("all that is written is text")
}

fn push_row(out: &mut Vec<u8>, row: Row<'_>) {
    for (at, column) in COLUMNS.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
        out.extend_from_slice(column.name.as_bytes());
        out.extend_from_slice(b"\":");
        match (column.cell)(row) {
            Cell::Null => out.extend_from_slice(b"null"),
            Cell::Number(number) => push_number(out, number),
            Cell::Text(text) => push_string(out, &text),
            Cell::Word(word) => push_string(out, word),
            Cell::List(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    push_string(out, item);
                }
                out.push(b']');
            }
            Cell::Time(ms) => {
                let start = out.len();
                out.push(b'"');
                if push_time(out, ms) {
                    out.push(b'"');
                } else {
                    out.truncate(start);
                    out.extend_from_slice(b"null");
                }
            }
        }
    }
    out.extend_from_slice(b"}\n");
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if is_plain(text) && !text.bytes().any(|byte| matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(text.as_bytes());
    } else {
        let mut utf8 = [0; 4];
        for symbol in text.chars() {
            match symbol {
                '"' | '\\' => out.extend([b'\\', if symbol == '"' { b'"' } else { b'\\' }]),
                // All of them lie in the basic plane: one escape each.
                _ if is_dangerous(symbol) => {
                    write!(out, "\\u{:04x}", u32::from(symbol)).expect("writing to a vector cannot fail");
                }
                _ => out.extend_from_slice(symbol.encode_utf8(&mut utf8).as_bytes()),
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_reads_back_and_steers_no_terminal(text in any::<String>()) {
            let mut out = Vec::new();
            push_string(&mut out, &text);
            let written = String::from_utf8(out).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
            prop_assert!(!written.chars().any(is_dangerous));
        }
    }

    #[test]
    fn escapes_quotes_and_marks_read_back() {
        let text = "\"\\\u{1b}[0m\n\0\u{202e}\u{2028}é";
        let mut out = Vec::new();
        push_string(&mut out, text);
        let written = String::from_utf8(out).unwrap();
        assert_eq!(written, r#""\"\\\u001b[0m\u000a\u0000\u202e\u2028é""#);
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
