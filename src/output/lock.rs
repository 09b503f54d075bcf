//! A lock on an output, so that two runs do not write the same files.
//! Comes in: the output's name. Goes out: a lock, or who has it.
//! It is the system's own lock on `OUT.lock`, so that of a run that was killed is gone with its process, and what is left of the
//! file stops nobody.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::file::beside;
use super::{Error, is_direct, rfc3339};
use crate::model::clock::now_ms;

/// Tries to lock a file that its last holder is just removing.
const TRIES: usize = 20;
/// Octets that are shown of what a holder says of itself.
const SHOWN: u64 = 200;

/// A lock on an output, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// None where the file system knows no locks.
    file: Option<File>,
}

impl Lock {
    /// Locks an output; None for a device or pipe, which several may write to.
    pub fn take(output: &Path) -> Result<Option<Self>, Error> {
        if is_direct(output) {
            return Ok(None);
        }
        let path = beside(output, ".lock");
        let failed = |source| Error::io("lock", &path, source);
        for _ in 0..TRIES {
            // A missing directory is told by whoever opens the output.
            let mut file = match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path) {
                Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
                opened => opened.map_err(failed)?,
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(output, &file)),
                Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Unsupported => {
                    return Ok(Some(Self { path, file: None }));
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // Its last holder may have removed it between the two steps: then the name belongs to another file, or to none.
            let (own, named) = (file.metadata().map_err(failed)?, fs::metadata(&path));
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())) {
                file.set_len(0).and_then(|()| file.write_all(ourselves().as_bytes())).map_err(failed)?;
                return Ok(Some(Self { path, file: Some(file) }));
            }
        }
        Err(failed(io::Error::other("it is being made and removed all the time")))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.file.is_some() {
            // While it is locked. One that stays behind stops nobody.
            let _left = fs::remove_file(&self.path);
        }
    }
}

fn held(output: &Path, file: &File) -> Error {
    let mut holder = String::new();
    // Who it is helps, but is not needed.
    let _unknown = io::Read::take(file, SHOWN).read_to_string(&mut holder);
    let holder = holder.lines().next().filter(|line| !line.is_empty()).unwrap_or("another process").to_owned();
    Error::Locked { path: output.to_owned(), holder }
}

/// This process, for whoever waits for it.
fn ourselves() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let now = rfc3339(now_ms()).unwrap_or_default();
    format!("process {} on {}, since {now}\n", std::process::id(), host.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_has_one_run_at_a_time_and_a_lock_left_behind_stops_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.csv");
        let lock = Lock::take(&output).unwrap().unwrap();
        let error = Lock::take(&output).unwrap_err();
        let Error::Locked { holder, .. } = &error else { panic!("{error}") };
        assert!(holder.starts_with(&format!("process {} on ", std::process::id())), "{holder}");
        drop(lock);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(beside(&output, ".lock"), "process 1 on elsewhere, since long ago\n").unwrap();
        assert!(Lock::take(&output).unwrap().is_some());
        assert!(Lock::take(Path::new("/dev/null")).unwrap().is_none());
    }
}
