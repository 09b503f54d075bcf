//! Judged targets made by hand, for the tests of the sinks.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::assessment::{Assessment, Judged};
use crate::model::dns::{Addresses, Answer, Data, Mx, Records};
use crate::model::dnsbl::Listing;
use crate::model::evidence::{Evidence, Exchange, Forward, Host, Introduced, Route};
use crate::model::finding::{Code, Finding};
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Observed};
use crate::model::smtp::{Certificate, Greeting, NameAt, Reply, Session, Tls};
use crate::model::target::{Subject, Target};
use crate::model::words::{
    Basis, Cause, CertTrust, ConnectStatus, IntroducedBy, IntroductionClass, Overall, PtrClass, Rule, Severity,
    SmtpStatus, TlsStatus, Verdict,
};

/// 2024-07-15T10:30:45.007Z.
pub(super) const NOON: i64 = 1_721_039_445_007;

pub(super) fn name(text: &str) -> Name {
    if text == "." { Name::root() } else { Name::parse(text).unwrap() }
}

pub(super) fn seen<T>(values: Vec<T>) -> Answer<T> {
    Observed::Seen(Records { values, aliases: Vec::new(), ttl: 300, authentic: false })
}

pub(super) fn absent<T>(how: Denial) -> Answer<T> {
    Observed::Absent(Absence { how, zone: None, aliases: Vec::new() })
}

fn reply(code: u16, lines: &[&str]) -> Reply {
    Reply { code, lines: lines.iter().collect(), complete: true, complete_ms: 41, ..Reply::default() }
}

pub(super) fn target(text: &str, subject: Subject) -> Target {
    Target {
        sequence: 0,
        line: Some(1),
        text: Arc::from(text),
        subject,
        from_network: false,
        excluded: false,
        unstable: false,
    }
}

pub(super) fn evidence(target: Target) -> Evidence {
    Evidence { target, mx: None, routes: Vec::new(), capped: false, scanned_at: NOON, elapsed_ms: 1_234, attempts: 1 }
}

pub(super) fn assessment(verdict: Verdict, overall: Overall) -> Assessment {
    Assessment {
        route: None,
        host: None,
        verdicts: [verdict; Rule::ALL.len()],
        unknown_why: Vec::new(),
        na_why: Vec::new(),
        overall,
        ptr_class: None,
        listed: Vec::new(),
        counted: Vec::new(),
        lists_unknown: Vec::new(),
        domains_listed: Vec::new(),
        findings: Vec::new(),
    }
}

pub(super) fn certificate(names: &[&str], chain: CertTrust) -> Certificate {
    Certificate {
        names: names.iter().map(|name| Box::from(*name)).collect(),
        subject: "CN=mail".into(),
        issuer: "CN=ca".into(),
        self_issued: false,
        not_before: 0,
        not_after: 1_800_000_000,
        key: "ecdsa-256".into(),
        key_sha256: "00".into(),
        signature: "ed25519".into(),
        sha256: "00".repeat(32).into(),
        chain: Some(chain),
    }
}

/// A server that does everything right.
pub(super) fn host(address: &str) -> Host {
    let address: IpAddr = address.parse().unwrap();
    let mail = name("mail.example.org");
    let mut session = Session::none(25, ConnectStatus::Open);
    session.connect_ms = Some(12);
    session.status = SmtpStatus::Ok;
    session.greeting = Some(reply(220, &["mail.example.org ESMTP Postfix", "be kind"]));
    session.greeted = Greeting {
        name: Some("mail.example.org".into()),
        at: NameAt::First,
        software: Some("postfix".into()),
        ..Greeting::default()
    };
    session.ehlo = Some(reply(250, &["mail.example.org", "STARTTLS", "8BITMIME"]));
    session.ehlo_name = Some("mail.example.org".into());
    session.extensions = ["STARTTLS", "8BITMIME"].into();
    session.tls = Tls {
        version: Some("TLSv1.3".into()),
        cipher: Some("TLS_AES_256_GCM_SHA384".into()),
        certificate: Some(Box::new(certificate(&["*.example.org", "example.org"], CertTrust::Trusted))),
        ..Tls::none(TlsStatus::Ok)
    };
    let v4 = match address {
        IpAddr::V4(v4) => seen(vec![v4]),
        IpAddr::V6(_) => absent(Denial::Nodata),
    };
    let v6 = match address {
        IpAddr::V4(_) => absent(Denial::Nodata),
        IpAddr::V6(v6) => seen(vec![v6]),
    };
    Host {
        address,
        special: None,
        basis: Basis::Announced,
        ptr: seen(vec![mail.clone(), name("other.example.org")]),
        forward: vec![
            Forward { name: mail, addresses: seen(vec![address]) },
            Forward { name: name("other.example.org"), addresses: absent(Denial::Nxdomain) },
        ],
        session,
        introduction: Some(Introduction {
            text: "mail.example.org".into(),
            by: IntroducedBy::Greeting,
            class: IntroductionClass::Fqdn,
        }),
        ehlo: None,
        introduced: Introduced {
            addresses: Addresses { v4, v6 },
            mx: Observed::NotAsked(Cause::NotAsked),
            sibling: Observed::NotAsked(Cause::NotAsked),
        },
        listings: vec![Listing {
            list: 0,
            codes: absent(Denial::Nxdomain),
            reason: Observed::NotAsked(Cause::NotAsked),
            void: false,
        }],
        domains: Vec::new(),
        earlier: Vec::new(),
        scanned_at: NOON,
    }
}

/// A domain with one exchange and one server, and what the judge made of it.
pub(super) fn domain(text: &str, host: Host) -> Judged {
    let exchange = name("mx.example.org");
    let mut evidence = evidence(target(text, Subject::Domain(name("example.org"))));
    evidence.mx = Some(seen(vec![Mx { preference: 10, exchange: exchange.clone() }]));
    evidence.routes.push(Route {
        preference: Some(10),
        exchange: Some(Arc::new(Exchange {
            name: exchange,
            addresses: host.introduced.addresses.clone(),
            organisation: Answer::<Data>::NotAsked(Cause::NotAsked),
            domains: Vec::new(),
        })),
        hosts: vec![Arc::new(host)],
    });
    let row = Assessment {
        route: Some(0),
        host: Some(0),
        ptr_class: Some(PtrClass::Named),
        ..assessment(Verdict::Pass, Overall::Conformant)
    };
    Judged { evidence, rows: vec![row] }
}

/// One target of every kind.
pub(super) fn all() -> Vec<Judged> {
    let good = domain("Example.ORG.", host("192.0.2.25"));

    let mut listed = domain("=HYPERLINK(\"http://x\",\"\u{1b}[2J\u{202e}\n\0;\")", host("2001:db8::25"));
    let row = listed.rows.first_mut().unwrap();
    row.listed = vec!["bl.example=127.0.0.2".into(), "dul.example=127.0.0.10".into()];
    row.counted = vec!["bl.example".into()];
    row.lists_unknown = vec!["slow.example=timeout".into()];
    row.domains_listed = vec!["example.net@dbl.example=127.0.1.2".into()];
    row.verdicts[4] = Verdict::Fail;
    row.overall = Overall::Misconfigured;
    row.findings = vec![
        Finding { code: Code::DnsblListed, severity: Severity::Error, detail: "".into() },
        Finding { code: Code::MxSingleIp, severity: Severity::Info, detail: "".into() },
    ];

    let mut gone = evidence(target("gone.example", Subject::Domain(name("gone.example"))));
    gone.mx = Some(absent(Denial::Nxdomain));
    let gone = Judged { evidence: gone, rows: vec![assessment(Verdict::Na, Overall::Na)] };

    let mut null = evidence(target("null.example", Subject::Domain(name("null.example"))));
    null.mx = Some(seen(vec![Mx { preference: 0, exchange: Name::root() }]));
    null.routes.push(Route {
        preference: Some(0),
        exchange: Some(Arc::new(Exchange {
            name: Name::root(),
            addresses: Introduced::not_asked(Cause::NotAsked).addresses,
            organisation: Observed::NotAsked(Cause::NotAsked),
            domains: Vec::new(),
        })),
        hosts: Vec::new(),
    });
    let row = Assessment { route: Some(0), ..assessment(Verdict::Na, Overall::Na) };
    let null = Judged { evidence: null, rows: vec![row] };

    let mut silent = target("198.51.100.0/24", Subject::Address("198.51.100.7".parse().unwrap()));
    silent.from_network = true;
    silent.line = None;
    let mut silent = evidence(silent);
    let mut closed = host("198.51.100.7");
    closed.session = Session::none(25, ConnectStatus::Timeout);
    closed.ptr = Observed::failed(Cause::Servfail);
    closed.forward.clear();
    closed.introduction = None;
    closed.introduced = Introduced::not_asked(Cause::NoIntroduction);
    closed.listings.clear();
    silent.routes.push(Route { preference: None, exchange: None, hosts: vec![Arc::new(closed)] });
    let row = Assessment {
        route: Some(0),
        host: Some(0),
        unknown_why: vec![(Rule::Introduces, Cause::ConnectTimeout), (Rule::Reverse, Cause::Servfail)],
        ..assessment(Verdict::Unknown, Overall::Undetermined)
    };
    let silent = Judged { evidence: silent, rows: vec![row] };

    let subject = Subject::Observed { address: "192.0.2.9".parse().unwrap(), helo: "-x'\u{9b}".into() };
    let mut observed = evidence(target("192.0.2.9", subject));
    let mut client = host("192.0.2.9");
    client.basis = Basis::Observed;
    client.session = Session::none(25, ConnectStatus::NotAsked);
    client.introduction = Some(Introduction {
        text: "-x'\\xC2\\x9B".into(),
        by: IntroducedBy::Observed,
        class: IntroductionClass::IllegalChar,
    });
    observed.routes.push(Route { preference: None, exchange: None, hosts: vec![Arc::new(client)] });
    let row = Assessment { route: Some(0), host: Some(0), ..assessment(Verdict::Fail, Overall::Misconfigured) };
    let observed = Judged { evidence: observed, rows: vec![row] };

    vec![good, listed, gone, null, silent, observed]
}
