//! Writes the records that could not be used.
//! Comes in: rejects, in any order. Goes out: a CSV beside the output, there only when there is something to say.
//! Written under a `.part` name and renamed when complete; a device or pipe is written to as it is, and stays.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::Error;
use crate::model::target::Reject;

/// The header of the rejects file.
const COLUMNS: [&str; 5] = ["file", "record", "column", "reason", "text"];

/// The rejects file of a run.
#[derive(Debug)]
pub struct Rejects {
    path: PathBuf,
    part: PathBuf,
    /// A device or pipe stands under the name: nothing to rename or to remove.
    direct: bool,
    writer: Option<csv::Writer<BufWriter<File>>>,
    count: u64,
}

impl Rejects {
    /// Rejects will go to this path; nothing is touched before the first one.
    pub fn new(path: PathBuf) -> Self {
        let direct = fs::metadata(&path).is_ok_and(|found| !found.is_file() && !found.is_dir());
        let mut part = path.clone().into_os_string();
        if !direct {
            part.push(".part");
        }
        Self { path, part: part.into(), direct, writer: None, count: 0 }
    }

    /// Where the rejects go.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many there are so far.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds one. A cell that a spreadsheet would run (`=`, `+`, `-`, `@`, tab or CR first) gets a `'` before it, and so
    /// does one that begins with `'`: taking one leading `'` away gives every cell back.
    pub fn write(&mut self, reject: &Reject) -> Result<(), Error> {
        let record = reject.record.map_or_else(String::new, |record| record.to_string());
        let cells = [&*reject.file, &record, &*reject.column, &*reject.reason, &*reject.text].map(neutral);
        let written = (|| {
            if self.writer.is_none() {
                let mut writer = csv::Writer::from_writer(BufWriter::new(File::create(&self.part)?));
                writer.write_record(COLUMNS)?;
                self.writer = Some(writer);
            }
            self.writer.as_mut().map_or(Ok(()), |writer| writer.write_record(&cells)).map_err(io::Error::from)
        })();
        written.map_err(|source| Error::Write { path: self.part.clone(), source })?;
        self.count += 1;
        Ok(())
    }

    /// Completes the file and gives it its name; returns the number of rejects.
    /// Without any, a file of that name from an earlier run is removed: it would tell of records that are now well.
    pub fn finish(self) -> Result<u64, Error> {
        let Some(writer) = self.writer else {
            if self.direct {
                return Ok(0);
            }
            return match fs::remove_file(&self.path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    Err(Error::Write { path: self.path, source })
                }
                _ => Ok(0),
            };
        };
        let flushed = writer.into_inner().map_err(csv::IntoInnerError::into_error);
        let file = flushed.and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error));
        let finish = |file: File| {
            if self.direct { Ok(()) } else { file.sync_all().and_then(|()| fs::rename(&self.part, &self.path)) }
        };
        file.and_then(finish).map_err(|source| Error::Write { path: self.path.clone(), source })?;
        Ok(self.count)
    }
}

fn neutral(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\'']) { "'" } else { "" };
    format!("{guard}{cell}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject(text: &str) -> Reject {
        Reject {
            file: "a.csv".into(),
            record: Some(3),
            column: "domain".into(),
            reason: "is no good, alas".into(),
            text: text.into(),
        }
    }

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_made_harmless() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.csv.rejects.csv");
        let mut rejects = Rejects::new(path.clone());
        for text in ["=1+1", "'tis", "plain"] {
            rejects.write(&reject(text)).unwrap();
        }
        assert!(!path.exists());
        assert_eq!(rejects.finish().unwrap(), 3);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "file,record,column,reason,text\n\
             a.csv,3,domain,\"is no good, alas\",'=1+1\n\
             a.csv,3,domain,\"is no good, alas\",''tis\n\
             a.csv,3,domain,\"is no good, alas\",plain\n"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn without_a_reject_there_is_no_file_not_even_an_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rejects.csv");
        fs::write(&path, "old").unwrap();
        assert_eq!(Rejects::new(path.clone()).finish().unwrap(), 0);
        assert!(!path.exists());
        assert_eq!(Rejects::new(path).finish().unwrap(), 0);
    }

    #[test]
    fn a_device_is_written_to_and_neither_renamed_nor_removed() {
        use std::os::unix::fs::FileTypeExt as _;

        let dir = tempfile::tempdir().unwrap();
        // A link, so that what fails here cannot take the machine's own device away.
        let path = dir.path().join("rejects.csv");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        for count in [0, 1] {
            let mut rejects = Rejects::new(path.clone());
            for _ in 0..count {
                rejects.write(&reject("x")).unwrap();
            }
            assert_eq!(rejects.finish().unwrap(), count);
            assert!(fs::metadata(&path).unwrap().file_type().is_char_device());
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut rejects = Rejects::new(dir.path().join("none").join("rejects.csv"));
        let error = rejects.write(&reject("x")).unwrap_err().to_string();
        assert!(error.ends_with("rejects.csv.part"), "{error}");
    }
}
