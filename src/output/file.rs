//! Where bytes end up: standard output, a device, or a file that appears under its name only when it is whole.
//! Comes in: bytes. Goes out: the same bytes, plain or compressed, written beside the final name and renamed at the end.
//! A destination that is dropped, or that failed once, never reaches its final name.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::{Compression, Ending, Error};

/// Bytes gathered before the system is asked to write them.
const BUFFER: usize = 256 * 1024;
/// zstd's own default: rows repeat much, more effort gains little.
const ZSTD_LEVEL: i32 = 3;

/// One place to write to.
#[derive(Debug)]
pub(super) struct Destination {
    handle: Handle,
    /// Where it is, for messages.
    place: PathBuf,
    /// Set by the first failed write: what follows it would be a file with a hole.
    failed: bool,
}

#[derive(Debug)]
enum Handle {
    Stdout(io::Stdout),
    /// A device, pipe or socket: nothing to rename.
    Direct(File),
    Beside {
        file: File,
        part: PathBuf,
        last: PathBuf,
    },
}

impl Destination {
    /// Standard output.
    pub(super) fn stdout() -> Self {
        Self { handle: Handle::Stdout(io::stdout()), place: PathBuf::from("standard output"), failed: false }
    }

    /// A file: `OUT.part` is created beside it now, and takes its name at `commit`. An existing device or pipe is
    /// written to as it is; a link is followed, so that it stays a link.
    pub(super) fn file(path: &Path) -> Result<Self, Error> {
        let last = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(Error::IsDirectory { path: path.to_owned() }),
            Ok(found) if found.is_file() => {
                fs::canonicalize(path).map_err(|source| Error::io("resolve", path, source))?
            }
            Ok(_) => {
                let file =
                    OpenOptions::new().write(true).open(path).map_err(|source| Error::io("open", path, source))?;
                return Ok(Self { handle: Handle::Direct(file), place: path.to_owned(), failed: false });
            }
            Err(_) => path.to_owned(),
        };
        if last.file_name().is_none() {
            return Err(Error::IsDirectory { path: path.to_owned() });
        }
        let directory = directory_of(&last);
        if !directory.is_dir() {
            return Err(Error::NoDirectory { directory: directory.to_owned(), path: path.to_owned() });
        }
        let part = beside(&last, ".part");
        // Removed rather than truncated: what stands there may be a link to something precious.
        match fs::remove_file(&part) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &part, source));
            }
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&part)
            .map_err(|source| Error::io("create", &part, source))?;
        Ok(Self { handle: Handle::Beside { file, part, last }, place: path.to_owned(), failed: false })
    }

    /// Where this is, for messages.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Makes what was written durable, and gives it its final name when it is complete.
    pub(super) fn commit(mut self, ending: Ending) -> Result<(), Error> {
        if self.failed {
            return Err(Error::io("finish", &self.place, io::Error::other("an earlier write failed")));
        }
        self.flush().map_err(|source| Error::io("flush", &self.place, source))?;
        let Handle::Beside { file, part, last } = self.handle else {
            return Ok(());
        };
        file.sync_all().map_err(|source| Error::io("sync", &part, source))?;
        drop(file);
        if ending == Ending::CutShort {
            return Ok(());
        }
        fs::rename(&part, &last).map_err(|source| Error::io("rename into place", &last, source))?;
        sync_directory(directory_of(&last))
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.handle {
            Handle::Stdout(stdout) => stdout.write(bytes),
            Handle::Direct(file) | Handle::Beside { file, .. } => file.write(bytes),
        };
        self.failed |= written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.handle {
            Handle::Stdout(stdout) => stdout.flush(),
            Handle::Direct(file) | Handle::Beside { file, .. } => file.flush(),
        };
        self.failed |= flushed.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        flushed
    }
}

/// A destination for text: buffered, and compressed if the name says so.
pub(super) struct TextFile {
    encoder: Encoder,
    place: PathBuf,
}

enum Encoder {
    Plain(BufWriter<Destination>),
    Gzip(GzEncoder<BufWriter<Destination>>),
    Zstd(zstd::Encoder<'static, BufWriter<Destination>>),
}

impl TextFile {
    /// Text into a destination.
    pub(super) fn new(destination: Destination, compression: Compression) -> Result<Self, Error> {
        let place = destination.place().to_owned();
        let buffer = buffered(destination);
        let encoder = match compression {
            Compression::None => Encoder::Plain(buffer),
            Compression::Gzip => Encoder::Gzip(GzEncoder::new(buffer, flate2::Compression::default())),
            Compression::Zstd => Encoder::Zstd(
                zstd::Encoder::new(buffer, ZSTD_LEVEL).map_err(|source| Error::io("compress", &place, source))?,
            ),
        };
        Ok(Self { encoder, place })
    }

    /// Where this is, for messages.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Ends the stream, and gives the file its final name when it is complete.
    pub(super) fn commit(self, ending: Ending) -> Result<(), Error> {
        let buffer = match self.encoder {
            Encoder::Plain(buffer) => Ok(buffer),
            Encoder::Gzip(encoder) => encoder.finish(),
            Encoder::Zstd(encoder) => encoder.finish(),
        };
        let buffer = buffer.map_err(|source| Error::io("write", &self.place, source))?;
        commit(buffer, &self.place, ending)
    }
}

impl Write for TextFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.encoder {
            Encoder::Plain(buffer) => buffer.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.encoder {
            Encoder::Plain(buffer) => buffer.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }
}

impl fmt::Debug for TextFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextFile").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A destination that is asked to write in large pieces only.
pub(super) fn buffered(destination: Destination) -> BufWriter<Destination> {
    BufWriter::with_capacity(BUFFER, destination)
}

/// Empties the buffer and commits what is below it.
pub(super) fn commit(buffer: BufWriter<Destination>, place: &Path, ending: Ending) -> Result<(), Error> {
    let destination = buffer.into_inner().map_err(|error| Error::io("write", place, error.into_error()))?;
    destination.commit(ending)
}

/// Replaces a file by these bytes: a reader sees the old ones or the new ones, never a part.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut destination = Destination::file(path)?;
    destination.write_all(bytes).map_err(|source| Error::io("write", path, source))?;
    destination.commit(Ending::Complete)
}

/// A path with more behind its file name: `OUT` and `.part` give `OUT.part`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the new name itself durable. File systems that cannot sync a directory say so, and need it not.
fn sync_directory(directory: &Path) -> Result<(), Error> {
    match File::open(directory).and_then(|handle| handle.sync_all()) {
        Err(source) if !matches!(source.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Err(Error::io("sync", directory, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn the_name_appears_only_at_commit() {
        let directory = directory();
        let path = directory.path().join("out.csv");
        let mut destination = Destination::file(&path).unwrap();
        destination.write_all(b"whole").unwrap();
        assert!(!path.exists());
        assert!(beside(&path, ".part").exists());
        destination.commit(Ending::Complete).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(!beside(&path, ".part").exists());
    }

    #[test]
    fn what_is_dropped_leaves_the_old_file_alone() {
        let directory = directory();
        let path = directory.path().join("out.csv");
        fs::write(&path, "old").unwrap();
        let mut destination = Destination::file(&path).unwrap();
        destination.write_all(b"new").unwrap();
        drop(destination);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read(beside(&path, ".part")).unwrap(), b"new");
    }

    #[test]
    fn an_old_part_is_replaced_and_not_written_through() {
        let directory = directory();
        let path = directory.path().join("out.csv");
        let precious = directory.path().join("precious");
        fs::write(&precious, "keep").unwrap();
        std::os::unix::fs::symlink(&precious, beside(&path, ".part")).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"keep");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_link_stays_a_link() {
        let directory = directory();
        let real = directory.path().join("real.csv");
        let link = directory.path().join("link.csv");
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn directories_and_missing_directories_are_told_apart() {
        let directory = directory();
        let error = Destination::file(directory.path()).unwrap_err();
        assert!(matches!(error, Error::IsDirectory { .. }), "{error}");
        let error = Destination::file(&directory.path().join("none/out.csv")).unwrap_err();
        assert!(matches!(error, Error::NoDirectory { .. }), "{error}");
        assert!(!directory.path().join("none").exists());
    }

    #[test]
    fn a_full_device_is_an_error_and_stays_one() {
        let mut destination = Destination::file(Path::new("/dev/full")).unwrap();
        let error = destination.write_all(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(destination.commit(Ending::Complete).is_err());
        assert!(!Path::new("/dev/full.part").exists());
    }

    #[test]
    fn a_failed_write_never_takes_the_name() {
        let directory = directory();
        let path = directory.path().join("out.csv");
        let mut destination = Destination::file(&path).unwrap();
        destination.write_all(b"begin").unwrap();
        destination.failed = true;
        destination.commit(Ending::Complete).unwrap_err();
        assert!(!path.exists());
    }

    #[test]
    fn a_closed_pipe_is_the_readers_choice() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let handle = Handle::Direct(File::from(std::os::fd::OwnedFd::from(writer)));
        let mut destination = Destination { handle, place: PathBuf::from("pipe"), failed: false };
        let source = destination.write_all(b"x").unwrap_err();
        assert!(matches!(Error::io("write", Path::new("pipe"), source), Error::BrokenPipe));
    }

    #[test]
    fn compressed_text_reads_back() {
        let directory = directory();
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let path = directory.path().join("out");
            let mut file = TextFile::new(Destination::file(&path).unwrap(), compression).unwrap();
            file.write_all(b"a,b\n").unwrap();
            file.flush().unwrap();
            file.write_all(b"1,2\n").unwrap();
            file.commit(Ending::Complete).unwrap();
            let bytes = fs::read(&path).unwrap();
            let mut text = String::new();
            match compression {
                Compression::None => text = String::from_utf8(bytes).unwrap(),
                Compression::Gzip => {
                    flate2::read::MultiGzDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
                }
                Compression::Zstd => {
                    zstd::Decoder::new(&*bytes).unwrap().read_to_string(&mut text).unwrap();
                }
            }
            assert_eq!(text, "a,b\n1,2\n");
        }
    }
}
