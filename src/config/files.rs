//! That no file is written over another one.
//! Comes in: what is read and what is written, by the options that name it. Goes out: nothing, or which two are one.

use std::path::{Path, PathBuf};

use super::{Error, rejects};
use crate::cli::scan as typed;
use crate::model::tables::Table;
use crate::output;

/// No file of the run is written over one that it reads, or over another of its own.
pub(super) fn apart(args: &typed::Scan) -> Result<(), Error> {
    let stdin = |path: &&PathBuf| path.as_os_str() == "-";
    if args.input.iter().chain(&args.previous).filter(stdin).count() > 1 {
        return Err(Error::StdinTwice);
    }
    let outputs = args.rows.output.as_deref().map(files_of_output).unwrap_or_default();
    if args.resume && outputs.is_empty() {
        return Err(Error::ResumesNothing);
    }
    let written = |path: &Path| {
        let places = [place(path), place(&output::beside(path, ".part"))];
        if output::is_direct(path) { Vec::new() } else { places.to_vec() }
    };
    let rejects = rejects(args);
    let rejected = rejects.as_deref().map(written).unwrap_or_default();
    let kept = args.evidence.as_deref().map(written).unwrap_or_default();
    let metrics = args.metrics.as_deref().map(written).unwrap_or_default();
    let tables: Vec<PathBuf> =
        args.tables.folder.iter().flat_map(|folder| Table::WORDS.iter().map(|name| folder.join(name))).collect();
    let read = [
        ("--input", args.input.as_slice()),
        ("--exclude", &args.exclude),
        ("--dnsbl-file", &args.dnsbl_file),
        ("--previous", &args.previous),
        ("--tables", &tables),
        ("--config", args.config.as_slice()),
    ];
    let all = [("--output", &outputs[..]), ("--rejects", &rejected), ("--evidence", &kept), ("--metrics", &metrics)];
    unread(&read, &all)?;
    if let Some(path) = rejects.filter(|path| !output::is_direct(path)) {
        if rejected.iter().any(|place| outputs.contains(place)) {
            return Err(Error::RejectsAreOutput(path));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        // Those of an output without a folder are the output's fault, which says so itself.
        if args.rejects.is_some() && (path.is_dir() || !folder.is_dir()) {
            return Err(Error::RejectsPlace(path));
        }
    }
    if let Some(path) = &args.evidence {
        output::evidence::form_of(path)?;
        if kept.iter().any(|place| outputs.contains(place) || rejected.contains(place)) {
            return Err(Error::EvidenceIsOutput(path.clone()));
        }
    }
    if let Some(path) = &args.metrics
        && metrics.iter().any(|place| [&outputs, &rejected, &kept].into_iter().any(|others| others.contains(place)))
    {
        return Err(Error::MetricsAreOutput(path.clone()));
    }
    Ok(())
}

/// The files that an output makes under its name and beside it; none on standard output or a device.
pub(super) fn files_of_output(path: &Path) -> Vec<PathBuf> {
    if path == Path::new("-") || output::is_direct(path) {
        return Vec::new();
    }
    let others = [".part", ".journal", ".lock"].map(|ending| output::beside(path, ending));
    [path.to_owned(), output::Manifest::path(path)].iter().chain(&others).map(|path| place(path)).collect()
}

/// No file that some option reads is written by another.
pub(super) fn unread(read: &[(&'static str, &[PathBuf])], written: &[(&'static str, &[PathBuf])]) -> Result<(), Error> {
    for (reader, path) in read.iter().flat_map(|(option, paths)| paths.iter().map(move |path| (*option, path))) {
        let found = place(path);
        for (writer, places) in written {
            if places.contains(&found) {
                return Err(Error::Overwrites { path: path.clone(), reader, writer });
            }
        }
    }
    Ok(())
}

/// One name for one file, whether it exists yet or not.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        match (folder.canonicalize(), path.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => path.to_owned(),
        }
    })
}
