//! Why a server refuses: because of us, or because there is no mail service.
//! Comes in: the code and the text of a 4xx or 5xx reply, lower case. Goes out: yes or no. Pure.
//! A refusal that speaks of us says nothing about the server.

use std::net::IpAddr;

use super::reply::lower_text;
use crate::model::smtp::{Reply, Session};
use crate::model::words::{Cause, SmtpStatus};

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

/// How servers say that they have had too many connections, from us or from all.
const LIMITS: &[&str] = &[
    "too many connections",
    "too many concurrent",
    "too many sessions",
    "too many simultaneous",
    "connection limit",
    "connection rate",
    "rate limit",
    "ratelimit",
    "throttl",
    "try again later",
    "try later",
];
/// What is put off for being unknown is not put off for being too many.
const GREYLISTING: &[&str] = &["greylist", "graylist", "grey list", "gray list"];

/// Whether a session ended in a way that speaks of all that we do there, not of one server's state: 421 (RFC 5321 §3.8), a limit,
/// a refusal that names us. Whoever goes on then asks to be banned.
pub(in crate::probe) fn turns_away(session: &Session) -> bool {
    let limited = |reply: &Reply| {
        let text = lower_text(reply);
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
        reply.code >= 400 && says(LIMITS) && !says(GREYLISTING)
    };
    let away = |reply: &Reply| reply.complete && (reply.code == 421 || limited(reply));
    let replies = [&session.greeting, &session.ehlo, &session.helo];
    // Where every reply that is kept was positive, 421 came to STARTTLS or inside TLS.
    let after = session.status == SmtpStatus::Deferred && session.tls.detail.is_some();
    session.cause == Some(Cause::ScannerBlocked) || after || replies.into_iter().flatten().any(away)
}

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
    fn limits_turn_us_away_and_greylisting_does_not() {
        for (code, text, away) in [
            (421, "4.7.0 closing", true),
            (450, "4.7.1 too many connections from your network", true),
            (451, "Try again later", true),
            (451, "greylisted, try again later", false),
            (452, "disk full", false),
            (554, "5.7.1 connection rate limit exceeded", true),
            (554, "no", false),
            (220, "mail.example.org we throttle", false),
        ] {
            let greeting = Reply { code, lines: [text].into(), complete: true, ..Reply::default() };
            let session =
                Session { greeting: Some(greeting), ..Session::none(25, crate::model::words::ConnectStatus::Open) };
            assert_eq!(turns_away(&session), away, "{code} {text}");
        }
    }

    #[test]
    fn a_positive_reply_refuses_nobody() {
        assert!(!speaks_of_us(220, "your ip is blocked", None));
        assert!(speaks_of_us(421, "your ip is blocked", None));
    }
}
