//! Writes pairs as the CSV that `scan` reads, each once.
//! Comes in: an address and the bytes of a HELO. Goes out: `ip,helo` records, in a file that appears when it is whole.
//! A HELO is written so that no terminal and no spreadsheet is harmed, and `scan` has its octets back: every octet that is
//! not printable ASCII, and a first one that a spreadsheet would run, is `\xHH`, and a backslash is `\\`.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::Error;
use crate::model::smtp::escape;

/// Pairs remembered per generation: two tables of 2^21 places of 17 bytes, 72 MiB in all.
const GENERATION: usize = 1_800_000;

/// The pairs met lately, by 128 bits of their SHA-256.
///
/// Beyond `limit` pairs the older generation is forgotten: a pair that comes back only after that many others is
/// written again, and none is ever lost.
#[derive(Debug)]
struct Memory {
    limit: usize,
    young: HashSet<[u8; 16]>,
    old: HashSet<[u8; 16]>,
}

impl Memory {
    fn new(limit: usize) -> Self {
        Self { limit, young: HashSet::new(), old: HashSet::new() }
    }

    /// Whether this pair is met for the first time, as far as is remembered.
    fn is_new(&mut self, address: IpAddr, helo: &[u8]) -> bool {
        let mut digest = Sha256::new();
        match address {
            IpAddr::V4(address) => digest.update(address.octets()),
            IpAddr::V6(address) => digest.update(address.octets()),
        }
        digest.update([u8::from(address.is_ipv6())]);
        digest.update(helo);
        let key = digest.finalize().first_chunk().copied().expect("a SHA-256 has 32 bytes");
        if self.young.contains(&key) {
            return false;
        }
        let known = self.old.contains(&key);
        if self.young.len() == self.limit {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key);
        !known
    }
}

/// Where the records go.
enum Place {
    Stdout(io::Stdout),
    /// A device or pipe: nothing to rename.
    Direct(File),
    Beside(NamedTempFile),
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Direct(file) => file.write(bytes),
            Self::Beside(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Direct(file) => file.flush(),
            Self::Beside(file) => file.flush(),
        }
    }
}

/// The CSV at work. Dropped unfinished, it leaves nothing.
pub(super) struct Sheet {
    writer: csv::Writer<Place>,
    path: PathBuf,
    memory: Memory,
}

impl Sheet {
    /// Opens the file, or standard output for None and `-`, and writes the header.
    pub(super) fn create(output: Option<&Path>) -> Result<Self, Error> {
        let (place, path) = match output.filter(|path| path.as_os_str() != "-") {
            None => (Place::Stdout(io::stdout()), PathBuf::from("standard output")),
            Some(path) => place(path).map_err(|source| Error::Create { path: path.to_owned(), source })?,
        };
        let mut sheet = Self { writer: csv::Writer::from_writer(place), path, memory: Memory::new(GENERATION) };
        sheet.record([b"ip", b"helo"])?;
        Ok(sheet)
    }

    /// Writes a pair; false when it was written before.
    pub(super) fn write(&mut self, address: IpAddr, helo: &[u8]) -> Result<bool, Error> {
        if !self.memory.is_new(address, helo) {
            return Ok(false);
        }
        let (address, helo) = (address.to_string(), spelled(helo));
        self.record([address.as_bytes(), helo.as_bytes()]).map(|()| true)
    }

    /// Makes the file appear under its name.
    pub(super) fn finish(self) -> Result<(), Error> {
        let path = self.path;
        let failed = |source: io::Error| Error::write(&path, source);
        match self.writer.into_inner().map_err(|error| failed(error.into_error()))? {
            Place::Stdout(mut stdout) => stdout.flush().map_err(failed),
            Place::Direct(mut file) => file.flush().map_err(failed),
            Place::Beside(file) => {
                file.as_file().sync_all().map_err(failed)?;
                file.persist(&path).map(drop).map_err(|error| failed(error.error))
            }
        }
    }

    fn record<const N: usize>(&mut self, cells: [&[u8]; N]) -> Result<(), Error> {
        self.writer.write_record(cells).map_err(|error| {
            let source = match error.into_kind() {
                csv::ErrorKind::Io(source) => source,
                other => io::Error::other(format!("{other:?}")),
            };
            Error::write(&self.path, source)
        })
    }
}

/// A device is opened; of a file, the one that will replace it, in its folder; a link stays a link.
fn place(path: &Path) -> io::Result<(Place, PathBuf)> {
    let last = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() => fs::canonicalize(path)?,
        Ok(_) => return Ok((Place::Direct(OpenOptions::new().write(true).open(path)?), path.to_owned())),
        Err(_) => path.to_owned(),
    };
    let name = last.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = last.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt as _;
        // As any new file: what the user's mask leaves of it.
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    let file = builder.prefix(name).suffix(".part").tempfile_in(folder)?;
    Ok((Place::Beside(file), last))
}

/// A HELO as a cell.
fn spelled(helo: &[u8]) -> String {
    let mut cell = String::with_capacity(helo.len() + 8);
    let (head, rest) = match helo {
        [first @ (b'=' | b'+' | b'-' | b'@' | b'\''), rest @ ..] => (Some(first), rest),
        _ => (None, helo),
    };
    if let Some(first) = head {
        write!(cell, "\\x{first:02X}").expect("writing to a String cannot fail");
    }
    cell.push_str(&escape(rest));
    cell
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::smtp::unescape;

    #[test]
    fn what_a_terminal_or_a_spreadsheet_would_run_is_spelled_out() {
        for (helo, cell) in [
            (&b"mail.example.org"[..], "mail.example.org"),
            (b"=cmd()", "\\x3Dcmd()"),
            (b"-x-", "\\x2Dx-"),
            (b"a\x1b]0;b\x07", "a\\x1B]0;b\\x07"),
            (b"m\xFCller\\", "m\\xFCller\\\\"),
        ] {
            assert_eq!(spelled(helo), cell);
        }
    }

    #[test]
    fn beyond_its_memory_a_pair_is_new_again_and_never_lost() {
        let mut memory = Memory::new(2);
        let mut met = |helo: &str| memory.is_new("192.0.2.1".parse().unwrap(), helo.as_bytes());
        assert!(met("a") && met("b") && !met("a"), "within the first generation");
        assert!(met("c") && !met("a"), "the older generation is still known, and what is met stays young");
        assert!(met("d") && met("b") && !met("a"), "b was forgotten");
    }

    #[test]
    fn the_same_name_from_two_addresses_is_two_pairs() {
        let mut memory = Memory::new(9);
        assert!(memory.is_new("192.0.2.1".parse().unwrap(), b"a"));
        assert!(memory.is_new("192.0.2.2".parse().unwrap(), b"a"));
        assert!(!memory.is_new("192.0.2.1".parse().unwrap(), b"a"));
    }

    proptest! {
        #[test]
        fn a_cell_is_printable_and_gives_its_octets_back(helo in prop::collection::vec(any::<u8>(), 0..60)) {
            let cell = spelled(&helo);
            prop_assert!(cell.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
            prop_assert_eq!(unescape(&cell), helo);
        }
    }
}
