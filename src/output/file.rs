//! Where bytes end up: standard output, a device, or a file that appears under its name only when it is whole.
//! Comes in: bytes. Goes out: the same bytes, plain or compressed, written beside the final name and renamed at the end.
//! A destination that is dropped, or that failed once, never reaches its final name.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;

use super::{Checkpoint, Compression, Ending, Error, Mark};

/// Bytes gathered before the system is asked to write them.
const BUFFER: usize = 256 * 1024;
/// Behind the name of a file that is not complete.
pub(super) const PART: &str = ".part";
/// zstd's own default: rows repeat much, more effort gains little.
const ZSTD_LEVEL: i32 = 3;

/// One place to write to.
#[derive(Debug)]
pub(super) struct Destination {
    handle: Handle,
    /// Where it is, for messages.
    place: PathBuf,
    /// Octets that it holds.
    length: u64,
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
        Self::new(Handle::Stdout(io::stdout()), PathBuf::from("standard output"))
    }

    const fn new(handle: Handle, place: PathBuf) -> Self {
        Self { handle, place, length: 0, failed: false }
    }

    /// A file: `OUT.part` is created beside it now, and takes its name at `commit`. An existing device or pipe is
    /// written to as it is; a link is followed, so that it stays a link.
    pub(super) fn file(path: &Path) -> Result<Self, Error> {
        match lead(path)? {
            Lead::Direct(file) => Ok(Self::new(Handle::Direct(file), path.to_owned())),
            Lead::File(last) => Self::part(beside(&last, PART), last),
        }
    }

    /// A new file of this name, which takes its last one at `commit`.
    pub(super) fn part(part: PathBuf, last: PathBuf) -> Result<Self, Error> {
        // Removed rather than truncated: what stands there may be a link to something precious.
        remove(&part)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&part)
            .map_err(|source| Error::io("create", &part, source))?;
        let place = last.clone();
        Ok(Self::new(Handle::Beside { file, part, last }, place))
    }

    /// The file that an interrupted run has left: what stands behind `length` octets is dropped, and more can be written.
    pub(super) fn resumed(path: &Path, length: u64) -> Result<Self, Error> {
        let last = match lead(path)? {
            Lead::Direct(file) => return Ok(Self::new(Handle::Direct(file), path.to_owned())),
            Lead::File(last) => last,
        };
        let part = beside(&last, PART);
        let mut file =
            OpenOptions::new().write(true).open(&part).map_err(|source| Error::io("go on with", &part, source))?;
        let found = file.metadata().map_err(|source| Error::io("look at", &part, source))?.len();
        if found < length {
            return Err(Error::Short { path: part, found, length });
        }
        let cut = file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(|source| Error::io("cut", &part, source))?;
        let place = path.to_owned();
        Ok(Self { length, ..Self::new(Handle::Beside { file, part, last }, place) })
    }

    /// The name it takes when it is complete; None for a device.
    pub(super) fn last(&self) -> Option<&Path> {
        match &self.handle {
            Handle::Stdout(_) | Handle::Direct(_) => None,
            Handle::Beside { last, .. } => Some(last),
        }
    }

    /// Octets that it holds once what is written has been handed on.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Its file, by another handle, to be made durable while this one is written to; None where there is nothing to sync.
    pub(super) fn unsynced(&self) -> Result<Option<Unsynced>, Error> {
        let Handle::Beside { file, part, .. } = &self.handle else { return Ok(None) };
        let file = file.try_clone().map_err(|source| Error::io("share", part, source))?;
        Ok(Some(Unsynced { file, path: part.clone() }))
    }

    /// Where this is, for messages.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Makes what was written durable, and gives it its final name when it is complete.
    pub(super) fn commit(mut self, ending: Ending) -> Result<(), Error> {
        if self.failed {
            return Err(Error::io("finish", &self.place, broken()));
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
        rename(&part, &last)
    }
}

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.handle {
            Handle::Stdout(stdout) => stdout.write(bytes),
            Handle::Direct(file) | Handle::Beside { file, .. } => file.write(bytes),
        };
        self.failed |= written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        self.length += written.as_ref().map_or(0, |count| *count as u64);
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

/// Where a path leads.
pub(super) enum Lead {
    /// A device, pipe or socket.
    Direct(File),
    /// A file, maybe not there yet; links are followed.
    File(PathBuf),
}

/// Finds out where a path leads, and whether a file can stand there.
pub(super) fn lead(path: &Path) -> Result<Lead, Error> {
    let last = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(Error::IsDirectory { path: path.to_owned() }),
        Ok(found) if found.is_file() => fs::canonicalize(path).map_err(|source| Error::io("resolve", path, source))?,
        Ok(_) => {
            let file = OpenOptions::new().write(true).open(path).map_err(|source| Error::io("open", path, source))?;
            return Ok(Lead::Direct(file));
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
    Ok(Lead::File(last))
}

/// A file whose last octets may be in the system's memory only.
#[derive(Debug)]
pub(super) struct Unsynced {
    file: File,
    path: PathBuf,
}

impl Unsynced {
    /// Makes it durable, and its name.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|source| Error::io("sync", &self.path, source))?;
        sync_directory(directory_of(&self.path))
    }
}

/// Gives a durable file its last name, for good.
pub(super) fn rename(part: &Path, last: &Path) -> Result<(), Error> {
    fs::rename(part, last).map_err(|source| Error::io("rename into place", last, source))?;
    sync_directory(directory_of(last))
}

/// Removes a file, if it is there.
pub fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, source)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A destination for text: buffered, and compressed if the name says so.
pub(super) struct TextFile {
    encoder: Encoder,
    compression: Compression,
    place: PathBuf,
}

enum Encoder {
    Plain(BufWriter<Destination>),
    Gzip(GzEncoder<BufWriter<Destination>>),
    Zstd(zstd::Encoder<'static, BufWriter<Destination>>),
    /// Could not be ended: nothing more can be written.
    Broken,
}

impl Encoder {
    fn new(buffer: BufWriter<Destination>, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(buffer),
            Compression::Gzip => Self::Gzip(GzEncoder::new(buffer, flate2::Compression::default())),
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(buffer, ZSTD_LEVEL)?),
        })
    }

    /// Ends the gzip member or zstd frame.
    fn end(self) -> io::Result<BufWriter<Destination>> {
        match self {
            Self::Plain(buffer) => Ok(buffer),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Broken => Err(broken()),
        }
    }
}

fn broken() -> io::Error {
    io::Error::other("an earlier write failed")
}

impl TextFile {
    /// Text into a destination.
    pub(super) fn new(destination: Destination, compression: Compression) -> Result<Self, Error> {
        let place = destination.place().to_owned();
        let encoder = Encoder::new(buffered(destination), compression);
        let encoder = encoder.map_err(|source| Error::io("compress", &place, source))?;
        Ok(Self { encoder, compression, place })
    }

    /// Hands everything to the system, so that what was written so far is a whole file in itself: a gzip member or zstd frame
    /// ends here, and another one follows it (RFC 1952 section 2.2, RFC 8878 section 3.1).
    pub(super) fn checkpoint(&mut self) -> Result<Checkpoint, Error> {
        let encoder = std::mem::replace(&mut self.encoder, Encoder::Broken);
        let ended = encoder.end().and_then(|mut buffer| {
            buffer.flush()?;
            Ok(buffer)
        });
        let buffer = ended.map_err(|source| Error::io("write", &self.place, source))?;
        let (length, unsynced) = (buffer.get_ref().length(), buffer.get_ref().unsynced()?);
        let next = Encoder::new(buffer, self.compression);
        self.encoder = next.map_err(|source| Error::io("compress", &self.place, source))?;
        Ok(Checkpoint { mark: Mark::Octets(length), unsynced: unsynced.into_iter().collect(), unneeded: Vec::new() })
    }

    /// Where this is, for messages.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Ends the stream, and gives the file its final name when it is complete.
    pub(super) fn commit(self, ending: Ending) -> Result<(), Error> {
        let buffer = self.encoder.end().map_err(|source| Error::io("write", &self.place, source))?;
        commit(buffer, &self.place, ending)
    }
}

impl Write for TextFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.encoder {
            Encoder::Plain(buffer) => buffer.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
            Encoder::Broken => Err(broken()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.encoder {
            Encoder::Plain(buffer) => buffer.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
            Encoder::Zstd(encoder) => encoder.flush(),
            Encoder::Broken => Err(broken()),
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
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    whole(Destination::file(path)?, bytes)
}

/// The same for a text that goes to standard output where no path is given, or `-`.
pub fn replace_or_print(path: Option<&Path>, bytes: &[u8]) -> Result<(), Error> {
    whole(super::named(path).map_or_else(|| Ok(Destination::stdout()), Destination::file)?, bytes)
}

fn whole(mut destination: Destination, bytes: &[u8]) -> Result<(), Error> {
    destination.write_all(bytes).map_err(|source| Error::io("write", &destination.place, source))?;
    destination.commit(Ending::Complete)
}

/// A path with more behind its file name: `OUT` and `.part` give `OUT.part`.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    PathBuf::from(name)
}

pub(super) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes the new name itself durable. File systems that cannot sync a directory say so, and need it not.
pub(super) fn sync_directory(directory: &Path) -> Result<(), Error> {
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
        let mut destination = Destination::new(handle, PathBuf::from("pipe"));
        let source = destination.write_all(b"x").unwrap_err();
        assert!(matches!(Error::io("write", Path::new("pipe"), source), Error::BrokenPipe));
    }

    #[test]
    fn text_goes_on_behind_its_last_checkpoint_and_reads_back() {
        let directory = directory();
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
            let path = directory.path().join("out");
            let mut file = TextFile::new(Destination::file(&path).unwrap(), compression).unwrap();
            file.write_all(b"a,b\n").unwrap();
            let first = file.checkpoint().unwrap().mark;
            file.write_all(b"lost").unwrap();
            drop(file);
            let Mark::Octets(length) = first else { panic!("{first:?}") };
            let mut file = TextFile::new(Destination::resumed(&path, length).unwrap(), compression).unwrap();
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
