//! What was seen, kept apart from what is absent, what failed and what was never asked.
//! Comes in: an outcome of a probe. Goes out: the same, with its cause.
//! Absent is a fact about the world; failed is a fact about the attempt. The two never merge.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::stored::is_default;
use super::words::{Cause, words};

words! {
    /// How a DNS question was denied.
    Denial {
        /// The name does not exist (RFC 2308 §2.1; by RFC 8020 nothing below it either).
        Nxdomain = "nxdomain",
        /// The name exists without this type (RFC 2308 §2.2).
        Nodata = "nodata",
        /// The alias chain loops or is longer than eight links.
        AliasLoop = "alias-loop",
    }
}

/// A fact of absence: the name servers say there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// In which way.
    pub how: Denial,
    /// The owner of the SOA record in the authority section: the zone that denies. None when none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Name>,
    /// The CNAME targets that led here, in order; empty when the asked name itself is denied.
    #[serde(default, skip_serializing_if = "is_default")]
    pub aliases: Vec<Name>,
}

/// A failed attempt: says nothing about whether the thing exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// What the other side or the system said of it, escaped and capped (an extended DNS error, an OS error).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Box<str>>,
    /// How it was asked, where it was a DNS question that went out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<Box<How>>,
}

/// How a DNS question was asked and answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// The rcode of the last reply (RFC 1035 §4.1.1, RFC 6891 §6.1.3); None without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rcode: Option<u16>,
    /// Whether a reply was cut short to fit a datagram, so that TCP was tried.
    #[serde(default, skip_serializing_if = "is_default")]
    pub truncated: bool,
    /// Queries sent, over UDP and TCP together.
    pub attempts: u32,
    /// The resolver that replied, or was asked, last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<SocketAddr>,
}

impl Failure {
    /// A failure with nothing more to say than its cause.
    pub const fn of(cause: Cause) -> Self {
        Self { cause, detail: None, how: None }
    }
}

/// One observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed<T> {
    /// Seen.
    Seen(T),
    /// Asked, and the authoritative answer is that there is none.
    Absent(Absence),
    /// Asked, and no answer that can be used.
    Failed(Failure),
    /// Never asked, and why not.
    NotAsked(Cause),
}

impl<T> Observed<T> {
    /// A failure with nothing more to say than its cause.
    pub const fn failed(cause: Cause) -> Self {
        Self::Failed(Failure::of(cause))
    }

    /// Never asked, and nothing more to say of it: stored evidence leaves such an observation out.
    pub(super) const fn not_asked() -> Self {
        Self::NotAsked(Cause::NotAsked)
    }

    /// Whether it was never asked, with nothing more to say of it.
    pub(super) const fn is_not_asked(&self) -> bool {
        matches!(self, Self::NotAsked(Cause::NotAsked))
    }

    /// The value, where there is one.
    pub const fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            _ => None,
        }
    }

    /// The fact of absence, where it is one.
    pub const fn absent(&self) -> Option<&Absence> {
        match self {
            Self::Absent(absence) => Some(absence),
            _ => None,
        }
    }

    /// Why it is not known; None for what is a fact.
    pub const fn unknown(&self) -> Option<Cause> {
        match self {
            Self::Failed(failure) => Some(failure.cause),
            Self::NotAsked(cause) => Some(*cause),
            Self::Seen(_) | Self::Absent(_) => None,
        }
    }
}
