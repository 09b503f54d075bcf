//! Reads what Exim writes about a client in its main and reject logs.
//! Comes in: a line. Goes out: the client's address and its HELO, which Exim leaves out where it equals the reverse name.
//! Only `H=` at its fixed place is believed: in front of it stand times, numbers and a sender, and nothing else.
//! Deliveries have an `H=` too, which is the server that took the mail: they tell nothing here.

use super::Seen;
use super::cut::{bracketed, client, find, said_by, word};

/// What one line tells; None where it tells of no client.
pub(super) fn parse(line: &[u8]) -> Option<Seen> {
    let text = said_by(line, |program| program.starts_with(b"exim")).unwrap_or(line);
    let text = after_stamps(text);
    match text.strip_prefix(b"<= ") {
        Some(arrival) => {
            let mut rest = after_sender(arrival)?;
            while let (field, next) = word(rest)
                && field.starts_with(b"R=")
            {
                rest = next;
            }
            let (mut seen, rest) = host(rest.strip_prefix(b"H=")?)?;
            seen.authenticated = fields(rest).any(is_authenticated);
            Some(seen)
        }
        None => refused(text),
    }
}

/// A line about a client that was not, or not yet, heard: rejections and warnings.
fn refused(text: &[u8]) -> Option<Seen> {
    let (mut seen, rest) = host(text.strip_prefix(b"H=")?)?;
    // A failed delivery begins alike, but has neither a sender nor one of these words behind its host.
    let said = rest.split(|byte| *byte == b' ').find(|word| !word.is_empty() && find(word, b"=").is_none());
    let words: [&[u8]; 6] = [b"rejected", b"temporarily", b"incomplete", b"Warning:", b"sender", b"dropped:"];
    if find(rest, b"F=<").is_none() && !said.is_some_and(|said| words.contains(&said)) {
        return None;
    }
    if find(rest, b"rejected connection").is_some() {
        // Refused before it could say anything: the name alone is the reverse one.
        seen.helo = None;
    }
    seen.authenticated = find(rest, b" A=").is_some();
    Some(seen)
}

/// The text behind date, time, zone, process and message id, as far as they are there.
fn after_stamps(mut text: &[u8]) -> &[u8] {
    for _ in 0..5 {
        let (stamp, rest) = word(text);
        let digit = stamp.iter().any(u8::is_ascii_digit);
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b':' | b'.' | b'[' | b']');
        // Without a digit it is no stamp, but Exim's message ids may have none.
        let id = matches!(stamp.len(), 16 | 23) && stamp.split(|byte| *byte == b'-').count() == 3;
        if !(digit || id) || !stamp.iter().all(known) {
            break;
        }
        text = rest;
    }
    text
}

/// The text behind a sender, whose quoted part may hold blanks.
fn after_sender(text: &[u8]) -> Option<&[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.iter().position(|byte| {
        let plain = !std::mem::take(&mut escaped);
        match byte {
            b'\\' if plain => escaped = true,
            b'"' if plain => quoted = !quoted,
            _ => {}
        }
        *byte == b' ' && !quoted
    })?;
    text.get(end + 1..)
}

/// `NAME (HELO) [ADDRESS]:PORT`, `(HELO) [ADDRESS]`, `NAME [ADDRESS]` or `[ADDRESS]`, and what follows.
fn host(text: &[u8]) -> Option<(Seen, &[u8])> {
    let (name, rest) = match text.first()? {
        b'(' | b'[' => (&b""[..], text),
        _ => word(text),
    };
    let Some(said) = rest.strip_prefix(b"(") else {
        let (between, address, rest) = client(rest)?;
        if !between.is_empty() {
            return None;
        }
        let helo = (!name.is_empty()).then(|| name.into());
        return Some((Seen { address, helo, authenticated: false }, after_port(rest)));
    };
    // Where junk is accepted as HELO it may look like the end of itself: such a line is not believed at all.
    let mut ends = ends(said);
    let ((helo, address, rest), None) = (ends.next()?, ends.next()) else { return None };
    Some((Seen { address, helo: Some(plain(helo).into()), authenticated: false }, after_port(rest)))
}

/// The text behind `:PORT`, where there is one.
fn after_port(text: &[u8]) -> &[u8] {
    let digits = |port: &&[u8]| port.first().is_some_and(u8::is_ascii_digit);
    text.strip_prefix(b":").filter(digits).map_or(text, |port| word(port).1)
}

/// Every place where the HELO could end and an address follow.
fn ends(text: &[u8]) -> impl Iterator<Item = (&[u8], std::net::IpAddr, &[u8])> {
    let close = b") [";
    text.windows(close.len()).enumerate().filter(move |(_, window)| window == close).filter_map(|(at, _)| {
        let (address, rest) = bracketed(text.get(at + 2..)?)?;
        Some((text.get(..at)?, address, rest))
    })
}

/// The bytes behind Exim's `\ooo` and `\\`.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let (octet, length) = match tail {
            _ if first != b'\\' => (first, 0),
            [b'\\', ..] => (b'\\', 1),
            [high @ b'0'..=b'3', middle @ b'0'..=b'7', low @ b'0'..=b'7', ..] => {
                ((high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0'), 3)
            }
            _ => (first, 0),
        };
        octets.push(octet);
        rest = tail.get(length..).unwrap_or_default();
    }
    octets
}

/// The fields of an arrival as far as the client cannot choose them: the subject and the message id come later.
fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ours = |field: &&[u8]| !field.starts_with(b"T=") && !field.starts_with(b"id=");
    text.split(|byte| *byte == b' ').take_while(ours)
}

fn is_authenticated(field: &[u8]) -> bool {
    // `esmtpa`, `esmtpsa`, and `asmtp` of old.
    let protocol = field.strip_prefix(b"P=");
    field.starts_with(b"A=") || protocol.is_some_and(|word| word.ends_with(b"a") || word.starts_with(b"a"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{assert_reads, brief};
    use super::*;

    #[test]
    fn lines_of_exim_are_read() {
        assert_reads(
            parse,
            &[
                (
                    "2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= a@b.org H=(win-1) [192.0.2.1]:41234 I=[198.51.100.2]:25 P=esmtp S=900",
                    "192.0.2.1 win-1",
                ),
                (
                    "2026-11-24 11:50:01.123 +0100 [77] 1tFabc-00000001Xyz-2ZaB <= <> H=mail.example.org (helo.example.org) \
                     [2001:db8::1]:41234 P=esmtps X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no S=900 id=1@b",
                    "2001:db8::1 helo.example.org",
                ),
                (
                    "2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= a@b.org H=mail.example.org [192.0.2.2] P=esmtp S=900",
                    "192.0.2.2 mail.example.org",
                ),
                ("2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= a@b.org H=[192.0.2.2] P=smtp S=900", "192.0.2.2 -"),
                (
                    "2026-11-24 11:50:01 H=(a b) [9.9.9.9) [192.0.2.1] F=<a@b.example> rejected RCPT <c@d.example>: no",
                    "192.0.2.1 a b) [9.9.9.9",
                ),
                (
                    "2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= a@b.org H=pc.example (PC) [192.0.2.3]:5 P=esmtpsa A=plain:anna S=9",
                    "192.0.2.3 PC authenticated",
                ),
                (
                    "2026-11-24 11:50:01 H=(x) [192.0.2.4]:5 F=<a@b.org> A=login:anna temporarily rejected RCPT <c@d.org>: slow",
                    "192.0.2.4 x authenticated",
                ),
                (
                    "2026-11-24 11:50:01 H=y.example ([192.0.2.5]) [192.0.2.5]:5 I=[198.51.100.2]:25 F=<a@b.org> rejected RCPT \
                     <c@d.org>: relay not permitted",
                    "192.0.2.5 [192.0.2.5]",
                ),
                (
                    "Nov 24 11:50:01 mx exim[12]: 2026-11-24 11:50:01 H=(a,b) [192.0.2.6] rejected EHLO or HELO a,b: syntax",
                    "192.0.2.6 a,b",
                ),
                (
                    "2026-11-24 11:50:01 H=z.example [192.0.2.7]:9 rejected connection in \"connect\" ACL: listed",
                    "192.0.2.7 -",
                ),
                (
                    "2026-11-24 11:50:01 1tFabc-0001Xy-2Z H=(q) [192.0.2.8]:9 X=TLS1.2:x:256 F=<a@b> rejected after DATA: spam",
                    "192.0.2.8 q",
                ),
                (
                    r"2026-11-24 11:50:01 H=(a\033[1mb\\c) [192.0.2.8]:9 F=<> rejected RCPT <c@d>",
                    "192.0.2.8 a\x1b[1mb\\c",
                ),
            ],
        );
    }

    #[test]
    fn deliveries_and_local_mail_tell_nothing() {
        for line in [
            "",
            "2026-11-24 11:50:01 1tFabc-0001Xy-2Z => c@d.org R=dnslookup T=remote_smtp H=mx.d.org [192.0.2.1] C=\"250 OK\"",
            "2026-11-24 11:50:01 1tFabc-0001Xy-2Z H=mx.d.org [192.0.2.1] Connection timed out",
            "2026-11-24 11:50:01 1tFabc-0001Xy-2Z H=mx.d.org [192.0.2.1]: SMTP error from remote mail server after RCPT \
             TO:<c@d.org>: 550 rejected",
            "2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= anna@mx U=anna P=local S=300",
            "2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= <> R=1tFabc-0001Xy-2Y U=Debian-exim P=local S=300",
            "2026-11-24 11:50:01 SMTP connection from (x) [192.0.2.1]:9 closed by QUIT",
            "2026-11-24 11:50:01 1tFabc-0001Xy-2Z Completed",
        ] {
            assert_eq!(brief(parse(line.as_bytes())), "nothing", "{line}");
        }
    }

    #[test]
    fn a_quoted_sender_cannot_speak_for_the_client() {
        let line = "2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= \"x H=(fake) [198.51.100.7] \\\" y\"@b H=(real) [192.0.2.1] P=smtp";
        assert_eq!(brief(parse(line.as_bytes())), "192.0.2.1 real");
    }

    #[test]
    fn a_helo_that_names_a_second_address_is_not_believed() {
        let line = "2026-11-24 11:50:01 H=(fake) [198.51.100.7] (x) [192.0.2.1]:5 F=<a@b> rejected RCPT <c@d>";
        assert_eq!(brief(parse(line.as_bytes())), "nothing");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(line in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&line);
            parse(&[b"2026-11-24 11:50:01 H=(", &line[..], b") [192.0.2.1] F=<> rejected"].concat());
            parse(&[b"2026-11-24 11:50:01 1tFabc-0001Xy-2Z <= ", &line[..]].concat());
            plain(&line);
        }
    }
}
