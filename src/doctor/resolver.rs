//! Whether a resolver can be believed, and what it can carry.
//! Comes in: what one resolver answered to a few questions, and how fast. Goes out: checks.
//! Pure. A resolver that makes answers up, or takes some out, turns into a verdict on every server of a scan.

use std::net::IpAddr;
use std::time::Duration;

use super::Check;
use crate::model::dns::{Answer, Data, Question};
use crate::model::dnsbl::{Health, List};
use crate::model::observed::{Denial, Observed};
use crate::model::words::Cause;

/// What one resolver answered.
#[derive(Debug)]
pub(super) struct Asked {
    /// As it is typed.
    pub(super) resolver: String,
    pub(super) address: IpAddr,
    /// The root's SOA.
    pub(super) root: Answer<Data>,
    /// The rest; None where it does not answer at all.
    pub(super) more: Option<More>,
}

/// What a resolver that answers was asked besides.
#[derive(Debug)]
pub(super) struct More {
    /// A name that nobody has.
    pub(super) nobody: (Question, Answer<Data>),
    /// Something signed, and something whose signatures are broken.
    pub(super) signed: (Question, Answer<Data>),
    pub(super) bogus: (Question, Answer<Data>),
    /// The root's SOA over TCP.
    pub(super) tcp: Answer<Data>,
    /// How long it takes for what it has in its memory.
    pub(super) latency: Duration,
    /// The burst; None where there was none.
    pub(super) burst: Option<Burst>,
    /// Each list's health as seen through this resolver.
    pub(super) lists: Vec<(List, Health)>,
}

/// Questions asked at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub(super) asked: u32,
    pub(super) answered: u32,
    pub(super) took: Duration,
}

/// Above that a scan waits for its resolver more than for its servers.
const SLOW: Duration = Duration::from_millis(200);
/// Questions a second below which a scan's own default of thousands is far away.
const FEW: f64 = 500.0;

/// Public resolvers that the large blocklists are known to refuse.
const PUBLIC: &[(&str, &[&str])] = &[
    ("Google Public DNS", &["8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"]),
    ("Cloudflare 1.1.1.1", &["1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"]),
    ("Quad9", &["9.9.9.9", "149.112.112.112", "9.9.9.10", "149.112.112.10", "2620:fe::fe", "2620:fe::9"]),
    ("OpenDNS", &["208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53"]),
    ("AdGuard DNS", &["94.140.14.14", "94.140.15.15", "2a10:50c0::ad1:ff", "2a10:50c0::ad2:ff"]),
    ("Level 3", &["4.2.2.1", "4.2.2.2", "4.2.2.3", "4.2.2.4"]),
];

const OWN: &str = "use a recursive resolver of your own, such as Unbound on this machine";

pub(super) fn of(asked: &Asked) -> Vec<Check> {
    let who = &asked.resolver;
    let mut checks = vec![root(asked)];
    let Some(more) = &asked.more else { return checks };
    checks.push(nobody(who, more));
    checks.push(loopback(who, more));
    checks.push(validation(who, more));
    checks.push(match &more.tcp {
        Observed::Seen(_) | Observed::Absent(_) => Check::ok("resolver-tcp", format!("{who} answers over TCP")),
        Observed::Failed(failure) => {
            let detail = failure.detail.as_deref().unwrap_or(failure.cause.as_str());
            let advice = format!("open TCP towards it, or {OWN}: long answers are lost (truncated)");
            Check::warning("resolver-tcp", format!("{who} does not answer over TCP: {detail}"), advice)
        }
        Observed::NotAsked(cause) => {
            Check::unknown("resolver-tcp", *cause, format!("{who} was not asked over TCP"), "ask again")
        }
    });
    checks.extend(speed(who, more));
    checks.push(public(who, asked.address));
    checks.extend(more.lists.iter().filter_map(|(list, health)| refused(who, list, health)));
    checks
}

fn root(asked: &Asked) -> Check {
    const CHECK: &str = "resolver";
    let who = &asked.resolver;
    match &asked.root {
        Observed::Seen(_) => Check::ok(CHECK, format!("{who} answers")),
        Observed::Absent(_) => {
            let evidence = format!("{who} denies that the root of DNS has an SOA, so its denials mean nothing");
            Check::fault(CHECK, evidence, "name another with --resolver")
        }
        Observed::Failed(failure) => {
            let detail = failure.detail.as_deref().map_or_else(String::new, |detail| format!(", {detail}"));
            let evidence = format!("{who} does not give the root's SOA ({}{detail})", failure.cause);
            Check::fault(CHECK, evidence, "start it, let it answer this machine, or name another with --resolver")
        }
        Observed::NotAsked(cause) => Check::unknown(CHECK, *cause, format!("{who} was not asked"), "ask again"),
    }
}

fn nobody(who: &str, more: &More) -> Check {
    const CHECK: &str = "resolver-nxdomain";
    let (Question { name, .. }, answer) = &more.nobody;
    match answer {
        Observed::Seen(records) if !records.values.is_empty() => {
            let evidence = format!("{who} gives records for {name}, which does not exist");
            Check::fault(CHECK, evidence, format!("switch that off there, or {OWN}"))
        }
        Observed::Absent(absence) if absence.how == Denial::Nxdomain => {
            Check::ok(CHECK, format!("{who} says that {name} does not exist"))
        }
        Observed::Seen(_) | Observed::Absent(_) => {
            let evidence = format!("{who} says that {name} exists without an address, and it does not exist");
            Check::fault(CHECK, evidence, format!("switch that off there, or {OWN}"))
        }
        Observed::Failed(_) | Observed::NotAsked(_) => {
            let cause = answer.unknown().unwrap_or(Cause::NotAsked);
            Check::unknown(CHECK, cause, format!("{who} did not say whether {name} exists"), "ask again")
        }
    }
}

/// What lists answer lies in 127/8, which some resolvers take out of answers as an attack from within (DNS rebinding).
fn loopback(who: &str, more: &More) -> Check {
    const CHECK: &str = "resolver-127";
    let lists = || more.lists.iter().filter(|(list, _)| list.ipv4);
    let count = lists().count();
    if count == 0 {
        let advice = "leave --no-dnsbl out, or name a blocklist with --dnsbl";
        return Check::unknown(CHECK, Cause::NotAsked, "no blocklist's test entry was asked for", advice);
    }
    let answers = lists().filter(|(_, health)| matches!(health, Health::Healthy | Health::Refused(_))).count();
    let without = lists().filter(|(_, health)| matches!(health, Health::Untrustworthy(_))).count();
    if answers > 0 {
        return Check::ok(CHECK, format!("{who} gives 127.0.0.x for the test entries of {answers} blocklists"));
    }
    let silent = lists().find_map(|(_, health)| match health {
        Health::Silent(cause) => Some(*cause),
        _ => None,
    });
    match silent {
        Some(cause) if without == 0 => {
            Check::unknown(CHECK, cause, format!("no blocklist's test entry could be had from {who}"), "ask again")
        }
        _ => Check::fault(
            CHECK,
            format!("{who} gives no 127.0.0.x for any of the {without} test entries it answers (2.0.0.127.ZONE)"),
            format!("let it pass 127.0.0.0/8 (Unbound: private-address, dnsmasq: stop-dns-rebind), or {OWN}"),
        ),
    }
}

fn validation(who: &str, more: &More) -> Check {
    const CHECK: &str = "resolver-dnssec";
    let ((_, signed), (Question { name, .. }, bogus)) = (&more.signed, &more.bogus);
    let authentic = signed.seen().map(|records| records.authentic);
    let advice = format!("switch validation on there, or {OWN}: forged answers would become verdicts");
    match (authentic, bogus) {
        (_, Observed::Seen(_)) => {
            Check::warning(CHECK, format!("{who} gives records for {name}, whose signatures are broken"), advice)
        }
        (Some(true), Observed::Failed(failure)) if matches!(failure.cause, Cause::Bogus | Cause::Servfail) => {
            Check::ok(CHECK, format!("{who} validates: it marks what is signed and fails {name} ({})", failure.cause))
        }
        (Some(false), Observed::Failed(failure)) if matches!(failure.cause, Cause::Bogus | Cause::Servfail) => {
            let evidence = format!("{who} fails {name}, but does not mark what is signed (AD)");
            Check::warning(CHECK, evidence, "let it pass the AD bit on: what it has validated is not known otherwise")
        }
        (Some(false), _) => Check::warning(CHECK, format!("{who} does not mark what is signed (AD)"), advice),
        _ => {
            let cause = bogus.unknown().or_else(|| signed.unknown()).unwrap_or(Cause::NameAbsent);
            let advice = "name another name with broken signatures with --bogus";
            Check::unknown(CHECK, cause, format!("{who} has nothing to say of {name} that tells"), advice)
        }
    }
}

fn speed(who: &str, more: &More) -> [Check; 2] {
    const LATENCY: &str = "resolver-latency";
    const RATE: &str = "resolver-rate";
    let millis = more.latency.as_secs_f64() * 1000.0;
    let evidence = format!("{who} takes {millis:.1} ms for what it has in its memory");
    let latency = if more.latency > SLOW {
        Check::warning(LATENCY, evidence, "use a resolver that is nearer")
    } else {
        Check::ok(LATENCY, evidence)
    };
    let Some(Burst { asked, answered, took }) = more.burst else {
        let unknown = Check::unknown(RATE, Cause::NotAsked, "no burst was sent", "allow one with --rate-test");
        return [latency, unknown];
    };
    let rate = f64::from(answered) / took.as_secs_f64().max(0.001);
    let evidence = format!("{who} answers {answered} of {asked} at once, {rate:.0} a second");
    // One in fifty may be lost on the way.
    if answered + asked / 50 < asked || rate < FEW {
        let advice = format!("scan with --dns-rate {:.0}, or {OWN}", (rate / 2.0).max(1.0));
        return [latency, Check::warning(RATE, evidence, advice)];
    }
    [latency, Check::ok(RATE, evidence)]
}

fn public(who: &str, address: IpAddr) -> Check {
    const CHECK: &str = "resolver-public";
    let known = PUBLIC
        .iter()
        .find(|(_, addresses)| addresses.iter().any(|text| text.parse::<IpAddr>().is_ok_and(|known| known == address)));
    match known {
        Some((service, _)) => {
            let evidence = format!("{who} is {service}: most blocklists refuse who asks through it");
            Check::warning(CHECK, evidence, OWN)
        }
        None => Check::ok(CHECK, format!("{who} is none of the public resolvers that blocklists refuse")),
    }
}

/// A list that cannot be used through this resolver; those that can be need no line each.
fn refused(who: &str, list: &List, health: &Health) -> Option<Check> {
    const CHECK: &str = "blocklist";
    let shown = &list.shown;
    Some(match health {
        Health::Healthy => return None,
        Health::Silent(cause) => {
            Check::unknown(CHECK, *cause, format!("{shown} is silent through {who}"), "ask again later")
        }
        Health::Refused(_) => {
            let advice = format!("{OWN}, or name lists that you may use with --dnsbl");
            Check::warning(CHECK, format!("{shown} {health} through {who}"), advice)
        }
        Health::Untrustworthy(_) => {
            let advice = "a scan leaves it out; if it goes for all lists, mend the resolver";
            Check::warning(CHECK, format!("{shown} {health}, as {who} says"), advice)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::model::dns::{RecordType, Records};
    use crate::model::name::Name;
    use crate::model::observed::Absence;

    fn seen(authentic: bool) -> Answer<Data> {
        let values = vec![Data::A([203, 0, 113, 80].into())];
        Observed::Seen(Records { values, aliases: Vec::new(), ttl: 60, authentic })
    }

    fn absent(how: Denial) -> Answer<Data> {
        Observed::Absent(Absence { how, zone: None, aliases: Vec::new() })
    }

    fn question() -> Question {
        Question { name: Name::trusted("x.com".to_owned()), kind: RecordType::A }
    }

    fn list() -> List {
        List {
            zone: Name::trusted("bl.example".to_owned()),
            shown: "bl.example".into(),
            codes: Vec::new(),
            ipv4: true,
            ipv6: false,
            names: false,
            bits: false,
            core: false,
            lookup: None,
            rate: None,
        }
    }

    fn good() -> More {
        More {
            nobody: (question(), absent(Denial::Nxdomain)),
            signed: (question(), seen(true)),
            bogus: (question(), Observed::failed(Cause::Bogus)),
            tcp: seen(false),
            latency: Duration::from_millis(1),
            burst: Some(Burst { asked: 200, answered: 200, took: Duration::from_millis(20) }),
            lists: vec![(list(), Health::Healthy)],
        }
    }

    fn checks(address: &str, more: Option<More>) -> Vec<Check> {
        let root = if more.is_some() { seen(true) } else { Observed::failed(Cause::Timeout) };
        of(&Asked { resolver: address.to_owned(), address: address.parse().unwrap(), root, more })
    }

    fn check(more: More, which: &str) -> Check {
        checks("192.0.2.53", Some(more)).into_iter().find(|check| check.check == which).unwrap()
    }

    #[test]
    fn a_good_resolver_passes_and_a_silent_one_is_one_fault() {
        let all = checks("192.0.2.53", Some(good()));
        assert!(all.iter().all(|check| check.status == Status::Ok && check.advice.is_none()), "{all:?}");
        assert_eq!(all.len(), 8);
        let silent = checks("192.0.2.53", None);
        assert_eq!((silent.len(), silent[0].status), (1, Status::Fault));
    }

    #[test]
    fn names_that_do_not_exist_have_to_be_denied_as_such() {
        let of = |answer| check(More { nobody: (question(), answer), ..good() }, "resolver-nxdomain");
        assert_eq!(of(seen(false)).status, Status::Fault);
        assert_eq!(of(absent(Denial::Nodata)).status, Status::Fault);
        assert_eq!(of(Observed::failed(Cause::Servfail)).cause, Some(Cause::Servfail));
    }

    #[test]
    fn loopback_answers_are_taken_out_where_no_list_has_its_test_entry() {
        let of = |health: &[Health]| {
            let lists = health.iter().map(|health| (list(), health.clone())).collect();
            check(More { lists, ..good() }, "resolver-127").status
        };
        let without = || Health::Untrustworthy("does not list 127.0.0.2, which every list must".into());
        assert_eq!(of(&[without(), without()]), Status::Fault);
        assert_eq!(of(&[without(), Health::Healthy]), Status::Ok, "one that is there is proof");
        assert_eq!(of(&[Health::Refused([127, 255, 255, 254].into())]), Status::Ok);
        assert_eq!(of(&[Health::Silent(Cause::Timeout)]), Status::Unknown);
        assert_eq!(of(&[]), Status::Unknown);
    }

    #[test]
    fn validation_shows_in_what_is_marked_and_in_what_fails() {
        let of = |signed: Answer<Data>, bogus: Answer<Data>| {
            let more = More { signed: (question(), signed), bogus: (question(), bogus), ..good() };
            check(more, "resolver-dnssec").status
        };
        let failed = || Observed::failed(Cause::Servfail);
        assert_eq!(of(seen(true), failed()), Status::Ok);
        assert_eq!(of(seen(false), failed()), Status::Warning);
        assert_eq!(of(seen(true), seen(false)), Status::Warning);
        assert_eq!(of(seen(true), absent(Denial::Nxdomain)), Status::Unknown, "that name is gone");
        assert_eq!(of(failed(), Observed::failed(Cause::Timeout)), Status::Unknown);
    }

    #[test]
    fn tcp_latency_rate_and_public_resolvers_are_warnings() {
        let tcp = check(More { tcp: Observed::failed(Cause::ResolverDown), ..good() }, "resolver-tcp");
        assert_eq!(tcp.status, Status::Warning);
        let far = check(More { latency: Duration::from_millis(300), ..good() }, "resolver-latency");
        assert_eq!(far.status, Status::Warning);
        let rate = |answered, millis| {
            let burst = Some(Burst { asked: 200, answered, took: Duration::from_millis(millis) });
            check(More { burst, ..good() }, "resolver-rate")
        };
        assert_eq!(rate(197, 20).status, Status::Ok);
        assert_eq!(rate(190, 20).status, Status::Warning);
        let slow = rate(200, 2000);
        assert!(slow.status == Status::Warning && slow.advice.unwrap().contains("--dns-rate 50"));
        assert_eq!(check(More { burst: None, ..good() }, "resolver-rate").cause, Some(Cause::NotAsked));
        let public = checks("8.8.8.8", Some(good()));
        assert!(public.iter().any(|check| check.check == "resolver-public" && check.status == Status::Warning));
        assert!(PUBLIC.iter().flat_map(|(_, all)| *all).all(|text| text.parse::<IpAddr>().is_ok()));
    }

    #[test]
    fn a_list_that_refuses_is_named() {
        let refused = Health::Refused([127, 255, 255, 254].into());
        let said = check(More { lists: vec![(list(), refused)], ..good() }, "blocklist");
        assert!(said.status == Status::Warning && said.evidence.contains("127.255.255.254"), "{said:?}");
    }
}
