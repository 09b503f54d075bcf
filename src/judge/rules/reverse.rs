//! RV: the address has a reverse name, and the name leads back.
//! Comes in: the PTR answer, the lookups of its names, the introduction. Goes out: ptr-* and fcrdns-* findings.
//! A missing PTR is told from a missing reverse zone by the zone that denies it.

use std::net::IpAddr;

use super::super::case::{Case, Tld};
use super::super::findings::{Findings, Found};
use crate::model::address::neighbourhood;
use crate::model::dns::reverse_name;
use crate::model::evidence::{DnsOutcome, Forward};
use crate::model::finding::Code;
use crate::model::history::Fact;
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Observed};
use crate::model::words::{Cause, IntroductionClass, PtrClass, Rule};

/// How many PTR names are looked up at most.
const NAMES_ASKED: usize = 10;
/// Score from which a dynamic name is one of two signs of dynamic space.
const SURELY_DYNAMIC: i32 = 80;
/// Earlier runs, each a day apart, in which a zone was lame that is lame for good.
const LAME_DAYS: usize = 2;

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    let host = case.host;
    match &host.ptr {
        Observed::NotAsked(cause) => out.missing(Rule::Reverse, *cause),
        Observed::Failed(failure) => {
            let found = match failure.cause {
                Cause::Lame => {
                    let days = case.policy.history.days(Fact::ReverseLame(host.address), host.scanned_at);
                    Found::of(Code::PtrZoneLame).form(usize::from(days >= LAME_DAYS))
                }
                _ => Found::of(Code::PtrDnsFailure),
            };
            out.add(found.because(failure.cause).detail(failure.cause.as_str()));
        }
        Observed::Absent(absence) => missing(host.address, absence, out),
        Observed::Seen(records) if records.values.is_empty() => {
            out.add(Found::of(Code::PtrMissing).detail(reverse_name(host.address).as_str()));
        }
        Observed::Seen(records) => {
            if let Some(owner) = records.aliases.last() {
                out.add(Found::of(Code::PtrCname).detail(owner.as_str()));
            }
            names(case, &records.values, out);
        }
    }
}

fn missing(address: IpAddr, absence: &Absence, out: &mut Findings) {
    let zone = absence.zone.as_ref();
    let denied = || zone.map_or_else(|| reverse_name(address).to_string(), |zone| format!("denied by {zone}"));
    let found = if absence.how == Denial::AliasLoop || !absence.aliases.is_empty() {
        Found::of(Code::PtrCnameBroken).detail(absence.aliases.last().map_or("", Name::as_str))
    } else if zone.is_some_and(|zone| is_registry(address, zone)) {
        Found::of(Code::PtrZoneMissing).detail(denied())
    } else {
        Found::of(Code::PtrMissing).detail(denied())
    };
    out.add(found);
}

/// Whether a zone stands so high in the reverse tree that it is a registry's: at most one octet, or fewer than the
/// eight nibbles of a /32.
fn is_registry(address: IpAddr, zone: &Name) -> bool {
    let (tree, own) = if address.is_ipv4() { ("in-addr.arpa", 2) } else { ("ip6.arpa", 8) };
    let tree = Name::trusted(tree.to_owned());
    tree.is_within(zone) || (zone.is_within(&tree) && zone.labels().count() < own + 2)
}

fn names(case: &Case<'_>, names: &[Name], out: &mut Findings) {
    let show = || names.iter().take(NAMES_ASKED).map(Name::as_str).collect::<Vec<_>>().join(" ");
    if names.len() > 1 {
        let form = usize::from(names.len() > 10);
        out.add(Found::of(Code::PtrMultiple).form(form).detail(format!("{} names", names.len())));
        let mut organisations = names.iter().filter_map(|name| case.policy.naming.registrable(name));
        if organisations.next().is_some_and(|first| organisations.any(|other| other != first)) {
            out.add(Found::of(Code::PtrMultiOrg).detail(show()));
        }
    }
    let usable = |name: &Name| {
        let (class, flags) = case.policy.naming.classify(name.as_str().as_bytes());
        let known = |forward: &Forward| forward.name == *name && Tld::of(name, &forward.addresses) != Tld::Absent;
        match class {
            // What is odd about the latter two keeps nobody from looking them up, and RFC 8601 §2.7.3 asks for no more.
            IntroductionClass::Fqdn
            | IntroductionClass::Underscore
            | IntroductionClass::ReservedLdh
            | IntroductionClass::Placeholder => true,
            IntroductionClass::PublicSuffix => flags.private_suffix,
            IntroductionClass::UnknownTld => case.host.forward.iter().any(known),
            _ => false,
        }
    };
    let unusable: Vec<&Name> = names.iter().filter(|name| !usable(name)).collect();
    let some_usable = unusable.len() < names.len();
    for name in unusable {
        out.add(Found::of(Code::PtrInvalidName).form(usize::from(some_usable)).detail(name.as_str()));
    }
    confirmation(case, names, some_usable, out);
    generic(case, out);
    differs(case, out);
}

/// Forward confirmation (RFC 8601 §2.7.3 `iprev`): one name that leads back is enough.
fn confirmation(case: &Case<'_>, names: &[Name], some_usable: bool, out: &mut Findings) {
    let forward = &case.host.forward;
    if case.host.confirmed().next().is_some() {
        return;
    }
    // Of several causes the one that stands first among their words, whatever the order of the names.
    let failed = forward.iter().filter_map(|forward| match &forward.addresses {
        Observed::Failed(failure) => Some((failure.cause, &forward.name)),
        _ => None,
    });
    if let Some((cause, name)) = failed.min() {
        out.add(Found::of(Code::FcrdnsUnknown).because(cause).detail(format!("{name}: {cause}")));
        return;
    }
    let unasked = forward.iter().filter_map(|forward| forward.addresses.unknown()).min();
    let asked = |name: &Name| forward.iter().any(|forward| forward.name == *name);
    if let Some(cause) = unasked {
        out.missing(Rule::Reverse, cause);
    } else if !names.iter().take(NAMES_ASKED).all(asked) {
        // A name that is no host name breaks the rule by itself, looked up or not.
        if some_usable {
            out.missing(Rule::Reverse, Cause::NotAsked);
        }
    } else if forward.iter().all(|forward| DnsOutcome::of(&forward.addresses) != DnsOutcome::Ok) {
        out.add(Found::of(Code::FcrdnsTargetNxdomain).detail(names.first().map_or("", Name::as_str)));
    } else {
        out.add(Found::of(Code::FcrdnsMismatch).detail(match near(case) {
            Some((name, address)) => format!("{name} is {address}, in the same network"),
            None => names.first().map_or_else(String::new, Name::to_string),
        }));
    }
}

/// A PTR name that leads into the address's own network, and where to. Some receivers take that for a match; it is none.
fn near<'a>(case: &Case<'a>) -> Option<(&'a Name, IpAddr)> {
    let network = neighbourhood(case.host.address);
    case.host.forward.iter().find_map(|forward| {
        let addresses = &forward.addresses.seen()?.values;
        Some((&forward.name, *addresses.iter().find(|address| neighbourhood(**address) == network)?))
    })
}

fn generic(case: &Case<'_>, out: &mut Findings) {
    let Some((name, generic)) = &case.ptr else { return };
    let detail = format!("{name}: score {} ({})", generic.score, generic.reasons().collect::<Vec<_>>().join(", "));
    match generic.class {
        PtrClass::GenericStatic => out.add(Found::of(Code::PtrGeneric).detail(detail)),
        PtrClass::GenericDynamic => {
            if generic.score >= SURELY_DYNAMIC {
                if case.listings.policy {
                    out.add(Found::of(Code::DynamicAddressSpace).detail(detail.clone()));
                } else if let Some(cause) = case.listings.policy_unknown {
                    // The second sign was asked for and did not come: it might have been there.
                    out.missing(Rule::Reverse, cause);
                }
            }
            out.add(Found::of(Code::PtrDynamic).detail(detail));
        }
        PtrClass::Named | PtrClass::None => {}
    }
}

/// No confirmed PTR name is the introduced one.
fn differs(case: &Case<'_>, out: &mut Findings) {
    let Some(introduced) = &case.introduced else { return };
    let mut confirmed = case.host.confirmed().peekable();
    let Some(first) = confirmed.peek().copied() else { return };
    let mut same = false;
    for name in confirmed {
        if name == introduced {
            return;
        }
        same |= case.same_organisation(name, introduced);
    }
    let detail = format!("PTR {first}, introduced as {introduced}");
    out.add(Found::of(Code::PtrHeloDiffers).form(usize::from(same)).detail(detail));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_told_from_holders_by_the_depth_of_the_zone() {
        let v4 = "192.0.2.27".parse().unwrap();
        let v6 = "2001:db8:25::7".parse().unwrap();
        for (address, zone, registry) in [
            (v4, "", true),
            (v4, "arpa", true),
            (v4, "in-addr.arpa", true),
            (v4, "192.in-addr.arpa", true),
            (v4, "0.192.in-addr.arpa", false),
            (v4, "2.0.192.in-addr.arpa", false),
            (v4, "isp.test", false),
            (v6, "ip6.arpa", true),
            (v6, "1.0.0.2.ip6.arpa", true),
            (v6, "b.d.0.1.0.0.2.ip6.arpa", true),
            (v6, "8.b.d.0.1.0.0.2.ip6.arpa", false),
        ] {
            assert_eq!(is_registry(address, &Name::trusted(zone.to_owned())), registry, "{zone:?}");
        }
    }
}
