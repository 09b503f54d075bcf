//! Rows of earlier runs, to be surveyed by several threads.
//! Comes in: a file of rows. Goes out: piece after piece of it, each of which some thread reads row by row.
//! A word that this program does not know is an error: what is not understood cannot be counted.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use super::Error;
use super::results::{basis, causes, codes, number, server, verdicts, word};
use super::rows::{Form, Rows};
use crate::model::finding::Code;
use crate::model::gist::Gist;
use crate::model::sighting::{Sighting, Texts};
use crate::model::words::{Basis, Cause, CertTrust, Overall, PtrClass, Rule, TargetKind, TlsFailure, TlsStatus};

/// The columns that are looked at, the verdicts of `Rule::ALL` last.
const COLUMNS: [&str; 34] = [
    "schema_version",
    "line",
    "target",
    "target_kind",
    "mx_preference",
    "exchange",
    "address",
    "ptr_names",
    "ptr_class",
    "connect_status",
    "connect_ms",
    "greeting",
    "greeting_ms",
    "software",
    "tls_status",
    "tls_version",
    "tls_cert_trust",
    "tls_failure",
    "introduction",
    "basis",
    "dnsbl_listed",
    "dnsbl_counted",
    "dnsbl_unknown",
    "verdict",
    "findings",
    "unknown_why",
    "scanned_at",
    "introduces",
    "fqdn",
    "exists",
    "matches",
    "unlisted",
    "reverse",
    "mx",
];

/// A file that is cut into pieces.
#[derive(Debug)]
pub struct Pieces(Rows<{ COLUMNS.len() }>);

impl Pieces {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Rows::open(path, COLUMNS).map(Self)
    }

    /// How its rows are stored.
    pub const fn form(&self) -> Form {
        self.0.form()
    }

    /// Rows in the pieces so far.
    pub const fn rows(&self) -> u64 {
        self.0.hand().number()
    }

    /// The next piece: of text about so many bytes. None at the end; after an error there is nothing more.
    pub fn next_piece(&mut self, bytes: usize) -> Result<Option<Piece>, Error> {
        let piece = self.0.cut(bytes)?;
        Ok(piece.map(|rows| Piece { rows, causes: Vec::new(), findings: Vec::new() }))
    }
}

/// Some rows of a file.
pub struct Piece {
    rows: super::rows::Piece<{ COLUMNS.len() }>,
    causes: Vec<(Rule, Cause)>,
    findings: Vec<Code>,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece").field("at", self.rows.hand()).finish_non_exhaustive()
    }
}

impl Piece {
    /// The number of the row read last, in its file.
    pub const fn row(&self) -> u64 {
        self.rows.hand().number()
    }

    /// Reads the next row, with the version of the column table it was written by; None at the end. After an error there is nothing
    /// more.
    pub fn next_sighting(&mut self) -> Result<Option<(u64, Sighting<'_>)>, Error> {
        if !self.rows.next()? {
            return Ok(None);
        }
        let hand = self.rows.hand();
        let [version, line, target, kind, preference, exchange, address, ptr, ptr_class, connect, ..] = hand.cells();
        let [_, _, _, _, _, _, _, _, _, _, connect_ms, greeting, greeting_ms, software, tls, tls_version, trust, ..] =
            hand.cells();
        let [
            ..,
            failure,
            introduction,
            told_basis,
            listed,
            counted,
            silent,
            overall,
            found,
            why,
            at,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        ] = hand.cells();
        let text = |cell| if hand.is_csv() { plain(cell) } else { cell };
        self.causes.clear();
        self.findings.clear();
        for cause in causes(hand, why) {
            self.causes.push(cause?);
        }
        for code in codes(hand, found) {
            self.findings.push(code?);
        }
        let verdicts = verdicts(hand)?;
        let texts = Texts {
            target: text(target),
            exchange: text(exchange),
            address,
            ptr: text(ptr),
            introduction: text(introduction),
            greeting: text(greeting),
            software: text(software),
            tls_version: text(tls_version),
            listed,
            counted,
            silent,
            scanned_at: at,
        };
        let kind = word(hand, "target_kind", TargetKind::called(kind))?;
        // Each address of a network is a target.
        let own = if kind == TargetKind::Network { address.as_str() } else { "" };
        let gist = Gist {
            target: hash(&[line, texts.target, own]),
            kind,
            preference: number(hand, "mx_preference", preference)?,
            server: server(hand, [told_basis, address, connect], [listed, counted, silent], verdicts)?,
            verdicts,
            overall: word(hand, "verdict", Overall::called(overall))?,
        };
        let basis = basis(hand, told_basis)?;
        let recorded = if basis == Some(Basis::Observed) { texts.introduction } else { "" };
        let sighting = Sighting {
            gist,
            place: hash(&[texts.target, texts.exchange, address, recorded]),
            basis,
            causes: &self.causes,
            findings: &self.findings,
            ptr_class: maybe(ptr_class, |cell| word(hand, "ptr_class", PtrClass::called(cell)))?,
            tls: maybe(tls, |cell| word(hand, "tls_status", TlsStatus::called(cell)))?,
            trust: maybe(trust, |cell| word(hand, "tls_cert_trust", CertTrust::called(cell)))?,
            tls_failure: maybe(failure, |cell| word(hand, "tls_failure", TlsFailure::called(cell)))?,
            connect_ms: number(hand, "connect_ms", connect_ms)?,
            greeting_ms: number(hand, "greeting_ms", greeting_ms)?,
            texts,
        };
        Ok(Some((hand.parsed("schema_version", version)?, sighting)))
    }
}

/// None for an empty cell.
fn maybe<T>(cell: &str, read: impl FnOnce(&str) -> Result<T, Error>) -> Result<Option<T>, Error> {
    if cell.is_empty() { Ok(None) } else { read(cell).map(Some) }
}

/// A text without the apostrophe that stands before what a spreadsheet would run.
fn plain(cell: &str) -> &str {
    cell.strip_prefix('\'').unwrap_or(cell)
}

/// The same for the same texts in every run of the program.
fn hash(texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}
