//! The full evidence of a scan, kept for `judge`: one record a target, behind a header.
//! Comes in: the header, then judged targets, in the order of their rows. Goes out: JSONL, plain or compressed, or Parquet.
//! JSONL begins with the header as its first line. Parquet has it in its key-value metadata, and beside the evidence as
//! JSON text a target's place in the run, its line and its text, so that any engine can pick the records it wants.

use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use super::file::{Destination, TextFile};
use super::parquet::{EvidenceColumns, Parts};
use super::spelling::{is_dangerous, is_plain};
use super::{Checkpoint, Compression, Ending, Error, Format, Mark, format_of, octets};
use crate::model::evidence::Evidence;
use crate::model::header::Header;

/// An evidence file at work.
pub struct Evidences {
    file: File,
    /// The record at work, kept for its allocation.
    text: Vec<u8>,
}

enum File {
    Text(Box<TextFile>),
    Columns(Box<EvidenceColumns>),
}

impl fmt::Debug for Evidences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidences").field("place", &self.place()).finish_non_exhaustive()
    }
}

/// The form of an evidence file, by its name.
pub fn form_of(path: &Path) -> Result<(Format, Compression), Error> {
    let unknown = || Error::EvidenceName { path: path.to_owned() };
    match format_of(Some(path), None) {
        Ok((Format::Csv, _)) => Err(unknown()),
        Ok(form) if path.as_os_str() != "-" => Ok(form),
        Ok(_) | Err(_) => Err(unknown()),
    }
}

impl Evidences {
    /// Opens a file, beside its final name, and writes the header.
    pub fn create(path: &Path, header: &Header) -> Result<Self, Error> {
        let (format, compression) = form_of(path)?;
        let destination = Destination::file(path)?;
        let mut text = Vec::with_capacity(16 * 1024);
        push(&mut text, header);
        if format == Format::Parquet {
            let columns = EvidenceColumns::new(Parts::new(destination)?, written(&text))?;
            return Ok(Self { file: File::Columns(Box::new(columns)), text });
        }
        let mut evidences = Self { file: File::Text(Box::new(TextFile::new(destination, compression)?)), text };
        evidences.write_line()?;
        Ok(evidences)
    }

    /// Opens the file of an interrupted run behind this mark; what stands behind it is dropped. The header is that of the run.
    pub fn resume(path: &Path, header: &Header, mark: &Mark) -> Result<Self, Error> {
        let (format, compression) = form_of(path)?;
        let mut text = Vec::with_capacity(16 * 1024);
        push(&mut text, header);
        let file = if format == Format::Parquet {
            let columns = EvidenceColumns::new(Parts::resumed(path, mark)?, written(&text))?;
            File::Columns(Box::new(columns))
        } else {
            let destination = Destination::resumed(path, octets(path, mark)?)?;
            File::Text(Box::new(TextFile::new(destination, compression)?))
        };
        Ok(Self { file, text })
    }

    /// Hands all that was written to the system, so that a run that is interrupted later can go on from here.
    pub fn checkpoint(&mut self) -> Result<Checkpoint, Error> {
        match &mut self.file {
            File::Text(file) => file.checkpoint(),
            File::Columns(columns) => columns.checkpoint(),
        }
    }

    /// Writes what was seen for one target.
    pub fn write(&mut self, evidence: &Evidence) -> Result<(), Error> {
        self.text.clear();
        push(&mut self.text, evidence);
        match &mut self.file {
            File::Text(_) => self.write_line(),
            File::Columns(columns) => {
                columns.write(&evidence.target, std::str::from_utf8(&self.text).expect("JSON is UTF-8"))
            }
        }
    }

    /// Ends the file; a complete one gets its final name.
    pub fn finish(self, ending: Ending) -> Result<(), Error> {
        match self.file {
            File::Text(file) => file.commit(ending),
            File::Columns(columns) => columns.finish(ending),
        }
    }

    fn place(&self) -> &Path {
        match &self.file {
            File::Text(file) => file.place(),
            File::Columns(columns) => columns.place(),
        }
    }

    fn write_line(&mut self) -> Result<(), Error> {
        let File::Text(file) = &mut self.file else { return Ok(()) };
        self.text.push(b'\n');
        file.write_all(&self.text).map_err(|source| Error::io("write", file.place(), source))
    }
}

fn written(json: &[u8]) -> String {
    String::from_utf8(json.to_vec()).expect("JSON is UTF-8")
}

fn push(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    let mut serializer = Serializer::with_formatter(out, Harmless(CompactFormatter));
    value.serialize(&mut serializer).expect("evidence has texts as keys, and a vector takes all that is written");
}

/// JSON whose texts steer no terminal: a target may hold what its list held.
struct Harmless(CompactFormatter);

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if is_plain(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        let mut utf8 = [0; 4];
        for symbol in fragment.chars() {
            if is_dangerous(symbol) {
                // All of them lie in the basic plane: one escape each.
                write!(out, "\\u{:04x}", u32::from(symbol))?;
            } else {
                out.write_all(symbol.encode_utf8(&mut utf8).as_bytes())?;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(out, escape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_form_and_csv_is_none() {
        for (name, form) in [
            ("e.jsonl", Some((Format::Jsonl, Compression::None))),
            ("e.jsonl.gz", Some((Format::Jsonl, Compression::Gzip))),
            ("E.JSONL.ZST", Some((Format::Jsonl, Compression::Zstd))),
            ("e.parquet", Some((Format::Parquet, Compression::None))),
            ("e.parquet.zst", None),
            ("e.csv", None),
            ("e.json", None),
            ("evidence", None),
            ("-", None),
        ] {
            assert_eq!(form_of(Path::new(name)).ok(), form, "{name}");
        }
    }

    #[test]
    fn a_text_from_a_list_steers_no_terminal_and_reads_back() {
        let text = "a\u{1b}[2J\u{202e}\"\\\u{9b}münchen\n";
        let mut out = Vec::new();
        push(&mut out, &text);
        let written = String::from_utf8(out).unwrap();
        assert!(!written.chars().any(is_dangerous), "{written:?}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }
}
