//! Introduction names and their classes.
//! Comes in: the bytes of a name somebody introduced himself with. Goes out: one class, and flags beside it.
//! Pure: no vector causes a DNS question. Probes ask `may_be_asked` before they look the name up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::address::special;
use super::name::Name;
use super::organisation::registrable;
use super::smtp::escape;
use super::tables::{Section, Tables, is_under};
use super::words::{IntroducedBy, IntroductionClass};

/// A name somebody introduced himself with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The text as it was seen, control and non-ASCII bytes escaped.
    pub text: Box<str>,
    /// Where it was seen.
    pub by: IntroducedBy,
    /// What kind of text it is.
    pub class: IntroductionClass,
}

/// Facts beside the class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// The name is an organisational domain itself.
    pub apex: bool,
    /// Written with capitals.
    pub uppercase: bool,
    /// Holds an A-label.
    pub idn: bool,
    /// Written with a final dot.
    pub trailing_dot: bool,
    /// A vendor's default host name.
    pub default_name: bool,
    /// A suffix of the PSL's private section.
    pub private_suffix: bool,
}

/// A run's idea of names: which tables it goes by. Cheap to copy: it is handed to every stage that meets a name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming {
    /// `test` is an ordinary top-level domain (`--lab`).
    lab: bool,
    /// None stands for those inside the program.
    tables: Option<&'static Tables>,
}

/// How much of an introduction is kept.
const KEPT: usize = 300;
/// The longest name, without a final dot (RFC 1035 §2.3.4 in characters).
const LONGEST: usize = 253;

impl Naming {
    /// By the tables inside the program.
    pub const fn built_in() -> Self {
        Self { lab: false, tables: None }
    }

    /// By the tables inside the program, in a lab: `test` is an ordinary top-level domain.
    pub const fn in_lab() -> Self {
        Self { lab: true, tables: None }
    }

    /// The same, by these tables.
    #[must_use]
    pub const fn by(self, tables: &'static Tables) -> Self {
        Self { tables: Some(tables), ..self }
    }

    /// The tables in force.
    pub fn tables(self) -> &'static Tables {
        self.tables.unwrap_or_else(Tables::built_in)
    }

    /// The class of an introduction. The order of the tests is part of the definition: the first hit wins.
    ///
    /// Allocates nothing, but for texts outside ASCII and labels that begin with `xn--`, which IDNA has to convert.
    pub fn classify(self, bytes: &[u8]) -> (IntroductionClass, Flags) {
        let seen = bytes.iter().fold(0, |seen, byte| seen | kind(*byte));
        let mut flags = Flags { uppercase: seen & (CAPITAL | X) != 0, ..Flags::default() };
        let class = self.class(bytes, seen, &mut flags);
        (class, flags)
    }

    /// `seen` are the kinds of all the bytes.
    fn class(self, bytes: &[u8], seen: u8, flags: &mut Flags) -> IntroductionClass {
        use IntroductionClass as Class;
        if seen & !BLANK == 0 {
            return Class::Empty;
        }
        let Ok(text) = str::from_utf8(bytes) else { return Class::IllegalOctet };
        if seen & (BLANK | CONTROL) != 0 {
            return Class::IllegalChar;
        }
        if seen == STAR || (seen == X && text.len() >= 4) {
            return Class::Masked;
        }
        if seen & !(LOWER | CAPITAL | X) == 0 {
            // A dotted quad is the one text of these characters that is something else than a name.
            if text.parse::<Ipv4Addr>().is_ok() {
                return Class::BareIp;
            }
        } else if let Some(class) = not_a_name(text) {
            return class;
        } else if seen & HIGH != 0 && idna::domain_to_ascii(text).is_ok() {
            return Class::ULabel;
        } else {
            return Class::IllegalChar;
        }
        let bare = text.strip_suffix('.').unwrap_or(text);
        flags.trailing_dot = bare.len() < text.len();
        let mut lower = [0; LONGEST];
        let Some(lower) = lower.get_mut(..bare.len()) else { return Class::NameTooLong };
        lower.copy_from_slice(bare.as_bytes());
        lower.make_ascii_lowercase();
        let bare = str::from_utf8(lower).expect("the text is ASCII");
        let labels = Labels::of(bare);
        malformed(bare, &labels, self.tables(), flags).unwrap_or_else(|| self.standing(bare, labels.last, flags))
    }

    /// What a well-formed name of two labels or more stands under.
    fn standing(self, bare: &str, tld: &str, flags: &mut Flags) -> IntroductionClass {
        use IntroductionClass as Class;
        let tables = self.tables();
        let under = |suffixes: &[&str]| suffixes.iter().any(|suffix| is_under(bare, suffix));
        if tld == "arpa" && under(&["in-addr.arpa", "ip6.arpa"]) {
            return Class::ReverseZone;
        }
        let top = tables.top(tld);
        if top.special && tables.special_use(bare).is_some_and(|suffix| !(self.lab && suffix == "test")) {
            return Class::SpecialUse;
        }
        if under(&["example.com", "example.net", "example.org"]) {
            return Class::ExampleDomain;
        }
        let suffix = tables.suffix(bare);
        let organisation = registrable(bare, suffix);
        if tables.is_placeholder(bare, organisation.and_then(|name| name.split('.').next())) {
            return Class::Placeholder;
        }
        if top.private {
            return Class::PrivateTld;
        }
        let known = top.delegated || (self.lab && tld == "test");
        if !known {
            return Class::UnknownTld;
        }
        if let Some(section) = suffix.whole {
            flags.private_suffix = section == Section::Private;
            return Class::PublicSuffix;
        }
        flags.apex = organisation == Some(bare);
        if flags.trailing_dot { Class::TrailingDot } else { Class::Fqdn }
    }
}

/// The kinds of bytes: which of them a text has is seen in one pass, and settles most of the tests.
const BLANK: u8 = 1;
const CONTROL: u8 = 2;
const STAR: u8 = 4;
/// The letter that firewalls blank texts with, a capital like others.
const X: u8 = 8;
const CAPITAL: u8 = 16;
/// Other letters, digits, hyphens and dots, and the underscore that looks like one of them.
const LOWER: u8 = 32;
const OTHER: u8 = 64;
const HIGH: u8 = 128;

const fn kind(byte: u8) -> u8 {
    match byte {
        b' ' => BLANK,
        0..b' ' | 0x7f => CONTROL,
        b'*' => STAR,
        b'X' => X,
        b'A'..=b'Z' => CAPITAL,
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => LOWER,
        b'!'..=b'~' => OTHER,
        0x80.. => HIGH,
    }
}

/// The labels of a name, looked at once.
struct Labels<'a> {
    first: &'a str,
    last: &'a str,
    any_empty: bool,
    any_long: bool,
    any_hyphen_edge: bool,
    /// One has hyphens in its third and fourth place, as A-labels have (RFC 5890 §2.3.1).
    any_tagged: bool,
}

impl<'a> Labels<'a> {
    fn of(bare: &'a str) -> Self {
        let first = bare.split('.').next().unwrap_or(bare);
        let mut labels =
            Self { first, last: first, any_empty: false, any_long: false, any_hyphen_edge: false, any_tagged: false };
        for label in bare.split('.') {
            labels.any_empty |= label.is_empty();
            labels.any_long |= label.len() > 63;
            labels.any_hyphen_edge |= label.starts_with('-') || label.ends_with('-');
            labels.any_tagged |= label.as_bytes().get(2..4) == Some(b"--");
            labels.last = label;
        }
        labels
    }
}

/// Texts that are something else than a name: literals, URLs, addresses, mail addresses, ports.
fn not_a_name(text: &str) -> Option<IntroductionClass> {
    use IntroductionClass as Class;
    if text.starts_with('[') {
        return Some(literal(text));
    }
    if text.contains("://") || text.contains('/') {
        return Some(Class::Url);
    }
    let mail = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
    if mail.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()) {
        return Some(Class::EmailAddress);
    }
    if without_tag(text).unwrap_or(text).parse::<IpAddr>().is_ok() {
        return Some(Class::BareIp);
    }
    let port = text.split_once(':').map(|(host, port)| (!host.is_empty(), port));
    if let Some((true, port)) = port
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some(Class::HostPort);
    }
    None
}

/// An address literal by RFC 5321 §4.1.3, or what is wrong with it.
fn literal(text: &str) -> IntroductionClass {
    use IntroductionClass as Class;
    let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return Class::LiteralMalformed;
    };
    let address = match without_tag(inner) {
        Some(v6) => v6.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => inner.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    };
    match address {
        None => Class::LiteralMalformed,
        Some(address) if special(address).is_some() => Class::LiteralSpecial,
        Some(IpAddr::V4(_)) => Class::LiteralV4,
        Some(IpAddr::V6(_)) => Class::LiteralV6,
    }
}

/// What stands behind the tag `IPv6:`, in any case.
fn without_tag(text: &str) -> Option<&str> {
    text.split_at_checked("ipv6:".len()).filter(|(tag, _)| tag.eq_ignore_ascii_case("ipv6:")).map(|(_, rest)| rest)
}

/// What is wrong with a name of legal characters in lower case, not too long, final dot taken off.
fn malformed(bare: &str, labels: &Labels<'_>, tables: &Tables, flags: &mut Flags) -> Option<IntroductionClass> {
    use IntroductionClass as Class;
    if labels.any_empty {
        return Some(Class::EmptyLabel);
    }
    if labels.any_long {
        return Some(Class::LabelTooLong);
    }
    if bare.contains('_') {
        return Some(Class::Underscore);
    }
    if labels.any_hyphen_edge {
        return Some(Class::HyphenEdge);
    }
    if labels.first == "localhost" || labels.last == "localhost" {
        return Some(Class::Localhost);
    }
    if labels.first.len() == bare.len() {
        flags.default_name = tables.is_default_host(bare);
        return Some(Class::SingleLabel);
    }
    if labels.last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Class::NumericTld);
    }
    if labels.any_tagged {
        let wrong = bare.split('.').find_map(tagged);
        flags.idn = wrong.is_none();
        return wrong;
    }
    None
}

/// What is wrong with a label that may be an A-label.
fn tagged(label: &str) -> Option<IntroductionClass> {
    if label.as_bytes().get(2..4) != Some(b"--") {
        return None;
    }
    if !label.starts_with("xn--") {
        return Some(IntroductionClass::ReservedLdh);
    }
    let (unicode, decoded) = idna::domain_to_unicode(label);
    let back = idna::domain_to_ascii(&unicode);
    (decoded.is_err() || back.is_ok_and(|back| back != label)).then_some(IntroductionClass::BadALabel)
}

impl IntroductionClass {
    /// Whether a name of this class can be asked for in DNS at all and should be: no question
    /// is sent for special-use and private top-level domains.
    pub const fn may_be_asked(self) -> bool {
        matches!(
            self,
            Self::Underscore
                | Self::HyphenEdge
                | Self::NumericTld
                | Self::ReservedLdh
                | Self::BadALabel
                | Self::ReverseZone
                | Self::ExampleDomain
                | Self::Placeholder
                | Self::UnknownTld
                | Self::PublicSuffix
                | Self::TrailingDot
                | Self::Fqdn
        )
    }
}

impl Introduction {
    /// Classifies what was seen; at most 300 characters of it are kept.
    pub fn new(bytes: &[u8], by: IntroducedBy, naming: Naming) -> Self {
        let (class, _) = naming.classify(bytes);
        let text = escape(bytes.get(..bytes.len().min(KEPT)).unwrap_or_default());
        Self { text, by, class }
    }

    /// The class by the tables in force, where it hangs on them: evidence may be judged by other tables than it was
    /// gathered by. What is no well-formed name of two labels keeps its class; of some only the beginning was kept.
    pub fn class_by(&self, naming: Naming) -> IntroductionClass {
        use IntroductionClass as Class;
        match self.class {
            Class::SpecialUse
            | Class::ExampleDomain
            | Class::Placeholder
            | Class::PrivateTld
            | Class::UnknownTld
            | Class::PublicSuffix
            | Class::TrailingDot
            | Class::Fqdn => naming.classify(self.text.as_bytes()).0,
            other => other,
        }
    }

    /// The name to look up; None where the class cannot be asked for.
    pub fn name(&self) -> Option<Name> {
        if !self.class.may_be_asked() {
            return None;
        }
        let bare = self.text.strip_suffix('.').unwrap_or(&self.text);
        Some(Name::from_labels(bare.split('.').map(str::as_bytes)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use IntroductionClass as Class;

    fn class(text: &str) -> Class {
        Naming::default().classify(text.as_bytes()).0
    }

    #[test]
    fn every_vector_has_its_class() {
        let long = |label: &str, count: usize| label.repeat(count);
        let x63 = format!("{}.ietf.org", long("x", 63));
        let x64 = format!("{}.ietf.org", long("x", 64));
        let long_name = format!("{}ietf.org.com", long(&format!("{}.", long("x", 60)), 4));
        let table: &[(Class, &[&str])] = &[
            (
                Class::Fqdn,
                &[
                    "mail.ietf.org",
                    "MAIL.IETF.ORG",
                    "Mail-Out2.Dept.IETF.org",
                    "ietf.org",
                    "3com.com",
                    "mx1.1and1.com",
                    "a.b.c.d.e.f.ietf.org",
                    "mx.xn--80ak6aa92e.com",
                    "mail.example-isp.co.uk",
                    "1-2-3-4.dyn.isp.net",
                    &x63,
                    "mx.xn--p1ai",
                    "mx.xn--ls8h.la",
                ],
            ),
            (Class::TrailingDot, &["mail.ietf.org."]),
            (Class::EmptyLabel, &["mail.ietf.org..", ".mail.ietf.org", "mail..ietf.org", "."]),
            (Class::LabelTooLong, &[&x64]),
            (Class::NameTooLong, &[&long_name]),
            (Class::Empty, &["", "   "]),
            (Class::SingleLabel, &["MAILSERVER", "mail", "WIN-7Q2KD8FA1", "com", "12345", "ylmf-pc"]),
            (
                Class::Localhost,
                &["localhost", "localhost.localdomain", "LOCALHOST.localdomain", "mx.localhost", "localhost.ietf.org"],
            ),
            (Class::Underscore, &["mail_out.ietf.org", "_dmarc.ietf.org", "my_server"]),
            (
                Class::HyphenEdge,
                &["-mail.ietf.org", "mail-.ietf.org", "mail.-ietf.org", "xn--.ietf.org", "xn--abc-.ietf.org"],
            ),
            (Class::ReservedLdh, &["ab--cd.ietf.org"]),
            (
                Class::IllegalChar,
                &[
                    "xn--zzzzzzzzzz!!.org",
                    "@ietf.org",
                    "mail.ietf.org\0",
                    "mail,ietf.org",
                    "mail.ietf.org;",
                    "ma il.ietf.org",
                    "mail!ietf.org",
                    "%HOSTNAME%.ietf.org",
                    "$myhostname",
                    "***02*",
                ],
            ),
            (Class::BadALabel, &["xn--mail.ietf.org", "xn--u-ccb.com", "xn--abc.org", "xn--99999999.org"]),
            (Class::EmailAddress, &["postmaster@ietf.org", "<user@ietf.org>"]),
            (Class::Url, &["http://mail.ietf.org", "mail.ietf.org/"]),
            (Class::HostPort, &["mail.ietf.org:25"]),
            (Class::BareIp, &["192.168.1.10", "8.8.4.4", "2001:4860:4860::8888", "IPv6:2001:4860:4860::8888"]),
            (Class::NumericTld, &["8.8.4.400", "8.8.4", "1.2.3.4.5", "mail.ietf.42"]),
            (Class::LiteralV4, &["[8.8.4.4]"]),
            (Class::LiteralV6, &["[IPv6:2001:4860:4860::8888]", "[ipv6:2001:4860:4860::8844]"]),
            (Class::LiteralSpecial, &["[10.0.0.5]", "[127.0.0.1]", "[IPv6:fe80::1]"]),
            (Class::LiteralMalformed, &["[2001:4860:4860::8888]", "[8.8.4.4", "[8.8.4.400]", "[mail.ietf.org]"]),
            (
                Class::SpecialUse,
                &[
                    "mail.corp.local",
                    "gw.home.arpa",
                    "mx.acme.internal",
                    "mx.invalid",
                    "smtp.test",
                    "abc234.onion",
                    "mail.example",
                ],
            ),
            (Class::PrivateTld, &["EXCH01.ad.corp", "mail.lan", "srv.localdomain", "router.home"]),
            (Class::Placeholder, &["fritz.box", "mail.yourdomain.com", "server.domain.tld", "mail.yourdomain.tld"]),
            (Class::ExampleDomain, &["mail.example.com", "example.org"]),
            (Class::UnknownTld, &["mx.acme.nosuchtld", "mail.company.c0m", "mx.acme.exchange2019"]),
            (Class::PublicSuffix, &["co.uk", "github.io"]),
            (Class::ReverseZone, &["4.4.8.8.in-addr.arpa", "1.0.0.2.ip6.arpa"]),
            (Class::ULabel, &["пошта.рф", "müller.de"]),
            (Class::Masked, &["****", "XXXXXXXX"]),
        ];
        for (wanted, texts) in table {
            for text in *texts {
                assert_eq!(class(text), *wanted, "{text:?}");
            }
        }
        assert_eq!(Naming::default().classify(b"m\xFCller.de").0, Class::IllegalOctet);
    }

    #[test]
    fn top_level_domains_of_which_the_list_has_only_a_wildcard_are_known() {
        for name in ["a.org.ck", "a.b.er", "a.b.fk", "a.com.jm", "a.b.mm", "a.com.np", "a.b.pg", "mail.shop.co.za"] {
            assert_eq!(class(name), Class::Fqdn, "{name}");
        }
    }

    #[test]
    fn the_lab_may_use_the_test_domain() {
        assert_eq!(Naming::in_lab().classify(b"mail.lab.test").0, Class::Fqdn);
        assert_eq!(Naming::in_lab().classify(b"mail.lab.local").0, Class::SpecialUse);
    }

    #[test]
    fn flags_stand_beside_the_class() {
        let flags = |text: &str| Naming::default().classify(text.as_bytes()).1;
        assert!(flags("github.io").private_suffix && !flags("co.uk").private_suffix);
        assert!(flags("gmx.net").apex && !flags("mx.gmx.net").apex);
        assert!(flags("WIN-7Q2KD8FA1").default_name && flags("mx.xn--p1ai").idn && flags("a.ietf.org.").trailing_dot);
    }

    #[test]
    fn no_question_is_made_of_what_is_no_name() {
        let name = |text: &str| Introduction::new(text.as_bytes(), IntroducedBy::Greeting, Naming::default()).name();
        assert_eq!(name("mail.ietf.org.").unwrap().as_str(), "mail.ietf.org");
        assert_eq!(name("mail_out.ietf.org").unwrap().as_str(), "mail_out.ietf.org");
        for text in ["", "mail", "[8.8.4.4]", "a@ietf.org", "mx.corp.local", "пошта.рф", "a b.org"] {
            assert_eq!(name(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_class_and_case_does_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (class, _) = Naming::default().classify(&bytes);
            let masked = bytes.contains(&b'X');
            if !masked {
                prop_assert_eq!(Naming::default().classify(&bytes.to_ascii_lowercase()).0, class);
            }
            let _ = Introduction::new(&bytes, IntroducedBy::Ehlo, Naming::default()).name();
        }

        #[test]
        fn names_that_may_be_asked_are_names(text in "[a-zA-Z0-9._-]{0,80}") {
            if let Some(name) = Introduction::new(text.as_bytes(), IntroducedBy::Ehlo, Naming::default()).name() {
                prop_assert!(!name.is_root() && name.labels().all(|label| !label.is_empty() && label.len() <= 63));
            }
        }
    }
}
