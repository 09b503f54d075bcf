//! The blocklists this program knows, those the user names, and those nobody should ask.
//! Comes in: `catalogue.toml`, the user's zones and files. Goes out: the run's lists and the quorum of rule 5.
//! Everything about a list is data: a list that changes is mended in the file, or by the user's own.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::model::dnsbl::{CodeRule, List, ListClass, Quorum};
use crate::model::name::{Name, NameError};

static BUILT_IN: LazyLock<File> =
    LazyLock::new(|| toml::from_str(include_str!("catalogue.toml")).expect("the catalogue is tested to be readable"));

/// The quorum when the program chooses the lists.
const QUORUM: f32 = 1.5;

/// What the user asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Zones by name; of a list with a key, the zone with the key in it.
    pub zones: Vec<String>,
    /// Files that replace or add entries.
    pub files: Vec<PathBuf>,
    /// Ask no list at all.
    pub none: bool,
}

/// What a run asks.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The lists.
    pub lists: Vec<List>,
    /// What rule 5 needs to pass.
    pub quorum: Quorum,
}

/// Why lists cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file cannot be understood.
    #[error("cannot understand {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// The parser's reason, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A zone is no domain name.
    #[error("the blocklist {zone:?} {source}", source = .reason)]
    Zone {
        /// The zone.
        zone: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A zone that nobody should ask.
    #[error("the blocklist {zone} must not be asked: it {why}")]
    Denied {
        /// The zone.
        zone: String,
        /// Why not.
        why: String,
    },
    /// A zone that needs a key.
    #[error("the blocklist {0} needs your key in the place of KEY")]
    Key(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "checked")]
    _checked: Option<String>,
    #[serde(default)]
    list: Vec<Entry>,
    #[serde(default)]
    deny: Vec<Deny>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    zone: String,
    /// The key in the place of a zone's KEY label.
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    core: bool,
    #[serde(default = "yes")]
    ipv4: bool,
    #[serde(default)]
    ipv6: bool,
    #[serde(default)]
    rate: Option<f32>,
    #[serde(default)]
    lookup: Option<String>,
    #[serde(default)]
    codes: Vec<Code>,
}

const fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    from: Ipv4Addr,
    #[serde(default)]
    to: Option<Ipv4Addr>,
    class: ListClass,
    #[serde(default)]
    weight: f32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deny {
    zones: Vec<String>,
    why: String,
}

/// The lists of a run: those the user names, else the catalogue's own choice.
pub fn choose(request: &Request) -> Result<Chosen, Error> {
    if request.none {
        return Ok(Chosen { lists: Vec::new(), quorum: Quorum { weight: QUORUM, core: true } });
    }
    let mut own = Vec::new();
    for path in &request.files {
        own.extend(read(path)?);
    }
    if own.is_empty() && request.zones.is_empty() {
        let defaults = BUILT_IN.list.iter().filter(|entry| entry.default);
        let lists = defaults.map(|entry| list(entry, &entry.zone)).collect::<Result<_, _>>()?;
        return Ok(Chosen { lists, quorum: Quorum { weight: QUORUM, core: true } });
    }
    let mut lists: Vec<List> = Vec::new();
    let mut add = |list: List| {
        lists.retain(|known| known.zone != list.zone);
        lists.push(list);
    };
    for entry in &own {
        let zone = match &entry.key {
            Some(key) => entry.zone.replacen("KEY", key, 1),
            None => entry.zone.clone(),
        };
        add(list(entry, &zone)?);
    }
    for zone in &request.zones {
        let zone = zone.trim_end_matches('.').to_ascii_lowercase();
        let known = own.iter().chain(&BUILT_IN.list).find(|entry| serves(&entry.zone, &zone));
        add(match known {
            Some(entry) => list(entry, &zone)?,
            None => list(&unknown(&zone), &zone)?,
        });
    }
    let weight: f32 = lists.iter().map(List::weight).sum();
    Ok(Chosen { lists, quorum: Quorum { weight: weight.min(QUORUM), core: false } })
}

/// A zone as it may be shown: the key of a list that has one is taken out.
pub fn redacted(zone: &str) -> String {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    let known = BUILT_IN.list.iter().find(|entry| serves(&entry.zone, &zone));
    known.map_or(zone, |entry| entry.zone.clone())
}

/// Whether a zone is this entry's, with any key in the place of KEY.
fn serves(entry: &str, zone: &str) -> bool {
    match entry.strip_prefix("KEY") {
        None => entry == zone,
        Some(rest) => zone.strip_suffix(rest).is_some_and(|key| !key.is_empty() && !key.contains('.')),
    }
}

/// A list nobody has described: taken for a list of spam sources with the usual codes.
fn unknown(zone: &str) -> Entry {
    let code = Code {
        from: Ipv4Addr::new(127, 0, 0, 2),
        to: Some(Ipv4Addr::new(127, 0, 0, 254)),
        class: ListClass::SpamSource,
        weight: 1.0,
    };
    Entry {
        zone: zone.to_owned(),
        key: None,
        default: false,
        core: false,
        ipv4: true,
        ipv6: true,
        rate: None,
        lookup: None,
        codes: vec![code],
    }
}

fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let file: File =
        toml::from_str(&text).map_err(|source| Error::Parse { path: path.into(), source: Box::new(source) })?;
    let described = |entry: Entry| if entry.codes.is_empty() { like_built_in(entry) } else { entry };
    Ok(file.list.into_iter().map(described).collect())
}

/// An entry without codes takes everything it does not say from the catalogue, or is a list nobody has described.
fn like_built_in(entry: Entry) -> Entry {
    let base = BUILT_IN.list.iter().find(|known| known.zone == entry.zone).cloned();
    let base = base.unwrap_or_else(|| unknown(&entry.zone));
    Entry {
        key: entry.key,
        rate: entry.rate.or(base.rate),
        lookup: entry.lookup.or_else(|| base.lookup.clone()),
        ..base
    }
}

fn list(entry: &Entry, zone: &str) -> Result<List, Error> {
    if let Some(deny) = BUILT_IN.deny.iter().find(|deny| deny.zones.iter().any(|pattern| denies(pattern, zone))) {
        return Err(Error::Denied { zone: zone.to_owned(), why: deny.why.clone() });
    }
    if entry.zone.starts_with("KEY.") && zone.to_ascii_lowercase().starts_with("key.") {
        return Err(Error::Key(zone.to_owned()));
    }
    let name = Name::parse(zone).map_err(|reason| Error::Zone { zone: entry.zone.clone(), reason })?;
    let refusals = CodeRule {
        from: Ipv4Addr::new(127, 255, 255, 0),
        to: Ipv4Addr::new(127, 255, 255, 255),
        class: ListClass::Refusal,
        weight: 0.0,
    };
    let codes = entry.codes.iter().map(|code| CodeRule {
        from: code.from,
        to: code.to.unwrap_or(code.from),
        class: code.class,
        weight: code.weight,
    });
    Ok(List {
        zone: name,
        shown: Arc::from(entry.zone.as_str()),
        codes: std::iter::once(refusals).chain(codes).collect(),
        ipv4: entry.ipv4,
        ipv6: entry.ipv6,
        core: entry.core,
        lookup: entry.lookup.as_deref().map(Arc::from),
        rate: entry.rate,
    })
}

fn denies(pattern: &str, zone: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => zone == parent || zone.strip_suffix(parent).is_some_and(|head| head.ends_with('.')),
        None => pattern == zone,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn zones(zones: &[&str]) -> Result<Chosen, Error> {
        choose(&Request { zones: zones.iter().map(|zone| (*zone).to_owned()).collect(), ..Request::default() })
    }

    #[test]
    fn the_catalogue_is_sane() {
        let mut seen = HashSet::new();
        for entry in &BUILT_IN.list {
            assert!(seen.insert(&entry.zone), "{} stands there twice", entry.zone);
            let list = list(entry, &entry.zone.replacen("KEY", "k3y", 1)).unwrap();
            assert!((0.0..=1.0).contains(&list.weight()), "{}", entry.zone);
            assert!(entry.ipv4 || entry.ipv6);
            for code in &entry.codes {
                assert!(code.from.is_loopback() && code.to.is_none_or(|to| to >= code.from), "{}", entry.zone);
                assert_eq!(
                    code.weight > 0.0,
                    code.class.counts(),
                    "{} {}: only what counts weighs",
                    entry.zone,
                    code.from
                );
            }
            assert!(!entry.default || !entry.zone.contains("KEY"), "{} cannot be asked without a key", entry.zone);
        }
    }

    #[test]
    fn the_defaults_ask_for_no_entitlement() {
        let chosen = choose(&Request::default()).unwrap();
        let shown: Vec<&str> = chosen.lists.iter().map(|list| &*list.shown).collect();
        assert!(shown.contains(&"bl.spamcop.net") && shown.contains(&"list.dnswl.org"), "{shown:?}");
        assert_eq!(chosen.quorum, Quorum { weight: 1.5, core: true });
    }

    #[test]
    fn named_lists_lower_the_quorum_to_what_they_weigh() {
        let chosen = zones(&["bl.spamcop.net", "psbl.surriel.com"]).unwrap();
        assert!((chosen.quorum.weight - 0.9).abs() < 1e-6 && !chosen.quorum.core);
        let chosen = zones(&["bl.my-own-list.org"]).unwrap();
        let list = &chosen.lists[0];
        assert!((chosen.quorum.weight - 1.0).abs() < 1e-6);
        assert_eq!(list.meaning(Ipv4Addr::new(127, 0, 0, 254)).unwrap().class, ListClass::SpamSource);
        assert_eq!(list.meaning(Ipv4Addr::new(127, 255, 255, 254)).unwrap().class, ListClass::Refusal);
        assert_eq!(list.meaning(Ipv4Addr::LOCALHOST), None);
    }

    #[test]
    fn a_key_is_asked_with_and_never_shown() {
        let key = "abcdefghijklmnopqrstuvwxyz";
        let zone = format!("{key}.zen.dq.spamhaus.net");
        let chosen = zones(&[&zone]).unwrap();
        assert_eq!(chosen.lists[0].zone.as_str(), zone);
        assert_eq!(&*chosen.lists[0].shown, "KEY.zen.dq.spamhaus.net");
        assert_eq!(redacted(&zone), "KEY.zen.dq.spamhaus.net");
        assert!(matches!(zones(&["KEY.zen.dq.spamhaus.net"]), Err(Error::Key(_))));
    }

    #[test]
    fn dead_lists_are_refused_with_their_reason() {
        for zone in ["dnsbl.sorbs.net", "ix.dnsbl.manitu.net", "cbl.abuseat.org", "rbl.spamhaus.org"] {
            assert!(matches!(zones(&[zone]), Err(Error::Denied { .. })), "{zone}");
        }
        assert!(zones(&["notsorbs.net"]).is_ok());
    }

    #[test]
    fn a_file_replaces_what_the_catalogue_says_and_adds_lists() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = r#"
            [[list]]
            zone = "bl.spamcop.net"
            codes = [{ from = "127.0.0.2", class = "policy" }]
            [[list]]
            zone = "KEY.zen.dq.spamhaus.net"
            key = "s3cret"
        "#;
        std::fs::write(&file, text).unwrap();
        let request = Request { files: vec![file.path().into()], ..Request::default() };
        let chosen = choose(&request).unwrap();
        assert_eq!(chosen.lists.len(), 2);
        assert_eq!(chosen.lists[0].codes[1].class, ListClass::Policy);
        assert_eq!(chosen.lists[1].zone.as_str(), "s3cret.zen.dq.spamhaus.net");
        assert_eq!(&*chosen.lists[1].shown, "KEY.zen.dq.spamhaus.net");
        assert!((chosen.quorum.weight - 1.0).abs() < 1e-6);
        std::fs::write(&file, "[[list]]\nzone = 'a.org'\ncolour = 'blue'\n").unwrap();
        assert!(matches!(choose(&request), Err(Error::Parse { .. })));
    }
}
