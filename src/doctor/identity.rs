//! Who this machine is to the servers that it greets.
//! Comes in: its addresses, its names and what DNS and the blocklists say of them. Goes out: checks.
//! Pure. Servers ask the same of us that a scan asks of them: who does not pass here is turned away there, and the rows show it.

use std::net::IpAddr;
use std::sync::Arc;

use super::Check;
use crate::judge::generic;
use crate::model::address::Special;
use crate::model::dns::{Addresses, Answer};
use crate::model::dnsbl::{Health, List, Listing};
use crate::model::introduction::Naming;
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::smtp::Session;
use crate::model::words::{Cause, ConnectStatus, IntroductionClass, PtrClass, SmtpStatus};

/// All that was gathered of who we are.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) owns: Vec<Own>,
    pub(super) helo: Helo,
    /// What the lists said of the addresses.
    pub(super) lists: Option<Lists>,
    pub(super) peer: Peered,
    pub(super) naming: Naming,
}

/// One address of ours, or why a family has none.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// `IPv4` or `IPv6`.
    pub(super) family: &'static str,
    /// None without a route.
    pub(super) address: Option<IpAddr>,
    /// What others cannot see it for.
    pub(super) special: Option<Special>,
    pub(super) ptr: Answer<Name>,
    /// The addresses of each reverse name.
    pub(super) forward: Vec<(Name, Addresses)>,
}

impl Own {
    /// The address, where others see it.
    pub(super) fn public(&self) -> Option<IpAddr> {
        self.address.filter(|_| self.special.is_none())
    }
}

/// The name we greet with.
#[derive(Debug, Clone)]
pub(super) struct Helo {
    pub(super) name: String,
    pub(super) class: IntroductionClass,
    /// None where the class is none to ask for.
    pub(super) addresses: Option<Addresses>,
    pub(super) text: Answer<Box<str>>,
}

/// The lists, and what they said of each public address.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    pub(super) served: Arc<[List]>,
    pub(super) health: Vec<Health>,
    pub(super) said: Vec<(IpAddr, Vec<Listing>)>,
}

/// What became of the one server that may be dialled.
#[derive(Debug)]
pub(super) enum Peered {
    /// None was named.
    NotAsked,
    /// Nothing was sent, for this reason.
    Unmade(Cause, String),
    /// It was dialled.
    Called(String, Box<Session>),
}

pub(super) fn of(identity: &Identity) -> Vec<Check> {
    let Identity { owns, helo, lists, peer, naming } = identity;
    let is_alone = owns.iter().all(|own| own.address.is_none());
    let mut checks = Vec::new();
    for own in owns {
        checks.push(address(own, is_alone));
        checks.extend(reverse(own, *naming));
    }
    checks.extend(greeting(helo, owns));
    match lists {
        Some(lists) => checks.extend(listings(lists)),
        None => checks.push(Check::unknown(
            "listings",
            Cause::NotAsked,
            "no blocklist was asked",
            "leave --no-dnsbl out, and name a resolver that answers",
        )),
    }
    checks.push(port25(peer));
    checks
}

fn address(own: &Own, is_alone: bool) -> Check {
    const CHECK: &str = "own-address";
    let family = own.family;
    match (own.address, own.special) {
        (None, _) if is_alone => {
            let advice = "connect this machine to the Internet";
            Check::fault(CHECK, format!("{family}: no route to the Internet"), advice)
        }
        (None, _) => {
            let only = if family == "IPv6" { "--ipv4-only" } else { "--ipv6-only" };
            let advice = format!("scan with {only}, or from a machine with {family}: its servers are not contacted");
            Check::warning(CHECK, format!("{family}: no route to the Internet"), advice)
        }
        (Some(address), Some(special)) => Check::unknown(
            CHECK,
            Cause::SpecialAddress,
            format!("{family}: {address} ({special}); others see another one"),
            "name the address that others see with --address",
        ),
        (Some(address), None) => Check::ok(CHECK, format!("{family}: {address}")),
    }
}

/// The reverse name of an address that others see, its confirmation and its class.
pub(super) fn reverse(own: &Own, naming: Naming) -> Vec<Check> {
    const CHECK: &str = "ptr";
    let Some(address) = own.public() else { return Vec::new() };
    let names = match &own.ptr {
        Observed::Seen(records) if !records.values.is_empty() => &records.values,
        Observed::Failed(_) | Observed::NotAsked(_) => {
            let cause = own.ptr.unknown().unwrap_or(Cause::NotAsked);
            let evidence = format!("the reverse name of {address} could not be found out");
            return vec![Check::unknown(CHECK, cause, evidence, "ask again, or another resolver")];
        }
        _ => {
            let advice = format!("have whoever gave you {address} enter the name you greet with as its PTR record");
            return vec![Check::fault(CHECK, format!("{address} has no reverse name"), advice)];
        }
    };
    let shown = names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
    let mut checks = vec![Check::ok(CHECK, format!("{address} is {shown}")), confirmed(own, address)];
    let classes = names.iter().map(|name| generic::classify(name, address, naming).class);
    let class = classes.min_by_key(|class| match class {
        PtrClass::GenericDynamic => 2,
        PtrClass::GenericStatic => 1,
        _ => 0,
    });
    checks.push(match class {
        Some(class @ (PtrClass::GenericStatic | PtrClass::GenericDynamic)) => Check::warning(
            "ptr-class",
            format!("{shown} looks made by a template ({class})"),
            "have a name of your own entered: many servers turn away what looks like an access line",
        ),
        _ => Check::ok("ptr-class", format!("{shown} is a name somebody has chosen")),
    });
    checks
}

fn confirmed(own: &Own, address: IpAddr) -> Check {
    const CHECK: &str = "ptr-confirmed";
    if let Some((name, _)) = own.forward.iter().find(|(_, addresses)| addresses.all().any(|other| other == address)) {
        return Check::ok(CHECK, format!("{name} has the address {address}"));
    }
    let open = own.forward.iter().find_map(|(name, addresses)| Some((name, unknown(addresses)?)));
    if let Some((name, cause)) = open {
        let evidence = format!("the addresses of {name} could not be found out");
        return Check::unknown(CHECK, cause, evidence, "ask again, or another resolver");
    }
    let advice = format!("give the reverse name an A or AAAA record with {address}");
    Check::fault(CHECK, format!("no reverse name of {address} has that address"), advice)
}

/// Why one family of a name is not known; what was not asked for on purpose is no reason.
fn unknown(addresses: &Addresses) -> Option<Cause> {
    addresses.v4.unknown().or_else(|| addresses.v6.unknown())
}

/// Whether a scan would greet with a name of this class at all.
pub(super) fn class(helo: &str, class: IntroductionClass) -> Check {
    const CHECK: &str = "ehlo-name";
    let advice = "give this machine a full name in public DNS, or name one with --helo";
    match class {
        IntroductionClass::Fqdn => Check::ok(CHECK, format!("{helo} is a full name")),
        IntroductionClass::SpecialUse | IntroductionClass::ExampleDomain => {
            Check::warning(CHECK, format!("{helo} is no public name ({class})"), advice)
        }
        _ => Check::fault(CHECK, format!("{helo:?} is no full name ({class})"), advice),
    }
}

fn greeting(helo: &Helo, owns: &[Own]) -> Vec<Check> {
    const EXISTS: &str = "ehlo-exists";
    let name = &helo.name;
    let mut checks = vec![class(name, helo.class)];
    let Some(addresses) = &helo.addresses else { return checks };
    let theirs: Vec<IpAddr> = addresses.all().collect();
    let again = "ask again, or another resolver";
    checks.push(match unknown(addresses) {
        _ if !theirs.is_empty() => {
            let shown = theirs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Check::ok(EXISTS, format!("{name} has {shown}"))
        }
        Some(cause) => Check::unknown(EXISTS, cause, format!("the addresses of {name} could not be found out"), again),
        None => {
            let advice = "give it an A or AAAA record: servers may refuse a name that does not exist";
            Check::fault(EXISTS, format!("{name} has no address"), advice)
        }
    });
    let ours = owns.iter().filter_map(Own::public).filter(|_| !theirs.is_empty());
    checks.extend(ours.map(|address| {
        const CHECK: &str = "ehlo-address";
        let answer_is_known = if address.is_ipv4() { addresses.v4.unknown() } else { addresses.v6.unknown() };
        match answer_is_known {
            _ if theirs.contains(&address) => Check::ok(CHECK, format!("{name} has our address {address}")),
            Some(cause) => Check::unknown(CHECK, cause, format!("not known whether {name} has {address}"), again),
            None => Check::warning(
                CHECK,
                format!("{name} does not have our address {address}"),
                format!("add a record with {address} to {name}, or dial the other family only"),
            ),
        }
    }));
    checks.push(spf(helo));
    checks
}

/// Only that it is there, and how it ends: nothing is sent in this name, and that is what it may say.
fn spf(helo: &Helo) -> Check {
    const CHECK: &str = "ehlo-spf";
    let name = &helo.name;
    let is_spf = |text: &str| {
        let lower = text.to_ascii_lowercase();
        lower == "v=spf1" || lower.starts_with("v=spf1 ")
    };
    let texts = match &helo.text {
        Observed::Failed(_) | Observed::NotAsked(_) => {
            let cause = helo.text.unknown().unwrap_or(Cause::NotAsked);
            let evidence = format!("the TXT records of {name} could not be found out");
            return Check::unknown(CHECK, cause, evidence, "ask again, or another resolver");
        }
        Observed::Absent(_) => &[][..],
        Observed::Seen(records) => &records.values[..],
    };
    let advice =
        format!("publish `v=spf1 a -all` at {name}: RFC 7208 §2.3 has receivers check the name of the greeting too");
    let policies: Vec<_> = texts.iter().filter(|text| is_spf(text)).collect();
    match &policies[..] {
        [] => Check::warning(CHECK, format!("{name} has no SPF record"), advice),
        [policy] => {
            let last = policy.split_whitespace().next_back().unwrap_or_default();
            let lower = last.to_ascii_lowercase();
            let evidence = format!("the SPF record of {name} ends in {last}");
            if matches!(&*lower, "-all" | "~all") || lower.starts_with("redirect=") {
                Check::ok(CHECK, evidence)
            } else {
                Check::warning(CHECK, evidence, "end it in -all, or ~all: so it says nothing of anybody else")
            }
        }
        more => Check::warning(CHECK, format!("{name} has {} SPF records, which is an error", more.len()), advice),
    }
}

/// How the lists take us, and whether they have us.
fn listings(lists: &Lists) -> Vec<Check> {
    const CHECK: &str = "listings";
    let healthy = |listing: &Listing| lists.health.get(usize::from(listing.list)) == Some(&Health::Healthy);
    let mut checks: Vec<Check> = Vec::new();
    for (address, said) in &lists.said {
        let (mut bad, mut minor, mut answered) = (Vec::new(), Vec::new(), 0_u32);
        for listing in said.iter().filter(|listing| healthy(listing)) {
            let Some(list) = lists.served.get(usize::from(listing.list)) else { continue };
            answered += u32::from(listing.codes.unknown().is_none());
            let codes = listing.codes.seen().into_iter().flat_map(|records| records.values.iter().copied());
            for (code, rule) in codes.filter_map(|code| Some((code, list.meaning(code)?))) {
                let shown = format!("{} ({code}, {})", list.shown, rule.class);
                if rule.class.counts() {
                    bad.push(shown);
                } else if rule.weight > 0.0 || !is_harmless(rule.class) {
                    minor.push(shown);
                }
            }
        }
        let advice = "look it up there, mend the reason and have it removed: `mxcensus lists` names the pages";
        checks.push(match (&bad[..], &minor[..], answered) {
            ([], [], 0) => Check::unknown(
                CHECK,
                Cause::ListUnhealthy,
                format!("no blocklist answers for {address}"),
                "use a resolver of your own, or name lists that you may use with --dnsbl",
            ),
            ([], [], _) => Check::ok(CHECK, format!("{address} is on none of the {answered} blocklists that answered")),
            ([], some, _) => Check::warning(CHECK, format!("{address} is on {}", some.join(", ")), advice),
            (some, _, _) => Check::fault(CHECK, format!("{address} is on {}", some.join(", ")), advice),
        });
    }
    if lists.said.is_empty() {
        let advice = "name the address that others see with --address";
        checks.push(Check::unknown(CHECK, Cause::NoAddress, "no public address of ours is known", advice));
    }
    checks
}

/// What stands on a list to our good, or is no listing.
const fn is_harmless(class: crate::model::dnsbl::ListClass) -> bool {
    use crate::model::dnsbl::ListClass::{Allow, Refusal, Reputation};
    matches!(class, Allow | Refusal | Reputation)
}

fn port25(peer: &Peered) -> Check {
    const CHECK: &str = "port25";
    match peer {
        Peered::NotAsked => {
            Check::unknown(CHECK, Cause::NotAsked, "nobody was dialled", "name a mail server of your own with --port25")
        }
        Peered::Unmade(cause, why) => Check::unknown(CHECK, *cause, why.clone(), "name another with --port25"),
        Peered::Called(whom, session) => match (session.connect, session.status) {
            (ConnectStatus::Open, SmtpStatus::Ok) => Check::ok(CHECK, format!("{whom} takes our greeting")),
            (ConnectStatus::Open, status) => Check::warning(
                CHECK,
                format!("{whom} is reached, and the session ends with {status}"),
                "see that server's log: what it has against us others may have too",
            ),
            (ConnectStatus::Refused | ConnectStatus::Reset, _) => Check::warning(
                CHECK,
                format!("{whom} is reached and takes no connection"),
                "name a mail server that does with --port25",
            ),
            (ConnectStatus::Timeout | ConnectStatus::Unreachable, _) => Check::fault(
                CHECK,
                format!("no connection to {whom} gets out ({})", session.connect),
                "if that server is up, have the network's operator open port 25, or scan from elsewhere",
            ),
            (status, _) => {
                let cause = session.cause.unwrap_or(Cause::SelfFault);
                Check::unknown(CHECK, cause, format!("{whom} was not reached ({status})"), "mend what keeps us from it")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::model::dns::Records;
    use crate::model::dnsbl::{CodeRule, ListClass};
    use crate::model::observed::{Absence, Denial};

    const OURS: &str = "192.0.2.5";

    fn seen<T>(values: Vec<T>) -> Answer<T> {
        Observed::Seen(Records { values, aliases: Vec::new(), ttl: 60, authentic: false })
    }

    fn absent<T>() -> Answer<T> {
        Observed::Absent(Absence { how: Denial::Nxdomain, zone: None, aliases: Vec::new() })
    }

    fn name(text: &str) -> Name {
        Name::trusted(text.to_owned())
    }

    fn at(address: &str) -> Addresses {
        Addresses { v4: seen(vec![address.parse().unwrap()]), v6: absent() }
    }

    fn own(ptr: Answer<Name>, forward: Vec<(Name, Addresses)>) -> Own {
        Own { family: "IPv4", address: Some(OURS.parse().unwrap()), special: None, ptr, forward }
    }

    fn named(text: &str, address: &str) -> Own {
        own(seen(vec![name(text)]), vec![(name(text), at(address))])
    }

    fn statuses(checks: &[Check]) -> Vec<(&str, Status)> {
        checks.iter().map(|check| (check.check, check.status)).collect()
    }

    #[test]
    fn an_address_is_public_or_unknown_or_missing() {
        let own = named("probe.ietf.org", OURS);
        assert_eq!(address(&own, false).status, Status::Ok);
        let inside = Own { special: Some(Special::Private), ..own.clone() };
        assert_eq!(address(&inside, false).cause, Some(Cause::SpecialAddress));
        assert!(reverse(&inside, Naming::built_in()).is_empty(), "nobody sees that one");
        let none = Own { address: None, ..own };
        assert_eq!(address(&none, false).status, Status::Warning);
        assert_eq!(address(&none, true).status, Status::Fault);
    }

    #[test]
    fn a_reverse_name_has_to_be_there_to_lead_back_and_to_be_chosen() {
        use Status::{Fault, Ok, Unknown, Warning};
        let of = |own: &Own| reverse(own, Naming::built_in());
        let good = of(&named("probe.ietf.org", OURS));
        assert_eq!(statuses(&good), [("ptr", Ok), ("ptr-confirmed", Ok), ("ptr-class", Ok)]);
        assert_eq!(statuses(&of(&own(absent(), vec![]))), [("ptr", Fault)]);
        assert_eq!(statuses(&of(&own(Observed::failed(Cause::Servfail), vec![]))), [("ptr", Unknown)]);
        assert_eq!(of(&named("probe.ietf.org", "192.0.2.6"))[1].status, Fault);
        let open = Addresses { v4: Observed::failed(Cause::Timeout), v6: absent() };
        let open = own(seen(vec![name("probe.ietf.org")]), vec![(name("probe.ietf.org"), open)]);
        assert_eq!(of(&open)[1].cause, Some(Cause::Timeout));
        assert_eq!(of(&named("192-0-2-5.dyn.pool.ietf.org", OURS))[2].status, Warning);
    }

    fn helo(addresses: Option<Addresses>, text: Answer<Box<str>>) -> Helo {
        Helo { name: "probe.ietf.org".to_owned(), class: IntroductionClass::Fqdn, addresses, text }
    }

    #[test]
    fn the_name_of_the_greeting_has_to_exist_and_to_be_ours() {
        use Status::{Fault, Ok, Unknown, Warning};
        let owns = [named("probe.ietf.org", OURS)];
        let spf = || seen(vec!["v=spf1 a -all".into()]);
        let of = |addresses: Addresses| greeting(&helo(Some(addresses), spf()), &owns);
        let good = of(at(OURS));
        let all = [("ehlo-name", Ok), ("ehlo-exists", Ok), ("ehlo-address", Ok), ("ehlo-spf", Ok)];
        assert_eq!(statuses(&good), all);
        assert_eq!(of(at("192.0.2.6"))[2].status, Warning);
        assert_eq!(of(Addresses { v4: absent(), v6: absent() })[1].status, Fault);
        let open = of(Addresses { v4: absent(), v6: Observed::failed(Cause::Servfail) });
        assert_eq!((open[1].status, open[1].cause), (Unknown, Some(Cause::Servfail)));
        let short = Helo { class: IntroductionClass::SingleLabel, ..helo(None, absent()) };
        assert_eq!(statuses(&greeting(&short, &owns)), [("ehlo-name", Fault)]);
        assert_eq!(class("a.example.org", IntroductionClass::ExampleDomain).status, Warning);
    }

    #[test]
    fn an_spf_record_is_there_once_and_ends_in_a_verdict() {
        let of = |texts: &[&str]| spf(&helo(None, seen(texts.iter().map(|text| (*text).into()).collect()))).status;
        assert_eq!(of(&["other", "v=spf1 a ~all"]), Status::Ok);
        assert_eq!(of(&["V=SPF1 redirect=ietf.org"]), Status::Ok);
        assert_eq!(of(&["v=spf1 +all"]), Status::Warning);
        assert_eq!(of(&["v=spf10 -all"]), Status::Warning);
        assert_eq!(of(&["v=spf1 -all", "v=spf1 a -all"]), Status::Warning);
        assert_eq!(spf(&helo(None, Observed::failed(Cause::Timeout))).cause, Some(Cause::Timeout));
    }

    fn list(shown: &str, class: ListClass) -> List {
        let code = [127, 0, 0, 2].into();
        List {
            zone: name(shown),
            shown: shown.into(),
            codes: vec![CodeRule { from: code, to: code, class, weight: 1.0 }],
            ipv4: true,
            ipv6: true,
            names: false,
            bits: false,
            core: true,
            lookup: None,
            rate: None,
        }
    }

    #[test]
    fn a_listing_that_counts_is_a_fault_and_silence_is_no_absence() {
        let of = |first: Answer<std::net::Ipv4Addr>, second: Answer<std::net::Ipv4Addr>, health: Health| {
            let listing =
                |list, codes| Listing { list, codes, reason: Observed::NotAsked(Cause::NotAsked), void: false };
            let lists = [list("spam.example", ListClass::SpamSource), list("policy.example", ListClass::Policy)];
            let said = vec![(OURS.parse().unwrap(), vec![listing(0, first), listing(1, second)])];
            listings(&Lists { served: lists.into(), health: vec![health, Health::Healthy], said }).remove(0)
        };
        let code = || seen(vec![[127, 0, 0, 2].into()]);
        let bad = of(code(), absent(), Health::Healthy);
        assert!(bad.status == Status::Fault && bad.evidence.contains("spam.example"), "{bad:?}");
        assert_eq!(of(absent(), code(), Health::Healthy).status, Status::Warning);
        let none = of(absent(), absent(), Health::Healthy);
        assert!(none.status == Status::Ok && none.evidence.contains("none of the 2"), "{none:?}");
        let believed = of(code(), absent(), Health::Untrustworthy("lists everybody".into()));
        assert_eq!(believed.status, Status::Ok, "one that is not believed has no say");
        let silent = || Observed::failed(Cause::Timeout);
        assert_eq!(of(silent(), silent(), Health::Healthy).cause, Some(Cause::ListUnhealthy));
    }
}
