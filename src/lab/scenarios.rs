//! The scenarios of the world: what each server and each domain does, and what a scan must make of it.
//! Comes in: nothing. Goes out: a table of servers, a table of MX data, and the list of what no single scan can show.
//! A scenario knows roles ("its mail name", "another address"), never a name or an address: the same row of the table
//! serves a scenario of its own and thousands of servers of the bulk world. The expected verdicts are written by hand.
//!
//! Over 400 lines: nearly all of it is one table.

use std::sync::LazyLock;

use crate::model::finding::Code;
use crate::model::words::Verdict;

/// Numbers of the scenarios, from 1.
pub(super) const SCENARIOS: u8 = 72;

/// A name that belongs to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The domain around the server: it has MX records and no address.
    Domain,
    /// `mail`.
    Mail,
    /// `mx`.
    Mx,
    /// `smtp`.
    Smtp,
    /// One node of several, `n1`.
    Node,
    /// A name with an underscore.
    Underscore,
    /// Below a zone whose servers fail.
    Dead,
    /// Below a zone whose signatures have expired.
    Bogus,
    /// The scenario's second server as an exchange.
    Backup,
    /// The scenario's second server as a client.
    Client,
    /// A name in another organisation.
    Foreign,
    /// A provider's template for dial-in space.
    Dynamic,
    /// A provider's template for static space.
    Static,
}

/// What forward DNS holds at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Points {
    /// The server's own address.
    Here,
    /// Another public address.
    There,
    /// A private address.
    Inside,
    /// A TXT record and nothing else.
    Text,
    /// An alias of another name of the server.
    Alias(Role),
    /// SERVFAIL.
    Servfail,
    /// SERVFAIL for expired signatures, data with checking disabled.
    Bogus,
    /// The server's own address, but the first packet of each question is lost.
    LostOnce,
}

/// What the reverse zone says of the server's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reverse {
    /// PTR records.
    Names(&'static [Role]),
    /// The zone exists, the name does not.
    Missing,
    /// No zone below the first octet.
    ZoneMissing,
    /// A delegation to servers that refuse.
    Lame,
    /// Through an alias into a child zone (RFC 2317).
    Classless(Role),
    /// The same, and the child zone does not hold the name.
    ClasslessBroken,
}

/// What the server introduces itself as, in greeting and EHLO reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announces {
    /// One of its names.
    Name(Role),
    /// This text.
    Text(&'static str),
    /// Its address in brackets.
    Literal,
    /// Its address without brackets.
    BareAddress,
    /// An e-mail address at its domain.
    Postmaster,
}

/// How the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// As RFC 5321 has it, without STARTTLS.
    Plain,
    /// With STARTTLS and a certificate of the lab's authority.
    Tls,
    /// With STARTTLS and an expired certificate signed by itself.
    TlsExpired,
    /// Agrees to STARTTLS and sends garbage.
    TlsGarbage,
    /// An early first line, the last one two seconds later.
    Teaser,
    /// No name in the greeting.
    Unnamed,
    /// A greeting blanked by a firewall, STARTTLS hidden.
    Masked,
    /// No name anywhere.
    Nameless,
    /// Refuses us by a blocklist.
    Blocked,
    /// Puts us off twice of three times.
    DeferredTwice,
    /// One byte every five seconds.
    Tarpit,
    /// Greeting lines without end.
    Endless,
    /// One greeting line of a mebibyte.
    EndlessLine,
    /// LF without CR.
    BareLf,
    /// An SSH server.
    Ssh,
    /// Accepts and closes.
    Closes,
    /// HELO only.
    HeloOnly,
    /// EHLO names a host of another organisation.
    OtherEhlo,
    /// 521.
    NoService,
    /// NUL and Latin-1 in the greeting.
    Junk,
    /// Greets after fifty seconds.
    Late,
    /// Nothing listens.
    Refuses,
    /// Connections are never answered.
    Silent,
}

impl Speech {
    /// Whether the server answers EHLO well and offers no STARTTLS.
    pub(super) const fn lacks_starttls(self) -> bool {
        matches!(
            self,
            Self::Plain | Self::Teaser | Self::Unnamed | Self::Nameless | Self::BareLf | Self::OtherEhlo | Self::Junk
        )
    }

    /// Whether no connection is ever made.
    pub(super) const fn is_dead(self) -> bool {
        matches!(self, Self::Refuses | Self::Silent)
    }
}

/// A blocklist of the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Spam sources, weight 1.0, core.
    Bl1,
    /// Spam sources, weight 0.5.
    Bl2,
    /// Spam sources, weight 0.5.
    Bl3,
    /// Policy.
    Pbl,
    /// Allowed.
    Wl,
}

impl List {
    pub(super) const ALL: [Self; 5] = [Self::Bl1, Self::Bl2, Self::Bl3, Self::Pbl, Self::Wl];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Bl1 => "bl1",
            Self::Bl2 => "bl2",
            Self::Bl3 => "bl3",
            Self::Pbl => "pbl",
            Self::Wl => "wl",
        }
    }

    /// The code of an entry; also that of the test entry (RFC 5782 §5).
    pub(super) const fn code(self) -> [u8; 4] {
        match self {
            Self::Bl1 | Self::Bl2 | Self::Bl3 => [127, 0, 0, 2],
            Self::Pbl => [127, 0, 0, 10],
            Self::Wl => [127, 0, 5, 1],
        }
    }
}

/// A server, and what a scan must say of it.
#[derive(Debug)]
pub(super) struct Server {
    /// Which scenario, as a number; 0 for what the table of scenarios has no number for.
    pub(super) number: u8,
    /// The second server of its scenario.
    pub(super) second: bool,
    /// The name that MX records give.
    pub(super) exchange: Role,
    pub(super) announces: Announces,
    pub(super) speech: Speech,
    /// What stands at its names; names not told of do not exist.
    pub(super) forward: &'static [(Role, Points)],
    pub(super) reverse: Reverse,
    /// What lists answer about it; lists not told of do not know it.
    pub(super) listed: &'static [(List, [u8; 4])],
    /// The first five rules but one, the reverse zone, then rule 5: the order of the table of scenarios.
    pub(super) verdicts: [Verdict; 6],
    /// Errors and warnings, `smtp-no-starttls` left out: it follows from the speech.
    pub(super) codes: &'static [Code],
    /// Remarks that must be there; others may be.
    pub(super) info: &'static [Code],
    /// What the rules leave open.
    pub(super) open: &'static [Code],
    pub(super) six: Option<Six>,
    /// Verdicts and codes for who waits as long as RFC 5321 wants, where these differ.
    pub(super) patient: Option<([Verdict; 6], &'static [Code])>,
}

/// The same server over IPv6.
#[derive(Debug)]
pub(super) struct Six {
    /// The name that has the AAAA record.
    pub(super) name: Role,
    /// Whether that name is in the reverse zone.
    pub(super) reverse: bool,
    pub(super) verdicts: [Verdict; 6],
    pub(super) codes: &'static [Code],
}

/// Where an MX record leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// To the domain's server.
    Server,
    /// To its second server.
    Second,
    /// To an alias of the server's name.
    Alias,
    /// To a name that does not exist.
    Absent,
    /// To the root (RFC 7505).
    Root,
    /// To the text of an address.
    Literal,
    /// To a name with a private address.
    Private,
    /// To a name with the loopback address.
    Loopback,
    /// Into a domain nobody has registered.
    Dangling,
}

impl To {
    /// What is wrong with such an exchange, errors all.
    pub(super) const fn codes(self) -> &'static [Code] {
        match self {
            Self::Server | Self::Second | Self::Root => &[],
            Self::Alias => &[Code::MxIsCname],
            Self::Absent => &[Code::MxTargetNxdomain],
            Self::Literal => &[Code::MxIsIpLiteral],
            Self::Private => &[Code::MxPrivateAddress],
            Self::Loopback => &[Code::MxLoopbackAddress],
            Self::Dangling => &[Code::MxDangling, Code::MxTargetNxdomain],
        }
    }
}

/// What the MX question of a domain comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mail {
    /// Records: preference and exchange.
    Records(&'static [(u16, To)]),
    /// None, and the domain has the server's address.
    Implicit,
    /// SERVFAIL, and the domain has the server's address.
    Servfail,
}

/// A domain's MX data, and what a scan must say of it.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) number: u8,
    pub(super) mail: Mail,
    /// The MX verdict as long as some server can be reached.
    pub(super) verdict: Verdict,
    /// Errors and warnings about the domain as a whole: in each of its rows.
    pub(super) codes: &'static [Code],
    /// Remarks, likewise.
    pub(super) info: &'static [Code],
}

/// What a client called itself when it was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// One of its server's names.
    Name(Role),
    /// The name of the receiver it spoke to.
    Receiver,
}

/// An introduction that somebody recorded, as a target of its own.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) number: u8,
    pub(super) second: bool,
    pub(super) says: Says,
    pub(super) verdicts: [Verdict; 6],
    pub(super) codes: &'static [Code],
}

/// Scenarios that need more than one scan of an unchanging world, each with what it needs.
pub(super) const NOT_PLAIN: &[(u8, &str)] = &[
    (52, "a blocklist that turns into a wildcard in the middle of the run"),
    (69, "an earlier run, in which the server was broken"),
];

/// Scenarios that keep a scanner waiting until its deadlines.
pub(super) const SLOW: &[u8] = &[47, 56, 72];
/// Scenarios that need IPv6 on the loopback device.
pub(super) const SIX: &[u8] = &[2, 35, 36];
/// Scenarios that need a connector of ours: at the shared port of loopback, something always answers.
pub(super) const MAPPED: &[u8] = &[46, 47];

const fn verdicts(text: [u8; 6]) -> [Verdict; 6] {
    const fn of(letter: u8) -> Verdict {
        match letter {
            b'P' => Verdict::Pass,
            b'F' => Verdict::Fail,
            b'U' => Verdict::Unknown,
            b'N' => Verdict::Na,
            _ => panic!("a verdict is P, F, U or N"),
        }
    }
    let [r1, r2, r3, r4, rv, r5] = text;
    [of(r1), of(r2), of(r3), of(r4), of(rv), of(r5)]
}

const GOOD: Server = Server {
    number: 0,
    second: false,
    exchange: Role::Mail,
    announces: Announces::Name(Role::Mail),
    speech: Speech::Plain,
    forward: &[(Role::Mail, Points::Here)],
    reverse: Reverse::Names(&[Role::Mail]),
    listed: &[],
    verdicts: verdicts(*b"PPPPPP"),
    codes: &[],
    info: &[],
    open: &[],
    six: None,
    patient: None,
};

/// The servers that are not simply good, in the order of the table of scenarios.
static SERVERS: &[Server] = &[
    Server { number: 1, speech: Speech::Tls, ..GOOD },
    Server {
        number: 2,
        six: Some(Six { name: Role::Mail, reverse: true, verdicts: verdicts(*b"PPPPPP"), codes: &[] }),
        ..GOOD
    },
    Server { number: 3, speech: Speech::Teaser, info: &[Code::GreetingTeaser], ..GOOD },
    Server { number: 4, speech: Speech::Unnamed, codes: &[Code::GreetingNoName], ..GOOD },
    Server {
        number: 5,
        speech: Speech::Masked,
        codes: &[Code::GreetingMasked, Code::SmtpStarttlsMasked],
        // The keyword is there and it is not.
        open: &[Code::SmtpNoStarttls],
        ..GOOD
    },
    Server {
        number: 6,
        speech: Speech::Nameless,
        verdicts: verdicts(*b"FNNNPP"),
        codes: &[Code::GreetingNoName, Code::EhloNameNotDomain],
        ..GOOD
    },
    Server {
        number: 7,
        announces: Announces::Text("WIN-7Q2KD8FA1"),
        verdicts: verdicts(*b"PFNNPP"),
        codes: &[Code::HeloNotFqdn],
        ..GOOD
    },
    Server {
        number: 8,
        announces: Announces::Text("localhost.localdomain"),
        verdicts: verdicts(*b"PFNNPP"),
        codes: &[Code::HeloLocalhost],
        ..GOOD
    },
    Server {
        number: 9,
        announces: Announces::Literal,
        verdicts: verdicts(*b"PFNNPP"),
        codes: &[Code::HeloIsAddressLiteral],
        ..GOOD
    },
    Server {
        number: 10,
        announces: Announces::Text("[10.0.0.5]"),
        verdicts: verdicts(*b"PFNFPP"),
        codes: &[Code::HeloLiteralSpecial, Code::HeloLiteralMismatch],
        ..GOOD
    },
    Server {
        number: 11,
        announces: Announces::BareAddress,
        verdicts: verdicts(*b"PFNNPP"),
        codes: &[Code::HeloBareIp],
        ..GOOD
    },
    Server {
        number: 12,
        announces: Announces::Postmaster,
        verdicts: verdicts(*b"PFNNPP"),
        codes: &[Code::HeloIsEmailAddress],
        ..GOOD
    },
    Server {
        number: 13,
        announces: Announces::Name(Role::Underscore),
        forward: &[(Role::Mail, Points::Here), (Role::Underscore, Points::Here)],
        verdicts: verdicts(*b"PFPPPP"),
        codes: &[Code::HeloUnderscore],
        ..GOOD
    },
    Server {
        number: 14,
        announces: Announces::Text("exch01.s14.local"),
        verdicts: verdicts(*b"PFFNPP"),
        codes: &[Code::HeloSpecialUse],
        ..GOOD
    },
    Server {
        number: 15,
        announces: Announces::Text("mail.s15.nosuchtld99"),
        verdicts: verdicts(*b"PFFNPP"),
        codes: &[Code::HeloUnknownTld, Code::HeloNxdomain],
        // The condition is met, the table of scenarios does not name it.
        open: &[Code::PtrHeloDiffers],
        ..GOOD
    },
    Server {
        number: 16,
        announces: Announces::Name(Role::Smtp),
        verdicts: verdicts(*b"PPFNPP"),
        codes: &[Code::HeloNxdomain],
        info: &[Code::PtrHeloDiffers],
        ..GOOD
    },
    Server {
        number: 17,
        announces: Announces::Name(Role::Smtp),
        forward: &[(Role::Mail, Points::Here), (Role::Smtp, Points::Text)],
        verdicts: verdicts(*b"PPFNPP"),
        codes: &[Code::HeloNodata],
        info: &[Code::PtrHeloDiffers],
        ..GOOD
    },
    Server {
        number: 18,
        exchange: Role::Mx,
        forward: &[(Role::Mx, Points::Here), (Role::Mail, Points::There), (Role::Foreign, Points::Here)],
        reverse: Reverse::Names(&[Role::Foreign]),
        verdicts: verdicts(*b"PPPFPP"),
        codes: &[Code::HeloForwardMismatch, Code::PtrHeloDiffers],
        ..GOOD
    },
    Server {
        number: 19,
        announces: Announces::Name(Role::Mx),
        forward: &[(Role::Mail, Points::Here), (Role::Mx, Points::There), (Role::Node, Points::Here)],
        reverse: Reverse::Names(&[Role::Node]),
        codes: &[Code::HeloForwardMismatchSameOrg],
        info: &[Code::PtrHeloDiffers],
        ..GOOD
    },
    Server {
        number: 20,
        exchange: Role::Mx,
        forward: &[(Role::Mx, Points::Here), (Role::Mail, Points::Inside)],
        reverse: Reverse::Names(&[Role::Mx]),
        verdicts: verdicts(*b"PPPFPP"),
        codes: &[Code::HeloAddressSpecial],
        ..GOOD
    },
    Server {
        number: 21,
        announces: Announces::Name(Role::Smtp),
        forward: &[(Role::Mail, Points::Here), (Role::Smtp, Points::Alias(Role::Mail))],
        codes: &[Code::HeloIsCname],
        ..GOOD
    },
    Server {
        number: 22,
        announces: Announces::Name(Role::Dead),
        forward: &[(Role::Mail, Points::Here), (Role::Dead, Points::Servfail)],
        verdicts: verdicts(*b"PPUUPP"),
        codes: &[Code::HeloDnsFailure],
        ..GOOD
    },
    Server {
        number: 23,
        announces: Announces::Name(Role::Smtp),
        forward: &[(Role::Mail, Points::Here), (Role::Smtp, Points::LostOnce)],
        ..GOOD
    },
    Server {
        number: 24,
        announces: Announces::Name(Role::Bogus),
        forward: &[(Role::Mail, Points::Here), (Role::Bogus, Points::Bogus)],
        verdicts: verdicts(*b"PPFNPP"),
        codes: &[Code::HeloDnssecBogus],
        ..GOOD
    },
    Server {
        number: 25,
        announces: Announces::Name(Role::Domain),
        verdicts: verdicts(*b"PPPFPP"),
        codes: &[Code::HeloNoAddress],
        ..GOOD
    },
    Server {
        number: 26,
        reverse: Reverse::Missing,
        verdicts: verdicts(*b"PPPPFP"),
        codes: &[Code::PtrMissing],
        ..GOOD
    },
    Server {
        number: 27,
        reverse: Reverse::ZoneMissing,
        verdicts: verdicts(*b"PPPPFP"),
        codes: &[Code::PtrZoneMissing],
        ..GOOD
    },
    Server { number: 28, reverse: Reverse::Lame, verdicts: verdicts(*b"PPPPUP"), codes: &[Code::PtrZoneLame], ..GOOD },
    Server { number: 29, reverse: Reverse::Classless(Role::Mail), info: &[Code::PtrCname], ..GOOD },
    Server {
        number: 30,
        reverse: Reverse::ClasslessBroken,
        verdicts: verdicts(*b"PPPPFP"),
        codes: &[Code::PtrCnameBroken],
        ..GOOD
    },
    Server {
        number: 31,
        exchange: Role::Mx,
        announces: Announces::Name(Role::Mx),
        forward: &[(Role::Mx, Points::Here), (Role::Mail, Points::There)],
        verdicts: verdicts(*b"PPPPFP"),
        codes: &[Code::FcrdnsMismatch],
        ..GOOD
    },
    Server {
        number: 32,
        forward: &[(Role::Foreign, Points::There), (Role::Node, Points::There), (Role::Mail, Points::Here)],
        reverse: Reverse::Names(&[Role::Foreign, Role::Node, Role::Mail]),
        codes: &[Code::PtrMultiOrg],
        info: &[Code::PtrMultiple],
        ..GOOD
    },
    Server {
        number: 33,
        forward: &[(Role::Mail, Points::Here), (Role::Dynamic, Points::Here)],
        reverse: Reverse::Names(&[Role::Dynamic]),
        listed: &[(List::Pbl, List::Pbl.code())],
        verdicts: verdicts(*b"PPPPFP"),
        codes: &[Code::PtrDynamic, Code::DnsblPolicyListed, Code::DynamicAddressSpace, Code::PtrHeloDiffers],
        ..GOOD
    },
    Server {
        number: 34,
        forward: &[(Role::Mail, Points::Here), (Role::Static, Points::Here)],
        reverse: Reverse::Names(&[Role::Static]),
        codes: &[Code::PtrGeneric, Code::PtrHeloDiffers],
        ..GOOD
    },
    Server {
        number: 35,
        six: Some(Six { name: Role::Mail, reverse: false, verdicts: verdicts(*b"PPPPFP"), codes: &[Code::PtrMissing] }),
        ..GOOD
    },
    Server {
        number: 36,
        exchange: Role::Mx,
        forward: &[(Role::Mx, Points::Here), (Role::Mail, Points::Here)],
        reverse: Reverse::Names(&[Role::Mx]),
        six: Some(Six {
            name: Role::Mx,
            reverse: true,
            verdicts: verdicts(*b"PPPFPP"),
            codes: &[Code::HeloFamilyMissing],
        }),
        ..GOOD
    },
    Server {
        number: 46,
        second: true,
        exchange: Role::Backup,
        announces: Announces::Name(Role::Backup),
        speech: Speech::Refuses,
        forward: &[(Role::Backup, Points::Here)],
        reverse: Reverse::Names(&[Role::Backup]),
        verdicts: verdicts(*b"UUUUPP"),
        codes: &[Code::ConnectRefused],
        ..GOOD
    },
    Server {
        number: 47,
        speech: Speech::Silent,
        verdicts: verdicts(*b"UUUUPP"),
        codes: &[Code::ConnectTimeout],
        ..GOOD
    },
    Server {
        number: 49,
        listed: &[(List::Bl1, List::Bl1.code())],
        verdicts: verdicts(*b"PPPPPF"),
        codes: &[Code::DnsblListed],
        ..GOOD
    },
    Server { number: 50, listed: &[(List::Bl2, List::Bl2.code())], codes: &[Code::DnsblListedMinor], ..GOOD },
    Server {
        number: 51,
        listed: &[(List::Bl1, [127, 255, 255, 254])],
        verdicts: verdicts(*b"PPPPPU"),
        codes: &[Code::DnsblQuorumMissed],
        info: &[Code::DnsblRefused],
        ..GOOD
    },
    Server { number: 53, listed: &[(List::Bl2, [203, 0, 113, 80])], info: &[Code::DnsblAnswerInvalid], ..GOOD },
    Server {
        number: 54,
        speech: Speech::Blocked,
        verdicts: verdicts(*b"UUUUPP"),
        info: &[Code::GreetingScannerBlocked],
        ..GOOD
    },
    // The table of scenarios lets the third try decide; a single pass ends with the first.
    Server {
        number: 55,
        speech: Speech::DeferredTwice,
        verdicts: verdicts(*b"UUUUPP"),
        codes: &[Code::GreetingNot220],
        ..GOOD
    },
    // The census profile stops waiting before the minute over which a tarpit is measured.
    Server {
        number: 56,
        speech: Speech::Tarpit,
        verdicts: verdicts(*b"UUUUPP"),
        open: &[Code::SmtpTarpit, Code::GreetingTimeout],
        ..GOOD
    },
    Server {
        number: 57,
        speech: Speech::Endless,
        verdicts: verdicts(*b"UUUUPP"),
        codes: &[Code::GreetingEndless],
        ..GOOD
    },
    Server {
        number: 57,
        second: true,
        exchange: Role::Backup,
        announces: Announces::Name(Role::Backup),
        speech: Speech::EndlessLine,
        forward: &[(Role::Backup, Points::Here)],
        reverse: Reverse::Names(&[Role::Backup]),
        verdicts: verdicts(*b"UUUUPP"),
        codes: &[Code::GreetingEndless],
        // A line without an end is too long as well.
        open: &[Code::GreetingLineTooLong],
        ..GOOD
    },
    Server { number: 58, speech: Speech::BareLf, codes: &[Code::GreetingBareLf], ..GOOD },
    Server {
        number: 59,
        speech: Speech::Ssh,
        verdicts: verdicts(*b"FNNNPP"),
        codes: &[Code::GreetingWrongProtocol],
        ..GOOD
    },
    // A failure only after a second try, a quarter of an hour later.
    Server { number: 60, speech: Speech::Closes, verdicts: verdicts(*b"UUUUPP"), codes: &[Code::GreetingNone], ..GOOD },
    Server { number: 61, speech: Speech::HeloOnly, codes: &[Code::EhloRejected], ..GOOD },
    Server { number: 62, speech: Speech::OtherEhlo, codes: &[Code::GreetingEhloNameDiffers], ..GOOD },
    Server { number: 63, speech: Speech::TlsGarbage, codes: &[Code::SmtpStarttlsFailed], ..GOOD },
    Server { number: 64, speech: Speech::TlsExpired, info: &[Code::TlsCertExpired], ..GOOD },
    Server {
        number: 65,
        speech: Speech::NoService,
        verdicts: verdicts(*b"NNNNPP"),
        info: &[Code::GreetingNoService],
        ..GOOD
    },
    Server {
        number: 66,
        second: true,
        exchange: Role::Client,
        announces: Announces::Name(Role::Client),
        forward: &[(Role::Client, Points::Here)],
        reverse: Reverse::Names(&[Role::Client]),
        ..GOOD
    },
    Server {
        number: 68,
        forward: &[(Role::Mail, Points::Here), (Role::Mx, Points::Here), (Role::Foreign, Points::Here)],
        ..GOOD
    },
    Server { number: 71, speech: Speech::Junk, codes: &[Code::GreetingControlChars, Code::GreetingNonAscii], ..GOOD },
    Server {
        number: 72,
        speech: Speech::Late,
        verdicts: verdicts(*b"UUUUPP"),
        codes: &[Code::GreetingTimeout],
        patient: Some((verdicts(*b"PPPPPP"), &[Code::GreetingSlow, Code::SmtpNoStarttls])),
        ..GOOD
    },
];

static GOOD_SERVER: Server = GOOD;
static ALLOWED_SERVER: Server =
    Server { listed: &[(List::Wl, List::Wl.code())], info: &[Code::DnsblAllowListed], ..GOOD };

const ONE: Shape =
    Shape { number: 0, mail: Mail::Records(&[(10, To::Server)]), verdict: Verdict::Pass, codes: &[], info: &[] };

/// The domains whose MX data is not simply one record, in the order of the table of scenarios.
static SHAPES: &[Shape] = &[
    Shape { number: 37, mail: Mail::Records(&[(10, To::Alias)]), verdict: Verdict::Fail, ..ONE },
    Shape { number: 38, mail: Mail::Records(&[(10, To::Literal)]), verdict: Verdict::Fail, ..ONE },
    Shape { number: 39, mail: Mail::Records(&[(10, To::Absent), (20, To::Server)]), verdict: Verdict::Fail, ..ONE },
    Shape { number: 40, mail: Mail::Records(&[(0, To::Root)]), verdict: Verdict::Na, info: &[Code::MxNull], ..ONE },
    Shape {
        number: 41,
        mail: Mail::Records(&[(0, To::Root), (10, To::Server)]),
        verdict: Verdict::Fail,
        codes: &[Code::MxNullPlusOthers],
        ..ONE
    },
    Shape { number: 42, mail: Mail::Records(&[(10, To::Private)]), verdict: Verdict::Fail, ..ONE },
    Shape { number: 43, mail: Mail::Records(&[(10, To::Loopback)]), verdict: Verdict::Fail, ..ONE },
    Shape { number: 44, mail: Mail::Implicit, info: &[Code::MxImplicit], ..ONE },
    Shape { number: 45, mail: Mail::Records(&[(10, To::Dangling)]), verdict: Verdict::Fail, ..ONE },
    Shape { number: 46, mail: Mail::Records(&[(10, To::Second), (20, To::Server)]), ..ONE },
    Shape { number: 48, mail: Mail::Servfail, verdict: Verdict::Unknown, codes: &[Code::MxDnsFailure], ..ONE },
    Shape { number: 57, mail: Mail::Records(&[(10, To::Server), (20, To::Second)]), ..ONE },
];

static ONE_SHAPE: Shape = ONE;
static TWO_SHAPE: Shape = Shape { mail: Mail::Records(&[(10, To::Server), (20, To::Second)]), ..ONE };

/// The introductions that are targets of their own.
pub(super) static RECORDED: &[Recorded] = &[
    Recorded {
        number: 19,
        second: false,
        says: Says::Name(Role::Mx),
        verdicts: verdicts(*b"PPPFPP"),
        codes: &[Code::HeloForwardMismatchSameOrg],
    },
    Recorded { number: 66, second: true, says: Says::Name(Role::Client), verdicts: verdicts(*b"PPPPPP"), codes: &[] },
    Recorded {
        number: 67,
        second: false,
        says: Says::Receiver,
        verdicts: verdicts(*b"PFPFPP"),
        codes: &[Code::HeloIsReceiverName, Code::HeloForwardMismatch, Code::PtrHeloDiffers],
    },
    Recorded { number: 68, second: false, says: Says::Name(Role::Mail), verdicts: verdicts(*b"PPPPPP"), codes: &[] },
    Recorded { number: 68, second: false, says: Says::Name(Role::Mx), verdicts: verdicts(*b"PPPPPP"), codes: &[] },
    // The third name, of a second organisation.
    Recorded {
        number: 68,
        second: false,
        says: Says::Name(Role::Foreign),
        verdicts: verdicts(*b"PPPPPP"),
        codes: &[Code::HeloUnstable, Code::PtrHeloDiffers],
    },
];

/// The server of a scenario.
pub(super) fn server(number: u8, second: bool) -> &'static Server {
    static TABLE: LazyLock<Vec<[&'static Server; 2]>> = LazyLock::new(|| {
        let find = |number, second| {
            let found = SERVERS.iter().find(|server| server.number == number && server.second == second);
            found.unwrap_or(&GOOD_SERVER)
        };
        (0..=SCENARIOS).map(|number| [find(number, false), find(number, true)]).collect()
    });
    TABLE.get(usize::from(number)).and_then(|pair| pair.get(usize::from(second))).unwrap_or(&&GOOD_SERVER)
}

/// Whether a scenario has a second server.
pub(super) fn has_second(number: u8) -> bool {
    server(number, true).second
}

/// The MX data of a scenario.
pub(super) fn shape(number: u8) -> &'static Shape {
    SHAPES.iter().find(|shape| shape.number == number).unwrap_or(&ONE_SHAPE)
}

/// Why a scenario is not part of a plain world; None when it is.
pub(super) fn not_plain(number: u8) -> Option<&'static str> {
    NOT_PLAIN.iter().find(|(other, _)| *other == number).map(|(_, why)| *why)
}

/// How often the servers of scenarios occur in the bulk world, of 1,000; the rest is good, without TLS.
/// Left out: what costs a scan seconds, what needs an own block of addresses, and what would make a whole list suspect.
const BULK_SERVERS: &[(u8, bool, u32)] = &[
    (1, false, 200),
    (4, false, 10),
    (6, false, 4),
    (7, false, 8),
    (8, false, 8),
    (9, false, 5),
    (10, false, 2),
    (11, false, 5),
    (12, false, 2),
    (13, false, 4),
    (14, false, 12),
    (15, false, 4),
    (16, false, 10),
    (17, false, 3),
    (18, false, 20),
    (19, false, 20),
    (20, false, 4),
    (21, false, 8),
    (22, false, 4),
    (24, false, 2),
    (25, false, 4),
    (26, false, 20),
    (28, false, 4),
    (29, false, 4),
    (30, false, 2),
    (31, false, 10),
    (32, false, 4),
    (33, false, 10),
    (34, false, 10),
    (46, true, 20),
    (49, false, 10),
    (50, false, 6),
    (54, false, 4),
    (58, false, 2),
    (59, false, 1),
    (60, false, 3),
    (61, false, 3),
    (62, false, 4),
    (63, false, 3),
    (65, false, 2),
    (71, false, 1),
];
/// Good servers on the allow list, of 1,000.
const BULK_ALLOWED: u32 = 12;

/// How often the MX data of scenarios occurs in the bulk world, of 1,000; the rest is one record.
const BULK_SHAPES: &[(u8, u32)] =
    &[(37, 10), (38, 3), (39, 10), (40, 10), (41, 2), (42, 3), (43, 7), (44, 10), (45, 5), (48, 3)];
/// Domains with a second exchange, of 1,000.
const BULK_TWO: u32 = 80;

/// What a server of the bulk world is, by a number below 1,000.
pub(super) fn bulk_server(draw: u32) -> &'static Server {
    static TABLE: LazyLock<Vec<&'static Server>> = LazyLock::new(|| {
        let weighed = BULK_SERVERS.iter().map(|&(number, second, weight)| (server(number, second), weight));
        spread(weighed.chain([(&ALLOWED_SERVER, BULK_ALLOWED)]))
    });
    TABLE.get(draw as usize).unwrap_or(&&GOOD_SERVER)
}

/// What the MX data of a bulk domain is, by a number below 1,000.
pub(super) fn bulk_shape(draw: u32) -> &'static Shape {
    static TABLE: LazyLock<Vec<&'static Shape>> = LazyLock::new(|| {
        let weighed = BULK_SHAPES.iter().map(|&(number, weight)| (shape(number), weight));
        spread(weighed.chain([(&TWO_SHAPE, BULK_TWO)]))
    });
    TABLE.get(draw as usize).unwrap_or(&&ONE_SHAPE)
}

/// The shape of a domain with one record.
pub(super) fn one_shape() -> &'static Shape {
    &ONE_SHAPE
}

/// The server without a fault.
pub(super) fn good_server() -> &'static Server {
    &GOOD_SERVER
}

/// Each thing as often as it weighs.
fn spread<T: Copy>(weighed: impl Iterator<Item = (T, u32)>) -> Vec<T> {
    weighed.flat_map(|(thing, weight)| std::iter::repeat_n(thing, weight as usize)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_stands_once_in_the_table_and_its_exchange_leads_to_it() {
        for (at, server) in SERVERS.iter().enumerate() {
            let same = |other: &&Server| (other.number, other.second) == (server.number, server.second);
            assert_eq!(SERVERS.iter().position(|other| same(&other)), Some(at), "{}", server.number);
            assert!(server.forward.contains(&(server.exchange, Points::Here)), "{}", server.number);
            assert!(not_plain(server.number).is_none());
        }
    }

    #[test]
    fn a_server_that_fails_a_rule_has_a_code_that_says_why() {
        for server in SERVERS {
            let told = server.codes.len() + server.info.len() + server.open.len();
            assert!(told > 0 || server.verdicts == GOOD.verdicts, "{}", server.number);
        }
    }

    #[test]
    fn the_bulk_world_is_mostly_good() {
        assert!(BULK_SERVERS.iter().map(|(.., weight)| weight).sum::<u32>() + BULK_ALLOWED < 700);
        assert!(BULK_SHAPES.iter().map(|(_, weight)| weight).sum::<u32>() + BULK_TWO < 200);
        assert!((0..1000).any(|draw| bulk_server(draw).speech == Speech::Refuses));
        assert_eq!(bulk_server(999).number, 0);
    }
}
