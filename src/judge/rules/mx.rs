//! MX: the domain's mail exchanger data is sane (RFC 5321 §5.1).
//! Comes in: all evidence of a domain. Goes out: mx-* findings, each of the domain or of one exchange.
//! The verdict is the domain's, the same in all its rows; a finding about an exchange stands in that exchange's rows.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::case::Tld;
use super::super::findings::{Findings, Found};
use super::super::policy::Policy;
use super::AGAIN_MS;
use super::reach::Reach;
use crate::model::address::Special;
use crate::model::dns::{Addresses, Answer, Mx};
use crate::model::evidence::{DnsOutcome, Earlier, Evidence, Exchange, is_address_text};
use crate::model::finding::Code;
use crate::model::history::Fact;
use crate::model::name::Name;
use crate::model::observed::{Denial, Observed};
use crate::model::target::Subject;
use crate::model::words::{Cause, ConnectStatus, IntroductionClass, MxStatus, Rule, TargetKind};

/// More exchanges or addresses than any sender tries.
const MANY_EXCHANGES: usize = 10;
const MANY_ADDRESSES: usize = 20;

/// Something about a domain's MX data, and the exchange it is about.
#[derive(Debug)]
pub(in super::super) struct Placed {
    /// The route; None when it is about the domain.
    route: Option<usize>,
    what: What,
}

#[derive(Debug)]
enum What {
    Found(Found),
    Missing(Cause),
}

/// The part of a domain's findings that belongs into one row, and the verdict of all.
pub(in super::super) fn judge(evidence: &Evidence, domain: &[Placed], route: Option<usize>, out: &mut Findings) {
    if evidence.target.kind() != TargetKind::Domain {
        return out.na(Rule::Mx, Cause::NotADomain);
    }
    for placed in domain {
        match &placed.what {
            What::Missing(cause) => out.missing(Rule::Mx, *cause),
            What::Found(found) if placed.route.is_none() || placed.route == route => out.add(found.clone()),
            What::Found(found) => out.affect(found),
        }
    }
}

/// Everything about a domain's MX data; empty for other targets.
pub(in super::super) fn findings(evidence: &Evidence, policy: &Policy) -> Vec<Placed> {
    if evidence.target.kind() != TargetKind::Domain {
        return Vec::new();
    }
    let mut domain = Domain { evidence, policy, placed: Vec::new() };
    domain.judge();
    domain.placed
}

struct Domain<'a> {
    evidence: &'a Evidence,
    policy: &'a Policy,
    placed: Vec<Placed>,
}

impl<'a> Domain<'a> {
    fn add(&mut self, route: Option<usize>, found: Found) {
        self.placed.push(Placed { route, what: What::Found(found) });
    }

    fn missing(&mut self, cause: Cause) {
        self.placed.push(Placed { route: None, what: What::Missing(cause) });
    }

    fn domain(&self) -> &'a str {
        match &self.evidence.target.subject {
            Subject::Domain(domain) => domain.as_str(),
            Subject::Address(_) | Subject::Observed { .. } => "",
        }
    }

    fn exchanges(&self) -> impl Iterator<Item = &'a Exchange> + use<'a> {
        let evidence = self.evidence;
        evidence.routes.iter().filter_map(|route| route.exchange.as_deref())
    }

    fn judge(&mut self) {
        let evidence = self.evidence;
        match &evidence.mx {
            None => self.missing(Cause::NotAsked),
            Some(Observed::NotAsked(Cause::Excluded)) => {}
            Some(Observed::NotAsked(cause)) => self.missing(*cause),
            Some(Observed::Failed(failure)) => {
                self.add(None, Found::of(Code::MxDnsFailure).because(failure.cause).detail(failure.cause.as_str()));
            }
            Some(Observed::Absent(absence)) => {
                if let Some(target) = absence.aliases.last() {
                    self.add(None, Found::of(Code::MxDomainIsCname).detail(target.as_str()));
                }
                match absence.how {
                    Denial::Nxdomain => self.add(None, Found::of(Code::MxNxdomain).detail(self.domain())),
                    // Senders' resolvers answer a loop with a failure.
                    Denial::AliasLoop => {
                        let found = Found::of(Code::MxDnsFailure).because(Cause::Malformed);
                        self.add(None, found.detail("the domain is an alias that loops"));
                    }
                    Denial::Nodata => self.implicit(),
                }
            }
            Some(Observed::Seen(records)) => {
                if let Some(target) = records.aliases.last() {
                    self.add(None, Found::of(Code::MxDomainIsCname).detail(target.as_str()));
                }
                if records.values.is_empty() { self.implicit() } else { self.explicit(&records.values) }
            }
        }
    }

    /// No MX record: the domain is its own exchange if it has an address.
    fn implicit(&mut self) {
        match self.evidence.mx_status() {
            MxStatus::Implicit => {
                self.add(None, Found::of(Code::MxImplicit).detail(self.domain()));
                for (at, route) in self.evidence.routes.iter().enumerate() {
                    if let Some(exchange) = &route.exchange {
                        self.addresses(at, exchange);
                    }
                }
                self.reachability();
                self.families();
            }
            MxStatus::None => {
                self.add(None, Found::of(Code::MxNone).because(Cause::NoMailDomain).detail(self.domain()));
            }
            _ => {
                let unknown = self.exchanges().find_map(|exchange| unknown(&exchange.addresses));
                let (cause, asked) = unknown.unwrap_or((Cause::NotAsked, false));
                if asked {
                    self.add(None, Found::of(Code::MxDnsFailure).because(cause).detail(cause.as_str()));
                } else if cause != Cause::Excluded {
                    self.missing(cause);
                }
            }
        }
    }

    fn explicit(&mut self, records: &[Mx]) {
        let roots: Vec<&Mx> = records.iter().filter(|mx| mx.exchange.is_root()).collect();
        if let [root, ..] = roots.as_slice() {
            let code = if records.len() == 1 { Code::MxNull } else { Code::MxNullPlusOthers };
            self.add(None, Found::of(code).because(Cause::NullMx).detail(listed(records)));
            if root.preference != 0 {
                self.add(None, Found::of(Code::MxNullNonzero).detail(format!("MX {} .", root.preference)));
            }
        }
        let names: BTreeSet<&Name> = records.iter().map(|mx| &mx.exchange).filter(|name| !name.is_root()).collect();
        if names.len() + roots.len() < records.len() {
            self.add(None, Found::of(Code::MxDuplicate).detail(listed(records)));
        }
        let addresses: BTreeSet<IpAddr> = self.exchanges().flat_map(|exchange| exchange.addresses.all()).collect();
        if names.len() > MANY_EXCHANGES || addresses.len() > MANY_ADDRESSES || self.evidence.capped {
            let detail = format!("{} exchanges, {} addresses looked at", names.len(), addresses.len());
            self.add(None, Found::of(Code::MxTooMany).detail(detail));
        }
        let resolved = self.exchanges().all(|exchange| unknown(&exchange.addresses).is_none());
        let served = self.exchanges().filter(|exchange| exchange.addresses.all().next().is_some());
        let served: BTreeSet<&Name> = served.map(|exchange| &exchange.name).collect();
        if served.len() > 1 && addresses.len() == 1 && resolved {
            let address = addresses.first().map_or_else(String::new, ToString::to_string);
            self.add(None, Found::of(Code::MxSingleIp).detail(format!("{} exchanges at {address}", served.len())));
        }
        for (at, route) in self.evidence.routes.iter().enumerate() {
            if let Some(exchange) = route.exchange.as_ref().filter(|exchange| !exchange.name.is_root()) {
                self.exchange(at, exchange);
            }
        }
        self.reachability();
        self.families();
    }

    /// One exchange that an MX record names.
    fn exchange(&mut self, at: usize, exchange: &Exchange) {
        let name = exchange.name.as_str();
        if is_address_text(&exchange.name) {
            return self.add(Some(at), Found::of(Code::MxIsIpLiteral).detail(name));
        }
        let (class, flags) = self.policy.naming.classify(name.as_bytes());
        match class {
            // Neither makes a name unfit to be looked up and connected to.
            IntroductionClass::Fqdn | IntroductionClass::ReservedLdh => {}
            IntroductionClass::PublicSuffix if flags.private_suffix => {}
            IntroductionClass::UnknownTld if Tld::of_both(&exchange.name, &exchange.addresses) != Tld::Absent => {}
            IntroductionClass::Localhost if is_localhost(name) => {
                self.add(Some(at), Found::of(Code::MxLoopbackAddress).detail(name));
            }
            class => self.add(Some(at), Found::of(Code::MxBadName).detail(format!("{name}: {class}"))),
        }
        if let Some(target) = alias(&exchange.addresses) {
            self.add(Some(at), Found::of(Code::MxIsCname).detail(format!("{name} -> {target}")));
        }
        let is = |denial| {
            let wanted = DnsOutcome::Denied(denial);
            DnsOutcome::of(&exchange.addresses.v4) == wanted || DnsOutcome::of(&exchange.addresses.v6) == wanted
        };
        if exchange.addresses.all().next().is_some() {
            self.addresses(at, exchange);
        } else if is(Denial::Nxdomain) {
            self.add(Some(at), Found::of(Code::MxTargetNxdomain).detail(name));
            let gone = exchange.organisation.absent().filter(|absence| absence.how == Denial::Nxdomain);
            // Where the top-level domain is not there, or never will be, nobody can register anything.
            let open = !matches!(class, IntroductionClass::SpecialUse | IntroductionClass::PrivateTld);
            if open && gone.is_some_and(|absence| absence.zone.as_ref().is_none_or(|zone| !zone.is_root())) {
                self.add(Some(at), Found::of(Code::MxDangling).detail(name));
            }
        } else if let Some((cause, asked)) = unknown(&exchange.addresses) {
            if asked {
                let found = Found::of(Code::MxTargetDnsFailure).because(cause);
                self.add(Some(at), found.detail(format!("{name}: {cause}")));
            } else if cause != Cause::Excluded {
                self.missing(cause);
            }
        } else {
            self.add(Some(at), Found::of(Code::MxTargetNodata).detail(name));
        }
    }

    /// What the addresses of one exchange are good for.
    fn addresses(&mut self, at: usize, exchange: &Exchange) {
        let kinds: Vec<Option<Special>> =
            exchange.addresses.all().map(|address| self.policy.allowed.special(address)).collect();
        let shown: Vec<String> = exchange.addresses.all().take(4).map(|address| address.to_string()).collect();
        let found = |code| Found::of(code).detail(format!("{}: {}", exchange.name, shown.join(" ")));
        let special = kinds.iter().flatten().count();
        if kinds.iter().flatten().any(|kind| matches!(kind, Special::Loopback | Special::Unspecified)) {
            self.add(Some(at), found(Code::MxLoopbackAddress));
        } else if special == 0 {
            return;
        } else if let Some((cause, asked)) = unknown(&exchange.addresses).filter(|_| special == kinds.len()) {
            // The other family may hold a public address.
            if asked {
                let detail = format!("{}: {cause}", exchange.name);
                self.add(Some(at), Found::of(Code::MxTargetDnsFailure).because(cause).detail(detail));
            } else {
                self.missing(cause);
            }
        } else if kinds.iter().all(|kind| kind.is_some_and(Special::is_private)) {
            self.add(Some(at), found(Code::MxPrivateAddress));
        } else if special == kinds.len() {
            self.add(Some(at), found(Code::MxSpecialAddress));
        }
        if special < kinds.len() {
            self.add(Some(at), found(Code::MxMixedSpecial));
        }
    }

    /// Which exchanges accept connections.
    fn reachability(&mut self) {
        let routes = &self.evidence.routes;
        let all = Reach::of(routes.iter());
        if all.is_dead() {
            let cause = all.cause.unwrap_or(Cause::ConnectTimeout);
            if self.evidence.capped {
                return self.missing(Cause::NotAsked);
            }
            let found = Found::of(Code::MxAllUnreachable).form(usize::from(self.was_unreachable()));
            return self.add(None, found.because(cause).detail(cause.as_str()));
        }
        if !all.open {
            // All that is known of them is dead, and what is not known may be alive.
            if let (Some(_), Some(cause)) = (all.cause, all.unresolved) {
                self.missing(cause);
            }
            return;
        }
        let first = routes.iter().filter_map(|route| route.preference).min();
        if Reach::of(routes.iter().filter(|route| route.preference == first)).is_dead() {
            let dead =
                routes.iter().filter(|route| route.preference == first).filter_map(|route| route.exchange.as_ref());
            let dead: Vec<&str> = dead.map(|exchange| exchange.name.as_str()).collect();
            self.add(None, Found::of(Code::MxPrimaryUnreachable).detail(dead.join(" ")));
        }
        for (at, route) in routes.iter().enumerate() {
            if route.preference > first && Reach::of(std::iter::once(route)).is_dead() {
                let name = route.exchange.as_ref().map_or("", |exchange| exchange.name.as_str());
                self.add(Some(at), Found::of(Code::MxBackupUnreachable).detail(name));
            }
        }
    }

    /// Whether an earlier run, or an earlier pass of this one, could not reach any exchange either, a while before.
    fn was_unreachable(&self) -> bool {
        let before = |at: i64| at.saturating_add(AGAIN_MS) <= self.evidence.scanned_at;
        let dead = |earlier: &Earlier| {
            let dead = [ConnectStatus::Timeout, ConnectStatus::Refused, ConnectStatus::Unreachable];
            dead.contains(&earlier.connect) && before(earlier.scanned_at)
        };
        let mut hosts =
            self.evidence.routes.iter().flat_map(|route| &route.hosts).filter(|host| host.special.is_none());
        if hosts.all(|host| host.earlier.iter().any(dead)) {
            return true;
        }
        let Subject::Domain(domain) = &self.evidence.target.subject else { return false };
        let first = self.policy.history.first(Fact::AllUnreachable(domain));
        first.is_some_and(before)
    }

    /// Which address families the exchanges have, where all answers are facts.
    fn families(&mut self) {
        let known = |v4: bool| {
            let answers =
                self.exchanges().filter(|exchange| !exchange.name.is_root() && !is_address_text(&exchange.name));
            answers
                .map(move |exchange| if v4 { family(&exchange.addresses.v4) } else { family(&exchange.addresses.v6) })
        };
        let none = |v4| known(v4).all(|family| family == Some(false));
        let some = |v4| known(v4).any(|family| family == Some(true));
        let (only_v6, only_v4) = (none(true) && some(false), none(false) && some(true));
        let code = match (only_v6, only_v4) {
            (true, _) => Code::MxIpv6Only,
            (_, true) => Code::MxNoIpv6,
            _ => return,
        };
        let names: Vec<&str> = self.exchanges().take(4).map(|exchange| exchange.name.as_str()).collect();
        self.add(None, Found::of(code).detail(names.join(" ")));
    }
}

/// MX records in the form of a zone file, as many as a person reads.
fn listed(records: &[Mx]) -> String {
    let shown = records.iter().take(6).map(|mx| {
        let exchange = if mx.exchange.is_root() { "." } else { mx.exchange.as_str() };
        format!("MX {} {exchange}", mx.preference)
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether there are addresses of a family; None when it is not known.
fn family<T>(answer: &Answer<T>) -> Option<bool> {
    answer.unknown().is_none().then(|| DnsOutcome::of(answer) == DnsOutcome::Ok)
}

/// Why an address question of an exchange has no answer, and whether it was asked.
fn unknown(addresses: &Addresses) -> Option<(Cause, bool)> {
    fn of<T>(answer: &Answer<T>) -> Option<(Cause, bool)> {
        answer.unknown().map(|cause| (cause, matches!(answer, Observed::Failed(_))))
    }
    let both = [of(&addresses.v4), of(&addresses.v6)];
    both.into_iter().flatten().max_by_key(|(_, asked)| *asked)
}

/// Whether a name means the loopback address wherever it is asked for (RFC 6761 §6.3), or by a hosts file's custom.
fn is_localhost(name: &str) -> bool {
    matches!(name, "localhost" | "localhost.localdomain") || name.ends_with(".localhost")
}

/// The last alias on the way to an exchange's addresses, or to their denial.
fn alias(addresses: &Addresses) -> Option<&Name> {
    fn of<T>(answer: &Answer<T>) -> Option<&Name> {
        match answer {
            Observed::Seen(records) => records.aliases.last(),
            Observed::Absent(absence) => absence.aliases.last(),
            Observed::Failed(_) | Observed::NotAsked(_) => None,
        }
    }
    of(&addresses.v4).or_else(|| of(&addresses.v6))
}
