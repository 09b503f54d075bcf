//! Why a server refuses: because of us, or because there is no mail service.
//! Comes in: the code and the text of a 4xx or 5xx reply, lower case. Goes out: yes or no. Pure.
//! A refusal that speaks of us says nothing about the server.

use std::net::IpAddr;

/// Words of a refusal that speaks of our address, our reverse name or a list we are on.
const ABOUT_US_WORDS: &[&str] = &[
    "ptr",
    "reverse",
    "rdns",
    "reputation",
    "blocked",
    "banned",
    "blacklist",
    "blacklisted",
    "blocklist",
    "blocklisted",
    "dnsbl",
    "rbl",
    "spamhaus",
    "spamcop",
    "sorbs",
    "barracudacentral",
    "uceprotect",
    "abuseat",
];
const ABOUT_US_PHRASES: &[&str] = &["your ip", "does not resolve", "block list", "black list"];

/// How servers say that they take no mail (RFC 7504 §3).
const NO_SERVICE: &[&str] = &[
    "no smtp service",
    "no mail service",
    "does not accept mail",
    "does not accept email",
    "does not accept e-mail",
    "doesn't accept mail",
];

/// Whether a refusal speaks of a list, of our reverse name or of our address.
pub(super) fn speaks_of_us(code: u16, text: &str, own: Option<IpAddr>) -> bool {
    code >= 400
        && (text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| ABOUT_US_WORDS.contains(&word))
            || ABOUT_US_PHRASES.iter().any(|phrase| text.contains(phrase))
            || own.is_some_and(|own| cites(text, &own.to_string())))
}

/// Whether a refusal says that no mail is taken here: 521 by itself (RFC 7504 §3), 554 and 556 in words.
pub(super) fn speaks_of_no_service(code: u16, text: &str) -> bool {
    code == 521 || matches!(code, 554 | 556) && NO_SERVICE.iter().any(|phrase| text.contains(phrase))
}

/// Whether a text holds an address that does not go on to either side.
fn cites(text: &str, address: &str) -> bool {
    text.match_indices(address).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + address.len()..));
        !before.is_some_and(|text| text.ends_with(|c: char| c.is_ascii_hexdigit() || c == '.'))
            && !after.is_some_and(|text| text.starts_with(|c: char| c.is_ascii_hexdigit() || c == ':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_whole_address_is_ours() {
        for (text, address, ours) in [
            ("client [203.0.113.9] refused", "203.0.113.9", true),
            ("from 203.0.113.9.", "203.0.113.9", true),
            ("from 203.0.113.99", "203.0.113.9", false),
            ("from 1203.0.113.9", "203.0.113.9", false),
            ("from 9.203.0.113.9", "203.0.113.9", false),
            ("from 2001:db8::25 no", "2001:db8::25", true),
            ("from ipv6:2001:db8::25 no", "2001:db8::25", true),
            ("from 2001:db8::25:1 no", "2001:db8::25", false),
            ("no", "203.0.113.9", false),
        ] {
            assert_eq!(speaks_of_us(550, text, Some(address.parse().unwrap())), ours, "{text}");
        }
    }

    #[test]
    fn a_positive_reply_refuses_nobody() {
        assert!(!speaks_of_us(220, "your ip is blocked", None));
        assert!(speaks_of_us(421, "your ip is blocked", None));
    }
}
