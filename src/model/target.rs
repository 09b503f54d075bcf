//! Entries as they were read, and targets as they are worked.
//! Comes in: a record of the input. Goes out: one target per domain, address or observed introduction.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::name::Name;
use super::stored::is_default;
use super::words::TargetKind;

/// What one input record asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Record number in its input, 1-based, the header not counted; None for a command-line target.
    pub line: Option<u64>,
    /// The target as given.
    pub text: Arc<str>,
    /// What it was understood as.
    pub wanted: Wanted,
}

/// An entry's meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A mail domain.
    Domain(Name),
    /// One address.
    Address(IpAddr),
    /// Every address of a network.
    Network(IpNet),
    /// An introduction already seen.
    Observed {
        /// Where the client connected from.
        address: IpAddr,
        /// What it said in HELO or EHLO, as recorded.
        helo: Box<str>,
    },
}

/// One thing to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Position in this run, from 0: rows can be put in input order by it.
    pub sequence: u64,
    /// Record number in the input; None for a command-line target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The target as given; for an address out of a network, the network as given.
    pub text: Arc<str>,
    /// What to judge.
    pub subject: Subject,
    /// True when the address came out of a network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub from_network: bool,
    /// True when the target itself is on the exclusion list.
    #[serde(default, skip_serializing_if = "is_default")]
    pub excluded: bool,
    /// True when the input, up to this record, holds three or more names of two or more organisations for this client.
    #[serde(default, skip_serializing_if = "is_default")]
    pub unstable: bool,
}

/// What a target is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A mail domain.
    Domain(Name),
    /// One address.
    Address(IpAddr),
    /// An introduction already seen.
    Observed {
        /// Where the client connected from.
        address: IpAddr,
        /// What it said in HELO or EHLO, as recorded.
        helo: Box<str>,
    },
}

/// A receiver of mail who recorded introductions, by what a forger would call himself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receiver {
    /// His host name or domain.
    Name(Name),
    /// His address.
    Address(IpAddr),
}

impl Target {
    /// The word for the row.
    pub const fn kind(&self) -> TargetKind {
        match self.subject {
            Subject::Domain(_) => TargetKind::Domain,
            Subject::Address(_) if self.from_network => TargetKind::Network,
            Subject::Address(_) => TargetKind::Address,
            Subject::Observed { .. } => TargetKind::Observed,
        }
    }
}

/// A record that could not be used: where it stands and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The file, `-` for standard input, or `command line`.
    pub file: Arc<str>,
    /// Record number, 1-based, the header not counted; None for a command-line target.
    pub record: Option<u64>,
    /// The column that is wrong, by its header name or else its number.
    pub column: Box<str>,
    /// What is wrong, in words for a person.
    pub reason: Box<str>,
    /// The offending text, escaped and cut to 200 characters.
    pub text: Box<str>,
}

/// Reads an address, or a network with its prefix length, as a person writes it; None when it is neither.
///
/// An address is a network of one. Host bits are dropped, and IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) is IPv4.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            (address.parse::<IpAddr>().ok()?, Some(digits.parse::<u8>().ok()?))
        }
        Some(_) => return None,
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    let network = match prefix {
        Some(prefix) => IpNet::new(address, prefix).ok()?,
        None => IpNet::from(address),
    };
    let network = match (network.addr().to_canonical(), network.prefix_len().checked_sub(96)) {
        (v4 @ IpAddr::V4(_), Some(prefix)) if address.is_ipv6() => IpNet::new(v4, prefix).ok()?,
        _ => network,
    };
    Some(network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_network_is_an_ipv4_network() {
        let network = |text| parse_network(text).map(|network| network.to_string());
        assert_eq!(network("::ffff:192.0.2.7/120").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(network("::ffff:0:0/95").as_deref(), Some("::fffe:0:0/95"));
        assert_eq!(network("192.0.2.1").as_deref(), Some("192.0.2.1/32"));
        assert_eq!(network("192.0.2.1/"), None);
        assert_eq!(network("192.0.2.1/033"), None);
    }
}
