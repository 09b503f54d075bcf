//! The header of stored evidence: what a judge has to know beside it.
//! Comes in: a scan's policy. Goes out: the first record of an evidence file, and from there a policy again.
//! Its version is that of the whole file: it grows when a reader of the older form would misunderstand the newer one.

use serde::{Deserialize, Serialize};

use super::address::Allowed;
use super::dnsbl::{Health, List, Quorum};
use super::target::Receiver;
use super::words::{Profile, words};

/// The version of the form that evidence is stored in.
pub const EVIDENCE_VERSION: u16 = 1;

words! {
    /// What a file says of itself.
    Kind {
        /// It holds the evidence of a scan.
        Evidence = "mxcensus-evidence",
    }
}

/// The first record of an evidence file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// What the file is.
    pub kind: Kind,
    /// The version of its form.
    pub version: u16,
    /// The version of the program that wrote it.
    pub program: Box<str>,
    /// When the scan began, RFC 3339.
    pub started: Box<str>,
    /// The scan's seed.
    pub seed: u64,
    /// The profile it was judged by.
    pub profile: Profile,
    /// Whether it was a scan of the lab, where `test` is an ordinary top-level domain.
    pub lab: bool,
    /// The tables of names it went by.
    pub tables: Vec<Dated>,
    /// Who recorded the introductions of clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<Receiver>,
    /// The special-purpose networks that counted as public.
    pub allowed: Allowed,
    /// How much blocklist evidence rule 5 needed to pass.
    pub quorum: Quorum,
    /// The blocklists asked; `Listing::list` points into them. Zones are as they may be shown: no key is stored.
    pub lists: Vec<List>,
    /// The health of each list, in the same order.
    pub health: Vec<Health>,
    /// The results of earlier scans that it was judged with (`--previous`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub previous: Vec<Previous>,
}

/// A table of names, by which two of them are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated {
    /// Its file's name.
    pub name: Box<str>,
    /// The date it says it is of.
    pub date: Box<str>,
    /// What tells it from another one of that date.
    pub digest: Box<str>,
}

/// The results of an earlier scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// The file.
    pub name: Box<str>,
    /// SHA-256 of its bytes, lower-case hex.
    pub sha256: Box<str>,
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::dnsbl::{CodeRule, ListClass};
    use crate::model::name::Name;
    use crate::model::words::Cause;

    #[test]
    fn a_header_reads_back_and_keeps_no_key() {
        let (from, to) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 11));
        let list = List {
            zone: Name::parse("s3cr3t.zen.example").unwrap(),
            shown: "KEY.zen.example".into(),
            codes: vec![CodeRule { from, to, class: ListClass::Exploited, weight: 0.35 }],
            ipv4: true,
            ipv6: false,
            names: false,
            bits: false,
            core: true,
            lookup: None,
            rate: Some(5.0),
        };
        let header = Header {
            kind: Kind::Evidence,
            version: EVIDENCE_VERSION,
            program: "0.1.0".into(),
            started: "2026-01-01T00:00:00.000Z".into(),
            seed: 1,
            profile: Profile::Patient,
            lab: true,
            tables: vec![Dated { name: "tlds.txt".into(), date: "2026-01-01".into(), digest: "00".into() }],
            receivers: vec![Receiver::Address("192.0.2.1".parse().unwrap())],
            allowed: Allowed::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]),
            quorum: Quorum { weight: 1.5, core: true },
            lists: vec![list],
            health: vec![Health::Silent(Cause::Timeout), Health::Refused(to), Health::Untrustworthy("x".into())],
            previous: vec![Previous { name: "rows.csv".into(), sha256: "00".into() }],
        };
        let text = serde_json::to_string(&header).unwrap();
        assert!(!text.contains("s3cr3t"), "{text}");
        let mut back: Header = serde_json::from_str(&text).unwrap();
        back.lists[0].zone = header.lists[0].zone.clone();
        assert_eq!(back, header);
    }
}
