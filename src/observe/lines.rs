//! The lines of one log, plain or compressed.
//! Comes in: a path. Goes out: lines of bounded length, without their end.
//! gzip and zstd are known by their first bytes, because rotated logs have names of every kind.
//! Knows nothing of what a line means.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use super::Error;

/// Longest line kept; the rest of a longer one is skipped.
const LONGEST: usize = 64 * 1024;
/// gzip (RFC 1952 §2.3.1), zstd (RFC 8878 §3.1.1).
const GZIP: &[u8] = &[0x1F, 0x8B];
const ZSTD: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];

/// One log, from its beginning.
pub(super) struct Lines {
    name: Arc<str>,
    inner: Box<dyn BufRead>,
    line: Vec<u8>,
    /// Lines read so far.
    pub(super) count: u64,
}

/// Finds out that a log can be read, before any is.
pub(super) fn check(path: &Path) -> Result<(), Error> {
    if path.as_os_str() == "-" {
        return Ok(());
    }
    open(path).map(drop).map_err(|source| Error::Open { path: path.to_owned(), source })
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

impl Lines {
    /// Opens a log; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let raw: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(open(path).map_err(|source| Error::Open { path: path.to_owned(), source })?)
        };
        Self::new(path.display().to_string().into(), raw)
    }

    fn new(name: Arc<str>, mut raw: Box<dyn Read>) -> Result<Self, Error> {
        let failed = |source| Error::Read { path: Arc::clone(&name), line: 0, source };
        let mut head = Vec::new();
        raw.by_ref().take(ZSTD.len() as u64).read_to_end(&mut head).map_err(failed)?;
        // A byte order mark, as Windows writes it.
        if head.starts_with(b"\xEF\xBB\xBF") {
            head.drain(..3);
        }
        let (gzip, zstd) = (head.starts_with(GZIP), head.starts_with(ZSTD));
        let whole = BufReader::with_capacity(LONGEST, Cursor::new(head).chain(raw));
        let inner: Box<dyn BufRead> = if gzip {
            // Concatenated members are one stream (RFC 1952 §2.2).
            Box::new(BufReader::with_capacity(LONGEST, flate2::bufread::MultiGzDecoder::new(whole)))
        } else if zstd {
            let decoder = zstd::stream::read::Decoder::with_buffer(whole).map_err(failed)?;
            Box::new(BufReader::with_capacity(LONGEST, decoder))
        } else {
            Box::new(whole)
        };
        Ok(Self { name, inner, line: Vec::new(), count: 0 })
    }

    /// The next line without LF or CR LF, cut at 64 KiB; None at the end.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        self.line.clear();
        let mut begun = false;
        loop {
            let piece = match self.inner.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(Error::Read { path: Arc::clone(&self.name), line: self.count, source });
                }
            };
            if piece.is_empty() {
                if !begun {
                    return Ok(None);
                }
                break;
            }
            begun = true;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or(piece);
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(part.get(..room).unwrap_or(part));
            let used = part.len() + usize::from(end.is_some());
            self.inner.consume(used);
            if end.is_some() {
                break;
            }
        }
        self.count += 1;
        Ok(Some(self.line.strip_suffix(b"\r").unwrap_or(&self.line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Error> {
        let mut lines = Lines::new("test".into(), Box::new(Cursor::new(bytes)))?;
        let mut all = Vec::new();
        while let Some(line) = lines.next()? {
            all.push(line.to_owned());
        }
        assert_eq!(lines.count, all.len() as u64);
        Ok(all)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn lines_are_the_same_in_every_wrapping() {
        let plain = b"a\r\n\nb\xFF\nlast";
        let wanted = [&b"a"[..], b"", b"b\xFF", b"last"];
        for bytes in [plain.to_vec(), gzip(plain), zstd::encode_all(&plain[..], 1).unwrap()] {
            assert_eq!(read(bytes).unwrap(), wanted);
        }
        assert_eq!(read([gzip(b"a\nb"), gzip(b"c\n")].concat()).unwrap(), [&b"a"[..], b"bc"]);
        assert!(read(Vec::new()).unwrap().is_empty());
        assert_eq!(read(vec![0x1F]).unwrap(), [[0x1F]]);
        assert_eq!(read(b"\xEF\xBB\xBF#Fields\n".to_vec()).unwrap(), [b"#Fields"]);
    }

    #[test]
    fn an_endless_line_is_cut_and_costs_no_other() {
        let mut bytes = vec![b'x'; 5 * LONGEST];
        bytes.extend(b"\nnext\n");
        let lines = read(bytes).unwrap();
        assert_eq!((lines.len(), lines[0].len(), &lines[1][..]), (2, LONGEST, &b"next"[..]));
    }

    #[test]
    fn a_damaged_archive_is_an_error() {
        let mut bytes = gzip(&b"line\n".repeat(100));
        bytes.truncate(bytes.len() - 9);
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, Error::Read { .. }), "{error}");
    }
}
