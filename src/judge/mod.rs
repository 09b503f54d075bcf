//! From evidence to verdicts.
//! Comes in: one target's evidence and the run's policy. Goes out: a row of verdicts and findings per server.
//! A pure function: no clock, no network, no files, so stored evidence can be judged again under newer rules.
//! A new rule is an entry in `table` and a condition in one file of `rules`.

#[cfg(test)]
mod again;
mod case;
#[cfg(test)]
mod cases;
mod findings;
pub mod generic;
pub mod policy;
#[cfg(test)]
mod properties;
mod rules;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod scene;
pub mod table;

use std::sync::Arc;

pub use policy::Policy;

use case::Case;
use findings::{Findings, Found};
use rules::mx::Placed;
use rules::{ehlo, forward, greeting, lists, mx, name, reverse, smtp};

use crate::model::assessment::{Assessment, Judged};
use crate::model::evidence::{DnsOutcome, Evidence, Exchange, Host, Route, is_address_text};
use crate::model::finding::Code;
use crate::model::introduction::Naming;
use crate::model::observed::{Denial, Observed};
use crate::model::words::{Basis, Cause, ConnectStatus, MxStatus, Overall, Profile, Rule, Verdict};

/// The rules about one server.
const SERVER_RULES: [Rule; 6] =
    [Rule::Introduces, Rule::Fqdn, Rule::Exists, Rule::Matches, Rule::Unlisted, Rule::Reverse];
/// The rules about the name it introduces itself with.
const NAME_RULES: [Rule; 3] = [Rule::Fqdn, Rule::Exists, Rule::Matches];

/// Judges one target: a row per (exchange, address), at least one.
pub fn assess(mut evidence: Evidence, policy: &Policy) -> Judged {
    class_anew(&mut evidence, policy.naming);
    let domain = mx::findings(&evidence, policy);
    let rows = places(&evidence).map(|place| row(&evidence, policy, &domain, place)).collect();
    Judged { evidence, rows }
}

/// Classes the names by the tables of this judgement: the evidence may have been gathered by others.
fn class_anew(evidence: &mut Evidence, naming: Naming) {
    for host in evidence.routes.iter_mut().flat_map(|route| &mut route.hosts) {
        let names = [&host.introduction, &host.ehlo];
        let known = names.map(|seen| seen.as_ref().map(|seen| seen.class));
        let fresh = names.map(|seen| seen.as_ref().map(|seen| seen.class_by(naming)));
        if known != fresh {
            let host = Arc::make_mut(host);
            for (seen, fresh) in [&mut host.introduction, &mut host.ehlo].into_iter().zip(fresh) {
                if let (Some(seen), Some(fresh)) = (seen, fresh) {
                    seen.class = fresh;
                }
            }
        }
    }
}

/// Which part of the evidence a row is about.
#[derive(Clone, Copy)]
struct Place {
    route: Option<usize>,
    host: Option<usize>,
}

/// The rows of a target. A domain without any mail server by its own records has one row without a route.
fn places(evidence: &Evidence) -> impl Iterator<Item = Place> + '_ {
    let routes = if evidence.mx_status() == MxStatus::None { &[][..] } else { &evidence.routes };
    let none = routes.is_empty().then_some(Place { route: None, host: None });
    let all = routes.iter().enumerate().flat_map(|(at, route)| {
        let empty = route.hosts.is_empty().then_some(Place { route: Some(at), host: None });
        empty.into_iter().chain((0..route.hosts.len()).map(move |host| Place { route: Some(at), host: Some(host) }))
    });
    none.into_iter().chain(all)
}

fn row(evidence: &Evidence, policy: &Policy, domain: &[Placed], place: Place) -> Assessment {
    let route = place.route.and_then(|at| evidence.routes.get(at));
    let exchange = route.and_then(|route| route.exchange.as_deref());
    let host = route.zip(place.host).and_then(|(route, at)| route.hosts.get(at));
    let basis = host.map_or(Basis::Announced, |host| host.basis);
    let case = host.map(|host| Case::new(policy, host, exchange));

    let mut out = Findings::new(basis, policy.profile);
    let mut asked = None;
    match standing(evidence, route, case.as_ref()) {
        Standing::Judged(case) => {
            server(case, &mut out);
            if basis == Basis::Observed && evidence.target.unstable {
                let last = case.host.introduction.as_ref().map_or("", |introduction| &introduction.text);
                out.add(Found::of(Code::HeloUnstable).detail(format!("{last}, after other names")));
            }
            asked = Some(&case.listings);
        }
        Standing::Excluded => out.add(Found::of(Code::ScannerExcluded).because(Cause::Excluded).form(1)),
        Standing::NoServer(cause) => SERVER_RULES.into_iter().for_each(|rule| out.na(rule, cause)),
        Standing::Unreached(cause) => SERVER_RULES.into_iter().for_each(|rule| out.missing(rule, cause)),
    }
    if evidence.target.excluded {
        out = Findings::new(basis, policy.profile);
        out.add(Found::of(Code::ScannerExcluded).because(Cause::Excluded));
        asked = None;
    } else {
        mx::judge(evidence, domain, place.route, &mut out);
    }

    let told = |part: fn(&lists::Tally) -> &Vec<Box<str>>| asked.map(part).cloned().unwrap_or_default();
    let verdicts = out.verdicts();
    Assessment {
        route: place.route.map(index),
        host: place.host.map(index),
        verdicts,
        unknown_why: out.why(Verdict::Unknown),
        na_why: out.why(Verdict::Na),
        overall: Overall::of(&verdicts),
        ptr_class: case.as_ref().and_then(Case::ptr_class),
        listed: told(|tally| &tally.listed),
        counted: told(|tally| &tally.counted),
        lists_unknown: told(|tally| &tally.unknown),
        domains_listed: told(|tally| &tally.domains),
        findings: out.into_list(),
    }
}

fn index(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

/// Whether there is a server to judge in a row.
enum Standing<'a> {
    /// There is.
    Judged(&'a Case<'a>),
    /// It is on the exclusion list.
    Excluded,
    /// By the facts there is none, or none that anybody could reach, for this reason.
    NoServer(Cause),
    /// It is not known whether there is one, or nobody asked.
    Unreached(Cause),
}

fn standing<'a>(evidence: &Evidence, route: Option<&Route>, case: Option<&'a Case<'a>>) -> Standing<'a> {
    if let Some(case) = case {
        return match case.host {
            Host { session, .. } if session.connect == ConnectStatus::Excluded => Standing::Excluded,
            Host { special: Some(_), .. } => Standing::NoServer(Cause::SpecialAddress),
            Host { session, .. } if session.connect == ConnectStatus::Special => {
                Standing::NoServer(Cause::SpecialAddress)
            }
            _ => Standing::Judged(case),
        };
    }
    match route.map(|route| route.exchange.as_deref()) {
        Some(Some(exchange)) => without_address(exchange),
        Some(None) => Standing::Unreached(Cause::NotAsked),
        None => match &evidence.mx {
            Some(Observed::NotAsked(Cause::Excluded)) => Standing::Excluded,
            Some(mx) => mx.unknown().map_or_else(|| no_route(evidence), Standing::Unreached),
            None => Standing::Unreached(Cause::NotAsked),
        },
    }
}

/// The domain's MX question has an answer and no route came of it.
fn no_route(evidence: &Evidence) -> Standing<'static> {
    match evidence.mx_status() {
        MxStatus::Ok | MxStatus::Implicit => Standing::Unreached(Cause::NotAsked),
        // A loop of aliases: senders' resolvers fail on it, so nobody knows of a server.
        MxStatus::Invalid
            if evidence.routes.is_empty() && evidence.mx.as_ref().is_some_and(|mx| mx.seen().is_none()) =>
        {
            Standing::Unreached(Cause::Malformed)
        }
        MxStatus::NullMx => Standing::NoServer(Cause::NullMx),
        MxStatus::None => Standing::NoServer(Cause::NoMailDomain),
        _ => Standing::NoServer(Cause::NoServer),
    }
}

fn without_address(exchange: &Exchange) -> Standing<'static> {
    let addresses = &exchange.addresses;
    let outcome = DnsOutcome::of_both(addresses);
    let cause = addresses.v4.unknown().or_else(|| addresses.v6.unknown());
    // RFC 8020: a name that does not exist for one type exists for none; an alias that loops does so for all.
    let gone = |outcome| matches!(outcome, DnsOutcome::Denied(Denial::Nxdomain | Denial::AliasLoop));
    let nowhere = gone(DnsOutcome::of(&addresses.v4)) || gone(DnsOutcome::of(&addresses.v6));
    match (outcome, cause) {
        _ if exchange.name.is_root() => Standing::NoServer(Cause::NullMx),
        _ if is_address_text(&exchange.name) => Standing::NoServer(Cause::NoServer),
        (DnsOutcome::Ok, _) => Standing::Unreached(Cause::NotAsked),
        _ if nowhere => Standing::NoServer(Cause::NoServer),
        (_, None) => Standing::NoServer(Cause::NoServer),
        (_, Some(Cause::Excluded)) => Standing::Excluded,
        (_, Some(cause)) => Standing::Unreached(cause),
    }
}

/// All rules about one server. The rules on its name need an introduction: without one they do not apply, and while
/// it is not known whether there is one, they are not known either.
fn server(case: &Case<'_>, out: &mut Findings) {
    greeting::judge(case, out);
    ehlo::judge(case, out);
    smtp::judge(case, out);
    match out.verdict(Rule::Introduces) {
        Verdict::Pass => {
            name::judge(case, out);
            forward::judge(case, out);
        }
        Verdict::Unknown => NAME_RULES.into_iter().for_each(|rule| out.missing(rule, Cause::NoIntroduction)),
        verdict => {
            let cause = out.cause(Rule::Introduces).filter(|_| verdict == Verdict::Na).unwrap_or(Cause::NoName);
            for rule in NAME_RULES {
                out.na(rule, cause);
            }
        }
    }
    reverse::judge(case, out);
    if case.policy.profile == Profile::Rfc5321 {
        out.na(Rule::Reverse, Cause::Profile);
    }
    // Last, for what the lists say weighs differently once everything else is mended.
    lists::judge(case, out);
}
