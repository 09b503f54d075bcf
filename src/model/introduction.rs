//! Introduction names and their classes.
//! Comes in: the bytes of a name somebody introduced himself with. Goes out: one class, and flags beside it.
//! Pure: no vector causes a DNS question. Probes ask `may_be_asked` before they look the name up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::address::special;
use super::name::Name;
use super::organisation::{organisation, public_suffix};
use super::smtp::escape;
use super::tables;
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

/// What is special about this run's idea of names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naming {
    /// `test` is an ordinary top-level domain (`--lab`).
    pub lab: bool,
}

/// How much of an introduction is kept.
const KEPT: usize = 300;

impl Naming {
    /// The class of an introduction. The order of the tests is part of the definition: the first hit wins.
    pub fn classify(self, bytes: &[u8]) -> (IntroductionClass, Flags) {
        let mut flags = Flags { uppercase: bytes.iter().any(u8::is_ascii_uppercase), ..Flags::default() };
        let class = self.class(bytes, &mut flags);
        (class, flags)
    }

    fn class(self, bytes: &[u8], flags: &mut Flags) -> IntroductionClass {
        use IntroductionClass as Class;
        if bytes.iter().all(|byte| *byte == b' ') {
            return Class::Empty;
        }
        let Ok(text) = str::from_utf8(bytes) else { return Class::IllegalOctet };
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Class::IllegalChar;
        }
        if text.bytes().all(|byte| byte == b'*') || (text.len() >= 4 && text.bytes().all(|byte| byte == b'X')) {
            return Class::Masked;
        }
        let text = text.to_lowercase();
        if let Some(class) = not_a_name(&text) {
            return class;
        }
        if !text.is_ascii() {
            return if idna::domain_to_ascii(&text).is_ok() { Class::ULabel } else { Class::IllegalChar };
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')) {
            return Class::IllegalChar;
        }
        let bare = text.strip_suffix('.').unwrap_or(&text);
        flags.trailing_dot = bare.len() < text.len();
        malformed(bare, flags).unwrap_or_else(|| self.standing(bare, flags))
    }

    /// What a well-formed name of two labels or more stands under.
    fn standing(self, bare: &str, flags: &mut Flags) -> IntroductionClass {
        use IntroductionClass as Class;
        let under = |suffix: &str| tables::is_under(bare, suffix);
        let tld = bare.rsplit('.').next().unwrap_or(bare);
        if under("in-addr.arpa") || under("ip6.arpa") {
            return Class::ReverseZone;
        }
        if tables::special_use(bare).is_some_and(|suffix| !(self.lab && suffix == "test")) {
            return Class::SpecialUse;
        }
        if ["example.com", "example.net", "example.org"].iter().any(|suffix| under(suffix)) {
            return Class::ExampleDomain;
        }
        let name = Name::trusted(bare.to_owned());
        let organisation = organisation(&name);
        let registered = organisation.as_ref().and_then(|name| name.as_str().split('.').next());
        if tables::is_placeholder(bare, registered) {
            return Class::Placeholder;
        }
        if tables::is_private_tld(tld) {
            return Class::PrivateTld;
        }
        let known = tables::is_delegated(tld) || (self.lab && tld == "test");
        if !known {
            return Class::UnknownTld;
        }
        match public_suffix(&name) {
            Some(true) => return Class::PublicSuffix,
            Some(false) => {
                flags.private_suffix = true;
                return Class::PublicSuffix;
            }
            None => {}
        }
        flags.apex = organisation.is_some_and(|organisation| organisation == name);
        if flags.trailing_dot { Class::TrailingDot } else { Class::Fqdn }
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
    if text.strip_prefix("ipv6:").unwrap_or(text).parse::<IpAddr>().is_ok() {
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
    let address = match inner.strip_prefix("ipv6:") {
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

/// What is wrong with a name of legal characters, final dot taken off.
fn malformed(bare: &str, flags: &mut Flags) -> Option<IntroductionClass> {
    use IntroductionClass as Class;
    if bare.len() > 253 {
        return Some(Class::NameTooLong);
    }
    let labels = || bare.split('.');
    if labels().any(str::is_empty) {
        return Some(Class::EmptyLabel);
    }
    if labels().any(|label| label.len() > 63) {
        return Some(Class::LabelTooLong);
    }
    if bare.contains('_') {
        return Some(Class::Underscore);
    }
    if labels().any(|label| label.starts_with('-') || label.ends_with('-')) {
        return Some(Class::HyphenEdge);
    }
    let (first, last) = (labels().next().unwrap_or(bare), labels().next_back().unwrap_or(bare));
    if first == "localhost" || last == "localhost" {
        return Some(Class::Localhost);
    }
    if !bare.contains('.') {
        flags.default_name = tables::is_default_host(bare);
        return Some(Class::SingleLabel);
    }
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Class::NumericTld);
    }
    for label in labels() {
        if label.as_bytes().get(2..4) != Some(b"--") {
            continue;
        }
        if !label.starts_with("xn--") {
            return Some(Class::ReservedLdh);
        }
        let (unicode, decoded) = idna::domain_to_unicode(label);
        if decoded.is_err() || idna::domain_to_ascii(&unicode).is_ok_and(|back| back != label) {
            return Some(Class::BadALabel);
        }
        flags.idn = true;
    }
    None
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
        assert_eq!(Naming { lab: true }.classify(b"mail.lab.test").0, Class::Fqdn);
        assert_eq!(Naming { lab: true }.classify(b"mail.lab.local").0, Class::SpecialUse);
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
