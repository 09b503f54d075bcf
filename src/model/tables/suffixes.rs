//! The Public Suffix List: below which names the public registers.
//! Comes in: the list compiled into the crate `psl`, or a text in the list's own format (publicsuffix.org). Goes out: where
//! the suffix of a name begins, by the ICANN section alone, and which section a name itself stands in.
//! The private section is a flag only: with it, cloud templates would hide in the "organisation".

use publicsuffix::{List, Psl as _, Type};

use super::super::name::is_border;
use super::sheet::is_date;

/// The version of the crate with the compiled list, and the day it was published.
pub(super) const CRATE: &str = "2.1.247";
pub(super) const DATE: &str = "2026-11-05";

/// Which part of the list a suffix stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Section {
    /// Delegated by registries.
    Icann,
    /// Lent by companies to their customers.
    Private,
}

/// What the list says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Suffix {
    /// Where the longest suffix of the ICANN section begins; the last label when no rule speaks of it.
    pub(in super::super) start: usize,
    /// The section in which the whole name is a suffix.
    pub(in super::super) whole: Option<Section>,
}

/// The list in force.
#[derive(Debug)]
pub(super) enum Suffixes {
    /// The one inside the program.
    Compiled,
    /// One that was given.
    Read(List),
}

impl Suffixes {
    /// Where the suffix that the prevailing rule gives a name begins, and the rule's section; None when no rule speaks of it.
    fn prevailing(&self, name: &str) -> Option<(usize, Section)> {
        let suffix = match self {
            Self::Compiled => psl::List.suffix(name.as_bytes()),
            Self::Read(list) => list.suffix(name.as_bytes()),
        }?;
        let section = match suffix.typ()? {
            Type::Icann => Section::Icann,
            Type::Private => Section::Private,
        };
        Some((name.len() - suffix.as_bytes().len(), section))
    }

    /// The suffix of a name.
    pub(super) fn of(&self, name: &str) -> Suffix {
        let (mut from, mut whole) = (0, None);
        // Below a private suffix the ICANN one is found by asking again for what is left of it, one label less.
        while let Some((start, section)) = name.get(from..).and_then(|tail| self.prevailing(tail)) {
            let start = from + start;
            if start == 0 {
                whole = Some(section);
            }
            if section == Section::Icann && is_border(name, start) {
                return Suffix { start, whole };
            }
            let Some(dot) = name.get(start..).and_then(|suffix| suffix.find('.')) else { break };
            from = start + dot + 1;
        }
        let start = last_label(name);
        Suffix { start, whole: whole.or_else(|| (start == 0).then_some(Section::Icann)) }
    }
}

/// Where the last label begins.
fn last_label(name: &str) -> usize {
    name.rmatch_indices('.').map(|(dot, _)| dot + 1).find(|&next| is_border(name, next)).unwrap_or(0)
}

/// The lines that part the list, and the one with its date.
const BEGIN_ICANN: &str = "// ===BEGIN ICANN DOMAINS===";
const END_ICANN: &str = "// ===END ICANN DOMAINS===";
const VERSION: &str = "// VERSION: ";

/// Reads a list in its own format, with its date.
pub(super) fn read(text: &str) -> Result<(Suffixes, String), (usize, String)> {
    let (mut date, mut begun, mut ended, mut rules) = (None, false, false, 0_usize);
    for (line, number) in text.lines().zip(1..) {
        if let Some(version) = line.strip_prefix(VERSION) {
            date = version.get(..10).filter(|day| is_date(day)).map(str::to_owned);
            if date.is_none() {
                return Err((number, format!("the version {version:?} does not begin with a date")));
            }
        }
        begun |= line.trim_ascii_end() == BEGIN_ICANN;
        ended |= begun && line.trim_ascii_end() == END_ICANN;
        let Some(rule) = line.split_whitespace().next().filter(|rule| !rule.starts_with("//")) else { continue };
        if !begun {
            return Err((number, format!("the rule {rule:?} stands before `{BEGIN_ICANN}`")));
        }
        if !is_rule(rule) {
            return Err((number, format!("{rule:?} is no rule of the list")));
        }
        rules += 1;
    }
    let lacks = |what: &str| (text.lines().count().max(1), format!("the list ends without {what}"));
    let date = date.ok_or_else(|| lacks("a line `// VERSION: YYYY-MM-DD`"))?;
    if !ended {
        return Err(lacks(&format!("`{BEGIN_ICANN}` and `{END_ICANN}`")));
    }
    if rules == 0 {
        return Err(lacks("a rule"));
    }
    let list = text.parse().map_err(|error: publicsuffix::Error| lacks(&format!("making sense ({error})")))?;
    Ok((Suffixes::Read(list), date))
}

/// Labels in lower case, a star for any one, an exclamation mark before an exception of two labels or more.
fn is_rule(rule: &str) -> bool {
    let (bare, exception) = rule.strip_prefix('!').map_or((rule, false), |bare| (bare, true));
    let legal = |c: char| !c.is_ascii() || c == '-' || c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_label = |label: &str| label == "*" || (!label.is_empty() && label.chars().all(legal));
    bare.split('.').all(is_label)
        && (!exception || bare.contains('.'))
        && idna::domain_to_ascii(&bare.replace('*', "x")).is_ok()
}
