//! One input's bytes: opened, counted, digested, decompressed.
//! Comes in: a path or a reader. Goes out: plain bytes, a count of the raw ones, their SHA-256.
//! Compression is known by the name's ending or by the first bytes; the unfolded size is bounded against the raw one.
//! Knows nothing of records; the number in an error is told by the caller.

use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read, Seek as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Error;

/// Up to here a compressed input may unfold as it likes: short lists of one repeated line are no attack.
const FREE_UNFOLDED: u64 = 16 * 1024 * 1024;
/// Plain bytes per raw byte beyond that. Deflate cannot do more than about 1030, and lists of names stay below 50.
const MAX_RATIO: u64 = 1000;
/// Longest magic number looked for.
const MAGIC: usize = 6;

/// The beginning of an input as a run has read it, by which the same input is known again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Raw bytes, before decompression.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// How far an input has been read: may be asked from another thread while the reader works.
#[derive(Debug, Clone)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: Option<u64>,
    digest: Arc<Mutex<Digested>>,
}

/// SHA-256 of so many bytes.
#[derive(Debug, Clone, Default)]
struct Digested {
    sha256: Sha256,
    bytes: u64,
}

impl Digested {
    fn add(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn seen(self) -> Seen {
        Seen { bytes: self.bytes, sha256: self.sha256.finalize().into() }
    }
}

impl Progress {
    /// Raw bytes read so far (before decompression), and how many there are; None where that is not known (a pipe).
    pub fn bytes(&self) -> (u64, Option<u64>) {
        (self.read.load(Ordering::Relaxed), self.total)
    }

    /// What has been read so far, with its digest.
    pub fn seen(&self) -> Seen {
        self.digest.lock().unwrap_or_else(PoisonError::into_inner).clone().seen()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
}

/// Counts and digests what passes.
struct Tallied {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
    digest: Arc<Mutex<Digested>>,
}

impl Read for Tallied {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        self.digest.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// One input's plain bytes.
pub(super) struct Stream {
    name: Arc<str>,
    inner: Box<dyn Read + Send>,
    compressed: bool,
    unfolded: u64,
    progress: Progress,
}

impl Stream {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let (raw, total) = raw(path)?;
        Self::new(path.display().to_string().into(), raw, total)
    }

    /// Opens an input that an earlier run has read so far: another beginning is an error. What of a pipe has to be read for that
    /// waits in a file without a name in `scratch`.
    pub(super) fn again(path: &Path, seen: &Seen, scratch: &Path) -> Result<Self, Error> {
        let name: Arc<str> = path.display().to_string().into();
        let unread = |source| Error::Read { path: Arc::clone(&name), record: 0, source };
        let (mut inner, total) = raw(path)?;
        let mut kept = if total.is_none() { Some(tempfile::tempfile_in(scratch).map_err(unread)?) } else { None };
        let mut beginning = Digested::default();
        let mut buffer = vec![0; 64 * 1024];
        while beginning.bytes < seen.bytes {
            let wanted = usize::try_from(seen.bytes - beginning.bytes).unwrap_or(usize::MAX).min(buffer.len());
            let room = buffer.get_mut(..wanted).expect("no more is wanted than there is room for");
            let count = match inner.read(room) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(unread(source)),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            beginning.add(bytes);
            if let Some(kept) = &mut kept {
                kept.write_all(bytes).map_err(unread)?;
            }
        }
        if beginning.seen() != *seen {
            return Err(Error::Differs { path: name });
        }
        match kept {
            None => Self::open(path),
            Some(mut kept) => {
                kept.rewind().map_err(unread)?;
                Self::new(name, Box::new(kept.chain(inner)), None)
            }
        }
    }

    /// Takes over a reader. `name` decides on compression like a file name.
    pub(super) fn new(name: Arc<str>, inner: Box<dyn Read + Send>, total: Option<u64>) -> Result<Self, Error> {
        let progress = Progress { read: Arc::default(), total, digest: Arc::default() };
        let mut raw = Tallied { inner, read: Arc::clone(&progress.read), digest: Arc::clone(&progress.digest) };
        let unread = |source| Error::Read { path: Arc::clone(&name), record: 0, source };
        let head = head(&mut raw).map_err(unread)?;
        let compression = compression(&name, &head);
        let whole = Cursor::new(head).chain(raw);
        let inner = decompressed(compression, whole).map_err(unread)?;
        Ok(Self { name, inner, compressed: compression.is_some(), unfolded: 0, progress })
    }

    /// Reads more plain bytes; 0 is the end. `record` is the last one that was complete.
    pub(super) fn fill(&mut self, buffer: &mut [u8], record: u64) -> Result<usize, Error> {
        let path = || Arc::clone(&self.name);
        loop {
            match self.inner.read(buffer) {
                Ok(count) => {
                    self.unfolded += count as u64;
                    let (raw, _) = self.progress.bytes();
                    if self.compressed && self.unfolded > FREE_UNFOLDED && self.unfolded > raw.saturating_mul(MAX_RATIO)
                    {
                        return Err(Error::Bomb { path: path(), record });
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) if self.compressed => return Err(Error::Decompress { path: path(), record, source }),
                Err(source) => return Err(Error::Read { path: path(), record, source }),
            }
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// SHA-256 of the raw bytes read so far.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.progress.seen().sha256
    }
}

/// The bytes of a file as they are stored, and how many they are; None for a pipe.
fn raw(path: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Error> {
    if path.as_os_str() == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = File::open(path).and_then(|file| {
        let meta = file.metadata()?;
        if meta.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let total = meta.is_file().then_some(meta.len());
        Ok((Box::new(file) as Box<dyn Read + Send>, total))
    });
    opened.map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// SHA-256 of a file as it is stored; None for a pipe.
pub(super) fn sha256(path: &Path) -> Result<Option<[u8; 32]>, Error> {
    let (mut raw, Some(_)) = raw(path)? else { return Ok(None) };
    let mut digested = Digested::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match raw.read(&mut buffer) {
            Ok(0) => return Ok(Some(digested.seen().sha256)),
            Ok(count) => digested.add(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(Error::Read { path: path.display().to_string().into(), record: 0, source }),
        }
    }
}

/// Reads as many bytes as it takes to know the magic number, and no more reads than that: a pipe may be slow.
fn head(raw: &mut Tallied) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(MAGIC);
    let undecided = |head: &[u8]| head.is_empty() || MAGICS.iter().any(|magic| magic.starts_with(head));
    while head.len() < MAGIC && undecided(&head) {
        let mut byte = [0];
        match raw.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => head.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

/// RFC 1952 §2.3.1, RFC 8878 §3.1.1.
const MAGICS: [&[u8]; 2] = [&[0x1F, 0x8B], &[0x28, 0xB5, 0x2F, 0xFD]];

fn compression(name: &str, head: &[u8]) -> Option<Compression> {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let [gzip, zstd] = MAGICS;
    if head.starts_with(gzip) || ending.eq_ignore_ascii_case("gz") {
        Some(Compression::Gzip)
    } else if head.starts_with(zstd) || ending.eq_ignore_ascii_case("zst") {
        Some(Compression::Zstd)
    } else {
        None
    }
}

fn decompressed(
    compression: Option<Compression>,
    raw: Chain<Cursor<Vec<u8>>, Tallied>,
) -> io::Result<Box<dyn Read + Send>> {
    let buffered = |raw| BufReader::with_capacity(64 * 1024, raw);
    Ok(match compression {
        None => Box::new(raw),
        // Concatenated members are one stream (RFC 1952 §2.2), as `cat a.gz b.gz` makes them.
        Some(Compression::Gzip) => Box::new(flate2::bufread::MultiGzDecoder::new(buffered(raw))),
        Some(Compression::Zstd) => Box::new(zstd::stream::read::Decoder::with_buffer(buffered(raw))?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(name: &str, bytes: Vec<u8>) -> Result<(Vec<u8>, Stream), Error> {
        let mut stream = Stream::new(name.into(), Box::new(Cursor::new(bytes)), None)?;
        let mut all = Vec::new();
        let mut buffer = vec![0; 8192];
        loop {
            match stream.fill(&mut buffer, 7)? {
                0 => return Ok((all, stream)),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        flate2::read::GzEncoder::new(bytes, flate2::Compression::default()).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn compression_is_known_by_its_first_bytes_whatever_the_name() {
        let zstd = zstd::encode_all(&b"example.org\n"[..], 3).unwrap();
        assert_eq!(plain("-", gzip(b"example.org\n")).unwrap().0, b"example.org\n");
        assert_eq!(plain("list.txt", zstd.clone()).unwrap().0, b"example.org\n");
        assert_eq!(plain("list.ZST", zstd).unwrap().0, b"example.org\n");
        assert_eq!(plain("list.txt", b"(".to_vec()).unwrap().0, b"(");
    }

    #[test]
    fn gzip_members_are_joined() {
        let both = [gzip(b"a.org\n"), gzip(b"b.org\n")].concat();
        assert_eq!(plain("x.gz", both).unwrap().0, b"a.org\nb.org\n");
    }

    #[test]
    fn a_name_that_promises_gzip_must_hold_it() {
        assert!(matches!(plain("x.gz", b"example.org\n".to_vec()), Err(Error::Decompress { record: 7, .. })));
    }

    #[test]
    fn a_cut_off_stream_is_an_error_and_no_short_list() {
        let lines: Vec<u8> = (0..5000).flat_map(|n| format!("h{}.example\n", n * 7919 % 5003).into_bytes()).collect();
        for (name, mut bytes) in [("x.gz", gzip(&lines)), ("x.zst", zstd::encode_all(&lines[..], 3).unwrap())] {
            bytes.truncate(bytes.len() / 2);
            let error = plain(name, bytes).map(|(all, _)| all.len()).unwrap_err();
            assert!(matches!(error, Error::Decompress { .. }), "{error}");
            assert_eq!(error.to_string(), format!("cannot decompress {name} after record 7"));
        }
    }

    #[test]
    fn a_bomb_is_stopped() {
        let zeros = vec![b'\n'; 64 * 1024 * 1024];
        let bomb = zstd::encode_all(&zeros[..], 1).unwrap();
        assert!(bomb.len() < 16 * 1024);
        assert!(matches!(plain("x.zst", bomb), Err(Error::Bomb { .. })));
    }

    #[test]
    fn the_digest_is_of_the_raw_bytes() {
        let bytes = gzip(b"example.org\n");
        let (_, stream) = plain("x.gz", bytes.clone()).unwrap();
        assert_eq!(stream.digest(), <[u8; 32]>::from(Sha256::digest(&bytes)));
        assert_eq!(stream.progress().bytes(), (bytes.len() as u64, None));
    }
}
