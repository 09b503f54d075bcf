//! R3 and R4: the introduced name exists, and its address is the address it speaks from.
//! Comes in: the lookups of the introduced name and of the PTR names. Goes out: helo-* findings of DNS.
//! A fact in one address family is not undone by a failure in the other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::case::{Case, literal};
use super::super::findings::{Findings, Found};
use crate::model::dns::Answer;
use crate::model::evidence::DnsOutcome;
use crate::model::finding::Code;
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::{Denial, Observed};
use crate::model::words::{Basis, Cause, IntroductionClass, Rule, Verdict};

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    let Some(introduction) = &case.host.introduction else { return };
    if let Some(name) = &case.introduced {
        exists(case, name, out);
        match out.verdict(Rule::Exists) {
            Verdict::Pass => {
                matches(case, name, out);
                wildcard(case, name, out);
            }
            // The finding that left R3 unknown has done the same to R4.
            Verdict::Unknown => {}
            Verdict::Fail | Verdict::Na => out.na(Rule::Matches, Cause::NameAbsent),
        }
    } else {
        // A name under a special-use domain does not exist in public DNS, asked for or not.
        let absent = out.verdict(Rule::Exists) == Verdict::Fail;
        out.na(Rule::Exists, Cause::NotAName);
        out.na(Rule::Matches, if absent { Cause::NameAbsent } else { Cause::NotAName });
        literal_mismatch(case, introduction, out);
    }
}

fn literal_mismatch(case: &Case<'_>, introduction: &Introduction, out: &mut Findings) {
    use IntroductionClass::{LiteralSpecial, LiteralV4, LiteralV6};
    let own = case.host.address.to_canonical();
    if matches!(introduction.class, LiteralV4 | LiteralV6 | LiteralSpecial)
        && literal(&introduction.text).is_some_and(|address| address.to_canonical() != own)
    {
        out.add(Found::of(Code::HeloLiteralMismatch).detail(format!("{} from {own}", introduction.text)));
    }
}

/// One answer, whatever its type.
struct View<'a> {
    outcome: DnsOutcome,
    /// Why it is not known, and whether it was asked at all.
    unknown: Option<(Cause, bool)>,
    aliases: &'a [Name],
}

impl<'a> View<'a> {
    fn of<T>(answer: &'a Answer<T>) -> Self {
        Self {
            outcome: DnsOutcome::of(answer),
            unknown: answer.unknown().map(|cause| (cause, matches!(answer, Observed::Failed(_)))),
            aliases: match answer {
                Observed::Seen(records) => &records.aliases,
                Observed::Absent(absence) => &absence.aliases,
                Observed::Failed(_) | Observed::NotAsked(_) => &[],
            },
        }
    }

    fn is(&self, denial: Denial) -> bool {
        self.outcome == DnsOutcome::Denied(denial)
    }
}

fn exists(case: &Case<'_>, name: &Name, out: &mut Findings) {
    let introduced = &case.host.introduced;
    let views = [View::of(&introduced.addresses.v4), View::of(&introduced.addresses.v6), View::of(&introduced.mx)];
    let target = views.iter().find_map(|view| view.aliases.last());
    let through = || target.map_or_else(|| name.to_string(), |target| format!("{name} -> {target}"));
    if views.iter().any(|view| view.outcome == DnsOutcome::Ok) {
        if target.is_some() {
            out.add(Found::of(Code::HeloIsCname).detail(through()));
        }
        return;
    }
    let any = |denial| views.iter().any(|view| view.is(denial));
    let bogus = views.iter().any(|view| view.unknown == Some((Cause::Bogus, true)));
    let nodata = views.iter().all(|view| view.is(Denial::Nodata));
    // RFC 8020: a name that does not exist for one type exists for none.
    if any(Denial::AliasLoop) || (target.is_some() && (any(Denial::Nxdomain) || nodata)) {
        out.add(Found::of(Code::HeloCnameBroken).detail(through()));
    } else if any(Denial::Nxdomain) {
        out.add(Found::of(Code::HeloNxdomain).detail(name.as_str()));
    } else if bogus {
        out.add(Found::of(Code::HeloDnssecBogus).detail(name.as_str()));
    } else if nodata {
        out.add(Found::of(Code::HeloNodata).detail(name.as_str()));
    } else {
        let failed = views.iter().filter_map(|view| view.unknown).find(|(_, asked)| *asked);
        let unasked = views.iter().find_map(|view| view.unknown).map_or(Cause::NotAsked, |(cause, _)| cause);
        if let Some((cause, _)) = failed {
            out.add(Found::of(Code::HeloDnsFailure).because(cause).detail(format!("{name}: {cause}")));
        } else {
            out.missing(Rule::Exists, unasked);
            out.missing(Rule::Matches, unasked);
        }
    }
}

/// A name nobody has written down has the same addresses: the introduced one proves as little.
fn wildcard(case: &Case<'_>, name: &Name, out: &mut Findings) {
    let introduced = &case.host.introduced;
    let Some(sibling) = introduced.sibling.seen().filter(|records| !records.values.is_empty()) else { return };
    let peer = case.host.address.to_canonical();
    let own: BTreeSet<IpAddr> =
        introduced.addresses.all().filter(|address| address.is_ipv4() == peer.is_ipv4()).collect();
    if sibling.values.iter().copied().collect::<BTreeSet<_>>() == own {
        let parent = name.parent().unwrap_or_else(Name::root);
        out.add(Found::of(Code::HeloWildcard).detail(format!("any name under {parent}")));
    }
}

/// The name exists: does it lead to the peer? Only the peer's own address family is needed.
fn matches(case: &Case<'_>, name: &Name, out: &mut Findings) {
    let peer = case.host.address.to_canonical();
    let addresses = &case.host.introduced.addresses;
    let (v4, v6) = (View::of(&addresses.v4), View::of(&addresses.v6));
    let (own, other) = if peer.is_ipv4() { (v4, v6) } else { (v6, v4) };
    if let Some((cause, true)) = other.unknown {
        out.add(Found::of(Code::HeloDnsFailure).form(2).because(cause).detail(format!("{name}: {cause}")));
    }
    if let Some((cause, asked)) = own.unknown {
        if asked {
            out.add(Found::of(Code::HeloDnsFailure).form(1).because(cause).detail(format!("{name}: {cause}")));
        } else {
            out.missing(Rule::Matches, cause);
        }
        return;
    }
    let seen: Vec<IpAddr> = addresses.all().collect();
    if seen.contains(&peer) {
        return;
    }
    let shown: Vec<String> = seen.iter().take(4).map(ToString::to_string).collect();
    let detail = format!("{name} is {}, peer is {peer}", shown.join(" "));
    if !seen.is_empty() && seen.iter().all(|&address| case.is_special(address)) {
        out.add(Found::of(Code::HeloAddressSpecial).detail(detail));
    } else if own.outcome == DnsOutcome::Ok {
        mismatch(case, name, detail, out);
    } else if other.outcome == DnsOutcome::Ok {
        out.add(Found::of(Code::HeloFamilyMissing).detail(detail));
    } else {
        out.add(Found::of(Code::HeloNoAddress).detail(name.as_str()));
    }
}

/// Whether a confirmed PTR name belongs to the organisation of the introduced name.
enum Kin {
    Yes(Name),
    No,
    Unknown(Cause),
}

fn mismatch(case: &Case<'_>, name: &Name, detail: String, out: &mut Findings) {
    match kin(case, name) {
        Kin::Yes(ptr) => {
            out.add(Found::of(Code::HeloForwardMismatchSameOrg).detail(format!("{detail}, confirmed as {ptr}")));
        }
        // A server may share its announced name with others: without its PTR nobody can tell.
        Kin::Unknown(cause) if case.host.basis == Basis::Announced => out.missing(Rule::Matches, cause),
        Kin::No | Kin::Unknown(_) => out.add(Found::of(Code::HeloForwardMismatch).detail(detail)),
    }
}

fn kin(case: &Case<'_>, name: &Name) -> Kin {
    if let Some(ptr) = case.host.confirmed().find(|ptr| case.same_organisation(ptr, name)) {
        return Kin::Yes(ptr.clone());
    }
    let records = match &case.host.ptr {
        Observed::Seen(records) => records,
        Observed::Absent(_) => return Kin::No,
        Observed::Failed(failure) => return Kin::Unknown(failure.cause),
        Observed::NotAsked(cause) => return Kin::Unknown(*cause),
    };
    let related = records.values.iter().filter(|ptr| case.same_organisation(ptr, name));
    let unknown = related.filter_map(|ptr| match case.host.forward.iter().find(|forward| forward.name == *ptr) {
        Some(forward) => forward.addresses.unknown(),
        None => Some(Cause::NotAsked),
    });
    unknown.min().map_or(Kin::No, Kin::Unknown)
}
