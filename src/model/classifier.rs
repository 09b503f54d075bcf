//! The tests that give an introduction its class, in their order.
//! Comes in: bytes, and the tables in force. Goes out: the first class that holds.
//! Each byte is looked at once for its kind, and each label once for its form: what is left to ask is asked of few texts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::special;
use super::introduction::{Flags, Naming};
use super::organisation::registrable;
use super::tables::{Section, Tables, is_under};
use super::words::IntroductionClass;

/// The longest name, without a final dot (RFC 1035 §2.3.4 in characters).
const LONGEST: usize = 253;

impl Naming {
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
