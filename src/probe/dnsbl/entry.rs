//! What is known of a blocklist, as it stands in a file.
//! Comes in: `catalogue.toml`. Goes out: entries, checked, and the zones nobody should ask.
//! A key never gets out of here but inside the zone that is asked.

use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::model::dnsbl::{CodeRule, List, ListClass};
use crate::model::name::{Name, NameError};
use crate::model::words::words;

words! {
    /// What a list is asked about.
    Kind {
        /// Addresses (RFC 5782 §2.1, §2.4).
        Address = "address",
        /// Domain names (RFC 5782 §3): never asked about an address.
        Name = "name",
    }
}

words! {
    /// When a list is asked without being named.
    Offer {
        /// Always.
        Always = "always",
        /// Always; it refuses many resolvers, which its test entries show.
        SelfTest = "self-test",
        /// Always, but for IPv6 addresses only.
        Ipv6 = "ipv6",
        /// Not without a personal key.
        Key = "key",
        /// Not without registering one's resolvers.
        Registered = "registered",
        /// Only when named.
        Named = "named",
    }
}

words! {
    /// How a list was last seen.
    Status {
        /// Kept and answering.
        Alive = "alive",
        /// Reports of it conflict.
        Probation = "probation",
    }
}

/// A list of the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The zone; a first label `KEY` stands for a personal key.
    pub zone: String,
    /// What it is asked about.
    #[serde(default = "address")]
    pub kind: Kind,
    /// When it is asked without being named.
    #[serde(default = "named")]
    pub default: Offer,
    /// One of the lists of which the quorum needs one.
    #[serde(default)]
    pub core: bool,
    /// Whether it serves IPv4 addresses.
    #[serde(default = "yes")]
    pub ipv4: bool,
    /// Whether it serves IPv6 addresses.
    #[serde(default)]
    pub ipv6: bool,
    /// Whether the last octet of its codes is a mask.
    #[serde(default)]
    pub bits: bool,
    /// A name that a list of domain names lists for tests, besides the one of RFC 5782 §5.
    #[serde(default)]
    pub test: Option<String>,
    /// Questions per second at most.
    #[serde(default)]
    pub rate: Option<f32>,
    /// Questions per day (UTC) at most.
    #[serde(default = "daily")]
    pub daily: u32,
    /// Where a listing is looked up and removed.
    #[serde(default)]
    pub lookup: Option<String>,
    /// Who may ask, and how much.
    pub usage: String,
    /// How it was last seen.
    pub status: Status,
    /// When that was, as a date.
    pub checked: String,
    /// Its codes, first hit wins.
    pub codes: Vec<Code>,
}

/// The meaning of some of a list's return codes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// First code.
    pub from: Ipv4Addr,
    /// Last code, inclusive; None for the first alone.
    #[serde(default)]
    pub to: Option<Ipv4Addr>,
    /// What it says.
    pub class: ListClass,
    /// How much it weighs in the sum of rule 5.
    #[serde(default)]
    pub weight: f32,
}

const fn address() -> Kind {
    Kind::Address
}
const fn named() -> Offer {
    Offer::Named
}
const fn yes() -> bool {
    true
}
/// What nobody minds where no limit is published.
const fn daily() -> u32 {
    50_000
}

/// What a list is asked under, besides its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Questions per day (UTC) at most.
    pub daily: u32,
    /// A name that a list of domain names lists for tests, besides the one of RFC 5782 §5.
    pub test: Option<Name>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { daily: daily(), test: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    list: Vec<Entry>,
    deny: Vec<Deny>,
}

/// Zones that nobody should ask.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// The zones; a first label `*` stands for the zone below it and everything in it.
    pub zones: Vec<String>,
    /// Why not.
    pub why: String,
}

static BUILT_IN: LazyLock<Catalogue> =
    LazyLock::new(|| toml::from_str(include_str!("catalogue.toml")).expect("a test reads the catalogue"));

/// The lists this program knows, in the order of the file.
pub fn known() -> &'static [Entry] {
    &BUILT_IN.list
}

/// The zones that nobody should ask, in the order of the file.
pub fn denials() -> &'static [Deny] {
    &BUILT_IN.deny
}

/// Why a zone must not be asked; None when it may.
pub fn denied(zone: &str) -> Option<&'static str> {
    let is = |pattern: &String| match pattern.strip_prefix("*.") {
        Some(parent) => zone.strip_suffix(parent).is_some_and(|head| head.is_empty() || head.ends_with('.')),
        None => pattern == zone,
    };
    BUILT_IN.deny.iter().find(|deny| deny.zones.iter().any(is)).map(|deny| deny.why.as_str())
}

/// The entry of a zone, whatever key stands in it.
pub(super) fn find(zone: &str) -> Option<&'static Entry> {
    known().iter().find(|entry| entry.serves(zone))
}

/// A zone as it may be shown: a personal key in it is replaced by `KEY`, also for the zones of a keyed service that the
/// catalogue does not have.
pub fn redacted(zone: &str) -> String {
    let zone = zone.trim_end_matches('.').to_ascii_lowercase();
    let keyed = |entry: &Entry| {
        let (_, service) = entry.zone.strip_prefix("KEY.")?.split_once('.')?;
        let (key, list) = zone.strip_suffix(service)?.strip_suffix('.')?.split_once('.')?;
        (!key.is_empty() && !list.is_empty()).then(|| format!("KEY.{list}.{service}"))
    };
    known().iter().find_map(keyed).unwrap_or(zone)
}

impl Entry {
    /// Whether a zone is this entry's.
    fn serves(&self, zone: &str) -> bool {
        match self.zone.strip_prefix("KEY") {
            None => self.zone == zone,
            Some(rest) => zone.strip_suffix(rest).is_some_and(|key| !key.is_empty() && !key.contains('.')),
        }
    }

    /// A list nobody has described: one of spam sources with the usual codes.
    pub(super) fn unknown(zone: &str) -> Self {
        let code = Code {
            from: Ipv4Addr::new(127, 0, 0, 2),
            to: Some(Ipv4Addr::new(127, 0, 0, 254)),
            class: ListClass::SpamSource,
            weight: 1.0,
        };
        Self {
            zone: zone.to_owned(),
            kind: Kind::Address,
            default: Offer::Named,
            core: false,
            ipv4: true,
            ipv6: true,
            bits: false,
            test: None,
            rate: None,
            daily: daily(),
            lookup: None,
            usage: String::new(),
            status: Status::Alive,
            checked: String::new(),
            codes: vec![code],
        }
    }

    /// What is wrong with the entry's figures.
    pub(super) fn fault(&self) -> Option<String> {
        let code = self.codes.iter().find_map(|code| {
            let Code { from, to, weight, .. } = code;
            let last = to.unwrap_or(*from);
            if !from.is_loopback() || !last.is_loopback() {
                Some(format!("has the code {from}, which is outside 127.0.0.0/8"))
            } else if last < *from {
                Some(format!("has codes from {from} down to {last}"))
            } else if !(0.0..=10.0).contains(weight) {
                Some(format!("weighs {weight} for the code {from}, which is not between 0 and 10"))
            } else {
                None
            }
        });
        let rate = self.rate.filter(|rate| !(0.0..=1e6).contains(rate));
        let rate = rate.map(|rate| format!("has the rate {rate}, which is not between 0 and 1000000"));
        let family =
            (self.kind == Kind::Address && !self.ipv4 && !self.ipv6).then(|| "serves neither IPv4 nor IPv6".to_owned());
        let test = self.test.as_ref().filter(|test| Name::parse(test).is_err());
        let test = test.map(|test| format!("has the test entry {test:?}, which is no domain name"));
        code.or(rate).or(family).or(test)
    }

    /// The list as its table has it, a key in no place; None for a zone that is no name.
    pub fn as_list(&self) -> Option<List> {
        self.list(&self.zone).ok()
    }

    /// What it is asked under.
    pub(super) fn terms(&self) -> Terms {
        Terms { daily: self.daily, test: self.test.as_deref().and_then(|test| Name::parse(test).ok()) }
    }

    /// The list as it is asked under this zone, which holds the key if there is one.
    pub(super) fn list(&self, zone: &str) -> Result<List, NameError> {
        // Set aside for errors by every list that has any (RFC 5782 §2.1 leaves the codes to the lists).
        let refusals = CodeRule {
            from: Ipv4Addr::new(127, 255, 255, 0),
            to: Ipv4Addr::new(127, 255, 255, 255),
            class: ListClass::Refusal,
            weight: 0.0,
        };
        let codes = self.codes.iter().map(|code| CodeRule {
            from: code.from,
            to: code.to.unwrap_or(code.from),
            class: code.class,
            weight: code.weight,
        });
        let addresses = self.kind == Kind::Address;
        let shown = if self.zone.starts_with("KEY.") { self.zone.clone() } else { redacted(zone) };
        Ok(List {
            zone: Name::parse(zone)?,
            shown: Arc::from(shown),
            codes: std::iter::once(refusals).chain(codes).collect(),
            ipv4: addresses && self.ipv4,
            ipv6: addresses && self.ipv6,
            names: !addresses,
            bits: self.bits,
            core: self.core,
            lookup: self.lookup.as_deref().map(Arc::from),
            rate: self.rate,
        })
    }
}

/// A zone as it is compared: lower case, without a final dot.
pub(super) fn normal(zone: &str) -> String {
    zone.trim().trim_end_matches('.').to_ascii_lowercase()
}
