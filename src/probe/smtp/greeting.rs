//! What a greeting says: the name in it, and who is speaking.
//! Comes in: the first reply of a connection. Goes out: a `Greeting`. Pure.
//! The name is looked for where RFC 5321 §4.3.1 wants it, and then where real servers put it.
//! Only a complete reply names anybody: half a reply may still be contradicted by its other half.

use std::net::IpAddr;

use super::reply::{unescape, words};
use super::software;
use crate::model::introduction::Naming;
use crate::model::smtp::{Greeting, NameAt, Protocol, Reply, escape};
use crate::model::words::IntroductionClass as Class;

/// First words that are no names: what servers say around their names.
const STOP_WORDS: &[&str] = &[
    "ESMTP",
    "SMTP",
    "WELCOME",
    "SERVICE",
    "HELLO",
    "READY",
    "OK",
    "MAIL",
    "ACCESS",
    "SORRY",
    "IP",
    "YOUR",
    "HOST",
    "NO",
    "PLEASE",
    "TOO",
    "CONNECTION",
    "TEMPORARY",
    "UNEXPECTED",
];

/// First words that are products.
const PRODUCTS: &[&str] = &[
    "CheckPoint",
    "HMailServer",
    "Jana-Server",
    "MacGyver",
    "eSafe",
    "PostCast",
    "InterScan",
    "LiteMail",
    "DavMail",
    "network-box",
    "Haraka",
];

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

/// Lines looked at for software and for words about us; a list of rules may follow that is nobody's name.
const LINES_READ: usize = 16;

/// Reads a greeting. `own` is our address on this connection: a refusal that cites it is about us, and it is never the
/// server's name.
pub fn read(reply: &Reply, own: Option<IpAddr>, naming: Naming) -> Greeting {
    if let Some(protocol) = foreign(reply) {
        return Greeting { protocol: Some(protocol), software: Some(protocol.as_str().into()), ..Greeting::default() };
    }
    if !reply.complete || reply.oddities.no_code {
        return Greeting::default();
    }
    if is_masked(reply) {
        return Greeting { masked: true, software: Some("cisco-pix-asa".into()), ..Greeting::default() };
    }
    let found = find(reply, own, naming);
    let name = found.as_ref().map(|(name, _)| escape(name));
    let (lower_name, text) = told(reply, name.as_deref());
    let about_us = speaks_of_us(reply.code, &text, own);
    Greeting {
        at: found.map_or(NameAt::None, |(_, at)| at),
        software: software::guess(&lower_name, &text).map(Into::into),
        no_service: !about_us
            && (reply.code == 521
                || matches!(reply.code, 554 | 556) && NO_SERVICE.iter().any(|phrase| text.contains(phrase))),
        about_us,
        name,
        ..Greeting::default()
    }
}

/// Whether a refusal, of whatever command, is about us and not about the server.
pub(super) fn is_about_us(reply: &Reply, own: Option<IpAddr>) -> bool {
    speaks_of_us(reply.code, &told(reply, None).1, own)
}

/// The protocol that answers instead of SMTP. One line is enough to know.
fn foreign(reply: &Reply) -> Option<Protocol> {
    if reply.code == 220 {
        return is_ftp(reply).then_some(Protocol::Ftp);
    }
    if !reply.oddities.no_code {
        return None;
    }
    match &*reply.raw {
        [0x15 | 0x16, 0x03, ..] => Some(Protocol::Tls),
        raw if raw.starts_with(b"SSH-") => Some(Protocol::Ssh),
        raw if raw.starts_with(b"HTTP/") => Some(Protocol::Http),
        raw if [b"* OK".as_slice(), b"* BYE", b"* PREAUTH"].iter().any(|start| raw.starts_with(start)) => {
            Some(Protocol::Imap)
        }
        raw if raw.starts_with(b"+OK") || raw.starts_with(b"-ERR") => Some(Protocol::Pop3),
        _ => None,
    }
}

/// FTP greets with 220 as well: known by a word that ends in `ftp` or `ftpd`, where nothing speaks of SMTP.
fn is_ftp(reply: &Reply) -> bool {
    let ftp_word = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let bytes = word.as_bytes();
        let ends = |end: &[u8]| {
            bytes
                .len()
                .checked_sub(end.len())
                .and_then(|at| bytes.get(at..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        ends(b"ftp") || ends(b"ftpd") || word.eq_ignore_ascii_case("FileZilla")
    };
    let lines = || reply.lines.iter().take(LINES_READ);
    lines().any(|line| line.split(' ').any(ftp_word)) && !lines().any(|line| line.to_ascii_lowercase().contains("smtp"))
}

/// Whether a firewall has blanked the text: `*`, `0`, `2` and blanks with a `*` among them, or nothing but runs of `X`.
fn is_masked(reply: &Reply) -> bool {
    let [line] = &*reply.lines else { return false };
    let stars = line.contains('*') && line.bytes().all(|byte| matches!(byte, b'*' | b'0' | b'2' | b' '));
    let crosses = line.contains("XXXX") && line.bytes().all(|byte| matches!(byte, b'X' | b' '));
    reply.code == 220 && (stars || crosses)
}

/// The name and where it stands.
fn find(reply: &Reply, own: Option<IpAddr>, naming: Naming) -> Option<(Box<[u8]>, NameAt)> {
    let line = unescape(reply.lines.first()?);
    let class = |word: &[u8]| naming.classify(word).0;
    let first = words(&line).next().map(trim);

    if reply.code >= 400 {
        // The text of a refusal is full of other people's names.
        return first.filter(|word| class(word) == Class::Fqdn).map(|word| (word.into(), NameAt::First));
    }
    if let Some(host) = first.and_then(apop) {
        return Some((host.into(), NameAt::Apop));
    }
    if let Some(candidate) = first.filter(|word| is_candidate(word)) {
        match class(candidate) {
            Class::Empty | Class::IllegalChar | Class::Masked => {}
            Class::SingleLabel => {
                let mut better = words(&line).take(6).skip(1).map(trim);
                let shaped = |word: &&[u8]| matches!(class(word), Class::Fqdn | Class::SpecialUse | Class::PrivateTld);
                return Some(
                    better.find(shaped).map_or((candidate.into(), NameAt::First), |word| (word.into(), NameAt::Later)),
                );
            }
            _ => return Some((candidate.into(), NameAt::First)),
        }
    }

    let mut before: &[u8] = b"";
    for word in words(&line).take(8).skip(1).map(trim) {
        if may_stand_later(class(word)) && !is_ours(word, own) && !announces_version(before) {
            return Some((word.into(), NameAt::Later));
        }
        before = word;
    }
    reply.lines.iter().skip(1).find_map(|line| {
        let line = unescape(line);
        let word = trim(words(&line).next()?);
        (may_stand_later(class(word)) && !is_ours(word, own)).then(|| (word.into(), NameAt::Later))
    })
}

/// Drops quotes around a word and the comma or semicolon behind it.
fn trim(word: &[u8]) -> &[u8] {
    let mut word = word;
    while let [b'"' | b'\'', rest @ ..] | [rest @ .., b'"' | b'\'' | b',' | b';'] = word {
        word = rest;
    }
    word
}

/// The host of `<digits.digits@host>`, the APOP stamp that XMail greets with.
fn apop(word: &[u8]) -> Option<&[u8]> {
    let [b'<', inner @ .., b'>'] = word else { return None };
    let at = inner.iter().position(|&byte| byte == b'@')?;
    let (stamp, host) = (inner.get(..at)?, inner.get(at + 1..)?);
    let mut numbers = stamp.split(|&byte| byte == b'.');
    let mut is_number = || numbers.next().is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    let stamped = is_number() && is_number() && numbers.next().is_none();
    (stamped && !host.is_empty()).then_some(host)
}

/// Whether a first word may be a name at all: not a line of dashes, a stop word, a product or an enhanced status code.
fn is_candidate(word: &[u8]) -> bool {
    word.iter().any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
        && !is_phrase(word)
        && !is_enhanced_code(word)
}

/// Whether a word is one that servers say in place of a name.
pub(super) fn is_phrase(word: &[u8]) -> bool {
    let mut word = word;
    while let [rest @ .., b'.' | b':' | b'!'] = word {
        word = rest;
    }
    STOP_WORDS.iter().chain(PRODUCTS).any(|phrase| phrase.as_bytes().eq_ignore_ascii_case(word))
}

/// `2.0.0` and its kin (RFC 3463 §2), which some servers put into greetings too.
fn is_enhanced_code(word: &[u8]) -> bool {
    let mut parts = word.split(|&byte| byte == b'.');
    let class = matches!(parts.next(), Some(b"2" | b"4" | b"5"));
    let mut is_short =
        || parts.next().is_some_and(|part| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit));
    class && is_short() && is_short() && parts.next().is_none()
}

/// The classes that tell a name from the words around it.
const fn may_stand_later(class: Class) -> bool {
    matches!(
        class,
        Class::Fqdn
            | Class::Localhost
            | Class::SpecialUse
            | Class::PrivateTld
            | Class::LiteralV4
            | Class::LiteralV6
            | Class::LiteralSpecial
            | Class::BareIp
            | Class::EmailAddress
    )
}

/// Whether a word is our own address, with or without brackets: servers tell us whom they see.
fn is_ours(word: &[u8], own: Option<IpAddr>) -> bool {
    let Some(own) = own else { return false };
    let bare = word.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(word);
    let bare = bare.strip_prefix(b"IPv6:").unwrap_or(bare);
    std::str::from_utf8(bare).is_ok_and(|text| text.parse() == Ok(own))
}

/// Whether the word before a dotted number says that it is a version.
fn announces_version(word: &[u8]) -> bool {
    ["version", "version:", "release", "build", "v"].iter().any(|said| said.as_bytes().eq_ignore_ascii_case(word))
}

/// The name and the text without it, in lower case.
fn told(reply: &Reply, name: Option<&str>) -> (String, String) {
    let mut text = String::with_capacity(128);
    for line in reply.lines.iter().take(LINES_READ) {
        text.push_str(line);
        text.push(' ');
    }
    text.make_ascii_lowercase();
    let name = name.unwrap_or_default().to_ascii_lowercase();
    if !name.is_empty() {
        text = text.replacen(&*name, "", 1);
    }
    (name, text)
}

/// Whether a lower-case text of a refusal speaks of a list, of our reverse name or of our address.
fn speaks_of_us(code: u16, text: &str, own: Option<IpAddr>) -> bool {
    code >= 400
        && (text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| ABOUT_US_WORDS.contains(&word))
            || ABOUT_US_PHRASES.iter().any(|phrase| text.contains(phrase))
            || own.is_some_and(|own| cites(text, &own.to_string())))
}

/// Whether a text holds an address that does not go on to either side.
fn cites(text: &str, address: &str) -> bool {
    let goes_on = |c: char| c.is_ascii_hexdigit() || c == ':';
    text.match_indices(address).any(|(at, _)| {
        let (before, after) = (text.get(..at), text.get(at + address.len()..));
        !before.is_some_and(|text| text.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
            && !after.is_some_and(|text| text.starts_with(goes_on))
    })
}
