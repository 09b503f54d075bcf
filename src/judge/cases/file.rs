//! The vocabulary of a case: what differs from the good server, and what is expected.
//! Comes in: one TOML file of `fixtures/cases`. Goes out: the same, typed; a key nobody knows is an error.
//! `fixtures/cases/README.md` tells it to those who write cases.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

use crate::model::finding::Code;
use crate::model::words::{Cause, CertTrust, ConnectStatus, Profile, Rule, Severity, TlsFailure, TlsStatus, Unproven};

/// One text, or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
        }
    }
}

/// A case: expectations first, then the world it is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct File {
    /// Why the code is not gathered; the only key of a `not-gathered.toml`.
    pub(super) reason: Option<String>,
    /// The program does not gather the code yet: the case is read, and not judged.
    pub(super) pending: bool,
    /// The seven verdicts of each row, in letters.
    pub(super) verdicts: Option<Texts>,
    /// The weight of the finding; in `fires` only.
    pub(super) severity: Option<Severity>,
    /// Which form of the table's entry this is, in the words of the table; the usual one without.
    pub(super) form: String,
    /// Words that the finding's detail must hold.
    pub(super) detail: Option<String>,
    /// All other codes of all rows, but `mx-no-ipv6`.
    pub(super) beside: Vec<Code>,
    /// The cause of an unknown rule.
    pub(super) unknown: BTreeMap<Rule, Cause>,
    /// Why a rule does not apply.
    pub(super) na: BTreeMap<Rule, Cause>,

    pub(super) profile: Option<Profile>,
    /// A client that somebody has recorded, instead of a domain.
    pub(super) client: Option<Client>,
    /// An address without a domain.
    pub(super) address: Option<IpAddr>,
    /// The target is on the exclusion list.
    pub(super) excluded: bool,
    /// The MX question.
    pub(super) mx: Option<String>,
    /// More exchanges or addresses than are looked at.
    pub(super) capped: bool,
    /// The first exchange, and others by name.
    pub(super) exchange: Exchange,
    pub(super) exchanges: BTreeMap<String, Exchange>,
    /// The first server, and others by address.
    pub(super) server: Server,
    pub(super) servers: BTreeMap<IpAddr, Server>,
    /// The health of a list, by the first label of its zone.
    pub(super) health: BTreeMap<String, String>,
    /// Who recorded the introductions.
    pub(super) receiver: Option<String>,
    /// What earlier runs found, and how long before this one.
    pub(super) previous: Previous,
}

/// Facts of earlier runs about the good server's address or domain, each with durations such as `24h`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Previous {
    /// At fault, and on a list that counts.
    pub(super) faulty_and_listed: Vec<String>,
    /// Closed without a byte of greeting.
    pub(super) silent: Vec<String>,
    /// No server of the reverse zone answered.
    pub(super) lame: Vec<String>,
    /// No exchange of the domain could be reached.
    pub(super) unreachable: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Client {
    pub(super) helo: String,
    /// The good server's address without.
    pub(super) address: Option<IpAddr>,
    /// The records hold several names of several organisations for it.
    #[serde(default)]
    pub(super) unstable: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Exchange {
    pub(super) a: Option<String>,
    pub(super) aaaa: Option<String>,
    /// The SOA of its organisational domain.
    pub(super) organisation: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Server {
    /// What the connection comes to.
    pub(super) connect: Option<ConnectStatus>,
    /// The name in greeting and EHLO reply.
    pub(super) says: Option<String>,
    /// Replies, word for word.
    pub(super) greeting: Option<Texts>,
    pub(super) ehlo: Option<Texts>,
    pub(super) helo: Option<Texts>,
    pub(super) quit: Option<Texts>,
    pub(super) tls: Option<TlsStatus>,
    /// Why the handshake failed.
    pub(super) tls_failure: Option<TlsFailure>,
    pub(super) certificate: Option<Certificate>,
    /// What DNS says of the introduced name.
    pub(super) name: Introduced,
    pub(super) ptr: Option<String>,
    /// The addresses of PTR names.
    pub(super) forward: BTreeMap<String, String>,
    /// The answers of lists, by the first label of their zone; `all` for all that are not named.
    pub(super) lists: BTreeMap<String, String>,
    /// The answer of the list of domains, by domain.
    pub(super) domains: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Introduced {
    pub(super) a: Option<String>,
    pub(super) aaaa: Option<String>,
    pub(super) mx: Option<String>,
    /// Addresses of a random sibling.
    pub(super) sibling: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Certificate {
    pub(super) names: Vec<String>,
    pub(super) chain: CertTrust,
    /// Seconds from the scan to its end.
    pub(super) ends: i64,
    /// Why it is not proven that the server holds its key.
    pub(super) unproven: Option<Unproven>,
}

impl File {
    /// Reads a case. The error names the file, and the line and key where it went wrong.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let first = text.lines().next().unwrap_or_default();
        if !first.strip_prefix("# ").is_some_and(|sentence| sentence.len() > 20 && sentence.ends_with('.')) {
            return Err(format!("{}: the first line tells in a sentence what the case shows", path.display()));
        }
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}
