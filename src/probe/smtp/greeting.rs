//! What a greeting says: the name in it, and who is speaking.
//! Comes in: the first reply of a connection. Goes out: a `Greeting`. Pure.
//! The name is looked for where RFC 5321 §4.3.1 wants it, and then where real servers put it.
//! Only a complete reply names anybody: half a reply may still be contradicted by its other half.

use std::net::IpAddr;

use super::reply::{LINES_READ, bytes_of, lower_text, words};
use super::{refusal, software};
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

/// Reads a greeting. `own` is our address on this connection: a refusal that cites it is about us, and it is never the
/// server's name.
pub fn read(reply: &Reply, own: Option<IpAddr>, naming: Naming) -> Greeting {
    read_as(reply, || own, naming)
}

/// The same for one who has to ask for our address first: few greetings make it a question.
pub(super) fn read_as(reply: &Reply, own: impl Fn() -> Option<IpAddr>, naming: Naming) -> Greeting {
    if let Some(protocol) = foreign(reply) {
        return Greeting { protocol: Some(protocol), software: Some(protocol.as_str().into()), ..Greeting::default() };
    }
    if !reply.complete || reply.oddities.no_code {
        return Greeting::default();
    }
    if is_masked(reply) {
        return Greeting { masked: true, software: Some("cisco-pix-asa".into()), ..Greeting::default() };
    }
    let found = find(reply, &own, naming);
    let name = found.as_ref().map(|(name, _)| escape(name));
    let lower_name = name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let mut text = lower_text(reply);
    if !lower_name.is_empty() {
        // A host may be called `reverse` or `postfix` and mean nothing by it.
        text = text.replacen(&*lower_name, "", 1);
    }
    let about_us = reply.code >= 400 && refusal::speaks_of_us(reply.code, &text, own());
    Greeting {
        at: found.map_or(NameAt::None, |(_, at)| at),
        software: software::guess(&lower_name, &text).map(Into::into),
        no_service: !about_us && refusal::speaks_of_no_service(reply.code, &text),
        about_us,
        name,
        ..Greeting::default()
    }
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
    let mut lines = reply.lines.iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let stars = line.contains('*') && line.bytes().all(|byte| matches!(byte, b'*' | b'0' | b'2' | b' '));
    let crosses = line.contains("XXXX") && line.bytes().all(|byte| matches!(byte, b'X' | b' '));
    reply.code == 220 && (stars || crosses)
}

/// The name and where it stands.
fn find(reply: &Reply, own: &impl Fn() -> Option<IpAddr>, naming: Naming) -> Option<(Box<[u8]>, NameAt)> {
    let line = bytes_of(reply.lines.first()?);
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
                    better
                        .find(shaped)
                        .map_or_else(|| (candidate.into(), NameAt::First), |word| (word.into(), NameAt::Later)),
                );
            }
            _ => return Some((candidate.into(), NameAt::First)),
        }
    }

    let mut before: &[u8] = b"";
    for word in words(&line).take(8).skip(1).map(trim) {
        if may_stand_later(class(word)) && !is_ours(word, own()) && !announces_version(before) {
            return Some((word.into(), NameAt::Later));
        }
        before = word;
    }
    reply.lines.iter().skip(1).find_map(|line| {
        let line = bytes_of(line);
        let word = trim(words(&line).next()?);
        (may_stand_later(class(word)) && !is_ours(word, own())).then(|| (word.into(), NameAt::Later))
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

/// The host of `<digits.digits@host>`, the APOP stamp that `XMail` greets with.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reply::tests::reply;
    use super::*;
    use crate::model::smtp::Oddities;

    const NAMING: Naming = Naming::built_in();
    const OWN: &str = "203.0.113.9";

    fn greeted(bytes: &[u8]) -> (Reply, Greeting) {
        let reply = reply(bytes);
        let greeting = read(&reply, Some(OWN.parse().unwrap()), NAMING);
        (reply, greeting)
    }

    /// Line by line: greeting without its last CRLF, code, name, where, software.
    const GREETINGS: &[(&str, u16, &str, NameAt, &str)] = {
        use NameAt::{Apop, First, Later, None};
        &[
            ("220 mx1.ietf.org ESMTP Postfix", 220, "mx1.ietf.org", First, "postfix"),
            ("220-mx1.ietf.org ESMTP Postfix\r\n220 mx1.ietf.org ESMTP Postfix", 220, "mx1.ietf.org", First, "postfix"),
            (
                "220 mail.ietf.org ESMTP Exim 4.97.1 Mon, 01 Jul 2024 10:00:00 +0000",
                220,
                "mail.ietf.org",
                First,
                "exim",
            ),
            (
                "220-host7.ietf.org ESMTP Exim 4.98 #2 Mon, 01 Jul 2024 10:00:00 +0000\r\n\
                 220-We do not authorize the use of this system to transport unsolicited,\r\n220 and/or bulk e-mail.",
                220,
                "host7.ietf.org",
                First,
                "exim",
            ),
            (
                "220 mail.ietf.org ESMTP Sendmail 8.17.1/8.17.1; Mon, 1 Jul 2024 10:00:00 GMT",
                220,
                "mail.ietf.org",
                First,
                "sendmail",
            ),
            (
                "220 localhost.localdomain ESMTP Sendmail 8.14.4/8.14.4; Mon, 1 Jul 2024 10:00:00 GMT",
                220,
                "localhost.localdomain",
                First,
                "sendmail",
            ),
            (
                "220 EXCH01.corp.local Microsoft ESMTP MAIL Service ready at Mon, 1 Jul 2024 10:00:00 +0000",
                220,
                "EXCH01.corp.local",
                First,
                "microsoft-smtp",
            ),
            (
                "220 WIN-7Q2KD8FA1 Microsoft ESMTP MAIL Service, Version: 10.0.14393.4169 ready at  Mon, 1 Jul 2024 10:00:00 +0000",
                220,
                "WIN-7Q2KD8FA1",
                First,
                "microsoft-smtp",
            ),
            (
                "220 AM4PEPF00027A61.mail.protection.outlook.com Microsoft ESMTP MAIL Service ready at Mon, 1 Jul 2024 \
                 10:00:00 +0000 [08DC9A0000000000]",
                220,
                "AM4PEPF00027A61.mail.protection.outlook.com",
                First,
                "microsoft-365",
            ),
            (
                "220 mx.google.com ESMTP 38308e7fff4ca-2fb247434a1si5559721fa.352 - gsmtp",
                220,
                "mx.google.com",
                First,
                "google",
            ),
            (
                "220 mx0b-00000d03.pphosted.com ESMTP mfa-m0214089",
                220,
                "mx0b-00000d03.pphosted.com",
                First,
                "proofpoint",
            ),
            (
                "554 mx.ietf.org.pph5a.pphosted.com ESMTP Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=203.0.113.9",
                554,
                "mx.ietf.org.pph5a.pphosted.com",
                First,
                "proofpoint",
            ),
            (
                "220 eu-smtp-inbound-1.mimecast.com ESMTP; Mon, 1 Jul 2024",
                220,
                "eu-smtp-inbound-1.mimecast.com",
                First,
                "mimecast",
            ),
            ("220 mail.ietf.org ESMTP (0123456789abcdef0123456789abcdef)", 220, "mail.ietf.org", First, "barracuda"),
            (
                "220 mtaproxy121.aol.mail.ne1.yahoo.com ESMTP ready",
                220,
                "mtaproxy121.aol.mail.ne1.yahoo.com",
                First,
                "yahoo",
            ),
            (
                "220 server-9.tower-571.messagelabs.com ESMTP",
                220,
                "server-9.tower-571.messagelabs.com",
                First,
                "symantec-cloud",
            ),
            ("220 smg.ietf.org ESMTP Symantec Messaging Gateway", 220, "smg.ietf.org", First, "symantec-gateway"),
            ("220 esa1.ietf.org ESMTP", 220, "esa1.ietf.org", First, ""),
            (
                "554-esa1.ietf.org\r\n554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.",
                554,
                "esa1.ietf.org",
                First,
                "cisco-esa",
            ),
            ("220 ****************************************************", 220, "", None, "cisco-pix-asa"),
            ("220 **02*****************************0*******200**", 220, "", None, "cisco-pix-asa"),
            ("220 mail.ietf.org ESMTP", 220, "mail.ietf.org", First, ""),
            ("220 courier.ietf.org ESMTP", 220, "courier.ietf.org", First, ""),
            ("220 rblsmtpd.local", 220, "rblsmtpd.local", First, "rblsmtpd"),
            ("220 mail.ietf.org ESMTP MDaemon 24.0.1; Mon, 01 Jul 2024", 220, "mail.ietf.org", First, "mdaemon"),
            ("220 mail.ietf.org ESMTP hMailServer 5.6.8-B2574", 220, "mail.ietf.org", First, "hmailserver"),
            ("220 zimbra.ietf.org ESMTP Postfix", 220, "zimbra.ietf.org", First, "postfix"),
            ("220 mail.ietf.org ESMTP OpenSMTPD", 220, "mail.ietf.org", First, "opensmtpd"),
            ("220 redcross ESMTP Haraka 2.8.8 ready", 220, "redcross", First, "haraka"),
            ("220 gmx.net (mxgmx115) Nemesis ESMTP Service ready", 220, "gmx.net", First, "nemesis"),
            (
                "554-gmx.net (mxgmx016) Nemesis ESMTP Service not available\r\n554-No SMTP service\r\n\
                 554-Bad DNS PTR resource record.\r\n554 For explanation visit https://postmaster.gmx.net/",
                554,
                "gmx.net",
                First,
                "nemesis",
            ),
            (
                "554 IP=203.0.113.9 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)",
                554,
                "",
                None,
                "",
            ),
            ("220 mail.ietf.org ESMTP Smtpd; Mon, 1 Jul 2024", 220, "mail.ietf.org", First, "fortimail"),
            ("220  ESMTP Service (Lotus Domino Release 8.5.3FP6) ready at Mon, 1 Jul 2024", 220, "", None, "domino"),
            ("220 CheckPoint FireWall-1 secure ESMTP server", 220, "", None, "checkpoint"),
            (
                "220 <1719820800.4242@mail.ietf.org> [XMail 1.27 ESMTP Server] service ready; Mon, 1 Jul 2024",
                220,
                "mail.ietf.org",
                Apop,
                "xmail",
            ),
            (
                "220 inbound-smtp.eu-west-1.amazonaws.com ESMTP SimpleEmailService-d-ABCDEFGHI 0Xyz",
                220,
                "inbound-smtp.eu-west-1.amazonaws.com",
                First,
                "amazon-ses",
            ),
            ("220 203.0.113.9 ESMTP Postfix (Ubuntu)", 220, "203.0.113.9", First, "postfix"),
            ("220 [8.8.4.4] ESMTP Postfix", 220, "[8.8.4.4]", First, "postfix"),
            ("220 postmaster@ietf.org ESMTP Postfix", 220, "postmaster@ietf.org", First, "postfix"),
            ("220 Welcome to mail.ietf.org ESMTP", 220, "mail.ietf.org", Later, ""),
            ("220 ESMTP", 220, "", None, ""),
            ("220", 220, "", None, ""),
            ("220mail.ietf.org WebShield SMTP V4.5", 220, "mail.ietf.org", First, ""),
            ("220 mail_gw.ietf.org ESMTP Postfix", 220, "mail_gw.ietf.org", First, "postfix"),
            ("421 4.3.2 Connection rate limit exceeded.", 421, "", None, ""),
            ("421 4.7.0 mx1.ietf.org Error: too many connections from 203.0.113.9", 421, "", None, ""),
            ("421 mail.ietf.org Service not available, closing transmission channel", 421, "mail.ietf.org", First, ""),
            ("521 5.7.1 Service unavailable; client [203.0.113.9] blocked using zen.spamhaus.org", 521, "", None, ""),
            ("550 Your IP address does not resolve to an existing hostname", 550, "", None, ""),
            ("220 ProFTPD Server (ftp.ietf.org) [203.0.113.9]", 220, "", None, "ftp"),
            ("SSH-2.0-OpenSSH_9.6", 0, "", None, "ssh"),
            ("* OK [CAPABILITY IMAP4rev1] Dovecot ready.", 0, "", None, "imap"),
            ("220-mail.ietf.org ESMTP\r\n250 ready", 220, "mail.ietf.org", First, ""),
        ]
    };

    #[test]
    fn every_known_greeting_gives_its_name_and_software() {
        for (text, code, name, at, software) in GREETINGS {
            let (reply, greeting) = greeted(format!("{text}\r\n").as_bytes());
            let seen = (reply.code, greeting.name.as_deref(), greeting.at, greeting.software.as_deref());
            let some = |text: &'static str| (!text.is_empty()).then_some(text);
            assert_eq!(seen, (*code, some(name), *at, some(software)), "{text}");
            assert_eq!(greeting.masked, software == &"cisco-pix-asa", "{text}");
            assert!(reply.complete, "{text}");
        }
    }

    #[test]
    fn a_name_in_a_greeting_is_of_its_class() {
        for (text, _, name, ..) in GREETINGS {
            let wanted = match *name {
                "" => continue,
                "localhost.localdomain" => Class::Localhost,
                "EXCH01.corp.local" | "rblsmtpd.local" => Class::SpecialUse,
                "WIN-7Q2KD8FA1" | "redcross" => Class::SingleLabel,
                "203.0.113.9" => Class::BareIp,
                "[8.8.4.4]" => Class::LiteralV4,
                "postmaster@ietf.org" => Class::EmailAddress,
                "mail_gw.ietf.org" => Class::Underscore,
                _ => Class::Fqdn,
            };
            assert_eq!(NAMING.classify(name.as_bytes()).0, wanted, "{text}");
        }
    }

    #[test]
    fn known_greetings_are_odd_only_where_they_are() {
        for (text, ..) in GREETINGS {
            let (reply, _) = greeted(format!("{text}\r\n").as_bytes());
            let wanted = Oddities {
                bare_code: *text == "220",
                no_separator: text.starts_with("220mail"),
                no_code: text.starts_with('*') || text.starts_with("SSH"),
                mixed_codes: text.ends_with("250 ready"),
                ..Oddities::default()
            };
            assert_eq!(reply.oddities, wanted, "{text}");
        }
        let (reply, greeting) = greeted(b"220 mail.ietf.org ESMTP ready\n");
        assert!(reply.oddities.bare_lf);
        assert_eq!(greeting.name.as_deref(), Some("mail.ietf.org"));
    }

    #[test]
    fn other_protocols_are_known_by_one_line() {
        for (bytes, protocol) in [
            (b"SSH-2.0-OpenSSH_9.6\r\n".as_slice(), Protocol::Ssh),
            (b"HTTP/1.1 400 Bad Request\r\n", Protocol::Http),
            (b"* OK ready\r\n", Protocol::Imap),
            (b"* BYE\r\n", Protocol::Imap),
            (b"+OK POP3 <1.2@mail.ietf.org>\r\n", Protocol::Pop3),
            (b"-ERR no\r\n", Protocol::Pop3),
            (b"\x16\x03\x01\x02\x00", Protocol::Tls),
            (b"220 (vsFTPd 3.0.3)\r\n", Protocol::Ftp),
            (b"220-FileZilla Server 1.8.1\r\n220 ready\r\n", Protocol::Ftp),
            (b"220---------- Welcome to Pure-FTPd [TLS] ----------\r\n220 bye\r\n", Protocol::Ftp),
            (b"220 host.ietf.org FTP server ready.\r\n", Protocol::Ftp),
        ] {
            let (_, greeting) = greeted(bytes);
            assert_eq!(greeting.protocol, Some(protocol), "{}", escape(bytes));
            assert_eq!(greeting.name, None);
        }
        for bytes in [b"220 ftp.ietf.org ESMTP Postfix\r\n".as_slice(), b"Permission denied\r\n", b"220 sftp\r\n"] {
            let wanted = if bytes.starts_with(b"220 sftp") { Some(Protocol::Ftp) } else { None };
            assert_eq!(greeted(bytes).1.protocol, wanted, "{}", escape(bytes));
        }
    }

    #[test]
    fn a_refusal_is_about_us_or_says_that_there_is_no_service() {
        for (text, about_us, no_service) in [
            ("554 mx.ietf.org ESMTP not accepting messages", false, false),
            ("554 mail.ietf.org blocked using bl1, 203.0.113.250", true, false),
            ("554 IP=203.0.113.9 - A problem occurred.", true, false),
            ("554 IP=203.0.113.99 - A problem occurred.", false, false),
            ("554 IP=1203.0.113.9 - A problem occurred.", false, false),
            ("550 Your IP address does not resolve to an existing hostname", true, false),
            (
                "554-gmx.net Service not available\r\n554-No SMTP service\r\n554 Bad DNS PTR resource record.",
                true,
                false,
            ),
            ("554 No SMTP service here", false, true),
            ("521 host does not accept mail", false, true),
            ("521 mail.ietf.org", false, true),
            ("521 5.7.1 client [203.0.113.9] blocked using zen.spamhaus.org", true, false),
            ("421 4.3.2 Connection rate limit exceeded.", false, false),
            ("421 too many connections from 203.0.113.9", true, false),
            ("220 mail.ietf.org blocked 203.0.113.9 once", false, false),
            ("554 reverse.ietf.org says no", false, false),
        ] {
            let (_, greeting) = greeted(format!("{text}\r\n").as_bytes());
            assert_eq!((greeting.about_us, greeting.no_service), (about_us, no_service), "{text}");
        }
    }

    #[test]
    fn a_name_is_found_behind_words_that_are_none() {
        for (text, name, at) in [
            ("220 2.0.0 mail.ietf.org ESMTP", "mail.ietf.org", NameAt::Later),
            ("220 server mail.ietf.org ESMTP", "mail.ietf.org", NameAt::Later),
            ("220 -------- mail.ietf.org", "mail.ietf.org", NameAt::Later),
            ("220-Welcome\r\n220 mail.ietf.org", "mail.ietf.org", NameAt::Later),
            ("220-\r\n220 mail.ietf.org", "mail.ietf.org", NameAt::Later),
            ("220 Welcome, [203.0.113.9]", "", NameAt::None),
            ("220 Welcome to version 4.9.1.2", "", NameAt::None),
            ("220 'mail.ietf.org', ESMTP", "mail.ietf.org", NameAt::First),
            ("220 m\\a.ietf.org\tESMTP", "", NameAt::None),
            ("220 mail.ietf.org\tESMTP", "mail.ietf.org", NameAt::First),
            ("220 <7@mail.ietf.org> hi", "<7@mail.ietf.org>", NameAt::First),
        ] {
            let (_, greeting) = greeted(format!("{text}\r\n").as_bytes());
            assert_eq!((greeting.name.as_deref().unwrap_or(""), greeting.at), (name, at), "{text}");
        }
    }

    #[test]
    fn half_a_greeting_names_nobody() {
        assert_eq!(greeted(b"220-mail.ietf.org ESMTP\r\n").1, Greeting::default());
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..300), line in "[ -~\\t]{0,80}") {
            for bytes in [bytes.clone(), [b"220 ", &*bytes, b"\r\n"].concat(), format!("220 {line}\r\n").into_bytes()] {
                let (reply, greeting) = greeted(&bytes);
                prop_assert_eq!(greeting.name.is_some(), greeting.at != NameAt::None);
                prop_assert!(greeting.name.as_deref().unwrap_or("").bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                let _ = super::super::ehlo::ehlo_name(&reply, NAMING);
            }
        }
    }
}
