//! The one column table: every column's name, type, meaning, and where its value comes from.
//! Comes in: a judged row. Goes out: its cells, in the order of the table.
//! Every sink, the printed schema and the README's table read this; nothing else knows a column.
//! A column may be added at the end of its group; it is never renamed, retyped or given another meaning.

use std::borrow::Cow;

use crate::model::assessment::Row;
use crate::model::evidence::{Exchange, Host};
use crate::model::finding::Code;
use crate::model::name::Name;
use crate::model::observed::Observed;
use crate::model::smtp::{Certificate, Reply, Session, Tls};
use crate::model::target::Subject;
use crate::model::words::{
    Basis, Cause, CertTrust, ConnectStatus, ExchangeStatus, IntroducedBy, IntroductionClass, IntroductionStatus,
    MxStatus, Overall, PtrClass, PtrStatus, Rule, Set, SmtpStatus, TargetKind, TlsFailure, TlsStatus, Unproven,
    Verdict,
};

/// The version of the column table; it grows when a column changes its meaning.
pub const SCHEMA_VERSION: u16 = 1;

/// The most octets of greeting text a row shows.
const GREETING_CAP: usize = 512;

/// A column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number below 2^8.
    U8,
    /// A number below 2^16.
    U16,
    /// A number below 2^32.
    U32,
    /// Milliseconds, below 2^32 of them.
    Milliseconds,
    /// A number below 2^64.
    U64,
    /// Any text.
    Text,
    /// One word of a closed set.
    Word(Set),
    /// A rule's outcome: one of `Verdict::WORDS`.
    Verdict,
    /// Texts, of one of these kinds.
    List(Items),
    /// Milliseconds since 1970, UTC.
    Timestamp,
}

/// What each item of a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Items {
    /// Any text.
    Text,
    /// One word of a closed set.
    Word(Set),
    /// `rule=cause`.
    Why,
}

impl Kind {
    /// The type as the schema names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 | Self::Milliseconds => "u32",
            Self::U64 => "u64",
            Self::Text => "str",
            Self::Word(_) => "word",
            Self::Verdict => "verdict",
            Self::List(_) => "list",
            Self::Timestamp => "timestamp",
        }
    }

    /// The closed set a cell's word comes from; None for other types.
    pub const fn words(self) -> Option<Set> {
        match self {
            Self::Word(set) => Some(set),
            Self::Verdict => Some(Verdict::SET),
            _ => None,
        }
    }

    /// The largest number a cell can hold; None where it holds none.
    pub const fn most(self) -> Option<u64> {
        match self {
            Self::U8 => Some(u8::MAX as u64),
            Self::U16 => Some(u16::MAX as u64),
            Self::U32 | Self::Milliseconds => Some(u32::MAX as u64),
            Self::U64 => Some(u64::MAX),
            Self::Text | Self::Word(_) | Self::Verdict | Self::List(_) | Self::Timestamp => None,
        }
    }

    /// What a number counts, where it counts anything.
    pub const fn unit(self) -> Option<&'static str> {
        match self {
            Self::Milliseconds => Some("milliseconds"),
            Self::Timestamp => Some("milliseconds since 1970-01-01T00:00:00Z"),
            _ => None,
        }
    }
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name, the same in every format.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether a cell can be null: not known, or nothing to know.
    pub nullable: bool,
    /// What it means, for a person.
    pub doc: &'static str,
    /// Its value in a row.
    pub cell: for<'a> fn(Row<'a>) -> Cell<'a>,
}

/// One value of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Not known, or there is nothing to know.
    Null,
    /// A number, of whichever width the column has.
    Number(u64),
    /// A text as it was given or seen.
    Text(Cow<'a, str>),
    /// A word of the column's set.
    Word(&'static str),
    /// Texts; empty means that there is known to be none.
    List(Vec<Cow<'a, str>>),
    /// Milliseconds since 1970.
    Time(i64),
}

const fn column(name: &'static str, kind: Kind, doc: &'static str, cell: for<'a> fn(Row<'a>) -> Cell<'a>) -> Column {
    Column { name, kind, nullable: true, doc, cell }
}

/// A column that has a value in every row.
const fn filled(name: &'static str, kind: Kind, doc: &'static str, cell: for<'a> fn(Row<'a>) -> Cell<'a>) -> Column {
    Column { name, kind, nullable: false, doc, cell }
}

/// Which of a row's names a certificate can be for.
const COVERED: Set = Set {
    words: &["exchange", "introduction"],
    meanings: &["The host name of the MX record.", "The name the server introduces itself by."],
};

/// All columns, in the order they are written.
#[rustfmt::skip]
pub static COLUMNS: &[Column] = &[
    filled("schema_version", Kind::U16, "version of this table",
        |_| Cell::Number(u64::from(SCHEMA_VERSION))),
    column("line", Kind::U64, "record number in the input, from 1, the header not counted; null for a command-line target",
        |row| maybe(row.evidence.target.line)),
    filled("target", Kind::Text, "the target as given; for an address out of a network, the network",
        |row| text(&row.evidence.target.text)),
    filled("target_kind", Kind::Word(TargetKind::SET), "what kind of target the row is about",
        |row| Cell::Word(row.evidence.target.kind().as_str())),
    column("domain", Kind::Text, "the domain in lower case and A-labels; null for other targets", domain),
    filled("mx_status", Kind::Word(MxStatus::SET), "what the domain's MX question came to",
        |row| Cell::Word(row.evidence.mx_status().as_str())),
    column("mx_preference", Kind::U16, "preference of the MX record; 0 for an implicit MX",
        |row| maybe(row.route().and_then(|route| route.preference))),
    column("exchange", Kind::Text, "host name of the MX record; `.` for a null MX",
        |row| row.exchange().map_or(Cell::Null, |exchange| name(&exchange.name))),
    filled("exchange_status", Kind::Word(ExchangeStatus::SET), "what the addresses of the exchange came to",
        |row| Cell::Word(row.exchange().map_or(ExchangeStatus::Na, Exchange::status).as_str())),
    column("address", Kind::Text, "IPv4 or IPv6 address of the server in canonical text", address),
    column("port", Kind::U16, "the port to dial; null for an introduction that somebody else recorded",
        |row| host(row, |host| match host.basis {
            Basis::Announced => Cell::Number(u64::from(host.session.port)),
            Basis::Observed => Cell::Null,
        })),
    filled("ptr_status", Kind::Word(PtrStatus::SET), "what the PTR question of the address came to",
        |row| Cell::Word(row.host().map_or(PtrStatus::Na, Host::ptr_status).as_str())),
    column("ptr_names", Kind::List(Items::Text), "the PTR names; null when the question got no answer",
        |row| ptr(row, |host| host.ptr.seen().map_or_else(Vec::new, |records| records.values.iter().map(shown).collect()))),
    column("ptr_confirmed", Kind::List(Items::Text), "those PTR names whose own addresses include the address",
        |row| ptr(row, |host| host.confirmed().map(shown).collect())),
    column("ptr_class", Kind::Word(PtrClass::SET), "what the PTR name says about the address",
        |row| word(row.assessment.ptr_class.map(PtrClass::as_str))),
    column("connect_status", Kind::Word(ConnectStatus::SET), "what the TCP connection came to",
        |row| session(row, |session| Cell::Word(session.connect.as_str()))),
    column("connect_ms", Kind::Milliseconds, "milliseconds to the established connection",
        |row| session(row, |session| maybe(session.connect_ms))),
    column("smtp_status", Kind::Word(SmtpStatus::SET), "how far the SMTP session got",
        |row| session(row, |session| Cell::Word(session.status.as_str()))),
    column("greeting_code", Kind::U16, "reply code of the greeting",
        |row| session(row, |session| code(session.greeting.as_ref()))),
    column("greeting", Kind::Text, "text of the greeting, its lines joined by a space, at most 512 octets, control bytes escaped",
        |row| session(row, |session| session.greeting.as_ref().map_or(Cell::Null, greeting))),
    column("greeting_name", Kind::Text, "the host word of the greeting",
        |row| session(row, |session| maybe_text(session.greeted.name.as_deref()))),
    column("greeting_ms", Kind::Milliseconds, "milliseconds from the connection to the end of the greeting, or of what there was of it",
        |row| session(row, |session| maybe(session.greeting.as_ref().map(|reply| reply.complete_ms)))),
    column("ehlo_code", Kind::U16, "reply code of EHLO",
        |row| session(row, |session| code(session.ehlo.as_ref()))),
    column("ehlo_name", Kind::Text, "the host word of the EHLO reply, else of the HELO reply",
        |row| session(row, |session| maybe_text(session.ehlo_name.as_deref()))),
    column("extensions", Kind::List(Items::Text), "EHLO keywords before TLS; null when there was no complete EHLO reply",
        |row| session(row, |session| match &session.ehlo {
            Some(reply) if reply.complete && reply.code > 0 => texts(session.extensions.iter()),
            _ => Cell::Null,
        })),
    column("software", Kind::Text, "a guess from the greeting, for statistics only",
        |row| session(row, |session| maybe_text(session.greeted.software.as_deref()))),
    column("tls_status", Kind::Word(TlsStatus::SET), "what STARTTLS came to",
        |row| tls(row, |tls| Cell::Word(tls.status.as_str()))),
    column("tls_version", Kind::Text, "`TLSv1.2` or `TLSv1.3`",
        |row| tls(row, |tls| maybe_text(tls.version.as_deref()))),
    column("tls_cert_names", Kind::List(Items::Text), "subject alternative names of the certificate",
        |row| certificate(row, |certificate| texts(&certificate.names))),
    column("tls_cert_trust", Kind::Word(CertTrust::SET), "whether the certificate would be trusted for the exchange; never a reason to stop", trust),
    column("tls_cert_not_after", Kind::Timestamp, "when the certificate ends",
        |row| certificate(row, |certificate| time(certificate.not_after))),
    column("tls_failure", Kind::Word(TlsFailure::SET), "why the handshake failed",
        |row| tls(row, |tls| word(tls.failure.map(TlsFailure::as_str)))),
    column("tls_cipher", Kind::Text, "the cipher suite, as IANA names it",
        |row| tls(row, |tls| maybe_text(tls.cipher.as_deref()))),
    column("tls_cert_covers", Kind::List(Items::Word(COVERED)), "which names the certificate shown is for: `exchange`, `introduction`; what was shown to who asked for the exchange need not be what others are shown", covers),
    column("tls_cert_unproven", Kind::Word(Unproven::SET), "why it is not proven that the server holds the certificate's key; null where it is",
        |row| tls(row, |tls| word(tls.unproven.map(Unproven::as_str)))),
    column("tls_cert_issuer", Kind::Text, "issuer of the certificate, as RFC 4514 writes names",
        |row| certificate(row, |certificate| text(&certificate.issuer))),
    column("tls_cert_key", Kind::Text, "algorithm and bits of the certificate's key, such as `rsa-2048`",
        |row| certificate(row, |certificate| text(&certificate.key))),
    column("tls_cert_not_before", Kind::Timestamp, "when the certificate begins",
        |row| certificate(row, |certificate| time(certificate.not_before))),
    column("tls_cert_sha256", Kind::Text, "SHA-256 of the certificate; the rest of the chain stands in the evidence",
        |row| certificate(row, |certificate| text(&certificate.sha256))),
    column("introduction", Kind::Text, "the name that is judged: the greeting's, else the EHLO reply's, or the one that was recorded",
        |row| host(row, |host| maybe_text(host.introduction.as_ref().map(|introduction| &*introduction.text)))),
    column("introduced_by", Kind::Word(IntroducedBy::SET), "where the introduction comes from",
        |row| host(row, |host| Cell::Word(host.introduction.as_ref().map_or(IntroducedBy::None, |introduction| introduction.by).as_str()))),
    column("basis", Kind::Word(Basis::SET), "whose words are judged: a server's own, or a client's that somebody recorded",
        |row| host(row, |host| Cell::Word(host.basis.as_str()))),
    column("introduction_class", Kind::Word(IntroductionClass::SET), "`fqdn`, or why the introduction is none",
        |row| host(row, |host| word(host.introduction.as_ref().map(|introduction| introduction.class.as_str())))),
    filled("introduction_status", Kind::Word(IntroductionStatus::SET), "what the addresses of the introduced name came to",
        |row| Cell::Word(row.host().map_or(IntroductionStatus::Na, Host::introduction_status).as_str())),
    column("introduction_addresses", Kind::List(Items::Text), "addresses of the introduced name; null when none is known and not all was answered", introduction_addresses),
    column("dnsbl_listed", Kind::List(Items::Text), "`zone=code` of each listing; null when no list was asked",
        |row| listed(row, &row.assessment.listed)),
    column("dnsbl_counted", Kind::List(Items::Text), "the zones among them that decide rule 5",
        |row| listed(row, &row.assessment.counted)),
    column("dnsbl_unknown", Kind::List(Items::Text), "`zone=why` of each list that gave no usable answer",
        |row| listed(row, &row.assessment.lists_unknown)),
    column("rhsbl_listed", Kind::List(Items::Text), "`domain@zone=code` of each listing of a domain: of the introduction, a confirmed PTR name, the exchange; a finding, never a verdict",
        domains),
    filled("introduces", Kind::Verdict, "rule 1: the server introduces itself", |row| verdict(row, Rule::Introduces)),
    filled("fqdn", Kind::Verdict, "rule 2: the introduction is a fully qualified domain name", |row| verdict(row, Rule::Fqdn)),
    filled("exists", Kind::Verdict, "rule 3: that name exists in DNS", |row| verdict(row, Rule::Exists)),
    filled("matches", Kind::Verdict, "rule 4: its address is the server's address", |row| verdict(row, Rule::Matches)),
    filled("unlisted", Kind::Verdict, "rule 5: the address is on no blocklist that counts", |row| verdict(row, Rule::Unlisted)),
    filled("reverse", Kind::Verdict, "the reverse zone works and its names confirm the address", |row| verdict(row, Rule::Reverse)),
    filled("mx", Kind::Verdict, "the domain's MX data is sane", |row| verdict(row, Rule::Mx)),
    filled("verdict", Kind::Word(Overall::SET), "the five rules in one word",
        |row| Cell::Word(row.assessment.overall.as_str())),
    filled("findings", Kind::List(Items::Word(Code::SET)), "ids of the findings, most severe first",
        |row| Cell::List(row.assessment.findings.iter().map(|finding| Cow::Borrowed(finding.code.as_str())).collect())),
    filled("unknown_why", Kind::List(Items::Why), "`rule=cause` of each unknown",
        |row| why(&row.assessment.unknown_why)),
    filled("na_why", Kind::List(Items::Why), "`rule=reason` of each `na`", |row| why(&row.assessment.na_why)),
    filled("attempts", Kind::U8, "how often the target was tried, from 1",
        |row| Cell::Number(u64::from(row.evidence.attempts))),
    filled("scanned_at", Kind::Timestamp, "when the target was taken up",
        |row| Cell::Time(row.evidence.scanned_at)),
    filled("elapsed_ms", Kind::Milliseconds, "milliseconds the target took, waiting included",
        |row| Cell::Number(u64::from(row.evidence.elapsed_ms))),
];

fn why(causes: &[(Rule, Cause)]) -> Cell<'_> {
    Cell::List(causes.iter().map(|(rule, cause)| Cow::Owned([rule.as_str(), "=", cause.as_str()].concat())).collect())
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn maybe_text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text)))
}

fn maybe<'a>(number: Option<impl Into<u64>>) -> Cell<'a> {
    number.map_or(Cell::Null, |number| Cell::Number(number.into()))
}

fn word<'a>(word: Option<&'static str>) -> Cell<'a> {
    word.map_or(Cell::Null, Cell::Word)
}

fn texts<'a, T: AsRef<str> + ?Sized + 'a>(texts: impl IntoIterator<Item = &'a T>) -> Cell<'a> {
    Cell::List(texts.into_iter().map(|text| Cow::Borrowed(text.as_ref())).collect())
}

/// Seconds since 1970.
fn time<'a>(seconds: i64) -> Cell<'a> {
    seconds.checked_mul(1_000).map_or(Cell::Null, Cell::Time)
}

/// A name as rows show it: the root is a dot, for an empty cell would be null.
fn shown(name: &Name) -> Cow<'_, str> {
    Cow::Borrowed(if name.is_root() { "." } else { name.as_str() })
}

fn name(name: &Name) -> Cell<'_> {
    Cell::Text(shown(name))
}

fn verdict(row: Row<'_>, rule: Rule) -> Cell<'_> {
    Cell::Word(row.assessment.verdict(rule).as_str())
}

fn host<'a>(row: Row<'a>, cell: impl Fn(&'a Host) -> Cell<'a>) -> Cell<'a> {
    row.host().map_or(Cell::Null, cell)
}

fn session<'a>(row: Row<'a>, cell: impl Fn(&'a Session) -> Cell<'a>) -> Cell<'a> {
    host(row, |host| cell(&host.session))
}

fn tls<'a>(row: Row<'a>, cell: impl Fn(&'a Tls) -> Cell<'a>) -> Cell<'a> {
    session(row, |session| cell(&session.tls))
}

fn certificate<'a>(row: Row<'a>, cell: impl Fn(&'a Certificate) -> Cell<'a>) -> Cell<'a> {
    tls(row, |tls| tls.certificate.as_deref().map_or(Cell::Null, &cell))
}

fn domain(row: Row<'_>) -> Cell<'_> {
    match &row.evidence.target.subject {
        Subject::Domain(domain) => name(domain),
        Subject::Address(_) | Subject::Observed { .. } => Cell::Null,
    }
}

/// The host's address; a target that is itself an address has it even when nothing was gathered.
fn address(row: Row<'_>) -> Cell<'_> {
    let address = row.host().map(|host| host.address).or(match row.evidence.target.subject {
        Subject::Domain(_) => None,
        Subject::Address(address) | Subject::Observed { address, .. } => Some(address),
    });
    address.map_or(Cell::Null, |address| Cell::Text(Cow::Owned(address.to_string())))
}

/// A list that only an answered PTR question can give.
fn ptr<'a>(row: Row<'a>, list: impl Fn(&'a Host) -> Vec<Cow<'a, str>>) -> Cell<'a> {
    host(row, |host| match host.ptr {
        Observed::Seen(_) | Observed::Absent(_) => Cell::List(list(host)),
        Observed::Failed(_) | Observed::NotAsked(_) => Cell::Null,
    })
}

/// The code of a reply that has one.
fn code<'a>(reply: Option<&Reply>) -> Cell<'a> {
    maybe(reply.map(|reply| reply.code).filter(|code| *code != 0))
}

fn greeting(reply: &Reply) -> Cell<'_> {
    let mut lines = reply.lines.iter();
    let whole = match (lines.next(), lines.next()) {
        (Some(only), None) => Cow::Borrowed(only),
        _ => Cow::Owned(reply.lines.join(" ")),
    };
    if whole.len() <= GREETING_CAP {
        return Cell::Text(whole);
    }
    Cell::Text(Cow::Owned(cut(&whole, GREETING_CAP).to_owned()))
}

/// The longest head of an escaped text that fits and ends neither inside an escape nor inside a character.
fn cut(text: &str, cap: usize) -> &str {
    let mut end = 0;
    let mut rest = text.char_indices();
    while let Some((at, symbol)) = rest.next() {
        let next = match symbol {
            // `\\` or `\xHH`, as `model::smtp::escape` writes them.
            '\\' => match rest.next() {
                Some((_, 'x')) => rest.nth(1).map_or(text.len(), |(last, digit)| last + digit.len_utf8()),
                Some((second, other)) => second + other.len_utf8(),
                None => text.len(),
            },
            plain => at + plain.len_utf8(),
        };
        if next > cap {
            break;
        }
        end = next;
    }
    text.get(..end).unwrap_or(text)
}

/// The chain's trust, and the name beside it: a sound chain for another host is no trust.
fn trust(row: Row<'_>) -> Cell<'_> {
    tls(row, |tls| {
        let Some(chain) = tls.certificate.as_ref().and_then(|certificate| certificate.chain) else { return Cell::Null };
        let other_name = chain == CertTrust::Trusted
            && row.exchange().is_some_and(|exchange| tls.is_for_another(exchange.name.as_str()));
        Cell::Word(if other_name { CertTrust::NameMismatch } else { chain }.as_str())
    })
}

/// Whose name the certificate bears, of those the row is about.
fn covers(row: Row<'_>) -> Cell<'_> {
    certificate(row, |certificate| {
        let exchange = row.exchange().is_some_and(|exchange| certificate.covers(exchange.name.as_str()));
        let introduced = row.host().and_then(|host| host.introduction.as_ref()?.name());
        let introduced = introduced.is_some_and(|name| certificate.covers(name.as_str()));
        let words = [(exchange, "exchange"), (introduced, "introduction")];
        Cell::List(words.iter().filter(|(covered, _)| *covered).map(|(_, word)| Cow::Borrowed(*word)).collect())
    })
}

fn introduction_addresses(row: Row<'_>) -> Cell<'_> {
    host(row, |host| {
        let addresses = &host.introduced.addresses;
        let list: Vec<Cow<'_, str>> = addresses.all().map(|address| Cow::Owned(address.to_string())).collect();
        if list.is_empty() && (addresses.v4.unknown().is_some() || addresses.v6.unknown().is_some()) {
            return Cell::Null;
        }
        Cell::List(list)
    })
}

/// What the blocklists said; null rather than empty when none was asked.
/// Null where no list of domain names was asked about any of the row's domains.
fn domains(row: Row<'_>) -> Cell<'_> {
    let asked = row.host().is_some_and(|host| !host.domains.is_empty())
        || row.exchange().is_some_and(|exchange| !exchange.domains.is_empty());
    let list = &row.assessment.domains_listed;
    if asked || !list.is_empty() { texts(list) } else { Cell::Null }
}

fn listed<'a>(row: Row<'a>, list: &'a [Box<str>]) -> Cell<'a> {
    host(row, |host| if host.listings.is_empty() && list.is_empty() { Cell::Null } else { texts(list) })
}
