//! Which files are read.
//! Comes in: files and folders as given. Goes out: files, each once; those of a folder by their names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Error;

/// How the names of files of rows end.
const ENDINGS: &[&str] = &[".csv", ".csv.gz", ".csv.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"];
/// How the names of other files end that a scan leaves beside its rows.
const OTHERS: &[&str] = &[".rejects.csv"];

/// The files of these files and folders.
pub(super) fn of(given: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let (mut files, mut seen) = (Vec::with_capacity(given.len()), BTreeSet::new());
    for path in given {
        let found = if path.is_dir() { inside(path)? } else { vec![path.clone()] };
        for path in found {
            if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                return Err(Error::SameFile(path));
            }
            files.push(path);
        }
    }
    Ok(files)
}

fn inside(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Folder { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends(ENDINGS) && !ends(OTHERS) && path.is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Err(Error::NoFile(folder.to_owned()));
    }
    found.sort();
    Ok(found)
}
