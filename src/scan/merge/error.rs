//! Why outputs are not joined: all of it is found before anything is written.
//! Comes in: what was found. Goes out: one line that names the files, the difference, and what to do.
//! What the system or a file's own form is at fault for has its errors elsewhere.

use std::path::PathBuf;

use crate::input::results::Form;

/// Why parts are not joined.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that can be read but once.
    #[error("{} is no file, and a part is read twice: save it as one first", .0.display())]
    NoFile(PathBuf),
    /// The same file twice.
    #[error("{} is given twice: name each part once", .0.display())]
    SameFile(PathBuf),
    /// Parts of different forms.
    #[error("{} holds {form} and {} holds {other_form}: only parts of one form are joined", one.display(), other.display())]
    Form {
        /// A part.
        one: PathBuf,
        /// Its form.
        form: Form,
        /// Another part.
        other: PathBuf,
        /// The form of that.
        other_form: Form,
    },
    /// Parts of different columns.
    #[error("the columns of {} and {} differ: {difference}", one.display(), other.display())]
    Columns {
        /// A part.
        one: PathBuf,
        /// Another part.
        other: PathBuf,
        /// The first difference.
        difference: String,
    },
    /// Rows of different column tables, or of one that is too new.
    #[error("row {row} of {} is of version {found} of the column table, and {wanted}", path.display())]
    Schema {
        /// The part.
        path: PathBuf,
        /// The row.
        row: u64,
        /// Its version.
        found: u64,
        /// What was expected.
        wanted: String,
    },
    /// Runs by different options.
    #[error("{} and {} are of runs by different options: {differences}", one.display(), other.display())]
    Options {
        /// A part.
        one: PathBuf,
        /// Another part.
        other: PathBuf,
        /// Which, and what they were.
        differences: String,
    },
    /// Shares of another number of shares, or none.
    #[error("{} is {shard}, and another part is a share of {n}: shares of one list are joined, or whole runs", path.display())]
    OtherShares {
        /// The part.
        path: PathBuf,
        /// What it is.
        shard: String,
        /// The number of shares.
        n: u32,
    },
    /// A share twice.
    #[error("{} and {} both are share {shard}: its rows would stand twice", one.display(), other.display())]
    Twice {
        /// A part.
        one: PathBuf,
        /// Another part.
        other: PathBuf,
        /// The share.
        shard: String,
    },
    /// Shares of different lists.
    #[error("{} and {} are not of the same list: the manifests tell of different inputs", one.display(), other.display())]
    OtherList {
        /// A part.
        one: PathBuf,
        /// Another part.
        other: PathBuf,
    },
    /// Whole runs of one list.
    #[error("{} and {} are whole runs of the same list: its rows would stand twice", one.display(), other.display())]
    SameList {
        /// A part.
        one: PathBuf,
        /// Another part.
        other: PathBuf,
    },
    /// Something is missing.
    #[error("{what}; with --partial the rest is joined")]
    Incomplete {
        /// What.
        what: String,
    },
    /// A part is not what its manifest tells of.
    #[error("{} holds {found} rows, and its manifest tells of {told}: it is not whole, or not the file of that run", path.display())]
    Rows {
        /// The part.
        path: PathBuf,
        /// Rows read.
        found: u64,
        /// Rows told.
        told: u64,
    },
    /// Shares that are none.
    #[error(
        "{0} rows stand in more than one part, though shares of one list have none in common: some part is not what its manifest tells of"
    )]
    Overlap(u64),
}
