//! Introduction names and their classes.
//! Comes in: the bytes of a name somebody introduced himself with. Goes out: one class, and flags beside it.
//! Pure: no vector causes a DNS question. Probes ask `may_be_asked` before they look the name up.

use serde::{Deserialize, Serialize};

use super::name::Name;
use super::smtp::escape;
use super::tables::Tables;
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
    pub(super) lab: bool,
    /// None stands for those inside the program.
    tables: Option<&'static Tables>,
}

/// How much of an introduction is kept.
const KEPT: usize = 300;

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

    /// Whether `test` is an ordinary top-level domain.
    pub const fn is_lab(self) -> bool {
        self.lab
    }

    /// The tables in force.
    pub fn tables(self) -> &'static Tables {
        self.tables.unwrap_or_else(Tables::built_in)
    }
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
