//! Dated tables of names: what is delegated, set aside, private, or never replaced, and where the public registers.
//! Comes in: the texts compiled into the program, and those that a run puts in their place. Goes out: [`Tables`].
//! Each table says its own date, and a text that makes no sense is refused with the line and the reason.
//! Nothing is looked up in DNS, and no table changes once it is made.

mod ptr;
mod sheet;
mod suffixes;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub use self::ptr::PtrSets;
use self::ptr::PtrWords;
use self::sheet::{Shape, Sheet};
use self::suffixes::Suffixes;
pub(super) use self::suffixes::{Section, Suffix};
use super::words::words;

words! {
    /// The tables, by the names of their files.
    Table {
        /// Suffixes that are no public names.
        SpecialUse = "special-use.txt",
        /// Top-level domains that only exist in private networks.
        PrivateTlds = "private-tlds.txt",
        /// The delegated top-level domains.
        Tlds = "tlds.txt",
        /// Names that nobody has replaced yet, and the names of systems that nobody has named.
        Placeholders = "placeholders.txt",
        /// Words of reverse names.
        Ptr = "ptr.txt",
        /// The Public Suffix List, in its own format.
        PublicSuffix = "public-suffix.dat",
    }
}

/// A text that takes the place of a table's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Which table.
    pub table: Table,
    /// Where the text is from: a path.
    pub from: String,
    /// The text, as read.
    pub bytes: Vec<u8>,
}

/// Where a table in force is from, and of what date it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Which table.
    #[serde(skip)]
    pub table: Table,
    /// Its date, as it says itself: `YYYY-MM-DD`.
    pub date: String,
    /// Its version, where it has one: what two versions say must not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// `built-in`, or the path.
    pub from: String,
    /// Lower-case hexadecimal digits that tell two tables of one date apart: of the SHA-256 of its file, or the version of
    /// the crate it is compiled from.
    pub digest: String,
}

/// What three of the tables say of a top-level domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Top {
    /// It is delegated.
    pub(super) delegated: bool,
    /// It only exists in private networks.
    pub(super) private: bool,
    /// A special-use suffix ends in it.
    pub(super) special: bool,
}

/// Why a text cannot be a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use the table {from}, line {line}: {reason}")]
pub struct Error {
    /// Where the text is from.
    pub from: String,
    /// The line, from 1; the last one where the whole text lacks something.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The tables in force.
pub struct Tables {
    special_use: Vec<Box<str>>,
    tops: HashMap<Box<str>, Top>,
    placeholder_labels: HashSet<Box<str>>,
    placeholder_suffixes: Vec<Box<str>>,
    default_hosts: Vec<Box<str>>,
    ptr: PtrWords,
    suffixes: Suffixes,
    sources: Vec<Source>,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// The sections of each table, and what their words look like. The Public Suffix List has a format of its own.
const SPECIAL_USE: &[(&str, Shape)] = &[("", Shape::Name)];
const TLDS: &[(&str, Shape)] = &[("", Shape::Label)];
const PLACEHOLDERS: &[(&str, Shape)] = &[("label", Shape::Label), ("suffix", Shape::Name), ("host", Shape::Host)];
const PTR: &[(&str, Shape)] = &[
    ("alloc", Shape::Letters),
    ("tech", Shape::Letters),
    ("generic", Shape::Letters),
    ("static", Shape::Letters),
    ("explicit", Shape::Letters),
    ("mail", Shape::Letters),
];

static BUILT_IN: LazyLock<Tables> =
    LazyLock::new(|| Tables::new(Vec::new()).expect("a test reads the tables inside the program"));

impl Tables {
    /// The tables inside the program.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The tables inside the program, some of them replaced.
    pub fn new(given: Vec<Given>) -> Result<Self, Error> {
        let mut texts = given;
        for &table in Table::ALL {
            let own = |text: &str| Given { table, from: "built-in".to_owned(), bytes: text.into() };
            if !texts.iter().any(|given| given.table == table) {
                texts.extend(match table {
                    Table::SpecialUse => Some(own(include_str!("special-use.txt"))),
                    Table::PrivateTlds => Some(own(include_str!("private-tlds.txt"))),
                    Table::Tlds => Some(own(include_str!("tlds.txt"))),
                    Table::Placeholders => Some(own(include_str!("placeholders.txt"))),
                    Table::Ptr => Some(own(include_str!("ptr.txt"))),
                    // Compiled, not read.
                    Table::PublicSuffix => None,
                });
            }
        }
        let mut tables = Self::empty();
        for given in &texts {
            tables.read(given).map_err(|(line, reason)| Error { from: given.from.clone(), line, reason })?;
        }
        for suffix in &tables.special_use {
            let last = suffix.rsplit('.').next().unwrap_or(suffix);
            tables.tops.entry(last.into()).or_default().special = true;
        }
        for top in tables.tops.values_mut() {
            // A word that has been delegated since is no longer private.
            top.private &= !top.delegated;
        }
        tables.sources.sort_by_key(|source| source.table);
        Ok(tables)
    }

    fn empty() -> Self {
        Self {
            special_use: Vec::new(),
            tops: HashMap::new(),
            placeholder_labels: HashSet::new(),
            placeholder_suffixes: Vec::new(),
            default_hosts: Vec::new(),
            ptr: PtrWords::default(),
            suffixes: Suffixes::Compiled,
            sources: vec![Source {
                table: Table::PublicSuffix,
                date: suffixes::DATE.to_owned(),
                version: None,
                from: format!("built-in, from the crate psl {}", suffixes::CRATE),
                digest: suffixes::CRATE.to_owned(),
            }],
        }
    }

    fn read(&mut self, given: &Given) -> Result<(), (usize, String)> {
        let text = str::from_utf8(&given.bytes).map_err(|error| {
            let good = given.bytes.get(..error.valid_up_to()).unwrap_or_default();
            (good.split(|byte| *byte == b'\n').count(), "not in UTF-8".to_owned())
        })?;
        let sheet = |sections| Sheet::read(text, sections);
        let (date, version) = match given.table {
            Table::SpecialUse => {
                let sheet = sheet(SPECIAL_USE)?;
                self.special_use = sheet.words("").collect();
                sheet.dated()
            }
            Table::PrivateTlds => {
                let sheet = sheet(TLDS)?;
                sheet.words("").for_each(|tld| self.tops.entry(tld).or_default().private = true);
                sheet.dated()
            }
            Table::Tlds => {
                let sheet = sheet(TLDS)?;
                sheet.words("").for_each(|tld| self.tops.entry(tld).or_default().delegated = true);
                sheet.dated()
            }
            Table::Placeholders => {
                let sheet = sheet(PLACEHOLDERS)?;
                self.placeholder_labels = sheet.words("label").collect();
                self.placeholder_suffixes = sheet.words("suffix").collect();
                self.default_hosts = sheet.words("host").collect();
                sheet.dated()
            }
            Table::Ptr => {
                let sheet = sheet(PTR)?.versioned()?;
                self.ptr = PtrWords::of(&sheet);
                sheet.dated()
            }
            Table::PublicSuffix => {
                let (suffixes, date) = suffixes::read(text)?;
                self.suffixes = suffixes;
                (date, None)
            }
        };
        self.sources.retain(|source| source.table != given.table);
        let digest = Sha256::digest(&given.bytes);
        let digest = digest.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        self.sources.push(Source { table: given.table, date, version, from: given.from.clone(), digest });
        Ok(())
    }

    /// Where each table is from, in the order of [`Table::ALL`].
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The sets that a run of letters in a reverse name belongs to.
    pub fn ptr_word(&self, word: &[u8]) -> PtrSets {
        self.ptr.sets(word)
    }

    /// What is known of a top-level domain.
    pub(super) fn top(&self, tld: &str) -> Top {
        self.tops.get(tld).copied().unwrap_or_default()
    }

    /// The special-use suffix that a name stands under.
    pub(super) fn special_use(&self, name: &str) -> Option<&str> {
        self.special_use.iter().map(|suffix| &**suffix).find(|suffix| is_under(name, suffix))
    }

    /// Whether a name ends in one, or its registered label is one, that a manual told somebody to replace.
    pub(super) fn is_placeholder(&self, name: &str, registered_label: Option<&str>) -> bool {
        self.placeholder_suffixes.iter().any(|suffix| is_under(name, suffix))
            || registered_label.is_some_and(|label| self.placeholder_labels.contains(label))
    }

    /// Whether a name of one label is what a system calls itself until somebody names it.
    pub(super) fn is_default_host(&self, label: &str) -> bool {
        self.default_hosts.iter().any(|host| match host.strip_suffix('*') {
            Some(head) => label.starts_with(head),
            None => *label == **host,
        })
    }

    /// What the Public Suffix List says of a name.
    pub(super) fn suffix(&self, name: &str) -> Suffix {
        self.suffixes.of(name)
    }
}

/// Whether a name is this suffix or stands below it.
pub(super) fn is_under(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

#[cfg(test)]
mod tests;
