//! Lines of an input that this program wrote itself.
//! Comes in: plain bytes of a stream. Goes out: one line at a time, without its end, bounded in length.
//! A line beyond the bound is skipped and told as such; the next one is read as if nothing had been.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use super::Error;
use super::stream::Stream;

/// A record of evidence has at most 40 servers, each with a few capped replies: far below this many bytes.
pub(super) const MOST: usize = 32 << 20;
/// Bytes asked of the stream at a time.
const CHUNK: usize = 256 * 1024;

/// A stream as a reader: its error is kept, for an `io::Error` could not tell it whole.
pub(super) struct Plain {
    pub(super) stream: Stream,
    /// The last record that was read, for errors.
    pub(super) record: u64,
    failed: Option<Error>,
}

impl Plain {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<BufReader<Self>, Error> {
        let plain = Self { stream: Stream::open(path)?, record: 0, failed: None };
        Ok(BufReader::with_capacity(CHUNK, plain))
    }

    /// What the stream's own error was, behind the one it was told by.
    pub(super) fn error(&mut self, told: io::Error) -> Error {
        let path = || Arc::clone(self.stream.name());
        self.failed.take().unwrap_or_else(|| Error::Read { path: path(), record: self.record, source: told })
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.fill(buffer, self.record).map_err(|error| {
            self.failed = Some(error);
            io::Error::other("the stream failed")
        })
    }
}

/// What came of reading a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It is there.
    Whole,
    /// It was longer than any record is, and is not there.
    TooLong,
    /// There are no more.
    End,
}

/// Reads the next line that is not blank.
pub(super) fn next(reader: &mut BufReader<Plain>, line: &mut Vec<u8>) -> Result<Line, Error> {
    loop {
        line.clear();
        let read = one(reader, line).map_err(|told| reader.get_mut().error(told))?;
        if read != Line::Whole || !line.trim_ascii().is_empty() {
            reader.get_mut().record += u64::from(read != Line::End);
            return Ok(read);
        }
    }
}

fn one(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    let (mut any, mut long) = (false, false);
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok(if long {
                Line::TooLong
            } else if any {
                Line::Whole
            } else {
                Line::End
            });
        }
        any = true;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let piece = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        long |= line.len() + piece.len() > MOST;
        if long {
            line.clear();
        } else {
            line.extend_from_slice(piece);
        }
        let taken = piece.len() + usize::from(end.is_some());
        reader.consume(taken);
        if end.is_some() {
            return Ok(if long { Line::TooLong } else { Line::Whole });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_beyond_the_bound_is_skipped_and_its_neighbours_are_read() {
        let mut bytes = b"one\n".to_vec();
        bytes.resize(bytes.len() + MOST + 1, b'x');
        bytes.extend(b"\n\ntwo");
        let stream = Stream::new("-".into(), Box::new(io::Cursor::new(bytes)), None).unwrap();
        let mut reader = BufReader::with_capacity(CHUNK, Plain { stream, record: 0, failed: None });
        let mut line = Vec::new();
        assert_eq!((next(&mut reader, &mut line).unwrap(), &*line), (Line::Whole, &b"one"[..]));
        assert_eq!(next(&mut reader, &mut line).unwrap(), Line::TooLong);
        assert_eq!((next(&mut reader, &mut line).unwrap(), &*line), (Line::Whole, &b"two"[..]));
        assert_eq!(next(&mut reader, &mut line).unwrap(), Line::End);
        assert_eq!(reader.get_ref().record, 3, "a blank line is no record");
    }

    #[test]
    fn the_error_of_a_stream_comes_out_whole() {
        let mut bytes = zstd::encode_all(&b"one\ntwo\n".repeat(10_000)[..], 3).unwrap();
        bytes.truncate(bytes.len() / 2);
        let stream = Stream::new("x.zst".into(), Box::new(io::Cursor::new(bytes)), None).unwrap();
        let mut reader = BufReader::with_capacity(CHUNK, Plain { stream, record: 0, failed: None });
        let mut line = Vec::new();
        let error = loop {
            match next(&mut reader, &mut line) {
                Ok(Line::Whole) => {}
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Decompress { .. }), "{error}");
    }
}
