//! What a file of the user says of blocklists.
//! Comes in: TOML. Goes out: entries, laid over what the catalogue knows.
//! A key stands in the zone that is asked, and in no message.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::entry::{Code, Entry, Kind, find, normal};

/// A personal key: nothing prints it.
#[derive(Clone)]
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A decoder's own words would show what it found instead.
        String::deserialize(deserializer).map(Self).map_err(|_| D::Error::custom("a key must be a quoted string"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KEY")
    }
}

/// What a file of the user says of a list; the rest is the catalogue's, or a list nobody has described.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {
    zone: String,
    key: Option<Key>,
    kind: Option<Kind>,
    core: Option<bool>,
    ipv4: Option<bool>,
    ipv6: Option<bool>,
    bits: Option<bool>,
    test: Option<String>,
    rate: Option<f32>,
    daily: Option<u32>,
    lookup: Option<String>,
    codes: Option<Vec<Code>>,
}

impl Own {
    /// Why its key cannot be put into its zone.
    fn misplaced_key(&self) -> Option<&'static str> {
        let Key(key) = self.key.as_ref()?;
        let is_label =
            !key.is_empty() && key.len() < 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !normal(&self.zone).starts_with("key.") {
            Some("has a key, and no first label KEY for it in its zone")
        } else if !is_label {
            Some("has a key that is no label: letters, digits and hyphens, 63 at most")
        } else {
            None
        }
    }

    /// The zone that is asked, the key in its place.
    pub(super) fn zone(&self) -> String {
        let zone = normal(&self.zone);
        match (&self.key, zone.strip_prefix("key.")) {
            (Some(Key(key)), Some(rest)) => format!("{}.{rest}", key.to_ascii_lowercase()),
            _ => zone,
        }
    }

    /// The whole entry: what the file says, laid over what is known.
    pub(super) fn entry(self) -> Entry {
        let zone = self.zone();
        let keyed = self.key.is_some().then(|| normal(&self.zone)).filter(|zone| zone.starts_with("key."));
        let shown = keyed.map(|zone| zone.replacen("key.", "KEY.", 1));
        let base = find(&zone).cloned().unwrap_or_else(|| Entry::unknown(shown.as_deref().unwrap_or(&zone)));
        Entry {
            kind: self.kind.unwrap_or(base.kind),
            core: self.core.unwrap_or(base.core),
            ipv4: self.ipv4.unwrap_or(base.ipv4),
            ipv6: self.ipv6.unwrap_or(base.ipv6),
            bits: self.bits.unwrap_or(base.bits),
            test: self.test.or(base.test),
            rate: self.rate.or(base.rate),
            daily: self.daily.unwrap_or(base.daily),
            lookup: self.lookup.or(base.lookup),
            codes: self.codes.unwrap_or(base.codes),
            ..base
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnFile {
    list: Vec<Own>,
}

/// Why a file of the user cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is no description of lists. The line itself is not shown: it may hold a key.
    #[error("cannot understand {path}, line {line}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's reason.
        reason: String,
    },
    /// A key that has no place in its zone. It is not shown.
    #[error("cannot use {path}: the list {zone} {why}")]
    Key {
        /// The file.
        path: PathBuf,
        /// The list's zone, as the file has it.
        zone: String,
        /// What is wrong.
        why: &'static str,
    },
    /// It is beyond all measure.
    #[error("{path} is over 1 MiB, which no description of blocklists is")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// The most that is read of a file.
const FILE_BYTES: u64 = 1 << 20;

/// Reads a file of the user.
pub(super) fn read(path: &Path) -> Result<Vec<Own>, FileError> {
    let mut text = String::new();
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| file.take(FILE_BYTES + 1).read_to_string(&mut text));
    let length = read.map_err(|source| FileError::Read { path: path.into(), source })?;
    if u64::try_from(length).is_ok_and(|length| length > FILE_BYTES) {
        return Err(FileError::TooLong { path: path.into() });
    }
    let file: OwnFile = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        FileError::Parse { path: path.into(), line, reason: error.message().to_owned() }
    })?;
    let misplaced = |own: &Own| own.misplaced_key().map(|why| (own.zone.clone(), why));
    match file.list.iter().find_map(misplaced) {
        Some((zone, why)) => Err(FileError::Key { path: path.into(), zone, why }),
        None => Ok(file.list),
    }
}
