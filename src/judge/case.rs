//! One server, as the rules look at it.
//! Comes in: its evidence and the policy. Goes out: the same, with the few views that several rules share.
//! Nothing is judged here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::generic::{self, Generic};
use super::policy::Policy;
use super::rules::lists::Tally;
use crate::model::dns::{Addresses, Answer};
use crate::model::evidence::{Exchange, Host};
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Observed};
use crate::model::smtp::Reply;
use crate::model::words::{Cause, IntroductionClass, PtrClass};

/// One server, as the rules look at it.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) host: &'a Host,
    /// The introduction as a name to look up; None where there is none, or none that can be asked for.
    pub(super) introduced: Option<Name>,
    /// The exchange that led to it; None for an address.
    pub(super) exchange: Option<&'a Exchange>,
    /// The PTR name that says least of an address, among the confirmed ones if there are any.
    pub(super) ptr: Option<(&'a Name, Generic)>,
    /// What the blocklists said together.
    pub(super) listings: Tally,
}

impl<'a> Case<'a> {
    pub(super) fn new(policy: &'a Policy, host: &'a Host, exchange: Option<&'a Exchange>) -> Self {
        let best = |names: &mut dyn Iterator<Item = &'a Name>| {
            let classed = names.map(|name| (name, generic::classify(name, host.address, policy.naming)));
            classed.min_by(|(a, one), (b, other)| (one.score, a).cmp(&(other.score, b)))
        };
        let named = host.ptr.seen().map_or(&[][..], |records| &records.values);
        let ptr = best(&mut host.confirmed()).or_else(|| best(&mut named.iter()));
        let introduced = host.introduction.as_ref().and_then(Introduction::name);
        Self { policy, host, introduced, exchange, ptr, listings: Tally::of(policy, host, exchange) }
    }

    /// The introduction, unless it is blank or blanked.
    pub(super) fn introduction(&self) -> Option<&'a Introduction> {
        let introduction = self.host.introduction.as_ref()?;
        (!matches!(introduction.class, IntroductionClass::Empty | IntroductionClass::Masked)).then_some(introduction)
    }

    /// What the reverse name says of the address; None while the PTR is not known.
    pub(super) fn ptr_class(&self) -> Option<PtrClass> {
        match (&self.ptr, &self.host.ptr) {
            (Some((_, generic)), _) => Some(generic.class),
            (None, Observed::Seen(_) | Observed::Absent(_)) => Some(PtrClass::None),
            (None, Observed::Failed(_) | Observed::NotAsked(_)) => None,
        }
    }

    /// Whether two names belong to one organisation.
    pub(super) fn same_organisation(&self, one: &Name, other: &Name) -> bool {
        self.policy.naming.same_organisation(one, other)
    }

    /// Whether this address is special-purpose in this run.
    pub(super) fn is_special(&self, address: IpAddr) -> bool {
        self.policy.allowed.special(address).is_some()
    }
}

/// A complete 2xx reply.
pub(super) fn is_positive(reply: &Reply) -> bool {
    reply.complete && (200..300).contains(&reply.code)
}

/// Whether a top-level domain that our table does not have is delegated, by what DNS said of a name under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tld {
    /// It is: the table is older than the domain.
    Delegated,
    /// It is not.
    Absent,
    /// Nobody has said.
    Unknown(Cause),
}

impl Tld {
    /// By one answer.
    pub(super) fn of<T>(name: &Name, answer: &Answer<T>) -> Self {
        match answer {
            Observed::Seen(_) => Self::Delegated,
            // Only the root's own word settles it: of some answers the resolver has cut the authority off.
            Observed::Absent(Absence { how: Denial::Nxdomain, zone: None, aliases }) if aliases.is_empty() => {
                Self::Unknown(Cause::NotAsked)
            }
            Observed::Absent(absence) => {
                let below = absence.zone.as_ref().is_some_and(|zone| !zone.is_root() && name.is_within(zone));
                let there = absence.how != Denial::Nxdomain || !absence.aliases.is_empty();
                if there || below { Self::Delegated } else { Self::Absent }
            }
            Observed::Failed(failure) => Self::Unknown(failure.cause),
            Observed::NotAsked(cause) => Self::Unknown(*cause),
        }
    }

    /// By both address questions.
    pub(super) fn of_both(name: &Name, addresses: &Addresses) -> Self {
        match (Self::of(name, &addresses.v4), Self::of(name, &addresses.v6)) {
            (Self::Delegated, _) | (_, Self::Delegated) => Self::Delegated,
            (Self::Absent, _) | (_, Self::Absent) => Self::Absent,
            (unknown @ Self::Unknown(_), Self::Unknown(_)) => unknown,
        }
    }
}

/// The address inside an address literal (RFC 5321 §4.1.3).
pub(super) fn literal(text: &str) -> Option<IpAddr> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("ipv6:") => inner.get(5..)?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_read_as_the_rfc_writes_it() {
        for (text, address) in [
            ("[203.0.113.4]", Some("203.0.113.4")),
            ("[IPv6:2001:db8::1]", Some("2001:db8::1")),
            ("[ipv6:2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]", None),
            ("[203.0.113]", None),
            ("[203.0.113.4.5]", None),
            ("[203.0.113.256]", None),
            ("203.0.113.4", None),
            ("[]", None),
        ] {
            assert_eq!(literal(text), address.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
