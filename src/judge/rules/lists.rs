//! R5: the address is on no blocklist that counts.
//! Comes in: what each list answered, its health, its table of codes. Goes out: dnsbl-* findings and the quorum.
//! An answer counts only from a healthy list; a refusal or a strange answer is never a listing.

use std::net::Ipv4Addr;

use super::super::case::Case;
use super::super::findings::{Findings, Found};
use super::super::policy::Policy;
use crate::model::dnsbl::{Health, List, ListClass, Listing};
use crate::model::evidence::Host;
use crate::model::finding::Code;
use crate::model::history::Fact;
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
    /// On a policy list.
    pub(in super::super) policy: bool,
    /// Why a policy list that was asked gave no usable answer.
    pub(in super::super) policy_unknown: Option<Cause>,
    found: Vec<Found>,
    reasons: Vec<String>,
    sum: f64,
    answered: f64,
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
    pub(in super::super) fn of(policy: &Policy, host: &Host) -> Self {
        let mut tally = Self::default();
        for (at, list) in policy.lists.iter().enumerate() {
            // A list without this family says nothing of the address, and is not missed.
            if !(if host.address.to_canonical().is_ipv6() { list.ipv6 } else { list.ipv4 }) {
                continue;
            }
            let listing = host.listings.iter().find(|listing| usize::from(listing.list) == at);
            tally.list(list, policy.health.get(at), listing);
        }
        tally
    }

    fn list(&mut self, list: &List, health: Option<&Health>, listing: Option<&Listing>) {
        let answer = listing.map_or(&Observed::NotAsked(Cause::NotAsked), |listing| &listing.codes);
        self.asked |= !matches!(answer, Observed::NotAsked(Cause::NotAsked));
        let answered = match answer {
            Observed::Seen(records) => self.codes(list, &records.values),
            Observed::Absent(absence) if absence.how == Denial::AliasLoop => Answered::Nothing("invalid"),
            Observed::Absent(_) => Answered::No,
            Observed::Failed(failure) => Answered::Nothing(failure.cause.as_str()),
            Observed::NotAsked(cause) => Answered::Nothing(cause.as_str()),
        };
        let unhealthy = match health {
            Some(Health::Healthy) => None,
            Some(Health::Refused(code)) => Some((Code::DnsblRefused, format!("{}={code}", list.shown), "refused")),
            Some(Health::Untrustworthy(why)) => {
                Some((Code::DnsblZoneUnhealthy, format!("{}: {why}", list.shown), "unhealthy"))
            }
            Some(Health::Silent(cause)) => {
                Some((Code::DnsblZoneUnhealthy, format!("{}: {cause}", list.shown), cause.as_str()))
            }
            None => Some((Code::DnsblZoneUnhealthy, format!("{}: not tested", list.shown), "unhealthy")),
        };
        if list.codes.iter().any(|rule| rule.class == ListClass::Policy) {
            self.policy_unknown = self.policy_unknown.or(match (&unhealthy, &answered, answer) {
                (_, _, Observed::NotAsked(_)) => None,
                (_, _, Observed::Failed(failure)) => Some(failure.cause),
                (Some(_), ..) | (_, Answered::Nothing(_), _) => Some(Cause::QuorumMissed),
                (None, Answered::No | Answered::Codes(_), _) => None,
            });
        }
        match (unhealthy, answered) {
            (Some((code, detail, why)), _) => {
                self.found.push(Found::of(code).detail(detail));
                self.unknown.push(format!("{}={why}", list.shown).into());
            }
            (None, Answered::Nothing(why)) => self.unknown.push(format!("{}={why}", list.shown).into()),
            (None, Answered::No) => self.heard(list),
            (None, Answered::Codes(codes)) => {
                self.heard(list);
                self.weigh(list, codes, listing);
            }
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

/// A listing in words: zone, codes, what the list says of it, where to look it up.
fn reason(list: &List, codes: &[Ipv4Addr], listing: Option<&Listing>) -> String {
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    let said = listing.and_then(|listing| listing.reason.seen()).and_then(|records| records.values.first());
    let said = said.map_or_else(String::new, |text| format!(" ({text})"));
    let lookup = list.lookup.as_ref().map_or_else(String::new, |lookup| format!(", see {lookup}"));
    format!("{}={}{said}{lookup}", list.shown, codes.join(","))
}

pub(in super::super) fn judge(case: &Case<'_>, out: &mut Findings) {
    let tally = &case.listings;
    if !tally.asked {
        return out.missing(Rule::Unlisted, Cause::NotAsked);
    }
    for found in &tally.found {
        out.add(found.clone());
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
    let enough = tally.answered >= f64::from(quorum.weight) - EPSILON;
    // Lists that weigh nothing say nothing of spam, and a quorum of nothing is reached by nobody's answer.
    let reached = enough && tally.answered > 0.0 && (tally.core || !quorum.core);
    if !listed && !reached {
        let detail = format!("weight {:.1} of {:.1}", tally.answered, quorum.weight);
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
