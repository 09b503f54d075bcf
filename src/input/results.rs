//! Rows of earlier runs, to be counted and copied, or held against those of another run.
//! Comes in: a file of rows. Goes out: its form and its columns, and row after row what is counted of it, or what is compared; where
//! rows are lines, the line as well.
//! A word that this program does not know is an error: what is not understood cannot be counted.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::str::FromStr;

use super::Error;
use super::rows::{Hand, Rows};
use crate::model::finding::Code;
use crate::model::gist::{Gist, Server};
use crate::model::standing::{Place, Standing};
use crate::model::words::{Basis, Cause, ConnectStatus, Overall, Rule, TargetKind, Verdict};

pub use super::rows::Form;

/// The columns that are looked at, the verdicts of `Rule::ALL` last.
const COLUMNS: [&str; 23] = [
    "schema_version",
    "line",
    "target",
    "target_kind",
    "exchange",
    "address",
    "introduction",
    "basis",
    "mx_preference",
    "connect_status",
    "dnsbl_listed",
    "dnsbl_counted",
    "dnsbl_unknown",
    "verdict",
    "findings",
    "unknown_why",
    "introduces",
    "fqdn",
    "exists",
    "matches",
    "unlisted",
    "reverse",
    "mx",
];
/// An open file of rows.
#[derive(Debug)]
pub struct Results {
    rows: Rows<{ COLUMNS.len() }>,
    /// Counts the targets.
    target: u64,
    /// Line and target of the row before.
    last: Option<(String, String)>,
}

/// One row, as far as it is counted.
#[derive(Debug)]
pub struct Told {
    /// The version of the column table it was written by.
    pub schema_version: u64,
    /// The same for rows of the same record, target, exchange, address and introduction.
    pub key: u64,
    /// Its outcome.
    pub gist: Gist,
    /// The causes of its unknown verdicts.
    pub causes: Vec<Cause>,
    /// Its findings.
    pub findings: Vec<Code>,
}

/// One row, as far as it is compared.
#[derive(Debug)]
pub struct Compared {
    /// The version of the column table it was written by.
    pub schema_version: u64,
    /// What it is about, its texts as they stand in the file.
    pub place: Place,
    /// What it says.
    pub standing: Standing,
}

impl Results {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self { rows: Rows::open(path, COLUMNS)?, target: 0, last: None })
    }

    /// How its rows are stored.
    pub const fn form(&self) -> Form {
        self.rows.form()
    }

    /// Its columns, in their order, those of Parquet with their types; none where there is not a row to show them.
    pub fn columns(&self) -> &[String] {
        self.rows.columns()
    }

    /// The line at hand without its end: that of the row read last, and before the first row the header of a CSV file.
    pub fn line(&self) -> &[u8] {
        self.rows.line()
    }

    /// Rows read so far.
    pub const fn rows(&self) -> u64 {
        self.rows.hand().number()
    }

    /// SHA-256 of the file as it is stored, lower-case hex; of text, as far as it was read.
    pub fn sha256(&self, path: &Path) -> Result<String, Error> {
        self.rows.sha256(path)
    }

    /// Reads the next line without understanding it; false at the end. Parquet has none.
    pub fn next_line(&mut self) -> Result<bool, Error> {
        self.rows.next_line()
    }

    /// Reads the next row; None at the end. After an error there is nothing more.
    pub fn next_row(&mut self) -> Result<Option<Told>, Error> {
        if self.rows.next()? { self.told().map(Some) } else { Ok(None) }
    }

    /// What the cells at hand say.
    fn told(&mut self) -> Result<Told, Error> {
        let hand = self.rows.hand();
        let [version, line, target, kind, exchange, address, introduction, ..] = hand.cells();
        let mut hasher = DefaultHasher::new();
        [line, target, exchange, address, introduction].hash(&mut hasher);
        let key = hasher.finish();
        let kind: TargetKind = word(hand, "target_kind", TargetKind::called(kind))?;
        // Each address of a network is a target.
        let is_same = kind != TargetKind::Network
            && self.last.as_ref().is_some_and(|(last_line, last)| last_line == line && last == target);
        if !is_same {
            self.target += 1;
            self.last = Some((line.clone(), target.clone()));
        }
        let [.., basis, preference, connect, listed, counted, unknown, overall, findings, why, _, _, _, _, _, _, _] =
            hand.cells();
        let verdicts = verdicts(hand)?;
        let gist = Gist {
            target: self.target,
            kind,
            preference: number(hand, "mx_preference", preference)?,
            server: server(hand, [basis, address, connect], [listed, counted, unknown], verdicts)?,
            verdicts,
            overall: word(hand, "verdict", Overall::called(overall))?,
        };
        let causes = causes(hand, why).map(|told| told.map(|(_, cause)| cause)).collect::<Result<_, _>>()?;
        let findings = codes(hand, findings).collect::<Result<_, _>>()?;
        Ok(Told { schema_version: hand.parsed("schema_version", version)?, key, gist, causes, findings })
    }

    /// Reads the next row for what is compared; None at the end. After an error there is nothing more.
    pub fn next_compared(&mut self) -> Result<Option<Compared>, Error> {
        if !self.rows.next()? {
            return Ok(None);
        }
        let hand = self.rows.hand();
        let [version, _, target, _, exchange, address, introduction, told_basis, ..] = hand.cells();
        let [.., counted, unknown, _, findings, why, _, _, _, _, _, _, _] = hand.cells();
        let basis = basis(hand, told_basis)?;
        let introduction = if basis == Some(Basis::Observed) { introduction.clone() } else { String::new() };
        let [target, exchange, address] = [target, exchange, address].map(String::clone);
        let standing = Standing {
            basis,
            verdicts: verdicts(hand)?,
            causes: causes(hand, why).collect::<Result<_, _>>()?,
            findings: codes(hand, findings).collect::<Result<_, _>>()?,
            counted: items(counted).map(Into::into).collect(),
            silent: items(unknown).map(|item| item.split_once('=').map_or(item, |(zone, _)| zone).into()).collect(),
        };
        let schema_version = hand.parsed("schema_version", version)?;
        Ok(Some(Compared { schema_version, place: Place { target, exchange, address, introduction }, standing }))
    }
}

/// The outcomes of the rules, which are the last of the cells.
pub(super) fn verdicts<const N: usize>(hand: &Hand<N>) -> Result<[Verdict; Rule::ALL.len()], Error> {
    let mut verdicts = [Verdict::Na; Rule::ALL.len()];
    let last = hand.cells().iter().skip(N - Rule::ALL.len());
    for (verdict, cell) in verdicts.iter_mut().zip(last) {
        *verdict = word(hand, "a verdict", Verdict::called(cell))?;
    }
    Ok(verdicts)
}

/// The server of a row: out of its basis, address and connection, and what blocklists said of it.
pub(super) fn server<const N: usize>(
    hand: &Hand<N>,
    [basis, address, connect]: [&str; 3],
    [listed, counted, unknown]: [&str; 3],
    [.., unlisted, _, _]: [Verdict; Rule::ALL.len()],
) -> Result<Option<Server>, Error> {
    // A host is told by its basis.
    if basis.is_empty() {
        return Ok(None);
    }
    Ok(Some(Server {
        address: hand.parsed("address", address)?,
        connect: word(hand, "connect_status", ConnectStatus::called(connect))?,
        asked: !listed.is_empty() || !unknown.is_empty() || matches!(unlisted, Verdict::Pass | Verdict::Fail),
        listed: !counted.is_empty(),
    }))
}

/// Whose words were judged.
pub(super) fn basis<const N: usize>(hand: &Hand<N>, cell: &str) -> Result<Option<Basis>, Error> {
    if cell.is_empty() { Ok(None) } else { word(hand, "basis", Basis::called(cell)).map(Some) }
}

/// Why rules are unknown.
pub(super) fn causes<const N: usize>(hand: &Hand<N>, cell: &str) -> impl Iterator<Item = Result<(Rule, Cause), Error>> {
    let cause = |item: &str| {
        let (rule, cause) = item.split_once('=')?;
        Rule::called(rule).zip(Cause::called(cause))
    };
    items(cell).map(move |item| cause(item).ok_or_else(|| unknown(hand, item)))
}

/// The findings.
pub(super) fn codes<const N: usize>(hand: &Hand<N>, cell: &str) -> impl Iterator<Item = Result<Code, Error>> {
    items(cell).map(move |item| Code::called(item).ok_or_else(|| unknown(hand, item)))
}

/// A number; None for an empty cell.
pub(super) fn number<const N: usize, T: FromStr>(hand: &Hand<N>, column: &str, cell: &str) -> Result<Option<T>, Error> {
    if cell.is_empty() { Ok(None) } else { hand.parsed(column, cell).map(Some) }
}

/// That a word is known.
pub(super) fn word<const N: usize, T>(hand: &Hand<N>, column: &str, word: Option<T>) -> Result<T, Error> {
    word.ok_or_else(|| hand.damaged(&format!("its {column} is no word of this program's")))
}

fn unknown<const N: usize>(hand: &Hand<N>, word: &str) -> Error {
    hand.damaged(&format!("this program does not know {word:?}; a newer one may"))
}

/// The items of a list of words.
pub(super) fn items(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(';').filter(|item| !item.is_empty())
}
