//! Everything that was seen for one target.
//! Comes in: what the probes gathered, shared between targets that lead to the same servers.
//! Goes out: one `Evidence` per target, enough to judge without a packet.
//! No verdict stands here.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::address::Special;
use super::dns::{Addresses, Answer, Data, Mx};
use super::dnsbl::{DomainListing, Listing};
use super::introduction::Introduction;
use super::name::Name;
use super::observed::{Denial, Observed};
use super::smtp::Session;
use super::stored::is_default;
use super::target::Target;
use super::words::{Basis, Cause, ConnectStatus, ExchangeStatus, IntroductionStatus, MxStatus, PtrStatus, SmtpStatus};

/// What one target led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was asked for.
    pub target: Target,
    /// The domain's MX question; None when the target is no domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mx: Option<Answer<Mx>>,
    /// The exchanges in the order a sender tries them; for an address, one route without a name.
    pub routes: Vec<Route>,
    /// Exchanges beyond the cap of 20, or addresses beyond the cap of 40.
    #[serde(default, skip_serializing_if = "is_default")]
    pub capped: bool,
    /// Milliseconds since 1970 when the target was taken up.
    pub scanned_at: i64,
    /// Milliseconds it took, waiting for permits included.
    pub elapsed_ms: u32,
    /// How often it was tried, from 1.
    pub attempts: u8,
}

/// One way to the target's servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The MX preference; 0 for the implicit MX, None for an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<u16>,
    /// The exchange; None for an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Arc<Exchange>>,
    /// The servers behind it, in the order of the address answers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hosts: Vec<Arc<Host>>,
}

/// A mail exchanger's name and addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// Its name; the root for a null MX.
    pub name: Name,
    /// Its addresses. Not asked for the root and for names that are address literals.
    pub addresses: Addresses,
    /// SOA of its organisational domain, asked only when the name does not exist: absent means dangling.
    #[serde(default = "Observed::not_asked", skip_serializing_if = "Observed::is_not_asked")]
    pub organisation: Answer<Data>,
    /// What the lists of domain names said about its organisational domain.
    #[serde(default, skip_serializing_if = "is_default")]
    pub domains: Vec<DomainListing>,
}

/// One server at one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Where it is.
    pub address: IpAddr,
    /// The special purpose of the address, when it is not public in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special: Option<Special>,
    /// Whose words are judged.
    pub basis: Basis,
    /// The PTR question.
    pub ptr: Answer<Name>,
    /// The lookups of the PTR names in the address's own family, at most ten names (RFC 8601 §3, `iprev`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub forward: Vec<Forward>,
    /// The SMTP session, or why there was none.
    pub session: Session,
    /// The introduction that is judged; None when none was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introduction: Option<Introduction>,
    /// The class of the EHLO reply's name, when greeting and EHLO both give one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ehlo: Option<Introduction>,
    /// Lookups of the introduced name.
    pub introduced: Introduced,
    /// What the blocklists said.
    #[serde(default, skip_serializing_if = "is_default")]
    pub listings: Vec<Listing>,
    /// What the lists of domain names said about the organisational domains of the introduction and the PTR names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub domains: Vec<DomainListing>,
    /// Sessions of this run before the one above, in their order: each was put off, or got no answer in time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub earlier: Vec<Earlier>,
    /// Milliseconds since 1970 when this server was asked.
    pub scanned_at: i64,
}

/// A session that was not the last one with its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Milliseconds since 1970 when the server was asked.
    pub scanned_at: i64,
    /// What the connection came to.
    pub connect: ConnectStatus,
    /// How far the session got.
    pub status: SmtpStatus,
    /// What ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The first line of the last reply with its code, escaped and cut to 200 octets; None when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Box<str>>,
}

/// One PTR name and its addresses in the peer's family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The PTR name.
    pub name: Name,
    /// Its addresses.
    pub addresses: Answer<IpAddr>,
}

/// What DNS says of the introduced name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduced {
    /// Its addresses.
    pub addresses: Addresses,
    /// Its MX records, asked only when it has no address.
    #[serde(default = "Observed::not_asked", skip_serializing_if = "Observed::is_not_asked")]
    pub mx: Answer<Mx>,
    /// Addresses, in the peer's own family, of a sibling with a random label: seen where the name is only a wildcard's.
    #[serde(default = "Observed::not_asked", skip_serializing_if = "Observed::is_not_asked")]
    pub sibling: Answer<IpAddr>,
}

impl Introduced {
    /// Nothing was asked, for this cause.
    pub const fn not_asked(cause: Cause) -> Self {
        Self {
            addresses: Addresses { v4: Observed::NotAsked(cause), v6: Observed::NotAsked(cause) },
            mx: Observed::NotAsked(cause),
            sibling: Observed::NotAsked(cause),
        }
    }
}

/// One DNS outcome in the words that most columns share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsOutcome {
    /// Records.
    Ok,
    /// Denied.
    Denied(Denial),
    /// SERVFAIL and its kin: the name servers' side failed.
    Servfail,
    /// REFUSED.
    Refused,
    /// No usable answer in time, or our own side failed.
    Timeout,
    /// Not asked.
    Na,
}

impl DnsOutcome {
    /// The outcome of an answer.
    pub fn of<T>(answer: &Answer<T>) -> Self {
        match answer {
            Observed::Seen(records) if records.values.is_empty() => Self::Denied(Denial::Nodata),
            Observed::Seen(_) => Self::Ok,
            Observed::Absent(absence) => Self::Denied(absence.how),
            Observed::NotAsked(_) => Self::Na,
            Observed::Failed(failure) => match failure.cause {
                Cause::Servfail | Cause::Bogus | Cause::Lame | Cause::Formerr | Cause::Notimp => Self::Servfail,
                Cause::Refused | Cause::Filtered => Self::Refused,
                _ => Self::Timeout,
            },
        }
    }

    /// The outcome over both families: records win, then failures, then denials (NODATA over NXDOMAIN), then not asked.
    pub fn of_both(addresses: &Addresses) -> Self {
        let both = [Self::of(&addresses.v4), Self::of(&addresses.v6)];
        let rank = |outcome: &Self| match outcome {
            Self::Ok => 0,
            Self::Servfail => 1,
            Self::Refused => 2,
            Self::Timeout => 3,
            Self::Denied(Denial::AliasLoop) => 4,
            Self::Denied(Denial::Nodata) => 5,
            Self::Denied(Denial::Nxdomain) => 6,
            Self::Na => 7,
        };
        both.into_iter().min_by_key(rank).expect("two families")
    }
}

impl Evidence {
    /// The word of the `mx_status` column.
    pub fn mx_status(&self) -> MxStatus {
        let Some(mx) = &self.mx else {
            return MxStatus::Na;
        };
        match DnsOutcome::of(mx) {
            DnsOutcome::Ok => {
                let values = mx.seen().map_or(&[][..], |records| &records.values);
                match values {
                    [only] if only.exchange.is_root() => MxStatus::NullMx,
                    all if all.iter().all(|mx| mx.exchange.is_root() || is_address_text(&mx.exchange)) => {
                        MxStatus::Invalid
                    }
                    _ => MxStatus::Ok,
                }
            }
            DnsOutcome::Denied(Denial::Nxdomain) => MxStatus::Nxdomain,
            DnsOutcome::Denied(Denial::AliasLoop) => MxStatus::Invalid,
            DnsOutcome::Denied(Denial::Nodata) => match self.routes.first().and_then(|route| route.exchange.as_ref()) {
                None => MxStatus::None,
                Some(own) => match DnsOutcome::of_both(&own.addresses) {
                    DnsOutcome::Ok => MxStatus::Implicit,
                    // Without an answer for either family nobody can say that there is no address.
                    DnsOutcome::Denied(_) | DnsOutcome::Na if own.addresses.not_asked() => MxStatus::Na,
                    DnsOutcome::Denied(_) | DnsOutcome::Na => MxStatus::None,
                    DnsOutcome::Servfail => MxStatus::Servfail,
                    DnsOutcome::Refused => MxStatus::Refused,
                    DnsOutcome::Timeout => MxStatus::Timeout,
                },
            },
            DnsOutcome::Servfail => MxStatus::Servfail,
            DnsOutcome::Refused => MxStatus::Refused,
            DnsOutcome::Timeout => MxStatus::Timeout,
            DnsOutcome::Na => MxStatus::Na,
        }
    }
}

impl Exchange {
    /// The word of the `exchange_status` column.
    pub fn status(&self) -> ExchangeStatus {
        if is_address_text(&self.name) {
            return ExchangeStatus::Invalid;
        }
        match DnsOutcome::of_both(&self.addresses) {
            DnsOutcome::Ok => ExchangeStatus::Ok,
            DnsOutcome::Denied(Denial::Nxdomain) => ExchangeStatus::Nxdomain,
            DnsOutcome::Denied(Denial::Nodata) => ExchangeStatus::Nodata,
            DnsOutcome::Denied(Denial::AliasLoop) => ExchangeStatus::Invalid,
            DnsOutcome::Servfail => ExchangeStatus::Servfail,
            DnsOutcome::Refused => ExchangeStatus::Refused,
            DnsOutcome::Timeout => ExchangeStatus::Timeout,
            DnsOutcome::Na => ExchangeStatus::Na,
        }
    }
}

impl Host {
    /// The word of the `ptr_status` column.
    pub fn ptr_status(&self) -> PtrStatus {
        match DnsOutcome::of(&self.ptr) {
            DnsOutcome::Ok => PtrStatus::Ok,
            DnsOutcome::Denied(Denial::Nxdomain) => PtrStatus::Nxdomain,
            DnsOutcome::Denied(_) => PtrStatus::Nodata,
            DnsOutcome::Servfail => PtrStatus::Servfail,
            DnsOutcome::Refused => PtrStatus::Refused,
            DnsOutcome::Timeout => PtrStatus::Timeout,
            DnsOutcome::Na => PtrStatus::Na,
        }
    }

    /// The PTR names whose addresses include this one, in the order asked.
    pub fn confirmed(&self) -> impl Iterator<Item = &Name> + '_ {
        self.forward
            .iter()
            .filter(|forward| forward.addresses.seen().is_some_and(|records| records.values.contains(&self.address)))
            .map(|forward| &forward.name)
    }

    /// The word of the `introduction_status` column.
    pub fn introduction_status(&self) -> IntroductionStatus {
        match DnsOutcome::of_both(&self.introduced.addresses) {
            DnsOutcome::Ok => IntroductionStatus::Ok,
            DnsOutcome::Denied(Denial::Nxdomain) => IntroductionStatus::Nxdomain,
            DnsOutcome::Denied(_) => IntroductionStatus::Nodata,
            DnsOutcome::Servfail => IntroductionStatus::Servfail,
            DnsOutcome::Refused => IntroductionStatus::Refused,
            DnsOutcome::Timeout => IntroductionStatus::Timeout,
            DnsOutcome::Na => IntroductionStatus::Na,
        }
    }
}

/// Whether an exchange's name is the text of an address: such a name is never asked for.
pub fn is_address_text(name: &Name) -> bool {
    let text = name.as_str();
    // Nearly every name ends otherwise, and is asked about often.
    if !text.ends_with(|c: char| c.is_ascii_digit() || c == ']') && !text.contains(':') {
        return false;
    }
    let plain: String = text.chars().filter(|c| !matches!(c, '[' | ']' | '\\')).collect();
    plain.parse::<IpAddr>().is_ok() || plain.strip_prefix("ipv6:").is_some_and(|rest| rest.parse::<IpAddr>().is_ok())
}
