//! Frames records in a bounded buffer and splits them into cells.
//! Comes in: plain bytes in pieces of any size. Goes out: one framed record at a time, blank lines and comments left out.
//! RFC 4180 with what is found in the wild: any delimiter, CRLF, LF or CR, ragged rows, stray quotes.
//! A quote that is never closed costs its own line and no other: it must not swallow the rest of the list.

use std::borrow::Cow;
use std::ops::Range;

use super::Error;
use super::stream::Stream;

/// Longest record in bytes, its line end not counted.
pub(super) const MAX_RECORD: usize = 64 * 1024;
/// Holds a longest record beside what is read ahead.
const BUFFER: usize = 4 * MAX_RECORD;
/// Enough of a record to find out that it is too long: a CR and one byte more.
const LIMIT: usize = MAX_RECORD + 2;

/// How the bytes of one input are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Syntax {
    /// Between cells.
    pub(super) delimiter: u8,
    /// At the end of a line: LF (a CR before it is dropped), or CR alone as old spreadsheets write it.
    pub(super) terminator: u8,
    /// Whether a line that begins with `#` is a comment.
    pub(super) comments: bool,
}

/// What a framed record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A record whose cells can be read.
    Whole,
    /// Over [`MAX_RECORD`].
    TooLong,
    /// A quote is opened and not closed in its place.
    OpenQuote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Bytes from the record's beginning to the next one's.
    After(usize),
    /// Past the next line end, wherever that is.
    NextLine,
}

/// One record in the buffer, not yet consumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Framed {
    pub(super) kind: Kind,
    content: Range<usize>,
    first_line: usize,
    next: Next,
}

/// The records of one input.
pub(super) struct Records {
    pub(super) stream: Stream,
    pub(super) syntax: Syntax,
    /// Records consumed so far.
    pub(super) number: u64,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    skipping: bool,
}

impl Records {
    pub(super) fn new(stream: Stream, syntax: Syntax) -> Self {
        Self { stream, syntax, number: 0, buffer: vec![0; BUFFER], start: 0, end: 0, ended: false, skipping: false }
    }

    /// Bytes read and not consumed.
    pub(super) fn pending(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops bytes from the front.
    pub(super) fn advance(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }

    /// Reads more; false at the end of the input.
    pub(super) fn fill(&mut self) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let space = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = self.stream.fill(space, self.number)?;
        self.end += count;
        self.ended = count == 0;
        Ok(!self.ended)
    }

    /// Whether all bytes have been read from the stream.
    pub(super) const fn at_end(&self) -> bool {
        self.ended
    }

    /// The next record, left in place until [`Self::consume`]; None at the end.
    pub(super) fn frame(&mut self) -> Result<Option<Framed>, Error> {
        loop {
            self.finish_skipping()?;
            let Some(line) = self.line_end()? else {
                if self.is_comment() {
                    self.skipping = true;
                    continue;
                }
                return Ok(Some(Framed {
                    kind: Kind::TooLong,
                    content: 0..MAX_RECORD,
                    first_line: MAX_RECORD,
                    next: Next::NextLine,
                }));
            };
            if line == 0 && self.pending().is_empty() {
                return Ok(None);
            }
            let text = self.pending().get(..line).unwrap_or_default();
            if self.is_comment() || self.is_blank(text) {
                self.advance(line + 1);
                continue;
            }
            if text.contains(&b'"') {
                return self.quoted(line).map(Some);
            }
            let content = 0..self.without_cr(line);
            return Ok(Some(Framed { kind: Kind::Whole, content, first_line: line, next: Next::After(line + 1) }));
        }
    }

    /// The bytes of a framed record; of one that is not whole, as much as is there.
    pub(super) fn content(&self, framed: &Framed) -> &[u8] {
        self.pending().get(framed.content.clone()).unwrap_or_default()
    }

    /// Goes on behind a framed record.
    pub(super) fn consume(&mut self, framed: &Framed) {
        match framed.next {
            Next::After(count) => self.advance(count),
            Next::NextLine => self.skipping = true,
        }
        self.number += 1;
    }

    /// Goes on behind the first line of a framed record whose quoted target runs over it: a target has no line end,
    /// so the quote is a stray one and the following lines are records of their own.
    pub(super) fn consume_first_line(&mut self, framed: &Framed) {
        self.advance(framed.first_line + 1);
        self.number += 1;
    }

    /// The end of the line that begins here, its CR included; None when the line is over the limit.
    fn line_end(&mut self) -> Result<Option<usize>, Error> {
        let mut searched = 0;
        loop {
            let unsearched = self.pending().get(searched..).unwrap_or_default();
            let found = unsearched.iter().position(|byte| *byte == self.syntax.terminator);
            let end = searched + found.unwrap_or(unsearched.len());
            if found.is_none() && end < LIMIT && self.fill()? {
                searched = end;
                continue;
            }
            return Ok((self.without_cr(end) <= MAX_RECORD).then_some(end));
        }
    }

    /// Frames a record whose first line holds a quote.
    fn quoted(&mut self, first_line: usize) -> Result<Framed, Error> {
        let after_first = Next::After(first_line + 1);
        loop {
            let pending = self.pending();
            let window = pending.get(..LIMIT).unwrap_or(pending);
            let capped = window.len() == LIMIT;
            let (end, stop) = record(window, self.syntax);
            let whole = match stop {
                Stop::Line => true,
                _ if !capped && self.fill()? => continue,
                Stop::Quote => {
                    let content = 0..self.without_cr(first_line);
                    return Ok(Framed { kind: Kind::OpenQuote, content, first_line, next: after_first });
                }
                Stop::Delimiter | Stop::Bytes => !capped,
            };
            let content = 0..self.without_cr(end);
            return Ok(if whole && content.end <= MAX_RECORD {
                Framed { kind: Kind::Whole, content, first_line, next: Next::After(end + 1) }
            } else {
                Framed { kind: Kind::TooLong, content, first_line, next: after_first }
            });
        }
    }

    fn finish_skipping(&mut self) -> Result<(), Error> {
        while self.skipping {
            let pending = self.pending();
            if let Some(at) = pending.iter().position(|byte| *byte == self.syntax.terminator) {
                self.advance(at + 1);
                self.skipping = false;
            } else {
                self.advance(pending.len());
                self.skipping = self.fill()?;
            }
        }
        Ok(())
    }

    fn is_comment(&self) -> bool {
        self.syntax.comments && self.pending().iter().find(|byte| **byte != b' ') == Some(&b'#')
    }

    fn is_blank(&self, line: &[u8]) -> bool {
        line.iter().all(|byte| matches!(byte, b' ' | b'\r') || (*byte == b'\t' && self.syntax.delimiter != b'\t'))
    }

    fn without_cr(&self, end: usize) -> usize {
        let last = end.checked_sub(1);
        match last {
            Some(last) if self.syntax.terminator == b'\n' && self.pending().get(last) == Some(&b'\r') => last,
            _ => end,
        }
    }
}

/// What ends a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Delimiter,
    Line,
    /// The end of the bytes at hand.
    Bytes,
    /// A quote that is not closed in its place.
    Quote,
}

/// The end of the record that begins here, and what ends it.
fn record(bytes: &[u8], syntax: Syntax) -> (usize, Stop) {
    let mut at = 0;
    loop {
        let (length, stop) = cell(bytes.get(at..).unwrap_or_default(), syntax);
        at += length;
        if stop != Stop::Delimiter {
            return (at, stop);
        }
        at += 1;
    }
}

/// The end of the cell that begins here, quotes included, and what ends it.
fn cell(bytes: &[u8], syntax: Syntax) -> (usize, Stop) {
    let mut at = 0;
    if bytes.first() == Some(&b'"') {
        at = 1;
        loop {
            let Some(quote) = bytes.get(at..).unwrap_or_default().iter().position(|byte| *byte == b'"') else {
                return (bytes.len(), Stop::Quote);
            };
            at += quote + 1;
            let Some(&next) = bytes.get(at) else { break };
            if next == b'"' {
                at += 1;
                continue;
            }
            let proper = [syntax.delimiter, syntax.terminator, b'\r', b' '].contains(&next);
            // Text behind a closing quote is bad style on one line; over several lines, two stray quotes have met.
            if !proper && bytes.get(..at).unwrap_or_default().contains(&syntax.terminator) {
                return (at, Stop::Quote);
            }
            break;
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.iter().enumerate().find(|(_, byte)| **byte == syntax.delimiter || **byte == syntax.terminator) {
        Some((more, byte)) if *byte == syntax.delimiter => (at + more, Stop::Delimiter),
        Some((more, _)) => (at + more, Stop::Line),
        None => (bytes.len(), Stop::Bytes),
    }
}

/// The cells of a whole record, unquoted.
pub(super) fn cells(record: &[u8], syntax: Syntax) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = Some(record);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let (length, _) = cell(bytes, syntax);
        rest = bytes.get(length + 1..);
        Some(unquoted(bytes.get(..length).unwrap_or_default()))
    })
}

fn unquoted(cell: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = cell.strip_prefix(b"\"") else {
        return Cow::Borrowed(cell);
    };
    if let Some(plain) = inner.strip_suffix(b"\"").filter(|plain| !plain.contains(&b'"')) {
        return Cow::Borrowed(plain);
    }
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'"' {
            text.push(byte);
        } else if bytes.as_slice().first() == Some(&b'"') {
            bytes.next();
            text.push(b'"');
        } else {
            text.extend_from_slice(bytes.as_slice());
            break;
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};

    use proptest::prelude::*;

    use super::*;

    const CSV: Syntax = Syntax { delimiter: b',', terminator: b'\n', comments: true };

    /// Hands out pieces of the given sizes in turn.
    struct Drip {
        bytes: Vec<u8>,
        at: usize,
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Read for Drip {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.sizes[self.turn % self.sizes.len()];
            self.turn += 1;
            let piece = &self.bytes[self.at..(self.at + size.min(buffer.len())).min(self.bytes.len())];
            buffer[..piece.len()].copy_from_slice(piece);
            self.at += piece.len();
            Ok(piece.len())
        }
    }

    fn records(bytes: &[u8], sizes: &[usize]) -> Records {
        let drip = Drip { bytes: bytes.to_vec(), at: 0, sizes: sizes.to_vec(), turn: 0 };
        Records::new(Stream::new("test".into(), Box::new(drip), None).unwrap(), CSV)
    }

    fn all(bytes: &[u8], sizes: &[usize]) -> Vec<(Kind, Vec<Vec<u8>>)> {
        let mut records = records(bytes, sizes);
        let mut all = Vec::new();
        while let Some(framed) = records.frame().unwrap() {
            let content = records.content(&framed);
            let cells = if framed.kind == Kind::Whole {
                cells(content, CSV).map(Cow::into_owned).collect()
            } else {
                vec![content.get(..20).unwrap_or(content).to_vec()]
            };
            all.push((framed.kind, cells));
            records.consume(&framed);
        }
        all
    }

    fn texts(bytes: &[u8]) -> Vec<(Kind, Vec<String>)> {
        let text = |cell: Vec<u8>| String::from_utf8(cell).unwrap();
        all(bytes, &[1 << 20]).into_iter().map(|(kind, cells)| (kind, cells.into_iter().map(text).collect())).collect()
    }

    fn whole(cells: &[&str]) -> (Kind, Vec<String>) {
        (Kind::Whole, cells.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_line_end_inside_quotes_is_text() {
        assert_eq!(
            texts(b"a,\"one\r\ntwo, \"\"2\"\"\"\r\n\r\nb\n# c\n\"d\""),
            [whole(&["a", "one\r\ntwo, \"2\""]), whole(&["b"]), whole(&["d"])]
        );
    }

    #[test]
    fn a_quote_opens_only_at_the_beginning_of_a_cell() {
        assert_eq!(texts(b"5\" disk,x\nb"), [whole(&["5\" disk", "x"]), whole(&["b"])]);
        assert_eq!(texts(b"\"a\"b,c\n"), [whole(&["ab", "c"])]);
    }

    #[test]
    fn an_unclosed_quote_costs_its_own_line_only() {
        let open = (Kind::OpenQuote, vec!["a,\"b".to_owned()]);
        assert_eq!(texts(b"a,\"b\nc\nd\n"), [open.clone(), whole(&["c"]), whole(&["d"])]);
        assert_eq!(texts(b"a,\"b\nc,\"d\"\ne"), [open, whole(&["c", "d"]), whole(&["e"])]);
        let mut long = b"\"open\n".to_vec();
        long.extend(b"x.org\n".repeat(20_000));
        let read = texts(&long);
        assert_eq!(read.len(), 20_001);
        assert_eq!(read[0], (Kind::OpenQuote, vec!["\"open".to_owned()]));
        assert!(read[1..].iter().all(|record| *record == whole(&["x.org"])));
    }

    #[test]
    fn a_record_at_the_limit_passes_and_one_byte_more_does_not() {
        for end in ["", "\n", "\r\n"] {
            for (length, kind) in [(MAX_RECORD, Kind::Whole), (MAX_RECORD + 1, Kind::TooLong)] {
                let bytes = format!("{}{end}", "x".repeat(length));
                assert_eq!(texts(bytes.as_bytes())[0].0, kind, "{length} {end:?}");
                let quoted = format!("\"{}\"{end}", "x".repeat(length - 2));
                assert_eq!(texts(quoted.as_bytes())[0].0, kind, "quoted {length} {end:?}");
            }
        }
    }

    #[test]
    fn a_line_of_a_megabyte_is_passed_over() {
        let bytes = format!("a\n{}\nb\n#{}\nc", "x".repeat(1 << 20), "y".repeat(1 << 20));
        let read = texts(bytes.as_bytes());
        assert_eq!(read[0], whole(&["a"]));
        assert_eq!(read[1].0, Kind::TooLong);
        assert_eq!(read[2..], [whole(&["b"]), whole(&["c"])]);
    }

    /// Any bytes; every other one means something to the syntax.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let byte =
            |code: u16| if code & 0x100 == 0 { b"\"\n\r,# a"[usize::from(code) % 7] } else { code.to_le_bytes()[0] };
        prop::collection::vec(any::<u16>(), 0..300).prop_map(move |codes| codes.into_iter().map(byte).collect())
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_changes_nothing(
            bytes in hostile(),
            filler in prop_oneof![9 => Just(0_usize), 1 => MAX_RECORD - 300..MAX_RECORD + 10],
            sizes in prop::collection::vec(1..50_000_usize, 1..6),
        ) {
            let mut text = bytes.clone();
            text.extend(vec![b'z'; filler]);
            text.extend(&bytes);
            prop_assert_eq!(all(&text, &sizes), all(&text, &[1 << 20]));
        }

        #[test]
        fn every_line_of_a_text_without_quotes_is_a_record(bytes in hostile()) {
            let bytes: Vec<u8> = bytes.into_iter().filter(|byte| *byte != b'"').collect();
            let wanted = bytes.split(|byte| *byte == b'\n').filter(|line| {
                let text: Vec<u8> = line.iter().copied().skip_while(|byte| *byte == b' ').collect();
                let blank = text.iter().all(|byte| matches!(byte, b' ' | b'\r' | b'\t'));
                !blank && text.first() != Some(&b'#')
            });
            prop_assert_eq!(all(&bytes, &[1 << 20]).len(), wanted.count());
        }

        #[test]
        fn what_the_csv_crate_writes_is_read_back(
            table in prop::collection::vec(prop::collection::vec("[a-z,\"\n\r;é ]{1,8}", 1..5), 1..8)
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            for row in &table {
                writer.write_record(row).unwrap();
            }
            let read: Vec<_> = texts(&writer.into_inner().unwrap());
            prop_assert_eq!(read, table.into_iter().map(|row| (Kind::Whole, row)).collect::<Vec<_>>());
        }

        #[test]
        fn one_line_is_cut_as_the_csv_crate_cuts_it(line in "[a-z,\" ]{0,20}[a-z]") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
            let cut = reader.records().next().unwrap().unwrap();
            let mut own = texts(line.as_bytes());
            prop_assume!(own[0].0 == Kind::Whole);
            prop_assert_eq!(own.remove(0).1, cut.iter().map(str::to_owned).collect::<Vec<_>>());
        }
    }
}
