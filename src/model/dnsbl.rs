//! Blocklists: what a list is, and what its codes mean (RFC 5782).
//! Comes in: the catalogue, or what the user named. Goes out: lists a probe asks and the rules weigh.
//! Asking and health are `probe::dnsbl`'s; the arithmetic is `judge`'s.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dns::Answer;
use super::name::Name;
use super::observed::Observed;
use super::stored::is_default;
use super::words::{Cause, words};

words! {
    /// What being on a list, by one of its codes, says about an address.
    ListClass {
        /// Sends spam.
        SpamSource = "spam-source",
        /// Exploited, a bot, a proxy.
        Exploited = "exploited",
        /// An open relay or open proxy.
        OpenRelay = "open-relay",
        /// Hijacked address space.
        Hijacked = "hijacked",
        /// Should not send mail directly: no evidence of abuse.
        Policy = "policy",
        /// The network around it is listed.
        Network = "network",
        /// Attacks other services.
        Attack = "attack",
        /// Sends bounces to forged senders.
        Backscatter = "backscatter",
        /// A reputation score.
        Reputation = "reputation",
        /// Allowed, trusted.
        Allow = "allow",
        /// A domain of phishing; of lists of domain names, like the two below.
        Phishing = "phishing",
        /// A domain that spreads or steers malware.
        Malware = "malware",
        /// A legitimate domain that somebody abuses.
        Abused = "abused",
        /// The list refuses us: never a listing.
        Refusal = "refusal",
    }
}

impl ListClass {
    /// Whether a listing of this class decides rule 5, which speaks of open relays and spammers.
    pub const fn counts(self) -> bool {
        matches!(self, Self::SpamSource | Self::Exploited | Self::OpenRelay | Self::Hijacked)
    }
}

/// The meaning of some of a list's return codes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CodeRule {
    /// First code, inclusive.
    pub from: Ipv4Addr,
    /// Last code, inclusive.
    pub to: Ipv4Addr,
    /// What it says.
    pub class: ListClass,
    /// How much it weighs in the sum of rule 5, which fails from 1.0 on.
    pub weight: f32,
}

/// One blocklist.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// The zone asked; may hold a secret key, so it is never stored.
    #[serde(skip, default = "Name::root")]
    pub zone: Name,
    /// The zone as it may be shown: a key label is replaced by `KEY`.
    pub shown: Arc<str>,
    /// Codes and their meanings, first hit wins; a 127/8 answer without a rule is `dnsbl-unknown-code`.
    pub codes: Vec<CodeRule>,
    /// Whether it serves IPv4 addresses.
    pub ipv4: bool,
    /// Whether it serves IPv6 addresses.
    pub ipv6: bool,
    /// Whether it lists domain names instead of addresses (RFC 5782 §3); it then serves no family.
    pub names: bool,
    /// Whether the last octet of a code is a mask, in which each bit has a rule of its own.
    #[serde(default)]
    pub bits: bool,
    /// One of the lists of which the quorum needs one.
    pub core: bool,
    /// Where a listing is looked up and removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Arc<str>>,
    /// Questions per second at most; None is the run's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f32>,
}

impl fmt::Debug for List {
    /// Shows no zone that may hold a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shown, ipv4, ipv6, names, core, .. } = self;
        let mut list = f.debug_struct("List");
        list.field("shown", shown).field("ipv4", ipv4).field("ipv6", ipv6).field("names", names).field("core", core);
        list.finish_non_exhaustive()
    }
}

impl List {
    /// The meaning of one return code, the first of several; None when the table does not know it.
    pub fn meaning(&self, code: Ipv4Addr) -> Option<&CodeRule> {
        self.meanings(code).next()
    }

    /// All that one return code means: of a mask, every bit that is set.
    pub fn meanings(&self, code: Ipv4Addr) -> impl Iterator<Item = &CodeRule> + '_ {
        let whole = |rule: &&CodeRule| (rule.from..=rule.to).contains(&code);
        let refusal = self.codes.iter().find(|rule| whole(rule) && rule.class == ListClass::Refusal);
        let of_bit = move |rule: &&CodeRule| {
            let ([.., bit], [.., set]) = (rule.from.octets(), code.octets());
            let same_net = rule.from.to_bits() >> 8 == code.to_bits() >> 8;
            rule.from == rule.to && same_net && bit.is_power_of_two() && set & bit != 0
        };
        let bits = self.bits && refusal.is_none();
        let masked = self.codes.iter().filter(move |rule| bits && of_bit(rule));
        let plain = if bits { None } else { self.codes.iter().find(whole) };
        plain.into_iter().chain(masked)
    }

    /// Whether the list speaks of addresses of this one's family.
    pub fn serves(&self, address: IpAddr) -> bool {
        if address.to_canonical().is_ipv6() { self.ipv6 } else { self.ipv4 }
    }

    /// The list's weight in the quorum: the highest of its classes that count. Domain names are no evidence on addresses.
    pub fn weight(&self) -> f32 {
        if self.names {
            return 0.0;
        }
        self.codes.iter().filter(|rule| rule.class.counts()).map(|rule| rule.weight).fold(0.0, f32::max)
    }
}

/// How much evidence rule 5 needs to pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quorum {
    /// Total weight of healthy lists that answered; of lists that the user has named, no more than those that serve the
    /// family of the address weigh together.
    pub weight: f32,
    /// Whether a core list must be among them: only where the program has chosen the lists.
    pub core: bool,
}

/// What one list said about one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Position in the run's lists.
    pub list: u16,
    /// The A question: codes, or not listed (absent), or unknown.
    pub codes: Answer<Ipv4Addr>,
    /// The TXT question, asked once and only after a hit.
    #[serde(default = "Observed::not_asked", skip_serializing_if = "Observed::is_not_asked")]
    pub reason: Answer<Box<str>>,
    /// The answer is kept as it came and not believed: the list failed the first test of its health after it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub void: bool,
}

/// What one list of domain names said about one organisational domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainListing {
    /// The domain asked about.
    pub name: Name,
    /// What the list said.
    pub listing: Listing,
}

/// Whether a list can be trusted in this run (RFC 5782 §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Its test entries answer as RFC 5782 §5 wants.
    Healthy,
    /// It refuses us, with this code.
    Refused(Ipv4Addr),
    /// It answers outside 127/8, or lists what must not be listed.
    Untrustworthy(Box<str>),
    /// It did not answer.
    Silent(Cause),
}

impl fmt::Display for Health {
    /// In words that go on from "the list".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.write_str("answers its test entries"),
            Self::Refused(code) => write!(f, "refuses us with {code}"),
            Self::Untrustworthy(why) => f.write_str(why),
            Self::Silent(cause) => write!(f, "does not answer its test entries ({cause})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_of_a_mask_has_its_meaning() {
        let rule = |last: u8, class| CodeRule {
            from: [127, 0, 0, last].into(),
            to: [127, 0, 0, last].into(),
            class,
            weight: 0.0,
        };
        let codes = vec![
            rule(1, ListClass::Refusal),
            rule(8, ListClass::Phishing),
            rule(16, ListClass::Malware),
            rule(128, ListClass::Abused),
        ];
        let list = List {
            zone: Name::trusted("multi.example".into()),
            shown: "multi.example".into(),
            codes,
            ipv4: false,
            ipv6: false,
            names: true,
            bits: true,
            core: false,
            lookup: None,
            rate: None,
        };
        let classes = |last: u8| list.meanings([127, 0, 0, last].into()).map(|rule| rule.class).collect::<Vec<_>>();
        assert_eq!(classes(8 | 128), [ListClass::Phishing, ListClass::Abused]);
        assert_eq!(classes(64), []);
        assert_eq!(classes(1), [ListClass::Refusal]);
        assert_eq!(list.meanings([127, 0, 1, 8].into()).count(), 0, "a mask is the last octet alone");
        let plain = List { bits: false, ..list.clone() };
        assert_eq!(plain.meaning([127, 0, 0, 136].into()), None);
    }
}
