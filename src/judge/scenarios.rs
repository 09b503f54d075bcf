//! Every kind of server that one scan can tell, with its verdicts and its codes.
//! Comes in: scenes. Goes out: nothing but proof.
//! Over 400 lines: nearly all of it is one table, a row for each kind of server.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::scene::*;
use crate::model::address::Special;
use crate::model::dnsbl::{Health, ListClass, Quorum};
use crate::model::evidence::{Exchange, Forward, Introduced, Route};
use crate::model::finding::Code::{self, *};
use crate::model::history::Fact;
use crate::model::introduction::Introduction;
use crate::model::name::Name;
use crate::model::observed::{Absence, Denial, Failure, Observed};
use crate::model::smtp::{NameAt, Protocol, Session, Tls};
use crate::model::target::Receiver;
use crate::model::texts::Texts;
use crate::model::words::{Basis, Cause, CertTrust, ConnectStatus, IntroducedBy, Overall, Profile, PtrClass, Rule};
use crate::model::words::{Severity, SmtpStatus, TlsStatus, Verdict};

const FAILED: Cause = Cause::Servfail;

/// A number, what is different, the verdicts as `R1 R2 R3 R4 RV R5 MX`, the codes.
type Case = (u8, fn(&mut Scene), &'static str, &'static [Code]);

fn dead(connect: ConnectStatus) -> Session {
    Session::none(25, connect)
}

fn ended(status: SmtpStatus, cause: Cause) -> Session {
    Session { status, cause: Some(cause), connect_ms: Some(3), elapsed_ms: 45_003, ..dead(ConnectStatus::Open) }
}

/// The domain's only exchange has no server to talk to.
fn unserved(scene: &mut Scene, exchange: Exchange) {
    let own = exchange.name.clone();
    scene.evidence.mx = Some(seen(vec![crate::model::dns::Mx { preference: 10, exchange: own }]));
    scene.evidence.routes = vec![Route { preference: Some(10), exchange: Some(Arc::new(exchange)), hosts: vec![] }];
}

fn special(scene: &mut Scene, address: &str, kind: Special) {
    let own = scene.own();
    scene.evidence.routes = vec![route(10, &own, address)];
    scene.ends(dead(ConnectStatus::Special));
    let host = scene.host();
    host.special = Some(kind);
    host.ptr = Observed::NotAsked(Cause::SpecialAddress);
    host.forward.clear();
    host.listings.clear();
}

const ONE_SERVER: &[Case] = &[
    (1, |_| {}, "PPPPPPP", &[]),
    (
        3,
        |s| {
            let own = s.own();
            let greeting = s.greets(220, &[&own, &own], Some(&own)).greeting.as_mut().unwrap();
            (greeting.first_line_ms, greeting.complete_ms) = (8, 6_010);
        },
        "PPPPPPP",
        &[GreetingTeaser],
    ),
    (
        4,
        |s| {
            s.greets(220, &["ESMTP"], None);
            s.host().introduction = s.host().ehlo.take();
        },
        "PPPPPPP",
        &[GreetingNoName],
    ),
    (
        5,
        |s| {
            let session = s.greets(220, &["****************"], None);
            session.greeted.masked = true;
            session.extensions = Texts::none();
            session.masked_starttls = true;
            s.host().introduction = s.host().ehlo.take();
        },
        "PPPPPPP",
        &[GreetingMasked, SmtpStarttlsMasked],
    ),
    (
        6,
        |s| {
            let mut session = s.greets(220, &["ESMTP"], None).clone();
            session.ehlo = Some(reply(250, &["Hello there", "STARTTLS"]));
            session.ehlo_name = None;
            session.ehlo_not_name = Some("Hello".into());
            s.ends(session);
        },
        "FNNNPPP",
        &[GreetingNoName, EhloNameNotDomain],
    ),
    (7, |s| s.mumbles("WIN-7Q2KD8FA1"), "PFNNPPP", &[HeloNotFqdn]),
    (8, |s| s.mumbles("localhost.localdomain"), "PFNNPPP", &[HeloLocalhost]),
    (9, |s| s.mumbles("[198.51.100.9]"), "PFNNPPP", &[HeloIsAddressLiteral]),
    (10, |s| s.mumbles("[10.0.0.5]"), "PFNFPPP", &[HeloLiteralSpecial, HeloLiteralMismatch]),
    (11, |s| s.mumbles("198.51.100.11"), "PFNNPPP", &[HeloBareIp]),
    (12, |s| s.mumbles("postmaster@s12.lab.test"), "PFNNPPP", &[HeloIsEmailAddress]),
    (
        13,
        |s| s.says("mail_out.s13.lab.test", v4("198.51.100.13"), Observed::NotAsked(Cause::NotAsked)),
        "PFPPPPP",
        &[HeloUnderscore, PtrHeloDiffers],
    ),
    (14, |s| s.mumbles("exch01.s14.local"), "PFFNPPP", &[HeloSpecialUse]),
    (
        15,
        |s| s.says("mail.s15.nosuchtld99", nxdomain(), nxdomain()),
        "PFFNPPP",
        &[HeloUnknownTld, HeloNxdomain, PtrHeloDiffers],
    ),
    (16, |s| s.says("smtp.s16.lab.test", nxdomain(), nxdomain()), "PPFNPPP", &[HeloNxdomain, PtrHeloDiffers]),
    (17, |s| s.says("smtp.s17.lab.test", nodata(), nodata()), "PPFNPPP", &[HeloNodata, PtrHeloDiffers]),
    (
        18,
        |s| {
            let own = s.own();
            s.says(&own, v4("203.0.113.18"), nodata());
            s.reverse("h18.other.test");
        },
        "PPPFPPP",
        &[HeloForwardMismatch, PtrHeloDiffers],
    ),
    (
        19,
        |s| {
            s.says("mx.s19.lab.test", v4("203.0.113.19"), nodata());
            s.reverse("n1.s19.lab.test");
        },
        "PPPPPPP",
        &[HeloForwardMismatchSameOrg, PtrHeloDiffers],
    ),
    (
        20,
        |s| {
            let own = s.own();
            s.says(&own, v4("10.1.2.3"), nodata());
        },
        "PPPFPPP",
        &[HeloAddressSpecial],
    ),
    (
        21,
        |s| {
            let address = "198.51.100.21".parse().unwrap();
            s.says("smtp.s21.lab.test", via(vec![address], &["mail.s21.lab.test"]), nodata());
        },
        "PPPPPPP",
        &[HeloIsCname, PtrHeloDiffers],
    ),
    (
        22,
        |s| s.says("mail.broken.test", Observed::failed(FAILED), Observed::failed(FAILED)),
        "PPUUPPP",
        &[HeloDnsFailure, PtrHeloDiffers],
    ),
    (
        24,
        |s| s.says("mail.expired.test", Observed::failed(Cause::Bogus), Observed::failed(Cause::Bogus)),
        "PPFNPPP",
        &[HeloDnssecBogus, PtrHeloDiffers],
    ),
    (
        25,
        |s| {
            let mx = seen(vec![crate::model::dns::Mx { preference: 10, exchange: name("mail.s25.lab.test") }]);
            s.says("s25.lab.test", nodata(), mx);
        },
        "PPPFPPP",
        &[HeloNoAddress, PtrHeloDiffers],
    ),
    (
        26,
        |s| {
            s.host().ptr = denied_by("100.51.198.in-addr.arpa");
            s.host().forward.clear();
        },
        "PPPPFPP",
        &[PtrMissing],
    ),
    (
        27,
        |s| {
            s.host().ptr = denied_by("198.in-addr.arpa");
            s.host().forward.clear();
        },
        "PPPPFPP",
        &[PtrZoneMissing],
    ),
    (
        28,
        |s| {
            s.host().ptr = Observed::failed(Cause::Lame);
            s.host().forward.clear();
        },
        "PPPPUPP",
        &[PtrZoneLame],
    ),
    (
        29,
        |s| s.host().ptr = via(vec![name("mail.s29.lab.test")], &["29.0-31.100.51.198.in-addr.arpa"]),
        "PPPPPPP",
        &[PtrCname],
    ),
    (
        30,
        |s| {
            let aliases = vec![name("30.0-31.100.51.198.in-addr.arpa")];
            s.host().ptr = Observed::Absent(Absence { how: Denial::Nxdomain, zone: None, aliases });
            s.host().forward.clear();
        },
        "PPPPFPP",
        &[PtrCnameBroken],
    ),
    (31, |s| s.host().forward[0].addresses = seen(vec![ip("203.0.113.31")]), "PPPPFPP", &[FcrdnsMismatch]),
    (
        32,
        |s| {
            let address = s.host().address;
            let names = ["a.s32.lab.test", "b.other.test", "mail.s32.lab.test"];
            s.host().ptr = seen(names.iter().map(|text| name(text)).collect());
            let forward = |text: &&str| Forward { name: name(text), addresses: seen(vec![ip("203.0.113.32")]) };
            s.host().forward = names.iter().map(forward).collect();
            s.host().forward[2].addresses = seen(vec![address]);
        },
        "PPPPPPP",
        &[PtrMultiOrg, PtrMultiple],
    ),
    (
        33,
        |s| {
            s.reverse("dsl-198-51-100-33.pool.isp.test");
            s.listed(3, "127.0.0.2");
        },
        "PPPPFPP",
        &[DynamicAddressSpace, PtrDynamic, PtrHeloDiffers, DnsblPolicyListed],
    ),
    (34, |s| s.reverse("34.100.51.198.static.isp.test"), "PPPPPPP", &[PtrGeneric, PtrHeloDiffers]),
    (
        37,
        |s| {
            let address: Ipv4Addr = "198.51.100.37".parse().unwrap();
            s.exchange().addresses.v4 = via(vec![address], &["mail.s37.lab.test"]);
        },
        "PPPPPPF",
        &[MxIsCname],
    ),
    (
        38,
        |s| {
            let (v4, v6) = (Observed::NotAsked(Cause::NotAsked), Observed::NotAsked(Cause::NotAsked));
            unserved(s, exchange("198.51.100.38", v4, v6));
        },
        "NNNNNNF",
        &[MxIsIpLiteral],
    ),
    (
        40,
        |s| {
            s.mx(&[(0, "")]);
            s.evidence.routes[0].exchange =
                Some(Arc::new(Exchange { name: Name::root(), ..exchange("x", nodata(), nodata()) }));
            s.evidence.routes[0].hosts.clear();
        },
        "NNNNNNN",
        &[MxNull],
    ),
    (42, |s| special(s, "192.168.7.42", Special::Private), "NNNNNNF", &[MxPrivateAddress]),
    (43, |s| special(s, "127.0.0.1", Special::Loopback), "NNNNNNF", &[MxLoopbackAddress]),
    (
        44,
        |s| {
            s.evidence.mx = Some(nodata());
            s.exchange().name = name("s44.lab.test");
        },
        "PPPPPPP",
        &[MxImplicit],
    ),
    (
        45,
        |s| {
            let mut gone = exchange("mail.gone.test", nxdomain(), nxdomain());
            gone.organisation = nxdomain();
            unserved(s, gone);
        },
        "NNNNNNF",
        &[MxTargetNxdomain, MxDangling],
    ),
    (47, |s| s.ends(dead(ConnectStatus::Timeout)), "UUUUPPU", &[MxAllUnreachable, ConnectTimeout]),
    (
        48,
        |s| {
            s.evidence.mx = Some(Observed::failed(FAILED));
            s.evidence.routes.clear();
        },
        "UUUUUUU",
        &[MxDnsFailure],
    ),
    (49, |s| s.listed(0, "127.0.0.2"), "PPPPPFP", &[DnsblListed]),
    (50, |s| s.listed(1, "127.0.0.2"), "PPPPPPP", &[DnsblListedMinor]),
    (
        51,
        |s| {
            s.policy.health[0] = Health::Refused(Ipv4Addr::new(127, 255, 255, 254));
            s.listed(0, "127.255.255.254");
        },
        "PPPPPUP",
        &[DnsblQuorumMissed, DnsblRefused],
    ),
    (
        52,
        |s| {
            s.policy.health[1] = Health::Untrustworthy("lists what must not be listed".into());
            s.listed(1, "127.0.0.2");
        },
        "PPPPPPP",
        &[DnsblZoneUnhealthy],
    ),
    (
        53,
        |s| {
            s.policy.health[1] = Health::Untrustworthy("answers outside 127/8".into());
            s.listed(1, "203.0.113.80");
        },
        "PPPPPPP",
        &[DnsblZoneUnhealthy, DnsblAnswerInvalid],
    ),
    (
        54,
        |s| {
            let own = s.own();
            s.greets(554, &[&own, "blocked using bl1, 203.0.113.250"], Some(&own)).greeted.about_us = true;
        },
        "UUUUPPP",
        &[GreetingScannerBlocked],
    ),
    (56, |s| s.ends(ended(SmtpStatus::Deadline, Cause::Tarpit)), "UUUUPPP", &[SmtpTarpit]),
    (57, |s| s.ends(ended(SmtpStatus::TooLong, Cause::TooLong)), "UUUUPPP", &[GreetingEndless]),
    (58, |s| s.host().session.greeting.as_mut().unwrap().oddities.bare_lf = true, "PPPPPPP", &[GreetingBareLf]),
    (
        59,
        |s| {
            let mut session = ended(SmtpStatus::Protocol, Cause::Malformed);
            session.greeting = Some(reply(0, &["SSH-2.0-OpenSSH_9.6"]));
            session.greeted.protocol = Some(Protocol::Ssh);
            s.ends(session);
        },
        "FNNNPPP",
        &[GreetingWrongProtocol],
    ),
    (60, |s| s.ends(ended(SmtpStatus::NoGreeting, Cause::GreetingNone)), "UUUUPPP", &[GreetingNone]),
    (
        61,
        |s| {
            let own = s.own();
            let session = &mut s.host().session;
            session.ehlo = Some(reply(502, &["not implemented"]));
            session.helo = Some(reply(250, &[&own]));
            session.extensions = Texts::none();
        },
        "PPPPPPP",
        &[EhloRejected],
    ),
    (
        62,
        |s| {
            s.host().session.ehlo_name = Some("web9.hoster.test".into());
            s.host().ehlo = Some(introduction("web9.hoster.test", IntroducedBy::Ehlo));
        },
        "PPPPPPP",
        &[GreetingEhloNameDiffers],
    ),
    (
        69,
        |s| {
            s.listed(0, "127.0.0.2");
            let before = Fact::FaultyAndListed(s.host().address);
            s.knows(&[(before, 86_400_000)]);
        },
        "PPPPPFP",
        &[DnsblListed, DnsblStaleSuspect],
    ),
    (63, |s| s.host().session.tls.status = TlsStatus::HandshakeFailed, "PPPPPPP", &[SmtpStarttlsFailed]),
    (
        64,
        |s| s.certificate(&["*.s64.lab.test"], CertTrust::SelfSigned, NOW / 1000 - 1),
        "PPPPPPP",
        &[TlsCertExpired, TlsCertUntrusted],
    ),
    (
        65,
        |s| {
            let mut session = s.greets(521, &["host does not accept mail"], None).clone();
            session.greeted.no_service = true;
            s.ends(session);
        },
        "NNNNPPP",
        &[GreetingNoService],
    ),
    (
        71,
        |s| {
            let oddities = &mut s.host().session.greeting.as_mut().unwrap().oddities;
            (oddities.control, oddities.non_ascii) = (true, true);
        },
        "PPPPPPP",
        &[GreetingNonAscii, GreetingControlChars],
    ),
    (72, |s| s.ends(ended(SmtpStatus::Deadline, Cause::GreetingTimeout)), "UUUUPPP", &[GreetingTimeout]),
    // Beyond the numbered ones.
    (101, |s| s.mumbles("[198.51.100.7]"), "PFNFPPP", &[HeloLiteralMismatch, HeloIsAddressLiteral]),
    (102, |s| s.says("co.uk", v4("198.51.100.102"), nodata()), "PFPPPPP", &[HeloPublicSuffix, PtrHeloDiffers]),
    (103, |s| s.says("lab.test", v4("198.51.100.103"), nodata()), "PPPPPPP", &[HeloApexDomain, PtrHeloDiffers]),
    (
        104,
        |s| {
            let looped = || denied(Denial::AliasLoop);
            s.says("loop.s.lab.test", looped(), denied(Denial::AliasLoop));
        },
        "PPFNPPP",
        &[HeloCnameBroken, PtrHeloDiffers],
    ),
    (
        105,
        |s| {
            // The peer's own family is all that R4 needs.
            s.host().introduced.addresses.v6 = Observed::failed(Cause::Timeout);
        },
        "PPPPPPP",
        &[HeloDnsFailure],
    ),
    (
        106,
        |s| {
            s.host().introduced.addresses.v4 = Observed::failed(Cause::Timeout);
            s.host().introduced.addresses.v6 = v6("2001:db8:25::6");
        },
        "PPPUPPP",
        &[HeloDnsFailure],
    ),
    (
        107,
        |s| {
            s.host().forward[0].addresses = Observed::failed(Cause::Timeout);
        },
        "PPPPUPP",
        &[FcrdnsUnknown],
    ),
    (108, |s| s.host().forward[0].addresses = nxdomain(), "PPPPFPP", &[FcrdnsTargetNxdomain]),
    (
        109,
        |s| {
            s.host().ptr = seen(vec![name("localhost")]);
            s.host().forward.clear();
        },
        "PPPPFPP",
        &[PtrInvalidName],
    ),
    (110, |s| s.host().ptr = Observed::failed(Cause::Timeout), "PPPPUPP", &[PtrDnsFailure]),
    (111, |s| s.listed(1, "127.0.0.9"), "PPPPPFP", &[DnsblOpenRelay, DnsblListedMinor]),
    (
        112,
        |s| {
            s.listed(1, "127.0.0.2");
            s.listed(2, "127.0.0.2");
        },
        "PPPPPFP",
        &[DnsblListed],
    ),
    (
        113,
        |s| {
            s.listed(0, "127.0.0.77");
            s.listed(4, "127.0.0.2");
        },
        "PPPPPPP",
        &[DnsblAllowListed, DnsblUnknownCode],
    ),
    (114, |s| s.listed(1, "127.0.0.1"), "PPPPPPP", &[DnsblAnswerInvalid]),
    (
        115,
        |s| {
            // A weighty listing is a fact, however few lists answered.
            s.host().listings.iter_mut().for_each(|listing| listing.codes = Observed::failed(Cause::Timeout));
            s.listed(0, "127.0.0.2");
        },
        "PPPPPFP",
        &[DnsblListed],
    ),
    (116, |s| s.host().listings.clear(), "PPPPPUP", &[]),
    (
        117,
        |s| {
            let own = s.own();
            s.greets(421, &[&own], Some(&own));
        },
        "UUUUPPP",
        &[GreetingNot220],
    ),
    (
        118,
        |s| {
            let own = s.own();
            s.greets(221, &[&own], Some(&own));
        },
        "PPPPPPP",
        &[GreetingNot220],
    ),
    (
        119,
        |s| {
            let mut session = ended(SmtpStatus::Protocol, Cause::Malformed);
            session.greeting = Some(reply(0, &["Permission denied"]));
            s.ends(session);
        },
        "FNNNPPP",
        &[GreetingBadSyntax],
    ),
    (
        120,
        |s| {
            let mut session = s.greets(220, &["***"], None).clone();
            session.greeted.masked = true;
            session.ehlo = None;
            session.cause = Some(Cause::Closed);
            s.ends(session);
        },
        "UUUUPPP",
        &[GreetingMasked],
    ),
    (
        121,
        |s| {
            // Whether EHLO would have named the host is not known.
            let mut session = s.greets(220, &["ESMTP"], None).clone();
            session.ehlo = None;
            session.cause = Some(Cause::Closed);
            s.ends(session);
        },
        "UUUUPPP",
        &[GreetingNoName],
    ),
    (
        151,
        |s| {
            // Our own fault after the greeting takes nothing back of what was said.
            s.host().session.cause = Some(Cause::SelfFault);
            s.host().session.ehlo = None;
            s.host().ehlo = None;
        },
        "PPPPPPP",
        &[],
    ),
    (122, |s| s.ends(dead(ConnectStatus::SelfFault)), "UUUUPPP", &[]),
    (123, |s| s.ends(dead(ConnectStatus::NotAsked)), "UUUUPPP", &[]),
    (124, |s| s.ends(dead(ConnectStatus::Excluded)), "NNNNNNP", &[ScannerExcluded]),
    (125, |s| s.evidence.target.excluded = true, "NNNNNNN", &[ScannerExcluded]),
    (
        126,
        |s| {
            s.evidence.mx = Some(nxdomain());
            s.evidence.routes.clear();
        },
        "NNNNNNF",
        &[MxNxdomain],
    ),
    (
        127,
        |s| {
            s.evidence.mx = Some(nodata());
            unserved_implicit(s);
        },
        "NNNNNNN",
        &[MxNone],
    ),
    (128, |s| unserved(s, exchange("mail.s128.lab.test", nodata(), nodata())), "NNNNNNF", &[MxTargetNodata]),
    (
        129,
        |s| unserved(s, exchange("mail.s129.lab.test", Observed::failed(FAILED), nodata())),
        "UUUUUUU",
        &[MxTargetDnsFailure],
    ),
    (
        130,
        |s| {
            s.mx(&[(10, "mail_in.lab.test")]);
            s.exchange().name = name("mail_in.lab.test");
        },
        "PPPPPPF",
        &[MxBadName],
    ),
    (
        131,
        |s| {
            let both = ["198.51.100.131", "10.0.0.1"].map(|text| text.parse().unwrap());
            s.exchange().addresses.v4 = seen(both.to_vec());
        },
        "PPPPPPP",
        &[MxMixedSpecial],
    ),
    (
        132,
        |s| {
            // No PTR was asked for: whether the pool excuse holds is not known.
            let own = s.own();
            s.says(&own, v4("203.0.113.132"), nodata());
            s.host().ptr = Observed::NotAsked(Cause::NotAsked);
            s.host().forward.clear();
        },
        "PPPUUPP",
        &[],
    ),
    (
        133,
        |s| {
            s.host().session.quit_code = None;
            s.host().session.auth = ["LOGIN"].into();
            s.host().session.desynchronised = true;
            s.host().session.bad_keyword = true;
            s.host().session.greeted.at = NameAt::Later;
        },
        "PPPPPPP",
        &[GreetingNameNotFirst, SmtpAuthCleartext, SmtpDesync, SmtpEhloBadKeyword, SmtpQuitNo221],
    ),
    (134, |s| s.host().session.greeting.as_mut().unwrap().complete_ms = 31_000, "PPPPPPP", &[GreetingSlow]),
    (
        135,
        |s| {
            s.host().introduced = Introduced::not_asked(Cause::NotAsked);
        },
        "PPUUPPP",
        &[],
    ),
    (136, |s| s.ends(dead(ConnectStatus::Unreachable)), "UUUUPPU", &[MxAllUnreachable, ConnectUnreachable]),
    (137, |s| s.ends(dead(ConnectStatus::Reset)), "UUUUPPP", &[ConnectReset]),
    (
        138,
        |s| {
            let oddities = &mut s.host().session.greeting.as_mut().unwrap().oddities;
            (oddities.no_separator, oddities.bare_code) = (true, true);
            (oddities.long_line, oddities.mixed_codes) = (true, true);
        },
        "PPPPPPP",
        &[GreetingNoSeparator, GreetingBareCode, GreetingLineTooLong, GreetingCodeMixed],
    ),
    (
        139,
        |s| {
            let session = &mut s.host().session;
            session.ehlo = Some(reply(250, &["PIPELINING"]));
            session.extensions = Texts::none();
            (session.ehlo_name, session.ehlo_not_name) = (None, Some("PIPELINING".into()));
            s.host().ehlo = None;
        },
        "PPPPPPP",
        &[SmtpNoStarttls, EhloNameMissing],
    ),
    (
        140,
        |s| {
            let session = &mut s.host().session;
            session.ehlo = Some(reply(550, &["go away"]));
            session.helo = Some(reply(550, &["go away"]));
        },
        "UUUUPPP",
        &[EhloHeloRejected],
    ),
    (
        141,
        |s| {
            let session = &mut s.host().session;
            session.ehlo = Some(reply(502, &["no"]));
            session.helo = Some(reply(250, &["mail.s141.lab.test", "SIZE"]));
        },
        "PPPPPPP",
        &[EhloRejected, HeloExtendedReply],
    ),
    (
        142,
        |s| {
            s.evidence.mx = Some(via(vec![], &["other.lab.test"]));
            s.exchange().name = name("s142.lab.test");
        },
        "PPPPPPP",
        &[MxImplicit, MxDomainIsCname],
    ),
    (143, |s| special(s, "198.18.0.1", Special::Benchmarking), "NNNNNNF", &[MxSpecialAddress]),
    (
        144,
        |s| {
            let own = s.own();
            s.mx(&[(10, &own), (20, &own)]);
            s.evidence.capped = true;
        },
        "PPPPPPP",
        &[MxTooMany, MxDuplicate],
    ),
    (145, |s| s.certificate(&["mail.other.test"], CertTrust::Trusted, NOW / 1000 + 1), "PPPPPPP", &[TlsCertName]),
    (
        146,
        |s| {
            let mut lists = s.policy.lists.to_vec();
            lists[3].codes[0].class = ListClass::Network;
            lists[4].codes[0].class = ListClass::Attack;
            s.policy.lists = lists.into();
            s.listed(3, "127.0.0.2");
            s.listed(4, "127.0.0.2");
        },
        "PPPPPPP",
        &[DnsblAttackListed, DnsblNetworkListed],
    ),
    (
        147,
        |s| {
            // One PTR name is no host name, the other is, and leads back.
            s.host().ptr = seen(vec![name("localhost"), name("mail.s147.lab.test")]);
        },
        "PPPPPPP",
        &[PtrInvalidName, PtrMultiple],
    ),
    (
        148,
        |s| {
            // 421 to STARTTLS: the server has closed, and QUIT finds nobody.
            let session = &mut s.host().session;
            (session.status, session.cause) = (SmtpStatus::Deferred, Some(Cause::Deferred));
            session.tls = Tls::none(TlsStatus::Refused);
            session.quit_code = None;
        },
        "PPPPPPP",
        &[],
    ),
];

/// Introductions that are no names to look up, or names that are no FQDN; all of the latter exist and match.
const NAMES: &[(&str, &str, Code)] = &[
    ("[8.8.4.4", "PFNN", HeloLiteralMalformed),
    ("http://mail.ietf.org", "PFNN", HeloIsUrl),
    ("mail.ietf.org:25", "PFNN", HeloHasPort),
    ("$myhostname", "PFNN", HeloIllegalChar),
    ("müller.de", "PFNN", HeloULabel),
    (".mail.ietf.org", "PFNN", HeloEmptyLabel),
    ("mail.lan", "PFFN", HeloPrivateTld),
    ("mail.ietf.org.", "PPPP", HeloTrailingDot),
    ("-mail.ietf.org", "PFPP", HeloHyphenEdge),
    ("ab--cd.ietf.org", "PPPP", HeloReservedLdh),
    ("xn--mail.ietf.org", "PFPP", HeloBadALabel),
    ("8.8.4", "PFPP", HeloNumericTld),
    ("mail.example.com", "PFPP", HeloExampleDomain),
    ("mail.yourdomain.com", "PPPP", HeloPlaceholder),
    ("4.4.8.8.in-addr.arpa", "PFPP", HeloReverseZone),
    ("github.io", "PPPP", HeloPublicSuffix),
];

/// A server that says this, which exists and matches if anybody can look it up.
fn saying(bytes: &[u8]) -> Scene {
    let mut scene = Scene::good(150);
    scene.host().introduction = Some(Introduction::new(bytes, IntroducedBy::Greeting, NAMING));
    scene.host().ehlo = None;
    scene
}

#[test]
fn every_class_of_name_has_its_code_and_only_some_are_looked_up() {
    for (text, verdicts, code) in NAMES {
        let row = saying(text.as_bytes()).row();
        assert_eq!(letters(&row).get(..4), Some(*verdicts), "{text}: {:#?}", row.findings);
        assert!(codes(&row).contains(code), "{text}: {:#?}", row.findings);
    }
    let x = |count| "x".repeat(count);
    let long = format!("{}org", format!("{}.", x(60)).repeat(5));
    let label = format!("{}.ietf.org", x(64));
    for (bytes, code) in [
        (b"m\xFCller.de".as_slice(), HeloIllegalOctet),
        (long.as_bytes(), HeloNameTooLong),
        (label.as_bytes(), HeloLabelTooLong),
    ] {
        let row = saying(bytes).row();
        assert_eq!(letters(&row).get(..4), Some("PFNN"), "{code}");
        assert!(codes(&row).contains(&code), "{code}: {:#?}", row.findings);
    }
}

/// A client that a receiver has recorded, called this; the name exists and leads elsewhere.
fn receiver(helo: &str) -> Scene {
    let mut scene = Scene::observed(67, "203.0.113.67", helo);
    scene.host().introduced.addresses.v4 = v4("203.0.113.254");
    scene.policy.receivers = vec![Receiver::Name(name("mx.receiver.test")), Receiver::Address(ip("203.0.113.254"))];
    scene
}

#[test]
fn a_reverse_name_that_leads_next_door_is_no_match_and_says_so() {
    for (leads, said) in [("198.51.100.9", "in the same network"), ("203.0.113.9", "mail.s31.lab.test")] {
        let mut scene = Scene::good(31);
        scene.host().forward[0].addresses = seen(vec![ip(leads)]);
        let row = scene.row();
        let finding = row.findings.iter().find(|finding| finding.code == FcrdnsMismatch).unwrap();
        assert!(finding.detail.ends_with(said), "{}", finding.detail);
        assert_eq!(row.verdict(Rule::Reverse), Verdict::Fail);
    }
}

#[test]
fn a_client_that_calls_itself_the_receiver_forges() {
    for helo in ["mx.receiver.test", "receiver.test", "[203.0.113.254]", "203.0.113.254"] {
        let row = receiver(helo).row();
        assert_eq!(row.verdict(Rule::Fqdn), Verdict::Fail, "{helo}");
        assert!(codes(&row).contains(&HeloIsReceiverName), "{helo}: {:#?}", row.findings);
    }
    for helo in ["mta.receiver.test", "notreceiver.test", "[203.0.113.25]"] {
        assert!(!codes(&receiver(helo).row()).contains(&HeloIsReceiverName), "{helo}");
    }
}

#[test]
fn a_name_is_a_wildcards_only_where_its_sibling_has_the_same_addresses() {
    for (sibling, wildcard) in [
        (seen(vec![ip("198.51.100.151")]), true),
        (seen(vec![ip("198.51.100.151"), ip("198.51.100.152")]), false),
        (seen(Vec::new()), false),
        (nxdomain(), false),
        (Observed::failed(FAILED), false),
    ] {
        let mut scene = Scene::good(151);
        scene.host().introduced.sibling = sibling;
        let row = scene.row();
        assert_eq!(codes(&row).contains(&HeloWildcard), wildcard, "{:#?}", row.findings);
        assert_eq!(letters(&row), "PPPPPPP");
    }
}

fn unserved_implicit(scene: &mut Scene) {
    let own = exchange("s127.lab.test", nodata(), nodata());
    scene.evidence.routes = vec![Route { preference: Some(0), exchange: Some(Arc::new(own)), hosts: vec![] }];
}

#[test]
fn every_server_that_one_scan_can_tell_is_told() {
    for (n, change, verdicts, expected) in ONE_SERVER {
        let mut scene = Scene::good(*n);
        change(&mut scene);
        let row = scene.row();
        assert_eq!(letters(&row), *verdicts, "S{n}: {:#?} {:?}", row.findings, row.unknown_why);
        assert_eq!(codes(&row), *expected, "S{n}: {:#?}", row.findings);
    }
}

fn rows(scene: &Scene) -> Vec<(String, Vec<Code>)> {
    scene.judged().rows.iter().map(|row| (letters(row), codes(row))).collect()
}

fn is(verdicts: &str, codes: &[Code]) -> (String, Vec<Code>) {
    (verdicts.to_owned(), codes.to_vec())
}

/// The scene's exchange in both families, each with its own server.
fn dual(n: u8) -> Scene {
    let mut scene = Scene::good(n);
    let (own, six) = (scene.own(), format!("2001:db8:25::{n}"));
    scene.exchange().addresses.v6 = v6(&six);
    scene.host().introduced.addresses.v6 = v6(&six);
    let mut other = host(ip(&six), &own);
    other.introduced = scene.host().introduced.clone();
    scene.route(0).hosts.push(Arc::new(other));
    scene
}

fn second(scene: &mut Scene) -> &mut crate::model::evidence::Host {
    Arc::make_mut(&mut scene.route(0).hosts[1])
}

#[test]
fn each_address_family_has_its_own_row() {
    assert_eq!(rows(&dual(2)), [is("PPPPPPP", &[]), is("PPPPPPP", &[])]);

    let mut scene = dual(35);
    second(&mut scene).ptr = denied_by("5.2.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    second(&mut scene).forward.clear();
    assert_eq!(rows(&scene), [is("PPPPPPP", &[]), is("PPPPFPP", &[PtrMissing])]);

    let mut scene = dual(36);
    second(&mut scene).introduced.addresses.v6 = nodata();
    assert_eq!(rows(&scene), [is("PPPPPPP", &[]), is("PPPFPPP", &[HeloFamilyMissing])]);
}

#[test]
fn an_ipv6_peer_is_judged_by_lists_with_ipv6_alone() {
    let mut scene = dual(36);
    // bl3 has no IPv6, so bl1 and bl2 carry the quorum of 1.5; without bl2 it is missed there and reached for IPv4.
    scene.policy.health[1] = Health::Silent(Cause::Timeout);
    let expected = [is("PPPPPPP", &[DnsblZoneUnhealthy]), is("PPPPPUP", &[DnsblQuorumMissed, DnsblZoneUnhealthy])];
    assert_eq!(rows(&scene), expected);
    let judged = scene.judged();
    assert_eq!(judged.rows[1].lists_unknown, ["bl2.lab.test=timeout".into()]);
    assert_eq!(judged.rows[1].unknown_why, [(Rule::Unlisted, Cause::QuorumMissed)]);
}

/// Two exchanges, the second good.
fn backed(n: u8) -> Scene {
    let mut scene = Scene::good(n);
    let own = scene.own();
    scene.mx(&[(10, &own), (20, "backup.lab.test")]);
    scene.evidence.routes.push(route(20, "backup.lab.test", "203.0.113.20"));
    scene
}

#[test]
fn the_verdict_on_mx_data_is_the_domains_and_stands_in_all_its_rows() {
    let mut scene = backed(39);
    scene.route(0).hosts.clear();
    scene.exchange().addresses = crate::model::dns::Addresses { v4: nxdomain(), v6: nxdomain() };
    assert_eq!(rows(&scene), [is("NNNNNNF", &[MxTargetNxdomain]), is("PPPPPPF", &[])]);

    let mut scene = backed(41);
    scene.mx(&[(0, ""), (20, "backup.lab.test")]);
    scene.exchange().name = Name::root();
    scene.route(0).hosts.clear();
    assert_eq!(rows(&scene), [is("NNNNNNF", &[MxNullPlusOthers]), is("PPPPPPF", &[MxNullPlusOthers])]);
}

#[test]
fn a_dead_primary_is_told_from_a_dead_backup() {
    let mut scene = backed(46);
    scene.ends(dead(ConnectStatus::Refused));
    let expected = [is("UUUUPPP", &[ConnectRefused, MxPrimaryUnreachable]), is("PPPPPPP", &[MxPrimaryUnreachable])];
    assert_eq!(rows(&scene), expected);

    let mut scene = backed(46);
    scene.host_of(1).session = dead(ConnectStatus::Refused);
    let expected = [is("PPPPPPP", &[]), is("UUUUPPP", &[ConnectRefused, MxBackupUnreachable])];
    assert_eq!(rows(&scene), expected);

    let mut scene = backed(46);
    scene.ends(dead(ConnectStatus::Refused));
    scene.host_of(1).session = dead(ConnectStatus::NotAsked);
    let codes: Vec<Code> = scene.judged().rows.iter().flat_map(codes).collect();
    assert_eq!(codes, [ConnectRefused], "what was not tried is not dead");
}

#[test]
fn an_observed_client_has_no_excuse() {
    let scene = Scene::observed(66, "203.0.113.66", "mta7.s66.lab.test");
    assert_eq!(rows(&scene), [is("PPPPPPN", &[])]);

    let mut scene = Scene::observed(19, "198.51.100.19", "mx.s19.lab.test");
    scene.host().introduced.addresses.v4 = v4("203.0.113.19");
    scene.reverse("n1.s19.lab.test");
    assert_eq!(rows(&scene), [is("PPPFPPN", &[HeloForwardMismatchSameOrg, PtrHeloDiffers])]);
    assert_eq!(scene.row().findings[0].severity, Severity::Error);

    let mut scene = Scene::observed(67, "203.0.113.67", "  ");
    scene.host().introduced = Introduced::not_asked(Cause::NotAsked);
    scene.reverse("mta.s67.lab.test");
    assert_eq!(rows(&scene), [is("FNNNPPN", &[HeloEmptyArgument])]);

    let mut scene = Scene::observed(68, "203.0.113.68", "gmail.com");
    scene.host().introduced.addresses.v4 = v4("203.0.113.9");
    scene.reverse("h68.isp.test");
    let forged = [HeloForeignBrand, HeloForwardMismatch, PtrHeloDiffers, HeloApexDomain];
    assert_eq!(rows(&scene), [is("PFPFPPN", &forged)]);
}

#[test]
fn the_strict_profile_lets_literals_and_reverse_names_be() {
    let mut scene = Scene::good(9);
    scene.policy.profile = Profile::Rfc5321;
    scene.mumbles("[198.51.100.9]");
    scene.host().ptr = nxdomain();
    scene.host().forward.clear();
    assert_eq!(rows(&scene), [is("PPNNNPP", &[PtrMissing, HeloIsAddressLiteral])]);
    assert_eq!(scene.row().overall, Overall::Na);
}

#[test]
fn only_the_patient_may_call_silence_a_failure() {
    let silent = |profile, elapsed_ms| {
        let mut scene = Scene::good(72);
        scene.policy.profile = profile;
        scene.ends(Session { elapsed_ms, ..ended(SmtpStatus::Deadline, Cause::GreetingTimeout) });
        letters(&scene.row())
    };
    assert_eq!(silent(Profile::Patient, 300_003), "FNNNPPP");
    assert_eq!(silent(Profile::Patient, 120_000), "UUUUPPP");
    assert_eq!(silent(Profile::Census, 300_003), "UUUUPPP");
}

#[test]
fn a_circumstance_changes_the_weight_of_a_finding() {
    let mut scene = Scene::good(62);
    scene.host().ehlo = Some(introduction("web9.s62.lab.test", IntroducedBy::Ehlo));
    assert_eq!(scene.row().findings[0].severity, Severity::Info, "one organisation");
    scene.host().ehlo = Some(introduction("web9.hoster.test", IntroducedBy::Ehlo));
    assert_eq!(scene.row().findings[0].severity, Severity::Warning, "two");
    scene.host().ehlo = Some(introduction("MAIL.s62.lab.test", IntroducedBy::Ehlo));
    assert_eq!(codes(&scene.row()), [], "case is no difference");
}

#[test]
fn causes_follow_the_chain() {
    let mut scene = Scene::good(47);
    scene.ends(dead(ConnectStatus::Timeout));
    let none = Cause::NoIntroduction;
    let chain =
        [(Rule::Introduces, Cause::ConnectTimeout), (Rule::Fqdn, none), (Rule::Exists, none), (Rule::Matches, none)];
    let row = scene.row();
    assert_eq!(row.unknown_why[..4], chain);
    assert_eq!(row.overall, Overall::Undetermined);

    let mut scene = Scene::good(22);
    scene.says("mail.broken.test", Observed::failed(FAILED), Observed::failed(FAILED));
    assert_eq!(scene.row().unknown_why, [(Rule::Exists, FAILED), (Rule::Matches, FAILED)]);
}

#[test]
fn listings_are_told_with_zone_and_code() {
    let mut scene = Scene::good(49);
    scene.listed(0, "127.0.0.2");
    scene.listed(3, "127.0.0.2");
    scene.listed(4, "127.0.0.2");
    scene.host().listings[1].codes = Observed::Failed(Failure::of(Cause::Timeout));
    scene.host().listings[0].reason = seen(vec!["see the list".into()]);
    let row = scene.row();
    assert_eq!(row.listed, ["bl1.lab.test=127.0.0.2".into(), "pbl.lab.test=127.0.0.2".into()]);
    assert_eq!(row.counted, ["bl1.lab.test".into()]);
    assert_eq!(row.lists_unknown, ["bl2.lab.test=timeout".into()]);
    let listed = row.findings.iter().find(|finding| finding.code == DnsblListed).unwrap();
    assert_eq!(&*listed.detail, "weight 1.0, mitigated by an allow list: bl1.lab.test=127.0.0.2 (see the list)");
    assert_eq!(row.overall, Overall::Misconfigured);
}

#[test]
fn the_class_of_the_reverse_name_is_unknown_only_when_the_ptr_is() {
    let class = |change: fn(&mut Scene)| {
        let mut scene = Scene::good(33);
        change(&mut scene);
        scene.row().ptr_class
    };
    assert_eq!(class(|_| {}), Some(PtrClass::Named));
    assert_eq!(class(|s| s.reverse("dsl-198-51-100-33.pool.isp.test")), Some(PtrClass::GenericDynamic));
    assert_eq!(
        class(|s| {
            s.host().ptr = nxdomain();
            s.host().forward.clear();
        }),
        Some(PtrClass::None)
    );
    assert_eq!(
        class(|s| {
            s.host().ptr = Observed::failed(FAILED);
            s.host().forward.clear();
        }),
        None
    );
}

#[test]
fn a_row_points_at_its_route_and_host() {
    let judged = dual(2).judged();
    let places: Vec<_> = judged.rows.iter().map(|row| (row.route, row.host)).collect();
    assert_eq!(places, [(Some(0), Some(0)), (Some(0), Some(1))]);
    assert!(judged.rows().all(|row| row.host().is_some_and(|host| host.basis == Basis::Announced)));
    let mut scene = Scene::good(127);
    scene.evidence.mx = Some(nodata());
    unserved_implicit(&mut scene);
    assert_eq!((scene.row().route, scene.row().host), (None, None), "no mail server at all");
    assert_eq!(scene.row().verdict(Rule::Mx), Verdict::Na);
}

#[test]
fn lists_without_any_weight_are_no_quorum() {
    let mut scene = Scene::good(1);
    scene.policy.lists = vec![scene.policy.lists[3].clone(), scene.policy.lists[4].clone()].into();
    scene.policy.health.truncate(2);
    scene.policy.quorum = Quorum { weight: 0.0, core: false };
    scene.host().listings.truncate(2);
    let row = scene.row();
    assert_eq!(letters(&row), "PPPPPUP", "a policy list and an allow list say nothing of spam");
    assert_eq!(codes(&row), [DnsblQuorumMissed]);
}

#[test]
fn a_top_level_domain_younger_than_our_table_is_believed_when_dns_knows_it() {
    let says = |v4, v6| {
        let mut scene = Scene::good(15);
        scene.says("mail.s15.nosuchtld99", v4, nodata());
        scene.host().introduced.addresses.v6 = v6;
        let row = scene.row();
        (letters(&row), codes(&row).contains(&HeloUnknownTld), row.unknown_why)
    };
    assert_eq!(says(v4("198.51.100.15"), nodata()), ("PPPPPPP".into(), false, vec![]), "it resolves");
    assert_eq!(says(nodata(), nodata()).0, "PPFNPPP", "the name is there");
    assert_eq!(says(denied_by("s15.nosuchtld99"), denied_by("s15.nosuchtld99")).0, "PPFNPPP", "a zone below it is");
    assert_eq!(says(denied_by(""), denied_by("")).0, "PFFNPPP", "the root denies it");
    let why = [Rule::Fqdn, Rule::Exists, Rule::Matches].map(|rule| (rule, FAILED));
    let failed = says(Observed::failed(FAILED), Observed::failed(FAILED));
    assert_eq!(failed, ("PUUUPPP".into(), false, why.to_vec()), "the root was not heard");
    assert_eq!(says(Observed::NotAsked(Cause::NotAsked), Observed::NotAsked(Cause::NotAsked)).0, "PUUUPPP");

    let exchange_of = |v4, v6| {
        let mut scene = Scene::good(15);
        scene.mx(&[(10, "mail.s15.nosuchtld99")]);
        *scene.exchange() = exchange("mail.s15.nosuchtld99", v4, v6);
        codes(&scene.row()).contains(&MxBadName)
    };
    assert!(!exchange_of(v4("198.51.100.15"), nodata()));
    assert!(!exchange_of(Observed::failed(FAILED), Observed::failed(FAILED)));
    assert!(exchange_of(denied_by(""), denied_by("")));

    let mut scene = Scene::good(15);
    scene.reverse("mail.s15.nosuchtld99");
    assert_eq!(letters(&scene.row()), "PPPPPPP", "a PTR that is confirmed");
    scene.host().forward[0].addresses = denied_by("");
    assert_eq!(letters(&scene.row()), "PPPPFPP");
    assert!(codes(&scene.row()).contains(&PtrInvalidName));
}

#[test]
fn exchanges_are_not_called_dead_while_some_address_is_not_known() {
    let timeout = || Observed::failed(Cause::Timeout);
    let both = |v4, v6| crate::model::dns::Addresses { v4, v6 };
    let mut scene = backed(47);
    scene.ends(dead(ConnectStatus::Timeout));
    scene.route(1).hosts.clear();
    Arc::make_mut(scene.route(1).exchange.as_mut().unwrap()).addresses = both(timeout(), Observed::failed(FAILED));
    let expected = [is("UUUUPPU", &[ConnectTimeout]), is("UUUUUUU", &[MxTargetDnsFailure])];
    assert_eq!(rows(&scene), expected, "the backup may be alive");

    let mut scene = Scene::good(47);
    scene.ends(dead(ConnectStatus::Timeout));
    scene.exchange().addresses.v6 = Observed::failed(Cause::Timeout);
    assert_eq!(rows(&scene), [is("UUUUPPU", &[ConnectTimeout])], "over IPv6 it may be alive");
    assert!(scene.row().unknown_why.contains(&(Rule::Mx, Cause::Timeout)));

    let mut scene = backed(46);
    scene.ends(dead(ConnectStatus::Refused));
    scene.exchange().addresses.v6 = Observed::failed(Cause::Timeout);
    assert_eq!(rows(&scene), [is("UUUUPPP", &[ConnectRefused]), is("PPPPPPP", &[])]);

    let mut scene = Scene::good(47);
    scene.ends(dead(ConnectStatus::Timeout));
    scene.evidence.capped = true;
    assert_eq!(rows(&scene), [is("UUUUPPU", &[ConnectTimeout, MxTooMany])], "not all addresses were looked at");
}

#[test]
fn the_strict_profile_has_no_verdict_on_the_reverse_zone_whatever_is_missing() {
    let mut scene = Scene::good(9);
    scene.policy.profile = Profile::Rfc5321;
    scene.host().ptr = Observed::NotAsked(Cause::NotAsked);
    scene.host().forward.clear();
    assert_eq!(rows(&scene), [is("PPPPNPP", &[])]);
    scene.evidence.routes[0].hosts.clear();
    scene.exchange().addresses.v4 = Observed::failed(FAILED);
    assert_eq!(rows(&scene), [is("UUUUNUU", &[MxTargetDnsFailure])]);
}

#[test]
fn an_allow_list_that_trusts_nobody_is_no_mitigation() {
    let mut scene = Scene::good(50);
    let mut lists = scene.policy.lists.to_vec();
    lists[4].codes[0].from = Ipv4Addr::new(127, 0, 2, 0);
    lists[4].codes[0].to = Ipv4Addr::new(127, 0, 255, 3);
    scene.policy.lists = lists.into();
    scene.listed(4, "127.0.5.0");
    assert_eq!(rows(&scene), [is("PPPPPPP", &[])], "DNSWL knows it, and trusts it with nothing");
    scene.listed(4, "127.0.5.1");
    assert_eq!(rows(&scene), [is("PPPPPPP", &[DnsblAllowListed])]);
}

#[test]
fn only_a_domain_that_somebody_can_register_is_dangling() {
    let gone = |text: &str, zone: &str| {
        let mut scene = Scene::good(45);
        let mut gone = exchange(text, denied_by(zone), denied_by(zone));
        gone.organisation = denied_by(zone);
        unserved(&mut scene, gone);
        codes(&scene.row())
    };
    assert_eq!(gone("mail.gone.test", "test"), [MxTargetNxdomain, MxDangling]);
    for text in ["exch01.corp.local", "mail.corp.lan", "mail.corp.nosuchtld99"] {
        assert_eq!(gone(text, ""), [MxBadName, MxTargetNxdomain], "{text}");
    }
}

#[test]
fn a_host_that_is_called_localhost_in_a_public_domain_is_no_loopback_address() {
    let at = |text: &str| {
        let mut scene = Scene::good(43);
        scene.mx(&[(10, text)]);
        scene.exchange().name = name(text);
        (letters(&scene.row()), codes(&scene.row()))
    };
    assert_eq!(at("localhost.s43.lab.test"), is("PPPPPPF", &[MxBadName]));
    for text in ["localhost", "mx.localhost", "localhost.localdomain"] {
        assert_eq!(at(text), is("PPPPPPF", &[MxLoopbackAddress]), "{text}");
    }
}

#[test]
fn a_name_denied_in_one_family_is_no_server_in_the_other() {
    let mut scene = Scene::good(45);
    unserved(&mut scene, exchange("mail.gone.test", nxdomain(), Observed::failed(FAILED)));
    assert_eq!(rows(&scene), [is("NNNNNNF", &[MxTargetNxdomain])], "RFC 8020: it does not exist at all");
}

#[test]
fn our_own_fault_is_nobodys_finding() {
    for cause in [Cause::SelfFault, Cause::ResolverDown] {
        let mut scene = Scene::good(48);
        scene.evidence.mx = Some(Observed::failed(cause));
        scene.evidence.routes.clear();
        assert_eq!(rows(&scene), [is("UUUUUUU", &[])], "{cause}");
        assert!(scene.row().unknown_why.contains(&(Rule::Mx, cause)));

        let mut scene = Scene::good(22);
        let own = scene.own();
        scene.says(&own, Observed::failed(cause), Observed::failed(cause));
        scene.host().ptr = Observed::failed(cause);
        assert_eq!(rows(&scene), [is("PPUUUPP", &[])], "{cause}");
    }
}

#[test]
fn one_family_alone_does_not_make_all_addresses_private() {
    let mut scene = Scene::good(42);
    special(&mut scene, "192.168.7.42", Special::Private);
    scene.exchange().addresses.v6 = Observed::failed(Cause::Timeout);
    assert_eq!(rows(&scene), [is("NNNNNNU", &[MxTargetDnsFailure])]);
    scene.exchange().addresses.v4 = v4("127.0.0.1");
    assert_eq!(rows(&scene), [is("NNNNNNF", &[MxLoopbackAddress])], "one loopback address is enough");
}

#[test]
fn servers_as_they_are_met_get_the_verdict_an_expert_would_sign() {
    // An Exchange that greets with its inside name and answers EHLO with the outside one.
    let mut scene = Scene::good(90);
    let own = scene.own();
    scene.mumbles("EXCH01.corp.local");
    scene.host().ehlo = Some(introduction(&own, IntroducedBy::Ehlo));
    scene.host().session.ehlo_name = Some((&*own).into());
    assert_eq!(rows(&scene), [is("PFFNPPP", &[HeloSpecialUse, GreetingEhloNameDiffers])]);

    // Twelve PTR names of two organisations, the tenth leads back; and the same, but only the eleventh does.
    let twelve = |confirming: usize| {
        let mut scene = Scene::good(91);
        let names: Vec<Name> =
            (0..12).map(|n| name(&format!("h{n}.{}.test", if n % 2 == 0 { "a" } else { "b" }))).collect();
        let address = scene.host().address;
        let forward = |(n, name): (usize, &Name)| Forward {
            name: name.clone(),
            addresses: if n == confirming { seen(vec![address]) } else { seen(vec![ip("203.0.113.1")]) },
        };
        scene.host().forward = names.iter().enumerate().take(10).map(forward).collect();
        scene.host().ptr = seen(names);
        rows(&scene)
    };
    assert_eq!(twelve(9), [is("PPPPPPP", &[PtrMultiple, PtrMultiOrg, PtrHeloDiffers])]);
    assert_eq!(twelve(10), [is("PPPPFPP", &[FcrdnsMismatch, PtrMultiple, PtrMultiOrg])]);

    // Eight addresses, three of them dead: the dead ones are unknown, the MX data is in order.
    let mut scene = Scene::good(92);
    let own = scene.own();
    let addresses: Vec<Ipv4Addr> = (92..100).map(|n| Ipv4Addr::new(198, 51, 100, n)).collect();
    scene.exchange().addresses.v4 = seen(addresses.clone());
    scene.route(0).hosts = addresses.iter().map(|address| Arc::new(host((*address).into(), &own))).collect();
    for at in [1, 4, 7] {
        let host = Arc::make_mut(&mut scene.route(0).hosts[at]);
        (host.session, host.introduction, host.ehlo) = (dead(ConnectStatus::Timeout), None, None);
    }
    let told: Vec<_> = rows(&scene).into_iter().map(|(letters, _)| letters).collect();
    assert_eq!(told.iter().filter(|row| *row == "PPPPPPP").count(), 5);
    assert_eq!(told.iter().filter(|row| *row == "UUUUPPP").count(), 3);

    // IPv6 alone, and a domain whose MX is the loopback name.
    let mut scene = Scene::good(93);
    scene.evidence.routes = vec![route(10, &scene.own(), "2001:db8:25::93")];
    assert_eq!(rows(&scene), [is("PPPPPPP", &[MxIpv6Only])]);
    let mut scene = Scene::good(94);
    unserved(&mut scene, exchange("localhost", nxdomain(), nxdomain()));
    assert_eq!(rows(&scene), [is("NNNNNNF", &[MxTargetNxdomain, MxLoopbackAddress])]);

    // A provider's pool: the shared name resolves elsewhere, and the PTR belongs to another domain of the same company.
    let mut scene = Scene::good(95);
    scene.says("mx.google.com", v4("203.0.113.95"), nodata());
    scene.reverse("wr-in-f26.1e100.net");
    assert_eq!(rows(&scene), [is("PPPFPPP", &[HeloForwardMismatch, PtrHeloDiffers])]);
}
