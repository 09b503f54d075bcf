//! R5: the address is on no blocklist that counts.
//! Comes in: what each list answered, its health, its table of codes. Goes out: dnsbl-* findings and the quorum.
//! An answer counts only from a healthy list; a refusal or a strange answer is never a listing. Lists of domain names give
//! findings, and touch neither sum nor quorum.

use std::net::Ipv4Addr;

use super::super::case::Case;
use super::super::findings::{Findings, Found};
use super::super::policy::Policy;
use crate::model::dnsbl::{DomainListing, Health, List, ListClass, Listing};
use crate::model::evidence::{Exchange, Host};
use crate::model::finding::Code;
use crate::model::history::Fact;
use crate::model::name::Name;
use crate::model::observed::{Denial, Observed};
use crate::model::words::{Cause, Rule, Verdict};

/// The sum of weights from which an address counts as listed.
const LISTED: f64 = 1.0;
/// From this weight on, one list's word for an open relay is enough.
const RELAY_WEIGHT: f32 = 0.3;
/// Weights are decimal fractions held in floats: sums may miss by less than this.
const EPSILON: f64 = 1e-4;
/// An answer of more addresses than this is a wildcard, not a listing.
const MOST_CODES: usize = 8;

/// What all lists together said of one address.
#[derive(Debug, Default)]
pub(in super::super) struct Tally {
    /// `zone=code` of each listing.
    pub(in super::super) listed: Vec<Box<str>>,
    /// The zones that decide the rule.
    pub(in super::super) counted: Vec<Box<str>>,
    /// `zone=why` of each list without a usable answer.
    pub(in super::super) unknown: Vec<Box<str>>,
    /// `domain@zone=code` of each listing of a domain.
    pub(in super::super) domains: Vec<Box<str>>,
    /// On a policy list.
    pub(in super::super) policy: bool,
    /// Why a policy list that was asked gave no usable answer.
    pub(in super::super) policy_unknown: Option<Cause>,
    found: Vec<Found>,
    reasons: Vec<String>,
    sum: f64,
    answered: f64,
    /// The weight of the lists that serve the address's family.
    served: f64,
    core: bool,
    asked: bool,
    trusted: bool,
}

/// The answer of one list.
enum Answered<'a> {
    No,
    Codes(&'a [Ipv4Addr]),
    Nothing(&'static str),
}

impl Tally {
    pub(in super::super) fn of(policy: &Policy, host: &Host, exchange: Option<&Exchange>) -> Self {
        let mut tally = Self::default();
        for (at, list) in policy.lists.iter().enumerate() {
            if list.names {
                let about = |domain: &&DomainListing| usize::from(domain.listing.list) == at;
                let domains = host.domains.iter().chain(exchange.map_or(&[][..], |exchange| &exchange.domains));
                tally.names(list, policy.health.get(at), &domains.filter(about).collect::<Vec<_>>());
            } else if list.serves(host.address) {
                let listing = host.listings.iter().find(|listing| usize::from(listing.list) == at);
                tally.list(list, policy.health.get(at), listing);
            }
            // A list without this family says nothing of the address, and is not missed.
        }
        tally
    }

    fn list(&mut self, list: &List, health: Option<&Health>, listing: Option<&Listing>) {
        self.served += f64::from(list.weight());
        let answer = listing.map_or(&Observed::NotAsked(Cause::NotAsked), |listing| &listing.codes);
        self.asked |= !matches!(answer, Observed::NotAsked(Cause::NotAsked));
        let unhealthy = unhealthy(list, health, listing);
        let answered = self.answered(list, listing);
        if list.codes.iter().any(|rule| rule.class == ListClass::Policy) {
            let unknown = match (&unhealthy, &answered, answer) {
                (_, _, Observed::NotAsked(Cause::NotAsked)) => None,
                (_, _, Observed::NotAsked(cause)) => Some(*cause),
                (_, _, Observed::Failed(failure)) => Some(failure.cause),
                (Some(_), ..) | (_, Answered::Nothing(_), _) => Some(Cause::ListUnhealthy),
                (None, Answered::No | Answered::Codes(_), _) => None,
            };
            self.policy_unknown = self.policy_unknown.or(unknown);
        }
        match (unhealthy, answered) {
            (Some(unhealthy), _) => self.distrust(list, unhealthy),
            (None, Answered::Nothing(why)) => self.miss(list, why),
            (None, Answered::No) => self.heard(list),
            (None, Answered::Codes(codes)) => {
                self.heard(list);
                self.weigh(list, codes, listing);
            }
        }
    }

    /// A list of domain names: it decides nothing, and is missed by nobody but in words.
    fn names(&mut self, list: &List, health: Option<&Health>, domains: &[&DomainListing]) {
        for DomainListing { name, listing } in domains {
            match (unhealthy(list, health, Some(listing)), self.answered(list, Some(listing))) {
                (Some(unhealthy), _) => self.distrust(list, unhealthy),
                (None, Answered::Nothing(why)) => self.miss(list, why),
                (None, Answered::No) => {}
                (None, Answered::Codes(codes)) => codes.iter().for_each(|code| self.domain(list, name, *code, listing)),
            }
        }
    }

    fn domain(&mut self, list: &List, name: &Name, code: Ipv4Addr, listing: &Listing) {
        let shown: Box<str> = format!("{name}@{}={code}", list.shown).into();
        // Two names of one server can belong to one domain.
        if self.domains.contains(&shown) {
            return;
        }
        let classes: Vec<&str> = list.meanings(code).map(|rule| rule.class.as_str()).collect();
        if classes.is_empty() {
            self.found.push(Found::of(Code::DnsblUnknownCode).detail(&*shown));
        } else {
            let lookup = list.lookup.as_ref().map_or_else(String::new, |lookup| format!(", see {lookup}"));
            let detail = format!("{shown} {}{}{lookup}", classes.join("+"), said(listing));
            self.found.push(Found::of(Code::RhsblListed).detail(detail));
        }
        self.domains.push(shown);
    }

    /// What a list's answer comes to, its health aside.
    fn answered<'a>(&mut self, list: &List, listing: Option<&'a Listing>) -> Answered<'a> {
        match listing.map(|listing| &listing.codes) {
            Some(Observed::Seen(records)) => self.codes(list, &records.values),
            Some(Observed::Absent(absence)) if absence.how == Denial::AliasLoop => Answered::Nothing("invalid"),
            Some(Observed::Absent(_)) => Answered::No,
            Some(Observed::Failed(failure)) => Answered::Nothing(failure.cause.as_str()),
            Some(Observed::NotAsked(cause)) => Answered::Nothing(cause.as_str()),
            None => Answered::Nothing(Cause::NotAsked.as_str()),
        }
    }

    fn distrust(&mut self, list: &List, (code, detail, why): Distrust) {
        self.found.push(Found::of(code).detail(detail));
        self.miss(list, why);
    }

    fn miss(&mut self, list: &List, why: &str) {
        let shown: Box<str> = format!("{}={why}", list.shown).into();
        if !self.unknown.contains(&shown) {
            self.unknown.push(shown);
        }
    }

    fn heard(&mut self, list: &List) {
        self.answered += f64::from(list.weight());
        self.core |= list.core;
    }

    /// Whether the addresses of an answer are codes at all.
    fn codes<'a>(&mut self, list: &List, codes: &'a [Ipv4Addr]) -> Answered<'a> {
        let refusal = |code: &&Ipv4Addr| match list.meaning(**code) {
            Some(rule) => rule.class == ListClass::Refusal,
            // Set aside by the big lists for errors of any kind.
            None => code.octets().starts_with(&[127, 255, 255]),
        };
        let strange =
            |code: &&Ipv4Addr| !code.is_loopback() || (**code == Ipv4Addr::LOCALHOST && list.meaning(**code).is_none());
        if let Some(code) = codes.iter().find(refusal) {
            self.found.push(Found::of(Code::DnsblRefused).detail(format!("{}={code}", list.shown)));
            return Answered::Nothing("refused");
        }
        let wrong = codes.iter().find(strange).map(ToString::to_string);
        let many = (codes.len() > MOST_CODES).then(|| format!("{} addresses", codes.len()));
        if let Some(wrong) = wrong.or(many) {
            self.found.push(Found::of(Code::DnsblAnswerInvalid).detail(format!("{}={wrong}", list.shown)));
            return Answered::Nothing("invalid");
        }
        if codes.is_empty() { Answered::No } else { Answered::Codes(codes) }
    }

    fn weigh(&mut self, list: &List, codes: &[Ipv4Addr], listing: Option<&Listing>) {
        let mut heaviest = 0.0_f32;
        for &code in codes {
            let shown = format!("{}={code}", list.shown);
            let Some(rule) = list.meaning(code) else {
                self.found.push(Found::of(Code::DnsblUnknownCode).detail(&*shown));
                self.listed.push(shown.into());
                continue;
            };
            if rule.class.counts() {
                heaviest = heaviest.max(rule.weight);
            }
            let code_found = match rule.class {
                ListClass::OpenRelay if rule.weight >= RELAY_WEIGHT => Some(Code::DnsblOpenRelay),
                ListClass::Policy => Some(Code::DnsblPolicyListed),
                ListClass::Network => Some(Code::DnsblNetworkListed),
                ListClass::Attack => Some(Code::DnsblAttackListed),
                // A last octet of 0 is an entry without trust.
                ListClass::Allow if code.octets()[3] > 0 => Some(Code::DnsblAllowListed),
                _ => None,
            };
            self.policy |= rule.class == ListClass::Policy;
            // Levels of trust 2 and 3 of an allow list stand in the last octet.
            self.trusted |= rule.class == ListClass::Allow && code.octets()[3] >= 2;
            self.found.extend(code_found.map(|found| Found::of(found).detail(&*shown)));
            if rule.class != ListClass::Allow {
                self.listed.push(shown.into());
            }
        }
        if heaviest > 0.0 {
            self.sum += f64::from(heaviest);
            self.counted.push((*list.shown).into());
            self.reasons.push(reason(list, codes, listing));
        }
    }
}

/// The finding about a list that is not believed, its detail, and the word for `dnsbl_unknown`.
type Distrust = (Code, String, &'static str);

/// Why a list's answer does not count, whatever it is: the list failed a test before the run, or after this answer.
fn unhealthy(list: &List, health: Option<&Health>, listing: Option<&Listing>) -> Option<Distrust> {
    let zone = &list.shown;
    let off = Cause::ListUnhealthy.as_str();
    match health {
        Some(Health::Healthy) => {}
        Some(Health::Refused(code)) => return Some((Code::DnsblRefused, format!("{zone}={code}"), "refused")),
        Some(Health::Untrustworthy(why)) => {
            return Some((Code::DnsblZoneUnhealthy, format!("{zone}: {why}"), "unhealthy"));
        }
        Some(Health::Silent(cause)) => {
            return Some((Code::DnsblZoneUnhealthy, format!("{zone}: {cause}"), cause.as_str()));
        }
        None => return Some((Code::DnsblZoneUnhealthy, format!("{zone}: not tested"), "unhealthy")),
    }
    match listing {
        Some(listing) if listing.void => {
            Some((Code::DnsblZoneUnhealthy, format!("{zone}: failed its test after this answer"), off))
        }
        Some(Listing { codes: Observed::NotAsked(Cause::ListUnhealthy), .. }) => {
            Some((Code::DnsblZoneUnhealthy, format!("{zone}: failed its test earlier in the run"), off))
        }
        _ => None,
    }
}

/// What a list says of its listing, in brackets; empty when it says nothing.
fn said(listing: &Listing) -> String {
    let said = listing.reason.seen().and_then(|records| records.values.first());
    said.map_or_else(String::new, |text| format!(" ({text})"))
}

/// A listing in words: zone, codes, what the list says of it, where to look it up.
fn reason(list: &List, codes: &[Ipv4Addr], listing: Option<&Listing>) -> String {
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    let said = listing.map_or_else(String::new, said);
    let lookup = list.lookup.as_ref().map_or_else(String::new, |lookup| format!(", see {lookup}"));
    format!("{}={}{said}{lookup}", list.shown, codes.join(","))
}

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    let tally = &case.listings;
    for found in &tally.found {
        out.add(found.clone());
    }
    if !tally.asked {
        return out.missing(Rule::Unlisted, Cause::NotAsked);
    }
    let listed = tally.sum >= LISTED - EPSILON;
    if tally.sum > 0.0 {
        let code = if listed { Code::DnsblListed } else { Code::DnsblListedMinor };
        let mitigated = if tally.trusted && tally.sum < 1.5 { ", mitigated by an allow list" } else { "" };
        let detail = format!("weight {:.1}{mitigated}: {}", tally.sum, tally.reasons.join("; "));
        out.add(Found::of(code).detail(detail));
        stale(case, out);
    }
    let quorum = case.policy.quorum;
    // Who names the lists cannot be asked for more than those that serve the family weigh together.
    let wanted = f64::from(quorum.weight);
    let wanted = if quorum.core { wanted } else { wanted.min(tally.served) };
    let enough = tally.answered >= wanted - EPSILON;
    // Lists that weigh nothing say nothing of spam, and a quorum of nothing is reached by nobody's answer.
    let reached = enough && tally.answered > 0.0 && (tally.core || !quorum.core);
    if !listed && !reached {
        let detail = format!("weight {:.1} of {wanted:.1}", tally.answered);
        out.add(Found::of(Code::DnsblQuorumMissed).because(Cause::QuorumMissed).detail(detail));
    }
}

/// An earlier run found the address at fault and listed; now there is no fault any more, and it still is listed.
fn stale(case: &Case<'_>, out: &mut Findings) {
    let pass = |rule| out.verdict(rule) == Verdict::Pass;
    // Not applicable is what a profile makes of the reverse zone when it asks nothing of it.
    let mended = [Rule::Fqdn, Rule::Exists, Rule::Matches].into_iter().all(pass)
        && matches!(out.verdict(Rule::Reverse), Verdict::Pass | Verdict::Na);
    let before = case.policy.history.first(Fact::FaultyAndListed(case.host.address));
    if mended && before.is_some_and(|at| at < case.host.scanned_at) {
        out.add(Found::of(Code::DnsblStaleSuspect).detail(case.listings.counted.join(" ")));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::super::scene::{Scene, nxdomain, seen};
    use super::*;
    use crate::model::assessment::Assessment;
    use crate::model::words::Verdict;

    fn judged(scene: &Scene) -> Assessment {
        crate::judge::assess(scene.evidence.clone(), &scene.policy).rows.remove(0)
    }

    /// The findings about lists.
    fn codes(row: &Assessment) -> Vec<Code> {
        let about = |code: &Code| code.as_str().starts_with("dnsbl-") || *code == Code::RhsblListed;
        row.findings.iter().map(|finding| finding.code).filter(about).collect()
    }

    fn host(scene: &mut Scene) -> &mut Host {
        Arc::make_mut(&mut scene.evidence.routes[0].hosts[0])
    }

    fn hit(scene: &mut Scene, at: usize, code: [u8; 4]) {
        host(scene).listings[at].codes = seen(vec![code.into()]);
    }

    #[test]
    fn void_answers_are_neither_listings_nor_clearances() {
        let mut scene = Scene::good(50);
        hit(&mut scene, 1, [127, 0, 0, 2]);
        host(&mut scene).listings[1].void = true;
        let row = judged(&scene);
        assert_eq!(row.verdict(Rule::Unlisted), Verdict::Pass, "bl1 and bl3 are quorum enough");
        assert_eq!(codes(&row), [Code::DnsblZoneUnhealthy]);
        assert_eq!((&row.listed, &row.counted), (&Vec::new(), &Vec::new()));
        assert_eq!(row.lists_unknown, ["bl2.lab.test=list-unhealthy".into()]);
        host(&mut scene).listings[0].void = true;
        let row = judged(&scene);
        assert_eq!(row.unknown_why, [(Rule::Unlisted, Cause::QuorumMissed)]);
    }

    #[test]
    fn what_was_not_asked_any_more_is_named_with_its_cause() {
        let mut scene = Scene::good(51);
        for (at, cause) in [(1, Cause::ListUnhealthy), (2, Cause::BudgetSpent), (3, Cause::BudgetSpent)] {
            host(&mut scene).listings[at].codes = Observed::NotAsked(cause);
        }
        let row = judged(&scene);
        let named = ["bl2.lab.test=list-unhealthy", "bl3.lab.test=budget-spent", "pbl.lab.test=budget-spent"];
        assert_eq!(row.lists_unknown, named.map(Box::from));
        assert_eq!(codes(&row), [Code::DnsblQuorumMissed, Code::DnsblZoneUnhealthy]);
        assert_eq!(row.verdict(Rule::Unlisted), Verdict::Unknown);
    }

    #[test]
    fn named_lists_have_the_quorum_of_those_that_serve_the_family() {
        let mut scene = Scene::good(52);
        // bl3 of the scene knows no IPv6; without bl1 the others weigh 1.0 for IPv4 and 0.5 for IPv6.
        scene.policy.quorum.core = false;
        scene.policy.lists = scene.policy.lists.iter().skip(1).cloned().collect();
        host(&mut scene).listings.pop();
        assert_eq!(judged(&scene).verdict(Rule::Unlisted), Verdict::Pass);
        host(&mut scene).listings[1].codes = Observed::failed(Cause::Timeout);
        assert_eq!(judged(&scene).verdict(Rule::Unlisted), Verdict::Unknown, "0.5 of 1.0");
        host(&mut scene).address = "2001:db8:25::52".parse().unwrap();
        assert_eq!(judged(&scene).verdict(Rule::Unlisted), Verdict::Pass, "0.5 of 0.5");
        scene.policy.quorum.core = true;
        assert_eq!(judged(&scene).verdict(Rule::Unlisted), Verdict::Unknown, "the program's own choice needs 1.5");
    }

    #[test]
    fn trust_of_level_two_mitigates_a_sum_below_one_and_a_half() {
        let detail = |trust: u8, lists: &[usize]| {
            let mut scene = Scene::good(53);
            for at in lists {
                hit(&mut scene, *at, [127, 0, 0, 2]);
            }
            let rule = &mut Arc::make_mut(&mut scene.policy.lists)[4].codes[0];
            (rule.from, rule.to) = ([127, 0, 5, 0].into(), [127, 0, 5, 3].into());
            hit(&mut scene, 4, [127, 0, 5, trust]);
            let row = judged(&scene);
            let listed = row.findings.iter().find(|finding| finding.code == Code::DnsblListed).unwrap();
            (row.verdict(Rule::Unlisted), listed.detail.contains("mitigated"))
        };
        assert_eq!(detail(2, &[0]), (Verdict::Fail, true));
        assert_eq!(detail(1, &[0]), (Verdict::Fail, false), "low trust");
        assert_eq!(detail(3, &[0, 1]), (Verdict::Fail, false), "a sum of 1.5");
    }

    #[test]
    fn a_listed_domain_is_a_warning_with_its_bits_and_touches_no_verdict() {
        let row = judged(&Scene::with_domain(54, seen(vec![[127, 0, 0, 72].into()])));
        assert_eq!((row.verdict(Rule::Unlisted), codes(&row)), (Verdict::Pass, vec![Code::RhsblListed]));
        assert_eq!(&*row.findings[0].detail, "lab.test@rhs.lab.test=127.0.0.72 phishing+spam-source");
        assert_eq!(row.domains_listed, ["lab.test@rhs.lab.test=127.0.0.72".into()]);
        assert!(row.listed.is_empty() && row.counted.is_empty() && row.lists_unknown.is_empty());
        assert!(codes(&judged(&Scene::with_domain(54, nxdomain()))).is_empty());
    }

    #[test]
    fn a_list_of_domains_that_refuses_or_fails_is_named_and_costs_no_quorum() {
        for (codes_of, code, why) in [
            (seen(vec![[127, 255, 255, 254].into()]), Some(Code::DnsblRefused), "refused"),
            (seen(vec![[203, 0, 113, 80].into()]), Some(Code::DnsblAnswerInvalid), "invalid"),
            (Observed::NotAsked(Cause::ListUnhealthy), Some(Code::DnsblZoneUnhealthy), "list-unhealthy"),
            (Observed::failed(Cause::Timeout), None, "timeout"),
        ] {
            let row = judged(&Scene::with_domain(54, codes_of));
            assert_eq!(row.verdict(Rule::Unlisted), Verdict::Pass, "{why}");
            assert_eq!(codes(&row), code.into_iter().collect::<Vec<_>>(), "{why}");
            assert_eq!(row.lists_unknown, [format!("rhs.lab.test={why}").into()]);
            assert!(row.domains_listed.is_empty());
        }
    }

    #[test]
    fn lists_of_domains_alone_say_nothing_of_the_address() {
        let mut scene = Scene::with_domain(54, seen(vec![[127, 0, 0, 8].into()]));
        let lists: Vec<List> = scene.policy.lists.last().cloned().into_iter().collect();
        scene.policy.lists = lists.into();
        scene.policy.health.truncate(1);
        scene.policy.quorum.core = false;
        host(&mut scene).listings.clear();
        host(&mut scene).domains[0].listing.list = 0;
        let row = judged(&scene);
        assert_eq!(row.unknown_why, [(Rule::Unlisted, Cause::NotAsked)]);
        assert_eq!(codes(&row), [Code::RhsblListed]);
    }
}
