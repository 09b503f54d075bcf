//! Evidence made by hand: a good mail server, and the ways it can differ.
//! Comes in: a number, and what a test changes. Goes out: a row's verdicts in six letters, and its codes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Policy, assess};
use crate::model::address::Allowed;
use crate::model::assessment::{Assessment, Judged};
use crate::model::dns::{Addresses, Answer, Mx, Records};
use crate::model::dnsbl::{CodeRule, DomainListing, Health, List, ListClass, Listing, Quorum};
use crate::model::evidence::{Evidence, Exchange, Forward, Host, Introduced, Route};
use crate::model::finding::Code;
use crate::model::history::{Fact, Gathering};
use crate::model::introduction::{Introduction, Naming};
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Observed};
use crate::model::smtp::{Greeting, NameAt, Reply, Session, Tls};
use crate::model::target::{Subject, Target};
use crate::model::words::{
    Basis, Cause, CertTrust, ConnectStatus, IntroducedBy, Profile, Rule, SmtpStatus, TlsStatus, Verdict,
};

pub(super) const NOW: i64 = 1_790_000_000_000;
pub(super) const NAMING: Naming = Naming::in_lab();

/// A target's evidence that a test changes, and the policy it is judged by.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) n: u8,
    pub(super) evidence: Evidence,
    pub(super) policy: Policy,
}

pub(super) fn name(text: &str) -> Name {
    Name::trusted(text.to_owned())
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn seen<T>(values: Vec<T>) -> Answer<T> {
    Observed::Seen(Records { values, aliases: Vec::new(), ttl: 300, authentic: false })
}

pub(super) fn via<T>(values: Vec<T>, aliases: &[&str]) -> Answer<T> {
    let aliases = aliases.iter().map(|alias| name(alias)).collect();
    Observed::Seen(Records { values, aliases, ttl: 300, authentic: false })
}

pub(super) fn denied<T>(how: Denial) -> Answer<T> {
    Observed::Absent(Absence { how, zone: Some(name("lab.test")), aliases: Vec::new() })
}

pub(super) fn nodata<T>() -> Answer<T> {
    denied(Denial::Nodata)
}

pub(super) fn nxdomain<T>() -> Answer<T> {
    denied(Denial::Nxdomain)
}

pub(super) fn denied_by<T>(zone: &str) -> Answer<T> {
    Observed::Absent(Absence { how: Denial::Nxdomain, zone: Some(name(zone)), aliases: Vec::new() })
}

pub(super) fn v4(text: &str) -> Answer<Ipv4Addr> {
    seen(vec![text.parse().unwrap()])
}

pub(super) fn v6(text: &str) -> Answer<Ipv6Addr> {
    seen(vec![text.parse().unwrap()])
}

pub(super) fn introduction(text: &str, by: IntroducedBy) -> Introduction {
    Introduction::new(text.as_bytes(), by, NAMING)
}

pub(super) fn reply(code: u16, lines: &[&str]) -> Reply {
    let raw = format!("{code} {}\r\n", lines.join("\r\n")).into_bytes().into_boxed_slice();
    let lines = lines.iter().collect();
    Reply { code, lines, raw, complete: true, first_byte_ms: 5, first_line_ms: 6, complete_ms: 7, ..Reply::default() }
}

/// A session that greets and answers EHLO with one name.
pub(super) fn session(host: &str) -> Session {
    Session {
        connect_ms: Some(3),
        status: SmtpStatus::Ok,
        greeting: Some(reply(220, &[&format!("{host} ESMTP")])),
        greeted: Greeting { name: Some(host.into()), at: NameAt::First, ..Greeting::default() },
        ehlo: Some(reply(250, &[host, "PIPELINING", "STARTTLS"])),
        ehlo_name: Some(host.into()),
        extensions: ["PIPELINING", "STARTTLS"].into(),
        tls: Tls::none(TlsStatus::NotAsked),
        quit_code: Some(221),
        quit_sent: true,
        elapsed_ms: 40,
        ..Session::none(25, ConnectStatus::Open)
    }
}

/// A host that does everything right under this name.
pub(super) fn host(address: IpAddr, own: &str) -> Host {
    let addresses = match address {
        IpAddr::V4(v4) => Addresses { v4: seen(vec![v4]), v6: nodata() },
        IpAddr::V6(v6) => Addresses { v4: nodata(), v6: seen(vec![v6]) },
    };
    Host {
        address,
        special: None,
        basis: Basis::Announced,
        ptr: seen(vec![name(own)]),
        forward: vec![Forward { name: name(own), addresses: seen(vec![address]) }],
        session: session(own),
        introduction: Some(introduction(own, IntroducedBy::Greeting)),
        ehlo: Some(introduction(own, IntroducedBy::Ehlo)),
        introduced: Introduced {
            addresses,
            mx: Observed::NotAsked(Cause::NotAsked),
            sibling: Observed::NotAsked(Cause::NotAsked),
        },
        listings: (0..7)
            .map(|list| Listing { list, codes: nxdomain(), reason: Observed::NotAsked(Cause::NotAsked), void: false })
            .collect(),
        domains: Vec::new(),
        earlier: Vec::new(),
        scanned_at: NOW,
    }
}

pub(super) fn exchange(own: &str, v4: Answer<Ipv4Addr>, v6: Answer<Ipv6Addr>) -> Exchange {
    Exchange {
        name: name(own),
        addresses: Addresses { v4, v6 },
        organisation: Observed::NotAsked(Cause::NotAsked),
        domains: Vec::new(),
    }
}

/// What an exchange's route is when its host is good.
pub(super) fn route(preference: u16, own: &str, address: &str) -> Route {
    let exchange = match ip(address) {
        IpAddr::V4(v4) => exchange(own, seen(vec![v4]), nodata()),
        IpAddr::V6(v6) => exchange(own, nodata(), seen(vec![v6])),
    };
    Route {
        preference: Some(preference),
        exchange: Some(Arc::new(exchange)),
        hosts: vec![Arc::new(host(ip(address), own))],
    }
}

/// What a list of addresses says by 127.0.0.2, and for spam sources by 127.0.0.4, .9 and .10.
fn list(zone: &str, class: ListClass, weight: f32, core: bool, ipv6: bool) -> List {
    let rule = |octet, class, weight| {
        let code = Ipv4Addr::new(127, 0, 0, octet);
        CodeRule { from: code, to: code, class, weight }
    };
    let mut codes = vec![rule(2, class, weight)];
    if class == ListClass::SpamSource {
        let relays = [rule(9, ListClass::OpenRelay, 0.3), rule(10, ListClass::OpenRelay, 0.2)];
        codes.extend([rule(4, ListClass::Exploited, 0.4)].into_iter().chain(relays));
    }
    let zone = name(zone);
    let shown = zone.as_str().into();
    List { zone, shown, codes, ipv4: true, ipv6, names: false, bits: false, core, lookup: None, rate: None }
}

/// A list that trusts by its last octet, in the manner of DNSWL: 127.0.category.trust.
fn allow_list(zone: &str) -> List {
    let mut list = list(zone, ListClass::Allow, 0.0, false, true);
    list.codes[0].to = Ipv4Addr::new(127, 0, 255, 3);
    list
}

/// A list of domains.
fn domain_list(zone: &str) -> List {
    let mut list = list(zone, ListClass::Reputation, 0.0, false, false);
    list.codes[0].from = Ipv4Addr::new(127, 0, 1, 2);
    list.codes[0].to = Ipv4Addr::new(127, 0, 1, 99);
    List { ipv4: false, names: true, ..list }
}

pub(super) fn policy() -> Policy {
    let networks = ["198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24", "2001:db8:25::/48"];
    Policy {
        profile: Profile::Census,
        naming: NAMING,
        allowed: Allowed::new(networks.iter().map(|network| network.parse().unwrap()).collect()),
        lists: Arc::new([
            list("bl1.lab.test", ListClass::SpamSource, 1.0, true, true),
            list("bl2.lab.test", ListClass::SpamSource, 0.5, false, true),
            list("bl3.lab.test", ListClass::SpamSource, 0.5, false, false),
            list("pbl.lab.test", ListClass::Policy, 0.0, false, true),
            allow_list("wl.lab.test"),
            list("net.lab.test", ListClass::Network, 0.0, false, true),
            list("att.lab.test", ListClass::Attack, 0.0, false, true),
            domain_list("dbl.lab.test"),
        ]),
        health: vec![Health::Healthy; 8],
        quorum: Quorum { weight: 1.5, core: true },
        receivers: Vec::new(),
        history: Arc::default(),
    }
}

impl Scene {
    /// A good server whose introduction and exchange are of a domain of which a list of domain names says this.
    pub(super) fn with_domain(n: u8, codes: Answer<Ipv4Addr>) -> Self {
        let mut scene = Self::good(n);
        let mut lists = scene.policy.lists.to_vec();
        let bit = |bit: u8, class| CodeRule {
            from: Ipv4Addr::new(127, 0, 0, bit),
            to: Ipv4Addr::new(127, 0, 0, bit),
            class,
            weight: 9.0,
        };
        let rhs = list("rhs.lab.test", ListClass::Reputation, 0.0, false, false);
        let codes_of = vec![bit(8, ListClass::Phishing), bit(64, ListClass::SpamSource)];
        let at = u16::try_from(lists.len()).unwrap();
        lists.push(List { codes: codes_of, names: true, bits: true, ipv4: false, ..rhs });
        scene.policy.lists = lists.into();
        scene.policy.health.push(Health::Healthy);
        let reason = Observed::NotAsked(Cause::NotAsked);
        let about = DomainListing { name: name("lab.test"), listing: Listing { list: at, codes, reason, void: false } };
        let route = scene.evidence.routes.first_mut().unwrap();
        Arc::make_mut(route.hosts.first_mut().unwrap()).domains.push(about.clone());
        Arc::make_mut(route.exchange.as_mut().unwrap()).domains.push(about);
        scene
    }

    /// Domain `sN.lab.test` with one good server `mail.sN.lab.test` at 198.51.100.N.
    pub(super) fn good(n: u8) -> Self {
        let own = format!("mail.s{n:02}.lab.test");
        let domain = name(&format!("s{n:02}.lab.test"));
        let mx = seen(vec![Mx { preference: 10, exchange: name(&own) }]);
        Self::of(n, Subject::Domain(domain), Some(mx), vec![route(10, &own, &format!("198.51.100.{n}"))])
    }

    /// A client at this address that introduced itself with this name; everything else is good.
    pub(super) fn observed(n: u8, address: &str, helo: &str) -> Self {
        let mut client = host(ip(address), helo);
        client.basis = Basis::Observed;
        client.session = Session::none(25, ConnectStatus::NotAsked);
        client.introduction = Some(introduction(helo, IntroducedBy::Observed));
        client.ehlo = None;
        let subject = Subject::Observed { address: ip(address), helo: helo.into() };
        let route = Route { preference: None, exchange: None, hosts: vec![Arc::new(client)] };
        Self::of(n, subject, None, vec![route])
    }

    fn of(n: u8, subject: Subject, mx: Option<Answer<Mx>>, routes: Vec<Route>) -> Self {
        let text = format!("s{n:02}").into();
        let target =
            Target { sequence: 0, line: Some(1), text, subject, from_network: false, excluded: false, unstable: false };
        let evidence = Evidence { target, mx, routes, capped: false, scanned_at: NOW, elapsed_ms: 50, attempts: 1 };
        Self { n, evidence, policy: policy() }
    }

    pub(super) fn own(&self) -> String {
        format!("mail.s{:02}.lab.test", self.n)
    }

    pub(super) fn route(&mut self, at: usize) -> &mut Route {
        &mut self.evidence.routes[at]
    }

    pub(super) fn host(&mut self) -> &mut Host {
        self.host_of(0)
    }

    pub(super) fn host_of(&mut self, at: usize) -> &mut Host {
        Arc::make_mut(&mut self.route(at).hosts[0])
    }

    pub(super) fn exchange(&mut self) -> &mut Exchange {
        Arc::make_mut(self.route(0).exchange.as_mut().unwrap())
    }

    pub(super) fn mx(&mut self, records: &[(u16, &str)]) {
        let record = |(preference, exchange): &(u16, &str)| Mx { preference: *preference, exchange: name(exchange) };
        self.evidence.mx = Some(seen(records.iter().map(record).collect()));
    }

    /// The server greets and answers EHLO with another name, whose lookups are these.
    pub(super) fn says(&mut self, text: &str, v4: Answer<Ipv4Addr>, mx: Answer<Mx>) {
        let host = self.host();
        host.session = session(text);
        host.introduction = Some(introduction(text, IntroducedBy::Greeting));
        host.ehlo = Some(introduction(text, IntroducedBy::Ehlo));
        let v6 = match &v4 {
            Observed::Seen(_) => nodata(),
            Observed::Absent(absence) => Observed::Absent(absence.clone()),
            Observed::Failed(failure) => Observed::Failed(failure.clone()),
            Observed::NotAsked(cause) => Observed::NotAsked(*cause),
        };
        host.introduced =
            Introduced { addresses: Addresses { v4, v6 }, mx, sibling: Observed::NotAsked(Cause::NotAsked) };
    }

    /// The server says something that is no name to look up.
    pub(super) fn mumbles(&mut self, text: &str) {
        self.says(text, Observed::NotAsked(Cause::NotAsked), Observed::NotAsked(Cause::NotAsked));
    }

    /// The greeting, word for word, with what it names.
    pub(super) fn greets(&mut self, code: u16, lines: &[&str], named: Option<&str>) -> &mut Session {
        let session = &mut self.host().session;
        session.greeting = Some(reply(code, lines));
        session.greeted.name = named.map(Into::into);
        session.greeted.at = if named.is_some() { NameAt::First } else { NameAt::None };
        session
    }

    /// No session worth the name came of it.
    pub(super) fn ends(&mut self, session: Session) {
        let host = self.host();
        host.session = session;
        host.introduction = None;
        host.ehlo = None;
        host.introduced = Introduced::not_asked(Cause::NoIntroduction);
    }

    /// One list's answer.
    pub(super) fn listed(&mut self, list: usize, code: &str) {
        self.host().listings[list].codes = seen(vec![code.parse().unwrap()]);
    }

    /// The PTR is this name, and it leads back.
    pub(super) fn reverse(&mut self, text: &str) {
        let host = self.host();
        host.ptr = seen(vec![name(text)]);
        host.forward = vec![Forward { name: name(text), addresses: seen(vec![host.address]) }];
    }

    pub(super) fn certificate(&mut self, names: &[&str], chain: CertTrust, not_after: i64) {
        let own = self.own();
        let tls = &mut self.host().session.tls;
        tls.status = TlsStatus::Ok;
        tls.server_name = Some(own.into());
        tls.certificate = Some(Box::new(crate::model::smtp::Certificate {
            names: names.iter().map(|name| (*name).into()).collect(),
            subject: "CN=x".into(),
            issuer: "CN=x".into(),
            self_issued: true,
            not_before: 0,
            not_after,
            key: "ed25519".into(),
            key_sha256: "00".into(),
            signature: "ed25519".into(),
            sha256: "00".into(),
            chain: Some(chain),
        }));
    }

    /// An earlier run found these, so many milliseconds before this one.
    pub(super) fn knows(&mut self, facts: &[(Fact<'_>, i64)]) {
        let mut gathering = Gathering::default();
        for (fact, before) in facts {
            gathering.add(*fact, NOW - before).unwrap();
        }
        self.policy.history = Arc::new(gathering.finish());
    }

    pub(super) fn judged(&self) -> Judged {
        assess(self.evidence.clone(), &self.policy)
    }

    /// The only row.
    pub(super) fn row(&self) -> Assessment {
        let judged = self.judged();
        assert_eq!(judged.rows.len(), 1);
        judged.rows.into_iter().next().unwrap()
    }
}

/// R1 R2 R3 R4 RV R5 MX in a letter each: P, F, U, N.
pub(super) fn letters(row: &Assessment) -> String {
    use Rule::{Exists, Fqdn, Introduces, Matches, Mx, Reverse, Unlisted};
    let letter = |rule| match row.verdict(rule) {
        Verdict::Pass => 'P',
        Verdict::Fail => 'F',
        Verdict::Unknown => 'U',
        Verdict::Na => 'N',
    };
    [Introduces, Fqdn, Exists, Matches, Reverse, Unlisted, Mx].into_iter().map(letter).collect()
}

/// The codes of a row but `mx-no-ipv6`, which every scene over IPv4 alone has.
pub(super) fn codes(row: &Assessment) -> Vec<Code> {
    row.findings.iter().map(|finding| finding.code).filter(|code| *code != Code::MxNoIpv6).collect()
}
