//! Understands the two cells that matter: a target, and an introduction already seen.
//! Comes in: a cell's bytes. Goes out: what is wanted, or the reason why that cannot be known, with what to do instead.
//! Whether a name is proper or an address public is judged later, not here.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::name::{Name, NameError};
use crate::model::target::{Wanted, parse_network};

/// Networks of more addresses than this are refused: a scan of one could never end.
const MAX_ADDRESSES_LOG2: u8 = 32;

/// What is wanted by a text, or why it is no target.
pub(super) fn understand(text: &str) -> Result<Wanted, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".into());
    }
    if text.contains('\0') {
        return Err("holds a NUL byte".into());
    }
    if let Some(network) = parse_network(text) {
        if network.prefix_len() == network.max_prefix_len() {
            return Ok(Wanted::Address(network.addr()));
        }
        if network.max_prefix_len() - network.prefix_len() > MAX_ADDRESSES_LOG2 {
            return Err("has more than 2^32 addresses: give a network of /96 or smaller".into());
        }
        return Ok(Wanted::Network(network));
    }
    Name::parse(text).map(Wanted::Domain).map_err(|error| advice(text, error))
}

/// What a person meant who wrote this, and what to write instead.
fn advice(text: &str, error: NameError) -> String {
    let numeric = |c: char| c.is_ascii_digit() || c == '.';
    if text.contains("://") {
        "is a URL: give its host name alone".into()
    } else if text.contains('@') {
        "is an e-mail address: give the part after the @ alone".into()
    } else if text.contains('[') {
        "is an address in brackets: give the address alone".into()
    } else if text.contains('%') && text.contains(':') {
        "is an address with a zone: give the address alone".into()
    } else if text.split_once('/').is_some_and(|(head, _)| head.contains(':') || head.chars().all(numeric)) {
        "is no network: an address, a slash and a prefix length are wanted, such as 192.0.2.0/24".into()
    } else if text.contains('/') {
        "has a path: give the host name alone".into()
    } else if text
        .rsplit_once(':')
        .is_some_and(|(head, port)| !head.contains(':') && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
    {
        "has a port: give the host alone, and the port by --port".into()
    } else if text.contains(':') {
        "is neither an address nor a domain name".into()
    } else if text.starts_with("*.") {
        "is a wildcard: give a domain name".into()
    } else if text.chars().all(numeric) {
        "is no IPv4 address: four numbers up to 255 without leading zeros are wanted".into()
    } else {
        error.to_string()
    }
}

/// The text of a recorded introduction: UTF-8 as it is, every byte that is not UTF-8 as `\xHH`, blanks at the ends dropped.
pub(super) fn introduction(cell: &[u8]) -> Cow<'_, str> {
    let cell = cell.trim_ascii();
    if let Ok(text) = std::str::from_utf8(cell) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(cell.len() + 16);
    for chunk in cell.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02X}").expect("writing to a String cannot fail");
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::smtp::unescape;

    #[test]
    fn what_is_wanted_is_seen_from_the_text() {
        let address = |text: &str| Wanted::Address(text.parse().unwrap());
        let network = |text: &str| Wanted::Network(text.parse().unwrap());
        for (text, wanted) in [
            (" Example.ORG. ", Wanted::Domain(Name::parse("example.org").unwrap())),
            ("192.0.2.5", address("192.0.2.5")),
            ("192.0.2.5/32", address("192.0.2.5")),
            ("::ffff:192.0.2.5", address("192.0.2.5")),
            ("2001:DB8::1", address("2001:db8::1")),
            ("192.0.2.7/24", network("192.0.2.0/24")),
            ("::ffff:192.0.2.7/120", network("192.0.2.0/24")),
            ("0.0.0.0/0", network("0.0.0.0/0")),
            ("2001:db8::/96", network("2001:db8::/96")),
        ] {
            assert_eq!(understand(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        for (text, words) in [
            (" \t", "is empty"),
            ("a\0b.org", "NUL"),
            ("postmaster@example.org", "e-mail address"),
            ("https://example.org/", "URL"),
            ("example.org/path", "path"),
            ("example.org:25", "port"),
            ("192.0.2.1:25", "port"),
            ("[192.0.2.1]", "brackets"),
            ("[2001:db8::1]:25", "brackets"),
            ("fe80::1%eth0", "zone"),
            ("2001:db8::/95", "2^32"),
            ("192.0.2.0/33", "no network"),
            ("192.0.2.0/255.255.255.0", "no network"),
            ("192.0.2.0/+8", "no network"),
            ("2001:db8::/129", "no network"),
            ("2001:db8::x", "neither"),
            ("192.0.2.300", "IPv4"),
            ("*.example.org", "wildcard"),
            ("a b.org", "' '"),
            ("a..org", "empty label"),
        ] {
            let reason = understand(text).unwrap_err();
            assert!(reason.contains(words), "{text:?}: {reason}");
        }
    }

    #[test]
    fn octets_that_are_not_utf8_are_kept() {
        assert_eq!(introduction(b" m\xFCller.de "), "m\\xFCller.de");
        assert_eq!(introduction("müller.de".as_bytes()), "müller.de");
        assert_eq!(unescape("m\\xFCller.de"), b"m\xFCller.de");
    }

    proptest! {
        #[test]
        fn any_text_is_understood_or_refused(text in any::<String>()) {
            if let Err(reason) = understand(&text) {
                prop_assert!(!reason.is_empty());
            }
        }

        #[test]
        fn an_introduction_gives_its_octets_back(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            let wanted = octets.trim_ascii();
            prop_assume!(!wanted.contains(&b'\\'));
            prop_assert_eq!(unescape(&introduction(&octets)), wanted);
        }
    }
}
